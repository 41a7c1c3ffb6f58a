#include "netdev/linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "base/tally.h"
#include "netdev/ethtool.h"
#include "netdev/tc.h"
#include "sys/log.h"

LOG_MODULE(netdev_linux)

static struct list devices = LIST_INIT(&devices);
static struct rtnl_watch watch;

/* Takes over what the kernel says; tells the watchers if anything that can be read changed. */
static void
update(struct linux_dev *d, const struct rtnl_link *link)
{
    const struct rtnl_link *old = &d->link;
    bool changed = link->flags != old->flags || link->mtu != old->mtu || !eth_addr_equal(link->mac, old->mac)
                   || link->carrier_changes != old->carrier_changes;

    d->link = *link;
    if (changed) {
        netdev_changed(d->netdev);
    }
}

static void
refresh_all(void)
{
    LIST_FOR_EACH_SAFE (d, struct linux_dev, node, &devices) {
        struct rtnl_link link;
        int error = rtnl_link_get_index(d->link.ifindex, &link);

        if (!error && !strcmp(link.name, d->netdev->name)) {
            update(d, &link);
        } else if (!d->netdev->is_gone) {
            netdev_set_gone(d->netdev);
        }
    }
}

/* What was last heard of a device that nobody had open then. */
struct heard {
    struct hmap_node node; /* In 'heard', by ifindex. */
    int ifindex, mtu;
    char name[IFNAMSIZ];
    struct eth_addr mac;
};
static struct hmap heard = HMAP_INIT(&heard);

static struct heard *
find_heard(int ifindex)
{
    HMAP_FOR_EACH_WITH_HASH (h, struct heard, node, hash_u32(ifindex, 0), &heard) {
        if (h->ifindex == ifindex) {
            return h;
        }
    }
    return NULL;
}

static void
forget_heard(struct heard *h)
{
    if (h) {
        hmap_remove(&heard, &h->node);
        free(h);
    }
}

static void
forget_all_heard(void)
{
    HMAP_FOR_EACH_SAFE (h, struct heard, node, &heard) {
        forget_heard(h);
    }
}

/* Whether whoever could not open the device may be able to now: not because of what trying it did to its flags or
 * programs. */
static bool
is_news(const struct rtnl_link *link, bool gone)
{
    struct heard *h = find_heard(link->ifindex);

    if (gone) {
        forget_heard(h);
        return true;
    }
    if (!h) {
        h = xzalloc(sizeof *h);
        h->ifindex = link->ifindex;
        hmap_insert(&heard, &h->node, hash_u32(h->ifindex, 0));
    } else if (!strcmp(h->name, link->name) && h->mtu == link->mtu && eth_addr_equal(h->mac, link->mac)) {
        return false;
    }
    memcpy(h->name, link->name, sizeof h->name);
    h->mtu = link->mtu;
    h->mac = link->mac;
    return true;
}

static void
link_changed(struct rtnl_watch *w UNUSED, const struct rtnl_link *link, bool gone)
{
    bool known = false;

    if (!link) {
        log_info("rtnetlink reports were lost: asking again about every device");
        refresh_all();
        forget_all_heard();
        netdev_notify("");
        return;
    }
    LIST_FOR_EACH_SAFE (d, struct linux_dev, node, &devices) {
        if (d->link.ifindex != link->ifindex || d->netdev->is_gone) {
            continue;
        }
        if (gone || strcmp(link->name, d->netdev->name)) {
            netdev_set_gone(d->netdev);
        } else {
            known = true;
            forget_heard(find_heard(link->ifindex));
            update(d, link);
        }
    }
    if (!known && is_news(link, gone)) {
        netdev_notify(link->name);
    }
}

void
netdev_linux_register(void)
{
    netdev_class_register(&netdev_system_class);
    netdev_class_register(&netdev_afxdp_class);
    netdev_class_register(&netdev_tap_class);
    netdev_class_register(&netdev_internal_class);
}

void
netdev_linux_start(struct loop *loop)
{
    if (loop && !watch.socket) {
        int error = rtnl_watch_start(loop, &watch, link_changed, NULL);

        if (error) {
            log_warn("changes of network devices will not be noticed: %s", strerror(-error));
        }
    }
}

void
netdev_linux_stop(void)
{
    rtnl_watch_stop(&watch);
    forget_all_heard();
    hmap_uninit(&heard);
    hmap_init(&heard);
}

int
netdev_linux_attach_as(struct netdev *n, struct linux_dev *d, int fd, bool is_ours)
{
    int error = rtnl_link_get(n->name, &d->link);

    if (error) {
        return error;
    }
    d->netdev = n;
    d->fd = fd;
    d->is_ours = is_ours;
    list_push_back(&devices, &d->node);
    n->priv = d;
    return 0;
}

int
netdev_linux_attach(struct netdev *n, int fd, bool is_ours)
{
    struct linux_dev *d = xzalloc(sizeof *d);
    int error = netdev_linux_attach_as(n, d, fd, is_ours);

    if (error) {
        free(d);
    }
    return error;
}

void
netdev_linux_detach(struct netdev *n)
{
    struct linux_dev *d = linux_dev(n);

    list_remove(&d->node);
    tc_destroy(d);
    if (d->fd >= 0) {
        close(d->fd);
    }
    free(d);
}

static unsigned int
flags_to_iff(unsigned int flags)
{
    return (flags & NETDEV_UP ? IFF_UP : 0) | (flags & NETDEV_PROMISC ? IFF_PROMISC : 0)
           | (flags & NETDEV_LOOPBACK ? IFF_LOOPBACK : 0);
}

static unsigned int
flags_from_iff(unsigned int iff)
{
    return (iff & IFF_UP ? NETDEV_UP : 0) | (iff & IFF_PROMISC ? NETDEV_PROMISC : 0)
           | (iff & IFF_LOOPBACK ? NETDEV_LOOPBACK : 0);
}

/* After a change of ours, so that it can be read before the kernel's report comes. */
static void
reread(struct netdev *n)
{
    struct rtnl_link link;

    if (!rtnl_link_get_index(linux_dev(n)->link.ifindex, &link)) {
        update(linux_dev(n), &link);
    }
}

int
netdev_linux_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    struct linux_dev *d = linux_dev(n);
    unsigned int old = d->link.flags, new = (old & ~flags_to_iff(off)) | flags_to_iff(on);
    int error = 0;

    if (n->is_gone) {
        *now = 0;
        return -ENODEV;
    }
    if (old != new) {
        error = rtnl_link_set_flags(d->link.ifindex, old ^ new, new);
        reread(n);
    }
    *now = flags_from_iff(d->link.flags);
    return error;
}

int
netdev_linux_get_etheraddr(const struct netdev *n, struct eth_addr *mac)
{
    *mac = linux_dev(n)->link.mac;
    return n->is_gone ? -ENODEV : linux_dev(n)->link.has_mac ? 0 : -EOPNOTSUPP;
}

int
netdev_linux_set_etheraddr(struct netdev *n, struct eth_addr mac)
{
    int error;

    if (n->is_gone) {
        return -ENODEV;
    }
    if (linux_dev(n)->link.has_mac && eth_addr_equal(linux_dev(n)->link.mac, mac)) {
        return 0;
    }
    error = rtnl_link_set_mac(linux_dev(n)->link.ifindex, mac);
    reread(n);
    return error;
}

int
netdev_linux_get_mtu(const struct netdev *n, int *mtu)
{
    *mtu = linux_dev(n)->link.mtu;
    return n->is_gone ? -ENODEV : 0;
}

int
netdev_linux_set_mtu(struct netdev *n, int mtu)
{
    int error;

    if (n->is_gone) {
        return -ENODEV;
    }
    if (linux_dev(n)->link.mtu == mtu) {
        return 0;
    }
    error = rtnl_link_set_mtu(linux_dev(n)->link.ifindex, mtu);
    reread(n);
    return error;
}

bool
netdev_linux_get_carrier(const struct netdev *n)
{
    return !n->is_gone && linux_dev(n)->link.flags & IFF_RUNNING;
}

uint64_t
netdev_linux_get_carrier_resets(const struct netdev *n)
{
    return linux_dev(n)->link.carrier_changes / 2;
}

int
netdev_linux_get_miimon(const struct netdev *n, bool *link)
{
    return n->is_gone ? -ENODEV : mii_get_link(n->name, link);
}

int
netdev_linux_get_ifindex(const struct netdev *n)
{
    return n->is_gone ? -ENODEV : linux_dev(n)->link.ifindex;
}

int
netdev_linux_get_features(const struct netdev *n, struct netdev_features *f)
{
    return n->is_gone ? -ENODEV : ethtool_get_features(n->name, f);
}

int
netdev_linux_get_stats(const struct netdev *n, struct netdev_stats *out)
{
    struct linux_dev *d = linux_dev(n);
    uint64_t our_rx_dropped = tally_get(&d->rx_dropped);
    uint64_t our_tx_dropped = tally_get(&d->tx_dropped);
    struct rtnl_link link;
    const struct rtnl_stats *s = &link.stats;
    int error = n->is_gone ? -ENODEV : rtnl_link_get_index(d->link.ifindex, &link);

    if (error || !link.has_stats) {
        return error ? error : -EOPNOTSUPP;
    }
    *out = (struct netdev_stats) {
        .rx_packets = s->rx_packets, .tx_packets = s->tx_packets, .rx_bytes = s->rx_bytes, .tx_bytes = s->tx_bytes,
        .rx_errors = s->rx_errors, .tx_errors = s->tx_errors,
        .rx_dropped = s->rx_dropped + our_rx_dropped, .tx_dropped = s->tx_dropped + our_tx_dropped,
        .collisions = s->collisions, .rx_over_err = s->rx_over_errors, .rx_crc_err = s->rx_crc_errors,
        .rx_frame_err = s->rx_frame_errors,
    };
    if (d->is_ours) {
        /* What the host sends through the device is what the switch receives. */
        out->rx_packets = s->tx_packets;
        out->tx_packets = s->rx_packets;
        out->rx_bytes = s->tx_bytes;
        out->tx_bytes = s->rx_bytes;
        out->rx_errors = s->tx_errors;
        out->tx_errors = s->rx_errors;
        out->rx_dropped = s->tx_dropped + our_rx_dropped;
        out->tx_dropped = s->rx_dropped + our_tx_dropped;
    }
    return 0;
}

void
netdev_linux_get_status(const struct netdev *n, struct strmap *status)
{
    if (!n->is_gone) {
        ethtool_get_driver(n->name, status);
    }
}
