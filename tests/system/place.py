"""A private place for tests: network, mount and process namespaces that end, with all that runs in them, when it is
left.  Commands are run in it from outside, so that one place serves all cases of a module.

The place has its own /tmp and /run; 'root' is how its files are seen from outside."""
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("WEFT_BUILD") or os.path.join(ROOT, "build"))

# The first process of the place: like any init, it waits for the orphans.
REAPER = """
import os, time
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.05)
"""


def program_directories():
    """Where our programs are in the build; what is not built yet is found on the system."""
    return [at for at, _, names in os.walk(os.path.join(BUILD, "src"))
            if any(n.startswith(("ovs-", "ovsdb-")) and os.path.isfile(os.path.join(at, n)) and
                   os.access(os.path.join(at, n), os.X_OK) for n in names)]


class Place:
    """'reference' leaves our programs out, so that the system's are found."""

    def __init__(self, reference=False):
        if os.geteuid() != 0:
            pytest.skip("needs root")
        if not os.path.isdir(os.path.join(BUILD, "src")):
            pytest.skip(f"there is no build in {BUILD}")
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                                        "--mount-proc", "sh", "-c",
                                        "mount -t tmpfs place /run && mount -t tmpfs place /tmp && mkdir /run/netns &&"
                                        "ip link set lo up && mkdir /tmp/d && echo ready &&"
                                        f"exec /usr/bin/python3 -c '{REAPER}'"],
                                       stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            self.leave()
            pytest.fail("no private namespaces")
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children", encoding="ascii") as f:
            self.pid = int(f.read())
        self.root = f"/proc/{self.pid}/root"
        self.dir = "/tmp/d"
        ours = [] if reference else program_directories()
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_SYSCONFDIR=self.dir,
                        PATH=":".join([*ours, "/usr/sbin:/usr/bin:/sbin:/bin", os.environ["PATH"]]))

    def leave(self):
        # The end of its first process is the end of every process in the place.
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
        self.holder.stdout.close()

    def run(self, command, timeout=60, **kwargs):
        """Runs a shell command in the place; the result has returncode, stdout and stderr."""
        if "input" not in kwargs:
            kwargs["stdin"] = subprocess.DEVNULL
        return subprocess.run(["nsenter", "-t", str(self.pid), "--net", "--mount", "--pid", f"--wd={ROOT}", "sh", "-c",
                               command], env=self.env, text=True, capture_output=True, timeout=timeout,
                              check=False, **kwargs)

    def sh(self, command, **kwargs):
        """The command's output; a failure is the test's."""
        done = self.run(command, **kwargs)
        if done.returncode:
            pytest.fail(f"$ {command}\n{done.stdout}{done.stderr}(exit status {done.returncode})\n{self.log_tail()}",
                        pytrace=False)
        return done.stdout

    def log_tail(self):
        return self.run(f"tail -n 8 {self.dir}/*.log 2>/dev/null").stdout

    def start_database(self):
        if self.run(f"test -e {self.dir}/conf.db").returncode:
            self.sh(f"ovsdb-tool create {self.dir}/conf.db schema/vswitch.ovsschema")
        self.sh(f"ovsdb-server {self.dir}/conf.db --remote=punix:{self.dir}/db.sock {DAEMON}")
        self.sh("ovs-vsctl --no-wait init")

    def start_switch(self, *options, environment=""):
        self.sh(f"{environment} ovs-vswitchd unix:{self.dir}/db.sock {' '.join(options)} {DAEMON}")

    def kill(self, daemon):
        """kill -9, and its end."""
        self.sh(f"p=$(cat {self.dir}/{daemon}.pid) && kill -9 $p && while [ -d /proc/$p ]; do sleep 0.05; done")

    def resident_kb(self, daemon="ovs-vswitchd"):
        """Its memory that is in use."""
        text = self.sh(f"cat /proc/$(cat {self.dir}/{daemon}.pid)/status")
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def host(self, n):
        """Host hN, 10.0.0.N, at the device pN."""
        self.sh(f"ip netns add h{n} && ip link add p{n} type veth peer name eth0 address 02:00:00:00:01:0{n}"
                f" netns h{n} && ip link set p{n} up &&"
                f"ip -n h{n} link set lo up && ip -n h{n} addr add 10.0.0.{n}/24 dev eth0 &&"
                f"ip -n h{n} link set eth0 up")

    def pings(self, a, b):
        return self.run(f"ip netns exec h{a} ping -q -c 3 -i 0.2 -W 1 10.0.0.{b}").returncode == 0

    def wait(self, what, condition, seconds=10):
        """Until condition() holds; a condition that never does fails with what was waited for."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"not so after {seconds} s: {what}\n{self.log_tail()}", pytrace=False)
            time.sleep(0.1)


def doubt_after_slow_sweep(place, settings, ctl="ovs-appctl"):
    """Puts all megaflows in doubt where the last look at all of them took longer than half of max-revalidator, with
    these settings of Open_vSwitch.other_config; returns when they have been looked at.

    No look that is not asked for comes between: max-revalidator is long until then.  Each change of it is a doubt.  (A
    further one that comes in time makes the last look a short one: where something must come about, repeat.)"""
    def is_slow():
        ms = [int(n) for n in re.findall(r"dump duration : (\d+)ms", place.sh(f"{ctl} upcall/show"))]
        is_slow.tries += max(ms) <= 50
        if max(ms) <= 50 and is_slow.tries % 20 == 0:
            place.sh(f"ovs-vsctl set open . other_config:max-revalidator={600000 + is_slow.tries}")
        return max(ms) > 50

    is_slow.tries = 0
    place.sh("ovs-vsctl set open . other_config:max-revalidator=600000")
    place.wait("a slow look at all", is_slow, 120)
    place.sh("ovs-vsctl set open . other_config:max-revalidator=100 "
             + " ".join(f"other_config:{s}" for s in settings) + f" && {ctl} revalidator/wait")


def column(place, port, name):
    """What the database says of an interface."""
    return place.sh(f"ovs-vsctl get interface {port} {name}").strip()


def counter(place, port, name):
    """Of its statistics; None if it has no such one."""
    found = re.search(rf"\b{name}=(\d+)", column(place, port, "statistics"))
    return int(found.group(1)) if found else None


@contextlib.contextmanager
def switch_place(*hosts, options=(), prepare=None, levels="ERR|EMER", expected=None, quarantine_mb=None):
    """A place with the database, the switch and some hosts; the command 'prepare' comes before the switch.

    When the tests were content the switch's log must be too: no message of these levels, but for those that the pattern
    'expected' finds.  Tests of memory set 'quarantine_mb': how much AddressSanitizer keeps of what was released, which
    does not count as in use."""
    p = Place()
    if quarantine_mb:
        p.env["ASAN_OPTIONS"] = f"{p.env.get('ASAN_OPTIONS', '')}:quarantine_size_mb={quarantine_mb}"
    try:
        p.start_database()
        if prepare:
            p.sh(prepare)
        p.start_switch(*options)
        for n in hosts:
            p.host(n)
        yield p
        bad = [line for line in p.sh(f"cat {p.dir}/ovs-vswitchd.log").splitlines()
               if re.search(rf"\|({levels})\|", line) and not (expected and re.search(expected, line))]
        assert not bad, "\n".join(bad)
    finally:
        p.leave()


@contextlib.contextmanager
def two_hosts(bridge=""):
    """A place where h1 and h2 are at the ports 1 and 2, p1 and p2, of br0; 'bridge' are more settings of it."""
    with switch_place(1, 2) as p:
        p.sh(f"ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev {bridge} "
             "-- add-port br0 p1 -- set interface p1 ofport_request=1 "
             "-- add-port br0 p2 -- set interface p2 ofport_request=2")
        yield p


DAEMON = "--detach --no-chdir --pidfile --log-file -vconsole:off"
