/* Samplers: who exports the packets that a bridge samples.
 *
 * A bridge has one for its own sampling (Bridge.ipfix) and one for each collector set that the action "sample" may name
 * (Flow_Sample_Collector_Set).  Translation makes "userspace" actions with a cookie that says bridge and set; their
 * packets come back as upcalls, and go to the exporter (export/ipfix.h).
 *
 * Samplers whose configuration stays the same keep their cache and counters.
 *
 * Threads: configuration and counters are the main thread's; packets are taken by any, in an RCU read section. */
#ifndef OFPROTO_SAMPLER_H
#define OFPROTO_SAMPLER_H 1

#include "base/bytes.h"
#include "export/ipfix.h"

struct dp_upcall;
struct ofproto;
struct xdp;

struct ofproto_ipfix_config {
    struct ipfix_config export;
    bool is_bridge;              /* The bridge's own sampling, with the next five; else a collector set. */
    uint32_t sampling;           /* One packet of so many. */
    uint32_t domain_id, point_id;
    bool input, output;
    uint32_t set_id;
};

/* All that the bridge shall have. */
void ofproto_set_ipfix(struct ofproto *, const struct ofproto_ipfix_config *, size_t n);

/* Once a second: sends what is due. */
void samplers_run(struct ofproto *);

/* A sampled packet has come up. */
void samplers_take_rcu(const struct xdp *, const struct dp_upcall *);

/* Appends the entries of a statistics reply; false if there are no samplers of that kind. */
bool samplers_put_stats(const struct ofproto *, bool is_bridge, struct bytes *body);

#endif
