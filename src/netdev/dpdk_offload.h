/* What DPDK's devices do themselves for packets: look at checksums, compute them, cut long TCP frames.
 *
 * Receiving
 * ---------
 * What a device has found out about a checksum is in the mbuf's flags, and stays there (packet_csum_is_verified()).
 * A checksum that nobody has computed, since the packet has never been on a wire (virtio devices have such), becomes a
 * partial one.
 *
 * Sending
 * -------
 * A packet with a partial checksum, or one that is to be cut, has its headers described in the mbuf if the device takes
 * that; others never come here (netdev.offloads).  TCP frames are given to the device to be cut only where the settings
 * say so (userspace-tso-enable), since many drivers are slower when they may have to.  A device that reads packets out
 * of memory by itself, or whose peer does, cannot read ours that are longer than PACKET_ROOM: these are copied into
 * chains out of its own pool.
 *
 * Threads: any, but for the choice, which is the main thread's while the device is stopped.
 * Limits: UDP frames are cut by software; tags are inserted by software, when the action is carried out, where the
 * frame is in the cache and twelve bytes move. */
#ifndef NETDEV_DPDK_OFFLOAD_H
#define NETDEV_DPDK_OFFLOAD_H 1

#include "packet/packet.h"

struct dpdk_device;
struct rte_eth_dev_info;

struct dpdk_offloads {
    uint64_t rx, tx;    /* RTE_ETH_[RT]X_OFFLOAD_*, as the device is configured. */
    bool reads_memory;  /* Packets must be in DPDK's memory. */
    uint64_t tx_flags;  /* Of packets that dpdk_offload_send() must see; 0: it need not be called. */
    unsigned int takes; /* NETDEV_TAKES_*. */
};

/* What a device is to do.  'tso': frames are to be cut by it. */
struct dpdk_offloads dpdk_offload_choose(const struct rte_eth_dev_info *, bool is_virtual, bool tso);

/* Packets from a device with offloads.rx. */
void dpdk_offload_receive(struct packet **, unsigned int n);

/* Makes packets ready for queue 'q' of a device with offloads.tx_flags; how many there are then, at the front.  The
 * others are counted and freed. */
unsigned int dpdk_offload_send(struct dpdk_device *, unsigned int q, struct packet **, unsigned int n);

#endif
