"""Virtual machines that are moved, as the switch sees it: pages that are marked while they are copied, machines that
cannot say themselves where they are now, two monitors at a socket, pages that come later, or never; and memory that a
monitor takes back.

    machine ---- vu0 (which listens) [ br0 ] vc0, vc1 (which connect) ---- machines

The machines are in this process (vhost_user.py).  Real ones under QEMU: test_guest_moves.py."""
import contextlib
import os
import re
import select
import sys

import pytest
from dpdk_ports import add_vhost_ports
from place import ROOT, column, counter, switch_place
from vhost_user import HEADER, NEED_REPLY, PAGE, POSTCOPY_ADVISE, RINGS, RX, SEND_RARP, TX, accept, connect

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(prepare="ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true"
                      " other_config:vhost-postcopy-support=true") as p:
        add_vhost_ports(p)
        add_client(p, "vc1", 3)
        yield p


def add_client(place, port, n):
    place.sh(f"ovs-vsctl add-port br0 {port} -- set interface {port} type=dpdkvhostuserclient ofport_request={n}"
             f" options:vhost-server-path={place.dir}/{port}.sock")


@pytest.fixture(name="machines")
def fixture_machines(place):
    """New ones that have started; all end with the test."""
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 - <<E\nin_port=1,udp,tp_dst=9,actions=2\n"
             "in_port=1,udp,tp_dst=10,actions=3\nin_port=2,actions=1\nin_port=3,actions=1\nE")
    with contextlib.ExitStack() as all_of_them:
        def start(*ports, **kwargs):
            for port in ports:
                m = come_to(place, port, **kwargs)
                all_of_them.callback(m.close)
                begin(place, m)
                yield m

        yield start
    for port in ("vu0", "vc0", "vc1"):
        wait_down(place, port)


def come_to(place, port, **kwargs):
    path = f"{place.root}{place.dir}/{port}"
    return connect(path, **kwargs) if port == "vu0" else accept(f"{path}.sock", **kwargs)


def wait_down(place, port):
    place.wait(f"{port} is down", lambda: column(place, port, "link_state") == "down", 60)


def begin(place, machine):
    def n_begun():
        return place.sh(f"cat {place.dir}/ovs-vswitchd.log").count("has been added")

    before = n_begun()
    machine.start()
    place.wait("the machine", lambda: n_begun() > before, 60)


def frames(n, first=0, to=9):
    """'to': 9 for vc0, 10 for vc1; to vu0 all go."""
    return [traffic.udp(0x0a000001, 0x0a000002, first + i, to) for i in range(n)]


def passes(place, a, b, sent):
    """What 'a' sends comes to 'b'; where it is there."""
    b.give_room(len(sent))
    a.transmit(*sent)
    place.wait("the frames", lambda: b.n_used(RX) >= len(sent), 60)
    came, at = b.received()
    assert came == sent
    return set(at)


def test_pages_that_are_written_are_marked(place, machines):
    a, b = machines("vu0", "vc0")
    passes(place, b, a, frames(3))
    passes(place, a, b, frames(3))
    a.start_log()
    a.marked()  # What is written while it begins may be.
    assert a.marked() == set()
    at = passes(place, b, a, frames(5, 100))
    assert len(at) == 5 and a.marked() == at | {RINGS[RX]["used"]}
    passes(place, a, b, frames(2, 200))
    assert RINGS[TX]["used"] in a.marked()
    # Who carries the frames changes nothing of what is counted.
    place.wait("counters", lambda: (counter(place, "vu0", "tx_packets"), counter(place, "vu0", "rx_packets"))
               == (8, 5), 60)
    a.set_log(False)
    a.marked()
    passes(place, b, a, frames(5, 300))
    assert a.marked() == set()
    a.set_log(True)
    at = passes(place, b, a, frames(4, 400))
    assert at <= a.marked()
    bases = a.stop()
    assert bases == [17, 5]


@pytest.mark.parametrize("has_log", (False, True))
def test_a_machine_that_was_moved_is_announced(place, machines, has_log):
    a, b = machines("vu0", "vc0")
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 actions=NORMAL && ovs-appctl fdb/flush")
    if has_log:
        a.start_log()
    b.give_room(4)
    mac = bytes.fromhex("5254000102ff")
    a.tell(SEND_RARP, mac + bytes(2))
    place.wait("the frame", lambda: b.n_used(RX), 60)
    (frame,), _ = b.received()
    assert frame[:14] == b"\xff" * 6 + mac + b"\x80\x35" and frame[22:28] == mac
    assert re.search(r"^ +1 +0 +52:54:00:01:02:ff ", place.sh("ovs-appctl fdb/show br0"), re.M)
    passes(place, b, a, frames(2))


def is_called(machine, ring):
    with contextlib.suppress(BlockingIOError):
        return os.eventfd_read(machine.call[ring]) > 0
    return False


def test_who_takes_up_a_machine_makes_up_for_calls_that_were_lost(place, machines):
    """By its event index it waits for a buffer that is used already, and would not be called for later ones."""
    for m in machines("vu0", "vc0"):
        for again in False, True:
            if again:
                m.stop()
                m.start()
            for ring in RX, TX:
                place.wait("call", lambda m=m, ring=ring: is_called(m, ring), 60)


def test_two_monitors_at_a_socket(place, machines):
    """One after the other, as for a migration within a host; then one that takes the port over from the other."""
    a, b = machines("vu0", "vc0")
    passes(place, b, a, frames(7))
    coming = connect(f"{place.root}{place.dir}/vu0")
    try:
        assert a.stop() == [7, 0]
        place.wait("no link", lambda: column(place, "vu0", "link_state") == "down", 60)
        begin(place, coming)
        passes(place, b, coming, frames(4))
        place.wait("what it got", lambda: counter(place, "vu0", "tx_packets") == 4, 60)
        a.connection.close()
        place.wait("the end of the other", lambda: "connection has been destroyed" in
                   place.sh(f"tail -n 2 {place.dir}/ovs-vswitchd.log"), 60)
        passes(place, b, coming, frames(4))
        place.wait("what it got", lambda: counter(place, "vu0", "tx_packets") == 8, 60)
        other, = machines("vu0")
        passes(place, b, other, frames(5))
        coming.connection.close()
        passes(place, b, other, frames(6))
        passes(place, other, b, frames(6))
        place.wait("what it got", lambda: counter(place, "vu0", "tx_packets") == 11, 60)
    finally:
        coming.close()


needs_userfaultfd = pytest.mark.skipif(not os.path.exists("/proc/sys/vm/unprivileged_userfaultfd"),
                                       reason="the kernel has no userfaultfd")


def pages_come(place, a, b, sent):
    """What 'a' sends comes to 'b', whose monitor brings the pages that it goes into when they are needed."""
    needed = []
    b.give_room(len(sent))
    a.transmit(*sent)

    def bring():
        at = b.fault(0)
        if at is not None:
            needed.append(at)
            b.put_page(at)
        return b.n_used(RX) >= len(sent)

    place.wait("the frames", bring, 60)
    came, at = b.received()
    assert came == sent and needed == at


@needs_userfaultfd
def test_pages_that_come_later(place, machines):
    a, = machines("vu0")
    b, = machines("vc0", postcopy=True)
    pages_come(place, a, b, frames(3))
    b.end_postcopy()
    passes(place, b, a, frames(3))
    passes(place, a, b, frames(5, 50))
    assert b.stop() == [8, 3]


def goes(machine, is_dead):
    """Its connection ends; all else of its monitor, too, if that is dead."""
    machine.connection.close()
    if is_dead:
        machine.close()


@needs_userfaultfd
@pytest.mark.parametrize("is_dead", (True, False))
def test_a_monitor_dies_before_a_page_has_come(place, machines, is_dead):
    """Who waits for the page to write to it goes on; so do the other ports of that worker, and the next monitor."""
    place.sh("ovs-vsctl del-port vc0")
    add_client(place, "vc0", 2)  # Whose counters begin anew.
    a, c = machines("vu0", "vc1")
    b, = machines("vc0", postcopy=True)
    b.give_room(3)
    a.transmit(*frames(1))
    assert b.fault(60) == RINGS[RX]["buffers"]
    goes(b, is_dead)
    wait_down(place, "vc0")
    passes(place, a, c, frames(5, to=10))
    passes(place, c, a, frames(5))
    other, = machines("vc0")
    passes(place, a, other, frames(5))
    passes(place, other, a, frames(5))
    place.wait("the lost frame", lambda: counter(place, "vc0", "ovs_tx_failure_drops") == 1, 60)


@needs_userfaultfd
def test_what_a_dead_monitor_has_not_brought_is_no_frame(place, machines):
    """Who waits for the page to read it goes on, and has read nothing."""
    a, = machines("vu0")
    b, = machines("vc0", postcopy=True)
    a.give_room(3)
    b.offer(TX, 1, HEADER + 60)
    assert b.fault(60) == RINGS[TX]["buffers"]
    b.close()
    wait_down(place, "vc0")
    other, = machines("vc0")
    passes(place, other, a, frames(5))
    place.wait("the lost frame", lambda: counter(place, "vc0", "rx_dropped") == 1, 60)


@needs_userfaultfd
def test_one_of_two_monitors_dies(place, machines):
    """While the library's thread, for the other one, waits for the worker that waits for the page."""
    a, = machines("vu0")
    b, = machines("vc0", postcopy=True)
    c, = machines("vc1", postcopy=True)
    b.give_room(1)
    a.transmit(*frames(1))
    assert b.fault(60) == RINGS[RX]["buffers"]
    c.send(SEND_RARP, bytes(8), flags=NEED_REPLY)
    assert not select.select([c.connection], [], [], 1)[0]
    b.close()
    c.acknowledged()
    wait_down(place, "vc0")
    pages_come(place, a, c, frames(3, to=10))
    other, = machines("vc0", postcopy=True)
    pages_come(place, a, other, frames(3))


@needs_userfaultfd
def test_a_monitor_dies_while_the_library_waits_for_a_page(place, machines):
    a, = machines("vu0")
    b = come_to(place, "vc0", postcopy=True)
    try:
        b.has_ack = False
        b.start(with_rings=False)
        assert b.fault(60) in RINGS[RX].values()
    finally:
        b.close()
    other, = machines("vc0")
    passes(place, a, other, frames(5))


@needs_userfaultfd
@pytest.mark.parametrize("is_dead", (True, False))
def test_a_port_is_removed_while_a_page_is_waited_for(place, machines, is_dead):
    """A monitor that lives sees the end of its connection when nobody needs it any more."""
    a, = machines("vu0")
    b, = machines("vc0", postcopy=True)
    b.give_room(1)
    a.transmit(*frames(1))
    at = b.fault(60)
    try:
        place.sh("ovs-vsctl --no-wait del-port vc0")
        assert not select.select([b.connection], [], [], 1)[0]
        if is_dead:
            b.close()
        else:
            b.put_page(at)
            assert not b.connection.recv(1)
    finally:
        add_client(place, "vc0", 2)
    other, = machines("vc0")
    passes(place, a, other, frames(5))


def test_pages_may_come_later_only_where_that_is_allowed(place):
    m = come_to(place, "vu0")
    try:
        m.send(POSTCOPY_ADVISE)
        assert not m.connection.recv(12)
    finally:
        m.close()


def n_lost(place):
    return int(place.sh("ovs-appctl coverage/read-counter netdev_memory_lost"))


# Whether the library serves its rings.  (Of some 300 such tests one was wrong, on a busy machine: not found out yet.)
@pytest.mark.parametrize("has_log", (False, pytest.param(True, marks=pytest.mark.slow)))
@pytest.mark.parametrize("left", (0, RINGS[RX]["buffers"], RINGS[TX]["buffers"] + PAGE))
def test_memory_is_taken_back(place, machines, left, has_log):
    """A file that becomes shorter: whoever is amid it goes on, and so do the other ports and the next monitor."""
    a, b, c = machines("vu0", "vc0", "vc1")
    if has_log:
        b.start_log()
    passes(place, a, b, frames(3))
    passes(place, b, a, frames(3))
    before = n_lost(place)
    b.give_room(3)
    b.offer(TX, 3, HEADER + 60)
    os.ftruncate(b.fd, left)
    a.give_room(10)
    a.transmit(*frames(3))
    place.wait("the loss", lambda: n_lost(place) > before, 60)
    a.received()
    passes(place, a, c, frames(5, to=10))
    b.close()
    wait_down(place, "vc0")
    other, = machines("vc0")
    passes(place, a, other, frames(5))
