/* Which address and port a translated connection gets.
 *
 * A candidate is good if no live connection has its reply tuple; ct_insert() decides.  The port that a packet came with
 * is tried first where it is allowed (RFC 4787 §4.2.1).  Without a range another source port is one of the same kind
 * (a privileged one stays privileged): one of the next, as in the reference, or else, like those of a range, found from
 * a place that a hash (or chance) gives.  The search is bounded, so that a full range costs a new connection little. */
#include "base/hash.h"
#include "conntrack/private.h"
#include "sys/random.h"

enum { ATTEMPTS = 512, NEXT_PORTS = 128 };

/* Whether ports are translated, too.  Those of SCTP are not, like those of protocols that have none. */
static bool
has_ports(const struct ct_tuple *t)
{
    return t->proto == IP_PROTO_TCP || t->proto == IP_PROTO_UDP || t->kind & CT_KIND_ICMP;
}

/* The number of addresses from a to b, less one; at most UINT32_MAX - 1. */
static uint32_t
address_range(const struct ipv6_addr *a, const struct ipv6_addr *b)
{
    uint64_t high = get_be64(b->s6) - get_be64(a->s6), low = get_be64(b->s6 + 8) - get_be64(a->s6 + 8);

    high -= get_be64(b->s6 + 8) < get_be64(a->s6 + 8);
    return high || low >= UINT32_MAX - 1 ? UINT32_MAX - 1 : low;
}

static struct ipv6_addr
address_plus(const struct ipv6_addr *a, uint32_t n)
{
    uint64_t low = get_be64(a->s6 + 8) + n;
    struct ipv6_addr sum = *a;

    put_be64(sum.s6 + 8, low);
    put_be64(sum.s6, get_be64(a->s6) + (low < n));
    return sum;
}

/* Where in the range of addresses to begin.  Persistent: the same for a host, also after a restart. */
static uint32_t
address_start(const struct conntrack *ct, const struct ct_tuple *t, const struct ct_nat *nat, uint32_t range)
{
    const struct ipv6_addr *host = nat->flags & CT_NAT_SRC ? &t->src : &t->dst;
    uint64_t h = nat->flags & CT_NAT_PERSISTENT ? hash_bytes(host, sizeof *host, 0) : ct_hash(ct, t);

    return range == UINT32_MAX ? h : h % ((uint64_t) range + 1);
}

struct ports {
    uint16_t min, max;
};

/* The end of the reply tuple that is chosen. */
struct choice {
    struct ipv6_addr *address;
    be16 *port;
    be16 wanted; /* The port as it came. */
};

static void
set_port(struct ct_conn *c, const struct choice *to, uint16_t port)
{
    *to->port = cpu_to_be16(port);
    if (c->tuple[CT_REPLY].kind & CT_KIND_ICMP) { /* Both are the identifier. */
        c->tuple[CT_REPLY].src_port = c->tuple[CT_REPLY].dst_port = cpu_to_be16(port);
    }
}

/* Marks what is translated, and publishes. */
static bool
try(struct conntrack *ct, struct ct_conn *c, int64_t now)
{
    const struct ct_tuple *o = &c->tuple[CT_ORIG], *r = &c->tuple[CT_REPLY];

    c->flags &= ~(CONN_NAT | CONN_TWO_ENTRIES);
    if (memcmp(&o->src, &r->dst, sizeof o->src) || o->src_port != r->dst_port) {
        c->flags |= CONN_SNAT;
    }
    if (memcmp(&o->dst, &r->src, sizeof o->dst) || (o->dst_port != r->src_port && !(o->kind & CT_KIND_ICMP))) {
        c->flags |= CONN_DNAT;
    }
    c->hash[CT_REPLY] = c->hash[CT_ORIG];
    return ct_insert(ct, c, now);
}

/* Tries n of the ports of a range, from 'start' on. */
static bool
try_next_ports(struct conntrack *ct, struct ct_conn *c, const struct choice *to, const struct ports *range,
               uint32_t start, uint32_t n, unsigned int *attempts, int64_t now)
{
    for (uint32_t i = 0; i < n && *attempts; i++, --*attempts) {
        set_port(c, to, range->min + (start + i) % (range->max - range->min + 1u));
        if (try(ct, c, now)) {
            return true;
        }
    }
    return false;
}

/* Tries the ports of a range, beginning somewhere. */
static bool
try_ports(struct conntrack *ct, struct ct_conn *c, const struct choice *to, const struct ports *range, bool by_chance,
          unsigned int *attempts, int64_t now)
{
    uint32_t n = range->max - range->min + 1u;
    uint32_t start = (by_chance ? random_u64(sys_random()) : ct_hash(ct, &c->tuple[CT_ORIG])) % n;

    return try_next_ports(ct, c, to, range, start, n, attempts, now);
}

/* Tries other source ports of the kind of the one that is wanted. */
static bool
try_other_ports(struct conntrack *ct, struct ct_conn *c, const struct choice *source, unsigned int *attempts,
                int64_t now)
{
    uint16_t wanted = be16_to_cpu(source->wanted);
    bool is_id = c->tuple[CT_REPLY].kind & CT_KIND_ICMP; /* Of a query: no port. */
    const struct ports range = is_id           ? (struct ports) { 1, UINT16_MAX }
                               : wanted < 512  ? (struct ports) { 1, 511 }
                               : wanted < 1024 ? (struct ports) { 600, 1023 }
                                               : (struct ports) { 1024, UINT16_MAX };
    uint32_t next = wanted >= range.min && wanted < range.max ? wanted + 1u - range.min : 0;

    return try_next_ports(ct, c, source, &range, next, NEXT_PORTS - 1, attempts, now)
           || try_ports(ct, c, source, &range, false, attempts, now);
}

/* One address: the port as it came if that is allowed, then the range, or ports that nobody minds. */
static bool
try_address(struct conntrack *ct, struct ct_conn *c, const struct ct_nat *nat, const struct choice *to,
            unsigned int *attempts, int64_t now)
{
    uint16_t wanted = be16_to_cpu(to->wanted);
    bool by_chance = nat->flags & CT_NAT_RANDOM, ports = has_ports(&c->tuple[CT_ORIG]);
    bool has_range = nat->port_min && !(c->tuple[CT_ORIG].kind & CT_KIND_ICMP); /* An identifier is no port. */
    bool in_range = !has_range || (wanted >= nat->port_min && wanted <= nat->port_max);

    if (!ports) {
        return try(ct, c, now);
    }
    if (in_range && !(has_range && nat->flags & (CT_NAT_HASH | CT_NAT_RANDOM))) {
        set_port(c, to, wanted);
        if (try(ct, c, now)) {
            return true;
        }
    }
    if (has_range) {
        return try_ports(ct, c, to, &(struct ports) { nat->port_min, nat->port_max }, by_chance, attempts, now);
    }
    return nat->flags & CT_NAT_SRC && try_other_ports(ct, c, to, attempts, now);
}

/* A destination that is taken for this source: the source's port gives way (its address stays). */
static bool
try_source_port(struct conntrack *ct, struct ct_conn *c, unsigned int *attempts, int64_t now)
{
    struct ct_tuple *r = &c->tuple[CT_REPLY];
    struct choice source = { &r->dst, &r->dst_port, r->dst_port };

    return has_ports(r) && !(r->kind & CT_KIND_ICMP) && try_other_ports(ct, c, &source, attempts, now);
}

static bool
insert_translated(struct conntrack *ct, struct ct_conn *c, const struct ct_nat *nat, int64_t now)
{
    struct ct_tuple *r = &c->tuple[CT_REPLY];
    bool is_src = nat->flags & CT_NAT_SRC;
    struct choice to = { is_src ? &r->dst : &r->src, is_src ? &r->dst_port : &r->src_port,
                         is_src ? r->dst_port : r->src_port };
    struct ipv6_addr min = nat->min;
    unsigned int attempts = ATTEMPTS;
    uint32_t range, start;
    bool is_any;

    if (nat->has_address && nat->is_v6 != ct_tuple_is_v6(r)) {
        return false;
    }
    c->flags |= is_src ? CONN_SHOWS_SNAT : CONN_SHOWS_DNAT;
    is_any = nat->is_v6 ? is_all_zeros(&nat->min, 16) : !ct_address_ipv4(&nat->min);
    if (!nat->has_address || is_any) {
        min = *to.address; /* nat(src=0.0.0.0), or ports alone. */
        range = 0;
    } else {
        range = address_range(&nat->min, &nat->max);
    }
    start = address_start(ct, &c->tuple[CT_ORIG], nat, range);
    for (uint32_t i = 0; i <= range && attempts; i++) {
        *to.address = address_plus(&min, (start + (uint64_t) i) % ((uint64_t) range + 1));
        if (try_address(ct, c, nat, &to, &attempts, now)) {
            return true;
        }
        attempts -= attempts > 0;
    }
    return !is_src && try_source_port(ct, c, &attempts, now);
}

static bool
insert_expected(struct conntrack *ct, struct ct_conn *c, const struct ct_expected *e, int64_t now)
{
    struct ct_tuple *r = &c->tuple[CT_REPLY];
    unsigned int attempts = ATTEMPTS;

    r->src = e->dst;
    r->src_port = e->dst_port;
    r->dst = e->src;
    if (memcmp(&c->tuple[CT_ORIG].src, &r->dst, sizeof r->dst)) {
        c->flags |= CONN_SHOWS_SNAT;
    }
    if (memcmp(&c->tuple[CT_ORIG].dst, &r->src, sizeof r->src)) {
        c->flags |= CONN_SHOWS_DNAT;
    }
    return try(ct, c, now) || try_source_port(ct, c, &attempts, now);
}

bool
ct_nat_insert(struct conntrack *ct, struct ct_conn *c, const struct ct_nat *nat, const struct ct_expected *expected,
              int64_t now)
{
    return expected                                     ? insert_expected(ct, c, expected, now)
           : nat->flags & (CT_NAT_SRC | CT_NAT_DST) ? insert_translated(ct, c, nat, now)
                                                        : ct_insert_untranslated(ct, c, now);
}
