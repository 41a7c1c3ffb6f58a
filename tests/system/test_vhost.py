"""Virtual machines' queues (vhost-user): DPDK's test program is the machine, in a process of its own, by virtio-user.

    pcap ---- src [ br0 ] vu0 ---- queue pair 0 of the machine, which forwards
    pcap ---- dst [     ] vc0 ---- queue pair 1     from one to the other
"""
import os
import re
import struct
import sys

import pytest
from dpdk_ports import add_vhost_ports
from pcapng import Capture
from place import ROOT, column, counter, switch_place

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402

DISCONNECTED = "mode=%s, status=disconnected"


@pytest.fixture(scope="module", name="place")
def fixture_place():
    dpdk = ("ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true other_config:dpdk-alloc-mem=700"
            " other_config:dpdk-lcore-mask=0x1")
    with switch_place(levels="ERR|EMER", prepare=dpdk, expected="is not a valid name for a vhost-user port|"
                      "vhost-user device setup failure|vhost-user sock directory request") as p:
        if p.run("command -v dpdk-testpmd").returncode:
            pytest.skip("needs dpdk-testpmd (package dpdk-dev)")
        add_vhost_ports(p)
        yield p


@pytest.fixture(name="machines")
def fixture_machines(place):
    """Starts machines, and ends those that are left."""
    names = []

    def start(name, mode, *devices, commands=None):
        said = f"-i --cmdline-file={place.dir}/{name}.commands" if commands else "--stats-period 1"
        if commands:
            with open(f"{place.root}{place.dir}/{name}.commands", "w", encoding="ascii") as f:
                f.write(commands)
        vdevs = " ".join(f"--vdev=net_virtio_user{i},{d}" for i, d in enumerate(devices))
        place.sh(f"mkfifo -m 600 {place.dir}/{name}.in; (stdbuf -oL dpdk-testpmd -l 0,1 --no-huge -m 256 --no-pci"
                 f" --file-prefix={name} --no-telemetry"
                 f" {vdevs} -- --forward-mode={mode} --total-num-mbufs=4096 -a {said} >{place.dir}/{name}.out"
                 f" 2>&1 <>{place.dir}/{name}.in & echo $! >{place.dir}/{name}.pid)")
        names.append(name)
        place.wait(f"{name} forwards",
                   lambda: "packet forwarding - ports" in place.sh(f"cat {place.dir}/{name}.out"), 60)

    yield start
    for name in names:
        stop(place, name)


def stop(place, name, signal="TERM"):
    place.run(f"p=$(cat {place.dir}/{name}.pid) && kill -{signal} $p && while [ -d /proc/$p ]; do sleep 0.05; done")


def server(place, port="vu0"):
    return f"path={place.dir}/{port}"


def client(place, port="vc0"):
    return f"path={place.dir}/{port}.sock,server=1"


def status_of(place, port):
    """But for what need not be done before sending, which all ports say."""
    return re.sub(r', tx_\w+="false"', "", column(place, port, "status")).strip("{}")


def wait_links(place, state, *ports):
    for port in ports:
        place.wait(f"{port} {state}", lambda p=port: column(place, p, "link_state") == state, 60)


def replay(place, n):
    """Sends the frames of in.pcap through the machine; the 'n' that come back."""
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=10,actions=1\nin_port=2,actions=11\nE")
    place.sh(f"ovs-vsctl add-port br0 dst -- set interface dst type=dpdk ofport_request=11"
             f" options:dpdk-devargs=net_pcap_dst,tx_pcap={place.dir}/out.pcap"
             f" -- add-port br0 src -- set interface src type=dpdk ofport_request=10"
             f" options:dpdk-devargs=net_pcap_src,rx_pcap={place.dir}/in.pcap")
    place.wait("all frames have come back", lambda: counter(place, "dst", "tx_packets") == n, 60)
    place.sh("ovs-vsctl del-port src -- del-port dst")
    return traffic.read_pcap(f"{place.root}{place.dir}/out.pcap")


def test_ports_without_a_machine(place):
    assert status_of(place, "vu0") == DISCONNECTED % "server"
    assert status_of(place, "vc0") == DISCONNECTED % "client"
    for port in ("vu0", "vc0"):
        assert column(place, port, "link_state") == "down" and column(place, port, "admin_state") == "up"
        assert column(place, port, "mac_in_use") == '"00:00:00:00:00:00"' and column(place, port, "mtu") == "0"
        place.wait("statistics", lambda p=port: column(place, p, "statistics") == (
            "{ovs_rx_qos_drops=0, ovs_tx_failure_drops=0, ovs_tx_invalid_hwol_drops=0, ovs_tx_mtu_exceeded_drops=0,"
            " ovs_tx_qos_drops=0, ovs_tx_retries=0}"), 60)
    done = place.run("ovs-vsctl --timeout=5 add-port br0 a/b -- set interface a/b type=dpdkvhostuser")
    assert "could not open network device a/b (Invalid argument)" in done.stderr
    place.sh("ovs-vsctl del-port a/b -- add-port br0 vc1 -- set interface vc1 type=dpdkvhostuserclient")
    assert status_of(place, "vc1") == DISCONNECTED % "server"
    place.sh("ovs-vsctl del-port vc1")
    assert place.sh("ovs-vsctl get Open_vSwitch . dpdk_initialized") == "true\n"
    assert place.sh("ovs-vsctl get Open_vSwitch . dpdk_version").startswith('"DPDK ')
    started = place.sh(f"grep 'EAL ARGS' {place.dir}/ovs-vswitchd.log")
    assert "-m 700" in started and "-c 0x1" in started


def test_settings(place):
    place.sh(f"mkdir {place.dir}/sub && ovs-vsctl set Open_vSwitch . other_config:vhost-sock-dir=sub"
             " other_config:vhost-iommu-support=true other_config:vhost-postcopy-support=true")
    place.sh("ovs-vsctl add-port br0 vu2 -- set interface vu2 type=dpdkvhostuser")
    assert "srw" in place.sh(f"ls -l {place.dir}/sub/vu2")
    place.sh("ovs-vsctl del-port vu2 -- set Open_vSwitch . other_config:vhost-sock-dir=nosuch")
    assert place.run(f"ls {place.dir}/sub/vu2").returncode
    done = place.run("ovs-vsctl --timeout=5 add-port br0 vu2 -- set interface vu2 type=dpdkvhostuser")
    assert "could not open network device vu2 (Invalid argument)" in done.stderr
    place.sh("ovs-vsctl del-port vu2 -- set Open_vSwitch . other_config:vhost-sock-dir=../x"
             " -- add-port br0 vu2 -- set interface vu2 type=dpdkvhostuser")
    assert "srw" in place.sh(f"ls -l {place.dir}/vu2")
    place.sh("ovs-vsctl del-port vu2 -- clear Open_vSwitch . other_config"
             " -- add-port br0 vc2 -- set interface vc2 type=dpdkvhostuserclient options:tx-retries-max=5"
             f" options:vhost-server-path={place.dir}/a mtu_request=9000")
    place.sh(f"ovs-vsctl set interface vc2 options:vhost-server-path={place.dir}/b options:tx-retries-max=33")
    said = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert "Max Tx retries for vhost device 'vc2' set to 5" in said and "vc2' set to 8" in said
    assert f"'vc2' created in 'client' mode, using client socket '{place.dir}/b'" in said
    assert column(place, "vc2", "mtu") == "0"  # Until there is a machine.
    too_long = "/tmp/" + "x" * 200
    done = place.run(f"ovs-vsctl --timeout=5 set interface vc2 options:vhost-server-path={too_long}")
    place.wait("the error", lambda: "longer than 107 bytes" in column(place, "vc2", "error"), 60)
    place.sh("ovs-vsctl del-port vc2")


@pytest.mark.parametrize("options", ("", ",packed_vq=1", ",mrg_rxbuf=0,in_order=0", ",queue_size=512"))
def test_frames_through_a_machine_are_the_same(place, machines, options):
    sent = [traffic.udp(0x0a000001 + i, 0x0a0000ff, 1000 + i, 2000)[:14 + 28] + bytes(i % 256 for i in range(n))
            for i, n in enumerate(list(range(18, 1472, 7)) + [1472])]
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", sent)
    machines("both", "io", server(place) + options, client(place) + options)
    wait_links(place, "up", "vu0", "vc0")
    assert replay(place, len(sent)) == sent
    status = column(place, "vc0", "status")
    size = 512 if "512" in options else 256
    assert re.search(r'features="0x[0-9a-f]{16}"', status) and "mode=client" in status and "status=connected" in status
    assert f'vring_0_size="{size}", vring_1_size="{size}"' in status and 'num_of_vrings="2"' in status
    assert column(place, "vc0", "mtu") == "1500"
    place.wait("counters", lambda: counter(place, "vc0", "rx_packets") == len(sent), 60)
    assert counter(place, "vu0", "tx_packets") == len(sent) == counter(place, "vu0", "tx_q0_good_packets")
    assert counter(place, "vu0", "tx_bytes") == sum(map(len, sent)) == counter(place, "vc0", "rx_bytes")
    assert counter(place, "vu0", "tx_65_to_127_packets") == sum(65 <= len(f) <= 127 for f in sent)
    assert counter(place, "vu0", "tx_dropped") == 0
    stop(place, "both")
    wait_links(place, "down", "vu0", "vc0")
    assert status_of(place, "vc0") == DISCONNECTED % "client"


def test_what_a_machine_sends_and_gets_is_captured(place, machines):
    """Also when the machine goes and another one comes: the port stays, and so does the capture."""
    sent = [traffic.udp(0x0a000001 + i, 0x0a0000ff, 1000 + i, 2000) for i in range(200)]
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", sent)
    machines("one", "io", server(place), client(place))
    wait_links(place, "up", "vu0", "vc0")
    for port in ("vu0", "vc0"):
        place.sh(f"ovs-appctl capture/start {port} /tmp/{port}.pcapng")
    assert replay(place, len(sent)) == sent
    stop(place, "one")
    wait_links(place, "down", "vu0", "vc0")
    machines("other", "io", server(place), client(place))
    wait_links(place, "up", "vu0", "vc0")
    assert replay(place, len(sent)) == sent
    place.sh("ovs-appctl capture/stop")
    for port, direction in (("vu0", "out"), ("vc0", "in")):
        c = Capture(f"{place.root}/tmp/{port}.pcapng")
        assert c.frames() == c.frames(direction) == sent + sent
        assert c.statistics["dropped"] == 0


def test_rates_of_a_machine(place, machines):
    """Of 40 frames 20 go to the machine, and 10 of those that it sends on come in."""
    frame = traffic.udp(0x0a000001, 0x0a0000ff, 1000, 2000)[:14 + 28] + bytes(1414 - 42)  # 1400 of layer 3.
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", [frame] * 40)
    place.sh("ovs-vsctl set interface vc0 ingress_policing_rate=1 ingress_policing_burst=112 -- set port vu0 qos=@q"
             " -- --id=@q create qos type=egress-policer other_config:cir=1 other_config:cbs=28000")
    machines("rates", "io", server(place), client(place))
    wait_links(place, "up", "vu0", "vc0")
    before = counter(place, "vu0", "tx_dropped"), counter(place, "vc0", "rx_dropped")
    assert replay(place, 10) == [frame] * 10
    place.wait("drops on the way in", lambda: counter(place, "vu0", "ovs_tx_qos_drops") == 20, 60)
    place.wait("drops on the way out", lambda: counter(place, "vc0", "ovs_rx_qos_drops") == 10, 60)
    after = counter(place, "vu0", "tx_dropped"), counter(place, "vc0", "rx_dropped")
    assert after == (before[0] + 20, before[1] + 10)
    place.sh("ovs-vsctl clear port vu0 qos -- set interface vc0 ingress_policing_rate=0 ingress_policing_burst=0"
             " -- --all destroy qos")


TSO_COMMANDS = """stop
port stop all
csum set tcp hw 1
csum set ip hw 1
tso set 500 1
port start all
set fwd csum
start
"""


def tcp_frame(payload):
    head = bytes.fromhex("020000000001020000000002080045") + struct.pack(
        "!xHHHBBHII", 40 + len(payload), 7, 0, 64, 6, 0, 0x0a000001, 0x0a000002)
    return head + struct.pack("!HHIIBBHHH", 1000, 2000, 100, 0, 0x50, 0x18, 1000, 0, 0) + payload


def test_a_machine_sends_frames_to_be_segmented(place, machines):
    """Only where the setting lets it; they leave in segments through a port that does not take them."""
    assert "userspace-tso" not in column(place, "vc0", "status")  # There is no machine.
    place.sh("ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true -- del-port vc0")
    place.sh("ovs-vsctl add-port br0 vc0 -- set interface vc0 type=dpdkvhostuserclient ofport_request=2"
             f" options:vhost-server-path={place.dir}/vc0.sock")
    machines("tso", "csum", server(place), client(place), commands=TSO_COMMANDS)
    wait_links(place, "up", "vu0", "vc0")
    status = column(place, "vc0", "status")
    assert "userspace-tso=enabled" in status
    assert int(re.search(r'features="(0x[0-9a-f]+)"', status).group(1), 0) >> 11 & 1
    payload = bytes(i % 251 for i in range(1400))
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", [tcp_frame(payload)])
    came = replay(place, 3)
    assert b"".join(f[54:] for f in came) == payload and [len(f) - 54 for f in came] == [500, 500, 400]
    assert all(inet_sum(f[14:34]) == 0 and inet_sum(pseudo(f) + f[34:]) == 0 for f in came)


def pseudo(frame):
    return frame[26:34] + struct.pack("!HH", 6, len(frame) - 34)


def inet_sum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return 0xffff - (total % 0xffff or 0xffff)


def passes(place):
    before = counter(place, "vc0", "tx_packets") or 0
    return lambda: (counter(place, "vc0", "tx_packets") or 0) > before + 1000


def test_how_full_queues_are(place, machines):
    """A machine that sends as fast as it can has its queue full; while nobody sends, none is."""
    place.sh("ovs-vsctl set Open_vSwitch . other_config:pmd-perf-metrics=true"
             " && ovs-ofctl add-flow br0 in_port=1,actions=2")
    machines("sink", "rxonly", client(place))
    machines("source", "txonly", server(place) + ",queue_size=256")
    wait_links(place, "up", "vu0", "vc0")
    place.wait("packets", passes(place), 60)
    place.sh(f"ovs-appctl dpif-netdev/pmd-stats-clear; echo > {place.dir}/ovs-vswitchd.log")
    place.sh("ovs-appctl dpif-netdev/pmd-perf-log-set on -q 200 -us 1000000000 -b 1 -a 1; sleep 2")
    place.sh("ovs-appctl dpif-netdev/pmd-perf-log-set off")
    said = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    around = re.search(r"Vhost RX queue full\).*\n.*\n.*\n((?:   .*\n)+)", said).group(1)
    rows = [line.split() for line in around.splitlines()]
    assert len(rows) == 3 and 200 <= int(rows[1][5]) <= 256, said

    def longest():
        """Of the means of the last thousand milliseconds.  Where the machine has had no processor it is short."""
        shown = place.sh("ovs-appctl dpif-netdev/pmd-perf-show -ms 1000")
        milliseconds = shown.split("upcalls      cycles/upcall\n")[1].split("\n\n")[0]
        longest = max(int(line.split()[6]) for line in milliseconds.splitlines())
        assert longest <= 256, shown
        return longest

    place.wait("long queues", lambda: longest() > 32, 120)
    latency = place.sh("ovs-appctl datapath/latency")
    polling = latency[latency.index("pmd thread"):]
    n, mean, largest = (float(re.search(rf"^  {what}: ([\d.]+)", polling, re.M).group(1))
                        for what in ("packets", "mean", "max"))
    assert n > 1000 and 0 < mean < largest, latency
    assert sum(int(x) for x in re.findall(r"^ +(?:[\d.]+|more) +(\d+)$", polling, re.M)) == n
    queues = place.sh("ovs-appctl datapath/queues")
    row = r"^  pmd \d+ +vu0 +0 +(\d+) +(\d+) +([\d.]+) +([\d.]+)"
    packets, bursts, mean, full = re.search(row, queues, re.M).groups()
    assert int(packets) > 1000 and abs(int(packets) / int(bursts) - float(mean)) < 0.01 and float(full) > 5, queues
    stop(place, "source")
    place.sh("ovs-appctl dpif-netdev/pmd-stats-clear; sleep 0.2")
    shown = place.sh("ovs-appctl dpif-netdev/pmd-perf-show -nh -it 20")
    rounds = shown.split("upcalls      cycles/upcall\n")[1].split("\n\n")[0]
    assert {line.split()[5] for line in rounds.splitlines()} == {"0"}, shown
    assert re.search(r"^  pmd \d+ +vu0 +0 +0 +0 ", place.sh("ovs-appctl datapath/queues"), re.M)
    place.sh("ovs-vsctl remove Open_vSwitch . other_config pmd-perf-metrics")
    assert place.sh("ovs-appctl datapath/latency").count("\n") == 1


def test_machines_that_end_and_come_back(place, machines):
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nE")
    machines("source", "txonly", server(place))
    machines("sink", "rxonly", client(place))
    for victim, start in (("source", lambda: machines("source", "txonly", server(place))),
                          ("sink", lambda: machines("sink", "rxonly", client(place)))):
        wait_links(place, "up", "vu0", "vc0")
        place.wait("packets", passes(place), 60)
        stop(place, victim, "KILL")
        place.run(f"rm -f {place.dir}/vc0.sock")  # It does not take away its own of before.
        wait_links(place, "down", "vu0" if victim == "source" else "vc0")
        start()
    wait_links(place, "up", "vu0", "vc0")
    place.wait("packets", passes(place), 60)
    assert int(column(place, "vu0", "link_resets")) >= 3


def test_a_machine_with_several_queues(place, machines):
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nE")
    machines("sink", "rxonly", client(place) + ",queues=2")
    wait_links(place, "up", "vc0")
    place.wait("both queues", lambda: re.search(r"port: vc0 +queue-id:  1",
                                                place.sh("ovs-appctl dpif-netdev/pmd-rxq-show")), 60)
    assert 'num_of_vrings="4"' in column(place, "vc0", "status")
    machines("source", "txonly", server(place))
    wait_links(place, "up", "vu0")
    place.wait("packets", passes(place), 60)


def test_the_switch_may_end(place, machines):
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nE")
    machines("sink", "rxonly", client(place))
    wait_links(place, "up", "vc0")
    place.kill("ovs-vswitchd")
    place.start_switch()
    wait_links(place, "up", "vc0")
    machines("source", "txonly", server(place))  # The socket of the switch that was killed is no obstacle.
    wait_links(place, "up", "vu0")
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nE")
    place.wait("packets", passes(place), 60)


GARBAGE = """
import random, socket, struct, sys
r = random.Random(int(sys.argv[2]))
for i in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    try:
        s.connect(sys.argv[1])
        for _ in range(r.randrange(1, 12)):
            size = r.choice([0, 8, 8, 40, 40, 12, 64, 400, 0xffffffff])
            body = r.randbytes(size if size < 1000 else 16)
            s.sendall(struct.pack("<III", r.randrange(0, 42), r.choice([1, 1, 1, 9, 5, 0]), size) + body)
            if r.random() < 0.3:
                s.recv(4096)
    except OSError:
        pass
    finally:
        s.close()
"""


def test_a_hostile_machine_harms_only_itself(place, machines):
    with open(f"{place.root}{place.dir}/garbage.py", "w", encoding="ascii") as f:
        f.write(GARBAGE)
    machines("sink", "rxonly", client(place))
    wait_links(place, "up", "vc0")
    for seed in range(3):
        place.sh(f"/usr/bin/python3 {place.dir}/garbage.py {place.dir}/vu0 {seed}", timeout=120)
    assert column(place, "vc0", "link_state") == "up"
    machines("source", "txonly", server(place))
    wait_links(place, "up", "vu0")
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nE")
    place.wait("packets", passes(place), 60)


def test_ports_go_while_machines_send(place, machines):
    place.sh("ovs-ofctl add-flows br0 - <<E\nin_port=1,actions=2\nE")
    machines("source", "txonly", server(place))
    machines("sink", "rxonly", client(place))
    wait_links(place, "up", "vu0", "vc0")
    for _ in range(3):
        place.sh("ovs-vsctl del-port vc0")
        place.sh("ovs-vsctl add-port br0 vc0 -- set interface vc0 type=dpdkvhostuserclient ofport_request=2"
                 f" options:vhost-server-path={place.dir}/vc0.sock")
        wait_links(place, "up", "vc0")
        place.wait("packets", passes(place), 60)
