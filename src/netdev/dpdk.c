#include "netdev/dpdk.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "base/num.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pcap.h"
#include "packet/pool.h"
#include "sys/log.h"
#include "sys/work.h"

LOG_MODULE(netdev_dpdk)

enum { DEFAULT_DESCRIPTORS = 2048, MAX_QUEUES = 16, POOL_EXTRA = 8192, NO_PORT = RTE_MAX_ETHPORTS };

struct txq_lock {
    rte_spinlock_t lock;
} ALIGNED(CACHE_LINE);

struct dpdk_dev {
    struct netdev *netdev;
    struct list node;      /* In 'devices'. */
    uint16_t port;         /* NO_PORT until attached. */
    char *devargs;         /* Null until configured. */
    bool is_ours;          /* We attached it. */
    bool started;
    unsigned int n_rxq, n_txq, n_rxq_desc, n_txq_desc;
    int mtu;
    struct rte_mempool *pool;
    _Atomic bool up;
    _Atomic uint64_t tx_dropped;
    struct txq_lock locks[MAX_QUEUES];
};

static struct list devices = LIST_INIT(&devices);

/* --- Packets --- */

/* A replayed capture stays in the pool as a whole. */
static unsigned int
n_replayed(const char *devargs)
{
    const char *at = strstr(devargs, "rx_pcap=");
    struct bytes frame = BYTES_INIT;
    struct pcap_file *file;
    unsigned int n = 0;
    char *path;

    if (!at || !strstr(devargs, "infinite_rx=1")) {
        return 0;
    }
    at += strlen("rx_pcap=");
    path = xstrndup(at, strcspn(at, ","));
    if (!pcap_open(path, "r", &file)) {
        while (pcap_read(file, &frame) > 0) {
            n++;
        }
        pcap_close(file);
    }
    bytes_uninit(&frame);
    free(path);
    return n;
}

static unsigned int
n_cpus(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? n : 1;
}

/* Making a device's packets takes some tens of milliseconds, as their memory is used for the first time then: it is
 * done beside the main loop, before the device is made.  One pool at a time; a device takes the one that is ready if it
 * is large enough. */
static struct {
    pthread_mutex_t mutex;
    struct rte_mempool *pool; /* Null: none is ready. */
    bool is_being_made, has_failed;
    unsigned int n;           /* Packets of the one that is being made. */
    char *devargs;            /* Of the device. */
    void (*done)(void *aux);
    void *aux;
} spare = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static struct rte_mempool *
make_pool(unsigned int n)
{
    static _Atomic unsigned int n_made;
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof name, "weft_port%u", atomic_fetch_add(&n_made, 1));
    return packet_pool_create(name, n, PACKET_ROOM);
}

static void
make_spare(void *unused UNUSED)
{
    struct rte_mempool *pool = make_pool(spare.n + n_replayed(spare.devargs));

    pthread_mutex_lock(&spare.mutex);
    spare.pool = pool;
    spare.has_failed = !pool;
    spare.is_being_made = false;
    spare.done(spare.aux);
    pthread_mutex_unlock(&spare.mutex);
}

/* For a device that needs 'n' packets and those of its capture. */
static bool
prepare_pool(unsigned int n, const char *devargs, void (*done)(void *aux), void *aux)
{
    bool is_ready;

    pthread_mutex_lock(&spare.mutex);
    is_ready = !spare.is_being_made
               && (spare.has_failed || (spare.pool && spare.pool->size >= n && !strcmp(spare.devargs, devargs)));
    if (!is_ready && !spare.is_being_made) {
        if (spare.pool) {
            packet_pool_destroy(spare.pool); /* Of a device that did not come. */
            spare.pool = NULL;
        }
        free(spare.devargs);
        spare.devargs = xstrdup(devargs);
        spare.n = n;
        spare.is_being_made = true;
        spare.done = done;
        spare.aux = aux;
        work_start(make_spare, NULL);
    }
    pthread_mutex_unlock(&spare.mutex);
    return is_ready;
}

/* The one that is ready, or a new one. */
static struct rte_mempool *
take_pool(unsigned int n)
{
    struct rte_mempool *pool = NULL;

    pthread_mutex_lock(&spare.mutex);
    if (spare.pool && spare.pool->size >= n) {
        pool = spare.pool;
        spare.pool = NULL;
    }
    spare.has_failed = false;
    pthread_mutex_unlock(&spare.mutex);
    return pool ? pool : make_pool(n);
}

/* --- The device --- */

static struct dpdk_dev *
dpdk_dev(const struct netdev *n)
{
    return n->priv;
}

static int
dpdk_construct(struct netdev *n)
{
    struct error *e = env_start();
    struct dpdk_dev *d;

    if (e) {
        log_err("%s: %s", n->name, error_text(e));
        error_free(e);
        return -ENODEV;
    }
    d = xzalloc_cacheline(sizeof *d);
    d->netdev = n;
    d->port = NO_PORT;
    d->mtu = RTE_ETHER_MTU;
    for (int i = 0; i < MAX_QUEUES; i++) {
        rte_spinlock_init(&d->locks[i].lock);
    }
    list_push_back(&devices, &d->node);
    n->priv = d;
    return 0;
}

static void
detach(struct dpdk_dev *d)
{
    struct rte_eth_dev_info info;

    if (d->port != NO_PORT) {
        if (d->started) {
            rte_eth_dev_stop(d->port);
        }
        if (d->is_ours && !rte_eth_dev_info_get(d->port, &info)) {
            rte_eth_dev_close(d->port);
            if (rte_dev_remove(info.device)) {
                log_info("%s: device %s could not be detached", d->netdev->name, d->devargs);
            }
        }
    }
    d->port = NO_PORT;
    d->started = false;
    d->n_rxq = 0;
    if (d->pool) {
        packet_pool_destroy(d->pool);
        d->pool = NULL;
    }
}

static void
dpdk_destruct(struct netdev *n)
{
    struct dpdk_dev *d = dpdk_dev(n);

    detach(d);
    list_remove(&d->node);
    free(d->devargs);
    free(d);
}

/* Finds or makes the device of 'devargs'. */
static struct error *
attach(struct dpdk_dev *d, const char *devargs)
{
    char *name = xstrndup(devargs, strcspn(devargs, ","));
    struct error *e = NULL;

    LIST_FOR_EACH (other, struct dpdk_dev, node, &devices) {
        if (other != d && other->devargs && other->port != NO_PORT
            && !strncmp(other->devargs, name, strlen(name)) && strchr(",", other->devargs[strlen(name)])) {
            e = error_new("'%s' is trying to use device '%s' which is already in use by '%s'", d->netdev->name,
                          devargs, other->netdev->name);
        }
    }
    if (!e && rte_eth_dev_get_port_by_name(name, &d->port)) {
        int error = rte_dev_probe(devargs);

        d->is_ours = !error;
        if (error || rte_eth_dev_get_port_by_name(name, &d->port)) {
            d->port = NO_PORT;
            e = error_new("Error attaching device '%s': %s", devargs, error ? rte_strerror(-error) : "port unknown");
        }
    }
    free(name);
    return e;
}

static struct error *
failed(const struct dpdk_dev *d, const char *what, int error)
{
    return error_new("%s: %s failed: %s", d->netdev->name, what, rte_strerror(-error));
}

static struct error *
setup_queues(struct dpdk_dev *d)
{
    int error;

    for (unsigned int i = 0; i < d->n_rxq; i++) {
        error = rte_eth_rx_queue_setup(d->port, i, d->n_rxq_desc, SOCKET_ID_ANY, NULL, d->pool);
        if (error) {
            return failed(d, "setting up a receive queue", error);
        }
    }
    for (unsigned int i = 0; i < d->n_txq; i++) {
        error = rte_eth_tx_queue_setup(d->port, i, d->n_txq_desc, SOCKET_ID_ANY, NULL);
        if (error) {
            return failed(d, "setting up a transmit queue", error);
        }
    }
    error = rte_eth_dev_start(d->port);
    d->started = !error;
    return error ? failed(d, "starting the device", error) : NULL;
}

/* Configures and starts the attached device with 'n_rxq' queues. */
static struct error *
start(struct dpdk_dev *d, unsigned int n_rxq)
{
    const struct rte_eth_conf conf = { 0 };
    struct rte_eth_dev_info info;
    uint16_t rx_desc, tx_desc;
    int error = rte_eth_dev_info_get(d->port, &info);

    if (error) {
        return failed(d, "asking for the device's limits", error);
    }
    d->n_rxq = MIN(n_rxq, MIN((unsigned int) info.max_rx_queues, MAX_QUEUES));
    d->n_txq = MIN((unsigned int) info.max_tx_queues, MIN(n_cpus(), MAX_QUEUES));
    error = rte_eth_dev_configure(d->port, d->n_rxq, d->n_txq, &conf);
    if (error) {
        return failed(d, "configuring the device", error);
    }
    rx_desc = d->n_rxq_desc;
    tx_desc = d->n_txq_desc;
    error = rte_eth_dev_adjust_nb_rx_tx_desc(d->port, &rx_desc, &tx_desc);
    if (error) {
        return failed(d, "the number of descriptors", error);
    }
    d->n_rxq_desc = rx_desc;
    d->n_txq_desc = tx_desc;
    d->pool = take_pool(d->n_rxq * rx_desc + d->n_txq * tx_desc + POOL_EXTRA + n_replayed(d->devargs));
    if (!d->pool) {
        return error_new("%s: no memory for the device's packets: %s", d->netdev->name, rte_strerror(rte_errno));
    }
    return setup_queues(d);
}

static struct error *
number_option(const char *name, const struct strmap *options, const char *key, unsigned int otherwise,
              unsigned int *value)
{
    const char *text = strmap_get(options, key);

    *value = otherwise;
    if (text && (!num_parse_u32(text, 10, value) || *value > 65535)) {
        return error_new("%s: %s: '%s' is not a number up to 65535", name, key, text);
    }
    *value = *value ? *value : otherwise;
    return NULL;
}

/* How many queues and descriptors the row asks for. */
struct sizes {
    unsigned int n_rxq, n_rxq_desc, n_txq_desc;
};

static struct error *
read_sizes(const char *name, const struct strmap *options, struct sizes *s)
{
    struct error *e = number_option(name, options, "n_rxq", 1, &s->n_rxq);

    e = e ? e : number_option(name, options, "n_rxq_desc", DEFAULT_DESCRIPTORS, &s->n_rxq_desc);
    return e ? e : number_option(name, options, "n_txq_desc", DEFAULT_DESCRIPTORS, &s->n_txq_desc);
}

/* What is wrong with the options is said when they are set. */
static bool
dpdk_prepare(const struct strmap *options, void (*done)(void *aux), void *aux)
{
    const char *devargs = strmap_get(options, "dpdk-devargs");
    struct sizes s;
    struct error *e;

    if (!devargs || !devargs[0] || !env_is_started()) {
        return true;
    }
    e = read_sizes("", options, &s);
    if (e) {
        error_free(e);
        return true;
    }
    return prepare_pool(MIN(s.n_rxq, MAX_QUEUES) * s.n_rxq_desc + MIN(n_cpus(), MAX_QUEUES) * s.n_txq_desc + POOL_EXTRA,
                        devargs, done, aux);
}

static struct error *
dpdk_set_config(struct netdev *n, const struct strmap *options)
{
    const char *devargs = strmap_get(options, "dpdk-devargs");
    struct dpdk_dev *d = dpdk_dev(n);
    struct sizes s;
    struct error *e;

    if (!devargs || !devargs[0]) {
        return error_new("'%s' is missing 'options:dpdk-devargs'. The old 'dpdk<port_id>' names are not supported",
                         n->name);
    }
    e = read_sizes(n->name, options, &s);
    if (e || (d->started && !strcmp(d->devargs, devargs))) {
        return e;
    }
    if (d->started) {
        return error_new("%s: dpdk-devargs cannot change while the port exists", n->name);
    }
    e = attach(d, devargs);
    if (e) {
        return e;
    }
    free(d->devargs);
    d->devargs = xstrdup(devargs);
    d->n_rxq_desc = s.n_rxq_desc;
    d->n_txq_desc = s.n_txq_desc;
    e = start(d, s.n_rxq);
    if (e) {
        detach(d);
    } else {
        d->up = true;
        netdev_changed(n);
    }
    return e;
}

static int
dpdk_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    struct dpdk_dev *d = dpdk_dev(n);
    bool up = (d->up && !(off & NETDEV_UP)) || on & NETDEV_UP;

    if (d->started && on & NETDEV_PROMISC) {
        rte_eth_promiscuous_enable(d->port);
    }
    if (up != d->up) {
        d->up = up;
        netdev_changed(n);
    }
    *now = d->up ? NETDEV_UP : 0;
    return 0;
}

static int
dpdk_get_etheraddr(const struct netdev *n, struct eth_addr *mac)
{
    struct rte_ether_addr a;
    struct dpdk_dev *d = dpdk_dev(n);
    int error = d->started ? rte_eth_macaddr_get(d->port, &a) : -ENODEV;

    if (!error) {
        memcpy(mac, &a, sizeof *mac);
    }
    return error;
}

static int
dpdk_set_etheraddr(struct netdev *n, struct eth_addr mac)
{
    struct rte_ether_addr a;
    struct dpdk_dev *d = dpdk_dev(n);

    memcpy(&a, &mac, sizeof a);
    return d->started ? rte_eth_dev_default_mac_addr_set(d->port, &a) : -ENODEV;
}

static int
dpdk_get_mtu(const struct netdev *n, int *mtu)
{
    *mtu = dpdk_dev(n)->mtu;
    return 0;
}

static int
dpdk_set_mtu(struct netdev *n, int mtu)
{
    struct dpdk_dev *d = dpdk_dev(n);
    int error = d->started ? rte_eth_dev_set_mtu(d->port, mtu) : 0;

    if (mtu + 18 > PACKET_ROOM) {
        return -EINVAL; /* Frames here are in one piece. */
    }
    if (!error || error == -ENOTSUP) {
        d->mtu = mtu;
        netdev_changed(n);
        error = 0;
    }
    return error;
}

static bool
dpdk_get_carrier(const struct netdev *n)
{
    struct dpdk_dev *d = dpdk_dev(n);
    struct rte_eth_link link = { 0 };

    return d->started && !rte_eth_link_get_nowait(d->port, &link) && link.link_status == RTE_ETH_LINK_UP;
}

static int
dpdk_get_features(const struct netdev *n, struct netdev_features *f)
{
    struct dpdk_dev *d = dpdk_dev(n);
    struct rte_eth_link link = { 0 };

    if (!d->started || rte_eth_link_get_nowait(d->port, &link)) {
        return -ENODEV;
    }
    f->current = link.link_speed == RTE_ETH_SPEED_NUM_10G ? 1 << 6 : link.link_speed == RTE_ETH_SPEED_NUM_1G ? 1 << 5
                 : link.link_speed == RTE_ETH_SPEED_NUM_100M ? 1 << 3 : 0;
    f->current |= link.link_autoneg ? 1 << 9 : 0;
    return 0;
}

static int
dpdk_get_stats(const struct netdev *n, struct netdev_stats *stats)
{
    struct dpdk_dev *d = dpdk_dev(n);
    struct rte_eth_stats s;
    int error = d->started ? rte_eth_stats_get(d->port, &s) : -ENODEV;

    if (!error) {
        stats->rx_packets = s.ipackets;
        stats->tx_packets = s.opackets;
        stats->rx_bytes = s.ibytes;
        stats->tx_bytes = s.obytes;
        stats->rx_errors = s.ierrors;
        stats->tx_errors = s.oerrors;
        stats->rx_dropped = s.imissed + s.rx_nombuf;
        stats->tx_dropped = atomic_load_explicit(&d->tx_dropped, memory_order_relaxed);
    }
    return error;
}

static void
put(struct strmap *status, const char *key, char *value)
{
    free(strmap_put(status, key, value));
}

static void
dpdk_get_status(const struct netdev *n, struct strmap *status)
{
    struct dpdk_dev *d = dpdk_dev(n);
    struct rte_eth_dev_info info;

    if (!d->started || rte_eth_dev_info_get(d->port, &info)) {
        return;
    }
    put(status, "driver_name", xstrdup(info.driver_name));
    put(status, "port_no", xasprintf("%u", d->port));
    put(status, "numa_id", xasprintf("%d", MAX(rte_eth_dev_socket_id(d->port), 0)));
    put(status, "min_rx_bufsize", xasprintf("%u", info.min_rx_bufsize));
    put(status, "max_rx_pktlen", xasprintf("%u", d->mtu + 18));
    put(status, "max_rx_queues", xasprintf("%u", info.max_rx_queues));
    put(status, "max_tx_queues", xasprintf("%u", info.max_tx_queues));
    put(status, "max_mac_addrs", xasprintf("%u", info.max_mac_addrs));
    put(status, "max_vfs", xasprintf("%u", info.max_vfs));
    put(status, "max_vmdq_pools", xasprintf("%u", info.max_vmdq_pools));
    put(status, "n_rxq", xasprintf("%u", d->n_rxq));
    put(status, "n_txq", xasprintf("%u", d->n_txq));
    put(status, "rx_csum_offload", xstrdup("false"));
    put(status, "if_type", xstrdup("6"));
    put(status, "if_descr", xasprintf("%s %s", env_version(), info.driver_name));
    put(status, "bus_info", xasprintf("bus_name=%s", rte_bus_name(rte_dev_bus(info.device))));
}

static unsigned int
dpdk_n_rxq(const struct netdev *n)
{
    return dpdk_dev(n)->n_rxq;
}

static int
dpdk_rxq_recv(struct netdev_rxq *rxq, struct packet **packets, unsigned int max)
{
    struct dpdk_dev *d = dpdk_dev(rxq->netdev);

    if (UNLIKELY(!atomic_load_explicit(&d->up, memory_order_relaxed))) {
        return 0;
    }
    return rte_eth_rx_burst(d->port, rxq->queue, (struct rte_mbuf **) packets, max);
}

static unsigned int
dpdk_get_node(const struct netdev *n)
{
    return MAX(rte_eth_dev_socket_id(dpdk_dev(n)->port), 0);
}

static unsigned int
dpdk_n_txq(const struct netdev *n)
{
    return dpdk_dev(n)->n_txq;
}

static void
dpdk_send(struct netdev *n, unsigned int txq, struct packet **packets, unsigned int n_packets)
{
    struct dpdk_dev *d = dpdk_dev(n);
    unsigned int sent = 0, q = d->n_txq ? txq % d->n_txq : 0;

    if (LIKELY(d->n_txq && atomic_load_explicit(&d->up, memory_order_relaxed))) {
        rte_spinlock_lock(&d->locks[q].lock);
        sent = rte_eth_tx_burst(d->port, q, (struct rte_mbuf **) packets, n_packets);
        rte_spinlock_unlock(&d->locks[q].lock);
    }
    if (UNLIKELY(sent < n_packets)) {
        atomic_fetch_add_explicit(&d->tx_dropped, n_packets - sent, memory_order_relaxed);
        rte_pktmbuf_free_bulk((struct rte_mbuf **) packets + sent, n_packets - sent);
    }
}

static const struct netdev_class dpdk_class = {
    .type = "dpdk",
    .is_pollable_only = true,
    .has_packets = true,
    .prepare = dpdk_prepare,
    .construct = dpdk_construct,
    .destruct = dpdk_destruct,
    .set_config = dpdk_set_config,
    .set_flags = dpdk_set_flags,
    .get_etheraddr = dpdk_get_etheraddr,
    .set_etheraddr = dpdk_set_etheraddr,
    .get_mtu = dpdk_get_mtu,
    .set_mtu = dpdk_set_mtu,
    .get_carrier = dpdk_get_carrier,
    .get_features = dpdk_get_features,
    .get_stats = dpdk_get_stats,
    .get_status = dpdk_get_status,
    .n_rxq = dpdk_n_rxq,
    .rxq_open = netdev_plain_rxq_open,
    .rxq_close = netdev_plain_rxq_close,
    .rxq_fd = netdev_no_rxq_fd,
    .rxq_recv = dpdk_rxq_recv,
    .send = dpdk_send,
    .get_node = dpdk_get_node,
    .n_txq = dpdk_n_txq,
};

void
netdev_dpdk_register(void)
{
    netdev_class_register(&dpdk_class);
}
