#include "base/hmap.h"

#include <stdlib.h>

enum {
    WALK_AHEAD = 8,
    SPLIT_BATCH = 8,  /* A power of two, ... */
    BATCH_FROM = 127, /* ... so that these many buckets and one more are a multiple of it. */
};

void
hmap_init(struct hmap *map)
{
    *map = (struct hmap) HMAP_INIT(map);
}

void
hmap_uninit(struct hmap *map)
{
    if (map->buckets != &map->one) {
        free(map->buckets);
    }
    hmap_init(map);
}

/* What was added is written when its turn to be split comes. */
static void
make_room(struct hmap *map)
{
    size_t capacity = MAX(map->capacity * 2, 4);

    if (map->buckets == &map->one) {
        map->buckets = xmalloc(capacity * sizeof *map->buckets);
        map->buckets[0] = map->one;
        map->one = NULL;
    } else {
        map->buckets = xreallocarray(map->buckets, capacity, sizeof *map->buckets);
    }
    map->capacity = capacity;
}

/* Splits the next bucket: those of its elements whose hash has the next bit go to a new one behind the last. */
static void
split(struct hmap *map)
{
    size_t n_buckets = map->mask + 1 + map->n_split;
    struct hmap_node **stay, **go, *node;

    if (n_buckets == map->capacity) {
        make_room(map);
    }
    stay = &map->buckets[map->n_split];
    go = &map->buckets[n_buckets];
    node = *stay;
    *stay = *go = NULL;
    while (node) {
        struct hmap_node *next = node->next, **to = node->hash & (map->mask + 1) ? go : stay;

        node->next = *to;
        *to = node;
        node = next;
    }
    if (++map->n_split > map->mask) {
        map->mask = map->mask * 2 + 1;
        map->n_split = 0;
    }
}

/* Splits SPLIT_BATCH buckets; that many are left, since all before were split so.  Their nodes are all over the memory
 * and are asked for together: one by one, each would be waited for. */
static void
split_batch(struct hmap *map)
{
    struct hmap_node *const *next = &map->buckets[map->n_split];

    for (size_t i = 0; i < SPLIT_BATCH; i++) {
        __builtin_prefetch(next[i]);
    }
    for (size_t i = 0; i < SPLIT_BATCH; i++) {
        if (next[i]) {
            __builtin_prefetch(next[i]->next);
        }
    }
    for (size_t i = 0; i < SPLIT_BATCH; i++) {
        split(map);
    }
}

/* Of a crowded table. */
static void
grow(struct hmap *map)
{
    if (map->mask < BATCH_FROM) {
        split(map);
    } else if (map->n > map->mask + map->n_split + SPLIT_BATCH) {
        split_batch(map);
    }
}

void
hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash)
{
    struct hmap_node **bucket;

    if (map->n > map->mask + map->n_split) {
        grow(map);
    }
    bucket = &map->buckets[hmap_bucket(map, hash)];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->n++;
}

void
hmap_remove(struct hmap *map, struct hmap_node *node)
{
    struct hmap_node **p = &map->buckets[hmap_bucket(map, node->hash)];

    while (*p != node) {
        p = &(*p)->next;
    }
    *p = node->next;
    map->n--;
}

void
hmap_clear(struct hmap *map)
{
    hmap_uninit(map);
}

/* The nodes of a large map are all over the memory: those that come next are asked for meanwhile. */
static struct hmap_node *
hmap_first_from(const struct hmap *map, size_t i)
{
    size_t last = map->mask + map->n_split;

    for (; i <= last; i++) {
        if (i + WALK_AHEAD <= last) {
            __builtin_prefetch(map->buckets[i + WALK_AHEAD]);
        }
        if (map->buckets[i]) {
            return map->buckets[i];
        }
    }
    return NULL;
}

struct hmap_node *
hmap_first(const struct hmap *map)
{
    return hmap_first_from(map, 0);
}

struct hmap_node *
hmap_next(const struct hmap *map, const struct hmap_node *node)
{
    return node->next ? node->next : hmap_first_from(map, hmap_bucket(map, node->hash) + 1);
}
