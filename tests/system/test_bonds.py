"""Bonds with real traffic: cables are pulled, load moves, nothing arrives twice.

    h1 ---- p1 [ br0 ] bond0 = a1 ===== b1 [ br1 ] p2 ---- h2
                               a2 ===== b2
"""
import json
import re

import pytest
from control_client import SlowClient
from place import switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place() as p:
        # Packets are counted: those that the kernel sends of itself would be among them.
        p.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        for n in (1, 2):
            p.host(n)
            p.sh(f"ip link add a{n} type veth peer name b{n} && ip link set a{n} up && ip link set b{n} up")
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-br br1 -- "
             "set bridge br1 datapath_type=netdev -- add-port br0 p1 -- add-port br1 p2 -- "
             "add-port br1 b1 -- add-port br1 b2 -- add-bond br0 bond0 a1 a2 bond_mode=active-backup")
        yield p


@pytest.fixture(autouse=True)
def fixture_cables(place):
    yield
    place.sh("ip link set b1 up; ip link set b2 up; ovs-vsctl clear port bond0 other_config lacp -- "
             "set port bond0 bond_updelay=0 bond_downdelay=0 bond_mode=active-backup")
    place.wait("both links", lambda: place.sh("ovs-appctl bond/show").count(": enabled") == 2)


def active(place):
    return re.search(r"active member mac: .*\((.*)\)", place.sh("ovs-appctl bond/show bond0"))[1]


def packets(place, device, direction):
    return json.loads(place.sh(f"ip -s -j link show {device}"))[0]["stats64"][direction]["packets"]


def tx_packets(place, device):
    return packets(place, device, "tx")


def ping(place, options="-c 5 -i 0.1"):
    """Of pings from h1 to h2: the number lost, and whether any came twice."""
    out = place.run(f"ip netns exec h1 ping {options} -W 1 10.0.0.2").stdout
    sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", out).groups()
    return int(sent) - int(received), "DUP" in out


def test_one_member_carries_everything(place):
    a, other = active(place), {"a1": "a2", "a2": "a1"}[active(place)]
    before = tx_packets(place, a), tx_packets(place, other)
    assert ping(place) == (0, False)
    assert tx_packets(place, a) - before[0] >= 5
    assert tx_packets(place, other) - before[1] < 3


@pytest.mark.parametrize("mode", ["active-backup", "balance-slb"])
@pytest.mark.parametrize("detect", ["carrier", "miimon"])
def test_a_pulled_cable_moves_the_traffic(place, mode, detect):
    place.sh(f"ovs-vsctl set port bond0 bond_mode={mode} other_config:bond-detect-mode={detect} "
             "other_config:bond-miimon-interval=100")
    for _ in range(2):
        old = active(place)
        # The neighbour may take half a second to learn from traffic that it has seen there before.
        place.wait("pings", lambda: ping(place) == (0, False))
        place.sh(f"(sleep 0.5; ip link set {old.replace('a', 'b')} down) & true")
        lost, doubled = ping(place, "-c 30 -i 0.1")
        assert lost <= 5 and not doubled
        assert active(place) not in (old, "none")
        place.sh(f"ip link set {old.replace('a', 'b')} up")
        place.wait("the link", lambda: place.sh("ovs-appctl bond/show").count(": enabled") == 2)
        place.sh("ovs-appctl bond/set-active-member bond0 " + old)
    place.wait("pings", lambda: ping(place) == (0, False))


def test_without_any_cable_nothing_passes_and_the_first_that_returns_is_used(place):
    place.sh("ovs-vsctl set port bond0 bond_updelay=60000; ip link set b1 down; ip link set b2 down")
    place.wait("no member", lambda: active(place) == "none")
    place.wait("the column", lambda: place.sh("ovs-vsctl get port bond0 bond_active_slave").strip() ==
               '"00:00:00:00:00:00"')
    assert ping(place, "-c 2 -i 0.1")[0] == 2
    place.sh("ip link set b2 up")
    place.wait("a2", lambda: active(place) == "a2")  # Without waiting for the delay.
    mac = json.loads(place.sh("ip -j link show a2"))[0]["address"]
    place.wait("the column", lambda: mac in place.sh("ovs-vsctl get port bond0 bond_active_slave"))
    place.wait("pings", lambda: ping(place) == (0, False))


def test_a_short_break_within_the_delay_changes_nothing(place):
    place.sh("ovs-vsctl set port bond0 bond_mode=active-backup bond_downdelay=3000")
    old = active(place)
    cable = old.replace("a", "b")
    place.sh(f"ip link set {cable} down; sleep 0.5")
    assert "downdelay expires in" in place.sh("ovs-appctl bond/show")
    place.sh(f"ip link set {cable} up; sleep 0.2")
    assert active(place) == old
    assert "expires" not in place.sh("ovs-appctl bond/show")


def test_the_primary_is_active_whenever_it_can(place):
    for primary in ("a1", "a2"):
        place.sh(f"ovs-vsctl set port bond0 bond_mode=active-backup other_config:bond-primary={primary}")
        place.wait("the primary", lambda: active(place) == primary)
        cable = primary.replace("a", "b")
        place.sh(f"ip link set {cable} down")
        place.wait("the other", lambda: active(place) != primary)
        place.sh(f"ip link set {cable} up")
        place.wait("the primary again", lambda: active(place) == primary)


def test_slb_uses_both_members_and_rebalances(place):
    place.sh("ovs-vsctl set port bond0 bond_mode=balance-slb other_config:bond-rebalance-interval=1000")
    before = tx_packets(place, "a1"), tx_packets(place, "a2")
    for i in range(8):
        place.sh(f"ip -n h1 link set eth0 address 02:00:00:00:02:{i:02x}")
        assert ping(place, "-c 3 -i 0.1") == (0, False)
    assert tx_packets(place, "a1") - before[0] >= 3 and tx_packets(place, "a2") - before[1] >= 3
    # All buckets on one member, and load in two of them: one moves.
    place.sh("ip -n h1 link add m1 link eth0 type macvlan mode bridge && ip -n h1 addr add 10.0.0.11/24 dev m1 && "
             "ip -n h1 link set m1 up")
    client = SlowClient(place, "bond/list")
    client.lines()
    for i in range(256):
        client.ask("bond/migrate", "bond0", str(i), "a1")
        client.lines()
    place.sh("for i in eth0 m1; do ip netns exec h1 ping -q -i 0.01 -s 1400 -I $i 10.0.0.2 >/dev/null 2>&1 & "
             f"echo $!; done >{place.dir}/pings")
    place.wait("one moves",
               lambda: "rebalanced (now carrying: a1:" in place.sh(f"cat {place.dir}/ovs-vswitchd.log"), 60)
    place.sh(f"kill $(cat {place.dir}/pings); ip -n h1 link del m1; ip -n h1 link set eth0 address 02:00:00:00:01:01")


def test_balance_tcp_without_lacp_carries_nothing_but_as_active_backup(place):
    place.sh("ovs-vsctl set port bond0 bond_mode=balance-tcp")
    assert ping(place, "-c 2 -i 0.1")[0] == 2
    place.sh("ovs-vsctl set port bond0 lacp=active other_config:lacp-fallback-ab=true")
    place.wait("pings", lambda: ping(place) == (0, False))
    place.sh("ovs-vsctl clear port bond0 lacp -- set port bond0 bond_mode=active-backup")


def test_members_come_and_go(place):
    place.sh("ovs-vsctl del-bond-iface bond0 a2")
    assert "bond0" not in place.sh("ovs-appctl bond/list")
    place.wait("pings", lambda: ping(place) == (0, False))
    place.sh("ovs-vsctl add-bond-iface bond0 a2")
    assert "a1, a2" in place.sh("ovs-appctl bond/list")
    place.sh("ip link del a1")
    place.wait("a2 alone", lambda: active(place) == "a2")
    place.wait("pings", lambda: ping(place) == (0, False))
    place.sh("ip link add a1 type veth peer name b1 && ip link set a1 up && ip link set b1 up")
    place.wait("a1", lambda: "member a1: enabled" in place.sh("ovs-appctl bond/show"))


def test_the_active_member_outlives_a_restart(place):
    place.sh("ovs-vsctl set port bond0 bond_mode=active-backup")
    for wanted in ("a2", "a1"):
        place.sh(f"ovs-appctl bond/set-active-member bond0 {wanted}; sleep 0.5")
        place.kill("ovs-vswitchd")
        place.start_switch()
        place.wait("the bond", lambda: "bond0" in place.sh("ovs-appctl bond/list"))
        assert active(place) == wanted
    place.wait("pings", lambda: ping(place) == (0, False))


def test_the_fake_interface_of_a_bond_is_a_device(place):
    """ovs-vswitchd.conf.db(5), Port.bond_fake_iface."""
    place.sh("ovs-vsctl set port bond0 bond_fake_iface=true")
    assert "bond0" in place.sh("ovs-appctl dpif/show")
    place.sh("ip link set bond0 up")
    place.wait("it is up", lambda: re.search(r"bond0\).*\n +config: +0", place.sh("ovs-ofctl show br0")))
    before = packets(place, "bond0", "rx")
    place.sh("ovs-ofctl add-flow br0 in_port=p1,dl_type=0x0800,actions=bond0,normal")
    assert ping(place) == (0, False)
    assert packets(place, "bond0", "rx") - before == 5
    place.sh("ovs-ofctl del-flows br0 in_port=p1 && ovs-vsctl set port bond0 bond_fake_iface=false")
    assert place.run("ip link show bond0").returncode
    assert ping(place) == (0, False)
