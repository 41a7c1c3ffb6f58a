/* The header-changing actions applied to a frame in plain memory: for packets that go to a controller, which are
 * rare. Packets on the fast path are changed by the datapaths.
 *
 * Threads: pure. */
#ifndef ODP_FRAME_H
#define ODP_FRAME_H 1

#include "base/bytes.h"

/* Carries out set, set_masked, push and pop of VLAN tags and MPLS labels, in order, with all checksums; other
 * actions are skipped.  A set for a header that the frame does not have (or only a part of) changes nothing. */
void odp_apply_to_frame(struct bytes *frame, const void *actions, size_t len);

#endif
