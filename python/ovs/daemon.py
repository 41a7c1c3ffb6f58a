"""Pid files, running in the background, and a monitor that starts a crashed program anew.

A program calls handle_args() (or the set_*() functions), daemonize_start(), and when it is ready for its clients
daemonize_complete(): only then does the process that was started by hand end."""
import errno
import fcntl
import os
import resource
import signal
import sys
import time

import ovs.dirs
import ovs.fatal_signal
import ovs.process
import ovs.socket_util
import ovs.timeval
import ovs.util
import ovs.vlog

vlog = ovs.vlog.Vlog("daemon")

# By which a process tells its monitor to start it anew.
RESTART_EXIT_CODE = 5

_detach = False
_chdir = True
_monitor = False
_overwrite_pidfile = False
_pidfile = None
_pidfile_file = None    # Open, and locked, as long as the process lives.
_daemonize_fd = None    # Where the parent waits to hear that all is well.


def make_pidfile_name(name):
    """The file that set_pidfile() means by 'name'."""
    if name is None or name == "":
        return f"{ovs.dirs.RUNDIR}/{ovs.util.PROGRAM_NAME}.pid"
    return ovs.util.abs_file_name(ovs.dirs.RUNDIR, name)


def set_pidfile(name):
    """daemonize_start() makes a pid file 'name', in the run directory unless absolute; None: of the program's name."""
    global _pidfile
    _pidfile = make_pidfile_name(name)


def set_no_chdir():
    """The working directory stays."""
    global _chdir
    _chdir = False


def ignore_existing_pidfile():
    """A pid file of another running program is replaced, with a warning, instead of ending this one."""
    global _overwrite_pidfile
    _overwrite_pidfile = True


def set_detach():
    """daemonize_start() goes to the background."""
    global _detach
    _detach = True


def get_detach():
    """Whether daemonize_start() goes to the background."""
    return _detach


def set_detached(wp):
    """The program is in the background already, started by a process that waits for a byte at the other end of the pipe
    'wp': daemonize_complete() writes it."""
    global _daemonize_fd
    _daemonize_fd = wp


def set_monitor():
    """daemonize_start() leaves a process that starts the program anew when a signal of an error has ended it."""
    global _monitor
    _monitor = True


def _fatal(msg):
    vlog.err(msg)
    sys.stderr.write(f"{msg}\n")
    sys.exit(1)


# ---- Pid files ----

def _make_pidfile():
    """Makes the pid file whole before it gets its name."""
    global _pidfile_file
    _check_already_running()
    tmpfile = f"{_pidfile}.tmp{os.getpid()}"
    ovs.fatal_signal.add_file_to_unlink(tmpfile)
    try:
        file = open(tmpfile, "w", encoding="ascii")
    except OSError as e:
        _fatal(f"{tmpfile}: create failed ({e.strerror})")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        _fatal(f"{tmpfile}: fcntl failed: {e.strerror}")
    try:
        file.write(f"{os.getpid()}\n")
        file.flush()
        ovs.fatal_signal.add_file_to_unlink(_pidfile)
        os.rename(tmpfile, _pidfile)
    except OSError as e:
        _fatal(f"{_pidfile}: write failed: {e.strerror}")
    ovs.fatal_signal.remove_file_to_unlink(tmpfile)
    _pidfile_file = file


def read_pidfile(pidfile):
    """The process that holds 'pidfile'; a negative errno value if there is none, -ESRCH if it is gone."""
    return _read_pidfile(pidfile, False)


def _read_pidfile(pidfile, delete_if_stale):
    """The same, removing the file of a process that is gone if 'delete_if_stale'."""
    try:
        file = open(pidfile, "r+", encoding="ascii", errors="replace")
    except OSError as e:
        if e.errno == errno.ENOENT and delete_if_stale:
            return 0
        vlog.warn(f"{pidfile}: open: {e.strerror}")
        return -e.errno
    with file:
        try:
            # The writer's lock: whoever gets it knows that the writer is gone.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if e.errno not in (errno.EACCES, errno.EAGAIN):
                vlog.warn(f"{pidfile}: fcntl: {e.strerror}")
                return -e.errno
            return _pid_from(file, pidfile)
        if not delete_if_stale:
            vlog.dbg(f"{pidfile}: pid file is stale")
            return -errno.ESRCH
        try:
            os.unlink(pidfile)
        except OSError as e:
            vlog.warn(f"{pidfile}: failed to delete stale pidfile: {e.strerror}")
            return -e.errno
        vlog.dbg(f"{pidfile}: deleted stale pidfile")
        return 0


def _pid_from(file, pidfile):
    text = file.readline().strip()
    if text.isdecimal() and int(text) > 0:
        return int(text)
    vlog.warn(f"{pidfile} does not contain a pid")
    return -errno.EINVAL


def _check_already_running():
    if _overwrite_pidfile:
        return
    pid = _read_pidfile(_pidfile, True)
    if pid > 0:
        _fatal(f"{_pidfile}: already running as pid {pid}, aborting")
    elif pid < 0:
        _fatal(f"{_pidfile}: pidfile check failed ({os.strerror(-pid)}), aborting")


# ---- Processes ----

def _waitpid(pid, options):
    while True:
        try:
            return os.waitpid(pid, options)
        except InterruptedError:
            pass
        except OSError as e:
            return -e.errno, 0


def _fork_and_wait_for_startup():
    """Forks.  In the child: (0, DESCRIPTOR to write to when it is ready).  The parent waits for that, and ends if the
    child does; else it gets (PID, None)."""
    try:
        rfd, wfd = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
    except OSError as e:
        _fatal(f"could not fork: {e.strerror}")
    if pid == 0:
        os.close(rfd)
        ovs.timeval.postfork()
        return 0, wfd
    os.close(wfd)
    # What is to be cleaned up is the child's now.
    ovs.fatal_signal.fork()
    ready = os.read(rfd, 1)
    os.close(rfd)
    if not ready:
        _, status = _waitpid(pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            # It has said why.
            os._exit(os.WEXITSTATUS(status))
        sys.stderr.write(f"fork child failed to signal startup ({ovs.process.status_msg(status)})\n")
        os._exit(1)
    return pid, None


def _fork_notify_startup(fd):
    """Tells the waiting parent that all is well."""
    if fd is not None:
        error, n = ovs.socket_util.write_fully(fd, b"0")
        if error:
            sys.stderr.write("could not write to pipe\n")
            sys.exit(1)
        os.close(fd)


def _should_restart(status):
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status) == RESTART_EXIT_CODE
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) in (
        signal.SIGABRT, signal.SIGALRM, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGPIPE, signal.SIGSEGV,
        signal.SIGXCPU, signal.SIGXFSZ)


def _monitor_daemon(daemon_pid):
    """Runs in the monitor until the program is not to be started anew; in a new program's process it returns."""
    last_restart = None
    while True:
        pid, status = _waitpid(daemon_pid, 0)
        if pid < 0:
            sys.stderr.write("waitpid failed\n")
            sys.exit(1)
        status_msg = f"pid {daemon_pid} died, {ovs.process.status_msg(status)}"
        if not _should_restart(status):
            vlog.info(f"{status_msg}, exiting")
            sys.exit(0)
        if os.WCOREDUMP(status):
            # One core file says it all.
            try:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            except (OSError, ValueError):
                vlog.warn("failed to disable core dumps")
        # A program that dies again and again must not take all of a processor.
        if last_restart is not None and ovs.timeval.msec() < last_restart + 10000:
            vlog.warn(f"{status_msg}, waiting until 10 seconds since last restart")
            time.sleep((last_restart + 10000 - ovs.timeval.msec()) / 1000.0)
        last_restart = ovs.timeval.msec()
        vlog.err(f"{status_msg}, restarting")
        daemon_pid, fd = _fork_and_wait_for_startup()
        if daemon_pid == 0:
            global _daemonize_fd
            _daemonize_fd = fd
            return


def _close_standard_fds():
    """Whoever waits for the end of our output must not wait for ours."""
    null_fd = ovs.socket_util.get_null_fd()
    if null_fd >= 0:
        for fd in (0, 1, 2):
            os.dup2(null_fd, fd)


def daemonize_start():
    """Goes to the background and makes the pid file, as set before.  Returns in the process that is to go on."""
    global _daemonize_fd
    if _detach:
        pid, _daemonize_fd = _fork_and_wait_for_startup()
        if pid > 0:
            # The child is ready: this process has done its work.
            os._exit(0)
        os.setsid()
    if _monitor:
        saved_daemonize_fd = _daemonize_fd
        daemon_pid, _daemonize_fd = _fork_and_wait_for_startup()
        if daemon_pid > 0:
            _fork_notify_startup(saved_daemonize_fd)
            if _detach:
                _close_standard_fds()
            _monitor_daemon(daemon_pid)
        elif saved_daemonize_fd is not None:
            os.close(saved_daemonize_fd)
    if _pidfile:
        _make_pidfile()


def daemonize_complete():
    """Tells who waits for it that the program serves its clients now."""
    global _daemonize_fd
    _fork_notify_startup(_daemonize_fd)
    _daemonize_fd = None
    if _detach:
        if _chdir:
            os.chdir("/")
        _close_standard_fds()


def daemonize():
    daemonize_start()
    daemonize_complete()


# ---- Command lines ----

def usage():
    sys.stdout.write(f"""
Daemon options:
   --detach                run in background as daemon
   --no-chdir              do not chdir to '/'
   --pidfile[=FILE]        create pidfile (default: {make_pidfile_name(None)})
   --overwrite-pidfile     with --pidfile, start even if already running
""")


def add_args(parser):
    """Adds the options about daemons to an ArgumentParser; handle_args() obeys them."""
    pidfile = make_pidfile_name(None)
    group = parser.add_argument_group(title="Daemon Options")
    group.add_argument("--detach", action="store_true", help="Run in background as a daemon.")
    group.add_argument("--no-chdir", action="store_true", help="Do not chdir to '/'.")
    group.add_argument("--monitor", action="store_true", help=f"Monitor {ovs.util.PROGRAM_NAME} process.")
    group.add_argument("--pidfile", nargs="?", const=pidfile, help=f"Create pidfile (default {pidfile}).")
    group.add_argument("--overwrite-pidfile", action="store_true",
                       help="With --pidfile, start even if already running.")


def handle_args(args):
    """Obeys the options of add_args() as parse_args() returned them."""
    if args.detach:
        set_detach()
    if args.no_chdir:
        set_no_chdir()
    if args.pidfile:
        set_pidfile(args.pidfile)
    if args.overwrite_pidfile:
        ignore_existing_pidfile()
    if args.monitor:
        set_monitor()
