"""Virtual machines that are moved, as the switch sees it: pages that are marked while they are copied, machines that
cannot say themselves where they are now, two monitors at a socket.

    machine ---- vu0 (which listens) [ br0 ] vc0 (which connects) ---- machine

The machines are in this process (vhost_user.py).  Real ones under QEMU: test_guest_moves.py."""
import contextlib
import os
import re
import sys

import pytest
from dpdk_ports import add_vhost_ports
from place import ROOT, column, counter, switch_place
from vhost_user import RINGS, RX, SEND_RARP, TX, accept, connect

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(prepare="ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true") as p:
        add_vhost_ports(p)
        yield p


@pytest.fixture(name="machines")
def fixture_machines(place):
    """New ones at vu0 and vc0 that have started; all end with the test."""
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nin_port=2,actions=1\nE")
    with contextlib.ExitStack() as all_of_them:
        def start(*ports, **kwargs):
            for port in ports:
                path = f"{place.root}{place.dir}/{port}"
                m = connect(path, **kwargs) if port == "vu0" else accept(f"{path}.sock", **kwargs)
                all_of_them.callback(m.close)
                begin(place, m)
                yield m

        yield start
    for port in ("vu0", "vc0"):
        place.wait(f"{port} is down", lambda port=port: column(place, port, "link_state") == "down", 60)


def begin(place, machine):
    def n_begun():
        return place.sh(f"cat {place.dir}/ovs-vswitchd.log").count("has been added")

    before = n_begun()
    machine.start()
    place.wait("the machine", lambda: n_begun() > before, 60)


def frames(n, first=0):
    return [traffic.udp(0x0a000001, 0x0a000002, first + i, 9) for i in range(n)]


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
