"""Random groups, meters and flows of a bridge, as commands of ovs-ofctl.

Left out, since what happens is not said anywhere or depends on chance: select groups with a choice, and rates of meters
that packets reach."""
from beside import Ask, unordered
from frames import MACS

OFCTL = "ovs-ofctl -O OpenFlow15"


class Pipelines:
    def __init__(self, rand):
        self.rand = rand

    def port(self):
        return self.rand.choice(["1", "2", "3", "4", "5", "6", "LOCAL"])

    def vlan(self):
        return self.rand.choice([10, 20])

    def match(self, table):
        r = self.rand
        matches = ["", f"in_port={self.port()}", f"dl_dst={r.choice(MACS)}", f"dl_src={r.choice(MACS)}", "ip", "arp",
                   f"dl_vlan={self.vlan()}", "vlan_tci=0x1000/0x1000", "dl_vlan=10,dl_vlan_pcp=3", "ipv6",
                   f"ip,nw_src=10.0.0.{r.randint(1, 6)}", f"ip,nw_dst=10.0.0.{r.randint(0, 7)}/31",
                   f"udp,tp_dst={r.randint(1, 3)}", "tcp,tcp_flags=+syn-ack", f"arp,arp_op={r.randint(1, 2)}",
                   "icmp6,icmp_type=135,nd_target=fe80::3", "icmp,icmp_type=8", "mpls,mpls_label=16", "mpls",
                   "ip,nw_frag=later", "ip,nw_frag=first", "ip,nw_ttl=1", "dl_type=0x894f,nsh_spi=1",
                   f"in_port={self.port()},ip", f"in_port={self.port()},dl_vlan=10",
                   "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"]
        if table:
            matches += ["reg0=1", "reg0=0x5/0xf", "ct_state=+trk+est,ip", "ct_state=+trk+new,ip", "ct_state=-trk",
                        "ct_mark=1,ip", "metadata=3"]
        return r.choice(matches)

    def ending(self, table):
        """What sends the packet somewhere."""
        r = self.rand
        endings = [f"output:{self.port()}"] * 4 + ["normal"] * 4 + ["drop", "flood", "all", "in_port", "local",
                   f"group:{r.randint(1, 4)}", f"clone(mod_vlan_vid:{self.vlan()},output:{self.port()}),normal",
                   f"output:{self.port()},output:{self.port()}", "output:NXM_NX_REG0[0..15]",
                   f"output(port={r.randint(1, 6)},max_len=60)", "controller"]
        if table < 3:
            endings += [f"resubmit(,{table + 1})"] * 6 + [f"resubmit({r.randint(1, 6)},{table + 1}),normal",
                        f"goto_table:{table + 1}"]
        return r.choice(endings)

    def change(self, table):
        r = self.rand
        return r.choice([f"mod_vlan_vid:{self.vlan()}", "strip_vlan", "mod_vlan_pcp:3",
                         f"push_vlan:0x8100,set_field:{4096 + self.vlan()}->vlan_vid", f"mod_dl_src:{r.choice(MACS)}",
                         f"mod_dl_dst:{r.choice(MACS)}", "dec_ttl", f"set_field:{r.choice([1, 5])}->reg0",
                         "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]", "push_mpls:0x8847,set_field:17->mpls_label",
                         "mod_nw_src:10.0.0.9", "mod_tp_dst:3", "set_field:fe80::9->ipv6_dst", "pop_mpls:0x0800",
                         "meter:1", f"write_metadata:{r.choice([3, 4])}", "push:NXM_NX_REG0[],pop:NXM_NX_REG1[]",
                         "set_queue:1", "note:01.02", "ct_clear", "check_pkt_larger(60)->NXM_NX_REG0[0]",
                         "encap(nsh),decap()", "dec_mpls_ttl", f"write_actions(output:{self.port()})"])

    def actions(self, table):
        changes = [self.change(table) for _ in range(self.rand.choice([0, 0, 0, 1, 1, 2]))]
        return ",".join(changes + [self.ending(table)])

    def flow(self, bridge):
        r = self.rand
        table = r.choice([0, 0, 0, 1, 2])
        match = self.match(table)
        return [f"{OFCTL} add-flow {bridge} 'table={table},priority={r.randint(1, 5)}"
                f"{',' + match if match else ''},actions={self.actions(table)}'"]

    def tracked(self, bridge):
        """A pipeline with connection tracking: it sends what belongs to a connection that 'inside' has begun."""
        zone, inside = self.rand.randint(1, 2), self.rand.randint(1, 6)
        commit = self.rand.choice(["commit", "commit,exec(set_field:1->ct_mark)", "commit,nat(src=10.0.0.77)",
                                   "commit,force"])
        return [f"{OFCTL} add-flow {bridge} 'priority=6,ip,actions=ct(table=1,zone={zone}"
                f"{',nat' if 'nat' in commit else ''})'",
                f"{OFCTL} add-flow {bridge} 'table=1,priority=6,ct_state=+new,ip,in_port={inside},"
                f"actions=ct({commit},zone={zone}),normal'",
                f"{OFCTL} add-flow {bridge} 'table=1,priority=6,ct_state=+est,ip,actions=normal'"]

    def learning(self, bridge):
        send = self.rand.choice(["output:NXM_OF_IN_PORT[]", "load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]"])
        more = self.rand.choice(["", ",limit=2", ",delete_learned", ",cookie=7"])
        return [f"{OFCTL} add-flow {bridge} 'priority=5,{self.rand.choice(['ip', 'arp', 'dl_vlan=10'])},"
                f"actions=learn(table=2,priority=4{more},NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                f"{send}),resubmit(,2),normal'"]

    def conjunction(self, bridge):
        r, ident = self.rand, self.rand.randint(1, 2)
        return [f"{OFCTL} add-flow {bridge} 'priority=7,ip,nw_src=10.0.0.{r.randint(1, 3)},"
                f"actions=conjunction({ident},1/2)'",
                f"{OFCTL} add-flow {bridge} 'priority=7,udp,tp_dst={r.randint(1, 3)},actions=conjunction({ident},2/2)'",
                f"{OFCTL} add-flow {bridge} 'priority=7,conj_id={ident},ip,actions={self.actions(0)}'"]

    def buckets(self, kind):
        r, buckets = self.rand, []
        for i in range(1 if kind in ("indirect", "select") else r.randint(1, 3)):
            watch = f"watch_port:{r.randint(1, 6)}," if kind == "ff" else ""
            what = r.choice([f"output:{self.port()}", f"mod_vlan_vid:{self.vlan()},output:{self.port()}", "normal",
                             "resubmit(,1)", "set_field:1->reg0,resubmit(,1)", "ct(commit)"])
            buckets.append(f"bucket=bucket_id:{i},{watch}actions={what}")
        return ",".join(buckets)

    def group(self, bridge):
        kind = self.rand.choice(["all", "indirect", "ff", "select"])
        verb = self.rand.choice(["add-group", "add-group", "mod-group --may-create", "mod-group"])
        verb, option = (verb.split() + [""])[:2]
        return [f"{OFCTL} {option} {verb} {bridge} 'group_id={self.rand.randint(1, 4)},type={kind},"
                f"{self.buckets(kind)}'"]

    def delete_group(self, bridge):
        return [f"{OFCTL} del-groups {bridge} group_id={self.rand.randint(1, 4)}"]

    def meter(self, bridge):
        return [self.rand.choice([f"{OFCTL} add-meter {bridge} 'meter=1,kbps,band=type=drop,rate=100000'",
                                  f"{OFCTL} del-meters {bridge}"])]

    def frags(self, bridge):
        return [f"ovs-ofctl set-frags {bridge} {self.rand.choice(['normal', 'drop', 'nx-match'])}"]

    def delete(self, bridge):
        what = self.rand.choice(["", "table=1", "table=0,ip", f"out_port={self.rand.randint(1, 6)}"])
        return [f"ovs-ofctl del-flows {bridge} {what}"] + \
            ([] if what else [f"ovs-ofctl add-flow {bridge} priority=0,actions=normal"])

    def modify(self, bridge):
        table = self.rand.choice([0, 1, 2])
        match = self.match(table)
        return [f"{OFCTL} mod-flows {bridge} 'table={table}{',' + match if match else ''},"
                f"actions={self.actions(table)}'"]

    KINDS = [(flow, 16), (tracked, 3), (learning, 3), (conjunction, 3), (group, 5), (delete_group, 1), (meter, 2),
             (frags, 1), (delete, 2), (modify, 2)]

    def step(self, bridge):
        kind = self.rand.choices([k for k, _ in self.KINDS], [w for _, w in self.KINDS])[0]
        return kind(self, bridge)

    def packet(self):
        """One that is asked about: of a trace."""
        r = self.rand
        src, dst = r.sample(MACS, 2)
        kind = r.choice(["dl_type=0x1234", "dl_type=0x1234", f"udp,nw_src=10.0.0.{r.randint(1, 6)},"
                         f"nw_dst=10.0.0.{r.randint(1, 6)},nw_ttl=64,udp_src=1,udp_dst={r.randint(1, 3)}",
                         "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tcp_flags=syn", "arp,arp_op=1",
                         "icmp6,ipv6_src=fe80::1,ipv6_dst=fe80::3,icmp_type=135,nd_target=fe80::3,nw_ttl=255",
                         "mpls,mpls_label=16,mpls_bos=1,mpls_ttl=64", "ip,nw_frag=later,nw_ttl=64"])
        vlan = r.choice(["", "", ",dl_vlan=10", ",dl_vlan=20,dl_vlan_pcp=3"])
        return f"in_port={r.randint(1, 8)},dl_src={src},dl_dst={dst},{kind}{vlan}"

    def questions(self, bridge):
        yield unordered(f"{OFCTL} dump-flows {bridge}")
        yield unordered(f"{OFCTL} dump-groups {bridge}")
        yield unordered(f"{OFCTL} dump-group-stats {bridge} | sed 's/ref_count=[0-9]*,//'")
        yield Ask(f"{OFCTL} meter-stats {bridge} | sed 's/duration:[0-9.]*s/duration/'")
        yield Ask(f"ovs-appctl ofproto/trace --names {bridge} {self.packet()}")
