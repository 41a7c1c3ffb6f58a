#include "netdev/dpdk_steering.h"

#include <string.h>

#include "sys/log.h"

LOG_MODULE(netdev_dpdk)

enum { ETH_TYPE_SLOW_PROTOCOLS = 0x8809, MAX_GROUPS = RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE };

enum dpdk_steering
dpdk_steering_read(const char *name, const char *text)
{
    if (text && !strcmp(text, "rss+lacp")) {
        return DPDK_STEERING_LACP;
    }
    if (text && strcmp(text, "rss") && name) {
        log_warn("%s: options:rx-steering: '%s' is neither rss nor rss+lacp; it is rss", name, text);
    }
    return DPDK_STEERING_RSS;
}

bool
dpdk_steering_is_possible(const struct rte_eth_dev_info *info, unsigned int n_rxq)
{
    return n_rxq <= info->max_rx_queues && info->reta_size
           && info->reta_size <= MAX_GROUPS * RTE_ETH_RETA_GROUP_SIZE;
}

/* All else over the queues before the last one. */
static int
spread(uint16_t port, unsigned int n_entries, unsigned int n_queues)
{
    struct rte_eth_rss_reta_entry64 table[MAX_GROUPS];

    memset(table, 0, sizeof table);
    for (unsigned int i = 0; i < n_entries; i++) {
        struct rte_eth_rss_reta_entry64 *group = &table[i / RTE_ETH_RETA_GROUP_SIZE];

        group->mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
        group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % n_queues;
    }
    return rte_eth_dev_rss_reta_update(port, table, n_entries);
}

const char *
dpdk_steering_start(uint16_t port, const struct rte_eth_dev_info *info, unsigned int n_rxq, struct rte_flow **rule)
{
    const struct rte_flow_item_eth type = { .type = RTE_BE16(ETH_TYPE_SLOW_PROTOCOLS) }, mask = { .type = 0xffff };
    const struct rte_flow_action_queue queue = { .index = n_rxq - 1 };
    const struct rte_flow_attr ingress = { .ingress = 1 };
    const struct rte_flow_item pattern[] = {
        { .type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &type, .mask = &mask }, { .type = RTE_FLOW_ITEM_TYPE_END },
    };
    const struct rte_flow_action actions[] = {
        { .type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue }, { .type = RTE_FLOW_ACTION_TYPE_END },
    };
    struct rte_flow_error error = { .message = NULL };

    *rule = NULL;
    if (spread(port, info->reta_size, n_rxq - 1)) {
        return "it does not spread over a part of its queues";
    }
    *rule = rte_flow_create(port, &ingress, pattern, actions, &error);
    return *rule ? NULL : error.message ? error.message : "it does not take the rule";
}

void
dpdk_steering_stop(uint16_t port, struct rte_flow **rule)
{
    struct rte_flow_error error = { .message = NULL };

    if (*rule && rte_flow_destroy(port, *rule, &error)) {
        log_warn("port %u: the rule for LACP was not removed: %s", port, error.message ? error.message : "no reason");
    }
    *rule = NULL;
}

void
dpdk_steering_put_status(enum dpdk_steering steering, unsigned int n_rxq, struct strmap *status)
{
    static const char *const names[] = {
        [DPDK_STEERING_RSS] = "rss", [DPDK_STEERING_LACP] = "rss+lacp", [DPDK_STEERING_UNSUPPORTED] = "unsupported",
    };

    strmap_put_free(status, "rx-steering", xstrdup(names[steering]));
    if (steering == DPDK_STEERING_LACP) {
        strmap_put_free(status, "rx_steering_queue", xasprintf("%u", n_rxq - 1));
        strmap_put_free(status, "rss_queues", n_rxq > 2 ? xasprintf("0-%u", n_rxq - 2) : xstrdup("0"));
    }
}
