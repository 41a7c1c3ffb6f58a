/* A token bucket that threads share without a lock.
 *
 * What it is
 * ----------
 * It holds up to 'depth' tokens, is full at first, and gets 'rate' tokens a second as long as it is not full.  Whoever
 * wants to pass takes tokens, or is refused.  What a token is (a byte, a bit, a packet) is the user's matter.
 *
 * How it works
 * ------------
 * The bucket is one number: the time at which it will be full again.  To take tokens moves it on by the time that they
 * take to come back, in one compare-and-swap; it may not be further away than an empty bucket takes to fill.  So
 * threads that share a bucket share its rate exactly, and there is no refilling to be done.  (This is the virtual
 * scheduling form of the generic cell rate algorithm, ITU-T I.371 Annex A.)
 *
 * Times are in ticks of 1/64 of a nanosecond; what a token costs is kept with 28 more bits.  What a packet costs is
 * rounded down to ticks, so that a full bucket lets pass what fits exactly, but to the nearest tick where a token is
 * less than 64 of them: half a tick a packet is all that such rates (above 8 Gbit/s) are off.  A bucket without rate
 * never gets tokens: it counts them down.
 *
 * A burst of packets costs one compare-and-swap: token_bucket_look() copies the state, token_bucket_try() takes from
 * the copy, token_bucket_commit() makes it so unless somebody else has been faster.  Who has to take from several
 * buckets commits the first, or begins anew, and settles the others: what another has taken meanwhile is owed.
 *
 * Threads: any may take at any time; one may call token_bucket_set() meanwhile: who takes at that moment takes by the
 * old rate, the new one, or for one burst by a mixture.
 * Limits: a full bucket stands for at most 2^61 ticks (a year) of its rate; times are nanoseconds of one monotonic
 * clock, from 0. */
#ifndef SYS_TOKEN_BUCKET_H
#define SYS_TOKEN_BUCKET_H 1

#include <stdatomic.h>

#include "base/util.h"

enum { TOKEN_BUCKET_TICKS_PER_NS = 64, TOKEN_BUCKET_SHIFT = 28 };

struct token_bucket {
    _Atomic int64_t full_at;     /* Tick.  Without rate: the tokens that are gone. */
    _Atomic int64_t span;        /* Ticks from empty to full.  Without rate: 'depth'. */
    _Atomic uint64_t per_token;  /* Ticks << TOKEN_BUCKET_SHIFT; 0: whoever comes passes. */
    _Atomic bool has_rate;
};

/* The bucket is full, with 'depth' tokens, and gets 'rate' a second from now on. */
void token_bucket_set(struct token_bucket *, uint64_t rate, uint64_t depth);

/* The bucket refuses nobody: so is one of zeros. */
void token_bucket_set_unlimited(struct token_bucket *);

/* A thread's copy. */
struct token_bucket_look {
    int64_t was, next, latest;
    uint64_t per_token;
};

static inline struct token_bucket_look
token_bucket_look(const struct token_bucket *b, int64_t now_ns)
{
    struct token_bucket_look l = {
        .was = atomic_load_explicit(&b->full_at, memory_order_relaxed),
        .per_token = atomic_load_explicit(&b->per_token, memory_order_relaxed),
    };
    bool has_rate = atomic_load_explicit(&b->has_rate, memory_order_relaxed);
    int64_t now = has_rate ? now_ns * TOKEN_BUCKET_TICKS_PER_NS : 0;

    l.next = l.was > now ? l.was : now;
    l.latest = l.per_token ? now + atomic_load_explicit(&b->span, memory_order_relaxed) : INT64_MAX;
    return l;
}

/* The ticks that 'n' tokens take to come. */
static inline int64_t
token_bucket_ticks(uint64_t per_token, uint64_t n)
{
    const uint64_t half = UINT64_C(1) << (TOKEN_BUCKET_SHIFT - 1), fast = UINT64_C(64) << TOKEN_BUCKET_SHIFT;
    unsigned __int128 t = ((unsigned __int128) per_token * n + (per_token < fast ? half : 0)) >> TOKEN_BUCKET_SHIFT;

    return t < INT64_MAX / 4 ? (int64_t) t : INT64_MAX / 4;
}

/* Whether there is room for that many ticks, which 'l->next += ticks' takes. */
static inline bool
token_bucket_fits(const struct token_bucket_look *l, int64_t ticks)
{
    return l->next + ticks <= l->latest;
}

/* Takes 'n' tokens from the copy if there are so many. */
static inline bool
token_bucket_try(struct token_bucket_look *l, uint64_t n)
{
    int64_t ticks = token_bucket_ticks(l->per_token, n);

    if (!token_bucket_fits(l, ticks)) {
        return false;
    }
    l->next += ticks;
    return true;
}

/* Makes what was taken from the copy so; false if another thread has taken meanwhile, and nothing has been done. */
static inline bool
token_bucket_commit(struct token_bucket *b, struct token_bucket_look *l)
{
    return !l->per_token || l->next == l->was ||
           atomic_compare_exchange_strong_explicit(&b->full_at, &l->was, l->next, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* Takes 'n' tokens if there are so many. */
static inline bool
token_bucket_take(struct token_bucket *b, uint64_t n, int64_t now_ns)
{
    struct token_bucket_look l;

    do {
        l = token_bucket_look(b, now_ns);
        if (!token_bucket_try(&l, n)) {
            return false;
        }
    } while (!token_bucket_commit(b, &l));
    return true;
}

/* Takes 'n' tokens also if there are not so many: those that come next are gone, too. */
void token_bucket_charge(struct token_bucket *, uint64_t n, int64_t now_ns);

/* Makes what was taken from the copy, 'n' tokens, so, whatever another thread has taken meanwhile. */
static inline void
token_bucket_settle(struct token_bucket *b, struct token_bucket_look *l, uint64_t n, int64_t now_ns)
{
    if (n && !token_bucket_commit(b, l)) {
        token_bucket_charge(b, n, now_ns);
    }
}

#endif
