/* A subtable: the rules of one mask.  Private to the classifier.
 *
 * The mask is kept as words, sorted by stage; a word with bits of two stages is there twice.  The values of a rule are
 * kept in the same order, but each word once, in a "node" that all rules with the same values share, chained by falling
 * priority.  The hash of values is computed word by word of the mask, so that its state after each stage is the key of
 * that stage's set (stage_set.h; the one before ports is shared, joint.h).
 *
 * Hash tables grow in steps (sys/slot_table.h).
 *
 * Threads: one writer; *_rcu() any reader. */
#ifndef CLASSIFIER_SUBTABLE_H
#define CLASSIFIER_SUBTABLE_H 1

#include "base/hash.h"
#include "base/hmap.h"
#include "classifier/classifier.h"
#include "classifier/stage_set.h"
#include "classifier/trie.h"

enum cls_stage { STAGE_METADATA, STAGE_L2, STAGE_L3, STAGE_L4, N_STAGES };

struct cls_word {
    uint64_t mask;
    uint32_t index; /* Of the word in struct flow, */
    uint32_t place; /* and among the values of a node. */
};

/* A mask as words: what the subtables that have it, of all tables, have in common. */
struct cls_shape {
    struct hmap_node by_mask;    /* In a set of shapes (ready.c). */
    struct word_map map;
    uint32_t mask_hash;
    uint32_t ports_mask;         /* As in struct cls_subtable. */
    uint8_t ends[N_STAGES];
    unsigned int n_words, n_values; /* Of nodes. */
    struct cls_word words[];
};

/* Rules with the same mask and values. */
struct cls_node {
    RCU_PTR(struct cls_rule) first; /* By falling priority (chain.h). */
    struct cls_subtable *subtable;  /* Null while it is in none. */
    _Atomic uint32_t n_refs;        /* Of each rule until cls_rule_uninit(), which comes after all readers. */
    uint32_t n_rules : 31, has_index : 1; /* Of the chain (chain.h); the writer's. */
    uint64_t values[];              /* One for each word of struct flow that the subtable's words have bits of. */
};

/* In a slot: the node, and 16 bits of its hash above. */
#define SLOT_REMOVED UINT64_C(1)
#define SLOT_TAG_SHIFT 48

struct cls_subtable {
    /* Read by searches. */
    uint8_t ends[N_STAGES];      /* Where each stage's words end. */
    uint32_t ports_mask;         /* Of source (upper half) and destination port, host order; 0: no ports. */
    struct slot_table nodes;
    struct cls_stage_set stages[STAGE_L3]; /* With each hash, how many nodes have it.  Empty where it would not tell. */
    RCU_PTR(struct cls_joint) joint; /* Of what comes before ports; null: none. */
    uint8_t member;              /* Its number there. */
    struct trie ports;           /* Of both ports under the mask. */
    /* The writer's. */
    size_t n_taken;              /* Nodes that ever were in it. */
    _Atomic int64_t n_refs;      /* Minus the nodes that have been released; once the classifier has let go of it,
                                  * how many are left.  So a node comes without an atomic operation. */
    size_t n_rules;
    struct word_map map;         /* Of the mask. */
    uint32_t mask_hash;
    bool is_given_up;            /* Nobody finds it any more: its rules are only still to be removed. */
    uint8_t lengths[CLS_MAX_PREFIXES]; /* As in cls_order_entry. */
    int max_priority;            /* Of the rules; higher while 'n_max' is 0. */
    size_t n_max;                /* How many rules have it. */
    struct list in_order;        /* struct cls_rule. */
    struct hmap *chains;         /* Indexes of long chains (chain.h); null: there never was one. */
    unsigned int n_words, n_values;
    struct cls_word words[];
};

/* The hash of the flow's values in words 'from' to 'end' - 1, going on from 'h'. */
static ALWAYS_INLINE uint64_t
cls_hash(const struct cls_subtable *st, const struct flow *flow, unsigned int from, unsigned int end, uint64_t h)
{
    for (unsigned int i = from; i < end; i++) {
        h = hash_add_word(h, flow_word(flow, st->words[i].index) & st->words[i].mask);
    }
    return h;
}

/* The same up to each stage. */
static ALWAYS_INLINE void
cls_hash_stages(const struct cls_subtable *st, const struct flow *flow, uint64_t hashes[N_STAGES])
{
    unsigned int done = 0;
    uint64_t h = 0;

    for (unsigned int stage = 0; stage < N_STAGES; done = st->ends[stage++]) {
        hashes[stage] = h = cls_hash(st, flow, done, st->ends[stage], h);
    }
}

/* 'map' is the mask's; 'mask_hash' its cls_mask_hash().  To be freed. */
struct cls_shape *cls_shape_create(const struct flow *mask, const struct word_map *map, uint32_t mask_hash);

struct cls_subtable *cls_subtable_create(const struct cls_shape *);
/* The classifier lets go of it, which stays until its last node is released: for rcu_defer(). */
void cls_subtable_let_go(void *);
/* Drops a reference. */
void cls_node_unref(struct cls_node *);

uint32_t cls_mask_hash(const struct flow *mask, const struct word_map *map);
/* Whether words are of this mask. */
bool cls_words_have_mask(const struct cls_word *, unsigned int n, const struct flow *mask, const struct word_map *map);
bool cls_subtable_has_mask(const struct cls_subtable *, const struct flow *mask, const struct word_map *map);
bool cls_subtable_has_shape(const struct cls_subtable *, const struct cls_shape *);
/* The subtable's mask, expanded; 'm' is all zero before. */
void cls_subtable_get_mask(const struct cls_subtable *, struct flow *m);
/* A node of no subtable with the flow's values in these words, and its release. */
struct cls_node *cls_node_create(const struct cls_word *, unsigned int n_words, unsigned int n_values,
                                 const struct flow *);
void cls_node_discard(struct cls_node *, unsigned int n_values);
size_t cls_node_size(unsigned int n_values);
/* The hash of its values in these words. */
uint64_t cls_node_hash(const struct cls_node *, const struct cls_word *, unsigned int n_words);
/* The same up to each stage. */
void cls_node_hash_stages(const struct cls_subtable *, const struct cls_node *, uint64_t hashes[N_STAGES]);
/* The values of a node, expanded; 'm' is all zero before. */
void cls_node_get_flow(const struct cls_node *, struct flow *m);
/* The values of words 'first' to 'first' + 'n' - 1 of the flow, 'words', in a node of this subtable. */
void cls_node_get_words(const struct cls_subtable *, const struct cls_node *, unsigned int first, unsigned int n,
                        uint64_t *words);

/* The node with the flow's values, null if there is none.  'hash' is cls_hash() of all words. */
struct cls_node *cls_subtable_find_rcu(const struct cls_subtable *, const struct flow *flow, uint64_t hash);

/* Whether it is of use to know which values nodes have up to this stage: it has bits, and is not the last one. */
static inline bool
cls_stage_is_useful(const struct cls_subtable *st, enum cls_stage stage)
{
    return st->ends[stage] > (stage ? st->ends[stage - 1] : 0) && st->ends[stage] < st->n_words;
}

/* The same for the values of a node. */
struct cls_node *cls_subtable_find_same_rcu(const struct cls_subtable *, const struct cls_node *, uint64_t hash);

/* Asks for the memory that these will read: the sets of stages and the slots of nodes. */
void cls_subtable_prefetch_rcu(const struct cls_subtable *, const uint64_t hashes[N_STAGES]);

/* The same for the slots alone; 'hash' is that of all words. */
void cls_subtable_prefetch_nodes_rcu(const struct cls_subtable *, uint64_t hash);

/* A node that may be that of the hash, unread; null: there is none. */
const struct cls_node *cls_subtable_guess_rcu(const struct cls_subtable *, uint64_t hash);

/* Puts a rule in with the values of 'node', which is of no subtable yet: it becomes one of this, or is discarded where
 * there is one with the same values.  'hash' is that of all of them. */
void cls_subtable_insert(struct cls_subtable *, struct cls_rule *, struct cls_node *node, uint64_t hash);
/* Takes it out again. */
void cls_subtable_remove(struct cls_subtable *, struct cls_rule *);

/* Both ports as a key of 'ports'. */
static inline union trie_key
cls_ports_key(be16 tp_src, be16 tp_dst, uint32_t mask)
{
    return (union trie_key) { .words = { ((uint32_t) be16_to_cpu(tp_src) << 16 | be16_to_cpu(tp_dst)) & mask } };
}

#endif
