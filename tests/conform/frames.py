"""Random frames as hex digits, of the kinds that pipelines tell apart, among few hosts, so that some meet again."""
import struct

MACS = [f"50:54:00:00:00:{i:02x}" for i in range(1, 7)]
BROADCAST, BPDUS = "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:00"
LEARNED_BY_NOBODY = [BROADCAST, BPDUS, "01:00:5e:01:02:03"]


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def ipv4(src, dst, proto, payload, ttl=64, fragment=0):
    """'fragment' as in the header: flags and offset."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, fragment, ttl, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, proto, payload):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), proto, 64, src, dst) + payload


def transport(src, dst, proto, payload):
    """With the checksum that stands at its place in the protocol."""
    at = {6: 16, 17: 6, 58: 2}[proto]
    pseudo = src + dst + (struct.pack("!BBH", 0, proto, len(payload)) if len(src) == 4
                          else struct.pack("!II", len(payload), proto))
    return payload[:at] + struct.pack("!H", checksum(pseudo + payload) or 0xffff) + payload[at + 2:]


def udp(src, dst, sport, dport):
    return transport(src, dst, 17, struct.pack("!HHHH", sport, dport, 12, 0) + b"data")


def tcp(src, dst, sport, dport, flags):
    return transport(src, dst, 6, struct.pack("!HHIIBBHHH", sport, dport, 1, 1 if flags & 0x10 else 0, 0x50, flags,
                                              1000, 0, 0))


class Frames:
    def __init__(self, rand):
        self.rand = rand
        self.have_two_tags, self.have_bpdus = False, True

    def hosts(self):
        """Two of them, by number."""
        return self.rand.sample(range(1, 7), 2)

    def arp(self, a, b):
        op, target = self.rand.choice([(1, b), (1, a), (2, b)])
        return 0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, op, mac(MACS[a - 1]), bytes([10, 0, 0, a]),
                                   bytes(6), bytes([10, 0, 0, target]))

    def ip(self, a, b):
        src, dst = bytes([10, 0, 0, a]), bytes([10, 0, 0, b])
        kind = self.rand.choice(["udp", "udp", "tcp", "icmp", "first", "later", "ttl"])
        datagram = udp(src, dst, self.rand.randint(1, 3), self.rand.randint(1, 3))
        if kind == "tcp":
            return 0x0800, ipv4(src, dst, 6, tcp(src, dst, self.rand.randint(1, 3), 80, self.rand.choice([2, 18, 16])))
        if kind == "icmp":
            echo = struct.pack("!BBHHH", self.rand.choice([0, 8]), 0, 0, 1, 1)
            return 0x0800, ipv4(src, dst, 1, echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:])
        if kind in ("first", "later"):
            return 0x0800, ipv4(src, dst, 17, datagram + bytes(4) if kind == "first" else bytes(16),
                                fragment=0x2000 if kind == "first" else 2)
        return 0x0800, ipv4(src, dst, 17, datagram, ttl=1 if kind == "ttl" else 64)

    def ip6(self, a, b):
        src, dst = (bytes.fromhex("fe80" + "00" * 13) + bytes([n]) for n in (a, b))
        if self.rand.random() < 0.5:
            return 0x86dd, ipv6(src, dst, 17, udp(src, dst, 1, 2))
        kind = self.rand.choice([135, 136])
        option = struct.pack("!BB6s", kind - 134, 1, mac(MACS[a - 1]))
        return 0x86dd, ipv6(src, dst, 58, transport(src, dst, 58, struct.pack("!BBHI16s", kind, 0, 0, 0, dst) + option))

    def mpls(self, a, b):
        _, below = self.ip(a, b)
        labels = [self.rand.choice([16, 17]) << 12 | 64] * self.rand.choice([1, 1, 2])
        labels[-1] |= 0x100
        return 0x8847, struct.pack(f"!{len(labels)}I", *labels) + below

    def nsh(self, a, b):
        head = struct.pack("!HBBI", 0x0fc6, 1, 1, self.rand.choice([0x1ff, 0x2ff])) + bytes(range(16))
        return 0x894f, head + self.ip(a, b)[1]

    def unknown(self, a, b):
        return 0x1234, bytes(46)

    def frame(self):
        a, b = self.hosts()
        kind = self.rand.choices([self.ip, self.arp, self.ip6, self.mpls, self.nsh, self.unknown],
                                 [10, 3, 4, 3, 1, 2])[0]
        eth_type, payload = kind(a, b)
        vlan = self.rand.choice([None] * 5 + [0, 10, 10, 20])
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, self.rand.choice([0, 0, 3]) << 13 | vlan)
        if self.have_two_tags:
            for _ in range(self.rand.choice([0, 0, 1, 2])):
                pcp, vid = self.rand.choice([0, 0, 5]), self.rand.choice([0, 10, 20])
                tag += struct.pack("!HH", 0x8100, pcp << 13 | vid)
        dst = self.rand.choice([MACS[b - 1]] * 8 + [MACS[a - 1]] + LEARNED_BY_NOBODY)
        dst = BROADCAST if dst == BPDUS and not self.have_bpdus else dst
        return (mac(dst) + mac(MACS[a - 1]) + tag + struct.pack("!H", eth_type) + payload).hex()
