"""Mininet's own ping test running on our programs (see mininet)."""
from scripts import run_script


def test_mininet_pings_through_our_switch():
    run_script("mininet")
