/* A hash table whose nodes live inside the elements.
 *
 * Linear hashing: chained buckets, of which a few are split in two by an insertion while they are crowded, so that none
 * pays for all elements.  The caller computes the hash and compares the keys, so any key will do, also
 * duplicates.  One thread at a time; for concurrent readers see sys/rcu.h. */
#ifndef BASE_HMAP_H
#define BASE_HMAP_H 1

#include "base/util.h"

struct hmap_node {
    struct hmap_node *next; /* In the bucket. */
    uint32_t hash;
};

struct hmap {
    struct hmap_node **buckets; /* 'mask' + 1 + 'n_split' of them; points to 'one' while small. */
    struct hmap_node *one;
    size_t mask;
    size_t n;        /* Elements. */
    size_t n_split;  /* The first of the 'mask' + 1 buckets, which have been split by the next bit of the hash. */
    size_t capacity; /* Buckets that there is room for. */
};

#define HMAP_INIT(MAP) { &(MAP)->one, NULL, 0, 0, 0, 1 }

void hmap_init(struct hmap *map);
/* Releases the buckets, not the elements. */
void hmap_uninit(struct hmap *map);
void hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash);
void hmap_remove(struct hmap *map, struct hmap_node *node);
/* Forgets every element. */
void hmap_clear(struct hmap *map);

static inline size_t hmap_count(const struct hmap *map) { return map->n; }

/* The first node with 'hash', then the next one; null at the end. */
static inline struct hmap_node *
hmap_chain(struct hmap_node *node, uint32_t hash)
{
    while (node && node->hash != hash) {
        node = node->next;
    }
    return node;
}

static inline size_t
hmap_bucket(const struct hmap *map, uint32_t hash)
{
    size_t i = hash & map->mask;

    return i < map->n_split ? hash & (map->mask * 2 + 1) : i;
}

static inline struct hmap_node *
hmap_first_with_hash(const struct hmap *map, uint32_t hash)
{
    return hmap_chain(map->buckets[hmap_bucket(map, hash)], hash);
}

/* Ask for the memory that looking for 'hash' will read first: where its bucket is, and, later, the bucket's first
 * node, with as many bytes as are read of what it is part of, itself included.  For those who look for many things at
 * once. */
static inline void
hmap_prefetch_bucket(const struct hmap *map, uint32_t hash)
{
    __builtin_prefetch(&map->buckets[hmap_bucket(map, hash)]);
}

static inline void
hmap_prefetch_node(const struct hmap *map, uint32_t hash, size_t size)
{
    const char *node = (const char *) map->buckets[hmap_bucket(map, hash)];

    for (size_t i = 0; node && i < size; i += CACHE_LINE) {
        __builtin_prefetch(node + i);
    }
}

/* The first node of the walk, and the one after 'node'; null at the end.  In no particular order. */
struct hmap_node *hmap_first(const struct hmap *map);
struct hmap_node *hmap_next(const struct hmap *map, const struct hmap_node *node);

#define HMAP_ENTRY(NODE, TYPE, MEMBER) ((NODE) ? CONTAINER_OF(NODE, TYPE, MEMBER) : NULL)

#define HMAP_FOR_EACH_WITH_HASH(VAR, TYPE, MEMBER, HASH, MAP) \
    for (TYPE *VAR = HMAP_ENTRY(hmap_first_with_hash(MAP, HASH), TYPE, MEMBER); VAR; \
         VAR = HMAP_ENTRY(hmap_chain(VAR->MEMBER.next, VAR->MEMBER.hash), TYPE, MEMBER))
#define HMAP_FOR_EACH(VAR, TYPE, MEMBER, MAP) \
    for (TYPE *VAR = HMAP_ENTRY(hmap_first(MAP), TYPE, MEMBER); VAR; \
         VAR = HMAP_ENTRY(hmap_next(MAP, &VAR->MEMBER), TYPE, MEMBER))
/* VAR may be removed (not: others). */
#define HMAP_FOR_EACH_SAFE(VAR, TYPE, MEMBER, MAP) \
    for (TYPE *VAR = HMAP_ENTRY(hmap_first(MAP), TYPE, MEMBER), *VAR##_next; \
         VAR && (VAR##_next = HMAP_ENTRY(hmap_next(MAP, &VAR->MEMBER), TYPE, MEMBER), true); VAR = VAR##_next)

#endif
