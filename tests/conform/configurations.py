"""Random changes of the configuration of a switch with dummy ports, and questions about it, as commands.

The generator keeps a model of what it asked for, only so that most changes mean something."""
from beside import Ask, unordered
from frames import MACS, Frames
from pipelines import Pipelines

BRIDGES = ["b0", "b1", "b2"]
NAMES = [f"a{i}" for i in range(8)]


class Port:
    """A port of a bridge with its interfaces."""

    def __init__(self, bridge, interfaces):
        self.bridge, self.interfaces = bridge, interfaces


class Generator:
    def __init__(self, rand):
        self.rand = rand
        self.bridges = []
        self.ports = {}  # Name -> Port.
        self.n_bonds = self.n_settled = 0
        self.frames, self.pipelines = Frames(rand), Pipelines(rand)
        self.has_bonds, self.has_pipelines = rand.random() < 0.4, rand.random() < 0.6
        self.has_two_tags = self.frames.have_two_tags = rand.random() < 0.4
        self.has_tunnel_ports = self.has_two_tags and rand.random() < 0.7
        self.has_pipelines &= not self.has_tunnel_ports  # The reference loses a tag that one is pushed in front of.
        self.dst_matters = self.has_priority_tags = False

    def free(self):
        used = {i for p in self.ports.values() for i in p.interfaces}
        return [n for n in NAMES if n not in used]

    def step(self):
        """The commands of the next change."""
        changes = self.CHANGES + (self.PIPELINES if self.has_pipelines else [])
        commands = None if self.bridges else self.add_bridge()
        while not commands:
            commands = self.rand.choices([c for c, _ in changes], [w for _, w in changes])[0](self)
        if any("ofport_request" in c for c in commands):
            commands += self.settle()
        return [Ask(c) for c in commands]

    def settle(self):
        """A number that is asked for and another port has changes hands when the configuration is next looked at,
        whatever for; a port that comes then and the one that gives up its number are numbered in the order of the
        reference's hash table.  So none comes then."""
        self.n_settled += 1
        return [f"ovs-vsctl set open_vswitch . external_ids:settled={self.n_settled}"]

    # Changes: each gives a list of commands, or none when it cannot be.

    def add_bridge(self):
        unused = [b for b in BRIDGES if b not in self.bridges]
        if not unused:
            return None
        name = self.rand.choice(unused)
        self.bridges.append(name)
        return [f"ovs-vsctl add-br {name} -- set bridge {name} fail_mode=standalone "
                f"other_config:hwaddr=aa:66:aa:66:00:0{name[1]}"]

    def delete_bridge(self):
        if len(self.bridges) < 2:
            return None
        name = self.rand.choice(self.bridges)
        self.bridges.remove(name)
        self.ports = {n: p for n, p in self.ports.items() if p.bridge != name}
        # Addresses that other bridges have learned by patch ports stay there (cases/vswitchd/hosts-gone.case).
        return [f"ovs-vsctl del-br {name}"] + [f"ovs-appctl fdb/flush {b}" for b in self.bridges]

    def wanted_number(self, name):
        """No two ask for the same one: who of several gets it depends on the order of a hash table."""
        return int(name[1:]) + self.rand.choice([1, 11])

    def interface(self, name):
        want = self.rand.choice([None, self.wanted_number(name)])
        request = f" ofport_request={want}" if want else ""
        return f"-- set interface {name} type=dummy{request}"

    def add_port(self):
        free = self.free()
        if not free:
            return None
        name, bridge = self.rand.choice(free), self.rand.choice(self.bridges)
        self.ports[name] = Port(bridge, [name])
        tag = self.rand.choice(["", "", "", " tag=10", " tag=20", " trunks=10,20"])
        return [f"ovs-vsctl add-port {bridge} {name}{tag} {self.interface(name)}"]

    def add_bond(self):
        free = self.free()
        if len(free) < 2 or not self.has_bonds:
            return None
        # Not said anywhere: which of several members without a primary one is active, and which of several ports that
        # come at once, or have to give up their number at once, gets the lower number.
        members, bridge = self.rand.sample(free, 2), self.rand.choice(self.bridges)
        self.n_bonds += 1
        name = f"bond{self.n_bonds}"
        self.ports[name] = Port(bridge, members)
        return [f"ovs-vsctl add-bond {bridge} {name} {' '.join(members)} bond_mode=active-backup "
                f"other_config:bond-primary={members[0]} " +
                " ".join(f"-- set interface {m} type=dummy ofport_request={self.wanted_number(m) + 100 * k}"
                         for k, m in enumerate(members))]

    def add_patch(self):
        if len(self.bridges) < 2:
            return None
        x, y = self.rand.sample(self.bridges, 2)
        names = [f"{x}-{y}", f"{y}-{x}"]
        if any(n in self.ports for n in names):
            return None
        for n, b in zip(names, (x, y)):
            self.ports[n] = Port(b, [n])
        return [f"ovs-vsctl add-port {x} {names[0]} -- set interface {names[0]} type=patch options:peer={names[1]} -- "
                f"add-port {y} {names[1]} -- set interface {names[1]} type=patch options:peer={names[0]}"]

    def some_port(self):
        return self.rand.choice(sorted(self.ports)) if self.ports else None

    def delete_port(self):
        name = self.some_port()
        if not name:
            return None
        port = self.ports.pop(name)
        return [f"ovs-vsctl del-port {port.bridge} {name}"]

    def move_port(self):
        name = self.some_port()
        if not name or len(self.ports[name].interfaces) > 1 or name not in NAMES:
            return None
        self.ports[name].bridge = self.rand.choice(self.bridges)
        return [f"ovs-vsctl del-port {name} -- add-port {self.ports[name].bridge} {name} {self.interface(name)}"]

    def set_port(self):
        name = self.some_port()
        if not name:
            return None
        setting = self.rand.choice(["tag=10", "tag=20", "tag=[]", "trunks=10,20", "trunks=[]", "vlan_mode=access",
                                    "vlan_mode=native-tagged", "vlan_mode=native-untagged", "vlan_mode=[]",
                                    "protected=true", "protected=false",
                                    "other_config:priority-tags=if-nonzero", "other_config:priority-tags=always",
                                    "other_config={}"])
        if self.has_tunnel_ports:
            setting = self.rand.choice([setting, "vlan_mode=dot1q-tunnel", "vlan_mode=dot1q-tunnel tag=10",
                                        "vlan_mode=dot1q-tunnel tag=20", "cvlans=10", "cvlans=0,20", "cvlans=[]",
                                        "other_config:qinq-ethtype=802.1q", "other_config:qinq-ethtype=802.1ad"])
        self.has_priority_tags |= "priority-tags" in setting
        return [f"ovs-vsctl set port {name} {setting}"]

    def vlan_limit(self):
        """Where it is not 1, the reference's tunnel ports lose the second tag of a packet."""
        if not self.has_two_tags:
            return None
        limit = self.rand.choice([0, 1, 2])
        self.frames.have_two_tags = not self.has_tunnel_ports or limit == 1
        return [f"ovs-vsctl set open_vswitch . other_config:vlan-limit={limit}"]

    def set_interface(self):
        name = self.some_port()
        if not name:
            return None
        interface = self.rand.choice(self.ports[name].interfaces)
        settings = ["mtu_request=1400", "mtu_request=[]"] if interface in NAMES else ["external_ids:x=y"]
        if interface in NAMES:
            settings += [f"ofport_request={self.wanted_number(interface)}", "ofport_request=[]"]
        return [f"ovs-vsctl set interface {interface} {self.rand.choice(settings)}"]

    def set_bridge(self):
        bridge = self.rand.choice(self.bridges)
        setting = self.rand.choice(["flood_vlans=10", "flood_vlans=[]", "fail_mode=secure", "fail_mode=standalone",
                                    "other_config:forward-bpdu=true", "other_config:forward-bpdu=false",
                                    "other_config:mac-table-size=10"])
        return [f"ovs-vsctl set bridge {bridge} {setting}"]

    def mirror(self):
        bridge = self.rand.choice(self.bridges)
        ports = [n for n, p in self.ports.items() if p.bridge == bridge]
        if not ports or self.rand.random() < 0.4:
            return [f"ovs-vsctl clear bridge {bridge} mirrors"]
        select = self.rand.choice(["select-all=true", "select-all=true", "select-src-port=@s", "select-dst-port=@s",
                                   "select-all=true select-vlan=10"])
        output = self.rand.choice(["output-vlan=20", "output-port=@p", "output-port=@p", "output-port=@p snaplen=20"])
        self.dst_matters |= "vlan" in output
        return [f"ovs-vsctl clear bridge {bridge} mirrors -- --id=@p get port {self.rand.choice(ports)} -- "
                f"--id=@s get port {self.rand.choice(ports)} -- set bridge {bridge} mirrors=@m -- --id=@m create "
                f"mirror name=m {select} {output} | sed 's/^.*-.*-.*$/<uuid>/'"]

    def set_state(self):
        name = self.some_port()
        if not name or name not in NAMES and not name.startswith("bond"):
            return None
        return [f"ovs-appctl netdev-dummy/set-admin-state {self.rand.choice(self.ports[name].interfaces)} "
                f"{self.rand.choice(['up', 'up', 'down'])}"]

    def mod_port(self):
        name = self.some_port()
        if not name:
            return None
        setting = self.rand.choice(["no-flood", "flood", "down", "up", "no-receive", "receive", "no-forward",
                                    "forward", "no-packet-in"])
        if setting == "no-receive":  # The reference's port takes no BPDUs then, ours does.
            self.dst_matters, self.frames.have_bpdus = True, False
        return [f"ovs-ofctl mod-port {self.ports[name].bridge} {self.rand.choice(self.ports[name].interfaces)} "
                f"{setting}"]

    def flow(self):
        return self.pipelines.step(self.rand.choice(self.bridges))

    def packet(self):
        interfaces = [i for p in self.ports.values() for i in p.interfaces if i in NAMES]
        if not interfaces:
            return None
        return [f"ovs-appctl netdev-dummy/receive {self.rand.choice(interfaces)} {self.frames.frame()}"]

    def packets(self):
        """With a change of the tables between them."""
        if not self.has_pipelines:
            return None
        first, second = self.packet(), self.packet()
        return first and first + self.flow() + first + second

    def flush(self):
        return [f"ovs-appctl fdb/flush {self.rand.choice(self.bridges)}"]

    CHANGES = [(add_bridge, 3), (delete_bridge, 1), (add_port, 12), (add_bond, 3), (add_patch, 3), (delete_port, 5),
               (move_port, 3), (set_port, 8), (set_interface, 5), (set_bridge, 3), (mirror, 2), (set_state, 6),
               (mod_port, 4), (packet, 16), (packets, 8), (flush, 1), (vlan_limit, 2)]
    PIPELINES = [(flow, 20)]

    # Questions.

    def way_of_frame(self, bridge):
        """As bytes: texts of flows with two tags are cut by vlan-limit elsewhere."""
        ports = [i for p in self.ports.values() for i in p.interfaces if p.bridge == bridge and i in NAMES]
        if not ports or not self.has_two_tags:
            return []
        return [Ask(f"ovs-appctl ofproto/trace --names {bridge} in_port={self.rand.choice(ports)} "
                    f"{self.frames.frame()}")]

    def questions(self):
        """Yields what is asked after each change."""
        yield Ask("ovs-appctl revalidator/wait")  # Statistics are credited, and what they teach is known.
        yield unordered("ovs-vsctl -f csv --no-heading --columns=name,type,ofport,admin_state,link_state,mtu "
                        "list interface | grep -v '^b[0-9],'")
        yield Ask("ovs-vsctl --bare --columns=error find interface type!=patch")
        yield Ask("ovs-appctl dpif/show | sed 's/hit:.*//; s,/[0-9]*:,:,'")
        yield Ask("ovs-appctl dpctl/dump-conntrack | sort")
        # What the switch fixes and the reference does not: which frames a port without "receive" takes, and which are
        # copied to a mirror's VLAN, depends on their destination; whether a tag stays, on its priority.
        cut = "s/^\\(Megaflow.*\\),dl_dst=[^,]*/\\1/;" if self.dst_matters else ""
        cut += "s/^\\(Megaflow.*\\),dl_vlan_pcp=[0-7]/\\1/;" if self.has_priority_tags or self.has_two_tags else ""
        for bridge in sorted(self.bridges):
            # With a bond the port of an address is any of its members.
            columns = " | awk '{ print $2, $3 }'" if self.has_bonds else ""
            yield unordered(f"ovs-ofctl show {bridge}")
            yield unordered(f"ovs-ofctl dump-ports {bridge}")
            yield unordered(f"ovs-appctl fdb/show {bridge}{columns}")
            yield Ask(f"ovs-vsctl list-ports {bridge}")
            asks = list(self.pipelines.questions(bridge)) + self.way_of_frame(bridge)
            for ask in asks:
                yield ask._replace(command=f"{ask.command} | sed '{cut}'") if cut and "trace" in ask.command else ask
