/* Counters of a vhost-user port: what DPDK's vhost library and we count for each of the machine's queues, under the
 * library's names, and sums of it under the names of the statistics column.
 *
 * Threads: main thread. */
#ifndef NETDEV_VHOST_COUNTERS_H
#define NETDEV_VHOST_COUNTERS_H 1

#include "netdev/netdev.h"
#include "netdev/virtqueue.h"

/* What the port counts itself. */
struct vhost_own_counters {
    uint64_t tx_failed, tx_too_long, tx_retried, rx_policed, tx_policed;
};

/* Packets and bytes of the device 'vid' with that many pairs of queues; 'rings': what we have counted for each of its
 * queues ourselves. */
void vhost_counters_sum(int vid, unsigned int n_pairs, const struct virtqueue_counters *rings, struct netdev_stats *);
/* All others, in order of their names; 'vid' below 0: there is no device. */
void vhost_counters_each(int vid, unsigned int n_pairs, const struct virtqueue_counters *rings,
                         const struct vhost_own_counters *, netdev_counter_cb *, void *aux);

#endif
