#include "flow/extract.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "packet/headers.h"

/* Lines besides the first that hold headers of the frame. */
#define HEADER_LINES (FLOW_LINE_IPV6 | FLOW_LINE_MISC)

/* What the steps share: the rest of the frame, the result so far. */
struct extract {
    struct cursor c;
    const uint8_t *frame;
    struct flow *out;
    struct flow_offsets *offsets;
    uint16_t lines;
};

/* Makes sure that line 'bit' of the result is there. */
static ALWAYS_INLINE void
need_line(struct extract *x, uint16_t bit)
{
    if (!(x->lines & bit)) {
        memset(&x->out->lines[__builtin_ctz(bit)], 0, FLOW_LINE);
        x->lines |= bit;
    }
}

static ALWAYS_INLINE uint16_t
offset_here(const struct extract *x)
{
    return x->c.at - x->frame;
}

static be16
read_be16(const void *p)
{
    be16 v;

    memcpy(&v, p, sizeof v);
    return v;
}

static _Atomic unsigned int vlan_limit = 2;

void
flow_set_vlan_limit(unsigned int limit)
{
    atomic_store_explicit(&vlan_limit, limit && limit < 2 ? limit : 2, memory_order_relaxed);
}

int
flow_vlan_limit(void)
{
    return atomic_load_explicit(&vlan_limit, memory_order_relaxed);
}

/* Takes up to two tags, or fewer by the limit.  One that is cut short counts as payload. */
static void
extract_vlans(struct extract *x, be16 *type)
{
    int max = flow_vlan_limit();
    struct flow *f = x->out;

    for (int i = 0; i < max && eth_type_is_vlan(*type); i++) {
        const struct vlan_header *tag = cursor_take(&x->c, sizeof *tag);
        be16 tci;

        if (!tag) {
            break;
        }
        tci = tag->tci | BE16(VLAN_PRESENT);
        if (!i) {
            f->vlan_tpid = *type;
            f->vlan_tci = tci;
        } else {
            need_line(x, FLOW_LINE_MISC);
            f->vlan2_tpid = *type;
            f->vlan2_tci = tci;
        }
        *type = tag->next_type;
    }
}

/* 802.3: looks behind the length for LLC and SNAP (IEEE 802.2, RFC 1042). */
static NOINLINE be16
extract_llc(struct extract *x)
{
    const struct llc_snap_header *llc = (const void *) x->c.at;

    if (x->c.left < sizeof *llc || llc->dsap != 0xaa || llc->ssap != 0xaa || llc->cntl != 3
        || llc->org[0] || llc->org[1] || llc->org[2]) {
        return BE16(ETH_TYPE_NOT);
    }
    cursor_take(&x->c, sizeof *llc);
    return be16_to_cpu(llc->type) >= ETH_TYPE_MIN ? llc->type : BE16(ETH_TYPE_NOT);
}

static NOINLINE void
extract_mpls(struct extract *x)
{
    x->offsets->l2_5 = offset_here(x);
    need_line(x, FLOW_LINE_MISC);
    for (int i = 0;; i++) {
        const void *p = cursor_take(&x->c, MPLS_HEADER_LEN);
        be32 lse;

        if (!p) {
            return;
        }
        memcpy(&lse, p, sizeof lse);
        if (i < FLOW_MPLS_LABELS) {
            x->out->mpls_lse[i] = lse;
        }
        if (lse & BE32(0x100)) {
            x->offsets->l3 = offset_here(x);
            return;
        }
    }
}

/* RFC 826, for Ethernet and IPv4 only. */
static NOINLINE void
extract_arp(struct extract *x)
{
    const struct arp_eth_header *arp = cursor_take(&x->c, sizeof *arp);
    struct flow *f = x->out;

    if (!arp || arp->htype != BE16(1) || arp->ptype != BE16(ETH_TYPE_IP) || arp->hlen != 6 || arp->plen != 4) {
        return;
    }
    need_line(x, FLOW_LINE_IPV6);
    f->nw_proto = be16_to_cpu(arp->op) <= 0xff ? be16_to_cpu(arp->op) : 0;
    f->nw_src = arp->spa;
    f->nw_dst = arp->tpa;
    f->arp_sha = arp->sha;
    f->arp_tha = arp->tha;
}

/* RFC 8300. */
static NOINLINE void
extract_nsh(struct extract *x)
{
    const struct nsh_header *nsh = (const void *) x->c.at;
    struct flow *f = x->out;
    uint16_t word, len;

    if (x->c.left < NSH_BASE_LEN) {
        return;
    }
    word = be16_to_cpu(nsh->ver_flags_ttl_len);
    len = (word & 63) * 4;
    if (word >> 14 || len < NSH_BASE_LEN || len > x->c.left) {
        return;
    }
    if ((nsh->md_type & 15) == NSH_M_TYPE1 && len != NSH_M_TYPE1_LEN) {
        return;
    }
    need_line(x, FLOW_LINE_MISC);
    f->nsh_flags = word >> 12 & 3;
    f->nsh_ttl = word >> 6 & 63;
    f->nsh_mdtype = nsh->md_type & 15;
    f->nsh_np = nsh->next_proto;
    f->nsh_path = nsh->path;
    if (f->nsh_mdtype == NSH_M_TYPE1) {
        memcpy(f->nsh_context, nsh->context, sizeof f->nsh_context);
    }
}

/* RFC 4861 §4.3, §4.4: the target and the link-layer address options.  An option that comes twice takes these
 * fields away; a malformed one ends the list. */
static NOINLINE void
extract_nd(struct extract *x, struct cursor c)
{
    const struct nd_header *nd = cursor_take(&c, sizeof *nd);
    struct flow *f = x->out;
    unsigned int seen = 0;

    if (!nd) {
        return;
    }
    need_line(x, FLOW_LINE_IPV6);
    need_line(x, FLOW_LINE_MISC);
    f->nd_reserved = nd->reserved;
    f->nd_target = nd->target;
    while (c.left >= 8) {
        const struct nd_option *option = (const void *) c.at;
        bool address = (option->type == ND_OPT_SLL || option->type == ND_OPT_TLL) && option->len == 1;

        if (!option->len || option->len * 8u > c.left) {
            break;
        }
        if (address && seen & 1u << option->type) {
            memset(&f->nd_target, 0, sizeof f->nd_target);
            memset(&f->arp_sha, 0, sizeof f->arp_sha);
            memset(&f->arp_tha, 0, sizeof f->arp_tha);
            f->nd_options_type = 0;
            return;
        }
        if (address) {
            *(option->type == ND_OPT_SLL ? &f->arp_sha : &f->arp_tha) = option->mac;
            seen |= 1u << option->type;
            f->nd_options_type = option->type;
        }
        cursor_take(&c, option->len * 8);
    }
}

static NOINLINE void
extract_icmpv6(struct extract *x)
{
    struct cursor c = x->c;
    const uint8_t *icmp = cursor_take(&c, 4);

    if (!icmp || c.left < 4) {
        return;
    }
    x->out->tp_src = cpu_to_be16(icmp[0]);
    x->out->tp_dst = cpu_to_be16(icmp[1]);
    if ((icmp[0] == ND_SOLICIT || icmp[0] == ND_ADVERT) && !icmp[1]) {
        extract_nd(x, c);
    }
}

static NOINLINE void
extract_igmp(struct extract *x)
{
    const struct igmp_header *igmp = cursor_take(&x->c, sizeof *igmp);

    if (igmp) {
        x->out->tp_src = cpu_to_be16(igmp->type);
        x->out->tp_dst = cpu_to_be16(igmp->code);
        need_line(x, FLOW_LINE_MISC);
        x->out->igmp_group = igmp->group;
    }
}

static ALWAYS_INLINE void
extract_l4(struct extract *x, uint8_t proto, bool ipv6)
{
    struct flow *f = x->out;
    const uint8_t *p = x->c.at;
    size_t left = x->c.left;

    x->offsets->l4 = offset_here(x);
    if (LIKELY(proto == IP_PROTO_TCP)) {
        if (LIKELY(tcp_header_is_whole(p, left))) {
            memcpy(&f->tp_src, p, 4);
            f->tcp_flags = read_be16(p + 12) & BE16(0x0fff);
        }
    } else if (LIKELY(proto == IP_PROTO_UDP)) {
        if (LIKELY(left >= UDP_HEADER_LEN)) {
            memcpy(&f->tp_src, p, 4);
        }
    } else if (proto == IP_PROTO_SCTP) {
        if (left >= SCTP_HEADER_LEN) {
            memcpy(&f->tp_src, p, 4);
        }
    } else if (proto == IP_PROTO_ICMP && !ipv6) {
        if (left >= ICMP_HEADER_LEN) {
            f->tp_src = cpu_to_be16(p[0]);
            f->tp_dst = cpu_to_be16(p[1]);
        }
    } else if (proto == IP_PROTO_ICMPV6 && ipv6) {
        extract_icmpv6(x);
    } else if (proto == IP_PROTO_IGMP && !ipv6) {
        extract_igmp(x);
    }
}
_Static_assert(offsetof(struct flow, tp_dst) == offsetof(struct flow, tp_src) + 2, "ports are copied together");

static ALWAYS_INLINE void
extract_ipv4(struct extract *x)
{
    const struct ip_header *ip = (const void *) x->c.at;
    struct flow *f = x->out;
    size_t header_len, total;
    uint16_t frag;

    if (UNLIKELY(x->c.left < IP_HEADER_LEN)) {
        return;
    }
    header_len = (ip->ihl_ver & 15) * 4;
    total = be16_to_cpu(ip->tot_len);
    if (UNLIKELY(header_len < IP_HEADER_LEN || total < header_len || total > x->c.left)) {
        return; /* The version is not looked at: the reference does not either. */
    }
    x->offsets->l3_pad = x->c.left - total;
    x->c.left = total;
    memcpy(&f->nw_src, &ip->src, 8);
    f->nw_tos = ip->tos;
    f->nw_ttl = ip->ttl;
    f->nw_proto = ip->proto;
    frag = be16_to_cpu(ip->frag_off);
    if (UNLIKELY(frag & (IP_MF | IP_OFF_MASK))) {
        f->nw_frag = frag & IP_OFF_MASK ? FLOW_FRAG_ANY | FLOW_FRAG_LATER : FLOW_FRAG_ANY;
    }
    cursor_take(&x->c, header_len);
    if (LIKELY(!(f->nw_frag & FLOW_FRAG_LATER))) {
        extract_l4(x, ip->proto, false);
    }
}
_Static_assert(offsetof(struct flow, nw_dst) == offsetof(struct flow, nw_src) + 4, "addresses are copied together");

/* Walks the extension headers (RFC 8200 §4.1) from '*next' to the upper layer.  False if the chain is cut short. */
static bool
skip_ipv6_extensions(struct extract *x, uint8_t *next)
{
    for (;;) {
        const struct ipv6_ext_header *ext = (const void *) x->c.at;
        size_t len;

        switch (*next) {
        case IP_PROTO_HOPOPTS:
        case IP_PROTO_ROUTING:
        case IP_PROTO_DSTOPTS:
        case IP_PROTO_AH:
            if (x->c.left < 8) {
                return false;
            }
            len = *next == IP_PROTO_AH ? (ext->len + 2u) * 4 : (ext->len + 1u) * 8;
            *next = ext->next;
            if (!cursor_take(&x->c, len)) {
                return false;
            }
            break;
        case IP_PROTO_FRAGMENT: {
            const struct ipv6_frag_header *frag = cursor_take(&x->c, sizeof *frag);

            if (!frag) {
                return false;
            }
            *next = frag->next;
            if (frag->frag_off) {
                x->out->nw_frag = FLOW_FRAG_ANY;
                if (frag->frag_off & BE16(0xfff8)) {
                    x->out->nw_frag |= FLOW_FRAG_LATER;
                    *next = IP_PROTO_FRAGMENT; /* What a later fragment begins with is not a header. */
                    return true;
                }
            }
            break;
        }
        default:
            return true;
        }
    }
}

static void
extract_ipv6(struct extract *x)
{
    const struct ipv6_header *ip = (const void *) x->c.at;
    struct flow *f = x->out;
    uint32_t word;
    size_t payload;
    uint8_t next;

    if (x->c.left < IPV6_HEADER_LEN) {
        return;
    }
    word = be32_to_cpu(ip->ver_tc_flow);
    payload = be16_to_cpu(ip->plen);
    if (payload > x->c.left - IPV6_HEADER_LEN) { /* The version is not looked at: the reference does not either. */
        return;
    }
    x->offsets->l3_pad = x->c.left - IPV6_HEADER_LEN - payload;
    cursor_take(&x->c, IPV6_HEADER_LEN);
    x->c.left = payload;
    need_line(x, FLOW_LINE_IPV6);
    memcpy(&f->ipv6_src, &ip->src, 32);
    next = ip->next;
    if (!skip_ipv6_extensions(x, &next)) {
        f->nw_frag = 0;
        return;
    }
    f->ipv6_label = cpu_to_be32(word & 0xfffff);
    f->nw_tos = word >> 20;
    f->nw_ttl = ip->hop_limit;
    f->nw_proto = next;
    if (!(f->nw_frag & FLOW_FRAG_LATER)) {
        extract_l4(x, next, true);
    }
}
_Static_assert(offsetof(struct flow, ipv6_dst) == offsetof(struct flow, ipv6_src) + 16, "addresses copied together");

/* Line 0 of the result: the metadata of 'md' (the first 8 bytes and the last 20), with all header fields zero. */
static ALWAYS_INLINE void
copy_base_metadata(const struct flow *md, struct flow *out)
{
    const uint64_t *from = md->lines[0].words;
    uint64_t *to = out->lines[0].words;

    to[0] = from[0];
    to[1] = to[2] = to[3] = to[4] = 0;
    to[5] = from[5] & UINT64_C(0xffffffff00000000);
    to[6] = from[6];
    to[7] = from[7];
}
_Static_assert(offsetof(struct flow, eth_dst) == 8 && offsetof(struct flow, packet_ns) == 44, "as copied");

static ALWAYS_INLINE void
extract_network(struct extract *x, be16 type)
{
    x->offsets->l3 = offset_here(x);
    if (LIKELY(type == BE16(ETH_TYPE_IP))) {
        extract_ipv4(x);
    } else if (type == BE16(ETH_TYPE_IPV6)) {
        extract_ipv6(x);
    } else if (type == BE16(ETH_TYPE_ARP) || type == BE16(ETH_TYPE_RARP)) {
        extract_arp(x);
    } else if (eth_type_is_mpls(type)) {
        x->offsets->l3 = FLOW_NO_OFFSET;
        extract_mpls(x);
    } else if (type == BE16(ETH_TYPE_NSH)) {
        extract_nsh(x);
    }
}

uint16_t
flow_extract(const void *frame, size_t len, const struct flow *md, uint16_t md_lines, struct flow *out,
             struct flow_offsets *offsets)
{
    struct extract x = { cursor_make(frame, len), frame, out, offsets,
                         (md_lines & ~HEADER_LINES) | FLOW_LINE_BASE };
    be16 md_type = md->eth_type, type;

    *offsets = (struct flow_offsets) { FLOW_NO_OFFSET, FLOW_NO_OFFSET, FLOW_NO_OFFSET, 0 };
    if (md != out) {
        FLOW_FOR_EACH_LINE (i, md_lines & ~(FLOW_LINE_BASE | HEADER_LINES)) {
            out->lines[i] = md->lines[i];
        }
    }
    copy_base_metadata(md, out);
    if (LIKELY(!out->packet_ns)) {
        const struct eth_header *eth = cursor_take(&x.c, sizeof *eth);

        if (UNLIKELY(!eth)) {
            return x.lines;
        }
        memcpy(&out->eth_dst, eth, 12);
        type = eth->type;
        if (UNLIKELY(eth_type_is_vlan(type))) {
            extract_vlans(&x, &type);
        }
        if (UNLIKELY(be16_to_cpu(type) < ETH_TYPE_MIN)) {
            type = extract_llc(&x);
        }
    } else {
        type = md_type;
    }
    out->eth_type = type;
    extract_network(&x, type);
    return x.lines;
}
_Static_assert(offsetof(struct flow, eth_src) == offsetof(struct flow, eth_dst) + 6, "addresses are copied together");

uint16_t
flow_extract_full(const void *frame, size_t len, const struct flow *md, struct flow *out, struct flow_offsets *offsets)
{
    struct flow_offsets unused;
    void *even = NULL;
    struct flow zero;
    uint16_t lines;

    if ((uintptr_t) frame & 1) {
        frame = even = memcpy(xmalloc(len), frame, len); /* Headers begin at even addresses. */
    }
    if (!md) {
        memset(&zero, 0, sizeof zero);
        md = &zero;
    }
    lines = flow_extract(frame, len, md, flow_used_lines(md, FLOW_LINES_ALL), out, offsets ? offsets : &unused);
    FLOW_FOR_EACH_LINE (i, FLOW_LINES_ALL & ~lines) {
        memset(&out->lines[i], 0, FLOW_LINE);
    }
    free(even);
    return lines;
}
