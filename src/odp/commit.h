/* Commit: the actions that turn a packet as the datapath has it into one as the pipeline has it.
 *
 * Translation changes only its own flow; before it outputs, the difference to what the datapath's packet looks like by
 * then ('base') becomes set, push and pop actions.  So several changes of one header cost one action, and changes that
 * nobody sees cost none.
 *
 * Wildcards: a change must hold for every packet of the megaflow, so what it replaces must be fixed.  The pipeline has
 * put the bits that it wrote into 'wc'; commit adds what it needs besides (a whole tag where one is replaced).
 *
 * Limits: at most two VLAN tags and FLOW_MPLS_LABELS labels are seen; a push below them is taken from the difference as
 * it stands, so callers commit before they push beyond what the flow can hold (see odp_commit_tags()).
 * Threads: pure. */
#ifndef ODP_COMMIT_H
#define ODP_COMMIT_H 1

#include "base/bytes.h"
#include "flow/flow.h"

/* Appends the difference from '*base' to 'flow' to 'actions', and makes '*base' equal to 'flow' in all that a datapath's
 * packet has. */
void odp_commit(const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions);

/* The same for the VLAN tags only. */
void odp_commit_tags(const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions);

/* Number of MPLS labels that 'flow' shows, at most FLOW_MPLS_LABELS; 0 if its eth_type is not MPLS. */
int flow_count_mpls(const struct flow *flow);

#endif
