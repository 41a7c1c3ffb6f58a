"""A client of a daemon's control socket."""

import ovs.dirs
import ovs.jsonrpc
import ovs.stream
import ovs.util
import ovs.vlog

vlog = ovs.vlog.Vlog("unixctl_client")


class UnixctlClient:
    def __init__(self, conn):
        assert isinstance(conn, ovs.jsonrpc.Connection)
        self._conn = conn

    def transact(self, command, argv):
        """Has the daemon obey 'command' with the list of str 'argv' and waits for the answer:
        (errno or 0 or EOF, its error or None, its result or None)."""
        assert isinstance(command, str)
        assert isinstance(argv, list) and all(isinstance(arg, str) for arg in argv)
        request = ovs.jsonrpc.Message.create_request(command, argv)
        error, reply = self._conn.transact_block(request)
        if error:
            vlog.warn(f"error communicating with {self._conn.name}: {ovs.util.ovs_retval_to_string(error)}")
            return error, None, None
        if reply.error is not None:
            return 0, str(reply.error), None
        assert reply.result is not None
        return 0, None, reply.result if isinstance(reply.result, (dict, list)) else str(reply.result)

    def close(self):
        self._conn.close()
        self._conn = None

    @staticmethod
    def create(path):
        """Connects to the control socket 'path': (0, client) or (errno, None)."""
        assert isinstance(path, str)
        unix = f"unix:{ovs.util.abs_file_name(ovs.dirs.RUNDIR, path)}"
        error, stream = ovs.stream.Stream.open_block(ovs.stream.Stream.open(unix))
        if error:
            vlog.warn(f"failed to connect to {path}")
            return error, None
        return 0, UnixctlClient(ovs.jsonrpc.Connection(stream))
