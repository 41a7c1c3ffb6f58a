/* A trie of prefixes: which lengths of prefix a value has among those of a table's rules, and how many of its bits
 * tell.
 *
 * A node looks at four bits of the value, so a lookup among n random prefixes visits log16(n) nodes; where all prefixes
 * agree there are no nodes.  A node has all bits in front of its own, and bitmaps of which of the four bits' prefixes
 * were added, begin some that were, or have a child: so a change publishes one pointer.  A prefix is counted as often
 * as it was added.  In a trie of 32 bits one that would have a node of its own stands in place of the pointer to it.
 *
 * Keys are at most 128 bits, as words in host order, the first bit the highest one of key[0].
 *
 * Threads: one writer; *_rcu() any reader, who sees the trie before or after each change. */
#ifndef CLASSIFIER_TRIE_H
#define CLASSIFIER_TRIE_H 1

#include "sys/rcu.h"

struct trie_node;
typedef RCU_PTR(struct trie_node) trie_ptr;

struct trie {
    trie_ptr root;      /* Null: empty. */
    unsigned int width; /* Bits of a key: 32, 64 or 128. */
};

union trie_key {
    uint32_t words[4];
};

struct trie_result {
    uint64_t lengths[3];   /* Bit N: the value's first N bits are a prefix that was added; N from 1 to 128. */
    unsigned int n_bits;   /* The first N bits tell all of that. */
};

static inline bool
trie_result_has(const struct trie_result *r, unsigned int length)
{
    return r->lengths[length / 64] >> length % 64 & 1;
}

void trie_init(struct trie *, unsigned int width);
/* Releases the nodes after the readers are done. */
void trie_clear(struct trie *);

/* Adds, takes away one of, the prefixes with the first 'length' (at least 1) bits of 'key'; what is taken away must be
 * there. */
void trie_add(struct trie *, const union trie_key *key, unsigned int length);
void trie_remove(struct trie *, const union trie_key *key, unsigned int length);

void trie_lookup_rcu(const struct trie *, const union trie_key *key, struct trie_result *);

/* Lookups side by side: what a lookup waits for is the memory of one node after the other, so that several take hardly
 * longer than one.  The caller fills in the trie and the key. */
struct trie_walk {
    const struct trie *trie;
    const struct trie_node *node; /* Where it is; null: at its end. */
    union trie_key key;
    struct trie_result result;
};
enum { TRIE_MAX_WALKS = 8 };
void trie_lookup_all_rcu(struct trie_walk *, unsigned int n); /* At most TRIE_MAX_WALKS. */

#endif
