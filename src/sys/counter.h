/* Counters of rare and common events, for coverage/show.
 *
 * A file says COUNTER(name) once and counter_inc(name) where it happens.  Names are those of the reference where the
 * event is the same.  Adding is one relaxed atomic operation; per-packet code adds once a burst, or keeps its own.
 *
 * Rates over 5 seconds, a minute and an hour come from counter_sample(), which the daemon's loop calls every 5 seconds.
 *
 * Threads: adding from any; the rest belongs to the main thread. */
#ifndef SYS_COUNTER_H
#define SYS_COUNTER_H 1

#include <stdatomic.h>

#include "base/list.h"
#include "base/str.h"

enum { COUNTER_PERIOD_MS = 5000, COUNTER_N_MIN = 12, COUNTER_N_HOUR = 60 };

struct counter {
    struct list node;
    const char *name;
    uint64_t (*read)(const struct counter *); /* Null, or says the total, which never falls. */
    _Atomic uint64_t total ALIGNED(CACHE_LINE); /* Only ever grows. */
    uint64_t last ALIGNED(CACHE_LINE);          /* 'total' at the last sample. */
    uint32_t min[COUNTER_N_MIN];                /* Growth in each of the last 12 periods of 5 s. */
    uint32_t hour[COUNTER_N_HOUR];              /* Growth in each of the last 60 minutes. */
};

#define COUNTER(NAME) \
    static struct counter counter_##NAME = { .name = #NAME }; \
    __attribute__((constructor)) static void counter_register_##NAME(void) { counter_register(&counter_##NAME); }

#define counter_inc(NAME) counter_add(NAME, 1)
#define counter_add(NAME, N) \
    ((void) atomic_fetch_add_explicit(&counter_##NAME.total, N, memory_order_relaxed))

/* For a counter that is the largest value seen. */
#define counter_raise(NAME, VALUE) counter_raise_to(&counter_##NAME, VALUE)
static inline void
counter_raise_to(struct counter *c, uint64_t value)
{
    uint64_t old = atomic_load_explicit(&c->total, memory_order_relaxed);

    while (old < value && !atomic_compare_exchange_weak(&c->total, &old, value)) {
    }
}

/* Adds a counter to the registry; for COUNTER(). */
void counter_register(struct counter *);

/* Takes what was counted since the last call as one period's events. */
void counter_sample(void);

/* The total of a counter by name: false if there is none. */
bool counter_read(const char *name, uint64_t *total);

/* The text of coverage/show. */
void counter_format(struct str *);

#endif
