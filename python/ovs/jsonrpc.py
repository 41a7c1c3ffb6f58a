"""JSON-RPC (version 1.0, as RFC 7047 section 4 uses it): messages, connections, and sessions that reconnect.

Errors are positive errno values or EOF."""
import errno
import os
import random

import ovs.json
import ovs.poller
import ovs.reconnect
import ovs.stream
import ovs.timeval
import ovs.util
import ovs.vlog

EOF = ovs.util.EOF
vlog = ovs.vlog.Vlog("jsonrpc")


class Message:
    """'type' is T_REQUEST, T_NOTIFY, T_REPLY or T_ERROR; members that it does not have are None."""
    T_REQUEST = 0
    T_NOTIFY = 1
    T_REPLY = 2
    T_ERROR = 3

    _names = {T_REQUEST: "request", T_NOTIFY: "notification", T_REPLY: "reply", T_ERROR: "error"}
    # What each type has: (method, params, result, error, id).
    _members = {T_REQUEST: (True, True, False, False, True), T_NOTIFY: (True, True, False, False, False),
                T_REPLY: (False, False, True, False, True), T_ERROR: (False, False, False, True, True)}
    _next_id = 0

    def __init__(self, type_, method, params, result, error, id):
        self.type = type_
        self.method = method
        self.params = params
        self.result = result
        self.error = error
        self.id = id

    @staticmethod
    def _create_id():
        this_id = Message._next_id
        Message._next_id += 1
        return this_id

    @staticmethod
    def create_request(method, params):
        return Message(Message.T_REQUEST, method, params, None, None, Message._create_id())

    @staticmethod
    def create_notify(method, params):
        return Message(Message.T_NOTIFY, method, params, None, None, None)

    @staticmethod
    def create_reply(result, id):
        return Message(Message.T_REPLY, None, None, result, None, id)

    @staticmethod
    def create_error(error, id):
        return Message(Message.T_ERROR, None, None, None, error, id)

    @staticmethod
    def type_to_string(type_):
        return Message._names[type_]

    def is_valid(self):
        """None if the message is in order, else what is wrong with it."""
        if self.params is not None and not isinstance(self.params, list):
            return '"params" must be JSON array'
        members = Message._members.get(self.type)
        if members is None:
            return f"invalid JSON-RPC message type {self.type}"
        for name, must_have in zip(("method", "params", "result", "error", "id"), members):
            if (getattr(self, name) is not None) != must_have:
                return f'{self.type_to_string(self.type)} must{"" if must_have else " not"} have "{name}"'
        return None

    @staticmethod
    def from_json(json):
        """The message, or what is wrong with it as a str."""
        if not isinstance(json, dict):
            return "message is not a JSON object"
        members = {name: json.get(name) for name in ("method", "params", "result", "error", "id")}
        for name in json:
            if name not in members:
                return f'message has unexpected member "{name}"'
        if members["method"] is not None and not isinstance(members["method"], str):
            return "method is not a JSON string"
        if members["result"] is not None:
            type_ = Message.T_REPLY
        elif members["error"] is not None:
            type_ = Message.T_ERROR
        elif members["id"] is not None:
            type_ = Message.T_REQUEST
        else:
            type_ = Message.T_NOTIFY
        msg = Message(type_, **members)
        return msg.is_valid() or msg

    def to_json(self):
        json = {}
        if self.method is not None:
            json["method"] = self.method
        if self.params is not None:
            json["params"] = self.params
        if self.result is not None or self.type == Message.T_ERROR:
            json["result"] = self.result
        if self.error is not None or self.type == Message.T_REPLY:
            json["error"] = self.error
        if self.id is not None or self.type == Message.T_NOTIFY:
            json["id"] = self.id
        return json

    def __str__(self):
        parts = [Message._names[self.type]]
        if self.method is not None:
            parts.append(f'method="{self.method}"')
        for name in ("params", "result", "error", "id"):
            if getattr(self, name) is not None:
                parts.append(f"{name}={ovs.json.to_string(getattr(self, name))}")
        return ", ".join(parts)


class Connection:
    """Messages over the Stream 'stream', which close() closes."""

    def __init__(self, stream):
        self.name = stream.name
        self.stream = stream
        self.status = 0
        self.input = b""
        self.output = []       # Texts, as bytes; of the first maybe only the rest.
        self.backlog = 0
        self.parser = None
        self.received_bytes = 0

    def close(self):
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def run(self):
        """Sends what can be sent."""
        if self.status:
            return
        while self.output:
            sent = self.stream.send(self.output[0])
            if sent >= 0:
                self.backlog -= sent
                if sent < len(self.output[0]):
                    self.output[0] = self.output[0][sent:]
                else:
                    self.output.pop(0)
            else:
                if -sent != errno.EAGAIN:
                    vlog.warn(f"{self.name}: send error: {os.strerror(-sent)}")
                    self.error(-sent)
                return

    def wait(self, poller):
        """Has 'poller' wake up when run() has something to do."""
        if not self.status:
            self.stream.run_wait(poller)
            if self.output:
                self.stream.send_wait(poller)

    def get_status(self):
        """0, or why the connection is of no use any more."""
        return self.status

    def get_backlog(self):
        """Bytes that wait to be sent."""
        return 0 if self.status else self.backlog

    def get_received_bytes(self):
        return self.received_bytes

    def _log_msg(self, title, msg):
        if vlog.dbg_is_enabled():
            vlog.dbg(f"{self.name}: {title} {msg}")

    def send(self, msg):
        """Queues 'msg' and sends what can be sent.  Returns the status."""
        if self.status:
            return self.status
        self._log_msg("send", msg)
        text = ovs.json.to_string(msg.to_json()).encode()
        was_empty = not self.output
        self.output.append(text)
        self.backlog += len(text)
        if was_empty:
            self.run()
        return self.status

    def send_block(self, msg):
        """send(), and waits until everything is sent."""
        error = self.send(msg)
        while not error and self.output:
            self.run()
            if self.output and not self.status:
                poller = ovs.poller.Poller()
                self.wait(poller)
                poller.block()
            error = self.status
        return error

    def recv(self):
        """A message that has come: (0, Message), or (errno or EOF, None), EAGAIN if there is none."""
        if self.status:
            return self.status, None
        while True:
            if not self.input:
                error, data = self.stream.recv(65536)
                if error:
                    if error != errno.EAGAIN:
                        vlog.warn(f"{self.name}: receive error: {os.strerror(error)}")
                        self.error(error)
                        return self.status, None
                    return errno.EAGAIN, None
                if not data:
                    self.error(EOF)
                    return EOF, None
                self.input = data
                self.received_bytes += len(data)
            if self.parser is None:
                self.parser = ovs.json.Parser()
            self.input = self.input[self.parser.feed(self.input):]
            if self.parser.is_done():
                msg = self._process_msg()
                return (0, msg) if msg else (self.status, None)

    def _process_msg(self):
        json = self.parser.finish()
        self.parser = None
        if isinstance(json, str):
            vlog.warn(f"{self.name}: error parsing stream: {json}")
            self.error(errno.EPROTO)
            return None
        msg = Message.from_json(json)
        if not isinstance(msg, Message):
            vlog.warn(f"{self.name}: received bad JSON-RPC message: {msg}")
            self.error(errno.EPROTO)
            return None
        self._log_msg("received", msg)
        return msg

    def recv_block(self):
        """recv(), but waits for a message."""
        while True:
            error, msg = self.recv()
            if error != errno.EAGAIN:
                return error, msg
            self.run()
            poller = ovs.poller.Poller()
            self.wait(poller)
            self.recv_wait(poller)
            poller.block()

    def recv_wait(self, poller):
        """Has 'poller' wake up when recv() has something to say."""
        if self.status or self.input:
            poller.immediate_wake()
        else:
            self.stream.recv_wait(poller)

    def transact_block(self, request):
        """Sends 'request' and waits for its reply, forgetting what else comes: (0, Message) or (errno or EOF, None)."""
        error = self.send(request)
        reply = None
        while not error:
            error, reply = self.recv_block()
            if (reply and reply.type in (Message.T_REPLY, Message.T_ERROR) and reply.id == request.id):
                break
        return error, reply

    def error(self, error):
        """Ends the connection because of 'error'."""
        if self.status == 0:
            self.status = error
            self.stream.close()
            self.output = []
            self.backlog = 0


class Session:
    """A connection that is made again when it is lost, to one of the list 'remotes' after the other."""

    def __init__(self, reconnect, rpc, remotes):
        self.reconnect = reconnect
        self.rpc = rpc
        self.stream = None
        self.pstream = None
        self.seqno = 0
        if not isinstance(remotes, list):
            remotes = [remotes]
        self.remotes = remotes
        random.shuffle(self.remotes)
        self.next_remote = 0

    @staticmethod
    def open(name, probe_interval=None):
        """A session to 'name', or with one peer at a time that connects to it if it is passive.  'probe_interval' is in
        ms, 0 never; None: as suits the kind of connection."""
        return Session.open_multiple([name], probe_interval=probe_interval)

    @staticmethod
    def open_multiple(remotes, probe_interval=None):
        """A session to one of the list 'remotes', the next when that fails."""
        now = ovs.timeval.msec()
        reconnect = ovs.reconnect.Reconnect(now)
        session = Session(reconnect, None, remotes)
        session.pick_remote()
        reconnect.enable(now)
        reconnect.set_backoff_free_tries(len(remotes))
        if ovs.stream.PassiveStream.is_valid_name(reconnect.get_name()):
            reconnect.set_passive(True, now)
        if not ovs.stream.stream_or_pstream_needs_probes(reconnect.get_name()):
            reconnect.set_probe_interval(0)
        if probe_interval is not None:
            reconnect.set_probe_interval(probe_interval)
        return session

    @staticmethod
    def open_unreliably(jsonrpc):
        """A session over the Connection 'jsonrpc' alone: once lost, it is over."""
        reconnect = ovs.reconnect.Reconnect(ovs.timeval.msec())
        session = Session(reconnect, None, [jsonrpc.name])
        reconnect.set_quiet(True)
        session.pick_remote()
        reconnect.set_max_tries(0)
        reconnect.connected(ovs.timeval.msec())
        session.rpc = jsonrpc
        return session

    def pick_remote(self):
        self.reconnect.set_name(self.remotes[self.next_remote])
        self.next_remote = (self.next_remote + 1) % len(self.remotes)

    def close(self):
        if self.rpc is not None:
            self.rpc.close()
            self.rpc = None
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        if self.pstream is not None:
            self.pstream.close()
            self.pstream = None

    def _disconnect(self):
        if self.rpc is not None:
            self.rpc.error(EOF)
            self.rpc.close()
            self.rpc = None
        elif self.stream is not None:
            self.stream.close()
            self.stream = None
        else:
            return
        self.seqno += 1

    def _connect(self):
        self._disconnect()
        name = self.reconnect.get_name()
        if not self.reconnect.is_passive():
            try:
                error, self.stream = ovs.stream.Stream.open(name)
            except ValueError as e:
                vlog.err(f"{name}: {e}")
                error = errno.EINVAL
            if not error:
                self.reconnect.connecting(ovs.timeval.msec())
            else:
                self.reconnect.connect_failed(ovs.timeval.msec(), error)
                self.stream = None
                self.pick_remote()
        elif self.pstream is None:
            error, self.pstream = ovs.stream.PassiveStream.open(name)
            if not error:
                self.reconnect.listening(ovs.timeval.msec())
            else:
                self.reconnect.connect_failed(ovs.timeval.msec(), error)
        self.seqno += 1

    def run(self):
        """Connects, accepts, sends, probes, gives up: whatever is due."""
        if self.pstream is not None:
            self._run_accept()
        if self.rpc:
            self._run_connected()
        elif self.stream is not None:
            self._run_connecting()
        action = self.reconnect.run(ovs.timeval.msec())
        if action == ovs.reconnect.CONNECT:
            self._connect()
        elif action == ovs.reconnect.DISCONNECT:
            self.reconnect.disconnected(ovs.timeval.msec(), 0)
            self._disconnect()
            self.pick_remote()
        elif action == ovs.reconnect.PROBE and self.rpc:
            request = Message.create_request("echo", [])
            request.id = "echo"
            self.rpc.send(request)

    def _run_accept(self):
        error, stream = self.pstream.accept()
        if error == 0:
            if self.rpc or self.stream:
                # The newest peer counts.
                vlog.info(f"{self.reconnect.get_name()}: new connection replacing active connection")
                self._disconnect()
            self.reconnect.connected(ovs.timeval.msec())
            self.rpc = Connection(stream)
            self.seqno += 1
        elif error != errno.EAGAIN:
            self.reconnect.listen_error(ovs.timeval.msec(), error)
            self.pstream.close()
            self.pstream = None

    def _run_connected(self):
        backlog = self.rpc.get_backlog()
        self.rpc.run()
        if self.rpc.get_backlog() < backlog:
            # A peer that takes long to read a lot is alive.
            self.reconnect.activity(ovs.timeval.msec())
        error = self.rpc.get_status()
        if error != 0:
            self.reconnect.disconnected(ovs.timeval.msec(), error)
            self._disconnect()
            self.pick_remote()

    def _run_connecting(self):
        self.stream.run()
        error = self.stream.connect()
        if error == 0:
            self.reconnect.connected(ovs.timeval.msec())
            self.rpc = Connection(self.stream)
            self.stream = None
            self.seqno += 1
        elif error != errno.EAGAIN:
            self.reconnect.connect_failed(ovs.timeval.msec(), error)
            self.stream.close()
            self.stream = None
            self.pick_remote()

    def wait(self, poller):
        """Has 'poller' wake up when run() has something to do."""
        if self.rpc is not None:
            self.rpc.wait(poller)
        elif self.stream is not None:
            self.stream.run_wait(poller)
            self.stream.connect_wait(poller)
        if self.pstream is not None:
            self.pstream.wait(poller)
        self.reconnect.wait(poller, ovs.timeval.msec())

    def get_backlog(self):
        return 0 if self.rpc is None else self.rpc.get_backlog()

    def get_name(self):
        return self.reconnect.get_name()

    def send(self, msg):
        """0, or an errno value: ENOTCONN without a connection."""
        return errno.ENOTCONN if self.rpc is None else self.rpc.send(msg)

    def recv(self):
        """The next message, None if there is none.  Probes and their answers stay here."""
        while self.rpc is not None:
            received_bytes = self.rpc.get_received_bytes()
            error, msg = self.rpc.recv()
            now = ovs.timeval.msec()
            self.reconnect.receive_attempted(now)
            if received_bytes != self.rpc.get_received_bytes():
                self.reconnect.activity(now)
            if error:
                return None
            if msg.type == Message.T_REQUEST and msg.method == "echo":
                self.send(Message.create_reply(msg.params, msg.id))
            elif msg.type != Message.T_REPLY or msg.id != "echo":
                return msg
        return None

    def recv_wait(self, poller):
        """Has 'poller' wake up when recv() has something to say."""
        if self.rpc is not None:
            self.rpc.recv_wait(poller)

    def is_alive(self):
        """Whether there is a connection or there will be one."""
        if self.rpc is not None or self.stream is not None:
            return True
        return self.reconnect.get_max_tries() is None or self.reconnect.get_max_tries() > 0

    def is_connected(self):
        return self.rpc is not None

    def get_seqno(self):
        """Changes whenever a connection is made or lost."""
        return self.seqno

    def force_reconnect(self):
        self.reconnect.force_reconnect(ovs.timeval.msec())

    def reset_backoff(self):
        """Each remote may be tried without a wait, for the use before force_reconnect()."""
        self.reconnect.set_backoff_free_tries(len(self.remotes))

    def get_num_of_remotes(self):
        return len(self.remotes)
