"""An os-ken learning switch as the controller of our bridge (see os-ken)."""
from scripts import run_script


def test_hosts_talk_through_a_switch_that_os_ken_controls():
    run_script("os-ken")
