"""An os-ken application: it says what a controller says (flows, groups, meters, bundles, monitors), writes down what it
hears, and then is a learning switch.  tests/interop/test_os_ken.py runs it.

    WIRE_VERSION    the only version of OpenFlow that it speaks: 1, 4, 5 or 6
    TRANSCRIPT      file that receives a line of JSON for each step, [NAME, [ANSWER, ...], [UNASKED, ...]], and at last
                    "end"

What os-ken cannot say: groups, meters, bundles and monitors in 1.0; a monitor in 1.3, where the match of its request
is not in the ONF's form.  In 1.0 it drops the connection when it hears of an error, so nothing wrong is said there; in
the other versions it does so for errors of vendors (as for monitors of the same number, or of none).  It never ends to
read the description of groups in 1.5, whichever switch it comes from, and wants features of meters of 1.5 to be as long
as the standard has them: the reference's, and so ours, have the form of 1.3."""
import json
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.lib.packet import ethernet, packet

VERSION = int(os.environ["WIRE_VERSION"])
# What time, chance and the release decide.
# A veth device that is down has no speed: the reference goes on to report the last one.
VOLATILE = {"sw_desc", "curr", "curr_speed", "max_speed",
            "xid", "duration_sec", "duration_nsec", "duration", "idle_time", "data", "time"}
MESSAGES = [c for c in vars(ofp_event).values()
            if isinstance(c, type) and issubclass(c, ofp_event.EventOFPMsgBase) and c is not ofp_event.EventOFPMsgBase]


def stable(value, key=None):
    """What a message says, but for VOLATILE."""
    if isinstance(value, dict):
        if value.get("field") in ("duration", "idle_time"):
            return value["field"]
        return {k: stable(v, k) for k, v in sorted(value.items()) if k not in VOLATILE}
    if isinstance(value, list):
        found = [stable(v) for v in value]
        # Flows and groups of a reply stand in the order of a hash.
        return sorted(found, key=json.dumps) if key in ("body", "stats") else found
    return value


def last_of_each(messages):
    """Of a port's states the last: how many come before it is a matter of when the system speaks of a device."""
    found = {}
    for m in messages:
        status = m.get("OFPPortStatus")
        desc = next(iter(status["desc"].values())) if status else None
        found[desc["port_no"] if desc else json.dumps(m)] = m
    return found.values()


class Conversation:
    """Messages of one version, made of what the versions call the same things."""

    def __init__(self, datapath, heard):
        self.datapath, self.heard = datapath, heard
        self.parser, self.ofp = datapath.ofproto_parser, datapath.ofproto
        self.transcript = open(os.environ["TRANSCRIPT"], "a", encoding="utf-8")
        self.write(["connected", [], []])

    def make(self, name, *args, **kwargs):
        return getattr(self.parser, name)(self.datapath, *args, **kwargs)

    def say(self, name, *messages):
        """Sends messages and a barrier, and writes down what answers them and what comes unasked until a while after
        the answer to the barrier (when rules are really gone is up to the switch)."""
        for m in messages:
            self.datapath.send_msg(m)
        xids = {m.xid for m in messages}
        barrier = self.make("OFPBarrierRequest")
        self.datapath.send_msg(barrier)
        answers, unasked, patience = [], [], 30
        while True:
            try:
                m = self.heard.get(timeout=patience)
            except hub.QueueEmpty:
                break
            if isinstance(m, self.parser.OFPBarrierReply) and m.xid == barrier.xid:
                patience = 0.3
            else:
                (answers if m.xid in xids else unasked).append(stable(m.to_jsondict()))
        assert patience < 30, f"no answer to the barrier of: {name}"
        self.write([name, answers, sorted(last_of_each(unasked), key=json.dumps)])

    def write(self, value):
        self.transcript.write(json.dumps(value, sort_keys=True) + "\n")
        self.transcript.flush()

    def output(self, port, *more):
        return self.parser.OFPActionOutput(port, *more)

    def flow(self, actions, command=None, match=None, before=(), **more):
        """A flow-mod: 'before' are further instructions."""
        if command is not None:
            more["command"] = command
        if VERSION == 1:
            return self.make("OFPFlowMod", match=match or self.parser.OFPMatch(), actions=actions, **more)
        more.setdefault("out_port", self.ofp.OFPP_ANY)
        more.setdefault("out_group", self.ofp.OFPG_ANY)
        apply = self.parser.OFPInstructionActions(self.ofp.OFPIT_APPLY_ACTIONS, actions)
        return self.make("OFPFlowMod", match=match or self.parser.OFPMatch(), **more,
                         instructions=[*before, *([apply] if actions else [])])

    def clear(self):
        more = {"table_id": self.ofp.OFPTT_ALL} if VERSION > 1 else {}
        return self.flow([], self.ofp.OFPFC_DELETE, **more)

    def dump(self):
        if VERSION == 1:
            return self.make("OFPFlowStatsRequest", 0, self.parser.OFPMatch(), 0xff, self.ofp.OFPP_NONE)
        return self.make("OFPFlowDescStatsRequest" if VERSION == 6 else "OFPFlowStatsRequest")


class Flows:
    def __init__(self, c):
        self.c = c

    def run(self):
        c = self.c
        c.say("tables are emptied", c.clear())
        c.say("the switch describes itself", c.make("OFPDescStatsRequest", 0), c.make("OFPGetConfigRequest"))
        c.say("flows", *(c.flow([c.output(2)], priority=p, match=m, cookie=p) for p, m in enumerate(self.matches(), 5)))
        c.say("many actions", c.flow(self.actions(), priority=40, idle_timeout=100, hard_timeout=200))
        c.say("they are dumped", c.dump())
        c.say("one is changed", c.flow([c.output(1)], c.ofp.OFPFC_MODIFY_STRICT, priority=5, match=self.matches()[0]))
        c.say("one that tells of its end", c.flow([], priority=90, flags=c.ofp.OFPFF_SEND_FLOW_REM,
                                                  match=self.matches()[1], cookie=99))
        c.say("it is deleted", c.flow([], c.ofp.OFPFC_DELETE_STRICT, priority=90, match=self.matches()[1]))
        if VERSION > 1:
            self.errors()
        c.say("what is left", c.dump(), c.clear(), c.dump())
        c.say("configuration", c.make("OFPSetConfig", c.ofp.OFPC_FRAG_NORMAL, 77), c.make("OFPGetConfigRequest"))
        self.ports()

    def errors(self):
        c = self.c
        c.say("one overlaps", c.flow([], priority=40, flags=c.ofp.OFPFF_CHECK_OVERLAP, match=self.matches()[0]))
        c.say("no such command", c.flow([], 77))
        c.say("no such port", c.flow([c.output(0xffffff20)]))
        c.say("another's address", c.make("OFPPortMod", port_no=3, hw_addr="02:00:00:00:00:02", config=0, mask=0,
                                          **self.no_advertisement()))

    @staticmethod
    def no_advertisement():
        return {"advertise": 0} if VERSION < 5 else {"properties": []}

    def matches(self):
        p = self.c.parser
        if VERSION == 1:
            return [p.OFPMatch(in_port=1), p.OFPMatch(dl_type=0x800, nw_proto=6, tp_dst=80),
                    p.OFPMatch(dl_type=0x800, nw_dst="10.1.0.0", nw_dst_mask=16), p.OFPMatch(dl_vlan=5),
                    p.OFPMatch(dl_dst="02:00:00:00:00:05")]
        return [p.OFPMatch(in_port=1), p.OFPMatch(eth_type=0x800, ip_proto=6, tcp_dst=80),
                p.OFPMatch(eth_type=0x800, ipv4_dst=("10.1.0.0", "255.255.0.0")), p.OFPMatch(vlan_vid=0x1005),
                p.OFPMatch(eth_dst="02:00:00:00:00:05"), p.OFPMatch(eth_type=0x86dd, ipv6_src="fd00::1"),
                p.OFPMatch(metadata=(5, 7)), p.OFPMatch(eth_type=0x8847, mpls_label=9), p.OFPMatch(tunnel_id=6)]

    def actions(self):
        p, ofp = self.c.parser, self.c.ofp
        if VERSION == 1:
            return [p.OFPActionVlanVid(7), p.OFPActionVlanPcp(2), p.OFPActionSetDlSrc("02:00:00:00:00:06"),
                    p.OFPActionStripVlan(), p.OFPActionOutput(3), p.OFPActionEnqueue(2, 4),
                    p.OFPActionOutput(ofp.OFPP_CONTROLLER, 100)]
        return [p.OFPActionPushVlan(0x8100), p.OFPActionSetField(vlan_vid=0x1007),
                p.OFPActionSetField(eth_src="02:00:00:00:00:06"), p.OFPActionPopVlan(), p.OFPActionSetQueue(4),
                p.OFPActionOutput(3), p.OFPActionOutput(ofp.OFPP_CONTROLLER, 100)]

    def ports(self):
        c = self.c
        for down in (c.ofp.OFPPC_PORT_DOWN, 0):
            c.say("a port goes down, or up", c.make("OFPPortMod", port_no=3, hw_addr="02:00:00:00:00:03", config=down,
                                                    mask=c.ofp.OFPPC_PORT_DOWN, **self.no_advertisement()))


class Groups:
    def __init__(self, c):
        self.c = c

    def run(self):
        c, ofp = self.c, self.c.ofp
        add, modify, delete = ofp.OFPGC_ADD, ofp.OFPGC_MODIFY, ofp.OFPGC_DELETE
        both = [self.bucket(0, [c.output(1)]), self.bucket(1, [c.output(2)])]
        c.say("groups", self.group(add, ofp.OFPGT_ALL, 1, both),
              self.group(add, ofp.OFPGT_SELECT, 2,
                         [self.bucket(i, [c.output(i + 1)], weight=10 * i + 5) for i in (0, 1)]),
              self.group(add, ofp.OFPGT_INDIRECT, 3, both[:1]),
              self.group(add, ofp.OFPGT_FF, 4, [self.bucket(i, [c.output(i + 1)], watch=i + 1) for i in (0, 1)]),
              self.group(add, ofp.OFPGT_ALL, 5, [self.bucket(0, [c.parser.OFPActionGroup(1)])]))
        self.dump("they are dumped")
        c.say("one is there already", self.group(add, ofp.OFPGT_ALL, 1, []))
        c.say("an indirect one with two buckets", self.group(add, ofp.OFPGT_INDIRECT, 6, both))
        c.say("no such type", self.group(add, 77, 6, both))
        c.say("none such to change", self.group(modify, ofp.OFPGT_ALL, 6, both))
        c.say("a loop", self.group(modify, ofp.OFPGT_ALL, 1, [self.bucket(0, [c.parser.OFPActionGroup(5)])]))
        c.say("one is changed", self.group(modify, ofp.OFPGT_ALL, 1, both[1:]))
        if VERSION == 6:
            self.buckets()
        c.say("flows use them", c.flow([c.parser.OFPActionGroup(2)], priority=5, flags=ofp.OFPFF_SEND_FLOW_REM),
              c.flow([c.parser.OFPActionGroup(9)], priority=6))
        self.dump("what is there")
        c.say("a group goes with its flow", self.group(delete, 0, 2, []), c.dump())
        c.say("all go", self.group(delete, 0, ofp.OFPG_ALL, []))
        self.dump("nothing is there")

    def group(self, command, kind, number, buckets, **more):
        return self.c.make("OFPGroupMod", command, kind, number, buckets=buckets, **more)

    def bucket(self, number, actions, weight=0, watch=None):
        p, ofp = self.c.parser, self.c.ofp
        if VERSION < 6:
            return p.OFPBucket(weight=weight, watch_port=watch or ofp.OFPP_ANY, actions=actions)
        properties = [p.OFPGroupBucketPropWeight(type_=ofp.OFPGBPT_WEIGHT, weight=weight)] if weight else []
        if watch:
            properties.append(p.OFPGroupBucketPropWatch(type_=ofp.OFPGBPT_WATCH_PORT, watch=watch))
        return p.OFPBucket(bucket_id=number, actions=actions, properties=properties)

    def buckets(self):
        c, ofp = self.c, self.c.ofp
        new = [self.bucket(7, [c.output(3)])]
        for where in (ofp.OFPG_BUCKET_FIRST, ofp.OFPG_BUCKET_LAST, 7, 99):
            c.say("a bucket more", self.group(ofp.OFPGC_INSERT_BUCKET, ofp.OFPGT_ALL, 1, new, command_bucket_id=where))
        c.say("a bucket less", self.group(ofp.OFPGC_REMOVE_BUCKET, ofp.OFPGT_ALL, 1, [], command_bucket_id=7))
        c.say("no such bucket", self.group(ofp.OFPGC_REMOVE_BUCKET, ofp.OFPGT_ALL, 1, [], command_bucket_id=99))

    def dump(self, name):
        c = self.c
        described = [c.make("OFPGroupDescStatsRequest")] if VERSION < 6 else []
        c.say(name, *described, c.make("OFPGroupStatsRequest"), c.make("OFPGroupFeaturesStatsRequest"))


class Meters:
    def __init__(self, c):
        self.c = c

    def run(self):
        c, ofp, p = self.c, self.c.ofp, self.c.parser
        drop, remark = p.OFPMeterBandDrop(1000, 50), p.OFPMeterBandDscpRemark(500, 25, 1)
        add, kbps = ofp.OFPMC_ADD, ofp.OFPMF_KBPS
        c.say("meters", c.make("OFPMeterMod", add, kbps | ofp.OFPMF_STATS, 1, [drop]),
              c.make("OFPMeterMod", add, ofp.OFPMF_PKTPS | ofp.OFPMF_BURST, 2, [drop]))
        c.say("one that remarks", c.make("OFPMeterMod", add, kbps, 3, [remark, drop]))
        self.dump("they are dumped")
        c.say("one is there already", c.make("OFPMeterMod", add, kbps, 1, [drop]))
        c.say("none such to change", c.make("OFPMeterMod", ofp.OFPMC_MODIFY, kbps, 9, [drop]))
        c.say("no such command", c.make("OFPMeterMod", 77, kbps, 9, [drop]))
        c.say("both units", c.make("OFPMeterMod", add, kbps | ofp.OFPMF_PKTPS, 9, [drop]))
        c.say("one is changed", c.make("OFPMeterMod", ofp.OFPMC_MODIFY, kbps, 1, [p.OFPMeterBandDrop(7, 8)]))
        c.say("flows use them", self.metered(2), self.metered(9))
        self.dump("what is there")
        c.say("a meter goes with its flow", c.make("OFPMeterMod", ofp.OFPMC_DELETE, 0, 2, []), c.dump())
        c.say("all go", c.make("OFPMeterMod", ofp.OFPMC_DELETE, 0, ofp.OFPM_ALL, []))
        self.dump("nothing is there")

    def metered(self, number):
        c = self.c
        if VERSION == 6:
            return c.flow([c.parser.OFPActionMeter(number), c.output(1)], priority=number)
        return c.flow([c.output(1)], priority=number, before=[c.parser.OFPInstructionMeter(number)],
                      flags=c.ofp.OFPFF_SEND_FLOW_REM)

    def dump(self, name):
        c = self.c
        c.say(name, c.make("OFPMeterDescStatsRequest" if VERSION == 6 else "OFPMeterConfigStatsRequest"),
              c.make("OFPMeterStatsRequest"), *([c.make("OFPMeterFeaturesStatsRequest")] if VERSION < 6 else []))


class Bundles:
    def __init__(self, c):
        self.c, self.onf = c, VERSION == 4

    def run(self):
        c, ofp = self.c, self.c.ofp
        names = ("OPEN_REQUEST", "CLOSE_REQUEST", "COMMIT_REQUEST", "DISCARD_REQUEST")
        begin, end, commit, discard = (getattr(ofp, f"ONF_BCT_{n}" if self.onf else f"OFPBCT_{n}") for n in names)
        good = [self.flow(p) for p in (1, 2, 3)]
        bad = c.flow([c.parser.OFPActionGroup(77)], priority=9)
        c.say("tables are emptied", c.clear())
        c.say("a bundle is open", self.control(1, begin), *(self.add(1, f) for f in good), c.dump())
        c.say("it is open already", self.control(1, begin))
        c.say("it is closed and committed", self.control(1, end), self.control(1, commit), c.dump())
        c.say("it is gone", self.control(1, commit))
        c.say("one with an error changes nothing", self.control(2, begin), self.add(2, c.clear()), self.add(2, bad),
              self.control(2, commit), c.dump())
        c.say("one is discarded", self.control(3, begin), self.add(3, c.clear()), self.control(3, discard), c.dump())
        c.say("none is open", self.control(4, end), self.control(4, discard))
        c.say("what a bundle cannot hold", self.control(5, begin), self.add(5, c.make("OFPEchoRequest", b"")),
              self.control(5, commit))
        c.say("no such request", self.control(6, 77))
        c.say("by its first message", self.add(7, self.flow(4)), self.control(7, commit))
        c.say("closed is closed", self.control(8, begin), self.control(8, end), self.add(8, self.flow(5)),
              self.control(8, discard))
        c.say("tables are emptied", c.clear())

    def flow(self, number):
        return self.c.flow([self.c.output(number)], priority=number, cookie=number)

    def control(self, number, kind):
        flags = self.c.ofp.ONF_BF_ATOMIC if self.onf else self.c.ofp.OFPBF_ATOMIC
        return self.c.make("ONFBundleCtrlMsg" if self.onf else "OFPBundleCtrlMsg", number, kind, flags, [])

    def add(self, number, message):
        flags = self.c.ofp.ONF_BF_ATOMIC if self.onf else self.c.ofp.OFPBF_ATOMIC
        return self.c.make("ONFBundleAddMsg" if self.onf else "OFPBundleAddMsg", number, flags, message, [])


class Monitors:
    def __init__(self, c):
        self.c = c

    def run(self):
        c, ofp = self.c, self.c.ofp
        c.say("tables are emptied", c.clear(), c.flow([c.output(1)], priority=1, cookie=1))
        c.say("all is watched", self.monitor(1))
        c.say("a second one", self.monitor(2, table_id=3))
        match = c.parser.OFPMatch(eth_type=0x800, ipv4_src="10.0.0.1")
        c.say("a flow comes", c.flow([c.output(2)], priority=2, match=match, cookie=2))
        c.say("it is changed", c.flow([c.output(3)], ofp.OFPFC_MODIFY, match=match))
        c.say("it goes", c.flow([], ofp.OFPFC_DELETE, match=match))
        c.say("one in a table", c.flow([], priority=3, table_id=3))
        c.say("one is given up", self.monitor(2, command=ofp.OFPFMC_DELETE))
        c.say("tables are emptied", c.clear())

    def monitor(self, number, **more):
        c, ofp = self.c, self.c.ofp
        flags = ofp.OFPFMF_INITIAL | ofp.OFPFMF_ADD | ofp.OFPFMF_REMOVED | ofp.OFPFMF_MODIFY | ofp.OFPFMF_INSTRUCTIONS
        return c.make("OFPFlowMonitorRequest", 0, number, monitor_flags=flags, **more)


class App(app_manager.OSKenApp):
    OFP_VERSIONS = [VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard, self.port_of, self.learning = hub.Queue(), {}, False

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def on_features(self, event):
        hub.spawn(self.talk, event.msg.datapath)

    def talk(self, datapath):
        c = Conversation(datapath, self.heard)
        for part in [Flows, *([Groups, Meters, Bundles] if VERSION > 1 else []), *([Monitors] if VERSION > 4 else [])]:
            part(c).run()
        self.learning = True
        if VERSION > 1:
            to_us = [c.output(c.ofp.OFPP_CONTROLLER, c.ofp.OFPCML_NO_BUFFER)]
            c.say("what no flow matches comes to us", c.flow(to_us, priority=0))
        c.write("end")

    @set_ev_cls(MESSAGES, MAIN_DISPATCHER)
    def on_message(self, event):
        m = event.msg
        if self.learning and isinstance(m, m.datapath.ofproto_parser.OFPPacketIn):
            self.learn(m)
        elif not isinstance(m, (m.datapath.ofproto_parser.OFPPacketIn, m.datapath.ofproto_parser.OFPEchoRequest)):
            self.heard.put(m)

    def learn(self, m):
        c = Conversation.__new__(Conversation)
        c.datapath, c.parser, c.ofp = m.datapath, m.datapath.ofproto_parser, m.datapath.ofproto
        in_port = m.in_port if VERSION == 1 else m.match["in_port"]
        eth = packet.Packet(m.data).get_protocols(ethernet.ethernet)[0]
        self.port_of[eth.src] = in_port
        out = self.port_of.get(eth.dst, c.ofp.OFPP_FLOOD)
        if out != c.ofp.OFPP_FLOOD:
            names = ("dl_src", "dl_dst") if VERSION == 1 else ("eth_src", "eth_dst")
            match = c.parser.OFPMatch(in_port=in_port, **dict(zip(names, (eth.src, eth.dst))))
            m.datapath.send_msg(c.flow([c.output(out)], priority=1, match=match))
        where = {"match": c.parser.OFPMatch(in_port=in_port)} if VERSION == 6 else {"in_port": in_port}
        m.datapath.send_msg(c.make("OFPPacketOut", buffer_id=c.ofp.OFP_NO_BUFFER if VERSION > 1 else 0xffffffff,
                                   actions=[c.output(out)], data=m.data, **where))
