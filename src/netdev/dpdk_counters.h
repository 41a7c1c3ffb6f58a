/* Counters of a "dpdk" port: the device's own, under the names that its driver gives them, and what the switch dropped.
 *
 * Of the driver's counters those of errors and drops are shown, and each queue's packets and bytes.
 *
 * Threads: main thread. */
#ifndef NETDEV_DPDK_COUNTERS_H
#define NETDEV_DPDK_COUNTERS_H 1

#include "netdev/dpdk_device.h"

int dpdk_counters_get(struct dpdk_device *, struct netdev_stats *);
/* All others, in order of their names. */
void dpdk_counters_each(const struct netdev *, netdev_counter_cb *, void *aux);

#endif
