#include "base/hmap.h"

#include <stdlib.h>

enum { WALK_AHEAD = 8, SPLIT_AHEAD = 3 };

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

/* Asks for the nodes that the next insertions will move, a few at a time: for the first one of the last bucket that is
 * looked at, for the second one of those before, of which the first is in the cache by now. */
static void
prefetch_split(const struct hmap *map)
{
    const struct hmap_node *node = map->buckets[map->n_split + 1];

    if (node) {
        __builtin_prefetch(node->next);
    }
    __builtin_prefetch(map->buckets[map->n_split + SPLIT_AHEAD]);
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
    if (map->mask >= SPLIT_AHEAD) {
        prefetch_split(map);
    }
}

void
hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash)
{
    struct hmap_node **bucket;

    if (map->n > map->mask + map->n_split) {
        split(map);
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
