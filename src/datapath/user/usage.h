/* What a polling worker, or one of its queues, has cost: cycles in each of the last minute's intervals.
 *
 * A queue keeps its own when it goes to another worker.
 *
 * Threads: one worker at a time writes; others read figures that may be a moment old. */
#ifndef DATAPATH_USER_USAGE_H
#define DATAPATH_USER_USAGE_H 1

#include <stdatomic.h>
#include <stdint.h>

#include "base/tally.h"

enum { USAGE_INTERVALS = 12, USAGE_SECONDS = 5 };

struct usage {
    _Atomic uint64_t now;                    /* Of the interval that goes on. */
    _Atomic unsigned int n;                  /* Intervals that have ended. */
    _Atomic uint64_t past[USAGE_INTERVALS];  /* By interval number % USAGE_INTERVALS. */
};

static inline void
usage_add(struct usage *u, uint64_t cycles)
{
    tally_add(&u->now, cycles);
}

/* The interval ends, and the next one begins. */
static inline void
usage_next(struct usage *u)
{
    unsigned int n = atomic_load_explicit(&u->n, memory_order_relaxed);

    atomic_store_explicit(&u->past[n % USAGE_INTERVALS], tally_get(&u->now), memory_order_relaxed);
    atomic_store_explicit(&u->now, 0, memory_order_relaxed);
    atomic_store_explicit(&u->n, n + 1, memory_order_release);
}

/* The last 'n' intervals that have ended, or as many as there were. */
static inline uint64_t
usage_sum(const struct usage *u, unsigned int n)
{
    unsigned int end = atomic_load_explicit(&u->n, memory_order_acquire);
    uint64_t sum = 0;

    n = MIN(MIN(n, end), (unsigned int) USAGE_INTERVALS);
    for (unsigned int i = end - n; i != end; i++) {
        sum += tally_get(&u->past[i % USAGE_INTERVALS]);
    }
    return sum;
}

#endif
