#include "base/pqueue.h"

#include <stdlib.h>

#include "base/util.h"

static void
put(struct pqueue *q, size_t i, struct pqueue_node *node)
{
    q->nodes[i] = node;
    node->at = i;
}

void
pqueue_fix(struct pqueue *q, struct pqueue_node *node)
{
    size_t i = node->at;

    while (i && q->before(node, q->nodes[(i - 1) / 2])) {
        put(q, i, q->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (size_t child; (child = 2 * i + 1) < q->n; i = child) {
        if (child + 1 < q->n && q->before(q->nodes[child + 1], q->nodes[child])) {
            child++;
        }
        if (!q->before(q->nodes[child], node)) {
            break;
        }
        put(q, i, q->nodes[child]);
    }
    put(q, i, node);
}

void
pqueue_insert(struct pqueue *q, struct pqueue_node *node)
{
    if (q->n == q->capacity) {
        q->nodes = x2nrealloc(q->nodes, &q->capacity, sizeof *q->nodes);
    }
    put(q, q->n++, node);
    pqueue_fix(q, node);
}

void
pqueue_remove(struct pqueue *q, struct pqueue_node *node)
{
    struct pqueue_node *last = q->nodes[--q->n];

    if (last != node) {
        put(q, node->at, last);
        pqueue_fix(q, last);
    }
}

void
pqueue_uninit(struct pqueue *q)
{
    free(q->nodes);
    q->nodes = NULL;
    q->n = q->capacity = 0;
}
