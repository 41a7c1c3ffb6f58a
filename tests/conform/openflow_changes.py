"""Random flow-mods, group-mods, meter-mods, bundles, packets and monitors in all versions, as commands.

Values come from small pools, so that most changes meet what earlier ones made."""

from beside import Ask, unordered

VERSIONS = ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"]
LATER = VERSIONS[1:]
MATCHES = ["in_port=1", "in_port=2", "ip", "tcp", "udp,tp_dst=53", "arp", "ipv6", "icmp,icmp_type=8",
           "ip,nw_src=10.0.0.0/24", "ip,nw_src=10.0.0.1", "ip,nw_dst=10.0.0.2", "tcp,tp_dst=80", "tcp,tp_src=0x50/0xf0",
           "dl_vlan=10", "dl_vlan=10,dl_vlan_pcp=3", "vlan_tci=0", "dl_src=50:54:00:00:00:01", "reg0=1", "reg1=0x5/0xf",
           "metadata=7", "tun_id=3", "ip,nw_frag=first", "ip,nw_tos=0x20", "tcp,tcp_flags=+syn-ack", "ct_state=+trk",
           "icmp6,icmp_type=135,nd_target=fe80::1", "mpls,mpls_label=5", "dl_type=0x1234", "conj_id=1,ip", "pkt_mark=1",
           "arp,arp_op=1,arp_spa=10.0.0.1", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"]
ACTIONS = ["1", "2", "LOCAL", "in_port", "normal", "flood", "all", "controller", "controller:20",
           "controller(reason=no_match,id=1)", "drop", "mod_vlan_vid:20", "strip_vlan", "mod_dl_src:50:54:00:00:00:09",
           "mod_nw_src:10.9.9.9", "mod_tp_dst:81", "mod_nw_tos:32", "dec_ttl", "set_queue:1", "enqueue:2:3",
           "set_field:10.0.0.7->ip_src", "load:1->NXM_NX_REG0[]", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
           "push_vlan:0x8100,set_field:4106->vlan_vid", "push_mpls:0x8847", "resubmit(,2)", "resubmit(1,3)",
           "goto_table:2", "goto_table:3", "group:1", "group:2", "group:3", "write_actions(output:2)",
           "write_actions(group:1,output:1)", "clear_actions", "write_metadata:7/0xf", "meter:1,output:1", "meter:2",
           "note:01.02.03", "set_tunnel:5", "conjunction(1,1/2)", "conjunction(1,2/2)", "output:NXM_NX_REG0[]",
           "learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
           "learn(table=2,idle_timeout=900,priority=7,delete_learned,cookie=0x9,NXM_OF_VLAN_TCI[0..11],load:5->"
           "NXM_NX_REG1[])", "push:NXM_NX_REG0[],pop:NXM_NX_REG1[]", "ct(commit,table=2)", "clone(output:2)",
           "multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])", "bundle(eth_src,0,hrw,ofport,slaves:1,2)", "exit",
           "delete_field:metadata", "output(port=2,max_len=64)", "dec_mpls_ttl", "pop_mpls:0x0800", "ct_clear",
           "fin_timeout(idle_timeout=500)", "sample(probability=1,collector_set_id=1)", "check_pkt_larger(100)->"
           "NXM_NX_REG0[0]"]
GROUP_ACTIONS = ["1", "2", "controller", "mod_vlan_vid:5,output:1", "group:2", "group:3", "drop",
                 "set_queue:1,output:2", "set_field:1->reg0,output:2", "resubmit(,3)"]
PACKETS = ["eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=81,dst=80),"
           "tcp_flags(syn)",
           "eth_type(0x0800),ipv4(src=10.0.0.3,dst=10.0.0.2,proto=17,tos=0x20,ttl=1,frag=no),udp(src=5,dst=53)",
           "eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=50:54:00:00:00:01,tha=00:00:00:00:00:00)",
           "eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,"
           "ttl=64,frag=no),icmp(type=8,code=0))", "eth_type(0x1234)"]


class Generator:
    def __init__(self, rand):
        self.rand, self.n_monitors, self.monitors, self.started = rand, 0, [], False

    @staticmethod
    def start():
        ports = " ".join(f"-- add-port br0 p{i} -- set interface p{i} type=dummy ofport_request={i}" for i in (1, 2, 3))
        return ["ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure other_config:hwaddr=aa:66:aa:66:00:01 "
                "other_config:datapath-id=00000000000000ab other_config:disable-in-band=true " + ports]

    def one(self, *choices):
        return self.rand.choice(choices)

    def perhaps(self, chance, text):
        return text if self.rand.random() < chance else ""

    def version(self):
        return self.one(*VERSIONS)

    def step(self):
        """The commands of the next change, with what the monitors are told."""
        commands = None if self.started else self.start()
        self.started = True
        while not commands:
            commands = self.rand.choices([c for c, _ in self.CHANGES], [w for _, w in self.CHANGES])[0](self)
        asks = [Ask(c) if isinstance(c, str) else Ask(*c) for c in commands]
        for m in self.monitors:
            asks += [Ask(f"ovs-appctl -t $DIR/{m}.ctl ofctl/barrier"), unordered(f"cat {m}.log; : >{m}.log")]
        return asks

    # Flows.

    def matches(self, n=2):
        return ",".join(self.rand.sample(MATCHES, self.rand.randint(0, n)))

    def actions(self):
        return "actions=" + ",".join(self.rand.sample(ACTIONS, self.rand.choice([0, 1, 1, 1, 2, 3])))

    def new_flow(self, flags=True):
        parts = [self.perhaps(0.7, f"table={self.rand.randint(0, 3)}"),
                 self.perhaps(0.6, f"priority={self.one(0, 1, 5, 5, 100, 65535)}"),
                 self.perhaps(0.4, f"cookie={self.one(0, 1, 2, '0xffffffffffffffff', '0x10/0xf0', '1/1', '-1')}"),
                 self.perhaps(0.2, f"idle_timeout={self.one(0, 1000, 65535)}"),
                 self.perhaps(0.2, f"hard_timeout={self.one(0, 1000, 65535)}"), self.matches()]
        if flags:
            parts += [self.perhaps(0.1, "check_overlap"), self.perhaps(0.3, "send_flow_rem"),
                      self.perhaps(0.1, "reset_counts"), self.perhaps(0.05, "no_packet_counts"),
                      self.perhaps(0.05, "no_byte_counts"), self.perhaps(0.1, f"importance={self.one(0, 1, 9)}")]
        return ",".join([p for p in parts if p] + [self.actions()])

    def which(self, strict):
        parts = [self.perhaps(0.6, f"table={self.rand.randint(0, 3)}"),
                 self.perhaps(0.3, f"cookie={self.one('1/-1', '0/1', '0x10/0xf0', '2/3')}"),
                 f"priority={self.one(0, 1, 5, 100)}" if strict else "", self.matches(1),
                 self.perhaps(0.15, f"out_port={self.one('1', '2', 'LOCAL', 'controller', 'any')}"),
                 self.perhaps(0.1, f"out_group={self.one(1, 2)}")]
        return ",".join(p for p in parts if p)

    def change_of_flows(self):
        """As a line of a file."""
        command = self.rand.choices(["add", "modify", "modify_strict", "delete", "delete_strict"], [8, 2, 2, 1, 2])[0]
        if command == "add":
            return "add " + self.new_flow()
        which = self.which(command.endswith("strict"))
        if command.startswith("modify"):
            which += ("," if which else "") + self.actions()
        return f"{command} {which}"

    def flow(self):
        command, _, text = self.change_of_flows().partition(" ")
        words = {"add": "add-flow", "modify": "mod-flows", "modify_strict": "--strict mod-flows",
                 "delete": "del-flows", "delete_strict": "--strict del-flows"}[command]
        return [f"ovs-ofctl -O {self.version()} {self.perhaps(0.2, '--bundle')} {words} br0 '{text}'"]

    def flows(self):
        lines = "\n".join(self.change_of_flows() for _ in range(self.rand.randint(2, 12)))
        return [(f"ovs-ofctl -O {self.version()} {self.perhaps(0.3, '--bundle')} add-flows br0 -", lines + "\n")]

    def replace(self):
        lines = "\n".join(self.new_flow(flags=False) for _ in range(self.rand.randint(1, 6)))
        return [(f"ovs-ofctl -O {self.version()} {self.one('replace-flows', 'diff-flows')} br0 -", lines + "\n")]

    # Groups and meters.

    def group_text(self):
        kind = self.one("all", "select", "indirect", "ff")
        n = 1 if kind == "indirect" else self.rand.randint(0, 3)
        text = f"group_id={self.rand.randint(1, 3)},type={kind}"
        if kind == "select":
            text += self.perhaps(0.3, f",selection_method={self.one('hash', 'dp_hash')}")
        return text + "".join(f",bucket={self.bucket(i, kind)}" for i in range(n))

    def bucket(self, i, kind):
        return self.perhaps(0.3, f"bucket_id:{i + self.one(0, 0, 0, 1)},") + \
            self.perhaps(0.4 if kind == "select" else 0.02, f"weight:{self.one(0, 1, 5)},") + \
            (self.one("watch_port:1,", "watch_port:2,", "watch_group:2,") if kind == "ff" else "") + \
            f"actions={self.one(*GROUP_ACTIONS)}"

    def change_of_group(self):
        command = self.rand.choices(["add", "modify", "add_or_mod", "delete", "insert_bucket", "remove_bucket"],
                                    [6, 3, 2, 2, 2, 2])[0]
        if command == "delete":
            return command, self.one("group_id=1", "group_id=2", "group_id=3", "group_id=all", "group_id=1")
        group = f"group_id={self.rand.randint(1, 3)}"
        if command == "insert_bucket":
            place = self.one('first', 'last', 0, 1, 7)
            return command, f"{group},command_bucket_id={place},bucket={self.bucket(5, 'all')}"
        if command == "remove_bucket":
            return command, f"{group},command_bucket_id={self.one('first', 'last', 'all', 0, 1, 7)}"
        return command, self.group_text()

    def group(self):
        command, text = self.change_of_group()
        words = {"add": "add-group", "modify": "mod-group", "add_or_mod": "--may-create mod-group",
                 "delete": "del-groups", "insert_bucket": "insert-buckets", "remove_bucket": "remove-buckets"}[command]
        version = self.one(*LATER) if "bucket" not in words else "OpenFlow15"
        return [f"ovs-ofctl -O {version} {self.perhaps(0.1, '--bundle')} {words} br0 '{text}'"]

    def meter(self):
        meter = f"meter={self.rand.randint(1, 2)}"
        bands = "".join(f",band=type={self.one('drop', 'dscp_remark,prec_level=1')},rate={self.one(10, 1000)}" +
                        self.perhaps(0.5, ",burst_size=100") for _ in range(self.one(1, 1, 2)))
        text = f"{meter},{self.one('kbps', 'pktps')}{self.perhaps(0.3, ',stats')}{bands}"
        return [f"ovs-ofctl -O {self.one(*VERSIONS[3:])} " +
                self.one(f"add-meter br0 '{text}'", f"add-meter br0 '{text}'", f"mod-meter br0 '{text}'",
                         f"del-meter br0 {meter}", "del-meters br0")]

    # Bundles, packets, tables.

    def bundle(self):
        lines = []
        for _ in range(self.rand.randint(1, 10)):
            if self.rand.random() < 0.25:
                command, text = self.change_of_group()
                lines.append(f"group {command} {text}")
            elif self.rand.random() < 0.1:
                lines.append(f"packet-out in_port={self.one(1, 'controller')},packet=50540000000250540000000112340000,"
                             f"{self.actions()}")
            else:
                lines.append("flow " + self.change_of_flows())
        return [(f"ovs-ofctl -O {self.one(*VERSIONS[3:])} bundle br0 -", "\n".join(lines) + "\n")]

    def packet_out(self):
        return [f"ovs-ofctl -O {self.version()} packet-out br0 'in_port={self.one(1, 2, 'controller', 'LOCAL')},"
                f"packet=5054000000025054000000011234{'00' * 40},{self.actions()}'"]

    def packet(self):
        frame = self.one(*PACKETS)
        port = self.rand.randint(1, 2)
        return [f"ovs-appctl netdev-dummy/receive p{port} "
                f"'in_port({port}),eth(src=50:54:00:00:00:0{self.one(1, 2)},dst=50:54:00:00:00:02),{frame}'",
                "sleep 0.05; ovs-appctl revalidator/purge"]

    def table(self):
        return [f"ovs-ofctl -O {self.one(*VERSIONS[4:])} mod-table br0 {self.rand.randint(0, 3)} "
                f"{self.one('evict', 'noevict', 'vacancy:20,80', 'novacancy')}"]

    def delete_all(self):
        return [f"ovs-ofctl -O {self.version()} del-flows br0"]

    def monitor(self):
        if len(self.monitors) > 2 or self.monitors and self.rand.random() < 0.3:
            m = self.monitors.pop(0)
            return [f"ovs-appctl -t $DIR/{m}.ctl exit"]
        self.n_monitors += 1
        m = f"m{self.n_monitors}"
        self.monitors.append(m)
        flags = self.perhaps(0.3, "!initial") or self.perhaps(0.3, "!" + self.one("add", "delete", "modify", "actions",
                                                                                 "own"))
        version = self.version()
        if version in ("OpenFlow11", "OpenFlow12"):
            # Extension messages of these versions have lists of actions.  The reference puts instructions into them,
            # whose numbers are those of other actions there (clear_actions reads as mod_nw_src:0.0.0.0); ours leaves
            # out what is no action.
            flags = ",".join(f for f in [flags, "!actions"] if f)
        watch = ",".join(p for p in [flags, self.perhaps(0.4, f"table={self.rand.randint(0, 3)}"),
                                     self.perhaps(0.2, f"out_port={self.one(1, 2)}"), self.matches(1)] if p)
        watches = self.perhaps(0.7, f"'watch:{watch}'")
        return [f"ovs-ofctl -O {version} monitor br0 {self.perhaps(0.7, '128')} {watches} --detach --no-chdir "
                f"--pidfile=$DIR/{m}.pid --unixctl=$DIR/{m}.ctl >>{m}.log 2>&1 || : >{m}.ctl"]

    CHANGES = [(flow, 20), (flows, 8), (replace, 4), (group, 12), (meter, 5), (bundle, 8), (packet_out, 4), (packet, 8),
               (table, 3), (delete_all, 1), (monitor, 3)]

    # Questions.

    def questions(self):
        """Yields what is asked after each change."""
        v = self.version()
        yield unordered(f"ovs-ofctl -O {v} dump-flows br0")
        yield unordered(f"ovs-ofctl -O {self.one(*LATER)} dump-groups br0")
        question = self.one("dump-aggregate br0", "dump-tables br0", f"dump-flows br0 '{self.which(False)}'",
                            f"-m dump-flows br0 '{self.which(False)}'", f"dump-aggregate br0 '{self.which(False)}'")
        yield unordered(f"ovs-ofctl -O {self.version()} {question}")
        question = self.one("dump-group-stats br0", "dump-meters br0", "meter-stats br0", "dump-groups br0",
                            "dump-table-desc br0", "dump-ports br0")
        yield unordered(f"ovs-ofctl -O {self.one(*VERSIONS[4:])} {question}")
