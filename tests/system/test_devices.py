"""Devices under a running switch, with traffic: they vanish, return, change their names, exist already, never existed.

    h1 ---- p1 [ br0 ] p2 ---- h2
            10.0.0.1 | 10.0.0.2
                    br0 (internal), 10.0.0.9
"""
import re

import pytest
from place import column, two_hosts


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with two_hosts() as p:
        p.sh("ip addr add 10.0.0.9/24 dev br0 && ip link set br0 up")
        yield p


def pings(place, count=3):
    """How many of 'count' pings from h1 to h2 come back; neighbours are asked for anew."""
    place.run("ip -n h1 neigh flush all")
    out = place.run(f"ip netns exec h1 ping -c {count} -i 0.2 -W 1 10.0.0.2").stdout
    return int(re.search(r"(\d+) received", out).group(1))


def host_device(place, n):
    """Makes host n's device anew."""
    place.sh(f"ip link add p{n} type veth peer name eth0 netns h{n} && ip link set p{n} up && "
             f"ip -n h{n} addr add 10.0.0.{n}/24 dev eth0 && ip -n h{n} link set eth0 up")


def test_hosts_and_the_bridge_itself_talk(place):
    assert pings(place) == 3
    assert ", 0% packet loss" in place.sh("ping -c 3 -i 0.2 -W 2 10.0.0.1")
    assert column(place, "p1", "link_state") == "up"
    assert column(place, "p1", "status:driver_name") == "veth"


def test_tcp_passes_with_default_offloads_in_both_directions(place):
    ways = (("ip netns exec h1", ""), ("ip netns exec h1", "-R"), ("", ""), ("", "-R"))
    for port, (where, options) in enumerate(ways, 5201):  # A server that ends one test late is busy with it.
        place.sh(f"ip netns exec h2 iperf3 -s -D -p {port}")
        place.wait("the server", lambda p=port: f":{p} " in place.sh("ip netns exec h2 ss -ltn"))
        out = place.sh(f"{where} iperf3 -f m -p {port} -c {'10.0.0.2'} -t 1 {options}", timeout=30)
        assert float(re.search(r"([\d.]+) Mbits/sec.*receiver", out).group(1)) > 20
    place.sh("pkill -x iperf3")


def test_a_port_without_device_says_so_and_harms_no_other(place):
    place.run("ovs-vsctl --timeout=5 add-port br0 nothing")
    assert column(place, "nothing", "error") == '"could not open network device nothing (No such device)"'
    assert pings(place) == 3
    place.sh("ovs-vsctl del-port nothing")


def test_hosts_of_a_bridge_that_goes_are_forgotten_by_others(place):
    """Like those of a port that goes; the reference's switch mostly keeps them."""
    place.sh("ovs-vsctl add-br b1 -- add-br b2"
             " -- add-port b1 q1 -- set interface q1 type=patch options:peer=q2"
             " -- add-port b2 q2 -- set interface q2 type=patch options:peer=q1")
    frame = "ffffffffffff50540000000288b5" + "00" * 46
    place.sh(f"ovs-ofctl packet-out b1 in_port=LOCAL,packet={frame},actions=NORMAL")
    assert "50:54:00:00:00:02" in place.sh("ovs-appctl fdb/show b2")
    place.sh("ovs-vsctl del-br b1")
    assert "50:54" not in place.sh("ovs-appctl fdb/show b2")
    place.sh("ovs-vsctl del-br b2")


@pytest.mark.parametrize("number", ["any", "the same"])
def test_a_device_that_vanishes_is_reported_and_returns_to_service(place, number):
    place.sh(f"ovs-vsctl set interface p2 ofport_request={2 if number == 'the same' else '[]'}")
    assert pings(place) == 3
    place.sh("ip link del p2")
    place.wait("the error", lambda: "No such device" in column(place, "p2", "error"))
    assert not re.search(r"^ *2 ", place.sh("ovs-appctl fdb/show br0"), re.M)
    assert pings(place, 1) == 0
    host_device(place, 2)
    place.wait("the device's return", lambda: column(place, "p2", "error") == "[]")
    assert pings(place) == 3


def test_a_device_that_is_renamed_counts_as_gone(place):
    place.sh("ip link set p2 down && ip link set p2 name q2 && ip link set q2 up")
    place.wait("the error", lambda: "No such device" in column(place, "p2", "error"))
    place.sh("ip link set q2 down && ip link set q2 name p2 && ip link set p2 up")
    place.wait("the device's return", lambda: column(place, "p2", "error") == "[]")
    assert pings(place) == 3


def test_an_internal_port_is_made_with_its_mac_and_made_again(place):
    place.sh("ovs-vsctl add-port br0 int0 -- set interface int0 type=internal mac=\\\"02:00:00:00:00:77\\\"")
    assert "02:00:00:00:00:77" in place.sh("ip link show int0")
    place.sh("ip link del int0")
    place.wait("the device", lambda: place.run("ip link show int0").returncode == 0)
    place.wait("its address", lambda: "02:00:00:00:00:77" in place.run("ip link show int0").stdout)
    place.sh("ovs-vsctl del-port int0")
    assert place.run("ip link show int0").returncode != 0


def test_a_name_that_is_in_use_is_refused_with_the_reason(place):
    place.sh("ip link add busy type veth peer name busy2")
    place.run("ovs-vsctl --timeout=5 add-port br0 busy -- set interface busy type=internal")
    assert column(place, "busy", "error") != "[]"
    place.sh("ovs-vsctl del-port busy && ip link del busy")


def test_carrier_and_mtu_reach_the_database(place):
    place.sh("ip -n h2 link set eth0 down")
    place.wait("no carrier", lambda: column(place, "p2", "link_state") == "down")
    place.sh("ip -n h2 link set eth0 up")
    place.wait("carrier", lambda: column(place, "p2", "link_state") == "up")
    place.sh("ip link set p1 mtu 1400")
    place.wait("the MTU", lambda: column(place, "p1", "mtu") == "1400")
    place.sh("ovs-vsctl set interface p1 mtu_request=1500")
    place.wait("the MTU", lambda: "mtu 1500" in place.sh("ip link show p1"))


def test_a_switch_that_does_nothing_costs_nothing(place):
    def ticks():
        pid = place.sh(f"cat {place.dir}/ovs-vswitchd.pid").strip()
        fields = place.sh(f"cat /proc/{pid}/stat").rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    place.sh("sleep 3")
    assert ticks() - before <= 30  # 10 % of a CPU, also with sanitizers on a busy machine.
