"""Sends three frames with different tags through eth0, or prints the tags of three frames that arrive there."""
import socket
import struct
import sys

SOL_PACKET, PACKET_AUXDATA, VLAN_VALID, TPID_VALID = 263, 8, 1 << 4, 1 << 6
TYPE = 0x88b5  # For experiments (IEEE 802).
MACS = bytes.fromhex("ffffffffffff020000000001")


def send():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("eth0", 0))
    for tag in (struct.pack("!HH", 0x8100, 0x6005), struct.pack("!HH", 0x88a8, 7), b""):
        s.send(MACS + tag + struct.pack("!H", TYPE) + bytes(50))


def tag_of(frame, auxiliary):
    for _, _, data in auxiliary:
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data)
        if status & VLAN_VALID:
            return f"{tpid if status & TPID_VALID else 0x8100:04x}:{tci:04x}"
    kind, tci = struct.unpack_from("!HH", frame, 12)
    return "none" if kind == TYPE else f"{kind:04x}:{tci:04x}"


def receive():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind(("eth0", 3))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.settimeout(10)
    print("ready", flush=True)
    n = 0
    while n < 3:
        frame, auxiliary, _, _ = s.recvmsg(2000, 100)
        if frame[:12] == MACS:
            print(tag_of(frame, auxiliary), flush=True)
            n += 1


send() if sys.argv[1] == "send" else receive()
