#!/usr/bin/python3
"""Databases copied from another server: active-backup pairs and relays, ours with ours and, both ways, with the
reference's.

Usage: ovsdb_copies.py BUILD.  Each server has a directory of its own; all sockets are Unix sockets in it."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from listening import listens

BUILD = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1])
                        else os.environ.get("WEFT_BUILD") or "build")
SERVERS = {"ours": os.path.join(BUILD, "src/ovsdb-server/ovsdb-server")}
TOOL, APPCTL = (os.path.join(BUILD, f"src/cmd/{name}/{name}") for name in ("ovsdb-tool", "ovs-appctl"))
if os.path.exists("/usr/sbin/ovsdb-server"):
    SERVERS["reference"] = "/usr/sbin/ovsdb-server"
PAIRS = [(a, b) for a in SERVERS for b in SERVERS if "ours" in (a, b)]

ZERO = "00000000-0000-0000-0000-000000000000"
STRINGS = {"type": {"key": "string", "min": 0, "max": "unlimited"}}
SCHEMA = {"name": "T", "version": "1.0.0", "tables": {
    "A": {"isRoot": True, "indexes": [["name"]], "columns": {
        "name": {"type": "string"}, "s": STRINGS, "e": {"type": "integer", "ephemeral": True},
        "m": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}},
        "o": {"type": {"key": "real", "min": 0, "max": 1}},
        "b": {"type": {"key": {"type": "uuid", "refTable": "B"}, "min": 0, "max": "unlimited"}},
        "w": {"type": {"key": {"type": "uuid", "refTable": "A", "refType": "weak"}, "min": 0, "max": "unlimited"}}}},
    "B": {"columns": {"n": {"type": "integer"}}},
    "C": {"isRoot": True, "columns": {"c": {"type": "integer"}}}}}


def insert(where, uuid_name=None, /, **row):
    return {"op": "insert", "table": where, "row": row, **({"uuid-name": uuid_name} if uuid_name else {})}


def on(op, where, clauses=(), **more):
    return {"op": op, "table": where, "where": list(clauses), **more}


def named(name):
    return [["name", "==", name]]


BEGINNING = [insert("A", "x", name="x", s=["set", ["p", "q"]], e=7, m=["map", [["k", 1], ["l", 2]]], o=0.5,
                    b=["set", [["named-uuid", "b1"], ["named-uuid", "b2"]]]),
             insert("B", "b1", n=1), insert("B", "b2", n=2), insert("A", name="y", w=["named-uuid", "x"]),
             insert("C", c=3), insert("C", c=4)]
CHANGES = [
    [on("mutate", "A", named("x"), mutations=[["s", "insert", "r"], ["s", "delete", "p"], ["m", "delete", "k"],
                                              ["m", "insert", ["map", [["z", 9]]]]])],
    [on("update", "A", named("x"), row={"o": ["set", []], "e": 8, "m": ["map", [["l", 3]]]}), insert("C", c=5)],
    [on("update", "A", named("x"), row={"b": ["set", []]})],  # The rows in B go with their last reference.
    [on("delete", "A", named("x"))],  # So does the weak reference.
    [on("delete", "C", [["c", "==", 3]]), insert("A", name="x"), on("update", "A", named("y"), row={"name": "y2"})],
]


class Client:
    """One connection, on which answers come in any order."""
    opened = []

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        for left in range(100, -1, -1):
            try:
                self.socket.connect(path)
                break
            except ConnectionRefusedError:  # The file is there a little before connections are taken.
                if not left:
                    raise
                time.sleep(0.01)
        self.opened.append(self.socket)
        self.text, self.notices, self.answers, self.n = "", [], {}, 0

    def send(self, method, *params):
        self.n += 1
        self.socket.sendall(json.dumps({"id": self.n, "method": method, "params": list(params)}).encode())
        return self.n

    def read(self):
        """Takes in one message."""
        while True:
            try:
                message, end = json.JSONDecoder().raw_decode(self.text)
                break
            except ValueError:
                try:
                    more = self.socket.recv(1 << 16)
                except ConnectionError:
                    more = b""
                if not more:
                    raise EOFError from None
                self.text += more.decode()
        self.text = self.text[end:].lstrip()
        if message.get("method") == "echo":
            self.socket.sendall(json.dumps({"id": message["id"], "result": [], "error": None}).encode())
        elif message.get("method"):
            self.notices.append((message["method"], message["params"]))
        else:
            self.answers[message["id"]] = message

    def answer(self, n):
        while n not in self.answers:
            self.read()
        reply = self.answers.pop(n)
        return reply["error"] if reply.get("error") is not None else reply["result"]

    def call(self, method, *params):
        return self.answer(self.send(method, *params))

    def notice(self):
        while not self.notices:
            self.read()
        return self.notices.pop(0)

    def close(self):
        self.socket.close()


class Server:
    def __init__(self, side, *arguments):
        self.side, self.arguments, self.process = side, arguments, None
        self.dir = tempfile.mkdtemp(prefix="ovsdb-copies.")
        self.path = os.path.join(self.dir, "sock")
        self.remotes, self.env = [f"--remote=punix:{self.path}"], {}
        self.complaints = []

    def create(self, schema):
        with open(os.path.join(self.dir, "schema"), "w", encoding="utf-8") as f:
            json.dump(schema, f)
        name = os.path.join(self.dir, schema["name"] + ".db")
        subprocess.run([TOOL, "create", name, os.path.join(self.dir, "schema")], check=True, timeout=30)
        return name

    def start(self):
        with open(os.path.join(self.dir, "err"), "ab") as err:
            self.process = subprocess.Popen(
                [SERVERS[self.side], *self.remotes, f"--unixctl={self.dir}/ctl", "-vconsole:warn",
                 *self.arguments], stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                env=dict(os.environ, OVS_RUNDIR=self.dir, OVS_SYSLOG_METHOD="null", **self.env))
        end = time.monotonic() + 20
        while not listens(self.path):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.side} did not start: {self.errors()}")
            time.sleep(0.02)

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(20)
        for name in ("sock", "ctl"):
            if os.path.exists(os.path.join(self.dir, name)):
                os.remove(os.path.join(self.dir, name))

    def errors(self):
        with open(os.path.join(self.dir, "err"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def ctl(self, *command):
        done = subprocess.run([APPCTL, "-t", f"{self.dir}/ctl", *command], capture_output=True, text=True, timeout=20,
                              check=False)
        return done.stdout + done.stderr

    def transact(self, *operations, db="T"):
        client = Client(self.path)
        try:
            client.call("set_db_change_aware", True)  # Else the coming of a database ends the connection.
            return client.call("transact", db, *operations)
        finally:
            client.close()

    def contents(self):
        tables = {t: ["_uuid", *s["columns"]] for t, s in SCHEMA["tables"].items()}
        try:
            found = self.transact(*({"op": "select", "table": t, "where": [], "columns": c} for t, c in tables.items()))
        except (EOFError, ConnectionError):
            return None  # The database has just come.
        if not isinstance(found, list) or any(r.get("error") for r in found):
            return found
        return {t: sorted(json.dumps(row, sort_keys=True) for row in r["rows"]) for t, r in zip(tables, found)}

    def about(self, *columns):
        try:
            found = self.transact({"op": "select", "table": "Database", "where": [["name", "==", "T"]],
                                   "columns": list(columns)}, db="_Server")
        except (EOFError, ConnectionError):
            return None  # The database has just come.
        return found[0]["rows"]

    def end(self):
        self.kill(signal.SIGTERM)
        errors = self.errors()
        shutil.rmtree(self.dir, ignore_errors=True)
        return errors if "Sanitizer" in errors or "runtime error" in errors else ""


class Copies(unittest.TestCase):
    maxDiff = 5000

    def setUp(self):
        self.servers = []

    def tearDown(self):
        while Client.opened:
            Client.opened.pop().close()
        self.assertEqual("".join(s.end() for s in reversed(self.servers)), "")

    def server(self, side, *arguments, schemas=(SCHEMA,), start=True):
        s = Server(side)
        s.arguments = [*arguments, *(s.create(schema) for schema in schemas)]
        self.servers.append(s)
        if start:
            s.start()
        return s

    def until(self, what, condition, seconds=15):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"not so after {seconds} s: {what}\n" +
                            "\n".join(f"{s.side}: {s.errors()}" for s in self.servers))
            time.sleep(0.05)

    def until_equal(self, copy, origin):
        wanted = origin.contents()
        self.assertIsInstance(wanted, dict)
        self.until(f"{copy.side} has what {origin.side} has", lambda: copy.contents() == wanted)

    def until_following(self, backup):
        self.until("it replicates", lambda: "replicating" in backup.ctl("ovsdb-server/sync-status"))


class Backup(Copies):
    def pair(self, active_side, backup_side, *options):
        active = self.server(active_side)
        active.transact(*BEGINNING)
        backup = self.server(backup_side, f"--sync-from=unix:{active.path}", *options)
        return active, backup

    def test_a_backup_has_every_change_of_the_active_server(self):
        for sides in PAIRS:
            with self.subTest(active=sides[0], backup=sides[1]):
                active, backup = self.pair(*sides)
                self.until_equal(backup, active)
                for operations in CHANGES:
                    self.assertFalse([r for r in active.transact(*operations) if r and r.get("error")])
                    self.until_equal(backup, active)

    def test_contents_of_many_rows(self):
        """More than is read as one value; after the server's restart all of them come again."""
        for sides in PAIRS:
            with self.subTest(active=sides[0], backup=sides[1]):
                active = self.server(sides[0])
                active.transact(*BEGINNING, *[insert("C", c=n) for n in range(10, 3000)])
                backup = self.server(sides[1], f"--sync-from=unix:{active.path}")
                self.until_equal(backup, active)
                active.kill()
                active.start()
                active.transact(on("delete", "C", [["c", "<", 300]]),
                                on("update", "C", [["c", "==", 500]], row={"c": 0}), *CHANGES[1], insert("C", c=-1))
                self.until_equal(backup, active)

    def test_excluded_tables_stay_as_they_are(self):
        for sides in PAIRS:
            with self.subTest(active=sides[0], backup=sides[1]):
                active = self.server(sides[0])
                active.transact(*BEGINNING)
                backup = self.server(sides[1])
                backup.transact(insert("C", c=99))
                backup.ctl("ovsdb-server/set-sync-exclude-tables", "T:C")
                backup.ctl("ovsdb-server/set-active-ovsdb-server", f"unix:{active.path}")
                backup.ctl("ovsdb-server/connect-active-ovsdb-server")
                self.until_following(backup)
                self.until("A is there", lambda: len(backup.contents()["A"]) == 2)
                active.transact(*CHANGES[1])
                wanted = active.contents()
                self.until("A is equal", lambda: backup.contents()["A"] == wanted["A"])
                self.assertEqual([json.loads(row)["c"] for row in backup.contents()["C"]], [99])
                self.assertIn("exclude: T:C", backup.ctl("ovsdb-server/sync-status"))

    def test_the_active_server_is_killed_changes_and_comes_back(self):
        for sides in PAIRS:
            with self.subTest(active=sides[0], backup=sides[1]):
                active, backup = self.pair(*sides)
                self.until_equal(backup, active)
                active.kill()
                kept = backup.contents()
                active.start()
                for operations in CHANGES:
                    active.transact(*operations)
                self.assertNotEqual(active.contents(), kept)
                self.until_equal(backup, active)
                active.transact(insert("C", c=1000))
                self.until_equal(backup, active)

    def test_the_backup_is_killed_and_comes_back(self):
        for sides in PAIRS:
            with self.subTest(active=sides[0], backup=sides[1]):
                active, backup = self.pair(*sides)
                self.until_equal(backup, active)
                backup.kill()
                active.transact(*CHANGES[0])
                backup.start()
                self.until_equal(backup, active)

    def test_a_backup_is_read_only_until_it_is_made_the_active_one(self):
        for sides in PAIRS:
            with self.subTest(active=sides[0], backup=sides[1]):
                active, backup = self.pair(*sides)
                self.until_equal(backup, active)
                client, aware = Client(backup.path), Client(backup.path)
                aware.call("set_db_change_aware", True)
                self.assertEqual(client.call("transact", "T", insert("C", c=1))[0]["error"], "not allowed")
                self.assertIn("read only", client.call("lock", "x"))
                self.assertIn("state: backup", backup.ctl("ovsdb-server/sync-status"))
                active.kill()
                backup.ctl("ovsdb-server/disconnect-active-ovsdb-server")
                if sides[1] == "ours":
                    with self.assertRaises((EOFError, ConnectionError)):
                        client.call("list_dbs")
                self.assertEqual(aware.call("lock", "x"), {"locked": True})
                self.assertIn("uuid", aware.call("transact", "T", insert("C", c=1))[0])
                self.assertIn("state: active", backup.ctl("ovsdb-server/sync-status"))
                # The other way round now.
                active.start()
                active.ctl("ovsdb-server/set-active-ovsdb-server", f"unix:{backup.path}")
                active.ctl("ovsdb-server/connect-active-ovsdb-server")
                self.until_equal(active, backup)

    def test_started_as_active(self):
        active, other = self.server("ours"), None
        active.transact(*BEGINNING)
        other = self.server("ours", f"--sync-from=unix:{active.path}", "--active")
        self.assertIn("uuid", other.transact(insert("C", c=1))[0])
        self.assertEqual(other.ctl("ovsdb-server/get-active-ovsdb-server"), f"unix:{active.path}\n")
        self.assertEqual(other.ctl("ovsdb-server/sync-status"), "database: T\nstate: active\n\n")
        other.ctl("ovsdb-server/connect-active-ovsdb-server")
        self.until_equal(other, active)

    def test_a_server_is_no_backup_of_itself(self):
        server = self.server("ours")
        server.transact(*BEGINNING)
        kept = server.contents()
        server.ctl("ovsdb-server/set-active-ovsdb-server", f"unix:{server.path}")
        server.ctl("ovsdb-server/connect-active-ovsdb-server")
        self.until("it sees that", lambda: "failed" in server.ctl("ovsdb-server/sync-status"))
        self.assertIn("Self replicating", server.errors())
        self.assertEqual(server.contents(), kept)

    def test_a_schema_that_does_not_fit(self):
        for change, says in (
                (lambda t: t.update(D={"columns": {"d": {"type": "string"}}}), "Table D not present"),
                (lambda t: t["C"]["columns"].update(d={"type": "string"}), "Column d not present"),
                (lambda t: t["C"]["columns"].update(c={"type": "string"}), "Column c mismatch")):
            other = json.loads(json.dumps(SCHEMA))
            change(other["tables"])
            with self.subTest(says=says):
                active = self.server("ours", schemas=(other,))
                backup = self.server("ours", f"--sync-from=unix:{active.path}")
                self.until("it sees that", lambda b=backup: "failed" in b.ctl("ovsdb-server/sync-status"))
                self.assertIn(says, backup.errors())
                # A conversion of the active server's database is the remedy.
                client = Client(active.path)
                self.assertEqual(client.call("convert", "T", SCHEMA), {})
                self.until_following(backup)

    def test_a_reference_that_leads_nowhere_is_refused(self):
        active = self.server("ours")
        active.transact(*BEGINNING)
        backup = self.server("ours", f"--sync-from=unix:{active.path}", "--sync-exclude-tables=T:B")
        self.until("it fails", lambda: "failed" in backup.ctl("ovsdb-server/sync-status"))
        self.assertEqual(backup.contents(), {"A": [], "B": [], "C": []})
        backup.ctl("ovsdb-server/set-sync-exclude-tables")
        self.until_equal(backup, active)

    def test_databases_have_their_own_fate(self):
        other = dict(SCHEMA, name="U")
        active = self.server("ours")
        active.transact(*BEGINNING)
        backup = self.server("ours", f"--sync-from=unix:{active.path}", schemas=(SCHEMA, other))
        self.until_following(backup)
        self.assertEqual(backup.ctl("ovsdb-server/sync-status"),
                         f"database: T\nstate: backup\nreplicating: unix:{active.path}\n\n"
                         f"database: U\nstate: backup\nconnecting: unix:{active.path}\n\n")
        active.ctl("ovsdb-server/add-db", active.create(other))
        self.until("U too", lambda: "connecting" not in backup.ctl("ovsdb-server/sync-status"))


class Relay(Copies):
    def pair(self, source_side, relay_side):
        source = self.server(source_side)
        source.transact(*BEGINNING)
        relay = self.server(relay_side, f"relay:T:unix:{source.path}", schemas=())
        self.until("the relay has it", lambda: relay.about("connected") == [{"connected": True}])
        return source, relay

    def test_a_relay_has_every_change_and_forwards_every_transaction(self):
        for sides in PAIRS:
            with self.subTest(source=sides[0], relay=sides[1]):
                source, relay = self.pair(*sides)
                self.until_equal(relay, source)
                self.assertEqual(relay.about("model", "leader", "connected"),
                                 [{"model": "relay", "leader": False, "connected": True}])
                for i, operations in enumerate(CHANGES):
                    done = (source, relay)[i % 2].transact(*operations)
                    self.assertFalse([r for r in done if r and r.get("error")], done)
                    self.until_equal(relay, source)

    def test_contents_and_answers_of_many_rows(self):
        for sides in PAIRS:
            with self.subTest(source=sides[0], relay=sides[1]):
                source, relay = self.pair(*sides)
                source.transact(*[insert("C", c=n) for n in range(10, 3000)])
                relay.kill()
                relay.start()
                self.until_equal(relay, source)
                forwarded = [insert("C", "x", c=5000), on("select", "C")]
                self.assertGreater(len(relay.transact(*forwarded)[1]["rows"]), 2990)
                self.until_equal(relay, source)

    def test_a_client_sees_the_change_before_the_answer(self):
        for sides in PAIRS:
            with self.subTest(source=sides[0], relay=sides[1]):
                _, relay = self.pair(*sides)
                client = Client(relay.path)
                client.call("monitor_cond", "T", "m", {"C": [{"columns": ["c"]}]})
                for i in range(20):
                    done = client.call("transact", "T", insert("C", c=100 + i))
                    method, params = client.notices.pop(0)
                    self.assertEqual((method, params[0]), ("update2", "m"))
                    self.assertEqual(list(params[1]["C"]), [done[0]["uuid"][1]])

    def test_waiting_errors_and_canceling(self):
        for sides in PAIRS:
            with self.subTest(source=sides[0], relay=sides[1]):
                source, relay = self.pair(*sides)
                client = Client(relay.path)
                until = {"table": "C", "where": [["c", "==", 77]], "columns": ["c"], "until": "==", "rows": [{"c": 77}]}
                waiting = client.send("transact", "T", {"op": "wait", **until}, insert("C", c=78))
                self.assertEqual(client.call("transact", "T", insert("A", name="y"))[1]["error"],
                                 "constraint violation")
                self.assertEqual(client.call("transact", "T", insert("Z"))[0]["error"], "syntax error")
                source.transact(insert("C", c=77))
                self.assertIn("uuid", client.answer(waiting)[1])
                waiting = client.send("transact", "T", {"op": "wait", **dict(until, where=[["c", "==", 5000]])},
                                      insert("C", c=79))
                client.socket.sendall(json.dumps({"id": None, "method": "cancel", "params": [waiting]}).encode())
                if sides[1] == "ours":
                    self.assertEqual(client.answer(waiting), "canceled")
                    self.assertFalse([row for row in source.contents()["C"] if '"c": 79' in row])

    def test_the_source_is_killed_and_comes_back(self):
        for sides in PAIRS:
            with self.subTest(source=sides[0], relay=sides[1]):
                source, relay = self.pair(*sides)
                client = Client(relay.path)
                client.call("monitor_cond_since", "T", "m", {"C": [{"columns": ["c"]}]}, "0" * 8 + "-0000" * 3 + "-" +
                            "0" * 12)
                source.process.send_signal(signal.SIGSTOP)
                lost = client.send("transact", "T", insert("C", c=200))
                time.sleep(0.3)
                source.kill()
                self.assertEqual(client.answer(lost), "canceled")
                self.assertEqual(len(client.call("transact", "T", on("select", "C"))[0]["rows"]), 2)
                later = client.send("transact", "T", insert("C", c=201))
                source.start()
                self.assertIn("uuid", client.answer(later)[0])
                self.until_equal(relay, source)

    def test_a_relay_before_its_source(self):
        for sides in PAIRS:
            with self.subTest(source=sides[0], relay=sides[1]):
                source = self.server(sides[0], start=False)
                relay = self.server(sides[1], f"relay:T:unix:{source.path}", schemas=())
                self.assertEqual(relay.about("connected", "schema"), [{"connected": False, "schema": ["set", []]}])
                self.assertEqual(relay.transact(insert("C", c=1))["error"], "database not available")
                client = Client(relay.path)
                self.assertEqual(client.call("get_schema", "T")["error"], "database not available")
                self.assertEqual(sorted(client.call("list_dbs")), ["T", "_Server"])
                source.start()
                self.until("it is there", lambda: relay.about("connected") == [{"connected": True}])
                self.assertIn("uuid", relay.transact(insert("C", c=1))[0])

    def test_a_relay_of_a_relay(self):
        for sides in PAIRS:
            with self.subTest(relays=sides):
                source, first = self.pair("ours", sides[0])
                second = self.server(sides[1], f"relay:T:unix:{first.path}", schemas=())
                self.until_equal(second, source)
                self.assertIn("uuid", second.transact(insert("C", c=1))[0])
                self.until_equal(second, source)

    def test_several_sources(self):
        source = self.server("ours")
        source.transact(*BEGINNING)
        empty = self.server("ours", schemas=(dict(SCHEMA, name="Other"),))
        relay = self.server("ours", f"relay:T:unix:{source.dir}/nowhere,unix:{empty.path},unix:{source.path}",
                            schemas=())
        self.until_equal(relay, source)

    def test_a_conversion_through_the_relay(self):
        for sides in PAIRS:
            if sides[1] != "ours":
                continue  # The reference's relay converts its own copy only.
            with self.subTest(source=sides[0], relay=sides[1]):
                source, relay = self.pair(*sides)
                newer = json.loads(json.dumps(SCHEMA))
                newer["version"] = "2.0.0"
                newer["tables"]["C"]["columns"]["d"] = {"type": "string"}
                client = Client(relay.path)
                client.call("set_db_change_aware", True)
                client.call("monitor", "T", "m", {"C": [{}]})
                self.assertEqual(client.call("convert", "T", newer), {})
                self.assertEqual(client.notice(), ("monitor_canceled", ["m"]))
                self.until("the relay has the schema", lambda: "error" not in relay.transact(
                    insert("C", c=1, d="new"))[0])
                self.until_equal(relay, source)

    def test_what_a_client_may_not_do_it_may_not_do_through_a_relay(self):
        guarded = json.loads(json.dumps(SCHEMA))
        permissions = {"key": "string", "value": {"type": "uuid", "refTable": "RBAC_Permission", "refType": "weak"},
                       "min": 0, "max": "unlimited"}
        guarded["tables"].update(
            RBAC_Role={"isRoot": True, "columns": {"name": {"type": "string"}, "permissions": {"type": permissions}}},
            RBAC_Permission={"isRoot": True, "columns": {
                "table": {"type": "string"}, "authorization": STRINGS, "insert_delete": {"type": "boolean"},
                "update": STRINGS}})
        gate = {"name": "G", "version": "1.0.0", "tables": {
            "G": {"isRoot": True, "columns": {"r": {"type": {"key": {"type": "uuid", "refTable": "R"}, "min": 0,
                                                             "max": "unlimited"}}}},
            "R": {"columns": {"target": {"type": "string"}, "role": {"type": "string"},
                              "read_only": {"type": "boolean"}}}}}
        source = self.server("ours", schemas=(guarded,))
        relay = self.server("ours", f"relay:T:unix:{source.path}", "--remote=db:G,G,r", schemas=(gate,))
        roled, reading = (os.path.join(relay.dir, name) for name in ("roled", "reading"))
        self.until("the relay has it", lambda: relay.about("connected") == [{"connected": True}])
        relay.transact(insert("G", r=["set", [["named-uuid", "x"], ["named-uuid", "y"]]]),
                       insert("R", "x", target=f"punix:{roled}", role="nobody"),
                       insert("R", "y", target=f"punix:{reading}", read_only=True), db="G")
        self.until("it listens", lambda: listens(roled) and listens(reading))
        for path, error in ((roled, "permission error"), (reading, "not allowed")):
            client = Client(path)
            self.assertEqual(client.call("transact", "T", insert("C", c=1))[0]["error"], error)
            self.assertEqual(client.call("convert", "T", SCHEMA)["error"], "not allowed")
            self.assertEqual(client.call("transact", "T", on("select", "C")), [{"rows": []}])

    def cluster(self):
        """A cluster of one server, the reference's: its transactions have ids."""
        s = self.server("reference", schemas=(), start=False)
        with open(os.path.join(s.dir, "schema"), "w", encoding="utf-8") as f:
            json.dump(SCHEMA, f)
        subprocess.run(["/usr/bin/ovsdb-tool", "create-cluster", f"{s.dir}/cluster", f"{s.dir}/schema",
                        f"unix:{s.dir}/raft"], check=True, timeout=20, capture_output=True)
        s.arguments.append(f"{s.dir}/cluster")
        s.start()
        self.until("it leads", lambda: s.about("leader") == [{"leader": True}])
        s.transact(*BEGINNING, *(insert("C", c=n) for n in range(500, 600)))  # The history is no larger than that.
        return s

    @staticmethod
    def since(server, last, where=(True,), notices=None):
        """What monitor_cond_since answers; with 'notices' the client goes on and is returned too."""
        client = Client(server.path)
        answer = client.call("monitor_cond_since", "T", "m", {
            t: [{"columns": list(s["columns"]), **({"where": list(where)} if t == "C" else {})}]
            for t, s in SCHEMA["tables"].items()}, last)
        if notices is None:
            client.close()
            return answer
        return client, answer

    @unittest.skipUnless("reference" in SERVERS, "only the reference has clusters")
    def test_a_relay_knows_the_last_transactions_of_a_cluster(self):
        source = self.cluster()
        relays = [self.server(side, f"relay:T:unix:{source.path}", schemas=()) for side in SERVERS]
        relays.append(self.server("ours", f"relay:T:unix:{relays[0].path}", schemas=()))
        for relay in relays:
            self.until_equal(relay, source)
        clients = [self.since(relay, ZERO, notices=True) for relay in relays]
        self.assertEqual({(found, last) for _, (found, last, _) in clients}, {(False, self.since(source, ZERO)[1])})
        ids = [clients[0][1][1]]
        for operations in CHANGES:
            self.assertFalse([r for r in source.transact(*operations) if r and r.get("error")])
            for relay in relays:
                self.until_equal(relay, source)
            ids.append(self.since(source, ZERO)[1])
        for client, _ in clients:
            client.call("echo")
            self.assertEqual([params[1] for method, params in client.notices if method == "update3"], ids[1:])
        for last in [*ids, ZERO, "550e8400-e29b-41d4-a716-446655440000"]:
            # The reference's does not know the one that it began with: its first contents are too large for that.
            asked = [relay for relay in relays if last != ids[0] or relay.side == "ours"]
            for where in ([True], [["c", ">", 3]], [False]):
                answers = [self.since(relay, last, where) for relay in asked]
                self.assertEqual(answers[0][:2], [last in ids, ids[-1]])
                self.assertEqual(answers[1:], answers[:1] * (len(answers) - 1), (last, where))
        for n in range(120):
            source.transact(insert("C", c=1000 + n))
        for relay in relays:
            self.until_equal(relay, source)
        for client, _ in clients:
            client.notices.clear()
            client.call("echo")
        ids = ids[-1:] + [params[1] for method, params in clients[0][0].notices if method == "update3"]
        for back in (1, 2, 50, 100, 101, 110):
            for relay in relays:
                found, last, updates = self.since(relay, ids[-back])
                self.assertEqual((found, last), (back <= 100, ids[-1]), back)
                if found:
                    self.assertEqual(len(updates.get("C", {})), back - 1)
        self.assertIn("txn-history:100", relays[0].ctl("memory/show"))

    @unittest.skipUnless("reference" in SERVERS, "only the reference has clusters")
    def test_a_relay_that_lost_its_cluster_goes_on_where_it_was(self):
        source = self.cluster()
        relay = self.server("ours", f"relay:T:unix:{source.path}", schemas=())
        self.until_equal(relay, source)
        client, (_, first, _) = self.since(relay, ZERO, notices=True)
        source.kill()
        source.start()
        self.until("it leads", lambda: source.about("leader") == [{"leader": True}])
        source.transact(insert("C", c=77))
        self.until_equal(relay, source)
        client.call("echo")
        last = self.since(source, ZERO)[1]
        self.assertEqual([params[1] for method, params in client.notices if method == "update3"], [last])
        found, reached, updates = self.since(relay, first)
        self.assertEqual((found, reached), (True, last))
        self.assertEqual([u["insert"]["c"] for u in updates["C"].values()], [77])

    def test_a_relay_is_added_and_removed(self):
        source = self.server("ours")
        source.transact(*BEGINNING)
        relay = self.server("ours", "--no-dbs", schemas=())
        for name in ("relay:", "relay:T", "relay:T:", "relay::unix:x"):
            self.assertIn(f"ovsdb error: {name}: invalid syntax", relay.ctl("ovsdb-server/add-db", name))
        name = f"relay:T:unix:{source.path}"
        for _ in range(2):
            self.assertEqual(relay.ctl("ovsdb-server/add-db", name), "")
            self.assertIn("duplicate database name", relay.ctl("ovsdb-server/add-db", name))
            self.until_equal(relay, source)
            self.assertEqual(relay.ctl("ovsdb-server/get-db-storage-status", "T"), "status: ok\n")
            self.assertEqual(relay.ctl("ovsdb-server/compact", "T"), "")
            client = Client(relay.path)
            client.call("set_db_change_aware", True)
            client.call("monitor", "T", "m", {"C": [{}]})
            self.assertEqual(relay.ctl("ovsdb-server/remove-db", "T"), "")
            self.assertEqual(client.notice(), ("monitor_canceled", ["m"]))


class Impostor:
    """A source that answers as it is told: 'replies' by method, or a function of the request."""

    def __init__(self, path, replies, notices=()):
        self.replies, self.notices, self.asked = replies, notices, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        text = ""
        with connection:
            while True:
                try:
                    more = connection.recv(1 << 16).decode()
                except OSError:
                    return
                if not more:
                    return
                text += more
                while text:
                    try:
                        message, end = json.JSONDecoder().raw_decode(text)
                    except ValueError:
                        break
                    text = text[end:]
                    try:
                        self.answer(connection, message)
                    except OSError:
                        return

    def answer(self, connection, message):
        method = message.get("method")
        self.asked.append(method)
        if method not in self.replies:
            return
        reply = self.replies[method]
        if isinstance(reply, str) and reply.startswith("raw:"):
            connection.sendall(reply[4:].replace("{id}", str(message["id"])).encode())
            return
        connection.sendall(json.dumps({"id": message["id"], "result": reply, "error": None}).encode())
        if method == "monitor_cond_since":
            for notice in self.notices:
                connection.sendall(json.dumps(notice).encode())

    def close(self):
        self.socket.close()


def about_dbs(**columns):
    row = {"name": "T", "connected": True, "schema": json.dumps(SCHEMA), **columns}
    return {"Database": {"11111111-1111-4111-8111-111111111111": {"initial": row}}}


def update(updates, method="update2", monitor=1):
    more = ["00000000-0000-0000-0000-000000000000"] if method == "update3" else []
    return {"id": None, "method": method, "params": [monitor, *more, updates]}


UUID = "22222222-2222-4222-8222-222222222222"
GOOD = {"set_db_change_aware": {}, "get_server_id": UUID, "monitor_cond": about_dbs(), "get_schema": SCHEMA,
        "monitor_cond_since": [False, UUID, {"C": {UUID: {"initial": {"c": 7}}}}]}
ODD_REPLIES = [
    {"monitor_cond": v} for v in (
        7, [], {"Database": 7}, {"Database": {"x": 7}}, {"Database": {UUID: {"initial": 7}}}, about_dbs(name=7),
        about_dbs(connected=7), about_dbs(schema=7), about_dbs(schema=["set", []]))] + [
    {"get_schema": v} for v in (7, {}, {"name": "X", "tables": {}}, {"name": "T", "tables": {"C": 7}}, None)] + [
    {"monitor_cond_since": v} for v in (
        7, [], [1, 2, 3], [False, 7, 7], [False, UUID, []], [False, UUID, {"Z": {}}], [False, UUID, {"C": 7}],
        [False, UUID, {"C": {"x": {}}}], [False, UUID, {"C": {UUID: 7}}], [False, UUID, {"C": {UUID: {}}}],
        [False, UUID, {"C": {UUID: {"initial": 7}}}], [False, UUID, {"C": {UUID: {"initial": {"c": "x"}}}}],
        [True, UUID, {"C": {UUID: {"modify": {"c": 1}}}}],
        [False, UUID, {"A": {UUID: {"initial": {"b": ["uuid", UUID]}}}}])] + [
    {"get_server_id": v} for v in (7, "x")] + [
    {"set_db_change_aware": v} for v in ("raw:}", "raw:[]", 'raw:{"id":7}', 'raw:{"method":7,"params":[],"id":null}')]

# So much that it is not read as one value.
MANY = {f"00000000-0000-4000-8000-{n:012d}": {"initial": {"c": n}} for n in range(2000)}
LONG_GOOD = [False, UUID, {"C": MANY}]
ODD_LONG_REPLIES = [
    {"monitor_cond_since": v} for v in (
        {"C": MANY}, [MANY, UUID, {}], [False, MANY], [False], [False, UUID, [MANY]],
        [False, UUID, {"C": MANY, "Z": {}}],
        [False, UUID, {"C": MANY, "A": 7}], [False, UUID, {"C": {**MANY, "x": {}}}],
        [False, UUID, {"C": {**MANY, UUID: 7}}], [False, UUID, {"C": {**MANY, UUID: {}}}],
        [False, UUID, {"C": {**MANY, UUID: {"initial": {"c": "x"}}}}],
        [False, UUID, {"A": {UUID: {"initial": {"b": ["uuid", UUID]}}}, "C": MANY}])] + [
    {"get_schema": {**SCHEMA, "x": "y" * 100000}}, {"get_schema": ["y" * 100000]}, {"monitor_cond": MANY},
    {"get_server_id": "y" * 100000}, {"set_db_change_aware": MANY}]
# What stands for {id} is the request's.
BROKEN_LONG = [
    '"C":{' + "7," * 70000 + "}", '"C":{' + '"x":{}}}' * 10000,
    '"C":{"' + UUID + '":{"initial":{"c":' + "[" * 500 + "]" * 500 + "}}}" + " " * 70000,
    '"C":{"' + "x" * 70000 + '":nul}']
ODD_NOTICES = [
    {"id": None, "method": "update2", "params": []}, {"id": None, "method": "update3", "params": [1]},
    {"id": None, "method": "monitor_canceled", "params": []}, {"id": None, "method": "locked", "params": ["x"]},
    {"id": 5, "method": "steal", "params": []}, {"id": 99, "result": {}, "error": None}, update(7), update({"Z": {}}),
    update({"C": 7}), update({"C": {UUID: {"modify": {"c": "x"}}}}), update({"C": {UUID: {"insert": {"nothing": 1}}}}),
    update({"C": {UUID[::-1]: {"modify": {"c": 1}}}}), update({"C": {UUID: 7}}), update({}, monitor=[[]]),
    update({"Database": 7}, monitor="_Server"), update({"Database": {"x": {"modify": 7}}}, monitor="_Server"),
    update({"C": {UUID: {"new": {"c": 8}}}}, "update"), update({"C": {UUID: {"modify": {"c": 9}}}}, "update3")]


class OddSources(Copies):
    """What a source says is nonsense: the copy stays as it was or gets what made sense, and the server lives on."""

    def test_nonsense_in_answers(self):
        for model in ("backup", "relay"):
            for odd in ODD_REPLIES:
                with self.subTest(model=model, odd=odd):
                    self.check(model, {**GOOD, **odd}, (), followed=odd.keys() & {"get_server_id"})

    def test_nonsense_in_long_answers(self):
        for model in ("backup", "relay"):
            for odd in ODD_LONG_REPLIES:
                with self.subTest(model=model, odd=str(odd)[:60]):
                    self.check(model, {**GOOD, **odd}, (), followed=False)
            for text in BROKEN_LONG:
                raw = 'raw:{"id":{id},"error":null,"result":[false,"' + UUID + '",{' + text + "}]}"
                with self.subTest(model=model, odd=raw[:60]):
                    self.check(model, {**GOOD, "monitor_cond_since": raw}, (), followed=False)

    def test_nonsense_in_notices(self):
        for model in ("backup", "relay"):
            for odd in ODD_NOTICES:
                with self.subTest(model=model, odd=odd):
                    self.check(model, GOOD, (odd,), followed=True)

    def check(self, model, replies, notices, followed):
        place = tempfile.mkdtemp(prefix="ovsdb-copies.")
        impostor = Impostor(os.path.join(place, "sock"), replies, notices)
        try:
            if model == "backup":
                server = self.server("ours", f"--sync-from=unix:{place}/sock")
            else:
                server = self.server("ours", f"relay:T:unix:{place}/sock", schemas=())
            if followed:
                self.until("it was there", lambda: "monitor_cond_since" in impostor.asked)
            time.sleep(0.1)
            self.assertEqual(len(server.transact({"op": "select", "table": "Database", "where": []}, db="_Server")[0]
                                 ["rows"]), 2)
            contents = server.contents()
            if isinstance(contents, dict) and "error" not in contents and not followed:
                self.assertEqual(contents["A"], [])
        finally:
            impostor.close()
            errors = self.servers.pop().end()
            shutil.rmtree(place)
        self.assertEqual(errors, "")


if __name__ == "__main__":
    unittest.main()
