"""A recorded session of each version is what Wireshark's dissector expects: no message is malformed.

The dissector (of Wireshark 4.0) errs itself in the places that DISSECTOR_ERRS names.  There the same session is
recorded from the reference's programs, and what the dissector calls malformed of ours must be, byte for byte but for
what time and chance decide, a message of theirs that it calls malformed as well."""
import os
import re
import shutil
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from place import Place  # noqa: E402

VERSIONS = {"OpenFlow10": 1, "OpenFlow11": 2, "OpenFlow12": 3, "OpenFlow13": 4, "OpenFlow14": 5, "OpenFlow15": 6}
FLOWS = ("priority=7,in_port=1,actions=output:2",
         "tcp,nw_dst=10.0.0.0/8,tp_dst=80,idle_timeout=600,actions=mod_nw_tos:8,2",
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

# (version, type, statistics type): what the dissector does wrong.
# In 1.5 it gives up behind the class of any OXM field.
DISSECTOR_ERRS = {
    (1, 14, None): "the match of a flow-mod without actions, to delete, ends the message",
    (5, 19, 4): "properties of a vendor in the statistics of ports",
    (6, 13, None): "the match of a packet-out",
    (6, 14, None): "the match of a flow-mod",
    (6, 19, 1): "the match of a flow's description",
    (6, 19, 7): "buckets, which it reads as those of 1.4",
    (6, 19, 12): "the fields in the properties of a table",
}
# Those that are the same in 1.4, which it knows, are read as that; ours name more fields than those of the reference.
SAME_IN_14 = {(6, 14, None), (6, 19, 12)}
LONGER = {(6, 19, 12)}


@pytest.fixture(scope="module", name="places")
def fixture_places():
    if not shutil.which("tshark") or not shutil.which("tcpdump"):
        pytest.skip("needs tshark and tcpdump")
    found = {}

    def place(side):
        if side not in found:
            found[side] = new_place(side)
        return found[side]

    yield place
    for p in found.values():
        p.leave()


def new_place(side):
    p = Place(reference=side == "reference")
    try:
        p.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        p.start_database()
        p.start_switch("--disable-system")
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " other_config:hwaddr=02:00:00:00:00:99 other_config:disable-in-band=true"
             " -- set-controller br0 ptcp:6653:127.0.0.1"
             " -- set bridge br0 protocols=" + ",".join(VERSIONS))
        for n in (1, 2):
            p.sh(f"ip link add p{n} address 02:00:00:00:00:0{n} type veth peer name q{n} && ip link set q{n} up &&"
                 f" ip link set p{n} up")
            p.sh(f"ovs-vsctl add-port br0 p{n} -- set interface p{n} ofport_request={n}")
    except BaseException:
        p.leave()
        raise
    return p


def commands(number):
    yield from COMMANDS[:1]
    groups = [(2, COMMANDS_11), (3, COMMANDS_12), (4, COMMANDS_13), (5, COMMANDS_14)]
    for first, more in groups:
        if number >= first:
            yield from more
    for flow in (FLOWS[:4] if number == 2 else FLOWS) + (LATER_FLOWS if number >= 3 else ()):
        yield f"add-flow {{s}} '{flow}'"
    yield from COMMANDS[1:]


def record(place, version):
    """The messages of the session, connection after connection."""
    capture = f"{place.dir}/{version}.pcap"
    place.sh(f"(tcpdump -i lo -s 66000 -B 65536 -U -w {capture} tcp port 6653 >/dev/null 2>{capture}.err &"
             f" echo $! >{capture}.pid)")
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
    return [in_order(m) for m in messages(place.root + capture)]


def in_order(message):
    """A message with its groups in order: they stand in that of a hash."""
    if kind(message)[1:] != (19, 7):
        return message
    groups, at = [], 16
    while at < len(message):
        n = struct.unpack_from("!H", message, at)[0]
        groups.append(message[at:at + n])
        at += n
    return message[:16] + b"".join(sorted(groups, key=lambda g: g[4:8]))


def messages(capture):
    """The messages that a capture of TCP connections holds: by sequence numbers, since a busy host sends again what was
    not acknowledged in time."""
    streams = {}
    fields = subprocess.run(["tshark", "-r", capture, "-Y", "tcp.len>0", "-T", "fields", "-e", "tcp.stream", "-e",
                             "tcp.srcport", "-e", "tcp.seq", "-e", "tcp.payload"], check=True, capture_output=True,
                            text=True).stdout
    segments = [line.split("\t") for line in fields.splitlines()]
    for stream, port, seq, payload in sorted(segments, key=lambda s: (int(s[0]), s[1], int(s[2]))):
        data, at = streams.setdefault((stream, port), bytearray()), int(seq) - 1
        assert at <= len(data), "the capture lacks a segment"
        data[at:at + len(payload) // 2] = bytes.fromhex(payload)
    found = []
    for data in streams.values():
        at = 0
        while at < len(data):
            n = struct.unpack_from("!H", data, at + 2)[0]
            assert n >= 8 and at + n <= len(data), "the stream does not end with a message"
            found.append(bytes(data[at:at + n]))
            at += n
    return found


def write_capture(path, packets):
    """Each in a TCP segment of its own, so that the dissector's verdict is about it alone."""
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 0x40000, 101))  # LINKTYPE_RAW.
        for i, data in enumerate(packets):
            frame = struct.pack("!BBHHHBBHII", 0x45, 0, 40 + len(data), i, 0, 64, 6, 0, 0x7f000001, 0x7f010000 + i)
            frame += struct.pack("!HHIIBBHHH", 6653, 50000, 1, 1, 0x50, 0x18, 0xffff, 0, 0) + data
            f.write(struct.pack("=IIII", 0, i, len(frame), len(frame)) + frame)


def malformed(found, path):
    """Those of the messages that the dissector calls malformed.  What frames inside of packet-ins look like is not
    ours to answer for."""
    write_capture(path, found)
    text = subprocess.run(["tshark", "-r", path, "-d", "tcp.port==6653,openflow", "-O", "openflow,openflow_v1,"
                           "openflow_v4,openflow_v5,openflow_v6"], check=True, capture_output=True, text=True).stdout
    verdicts = re.split(r"^Frame \d+: .*$", text, flags=re.M)[1:]
    assert len(verdicts) == len(found)
    assert not [v for v in verdicts if "Version: 1." not in v]  # Of 1.1 and 1.2 it knows little.
    return [m for m, v in zip(found, verdicts) if "malformed packet: openflow" in v.lower()]


def kind(message):
    """Version, type, and type of statistics."""
    stats = {1: (16, 17)}.get(message[0], (18, 19))
    return message[0], message[1], struct.unpack_from("!H", message, 8)[0] if message[1] in stats else None


def without_chance(message):
    """A message without its xid, durations, idle times, and the packets that earlier sessions left in ports."""
    if kind(message) == (5, 19, 4):
        message, at = bytearray(message), 16
        while at < len(message):
            message[at + 8:at + 48] = bytes(40)
            at += struct.unpack_from("!H", message, at)[0]
        message = bytes(message)
    return message[:4] + bytes(4) + re.sub(rb"(\x80\x02[\x00\x02]\x08).{8}", rb"\1", message[8:], flags=re.S)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_message_is_malformed(places, version, tmp_path):
    ours = record(places("ours"), version)
    assert len(ours) > 80
    bad = malformed(ours, tmp_path / "ours.pcap")
    undocumented = [m.hex() for m in bad if kind(m) not in DISSECTOR_ERRS]
    assert not undocumented
    read_as_14 = [b"\5" + m[1:] for m in bad if kind(m) in SAME_IN_14]
    still = [m.hex()[:3000] for m in malformed(read_as_14, tmp_path / "as14.pcap")]
    assert not still
    if bad:
        reference = malformed(record(places("reference"), version), tmp_path / "theirs.pcap")
        theirs = {without_chance(m) for m in reference}
        assert {kind(m) for m in bad} <= {kind(m) for m in reference}
        different = [m.hex() for m in bad if without_chance(m) not in theirs and kind(m) not in LONGER]
        assert not different, (list(map(kind, different)), [t.hex() for t in reference if kind(t) in map(kind, bad)
                                                            and kind(t) not in LONGER])
