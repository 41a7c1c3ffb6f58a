/* Changes of tables that may take longer than a turn of the main loop: those that controllers ask for (bundles,
 * flow-mods that search, deletions of groups and meters with the flows that use them), and the switch's own, when all
 * flows and groups go since those go, or come, to whom the tables belong (fail_open.h).
 *
 * What it is
 * ----------
 * A request is carried out in slices of a turn: it is staged as a long change (change.h), which nobody sees; published,
 * which all see at once; then its end is told, and the flows that it leaves to nobody (learned.h) go in the same way.
 * A small one is through within its first slice, in the handler.
 *
 * Meanwhile
 * ---------
 * Its connection is not read.  Of the others the messages that would change tables, or that show groups while the
 * request changes some, are held, and with them the rest of that connection: change_request_holds().  Dumps and packets
 * see the tables as they are before; once it is published, whoever asks waits until its end is told, so that nobody
 * sees counters that are on their way from a flow to its successor, and what follows it (meters that go, messages that
 * are forwarded) has been done.  Rules do not expire.
 * What the switch itself must change at once (change_requests_finish()) makes the rest of the request run in one turn.
 *
 * During a request of the switch's own all messages wait, also dumps: who has been told that the configuration is
 * carried out sees no flow that was there before.  So they do while such a request waits for another one to end.
 *
 * A flow that a packet teaches comes at once, and joins the request (change_join.c).
 *
 * A connection that ends meanwhile leaves its request to be carried out, as it would be if it had ended a moment later.
 *
 * Threads: main. */
#ifndef OFPROTO_CHANGE_REQUEST_H
#define OFPROTO_CHANGE_REQUEST_H 1

#include "ofproto/change.h"
#include "ofproto/learned.h"
#include "ofproto/ofconn.h"

struct change_request;

struct change_request_ops {
    /* Stages the next part: true once all is staged, or for an error in '*error'; anything for the peer goes to
     * r->out.  tables_mutex is held. */
    bool (*stage)(struct change_request *, struct loop_slice *, enum ofperr *error);
    /* Once the change is done and its end told, while others still wait: the next part of what follows it; true once
     * that is all.  Without the mutex.  Null: nothing does. */
    bool (*follow)(struct change_request *, struct loop_slice *);
    /* It is done or, for 'error', undone: says so in r->out.  Not called if change_request_run() returned true. */
    void (*answer)(struct change_request *, enum ofperr error);
    void (*destroy)(struct change_request *); /* Frees what it is embedded in. */
};

/* Embedded in what is asked for. */
struct change_request {
    const struct change_request_ops *ops;
    struct ofproto *p;
    bool is_own;                 /* The switch itself asks. */
    struct ofconn *c;            /* Who asked; null: gone, or nobody. */
    struct ofconn *as;           /* Its settings at that time, for whoever decodes its messages; owned.  Null: 'is_own'
                                  * is set. */
    struct tables_change change;
    enum { REQUEST_STAGE, REQUEST_UNDO, REQUEST_TELL, REQUEST_SETTLE, REQUEST_FOLLOW,
           REQUEST_DONE } phase;
    struct learned_run learned;  /* Of the flows that it leaves to nobody. */
    bool is_running;
    enum ofperr error;
    struct bytes out;
    struct ofconn_job job;       /* While it goes on: 'c' is busy. */
};

/* Begins it.  The bridge has no other. */
void change_request_begin(struct change_request *, const struct change_request_ops *, struct ofconn *);
void change_request_begin_own(struct change_request *, const struct change_request_ops *, struct ofproto *);
/* The same, once the one that the bridge has has come to its end, and runs it: it is no longer the caller's.  One that
 * waits already is destroyed: this one is to do all that it would have done. */
void change_request_begin_own_after(struct change_request *, const struct change_request_ops *, struct ofproto *);

/* Runs the first slice: true if that was all of it, with r->error and r->out for the caller, who then calls
 * change_request_destroy().  False: it goes on by itself, answers, and is destroyed. */
bool change_request_run(struct change_request *) MUST_CHECK;
void change_request_destroy(struct change_request *);

/* Whether a message of this type has to wait. */
bool change_request_holds(struct ofproto *, enum msg_type);

/* Carries out the rest of the bridge's request, if it has one, now. */
void change_requests_finish(struct ofproto *);

/* For ofproto->change_wake. */
void change_requests_on_wake(struct loop_wake *);

#endif
