/* The two-rate, three-color marker of RFC 4115.
 *
 * Two token buckets: committed (CIR, CBS) and excess (EIR, EBS).  A packet that the committed bucket has enough for is
 * green; else one that the excess bucket has enough for is yellow; else it is red.  Where the packet already has a
 * color (color-aware mode) that is the best that it can get.  Unlike that of RFC 2698, the excess bucket does not pay
 * for green packets.
 *
 * Sizes and times are as in netdev/policer.h.
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

/* RFC 4115 §3: the color of a packet of 'size' bytes that was of color 'before' (color-blind: green). */
static inline enum trtcm_color
trtcm_mark(struct trtcm *m, enum trtcm_color before, uint32_t size, int64_t now_ns)
{
    if (before == TRTCM_GREEN && token_bucket_take(&m->committed, size, now_ns)) {
        return TRTCM_GREEN;
    }
    return before != TRTCM_RED && token_bucket_take(&m->excess, size, now_ns) ? TRTCM_YELLOW : TRTCM_RED;
}

#endif
