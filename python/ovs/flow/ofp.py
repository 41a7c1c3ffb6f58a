"""OpenFlow flows, as ovs-ofctl prints them and takes them."""
import functools

from ovs.flow.decoders import decode_flag, decode_free_output, decode_int, decode_time
from ovs.flow.flow import Flow, parse_section
from ovs.flow.kv import KVDecoders
from ovs.flow.ofp_act import action_decoders
from ovs.flow.ofp_fields import field_decoders

_PROTOCOLS = ("eth", "ip", "ipv6", "icmp", "icmp6", "tcp", "tcp6", "udp", "udp6", "sctp", "sctp6", "arp", "rarp",
              "mpls", "mplsm")


def _last_space(text):
    """Where the last space is that is in no quotes; -1: nowhere."""
    at, quoted = -1, False
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif c == " " and not quoted:
            at = i
    return at


class OFPFlow(Flow):
    """info (table, cookie, duration...), match (with the priority) and actions, each an attribute."""

    def __init__(self, ofp_string, id=None):  # pylint: disable=redefined-builtin
        left, mark, actions = ofp_string.partition("actions=")
        if not mark or "actions=" in actions:
            raise ValueError(f"malformed ofproto flow: {ofp_string}")
        head = left.rstrip(" ")
        at = _last_space(head) + 1
        if head.endswith(","):  # Nothing is matched.
            at = len(head)
        info, match = head[:at].strip(" "), head[at:]
        super().__init__([
            parse_section("info", ofp_string.index(info), info, self.info_decoders()),
            parse_section("match", at if match else 0, match, self.match_decoders()),
            parse_section("actions", len(left) + len(mark) if actions else 0, actions, self.action_decoders(), True),
        ], ofp_string, id)

    @staticmethod
    @functools.cache
    def info_decoders():
        decoders = dict.fromkeys(("table", "n_packets", "n_packet", "n_bytes", "cookie", "importance"), decode_int)
        decoders |= dict.fromkeys(("duration", "idle_timeout", "hard_timeout", "idle_age", "hard_age"), decode_time)
        return KVDecoders(decoders)

    @staticmethod
    @functools.cache
    def match_decoders():
        # Dumps have two fields by other names than those that one gives.
        shown = {name: field_decoders["tun_" + name] for name in ("gtpu_flags", "gtpu_msgtype")}
        return KVDecoders(field_decoders | shown | dict.fromkeys(_PROTOCOLS, decode_flag) | {"priority": decode_int})

    @staticmethod
    @functools.cache
    def action_decoders():
        return KVDecoders(action_decoders(), default_free=decode_free_output, ignore_case=True)
