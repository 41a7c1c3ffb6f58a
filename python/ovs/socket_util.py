"""Sockets: Unix sockets with names of any length, TCP connections that are being made, and what Python lacks.

Functions return errors as positive errno values."""
import errno
import os
import socket
import tempfile

import ovs.fatal_signal
import ovs.vlog

vlog = ovs.vlog.Vlog("socket_util")

# What fits into a socket's address (struct sockaddr_un), its null byte not counted.
MAX_UNIX_PATH = 107

_null_fd = -1


def get_exception_errno(e):
    """The errno value of an OSError."""
    return e.errno if e.errno is not None else (e.args[0] if e.args else 0)


class _ShortName:
    """A name that fits for a socket's file whose own name does not: by way of its directory's descriptor."""

    def __init__(self, path):
        directory, base = os.path.split(path)
        self._fd = None
        self.path = path
        if len(os.fsencode(path)) > MAX_UNIX_PATH:
            self._fd = os.open(directory or ".", os.O_DIRECTORY | os.O_RDONLY)
            self.path = f"/proc/self/fd/{self._fd}/{base}"
            if len(os.fsencode(self.path)) > MAX_UNIX_PATH:
                os.close(self._fd)
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))

    def __enter__(self):
        return self.path

    def __exit__(self, *unused):
        if self._fd is not None:
            os.close(self._fd)


def make_short_name(long_name):
    """A name that fits for a socket's file whatever its directory is called: by way of a link to that in a directory of
    its own.  free_short_name() removes both."""
    directory, base = os.path.split(os.path.abspath(long_name))
    own = tempfile.mkdtemp(prefix="ovs-un-py-")
    os.symlink(directory, os.path.join(own, "d"))
    return os.path.join(own, "d", base)


def free_short_name(short_name):
    """Removes what make_short_name() made, not the file itself."""
    if short_name is None:
        return
    link = os.path.dirname(short_name)
    os.unlink(link)
    os.rmdir(os.path.dirname(link))


def make_unix_socket(style, nonblock, bind_path, connect_path, short=False):
    """Makes a Unix socket of the given 'style' (socket.SOCK_STREAM or SOCK_DGRAM), not blocking if 'nonblock', bound to
    'bind_path' and connected to 'connect_path', each unless None.  The file of 'bind_path' is removed when the program
    ends.  Returns (0, socket) or (errno, None).  'short' is of no consequence: the
    names of directories may always be long."""
    sock = socket.socket(socket.AF_UNIX, style)
    try:
        sock.setblocking(not nonblock)
        if bind_path is not None:
            with _ShortName(bind_path) as path:
                # A file that an earlier program left behind.
                if os.path.exists(bind_path):
                    os.unlink(bind_path)
                sock.bind(path)
            ovs.fatal_signal.add_file_to_unlink(bind_path)
        if connect_path is not None:
            with _ShortName(connect_path) as path:
                try:
                    sock.connect(path)
                except BlockingIOError as e:
                    if get_exception_errno(e) != errno.EINPROGRESS:
                        raise
        return 0, sock
    except OSError as e:
        sock.close()
        if bind_path is not None:
            ovs.fatal_signal.remove_file_to_unlink(bind_path)
        return get_exception_errno(e), None


def check_connection_completion(sock):
    """0 if 'sock' is connected, EAGAIN while it is being connected, another errno value if that failed."""
    poller = ovs.poller.SelectPoll()
    poller.register(sock, ovs.poller.POLLOUT)
    if not poller.poll(0):
        return errno.EAGAIN
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def is_valid_ipv4_address(address):
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError:
        return False
    return True


def inet_parse_active(target, default_port):
    """(HOST, PORT) of "HOST[:PORT]"; an IPv6 address before a port stands in brackets.  Raises ValueError."""
    if target.startswith("[") and target.endswith("]"):
        host, port = target[1:-1], ""
    elif ":" in target:
        host, _, port = target.rpartition(":")
        if not port.isdecimal():
            raise ValueError(f"invalid literal for int() with base 10: '{port}'")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
    else:
        host, port = target, ""
    if not port and not default_port:
        raise ValueError(f"{target}: port number must be specified")
    if not host:
        raise ValueError(f"{target}: bad peer name format")
    return host, int(port) if port else default_port


def inet_create_socket_active(style, address):
    """A socket for connecting to 'address', (HOST, PORT): (family, socket)."""
    family = socket.AF_INET if is_valid_ipv4_address(address[0]) else socket.AF_INET6
    return family, socket.socket(family, style, 0)


def inet_connect_active(sock, address, family, dscp):
    """Starts to connect 'sock'.  Returns 0, EINPROGRESS, or what went wrong."""
    try:
        set_nonblocking(sock)
        set_dscp(sock, family, dscp)
        if sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = sock.connect_ex(address)
    except OSError as e:
        return get_exception_errno(e)
    return errno.EINPROGRESS if error == errno.EAGAIN else error


def inet_open_active(style, target, default_port, dscp):
    """Starts a connection to 'target' (see inet_parse_active()).  Returns (0, socket), connected or on the way, or
    (errno, None)."""
    host, port = inet_parse_active(target, default_port)
    sock = None
    try:
        infos = socket.getaddrinfo(host, port, type=style)
        family, _, _, _, address = infos[0]
        sock = socket.socket(family, style, 0)
    except socket.gaierror:
        return errno.ENOENT, None
    except OverflowError:
        return errno.EINVAL, None
    except OSError as e:
        return get_exception_errno(e), None
    error = inet_connect_active(sock, address, family, dscp)
    if error and error != errno.EINPROGRESS:
        sock.close()
        return error, None
    return 0, sock


def get_null_fd():
    """A descriptor of /dev/null, always the same, which the caller must not close; -errno if there is none."""
    global _null_fd
    if _null_fd < 0:
        try:
            _null_fd = os.open(os.devnull, os.O_RDWR)
        except OSError as e:
            vlog.err(f"could not open /dev/null: {os.strerror(e.errno)}")
            return -get_exception_errno(e)
    return _null_fd


def write_fully(fd, buf):
    """Writes all of 'buf'.  Returns (errno or 0, number of bytes written)."""
    buf = buf.encode() if isinstance(buf, str) else buf
    written = 0
    while written < len(buf):
        try:
            n = os.write(fd, buf[written:])
        except OSError as e:
            return get_exception_errno(e), written
        if n == 0:
            return errno.EPROTO, written
        written += n
    return 0, written


def set_nonblocking(sock):
    try:
        sock.setblocking(False)
    except OSError as e:
        vlog.err(f"could not set nonblocking mode on socket: {os.strerror(get_exception_errno(e))}")


def set_dscp(sock, family, dscp):
    """Marks what 'sock' sends with 'dscp', 0 to 63."""
    if dscp < 0 or dscp > 63:
        raise ValueError(f"Invalid dscp {dscp}")
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
    elif family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        raise ValueError(f"Invalid family {family}")


import ovs.poller  # noqa: E402  (it needs this module)

