#include "conntrack/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conntrack/private.h"
#include "sys/counter.h"

COUNTER(conntrack_zone_full)

enum { N_ZONES = 65536 };

const uint32_t ct_default_timeouts[CT_N_TIMEOUTS] = {
#define TIMEOUT(ENUM, KEY, SECONDS) SECONDS * 1000,
#include "conntrack/timeouts.def"
};

static const char *const timeout_keys[CT_N_TIMEOUTS] = {
#define TIMEOUT(ENUM, KEY, SECONDS) #KEY,
#include "conntrack/timeouts.def"
};

void
ct_zones_init(struct ct_zones *z)
{
    z->zones = xcalloc(N_ZONES, sizeof *z->zones);
    rcu_map_init(&z->policies);
}

void
ct_zones_uninit(struct ct_zones *z)
{
    RCU_MAP_FOR_EACH (p, struct ct_policy, &z->policies) {
        free(p);
    }
    rcu_map_uninit(&z->policies);
    free(z->zones);
}

static uint32_t
limit_of(struct ct_zones *z, uint16_t zone)
{
    struct ct_zone *of = &z->zones[zone];

    return atomic_load_explicit(&of->has_limit, memory_order_relaxed)
               ? atomic_load_explicit(&of->limit, memory_order_relaxed)
               : atomic_load_explicit(&z->default_limit, memory_order_relaxed);
}

bool
ct_zone_enter(struct ct_zones *z, uint16_t zone)
{
    uint32_t limit = limit_of(z, zone);

    if (atomic_fetch_add_explicit(&z->zones[zone].n, 1, memory_order_relaxed) >= limit && limit) {
        ct_zone_leave(z, zone);
        counter_inc(conntrack_zone_full);
        return false;
    }
    return true;
}

void
ct_zone_leave(struct ct_zones *z, uint16_t zone)
{
    atomic_fetch_sub_explicit(&z->zones[zone].n, 1, memory_order_relaxed);
}

void
conntrack_set_default_limit(struct conntrack *ct, uint32_t limit)
{
    ct->zones.default_limit = limit;
}

uint32_t
conntrack_default_limit(const struct conntrack *ct)
{
    return ct->zones.default_limit;
}

void
conntrack_set_zone_limit(struct conntrack *ct, uint16_t zone, uint32_t limit)
{
    ct->zones.zones[zone].limit = limit;
    ct->zones.zones[zone].has_limit = true;
}

void
conntrack_del_zone_limit(struct conntrack *ct, uint16_t zone)
{
    ct->zones.zones[zone].has_limit = false;
}

bool
conntrack_zone_limit(const struct conntrack *ct, uint16_t zone, uint32_t *limit, uint32_t *count)
{
    *limit = limit_of(&((struct conntrack *) ct)->zones, zone);
    *count = ct->zones.zones[zone].n;
    return ct->zones.zones[zone].has_limit;
}

void
conntrack_set_limits_configured(struct conntrack *ct, bool configured)
{
    ct->zones.are_configured = configured;
}

bool
conntrack_limits_are_configured(const struct conntrack *ct)
{
    return ct->zones.are_configured;
}

static struct ct_policy *
find_policy(const struct ct_zones *z, uint32_t id)
{
    RCU_MAP_FOR_EACH_WITH_HASH (p, struct ct_policy, hash_u32(id, 0), &z->policies) {
        if (p->id == id) {
            return p;
        }
    }
    return NULL;
}

uint32_t
ct_policy_timeout_ms(const struct ct_zones *z, uint32_t id, enum ct_timeout t)
{
    const struct ct_policy *p = find_policy(z, id);

    return p ? p->ms[t] : ct_default_timeouts[t];
}

void
conntrack_set_policy(struct conntrack *ct, uint32_t id, const char *const *keys, const uint32_t *seconds, size_t n)
{
    struct ct_policy *old = find_policy(&ct->zones, id), *p = xzalloc(sizeof *p);

    p->id = id;
    memcpy(p->ms, ct_default_timeouts, sizeof p->ms);
    for (size_t i = 0; i < n; i++) {
        for (int t = 0; t < CT_N_TIMEOUTS; t++) {
            if (!strcmp(keys[i], timeout_keys[t])) {
                p->ms[t] = MIN(seconds[i], UINT32_MAX / 1000) * 1000;
            }
        }
    }
    if (old) {
        rcu_map_replace(&ct->zones.policies, old, p, hash_u32(id, 0));
        rcu_defer(free, old);
    } else {
        rcu_map_insert(&ct->zones.policies, p, hash_u32(id, 0));
    }
}

void
conntrack_del_policy(struct conntrack *ct, uint32_t id)
{
    struct ct_policy *old = find_policy(&ct->zones, id);

    if (old) {
        rcu_map_remove(&ct->zones.policies, old, hash_u32(id, 0));
        rcu_defer(free, old);
    }
}
