#include "odp/frame.h"

#include "flow/extract.h"
#include "odp/key.h"
#include "packet/csum.h"

struct packet {
    struct bytes *frame;
    struct flow flow;            /* Headers before the action. */
    struct flow_offsets ofs;
    const struct flow *value, *mask;
};

/* 'n' bytes from 'ofs' (FLOW_NO_OFFSET: nothing), null if the frame is shorter. */
static void *
at(const struct packet *p, unsigned int ofs, size_t n)
{
    return ofs != FLOW_NO_OFFSET && ofs + n <= p->frame->len ? p->frame->data + ofs : NULL;
}

static void
merge(void *dst_, const void *value_, const void *mask_, size_t n)
{
    const uint8_t *value = value_, *mask = mask_;
    uint8_t *dst = dst_;

    for (size_t i = 0; i < n; i++) {
        dst[i] = (dst[i] & ~mask[i]) | (value[i] & mask[i]);
    }
}

#define MERGE(P, DST, MEMBER) merge(DST, &(P)->value->MEMBER, &(P)->mask->MEMBER, sizeof (P)->value->MEMBER)

static bool
has_l4(const struct packet *p)
{
    return flow_is_ip(&p->flow) && !(p->flow.nw_frag & FLOW_FRAG_LATER);
}

/* Where the transport checksum is, null if there is none to keep right. */
static be16 *
l4_csum(const struct packet *p, bool pseudo_only)
{
    be16 *csum = NULL;

    if (!has_l4(p)) {
        return NULL;
    }
    switch (p->flow.nw_proto) {
    case IP_PROTO_TCP: csum = at(p, p->ofs.l4 == FLOW_NO_OFFSET ? FLOW_NO_OFFSET : p->ofs.l4 + 16u, 2); break;
    case IP_PROTO_UDP:
        csum = at(p, p->ofs.l4 == FLOW_NO_OFFSET ? FLOW_NO_OFFSET : p->ofs.l4 + 6u, 2);
        csum = csum && *csum ? csum : NULL;
        break;
    case IP_PROTO_ICMPV6: csum = at(p, p->ofs.l4 == FLOW_NO_OFFSET ? FLOW_NO_OFFSET : p->ofs.l4 + 2u, 2); break;
    case IP_PROTO_ICMP:
        csum = pseudo_only ? NULL : at(p, p->ofs.l4 == FLOW_NO_OFFSET ? FLOW_NO_OFFSET : p->ofs.l4 + 2u, 2);
        break;
    }
    return csum;
}

/* Corrects a transport checksum for 'n' (even) bytes that have changed. */
static void
fix_l4(const struct packet *p, const void *old, const void *new, size_t n, bool is_pseudo)
{
    be16 *csum = l4_csum(p, is_pseudo);

    if (csum) {
        *csum = csum_update(*csum, old, new, n);
        if (!*csum && p->flow.nw_proto == IP_PROTO_UDP) {
            *csum = BE16_MAX;
        }
    }
}

static void
set_ethernet(const struct packet *p)
{
    struct eth_header *eth = at(p, 0, sizeof *eth);

    if (eth) {
        MERGE(p, &eth->dst, eth_dst);
        MERGE(p, &eth->src, eth_src);
    }
}

static void
set_ipv4(const struct packet *p)
{
    struct ip_header *ip = at(p, p->ofs.l3, sizeof *ip), old;

    if (ip && p->flow.nw_proto) { /* A header that makes no sense has none. */
        old = *ip;
        merge(&ip->src, &p->value->nw_src, &p->mask->nw_src, 4);
        merge(&ip->dst, &p->value->nw_dst, &p->mask->nw_dst, 4);
        MERGE(p, &ip->tos, nw_tos);
        MERGE(p, &ip->ttl, nw_ttl);
        ip->csum = csum_update(ip->csum, &old, ip, sizeof old);
        fix_l4(p, &old.src, &ip->src, 8, true);
    }
}

static void
set_ipv6(const struct packet *p)
{
    struct ipv6_header *ip = at(p, p->ofs.l3, sizeof *ip), old;
    uint32_t word;
    uint8_t tc;
    be32 label;

    if (ip && p->flow.nw_proto) {
        old = *ip;
        MERGE(p, &ip->src, ipv6_src);
        MERGE(p, &ip->dst, ipv6_dst);
        MERGE(p, &ip->hop_limit, nw_ttl);
        word = be32_to_cpu(ip->ver_tc_flow);
        tc = word >> 20;
        label = cpu_to_be32(word & 0xfffff);
        MERGE(p, &tc, nw_tos);
        MERGE(p, &label, ipv6_label);
        ip->ver_tc_flow = cpu_to_be32((word & 0xf0000000) | (uint32_t) tc << 20 | (be32_to_cpu(label) & 0xfffff));
        fix_l4(p, &old.src, &ip->src, 32, true);
    }
}

/* As for extraction, a TCP header whose length makes no sense has no ports. */
static bool
has_ports(const struct packet *p)
{
    return p->flow.nw_proto != IP_PROTO_TCP ||
           tcp_header_is_whole(p->frame->data + p->ofs.l4, p->frame->len - p->ofs.l4);
}

static void
set_ports(const struct packet *p)
{
    be16 *ports = at(p, p->ofs.l4, 4), old[2];

    if (ports && has_ports(p)) {
        memcpy(old, ports, 4);
        merge(&ports[0], &p->value->tp_src, &p->mask->tp_src, 2);
        merge(&ports[1], &p->value->tp_dst, &p->mask->tp_dst, 2);
        if (p->flow.nw_proto == IP_PROTO_SCTP) {
            struct sctp_header *sctp = at(p, p->ofs.l4, sizeof *sctp);

            if (sctp) {
                sctp->csum = csum_sctp(sctp, p->frame->len - p->ofs.l4 - p->ofs.l3_pad);
            }
        } else {
            fix_l4(p, old, ports, 4, false);
        }
    }
}

static void
set_icmp(const struct packet *p)
{
    uint8_t *icmp = at(p, p->ofs.l4, ICMP_HEADER_LEN), old[2];

    if (icmp) {
        memcpy(old, icmp, 2);
        merge(&icmp[0], (const uint8_t *) &p->value->tp_src + 1, (const uint8_t *) &p->mask->tp_src + 1, 1);
        merge(&icmp[1], (const uint8_t *) &p->value->tp_dst + 1, (const uint8_t *) &p->mask->tp_dst + 1, 1);
        fix_l4(p, old, icmp, 2, false);
    }
}

static void
set_arp(const struct packet *p)
{
    struct arp_eth_header *arp = at(p, p->ofs.l3, sizeof *arp);
    uint8_t *op;

    if (arp) {
        op = (uint8_t *) &arp->op + 1;
        merge(&arp->spa, &p->value->nw_src, &p->mask->nw_src, 4);
        merge(&arp->tpa, &p->value->nw_dst, &p->mask->nw_dst, 4);
        MERGE(p, op, nw_proto);
        MERGE(p, &arp->sha, arp_sha);
        MERGE(p, &arp->tha, arp_tha);
    }
}

/* The address in the option of that type (RFC 4861 §4.6.1), null if there is none. */
static uint8_t *
find_nd_option(const struct packet *p, uint8_t type)
{
    unsigned int ofs = p->ofs.l4 + ICMP_HEADER_LEN + 16;
    uint8_t *option;

    while ((option = at(p, ofs, 8)) != NULL && option[1]) {
        if (option[0] == type && option[1] == 1) {
            return option + 2;
        }
        ofs += option[1] * 8;
    }
    return NULL;
}

static void
set_nd_option(const struct packet *p, uint8_t type, const struct eth_addr *value, const struct eth_addr *mask)
{
    uint8_t *option = is_all_zeros(mask, sizeof *mask) ? NULL : find_nd_option(p, type), old[6];

    if (option) {
        memcpy(old, option, 6);
        merge(option, value, mask, 6);
        fix_l4(p, old, option, 6, false);
    }
}

static void
set_nd(const struct packet *p)
{
    uint8_t *target = p->ofs.l4 == FLOW_NO_OFFSET ? NULL : at(p, p->ofs.l4 + ICMP_HEADER_LEN, 16), old[16];

    if (target) {
        memcpy(old, target, 16);
        MERGE(p, target, nd_target);
        fix_l4(p, old, target, 16, false);
        set_nd_option(p, 1, &p->value->arp_sha, &p->mask->arp_sha);
        set_nd_option(p, 2, &p->value->arp_tha, &p->mask->arp_tha);
    }
}

static void
set_mpls(const struct packet *p)
{
    be32 *lse = at(p, p->ofs.l2_5, sizeof *lse);

    if (lse) {
        merge(lse, &p->value->mpls_lse[0], &p->mask->mpls_lse[0], 4);
    }
}

static void
apply_set(struct packet *p, const struct odp_attr *a)
{
    struct flow value, mask;
    enum odp_key key;

    if (!odp_set_to_flow(a, &key, &value, &mask)) {
        return;
    }
    p->value = &value;
    p->mask = &mask;
    switch (key) {
    case ODP_KEY_ETHERNET: set_ethernet(p); break;
    case ODP_KEY_IPV4: set_ipv4(p); break;
    case ODP_KEY_IPV6: set_ipv6(p); break;
    case ODP_KEY_TCP: case ODP_KEY_UDP: case ODP_KEY_SCTP: set_ports(p); break;
    case ODP_KEY_ICMP: case ODP_KEY_ICMPV6: set_icmp(p); break;
    case ODP_KEY_ARP: set_arp(p); break;
    case ODP_KEY_ND: set_nd(p); break;
    case ODP_KEY_MPLS: set_mpls(p); break;
    default: break;
    }
    p->value = p->mask = NULL;
}

static void
insert(struct bytes *frame, size_t ofs, const void *header, size_t n)
{
    if (ofs <= frame->len) {
        bytes_put_uninit(frame, n);
        memmove(frame->data + ofs + n, frame->data + ofs, frame->len - n - ofs);
        memcpy(frame->data + ofs, header, n);
    }
}

static void
remove_at(struct bytes *frame, size_t ofs, size_t n)
{
    if (ofs + n <= frame->len) {
        memmove(frame->data + ofs, frame->data + ofs + n, frame->len - ofs - n);
        bytes_truncate(frame, frame->len - n);
    }
}

static void
push_vlan(struct packet *p, const struct odp_attr *a)
{
    struct odp_push_vlan push;
    uint8_t tag[4];

    if (odp_attr_size(a) == sizeof push && p->frame->len >= ETH_HEADER_LEN) {
        memcpy(&push, odp_attr_data(a), sizeof push);
        put_be16(tag, be16_to_cpu(push.tpid));
        put_be16(tag + 2, be16_to_cpu(push.tci) & ~VLAN_PRESENT);
        insert(p->frame, 12, tag, sizeof tag);
    }
}

static void
pop_vlan(struct packet *p)
{
    if (p->frame->len >= ETH_HEADER_LEN + VLAN_HEADER_LEN && p->flow.vlan_tci) {
        remove_at(p->frame, 12, VLAN_HEADER_LEN);
    }
}

/* Labels stand between the tags and the rest; the type before them changes. */
static void
push_mpls(struct packet *p, const struct odp_attr *a)
{
    unsigned int ofs = p->ofs.l2_5 != FLOW_NO_OFFSET ? p->ofs.l2_5 : p->ofs.l3;
    struct odp_push_mpls push;

    if (odp_attr_size(a) == sizeof push && ofs != FLOW_NO_OFFSET && ofs >= ETH_HEADER_LEN) {
        memcpy(&push, odp_attr_data(a), sizeof push);
        put_be16(p->frame->data + ofs - 2, be16_to_cpu(push.ethertype));
        insert(p->frame, ofs, &push.lse, sizeof push.lse);
    }
}

static void
pop_mpls(struct packet *p, const struct odp_attr *a)
{
    be16 type;

    if (odp_attr_size(a) == sizeof type && p->ofs.l2_5 != FLOW_NO_OFFSET) {
        memcpy(&type, odp_attr_data(a), sizeof type);
        put_be16(p->frame->data + p->ofs.l2_5 - 2, be16_to_cpu(type));
        remove_at(p->frame, p->ofs.l2_5, MPLS_HEADER_LEN);
    }
}

void
odp_apply_to_frame(struct bytes *frame, const void *actions, size_t len)
{
    ODP_FOR_EACH (a, actions, len) {
        struct packet p = { .frame = frame };

        flow_extract_full(frame->data, frame->len, NULL, &p.flow, &p.ofs);
        switch ((enum odp_action) a->type) {
        case ODP_SET: case ODP_SET_MASKED: apply_set(&p, a); break;
        case ODP_PUSH_VLAN: push_vlan(&p, a); break;
        case ODP_POP_VLAN: pop_vlan(&p); break;
        case ODP_PUSH_MPLS: push_mpls(&p, a); break;
        case ODP_POP_MPLS: pop_mpls(&p, a); break;
        default: break;
        }
    }
}
