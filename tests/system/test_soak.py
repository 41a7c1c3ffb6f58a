"""Soak: traffic, while rules, ports, addresses and daemons come and go for some minutes; then all is as in the
beginning, nothing has grown without end, and nothing was logged that should not be.

WEFT_SOAK_SECONDS: how long (default 120)."""
import os
import random
import re
import threading
import time

import pytest
from place import switch_place

SECONDS = int(os.environ.get("WEFT_SOAK_SECONDS", "120"))
N_HOSTS = 3


@pytest.fixture(name="place")
def fixture_place():
    with switch_place(*range(1, N_HOSTS + 1), quarantine_mb=8) as p:
        p.sh("ovs-vsctl add-br br0 " + " ".join(f"-- add-port br0 p{n}" for n in range(1, N_HOSTS + 1)))
        yield p


def base_flows(place):
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flow br0 priority=1,actions=resubmit\\(,1\\) && "
             "ovs-ofctl add-flow br0 table=1,priority=1,actions=NORMAL")


def random_flows():
    """Rules that change the way of packets, but not where they end."""
    lines = []
    for _ in range(20):
        table = random.randint(0, 1)
        action = "NORMAL" if table else random.choice(["NORMAL", "resubmit(,1)"])
        lines.append(f"table={table},priority={random.randint(2, 9)},ip,nw_src=10.0.0.{random.randint(0, 9)},"
                     f"nw_dst=10.0.{random.randint(0, 255)}.0/24,actions={action}")
    return "\n".join(lines)


def churn(place, i):
    place.sh(f"printf '{random_flows()}\n' | ovs-ofctl {random.choice(['', '--bundle'])} add-flows br0 -")
    what = random.randint(0, 9)
    if what == 0:
        place.sh(f"ovs-ofctl del-flows br0 table=0,ip,nw_src=10.0.0.{random.randint(0, 9)}")
        base_flows(place)
    elif what == 1:
        place.sh("ovs-appctl fdb/flush br0")
    elif what == 2:
        place.sh(f"ovs-vsctl --timeout=30 add-port br0 i{i} -- set interface i{i} type=internal && "
                 f"ovs-vsctl --timeout=30 del-port i{i}")
    elif what == 3:
        place.sh("ovs-vsctl --timeout=30 set port p1 tag=5 && ovs-vsctl --timeout=30 clear port p1 tag")
    elif what == 4:
        place.sh("ip link set p2 down && ip link set p2 up")


@pytest.mark.slow
def test_nothing_wears_out(place):
    random.seed(7)
    base_flows(place)
    stop = threading.Event()

    def traffic(a, b):
        while not stop.is_set():
            place.run(f"ip netns exec h{a} ping -q -c 20 -i 0.05 -W 1 10.0.0.{b}")

    threads = [threading.Thread(target=traffic, args=pair) for pair in ((1, 2), (2, 3), (3, 1))]
    for t in threads:
        t.start()
    try:
        warm, end, i, seen = None, time.monotonic() + SECONDS, 0, 0
        while time.monotonic() < end:
            churn(place, i)
            i += 1
            if warm is None and time.monotonic() > end - SECONDS * 3 / 4:
                base_flows(place)
                warm = place.resident_kb()
        base_flows(place)
        seen = place.resident_kb()
    finally:
        stop.set()
        for t in threads:
            t.join()
    print(f"{i} rounds, resident {warm} kB after the first quarter, {seen} kB at the end")
    assert i > SECONDS / 10
    assert seen < warm * 1.2 + 20000
    log = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    bad = [line for line in log.split("\n") if re.search(r"\|(WARN|ERR|EMER)\|", line)]
    assert not bad, "\n".join(bad[:20])

    # Either daemon may be killed at any moment.
    for daemon, start in (("ovs-vswitchd", place.start_switch), ("ovsdb-server", place.start_database)):
        place.kill(daemon)
        start()
        place.wait(f"hosts talk after kill -9 of {daemon}", lambda: place.pings(1, 2) and place.pings(2, 3), 30)
    assert place.sh("ovs-vsctl list-ports br0").split() == ["p1", "p2", "p3"]
