"""Machines under QEMU at vhost-user ports: Debian's kernel drives the queues.

    guest 10.0.0.1 ---- g1 [ br0 ] g2 ---- guest 10.0.0.2
"""
import os
import re
import shutil
import subprocess

import pytest
from place import ROOT, switch_place

BOOT_SECONDS = 300  # The processor is emulated.
SERVER = "mkdir /www; head -c 300000 /dev/zero >/www/file; httpd -f -h /www"
CLIENT = ("for i in $(seq 100); do ping -c 1 -W 2 10.0.0.2 >/dev/null && break; done;"
          " ping -c 5 -i 0.2 -s 1400 -W 10 10.0.0.2; wget -q -O - http://10.0.0.2/file | wc -c")


@pytest.mark.slow
def test_guests_talk():
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("no QEMU")
    # A kernel that is not there yet is fetched over the network, which the place does not have.
    subprocess.run([f"{ROOT}/tests/vm/boot", "-p"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=600,
                   check=True)
    dpdk = "ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true"
    with switch_place(prepare=dpdk) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev")
        for n, command in ((2, SERVER), (1, CLIENT)):
            p.sh(f"ovs-vsctl add-port br0 g{n} -- set interface g{n} type=dpdkvhostuserclient"
                 f" options:vhost-server-path={p.dir}/g{n}.sock")
            p.sh(f"{os.path.join(ROOT, 'tests/vm/guest')} {p.dir}/g{n}.sock 10.0.0.{n} '{command}'"
                 f" >{p.dir}/g{n}.out 2>&1 & echo $! >{p.dir}/g{n}.pid")
        p.wait("the first guest's end", lambda: p.run(f"kill -0 $(cat {p.dir}/g1.pid)").returncode, BOOT_SECONDS)
        said = p.sh(f"cat {p.dir}/g1.out")
        assert re.search(r"5 packets transmitted, 5 packets received", said), said
        assert re.search(r"^300000\b", said, re.M), said
        # It is gone, the other one is not.
        p.wait("no link", lambda: "down" in p.sh("ovs-vsctl get interface g1 link_state"), 60)
        assert "up" in p.sh("ovs-vsctl get interface g2 link_state")
