/* A ring of copies of packets, from one thread that carries packets to the one that writes a capture's file.
 *
 * What it is
 * ----------
 * Bytes in a circle.  A record is a head and the bytes of a frame in one piece, so what does not fit in front of the
 * end is left as a gap.  Who puts never waits: without room the copy is left out and counted, also in the next record.
 *
 * Threads: one puts, one takes; counters may be read by any. */
#ifndef DATAPATH_USER_CAPTURE_RING_H
#define DATAPATH_USER_CAPTURE_RING_H 1

#include "base/tally.h"
#include "packet/packet.h"

/* Some milliseconds of a port of 10 Gbit/s. */
enum { CAPTURE_RING_SIZE = 4 << 20, CAPTURE_ALIGNMENT = 8 };

struct capture_record {
    uint32_t size;      /* With the frame, and up to the next record. */
    uint32_t is_gap;    /* Nothing is in it; the rest of the head is not there. */
    uint64_t ns;        /* Since 1970. */
    uint64_t n_dropped; /* That were left out since the record before. */
    uint32_t captured, length; /* Bytes that follow, and of the frame. */
    uint32_t queue;
    bool is_out;        /* Sent, not received. */
    struct packet_offload offload; /* All zeros: none. */
    uint8_t frame[] ALIGNED(CAPTURE_ALIGNMENT);
};

struct capture_ring {
    /* The one who puts: */
    _Atomic uint64_t end;        /* Bytes that were ever put. */
    uint64_t known_begin;
    uint64_t n_left_out;         /* Since the last record. */
    _Atomic uint64_t n_put, n_dropped;
    /* The one who takes: */
    _Atomic uint64_t begin ALIGNED(CACHE_LINE); /* Bytes that were ever taken. */
    uint8_t data[CAPTURE_RING_SIZE] ALIGNED(CACHE_LINE);
};

/* An empty ring is all zeros. */

/* Puts the first 'head->captured' bytes at 'frame', with the rest of '*head' ('size', 'is_gap' and 'n_dropped' are not
 * looked at). */
void capture_ring_put(struct capture_ring *, const struct capture_record *head, const void *frame);

/* The oldest record in front of 'until', a value of capture_ring_end(); null if there is none.  It stays until it is
 * taken. */
const struct capture_record *capture_ring_first(struct capture_ring *, uint64_t until);
void capture_ring_take(struct capture_ring *, const struct capture_record *);
static inline uint64_t
capture_ring_end(const struct capture_ring *r)
{
    return atomic_load_explicit(&r->end, memory_order_acquire);
}

#endif
