/* What a search goes through: the subtables in order, and the tries of tracked prefixes, published as one.  Private to
 * the classifier. */
#ifndef CLASSIFIER_ORDER_H
#define CLASSIFIER_ORDER_H 1

#include "classifier/subtable.h"

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
};

struct cls_order {
    unsigned int n_tracked;
    struct cls_tracked tracked[CLS_MAX_PREFIXES];
    size_t n;
    struct cls_order_entry entries[];
};

/* The length of the prefix that the mask has of the field; 0 if the mask is no prefix or has nothing of it. */
unsigned int cls_tracked_length(const struct cls_tracked *, const struct flow *mask);

/* The field in a flow as a key of its trie. */
static inline void
cls_tracked_key(const struct cls_tracked *t, const struct flow *flow, union trie_key *key)
{
    const char *at = (const char *) flow + t->offset;

    for (unsigned int i = 0; i * 32 < t->width; i++) {
        be32 word;

        memcpy(&word, at + 4 * i, sizeof word);
        key->words[i] = be32_to_cpu(word);
    }
}

#endif
