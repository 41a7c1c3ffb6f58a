"""ovs.jsonrpc: messages and connections."""
import errno
import json
import socket
import threading

from show import call

import ovs.stream
from ovs.jsonrpc import Connection, Message

OBJECTS = [[], {}, 5, None, "x"] + [dict(o) for o in (
    {"method": "m", "params": [], "id": 1}, {"method": "m", "params": [], "id": None}, {"method": "m", "params": []},
    {"method": 5, "params": [], "id": 1}, {"method": "m", "params": 5, "id": 1}, {"result": 1, "error": None, "id": 1},
    {"result": None, "error": "x", "id": 1}, {"result": 1, "error": "x", "id": 1}, {"result": 1, "id": 1},
    {"error": "x", "id": 1}, {"result": None, "error": None, "id": 1}, {"method": "m", "params": [], "id": 1, "x": 1},
    {"method": "m", "params": [], "id": 1, "result": 5}, {"method": "m", "id": 1}, {"id": 1},
    {"method": "m", "params": [], "id": "s"}, {"method": "m", "params": {}, "id": 1},
    {"result": 1, "error": None, "id": None}, {"result": None, "error": "e", "id": None},
    {"result": {}, "error": None, "id": 0}, {"method": "", "params": [], "id": 1}, {"method": "m", "params": None,
                                                                                    "id": 1},
    {"result": False, "error": None, "id": 1}, {"method": "m", "params": [], "id": False})]


def show(m):
    if not isinstance(m, Message):
        return m
    return (m.type, Message.type_to_string(m.type), m.method, m.params, m.result, m.error, m.id, m.is_valid(),
            json.dumps(m.to_json(), sort_keys=True), str(m))


def messages():
    for o in OBJECTS:
        call(json.dumps(o), lambda: show(Message.from_json(o)))
    for m in (Message.create_request("a", [1]), Message.create_request("b", []), Message.create_notify("n", [2]),
              Message.create_reply({"r": 1}, 7), Message.create_error({"e": 1}, 8), Message.create_error(None, 8),
              Message.create_reply(None, 8), Message(0, None, None, None, None, None), Message(0, "m", "x", None,
                                                                                               None, 1),
              Message(2, "m", None, 1, None, 1), Message(1, "m", [], 1, None, 1), Message(3, None, None, None, "e",
                                                                                          None)):
        print(show(m))
    print(Message(9, None, None, None, None, None).is_valid())


def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return Connection(ovs.stream.Stream(ours, "unix:x", 0)), theirs


def receive(c):
    error, m = c.recv()
    print(error, m and str(m), c.get_status())


def connections():
    c, peer = pair()
    receive(c)
    peer.send(b'{"method":"m","params":[],"id":1}{"result":1,"error":null,"id":2}{"met')
    for _ in range(3):
        receive(c)
    peer.send('hod":"n","params":["é"],"id":null}'.encode())
    receive(c)
    print(c.send(Message.create_notify("x", ["é"])), peer.recv(100), c.get_backlog())
    for bad in (b"echo{", b"[]", b'{"method":5}'):
        c, peer = pair()
        peer.send(bad)
        receive(c)
        receive(c)
    c, peer = pair()
    peer.close()
    receive(c)
    c, peer = pair()
    peer.close()
    print(c.send(Message.create_notify("x", [])), c.get_status())


def backlog():
    c, peer = pair()
    print(c.send(Message.create_request("big", ["x" * 3000000])), c.get_backlog() > 1000000)
    n = 0
    while c.get_backlog():
        n += len(peer.recv(100000))
        c.run()
    print(c.get_status(), n > 2000000)
    c.error(errno.EIO)
    print(c.get_status(), c.get_backlog(), c.recv())


def transact():
    c, peer = pair()
    request = Message.create_request("q", [])

    def serve():
        peer.recv(1000)
        peer.send(b'{"method":"other","params":[1],"id":"e"}')
        peer.send(b'{"result":["r"],"error":null,"id":%d}' % request.id)

    thread = threading.Thread(target=serve)
    thread.start()
    error, reply = c.transact_block(request)
    thread.join()
    print(error, reply.result)


messages()
connections()
backlog()
transact()
