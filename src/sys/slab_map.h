/* base/hmap.h for what there is very much of: links and buckets are half a pointer each.  Nodes are parts of objects of
 * slabs (sys/slab.h).
 *
 * A hash table that grows in the same way, without stopping for long; and the caller computes the hash and compares the
 * keys, too.  One thread at a time. */
#ifndef SYS_SLAB_MAP_H
#define SYS_SLAB_MAP_H 1

#include "sys/slab.h"

struct slab_map_node {
    slab_ref next;   /* In the bucket. */
    uint32_t hash;
};

struct slab_map {
    slab_ref *buckets; /* 'mask' + 1 + 'n_split' of them; points to 'one' while small. */
    slab_ref one;
    size_t mask;
    size_t n;        /* Elements. */
    size_t n_split;  /* The first of the 'mask' + 1 buckets, which have been split by the next bit of the hash. */
    size_t capacity; /* Buckets that there is room for. */
};

void slab_map_init(struct slab_map *);
/* Releases the buckets, not the elements. */
void slab_map_uninit(struct slab_map *);
void slab_map_insert(struct slab_map *, struct slab_map_node *, uint32_t hash);
void slab_map_remove(struct slab_map *, struct slab_map_node *);

static inline size_t slab_map_count(const struct slab_map *map) { return map->n; }

static inline size_t
slab_map_bucket(const struct slab_map *map, uint32_t hash)
{
    size_t i = hash & map->mask;

    return i < map->n_split ? hash & (map->mask * 2 + 1) : i;
}

/* The first node with 'hash' from the one at 'ref' on; null at the end. */
static inline struct slab_map_node *
slab_map_chain(slab_ref ref, uint32_t hash)
{
    struct slab_map_node *node = slab_at(ref);

    while (node && node->hash != hash) {
        node = slab_at(node->next);
    }
    return node;
}

static inline struct slab_map_node *
slab_map_first_with_hash(const struct slab_map *map, uint32_t hash)
{
    return slab_map_chain(map->buckets[slab_map_bucket(map, hash)], hash);
}

/* See hmap_prefetch_bucket() and hmap_prefetch_node(). */
static inline void
slab_map_prefetch_bucket(const struct slab_map *map, uint32_t hash)
{
    __builtin_prefetch(&map->buckets[slab_map_bucket(map, hash)]);
}

static inline void
slab_map_prefetch_node(const struct slab_map *map, uint32_t hash, size_t size)
{
    const char *node = slab_at(map->buckets[slab_map_bucket(map, hash)]);

    for (size_t i = 0; node && i < size; i += CACHE_LINE) {
        __builtin_prefetch(node + i);
    }
}

/* The first node of a walk, and the one after 'node'; null at the end.  In no particular order. */
struct slab_map_node *slab_map_first(const struct slab_map *);
struct slab_map_node *slab_map_next(const struct slab_map *, const struct slab_map_node *node);

#define SLAB_MAP_ENTRY(NODE, TYPE, MEMBER) ((NODE) ? CONTAINER_OF(NODE, TYPE, MEMBER) : NULL)

#define SLAB_MAP_FOR_EACH_WITH_HASH(VAR, TYPE, MEMBER, HASH, MAP) \
    for (TYPE *VAR = SLAB_MAP_ENTRY(slab_map_first_with_hash(MAP, HASH), TYPE, MEMBER); VAR; \
         VAR = SLAB_MAP_ENTRY(slab_map_chain(VAR->MEMBER.next, VAR->MEMBER.hash), TYPE, MEMBER))
#define SLAB_MAP_FOR_EACH(VAR, TYPE, MEMBER, MAP) \
    for (TYPE *VAR = SLAB_MAP_ENTRY(slab_map_first(MAP), TYPE, MEMBER); VAR; \
         VAR = SLAB_MAP_ENTRY(slab_map_next(MAP, &VAR->MEMBER), TYPE, MEMBER))

#endif
