"""Byte streams by name: "unix:FILE", "tcp:HOST:PORT", "ssl:HOST:PORT"; passive ones, "punix:FILE" and
"ptcp:PORT[:HOST]".

Errors are positive errno values, but for Stream.send()."""
import errno
import os
import socket
import ssl

import ovs.fatal_signal
import ovs.poller
import ovs.socket_util
import ovs.timeval
import ovs.vlog

vlog = ovs.vlog.Vlog("stream")


def stream_or_pstream_needs_probes(name):
    """Whether a lost connection of the kind of 'name' may go unnoticed; None if there is no such kind."""
    cls = Stream._find_method(name)
    if cls:
        return cls.needs_probes()
    return PassiveStream.needs_probes(name) if PassiveStream.is_valid_name(name) else None


class Stream:
    """A connection, or one that is being made; connect() tells."""
    IPTOS_PREC_INTERNETCONTROL = 0xc0
    DSCP_DEFAULT = IPTOS_PREC_INTERNETCONTROL >> 2

    W_CONNECT = 0
    W_RECV = 1
    W_SEND = 2

    S_CONNECTING = 0
    S_CONNECTED = 1
    S_DISCONNECTED = 2

    _SSL_private_key_file = None
    _SSL_certificate_file = None
    _SSL_ca_cert_file = None
    _SOCKET_METHODS = {}

    @staticmethod
    def register_method(method, cls):
        """Makes open() serve names that begin with 'method' by the class 'cls'."""
        Stream._SOCKET_METHODS[f"{method}:"] = cls

    @staticmethod
    def _find_method(name):
        return next((cls for method, cls in Stream._SOCKET_METHODS.items() if name.startswith(method)), None)

    @staticmethod
    def is_valid_name(name):
        return bool(Stream._find_method(name))

    def __init__(self, socket, name, status, pipe=None, is_server=False):
        """'status' is 0 if 'socket' is connected, EAGAIN while it is being connected, else what went wrong."""
        self.socket = socket
        self.pipe = None
        self.name = name
        if status == errno.EAGAIN:
            self.state = Stream.S_CONNECTING
        else:
            self.state = Stream.S_DISCONNECTED if status else Stream.S_CONNECTED
        self.error = 0 if status == errno.EAGAIN else status

    def __del__(self):
        # Nobody can use it any more; the attribute is missing if __init__() failed.
        if getattr(self, "socket", None) is not None:
            self.socket.close()

    @staticmethod
    def open(name, dscp=DSCP_DEFAULT):
        """Starts to connect to 'name'.  Returns (0, stream), connected or on the way, or (errno, None)."""
        cls = Stream._find_method(name)
        if not cls:
            return errno.EAFNOSUPPORT, None
        error, sock = cls._open(name.partition(":")[2], dscp)
        if error:
            return error, None
        status = cls.check_connection_completion(sock)
        if status and status != errno.EAGAIN:
            sock.close()
            return status, None
        return 0, cls(sock, name, status)

    @staticmethod
    def _open(suffix, dscp):
        raise NotImplementedError("This method must be overrided by subclass")

    @staticmethod
    def open_block(error_stream, timeout=None):
        """Waits until the result of open() is connected, 'timeout' milliseconds at most (None or negative: as long as
        it takes).  Returns the like."""
        error, stream = error_stream
        if error:
            return error, None
        deadline = None if timeout is None or timeout < 0 else ovs.timeval.msec() + timeout
        while True:
            error = stream.connect()
            if error != errno.EAGAIN:
                break
            if deadline is not None and ovs.timeval.msec() >= deadline:
                error = errno.ETIMEDOUT
                break
            stream.run()
            poller = ovs.poller.Poller()
            stream.run_wait(poller)
            stream.connect_wait(poller)
            if deadline is not None:
                poller.timer_wait_until(deadline)
            poller.block()
        if error:
            stream.close()
            return error, None
        return 0, stream

    @staticmethod
    def check_connection_completion(sock):
        return ovs.socket_util.check_connection_completion(sock)

    def connect(self):
        """0 if connected, EAGAIN while it is on the way, else what went wrong."""
        if self.state == Stream.S_CONNECTING:
            status = self.check_connection_completion(self.socket)
            if status != errno.EAGAIN:
                self.state = Stream.S_DISCONNECTED if status else Stream.S_CONNECTED
                self.error = status
        if self.state == Stream.S_CONNECTING:
            return errno.EAGAIN
        return self.error if self.state == Stream.S_DISCONNECTED else 0

    def recv(self, n):
        """Up to 'n' bytes: (0, BYTES); (0, b"") at the end; (errno, ""), EAGAIN if there is nothing yet."""
        error = self.connect()
        if error:
            return error, ""
        if n == 0:
            return 0, ""
        try:
            return 0, self._recv(n)
        except OSError as e:
            return ovs.socket_util.get_exception_errno(e), ""

    def _recv(self, n):
        return self.socket.recv(n)

    def send(self, buf):
        """Sends what it can of 'buf'.  Returns how many bytes; a negative errno value, -EAGAIN if none just now."""
        error = self.connect()
        if error:
            return -error
        if not buf:
            return 0
        try:
            return self._send(buf.encode() if isinstance(buf, str) else buf)
        except OSError as e:
            return -ovs.socket_util.get_exception_errno(e)

    def _send(self, buf):
        return self.socket.send(buf)

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        self.state = Stream.S_DISCONNECTED
        self.error = self.error or errno.ENOTCONN

    def run(self):
        pass

    def run_wait(self, poller):
        pass

    def wait(self, poller, wait):
        """Has 'poller' wake up when it makes sense to connect(), recv() or send(): 'wait' is W_CONNECT, W_RECV or
        W_SEND."""
        assert wait in (Stream.W_CONNECT, Stream.W_RECV, Stream.W_SEND)
        if self.state == Stream.S_DISCONNECTED:
            poller.immediate_wake()
            return
        if self.state == Stream.S_CONNECTING:
            wait = Stream.W_CONNECT
        poller.fd_wait(self.socket, self._events(wait))

    def _events(self, wait):
        return ovs.poller.POLLIN if wait == Stream.W_RECV else ovs.poller.POLLOUT

    def connect_wait(self, poller):
        self.wait(poller, Stream.W_CONNECT)

    def recv_wait(self, poller):
        self.wait(poller, Stream.W_RECV)

    def send_wait(self, poller):
        self.wait(poller, Stream.W_SEND)

    @staticmethod
    def ssl_set_private_key_file(file_name):
        Stream._SSL_private_key_file = file_name

    @staticmethod
    def ssl_set_certificate_file(file_name):
        Stream._SSL_certificate_file = file_name

    @staticmethod
    def ssl_set_ca_cert_file(file_name):
        Stream._SSL_ca_cert_file = file_name


class PassiveStream:
    """Listens for connections."""

    def __init__(self, sock, name, bind_path, pipe=None):
        self.name = name
        self.pipe = None
        self.socket = sock
        self.bind_path = bind_path

    def __del__(self):
        if getattr(self, "socket", None) is not None:
            self.socket.close()

    @staticmethod
    def needs_probes(name):
        return name.startswith("ptcp:")

    @staticmethod
    def is_valid_name(name):
        return name.startswith(("punix:", "ptcp:"))

    @staticmethod
    def open(name):
        """Starts to listen at 'name': (0, pstream) or (errno, None)."""
        if not PassiveStream.is_valid_name(name):
            return errno.EAFNOSUPPORT, None
        kind, _, rest = name.partition(":")
        bind_path = rest if kind == "punix" else None
        if bind_path is not None:
            error, sock = ovs.socket_util.make_unix_socket(socket.SOCK_STREAM, True, bind_path, None)
        else:
            error, sock = PassiveStream._listen_tcp(rest)
        if error:
            return error, None
        try:
            sock.listen(10)
        except OSError as e:
            vlog.err(f"{name}: listen: {os.strerror(e.errno)}")
            sock.close()
            return e.errno, None
        return 0, PassiveStream(sock, name, bind_path)

    @staticmethod
    def _listen_tcp(rest):
        """Binds a socket to "PORT[:HOST]"; (errno or 0, socket)."""
        port, _, host = rest.partition(":")
        if not port.isdecimal() and rest.rpartition(":")[2].isdecimal():
            host, _, port = rest.rpartition(":")  # Programs that have it the other way round have been served.
        if not port.isdecimal() or int(port) > 65535:
            return errno.EINVAL, None
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        sock = None
        try:
            family, _, _, _, address = socket.getaddrinfo(host or "::", int(port), type=socket.SOCK_STREAM,
                                                          flags=socket.AI_PASSIVE)[0]
            sock = socket.socket(family, socket.SOCK_STREAM, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(host)))
            ovs.socket_util.set_nonblocking(sock)
            sock.bind(address)
        except socket.gaierror:
            return errno.ENOENT, None
        except OSError as e:
            if sock:
                sock.close()
            return ovs.socket_util.get_exception_errno(e), None
        return 0, sock

    def close(self):
        """Stops listening and removes the socket's file."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.bind_path is not None:
            ovs.fatal_signal.unlink_file_now(self.bind_path)
            self.bind_path = None

    def accept(self):
        """A connection that has come: (0, stream), or (errno, None), EAGAIN if there is none."""
        while True:
            try:
                sock, addr = self.socket.accept()
                ovs.socket_util.set_nonblocking(sock)
            except OSError as e:
                error = ovs.socket_util.get_exception_errno(e)
                if error == errno.ECONNABORTED:
                    continue
                if error != errno.EAGAIN:
                    vlog.dbg(f"accept: {os.strerror(error)}")
                return error, None
            if sock.family == socket.AF_UNIX:
                return 0, Stream(sock, "unix:" + (addr.decode() if isinstance(addr, bytes) else addr), 0)
            host = f"[{addr[0]}]" if sock.family == socket.AF_INET6 else addr[0]
            return 0, Stream(sock, f"tcp:{host}:{addr[1]}", 0)

    def wait(self, poller):
        poller.fd_wait(self.socket, ovs.poller.POLLIN)


class UnixStream(Stream):
    @staticmethod
    def needs_probes():
        return False

    @staticmethod
    def _open(suffix, dscp):
        return ovs.socket_util.make_unix_socket(socket.SOCK_STREAM, True, None, suffix)


class TCPStream(Stream):
    @staticmethod
    def needs_probes():
        return True

    @staticmethod
    def _open(suffix, dscp):
        return ovs.socket_util.inet_open_active(socket.SOCK_STREAM, suffix, 0, dscp)


class SSLStream(Stream):
    """TLS with both sides' certificates: the files set by Stream.ssl_set_*_file()."""

    def __init__(self, socket, name, status, pipe=None, is_server=False):
        super().__init__(socket, name, status, pipe, is_server)
        self._wants = 0  # What an operation that could not go on waits for: a poller event.

    @staticmethod
    def needs_probes():
        return True

    @staticmethod
    def _context():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # Certificates name switches and controllers, not hosts.
        context.load_verify_locations(Stream._SSL_ca_cert_file)
        context.load_cert_chain(Stream._SSL_certificate_file, Stream._SSL_private_key_file)
        return context

    @staticmethod
    def _open(suffix, dscp):
        for file, what in ((Stream._SSL_private_key_file, "Private key"), (Stream._SSL_certificate_file, "Certificate"),
                           (Stream._SSL_ca_cert_file, "CA certificate")):
            if not file:
                vlog.err(f"{what} must be configured to use SSL")
                return errno.ENOPROTOOPT, None
        try:
            context = SSLStream._context()
        except ssl.SSLError as e:
            vlog.err(f"SSL: {e.reason or e}")
            return errno.EPROTO, None
        except OSError as e:
            vlog.err(f"SSL: {os.strerror(e.errno)}")
            return e.errno, None
        error, sock = ovs.socket_util.inet_open_active(socket.SOCK_STREAM, suffix, 0, dscp)
        if error:
            return error, None
        try:
            return 0, context.wrap_socket(sock, do_handshake_on_connect=False)
        except OSError as e:
            sock.close()
            return ovs.socket_util.get_exception_errno(e), None

    def connect(self):
        was_connecting = self.state == Stream.S_CONNECTING
        error = super().connect()
        if error or not (was_connecting or self._handshaking()):
            return error
        error = self._handshake()
        if error == errno.EAGAIN:
            self.state = Stream.S_CONNECTING
        elif error:
            self.state, self.error = Stream.S_DISCONNECTED, error
        return error

    def _handshaking(self):
        return self.state == Stream.S_CONNECTED and self.socket.version() is None

    def _handshake(self):
        self._wants = 0
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._wants = ovs.poller.POLLIN
            return errno.EAGAIN
        except ssl.SSLWantWriteError:
            self._wants = ovs.poller.POLLOUT
            return errno.EAGAIN
        except ssl.SSLError as e:
            vlog.warn(f"{self.name}: SSL handshake failed: {e.reason or e}")
            return errno.EPROTO
        except OSError as e:
            return ovs.socket_util.get_exception_errno(e)
        return 0

    def _retry(self, error):
        """The error of an operation that TLS could not finish."""
        if isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
            self._wants = ovs.poller.POLLIN if isinstance(error, ssl.SSLWantReadError) else ovs.poller.POLLOUT
            return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        vlog.warn(f"{self.name}: SSL: {error.reason or error}")
        return OSError(errno.EPROTO, os.strerror(errno.EPROTO))

    def _recv(self, n):
        self._wants = 0
        try:
            return self.socket.recv(n)
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as e:
            raise self._retry(e)

    def _send(self, buf):
        self._wants = 0
        try:
            return self.socket.send(buf)
        except ssl.SSLError as e:
            raise self._retry(e)

    def wait(self, poller, wait):
        if wait == Stream.W_RECV and self.state == Stream.S_CONNECTED and self.socket.pending():
            poller.immediate_wake()  # What TLS has read already makes no descriptor ready.
            return
        super().wait(poller, wait)

    def _events(self, wait):
        return self._wants or super()._events(wait)

    def close(self):
        if self.socket is not None and self.state == Stream.S_CONNECTED:
            try:
                self.socket.unwrap()
            except OSError:
                pass  # The peer may be gone already.
        super().close()


Stream.register_method("unix", UnixStream)
Stream.register_method("tcp", TCPStream)
Stream.register_method("ssl", SSLStream)


def usage(name):
    return f"""
Active {name} connection methods:
  unix:FILE               Unix domain socket named FILE
  tcp:HOST:PORT           TCP socket to HOST with port no of PORT
  ssl:HOST:PORT           SSL socket to HOST with port no of PORT

Passive {name} connection methods:
  punix:FILE              Listen on Unix domain socket FILE
  ptcp:PORT[:HOST]        Listen on TCP port PORT (of the address HOST)
"""
