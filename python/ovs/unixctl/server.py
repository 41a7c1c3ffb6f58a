"""A program's control socket: serves the commands of ovs.unixctl.command_register().

The wire protocol is JSON-RPC: the command is the method, its arguments are the params."""
import errno
import os

import ovs.dirs
import ovs.json
import ovs.jsonrpc
import ovs.stream
import ovs.unixctl
import ovs.util
import ovs.version
import ovs.vlog
from ovs.unixctl.client import UnixctlClient  # noqa: F401

Message = ovs.jsonrpc.Message
vlog = ovs.vlog.Vlog("unixctl_server")

_FORMATS = ("text", "json")


class UnixctlConnection:
    """A client; the callbacks of commands get it."""

    def __init__(self, rpc):
        assert isinstance(rpc, ovs.jsonrpc.Connection)
        self._rpc = rpc
        self._request_id = None
        self._format = "text"  # What the client wants, see set-options.

    def run(self):
        """Serves what has come.  Returns 0, EAGAIN if the client may send more, or why it is gone."""
        self._rpc.run()
        error = self._rpc.get_status()
        if error or self._rpc.get_backlog():
            return error
        for _ in range(10):
            if error or self._request_id is not None:
                break
            error, msg = self._rpc.recv()
            if msg:
                if msg.type == Message.T_REQUEST:
                    self._process_command(msg)
                else:
                    vlog.warn(f"{self._rpc.name}: received unexpected {Message.type_to_string(msg.type)} message")
                    error = errno.EINVAL
            if not error:
                error = self._rpc.get_status()
        return error

    def reply(self, body):
        """Answers the command: 'body' is a str, None for none, or what JSON has for clients that want it."""
        self._reply_impl(True, body)

    def reply_error(self, body):
        self._reply_impl(False, body)

    def get_format(self):
        """"text" or "json": in which form the client wants answers."""
        return self._format

    def _close(self):
        self._rpc.close()
        self._request_id = None

    def _wait(self, poller):
        self._rpc.wait(poller)
        if not self._rpc.get_backlog():
            self._rpc.recv_wait(poller)

    def _reply_impl(self, success, body):
        assert isinstance(success, bool)
        assert self._request_id is not None
        body = "" if body is None else body
        if not isinstance(body, str) and (self._format == "text" or not success):
            body = ovs.json.to_string(body)
        if isinstance(body, str) and body and not body.endswith("\n") and not (success and self._format == "json"):
            body += "\n"
        if not success:
            reply = Message.create_error(body, self._request_id)
        elif self._format == "json" and isinstance(body, str):
            reply = Message.create_reply({"reply": body, "reply-format": "plain"}, self._request_id)
        else:
            reply = Message.create_reply(body, self._request_id)
        self._rpc.send(reply)
        self._request_id = None

    def _process_command(self, request):
        assert request.type == Message.T_REQUEST
        self._request_id = request.id
        params = request.params
        method = request.method
        command = ovs.unixctl.commands.get(method)
        error = None
        if command is None:
            error = f'"{method}" is not a valid command'
        elif len(params) < command.min_args:
            error = f'"{method}" command requires at least {command.min_args} arguments'
        elif len(params) > command.max_args:
            error = f'"{method}" command takes at most {command.max_args} arguments'
        elif not all(isinstance(param, str) for param in params):
            error = f'"{method}" command has non-string argument'
        if error:
            self.reply_error(error)
        else:
            command.callback(self, list(params), command.aux)


def _unixctl_version(conn, unused_argv, version):
    assert isinstance(conn, UnixctlConnection)
    conn.reply(f"{ovs.util.PROGRAM_NAME} (Open vSwitch) {version}")


def _unixctl_set_options(conn, argv, unused_aux):
    """set-options [--format text|json]: for the rest of the connection."""
    words = [piece for word in argv for piece in word.split("=", 1)] if argv else []
    if len(words) % 2 or any(name != "--format" for name in words[::2]):
        conn.reply_error(f"unknown option {next((w for w in words if w != '--format'), words[-1])}")
        return
    for value in words[1::2]:
        if value not in _FORMATS:
            conn.reply_error(f"option format has invalid value {value}")
            return
        conn._format = value
    conn.reply(None)


class UnixctlServer:
    def __init__(self, listener):
        assert isinstance(listener, ovs.stream.PassiveStream)
        self._listener = listener
        self._conns = []

    def run(self):
        """Accepts clients and serves them; to be called in the program's main loop."""
        for _ in range(10):
            error, stream = self._listener.accept()
            if not error:
                self._conns.append(UnixctlConnection(ovs.jsonrpc.Connection(stream)))
            elif error == errno.EAGAIN:
                break
            else:
                vlog.warn(f"{self._listener.name}: accept failed: {os.strerror(error)}")
                break
        for conn in list(self._conns):
            error = conn.run()
            if error and error != errno.EAGAIN:
                conn._close()
                self._conns.remove(conn)

    def wait(self, poller):
        """Has 'poller' wake up when run() has something to do."""
        self._listener.wait(poller)
        for conn in self._conns:
            conn._wait(poller)

    def close(self):
        for conn in self._conns:
            conn._close()
        self._conns = []
        self._listener.close()
        self._listener = None

    @staticmethod
    def create(path, version=None):
        """Listens at the file 'path', by default RUNDIR/PROGRAM.PID.ctl: (0, server) or (errno, None).  'path' "none":
        (0, None).  'version' is what the command "version" says, by default that of the package."""
        assert path is None or isinstance(path, str)
        if path == "none":
            return 0, None
        if path is None:
            path = f"{ovs.dirs.RUNDIR}/{ovs.util.PROGRAM_NAME}.{os.getpid()}.ctl"
        else:
            path = ovs.util.abs_file_name(ovs.dirs.RUNDIR, path)
        error, listener = ovs.stream.PassiveStream.open(f"punix:{path}")
        if error:
            ovs.util.ovs_error(error, f"could not initialize control socket {path}")
            return error, None
        ovs.unixctl.command_register("version", "", 0, 0, _unixctl_version, version or ovs.version.VERSION)
        ovs.unixctl.command_register("set-options", "[--format text|json]", 1, 2, _unixctl_set_options, None)
        return 0, UnixctlServer(listener)
