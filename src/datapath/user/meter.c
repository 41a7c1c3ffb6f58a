#include "datapath/user/meter.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "sys/token_bucket.h"

enum { NS_PER_MS = 1000000 };

struct band {
    uint64_t rate;               /* Packets or bits a second. */
    struct token_bucket bucket;
    _Atomic uint64_t n_packets, n_bytes; /* Dropped. */
};

/* Replaced as a whole when it is configured anew. */
struct user_meter {
    uint32_t id;
    bool is_kbps;
    size_t n_bands;
    _Atomic uint64_t n_packets, n_bytes;
    struct band bands[DP_METER_MAX_BANDS];
};

void
dp_meters_init(struct dp_meters *m)
{
    rcu_map_init(&m->map);
    m->next = 0;
}

void
dp_meters_uninit(struct dp_meters *m)
{
    RCU_MAP_FOR_EACH (meter, struct user_meter, &m->map) {
        dp_meters_del(m, meter->id);
    }
    rcu_map_uninit(&m->map);
}

static struct user_meter *
find_rcu(const struct dp_meters *m, uint32_t id)
{
    RCU_MAP_FOR_EACH_WITH_HASH (meter, struct user_meter, hash_u32(id, 0), &m->map) {
        if (meter->id == id) {
            return meter;
        }
    }
    return NULL;
}

static void
configure(struct user_meter *meter, const struct dp_meter_config *c)
{
    uint64_t unit = c->is_kbps ? 1000 : 1;

    meter->is_kbps = c->is_kbps;
    meter->n_bands = c->n_bands;
    for (size_t i = 0; i < c->n_bands; i++) {
        struct band *b = &meter->bands[i];

        b->rate = MAX(c->bands[i].rate, 1) * unit;
        token_bucket_set(&b->bucket, b->rate, c->bands[i].burst ? c->bands[i].burst * unit : b->rate);
    }
}

static uint32_t
free_id(struct dp_meters *m)
{
    while (find_rcu(m, m->next)) {
        m->next++;
    }
    return m->next++;
}

int
dp_meters_set(struct dp_meters *m, uint32_t *id, const struct dp_meter_config *c)
{
    struct user_meter *old = *id == UINT32_MAX ? NULL : find_rcu(m, *id), *new;

    if (c->n_bands > DP_METER_MAX_BANDS) {
        return -EINVAL;
    }
    new = xzalloc(sizeof *new);
    *id = *id == UINT32_MAX ? free_id(m) : *id;
    new->id = *id;
    configure(new, c);
    if (old) {
        new->n_packets = atomic_load(&old->n_packets);
        new->n_bytes = atomic_load(&old->n_bytes);
        rcu_map_replace(&m->map, old, new, hash_u32(*id, 0));
        rcu_defer(free, old);
    } else {
        rcu_map_insert(&m->map, new, hash_u32(*id, 0));
    }
    return 0;
}

int
dp_meters_get(const struct dp_meters *m, uint32_t id, struct dp_meter_stats *s)
{
    const struct user_meter *meter = find_rcu(m, id);

    if (!meter) {
        return -ENOENT;
    }
    *s = (struct dp_meter_stats) {
        .n_packets = atomic_load(&meter->n_packets), .n_bytes = atomic_load(&meter->n_bytes),
        .n_bands = meter->n_bands,
    };
    for (size_t i = 0; i < meter->n_bands; i++) {
        s->bands[i].n_packets = atomic_load(&meter->bands[i].n_packets);
        s->bands[i].n_bytes = atomic_load(&meter->bands[i].n_bytes);
    }
    return 0;
}

int
dp_meters_del(struct dp_meters *m, uint32_t id)
{
    struct user_meter *meter = find_rcu(m, id);

    if (!meter) {
        return -ENOENT;
    }
    rcu_map_remove(&m->map, meter, hash_u32(id, 0));
    rcu_defer(free, meter);
    m->next = MIN(m->next, id);
    return 0;
}

bool
dp_meters_pass_rcu(struct dp_meters *m, uint32_t id, uint32_t size, int64_t now)
{
    struct user_meter *meter = find_rcu(m, id);
    struct band *exceeded = NULL;

    if (!meter) {
        return true;
    }
    atomic_fetch_add_explicit(&meter->n_packets, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->n_bytes, size, memory_order_relaxed);
    for (size_t i = 0; i < meter->n_bands; i++) {
        struct band *b = &meter->bands[i];

        if (!token_bucket_take(&b->bucket, meter->is_kbps ? size * UINT64_C(8) : 1, now * NS_PER_MS) &&
            (!exceeded || b->rate > exceeded->rate)) {
            exceeded = b;
        }
    }
    if (exceeded) {
        atomic_fetch_add_explicit(&exceeded->n_packets, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&exceeded->n_bytes, size, memory_order_relaxed);
    }
    return !exceeded;
}
