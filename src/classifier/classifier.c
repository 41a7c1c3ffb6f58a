#include "classifier/classifier.h"

#include <stdlib.h>

#include "base/hash.h"

/* Stages of a search: a subtable is left as soon as the fields looked at so far fit none of its rules, so that the
 * megaflow does not depend on later ones.  Each stage adds the lines (and words of line 0) that come with a layer. */
enum { STAGE_METADATA, STAGE_L2, STAGE_L3, STAGE_L4, N_STAGES };

struct cls_subtable {
    struct flow mask;
    struct word_map map;
    uint32_t mask_hash;
    int max_priority;                        /* Of the rules; higher while 'n_max' is 0. */
    size_t n_max;                            /* How many rules have it. */
    size_t n_rules;
    struct list in_order;                    /* struct cls_rule. */
    struct rcu_map rules;                    /* First struct cls_rule of each chain, by hash of values. */
    struct flow stage_masks[N_STAGES];       /* Cumulative: bits of 'mask' up to the stage. */
    struct word_map stage_maps[N_STAGES];
    bool stage_useful[N_STAGES];             /* Whether the stage has bits that the one before has not. */
    struct rcu_map stages[N_STAGES - 1];     /* struct stage_entry by hash of the values up to the stage. */
    _Atomic uint32_t n_refs;                 /* Of the classifier and of each rule until cls_rule_uninit(). */
};

/* How many rules share the values of the stages so far. */
struct stage_entry {
    uint32_t hash;
    size_t n;
};

struct cls_order {
    size_t n;
    struct cls_subtable *subtables[];
};

/* Addresses and ports of a connection belong to the layers of addresses and ports. */
static void
leave_out_tuple(struct flow *bits, int stage)
{
    if (stage < STAGE_L3) {
        bits->ct_nw_src = bits->ct_nw_dst = 0;
        memset(&bits->ct_ipv6_src, 0, sizeof bits->ct_ipv6_src);
        memset(&bits->ct_ipv6_dst, 0, sizeof bits->ct_ipv6_dst);
    }
    if (stage < STAGE_L4) {
        bits->ct_tp_src = bits->ct_tp_dst = 0;
    }
}

/* The bits of struct flow that a stage may look at beyond the stage before it. */
static void
stage_bits(struct flow *bits, int stage)
{
    memset(bits, 0, sizeof *bits);
    if (stage >= STAGE_METADATA) {
        memset(&bits->regs, 0xff, sizeof *bits - offsetof(struct flow, regs));
        memset(&bits->lines[2], 0xff, 7 * FLOW_LINE); /* Tunnel and connection tracking. */
        bits->in_port = bits->recirc_id = bits->ct_mark = bits->dp_hash = bits->pkt_mark = bits->skb_priority =
            BE32_MAX;
        bits->packet_ns = bits->ct_state = UINT8_MAX;
        bits->ct_zone = BE16_MAX;
        leave_out_tuple(bits, stage);
    }
    if (stage >= STAGE_L2) {
        memset(&bits->eth_dst, 0xff, offsetof(struct flow, nw_frag) - offsetof(struct flow, eth_dst));
        memset(&bits->mpls_lse, 0xff, FLOW_LINE);
    }
    if (stage >= STAGE_L3) {
        memset(&bits->nw_frag, 0xff, offsetof(struct flow, tp_src) - offsetof(struct flow, nw_frag));
        memset(&bits->lines[1], 0xff, FLOW_LINE);
    }
    if (stage >= STAGE_L4) {
        memset(bits, 0xff, sizeof *bits);
    }
}

static uint32_t
hash_words(const struct flow *flow, const struct flow *mask, const struct word_map *map)
{
    uint64_t h = 0;

    WORD_MAP_FOR_EACH (i, map) {
        h = (h ^ (flow_word(flow, i) & flow_word(mask, i))) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return h ^ h >> 29;
}

void
classifier_init(struct classifier *cls)
{
    memset(cls, 0, sizeof *cls);
}

static void
unref_subtable(void *st_)
{
    struct cls_subtable *st = st_;

    if (atomic_fetch_sub(&st->n_refs, 1) != 1) {
        return;
    }
    rcu_map_uninit(&st->rules);
    for (int i = 0; i < N_STAGES - 1; i++) {
        rcu_map_uninit(&st->stages[i]);
    }
    free(st);
}

void
classifier_uninit(struct classifier *cls)
{
    free(rcu_get_protected(&cls->order));
    rcu_map_uninit(&cls->subtables_by_mask);
}

/* The order. */

/* Sorts by falling highest priority; equals stay in order. */
static void
sort_order(struct cls_order *order)
{
    for (size_t i = 1; i < order->n; i++) {
        struct cls_subtable *st = order->subtables[i];
        size_t j = i;

        for (; j > 0 && order->subtables[j - 1]->max_priority < st->max_priority; j--) {
            order->subtables[j] = order->subtables[j - 1];
        }
        order->subtables[j] = st;
    }
}

/* Publishes the order anew, without 'gone' and with 'added' (null: none). */
static void
update_order(struct classifier *cls, const struct cls_subtable *gone, struct cls_subtable *added)
{
    struct cls_order *old = rcu_get_protected(&cls->order), *order;

    order = xmalloc(sizeof *order + ((old ? old->n : 0) + 1) * sizeof order->subtables[0]);
    order->n = 0;
    for (size_t i = 0; old && i < old->n; i++) {
        if (old->subtables[i] != gone) {
            order->subtables[order->n++] = old->subtables[i];
        }
    }
    if (added) {
        order->subtables[order->n++] = added;
    }
    sort_order(order);
    rcu_set(&cls->order, order);
    if (old) {
        rcu_defer(free, old);
    }
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
        if (!order->subtables[i]->n_max) {
            recount_priority(order->subtables[i]);
            changed = true;
        }
    }
    if (changed) {
        update_order(cls, NULL, NULL);
    }
}

/* Subtables. */

static struct cls_subtable *
find_subtable(const struct classifier *cls, const struct flow *mask, uint32_t hash)
{
    RCU_MAP_FOR_EACH_WITH_HASH (st, struct cls_subtable, hash, &cls->subtables_by_mask) {
        if (!memcmp(&st->mask, mask, sizeof *mask)) {
            return st;
        }
    }
    return NULL;
}

static struct cls_subtable *
create_subtable(struct classifier *cls, const struct flow *mask, uint32_t hash)
{
    struct cls_subtable *st = xzalloc_cacheline(sizeof *st);

    st->mask = *mask;
    st->map = word_map_of(mask);
    st->mask_hash = hash;
    st->max_priority = -1;
    for (int i = 0; i < N_STAGES; i++) {
        struct flow bits;

        stage_bits(&bits, i);
        flow_mask(&st->stage_masks[i], mask, &bits);
        st->stage_maps[i] = word_map_of(&st->stage_masks[i]);
        st->stage_useful[i] = i ? memcmp(&st->stage_masks[i], &st->stage_masks[i - 1], sizeof *mask) != 0
                                : word_map_count(&st->stage_maps[i]) != 0;
    }
    /* A stage is worth a table only if some later stage has more bits. */
    for (int i = 0; i < N_STAGES - 1; i++) {
        st->stage_useful[i] = st->stage_useful[i] && !word_map_equal(&st->stage_maps[i], &st->map);
    }
    list_init(&st->in_order);
    atomic_init(&st->n_refs, 1);
    rcu_map_insert(&cls->subtables_by_mask, st, hash);
    return st;
}

static void
destroy_subtable(struct classifier *cls, struct cls_subtable *st)
{
    rcu_map_remove(&cls->subtables_by_mask, st, st->mask_hash);
    update_order(cls, st, NULL);
    rcu_defer(unref_subtable, st);
}

static struct stage_entry *
find_stage(const struct cls_subtable *st, int stage, uint32_t hash)
{
    RCU_MAP_FOR_EACH_WITH_HASH (e, struct stage_entry, hash, &st->stages[stage]) {
        return e;
    }
    return NULL;
}

static void
count_stages(struct cls_subtable *st, const struct flow *flow, int delta)
{
    for (int i = 0; i < N_STAGES - 1; i++) {
        struct stage_entry *e;
        uint32_t hash;

        if (!st->stage_useful[i]) {
            continue;
        }
        hash = hash_words(flow, &st->stage_masks[i], &st->stage_maps[i]);
        e = find_stage(st, i, hash);
        if (!e) {
            e = xmalloc(sizeof *e);
            *e = (struct stage_entry) { .hash = hash };
            rcu_map_insert(&st->stages[i], e, hash);
        }
        e->n += delta;
        if (!e->n) {
            rcu_map_remove(&st->stages[i], e, hash);
            rcu_defer(free, e);
        }
    }
}

/* Rules. */

static bool
values_equal(const struct cls_subtable *st, const uint64_t *values, const struct flow *flow)
{
    size_t k = 0;

    WORD_MAP_FOR_EACH (i, &st->map) {
        if (values[k++] != (flow_word(flow, i) & flow_word(&st->mask, i))) {
            return false;
        }
    }
    return true;
}

/* First rule of the chain whose values are those of 'flow'. */
static struct cls_rule *
find_chain(const struct cls_subtable *st, const struct flow *flow, uint32_t hash)
{
    RCU_MAP_FOR_EACH_WITH_HASH (head, struct cls_rule, hash, &st->rules) {
        if (values_equal(st, head->values, flow)) {
            return head;
        }
    }
    return NULL;
}

static void
link_rule(struct cls_subtable *st, struct cls_rule *rule, const struct flow *flow)
{
    struct cls_rule *head = find_chain(st, flow, rule->hash), *at = head;

    if (!head) {
        rcu_map_insert(&st->rules, rule, rule->hash);
    } else if (head->priority < rule->priority) {
        rcu_set(&rule->next, head);
        rcu_map_replace(&st->rules, head, rule, rule->hash);
    } else {
        for (struct cls_rule *next; (next = rcu_get_protected(&at->next)) && next->priority >= rule->priority;) {
            at = next;
        }
        rcu_set(&rule->next, rcu_get_protected(&at->next));
        rcu_set(&at->next, rule);
    }
}

void
classifier_insert(struct classifier *cls, struct cls_rule *rule, const struct match *match, int priority,
                  uint64_t version)
{
    uint32_t mask_hash = hash_bytes(&match->mask, sizeof match->mask, 0);
    struct cls_subtable *st = find_subtable(cls, &match->mask, mask_hash);
    bool is_new = !st;
    size_t k = 0;

    if (is_new) {
        st = create_subtable(cls, &match->mask, mask_hash);
    }
    *rule = (struct cls_rule) { .subtable = st, .map = st->map, .priority = priority };
    atomic_store_explicit(&rule->add_version, version, memory_order_relaxed);
    atomic_store_explicit(&rule->remove_version, CLS_MAX_VERSION, memory_order_relaxed);
    rule->values = xmalloc(word_map_count(&st->map) * sizeof *rule->values);
    WORD_MAP_FOR_EACH (i, &st->map) {
        rule->values[k++] = flow_word(&match->flow, i) & flow_word(&st->mask, i);
    }
    rule->hash = hash_words(&match->flow, &st->mask, &st->map);
    atomic_fetch_add_explicit(&st->n_refs, 1, memory_order_relaxed);
    count_stages(st, &match->flow, 1);
    link_rule(st, rule, &match->flow);
    list_push_back(&st->in_order, &rule->in_order);
    st->n_rules++;
    cls->n_rules++;
    if (priority > st->max_priority) {
        st->max_priority = priority;
        st->n_max = 1;
        update_order(cls, NULL, is_new ? st : NULL);
    } else if (priority == st->max_priority) {
        st->n_max++;
    }
}

void
cls_rule_hide(struct cls_rule *rule, uint64_t version)
{
    atomic_store_explicit(&rule->remove_version, version, memory_order_relaxed);
}

void
cls_rule_unhide(struct cls_rule *rule)
{
    cls_rule_hide(rule, CLS_MAX_VERSION);
}

void
cls_rule_get_match(const struct cls_rule *rule, struct match *m)
{
    size_t k = 0;

    match_init_catchall(m);
    m->mask = rule->subtable->mask;
    WORD_MAP_FOR_EACH (i, &rule->map) {
        *flow_word_ptr(&m->flow, i) = rule->values[k++];
    }
}

void
classifier_remove(struct classifier *cls, struct cls_rule *rule)
{
    struct cls_subtable *st = rule->subtable;
    struct cls_rule *next = rcu_get_protected(&rule->next), *head;
    struct match m;

    cls_rule_get_match(rule, &m);
    head = find_chain(st, &m.flow, rule->hash);
    if (head == rule && next) {
        rcu_map_replace(&st->rules, rule, next, rule->hash);
    } else if (head == rule) {
        rcu_map_remove(&st->rules, rule, rule->hash);
    } else {
        while (rcu_get_protected(&head->next) != rule) {
            head = rcu_get_protected(&head->next);
        }
        rcu_set(&head->next, next);
    }
    count_stages(st, &m.flow, -1);
    list_remove(&rule->in_order);
    st->n_max -= rule->priority == st->max_priority;
    cls->n_rules--;
    if (!--st->n_rules) {
        destroy_subtable(cls, st);
    }
}

void
cls_rule_uninit(struct cls_rule *rule)
{
    if (rule->subtable) {
        unref_subtable(rule->subtable);
    }
    free(rule->values);
}

/* Search. */

static void
add_wildcards(struct flow *wc, const struct flow *mask, const struct word_map *map)
{
    if (wc) {
        WORD_MAP_FOR_EACH (i, map) {
            *flow_word_ptr(wc, i) |= flow_word(mask, i);
        }
    }
}

/* Whether some rule of 'st' may match 'flow'; if not, adds the bits that told. */
static bool
stages_pass(const struct cls_subtable *st, const struct flow *flow, struct flow *wc)
{
    for (int i = 0; i < N_STAGES - 1; i++) {
        if (st->stage_useful[i] &&
            !find_stage(st, i, hash_words(flow, &st->stage_masks[i], &st->stage_maps[i]))) {
            add_wildcards(wc, &st->stage_masks[i], &st->stage_maps[i]);
            return false;
        }
    }
    return true;
}

static struct cls_rule *
search_subtable(const struct cls_subtable *st, uint64_t version, const struct flow *flow, struct flow *wc)
{
    struct cls_rule *rule;

    if (!stages_pass(st, flow, wc)) {
        return NULL;
    }
    add_wildcards(wc, &st->mask, &st->map);
    rule = find_chain(st, flow, hash_words(flow, &st->mask, &st->map));
    while (rule && !cls_rule_visible(rule, version)) {
        rule = rcu_get(&rule->next);
    }
    return rule;
}

struct cls_rule *
classifier_lookup_rcu(const struct classifier *cls, uint64_t version, const struct flow *flow, struct flow *wc)
{
    const struct cls_order *order = rcu_get(&cls->order);
    struct cls_rule *best = NULL;

    for (size_t i = 0; order && i < order->n; i++) {
        const struct cls_subtable *st = order->subtables[i];
        struct cls_rule *rule;

        if (best && st->max_priority <= best->priority) {
            break;
        }
        rule = search_subtable(st, version, flow, wc);
        if (rule && (!best || rule->priority > best->priority)) {
            best = rule;
        }
    }
    return best;
}

void
classifier_for_each_match_rcu(const struct classifier *cls, uint64_t version, const struct flow *flow,
                              struct flow *wc, void (*cb)(void *aux, struct cls_rule *), void *aux)
{
    const struct cls_order *order = rcu_get(&cls->order);

    for (size_t i = 0; order && i < order->n; i++) {
        struct cls_rule *rule = search_subtable(order->subtables[i], version, flow, wc);

        for (; rule; rule = rcu_get(&rule->next)) {
            if (cls_rule_visible(rule, version)) {
                cb(aux, rule);
            }
        }
    }
}

struct cls_rule *
classifier_find(const struct classifier *cls, const struct match *match, int priority, uint64_t version)
{
    struct cls_subtable *st = find_subtable(cls, &match->mask, hash_bytes(&match->mask, sizeof match->mask, 0));
    struct cls_rule *rule = st ? find_chain(st, &match->flow, hash_words(&match->flow, &st->mask, &st->map)) : NULL;

    while (rule && (rule->priority != priority || !cls_rule_visible(rule, version))) {
        rule = rcu_get(&rule->next);
    }
    return rule;
}

bool
classifier_overlaps(const struct classifier *cls, const struct match *match, int priority, uint64_t version)
{
    RCU_MAP_FOR_EACH (st, struct cls_subtable, &cls->subtables_by_mask) {
        RCU_MAP_FOR_EACH (head, struct cls_rule, &st->rules) {
            for (struct cls_rule *rule = head; rule; rule = rcu_get(&rule->next)) {
                struct match m;

                if (rule->priority == priority && cls_rule_visible(rule, version)) {
                    cls_rule_get_match(rule, &m);
                    if (match_overlaps(&m, match)) {
                        return true;
                    }
                }
            }
        }
    }
    return false;
}

/* All words of 'values' that 'criteria' fixes have its values.  The subtable's mask covers the criteria's. */
static bool
rule_is_inside(const struct cls_rule *rule, const struct match *criteria)
{
    size_t k = 0;

    WORD_MAP_FOR_EACH (i, &rule->map) {
        if ((rule->values[k++] ^ flow_word(&criteria->flow, i)) & flow_word(&criteria->mask, i)) {
            return false;
        }
    }
    return true;
}

static void
append(struct cls_rule ***rules, size_t *n, size_t *capacity, struct cls_rule *rule)
{
    if (*n == *capacity) {
        *rules = x2nrealloc(*rules, capacity, sizeof **rules);
    }
    (*rules)[(*n)++] = rule;
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
        const struct cls_subtable *st = order->subtables[i];

        if (criteria && !flow_mask_is_subset(&criteria->mask, &st->mask)) {
            continue;
        }
        LIST_FOR_EACH (rule, struct cls_rule, in_order, &st->in_order) {
            if (cls_rule_visible(rule, version) && (!criteria || rule_is_inside(rule, criteria))) {
                append(&found, &n, &capacity, rule);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        cb(aux, found[i]);
    }
    free(found);
}
