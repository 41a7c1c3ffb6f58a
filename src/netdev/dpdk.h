/* Type "dpdk": any DPDK Ethernet device, physical or virtual, named by option "dpdk-devargs" (a PCI address, or a
 * driver
 * with arguments such as "net_pcap0,rx_pcap=FILE,infinite_rx=1").
 *
 * Options: dpdk-devargs, n_rxq, n_rxq_desc, n_txq_desc.  The device is attached when it is first configured and
 * detached
 * with the netdev.  It has no descriptor to wait for: its queues need a polling worker.
 *
 * Threads: as netdev.h; a transmit queue that several workers share has a lock.
 * Limits: no flow control, no link interrupts, no offloads yet; physical devices have not been tried. */
#ifndef NETDEV_DPDK_H
#define NETDEV_DPDK_H 1

#include "netdev/netdev.h"

void netdev_dpdk_register(void);

#endif
