/* The interpreter's packets as bytes, and back. */
#include "ofproto/xlate/ct_oracle_frame.h"

#include "packet/csum.h"
#include "packet/headers.h"

static const uint8_t prefix[12] = { 0xfd };

/* An IP packet in a frame, as its header says. */
struct ip {
    bool is_v6;
    uint8_t proto;
    uint8_t *src, *dst; /* The last 32 bits. */
    uint8_t *l4;
    size_t l4_size;
};

static struct ip
look_at_ip(uint8_t *l3)
{
    if (l3[0] >> 4 == 6) {
        return (struct ip) { true, l3[6], l3 + 20, l3 + 36, l3 + IPV6_HEADER_LEN, get_be16(l3 + 4) };
    }
    return (struct ip) { false, l3[9], l3 + 12, l3 + 16, l3 + IP_HEADER_LEN, get_be16(l3 + 2) - IP_HEADER_LEN };
}

static be16
l4_csum(const struct ip *ip)
{
    uint32_t sum = 0;

    if (ip->is_v6) {
        sum = csum_pseudo_ipv6((void *) (ip->src - 12), (void *) (ip->dst - 12), ip->proto, ip->l4_size);
    } else if (ip->proto != IP_PROTO_ICMP) {
        be32 src, dst;

        memcpy(&src, ip->src, sizeof src);
        memcpy(&dst, ip->dst, sizeof dst);
        sum = csum_pseudo_ipv4(src, dst, ip->proto, ip->l4_size);
    }
    return csum_finish(csum_add(sum, ip->l4, ip->l4_size));
}

static bool
is_icmp(const struct ip *ip)
{
    return ip->proto == (ip->is_v6 ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP);
}

static bool
is_icmp_error(const struct ip *ip)
{
    return is_icmp(ip) && ip->l4[0] == cto_icmp_type(ip->is_v6, CTO_UNREACHABLE);
}

void
cto_write_csums(uint8_t *l3)
{
    struct ip ip = look_at_ip(l3);
    uint8_t *place = ip.l4 + (ip.proto == IP_PROTO_TCP ? 16 : ip.proto == IP_PROTO_UDP ? 6 : 2);
    be16 csum = 0;

    if (!ip.is_v6) {
        memset(l3 + 10, 0, 2);
        csum = csum_bytes(l3, IP_HEADER_LEN);
        memcpy(l3 + 10, &csum, sizeof csum);
    }
    memset(place, 0, sizeof csum);
    csum = l4_csum(&ip);
    csum = ip.proto == IP_PROTO_UDP && !csum ? BE16_MAX : csum;
    memcpy(place, &csum, sizeof csum);
}

bool
cto_csums_are_right(uint8_t *l3)
{
    struct ip ip = look_at_ip(l3);

    return (ip.is_v6 || !csum_bytes(l3, IP_HEADER_LEN)) && l4_csum(&ip) == 0
           && (!is_icmp_error(&ip) || cto_csums_are_right(ip.l4 + 8));
}

uint8_t *
cto_l4(uint8_t *l3)
{
    return look_at_ip(l3).l4;
}

/* Writes the IP header of a packet with 'n' bytes behind it. */
static void
put_ip(uint8_t *l3, bool is_v6, uint8_t proto, uint32_t src, uint32_t dst, size_t n)
{
    if (is_v6) {
        l3[0] = 0x60;
        put_be16(l3 + 4, n);
        l3[6] = proto;
        l3[7] = 64;
        memcpy(l3 + 8, prefix, sizeof prefix);
        put_be32(l3 + 20, src);
        memcpy(l3 + 24, prefix, sizeof prefix);
        put_be32(l3 + 36, dst);
        return;
    }
    l3[0] = 0x45;
    put_be16(l3 + 2, IP_HEADER_LEN + n);
    l3[8] = 64;
    l3[9] = proto;
    put_be32(l3 + 12, src);
    put_be32(l3 + 16, dst);
}

uint8_t *
cto_put_packet(uint8_t *l3, const struct cto_packet *p)
{
    static const size_t sizes[] = { [CTO_UDP] = UDP_HEADER_LEN + 4, [CTO_TCP] = TCP_HEADER_LEN, [CTO_ICMP] = 12 };
    uint8_t proto = p->proto == CTO_UDP   ? IP_PROTO_UDP
                    : p->proto == CTO_TCP ? IP_PROTO_TCP
                    : p->is_v6            ? IP_PROTO_ICMPV6
                                          : IP_PROTO_ICMP;
    size_t n = sizes[p->proto] + p->n_data;
    uint8_t *l4 = l3 + (p->is_v6 ? IPV6_HEADER_LEN : IP_HEADER_LEN);

    if (p->is_error) {
        const struct cto_tuple *t = &p->inner;
        struct cto_packet inner = { .is_v6 = p->is_v6, .proto = CTO_UDP };

        inner.f[CTO_SRC] = t->src;
        inner.f[CTO_DST] = t->dst;
        inner.f[CTO_SPORT] = t->sport;
        inner.f[CTO_DPORT] = t->dport;
        if (t->kind == CTO_IS_TCP) {
            inner.proto = CTO_TCP;
        } else if (t->kind != CTO_IS_UDP) {
            inner.proto = CTO_ICMP;
            inner.id = t->sport;
            inner.f[CTO_SPORT] = cto_icmp_type(p->is_v6, t->kind == CTO_IS_REQUEST ? CTO_ECHO : CTO_ECHO_REPLY);
            inner.f[CTO_DPORT] = 0;
        }
        n = cto_put_packet(l4 + 8, &inner) - l4;
    }
    put_ip(l3, p->is_v6, proto, p->f[CTO_SRC], p->f[CTO_DST], n);
    if (p->proto == CTO_ICMP) {
        l4[0] = p->f[CTO_SPORT];
        l4[1] = p->f[CTO_DPORT];
        put_be16(l4 + 4, p->id);
    } else {
        put_be16(l4, p->f[CTO_SPORT]);
        put_be16(l4 + 2, p->f[CTO_DPORT]);
    }
    if (p->proto == CTO_UDP) {
        put_be16(l4 + 4, n);
    } else if (p->proto == CTO_TCP) {
        put_be32(l4 + 4, p->seq);
        put_be32(l4 + 8, p->ack);
        l4[12] = 0x50;
        l4[13] = p->f[CTO_TCP_FLAGS];
        put_be16(l4 + 14, 20000);
    }
    cto_write_csums(l3);
    return l4 + n;
}

struct cto_packet
cto_read_packet(uint8_t *l3)
{
    struct ip ip = look_at_ip(l3);
    struct cto_packet p = { .is_v6 = ip.is_v6, .proto = CTO_UDP };

    p.f[CTO_SRC] = get_be32(ip.src);
    p.f[CTO_DST] = get_be32(ip.dst);
    if (is_icmp(&ip)) {
        p.proto = CTO_ICMP;
        p.f[CTO_SPORT] = ip.l4[0];
        p.f[CTO_DPORT] = ip.l4[1];
        p.id = get_be16(ip.l4 + 4);
    } else {
        p.f[CTO_SPORT] = get_be16(ip.l4);
        p.f[CTO_DPORT] = get_be16(ip.l4 + 2);
    }
    if (ip.proto == IP_PROTO_TCP) {
        p.proto = CTO_TCP;
        p.f[CTO_TCP_FLAGS] = ip.l4[13];
        p.seq = get_be32(ip.l4 + 4);
        p.ack = get_be32(ip.l4 + 8);
        p.n_data = ip.l4_size - TCP_HEADER_LEN;
    }
    if (is_icmp_error(&ip)) {
        struct cto_packet inner = cto_read_packet(ip.l4 + 8);

        p.is_error = true;
        p.inner = cto_tuple_of(&inner);
    }
    return p;
}
