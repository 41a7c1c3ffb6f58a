#!/usr/bin/python3
"""The database daemon as a process: its options, its end, slow and hostile clients, kill -9.

Usage: ovsdb_server.py BUILD [TEST]...  No traffic leaves the machine; everything lives in a directory of its own."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = sys.argv.pop(1) if len(sys.argv) > 1 else "build"
SCHEMA = {"name": "Test", "version": "1.0.0", "tables": {"T": {"isRoot": True, "columns": {
    "k": {"type": "integer"}, "v": {"type": "string"}}, "indexes": [["k"]]}, "S": {"isRoot": True, "columns": {
        "i": {"type": "integer"}, "set": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
        "map": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}}}}}}


def program(name):
    for at, dirs, names in os.walk(BUILD):
        dirs[:] = [d for d in dirs if not d.endswith(".p")]
        if name in names and os.access(os.path.join(at, name), os.X_OK):
            return os.path.join(at, name)
    if name == "ovsdb-tool" and os.path.exists("/usr/bin/ovsdb-tool"):
        return "/usr/bin/ovsdb-tool"  # It only makes the file.
    print(f"{name} is not built")
    sys.exit(77)


SERVER, APPCTL, TOOL, CLIENT = (program(p) for p in ("ovsdb-server", "ovs-appctl", "ovsdb-tool", "ovsdb-client"))


class Rpc:
    """A client whose reading can be left to the test."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.settimeout(30)
        self.buffer, self.next_id, self.decoder = "", 0, json.JSONDecoder()

    def send(self, method, params):
        self.next_id += 1
        self.sock.sendall(json.dumps({"id": self.next_id, "method": method, "params": params}).encode())
        return self.next_id

    def receive(self):
        while True:
            self.buffer = self.buffer.lstrip()
            if self.buffer:
                try:
                    value, end = self.decoder.raw_decode(self.buffer)
                    self.buffer = self.buffer[end:]
                    return value
                except json.JSONDecodeError:
                    pass
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError()
            self.buffer += data.decode()

    def call(self, method, params, updates=None):
        number = self.send(method, params)
        while True:
            message = self.receive()
            if message.get("id") == number and "method" not in message:
                return message
            if updates is not None:
                updates.append(message)

    def transact(self, *ops):
        return self.call("transact", ["Test", *ops])["result"]

    def close(self):
        self.sock.close()


class Server(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ovsdb-server.")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_SYSLOG_METHOD="null")
        self.db, self.sock = os.path.join(self.dir, "db"), os.path.join(self.dir, "db.sock")
        with open(self.db + ".schema", "w", encoding="utf-8") as f:
            json.dump(SCHEMA, f)
        subprocess.run([TOOL, "create", self.db, self.db + ".schema"], check=True, env=self.env)
        self.processes = []

    def tearDown(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
                p.wait()
        for name in os.listdir(self.dir):
            if name.endswith(".pid"):
                with open(os.path.join(self.dir, name), encoding="utf-8") as f:
                    try:
                        os.kill(int(f.read()), signal.SIGKILL)
                    except (ProcessLookupError, ValueError):
                        pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, *options):
        """A server in the foreground; returns when it can be connected to."""
        err = open(os.path.join(self.dir, "err"), "a", encoding="utf-8")
        p = subprocess.Popen([SERVER, "--remote=punix:db.sock", "--unixctl=ctl", "-vconsole:warn", *options, self.db],
                             env=self.env, stderr=err)
        self.processes.append(p)
        self.wait_for(self.can_connect, p)
        return p

    def can_connect(self):
        try:
            Rpc(self.sock).close()
            return True
        except OSError:
            return False

    def wait_for(self, condition, process=None, seconds=20):
        end = time.time() + seconds
        while not condition():
            self.assertTrue(time.time() < end, "waited in vain")
            if process is not None:
                self.assertIsNone(process.poll(), self.err())
            time.sleep(0.02)

    def err(self):
        with open(os.path.join(self.dir, "err"), encoding="utf-8") as f:
            return f.read()

    def run_program(self, *command, **more):
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60, cwd=self.dir, **more)

    def ctl(self, *command):
        done = self.run_program(APPCTL, "-t", os.path.join(self.dir, "ctl"), *command)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def end(self, process):
        """An orderly end, with nothing found by the sanitizers."""
        self.ctl("exit")
        self.assertEqual(process.wait(30), 0, self.err())
        self.assertNotRegex(self.err(), r"ERROR: |runtime error")

    # Options.

    def test_a_detached_server_is_ready_when_the_command_returns(self):
        done = self.run_program(SERVER, "--detach", "--no-chdir", "--pidfile", "--remote=punix:db.sock", "--log-file",
                                "db")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(Rpc(self.sock).call("list_dbs", [])["result"], ["Test", "_Server"])
        self.assertEqual(done.stderr.count("\n"), done.stderr.count("opened log file"), done.stderr)
        again = self.run_program(SERVER, "--detach", "--pidfile", "--no-dbs")
        self.assertEqual(again.returncode, 1)
        self.assertIn("already running as pid", again.stderr)
        self.assertEqual(self.run_program(APPCTL, "-t", "ovsdb-server", "exit").returncode, 0)
        self.wait_for(lambda: not any(n.endswith((".pid", ".ctl", ".sock")) for n in os.listdir(self.dir)))

    def test_what_keeps_it_from_starting_is_told_and_is_the_exit_status(self):
        for options, text in (
                (["nothing"], "open failed (No such file or directory)"),
                (["--remote=db:Test,T", "db"], '"db:Test,T": invalid syntax'),
                (["--remote=db:Nope,T,v", "db"], '"db:Nope,T,v": no database named Nope'),
                (["--remote=db:Test,Nope,v", "db"], '"db:Test,Nope,v": no table named Nope'),
                (["--remote=db:Test,T,nope", "db"], '"db:Test,T,nope": table "T" has no column "nope"'),
                (["--unixctl=/nonexistent/x", "db"], "/nonexistent/x: could not initialize control socket"),
                (["--pidfile=/nonexistent/x", "db"], "/nonexistent/x.tmp: create failed"),
                (["--nonsense"], "unrecognized option '--nonsense'")):
            for detach in ([], ["--detach"]):
                done = self.run_program(SERVER, *detach, *options)
                self.assertEqual(done.returncode, 1, options)
                self.assertIn(text, done.stderr)

    def test_run_ends_with_its_command(self):
        command = f"{CLIENT} list-dbs unix:db.sock > {self.dir}/out"
        self.assertEqual(self.run_program(SERVER, "--remote=punix:db.sock", f"--run={command}", "-vconsole:off",
                                          "db").stderr, "")
        with open(os.path.join(self.dir, "out"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "Test\n_Server\n")
        done = self.run_program(SERVER, "--run=exit 3", "-vconsole:off", "db")
        self.assertEqual((done.returncode, done.stderr), (1, "ovsdb-server: exit 3: child exited, exit status 3\n"))

    def test_the_monitor_starts_a_crashed_server_again(self):
        self.assertEqual(self.run_program(SERVER, "--detach", "--no-chdir", "--monitor", "--pidfile",
                                          "--remote=punix:db.sock",
                                          "-vconsole:off", "db").stderr, "")
        self.assertEqual(Rpc(self.sock).transact({"op": "insert", "table": "T", "row": {"k": 1}})[0].keys(), {"uuid"})
        pid = self.pid()
        os.kill(pid, signal.SIGABRT)
        self.wait_for(lambda: self.pid() not in (pid, None) and self.can_connect())
        rows = Rpc(self.sock).transact({"op": "select", "table": "T", "where": [], "columns": ["k"]})
        self.assertEqual(rows, [{"rows": [{"k": 1}]}])
        os.kill(self.pid(), signal.SIGTERM)
        self.wait_for(lambda: self.pid() is None)

    def pid(self):
        try:
            with open(os.path.join(self.dir, "ovsdb-server.pid"), encoding="utf-8") as f:
                return int(f.read())
        except (FileNotFoundError, ValueError):
            return None

    def test_sigterm_removes_sockets_and_sighup_reopens_the_log(self):
        p = self.start("--log-file=log", "--pidfile")
        os.rename(os.path.join(self.dir, "log") if os.path.exists(os.path.join(self.dir, "log")) else "log",
                  os.path.join(self.dir, "log.1"))
        p.send_signal(signal.SIGHUP)
        self.wait_for(lambda: os.path.exists("log"))
        p.terminate()
        self.assertEqual(p.wait(20), -signal.SIGTERM)
        os.unlink("log")
        self.assertFalse([n for n in os.listdir(self.dir) if n.endswith((".sock", ".pid")) or n == "ctl"])

    # Clients.

    def test_a_slow_reader_costs_bounded_memory_and_sees_the_end_state(self):
        p = self.start()
        writer, slow, fast = Rpc(self.sock), Rpc(self.sock), Rpc(self.sock)
        rows, size, rounds = 20, 50000, 100
        writer.transact(*[{"op": "insert", "table": "T", "row": {"k": k, "v": ""}} for k in range(rows)])
        for client in (slow, fast):
            client.call("monitor_cond", ["Test", "m", {"T": {"columns": ["k", "v"]}}])
        fast.sock.settimeout(None)
        threading.Thread(target=self.drain, args=(fast,), daemon=True).start()
        for n in range(rounds):
            text = chr(ord("a") + n % 26) * size
            writer.transact(*[{"op": "update", "table": "T", "where": [["k", "==", k]], "row": {"v": f"{n}{text}"}}
                              for k in range(rows)])
        backlog = int(re.search(r"backlog:(\d+)", self.ctl("memory/show")).group(1))
        # Everything would be 100 MB; twice the limit and one commit are allowed.
        self.assertLess(backlog, 2 * (1 << 20) + 2 * rows * size)
        updates = []
        slow.call("transact", ["Test"], updates)  # Answered when all is told.
        final = {}
        for update in updates:
            for uuid, change in update["params"][1]["T"].items():
                final[uuid] = change["modify"]["v"]
        self.assertTrue(set(final.values()) == {f"{rounds - 1}{text}"})
        self.assertLess(len(updates), rounds)
        fast.close()
        slow.close()
        self.end(p)

    @staticmethod
    def drain(client):
        try:
            while client.sock.recv(1 << 20):
                pass
        except OSError:
            pass

    def test_a_long_snapshot_shows_one_moment_and_keeps_nobody_waiting(self):
        p = self.start()
        writer, n = Rpc(self.sock), 40000
        writer.sock.settimeout(120)
        writer.transact(*[{"op": "insert", "table": "T", "row": {"k": k, "v": f"v{k}" * 20}} for k in range(n)])
        expected = {k: f"v{k}" * 20 for k in range(n)}
        readers = [Rpc(self.sock), Rpc(self.sock)]
        seed = random.Random(1)
        readers[0].send("monitor_cond", ["Test", "m", {"T": {"columns": ["k", "v"]}}])
        # Changes of all kinds before and behind where the walk may be, each seen whole or not at all by the snapshot:
        # rows k and n + k change together.
        for i in range(300):
            if i == 3:
                readers[1].send("monitor_cond", ["Test", "m", {"T": {"columns": ["k", "v"]}}])
            k = seed.randrange(n)
            old = [["k", "==", k]]
            kind = i % 3
            ops = [{"op": "delete", "table": "T", "where": [["k", "==", n + k]]}]
            expected.pop(n + k, None)
            if kind == 0:
                ops += [{"op": "delete", "table": "T", "where": old}]
                expected.pop(k, None)
            else:
                ops += [{"op": "delete", "table": "T", "where": old}] if kind == 1 else []
                ops += [{"op": "insert", "table": "T", "row": {"k": n + k, "v": f"new{i}"}},
                        {"op": "update", "table": "T", "where": old, "row": {"v": f"new{i}"}}]
                if kind == 1:
                    expected.pop(k, None)
                elif k in expected:
                    expected[k] = f"new{i}"
                expected[n + k] = f"new{i}"
            for result in writer.transact(*ops):
                self.assertNotIn("error", result)
        writer.transact({"op": "insert", "table": "T", "row": {"k": -1, "v": "end"}})
        expected[-1] = "end"
        for reader in readers:
            message = reader.receive()
            self.assertIsNone(message["error"])
            rows = {uuid: dict(row["initial"]) for uuid, row in message["result"]["T"].items()}
            by_k = {row.get("k", 0): row["v"] for row in rows.values()}
            for k, v in by_k.items():
                if v.startswith("new") and k < n and k >= 0:
                    self.assertIn(n + k, by_k)
            while not any(row["v"] == "end" for row in rows.values()):
                for uuid, change in reader.receive()["params"][1]["T"].items():
                    if "insert" in change:
                        self.assertNotIn(uuid, rows)
                        rows[uuid] = dict(change["insert"])
                    elif "modify" in change:
                        rows[uuid].update(change["modify"])
                    else:
                        del rows[uuid]
            seen = {row.get("k", 0): row["v"] for row in rows.values()}
            self.assertEqual(seen, expected)
        self.end(p)

    def test_a_long_snapshot_may_be_left(self):
        p = self.start()
        writer, n = Rpc(self.sock), 40000
        writer.sock.settimeout(120)
        writer.transact(*[{"op": "insert", "table": "T", "row": {"k": k, "v": f"v{k}" * 20}} for k in range(n)])
        for i in range(6):
            reader = Rpc(self.sock)
            for m in range(3):
                reader.send("monitor_cond", ["Test", m, {"T": {"columns": ["k", "v"][:m % 2 + 1]}}])
            writer.transact({"op": "update", "table": "T", "where": [["k", "==", i]], "row": {"v": "x"}})
            reader.close()
        self.wait_for(lambda: not re.search(r"monitors:[1-9]", self.ctl("memory/show")))
        # With one under way the database is taken from the server; the answer still comes, whole.
        reader = Rpc(self.sock)
        reader.call("set_db_change_aware", [True])
        reader.send("monitor_cond", ["Test", "m", {"T": {"columns": ["k"]}}])
        self.ctl("ovsdb-server/remove-db", "Test")
        reader.sock.settimeout(120)
        self.assertEqual(len(reader.receive()["result"]["T"]), n)
        self.assertEqual(reader.receive()["method"], "monitor_canceled")
        self.end(p)

    def test_each_conditional_monitor_sees_its_rows_and_no_others(self):
        p = self.start()
        writer, seed = Rpc(self.sock), random.Random(5)
        columns = ["i", "set", "map"]

        def clause():
            n = seed.randrange(6)
            return seed.choice([
                ["i", "==", n], ["i", "==", n], ["set", "includes", n], ["set", "includes", ["set", [n, 7 - n]]],
                ["set", "==", ["set", [n]]], ["map", "includes", ["map", [["a", n]]]], ["i", "<", n], ["i", "!=", n],
                ["set", "excludes", n], ["map", "==", ["map", []]], True, False, False])

        def row():
            return {"i": seed.randrange(6), "set": ["set", seed.sample(range(6), seed.randrange(4))],
                    "map": ["map", [[k, seed.randrange(6)] for k in seed.sample("abc", seed.randrange(3))]]}

        monitors = []
        for i in range(60):
            c = Rpc(self.sock)
            where = [clause() for _ in range(seed.choice([1, 1, 2, 3]))]
            self.assertIsNone(c.call("monitor_cond", ["Test", i, {"S": {"columns": columns, "where": where}}])["error"])
            monitors.append((c, where, {}))
        for step in range(150):
            some = [["i", seed.choice(["==", "<", ">"]), seed.randrange(6)]]
            ops = [{"op": "insert", "table": "S", "row": row()}]
            ops.append({"op": "update", "table": "S", "where": some, "row": row()} if step % 3 else
                       {"op": "delete", "table": "S", "where": some + [["set", "includes", seed.randrange(6)]]})
            for result in writer.transact(*ops):
                self.assertNotIn("error", result)
        for c, where, rows in monitors:
            updates = []
            c.call("echo", [], updates)
            for update in updates:
                for uuid, change in update["params"][1]["S"].items():
                    if "insert" in change:
                        self.assertNotIn(uuid, rows)
                        rows[uuid] = True
                    elif "delete" in change:
                        del rows[uuid]
                    else:
                        self.assertIn(uuid, rows)
            expected = set()
            for one in where:  # Any of them.
                selected = [] if one is True else [one]
                result = [] if one is False else writer.transact(
                    {"op": "select", "table": "S", "where": selected, "columns": ["_uuid"]})[0]["rows"]
                expected |= {r["_uuid"][1] for r in result}
            self.assertEqual(set(rows), expected, where)
            c.close()
        self.end(p)

    def test_a_row_that_comes_and_goes_unseen_is_not_mentioned(self):
        p = self.start()
        writer, slow = Rpc(self.sock), Rpc(self.sock)
        writer.transact({"op": "insert", "table": "T", "row": {"k": 0, "v": "x"}})
        slow.call("monitor", ["Test", "m", {"T": {}}])
        for n in range(30):
            writer.transact({"op": "update", "table": "T", "where": [["k", "==", 0]],
                             "row": {"v": str(n) + "y" * 300000}})
        writer.transact({"op": "insert", "table": "T", "row": {"k": 1}})
        writer.transact({"op": "delete", "table": "T", "where": [["k", "==", 1]]})
        updates = []
        slow.call("transact", ["Test"], updates)  # Answered when all is told.
        seen = [new["new"]["k"] for u in updates for new in u["params"][1]["T"].values() if "new" in new]
        self.assertEqual(set(seen), {0})
        self.end(p)

    def test_garbage_and_halves_harm_nobody_else(self):
        p = self.start()
        good = Rpc(self.sock)
        seed = random.Random(7)
        whole = json.dumps({"id": 1, "method": "transact", "params": ["Test", {"op": "insert", "table": "T",
                                                                               "row": {"k": 1}}]})
        texts = [b"\x00" * 100, b"{" * 5000, b'{"a":' * 2000, b'"' + b"x" * 100000, b"[]" * 1000, b'{"id":1e999}',
                 b'{"id":1,"method":"monitor","params":["Test"]}', b'{"id":1,"method":"lock","params":[{}]}',
                 b'{"id":1,"method":"transact","params":[{}]}', b'{"id":1,"method":"\xff","params":[]}',
                 b'{"id":null,"method":"cancel","params":[]}',
                 b'{"id":1,"method":"monitor_cond","params":["Test",1,{"T":[]}]}',
                 b'{"id":1,"method":"convert","params":["Test",{}]}', b'{"id":1,"method":"convert","params":["Test"]}']
        texts += [whole[:seed.randrange(len(whole))].encode() for _ in range(20)]
        for _ in range(200):
            broken = bytearray(whole.encode())
            for _ in range(seed.randrange(1, 4)):
                broken[seed.randrange(len(broken))] = seed.randrange(256)
            texts.append(bytes(broken))
        for text in texts:
            bad = Rpc(self.sock)
            try:
                bad.sock.sendall(text)
            except BrokenPipeError:
                pass
            bad.close()
        self.assertEqual(good.call("echo", ["still here"])["result"], ["still here"])
        self.end(p)

    def test_many_clients_come_and_go(self):
        p = self.start()
        clients = [Rpc(self.sock) for _ in range(300)]
        for c in clients:
            c.send("monitor", ["Test", "m", {"T": {}}])
        for c in clients:
            self.assertEqual(c.receive()["result"], {})
        clients[0].transact({"op": "insert", "table": "T", "row": {"k": 5}})
        for c in clients[1:]:
            self.assertEqual(c.receive()["method"], "update")
        # One text for all of them.
        self.assertEqual(self.ctl("coverage/read-counter", "ovsdb_monitor_encode"), "1\n")
        for c in clients:
            c.close()
        self.wait_for(lambda: "sessions" not in self.ctl("memory/show"))
        self.end(p)

    def test_thousands_of_monitors_waits_and_locks_of_one_client(self):
        p = self.start()
        greedy, writer, n = Rpc(self.sock), Rpc(self.sock), 3000
        for i in range(n):
            where = [["k", "==", i % 7]] if i % 2 else [True]
            greedy.send("monitor_cond", ["Test", {"m": i}, {"T": [{"columns": ["k"], "where": where}]}])
        for i in range(n):
            self.assertEqual(greedy.receive()["result"], {}, i)
        self.assertEqual(greedy.call("monitor", ["Test", {"m": 0}, {"T": {}}])["error"]["details"],
                         "duplicate monitor ID")
        writer.transact({"op": "insert", "table": "T", "row": {"k": 1}})
        told = [greedy.receive()["params"][0]["m"] for _ in range(n // 2 + sum(i % 7 == 1 for i in range(1, n, 2)))]
        self.assertEqual(len(told), len(set(told)))
        for i in range(n):
            greedy.send("lock", [f"lock{i}"])
            greedy.send("transact", ["Test", {"op": "wait", "table": "T", "where": [], "columns": ["k"],
                                              "until": "==", "rows": [{"k": -i - 1}]}])
        for i in range(n):
            self.assertEqual(greedy.receive()["result"], {"locked": True})
        self.assertEqual(writer.call("lock", ["lock7"])["result"], {"locked": False})
        writer.transact({"op": "update", "table": "T", "where": [], "row": {"k": -5}})
        greedy.close()
        self.assertEqual(writer.receive()["params"], ["lock7"])
        self.assertEqual(writer.transact({"op": "select", "table": "T", "where": [], "columns": ["k"]}),
                         [{"rows": [{"k": -5}]}])
        self.wait_for(lambda: not re.search(r"monitors:[1-9]", self.ctl("memory/show")))
        self.end(p)

    def test_a_client_that_never_reads_is_not_read_from(self):
        p = self.start()
        deaf, other = Rpc(self.sock), Rpc(self.sock)
        other.transact({"op": "insert", "table": "T", "row": {"k": 1, "v": "v" * 100000}})
        deaf.sock.settimeout(1)
        request = json.dumps({"id": 1, "method": "transact", "params": ["Test", {"op": "select", "table": "T",
                                                                                 "where": []}]}).encode()
        with self.assertRaises(TimeoutError):
            for _ in range(100000):
                deaf.sock.sendall(request * 100)
        self.assertLess(int(re.search(r"backlog:(\d+)", self.ctl("memory/show")).group(1)), 32 << 20)
        self.assertEqual(other.call("echo", [1])["result"], [1])
        deaf.close()
        self.end(p)

    def test_halves_of_messages_are_left_lying(self):
        p = self.start()
        halves = [Rpc(self.sock) for _ in range(500)]
        for i, c in enumerate(halves):
            c.sock.sendall(b'{"id":1,"method":"echo","params":["' + b"x" * i * 100)
        good = Rpc(self.sock)
        self.assertEqual(good.transact({"op": "insert", "table": "T", "row": {"k": 1}})[0].keys(), {"uuid"})
        for c in halves[::2]:
            c.sock.sendall(b'"]}')
            self.assertEqual(len(c.receive()["result"]), 1)
        for c in halves:
            c.close()
        self.end(p)

    def test_absurd_requests_get_an_answer(self):
        p = self.start()
        c, n = Rpc(self.sock), 50000
        c.sock.settimeout(120)
        reply = c.transact(*[{"op": "insert", "table": "T", "row": {"k": i}} for i in range(n)])
        self.assertEqual(len(reply), n)
        rows = c.transact({"op": "select", "table": "T", "columns": ["k"],
                           "where": [["k", "!=", i] for i in range(20)] + [["k", "<", 22]]})[0]["rows"]
        self.assertEqual({r["k"] for r in rows}, {20, 21})
        for params, text in ((["Test", {"op": "insert", "table": "T", "row": {"k": 1 << 70}}], "expected integer"),
                             (["Test", {"op": "select", "table": "T", "where": [["k", "includes", ["set", [[]]]]]}],
                              "expected"),
                             (["Test", {"op": "insert", "table": "T", "row": {"v": ["set", ["x"] * 100000]}}], "set"),
                             (["Test", {"op": "x" * 1000000}], "No operation")):
            self.assertIn(text, json.dumps(c.call("transact", params)))
        self.assertEqual(c.transact({"op": "delete", "table": "T", "where": []}), [{"count": n}])
        self.end(p)

    def test_long_transactions_are_as_good_as_short_ones(self):
        """The text of a long one is not read as a whole, so what is wrong with it shows late."""
        p = self.start()
        c = Rpc(self.sock)
        rows = [{"op": "insert", "table": "T", "row": {"k": i, "v": "x" * 100}} for i in range(2000)]
        self.assertEqual(len(c.transact(*rows, {"op": "commit", "durable": True})), 2001)
        kept = set(range(2000))
        more = [{"op": "insert", "table": "T", "row": {"k": 5000 + i, "v": "x" * 100}} for i in range(2000)]
        reply = c.transact(*more, {"op": "select", "table": "X", "where": []}, {"op": "abort"})
        self.assertEqual((len(reply), reply[2000]["error"], reply[2001]), (2002, "syntax error", None))
        reply = c.call("transact", ["Nowhere", *more])
        self.assertEqual(reply["error"]["error"], "unknown database")
        waits = c.send("transact", ["Test", *more, {"op": "wait", "table": "T", "where": [["k", "==", 9999]],
                                                    "columns": ["k"], "until": "==", "rows": [{"k": 9999}]}])
        other = Rpc(self.sock)
        self.assertEqual(self.keys(other), kept)
        other.transact({"op": "insert", "table": "T", "row": {"k": 9999, "v": ""}})
        self.assertEqual(len(c.receive()["result"]), 2001)
        kept |= set(range(5000, 7000)) | {9999}
        self.assertEqual(self.keys(other), kept)
        self.assertGreater(waits, 0)
        # In another order, and with something wrong in the middle.
        text = json.dumps(["Test", *({"op": "insert", "table": "T", "row": {"k": 20000 + i, "v": "y" * 100}}
                                     for i in range(2000))])
        other.sock.sendall(f'{{"params":{text},"id":77,"method":"transact"}}'.encode())
        self.assertEqual(other.receive()["id"], 77)
        kept |= set(range(20000, 22000))
        for bad in (text.replace('"k": 21000', '"k": nonsense'), text + ',"error":[1]', text[:-1] + ",]"):
            c = Rpc(self.sock)
            c.sock.sendall(f'{{"id":1,"method":"transact","params":{bad}}}'.replace("20", "30").encode())
            with self.assertRaises((EOFError, ConnectionError)):
                c.receive()
        self.assertEqual(self.keys(other), kept)
        self.end(p)

    def test_a_message_without_end_ends_the_connection(self):
        p = self.start()
        c = Rpc(self.sock)
        piece = b"[" + b'"' + b"x" * (1 << 20)
        with self.assertRaises(OSError):
            c.sock.sendall(piece)
            for _ in range(300):
                c.sock.sendall(b"x" * (1 << 20))
        self.assertEqual(Rpc(self.sock).call("echo", [1])["result"], [1])
        self.assertIn("message is longer than", self.err())
        self.end(p)

    # Durability.

    def test_a_full_disk_undoes_what_does_not_fit_and_nothing_else(self):
        script = (f"mount -t tmpfs -o size=400k tmpfs {self.dir}/small && head -c 140000 "
                  f"/dev/zero > {self.dir}/small/filler && {TOOL} create {self.dir}/small/db "
                  f"{self.db}.schema && exec {SERVER} --remote=punix:db.sock --unixctl=ctl -vconsole:warn "
                  f"{self.dir}/small/db")
        os.mkdir(os.path.join(self.dir, "small"))
        with open(os.path.join(self.dir, "err"), "a", encoding="utf-8") as err:
            p = subprocess.Popen(["unshare", "-m", "sh", "-c", script], env=self.env, stderr=err)
        self.processes.append(p)
        self.wait_for(self.can_connect, p)
        c, watcher, kept = Rpc(self.sock), Rpc(self.sock), set()
        watcher.call("monitor", ["Test", "m", {"T": {"columns": ["k"]}}])
        for k in range(30):
            durable = [{"op": "commit", "durable": True}] if k % 2 else []
            last = c.transact({"op": "insert", "table": "T", "row": {"k": k, "v": "x" * 20000}}, *durable)[-1]
            if "error" not in last:
                kept.add(k)
            else:
                self.assertEqual((last["error"], last["io-error"]), ("I/O error", "No space left on device"))
        self.assertTrue(5 < len(kept) < 15, kept)
        self.assertEqual(self.keys(c), kept)
        updates = []
        watcher.call("echo", [], updates)
        rows = [row for u in updates for row in u["params"][1]["T"].values()]
        self.assertEqual({r["new"]["k"] for r in rows if "new" in r} - {r["old"]["k"] for r in rows
                                                                        if "new" not in r}, kept)
        self.assertEqual(c.transact({"op": "delete", "table": "T", "where": [["k", ">", 1]]}),
                         [{"count": len(kept) - 2}])
        inside = ["nsenter", "-t", str(p.pid), "-m"]
        self.run_program(*inside, "rm", f"{self.dir}/small/filler", check=True)
        self.ctl("ovsdb-server/compact", "Test")
        self.assertIn("status: ok", self.ctl("ovsdb-server/get-db-storage-status", "Test"))
        self.assertEqual(c.transact({"op": "insert", "table": "T", "row": {"k": 99, "v": "z" * 100000}},
                                    {"op": "commit", "durable": True})[-1], {})
        copy = self.run_program(*inside, "cat", f"{self.dir}/small/db").stdout
        self.end(p)
        with open(self.db, "w", encoding="utf-8") as f:
            f.write(copy)
        p = self.start()
        self.assertEqual(self.keys(Rpc(self.sock)), {0, 1, 99})
        self.end(p)

    @staticmethod
    def keys(client):
        found = client.transact({"op": "select", "table": "T", "where": [], "columns": ["k"]})
        return {r["k"] for r in found[0]["rows"]}

    def test_kill_9_loses_no_acknowledged_durable_transaction(self):
        self.kill_again_and_again(lambda process: None)

    def test_kill_9_amid_compactions_loses_no_acknowledged_durable_transaction(self):
        def compact_until_dead(process):
            while process.poll() is None:
                subprocess.run([APPCTL, "-T", "20", "-t", os.path.join(self.dir, "ctl"), "ovsdb-server/compact"],
                               env=self.env, stderr=subprocess.DEVNULL, check=False)

        self.kill_again_and_again(compact_until_dead)

    def kill_again_and_again(self, meanwhile):
        """Kills the server at random moments while 'meanwhile(process)' runs beside a stream of transactions."""
        acknowledged = set()
        rounds = 200 if os.environ.get("WEFT_FULL") else 12
        seed = random.Random(3)
        n = 0
        for _ in range(rounds):
            p = self.start()
            client = Rpc(self.sock)
            threading.Timer(seed.uniform(0.05, 0.4), p.kill).start()
            beside = threading.Thread(target=meanwhile, args=(p,))
            beside.start()
            try:
                while True:
                    n += 1
                    # Two rows, so that half of it would show; few are long, since each start reads all of them.
                    text = "z" * seed.randrange(100 if n % 10 else 3000)
                    result = client.transact(*[{"op": "insert", "table": "T", "row": {"k": k, "v": text}}
                                               for k in (n, -n)],
                                             {"op": "commit", "durable": True})
                    self.assertNotIn("error", result[-1])
                    acknowledged.add(n)
            except (EOFError, ConnectionError):
                pass
            p.wait(20)
            beside.join()
        p = self.start()
        rows = Rpc(self.sock).transact({"op": "select", "table": "T", "where": [], "columns": ["k"]})[0]["rows"]
        present = {row["k"] for row in rows}
        self.assertGreater(len(acknowledged), 50)
        self.assertEqual(acknowledged - present, set())
        self.assertLessEqual(len({abs(k) for k in present} - acknowledged), rounds)
        self.assertEqual({k for k in present if -k not in present}, set())
        self.end(p)

    def test_compaction_keeps_everything_and_makes_the_file_small(self):
        p = self.start()
        client = Rpc(self.sock)
        client.transact({"op": "insert", "table": "T", "row": {"k": 1, "v": "x"}})
        for i in range(300):
            client.transact({"op": "update", "table": "T", "where": [], "row": {"v": str(i) * 1000}})
        before = os.path.getsize(self.db)
        self.ctl("ovsdb-server/compact", "Test")
        self.wait_for(lambda: os.path.getsize(self.db) < before / 10)
        client.transact({"op": "insert", "table": "T", "row": {"k": 2, "v": "after"}}, {"op": "commit",
                                                                                        "durable": True})
        p.kill()
        p.wait()
        p = self.start()
        rows = Rpc(self.sock).transact({"op": "select", "table": "T", "where": [], "columns": ["k", "v"]})[0]["rows"]
        self.assertEqual({r["k"]: r["v"] for r in rows}, {1: "299" * 1000, 2: "after"})
        self.end(p)

    def test_the_reference_opens_our_file_and_we_open_its(self):
        reference = "/usr/sbin/ovsdb-server"
        if not os.path.exists(reference):
            self.skipTest("Debian's ovsdb-server is not installed")
        global SERVER
        ours, found = SERVER, []
        for turn, SERVER in enumerate((ours, reference, ours, reference, ours)):
            p = self.start()
            client = Rpc(self.sock)
            rows = client.transact({"op": "select", "table": "T", "where": [], "columns": ["k", "v"]})[0]["rows"]
            self.assertEqual(sorted(r["k"] for r in rows), list(range(turn)))
            client.transact({"op": "insert", "table": "T", "row": {"k": turn, "v": "a\"\\\u00e9"}})
            client.transact({"op": "update", "table": "T", "where": [], "row": {"v": f"turn {turn}"}})
            found = sorted(r["v"] for r in client.transact(
                {"op": "select", "table": "T", "where": [], "columns": ["k", "v"]})[0]["rows"])
            p.terminate()
            p.wait(20)
        SERVER = ours
        self.assertEqual(found, ["turn 4"] * 5)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
