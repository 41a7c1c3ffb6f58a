/* Flow monitors: a controller is told of every change of the flows it asked for.
 *
 * A change of the tables notes what has come and gone while tables_mutex is held (flow_monitor_note()); the main thread
 * sends the notes on in slices of turns of its loop, and the answer to a barrier waits for those before it (telling.h).
 * Nothing is noted while no connection has a monitor.
 *
 * A reader that is slow is paused: once more than PAUSE_BACKLOG bytes wait for it, it is told so, and from then on
 * only of deletions of flows that it knows.  When it has read all, it is told what has been added and modified
 * meanwhile, and that it is resumed.  Each noted change has a number, and a rule those of the changes that made it and
 * last changed it; so the number at the pause is all that has to be kept.
 *
 * The flows that are there already, and those that have changed during a pause, are told in steps, as the peer reads;
 * what happens meanwhile follows them, and may be a pause again.
 *
 * Standards: OpenFlow 1.4 §7.4.6; ONF extension 187; Nicira's of before. */
#ifndef OFPROTO_FLOW_MONITOR_H
#define OFPROTO_FLOW_MONITOR_H 1

#include "ofproto/ofconn.h"
#include "openflow/msg/monitor.h"

/* Notes that 'rule' was added, modified or, for 'reason', deleted by 'requester' (null: by the switch itself).  The
 * caller holds tables_mutex. */
void flow_monitor_note(struct rule *, enum monitor_event, uint8_t reason, const struct ofconn *requester);

/* For telling.h.  Sends the next of 'notes' (null slice: all of them) to whom they concern; whether those were all. */
bool flow_monitors_tell(struct ofproto *, struct list *notes, struct loop_slice *);
void flow_monitors_begin_round(struct ofproto *); /* Before the first of a round. */

/* The peer has read all: begins the end of a pause, if there is one, as the connection's job. */
void flow_monitors_resume(struct ofconn *);

/* The connection ends. */
void flow_monitors_destroy(struct ofconn *);

#endif
