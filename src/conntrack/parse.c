/* From a frame to a tuple.  Everything that a frame says is checked before it is used. */
#include <string.h>

#include "conntrack/private.h"
#include "packet/csum.h"
#include "sys/counter.h"

COUNTER(conntrack_l3csum_err)
COUNTER(conntrack_l4csum_err)

static const struct { uint8_t type4, type6; } icmp_types[] = {
    [CT_ICMP_ECHO] = { 8, 128 }, [CT_ICMP_ECHO + 1] = { 0, 129 },
    [CT_ICMP_TIMESTAMP] = { 13, 0 }, [CT_ICMP_TIMESTAMP + 1] = { 14, 0 },
    [CT_ICMP_INFO] = { 15, 0 }, [CT_ICMP_INFO + 1] = { 16, 0 },
};

uint8_t
ct_icmp_type(const struct ct_tuple *t)
{
    uint8_t kind = t->kind & CT_KIND_ICMP;

    return kind >= ARRAY_SIZE(icmp_types) ? 0 : ct_tuple_is_v6(t) ? icmp_types[kind].type6 : icmp_types[kind].type4;
}

uint8_t
ct_icmp_kind(uint8_t type, bool is_v6)
{
    for (uint8_t i = CT_ICMP_ECHO; i < (is_v6 ? CT_ICMP_TIMESTAMP : ARRAY_SIZE(icmp_types)); i++) {
        if (type == (is_v6 ? icmp_types[i].type6 : icmp_types[i].type4)) {
            return i;
        }
    }
    return 0;
}

static bool
icmp_is_error(uint8_t type, bool is_v6)
{
    /* RFC 792: unreachable, source quench, redirect, time exceeded, parameter problem; RFC 4443 §3. */
    return is_v6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

size_t
ct_ipv6_payload(const uint8_t *ip, size_t len, uint8_t *proto, size_t *frag)
{
    size_t at = IPV6_HEADER_LEN;
    uint8_t next;

    *frag = 0;
    if (len < at) {
        return 0;
    }
    next = ip[6];
    for (int n = 0; n < 16; n++) {
        size_t size;

        switch (next) {
        case IP_PROTO_HOPOPTS:
        case IP_PROTO_ROUTING:
        case IP_PROTO_DSTOPTS:
        case IP_PROTO_AH:
            if (len - at < 8) {
                return 0;
            }
            size = next == IP_PROTO_AH ? (ip[at + 1] + 2) * 4u : (ip[at + 1] + 1) * 8u;
            break;
        case IP_PROTO_FRAGMENT:
            if (len - at < 8 || *frag) {
                return 0;
            }
            *frag = at;
            size = 8;
            break;
        default:
            *proto = next;
            return at;
        }
        if (size > len - at) {
            return 0;
        }
        next = ip[at];
        if (*frag == at && get_be16(ip + at + 2) & 0xfff8) {
            *proto = next; /* What follows is not a header. */
            return at + 8;
        }
        at += size;
    }
    return 0;
}

/* What an IP header says: 'len' bytes are there, 'wire' says whether it must all be there. */
struct ip_info {
    struct ipv6_addr src, dst;
    uint8_t proto;
    uint8_t *l4;
    size_t l4_len;
};

static bool
parse_ipv4(uint8_t *ip, size_t len, bool whole, struct ip_info *info)
{
    size_t header, total;
    be32 a;

    if (len < IP_HEADER_LEN || ip[0] >> 4 != 4) {
        return false;
    }
    header = (ip[0] & 15) * 4;
    total = get_be16(ip + 2);
    if (header < IP_HEADER_LEN || header > len || total < header || (whole && total > len)
        || get_be16(ip + 6) & (whole ? IP_OFF_MASK | IP_MF : IP_OFF_MASK)) {
        return false;
    }
    memcpy(&a, ip + 12, sizeof a);
    info->src = ct_address4(a);
    memcpy(&a, ip + 16, sizeof a);
    info->dst = ct_address4(a);
    info->proto = ip[9];
    info->l4 = ip + header;
    info->l4_len = MIN(total, len) - header;
    return true;
}

static bool
parse_ipv6(uint8_t *ip, size_t len, bool whole, struct ip_info *info)
{
    size_t total, at, frag;

    if (len < IPV6_HEADER_LEN || ip[0] >> 4 != 6) {
        return false;
    }
    total = IPV6_HEADER_LEN + get_be16(ip + 4);
    if (whole && total > len) {
        return false;
    }
    total = MIN(total, len);
    at = ct_ipv6_payload(ip, total, &info->proto, &frag);
    /* An atomic fragment (RFC 6946) is whole. */
    if (!at || (frag && get_be16(ip + frag + 2) & (whole ? 0xfff9 : 0xfff8))) {
        return false;
    }
    memcpy(&info->src, ip + 8, 16);
    memcpy(&info->dst, ip + 24, 16);
    info->l4 = ip + at;
    info->l4_len = total - at;
    return true;
}

static bool
l4_csum_is_good(const struct ip_info *i, bool is_v6, size_t n)
{
    uint32_t sum = i->proto == IP_PROTO_ICMP ? 0
                   : is_v6 ? csum_pseudo_ipv6(&i->src, &i->dst, i->proto, n)
                           : csum_pseudo_ipv4(ct_address_ipv4(&i->src), ct_address_ipv4(&i->dst), i->proto, n);

    return !csum_finish(csum_add(sum, i->l4, n));
}

static bool
sctp_csum_is_good(const struct ip_info *i)
{
    be32 csum;

    memcpy(&csum, i->l4 + 8, sizeof csum);
    return csum == csum_sctp(i->l4, i->l4_len);
}

/* Whether the transport header is as it should be. */
static bool
check_l4(const struct ip_info *i, bool is_v6)
{
    size_t n = i->l4_len;

    switch (i->proto) {
    case IP_PROTO_TCP: return tcp_header_is_whole(i->l4, n);
    case IP_PROTO_UDP: return n >= UDP_HEADER_LEN && get_be16(i->l4 + 4) >= UDP_HEADER_LEN && get_be16(i->l4 + 4) <= n;
    case IP_PROTO_SCTP: return n >= SCTP_HEADER_LEN;
    case IP_PROTO_ICMP: return !is_v6 && n >= ICMP_HEADER_LEN;
    case IP_PROTO_ICMPV6: return is_v6 && n >= ICMP_HEADER_LEN;
    default: return true;
    }
}

static bool
check_l4_csum(const struct ip_info *i, bool is_v6)
{
    switch (i->proto) {
    case IP_PROTO_UDP:
        return (!i->l4[6] && !i->l4[7]) || l4_csum_is_good(i, is_v6, get_be16(i->l4 + 4));
    case IP_PROTO_TCP:
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6: return l4_csum_is_good(i, is_v6, i->l4_len);
    case IP_PROTO_SCTP: return sctp_csum_is_good(i);
    default: return true;
    }
}

/* Ports, or what stands for them; needs 8 bytes of the transport header at least.  False: not to be tracked. */
static bool
fill_ports(const struct ip_info *i, bool is_v6, struct ct_tuple *t)
{
    switch (i->proto) {
    case IP_PROTO_TCP:
    case IP_PROTO_UDP:
    case IP_PROTO_SCTP:
        if (i->l4_len < 8) {
            return false;
        }
        memcpy(&t->src_port, i->l4, 2);
        memcpy(&t->dst_port, i->l4 + 2, 2);
        return t->src_port && t->dst_port;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
        if (i->l4_len < 8 || (i->proto == IP_PROTO_ICMPV6) != is_v6) {
            return false;
        }
        t->kind |= ct_icmp_kind(i->l4[0], is_v6);
        memcpy(&t->src_port, i->l4 + 4, 2);
        t->dst_port = t->src_port;
        return t->kind & CT_KIND_ICMP && !i->l4[1];
    default: return true;
    }
}

static bool
fill_tuple(const struct ip_info *i, bool is_v6, struct ct_tuple *t)
{
    t->src = i->src;
    t->dst = i->dst;
    t->src_port = t->dst_port = 0;
    t->proto = i->proto;
    t->kind = is_v6 ? CT_KIND_V6 : 0;
    return fill_ports(i, is_v6, t);
}

/* An ICMP error: the connection is that of the packet inside, which went the other way. */
static bool
parse_inner(const struct ip_info *outer, bool is_v6, struct ct_parsed *p)
{
    struct ip_info i;
    struct ct_tuple inner = { .zone = p->tuple.zone };

    p->related = true;
    p->inner_l3 = outer->l4 + 8;
    p->inner_len = outer->l4_len - 8;
    if (!(is_v6 ? parse_ipv6 : parse_ipv4)(p->inner_l3, p->inner_len, false, &i) || !fill_tuple(&i, is_v6, &inner)) {
        return false;
    }
    /* It is told to the one who sent the packet. */
    if (memcmp(&inner.src, &outer->dst, sizeof inner.src)) {
        return false;
    }
    p->inner_l4 = i.l4;
    p->tuple = ct_tuple_reverse(&inner);
    return true;
}

void
ct_parse(void *frame, size_t len, size_t l3, bool is_v6, uint16_t zone, bool csum_known, struct ct_parsed *p)
{
    struct ip_info i;

    p->valid = p->related = false;
    p->is_v6 = is_v6;
    p->tuple.zone = zone;
    p->l3 = (uint8_t *) frame + l3;
    if (l3 > len || !(is_v6 ? parse_ipv6 : parse_ipv4)(p->l3, len - l3, true, &i)) {
        return;
    }
    p->l4 = i.l4;
    p->l4_len = i.l4_len;
    p->l3_len = i.l4 + i.l4_len - p->l3;
    if (!is_v6 && csum_bytes(p->l3, i.l4 - p->l3)) {
        counter_inc(conntrack_l3csum_err);
        return;
    }
    if (!check_l4(&i, is_v6)) {
        return;
    }
    if (!csum_known && !check_l4_csum(&i, is_v6)) {
        counter_inc(conntrack_l4csum_err);
        return;
    }
    if ((i.proto == IP_PROTO_ICMP || i.proto == IP_PROTO_ICMPV6) && icmp_is_error(i.l4[0], is_v6)) {
        p->valid = parse_inner(&i, is_v6, p);
    } else {
        p->valid = fill_tuple(&i, is_v6, &p->tuple);
    }
}
