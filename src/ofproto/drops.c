#include "ofproto/drops.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/megaflow.h"
#include "sys/clock.h"

enum { UNUSED_MS = 60000, SEARCH_MS = 1000 };

struct site {
    struct xlate_drop drop;       /* Holds a reference to its rule. */
    _Atomic uint64_t n_packets, n_bytes;
    _Atomic int64_t used;
    pthread_mutex_t mutex;        /* Guards what follows: the last packet. */
    struct xbridge *bridge;       /* Null: none. */
    struct frozen_state *frozen;  /* Which it was recirculated to; null: it was not. */
    uint16_t lines;               /* Those that 'flow' has. */
    uint64_t *flow;
    size_t capacity;              /* Lines. */
};

struct drops {
    struct rcu_map sites;
    pthread_mutex_t mutex;        /* Of writers. */
    bool has_ended;
    int64_t searched;             /* When a site to give way was last looked for. */
    _Atomic uint64_t n_packets, n_bytes; /* Counted together. */
    _Atomic int64_t used;
};

struct drops *
drops_create(void)
{
    struct drops *d = xzalloc(sizeof *d);

    rcu_map_init(&d->sites);
    pthread_mutex_init(&d->mutex, NULL);
    return d;
}

static uint32_t
hash_of(const struct xlate_drop *x)
{
    return hash_pointer(x->rule, ofp_to_u32(x->in_port) ^ (uint32_t) x->why << 8 ^ (uint32_t) x->table_id << 16);
}

static struct site *
find_rcu(struct drops *d, const struct xlate_drop *x)
{
    RCU_MAP_FOR_EACH_WITH_HASH (s, struct site, hash_of(x), &d->sites) {
        if (s->drop.rule == x->rule && s->drop.in_port == x->in_port && s->drop.why == x->why &&
            s->drop.table_id == x->table_id) {
            return s;
        }
    }
    return NULL;
}

/* If it is of that bridge; null: of any. */
static void
forget_packet(struct site *s, const struct xbridge *bridge)
{
    pthread_mutex_lock(&s->mutex);
    if (!bridge || s->bridge == bridge) {
        if (s->frozen) {
            recirc_unref(s->frozen);
            s->frozen = NULL;
        }
        s->bridge = NULL;
    }
    pthread_mutex_unlock(&s->mutex);
}

static void
free_site(void *s_)
{
    struct site *s = s_;

    forget_packet(s, NULL);
    pthread_mutex_destroy(&s->mutex);
    free(s->flow);
    free(s);
}

/* The rule goes at once, the memory when no reader can be at it. */
static void
remove_site(struct drops *d, struct site *s)
{
    rcu_map_remove(&d->sites, s, hash_of(&s->drop));
    forget_packet(s, NULL);
    rule_unref(s->drop.rule);
    rcu_defer(free_site, s);
}

static bool
make_room(struct drops *d)
{
    int64_t now = clock_now_ms();
    struct site *oldest = NULL;

    if (rcu_map_count(&d->sites) < DROPS_MAX_SITES) {
        return true;
    }
    if (now - d->searched < SEARCH_MS) {
        return false;
    }
    d->searched = now;
    RCU_MAP_FOR_EACH (s, struct site, &d->sites) {
        if (!oldest || atomic_load(&s->used) < atomic_load(&oldest->used)) {
            oldest = s;
        }
    }
    if (now - atomic_load(&oldest->used) < UNUSED_MS) {
        return false;
    }
    remove_site(d, oldest);
    return true;
}

/* Null if there is no room, or the rule is going. */
static struct site *
add(struct drops *d, const struct xlate_drop *x)
{
    struct site *s;

    pthread_mutex_lock(&d->mutex);
    s = find_rcu(d, x);
    if (!s && !d->has_ended && make_room(d) && (!x->rule || rule_try_ref_rcu(x->rule))) {
        s = xzalloc(sizeof *s);
        s->drop = *x;
        atomic_store(&s->used, clock_now_ms());
        pthread_mutex_init(&s->mutex, NULL);
        rcu_map_insert(&d->sites, s, hash_of(x));
    }
    pthread_mutex_unlock(&d->mutex);
    return s;
}

static void
move_forward(_Atomic int64_t *used, int64_t to)
{
    int64_t old = atomic_load_explicit(used, memory_order_relaxed);

    while (old < to && !atomic_compare_exchange_weak(used, &old, to)) {
        continue;
    }
}

void
drops_credit(const struct xlate_drop *x, const struct dp_flow_stats *delta)
{
    struct drops *d = x->bridge->drops;
    struct site *s = find_rcu(d, x);

    s = s ? s : add(d, x);
    atomic_fetch_add_explicit(s ? &s->n_packets : &d->n_packets, delta->n_packets, memory_order_relaxed);
    atomic_fetch_add_explicit(s ? &s->n_bytes : &d->n_bytes, delta->n_bytes, memory_order_relaxed);
    move_forward(s ? &s->used : &d->used, delta->used);
}

static void
keep_flow(struct site *s, const struct flow *flow)
{
    size_t n, k = 0;

    s->lines = flow_used_lines(flow, FLOW_LINES_ALL) | FLOW_LINE_BASE;
    n = __builtin_popcount(s->lines);
    if (n > s->capacity) {
        s->flow = xreallocarray(s->flow, n, FLOW_LINE);
        s->capacity = n;
    }
    FLOW_FOR_EACH_LINE (i, s->lines) {
        memcpy(s->flow + k++ * (FLOW_LINE / 8), &flow->lines[i], FLOW_LINE);
    }
}

void
drops_saw(const struct xlate_drop *x, struct xbridge *bridge, const struct flow *flow, int64_t now)
{
    struct site *s = find_rcu(x->bridge->drops, x);
    struct frozen_state *frozen, *old;

    /* Another thread that is at it has a packet that is as recent. */
    if (!s || atomic_load(&bridge->is_gone) || pthread_mutex_trylock(&s->mutex)) {
        return;
    }
    frozen = flow->recirc_id ? recirc_find_rcu(be32_to_cpu(flow->recirc_id)) : NULL;
    old = s->frozen;
    if (frozen != old) {
        s->frozen = frozen ? recirc_ref(frozen) : NULL;
        if (old) {
            recirc_unref(old);
        }
    }
    s->bridge = bridge;
    keep_flow(s, flow);
    pthread_mutex_unlock(&s->mutex);
    move_forward(&s->used, now);
}

static void
get_packet(struct site *s, struct drops_info *info)
{
    size_t k = 0;

    pthread_mutex_lock(&s->mutex);
    memset(&info->flow, 0, sizeof info->flow);
    info->bridge = s->bridge && !atomic_load(&s->bridge->is_gone) ? s->bridge : NULL;
    if (info->bridge) {
        FLOW_FOR_EACH_LINE (i, s->lines) {
            memcpy(&info->flow.lines[i], s->flow + k++ * (FLOW_LINE / 8), FLOW_LINE);
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

void
drops_for_each_rcu(struct drops *d, void (*cb)(void *aux, const struct drops_info *), void *aux)
{
    struct drops_info info;

    pthread_mutex_lock(&d->mutex); /* Rules stay. */
    RCU_MAP_FOR_EACH (s, struct site, &d->sites) {
        info.drop = s->drop;
        info.n_packets = atomic_load(&s->n_packets);
        info.n_bytes = atomic_load(&s->n_bytes);
        info.used = atomic_load(&s->used);
        get_packet(s, &info);
        if (info.n_packets) {
            cb(aux, &info);
        }
    }
    pthread_mutex_unlock(&d->mutex);
    info = (struct drops_info) { .n_packets = atomic_load(&d->n_packets), .n_bytes = atomic_load(&d->n_bytes),
                                 .used = atomic_load(&d->used) };
    if (info.n_packets) {
        cb(aux, &info);
    }
}

void
drops_forget_packets(struct drops *d, const struct xbridge *bridge)
{
    pthread_mutex_lock(&d->mutex);
    RCU_MAP_FOR_EACH (s, struct site, &d->sites) {
        forget_packet(s, bridge);
    }
    pthread_mutex_unlock(&d->mutex);
}

void
drops_end(struct drops *d)
{
    pthread_mutex_lock(&d->mutex);
    d->has_ended = true;
    RCU_MAP_FOR_EACH (s, struct site, &d->sites) {
        remove_site(d, s);
    }
    pthread_mutex_unlock(&d->mutex);
}

void
drops_destroy(struct drops *d)
{
    if (d) {
        rcu_map_uninit(&d->sites);
        pthread_mutex_destroy(&d->mutex);
        free(d);
    }
}
