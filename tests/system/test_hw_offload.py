"""Megaflows given to devices (other_config:hw-offload): no device here takes rules, so that a library in front of the
switch makes all of DPDK's do so (rules_device.c).

    sender -- w0 ---- v0 = a (1) [ br0 ] b (2) = v1 ---- w1 -- receiver
                                 [     ] n (3), the null device
"""
import contextlib
import mmap
import os
import re
import struct
import time

import pytest
from place import BUILD, Place, doubt_after_slow_sweep
from scapy.all import ARP, ICMP, IP, SCTP, TCP, UDP, Dot1Q, Ether, IPv6, Raw

DEBIAN = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
LIBRARY = os.path.join(BUILD, "tests", "system", "rules_device.so")
# struct control of rules_device.c.
ASKED = ("refuse_every", "create_us", "wrong_mark", "takes_drop", "late_ms")
COUNTED = ("n_rules", "n_created", "n_destroyed", "n_refused", "n_marked", "n_dropped", "n_queried", "n_left",
           "n_unknown", "n_at_once")
DEVICES = ("for i in 0 1; do ip link add v$i type veth peer name w$i && sysctl -qw net.ipv6.conf.v$i.disable_ipv6=1"
           " net.ipv6.conf.w$i.disable_ipv6=1 && ip link set v$i up && ip link set w$i up || exit 1; done")

# Sends the frames of a file, so many a second, and prints what comes out within the time.
EXCHANGE = """
import select, socket, sys, time
name, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("w0", 0))
back = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
back.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
back.bind(("w1", 0))
frames = [bytes.fromhex(line) for line in open(name)]
begin, last, got = time.monotonic(), time.monotonic(), []
i = 0
while i < len(frames) or time.monotonic() - last < seconds:
    while i < len(frames) and time.monotonic() - begin >= i / rate:
        out.send(frames[i])
        i += 1
        last = time.monotonic()
    if select.select([back], [], [], 0.01 if i == len(frames) else 0)[0]:
        frame, address = back.recvfrom(4096)
        if address[2] != socket.PACKET_OUTGOING:
            got.append(frame.hex())
            last = time.monotonic()
print("\\n".join(got))
"""


class Switch:
    """One of them with that library in front of it."""

    def __init__(self, p, reference):
        self.p = p
        self.ctl = f"ovs-appctl -t {p.dir}/ctl"
        self.set(**dict.fromkeys(ASKED, 0))
        with open(f"{p.root}{p.dir}/exchange.py", "w", encoding="ascii") as f:
            f.write(EXCHANGE)
        p.start_database()
        extra = " 'other_config:dpdk-extra=--no-huge -m 512 --no-pci --legacy-mem'" if reference else ""
        p.sh(f"{DEVICES} && ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true"
             f" other_config:hw-offload=true other_config:n-offload-threads=2 other_config:max-idle=600000{extra}")
        p.env["ASAN_OPTIONS"] = f"{p.env.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"  # The library comes first.
        p.sh(f"LD_PRELOAD={LIBRARY} RULES_LOG={p.dir}/rules RULES_CONTROL={p.dir}/control"
             f" {DEBIAN if reference else 'ovs-vswitchd'} unix:{p.dir}/db.sock --detach --no-chdir -vconsole:off"
             f" --pidfile={p.dir}/ovs-vswitchd.pid --log-file={p.dir}/ovs-vswitchd.log --unixctl={p.dir}/ctl")

    def control(self):
        size = 4 * 32
        path = f"{self.p.root}{self.p.dir}/control"
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(fd, 4096)
        with contextlib.closing(mmap.mmap(fd, 4096)) as m:
            os.close(fd)
            yield m[:size], m

    def set(self, **wanted):
        for _, m in self.control():
            for name, value in wanted.items():
                at = 4 * ASKED.index(name)
                m[at:at + 4] = struct.pack("I", value)

    def get(self, name):
        at = 4 * (16 + COUNTED.index(name))
        return next(struct.unpack("I", data[at:at + 4])[0] for data, _ in self.control())

    def log(self):
        return self.p.sh(f"cat {self.p.dir}/ovs-vswitchd.log")

    def rules(self):
        return self.p.sh(f"cat {self.p.dir}/rules").splitlines()

    def add_bridge(self):
        self.p.sh("ovs-vsctl --timeout=60 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
                  " -- add-port br0 a -- set interface a type=dpdk ofport_request=1"
                  " options:dpdk-devargs=net_af_packet0,iface=v0,framecnt=8192"
                  " -- add-port br0 b -- set interface b type=dpdk ofport_request=2"
                  " options:dpdk-devargs=net_af_packet1,iface=v1,framecnt=8192"
                  " -- add-port br0 n -- set interface n type=dpdk ofport_request=3"
                  " options:dpdk-devargs=net_null0,no-rx=1")

    def flows(self, *lines):
        self.p.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 - <<E\n" + "\n".join(lines) + "\nE")

    def exchange(self, frames, rate=2000, seconds=0.5):
        """What comes out of b for frames that go into a."""
        with open(f"{self.p.root}{self.p.dir}/frames", "w", encoding="ascii") as f:
            f.writelines(bytes(frame).hex() + "\n" for frame in frames)
        got = self.p.sh(f"/usr/bin/python3 {self.p.dir}/exchange.py {self.p.dir}/frames {rate} {seconds}", timeout=300)
        return [bytes.fromhex(line) for line in got.split()]

    def dump(self, more=""):
        return [line for line in self.p.sh(f"{self.ctl} dpctl/dump-flows {more}").splitlines() if "packets:" in line]

    def hits(self):
        """Packets that were found by their mark."""
        return sum(map(int, re.findall(r"PHWOL hits: +(\d+)", self.p.sh(f"{self.ctl} dpif-netdev/pmd-perf-show"))))

    def wait_rules(self, n):
        self.p.wait(f"{n} rules", lambda: self.get("n_rules") == n, 60)


@pytest.fixture(scope="module", name="running")
def fixture_running():
    p = Place()
    try:
        s = Switch(p, False)
        yield s
        bad = [line for line in s.log().splitlines() if re.search(r"\|(ERR|EMER)\|", line)]
        assert not bad, "\n".join(bad)
    finally:
        p.leave()


@pytest.fixture(name="switch")
def fixture_switch(running):
    """With the bridge.  Whatever a test did, rules went before their devices, and none was unknown."""
    running.set(**dict.fromkeys(ASKED, 0))
    running.add_bridge()
    yield running
    running.p.sh("ovs-vsctl --timeout=60 --if-exists del-br br0")
    running.wait_rules(0)
    assert running.get("n_left") == running.get("n_unknown") == 0


def eth(n=2):
    return Ether(src="02:00:00:00:00:01", dst=f"02:00:00:00:00:{n:02x}")


def udp(dport, sport=5, size=26):
    return eth() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=sport, dport=dport) / Raw(bytes(size))


def counters(line):
    return tuple(map(int, re.search(r"packets:(\d+), bytes:(\d+)", line).groups()))


def test_marked_packets_pass_and_are_counted(switch):
    switch.flows("udp,tp_dst=7,actions=2")
    frames = [udp(7, size=18 + n) for n in range(100)]
    assert switch.exchange(frames[:1]) == [bytes(frames[0])]
    switch.wait_rules(1)
    before = switch.hits()
    assert switch.exchange(frames) == [bytes(f) for f in frames]
    assert switch.hits() == before + 100
    n_bytes = sum(len(f) for f in frames)
    switch.p.wait("counters", lambda: counters(switch.dump()[0]) == (100, n_bytes))
    assert ", offloaded:partial, dp:ovs, actions:b" in switch.dump("-m")[0].replace("actions:3", "actions:b")
    assert len(switch.dump("type=partially-offloaded")) == len(switch.dump("type=ovs")) == 1
    assert not switch.dump("type=offloaded") and not switch.dump("type=non-offloaded") and not switch.dump("type=dpdk")
    stats = switch.p.sh(f"{switch.ctl} dpctl/offload-stats-show")
    assert re.search(r"^     Total                 Inserted offloads:      1\n", stats, re.M), stats
    assert switch.p.sh(f"{switch.ctl} dpif/offload/show") == (
        "Globally enabled: true\nDatapaths:\nnetdev@ovs-netdev:\n  dpdk\n  - a: port_no: 2\n  - b: port_no: 3\n"
        "  - n: port_no: 4\n")


def test_tcp_flags_are_counted_though_headers_are_not_parsed(switch):
    switch.flows("ip,actions=2", "ipv6,actions=2")
    four, six = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")
    for family in (four, six):
        switch.exchange([eth() / family / UDP(sport=1, dport=2) / Raw(bytes(20))])
    switch.wait_rules(2)
    before = switch.hits()
    assert len(switch.exchange([eth() / four / TCP(flags="SP"), eth() / six / TCP(flags="FA"),
                                eth() / four / Raw(bytes(26))])) == 3
    assert switch.hits() == before + 3
    flags = {re.search(r"eth_type\((\w+)", line).group(1): re.search(r"flags:([A-Z.]*)", line).group(1)
             for line in switch.dump()}
    assert flags == {"0x0800": "SP", "0x86dd": "F."}


def test_other_actions_are_heeded_at_once(switch):
    """The rule stays; what is done with marked packets is what the megaflow says now."""
    steps = [("2", lambda f: bytes(f)),
             ("mod_dl_src:02:00:00:00:00:99,2", lambda f: bytes(f[:6]) + b"\x02\0\0\0\0\x99" + bytes(f)[12:]),
             ("3", lambda f: None), ("ct(table=1)", lambda f: bytes(f)), ("drop", lambda f: None),
             ("2", lambda f: bytes(f))]
    frame = udp(7)
    for actions, wanted in steps:
        switch.p.sh("ovs-ofctl add-flows br0 - <<E\nudp,tp_dst=7,actions=" + actions + "\ntable=1,actions=2\nE")
        expected = wanted(bytes(frame))
        for _ in range(2):
            assert switch.exchange([frame] * 20) == ([expected] * 20 if expected else []), actions
            switch.wait_rules(1)
    assert switch.hits() > 100


def test_marks_that_nobody_gave_lead_nowhere(switch):
    switch.flows("udp,tp_dst=7,actions=2", "udp,tp_dst=8,actions=mod_nw_tos:8,2")
    switch.exchange([udp(7), udp(8)])
    switch.wait_rules(2)
    mark = next(re.search(r"0007 -> mark=(\d+)", r).group(1) for r in switch.rules()[::-1] if "udp dst=0007" in r)
    other = next(re.search(r"0008 -> mark=(\d+)", r).group(1) for r in switch.rules()[::-1] if "udp dst=0008" in r)
    assert mark != other
    for wrong in (999, 1 << 20, 1 << 31, 0xffffffff, int(other)):  # The last is of a megaflow that is compared.
        switch.set(wrong_mark=wrong)
        before = switch.hits()
        assert switch.exchange([udp(7)] * 10) == [bytes(udp(7))] * 10, wrong
        assert switch.hits() == before


def test_late_marks_lead_nowhere(switch):
    """Packets that wait in the device bear marks of rules that are gone: their numbers are not given out again."""
    switch.set(late_ms=30000)
    switch.flows("udp,tp_dst=7,actions=2")
    switch.exchange([udp(7)])
    switch.wait_rules(1)
    old = re.search(r"mark=(\d+)", switch.rules()[-1]).group(1)
    switch.flows("udp,actions=3")
    switch.wait_rules(0)
    marked, hits = switch.get("n_marked"), switch.hits()
    assert switch.exchange([udp(7)] * 10) == []
    switch.wait_rules(1)
    assert switch.get("n_marked") >= marked + 10
    assert switch.hits() <= hits + 9  # At least the first was looked up.
    assert re.search(r"mark=(\d+)", switch.rules()[-1]).group(1) != old


def test_a_device_that_refuses_rules(switch):
    switch.set(refuse_every=3)
    switch.flows(*[f"udp,tp_dst={i},actions=2" for i in range(1, 31)])
    frames = [udp(i) for i in range(1, 31)]
    created, refused = switch.get("n_created"), switch.get("n_refused")
    assert len(switch.exchange(frames)) == 30
    switch.p.wait("all were asked for",
                  lambda: switch.get("n_created") + switch.get("n_refused") == created + refused + 30)
    assert switch.get("n_refused") == refused + 10
    assert switch.exchange(frames) == [bytes(f) for f in frames]
    assert len(switch.dump("type=non-offloaded")) == 10 and len(switch.dump("type=partially-offloaded")) == 20
    assert re.search(r"netdev_offload_dpdk\S*\|WARN\|a: rte_flow creation failed: 1 \(no room\)\.", switch.log())


def test_nobody_waits_for_a_slow_device(switch):
    switch.set(create_us=500000)
    switch.flows(*[f"udp,tp_dst={i},actions=2" for i in range(1, 101)])
    frames = [udp(i) for i in range(1, 101)]
    created = switch.get("n_created")
    for _ in range(2):
        assert switch.exchange(frames) == [bytes(f) for f in frames]
    begin = time.monotonic()
    assert re.search(r"Enqueued offloads: +[1-9]\d*\n", switch.p.sh(f"{switch.ctl} dpctl/offload-stats-show"))
    switch.p.sh("ovs-ofctl del-flows br0")
    assert time.monotonic() - begin < 10
    assert switch.get("n_created") < created + 60
    switch.set(create_us=0)


def test_a_device_that_drops(switch):
    switch.set(takes_drop=1)
    switch.flows("udp,tp_dst=7,actions=drop")
    switch.exchange([udp(7)])
    switch.wait_rules(1)
    dropped = switch.get("n_dropped")
    assert switch.exchange([udp(7)] * 50) == []
    assert switch.get("n_dropped") == dropped + 50
    switch.p.wait("the device's counters", lambda: counters(switch.dump()[0]) == (50, 50 * len(udp(7))))
    assert ", offloaded:yes, dp:dpdk, actions:drop" in switch.dump("-m")[0]
    assert len(switch.dump("type=offloaded")) == len(switch.dump("type=dpdk")) == 1 and not switch.dump("type=ovs")
    switch.p.wait("those of the flow",
                  lambda: "n_packets=51," in switch.p.sh("ovs-ofctl dump-flows br0"))
    assert "n_packets=51, n_bytes=3468, n_offload_packets=50, n_offload_bytes=3400," in "".join(offload_stats(switch))
    switch.flows("udp,tp_dst=7,actions=2")
    switch.p.wait("the device drops no more", lambda: switch.exchange([udp(7)]) == [bytes(udp(7))], 20)
    switch.wait_rules(1)
    switch.p.wait("it is marked", lambda: len(switch.dump("type=partially-offloaded")) == 1)


def test_ports_come_go_and_are_changed(switch):
    switch.flows("udp,actions=2", "tcp,actions=2")
    frames = [udp(7), eth() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="S") / Raw(bytes(20))]
    assert len(switch.exchange(frames)) == 2
    switch.wait_rules(2)
    for option in ("n_rxq_desc=1024", "n_rxq_desc=512"):
        destroyed = switch.get("n_destroyed")
        switch.p.sh(f"ovs-vsctl --timeout=30 set interface a options:{option}")
        assert switch.get("n_destroyed") == destroyed + 2
        switch.wait_rules(2)  # They are offered again.
        before = switch.hits()
        switch.p.wait("it receives again", lambda: len(switch.exchange([frames[0]])) == 1, 30)
        assert switch.exchange(frames) == [bytes(f) for f in frames]
        assert switch.hits() >= before + 2
    switch.p.sh("ovs-vsctl --timeout=30 del-port a")
    assert switch.get("n_rules") == 0
    switch.p.sh("ovs-vsctl --timeout=30 add-port br0 a -- set interface a type=dpdk ofport_request=1"
                " options:dpdk-devargs=net_af_packet0,iface=v0,framecnt=8192")
    switch.p.wait("it receives again", lambda: len(switch.exchange([frames[0]])) == 1, 30)


def test_ten_thousand_megaflows(switch):
    switch.flows("udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],output:2")
    frames = [udp(7, 1000 + i) for i in range(10000)]
    got = switch.exchange(frames, rate=1500, seconds=2)
    assert sorted(got) == sorted(bytes(f) for f in frames)
    switch.p.wait("all have rules", lambda: switch.get("n_created") >= 10000 and "Enqueued offloads:      0"
                  in switch.p.sh(f"{switch.ctl} dpctl/offload-stats-show"), 60)
    before, some = switch.hits(), frames[-500:]
    assert switch.exchange(some, rate=500, seconds=2) == [bytes(f) for f in some]
    assert switch.hits() == before + 500


def test_flows_whose_counters_come_late_are_kept(switch):
    """other_config:offloaded-stats-delay, where sweeps are slow (min-revalidate-pps)."""
    def they_go():
        doubt_after_slow_sweep(switch.p, ["offloaded-stats-delay=0"], switch.ctl)
        return len(switch.dump()) < len(frames) / 10

    switch.set(takes_drop=1)
    switch.flows("udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15]")
    frames = [udp(7, 1000 + i) for i in range(10000)]
    assert switch.exchange(frames, rate=1500, seconds=1) == []
    switch.wait_rules(len(frames))
    doubt_after_slow_sweep(switch.p, ["offloaded-stats-delay=1000000"], switch.ctl)
    assert len(switch.dump("type=offloaded")) == len(frames)
    switch.p.wait("they go", they_go, 120)
    switch.wait_rules(0)
    for name in ("offloaded-stats-delay", "max-revalidator"):
        switch.p.sh(f"ovs-vsctl --timeout=30 remove Open_vSwitch . other_config {name}")


def test_a_port_may_be_left_out(switch):
    """other_config:hw-offload-priority of an interface, and of all."""
    def priority(row, value=None):
        switch.p.sh(f"ovs-vsctl --timeout=30 set {row} other_config:hw-offload-priority={value}" if value else
                    f"ovs-vsctl --timeout=30 remove {row} other_config hw-offload-priority")

    def passes():
        assert switch.exchange([udp(7)] * 5) == [bytes(udp(7))] * 5

    def inserted():
        stats = switch.p.sh(f"{switch.ctl} dpctl/offload-stats-show")
        return int(re.search(r"Total +Inserted offloads: +(\d+)", stats)[1])

    switch.flows("udp,actions=2")
    priority("Open_vSwitch .", "tc")
    passes()
    switch.wait_rules(1)
    for value in ("none", "tc,none,dpdk", "what,none"):
        priority("interface a", value)
        switch.wait_rules(0)
        switch.p.wait("that is counted", lambda: inserted() == 0)
        assert "- a: " not in switch.p.sh(f"{switch.ctl} dpif/offload/show")
        before = switch.hits()
        passes()
        assert switch.hits() == before and switch.get("n_rules") == 0
        priority("interface a", "what,,dpdk,none")
        switch.wait_rules(1)  # The megaflow that there is already.
        passes()
        assert switch.hits() == before + 5
    priority("interface a")
    passes()
    switch.wait_rules(1)
    priority("Open_vSwitch .")
    switch.p.sh("ovs-vsctl --timeout=30 del-port a")
    created = switch.get("n_created")
    switch.p.sh("ovs-vsctl --timeout=30 add-port br0 a -- set interface a type=dpdk ofport_request=1"
                " options:dpdk-devargs=net_af_packet0,iface=v0,framecnt=8192 other_config:hw-offload-priority=none")
    switch.p.wait("it receives again", lambda: len(switch.exchange([udp(7)])) == 1, 30)
    passes()
    assert switch.get("n_created") == created


def test_a_port_goes_with_thousands_of_rules(switch):
    switch.flows("udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],output:2")
    frames = [udp(7, 1000 + i) for i in range(3000)]
    assert len(switch.exchange(frames, rate=1500, seconds=2)) == len(frames)
    switch.wait_rules(len(frames))
    begin = time.monotonic()
    switch.p.sh("ovs-vsctl --timeout=30 del-port a")
    assert time.monotonic() - begin < 5 and switch.get("n_rules") == 0


def test_it_is_not_turned_off_while_it_runs(switch):
    switch.p.sh("ovs-vsctl set Open_vSwitch . other_config:hw-offload=false")
    switch.flows("udp,actions=2")
    switch.exchange([udp(7)])
    switch.wait_rules(1)
    switch.p.sh("ovs-vsctl set Open_vSwitch . other_config:hw-offload=true")
    assert switch.log().count("|netdev_offload|INFO|netdev: Flow API Enabled, using 2 threads") == 1
    assert "|netdev_offload|INFO|a: Assigned flow API 'dpdk_flow_api'." in switch.log()


# --- Beside the reference ---

FLOWS = ["priority=1,actions=drop", "priority=10,udp,tp_dst=53,actions=drop", "priority=10,tcp,tp_dst=80,actions=2",
         "priority=10,ip,nw_src=10.1.0.0/16,nw_tos=4,actions=dec_ttl,output:2", "priority=10,udp6,tp_dst=99,actions=2",
         "priority=10,sctp,tp_src=7,actions=2", "priority=10,dl_vlan=5,udp,tp_dst=1000,actions=strip_vlan,2",
         "priority=10,icmp,icmp_type=8,actions=2", "priority=10,dl_type=0x88b5,actions=2",
         "priority=20,udp,tp_dst=4000,actions=mod_nw_dst:1.2.3.4,2", "priority=20,udp,tp_dst=4001,actions=ct(table=1)",
         "priority=10,arp,arp_tpa=10.0.0.1,actions=2", "table=1,actions=2"]
FRAMES = [udp(53), udp(54), udp(4000), udp(4001), eth() / ARP(op=2, psrc="10.0.0.3", pdst="10.0.0.1"),
          eth() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=80, flags="S"),
          eth() / IP(src="10.1.0.1", dst="10.0.0.2", tos=4) / TCP(dport=81, flags="S"),
          eth() / IPv6(src="fd00::1", dst="fd00::2") / UDP(dport=99) / Raw(bytes(20)),
          eth() / IPv6(src="fd00::1", dst="fd00::2") / TCP(dport=99),
          eth() / IP(src="10.0.0.1", dst="10.0.0.2", proto=132) / SCTP(sport=7, dport=8) / Raw(bytes(20)),
          eth() / Dot1Q(vlan=5, prio=3) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(dport=1000) / Raw(bytes(20)),
          eth() / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8) / Raw(bytes(30)),
          Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x88b5) / Raw(bytes(50))]


def asked_for(reference):
    """The rules that a switch asks for, in a form that does not depend on what the masks leave out."""
    p = Place(reference=reference)
    try:
        s = Switch(p, reference)
        s.add_bridge()
        s.flows(*FLOWS)
        s.set(takes_drop=1)
        for frame in FRAMES:
            s.exchange([frame], seconds=0.1)
        p.wait("the last rule", lambda: any("type=88b5" in r for r in s.rules()))
        time.sleep(0.5)
        return {masked(rule) for rule in s.rules() if rule.startswith("created")}
    finally:
        p.leave()


def masked(rule):
    def apply(found):
        value, mask = (int(x, 16) for x in found.groups())
        return f"={value & mask:x}&{mask:x}"

    rule = re.sub(r"port=\d+ |mark=\d+", "", rule)
    return re.sub(r"=([0-9a-f]+)&([0-9a-f]+)", apply, rule)


def offload_stats(s):
    """The flows with what they have counted, but for when they were made and those of the switch itself."""
    said = s.p.sh(f"{s.ctl} bridge/dump-flows --offload-stats br0")
    return {re.sub("duration=[^ ]* ", "", line) for line in said.splitlines() if "table_id=254" not in line}


def counted_as_offloaded(reference):
    """What flows have counted, at three times."""
    p = Place(reference=reference)
    try:
        s = Switch(p, reference)
        s.add_bridge()
        s.flows("udp,tp_dst=7,actions=2", "udp,tp_dst=8,actions=drop", "udp,tp_dst=9,actions=mod_nw_tos:8,2")
        stats = [offload_stats(s)]

        def send(n, total):
            for port in 7, 8, 9:
                s.exchange([udp(port)] * n, seconds=0.1)
            p.wait("all are counted", lambda: all(f"n_packets={total}," in line for line in offload_stats(s)), 60)
            stats.append(offload_stats(s))

        send(1, 1)
        s.wait_rules(3)
        send(20, 21)
        p.sh("ovs-ofctl --strict mod-flows br0 udp,tp_dst=7,actions=3")
        stats.append(offload_stats(s))
        return stats
    finally:
        p.leave()


@pytest.mark.skipif(not os.path.exists(DEBIAN), reason="Debian's switch with DPDK is not installed")
def test_flows_count_offloaded_packets_as_the_reference_s():
    ours, theirs = counted_as_offloaded(False), counted_as_offloaded(True)
    assert ours == theirs
    size = len(udp(7))
    assert {line.split(" udp")[0] for line in ours[2]} == {
        f"n_packets=21, n_bytes={21 * size}, n_offload_packets=20, n_offload_bytes={20 * size},"}


@pytest.mark.skipif(not os.path.exists(DEBIAN), reason="Debian's switch with DPDK is not installed")
def test_the_rules_are_the_reference_s():
    ours, theirs = asked_for(False), asked_for(True)
    assert ours == theirs and len(ours) > 10
