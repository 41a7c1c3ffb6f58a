/* Types "dpdkvhostuser" and "dpdkvhostuserclient": the network queues of a virtual machine, shared by memory (the
 * vhost-user protocol, QEMU's docs/interop/vhost-user.rst; queues: VIRTIO 1.2 §2.7, §2.8, §5.1), by DPDK's vhost
 * library.
 *
 * What it is
 * ----------
 * A port is a socket.  "dpdkvhostuser" listens on one named like the port, in 'vhost-sock-dir'; "dpdkvhostuserclient"
 * connects to the one in option vhost-server-path, which the machine's monitor listens on, and does so again whenever
 * it was lost.  When the other side has shared its memory and its queues, the port has a link.  What the machine sends
 * is received from its transmit queues, and the other way around; each pair of queues that it has is a receive and a
 * transmit queue of the port.
 *
 * Options: vhost-server-path, tx-retries-max (how often what found no room in the machine's queue is tried again at
 * once, 0 to 32).
 *
 * How it works
 * ------------
 * The library has a thread of its own that reads the socket and calls us when a device comes, goes, or one of its
 * queues is enabled; we note it and wake the main loop, which asks the datapath to take up as many queues as there are.
 * The frames themselves we take out of the machine's memory and put into it (netdev/virtqueue.h), but for what only
 * the library can do (netdev/vhost_machine.h).  Before a device goes, and while a message is read that may change its
 * memory, it is hidden from the workers, and everybody who may still be at it is waited for.  Pages of a machine that
 * is moved here and that have not come yet: netdev/vhost_faults.h; memory that it takes back: netdev/lost_memory.h.
 *
 * Offloads: a packet whose checksum is still to be computed keeps that request, both ways, if the machine takes it;
 * what it does not take is done before.  Frames to be segmented come only with netdev_vhost_settings.tso.
 *
 * Threads: as netdev.h; a transmit queue that several workers share has a lock.
 * Limits: no notification to wait for, so a polling worker serves it; huge frames need mergeable buffers. */
#ifndef NETDEV_VHOST_H
#define NETDEV_VHOST_H 1

#include "netdev/netdev.h"

/* Open_vSwitch.other_config; what counts for a port is what holds when its socket is made. */
struct netdev_vhost_settings {
    const char *sock_dir; /* Below the run directory; null: the run directory. */
    bool iommu;           /* vhost-iommu-support */
    bool postcopy;        /* vhost-postcopy-support */
    bool tso;             /* userspace-tso-enable */
};
/* Main thread; the texts are copied. */
void netdev_vhost_configure(const struct netdev_vhost_settings *);

void netdev_vhost_register(void);

#endif
