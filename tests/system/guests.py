"""Machines under QEMU at vhost-user ports of a switch in a place: Debian's kernel drives the queues.  The processor is
emulated, so all is slow; all ends with the place."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess

import pytest
from place import ROOT, switch_place

BOOT_SECONDS = 300


@contextlib.contextmanager
def guest_switch(*hosts, settings=""):
    """A place with br0 and these hosts at it."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("no QEMU")
    # A kernel that is not there yet is fetched over the network, which the place does not have.
    subprocess.run([f"{ROOT}/tests/vm/boot", "-p"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=600,
                   check=True)
    dpdk = "ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true "
    with switch_place(*hosts, prepare=dpdk + settings) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev")
        for n in hosts:
            p.sh(f"ovs-vsctl add-port br0 p{n}")
        yield p


def add_port(p, name, port_type="dpdkvhostuserclient", bridge="br0"):
    """Where its socket is."""
    path = f"{p.dir}/{name}"
    options = ""
    if port_type == "dpdkvhostuserclient":
        path += ".sock"
        options = f"options:vhost-server-path={path}"
    p.sh(f"ovs-vsctl add-port {bridge} {name} -- set interface {name} type={port_type} {options}")
    return path


def start_guest(p, name, path, address, command, *options):
    """What it says comes into the file of its name."""
    p.sh(f"{' '.join([os.path.join(ROOT, 'tests/vm/guest'), *options])} {path} {address} '{command}'"
         f" >{p.dir}/{name}.out 2>&1 & echo $! >{p.dir}/{name}.pid")


def said_by(p, name):
    return p.sh(f"cat {p.dir}/{name}.out")


def wait_said(p, name, pattern, seconds=BOOT_SECONDS):
    """The match, when it has said it; that it ended without is the test's failure."""
    found = None

    def has_said():
        nonlocal found
        is_there = not p.run(f"kill -0 $(cat {p.dir}/{name}.pid)").returncode
        found = re.search(pattern, said_by(p, name), re.M)
        if not found and not is_there:
            pytest.fail(f"{name} has ended:\n{said_by(p, name)}", pytrace=False)
        return found

    p.wait(f"{name} says {pattern}", has_said, seconds)
    return found


def wait_end(p, name):
    """All that it said."""
    p.wait(f"{name}'s end", lambda: p.run(f"kill -0 $(cat {p.dir}/{name}.pid)").returncode, BOOT_SECONDS)
    return said_by(p, name)


class Monitor:
    """QEMU's, at the socket that the guest was given with -m."""

    def __init__(self, p, path):
        p.wait("QEMU's monitor", lambda: os.path.exists(p.root + path), 60)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(p.root + path)
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        assert "QMP" in json.loads(self.lines.readline())
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}))
        self.lines.flush()
        for line in self.lines:
            answer = json.loads(line)
            if "event" not in answer:
                assert "return" in answer, f"{command} {arguments}: {answer}"
                return answer["return"]
        return pytest.fail(f"{command}: QEMU has ended")

    def close(self):
        self.lines.close()
        self.socket.close()
