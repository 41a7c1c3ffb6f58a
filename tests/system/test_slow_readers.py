"""Peers that ask and do not read: what piles up for them is bounded, and nobody else waits."""
import functools
import os
import struct
import time

import pytest
import openflow_peer
from openflow_peer import Peer
from place import switch_place

N_FLOWS = 30_000
V = 4  # OpenFlow 1.3.
message = functools.partial(openflow_peer.message, V)


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(quarantine_mb=1) as p:
        # One test looks for a message that the others' peers, when they go, leave no room for.
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure && ovs-appctl vlog/disable-rate-limit connmgr")
        yield p


def add_flows(place, flags=""):
    with open(f"{place.root}{place.dir}/flows", "w", encoding="ascii") as f:
        f.writelines(f"ip,nw_dst=10.{i >> 16}.{i >> 8 & 255}.{i & 255},priority=7,{flags}actions=drop\n"
                     for i in range(N_FLOWS))
    place.sh(f"ovs-ofctl add-flows br0 {place.dir}/flows")


FLOW_REQUEST = message(18, struct.pack("!HHIB3xIIIQQ", 1, 0, 0, 255, 0xffffffff, 0xffffffff, 0, 0, 0) +
                       struct.pack("!HHI", 1, 4, 0))


def count_flows(peer):
    """Reads one reply; the number of its flows."""
    n, more = 0, True
    while more:
        got = peer.read()
        assert got[1] == 19
        more, at = struct.unpack_from("!H", got, 10)[0] & 1, 16
        while at < len(got):
            at += struct.unpack_from("!H", got, at)[0]
            n += 1
    return n


def test_dumps_nobody_reads_cost_little_memory(place):
    add_flows(place)
    count_flows_of = Peer(place, V)
    count_flows_of.send(FLOW_REQUEST)
    assert count_flows(count_flows_of) == N_FLOWS
    before = place.resident_kb()
    deaf = [Peer(place, V) for _ in range(40)]
    for peer in deaf:
        peer.send(*[FLOW_REQUEST] * 20)
    assert Peer(place, V).echo() < 1000
    time.sleep(0.5)
    # A dump is some 3 MB; 800 of them have been asked for.
    assert place.resident_kb() - before < 60 * 1024
    for peer in deaf[:2]:  # And they are all there for who reads in the end.
        assert [count_flows(peer) for _ in range(20)] == [N_FLOWS] * 20


def test_a_dump_shows_the_flows_of_its_beginning_whatever_comes_meanwhile(place):
    add_flows(place)
    slow, other = Peer(place, V), Peer(place, V)
    slow.send(FLOW_REQUEST)
    other.echo()
    place.sh("ovs-ofctl del-flows br0")
    assert count_flows(slow) == N_FLOWS
    slow.send(FLOW_REQUEST)
    assert count_flows(slow) == 0


def test_requests_after_a_dump_are_answered_after_it(place):
    add_flows(place)
    peer = Peer(place, V)
    peer.send(FLOW_REQUEST, message(20, xid=9))
    assert count_flows(peer) == N_FLOWS
    assert struct.unpack("!BBHI", peer.read()) == (V, 21, 8, 9)


def test_who_never_reads_flow_removed_loses_the_connection(place):
    deaf = Peer(place, V)
    deaf.send(message(9, struct.pack("!HH", 0, 128)))  # Asynchronous messages, please.
    log = f"{place.root}{place.dir}/ovs-vswitchd.log"
    for _ in range(60):
        add_flows(place, "send_flow_rem,")
        place.sh("ovs-ofctl del-flows br0")
        with open(log, encoding="utf-8") as f:
            if "the peer has not read" in f.read():
                break
    else:
        raise AssertionError("it is still connected")
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            deaf.read()
    assert Peer(place, V).echo() < 1000
    assert os.path.exists(f"/proc/{place.pid}")
