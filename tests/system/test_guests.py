"""Machines under QEMU at vhost-user ports: Debian's kernel drives the queues.

    guest 10.0.0.1 ---- g1 [ br0 ] g2 ---- guest 10.0.0.2
"""
import hashlib
import re

import pytest
from guests import BOOT_SECONDS, add_port, guest_switch, start_guest, wait_end, wait_said
from place import column, counter

SERVER = "mkdir /www; head -c 300000 /dev/zero >/www/file; httpd -f -h /www"
ONE_ANSWER = "for i in $(seq 100); do ping -c 1 -W 2 10.0.0.2 >/dev/null && break; done;"
CLIENT = (ONE_ANSWER +
          " ping -c 5 -i 0.2 -s 1400 -W 10 10.0.0.2; wget -q -O - http://10.0.0.2/file | wc -c")


def start(p, n, command, *options):
    start_guest(p, f"g{n}", add_port(p, f"g{n}"), f"10.0.0.{n}", command, *options)


@pytest.mark.slow
def test_guests_talk():
    with guest_switch() as p:
        start(p, 2, SERVER)
        start(p, 1, CLIENT)
        said = wait_end(p, "g1")
        assert re.search(r"5 packets transmitted, 5 packets received", said), said
        assert re.search(r"^300000\b", said, re.M), said
        # It is gone, the other one is not.
        p.wait("no link", lambda: "down" in p.sh("ovs-vsctl get interface g1 link_state"), 60)
        assert "up" in p.sh("ovs-vsctl get interface g2 link_state")


@pytest.mark.slow
def test_guests_talk_through_an_iommu():
    """Where a new buffer is, DPDK's library asks when it first wants to use it, and that frame is lost."""
    with guest_switch(settings="other_config:vhost-iommu-support=true") as p:
        start(p, 2, SERVER, "-i")
        start(p, 1, f"{ONE_ANSWER} ping -c 100 -i 0.1 -W 1 10.0.0.2", "-i")
        said = wait_end(p, "g1")
        received = re.search(r"100 packets transmitted, (\d+) packets received", said)
        assert received and int(received[1]) >= 10, said
        counts = p.sh("ovs-vsctl get interface g2 statistics")
        for name in "rx_q0_iotlb_hits", "rx_q0_iotlb_misses", "tx_q0_iotlb_hits":
            assert int(re.search(rf"\b{name}=(\d+)", counts)[1]) > 0, counts


# What a device offers its driver, and which feature bits the driver takes then, or does not.
MRG_RXBUF, INDIRECT_DESC, EVENT_IDX, PACKED = 15, 28, 29, 34
DEVICES = [("", (MRG_RXBUF, INDIRECT_DESC, EVENT_IDX), (PACKED,)),
           ("event_idx=off", (MRG_RXBUF, INDIRECT_DESC), (EVENT_IDX, PACKED)),
           ("mrg_rxbuf=off,indirect_desc=off", (EVENT_IDX,), (MRG_RXBUF, INDIRECT_DESC, PACKED)),
           ("packed=on", (MRG_RXBUF, EVENT_IDX, PACKED), ())]
GUEST = ("mkdir /www; cp /bin/busybox /www/file; httpd -h /www;"
         "for i in $(seq 0 3); do a=http://10.0.$i.$((i + 6)):8000;"
         " until wget -q -O /dev/null $a/; do sleep 1; done; wget -q -O - $a/busybox | md5sum; done;"
         " echo done; while :; do sleep 1; done")
FETCH = "import hashlib, urllib.request as u; print(hashlib.md5(u.urlopen('http://10.0.%d.1/file').read()).hexdigest())"


def sums(p):
    """Frames that the machine got, and that it had no room for."""
    return counter(p, "g1", "tx_packets"), counter(p, "g1", "ovs_tx_failure_drops")


@pytest.mark.slow
def test_a_guest_is_called_as_its_devices_agreed():
    """A machine with four devices, a bridge and a host (h6 to h9) for each.  Its driver waits for interrupts."""
    with guest_switch() as p:
        p.sh(f"mkdir {p.dir}/www && cp $(command -v busybox) {p.dir}/www/busybox")
        for i in range(4):
            p.host(i + 6)
            p.sh(f"ovs-vsctl add-br b{i} -- set bridge b{i} datapath_type=netdev -- add-port b{i} p{i + 6}")
            p.sh(f"cd {p.dir}/www && ip netns exec h{i + 6} /usr/bin/python3 -m http.server >/dev/null 2>&1 &")
            add_port(p, "g1" if i == 0 else f"g1.{i + 1}", bridge=f"b{i}")
            if i:
                p.sh(f"ip -n h{i + 6} addr add 10.0.{i}.{i + 6}/24 dev eth0 &&"
                     f" ovs-vsctl set interface g1.{i + 1} options:vhost-server-path={p.dir}/g1.sock.{i + 1}")
        start_guest(p, "guest", f"{p.dir}/g1.sock", "10.0.0.1", GUEST,
                    *(option for device, _, _ in DEVICES for option in ("-d", f'"{device}"')))
        wait_said(p, "guest", "^done")
        with open(f"{p.root}{p.dir}/www/busybox", "rb") as f:
            digest = hashlib.md5(f.read()).hexdigest()
        assert p.sh(f"cat {p.dir}/guest.out").count(digest) == 4
        for i, (_, has, lacks) in enumerate(DEVICES):
            port = "g1" if i == 0 else f"g1.{i + 1}"
            assert p.sh(f'ip netns exec h{i + 6} /usr/bin/python3 -c "{FETCH % i}"').strip() == digest
            features = int(re.search(r'features="(0x[0-9a-f]+)"', column(p, port, "status"))[1], 0)
            assert all(features >> n & 1 for n in has) and not any(features >> n & 1 for n in lacks), hex(features)
            p.wait("interrupts", lambda port=port: counter(p, port, "tx_q0_guest_notifications"), 60)
            assert counter(p, port, "tx_q0_guest_notifications") <= counter(p, port, "tx_packets")
        # One that does nothing takes no more frames than it has given room for, and looks at them when it goes on.
        p.sh("ip netns exec h6 ping -c 3 -i 0.2 -W 10 10.0.0.1 && ovs-vsctl set interface g1 options:tx-retries-max=0")
        qemu = p.sh(f"ps -o pid= --ppid $(cat {p.dir}/guest.pid)").split()
        assert len(qemu) == 1
        p.sh(f"kill -STOP {qemu[0]}")
        send = "import socket; s = socket.socket(type=2); [s.sendto(bytes(99), ('10.0.0.1', 9)) for _ in range(600)]"
        p.wait("quiet", lambda: (before := sums(p)) and not p.run("sleep 6").returncode and sums(p) == before, 60)
        (taken, lost), retries = sums(p), counter(p, "g1", "ovs_tx_retries")
        p.sh(f'ip netns exec h6 /usr/bin/python3 -c "{send}"')
        p.wait("600 frames", lambda: sum(sums(p)) >= taken + lost + 600, 60)
        now = sums(p)  # The host may ask for the guest's address, too.
        assert 100 <= now[0] - taken <= 256 and now[1] - lost >= 600 - 256, (taken, lost, now)
        assert counter(p, "g1", "ovs_tx_retries") == retries
        p.sh(f"kill -CONT {qemu[0]}")
        p.sh("ip netns exec h6 ping -c 3 -i 0.2 -W 10 10.0.0.1", timeout=BOOT_SECONDS)
