/* The stages that a burst goes through (STYLE: one function for a vector of packets).
 *
 * parse -> the last burst's megaflow -> signature cache -> megaflow tables -> upcalls -> actions -> (recirculated
 * packets: again, one deeper)
 *
 * Runs inside an RCU read section: allocates nothing, locks nothing, logs nothing, but for misses. */
#ifndef DATAPATH_USER_BURST_H
#define DATAPATH_USER_BURST_H 1

#include "datapath/user/exec.h"
#include "datapath/user/worker.h"

typedef uint32_t burst_mask;

/* Parses the packets received on 'in_port' and processes them. */
void burst_receive_rcu(struct worker *, struct burst *, be32 in_port);

/* The same, where the port's device may have marked some of them. */
void burst_receive_marked_rcu(struct worker *, struct burst *, be32 in_port, const struct marks *);

/* Processes a burst whose keys are complete; 'depth' is that of its packets. */
void burst_process_rcu(struct worker *, struct burst *, unsigned int depth);

/* Whether packets may use the megaflow, after asking the switch if it is in doubt. */
bool upcall_may_use_rcu(struct worker *, struct dp_flow *);

/* Asks the switch about a packet and carries out the answer (upcall.c).  Takes over the packet.  'since': when it was
 * looked for, as in megaflow_put_missed(); 0 is always right.  Returns the megaflow that has come by that, which may be
 * gone again; null: none. */
struct dp_flow *upcall_miss_rcu(struct worker *, struct burst *, unsigned int i, uint64_t since, unsigned int depth);
void upcall_action_rcu(struct worker *, struct exec *, const struct program *, const struct op *);

#endif
