/* Whether two lists of actions do the same to every packet of a megaflow.
 *
 * What a masked set covers follows from what a translation looked at: it may set bits to what all packets of the
 * megaflow have already, and another translation with the same outcome leaves them out.  So the sets between two other
 * actions are taken together, without what is known to be so before them.
 *
 * It errs on one side only: lists that it calls equal are.  What changes headers in other ways (labels, whole headers,
 * connection tracking) makes everything unknown that was known of the packet, and nested lists are compared byte by
 * byte.
 *
 * Threads: pure. */
#ifndef ODP_EFFECT_H
#define ODP_EFFECT_H 1

#include "flow/flow.h"

/* Of packets that have the bits 'mask' of 'key', as the datapath has them. */
bool odp_same_effect(const void *a, size_t a_len, const void *b, size_t b_len, const struct flow *key,
                     const struct flow *mask);

#endif
