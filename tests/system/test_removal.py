"""What goes while megaflows still name it.  On the dummy datapath; nothing is looked at again while the revalidator is
paused, so that none of this depends on time."""
import re

import pytest
from place import DAEMON, Place, switch_place

UDP = ("in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,"
       "proto=17,tos=0,ttl=64,frag=no),udp(src=8,dst={})")


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(options=["--enable-dummy=override"]) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure")
        for n in (1, 2):
            p.sh(f"ovs-vsctl add-port br0 p{n} -- set interface p{n} ofport_request={n}")
        yield p


def meter_of(place, port):
    """The datapath's number of the meter that packets to this UDP port go through."""
    place.sh(f"ovs-appctl netdev-dummy/receive p1 '{UDP.format(port)}'")
    flows = place.sh("ovs-appctl dpctl/dump-flows").splitlines()
    return int(re.search(r"meter\((\d+)\)", next(f for f in flows if f"dst={port})" in f))[1])


def add_meter(place, n):
    place.sh(f"ovs-ofctl -O OpenFlow13 add-meter br0 meter={n},pktps,bands=type=drop,rate=1000")
    place.sh(f"ovs-ofctl -O OpenFlow13 add-flow br0 udp,tp_dst={n},actions=meter:{n},output:2")
    return meter_of(place, n)


def test_the_number_of_a_deleted_meter_is_kept_from_others_while_megaflows_may_name_it(place):
    first = add_meter(place, 1)
    place.sh("ovs-appctl revalidator/pause")
    place.sh("ovs-ofctl -O OpenFlow13 del-meter br0 meter=1")
    second = add_meter(place, 2)
    assert second != first
    place.sh("ovs-appctl revalidator/resume")
    # Two: the first may have begun before the meter went.
    place.sh("ovs-appctl revalidator/wait")
    n = 3
    while add_meter(place, n) != first:  # When the main loop was told is its own affair.
        n += 1
        assert n < 1000
    place.sh("ovs-ofctl -O OpenFlow13 del-meters br0")


def test_a_bridge_and_a_datapath_are_removed_and_made_again(place):
    for i in range(10):
        place.sh("ovs-vsctl add-br br1 -- set bridge br1 fail_mode=standalone -- add-port br1 q1 -- add-port br1 q2")
        place.sh(f"ovs-appctl netdev-dummy/receive q1 '{UDP.format(i)}'")
        if i % 2:
            place.sh("ovs-appctl revalidator/pause")
        place.sh("ovs-vsctl del-br br1")
        assert "br1" not in place.sh("ovs-appctl ofproto/list")
        place.sh("ovs-appctl revalidator/resume")
    # The last one of its datapath.
    for i in range(10):
        place.sh("ovs-vsctl del-br br0")
        place.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=standalone -- add-port br0 p1 -- add-port br0 p2")
        place.sh(f"ovs-appctl netdev-dummy/receive p1 '{UDP.format(i)}'")
        place.sh("ovs-vsctl del-br br0")
        assert place.sh("ovs-appctl dpif/show") == ""
        place.sh("ovs-vsctl add-br br0")


def turns_of_reconciling(place):
    return int(place.sh("ovs-appctl coverage/read-counter reconcile_turns"))


def test_many_ports_go_over_many_turns_and_may_come_to_another_bridge_in_the_same_transaction(place):
    n = 300
    ports = [f"m{i}" for i in range(n)]
    place.sh("ovs-vsctl add-br br2 -- add-br br4 " + " ".join(f"-- add-port br2 {port}" for port in ports))
    turns = turns_of_reconciling(place)
    place.sh("ovs-vsctl del-br br2 -- add-br br3 " + " ".join(f"-- add-port br3 {port}" for port in ports))
    assert turns_of_reconciling(place) > turns
    shown = place.sh("ovs-appctl dpif/show")
    assert "br2" not in shown and all(f"{port} " in shown.split("br3:")[1] for port in ports)
    assert sorted(place.sh("ovs-ofctl show br3 | grep -o '(m[0-9]*)' | tr -d '()'").split()) == sorted(ports)
    turns = turns_of_reconciling(place)
    place.sh("ovs-vsctl " + " -- ".join(f"del-port br3 {port}" for port in ports[1:]))
    assert turns_of_reconciling(place) > turns
    assert re.findall(r"\bm\d+\b", place.sh("ovs-appctl dpif/show")) == ["m0"]
    place.sh("ovs-vsctl del-br br3 -- del-br br4")
    assert not re.search("br[34]", place.sh("ovs-appctl dpif/show"))


ENDS = {"exit": "ovs-appctl exit", "cleanup": "ovs-appctl exit --cleanup", "signal": "kill $(cat {0}/ovs-vswitchd.pid)"}


@pytest.fixture(name="leaver")
def fixture_leaver():
    """A switch that ends as a release build does, whatever the build; its exit status goes to the file "status"."""
    p = Place()
    p.env["WEFT_LEAVES_MEMORY"] = "1"
    p.env["ASAN_OPTIONS"] = f"{p.env.get('ASAN_OPTIONS', '')}:detect_leaks=0"
    try:
        p.start_database()
        options = f"--enable-dummy=override {DAEMON.replace('--detach', '')}"
        p.sh(f"(ovs-vswitchd unix:{p.dir}/db.sock {options} 2>{p.dir}/errors; echo $? >{p.dir}/status) "
             ">/dev/null 2>&1 &")
        p.wait("the switch is there", lambda: not p.run("ovs-appctl version").returncode, 60)
        yield p
    finally:
        p.leave()


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("paused", [False, True])
def test_the_end_leaves_memory_and_nothing_undone(leaver, how, paused):
    for br, ports in (("br0", ("p1", "p2")), ("br1", ("q1", "q2"))):
        leaver.sh(f"ovs-vsctl add-br {br} -- set bridge {br} fail_mode=secure")
        for n, port in enumerate(ports, 1):
            leaver.sh(f"ovs-vsctl add-port {br} {port} -- set interface {port} ofport_request={n}")
        leaver.sh(f"ovs-ofctl -O OpenFlow13 add-meter {br} meter=1,pktps,bands=type=drop,rate=1000 &&"
                  f"ovs-ofctl -O OpenFlow13 add-group {br} group_id=1,type=all,bucket=output:2 &&"
                  f"ovs-ofctl -O OpenFlow13 add-flow {br} actions=meter:1,group:1")
        for n in range(20):
            leaver.sh(f"ovs-appctl netdev-dummy/receive {ports[0]} '{UDP.format(n)}'")
    if paused:
        leaver.sh("ovs-appctl revalidator/pause")
    leaver.sh("ovs-vsctl del-br br1")  # Of which megaflows are left, if nothing looks at them.
    leaver.sh(ENDS[how].format(leaver.dir))
    leaver.wait("the program has ended", lambda: not leaver.run(f"test -s {leaver.dir}/status").returncode, 60)
    assert leaver.sh(f"cat {leaver.dir}/errors {leaver.dir}/status | grep -v '|INFO|'") == "0\n"
    log = leaver.sh(f"cat {leaver.dir}/ovs-vswitchd.log")
    assert not re.search(r"\|(ERR|EMER)\|", log), log
