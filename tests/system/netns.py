"""Hosts made of network namespaces on veth pairs, with clean-up."""
import os
import re
import signal
import subprocess
import time


def run(*args, check=True, timeout=60):
    """Runs a command and returns its output; raises with all that it said if it failed."""
    r = subprocess.run(args, capture_output=True, text=True, timeout=timeout)
    if check and r.returncode:
        raise RuntimeError(f"{' '.join(args)}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


class Hosts:
    """'n' hosts 10.9.0.1...; host i's device is eth0, the switch's end of it PREFIXvI."""

    count = 0

    def __init__(self, n):
        Hosts.count += 1
        self.prefix = f"w{os.getpid() % 100000}x{Hosts.count}"
        self.n = n
        self.processes = []

    def __enter__(self):
        try:
            for i in range(1, self.n + 1):
                run("ip", "netns", "add", self.name(i))
                run("ip", "link", "add", self.port(i), "type", "veth", "peer", "name", "eth0", "netns", self.name(i))
                run("sysctl", "-qw", f"net.ipv6.conf.{self.port(i)}.disable_ipv6=1")
                run("ip", "link", "set", self.port(i), "up")
                for command in (f"addr add 10.9.0.{i}/24 dev eth0", "link set eth0 up", "link set lo up"):
                    run("ip", "-n", self.name(i), *command.split())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGKILL)
                p.wait()
            for stream in (p.stdout, p.stderr):
                stream.close()
        for i in range(1, self.n + 1):
            run("ip", "link", "del", self.port(i), check=False)
            run("ip", "netns", "del", self.name(i), check=False)

    def name(self, i):
        return f"{self.prefix}h{i}"

    def port(self, i):
        return f"{self.prefix}v{i}"

    def at(self, i, *args, **kwargs):
        """Runs a command in host 'i'."""
        return run("ip", "netns", "exec", self.name(i), *args, **kwargs)

    def start(self, *args, ready=None, **kwargs):
        """Starts a process; waits for the line 'ready'."""
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)
        self.processes.append(p)
        if ready is not None:
            line = p.stdout.readline().strip()
            if line != ready:
                p.kill()
                raise RuntimeError(f"{args[0]}: {line!r} {p.stderr.read()}")
        return p

    def ping(self, a, b, count=3, check=True):
        """Packets that came back."""
        out = self.at(a, "ping", "-c", str(count), "-i", "0.2", "-W", "1", f"10.9.0.{b}", check=False)
        got = int(re.search(r"(\d+) received", out).group(1))
        if check and got != count:
            raise RuntimeError(f"{a} -> {b}: {got} of {count} came back\n{out}")
        return got

    def iperf(self, a, b, *options, seconds=2):
        """iperf3 from a to b; the receiver's rate in Mbit/s."""
        server = self.start("ip", "netns", "exec", self.name(b), "iperf3", "-s", "-1", "-p", "5999")
        for _ in range(50):
            if "5999" in self.at(b, "ss", "-Htln"):
                break
            time.sleep(0.1)
        out = self.at(a, "iperf3", "-f", "m", "-p", "5999", "-c", f"10.9.0.{b}", "-t", str(seconds), *options)
        server.wait(timeout=10)
        return float(re.search(r"([\d.]+) Mbits/sec.*receiver", out).group(1))
