#include "netdev/vnet.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t area_key;
static pthread_once_t area_once = PTHREAD_ONCE_INIT;
static _Thread_local struct vnet_area *area_of_thread;

static void
free_area(void *area_)
{
    struct vnet_area *area = area_;

    for (unsigned int i = 0; i < VNET_BURST; i++) {
        if (area->packets[i]) {
            packet_free(area->packets[i]);
        }
        if (area->buffers[i]) {
            packet_buffer_put(area->buffers[i]);
        }
    }
    free(area);
}

static void
make_key(void)
{
    if (pthread_key_create(&area_key, free_area)) {
        abort();
    }
}

static struct vnet_area *
new_area(void)
{
    struct vnet_area *area = xzalloc_cacheline(sizeof *area);

    for (unsigned int i = 0; i < VNET_BURST; i++) {
        area->iovs[i][0] = (struct iovec) { &area->headers[i], sizeof area->headers[i] };
        area->messages[i].msg_hdr = (struct msghdr) { .msg_iov = area->iovs[i], .msg_iovlen = 3 };
        area->tx_iovs[i][0] = (struct iovec) { &area->tx_headers[i], sizeof area->tx_headers[i] };
        area->tx_messages[i].msg_hdr = (struct msghdr) { .msg_iov = area->tx_iovs[i], .msg_iovlen = 2 };
    }
    pthread_once(&area_once, make_key);
    pthread_setspecific(area_key, area);
    return area;
}

struct vnet_area *
vnet_area(void)
{
    if (UNLIKELY(!area_of_thread)) {
        area_of_thread = new_area();
    }
    return area_of_thread;
}

/* Offset in a big buffer of the bytes that did not fit the packet. */
enum { REST_AT = PACKET_HEADROOM + PACKET_ROOM };

bool
vnet_arm(struct vnet_area *a, unsigned int i)
{
    if (!a->packets[i]) {
        a->packets[i] = packet_new_uninit(PACKET_ROOM);
        if (!a->packets[i]) {
            return false;
        }
        a->iovs[i][1] = (struct iovec) { packet_at(a->packets[i]), PACKET_ROOM };
    }
    if (!a->buffers[i]) {
        a->buffers[i] = packet_buffer_get();
        a->iovs[i][2] = (struct iovec) { (char *) a->buffers[i] + REST_AT, PACKET_MAX - REST_AT };
    }
    return true;
}

void
vnet_take_offload(struct packet *p, const struct virtio_net_hdr *h)
{
    if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || h->gso_type) {
        packet_set_offload(p, &(struct packet_offload) {
            .flags = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? PACKET_CSUM_PARTIAL : 0, .gso_type = h->gso_type,
            .hdr_len = h->hdr_len, .gso_size = h->gso_size, .csum_start = h->csum_start,
            .csum_offset = h->csum_offset });
    }
}

void
vnet_put_offload(struct virtio_net_hdr *h, const struct packet *p)
{
    *h = (struct virtio_net_hdr) { 0 };
    if (packet_has_offload(p)) {
        const struct packet_offload *o = &p->offload;

        h->flags = o->flags & PACKET_CSUM_PARTIAL ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
        h->gso_type = o->gso_type;
        h->gso_size = o->gso_size;
        h->hdr_len = o->hdr_len;
        h->csum_start = o->csum_start;
        h->csum_offset = o->csum_offset;
    }
}

struct packet *
vnet_take(struct vnet_area *a, unsigned int i, size_t n)
{
    struct packet *p = a->packets[i];

    if (n <= sizeof a->headers[i]) {
        return NULL;
    }
    n -= sizeof a->headers[i];
    if (n > PACKET_ROOM) {
        struct packet *big = packet_around_buffer(a->buffers[i], PACKET_HEADROOM, n);

        if (!big) {
            return NULL;
        }
        memcpy(packet_at(big), packet_at(p), PACKET_ROOM);
        a->buffers[i] = NULL;
        p = big;
    } else {
        packet_set_size(p, n);
        a->packets[i] = NULL;
    }
    vnet_take_offload(p, &a->headers[i]);
    if (a->headers[i].flags & VIRTIO_NET_HDR_F_DATA_VALID) { /* The kernel knows; a machine could lie. */
        p->mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    }
    return p;
}

void
vnet_prepare_send(struct vnet_area *a, unsigned int i, const struct packet *p)
{
    vnet_put_offload(&a->tx_headers[i], p);
    a->tx_iovs[i][1] = (struct iovec) { packet_at(p), packet_size(p) };
}
