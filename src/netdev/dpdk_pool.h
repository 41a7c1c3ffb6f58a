/* Packets that DPDK's devices receive into.
 *
 * Making them takes some tens of milliseconds, as their memory is used for the first time then: dpdk_pool_prepare() has
 * it done beside the main loop, before the device is made.  A pool that is given back lives until the last of its
 * packets has come home from wherever it went (another device's ring, a queue of fragments).
 *
 * Threads: main thread. */
#ifndef NETDEV_DPDK_POOL_H
#define NETDEV_DPDK_POOL_H 1

#include "base/util.h"

struct rte_mempool;

/* What a device needs: 'n' packets with room for a frame of 'frame' bytes, and those of the capture that its 'devargs'
 * replay. */
struct dpdk_pool_size {
    unsigned int n;
    unsigned int frame;
    const char *devargs;
};

/* Whether such a pool is ready; if not, it is being made, and 'done' is called by another thread when it is. */
bool dpdk_pool_prepare(const struct dpdk_pool_size *, void (*done)(void *aux), void *aux);
/* The one that is ready if it is large enough, or a new one; null with rte_errno set. */
struct rte_mempool *dpdk_pool_get(const struct dpdk_pool_size *);
/* Whether a pool of the one size, for the same device, serves the other. */
bool dpdk_pool_is_enough(const struct dpdk_pool_size *has, const struct dpdk_pool_size *wants);
void dpdk_pool_put(struct rte_mempool *); /* Null is allowed. */
/* Releases those that were given back and whose packets have come home. */
void dpdk_pools_sweep(void);

#endif
