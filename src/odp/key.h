/* Key attributes (odp/action.h) and struct flow: which bytes of an attribute's payload are which of a flow.
 *
 * Payloads hold what the kernel's openvswitch module has there: integers that are not header fields (marks, priority,
 * hash, ports) in host order, header fields in network order.  The rows are in key.c.
 * Threads: pure. */
#ifndef ODP_KEY_H
#define ODP_KEY_H 1

#include "base/error.h"
#include "odp/action.h"

enum { ODP_KEY_MAX_SIZE = 64 };

/* Bytes of the payload; 0 for an attribute without a fixed layout here (tunnel, encap).  In netlink
 * NSH is nested (odp/nsh.h); here it is struct odp_key_nsh. */
size_t odp_key_size(enum odp_key);

/* Makes the payload of 'flow' (or of a mask); reads it back into 'flow', other members of which stay. */
void odp_key_from_flow(enum odp_key, const struct flow *flow, void *payload);
void odp_key_to_flow(enum odp_key, const void *payload, struct flow *flow);

/* Of the payloads 'now' and 'was' (of one kind): keeps in 'mask' the bits of the members that differ, with all bits in
 * which they do, and clears those of members that agree.  Returns whether any differs. */
bool odp_key_mask_changed(enum odp_key, const void *now, const void *was, void *mask);

/* The payloads (ODP_KEY_MAX_SIZE bytes of room) of a set or set_masked action and which key attribute it is; false if
 * it is malformed or of a kind without a fixed layout. */
bool odp_set_get(const struct odp_attr *set, enum odp_key *key, void *value, void *mask) MUST_CHECK;

/* The value and mask of a set or set_masked action ('a' is the action itself): the members that it sets in '*flow' and
 * '*mask' (zeroed first), and which key attribute.  False if it is malformed or of a kind without a fixed layout. */
bool odp_set_to_flow(const struct odp_attr *a, enum odp_key *key, struct flow *flow, struct flow *mask);

#endif
