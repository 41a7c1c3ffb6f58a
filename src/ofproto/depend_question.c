#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/depend_private.h"
#include "sys/slab.h"

struct asked {
    struct shape *shape;
    const uint64_t *values;     /* The translation's. */
    uint32_t hash;
};

void
questions_init(struct questions *q)
{
    *q = (struct questions) { .n_nodes = 0 };
    hmap_init(&q->tables);
}

void
questions_uninit(struct questions *q)
{
    hmap_uninit(&q->tables);
    free(q->asked);
    free(q->placed);
}

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

/* Of few words: no call for them. */
static bool
values_equal(const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t differ = 0;

    for (size_t i = 0; i < n; i++) {
        differ |= a[i] ^ b[i];
    }
    return !differ;
}

static struct node *
find_hashed(const struct shape *s, const uint64_t *values, uint32_t hash)
{
    SLAB_MAP_FOR_EACH_WITH_HASH (node, struct node, map_node, hash, &s->nodes) {
        if (values_equal(node->values, values, s->n_values)) {
            return node;
        }
    }
    return NULL;
}

struct node *
find_node(const struct shape *s, const uint64_t *values)
{
    return find_hashed(s, values, values_hash(values, s->n_values));
}

/* Where the table is if it was asked for lately: most translations ask the same ones. */
static struct table **
recent_table(struct questions *q, enum xlate_consulted_kind kind, uint8_t id)
{
    return &q->recent[(kind == CONSULTED_TABLE ? id : 255 - kind) % N_RECENT_TABLES];
}

static struct table *
get_table(struct questions *q, const struct xbridge *bridge, enum xlate_consulted_kind kind, uint8_t id)
{
    struct table **recent = recent_table(q, kind, id), *t = *recent;

    if (t && t->bridge == bridge && t->kind == kind && t->id == id) {
        return t;
    }
    t = find_table(q, bridge, kind, id);
    if (!t) {
        t = xzalloc(sizeof *t);
        t->bridge = bridge;
        t->kind = kind;
        t->id = id;
        list_init(&t->shapes);
        hmap_init(&t->shapes_by_mask);
        hmap_insert(&q->tables, &t->hmap_node, table_hash(bridge, kind, id));
    }
    *recent = t;
    return t;
}

static uint32_t
mask_hash(const struct word_map *map, const uint64_t *masks, size_t n)
{
    return n ? hash_bytes(masks, n * sizeof *masks, hash_bytes(map, sizeof *map, 0)) : 0;
}

static size_t
shape_memory(size_t n_masks)
{
    return sizeof(struct shape) + n_masks * sizeof(uint64_t);
}
_Static_assert(sizeof(struct shape) + FLOW_N_WORDS * sizeof(uint64_t) <= SLAB_MAX, "nodes refer to it");

static bool
has_masks(const struct shape *s, const struct word_map *map, const uint64_t *masks, size_t n)
{
    return word_map_equal(&s->map, map) && values_equal(s->masks, masks, n);
}

/* 'masks': null for keys. */
static struct shape *
get_shape(struct table *t, const struct word_map *map, const uint64_t *masks)
{
    size_t n = word_map_count(map);
    struct shape *s = t->recent;
    uint32_t hash;

    if (s && has_masks(s, map, masks, n)) {
        return s;
    }
    hash = mask_hash(map, masks, n);
    HMAP_FOR_EACH_WITH_HASH (i, struct shape, by_mask, hash, &t->shapes_by_mask) {
        if (has_masks(i, map, masks, n)) {
            t->recent = i;
            return i;
        }
    }
    s = slab_zalloc(shape_memory(n));
    s->table = t;
    s->map = *map;
    s->n_values = t->kind == CONSULTED_TABLE ? n : 1;
    if (n) {
        memcpy(s->masks, masks, n * sizeof *masks);
    }
    slab_map_init(&s->nodes);
    list_init(&s->noted);
    list_push_back(&t->shapes, &s->in_table);
    hmap_insert(&t->shapes_by_mask, &s->by_mask, hash);
    t->recent = s;
    return s;
}

/* All questions of a translation go the way to their nodes together, a stretch at a time: each stretch waits for memory
 * that the one before it has asked for.  'words': those of a lookup, else null. */
static void
ask(struct questions *q, const struct xlate_consulted *c, const uint64_t *words, struct asked *asked)
{
    static const struct word_map no_words;
    bool is_lookup = c->kind == CONSULTED_TABLE;
    struct table *t = get_table(q, c->bridge, c->kind, is_lookup ? c->table.id : 0);
    struct shape *s = get_shape(t, is_lookup ? &c->table.map : &no_words, words);
    const uint64_t *values = is_lookup ? words + s->n_values : &c->key;

    *asked = (struct asked) { s, values, values_hash(values, s->n_values) };
    slab_map_prefetch_bucket(&s->nodes, asked->hash);
}

static size_t
node_memory(const struct shape *s)
{
    return sizeof(struct node) + s->n_values * sizeof(uint64_t);
}

static struct node *
get_node(struct questions *q, const struct asked *asked)
{
    struct shape *s = asked->shape;
    struct node *node = find_hashed(s, asked->values, asked->hash);

    if (!node) {
        node = slab_alloc(node_memory(s));
        node->items = (struct chain) { 0 };
        node->shape = slab_ref_to(s);
        node->changed = 0;
        memcpy(node->values, asked->values, s->n_values * sizeof node->values[0]);
        slab_map_insert(&s->nodes, &node->map_node, asked->hash);
        s->table->n_nodes++;
        q->n_nodes++;
    }
    return node;
}

static struct placed
place(struct node *n)
{
    const struct table *t = shape_of(n)->table;

    return (struct placed) { n, (63 - __builtin_clzll(t->n_nodes)) / 3, t->kind << 8 | t->id };
}

static int
compare_placed(const void *a_, const void *b_)
{
    const struct placed *a = a_, *b = b_;
    int order = a->class != b->class ? a->class - b->class : a->table - b->table;

    return order ? order : (uintptr_t) a->node < (uintptr_t) b->node ? -1 : a->node != b->node;
}

/* Mostly they are few, and qsort() would take memory and call for each comparison. */
static void
sort_placed(struct placed *placed, size_t n)
{
    enum { FEW = 24 };

    if (n > FEW) {
        qsort(placed, n, sizeof *placed, compare_placed);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct placed p = placed[i];
        size_t j = i;

        for (; j && compare_placed(&placed[j - 1], &p) > 0; j--) {
            placed[j] = placed[j - 1];
        }
        placed[j] = p;
    }
}

static void
reserve(struct questions *q, size_t n)
{
    while (q->asked_capacity < n) {
        q->asked = x2nrealloc(q->asked, &q->asked_capacity, sizeof *q->asked);
    }
    while (q->placed_capacity < n) {
        q->placed = x2nrealloc(q->placed, &q->placed_capacity, sizeof *q->placed);
    }
}

size_t
place_questions(struct questions *q, const struct xlate_consulted *consulted, size_t n_asked, const uint64_t *words,
                const struct placed **nodes)
{
    size_t n = 0;

    reserve(q, n_asked);
    *nodes = q->placed;
    for (size_t i = 0; i < n_asked; i++) {
        const struct xlate_consulted *c = &consulted[i];

        ask(q, c, c->kind == CONSULTED_TABLE ? words + c->table.at : NULL, &q->asked[i]);
    }
    for (size_t i = 0; i < n_asked; i++) {
        const struct shape *s = q->asked[i].shape;

        slab_map_prefetch_node(&s->nodes, q->asked[i].hash, node_memory(s));
    }
    for (size_t i = 0; i < n_asked; i++) {
        q->placed[i].node = get_node(q, &q->asked[i]);
    }
    /* Once all are there, so that one that was asked twice is of one class. */
    for (size_t i = 0; i < n_asked; i++) {
        q->placed[i] = place(q->placed[i].node);
    }
    sort_placed(q->placed, n_asked);
    for (size_t i = 0; i < n_asked; i++) {
        if (!n || q->placed[i].node != q->placed[n - 1].node) {
            q->placed[n++] = q->placed[i];
        }
    }
    return n;
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
    slab_map_uninit(&s->nodes);
    slab_free(s, shape_memory(word_map_count(&s->map)));
    t->recent = NULL;
    if (list_is_empty(&t->shapes)) {
        struct table **recent = recent_table(q, t->kind, t->id);

        *recent = *recent == t ? NULL : *recent;
        hmap_uninit(&t->shapes_by_mask);
        hmap_remove(&q->tables, &t->hmap_node);
        free(t);
    }
}

void
drop_node(struct questions *q, struct node *node)
{
    struct shape *s = shape_of(node);

    slab_map_remove(&s->nodes, &node->map_node);
    slab_free(node, node_memory(s));
    s->table->n_nodes--;
    q->n_nodes--;
    if (!slab_map_count(&s->nodes)) {
        drop_shape(q, s);
    }
}
