/* Which flows' time may be up.
 *
 * What it is
 * ----------
 * A wheel of seconds: rules with a timeout stand in the slot of the second in which their time is up at the earliest.
 * Those of the next NEAR seconds have a slot for each second, others one for NEAR seconds.  Packets and "learn" put a
 * rule's end off; nobody moves it for that: when its slot comes it is looked at, and put where it belongs now.  So a
 * second costs what the slots that come hold, whatever else there is.
 *
 * Once a second the slots that have come go to 'checking', which is worked off in slices of turns of the main loop,
 * each with a change of the tables of its own.  A rule whose idle timeout seems to be over, while packets may not have
 * been credited yet, waits for the revalidator's next sweep.
 *
 * While a request changes the tables in steps (change_request.h) nothing expires.
 *
 * Threads: the caller holds tables_mutex, but where it is said otherwise. */
#ifndef OFPROTO_EXPIRY_H
#define OFPROTO_EXPIRY_H 1

#include <pthread.h>

#include "base/list.h"
#include "sys/loop.h"

struct ofproto;
struct rule;

enum { EXPIRY_NEAR = 256, EXPIRY_FAR = 256 }; /* Together more than the longest timeout. */

struct expiry {
    struct list near[EXPIRY_NEAR];  /* struct rule 'expirable': by second. */
    struct list far[EXPIRY_FAR];    /* The same, by EXPIRY_NEAR seconds. */
    struct list checking;           /* To be looked at now. */
    struct list waiting;            /* For a sweep. */
    int64_t at;                     /* Second up to which slots have come. */
    struct loop_wake wake;
    pthread_mutex_t mutex;          /* Of 'closed'. */
    struct rule **closed;           /* Whose timeouts were reduced, referenced. */
    size_t n_closed, closed_capacity;
};

void expiry_init(struct ofproto *);
void expiry_stop(struct ofproto *);   /* Nothing expires any more.  Main thread. */
void expiry_uninit(struct ofproto *); /* All rules have gone. */

/* A rule comes.  It goes by list_remove(&rule->expirable). */
void expiry_note_added(struct rule *);
/* "fin_timeout" has reduced its timeouts.  Any thread, without tables_mutex. */
void expiry_note_reduced(struct rule *);

/* When its time is up, as things are: ms; INT64_MAX: never. */
int64_t expiry_of(const struct rule *);

/* Looks at those that expiry_note_reduced() was told of so far. */
void expiry_look_at_reduced(struct ofproto *);

/* Calls 'cb' for each rule with a timeout. */
void expiry_for_each(const struct ofproto *, void (*cb)(void *aux, struct rule *), void *aux);

/* Once a second; after a sweep, if something waits for it.  Main thread, without tables_mutex. */
void expiry_run(struct ofproto *);
void expiry_run_waiting(struct ofproto *);

#endif
