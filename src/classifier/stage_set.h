/* Which values up to a stage the nodes of a subtable have: a set of their hashes, with a number for each.  Private to
 * the classifier.
 *
 * Threads: one writer; *_rcu() any reader. */
#ifndef CLASSIFIER_STAGE_SET_H
#define CLASSIFIER_STAGE_SET_H 1

#include "sys/rcu.h"

/* Each hash in the upper half of a slot, and its number in the lower; 0 empty. */
struct cls_set {
    size_t mask;
    size_t n_touched; /* Bytes whose pages have been written to. */
    _Atomic uint64_t slots[];
};

/* All zero: empty. */
struct cls_stage_set {
    RCU_PTR(struct cls_set) set; /* Null: nothing ever was in it. */
    size_t n, n_live;            /* Slots in use, also of what is gone; only of what is there. */
    struct cls_set *next;        /* The bigger one that is being made; null: none. */
    size_t next_n, n_moved;      /* Its slots in use; slots of 'set' that have been moved. */
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
