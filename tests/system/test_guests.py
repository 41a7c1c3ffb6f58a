"""Machines under QEMU at vhost-user ports: Debian's kernel drives the queues.

    guest 10.0.0.1 ---- g1 [ br0 ] g2 ---- guest 10.0.0.2
"""
import re

import pytest
from guests import add_port, guest_switch, start_guest, wait_end

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
