#include "classifier/trie.h"

#include <stdlib.h>
#include <string.h>

#include "sys/slab.h"

enum { STRIDE = 4 };

/* Looks at STRIDE bits of the key, those behind the first 'position', which are in 'key'.  Its own prefixes end at one
 * of these bits; longer ones are behind its children, one for each value of the bits.
 *
 * In the bitmaps of prefixes the one with J bits (1 to STRIDE) of value U is number 2^J - 2 + U.
 *
 * Nothing of a published node changes but its counts and pointers: a change makes another node in its place. */
struct trie_node {
    uint8_t position;
    uint8_t n_children : 5, n_words : 3; /* Words: of the key. */
    uint16_t children; /* Bitmap of the children, by value. */
    uint32_t prefixes; /* Bitmap of those that were added. */
    uint32_t key[];    /* As many words as the trie's keys have; then, without a name in C:
                        * RCU_PTR(struct trie_node) by_value[n_children]; by rising value
                        * uint32_t counts[]; how often each prefix was added, by rising number */
};

/* Of many prefixes nearly each would have a node of its own.  In tries of 32 bits such a prefix is a leaf: it has no
 * node but is itself what stands in the pointer's place, with bit 0 set, its length from bit 1 on, how often it was
 * added from bit 7 on, and its bits above. */
enum { LEAF = 1, LEAF_LENGTH_SHIFT = 1, LEAF_COUNT_SHIFT = 7, LEAF_KEY_SHIFT = 32 };
#define LEAF_MAX_COUNT ((UINT32_C(1) << (LEAF_KEY_SHIFT - LEAF_COUNT_SHIFT)) - 1)
_Static_assert(sizeof(struct trie_node *) == sizeof(uint64_t), "a pointer has room for a leaf");

void
trie_init(struct trie *t, unsigned int width)
{
    rcu_set(&t->root, NULL);
    t->width = width;
}

/* Parts of a node. */

static ALWAYS_INLINE unsigned int
count_bits(uint32_t x)
{
    x -= x >> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >> 2 & 0x33333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f;
    return x * 0x01010101 >> 24;
}

static ALWAYS_INLINE size_t
offsetof_children(unsigned int n_words)
{
    return (offsetof(struct trie_node, key) + n_words * sizeof(uint32_t) + 7) & ~(size_t) 7;
}

static ALWAYS_INLINE trie_ptr *
node_children(const struct trie *t, const struct trie_node *node)
{
    return (trie_ptr *) ((char *) node + offsetof_children(t->width / 32));
}

/* Where the counts are: without children nothing has to be aligned for those. */
static size_t
offsetof_counts(unsigned int n_words, unsigned int n_children)
{
    return n_children ? offsetof_children(n_words) + n_children * sizeof(trie_ptr)
                      : offsetof(struct trie_node, key) + n_words * sizeof(uint32_t);
}

static uint32_t *
node_counts(const struct trie *t, const struct trie_node *node)
{
    return (uint32_t *) ((char *) node + offsetof_counts(t->width / 32, node->n_children));
}

/* How many of a bitmap's are below number 'i'. */
static ALWAYS_INLINE unsigned int
rank(uint32_t map, unsigned int i)
{
    return count_bits(map & ((UINT32_C(1) << i) - 1));
}

static ALWAYS_INLINE unsigned int
bits_at(const uint32_t *key, unsigned int position)
{
    return key[position / 32] >> (32 - STRIDE - position % 32) & ((1 << STRIDE) - 1);
}

/* The number, in the node that has it, of the prefix with 'length' bits of 'key'; where that node is. */
static unsigned int
prefix_position(unsigned int length)
{
    return (length - 1) / STRIDE * STRIDE;
}

static unsigned int
prefix_number(const uint32_t *key, unsigned int length)
{
    unsigned int position = prefix_position(length), j = length - position;

    return (1 << j) - 2 + (bits_at(key, position) >> (STRIDE - j));
}

/* The number of equal bits from the first on, at most 'end'. */
static ALWAYS_INLINE unsigned int
common_bits(const uint32_t *a, const uint32_t *b, unsigned int end)
{
    for (unsigned int i = 0; i * 32 < end; i++) {
        uint32_t differ = a[i] ^ b[i];

        if (differ) {
            return MIN(end, i * 32 + __builtin_clz(differ));
        }
    }
    return end;
}

/* Leaves. */

static ALWAYS_INLINE bool
is_leaf(const struct trie_node *node)
{
    return (uintptr_t) node & LEAF;
}

static struct trie_node *
leaf_make(uint32_t key, unsigned int length, uint32_t count)
{
    return (struct trie_node *) ((uint64_t) key << LEAF_KEY_SHIFT | count << LEAF_COUNT_SHIFT |
                                 length << LEAF_LENGTH_SHIFT | LEAF);
}

static ALWAYS_INLINE uint32_t leaf_key(const struct trie_node *leaf) { return (uint64_t) leaf >> LEAF_KEY_SHIFT; }

static ALWAYS_INLINE unsigned int
leaf_length(const struct trie_node *leaf)
{
    return (uintptr_t) leaf >> LEAF_LENGTH_SHIFT & ((1 << (LEAF_COUNT_SHIFT - LEAF_LENGTH_SHIFT)) - 1);
}

static uint32_t
leaf_count(const struct trie_node *leaf)
{
    return (uintptr_t) leaf >> LEAF_COUNT_SHIFT & LEAF_MAX_COUNT;
}

/* The first word of the key of a node or leaf and the others, where it has more; where it looks at it. */
static const uint32_t *
key_of(const struct trie_node *node, uint32_t *room)
{
    if (is_leaf(node)) {
        *room = leaf_key(node);
        return room;
    }
    return node->key;
}

static unsigned int
position_of(const struct trie_node *node)
{
    return is_leaf(node) ? prefix_position(leaf_length(node)) : node->position;
}

/* Making nodes. */

/* Changes make and release them by the dozen, the latter on another thread: so they are of slabs. */
static size_t
node_size(unsigned int n_words, unsigned int n_children, uint32_t prefixes)
{
    return offsetof_counts(n_words, n_children) + count_bits(prefixes) * sizeof(uint32_t);
}

static void
free_node(void *node_)
{
    struct trie_node *node = node_;

    slab_free(node, node_size(node->n_words, node->n_children, node->prefixes));
}

static struct trie_node *
make_node(const struct trie *t, const uint32_t *key, unsigned int position, uint16_t children, uint32_t prefixes)
{
    unsigned int n_children = count_bits(children);
    struct trie_node *node = slab_alloc(node_size(t->width / 32, n_children, prefixes));

    *node = (struct trie_node) {
        .position = position, .n_children = n_children, .n_words = t->width / 32, .children = children,
        .prefixes = prefixes,
    };
    memcpy(node->key, key, t->width / 8);
    return node;
}

/* A node in the place of 'old', which has also, or has no more, those of the bitmaps.  What is new in it is for the
 * caller to fill in. */
static struct trie_node *
remake_node(const struct trie *t, const struct trie_node *old, uint16_t children, uint32_t prefixes)
{
    struct trie_node *new = make_node(t, old->key, old->position, children, prefixes);
    unsigned int i = 0, k = 0;

    for (uint32_t both = children & old->children; both; both &= both - 1) {
        i = __builtin_ctz(both);
        rcu_set(&node_children(t, new)[rank(children, i)],
                rcu_get_protected(&node_children(t, old)[rank(old->children, i)]));
    }
    for (uint32_t both = prefixes & old->prefixes; both; both &= both - 1) {
        k = __builtin_ctz(both);
        node_counts(t, new)[rank(prefixes, k)] = node_counts(t, old)[rank(old->prefixes, k)];
    }
    return new;
}

static void
replace(trie_ptr *at, struct trie_node *new)
{
    struct trie_node *old = rcu_get_protected(at);

    rcu_set(at, new);
    rcu_defer(free_node, old);
}

/* Changes. */

static struct trie_node *
make_node_of_one(const struct trie *t, const uint32_t *key, unsigned int length, uint32_t count)
{
    struct trie_node *node = make_node(t, key, prefix_position(length), 0, UINT32_C(1) << prefix_number(key, length));

    node_counts(t, node)[0] = count;
    return node;
}

static struct trie_node *
make_one(const struct trie *t, const uint32_t *key, unsigned int length)
{
    return t->width == 32 ? leaf_make(key[0], length, 1) : make_node_of_one(t, key, length, 1);
}

/* Puts a node in the place of a leaf. */
static struct trie_node *
unfold(const struct trie *t, trie_ptr *at)
{
    struct trie_node *leaf = rcu_get_protected(at), *node;
    uint32_t key = leaf_key(leaf);

    node = make_node_of_one(t, &key, leaf_length(leaf), leaf_count(leaf));
    rcu_set(at, node);
    return node;
}

/* Whether what would be left of a node can be a leaf. */
static bool
can_fold(const struct trie *t, const struct trie_node *node, uint16_t children, uint32_t prefixes)
{
    return t->width == 32 && !children && !(prefixes & (prefixes - 1)) &&
           node_counts(t, node)[rank(node->prefixes, __builtin_ctz(prefixes))] <= LEAF_MAX_COUNT;
}

/* The leaf for the prefix of this number of a node. */
static struct trie_node *
fold(const struct trie *t, const struct trie_node *node, unsigned int number)
{
    unsigned int j = 31 - __builtin_clz(number + 2), value = number + 2 - (1 << j);
    uint32_t before = node->key[0] & ~(UINT32_MAX >> node->position);

    return leaf_make(before | value << (32 - node->position - j), node->position + j,
                     node_counts(t, node)[rank(node->prefixes, number)]);
}

/* Counts once more what is the same as a leaf. */
static bool
add_to_leaf(trie_ptr *at, const uint32_t *key, unsigned int length)
{
    struct trie_node *leaf = rcu_get_protected(at);

    if (leaf_length(leaf) != length || (leaf_key(leaf) ^ key[0]) >> (32 - length) ||
        leaf_count(leaf) == LEAF_MAX_COUNT) {
        return false;
    }
    rcu_set(at, leaf_make(leaf_key(leaf), length, leaf_count(leaf) + 1));
    return true;
}

/* To a node at the prefix's own position. */
static void
add_prefix(const struct trie *t, trie_ptr *at, unsigned int number)
{
    struct trie_node *node = rcu_get_protected(at);
    uint32_t prefixes = node->prefixes | UINT32_C(1) << number;

    if (prefixes != node->prefixes) {
        struct trie_node *new = remake_node(t, node, node->children, prefixes);

        node_counts(t, new)[rank(prefixes, number)] = 0;
        replace(at, new);
        node = new;
    }
    node_counts(t, node)[rank(prefixes, number)]++;
}

static void
add_child(const struct trie *t, trie_ptr *at, const uint32_t *key, unsigned int length)
{
    struct trie_node *node = rcu_get_protected(at), *new;
    unsigned int value = bits_at(key, node->position);

    new = remake_node(t, node, node->children | 1 << value, node->prefixes);
    rcu_set(&node_children(t, new)[rank(new->children, value)], make_one(t, key, length));
    replace(at, new);
}

/* Puts a node above 'node', which leaves the key at bit 'same' or is behind the prefix altogether. */
static void
add_above(const struct trie *t, trie_ptr *at, const uint32_t *key, unsigned int length, unsigned int same)
{
    unsigned int position = MIN(same / STRIDE * STRIDE, prefix_position(length));
    struct trie_node *node = rcu_get_protected(at), *fork;
    uint32_t room;
    unsigned int old = bits_at(key_of(node, &room), position);
    uint16_t children = 1 << old;

    if (position == prefix_position(length)) {
        fork = make_node(t, key, position, children, UINT32_C(1) << prefix_number(key, length));
        node_counts(t, fork)[0] = 1;
    } else {
        children |= 1 << bits_at(key, position);
        fork = make_node(t, key, position, children, 0);
        rcu_set(&node_children(t, fork)[rank(children, bits_at(key, position))], make_one(t, key, length));
    }
    rcu_set(&node_children(t, fork)[rank(children, old)], node);
    rcu_set(at, fork);
}

void
trie_add(struct trie *t, const union trie_key *key_, unsigned int length)
{
    const uint32_t *key = key_->words;
    unsigned int position = prefix_position(length);
    trie_ptr *at = &t->root;
    struct trie_node *node;

    while ((node = rcu_get_protected(at)) != NULL) {
        uint32_t room;
        unsigned int end = MIN(position_of(node), position), same = common_bits(key_of(node, &room), key, end), value;

        if (same < end || position_of(node) > position) {
            add_above(t, at, key, length, same);
            return;
        }
        if (is_leaf(node)) {
            if (add_to_leaf(at, key, length)) {
                return;
            }
            node = unfold(t, at);
        }
        if (node->position == position) {
            add_prefix(t, at, prefix_number(key, length));
            return;
        }
        value = bits_at(key, node->position);
        if (!(node->children >> value & 1)) {
            add_child(t, at, key, length);
            return;
        }
        at = &node_children(t, node)[rank(node->children, value)];
    }
    rcu_set(at, make_one(t, key, length));
}

/* Whether a node with those is needed: not to lead to just one other. */
static bool
is_needed(uint16_t children, uint32_t prefixes)
{
    return prefixes || children & (children - 1);
}

/* Puts in the place of a node what is left of it with these alone, of which there are some. */
static void
reduce(const struct trie *t, trie_ptr *at, uint16_t children, uint32_t prefixes)
{
    struct trie_node *node = rcu_get_protected(at);

    if (prefixes && can_fold(t, node, children, prefixes)) {
        replace(at, fold(t, node, __builtin_ctz(prefixes)));
    } else if (is_needed(children, prefixes)) {
        replace(at, remake_node(t, node, children, prefixes));
    } else {
        replace(at, rcu_get_protected(&node_children(t, node)[rank(node->children, __builtin_ctz(children))]));
    }
}

/* Takes away one of a prefix of the node or leaf at 'at'; true if nothing is left of that. */
static bool
remove_prefix(const struct trie *t, trie_ptr *at, unsigned int number)
{
    struct trie_node *node = rcu_get_protected(at);
    uint32_t prefixes;

    if (is_leaf(node)) {
        if (leaf_count(node) > 1) {
            rcu_set(at, leaf_make(leaf_key(node), leaf_length(node), leaf_count(node) - 1));
        }
        return leaf_count(node) == 1;
    }
    if (--node_counts(t, node)[rank(node->prefixes, number)]) {
        return false;
    }
    prefixes = node->prefixes & ~(UINT32_C(1) << number);
    if (prefixes || node->children) {
        reduce(t, at, node->children, prefixes);
        return false;
    }
    return true;
}

void
trie_remove(struct trie *t, const union trie_key *key_, unsigned int length)
{
    const uint32_t *key = key_->words;
    struct trie_node *node, *parent = NULL;
    trie_ptr *at = &t->root, *above = NULL;

    while (position_of(node = rcu_get_protected(at)) < prefix_position(length)) {
        above = at;
        parent = node;
        at = &node_children(t, node)[rank(node->children, bits_at(key, node->position))];
    }
    if (!remove_prefix(t, at, prefix_number(key, length))) {
        return;
    }
    if (parent) {
        reduce(t, above, parent->children & ~(1 << bits_at(key, parent->position)), parent->prefixes);
    } else {
        rcu_set(at, NULL);
    }
    if (!is_leaf(node)) {
        rcu_defer(free_node, node);
    }
}

/* Lookups. */

/* By the number of a prefix plus 1 (0: the one without bits): the bitmap of the longer ones that begin with it. */
static uint32_t longer[(1 << STRIDE) - 1];

__attribute__((constructor)) static void
init_longer(void)
{
    for (unsigned int j = 0; j < STRIDE; j++) {
        for (unsigned int u = 0; u < 1u << j; u++) {
            for (unsigned int k = j + 1; k <= STRIDE; k++) {
                uint32_t all = (UINT32_C(1) << (1 << (k - j))) - 1;

                longer[(1 << j) - 1 + u] |= all << ((1 << k) - 2 + (u << (k - j)));
            }
        }
    }
}

/* How many of the node's bits tell which of its prefixes and children the value has: as many as it shares with one of
 * them, and one more to see that it does not share that. */
static ALWAYS_INLINE unsigned int
telling_bits(const struct trie_node *node, unsigned int value)
{
    uint32_t all = node->prefixes | (uint32_t) node->children << ((1 << STRIDE) - 2);

    for (unsigned int j = STRIDE - 1; j > 0; j--) {
        if (all & longer[(1 << j) - 1 + (value >> (STRIDE - j))]) {
            return j + 1;
        }
    }
    return 1;
}

static ALWAYS_INLINE void
note_lengths(struct trie_result *r, const struct trie_node *node, unsigned int value)
{
    for (unsigned int j = 1; j <= STRIDE; j++) {
        uint64_t has = node->prefixes >> ((1 << j) - 2 + (value >> (STRIDE - j))) & 1;

        r->lengths[(node->position + j) / 64] |= has << (node->position + j) % 64;
    }
}

static ALWAYS_INLINE void
look_at_leaf(const struct trie_node *leaf, const uint32_t *key, struct trie_result *r)
{
    unsigned int length = leaf_length(leaf), same = common_bits(key, (const uint32_t[]) { leaf_key(leaf) }, 32);

    r->n_bits = MIN(same + 1, length);
    r->lengths[0] |= (uint64_t) (same >= length) << length;
}

/* Follows a pointer to a node; null if it is none, or a leaf, which is then looked at. */
static ALWAYS_INLINE const struct trie_node *
follow(const trie_ptr *at, const uint32_t *key, struct trie_result *r)
{
    const struct trie_node *node = rcu_get((trie_ptr *) at);

    if (!is_leaf(node)) {
        return node;
    }
    look_at_leaf(node, key, r);
    return NULL;
}

/* Goes on from a node: the next one, or null where all is told. */
static ALWAYS_INLINE const struct trie_node *
look_at(const struct trie *t, const struct trie_node *node, const uint32_t *key, struct trie_result *r)
{
    unsigned int same = common_bits(node->key, key, node->position), value;

    if (same < node->position) {
        r->n_bits = same + 1;
        return NULL;
    }
    value = bits_at(key, node->position);
    if (node->prefixes) {
        note_lengths(r, node, value);
    }
    if (!(node->children >> value & 1)) {
        r->n_bits = node->position + telling_bits(node, value);
        return NULL;
    }
    return follow(&node_children(t, node)[rank(node->children, value)], key, r);
}

void
trie_lookup_rcu(const struct trie *t, const union trie_key *key, struct trie_result *r)
{
    const struct trie_node *node;

    *r = (struct trie_result) { .n_bits = 0 };
    node = follow(&t->root, key->words, r);
    while (node) {
        node = look_at(t, node, key->words, r);
    }
}

/* Asks for a node, at least for those of its children that come first. */
static ALWAYS_INLINE void
prefetch_node(const struct trie_node *node)
{
    __builtin_prefetch(node);
    __builtin_prefetch((const char *) node + CACHE_LINE);
}

void
trie_lookup_all_rcu(struct trie_walk *walks, unsigned int n)
{
    unsigned int under_way = 0;

    for (unsigned int i = 0; i < n; i++) {
        walks[i].result = (struct trie_result) { .n_bits = 0 };
        walks[i].node = follow(&walks[i].trie->root, walks[i].key.words, &walks[i].result);
        under_way |= (unsigned int) !!walks[i].node << i;
    }
    while (under_way & (under_way - 1)) {
        for (unsigned int left = under_way; left; left &= left - 1) {
            unsigned int i = __builtin_ctz(left);
            struct trie_walk *w = &walks[i];

            w->node = look_at(w->trie, w->node, w->key.words, &w->result);
            if (w->node) {
                prefetch_node(w->node);
            } else {
                under_way &= ~(1u << i);
            }
        }
    }
    if (under_way) { /* Alone. */
        struct trie_walk *w = &walks[__builtin_ctz(under_way)];

        while (w->node) {
            w->node = look_at(w->trie, w->node, w->key.words, &w->result);
        }
    }
}

static void
free_nodes(const struct trie *t, struct trie_node *node)
{
    if (is_leaf(node)) {
        return;
    }
    /* As deep as keys are wide. */
    for (unsigned int i = 0; i < node->n_children; i++) {
        free_nodes(t, rcu_get_protected(&node_children(t, node)[i]));
    }
    free_node(node);
}

static void
free_trie_nodes(void *trie)
{
    struct trie *t = trie;

    free_nodes(t, rcu_get_protected(&t->root));
    free(t);
}

void
trie_clear(struct trie *t)
{
    struct trie *old;

    if (rcu_get_protected(&t->root)) {
        old = xmalloc(sizeof *old);
        trie_init(old, t->width);
        rcu_set(&old->root, rcu_get_protected(&t->root));
        rcu_set(&t->root, NULL);
        rcu_defer(free_trie_nodes, old);
    }
}
