"""capture/start, capture/stop, capture/show: what the files have in them, and how captures end.

    h1 ---- p1 [ br0 ] p2 ---- h2        [ br1 ]        /tmp/small: a file system of 64 KiB
            10.0.0.1 | 10.0.0.2     pa ---- pb
"""
import os
import re
import shutil
import struct
import time

import pytest
from pcapng import Capture
from place import two_hosts

PING = bytes(range(16, 56))  # What ping fills its packets with, behind the time.


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with two_hosts() as p:
        p.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev"
             " -- add-port br0 pa -- set interface pa type=patch options:peer=pb"
             " -- add-port br1 pb -- set interface pb type=patch options:peer=pa;"
             "mkdir /tmp/small && mount -t tmpfs -o size=64k small /tmp/small")
        yield p


@pytest.fixture(autouse=True)
def fixture_nothing_goes_on(place):
    yield
    place.sh("ovs-appctl capture/stop; rm -f /tmp/d/*.pcapng /tmp/small/*")
    assert "goes on" not in place.sh("ovs-appctl capture/show")


def start(place, what):
    """The capture's number."""
    return int(re.match(r"capture (\d+) of ", place.sh(f"ovs-appctl capture/start {what}")).group(1))


def shown(place, number):
    """Of one capture, what is said of it, by name."""
    for text in re.split(r"^(?=capture )", place.sh("ovs-appctl capture/show"), flags=re.M)[1:]:
        if text.startswith(f"capture {number}: "):
            return dict(re.findall(r"^  (\w+) *: ?(.*)$", text, re.M))
    return pytest.fail(f"capture {number} is not shown")


def state(place, number):
    return shown(place, number)["state"]


def read(place, name="/tmp/d/a.pcapng", **options):
    return Capture(place.root + name, **options)


def is_echo(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == 1


def ping(place, n=5, options=""):
    place.sh(f"ip netns exec h1 ping -q -c {n} -i 0.01 -W 2 {options} 10.0.0.2")


def test_both_directions_of_two_ports(place):
    start(place, "p1 a.pcapng")
    start(place, "p2 /tmp/d/b.pcapng")
    ping(place)
    said = place.sh("ovs-appctl capture/stop p1") + place.sh("ovs-appctl capture/stop p2")
    assert re.match(r"capture \d+ of p1: \d+ packets, 0 dropped, \d+ bytes in /tmp/d/a.pcapng\n"
                    r"capture \d+ of p2: \d+ packets, 0 dropped, \d+ bytes in /tmp/d/b.pcapng\n$", said), said
    a, b = read(place), read(place, "/tmp/d/b.pcapng")
    requests = [[f for f in c.frames(d) if is_echo(f) and f[34] == 8] for c, d in ((a, "in"), (b, "out"))]
    replies = [[f for f in c.frames(d) if is_echo(f) and f[34] == 0] for c, d in ((a, "out"), (b, "in"))]
    assert requests[0] == requests[1] and replies[0] == replies[1]
    assert [len(r) for r in requests + replies] == [5] * 4
    assert all(f[-40:] == PING for f in requests[0])
    assert a.interface[2] == b"p1" and a.interface[3].startswith(b"system, port ") and a.interface[9] == b"\x09"
    mac = re.search("link/ether ([0-9a-f:]+)", place.sh("ip -o link show p1")).group(1)
    assert a.interface[6] == bytes.fromhex(mac.replace(":", ""))
    assert a.section[4].startswith(b"ovs-vswitchd (Weft ")
    assert a.statistics["seen"] == len(a.packets) and a.statistics["dropped"] == 0
    assert abs(time.time() - a.packets[0].ns / 1e9) < 60
    assert [p.ns for p in a.packets] == sorted(p.ns for p in a.packets)


@pytest.mark.skipif(not shutil.which("tshark") or not shutil.which("capinfos"), reason="needs tshark")
def test_tshark_shows_the_details(place):
    start(place, "p1 a.pcapng direction=in snaplen=70")
    ping(place, options="-s 200")
    place.sh("ovs-appctl capture/stop")
    shows = place.sh("tshark -r /tmp/d/a.pcapng -Y icmp -T fields -e frame.interface_name"
                     " -e frame.packet_flags_direction -e frame.len -e frame.cap_len -e icmp.seq 2>/dev/null")
    assert shows.splitlines() == [f"p1\t0x00000001\t242\t70\t{i}" for i in range(1, 6)], shows
    infos = place.sh("capinfos /tmp/d/a.pcapng 2>/dev/null")
    assert re.search(r"Capture application: +ovs-vswitchd \(Weft", infos), infos
    assert "Name = p1" in infos and "Time precision = nanoseconds (9)" in infos, infos
    assert "Number of stat entries = 1" in infos and "Capture length = 70" in infos, infos


def test_segments_and_checksums_to_come(place):
    """What TCP hands over whole is said to be so; checksums are right, though nobody has computed them yet."""
    place.sh("ip netns exec h2 python3 -c 'import socket; s = socket.create_server((\"10.0.0.2\", 5000));"
             " print(len(s.accept()[0].recv(1 << 17, socket.MSG_WAITALL)))' > /tmp/d/got 2>&1 &")
    place.wait("the server", lambda: "5000" in place.sh("ip netns exec h2 ss -ltn"))
    start(place, "p1 a.pcapng")
    place.sh("ip netns exec h1 python3 -c 'import socket; s = socket.create_connection((\"10.0.0.2\", 5000));"
             " s.sendall(bytes(1 << 17))'")
    place.wait("the data", lambda: place.sh("cat /tmp/d/got") == f"{1 << 17}\n")
    place.sh("ovs-appctl capture/stop")
    tcp = [p for p in read(place).packets if p.frame[12:14] == b"\x08\x00" and p.frame[23] == 6]
    long = [p for p in tcp if len(p.frame) > 1514]
    assert long and all(p.comment == "to be segmented: TCPv4, 1448 bytes each" for p in long)
    assert all(p.comment is None for p in tcp if p not in long)
    assert all(inet_sum(p.frame) == 0xffff for p in tcp)
    assert sum(p.length - 14 - 20 - (p.frame[46] >> 4) * 4 for p in tcp if p.direction == "in") == 1 << 17


def inet_sum(frame):
    """Of a TCP segment with its pseudo-header; 0xffff if the checksum is right."""
    n = struct.unpack_from("!H", frame, 16)[0] - 20
    data = frame[26:34] + struct.pack("!HH", 6, n) + frame[34:34 + n] + bytes(n % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def test_limits_end_a_capture(place):
    n = start(place, "p1 a.pcapng packets=3 direction=out")
    ping(place)
    place.wait("the end", lambda: state(place, n) == "ended: its limit of 3 packets")
    assert [p.direction for p in read(place).packets] == ["out"] * 3
    n = start(place, "p1 b.pcapng bytes=2000")
    ping(place, 30)
    place.wait("the end", lambda: state(place, n) == "ended: its limit of 2000 bytes")
    c = read(place, "/tmp/d/b.pcapng")
    size = os.stat(f"{place.root}/tmp/d/b.pcapng").st_size
    assert 1700 < size <= 2000 and c.statistics["written"] == len(c.packets)
    assert shown(place, n)["bytes"] == str(size)
    n = start(place, "p1 c.pcapng seconds=1")
    assert state(place, n) == "goes on" and shown(place, n)["limits"] == "(bytes 1073741824) (seconds 1)"
    place.wait("the end", lambda: state(place, n) == "ended: its limit of 1 seconds")
    assert read(place, "/tmp/d/c.pcapng").statistics


def test_two_captures_of_a_port_have_the_same(place):
    start(place, "p1 a.pcapng")
    n = start(place, "p1 b.pcapng direction=in")
    ping(place)
    place.sh(f"ovs-appctl capture/stop {n}")
    ping(place)
    place.sh("ovs-appctl capture/stop p1")
    a, b = [[f for f in read(place, f"/tmp/d/{x}.pcapng").frames("in") if is_echo(f)] for x in "ab"]
    assert len(a) == 10 and b == a[:5]


REFUSED = [
    ("p1 /tmp/nosuch/f", "/tmp/nosuch/f: No such file or directory"),
    ("p1 /tmp/d", "/tmp/d: exists already (overwrite=true replaces it)"),
    ("p1 /dev/null overwrite=true", "/dev/null: neither a file nor a FIFO"),
    ("p1 -", "the daemon has no output to write to; name a FIFO that somebody reads"),
    ("nosuch f", "nosuch: no such port"),
    ("h1 f", "h1: no such port"),
    ("pa f", "pa: packets pass through this port from bridge to bridge without a device; capture at the ports"),
    ("p1 f snaplen=0", "'snaplen=0' is no option of a capture"),
    ("p1 f bytes=x", "'bytes=x' is no option of a capture"),
    ("p1 f direction=up", "'direction=up' is no option of a capture"),
    ("p1 f overwrite=1", "'overwrite=1' is no option of a capture"),
    ("p1 f what=1", "'what=1' is no option of a capture"),
]


@pytest.mark.parametrize("what, error", REFUSED)
def test_what_is_refused(place, what, error):
    done = place.run(f"ovs-appctl capture/start {what}")
    assert done.returncode == 2 and done.stderr.startswith(error), done.stderr
    assert place.run("ls /tmp/d/f").returncode


def test_files_that_others_need_are_left_alone(place):
    place.sh("echo precious > /tmp/d/a.pcapng; ln -s /tmp/d/a.pcapng /tmp/d/b.pcapng")
    for name in ("a.pcapng", "b.pcapng", "b.pcapng overwrite=true"):
        assert place.run(f"ovs-appctl capture/start p1 {name}").returncode == 2
        assert place.sh("cat /tmp/d/a.pcapng") == "precious\n"
    start(place, "p1 a.pcapng overwrite=true")
    done = place.run("ovs-appctl capture/start p2 a.pcapng overwrite=true")
    assert "another capture writes this file" in done.stderr
    ping(place)
    place.sh("ovs-appctl capture/stop")
    assert read(place).packets
    assert place.run("ovs-appctl capture/stop p1").stderr.startswith("no capture 'p1' goes on")
    assert place.sh("stat -c %a /tmp/d/a.pcapng") == "644\n"  # As it was made, not by us.


def test_a_fifo_is_written_when_somebody_reads_it(place):
    place.sh("mkfifo /tmp/d/a.pcapng")
    n = start(place, "p1 a.pcapng")
    assert state(place, n) == "waits for somebody who reads the FIFO"
    ping(place)
    place.sh("cat /tmp/d/a.pcapng > /tmp/d/b.pcapng 2>/dev/null & echo $! > /tmp/d/cat.pid")
    place.wait("the reader", lambda: state(place, n) == "goes on")
    ping(place)
    place.sh("ovs-appctl capture/stop p1")
    place.wait("the reader's end", lambda: place.run("[ -d /proc/$(cat /tmp/d/cat.pid) ]").returncode)
    assert len([f for f in read(place, "/tmp/d/b.pcapng").frames("in") if is_echo(f)]) == 5
    n = start(place, "p1 a.pcapng")
    place.sh("timeout 20 head -c 500 /tmp/d/a.pcapng > /dev/null 2>&1 &")
    place.wait("the reader", lambda: state(place, n) == "goes on")
    place.wait("the end", lambda: ping(place) or state(place, n) == "ended: nobody reads the FIFO any more")


def test_a_reader_that_takes_nothing_costs_packets_and_keeps_nobody_waiting(place):
    place.sh("mkfifo /tmp/d/a.pcapng")
    n = start(place, "p1 a.pcapng")
    place.sh("sleep 300 < /tmp/d/a.pcapng > /dev/null 2>&1 & echo $! > /tmp/d/cat.pid")
    place.wait("the reader", lambda: state(place, n) == "goes on")
    place.sh("ip netns exec h1 ping -q -f -c 6000 -s 1400 10.0.0.2", timeout=120)
    assert place.pings(1, 2)
    begun = time.monotonic()
    said = place.sh("ovs-appctl capture/stop p1")
    assert time.monotonic() - begun < 10
    assert int(re.search(r", (\d+) dropped", said).group(1)) > 1000, said
    assert state(place, n) == "ended: the reader of the FIFO takes nothing"
    place.sh("kill $(cat /tmp/d/cat.pid)")


def test_a_full_disk_ends_it_and_leaves_a_whole_file(place):
    n = start(place, "p1 /tmp/small/a.pcapng")
    place.sh("ip netns exec h1 ping -q -f -c 1000 10.0.0.2", timeout=120)
    place.wait("the end", lambda: state(place, n) == "ended: writing failed: No space left on device")
    c = read(place, "/tmp/small/a.pcapng")
    assert c.statistics and len(c.packets) > 200
    assert "|capture|WARN|" in place.sh(f"grep 'capture {n} .*No space left' /tmp/d/ovs-vswitchd.log")
    done = place.run("ovs-appctl capture/start p1 /tmp/small/b.pcapng")
    assert done.returncode == 2 and "No space left on device" in done.stderr
    assert place.pings(1, 2)


def test_a_port_that_goes_ends_it(place):
    place.sh("ovs-vsctl add-port br0 t -- set interface t type=internal && ip link set dev t up"
             " && ip addr add 10.0.0.7/24 dev t")
    n = start(place, "t a.pcapng")
    place.sh("ping -q -c 3 -i 0.1 10.0.0.1")
    place.sh("ovs-vsctl del-port t")
    place.wait("the end", lambda: state(place, n) == "ended: the port is gone")
    c = read(place)
    assert c.interface[3].startswith(b"internal, port ") and c.statistics
    assert len([f for f in c.frames("in") if is_echo(f)]) == len([f for f in c.frames("out") if is_echo(f)]) == 3


def test_what_the_switch_itself_sends(place):
    start(place, "p1 a.pcapng direction=out")
    frame = "ff" * 6 + "020000000009" + "9000" + "77" * 46
    for _ in range(3):
        place.sh(f"ovs-ofctl packet-out br0 in_port=local,packet={frame},actions=output:1")
    place.sh("ovs-appctl capture/stop")
    assert read(place).frames().count(bytes.fromhex(frame)) == 3


def test_many_begin_and_end_under_traffic(place):
    place.sh("(ip netns exec h1 ping -q -f -c 20000 10.0.0.2; echo end) > /tmp/d/flood 2>&1 &")
    for i in range(30):
        place.sh(f"ovs-appctl capture/start p1 a{i}.pcapng && ovs-appctl capture/start p2 b{i}.pcapng direction=in"
                 f" && ovs-appctl capture/stop {'p1' if i % 3 else ''}")
        place.sh("ovs-appctl capture/stop")
        assert read(place, f"/tmp/d/a{i}.pcapng").statistics and read(place, f"/tmp/d/b{i}.pcapng").statistics
    place.wait("the end of the flood", lambda: "end" in place.sh("cat /tmp/d/flood"), 90)
    assert " 0% packet loss" in place.sh("cat /tmp/d/flood")
    assert len(re.findall("^capture", place.sh("ovs-appctl capture/show"), re.M)) <= 17


def test_an_orderly_end_of_the_switch_ends_it_and_a_kill_leaves_what_was_written(place):
    start(place, "p1 a.pcapng")
    ping(place)
    place.sh("p=$(cat /tmp/d/ovs-vswitchd.pid); ovs-appctl exit; while [ -d /proc/$p ]; do sleep 0.05; done")
    assert read(place).statistics
    place.start_switch()
    place.wait("the switch", lambda: place.pings(1, 2), 30)
    n = start(place, "p1 b.pcapng")
    ping(place)
    place.wait("the packets", lambda: int(re.match(r"\(in (\d+)", shown(place, n)["packets"]).group(1)) >= 5)
    time.sleep(0.1)
    place.kill("ovs-vswitchd")
    c = read(place, "/tmp/d/b.pcapng", may_be_cut=True)
    assert len([f for f in c.frames("in") if is_echo(f)]) == 5 and not c.statistics
    place.start_switch()
    place.wait("the switch", lambda: place.pings(1, 2), 30)
