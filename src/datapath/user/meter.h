/* Meters of the userspace datapath: how many packets or bits a second may pass.
 *
 * Each band is a token bucket (sys/token_bucket.h), of packets or of bits: there is no lock, and workers that share
 * a meter share its rate exactly.  A packet that some band is exceeded by is dropped, and counted in the one of those
 * with the highest rate.
 *
 * Time is that of a burst of packets, in milliseconds.
 *
 * Threads: the main thread configures; workers are in an RCU read section.
 * Standards: OpenFlow 1.5 §5.11. */
#ifndef DATAPATH_USER_METER_H
#define DATAPATH_USER_METER_H 1

#include "datapath/datapath.h"
#include "sys/rcu_map.h"

struct dp_meters {
    struct rcu_map map;   /* struct user_meter by hash_u32(id, 0). */
    uint32_t next;        /* No lower number is free. */
};

void dp_meters_init(struct dp_meters *);
void dp_meters_uninit(struct dp_meters *);

/* As in struct datapath_class. */
int dp_meters_set(struct dp_meters *, uint32_t *id, const struct dp_meter_config *);
int dp_meters_get(const struct dp_meters *, uint32_t id, struct dp_meter_stats *);
int dp_meters_del(struct dp_meters *, uint32_t id);

/* Whether a packet of 'size' bytes may pass at 'now' (ms); one of a meter that is gone may. */
bool dp_meters_pass_rcu(struct dp_meters *, uint32_t id, uint32_t size, int64_t now);

#endif
