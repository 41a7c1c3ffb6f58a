"""A machine under QEMU that is moved to another QEMU, at another port of the same switch, while somebody talks to it.

    guest 10.0.0.1 ---- g1 [ br0 ] p9 ---- h9 10.0.0.9
    it is moved to ---- g2 [     ]

The guest gets a stream of numbered lines, which it reads only when it has moved: until then what has come stays in the
buffers that the switch wrote, and would be missing in the copy if the switch had not said that it wrote them."""
import contextlib
import hashlib
import random

import pytest
from guests import BOOT_SECONDS, Monitor, add_port, guest_switch, said_by, start_guest, wait_end, wait_said

N_BLOCKS = 4
SERVER = """
import fcntl, http.server, os, struct, sys, termios, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path != "/hello":
            for name in os.environ["BLOCKS"].split() if self.path == "/stream" else ["go"]:
                while not os.path.exists(name):
                    time.sleep(0.05)
                with open(name, "rb") as f:
                    self.wfile.write(f.read())
                self.wfile.flush()
                while struct.unpack("i", fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4)))[0]:
                    time.sleep(0.05)  # The other side has not acknowledged it.
                open(name + ".sent", "w").close()
            self.close_connection = True

os.chdir(sys.argv[1])
http.server.ThreadingHTTPServer(("10.0.0.9", 80), Handler).serve_forever()
"""
# Somebody who writes to memory all the time, so that the move does not end before it is told to.
GUEST = ("echo 4096 33554432 33554432 >/proc/sys/net/ipv4/tcp_rmem;"
         "until wget -q -O /dev/null http://10.0.0.9/hello; do sleep 1; done; echo talks;"
         "while :; do cat /bin/busybox >/written; done &"
         " wget -q -O - http://10.0.0.9/stream | { wget -q -O /dev/null http://10.0.0.9/go; md5sum; }")


def blocks():
    r = random.Random(1)
    return [b"".join(b"%08d %s\n" % (n * 1000 + i, r.randbytes(50).hex().encode()) for i in range(1000))
            for n in range(N_BLOCKS)]


class Talk:
    """From h9 to the guest: the blocks, and pings all the time."""

    def __init__(self, p):
        self.p = p
        self.blocks = blocks()
        with open(f"{p.root}{p.dir}/server.py", "w", encoding="ascii") as f:
            f.write(SERVER)
        names = " ".join(f"block{n}" for n in range(N_BLOCKS))
        p.sh(f"BLOCKS='{names}' ip netns exec h9 /usr/bin/python3 {p.dir}/server.py {p.dir} >{p.dir}/server.out 2>&1 &")
        p.sh(f"ip netns exec h9 ping -i 0.2 -s 1400 10.0.0.1 >{p.dir}/pings 2>&1 &")

    def put(self, name, content):
        with open(f"{self.p.root}{self.p.dir}/{name}.new", "wb") as f:
            f.write(content)
        self.p.sh(f"mv {self.p.dir}/{name}.new {self.p.dir}/{name}")

    def send(self, n):
        """The guest has acknowledged it, then."""
        self.put(f"block{n}", self.blocks[n])
        self.p.wait(f"block {n}", lambda: not self.p.run(f"test -e {self.p.dir}/block{n}.sent").returncode, 120)

    def pings(self):
        return self.p.sh(f"cat {self.p.dir}/pings")

    def wait_pings(self, n=3):
        """So many more of them are answered."""
        before = self.pings().count(" bytes from 10.0.0.1")
        self.p.wait("pings", lambda: self.pings().count(" bytes from 10.0.0.1") >= before + n, 120)

    def digest(self):
        return hashlib.md5(b"".join(self.blocks)).hexdigest()


@contextlib.contextmanager
def two_qemus(p, port_type, *options):
    """One with the guest at g1, another one that waits for it at g2; their monitors."""
    with contextlib.ExitStack() as monitors:
        def start(name, *more):
            server = ["-c"] if port_type == "dpdkvhostuser" else []
            start_guest(p, name, add_port(p, name, port_type), "10.0.0.1", GUEST, "-m", f"{p.dir}/{name}.qmp", *server,
                        *options, *more)
            m = Monitor(p, f"{p.dir}/{name}.qmp")
            monitors.callback(m.close)
            return m

        source = start("g1")
        wait_said(p, "g1", "^talks")
        target = start("g2", "-w")
        try:
            yield source, target
        finally:
            for name in "g1", "g2", "server":
                print(f"{name} said:\n{said_by(p, name)}")


def wait_status(p, monitor, *wanted):
    def is_so():
        status = monitor.ask("query-migrate").get("status")
        assert status in wanted or status not in ("failed", "cancelled"), monitor.ask("query-migrate")
        return status in wanted

    p.wait(f"migration is {wanted}", is_so, BOOT_SECONDS)


def begin(p, source, target, megabytes, capability=None):
    for m in (source, target):
        if capability:
            m.ask("migrate-set-capabilities", capabilities=[{"capability": capability, "state": True}])
    target.ask("migrate-incoming", uri=f"unix:{p.dir}/move")
    source.ask("migrate-set-parameters", max_bandwidth=megabytes << 20, downtime_limit=1)
    source.ask("migrate", uri=f"unix:{p.dir}/move")
    wait_status(p, source, "active")


def finish(p, talk, source):
    """It is at its new place: the other QEMU ends, and it looks at what it got."""
    wait_status(p, source, "completed")
    source.ask("quit")
    wait_end(p, "g1")
    talk.wait_pings()
    talk.send(3)
    talk.put("go", b"")
    said = wait_end(p, "g2")
    assert talk.digest() in said, said
    pings = talk.pings()
    assert "wrong data" not in pings and "DUP" not in pings, pings
    assert p.sh("ovs-vsctl get interface g1 link_state") == "down\n"


@pytest.mark.slow
@pytest.mark.parametrize("port_type, options", (
    ("dpdkvhostuserclient", ()), ("dpdkvhostuserclient", ("-d", "packed=on")),
    ("dpdkvhostuser", ("-d", "guest_announce=off"))))
def test_a_guest_is_moved(port_type, options):
    with guest_switch(9) as p:
        talk = Talk(p)
        with two_qemus(p, port_type, *options) as (source, target):
            talk.wait_pings()
            talk.send(0)
            begin(p, source, target, 4)
            talk.send(1)
            # All of its memory is copied once; what is written from now on has to be copied again.
            p.wait("a second copy", lambda: source.ask("query-migrate")["ram"]["dirty-sync-count"] >= 3, BOOT_SECONDS)
            source.ask("migrate-set-parameters", max_bandwidth=1 << 20)  # Even a starved guest writes faster than that.
            talk.wait_pings()
            talk.send(2)
            assert source.ask("query-migrate")["status"] == "active"
            source.ask("migrate-set-parameters", max_bandwidth=1 << 30, downtime_limit=60000)
            finish(p, talk, source)


@pytest.mark.slow
def test_a_guest_is_moved_before_its_memory():
    with guest_switch(9, settings="other_config:vhost-postcopy-support=true") as p:
        talk = Talk(p)
        with two_qemus(p, "dpdkvhostuserclient") as (source, target):
            talk.wait_pings()
            talk.send(0)
            source.ask("migrate-set-parameters", max_postcopy_bandwidth=1 << 20)
            begin(p, source, target, 4, "postcopy-ram")
            talk.send(1)
            source.ask("migrate-start-postcopy")
            wait_status(p, source, "postcopy-active")
            talk.wait_pings()
            talk.send(2)
            assert source.ask("query-migrate")["status"] == "postcopy-active"
            source.ask("migrate-set-parameters", max_postcopy_bandwidth=0)
            finish(p, talk, source)
