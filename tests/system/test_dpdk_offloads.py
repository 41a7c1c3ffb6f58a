"""What DPDK's devices do for packets: checksums, and cutting long TCP frames; with real connections.

    h1 ---- p1 [ br0 ] a ---- net_tap: dt0, a device of the host
                       b ---- net_virtio_user ---- vu0 [ br1 of another switch ] p2 ---- h2
"""
import os
import re
import struct
import sys

import pytest
from dpdk_ports import dpdk_ports, far, far_switch
from place import ROOT, column, switch_place

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402

SIZE = 4 << 20
SERVER = ("import hashlib,socket,sys; s=socket.create_server((sys.argv[1],5000),family=socket.AF_INET6"
          " if ':' in sys.argv[1] else socket.AF_INET); print(flush=True); c=s.accept()[0]; h=hashlib.sha256();"
          " [h.update(d) for d in iter(lambda: c.recv(65536), b'')]; print(h.hexdigest())")
CLIENT = (f"import hashlib,os,socket,sys; d=os.urandom({SIZE}); c=socket.create_connection((sys.argv[1],5000),60);"
          " c.sendall(d); c.close(); print(hashlib.sha256(d).hexdigest())")


@pytest.fixture(scope="module", name="place")
def fixture_place():
    dpdk = ("ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true other_config:pmd-sleep-max=100"
            " other_config:dpdk-extra=--no-pci other_config:dpdk-probe-at-init=true")
    with switch_place(1, 2, prepare=dpdk, expected="could not be|tap_nl|qdisc|rte flow support") as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 p1"
             " && ip -n h1 addr add fd00::1/64 dev eth0 nodad && ip -n h2 addr add fd00::2/64 dev eth0 nodad")
        yield p


@pytest.fixture(name="port")
def fixture_port(place):
    """Adds a port, and removes it."""
    with dpdk_ports(place) as add_port:
        def add(name, devargs, tso):
            tso = f"set Open_vSwitch . other_config:userspace-tso-enable={tso}"
            assert not add_port(name, devargs, setting=tso).stderr
            assert column(place, name, "error") == "[]"

        yield add


@pytest.fixture(name="tap")
def fixture_tap(place, port):
    def add(tso):
        port("a", "net_tap0,iface=dt0,mac=02:00:00:00:00:99", tso)
        place.sh("ip addr add 10.0.0.9/24 dev dt0 && ip addr add fd00::9/64 dev dt0 nodad && ip link set dt0 up")

    return add


def n_cut(place):
    """Frames that the switch has cut itself."""
    found = re.search(r"^dp_packet_gso .*total: (\d+)", place.sh("ovs-appctl coverage/show"), re.M)
    return int(found.group(1)) if found else 0


def transfer(place, client, server, address):
    """A file from one namespace (empty: that of the switch) to another."""
    def inside(name):
        return f"ip netns exec {name} " if name else ""

    place.sh(f"rm -f {place.dir}/got; {inside(server)}python3 -c \"{SERVER}\" {address} >{place.dir}/got 2>&1 &")
    place.wait("the server", lambda: place.run(f"test -s {place.dir}/got").returncode == 0, 30)
    sent = place.sh(f"{inside(client)}python3 -c \"{CLIENT}\" {address}", timeout=120)
    place.wait("the whole file", lambda: place.sh(f"cat {place.dir}/got").strip() == sent.strip(), 60)


def test_dpdk_is_started_as_the_settings_say(place):
    line = place.sh(f"grep 'EAL ARGS' {place.dir}/ovs-vswitchd.log")
    assert "--no-pci" in line and "-a " not in line


@pytest.mark.parametrize("tso", ("false", "true"))
def test_connections_through_a_tap(place, tap, tso):
    """Its driver cannot cut frames that fill the MTU, so that it is not asked to."""
    tap(tso)
    status = column(place, "a", "status")
    for key in ("rx_csum_offload", "tx_ip_csum_offload", "tx_tcp_csum_offload", "tx_udp_csum_offload"):
        assert f'{key}="true"' in status
    for key in ("tx_sctp_csum_offload", "tx_tcp_seg_offload", "tx_vxlan_tso_offload"):
        assert f'{key}="false"' in status
    before = n_cut(place)
    for here, there in (("10.0.0.1", "10.0.0.9"), ("fd00::1", "fd00::9")):
        transfer(place, "h1", "", there)
        transfer(place, "", "h1", here)
    assert n_cut(place) > before
    assert ("a: Tx TSO offload is not supported" in place.sh(f"cat {place.dir}/ovs-vswitchd.log")) == (tso == "true")
    assert "ovs_tx_failure_drops=0, ovs_tx_invalid_hwol_drops=0" in column(place, "a", "statistics")


def test_wrong_checksums_are_found(place, tap):
    """By connection tracking, whoever has looked at them."""
    tap("false")
    good = traffic.udp(0x0a000009, 0x0a000001, 1000, 2000)
    at = 14 + 20 + 6
    pseudo = good[26:34] + struct.pack("!BBH", 0, 17, len(good) - 34)
    words = struct.unpack(f"!{len(pseudo + good[34:]) // 2}H", pseudo + good[34:at] + b"\0\0" + good[at + 2:])
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    right = ~((total & 0xffff) + (total >> 16)) & 0xffff
    place.sh("ovs-ofctl add-flows br0 - <<E\npriority=10,in_port=a,udp,tp_dst=2000,actions=ct(table=1)\n"
             "table=1,ct_state=+inv+trk,actions=drop\ntable=1,ct_state=-inv+trk,actions=p1\nE")
    send = ("import socket,sys; s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind(('dt0',0));"
            " f=bytes.fromhex(sys.argv[1]); [s.send(f) for _ in range(int(sys.argv[2]))]")
    for csum, n in ((right, 7), (right ^ 1, 5)):
        frame = good[:at] + struct.pack("!H", csum) + good[at + 2:]
        place.sh(f"python3 -c \"{send}\" {frame.hex()} {n}")

    def counted(what, n):
        return re.search(rf"n_packets={n},.*{re.escape(what)}", place.sh("ovs-ofctl dump-flows br0 table=1"))

    place.wait("the right ones", lambda: counted("ct_state=-inv+trk", 7), 30)
    place.wait("the wrong ones", lambda: counted("ct_state=+inv+trk", 5), 30)
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 actions=NORMAL")


@pytest.fixture(scope="module", name="far_switch")
def fixture_far_switch(place):
    with far_switch(place, "other_config:userspace-tso-enable=true other_config:pmd-sleep-max=100"):
        far(place, "ovs-vsctl --timeout=30 add-br br1 -- set bridge br1 datapath_type=netdev -- add-port br1 p2"
            " -- add-port br1 vu0 -- set interface vu0 type=dpdkvhostuser")
        yield


DEVICE = "net_virtio_user0,path=/tmp/far/vu0,mac=02:00:00:00:00:55"


@pytest.mark.usefixtures("far_switch")
def test_connections_through_a_machine_s_device(place, port):
    """Of virtio: partial checksums and long frames pass between the switches as they are."""
    port("b", DEVICE, "true")
    place.wait("the link", lambda: column(place, "b", "link_state") == "up", 60)
    status = column(place, "b", "status")
    for key in ("rx_csum_offload", "tx_tcp_csum_offload", "tx_udp_csum_offload", "tx_tcp_seg_offload"):
        assert f'{key}="true"' in status
    before = n_cut(place)
    for a, b in (("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")):
        transfer(place, "h1", "h2", b)
        transfer(place, "h2", "h1", a)
    assert n_cut(place) == before
    assert "ovs_tx_invalid_hwol_drops=0" in column(place, "b", "statistics")


@pytest.mark.usefixtures("far_switch")
def test_counters_are_read_while_a_machine_comes_and_goes(place, port):
    """The main loop waits for no lock of a thread that waits for the main loop."""
    far(place, "(while [ -e /tmp/far/db.sock ]; do ovs-appctl dpctl/show -s; done >/dev/null 2>&1 &"
        " echo $! >/tmp/asks)")
    try:
        for tso in ("true", "false", "true"):
            port("b", DEVICE, tso)
            place.wait("the link", lambda: column(place, "b", "link_state") == "up", 60)
            place.sh("ovs-vsctl --timeout=30 del-port b")
        far(place, "ovs-appctl --timeout=10 dpctl/show")
    finally:
        place.sh("kill $(cat /tmp/asks)")
