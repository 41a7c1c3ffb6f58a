/* From a flow to a frame: the packet that ofproto/trace -generate, netdev-dummy/receive and compose-packet make.
 *
 * Lengths and checksums are right; what the flow does not say is zero.  As the reference does: no transport header in a
 * later fragment; by default 64 bytes (0, 1, 2...) of payload for UDP, for TCP without SYN, FIN or RST, and for ICMP
 * echo.
 *
 * Threads: pure functions. */
#ifndef FLOW_COMPOSE_H
#define FLOW_COMPOSE_H 1

#include "base/bytes.h"
#include "flow/flow.h"

enum { FLOW_DEFAULT_L7 = 64 };

/* Appends a frame for 'flow' to 'frame' (empty before).  'l7' is the payload; null: 'l7_len' bytes of the default
 * pattern.  flow_compose_default() takes FLOW_DEFAULT_L7 of those where the protocol has any.  With 'bad_csum' the
 * checksums are wrong on purpose. */
void flow_compose(const struct flow *flow, const void *l7, size_t l7_len, bool bad_csum, struct bytes *frame);
static inline void
flow_compose_default(const struct flow *flow, struct bytes *frame)
{
    flow_compose(flow, NULL, FLOW_DEFAULT_L7, false, frame);
}

/* Makes the frame in 'frame', composed from 'flow', 'size' bytes long by adding payload of zeros (or cutting it), and
 * corrects lengths and checksums. */
void flow_compose_resize(const struct flow *flow, size_t size, struct bytes *frame);

#endif
