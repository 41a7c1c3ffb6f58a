/* Patch ports: two bridges joined in translation.  They carry no packets themselves; the bridge (ofproto/) keeps their
 * counters.  Option "peer" names the other end. */
#ifndef NETDEV_PATCH_H
#define NETDEV_PATCH_H 1

#include "netdev/netdev.h"

void netdev_patch_register(void);

/* The name of the peer, or null if 'n' is no patch port or has none. */
const char *netdev_patch_peer(const struct netdev *n);

/* Adds to a patch port's counters, from any thread. */
void netdev_patch_count(struct netdev *n, uint64_t rx_packets, uint64_t rx_bytes, uint64_t tx_packets,
                        uint64_t tx_bytes);

#endif
