"""Frames, captures of them, and rule sets: what bench/pipeline loads a switch with.

Rule sets are lists of lines of ovs-ofctl's flow syntax; the frames that go with them are made so that each is of a
connection of its own.  Everything follows from a seed: both sides get the same rules and the same packets."""
import random
import struct

MAC_SRC, MAC_DST = 0x020000000002, 0x020000000001
# What makes the megaflow of a rule depend on the whole five-tuple, so that each frame is a miss.
EACH = ("move:NXM_OF_IP_SRC[]->NXM_NX_REG1[],move:NXM_OF_IP_DST[]->NXM_NX_REG2[],move:NXM_OF_UDP_SRC[]->"
        "NXM_NX_REG3[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG3[16..31],output:null")


def udp(src, dst, sport, dport, mac_src=MAC_SRC, mac_dst=MAC_DST, vlan=0):
    """A frame of UDP over IPv4 of 60 bytes, 64 with a tag."""
    total = 0x4500 + 46 + (64 << 8 | 17) + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff)
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    macs = struct.pack("!HIHI", mac_dst >> 32, mac_dst & 0xffffffff, mac_src >> 32, mac_src & 0xffffffff)
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    return macs + tag + struct.pack("!HBBHHHBBHIIHHHH18x", 0x0800, 0x45, 0, 46, 0, 0, 64, 17, ~total & 0xffff, src, dst,
                                    sport, dport, 26, 0)


def write_pcap(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    """The frames of a capture."""
    with open(path, "rb") as f:
        data = f.read()
    at, frames = 24, []
    while at + 16 <= len(data):
        n = struct.unpack("<I", data[at + 8:at + 12])[0]
        frames.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return frames


def ip_text(ip, length=32):
    text = f"{ip >> 24}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}"
    return text if length == 32 else f"{text}/{length}"


# One table.

def one_table(n_frames):
    """1,000 rules for services; a megaflow for each client connection."""
    rules = [f"priority=100,udp,nw_dst={ip_text(0x0ac80000 + i)},tp_dst={1000 + i},actions={EACH}"
             for i in range(1000)]
    frames = [udp(0x0a000000 + i, 0x0ac80000 + i % 1000, 20000 + i % 40000, 1000 + i % 1000) for i in range(n_frames)]
    return rules, frames


# Forty tables, 100,000 rules: the shape of what OVN makes of 100 switches with 25 ports and an ACL each.

N_NETS, N_PORTS, N_ACLS, LAST = 100, 25, 352, 39


def ovn_mac(net, port):
    return 0x0a0000000000 | net << 16 | port


def ovn_ip(net, port):
    return 0x0a000000 | net << 12 | port + 10


def ovn_port_rules(net, port):
    mac = ovn_mac(net, port)
    dl = ":".join(f"{mac >> s & 255:02x}" for s in range(40, -1, -8))
    ip, meta, reg = ip_text(ovn_ip(net, port)), f"metadata={net + 1}", port + 1
    inside, outside = f"reg14={reg},{meta}", f"reg15={reg},{meta}"
    yield (f"table=0,priority=150,in_port=replay,dl_vlan={net * N_PORTS + port + 1},actions=strip_vlan,"
           f"load:{net + 1}->OXM_OF_METADATA[],load:{reg}->NXM_NX_REG14[],resubmit(,1)")
    yield f"table=1,priority=50,{inside},dl_src={dl},actions=resubmit(,2)"
    yield f"table=2,priority=90,ip,{inside},dl_src={dl},nw_src={ip},actions=resubmit(,3)"
    yield f"table=2,priority=80,ip,{inside},dl_src={dl},actions=drop"
    yield f"table=3,priority=90,arp,{inside},dl_src={dl},arp_spa={ip},arp_sha={dl},actions=resubmit(,4)"
    yield f"table=16,priority=50,arp,{meta},arp_tpa={ip},arp_op=1,actions=load:2->NXM_OF_ARP_OP[],output:in_port"
    yield f"table=18,priority=100,udp,{inside},dl_src={dl},tp_src=68,tp_dst=67,actions=resubmit(,19)"
    yield f"table=24,priority=50,{meta},dl_dst={dl},actions=load:{reg}->NXM_NX_REG15[],resubmit(,25)"
    yield f"table=36,priority=90,ip,{outside},dl_dst={dl},nw_dst={ip},actions=resubmit(,37)"
    yield f"table=36,priority=80,ip,{outside},dl_dst={dl},actions=drop"
    yield f"table=37,priority=50,{outside},dl_dst={dl},actions=resubmit(,38)"
    yield f"table=39,priority=100,{outside},actions=output:null"


def ovn_acl(r, net, i):
    """One rule; two tables, at the way in and at the way out, have such lists."""
    table, peer, meta = r.choice((9, 30)), ovn_ip(net, r.randrange(N_PORTS)), f"metadata={net + 1}"
    reg = f"reg{14 if table == 9 else 15}={r.randrange(N_PORTS) + 1}"
    what = (f"tcp,nw_src={ip_text(peer)},tp_dst={r.randrange(1, 2000)}",
            f"udp,nw_dst={ip_text(peer)},tp_dst={i + 2000}",
            f"udp,nw_src={ip_text(peer & ~7, 29)},tp_dst={i * 4 + 4096:#x}/0xfffc", f"icmp,nw_dst={ip_text(peer)}")
    act = "drop" if i % 3 == 0 else f"resubmit(,{table + 1})"
    return f"table={table},priority={1000 + i},{meta},{reg},{what[i % 4]},actions={act}"


def ovn(n_frames):
    r = random.Random(1)
    rules = [rule for net in range(N_NETS) for port in range(N_PORTS) for rule in ovn_port_rules(net, port)]
    for net in range(N_NETS):
        rules += [f"table={t},priority=0,metadata={net + 1},actions=resubmit(,{t + 1})" for t in range(1, LAST)]
        rules += [f"table={t},priority=110,metadata={net + 1},dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,"
                  f"actions=resubmit(,{t + 1})" for t in (5, 6, 24, 26, 27)]
        seen = {}
        for i in range(N_ACLS * 2):
            rule = ovn_acl(r, net, i)
            seen[rule.partition(",actions")[0]] = rule
        rules += seen.values()
    frames = []
    for i in range(n_frames):
        net, a, b = r.randrange(N_NETS), r.randrange(N_PORTS), r.randrange(N_PORTS)
        frames.append(udp(ovn_ip(net, a), ovn_ip(net, b), 1024 + i % 60000, r.randrange(1024, 65536),
                          ovn_mac(net, a), ovn_mac(net, b), net * N_PORTS + a + 1))
    return rules, frames


# Filters, in the manner of ClassBench: prefixes nested in few networks, ports exact, wild or in aligned ranges.

PREFIXES = {"acl": ((32, 24, 16, 0), (32, 32, 28, 24)), "firewall": ((0, 0, 16, 24, 32), (32, 24, 0)),
            "forwarding": ((0,), (8, 16, 16, 19, 20, 22, 23, 24, 24, 24, 24, 32))}
PORTS = {"acl": (16, 16, 16, 0, 12, 8), "firewall": (16, 0, 0, 6, 10), "forwarding": (0,)}


class Filter:
    """One rule: values and lengths of source, destination and destination port."""

    def __init__(self, r, shape, networks):
        self.src_len, self.dst_len = (r.choice(lengths) for lengths in PREFIXES[shape])
        self.port_len = r.choice(PORTS[shape])
        spread = shape == "forwarding"
        self.src, self.dst = (cut(r.getrandbits(32) if spread else r.choice(networks) | r.getrandbits(16), n, 32)
                              for n in (self.src_len, self.dst_len))
        self.port = cut(r.getrandbits(16), self.port_len, 16)
        self.key = (self.src, self.dst, self.port, self.src_len, self.dst_len, self.port_len)

    def text(self, priority):
        s = f"priority={priority},udp"
        s += f",nw_src={ip_text(self.src, self.src_len)}" if self.src_len else ""
        s += f",nw_dst={ip_text(self.dst, self.dst_len)}" if self.dst_len else ""
        mask = 0xffff << (16 - self.port_len) & 0xffff
        s += f",tp_dst={self.port}/{mask:#x}" if self.port_len else ""
        return s

    def frame(self, r):
        """A packet that the rule is for."""
        return udp(self.src | r.getrandbits(32) >> self.src_len if self.src_len < 32 else self.src,
                   self.dst | r.getrandbits(32) >> self.dst_len if self.dst_len < 32 else self.dst,
                   r.randrange(1, 65536), self.port | r.getrandbits(16) >> self.port_len)


def cut(value, length, width):
    return value >> (width - length) << (width - length)


def filters(shape, n_rules, n_frames):
    r = random.Random(n_rules)
    networks = [r.getrandbits(16) << 16 for _ in range(64)]
    rules, n = {}, 0
    while len(rules) < n_rules and n < n_rules * 4:
        f = Filter(r, shape, networks)
        rules[f.key] = f
        n += 1
    some = list(rules.values())
    lines = []
    for i, f in enumerate(some):
        priority = 1 + f.dst_len if shape == "forwarding" else 60000 - i * 50000 // n_rules
        lines.append(f"{f.text(priority)},actions={EACH}")
    return lines, [r.choice(some).frame(r) for _ in range(n_frames)]


# Connection tracking.

TRACKED = ["table=0,ip,actions=ct(table=1)", "table=1,ip,ct_state=+new,actions=ct(commit),output:null",
           "table=1,ip,ct_state=+est,actions=output:null"]


# The tuple-space explosion.

def explosion_rules():
    """What a tenant may put in: an allowed service, and a rule for each field on its own."""
    return ["priority=400,udp,tp_dst=80,actions=output:null", "priority=300,udp,nw_src=10.0.0.1,actions=output:null",
            "priority=200,udp,nw_dst=10.0.0.2,actions=output:null", "priority=100,udp,tp_src=12345,actions=output:null",
            "priority=1,actions=drop"]


def explosion_frames():
    """Each differs from the rules' values first in another bit of each field: every combination of prefixes."""
    r = random.Random(3)
    combinations = [(a, b, c, d) for a in range(32) for b in range(32) for c in range(16) for d in range(16)]
    r.shuffle(combinations)
    for a, b, c, d in combinations:
        yield udp(0x0a000001 ^ 1 << a, 0x0a000002 ^ 1 << b, 12345 ^ 1 << c, 80 ^ 1 << d)
