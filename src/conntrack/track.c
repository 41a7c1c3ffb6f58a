/* The order of things for a packet: find its connection, update it, commit, translate, and tell the key. */
#include <stdlib.h>
#include <string.h>

#include "conntrack/ipf.h"
#include "conntrack/private.h"
#include "packet/mbuf.h"
#include "sys/counter.h"

COUNTER(conntrack_full)
COUNTER(conntrack_nat_exhausted)

const char *const ct_helper_names[CT_N_HELPERS] = { "", "ftp", "tftp" };

struct conntrack *
conntrack_create(void)
{
    struct conntrack *ct = xzalloc_cacheline(sizeof *ct);

    ct->max_conns = CONNTRACK_MAX_CONNS;
    ct->sweep_ms = CONNTRACK_SWEEP_MS;
    ct->tcp_seq_chk = true;
    ct_zones_init(&ct->zones);
    ct_expectations_init(ct);
    ct_table_init(ct);
    ct->ipf = ipf_create();
    return ct;
}

void
conntrack_destroy(struct conntrack *ct)
{
    if (ct) {
        rcu_barrier_all(); /* Shards with a grace period under way. */
        ipf_destroy(ct->ipf);
        ct_table_uninit(ct);
        ct_expectations_uninit(ct);
        ct_zones_uninit(&ct->zones);
        free(ct);
    }
}

/* The key. */

static void
put_tuple(struct flow *key, const struct ct_tuple *t)
{
    if (ct_tuple_is_v6(t)) {
        key->ct_ipv6_src = t->src;
        key->ct_ipv6_dst = t->dst;
    } else {
        key->ct_nw_src = ct_address_ipv4(&t->src);
        key->ct_nw_dst = ct_address_ipv4(&t->dst);
    }
    key->ct_nw_proto = t->proto;
    if (t->kind & CT_KIND_ICMP) {
        key->ct_tp_src = cpu_to_be16(ct_icmp_type(t)); /* The code is 0. */
    } else {
        key->ct_tp_src = t->src_port;
        key->ct_tp_dst = t->dst_port;
    }
}

/* What the packet's key shows. */
struct shown {
    uint8_t state;
    uint32_t mark;
    uint64_t label[2];
    const struct ct_tuple *tuple; /* Null: none. */
};

static void
tell_key(const struct ct_packet *k, uint16_t zone, const struct shown *s)
{
    struct flow *key = k->key;

    key->ct_state = s->state;
    key->ct_zone = cpu_to_be16(zone);
    key->ct_mark = cpu_to_be32(s->mark);
    if (!s->tuple) {
        if (*k->lines & FLOW_LINE_CT) {
            key->lines[FLOW_LINE_OF(ct_label)] = (struct flow_line) { { 0 } };
        }
        return;
    }
    key->lines[FLOW_LINE_OF(ct_label)] = (struct flow_line) { { s->label[0], s->label[1] } };
    put_tuple(key, s->tuple);
    *k->lines |= FLOW_LINE_CT;
}

static void
show_conn(struct shown *s, const struct ct_conn *conn)
{
    struct ct_conn *c = (struct ct_conn *) conn;

    s->mark = atomic_load_explicit(&c->mark, memory_order_relaxed);
    s->label[0] = atomic_load_explicit(&c->label[0], memory_order_relaxed);
    s->label[1] = atomic_load_explicit(&c->label[1], memory_order_relaxed);
    s->tuple = ct_alg_shown_tuple(c);
}

/* Commit. */

static void
set_marks(struct ct_conn *c, const struct ct_action *a)
{
    uint64_t label[2], mask[2];

    if (a->mark_mask) {
        atomic_store_explicit(&c->mark, (c->mark & ~a->mark_mask) | (a->mark & a->mark_mask), memory_order_relaxed);
    }
    memcpy(label, a->label, sizeof label);
    memcpy(mask, a->label_mask, sizeof mask);
    for (int i = 0; i < 2; i++) {
        if (mask[i]) {
            atomic_store_explicit(&c->label[i], (c->label[i] & ~mask[i]) | (label[i] & mask[i]),
                                  memory_order_relaxed);
        }
    }
}

static void
open_state(struct conntrack *ct, struct ct_conn *c, const struct ct_parsed *p, int64_t now)
{
    enum ct_timeout timeout;

    (p->tuple.proto == IP_PROTO_TCP ? ct_tcp_open : ct_other_open)(c, p, &timeout);
    c->expires = now + ct_timeout_ms(&ct->zones, c->has_policy, c->policy, timeout);
}

/* A connection for a new packet; null if there is no room, or somebody else was faster. */
static struct ct_conn *
commit_new(struct conntrack *ct, const struct ct_action *a, const struct ct_parsed *p, const struct ct_expected *e,
           int64_t now)
{
    struct ct_conn *c;

    if (!ct_zone_enter(&ct->zones, a->zone)) {
        return NULL;
    }
    c = ct_new(ct, &p->tuple, p->hash);
    if (!c) {
        counter_inc(conntrack_full);
        ct_zone_leave(&ct->zones, a->zone);
        return NULL;
    }
    c->has_policy = a->has_policy;
    c->policy = a->policy;
    if (e) {
        c->mark = e->mark;
        c->label[0] = e->label[0];
        c->label[1] = e->label[1];
    }
    set_marks(c, a);
    open_state(ct, c, p, now);
    ct_alg_attach(c, a->helper, e);
    if (!(a->has_nat ? ct_nat_insert(ct, c, &a->nat, e, now) : ct_insert_untranslated(ct, c, now))) {
        ct_give_back(ct, c);
        ct_zone_leave(&ct->zones, a->zone);
        return NULL;
    }
    return c;
}

/* Packets. */

/* The packet's bytes are to be changed: nobody else may see that.  False without memory: the packet is gone. */
static bool
own_bytes(struct ct_packet *k, struct ct_parsed *p)
{
    uint8_t *old = packet_at(k->packet);

    k->is_changed = true;
    k->packet = packet_unshare(k->packet);
    if (!k->packet) {
        return false;
    }
    if (packet_at(k->packet) != old) {
        ptrdiff_t by = (uint8_t *) packet_at(k->packet) - old;

        p->l3 += by;
        p->l4 += by;
        p->inner_l3 += p->related ? by : 0;
        p->inner_l4 += p->related ? by : 0;
    }
    return true;
}

static enum ct_verdict
update(struct conntrack *ct, struct ct_conn *c, int dir, const struct ct_parsed *p, int64_t now)
{
    enum ct_timeout timeout = 0;
    enum ct_verdict v = p->tuple.proto == IP_PROTO_TCP ? ct_tcp_update(c, dir, p, ct->tcp_seq_chk, &timeout)
                                                       : ct_other_update(c, dir, p, &timeout);

    if (v == CT_IS_NEW || v == CT_IS_ESTABLISHED) {
        ct_conn_touch(ct, c, timeout, now);
    }
    return v;
}

static bool
is_opening(const struct ct_parsed *p)
{
    return !p->related && (p->tuple.proto == IP_PROTO_TCP ? ct_tcp_is_opening(p) : ct_other_is_opening(p));
}

/* What an earlier ct(nat) of the same zone says that it has translated. */
static uint8_t
earlier_nat(const struct ct_action *a, const struct ct_packet *k)
{
    return k->key->ct_zone == cpu_to_be16(a->zone) ? k->key->ct_state & (CT_SNAT | CT_DNAT) : 0;
}

/* The original tuple of the connection that an earlier ct of the zone found for the packet: the key has it. */
static bool
shown_tuple(const struct ct_packet *k, const struct ct_parsed *p, struct ct_tuple *t)
{
    const struct flow *key = k->key;

    if (key->ct_state & (CT_INV | CT_REL) || p->related || !(*k->lines & FLOW_LINE_CT)) {
        return false; /* Without a direction, or with the tuple of another connection. */
    }
    *t = p->tuple;
    if (ct_tuple_is_v6(t)) {
        t->src = key->ct_ipv6_src;
        t->dst = key->ct_ipv6_dst;
    } else {
        t->src = ct_address4(key->ct_nw_src);
        t->dst = ct_address4(key->ct_nw_dst);
    }
    if (t->kind & CT_KIND_ICMP) { /* Its identifier, which no action changes, is the packet's. */
        t->kind = (t->kind & CT_KIND_V6) | ct_icmp_kind(be16_to_cpu(key->ct_tp_src), ct_tuple_is_v6(t));
    } else {
        t->src_port = key->ct_tp_src;
        t->dst_port = key->ct_tp_dst;
    }
    return true;
}

/* A packet that an earlier ct of the zone translated: its tuple is now that of what the other end sends, in reverse. */
static struct ct_conn *
find_translated(struct conntrack *ct, const struct ct_parsed *p, int64_t now, int *dir)
{
    struct ct_tuple t = ct_tuple_reverse(&p->tuple);
    struct ct_conn *c = ct_find_rcu(ct, &t, p->hash, now, dir);

    *dir = !*dir;
    return c && c->flags & CONN_SHOWS_NAT ? c : NULL;
}

/* Where actions have changed its headers since, it stays its connection's unless it is to be translated again. */
static struct ct_conn *
find_changed(struct conntrack *ct, const struct ct_action *a, const struct ct_packet *k, const struct ct_parsed *p,
             int64_t now, int *dir)
{
    struct ct_tuple t;
    struct ct_conn *c;
    int of_tuple;

    if (a->has_nat || !shown_tuple(k, p, &t)) {
        return NULL;
    }
    c = ct_find_rcu(ct, &t, ct_hash(ct, &t), now, &of_tuple);
    *dir = k->key->ct_state & CT_RPL ? CT_REPLY : CT_ORIG;
    return c && of_tuple == CT_ORIG ? c : NULL;
}

/* Of a packet that the zone translated, the connection that did so comes first: what it is now may be another's, too.
 * '*was_translated': it is not the one of the packet's own tuple. */
static struct ct_conn *
find(struct conntrack *ct, const struct ct_action *a, const struct ct_packet *k, const struct ct_parsed *p,
     int64_t now, int *dir, bool *was_translated)
{
    bool is_earlier = earlier_nat(a, k);
    struct ct_conn *c = is_earlier ? find_translated(ct, p, now, dir) : NULL;

    *was_translated = c != NULL;
    if (c) {
        return c;
    }
    c = p->candidate;
    if (UNLIKELY(!c || !ct_is_it(c, p->candidate_entry, &p->tuple, now, dir))) {
        c = ct_find_rcu(ct, &p->tuple, p->hash, now, dir);
    }
    if (!c && is_earlier) {
        c = find_changed(ct, a, k, p, now, dir);
        *was_translated = c != NULL;
    }
    return c;
}

/* No connection: a new one, if the packet may open one. */
static struct ct_conn *
track_new(struct conntrack *ct, const struct ct_action *a, const struct ct_parsed *p, struct shown *s, int64_t now)
{
    struct ct_expected e;
    bool expected = ct_expectation_find(ct, &p->tuple, now, a->commit, &e);
    struct ct_conn *c = NULL;

    if (a->commit) {
        c = commit_new(ct, a, p, expected ? &e : NULL, now);
        if (!c) {
            return NULL;
        }
        show_conn(s, c);
    } else {
        s->tuple = &p->tuple;
        if (expected) {
            s->mark = e.mark;
            s->label[0] = e.label[0];
            s->label[1] = e.label[1];
        }
    }
    s->state = CT_TRK | CT_NEW | (expected ? CT_REL : 0);
    return c;
}

/* A packet that does not fit its connection shows and marks it like others. */
static void
track_existing(struct ct_conn *c, const struct ct_action *a, int dir, const struct ct_parsed *p, enum ct_verdict v,
               struct shown *s)
{
    if (v == CT_IS_INVALID) {
        s->state = CT_TRK | CT_INV;
    } else if (p->related) {
        s->state = CT_TRK | CT_REL | (dir == CT_REPLY ? CT_RPL : 0);
    } else {
        s->state = CT_TRK | (c->flags & CONN_RELATED ? CT_REL : 0)
                   | (v == CT_IS_NEW ? CT_NEW : CT_EST | (dir == CT_REPLY ? CT_RPL : 0));
    }
    if (a->commit && !p->related) {
        set_marks(c, a);
    }
    show_conn(s, c);
}

/* Gateway and translation, also of what does not fit the connection.  False: the packet is gone. */
static bool
change_packet(struct conntrack *ct, struct ct_conn *c, const struct ct_action *a, int dir, bool was_translated,
              struct ct_packet *k, struct ct_parsed *p, struct shown *s, int64_t now)
{
    if (ct_has_alg(c) && !was_translated && !(s->state & CT_INV)) {
        if (!own_bytes(k, p)) {
            return false;
        }
        ct_alg_after(ct, c, dir, k, p, now);
        if (!k->packet) {
            return false;
        }
    }
    if (!(c->flags & (CONN_NAT | CONN_SHOWS_NAT))) {
        return true;
    }
    if (!a->has_nat) {
        s->state |= earlier_nat(a, k);
    } else {
        if (c->flags & CONN_NAT && !own_bytes(k, p)) {
            return false;
        }
        s->state |= ct_nat_translate(c, dir, p);
    }
    return true;
}

/* Whether a packet that was translated has, as it is now, a tuple of another connection than 'c'. */
static bool
is_like_another(struct conntrack *ct, const struct ct_conn *c, const struct ct_parsed *p, int64_t now)
{
    int dir;
    const struct ct_conn *other = ct_find_rcu(ct, &p->tuple, p->hash, now, &dir);

    return other && other != c;
}

/* Finds the connection and updates it; null if there is none, or its time has ended.  '*v' is CT_IS_INVALID if the
 * packet does not fit it. */
static struct ct_conn *
find_and_update(struct conntrack *ct, const struct ct_action *a, struct ct_packet *k, struct ct_parsed *p, int *dir,
                bool *was_translated, enum ct_verdict *v, int64_t now)
{
    struct ct_conn *c = find(ct, a, k, p, now, dir, was_translated);

    *v = CT_IS_ESTABLISHED;
    if (!c || p->related) {
        return c;
    }
    if (a->commit && a->force && *dir == CT_REPLY && !(*was_translated && is_like_another(ct, c, p, now))) {
        ct_remove(ct, c);
        return NULL;
    }
    if (ct_has_alg(c) && !*was_translated) {
        if (!own_bytes(k, p)) {
            return c;
        }
        ct_alg_before(c, *dir, p);
    }
    *v = update(ct, c, *dir, p, now);
    if (*v == CT_IS_REOPENED) {
        ct_remove(ct, c);
        return NULL;
    }
    return c;
}

static void
track(struct conntrack *ct, const struct ct_action *a, struct ct_packet *k, struct ct_parsed *p, int64_t now)
{
    struct shown s = { .state = CT_TRK | CT_INV };
    enum ct_verdict v = CT_IS_INVALID;
    bool was_translated = false;
    struct ct_conn *c = NULL;
    int dir = CT_ORIG;

    if (p->valid) {
        c = find_and_update(ct, a, k, p, &dir, &was_translated, &v, now);
        if (!k->packet) {
            return;
        }
        if (!c && is_opening(p)) {
            dir = CT_ORIG;
            c = track_new(ct, a, p, &s, now);
        } else if (c) {
            track_existing(c, a, dir, p, v, &s);
        }
        if (c && !change_packet(ct, c, a, dir, was_translated, k, p, &s, now)) {
            return;
        }
    }
    tell_key(k, a->zone, &s);
}

/* The transport checksum need not be looked at: it is still to be completed, or a device has looked at it. */
static bool
csum_is_known(const struct packet *packet, uint8_t proto)
{
    return (packet_has_offload(packet) && packet->offload.flags)
           || (packet_csum_is_verified(packet) && (proto == IP_PROTO_TCP || proto == IP_PROTO_UDP));
}

static void
parse(struct conntrack *ct, const struct ct_action *a, const struct ct_packet *k, struct ct_parsed *p)
{
    struct packet *packet = k->packet;
    bool is_v6 = k->key->eth_type == BE16(ETH_TYPE_IPV6);
    bool csum_known = csum_is_known(packet, k->key->nw_proto);

    if (k->offsets->l3 == FLOW_NO_OFFSET || (!is_v6 && k->key->eth_type != BE16(ETH_TYPE_IP))) {
        p->valid = false;
        return;
    }
    ct_parse(packet_at(packet), packet_size(packet), k->offsets->l3, is_v6, a->zone, csum_known, p);
    p->partial = packet_csum_is_partial(packet)
                 && p->valid && packet->offload.csum_start == p->l4 - (uint8_t *) packet_at(packet);
    if (p->valid) {
        p->hash = ct_hash(ct, &p->tuple);
        __builtin_prefetch(ct_shard_of(ct, p->hash));
    }
}

void
conntrack_run_rcu(struct conntrack *ct, const struct ct_action *a, struct ct_packet *packets, unsigned int n,
                  int64_t now)
{
    struct ct_parsed parsed[CONNTRACK_BURST];

    for (unsigned int i = 0; i < n; i++) {
        parse(ct, a, &packets[i], &parsed[i]);
    }
    for (unsigned int i = 0; i < n; i++) {
        if (LIKELY(parsed[i].valid)) {
            ct_prefetch(ct, parsed[i].hash);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        struct ct_parsed *p = &parsed[i];
        struct ct_conn *c = p->valid ? ct_candidate_rcu(ct, p->hash, &p->candidate_entry) : NULL;

        p->candidate = c;
        if (c) {
            __builtin_prefetch(c);
            __builtin_prefetch((const char *) c + CACHE_LINE);
        } else if (a->commit && p->valid) {
            ct_prefetch_new(ct, p->hash);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        track(ct, a, &packets[i], &parsed[i], now);
    }
}

bool
conntrack_is_idle(const struct conntrack *ct)
{
    return !ct->n_conns && ipf_is_empty(ct->ipf);
}

/* Settings. */

void
conntrack_set_max_conns(struct conntrack *ct, uint32_t n)
{
    ct->max_conns = n;
}

uint32_t
conntrack_max_conns(const struct conntrack *ct)
{
    return ct->max_conns;
}

uint32_t
conntrack_n_conns(const struct conntrack *ct)
{
    return ct->n_conns;
}

void
conntrack_set_tcp_seq_chk(struct conntrack *ct, bool on)
{
    ct->tcp_seq_chk = on;
}

bool
conntrack_tcp_seq_chk(const struct conntrack *ct)
{
    return ct->tcp_seq_chk;
}

void
conntrack_set_sweep_interval(struct conntrack *ct, uint32_t ms)
{
    ct->sweep_ms = ms;
}

uint32_t
conntrack_sweep_interval(const struct conntrack *ct)
{
    return ct->sweep_ms;
}
