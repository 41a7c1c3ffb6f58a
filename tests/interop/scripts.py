"""Runs a script of this directory as a test: it is given the build, and its exit status 77 means that something it
needs is not there."""
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run_script(name, timeout=400):
    build = os.path.abspath(os.environ.get("WEFT_BUILD") or os.path.join(ROOT, "build"))
    if not os.path.isdir(os.path.join(build, "src")):
        pytest.skip(f"there is no build in {build}")
    done = subprocess.run([os.path.join(HERE, name), build], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout, check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    if done.returncode:
        pytest.fail(f"{name}: exit status {done.returncode}\n{done.stdout}", pytrace=False)
