"""Time for timers, which nobody sets."""
import time

CLOCK_MONOTONIC = time.CLOCK_MONOTONIC


def monotonic():
    """Seconds since some moment."""
    return time.monotonic()


def msec():
    """Milliseconds since that moment, as a float."""
    return time.monotonic() * 1000.0


def postfork():
    """To be called in a child process; there is nothing to renew."""
