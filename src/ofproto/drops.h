/* Why the pipeline drops packets, counted: what ovs-appctl why-drop reports.
 *
 * What it is
 * ----------
 * A bridge has a site for each distinct (reason, table, rule, in_port) that its packets have been dropped for, with a
 * count and the last packet that translation saw there.
 *
 * How it works
 * ------------
 * Translation says why a packet goes nowhere (struct xlate_drop); that is one more credit of the megaflow, which counts
 * when the megaflow's other statistics do (ofproto/megaflow.h).  So packets that a megaflow drops cost nothing here.
 * A miss that is dropped costs a lookup and a copy of its flow's lines that are in use.
 *
 * A site holds a reference to its rule, so that a rule which has gone can still be named.
 *
 * Threads: counting is any thread's, in an RCU read section; all else the main thread's.
 * Limits: DROPS_MAX_SITES for a bridge; when they are all in use, one that has not counted for a minute gives way, and
 * if there is none, what comes is counted together. */
#ifndef OFPROTO_DROPS_H
#define OFPROTO_DROPS_H 1

#include "base/bytes.h"
#include "ofproto/xlate/xlate.h"

enum { DROPS_MAX_SITES = 1024 };

struct drops *drops_create(void) MUST_CHECK;
/* Nothing is counted any more, and no rule is held.  Before the bridge's rules go. */
void drops_end(struct drops *);
/* Nobody can be reading any more.  Null is allowed. */
void drops_destroy(struct drops *);
/* The bridge is about to go: no packet names it any more. */
void drops_forget_packets(struct drops *, const struct xbridge *);

void drops_credit(const struct xlate_drop *, const struct dp_flow_stats *delta);
/* The packet that translation of 'flow' in 'bridge' dropped, at 'now'. */
void drops_saw(const struct xlate_drop *, struct xbridge *bridge, const struct flow *flow, int64_t now);

/* One site as it is now. */
struct drops_info {
    struct xlate_drop drop;
    uint64_t n_packets, n_bytes;
    int64_t used;            /* ms on clock_now_ms(). */
    struct xbridge *bridge;  /* Where the last packet came in; null: it is not known. */
    struct flow flow;        /* That packet: xlate_in.flow. */
};

/* Calls 'cb' for every site that has counted; what counted together has WHY_NONE.  In an RCU read section. */
void drops_for_each_rcu(struct drops *, void (*cb)(void *aux, const struct drops_info *), void *aux);

#endif
