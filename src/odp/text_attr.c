/* The attributes of datapath keys: rows of members, in the order in which they are printed. */
#include "odp/member.h"

#define ATTR_MEMBERS(NAME) static const struct member NAME##_members[]
#define ONE(NAME, FLOW, N_BITS, KIND) ATTR_MEMBERS(NAME) = { MEMBER("", FLOW, 0, N_BITS, KIND) }

ONE(skb_priority, skb_priority, 32, HEX);
ONE(skb_mark, pkt_mark, 32, HEX);
ONE(ct_state, ct_state, 8, CT_STATE);
ONE(ct_zone, ct_zone, 16, HEX);
ONE(ct_mark, ct_mark, 32, HEX);
ONE(ct_label, ct_label, 128, WIDE_HEX);
ONE(recirc_id, recirc_id, 32, HEX);
ONE(dp_hash, dp_hash, 32, HEX);
ONE(in_port, in_port, 32, PORT);
ONE(eth_type, eth_type, 16, HEX4);
ATTR_MEMBERS(tcp_flags) = { MEMBER("", tcp_flags, 4, 12, TCP_FLAGS) };

ATTR_MEMBERS(ct_tuple4) = {
    MEMBER("src", ct_nw_src, 0, 32, IPV4), MEMBER("dst", ct_nw_dst, 0, 32, IPV4),
    MEMBER("proto", ct_nw_proto, 0, 8, DEC), MEMBER("tp_src", ct_tp_src, 0, 16, DEC),
    MEMBER("tp_dst", ct_tp_dst, 0, 16, DEC),
};
ATTR_MEMBERS(ct_tuple6) = {
    MEMBER("src", ct_ipv6_src, 0, 128, IPV6), MEMBER("dst", ct_ipv6_dst, 0, 128, IPV6),
    MEMBER("proto", ct_nw_proto, 0, 8, DEC), MEMBER("src_port", ct_tp_src, 0, 16, DEC),
    MEMBER("dst_port", ct_tp_dst, 0, 16, DEC),
    MEMBER_ALIAS("tp_src", ct_tp_src, 0, 16, DEC), /* The reference reads these, and prints the others. */
    MEMBER_ALIAS("tp_dst", ct_tp_dst, 0, 16, DEC),
};
ATTR_MEMBERS(eth) = { MEMBER("src", eth_src, 0, 48, ETH), MEMBER("dst", eth_dst, 0, 48, ETH) };
ATTR_MEMBERS(vlan) = {
    MEMBER("vid", vlan_tci, 4, 12, DEC_VLAN), MEMBER("pcp", vlan_tci, 0, 3, DEC_VLAN),
    MEMBER("cfi", vlan_tci, 3, 1, DEC_VLAN),
};
ATTR_MEMBERS(vlan2) = {
    MEMBER("vid", vlan2_tci, 4, 12, DEC_VLAN), MEMBER("pcp", vlan2_tci, 0, 3, DEC_VLAN),
    MEMBER("cfi", vlan2_tci, 3, 1, DEC_VLAN),
};
ATTR_MEMBERS(ipv4) = {
    MEMBER("src", nw_src, 0, 32, IPV4), MEMBER("dst", nw_dst, 0, 32, IPV4), MEMBER("proto", nw_proto, 0, 8, DEC),
    MEMBER("tos", nw_tos, 0, 8, HEX), MEMBER("ttl", nw_ttl, 0, 8, DEC), MEMBER("frag", nw_frag, 6, 2, FRAG),
};
ATTR_MEMBERS(ipv6) = {
    MEMBER("src", ipv6_src, 0, 128, IPV6), MEMBER("dst", ipv6_dst, 0, 128, IPV6),
    MEMBER("label", ipv6_label, 12, 20, HEX), MEMBER("proto", nw_proto, 0, 8, DEC),
    MEMBER("tclass", nw_tos, 0, 8, HEX), MEMBER("hlimit", nw_ttl, 0, 8, DEC), MEMBER("frag", nw_frag, 6, 2, FRAG),
};
ATTR_MEMBERS(ports) = { MEMBER("src", tp_src, 0, 16, DEC), MEMBER("dst", tp_dst, 0, 16, DEC) };
ATTR_MEMBERS(icmp) = { MEMBER("type", tp_src, 8, 8, DEC), MEMBER("code", tp_dst, 8, 8, DEC) };
ATTR_MEMBERS(nd) = {
    MEMBER("target", nd_target, 0, 128, IPV6), MEMBER("sll", arp_sha, 0, 48, ETH), MEMBER("tll", arp_tha, 0, 48, ETH),
};
ATTR_MEMBERS(nd_ext) = {
    MEMBER("nd_reserved", nd_reserved, 0, 32, HEX), MEMBER("nd_options_type", nd_options_type, 0, 8, DEC),
};
ATTR_MEMBERS(arp) = {
    MEMBER("sip", nw_src, 0, 32, IPV4), MEMBER("tip", nw_dst, 0, 32, IPV4), MEMBER("op", nw_proto, 0, 8, DEC),
    MEMBER("sha", arp_sha, 0, 48, ETH), MEMBER("tha", arp_tha, 0, 48, ETH),
};
ATTR_MEMBERS(nsh) = {
    MEMBER("flags", nsh_flags, 0, 8, DEC), MEMBER("ttl", nsh_ttl, 0, 8, DEC), MEMBER("mdtype", nsh_mdtype, 0, 8, DEC),
    MEMBER("np", nsh_np, 0, 8, DEC), MEMBER("spi", nsh_path, 0, 24, HEX), MEMBER("si", nsh_path, 24, 8, DEC),
    MEMBER("c1", nsh_context[0], 0, 32, HEX), MEMBER("c2", nsh_context[1], 0, 32, HEX),
    MEMBER("c3", nsh_context[2], 0, 32, HEX), MEMBER("c4", nsh_context[3], 0, 32, HEX),
};

static const struct attr_text attrs[] = {
#define ATTR(NAME, KEY, MEMBERS) { NAME, KEY, ARRAY_SIZE(MEMBERS##_members), MEMBERS##_members }
    ATTR("skb_priority", ODP_KEY_PRIORITY, skb_priority),
    ATTR("skb_mark", ODP_KEY_SKB_MARK, skb_mark),
    ATTR("ct_state", ODP_KEY_CT_STATE, ct_state),
    ATTR("ct_zone", ODP_KEY_CT_ZONE, ct_zone),
    ATTR("ct_mark", ODP_KEY_CT_MARK, ct_mark),
    ATTR("ct_label", ODP_KEY_CT_LABELS, ct_label),
    ATTR("ct_tuple4", 0, ct_tuple4),
    ATTR("ct_tuple6", 0, ct_tuple6),
    ATTR("recirc_id", ODP_KEY_RECIRC_ID, recirc_id),
    ATTR("dp_hash", ODP_KEY_DP_HASH, dp_hash),
    ATTR("in_port", ODP_KEY_IN_PORT, in_port),
    ATTR("eth", ODP_KEY_ETHERNET, eth),
    ATTR("vlan", ODP_KEY_VLAN, vlan),
    ATTR("vlan2", 0, vlan2),
    ATTR("eth_type", ODP_KEY_ETHERTYPE, eth_type),
    ATTR("ipv4", ODP_KEY_IPV4, ipv4),
    ATTR("ipv6", ODP_KEY_IPV6, ipv6),
    ATTR("tcp", ODP_KEY_TCP, ports),
    ATTR("udp", ODP_KEY_UDP, ports),
    ATTR("sctp", ODP_KEY_SCTP, ports),
    ATTR("tcp_flags", ODP_KEY_TCP_FLAGS, tcp_flags),
    ATTR("icmp", ODP_KEY_ICMP, icmp),
    ATTR("icmpv6", ODP_KEY_ICMPV6, icmp),
    ATTR("nd", ODP_KEY_ND, nd),
    ATTR("nd_ext", ODP_KEY_ND_EXTENSIONS, nd_ext),
    ATTR("arp", ODP_KEY_ARP, arp),
    ATTR("nsh", ODP_KEY_NSH, nsh),
#undef ATTR
};

const struct attr_text *
attr_by_name(const char *name, size_t n)
{
    for (const struct attr_text *a = attrs; a < attrs + ARRAY_SIZE(attrs); a++) {
        if (strlen(a->name) == n && !memcmp(a->name, name, n)) {
            return a;
        }
    }
    return NULL;
}

const struct attr_text *
attr_by_key(enum odp_key key)
{
    for (const struct attr_text *a = attrs; a < attrs + ARRAY_SIZE(attrs); a++) {
        if (key && a->key == key) {
            return a;
        }
    }
    return NULL;
}

bool
attr_is_any(const struct attr_text *a, const struct flow *mask)
{
    for (int i = 0; i < a->n_members; i++) {
        if (member_is_any(&a->members[i], mask)) {
            return true;
        }
    }
    return false;
}

/* Fragments are not shown wildcarded, the bit that says that there is a tag only where there is none; of a tag, what is
 * not 0 is. */
static bool
member_is_shown(const struct member *m, const struct flow *flow, const struct flow *mask, bool all)
{
    if (m->is_alias) {
        return false;
    }
    if (!strcmp(m->name, "cfi")) {
        return !member_get(m, flow);
    }
    return !mask || member_is_any(m, mask) || (all && m->kind != MEMBER_FRAG)
           || ((!strcmp(m->name, "vid") || !strcmp(m->name, "pcp")) && member_get(m, flow));
}

void
attr_put(struct str *s, const struct attr_text *a, const struct flow *flow, const struct flow *mask, bool all,
         const struct odp_names *names)
{
    str_putf(s, "%s(", a->name);
    for (int i = 0; i < a->n_members; i++) {
        const struct member *m = &a->members[i];

        if (member_is_shown(m, flow, mask, all)) {
            if (*m->name) {
                str_putf(s, "%s=", m->name);
            }
            member_put(s, m, flow, mask, names);
            str_putc(s, ',');
        }
    }
    str_chomp(s, ',');
    str_puts(s, "),");
}

static const struct member *
find_member(const struct attr_text *a, const char **p)
{
    size_t n = strcspn(*p, "=,)( ");

    for (int i = 0; i < a->n_members; i++) {
        const struct member *m = &a->members[i];

        if ((*p)[n] == '=' && strlen(m->name) == n && !memcmp(m->name, *p, n)) {
            *p += n + 1;
            return m;
        }
    }
    return NULL;
}

bool
attr_scan_member(const char **p, const struct attr_text *a, const struct odp_names *names, struct flow *flow,
                 struct flow *mask)
{
    const struct member *m = find_member(a, p);

    return m && member_scan(p, m, names, flow, mask);
}

bool
attr_scan(const char **p, const struct attr_text *a, const struct odp_names *names, struct flow *flow,
          struct flow *mask)
{
    if (!*a->members[0].name) {
        return member_scan(p, &a->members[0], names, flow, mask) && scan_literal(p, ")");
    }
    for (scan_separators(p); !scan_literal(p, ")"); scan_separators(p)) {
        if (!attr_scan_member(p, a, names, flow, mask)) {
            return false;
        }
    }
    return true;
}
