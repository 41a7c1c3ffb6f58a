"""The programs of one side (the reference's or ours), and a directory with daemons running in it."""
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACCEPTS = 0x10000  # Flag of a listening socket in /proc/net/unix.
REFERENCE_DIRS = ("/usr/bin", "/usr/sbin")
DEFAULT_OPTIONS = {
    "ovsdb-server": "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
    "ovs-vswitchd": "--enable-dummy=override --disable-system --disable-system-route",
}


class Missing(Exception):
    """A program or file that the case needs is not there."""


class Daemons:
    """The database server and the switch, as a case without headers but these would have them (case.py)."""

    def __init__(self, **headers):
        self.headers = headers

    @staticmethod
    def daemons():
        return ["ovsdb-server", "ovs-vswitchd"]


def _is_program(path):
    return os.path.isfile(path) and os.access(path, os.X_OK)


class Side:
    """Finds programs by name."""

    def __init__(self, name, build=None):
        self.name, self.programs = name, {}
        if name == "reference":
            for at in REFERENCE_DIRS:
                for program in sorted(os.listdir(at)):
                    if program.startswith(("ovs", "vtep-ctl", "ovn-")):
                        self.programs[program] = os.path.join(at, program)
        else:
            for at, dirs, names in os.walk(os.path.abspath(build)):
                dirs[:] = [d for d in dirs if not d.endswith(".p") and d != "meson-private"]
                for program in names:
                    if program.startswith(("ovs", "vtep-ctl", "ovn-")) and _is_program(os.path.join(at, program)):
                        self.programs.setdefault(program, os.path.join(at, program))

    def path(self, program):
        if program not in self.programs:
            raise Missing(f"{program} ({self.name})")
        return self.programs[program]


def schema():
    ours = os.path.join(TREE, "schema", "vswitch.ovsschema")
    return ours if os.path.exists(ours) else "/usr/share/openvswitch/vswitch.ovsschema"


def _is_ready(path):
    """Whether the file is there; of a socket, whether it takes connections: it has a name a moment before that."""
    if not os.path.exists(path):
        return False
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        return True
    with open("/proc/net/unix", encoding="utf-8") as f:
        words = [line.split() for line in f][1:]
    return any(len(w) == 8 and w[7] == path and int(w[3], 16) & ACCEPTS for w in words)


class Place:
    """A run directory: tools on PATH, daemons, and their end."""

    def __init__(self, case, tools, daemons):
        self.case, self.tools, self.daemons = case, tools, daemons
        self.directory = tempfile.mkdtemp(prefix="conform.")
        self.processes = []
        self.environment = {
            "LC_ALL": "C", "TZ": "UTC", "HOME": self.directory, "COLUMNS": "80", "OVS_SYSLOG_METHOD": "null",
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=1"),
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "SCHEMA": schema(), "DIR": self.directory,
            "CONFORM": os.path.dirname(os.path.abspath(__file__)),
            "PATH": os.path.join(self.directory, ".bin") + ":/usr/bin:/bin:/usr/sbin:/sbin",
        }
        for name in ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR"):
            self.environment["OVS_" + name] = self.directory

    def __enter__(self):
        try:
            self._make_path()
            for name in self.case.daemons():
                self._start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        while pids := list(self._left()):  # Again, since a monitor may have started another one meanwhile.
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _left(self):
        """Daemons that commands of the case have started and not ended: all have this place in their environment."""
        mark = f"OVS_RUNDIR={self.directory}".encode()
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as f:
                if mark in f.read().split(b"\0"):
                    yield pid

    def _make_path(self):
        """A name that this side lacks must not be found elsewhere on PATH: it is shadowed by a program that says so."""
        at = os.path.join(self.directory, ".bin")
        os.mkdir(at)
        known = {p for d in REFERENCE_DIRS for p in os.listdir(d) if p.startswith("ovs")}
        for program in known | set(self.tools.programs) | set(self.daemons.programs):
            side = self.daemons if program in ("ovsdb-server", "ovs-vswitchd") else self.tools
            path = os.path.join(at, program)
            if program in side.programs:
                os.symlink(side.programs[program], path)
                if not _is_program(path):  # Else PATH would lead to another one.
                    raise RuntimeError(f"{path} leads nowhere")
            else:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(f"#!/bin/sh\necho '{program} is not built' >&2\nexit 127\n")
                os.chmod(path, 0o755)

    def _run(self, *argv):
        done = subprocess.run(argv, env=self.environment, cwd=self.directory, capture_output=True, timeout=30)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.decode(errors='replace')}")

    def _start(self, name):
        program = self.daemons.path(name)
        options = self.case.headers.get("vswitchd" if name == "ovs-vswitchd" else name, DEFAULT_OPTIONS[name]).split()
        common = ["--pidfile", "-vconsole:off", "--log-file"]
        if name == "ovsdb-server":
            self._run(self.daemons.path("ovsdb-tool"), "create", "conf.db", schema())
            argv = [program, f"--remote=punix:{self.directory}/db.sock", *options, *common, "conf.db"]
        else:
            self._run(self.tools.path("ovs-vsctl"), "--no-wait", "init")
            argv = [program, *options, *common, f"unix:{self.directory}/db.sock"]
        with open(os.path.join(self.directory, f"{name}.stderr"), "wb") as err:
            process = subprocess.Popen(argv, env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                                       stdout=err, stderr=err)
        self.processes.append(process)
        self._wait_for(name, process)

    def _wait_for(self, name, process):
        wanted = ["db.sock"] if name == "ovsdb-server" else [f"{name}.{process.pid}.ctl", f"{name}.pid"]
        for _ in range(1500):
            if all(_is_ready(os.path.join(self.directory, w)) for w in wanted):
                return
            if process.poll() is not None:
                break
            time.sleep(0.02)
        with open(os.path.join(self.directory, f"{name}.stderr"), encoding="utf-8", errors="replace") as err:
            raise RuntimeError(f"{name} did not start: {err.read()}")

    def pids(self):
        return [p.pid for p in self.processes]

    def run(self, command, stdin):
        """Returns (stdout, stderr, status); status 'timeout' after 60 seconds."""
        process = subprocess.Popen(["sh", "-c", command], env=self.environment, cwd=self.directory,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            out, err = process.communicate(stdin.encode(), timeout=60)
            return out, err, process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            out, err = process.communicate()
            return out, err, "timeout"
