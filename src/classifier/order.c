/* The order of subtables, and the sets that let searches pass over many of them. */
#include "classifier/order.h"

#include <stdlib.h>

#include "base/bits.h"

/* Orders and sets are made for a few more than they have, so that the memory of old ones does for new ones. */
enum { ROUND_ENTRIES = 8, ROUND_LENGTHS = 8 };

struct cls_order *
cls_order_create(size_t n, const struct cls_order *like)
{
    struct cls_order *order = xmalloc(sizeof *order + ROUND_UP(n, ROUND_ENTRIES) * sizeof order->entries[0]);

    order->n = 0;
    order->n_tracked = 0;
    order->sets = NULL;
    if (like) {
        order->n_tracked = like->n_tracked;
        memcpy(order->tracked, like->tracked, sizeof order->tracked);
    }
    return order;
}

void
cls_order_free(void *order_)
{
    struct cls_order *order = order_;

    if (order) {
        free(order->sets);
        free(order);
    }
}

/* The length of the prefix that the mask has of the field; 0 if the mask is no prefix or has nothing of it. */
static unsigned int
prefix_length(const struct cls_tracked *t, const struct flow *mask)
{
    unsigned int length = 0;
    union trie_key key;

    cls_tracked_key(t, mask, &key);
    while (length < t->width && key.words[length / 32] >> (31 - length % 32) & 1) {
        length++;
    }
    for (unsigned int i = length; i < t->width; i++) {
        if (key.words[i / 32] >> (31 - i % 32) & 1) {
            return 0;
        }
    }
    return length;
}

void
cls_order_set_lengths(const struct cls_order *order, struct cls_subtable *st)
{
    struct flow mask = { 0 };

    cls_subtable_get_mask(st, &mask);
    memset(st->lengths, 0, sizeof st->lengths);
    for (unsigned int i = 0; i < order->n_tracked; i++) {
        st->lengths[i] = prefix_length(&order->tracked[i], &mask);
    }
}

void
cls_order_add(struct cls_order *order, struct cls_subtable *st)
{
    struct cls_order_entry *e = &order->entries[order->n++];

    cls_order_set_lengths(order, st);
    *e = (struct cls_order_entry) { .subtable = st };
    memcpy(e->lengths, st->lengths, sizeof e->lengths);
}

static void
sort(struct cls_order *order)
{
    for (size_t i = 0; i < order->n; i++) {
        struct cls_order_entry e = order->entries[i];
        size_t j = i;

        e.max_priority = e.subtable->max_priority;
        for (; j > 0 && order->entries[j - 1].max_priority < e.max_priority; j--) {
            order->entries[j] = order->entries[j - 1];
        }
        order->entries[j] = e;
    }
}

static bool
has_same_head(const struct cls_subtable *a, const struct cls_subtable *b)
{
    unsigned int n = a->ends[STAGE_L2];

    for (unsigned int i = 0; n == b->ends[STAGE_L2] && i < n; i++) {
        if (a->words[i].index != b->words[i].index || a->words[i].mask != b->words[i].mask) {
            return false;
        }
    }
    return n == b->ends[STAGE_L2];
}

/* Numbers the heads in the order in which they come. */
static void
number_heads(struct cls_order *order)
{
    const struct cls_subtable *first[CLS_N_HEADS];
    unsigned int n = 0;

    for (size_t i = 0; i < order->n; i++) {
        struct cls_order_entry *e = &order->entries[i];

        e->head = 0;
        while (e->head < n && !has_same_head(first[e->head], e->subtable)) {
            e->head++;
        }
        if (e->head == n && n < CLS_N_HEADS) {
            first[n++] = e->subtable;
        }
    }
}

/* The set of a length, a new one if there is none yet; those of a field stand together. */
static uint64_t *
length_set(struct cls_sets *sets, size_t begin, unsigned int field, unsigned int length)
{
    for (size_t i = begin; i < sets->n; i++) {
        if (sets->lengths[i].length == length) {
            return cls_sets_length(sets, i);
        }
    }
    sets->lengths[sets->n] = (struct cls_length) { field, length };
    return cls_sets_length(sets, sets->n++);
}

static void
add_lengths(const struct cls_order *order, struct cls_sets *sets, size_t n, unsigned int field)
{
    size_t begin = sets->n;

    for (size_t i = 0; i < n; i++) {
        unsigned int length = order->entries[i].lengths[field];

        if (length) {
            bit_set(length_set(sets, begin, field, length), i);
        }
    }
}

static size_t
count_lengths(const struct cls_order *order, size_t n)
{
    size_t n_lengths = 0;

    for (unsigned int i = 0; i < order->n_tracked; i++) {
        uint64_t seen[3] = { 0 };

        for (size_t k = 0; k < n; k++) {
            unsigned int length = order->entries[k].lengths[i];

            n_lengths += length && !bit_get(seen, length);
            bit_set(seen, length);
        }
    }
    return n_lengths;
}

static struct cls_sets *
create_sets(size_t n_words, size_t n_lengths)
{
    size_t room = ROUND_UP(n_lengths, ROUND_LENGTHS), n = (CLS_N_HEADS + room) * n_words;
    struct cls_sets *sets = xzalloc(sizeof *sets + n * sizeof sets->words[0] + room * sizeof sets->lengths[0]);

    sets->n_words = n_words;
    sets->lengths = (struct cls_length *) &sets->words[n];
    return sets;
}

static void
make_sets(struct cls_order *order)
{
    size_t n = MIN(order->n, CLS_MAX_SET_WORDS * 64u), n_lengths = count_lengths(order, n);
    struct cls_sets *sets;

    if (n < CLS_SETS_FROM || !n_lengths) {
        return;
    }
    number_heads(order);
    order->sets = sets = create_sets(bits_words(n), n_lengths);
    for (size_t i = 0; i < n; i++) {
        if (order->entries[i].head != CLS_OTHER_HEAD) {
            bit_set(cls_sets_head(sets, order->entries[i].head), i);
        }
    }
    for (unsigned int stage = 0; stage < N_STAGES; stage++) {
        for (unsigned int i = 0; i < order->n_tracked; i++) {
            if (order->tracked[i].stage == stage) {
                add_lengths(order, sets, n, i);
            }
        }
    }
}

/* Numbers the joints in the order in which they come. */
static void
number_joints(struct cls_order *order)
{
    unsigned int n = 0;

    for (size_t i = 0; i < order->n; i++) {
        struct cls_joint *j = rcu_get_protected(&order->entries[i].subtable->joint);

        if (j) {
            j->number = CLS_OTHER_JOINT;
        }
    }
    for (size_t i = 0; i < order->n; i++) {
        struct cls_order_entry *e = &order->entries[i];
        struct cls_joint *j = rcu_get_protected(&e->subtable->joint);

        if (j && j->number == CLS_OTHER_JOINT && n < CLS_N_JOINTS) {
            j->number = n++;
        }
        e->joint = j ? j->number : CLS_OTHER_JOINT;
        e->member = j ? cls_joint_bits(e->subtable->member) : 0;
    }
}

void
cls_order_finish(struct cls_order *order)
{
    sort(order);
    number_joints(order);
    make_sets(order);
}
