"""Rates of ports, with bursts of frames against buckets that hardly fill meanwhile, so that counts are exact.

    in.pcap ---- src (10) [ br0 ] r (20) ---- a ring that leads back to r
                          [     ] sink (30) - the null device
    h1 ---------- p1 (5)  [     ]
"""
import os
import re
import sys
import time

import pytest
from place import ROOT, Place, switch_place

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402

EXPECTED = "Rx checksum|Could not create rte meter|Failed to set QoS"
DEBIAN = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
# 100 bytes of layer 3; 1400 of them take 11 seconds at the lowest rate that an interface can have.
SMALL, LARGE = 114, 1414

# As root of the host: n frames of a size, at once.
SENDER = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for _ in range(int(sys.argv[1])):
    s.send(bytes.fromhex("020000000102" "020000000101" "88b5") + bytes(int(sys.argv[2]) - 14))
"""


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, prepare="ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true",
                      expected=EXPECTED) as p:
        p.sh("ip netns exec h1 sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1"
             " && sysctl -qw net.ipv6.conf.p1.disable_ipv6=1")
        yield p


@pytest.fixture(name="bridge", autouse=True)
def fixture_bridge(place):
    place.sh("ovs-vsctl --timeout=30 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " -- add-port br0 r -- set interface r type=dpdk ofport_request=20 options:dpdk-devargs=net_ring0"
             " -- add-port br0 sink -- set interface sink type=dpdk ofport_request=30"
             " options:dpdk-devargs=net_null0,no-rx=1 -- add-port br0 p1 -- set interface p1 ofport_request=5")
    yield
    place.sh("ovs-vsctl --timeout=30 --if-exists del-br br0 && ovs-vsctl -- --all destroy qos -- --all destroy queue")


def counter(place, port, name):
    """As of now, which the statistics column is not."""
    side, what = name[:2], {"packets": "pkts", "dropped": "drop"}.get(name[3:])
    pattern = rf"\b{side} pkts=.*?\b{what}=(\d+)" if what == "drop" else rf"\b{side} pkts=(\d+)"
    found = re.search(pattern if what else rf"\b{name}=(\d+)",
                      place.sh(f"ovs-ofctl -O OpenFlow14 dump-ports br0 {port}"))
    return int(found.group(1)) if found else None


def send(place, n, size, actions="20"):
    """Frames into src, which its flow sends on; what comes back from r goes to the sink."""
    pcap = f"{place.root}{place.dir}/in.pcap"
    frames = [(traffic.udp(0x0a000001 + i, 0x0a0000ff, 1000, 2000)[:42] + bytes(size))[:size] for i in range(n)]
    traffic.write_pcap(pcap, [])
    place.sh("ovs-vsctl --timeout=30 --if-exists del-port src && ovs-ofctl del-flows br0"
             " && ovs-ofctl add-flows br0 - <<E\n"
             f"in_port=10,actions={actions}\nin_port=20,actions=30\nE")
    place.sh("ovs-vsctl --timeout=30 add-port br0 src -- set interface src type=dpdk ofport_request=10"
             f" options:dpdk-devargs=net_pcap_src,rx_pcap={place.dir}/in.pcap")
    traffic.write_pcap(pcap + ".new", frames)
    place.sh(f"mv {place.dir}/in.pcap.new {place.dir}/in.pcap")  # Another file: it is read when the device starts.
    place.sh("ovs-vsctl --timeout=30 set interface src options:n_rxq_desc=1024")
    place.wait("the frames have come in", lambda: counter(place, "src", "rx_packets") == n, 60)


def set_qos(place, port, text):
    place.sh(f"ovs-vsctl --timeout=30 set port {port} qos=@q -- --id=@q create qos {text}")


def test_an_egress_policer_passes_what_its_bucket_holds(place):
    set_qos(place, "r", "type=egress-policer other_config:cir=1 other_config:cbs=1000")
    assert place.sh("ovs-appctl qos/show r") == "QoS: r egress-policer\ncir: 1\ncbs: 1000\n"
    send(place, 20, SMALL)
    place.wait("10 were dropped", lambda: counter(place, "r", "ovs_tx_qos_drops") == 10)
    place.wait("10 have passed", lambda: counter(place, "sink", "tx_packets") == 10)
    assert counter(place, "r", "tx_packets") == 10 and counter(place, "r", "tx_dropped") == 10
    place.wait("it is in the database", lambda: "ovs_tx_qos_drops=10," in place.sh(
        "ovs-vsctl get interface r statistics"), 20)
    why = place.sh("ovs-appctl why-drop")
    assert re.search("10 packets.* QoS of the port to send to allows was exceeded", why), why
    place.sh("ovs-vsctl clear port r qos")
    assert place.sh("ovs-appctl qos/show r") == "QoS not configured on r\n"
    send(place, 20, SMALL)
    place.wait("30 have passed", lambda: counter(place, "sink", "tx_packets") == 30)
    assert counter(place, "r", "ovs_tx_qos_drops") == 10


def test_queues_of_a_three_color_policer(place):
    set_qos(place, "r", "type=trtcm-policer other_config:cir=1 other_config:cbs=1000 other_config:eir=1"
            " other_config:ebs=500 queues:3=@a -- --id=@a create queue other_config:cir=1 other_config:cbs=300"
            " other_config:eir=1 other_config:ebs=400")
    send(place, 20, SMALL, "set_queue:3,20")  # 3 green, 4 yellow.
    place.wait("13 were dropped", lambda: counter(place, "r", "ovs_tx_qos_drops") == 13)
    send(place, 20, SMALL, "20")  # The port has 700 committed bytes left, and 100 in excess.
    place.wait("12 more were dropped", lambda: counter(place, "r", "ovs_tx_qos_drops") == 25)
    place.wait("15 have passed", lambda: counter(place, "sink", "tx_packets") == 15)
    shown = place.sh("ovs-appctl qos/show r")
    assert shown == ("QoS: r trtcm-policer\ncir: 1\neir: 1\nebs: 500\ncbs: 1000\n\n"
                     "Default:\n  cir: 1\n  eir: 1\n  ebs: 500\n  cbs: 1000\n"
                     "  tx_packets: 8\n  tx_bytes: 800\n  tx_errors: 12\n\n"
                     "Queue 3:\n  cir: 1\n  eir: 1\n  ebs: 400\n  cbs: 300\n"
                     "  tx_packets: 7\n  tx_bytes: 700\n  tx_errors: 13\n")
    assert "port 20 queue 3: bytes=700, pkts=7, errors=13, duration=?" in place.sh("ovs-ofctl queue-stats br0 r 3")
    assert re.search(r"queue 0: bytes=800, pkts=8, errors=12, duration=\d",
                     place.sh("ovs-ofctl -O OpenFlow13 queue-stats br0"))
    assert "BAD_QUEUE" in place.sh("ovs-ofctl queue-stats br0 r 4")
    assert re.findall(r"queue (\d+):", place.sh("ovs-ofctl -O OpenFlow13 queue-get-config br0 r")) == ["0", "3"]


def test_each_copy_of_a_packet_has_its_own_queue(place):
    set_qos(place, "sink", "type=trtcm-policer other_config:cir=1 other_config:cbs=100000 queues:1=@a queues:2=@b"
            " -- --id=@a create queue other_config:cir=1 other_config:cbs=500"
            " -- --id=@b create queue other_config:cir=1 other_config:cbs=300")
    send(place, 20, SMALL, "set_queue:1,30,set_queue:2,mod_dl_src:02:00:00:00:00:09,30,pop_queue,30")
    place.wait("all are counted", lambda: counter(place, "sink", "ovs_tx_qos_drops") == 15 + 17)
    shown = place.sh("ovs-appctl qos/show sink")
    assert re.findall(r"tx_packets: (\d+)", shown) == ["20", "5", "3"]


def test_ingress_policing_of_a_dpdk_port(place):
    place.sh("ovs-vsctl set interface r ingress_policing_rate=1 ingress_policing_burst=112")  # 14000 bytes.
    send(place, 20, LARGE)
    place.wait("10 were dropped", lambda: counter(place, "r", "ovs_rx_qos_drops") == 10)
    place.wait("10 have passed", lambda: counter(place, "sink", "tx_packets") == 10)
    assert counter(place, "r", "rx_packets") == 20 and counter(place, "r", "rx_dropped") == 10
    why = place.sh("ovs-appctl why-drop")
    assert re.search(r"10 packets.*ingress policing rate was exceeded\n.*r\b", why), why
    assert "rx_dropped" not in why


def test_ingress_policing_of_a_device_of_the_system(place):
    place.sh("ovs-vsctl set interface p1 ingress_policing_rate=1 ingress_policing_burst=112"
             " && ovs-ofctl add-flow br0 in_port=5,actions=30")
    place.sh(f"ip netns exec h1 /usr/bin/python3 -c '{SENDER}' 20 {LARGE}")
    place.wait("10 were dropped", lambda: counter(place, "p1", "ovs_rx_qos_drops") == 10)
    assert re.search(r"n_packets=10,", place.sh("ovs-ofctl dump-flows br0 in_port=5"))
    # A change begins with a full bucket, the end of it is the end.
    place.sh("ovs-vsctl set interface p1 ingress_policing_burst=56")
    place.sh(f"ip netns exec h1 /usr/bin/python3 -c '{SENDER}' 20 {LARGE}")
    place.wait("15 more were dropped", lambda: counter(place, "p1", "ovs_rx_qos_drops") == 25)
    place.sh("ovs-vsctl set interface p1 ingress_policing_rate=0")
    place.sh(f"ip netns exec h1 /usr/bin/python3 -c '{SENDER}' 20 {LARGE}")
    place.wait("all have passed", lambda: "n_packets=35," in place.sh("ovs-ofctl dump-flows br0 in_port=5"))
    assert counter(place, "p1", "ovs_rx_qos_drops") == 25


def test_ingress_policing_by_packets(place):
    place.sh("ovs-vsctl set interface p1 ingress_policing_kpkts_rate=1 ingress_policing_kpkts_burst=1"
             " && ovs-ofctl add-flow br0 in_port=5,actions=30")
    begun = time.monotonic()
    place.sh(f"ip netns exec h1 /usr/bin/python3 -c '{SENDER}' 4000 60")
    place.wait("all are counted", lambda: counter(place, "p1", "rx_packets") >= 4000)
    place.wait("they are through", lambda: counter(place, "p1", "ovs_rx_qos_drops")
               + counter(place, "sink", "tx_packets") + (counter(place, "p1", "rx_missed_errors") or 0) >= 4000)
    passed = counter(place, "sink", "tx_packets")
    assert 1000 <= passed <= 1000 + 1000 * (time.monotonic() - begun)


def test_rates_change_under_load(place):
    """However often: each frame has passed or is counted."""
    traffic.write_pcap(f"{place.root}{place.dir}/in.pcap", [traffic.udp(1, 2, 3, 4)] * 32)
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 in_port=10,actions=set_queue:1,30")
    place.sh("ovs-vsctl --timeout=30 add-port br0 src -- set interface src type=dpdk ofport_request=10"
             f" options:dpdk-devargs=net_pcap_src,rx_pcap={place.dir}/in.pcap,infinite_rx=1")
    set_qos(place, "sink", "type=egress-policer other_config:cir=1000000 other_config:cbs=5000")
    for i in range(10):
        place.sh(f"ovs-vsctl set qos . type={('egress-policer', 'trtcm-policer')[i % 2]} other_config:cir={1000000 + i}"
                 f" && ovs-vsctl set qos . queues:1=@a -- --id=@a create queue other_config:cir={1000 + i}"
                 " other_config:cbs=3000"
                 f" && ovs-vsctl set interface src ingress_policing_rate={i % 3 * 100000}")
    place.sh("ovs-vsctl clear port sink qos && ovs-vsctl set port sink qos=$(ovs-vsctl get qos . _uuid)")
    assert counter(place, "src", "ovs_rx_qos_drops") > 0
    place.sh("ovs-vsctl --timeout=30 del-port src")
    place.wait("counters", lambda: counter(place, "sink", "tx_packets") + counter(place, "sink", "ovs_tx_qos_drops") ==
               int(re.search(r"n_packets=(\d+)", place.sh("ovs-ofctl dump-flows br0")).group(1)), 20)
    assert counter(place, "sink", "ovs_tx_qos_drops") > 0


def test_ports_share_a_row_that_goes(place):
    set_qos(place, "r", "type=egress-policer other_config:cir=1 other_config:cbs=1000")
    place.sh("ovs-vsctl set port sink qos=$(ovs-vsctl get port r qos)"
             " -- set port p1 qos=$(ovs-vsctl get port r qos)")
    assert "cbs: 1000" in place.sh("ovs-appctl qos/show r && ovs-appctl qos/show sink")
    assert place.sh("ovs-appctl qos/show p1") == "QoS not configured on p1\n"
    assert place.sh("grep -c 'QoS type \"egress-policer\" is not supported by interface p1'"
                    f" {place.dir}/ovs-vswitchd.log").strip() == "1"
    place.sh("ovs-vsctl set qos . other_config:cbs=2000")
    assert place.sh("ovs-appctl qos/show r && ovs-appctl qos/show sink").count("cbs: 2000") == 2
    send(place, 30, SMALL, "20,30")  # Each has a bucket of its own.
    place.wait("drops", lambda: counter(place, "r", "ovs_tx_qos_drops") == 10)
    assert counter(place, "sink", "ovs_tx_qos_drops") == 30  # 30 copies and the 20 that came back.
    place.sh("ovs-vsctl -- clear port r qos -- clear port sink qos -- clear port p1 qos -- --all destroy qos")
    for port in ("r", "sink"):
        assert place.sh(f"ovs-appctl qos/show {port}") == f"QoS not configured on {port}\n"


# What the commands and the log say, ours beside Debian's.
STEPS = [
    "ovs-appctl qos/show-types n0",
    "ovs-appctl qos/show-types vh",
    "ovs-appctl qos/show n0",
    "ovs-appctl qos/show nope",
    "ovs-vsctl set port n0 qos=@q -- set port vh qos=@q -- --id=@q create qos type=egress-policer other_config:cir=5"
    " other_config:cbs=6 >/dev/null",
    "ovs-appctl qos/show n0; ovs-appctl qos/show vh",
    *(f"ovs-vsctl set qos . other_config:{pair}; ovs-appctl qos/show n0" for pair in
      ("cir=0", "cir=99999999999", "cbs=0", "cbs=abc", "cbs=0x10", "cbs=12abc", "cbs=99999999999999999999", "cbs=64",
       "eir=7")),
    "ovs-vsctl remove qos . other_config cbs; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . type=bogus; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . type=linux-htb; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . type='\"\"'; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . type=trtcm-policer other_config:cbs=64; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . other_config:ebs=3000; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . queues:3=@a -- --id=@a create queue other_config:cir=1 other_config:cbs=2 >/dev/null;"
    " ovs-appctl qos/show n0; ovs-ofctl queue-get-config br0 n0; ovs-ofctl queue-stats br0 n0 3",
    "ovs-vsctl set queue . other_config:cbs=0; ovs-appctl qos/show n0",
    "ovs-vsctl set queue . other_config:eir=1 other_config:ebs=1; ovs-appctl qos/show n0",
    "ovs-vsctl remove queue . other_config cir -- remove queue . other_config cbs; ovs-appctl qos/show n0",
    "ovs-vsctl set qos . other_config:cir=0 other_config:cbs=0 other_config:eir=0 other_config:ebs=0;"
    " ovs-appctl qos/show n0",
    "ovs-vsctl clear port n0 qos; ovs-appctl qos/show n0",
]


def said(reference):
    p = Place(reference=reference)
    try:
        p.start_database()
        p.sh("ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true"
             " 'other_config:dpdk-extra=--no-huge -m 1024 --no-pci --legacy-mem'")
        program = DEBIAN if reference else "ovs-vswitchd"
        p.sh(f"{program} unix:{p.dir}/db.sock --detach --no-chdir --pidfile={p.dir}/ovs-vswitchd.pid"
             f" --log-file={p.dir}/ovs-vswitchd.log --unixctl={p.dir}/control -vconsole:off")
        p.sh("ovs-vsctl --timeout=60 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " -- add-port br0 n0 -- set interface n0 type=dpdk options:dpdk-devargs=net_null0,no-rx=1"
             " && ovs-vsctl --timeout=60 add-port br0 vh -- set interface vh type=dpdkvhostuserclient"
             " options:vhost-server-path=/tmp/nobody")
        shown = [(step, (done := p.run(step.replace("ovs-appctl", f"ovs-appctl -t {p.dir}/control"))).stdout,
                  done.stderr.replace("-dpdk", "")) for step in STEPS]
        log = [line.split("|", 2)[2] for line in p.sh(f"cat {p.dir}/ovs-vswitchd.log").splitlines()
               if re.search(r"n0.*Failed to set|rte meter|QoS.*n0", line)]
        return shown, sorted(set(log))
    finally:
        p.leave()


@pytest.mark.skipif(not os.path.exists(DEBIAN), reason="Debian's switch with DPDK is not installed")
def test_commands_and_log_are_the_reference_s():
    ours, theirs = said(False), said(True)
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]
