"""ovs.daemon, ovs.process, ovs.util: pid files, detaching, monitoring, options."""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from show import call

import ovs.daemon
import ovs.dirs
import ovs.process
import ovs.unixctl
import ovs.util
import ovs.vlog

ME = "daemons.py"


def child():
    """A daemon: leaves a line in the file 'mark' when it has started."""
    parser = argparse.ArgumentParser()
    ovs.daemon.add_args(parser)
    ovs.vlog.add_args(parser)
    parser.add_argument("--fail", action="store_true")
    parser.add_argument("--crash", action="store_true")
    args = parser.parse_args(sys.argv[2:])
    ovs.daemon.handle_args(args)
    ovs.vlog.handle_args(args)
    ovs.daemon.daemonize_start()
    if args.fail:
        sys.exit(3)
    print("started")
    sys.stdout.flush()
    with open(f"{ovs.dirs.RUNDIR}/mark", "a+", encoding="ascii") as mark:
        mark.write(f"{os.getpid()}\n")
        mark.seek(0)
        n = len(mark.readlines())
    ovs.daemon.daemonize_complete()
    if args.crash and n == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if args.detach:
        time.sleep(30)


def start(place, *args):
    done = subprocess.run([sys.executable, "-B", ME, "child", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, OVS_RUNDIR=place, OVS_LOGDIR=place), text=True, check=False, timeout=30)
    output = re.sub(r"\d{3,}", "N", done.stdout.replace(place, "PLACE"))
    print(args, done.returncode, sorted(set(line.split("|")[-1].strip() for line in output.splitlines())))


def end(place):
    """Ends the daemon that came last; returns its pid."""
    path = f"{place}/mark"
    with open(path, encoding="ascii") as f:
        pid = int(f.readlines()[-1])
    cwd = os.readlink(f"/proc/{pid}/cwd")
    print("in", "/" if cwd == "/" else "where it was started", sorted(set(os.listdir(place)) - {"mark"}))
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}") or zombie(pid))
    os.unlink(path)
    return pid


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return ") Z" in f.read()
    except OSError:
        return True


def wait_for(condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit("nothing came of it")


def running(place):
    start(place)
    os.unlink(f"{place}/mark")
    start(place, "--detach", "--pidfile")
    with open(f"{place}/{ME}.pid", encoding="ascii") as f:
        in_file = int(f.read())
    print(ovs.daemon.read_pidfile(f"{place}/{ME}.pid") == in_file)
    ovs.dirs.RUNDIR = place
    print(ovs.unixctl.socket_name_from_target(ME) == (0, f"{place}/{ME}.{in_file}.ctl"))
    start(place, "--detach", "--pidfile")
    print(end(place) == in_file, sorted(os.listdir(place)))
    start(place, "--detach", "--no-chdir", "--pidfile=other.pid")
    end(place)
    start(place, "--detach", "--pidfile=/nonexistent/x.pid")
    start(place, "--detach", "--fail")
    start(place, "--fail")


def monitored(place):
    start(place, "--detach", "--monitor", "--pidfile=mon.pid", "--crash", "--log-file")

    def lines():
        with open(f"{place}/mark", encoding="ascii") as f:
            return len(f.readlines())

    wait_for(lambda: lines() == 2)
    time.sleep(0.3)
    end(place)
    with open(f"{place}/{ME}.log", encoding="utf-8") as f:
        print(re.sub(r"\d{3,}", "N", f.readline().split("|", 2)[2]))


def files(place):
    for name in ("a", "/a/b", None):
        print(ovs.daemon.make_pidfile_name(name).replace(place, "PLACE"))
    for content in ("", "x", "0", "-5", "99999999"):
        with open(f"{place}/p", "w", encoding="ascii") as f:
            f.write(content + "\n")
        print(ovs.daemon.read_pidfile(f"{place}/p"))
    print(ovs.daemon.read_pidfile("/nonexistent"), ovs.daemon.get_detach())
    for target in ("/a/b", "nosuch"):
        print(str(ovs.unixctl.socket_name_from_target(target)).replace(place, "PLACE"))


def small():
    parser = argparse.ArgumentParser(prog="x")
    ovs.daemon.add_args(parser)
    print(parser.format_help())
    for args in ([], ["--detach", "--no-chdir", "--pidfile", "--overwrite-pidfile", "--monitor"], ["--pidfile=q"]):
        print(parser.parse_args(args))
    for status in (0, 1 << 8, 255 << 8, 9, 11, 11 | 128, 0x137f, 64, 35):
        print(ovs.process.status_msg(status))
    for value in (0, 1, 2, -1, 13, 11, 9999, -5):
        print(repr(ovs.util.ovs_retval_to_string(value)))
    for args in (("/a", "b"), ("/a", "/b"), ("/a/", "b"), ("/a", "../b"), ("/a", "")):
        print(ovs.util.abs_file_name(*args))
    sys.stderr = sys.stdout
    for args in ((0, "hello"), (2, "hello"), (-1, "hello")):
        ovs.util.ovs_error(*args)
    call("fatal", lambda: catch(ovs.util.ovs_fatal, 2, "bye"))


def catch(f, *args):
    try:
        f(*args)
    except SystemExit as e:
        return e.code


if sys.argv[1:2] == ["child"]:
    child()
else:
    ovs.dirs.RUNDIR = "/run/x"
    small()
    with tempfile.TemporaryDirectory() as directory:
        running(directory)
        monitored(directory)
        files(directory)
