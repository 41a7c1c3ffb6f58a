#!/usr/bin/env python3
"""Sends raw OpenFlow messages to a switch and prints what comes back, one message in hexadecimal a line.

    of_send.py SOCKET VERSION TYPE:BODY...

VERSION is the wire version (1 to 6).  Each message is of type number TYPE with the bytes BODY in hexadecimal; its xid
is its place in the list, from 1.  A barrier follows each one; what arrives before its answer is printed behind the
message's number.  In BODY, '{TYPE:BODY}' stands for a whole message with the same xid (for bundles)."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from openflow_peer import Peer, message  # noqa: E402


def body_of(version, xid, text):
    found = b""
    for literal, kind, inner in re.findall(r"([0-9a-fA-F]+)|\{(\d+):([0-9a-fA-F]*)\}", text.replace(" ", "")):
        found += bytes.fromhex(literal) if literal else message(version, int(kind), bytes.fromhex(inner), xid)
    return found


def main():
    path, version = sys.argv[1], int(sys.argv[2])
    peer = Peer(path, version)
    for xid, text in enumerate(sys.argv[3:], 1):
        kind, _, body = text.partition(":")
        for answer in peer.exchange(message(version, int(kind), body_of(version, xid, body), xid)):
            print(f"{xid}: {answer.hex()}")


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        sys.exit("connection closed")
