/* The rate limit of packet-ins to one controller (ovs-vswitchd.conf.db(5), Controller Rate Limiting).
 *
 * A token bucket of 'burst' tokens gains 'rate' of them a second; each message sent takes one.  Without a token, or
 * while others wait, a message is queued under the port its packet came from.  Queued messages leave as tokens come,
 * the ports taking turns.  'burst' messages can wait; one more drops the oldest of the port that has most.
 *
 * Pure: no clock, no socket; the owner calls pin_sched_pop() when pin_sched_due() says so.
 * Threads: one. */
#ifndef OFPROTO_PIN_SCHED_H
#define OFPROTO_PIN_SCHED_H 1

#include "base/bytes.h"
#include "base/list.h"
#include "flow/port.h"

struct pin_sched {
    int rate, burst;          /* Messages a second, and at once; 0: no limit. */
    int64_t tokens;           /* In thousandths. */
    int64_t last_fill;        /* ms */
    struct list turns;        /* struct pin_port: those with messages, whose turn is next first. */
    size_t n_queued;
    uint64_t n_bypassed, n_ever_queued, n_dropped;
};

void pin_sched_init(struct pin_sched *);
void pin_sched_uninit(struct pin_sched *);

/* Sets the limit; a burst of 0 is a quarter of the rate.  A new limit starts with a full bucket and no messages. */
void pin_sched_configure(struct pin_sched *, int rate, int burst, int64_t now);

/* True if the message may be sent now; otherwise it has been taken over, and '*msg' is empty. */
bool pin_sched_submit(struct pin_sched *, int64_t now, ofp_port port, struct bytes *msg) MUST_CHECK;

/* Takes a message whose time has come; false if there is none. */
bool pin_sched_pop(struct pin_sched *, int64_t now, struct bytes *msg) MUST_CHECK;

/* When the next message may leave, ms; INT64_MAX while none waits. */
int64_t pin_sched_due(const struct pin_sched *);

#endif
