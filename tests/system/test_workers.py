"""Polling workers under load: cores, queues and ports come and go, and each frame is forwarded or counted as dropped.

    pcap, 4 queues ---- src [ br0 ] dst ---- null

Cores are made up, so that there may be more of them than the machine has."""
import os
import re
import sys
import time

import pytest
from frame_count import came, drops, gone, replay, workers
from place import ROOT, switch_place

sys.path.insert(0, os.path.join(ROOT, "bench"))
import traffic  # noqa: E402

N_QUEUES, N_FRAMES, N_DIFFERENT = 4, 1000000, 1000


@pytest.fixture(autouse=True)
def fixture_two_cores(place):
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x3")
    yield
    place.sh("ovs-vsctl --if-exists del-port src")


@pytest.fixture(scope="module", name="place")
def fixture_place():
    dpdk = ("ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true "
            "other_config:dpdk-extra='--no-huge -m 1500 --no-pci' other_config:pmd-cpu-mask=0x1 "
            "other_config:pmd-sleep-max=100")
    with switch_place(options=("--enable-dummy", "--dummy-numa=0,0,0,0"), prepare=dpdk) as p:
        frames = [traffic.udp(0x0a000001 + i % 50, 0x0a800001, 1000 + i % 7, 53) for i in range(N_DIFFERENT)]
        traffic.write_pcap(f"{p.root}{p.dir}/few.pcap", frames)
        traffic.write_pcap(f"{p.root}{p.dir}/frames.pcap", frames * (N_FRAMES // N_DIFFERENT))
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure")
        p.sh("ovs-vsctl add-port br0 dst -- set interface dst type=dpdk ofport_request=1 "
             "options:dpdk-devargs='\"net_null0,no-rx=1\"'")
        p.sh("ovs-ofctl add-flow br0 in_port=2,actions=output:1")
        yield p


def check_all_went_through(place, before):
    place.wait("all frames came", lambda: came(place) >= N_QUEUES * N_FRAMES, 60)
    place.wait(f"all frames went: {came(place)} came, {gone(place) - before} went",
               lambda: gone(place) - before == N_QUEUES * N_FRAMES, 1)
    assert came(place) == N_QUEUES * N_FRAMES


def test_cores_come_and_go_under_load_and_no_frame_is_lost(place):
    before = gone(place)
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x100")  # No core: frames wait for the first one.
    replay(place, N_QUEUES)
    seen = set()
    for mask in ["0x3", "0xf", "0x8", "0x1", "0x6", "0xf", "0x9", "0x2"]:
        place.sh(f"ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask={mask}")
        found = workers(place)
        assert set(found) == {i for i in range(4) if int(mask, 16) >> i & 1}
        assert sum(found.values()) == N_QUEUES
        seen.add(came(place) < N_QUEUES * N_FRAMES)
    assert True in seen, "the frames had all come before the first change"
    check_all_went_through(place, before)


def test_queues_go_from_core_to_core_under_load_and_no_frame_is_lost(place):
    before = gone(place)
    replay(place, N_QUEUES)
    for i, wanted in enumerate(["0:0,1:0,2:1,3:1", "0:1,1:1,2:0,3:0", "0:1", "3:0", ""] * 2):
        place.sh(f"ovs-vsctl set interface src other_config:pmd-rxq-affinity='\"{wanted}\"'"
                 f" -- set open_vswitch . other_config:pmd-rxq-assign={['cycles', 'group', 'roundrobin'][i % 3]}")
        place.sh("ovs-appctl dpif-netdev/pmd-rxq-rebalance")
        assert sum(workers(place).values()) == N_QUEUES
    check_all_went_through(place, before)


def test_ports_come_and_go_under_load_and_no_frame_of_others_is_lost(place):
    before = gone(place)
    replay(place, N_QUEUES)
    for i in range(6):
        place.sh(f"ovs-vsctl add-port br0 d{i} -- set interface d{i} type=dummy-pmd options:n_rxq={i + 1} -- "
                 f"add-port br0 n{i} -- set interface n{i} type=dpdk "
                 f"options:dpdk-devargs='\"net_null{i + 1},no-rx=1\"'")
        place.sh(f"ovs-vsctl del-port d{i} -- del-port n{i}")
    check_all_went_through(place, before)


def test_what_comes_for_a_port_that_has_gone_is_counted(place):
    for _ in range(3):
        total = drops(place)
        replay(place, N_QUEUES)
        place.wait("frames come", lambda: came(place) > 0)
        place.sh("ovs-vsctl del-port dst")
        place.wait("all frames came", lambda: came(place) == N_QUEUES * N_FRAMES, 60)
        place.sh("ovs-vsctl del-port src -- add-port br0 dst -- set interface dst type=dpdk ofport_request=1 "
                 "options:dpdk-devargs='\"net_null0,no-rx=1\"'")
        assert 0 < drops(place) - total <= N_QUEUES * N_FRAMES


def test_with_no_core_nothing_is_polled_and_frames_wait(place):
    before = gone(place)
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x100")
    replay(place, N_QUEUES)
    assert workers(place) == {}
    time.sleep(0.3)
    assert came(place) == 0
    assert "This rx queue will not be polled" in place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x3")
    check_all_went_through(place, before)


def worker_seconds(place):
    """Processor time of the polling workers."""
    total = 0
    pid = place.sh(f"cat {place.dir}/ovs-vswitchd.pid").strip()
    for line in place.sh(f"for t in /proc/{pid}/task/*; do echo $(cat $t/comm) $(cat $t/schedstat); done").splitlines():
        name, spent = line.split()[:2]
        total += int(spent) if name.startswith("pmd") else 0
    return total / 1e9


def idle_share(place, sleep):
    place.sh(f"ovs-vsctl set open_vswitch . other_config:pmd-sleep-max={sleep} other_config:pmd-cpu-mask=0x1")
    time.sleep(0.3)
    begun, spent = time.monotonic(), worker_seconds(place)
    time.sleep(1)
    return (worker_seconds(place) - spent) / (time.monotonic() - begun)


def test_an_idle_worker_that_may_sleep_leaves_its_core_to_others(place):
    assert "max sleep:  100 us" in place.sh("ovs-appctl dpif-netdev/pmd-sleep-show")
    busy, sleeping = idle_share(place, 0), idle_share(place, 500)
    print(f"idle: {busy:.3f} of a core; with sleeps of 500 us {sleeping:.3f}")
    assert sleeping < 0.5 * busy
    shown = place.sh("ovs-appctl dpif-netdev/pmd-perf-show")
    assert int(re.search(r"sleep iterations: +(\d+)", shown)[1]) > 0
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-sleep-max=100,1:0,x,3:20000,2:y")
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0xf")
    assert place.sh("ovs-appctl dpif-netdev/pmd-sleep-show") == "Default max sleep:  100 us\n" + "".join(
        f"pmd thread numa_id 0 core_id {i}:\n  max sleep: {us:4} us\n" for i, us in enumerate([100, 0, 100, 10000]))
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-sleep-max=100")


def test_measured_rounds_carry_every_frame(place):
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-perf-metrics=true other_config:pmd-cpu-mask=0x1; "
             "ovs-appctl dpif-netdev/pmd-stats-clear; ovs-appctl dpif-netdev/pmd-perf-log-set on -us 100000 -b 2 -a 2")
    before = gone(place)
    replay(place, N_QUEUES)
    check_all_went_through(place, before)
    shown = place.sh("ovs-appctl dpif-netdev/pmd-perf-show -it 3 -ms 1000000 -pmd 0")
    rows = [line.split() for line in re.search(r"Kpps .*\n((?: +\d.*\n)*)", shown)[1].splitlines()]
    assert 100 < len(rows) <= 1024 and sum(int(r[3]) for r in rows) <= N_QUEUES * N_FRAMES
    full = re.search(r"\n +24000000 .* 32 +(\d+) .*\n", shown)
    assert int(full[1]) > N_FRAMES * N_QUEUES / 32 / 20, shown
    assert f"Rx packets:           {N_QUEUES * N_FRAMES:10}" in shown
    place.sh("ovs-vsctl remove open_vswitch . other_config pmd-perf-metrics; "
             "ovs-appctl dpif-netdev/pmd-perf-log-set off -us 250 -b 5 -a 5")
    assert "Histograms" not in place.sh("ovs-appctl dpif-netdev/pmd-perf-show -it 3 -ms 3")


def sent_by_queue(place, steering):
    """Frames of 350 connections, with the files that a port with two transmit queues writes."""
    files = [f"{place.dir}/tx{i}.pcap" for i in range(2)]
    place.sh(f"rm -f {' '.join(files)}; ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x1 -- "
             "add-port br0 two -- set interface two type=dpdk ofport_request=3 "
             f"other_config:tx-steering={steering} "
             f"options:dpdk-devargs='\"net_pcap1,tx_pcap={files[0]},tx_pcap={files[1]}\"'")
    place.sh("ovs-ofctl mod-flows br0 in_port=2,actions=output:3")
    place.sh(f"ovs-vsctl add-port br0 src -- set interface src type=dpdk ofport_request=2 "
             f"options:dpdk-devargs='\"net_pcap0,rx_pcap={place.dir}/few.pcap\"'")
    place.wait("all frames came", lambda: came(place) == N_DIFFERENT)
    time.sleep(0.3)
    place.sh("ovs-vsctl del-port src -- del-port two")
    place.sh("ovs-ofctl mod-flows br0 in_port=2,actions=output:1")
    return [connections(f"{place.root}{f}") for f in files]


def connections(path):
    """Of a capture: source address and port -> number of frames."""
    found = {}
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at < len(data):
        size = int.from_bytes(data[at + 8:at + 12], "little")
        key = data[at + 16 + 26:at + 16 + 30] + data[at + 16 + 34:at + 16 + 36]
        found[key] = found.get(key, 0) + 1
        at += 16 + size
    return found


def test_by_hash_a_worker_sends_through_all_queues_and_keeps_connections_together(place):
    one, other = sent_by_queue(place, "hash")
    assert not set(one) & set(other)
    assert len(one) + len(other) == 350 and min(len(one), len(other)) > 100
    assert sum(one.values()) + sum(other.values()) == N_DIFFERENT


def test_by_thread_a_worker_sends_through_its_own_queue(place):
    sent = sent_by_queue(place, "thread")
    assert sorted(map(len, sent)) == [0, 350]


def test_what_is_sent_waits_for_more_no_longer_than_allowed(place):
    """A frame at a time, which a dummy port takes in: each would be a batch of its own."""
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x1 other_config:pmd-sleep-max=0 "
             "other_config:tx-flush-interval=300000 -- add-port br0 in -- set interface in type=dummy-pmd "
             "ofport_request=5")
    place.sh("ovs-ofctl add-flow br0 in_port=5,actions=output:1")
    frame = "02" * 5 + "0102" + "02" * 5 + "0800" + "00" * 46

    def leaves(n, then):
        before = gone(place)
        begun = time.monotonic()
        place.sh("ovs-appctl netdev-dummy/receive in" + f" {frame}" * n)
        at_once = gone(place) - before
        then()
        place.wait("they leave", lambda: gone(place) - before == n)
        return at_once, time.monotonic() - begun

    leaves(1, lambda: None)  # The megaflow comes.
    held = [leaves(n, lambda: None) for n in (1, 5)]
    while all(now for now, _ in held):  # The machine may be so slow that they have left when it is looked.
        held.append(leaves(1, lambda: None))
        assert len(held) < 50, held
    assert all(0.25 < seconds for _, seconds in held), held
    now, _ = leaves(40, lambda: None)
    assert now in (32, 40)  # A whole batch goes when it is full.
    before = gone(place)
    place.sh(f"ovs-appctl netdev-dummy/receive in {frame}")
    place.sh("ovs-vsctl set open_vswitch . other_config:tx-flush-interval=0")
    place.wait("it leaves", lambda: gone(place) - before == 1, 1)
    # What waits when its worker goes is sent; what waits for a port that goes is counted.
    place.sh("ovs-vsctl set open_vswitch . other_config:tx-flush-interval=1000000")
    before = gone(place)
    place.sh(f"ovs-appctl netdev-dummy/receive in {frame}; "
             "ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask=0x2")
    assert gone(place) - before == 1
    lost = drops(place)
    place.sh(f"ovs-appctl netdev-dummy/receive in {frame}; ovs-vsctl del-port dst")
    place.wait("it is counted", lambda: drops(place) - lost == 1, 3)
    place.sh("ovs-vsctl del-port in -- remove open_vswitch . other_config tx-flush-interval -- set open_vswitch . "
             "other_config:pmd-sleep-max=100 -- add-port br0 dst -- set interface dst type=dpdk ofport_request=1 "
             "options:dpdk-devargs='\"net_null0,no-rx=1\"'")


def test_queues_of_an_overloaded_core_move_by_themselves_where_that_helps(place):
    """Last, since the switch's clock is moved on."""
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-sleep-max=0 other_config:pmd-auto-lb=true "
             "other_config:pmd-auto-lb-load-threshold=50")
    files = ",".join([f"rx_pcap={place.dir}/few.pcap"] * 2)
    place.sh("ovs-vsctl add-port br0 src -- set interface src type=dpdk ofport_request=2 options:n_rxq=2 "
             f"options:dpdk-devargs='\"net_pcap0,{files},infinite_rx=1\"'")
    assert workers(place) == {0: 0, 1: 2}  # The idle queue of dst has the other core.
    place.sh("ovs-appctl time/warp 61000")
    assert workers(place) == {0: 0, 1: 2}  # Nothing has been measured.
    time.sleep(6)
    place.sh("ovs-appctl time/warp 61000")
    assert workers(place) == {0: 1, 1: 1}
    log = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert re.search(r"PMD load variance improvement of \d+% meets threshold of 25%", log)
    place.sh("ovs-appctl time/warp 61000")
    assert workers(place) == {0: 1, 1: 1}
    place.sh("ovs-vsctl set open_vswitch . other_config:pmd-sleep-max=100 -- remove open_vswitch . other_config "
             "pmd-auto-lb -- remove open_vswitch . other_config pmd-auto-lb-load-threshold")
