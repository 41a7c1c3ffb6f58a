/* Flow-mods that have been decoded and checked, kept until they are carried out.
 *
 * A bundle's messages come while whoever sends them is busy with the next; what is done with them then is not done
 * while it waits for the commit.  Of an add the rule is made, but for its times, and its match is made ready for
 * insertion (classifier.h): what is left is what depends on the tables.  Any other flow-mod, and an add that asks for a
 * look at what it overlaps, is packed: its match takes only the words that have bits (flow/match.h).
 *
 * They are read in the order in which they were put, once each, and go as they are read.  What is not read is released
 * by RCU's thread, since a million of them are not released in one turn of the main loop.
 *
 * Only flow-mods whose decoding depends on nothing that may change until then can be kept.
 *
 * Threads: main thread. */
#ifndef OFPROTO_PREPARED_H
#define OFPROTO_PREPARED_H 1

#include "ofproto/rule.h"
#include "openflow/flow_mod.h"

struct prepared_store;
struct packed_flow_mod;

/* Begins as zeros. */
struct prepared_flows {
    struct prepared_store *store; /* Null: none were put. */
    size_t n_bytes;               /* What all that were put take. */
};

struct prepared_flow {
    size_t at, len;               /* Its message's place and length. */
    struct rule *rule;            /* Of an add: it is in no table, and without times and bridge.  Null: packed. */
    union {
        struct cls_ready match;   /* The rule's. */
        struct packed_flow_mod *packed;
    };
};

void prepared_flows_uninit(struct prepared_flows *); /* Empties it. */

/* Keeps the flow-mod of the message that is 'at' bytes from the first, and has 'len'; each time farther.  It uses no
 * tunnel options and names a table that there is, or any. */
void prepared_flows_put(struct prepared_flows *, size_t at, size_t len, const struct flow_mod *);

/* The flow-mod of the message at 'at', if it is there; what is before it goes.  Null: it has to be decoded.  Valid
 * until the next call. */
struct prepared_flow *prepared_flows_take(struct prepared_flows *, size_t at);

/* The caller has taken the rule out, together with what is in its match. */
static inline void
prepared_flow_forget(struct prepared_flow *f)
{
    f->rule = NULL;
    f->packed = NULL;
}

/* What was packed.  '*fm' points into it, and needs no flow_mod_uninit(). */
void prepared_flow_unpack(const struct prepared_flow *, struct flow_mod *fm);

/* The one that is 'n' behind that which was taken last, for whoever makes memory ready; null if there is none, or it is
 * far (n is small). */
const struct prepared_flow *prepared_flows_ahead(const struct prepared_flows *, unsigned int n);

#endif
