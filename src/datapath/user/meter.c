#include "datapath/user/meter.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

enum { UNITS_PER_MS = 64 * 1000000 }; /* Of time. */

struct band {
    uint64_t rate, depth;        /* Packets or bits: a second; that the bucket holds. */
    _Atomic int64_t full_at;     /* When the bucket is full again. */
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

/* The time that 'n' packets or bits take at the band's rate. */
static int64_t
duration(const struct band *b, uint64_t n)
{
    unsigned __int128 t = (unsigned __int128) n * 1000 * UNITS_PER_MS / b->rate;

    return t < INT64_MAX / 4 ? (int64_t) t : INT64_MAX / 4;
}

static void
configure(struct user_meter *meter, const struct dp_meter_config *c)
{
    uint64_t unit = c->is_kbps ? 1000 : 1;

    meter->is_kbps = c->is_kbps;
    meter->n_bands = c->n_bands;
    for (size_t i = 0; i < c->n_bands; i++) {
        meter->bands[i].rate = MAX(c->bands[i].rate, 1) * unit;
        meter->bands[i].depth = (c->bands[i].burst ? c->bands[i].burst : MAX(c->bands[i].rate, 1)) * unit;
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

/* Takes the packet's cost out of the bucket, if it holds as much. */
static bool
take(struct band *b, uint64_t cost, int64_t now)
{
    int64_t full = duration(b, b->depth), takes = duration(b, cost), was = atomic_load(&b->full_at), next;

    do {
        next = MAX(was, now) + takes;
        if (next - now > full) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&b->full_at, &was, next));
    return true;
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

        if (!take(b, meter->is_kbps ? size * UINT64_C(8) : 1, now * UNITS_PER_MS) &&
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
