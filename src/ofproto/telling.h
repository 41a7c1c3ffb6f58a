/* What connections are told of changes of the tables: flow monitors of each change, who wants it of flows that are
 * removed, and of tables that get full.
 *
 * A change puts down what there is to be told, under tables_mutex (flow_monitor_note(), note_removed(),
 * vacancy_note()).  The main thread takes all of that at once, which is a round, and tells it in slices of turns of its
 * loop: first the monitors' part, then the removed flows, then the tables.  What comes meanwhile is the next round's.
 *
 * A barrier, and a request about monitors, waits for the end of the round that has what happened before it; its
 * connection is not read meanwhile.  So that what is to be told stays bounded, changes that controllers ask for wait
 * while it is more than TELLING_MUCH.
 *
 * A connection that ends takes what it was to be told with it.  Slow readers: flow_monitor.h, conns.h.
 *
 * Threads: main. */
#ifndef OFPROTO_TELLING_H
#define OFPROTO_TELLING_H 1

#include "ofproto/ofconn.h"

enum { TELLING_MUCH = 1 << 16 };

void telling_init(struct ofproto *);
void telling_stop(struct ofproto *); /* The main loop tells nothing any more. */

/* Tells the next part (null slice: all); whether that was all. */
bool telling_step(struct ofproto *, struct loop_slice *);

/* Whether a message has to wait until something has been told; conns_release() is called then. */
bool telling_holds(struct ofconn *, enum msg_type);

#endif
