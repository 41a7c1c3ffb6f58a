"""Decoders of OpenFlow actions."""
import functools
import re

from ovs.flow.decoders import (EthMask, IPMask, decode_default, decode_flag, decode_free_output, decode_int,
                               decode_mask, decode_nat, decode_time)
from ovs.flow.kv import KeyValue, KVDecoders, ParseError, decode_nested_kv, decode_nested_kv_list, nested_kv_decoder
from ovs.flow.list import ListDecoders, nested_list_decoder
from ovs.flow.ofp_fields import field_aliases, field_decoders

_FIELD = re.compile(r"(?P<name>\w+)(?:\[(?:(?P<start>\d+)(?:\.\.(?P<end>\d+))?)?\])?")


def _field_name(text):
    """The name in the field registry of what text calls so, or None."""
    return text if text in field_decoders else field_aliases.get(text)


def _is_field(text):
    m = _FIELD.fullmatch(text)
    return bool(m and _field_name(m["name"]))


def decode_field(value):
    """NAME, NAME[], NAME[BIT], NAME[START..END] of ovs-actions(7)."""
    m = _FIELD.fullmatch(value)
    if not m or not _field_name(m["name"]):
        raise ParseError(f"Field not supported: {value}")
    out = {"field": m["name"]}
    if m["start"]:
        out |= {"start": int(m["start"]), "end": int(m["end"] or m["start"])}
    return out


def _arrow(value):
    """The two sides of "A->B"."""
    left, arrow, right = value.partition("->")
    if not arrow:
        raise ParseError(f"Malformed action, '->' expected: {value}")
    return left, right


def decode_output(value):
    """PORT, or port=PORT,max_len=N."""
    if value.startswith("port=") or "," in value:
        return decode_nested_kv(KVDecoders({"port": _port, "max_len": decode_int}), value)
    return {"port": _port(value)}


def _port(value):
    return decode_default(value.strip('"'))


_CONTROLLER = KVDecoders({"max_len": decode_int, "id": decode_int, "reason": decode_default, "userdata": decode_default,
                          "pause": decode_flag, "meter_id": decode_int})


def decode_controller(value):
    """Without a value it is an output to the port of that name."""
    if not value:
        return KeyValue("output", {"port": "CONTROLLER"})
    if re.fullmatch(r"\w+", value) and value != "pause":
        return {"max_len": decode_int(value)}
    return decode_nested_kv(_CONTROLLER, value)


def decode_bundle(value, load=False):
    """FIELDS,BASIS,ALGORITHM,ofport[,DST],members:PORT,..."""
    head, *ports = re.split(r",(?:members|slaves):", value)
    names = ["fields", "basis", "algorithm", None] + (["dst"] if load else [])
    parts = head.split(",")
    if len(ports) != 1 or len(parts) != len(names):
        raise ParseError(f"Malformed bundle action: {value}")
    out = {name: decode_default(part) for name, part in zip(names, parts) if name}
    return out | {"members": [decode_default(port) for port in ports[0].split(",") if port]}


def decode_bundle_load(value):
    """With DST."""
    return decode_bundle(value, True)


def _encap_nsh(value):
    """md_type=N and tlv(CLASS,TYPE,VALUE); several of those are a list."""
    tlv = nested_list_decoder(ListDecoders([("class", decode_int), ("type", decode_int), ("value", decode_int)]))
    props = decode_nested_kv_list(KVDecoders({"md_type": decode_default, "tlv": tlv}), value)
    if props is True:
        return True
    out = {}
    for prop in props:
        for key, v in prop.items():
            out[key] = v if key not in out else (out[key] if isinstance(out[key], list) else [out[key]]) + [v]
    return out


def decode_encap(value):
    """ethernet, mpls, nsh(...): {"header": ..., "props": ...}."""
    def header(name):
        return lambda v: {"header": name} | ({"props": _encap_nsh(v)} if name == "nsh" else {})

    if not value:
        raise ParseError("encap: no header")
    if value in ("nsh", "nsh()"):
        return {"header": "nsh", "props": True}
    kinds = KVDecoders({"nsh": header("nsh")}, default_free=lambda key: (key, {"header": key}))
    (pair,) = decode_nested_kv_list(kinds, value)
    return next(iter(pair.values()))


def decode_load_field(value):
    """VALUE->DST."""
    v, dst = _arrow(value)
    return {"value": decode_int(v), "dst": decode_field(dst)}


def decode_set_field(field_decoders, value):
    """VALUE[/MASK]->DST; 'field_decoders' are KVDecoders."""
    v, dst = _arrow(value)
    where = decode_field(dst)
    _, decoded = field_decoders.decode(_field_name(where["field"]), v)
    return {"value": {where["field"]: decoded}, "dst": where}


def decode_move_field(value):
    """SRC->DST."""
    src, dst = _arrow(value)
    return {"src": decode_field(src), "dst": decode_field(dst)}


def decode_dec_ttl(value):
    """The ids of controllers, or True."""
    return [decode_int(v) for v in value.split(",")] if value else True


def decode_chk_pkt_larger(value):
    """(LENGTH)->DST."""
    length, dst = _arrow(value)
    return {"pkt_len": decode_int(length.strip("()")), "dst": decode_field(dst)}


def decode_zone(value):
    """A number or a field."""
    try:
        return decode_int(value)
    except ValueError:
        return decode_field(value)


def _learn_load(value):
    """VALUE->DST or SRC->DST."""
    return decode_move_field(value) if _is_field(_arrow(value)[0]) else decode_load_field(value)


class _LearnDecoders(KVDecoders):
    """Beside settings and actions: FIELD=VALUE, FIELD=FIELD and FIELD."""

    def decode(self, keyword, value_str):
        if not _is_field(keyword) or keyword in self._decoders:
            if not value_str and keyword not in self._decoders:
                raise ParseError(f"Neither a field nor a setting: {keyword}")
            return super().decode(keyword, value_str)
        if not value_str:
            return keyword, decode_field(keyword)
        if _is_field(value_str):
            return keyword, decode_field(value_str)
        return keyword, field_decoders[_field_name(_FIELD.fullmatch(keyword)["name"])](value_str)


def decode_learn(action_decoders):
    """The decoder of learn's value, which may have the given actions too."""
    settings = dict.fromkeys(("table", "priority", "cookie", "limit"), decode_int)
    settings |= dict.fromkeys(("idle_timeout", "hard_timeout", "fin_idle_timeout", "fin_hard_timeout"), decode_time)
    settings |= dict.fromkeys(("send_flow_rem", "delete_learned"), decode_flag)
    settings |= {"result_dst": decode_field, "load": _learn_load}
    return functools.partial(decode_nested_kv_list, _LearnDecoders({**action_decoders, **settings}))


def _set_field():
    return functools.partial(decode_set_field, KVDecoders(field_decoders))


def _ct():
    changes = {"load": decode_load_field, "move": decode_move_field, "set_field": _set_field()}
    return nested_kv_decoder(KVDecoders({
        "commit": decode_flag, "force": decode_flag, "zone": decode_zone, "table": decode_int, "alg": decode_default,
        "nat": decode_nat, "exec": nested_kv_decoder(KVDecoders(changes), is_list=True)}))


def _lists():
    return {
        "enqueue": nested_list_decoder(ListDecoders([("port", _port), ("queue", decode_int)]), (",", ":")),
        "resubmit": nested_list_decoder(ListDecoders([
            ("port", decode_default), ("table", decode_int), ("ct", decode_flag)])),
        "multipath": nested_list_decoder(ListDecoders([
            ("fields", decode_default), ("basis", decode_int), ("algorithm", decode_default), ("n_links", decode_int),
            ("arg", decode_int), ("dst", decode_field)])),
        "conjunction": nested_list_decoder(ListDecoders([
            ("id", decode_int), ("k", decode_int), ("n", decode_int)]), (",", "/")),
    }


def action_decoders():
    """{name: decoder} of all actions and instructions."""
    out = dict.fromkeys((
        "drop", "pop_vlan", "strip_vlan", "decap", "dec_mpls_ttl", "dec_nsh_ttl", "pop_queue", "ct_clear", "exit",
        "clear_actions"), decode_flag)
    out |= dict.fromkeys((
        "group", "push_vlan", "set_mpls_label", "set_mpls_tc", "set_mpls_ttl", "mod_nw_tos", "mod_nw_ecn", "mod_tp_src",
        "mod_tp_dst", "set_tunnel", "set_tunnel64", "set_queue", "note"), decode_default)
    out |= dict.fromkeys((
        "pop_mpls", "push_mpls", "mod_nw_ttl", "mod_vlan_vid", "set_vlan_vid", "mod_vlan_pcp", "set_vlan_pcp", "meter",
        "goto_table"), decode_int)
    out |= dict.fromkeys(("mod_dl_src", "mod_dl_dst"), EthMask) | dict.fromkeys(("mod_nw_src", "mod_nw_dst"), IPMask)
    out |= dict.fromkeys(("push", "pop", "delete_field"), decode_field)
    out |= _lists() | {
        "output": decode_output, "controller": decode_controller, "bundle": decode_bundle,
        "bundle_load": decode_bundle_load, "encap": decode_encap, "load": decode_load_field, "set_field": _set_field(),
        "move": decode_move_field, "dec_ttl": decode_dec_ttl, "check_pkt_larger": decode_chk_pkt_larger, "ct": _ct(),
        "write_metadata": decode_mask(64),
        "fin_timeout": nested_kv_decoder(KVDecoders({"idle_timeout": decode_time, "hard_timeout": decode_time})),
        "sample": nested_kv_decoder(KVDecoders({
            "probability": decode_int, "collector_set_id": decode_int, "obs_domain_id": decode_int,
            "obs_point_id": decode_int, "sampling_port": decode_default, "egress": decode_flag,
            "ingress": decode_flag})),
    }
    out["learn"] = decode_learn(dict(out))
    nested = KVDecoders(default_free=decode_free_output, ignore_case=True)
    for name in "clone", "write_actions", "apply_actions":
        out[name] = nested_kv_decoder(nested, is_list=True)
    nested.add(out)  # They may hold themselves.
    return out
