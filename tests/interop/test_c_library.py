"""The public C library: installed, found by pkg-config, and used by the example of docs/clients.md."""
import os
import re
import shutil
import subprocess
import sys
import time
import uuid

import pytest

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


def test_of_a_cluster_the_example_talks_to_the_leader_alone(remote, tmp_path):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "with_server"))
    from cluster_server import Member

    fill(remote)
    shelf, item = str(uuid.uuid4()), str(uuid.uuid4())
    contents = {"Shelf": {shelf: {"initial": {"room": "hall"}}},
                "Item": {item: {"initial": {"name": "lamp", "stock": 1, "price": 3, "shelf": ["uuid", shelf]}}}}
    follower = Member(tmp_path / "follower", "Inventory", contents, leader=False)
    lost = Member(tmp_path / "lost", "Inventory", contents, model="relay", connected=False)
    leader = Member(tmp_path / "leader", "Inventory", contents)
    assert inventory(f"{follower.remote},{lost.remote},{leader.remote}", "prices", "0", "9") == "lamp: 1 at 3, hall\n"
    assert (follower.n_connections, follower.n_monitors, lost.n_monitors, leader.n_monitors) == (1, 0, 0, 1)


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
