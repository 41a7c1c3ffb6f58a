#include "openflow/msg/fixed_match.h"

#include <string.h>

#include "openflow/port.h"

/* Wildcard bits of 1.0. */
enum {
    W10_IN_PORT = 1 << 0, W10_DL_VLAN = 1 << 1, W10_DL_SRC = 1 << 2, W10_DL_DST = 1 << 3, W10_DL_TYPE = 1 << 4,
    W10_NW_PROTO = 1 << 5, W10_TP_SRC = 1 << 6, W10_TP_DST = 1 << 7, W10_NW_SRC_SHIFT = 8, W10_NW_DST_SHIFT = 14,
    W10_DL_VLAN_PCP = 1 << 20, W10_NW_TOS = 1 << 21, W10_ALL = (1 << 22) - 1
};

/* Of 1.1. */
enum {
    W11_IN_PORT = 1 << 0, W11_DL_VLAN = 1 << 1, W11_DL_VLAN_PCP = 1 << 2, W11_DL_TYPE = 1 << 3, W11_NW_TOS = 1 << 4,
    W11_NW_PROTO = 1 << 5, W11_TP_SRC = 1 << 6, W11_TP_DST = 1 << 7, W11_MPLS_LABEL = 1 << 8, W11_MPLS_TC = 1 << 9,
    W11_ALL = (1 << 10) - 1
};

#define VLAN_NONE 0xffff
#define VLAN11_ANY 0xfffe
#define TOS_DSCP 0xfc

enum l3 { L3_NONE, L3_IPV4, L3_IPV6, L3_ARP, L3_MPLS };

static enum l3
l3_of(const struct match *m)
{
    switch (m->mask.eth_type ? be16_to_cpu(m->flow.eth_type) : 0) {
    case 0x0800: return L3_IPV4;
    case 0x86dd: return L3_IPV6;
    case 0x0806: case 0x8035: return L3_ARP;
    case 0x8847: case 0x8848: return L3_MPLS;
    }
    return L3_NONE;
}

/* What the ports of the match mean. */
enum l4 { L4_NONE, L4_PORTS, L4_ICMP };

static enum l4
l4_of(const struct match *m)
{
    enum l3 l3 = l3_of(m);

    if ((l3 != L3_IPV4 && l3 != L3_IPV6) || !m->mask.nw_proto) {
        return L4_NONE;
    }
    switch (m->flow.nw_proto) {
    case 6: case 17: case 132: return L4_PORTS;
    case 1: return l3 == L3_IPV4 ? L4_ICMP : L4_NONE;
    case 58: return l3 == L3_IPV6 ? L4_ICMP : L4_NONE;
    }
    return L4_NONE;
}

static void
set_vlan(struct match *m, uint16_t tci, uint16_t mask)
{
    m->flow.vlan_tci = cpu_to_be16(tci);
    m->mask.vlan_tci = cpu_to_be16(mask);
}

/* 'vid' and 'pcp' count unless they are wildcarded; 1.0 and 1.1 agree on VLAN_NONE. */
static void
decode_vlan(struct match *m, bool wild_vid, uint16_t vid, bool wild_pcp, uint8_t pcp)
{
    uint16_t tag = VLAN_PRESENT | (wild_vid ? 0 : vid & VLAN_VID_MASK) |
                   (wild_pcp ? 0 : (pcp << VLAN_PCP_SHIFT & VLAN_PCP_MASK));
    uint16_t mask = VLAN_PRESENT | (wild_vid ? 0 : VLAN_VID_MASK) | (wild_pcp ? 0 : VLAN_PCP_MASK);

    if (wild_vid && wild_pcp) {
        return;
    }
    set_vlan(m, tag, mask);
}

/* What is said of Ethernet and the layers above is about packets that have such a header (as match_set_field() has it
 * for matches of other forms). */
static void
imply_ethernet(struct match *m)
{
    static const struct eth_addr any;

    if (m->mask.eth_type || m->mask.vlan_tci || !eth_addr_equal(m->mask.eth_src, any) ||
        !eth_addr_equal(m->mask.eth_dst, any)) {
        m->mask.packet_ns = UINT8_MAX;
    }
}

static void
set_eth(struct eth_addr *value, struct eth_addr *mask, const uint8_t *p)
{
    memcpy(value, p, 6);
    memset(mask, 0xff, 6);
}

/* Of a number that is too large for ICMP's type or code all bits are kept, too, so that it matches nothing. */
static void
set_tp(struct match *m, const uint8_t *src, const uint8_t *dst)
{
    if (src) {
        m->flow.tp_src = cpu_to_be16(get_be16(src));
        m->mask.tp_src = BE16_MAX;
    }
    if (dst) {
        m->flow.tp_dst = cpu_to_be16(get_be16(dst));
        m->mask.tp_dst = BE16_MAX;
    }
}

static void
set_ip(be32 *value, be32 *mask, const uint8_t *p, be32 m)
{
    memcpy(value, p, 4);
    *value &= m;
    *mask = m;
}

/* The network and transport layers of 1.0: what the packet type does not have is ignored. */
static void
decode10_upper(const uint8_t *p, uint32_t w, struct match *m)
{
    enum l3 l3 = l3_of(m);

    if (l3 == L3_NONE || l3 == L3_MPLS) {
        return;
    }
    if (!(w & W10_NW_PROTO)) {
        m->flow.nw_proto = p[25];
        m->mask.nw_proto = 0xff;
    }
    if (l3 != L3_IPV6) {
        set_ip(&m->flow.nw_src, &m->mask.nw_src, p + 28, ipv4_prefix_mask(32 - MIN(w >> W10_NW_SRC_SHIFT & 63, 32)));
        set_ip(&m->flow.nw_dst, &m->mask.nw_dst, p + 32, ipv4_prefix_mask(32 - MIN(w >> W10_NW_DST_SHIFT & 63, 32)));
    }
    if (l3 != L3_ARP && !(w & W10_NW_TOS)) {
        m->flow.nw_tos = p[24] & TOS_DSCP;
        m->mask.nw_tos = TOS_DSCP;
    }
    if (l4_of(m)) {
        set_tp(m, w & W10_TP_SRC ? NULL : p + 36, w & W10_TP_DST ? NULL : p + 38);
    }
}

void
match10_decode(const uint8_t *p, struct match *m, bool *exact)
{
    uint32_t w = get_be32(p) & W10_ALL;
    uint16_t vid = get_be16(p + 18);

    match_init_catchall(m);
    if (exact) {
        *exact = !w;
    }
    if (!(w & W10_IN_PORT)) {
        match_set_u64(m, FIELD_IN_PORT_OXM, ofp_to_u32(ofp_port_from_u16(get_be16(p + 4))));
    }
    if (!(w & W10_DL_SRC)) {
        set_eth(&m->flow.eth_src, &m->mask.eth_src, p + 6);
    }
    if (!(w & W10_DL_DST)) {
        set_eth(&m->flow.eth_dst, &m->mask.eth_dst, p + 12);
    }
    if (!(w & W10_DL_VLAN) && vid == VLAN_NONE) {
        if (w & W10_DL_VLAN_PCP) {
            set_vlan(m, 0, 0xffff);
        } else {
            set_vlan(m, 0, 0xffff); /* A priority without a tag means nothing. */
        }
    } else {
        decode_vlan(m, w & W10_DL_VLAN, vid, w & W10_DL_VLAN_PCP, p[20]);
    }
    if (!(w & W10_DL_TYPE)) {
        memcpy(&m->flow.eth_type, p + 22, 2);
        m->mask.eth_type = BE16_MAX;
    }
    decode10_upper(p, w, m);
    imply_ethernet(m);
}

static uint32_t
prefix_wildcards(be32 mask, unsigned int shift)
{
    int n = ipv4_mask_to_prefix(mask);

    return (uint32_t) (32 - MAX(n, 0)) << shift;
}

/* Bits of 'tci' as the VLAN members of 1.0 and 1.1 have them.  '*any' (null in 1.0): a tag, whichever. */
static void
encode_vlan(const struct match *m, bool *wild_vid, uint16_t *vid, bool *wild_pcp, uint8_t *pcp, bool *any)
{
    uint16_t tci = be16_to_cpu(m->flow.vlan_tci), mask = be16_to_cpu(m->mask.vlan_tci);

    *vid = 0;
    *pcp = 0;
    *any = false;
    *wild_vid = *wild_pcp = true;
    if (mask & VLAN_PRESENT && !(tci & VLAN_PRESENT)) {
        *wild_vid = false;
        *vid = VLAN_NONE;
        return;
    }
    if (mask & VLAN_VID_MASK) {
        *wild_vid = false;
        *vid = tci & VLAN_VID_MASK;
    }
    if (mask & VLAN_PCP_MASK) {
        *wild_pcp = false;
        *pcp = tci >> VLAN_PCP_SHIFT;
    }
    *any = mask & (VLAN_PRESENT | VLAN_PCP_MASK) && *wild_vid;
}

/* The 16-bit members for ICMP and ports. */
static bool
tp_is_matched(const struct match *m, be16 mask)
{
    return l4_of(m) && mask;
}

void
match10_encode(struct bytes *b, const struct match *m)
{
    uint8_t *p = bytes_put_zeros(b, MATCH10_LEN);
    enum l3 l3 = l3_of(m);
    uint32_t w = 0;
    uint16_t vid;
    uint8_t pcp;
    bool wild_vid, wild_pcp, any;

    w |= m->mask.in_port ? 0 : W10_IN_PORT;
    put_be16(p + 4, m->mask.in_port ? be32_to_cpu(m->flow.in_port) : 0);
    w |= eth_addr_is_zero(m->mask.eth_src) ? W10_DL_SRC : 0;
    memcpy(p + 6, &m->flow.eth_src, 6);
    w |= eth_addr_is_zero(m->mask.eth_dst) ? W10_DL_DST : 0;
    memcpy(p + 12, &m->flow.eth_dst, 6);
    encode_vlan(m, &wild_vid, &vid, &wild_pcp, &pcp, &any);
    if (!wild_vid && vid == VLAN_NONE) {
        wild_pcp = false; /* As the reference writes it; without a tag the priority means nothing. */
    }
    w |= (wild_vid ? W10_DL_VLAN : 0) | (wild_pcp ? W10_DL_VLAN_PCP : 0);
    put_be16(p + 18, vid);
    p[20] = pcp;
    w |= m->mask.eth_type ? 0 : W10_DL_TYPE;
    memcpy(p + 22, &m->flow.eth_type, 2);
    w |= m->mask.nw_tos & TOS_DSCP && l3 != L3_ARP ? 0 : W10_NW_TOS;
    p[24] = w & W10_NW_TOS ? 0 : m->flow.nw_tos & TOS_DSCP;
    w |= m->mask.nw_proto ? 0 : W10_NW_PROTO;
    p[25] = m->flow.nw_proto;
    w |= prefix_wildcards(m->mask.nw_src, W10_NW_SRC_SHIFT) | prefix_wildcards(m->mask.nw_dst, W10_NW_DST_SHIFT);
    memcpy(p + 28, &m->flow.nw_src, 4);
    memcpy(p + 32, &m->flow.nw_dst, 4);
    w |= tp_is_matched(m, m->mask.tp_src) ? 0 : W10_TP_SRC;
    w |= tp_is_matched(m, m->mask.tp_dst) ? 0 : W10_TP_DST;
    put_be16(p + 36, w & W10_TP_SRC ? 0 : be16_to_cpu(m->flow.tp_src));
    put_be16(p + 38, w & W10_TP_DST ? 0 : be16_to_cpu(m->flow.tp_dst));
    put_be32(p, w);
}

/* 1.1.  Address masks have 1 bits for what does not matter. */

static void
decode11_eth(const uint8_t *p, struct eth_addr *value, struct eth_addr *mask)
{
    for (int i = 0; i < 6; i++) {
        mask->ea[i] = ~p[6 + i];
        value->ea[i] = p[i] & mask->ea[i];
    }
}

static enum ofperr
decode11_vlan(const uint8_t *p, uint32_t w, struct match *m)
{
    uint16_t vid = get_be16(p + 36);
    bool wild_pcp = w & W11_DL_VLAN_PCP;

    if (w & W11_DL_VLAN) {
        return OFPERR_NONE; /* A priority alone is ignored. */
    }
    if (vid != VLAN_NONE && !wild_pcp && p[38] > 7) {
        return OFPERR_OFPBMC_BAD_VALUE;
    }
    if (vid == VLAN_NONE) {
        set_vlan(m, 0, 0xffff);
    } else if (vid == VLAN11_ANY) {
        decode_vlan(m, true, 0, wild_pcp, p[38]);
        if (wild_pcp) {
            set_vlan(m, VLAN_PRESENT, VLAN_PRESENT);
        }
    } else if (vid < 4096) {
        decode_vlan(m, false, vid, wild_pcp, p[38]);
    } else {
        return OFPERR_OFPBMC_BAD_VALUE;
    }
    return OFPERR_NONE;
}

static enum ofperr
decode11_l3(const uint8_t *p, uint32_t w, struct match *m)
{
    enum l3 l3 = l3_of(m);
    be32 mask;

    if (l3 == L3_IPV4 && !(w & W11_NW_TOS)) { /* OpenFlow 1.1 knows no IPv6. */
        if (p[42] & ~TOS_DSCP) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        m->flow.nw_tos = p[42] & TOS_DSCP;
        m->mask.nw_tos = TOS_DSCP;
    }
    if (l3 == L3_IPV4 || l3 == L3_ARP) {
        if (!(w & W11_NW_PROTO)) {
            m->flow.nw_proto = p[43];
            m->mask.nw_proto = 0xff;
        }
        memcpy(&mask, p + 48, 4);
        set_ip(&m->flow.nw_src, &m->mask.nw_src, p + 44, ~mask);
        memcpy(&mask, p + 56, 4);
        set_ip(&m->flow.nw_dst, &m->mask.nw_dst, p + 52, ~mask);
    }
    if (l3 == L3_MPLS) {
        if (!(w & W11_MPLS_LABEL)) {
            match_set_u64(m, FIELD_MPLS_LABEL, get_be32(p + 64) & 0xfffff);
        }
        if (!(w & W11_MPLS_TC)) {
            match_set_u64(m, FIELD_MPLS_TC, p[68] & 7);
        }
    }
    return OFPERR_NONE;
}

static enum ofperr
decode11_l4(const uint8_t *p, uint32_t w, struct match *m)
{
    enum l4 l4 = l4_of(m);

    if ((w & (W11_TP_SRC | W11_TP_DST)) == (W11_TP_SRC | W11_TP_DST)) {
        return OFPERR_NONE;
    }
    if (!l4) {
        return OFPERR_NONE;
    }
    if (l4 == L4_ICMP && ((!(w & W11_TP_SRC) && get_be16(p + 60) > 0xff) ||
                          (!(w & W11_TP_DST) && get_be16(p + 62) > 0xff))) {
        return OFPERR_OFPBMC_BAD_FIELD;
    }
    set_tp(m, w & W11_TP_SRC ? NULL : p + 60, w & W11_TP_DST ? NULL : p + 62);
    return OFPERR_NONE;
}

enum ofperr
match11_decode(const uint8_t *p, struct match *m)
{
    uint32_t w = get_be32(p + 8) & W11_ALL;
    enum ofperr error;
    ofp_port port;

    match_init_catchall(m);
    if (!(w & W11_IN_PORT)) {
        error = ofp_port_from_wire32(get_be32(p + 4), &port);
        if (error) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        match_set_u64(m, FIELD_IN_PORT_OXM, ofp_to_u32(port));
    }
    decode11_eth(p + 12, &m->flow.eth_src, &m->mask.eth_src);
    decode11_eth(p + 24, &m->flow.eth_dst, &m->mask.eth_dst);
    error = decode11_vlan(p, w, m);
    if (!error && !(w & W11_DL_TYPE)) {
        memcpy(&m->flow.eth_type, p + 40, 2);
        m->mask.eth_type = BE16_MAX;
    }
    if (!error) {
        error = decode11_l3(p, w, m);
    }
    if (!error) {
        error = decode11_l4(p, w, m);
    }
    memcpy(&m->flow.metadata, p + 72, 8);
    memcpy(&m->mask.metadata, p + 80, 8);
    m->mask.metadata = ~m->mask.metadata;
    m->flow.metadata &= m->mask.metadata;
    imply_ethernet(m);
    return error;
}

static void
put_inverted(uint8_t *to, const void *mask, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = ~((const uint8_t *) mask)[i];
    }
}

static uint32_t
encode11_upper(uint8_t *p, const struct match *m)
{
    enum l3 l3 = l3_of(m);
    uint32_t w = W11_NW_TOS | W11_NW_PROTO | W11_TP_SRC | W11_TP_DST | W11_MPLS_LABEL | W11_MPLS_TC;

    if (m->mask.nw_tos & TOS_DSCP && (l3 == L3_IPV4 || l3 == L3_IPV6)) {
        w &= ~W11_NW_TOS;
        p[42] = m->flow.nw_tos & TOS_DSCP;
    }
    if (m->mask.nw_proto) {
        w &= ~W11_NW_PROTO;
        p[43] = m->flow.nw_proto;
    }
    memcpy(p + 44, &m->flow.nw_src, 4);
    put_inverted(p + 48, &m->mask.nw_src, 4);
    memcpy(p + 52, &m->flow.nw_dst, 4);
    put_inverted(p + 56, &m->mask.nw_dst, 4);
    if (tp_is_matched(m, m->mask.tp_src)) {
        w &= ~W11_TP_SRC;
        memcpy(p + 60, &m->flow.tp_src, 2);
    }
    if (tp_is_matched(m, m->mask.tp_dst)) {
        w &= ~W11_TP_DST;
        memcpy(p + 62, &m->flow.tp_dst, 2);
    }
    if (field_is_exact(field_of(FIELD_MPLS_LABEL), &m->mask)) {
        w &= ~W11_MPLS_LABEL;
        put_be32(p + 64, field_get_u64(field_of(FIELD_MPLS_LABEL), &m->flow));
    }
    if (field_is_exact(field_of(FIELD_MPLS_TC), &m->mask)) {
        w &= ~W11_MPLS_TC;
        p[68] = field_get_u64(field_of(FIELD_MPLS_TC), &m->flow);
    }
    return w;
}

void
match11_encode(struct bytes *b, const struct match *m)
{
    uint8_t *p = bytes_put_zeros(b, MATCH11_LEN);
    uint32_t w = 0;
    uint16_t vid;
    uint8_t pcp;
    bool wild_vid, wild_pcp, any;

    put_be16(p + 2, MATCH11_LEN);
    w |= m->mask.in_port ? 0 : W11_IN_PORT;
    memcpy(p + 4, &m->flow.in_port, 4);
    memcpy(p + 12, &m->flow.eth_src, 6);
    put_inverted(p + 18, &m->mask.eth_src, 6);
    memcpy(p + 24, &m->flow.eth_dst, 6);
    put_inverted(p + 30, &m->mask.eth_dst, 6);
    encode_vlan(m, &wild_vid, &vid, &wild_pcp, &pcp, &any);
    if (any) {
        wild_vid = false;
        vid = VLAN11_ANY;
    }
    w |= (wild_vid ? W11_DL_VLAN : 0) | (wild_pcp ? W11_DL_VLAN_PCP : 0);
    put_be16(p + 36, vid);
    p[38] = pcp;
    w |= m->mask.eth_type ? 0 : W11_DL_TYPE;
    memcpy(p + 40, &m->flow.eth_type, 2);
    w |= encode11_upper(p, m);
    memcpy(p + 72, &m->flow.metadata, 8);
    put_inverted(p + 80, &m->mask.metadata, 8);
    put_be32(p + 8, w);
}

enum ofperr
match_struct_take(struct cursor *c, enum oxm_strictness strict, struct match *m)
{
    const uint8_t *p;

    if (c->left < 4) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (get_be16(c->at) != 0) {
        return oxm_take_match_struct(c, strict, m);
    }
    if (get_be16(c->at + 2) != MATCH11_LEN || !(p = cursor_take(c, MATCH11_LEN))) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    return match11_decode(p, m);
}

void
match_struct_put(struct bytes *b, enum of_version v, const struct match *m)
{
    if (v == OF11) {
        match11_encode(b, m);
    } else {
        oxm_put_match_struct(b, m, v);
    }
}

enum ofperr
nx_match_take(struct cursor *c, size_t len, enum oxm_strictness strict, struct match *m, struct oxm_cookie *cookie)
{
    const void *p = cursor_take(c, ROUND_UP(len, 8));

    if (cookie) {
        *cookie = (struct oxm_cookie) { 0, 0 };
    }
    return p ? oxm_decode_match(p, len, strict, m, cookie) : OFPERR_OFPBMC_BAD_LEN;
}

size_t
nx_match_put(struct bytes *b, const struct match *m, enum of_version v, const struct oxm_cookie *cookie)
{
    size_t start = b->len, len;

    oxm_encode_match(m, v, cookie, b);
    len = b->len - start;
    bytes_pad_from(b, start, 8);
    return len;
}
