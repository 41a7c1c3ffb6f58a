/* The packet: a DPDK mbuf, with what our ports know about it besides.
 *
 * What it is
 * ----------
 * 'struct packet' is an rte_mbuf followed by a private area (packet/mbuf.h, for the directories that move packets).
 * This header is for everyone else: it hides DPDK.
 *
 * How it works
 * ------------
 * Packets come from one pool, made when DPDK's environment starts (packet/env.h), or from a DPDK port's own pool.  A
 * frame that does not fit a pool element (segmentation offload makes them of up to 64 KiB) lives in an external buffer
 * of its own, in one piece: packets here are never chains.
 *
 * Offloads travel with the packet as a 'struct packet_offload', the fields of a virtio-net header: a partial checksum
 * (the field holds the pseudo-header's sum and the sum from csum_start on is still to be added) and segmentation (the
 * frame is to be cut into segments of gso_size bytes of payload).  Whoever changes the headers keeps them right.
 *
 * A packet may be referenced several times (output to many ports); then its bytes must not be changed:
 * packet_unshare() first.
 *
 * Threads: a packet belongs to one thread.  The pool is for every thread; threads registered with env_thread_register()
 * have a cache.
 * Limits: a frame has at most 65535 bytes. */
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H 1

#include "base/util.h"

struct packet;

/* Room for new headers in front of the data of a fresh packet; bytes of a frame that fit a pool's element. */
enum { PACKET_HEADROOM = 128, PACKET_ROOM = 2048, PACKET_MAX = 65535 };

/* virtio-net header fields (VIRTIO 1.2 §5.1.6), in host order. */
enum { PACKET_CSUM_PARTIAL = 1, PACKET_CSUM_GOOD = 2 };
enum { PACKET_GSO_NONE = 0, PACKET_GSO_TCPV4 = 1, PACKET_GSO_UDP = 3, PACKET_GSO_TCPV6 = 4, PACKET_GSO_UDP_L4 = 5,
       PACKET_GSO_ECN = 0x80 };
struct packet_offload {
    uint8_t flags;        /* PACKET_CSUM_*. */
    uint8_t gso_type;     /* PACKET_GSO_*. */
    uint16_t hdr_len;     /* Bytes of headers (a hint). */
    uint16_t gso_size;    /* Payload bytes of a segment. */
    uint16_t csum_start;  /* From the start of the frame. */
    uint16_t csum_offset; /* From csum_start. */
};

/* A packet of 'n' uninitialised bytes, or with a copy of those at 'p'; null if memory is exhausted or 'n' too large. */
struct packet *packet_new_uninit(size_t n) MUST_CHECK;
struct packet *packet_new(const void *p, size_t n) MUST_CHECK;

/* A copy that shares nothing; null if memory is exhausted. */
struct packet *packet_copy(const struct packet *) MUST_CHECK;

/* Drops a reference. */
void packet_free(struct packet *);

/* The frame, contiguous. */
void *packet_data(const struct packet *);
size_t packet_len(const struct packet *);

/* What is to be done with the frame still; null if nothing is. */
const struct packet_offload *packet_offload(const struct packet *);

#endif
