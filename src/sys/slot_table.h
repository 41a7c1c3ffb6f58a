/* Hash tables of slots of 64 bits, read without locks, that grow without stopping the writer for long.
 *
 * When a table has become full, a bigger one is begun beside it, and each insertion moves a few slots there, of a small
 * one all; what changes in slots that have been moved changes in both.  Readers see the old one until the new one is
 * whole, so that a lookup is always one in one table.  Before slots are moved, insertions clear the new one's memory, a
 * page each: clearing all of it at once, and what the system does at the first use of a page, would hold up the writer
 * for milliseconds.
 *
 * What a slot means, and moving one, are the user's.  Of those that are in use some may be of what is gone; a table
 * that is full of them is replaced in the same way by one without.
 *
 * Threads: one writer, which does not go on using an array after an insertion; any reader of 'now'. */
#ifndef SYS_SLOT_TABLE_H
#define SYS_SLOT_TABLE_H 1

#include "base/util.h"
#include "sys/rcu.h"

enum { SLOT_TABLE_MIN = 4, SLOT_TABLE_MOVES = 8, SLOT_TABLE_SMALL = 256, SLOT_TABLE_PAGE = 4096 };

struct slot_array {
    size_t mask;                 /* Number of slots less one. */
    size_t n_cleared;            /* Bytes of slots; the writer's. */
    _Atomic uint64_t slots[];    /* 0: empty. */
};

/* All zero: empty.  At most UINT32_MAX slots. */
struct slot_table {
    RCU_PTR(struct slot_array) now; /* Null: nothing ever was in it. */
    /* The writer's. */
    struct slot_array *next;        /* The bigger one that is being made; null: none. */
    uint32_t n_used, n_live;        /* Slots in use, also of what is gone; only of what is there. */
    uint32_t n_next_used, n_moved;  /* Slots of 'next' in use; slots of 'now' that have been moved. */
};

/* How full a table may become ('part' of 'whole' slots) before the next one is begun, and slots for each entry in that,
 * at least.  Until it is whole, an eighth of the slots (SLOT_TABLE_MOVES) and few more are used. */
struct slot_growth { unsigned int part, whole, each; };

/* Before an insertion, in this order: makes room for one more, and says whether some slots are to be moved to 'next',
 * those from 'n_moved' up to slot_table_end_of_step(); says that they have been. */
bool slot_table_make_room(struct slot_table *, struct slot_growth);
size_t slot_table_end_of_step(const struct slot_table *);
void slot_table_have_moved(struct slot_table *, size_t end);
/* Nobody reads it any more. */
void slot_table_uninit(struct slot_table *);

/* Whether what changes in slot 'at' of 'now' is to be changed in 'next', too. */
static inline bool
slot_table_has_moved(const struct slot_table *t, size_t at)
{
    return t->next && at < t->n_moved;
}

static ALWAYS_INLINE uint64_t
slot_at(const struct slot_array *slots, size_t i)
{
    return atomic_load_explicit(&((struct slot_array *) slots)->slots[i], memory_order_relaxed);
}

static ALWAYS_INLINE const struct slot_array *
slot_table_get_rcu(const struct slot_table *t)
{
    return rcu_get(&((struct slot_table *) t)->now);
}

#endif
