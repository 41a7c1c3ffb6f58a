/* The signature cache: from a 64-bit hash of a packet to a megaflow.
 *
 * A bucket is one cache line: six signatures of 16 bits, compared at once, and six pointers.  What it returns are
 * candidates: the caller verifies them (megaflow_matches_rcu()), so entries need not be right, nor be removed when
 * their
 * megaflow is (megaflow.h says why that is safe).  A new entry takes the place of one with the same signature, else of
 * the bucket's next in turn.
 *
 * Threads: each worker has its own. */
#ifndef DATAPATH_USER_CACHE_H
#define DATAPATH_USER_CACHE_H 1

#include <emmintrin.h>

#include "datapath/user/megaflow.h"

enum { CACHE_WAYS = 6, CACHE_BUCKETS = 16384 };

struct cache_bucket {
    uint16_t signatures[CACHE_WAYS];
    uint16_t next; /* Way to replace next. */
    uint16_t pad;
    struct dp_flow *flows[CACHE_WAYS];
} ALIGNED(64);
_Static_assert(sizeof(struct cache_bucket) == 64, "a bucket is a cache line");

struct cache {
    struct cache_bucket *buckets; /* CACHE_BUCKETS of them. */
};

static inline void cache_init(struct cache *c) { c->buckets = xzalloc_cacheline(CACHE_BUCKETS * sizeof *c->buckets); }

static ALWAYS_INLINE struct cache_bucket *
cache_bucket(const struct cache *c, uint64_t hash)
{
    return &c->buckets[hash & (CACHE_BUCKETS - 1)];
}

static ALWAYS_INLINE uint16_t cache_signature(uint64_t hash) { return hash >> 48; }

static ALWAYS_INLINE unsigned int
cache_candidates(const struct cache_bucket *b, uint64_t hash)
{
    __m128i all = _mm_load_si128((const __m128i *) b);

    return _mm_movemask_epi8(_mm_cmpeq_epi16(all, _mm_set1_epi16(cache_signature(hash)))) & ((1 << 2 * CACHE_WAYS) - 1);
}

/* The megaflow of a packet, in that epoch; null if the cache does not know. */
static ALWAYS_INLINE struct dp_flow *
cache_find_rcu(const struct cache *c, uint64_t hash, struct flow *key, uint16_t *lines, uint64_t epoch)
{
    const struct cache_bucket *b = cache_bucket(c, hash);

    for (unsigned int m = cache_candidates(b, hash); m; m &= m - 1, m &= m - 1) {
        struct dp_flow *f = b->flows[__builtin_ctz(m) / 2];

        if (LIKELY(f != NULL) && LIKELY(megaflow_matches_rcu(f, key, lines, epoch))) {
            return f;
        }
    }
    return NULL;
}

static inline void
cache_insert(struct cache *c, uint64_t hash, struct dp_flow *f)
{
    struct cache_bucket *b = cache_bucket(c, hash);
    unsigned int m = cache_candidates(b, hash), way;

    if (m) {
        way = __builtin_ctz(m) / 2;
    } else {
        way = b->next;
        b->next = way + 1 < CACHE_WAYS ? way + 1 : 0;
    }
    b->signatures[way] = cache_signature(hash);
    b->flows[way] = f;
}

#endif
