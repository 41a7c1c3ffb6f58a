"""ovs-dpctl-top on a terminal, with an ovs-dpctl in its way that prints what the test wants.  What it prints in scripts
is in tests/conform/cases/tools/dpctl-top.case."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

import pytest
from place import BUILD

TOOL = os.path.join(BUILD, "utilities", "ovs-dpctl-top")
FLOW = ("ufid:1234, recirc_id(0),in_port({port}),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x8100),"
        "vlan(vid=1,pcp=0),encap(eth_type(0x0800),ipv4(src=10.0.0.1/255.0.0.0,dst=10.0.0.2,proto=17,frag=no),"
        "udp(src=5,dst=53)), packets:{packets}, bytes:{bytes}, used:0.1s, dp:ovs, actions:{port},drop")


class Terminal:
    """The tool on a terminal of 100 columns and 12 lines."""

    def __init__(self, directory, flows, *args):
        self.directory = directory
        self.screen = ""
        self.flows(*flows)
        script = directory / "ovs-dpctl"
        script.write_text(f"#!/bin/sh\necho \"$@\" >> {directory}/calls\ncat {directory}/flows || exit 3\n")
        script.chmod(0o755)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 100, 0, 0))
        self.process = subprocess.Popen([sys.executable, TOOL, *args], stdin=slave, stdout=slave, text=True,
                                        stderr=subprocess.PIPE,
                                        env={**os.environ, "PATH": f"{directory}:/usr/bin:/bin"})
        os.close(slave)

    def flows(self, *flows):
        temporary = self.directory / "new"
        temporary.write_text("".join(FLOW.format(port=p, packets=n, bytes=b) + "\n" for p, n, b in flows))
        temporary.rename(self.directory / "flows")

    def press(self, key):
        os.write(self.master, key.encode())

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            self.screen += os.read(self.master, 65536).decode()
        except OSError:
            return False
        return True

    def see(self, *texts):
        """Waits for a screen with these."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            last = self.screen.rpartition("\x1b[J")[0].rpartition("\x1b[H")[2].replace("\x1b[K", "")
            if all(re.search(text, last, re.M) for text in texts):
                return last
            self.read(1)
        raise AssertionError(f"{texts} not on the screen:\n{last}")

    def close(self):
        os.close(self.master)
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


@pytest.fixture(name="terminal")
def fixture_terminal(tmp_path):
    opened = []

    def make(*args, flows=()):
        opened.append(Terminal(tmp_path, flows, *args))
        return opened[-1]
    yield make
    for t in opened:
        t.close()


def test_shows_a_kind_of_fields_and_asks_again_by_itself(terminal, tmp_path):
    t = terminal("-d", "50", flows=[(1, 10, 1000), (2, 30, 900)])
    lines = t.see(r"FIELDS \(IN_PORT\)", r"^in_port\(1\)").splitlines()
    assert [len(line) for line in lines[:4]] == [100] * 4
    assert lines[4].split() == ["in_port(2)", "1", "30", "900", "30"]
    t.flows((7, 1, 2))
    assert "in_port(1)" not in t.see(r"^in_port\(7\) +1 +1 +2 +2")
    assert set((tmp_path / "calls").read_text().split("\n")) == {"dump-flows", ""}


def test_keys_choose_the_fields_and_the_order(terminal):
    t = terminal("-d", "50", flows=[(1, 10, 1000), (2, 30, 900)])
    t.see("IN_PORT")
    for kind, field in [("ETH", "eth"), ("ETH_TYPE", "eth_type"), ("IPV4", "ipv4"), ("IPV6", ""), ("UDP", "udp"),
                        ("TCP", ""), ("TUNNEL", ""), ("ALL", "udp"), ("IN_PORT", "in_port")]:
        t.press("f")
        t.see(rf"FIELDS \({kind}\)", rf"^{field}\(" if field else "AVERAGE *\r?$")
    for at, first in [(80, 2), (90, 1), (100, 1), (70, 2)]:
        t.press("s")
        last = t.see(r"^ {%d}DESC" % (at - 4), r"^in_port\(%d\)" % first)
        assert last.splitlines()[4].startswith(f"in_port({first})")


def test_accumulates_what_flows_count_from_sample_to_sample(terminal):
    t = terminal("-d", "50", "--accumulate", flows=[(1, 10, 1000)])
    t.see("Accumulate: on", r"^in_port\(1\) +1 +10 +1000 +100")
    t.flows((1, 15, 1600))
    t.see(r"^in_port\(1\) +1 +15 +1600 ")
    t.flows((1, 2, 200))                    # It was there anew.
    t.see(r"^in_port\(1\) +1 +17 +1800 ")
    t.flows((2, 1, 60))                     # Gone: its counts stay.
    t.see(r"^in_port\(1\) +1 +17 +1800 ", r"^in_port\(2\) +1 +1 +60")
    t.press("a")
    assert "in_port(1)" not in t.see("Accumulate: off", r"^in_port\(2\) +1 +1 +60")


def test_halts_until_a_key_and_quits(terminal):
    t = terminal("-d", "100000", flows=[(1, 10, 1000)])
    t.see(r"^in_port\(1\)")
    t.flows((2, 10, 1000))
    t.press(" ")                            # Without waiting for the delay.
    t.see(r"^in_port\(2\)")
    t.press("h")
    t.press("f")                            # Goes on, and does nothing else.
    t.press("s")
    assert "IN_PORT" in t.see(r"^ {76}DESC")
    t.press("q")
    while t.read(10) and "\x1b[?1049l" not in t.screen:
        pass
    assert t.process.wait(timeout=60) == 0
    assert "\x1b[?25h\x1b[?1049l" in t.screen


def test_says_why_there_are_no_flows(terminal, tmp_path):
    t = terminal("-d", "50", flows=[(1, 1, 1)])
    t.see("in_port")
    (tmp_path / "flows").unlink()
    while t.read(10) and "\x1b[?1049l" not in t.screen:
        pass
    assert t.process.wait(timeout=60) == 1
    assert re.search("ovs-dpctl-top: ovs-dpctl dump-flows: .*No such file", t.process.stderr.read())


@pytest.mark.parametrize("args, status, said", [
    ([], 1, "ovs-dpctl-top: without a terminal there is --script only"),
    (["--script", "-f", "/missing"], 1, "ovs-dpctl-top: /missing: No such file or directory"),
    (["-d", "-1"], 2, "cannot be negative"), (["--host", "-oProxyCommand=x"], 2, "host"),
])
def test_wrong_arguments_have_an_error(args, status, said):
    got = subprocess.run([sys.executable, TOOL, *args], input="", capture_output=True, text=True, check=False,
                         timeout=60)
    assert got.returncode == status and said in got.stderr


def test_reads_any_bytes():
    lines = [b"\xff\xfe, packets:1, bytes:2, actions:3", b"in_port(1",
             b"((((((, packets:1, bytes:2, used:never, actions:",
             b"encap(" * 3000 + b")" * 3000 + b", packets:1, bytes:2, used:never, actions:drop", b"\0" * 100]
    got = subprocess.run([sys.executable, TOOL, "--script", "--verbose"], input=b"\n".join(lines), capture_output=True,
                         check=False, timeout=60)
    assert got.returncode == 0 and b"Traceback" not in got.stderr
    assert got.stdout.splitlines()[1].startswith(b" Total: ")
