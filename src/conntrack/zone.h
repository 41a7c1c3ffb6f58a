/* What is configured by zone: limits; and timeout policies.
 *
 * A zone without a limit of its own has the default one; 0 means none.  A policy is a set of timeouts under a number,
 * which a connection keeps from its commit on; what a policy does not set, and a policy that is gone, is as the
 * defaults.
 *
 * Threads: counts any; the rest is changed by one thread at a time (the main thread) and read by any in an RCU
 * section. */
#ifndef CONNTRACK_ZONE_H
#define CONNTRACK_ZONE_H 1

#include <stdatomic.h>

#include "base/util.h"
#include "sys/rcu_map.h"

struct conntrack;

enum ct_timeout {
#define TIMEOUT(ENUM, KEY, SECONDS) CT_TIMEOUT_##ENUM,
#include "conntrack/timeouts.def"
    CT_N_TIMEOUTS
};

struct ct_zone {
    _Atomic uint32_t n, limit;
    _Atomic bool has_limit;
};

struct ct_zones {
    struct ct_zone *zones;          /* 65536 of them. */
    _Atomic uint32_t default_limit;
    bool are_configured;            /* Main thread. */
    struct rcu_map policies;        /* struct ct_policy by hash_u32(id, 0). */
};

struct ct_policy {
    uint32_t id;
    uint32_t ms[CT_N_TIMEOUTS];
};

extern const uint32_t ct_default_timeouts[CT_N_TIMEOUTS]; /* ms */

void ct_zones_init(struct ct_zones *);
void ct_zones_uninit(struct ct_zones *);

/* Takes a place in the zone for a connection; false if it is full.  Gives one back. */
bool ct_zone_enter(struct ct_zones *, uint16_t zone) MUST_CHECK;
void ct_zone_leave(struct ct_zones *, uint16_t zone);
/* Connections in the zone, and those that are being made. */
static inline uint32_t
ct_zone_n(const struct ct_zones *z, uint16_t zone)
{
    return atomic_load_explicit(&z->zones[zone].n, memory_order_relaxed);
}

uint32_t ct_policy_timeout_ms(const struct ct_zones *, uint32_t policy, enum ct_timeout);
static ALWAYS_INLINE uint32_t
ct_timeout_ms(const struct ct_zones *z, bool has_policy, uint32_t policy, enum ct_timeout t)
{
    return LIKELY(!has_policy) ? ct_default_timeouts[t] : ct_policy_timeout_ms(z, policy, t);
}

/* Limits.  conntrack_zone_limit(): whether the zone has its own (else '*limit' is the default). */
void conntrack_set_default_limit(struct conntrack *, uint32_t limit);
uint32_t conntrack_default_limit(const struct conntrack *);
void conntrack_set_zone_limit(struct conntrack *, uint16_t zone, uint32_t limit);
void conntrack_del_zone_limit(struct conntrack *, uint16_t zone);
bool conntrack_zone_limit(const struct conntrack *, uint16_t zone, uint32_t *limit, uint32_t *count);

/* Whether the limits are the database's, so that commands must leave them alone. */
void conntrack_set_limits_configured(struct conntrack *, bool);
bool conntrack_limits_are_configured(const struct conntrack *);

/* Makes or changes policy 'id': keys as in CT_Timeout_Policy.timeouts; those that do not matter here are ignored. */
void conntrack_set_policy(struct conntrack *, uint32_t id, const char *const *keys, const uint32_t *seconds, size_t n);
void conntrack_del_policy(struct conntrack *, uint32_t id);

#endif
