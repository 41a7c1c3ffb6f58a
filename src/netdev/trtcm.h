/* The two-rate, three-color marker of RFC 4115.
 *
 * Two token buckets: committed (CIR, CBS) and excess (EIR, EBS).  A packet that the committed bucket has enough for is
 * green; else one that the excess bucket has enough for is yellow; else it is red.  Where the packet already has a
 * color (color-aware mode) that is the best that it can get.  Unlike that of RFC 2698, the excess bucket does not pay
 * for green packets.
 *
 * A burst is marked on a copy (trtcm_look()), which is then made so.  Sizes and times are as in netdev/policer.h.
 *
 * Threads: any worker may mark at any time. */
#ifndef NETDEV_TRTCM_H
#define NETDEV_TRTCM_H 1

#include "sys/token_bucket.h"

enum trtcm_color { TRTCM_GREEN, TRTCM_YELLOW, TRTCM_RED };

/* Rates in bytes a second, bursts in bytes. */
struct trtcm_config {
    uint64_t cir, cbs, eir, ebs;
};

struct trtcm {
    struct token_bucket committed, excess;
} ALIGNED(CACHE_LINE);

/* Whether the marker can be so: a rate needs a burst. */
static inline bool
trtcm_is_possible(const struct trtcm_config *c)
{
    return (!c->cir || c->cbs) && (!c->eir || c->ebs);
}

static inline void
trtcm_set(struct trtcm *m, const struct trtcm_config *c)
{
    token_bucket_set(&m->committed, c->cir, c->cbs);
    token_bucket_set(&m->excess, c->eir, c->ebs);
}

/* A worker's copy, and what it has taken from it. */
struct trtcm_look {
    struct token_bucket_look committed, excess;
    uint64_t n_committed, n_excess;
};

static inline struct trtcm_look
trtcm_look(const struct trtcm *m, int64_t now_ns)
{
    return (struct trtcm_look) {
        .committed = token_bucket_look(&m->committed, now_ns), .excess = token_bucket_look(&m->excess, now_ns),
    };
}

/* RFC 4115 §3: the color of a packet of 'size' bytes that was of color 'before' (color-blind: green). */
static inline enum trtcm_color
trtcm_mark(struct trtcm_look *l, enum trtcm_color before, uint32_t size)
{
    if (before == TRTCM_GREEN && token_bucket_try(&l->committed, size)) {
        l->n_committed += size;
        return TRTCM_GREEN;
    }
    if (before != TRTCM_RED && token_bucket_try(&l->excess, size)) {
        l->n_excess += size;
        return TRTCM_YELLOW;
    }
    return TRTCM_RED;
}

/* Makes what was taken from the copy so, whatever others have taken meanwhile: it may be owed then. */
static inline void
trtcm_settle(struct trtcm *m, struct trtcm_look *l, int64_t now_ns)
{
    token_bucket_settle(&m->committed, &l->committed, l->n_committed, now_ns);
    token_bucket_settle(&m->excess, &l->excess, l->n_excess, now_ns);
}

/* The same, but false, and nothing done, if others have taken from the first of its buckets that was taken from. */
static inline bool
trtcm_commit(struct trtcm *m, struct trtcm_look *l, int64_t now_ns)
{
    if (l->n_committed) {
        if (!token_bucket_commit(&m->committed, &l->committed)) {
            return false;
        }
        token_bucket_settle(&m->excess, &l->excess, l->n_excess, now_ns);
        return true;
    }
    return !l->n_excess || token_bucket_commit(&m->excess, &l->excess);
}

#endif
