/* A list whose head is one pointer and which one enters at the front: base/list.h for what there is very much of.
 *
 * Nothing here allocates or locks. */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H 1

#include "base/util.h"

struct chain_link {
    struct chain_link *next;
    struct chain_link **at;  /* What points to it; null: it is in no chain. */
};

struct chain {
    struct chain_link *first; /* Null: empty. */
};

static inline bool chain_is_empty(const struct chain *c) { return !c->first; }

static inline void
chain_push(struct chain *c, struct chain_link *link)
{
    link->next = c->first;
    link->at = &c->first;
    if (link->next) {
        link->next->at = &link->next;
    }
    c->first = link;
}

/* Does nothing if it is in no chain, as all zero says. */
static inline void
chain_remove(struct chain_link *link)
{
    if (link->at) {
        *link->at = link->next;
        if (link->next) {
            link->next->at = link->at;
        }
        link->at = NULL;
    }
}

/* Walks CHAIN with VAR, a pointer to the TYPE that holds the link as MEMBER.  The _SAFE form allows VAR's removal. */
#define CHAIN_ENTRY(LINK, TYPE, MEMBER) ((LINK) ? CONTAINER_OF(LINK, TYPE, MEMBER) : NULL)
#define CHAIN_FOR_EACH(VAR, TYPE, MEMBER, CHAIN) \
    for (TYPE *VAR = CHAIN_ENTRY((CHAIN)->first, TYPE, MEMBER); VAR; \
         VAR = CHAIN_ENTRY(VAR->MEMBER.next, TYPE, MEMBER))
#define CHAIN_FOR_EACH_SAFE(VAR, TYPE, MEMBER, CHAIN) \
    for (TYPE *VAR = CHAIN_ENTRY((CHAIN)->first, TYPE, MEMBER), *VAR##_next; \
         VAR && (VAR##_next = CHAIN_ENTRY(VAR->MEMBER.next, TYPE, MEMBER), true); VAR = VAR##_next)

#endif
