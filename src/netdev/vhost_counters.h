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
    uint64_t tx_failed, tx_too_long, tx_retried, rx_lost, rx_policed, tx_policed;
};

/* Whose counters they are. */
struct vhost_counted {
    int vid;              /* Below 0: there is no device. */
    unsigned int n_pairs; /* Of queues. */
    const struct virtqueue_counters *rings; /* What we have counted for each of them. */
    bool by_library;      /* The library serves them, and counts. */
};

/* Packets and bytes of the device, which there is. */
void vhost_counters_sum(const struct vhost_counted *, struct netdev_stats *);
/* All others, in order of their names. */
void vhost_counters_each(const struct vhost_counted *, const struct vhost_own_counters *, netdev_counter_cb *,
                         void *aux);

#endif
