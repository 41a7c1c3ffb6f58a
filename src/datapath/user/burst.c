#include "datapath/user/burst.h"

#include "datapath/user/dp.h"

#define BURST_FOR_EACH(I, MASK) \
    for (burst_mask I##_left = (MASK), I; I##_left && (I = __builtin_ctz(I##_left), true); I##_left &= I##_left - 1)

static burst_mask
all_of(const struct burst *b)
{
    return b->n < BURST ? (UINT32_C(1) << b->n) - 1 : UINT32_MAX;
}

/* After a burst that belonged to one megaflow the next one most likely belongs to it, too: whether all packets do. */
static bool
same_flow_stage(struct burst *b, uint64_t epoch)
{
    struct dp_flow *f = b->last;

    if (!f) {
        return false;
    }
    for (unsigned int i = 0; i < b->n; i++) {
        if (UNLIKELY(!megaflow_matches_rcu(f, &b->keys[i], &b->lines[i], epoch))) {
            return false;
        }
        b->flows[i] = f;
    }
    return true;
}

/* 'fresh' is what a packet has before it is parsed: its input port. */
static void
parse_stage(struct burst *b, const struct flow *fresh)
{
    const unsigned int ahead = 4;

    for (unsigned int i = 0; i < MIN(b->n, ahead); i++) {
        __builtin_prefetch(packet_at(b->packets[i]));
    }
    for (unsigned int i = 0; i < b->n; i++) {
        if (i + ahead < b->n) {
            __builtin_prefetch(packet_at(b->packets[i + ahead]));
        }
        b->lines[i] = flow_extract(packet_at(b->packets[i]), packet_size(b->packets[i]), fresh, 0, &b->keys[i],
                                   &b->offsets[i]);
    }
}

static void
hash_stage(struct burst *b)
{
    for (unsigned int i = 0; i < b->n; i++) {
        b->hashes[i] = key_signature(&b->keys[i], b->lines[i]);
    }
}

/* Returns the packets that the cache could not resolve. */
static burst_mask
cache_stage(struct worker *w, struct burst *b, uint64_t epoch)
{
    burst_mask miss = 0;

    for (unsigned int i = 0; i < b->n; i++) {
        __builtin_prefetch(cache_bucket(&w->cache, b->hashes[i]));
    }
    for (unsigned int i = 0; i < b->n; i++) {
        b->flows[i] = cache_find_rcu(&w->cache, b->hashes[i], &b->keys[i], &b->lines[i], epoch);
        miss |= (burst_mask) !b->flows[i] << i;
    }
    return miss;
}

/* '*since' is that of megaflow_lookup_rcu(), and then that of a later one: when this was made; 0 if it found one that
 * may not be used.  'ahead': of this packet, for a lookup in all tuples; null: nothing was asked for. */
static struct dp_flow *
lookup(struct worker *w, struct burst *b, unsigned int i, uint64_t *n_masks, uint64_t *since,
       const struct megaflow_ahead *ahead)
{
    struct flow *key = &b->keys[i];
    uint64_t now = megaflow_n_put(&w->dp->flows), from = *since;
    struct dictionary *d;
    struct dp_flow *f;

    if (now == from) {
        return NULL; /* None has come since. */
    }
    d = megaflow_dictionary_rcu(&w->dp->flows, key->in_port, key->recirc_id);
    if (d && ahead) {
        f = megaflow_lookup_ahead_rcu(d, key, &b->lines[i], n_masks, MEGAFLOW_STALE, ahead);
    } else {
        f = d ? megaflow_lookup_rcu(d, key, &b->lines[i], n_masks, MEGAFLOW_STALE, from) : NULL;
    }
    if (f && upcall_may_use_rcu(w, f)) {
        cache_insert(&w->cache, key_signature(key, b->lines[i]), f);
        return f;
    }
    *since = f ? 0 : now;
    return NULL;
}

/* The only tuple that the port's megaflows have; null if there are several or none. */
static struct tuple *
sole_tuple(struct worker *w, be32 in_port)
{
    const struct dictionary *d = megaflow_dictionary_rcu(&w->dp->flows, in_port, 0);
    const struct dictionary_list *l = d ? rcu_get(&((struct dictionary *) d)->list) : NULL;

    return l && l->n == 1 ? l->tuples[0] : NULL;
}

/* Where a port's megaflows have one mask, looking in its table is no dearer than looking in the cache. */
static burst_mask
sole_tuple_stage(struct burst *b, struct tuple *t, uint64_t epoch)
{
    burst_mask miss = 0;

    for (unsigned int i = 0; i < b->n; i++) {
        b->flows[i] = tuple_lookup_rcu(t, &b->keys[i], &b->lines[i], epoch);
        miss |= (burst_mask) !b->flows[i] << i;
    }
    return miss;
}

/* The same where the table and its megaflows are not in the processor's nearest cache: each pass asks for what the next
 * one reads. */
static burst_mask
large_tuple_stage(struct burst *b, struct tuple *t, uint64_t epoch)
{
    burst_mask miss = 0;

    for (unsigned int i = 0; i < b->n; i++) {
        key_need_lines(&b->keys[i], &b->lines[i], t->map);
        b->hashes[i] = tuple_hash(t, &b->keys[i]);
        tuple_prefetch_slot_rcu(t, b->hashes[i]);
    }
    for (unsigned int i = 0; i < b->n; i++) {
        tuple_prefetch_flow_rcu(t, b->hashes[i]);
    }
    for (unsigned int i = 0; i < b->n; i++) {
        b->flows[i] = tuple_lookup_hashed_rcu(t, b->hashes[i], &b->keys[i], &b->lines[i], epoch);
        miss |= (burst_mask) !b->flows[i] << i;
    }
    return miss;
}

/* Where a packet has been missed, the next of 'left' is likely to be missed, too: asks for what looking for it in all
 * tuples will read. */
static void
prefetch_next(struct worker *w, struct burst *b, burst_mask left, struct megaflow_ahead *ahead)
{
    left &= left - 1;
    if (left) {
        unsigned int i = __builtin_ctz(left);
        struct flow *key = &b->keys[i];
        struct dictionary *d = megaflow_dictionary_rcu(&w->dp->flows, key->in_port, key->recirc_id);

        if (d) {
            megaflow_prefetch_rcu(d, key, &b->lines[i], ahead);
        }
    }
}

/* Searches the tables for the packets of 'todo'; returns those without a megaflow. */
static NOINLINE burst_mask
megaflow_stage(struct worker *w, struct burst *b, burst_mask todo, uint64_t since[BURST])
{
    struct megaflow_ahead ahead;
    burst_mask miss = 0;
    uint64_t n_masks = 0;

    ahead.list = NULL;
    BURST_FOR_EACH (i, todo) {
        since[i] = 0;
        b->flows[i] = lookup(w, b, i, &n_masks, &since[i], &ahead);
        ahead.list = NULL;
        if (!b->flows[i]) {
            miss |= UINT32_C(1) << i;
            prefetch_next(w, b, i_left, &ahead);
        }
    }
    tally_add(&w->counters.n_masks, n_masks);
    tally_add(&w->counters.n_hit_megaflow, __builtin_popcount(todo) - __builtin_popcount(miss));
    return miss;
}

/* So many megaflows are compared with a packet in the time in which a tuple is searched. */
enum { FRESH_A_TUPLE = 4 };

/* The megaflows that have come while the packets of a burst are asked about, as long as none came by anything else. */
struct fresh {
    uint64_t end;               /* megaflow_n_put() with the last of them. */
    unsigned int n;
    unsigned int few;           /* More are not worth being looked at one by one. */
    struct dp_flow *flows[BURST];
};

static void
begin_fresh(struct worker *w, const struct flow *key, struct fresh *fresh)
{
    const struct dictionary *d = megaflow_dictionary_rcu(&w->dp->flows, key->in_port, key->recirc_id);

    fresh->end = megaflow_n_put(&w->dp->flows);
    fresh->n = 0;
    fresh->few = d ? FRESH_A_TUPLE * rcu_get(&((struct dictionary *) d)->list)->n : 0;
}

static void
note_fresh(struct worker *w, struct fresh *fresh, struct dp_flow *f)
{
    uint64_t now = megaflow_n_put(&w->dp->flows);

    if (now != fresh->end + (f != NULL)) {
        fresh->n = 0; /* Others have come, too. */
    } else if (f) {
        fresh->flows[fresh->n++] = f;
    }
    fresh->end = now;
}

/* lookup() where those that have come since are known and few: they are looked at themselves, and no table. */
static struct dp_flow *
lookup_fresh(struct worker *w, struct burst *b, unsigned int i, const struct fresh *fresh, uint64_t *since)
{
    uint64_t unused = 0, n_new = fresh->end - *since;

    if (!*since || n_new > fresh->n || n_new > fresh->few || megaflow_n_put(&w->dp->flows) != fresh->end) {
        return lookup(w, b, i, &unused, since, NULL);
    }
    for (unsigned int k = fresh->n - n_new; k < fresh->n; k++) {
        if (UNLIKELY(megaflow_matches_rcu(fresh->flows[k], &b->keys[i], &b->lines[i], MEGAFLOW_STALE))) {
            return lookup(w, b, i, &unused, since, NULL);
        }
    }
    *since = fresh->end;
    return NULL;
}

/* Tells the switch of the packets that it will be asked about. */
static void
announce(struct worker *w, struct burst *b, burst_mask todo)
{
    const struct dp_client *client = rcu_get(&w->dp->client);
    struct dp_ahead ahead;

    if (!client || !client->ahead || !(todo & (todo - 1))) {
        return;
    }
    ahead.n = 0;
    BURST_FOR_EACH (i, todo) {
        ahead.keys[ahead.n] = &b->keys[i];
        ahead.lines[ahead.n++] = b->lines[i];
    }
    client->ahead(client->aux, &ahead);
}
_Static_assert((int) DP_MAX_AHEAD == (int) BURST, "a burst is announced at once");

/* Asks about the packets of 'todo', one after the other, since the answer to one may serve the next.  Returns those
 * that found a megaflow meanwhile; the others have been dealt with. */
static NOINLINE burst_mask
upcall_stage(struct worker *w, struct burst *b, burst_mask todo, uint64_t since[BURST], unsigned int depth)
{
    struct fresh fresh;
    burst_mask found = 0;

    begin_fresh(w, &b->keys[__builtin_ctz(todo)], &fresh);
    announce(w, b, todo);
    BURST_FOR_EACH (i, todo) {
        b->flows[i] = lookup_fresh(w, b, i, &fresh, &since[i]);
        if (b->flows[i]) {
            found |= UINT32_C(1) << i;
            tally_add(&w->counters.n_hit_megaflow, 1);
        } else {
            tally_add(&w->counters.n_missed, 1);
            note_fresh(w, &fresh, upcall_miss_rcu(w, b, i, since[i], depth));
        }
    }
    return found;
}

/* Of a marked packet whose megaflow had to be an output alone when its mark was followed, and is more by now. */
static NOINLINE void
parse_left_out(struct worker *w, struct burst *b, const uint8_t *index, unsigned int n)
{
    for (unsigned int k = 0; k < n; k++) {
        unsigned int i = index[k];

        if (!b->lines[i]) {
            b->lines[i] = flow_extract(packet_at(b->packets[i]), packet_size(b->packets[i]), &w->fresh, 0, &b->keys[i],
                                       &b->offsets[i]);
        }
    }
}

/* Counts and carries out packets 'first' to 'end' - 1, all of megaflow 'f'. */
static ALWAYS_INLINE void
run_same_flow(struct worker *w, struct burst *b, struct dp_flow *f, const uint8_t *index, unsigned int n,
              unsigned int depth)
{
    uint32_t port = atomic_load_explicit(&f->sole_output, memory_order_relaxed);
    uint64_t n_bytes = 0;
    be16 tcp_flags = 0;

    for (unsigned int k = 0; k < n; k++) {
        n_bytes += packet_size(b->packets[index[k]]);
        tcp_flags |= b->keys[index[k]].tcp_flags;
    }
    megaflow_count(f, w->id, n, n_bytes, be16_to_cpu(tcp_flags), w->now);
    if (LIKELY(port != MEGAFLOW_NO_OUTPUT)) {
        for (unsigned int k = 0; k < n; k++) {
            worker_output_rcu(w, port, b->packets[index[k]]);
        }
    } else {
        if (UNLIKELY(b->is_marked)) {
            parse_left_out(w, b, index, n);
        }
        exec_burst_rcu(w, rcu_get(&f->program), b, index, n, depth);
    }
}

static void
action_stage(struct worker *w, struct burst *b, burst_mask todo, unsigned int depth)
{
    uint8_t index[BURST];

    b->last = NULL;
    while (todo) {
        struct dp_flow *f = b->flows[__builtin_ctz(todo)];
        unsigned int n = 0;

        /* A run of packets of one megaflow. */
        do {
            index[n++] = __builtin_ctz(todo);
            todo &= todo - 1;
        } while (todo && b->flows[__builtin_ctz(todo)] == f);
        b->last = n == b->n ? f : NULL;
        run_same_flow(w, b, f, index, n, depth);
    }
}

/* Where marks were followed: looks in the cache for the packets that these did not lead anywhere. */
static NOINLINE burst_mask
unmarked_stage(struct worker *w, struct burst *b, uint64_t epoch)
{
    burst_mask miss = 0;
    unsigned int n_marked = 0;

    for (unsigned int i = 0; i < b->n; i++) {
        if (b->flows[i]) {
            n_marked++;
            continue;
        }
        b->hashes[i] = key_signature(&b->keys[i], b->lines[i]);
        b->flows[i] = cache_find_rcu(&w->cache, b->hashes[i], &b->keys[i], &b->lines[i], epoch);
        miss |= (burst_mask) !b->flows[i] << i;
    }
    tally_add(&w->counters.n_hit_mark, n_marked);
    tally_add(&w->counters.n_hit_cache, b->n - n_marked - __builtin_popcount(miss));
    return miss;
}

void
burst_process_rcu(struct worker *w, struct burst *b, unsigned int depth)
{
    uint64_t epoch = megaflow_epoch(&w->dp->flows);
    burst_mask live = all_of(b), miss = 0;
    struct tuple *sole;
    struct burst *next;

    if (UNLIKELY(b->is_marked)) {
        miss = unmarked_stage(w, b, epoch);
    } else if (same_flow_stage(b, epoch)) {
        tally_add(&w->counters.n_hit_cache, b->n);
    } else if (!depth && (sole = sole_tuple(w, b->keys[0].in_port)) != NULL) {
        miss = LIKELY(!tuple_is_large_rcu(sole)) ? sole_tuple_stage(b, sole, epoch) : large_tuple_stage(b, sole, epoch);
        tally_add(&w->counters.n_masks, b->n);
        tally_add(&w->counters.n_hit_megaflow, b->n - __builtin_popcount(miss));
    } else {
        hash_stage(b);
        miss = cache_stage(w, b, epoch);
        tally_add(&w->counters.n_hit_cache, b->n - __builtin_popcount(miss));
    }
    if (UNLIKELY(miss)) {
        uint64_t since[BURST];

        miss = megaflow_stage(w, b, miss, since);
        if (miss) {
            live &= ~miss;
            live |= upcall_stage(w, b, miss, since, depth);
        }
    }
    action_stage(w, b, live, depth);
    b->n = 0;
    next = depth + 1 < MAX_DEPTH ? w->bursts[depth + 1] : NULL;
    if (UNLIKELY(next != NULL) && next->n) {
        burst_process_rcu(w, next, depth + 1);
    }
}

void
burst_receive_rcu(struct worker *w, struct burst *b, be32 in_port)
{
    tally_add(&w->counters.n_packets, b->n);
    tally_add(&w->counters.n_bursts, 1);
    if (w->fresh.in_port != in_port) {
        w->fresh.in_port = in_port;
    }
    parse_stage(b, &w->fresh);
    burst_process_rcu(w, b, 0);
}

/* --- Packets that the device may have marked (offload.h) --- */

/* Of a frame that is not parsed otherwise: behind up to two tags and headers of IP without extensions. */
static be16
tcp_flags_of(const struct packet *p)
{
    const uint8_t *frame = packet_at(p), *end = frame + packet_size(p), *type = frame + 12, *tcp;

    for (int i = 0; i < 2 && end - type >= 6 && (get_be16(type) == 0x8100 || get_be16(type) == 0x88a8); i++) {
        type += 4;
    }
    if (end - type >= 22 && get_be16(type) == 0x0800 && type[11] == 6 && !(get_be16(type + 8) & 0x1fff)) {
        tcp = type + 2 + (type[2] & 15) * 4;
    } else if (end - type >= 42 && get_be16(type) == 0x86dd && type[8] == 6) {
        tcp = type + 42;
    } else {
        return 0;
    }
    return end - tcp >= 20 ? cpu_to_be16(get_be16(tcp + 12) & 0xfff) : 0;
}

/* The megaflow that packet 'i' is marked for.  If it is a mere output the packet stays unparsed, without lines; else it
 * is parsed, and the mark compared with what it says. */
static ALWAYS_INLINE struct dp_flow *
follow_mark(struct worker *w, struct burst *b, unsigned int i, const struct marks *marks, uint64_t epoch)
{
    const uint64_t bits = RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
    struct rte_mbuf *m = &b->packets[i]->mbuf;
    struct dp_flow *f = (m->ol_flags & bits) == bits ? marks_find_rcu(marks, m->hash.fdir.hi, epoch) : NULL;

    m->ol_flags &= ~bits; /* Where it goes is another device. */
    if (f && atomic_load_explicit(&f->sole_output, memory_order_relaxed) != MEGAFLOW_NO_OUTPUT) {
        b->lines[i] = 0;
        b->keys[i].tcp_flags = tcp_flags_of(b->packets[i]);
        return f;
    }
    b->lines[i] = flow_extract(packet_at(b->packets[i]), packet_size(b->packets[i]), &w->fresh, 0, &b->keys[i],
                               &b->offsets[i]);
    return f && megaflow_matches_rcu(f, &b->keys[i], &b->lines[i], epoch) ? f : NULL;
}

void
burst_receive_marked_rcu(struct worker *w, struct burst *b, be32 in_port, const struct marks *marks)
{
    uint64_t epoch = megaflow_epoch(&w->dp->flows);

    tally_add(&w->counters.n_packets, b->n);
    tally_add(&w->counters.n_bursts, 1);
    w->fresh.in_port = in_port;
    for (unsigned int i = 0; i < b->n; i++) {
        b->flows[i] = follow_mark(w, b, i, marks, epoch);
    }
    b->is_marked = true;
    burst_process_rcu(w, b, 0);
    b->is_marked = false;
}
