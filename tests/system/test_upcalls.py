"""Upcalls of each port, as upcall/show-ports tells them.  On the dummy datapath, so that none of it depends on time."""
import re

import pytest
from place import doubt_after_slow_sweep, switch_place

UDP = ("in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,"
       "proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst={})")


@pytest.fixture(name="place")
def fixture_place():
    with switch_place(options=["--enable-dummy=override"]) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure")
        for n in (1, 2, 3):
            p.sh(f"ovs-vsctl add-port br0 p{n} -- set interface p{n} ofport_request={n}")
        yield p


def receive(place, port, *numbers):
    place.sh(f"ovs-appctl netdev-dummy/receive {port} {' '.join(repr(UDP.format(n)) for n in numbers)}")


def counts(place, port):
    """What is shown of a port: its line of upcalls, and the others."""
    text = place.sh("ovs-appctl upcall/show-ports")
    of_port = re.search(rf"^  (?:port \d+: {port} \(br0\)|{port}:)\n((?:    .*\n)*)", text, re.M)
    assert of_port, text
    return [re.sub(" +", " ", line).strip() for line in of_port[1].splitlines()]


def test_a_port_that_storms_is_told_from_the_others(place):
    place.sh("ovs-ofctl add-flow br0 udp,tp_dst=7000,actions=controller")
    place.sh("ovs-appctl upcall/disable-megaflows")  # Each packet is a question then.
    for n in range(10000, 10400, 50):
        receive(place, "p1", *range(n, n + 50))
    receive(place, "p2", 6, 7000)
    assert counts(place, "p1") == ["upcalls : (miss 400) (userspace 0) (slow path 0)"]
    assert counts(place, "p2") == ["upcalls : (miss 2) (userspace 1) (slow path 0)"]
    assert counts(place, "p3") == ["upcalls : (miss 0) (userspace 0) (slow path 0)"]


def test_what_is_refused_is_counted_by_reason(place):
    place.sh("ovs-vsctl set open . other_config:flow-restore-wait=true")
    receive(place, "p1", 1, 2, 3)
    assert counts(place, "p1") == ["upcalls : (miss 3) (userspace 0) (slow path 0)",
                                   "refused : 3, flows are still to be restored",
                                   "lost : 3, the switch did not answer a miss"]
    assert len(counts(place, "p2")) == 1
    place.sh("ovs-vsctl set open . other_config:flow-restore-wait=false")
    receive(place, "p1", 4)
    assert counts(place, "p1")[:2] == ["upcalls : (miss 4) (userspace 0) (slow path 0)",
                                       "refused : 3, flows are still to be restored"]
    assert counts(place, "no port of a bridge") == ["upcalls : (miss 0) (userspace 0) (slow path 0)"]


def test_where_sweeps_are_slow_stale_megaflows_that_carry_little_go(place):
    """ovs-vswitchd.conf.db(5), Open_vSwitch.other_config:min-revalidate-pps."""
    def n_flows():
        return int(re.search(r"current (\d+)", place.sh("ovs-appctl upcall/show"))[1])

    def they_go():
        doubt_after_slow_sweep(place, ["min-revalidate-pps=1"])
        return n_flows() < n / 10

    place.sh("ovs-vsctl set open . other_config:max-idle=600000 other_config:max-revalidator=600001")
    place.sh("ovs-ofctl add-flow br0 'actions=multipath(symmetric_l3l4+udp,50,modulo_n,1,0,NXM_NX_REG0[]),p2'")
    for n in range(1, 60001, 500):
        receive(place, "p1", *range(n, n + 500))
    n = n_flows()
    assert n > 50000
    place.sh("ovs-vsctl set port p3 tag=1 && ovs-appctl revalidator/wait")
    assert n_flows() == n  # Renewed, though they are idle.
    doubt_after_slow_sweep(place, ["min-revalidate-pps=0"])
    assert n_flows() == n  # None carries too little.
    place.wait("they go", they_go, 120)
    receive(place, "p1", 5, 6)
    assert n_flows() >= 2
