"""A controller that answers and counts: fake_controller.py PORT|unix:SOCKET FILE

Speaks OpenFlow 1.3 to any number of switches: hello, echo; asks once to be the master if FILE.master exists.  Each
message received is counted by type in FILE, as JSON."""
import json
import os
import socket
import struct
import sys
import threading

HELLO, ECHO_REQUEST, ECHO_REPLY, ROLE_REQUEST = 0, 2, 3, 24
MASTER = 2
counts = {}


def message(kind, body=b"", xid=1):
    return struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body


def read(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def serve(connection, path):
    connection.sendall(message(HELLO))
    if os.path.exists(path + ".master"):
        connection.sendall(message(ROLE_REQUEST, struct.pack("!I4xQ", MASTER, 1)))
    try:
        while True:
            _, kind, length, xid = struct.unpack("!BBHI", read(connection, 8))
            body = read(connection, length - 8)
            if kind == ECHO_REQUEST:
                connection.sendall(message(ECHO_REPLY, body, xid))
            counts[kind] = counts.get(kind, 0) + 1
            with open(path + ".new", "w", encoding="ascii") as f:
                json.dump(counts, f)
            os.rename(path + ".new", path)
    except (EOFError, OSError):
        connection.close()


def main():
    if sys.argv[1].startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1].removeprefix("unix:"))
        listener.listen()
    else:
        listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, sys.argv[2]), daemon=True).start()


main()
