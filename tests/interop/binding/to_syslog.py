"""ovs.vlog to the system's log: a socket of this script's own is /dev/log, in a mount namespace that only it sees."""
import os
import re
import socket
import subprocess
import sys
import tempfile

sys.tracebacklimit = 0
ENTER = """for f in null urandom; do : > dev/$f && mount --bind /dev/$f dev/$f || exit 1; done
mount --rbind dev /dev && exec "$@" """


def child(facilities):
    import ovs.vlog

    vlog = ovs.vlog.Vlog
    log = vlog("mod")
    vlog.init(None)
    for destination in ("console", "file"):
        vlog.set_level("any", destination, "off")
    vlog.set_level("any", "syslog", "dbg")
    for level in ("emer", "err", "warn", "info", "dbg"):
        getattr(log, level)(f"a message of {level}")
    vlog.set_pattern("syslog", "%p then %m")
    log.warn("another pattern")
    vlog.set_level("mod", "syslog", "err")
    log.warn("not important enough")
    vlog.set_level("mod", "syslog", "info")
    for facility in facilities:
        vlog.add_syslog_handler(facility)
        log.info(f"to {facility}")


def heard(sock):
    while True:
        try:
            yield re.sub(rb"\|\d{5}\|", b"|N|", sock.recv(4096, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return


def show(what, *facilities):
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        os.mkdir(f"{place}/dev")
        sock.bind(f"{place}/dev/log")
        command = ["unshare", "-rm", "sh", "-c", ENTER, "sh", sys.executable, "-B", os.path.abspath(__file__), "child",
                   *facilities]
        done = subprocess.run(command, cwd=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        if done.returncode:
            sys.exit(f"{what}: {done.stdout}")
        print(what)
        for line in heard(sock):
            print("   ", line)


if sys.argv[1:2] == ["child"]:
    child(sys.argv[2:])
else:
    show("the usual facility")
    show("others", "local3", "user", "daemon")
