#include "netdev/xdp_queue.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <rte_spinlock.h>
#include <xdp/xsk.h>

#include "packet/mbuf.h"

enum {
    N_RING = 2048,               /* Of each of the four rings. */
    N_FRAMES = 2 * N_RING,       /* Those below N_RING are received into. */
    FRAME = 4096,                /* As large as the kernel takes, with its own 256 bytes of headroom. */
    AREA = N_FRAMES * FRAME,
    MAX_KICKS = 8,
    BUSY_BUDGET = 64,            /* Frames that one round of busy polling may take in. */
};
_Static_assert(XDP_QUEUE_MAX_FRAME + XDP_PACKET_HEADROOM == FRAME, "a frame fits");

struct xdp_queue {
    struct xsk_umem *umem;
    struct xsk_socket *socket;   /* Receives. */
    struct xsk_socket *sender;   /* Of the same queue and area: who waits for a socket in copy mode sends what is in its
                                  * ring, and waits for the lock of whoever is sending. */
    uint8_t *area;
    struct xsk_ring_cons rx;
    struct xsk_ring_prod fill;
    bool is_busy;                /* Busy polling. */
    /* Sending; under the lock. */
    rte_spinlock_t lock ALIGNED(CACHE_LINE);
    struct xsk_ring_prod tx;
    struct xsk_ring_cons completion;
    unsigned int n_free;
    uint64_t free[N_RING];       /* Addresses of frames to send from. */
};

static bool
open_socket(struct xdp_queue *q, const char *device, unsigned int queue, bool zero_copy)
{
    const struct xsk_umem_config umem = { .fill_size = N_RING, .comp_size = N_RING, .frame_size = FRAME };
    const struct xsk_socket_config socket = {
        .rx_size = N_RING, .tx_size = N_RING, .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = XDP_USE_NEED_WAKEUP | (zero_copy ? XDP_ZEROCOPY : XDP_COPY),
    };
    int error = xsk_umem__create(&q->umem, q->area, AREA, &q->fill, &q->completion, &umem);

    error = error ? error : xsk_socket__create(&q->socket, device, queue, q->umem, &q->rx, NULL, &socket);
    error = error ? error : xsk_socket__create(&q->sender, device, queue, q->umem, NULL, &q->tx, &socket);
    errno = -error;
    return !error;
}

static bool
set_busy_polling(struct xdp_queue *q, int us)
{
    static const int prefer = 1, budget = BUSY_BUDGET;
    int fd = xsk_socket__fd(q->socket);

    q->is_busy = us != 0;
    return !us || (!setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer, sizeof prefer) &&
                   !setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us) &&
                   !setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof budget));
}

/* Gives 'n' frames to the kernel to receive into. */
static void
fill(struct xdp_queue *q, const uint64_t *addrs, unsigned int n)
{
    uint32_t at;

    if (xsk_ring_prod__reserve(&q->fill, n, &at) != n) {
        return; /* Cannot be: the ring has room for all frames of the receiving half. */
    }
    for (unsigned int i = 0; i < n; i++) {
        *xsk_ring_prod__fill_addr(&q->fill, at + i) = addrs[i];
    }
    xsk_ring_prod__submit(&q->fill, n);
}

struct xdp_queue *
xdp_queue_open(const char *device, unsigned int queue, bool zero_copy, unsigned int busy_us)
{
    struct xdp_queue *q = xzalloc_cacheline(sizeof *q);

    rte_spinlock_init(&q->lock);
    q->area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (q->area == MAP_FAILED) {
        q->area = NULL;
    }
    if (!q->area || !open_socket(q, device, queue, zero_copy) || !set_busy_polling(q, busy_us)) {
        int error = errno;

        xdp_queue_close(q);
        errno = error;
        return NULL;
    }
    for (uint64_t i = 0; i < N_RING; i++) {
        uint64_t addr = i * FRAME;

        fill(q, &addr, 1);
        q->free[q->n_free++] = (N_RING + i) * FRAME;
    }
    return q;
}

void
xdp_queue_close(struct xdp_queue *q)
{
    if (!q) {
        return;
    }
    if (q->sender) {
        xsk_socket__delete(q->sender);
    }
    if (q->socket) {
        xsk_socket__delete(q->socket);
    }
    if (q->umem) {
        xsk_umem__delete(q->umem);
    }
    if (q->area) {
        munmap(q->area, AREA);
    }
    free(q);
}

int
xdp_queue_fd(const struct xdp_queue *q)
{
    return xsk_socket__fd(q->socket);
}

unsigned int
xdp_queue_recv(struct xdp_queue *q, struct packet **packets, unsigned int max, _Atomic uint64_t *dropped)
{
    uint64_t addrs[XDP_QUEUE_BURST];
    unsigned int n_packets = 0;
    uint32_t at;
    unsigned int n = xsk_ring_cons__peek(&q->rx, MIN(max, XDP_QUEUE_BURST), &at);

    if (!n && q->is_busy) {
        (void) !recvfrom(xdp_queue_fd(q), NULL, 0, MSG_DONTWAIT, NULL, NULL);
        n = xsk_ring_cons__peek(&q->rx, MIN(max, XDP_QUEUE_BURST), &at);
    }
    for (unsigned int i = 0; i < n; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, at + i);
        struct packet *p = packet_new(xsk_umem__get_data(q->area, d->addr), d->len);

        if (p) {
            packets[n_packets++] = p;
        } else {
            atomic_fetch_add_explicit(dropped, 1, memory_order_relaxed);
        }
        addrs[i] = d->addr & ~(uint64_t) (FRAME - 1);
    }
    if (n) {
        xsk_ring_cons__release(&q->rx, n);
        fill(q, addrs, n);
    }
    if (xsk_ring_prod__needs_wakeup(&q->fill)) {
        (void) !recvfrom(xdp_queue_fd(q), NULL, 0, MSG_DONTWAIT, NULL, NULL); /* It looks at the fill ring again. */
    }
    return n_packets;
}

/* Takes back what has been sent. */
static void
reclaim(struct xdp_queue *q)
{
    uint32_t at;
    unsigned int n = xsk_ring_cons__peek(&q->completion, N_RING, &at);

    for (unsigned int i = 0; i < n; i++) {
        q->free[q->n_free++] = *xsk_ring_cons__comp_addr(&q->completion, at + i);
    }
    if (n) {
        xsk_ring_cons__release(&q->completion, n);
    }
}

/* The kernel sends some at a time, and says when there are more. */
static void
kick(struct xdp_queue *q)
{
    for (int i = 0; i < MAX_KICKS && xsk_ring_prod__needs_wakeup(&q->tx); i++) {
        if (sendto(xsk_socket__fd(q->sender), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != EAGAIN) {
            break; /* What stays because the device has no room now goes with the next burst. */
        }
    }
}

unsigned int
xdp_queue_send(struct xdp_queue *q, struct packet *const *packets, unsigned int n)
{
    uint32_t at;

    rte_spinlock_lock(&q->lock);
    reclaim(q);
    n = MIN(n, q->n_free);
    if (n && xsk_ring_prod__reserve(&q->tx, n, &at) == n) {
        for (unsigned int i = 0; i < n; i++) {
            struct xdp_desc *d = xsk_ring_prod__tx_desc(&q->tx, at + i);

            *d = (struct xdp_desc) { .addr = q->free[--q->n_free], .len = packet_size(packets[i]) };
            memcpy(q->area + d->addr, packet_at(packets[i]), packet_size(packets[i]));
        }
        xsk_ring_prod__submit(&q->tx, n);
    } else {
        n = 0;
    }
    kick(q);
    rte_spinlock_unlock(&q->lock);
    return n;
}
