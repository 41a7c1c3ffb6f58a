#include "classifier/trie.h"

#include <stdlib.h>
#include <string.h>

#include "sys/slab.h"

enum { STRIDE = 4 };

/* How a node keeps its children: one for each of the 2^STRIDE values, or up to MAX_LISTED in the order in which they
 * came, with their values in 'places', or none. */
enum children_kind { NO_CHILDREN, LISTED_CHILDREN, CHILDREN_BY_VALUE };
enum { N_VALUES = 1 << STRIDE, MAX_LISTED = 8, PLACE_BITS = STRIDE };

/* Looks at STRIDE bits of the key, those behind the first 'position', which are in 'key'.  Its own prefixes end at one
 * of these bits; longer ones are behind its children, one for each value of the bits.
 *
 * In the bitmaps of prefixes the one with J bits (1 to STRIDE) of value U is number 2^J - 2 + U.
 *
 * As long as there is room a change is made in place: what is new is written first, and its bit makes readers see it.
 * A listed child that goes makes another node, without it, take the node's place, since readers may still be about to
 * follow a pointer of which they have seen the bit. */
struct trie_node {
    uint8_t position;
    uint8_t n_steps : 6, kind : 2;  /* Its size, in SLAB_STEP; enum children_kind. */
    _Atomic uint16_t children;      /* Bitmap of the children, by value. */
    _Atomic uint32_t prefixes;      /* Bitmap of those that were added. */
    uint32_t key[];                 /* As many words as the trie's keys have; then, without names in C:
                                     * _Atomic uint32_t places; values of listed children, the first in the lowest bits
                                     * trie_ptr slots[]; of children, aligned; room for more
                                     * uint32_t counts[]; how often each prefix was added: at the very end the one with
                                     *                    the lowest number, the next ones before it */
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
offsetof_places(unsigned int n_words)
{
    return offsetof(struct trie_node, key) + n_words * sizeof(uint32_t);
}

static ALWAYS_INLINE size_t
offsetof_slots(unsigned int n_words)
{
    return ROUND_UP(offsetof_places(n_words) + sizeof(uint32_t), sizeof(trie_ptr));
}

static ALWAYS_INLINE _Atomic uint32_t *
node_places(const struct trie *t, const struct trie_node *node)
{
    return (_Atomic uint32_t *) ((char *) node + offsetof_places(t->width / 32));
}

static ALWAYS_INLINE trie_ptr *
node_slots(const struct trie *t, const struct trie_node *node)
{
    return (trie_ptr *) ((char *) node + offsetof_slots(t->width / 32));
}

static size_t
node_size(const struct trie_node *node)
{
    return (size_t) node->n_steps * SLAB_STEP;
}

/* The count of the prefix that has 'i' before it. */
static uint32_t *
node_count(const struct trie_node *node, unsigned int i)
{
    return (uint32_t *) ((char *) node + node_size(node)) - 1 - i;
}

/* Bitmaps as the writer sees them. */
static uint16_t
children_of(const struct trie_node *node)
{
    return atomic_load_explicit(&((struct trie_node *) node)->children, memory_order_relaxed);
}

static uint32_t
prefixes_of(const struct trie_node *node)
{
    return atomic_load_explicit(&((struct trie_node *) node)->prefixes, memory_order_relaxed);
}

/* Where the child of this value is, whose bit is set.  Of the places with this value the first one counts: behind the
 * last child they are 0. */
static ALWAYS_INLINE trie_ptr *
child_at(const struct trie *t, const struct trie_node *node, unsigned int value)
{
    const uint32_t ones = 0x11111111;
    uint32_t differ, same;

    if (node->kind == CHILDREN_BY_VALUE) {
        return &node_slots(t, node)[value];
    }
    differ = atomic_load_explicit(node_places(t, node), memory_order_relaxed) ^ value * ones;
    same = (differ - ones) & ~differ & ones << (PLACE_BITS - 1);
    return &node_slots(t, node)[__builtin_ctz(same) / PLACE_BITS];
}

/* How many of a bitmap's are below number 'i'. */
static unsigned int
rank(uint32_t map, unsigned int i)
{
    return count_bits(map & ((UINT32_C(1) << i) - 1));
}

/* The count of the prefix of this number, which the node has. */
static uint32_t *
count_of(const struct trie_node *node, unsigned int number)
{
    return node_count(node, rank(prefixes_of(node), number));
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

static enum children_kind
kind_for(unsigned int n_children)
{
    return !n_children ? NO_CHILDREN : n_children <= MAX_LISTED ? LISTED_CHILDREN : CHILDREN_BY_VALUE;
}

static size_t
size_for(const struct trie *t, enum children_kind kind, unsigned int n_children, unsigned int n_prefixes)
{
    unsigned int n_words = t->width / 32;
    size_t size = n_prefixes * sizeof(uint32_t);

    switch (kind) {
    case NO_CHILDREN: return size + offsetof_places(n_words);
    case LISTED_CHILDREN: return size + offsetof_slots(n_words) + n_children * sizeof(trie_ptr);
    case CHILDREN_BY_VALUE: break;
    }
    return size + offsetof_slots(n_words) + N_VALUES * sizeof(trie_ptr);
}

/* Few sizes, of which larger ones leave more room: changes then make few nodes, and few sizes of objects. */
static size_t
round_up_size(size_t size)
{
    static const size_t sizes[] = { 32, 48, 64, 96, 160, 288 };
    unsigned int i = 0;

    while (sizes[i] < size) {
        i++;
    }
    return sizes[i];
}

static void
free_node(void *node)
{
    slab_free(node, node_size(node));
}

/* Without children and prefixes, but with room for so many. */
static struct trie_node *
make_node(const struct trie *t, const uint32_t *key, unsigned int position, unsigned int n_children,
          unsigned int n_prefixes)
{
    enum children_kind kind = kind_for(n_children);
    size_t size = round_up_size(size_for(t, kind, n_children, n_prefixes));
    struct trie_node *node = slab_alloc(size);

    node->position = position;
    node->n_steps = size / SLAB_STEP;
    node->kind = kind;
    atomic_init(&node->children, 0);
    atomic_init(&node->prefixes, 0);
    memcpy(node->key, key, t->width / 8);
    if (kind == LISTED_CHILDREN) {
        atomic_init(node_places(t, node), 0);
    }
    return node;
}

/* Whether so many are as it keeps them, and fit in. */
static bool
has_room_for(const struct trie *t, const struct trie_node *node, unsigned int n_children, unsigned int n_prefixes)
{
    return kind_for(n_children) <= node->kind && size_for(t, node->kind, n_children, n_prefixes) <= node_size(node);
}

/* There is room. */
static void
put_child(const struct trie *t, struct trie_node *node, unsigned int value, struct trie_node *child)
{
    uint16_t children = children_of(node);
    unsigned int slot = node->kind == CHILDREN_BY_VALUE ? value : count_bits(children);

    rcu_set(&node_slots(t, node)[slot], child);
    if (node->kind == LISTED_CHILDREN) {
        uint32_t places = atomic_load_explicit(node_places(t, node), memory_order_relaxed);

        atomic_store_explicit(node_places(t, node), places | value << slot * PLACE_BITS, memory_order_relaxed);
    }
    atomic_store_explicit(&node->children, children | 1 << value, memory_order_release);
}

/* Likewise; it was added 'count' times. */
static void
put_prefix(struct trie_node *node, unsigned int number, uint32_t count)
{
    uint32_t prefixes = prefixes_of(node);
    unsigned int at = rank(prefixes, number);

    for (unsigned int i = count_bits(prefixes); i > at; i--) {
        *node_count(node, i) = *node_count(node, i - 1);
    }
    *node_count(node, at) = count;
    atomic_store_explicit(&node->prefixes, prefixes | UINT32_C(1) << number, memory_order_release);
}

/* A node in the place of 'old', which has those of these that 'old' has, and room for the others. */
static struct trie_node *
remake_node(const struct trie *t, const struct trie_node *old, uint16_t children, uint32_t prefixes)
{
    struct trie_node *new = make_node(t, old->key, old->position, count_bits(children), count_bits(prefixes));

    for (uint32_t both = children & children_of(old); both; both &= both - 1) {
        put_child(t, new, __builtin_ctz(both), rcu_get_protected(child_at(t, old, __builtin_ctz(both))));
    }
    for (uint32_t both = prefixes & prefixes_of(old); both; both &= both - 1) {
        put_prefix(new, __builtin_ctz(both), *count_of(old, __builtin_ctz(both)));
    }
    return new;
}

static void
replace(trie_ptr *at, struct trie_node *new)
{
    struct trie_node *old = rcu_get_protected(at);

    rcu_set(at, new);
    rcu_release(free_node, old);
}

/* Changes. */

static struct trie_node *
make_one(const struct trie *t, const uint32_t *key, unsigned int length)
{
    struct trie_node *node;

    if (t->width == 32) {
        return leaf_make(key[0], length, 1);
    }
    node = make_node(t, key, prefix_position(length), 0, 1);
    put_prefix(node, prefix_number(key, length), 1);
    return node;
}

/* Puts a node in the place of a leaf, with room for a child or another prefix. */
static struct trie_node *
unfold(const struct trie *t, trie_ptr *at, bool for_child)
{
    struct trie_node *leaf = rcu_get_protected(at), *node;
    uint32_t key = leaf_key(leaf);

    node = make_node(t, &key, prefix_position(leaf_length(leaf)), for_child, 1 + !for_child);
    put_prefix(node, prefix_number(&key, leaf_length(leaf)), leaf_count(leaf));
    rcu_set(at, node);
    return node;
}

/* Whether what would be left of a node can be a leaf. */
static bool
can_fold(const struct trie *t, const struct trie_node *node, uint16_t children, uint32_t prefixes)
{
    return t->width == 32 && !children && !(prefixes & (prefixes - 1)) &&
           *count_of(node, __builtin_ctz(prefixes)) <= LEAF_MAX_COUNT;
}

/* The leaf for the prefix of this number of a node. */
static struct trie_node *
fold(const struct trie_node *node, unsigned int number)
{
    unsigned int j = 31 - __builtin_clz(number + 2), value = number + 2 - (1 << j);
    uint32_t before = node->key[0] & ~(UINT32_MAX >> node->position);

    return leaf_make(before | value << (32 - node->position - j), node->position + j, *count_of(node, number));
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
    uint32_t old = prefixes_of(node), prefixes = old | UINT32_C(1) << number;

    if (prefixes == old) {
        ++*count_of(node, number);
    } else if (has_room_for(t, node, count_bits(children_of(node)), count_bits(prefixes))) {
        put_prefix(node, number, 1);
    } else {
        struct trie_node *new = remake_node(t, node, children_of(node), prefixes);

        put_prefix(new, number, 1);
        replace(at, new);
    }
}

static void
add_child(const struct trie *t, trie_ptr *at, const uint32_t *key, unsigned int length)
{
    struct trie_node *node = rcu_get_protected(at), *child = make_one(t, key, length);
    unsigned int value = bits_at(key, node->position);
    uint16_t children = children_of(node) | 1 << value;

    if (has_room_for(t, node, count_bits(children), count_bits(prefixes_of(node)))) {
        put_child(t, node, value, child);
    } else {
        struct trie_node *new = remake_node(t, node, children, prefixes_of(node));

        put_child(t, new, value, child);
        replace(at, new);
    }
}

/* Puts a node above 'node', which leaves the key at bit 'same' or is behind the prefix altogether. */
static void
add_above(const struct trie *t, trie_ptr *at, const uint32_t *key, unsigned int length, unsigned int same)
{
    unsigned int position = MIN(same / STRIDE * STRIDE, prefix_position(length));
    struct trie_node *node = rcu_get_protected(at), *fork;
    uint32_t room;
    unsigned int old = bits_at(key_of(node, &room), position);

    if (position == prefix_position(length)) {
        fork = make_node(t, key, position, 1, 1);
        put_prefix(fork, prefix_number(key, length), 1);
    } else {
        fork = make_node(t, key, position, 2, 0);
        put_child(t, fork, bits_at(key, position), make_one(t, key, length));
    }
    put_child(t, fork, old, node);
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
            node = unfold(t, at, position_of(node) < position);
        }
        if (node->position == position) {
            add_prefix(t, at, prefix_number(key, length));
            return;
        }
        value = bits_at(key, node->position);
        if (!(children_of(node) >> value & 1)) {
            add_child(t, at, key, length);
            return;
        }
        at = child_at(t, node, value);
    }
    rcu_set(at, make_one(t, key, length));
}

/* Whether a node with those is needed: not to lead to just one other. */
static bool
is_needed(uint16_t children, uint32_t prefixes)
{
    return prefixes || children & (children - 1);
}

/* Whether a node may just lose all but these: no listed child, which others might take the slot of, and not where half
 * of its memory would do. */
static bool
can_lose(const struct trie *t, const struct trie_node *node, uint16_t children, uint32_t prefixes)
{
    unsigned int n_children = count_bits(children), n_prefixes = count_bits(prefixes);

    return (node->kind == CHILDREN_BY_VALUE || children == children_of(node)) &&
           2 * round_up_size(size_for(t, kind_for(n_children), n_children, n_prefixes)) > node_size(node);
}

static void
lose(struct trie_node *node, uint16_t children, uint32_t prefixes)
{
    uint32_t old = prefixes_of(node);
    unsigned int n = 0;

    atomic_store_explicit(&node->children, children, memory_order_release);
    atomic_store_explicit(&node->prefixes, prefixes, memory_order_release);
    for (unsigned int i = 0; old; old &= old - 1, i++) {
        if (prefixes & old & -old) {
            *node_count(node, n++) = *node_count(node, i);
        }
    }
}

/* Leaves of a node, or puts in its place, these alone, of which there are some. */
static void
reduce(const struct trie *t, trie_ptr *at, uint16_t children, uint32_t prefixes)
{
    struct trie_node *node = rcu_get_protected(at);

    if (prefixes && can_fold(t, node, children, prefixes)) {
        replace(at, fold(node, __builtin_ctz(prefixes)));
    } else if (!is_needed(children, prefixes)) {
        replace(at, rcu_get_protected(child_at(t, node, __builtin_ctz(children))));
    } else if (can_lose(t, node, children, prefixes)) {
        lose(node, children, prefixes);
    } else {
        replace(at, remake_node(t, node, children, prefixes));
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
    if (--*count_of(node, number)) {
        return false;
    }
    prefixes = prefixes_of(node) & ~(UINT32_C(1) << number);
    if (prefixes || children_of(node)) {
        reduce(t, at, children_of(node), prefixes);
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
        at = child_at(t, node, bits_at(key, node->position));
    }
    if (!remove_prefix(t, at, prefix_number(key, length))) {
        return;
    }
    if (parent) {
        reduce(t, above, children_of(parent) & ~(1 << bits_at(key, parent->position)), prefixes_of(parent));
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
telling_bits(uint32_t prefixes, uint32_t children, unsigned int value)
{
    uint32_t all = prefixes | children << ((1 << STRIDE) - 2);

    for (unsigned int j = STRIDE - 1; j > 0; j--) {
        if (all & longer[(1 << j) - 1 + (value >> (STRIDE - j))]) {
            return j + 1;
        }
    }
    return 1;
}

static ALWAYS_INLINE void
note_lengths(struct trie_result *r, unsigned int position, uint32_t prefixes, unsigned int value)
{
    for (unsigned int j = 1; j <= STRIDE; j++) {
        uint64_t has = prefixes >> ((1 << j) - 2 + (value >> (STRIDE - j))) & 1;

        r->lengths[(position + j) / 64] |= has << (position + j) % 64;
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
look_at(const struct trie *t, const struct trie_node *node_, const uint32_t *key, struct trie_result *r)
{
    struct trie_node *node = (struct trie_node *) node_;
    uint32_t prefixes = atomic_load_explicit(&node->prefixes, memory_order_acquire);
    uint32_t children = atomic_load_explicit(&node->children, memory_order_acquire);
    unsigned int same = common_bits(node->key, key, node->position), value;

    if (same < node->position) {
        r->n_bits = same + 1;
        return NULL;
    }
    value = bits_at(key, node->position);
    if (prefixes) {
        note_lengths(r, node->position, prefixes, value);
    }
    if (!(children >> value & 1)) {
        r->n_bits = node->position + telling_bits(prefixes, children, value);
        return NULL;
    }
    return follow(child_at(t, node, value), key, r);
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
    for (uint32_t left = children_of(node); left; left &= left - 1) {
        free_nodes(t, rcu_get_protected(child_at(t, node, __builtin_ctz(left))));
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
