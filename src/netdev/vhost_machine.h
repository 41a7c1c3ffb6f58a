/* A machine that is there: how frames get to and from its queues.
 *
 * Its rings are served by netdev/virtqueue.h where that can be; by DPDK's library where the machine wants what only the
 * library has: packed rings, an IOMMU, a log of the pages that are written (while it migrates).
 *
 * Threads: made and freed by the library's thread, when no other is at it; in between, see the functions. */
#ifndef NETDEV_VHOST_MACHINE_H
#define NETDEV_VHOST_MACHINE_H 1

#include "netdev/virtqueue.h"

/* The machine's queues of a pair: the even one is what it receives from. */
#define VRING_TX(PAIR) ((PAIR) * 2)
#define VRING_RX(PAIR) ((PAIR) * 2 + 1)

struct vhost_machine {
    int vid;                  /* The library's number for it. */
    bool is_served_by_library;
    struct virtqueue_memory memory;
    unsigned int n_rings;
    struct virtqueue rings[];     /* By the machine's numbers; those that it has not set up have no size. */
};

/* The machine with the library's number 'vid', and its first 'max_rings' rings; 'counters' has one for each of them;
 * 'may_segment': frames to be segmented are welcome. */
struct vhost_machine *vhost_machine_new(int vid, unsigned int max_rings, struct virtqueue_counters *counters,
                                        bool may_segment);
/* Tells the library how far the rings have come.  Null is allowed. */
void vhost_machine_free(struct vhost_machine *);

/* Whoever serves the pair's receive queue: takes up to 'max' frames. */
unsigned int vhost_machine_recv(struct vhost_machine *, unsigned int pair, struct packet **, unsigned int max);

/* Whoever serves the pair's receive queue: how many frames wait in it. */
unsigned int vhost_machine_rx_length(const struct vhost_machine *, unsigned int pair);

/* Whoever holds the lock of the pair's transmit queue: as virtqueue_give().  Where the library serves, the packets must
 * carry what is to be done with them in its terms. */
unsigned int vhost_machine_send(struct vhost_machine *, unsigned int pair, struct packet *const *, unsigned int n,
                                unsigned int *n_failed);

#endif
