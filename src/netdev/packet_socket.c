/* Type "system": a Linux device that exists, through packet(7) sockets with virtio-net headers.
 *
 * One socket receives (bound to every protocol, promiscuous, blind to what goes out through the device), another sends
 * (bound to none, so that nothing is queued for it).  Segmentation-offload frames and partial checksums pass through
 * whole in both directions; the kernel finishes them where the device cannot.  A VLAN tag that the kernel has taken off
 * comes as auxiliary data and is put back. */
#include "netdev/linux.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netdev/tc.h"
#include "netdev/vnet.h"
#include "packet/headers.h"
#include "sys/log.h"

LOG_MODULE(netdev_linux)

enum { SOCKET_BUFFER = 4 << 20 };

struct socket_rxq {
    struct netdev_rxq up;
    int fd;
};

static int
set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) ? -errno : 0;
}

static void
set_buffer(int fd, int forced, int plain)
{
    int size = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size)) {
        (void) !setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size); /* As much as the system allows, then. */
    }
}

static int
bind_to(int fd, int ifindex, int protocol)
{
    struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = cpu_to_be16(protocol), .sll_ifindex = ifindex };

    return bind(fd, (struct sockaddr *) &a, sizeof a) ? -errno : 0;
}

static int
open_socket(int ifindex, bool receive)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

    if (fd < 0) {
        return -errno;
    }
    error = set_option(fd, PACKET_VNET_HDR, 1);
    if (!error && receive) {
        struct packet_mreq promiscuous = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };

        set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
        error = set_option(fd, PACKET_AUXDATA, 1);
        error = error ? error : set_option(fd, PACKET_IGNORE_OUTGOING, 1);
        if (!error && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous)) {
            error = -errno;
        }
    } else if (!error) {
        set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    }
    error = error ? error : bind_to(fd, ifindex, receive ? ETH_P_ALL : 0);
    if (error) {
        close(fd);
    }
    return error ? error : fd;
}

static int
system_construct(struct netdev *n)
{
    int error = netdev_linux_attach(n, -1, false);

    if (!error) {
        int fd = open_socket(linux_dev(n)->link.ifindex, false);

        linux_dev(n)->fd = fd;
        if (fd < 0) {
            netdev_linux_detach(n);
            error = fd;
        }
    }
    return error;
}

static unsigned int
system_n_rxq(const struct netdev *n UNUSED)
{
    return 1;
}

static int
system_rxq_open(struct netdev *n, unsigned int queue, struct netdev_rxq **rxqp)
{
    int fd = open_socket(linux_dev(n)->link.ifindex, true);
    struct socket_rxq *rxq;

    if (fd < 0) {
        return fd;
    }
    rxq = xzalloc(sizeof *rxq);
    rxq->up.netdev = n;
    rxq->up.queue = queue;
    rxq->fd = fd;
    *rxqp = &rxq->up;
    return 0;
}

static void
system_rxq_close(struct netdev_rxq *up)
{
    struct socket_rxq *rxq = CONTAINER_OF(up, struct socket_rxq, up);

    close(rxq->fd);
    free(rxq);
}

static int
system_rxq_fd(const struct netdev_rxq *up)
{
    return CONTAINER_OF(up, struct socket_rxq, up)->fd;
}

/* Puts the VLAN tag back that the kernel took off.  False if there is no room. */
static bool
restore_vlan(struct packet *p, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct tpacket_auxdata aux;

        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA || c->cmsg_len < CMSG_LEN(sizeof aux)) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (aux.tp_status & TP_STATUS_VLAN_VALID) {
            uint16_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_TYPE_VLAN;
            char *tag;

            if (packet_size(p) < 12 || !packet_insert(p, 12, VLAN_HEADER_LEN)) {
                return false;
            }
            tag = (char *) packet_at(p) + 12;
            put_be16(tag, tpid);
            put_be16(tag + 2, aux.tp_vlan_tci);
        }
        return true;
    }
    return true;
}

static struct packet *
take_message(struct vnet_area *area, unsigned int i)
{
    struct mmsghdr *m = &area->messages[i];
    struct packet *p = m->msg_hdr.msg_flags & MSG_TRUNC ? NULL : vnet_take(area, i, m->msg_len);

    if (p && !restore_vlan(p, &m->msg_hdr)) {
        packet_free(p);
        p = NULL;
    }
    return p;
}

static int
system_rxq_recv(struct netdev_rxq *up, struct packet **packets, unsigned int max)
{
    struct socket_rxq *rxq = CONTAINER_OF(up, struct socket_rxq, up);
    struct linux_dev *d = linux_dev(up->netdev);
    struct vnet_area *area = vnet_area();
    unsigned int n_armed = 0, n = 0;
    int got;

    while (n_armed < MIN(max, VNET_BURST) && vnet_arm(area, n_armed)) {
        struct msghdr *m = &area->messages[n_armed].msg_hdr;

        m->msg_control = area->controls[n_armed];
        m->msg_controllen = VNET_CONTROL;
        n_armed++;
    }
    if (!n_armed) {
        return -ENOMEM;
    }
    got = recvmmsg(rxq->fd, area->messages, n_armed, MSG_DONTWAIT, NULL);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
    }
    for (int i = 0; i < got; i++) {
        struct packet *p = take_message(area, i);

        if (p) {
            packets[n++] = p;
        } else {
            atomic_fetch_add_explicit(&d->rx_dropped, 1, memory_order_relaxed);
        }
    }
    return n;
}

static void
send_burst(struct linux_dev *d, int fd, struct packet *const *packets, unsigned int n)
{
    struct vnet_area *area = vnet_area();
    unsigned int at = 0, dropped = 0;

    for (unsigned int i = 0; i < n; i++) {
        vnet_prepare_send(area, i, packets[i]);
    }
    while (at < n) {
        int sent = sendmmsg(fd, area->tx_messages + at, n - at, MSG_DONTWAIT);

        if (sent > 0) {
            at += sent;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            dropped += n - at; /* The device's queue is full. */
            break;
        } else if (errno != EINTR) {
            dropped++; /* This one is not acceptable. */
            at++;
        }
    }
    if (dropped) {
        atomic_fetch_add_explicit(&d->tx_dropped, dropped, memory_order_relaxed);
    }
    for (unsigned int i = 0; i < n; i++) {
        packet_free(packets[i]);
    }
}

/* Makes the socket of a queue.  Of two threads that do so at once one wins. */
static int
make_queue_socket(const struct linux_dev *d, struct tc_queue *q)
{
    int fd = open_socket(d->link.ifindex, false), old = TC_NO_SOCKET_YET, priority = tc_priority(q->number);
    int error = MIN(fd, 0);

    if (!error && setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority)) {
        error = -errno;
        close(fd);
    }
    if (!atomic_compare_exchange_strong(&q->fd, &old, error ? TC_NO_SOCKET : fd)) {
        if (!error) {
            close(fd);
        }
        return old;
    }
    if (error) {
        log_warn("%s: what is for queue %u leaves by queue 0: no socket (%s)", d->netdev->name, q->number,
                 strerror(-error));
    }
    return error ? TC_NO_SOCKET : fd;
}

/* The number of a packet's queue; 0 also for what is for none that there is. */
static uint32_t
queue_of(const struct tc_queues *queues, const struct packet *p)
{
    return packet_has_queue(p) && p->queue && tc_find_queue(queues, p->queue) ? p->queue : 0;
}

static int
fd_of_queue(const struct linux_dev *d, const struct tc_queues *queues, uint32_t number)
{
    struct tc_queue *q = number ? tc_find_queue(queues, number) : NULL;
    int fd = q ? atomic_load_explicit(&q->fd, memory_order_acquire) : d->fd;

    if (fd == TC_NO_SOCKET_YET) {
        fd = make_queue_socket(d, q);
    }
    return fd >= 0 ? fd : d->fd;
}

/* A device with classes: the packets of each queue together, each through its queue's socket. */
static NOINLINE void
send_by_queue(struct linux_dev *d, const struct tc_queues *queues, struct packet *const *packets, unsigned int n)
{
    uint32_t todo = UINT32_MAX >> (VNET_BURST - n), numbers[VNET_BURST];

    for (unsigned int i = 0; i < n; i++) {
        numbers[i] = queue_of(queues, packets[i]);
    }
    while (todo) {
        const uint32_t number = numbers[__builtin_ctz(todo)];
        struct packet *same[VNET_BURST];
        unsigned int n_same = 0;

        for (uint32_t left = todo; left; left &= left - 1) {
            unsigned int i = __builtin_ctz(left);

            if (numbers[i] == number) {
                same[n_same++] = packets[i];
                todo &= ~(UINT32_C(1) << i);
            }
        }
        send_burst(d, fd_of_queue(d, queues, number), same, n_same);
    }
}

static void
system_send(struct netdev *n, unsigned int txq UNUSED, struct packet **packets, unsigned int n_packets)
{
    struct linux_dev *d = linux_dev(n);
    const struct tc_queues *queues = rcu_get(&d->queues);

    while (n_packets) {
        unsigned int now = MIN(n_packets, VNET_BURST);

        if (UNLIKELY(queues != NULL)) {
            send_by_queue(d, queues, packets, now);
        } else {
            send_burst(d, d->fd, packets, now);
        }
        packets += now;
        n_packets -= now;
    }
}

const struct netdev_class netdev_system_class = {
    .type = "system",
    NETDEV_LINUX_COMMON,
    .offloads = NETDEV_TAKES_ALL,
    .get_status = netdev_linux_get_status,
    NETDEV_TC_COMMON,
    .construct = system_construct,
    .destruct = netdev_linux_detach,
    .n_rxq = system_n_rxq,
    .rxq_open = system_rxq_open,
    .rxq_close = system_rxq_close,
    .rxq_fd = system_rxq_fd,
    .rxq_recv = system_rxq_recv,
    .send = system_send,
};
