/* A forwarder of the simplest kind, to measure AF_XDP ports by:
 *
 *   xdp A B    moves frames between the first queues of two devices through AF_XDP sockets, in the mode that a switch
 *              has on veth devices (native, copied by the kernel), a thread for each direction; prints "ready"
 *
 * Both devices share one area: a frame that came from the one is sent from where it is by the other.  Each device has a
 * socket to receive and one to send, since who waits for a socket that sends takes part in sending. */
#include <errno.h>
#include <linux/if_link.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

enum { N_RING = 2048, FRAME = 4096, AREA = 2 * N_RING * FRAME, BURST = 32, MAX_KICKS = 8 };

struct device {
    struct xsk_umem *area;
    struct xsk_socket *receiver, *sender;
    struct xsk_ring_cons rx, completion;
    struct xsk_ring_prod tx, fill;
};

static struct device devices[2];

static void
check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "xdp: %s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

static void
give_back(struct device *from, uint64_t frame)
{
    uint32_t at;

    check(xsk_ring_prod__reserve(&from->fill, 1, &at) == 1 ? 0 : -ENOSPC, "fill ring");
    *xsk_ring_prod__fill_addr(&from->fill, at) = frame & ~(uint64_t) (FRAME - 1);
    xsk_ring_prod__submit(&from->fill, 1);
}

/* The frames that 'to' has sent go back to where they came from; all of them are of one direction. */
static void
reclaim(struct device *from, struct device *to)
{
    uint32_t at;
    unsigned int n = xsk_ring_cons__peek(&to->completion, N_RING, &at);

    for (unsigned int i = 0; i < n; i++) {
        give_back(from, *xsk_ring_cons__comp_addr(&to->completion, at + i));
    }
    if (n) {
        xsk_ring_cons__release(&to->completion, n);
    }
}

static void
kick(struct device *to)
{
    for (int i = 0; i < MAX_KICKS; i++) {
        if (sendto(xsk_socket__fd(to->sender), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != EAGAIN) {
            break;
        }
    }
}

static void
move_burst(struct device *from, struct device *to, unsigned int n, uint32_t at)
{
    uint32_t put;
    bool has_room = xsk_ring_prod__reserve(&to->tx, n, &put) == n;

    for (unsigned int i = 0; i < n; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&from->rx, at + i);

        if (has_room) {
            *xsk_ring_prod__tx_desc(&to->tx, put + i) = (struct xdp_desc) { .addr = d->addr, .len = d->len };
        } else {
            give_back(from, d->addr);
        }
    }
    xsk_ring_cons__release(&from->rx, n);
    if (has_room) {
        xsk_ring_prod__submit(&to->tx, n);
    }
    kick(to);
}

static void *
move_frames(void *device)
{
    struct device *from = device, *to = &devices[from == devices];

    for (;;) {
        struct pollfd wait = { .fd = xsk_socket__fd(from->receiver), .events = POLLIN };
        uint32_t at;
        unsigned int n = xsk_ring_cons__peek(&from->rx, BURST, &at);

        reclaim(from, to);
        if (n) {
            move_burst(from, to, n, at);
        } else {
            (void) !poll(&wait, 1, -1);
        }
    }
    return NULL;
}

static void
open_device(struct device *d, const char *name, void *memory, unsigned int index)
{
    const struct xsk_umem_config area = { .fill_size = N_RING, .comp_size = N_RING, .frame_size = FRAME };
    const struct xsk_socket_config receiver = {
        .rx_size = N_RING, .bind_flags = XDP_COPY, .xdp_flags = XDP_FLAGS_DRV_MODE,
    };
    const struct xsk_socket_config sender = {
        .tx_size = N_RING, .bind_flags = XDP_COPY, .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
    };

    check(xsk_umem__create(&d->area, memory, AREA, &d->fill, &d->completion, &area), "area");
    check(xsk_socket__create(&d->receiver, name, 0, d->area, &d->rx, NULL, &receiver), name);
    check(xsk_socket__create(&d->sender, name, 0, d->area, NULL, &d->tx, &sender), name);
    for (uint64_t i = 0; i < N_RING; i++) {
        give_back(d, (index * N_RING + i) * FRAME);
    }
}

int
main(int argc, char *argv[])
{
    const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
    pthread_t other;
    void *memory;

    if (argc != 3) {
        fputs("usage: xdp A B\n", stderr);
        return EXIT_FAILURE;
    }
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    memory = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory == MAP_FAILED ? -errno : 0, "memory");
    for (unsigned int i = 0; i < 2; i++) {
        open_device(&devices[i], argv[1 + i], memory, i);
    }
    check(-pthread_create(&other, NULL, move_frames, &devices[1]), "thread");
    puts("ready");
    fflush(stdout);
    move_frames(&devices[0]);
    return EXIT_SUCCESS;
}
