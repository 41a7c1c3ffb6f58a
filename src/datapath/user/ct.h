/* Connection tracking in the userspace datapath: the ct action compiled and carried out, and the thread of the clock
 * hand.  The tracker itself is conntrack/.
 *
 * A burst whose megaflow begins with ct goes through the tracker as one; other packets one by one.  Fragments that are
 * kept leave the program; when their packet is whole, each of them goes on behind the action that has released it. */
#ifndef DATAPATH_USER_CT_H
#define DATAPATH_USER_CT_H 1

#include "conntrack/conntrack.h"
#include "datapath/user/exec.h"

struct dp;

/* Reads the attributes of a ct action; an error that says what is malformed or unknown. */
struct error *ct_op_compile(const struct odp_attr *, struct ct_action *) MUST_CHECK;

/* Tracks the packet of 'x'; false if it is gone or kept.  The rest of the program, from 'next' on, is carried out here
 * for fragments that go on. */
bool ct_op_run_rcu(struct worker *, struct exec *x, const struct program *, const struct op *op, const struct op *end);

/* Tracks packets index[0..n-1] of a burst.  Returns a bitmap of those whose bytes were changed. */
uint32_t ct_op_run_burst_rcu(struct worker *, struct burst *, const struct ct_action *, const uint8_t *index,
                             unsigned int n);

/* The clock hand's thread of a datapath with threads. */
void ct_thread_start(struct dp *);
void ct_thread_stop(struct dp *);

#endif
