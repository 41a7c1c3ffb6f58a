/* What "learn" with delete_learned promises: when the last such action for a table and a cookie is gone, the flows in
 * that table with that cookie go too (ovs-actions(7)).
 *
 * A count of those actions for each table and cookie; it costs nothing for flows that have none.
 *
 * The flows go in slices, as a change of their own: of a change that a controller has asked for that is the end, and
 * its answer waits for it; after any other the switch asks for it, and all messages wait (change_request.h).
 *
 * Threads: the caller holds tables_mutex. */
#ifndef OFPROTO_LEARNED_H
#define OFPROTO_LEARNED_H 1

#include "ofproto/change.h"
#include "openflow/flow_mod.h"

void learned_init(struct ofproto *);
void learned_uninit(struct ofproto *);

/* The rule is in its table; it is not any more, or was in none since its change is undone. */
void learned_note_added(struct rule *);
void learned_note_removed(struct rule *, bool was_undone);

/* The end of a change that nobody has asked for in steps: has the flows deleted that are nobody's now. */
void learned_note_end(struct ofproto *);

/* Whether there are flows that are nobody's.  Main thread, which need not hold the mutex. */
bool learned_are_due(struct ofproto *);

/* Stages their deletion; true once all are.  Deleting them may leave others to nobody.  Begins as zeros. */
struct learned_run {
    struct flow_mod fm;
    struct flow_mod_run run;
    bool is_running;
};
bool learned_stage(struct learned_run *, struct tables_change *, struct loop_slice *);

/* Whether a flow that 'learn' makes may come: it is there already, or fewer than 'limit' of its table have its cookie.
 * Any thread. */
bool learned_may_come(const struct xbridge *, const struct flow_mod *, uint32_t limit);

#endif
