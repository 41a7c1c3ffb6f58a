"""Starts a switch, ours or Debian's, for a benchmark: both are driven by the same command lines."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

DEBIAN = "Debian's"
OURS = "ours"


class Programs:
    """Where the programs of one side are: Debian's on the system, ours in a (release) build directory."""

    def __init__(self, side, build=None):
        self.side = side
        self.directories = ["/usr/bin", "/usr/sbin"]
        if side == OURS:
            self.directories = [at for at, _, names in os.walk(build)
                                if any(n.startswith(("ovs-", "ovsdb-")) and os.access(os.path.join(at, n), os.X_OK)
                                       for n in names)]

    def path(self, name):
        for d in self.directories:
            path = os.path.join(d, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        raise SystemExit(f"{self.side}: there is no {name}")


class Switch:
    """ovsdb-server and ovs-vswitchd in a run directory of their own; ends them when left.

    'wrapper': words that go before the command line of ovs-vswitchd."""

    def __init__(self, programs, schema, options=("--enable-dummy=override", "--disable-system"), vswitchd=None,
                 prepare=(), wrapper=()):
        self.programs, self.schema, self.options = programs, schema, list(options)
        self.vswitchd = vswitchd or programs.path("ovs-vswitchd")
        self.prepare = list(prepare)
        self.wrapper = list(wrapper)
        self.pids = {}

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="weft-bench-")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_SYSCONFDIR=self.dir)
        self.run("ovsdb-tool", "create", f"{self.dir}/conf.db", self.schema)
        self.start("ovsdb-server", self.programs.path("ovsdb-server"), f"{self.dir}/conf.db",
                   f"--remote=punix:{self.dir}/db.sock")
        self.run("ovs-vsctl", "--no-wait", "init")
        for command in self.prepare:
            self.run("ovs-vsctl", "--no-wait", *command)
        self.start("ovs-vswitchd", *self.wrapper, self.vswitchd, *self.options, f"unix:{self.dir}/db.sock")
        return self

    def start(self, name, *command):
        pidfile = f"{self.dir}/{name}.pid"
        subprocess.run([*command, "-vconsole:off", "--detach", "--no-chdir", f"--pidfile={pidfile}",
                        "--log-file"], env=self.env, check=True, stdin=subprocess.DEVNULL)
        with open(pidfile, encoding="ascii") as f:
            self.pids[name] = int(f.read())

    def run(self, name, *args, check=True):
        """What it prints.  A daemon that has ended ends the benchmark: a command would wait for it for ever."""
        with subprocess.Popen([self.programs.path(name), *args], env=self.env, text=True,
                              stdout=subprocess.PIPE) as process:
            while True:
                try:
                    output = process.communicate(timeout=5)[0]
                    break
                except subprocess.TimeoutExpired:
                    self.check_daemons(process)
        if check and process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        return output

    def check_daemons(self, process):
        for daemon, pid in self.pids.items():
            if not os.path.exists(f"/proc/{pid}"):
                process.kill()
                with open(f"{self.dir}/{daemon}.log", encoding="utf-8") as f:
                    raise SystemExit(f"{self.programs.side}: {daemon} has ended:\n{f.read()[-2000:]}")

    def timed(self, name, *args):
        """Seconds by the clock; what it prints goes to a file, so that nobody has to read along."""
        with open(f"{self.dir}/output", "wb") as out:
            begin = time.perf_counter()
            subprocess.run([self.programs.path(name), *args], env=self.env, check=True, stdout=out)
            return time.perf_counter() - begin

    def rss_kb(self, name):
        with open(f"/proc/{self.pids[name]}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def cpu_seconds(self, name):
        with open(f"/proc/{self.pids[name]}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def clear_turns(self):
        if self.programs.side == OURS:
            self.run("ovs-appctl", "-t", f"{self.dir}/ovs-vswitchd.{self.pids['ovs-vswitchd']}.ctl", "turns/clear")

    def longest_turn_ms(self):
        """The longest turn of ours' main loop since clear_turns(), and the longest in processor time."""
        if self.programs.side != OURS:
            return None
        text = self.run("ovs-appctl", "-t", f"{self.dir}/ovs-vswitchd.{self.pids['ovs-vswitchd']}.ctl", "turns/show")
        return [int(us) / 1000 for us in re.search(r"longest: (\d+) us, of processor time (\d+) us", text).groups()]

    def __exit__(self, *exc):
        for pid in reversed(list(self.pids.values())):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for pid in self.pids.values():
            for _ in range(1200 if self.wrapper else 100):
                if not os.path.exists(f"/proc/{pid}"):
                    break
                time.sleep(0.05)
            else:
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)
