"""Packets of dpdk ports: whom they are shared with, and what the settings make of that."""
import re

import pytest
from place import switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(prepare="ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true") as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev")
        yield p


@pytest.fixture(name="ports")
def fixture_ports(place):
    """Adds ports without packets of their own; removes them, and the settings."""
    names = []

    def add(name, mtu=1500):
        place.sh(f"ovs-vsctl --timeout=30 add-port br0 {name} -- set interface {name} type=dpdk mtu_request={mtu}"
                 f" options:dpdk-devargs=net_null{len(names)},no-rx=1")
        names.append(name)
        return pool(place, name)

    yield add
    for name in names:
        place.sh(f"ovs-vsctl --timeout=30 del-port {name}")
    place.sh("ovs-vsctl remove Open_vSwitch . other_config per-port-memory"
             " -- remove Open_vSwitch . other_config shared-mempool-config")


def pool(place, port):
    """Name, number of packets, and the room of one."""
    info = place.sh(f"ovs-appctl netdev-dpdk/get-mempool-info {port}")
    return re.search(r"mempool <(\w+)>@", info)[1], int(re.search(r" size=(\d+)", info)[1]), int(
        re.search(r"elt_size=(\d+)", info)[1])


def said(place):
    return place.sh(f"cat {place.dir}/ovs-vswitchd.log")


def test_ports_with_like_mtus_share_packets(place, ports):
    a, b, c = ports("a"), ports("b", 1800), ports("c", 9000)
    assert a == b and c[0] != a[0] and c[2] > a[2]
    place.sh("ovs-vsctl --timeout=30 set interface b mtu_request=9000")
    assert pool(place, "b") == c and pool(place, "a") == a
    d = ports("d")
    assert d == a  # The share that b has given back.
    assert ports("e")[0] != a[0]  # There is none left.


def test_each_port_has_its_own(place, ports):
    place.sh("ovs-vsctl set Open_vSwitch . other_config:per-port-memory=true")
    assert ports("a")[0] != ports("b")[0]
    assert "Per port memory for DPDK devices enabled." in said(place)


def test_mtus_that_are_rounded(place, ports):
    place.sh("ovs-vsctl set Open_vSwitch . 'other_config:shared-mempool-config=\"9000:1,6000,3000:0\"'")
    a, b, c = ports("a"), ports("b", 3000), ports("c", 5000)
    assert a == b and c[2] - a[2] == 3072
    place.sh("ovs-vsctl --timeout=30 set interface c mtu_request=9000")  # On this node: none of them.
    assert pool(place, "c")[2] > c[2]
    for line in ("MTU 9000, NUMA 1.", "MTU 6000, NUMA ALL.", "MTU 3000, NUMA 0."):
        assert f"User configured shared mempool set for: {line}" in said(place)
    place.sh("ovs-vsctl set Open_vSwitch . other_config:shared-mempool-config=6000:-1")
    assert "Invalid user configured shared mempool NUMA." in said(place)
    assert "User configured shared mempools will not be used." in said(place)
