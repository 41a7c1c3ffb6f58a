#include "classifier/trie.h"

#include <stdlib.h>
#include <string.h>

struct trie_node {
    RCU_PTR(struct trie_node) children[2]; /* By the bit behind the prefix; null: none. */
    uint32_t length;                       /* Of the prefix, in bits. */
    _Atomic uint32_t n;                    /* How often this prefix was added; 0: prefixes part here. */
    uint32_t key[];                        /* As many words as the trie's keys have. */
};

void
trie_init(struct trie *t, unsigned int width)
{
    rcu_set(&t->root, NULL);
    t->width = width;
}

static unsigned int
bit_at(const uint32_t *key, unsigned int i)
{
    return key[i / 32] >> (31 - i % 32) & 1;
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

static struct trie_node *
make_node(const struct trie *t, const union trie_key *key, unsigned int length, uint32_t n)
{
    unsigned int n_words = t->width / 32;
    struct trie_node *node = xzalloc(sizeof *node + n_words * sizeof node->key[0]);

    node->length = length;
    atomic_store_explicit(&node->n, n, memory_order_relaxed);
    memcpy(node->key, key->words, n_words * sizeof node->key[0]);
    return node;
}

void
trie_add(struct trie *t, const union trie_key *key, unsigned int length)
{
    RCU_PTR(struct trie_node) *at = &t->root;
    struct trie_node *node, *fork;

    while ((node = rcu_get_protected(at)) != NULL) {
        unsigned int same = common_bits(node->key, key->words, MIN(node->length, length));

        if (same < node->length) {
            break;
        }
        if (same == length) {
            atomic_fetch_add_explicit(&node->n, 1, memory_order_relaxed);
            return;
        }
        at = &node->children[bit_at(key->words, node->length)];
    }
    if (!node) {
        rcu_set(at, make_node(t, key, length, 1));
        return;
    }
    /* Above 'node': either the new prefix ends there, or both part there. */
    fork = make_node(t, key, common_bits(node->key, key->words, MIN(node->length, length)), 0);
    rcu_set(&fork->children[bit_at(node->key, fork->length)], node);
    if (fork->length == length) {
        atomic_store_explicit(&fork->n, 1, memory_order_relaxed);
    } else {
        rcu_set(&fork->children[bit_at(key->words, fork->length)], make_node(t, key, length, 1));
    }
    rcu_set(at, fork);
}

/* Takes out a node that stands for no prefix and has at most one child. */
static void
unlink_idle(RCU_PTR(struct trie_node) *at)
{
    struct trie_node *node = rcu_get_protected(at);
    struct trie_node *left = rcu_get_protected(&node->children[0]), *right = rcu_get_protected(&node->children[1]);

    if (!atomic_load_explicit(&node->n, memory_order_relaxed) && !(left && right)) {
        rcu_set(at, left ? left : right);
        rcu_defer(free, node);
    }
}

void
trie_remove(struct trie *t, const union trie_key *key, unsigned int length)
{
    RCU_PTR(struct trie_node) *at = &t->root, *above = NULL;
    struct trie_node *node = rcu_get_protected(at);

    while (node->length < length) {
        above = at;
        at = &node->children[bit_at(key->words, node->length)];
        node = rcu_get_protected(at);
    }
    if (atomic_fetch_sub_explicit(&node->n, 1, memory_order_relaxed) == 1) {
        unlink_idle(at);
        if (above) {
            unlink_idle(above); /* The place where both parted. */
        }
    }
}

void
trie_lookup_rcu(const struct trie *t, const union trie_key *key, struct trie_result *r)
{
    const struct trie_node *node = rcu_get(&t->root), *next;

    *r = (struct trie_result) { .n_bits = 0 };
    for (; node; node = next) {
        unsigned int same = common_bits(node->key, key->words, node->length), side;

        if (same < node->length) {
            r->n_bits = same + 1;
            return;
        }
        if (atomic_load_explicit(&node->n, memory_order_relaxed)) {
            r->lengths[same / 64] |= UINT64_C(1) << same % 64;
        }
        r->n_bits = same;
        if (same == t->width) {
            return;
        }
        side = bit_at(key->words, same);
        next = rcu_get(&((struct trie_node *) node)->children[side]);
        if (!next && rcu_get(&((struct trie_node *) node)->children[!side])) {
            r->n_bits = same + 1;
        }
    }
}

static void
free_nodes(void *node_)
{
    struct trie_node *node = node_;

    /* As deep as keys are wide. */
    for (int i = 0; i < 2; i++) {
        if (rcu_get_protected(&node->children[i])) {
            free_nodes(rcu_get_protected(&node->children[i]));
        }
    }
    free(node);
}

void
trie_clear(struct trie *t)
{
    struct trie_node *root = rcu_get_protected(&t->root);

    rcu_set(&t->root, NULL);
    if (root) {
        rcu_defer(free_nodes, root);
    }
}
