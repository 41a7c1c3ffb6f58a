#include "netdev/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/tally.h"
#include "sys/random.h"

struct patch {
    char *peer; /* Null until configured. */
    struct eth_addr mac;
    unsigned int flags;
    _Atomic uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

static int
patch_construct(struct netdev *n)
{
    struct patch *p = xzalloc(sizeof *p);

    p->mac = eth_addr_from_u64(random_u64(sys_random()));
    p->mac.ea[0] = (p->mac.ea[0] & ~1) | 2;
    p->flags = NETDEV_UP;
    n->priv = p;
    return 0;
}

static void
patch_destruct(struct netdev *n)
{
    struct patch *p = n->priv;

    free(p->peer);
    free(p);
}

static struct error *
patch_set_config(struct netdev *n, const struct strmap *options)
{
    const char *peer = strmap_get(options, "peer");
    struct patch *p = n->priv;

    if (!peer || !peer[0]) {
        return error_new("%s: patch type requires valid 'peer' argument", n->name);
    }
    if (strmap_count(options) > 1) {
        return error_new("%s: patch type takes only a 'peer' argument", n->name);
    }
    if (!strcmp(peer, n->name)) {
        return error_new("%s: patch peer must not be self", n->name);
    }
    if (!p->peer || strcmp(p->peer, peer)) {
        free(p->peer);
        p->peer = xstrdup(peer);
        netdev_changed(n);
    }
    return NULL;
}

static int
patch_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    struct patch *p = n->priv;

    if (off & NETDEV_UP) {
        *now = p->flags;
        return -EOPNOTSUPP;
    }
    (void) on;
    *now = p->flags;
    return 0;
}

static int
patch_get_etheraddr(const struct netdev *n, struct eth_addr *mac)
{
    *mac = ((struct patch *) n->priv)->mac;
    return 0;
}

static int
patch_set_etheraddr(struct netdev *n, struct eth_addr mac)
{
    ((struct patch *) n->priv)->mac = mac;
    netdev_changed(n);
    return 0;
}

static bool
patch_get_carrier(const struct netdev *n)
{
    return ((struct patch *) n->priv)->peer;
}

static int
patch_get_stats(const struct netdev *n, struct netdev_stats *stats)
{
    struct patch *p = n->priv;

    memset(stats, 0xff, sizeof *stats); /* Nothing else is counted. */
    stats->rx_packets = tally_get(&p->rx_packets);
    stats->rx_bytes = tally_get(&p->rx_bytes);
    stats->tx_packets = tally_get(&p->tx_packets);
    stats->tx_bytes = tally_get(&p->tx_bytes);
    return 0;
}

static const struct netdev_class patch_class = {
    .type = "patch",
    .construct = patch_construct,
    .destruct = patch_destruct,
    .set_config = patch_set_config,
    .set_flags = patch_set_flags,
    .get_etheraddr = patch_get_etheraddr,
    .set_etheraddr = patch_set_etheraddr,
    .get_carrier = patch_get_carrier,
    .get_stats = patch_get_stats,
};

void
netdev_patch_register(void)
{
    netdev_class_register(&patch_class);
}

const char *
netdev_patch_peer(const struct netdev *n)
{
    return n->class == &patch_class ? ((struct patch *) n->priv)->peer : NULL;
}

void
netdev_patch_count(struct netdev *n, uint64_t rx_packets, uint64_t rx_bytes, uint64_t tx_packets, uint64_t tx_bytes)
{
    struct patch *p = n->priv;

    atomic_fetch_add_explicit(&p->rx_packets, rx_packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->rx_bytes, rx_bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->tx_packets, tx_packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->tx_bytes, tx_bytes, memory_order_relaxed);
}
