/* What the switch keeps with each megaflow: when it was translated, and whom its packets count for.
 *
 * Threads: created by the worker that missed; afterwards the revalidator's.  The credits hold references on rules;
 * ports
 * and bridges outlive the megaflow since their removal waits for a revalidation (backer_settle()). */
#ifndef OFPROTO_MEGAFLOW_H
#define OFPROTO_MEGAFLOW_H 1

#include "ofproto/ofproto_private.h"
#include "ofproto/xlate/xlate.h"

struct megaflow {
    struct backer *backer;
    pthread_mutex_t mutex;       /* Guards all below against a second revalidation. */
    uint64_t seq;                /* backer->change_seq when it was translated. */
    int64_t created;             /* ms */
    struct dp_flow_stats pushed; /* Already credited. */
    struct xlate_credit *credits;
    size_t n_credits;
};

/* Takes the credits of 'out', with references. */
struct megaflow *megaflow_create(struct backer *, const struct xlate_out *out, uint64_t seq) MUST_CHECK;

/* Replaces the credits after a retranslation. */
void megaflow_update(struct megaflow *, const struct xlate_out *out, uint64_t seq);

/* Credits what came since the last push; 'stats' are the totals. */
void megaflow_push(struct megaflow *, const struct dp_flow_stats *stats);

/* The megaflow is gone: the last push, and release. */
void megaflow_finish(struct megaflow *, const struct dp_flow_stats *final);

/* Adds 'delta' to everything that the credits name. */
void xlate_credit_stats(const struct xlate_credit *, size_t n, const struct dp_flow_stats *delta);

#endif
