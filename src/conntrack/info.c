#include "conntrack/info.h"

#include <string.h>

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

void
conntrack_for_each_rcu(struct conntrack *ct, const uint16_t *zone, int64_t now,
                       bool (*cb)(void *aux, const struct ct_entry *), void *aux)
{
    for (uint32_t i = 1; i <= ct->n_chunks * CT_CHUNK; i++) {
        struct ct_conn *c = ct_conn_at(ct, i);
        struct ct_entry e;

        if (c && ct_conn_is_live_at(c, now) && (!zone || c->tuple[CT_ORIG].zone == *zone)) {
            describe(c, now, &e);
            if (!cb(aux, &e)) {
                return;
            }
        }
    }
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

size_t
conntrack_flush_rcu(struct conntrack *ct, const struct ct_filter *f, int64_t now)
{
    size_t n = 0;

    for (uint32_t i = 1; i <= ct->n_chunks * CT_CHUNK; i++) {
        struct ct_conn *c = ct_conn_at(ct, i);

        if (c && ct_conn_is_live_at(c, now) && matches(c, f)) {
            n += ct_remove(ct, c);
        }
    }
    return n;
}
