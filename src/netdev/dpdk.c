#include "netdev/dpdk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>

#include "base/num.h"
#include "netdev/dpdk_counters.h"
#include "netdev/dpdk_device.h"
#include "netdev/dpdk_peer.h"
#include "netdev/dpdk_flow.h"
#include "netdev/qos.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pool.h"
#include "sys/log.h"

LOG_MODULE(netdev_dpdk)

enum { DEFAULT_DESCRIPTORS = 2048, MAX_DESCRIPTORS = 4096 };

static bool wants_tso, wants_offload;

void
netdev_dpdk_configure(const struct netdev_dpdk_settings *s)
{
    wants_tso = s->tso;
    wants_offload |= s->hw_offload; /* It is not turned off. */
    dpdk_pool_configure(&s->pools);
}

static int
dpdk_construct(struct netdev *n)
{
    struct error *e = env_start();

    if (e) {
        log_err("%s: %s", n->name, error_text(e));
        error_free(e);
        return -ENODEV;
    }
    n->priv = dpdk_device_create(n);
    return 0;
}

static void
dpdk_destruct(struct netdev *n)
{
    dpdk_device_destroy(dpdk_device(n));
}

/* --- Options --- */

/* What is no number counts as not given (ovs-vswitchd.conf.db(5)). */
static unsigned int
read_n_rxq(const struct strmap *options)
{
    const char *text = strmap_get(options, "n_rxq");
    uint32_t n;

    return text && num_parse_u32(text, 10, &n) && n ? n : 1;
}

static unsigned int
read_descriptors(const char *name, const struct strmap *options, const char *key)
{
    const char *text = strmap_get(options, key);
    uint32_t n;

    if (!text) {
        return DEFAULT_DESCRIPTORS;
    }
    if (!num_parse_u32(text, 10, &n) || !n || n > MAX_DESCRIPTORS || n & (n - 1)) {
        if (name) {
            log_info("%s: %s: '%s' is no power of 2 up to %d; it is %d", name, key, text, MAX_DESCRIPTORS,
                     DEFAULT_DESCRIPTORS);
        }
        return DEFAULT_DESCRIPTORS;
    }
    return n;
}

static bool
read_bool(const struct strmap *options, const char *key)
{
    const char *text = strmap_get(options, key);

    return text && !strcmp(text, "true");
}

static bool
mtu_is_possible(int mtu)
{
    return mtu >= DPDK_MIN_MTU && mtu <= DPDK_MAX_MTU;
}

/* 'name' null: nobody is told what is wrong. */
static struct dpdk_config
read_config(const char *name, const struct strmap *options)
{
    const char *lsc = strmap_get(options, "dpdk-lsc-interrupt"), *mac = strmap_get(options, "dpdk-vf-mac");
    struct dpdk_config c = {
        .n_rxq = read_n_rxq(options),
        .n_rxq_desc = read_descriptors(name, options, "n_rxq_desc"),
        .n_txq_desc = read_descriptors(name, options, "n_txq_desc"),
        .mtu = RTE_ETHER_MTU,
        .lsc = !lsc || !strcmp(lsc, "true"),
        .insists_on_lsc = lsc && !strcmp(lsc, "true"),
        .rx_pause = read_bool(options, "rx-flow-ctrl"),
        .tx_pause = read_bool(options, "tx-flow-ctrl"),
        .autoneg = read_bool(options, "flow-ctrl-autoneg"),
        .steering = dpdk_steering_read(name, strmap_get(options, "rx-steering")),
        .tso = wants_tso,
        .hw_offload = wants_offload,
    };

    c.has_vf_mac = mac && eth_addr_parse(mac, &c.vf_mac) && !eth_addr_is_multicast(c.vf_mac)
                   && !eth_addr_is_zero(c.vf_mac);
    if (mac && !c.has_vf_mac && name) {
        log_warn("'%s' is trying to set the VF MAC '%s' but it is no address that a device can have.", name, mac);
    }
    return c;
}

/* What is wrong with the options is said when they are set. */
static bool
dpdk_prepare(const struct strmap *options, int mtu, void (*done)(void *aux), void *aux)
{
    const char *devargs = strmap_get(options, "dpdk-devargs");
    const struct dpdk_device *has;
    struct dpdk_pool_size size;
    struct dpdk_config c;

    if (!devargs || !devargs[0] || !env_is_started()) {
        return true;
    }
    has = dpdk_device_find(devargs);
    c = read_config(NULL, options);
    c.mtu = has ? has->mtu : c.mtu;
    size = dpdk_device_pool_size(&c, devargs);
    if (!mtu_is_possible(mtu) || (has && mtu == has->refused_mtu)) {
        mtu = c.mtu;
    }
    if ((!has || mtu == c.mtu) && !dpdk_pool_prepare(has ? &has->share : NULL, &size, done, aux)) {
        return false; /* It begins with this MTU. */
    }
    size.mtu = mtu;
    return dpdk_pool_prepare(has ? &has->share : NULL, &size, done, aux);
}

static struct error *
dpdk_set_config(struct netdev *n, const struct strmap *options)
{
    const char *devargs = strmap_get(options, "dpdk-devargs");
    struct dpdk_device *d = dpdk_device(n);
    struct dpdk_config c;
    struct error *e = NULL;

    if (!devargs || !devargs[0]) {
        return error_new("'%s' is missing 'options:dpdk-devargs'. The old 'dpdk<port_id>' names are not supported",
                         n->name);
    }
    if (d->devargs && strcmp(d->devargs, devargs)) {
        atomic_store(&d->active, false); /* Nobody sends either, once the queues are released. */
        netdev_release_queues(n);
        dpdk_device_detach(d);
    }
    c = read_config(n->name, options);
    c.mtu = d->mtu;
    e = d->devargs ? NULL : dpdk_device_attach(d, devargs);
    e = e ? e : dpdk_device_apply(d, &c);
    if (e) {
        dpdk_device_detach(d);
    }
    return e;
}

/* --- State --- */

static int
dpdk_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    struct dpdk_device *d = dpdk_device(n);
    bool up = (d->is_up && !(off & NETDEV_UP)) || on & NETDEV_UP;

    if (d->started && on & NETDEV_PROMISC) {
        rte_eth_promiscuous_enable(d->port);
    }
    dpdk_device_set_up(d, up);
    *now = d->is_up ? NETDEV_UP : 0;
    return 0;
}

static int
dpdk_get_etheraddr(const struct netdev *n, struct eth_addr *mac)
{
    struct rte_ether_addr a;
    struct dpdk_device *d = dpdk_device(n);
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
    struct dpdk_device *d = dpdk_device(n);

    memcpy(&a, &mac, sizeof a);
    return d->started ? rte_eth_dev_default_mac_addr_set(d->port, &a) : -ENODEV;
}

static int
dpdk_get_mtu(const struct netdev *n, int *mtu)
{
    *mtu = dpdk_device(n)->mtu;
    return 0;
}

/* Where the device does not take it, it goes on with what it had. */
static int
dpdk_set_mtu(struct netdev *n, int mtu)
{
    struct dpdk_device *d = dpdk_device(n);
    const struct dpdk_config old = d->wanted;
    struct dpdk_config c = old;
    struct error *e;

    if (!mtu_is_possible(mtu)) {
        log_warn("%s: unsupported MTU %d", n->name, mtu);
        return -EINVAL;
    }
    if (!d->started) {
        d->mtu = mtu;
        return 0;
    }
    if (mtu == d->refused_mtu) {
        return -EINVAL; /* Whoever asks again shall not interrupt the traffic again. */
    }
    c.mtu = mtu;
    e = dpdk_device_apply(d, &c);
    if (!e) {
        d->refused_mtu = 0;
        return 0;
    }
    d->refused_mtu = mtu;
    log_warn("%s", error_text(e));
    error_free(e);
    e = dpdk_device_apply(d, &old);
    if (e) {
        log_warn("%s", error_text(e));
        error_free(e);
        netdev_set_gone(n);
    }
    return -EINVAL;
}

static bool
dpdk_get_carrier(const struct netdev *n)
{
    return dpdk_device(n)->is_up && dpdk_device(n)->has_link;
}

static uint64_t
dpdk_get_carrier_resets(const struct netdev *n)
{
    return dpdk_device(n)->carrier_resets;
}

/* OpenFlow has no bits for the others. */
static uint32_t
feature_of(const struct rte_eth_link *link)
{
    static const struct { uint32_t speed, half, full; } rates[] = {
        { RTE_ETH_SPEED_NUM_10M, 1 << 0, 1 << 1 },
        { RTE_ETH_SPEED_NUM_100M, 1 << 2, 1 << 3 },
        { RTE_ETH_SPEED_NUM_1G, 1 << 4, 1 << 5 },
        { RTE_ETH_SPEED_NUM_10G, 0, 1 << 6 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        if (link->link_speed == rates[i].speed) {
            return link->link_duplex == RTE_ETH_LINK_FULL_DUPLEX ? rates[i].full : rates[i].half;
        }
    }
    return 0;
}

static int
dpdk_get_features(const struct netdev *n, struct netdev_features *f)
{
    struct dpdk_device *d = dpdk_device(n);
    struct rte_eth_link link = { 0 };

    if (!d->started || rte_eth_link_get_nowait(d->port, &link)) {
        return -ENODEV;
    }
    f->current = feature_of(&link);
    f->current |= f->current && link.link_autoneg ? 1 << 9 : 0;
    return 0;
}

static int
dpdk_get_stats(const struct netdev *n, struct netdev_stats *stats)
{
    return dpdk_counters_get(dpdk_device(n), stats);
}

static void
dpdk_each_counter(const struct netdev *n, netdev_counter_cb *cb, void *aux)
{
    dpdk_counters_each(n, cb, aux);
}

static char *
speed_text(const struct dpdk_device *d)
{
    struct rte_eth_link link = { 0 };

    if (rte_eth_link_get_nowait(d->port, &link) || !link.link_speed || link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN) {
        return xstrdup("Not Defined");
    }
    return link.link_speed < 1000 ? xasprintf("%uMbps", link.link_speed) : xasprintf("%gGbps", link.link_speed / 1e3);
}

static void
dpdk_get_status(const struct netdev *n, struct strmap *status)
{
    const uint64_t l4_csums = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    struct dpdk_device *d = dpdk_device(n);
    struct rte_eth_dev_info info;

    if (!d->started || rte_eth_dev_info_get(d->port, &info)) {
        return;
    }
    const struct { const char *key; unsigned int value; } numbers[] = {
        { "port_no", d->port }, { "min_rx_bufsize", info.min_rx_bufsize },
        { "max_rx_pktlen", d->mtu + DPDK_FRAME_OVERHEAD }, { "max_rx_queues", info.max_rx_queues },
        { "max_tx_queues", info.max_tx_queues }, { "max_mac_addrs", info.max_mac_addrs },
        { "max_hash_mac_addrs", info.max_hash_mac_addrs }, { "max_vfs", info.max_vfs },
        { "max_vmdq_pools", info.max_vmdq_pools }, { "n_rxq", d->n_rxq }, { "n_txq", d->n_txq }, { "if_type", 6 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        strmap_put_free(status, numbers[i].key, xasprintf("%u", numbers[i].value));
    }
    dpdk_steering_put_status(d->steering, d->n_rxq, status);
    strmap_put_free(status, "driver_name", xstrdup(info.driver_name));
    strmap_put_free(status, "numa_id", xasprintf("%d", rte_eth_dev_socket_id(d->port)));
    strmap_put_free(status, "link_speed", speed_text(d));
    strmap_put_free(status, "rx_csum_offload", xstrdup((d->offloads.rx & l4_csums) == l4_csums ? "true" : "false"));
    strmap_put_free(status, "tx_ip_csum_offload",
                    xstrdup(d->offloads.tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM ? "true" : "false"));
    strmap_put_free(status, "if_descr", xasprintf("%s %s", env_version(), info.driver_name));
    strmap_put_free(status, "bus_info", xasprintf("bus_name=%s", rte_bus_name(rte_dev_bus(info.device))));
    if (d->wanted.has_vf_mac && *info.dev_flags & RTE_ETH_DEV_REPRESENTOR) {
        strmap_put_free(status, "dpdk-vf-mac", xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(d->wanted.vf_mac)));
    }
}

static void
dpdk_get_config(const struct netdev *n, struct strmap *config)
{
    const struct dpdk_device *d = dpdk_device(n);
    const struct dpdk_config *c = &d->wanted;
    const struct { const char *key; bool is_on; } flags[] = {
        { "rx-flow-ctrl", c->rx_pause }, { "tx-flow-ctrl", c->tx_pause }, { "flow-ctrl-autoneg", c->autoneg },
    };

    if (!d->started) {
        return;
    }
    strmap_put_free(config, "dpdk-devargs", xstrdup(d->devargs));
    strmap_put_free(config, "n_rxq", xasprintf("%u", c->n_rxq));
    strmap_put_free(config, "n_rxq_desc", xasprintf("%u", c->n_rxq_desc));
    strmap_put_free(config, "n_txq_desc", xasprintf("%u", c->n_txq_desc));
    strmap_put_free(config, "dpdk-lsc-interrupt", xstrdup(c->lsc ? "true" : "false"));
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (flags[i].is_on) {
            strmap_put_free(config, flags[i].key, xstrdup("true"));
        }
    }
    if (c->steering == DPDK_STEERING_LACP) {
        strmap_put_free(config, "rx-steering", xstrdup("rss+lacp"));
    }
    if (c->has_vf_mac) {
        strmap_put_free(config, "dpdk-vf-mac", xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(c->vf_mac)));
    }
}

/* --- Packets --- */

static unsigned int
dpdk_n_rxq(const struct netdev *n)
{
    return dpdk_device(n)->n_rxq;
}

/* The frame of a chain in one piece; takes 'p' over.  Null without memory. */
static NOINLINE struct packet *
join(struct packet *p)
{
    size_t n = rte_pktmbuf_pkt_len(&p->mbuf);
    void *buffer = n <= PACKET_MAX ? packet_buffer_get() : NULL;
    struct packet *whole = NULL;

    if (buffer) {
        char *to = (char *) buffer + PACKET_HEADROOM;
        const void *from = rte_pktmbuf_read(&p->mbuf, 0, n, to);

        if (from && from != to) {
            memcpy(to, from, n);
        }
        whole = from ? packet_around_buffer(buffer, PACKET_HEADROOM, n) : NULL;
        if (!whole) {
            packet_buffer_put(buffer);
        }
    }
    rte_pktmbuf_free(&p->mbuf);
    return whole;
}

/* Frames are in one piece everywhere in the switch. */
static unsigned int
join_chains(struct dpdk_device *d, struct packet **packets, unsigned int n)
{
    unsigned int kept = 0;

    for (unsigned int i = 0; i < n; i++) {
        packets[kept] = LIKELY(packets[i]->mbuf.nb_segs == 1) ? packets[i] : join(packets[i]);
        kept += packets[kept] != NULL;
    }
    if (UNLIKELY(kept < n)) {
        atomic_fetch_add_explicit(&d->rx_dropped, n - kept, memory_order_relaxed);
    }
    return kept;
}

static int
dpdk_rxq_recv(struct netdev_rxq *rxq, struct packet **packets, unsigned int max)
{
    struct dpdk_device *d = dpdk_device(rxq->netdev);
    unsigned int n;

    if (UNLIKELY(!atomic_load_explicit(&d->active, memory_order_relaxed))) {
        return 0;
    }
    if (LIKELY(d->peer == DPDK_PEER_NONE)) {
        n = rte_eth_rx_burst(d->port, rxq->queue, (struct rte_mbuf **) packets, max);
    } else {
        rte_spinlock_lock(&d->rx_locks[rxq->queue].lock);
        n = dpdk_peer_is_there(d) ? rte_eth_rx_burst(d->port, rxq->queue, (struct rte_mbuf **) packets, max) : 0;
        rte_spinlock_unlock(&d->rx_locks[rxq->queue].lock);
    }
    n = d->is_virtual ? join_chains(d, packets, n) : n;
    if (d->offloads.rx) {
        dpdk_offload_receive(packets, n);
    }
    return n;
}

static unsigned int
dpdk_get_node(const struct netdev *n)
{
    return MAX(rte_eth_dev_socket_id(dpdk_device(n)->port), 0);
}

static unsigned int
dpdk_n_txq(const struct netdev *n)
{
    return dpdk_device(n)->n_txq;
}

static void
dpdk_send(struct netdev *netdev, unsigned int txq, struct packet **packets, unsigned int n_packets)
{
    struct dpdk_device *d = dpdk_device(netdev);
    unsigned int n = packets_up_to(packets, n_packets, atomic_load_explicit(&d->max_frame, memory_order_relaxed));
    unsigned int sent = 0;

    if (UNLIKELY(n < n_packets)) {
        atomic_fetch_add_explicit(&d->tx_too_long, n_packets - n, memory_order_relaxed);
    }
    if (LIKELY(atomic_load_explicit(&d->active, memory_order_relaxed) && d->n_txq)) {
        unsigned int q = txq % d->n_txq;

        n = d->offloads.tx_flags ? dpdk_offload_send(d, q, packets, n) : n;
        rte_spinlock_lock(&d->tx_locks[q].lock);
        if (LIKELY(d->peer == DPDK_PEER_NONE) || dpdk_peer_is_there(d)) {
            sent = rte_eth_tx_burst(d->port, q, (struct rte_mbuf **) packets, n);
        }
        rte_spinlock_unlock(&d->tx_locks[q].lock);
    }
    if (UNLIKELY(sent < n)) {
        atomic_fetch_add_explicit(&d->tx_failed, n - sent, memory_order_relaxed);
        rte_pktmbuf_free_bulk((struct rte_mbuf **) packets + sent, n - sent);
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
    .get_carrier_resets = dpdk_get_carrier_resets,
    .get_features = dpdk_get_features,
    .get_stats = dpdk_get_stats,
    .get_status = dpdk_get_status,
    .get_config = dpdk_get_config,
    .each_counter = dpdk_each_counter,
    .n_rxq = dpdk_n_rxq,
    .rxq_open = netdev_plain_rxq_open,
    .rxq_close = netdev_plain_rxq_close,
    .rxq_fd = netdev_no_rxq_fd,
    .rxq_recv = dpdk_rxq_recv,
    .send = dpdk_send,
    .qos_types = netdev_policer_types,
    .get_node = dpdk_get_node,
    .n_txq = dpdk_n_txq,
    .rules = &dpdk_flow_rules,
};

void
netdev_dpdk_register(void)
{
    netdev_class_register(&dpdk_class);
}
