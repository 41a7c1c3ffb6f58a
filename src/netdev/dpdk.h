/* Type "dpdk": any DPDK Ethernet device, physical or virtual, named by option "dpdk-devargs": a PCI address, a driver
 * with arguments such as "net_pcap0,rx_pcap=FILE,infinite_rx=1", or "class=eth,mac=ADDRESS".
 *
 * Options: dpdk-devargs, n_rxq, n_rxq_desc, n_txq_desc, dpdk-lsc-interrupt, rx-flow-ctrl, tx-flow-ctrl,
 * flow-ctrl-autoneg, dpdk-vf-mac, rx-steering; all may change while the port exists.  The device is attached when it is
 * first configured and detached with the netdev.  It has no descriptor to wait for: its queues need a polling worker.
 *
 * Threads: as netdev.h; a transmit queue that several workers share has a lock.
 * Offloads: netdev/dpdk_offload.h.
 * Limits: physical devices have not been tried, nor flow control and representors, which they have alone. */
#ifndef NETDEV_DPDK_H
#define NETDEV_DPDK_H 1

#include "netdev/dpdk_pool.h"
#include "netdev/netdev.h"

/* Open_vSwitch.other_config. */
struct netdev_dpdk_settings {
    struct dpdk_pool_settings pools;
    bool tso; /* userspace-tso-enable; what counts for a device is what holds when it starts. */
    bool hw_offload; /* The same. */
};
/* Main thread; texts are copied. */
void netdev_dpdk_configure(const struct netdev_dpdk_settings *);

void netdev_dpdk_register(void);
/* The control commands dpdk/... and netdev-dpdk/... */
void netdev_dpdk_commands_register(void);

#endif
