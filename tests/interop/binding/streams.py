"""ovs.stream, ovs.socket_util."""
import errno
import os
import socket
import tempfile

from show import call

import ovs.poller
import ovs.socket_util
import ovs.stream
from ovs.stream import PassiveStream, Stream


def names():
    for n in ("unix:x", "tcp:1.2.3.4:5", "ssl:1.2.3.4:5", "punix:x", "ptcp:5", "pssl:5", "x", "fd:3", "unix", "tcp:"):
        for f in (Stream.is_valid_name, PassiveStream.is_valid_name, ovs.stream.stream_or_pstream_needs_probes):
            call(f"{f.__name__} {n}", f, n)
    for n in ("x", "unix:/nonexistent", "tcp:127.0.0.1", "tcp:", "pssl:5"):
        call(n, Stream.open, n)
    for n in ("x", "punix:/nonexistent/x", "pssl:0"):
        call(n, PassiveStream.open, n)
    for n in ("1.2.3.4", "1.2.3.4:5", "[::1]:5", "host:99", "localhost", "", "1.2.3.4:x", ":5", "[fe80::1%eth0]:6640"):
        for port in (6640, 0):
            call(f"{n} {port}", ovs.socket_util.inet_parse_active, n, port)
    for n in ("1.2.3.4", "1.2.3", "::1", "", "256.1.1.1", "01.2.3.4"):
        call(n, ovs.socket_util.is_valid_ipv4_address, n)


def unix(directory):
    path = f"{directory}/socket"
    error, listener = PassiveStream.open(f"punix:{path}")
    print(error, listener.accept(), oct(os.stat(path).st_mode))
    error, stream = Stream.open(f"unix:{path}")
    print(error, stream.connect())
    poller = ovs.poller.Poller()
    listener.wait(poller)
    poller.timer_wait(5000)
    poller.block()
    error, accepted = listener.accept()
    print(error, accepted.name)
    talk(stream, accepted)
    listener.close()
    print(os.path.exists(path))


def talk(a, b):
    print(a.send(b"hello"), b.recv(3), b.recv(10), b.recv(10), b.recv(0), a.send(b""))
    poller = ovs.poller.Poller()
    a.send_wait(poller)
    b.recv_wait(poller)
    poller.block()
    n = 0
    while n >= 0:
        n = a.send(b"z" * 65536)
    print(n)
    b.close()
    print(a.recv(10)[0] in (0, errno.ECONNRESET), a.send(b"a") in (-errno.EPIPE, -errno.ECONNRESET))
    a.close()


def sockets(directory):
    path = f"{directory}/s"
    for mask in (0o22, 0o77, 0, 0o27):
        os.umask(mask)
        error, listener = ovs.socket_util.make_unix_socket(socket.SOCK_STREAM, True, path, None)
        print(error, oct(os.stat(path).st_mode), listener.getblocking())
        print(ovs.socket_util.make_unix_socket(socket.SOCK_STREAM, True, None, path))
        listener.close()
    os.umask(0o22)
    error, listener = ovs.socket_util.make_unix_socket(socket.SOCK_STREAM, True, path, None)
    listener.listen(5)
    error, sock = ovs.socket_util.make_unix_socket(socket.SOCK_STREAM, False, None, path)
    print(error, sock.getblocking(), ovs.socket_util.check_connection_completion(sock))
    for family, dscp in ((socket.AF_INET, 48), (socket.AF_INET, 64), (socket.AF_UNIX, 1)):
        s = socket.socket(socket.AF_INET)
        call(f"dscp {dscp}", ovs.socket_util.set_dscp, s, family, dscp)
        print(s.getsockopt(socket.IPPROTO_IP, socket.IP_TOS))
    r, w = os.pipe()
    print(ovs.socket_util.write_fully(w, b"abc"), os.read(r, 10), ovs.socket_util.write_fully(r, b"abc"))
    print(ovs.socket_util.get_null_fd() == ovs.socket_util.get_null_fd() > 2)


def tcp():
    listener = socket.create_server(("127.0.0.1", 0))
    name = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    error, stream = Stream.open_block(Stream.open(name), 5000)
    print(error, stream.name == name, stream.connect(), stream.socket.getsockopt(socket.IPPROTO_IP, socket.IP_TOS),
          stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    listener.close()
    print(Stream.open_block(Stream.open(name), 5000))
    print(Stream.open_block((errno.EIO, None)))


names()
with tempfile.TemporaryDirectory() as place:
    unix(place)
    sockets(place)
tcp()
