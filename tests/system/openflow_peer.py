"""A client of OpenFlow on BRIDGE.mgmt that sends bytes as a test has them."""
import socket
import struct
import time

HELLO, ECHO = 0, 2


def message(version, kind, body=b"", xid=1):
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


class Peer:
    """Connected, and the switch's hello has been read."""

    def __init__(self, place, version):
        self.version = version
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(f"{place.root}{place.dir}/br0.mgmt")
        self.send(message(version, HELLO))
        self.read()

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read(self):
        header = self.exactly(8)
        return header + self.exactly(struct.unpack_from("!H", header, 2)[0] - 8)

    def echo(self):
        """Milliseconds until an echo request is answered."""
        start = time.monotonic()
        self.send(message(self.version, ECHO))
        self.read()
        return (time.monotonic() - start) * 1000
