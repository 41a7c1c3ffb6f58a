"""ovs.flow: flows of OpenFlow and of datapaths as data, values, filters."""
import json
import os
import re

# Names for the expressions below.
from ovs.flow.decoders import *  # noqa: F401,F403
from ovs.flow.decoders import FlowEncoder
from ovs.flow.filter import OFFilter
from ovs.flow.kv import *  # noqa: F401,F403
from ovs.flow.list import *  # noqa: F401,F403
from ovs.flow.odp import ODPFlow
from ovs.flow.ofp import OFPFlow

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flow_corpus.txt")
FILTERED = [
    OFPFlow("cookie=0x5,table=3, ip,priority=5,nw_src=10.0.0.0/8,in_port=3,reg0=0x5/0xf,dl_src=00:00:00:00:00:01,"
            "tcp_flags=+syn actions=output:2,ct(commit,zone=5),set_field:5->reg1,resubmit(,4),drop"),
    ODPFlow("ufid:f76fc899-376d-466b-bc74-0000564b933b, recirc_id(0x1),in_port(p1),eth(src=00:00:00:00:00:01),"
            "ipv4(src=10.0.0.0/255.0.0.0,proto=6),tcp(dst=80/0xfff0), packets:5, bytes:7, used:0.5s, flags:S, "
            "actions:2,ct(zone=3),recirc(0x3)"),
]


def lines(section):
    """Of the corpus, behind "== SECTION"."""
    with open(CORPUS, encoding="utf-8") as f:
        return f.read().split(f"== {section}\n")[1].split("\n== ")[0].strip("\n").split("\n")


def show(flow):
    for section in flow.sections:
        # Where the actions begin, the reference does not always say right.
        where = "" if section.name == "actions" else section.pos
        print(f"{section.name} {where} {section.string!r} {section.is_list}")
        for kv in section.data:
            m = kv.meta
            print(f"   {kv.key} = {json.dumps(kv.value, cls=FlowEncoder)} {type(kv.value).__name__} {m} {m.delim!r} "
                  f"{m.end_delim!r}")
    print(json.dumps(flow.dict(), cls=FlowEncoder), str(flow) == flow.orig)


for kind, part in (OFPFlow, "OPENFLOW"), (ODPFlow, "DATAPATH"):
    for line in lines(part):
        print(">", line)
        try:
            show(kind(line))
        except Exception as e:  # pylint: disable=broad-except
            print(type(e).__name__, e)

for line in lines("EXPRESSIONS"):
    try:
        value = eval(line)  # pylint: disable=eval-used
        print(line, "=>", re.sub("0x[0-9a-f]{8,}", "?", f"{value!r} | {value}"), type(value).__name__)
    except Exception as e:  # pylint: disable=broad-except
        print(line, "=>", type(e).__name__)

for line in lines("FILTERS"):
    for flow in FILTERED:
        try:
            result = OFFilter(line).evaluate(flow)
            print(line, "=>", bool(result), sorted({kv.key for kv in result.kv}))
        except Exception as e:  # pylint: disable=broad-except
            print(line, "=>", type(e).__name__)
