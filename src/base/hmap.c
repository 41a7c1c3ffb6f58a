#include "base/hmap.h"

#include <stdlib.h>

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

static void
hmap_resize(struct hmap *map, size_t mask)
{
    struct hmap_node **buckets = mask ? xcalloc(mask + 1, sizeof *buckets) : &map->one;
    struct hmap_node **old = map->buckets;
    struct hmap_node *all = NULL;

    for (size_t i = 0; i <= map->mask; i++) {
        while (old[i]) {
            struct hmap_node *node = old[i];

            old[i] = node->next;
            node->next = all;
            all = node;
        }
    }
    if (old != &map->one) {
        free(old);
    }
    map->buckets = buckets;
    map->mask = mask;
    while (all) {
        struct hmap_node *node = all, **bucket = &buckets[node->hash & mask];

        all = node->next;
        node->next = *bucket;
        *bucket = node;
    }
}

void
hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash)
{
    struct hmap_node **bucket;

    if (map->n > map->mask) {
        hmap_resize(map, map->mask * 2 + 1);
    }
    bucket = &map->buckets[hash & map->mask];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->n++;
}

void
hmap_remove(struct hmap *map, struct hmap_node *node)
{
    struct hmap_node **p = &map->buckets[node->hash & map->mask];

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

static struct hmap_node *
hmap_first_from(const struct hmap *map, size_t i)
{
    for (; i <= map->mask; i++) {
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
    return node->next ? node->next : hmap_first_from(map, (node->hash & map->mask) + 1);
}
