"""A recorded session of OpenFlow 1.1 to 1.4 is what Wireshark's dissector expects: no message is malformed."""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from place import Place  # noqa: E402

# Of 1.1 and 1.2 the dissector knows little.  It objects to some messages of 1.0 and 1.5 (docs/status.md).
VERSIONS = {"OpenFlow11": 2, "OpenFlow12": 3, "OpenFlow13": 4, "OpenFlow14": 5}
FLOWS = ("priority=7,in_port=1,actions=output:2",
         "tcp,nw_dst=10.0.0.0/8,tp_dst=80,idle_timeout=5,actions=mod_nw_tos:8,2",
         "dl_vlan=5,dl_vlan_pcp=3,actions=strip_vlan,flood",
         "arp,arp_op=1,dl_dst=ff:ff:ff:ff:ff:ff,actions=controller:64",
         "udp6,ipv6_src=fd00::/16,tp_src=53,actions=drop", "icmp,icmp_type=8,actions=in_port,local,normal")
LATER_FLOWS = ("mpls,mpls_label=5,actions=pop_mpls:0x0800,goto_table:2",
               "ip,metadata=5/7,actions=write_metadata:9,goto_table:3",
               "tcp,tcp_dst=22,actions=set_field:5->tcp_dst,group:1", "sctp,actions=push_vlan:0x8100,output:1",
               "table=4,icmp6,icmpv6_type=135,nd_target=fd00::1,actions=clear_actions,write_actions(output:1)")
COMMANDS = ("show {s}", "dump-desc {s}", "dump-ports {s}", "dump-ports-desc {s}", "dump-tables {s}", "dump-flows {s}",
            "dump-aggregate {s}", "queue-stats {s}", "queue-get-config {s} 1", "get-frags {s}", "mod-port {s} 1 down",
            "ping {s} 64 -t 1 || true", "probe {s}", "packet-out {s} in_port=1,packet=" + "00" * 60 + ",actions=2",
            "del-flows {s} tcp")
COMMANDS_11 = ("add-group {s} group_id=1,type=all,bucket=output:1,bucket=output:2",
               "add-group {s} group_id=2,type=select,bucket=weight:5,output:1,bucket=weight:3,output:2",
               "dump-groups {s}", "dump-group-stats {s}", "mod-table {s} 1 continue || true")
COMMANDS_12 = ("dump-group-features {s}",)
COMMANDS_13 = ("add-meter {s} meter=1,kbps,burst,stats,band=type=drop,rate=1000,burst_size=5", "dump-meters {s}",
               "meter-stats {s}", "meter-features {s}", "dump-table-features {s}")
COMMANDS_14 = ("--bundle add-flow {s} priority=3,actions=1", "dump-table-desc {s}", "mod-table {s} 1 vacancy:20,50")


@pytest.fixture(scope="module", name="place")
def fixture_place():
    if not shutil.which("tshark") or not shutil.which("tcpdump"):
        pytest.skip("needs tshark and tcpdump")
    p = Place()
    try:
        p.start_database()
        p.start_switch()
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure other_config:disable-in-band=true"
             " -- set-controller br0 ptcp:6653:127.0.0.1")
        for n in (1, 2):
            p.sh(f"ip link add p{n} type veth peer name q{n} && ip link set q{n} up")
            p.sh(f"ovs-vsctl add-port br0 p{n} -- set interface p{n} ofport_request={n}")
        yield p
    finally:
        p.leave()


def commands(number):
    yield from COMMANDS[:1]
    groups = [(2, COMMANDS_11), (3, COMMANDS_12), (4, COMMANDS_13), (5, COMMANDS_14)]
    for first, more in groups:
        if number >= first:
            yield from more
    for flow in (FLOWS[:4] if number == 2 else FLOWS) + (LATER_FLOWS if number >= 3 else ()):
        yield f"add-flow {{s}} '{flow}'"
    yield from COMMANDS[1:]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_message_is_malformed(place, version):
    capture = f"{place.dir}/{version}.pcap"
    place.sh(f"(tcpdump -i lo -s 0 -U -w {capture} tcp port 6653 >/dev/null 2>{capture}.err & echo $! >{capture}.pid)")
    place.wait("tcpdump listens", lambda: "listening" in place.sh(f"cat {capture}.err"))
    place.sh(f"ovs-ofctl -O {version} monitor tcp:127.0.0.1:6653 64 --detach --no-chdir --pidfile={place.dir}/mon.pid"
             f" >/dev/null 2>&1")
    for command in commands(VERSIONS[version]):
        place.sh(f"ovs-ofctl -O {version} " + command.format(s="tcp:127.0.0.1:6653"))
    place.sh("ip link set p1 down; ip link set p1 up; ovs-ofctl del-flows br0; sleep 0.3")
    place.sh(f"ovs-ofctl -O {version} add-flow br0 hard_timeout=1,send_flow_rem,actions=drop")
    if VERSIONS[version] > 1:
        place.sh(f"ovs-ofctl -O {version} del-groups br0")
    if VERSIONS[version] > 3:
        place.sh(f"ovs-ofctl -O {version} del-meters br0")
    place.sh(f"sleep 2.5; kill `cat {place.dir}/mon.pid`; sleep 0.2; kill `cat {capture}.pid`; sleep 0.3")
    dissect = f"tshark -r {capture} -d tcp.port==6653,openflow"
    assert int(place.sh(f"{dissect} -T fields -e _ws.col.Protocol | grep -ci openflow")) > 40
    # What frames inside of packet-ins look like is not ours to answer for.
    bad = place.sh(f"{dissect} -Y _ws.malformed -V 2>/dev/null").lower()
    assert "malformed packet: openflow" not in bad, bad[:4000]
