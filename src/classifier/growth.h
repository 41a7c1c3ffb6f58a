/* Hash tables of slots of 64 bits that grow without stopping the writer for long.  Private to the classifier.
 *
 * When a table has become full, a bigger one is begun beside it, and each insertion moves a few slots there, of a small
 * one all; what changes in slots that have been moved changes in both.  Readers see the old one until the new one is
 * whole.  Before that, insertions write to the new one's pages, one each: the system takes a page that is read first
 * for one of zeros that all share, and has to interrupt all processors when that is written to later; this may hold up
 * the writer for milliseconds.
 *
 * What a slot means, and moving one, are the user's (subtable.h, stage_set.h).
 *
 * Threads: one writer; any reader of 'now'. */
#ifndef CLASSIFIER_GROWTH_H
#define CLASSIFIER_GROWTH_H 1

#include "base/util.h"
#include "sys/rcu.h"

enum { CLS_MIN_SLOTS = 4, CLS_MOVES = 8, CLS_SMALL = 256, CLS_PAGE = 4096 };

struct cls_slots {
    size_t mask;
    size_t n_touched;            /* Bytes whose pages have been written to. */
    _Atomic uint64_t slots[];    /* 0: empty. */
};

/* All zero: empty. */
struct cls_table {
    RCU_PTR(struct cls_slots) now; /* Null: nothing ever was in it. */
    /* The writer's. */
    size_t n_used, n_live;       /* Slots in use, also of what is gone; only of what is there. */
    struct cls_slots *next;      /* The bigger one that is being made; null: none. */
    size_t n_next_used, n_moved; /* Its slots in use; slots of 'now' that have been moved. */
};

/* How full a table may become ('part' of 'whole' slots), and slots for each entry in the next one, at least. */
struct cls_growth { unsigned int part, whole, each; };

/* Before an insertion, in this order: makes room for one more, and says whether some slots are to be moved to 'next',
 * those from 'n_moved' up to cls_table_end_of_step(); says that they have been. */
bool cls_table_make_room(struct cls_table *, struct cls_growth);
size_t cls_table_end_of_step(const struct cls_table *);
void cls_table_have_moved(struct cls_table *, size_t end);
/* Nobody reads it any more. */
void cls_table_uninit(struct cls_table *);

/* Whether what changes in slot 'at' of 'now' is to be changed in 'next', too. */
static inline bool
cls_table_has_moved(const struct cls_table *t, size_t at)
{
    return t->next && at < t->n_moved;
}

static ALWAYS_INLINE uint64_t
cls_slot(const struct cls_slots *slots, size_t i)
{
    return atomic_load_explicit(&((struct cls_slots *) slots)->slots[i], memory_order_relaxed);
}

static ALWAYS_INLINE const struct cls_slots *
cls_table_get_rcu(const struct cls_table *t)
{
    return rcu_get(&((struct cls_table *) t)->now);
}

#endif
