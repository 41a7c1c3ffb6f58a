#include "ofproto/xgroup.h"

#include <stdlib.h>

#include "base/hash.h"

/* How many values of a hash it takes for each bucket to get about what its weight says; 0: too many. */
static uint32_t
count_hashes(const struct group_mod *desc)
{
    uint64_t total = 0, least = UINT16_MAX, n = GROUP_MIN_HASHES;

    for (size_t i = 0; i < desc->n_buckets; i++) {
        uint16_t weight = desc->buckets[i].weight;

        total += weight;
        least = weight && weight < least ? weight : least;
    }
    while (total && n < DIV_ROUND_UP(total, least)) {
        n *= 2;
    }
    return total && n <= GROUP_MAX_HASHES ? n : 0;
}

/* Webster's method: the next one goes to the bucket with the greatest weight / (2 * values that it has + 1). */
static void
deal_out(struct group *g)
{
    size_t n = g->desc.n_buckets;
    uint32_t *divisors = xcalloc(n, sizeof *divisors);

    g->buckets_by_hash = xcalloc(g->n_hashes, sizeof *g->buckets_by_hash);
    for (uint32_t h = 0; h < g->n_hashes; h++) {
        size_t best = 0;

        for (size_t i = 1; i < n; i++) {
            uint64_t mine = (uint64_t) g->desc.buckets[i].weight * (2 * divisors[best] + 1);

            if (mine > (uint64_t) g->desc.buckets[best].weight * (2 * divisors[i] + 1)) {
                best = i;
            }
        }
        divisors[best]++;
        g->buckets_by_hash[h] = best;
    }
    free(divisors);
}

static void
choose_method(struct group *g)
{
    const struct group_props *props = &g->desc.props;
    bool is_default = !props->selection_method[0];

    if (g->desc.type != GROUP_TYPE_SELECT || (!is_default && strcmp(props->selection_method, "dp_hash"))) {
        return;
    }
    g->n_hashes = count_hashes(&g->desc);
    if (!g->n_hashes) {
        return;
    }
    g->uses_dp_hash = true;
    g->hash_algorithm = is_default ? ODP_HASH_SYM_L4 : (uint32_t) (props->selection_param >> 32);
    g->hash_basis = is_default ? 0 : props->selection_param;
    deal_out(g);
}

struct group *
group_create(struct group_mod *desc, int64_t created)
{
    struct group *g = xzalloc(sizeof *g);

    g->desc = *desc;
    group_mod_init(desc);
    g->created = created;
    g->n_refs = 1;
    g->bucket_counters = xcalloc(MAX(g->desc.n_buckets, 1), sizeof *g->bucket_counters);
    choose_method(g);
    return g;
}

static void
destroy(void *g_)
{
    struct group *g = g_;

    group_mod_uninit(&g->desc);
    free(g->buckets_by_hash);
    free(g->bucket_counters);
    free(g);
}

bool
group_try_ref_rcu(struct group *g)
{
    uint32_t n = atomic_load(&g->n_refs);

    while (n && !atomic_compare_exchange_weak(&g->n_refs, &n, n + 1)) {
        continue;
    }
    return n != 0;
}

void
group_unref(struct group *g)
{
    if (g && atomic_fetch_sub(&g->n_refs, 1) == 1) {
        rcu_defer(destroy, g);
    }
}

static void
count(struct group_counter *c, uint64_t n_packets, uint64_t n_bytes)
{
    atomic_fetch_add_explicit(&c->n_packets, n_packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->n_bytes, n_bytes, memory_order_relaxed);
}

void
group_credit(struct group *g, size_t bucket, uint64_t n_packets, uint64_t n_bytes)
{
    if (bucket == SIZE_MAX) {
        count(&g->counter, n_packets, n_bytes);
    } else {
        count(&g->bucket_counters[bucket], n_packets, n_bytes);
    }
}

static struct group *
find_rcu(const struct xbridge *b, uint32_t group_id, uint64_t version)
{
    RCU_MAP_FOR_EACH_WITH_HASH (g, struct group, hash_u32(group_id, 0), &b->groups) {
        if (g->desc.group_id == group_id && cls_versions_have(&g->versions, version)) {
            return g;
        }
    }
    return NULL;
}

/* One that has been replaced may have been taken out already. */
struct group *
xbridge_group_rcu(const struct xbridge *b, uint32_t group_id, uint64_t version)
{
    struct group *g = find_rcu(b, group_id, version);

    return g ? g : find_rcu(b, group_id, atomic_load_explicit(&b->tables_version, memory_order_acquire));
}

void
xbridge_add_group(struct xbridge *b, struct group *g, uint64_t version)
{
    cls_versions_begin(&g->versions, version);
    rcu_map_insert(&b->groups, g, hash_u32(g->desc.group_id, 0));
}

void
group_hide(struct group *g, uint64_t version)
{
    cls_versions_end(&g->versions, version);
}

void
group_unhide(struct group *g)
{
    group_hide(g, CLS_MAX_VERSION);
}

void
xbridge_remove_group(struct xbridge *b, struct group *g)
{
    rcu_map_remove(&b->groups, g, hash_u32(g->desc.group_id, 0));
}
