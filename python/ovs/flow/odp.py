"""Datapath flows, as ovs-appctl dpctl/dump-flows and ovs-dpctl print them."""
import functools
import re

from ovs.flow.decoders import (EthMask, IPMask, Mask8, Mask16, Mask32, Mask64, Mask128, decode_default, decode_flag,
                               decode_free_output, decode_int, decode_mask, decode_nat, decode_time)
from ovs.flow.flow import Flow, parse_section
from ovs.flow.kv import KVDecoders, ParseError, decode_nested_kv, nested_kv_decoder


def _nested(**decoders):
    return nested_kv_decoder(KVDecoders(decoders))


def decode_geneve(mask, value):
    """{class=N,type=N,len=N,DATA}...; 'mask': its numbers may have masks."""
    def number(cls):
        return cls if mask else decode_int

    options = []
    for text in re.findall(r"\{([^}]*)\}", value):
        # The data has no name, and any width.
        head, _, data = text.rpartition(",")
        if "=" in data:
            head, data = text, ""
        option = decode_nested_kv(KVDecoders({"class": number(Mask16), "type": number(Mask8), "len": number(Mask8)}),
                                  head)
        if data:
            option["data"] = number(decode_mask(128 * 8))(data)
        options.append(option)
    if not options and value not in ("", "{}"):
        raise ParseError(f"Malformed geneve options: {value}")
    return options


def decode_tnl_gre(value):
    """(flags=N,proto=N),key=N..."""
    m = re.match(r"\(([^)]*)\),?", value)
    inner, rest = (m[1], value[m.end():]) if m else ("", value)
    keys = KVDecoders(dict.fromkeys(("flags", "proto", "key", "csum", "seq"), decode_int))
    return {k: v for text in (inner, rest) if text for k, v in decode_nested_kv(keys, text).items()}


def _tunnel():
    return _nested(
        tun_id=Mask64, src=IPMask, dst=IPMask, ipv6_src=IPMask, ipv6_dst=IPMask, tos=Mask8, ttl=Mask8, tp_src=Mask16,
        tp_dst=Mask16, flags=decode_default, geneve=functools.partial(decode_geneve, True),
        erspan=_nested(ver=Mask8, idx=Mask32, sid=decode_int, dir=Mask8, hwid=Mask8),
        vxlan=_nested(gbp=_nested(id=Mask16, flags=Mask8)), gtpu=_nested(flags=Mask8, msgtype=Mask8))


def _nsh():
    return _nested(
        flags=Mask8, ttl=Mask8, mdtype=Mask8, np=Mask8, spi=decode_mask(24), si=Mask8, c1=Mask32, c2=Mask32, c3=Mask32,
        c4=Mask32, md2=decode_default)


def _tuple():
    return _nested(src=IPMask, dst=IPMask, proto=Mask8, tp_src=Mask16, tp_dst=Mask16)


def _vlan():
    return _nested(vid=Mask16, pcp=Mask16, cfi=Mask8, tpid=Mask16)


def _mpls():
    return _nested(**dict.fromkeys(("label", "tc", "ttl", "bos"), Mask32) | {"eth_type": Mask16})


@functools.cache
def field_decoders():
    """Of what keys and set actions have."""
    ports = _nested(src=Mask16, dst=Mask16)
    icmp = _nested(type=Mask8, code=Mask8)
    out = {
        "skb_priority": Mask32, "skb_mark": Mask32, "recirc_id": decode_int, "dp_hash": Mask32,
        "ct_state": decode_default, "ct_zone": Mask16, "ct_mark": Mask32, "ct_label": Mask128, "ct_tuple4": _tuple(),
        "ct_tuple6": _tuple(), "tunnel": _tunnel(), "in_port": decode_default, "eth": _nested(src=EthMask, dst=EthMask),
        "vlan": _vlan(), "eth_type": Mask16, "mpls": _mpls(), "tcp": ports, "udp": ports, "sctp": ports,
        "tcp_flags": decode_default, "icmp": icmp, "icmpv6": icmp, "nsh": _nsh(),
        "ipv4": _nested(src=IPMask, dst=IPMask, proto=Mask8, tos=Mask8, ttl=Mask8, frag=decode_default),
        "ipv6": _nested(src=IPMask, dst=IPMask, label=decode_mask(20), proto=Mask8, tclass=Mask8, hlimit=Mask8,
                        frag=decode_default),
        "arp": _nested(sip=IPMask, tip=IPMask, op=Mask16, sha=EthMask, tha=EthMask),
        "nd": _nested(target=IPMask, sll=EthMask, tll=EthMask),
        "nd_ext": _nested(nd_reserved=Mask32, nd_options_type=Mask8), "packet_type": _nested(ns=Mask16, id=Mask16),
    }
    inner = KVDecoders(out)
    inner.add({"encap": nested_kv_decoder(inner)})  # There may be one more.
    out["encap"] = nested_kv_decoder(inner)
    return out


def _userspace():
    flow_sample = dict.fromkeys(("probability", "collector_set_id", "obs_domain_id", "obs_point_id"), decode_int)
    controller = dict.fromkeys(("reason", "dont_send", "continuation", "recirc_id", "rule_cookie", "controller_id",
                                "max_len"), decode_int)
    return _nested(
        pid=decode_int, sFlow=_nested(vid=decode_int, pcp=decode_int, output=decode_int), slow_path=decode_default,
        flow_sample=_nested(**flow_sample, output_port=decode_default, egress=decode_flag, ingress=decode_flag),
        ipfix=_nested(output_port=decode_default), controller=_nested(**controller), userdata=decode_default,
        tunnel_out_port=decode_default, actions=decode_flag)


def _tnl_push():
    ip = dict.fromkeys(("proto", "tos", "ttl", "frag", "label", "tclass", "hlimit"), decode_int)
    erspan = dict.fromkeys(("ver", "sid", "idx", "dir", "hwid", "ts"), decode_int)
    numbers = dict.fromkeys(("flags", "vni", "group", "gbp", "oam", "crit", "msgtype", "teid"), decode_int)
    header = _nested(
        size=decode_int, type=decode_int, eth=_nested(dst=EthMask, src=EthMask, dl_type=decode_int),
        ipv4=_nested(src=IPMask, dst=IPMask, **ip), ipv6=_nested(src=IPMask, dst=IPMask, **ip),
        udp=_nested(src=decode_int, dst=decode_int, csum=Mask16), vxlan=_nested(**numbers),
        geneve=_nested(oam=decode_flag, crit=decode_flag, vni=decode_int,
                       options=functools.partial(decode_geneve, False)),
        gre=decode_tnl_gre, erspan=_nested(**erspan), gtpu=_nested(**numbers), srv6=_nested(
            segments_left=decode_int, segs=decode_default))
    return _nested(tnl_port=decode_default, header=header, out_port=decode_default)


def _ct():
    return _nested(
        commit=decode_flag, force_commit=decode_flag, zone=decode_int, mark=Mask32, label=Mask128,
        helper=decode_default, timeout=decode_default, nat=decode_nat)


def _one_or_all(actions):
    """The action if there is one, a list if there are several."""
    def decode(value):
        found = actions(value)
        return found[0] if isinstance(found, list) and len(found) == 1 else found

    return decode


@functools.cache
def action_decoders():
    """{name: decoder}."""
    vlan = _nested(**dict.fromkeys(("vid", "pcp", "tpid", "cfi"), decode_int))
    mpls = _nested(**dict.fromkeys(("label", "tc", "ttl", "bos", "eth_type"), decode_int))
    nsh = dict.fromkeys(("flags", "ttl", "mdtype", "np", "spi", "si", "c1", "c2", "c3", "c4"), decode_int)
    out = dict.fromkeys(("drop", "pop_vlan", "pop_nsh", "ct_clear", "pop_eth"), decode_flag)
    out |= dict.fromkeys(("lb_output", "trunc", "recirc", "tnl_pop", "meter"), decode_int) | {
        "userspace": _userspace(), "set": nested_kv_decoder(KVDecoders(field_decoders())),
        "push_vlan": vlan, "push_nsh": _nested(**nsh, md2=decode_default),
        "push_eth": _nested(src=EthMask, dst=EthMask, type=decode_int),
        "pop_mpls": _nested(eth_type=decode_int), "push_mpls": mpls, "add_mpls": mpls, "ct": _ct(),
        "tnl_push": _tnl_push(), "hash": decode_default, "psample": _nested(group=decode_int, cookie=decode_default),
    }
    nested = KVDecoders(out, default_free=decode_free_output)
    actions = nested_kv_decoder(nested, is_list=True)
    one = _one_or_all(actions)
    out |= {
        "clone": actions,
        "sample": _nested(sample=lambda v: float(v.removesuffix("%")), actions=actions),
        "check_pkt_len": _nested(size=decode_int, gt=one, le=one),
        "dec_ttl": _nested(le_1=actions),
    }
    nested.add(out)  # They may hold themselves.
    return out


class ODPFlow(Flow):
    """ufid (if there is one), info (packets, bytes, used, flags), match and actions, each an attribute."""

    def __init__(self, odp_string, id=None):  # pylint: disable=redefined-builtin
        left, mark, actions = odp_string.partition("actions:")
        if not mark:
            raise ValueError(f"malformed odp flow: {odp_string}")
        sections, at = [], 0
        ufid, space, _ = left.partition(" ")
        if ufid.startswith("ufid:"):
            sections.append(parse_section("ufid", 0, ufid, KVDecoders({"ufid": str})))
            at = len(ufid) + len(space)
        # Keys are followed by commas alone.
        match = left[at:].split(" ", 1)[0]
        info_at = at + len(match) + 1
        info = left[info_at:]
        if not info:
            info_at = 0
        super().__init__([
            *sections,
            parse_section("info", info_at, info, self.info_decoders()),
            parse_section("match", at, match, self.match_decoders()),
            parse_section("actions", len(left) + len(mark), actions, self.action_decoders(), True),
        ], odp_string, id)

    @staticmethod
    @functools.cache
    def info_decoders():
        return KVDecoders({"packets": decode_int, "bytes": decode_int, "used": decode_time, "flags": decode_default,
                           "dp": decode_default, "offloaded": decode_default, "dp-extra-info": decode_default})

    @staticmethod
    @functools.cache
    def match_decoders():
        return KVDecoders(field_decoders())

    @staticmethod
    @functools.cache
    def action_decoders():
        return KVDecoders(action_decoders(), default_free=decode_free_output)
