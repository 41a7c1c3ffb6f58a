"""Our Python binding (python/ovs): each script of tests/interop/binding prints the same with it as with Debian's."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "binding")
BUILD = os.environ.get("WEFT_BUILD", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build"))
DEBIAN = "/usr/lib/python3/dist-packages/ovs/version.py"


def run(script, python_path=None):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONHASHSEED": "0", "COLUMNS": "80"}
    if python_path:
        env["PYTHONPATH"] = python_path
    done = subprocess.run([sys.executable, "-B", script], cwd=SCRIPTS, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout.splitlines()


def first_difference(theirs, ours):
    for i, (a, b) in enumerate(zip(theirs + ["(end)"], ours + ["(end)"])):
        if a != b:
            return f"line {i + 1}\nDebian's: {a[:1000]}\nours:     {b[:1000]}"
    return None


@pytest.mark.parametrize("script", sorted(s for s in os.listdir(SCRIPTS) if s.endswith(".py") and s != "show.py"))
def test_the_script_prints_the_same_with_both_bindings(script):
    if not os.path.exists(DEBIAN):
        pytest.skip("Debian's python3-openvswitch is not installed")
    ours = run(script, os.path.join(BUILD, "python"))
    assert first_difference(run(script), ours) is None
    assert len(ours) > 5
