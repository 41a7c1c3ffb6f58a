/* What a search goes through: the subtables in order, and the tries of tracked prefixes, published as one.  Private to
 * the classifier.
 *
 * Where there are many subtables, sets of them (bit N: entry N of the order) say which a search may pass over without
 * looking at each: those with a prefix of a length that the packet has not got, once the bits that tell so have been
 * noted, and with them what stages before the prefix look at.  Those of which a joint (joint.h) has said that they lack
 * the packet's addresses are passed over one by one. */
#ifndef CLASSIFIER_ORDER_H
#define CLASSIFIER_ORDER_H 1

#include "classifier/joint.h"

/* Sets are made from this many subtables on, and know of this many. */
enum { CLS_SETS_FROM = 8, CLS_MAX_SET_WORDS = 16 };

/* How many joints are told apart; the number of those beyond that, and of no joint. */
enum { CLS_N_JOINTS = 64, CLS_OTHER_JOINT = CLS_N_JOINTS };

/* How many different beginnings of masks are told apart; the number of those beyond that. */
enum { CLS_N_HEADS = 8, CLS_OTHER_HEAD = CLS_N_HEADS };

struct cls_tracked {
    enum field_id field;
    uint16_t offset;         /* Of the field in struct flow, in bytes. */
    uint8_t width;           /* In bits. */
    uint8_t stage;           /* enum cls_stage: before which the trie is asked. */
    be16 eth_type;           /* Packets of another type do not have the field; 0: all have it. */
    struct trie *trie;       /* Shared by the orders that have it; the classifier's newest order owns it. */
};

struct cls_order_entry {
    struct cls_subtable *subtable;
    int max_priority;
    uint8_t lengths[CLS_MAX_PREFIXES]; /* Of the subtable's prefix of each tracked field; 0: none. */
    uint8_t head;                      /* A number for what its mask has up to layer 2. */
    uint8_t joint;                     /* The number of its joint, */
    uint32_t member;                   /* and its bits there. */
};

struct cls_length { uint8_t field, length; };

/* As small as may be: while rules come, many orders are made that wait for their readers at the same time. */
struct cls_sets {
    size_t n_words, n;            /* Words of each set; lengths. */
    struct cls_length *lengths;   /* By field: those that are asked first come first.  Behind the words. */
    uint64_t words[];
};

/* The set of the entries with the same head; of those with a prefix of that of the lengths. */
static inline uint64_t *
cls_sets_head(struct cls_sets *s, unsigned int head)
{
    return &s->words[head * s->n_words];
}

static inline uint64_t *
cls_sets_length(struct cls_sets *s, size_t i)
{
    return &s->words[(CLS_N_HEADS + i) * s->n_words];
}

struct cls_order {
    struct cls_sets *sets;   /* Null: too few subtables, or none has prefixes. */
    unsigned int n_tracked;
    struct cls_tracked tracked[CLS_MAX_PREFIXES];
    size_t n;
    struct cls_order_entry entries[];
};

/* A new order with room for 'n' subtables and none in it; the tracked fields are those of 'like', null: none. */
struct cls_order *cls_order_create(size_t n, const struct cls_order *like);
/* Adds a subtable that is none of 'order' yet, and its lengths. */
void cls_order_add(struct cls_order *, struct cls_subtable *);
/* When all are in: sorts by falling highest priority, equals as they were added, and makes the sets. */
void cls_order_finish(struct cls_order *);
void cls_order_free(void *);

/* Finds the lengths of the subtable's prefixes of the tracked fields. */
void cls_order_set_lengths(const struct cls_order *, struct cls_subtable *);

/* The field's bytes as a key of its trie. */
static inline void
cls_tracked_read(const struct cls_tracked *t, const char *at, union trie_key *key)
{
    for (unsigned int i = 0; i * 32 < t->width; i++) {
        be32 word;

        memcpy(&word, at + 4 * i, sizeof word);
        key->words[i] = be32_to_cpu(word);
    }
}

/* The field in a flow, in the values of a node of a subtable. */
static inline void
cls_tracked_key(const struct cls_tracked *t, const struct flow *flow, union trie_key *key)
{
    cls_tracked_read(t, (const char *) flow + t->offset, key);
}

static inline void
cls_tracked_node_key(const struct cls_tracked *t, const struct cls_subtable *st, const struct cls_node *node,
                     union trie_key *key)
{
    uint64_t words[3]; /* As many as 128 bits may touch. */

    cls_node_get_words(st, node, t->offset / 8, DIV_ROUND_UP(t->offset % 8u + t->width / 8u, 8), words);
    cls_tracked_read(t, (const char *) words + t->offset % 8, key);
}

#endif
