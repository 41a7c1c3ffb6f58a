/* What the database says of connection tracking zones: timeout policies and limits, put into effect.
 *
 * A policy has a number, by which the action "ct" names it (timeout=N); zones with equal policies share one.  What did
 * not change is left alone.
 *
 * Threads: main thread. */
#ifndef OFPROTO_CT_ZONES_H
#define OFPROTO_CT_ZONES_H 1

#include "base/util.h"

struct backer;

enum { CT_ZONE_MAX_TIMEOUTS = 32 };

struct ofproto_ct_zone {
    uint16_t zone;
    bool has_limit, has_policy;
    uint32_t limit;
    size_t n_timeouts;
    const char *keys[CT_ZONE_MAX_TIMEOUTS]; /* As in CT_Timeout_Policy.timeouts. */
    uint32_t seconds[CT_ZONE_MAX_TIMEOUTS];
};

/* Makes these the zones of the datapath of that type; null 'default_limit': that of the datapath stays.  Does nothing
 * while no bridge uses it. */
void ofproto_set_ct_zones(const char *type, const struct ofproto_ct_zone *, size_t n, const uint32_t *default_limit);

/* The end of a datapath. */
void ct_zones_destroy(struct backer *);

#endif
