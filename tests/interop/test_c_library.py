"""The public C library: installed, found by pkg-config, and used by the example of docs/clients.md."""
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "with_server"))
from cluster_server import ZERO, Member  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build"))
EXAMPLE = os.path.join(BUILD, "examples/inventory/inventory")
SCHEMA = os.path.join(ROOT, "examples/inventory/inventory.ovsschema")


@pytest.fixture(name="remote")
def fixture_remote(tmp_path):
    subprocess.run([f"{BUILD}/src/cmd/ovsdb-tool/ovsdb-tool", "create", tmp_path / "db", SCHEMA], check=True)
    server = subprocess.Popen([f"{BUILD}/src/ovsdb-server/ovsdb-server", "-vconsole:off", tmp_path / "db",
                               f"--remote=punix:{tmp_path}/sock", f"--unixctl={tmp_path}/ctl"])
    try:
        for _ in range(200):
            if (tmp_path / "sock").exists():
                break
            time.sleep(0.05)
        yield f"unix:{tmp_path}/nothing,unix:{tmp_path}/sock"
    finally:
        server.terminate()
        server.wait(20)


def inventory(remote, *args, program=EXAMPLE, status=0):
    done = subprocess.run([program, remote, *args], text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def fill(remote):
    for item in (("nut", "100", "0.25", "cellar"), ("bolt", "50", "0.5", "cellar"), ("saw", "3", "12", "attic")):
        inventory(remote, "add", *item)


def test_the_example_adds_takes_notes_and_finds(remote):
    fill(remote)
    assert inventory(remote, "take", "saw", "1") == "2 left\n"
    inventory(remote, "note", "saw", "origin", "Solingen")
    inventory(remote, "note", "saw", "colour", "red")
    assert inventory(remote, "prices", "0.5", "100") == "bolt: 50 at 0.5, cellar\nsaw: 2 at 12, attic, from Solingen\n"
    assert inventory(remote, "prices", "0", "0.4") == "nut: 100 at 0.25, cellar\n"
    assert "identical values (saw)" in inventory(remote, "add", "saw", "1", "1", "x", status=1)
    assert "not enough in stock: saw" in inventory(remote, "take", "saw", "3", status=1)
    assert "no such item: axe" in inventory(remote, "take", "axe", "3", status=1)
    assert "usage" in inventory(remote, "sell", status=2)


def test_what_several_take_at_the_same_time_is_taken_once_each(remote):
    fill(remote)
    takers = [subprocess.Popen([EXAMPLE, remote, "take", "nut", "2"], stdout=subprocess.PIPE, text=True)
              for _ in range(8)]
    left = sorted(int(t.communicate(timeout=60)[0].split()[0]) for t in takers)
    assert left == [84, 86, 88, 90, 92, 94, 96, 98]
    assert inventory(remote, "take", "nut", "0") == "84 left\n"


def test_a_watcher_sees_only_the_rows_of_its_condition(remote):
    fill(remote)
    watcher = subprocess.Popen([EXAMPLE, remote, "watch", "50", "4"], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "watching\n"
    inventory(remote, "take", "nut", "10")
    inventory(remote, "take", "bolt", "5")
    inventory(remote, "take", "saw", "1")
    inventory(remote, "note", "saw", "origin", "Remscheid")
    inventory(remote, "take", "bolt", "-100")
    assert watcher.communicate(timeout=60)[0].splitlines() == [
        "new bolt: 45 at 0.5, cellar", "changed saw: 2 at 12, attic", "changed saw: 2 at 12, attic, from Remscheid",
        "gone bolt: 45 at 0.5, cellar"]
    assert watcher.returncode == 0


class Between:
    """Stands between a client and its server: keeps what they say, and can cut the connection.

         client -- DIR/between -- this -- the server's socket"""

    def __init__(self, place, server):
        self.server, self.messages, self.sockets = str(server), [], []
        self.may_connect = threading.Event()
        self.may_connect.set()
        self.refused = ()    # Methods of requests at which the connection is cut instead of passing them on.
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(place / "between"))
        self.listener.listen(5)
        self.remote = f"unix:{place}/between"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            self.may_connect.wait()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            self.sockets += [client, server]
            for source, to, who in ((client, server, "client"), (server, client, "server")):
                threading.Thread(target=self._pass_on, args=(source, to, who), daemon=True).start()

    def _pass_on(self, source, to, who):
        text, decoder = "", json.JSONDecoder()
        try:
            while data := source.recv(65536):
                text += data.decode()
                while text:
                    try:
                        message, n = decoder.raw_decode(text)
                    except ValueError:
                        break
                    self.messages.append((who, message))
                    if who == "client" and message["method"] in self.refused:
                        self.refused = ()
                        self.cut()
                        return
                    to.sendall(text[:n].encode())
                    text = text[n:]
        except OSError:
            pass  # It was cut.

    def cut(self):
        while self.sockets:
            self.sockets.pop().shutdown(socket.SHUT_RDWR)

    def requests(self, method):
        """The parameters of each such request, and its result."""
        results = {m["id"]: m["result"] for who, m in self.messages if who == "server" and m.get("result") is not None}
        return [(m["params"], results.get(m["id"])) for who, m in self.messages
                if who == "client" and m["method"] == method]


def test_a_transaction_that_a_break_swallowed_is_made_again(remote, tmp_path):
    fill(remote)
    between = Between(tmp_path, tmp_path / "sock")
    between.refused = ("transact",)
    assert inventory(between.remote, "take", "nut", "10") == "90 left\n"
    assert len(between.requests("transact")) == 2
    assert inventory(remote, "take", "nut", "0") == "90 left\n"


def test_of_maps_and_sets_only_the_change_is_sent(remote, tmp_path):
    fill(remote)
    between = Between(tmp_path, tmp_path / "sock")
    inventory(remote, "note", "saw", "origin", "Solingen")
    inventory(between.remote, "note", "saw", "colour", "red")
    inventory(between.remote, "note", "saw", "origin", "Remscheid")
    inventory(between.remote, "note", "saw", "origin", "Remscheid")  # That is so already.
    mutations = [op["mutations"] for params, _ in between.requests("transact") for op in params if "mutations" in op]
    assert mutations == [[["notes", "insert", ["map", [["colour", "red"]]]]],
                         [["notes", "delete", ["set", ["origin"]]],
                          ["notes", "insert", ["map", [["origin", "Remscheid"]]]]]]


def stock_of(name, shelf, item):
    """What a made-up server has: one item."""
    return {"Shelf": {shelf: {"initial": {"room": "hall"}}},
            "Item": {item: {"initial": {"name": name, "stock": 1, "price": 3, "shelf": ["uuid", shelf]}}}}


def test_after_a_break_only_what_differs_is_told(remote, tmp_path):
    fill(remote)
    between = Between(tmp_path, tmp_path / "sock")
    watcher = subprocess.Popen([EXAMPLE, between.remote, "watch", "1000", "4"], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "watching\n"
    inventory(remote, "take", "nut", "1")
    assert watcher.stdout.readline() == "changed nut: 99 at 0.25, cellar\n"
    between.may_connect.clear()
    between.cut()
    inventory(remote, "take", "saw", "1")
    inventory(remote, "add", "axe", "2", "9", "attic")
    between.may_connect.set()
    assert sorted(watcher.stdout.readline() for _ in range(2)) == ["changed saw: 2 at 12, attic\n",
                                                                   "new axe: 2 at 9, attic\n"]
    inventory(remote, "take", "nut", "1")
    assert watcher.communicate(timeout=60)[0] == "changed nut: 98 at 0.25, cellar\n"
    # A database of its own server has no numbers of transactions: everything is fetched anew.
    assert [(params[3], result[0]) for params, result in between.requests("monitor_cond_since")] == [(ZERO, False)] * 2


def test_after_a_break_what_was_missed_is_asked_for(tmp_path):
    shelf, item, last = (str(uuid.uuid4()) for _ in range(3))
    asked = []

    class WithHistory(Member):
        def _answer(self, method, params, monitor, client):
            if method != "monitor_cond_since":
                return super()._answer(method, params, monitor, client)
            asked.append(params[3])
            self.clients.append((client, params[1]))
            if params[3] == last:
                return [True, str(uuid.uuid4()), {"Item": {item: {"modify": {"stock": 2}}}}]
            return [False, str(uuid.uuid4()), stock_of("lamp", shelf, item)]

    server = WithHistory(tmp_path / "server", "Inventory", {})
    watcher = subprocess.Popen([EXAMPLE, server.remote, "watch", "5", "2"], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "watching\n"
    client, monitor = server.clients[-1]
    update = {"Item": {item: {"modify": {"name": "lantern"}}}}
    client.sendall(json.dumps({"id": None, "method": "update3", "params": [monitor, last, update]}).encode())
    assert watcher.stdout.readline() == "changed lantern: 1 at 3, hall\n"
    client.shutdown(socket.SHUT_RDWR)
    assert watcher.communicate(timeout=60)[0] == "changed lantern: 2 at 3, hall\n"
    assert asked == [ZERO, last]


def test_a_watcher_follows_the_leader_and_is_told_what_differs(tmp_path):
    shelf, item = str(uuid.uuid4()), str(uuid.uuid4())
    first = Member(tmp_path / "first", "Inventory", stock_of("lamp", shelf, item))
    second = Member(tmp_path / "second", "Inventory", stock_of("lantern", shelf, item), leader=False)
    watcher = subprocess.Popen([EXAMPLE, f"{first.remote},{second.remote}", "watch", "5", "1"], stdout=subprocess.PIPE,
                               text=True)
    assert watcher.stdout.readline() == "watching\n"
    second.change(leader=True)
    first.change(leader=False)
    assert watcher.communicate(timeout=60)[0] == "changed lantern: 1 at 3, hall\n"
    assert (first.n_monitors, second.n_monitors) == (1, 1)


def test_of_a_cluster_the_example_talks_to_the_leader_alone(remote, tmp_path):
    contents = stock_of("lamp", str(uuid.uuid4()), str(uuid.uuid4()))
    fill(remote)
    follower = Member(tmp_path / "follower", "Inventory", contents, leader=False)
    lost = Member(tmp_path / "lost", "Inventory", contents, model="relay", connected=False)
    leader = Member(tmp_path / "leader", "Inventory", contents)
    assert inventory(f"{follower.remote},{lost.remote},{leader.remote}", "prices", "0", "9") == "lamp: 1 at 3, hall\n"
    assert (follower.n_connections, follower.n_monitors, lost.n_monitors, leader.n_monitors) == (1, 0, 0, 1)


@pytest.mark.parametrize("schema", sorted([*glob.glob(f"{ROOT}/schema/*.ovsschema"),
                                          *glob.glob("/usr/share/ovn/*.ovsschema")]))
def test_rows_are_generated_from_any_schema(tmp_path, schema):
    """From OVN's, too, where a table and a column of another have one name for both."""
    generate_and_compile(tmp_path, schema)


def test_names_that_have_a_meaning_already_are_others(tmp_path):
    number = {"type": "integer"}
    with open(tmp_path / "schema", "w", encoding="utf-8") as f:
        json.dump({"name": "Names", "version": "1.0.0", "tables": {
            "A": {"columns": {}}, "B": {"columns": {"c_d": number, "next": number, "c": number, "If": number}},
            "B_C": {"columns": {"d": number}}}}, f)
    text = generate_and_compile(tmp_path, tmp_path / "schema")
    names = set(re.findall(r"\bn_[a-z_]+_datum\b", text))
    assert names == {f"n_b_{c}_datum" for c in ("c_column", "c_d", "next_column", "c_d_column")}
    assert "N_B_IF" in text


def generate_and_compile(place, schema):
    subprocess.run([f"{ROOT}/tools/idl-generate", schema, "n", "n.h", "n.c"], cwd=place, check=True)
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", *warnings, "-fsyntax-only", f"-I{ROOT}/src", f"-I{place}",
                    "n.c"], cwd=place, check=True)
    return (place / "n.h").read_text(encoding="utf-8")


def declared_functions(include):
    """The functions that the headers under 'include' declare and do not define."""
    names = set()
    for directory, _, files in os.walk(include):
        for file in files:
            with open(os.path.join(directory, file), encoding="utf-8") as f:
                text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            text = re.sub(r"^\s*#([^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
            declaration = r"^(?!static|typedef|struct \w+ \{|enum)[a-z][^;{}=]*\([^;{}]*\)[^;{}]*;"
            for line in re.findall(declaration, text, flags=re.M):
                names.add(re.match(r"[^(]*?(\w+)\(", line).group(1))
    return names


def test_installed_it_is_found_by_pkg_config_and_has_what_its_headers_declare(tmp_path, remote):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", tmp_path], check=True,
                   capture_output=True, timeout=300)
    pc = next(tmp_path.rglob("weft-ovsdb.pc"))
    env = os.environ | {"PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(tmp_path)}

    def pkg_config(option):
        return subprocess.run(["pkg-config", option, "weft-ovsdb"], env=env, text=True, check=True,
                              capture_output=True).stdout.split()

    library = next(tmp_path.rglob("libweft-ovsdb.so"))
    exported = set(subprocess.run(["nm", "-D", "--defined-only", "-P", library], text=True, check=True,
                                  capture_output=True).stdout.replace("\n", " ").split(" ")[::4])
    declared = declared_functions(next(tmp_path.rglob("weft/ovsdb")).parent)
    assert len(declared) > 200
    assert declared - exported == set()
    for file in ("inventory.c", "inventory.ovsschema"):
        shutil.copy(os.path.join(ROOT, "examples/inventory", file), tmp_path)
    generate = next(tmp_path.rglob("weft-idl-generate"))
    subprocess.run([generate, "inventory.ovsschema", "inv", "inventory_idl.h", "inventory_idl.c"], cwd=tmp_path,
                   check=True)
    flags = ["-fsanitize=address,undefined"] if b"__asan" in library.read_bytes() else []
    subprocess.run(["cc", "-Wall", "-Werror", *flags, *pkg_config("--cflags"), "inventory.c", "inventory_idl.c",
                    *pkg_config("--libs"), f"-Wl,-rpath,{library.parent}", "-o", "inventory"], cwd=tmp_path, check=True)
    inventory(remote, "add", "hammer", "5", "7.5", "shed", program=tmp_path / "inventory")
    assert inventory(remote, "prices", "7", "8", program=tmp_path / "inventory") == "hammer: 5 at 7.5, shed\n"
