/* A doubly linked list whose nodes live inside the elements.
 *
 * The list head is a node of its own.  Nothing here allocates or locks. */
#ifndef BASE_LIST_H
#define BASE_LIST_H 1

#include <sys/queue.h>

#include "base/util.h"

struct list {
    struct list *prev, *next;
};

#undef LIST_INIT /* That of <sys/queue.h>, which DPDK's headers bring in. */
#define LIST_INIT(L) { (L), (L) }

static inline void list_init(struct list *l) { l->prev = l->next = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }

/* Inserts 'node' before 'at': at the end, when 'at' is the head. */
static inline void
list_insert(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_push_back(struct list *l, struct list *node) { list_insert(l, node); }
static inline void list_push_front(struct list *l, struct list *node) { list_insert(l->next, node); }

/* Takes 'node' out and leaves it a list of its own, so that removing it again does no harm. */
static inline void
list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes out and returns the first node; the list must not be empty. */
static inline struct list *
list_pop_front(struct list *l)
{
    struct list *node = l->next;

    list_remove(node);
    return node;
}

/* Moves all nodes of 'from' to the end of 'to'. */
static inline void
list_splice(struct list *to, struct list *from)
{
    if (!list_is_empty(from)) {
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        list_init(from);
    }
}

static inline size_t
list_size(const struct list *l)
{
    size_t n = 0;

    for (const struct list *i = l->next; i != l; i = i->next) {
        n++;
    }
    return n;
}

/* The node of the element at 'p', whose member it is at 'offset': also where there is only the head of a list. */
static inline const struct list *
list_node_at(const void *p, size_t offset)
{
    return (const void *) ((const char *) p + offset);
}

/* Walks LIST with VAR, a pointer to the TYPE that holds the node as MEMBER.  The _SAFE form allows VAR's removal. */
#define LIST_IS_IN(VAR, TYPE, MEMBER, LIST) (list_node_at(VAR, offsetof(TYPE, MEMBER)) != (LIST))
#define LIST_FOR_EACH(VAR, TYPE, MEMBER, LIST) \
    for (TYPE *VAR = CONTAINER_OF((LIST)->next, TYPE, MEMBER); LIST_IS_IN(VAR, TYPE, MEMBER, LIST); \
         VAR = CONTAINER_OF(VAR->MEMBER.next, TYPE, MEMBER))
#define LIST_FOR_EACH_SAFE(VAR, TYPE, MEMBER, LIST) \
    for (TYPE *VAR = CONTAINER_OF((LIST)->next, TYPE, MEMBER), *VAR##_next; \
         LIST_IS_IN(VAR, TYPE, MEMBER, LIST) && (VAR##_next = CONTAINER_OF(VAR->MEMBER.next, TYPE, MEMBER), true); \
         VAR = VAR##_next)

#endif
