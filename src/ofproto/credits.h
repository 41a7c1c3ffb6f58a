/* Whom the packets of megaflows count for, and the states that these keep alive: what a translation says of that
 * (xlate_out.credits, xlate_out.frozen), shared by all megaflows of which it is the same.
 *
 * The list is cut into pieces of CREDITS_PIECE; pieces and lists are hash-consed.  In a long pipeline nearly all pieces
 * are shared: those of the tables that look at where a packet comes from, those of the tables that look at where it
 * goes.  A piece holds one reference on each rule, group and so on that it names, however many share it.
 *
 * What they count for rules and tables is not given to those at once where many packets count for the same: whoever
 * looks at counters of rules or tables, or at when rules were used last, calls credits_settle() before.
 *
 * Immutable.  Threads: any; one mutex inside. */
#ifndef OFPROTO_CREDITS_H
#define OFPROTO_CREDITS_H 1

#include "ofproto/xlate/xlate.h"

enum { CREDITS_PIECE = 8 };

struct credits;

/* The credits of a translation, with a reference for the caller; what is dying already is left out.  In the RCU read
 * section of the translation. */
struct credits *credits_get_rcu(const struct xlate_out *) MUST_CHECK;

void credits_unref(struct credits *);

/* Adds 'delta' to everything that they name.  'is_offloaded': a device has a part in the megaflow, which is counted of
 * rules. */
void credits_push(const struct credits *, const struct dp_flow_stats *delta, bool is_offloaded);

/* The same for the packet of the translation 'out' that the credits are of, in its RCU read section: also to what was
 * dying. */
void credits_push_first_rcu(const struct credits *, const struct xlate_out *out, const struct dp_flow_stats *delta);

/* All that was added before this call has reached the rules and tables. */
void credits_settle(void);

/* The credits, in order: those of piece number 'i', null behind the last one. */
const struct xlate_credit *credits_piece(const struct credits *, size_t i, size_t *n);

/* Why and where packets are dropped, if they are; else null. */
const struct xlate_drop *credits_drop(const struct credits *);

/* How many lists and pieces there are: for tests. */
size_t credits_count(void);

/* Adds 'delta' to everything that is named. */
void xlate_credit_stats(const struct xlate_credit *, size_t n, const struct dp_flow_stats *delta);

#endif
