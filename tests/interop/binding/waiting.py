"""ovs.poller, ovs.timeval."""
import os
import time

import show  # noqa: F401

import ovs.timeval
from ovs import poller

print(poller.POLLIN, poller.POLLOUT, poller.POLLERR, poller.POLLHUP, poller.POLLNVAL)
p = poller.Poller()


def block():
    start = time.monotonic()
    p.block()
    print(round(time.monotonic() - start, 1))


for timers in ((200,), (-5,), (300, 100), (0,)):
    for timer in timers:
        p.timer_wait(timer)
    block()
p.immediate_wake()
block()
for when in (200, -5):
    p.timer_wait_until(ovs.timeval.msec() + when)
    block()
r, w = os.pipe()
os.write(w, b"x")
for fd, events, limit in ((r, poller.POLLIN, 1000), (w, poller.POLLOUT, 1000)):
    p.fd_wait(fd, events)
    p.timer_wait(limit)
    block()
os.read(r, 1)
p.fd_wait(r, poller.POLLIN)
p.timer_wait(200)
block()
s = poller.SelectPoll()
s.register(r, poller.POLLIN)
s.register(w, poller.POLLOUT)
print([(fd == w, events) for fd, events in s.poll(100)])
os.close(w)
p.fd_wait(r, poller.POLLIN)
p.timer_wait(1000)
block()
print(type(poller.get_system_poll()).__name__, type(ovs.timeval.msec()).__name__)
