/* What "learn" with delete_learned promises: when the last such action for a table and a cookie is gone, the flows in
 * that table with that cookie go too (ovs-actions(7)).
 *
 * A count of those actions for each table and cookie; it costs nothing for flows that have none.
 * Threads: the caller holds tables_mutex. */
#ifndef OFPROTO_LEARNED_H
#define OFPROTO_LEARNED_H 1

#include "ofproto/ofproto_private.h"

void learned_init(struct ofproto *);
void learned_uninit(struct ofproto *);

/* The rule is in its table; it is not any more. */
void learned_note_added(struct rule *);
void learned_note_removed(struct rule *);

/* At the end of a change: deletes the flows that are nobody's now; after one that was undone: deletes nothing. */
void learned_settle(struct ofproto *, bool was_undone);

/* Whether a flow that 'learn' makes may come: it is there already, or fewer than 'limit' of its table have its cookie.
 * Any thread. */
bool learned_may_come(const struct xbridge *, const struct flow_mod *, uint32_t limit);

#endif
