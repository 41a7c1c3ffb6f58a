/* What identifies a connection.  Private to this directory and to whoever shows connections (conntrack/info.h).
 *
 * Addresses of IPv4 are ::ffff:a.b.c.d; 'kind' says which family is meant, and for ICMP which query.  For ICMP both
 * ports are the identifier.
 * Threads: plain values. */
#ifndef CONNTRACK_TUPLE_H
#define CONNTRACK_TUPLE_H 1

#include "base/addr.h"
#include "base/util.h"

/* Low bits of 'kind': ICMP queries, requests odd, each reply one above its request; 0 for other protocols. */
enum { CT_ICMP_ECHO = 1, CT_ICMP_TIMESTAMP = 3, CT_ICMP_INFO = 5, CT_KIND_ICMP = 7, CT_KIND_V6 = 0x80 };

struct ct_tuple {
    struct ipv6_addr src, dst;
    be16 src_port, dst_port;
    uint16_t zone;
    uint8_t proto;
    uint8_t kind;
};
_Static_assert(sizeof(struct ct_tuple) == 40, "no padding, so that tuples compare as bytes");

static inline bool ct_tuple_is_v6(const struct ct_tuple *t) { return t->kind & CT_KIND_V6; }
static inline bool ct_tuple_is_request(const struct ct_tuple *t) { return t->kind & 1; }

static inline uint8_t
ct_kind_reverse(uint8_t kind)
{
    return kind & CT_KIND_ICMP ? ((kind - 1) ^ 1) + 1 : kind;
}

static inline struct ct_tuple
ct_tuple_reverse(const struct ct_tuple *t)
{
    return (struct ct_tuple) { t->dst, t->src, t->dst_port, t->src_port, t->zone, t->proto, ct_kind_reverse(t->kind) };
}

static ALWAYS_INLINE bool
ct_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b)
{
    uint64_t differ = 0;

    for (size_t i = 0; i < sizeof *a; i += sizeof differ) {
        uint64_t x, y;

        memcpy(&x, (const char *) a + i, sizeof x);
        memcpy(&y, (const char *) b + i, sizeof y);
        differ |= x ^ y;
    }
    return !differ;
}

static inline struct ipv6_addr
ct_address4(be32 ip)
{
    struct ipv6_addr a = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } };

    memcpy(&a.s6[12], &ip, sizeof ip);
    return a;
}

static inline be32
ct_address_ipv4(const struct ipv6_addr *a)
{
    be32 ip;

    memcpy(&ip, &a->s6[12], sizeof ip);
    return ip;
}

/* Type of an ICMP or ICMPv6 query of this kind. */
uint8_t ct_icmp_type(const struct ct_tuple *);
/* And back; 0 for a type that is no query. */
uint8_t ct_icmp_kind(uint8_t type, bool is_v6);

#endif
