/* Rules that a device itself applies to the packets that it receives.
 *
 * A rule has a match, of header fields, and one action: the packets that it covers bear a mark, by which whoever
 * receives them knows that they match; or they are dropped, and counted.  A rule may cover fewer packets than its
 * match (those with headers that the device does not look behind come without a mark), never more.
 *
 * Threads: any, several at once, between the class functions that open and that close the receive queues; a call may
 * take long, so it is not for the main thread but where it says so.
 * Errors: negative errno values. */
#ifndef NETDEV_RULES_H
#define NETDEV_RULES_H 1

#include "flow/flow.h"

struct netdev;
struct netdev_rule;

/* Instead of a mark: the packets are dropped. */
#define NETDEV_RULE_DROP UINT32_C(0)

struct netdev_rules_class {
    const char *provider; /* As dpif/offload/show names it. */
    /* Whether the device may take rules now.  Main thread. */
    bool (*is_possible)(const struct netdev *);
    /* '*rule' for the packets of a megaflow: 'key' and 'mask' are a datapath's, whole; in_port is this device, whatever
     * number it has.  'mark' is from 1 to NETDEV_RULE_MAX_MARK, or NETDEV_RULE_DROP.  -EDOM: the match cannot be said;
     * -ENOSYS: the device takes no rules at all; another error: not this one. */
    int (*put)(struct netdev *, const struct flow *key, const struct flow *mask, uint32_t mark,
               struct netdev_rule **rule);
    void (*del)(struct netdev *, struct netdev_rule *);
    /* All of them; main thread, when nobody is at the queues. */
    void (*flush)(struct netdev *);
    /* What one that drops has counted so far. */
    int (*count)(struct netdev *, struct netdev_rule *, uint64_t *n_packets, uint64_t *n_bytes);
};

/* So many bits of a mark all devices have. */
enum { NETDEV_RULE_MAX_MARK = (1 << 20) - 1 };

#endif
