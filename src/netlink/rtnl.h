/* The kernel's network devices over rtnetlink.
 *
 * rtnl_link_*() ask and change on a socket of their own and wait for the kernel's answer, which comes at once.
 * rtnl_watch reports every change of a device on the loop; where the kernel says that reports were lost, it reports
 * that too, and the watcher must ask again about what it cares for.
 *
 * Threads: a socket per thread for questions; the watch belongs to the loop's thread.
 * Errors: negative errno values.
 * Standards: rtnetlink(7). */
#ifndef NETLINK_RTNL_H
#define NETLINK_RTNL_H 1

#include <net/if.h>

#include "base/addr.h"
#include "sys/loop.h"

struct rtnl_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast,
        collisions, rx_length_errors, rx_over_errors, rx_crc_errors, rx_frame_errors, rx_fifo_errors, rx_missed_errors;
};

struct rtnl_link {
    int ifindex;
    char name[IFNAMSIZ];
    unsigned int flags; /* IFF_*. */
    int mtu;            /* 0: not told. */
    struct eth_addr mac;
    bool has_mac;
    char kind[16];      /* "veth", "tun"...; "" if not told. */
    uint32_t carrier_changes;
    bool has_stats;
    struct rtnl_stats stats;
};

/* Reads one device.  -ENODEV if there is none. */
int rtnl_link_get(const char *name, struct rtnl_link *link);
int rtnl_link_get_index(int ifindex, struct rtnl_link *link);

/* Change a device: the flags in 'change' become those of 'flags'; MTU; MAC address. */
int rtnl_link_set_flags(int ifindex, unsigned int change, unsigned int flags);
int rtnl_link_set_mtu(int ifindex, int mtu);
int rtnl_link_set_mac(int ifindex, struct eth_addr mac);

/* 'link' is null where reports were lost. */
struct rtnl_watch {
    void (*cb)(struct rtnl_watch *, const struct rtnl_link *link, bool gone);
    void *aux;
    struct mnl_socket *socket; /* Null while stopped. */
    struct loop_fd fd;
};
int rtnl_watch_start(struct loop *, struct rtnl_watch *,
                     void (*cb)(struct rtnl_watch *, const struct rtnl_link *, bool gone), void *aux);
void rtnl_watch_stop(struct rtnl_watch *);

#endif
