"""Our Python binding (python/ovs): each script of tests/interop/binding prints the same with it as with Debian's."""
import fnmatch
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "binding")
WITH_SERVER = os.path.join(HERE, "with_server")
BUILD = os.environ.get("WEFT_BUILD", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build"))
DEBIAN = "/usr/lib/python3/dist-packages/ovs/version.py"


DEBIANS_SERVER = {"SERVER": "/usr/sbin/ovsdb-server", "TOOL": "/usr/bin/ovsdb-tool"}
OUR_SERVER = {"SERVER": os.path.join(BUILD, "src/ovsdb-server/ovsdb-server"),
              "TOOL": os.path.join(BUILD, "src/cmd/ovsdb-tool/ovsdb-tool")}
VSWITCH_SCHEMA = os.path.join(os.path.dirname(os.path.dirname(HERE)), "schema/vswitch.ovsschema")


def scripts(directory, *helpers):
    return sorted(s for s in os.listdir(directory) if s.endswith(".py") and s not in helpers)


def run(script, ours, directory=SCRIPTS, server=None):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONHASHSEED": "0", "COLUMNS": "80"}
    env |= (server or {}) | {"VSWITCH_SCHEMA": VSWITCH_SCHEMA}
    if ours:
        env["PYTHONPATH"] = os.path.join(BUILD, "python")
    done = subprocess.run([sys.executable, "-B", script], cwd=directory, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert len(done.stdout) > 20
    return done.stdout.splitlines()


def first_difference(theirs, ours):
    for i, (a, b) in enumerate(zip(theirs + ["(end)"], ours + ["(end)"])):
        if a != b:
            return f"line {i + 1}\nDebian's: {a[:1000]}\nours:     {b[:1000]}"
    return None


@pytest.fixture(name="debians_binding")
def fixture_debians_binding():
    if not os.path.exists(DEBIAN):
        pytest.skip("Debian's python3-openvswitch is not installed")


def test_what_our_binding_does_and_debians_does_not():
    run("binding_own.py", True, HERE)


def exceptions():
    """The patterns of binding_names_differ.txt."""
    with open(os.path.join(HERE, "binding_names_differ.txt"), encoding="utf-8") as f:
        return [line.split(": ")[0] for line in f if not line.startswith("#")]


@pytest.mark.usefixtures("debians_binding")
def test_each_name_of_debians_binding_is_in_ours_with_the_same_parameters():
    missing = set(run("binding_names.py", False, HERE)) - set(run("binding_names.py", True, HERE))
    names = {line.split()[0] for line in missing}
    for pattern in exceptions():
        excepted = set(fnmatch.filter(names, pattern))
        assert excepted, f"{pattern}: nothing differs"
        names -= excepted
    assert sorted(line for line in missing if line.split()[0] in names) == []


@pytest.mark.usefixtures("debians_binding")
@pytest.mark.parametrize("script", scripts(SCRIPTS, "show.py"))
def test_the_script_prints_the_same_with_both_bindings(script):
    assert first_difference(run(script, False), run(script, True)) is None


@pytest.mark.usefixtures("debians_binding")
@pytest.mark.parametrize("script", scripts(WITH_SERVER, "server.py", "cluster_server.py", "green.py"))
def test_the_script_prints_the_same_with_both_bindings_and_both_servers(script):
    if script.startswith("app_"):
        pytest.importorskip("ovsdbapp")
    if script.startswith("green_"):
        pytest.importorskip(script[len("green_"):-len(".py")])
    if script == "app_network.py" and not os.path.exists("/usr/share/ovn/ovn-nb.ovsschema"):
        pytest.skip("OVN's schemas are not installed")
    expected = run(script, False, WITH_SERVER, DEBIANS_SERVER)
    for ours, server in ((True, OUR_SERVER), (True, DEBIANS_SERVER), (False, OUR_SERVER)):
        assert first_difference(expected, run(script, ours, WITH_SERVER, server)) is None, f"{ours} {server}"
