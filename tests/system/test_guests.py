"""Machines under QEMU at vhost-user ports: Debian's kernel drives the queues.

    guest 10.0.0.1 ---- g1 [ br0 ] g2 ---- guest 10.0.0.2
"""
import contextlib
import os
import re
import shutil
import subprocess

import pytest
from place import ROOT, switch_place

BOOT_SECONDS = 300  # The processor is emulated.
SERVER = "mkdir /www; head -c 300000 /dev/zero >/www/file; httpd -f -h /www"
ONE_ANSWER = "for i in $(seq 100); do ping -c 1 -W 2 10.0.0.2 >/dev/null && break; done;"
CLIENT = (ONE_ANSWER +
          " ping -c 5 -i 0.2 -s 1400 -W 10 10.0.0.2; wget -q -O - http://10.0.0.2/file | wc -c")


def start(p, n, command, *options):
    p.sh(f"ovs-vsctl add-port br0 g{n} -- set interface g{n} type=dpdkvhostuserclient"
         f" options:vhost-server-path={p.dir}/g{n}.sock")
    p.sh(f"{' '.join([os.path.join(ROOT, 'tests/vm/guest'), *options])} {p.dir}/g{n}.sock 10.0.0.{n} '{command}'"
         f" >{p.dir}/g{n}.out 2>&1 & echo $! >{p.dir}/g{n}.pid")


def said_by_the_first(p):
    p.wait("the first guest's end", lambda: p.run(f"kill -0 $(cat {p.dir}/g1.pid)").returncode, BOOT_SECONDS)
    return p.sh(f"cat {p.dir}/g1.out")


@contextlib.contextmanager
def switch(settings=""):
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("no QEMU")
    # A kernel that is not there yet is fetched over the network, which the place does not have.
    subprocess.run([f"{ROOT}/tests/vm/boot", "-p"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=600,
                   check=True)
    dpdk = "ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true "
    with switch_place(prepare=dpdk + settings) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev")
        yield p


@pytest.mark.slow
def test_guests_talk():
    with switch() as p:
        start(p, 2, SERVER)
        start(p, 1, CLIENT)
        said = said_by_the_first(p)
        assert re.search(r"5 packets transmitted, 5 packets received", said), said
        assert re.search(r"^300000\b", said, re.M), said
        # It is gone, the other one is not.
        p.wait("no link", lambda: "down" in p.sh("ovs-vsctl get interface g1 link_state"), 60)
        assert "up" in p.sh("ovs-vsctl get interface g2 link_state")


@pytest.mark.slow
def test_guests_talk_through_an_iommu():
    """Where a new buffer is, DPDK's library asks when it first wants to use it, and that frame is lost."""
    with switch("other_config:vhost-iommu-support=true") as p:
        start(p, 2, SERVER, "-i")
        start(p, 1, f"{ONE_ANSWER} ping -c 100 -i 0.1 -W 1 10.0.0.2", "-i")
        said = said_by_the_first(p)
        received = re.search(r"100 packets transmitted, (\d+) packets received", said)
        assert received and int(received[1]) >= 10, said
        counts = p.sh("ovs-vsctl get interface g2 statistics")
        for name in "rx_q0_iotlb_hits", "rx_q0_iotlb_misses", "tx_q0_iotlb_hits":
            assert int(re.search(rf"\b{name}=(\d+)", counts)[1]) > 0, counts
