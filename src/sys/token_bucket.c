#include "sys/token_bucket.h"

static const uint64_t ticks_per_second = UINT64_C(1000000000) * TOKEN_BUCKET_TICKS_PER_NS;
static const int64_t longest = INT64_MAX / 4;

static void
set(struct token_bucket *b, bool has_rate, uint64_t per_token, int64_t span)
{
    atomic_store_explicit(&b->has_rate, has_rate, memory_order_relaxed);
    atomic_store_explicit(&b->per_token, per_token, memory_order_relaxed);
    atomic_store_explicit(&b->span, span, memory_order_relaxed);
    atomic_store_explicit(&b->full_at, 0, memory_order_relaxed);
}

void
token_bucket_set(struct token_bucket *b, uint64_t rate, uint64_t depth)
{
    if (!rate) {
        set(b, false, UINT64_C(1) << TOKEN_BUCKET_SHIFT, MIN(depth, (uint64_t) longest));
    } else {
        unsigned __int128 per_token = ((unsigned __int128) ticks_per_second << TOKEN_BUCKET_SHIFT) / rate;
        unsigned __int128 span = ((unsigned __int128) depth * ticks_per_second + rate - 1) / rate;

        set(b, true, MAX((uint64_t) per_token, 1), span < (uint64_t) longest ? (int64_t) span : longest);
    }
}

void
token_bucket_set_unlimited(struct token_bucket *b)
{
    set(b, false, 0, 0);
}

void
token_bucket_charge(struct token_bucket *b, uint64_t n, int64_t now_ns)
{
    struct token_bucket_look l;

    do {
        l = token_bucket_look(b, now_ns);
        l.next += token_bucket_ticks(l.per_token, n);
    } while (!token_bucket_commit(b, &l));
}
