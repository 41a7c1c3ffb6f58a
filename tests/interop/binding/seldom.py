"""Names of the binding that programs use seldom, each called once or more."""
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time

from show import call

import ovs.daemon
import ovs.fatal_signal
import ovs.json
import ovs.jsonrpc
import ovs.poller
import ovs.reconnect
import ovs.socket_util
import ovs.stream
import ovs.timeval
import ovs.unixctl
import ovs.unixctl.client
import ovs.unixctl.server
import ovs.util
import ovs.vlog
from ovs.db import custom_index, data, types
from ovs.flow import decoders, filter as filter_, kv, list as list_, odp, ofp

place = tempfile.mkdtemp()


def parsers():
    """What is found can be gone through, and shown."""
    parser = kv.KVParser("a=1,b(c),d", kv.KVDecoders(default=lambda k, v: (k, v)))
    parser.parse()
    print(list(parser), parser.keys())
    parser = list_.ListParser("1,,x")
    parser.parse()
    print(list(parser), [repr(e.meta) for e in parser])
    for text in ("a=1", "a=1 and b=2 or not c>3", "!(a=1 || b.c~=7) && d"):
        print(filter_.OFFilter(text)._filter)
    print(filter_.EvaluationResult(True).result)
    for cls, value in ((decoders.EthMask, "00:11:22:33:44:55/ff:ff:ff:00:00:00"), (decoders.IPMask, "10.0.0.0/8"),
                       (decoders.IPMask, "fe80::1"), (decoders.Mask16, "0x10/0xf0")):
        print(repr(cls(value)), str(cls(value)), cls(value).to_json())
    for name, value in (("tun_metadata0", "0x1234/0xffff"), ("tun_metadata3", "0x0")):
        flow = ofp.OFPFlow(f"table=1, {name}={value} actions=drop", 7)
        print(flow.id, str(flow), flow.match)
    for text in ("in_port(1),tunnel(tun_id=0x1,geneve({class=0x1,type=0x2,len=4})),eth(),eth_type(0x800), "
                 "packets:1, bytes:2, used:1s, actions:drop",
                 "recirc_id(0), packets:0, bytes:0, used:never, actions:1"):
        call("odp", lambda text=text: odp.ODPFlow(text).match)
    for actions in ("encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))", "encap(nsh(md_type=1))", "encap(ethernet)"):
        call(actions, lambda actions=actions: ofp.OFPFlow(f"actions={actions}").actions)


def data_types():
    integer, string = types.BaseType(types.IntegerType), types.BaseType(types.StringType)
    print(integer == string, integer == types.BaseType(types.IntegerType), integer != string,
          integer == types.BaseType(types.IntegerType, min=1))
    one, many = types.Type(integer), types.Type(integer, string, 0, 5)
    print(one == many, one != many, many == types.Type(integer, string, 0, 5))
    datums = [data.Datum.from_json(many, ["map", [[k, "x"] for k in keys]]) for keys in ([], [1], [1, 2], [2])]
    print([sorted((k.value, v.value) for k, v in d.as_dict().items()) for d in datums])
    print([[a == b for b in datums] for a in datums])
    scalars = [data.Datum.from_json(one, n) for n in (3, -1, 3)]
    print([[a == b for b in scalars] for a in scalars], [d.as_scalar() for d in scalars])
    index = custom_index.ColumnIndex("name", custom_index.OVSDB_INDEX_DESC, None)
    print(index.column, index.direction)


def sockets():
    long_name = os.path.join(place, "x" * 100, "y" * 100)
    os.mkdir(os.path.dirname(long_name))
    short = ovs.socket_util.make_short_name(long_name)
    with open(short, "w", encoding="ascii") as f:
        f.write("here\n")
    with open(long_name, encoding="ascii") as f:
        print(len(short) < 108, os.path.basename(short) == "y" * 100, f.read())
    ovs.socket_util.free_short_name(short)
    print(os.path.exists(short), os.path.exists(long_name))
    call("none", ovs.socket_util.free_short_name, None)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    error, sock = ovs.socket_util.inet_open_active(socket.SOCK_STREAM, f"127.0.0.1:{port}", 0, 0)
    print(error in (0, 115), sock is not None)
    print(ovs.socket_util.inet_open_active(socket.SOCK_STREAM, "127.0.0.256:1", 0, 0)[1])
    call("no port", ovs.socket_util.inet_open_active, socket.SOCK_STREAM, "127.0.0.1", 0, 0)


def control():
    """A program's control socket, and its client."""
    seen = []

    def echo(conn, argv, aux):
        seen.append((argv, aux))
        if argv and argv[0] == "bad":
            conn.reply_error("no such thing\n")
        else:
            conn.reply(None if argv and argv[0] == "none" else " ".join(argv) + "\n")

    ovs.unixctl.command_register("echo", "[ARG...]", 0, 3, echo, "aux")
    path = os.path.join(place, "ctl")
    error, server = ovs.unixctl.server.UnixctlServer.create(path, "1.2")
    print(error)

    def ask():
        error, client = ovs.unixctl.client.UnixctlClient.create(path)
        print(error)
        for command, argv in (("echo", []), ("echo", ["a", "b"]), ("echo", ["bad"]), ("echo", ["none"]),
                              ("echo", ["1", "2", "3", "4"]), ("nothing", []), ("version", [])):
            print(command, argv, client.transact(command, argv))
        client.close()

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        server.run()
        poller = ovs.poller.Poller()
        server.wait(poller)
        poller.timer_wait(20)
        poller.block()
    server.close()
    print(seen, os.path.exists(path))
    error, client = ovs.unixctl.client.UnixctlClient.create(path)
    print(error, client)
    call("twice", ovs.unixctl.command_register, "a b", "", 0, 0, 5, None)


def sessions():
    """A session with one peer that listens, another that hangs up, a third that never was there."""
    path = os.path.join(place, "sock")
    error, listening = ovs.stream.PassiveStream.open(f"punix:{path}")
    print(error)
    session = ovs.jsonrpc.Session.open(f"unix:{path}", 5000)
    print(session.is_alive(), session.is_connected(), session.get_num_of_remotes(), session.get_backlog())

    def until(done):
        for _ in range(200):
            session.run()
            if done():
                return True
            poller = ovs.poller.Poller()
            session.wait(poller)
            poller.timer_wait(10)
            poller.block()
        return False

    print(until(session.is_connected))
    error, stream = listening.accept()
    peer = ovs.jsonrpc.Connection(stream)
    print(error, session.send(ovs.jsonrpc.Message.create_notify("n", [1])), session.get_backlog())
    print(until(lambda: session.get_backlog() == 0))
    call("received", lambda: str(peer.recv_block()))
    print(peer.send_block(ovs.jsonrpc.Message.create_notify("back", [])))
    received = []
    print(until(lambda: received.append(session.recv()) or received[-1] is not None), str(received[-1]))
    peer.close()
    print(until(lambda: not session.is_connected()), session.is_alive())
    session.close()
    print(session.is_alive())
    listening.close()
    several = ovs.jsonrpc.Session.open_multiple([f"unix:{place}/1", f"unix:{place}/2"])
    print(several.get_num_of_remotes(), several.get_name() in (f"unix:{place}/1", f"unix:{place}/2"))
    several.close()


def forked(what, child):
    """The output and end of a process that runs 'child'."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            child()
            sys.stdout.flush()
        finally:
            os._exit(9)
    print(what, os.waitpid(pid, 0)[1])


def signals():
    def alarm():
        ovs.fatal_signal.signal_alarm(1)
        time.sleep(20)

    def terminated():
        path = os.path.join(place, "unlink")
        kept = os.path.join(place, "kept")
        for name in (path, kept):
            with open(name, "w", encoding="ascii"):
                pass
            ovs.fatal_signal.add_file_to_unlink(name)
        ovs.fatal_signal.remove_file_to_unlink(kept)
        ovs.fatal_signal.add_hook(lambda: print("hook", flush=True), lambda: None, True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)

    forked("alarm", alarm)
    forked("terminated", terminated)
    print(os.path.exists(os.path.join(place, "unlink")), os.path.exists(os.path.join(place, "kept")))
    os.environ.pop("OVS_CTL_TIMEOUT", None)
    call("no alarm", ovs.fatal_signal.signal_alarm, None)


def daemons():
    read, write = os.pipe()
    ovs.daemon.set_detached(write)
    ovs.daemon.daemonize()
    print(ovs.daemon.get_detach(), os.read(read, 5))
    ovs.daemon.ignore_existing_pidfile()
    for usage in (ovs.daemon.usage, lambda: ovs.stream.usage("JSON-RPC")):
        print(re.sub(r"\S*/run/\S*", "RUNDIR", str(usage())) if usage is ovs.daemon.usage else isinstance(usage(), str))
    print(ovs.timeval.monotonic() <= ovs.timeval.msec())


def logs():
    log = ovs.vlog.Vlog("seldom")
    print(log.emer_is_enabled(), log.err_is_enabled(), log.dbg_is_enabled())
    ovs.vlog.Vlog.init(os.path.join(place, "log"))
    for module, destination, level in (("any", "console", "off"), ("any", "syslog", "off"), ("seldom", "file", "err")):
        ovs.vlog.Vlog.set_level(module, destination, level)
    ovs.vlog.Vlog.set_pattern("file", "%c|%p|%m")
    print(log.emer_is_enabled(), log.err_is_enabled(), log.warn_is_enabled())
    try:
        raise ValueError("wrong")
    except ValueError:
        log.exception("went wrong")
    with open(os.path.join(place, "log"), encoding="utf-8") as f:
        print([line for line in f.read().splitlines() if "File" not in line and "raise" not in line])
    print(ovs.vlog.Vlog.get_levels())


for part in (parsers, data_types, sockets, control, sessions, signals, daemons, logs):
    print(f"---- {part.__name__}")
    part()
