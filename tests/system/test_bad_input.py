"""Hostile input on every socket and wrong arguments to every tool: the daemon lives and serves the next request; the
tool says what was wrong and exits with status 1."""
import socket
import struct

import pytest
from place import switch_place

DAEMONS = ("ovsdb-server", "ovs-vswitchd")
# Text protocols (the database, the control sockets): JSON-RPC.
JSON = (b"\x00" * 64, b"\xff" * 4096, b"GET / HTTP/1.0\r\n\r\n", b"{", b'{"id":0,"method":"echo"', b"[" * 100000,
        b'{"id":0,"method":"echo","params":' + b"[" * 5000, b'"' + b"a" * 100000, b"]", b"{}", b"[]", b"null",
        b"1e999999",
        b'{"id":[],"method":7,"params":{}}', b'{"id":1,"method":"transact","params":["Open_vSwitch",{"op":3}]}',
        b'{"id":1,"method":"transact","params":[]}', b'{"id":1,"method":"monitor","params":[1,2,3]}',
        b'{"id":1,"method":"monitor","params":["Open_vSwitch",null,{"Bridge":{"columns":["nonsense"]}}]}',
        b'{"id":1,"result":null,"error":null}', b'{"id":1,"method":"\xc3\x28","params":[]}',
        b'{"id":1,"method":"\\ud800","params":["\\u0000"]}')


def of(version, kind, length, body=b"", xid=1):
    return struct.pack("!BBHI", version, kind, length, xid) + body


HELLO = of(4, 0, 8)
OPENFLOW = (b"", b"\x00" * 8, b"\xff" * 64, of(4, 0, 0), of(4, 0, 7), of(4, 0, 65535, b"\0" * 100),
            of(0, 0, 8), of(99, 0, 8),
            HELLO + of(4, 14, 8), HELLO + of(4, 14, 20, b"\xff" * 12), HELLO + of(4, 14, 200, b"\xff" * 192),
            HELLO + of(4, 18, 16, b"\xff" * 8), HELLO + of(4, 13, 24, b"\xff" * 16), HELLO + of(4, 99, 8),
            HELLO + of(1, 14, 8), HELLO + of(4, 4, 16, b"\xff" * 8), HELLO + of(4, 2, 65535, b"\0" * 65527),
            HELLO + of(4, 15, 12, b"\xff" * 4), HELLO + of(4, 33, 16, b"\xff" * 8), HELLO[:5])


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(expected=r"\|vconn\|ERR\|") as p:
        p.sh("ovs-vsctl add-br br0")
        p.pids = {d: p.sh(f"cat /tmp/d/{d}.pid").strip() for d in DAEMONS}
        yield p


def send(path, data, half=False):
    """Connects, sends, perhaps waits for an answer, and goes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        try:
            s.sendall(data)
            if not half:
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # A peer may hang up on garbage.


def still_serves(place):
    for daemon, pid in place.pids.items():
        assert place.run(f"test -d /proc/{pid}").returncode == 0, f"{daemon} has died\n{place.log_tail()}"
        assert "(Open vSwitch)" in place.sh(f"ovs-appctl --timeout=10 -t {daemon} version")
    assert place.sh("ovs-vsctl --timeout=10 list-br") == "br0\n"
    assert "NORMAL" in place.sh("ovs-ofctl --timeout=10 dump-flows br0")


@pytest.mark.parametrize("half", (False, True))
@pytest.mark.parametrize("name", ("db.sock", *DAEMONS))
def test_a_json_socket_survives_garbage(place, name, half):
    file = name if name.endswith("sock") else f"{name}.{place.pids[name]}.ctl"
    for data in JSON:
        send(f"{place.root}/tmp/d/{file}", data, half)
    still_serves(place)


@pytest.mark.parametrize("half", (False, True))
def test_a_bridge_socket_survives_garbage(place, half):
    for data in OPENFLOW:
        send(f"{place.root}/tmp/d/br0.mgmt", data, half)
    still_serves(place)


@pytest.mark.parametrize("command", (
    "ovs-vsctl", "ovs-vsctl bogus", "ovs-vsctl --bogus show", "ovs-vsctl add-br", "ovs-vsctl add-br a b c d",
    "ovs-vsctl --no-wait add-br br0", "ovs-vsctl set bridge br0 nocolumn=1", "ovs-vsctl set bridge nobridge x=1",
    "ovs-vsctl --timeout=x show", "ovs-vsctl --db=nonsense show",
    "ovs-ofctl", "ovs-ofctl bogus", "ovs-ofctl dump-flows nobridge", "ovs-ofctl add-flow br0 nonsense",
    "ovs-ofctl add-flow br0 priority=65536,actions=drop", "ovs-ofctl add-flow br0 actions=bogus",
    "ovs-ofctl add-flows br0 /nonexistent", "ovs-ofctl -O OpenFlow99 dump-flows br0",
    "ovs-appctl", "ovs-appctl -t nothere version", "ovs-appctl -t ovs-vswitchd bogus/command", "ovs-appctl --bogus",
    "ovs-dpctl", "ovs-dpctl bogus", "ovsdb-client", "ovsdb-client bogus", "ovsdb-client get-schema unix:/nonexistent",
    "ovsdb-tool", "ovsdb-tool bogus", "ovsdb-tool create", "ovsdb-tool db-version /nonexistent",
    "ovsdb-server --bogus", "ovsdb-server /nonexistent/db", "ovs-vswitchd --bogus", "ovs-vswitchd a b c"))
def test_wrong_arguments_give_status_1_and_a_message(place, command):
    done = place.run(f"timeout 10 {command}")
    if command in ("ovs-appctl -t ovs-vswitchd bogus/command",):
        assert done.returncode == 2 and done.stderr
    else:
        assert done.returncode == 1 and done.stderr, (done.returncode, done.stdout, done.stderr)
    assert "Sanitizer" not in done.stderr, done.stderr
