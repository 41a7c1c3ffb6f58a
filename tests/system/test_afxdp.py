"""Ports by AF_XDP: hosts talk through veth devices whose frames come before the host sees them.

    h1 ---- p1 [ br0 ] p2 ---- h2
     10.0.0.1          10.0.0.2
"""
import re

import pytest
from pcapng import Capture
from place import BUILD, column, switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2) as p:
        if p.run("/usr/bin/python3 -c 'import socket; socket.socket(44, socket.SOCK_RAW)'").returncode:
            pytest.skip("the kernel has no AF_XDP")
        # What a veth leaves to do for the other end nobody does there.
        p.sh("for h in h1 h2; do ip netns exec $h ethtool -K eth0 tx off; done")
        p.sh("ethtool -L p1 rx 2 tx 2")  # Not with a program at it.
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev"
             " -- add-port br0 p1 -- set interface p1 type=afxdp ofport_request=1"
             " -- add-port br0 p2 -- set interface p2 type=afxdp ofport_request=2")
        yield p


def mode_is(place, name, mode):
    return lambda: f'xdp-mode={mode}' in column(place, name, "status").replace('"', "")


def test_hosts_talk_in_the_best_mode_that_a_veth_has(place):
    assert place.pings(1, 2)
    place.wait("the mode", mode_is(place, "p1", "native"))
    assert "driver_name=veth" in column(place, "p1", "status")
    assert "xdp" in place.sh("ip link show p1")  # In the driver: not xdpgeneric.
    assert column(place, "p1", "error") == "[]"
    place.sh("ip netns exec h1 ping -q -c 20 -i 0.05 -s 1472 -W 1 10.0.0.2")


def test_what_passes_is_captured(place):
    place.sh("ovs-appctl capture/start p1 /tmp/p1.pcapng")
    place.sh("ip netns exec h1 ping -q -c 20 -i 0.01 -W 1 10.0.0.2")
    place.sh("ovs-appctl capture/stop")
    c = Capture(f"{place.root}/tmp/p1.pcapng")
    echoes = [[f[34] for f in c.frames(direction) if f[12:14] == b"\x08\x00" and f[23] == 1]
              for direction in ("in", "out")]
    assert echoes == [[8] * 20, [0] * 20] and c.interface[3].startswith(b"afxdp, port ")
    assert {p.queue for p in c.packets} <= {0, 1}


def test_tcp_passes(place):
    place.sh("ip netns exec h2 iperf3 -s -D -1")
    place.wait("the server", lambda: ":5201 " in place.sh("ip netns exec h2 ss -ltn"))
    out = place.sh("ip netns exec h1 iperf3 -f m -c 10.0.0.2 -t 1", timeout=30)
    assert float(re.search(r"([\d.]+) Mbits/sec.*receiver", out).group(1)) > 20


@pytest.mark.parametrize("mode", ["generic", "native", "best-effort"])
def test_the_mode_may_change(place, mode):
    place.sh(f"ovs-vsctl set interface p1 options:xdp-mode={mode}")
    place.wait("the mode", mode_is(place, "p1", "native" if mode == "best-effort" else mode))
    assert ("xdpgeneric" in place.sh("ip link show p1")) == (mode == "generic")
    place.wait("pings", lambda: place.pings(1, 2), 60)


def test_what_a_device_cannot_do_is_said(place):
    for option, said in (("xdp-mode=fast", "'fast' is none of best-effort, native-with-zerocopy, native, generic"),
                         ("xdp-mode=native-with-zerocopy", "cannot be made (xdp-mode native-with-zerocopy)"),
                         ("n_rxq=7", "AF_XDP sockets for 7 queues cannot be made"),
                         ("n_rxq=some", "n_rxq: 'some' is not a number from 1 to 64"),
                         ("xdp-busy-poll=1001", "xdp-busy-poll: '1001' is not a number from 0 to 1000")):
        key = option.split("=", maxsplit=1)[0]
        place.run(f"ovs-vsctl --timeout=5 set interface p1 options:{option}")
        place.wait("the error", lambda s=said: s in column(place, "p1", "error"))
        place.run(f"ovs-vsctl --timeout=5 remove interface p1 options {key}")
        place.wait("no error", lambda: column(place, "p1", "error") == "[]")
        place.wait("pings", lambda: place.pings(1, 2), 60)


def test_busy_polling_carries_frames(place):
    place.sh("ovs-vsctl set interface p1 options:xdp-busy-poll=50 -- set interface p2 options:xdp-busy-poll=50")
    place.wait("pings", lambda: place.pings(1, 2), 60)
    place.sh("ip netns exec h1 ping -q -c 200 -i 0.01 -s 1000 -W 1 10.0.0.2")
    assert column(place, "p1", "error") == "[]"
    place.sh("ovs-vsctl remove interface p1 options xdp-busy-poll -- remove interface p2 options xdp-busy-poll")
    place.wait("pings", lambda: place.pings(1, 2), 60)


SENDER = """
import socket
for i in range(100):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.0.0.1", 20000 + i))
    s.sendto(b"x" * 50, ("10.0.0.2", 9))
"""


@pytest.mark.parametrize("n_rxq", [1, 2])
def test_queues_that_nobody_asked_for_are_the_hosts(place, n_rxq):
    """The sender's two queues are the receiver's; each flow has one of them."""
    place.sh(f"ovs-vsctl set interface p1 options:n_rxq={n_rxq}")
    assert column(place, "p1", "error") == "[]"
    place.wait("pings", lambda: place.pings(1, 2), 60)
    place.sh("ip netns exec h1 ethtool -L eth0 tx 2"
             " && ip -n h1 neigh replace 10.0.0.2 dev eth0 lladdr 02:00:00:00:01:02")
    place.sh("ovs-ofctl add-flow br0 priority=9,udp,tp_dst=9,actions=2")
    place.sh(f"ip netns exec h1 /usr/bin/python3 -c '{SENDER}'")

    def n_received():
        return int(re.search(r"n_packets=(\d+)", place.sh("ovs-ofctl dump-flows br0 udp")).group(1))

    if n_rxq == 2:
        place.wait("all frames", lambda: n_received() == 100)
    else:
        place.wait("some frames", lambda: n_received() > 0)
        assert n_received() < 100
    place.sh("ip netns exec h1 ethtool -L eth0 tx 1 && ip -n h1 neigh del 10.0.0.2 dev eth0"
             " && ovs-ofctl del-flows br0 udp && ovs-vsctl remove interface p1 options n_rxq")


def test_what_a_device_cannot_do_is_not_tried_again_and_again(place):
    """What an attempt does to the device is no reason for another one."""
    before = place.sh(f"cat {place.dir}/ovs-vswitchd.log").count("p1: not in generic mode")
    place.run("ovs-vsctl --timeout=5 set interface p1 options:n_rxq=7")
    place.sh("sleep 1; ovs-vsctl --timeout=5 remove interface p1 options n_rxq")
    assert 0 < place.sh(f"cat {place.dir}/ovs-vswitchd.log").count("p1: not in generic mode") - before < 5
    place.wait("pings", lambda: place.pings(1, 2), 60)


def test_queues_may_be_opened_again_at_once(place):
    """The kernel keeps a queue for a moment after its socket was closed; longer where there is much else to do, and
    then the switch tries again by itself."""
    place.sh("ovs-vsctl set interface p1 options:xdp-mode=generic")
    for n_rxq in (2, 1, 2, 1, 2, 1):
        place.sh(f"ovs-vsctl set interface p1 options:n_rxq={n_rxq}")
        place.wait("it is open", lambda: column(place, "p1", "error") == "[]")
    place.sh("ovs-vsctl remove interface p1 options xdp-mode -- remove interface p1 options n_rxq")
    place.wait("pings", lambda: place.pings(1, 2), 60)


def test_a_queue_that_another_program_has_is_opened_once_it_is_free(place):
    out = f"{place.dir}/xdp.out"
    place.sh("ovs-vsctl del-port p1 -- del-port p2")  # The other program is a forwarder between them.
    place.sh(f"{BUILD}/tests/perf/xdp p1 p2 >{out} 2>&1 & echo $! >{place.dir}/xdp.pid")
    place.wait("it has them", lambda: "ready" in place.sh(f"cat {out}"))
    place.run("ovs-vsctl add-port br0 p1 -- set interface p1 type=afxdp ofport_request=1"
              " -- add-port br0 p2 -- set interface p2 type=afxdp ofport_request=2")
    for port in ("p1", "p2"):
        place.wait("the error", lambda p=port: "resource busy" in column(place, p, "error"))
    place.sh(f"kill $(cat {place.dir}/xdp.pid); ip link set p1 xdp off; ip link set p2 xdp off")
    place.wait("pings", lambda: place.pings(1, 2), 60)
    assert [column(place, p, "error") for p in ("p1", "p2")] == ["[]", "[]"]
    assert mode_is(place, "p1", "native")()


def test_frames_are_counted(place):
    def counter(name):
        return int(re.search(rf"\b{name}=(\d+)", column(place, "p2", "statistics")).group(1))

    before = counter("rx_packets")
    place.sh("ip netns exec h2 ping -q -c 50 -i 0.01 -W 1 10.0.0.1")
    place.wait("statistics", lambda: counter("rx_packets") >= before + 50)


def test_a_device_may_vanish_and_return(place):
    place.sh("ip link del p2")
    place.wait("the error", lambda: "No such device" in column(place, "p2", "error"))
    place.sh("ip link add p2 type veth peer name eth0 netns h2 && ip -n h2 addr add 10.0.0.2/24 dev eth0 &&"
             " ip -n h2 link set eth0 up && ip netns exec h2 ethtool -K eth0 tx off")
    place.wait("pings", lambda: place.pings(1, 2), 60)


def test_a_link_may_go_down_and_up(place):
    place.sh("ip -n h2 link set eth0 down")
    place.wait("down", lambda: column(place, "p2", "link_state") == "down")
    place.sh("ip -n h2 link set eth0 up")
    place.wait("pings", lambda: place.pings(1, 2), 60)


def test_the_host_has_its_frames_back_when_the_switch_is_killed(place):
    place.kill("ovs-vswitchd")
    place.wait("no program", lambda: "xdp" not in place.sh("ip link show p1"))
    place.start_switch()
    place.wait("pings", lambda: place.pings(1, 2), 60)
