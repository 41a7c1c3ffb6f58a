/* The device's side of a virtio network queue in a machine's memory: frames are taken from what the machine sends, or
 * given to what it receives into (VIRTIO 1.2 §2.7 split virtqueues, §5.1.6 network device).
 *
 * What it is
 * ----------
 * DPDK's vhost library negotiates with the machine and maps its memory (netdev/vhost.h); where nothing is asked for
 * that only the library can do (packed rings, an IOMMU, a log of written pages), the frames themselves go through here.
 * A machine that hands over buffers of its own cores makes nearly every load a miss of the cache: first the entries of
 * the ring, then the descriptors they name, then the buffers.  So a burst is carried in passes, each of which asks for
 * all the lines that the next one needs; and at the end of a burst the buffers of the next one, and the descriptors of
 * the one after it, if they are ready.  What the machine would find as it was is not written, so that its lines stay in
 * the caches of both.
 *
 * How it works
 * ------------
 * 'next' counts the buffers taken from the available ring and, since they are used in the same order and at once, those
 * put into the used ring, too.  The counters that both sides see wrap at 65536.
 *
 * Nothing in the machine's memory is trusted: each field is read once, indexes are checked against the ring, chains
 * have no more members than the ring (or their table of indirect descriptors) has room for, and every address is looked
 * up in the table of regions.  A buffer that makes no sense is given back as if it were empty, and counted.
 *
 * Threads: one at a time for a ring; counters may be read by any.
 * Limits: hosts with little-endian byte order. */
#ifndef NETDEV_VIRTQUEUE_H
#define NETDEV_VIRTQUEUE_H 1

#include <stdatomic.h>

#include <linux/virtio_ring.h>

#include "packet/packet.h"

enum { VIRTQUEUE_BURST = 32, VIRTQUEUE_MAX_REGIONS = 32 };

/* Where the machine's memory is with us.  Constant while rings use it. */
struct virtqueue_memory {
    unsigned int n;
    struct virtqueue_region {
        uint64_t guest, size; /* Where the machine has it; bytes. */
        uint8_t *host;
    } regions[VIRTQUEUE_MAX_REGIONS];
};

enum { VIRTQUEUE_N_SIZES = 8 };

/* What went through, as the vhost library names it for a queue. */
struct virtqueue_counters {
    _Atomic uint64_t packets, bytes, multicast, broadcast, calls, errors;
    /* Up to 63 bytes, 64, up to 127, 255, 511, 1023, 1518, more. */
    _Atomic uint64_t sizes[VIRTQUEUE_N_SIZES];
};

/* A piece of the machine's memory. */
struct virtqueue_piece {
    uint8_t *at; /* Null: none. */
    uint32_t n;  /* Bytes of it. */
};

struct virtqueue {
    const struct vring_desc *desc;
    const struct vring_avail *avail;
    struct vring_used *used;
    const struct virtqueue_memory *memory;
    struct virtqueue_counters *counters;
    uint16_t size;          /* A power of two. */
    uint16_t next;
    uint8_t header_len;     /* Of the virtio-net header: 10 or 12. */
    bool is_mergeable;      /* A frame may fill several buffers. */
    bool has_indirect;      /* Descriptors may stand in tables of their own. */
    bool has_event_idx;     /* The machine says at which buffer it wants to be called. */
    bool may_segment;       /* Frames to be segmented are taken. */
    bool writes_headers;    /* The buffers of the last burst had other headers in them than they were to have. */
    int call_fd;            /* An eventfd; negative: there is none. */

    /* Of the buffers from 'next' on, those that are looked up, and those whose descriptors are asked for. */
    uint16_t n_looked_up, n_asked;
    /* Those that are looked up, by their places. */
    struct virtqueue_buffer {
        struct virtqueue_piece piece; /* Of a buffer of a single piece. */
        uint16_t head;
    } ahead[2 * VIRTQUEUE_BURST];
};

/* Takes up to 'max' (at most VIRTQUEUE_BURST) frames that the machine has sent; their number. */
unsigned int virtqueue_take(struct virtqueue *, struct packet **, unsigned int max);

/* Calls the machine by its eventfd (negative: there is none), and counts that.  What the machine gave and nobody can
 * write to is its own affair. */
void virtqueue_call(int fd, struct virtqueue_counters *);

/* How many buffers the machine has ready: frames that it has sent, or room that it has. */
unsigned int virtqueue_n_ready(const struct virtqueue *);

/* Copies up to 'n' frames to the machine, which stay the caller's; the number of those with which it is done (all but
 * for want of buffers).  '*n_failed' grows by those among them that no buffer was large enough for. */
unsigned int virtqueue_give(struct virtqueue *, struct packet *const *, unsigned int n, unsigned int *n_failed);

#endif
