/* Type "afxdp": a Linux device that exists, through AF_XDP sockets (netdev/xdp_queue.h), one for each of its receive
 * queues.
 *
 * Frames come before the host makes anything of them, and go straight to the driver.  So they are frames of the wire:
 * neither side has checksums to be computed or segments to be cut.  A veth whose other end leaves its checksums to the
 * device gives frames with wrong ones: there "ethtool -K DEVICE tx off" is needed.
 *
 * Options: n_rxq (as many queues as the device has, or frames of the others go to the host); xdp-mode:
 * native-with-zerocopy, native, generic, best-effort (the first of these that works); xdp-busy-poll: microseconds of
 * busy polling, 0 (none) to 1,000; use-need-wakeup has no effect: it is always on.
 *
 * Where somebody else has one of the queues, nothing passes until it is free, which is looked at again and again. */
#include "netdev/linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "netdev/xdp_program.h"
#include "netdev/xdp_queue.h"
#include "packet/mbuf.h"
#include "sys/log.h"

LOG_MODULE(netdev_afxdp)

enum { MAX_QUEUES = 64, MAX_BUSY_US = 1000, BUSY_TRIES = 8, BUSY_WAIT_US = 1000, AGAIN_MS = 2000 };

/* From the best on. */
static const struct mode {
    const char *name;
    bool native, zero_copy;
} modes[] = {
    { "native-with-zerocopy", true, true },
    { "native", true, false },
    { "generic", false, false },
};

struct afxdp {
    struct linux_dev up; /* Must be first: netdev/linux.h finds it there. */
    struct wanted {
        const struct mode *mode; /* Null: the best. */
        uint32_t n_rxq, busy_us;
    } wanted;
    const struct mode *mode;     /* Null: nothing passes. */
    struct xdp_program *program;
    struct xdp_queue *queues[MAX_QUEUES];
};

static struct afxdp *
afxdp(const struct netdev *n)
{
    return CONTAINER_OF(linux_dev(n), struct afxdp, up);
}

static void
tear_down(struct afxdp *d)
{
    d->mode = NULL;
    xdp_program_detach(d->program);
    d->program = NULL;
    for (unsigned int i = 0; i < MAX_QUEUES; i++) {
        xdp_queue_close(d->queues[i]);
        d->queues[i] = NULL;
    }
}

/* The kernel lets go of a queue a moment after its last socket was closed. */
static struct xdp_queue *
open_queue(const char *device, unsigned int queue, bool zero_copy, unsigned int busy_us)
{
    for (int i = 1;; i++) {
        struct xdp_queue *q = xdp_queue_open(device, queue, zero_copy, busy_us);

        if (q || errno != EBUSY || i == BUSY_TRIES) {
            return q;
        }
        usleep(BUSY_WAIT_US);
    }
}

/* A negative errno value. */
static int
set_up_as(struct afxdp *d, const struct mode *mode)
{
    struct netdev *n = d->up.netdev;

    d->program = xdp_program_attach(d->up.link.ifindex, d->wanted.n_rxq, mode->native);
    if (!d->program) {
        return -errno;
    }
    for (unsigned int i = 0; i < d->wanted.n_rxq; i++) {
        int error;

        d->queues[i] = open_queue(n->name, i, mode->zero_copy, d->wanted.busy_us);
        error = d->queues[i] ? xdp_program_set_socket(d->program, i, xdp_queue_fd(d->queues[i])) : -errno;
        if (error) {
            tear_down(d);
            return error;
        }
    }
    d->mode = mode;
    return 0;
}

static struct error *
set_up(struct afxdp *d)
{
    const char *name = d->up.netdev->name;
    unsigned int flags;
    int error = netdev_linux_set_flags(d->up.netdev, 0, NETDEV_UP | NETDEV_PROMISC, &flags);

    if (error) {
        return error_new("%s: the device cannot be set up: %s", name, strerror(-error));
    }
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (d->wanted.mode && d->wanted.mode != &modes[i]) {
            continue;
        }
        error = set_up_as(d, &modes[i]);
        if (!error) {
            log_info("%s: %u queues in %s mode", name, d->wanted.n_rxq, modes[i].name);
            return NULL;
        }
        if (error == -EBUSY) {
            netdev_notify_later(name, AGAIN_MS); /* Whoever has it may let go of it without telling anybody. */
            break;                               /* It would be busy in any mode. */
        }
        log_info("%s: not in %s mode: %s", name, modes[i].name, strerror(-error));
    }
    return error_new("%s: AF_XDP sockets for %u queues cannot be made (xdp-mode %s): %s", name, d->wanted.n_rxq,
                     d->wanted.mode ? d->wanted.mode->name : "best-effort", strerror(-error));
}

static int
afxdp_construct(struct netdev *n)
{
    struct afxdp *d = xzalloc_cacheline(sizeof *d);
    int error = netdev_linux_attach_as(n, &d->up, -1, false);

    d->wanted.n_rxq = 1;
    if (error) {
        free(d);
    }
    return error;
}

static void
afxdp_destruct(struct netdev *n)
{
    tear_down(afxdp(n));
    netdev_linux_detach(n);
}

static struct error *
read_mode(const char *name, const struct strmap *options, const struct mode **mode)
{
    const char *text = strmap_get(options, "xdp-mode");

    *mode = NULL;
    if (!text || !strcmp(text, "best-effort")) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (!strcmp(text, modes[i].name)) {
            *mode = &modes[i];
            return NULL;
        }
    }
    return error_new("%s: xdp-mode: '%s' is none of best-effort, native-with-zerocopy, native, generic", name, text);
}

/* A number from 'least' to 'most'; 'value' stays if there is none. */
static struct error *
read_number(const char *name, const struct strmap *options, const char *key, uint32_t least, uint32_t most,
            uint32_t *value)
{
    const char *text = strmap_get(options, key);

    if (text && (!num_parse_u32(text, 10, value) || *value < least || *value > most)) {
        return error_new("%s: %s: '%s' is not a number from %u to %u", name, key, text, least, most);
    }
    return NULL;
}

static struct error *
afxdp_set_config(struct netdev *n, const struct strmap *options)
{
    struct afxdp *d = afxdp(n);
    struct wanted wanted = { .n_rxq = 1 };
    struct error *e = read_mode(n->name, options, &wanted.mode);

    e = e ? e : read_number(n->name, options, "n_rxq", 1, MAX_QUEUES, &wanted.n_rxq);
    e = e ? e : read_number(n->name, options, "xdp-busy-poll", 0, MAX_BUSY_US, &wanted.busy_us);
    if (e || (d->mode && !memcmp(&wanted, &d->wanted, sizeof wanted))) {
        return e;
    }
    netdev_release_queues(n);
    tear_down(d);
    d->wanted = wanted;
    e = set_up(d);
    netdev_take_queues(n);
    if (!e) {
        netdev_changed(n); /* Else whoever hears of it would try again at once. */
    }
    return e;
}

static void
afxdp_get_status(const struct netdev *n, struct strmap *status)
{
    netdev_linux_get_status(n, status);
    if (afxdp(n)->mode) {
        free(strmap_put(status, "xdp-mode", xstrdup(afxdp(n)->mode->name)));
    }
}

static unsigned int
afxdp_n_rxq(const struct netdev *n)
{
    return afxdp(n)->mode ? afxdp(n)->wanted.n_rxq : 0;
}

static int
afxdp_rxq_fd(const struct netdev_rxq *rxq)
{
    return xdp_queue_fd(afxdp(rxq->netdev)->queues[rxq->queue]);
}

static int
afxdp_rxq_recv(struct netdev_rxq *rxq, struct packet **packets, unsigned int max)
{
    struct afxdp *d = afxdp(rxq->netdev);

    return xdp_queue_recv(d->queues[rxq->queue], packets, max, &d->up.rx_dropped);
}

static void
afxdp_send(struct netdev *netdev, unsigned int txq, struct packet **packets, unsigned int n_packets)
{
    struct afxdp *d = afxdp(netdev);
    unsigned int n = packets_up_to(packets, n_packets, XDP_QUEUE_MAX_FRAME), sent = 0;

    if (LIKELY(d->mode != NULL)) {
        sent = xdp_queue_send(d->queues[txq % d->wanted.n_rxq], packets, n);
    }
    if (UNLIKELY(sent < n_packets)) {
        atomic_fetch_add_explicit(&d->up.tx_dropped, n_packets - sent, memory_order_relaxed);
    }
    rte_pktmbuf_free_bulk((struct rte_mbuf **) packets, n);
}

const struct netdev_class netdev_afxdp_class = {
    .type = "afxdp",
    NETDEV_LINUX_COMMON,
    .construct = afxdp_construct,
    .destruct = afxdp_destruct,
    .set_config = afxdp_set_config,
    .get_status = afxdp_get_status,
    .n_rxq = afxdp_n_rxq,
    .rxq_open = netdev_plain_rxq_open,
    .rxq_close = netdev_plain_rxq_close,
    .rxq_fd = afxdp_rxq_fd,
    .rxq_recv = afxdp_rxq_recv,
    .send = afxdp_send,
};
