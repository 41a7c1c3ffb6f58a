"""ovs.poller, ovs.timeval."""
import os
import time

import show  # noqa: F401

import ovs.timeval
from ovs import poller

print(poller.POLLIN, poller.POLLOUT, poller.POLLERR, poller.POLLHUP, poller.POLLNVAL)
p = poller.Poller()


def block():
    """Says which of the times that are waited for here have passed: a slow machine may take longer."""
    start = time.monotonic()
    p.block()
    passed = time.monotonic() - start + 0.01
    print(max(ms for ms in (0, 400, 4000) if passed >= ms / 1000))


for timers in ((400,), (-5,), (4000, 400), (0,)):
    for timer in timers:
        p.timer_wait(timer)
    block()
p.immediate_wake()
block()
for when in (400, -5):
    p.timer_wait_until(ovs.timeval.msec() + when)
    block()
r, w = os.pipe()
os.write(w, b"x")
for fd, events, limit in ((r, poller.POLLIN, 4000), (w, poller.POLLOUT, 4000)):
    p.fd_wait(fd, events)
    p.timer_wait(limit)
    block()
os.read(r, 1)
p.fd_wait(r, poller.POLLIN)
p.timer_wait(400)
block()
s = poller.SelectPoll()
s.register(r, poller.POLLIN)
s.register(w, poller.POLLOUT)
print([(fd == w, events) for fd, events in s.poll(100)])
os.close(w)
p.fd_wait(r, poller.POLLIN)
p.timer_wait(4000)
block()
print(type(poller.get_system_poll()).__name__, type(ovs.timeval.msec()).__name__)
