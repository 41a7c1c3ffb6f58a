"""Soak of the fast path: frames come in rounds, while rules, ports, cores and settings come and go.  After each round
each frame was forwarded or is counted as dropped; at the end nothing has grown, and nothing was logged that should not.

    pcap, 2 queues ---- src [ br0 ] dst ---- null

WEFT_SOAK_SECONDS: how long (default 3600)."""
import os
import random
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", *path)
                for path in (("system",), ("..", "bench"))]
import traffic  # noqa: E402
from frame_count import came, gone, replay, workers  # noqa: E402
from place import switch_place  # noqa: E402

SECONDS = int(os.environ.get("WEFT_SOAK_SECONDS", "3600"))
N_QUEUES, N_FRAMES, N_DIFFERENT = 2, 2000000, 2000
PREPARE = ("ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true other_config:dpdk-extra='--no-huge -m "
           "1500 --no-pci' other_config:pmd-cpu-mask=0x3 other_config:pmd-sleep-max=100")
DST = ("add-port br0 dst -- set interface dst type=dpdk ofport_request=1 "
       "options:dpdk-devargs='\"net_null0,no-rx=1\"'")
# Each sends a frame to port 1 once, or drops it.
ACTIONS = ["output:1", "drop", "resubmit(,2)", "dec_ttl,output:1", "push_vlan:0x8100,set_field:4100->vlan_vid,output:1",
           "set_field:10.1.2.3->nw_src,set_field:53->udp_dst,output:1", "group:1", "meter:1,output:1",
           "ct(commit,table=2)", "ct(commit,nat(src=10.200.0.1-10.200.0.9),table=2)", "check_pkt_larger(60)->"
           "NXM_NX_REG0[0],resubmit(,2)", "learn(table=3,hard_timeout=3,eth_type=0x800,NXM_OF_IP_SRC[]),output:1"]


def random_rules():
    lines = []
    for _ in range(30):
        match = random.choice(["udp", f"udp,nw_src=10.0.0.{random.randint(0, 60)}",
                               f"udp,tp_src={random.randint(1000, 1007)}",
                               f"udp,nw_src=10.0.0.{random.randint(0, 48)}/{random.randint(25, 31)}", "udp,nw_frag=no"])
        lines.append(f"table=1,priority={random.randint(2, 900)},{match},actions={random.choice(ACTIONS)}")
    return "\n".join(lines)


def base_rules(place):
    place.sh("""ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 - <<'E'
table=0,priority=1,in_port=2,actions=resubmit(,1)
table=1,priority=1,actions=output:1
table=2,priority=1,actions=output:1
E""")


class Churn:
    """What changes while frames come; each change can be made at any moment."""

    def __init__(self, place):
        self.p, self.i = place, 0

    def rules(self):
        how = random.choice(["", "--bundle"])
        self.p.sh(f"ovs-ofctl -O OpenFlow13 {how} add-flows br0 - <<'E'\n{random_rules()}\nE")

    def fewer_rules(self):
        self.p.sh(f"ovs-ofctl del-flows br0 table=1,ip,nw_src=10.0.0.0/{random.randint(26, 32)}")

    def cores(self):
        mask = random.randint(1, 15)
        self.p.sh(f"ovs-vsctl set open_vswitch . other_config:pmd-cpu-mask={mask:#x}")
        assert set(workers(self.p)) == {i for i in range(4) if mask >> i & 1}

    def assignment(self):
        self.p.sh(f"ovs-vsctl set open_vswitch . "
                  f"other_config:pmd-rxq-assign={random.choice(['cycles', 'roundrobin', 'group'])}; "
                  "ovs-appctl dpif-netdev/pmd-rxq-rebalance")

    def device(self):
        n = random.choice(["type=dummy-pmd options:n_rxq=2", "type=tap", "type=internal",
                           "type=dpdkvhostuser", f"type=dpdkvhostuserclient options:vhost-server-path={self.p.dir}/v",
                           "type=dpdk options:dpdk-devargs='\"net_null7,no-rx=1\"'"])
        self.p.sh(f"ovs-vsctl add-port br0 x{self.i} -- set interface x{self.i} {n} && ovs-vsctl del-port x{self.i}")

    def bridge(self):
        self.p.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev -- add-port br1 y -- "
                  "set interface y type=dummy && ovs-vsctl del-br br1")

    def settings(self):
        self.p.sh(f"ovs-vsctl set open_vswitch . other_config:pmd-perf-metrics={random.choice(['true', 'false'])} "
                  f"other_config:tx-flush-interval={random.choice([0, 50])} "
                  f"other_config:emc-insert-inv-prob={random.choice([0, 1, 100])} "
                  f"other_config:smc-enable={random.choice(['true', 'false'])}")

    def megaflows(self):
        self.p.sh(random.choice(["ovs-appctl dpctl/del-flows", "ovs-appctl revalidator/purge",
                                 "ovs-appctl dpctl/flush-conntrack"]))

    def group(self):
        buckets = ",".join(f"bucket=weight:{random.randint(1, 9)},actions=output:1" for _ in range(3))
        self.p.sh(f"ovs-ofctl -O OpenFlow13 mod-group br0 'group_id=1,type=select,{buckets}'")

    def seeing(self):
        self.p.sh("ovs-appctl dpctl/dump-flows -m >/dev/null; ovs-appctl dpif-netdev/pmd-perf-show >/dev/null; "
                  "ovs-appctl why-drop >/dev/null; ovs-vsctl list interface >/dev/null")

    def change(self):
        self.i += 1
        random.choice([self.rules, self.rules, self.fewer_rules, self.cores, self.assignment, self.device, self.bridge,
                       self.settings, self.megaflows, self.group, self.seeing])()


def one_round(place, churn):
    """All frames of the files, with changes until they have come."""
    before, n = gone(place), N_QUEUES * N_FRAMES
    replay(place, N_QUEUES)
    end = time.monotonic() + 300
    while came(place) < n:
        assert time.monotonic() < end, f"{came(place)} of {n} frames have come after 300 seconds"
        churn.change()
    place.wait(f"all frames went: {came(place)} came, {gone(place) - before} went",
               lambda: gone(place) - before == n, 5)
    place.sh("ovs-vsctl del-port src")
    base_rules(place)
    place.sh("ovs-appctl dpctl/flush-conntrack")


def test_every_frame_is_accounted_for_and_memory_stays():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random.seed(seed)
    expected = "rx queue will not be polled|dpdkvhostuser ports are considered deprecated"
    with switch_place(options=("--enable-dummy", "--dummy-numa=0,0,0,0"), prepare=PREPARE, levels="WARN|ERR|EMER",
                      expected=expected, quarantine_mb=8) as p:
        frames = [traffic.udp(0x0a000001 + i % 50, 0x0a800001, 1000 + i % 7, 1 + i % 60) for i in range(N_DIFFERENT)]
        traffic.write_pcap(f"{p.root}{p.dir}/frames.pcap", frames * (N_FRAMES // N_DIFFERENT))
        p.sh(f"ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure -- {DST}")
        p.sh("ovs-ofctl -O OpenFlow13 add-group br0 group_id=1,type=select,bucket=actions=output:1 && "
             "ovs-ofctl -O OpenFlow13 add-meter br0 meter=1,pktps,band=type=drop,rate=1000")
        base_rules(p)
        churn, n_rounds, warm = Churn(p), 0, None
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            one_round(p, churn)
            n_rounds += 1
            if warm is None and time.monotonic() > end - SECONDS * 3 / 4:
                warm = p.resident_kb()
        seen = p.resident_kb()
        print(f"{n_rounds} rounds with {churn.i} changes, {n_rounds * N_QUEUES * N_FRAMES} frames; resident {warm} kB "
              f"after the first quarter, {seen} kB at the end")
        assert churn.i > SECONDS / 10 and n_rounds > 1
        assert seen < warm * 1.1 + 20000
