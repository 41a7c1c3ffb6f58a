/* The meter table: meters as OpenFlow configures them.  Each is a meter of the datapath (which several bridges share),
 * under a number of the datapath's that translation looks up in the snapshot.
 *
 * Threads: main thread.
 * Standards: OpenFlow 1.5 §6.11, §7.3.4.4. */
#ifndef OFPROTO_METER_H
#define OFPROTO_METER_H 1

#include "ofproto/ofproto_private.h"
#include "openflow/msg/meter.h"

struct meter {
    struct hmap_node node;    /* In ofproto->meters, by id. */
    struct roll_entry in_roll; /* In ofproto->meters_roll. */
    struct meter_mod config;  /* Id, flags and bands; owned. */
    int64_t created;          /* ms */
    struct xmeter *x;         /* In the snapshot; released by RCU. */
    _Atomic uint32_t n_refs;  /* The table's, and those of replies under way, which tell of it also when it has gone. */
    struct dp_meter_stats *last; /* Of one that has gone while it had such references: what it has counted. */
};

void meters_init(struct ofproto *);
/* Some of the meters of a bridge that no megaflow names any more (removal.c); true when all are gone. */
bool meters_destroy_step(struct ofproto *, struct loop_slice *) MUST_CHECK;
/* Some of those of a bridge whose flows use none any more; true when all are gone. */
bool meters_delete_step(struct ofproto *, struct loop_slice *) MUST_CHECK;
struct meter *meter_find(const struct ofproto *, uint32_t meter_id);

#endif
