/* The "set" actions: header fields changed in place, checksums kept right.
 *
 * A complete checksum is updated by the difference (RFC 1624).  A partial one (PACKET_CSUM_PARTIAL) holds the sum of
 * the
 * pseudo-header only: it follows changes of addresses, and ports do not matter to it. */
#include "datapath/user/exec.h"
#include "packet/csum.h"
#include "packet/headers.h"

struct target {
    struct packet *packet;
    uint8_t *l3, *l4;    /* Null if there is none. */
    size_t l3_len, l4_len;
    uint8_t proto;
    bool partial;        /* The transport checksum is partial. */
};

/* The word of TYPE at offset AT. */
#define MERGE_WORD(TYPE, AT) \
    do { \
        TYPE o_, v_, m_; \
        memcpy(&o_, (const uint8_t *) old + (AT), sizeof o_); \
        memcpy(&v_, (const uint8_t *) value + (AT), sizeof v_); \
        memcpy(&m_, (const uint8_t *) mask + (AT), sizeof m_); \
        o_ = (o_ & ~m_) | (v_ & m_); \
        memcpy((uint8_t *) new + (AT), &o_, sizeof o_); \
    } while (0)

/* n bytes at 'new' = those at 'old' with what is under the mask from 'value'; in few words where 'n' is constant. */
static ALWAYS_INLINE void
merge(void *new, const void *old, const void *value, const void *mask, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        MERGE_WORD(uint64_t, i);
    }
    if (n & 4) {
        MERGE_WORD(uint32_t, i);
        i += 4;
    }
    if (n & 2) {
        MERGE_WORD(uint16_t, i);
        i += 2;
    }
    if (n & 1) {
        MERGE_WORD(uint8_t, i);
    }
}

/* The transport checksum's place, null if the protocol has none that covers addresses, or UDP does without. */
static uint8_t *
l4_csum(const struct target *t)
{
    size_t at = t->proto == IP_PROTO_TCP      ? 16
                : t->proto == IP_PROTO_UDP    ? 6
                : t->proto == IP_PROTO_ICMPV6 ? 2
                                              : SIZE_MAX;
    uint8_t *p;

    if (!t->l4 || at == SIZE_MAX || t->l4_len < at + 2) {
        return NULL;
    }
    p = t->l4 + at;
    return t->proto == IP_PROTO_UDP && !t->partial && !p[0] && !p[1] ? NULL : p;
}

static void
store_l4_csum(const struct target *t, uint8_t *at, be16 csum)
{
    if (t->proto == IP_PROTO_UDP && !t->partial && !csum) {
        csum = BE16_MAX;
    }
    memcpy(at, &csum, sizeof csum);
}

/* The transport checksum after the pseudo-header ('pseudo') or the transport header has changed by 'diff'. */
static ALWAYS_INLINE void
update_l4_csum(const struct target *t, uint64_t diff, bool pseudo)
{
    uint8_t *at = l4_csum(t);
    be16 csum;

    if (!at) {
        return;
    }
    memcpy(&csum, at, sizeof csum);
    if (!t->partial) {
        store_l4_csum(t, at, csum_apply(csum, diff));
    } else if (pseudo) {
        store_l4_csum(t, at, ~csum_apply(~csum, diff));
    }
}

/* Sets 'n' bytes at 'p', which the transport checksum covers as part of the transport header. */
static ALWAYS_INLINE void
set_l4_bytes(const struct target *t, uint8_t *p, const void *value, const void *mask, size_t n)
{
    uint8_t new[16];

    merge(new, p, value, mask, n);
    update_l4_csum(t, csum_diff(p, new, n), false);
    memcpy(p, new, n);
}

/* Sets an address; by what that changes a sum, 0 if by nothing. */
static ALWAYS_INLINE uint64_t
set_ipv4_address(uint8_t *address, be32 value, be32 mask)
{
    be32 old, new;

    memcpy(&old, address, sizeof old);
    new = (old & ~mask) | (value & mask);
    memcpy(address, &new, sizeof new);
    return old == new ? 0 : csum_diff32(old, new);
}

/* The same for a word.  (Not for a byte of it: reading the word right after that would wait for the byte.) */
static ALWAYS_INLINE uint64_t
set_ipv4_word(uint8_t *word, be16 value, be16 mask)
{
    be16 old, new;

    memcpy(&old, word, sizeof old);
    new = (old & ~mask) | (value & mask);
    memcpy(word, &new, sizeof new);
    return old == new ? 0 : csum_diff16(old, new);
}

/* A header that makes no sense stays as it is: the packet has no protocol. */
static bool
has_ip(const struct target *t, size_t header)
{
    return t->l3 && t->proto && t->l3_len >= header;
}

static bool
set_ipv4(const struct target *t, const struct odp_key_ipv4 *v, const struct odp_key_ipv4 *m)
{
    struct ip_header *ip = (struct ip_header *) t->l3;
    uint64_t diff;

    if (!has_ip(t, IP_HEADER_LEN)) {
        return false;
    }
    diff = set_ipv4_address(t->l3 + 12, v->src, m->src) + set_ipv4_address(t->l3 + 16, v->dst, m->dst);
    if (diff) {
        update_l4_csum(t, diff, true);
    }
    diff += set_ipv4_word(t->l3, cpu_to_be16(v->tos), cpu_to_be16(m->tos));
    diff += set_ipv4_word(t->l3 + 8, cpu_to_be16(v->ttl << 8), cpu_to_be16(m->ttl << 8));
    if (diff) {
        ip->csum = csum_apply(ip->csum, diff);
    }
    return true;
}

static void
set_ipv6_address(const struct target *t, uint8_t *address, const struct ipv6_addr *v, const struct ipv6_addr *m)
{
    struct ipv6_addr new;

    merge(&new, address, v, m, sizeof new);
    update_l4_csum(t, csum_diff(address, &new, sizeof new), true);
    memcpy(address, &new, sizeof new);
}

static bool
set_ipv6(const struct target *t, const struct odp_key_ipv6 *v, const struct odp_key_ipv6 *m)
{
    struct ipv6_header *ip = (struct ipv6_header *) t->l3;
    uint32_t word, wanted, mask;

    if (!has_ip(t, IPV6_HEADER_LEN)) {
        return false;
    }
    set_ipv6_address(t, t->l3 + 8, &v->src, &m->src);
    set_ipv6_address(t, t->l3 + 24, &v->dst, &m->dst);
    word = get_be32(t->l3);
    wanted = (uint32_t) v->tclass << 20 | (be32_to_cpu(v->label) & 0xfffff);
    mask = (uint32_t) m->tclass << 20 | (be32_to_cpu(m->label) & 0xfffff);
    put_be32(t->l3, (word & ~mask) | (wanted & mask));
    ip->hop_limit = (ip->hop_limit & ~m->hlimit) | (v->hlimit & m->hlimit);
    return true;
}

static bool
set_ports(const struct target *t, const void *v, const void *m)
{
    set_l4_bytes(t, t->l4, v, m, 4);
    return true;
}

static bool
set_udp(const struct target *t, const void *v, const void *m)
{
    return t->l4 && t->proto == IP_PROTO_UDP && t->l4_len >= UDP_HEADER_LEN && set_ports(t, v, m);
}

/* As for extraction, a header whose length makes no sense has no ports. */
static bool
set_tcp(const struct target *t, const void *v, const void *m)
{
    return t->l4 && t->proto == IP_PROTO_TCP && tcp_header_is_whole(t->l4, t->l4_len) && set_ports(t, v, m);
}

/* SCTP's CRC cannot be updated by a difference of its own; but the error that it had, if any, must stay. */
static bool
set_sctp(const struct target *t, const void *v, const void *m)
{
    be32 old, before, after;

    if (!t->l4 || t->proto != IP_PROTO_SCTP || t->l4_len < SCTP_HEADER_LEN) {
        return false;
    }
    before = t->partial ? 0 : csum_sctp(t->l4, t->l4_len);
    merge(t->l4, t->l4, v, m, 4);
    if (!t->partial) {
        after = csum_sctp(t->l4, t->l4_len);
        memcpy(&old, t->l4 + 8, sizeof old);
        old ^= before ^ after;
        memcpy(t->l4 + 8, &old, sizeof old);
    }
    return true;
}

static bool
set_icmp(const struct target *t, uint8_t proto, const void *v, const void *m)
{
    uint8_t new[2];
    be16 csum;

    if (!t->l4 || t->proto != proto || t->l4_len < ICMP_HEADER_LEN) {
        return false;
    }
    merge(new, t->l4, v, m, sizeof new);
    memcpy(&csum, t->l4 + 2, sizeof csum);
    if (!t->partial) {
        csum = csum_update(csum, t->l4, new, sizeof new);
        memcpy(t->l4 + 2, &csum, sizeof csum);
    }
    memcpy(t->l4, new, sizeof new);
    return true;
}

static bool
set_arp(const struct target *t, const struct odp_key_arp *v, const struct odp_key_arp *m)
{
    uint8_t *p = t->l3;

    if (!p || t->l3_len < ARP_ETH_LEN) {
        return false;
    }
    merge(p + 6, p + 6, &v->op, &m->op, 2);
    merge(p + 8, p + 8, &v->sha, &m->sha, 6);
    merge(p + 14, p + 14, &v->sip, &m->sip, 4);
    merge(p + 18, p + 18, &v->tha, &m->tha, 6);
    merge(p + 24, p + 24, &v->tip, &m->tip, 4);
    return true;
}

/* The target, and the addresses in those options that are there. */
static bool
set_nd(const struct target *t, const struct odp_key_nd *v, const struct odp_key_nd *m)
{
    size_t at = 24;

    if (!t->l4 || t->proto != IP_PROTO_ICMPV6 || t->l4_len < at) {
        return false;
    }
    set_l4_bytes(t, t->l4 + 8, &v->target, &m->target, 16);
    while (at + 8 <= t->l4_len) {
        uint8_t *option = t->l4 + at;
        size_t len = option[1] * 8u;

        if (!len || len > t->l4_len - at) {
            break;
        }
        if (option[0] == ND_OPT_SLL && len == 8) {
            set_l4_bytes(t, option + 2, &v->sll, &m->sll, 6);
        } else if (option[0] == ND_OPT_TLL && len == 8) {
            set_l4_bytes(t, option + 2, &v->tll, &m->tll, 6);
        }
        at += len;
    }
    return true;
}

static bool
set_ethernet(struct packet *p, const struct odp_key_ethernet *v, const struct odp_key_ethernet *m)
{
    uint8_t *eth = packet_at(p);

    if (packet_size(p) < ETH_HEADER_LEN) {
        return false;
    }
    merge(eth, eth, &v->dst, &m->dst, 6);
    merge(eth + 6, eth + 6, &v->src, &m->src, 6);
    return true;
}

static bool
set_vlan(struct packet *p, const void *v, const void *m)
{
    uint8_t *eth = packet_at(p);
    be16 type, mask;

    if (packet_size(p) < ETH_HEADER_LEN + VLAN_HEADER_LEN) {
        return false;
    }
    memcpy(&type, eth + 12, sizeof type);
    if (!eth_type_is_vlan(type)) {
        return false;
    }
    memcpy(&mask, m, sizeof mask);
    mask &= ~BE16(VLAN_PRESENT);
    merge(eth + 14, eth + 14, v, &mask, 2);
    return true;
}

static bool
set_mpls(struct packet *p, const struct flow_offsets *o, const void *v, const void *m)
{
    uint8_t *lse = (uint8_t *) packet_at(p) + o->l2_5;

    if (o->l2_5 == FLOW_NO_OFFSET || (size_t) o->l2_5 + MPLS_HEADER_LEN > packet_size(p)) {
        return false;
    }
    merge(lse, lse, v, m, MPLS_HEADER_LEN);
    return true;
}

/* The context is there in type 1 only; what has another type keeps its metadata. */
static bool
set_nsh(const struct target *t, const void *value, const void *mask)
{
    struct nsh_header *nsh = (struct nsh_header *) t->l3;
    struct odp_key_nsh v, m;
    uint16_t word, wanted, bits;

    if (!nsh || t->l3_len < NSH_BASE_LEN) {
        return false;
    }
    memcpy(&v, value, sizeof v);
    memcpy(&m, mask, sizeof m);
    word = be16_to_cpu(nsh->ver_flags_ttl_len);
    wanted = (v.flags & 3) << 12 | (v.ttl & 63) << 6;
    bits = (m.flags & 3) << 12 | (m.ttl & 63) << 6;
    nsh->ver_flags_ttl_len = cpu_to_be16((word & ~bits) | (wanted & bits));
    nsh->path = (nsh->path & ~m.path) | (v.path & m.path);
    if ((nsh->md_type & 15) == NSH_M_TYPE1 && t->l3_len >= NSH_M_TYPE1_LEN) {
        merge(nsh->context, nsh->context, v.context, m.context, sizeof v.context);
    }
    return true;
}

static struct target
make_target(struct packet *p, const struct flow *key, const struct flow_offsets *o)
{
    size_t end = packet_size(p) - MIN(o->l3_pad, packet_size(p));
    uint8_t *data = packet_at(p);

    return (struct target) {
        .packet = p,
        .l3 = o->l3 <= end ? data + o->l3 : NULL,
        .l3_len = o->l3 <= end ? end - o->l3 : 0,
        .l4 = o->l4 <= end ? data + o->l4 : NULL,
        .l4_len = o->l4 <= end ? end - o->l4 : 0,
        .proto = key->nw_proto,
        .partial = packet_csum_is_partial(p) && p->offload.csum_start == o->l4,
    };
}

/* What is behind the Ethernet header and its tags. */
static bool
set_inside(struct packet *p, const struct flow *key, const struct flow_offsets *o, enum odp_key field, const void *v,
           const void *m)
{
    struct target t = make_target(p, key, o);

    switch (field) {
    case ODP_KEY_IPV4: return key->eth_type == BE16(ETH_TYPE_IP) && set_ipv4(&t, v, m);
    case ODP_KEY_IPV6: return key->eth_type == BE16(ETH_TYPE_IPV6) && set_ipv6(&t, v, m);
    case ODP_KEY_TCP: return set_tcp(&t, v, m);
    case ODP_KEY_UDP: return set_udp(&t, v, m);
    case ODP_KEY_SCTP: return set_sctp(&t, v, m);
    case ODP_KEY_ICMP: return set_icmp(&t, IP_PROTO_ICMP, v, m);
    case ODP_KEY_ICMPV6: return set_icmp(&t, IP_PROTO_ICMPV6, v, m);
    case ODP_KEY_ARP: return set_arp(&t, v, m);
    case ODP_KEY_NSH: return key->eth_type == BE16(ETH_TYPE_NSH) && set_nsh(&t, v, m);
    case ODP_KEY_ND: return set_nd(&t, v, m);
    default: return false;
    }
}

bool
set_field(struct packet *p, const struct flow *key, const struct flow_offsets *o, enum odp_key field, const void *v,
          const void *m)
{
    switch (field) {
    case ODP_KEY_ETHERNET: return set_ethernet(p, v, m);
    case ODP_KEY_VLAN: return set_vlan(p, v, m);
    case ODP_KEY_MPLS: return set_mpls(p, o, v, m);
    default: return set_inside(p, key, o, field, v, m);
    }
}
