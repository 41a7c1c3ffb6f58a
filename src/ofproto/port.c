#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "netdev/netdev.h"
#include "ofproto/conns.h"
#include "ofproto/ofproto_private.h"
#include "sys/log.h"

LOG_MODULE(ofproto)

/* Ports of all bridges by name: a device is in one bridge at most. */
static struct strmap all_ports = STRMAP_INIT(&all_ports);

struct ofport *
ofport_find(const struct ofproto *p, ofp_port port)
{
    HMAP_FOR_EACH_WITH_HASH (o, struct ofport, node, hash_u32(ofp_to_u32(port), 0), &p->ports) {
        if (o->x->ofp_port == port) {
            return o;
        }
    }
    return NULL;
}

struct ofport *
ofport_find_by_name(const struct ofproto *p, const char *name)
{
    struct ofport *o = strmap_get(&all_ports, name);

    return o && o->ofproto == p ? o : NULL;
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct ofport *const *a = a_, *const *b = b_;
    uint32_t x = ofp_to_u32((*a)->x->ofp_port), y = ofp_to_u32((*b)->x->ofp_port);

    return (x > y) - (x < y);
}

struct ofport **
ofports_sorted(const struct ofproto *p, size_t *n)
{
    struct ofport **all = xcalloc(hmap_count(&p->ports), sizeof *all);

    *n = 0;
    HMAP_FOR_EACH (o, struct ofport, node, &p->ports) {
        all[(*n)++] = o;
    }
    qsort(all, *n, sizeof *all, compare_ports);
    return all;
}

/* Numbers above are for those who ask for them (ovs-vswitchd.conf.db(5), Interface.ofport). */
enum { LAST_AUTOMATIC = 32767 };

static bool
was_used(const struct ofproto *p, uint32_t number)
{
    return p->used_numbers[number / 64] >> number % 64 & 1;
}

static void
set_used(struct ofproto *p, uint32_t number)
{
    if (number < ofp_to_u32(OFPP_MAX)) {
        p->used_numbers[number / 64] |= UINT64_C(1) << number % 64;
    }
}

/* The next number after the last that was given out that no port ever had. */
static ofp_port
next_unused(struct ofproto *p)
{
    for (uint32_t i = 0; i < LAST_AUTOMATIC; i++) {
        p->last_port = p->last_port % LAST_AUTOMATIC + 1;
        if (!was_used(p, p->last_port)) {
            return OFP_PORT(p->last_port);
        }
    }
    return OFPP_NONE;
}

/* The number asked for if it is free, else one that flows and controllers do not take for another port: those that were
 * in use come again when all have been. */
static ofp_port
choose_number(struct ofproto *p, ofp_port request)
{
    ofp_port number;

    if (request != OFPP_NONE && !ofport_find(p, request) && (ofp_port_is_real(request) || request == OFPP_LOCAL)) {
        return request;
    }
    number = next_unused(p);
    if (number == OFPP_NONE) {
        memset(p->used_numbers, 0, sizeof p->used_numbers);
        HMAP_FOR_EACH (o, struct ofport, node, &p->ports) {
            set_used(p, ofp_to_u32(o->x->ofp_port));
        }
        number = next_unused(p);
    }
    return number;
}

/* Reads the device's state into the port.  Whether anything changed that a controller is told of. */
static bool
refresh(struct ofport *o)
{
    struct netdev *netdev = o->x->netdev;
    struct netdev_features f = { 0 };
    uint32_t config = o->config, state = o->state;
    struct eth_addr mac = o->mac;
    int mtu = 1500;
    bool up;

    netdev_get_etheraddr(netdev, &o->mac);
    netdev_get_features(netdev, &f);
    up = netdev_get_flags(netdev) & NETDEV_UP;
    netdev_get_mtu(netdev, &mtu);
    atomic_store(&o->x->mtu, mtu);
    o->config = (atomic_load(&o->x->config) & ~(uint32_t) XPORT_DOWN) | (up ? 0 : XPORT_DOWN);
    o->state = netdev_get_carrier(netdev) ? 4 : 1;
    atomic_store(&o->x->config, o->config);
    atomic_store(&o->x->state, o->state);
    return config != o->config || state != o->state || !eth_addr_equal(mac, o->mac) || f.current != o->curr ||
           (o->curr = f.current, o->advertised = f.advertised, o->supported = f.supported,
            o->peer_features = f.peer, false);
}

/* Patch ports find each other by name, whichever comes first. */
static void
pair(struct ofport *a)
{
    struct ofport *b = a->peer ? strmap_get(&all_ports, a->peer) : NULL;

    if (b && b != a && b->peer && !strcmp(b->peer, a->x->name)) {
        rcu_set(&a->x->peer, b->x);
        rcu_set(&b->x->peer, a->x);
    }
}

static void
unpair(struct ofport *o)
{
    struct xport *peer = rcu_get_protected(&o->x->peer);

    if (peer) {
        rcu_set(&peer->peer, NULL);
        rcu_set(&o->x->peer, NULL);
    }
}

int
ofproto_port_add(struct ofproto *p, struct netdev *netdev, ofp_port request, const char *peer, ofp_port *port)
{
    struct datapath *dp = p->backer->xdp.dp;
    odp_port odp = ODP_PORT_NONE;
    struct ofport *o;
    int error;

    *port = choose_number(p, request);
    if (*port == OFPP_NONE) {
        return -EFBIG;
    }
    if (netdev->class->has_packets) {
        backer_port_comes(p->backer);
        error = dp->class->port_add(dp, netdev, &odp);
        if (error) {
            return error;
        }
    }
    o = xzalloc(sizeof *o);
    o->ofproto = p;
    o->created = clock_now_ms();
    o->peer = xstrdup(peer);
    o->x = xzalloc(sizeof *o->x);
    o->x->ofp_port = *port;
    o->x->odp_port = odp;
    o->x->name = xstrdup(netdev->name);
    o->x->is_patch = !netdev->class->has_packets;
    o->x->is_local = *port == OFPP_LOCAL;
    o->x->ifindex = MAX(netdev_get_ifindex(netdev), 0);
    o->x->netdev = netdev_ref(netdev);
    o->x->owner = o;
    refresh(o);
    hmap_insert(&p->ports, &o->node, hash_u32(ofp_to_u32(*port), 0));
    set_used(p, ofp_to_u32(*port));
    strmap_put(&all_ports, o->x->name, o);
    xbridge_add_port(&p->xb, o->x);
    pair(o);
    backer_changed(p->backer);
    conns_send_port_status(p->conns, o, PORT_ADDED, OF15);
    return 0;
}

int
ofport_renumber(struct ofport *o, odp_port number)
{
    struct ofproto *p = o->ofproto;
    struct datapath *dp = p->backer->xdp.dp;
    struct xport *x = o->x;
    int error = dp->class->port_netdev(dp, number) ? -EBUSY : 0;

    if (error || odp_port_equal(x->odp_port, ODP_PORT_NONE)) {
        return error;
    }
    xbridge_remove_port(&p->xb, x);
    dp->class->port_del(dp, x->odp_port);
    backer_port_gone(p->backer);
    backer_port_comes(p->backer);
    x->odp_port = number;
    error = dp->class->port_add(dp, x->netdev, &x->odp_port);
    xbridge_add_port(&p->xb, x);
    backer_changed(p->backer);
    return error;
}

static void
remove_port(struct ofport *o)
{
    struct ofproto *p = o->ofproto;
    struct datapath *dp = p->backer->xdp.dp;
    struct xport *x = o->x;

    unpair(o);
    bundles_forget_port(p, x);
    xbridge_remove_port(&p->xb, x);
    hmap_remove(&p->ports, &o->node);
    strmap_remove(&all_ports, x->name);
    if (x->odp_port.n != ODP_PORT_NONE.n) {
        dp->class->port_del(dp, x->odp_port);
    }
    backer_port_gone(p->backer);
    netdev_close(x->netdev);
    xport_free(x);
    free(o->peer);
    free(o);
}

int
ofproto_port_del(struct ofproto *p, ofp_port port)
{
    struct ofport *o = ofport_find(p, port);

    if (!o) {
        return -ENODEV;
    }
    conns_send_port_status(p->conns, o, PORT_DELETED, OF15);
    remove_port(o);
    return 0;
}

const char *
ofproto_port_name(const struct ofproto *p, ofp_port port)
{
    const struct ofport *o = ofport_find(p, port);

    return o ? o->x->name : NULL;
}

void
ofports_destroy(struct ofproto *p)
{
    HMAP_FOR_EACH_SAFE (o, struct ofport, node, &p->ports) {
        remove_port(o);
    }
}

bool
ofproto_port_has_peer(const struct ofproto *p, ofp_port port)
{
    const struct ofport *o = ofport_find(p, port);

    return o && rcu_get_protected(&o->x->peer);
}

static bool
has_dscps(const struct xdscps *old, const struct ofproto_queue_dscp *dscps, size_t n)
{
    size_t i;

    for (i = 0; old && i < n && i < old->n; i++) {
        if (old->all[i].queue != dscps[i].queue || old->all[i].dscp != dscps[i].dscp) {
            break;
        }
    }
    return i == n && (old ? old->n : 0) == n;
}

void
ofproto_port_set_dscps(struct ofproto *p, ofp_port port, const struct ofproto_queue_dscp *dscps, size_t n)
{
    struct ofport *o = ofport_find(p, port);
    struct xdscps *old = o ? rcu_get_protected(&o->x->dscps) : NULL, *new = NULL;

    if (!o || has_dscps(old, dscps, n)) {
        return;
    }
    if (n) {
        new = xzalloc(sizeof *new + n * sizeof new->all[0]);
        new->n = n;
        for (size_t i = 0; i < n; i++) {
            new->all[i] = (struct xdscp) { dscps[i].queue, dscps[i].dscp };
        }
    }
    rcu_set(&o->x->dscps, new);
    if (old) {
        rcu_defer(free, old);
    }
    backer_changed(p->backer);
}

void
ofproto_port_set_peer(struct ofproto *p, ofp_port port, const char *peer)
{
    struct ofport *o = ofport_find(p, port);

    if (o && (!o->peer || !peer ? o->peer != peer : strcmp(o->peer, peer))) {
        unpair(o);
        free(o->peer);
        o->peer = xstrdup(peer);
        pair(o);
        backer_changed(p->backer);
    }
}

void
ofproto_port_configure(struct ofproto *p, ofp_port port, const struct dp_port_config *config)
{
    const struct ofport *o = ofport_find(p, port);
    struct datapath *dp = p->backer->xdp.dp;

    if (o && o->x->odp_port.n != ODP_PORT_NONE.n) {
        dp->class->port_configure(dp, o->x->odp_port, config);
    }
}

void
ofproto_port_changed(struct ofproto *p, ofp_port port)
{
    struct ofport *o = ofport_find(p, port);

    if (o && refresh(o)) {
        bundles_port_changed(p, o->x);
        backer_changed(p->backer);
        conns_send_port_status(p->conns, o, PORT_MODIFIED, OF15);
    }
}

void
ofport_apply_config(struct ofport *o, uint32_t config, uint32_t mask)
{
    enum { OF10_ONLY = XPORT_NO_STP | XPORT_NO_RECV_STP | XPORT_NO_FLOOD };
    uint32_t old = atomic_load(&o->x->config), new = (old & ~mask) | (config & mask);
    unsigned int flags;

    if (old == new) {
        return;
    }
    if ((old ^ new) & XPORT_DOWN) {
        netdev_set_flags(o->x->netdev, new & XPORT_DOWN ? NETDEV_UP : 0, new & XPORT_DOWN ? 0 : NETDEV_UP, &flags);
    }
    atomic_store(&o->x->config, new);
    refresh(o);
    bundles_port_changed(o->ofproto, o->x);
    backer_changed(o->ofproto->backer);
    conns_send_port_status(o->ofproto->conns, o, PORT_MODIFIED, (old ^ new) & ~OF10_ONLY ? OF15 : OF10);
}

void
ofproto_port_set_config(struct ofproto *p, ofp_port port, uint32_t set, uint32_t clear)
{
    struct ofport *o = ofport_find(p, port);

    if (o) {
        ofport_apply_config(o, set, set | clear);
    }
}

int
ofproto_port_get_stats(const struct ofproto *p, ofp_port port, struct netdev_stats *stats)
{
    struct ofport *o = ofport_find(p, port);
    int error;

    if (!o) {
        memset(stats, 0xff, sizeof *stats);
        return -ENODEV;
    }
    error = netdev_get_stats(o->x->netdev, stats);
    if (o->x->is_patch) {
        stats->rx_packets = atomic_load(&o->x->n_rx_packets);
        stats->rx_bytes = atomic_load(&o->x->n_rx_bytes);
        stats->tx_packets = atomic_load(&o->x->n_tx_packets);
        stats->tx_bytes = atomic_load(&o->x->n_tx_bytes);
    } else if (o->x->is_local) {
        stats->rx_packets += p->n_own_packets;
        stats->rx_bytes += p->n_own_bytes;
    }
    return error;
}
