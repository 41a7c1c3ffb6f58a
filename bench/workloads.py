"""What bench/fastpath and bench/instructions send through a switch: rules and frames, by the name of the workload (see
bench/fastpath)."""
import random

import traffic

SERVER = 0x0ac80001


class Workload:
    """Rules, frames, what is done once ports and rules are there, and the goal in cycles a packet."""

    def __init__(self, goal, rules, frames, prepare=None, tracked=0):
        self.goal, self.rules, self.frames, self.prepare, self.tracked = goal, rules, frames, prepare, tracked


def clients(n):
    """A connection each."""
    return [(0x0a000000 + i, SERVER + i % 7, 1024 + i % 50000, 2000 + i % 100) for i in range(n)]


def five_tuple(src, dst, sport, dport):
    return f"udp,nw_src={traffic.ip_text(src)},nw_dst={traffic.ip_text(dst)},tp_src={sport},tp_dst={dport}"


def port_to_port(goal, n):
    return Workload(goal, ["in_port=replay,actions=output:null"], [traffic.udp(*c) for c in clients(n)])


def three_tables(goal, n):
    rules = ["table=0,udp,actions=resubmit(,1)"]
    for c in clients(n):
        rules += [f"table=1,{five_tuple(*c)},actions=resubmit(,2)", f"table=2,{five_tuple(*c)},actions=output:null"]
    return Workload(goal, rules, [traffic.udp(*c) for c in clients(n)])


def normal(goal, n=1000):
    """What the frames are sent to is said by hand to be behind the null port, from which nothing comes."""
    there = [0x020000100000 + i for i in range(n)]
    frames = [traffic.udp(*c, mac_src=0x020000200000 + i, mac_dst=there[i]) for i, c in enumerate(clients(n))]

    def teach(sw):
        for mac in there:
            text = ":".join(f"{mac >> s & 255:02x}" for s in range(40, -1, -8))
            sw.ctl.ask("fdb/add", "br0", "null", "0", text)

    return Workload(goal, ["actions=NORMAL"], frames, teach)


def acl(goal, n_rules=400, n_frames=1000):
    r = random.Random(6)
    rules, frames = {}, []
    while len(rules) < n_rules:
        length = 9 + len(rules) % 16
        rules[(traffic.cut(r.getrandbits(32), length, 32), length)] = len(rules) + 1
    prefixes = list(rules)
    for i in range(n_frames):
        src, length = prefixes[i % n_rules]
        frames.append(traffic.udp(src | r.getrandbits(32) >> length, SERVER, 1024 + i, 2000))
    return Workload(goal, [f"priority={p},ip,nw_src={traffic.ip_text(*k)},actions=output:null"
                           for k, p in rules.items()], frames)


def edit(goal, n=1000):
    actions = ("mod_dl_src:02:00:00:00:00:0a,mod_dl_dst:02:00:00:00:00:0b,mod_nw_src:10.1.2.3,mod_nw_dst:10.4.5.6,"
               "mod_tp_dst:53,dec_ttl,mod_vlan_vid:100,output:null")
    return Workload(goal, [f"udp,actions={actions}"], [traffic.udp(*c) for c in clients(n)])


def conntrack(goal, n=10000):
    frames = []
    for src, dst, sport, dport in clients(n):
        frames += [traffic.udp(src, dst, sport, dport), traffic.udp(dst, src, dport, sport)]
    return Workload(goal, traffic.TRACKED, frames, tracked=n)


WORKLOADS = {
    "port-1": lambda: port_to_port(60, 1), "port-1000": lambda: port_to_port(70, 1000),
    "port-100000": lambda: port_to_port(100, 100000), "tables-1": lambda: three_tables(80, 1),
    "tables-1000": lambda: three_tables(100, 1000), "tables-100000": lambda: three_tables(200, 100000),
    "normal": lambda: normal(120), "acl": lambda: acl(120), "edit": lambda: edit(150),
    "conntrack": lambda: conntrack(250),
}
