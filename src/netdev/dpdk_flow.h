/* Megaflows as rules of DPDK's devices (rte_flow): the match as a pattern of items, and its life in the device.
 *
 * How it works
 * ------------
 * A pattern has an item for each header, outermost first: ETH, VLAN, IPV4 or IPV6, and one of TCP, UDP, SCTP, ICMP and
 * ICMP6.  A megaflow matches bits of a key that the switch extracts; each of them must be said by an item, or be zero
 * in every packet that the other items let through (that a packet of IPv4 has no IPv6 address need not be said).  Where
 * a bit is left, dpdk_flow_pattern_make() says so and there is no rule.
 *
 * A rule may cover less than the megaflow: without a word about tags it is for packets without one, since devices do
 * not look for a header behind a tag that no item names; and they do not look behind IPv6's extension headers.
 *
 * Marks: MARK, and RSS over the port's queues, as without the rule.  Drops: COUNT and DROP, with 'transfer', as the
 * reference asks for them.
 *
 * Threads: any; the pattern is a plain value.
 * Limits: no tunnels, ARP, MPLS, NSH, second tags, ND, later fragments. */
#ifndef NETDEV_DPDK_FLOW_H
#define NETDEV_DPDK_FLOW_H 1

#include <rte_flow.h>

#include "netdev/rules.h"

enum { DPDK_FLOW_ITEMS = 5 };

union dpdk_flow_transport {
    struct rte_flow_item_tcp tcp;
    struct rte_flow_item_udp udp;
    struct rte_flow_item_sctp sctp;
    struct rte_flow_item_icmp icmp;
    struct rte_flow_item_icmp6 icmp6;
};

/* Not to be copied: the items point into it. */
struct dpdk_flow_pattern {
    struct rte_flow_item items[DPDK_FLOW_ITEMS]; /* Up to RTE_FLOW_ITEM_TYPE_END. */
    unsigned int n;                              /* Without that. */
    struct rte_flow_item_eth eth[2];             /* [0]: values, [1]: mask; so with the others. */
    struct rte_flow_item_vlan vlan[2];
    struct rte_flow_item_ipv4 ipv4[2];
    struct rte_flow_item_ipv6 ipv6[2];
    union dpdk_flow_transport transport[2];
};

/* Null: '*p' covers packets of the megaflow alone; else what cannot be said (static). */
const char *dpdk_flow_pattern_make(struct dpdk_flow_pattern *p, const struct flow *key, const struct flow *mask)
    MUST_CHECK;

extern const struct netdev_rules_class dpdk_flow_rules;

#endif
