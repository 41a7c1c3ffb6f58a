/* Types "tap" and "internal": a TAP device that we make and that lives as long as the netdev.
 *
 * The host may send segmentation-offload frames and partial checksums through it (TUNSETOFFLOAD), and takes them from
 * us, with a virtio-net header in front of every frame. */
#include "netdev/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "netdev/tc.h"
#include "netdev/vnet.h"

/* Of newer kernels than the headers may know: UDP segmentation. */
enum { OFFLOAD_USO = 0x20 | 0x40 };

static int
open_tap(const char *name)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    unsigned int offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    int fd, size = sizeof(struct virtio_net_hdr);

    if (strlen(name) >= sizeof ifr.ifr_name) {
        return -ENAMETOOLONG;
    }
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    memcpy(ifr.ifr_name, name, strlen(name));
    if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETVNETHDRSZ, &size)
        || (ioctl(fd, TUNSETOFFLOAD, offloads | OFFLOAD_USO) && ioctl(fd, TUNSETOFFLOAD, offloads))) {
        int error = -errno;

        close(fd);
        return error;
    }
    return fd;
}

static int
tap_construct(struct netdev *n)
{
    int fd = open_tap(n->name), error;

    if (fd < 0) {
        return fd;
    }
    error = netdev_linux_attach(n, fd, true);
    if (error) {
        close(fd);
    }
    return error;
}

static unsigned int
tap_n_rxq(const struct netdev *n UNUSED)
{
    return 1;
}

static int
tap_rxq_fd(const struct netdev_rxq *rxq)
{
    return linux_dev(rxq->netdev)->fd;
}

static int
tap_rxq_recv(struct netdev_rxq *rxq, struct packet **packets, unsigned int max)
{
    struct linux_dev *d = linux_dev(rxq->netdev);
    struct vnet_area *area = vnet_area();
    unsigned int n = 0;

    for (unsigned int i = 0; i < MIN(max, VNET_BURST); i++) {
        ssize_t got;
        struct packet *p;

        if (!vnet_arm(area, i)) {
            return n ? (int) n : -ENOMEM;
        }
        got = readv(d->fd, area->iovs[i], 3);
        if (got < 0) {
            return n || errno == EAGAIN || errno == EINTR ? (int) n : -errno;
        }
        p = vnet_take(area, i, got);
        if (p) {
            packets[n++] = p;
        } else {
            atomic_fetch_add_explicit(&d->rx_dropped, 1, memory_order_relaxed);
        }
    }
    return n;
}

static void
tap_send(struct netdev *n, unsigned int txq UNUSED, struct packet **packets, unsigned int n_packets)
{
    struct linux_dev *d = linux_dev(n);
    struct vnet_area *area = vnet_area();

    for (unsigned int i = 0; i < n_packets; i++) {
        ssize_t sent;

        vnet_prepare_send(area, 0, packets[i]);
        do {
            sent = writev(d->fd, area->tx_iovs[0], 2);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0) {
            atomic_fetch_add_explicit(&d->tx_dropped, 1, memory_order_relaxed);
        }
        packet_free(packets[i]);
    }
}

#define TAP_CLASS(TYPE) { \
    .type = TYPE, \
    NETDEV_LINUX_COMMON, \
    .offloads = NETDEV_TAKES_ALL, \
    .get_status = netdev_linux_get_status, \
    NETDEV_TC_COMMON, \
    .construct = tap_construct, \
    .destruct = netdev_linux_detach, \
    .n_rxq = tap_n_rxq, \
    .rxq_open = netdev_plain_rxq_open, \
    .rxq_close = netdev_plain_rxq_close, \
    .rxq_fd = tap_rxq_fd, \
    .rxq_recv = tap_rxq_recv, \
    .send = tap_send, \
}

const struct netdev_class netdev_tap_class = TAP_CLASS("tap");
const struct netdev_class netdev_internal_class = TAP_CLASS("internal");
