/* A hash table with one writer and any number of RCU readers.
 *
 * What it is: chained buckets of small links, each with a hash and a pointer to the caller's element.  Readers walk it
 * inside an RCU read section with no lock and no write; the writer (one at a time, the caller sees to that) inserts,
 * removes and resizes, and old links are released after the readers are done.  The elements stay the caller's: release
 * them with rcu_defer() after removing them.
 *
 * Growth: a small map doubles at once.  A large one gets a second array of buckets, and each insertion moves a few of
 * the old one's into it, so that none pays for all elements; until the last has been moved, a hash is looked for where
 * its bucket is.
 *
 * A reader sees every element that was there before it began and not removed since; of changes made meanwhile it may
 * see any part. */
#ifndef SYS_RCU_MAP_H
#define SYS_RCU_MAP_H 1

#include "sys/rcu.h"

struct rcu_map_link {
    RCU_PTR(struct rcu_map_link) next;
    void *element;
    uint32_t hash;
};

struct rcu_map_buckets {
    size_t mask;
    RCU_PTR(struct rcu_map_buckets) old; /* Half as many, whose elements are being moved here; null: none. */
    _Atomic size_t n_moved;              /* Of those buckets, the first ones have been. */
    RCU_PTR(struct rcu_map_link) heads[];
};

struct rcu_map {
    RCU_PTR(struct rcu_map_buckets) buckets; /* Null while empty and never used. */
    size_t n;                                /* Elements; the writer's. */
};

#define RCU_MAP_INIT { NULL, 0 }

void rcu_map_init(struct rcu_map *);
/* Releases the table at once (no readers any more), not the elements. */
void rcu_map_uninit(struct rcu_map *);

void rcu_map_insert(struct rcu_map *, void *element, uint32_t hash);
/* Removes 'element', which must be there under 'hash'. */
void rcu_map_remove(struct rcu_map *, const void *element, uint32_t hash);
/* Puts 'with' in the place of 'element', under the same hash, in one step. */
void rcu_map_replace(struct rcu_map *, const void *element, void *with, uint32_t hash);

static inline size_t rcu_map_count(const struct rcu_map *m) { return m->n; }

/* First link with 'hash', next one with the same; null at the end. */
static inline struct rcu_map_link *
rcu_map_chain_rcu(struct rcu_map_link *l, uint32_t hash)
{
    while (l && l->hash != hash) {
        l = rcu_get(&l->next);
    }
    return l;
}

/* The bucket in which 'hash' is, or will be. */
static inline RCU_PTR(struct rcu_map_link) *
rcu_map_head_rcu(struct rcu_map_buckets *b, uint32_t hash)
{
    struct rcu_map_buckets *old = rcu_get(&b->old);

    if (old && (hash & old->mask) >= atomic_load_explicit(&b->n_moved, memory_order_acquire)) {
        b = old;
    }
    return &b->heads[hash & b->mask];
}

static inline struct rcu_map_link *
rcu_map_first_rcu(const struct rcu_map *m, uint32_t hash)
{
    struct rcu_map_buckets *b = rcu_get(&m->buckets);

    return b ? rcu_map_chain_rcu(rcu_get(rcu_map_head_rcu(b, hash)), hash) : NULL;
}

/* Runs VAR (of TYPE *) over the elements with HASH. */
#define RCU_MAP_FOR_EACH_WITH_HASH(VAR, TYPE, HASH, MAP) \
    for (struct rcu_map_link *VAR##_link = rcu_map_first_rcu(MAP, HASH); VAR##_link; \
         VAR##_link = rcu_map_chain_rcu(rcu_get(&VAR##_link->next), VAR##_link->hash)) \
        for (TYPE *VAR = VAR##_link->element; VAR; VAR = NULL)

/* A walk over everything: 'position' is private, start with RCU_MAP_START.  Null at the end.  The writer may remove the
 * element just given. */
struct rcu_map_position {
    const struct rcu_map_buckets *buckets, *old;
    size_t bucket;             /* With 'old', the two that one of that becomes come one after the other. */
    bool is_old;               /* It is in 'old' that the elements of this one and the next are. */
    struct rcu_map_link *link;
};
#define RCU_MAP_START { NULL, NULL, 0, false, NULL }
void *rcu_map_next_rcu(const struct rcu_map *, struct rcu_map_position *position);

#define RCU_MAP_FOR_EACH(VAR, TYPE, MAP) \
    for (struct rcu_map_position VAR##_at = RCU_MAP_START; VAR##_at.bucket != SIZE_MAX; VAR##_at.bucket = SIZE_MAX) \
        for (TYPE *VAR; (VAR = rcu_map_next_rcu(MAP, &VAR##_at)) != NULL;)

#endif
