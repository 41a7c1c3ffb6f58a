"""ovs-tcpdump on ports of the userspace datapath: what it shows, what it refuses, and that nothing of it stays.

    h1 ---- p1 [ br0 ] p2 ---- h2          [ br1 ]
            10.0.0.1 | 10.0.0.2
                    br0, 10.0.0.9
"""
import os
import re

import pytest
from place import BUILD, two_hosts

TOOL = os.path.join(BUILD, "utilities", "ovs-tcpdump")


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with two_hosts() as p:
        p.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev -- add-port br1 other -- set interface other "
             "type=internal; ip addr add 10.0.0.9/24 dev br0; ip link set br0 up")
        yield p


@pytest.fixture(autouse=True)
def fixture_nothing_stays(place):
    yield
    assert place.sh("ovs-vsctl list-ports br0").split() == ["p1", "p2"]
    assert not place.sh("ovs-vsctl list mirror")
    assert "mip" not in place.sh("ip -o link")


def dump(place, options, traffic, count):
    """The packets that it prints until it has 'count' of them."""
    place.sh(f"timeout 20 {TOOL} {options} -n -c {count} > {place.dir}/out 2> {place.dir}/err & "
             f"echo $! > {place.dir}/tool.pid")
    place.wait("tcpdump", lambda: "listening" in place.run(f"cat {place.dir}/err").stdout)
    place.sh(traffic)
    place.wait("its end", lambda: place.run(f"[ -d /proc/$(cat {place.dir}/tool.pid) ]").returncode)
    return place.sh(f"cat {place.dir}/out").splitlines()


PING = "ip netns exec h1 ping -q -c 3 -i 0.2 10.0.0.2"


def test_it_shows_both_directions_of_a_port(place):
    lines = dump(place, "-i p1 icmp", PING, 6)
    assert any("echo request" in line for line in lines) and any("echo reply" in line for line in lines)


def test_tcpdumps_own_options_are_tcpdumps(place):
    lines = dump(place, "-e -i p2 icmp", PING, 3) + dump(place, "-i p2 -t icmp[0]=8", PING, 3)
    assert any("ethertype IPv4" in line for line in lines[:3])
    assert all(line.startswith("IP 10.0.0.1 > 10.0.0.2: ICMP echo request") for line in lines[3:])


def test_a_filter_is_the_mirrors(place):
    lines = dump(place, "--interface p1 --filter icmp,nw_src=10.0.0.2", PING, 3)
    assert all("10.0.0.2 > 10.0.0.1: ICMP echo reply" in line for line in lines)


def test_span_shows_what_passes_other_ports(place):
    lines = dump(place, "--span -i p2 --filter=icmp", "ip netns exec h1 ping -q -c 2 -i 0.2 10.0.0.9", 4)
    assert sum("10.0.0.9" in line for line in lines) == 4


def test_the_bridges_own_port_can_be_dumped(place):
    assert all("10.0.0.9" in line for line in
               dump(place, "-i br0 --filter icmp", "ip netns exec h1 ping -q -c 2 -i 0.2 10.0.0.9", 4))


def test_the_command_may_be_another(place):
    assert place.sh(f"{TOOL} -i p1 --dump-cmd echo -w x -nn") == "-i mip1 -l -w x -nn\n"
    place.sh(f"printf '#!/bin/sh\nexit 7\n' > {place.dir}/seven && chmod +x {place.dir}/seven")
    assert place.run(f"{TOOL} --dump-cmd={place.dir}/seven -i p1").returncode == 7


def test_the_device_may_have_another_name(place):
    assert place.sh(f"{TOOL} -ip1 --mirror-to=other0 --dump-cmd echo") == "-i other0 -l\n"
    assert "other0" not in place.sh("ip -o link")


def test_a_port_or_device_that_exists_is_used_and_stays(place):
    place.sh("ip link add ex0 type veth peer name ex1 && ip link set ex1 up && ovs-vsctl add-port br0 keep -- "
             "set interface keep type=internal")
    assert place.sh(f"{TOOL} -i p1 --mirror-to ex0 --dump-cmd echo") == "-i ex0 -l\n"
    assert place.sh(f"{TOOL} -i p1 --mirror-to keep --dump-cmd echo") == "-i keep -l\n"
    assert place.sh("ovs-vsctl list-ports br0").split() == ["keep", "p1", "p2"]
    assert "ex0" in place.sh("ip -o link")
    place.sh("ovs-vsctl del-port keep; ip link del ex0")


def refused(place, options, *words):
    done = place.run(f"timeout 10 {TOOL} {options} --dump-cmd echo")
    assert done.returncode == 1 and not done.stdout
    assert all(w in done.stderr for w in words), done.stderr


def test_what_cannot_be_is_refused(place):
    refused(place, "", "must at least specify an interface with '-i' option")
    assert "-i needs an argument" in place.run(f"{TOOL} -i").stderr
    refused(place, "-i p1 -i p2", "several times")
    refused(place, "-i nosuch", "ERROR: Port nosuch does not exist.")
    refused(place, "-i p1 --mirror-to other", "ERROR: Mirror port (other) exists for port p1.")
    refused(place, "-i p1 --mirror-to p1", "ERROR: Mirror port (p1) exists for port p1.")
    refused(place, "-i p1 --mirror-to alongalongalongname", "15 bytes")
    refused(place, f"-i p1 --db-sock unix:{place.dir}/none", "none")
    assert "unable to execute 'nosuchcmd'" in place.run(f"{TOOL} -i p1 --dump-cmd nosuchcmd").stderr


def test_a_device_of_that_name_is_not_taken_unasked(place):
    place.sh("ip link add mip2 type veth peer name ex1")
    refused(place, "-i p2", "the device mip2 exists")
    place.sh("ip link del mip2")


def test_a_port_is_dumped_once_at_a_time(place):
    place.sh(f"{TOOL} -i p1 > /dev/null 2>&1 &")
    place.wait("the first", lambda: "mip1" in place.sh("ovs-vsctl list-ports br0"))
    refused(place, "-i p1", "ERROR: Mirror port (mip1) exists for port p1.")
    refused(place, "-i p1 --mirror-to foo", "ERROR: Mirror (m_p1) exists for port p1.")
    assert place.sh(f"{TOOL} -i p2 --dump-cmd echo") == "-i mip2 -l\n"
    place.sh("kill $(pidof tcpdump)")
    place.wait("its end", lambda: "mip1" not in place.sh("ovs-vsctl list-ports br0"))


@pytest.mark.parametrize("number", ["INT", "TERM", "HUP"])
def test_a_signal_leaves_nothing_behind(place, number):
    place.sh(f"{TOOL} -i p1 > {place.dir}/out 2>&1 & echo $! > {place.dir}/tool.pid")
    place.wait("the mirror", lambda: "listening" in place.sh(f"cat {place.dir}/out"))
    # sh ignores SIGINT for what runs in the background.
    place.sh(f"kill -{number} $(cat {place.dir}/tool.pid)" if number != "INT" else "kill -INT $(pidof tcpdump)")
    place.wait("its end", lambda: place.run(f"[ -d /proc/$(cat {place.dir}/tool.pid) ]").returncode)


def test_after_a_kill_the_device_is_gone_and_says_so(place):
    place.sh(f"{TOOL} -i p1 > {place.dir}/out 2>&1 & echo $! > {place.dir}/tool.pid")
    place.wait("the mirror", lambda: "listening" in place.sh(f"cat {place.dir}/out"))
    # tcpdump may have seen meanwhile that nobody reads what it says.
    place.sh(f"kill -9 $(cat {place.dir}/tool.pid); kill $(pidof tcpdump) 2>/dev/null || true")
    place.wait("the error", lambda: "No such device" in place.sh("ovs-vsctl get interface mip1 error"))
    place.sh("ovs-vsctl del-port mip1 -- clear bridge br0 mirrors")
    assert place.pings(1, 2)


def test_help_and_version(place):
    text = place.sh(f"{TOOL} --help")
    for option in ("--db-sock", "--dump-cmd", "--filter", "--interface", "--mirror-to", "--span", "--version"):
        assert option in text
    assert re.fullmatch(r"ovs-tcpdump \(Open vSwitch\) \d+\.\d+\.\d+\n", place.sh(f"{TOOL} -V"))
    assert place.sh(f"{TOOL} -h") == text
