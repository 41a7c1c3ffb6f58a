#!/usr/bin/python3
"""The userspace datapath alone, with real frames (usage: datapath.py FORWARD):

    host 1 ---- veth ---- [ forward: floods between its ports ] ---- veth ---- host 2
    10.9.0.1                                |                               10.9.0.2
                                     TAP or a third veth
"""
import os
import signal
import sys
import unittest

from netns import Hosts, run

VLAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vlan_frames.py")
FORWARD = sys.argv.pop(1) if len(sys.argv) > 1 else "forward"


class Datapath(unittest.TestCase):
    def stop(self, p):
        """Ends the switch and returns its counters; it must have had nothing to say."""
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=20)
        self.assertEqual(p.returncode, 0, err)
        self.assertNotIn("runtime error", err)
        self.assertNotRegex(err, r"\|(WARN|ERR|EMER)\|")
        return out

    def test_ping_and_tcp_with_default_offloads(self):
        with Hosts(2) as h:
            p = h.start(FORWARD, h.port(1), h.port(2), ready="ready")
            h.ping(1, 2)
            self.assertGreater(h.iperf(1, 2), 100)
            self.assertGreater(h.iperf(1, 2, "-R"), 100)
            out = self.stop(p)
            self.assertNotIn("datapath_drop", out)

    def test_udp_of_every_size(self):
        with Hosts(2) as h:
            p = h.start(FORWARD, h.port(1), h.port(2), ready="ready")
            for size in (1, 18, 1000, 1472, 1473, 9000, 60000):
                h.at(1, "ping", "-c", "2", "-i", "0.2", "-W", "2", "-s", str(size), "10.9.0.2")
            self.stop(p)

    def test_vlan_tags_survive(self):
        """The kernel takes a tag off before it gives a frame to a socket; it must be there again at the other end."""
        with Hosts(2) as h:
            p = h.start(FORWARD, h.port(1), h.port(2), ready="ready")
            receiver = h.start("ip", "netns", "exec", h.name(2), sys.executable, VLAN, "receive", ready="ready")
            h.at(1, sys.executable, VLAN, "send")
            out, err = receiver.communicate(timeout=20)
            self.assertEqual(out.split(), ["8100:6005", "88a8:0007", "none"], err)
            self.stop(p)

    def test_tap_device_reaches_the_hosts(self):
        with Hosts(2) as h:
            tap = f"{h.prefix}t"
            p = h.start("ip", "netns", "exec", h.name(2), FORWARD, "eth0", f"{tap},internal", ready="ready")
            # Host 2's address moves to the TAP, as it does to a bridge's local port.
            run("ip", "-n", h.name(2), "addr", "flush", "dev", "eth0")
            run("ip", "-n", h.name(2), "addr", "add", "10.9.0.2/24", "dev", tap)
            q = h.start(FORWARD, h.port(1), h.port(2), ready="ready")
            h.ping(1, 2)
            self.assertGreater(h.iperf(1, 2), 50)
            self.assertGreater(h.iperf(1, 2, "-R"), 50)
            self.stop(q)
            self.stop(p)

    def test_a_device_that_vanishes_does_not_matter_to_the_others(self):
        with Hosts(3) as h:
            p = h.start(FORWARD, h.port(1), h.port(2), h.port(3), ready="ready")
            h.ping(1, 2)
            run("ip", "link", "del", h.port(3))
            h.ping(1, 2)
            before = cpu_seconds(p.pid)
            h.ping(1, 2, count=10)
            self.assertLess(cpu_seconds(p.pid) - before, 1)
            self.stop(p)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    unittest.main(verbosity=2)
