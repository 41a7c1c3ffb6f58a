#include "sys/slab_map.h"

#include <stdlib.h>

/* As in base/hmap.c, which says why. */
enum { WALK_AHEAD = 8, SPLIT_BATCH = 8, BATCH_FROM = 127 };

void
slab_map_init(struct slab_map *map)
{
    *map = (struct slab_map) { .buckets = &map->one, .capacity = 1 };
}

void
slab_map_uninit(struct slab_map *map)
{
    if (map->buckets != &map->one) {
        free(map->buckets);
    }
    slab_map_init(map);
}

static void
make_room(struct slab_map *map)
{
    size_t capacity = MAX(map->capacity * 2, 4);

    if (map->buckets == &map->one) {
        map->buckets = xmalloc(capacity * sizeof *map->buckets);
        map->buckets[0] = map->one;
        map->one = 0;
    } else {
        map->buckets = xreallocarray(map->buckets, capacity, sizeof *map->buckets);
    }
    map->capacity = capacity;
}

/* Splits the next bucket. */
static void
split(struct slab_map *map)
{
    size_t n_buckets = map->mask + 1 + map->n_split;
    slab_ref *stay, *go, ref;

    if (n_buckets == map->capacity) {
        make_room(map);
    }
    stay = &map->buckets[map->n_split];
    go = &map->buckets[n_buckets];
    ref = *stay;
    *stay = *go = 0;
    while (ref) {
        struct slab_map_node *node = slab_at(ref);
        slab_ref next = node->next, *to = node->hash & (map->mask + 1) ? go : stay;

        node->next = *to;
        *to = ref;
        ref = next;
    }
    if (++map->n_split > map->mask) {
        map->mask = map->mask * 2 + 1;
        map->n_split = 0;
    }
}

static void
split_batch(struct slab_map *map)
{
    const slab_ref *next = &map->buckets[map->n_split];

    for (size_t i = 0; i < SPLIT_BATCH; i++) {
        __builtin_prefetch(slab_at(next[i]));
    }
    for (size_t i = 0; i < SPLIT_BATCH; i++) {
        const struct slab_map_node *node = slab_at(next[i]);

        if (node) {
            __builtin_prefetch(slab_at(node->next));
        }
    }
    for (size_t i = 0; i < SPLIT_BATCH; i++) {
        split(map);
    }
}

/* Of a crowded table. */
static void
grow(struct slab_map *map)
{
    if (map->mask < BATCH_FROM) {
        split(map);
    } else if (map->n > map->mask + map->n_split + SPLIT_BATCH) {
        split_batch(map);
    }
}

void
slab_map_insert(struct slab_map *map, struct slab_map_node *node, uint32_t hash)
{
    slab_ref *bucket;

    if (map->n > map->mask + map->n_split) {
        grow(map);
    }
    bucket = &map->buckets[slab_map_bucket(map, hash)];
    node->hash = hash;
    node->next = *bucket;
    *bucket = slab_ref_to(node);
    map->n++;
}

void
slab_map_remove(struct slab_map *map, struct slab_map_node *node)
{
    slab_ref *p = &map->buckets[slab_map_bucket(map, node->hash)], ref = slab_ref_to(node);

    while (*p != ref) {
        p = &((struct slab_map_node *) slab_at(*p))->next;
    }
    *p = node->next;
    map->n--;
}

static struct slab_map_node *
first_from(const struct slab_map *map, size_t i)
{
    size_t last = map->mask + map->n_split;

    for (; i <= last; i++) {
        if (i + WALK_AHEAD <= last) {
            __builtin_prefetch(slab_at(map->buckets[i + WALK_AHEAD]));
        }
        if (map->buckets[i]) {
            return slab_at(map->buckets[i]);
        }
    }
    return NULL;
}

struct slab_map_node *
slab_map_first(const struct slab_map *map)
{
    return first_from(map, 0);
}

struct slab_map_node *
slab_map_next(const struct slab_map *map, const struct slab_map_node *node)
{
    return node->next ? slab_at(node->next) : first_from(map, slab_map_bucket(map, node->hash) + 1);
}
