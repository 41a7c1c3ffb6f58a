/* What the switch keeps with each megaflow: what its translation depended on, and whom its packets count for.
 *
 * Threads: created by the worker that missed; afterwards the revalidator's.  The credits hold references on rules;
 * ports and bridges outlive the megaflow since their removal waits for a revalidation (backer_settle()). */
#ifndef OFPROTO_MEGAFLOW_H
#define OFPROTO_MEGAFLOW_H 1

#include "ofproto/depend.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/xlate/xlate.h"

struct megaflow {
    struct backer *backer;
    struct dependent dependent;
    _Atomic(struct dp_flow *) flow; /* Null until it is installed. */
    pthread_mutex_t mutex;       /* Guards all below against a second revalidation. */
    uint64_t seq;                /* depend_seq() when it was translated. */
    uint64_t doubted;            /* depend_seq() when a check found it wrong; 0: it was found right. */
    int64_t created;             /* ms */
    size_t first_bytes;          /* Of the packet that it was made for, which it has not counted. */
    struct dp_flow_stats pushed; /* Already credited. */
    struct xlate_credit *credits;
    size_t n_credits;
    struct frozen_state **frozen; /* References, which keep the recirculation ids that it uses. */
    size_t n_frozen;
};

/* Takes the credits of 'out', with references. */
struct megaflow *megaflow_create(struct backer *, const struct xlate_out *out, uint64_t seq) MUST_CHECK;

/* It is 'flow' now, which has counted 'before' for others. */
void megaflow_installed(struct megaflow *, struct dp_flow *flow, const struct xlate_out *out,
                        const struct dp_flow_stats *before);

/* For depend_create(). */
void megaflow_mark(struct dependent *, bool is_hard);

static inline struct megaflow *
megaflow_from_dependent(struct dependent *d)
{
    return d ? CONTAINER_OF(d, struct megaflow, dependent) : NULL;
}

/* Replaces credits and dependencies after a retranslation. */
void megaflow_update(struct megaflow *, const struct xlate_out *out, uint64_t seq);

/* Credits what came since the last push; 'stats' are the totals. */
void megaflow_push(struct megaflow *, const struct dp_flow_stats *stats);

/* The megaflow is gone: the last push, and release. */
void megaflow_finish(struct megaflow *, const struct dp_flow_stats *final);

/* Adds 'delta' to everything that the credits name. */
void xlate_credit_stats(const struct xlate_credit *, size_t n, const struct dp_flow_stats *delta);

#endif
