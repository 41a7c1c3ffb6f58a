/* How the hash tables of a subtable grow (subtable.h): a table is moved to a bigger one in steps, small ones at once.
 * Private to the classifier. */
#ifndef CLASSIFIER_GROWTH_H
#define CLASSIFIER_GROWTH_H 1

#include "base/util.h"

enum { CLS_MIN_SLOTS = 4, CLS_MOVES = 8, CLS_SMALL = 256, CLS_PAGE = 4096 };

/* Slots for a table with 'n' entries that is to take the place of one with 'n_old' slots, 'each' for an entry at least:
 * those come too that are added while it is made. */
static inline size_t
cls_size_for(size_t n, size_t n_old, size_t each)
{
    size_t n_slots = CLS_MIN_SLOTS;

    while (n_slots < (n + 1 + n_old / CLS_MOVES) * each) {
        n_slots *= 2;
    }
    return n_slots;
}

/* Writes to the next page of a table's 'size' bytes of slots, none of which is in use yet; true once it has written to
 * all. */
static inline bool
cls_touch(void *slots, size_t size, size_t *n_touched)
{
    if (*n_touched < size) {
        ((volatile char *) slots)[*n_touched] = 0;
        *n_touched += CLS_PAGE;
    }
    return *n_touched >= size;
}

#define CLS_TOUCH(TABLE) \
    cls_touch((TABLE)->slots, ((TABLE)->mask + 1) * sizeof (TABLE)->slots[0], &(TABLE)->n_touched)

/* How many slots have been moved after the next step. */
static inline size_t
cls_end_of_step(size_t n_moved, size_t n_slots)
{
    return n_slots <= CLS_SMALL ? n_slots : MIN(n_moved + CLS_MOVES, n_slots);
}

#endif
