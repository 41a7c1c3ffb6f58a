/* Commit: the actions that turn a packet as the datapath has it into one as the pipeline has it.
 *
 * Translation changes only its own flow; before it outputs, the difference to what the datapath's packet looks like
 * by then ('base') becomes set, push and pop actions.  So several changes of one header cost one action, and
 * changes that nobody sees cost none.
 *
 * Wildcards: a change must hold for every packet of the megaflow, so what it replaces must be fixed.  The pipeline
 * has put the bits that it wrote into 'wc'; commit adds what it needs besides (a whole tag where one is replaced).
 *
 * A flow shows two VLAN tags; when more are pushed, 'struct odp_tags' holds those below.  Tags that the packet had
 * below two are never seen.
 *
 * Limits: ODP_MAX_TAGS below the two; FLOW_MPLS_LABELS labels.
 * Threads: pure. */
#ifndef ODP_COMMIT_H
#define ODP_COMMIT_H 1

#include "base/bytes.h"
#include "flow/flow.h"

enum { ODP_MAX_TAGS = 6 };

/* VLAN tags below the two that a flow shows, outermost first. */
struct odp_tags {
    int n;
    struct { be16 tpid, tci; } tags[ODP_MAX_TAGS];
};

/* Appends the difference from '*base' to 'flow' to 'actions', and makes '*base' equal to 'flow' in all that a
 * datapath's packet has.  'below' and 'base_below' (both null: none) are the tags below those of the flows. */
void odp_commit(const struct flow *flow, const struct odp_tags *below, struct flow *base, struct odp_tags *base_below,
                struct flow *wc, struct bytes *actions);

/* Adds an outer tag to the flow; false if there are too many.  Takes the outer tag away, if there is one. */
bool odp_tags_push(struct flow *flow, struct odp_tags *below, be16 tpid, be16 tci);
void odp_tags_pop(struct flow *flow, struct odp_tags *below);

#endif
