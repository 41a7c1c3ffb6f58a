/* The writer's side of the classifier. */
#include "classifier/classifier.h"

#include <stdlib.h>

#include "classifier/chain.h"
#include "classifier/order.h"

static const enum field_id default_prefixes[] = { FIELD_IP_DST, FIELD_IP_SRC, FIELD_IPV6_DST, FIELD_IPV6_SRC };

void
classifier_init(struct classifier *cls)
{
    memset(cls, 0, sizeof *cls);
    list_init(&cls->joints);
}

/* Tracked prefixes. */

bool
classifier_tracks(enum field_id id)
{
    switch (id) {
    case FIELD_TUN_ID: case FIELD_TUN_SRC: case FIELD_TUN_DST: case FIELD_TUN_IPV6_SRC: case FIELD_TUN_IPV6_DST:
    case FIELD_IP_SRC: case FIELD_IP_DST: case FIELD_IPV6_SRC: case FIELD_IPV6_DST: return true;
    default: return false;
    }
}

static void
init_tracked(struct cls_tracked *t, enum field_id id)
{
    const struct field *f = field_of(id);

    *t = (struct cls_tracked) {
        .field = id, .offset = f->offset / 8, .width = f->n_bits, .trie = xmalloc(sizeof *t->trie),
        .eth_type = f->prereq == PREREQ_IPV4 ? BE16(0x0800) : f->prereq == PREREQ_IPV6 ? BE16(0x86dd) : 0,
    };
    trie_init(t->trie, t->width);
    t->stage = f->prereq == PREREQ_NONE ? STAGE_METADATA : STAGE_L3;
}

/* The prefixes of a rule of 'st' enter (or leave) the tries. */
static void
update_tries(const struct cls_order *order, const struct cls_subtable *st, const struct cls_node *node, bool add)
{
    for (unsigned int i = 0; i < order->n_tracked; i++) {
        const struct cls_tracked *t = &order->tracked[i];
        unsigned int length = st->lengths[i];
        union trie_key key;

        if (length) {
            cls_tracked_node_key(t, st, node, &key);
            if (add) {
                trie_add(t->trie, &key, length);
            } else {
                trie_remove(t->trie, &key, length);
            }
        }
    }
}

static void
free_trie(void *t)
{
    trie_clear(t);
    free(t);
}

/* The order. */

static void
publish_order(struct classifier *cls, struct cls_order *order)
{
    struct cls_order *old = rcu_get_protected(&cls->order);

    cls_order_finish(order);
    rcu_set(&cls->order, order);
    if (old) {
        rcu_release(cls_order_free, old);
    }
}

/* Publishes the order anew, without 'gone' and with 'added' (null: none). */
static void
update_order(struct classifier *cls, const struct cls_subtable *gone, struct cls_subtable *added)
{
    const struct cls_order *old = rcu_get_protected(&cls->order);
    struct cls_order *order = cls_order_create(old->n + 1, old);

    for (size_t i = 0; i < old->n; i++) {
        if (old->entries[i].subtable != gone) {
            order->entries[order->n++] = old->entries[i];
        }
    }
    if (added) {
        cls_order_add(order, added);
    }
    publish_order(cls, order);
}

static void
recount_priority(struct cls_subtable *st)
{
    st->max_priority = -1;
    LIST_FOR_EACH (rule, struct cls_rule, in_order, &st->in_order) {
        if (rule->priority > st->max_priority) {
            st->max_priority = rule->priority;
            st->n_max = 0;
        }
        st->n_max += rule->priority == st->max_priority;
    }
}

/* The highest priorities of subtables are upper bounds between times: finding them anew costs a walk over the rules, so
 * it is left to those who walk over all rules anyway. */
static void
settle_order(struct classifier *cls)
{
    const struct cls_order *order = rcu_get_protected(&cls->order);
    bool changed = false;

    for (size_t i = 0; order && i < order->n; i++) {
        if (!order->entries[i].subtable->n_max) {
            recount_priority(order->entries[i].subtable);
            changed = true;
        }
    }
    if (changed) {
        update_order(cls, NULL, NULL);
    }
}

void
classifier_set_prefixes(struct classifier *cls, const enum field_id *ids, size_t n)
{
    const struct cls_order *old = rcu_get_protected(&cls->order);
    struct cls_tracked gone[CLS_MAX_PREFIXES];
    size_t n_gone = old ? old->n_tracked : 0;
    struct cls_order *order;

    if (old && n == old->n_tracked) {
        size_t same = 0;

        while (same < n && old->tracked[same].field == ids[same]) {
            same++;
        }
        if (same == n) {
            return;
        }
    }
    order = cls_order_create(old ? old->n : 0, NULL);
    for (size_t i = 0; i < n && i < CLS_MAX_PREFIXES; i++) {
        init_tracked(&order->tracked[order->n_tracked++], ids[i]);
    }
    memcpy(gone, old ? old->tracked : order->tracked, n_gone * sizeof gone[0]);
    for (size_t i = 0; old && i < old->n; i++) {
        cls_order_add(order, old->entries[i].subtable);
        LIST_FOR_EACH (rule, struct cls_rule, in_order, &old->entries[i].subtable->in_order) {
            update_tries(order, old->entries[i].subtable, rule->node, true);
        }
    }
    publish_order(cls, order);
    for (size_t i = 0; i < n_gone; i++) {
        rcu_defer(free_trie, gone[i].trie);
    }
}

void
classifier_use_default_prefixes(struct classifier *cls)
{
    classifier_set_prefixes(cls, default_prefixes, ARRAY_SIZE(default_prefixes));
}

void
classifier_uninit(struct classifier *cls)
{
    struct cls_order *order = rcu_get_protected(&cls->order);

    for (unsigned int i = 0; order && i < order->n_tracked; i++) {
        free(order->tracked[i].trie); /* Empty, since all rules are gone. */
    }
    cls_order_free(order);
    rcu_map_uninit(&cls->subtables_by_mask);
}

/* Rules. */

/* Rules come in rows with the same mask, so the last one's subtable is tried first. */
static struct cls_subtable *
find_subtable(const struct classifier *cls, const struct flow *mask, const struct word_map *map)
{
    if (cls->recent && cls_subtable_has_mask(cls->recent, mask, map)) {
        return cls->recent;
    }
    RCU_MAP_FOR_EACH_WITH_HASH (st, struct cls_subtable, cls_mask_hash(mask, map), &cls->subtables_by_mask) {
        if (cls_subtable_has_mask(st, mask, map)) {
            return st;
        }
    }
    return NULL;
}

static struct cls_subtable *
find_shape(const struct classifier *cls, const struct cls_shape *shape)
{
    if (cls->recent && cls_subtable_has_shape(cls->recent, shape)) {
        return cls->recent;
    }
    RCU_MAP_FOR_EACH_WITH_HASH (st, struct cls_subtable, shape->mask_hash, &cls->subtables_by_mask) {
        if (cls_subtable_has_shape(st, shape)) {
            return st;
        }
    }
    return NULL;
}

static struct cls_subtable *
add_subtable(struct classifier *cls, const struct cls_shape *shape)
{
    struct cls_subtable *st = cls_subtable_create(shape);

    if (!rcu_get_protected(&cls->order)) {
        classifier_use_default_prefixes(cls);
    }
    cls_joint_join(&cls->joints, rcu_get_protected(&cls->order), st);
    rcu_map_insert(&cls->subtables_by_mask, st, shape->mask_hash);
    cls_order_set_lengths(rcu_get_protected(&cls->order), st);
    return st;
}

/* Takes 'node'. */
static void
insert(struct classifier *cls, struct cls_subtable *st, struct cls_rule *rule, struct cls_node *node, uint64_t hash,
       int priority, uint64_t version)
{
    int old_max = st->max_priority;

    cls->recent = st;
    *rule = (struct cls_rule) { .priority = priority };
    cls_versions_begin(&rule->versions, version);
    update_tries(rcu_get_protected(&cls->order), st, node, true);
    cls_subtable_insert(st, rule, node, hash);
    cls->n_rules++;
    if (st->max_priority > old_max) {
        update_order(cls, NULL, old_max < 0 ? st : NULL); /* It is new if no rule was there. */
    }
}

void
classifier_insert(struct classifier *cls, struct cls_rule *rule, const struct match *match, int priority,
                  uint64_t version)
{
    struct word_map map = word_map_of(&match->mask);
    struct cls_subtable *st = find_subtable(cls, &match->mask, &map);
    struct cls_node *node;

    if (!st) {
        struct cls_shape *shape = cls_shape_create(&match->mask, &map, cls_mask_hash(&match->mask, &map));

        st = add_subtable(cls, shape);
        free(shape);
    }
    node = cls_node_create(st->words, st->n_words, st->n_values, &match->flow);
    insert(cls, st, rule, node, cls_node_hash(node, st->words, st->n_words), priority, version);
}

void
classifier_insert_ready(struct classifier *cls, struct cls_rule *rule, struct cls_ready *r, int priority,
                        uint64_t version)
{
    struct cls_subtable *st = find_shape(cls, r->shape);

    insert(cls, st ? st : add_subtable(cls, r->shape), rule, r->node, r->hash, priority, version);
    r->node = NULL;
}

void
cls_rule_hide(struct cls_rule *rule, uint64_t version)
{
    cls_versions_end(&rule->versions, version);
}

void
cls_rule_unhide(struct cls_rule *rule)
{
    cls_rule_hide(rule, CLS_MAX_VERSION);
}

void
cls_rule_get_match(const struct cls_rule *rule, struct match *m)
{
    match_init_catchall(m);
    cls_subtable_get_mask(rule->node->subtable, &m->mask);
    cls_node_get_flow(rule->node, &m->flow);
}

bool
cls_rule_is_catchall(const struct cls_rule *rule)
{
    return !rule->node->subtable->n_words;
}

void
classifier_remove(struct classifier *cls, struct cls_rule *rule)
{
    struct cls_subtable *st = rule->node->subtable;

    cls_subtable_remove(st, rule);
    if (!st->is_given_up) {
        update_tries(rcu_get_protected(&cls->order), st, rule->node, false);
    }
    cls->n_rules--;
    if (!st->n_rules && !st->is_given_up) {
        cls->recent = NULL;
        rcu_map_remove(&cls->subtables_by_mask, st, st->mask_hash);
        update_order(cls, st, NULL);
        cls_joint_leave(st);
        rcu_defer(cls_subtable_let_go, st);
    }
}

/* The order goes first: who has it still finds only rules that it cannot see. */
void
classifier_give_up_rules(struct classifier *cls)
{
    const struct cls_order *old = rcu_get_protected(&cls->order);
    struct cls_order *order;

    if (!old || !old->n) {
        return;
    }
    order = cls_order_create(0, old);
    for (size_t i = 0; i < old->n; i++) {
        struct cls_subtable *st = old->entries[i].subtable;

        rcu_map_remove(&cls->subtables_by_mask, st, st->mask_hash);
        st->is_given_up = true;
        trie_clear(&st->ports);
        cls_joint_leave(st);
        rcu_defer(cls_subtable_let_go, st);
    }
    for (unsigned int i = 0; i < order->n_tracked; i++) {
        trie_clear(order->tracked[i].trie);
    }
    cls->recent = NULL;
    publish_order(cls, order);
}

void
cls_rule_uninit(struct cls_rule *rule)
{
    cls_node_unref(rule->node);
}

/* The rule of a node (null: none) that is visible. */
static struct cls_rule *
find_in_node(const struct cls_node *node, int priority, uint64_t version)
{
    struct cls_rule *rule = node ? cls_chain_find(node, priority) : NULL;

    while (rule && rule->priority == priority && !cls_rule_visible(rule, version)) {
        rule = rcu_get_protected(&rule->next);
    }
    return rule && rule->priority == priority ? rule : NULL;
}

struct cls_rule *
classifier_find(const struct classifier *cls, const struct match *match, int priority, uint64_t version)
{
    struct word_map map = word_map_of(&match->mask);
    struct cls_subtable *st = find_subtable(cls, &match->mask, &map);
    uint64_t hash = st ? cls_hash(st, &match->flow, 0, st->n_words, 0) : 0;

    return find_in_node(st ? cls_subtable_find_rcu(st, &match->flow, hash) : NULL, priority, version);
}

struct cls_rule *
classifier_find_ready(const struct classifier *cls, const struct cls_ready *r, int priority, uint64_t version)
{
    struct cls_subtable *st = find_shape(cls, r->shape);

    return find_in_node(st ? cls_subtable_find_same_rcu(st, r->node, r->hash) : NULL, priority, version);
}

void
classifier_prefetch_ready(const struct classifier *cls, const struct cls_ready *r)
{
    const struct cls_subtable *st = find_shape(cls, r->shape);
    uint64_t hashes[N_STAGES];

    if (st) {
        cls_node_hash_stages(st, r->node, hashes);
        cls_subtable_prefetch_rcu(st, hashes);
    }
}

/* Walks. */

/* Whether some packet may match both: the values agree in all bits that 'match' and the subtable's mask have. */
static bool
node_overlaps(const struct cls_rule *rule, const struct match *match)
{
    const struct cls_subtable *st = rule->node->subtable;

    for (unsigned int i = 0; i < st->n_words; i++) {
        unsigned int w = st->words[i].index;

        uint64_t both = flow_word(&match->mask, w) & st->words[i].mask;

        if ((rule->node->values[st->words[i].place] ^ flow_word(&match->flow, w)) & both) {
            return false;
        }
    }
    return true;
}

bool
classifier_overlaps(const struct classifier *cls, const struct match *match, int priority, uint64_t version)
{
    const struct cls_order *order = rcu_get_protected(&((struct classifier *) cls)->order);

    for (size_t i = 0; order && i < order->n && order->entries[i].max_priority >= priority; i++) {
        LIST_FOR_EACH (rule, struct cls_rule, in_order, &order->entries[i].subtable->in_order) {
            if (rule->priority == priority && cls_rule_visible(rule, version) && node_overlaps(rule, match)) {
                return true;
            }
        }
    }
    return false;
}

static void
append(struct cls_rule ***rules, size_t *n, size_t *capacity, struct cls_rule *rule)
{
    if (*n == *capacity) {
        *rules = x2nrealloc(*rules, capacity, sizeof **rules);
    }
    (*rules)[(*n)++] = rule;
}

/* Whether the subtable's rules may lie inside the criteria: all bits that those fix are fixed by its mask. */
static bool
subtable_is_inside(const struct cls_subtable *st, const struct match *criteria)
{
    struct flow mask = { 0 };

    cls_subtable_get_mask(st, &mask);
    return flow_mask_is_subset(&criteria->mask, &mask);
}

void
classifier_for_each(struct classifier *cls, const struct match *criteria, uint64_t version,
                    void (*cb)(void *aux, struct cls_rule *), void *aux)
{
    const struct cls_order *order;
    struct cls_rule **found = NULL;
    size_t n = 0, capacity = 0;

    settle_order(cls);
    order = rcu_get_protected(&cls->order);
    /* Collected first, so that the callback may change the tables. */
    for (size_t i = 0; order && i < order->n; i++) {
        const struct cls_subtable *st = order->entries[i].subtable;

        if (criteria && !subtable_is_inside(st, criteria)) {
            continue;
        }
        LIST_FOR_EACH (rule, struct cls_rule, in_order, &st->in_order) {
            if (cls_rule_visible(rule, version) && (!criteria || node_overlaps(rule, criteria))) {
                append(&found, &n, &capacity, rule);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        cb(aux, found[i]);
    }
    free(found);
}

void
cls_cursor_init(struct cls_cursor *c, struct classifier *cls, const struct match *criteria, uint64_t version)
{
    const struct cls_order *order;

    settle_order(cls);
    order = rcu_get_protected(&cls->order);
    *c = (struct cls_cursor) { .criteria = criteria, .version = version };
    c->subtables = xmalloc((order ? order->n + 1 : 1) * sizeof *c->subtables);
    for (size_t i = 0; order && i < order->n; i++) {
        if (!criteria || subtable_is_inside(order->entries[i].subtable, criteria)) {
            c->subtables[c->n++] = order->entries[i].subtable;
        }
    }
    c->at = c->n ? &c->subtables[0]->in_order : NULL;
}

void
cls_cursor_uninit(struct cls_cursor *c)
{
    free(c->subtables);
}

bool
cls_cursor_step(struct cls_cursor *c, size_t n, void (*cb)(void *aux, struct cls_rule *), void *aux)
{
    while (n-- && c->i < c->n) {
        struct cls_rule *rule;

        c->at = c->at->next;
        if (c->at == &c->subtables[c->i]->in_order) {
            c->i++;
            c->at = c->i < c->n ? &c->subtables[c->i]->in_order : NULL;
            continue;
        }
        rule = CONTAINER_OF(c->at, struct cls_rule, in_order);
        if (cls_rule_visible(rule, c->version) && (!c->criteria || node_overlaps(rule, c->criteria))) {
            cb(aux, rule);
        }
    }
    return c->i < c->n;
}
