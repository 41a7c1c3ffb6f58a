/* A list whose head is one reference and which one enters at the front: base/list.h for what there is very much of.
 * Heads and links are parts of objects of slabs (sys/slab.h).
 *
 * Nothing here allocates or locks. */
#ifndef SYS_CHAIN_H
#define SYS_CHAIN_H 1

#include "sys/slab.h"

struct chain_link {
    slab_ref next;
    slab_ref at;    /* Of what refers to it: its predecessor's 'next', or the head's 'first'; 0: it is in no chain. */
};

struct chain {
    slab_ref first; /* 0: empty. */
};

static inline bool chain_is_empty(const struct chain *c) { return !c->first; }

/* Null: there is none. */
static inline struct chain_link *chain_first(const struct chain *c) { return slab_at(c->first); }
static inline struct chain_link *chain_next(const struct chain_link *link) { return slab_at(link->next); }

static inline void
chain_push(struct chain *c, struct chain_link *link)
{
    struct chain_link *next = chain_first(c);

    link->next = c->first;
    link->at = slab_ref_to(&c->first);
    c->first = slab_ref_to(link);
    if (next) {
        next->at = slab_ref_to(&link->next);
    }
}

/* Does nothing if it is in no chain, as all zero says. */
static inline void
chain_remove(struct chain_link *link)
{
    if (link->at) {
        struct chain_link *next = chain_next(link);

        *(slab_ref *) slab_at(link->at) = link->next;
        if (next) {
            next->at = link->at;
        }
        link->at = 0;
    }
}

/* Walks CHAIN with VAR, a pointer to the TYPE that holds the link as MEMBER.  The _SAFE form allows VAR's removal. */
#define CHAIN_ENTRY(LINK, TYPE, MEMBER) ((LINK) ? CONTAINER_OF(LINK, TYPE, MEMBER) : NULL)
#define CHAIN_FOR_EACH(VAR, TYPE, MEMBER, CHAIN) \
    for (TYPE *VAR = CHAIN_ENTRY(chain_first(CHAIN), TYPE, MEMBER); VAR; \
         VAR = CHAIN_ENTRY(chain_next(&VAR->MEMBER), TYPE, MEMBER))
#define CHAIN_FOR_EACH_SAFE(VAR, TYPE, MEMBER, CHAIN) \
    for (TYPE *VAR = CHAIN_ENTRY(chain_first(CHAIN), TYPE, MEMBER), *VAR##_next; \
         VAR && (VAR##_next = CHAIN_ENTRY(chain_next(&VAR->MEMBER), TYPE, MEMBER), true); VAR = VAR##_next)

#endif
