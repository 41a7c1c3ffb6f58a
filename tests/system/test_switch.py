"""The whole switch with real hosts: VLANs, rules, devices that come and go, daemons that are killed.

        h1 10.0.0.1      h2 10.0.0.2      h3 10.0.0.3        network namespaces
            |eth0            |eth0            |eth0
            |p1              |p2              |p3            veth pairs
        +---+----------------+----------------+---+
        |                   br0                   |          ovs-vswitchd <- ovsdb-server
        +-----------------------------------------+

All cases use one private place (place.py); each leaves the switch as it found it."""
import re

import pytest
from place import switch_place

HOSTS = (1, 2, 3)


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(*HOSTS) as p:
        p.sh("ovs-vsctl add-br br0 " + " ".join(f"-- add-port br0 p{n}" for n in HOSTS))
        yield p


def rule_packets(place, text):
    """The packets that the flow whose line has 'text' has counted."""
    lines = [line for line in place.sh("ovs-ofctl dump-flows br0").splitlines() if text in line]
    assert len(lines) == 1, lines
    return int(re.search(r"n_packets=(\d+)", lines[0]).group(1))


def get(place, table, record, column):
    return place.sh(f"ovs-vsctl get {table} {record} {column}").strip()


def test_hosts_reach_each_other(place):
    assert all(place.pings(a, b) for a, b in ((1, 2), (2, 3), (3, 1)))
    assert len(place.sh("ovs-appctl fdb/show br0").splitlines()) >= 4


def test_access_ports_of_different_vlans_are_apart(place):
    place.sh("ovs-vsctl set port p1 tag=10 -- set port p2 tag=20 -- set port p3 tag=10")
    assert not place.pings(1, 2)
    assert place.pings(1, 3)
    place.sh("ovs-vsctl clear port p1 tag -- clear port p2 tag -- clear port p3 tag")
    assert place.pings(1, 2)


def frames_at_h3(place, *pings):
    """What h3 sees of ARP requests with VLAN tags while pings (host, address) are sent.  A host that has asked for an
    address a moment ago would wait before it asks again."""
    asks = "; ".join(f"ip -n h{host} neigh flush dev eth0; ip netns exec h{host} ping -q -c 1 -W 1 {address} >/dev/null"
                     for host, address in pings)
    return place.run("ip netns exec h3 timeout 20 tcpdump -i eth0 -n -e -l 'vlan and arp' >/tmp/seen 2>/tmp/dump &"
                     " p=$!;"
                     f"until grep -q listening /tmp/dump; do sleep 0.1; done; {asks}; sleep 0.3; kill $p; wait $p;"
                     "cat /tmp/seen").stdout


def test_a_trunk_carries_tags(place):
    place.sh("ovs-vsctl set port p1 tag=10 -- set port p2 tag=20 -- set port p3 trunks=10")
    seen = frames_at_h3(place, (1, "10.0.0.91"), (2, "10.0.0.92"))
    assert re.search(r"vlan 10,.* 10\.0\.0\.91 ", seen) and "10.0.0.92" not in seen, seen
    place.sh("ovs-vsctl set port p3 trunks=10,20")
    seen = frames_at_h3(place, (2, "10.0.0.92"))
    assert re.search(r"vlan 20,.* 10\.0\.0\.92 ", seen), seen
    place.sh("ovs-vsctl clear port p1 tag -- clear port p2 tag -- clear port p3 trunks")
    assert place.pings(2, 3)


def test_a_rule_drops_and_counts(place):
    number = get(place, "interface", "p2", "ofport")
    place.sh(f"ovs-ofctl add-flow br0 cookie=0x77,priority=100,ip,in_port={number},actions=drop")
    assert not place.pings(2, 1)
    place.wait("the counter has risen", lambda: rule_packets(place, "cookie=0x77") >= 3)
    first = rule_packets(place, "cookie=0x77")
    assert not place.pings(2, 1)
    place.wait("and rises", lambda: rule_packets(place, "cookie=0x77") >= first + 3)
    place.sh("ovs-ofctl del-flows br0 cookie=0x77/-1")
    assert place.pings(2, 1)


def test_a_device_that_is_deleted_and_made_again_works_again(place):
    place.sh("ip link del p2 && ip netns del h2")
    place.wait("the loss is shown", lambda: "p2" in get(place, "interface", "p2", "error"))
    assert place.pings(1, 3), "the others go on"
    place.host(2)
    place.wait("it is back", lambda: get(place, "interface", "p2", "error") == "[]")
    place.wait("it carries", lambda: place.pings(1, 2), 5)


def test_link_state_follows_the_device(place):
    assert get(place, "interface", "p1", "link_state") == "up"
    place.sh("ip -n h1 link set eth0 down")
    place.wait("link_state down", lambda: get(place, "interface", "p1", "link_state") == "down")
    place.sh("ip -n h1 link set eth0 up")
    place.wait("link_state up", lambda: get(place, "interface", "p1", "link_state") == "up")
    place.sh("ip link set p1 down")
    place.wait("admin_state down", lambda: get(place, "interface", "p1", "admin_state") == "down")
    place.sh("ip link set p1 up")
    place.wait("admin_state up", lambda: get(place, "interface", "p1", "admin_state") == "up")
    place.wait("it carries again", lambda: place.pings(1, 2), 5)


def test_the_switch_recovers_from_kill_9(place):
    devices = place.sh("ip -o link | cut -d: -f2 | sort")
    place.kill("ovs-vswitchd")
    place.start_switch()
    place.wait("traffic flows again", lambda: place.pings(1, 2))
    assert place.sh("ip -o link | cut -d: -f2 | sort") == devices, "no device is left over and none is missing"
    assert get(place, "interface", "p1", "error") == "[]"


def test_the_switch_forwards_while_the_database_is_dead(place):
    place.kill("ovsdb-server")
    assert place.pings(1, 2)
    place.start_database()
    place.sh("ovs-vsctl --timeout=20 set port p1 tag=10")
    place.wait("the change works", lambda: not place.pings(1, 2))
    place.sh("ovs-vsctl --timeout=20 clear port p1 tag")
    place.wait("and its end", lambda: place.pings(1, 2))


def test_a_device_that_never_existed_is_reported(place):
    done = place.run("ovs-vsctl --timeout=10 add-port br0 nothere")
    assert "nothere" in done.stderr
    assert "nothere" in get(place, "interface", "nothere", "error")
    assert get(place, "interface", "nothere", "ofport") == "-1"
    assert place.pings(1, 2)
    place.sh("ovs-vsctl del-port br0 nothere")


def test_patch_ports_join_two_bridges(place):
    place.sh("ovs-vsctl del-port p3 -- add-br br1 -- add-port br1 p3"
             " -- add-port br0 a -- set interface a type=patch options:peer=b"
             " -- add-port br1 b -- set interface b type=patch options:peer=a")
    assert place.pings(1, 3)
    place.sh("ovs-vsctl del-port b")
    assert not place.pings(1, 3)
    place.sh("ovs-vsctl del-br br1 -- del-port a -- add-port br0 p3")
    assert place.pings(1, 3)


def test_a_secure_bridge_without_flows_carries_nothing(place):
    place.sh("ovs-vsctl set-fail-mode br0 secure && ovs-ofctl del-flows br0")
    assert not place.pings(1, 2)
    place.sh("ovs-ofctl add-flow br0 actions=NORMAL")
    assert place.pings(1, 2)
    place.sh("ovs-vsctl del-fail-mode br0")


def test_the_internal_port_is_a_device_of_the_host(place):
    place.sh("ovs-vsctl add-port br0 int0 -- set interface int0 type=internal mac='\"02:00:00:00:00:77\"'")
    assert "02:00:00:00:00:77" in place.sh("ip link show int0")
    place.sh("ip addr add 10.0.0.77/24 dev int0 && ip link set int0 up && ping -q -c 2 -i 0.2 -W 1 10.0.0.1")
    place.sh("ovs-vsctl del-port int0")
    assert place.run("ip link show int0").returncode != 0


def test_normal_operation_warns_of_nothing_unexpected(place):
    # What the cases above did on purpose: devices missing, the database away.
    expected = re.compile(r"nothere|p2|db\.sock|patch|\bb\b")
    lines = place.sh("cat /tmp/d/ovs-vswitchd.log").splitlines()
    assert [line for line in lines if re.search(r"\|(WARN|ERR|EMER)\|", line) and not expected.search(line)] == []


def test_exit_with_cleanup_leaves_no_device(place):
    pid = place.sh("cat /tmp/d/ovs-vswitchd.pid").strip()
    place.sh(f"ovs-appctl exit --cleanup && while [ -d /proc/{pid} ]; do sleep 0.05; done")
    assert place.run("ip link show br0").returncode != 0
    # The socket of the one that was killed stays; the one that exits takes its own along.
    assert place.run(f"ls /tmp/d/ovs-vswitchd.pid /tmp/d/ovs-vswitchd.{pid}.ctl").stdout == ""
