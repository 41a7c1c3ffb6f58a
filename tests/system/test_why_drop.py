"""ovs-appctl why-drop with real traffic.

    h1 ---- p1 [ br0 ] p2 ---- h2
            10.0.0.1 | 10.0.0.2
"""
import re

import pytest
from place import switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2) as p:
        for n in (1, 2):
            p.sh(f"ip netns exec h{n} ip neigh add 10.0.0.{3 - n} lladdr 02:00:00:00:01:0{3 - n} dev eth0")
            p.sh(f"ip netns exec h{n} sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1")
        p.sh("ip netns exec h1 ip neigh add 10.0.0.3 lladdr 02:00:00:00:01:03 dev eth0")
        yield p


@pytest.fixture(name="bridge", autouse=True)
def fixture_bridge(place):
    """A new bridge for each test: a bridge counts from its beginning."""
    place.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure -- add-port br0 p1 -- "
             "add-port br0 p2")
    yield
    place.sh("ovs-vsctl --if-exists del-br br0 -- --if-exists del-br br1")


def flows(place, *lines):
    place.sh("ovs-ofctl --bundle -O OpenFlow14 add-flows br0 - <<EOF\n" + "\n".join(lines) + "\nEOF")


def send(place, n, to="10.0.0.2", host=1, options=""):
    """n echo requests; their answers do not count here."""
    place.run(f"ip netns exec h{host} ping -q -c {n} -i 0.01 -W 0.1 {options} {to}")


class Reason:
    def __init__(self, text):
        head, *rest = text.splitlines()
        m = re.match(r"(\d+) packets?(?:, (\d+) bytes, last ([0-9.]+) s ago)?: (.*)$", head)
        assert m, text
        self.n, self.why = int(m[1]), m[4]
        self.n_bytes = int(m[2]) if m[2] else None
        self.age = float(m[3]) if m[3] else None
        self.place = rest[0].strip() if rest else ""
        self.trace = "\n".join(rest[2:]) if len(rest) > 1 else ""


def reasons(place, *args):
    """What why-drop says, but for the counters of devices."""
    text = place.sh("ovs-appctl why-drop " + " ".join(f"'{a}'" for a in args))
    if text == "No packets were dropped.\n":
        return []
    return [Reason(t) for t in re.split(r"\n(?=\d+ packet)", text.rstrip("\n")) if "the device" not in t]


def test_nothing_was_dropped(place):
    flows(place, "actions=normal")
    assert place.pings(1, 2)
    assert reasons(place, "br0") == []
    assert place.sh("ovs-appctl why-drop br0 ip") == "No packets were dropped.\n"


def test_each_flow_that_drops_is_a_reason_with_its_count_and_last_packet(place):
    flows(place, "table=0,priority=10,in_port=p1,icmp,actions=resubmit(,5)", "table=0,priority=1,actions=normal",
          "table=5,cookie=0x77,priority=9,ip,nw_dst=10.0.0.2,actions=drop",
          "table=5,cookie=0x78,priority=9,ip,nw_dst=10.0.0.3,actions=drop")
    send(place, 20)
    send(place, 7, "10.0.0.3")
    a, b = reasons(place, "br0")
    assert (a.n, a.n_bytes, a.why) == (20, 20 * 98, "the flow says drop")
    assert a.place == "bridge=br0, in_port=p1, table=5, cookie=0x77, priority=9,ip,nw_dst=10.0.0.2"
    assert (b.n, b.n_bytes) == (7, 7 * 98)
    assert b.place == "bridge=br0, in_port=p1, table=5, cookie=0x78, priority=9,ip,nw_dst=10.0.0.3"
    assert "nw_dst=10.0.0.3" in b.trace and "dl_src=02:00:00:00:01:01" in b.trace
    assert re.search(r"5\. ip,nw_dst=10\.0\.0\.3, priority 9, cookie 0x78\n +drop", b.trace), b.trace
    assert "Datapath actions: drop" in b.trace
    assert b.age < 30


def test_counts_go_on_and_outlive_the_flow(place):
    flows(place, "cookie=0x5,in_port=p1,actions=drop")
    send(place, 3)
    send(place, 4)
    assert [r.n for r in reasons(place, "br0")] == [7]
    place.sh("ovs-ofctl del-flows br0")
    send(place, 2)
    a, b = reasons(place)
    assert (a.n, a.why) == (7, "the flow says drop") and "cookie=0x5" in a.place
    assert (b.n, b.why, b.place) == (2, "no flow matches it", "bridge=br0, in_port=p1, table=0")


@pytest.mark.parametrize("flow, why, where", [
    ("actions=output:99", "the output port does not exist", "table=0"),
    ("actions=output:1", "the output port is the port that it came in on", "table=0"),
    ("actions=resubmit(,7)", "no flow matches it", "table=7"),
    ("actions=load:1->NXM_NX_REG0[]", "the flows send it nowhere", "table=0"),
    ("actions=ct(commit)", "the flows send it nowhere", "table=0"),
    ("actions=resubmit(,0)", "Recursion too deep", "table=0"),
    ("actions=pop:NXM_NX_REG0[]", "the stack has underflown", "table=0"),
])
def test_reasons_of_the_pipeline(place, flow, why, where):
    place.sh(f"ovs-ofctl add-flow br0 'in_port=1,icmp,{flow}'")
    send(place, 5)
    (r,) = reasons(place, "br0")
    assert (r.n, r.why) == (5, why)
    assert where in r.place and "in_port=p1" in r.place


def test_reasons_of_ports_and_vlans(place):
    place.sh("ovs-ofctl add-flow br0 actions=normal")
    place.sh("ovs-vsctl set port p1 trunks=10")
    send(place, 4)
    (r,) = reasons(place, "br0")
    assert (r.n, r.why) == (4, "NORMAL: the port does not take its VLAN")
    place.sh("ovs-vsctl clear port p1 trunks -- set port p1 protected=true -- set port p2 protected=true")
    place.sh("ovs-appctl fdb/add br0 p2 0 02:00:00:00:01:02")
    send(place, 3)
    assert (3, "NORMAL: both ports are protected") in [(r.n, r.why) for r in reasons(place, "br0")]
    place.sh("ovs-vsctl set port p1 protected=false -- set port p2 protected=false")
    place.sh("ovs-appctl fdb/add br0 p2 0 02:00:00:00:01:02")
    place.sh("ovs-ofctl mod-port br0 p2 no-forward")
    send(place, 2)
    assert (2, "the output port is configured not to forward") in [(r.n, r.why) for r in reasons(place, "br0")]


def test_a_group_without_a_live_bucket(place):
    place.sh("ovs-ofctl -O OpenFlow13 add-group br0 group_id=1,type=ff,bucket=watch_port:77,actions=output:2")
    place.sh("ovs-ofctl -O OpenFlow13 add-flow br0 icmp,actions=group:1")
    send(place, 5)
    (r,) = reasons(place, "br0")
    assert (r.n, r.why) == (5, "no bucket of the group is live")


def test_after_recirculation_the_trace_goes_on_from_the_state(place):
    flows(place, "table=0,icmp,actions=ct(table=1,zone=4)", "table=1,cookie=0x9,ct_state=+new,icmp,actions=drop")
    send(place, 6)
    (r,) = reasons(place, "br0")
    assert r.n == 6
    assert "table=1, cookie=0x9" in r.place
    assert "thaw" in r.trace and "Resuming from table 1" in r.trace, r.trace


def test_a_bridge_behind_a_patch_port_names_its_own_port(place):
    place.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev fail_mode=secure -- "
             "add-port br0 to1 -- set interface to1 type=patch options:peer=to0 -- "
             "add-port br1 to0 -- set interface to0 type=patch options:peer=to1")
    place.sh("ovs-ofctl add-flow br0 in_port=p1,icmp,actions=output:to1")
    place.sh("ovs-ofctl add-flow br1 cookie=0xb,icmp,actions=drop")
    send(place, 5)
    assert reasons(place, "br0") == []
    (r,) = reasons(place, "br1")
    assert (r.n, r.place) == (5, "bridge=br1, in_port=to0, table=0, cookie=0xb, priority=32768,icmp")
    assert 'bridge("br0")' in r.trace and 'bridge("br1")' in r.trace
    place.sh("ovs-vsctl del-br br0")
    (r,) = reasons(place, "br1")
    assert (r.n, r.trace) == (5, "")


def test_a_match_selects_megaflows(place):
    flows(place, "priority=5,icmp,nw_dst=10.0.0.0/24,cookie=1,actions=drop",
          "priority=6,icmp,nw_dst=10.0.0.3,cookie=2,actions=drop")
    send(place, 5)
    send(place, 6, "10.0.0.3")
    assert [r.n for r in reasons(place, "br0", "icmp")] == [6, 5]
    assert [r.n for r in reasons(place, "br0", "ip,nw_dst=10.0.0.3")] == [6]
    assert [r.n for r in reasons(place, "nw_dst=10.0.0.2,icmp")] == [5]
    assert [r.n for r in reasons(place, "br0", "cookie=2/-1")] == [6]
    assert [r.n for r in reasons(place, "br0", "in_port=p1")] == [6, 5]
    assert reasons(place, "br0", "in_port=p2") == []
    assert reasons(place, "br0", "tcp") == []
    assert reasons(place, "br0", "table=3") == []
    (r,) = reasons(place, "br0", "icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2")
    assert "nw_src=10.0.0.1,nw_dst=10.0.0.2" in r.trace


def test_a_meter(place):
    place.sh("ovs-ofctl -O OpenFlow13 add-meter br0 meter=1,pktps,band=type=drop,rate=1")
    place.sh("ovs-ofctl -O OpenFlow13 add-flow br0 cookie=0x3,in_port=1,icmp,actions=meter:1,output:2")
    place.sh("ovs-ofctl add-flow br0 in_port=2,actions=output:1")
    send(place, 40)
    (r,) = reasons(place, "br0")
    assert r.why == "a meter was exceeded" and 30 <= r.n <= 40, (r.n, r.why)
    assert r.place == "bridge=br0, in_port=p1, table=0, cookie=0x3, priority=32768,icmp,in_port=p1"
    assert "nw_src=10.0.0.1,nw_dst=10.0.0.2" in r.trace
    n = re.search(r"datapath_drop_meter\s.*total: (\d+)", place.sh("ovs-appctl coverage/show"))
    assert n and int(n[1]) >= r.n
    assert [x.n for x in reasons(place, "br0", "icmp")] == [r.n]
    assert reasons(place, "br0", "tcp") == []


def test_a_frame_longer_than_the_mtu_of_the_other_side(place):
    place.sh("ovs-ofctl add-flow br0 icmp,actions=output:2")
    place.sh("ip link set p2 mtu 1000")
    send(place, 5, options="-s 1300 -M do")
    text = place.sh("ovs-appctl why-drop br0")
    place.sh("ip link set p2 mtu 1500")
    m = re.search(r"(\d+) packets: the device did not take them: its queue was full, or they were longer than its MTU "
                  r"\(tx_dropped\)\n  bridge=br0, port=p2", text)
    assert m and int(m[1]) >= 5, text


def test_many_reasons_are_bounded(place):
    n = 130
    flows(place, *(f"udp,tp_dst={1000 + i},cookie={i},actions=drop" for i in range(n)))
    place.sh("ip netns exec h1 /usr/bin/python3 -c '\n"
             "import socket\n"
             "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             f"for i in range({n}):\n"
             "    s.sendto(b\"x\", (\"10.0.0.2\", 1000 + i))\n'")
    text = place.sh("ovs-appctl why-drop br0")
    assert len(re.findall(r"the flow says drop", text)) == 100
    assert text.endswith("\n30 packets: 30 reasons more\n")
    assert len(reasons(place, "br0", "udp,tp_dst=1077")) == 1


@pytest.mark.parametrize("args, error", [
    ("br9", "br9: neither a bridge nor a match"),
    ("br9 ip", "br9: no such bridge"),
    ("br0 nonsense=1", "nonsense=1: "),
    ("br0 in_port=p9", "in_port=p9: "),
    ("br0 out_port=1", "out_port=1: out_port and out_group say nothing of a dropped packet"),
    ("br0 ip tcp", '"why-drop" command takes at most 2 arguments'),
])
def test_wrong_arguments(place, args, error):
    done = place.run(f"ovs-appctl why-drop {args}")
    assert done.returncode == 2
    assert error in done.stderr, done.stderr


def test_of_a_long_packet_all_headers_are_shown(place):
    """Of which its beginning alone is kept."""
    place.sh("ovs-vsctl set interface p1 ingress_policing_rate=1 ingress_policing_burst=1")
    flows(place, "actions=2")
    send(place, 3, options="-s 1300")
    found, = [r for r in reasons(place) if "ingress policing" in r.why]
    assert found.n == 3 and "icmp,in_port=p1" in found.trace and "nw_src=10.0.0.1,nw_dst=10.0.0.2" in found.trace
    place.sh("ovs-vsctl set interface p1 ingress_policing_rate=0 ingress_policing_burst=0")
