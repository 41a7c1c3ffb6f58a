#!/usr/bin/python3
"""Clients of servers that send garbage, halves of messages, nonsense in good form, or nothing: a message and a status
that is not 0, within the time given, and nothing for the sanitizers.

Usage: bad_servers.py BUILD [TEST]...  Everything lives in a directory of its own."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"


def program(name):
    return os.path.join(BUILD, "src", "cmd", name, name)


CLIENTS = (("ovsdb-client", "-t", "1", "list-dbs", "unix:{}"), ("ovsdb-client", "-t", "1", "get-schema", "unix:{}"),
           ("ovsdb-client", "-t", "1", "dump", "unix:{}", "Open_vSwitch"),
           ("ovsdb-client", "-t", "1", "monitor", "unix:{}", "Open_vSwitch", "Bridge"),
           ("ovsdb-client", "-t", "1", "transact", "unix:{}", '["Open_vSwitch"]'),
           ("ovsdb-client", "-t", "1", "backup", "unix:{}", "Open_vSwitch"),
           ("ovsdb-client", "-t", "1", "lock", "unix:{}", "x"),
           ("ovsdb-client", "-t", "1", "wait", "unix:{}", "x", "added"),
           ("ovs-vsctl", "-t", "1", "--db=unix:{}", "show"), ("ovs-vsctl", "-t", "1", "--db=unix:{}", "add-br", "br0"),
           ("ovs-appctl", "-T", "1", "-t", "{}", "version"))
GARBAGE = (b"", b"\x00" * 64, b"\xff" * 4096, b"HTTP/1.1 400 Bad Request\r\n\r\n", b'{"id":0,"result":', b"[" * 100000,
           b'{"id":0,"result":"' + b"x" * 100000, b"]", b"{}", b"[]", b'{"id":[],"method":7,"params":{}}', b"1e999999",
           b'{"id":0,"result":null,"error":"\xc3\x28"}', b'{"id":0,"method":"echo","params":7}')
# Results in good form, for every request.
NONSENSE = (None, 5, "text", [], {}, [[]], [None] * 3, [{"error": 5}], {"tables": 1}, {"name": "Open_vSwitch"},
            ["Open_vSwitch", 7], [False, "x", {}], [True, "00000000-0000-0000-0000-000000000000", {"Bridge": 1}],
            {"Open_vSwitch": {"no-uuid": {"new": {}}}},
            {"Bridge": {"550e8400-e29b-41d4-a716-446655440000": {"new": []}}},
            {"name": "Open_vSwitch", "version": "1.0.0", "tables": {"Bridge": {"columns": {"name": {"type": "x"}}}}},
            {"name": "Open_vSwitch", "version": "1.0.0", "tables": {}})


class Server(threading.Thread):
    """Answers each connection by 'serve' and closes it."""

    def __init__(self, path, serve):
        super().__init__(daemon=True)
        self.serve, self.listener = serve, socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(20)

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()


def send(data):
    def serve(connection):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    return serve


def answer(result, error):
    def serve(connection):
        text, decoder = "", json.JSONDecoder()
        while data := connection.recv(65536):
            text += data.decode()
            try:
                while text:
                    request, end = decoder.raw_decode(text)
                    text = text[end:].lstrip()
                    if request.get("method") and request.get("id") is not None:
                        reply = {"id": request["id"], "result": result, "error": error}
                        connection.sendall(json.dumps(reply).encode())
            except json.JSONDecodeError:
                continue
    return serve


class BadServers(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="bad-servers.")
        self.addCleanup(self.place.cleanup)
        self.env = dict(os.environ, OVS_RUNDIR=self.place.name, OVS_LOGDIR=self.place.name, OVS_SYSLOG_METHOD="null",
                        OVS_DBDIR=self.place.name)

    def meet(self, serve, what, may_succeed=()):
        path = os.path.join(self.place.name, "sock")
        server = Server(path, serve)
        server.start()
        clients = [(c, subprocess.Popen([program(c[0]), *(a.format(path) for a in c[1:])], env=self.env,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL))
                   for c in CLIENTS]
        for client, process in clients:
            try:
                _, err = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.fail(f"{client} hangs on {what!r}")
            if process.returncode == 0:
                self.assertIn(client[:4], may_succeed, (client, what))
                continue
            self.assertTrue(err.strip(), (client, what))
            self.assertNotIn(b"Sanitizer", err, (client, what))
            self.assertNotIn(b"Assertion", err, (client, what))
            self.assertNotIn(b"runtime error", err, (client, what))
        server.close()
        os.unlink(path)

    def test_garbage(self):
        for data in GARBAGE:
            self.meet(send(data), data[:60])

    def test_nonsense_in_good_form(self):
        anything = {c[:4] for c in CLIENTS}
        for result in NONSENSE:
            self.meet(answer(result, None), result, may_succeed=anything)

    def test_errors_of_every_form(self):
        for error in (5, "text", [], {"error": 7}, {"error": "unknown database", "details": "x"}, {"details": []}):
            self.meet(answer(None, error), error)


if __name__ == "__main__":
    if not all(os.access(program(c[0]), os.X_OK) for c in CLIENTS):
        print("a program is missing")
        sys.exit(77)
    unittest.main()
