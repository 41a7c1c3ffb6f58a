/* Which values up to a stage the nodes of a subtable have: a set of their hashes, with a number for each.  Private to
 * the classifier.
 *
 * Threads: one writer; *_rcu() any reader. */
#ifndef CLASSIFIER_STAGE_SET_H
#define CLASSIFIER_STAGE_SET_H 1

#include "sys/slot_table.h"

/* Each hash in the upper half of a slot, and its number in the lower.  All zero: empty. */
struct cls_stage_set {
    struct slot_table table;
};

/* Nobody reads it any more. */
void cls_stage_set_uninit(struct cls_stage_set *);

/* What goes with the hash; 0: it is not there. */
uint32_t cls_stage_set_get_rcu(const struct cls_stage_set *, uint64_t hash);
/* Asks for the memory that this will read. */
void cls_stage_set_prefetch_rcu(const struct cls_stage_set *, uint64_t hash);
/* All that the set tells hashes apart by. */
static inline uint32_t cls_stage_set_key(uint64_t hash) { return (uint32_t) hash | 1; }

/* Adds to what goes with the hash, or subtracts from it what was added; at 0 the hash is gone. */
void cls_stage_set_add(struct cls_stage_set *, uint64_t hash, uint32_t number);
void cls_stage_set_subtract(struct cls_stage_set *, uint64_t hash, uint32_t number);

#endif
