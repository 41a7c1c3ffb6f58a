"""IPFIX: what collectors get of packets that go through simulated ports, decoded here, and beside Debian's program."""
import os
import re
import time

import pytest
from ipfix_decode import Collector
from place import DAEMON, Place

COLLECTOR = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
with open(sys.argv[2], "w") as f:
    print("ready", file=f, flush=True)
    while True:
        print(s.recv(65536).hex(), file=f, flush=True)
"""
ETHERNET = "in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),"
IPV4 = ETHERNET + "eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto={},tos=32,ttl=64,frag=no),"
UDP = IPV4.format(17) + "udp(src={},dst=53)"
TCP = IPV4.format(6) + "tcp(src=80,dst=81),tcp_flags(0x012)"
ARP = ETHERNET + "eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:0f:02:03:04:05,tha=00:00:00:00:00:00)"
IPV6 = (ETHERNET + "eth_type(0x86dd),ipv6(src=::1,dst=::2,label=0x12345,proto=58,tclass=0x70,hlimit=128,frag=no),"
        "icmpv6(type=128,code=0)")
VLAN = (ETHERNET + "eth_type(0x8100),vlan(vid=99,pcp=7),encap(eth_type(0x0800),"
        "ipv4(src=10.0.0.3,dst=10.0.0.1,proto=132,tos=0,ttl=128,frag=no),sctp(src=1,dst=2))")
GRE = IPV4.format(47).rstrip(",")


# A collector set keeps its bridge.
DESTROY = ("ovs-vsctl destroy flow_sample_collector_set "
           "$(ovs-vsctl --bare --columns=_uuid find flow_sample_collector_set id={})")


class Exporter(Place):
    def __init__(self, reference=False):
        super().__init__()
        self.next_port = 5000
        if reference:
            self.env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
        schema = "/usr/share/openvswitch/vswitch.ovsschema" if reference else "schema/vswitch.ovsschema"
        self.sh(f"ovsdb-tool create {self.dir}/conf.db {schema} && "
                f"ovsdb-server {self.dir}/conf.db --remote=punix:{self.dir}/db.sock {DAEMON}")
        self.sh("ovs-vsctl --no-wait init")
        self.start_switch("--enable-dummy=override", "--disable-system-route")
        with open(f"{self.root}{self.dir}/collector.py", "w", encoding="ascii") as f:
            f.write(COLLECTOR)

    def add_bridge(self):
        # Two transactions: in one the bridge would stay as it is, with its flows.
        self.sh("ovs-vsctl --if-exists del-br br0")
        self.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure "
                "-- add-port br0 p1 -- set interface p1 ofport_request=1 "
                "-- add-port br0 p2 -- set interface p2 ofport_request=2")
        self.sh("ovs-ofctl add-flow br0 actions=2")

    def listen(self):
        """A collector: its target, and how to read what has come."""
        self.next_port += 1
        out = f"{self.dir}/out{self.next_port}"
        self.sh(f"/usr/bin/python3 {self.dir}/collector.py {self.next_port} {out} > /dev/null 2>&1 &")
        self.wait("the collector", lambda: self.run(f"grep -q ready {out}").returncode == 0)

        def read(n=0):
            def got():
                with open(f"{self.root}{out}", encoding="ascii") as f:
                    collector = Collector()
                    for line in f.read().split("\n")[1:-1]:
                        collector.take(bytes.fromhex(line))
                return collector
            self.wait(f"{n} records", lambda: len(flows(got())) >= n)
            return got()
        return f'"127.0.0.1:{self.next_port}"', read

    def receive(self, *packets):
        for p in packets:
            self.sh(f"ovs-appctl netdev-dummy/receive p1 '{p}'")

    def ipfix(self, target, settings):
        self.sh(f"ovs-vsctl -- --id=@i create ipfix 'targets={target}' {settings} -- set bridge br0 ipfix=@i")


def flows(collector):
    return [r for r in collector.records if r["template"] != 462]


@pytest.fixture(scope="module", name="place")
def fixture_place():
    p = Exporter()
    try:
        yield p
        log = p.sh(f"cat {p.dir}/ovs-vswitchd.log")
        assert not re.search(r"(?<!ipfix)\|(ERR|EMER)\|", log), log
    finally:
        p.leave()


@pytest.fixture(autouse=True)
def fixture_bridge(place):
    place.add_bridge()


def test_each_packet_is_exported_where_it_comes_in_and_goes_out(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=1 obs_domain_id=123 obs_point_id=456 external_ids:a=b")
    place.receive(UDP.format(8), TCP, ARP, IPV6, VLAN, GRE)
    r = flows(read(12))
    assert {x["domain"] for x in r} == {123} and {x["obsPoint"] for x in r} == {456}
    assert [x["direction"] for x in r] == [0, 1] * 6
    assert [x["template"] for x in r] == [284, 285, 280, 281, 256, 257, 312, 313, 348, 349, 276, 277]
    assert [x["sequence"] for x in r] == list(range(2, 14))
    assert [x["endReason"] for x in r] == [2] * 12
    udp_in, udp_out = r[:2]
    assert (udp_in["name"], udp_out["name"], udp_out["name+"]) == ("p1", "p1", "p2")
    assert (udp_in["srcMac"], udp_in["dstMac"], udp_in["etherType"]) == (0x505400000009, 0x50540000000a, 0x800)
    assert (udp_in["src4"], udp_in["dst4"], udp_in["sport"], udp_in["dport"]) == (0x0a000002, 0x0a000001, 8, 53)
    assert (udp_in["protocol"], udp_in["tos"], udp_in["ttl"], udp_in["ipVersion"]) == (17, 32, 64, 4)
    assert udp_in["l2Delta"] - udp_in["octetDelta"] == 14 and udp_in["packetDelta"] == 1
    assert 0 <= udp_in["startDelta"] <= 1100000
    assert (r[2]["syn"], r[2]["ack"], r[3]["syn"]) == (1, 1, 2)
    assert (r[6]["icmpType6"], r[6]["flowLabel"], r[6]["src6"], r[6]["dst6"]) == (128, 0x12345, 1, 2)
    assert (r[8]["vlanId"], r[8]["dot1qVlanId"], r[8]["dot1qPriority"]) == (99, 99, 7)
    assert [x["packetTotal"] for x in r] == list(range(1, 13))
    assert re.search(r"bridge ipfix: flows=12, current flows=0, sampled pkts=12, ipv4 ok=6, ipv6 ok=2, tx pkts=\d+\n"
                     r" +pkts errs=2, ipv4 errs=2, ipv6 errs=0, tx errs=0\n",
                     place.sh("ovs-ofctl dump-ipfix-bridge br0"))


def test_flows_are_kept_together_until_the_timeout(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=1 cache_active_timeout=2 cache_max_flows=10 other_config:virtual_obs_id=here "
                "other_config:enable-output-sampling=false")
    place.receive(*[UDP.format(8)] * 3, UDP.format(9))
    assert "flows=2, current flows=2, sampled pkts=4" in place.sh("ovs-ofctl dump-ipfix-bridge br0")
    assert not read().records
    a, b = flows(read(2))
    assert (a["packetDelta"], a["sport"], a["endReason"], a["virtualObsId"]) == (3, 8, 2, "here")
    assert (b["packetDelta"], b["sport"], b["packetTotal"]) == (1, 9, 4)
    assert a["startDelta"] > 1900000 and a["startDelta"] >= a["endDelta"]
    assert (a["minLen"], a["maxLen"], a["octetDelta"]) == (92, 92, 276)
    assert "current flows=0" in place.sh("ovs-ofctl dump-ipfix-bridge br0")


def test_a_full_cache_gives_up_the_oldest(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=1 cache_active_timeout=1000 cache_max_flows=2 "
                "other_config:enable-output-sampling=false")
    place.receive(*[UDP.format(i) for i in (1, 2, 3, 4)])
    r = flows(read(2))
    assert [(x["sport"], x["endReason"]) for x in r] == [(1, 5), (2, 5)]
    place.sh("ovs-vsctl clear bridge br0 ipfix")
    r = flows(read(4))
    assert [(x["sport"], x["endReason"]) for x in r[2:]] == [(3, 4), (4, 4)]


def test_input_or_output_alone(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=1 other_config:enable-input-sampling=false")
    place.receive(UDP.format(8))
    assert [x["direction"] for x in flows(read(1))] == [1]
    assert "actions:userspace(pid=0,ipfix(output_port=2)),2" in place.sh("ovs-appctl dpctl/dump-flows")


def test_a_share_of_the_packets(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=4 other_config:enable-output-sampling=false")
    place.receive(UDP.format(8))
    flow = place.sh("ovs-appctl dpctl/dump-flows")
    assert "sample(sample=25.0%,actions(userspace(pid=0,ipfix(output_port=4294967295)))),2" in flow, flow
    place.receive(*[UDP.format(8)] * 80)
    assert 3 <= int(re.search(r"sampled pkts=(\d+)", place.sh("ovs-ofctl dump-ipfix-bridge br0"))[1]) <= 50
    assert read(3)


def test_collector_sets_of_sample_actions(place):
    target, read = place.listen()
    assert "NXST_NOT_CONFIGURED" in place.run("ovs-ofctl dump-ipfix-flow br0").stdout
    place.sh(f"ovs-vsctl -- --id=@b get bridge br0 -- --id=@i create ipfix 'targets={target}' "
             "-- create flow_sample_collector_set id=5 bridge=@b ipfix=@i external_ids:a=b")
    place.sh("ovs-ofctl add-flow br0 'priority=40000,udp,actions="
             "sample(probability=65535,collector_set_id=5,obs_domain_id=7,obs_point_id=8),"
             "sample(probability=65535,collector_set_id=5,obs_domain_id=7,obs_point_id=9,sampling_port=2),"
             "sample(probability=65535,collector_set_id=5,obs_domain_id=9,obs_point_id=9,sampling_port=2,ingress),"
             "sample(probability=65535,collector_set_id=6,obs_domain_id=7,obs_point_id=9),"
             "load:77->NXM_NX_REG1[],"
             "sample(probability=65535,collector_set_id=5,obs_domain_id=NXM_NX_REG1[],obs_point_id=1),2'")
    place.receive(UDP.format(8), TCP)
    r = flows(read(4))
    assert [(x["domain"], x["obsPoint"], x["direction"]) for x in r] == [(7, 8, 0), (7, 9, 1), (9, 9, 0), (77, 1, 0)]
    assert sum(1 for d in set(read().domains) if d) == 3
    assert re.search(r"1 ids\n  id   5: flows=4, current flows=0, sampled pkts=4, ipv4 ok=4",
                     place.sh("ovs-ofctl dump-ipfix-flow br0"))
    assert "NXST_NOT_CONFIGURED" in place.run("ovs-ofctl dump-ipfix-bridge br0").stdout
    place.sh(DESTROY.format(5))
    assert "NXST_NOT_CONFIGURED" in place.run("ovs-ofctl dump-ipfix-flow br0").stdout
    place.receive(UDP.format(8))
    assert len(flows(read())) == 4


def test_counters_and_cache_outlive_other_changes(place):
    target, _ = place.listen()
    place.ipfix(target, "sampling=1 cache_active_timeout=1000 cache_max_flows=10")
    place.receive(UDP.format(8))
    place.sh("ovs-vsctl set bridge br0 other_config:mac-aging-time=100")
    assert "flows=2, current flows=2" in place.sh("ovs-ofctl dump-ipfix-bridge br0")


def test_templates_and_statistics_come_again(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=1 template_interval=1 stats_interval=1")
    place.receive(UDP.format(8))
    time.sleep(1.2)
    place.receive(UDP.format(8))
    read(4)
    assert len([r for r in read().records if r["template"] == 462]) == 2
    process = {r["process"] for r in read().records if r["template"] == 462}
    assert len(process) == 1 and 0 not in process


def test_two_collectors_and_a_bad_one(place):
    (one, read_one), (two, read_two) = place.listen(), place.listen()
    place.ipfix(f"[{one},{two},\"nowhere\"]", "sampling=1")
    place.receive(UDP.format(8))
    assert len(flows(read_one(2))) == len(flows(read_two(2))) == 2
    assert "nowhere: bad collector" in place.sh(f"cat {place.dir}/ovs-vswitchd.log")


def test_a_collector_that_is_not_there_is_counted(place):
    place.ipfix('"127.0.0.1:1"', "sampling=1")
    place.receive(UDP.format(8), UDP.format(9))
    errors = int(re.search(r"tx errs=(\d+)", place.sh("ovs-ofctl dump-ipfix-bridge br0"))[1])
    assert errors > 0


def test_local_sampling_is_refused(place):
    place.sh("ovs-vsctl -- --id=@b get bridge br0 "
             "-- create flow_sample_collector_set id=8 bridge=@b local_group_id=3")
    assert "ignoring local sampling configuration: not supported by this datapath" in \
        place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert "NXST_NOT_CONFIGURED" in place.run("ovs-ofctl dump-ipfix-flow br0").stdout
    place.sh(DESTROY.format(8))


def test_why_drop_does_not_take_samples_for_receivers(place):
    target, read = place.listen()
    place.ipfix(target, "sampling=1")
    place.sh("ovs-ofctl add-flow br0 priority=50000,udp,actions=drop")
    place.receive(*[UDP.format(8)] * 3)
    assert len(flows(read(3))) == 3
    assert re.search(r"^3 packets, \d+ bytes, last .*: the flow says drop$", place.sh("ovs-appctl why-drop br0"), re.M)


# Counters of dropped packets, which we leave 0, and times, which differ.
VARYING = {132, 133, 134, 135, "startDelta", "endDelta", "process"}


@pytest.mark.skipif(not os.path.exists("/usr/sbin/ovs-vswitchd"), reason="Debian's program is not there")
@pytest.mark.parametrize("virtual_id", ["", "other_config:virtual_obs_id=here"])
def test_templates_and_records_are_those_of_debian_s_program(place, virtual_id):
    reference = Exporter(reference=True)
    got = []
    try:
        for p in (reference, place):
            p.add_bridge()
            target, read = p.listen()
            p.ipfix(target, f"sampling=1 obs_domain_id=1 obs_point_id=2 cache_active_timeout=2 cache_max_flows=99 "
                    f"{virtual_id}")
            p.receive(UDP.format(8), UDP.format(8), TCP, ARP, IPV6, VLAN, GRE)
            c = read(12)
            got.append((c.templates, [{k: v for k, v in r.items() if k not in VARYING} for r in flows(c)]))
    finally:
        reference.leave()
    assert len(got[0][0]) > 80 and len(got[0][1]) == 12
    assert got[0][0] == got[1][0]
    assert got[0][1] == got[1][1]
