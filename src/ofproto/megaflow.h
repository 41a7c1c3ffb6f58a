/* What the switch keeps with each megaflow: what its translation depended on, and whom its packets count for; both are
 * shared with the megaflows of which they are the same (depend.h, credits.h).
 *
 * Threads: created by the worker that missed; afterwards the revalidator's.  The credits hold references on rules and
 * ports; bridges outlive the megaflow (removal.c). */
#ifndef OFPROTO_MEGAFLOW_H
#define OFPROTO_MEGAFLOW_H 1

#include "ofproto/depend.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/xlate/xlate.h"

struct credits;

struct megaflow {
    struct dependent dependent;
    _Atomic(struct dp_flow *) flow; /* Null until it is installed. */
    /* megaflow_lock() guards all below, and dependent.note, against a second revalidation.  The note: depend_seq() + 1
     * when a check found it wrong; 0: it was found right. */
    struct credits *credits;
    uint64_t pushed_packets, pushed_bytes; /* Already credited. */
    uint64_t created : 40;       /* ms */
    uint64_t first_bytes : 23;   /* Of the packet that it was made for, which it has not counted. */
    uint64_t is_offloaded : 1;   /* A device had a part in it at the last push. */
};
#if SLAB_REFS_ARE_SHORT
_Static_assert(sizeof(struct megaflow) == CACHE_LINE, "there may be very many");
#endif

void megaflow_lock(const struct megaflow *);
void megaflow_unlock(const struct megaflow *);

/* Takes the credits of 'out', with references; made 'now' for a packet of 'first_bytes'. */
struct megaflow *megaflow_create(const struct xlate_out *out, uint64_t seq, size_t first_bytes, int64_t now) MUST_CHECK;

/* It is 'flow' now, which has counted 'before' for others. */
void megaflow_installed(struct depend *, struct megaflow *, struct dp_flow *flow, const struct xlate_out *out,
                        const struct dp_flow_stats *before);

static inline struct megaflow *
megaflow_from_dependent(struct dependent *d)
{
    return d ? CONTAINER_OF(d, struct megaflow, dependent) : NULL;
}

/* Replaces credits and dependencies after a retranslation.  Locked. */
void megaflow_update(struct depend *, struct megaflow *, const struct xlate_out *out, uint64_t seq);

/* Credits what came since the last push; 'stats' are the totals.  'is_offloaded': a device has a part in it now, which
 * is counted as if that had been so since the last push.  Locked, or gone. */
void megaflow_push(struct megaflow *, const struct dp_flow_stats *stats, bool is_offloaded);

/* The megaflow is gone: the last push, and release. */
void megaflow_finish(struct depend *, struct megaflow *, const struct dp_flow_stats *final);

#endif
