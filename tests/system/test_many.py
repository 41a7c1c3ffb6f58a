"""Many of a thing at once: what is done with them goes over several turns of the main loop, and nobody sees half of it
where one has always seen the whole.  On the dummy datapath."""
import contextlib
import functools
import os
import re
import struct

import pytest
import openflow_peer
from control_client import SlowClient
from openflow_peer import Peer
from place import switch_place

N_GROUPS = 8_000
N_METERS = 4_000
N_PORTS = 300
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
    found, parts = whole_entries(peer, kind, length)
    return [struct.unpack_from("!I", e, number)[0] for e in found], parts


def whole_entries(peer, kind, length):
    found, parts, more = [], 0, True
    while more:
        got = peer.read()
        assert (got[1], struct.unpack_from("!H", got, 8)[0]) == (19, kind)
        more, at = struct.unpack_from("!H", got, 10)[0] & 1, 16
        parts += 1
        while at < len(got):
            size = struct.unpack_from("!H", got, at + length)[0]
            found.append(got[at:at + size])
            at += size
    return found, parts


# What DPDK reads when it starts is a pipe: it waits until something is written.
GATE, READ_BY_DPDK = "/tmp/d/gate", "/sys/devices/system/cpu/cpu0/topology/core_id"


@contextlib.contextmanager
def dpdk_held_up(place):
    """From when DPDK has begun to start until this is left."""
    writers = []

    def is_read():
        with contextlib.suppress(OSError):  # ENXIO: nobody reads.
            writers.append(os.open(place.root + GATE, os.O_WRONLY | os.O_NONBLOCK))
        return writers

    place.wait("DPDK starts", is_read, 60)
    yield
    place.sh("umount -l " + READ_BY_DPDK)
    os.write(writers[0], b"0\n")
    os.close(writers[0])


def test_a_first_bridge_waits_for_its_datapath_and_others_do_not():
    with switch_place(options=["--enable-dummy=override"],
                      prepare=f"mkfifo {GATE} && mount --bind {GATE} {READ_BY_DPDK}") as p:
        assert turns_of_reconciling(p) == 0
        p.sh("ovs-vsctl --no-wait add-br br0 -- add-port br0 p1 -- set interface p1 type=dummy")
        with dpdk_held_up(p):
            p.sh("ovs-vsctl --no-wait del-port p1 && ovs-appctl version"
                 " && ovs-vsctl --no-wait add-port br0 p2 -- set interface p2 type=dummy")
            assert "br0" not in p.sh("ovs-appctl dpif/show")
        p.sh("ovs-vsctl --timeout=60 set interface p2 other_config:waits=true")  # Until all of that is there.
        assert turns_of_reconciling(p) > 0
        assert numbers(p, "br0") == {"p2": 1}  # Of p1 it has never heard.
        p.kill("ovs-vswitchd")
        p.start_switch("--enable-dummy=override")  # It is back when the bridge is.
        assert "p2" in p.sh("ovs-appctl dpif/show")


def test_a_datapath_that_cannot_be_made_is_said_in_log_and_database_and_may_be_left():
    with switch_place(options=["--enable-dummy=override"],
                      expected="DPDK did not start|failed to open datapath|failed to create bridge") as p:
        p.sh("mount -t tmpfs none /sys/devices/system/cpu")
        for bridge in "br0", "br1":
            p.run(f"ovs-vsctl add-br {bridge}")
            error = p.sh(f"ovs-vsctl get interface {bridge} error")
            assert f"failed to create bridge {bridge}: Cannot allocate memory" in error
        assert "DPDK did not start: " in p.sh(f"cat {p.dir}/ovs-vswitchd.log")


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
def test_meters_are_listed_in_order_as_they_were_at_the_request(place, kind, length, number):
    meters = list(range(1, N_METERS + 1))
    slow, other = Peer(place, V), Peer(place, V)
    other.send(*[meter_mod(0, i) for i in reversed(meters)])
    other.echo()
    slow.send(*[request(kind, ALL_METERS)] * 8)  # More than fits the sockets.
    other.echo()
    other.send(*[meter_mod(2, i) for i in meters[::2]])
    other.echo()
    assert entries(slow, kind, length, number)[0] == meters
    for _ in range(7):
        assert entries(slow, kind, length, number)[0] in (meters, meters[1::2])
    slow.send(request(kind, ALL_METERS))
    assert entries(slow, kind, length, number)[0] == meters[1::2]
    place.sh("ovs-ofctl -O OpenFlow13 del-meters br0")


def test_a_meter_that_goes_while_it_is_listed_is_told_of_with_what_it_has_counted(place):
    slow, other, last = Peer(place, V), Peer(place, V), N_METERS
    other.send(*[meter_mod(0, i) for i in range(1, N_METERS + 1)])
    other.echo()
    place.sh("ovs-vsctl add-port br0 counted -- set interface counted type=dummy ofport_request=77; "
             f"ovs-ofctl -O OpenFlow13 add-flow br0 in_port=77,actions=meter:{last},local")
    for _ in range(3):
        place.sh("ovs-appctl netdev-dummy/receive counted 'in_port(77),eth(),eth_type(0x1234)'")
    place.wait("the packets", lambda: "packet_in_count:3 " in place.sh(
        f"ovs-ofctl -O OpenFlow13 meter-stats br0 meter={last}"))
    slow.send(*[request(METER_STATS, ALL_METERS)] * 8)
    other.echo()
    other.send(meter_mod(2, last))
    other.echo()
    for i in range(8):
        entry = whole_entries(slow, METER_STATS, 4)[0][-1]
        number, n_packets = struct.unpack_from("!I", entry)[0], struct.unpack_from("!Q", entry, 16)[0]
        assert (number, n_packets) == (last, 3) or (i and number == last - 1)
    place.sh("ovs-ofctl -O OpenFlow13 del-meters br0; ovs-vsctl del-port counted")


def test_all_meters_go_over_many_turns_and_others_see_all_or_none(place):
    meters = list(range(1, N_METERS + 1))
    peer, other = Peer(place, V), Peer(place, V)
    peer.send(*[meter_mod(0, i) for i in meters])
    peer.echo()
    turns = int(place.sh("ovs-appctl coverage/read-counter change_request_turns"))
    peer.send(meter_mod(2, ALL_METERS), message(20))
    seen = []
    while not seen or seen[-1]:
        other.send(request(METER_CONFIG, ALL_METERS))
        seen.append(entries(other, METER_CONFIG, 0, 4)[0])
        assert seen[-1] in (meters, [])
    assert peer.read()[1] == 21
    assert int(place.sh("ovs-appctl coverage/read-counter change_request_turns")) > turns
    peer.send(*[meter_mod(0, i) for i in meters])  # What they had in the datapath is free again, or will be.
    peer.send(request(METER_CONFIG, ALL_METERS))
    assert entries(peer, METER_CONFIG, 0, 4)[0] == meters
    place.sh("ovs-ofctl -O OpenFlow13 del-meters br0")


def test_who_leaves_while_a_list_is_made_takes_it_along(place, groups):
    assert groups
    for _ in range(20):
        leaver = Peer(place, V)
        leaver.send(*[request(GROUP_DESC)] * 4)
        leaver.close()
    assert Peer(place, V).echo() < 1000


N_HOSTS = 8_000


def test_a_bond_says_where_many_hosts_are_over_many_turns(place):
    place.sh("ovs-vsctl add-br br1 -- set bridge br1 fail_mode=secure other_config:mac-table-size=20000 -- "
             "add-port br1 q0 -- add-bond br1 bond1 q1 q2 bond_mode=active-backup -- "
             + " -- ".join(f"set interface q{i} type=dummy" for i in range(3)))
    client = SlowClient(place, "bond/set-active-member", "bond1", "q1")
    client.lines()
    for i in range(N_HOSTS):
        client.ask("fdb/add", "br1", "q0", "0", f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}")
        assert client.lines() == []

    def sent(port):
        return int(re.search(r"tx pkts=(\d+)", place.sh(f"ovs-ofctl dump-ports br1 {port}"))[1])

    def turns():
        return int(place.sh("ovs-appctl coverage/read-counter bond_learning_turns"))

    before = turns()
    client.ask("bond/set-active-member", "bond1", "q2")
    assert client.lines()
    place.wait("all hosts are told of", lambda: sent("q2") == N_HOSTS)
    assert turns() > before
    # Traffic moves again and again: the last move is told of as a whole.
    for _ in range(5):
        client.ask("bond/set-active-member", "bond1", "q1")
        client.lines()
        client.ask("bond/set-active-member", "bond1", "q2")
        client.lines()
    q1 = sent("q1")
    place.wait("all hosts are told of", lambda: sent("q2") >= 2 * N_HOSTS)
    assert q1 < 5 * N_HOSTS and sent("q1") == q1
    client.ask("bond/set-active-member", "bond1", "q1")
    place.sh("ovs-vsctl del-br br1")
    assert place.sh("ovs-appctl bond/list").count("\n") == 1


# Ports.

def turns_of_reconciling(place):
    return int(place.sh("ovs-appctl coverage/read-counter reconcile_turns"))


def numbers(place, bridge):
    """Name -> number, as OpenFlow has them."""
    shown = place.sh(f"ovs-ofctl show {bridge}")
    return {name: int(n) for n, name in re.findall(r"^ (\d+)\((\w+)\)", shown, re.M)}


def add(bridge, names):
    return " -- ".join(f"add-port {bridge} {name}" for name in names)


def test_many_ports_come_over_many_turns_and_have_the_numbers_of_their_order(place):
    names = [f"m{i:03}" for i in range(N_PORTS)]
    turns = turns_of_reconciling(place)
    place.sh(f"ovs-vsctl add-br br1 -- {add('br1', reversed(names))} -- set interface m200 ofport_request=7")
    assert turns_of_reconciling(place) > turns
    # All of it is there when ovs-vsctl has come back: ports, their bundles, and what the database says of them.
    others = [n for n in names if n != "m200"]
    wanted = dict(zip(others, [n for n in range(1, N_PORTS + 1) if n != 7]), m200=7)
    assert numbers(place, "br1") == wanted
    written = place.sh("ovs-vsctl --format=csv --no-headings --columns=name,ofport,error list interface")
    assert {name: int(n) for name, n in re.findall(r"^(m\d+),(\d+),\[\]$", written, re.M)} == wanted
    place.sh("ovs-vsctl del-br br1")


def test_what_changes_while_ports_come_is_carried_out_after_it(place):
    names = [f"n{i:03}" for i in range(N_PORTS)]
    place.sh("ovs-vsctl add-br br1 -- add-br br2")
    for _ in range(5):
        place.sh(f"ovs-vsctl --no-wait {add('br1', names)};"
                 "ovs-vsctl --no-wait " + " -- ".join(f"del-port br1 {n}" for n in names[::3]) + ";"
                 "ovs-vsctl --no-wait " + " -- ".join(f"set interface {n} type=dummy-pmd" for n in names[1::3]) + ";"
                 f"ovs-vsctl --no-wait add-br br3 -- {add('br2', names[::3])} -- set port {names[2]} tag=5;"
                 f"ovs-vsctl del-br br3")
        assert set(numbers(place, "br1")) == set(names) - set(names[::3])
        assert set(numbers(place, "br2")) == set(names[::3])
        shown = place.sh("ovs-appctl dpif/show")
        assert "br3" not in shown and len(re.findall(r"\(dummy-pmd\)", shown)) == len(names[1::3])
        assert not re.search(r"\w", place.sh("ovs-vsctl --bare --columns=error list interface"))
        place.sh(f"ovs-vsctl --no-wait {add('br1', ('q1', 'q2', 'q3'))}; ovs-vsctl --no-wait del-br br1;"
                 "ovs-vsctl add-br br1 -- " + " -- ".join(f"del-port br2 {n}" for n in names[::3]))
        assert numbers(place, "br1") == numbers(place, "br2") == {}
    place.sh("ovs-vsctl del-br br1 -- del-br br2")


def test_many_bridges_come_over_many_turns(place):
    turns = turns_of_reconciling(place)
    bridges = {f"c{b}": [f"c{b}p{i}" for i in range(5)] for b in range(20)}
    place.sh("ovs-vsctl " + " -- ".join(f"add-br {br} -- {add(br, ports)}" for br, ports in bridges.items()))
    assert turns_of_reconciling(place) > turns
    for br, ports in bridges.items():
        assert numbers(place, br) == {name: i for i, name in enumerate(ports, 1)}
    place.sh("ovs-vsctl " + " -- ".join(f"del-br {br}" for br in bridges))


def test_many_bonds_come_over_many_turns_though_each_tells_of_its_links(place):
    names = [f"o{i:03}" for i in range(N_PORTS // 2)]
    turns = turns_of_reconciling(place)
    place.sh("ovs-vsctl add-br br1 -- "
             + " -- ".join(f"add-bond br1 {name} {name}a {name}b bond_mode=balance-slb" for name in names))
    # Bridge, interfaces and ports do not fit into one turn each.
    assert turns_of_reconciling(place) > turns + 5
    assert set(re.findall(r"^---- (\w+) ----$", place.sh("ovs-appctl bond/show"), re.M)) >= set(names)
    assert numbers(place, "br1") == {f"{name}{x}": 2 * i + k for i, name in enumerate(names)
                                     for k, x in enumerate("ab", 1)}
    place.sh("ovs-vsctl del-br br1")


def test_a_restart_finds_all_ports_with_their_numbers(place):
    names = [f"r{i:03}" for i in range(N_PORTS)]
    place.sh(f"ovs-vsctl add-br br1 -- {add('br1', names)}")
    place.sh("ovs-vsctl del-port r000")
    before = numbers(place, "br1")
    place.kill("ovs-vswitchd")
    place.start_switch("--enable-dummy=override")
    assert numbers(place, "br1") == before and len(before) == N_PORTS - 1
    place.sh("ovs-vsctl del-br br1")
