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
        done = subprocess.run(["tests/vm/boot", "-t", "2700", os.path.join(ROOT, "tests/vm/on-machine"), stage],
                              cwd=ROOT, capture_output=True, text=True, timeout=3000, check=False)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    assert done.returncode == 0 and "all as it should be" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_types_of_qos_on_a_kernel_that_has_them():
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("no QEMU")
    subprocess.run(["make", "build", "RELEASE=build-release"], cwd=ROOT, check=True, capture_output=True, timeout=1200)
    tests = ["/usr/bin/python3", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider",
             os.path.join(ROOT, "tests/system/test_shaping.py"), "-k", "kernel_may_not_have or its_class"]
    done = subprocess.run(["tests/vm/boot", "-t", "2700", "env", f"WEFT_BUILD={ROOT}/build-release",
                           "WEFT_WHOLE_KERNEL=1", *tests],
                          cwd=ROOT, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
