/* "controller(pause)" and NXT_RESUME: frozen states as the continuations that controllers keep and send back.
 *
 * A continuation is opaque to controllers, but it comes back from outside: it is decoded and checked like any message,
 * and names its bridge by a UUID.
 * Standards: ovs-actions(7) "controller". */
#ifndef OFPROTO_RESUME_H
#define OFPROTO_RESUME_H 1

#include "base/bytes.h"
#include "openflow/version.h"

struct frozen_state;

/* Appends the continuation's properties. */
void continuation_put(struct bytes *, enum of_version, const struct frozen_state *, uint32_t odp_in_port);

#endif
