#!/usr/bin/env python3
"""A flow monitor that does not read while flows change: slow_monitor.py SOCKET VERSION

VERSION is the wire version: 1, 4 or 5.  Prints what it was told about the flows that matter, pauses included, and
whether what it was told amounts to the flows that are there in the end."""
import struct
import sys

from of_send import Peer, message

N = 20_000
NX, ONF = 0x2320, 0x4f4e4600
ADD, MODIFY, DELETE = 0, 2, 4  # Flow-mod commands, the strict ones.
NEW = N + 5


def flow_mod(version, command, cookie, port=0):
    action = struct.pack("!HHHH", 0, 8, port, 0) if version == 1 else struct.pack("!HHIH6x", 0, 16, port, 0)
    if version == 1:
        wildcards = 0x3fffff & ~0x10 & ~(0x3f << 14)
        match = struct.pack("!IH12xHBxHBBxxIIHH", wildcards, 0, 0, 0, 0x800, 0, 0, 0, cookie, 0, 0)
        return message(1, 14, match + struct.pack("!QHHHHIHH", cookie, command, 0, 0, 5, 0xffffffff, 0xffff, 0) +
                       (action if port else b""))
    match = struct.pack("!HHIHII2x", 1, 18, 0x80000a02, 0x800, 0x80001804, cookie) + b"\0" * 4
    return message(version, 14, struct.pack("!QQBBHHHIIIHH", cookie, 0, 0, command, 0, 0, 5, 0xffffffff, 0xffffffff,
                                            0xffffffff, 0, 0) + match +
                   (struct.pack("!HHI", 4, 8 + len(action), 0) + action if port else b""))


def monitor_request(version):
    if version == 1:
        return message(1, 16, struct.pack("!HHIII", 0xffff, 0, NX, 2, 0) +
                       struct.pack("!IHHHB5x", 1, 0x3f, 0xffff, 0, 0xff))
    if version == 4:
        return message(4, 18, struct.pack("!HHIII", 0xffff, 0, 0, ONF, 1870) +
                       struct.pack("!IHHIB3x", 1, 0x3f, 4, 0xffffffff, 0xff) + struct.pack("!HHI", 1, 4, 0))
    return message(version, 18, struct.pack("!HHI", 16, 0, 0) +
                   struct.pack("!IIIHBB", 1, 0xffffffff, 0xffffffff, 0x5f, 0xff, 0) + struct.pack("!HHI", 1, 4, 0))


def events(version, got):
    """The events of one message, as (name, cookie)."""
    names = ("initial", "added", "deleted", "modified", "abbreviated", "paused", "resumed") if version == 5 else \
            ("added", "deleted", "modified", "abbreviated")
    if got[1] == 4:
        yield {22: "paused", 23: "resumed", 1871: "paused", 1872: "resumed"}[struct.unpack_from("!I", got, 12)[0]], 0
        return
    at = 16 if version == 5 else 24
    while at < len(got):
        length, event = struct.unpack_from("!HH", got, at)
        yield names[event], struct.unpack_from("!Q", got, at + 16)[0] if length >= 24 else 0
        at += length


def main():
    path, version = sys.argv[1], int(sys.argv[2])
    monitor, other = Peer(path, version), Peer(path, version)
    monitor.exchange(monitor_request(version))
    answers = other.exchange(b"".join(flow_mod(version, ADD, i) for i in range(1, N + 1)))
    answers += other.exchange(b"".join((flow_mod(version, DELETE, 1), flow_mod(version, DELETE, N),
                                        flow_mod(version, MODIFY, 2, 3), flow_mod(version, MODIFY, N - 1, 3),
                                        flow_mod(version, ADD, NEW), flow_mod(version, ADD, 3, 4))))
    for answer in answers:
        print("error", answer.hex())
    known, resumed = set(), False
    while not resumed:
        for name, cookie in events(version, monitor.read()):
            if name in ("paused", "resumed") or cookie in (1, 2, 3, N - 1, N, NEW):
                print(name, {N - 1: "last-but-one", N: "last", NEW: "new"}.get(cookie, cookie or ""))
            resumed |= name == "resumed"
            if name in ("added", "deleted"):
                (known.add if name == "added" else known.discard)(cookie)
    print("as it is" if known == {*range(2, N), NEW} else f"wrong: {len(known)} flows")


if __name__ == "__main__":
    main()
