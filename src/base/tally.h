/* Counters that one thread adds to and any other may read.
 *
 * Adding is a load and a store, without a locked instruction, which is why there must be one writer at a time.
 *
 * Threads: tally_add() the writer; tally_get() any, and what it reads may be a moment old. */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H 1

#include <stdatomic.h>
#include <stdint.h>

#include "base/util.h"

static ALWAYS_INLINE uint64_t
tally_get(const _Atomic uint64_t *tally)
{
    return atomic_load_explicit(tally, memory_order_relaxed);
}

static ALWAYS_INLINE void
tally_add(_Atomic uint64_t *tally, uint64_t n)
{
    atomic_store_explicit(tally, tally_get(tally) + n, memory_order_relaxed);
}

#endif
