/* An Ethernet device of DPDK below a netdev: found or made by its devargs, configured, started, stopped, let go.
 *
 * How it works
 * ------------
 * dpdk_device_apply() compares what is wanted with what the device runs with; where that differs, its queues are taken
 * from their worker, the device is stopped, configured anew and started, and its queues are given back.  While it is
 * stopped nothing is received, and what is sent is counted as dropped.
 *
 * What the device reports (its link has changed, it must be reset, it is gone) comes from a thread of DPDK's and is
 * acted upon by the main loop; a device that does not report its link is looked at once a second.
 *
 * Threads: main thread, but for the fields that are marked. */
#ifndef NETDEV_DPDK_DEVICE_H
#define NETDEV_DPDK_DEVICE_H 1

#include <stdatomic.h>

#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "netdev/dpdk_offload.h"
#include "netdev/dpdk_pool.h"
#include "netdev/dpdk_steering.h"
#include "netdev/netdev.h"
#include "sys/loop.h"

enum {
    DPDK_MAX_QUEUES = 16,
    DPDK_NO_PORT = RTE_MAX_ETHPORTS,
    DPDK_MIN_MTU = 68,
    DPDK_MAX_MTU = 9710,
    DPDK_FRAME_OVERHEAD = 18, /* Beyond the MTU: Ethernet header and check sequence, or one tag. */
};

/* What is asked of a device. */
struct dpdk_config {
    unsigned int n_rxq, n_rxq_desc, n_txq_desc;
    int mtu;
    bool lsc;         /* Link changes by interrupt... */
    bool insists_on_lsc; /* ...and not otherwise. */
    bool rx_pause, tx_pause, autoneg; /* Flow control. */
    enum dpdk_steering steering;
    bool tso;         /* TCP frames are cut by the device if it can; what holds when it starts counts. */
    bool hw_offload;  /* Rules for megaflows spread over all queues: none is LACP's alone. */
    bool has_vf_mac;
    struct eth_addr vf_mac;
};

enum dpdk_peer {
    DPDK_PEER_NONE,
    DPDK_PEER_DIRECT,
    DPDK_PEER_OF_MEMBER, /* Of a bonded device. */
};

struct dpdk_queue_lock {
    rte_spinlock_t lock;
} ALIGNED(CACHE_LINE);

struct dpdk_device {
    struct netdev *netdev;
    struct list node;      /* In 'dpdk_devices'. */
    uint16_t port;         /* DPDK_NO_PORT until attached. */
    char *devargs;         /* Null until attached. */
    bool is_ours;          /* We attached it. */
    bool started;
    bool is_virtual;       /* Its driver may chain packets where a frame is longer than one has room. */
    enum dpdk_peer peer;   /* Other than none: bursts are as in netdev/dpdk_peer.h. */
    struct list peer_node;
    struct dpdk_config wanted; /* What it was started with. */
    unsigned int n_rxq, n_txq, n_rxq_desc, n_txq_desc; /* What it runs with. */
    bool has_lsc;          /* Tells of its link by itself. */
    int mtu, refused_mtu;  /* The latter: what it could not be given; 0: nothing. */
    struct dpdk_share share; /* Of packets. */
    enum dpdk_steering steering; /* As it runs. */
    struct rte_flow *lacp_rule;  /* Null: none. */
    struct dpdk_offloads offloads; /* Other threads read it while it is active. */
    struct loop_wake wake; /* The device has reported something; only with a main loop. */
    bool has_link;         /* As last seen. */
    uint64_t carrier_resets;
    bool is_up;            /* As the administrator wants it. */

    /* Any thread. */
    _Atomic bool active;   /* Started and up: packets pass. */
    _Atomic unsigned int events; /* 1 << enum rte_eth_event_type, not yet acted upon. */
    _Atomic unsigned int max_frame;
    _Atomic uint64_t tx_failed, tx_too_long, tx_invalid, rx_dropped;
    struct dpdk_queue_lock tx_locks[DPDK_MAX_QUEUES], rx_locks[DPDK_MAX_QUEUES]; /* The latter only with a peer. */
};

extern struct list dpdk_devices;

static inline struct dpdk_device *dpdk_device(const struct netdev *n) { return n->priv; }

struct dpdk_device *dpdk_device_create(struct netdev *);
void dpdk_device_destroy(struct dpdk_device *);

/* Finds or makes the device of 'devargs': driver and arguments, a PCI address, or "class=eth,mac=ADDRESS". */
struct error *dpdk_device_attach(struct dpdk_device *, const char *devargs) MUST_CHECK;
void dpdk_device_detach(struct dpdk_device *);
/* Has the attached device run with 'wanted'.  After an error it is stopped. */
struct error *dpdk_device_apply(struct dpdk_device *, const struct dpdk_config *wanted) MUST_CHECK;
void dpdk_device_set_up(struct dpdk_device *, bool up);

/* The device that was made with these devargs; null: there is none. */
struct dpdk_device *dpdk_device_find(const char *devargs);
/* The packets that such a device will need. */
struct dpdk_pool_size dpdk_device_pool_size(const struct dpdk_config *, const char *devargs);

#endif
