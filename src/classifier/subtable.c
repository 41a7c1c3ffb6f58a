#include "classifier/subtable.h"

#include <stdlib.h>

#include "base/hash.h"
#include "classifier/chain.h"
#include "classifier/joint.h"
#include "sys/slab.h"

/* Stages. */

/* Addresses and ports of a connection belong to the layers of addresses and ports. */
static void
leave_out_tuple(struct flow *bits, enum cls_stage stage)
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

static void
fill_stage_bits(struct flow *bits, enum cls_stage stage)
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

static struct flow stage_bits[N_STAGES];

__attribute__((constructor)) static void
init_stage_bits(void)
{
    for (int i = 0; i < N_STAGES; i++) {
        fill_stage_bits(&stage_bits[i], i);
    }
}

/* The bits of a word that come with a stage and not before. */
static uint64_t
stage_word(enum cls_stage stage, unsigned int index)
{
    return flow_word(&stage_bits[stage], index) & ~(stage ? flow_word(&stage_bits[stage - 1], index) : 0);
}

/* The mask. */

uint32_t
cls_mask_hash(const struct flow *mask, const struct word_map *map)
{
    uint64_t h = hash_add_word(map->bits[0], map->bits[1]);

    WORD_MAP_FOR_EACH (i, map) {
        h = hash_add_word(h, flow_word(mask, i));
    }
    return h;
}

bool
cls_words_have_mask(const struct cls_word *words, unsigned int n, const struct flow *mask, const struct word_map *map)
{
    WORD_MAP_FOR_EACH (i, map) {
        uint64_t mine = 0;

        for (unsigned int k = 0; k < n; k++) {
            mine |= words[k].index == i ? words[k].mask : 0;
        }
        if (mine != flow_word(mask, i)) {
            return false;
        }
    }
    return true;
}

bool
cls_subtable_has_mask(const struct cls_subtable *st, const struct flow *mask, const struct word_map *map)
{
    return word_map_equal(&st->map, map) && cls_words_have_mask(st->words, st->n_words, mask, map);
}

/* What the words are is a matter of the mask alone. */
bool
cls_subtable_has_shape(const struct cls_subtable *st, const struct cls_shape *shape)
{
    bool same = st->mask_hash == shape->mask_hash && st->n_words == shape->n_words;

    for (unsigned int i = 0; same && i < st->n_words; i++) {
        same = st->words[i].index == shape->words[i].index && st->words[i].mask == shape->words[i].mask;
    }
    return same;
}

void
cls_subtable_get_mask(const struct cls_subtable *st, struct flow *m)
{
    for (unsigned int i = 0; i < st->n_words; i++) {
        *flow_word_ptr(m, st->words[i].index) |= st->words[i].mask;
    }
}

void
cls_node_get_flow(const struct cls_node *node, struct flow *m)
{
    for (unsigned int i = 0; i < node->subtable->n_words; i++) {
        *flow_word_ptr(m, node->subtable->words[i].index) |= node->values[node->subtable->words[i].place];
    }
}

void
cls_node_get_words(const struct cls_subtable *st, const struct cls_node *node, unsigned int first, unsigned int n,
                   uint64_t *words)
{
    memset(words, 0, n * sizeof *words);
    for (unsigned int i = 0; i < st->n_words; i++) {
        if (st->words[i].index - first < n) {
            words[st->words[i].index - first] |= node->values[st->words[i].place];
        }
    }
}

static unsigned int
count_words(const struct flow *mask, const struct word_map *map)
{
    unsigned int n = 0;

    for (int stage = 0; stage < N_STAGES; stage++) {
        WORD_MAP_FOR_EACH (i, map) {
            n += (flow_word(mask, i) & stage_word(stage, i)) != 0;
        }
    }
    return n;
}

/* The place of the values of a word: that of the same one among those before, or a new one. */
static unsigned int
find_place(const struct cls_shape *shape, unsigned int n, unsigned int index)
{
    for (unsigned int k = 0; k < n; k++) {
        if (shape->words[k].index == index) {
            return shape->words[k].place;
        }
    }
    return shape->n_values;
}

struct cls_shape *
cls_shape_create(const struct flow *mask, const struct word_map *map, uint32_t mask_hash)
{
    unsigned int n_words = count_words(mask, map), k = 0;
    struct cls_shape *shape = xzalloc(sizeof *shape + n_words * sizeof shape->words[0]);

    shape->map = *map;
    shape->mask_hash = mask_hash;
    shape->n_words = n_words;
    for (int stage = 0; stage < N_STAGES; stage++) {
        WORD_MAP_FOR_EACH (i, map) {
            uint64_t bits = flow_word(mask, i) & stage_word(stage, i);

            if (bits) {
                shape->words[k] = (struct cls_word) { bits, i, find_place(shape, k, i) };
                shape->n_values += shape->words[k++].place == shape->n_values;
            }
        }
        shape->ends[stage] = k;
    }
    shape->ports_mask = (uint32_t) be16_to_cpu(mask->tp_src) << 16 | be16_to_cpu(mask->tp_dst);
    return shape;
}

static size_t
subtable_size(unsigned int n_words)
{
    return ROUND_UP(sizeof(struct cls_subtable) + n_words * sizeof(struct cls_word), CACHE_LINE);
}

struct cls_subtable *
cls_subtable_create(const struct cls_shape *shape)
{
    size_t words = shape->n_words * sizeof shape->words[0];
    struct cls_subtable *st = slab_zalloc(subtable_size(shape->n_words));

    st->map = shape->map;
    st->mask_hash = shape->mask_hash;
    st->ports_mask = shape->ports_mask;
    st->max_priority = -1;
    st->n_words = shape->n_words;
    st->n_values = shape->n_values;
    memcpy(st->ends, shape->ends, sizeof st->ends);
    memcpy(st->words, shape->words, words);
    trie_init(&st->ports, 32);
    list_init(&st->in_order);
    atomic_init(&st->n_refs, 0);
    return st;
}

/* Hashes. */

static struct cls_node *
slot_node(uint64_t slot)
{
    return (struct cls_node *) (slot & ((UINT64_C(1) << SLOT_TAG_SHIFT) - 1));
}

uint64_t
cls_node_hash(const struct cls_node *node, const struct cls_word *words, unsigned int n_words)
{
    uint64_t h = 0;

    for (unsigned int k = 0; k < n_words; k++) {
        h = hash_add_word(h, node->values[words[k].place] & words[k].mask);
    }
    return h;
}

void
cls_node_hash_stages(const struct cls_subtable *st, const struct cls_node *node, uint64_t hashes[N_STAGES])
{
    uint64_t h = 0;
    unsigned int k = 0;

    for (int stage = 0; stage < N_STAGES; stage++) {
        for (; k < st->ends[stage]; k++) {
            h = hash_add_word(h, node->values[st->words[k].place] & st->words[k].mask);
        }
        hashes[stage] = h;
    }
}

/* Nodes. */

size_t
cls_node_size(unsigned int n_values)
{
    return sizeof(struct cls_node) + n_values * sizeof(uint64_t);
}

struct cls_node *
cls_node_create(const struct cls_word *words, unsigned int n_words, unsigned int n_values, const struct flow *flow)
{
    struct cls_node *node = slab_alloc(cls_node_size(n_values));

    rcu_set(&node->first, NULL);
    node->subtable = NULL;
    node->n_rules = 0;
    node->has_index = false;
    atomic_init(&node->n_refs, 0);
    memset(node->values, 0, n_values * sizeof node->values[0]);
    for (unsigned int i = 0; i < n_words; i++) {
        node->values[words[i].place] |= flow_word(flow, words[i].index) & words[i].mask;
    }
    return node;
}

void
cls_node_discard(struct cls_node *node, unsigned int n_values)
{
    slab_free(node, cls_node_size(n_values));
}

static ALWAYS_INLINE bool
values_equal(const struct cls_subtable *st, const uint64_t *values, const struct flow *flow)
{
    for (unsigned int i = 0; i < st->n_words; i++) {
        const struct cls_word *w = &st->words[i];

        if ((values[w->place] ^ flow_word(flow, w->index)) & w->mask) {
            return false;
        }
    }
    return true;
}

struct cls_node *
cls_subtable_find_rcu(const struct cls_subtable *st, const struct flow *flow, uint64_t hash)
{
    const struct slot_array *slots = slot_table_get_rcu(&st->nodes);

    if (!slots) {
        return NULL;
    }
    for (size_t i = hash & slots->mask;; i = (i + 1) & slots->mask) {
        uint64_t slot = atomic_load_explicit(&slots->slots[i], memory_order_acquire);

        if (!slot) {
            return NULL;
        }
        if (slot >> SLOT_TAG_SHIFT == hash >> SLOT_TAG_SHIFT && slot_node(slot) != slot_node(SLOT_REMOVED) &&
            values_equal(st, slot_node(slot)->values, flow)) {
            return slot_node(slot);
        }
    }
}

const struct cls_node *
cls_subtable_guess_rcu(const struct cls_subtable *st, uint64_t hash)
{
    const struct slot_array *slots = slot_table_get_rcu(&st->nodes);

    for (size_t i = hash; slots; i++) {
        uint64_t slot = atomic_load_explicit(&slots->slots[i & slots->mask], memory_order_acquire);

        if (!slot) {
            break;
        }
        if (slot >> SLOT_TAG_SHIFT == hash >> SLOT_TAG_SHIFT && slot_node(slot) != slot_node(SLOT_REMOVED)) {
            return slot_node(slot);
        }
    }
    return NULL;
}

struct cls_node *
cls_subtable_find_same_rcu(const struct cls_subtable *st, const struct cls_node *as, uint64_t hash)
{
    const struct slot_array *slots = slot_table_get_rcu(&st->nodes);

    if (!slots) {
        return NULL;
    }
    for (size_t i = hash & slots->mask;; i = (i + 1) & slots->mask) {
        uint64_t slot = atomic_load_explicit(&slots->slots[i], memory_order_acquire);

        if (!slot) {
            return NULL;
        }
        if (slot >> SLOT_TAG_SHIFT == hash >> SLOT_TAG_SHIFT && slot_node(slot) != slot_node(SLOT_REMOVED) &&
            !memcmp(slot_node(slot)->values, as->values, st->n_values * sizeof as->values[0])) {
            return slot_node(slot);
        }
    }
}

void
cls_subtable_prefetch_nodes_rcu(const struct cls_subtable *st, uint64_t hash)
{
    const struct slot_array *slots = slot_table_get_rcu(&st->nodes);

    if (slots) {
        __builtin_prefetch(&slots->slots[hash & slots->mask]);
    }
}

void
cls_subtable_prefetch_rcu(const struct cls_subtable *st_, const uint64_t hashes[N_STAGES])
{
    struct cls_subtable *st = (struct cls_subtable *) st_;
    const struct cls_joint *joint = rcu_get(&st->joint);

    for (unsigned int stage = 0; stage < STAGE_L3; stage++) {
        cls_stage_set_prefetch_rcu(&st->stages[stage], hashes[stage]);
    }
    if (joint) {
        cls_stage_set_prefetch_rcu(&joint->set, hashes[STAGE_L3]);
    }
    cls_subtable_prefetch_nodes_rcu(st, hashes[N_STAGES - 1]);
}

static struct cls_node *
node_in_slot(const struct slot_array *slots, size_t i)
{
    return slot_node(slot_at(slots, i));
}

static size_t
slots_put(struct slot_array *slots, struct cls_node *node, uint64_t hash)
{
    size_t i = hash & slots->mask;

    while (slot_at(slots, i)) {
        i = (i + 1) & slots->mask;
    }
    atomic_store_explicit(&slots->slots[i], (uint64_t) node | (hash >> SLOT_TAG_SHIFT << SLOT_TAG_SHIFT),
                          memory_order_release);
    return i;
}

/* A slot is used once in the life of a table, so that readers never miss what stays. */
static size_t
slots_remove(struct slot_array *slots, const struct cls_node *node, uint64_t hash)
{
    size_t i = hash & slots->mask;

    while (node_in_slot(slots, i) != node) {
        i = (i + 1) & slots->mask;
    }
    atomic_store_explicit(&slots->slots[i], SLOT_REMOVED, memory_order_release);
    return i;
}

/* Asks for what later steps will need: the nodes of the one after the next, which say where they go; the places where
 * those of the next go. */
static void
prefetch_moves(const struct cls_subtable *st, const struct slot_array *now, size_t end)
{
    size_t n = now->mask + 1;

    for (size_t i = end + SLOT_TABLE_MOVES; i < MIN(end + 2 * SLOT_TABLE_MOVES, n); i++) {
        __builtin_prefetch(node_in_slot(now, i));
    }
    for (size_t i = end; i < MIN(end + SLOT_TABLE_MOVES, n); i++) {
        const struct cls_node *node = node_in_slot(now, i);

        if ((uintptr_t) node > SLOT_REMOVED) {
            uint64_t hash = cls_node_hash(node, st->words, st->n_words);

            __builtin_prefetch(&st->nodes.next->slots[hash & st->nodes.next->mask], 1);
        }
    }
}

/* Moves some slots to the next table. */
static void
move_slots(struct cls_subtable *st)
{
    struct slot_table *t = &st->nodes;
    const struct slot_array *now = rcu_get_protected(&t->now);
    size_t end = slot_table_end_of_step(t);

    prefetch_moves(st, now, end);
    for (size_t i = t->n_moved; i < end; i++) {
        struct cls_node *node = node_in_slot(now, i);

        if ((uintptr_t) node > SLOT_REMOVED) {
            slots_put(t->next, node, cls_node_hash(node, st->words, st->n_words));
            t->n_next_used++;
        }
    }
    slot_table_have_moved(t, end);
}

/* A node enters (delta 1) or leaves (-1) the sets of the stages. */
static void
count_stages(struct cls_subtable *st, const struct cls_node *node, int delta)
{
    struct cls_joint *joint = rcu_get_protected(&st->joint);
    uint64_t hashes[N_STAGES];

    cls_node_hash_stages(st, node, hashes);
    for (unsigned int stage = 0; stage < STAGE_L3; stage++) {
        if (!cls_stage_is_useful(st, stage)) {
            continue;
        }
        if (delta > 0) {
            cls_stage_set_add(&st->stages[stage], hashes[stage], 1);
        } else {
            cls_stage_set_subtract(&st->stages[stage], hashes[stage], 1);
        }
    }
    if (joint && delta > 0) {
        cls_joint_add(joint, st->member, hashes[STAGE_L3]);
    } else if (joint) {
        cls_joint_remove(joint, st->member, hashes[STAGE_L3]);
    }
}

/* The words from the one with the source port to that with the destination port. */
enum {
    PORTS_FIRST = offsetof(struct flow, tp_src) / 8,
    PORTS_WORDS = offsetof(struct flow, tp_dst) / 8 - PORTS_FIRST + 1
};

static be16
port_at(const uint64_t *words, size_t offset)
{
    be16 port;

    memcpy(&port, (const char *) words + (offset - PORTS_FIRST * 8), sizeof port);
    return port;
}

static union trie_key
node_ports(const struct cls_subtable *st, const struct cls_node *node)
{
    uint64_t words[PORTS_WORDS];

    cls_node_get_words(st, node, PORTS_FIRST, PORTS_WORDS, words);
    return cls_ports_key(port_at(words, offsetof(struct flow, tp_src)), port_at(words, offsetof(struct flow, tp_dst)),
                         st->ports_mask);
}

static unsigned int
ports_length(const struct cls_subtable *st)
{
    return 32 - __builtin_ctz(st->ports_mask);
}

static void
add_node(struct cls_subtable *st, struct cls_node *node, uint64_t hash)
{
    struct slot_table *t = &st->nodes;
    size_t at;

    node->subtable = st;
    st->n_taken++;
    /* What tells that there is something comes before that. */
    if (st->ports_mask) {
        union trie_key key = node_ports(st, node);

        trie_add(&st->ports, &key, ports_length(st));
    }
    count_stages(st, node, 1);
    if (slot_table_make_room(t, (struct slot_growth) { .part = 2, .whole = 3, .each = 2 })) {
        move_slots(st);
    }
    at = slots_put(rcu_get_protected(&t->now), node, hash);
    if (slot_table_has_moved(t, at)) {
        slots_put(t->next, node, hash);
        t->n_next_used++;
    }
    t->n_live++;
    t->n_used++;
}

static void
change_refs(struct cls_subtable *st, int64_t by)
{
    if (!(atomic_fetch_add(&st->n_refs, by) + by)) {
        slot_table_uninit(&st->nodes);
        if (st->chains) {
            hmap_uninit(st->chains);
            free(st->chains);
        }
        for (unsigned int stage = 0; stage < STAGE_L3; stage++) {
            cls_stage_set_uninit(&st->stages[stage]);
        }
        slab_free(st, subtable_size(st->n_words));
    }
}

void
cls_subtable_let_go(void *st_)
{
    struct cls_subtable *st = st_;

    change_refs(st, st->n_taken);
}

void
cls_node_unref(struct cls_node *node)
{
    if (atomic_fetch_sub(&node->n_refs, 1) == 1) {
        struct cls_subtable *st = node->subtable;

        cls_node_discard(node, st->n_values);
        change_refs(st, -1);
    }
}

/* The last of its rules to go releases it: that is after the readers of this moment. */
static void
remove_node(struct cls_subtable *st, struct cls_node *node)
{
    uint64_t hash = cls_node_hash(node, st->words, st->n_words);
    size_t at = slots_remove(rcu_get_protected(&st->nodes.now), node, hash);

    if (slot_table_has_moved(&st->nodes, at)) {
        slots_remove(st->nodes.next, node, hash);
    }
    st->nodes.n_live--;
    count_stages(st, node, -1);
    if (st->ports_mask) {
        union trie_key key = node_ports(st, node);

        trie_remove(&st->ports, &key, ports_length(st));
    }
}

/* Rules. */

void
cls_subtable_insert(struct cls_subtable *st, struct cls_rule *rule, struct cls_node *node, uint64_t hash)
{
    struct cls_node *same = cls_subtable_find_same_rcu(st, node, hash);

    if (same) {
        cls_node_discard(node, st->n_values);
        node = same;
        atomic_fetch_add_explicit(&node->n_refs, 1, memory_order_relaxed);
    } else {
        atomic_store_explicit(&node->n_refs, 1, memory_order_relaxed);
        add_node(st, node, hash);
    }
    rule->node = node;
    cls_chain_insert(node, rule);
    list_push_back(&st->in_order, &rule->in_order);
    st->n_rules++;
    if (rule->priority > st->max_priority) {
        st->max_priority = rule->priority;
        st->n_max = 0;
    }
    st->n_max += rule->priority == st->max_priority;
}

void
cls_subtable_remove(struct cls_subtable *st, struct cls_rule *rule)
{
    struct cls_node *node = rule->node;

    cls_chain_remove(node, rule);
    if (!rcu_get_protected(&node->first) && !st->is_given_up) {
        remove_node(st, node);
    }
    list_remove(&rule->in_order);
    st->n_max -= rule->priority == st->max_priority;
    st->n_rules--;
}
