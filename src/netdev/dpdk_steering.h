/* options:rx-steering of type "dpdk": "rss+lacp" gives LACP's frames a receive queue of their own, so that a flood in
 * the others does not take a bond down; its number is that after the others', among which all else is spread by RSS.
 *
 * The device must spread over a part of its queues (RTE_ETH_RSS_RETA) and steer by Ethernet type (rte_flow); one that
 * cannot goes on with "rss", and the status says "unsupported".
 *
 * Threads: main thread.
 * Limits: nobody has run it on a device; the rules are asked for in a test. */
#ifndef NETDEV_DPDK_STEERING_H
#define NETDEV_DPDK_STEERING_H 1

#include <rte_ethdev.h>
#include <rte_flow.h>

#include "base/strmap.h"

enum dpdk_steering { DPDK_STEERING_RSS, DPDK_STEERING_LACP, DPDK_STEERING_UNSUPPORTED };

/* The option's value; 'name' (may be null) is whose log says what is wrong with it. */
enum dpdk_steering dpdk_steering_read(const char *name, const char *text);

/* Whether the device may be able to have 'n_rxq' queues, the last of them for LACP. */
bool dpdk_steering_is_possible(const struct rte_eth_dev_info *, unsigned int n_rxq);
/* Steers on the started device 'port'; null, or what went wrong (static). */
const char *dpdk_steering_start(uint16_t port, const struct rte_eth_dev_info *, unsigned int n_rxq, struct rte_flow **);
void dpdk_steering_stop(uint16_t port, struct rte_flow **); /* Null inside: nothing to do. */

void dpdk_steering_put_status(enum dpdk_steering, unsigned int n_rxq, struct strmap *status);

#endif
