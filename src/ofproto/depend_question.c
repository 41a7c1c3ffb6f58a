#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/depend_private.h"

static uint32_t
table_hash(const struct xbridge *bridge, enum xlate_consulted_kind kind, uint8_t id)
{
    return hash_pointer(bridge, kind << 8 | id);
}

static uint32_t
values_hash(const uint64_t *values, size_t n)
{
    return hash_bytes(values, n * sizeof *values, 0);
}

struct table *
find_table(const struct questions *q, const struct xbridge *bridge, enum xlate_consulted_kind kind, uint8_t id)
{
    HMAP_FOR_EACH_WITH_HASH (t, struct table, hmap_node, table_hash(bridge, kind, id), &q->tables) {
        if (t->bridge == bridge && t->kind == kind && t->id == id) {
            return t;
        }
    }
    return NULL;
}

struct node *
find_node(const struct shape *s, const uint64_t *values)
{
    size_t n = s->n_values;

    HMAP_FOR_EACH_WITH_HASH (node, struct node, hmap_node, values_hash(values, n), &s->nodes) {
        if (!memcmp(node->values, values, n * sizeof *values)) {
            return node;
        }
    }
    return NULL;
}

static struct table *
get_table(struct questions *q, const struct xbridge *bridge, enum xlate_consulted_kind kind, uint8_t id)
{
    struct table *t = find_table(q, bridge, kind, id);

    if (!t) {
        t = xzalloc(sizeof *t);
        t->bridge = bridge;
        t->kind = kind;
        t->id = id;
        list_init(&t->shapes);
        hmap_init(&t->shapes_by_mask);
        hmap_insert(&q->tables, &t->hmap_node, table_hash(bridge, kind, id));
    }
    return t;
}

static uint32_t
mask_hash(const struct word_map *map, const uint64_t *masks, size_t n)
{
    return n ? hash_bytes(masks, n * sizeof *masks, hash_bytes(map, sizeof *map, 0)) : 0;
}

/* 'masks': null for keys. */
static struct shape *
get_shape(struct table *t, const struct word_map *map, const uint64_t *masks)
{
    size_t n = word_map_count(map), size = n * sizeof *masks;
    uint32_t hash = mask_hash(map, masks, n);
    struct shape *s;

    HMAP_FOR_EACH_WITH_HASH (i, struct shape, by_mask, hash, &t->shapes_by_mask) {
        if (word_map_equal(&i->map, map) && (!n || !memcmp(i->masks, masks, size))) {
            return i;
        }
    }
    s = xzalloc(sizeof *s + size);
    s->table = t;
    s->map = *map;
    s->n_values = t->kind == CONSULTED_TABLE ? n : 1;
    if (n) {
        memcpy(s->masks, masks, size);
    }
    hmap_init(&s->nodes);
    list_init(&s->noted);
    list_push_back(&t->shapes, &s->in_table);
    hmap_insert(&t->shapes_by_mask, &s->by_mask, hash);
    return s;
}

struct node *
get_node(struct questions *q, const struct xlate_consulted *c, const uint64_t *words)
{
    static const struct word_map no_words;
    bool is_lookup = c->kind == CONSULTED_TABLE;
    struct table *t = get_table(q, c->bridge, c->kind, is_lookup ? c->table.id : 0);
    struct shape *s = get_shape(t, is_lookup ? &c->table.map : &no_words, words);
    const uint64_t *values = is_lookup ? words + s->n_values : &c->key;
    struct node *node = find_node(s, values);

    if (!node) {
        node = xmalloc(sizeof *node + s->n_values * sizeof *values);
        list_init(&node->items);
        node->shape = s;
        node->changed = 0;
        memcpy(node->values, values, s->n_values * sizeof *values);
        hmap_insert(&s->nodes, &node->hmap_node, values_hash(values, s->n_values));
        q->n_nodes++;
    }
    return node;
}

void
forget_noted(struct shape *s, uint64_t seq)
{
    while (!list_is_empty(&s->noted)) {
        struct noted *n = CONTAINER_OF(s->noted.next, struct noted, node);

        if (n->seq > seq) {
            break;
        }
        list_remove(&n->node);
        s->n_noted--;
        free(n);
    }
}

static void
drop_shape(struct questions *q, struct shape *s)
{
    struct table *t = s->table;

    forget_noted(s, UINT64_MAX);
    list_remove(&s->in_table);
    hmap_remove(&t->shapes_by_mask, &s->by_mask);
    hmap_uninit(&s->nodes);
    free(s);
    if (list_is_empty(&t->shapes)) {
        hmap_uninit(&t->shapes_by_mask);
        hmap_remove(&q->tables, &t->hmap_node);
        free(t);
    }
}

void
drop_node(struct questions *q, struct node *node)
{
    struct shape *s = node->shape;

    hmap_remove(&s->nodes, &node->hmap_node);
    free(node);
    q->n_nodes--;
    if (!hmap_count(&s->nodes)) {
        drop_shape(q, s);
    }
}
