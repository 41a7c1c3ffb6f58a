/* A queue whose first element is the one that comes before all others: a binary heap whose nodes live inside the
 * elements and know their places, so that any of them can be taken out or moved in logarithmic time.
 *
 * Which of equal elements comes first is nobody's promise.  The queue owns the array of places, not the elements. */
#ifndef BASE_PQUEUE_H
#define BASE_PQUEUE_H 1

#include <stdbool.h>
#include <stddef.h>

struct pqueue_node {
    size_t at;  /* Place in pqueue->nodes. */
};

struct pqueue {
    struct pqueue_node **nodes;
    size_t n, capacity;
    bool (*before)(const struct pqueue_node *, const struct pqueue_node *); /* The order; strict. */
};

#define PQUEUE_INIT(BEFORE) { .before = (BEFORE) }

void pqueue_uninit(struct pqueue *); /* The elements stay as they are. */

void pqueue_insert(struct pqueue *, struct pqueue_node *);
void pqueue_remove(struct pqueue *, struct pqueue_node *);
/* What the order goes by has changed for one element. */
void pqueue_fix(struct pqueue *, struct pqueue_node *);

/* Null if it is empty. */
static inline struct pqueue_node *pqueue_first(const struct pqueue *q) { return q->n ? q->nodes[0] : NULL; }

#endif
