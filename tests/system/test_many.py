"""Many of a thing at once: what is done with them goes over several turns of the main loop, and nobody sees half of it
where one has always seen the whole.  On the dummy datapath."""
import functools
import struct

import pytest
import openflow_peer
from openflow_peer import Peer
from place import switch_place

N_GROUPS = 8_000
N_METERS = 4_000
V = 4  # OpenFlow 1.3.
GROUP_STATS, GROUP_DESC, METER_STATS, METER_CONFIG = 6, 7, 9, 10
ALL_GROUPS, ALL_METERS = 0xfffffffc, 0xffffffff
message = functools.partial(openflow_peer.message, V)


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(options=["--enable-dummy=override"]) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure")
        yield p


def request(kind, which=None):
    return message(18, struct.pack("!HHI", kind, 0, 0) + (b"" if which is None else struct.pack("!I4x", which)))


def group_mod(command, group_id):
    """An indirect group, or none."""
    bucket = struct.pack("!HHII4xHHIH6x", 32, 0, 0xffffffff, 0xffffffff, 0, 16, 1, 0)
    return message(15, struct.pack("!HBxI", command, 2, group_id) + (bucket if command < 2 else b""))


def meter_mod(command, meter_id):
    bands = struct.pack("!HHII4x", 1, 16, 1000, 0)
    return message(29, struct.pack("!HHI", command, 2, meter_id) + (bands if command < 2 else b""))


def entries(peer, kind, length, number):
    """The numbers that one reply has entries of, which have their length and number at these places; and how many parts
    it has."""
    ids, parts, more = [], 0, True
    while more:
        got = peer.read()
        assert (got[1], struct.unpack_from("!H", got, 8)[0]) == (19, kind)
        more, at = struct.unpack_from("!H", got, 10)[0] & 1, 16
        parts += 1
        while at < len(got):
            ids.append(struct.unpack_from("!I", got, at + number)[0])
            at += struct.unpack_from("!H", got, at + length)[0]
    return ids, parts


@pytest.fixture(scope="module", name="groups")
def fixture_groups(place):
    peer = Peer(place, V)
    peer.send(*[group_mod(0, i) for i in reversed(range(1, N_GROUPS + 1))])
    peer.echo()
    return list(range(1, N_GROUPS + 1))


@pytest.mark.parametrize("kind,number", [(GROUP_STATS, 4), (GROUP_DESC, 4)])
def test_groups_are_listed_in_order_as_they_were_at_the_request(place, groups, kind, number):
    slow, other = Peer(place, V), Peer(place, V)
    ask = [request(kind, ALL_GROUPS if kind == GROUP_STATS else None)]
    slow.send(*ask * 4)  # More than fits the sockets, so that some of it is made after what comes next.
    other.echo()
    other.send(*[group_mod(2, i) for i in groups[::2]], group_mod(0, N_GROUPS + 1))
    other.echo()
    first, parts = entries(slow, kind, 0, number)
    assert (first, parts > 1) == (groups, True)
    left = groups[1::2] + [N_GROUPS + 1]
    for _ in range(3):
        assert entries(slow, kind, 0, number)[0] in (groups, left)
    slow.send(*ask)
    assert entries(slow, kind, 0, number)[0] == left
    other.send(group_mod(2, N_GROUPS + 1), *[group_mod(0, i) for i in groups[::2]])
    other.echo()


def test_one_group_and_none_are_listed(place, groups):
    peer = Peer(place, V)
    for which, found in ((groups[-1], [groups[-1]]), (groups[-1] + 1, [])):
        peer.send(request(GROUP_STATS, which))
        assert entries(peer, GROUP_STATS, 0, 4) == (found, 1)


@pytest.mark.parametrize("kind,length,number", [(METER_STATS, 4, 0), (METER_CONFIG, 0, 4)])
def test_meters_that_go_while_they_are_listed_are_left_out_and_none_is_there_twice(place, kind, length, number):
    meters = list(range(1, N_METERS + 1))
    slow, other = Peer(place, V), Peer(place, V)
    other.send(*[meter_mod(0, i) for i in reversed(meters)])
    other.echo()
    slow.send(*[request(kind, ALL_METERS)] * 8)
    other.echo()
    other.send(*[meter_mod(2, i) for i in meters[::2]])
    other.echo()
    for _ in range(8):
        ids = entries(slow, kind, length, number)[0]
        assert ids == sorted(set(ids)) and set(meters[1::2]) <= set(ids) <= set(meters)
    slow.send(request(kind, ALL_METERS))
    assert entries(slow, kind, length, number)[0] == meters[1::2]
    place.sh("ovs-ofctl -O OpenFlow13 del-meters br0")


def test_who_leaves_while_a_list_is_made_takes_it_along(place, groups):
    assert groups
    for _ in range(20):
        leaver = Peer(place, V)
        leaver.send(*[request(GROUP_DESC)] * 4)
        leaver.close()
    assert Peer(place, V).echo() < 1000
