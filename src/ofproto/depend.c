#include "ofproto/depend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/hmap.h"

enum { LOG_SIZE = 1024, MAX_COMPARISONS = 1 << 20 };

/* One question. */
struct node {
    struct hmap_node hmap_node; /* In group->nodes or depend->keys. */
    struct list links;          /* struct depend_link. */
    struct shape *group;        /* Null: something with a key. */
    const struct xbridge *bridge;
    enum xlate_consulted_kind kind;
    uint64_t key;
    uint64_t values[];          /* A word for each of the group's map. */
};

struct depend_link {
    struct list by_node;
    struct dependent *dependent;
    struct node *node;
};

/* The lookups of one table that asked for the same bits. */
struct shape {
    struct list in_table;
    struct table *table;
    struct word_map map;
    struct hmap nodes;
    uint64_t masks[];
};

struct table {
    struct hmap_node hmap_node; /* In depend->tables. */
    const struct xbridge *bridge;
    uint8_t id;
    struct list groups;
};

enum change_kind { CHANGED_ALL, CHANGED_KEY, CHANGED_KIND, CHANGED_TABLE, CHANGED_RULE };
struct change {
    enum change_kind kind;
    const struct xbridge *bridge;
    uint8_t table_id;
    enum xlate_consulted_kind key_kind;
    uint64_t key;               /* CHANGED_KEY; CHANGED_KIND: all of 'key_kind'. */
    struct word_map map;
    uint64_t *words;            /* CHANGED_RULE: masks, then values; owned. */
};

struct depend {
    pthread_mutex_t mutex;      /* Guards all below. */
    depend_mark_func *mark;
    struct hmap tables, keys;
    struct list all, stale;
    size_t n_dependents, n_nodes, n_stale;
    _Atomic uint64_t seq;       /* Changes so far. */
    _Atomic uint64_t settled;   /* Of those, the ones looked at. */
    _Atomic size_t n_soft;      /* Stale, not hard. */
    size_t comparisons_left;    /* Of this settling. */
    struct change log[LOG_SIZE]; /* The last ones: number N is at N % LOG_SIZE, the first is number 1. */
};

struct depend *
depend_create(depend_mark_func *mark)
{
    struct depend *d = xzalloc(sizeof *d);

    pthread_mutex_init(&d->mutex, NULL);
    d->mark = mark;
    hmap_init(&d->tables);
    hmap_init(&d->keys);
    list_init(&d->all);
    list_init(&d->stale);
    return d;
}

void
depend_destroy(struct depend *d)
{
    hmap_uninit(&d->tables);
    hmap_uninit(&d->keys);
    for (int i = 0; i < LOG_SIZE; i++) {
        free(d->log[i].words);
    }
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

uint64_t
depend_seq(const struct depend *d)
{
    return atomic_load(&((struct depend *) d)->seq);
}

void
dependent_init(struct dependent *dep)
{
    memset(dep, 0, sizeof *dep);
    list_init(&dep->node);
    list_init(&dep->stale_node);
}

/* Nodes. */

static uint32_t
key_hash(const struct xbridge *bridge, enum xlate_consulted_kind kind, uint64_t key)
{
    return hash_u64(key, hash_pointer(bridge, kind));
}

static uint32_t
table_hash(const struct xbridge *bridge, uint8_t id)
{
    return hash_pointer(bridge, id);
}

static uint32_t
values_hash(const uint64_t *values, size_t n)
{
    return hash_bytes(values, n * sizeof *values, 0);
}

static struct node *
find_key(const struct depend *d, const struct xbridge *bridge, enum xlate_consulted_kind kind, uint64_t key)
{
    HMAP_FOR_EACH_WITH_HASH (n, struct node, hmap_node, key_hash(bridge, kind, key), &d->keys) {
        if (n->bridge == bridge && n->kind == kind && n->key == key) {
            return n;
        }
    }
    return NULL;
}

static struct table *
find_table(const struct depend *d, const struct xbridge *bridge, uint8_t id)
{
    HMAP_FOR_EACH_WITH_HASH (t, struct table, hmap_node, table_hash(bridge, id), &d->tables) {
        if (t->bridge == bridge && t->id == id) {
            return t;
        }
    }
    return NULL;
}

static struct node *
find_in_group(const struct shape *g, const uint64_t *values)
{
    size_t n = word_map_count(&g->map);

    HMAP_FOR_EACH_WITH_HASH (node, struct node, hmap_node, values_hash(values, n), &g->nodes) {
        if (!memcmp(node->values, values, n * sizeof *values)) {
            return node;
        }
    }
    return NULL;
}

static struct node *
make_node(struct depend *d, const struct xbridge *bridge, size_t n_words)
{
    struct node *node = xzalloc(sizeof *node + n_words * sizeof node->values[0]);

    node->bridge = bridge;
    list_init(&node->links);
    d->n_nodes++;
    return node;
}

static struct node *
get_key(struct depend *d, const struct xlate_consulted *c)
{
    struct node *node = find_key(d, c->bridge, c->kind, c->key);

    if (!node) {
        node = make_node(d, c->bridge, 0);
        node->kind = c->kind;
        node->key = c->key;
        hmap_insert(&d->keys, &node->hmap_node, key_hash(c->bridge, c->kind, c->key));
    }
    return node;
}

static struct table *
get_table(struct depend *d, const struct xbridge *bridge, uint8_t id)
{
    struct table *t = find_table(d, bridge, id);

    if (!t) {
        t = xzalloc(sizeof *t);
        t->bridge = bridge;
        t->id = id;
        list_init(&t->groups);
        hmap_insert(&d->tables, &t->hmap_node, table_hash(bridge, id));
    }
    return t;
}

static struct shape *
get_group(struct table *t, const struct word_map *map, const uint64_t *masks)
{
    size_t size = word_map_count(map) * sizeof *masks;
    struct shape *g;

    LIST_FOR_EACH (i, struct shape, in_table, &t->groups) {
        if (word_map_equal(&i->map, map) && !memcmp(i->masks, masks, size)) {
            return i;
        }
    }
    g = xzalloc(sizeof *g + size);
    g->table = t;
    g->map = *map;
    memcpy(g->masks, masks, size);
    hmap_init(&g->nodes);
    list_push_back(&t->groups, &g->in_table);
    return g;
}

static struct node *
get_lookup(struct depend *d, const struct xlate_consulted *c, const uint64_t *words)
{
    size_t n = word_map_count(&c->table.map);
    struct shape *g = get_group(get_table(d, c->bridge, c->table.id), &c->table.map, words);
    const uint64_t *values = words + n;
    struct node *node = find_in_group(g, values);

    if (!node) {
        node = make_node(d, c->bridge, n);
        node->group = g;
        memcpy(node->values, values, n * sizeof *values);
        hmap_insert(&g->nodes, &node->hmap_node, values_hash(values, n));
    }
    return node;
}

static void
drop_group(struct depend *d, struct shape *g)
{
    struct table *t = g->table;

    list_remove(&g->in_table);
    hmap_uninit(&g->nodes);
    free(g);
    if (list_is_empty(&t->groups)) {
        hmap_remove(&d->tables, &t->hmap_node);
        free(t);
    }
}

static void
drop_node(struct depend *d, struct node *node)
{
    struct shape *g = node->group;

    hmap_remove(g ? &g->nodes : &d->keys, &node->hmap_node);
    free(node);
    d->n_nodes--;
    if (g && !hmap_count(&g->nodes)) {
        drop_group(d, g);
    }
}

/* Marking. */

static void
mark(struct depend *d, struct dependent *dep, bool is_hard)
{
    if (!dep->is_stale) {
        dep->is_stale = true;
        list_push_back(&d->stale, &dep->stale_node);
        d->n_stale++;
        d->n_soft += !is_hard;
        dep->is_hard = is_hard;
    } else if (is_hard && !dep->is_hard) {
        dep->is_hard = true;
        d->n_soft--;
    } else {
        return;
    }
    if (is_hard) {
        d->mark(dep, true);
    }
}

static void
unmark(struct depend *d, struct dependent *dep)
{
    if (dep->is_stale) {
        d->n_stale--;
        d->n_soft -= !dep->is_hard;
        list_remove(&dep->stale_node);
        dep->is_stale = dep->is_hard = false;
    }
}

static void
mark_node(struct depend *d, struct node *node)
{
    LIST_FOR_EACH (link, struct depend_link, by_node, &node->links) {
        mark(d, link->dependent, true);
    }
}

/* Changes and nodes. */

/* Where the rule's mask has every bit that the group's lookups asked for, at most one of them can match it: its values
 * are put into 'values'. */
static bool
covers_group(const struct change *c, const struct shape *g, uint64_t *values)
{
    const uint64_t *masks = c->words, *rule_values = masks + word_map_count(&c->map);
    unsigned int at = 0, at_rule = 0;

    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        bool in_rule = c->map.bits[i / 64] >> i % 64 & 1;

        if (g->map.bits[i / 64] >> i % 64 & 1) {
            if (!in_rule || g->masks[at] & ~masks[at_rule]) {
                return false;
            }
            values[at] = rule_values[at_rule] & g->masks[at];
            at++;
        }
        at_rule += in_rule;
    }
    return true;
}

/* The bits that both ask for, and the rule's values of them; the number of such words. */
static unsigned int
common_words(const struct change *c, const struct word_map *map, const uint64_t *masks, unsigned int *index,
             uint64_t *bits, uint64_t *values)
{
    const uint64_t *rule_masks = c->words, *rule_values = rule_masks + word_map_count(&c->map);
    unsigned int at = 0, at_rule = 0, n = 0;

    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        bool in_rule = c->map.bits[i / 64] >> i % 64 & 1, in_node = map->bits[i / 64] >> i % 64 & 1;

        if (in_rule && in_node) {
            index[n] = at;
            bits[n] = masks[at] & rule_masks[at_rule];
            values[n] = rule_values[at_rule] & bits[n];
            n++;
        }
        at += in_node;
        at_rule += in_rule;
    }
    return n;
}

static bool
agree(const uint64_t *node_values, unsigned int n, const unsigned int *index, const uint64_t *bits,
      const uint64_t *values)
{
    for (unsigned int i = 0; i < n; i++) {
        if ((node_values[index[i]] & bits[i]) != values[i]) {
            return false;
        }
    }
    return true;
}

static void
scan_group(struct depend *d, const struct change *c, struct shape *g)
{
    uint64_t bits[FLOW_N_WORDS], values[FLOW_N_WORDS];
    unsigned int index[FLOW_N_WORDS];
    unsigned int n = common_words(c, &g->map, g->masks, index, bits, values);
    bool all = d->comparisons_left < hmap_count(&g->nodes);

    d->comparisons_left -= all ? 0 : hmap_count(&g->nodes);
    HMAP_FOR_EACH (node, struct node, hmap_node, &g->nodes) {
        if (all || agree(node->values, n, index, bits, values)) {
            mark_node(d, node);
        }
    }
}

static void
settle_rule(struct depend *d, const struct change *c, struct shape *g)
{
    uint64_t values[FLOW_N_WORDS];

    if (covers_group(c, g, values)) {
        struct node *node = find_in_group(g, values);

        if (node) {
            mark_node(d, node);
        }
    } else {
        scan_group(d, c, g);
    }
}

static void
settle_table(struct depend *d, const struct change *c)
{
    const struct table *t = find_table(d, c->bridge, c->table_id);

    if (!t) {
        return;
    }
    LIST_FOR_EACH (g, struct shape, in_table, &t->groups) {
        if (c->kind == CHANGED_RULE) {
            settle_rule(d, c, g);
        } else {
            HMAP_FOR_EACH (node, struct node, hmap_node, &g->nodes) {
                mark_node(d, node);
            }
        }
    }
}

static void
settle_one(struct depend *d, const struct change *c)
{
    struct node *node;

    switch (c->kind) {
    case CHANGED_ALL:
        if (d->n_stale < d->n_dependents) {
            LIST_FOR_EACH (dep, struct dependent, node, &d->all) {
                mark(d, dep, false);
            }
        }
        break;
    case CHANGED_KEY:
        node = find_key(d, c->bridge, c->key_kind, c->key);
        if (node) {
            mark_node(d, node);
        }
        break;
    case CHANGED_KIND:
        HMAP_FOR_EACH (n, struct node, hmap_node, &d->keys) {
            if (n->bridge == c->bridge && n->kind == c->key_kind) {
                mark_node(d, n);
            }
        }
        break;
    case CHANGED_TABLE:
    case CHANGED_RULE:
        settle_table(d, c);
        break;
    }
}

static void
settle_locked(struct depend *d)
{
    uint64_t end = atomic_load(&d->seq);

    d->comparisons_left = MAX_COMPARISONS;
    for (uint64_t i = atomic_load(&d->settled); i < end; i++) {
        settle_one(d, &d->log[(i + 1) % LOG_SIZE]);
    }
    atomic_store(&d->settled, end);
}

void
depend_settle(struct depend *d)
{
    if (atomic_load(&d->settled) != atomic_load(&d->seq)) {
        pthread_mutex_lock(&d->mutex);
        settle_locked(d);
        pthread_mutex_unlock(&d->mutex);
    }
}

/* Whether the change may alter the answer to the question. */
static bool
concerns(const struct change *c, const struct xlate_consulted *asked, const uint64_t *words)
{
    uint64_t bits[FLOW_N_WORDS], values[FLOW_N_WORDS];
    unsigned int index[FLOW_N_WORDS], n;

    if (c->kind == CHANGED_ALL) {
        return true;
    }
    if (c->bridge != asked->bridge) {
        return false;
    }
    if (c->kind == CHANGED_KEY || c->kind == CHANGED_KIND) {
        return c->key_kind == asked->kind && (c->kind == CHANGED_KIND || c->key == asked->key);
    }
    if (asked->kind != CONSULTED_TABLE || c->table_id != asked->table.id || c->kind == CHANGED_TABLE) {
        return asked->kind == CONSULTED_TABLE && c->table_id == asked->table.id;
    }
    n = common_words(c, &asked->table.map, words, index, bits, values);
    return agree(words + word_map_count(&asked->table.map), n, index, bits, values);
}

/* Whether something that 'out' consulted has changed since 'seq'. */
static bool
has_changed_since(const struct depend *d, const struct xlate_out *out, uint64_t seq)
{
    uint64_t now = atomic_load(&((struct depend *) d)->seq);

    if (now - seq >= LOG_SIZE) {
        return true;
    }
    for (uint64_t i = seq + 1; i <= now; i++) {
        const struct change *c = &d->log[i % LOG_SIZE];

        if (c->kind == CHANGED_ALL) {
            return true;
        }
        for (size_t k = 0; k < out->n_consulted; k++) {
            const struct xlate_consulted *asked = &out->consulted[k];

            if (concerns(c, asked, asked->kind == CONSULTED_TABLE ? out->words + asked->table.at : NULL)) {
                return true;
            }
        }
    }
    return false;
}

/* Attaching. */

static void
drop_links(struct depend *d, struct dependent *dep)
{
    for (size_t i = 0; i < dep->n_links; i++) {
        struct node *node = dep->links[i].node;

        list_remove(&dep->links[i].by_node);
        if (list_is_empty(&node->links)) {
            drop_node(d, node);
        }
    }
    free(dep->links);
    dep->links = NULL;
    dep->n_links = 0;
}

void
depend_attach(struct depend *d, struct dependent *dep, const struct xlate_out *out, uint64_t seq)
{
    struct depend_link *links = xcalloc(out->n_consulted, sizeof *links);

    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < out->n_consulted; i++) {
        const struct xlate_consulted *c = &out->consulted[i];
        struct node *node = c->kind == CONSULTED_TABLE ? get_lookup(d, c, out->words + c->table.at) : get_key(d, c);

        links[i].node = node;
        links[i].dependent = dep;
        list_push_back(&node->links, &links[i].by_node);
    }
    if (list_is_empty(&dep->node)) {
        list_push_back(&d->all, &dep->node);
        d->n_dependents++;
    }
    drop_links(d, dep);
    dep->links = links;
    dep->n_links = out->n_consulted;
    unmark(d, dep);
    if (has_changed_since(d, out, seq)) {
        mark(d, dep, true);
    } else {
        d->mark(dep, false);
    }
    pthread_mutex_unlock(&d->mutex);
}

void
depend_detach(struct depend *d, struct dependent *dep)
{
    pthread_mutex_lock(&d->mutex);
    unmark(d, dep);
    drop_links(d, dep);
    if (!list_is_empty(&dep->node)) {
        list_remove(&dep->node);
        d->n_dependents--;
    }
    pthread_mutex_unlock(&d->mutex);
}

/* Changes. */

/* Takes over c.words. */
static void
log_change(struct depend *d, struct change c)
{
    struct change *slot;
    uint64_t seq;

    pthread_mutex_lock(&d->mutex);
    seq = atomic_load(&d->seq);
    if (seq - atomic_load(&d->settled) >= LOG_SIZE) {
        settle_locked(d);
    }
    slot = &d->log[(seq + 1) % LOG_SIZE];
    free(slot->words);
    *slot = c;
    atomic_store(&d->seq, seq + 1);
    pthread_mutex_unlock(&d->mutex);
}

void
depend_rule_changed(struct depend *d, const struct xbridge *bridge, uint8_t table_id, const struct cls_rule *rule)
{
    struct change c = { .kind = CHANGED_RULE, .bridge = bridge, .table_id = table_id };
    struct match m;
    size_t n = 0;

    cls_rule_get_match(rule, &m);
    m.mask.conj_id = 0; /* Never part of a question. */
    m.flow.conj_id = 0;
    c.map = word_map_of(&m.mask);
    c.words = xcalloc(2 * word_map_count(&c.map), sizeof *c.words);
    WORD_MAP_FOR_EACH (i, &c.map) {
        c.words[n++] = flow_word(&m.mask, i);
    }
    WORD_MAP_FOR_EACH (i, &c.map) {
        c.words[n++] = flow_word(&m.flow, i);
    }
    log_change(d, c);
}

void
depend_table_changed(struct depend *d, const struct xbridge *bridge, uint8_t table_id)
{
    log_change(d, (struct change) { .kind = CHANGED_TABLE, .bridge = bridge, .table_id = table_id });
}

void
depend_key_changed(struct depend *d, const struct xbridge *bridge, enum xlate_consulted_kind kind, uint64_t key)
{
    log_change(d, (struct change) { .kind = CHANGED_KEY, .bridge = bridge, .key_kind = kind, .key = key });
}

void
depend_kind_changed(struct depend *d, const struct xbridge *bridge, enum xlate_consulted_kind kind)
{
    log_change(d, (struct change) { .kind = CHANGED_KIND, .bridge = bridge, .key_kind = kind });
}

void
depend_mac_changed(struct depend *d, const struct xbridge *bridge, struct eth_addr mac, uint16_t vlan)
{
    depend_key_changed(d, bridge, CONSULTED_MAC, xlate_mac_key(mac, vlan));
}

void
depend_all_changed(struct depend *d)
{
    log_change(d, (struct change) { .kind = CHANGED_ALL });
}

struct dependent *
depend_pop_stale(struct depend *d, bool (*may_use)(struct dependent *))
{
    struct dependent *found = NULL;

    pthread_mutex_lock(&d->mutex);
    while (!found && !list_is_empty(&d->stale)) {
        struct dependent *dep = CONTAINER_OF(list_pop_front(&d->stale), struct dependent, stale_node);

        if (may_use(dep)) {
            found = dep;
        } else {
            unmark(d, dep);
        }
    }
    pthread_mutex_unlock(&d->mutex);
    return found;
}

bool
depend_is_soft(const struct depend *d)
{
    return atomic_load(&((struct depend *) d)->n_soft);
}

void
depend_get_stats(struct depend *d, struct depend_stats *stats)
{
    pthread_mutex_lock(&d->mutex);
    *stats = (struct depend_stats) { d->n_dependents, d->n_nodes, d->n_stale };
    pthread_mutex_unlock(&d->mutex);
}
