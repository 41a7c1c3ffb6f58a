/* Packets that DPDK's devices receive into, and those that wait in their transmit queues.
 *
 * Devices share pools
 * -------------------
 * A device takes a share in a pool whose packets have the room that its frames need and that is on its NUMA node: as
 * many packets as its queues may hold.  Rooms are rounded up, so that devices with like MTUs meet; what is said by
 * shared-mempool-config rounds them further.  A pool is made for POOL_SHARES shares like the first one (for one, where
 * memory does not suffice), and with some packets besides for what is on its way; where no pool has a share left,
 * another one is made.  So no device can take the packets that the queues of another need.  A device has a pool of its
 * own with per-port-memory, and where it replays a capture, which stays in the pool as a whole.
 *
 * Making a pool takes some tens of milliseconds, as its memory is used for the first time then: dpdk_pool_prepare() has
 * it done beside the main loop, before the device is made or changed.  A pool that nobody has a share in any more lives
 * until the last of its packets has come home from wherever it went (another device's ring, a queue of fragments).
 *
 * Threads: main thread. */
#ifndef NETDEV_DPDK_POOL_H
#define NETDEV_DPDK_POOL_H 1

#include "base/util.h"

struct rte_mempool;
struct dpdk_pool;

/* Open_vSwitch.other_config; what counts for a pool is what holds when it is looked for. */
struct dpdk_pool_settings {
    bool per_port;      /* per-port-memory */
    const char *shared; /* shared-mempool-config: "MTU[:NODE]", separated by commas; null: none. */
};
/* The text is copied; what is wrong with it is said in the log, and it has no effect then. */
void dpdk_pool_configure(const struct dpdk_pool_settings *);

/* What a device needs: 'n' packets for frames at its MTU, on a NUMA node. */
struct dpdk_pool_size {
    unsigned int n;
    int mtu, node;
    const char *devargs;
};

/* What a device has; all zero: nothing. */
struct dpdk_share {
    struct dpdk_pool *pool;
    unsigned int n;
};

/* Whether dpdk_share_fit() will not have to make a pool; if not, one is being made, and 'done' is called by another
 * thread when it is.  'has' may be null. */
bool dpdk_pool_prepare(const struct dpdk_share *has, const struct dpdk_pool_size *, void (*done)(void *aux), void *aux);
/* Makes the share what is needed; false with rte_errno set if there is no memory, and it is what it was then.  The
 * device's queues must not be in use: its pool may be another one afterwards. */
bool dpdk_share_fit(struct dpdk_share *, const struct dpdk_pool_size *) MUST_CHECK;
void dpdk_share_release(struct dpdk_share *);
struct rte_mempool *dpdk_share_mempool(const struct dpdk_share *); /* Null: it has none. */

/* Releases pools that nobody has a share in and whose packets have come home. */
void dpdk_pools_sweep(void);

#endif
