/* The types of QoS by the kernel: what each makes of its numbers, and what the kernel is told. */
#ifndef NETDEV_TC_KIND_H
#define NETDEV_TC_KIND_H 1

#include "netdev/qos.h"
#include "netlink/rtnl_tc.h"

/* What the kernel has, or is to have.  Rates are in bits a second, whole bytes, as far as they can be. */
struct tc_config {
    const struct tc_kind *kind;  /* Null: none. */
    uint32_t mtu;
    struct netdev_shaping shaping;
    size_t n_queues;             /* In order of their numbers, of which the first is 0. */
    struct netdev_queue_config *queues;
};

struct tc_kind {
    const char *type;   /* "linux-htb" */
    const char *name;   /* The kernel's; null: its own discipline is left alone. */
    /* Numbers that were not given get their defaults; others, what is possible.  'link_bps': the device's speed.
     * -EINVAL: they make no sense, which has been logged for the device 'name'. */
    int (*complete)(struct tc_config *, const char *name, uint64_t link_bps);
    void (*put_root)(struct rtnl_tc_batch *, int ifindex, const struct tc_config *);
    /* Null: it has no queues.  'queue' null: the class of them all. */
    void (*put_class)(struct rtnl_tc_batch *, int ifindex, const struct tc_config *,
                      const struct netdev_queue_config *queue);
};

/* Null: there is none of that type. */
const struct tc_kind *tc_kind_find(const char *type);

#endif
