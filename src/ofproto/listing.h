/* A statistics reply about many things that have numbers (ports, groups, meters), made in steps of the main loop.
 *
 * It tells of those that were there when the request came, in the order of their numbers.  A port that has gone when
 * its turn comes is left out; what has come since then is not in it, so that nothing is told of twice.
 *
 * The order is that of a heap, which is made and emptied in steps, as all things of a roll are noted in steps (those
 * that go meanwhile as they go): so nothing of this is one long turn.
 *
 * Threads: main. */
#ifndef OFPROTO_LISTING_H
#define OFPROTO_LISTING_H 1

#include "base/pqueue.h"
#include "base/roll.h"
#include "ofproto/ofconn.h"

struct listed {
    uint32_t id;
    uint32_t rank;  /* Its place in the order. */
    void *thing;    /* The user's; null: it is looked for by its number. */
    struct pqueue_node node;
};

struct listing {
    struct listed *all;  /* Owned. */
    size_t n, capacity;
};
#define LISTING_INIT { NULL, 0, 0 }

void listing_add(struct listing *, uint32_t id, void *thing);

struct listing_ops {
    enum msg_type reply;
    uint32_t first;  /* The number that comes first, before 0 if that is not 0 itself. */
    /* Appends the entry of one; false if it has gone. */
    bool (*put)(struct ofconn *, struct bytes *out, enum of_version, const struct listed *);
    void (*release)(void *thing);  /* Any thread, a reader; null: nothing is to be done for things. */
    /* For listing_reply_all(): adds the thing to the list. */
    void (*note)(struct listing *, struct roll_entry *);
};

/* Answers 'request', once the handler is done: with the list, which it takes over and leaves empty; with all 'n' that
 * the roll has. */
void listing_reply(struct ofconn *, const struct msg *request, const struct listing_ops *, struct listing *);
void listing_reply_all(struct ofconn *, const struct msg *request, const struct listing_ops *, struct roll *, size_t n);

#endif
