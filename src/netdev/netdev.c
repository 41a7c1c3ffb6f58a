#include "netdev/netdev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/dpdk.h"
#include "netdev/dummy.h"
#include "netdev/linux.h"
#include "netdev/patch.h"
#include "netdev/qos.h"
#include "netdev/vhost.h"
#include "sys/clock.h"
#include "sys/loop.h"

enum { MAX_CLASSES = 32 };

static struct {
    const struct netdev_class *classes[MAX_CLASSES];
    const char *types[MAX_CLASSES + 1];
    size_t n_classes;
    struct strmap open; /* Name -> struct netdev, those whose device is there. */
    struct list watches;
    struct list later; /* struct later. */
    struct loop *loop; /* Null without. */
    bool ready;
} registry;

/* Of netdev_notify_later(). */
struct later {
    struct list node;
    struct loop_timer timer;
    char name[];
};

static void
setup(void)
{
    if (!registry.ready) {
        registry.ready = true;
        strmap_init(&registry.open);
        list_init(&registry.watches);
        list_init(&registry.later);
        netdev_linux_register();
        netdev_patch_register();
        netdev_dpdk_register();
        netdev_vhost_register();
    }
}

void
netdev_init(struct loop *loop)
{
    setup();
    registry.loop = loop;
    netdev_linux_start(loop);
}

struct loop *
netdev_loop(void)
{
    return registry.loop;
}

static void
forget_later(struct later *l)
{
    loop_timer_cancel(&l->timer);
    list_remove(&l->node);
    free(l);
}

static void
later_is_now(struct loop_timer *t)
{
    struct later *l = t->aux;
    char *name = xstrdup(l->name);

    forget_later(l);
    netdev_notify(name);
    free(name);
}

void
netdev_notify_later(const char *name, unsigned int ms)
{
    size_t size = strlen(name) + 1;
    struct later *l;

    if (!registry.loop) {
        return;
    }
    l = xmalloc(sizeof *l + size);
    memcpy(l->name, name, size);
    list_push_back(&registry.later, &l->node);
    loop_timer_init(registry.loop, &l->timer, later_is_now, l);
    loop_timer_set(&l->timer, clock_now_ms() + ms);
}

void
netdev_uninit(void)
{
    netdev_linux_stop();
    if (!registry.ready) {
        return;
    }
    LIST_FOR_EACH_SAFE (l, struct later, node, &registry.later) {
        forget_later(l);
    }
    registry.loop = NULL;
    if (!strmap_count(&registry.open)) {
        strmap_uninit(&registry.open);
        registry.ready = false;
        registry.n_classes = 0;
        registry.types[0] = NULL;
    }
}

void
netdev_class_register(const struct netdev_class *class)
{
    size_t i;

    setup();
    for (i = 0; i < registry.n_classes && strcmp(registry.classes[i]->type, class->type); i++) {
        continue;
    }
    if (i == MAX_CLASSES) {
        abort();
    }
    registry.classes[i] = class;
    registry.types[i] = class->type;
    registry.n_classes = MAX(registry.n_classes, i + 1);
}

const struct netdev_class *
netdev_class_find(const char *type)
{
    setup();
    for (size_t i = 0; i < registry.n_classes; i++) {
        if (!strcmp(registry.classes[i]->type, type[0] ? type : "system")) {
            return registry.classes[i];
        }
    }
    return NULL;
}

const char *const *
netdev_types(void)
{
    setup();
    return registry.types;
}

void
netdev_enable_dummy(const char *how)
{
    setup();
    netdev_dummy_register(how, registry.types);
}

bool
netdev_prepare(const char *type, const struct strmap *options, int mtu, void (*done)(void *aux), void *aux)
{
    const struct netdev_class *class = netdev_class_find(type);

    return !class || !class->prepare || class->prepare(options, mtu, done, aux);
}

int
netdev_open(const char *name, const char *type, struct netdev **netdevp)
{
    const struct netdev_class *class = netdev_class_find(type);
    struct netdev *n;
    int error;

    *netdevp = NULL;
    if (!class) {
        return -EAFNOSUPPORT;
    }
    n = strmap_get(&registry.open, name);
    if (n) {
        if (type[0] && n->class != class) {
            return -EEXIST;
        }
        *netdevp = netdev_ref(n);
        return 0;
    }
    n = xzalloc(sizeof *n);
    n->class = class;
    n->name = xstrdup(name);
    n->ref_count = 1;
    n->change_seq = 1;
    n->offloads = class->offloads;
    error = class->construct(n);
    if (error) {
        free(n->name);
        free(n);
        return error;
    }
    (void) !strmap_put(&registry.open, name, n);
    n->registered = strmap_find(&registry.open, name);
    *netdevp = n;
    return 0;
}

struct netdev *
netdev_ref(struct netdev *n)
{
    n->ref_count++;
    return n;
}

static void
unregister(struct netdev *n)
{
    if (n->registered) {
        (void) !strmap_remove(&registry.open, n->name);
        n->registered = NULL;
    }
}

void
netdev_close(struct netdev *n)
{
    if (n && !--n->ref_count) {
        unregister(n);
        n->class->destruct(n);
        netdev_rates_destroy(n);
        free(n->name);
        free(n);
    }
}

struct netdev *
netdev_find(const char *name)
{
    struct netdev *n;

    setup();
    n = strmap_get(&registry.open, name);
    return n ? netdev_ref(n) : NULL;
}

void
netdev_for_each(void (*cb)(struct netdev *, void *aux), void *aux)
{
    setup();
    STRMAP_FOR_EACH (e, &registry.open) {
        cb(e->value, aux);
    }
}

void
netdev_set_gone(struct netdev *n)
{
    n->is_gone = true;
    unregister(n);
    netdev_changed(n);
}

int
netdev_plain_rxq_open(struct netdev *n, unsigned int queue, struct netdev_rxq **rxqp)
{
    struct netdev_rxq *rxq = xzalloc(sizeof *rxq);

    rxq->netdev = n;
    rxq->queue = queue;
    *rxqp = rxq;
    return 0;
}

void
netdev_plain_rxq_close(struct netdev_rxq *rxq)
{
    free(rxq);
}

int
netdev_no_rxq_fd(const struct netdev_rxq *rxq UNUSED)
{
    return -1;
}

void
netdev_release_queues(struct netdev *n)
{
    if (n->user) {
        n->user->release(n->user);
    }
}

void
netdev_take_queues(struct netdev *n)
{
    if (n->user) {
        n->user->take(n->user);
    }
}

void
netdev_changed(struct netdev *n)
{
    n->change_seq++;
    netdev_notify(n->name);
}

void
netdev_watch(struct netdev_watch *w, void (*cb)(struct netdev_watch *, const char *name), void *aux)
{
    setup();
    w->cb = cb;
    w->aux = aux;
    list_push_back(&registry.watches, &w->node);
}

void
netdev_unwatch(struct netdev_watch *w)
{
    list_remove(&w->node);
}

void
netdev_notify(const char *name)
{
    LIST_FOR_EACH_SAFE (w, struct netdev_watch, node, &registry.watches) {
        w->cb(w, name);
    }
}

struct error *
netdev_set_config(struct netdev *n, const struct strmap *options)
{
    return n->class->set_config ? n->class->set_config(n, options) : NULL;
}

int
netdev_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    unsigned int unused;

    if (!n->class->set_flags) {
        *(now ? now : &unused) = 0;
        return -EOPNOTSUPP;
    }
    return n->class->set_flags(n, off, on, now ? now : &unused);
}

unsigned int
netdev_get_flags(const struct netdev *n)
{
    unsigned int now = 0;

    /* Changes nothing: the constant stays constant. */
    netdev_set_flags((struct netdev *) n, 0, 0, &now);
    return now;
}

int
netdev_get_etheraddr(const struct netdev *n, struct eth_addr *mac)
{
    *mac = (struct eth_addr) { { 0 } };
    return n->class->get_etheraddr ? n->class->get_etheraddr(n, mac) : -EOPNOTSUPP;
}

int
netdev_set_etheraddr(struct netdev *n, struct eth_addr mac)
{
    return n->class->set_etheraddr ? n->class->set_etheraddr(n, mac) : -EOPNOTSUPP;
}

int
netdev_get_mtu(const struct netdev *n, int *mtu)
{
    *mtu = 0;
    return n->class->get_mtu ? n->class->get_mtu(n, mtu) : -EOPNOTSUPP;
}

int
netdev_set_mtu(struct netdev *n, int mtu)
{
    return n->class->set_mtu ? n->class->set_mtu(n, mtu) : -EOPNOTSUPP;
}

bool
netdev_get_carrier(const struct netdev *n)
{
    return n->class->get_carrier && n->class->get_carrier(n);
}

bool
netdev_get_miimon(const struct netdev *n)
{
    bool link;

    return n->class->get_miimon && !n->class->get_miimon(n, &link) ? link : netdev_get_carrier(n);
}

uint64_t
netdev_get_carrier_resets(const struct netdev *n)
{
    return n->class->get_carrier_resets ? n->class->get_carrier_resets(n) : 0;
}

int
netdev_get_ifindex(const struct netdev *n)
{
    return n->class->get_ifindex ? n->class->get_ifindex(n) : -EOPNOTSUPP;
}

unsigned int
netdev_get_node(const struct netdev *n)
{
    return n->class->get_node ? n->class->get_node(n) : 0;
}

int
netdev_get_features(const struct netdev *n, struct netdev_features *f)
{
    *f = (struct netdev_features) { 0 };
    return n->class->get_features ? n->class->get_features(n, f) : -EOPNOTSUPP;
}

int
netdev_get_stats(const struct netdev *n, struct netdev_stats *stats)
{
    int error = netdev_get_device_stats(n, stats);

    if (!error) {
        netdev_rates_add(n, stats);
    }
    return error;
}

int
netdev_get_device_stats(const struct netdev *n, struct netdev_stats *stats)
{
    int error;

    memset(stats, 0xff, sizeof *stats);
    error = n->class->get_stats ? n->class->get_stats(n, stats) : -EOPNOTSUPP;
    if (error) {
        memset(stats, 0xff, sizeof *stats);
    }
    return error;
}

/* What need not be done before a packet is sent; what the class has said itself stays. */
static void
put_tx_offloads(const struct netdev *n, struct strmap *status)
{
    static const struct { const char *key; unsigned int if_takes; } rows[] = {
        { "tx_ip_csum_offload", 0 }, { "tx_tcp_csum_offload", NETDEV_TAKES_CSUM },
        { "tx_udp_csum_offload", NETDEV_TAKES_CSUM }, { "tx_sctp_csum_offload", 0 },
        { "tx_tcp_seg_offload", NETDEV_TAKES_TCP_SEGMENTS }, { "tx_vxlan_tso_offload", 0 },
        { "tx_gre_tso_offload", 0 }, { "tx_geneve_tso_offload", 0 }, { "tx_out_ip_csum_offload", 0 },
        { "tx_out_udp_csum_offload", 0 },
    };
    unsigned int takes = atomic_load(&n->offloads);

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!strmap_get(status, rows[i].key)) {
            strmap_put_free(status, rows[i].key, xstrdup(takes & rows[i].if_takes ? "true" : "false"));
        }
    }
}

void
netdev_get_config(const struct netdev *n, struct strmap *config)
{
    if (n->class->get_config) {
        n->class->get_config(n, config);
    }
}

void
netdev_get_status(const struct netdev *n, struct strmap *status)
{
    if (n->class->get_status) {
        n->class->get_status(n, status);
    }
    if (n->class->has_packets) {
        put_tx_offloads(n, status);
    }
}

void
netdev_each_counter(const struct netdev *n, netdev_counter_cb *cb, void *aux)
{
    if (n->class->qos_types != netdev_policer_types && n->rates) {
        cb(aux, "ovs_rx_qos_drops", netdev_rates_rx_drops(n));
    }
    if (n->class->each_counter) {
        n->class->each_counter(n, cb, aux);
    }
}

void
netdev_each_queue(const struct netdev *n, netdev_queue_cb *cb, void *aux)
{
    if (n->class->each_queue) {
        n->class->each_queue(n, cb, aux);
    }
    netdev_rates_each_queue(n, cb, aux);
}

static const struct { uint32_t bits; uint64_t bps; } speeds[] = {
    { 1 << 6, UINT64_C(10000000000) }, { 1 << 4 | 1 << 5, 1000000000 }, { 1 << 2 | 1 << 3, 100000000 },
    { 1 << 0 | 1 << 1, 10000000 },
};

uint64_t
netdev_features_to_bps(uint32_t features, uint64_t otherwise)
{
    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (features & speeds[i].bits) {
            return speeds[i].bps;
        }
    }
    return otherwise;
}

bool
netdev_features_is_full_duplex(uint32_t features)
{
    return features & (1 << 1 | 1 << 3 | 1 << 5 | 1 << 6);
}
