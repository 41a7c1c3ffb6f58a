#!/usr/bin/python3
"""Thousands of odd frames through Debian's `ovs-ofctl parse-pcap` and through ours: the same fields must come out
(usage: frames.py SHOW_FRAME [SEED...])."""
import ipaddress
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

FRAMES = 2000


def some(n):
    return random.randbytes(n)


def transport(proto):
    if proto == 6:
        b = some(12) + bytes([random.choice([0x50, 0x40, 0x60, 0xf0, 0x51])]) + some(17)
    elif proto == 58 and random.random() < .7:
        b = bytes([random.choice([135, 136]), random.choice([0, 0, 0, 1])]) + some(22)
        for _ in range(random.randrange(3)):
            length = random.choice([1, 1, 1, 2, 0])
            b += bytes([random.choice([1, 2, 3]), length]) + some(6 + 8 * max(0, length - 1))
    else:
        b = some(random.choice([4, 8, 20, 32]))
    return b if random.random() < .7 else b[:random.randrange(len(b) + 1)]


def ipv6_payload():
    """First header number and payload: extension headers, good and bad, and a transport header."""
    types = [random.choice([0, 43, 60, 51, 44, 135]) for _ in range(random.randrange(4))]
    types.append(random.choice([6, 17, 58, 132, 59, 47]))
    out = b""
    for this, following in zip(types, types[1:]):
        if this == 44:
            out += bytes([following, 0]) + struct.pack("!H", random.choice([0, 0, 1, 2, 8, 9, 0xfff8])) + some(4)
        elif this == 51:
            n = random.choice([0, 1, 2, 4, 9])
            out += bytes([following, n]) + some((n + 2) * 4 - 2)
        else:
            n = random.choice([0, 0, 1, 2, 200])
            out += bytes([following, n]) + some((n + 1) * 8 - 2 if n < 200 else 6)
    return types[0], out + transport(types[-1])


def ipv4():
    proto, words = random.choice([1, 2, 6, 6, 17, 17, 132, 50]), random.choice([5] * 6 + [6, 4, 15])
    options, payload = some(max(0, words * 4 - 20)), transport(proto)
    total = 20 + len(options) + len(payload)
    total = random.choice([total] * 6 + [total - 1, total + 1, 19, 20, 0, 0xffff, len(payload)])
    fragment = random.choice([0] * 6 + [0x2000, 0x2001, 1, 0x4000, 0x8000, 0x6000])
    version = random.choice([0x40] * 9 + [0x50])
    return (bytes([version | words]) + some(1) + struct.pack("!H", total) + some(2) + struct.pack("!H", fragment) +
            some(1) + bytes([proto]) + some(10) + options + payload)


def ipv6():
    first, payload = ipv6_payload()
    n = random.choice([len(payload)] * 6 + [max(0, len(payload) - 1), len(payload) + 1, 0])
    version = random.choice([0x60] * 9 + [0x40])
    return (bytes([version | random.getrandbits(4)]) + some(3) + struct.pack("!H", n) + bytes([first]) + some(33) +
            payload)


def arp():
    return struct.pack("!HHBBH", random.choice([1, 1, 1, 6]), random.choice([0x800, 0x800, 0x86dd]), 6,
                       random.choice([4, 4, 4, 5]), random.choice([1, 2, 3, 0, 255, 256, 257])) + some(20)


def mpls():
    labels = b"".join(some(2) + bytes([random.getrandbits(8) & 0xfe]) + some(1) for _ in range(random.randrange(5)))
    return labels + some(2) + bytes([random.getrandbits(8) | 1]) + some(11)


def frame():
    f = some(12)
    for _ in range(random.choice([0, 0, 0, 1, 1])):
        f += struct.pack("!HH", random.choice([0x8100, 0x88a8]), random.getrandbits(16))
    kind = random.choice([0x800] * 4 + [0x86dd] * 5 + [0x806, 0x8035, 0x8847, 0x8848, 0x1234, 0x5ff, 0x40, 0x600, 0])
    f += struct.pack("!H", kind)
    if kind < 0x600:
        kind = random.choice([0x800, 0x806, 5, 0x86dd])
        f += random.choice([b"\xaa\xaa\3\0\0\0", b"\xaa\xaa\3\0\0\1", b"\x42\x42\3\0\0\0"]) + struct.pack("!H", kind)
    f += {0x800: ipv4, 0x86dd: ipv6, 0x806: arp, 0x8035: arp, 0x8847: mpls, 0x8848: mpls}.get(kind, lambda: some(8))()
    chance = random.random()
    if chance < .15:
        return f[:random.randrange(14, len(f) + 1)]
    return f + some(random.randrange(1, 9)) if chance < .3 else f


PROTOCOLS = {"ip": (0x800,), "tcp": (0x800, 6), "udp": (0x800, 17), "icmp": (0x800, 1), "sctp": (0x800, 132),
             "ipv6": (0x86dd,), "tcp6": (0x86dd, 6), "udp6": (0x86dd, 17), "icmp6": (0x86dd, 58),
             "sctp6": (0x86dd, 132), "arp": (0x806,), "rarp": (0x8035,), "mpls": (0x8847,), "mplsm": (0x8848,)}
TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128, "ns": 256}


def number(text):
    return int(text, 0)


def mac(text):
    return int(text.replace(":", ""), 16)


def address(text):
    return int(ipaddress.ip_address(text))


def fragment_bits(text):
    return {"no": 0, "first": 1, "later": 3}[text]


def tcp_flag_bits(text):
    bits = 0
    for word in text.split("|"):
        bits |= TCP_FLAGS[word] if word in TCP_FLAGS else int(word.strip("[]"), 16)
    return bits


# Name in the reference's text: names of our fields, reader.
READERS = {"dl_src": ("eth_src", mac), "dl_dst": ("eth_dst", mac), "dl_type": ("eth_type", number),
           "vlan_tci": ("vlan_tci", number), "nw_src": ("ip_src", address), "nw_dst": ("ip_dst", address),
           "arp_spa": ("ip_src", address), "arp_tpa": ("ip_dst", address), "nw_proto": ("nw_proto", number),
           "arp_op": ("nw_proto", number), "nw_ttl": ("nw_ttl", number), "tp_src": ("tcp_src", number),
           "tp_dst": ("tcp_dst", number), "icmp_type": ("tcp_src", number), "icmp_code": ("tcp_dst", number),
           "ipv6_src": ("ipv6_src", address), "ipv6_dst": ("ipv6_dst", address), "ipv6_label": ("ipv6_label", number),
           "arp_sha": ("arp_sha", mac), "arp_tha": ("arp_tha", mac), "nd_sll": ("arp_sha", mac),
           "nd_tll": ("arp_tha", mac), "nd_target": ("nd_target", address), "nw_frag": ("ip_frag", fragment_bits),
           "tcp_flags": ("tcp_flags", tcp_flag_bits)}
OURS = {name for name, _ in READERS.values()} | {"ip_dscp", "nw_ecn"}


def reference_fields(line):
    words = dict((w.partition("=")[::2]) for w in line.split(","))
    fields = {}
    for word in words:
        for name, value in zip(("eth_type", "nw_proto"), PROTOCOLS.get(word, ())):
            fields[name] = value
    for word, text in words.items():
        if word in READERS:
            name, read = READERS[word]
            fields[name] = read(text)
    if "dl_vlan" in words:
        fields["vlan_tci"] = 0x1000 | number(words["dl_vlan"]) | number(words.get("dl_vlan_pcp", "0")) << 13
    if "nw_tos" in words:
        fields["ip_dscp"] = number(words["nw_tos"]) >> 2
        fields["nw_ecn"] = number(words.get("nw_ecn", "0"))
    return {name: value for name, value in fields.items() if value}


def our_fields(line):
    fields = {name: int(digits, 16) for name, _, digits in (w.partition("=") for w in line.split())}
    return {name: value for name, value in fields.items() if name in OURS}


def compare(show_frame, seed):
    random.seed(seed)
    frames = [frame() for _ in range(FRAMES)]
    with tempfile.TemporaryDirectory() as at:
        path = os.path.join(at, "frames.pcap")
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for x in frames:
                f.write(struct.pack("<IIII", 0, 0, len(x), len(x)) + x)
        theirs, ours = (subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
                        for command in (["ovs-ofctl", "parse-pcap", path], [show_frame, path]))
    if len(theirs) != FRAMES or len(ours) != FRAMES:
        raise SystemExit(f"{len(theirs)} and {len(ours)} lines for {FRAMES} frames")
    n_bad = 0
    for x, a, b in zip(frames, theirs, ours):
        want, have = reference_fields(a), our_fields(b)
        if want != have:
            n_bad += 1
            differing = {n for n in want.keys() | have.keys() if want.get(n) != have.get(n)}
            print(f"{x.hex()}\n  reference {a}")
            for name in sorted(differing):
                print(f"  {name}: {want.get(name)} there, {have.get(name)} here")
    return n_bad


def main():
    if not shutil.which("ovs-ofctl"):
        print("skipped: there is no ovs-ofctl of Debian's")
        return 77
    n_bad = sum(compare(sys.argv[1], seed) for seed in sys.argv[2:] or ("1", "2", "3"))
    print(f"{n_bad} differences")
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
