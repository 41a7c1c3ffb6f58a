/* Translation of frames.  Complete checksums follow by their difference (RFC 1624), partial ones hold the pseudo-header
 * only; those of ICMP errors are computed anew. */
#include <string.h>

#include "conntrack/private.h"
#include "packet/csum.h"

/* The transport checksum's place; null if there is none. */
static uint8_t *
csum_place(uint8_t proto, uint8_t *l4, size_t l4_len, bool partial)
{
    size_t at = proto == IP_PROTO_TCP ? 16 : proto == IP_PROTO_UDP ? 6 : proto == IP_PROTO_ICMPV6 ? 2 : SIZE_MAX;

    if (at == SIZE_MAX || l4_len < at + 2 || (proto == IP_PROTO_UDP && !partial && !l4[at] && !l4[at + 1])) {
        return NULL;
    }
    return l4 + at;
}

static void
csum_follow(uint8_t proto, uint8_t *at, bool partial, const void *old, const void *new, size_t n)
{
    be16 csum;

    memcpy(&csum, at, sizeof csum);
    csum = partial ? (be16) ~csum_update(~csum, old, new, n) : csum_update(csum, old, new, n);
    if (proto == IP_PROTO_UDP && !partial && !csum) {
        csum = BE16_MAX;
    }
    memcpy(at, &csum, sizeof csum);
}

void
ct_l4_write(const struct ct_parsed *p, uint8_t *at, const void *new, size_t n)
{
    uint8_t *csum = csum_place(p->tuple.proto, p->l4, p->l4_len, p->partial);

    if (csum && !p->partial) {
        if ((at - p->l4) & 1) { /* The sum is of words: take in the byte before. */
            uint8_t old[66], now[66];

            memcpy(old, at - 1, n + 1);
            memcpy(now, at - 1, 1);
            memcpy(now + 1, new, n);
            old[n + 1] = now[n + 1] = 0;
            csum_follow(p->tuple.proto, csum, false, old, now, n + 2);
        } else {
            csum_follow(p->tuple.proto, csum, false, at, new, n);
        }
    }
    memcpy(at, new, n);
}

void
ct_l4_csum_renew(const struct ct_parsed *p)
{
    uint8_t *at = csum_place(p->tuple.proto, p->l4, p->l4_len, p->partial);
    uint32_t pseudo;
    be16 csum = 0;

    if (!at) {
        return;
    }
    pseudo = p->is_v6 ? csum_pseudo_ipv6((void *) (p->l3 + 8), (void *) (p->l3 + 24), p->tuple.proto, p->l4_len)
                      : csum_pseudo_ipv4(((struct ip_header *) p->l3)->src, ((struct ip_header *) p->l3)->dst,
                                         p->tuple.proto, p->l4_len);
    if (p->partial) {
        csum = ~csum_finish(pseudo);
    } else {
        memcpy(at, &csum, sizeof csum);
        csum = csum_finish(csum_add(pseudo, p->l4, p->l4_len));
        if (!csum && p->tuple.proto == IP_PROTO_UDP) {
            csum = BE16_MAX;
        }
    }
    memcpy(at, &csum, sizeof csum);
}

/* An IP header with its transport header, of the packet or inside an ICMP error. */
struct place {
    uint8_t *l3, *l4, *l4_csum; /* l4_csum: null if there is none. */
    bool is_v6, partial;
    uint8_t proto;
};

static void
write_address(const struct place *p, bool is_src, const struct ipv6_addr *a)
{
    uint8_t *at = p->l3 + (p->is_v6 ? (is_src ? 8 : 24) : (is_src ? 12 : 16));
    const uint8_t *new = p->is_v6 ? a->s6 : a->s6 + 12;
    size_t n = p->is_v6 ? 16 : 4;

    if (!memcmp(at, new, n)) {
        return;
    }
    if (p->l4_csum) {
        csum_follow(p->proto, p->l4_csum, p->partial, at, new, n);
    }
    if (!p->is_v6) {
        struct ip_header *ip = (struct ip_header *) p->l3;

        ip->csum = csum_update(ip->csum, at, new, n);
    }
    memcpy(at, new, n);
}

static void
write_port(const struct place *p, size_t offset, be16 port, uint8_t *csum)
{
    if (!memcmp(p->l4 + offset, &port, sizeof port)) {
        return;
    }
    if (csum && !p->partial) {
        csum_follow(p->proto, csum, false, p->l4 + offset, &port, sizeof port);
    }
    memcpy(p->l4 + offset, &port, sizeof port);
}

/* Makes addresses and ports those of 't'. */
static void
write_tuple(const struct place *p, const struct ct_tuple *t)
{
    write_address(p, true, &t->src);
    write_address(p, false, &t->dst);
    switch (p->proto) {
    case IP_PROTO_TCP:
    case IP_PROTO_UDP:
        write_port(p, 0, t->src_port, p->l4_csum);
        write_port(p, 2, t->dst_port, p->l4_csum);
        break;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6: write_port(p, 4, t->src_port, p->l4 + 2); break;
    default: break;
    }
}

static uint8_t
state_bits(const struct ct_conn *c, int dir)
{
    return (c->flags & CONN_SHOWS_SNAT ? (dir == CT_ORIG ? CT_SNAT : CT_DNAT) : 0)
           | (c->flags & CONN_SHOWS_DNAT ? (dir == CT_ORIG ? CT_DNAT : CT_SNAT) : 0);
}

/* An ICMP error: the packet inside goes the other way, and is as the other end sent it. */
static void
translate_error(const struct ct_conn *c, int dir, const struct ct_parsed *p, const struct ct_tuple *to)
{
    struct place outer = { p->l3, p->l4, NULL, p->is_v6, false, p->is_v6 ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP };
    uint8_t proto = c->tuple[dir].proto;
    struct place inner = { p->inner_l3, p->inner_l4, NULL, p->is_v6, false, proto };
    struct ct_parsed whole = *p;
    be16 csum = 0;

    /* The part of a header that fits in an error may lack the checksum. */
    inner.l4_csum = csum_place(proto, p->inner_l4, p->inner_l3 + p->inner_len - p->inner_l4, false);
    write_tuple(&inner, &c->tuple[!dir]);
    /* Whoever reports it, a third host too, shows the address that packets this way show, if theirs is translated. */
    if (memcmp(&c->tuple[dir].src, &to->src, sizeof to->src)) {
        write_address(&outer, true, &to->src);
    }
    write_address(&outer, false, &to->dst);
    if (p->is_v6) {
        whole.tuple.proto = IP_PROTO_ICMPV6;
        whole.partial = false;
        ct_l4_csum_renew(&whole);
    } else {
        memcpy(p->l4 + 2, &csum, sizeof csum);
        csum = csum_bytes(p->l4, p->l4_len);
        memcpy(p->l4 + 2, &csum, sizeof csum);
    }
}

uint8_t
ct_nat_translate(const struct ct_conn *c, int dir, const struct ct_parsed *p)
{
    struct ct_tuple to = ct_tuple_reverse(&c->tuple[!dir]);
    uint8_t proto = c->tuple[dir].proto;
    struct place place = { p->l3, p->l4, NULL, p->is_v6, p->partial, proto };

    if (!(c->flags & CONN_NAT)) {
        return state_bits(c, dir);
    }
    if (p->related) {
        translate_error(c, dir, p, &to);
        return state_bits(c, dir);
    }
    place.l4_csum = csum_place(proto, p->l4, p->l4_len, p->partial);
    write_tuple(&place, &to);
    return state_bits(c, dir);
}
