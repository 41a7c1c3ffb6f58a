"""DPDK's virtual devices as ports: frames go out through one and come back as they were, also while it is changed.

    in.pcap ---- src [ br0 ] a ---- what the device leads to, itself (a ring) or another port, b
    out.pcap --- dst [     ]
"""
import os
import re
import sys

import pytest
from dpdk_ports import dpdk_ports, far, far_switch
from pcapng import Capture
from place import ROOT, column, counter, switch_place

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402

MEMBERS = "--vdev=net_af_packet8,iface=v3 --vdev=net_af_packet9,iface=v4 --vdev=net_null7,no-rx=1"
PAIRS_OF_DEVICES = ("for i in 0 1 2 3 4; do ip link add v$i type veth peer name w$i && ip link set v$i up"
                    " && ip link set w$i up && sysctl -qw net.ipv6.conf.v$i.disable_ipv6=1"
                    " net.ipv6.conf.w$i.disable_ipv6=1 || exit 1; done")
EXPECTED = "could not be|Rx checksum"


@pytest.fixture(scope="module", name="place")
def fixture_place():
    dpdk = (f"{PAIRS_OF_DEVICES} && ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true"
            f" 'other_config:dpdk-extra={MEMBERS}'")
    with switch_place(1, prepare=dpdk, expected=EXPECTED) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " -- add-port br0 p1 -- set interface p1 ofport_request=5")
        yield p


@pytest.fixture(name="ports")
def fixture_ports(place):
    """Adds ports, with numbers of OpenFlow, and removes them."""
    with dpdk_ports(place) as add:
        yield lambda name, number, devargs, *more: add(name, devargs, f"ofport_request={number}", *more)


def some_frames(sizes):
    """UDP frames with these many bytes behind the headers."""
    return [traffic.udp(0x0a000001 + i, 0x0a0000ff, 1000 + i, 2000)[:42] + bytes(i % 256 for i in range(n))
            for i, n in enumerate(sizes)]


SIZES = list(range(18, 1472, 17)) + [1472]


def replay(place, ports, sent, back="a", more=""):
    """Sends frames into port a; those that come back from the port 'back'."""
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", [])
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 - <<E\n"
             f"in_port=10,actions=1\nin_port={1 if back == 'a' else 2},udp,tp_dst=2000,actions=11\nE")
    assert not ports("dst", 11, f"net_pcap_dst,tx_pcap={place.dir}/out.pcap", more).stderr
    assert not ports("src", 10, f"net_pcap_src,rx_pcap={place.dir}/in.pcap").stderr
    traffic.write_pcap(f"{place.root}{place.dir}/new.pcap", sent)
    place.sh(f"mv {place.dir}/new.pcap {place.dir}/in.pcap")  # Another file: it is read when the device starts.
    place.sh("ovs-vsctl --timeout=30 set interface src options:n_rxq_desc=1024")
    place.wait("all frames have come back", lambda: counter(place, "dst", "tx_packets") == len(sent), 60)
    place.sh("ovs-vsctl del-port src -- del-port dst")
    return traffic.read_pcap(f"{place.root}{place.dir}/out.pcap")


PAIRS = {
    "af_packet": ("net_af_packet0,iface=v0", "net_af_packet1,iface=w0"),
    "pcap of a device": ("net_pcap0,rx_iface_in=v1,tx_iface=v1", "net_pcap1,rx_iface_in=w1,tx_iface=w1"),
    "af_xdp": ("net_af_xdp0,iface=v2", "net_af_xdp1,iface=w2"),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_frames_pass_between_two_devices(place, ports, kind):
    for port, number, devargs in zip("ab", (1, 2), PAIRS[kind]):
        assert not ports(port, number, devargs).stderr
    for port in ("a", "b"):
        place.wait(f"{port}'s link", lambda p=port: column(place, p, "link_state") == "up", 60)
    sent = some_frames(SIZES)
    assert replay(place, ports, sent, "b") == sent
    place.wait("counters", lambda: counter(place, "b", "rx_packets") == len(sent), 60)
    assert counter(place, "a", "tx_packets") == len(sent) == counter(place, "a", "tx_q0_packets")
    assert counter(place, "b", "rx_bytes") == sum(map(len, sent)) == counter(place, "b", "rx_q0_bytes")


def peers_gone(place):
    return int(place.sh("ovs-appctl coverage/read-counter netdev_dpdk_peer_gone"))


def callbacks_forgotten(place):
    return int(place.sh("ovs-appctl coverage/read-counter netdev_dpdk_forgotten_callback"))


class Memif:
    """A server at port a; its client is port b of the other switch, which sends back what it gets."""

    def __init__(self, place, ports):
        self.place = place
        self.queues = f"options:n_rxq={os.cpu_count()}"  # A client sends to as many as it has processors.
        self.socket = f"socket={place.dir}/memif.sock,socket-abstract=no"
        assert not ports("a", 1, f"net_memif0,role=server,{self.socket}", self.queues).stderr
        assert column(place, "a", "link_state") == "down"
        far(place, "ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev fail_mode=secure"
            " && ovs-ofctl add-flow br1 actions=IN_PORT")

    def connect(self):
        far(self.place, "ovs-vsctl add-port br1 b -- set interface b type=dpdk"
            f" 'options:dpdk-devargs=net_memif0,role=client,{self.socket}' {self.queues}")
        self.place.wait("the link", lambda: column(self.place, "a", "link_state") == "up", 60)

    def wait_end(self):
        self.place.wait("the end of the link", lambda: column(self.place, "a", "link_state") == "down", 60)


def test_two_switches_over_memif(place, ports):
    with far_switch(place):
        memif = Memif(place, ports)
        memif.connect()
        sent = some_frames(SIZES)
        assert replay(place, ports, sent) == sent
        before = peers_gone(place)
    memif.wait_end()
    # DPDK's thread has waited for bursts before it took the client's memory away.
    place.wait("a peer that has gone", lambda: peers_gone(place) > before)


STRANGER = """
import socket, sys

def meet(*messages):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    for m in messages:
        try:
            s.send(m)
        except OSError:
            break
    s.close()

HELLO, INIT, RUBBISH = b"\\2\\0", b"\\3\\0", b"\\xff" * 128
for _ in range(30):
    meet()
    for m in HELLO, INIT, RUBBISH:
        meet(m)
        meet(m.ljust(128, b"\\0"), RUBBISH)
        meet(m * 2000, m)
"""


def test_strangers_at_a_memif_socket(place, ports):
    with far_switch(place):
        memif = Memif(place, ports)

        def have_come():
            place.sh(f"/usr/bin/python3 -c '{STRANGER}' {place.dir}/memif.sock")
            return callbacks_forgotten(place)

        # The driver forgets those who have gone before they are greeted.
        place.wait("strangers that were not greeted", have_come)
        memif.connect()
        sent = some_frames(SIZES)
        assert replay(place, ports, sent) == sent
    memif.wait_end()
    forgotten = callbacks_forgotten(place)
    place.sh("ovs-vsctl del-port a")
    place.wait("the end of the socket, which it forgets, too", lambda: callbacks_forgotten(place) > forgotten)


@pytest.mark.slow
def test_memif_clients_come_and_go(place, ports):
    """On processors that have other work, so that a worker is often interrupted amid a burst."""
    others = place.sh("for i in 1 2 3; do sh -c 'while :; do :; done' >/dev/null 2>&1 & echo $!; done").split()
    try:
        with far_switch(place):
            memif = Memif(place, ports)
            for _ in range(60):
                memif.connect()
                far(place, "ovs-vsctl del-port b")
                memif.wait_end()
    finally:
        place.sh(f"kill {' '.join(others)}")


def test_a_ring_leads_to_itself(place, ports):
    assert not ports("a", 1, "net_ring0").stderr
    sent = some_frames(SIZES)
    assert replay(place, ports, sent) == sent


def test_what_passes_is_captured(place, ports):
    """Of a ring that leads to itself: what goes out comes in later."""
    assert not ports("a", 1, "net_ring0").stderr
    place.sh("ovs-appctl capture/start a /tmp/a.pcapng")
    sent = some_frames(SIZES)
    place.sh("ovs-appctl capture/start p1 /tmp/none.pcapng")
    assert replay(place, ports, sent) == sent
    place.sh("ovs-appctl capture/stop")
    c = Capture(f"{place.root}/tmp/a.pcapng")
    assert c.frames("out") == sent and c.frames("in") == sent
    assert c.interface[2] == b"a" and c.interface[3].startswith(b"dpdk, port ") and c.statistics["dropped"] == 0
    out = {p.frame: p.ns for p in c.packets if p.direction == "out"}
    assert all(p.ns > out[p.frame] for p in c.packets if p.direction == "in")
    assert not Capture(f"{place.root}/tmp/none.pcapng").frames("out")


def test_a_bond_of_devices(place, ports):
    assert not ports("a", 1, "net_bonding0,mode=1,slave=net_af_packet8,slave=net_af_packet9").stderr
    place.wait("the link", lambda: column(place, "a", "link_state") == "up", 60)
    assert not ports("b", 2, "net_af_packet1,iface=w3").stderr
    sent = some_frames(SIZES)
    assert replay(place, ports, sent, "b") == sent


def test_a_tap_is_a_device_of_the_host(place, ports):
    assert not ports("a", 1, "net_tap0,iface=dt0").stderr
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 actions=NORMAL"
             " && ip addr add 10.0.0.9/24 dev dt0 && ip link set dt0 up")
    assert ", 0% packet loss" in place.sh("ip netns exec h1 ping -q -c 3 -i 0.2 -W 2 10.0.0.9")
    place.sh("ovs-appctl netdev-dpdk/set-admin-state a down")
    assert column(place, "a", "admin_state") == "down" and column(place, "a", "link_state") == "down"
    assert place.run("ip netns exec h1 ping -q -c 2 -i 0.2 -W 1 10.0.0.9").returncode
    place.sh("ovs-appctl netdev-dpdk/set-admin-state up")
    assert column(place, "a", "admin_state") == "up"
    assert ", 0% packet loss" in place.sh("ip netns exec h1 ping -q -c 3 -i 0.2 -W 2 10.0.0.9")


def test_status_and_counters_are_the_reference_s(place, ports):
    assert not ports("a", 1, "net_null0,no-rx=1").stderr
    version = re.search(r"Using DPDK (\S+)", place.sh(f"cat {place.dir}/ovs-vswitchd.log")).group(1)
    status = column(place, "a", "status")
    for pair in (f'if_descr="DPDK {version} net_null"', 'if_type="6"', "driver_name=net_null", 'numa_id="0"',
                 'bus_info="bus_name=vdev"', 'link_speed="10Gbps"', 'max_hash_mac_addrs="0"', 'max_mac_addrs="1"',
                 'max_rx_pktlen="1518"', 'max_rx_queues="1024"', 'max_tx_queues="1024"', 'max_vfs="0"',
                 'max_vmdq_pools="0"', 'min_rx_bufsize="0"'):
        assert pair in status
    assert column(place, "a", "link_speed") == "10000000000" and column(place, "a", "duplex") == "full"
    place.wait("statistics", lambda: "ovs_tx" in column(place, "a", "statistics"), 60)
    n = int(re.search(r'n_txq="(\d+)"', status).group(1))
    queues = "".join(f", tx_q{i}_bytes=0, tx_q{i}_packets=0" for i in range(n))
    assert column(place, "a", "statistics") == (
        "{ovs_rx_qos_drops=0, ovs_tx_failure_drops=0, ovs_tx_invalid_hwol_drops=0, ovs_tx_mtu_exceeded_drops=0,"
        " ovs_tx_qos_drops=0, rx_bytes=0, rx_dropped=0, rx_errors=0, rx_mbuf_allocation_errors=0, rx_missed_errors=0,"
        " rx_packets=0, rx_q0_bytes=0, rx_q0_errors=0, rx_q0_packets=0, tx_bytes=0, tx_dropped=0, tx_errors=0,"
        f" tx_packets=0{queues}}}")


def test_options_change_while_the_port_exists(place, ports):
    assert not ports("a", 1, "net_ring0").stderr
    number = column(place, "a", "ofport")
    sent = some_frames(SIZES)
    for option in ("n_rxq=2", "n_rxq_desc=512", "n_txq_desc=256", "n_rxq=x", "n_rxq_desc=1000",
                   "dpdk-lsc-interrupt=false", "rx-flow-ctrl=true", "tx-flow-ctrl=true", "flow-ctrl-autoneg=true",
                   "dpdk-vf-mac=\"02:00:00:00:00:01\"", "n_rxq=1"):
        place.sh(f"ovs-vsctl --timeout=30 set interface a 'options:{option}'")
        assert column(place, "a", "error") == "[]" and column(place, "a", "ofport") == number
        if option == "n_rxq=2":
            assert 'n_rxq="2"' in column(place, "a", "status")
            assert re.search(r"port: a +queue-id:  1", place.sh("ovs-appctl dpif-netdev/pmd-rxq-show"))
            continue  # What is put into a ring's first queue does not come back from the second.
        assert replay(place, ports, sent) == sent
    assert 'n_rxq="1"' in column(place, "a", "status")
    assert ("a (dpdk: dpdk-devargs=net_ring0, dpdk-lsc-interrupt=false, dpdk-vf-mac=02:00:00:00:00:01,"
            " flow-ctrl-autoneg=true, n_rxq=1, n_rxq_desc=2048, n_txq_desc=256, rx-flow-ctrl=true, tx-flow-ctrl=true)\n"
            in place.sh("ovs-appctl dpctl/show"))
    said = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert "a: n_rxq_desc: '1000' is no power of 2 up to 4096; it is 2048" in said
    assert "a: Flow control is not supported." in said
    assert "'options:dpdk-vf-mac' is only supported for VF representors." in said
    place.sh("ovs-vsctl --timeout=30 set interface a options:dpdk-devargs=net_ring1")
    assert column(place, "a", "error") == "[]" and replay(place, ports, sent) == sent


def test_jumbo_frames(place, ports):
    sent = some_frames([18, 3000, 8972])
    assert not ports("a", 1, "net_ring0").stderr
    assert replay(place, ports, sent[:1], more="mtu_request=9000") == sent[:1]
    place.sh("ovs-vsctl --timeout=30 set interface a mtu_request=9000")
    assert column(place, "a", "mtu") == "9000" and 'max_rx_pktlen="9018"' in column(place, "a", "status")
    assert replay(place, ports, sent, more="mtu_request=9000") == sent
    place.sh("ovs-vsctl --timeout=30 set interface a mtu_request=2000")
    assert column(place, "a", "mtu") == "2000"
    place.sh("ovs-vsctl --timeout=30 set interface a mtu_request=20000")
    assert column(place, "a", "mtu") == "2000" and column(place, "a", "error") == "[]"
    assert "a: unsupported MTU 20000" in place.sh(f"cat {place.dir}/ovs-vswitchd.log")


def test_frames_longer_than_the_mtu_are_counted(place, ports):
    sent = some_frames([18, 1472, 1473, 1476, 1477, 1600])
    assert not ports("a", 1, "net_null0,no-rx=1").stderr
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", sent)
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 in_port=10,actions=1")
    assert not ports("src", 10, f"net_pcap_src,rx_pcap={place.dir}/in.pcap").stderr
    place.wait("frames", lambda: counter(place, "a", "tx_packets") == 4, 60)
    place.wait("drops", lambda: counter(place, "a", "ovs_tx_mtu_exceeded_drops") == 2, 60)
    assert counter(place, "a", "tx_dropped") == 2 and counter(place, "src", "rx_packets") == 6


@pytest.mark.parametrize("devargs, error", (
    ('""', "'bad' is missing 'options:dpdk-devargs'. The old 'dpdk<port_id>' names are not supported"),
    ("net_nosuch0", "Error attaching device 'net_nosuch0': "),
    ("0000:00:1f.5", "Error attaching device '0000:00:1f.5': "),
    ("net_af_packet5,iface=nosuch", "Error attaching device 'net_af_packet5,iface=nosuch': "),
    ("class=eth,mac=00:11:22:33:44:55", "unknown mac (need dpdk-probe-at-init=true ?)"),
    ("class=eth,mac=nonsense", "invalid mac"),
))
def test_a_device_that_is_not_there(place, ports, devargs, error):
    said = ports("bad", 3, devargs)
    assert error in said.stderr and error in column(place, "bad", "error")


def test_what_a_device_cannot_do_is_an_error(place, ports):
    assert not ports("a", 1, "net_null0,no-rx=1").stderr
    in_use = "'b' is trying to use device 'net_null0' which is already in use by 'a'"
    assert in_use in ports("b", 2, "net_null0").stderr
    place.run("ovs-vsctl --timeout=30 set interface a options:dpdk-lsc-interrupt=true")
    error = "a: options:dpdk-lsc-interrupt: driver net_null does not support it"
    place.wait("the error", lambda: error in column(place, "a", "error"))
    place.sh("ovs-vsctl --timeout=30 remove interface a options dpdk-lsc-interrupt")
    place.wait("its end", lambda: column(place, "a", "error") == "[]")
    assert not ports("c", 3, "net_af_packet0,iface=v0", "mtu_request=9000").stderr
    assert column(place, "c", "mtu") == "1500"
    refusal = "Interface c(rxq:1 txq:1 lsc interrupt mode:false) configure error: Invalid argument"
    assert refusal in place.sh(f"cat {place.dir}/ovs-vswitchd.log")


def test_no_memory_for_packets(place, ports):
    done = ports("big", 3, "net_null5,no-rx=1", "options:n_rxq=16", "options:n_rxq_desc=4096")
    assert not done.stderr
    place.sh("ovs-vsctl --timeout=120 set interface big mtu_request=9710", timeout=150)
    place.wait("the old size", lambda: column(place, "big", "mtu") in ("1500", "9710"), 60)
    if column(place, "big", "mtu") == "1500":
        assert "Failed to create memory pool for netdev big, with MTU 9710" in place.sh(
            f"cat {place.dir}/ovs-vswitchd.log")
    assert column(place, "big", "error") == "[]"


def test_links_that_go_down(place, ports):
    assert not ports("a", 1, "net_tap0,iface=dt0").stderr
    place.sh("ip link set dt0 up")
    place.wait("the link", lambda: column(place, "a", "link_state") == "up", 60)
    resets = int(column(place, "a", "link_resets"))
    place.sh("ip link set dt0 down")
    place.wait("its end", lambda: column(place, "a", "link_state") == "down", 60)
    assert int(column(place, "a", "link_resets")) > resets


def refused(place, command):
    done = place.run(f"ovs-appctl {command}")
    assert done.returncode == 2
    return done.stderr.splitlines()[0]


def test_commands_about_devices(place, ports):
    assert not ports("a", 1, "net_null0,no-rx=1").stderr
    for port in ("nosuch", "br0", "p1"):
        assert refused(place, f"netdev-dpdk/get-mempool-info {port}") == "Not a DPDK Interface"
        assert refused(place, f"netdev-dpdk/set-admin-state {port} up") == "Not a DPDK Interface"
    info = place.sh("ovs-appctl netdev-dpdk/get-mempool-info a")
    size = re.search(r"^  size=(\d+)$", info, re.M).group(1)
    assert re.match(r"mempool <\w+>@0x[0-9a-f]+\n  flags=", info)
    counted = re.search(r"  no statistics available\n    count: avail \((\d+)\), in use \((\d+)\)\n$", info)
    assert int(counted.group(1)) + int(counted.group(2)) == int(size)  # Another ring may still hold some.
    assert place.sh("ovs-appctl netdev-dpdk/get-mempool-info").count("mempool <") >= 2
    for state in ("a foo", "foo"):
        assert refused(place, f"netdev-dpdk/set-admin-state {state}") == "Invalid Admin State"
    assert refused(place, "netdev-dpdk/set-admin-state") == (
        '"netdev-dpdk/set-admin-state" command requires at least 1 arguments')
    assert place.sh("ovs-appctl netdev-dpdk/set-admin-state down") == "OK\n"
    assert column(place, "a", "admin_state") == "down" and column(place, "a", "link_state") == "down"
    assert place.sh("ovs-appctl netdev-dpdk/set-admin-state a up") == "OK\n"
    assert column(place, "a", "admin_state") == "up" and column(place, "a", "link_state") == "up"
    said = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert "Interface a does not support link state configuration" in said
    assert refused(place, "netdev-dpdk/detach net_null0") == (
        "Device 'net_null0' is being used by the following interfaces: a. Remove them before detaching.")
    assert refused(place, "netdev-dpdk/detach nosuch") == "Device 'nosuch' not found in DPDK"
    assert place.sh("ovs-appctl netdev-dpdk/detach net_null7") == (
        "All devices shared with device 'net_null7' have been detached\n")
    assert refused(place, "netdev-dpdk/detach net_null7") == "Device 'net_null7' not found in DPDK"


def test_commands_about_dpdk(place):
    lcores = place.sh("ovs-appctl dpdk/lcore-list")
    assert re.fullmatch(r"(lcore \d+, socket 0, role (RTE|NON_EAL), cpuset [\d,-]+\n)+", lcores)
    assert lcores.count("RTE") == 1
    heaps = place.sh("ovs-appctl dpdk/get-malloc-stats")
    assert re.match(r"Heap id:0\n\tHeap name:socket_0\n\tHeap_size:\d+,\n\tFree_size:\d+,\n\tAlloc_size:\d+,\n"
                    r"\tGreatest_free_size:\d+,\n\tAlloc_count:\d+,\n\tFree_count:\d+,\nHeap id:1\n", heaps)
    assert re.search(r"^physical memory segments|^Zone 0: name:<", place.sh("ovs-appctl dpdk/get-memzone-stats"), re.M)

    def level(component):
        listed = place.sh("ovs-appctl dpdk/log-list")
        return re.search(rf"^id \d+: {re.escape(component)}, level is (\w+)$", listed, re.M).group(1)

    assert place.sh("ovs-appctl dpdk/log-list").startswith("global log level is ")
    assert place.sh("ovs-appctl dpdk/log-set") == "" and level("lib.eal") == "debug"
    assert place.sh("ovs-appctl dpdk/log-set info") == "" and level("lib.eal") == level("pmd.net.null") == "info"
    assert place.sh("ovs-appctl dpdk/log-set 'pmd*:notice' lib.eal:error") == ""
    assert level("lib.eal") == "error" and level("pmd.net.null") == "notice" and level("lib.mbuf") == "info"
    for word, wrong in (("foo", "foo"), ("pmd:foo", "foo"), ("'*:*'", "*"), ("lib.eal:", "")):
        assert refused(place, f"dpdk/log-set {word}") == f"invalid log level: '{wrong}'"
