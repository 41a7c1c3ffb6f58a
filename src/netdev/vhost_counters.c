#include "netdev/vhost_counters.h"

#include <stdlib.h>
#include <string.h>

#include <rte_vhost.h>

#include "base/tally.h"
#include "netdev/counter_list.h"
#include "netdev/vhost_machine.h"

/* Sums over the queues of one direction, and their names behind "rx_" and "tx_". */
enum sum { PACKETS, BYTES, BROADCAST, MULTICAST, UP_TO_64, UP_TO_127, UP_TO_255, UP_TO_511, UP_TO_1023, UP_TO_1522,
           LARGER, N_SUMS };
static const char *const sum_names[N_SUMS] = {
    "packets", "bytes", "broadcast_packets", "multicast_packets", "1_to_64_packets", "65_to_127_packets",
    "128_to_255_packets", "256_to_511_packets", "512_to_1023_packets", "1024_to_1522_packets",
    "1523_to_max_packets",
};

/* What the library counts for a queue (behind "rx_qN_" or "tx_qN_"), and what it is a part of. */
static const struct { const char *name; enum sum sum; } parts[] = {
    { "good_packets", PACKETS },
    { "good_bytes", BYTES },
    { "broadcast_packets", BROADCAST },
    { "multicast_packets", MULTICAST },
    { "undersize_packets", UP_TO_64 },
    { "size_64_packets", UP_TO_64 },
    { "size_65_127_packets", UP_TO_127 },
    { "size_128_255_packets", UP_TO_255 },
    { "size_256_511_packets", UP_TO_511 },
    { "size_512_1023_packets", UP_TO_1023 },
    { "size_1024_1518_packets", UP_TO_1522 },
    { "size_1519_max_packets", LARGER },
};

enum { MAX_COUNTERS = 64 };

struct queue_counters {
    int n;
    struct rte_vhost_stat_name names[MAX_COUNTERS];
    struct rte_vhost_stat values[MAX_COUNTERS];
};

/* The library's values are asked for only where it serves the rings: it waits for their locks then, which its thread
 * holds while a message is read, and where we serve the rings, that thread waits for us (vhost.c:before_message()). */
static void
read_queue(int vid, unsigned int vring, bool by_library, struct queue_counters *c)
{
    c->n = rte_vhost_vring_stats_get_names(vid, vring, c->names, MAX_COUNTERS);
    memset(c->values, 0, sizeof c->values);
    if (c->n > MAX_COUNTERS
        || (by_library && rte_vhost_vring_stats_get(vid, vring, c->values, MAX_COUNTERS) != c->n)) {
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

static void
add_to_sums(uint64_t sums[N_SUMS], const char *name, uint64_t value)
{
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!strcmp(parts[i].name, bare_name(name))) {
            sums[parts[i].sum] += value;
        }
    }
}

/* What we have counted where the library would count it. */
static uint64_t
counted_here(const struct virtqueue_counters *c, const char *name)
{
    static const char *const sizes[VIRTQUEUE_N_SIZES] = {
        "undersize_packets", "size_64_packets", "size_65_127_packets", "size_128_255_packets", "size_256_511_packets",
        "size_512_1023_packets", "size_1024_1518_packets", "size_1519_max_packets",
    };
    const struct { const char *name; const _Atomic uint64_t *value; } others[] = {
        { "good_packets", &c->packets }, { "good_bytes", &c->bytes }, { "multicast_packets", &c->multicast },
        { "broadcast_packets", &c->broadcast }, { "guest_notifications", &c->calls },
    };

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (!strcmp(others[i].name, name)) {
            return tally_get(others[i].value);
        }
    }
    for (size_t i = 0; i < VIRTQUEUE_N_SIZES; i++) {
        if (!strcmp(sizes[i], name)) {
            return tally_get(&c->sizes[i]);
        }
    }
    return 0;
}

/* Reads the queues of one direction; 'each' (may be null) gets every counter of theirs. */
static void
read_queues(const struct vhost_counted *of, bool is_rx, uint64_t sums[N_SUMS], struct counter_list *each)
{
    memset(sums, 0, N_SUMS * sizeof sums[0]);
    for (unsigned int pair = 0; pair < of->n_pairs; pair++) {
        unsigned int ring = is_rx ? VRING_RX(pair) : VRING_TX(pair);
        struct queue_counters c;

        read_queue(of->vid, ring, of->by_library, &c);
        for (int i = 0; i < c.n; i++) {
            uint64_t value = c.values[i].value + counted_here(&of->rings[ring], bare_name(c.names[i].name));

            add_to_sums(sums, c.names[i].name, value);
            if (each) {
                counter_list_add(each, xstrdup(c.names[i].name), value);
            }
        }
    }
}

void
vhost_counters_sum(const struct vhost_counted *of, struct netdev_stats *stats)
{
    uint64_t rx[N_SUMS], tx[N_SUMS];

    read_queues(of, true, rx, NULL);
    read_queues(of, false, tx, NULL);
    stats->rx_packets = rx[PACKETS];
    stats->rx_bytes = rx[BYTES];
    stats->tx_packets = tx[PACKETS];
    stats->tx_bytes = tx[BYTES];
}

static void
add_device_counters(struct counter_list *all, const struct vhost_counted *of)
{
    for (int is_rx = 0; is_rx < 2; is_rx++) {
        uint64_t sums[N_SUMS];

        read_queues(of, is_rx, sums, all);
        for (int i = BROADCAST; i < N_SUMS; i++) {
            counter_list_add(all, xasprintf("%s_%s", is_rx ? "rx" : "tx", sum_names[i]), sums[i]);
        }
    }
}

void
vhost_counters_each(const struct vhost_counted *of, const struct vhost_own_counters *own, netdev_counter_cb *cb,
                    void *aux)
{
    struct counter_list c = COUNTER_LIST_INIT;

    counter_list_add(&c, xstrdup("ovs_rx_qos_drops"), own->rx_policed);
    counter_list_add(&c, xstrdup("ovs_tx_failure_drops"), own->tx_failed);
    counter_list_add(&c, xstrdup("ovs_tx_invalid_hwol_drops"), 0);
    counter_list_add(&c, xstrdup("ovs_tx_mtu_exceeded_drops"), own->tx_too_long);
    counter_list_add(&c, xstrdup("ovs_tx_qos_drops"), own->tx_policed);
    counter_list_add(&c, xstrdup("ovs_tx_retries"), own->tx_retried);
    if (of->vid >= 0) {
        add_device_counters(&c, of);
    }
    counter_list_tell(&c, cb, aux);
}
