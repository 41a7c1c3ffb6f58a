#include "netdev/dpdk_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include "netdev/dpdk_peer.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/numa.h"

LOG_MODULE(netdev_dpdk)

enum { LINK_INTERVAL_MS = 1000 };

struct list dpdk_devices = LIST_INIT(&dpdk_devices);

static struct loop_timer link_timer; /* Runs while there are devices. */

static struct error *
failed(const struct dpdk_device *d, const char *what, int error)
{
    return error_new("%s: %s failed: %s", d->netdev->name, what, rte_strerror(-error));
}

/* --- What the device reports --- */

static void
look_at_link(struct dpdk_device *d)
{
    struct rte_eth_link link = { 0 };
    bool has_link = d->started && !rte_eth_link_get_nowait(d->port, &link) && link.link_status == RTE_ETH_LINK_UP;

    if (has_link != d->has_link) {
        d->has_link = has_link;
        d->carrier_resets++;
        netdev_changed(d->netdev);
    }
}

static void
link_timer_expired(struct loop_timer *t)
{
    LIST_FOR_EACH (d, struct dpdk_device, node, &dpdk_devices) {
        if (!d->has_lsc) {
            look_at_link(d);
        }
    }
    dpdk_pools_sweep();
    loop_timer_set(t, clock_now_ms() + LINK_INTERVAL_MS);
}

/* By a thread of DPDK's. */
static int
take_event(uint16_t port UNUSED, enum rte_eth_event_type type, void *d_, void *ret UNUSED)
{
    struct dpdk_device *d = d_;

    atomic_fetch_or(&d->events, 1U << type);
    if (d->wake.aux) {
        loop_wake_signal(&d->wake);
    }
    return 0;
}

static const enum rte_eth_event_type event_types[] = {
    RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV,
};

static void
listen_to(struct dpdk_device *d)
{
    for (size_t i = 0; i < ARRAY_SIZE(event_types); i++) {
        if (rte_eth_dev_callback_register(d->port, event_types[i], take_event, d)) {
            log_warn("%s: the device's reports cannot be heard", d->netdev->name);
        }
    }
}

static void
ignore(struct dpdk_device *d)
{
    for (size_t i = 0; i < ARRAY_SIZE(event_types); i++) {
        while (rte_eth_dev_callback_unregister(d->port, event_types[i], take_event, d) == -EAGAIN) {
            continue; /* It is being called. */
        }
    }
}

static void stop(struct dpdk_device *);
static struct error *start(struct dpdk_device *, const struct dpdk_config *);

/* It goes on as it was. */
static void
reset(struct dpdk_device *d)
{
    const struct dpdk_config wanted = d->wanted;
    struct error *e;
    int error;

    log_info("%s: the device asks to be reset", d->netdev->name);
    atomic_store(&d->active, false);
    netdev_release_queues(d->netdev);
    stop(d);
    error = rte_eth_dev_reset(d->port);
    if (error && error != -ENOTSUP) {
        log_warn("%s: resetting the device failed: %s", d->netdev->name, rte_strerror(-error));
    }
    e = start(d, &wanted);
    if (e) {
        log_warn("%s", error_text(e));
        error_free(e);
        netdev_set_gone(d->netdev); /* The next one who opens it says what is wrong. */
        return;
    }
    netdev_take_queues(d->netdev);
    netdev_changed(d->netdev);
}

static void
act_on_events(struct loop_wake *wake)
{
    struct dpdk_device *d = wake->aux;
    unsigned int events = atomic_exchange(&d->events, 0);

    if (!d->started) {
        return;
    }
    if (events & 1U << RTE_ETH_EVENT_INTR_RMV) {
        log_warn("%s: device '%s' has been removed from the system", d->netdev->name, d->devargs);
        atomic_store(&d->active, false);
        netdev_set_gone(d->netdev);
        return;
    }
    if (events & 1U << RTE_ETH_EVENT_INTR_RESET) {
        reset(d);
    }
    if (events & 1U << RTE_ETH_EVENT_INTR_LSC) {
        look_at_link(d);
    }
}

/* --- A device comes and goes --- */

struct dpdk_device *
dpdk_device_create(struct netdev *n)
{
    struct dpdk_device *d = xzalloc_cacheline(sizeof *d);

    d->netdev = n;
    d->port = DPDK_NO_PORT;
    d->mtu = RTE_ETHER_MTU;
    d->max_frame = RTE_ETHER_MTU + DPDK_FRAME_OVERHEAD;
    d->is_up = true;
    for (int i = 0; i < DPDK_MAX_QUEUES; i++) {
        rte_spinlock_init(&d->tx_locks[i].lock);
        rte_spinlock_init(&d->rx_locks[i].lock);
    }
    if (netdev_loop()) {
        loop_wake_init(netdev_loop(), &d->wake, act_on_events, d);
        if (list_is_empty(&dpdk_devices)) {
            loop_timer_init(netdev_loop(), &link_timer, link_timer_expired, NULL);
            loop_timer_set(&link_timer, clock_now_ms() + LINK_INTERVAL_MS);
        }
    }
    list_push_back(&dpdk_devices, &d->node);
    return d;
}

void
dpdk_device_destroy(struct dpdk_device *d)
{
    dpdk_device_detach(d);
    list_remove(&d->node);
    if (d->wake.aux) {
        loop_wake_uninit(&d->wake);
        if (list_is_empty(&dpdk_devices)) {
            loop_timer_cancel(&link_timer);
        }
    }
    free(d);
}

void
dpdk_device_detach(struct dpdk_device *d)
{
    struct rte_eth_dev_info info;

    if (d->port != DPDK_NO_PORT) {
        ignore(d);
        stop(d);
        if (d->is_ours && !rte_eth_dev_info_get(d->port, &info)) {
            rte_eth_dev_close(d->port);
            if (rte_dev_remove(info.device)) {
                log_info("%s: device %s could not be detached", d->netdev->name, d->devargs);
            } else {
                log_info("Device '%s' has been removed and detached", d->devargs);
            }
        }
    }
    dpdk_peer_unwatch(d);
    d->port = DPDK_NO_PORT;
    d->refused_mtu = 0;
    d->n_rxq = 0;
    dpdk_share_release(&d->share);
    free(d->devargs);
    d->devargs = NULL;
}

/* By "class=eth,mac=ADDRESS", among the devices that DPDK has. */
static const char *
find_by_mac(const char *text, uint16_t *port)
{
    struct eth_addr wanted;
    uint16_t i;

    if (!eth_addr_parse(text, &wanted)) {
        return "invalid mac";
    }
    RTE_ETH_FOREACH_DEV (i) {
        struct rte_ether_addr mac;

        if (!rte_eth_macaddr_get(i, &mac) && !memcmp(&mac, &wanted, sizeof wanted)) {
            *port = i;
            return NULL;
        }
    }
    return "unknown mac (need dpdk-probe-at-init=true ?)";
}

/* A representor is one of the ports of its device. */
static bool
find_port(const char *devargs, uint16_t *port)
{
    struct rte_dev_iterator it;
    char *name;
    bool found;
    uint16_t i;

    if (strstr(devargs, "representor=")) {
        RTE_ETH_FOREACH_MATCHING_DEV (i, devargs, &it) {
            *port = i;
            rte_eth_iterator_cleanup(&it);
            return true;
        }
        return false;
    }
    name = xstrndup(devargs, strcspn(devargs, ","));
    found = !rte_eth_dev_get_port_by_name(name, port);
    free(name);
    return found;
}

/* Null: the port is found. */
static const char *
find_or_make(struct dpdk_device *d, const char *devargs)
{
    static const char by_mac[] = "class=eth,mac=";
    int error;

    d->is_ours = false;
    if (!strncmp(devargs, by_mac, strlen(by_mac))) {
        return find_by_mac(devargs + strlen(by_mac), &d->port);
    }
    if (find_port(devargs, &d->port)) {
        return NULL;
    }
    error = rte_dev_probe(devargs);
    d->is_ours = !error;
    return error ? rte_strerror(-error) : find_port(devargs, &d->port) ? NULL : "port unknown";
}

static const struct dpdk_device *
other_with_port(const struct dpdk_device *d)
{
    LIST_FOR_EACH (other, struct dpdk_device, node, &dpdk_devices) {
        if (other != d && other->port == d->port) {
            return other;
        }
    }
    return NULL;
}

struct error *
dpdk_device_attach(struct dpdk_device *d, const char *devargs)
{
    const char *wrong = find_or_make(d, devargs);
    const struct dpdk_device *other = wrong ? NULL : other_with_port(d);
    struct rte_eth_dev_info info;
    bool has_info;

    if (wrong || other) {
        d->port = DPDK_NO_PORT;
        return other ? error_new("'%s' is trying to use device '%s' which is already in use by '%s'", d->netdev->name,
                                 devargs, other->netdev->name)
                     : error_new("Error attaching device '%s': %s", devargs, wrong);
    }
    d->devargs = xstrdup(devargs);
    has_info = !rte_eth_dev_info_get(d->port, &info);
    d->is_virtual = has_info && !strcmp(rte_bus_name(rte_dev_bus(info.device)), "vdev");
    if (has_info) {
        dpdk_peer_watch(d, info.driver_name);
    }
    if (d->is_ours) {
        log_info("Device '%s' attached to DPDK", devargs);
    }
    listen_to(d);
    return NULL;
}

/* --- It runs --- */

/* As the system says of a device that DPDK does not have yet; 0: it does not. */
static int
node_of_pci_device(const char *address)
{
    char *path = xasprintf("/sys/bus/pci/devices/%.*s/numa_node", (int) strcspn(address, ",/"), address);
    FILE *f = fopen(path, "re");
    int node;

    if (!f || fscanf(f, "%d", &node) != 1) {
        node = 0;
    }
    if (f) {
        fclose(f);
    }
    free(path);
    return MAX(node, 0);
}

static int
node_of(const char *devargs)
{
    static const char by_mac[] = "class=eth,mac=";
    bool is_mac = !strncmp(devargs, by_mac, strlen(by_mac));
    uint16_t port;

    if (is_mac ? !find_by_mac(devargs + strlen(by_mac), &port) : find_port(devargs, &port)) {
        return MAX(rte_eth_dev_socket_id(port), 0);
    }
    return is_mac ? 0 : node_of_pci_device(devargs);
}

struct dpdk_device *
dpdk_device_find(const char *devargs)
{
    LIST_FOR_EACH (d, struct dpdk_device, node, &dpdk_devices) {
        if (d->devargs && !strcmp(d->devargs, devargs)) {
            return d;
        }
    }
    return NULL;
}

struct dpdk_pool_size
dpdk_device_pool_size(const struct dpdk_config *c, const char *devargs)
{
    unsigned int n_rxq = MIN(c->n_rxq + (c->steering == DPDK_STEERING_LACP), DPDK_MAX_QUEUES);
    unsigned int n_txq = MAX(n_rxq, MIN(numa_n_online(), DPDK_MAX_QUEUES));

    return (struct dpdk_pool_size) {
        .n = n_rxq * c->n_rxq_desc + n_txq * c->n_txq_desc,
        .mtu = c->mtu,
        .node = node_of(devargs),
        .devargs = devargs,
    };
}

static void
set_active(struct dpdk_device *d)
{
    atomic_store(&d->active, d->started && d->is_up);
}

/* Nobody is at its queues. */
static void
stop(struct dpdk_device *d)
{
    bool was_started = d->started;

    d->started = false;
    set_active(d);
    dpdk_steering_stop(d->port, &d->lacp_rule);
    if (was_started && rte_eth_dev_stop(d->port)) {
        log_warn("%s: the device did not stop", d->netdev->name);
    }
}

static struct error *
setup_queues(struct dpdk_device *d)
{
    int error;

    for (unsigned int i = 0; i < d->n_rxq; i++) {
        error = rte_eth_rx_queue_setup(d->port, i, d->n_rxq_desc, SOCKET_ID_ANY, NULL,
                                       dpdk_share_mempool(&d->share));
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
    return NULL;
}

/* Drivers of virtual devices say that they report their links, but do not for all changes. */
static struct error *
choose_lsc(struct dpdk_device *d, const struct dpdk_config *c, const struct rte_eth_dev_info *info)
{
    bool can = *info->dev_flags & RTE_ETH_DEV_INTR_LSC;

    d->has_lsc = can && (c->insists_on_lsc || (c->lsc && !d->is_virtual));
    return c->insists_on_lsc && !can ? error_new("%s: options:dpdk-lsc-interrupt: driver %s does not support it",
                                                 d->netdev->name, info->driver_name) : NULL;
}

static unsigned int
n_rxq_of(const struct dpdk_device *d, const struct dpdk_config *c)
{
    unsigned int n_for_lacp = d->steering == DPDK_STEERING_LACP;

    return MIN(c->n_rxq, DPDK_MAX_QUEUES - n_for_lacp) + n_for_lacp;
}

/* Nobody sends now. */
static void
choose_offloads(struct dpdk_device *d, const struct dpdk_config *c, const struct rte_eth_dev_info *info)
{
    d->offloads = dpdk_offload_choose(info, d->is_virtual, c->tso);
    atomic_store(&d->netdev->offloads, d->offloads.takes);
    if (c->tso && !(d->offloads.takes & NETDEV_TAKES_TCP_SEGMENTS)) {
        log_info("%s: Tx TSO offload is not supported.", d->netdev->name);
    }
}

/* Some drivers want as many queues of one kind as of the other. */
static int
configure_queues(struct dpdk_device *d, const struct dpdk_config *c, const struct rte_eth_dev_info *info)
{
    struct rte_eth_conf conf = { .rxmode.mtu = c->mtu, .rxmode.offloads = d->offloads.rx,
                                 .txmode.offloads = d->offloads.tx, .intr_conf.lsc = d->has_lsc,
                                 .intr_conf.rmv = (*info->dev_flags & RTE_ETH_DEV_INTR_RMV) != 0 };
    uint64_t hashes = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
    int error;

    d->n_rxq = MIN(n_rxq_of(d, c), MIN((unsigned int) info->max_rx_queues, DPDK_MAX_QUEUES));
    d->n_txq = MIN((unsigned int) info->max_tx_queues, MIN(numa_n_online(), DPDK_MAX_QUEUES));
    if (d->n_rxq > 1 && info->flow_type_rss_offloads & hashes) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = hashes & info->flow_type_rss_offloads;
    }
    error = rte_eth_dev_configure(d->port, d->n_rxq, d->n_txq, &conf);
    if (error && d->n_txq != d->n_rxq && d->n_rxq <= info->max_tx_queues) {
        d->n_txq = d->n_rxq;
        error = rte_eth_dev_configure(d->port, d->n_rxq, d->n_txq, &conf);
    }
    return error;
}

static struct error *
choose_descriptors(struct dpdk_device *d, const struct dpdk_config *c)
{
    uint16_t rx = c->n_rxq_desc, tx = c->n_txq_desc;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(d->port, &rx, &tx);

    d->n_rxq_desc = rx;
    d->n_txq_desc = tx;
    return error ? failed(d, "the number of descriptors", error) : NULL;
}

static struct error *
apply_mtu(struct dpdk_device *d, int mtu)
{
    int error = rte_eth_dev_set_mtu(d->port, mtu);

    if (error == -ENOTSUP) {
        log_info("Interface %s does not support MTU configuration, max packet size supported is %d.", d->netdev->name,
                 RTE_ETHER_MTU);
    } else if (error && mtu != RTE_ETHER_MTU) { /* A bond's members have none before they run. */
        return error_new("Interface %s MTU (%d) setup error: %s", d->netdev->name, mtu, rte_strerror(-error));
    }
    d->mtu = mtu;
    atomic_store(&d->max_frame, mtu + DPDK_FRAME_OVERHEAD);
    return NULL;
}

static struct error *
take_packets(struct dpdk_device *d, const struct dpdk_config *c)
{
    struct dpdk_pool_size size = dpdk_device_pool_size(c, d->devargs);

    return dpdk_share_fit(&d->share, &size) ? NULL
           : error_new("Failed to create memory pool for netdev %s, with MTU %d: %s", d->netdev->name, c->mtu,
                       rte_strerror(rte_errno));
}

/* What a device cannot do of it is said in the log; packets pass without it. */
static void
apply_flow_control(struct dpdk_device *d, const struct dpdk_config *c)
{
    struct rte_eth_fc_conf fc;
    int error;

    if (!c->rx_pause && !c->tx_pause && !c->autoneg && !d->wanted.rx_pause && !d->wanted.tx_pause
        && !d->wanted.autoneg) {
        return;
    }
    memset(&fc, 0, sizeof fc);
    error = rte_eth_dev_flow_ctrl_get(d->port, &fc);
    if (error) {
        log_warn("%s: %s", d->netdev->name, error == -ENOTSUP ? "Flow control is not supported."
                                                                : "Cannot get flow control parameters.");
        return;
    }
    fc.mode = c->rx_pause ? c->tx_pause ? RTE_ETH_FC_FULL : RTE_ETH_FC_RX_PAUSE
                          : c->tx_pause ? RTE_ETH_FC_TX_PAUSE : RTE_ETH_FC_NONE;
    fc.autoneg = c->autoneg;
    if (rte_eth_dev_flow_ctrl_set(d->port, &fc)) {
        log_warn("Failed to enable flow control on device %u", d->port);
    }
}

static void
apply_vf_mac(struct dpdk_device *d, const struct dpdk_config *c, const struct rte_eth_dev_info *info)
{
    struct rte_ether_addr mac;
    int error;

    if (!c->has_vf_mac) {
        return;
    }
    if (!(*info->dev_flags & RTE_ETH_DEV_REPRESENTOR)) {
        log_warn("'%s' is trying to set the VF MAC '" ETH_ADDR_FMT "' but 'options:dpdk-vf-mac' is only supported for "
                 "VF representors.", d->netdev->name, ETH_ADDR_ARGS(c->vf_mac));
        return;
    }
    memcpy(&mac, &c->vf_mac, sizeof mac);
    error = rte_eth_dev_default_mac_addr_set(d->port, &mac);
    if (error) {
        log_warn("%s: setting the VF MAC failed: %s", d->netdev->name, rte_strerror(-error));
    }
}

static struct error *
start_steered(struct dpdk_device *d, const struct dpdk_config *c, const struct rte_eth_dev_info *info)
{
    struct error *e = choose_lsc(d, c, info);
    int error;

    if (!e) {
        choose_offloads(d, c, info);
        error = configure_queues(d, c, info);
        e = error ? error_new("Interface %s(rxq:%u txq:%u lsc interrupt mode:%s) configure error: %s", d->netdev->name,
                              d->n_rxq, d->n_txq, d->has_lsc ? "true" : "false", rte_strerror(-error)) : NULL;
    }
    e = e ? e : choose_descriptors(d, c);
    e = e ? e : apply_mtu(d, c->mtu);
    e = e ? e : take_packets(d, c);
    e = e ? e : setup_queues(d);
    if (e) {
        return e;
    }
    error = rte_eth_dev_start(d->port);
    return error ? failed(d, "starting the device", error) : NULL;
}

/* Whether the started device steers as it is to.  If not it is stopped. */
static bool
steer(struct dpdk_device *d, const struct rte_eth_dev_info *info)
{
    const char *wrong = d->steering == DPDK_STEERING_LACP ? dpdk_steering_start(d->port, info, d->n_rxq, &d->lacp_rule)
                        : NULL;

    if (wrong) {
        log_warn("%s: options:rx-steering: the device cannot do rss+lacp: %s", d->netdev->name, wrong);
        if (rte_eth_dev_stop(d->port)) {
            log_warn("%s: the device did not stop", d->netdev->name);
        }
    }
    return !wrong;
}

static struct error *
start(struct dpdk_device *d, const struct dpdk_config *c)
{
    struct rte_eth_dev_info info;
    int error = rte_eth_dev_info_get(d->port, &info);
    struct error *e;

    if (error) {
        return failed(d, "asking for the device's limits", error);
    }
    d->steering = c->steering;
    if (d->steering == DPDK_STEERING_LACP && c->hw_offload) {
        log_warn("%s: options:rx-steering: rss+lacp is not done with hw-offload", d->netdev->name);
        d->steering = DPDK_STEERING_UNSUPPORTED;
    }
    if (d->steering == DPDK_STEERING_LACP && !dpdk_steering_is_possible(&info, n_rxq_of(d, c))) {
        log_warn("%s: options:rx-steering: the device cannot do rss+lacp: it has too few queues, or no table of them",
                 d->netdev->name);
        d->steering = DPDK_STEERING_UNSUPPORTED;
    }
    e = start_steered(d, c, &info);
    if (!e && !steer(d, &info)) {
        d->steering = DPDK_STEERING_UNSUPPORTED;
        e = start_steered(d, c, &info);
    }
    if (e) {
        return e;
    }
    apply_flow_control(d, c);
    apply_vf_mac(d, c, &info);
    d->wanted = *c;
    d->started = true;
    set_active(d);
    look_at_link(d);
    return NULL;
}

/* Whether the device must be stopped for it. */
static bool
needs_restart(const struct dpdk_config *a, const struct dpdk_config *b)
{
    return a->n_rxq != b->n_rxq || a->n_rxq_desc != b->n_rxq_desc || a->n_txq_desc != b->n_txq_desc || a->mtu != b->mtu
           || a->steering != b->steering || a->lsc != b->lsc || a->insists_on_lsc != b->insists_on_lsc;
}

static void
apply_running(struct dpdk_device *d, const struct dpdk_config *c)
{
    const struct dpdk_config *old = &d->wanted;
    struct rte_eth_dev_info info;

    if (c->rx_pause != old->rx_pause || c->tx_pause != old->tx_pause || c->autoneg != old->autoneg) {
        apply_flow_control(d, c);
    }
    if (c->has_vf_mac && (!old->has_vf_mac || !eth_addr_equal(c->vf_mac, old->vf_mac))
        && !rte_eth_dev_info_get(d->port, &info)) {
        apply_vf_mac(d, c, &info);
    }
    d->wanted = *c;
}

struct error *
dpdk_device_apply(struct dpdk_device *d, const struct dpdk_config *wanted)
{
    struct error *e;

    if (d->started && !needs_restart(&d->wanted, wanted)) {
        apply_running(d, wanted);
        return NULL;
    }
    if (d->started) {
        atomic_store(&d->active, false);
        netdev_release_queues(d->netdev);
        stop(d);
    }
    e = start(d, wanted);
    if (!e) {
        netdev_take_queues(d->netdev);
        netdev_changed(d->netdev);
    }
    return e;
}

void
dpdk_device_set_up(struct dpdk_device *d, bool up)
{
    int error = 0;

    if (up == d->is_up) {
        return;
    }
    d->is_up = up;
    set_active(d);
    if (d->started) {
        error = up ? rte_eth_dev_set_link_up(d->port) : rte_eth_dev_set_link_down(d->port);
    }
    if (error == -ENOTSUP) {
        log_info("Interface %s does not support link state configuration", d->netdev->name);
    } else if (error) {
        log_warn("%s: changing the link's state failed: %s", d->netdev->name, rte_strerror(-error));
    }
    look_at_link(d);
    netdev_changed(d->netdev);
}
