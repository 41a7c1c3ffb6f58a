/* Shares of a polling worker's time: whose turn it is.
 *
 * What it is
 * ----------
 * A port whose every packet is a miss costs a thousand times as much a burst as one whose packets have megaflows.  If
 * each queue had one burst in turn, the second would get what the first leaves; so each queue has an account of the
 * time that it has taken, and one that is ahead of the cheapest of those that are full is passed over until that one
 * has caught up.  Its packets wait in its own receive queue, and those that find no room are its own loss.
 *
 * How it works
 * ------------
 * A queue that gave a whole burst is taken to have more ("full").  The floor is the least that one of the full ones has
 * taken, found anew in each round over all queues.  Whoever has taken less and was not full has waited for nothing, and
 * is raised to the floor: what was not used is not saved up.  Where no queue is full all are asked, and all accounts
 * are forgotten (a new "season").
 *
 * Threads: plain values. */
#ifndef DATAPATH_USER_SHARE_H
#define DATAPATH_USER_SHARE_H 1

#include "base/util.h"

/* So far may a queue be ahead, in cycles: a few bursts of hits, so that queues of equal cost take turns as they are. */
enum { SHARE_SLACK = 1 << 17 };

#define SHARE_NO_FLOOR UINT64_MAX

/* A queue's. */
struct share {
    uint64_t season;    /* When it was charged last. */
    uint64_t spent;     /* Cycles of this season, and what it was raised by. */
    bool was_full;      /* When it was last asked. */
    bool is_over;       /* Passed over when it was last its turn. */
};

/* A worker's. */
struct share_round {
    uint64_t season;
    uint64_t floor;     /* Of the round before; SHARE_NO_FLOOR: no queue was full. */
    uint64_t next;      /* Of this round so far. */
};

static inline void
share_init(struct share_round *r)
{
    *r = (struct share_round) { 1, SHARE_NO_FLOOR, SHARE_NO_FLOOR };
}

static ALWAYS_INLINE void
share_begin_round(struct share_round *r)
{
    r->season += r->next == SHARE_NO_FLOOR;
    r->floor = r->next;
    r->next = SHARE_NO_FLOOR;
}

/* Whether the queue may be asked now.  One that may not is still full, as far as anybody knows. */
static ALWAYS_INLINE bool
share_has_turn(const struct share_round *r, const struct share *s)
{
    return s->spent <= r->floor || s->spent - r->floor <= SHARE_SLACK || s->season != r->season;
}

/* It was asked, which took that long. */
static ALWAYS_INLINE void
share_charge(struct share_round *r, struct share *s, uint64_t cycles, bool is_full)
{
    uint64_t floor = r->floor == SHARE_NO_FLOOR ? 0 : r->floor;

    if (s->season != r->season) {
        s->season = r->season;
        s->spent = floor;
    } else if (!s->was_full && s->spent < floor) {
        s->spent = floor;
    }
    s->spent += cycles;
    s->was_full = is_full;
    if (is_full) {
        r->next = MIN(r->next, s->spent);
    }
}

#endif
