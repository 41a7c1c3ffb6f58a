#include "netdev/vhost_counters.h"

#include <stdlib.h>
#include <string.h>

#include <rte_vhost.h>

/* What the library counts for a queue (behind "rx_qN_" or "tx_qN_"), and the names that sums of it have behind "rx_"
 * and "tx_". */
static const struct { const char *of_queue, *of_port; } sums[] = {
    { "good_packets", "packets" },
    { "good_bytes", "bytes" },
    { "broadcast_packets", "broadcast_packets" },
    { "multicast_packets", "multicast_packets" },
    { "undersize_packets", "1_to_64_packets" },
    { "size_64_packets", "1_to_64_packets" },
    { "size_65_127_packets", "65_to_127_packets" },
    { "size_128_255_packets", "128_to_255_packets" },
    { "size_256_511_packets", "256_to_511_packets" },
    { "size_512_1023_packets", "512_to_1023_packets" },
    { "size_1024_1518_packets", "1024_to_1522_packets" },
    { "size_1519_max_packets", "1523_to_max_packets" },
};

enum { MAX_COUNTERS = 64 };

struct queue_counters {
    int n;
    struct rte_vhost_stat_name names[MAX_COUNTERS];
    struct rte_vhost_stat values[MAX_COUNTERS];
};

static void
read_queue(int vid, unsigned int vring, struct queue_counters *c)
{
    c->n = rte_vhost_vring_stats_get_names(vid, vring, c->names, MAX_COUNTERS);
    if (c->n > MAX_COUNTERS || rte_vhost_vring_stats_get(vid, vring, c->values, MAX_COUNTERS) != c->n) {
        c->n = 0;
    }
}

/* A queue's counter without the queue. */
static const char *
bare_name(const char *name)
{
    name += strcspn(name, "0123456789");
    name += strspn(name, "0123456789");
    return *name == '_' ? name + 1 : name;
}

/* The sum over the queues of one direction of what 'of_port' is made of. */
static uint64_t
sum_of(int vid, unsigned int n_pairs, bool is_rx, const char *of_port)
{
    uint64_t sum = 0;

    for (unsigned int pair = 0; pair < n_pairs; pair++) {
        struct queue_counters c;

        read_queue(vid, is_rx ? VRING_RX(pair) : VRING_TX(pair), &c);
        for (int i = 0; i < c.n; i++) {
            for (size_t k = 0; k < ARRAY_SIZE(sums); k++) {
                sum += !strcmp(sums[k].of_queue, bare_name(c.names[i].name)) && !strcmp(sums[k].of_port, of_port)
                       ? c.values[i].value : 0;
            }
        }
    }
    return sum;
}

void
vhost_counters_sum(int vid, unsigned int n_pairs, struct netdev_stats *stats)
{
    stats->rx_packets = sum_of(vid, n_pairs, true, "packets");
    stats->rx_bytes = sum_of(vid, n_pairs, true, "bytes");
    stats->tx_packets = sum_of(vid, n_pairs, false, "packets");
    stats->tx_bytes = sum_of(vid, n_pairs, false, "bytes");
}

struct counter {
    char *name;
    uint64_t value;
};

struct counters {
    size_t n, capacity;
    struct counter *all;
};

/* Takes 'name' over. */
static void
add_counter(struct counters *c, char *name, uint64_t value)
{
    if (c->n == c->capacity) {
        c->all = x2nrealloc(c->all, &c->capacity, sizeof *c->all);
    }
    c->all[c->n++] = (struct counter) { name, value };
}

static void
add_queue_counters(struct counters *all, int vid, unsigned int pair, bool is_rx)
{
    struct queue_counters c;

    read_queue(vid, is_rx ? VRING_RX(pair) : VRING_TX(pair), &c);
    for (int i = 0; i < c.n; i++) {
        add_counter(all, xstrdup(c.names[i].name), c.values[i].value);
    }
}

static void
add_device_counters(struct counters *all, int vid, unsigned int n_pairs)
{
    for (int is_rx = 0; is_rx < 2; is_rx++) {
        for (size_t i = 2; i < ARRAY_SIZE(sums); i++) {
            if (strcmp(sums[i].of_port, sums[i - 1].of_port)) {
                add_counter(all, xasprintf("%s_%s", is_rx ? "rx" : "tx", sums[i].of_port),
                            sum_of(vid, n_pairs, is_rx, sums[i].of_port));
            }
        }
        for (unsigned int pair = 0; pair < n_pairs; pair++) {
            add_queue_counters(all, vid, pair, is_rx);
        }
    }
}

static int
compare_counters(const void *a_, const void *b_)
{
    const struct counter *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

void
vhost_counters_each(int vid, unsigned int n_pairs, const struct vhost_own_counters *own, netdev_counter_cb *cb,
                    void *aux)
{
    struct counters c = { 0 };

    add_counter(&c, xstrdup("ovs_rx_qos_drops"), 0);
    add_counter(&c, xstrdup("ovs_tx_failure_drops"), own->tx_failed);
    add_counter(&c, xstrdup("ovs_tx_invalid_hwol_drops"), 0);
    add_counter(&c, xstrdup("ovs_tx_mtu_exceeded_drops"), own->tx_too_long);
    add_counter(&c, xstrdup("ovs_tx_qos_drops"), 0);
    add_counter(&c, xstrdup("ovs_tx_retries"), own->tx_retried);
    if (vid >= 0) {
        add_device_counters(&c, vid, n_pairs);
    }
    qsort(c.all, c.n, sizeof *c.all, compare_counters);
    for (size_t i = 0; i < c.n; i++) {
        cb(aux, c.all[i].name, c.all[i].value);
        free(c.all[i].name);
    }
    free(c.all);
}
