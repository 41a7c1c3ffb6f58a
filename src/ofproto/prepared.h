/* Flow-mods that have been decoded and checked, kept until they are carried out.
 *
 * A bundle's messages come while whoever sends them is busy with the next; what is done with them then is not done
 * while it waits for the commit.  A flow-mod is kept as short as it can be: only the words of its match that have bits
 * (flow/match.h).  They are read in the order in which they were put, once each, and go as they are read: the rules
 * that are made of them get their memory, and a million of them are not released in one turn of the main loop.  What is
 * not read is released by RCU's thread, for the same reason.
 *
 * Only flow-mods whose decoding depends on nothing that may change until then can be kept.
 *
 * Threads: main thread. */
#ifndef OFPROTO_PREPARED_H
#define OFPROTO_PREPARED_H 1

#include "openflow/flow_mod.h"

/* Begins as zeros. */
struct prepared_flows {
    struct prepared *first, *last; /* Null: none. */
    size_t n_bytes;                /* What they take. */
};

void prepared_flows_uninit(struct prepared_flows *); /* Empties it. */

/* Keeps the flow-mod of the message that is 'at' bytes from the first; each time farther. */
void prepared_flows_put(struct prepared_flows *, size_t at, const struct flow_mod *);

struct prepared_flow {
    struct flow_mod fm;
    struct word_map words;         /* The words of its match; all others are zero. */
};

/* Where they are read to: one, and the one behind it, which the caller may make ready for.  Begins as zeros. */
struct prepared_reader {
    struct prepared_flow flows[2];
    unsigned int now;              /* Which of them was taken last; the other is the next one, */
    const struct prepared *next;   /* if this is not null. */
};

/* The flow-mod of the message at 'at', if it is there; what is before it goes.  Valid until the next call.  Null: it
 * has to be decoded. */
const struct flow_mod *prepared_flows_take(struct prepared_flows *, size_t at, struct prepared_reader *);
/* The one behind it; null if there is none. */
static inline const struct prepared_flow *
prepared_flows_next(const struct prepared_reader *r)
{
    return r->next ? &r->flows[!r->now] : NULL;
}

#endif
