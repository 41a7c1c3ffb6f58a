"""Waiting for the first of several events."""
import errno
import math
import os
import select
import socket
import ssl

import ovs.timeval
import ovs.vlog

try:
    import eventlet.patcher as eventlet_patcher
except ImportError:
    eventlet_patcher = None
try:
    import gevent.monkey as gevent_monkey
except ImportError:
    gevent_monkey = None

vlog = ovs.vlog.Vlog("poller")

# As in <poll.h>, also where Python's select module lacks poll().
POLLIN = 0x001
POLLOUT = 0x004
POLLERR = 0x008
POLLHUP = 0x010
POLLNVAL = 0x020


class _SelectSelect:
    """poll() by way of select.select(), for cooperative threads that replace that."""

    def __init__(self):
        self.rlist = []
        self.wlist = []
        self.xlist = []

    def register(self, fd, events):
        if isinstance(fd, (socket.socket, ssl.SSLSocket)):
            fd = fd.fileno()
        assert isinstance(fd, int)
        if events & POLLIN:
            self.rlist.append(fd)
        if events & POLLOUT:
            self.wlist.append(fd)
        if events & (POLLERR | POLLHUP | POLLNVAL):
            self.xlist.append(fd)

    def poll(self, timeout):
        """Waits 'timeout' milliseconds at most, without limit if negative.  Returns a list of (FD, EVENTS)."""
        seconds = None if timeout is None or timeout < 0 else timeout / 1000.0
        ready = select.select(self.rlist, self.wlist, self.xlist, seconds)
        events = {}
        for fds, bits in zip(ready, (POLLIN, POLLOUT, POLLERR | POLLHUP | POLLNVAL)):
            for fd in fds:
                events[fd] = events.get(fd, 0) | bits
        return list(events.items())


SelectPoll = _SelectSelect


def _using_eventlet_green_select():
    return bool(eventlet_patcher and eventlet_patcher.is_monkey_patched(select))


def get_system_poll():
    """An object like select.poll() of the system's own, whatever a library of cooperative threads has put there."""
    try:
        if _using_eventlet_green_select():
            return eventlet_patcher.original("select").poll()
        if gevent_monkey and gevent_monkey.is_module_patched("select"):
            return gevent_monkey.get_original("select", "poll")()
        return select.poll()
    except AttributeError:
        return SelectPoll()


def _make_poll():
    """What cooperates with other threads of the program."""
    if _using_eventlet_green_select() or not hasattr(select, "poll"):
        return SelectPoll()
    return select.poll()


class Poller:
    """Collects what to wait for from fd_wait(), timer_wait() and the others; block() waits for the first of these and
    forgets all of them."""

    def __init__(self):
        self._reset()

    def _reset(self):
        self.poll = _make_poll()
        self.timeout = -1

    def fd_wait(self, fd, events):
        """block() ends when 'fd', a number or an object with fileno(), is ready for 'events': POLLIN, POLLOUT."""
        self.poll.register(fd if isinstance(fd, int) else fd.fileno(), events)

    def _timer_wait(self, msec):
        if self.timeout < 0 or msec < self.timeout:
            self.timeout = msec

    def timer_wait(self, msec):
        """block() ends after 'msec' milliseconds."""
        # Rounded up: the rest of a millisecond would be waited for in a busy loop.
        self._timer_wait(max(0, math.ceil(msec)))

    def timer_wait_until(self, msec):
        """block() ends when ovs.timeval.msec() reaches 'msec'."""
        self.timer_wait(msec - ovs.timeval.msec())

    def immediate_wake(self):
        """block() ends at once."""
        self.timeout = 0

    def block(self):
        try:
            self._log_wakeup(self.poll.poll(self.timeout))
        except OSError as e:
            if e.errno != errno.EINTR:
                vlog.err(f"poll: {os.strerror(e.errno)}")
        finally:
            self._reset()

    def _log_wakeup(self, events):
        if not events:
            vlog.dbg(f"{self.timeout}-ms timeout")
            return
        for fd, revents in events:
            if revents:
                names = [name for name, bit in (("[POLLIN]", POLLIN), ("[POLLOUT]", POLLOUT), ("[POLLERR]", POLLERR),
                                                ("[POLLHUP]", POLLHUP), ("[POLLNVAL]", POLLNVAL)) if revents & bit]
                vlog.dbg(f"{''.join(names)} on fd {fd}")
