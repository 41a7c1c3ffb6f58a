#!/usr/bin/python3
"""What a client with a role may change: our server, and the reference's beside it where that is installed.

Usage: ovsdb_roles.py BUILD.  The client is known by its certificate; connections are to 127.0.0.1."""
import json
import os
import re
import ssl
import socket
import subprocess
import tempfile
import time
import unittest

import ovsdb_tls

STRINGS = {"type": {"key": "string", "min": 0, "max": "unlimited"}}
MAP = {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}
STRING = {"type": "string"}


def refers(table, **more):
    return {"type": {"key": {"type": "uuid", "refTable": table, **more}, "min": 0, "max": "unlimited"}}


def table(**columns):
    return {"isRoot": True, "columns": columns}


SCHEMA = {"name": "T", "version": "1.0.0", "tables": {
    "Named": table(name=STRING, b=STRING, c=STRING, m=MAP), "Anybody": table(b=STRING),
    "Forms": table(m=MAP, s=STRINGS, b=STRING), "Nothing": table(b=STRING), "G": table(conns=refers("Conn")),
    "Conn": table(target=STRING, role=STRING),
    "RBAC_Role": table(name=STRING, permissions={"type": {
        "key": "string", "value": {"type": "uuid", "refTable": "RBAC_Permission", "refType": "weak"}, "min": 0,
        "max": "unlimited"}}),
    "RBAC_Permission": table(table=STRING, authorization=STRINGS, insert_delete={"type": "boolean"}, update=STRINGS)}}


def insert(where, name=None, **row):
    return {"op": "insert", "table": where, "row": row, **({"uuid-name": name} if name else {})}


def as_set(*values):
    return ["set", list(values)]


def as_map(**values):
    return ["map", [list(pair) for pair in values.items()]]


def contents(port, role):
    return [
        insert("G", conns=["named-uuid", "cc"]), insert("Conn", "cc", target=f"pssl:{port}:127.0.0.1", role=role),
        insert("RBAC_Permission", "p", table="Named", authorization="name", insert_delete=True,
               update=as_set("b", "m:k")),
        insert("RBAC_Permission", "q", table="Anybody", authorization="", insert_delete=False, update="b"),
        insert("RBAC_Permission", "f", table="Forms", authorization=as_set("m:owner", "s", "b"), insert_delete=True,
               update=as_set("b", "s", "m:k")),
        insert("RBAC_Role", name="r") | {"row": {"name": "r", "permissions": as_map(
            Named=["named-uuid", "p"], Anybody=["named-uuid", "q"], Forms=["named-uuid", "f"])}},
        {"op": "insert", "table": "Named", "row": {"name": "client", "m": as_map(k="v", l="w")}},
        {"op": "insert", "table": "Named", "row": {"name": "other"}},
        insert("Anybody"), insert("Nothing"), insert("Forms", b="1", m=as_map(owner="client", k="v")),
        insert("Forms", b="2", s=as_set("client", "x")), insert("Forms", b="client"), insert("Forms", b="4")]


def change(where, column, value, **row):
    return {"op": "update", "table": where, "where": [[column, "==", value]], "row": row}


def delete(where, *clauses):
    return {"op": "delete", "table": where, "where": list(clauses)}


def mutate(where, column, value, *mutations):
    return {"op": "mutate", "table": where, "where": [[column, "==", value]], "mutations": list(mutations)}


NAMED = {"op": "insert", "table": "Named"}
ALLOWED = [
    {**NAMED, "row": {"name": "client"}}, insert("Forms", b="client"), insert("Forms", m=as_map(owner="client")),
    delete("Named", ["name", "==", "client"]), delete("Named", ["name", "==", "nobody"]),
    change("Named", "name", "client", b="x"), change("Named", "name", "client"),
    change("Named", "name", "nobody", c="x"), change("Anybody", "b", "", b="x"), change("Forms", "b", "1", b="x"),
    change("Forms", "b", "client", b="x"), mutate("Named", "name", "client"),
    {"op": "select", "table": "RBAC_Role", "where": [], "columns": ["name"]},
]
PROHIBITED = [
    {**NAMED, "row": {"name": "other"}}, {**NAMED, "row": {}}, insert("Anybody"), insert("Nothing"), insert("Forms"),
    insert("Forms", s="client"), insert("Forms", s=as_set("client", "z")), insert("G"),
    delete("Named", ["name", "==", "other"]), delete("Named"), delete("Anybody"), delete("Nothing"),
    delete("Conn", ["target", "==", "x"]), change("Named", "name", "other", b="x"),
    {"op": "update", "table": "Named", "where": [], "row": {"b": "x"}}, change("Named", "name", "client", c="x"),
    change("Named", "name", "client", b="x", c="x"), change("Named", "name", "client", m=as_map(k="v2", l="w")),
    {"op": "update", "table": "Named", "where": [["name", "==", "client"]], "row": {"name": "client2"}},
    change("Nothing", "b", "", b="x"), change("Nothing", "b", "nowhere", b="x"), change("Forms", "b", "2", b="x"),
    change("Forms", "b", "4"), mutate("Named", "name", "client", ["m", "insert", as_map(k="x")]),
    mutate("Named", "name", "client", ["m", "delete", as_set("k")]), mutate("Named", "name", "other"),
    mutate("Forms", "b", "2", ["s", "insert", "q"]), mutate("Conn", "target", "x"),
    {"op": "update", "table": "RBAC_Role", "where": [], "row": {}},
]


class Roles(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="roles.")
        self.addCleanup(self.place.cleanup)
        self.authority = ovsdb_tls.Authority(self.place.name, "good")
        self.port = ovsdb_tls.free_port()

    def start(self, side, role):
        db, schema = (os.path.join(self.place.name, n) for n in ("db", "schema"))
        if os.path.exists(db):
            os.remove(db)
        with open(schema, "w", encoding="utf-8") as f:
            json.dump(SCHEMA, f)
        tool = ovsdb_tls.PROGRAMS["ours"]["ovsdb-tool"]
        subprocess.run([tool, "create", db, schema], check=True, timeout=60)
        reply = subprocess.run([tool, "transact", db, json.dumps(["T", *contents(self.port, role)])], check=True,
                               timeout=60, capture_output=True)
        self.assertNotIn(b"error", reply.stdout)
        server = subprocess.Popen(
            [ovsdb_tls.PROGRAMS[side]["ovsdb-server"], "--remote=db:T,G,conns", "-vconsole:off",
             f"--unixctl={self.place.name}/ctl", *self.authority.pair("server"), "-C", self.authority.cert, db],
            env=dict(os.environ, OVS_RUNDIR=self.place.name, OVS_SYSLOG_METHOD="null"))
        self.addCleanup(server.wait, 20)
        self.addCleanup(server.terminate)
        return server

    def connect(self):
        key, cert = self.authority.pair("client")[1::2]
        context = ssl.create_default_context(cafile=self.authority.cert)
        context.check_hostname = False
        context.load_cert_chain(cert, key)
        for _ in range(200):
            try:
                return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=20))
            except OSError:
                time.sleep(0.05)
        return self.fail("no connection")

    def replies(self, side, role, operations):
        """The result of each operation, tried in a transaction that is aborted then."""
        server, found = self.start(side, role), []
        with self.connect() as client:
            for operation in operations:
                client.sendall(json.dumps({"id": 0, "method": "transact",
                                           "params": ["T", operation, {"op": "abort"}]}).encode())
                text = b""
                while not text or text.count(b"{") > text.count(b"}"):
                    text += client.recv(65536)
                found.append(re.sub("[0-9a-f-]{36}", "UUID", json.dumps(json.loads(text)["result"][0], sort_keys=True)))
        server.terminate()
        server.wait(20)
        return found

    def test_a_role_may_do_what_its_permissions_say(self):
        found = {side: self.replies(side, "r", ALLOWED + PROHIBITED) for side in ovsdb_tls.PROGRAMS}
        for operation, reply in zip(ALLOWED + PROHIBITED, found["ours"]):
            self.assertEqual("RBAC rules" in reply, operation in PROHIBITED, (operation, reply))
            self.assertEqual("error" in reply, operation in PROHIBITED, (operation, reply))
        self.assertEqual(found["ours"], found.get("reference", found["ours"]))

    def test_an_unknown_role_may_change_nothing(self):
        found = {side: self.replies(side, "unknown", ALLOWED) for side in ovsdb_tls.PROGRAMS}
        for operation, reply in zip(ALLOWED, found["ours"]):
            self.assertEqual("RBAC rules" in reply, operation["op"] != "select", (operation, reply))
        self.assertEqual(found["ours"], found.get("reference", found["ours"]))

    def test_without_a_role_everything_is_allowed(self):
        for reply in self.replies("ours", "", ALLOWED + PROHIBITED):
            self.assertNotIn("RBAC", reply)


if __name__ == "__main__":
    unittest.main()
