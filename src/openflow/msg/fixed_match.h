/* The match structures of fixed size: OpenFlow 1.0's (40 bytes) and 1.1's (88 bytes); and the form that a version uses.
 *
 * They can say things that are no valid match (a port without a protocol): what a field needs and lacks is dropped in
 * 1.0 and refused or dropped in 1.1, as the reference does.  What they cannot say is left out on writing; the caller
 * has chosen a protocol that can express the match. */
#ifndef OPENFLOW_MSG_FIXED_MATCH_H
#define OPENFLOW_MSG_FIXED_MATCH_H 1

#include "flow/match.h"
#include "openflow/msg.h"
#include "openflow/oxm/oxm.h"

#define MATCH10_LEN 40
#define MATCH11_LEN 88

/* Reads MATCH10_LEN bytes.  '*exact' (null allowed): nothing is wildcarded, so that the priority is the highest. */
void match10_decode(const uint8_t *p, struct match *, bool *exact);
void match10_encode(struct bytes *, const struct match *);

/* Reads MATCH11_LEN bytes, type and length included. */
enum ofperr match11_decode(const uint8_t *p, struct match *) MUST_CHECK;
void match11_encode(struct bytes *, const struct match *);

/* Takes the match structure of 1.1 and later, or appends it. */
enum ofperr match_struct_take(struct cursor *, enum oxm_strictness, struct match *) MUST_CHECK;
void match_struct_put(struct bytes *, enum of_version, const struct match *);

/* Takes an NXM match of 'len' bytes and its padding. */
enum ofperr nx_match_take(struct cursor *, size_t len, enum oxm_strictness, struct match *,
                          struct oxm_cookie *) MUST_CHECK;
/* Appends an NXM match with its padding; returns its length without padding. */
size_t nx_match_put(struct bytes *, const struct match *, enum of_version, const struct oxm_cookie *);

#endif
