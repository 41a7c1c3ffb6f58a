/* Matches made ready for insertion, and the set of their masks. */
#include <stdlib.h>

#include "classifier/subtable.h"

void
cls_shapes_init(struct cls_shapes *s)
{
    hmap_init(&s->by_mask);
    s->recent = NULL;
    s->n_bytes = 0;
}

void
cls_shapes_uninit(struct cls_shapes *s)
{
    HMAP_FOR_EACH_SAFE (shape, struct cls_shape, by_mask, &s->by_mask) {
        free(shape);
    }
    hmap_uninit(&s->by_mask);
}

static bool
has_mask(const struct cls_shape *shape, const struct flow *mask, const struct word_map *map)
{
    return word_map_equal(&shape->map, map) && cls_words_have_mask(shape->words, shape->n_words, mask, map);
}

static struct cls_shape *
find(const struct cls_shapes *s, const struct flow *mask, const struct word_map *map, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (shape, struct cls_shape, by_mask, hash, &s->by_mask) {
        if (has_mask(shape, mask, map)) {
            return shape;
        }
    }
    return NULL;
}

static struct cls_shape *
get(struct cls_shapes *s, const struct flow *mask)
{
    struct word_map map = word_map_of(mask);
    uint32_t hash;

    if (s->recent && has_mask(s->recent, mask, &map)) {
        return s->recent;
    }
    hash = cls_mask_hash(mask, &map);
    s->recent = find(s, mask, &map, hash);
    if (!s->recent) {
        s->recent = cls_shape_create(mask, &map, hash);
        hmap_insert(&s->by_mask, &s->recent->by_mask, hash);
        s->n_bytes += sizeof *s->recent + s->recent->n_words * sizeof s->recent->words[0];
    }
    return s->recent;
}

void
cls_ready_init(struct cls_ready *r, struct cls_shapes *s, const struct match *match)
{
    const struct cls_shape *shape = get(s, &match->mask);

    r->shape = shape;
    r->node = cls_node_create(shape->words, shape->n_words, shape->n_values, &match->flow);
    r->hash = cls_node_hash(r->node, shape->words, shape->n_words);
}

void
cls_ready_uninit(struct cls_ready *r)
{
    if (r->node) {
        cls_node_discard(r->node, r->shape->n_values);
        r->node = NULL;
    }
}

size_t
cls_ready_size(const struct cls_ready *r)
{
    return cls_node_size(r->shape->n_values);
}
