#include "netdev/dpdk_counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/tally.h"
#include "netdev/counter_list.h"
#include "netdev/qos.h"

int
dpdk_counters_get(struct dpdk_device *d, struct netdev_stats *stats)
{
    struct rte_eth_stats s;
    int error = d->started ? rte_eth_stats_get(d->port, &s) : -ENODEV;

    if (!error) {
        stats->rx_packets = s.ipackets;
        stats->tx_packets = s.opackets;
        stats->rx_bytes = s.ibytes;
        stats->tx_bytes = s.obytes;
        stats->rx_errors = s.ierrors;
        stats->tx_errors = s.oerrors;
        stats->rx_dropped = s.imissed + s.rx_nombuf + tally_get(&d->rx_dropped);
        stats->tx_dropped = tally_get(&d->tx_failed) + tally_get(&d->tx_too_long) + tally_get(&d->tx_invalid);
    }
    return error;
}

/* Already in 'struct netdev_stats'. */
static bool
is_common(const char *name)
{
    static const char *const names[] = {
#define NETDEV_STAT(NAME) #NAME,
#include "netdev/stats.def"
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool
ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);

    return n >= k && !strcmp(name + n - k, end);
}

/* "rx_q0_packets" and the like. */
static bool
is_of_queue(const char *name)
{
    size_t digits;

    if (strncmp(name, "rx_q", 4) && strncmp(name, "tx_q", 4)) {
        return false;
    }
    digits = strspn(name + 4, "0123456789");
    return digits && (!strcmp(name + 4 + digits, "_packets") || !strcmp(name + 4 + digits, "_bytes"));
}

static bool
is_shown(const char *name)
{
    return !is_common(name) && (ends_with(name, "_errors") || ends_with(name, "_dropped") || is_of_queue(name));
}

static void
add_driver_counters(struct dpdk_device *d, struct counter_list *list)
{
    int n = rte_eth_xstats_get_names(d->port, NULL, 0);
    struct rte_eth_xstat_name *names = xcalloc(MAX(n, 1), sizeof *names);
    struct rte_eth_xstat *values = xcalloc(MAX(n, 1), sizeof *values);

    if (n > 0 && rte_eth_xstats_get_names(d->port, names, n) == n && rte_eth_xstats_get(d->port, values, n) == n) {
        for (int i = 0; i < n; i++) {
            if (values[i].id < (uint64_t) n && is_shown(names[values[i].id].name)) {
                counter_list_add(list, xstrdup(names[values[i].id].name), values[i].value);
            }
        }
    }
    free(names);
    free(values);
}

void
dpdk_counters_each(const struct netdev *n, netdev_counter_cb *cb, void *aux)
{
    struct dpdk_device *d = dpdk_device(n);
    struct counter_list list = COUNTER_LIST_INIT;

    counter_list_add(&list, xstrdup("ovs_rx_qos_drops"), netdev_rates_rx_drops(n));
    counter_list_add(&list, xstrdup("ovs_tx_failure_drops"), tally_get(&d->tx_failed));
    counter_list_add(&list, xstrdup("ovs_tx_invalid_hwol_drops"), tally_get(&d->tx_invalid));
    counter_list_add(&list, xstrdup("ovs_tx_mtu_exceeded_drops"), tally_get(&d->tx_too_long));
    counter_list_add(&list, xstrdup("ovs_tx_qos_drops"), netdev_rates_tx_drops(n));
    if (d->started) {
        add_driver_counters(d, &list);
    }
    counter_list_tell(&list, cb, aux);
}
