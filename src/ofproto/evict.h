/* Which flow of a full table makes room for a new one (ovs-vswitchd.conf.db(5), "Flow_Table", "Eviction Policy").
 *
 * The flows that have a timeout are divided into groups by the values of the fields of Flow_Table.groups (what a flow
 * does not match counts as 0; without such fields there is one group).  Of the largest group, or groups, those of the
 * lowest importance are looked at, and of these the one that expires soonest goes.
 *
 * How it works
 * ------------
 * From its first choice on a table keeps its flows in order: each group has a queue by importance and expiry, and the
 * groups are in a queue by size and then by their first flows.  Packets and "learn" put a flow's end off, and nobody
 * tells: the end by which it is queued is one before which it does not expire.  When it comes to be first it is looked
 * at, and goes to where it belongs now.  So a choice costs what was used since the last one, and the logarithm of the
 * rest.  The first choice, and the first after the groups have changed, goes past all flows of the bridge that have a
 * timeout.  A table that does not evict keeps nothing.
 *
 * The order has the flows that changes so far have left: what a change drops is out of it at once, and is back when
 * that is undone.  An open long change (change.h) that has looked into the table is undone first.
 *
 * Threads: the caller holds tables_mutex. */
#ifndef OFPROTO_EVICT_H
#define OFPROTO_EVICT_H 1

#include "ofproto/ofproto_private.h"

/* Sets what makes groups in the table: "NXM_OF_IN_PORT[]", "field[start..end]".  What is no field is passed over, with
 * a line in the log. */
void evict_set_groups(struct ofproto *, uint8_t table_id, const char *const *specs, size_t n);

/* Whether the table evicts may have changed, or the table goes: releases the order if nobody wants it. */
void evict_settings_changed(struct table_state *);
void evict_uninit(struct table_state *);

/* The flow to go, of those visible in 'version', which has all changes of the table so far; null if none of the table
 * has a timeout. */
struct rule *evict_choose(struct ofproto *, uint8_t table_id, uint64_t version);

/* A flow comes, or is there again; goes; may end earlier than before, or at all. */
void evict_note_added(struct rule *);
void evict_note_removed(struct rule *);
void evict_note_reduced(struct rule *);

#endif
