"""A switch with one polling worker, loaded with frames that are replayed from memory: what the benchmarks of packets
drive, ours or Debian's, by the same command lines.

Frames come in through DPDK's pcap port ("replay") and go out into its null port ("null", port 1).  Times are processor
time of the worker, so that what else the machine does counts little."""
import contextlib
import glob
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time

import traffic
from programs import DEBIAN, Switch

DEBIAN_DPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
NULL, REPLAY = "net_null0,no-rx=1", "net_pcap0,rx_pcap={}"


class Replay(Switch):
    """A switch with a polling worker, a bridge, rules, and port 1 that swallows everything."""

    def __init__(self, programs, rules, settings=(), memory=1024, wrapper=()):
        extra = f"--no-huge -m {memory} --no-pci --legacy-mem"
        prepare = ("set", "Open_vSwitch", ".", f"other_config:dpdk-extra={extra}", "other_config:dpdk-init=true",
                   f"other_config:pmd-cpu-mask={1 << (os.cpu_count() - 1):x}", *settings)
        vswitchd = DEBIAN_DPDK if programs.side == DEBIAN else None
        super().__init__(programs, SCHEMA, options=(), vswitchd=vswitchd, prepare=[prepare], wrapper=wrapper)
        self.rules = rules

    def __enter__(self):
        super().__enter__()
        try:
            self.pid = self.pids["ovs-vswitchd"]
            self.ctl = Control(glob.glob(f"{self.dir}/ovs-vswitchd*.{self.pid}.ctl")[0])
            self.run("ovs-vsctl", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                     "fail_mode=secure")
            self.add_port("null", 1, NULL)
            with open(f"{self.dir}/flows", "w", encoding="ascii") as f:
                f.write("".join(f"{r}\n" for r in self.rules).replace("output:null", "output:1")
                        .replace("in_port=replay", "in_port=2"))
            self.add_seconds = self.timed("ovs-ofctl", "add-flows", "br0", f"{self.dir}/flows")
        except BaseException:
            self.__exit__()
            raise
        return self

    def add_port(self, name, number, devargs):
        self.run("ovs-vsctl", "add-port", "br0", name, "--", "set", "interface", name, "type=dpdk",
                 f"ofport_request={number}", f"options:dpdk-devargs=\"{devargs}\"")

    def threads(self, prefix):
        """Ids of the threads whose names begin so."""
        found = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                    open(f"/proc/{self.pid}/task/{task}/comm", encoding="ascii") as f:
                if f.read().startswith(prefix):
                    found.append(task)
        return found

    def thread_seconds(self, prefix="pmd"):
        total = 0
        for task in self.threads(prefix):
            with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def lookups(self):
        """Hits, misses, losses and megaflows of the datapath."""
        text = self.ctl.ask("dpctl/show", "-s")
        return [int(re.search(rf"\b{what}: ?(\d+)", text).group(1)) for what in ("hit", "missed", "lost", "flows")]

    def add_replay(self, pcap, forever=True):
        self.add_port("replay", 2, REPLAY.format(pcap) + (",infinite_rx=1" if forever else ""))

    def sent(self):
        return int(re.search(r"tx pkts=(\d+)", self.run("ovs-ofctl", "dump-ports", "br0", "1")).group(1))

    def received(self):
        return int(re.search(r"rx pkts=(\d+)", self.run("ovs-ofctl", "dump-ports", "br0", "2")).group(1))

    def packets_a_second(self, seconds):
        """Those that leave, by second of the worker's processor time."""
        n, cpu = self.sent(), self.thread_seconds()
        time.sleep(seconds)
        n = self.sent() - n
        if not n:
            raise SystemExit(f"{self.programs.side}: no packets went through")
        return n / (self.thread_seconds() - cpu)

    def cycles_a_packet(self, seconds):
        return cycles_per_second() / self.packets_a_second(seconds)


class Control:
    """A connection to the control socket."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)

    def ask(self, method, *params):
        self.s.sendall(json.dumps({"method": method, "params": params, "id": 0}).encode())
        text, decoder = "", json.JSONDecoder()
        while True:
            text += self.s.recv(1 << 20).decode()
            with contextlib.suppress(ValueError):
                answer = decoder.raw_decode(text)[0]
                if answer.get("error"):
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]


@contextlib.contextmanager
def capture(frames):
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        traffic.write_pcap(f.name, frames)
        yield f.name


def cycles_per_second():
    """Of the counter that processors read time from."""
    with open("/proc/cpuinfo", encoding="ascii") as f:
        return float(re.search(r"bogomips\s*: ([\d.]+)", f.read()).group(1)) / 2 * 1e6


def bare_ports(build, pcap, seconds, *options):
    """Cycles a packet of a loop that moves packets from port to port (--bare), or of the datapath alone."""
    ports = [f"p{i},dpdk,dpdk-devargs={d.replace(',', ';')}"
             for i, d in enumerate((NULL, REPLAY.format(pcap) + ",infinite_rx=1"))]
    p = subprocess.Popen([os.path.join(build, "tests", "system", "forward"), *options, *ports], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True)
    p.stdout.readline()
    time.sleep(seconds)
    p.send_signal(signal.SIGTERM)
    workers = [dict(zip(line.split()[2::2], map(int, line.split()[3::2]))) for line in p.communicate()[0].splitlines()
               if line.startswith("worker")]
    busiest = max(workers, key=lambda w: w["packets"])
    return busiest["cpu-ns"] * cycles_per_second() / 1e9 / busiest["packets"]


def alternate(columns, runs):
    """Every column once, 'runs' times over; in the opposite order every other time."""
    values = {name: [] for name in columns}
    for i in range(runs):
        for name, measure in reversed(columns.items()) if i % 2 else columns.items():
            values[name].append(measure())
    return values


def show(results):
    for what, values in results:
        for name, v in values.items():
            print(f"{what:34} {name:14} median {statistics.median(v):9.2f}  "
                  f"({min(v):.2f} to {max(v):.2f}, {len(v)} runs)", flush=True)
