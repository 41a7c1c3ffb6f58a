/* Which share of a polling worker's time its queues had: cycles in each of the last minute's intervals.
 *
 * Threads: the worker writes; others read figures that may be a moment old. */
#ifndef DATAPATH_USER_USAGE_H
#define DATAPATH_USER_USAGE_H 1

#include <stdatomic.h>
#include <stdint.h>

enum { USAGE_INTERVALS = 12, USAGE_SLOTS = USAGE_INTERVALS + 1, USAGE_SECONDS = 5 };

struct usage {
    _Atomic uint64_t cycles[USAGE_SLOTS]; /* By interval number % USAGE_SLOTS. */
};

static inline void
usage_add(struct usage *u, unsigned int interval, uint64_t cycles)
{
    _Atomic uint64_t *slot = &u->cycles[interval % USAGE_SLOTS];

    atomic_store_explicit(slot, atomic_load_explicit(slot, memory_order_relaxed) + cycles, memory_order_relaxed);
}

/* Interval number 'interval' begins. */
static inline void
usage_begin(struct usage *u, unsigned int interval)
{
    atomic_store_explicit(&u->cycles[interval % USAGE_SLOTS], 0, memory_order_relaxed);
}

/* The 'n' intervals before 'interval'; at most USAGE_INTERVALS, and no more than there were. */
static inline uint64_t
usage_sum(const struct usage *u, unsigned int interval, unsigned int n)
{
    uint64_t sum = 0;

    for (unsigned int i = interval - n; i < interval; i++) {
        sum += atomic_load_explicit(&u->cycles[i % USAGE_SLOTS], memory_order_relaxed);
    }
    return sum;
}

#endif
