/* Frames with virtio-net headers: the header, and reading and writing through file descriptors, which AF_PACKET and TAP
 * share.
 *
 * Each thread that moves packets has an area of slots: headers, message structs, and for receiving, packets with a big
 * buffer behind each.  A frame that fits PACKET_ROOM bytes is read straight into a packet; the rest of a longer one
 * lands in the big buffer, to which its beginning is then moved.
 *
 * Threads: an area belongs to its thread and is released when that ends. */
#ifndef NETDEV_VNET_H
#define NETDEV_VNET_H 1

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "packet/mbuf.h"

enum { VNET_BURST = 32, VNET_CONTROL = 64 };

struct vnet_area {
    struct virtio_net_hdr headers[VNET_BURST];
    struct iovec iovs[VNET_BURST][3];   /* Header, packet, rest. */
    struct mmsghdr messages[VNET_BURST];
    char controls[VNET_BURST][VNET_CONTROL] ALIGNED(8);
    struct packet *packets[VNET_BURST]; /* Null: to be filled. */
    void *buffers[VNET_BURST];
    struct virtio_net_hdr tx_headers[VNET_BURST];
    struct iovec tx_iovs[VNET_BURST][2];
    struct mmsghdr tx_messages[VNET_BURST];
};

/* What the header asks for becomes the packet's offload, unchecked; and the other way around (nothing: all zero). */
void vnet_take_offload(struct packet *, const struct virtio_net_hdr *);
void vnet_put_offload(struct virtio_net_hdr *, const struct packet *);

/* This thread's area. */
struct vnet_area *vnet_area(void);

/* Makes slot 'i' ready to receive; false without memory. */
bool vnet_arm(struct vnet_area *, unsigned int i);

/* Takes the packet out of slot 'i', into which the kernel wrote 'n' bytes (header included); null if it is unusable. */
struct packet *vnet_take(struct vnet_area *, unsigned int i, size_t n);

/* Writes the header for 'p' to slot 'i' and points its two iovecs to header and frame. */
void vnet_prepare_send(struct vnet_area *, unsigned int i, const struct packet *p);

#endif
