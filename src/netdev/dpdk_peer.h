/* Devices of DPDK whose memory is shared with a peer (memif, also as a member of a bonded device), and what happens
 * when the peer comes and goes.
 *
 * What it is
 * ----------
 * When a peer disconnects or dies, a thread of DPDK's marks the connection as down, and unmaps the peer's rings and
 * buffers.  It does not wait for a worker that is amid a burst there, which then reads memory that is gone: the end of
 * the switch (a segmentation fault, with DPDK 22.11).  So a burst of such a device holds a lock of its queue, and
 * between the mark, after which bursts touch nothing, and the unmapping DPDK's thread waits until each of these locks
 * has been free once.
 *
 * When a peer connects, that thread maps its memory, marks the connection as up, and then the link.  A burst looks for
 * the rings first and at the mark afterwards: one that began before the mapping would use no address at all.  So none
 * begins before the link is up, which it is not any more once DPDK's thread has waited.
 *
 * How it works
 * ------------
 * Between mark and unmapping the driver calls rte_intr_callback_unregister() for the connection's socket.  The program
 * has a function of that name, which drivers find before the library's: it waits, and then calls the library's.
 * (Nobody else calls it often enough for the wait to matter.)
 *
 * What drivers forget
 * -------------------
 * Who connects to memif's socket and leaves before he is greeted has his descriptor closed, though DPDK's thread is
 * still to wait for it: it ends the program when it finds that it cannot.  And the socket itself stays waited for when
 * its last port has been removed.  In both cases the driver frees the handle (rte_intr_instance_free(), of which the
 * program has one, too): a callback that is still registered then is unregistered first (the counter
 * netdev_dpdk_forgotten_callback).
 *
 * Limits
 * ------
 * A driver that is linked into a library of the program, or that unmaps first, is not stopped: the tests see whether
 * memif's still is (the counter netdev_dpdk_peer_gone).  A bonded device's link says nothing of each member: there a
 * peer that comes back before the bonded device has seen that it had gone is still a danger.  A peer that takes its
 * memory back: netdev/lost_memory.h.
 *
 * Threads: watch and unwatch main thread; the wait is in any thread that holds none of the queues' locks. */
#ifndef NETDEV_DPDK_PEER_H
#define NETDEV_DPDK_PEER_H 1

#include "netdev/dpdk_device.h"

/* From here on 'd', if devices of this driver may have a peer, is waited for. */
void dpdk_peer_watch(struct dpdk_device *d, const char *driver_name);
/* No more; nothing happens if it is not watched. */
void dpdk_peer_unwatch(struct dpdk_device *d);

/* Whether a burst of 'd', which has a peer, may begin.  Any thread, with the queue's lock. */
static inline bool
dpdk_peer_is_there(const struct dpdk_device *d)
{
    struct rte_eth_link link;

    return d->peer == DPDK_PEER_OF_MEMBER || (!rte_eth_link_get_nowait(d->port, &link) && link.link_status);
}

#endif
