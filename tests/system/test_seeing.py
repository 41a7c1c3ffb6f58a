"""Commands that show the inside of the datapath: what workers did, flows behind a megaflow, offloading.

    h1 ---- p1 [ br0 ] p2 ---- h2           d0, d1, d2: devices of DPDK that have packets (d0, d2) or none (d1), in br1
            10.0.0.1 | 10.0.0.2
"""
import re

import pytest
from place import two_hosts


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with two_hosts() as p:
        yield p


def figures(text):
    """Of one thread: name -> number."""
    return {name.strip(" -:"): int(n) for name, n in re.findall(r"^ +(.*?): +(\d+)  \(", text, re.M)}


def main_thread(place, command="dpif-netdev/pmd-perf-show"):
    text = place.sh(f"ovs-appctl {command}")
    assert re.match(r"\nTime: \d\d:\d\d:\d\d\.\d{3}\nMeasurement duration: \d+\.\d{3} s\n\n", text), text
    return figures(text.split("main thread:\n")[1])


def test_sleeping_workers_are_the_main_thread(place):
    assert place.pings(1, 2)
    assert place.sh("ovs-appctl dpif-netdev/pmd-stats-clear ovs-netdev") == ""
    assert place.pings(1, 2)
    f = main_thread(place, "dpif-netdev/pmd-stats-show")
    assert f["Rx packets"] >= 6 and f["Tx packets"] >= 6 and f["Tx batches"] <= f["Tx packets"], f
    assert f["Datapath passes"] == f["Rx packets"], f
    assert sum(f[k] for k in ("SMC hits", "Megaflow hits", "Upcalls", "Lost upcalls")) == f["Datapath passes"], f
    assert place.sh("ovs-appctl dpif-netdev/pmd-stats-clear") == ""
    assert main_thread(place)["Rx packets"] < 6


def test_figures_of_polling_workers(place):
    place.sh("ovs-vsctl set open . other_config:pmd-cpu-mask=0x1 -- add-br br1 -- set bridge br1 datapath_type=netdev "
             "-- add-port br1 d0 -- set interface d0 type=dpdk options:dpdk-devargs=net_null0 "
             "-- add-port br1 d1 -- set interface d1 type=dpdk options:dpdk-devargs=net_null1,no-rx=1")
    place.sh("ovs-ofctl del-flows br1; ovs-ofctl add-flow br1 in_port=d0,actions=d1")
    # A round that was under way at the beginning counts as a whole; on a busy machine it may take many milliseconds.
    place.sh("sleep 1; ovs-appctl dpif-netdev/pmd-stats-clear; sleep 5")
    text = place.sh("ovs-appctl dpif-netdev/pmd-perf-show -nh -it 5 -ms 5 -pmd 0 ovs-netdev")
    assert "\npmd thread numa_id 0 core_id 0:\n" in text and "main thread" not in text
    f = figures(text)
    assert f["Rx packets"] > 1000 and f["Tx packets"] > 1000, text
    assert f["Iterations"] == f["idle iterations"] + f["busy iterations"], text
    used = re.search(r"Used TSC cycles: +\d+  \( *([0-9.]+) % of total", text)
    assert 5 < float(used[1]) <= 101, text
    assert re.search(r"Rx packets: +\d+  \(\d+ Kpps, [1-9]\d* cycles/pkt\)", text), text
    assert place.sh("ovs-appctl dpif-netdev/pmd-perf-show -pmd 3") == ""


def test_shares_of_time_of_queues(place):
    shown = place.sh("ovs-appctl dpif-netdev/pmd-rxq-show")
    assert re.search(r"port: d0 +queue-id:  0 \(enabled\)   pmd usage: ", shown)

    def shares():
        text = place.sh("ovs-appctl dpif-netdev/pmd-rxq-show -secs 5")
        return {p: int(n) for p, n in re.findall(r"port: (d\d) .* pmd usage: +(\d+) %", text)}

    place.wait("the end of an interval", lambda: len(shares()) == 2, seconds=15)
    s = shares()
    assert s["d0"] > 50 and s["d1"] == 0, s
    assert "  overhead:  0 %\n" in place.sh("ovs-appctl dpif-netdev/pmd-rxq-show")


def counter(place, name):
    return int(place.sh(f"ovs-appctl coverage/read-counter {name}"))


def test_a_queue_of_upcalls_leaves_the_others_their_share(place):
    before = [counter(place, f"upcall_{reason}") for reason in ("userspace", "miss", "slow_path")]
    place.sh("ovs-vsctl add-port br1 d2 -- set interface d2 type=dpdk options:dpdk-devargs=net_null2")
    place.sh("ovs-ofctl add-flow br1 in_port=d2,actions=controller")

    def shares():
        text = place.sh("ovs-appctl dpif-netdev/pmd-rxq-show -secs 5")
        return {p: int(n) for p, n in re.findall(r"port: (d\d) .* pmd usage: +(\d+) %", text)}

    place.wait("two shares", lambda: shares().get("d2", 0) > 30, seconds=20)
    # What came before the bridge knew the port found nobody; from now on everything is answered.
    unanswered = counter(place, "upcall_unanswered")
    place.sh("sleep 5")
    s = shares()
    assert 35 <= s["d0"] <= 60 and 35 <= s["d2"] <= 60, s
    assert counter(place, "pmd_queue_over_share") > 100
    after = [counter(place, f"upcall_{reason}") for reason in ("userspace", "miss", "slow_path")]
    assert after[0] > before[0] + 1000 and after[1] > before[1] and after[2] == before[2], (before, after)
    assert counter(place, "upcall_unanswered") == unanswered
    place.sh("ovs-vsctl del-port br1 d2")


def test_what_has_come_by_each_queue(place):
    """By polled ones, and by those of sleeping workers."""
    place.sh("ovs-appctl dpif-netdev/pmd-stats-clear")
    place.sh("ip netns exec h1 ping -q -c 20 -i 0.01 10.0.0.2")
    queues, workers = place.sh("ovs-appctl datapath/queues ovs-netdev").split("\n\n")
    row = r"^  (pmd|worker) (\d+) +{} +0 +(\d+) +(\d+) +([\d.]+) +([\d.]+) +([\d.]+|-)$"
    for port, kind, least in (("d0", "pmd", 1000), ("d1", "pmd", 0), ("p1", "worker", 20), ("p2", "worker", 20)):
        found = re.search(row.format(port), queues, re.M)
        assert found and found[1] == kind and int(found[3]) >= least, queues
        assert int(found[3]) >= int(found[4]) and abs(int(found[3]) - int(found[4]) * float(found[5])) <= int(found[4])
        assert (found[7] == "-") == (kind == "worker")
    assert re.search(row.format("d0"), queues, re.M)[6] == "100.0", queues  # Its bursts are as large as can be.
    assert re.search(row.format("d1"), queues, re.M)[3] == "0", queues
    row = r"^  pmd 0 +(\d+) +32.00 +(\d+) +32.00 +0 +(\d+) +([\d.]+)$"
    received, sent, dropped, busy = re.search(row, workers, re.M).groups()
    assert int(received) >= 1000 and int(sent) >= 1000 and int(dropped) == 0 and float(busy) > 5, workers
    assert len(re.findall(r"^  worker \d", workers, re.M)) >= 1, workers
    assert place.sh("ovs-appctl datapath/latency") .startswith("netdev@ovs-netdev: ")  # Nothing is measured.
    for command in ("queues", "latency"):
        assert "nope: no such userspace datapath" in place.run(f"ovs-appctl datapath/{command} nope").stderr


def test_how_long_packets_stay(place):
    """Of polling workers and of sleeping ones, while it is measured."""
    place.sh("ovs-vsctl set open . other_config:pmd-perf-metrics=true && ovs-appctl dpif-netdev/pmd-stats-clear")
    place.sh("ip netns exec h1 ping -q -c 20 -i 0.01 10.0.0.2")
    text = place.sh("ovs-appctl datapath/latency")
    found = {}
    for kind, part in re.findall(r"^(pmd thread|worker).*:\n((?:  .*\n)+)", text, re.M):
        n = int(re.search(r"  packets: (\d+)\n", part)[1])
        assert sum(int(x) for x in re.findall(r"^ +(?:[\d.]+|more) +(\d+)$", part, re.M)) == n, part
        found[kind] = found.get(kind, 0) + n
        if n:
            times = [float(x) for x in re.findall(r"at most ([\d.]+) us", part)]
            assert len(times) == 4 and times == sorted(times), part
            assert 0 < float(re.search(r"max: ([\d.]+)", part)[1]) < 1e7, part
    assert found["worker"] >= 40 and found["pmd thread"] > 1000, text
    place.sh("ovs-vsctl remove open . other_config pmd-perf-metrics")
    assert place.sh("ovs-appctl datapath/latency").count("\n") == 1


def cores(place):
    text = place.sh("ovs-appctl dpif-netdev/pmd-rxq-show")
    return {p: core for part in text.split("pmd thread numa_id 0 core_id ")[1:] for core in [part.split(":")[0]]
            for p in re.findall(r"port: (d\d)", part)}


def test_queues_are_dealt_out_anew(place):
    place.sh("ovs-vsctl set open . other_config:pmd-cpu-mask=0x3")
    assert place.sh("ovs-appctl dpif-netdev/pmd-rxq-rebalance") == "pmd rxq rebalance requested.\n"
    assert sorted(cores(place).values()) == ["0", "1"]
    place.sh("ovs-appctl dpif-netdev/pmd-stats-clear; sleep 0.5")
    text = place.sh("ovs-appctl dpif-netdev/pmd-perf-show")
    assert max(int(n) for n in re.findall(r"Rx packets: +(\d+)", text)) > 1000, text
    place.sh("ovs-vsctl del-br br1 -- remove open . other_config pmd-cpu-mask")


@pytest.mark.parametrize("command, error", [
    ("dpif-netdev/pmd-perf-show -it", "-it needs a number"),
    ("dpif-netdev/pmd-perf-show -ms x", "-ms needs a number"),
    ("dpif-netdev/pmd-rxq-rebalance nope", "please specify an existing datapath"),
    ("dpif-netdev/bond-show nope", "please specify an existing datapath"),
    ("ofproto/detrace", "requires at least 1 argument"),
    ("ofproto/detrace 1234", "failed to parse ufid"),
    ("ofproto/detrace ufid:12 pmd=1", "failed to parse ufid"),
    ("ofproto/detrace ufid:00000000-0000-0000-0000-000000000001 core=1", "Invalid pmd argument 'core=1'"),
])
def test_wrong_arguments(place, command, error):
    done = place.run(f"ovs-appctl {command}")
    assert done.returncode == 2 and error in done.stderr, done.stderr


def test_flows_and_groups_behind_a_megaflow(place):
    place.sh("ovs-ofctl -O OpenFlow15 add-group br0 group_id=5,type=all,bucket=bucket_id:0,actions=output:2")
    place.sh("ovs-ofctl -O OpenFlow15 add-flow br0 'cookie=0x7,priority=9,in_port=1,icmp,actions=goto_table:3'")
    place.sh("ovs-ofctl -O OpenFlow15 add-flow br0 'table=3,icmp,actions=group:5'")
    assert place.pings(1, 2)
    ufid = re.search(r"(ufid:[0-9a-f-]+).*in_port\(p1\).*proto=1", place.sh("ovs-appctl dpctl/dump-flows -m --names"))
    lines = place.sh(f"ovs-appctl ofproto/detrace {ufid[1]} pmd=-1").splitlines()
    assert lines[0] == "br0:"
    flow = r"    {}duration=\d+s, n_packets=\d+, n_bytes=\d+, n_offload_packets=0, n_offload_bytes=0, {}"
    assert re.fullmatch(flow.format("cookie=0x7, ", r"priority=9,icmp,in_port=1,actions=goto_table:3"), lines[1]), lines
    assert re.fullmatch(flow.format("table_id=3, ", "icmp,actions=group:5"), lines[2]), lines
    assert lines[3] == "    group_id=5,type=all,bucket=bucket_id:0,actions=output:2", lines


def test_a_megaflow_that_nobody_knows(place):
    assert place.sh("ovs-appctl ofproto/detrace ufid:00000000-0000-0000-0000-000000000001") == \
        "UFID was not found for netdev@ovs-netdev\n"
    place.sh("ovs-appctl dpctl/add-flow "
             "'ufid:00000000-0000-0000-0000-000000000002,in_port(9),eth(),eth_type(0x1234)' 1")
    assert place.sh("ovs-appctl ofproto/detrace ufid:00000000-0000-0000-0000-000000000002") == \
        "Cache was not found for netdev@ovs-netdev\n"


def test_nothing_is_offloaded(place):
    assert place.sh("ovs-appctl dpif/offload/show") == "Globally enabled: false\nDatapaths:\nnetdev@ovs-netdev:\n"
    assert place.sh("ovs-appctl dpif/offload/classes") == (
        "Offload Class     Supported dpif class(es)\ndpdk              netdev\n")
    assert place.sh("ovs-appctl dpif-netdev/bond-show") == ""
