/* Things that come and go, in the order of their coming, for walks in steps that are to see them as they were when the
 * walk began.
 *
 * A walk meets each thing that was there at its beginning exactly once: when it gets there, or when the thing goes
 * before that.  What comes later it does not meet.  To begin a walk takes no time, to remove a thing as much as there
 * are walks under way.
 *
 * The nodes live inside of the things and walks.  Nothing here allocates or locks. */
#ifndef BASE_ROLL_H
#define BASE_ROLL_H 1

#include "base/list.h"

struct roll {
    struct list entries;    /* struct roll_entry, by rising number. */
    struct list walks;      /* struct roll_walk: those under way. */
    uint64_t n_added;       /* Ever. */
};

struct roll_entry {
    struct list node;       /* In roll->entries. */
    uint64_t number;        /* So many came before it. */
};

struct roll_walk {
    struct list node;       /* In roll->walks. */
    const struct roll *roll;
    struct roll_entry *next; /* Null: it has met all. */
    uint64_t end;           /* Those with lower numbers are met. */
    void (*meet)(struct roll_walk *, struct roll_entry *); /* Changes nothing of the roll. */
};

void roll_init(struct roll *);
void roll_add(struct roll *, struct roll_entry *);
void roll_remove(struct roll *, struct roll_entry *);

void roll_walk_begin(struct roll_walk *, struct roll *, void (*meet)(struct roll_walk *, struct roll_entry *));
/* Meets up to 'n' more; true when it is through. */
bool roll_walk_step(struct roll_walk *, unsigned int n);
/* At any time after the beginning, once. */
void roll_walk_end(struct roll_walk *);

#endif
