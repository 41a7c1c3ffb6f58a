/* A statistics reply about many things that have numbers (ports, groups, meters), made in steps of the main loop.
 *
 * It tells of those that were there when the request came, in the order of their numbers.  What has gone when its turn
 * comes may be left out; what has come since then is not in it, so that nothing is told of twice.
 *
 * The order is that of a heap, which is made and emptied in steps: all that the request itself takes is to note each of
 * them.
 *
 * Threads: main. */
#ifndef OFPROTO_LISTING_H
#define OFPROTO_LISTING_H 1

#include "base/pqueue.h"
#include "ofproto/ofconn.h"

struct listed {
    uint32_t id;
    uint32_t rank;  /* Its place in the order. */
    void *thing;    /* The user's; null: it is looked for by its number. */
    struct pqueue_node node;
};

struct listing_ops {
    enum msg_type reply;
    uint32_t first;  /* The number that comes first, before 0 if that is not 0 itself. */
    /* Appends the entry of one; false if it has gone. */
    bool (*put)(struct ofconn *, struct bytes *out, enum of_version, const struct listed *);
    void (*release)(void *thing);  /* Null: nothing is to be done for things. */
};

struct listing {
    struct listed *all;  /* Owned. */
    size_t n, capacity;
};
#define LISTING_INIT { NULL, 0, 0 }

/* Makes room for 'n' in one piece, before the first. */
void listing_reserve(struct listing *, size_t n);
void listing_add(struct listing *, uint32_t id, void *thing);

/* Answers 'request' with the list, which it takes over and leaves empty, once the handler is done. */
void listing_reply(struct ofconn *, const struct msg *request, const struct listing_ops *, struct listing *);

#endif
