/* Linux network devices: types "system" (one that exists, by AF_PACKET), "afxdp" (the same by AF_XDP), "tap" and
 * "internal" (one that we make, by /dev/net/tun).
 *
 * What is common to them is here: what rtnetlink says of the device is kept in 'struct linux_dev' and renewed when the
 * kernel reports a change, so that asking costs no system call.  The queues are in packet_socket.c, afxdp.c and
 * tap.c.
 *
 * A device that vanishes or changes its name marks its netdev as gone (netdev_set_gone()).
 *
 * Threads: main thread, but for the queues. */
#ifndef NETDEV_LINUX_H
#define NETDEV_LINUX_H 1

#include <stdatomic.h>

#include "netdev/netdev.h"
#include "netlink/rtnl.h"

struct tc;
struct tc_queues;

struct linux_dev {
    struct list node; /* In the list of all. */
    struct netdev *netdev;
    struct rtnl_link link; /* As last reported. */
    int fd;                /* TAP: the device; system: the socket that sends. */
    bool is_ours;          /* TAP: directions of the kernel's counters are the other way round. */
    _Atomic(struct tc_queues *) queues;      /* Those of its QoS (netdev/tc.h), published by RCU; null: none. */
    _Atomic uint64_t tx_dropped, rx_dropped; /* By us; added to the kernel's. */
    struct tc *tc;         /* Owned; null until something was asked of it. */
};

void netdev_linux_register(void);
/* Begins, ends to listen for changes; 'loop' may be null (no listening). */
void netdev_linux_start(struct loop *loop);
void netdev_linux_stop(void);

/* For the two kinds: sets up 'priv' for the device of the netdev's name (which must exist) and enters it into the list;
 * undoes that. */
int netdev_linux_attach(struct netdev *, int fd, bool is_ours);
/* The same, with the beginning of the caller's own block of memory, which detaching frees. */
int netdev_linux_attach_as(struct netdev *, struct linux_dev *, int fd, bool is_ours);
void netdev_linux_detach(struct netdev *);

static inline struct linux_dev *linux_dev(const struct netdev *n) { return n->priv; }

/* The functions that the classes share. */
int netdev_linux_set_flags(struct netdev *, unsigned int off, unsigned int on, unsigned int *now);
int netdev_linux_get_etheraddr(const struct netdev *, struct eth_addr *);
int netdev_linux_set_etheraddr(struct netdev *, struct eth_addr);
int netdev_linux_get_mtu(const struct netdev *, int *);
int netdev_linux_set_mtu(struct netdev *, int);
bool netdev_linux_get_carrier(const struct netdev *);
uint64_t netdev_linux_get_carrier_resets(const struct netdev *);
int netdev_linux_get_miimon(const struct netdev *, bool *link);
int netdev_linux_get_ifindex(const struct netdev *);
int netdev_linux_get_features(const struct netdev *, struct netdev_features *);
int netdev_linux_get_stats(const struct netdev *, struct netdev_stats *);
void netdev_linux_get_status(const struct netdev *, struct strmap *);

#define NETDEV_LINUX_COMMON \
    .has_packets = true, \
    .set_flags = netdev_linux_set_flags, \
    .get_etheraddr = netdev_linux_get_etheraddr, \
    .set_etheraddr = netdev_linux_set_etheraddr, \
    .get_mtu = netdev_linux_get_mtu, \
    .set_mtu = netdev_linux_set_mtu, \
    .get_carrier = netdev_linux_get_carrier, \
    .get_carrier_resets = netdev_linux_get_carrier_resets, \
    .get_miimon = netdev_linux_get_miimon, \
    .get_ifindex = netdev_linux_get_ifindex, \
    .get_features = netdev_linux_get_features, \
    .get_stats = netdev_linux_get_stats

extern const struct netdev_class netdev_system_class; /* packet_socket.c */
extern const struct netdev_class netdev_afxdp_class;  /* afxdp.c */
extern const struct netdev_class netdev_tap_class, netdev_internal_class; /* tap.c */

#endif
