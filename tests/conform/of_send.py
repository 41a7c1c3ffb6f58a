#!/usr/bin/env python3
"""Sends raw OpenFlow messages to a switch and prints what comes back, one message in hexadecimal a line.

    of_send.py SOCKET VERSION TYPE:BODY...

VERSION is the wire version (1 to 6).  Each message is of type number TYPE with the bytes BODY in hexadecimal; its xid
is its place in the list, from 1.  A barrier follows each one; what arrives before its answer is printed behind the
message's number.  In BODY, '{TYPE:BODY}' stands for a whole message with the same xid (for bundles)."""
import re
import socket
import struct
import sys

TIMEOUT = 20
BARRIER_XID = 0x10000


def message(version, kind, xid, body):
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def body_of(version, xid, text):
    found = b""
    for literal, kind, inner in re.findall(r"([0-9a-fA-F]+)|\{(\d+):([0-9a-fA-F]*)\}", text.replace(" ", "")):
        found += bytes.fromhex(literal) if literal else message(version, int(kind), xid, bytes.fromhex(inner))
    return found


class Connection:
    def __init__(self, path, version):
        self.version, self.buffer = version, b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.socket.sendall(struct.pack("!BBHIHHI", version, 0, 16, 0, 1, 8, 1 << version))
        self.receive()

    def receive(self):
        while len(self.buffer) < 8 or len(self.buffer) < struct.unpack_from("!H", self.buffer, 2)[0]:
            data = self.socket.recv(65536)
            if not data:
                raise SystemExit("connection closed")
            self.buffer += data
        n = struct.unpack_from("!H", self.buffer, 2)[0]
        found, self.buffer = self.buffer[:n], self.buffer[n:]
        return found

    def exchange(self, data, xid):
        """Returns what answers 'data', up to the answer to a barrier."""
        barrier = 18 if self.version == 1 else 20
        self.socket.sendall(data + message(self.version, barrier, BARRIER_XID + xid, b""))
        answers = []
        while True:
            got = self.receive()
            if struct.unpack_from("!I", got, 4)[0] == BARRIER_XID + xid and got[1] == barrier + 1:
                return answers
            answers.append(got)


def main():
    path, version = sys.argv[1], int(sys.argv[2])
    connection = Connection(path, version)
    for xid, text in enumerate(sys.argv[3:], 1):
        kind, _, body = text.partition(":")
        for answer in connection.exchange(message(version, int(kind), xid, body_of(version, xid, body)), xid):
            print(f"{xid}: {answer.hex()}")


if __name__ == "__main__":
    main()
