/* Which flow of a full table makes room for a new one (ovs-vswitchd.conf.db(5), "Flow_Table", "Eviction Policy").
 *
 * The flows that have a timeout are divided into groups by the values of the fields of Flow_Table.groups (what a flow
 * does not match counts as 0; without such fields there is one group).  Of the largest group, or groups, those of the
 * lowest importance are looked at, and of these the one that expires soonest goes.
 *
 * Limits: each choice looks at all flows of the bridge that have a timeout.
 * Threads: the caller holds tables_mutex. */
#ifndef OFPROTO_EVICT_H
#define OFPROTO_EVICT_H 1

#include "ofproto/ofproto_private.h"

/* Sets what makes groups in the table: "NXM_OF_IN_PORT[]", "field[start..end]".  What is no field is passed over, with
 * a line in the log. */
void evict_set_groups(struct ofproto *, uint8_t table_id, const char *const *specs, size_t n);

/* The flow to go, of those visible in 'version'; null if none of the table has a timeout. */
struct rule *evict_choose(const struct ofproto *, uint8_t table_id, uint64_t version);

#endif
