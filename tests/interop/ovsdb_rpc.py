#!/usr/bin/env python3
"""The database protocol, message by message, against a server: what it answers is compared with a recording.

    ovsdb_rpc.py --build DIR [NAME]...       our server against the recordings (rpc/NAME.out)
    ovsdb_rpc.py --reference [NAME]...       Debian's server against them: the recordings still hold
    ovsdb_rpc.py --record [NAME]...          run Debian's server and write the recordings

A script (rpc/NAME.in) is a list of lines:
    CLIENT METHOD PARAMS       send a request (CLIENT is a word; it connects at its first use); waits for the reply
    CLIENT !METHOD PARAMS      send a request and do not wait
    CLIENT @METHOD PARAMS      send a notification
    CLIENT wait                wait for the next message
    CLIENT sync                print all that has arrived until an echo comes back
    CLIENT raw TEXT            send bytes
    CLIENT close
    sleep SECONDS
    appctl COMMAND ARGS
    # comment
Names that begin with "ours-" are not for Debian's server: it does something else there, which their first lines name.

UUIDs are numbered in order of appearance; $U1 in a script stands for the first, $ID(CLIENT) for a request's id."""
import argparse
import difflib
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from listening import listens

HERE = os.path.dirname(os.path.abspath(__file__))
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMEOUT = 10
SCHEMA = {
    "name": "Test", "version": "1.2.3", "tables": {
        "Thing": {"columns": {
            "name": {"type": "string"},
            "number": {"type": "integer"},
            "maybe": {"type": {"key": "integer", "min": 0, "max": 1}},
            "tags": {"type": {"key": "string", "min": 0, "max": "unlimited"}},
            "map": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
            "friend": {"type": {"key": {"type": "uuid", "refTable": "Thing", "refType": "weak"}, "min": 0, "max": 1}},
            "temp": {"type": "string", "ephemeral": True},
            "fixed": {"type": "string", "mutable": False}},
            "indexes": [["name"]], "isRoot": True, "maxRows": 100},
        "Part": {"columns": {"label": {"type": "string"}}},
        "Owner": {"columns": {"parts": {"type": {"key": {"type": "uuid", "refTable": "Part"}, "min": 0, "max": 3}}},
                  "isRoot": True},
        "Remote": {"columns": {
            "target": {"type": "string"}, "inactivity_probe": {"type": {"key": "integer", "min": 0, "max": 1}},
            "max_backoff": {"type": {"key": "integer", "min": 0, "max": 1}},
            "is_connected": {"type": "boolean", "ephemeral": True},
            "status": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}, "ephemeral": True}},
            "isRoot": True}}}


class Closed(Exception):
    pass


class Client:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(path)
        self.buffer = ""
        self.next_id = 0
        self.decoder = json.JSONDecoder()

    def send(self, message):
        self.sock.sendall(json.dumps(message).encode())

    def request(self, method, params):
        self.next_id += 1
        self.send({"id": self.next_id, "method": method, "params": params})
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
            data = self.sock.recv(65536)
            if not data:
                raise Closed()
            self.buffer += data.decode()


class Run:
    def __init__(self, directory, appctl):
        self.directory, self.appctl = directory, appctl
        self.clients, self.uuids, self.out = {}, [], []

    def normalise(self, text):
        def number(match):
            uuid = match.group(0)
            if uuid == "00000000-0000-0000-0000-000000000000":
                return "<0>"
            if uuid not in self.uuids:
                self.uuids.append(uuid)
            return f"<{self.uuids.index(uuid) + 1}>"
        text = re.sub(r"timed out after \d+ ms", "timed out after N ms", text.replace(self.directory, "DIR"))
        return UUID.sub(number, text)

    def show(self, name, message):
        # Objects have no order: sort by what a row holds, not by its UUID, before UUIDs are numbered.
        self.out.append(f"  {name}< {self.normalise(self.dump(message))}")

    def dump(self, value):
        if isinstance(value, dict):
            members = sorted(value.items(), key=lambda kv: (self.blind(*kv), self.age(kv[0])))
            return "{" + ", ".join(json.dumps(k) + ": " + self.dump(v) for k, v in members) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.dump(v) for v in value) + "]"
        return json.dumps(value)

    def age(self, key):
        return self.uuids.index(key) if key in self.uuids else len(self.uuids)

    @staticmethod
    def blind(key, value):
        text = json.dumps(key) if not UUID.fullmatch(key) else "U"
        return text + UUID.sub("U", json.dumps(value, sort_keys=True))

    def substitute(self, text):
        text = re.sub(r"\$U(\d+)", lambda m: self.uuids[int(m.group(1)) - 1], text)
        text = re.sub(r"\$ID\((\w+)\)", lambda m: str(self.clients[m.group(1)].next_id), text)
        return text.replace("$DIR", self.directory)

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = Client(os.path.join(self.directory, "db.sock"))
        return self.clients[name]

    def until(self, name, last):
        client = self.client(name)
        updates = []
        try:
            while True:
                message = client.receive()
                if message.get("method", "").startswith("update"):
                    updates.append(message)
                else:
                    self.show_updates(name, updates)
                    if last is not None and message.get("id") == last and "method" not in message:
                        return message
                    self.show(name, message)
                if last is None:
                    return None
        except (Closed, ConnectionResetError):
            self.closed(name)
        except socket.timeout:
            self.out.append(f"  {name}< nothing")
        finally:
            self.show_updates(name, updates)
        return None

    def show_updates(self, name, updates):
        """A server may tell a client's monitors of a commit in any order; each one hears of commits in order."""
        for message in sorted(updates, key=lambda m: json.dumps(m["params"][0])):
            self.show(name, message)
        updates.clear()

    def closed(self, name):
        """The client connects again at its next use."""
        self.out.append(f"  {name}< closed")
        self.clients.pop(name).sock.close()

    def step(self, line):
        try:
            self.do(line)
        except BrokenPipeError:
            self.closed(line.split()[0])

    def do(self, line):
        self.out.append(line)
        words = self.substitute(line).split(None, 2)
        if words[0] == "sleep":
            time.sleep(float(words[1]))
        elif words[0] == "appctl":
            done = subprocess.run([self.appctl, "-t", os.path.join(self.directory, "ctl")]
                                  + self.substitute(line).split()[1:], capture_output=True, text=True, timeout=20)
            for text in (done.stdout + done.stderr).splitlines():
                self.out.append("  " + self.normalise(text))
            self.out.append(f"  status {done.returncode}")
        elif words[1] == "wait":
            self.until(words[0], None)
        elif words[1] == "close":
            self.clients.pop(words[0]).sock.close()
        elif words[1] == "raw":
            self.client(words[0]).sock.sendall(words[2].encode())
        elif words[1] == "sync":
            self.until(words[0], self.client(words[0]).request("echo", ["sync"]))
        else:
            client, method = self.client(words[0]), words[1]
            params = json.loads(words[2])
            if method.startswith("!"):
                client.request(method[1:], params)
            elif method.startswith("@"):
                client.send({"id": None, "method": method[1:], "params": params})
            else:
                reply = self.until(words[0], client.request(method, params))
                if reply is not None:
                    reply.pop("id")
                    self.show(words[0], reply)


def transcript(script, server, tool, appctl):
    directory = tempfile.mkdtemp(prefix="ovsdb-rpc.")
    env = dict(os.environ, OVS_RUNDIR=directory, OVS_LOGDIR=directory, OVS_SYSLOG_METHOD="null")
    process = None
    try:
        with open(os.path.join(directory, "schema"), "w", encoding="utf-8") as f:
            json.dump(SCHEMA, f)
        subprocess.run([tool, "create", directory + "/db", directory + "/schema"], check=True, env=env)
        options = []
        with open(script, encoding="utf-8") as f:
            lines = [line.rstrip("\n") for line in f]
        if lines and lines[0].startswith("#options "):
            options = lines[0].split()[1:]
        process = subprocess.Popen(
            [server, "--remote=punix:" + directory + "/db.sock", "--unixctl=" + directory + "/ctl",
             "--log-file=" + directory + "/log", "-vconsole:off", *options, directory + "/db"],
            env=env, stdout=subprocess.DEVNULL, stderr=open(directory + "/stderr", "w", encoding="utf-8"))
        deadline = time.time() + TIMEOUT
        while not os.path.exists(directory + "/ctl") or not listens(directory + "/db.sock"):
            if process.poll() is not None or time.time() > deadline:
                raise RuntimeError("the server did not start: " + open(directory + "/stderr", encoding="utf-8").read())
            time.sleep(0.01)
        run = Run(directory, appctl)
        for line in lines:
            if line and not line.startswith("#"):
                try:
                    run.step(line)
                except OSError as e:
                    raise RuntimeError("\n".join(run.out[-5:]) + f"\n{e}; the server's status: {process.poll()}") from e
        if process.poll() is not None:
            raise RuntimeError(f"the server has ended with {process.returncode}: "
                               + open(directory + "/stderr", encoding="utf-8").read())
        process.terminate()
        process.wait(TIMEOUT)
        trouble = open(directory + "/stderr", encoding="utf-8").read()
        if "ERROR: " in trouble or "runtime error" in trouble:
            raise RuntimeError(trouble)
        return "\n".join(run.out) + "\n"
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def find(build, name):
    for at, dirs, names in os.walk(build):
        dirs[:] = [d for d in dirs if not d.endswith(".p")]
        if name in names and os.access(os.path.join(at, name), os.X_OK):
            return os.path.join(at, name)
    if name == "ovsdb-tool" and os.path.exists("/usr/bin/ovsdb-tool"):
        return "/usr/bin/ovsdb-tool"  # It only makes the file.
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.build:
        programs = [find(args.build, p) for p in ("ovsdb-server", "ovsdb-tool", "ovs-appctl")]
    else:
        programs = ["/usr/sbin/ovsdb-server", "/usr/bin/ovsdb-tool", "/usr/bin/ovs-appctl"]
        if not all(os.path.exists(p) for p in programs):
            sys.exit(77)
    names = args.names or sorted(os.path.basename(p)[:-3] for p in glob.glob(HERE + "/rpc/*.in"))
    if not args.build:
        names = [n for n in names if not n.startswith("ours-")]
    failed = 0
    for name in names:
        try:
            got = transcript(f"{HERE}/rpc/{name}.in", *programs)
        except RuntimeError as e:
            print(f"FAIL {name}: {e}")
            failed += 1
            continue
        path = f"{HERE}/rpc/{name}.out"
        if args.record:
            with open(path, "w", encoding="utf-8") as f:
                f.write(got)
            continue
        with open(path, encoding="utf-8") as f:
            want = f.read()
        if got != want:
            failed += 1
            print(f"FAIL {name}")
            print("\n".join(difflib.unified_diff(want.splitlines(), got.splitlines(), "wanted", "got", lineterm="")))
        else:
            print(f"ok {name}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
