/* Commit: the actions that turn a packet as the datapath has it into one as the pipeline has it.
 *
 * Translation changes only its own flow; before it outputs, the difference to what the datapath's packet looks like
 * by then ('base') becomes set, push and pop actions.  So several changes of one header cost one action, and
 * changes that nobody sees cost none.
 *
 * Wildcards: a change must hold for every packet of the megaflow, so what it replaces must be fixed.  The pipeline
 * has put the bits that it wrote into 'wc'; commit adds what it needs besides (a whole tag where one is replaced).
 *
 * A flow shows two VLAN tags; when more are pushed, 'struct odp_below' holds those below.  Tags that the packet had
 * below two are never seen.
 *
 * Whole headers in front (Ethernet, NSH, a label as a header of its own) are no difference that could be seen: whoever
 * adds or removes one commits what was changed before and notes it as pending.  Only what is under an NSH header is
 * unknown to the pipeline, so that this one is popped by hand and the packet recirculated.
 *
 * Limits: ODP_MAX_TAGS below the two; FLOW_MPLS_LABELS labels.
 * Threads: pure. */
#ifndef ODP_COMMIT_H
#define ODP_COMMIT_H 1

#include "odp/nsh.h"

enum { ODP_MAX_TAGS = 6 };

/* What a packet has below that a flow shows: VLAN tags below the first two, outermost first; and where all labels that
 * were known have been popped but some, how many of the flow's last places for labels hold none. */
struct odp_below {
    int n;
    int n_blank;
    struct { be16 tpid, tci; } tags[ODP_MAX_TAGS];
};

/* A whole header that the flow has got or lost and the datapath's packet has not yet.  The flow's fields may change
 * until it is committed; before the next one it must be. */
enum odp_pending_kind { ODP_PENDING_NONE, ODP_PENDING_PUSH_ETH, ODP_PENDING_PUSH_NSH, ODP_PENDING_ADD_MPLS,
                        ODP_PENDING_POP_ETH };
struct odp_pending {
    enum odp_pending_kind kind;
    unsigned int metadata_len;                 /* PUSH_NSH, metadata type 2; a multiple of 4. */
    uint8_t metadata[ODP_NSH_MAX_METADATA];    /* Of other kinds nothing. */
};

/* A packet as the datapath has it. */
struct odp_base {
    struct flow flow;
    struct odp_below below;
    struct odp_pending pending;
    bool lost_labels;            /* Of those that the packet came with; the flow has got them back. */
};

/* A packet that nothing was done with yet. */
void odp_base_init(struct odp_base *, const struct flow *);

/* Appends the difference from '*base' to 'flow' and the tags 'below' to 'actions', and makes '*base' equal to them in
 * all that a datapath's packet has. */
void odp_commit(const struct flow *flow, const struct odp_below *below, struct odp_base *base, struct flow *wc,
                struct bytes *actions);

/* How many labels the flow shows. */
int odp_mpls_depth(const struct flow *flow, const struct odp_below *below);

/* Adds an outer tag to the flow; false if there are too many.  Takes the outer tag away, if there is one. */
bool odp_tags_push(struct flow *flow, struct odp_below *below, be16 tpid, be16 tci);
void odp_tags_pop(struct flow *flow, struct odp_below *below);

#endif
