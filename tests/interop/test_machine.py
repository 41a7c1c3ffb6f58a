"""A whole machine of its own (tests/vm): Debian's kernel with openvswitch.ko, systemd, our programs as installed."""
import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.mark.slow
def test_installed_programs_under_systemd_on_a_machine_of_their_own():
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("no QEMU")
    stage = os.path.join(ROOT, "build-release-install", "stage")  # /tmp is not seen from inside.
    shutil.rmtree(stage, ignore_errors=True)
    subprocess.run(["make", "install", f"DESTDIR={stage}", "PREFIX=/usr/local", "RELEASE=build-release"], cwd=ROOT,
                   check=True, capture_output=True, timeout=1200)
    try:
        done = subprocess.run(["tests/vm/boot", "-t", "900", os.path.join(ROOT, "tests/vm/on-machine"), stage],
                              cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    assert done.returncode == 0 and "all as it should be" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
