"""ovs-dpctl on the datapath of a running switch, and on one made by hand.

    h1 ---- p1 [ br0 ] p2 ---- h2          (system@ovs-system)
    h3 ---- p3 [ x1  ] p4 ---- h4          (netdev@x1, flows by hand)
"""
import re

import pytest
from place import switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2, 3, 4, levels="WARN|ERR|EMER") as p:
        p.sh("ovs-vsctl add-br br0 -- add-port br0 p1 -- add-port br0 p2")
        yield p


def test_show_and_dumps_tell_what_the_switch_does(place):
    assert place.pings(1, 2)
    assert place.sh("ovs-dpctl dump-dps") == "system@ovs-system\n"
    shown = place.sh("ovs-dpctl show")
    assert re.search(r"^system@ovs-system:\n  lookups: hit:\d+ missed:\d+ lost:0\n  flows: \d+\n", shown)
    assert re.search(r"port \d+: br0 \(internal\)\n", shown) and re.search(r"port \d+: p1\n", shown)
    assert re.search(r"port \d+: p1\n    RX packets:[1-9]\d* errors:0 dropped:0", place.sh("ovs-dpctl show -s"))
    flows = place.sh("ovs-dpctl --names dump-flows filter=icmp")
    assert re.search(r"in_port\(p1\),.*packets:\d+, bytes:\d+, used:[\d.]+s, actions:p2", flows)
    assert "icmp" not in place.sh("ovs-dpctl dump-flows filter=arp")
    assert place.sh("ovs-dpctl dump-flows") != ""
    assert place.sh("ovs-dpctl dump-flows type=offloaded") == ""
    assert place.sh("ovs-dpctl cache-get-size") == "system@ovs-system:\n"


def test_what_belongs_to_the_switch_is_left_alone(place):
    for command in ("add-if ovs-system p3", "del-if ovs-system p1", "set-if ovs-system p1,a=b", "del-dp ovs-system"):
        done = place.run("ovs-dpctl " + command)
        assert done.returncode == 1
        assert done.stderr == ("ovs-dpctl: system@ovs-system belongs to the switch, which ovs-vsctl configures "
                               "(Device or resource busy)\n")
    assert place.pings(1, 2)


@pytest.fixture(name="by_hand")
def fixture_by_hand(place):
    """The datapath x1; whatever the test does, it is gone after it."""
    place.sh("ovs-dpctl add-dp netdev@x1 p3,port_no=3 p4,port_no=4")
    yield
    if "netdev@x1" in place.sh("ovs-dpctl dump-dps"):
        place.sh("ovs-dpctl del-dp netdev@x1")


@pytest.mark.usefixtures("by_hand")
def test_a_datapath_by_hand_carries_what_its_flows_say(place):
    assert re.search(r"port 0: x1 \(tap\)\n  port 3: p3\n  port 4: p4\n", place.sh("ovs-dpctl show netdev@x1"))
    assert not place.pings(3, 4)
    place.sh("printf 'in_port(3),eth() 4\\nadd in_port(4),eth() 3\\n' | ovs-dpctl add-flows netdev@x1 -")
    # For seconds h3 may still hold that there is no h4, since the pings before.
    place.wait("pings", lambda: place.pings(3, 4), 30)
    flow = place.sh("ovs-dpctl dump-flows netdev@x1 filter=in_port=3")
    assert int(re.search(r"packets:(\d+)", flow).group(1)) >= 3
    counters = place.sh("ovs-dpctl -s --clear mod-flow netdev@x1 'in_port(3),eth()' drop")
    assert re.match(r"packets:[1-9]\d*, bytes:\d+, used:[\d.]+s", counters)
    assert "packets:0, bytes:0" in place.sh("ovs-dpctl dump-flows netdev@x1 filter=in_port=3")
    assert not place.pings(3, 4)
    ufid = re.search(r"ufid:[-0-9a-f]+", place.sh("ovs-dpctl -m dump-flows netdev@x1 filter=in_port=4")).group(0)
    assert "in_port(4),eth()" in place.sh(f"ovs-dpctl get-flow netdev@x1 {ufid}")
    place.sh(f"ovs-dpctl del-flow netdev@x1 {ufid}")
    assert place.run(f"ovs-dpctl get-flow netdev@x1 {ufid}").stderr == \
        "ovs-dpctl: getting flow (No such file or directory)\n"
    place.sh("ovs-dpctl add-flow netdev@x1 'in_port(4),eth()' 3")
    place.sh(f"echo 'in_port(4),eth() drop' > {place.dir}/flows && ovs-dpctl mod-flows netdev@x1 {place.dir}/flows")
    assert "actions:drop" in place.sh("ovs-dpctl dump-flows netdev@x1 filter=in_port=4")
    place.sh("ovs-dpctl del-flows netdev@x1")
    assert place.sh("ovs-dpctl dump-flows netdev@x1") == ""
    place.sh("ovs-dpctl del-if netdev@x1 p3")
    assert "p3" not in place.sh("ovs-dpctl show netdev@x1")
    place.sh("ovs-dpctl add-if netdev@x1 p3 && ovs-dpctl set-if netdev@x1 p3,n_rxq=1 && ovs-dpctl del-dp netdev@x1")
    assert place.sh("ovs-dpctl dump-dps") == "system@ovs-system\n"
    assert place.run("ip link show x1").returncode != 0
    assert place.pings(1, 2)


def test_connection_tracking_is_asked_of_the_switch_in_use(place):
    assert place.sh("ovs-dpctl ct-get-maxconns") == "3000000\n"
    assert place.sh("ovs-dpctl flush-conntrack && ovs-dpctl dump-conntrack") == ""
    assert "Fragmentation Module Status" in place.sh("ovs-dpctl ipf-get-status")


def test_there_are_no_caches_and_offloads_to_set(place):
    assert place.run("ovs-dpctl cache-set-size ovs-system masks-cache 10").stderr == \
        "ovs-dpctl: Setting caches not supported (Operation not supported)\n"
    assert place.run("ovs-dpctl offload-stats-show").stderr == \
        "ovs-dpctl: retrieving offload statistics (Invalid argument)\n"


def test_read_only_and_wrong_use(place):
    assert place.run("ovs-dpctl --read-only del-flows").stderr == \
        "ovs-dpctl: 'del-flows' command does not work in read only mode\n"
    assert place.run("ovs-dpctl add-flows /nosuch").stdout == \
        "ovs-dpctl: Opening file \"/nosuch\" failed (No such file or directory)\n"
    assert place.run("ovs-dpctl parse-actions 'nosuch('").returncode == 1
    assert place.sh("ovs-dpctl parse-actions 'push_vlan(vid=5,pcp=0),2'") == "push_vlan(vid=5,pcp=0),2\n"


def test_the_copy_of_standard_input_goes_also_when_there_is_no_daemon(place):
    done = place.run("echo x | OVS_RUNDIR=/tmp/nobody ovs-dpctl add-flows dp -")
    assert done.returncode and "/tmp/nobody" in done.stderr
    assert place.sh("ls /tmp | grep ovs-dpctl || true") == ""
