#include "conntrack/info.h"

#include <limits.h>
#include <string.h>

#include "conntrack/ipf.h"
#include "conntrack/private.h"

const char *const ct_tcp_state_names[CT_TCP_N_STATES] = { "CLOSED", "SYN_SENT", "ESTABLISHED", "CLOSING", "FIN_WAIT_2",
                                                          "TIME_WAIT" };

static void
describe(struct ct_conn *c, int64_t now, struct ct_entry *e)
{
    uint64_t label[2] = { c->label[0], c->label[1] };

    *e = (struct ct_entry) { .tuple = { c->tuple[CT_ORIG], c->tuple[CT_REPLY] }, .mark = c->mark, .helper = c->helper,
                             .left_ms = MAX(c->expires - now, 0) };
    memcpy(e->label, label, sizeof e->label);
    ct_conn_lock(c);
    for (int i = 0; i < CT_N_DIRS; i++) {
        e->peer_state[i] = c->peers[i].state;
        e->peer_flags[i] = c->peers[i].flags;
        e->peer_shift[i] = c->peers[i].shift;
    }
    ct_conn_unlock(c);
}

/* The next connection that lives, of at most '*n' places; null if there is none. */
static struct ct_conn *
next_live(struct conntrack *ct, struct ct_walk *w, unsigned int *n, int64_t now)
{
    for (; *n && w->at < ct->n_chunks * CT_CHUNK; --*n) {
        struct ct_conn *c = ct_conn_at(ct, ++w->at);

        if (c && ct_conn_is_live_at(c, now)) {
            return c;
        }
    }
    return NULL;
}

bool
conntrack_walk_rcu(struct conntrack *ct, struct ct_walk *w, unsigned int n, const uint16_t *zone, int64_t now,
                   void (*cb)(void *aux, const struct ct_entry *), void *aux)
{
    for (struct ct_conn *c; (c = next_live(ct, w, &n, now)) != NULL; n--) {
        struct ct_entry e;

        if (!zone || c->tuple[CT_ORIG].zone == *zone) {
            describe(c, now, &e);
            cb(aux, &e);
        }
    }
    return w->at >= ct->n_chunks * CT_CHUNK;
}

unsigned int
conntrack_n_buckets(const struct conntrack *ct)
{
    return ARRAY_SIZE(ct->shards);
}

void
conntrack_bucket_counts(struct conntrack *ct, uint32_t *counts)
{
    for (size_t i = 0; i < CT_SHARDS; i++) {
        pthread_mutex_lock(&ct->shards[i].mutex);
        counts[i] = ct->shards[i].n_conns;
        pthread_mutex_unlock(&ct->shards[i].mutex);
    }
}

uint32_t
conntrack_longest_hold(const struct conntrack *ct)
{
    return MAX(ct->longest_hold, ipf_longest_hold(ct->ipf));
}

static bool
tuple_matches(const struct ct_tuple *t, const struct ct_filter_tuple *f)
{
    bool is_icmp = t->kind & CT_KIND_ICMP;

    return (!f->has_src || (f->is_v6 == ct_tuple_is_v6(t) && !memcmp(&f->src, &t->src, sizeof t->src)))
           && (!f->has_dst || (f->is_v6 == ct_tuple_is_v6(t) && !memcmp(&f->dst, &t->dst, sizeof t->dst)))
           && (!f->src_port || (!is_icmp && f->src_port == be16_to_cpu(t->src_port)))
           && (!f->dst_port || (!is_icmp && f->dst_port == be16_to_cpu(t->dst_port)))
           && (!f->has_icmp_id || (is_icmp && f->icmp_id == be16_to_cpu(t->src_port)))
           && (!f->has_icmp_type || (is_icmp && f->icmp_type == ct_icmp_type(t)))
           && (!f->has_icmp_code || (is_icmp && !f->icmp_code));
}

static bool
matches(const struct ct_conn *c, const struct ct_filter *f)
{
    uint64_t label[2] = { c->label[0], c->label[1] }, want[2], mask[2];

    memcpy(want, f->label, sizeof want);
    memcpy(mask, f->label_mask, sizeof mask);
    return (!f->has_zone || c->tuple[CT_ORIG].zone == f->zone) && (!f->proto || c->tuple[CT_ORIG].proto == f->proto)
           && (c->mark & f->mark_mask) == (f->mark & f->mark_mask) && !((label[0] ^ want[0]) & mask[0])
           && !((label[1] ^ want[1]) & mask[1]) && tuple_matches(&c->tuple[CT_ORIG], &f->orig)
           && tuple_matches(&c->tuple[CT_REPLY], &f->reply);
}

/* The tuple that 'f' wants, if it is all of one. */
static bool
whole_tuple(const struct ct_filter *filter, const struct ct_filter_tuple *f, struct ct_tuple *t)
{
    bool is_icmp = filter->proto == IP_PROTO_ICMP || filter->proto == IP_PROTO_ICMPV6;

    *t = (struct ct_tuple) { f->src, f->dst, cpu_to_be16(f->src_port), cpu_to_be16(f->dst_port), filter->zone,
                             filter->proto, f->is_v6 ? CT_KIND_V6 : 0 };
    if (is_icmp) {
        t->src_port = t->dst_port = cpu_to_be16(f->icmp_id);
        t->kind |= ct_icmp_kind(f->icmp_type, f->is_v6);
    }
    return filter->has_zone && filter->proto && f->has_src && f->has_dst
           && (is_icmp ? f->has_icmp_id && f->has_icmp_type : f->src_port && f->dst_port);
}

/* Removes what the index finds; true if no others can be meant. */
static bool
flush_by_index(struct conntrack *ct, struct ct_flushing *f, int64_t now)
{
    struct ct_tuple t;
    struct ct_conn *c;
    int dir;

    if (!whole_tuple(&f->filter, &f->filter.orig, &t) && !whole_tuple(&f->filter, &f->filter.reply, &t)) {
        return f->filter.has_zone && !ct_zone_n(&ct->zones, f->filter.zone);
    }
    c = ct_find_rcu(ct, &t, ct_hash(ct, &t), now, &dir);
    if (c && (f->filter.either_way || matches(c, &f->filter))) {
        f->n_removed += ct_remove(ct, c);
    }
    return true;
}

bool
conntrack_flush_step_rcu(struct conntrack *ct, struct ct_flushing *f, unsigned int n, int64_t now)
{
    if (flush_by_index(ct, f, now)) {
        return true;
    }
    for (struct ct_conn *c; (c = next_live(ct, &f->walk, &n, now)) != NULL; n--) {
        if (matches(c, &f->filter)) {
            f->n_removed += ct_remove(ct, c);
        }
    }
    return f->walk.at >= ct->n_chunks * CT_CHUNK;
}

size_t
conntrack_flush_rcu(struct conntrack *ct, const struct ct_filter *filter, int64_t now)
{
    struct ct_flushing f = { .filter = *filter };

    while (!conntrack_flush_step_rcu(ct, &f, UINT_MAX, now)) {
        continue;
    }
    return f.n_removed;
}
