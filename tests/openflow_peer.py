"""A client of OpenFlow on a Unix socket that sends bytes as a test has them."""
import socket
import struct
import time

HELLO, ERROR, ECHO = 0, 1, 2
BARRIER_XID = 0xfffffff0


def message(version, kind, body=b"", xid=1):
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def xid_of(data):
    return struct.unpack_from("!I", data, 4)[0]


def quoted(error, version):
    """The part of a request that an error message quotes."""
    kind, code = struct.unpack_from("!HH", error, 8)
    if kind == 0xffff:
        return error[16:]
    if kind == 0xb0c2 and not code and version < 3:
        return error[20:]
    return error[12:]


def mgmt(place, bridge="br0"):
    """Where a bridge of tests/system/place.py listens."""
    return f"{place.root}{place.dir}/{bridge}.mgmt"


class Peer:
    """Connected to a socket ('at' is its path, or a place whose br0 is meant); the version is agreed on, and the
    switch's hello has been read."""

    def __init__(self, at, version, timeout=60):
        self.version, self.buffer = version, b""
        self.barrier_type = 18 if version == 1 else 20
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(at if isinstance(at, str) else mgmt(at))
        self.send(message(version, HELLO, struct.pack("!HHI", 1, 8, 1 << version)))
        self.read()

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def read(self):
        while len(self.buffer) < 8 or len(self.buffer) < struct.unpack_from("!H", self.buffer, 2)[0]:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the switch has closed the connection")
            self.buffer += more
        n = struct.unpack_from("!H", self.buffer, 2)[0]
        found, self.buffer = self.buffer[:n], self.buffer[n:]
        return found

    def exchange(self, *messages):
        """What arrives up to the answer to a barrier behind the last message."""
        self.send(*messages, message(self.version, self.barrier_type, xid=BARRIER_XID))
        found = []
        while True:
            got = self.read()
            if got[1] == self.barrier_type + 1 and xid_of(got) == BARRIER_XID:
                return found
            found.append(got)

    def echo(self):
        """Milliseconds until an echo request is answered."""
        start = time.monotonic()
        self.send(message(self.version, ECHO))
        self.read()
        return (time.monotonic() - start) * 1000

    def close(self):
        self.socket.close()
