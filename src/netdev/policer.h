/* Policing: packets beyond a rate do not pass.
 *
 * What it is
 * ----------
 * A policer has a bucket of bytes and one of packets (sys/token_bucket.h), either of which may be unlimited.  A packet
 * passes if both have enough for it, and then takes from both: the lower of the two rates is in effect.  A packet that
 * does not pass takes nothing.
 *
 * It polices what a device receives (ingress_policing_* of an Interface) and, with the bucket of bytes alone, what one
 * sends (QoS of type egress-policer).
 *
 * How it works
 * ------------
 * A burst is judged on copies of the buckets, packet by packet, and what it takes is taken by one compare-and-swap a
 * bucket.  If another worker was faster the burst is judged again.  Only where both buckets are limited and the second
 * was changed between, the packets that have passed are charged to it whatever it holds, and the next ones pay.
 *
 * Units
 * -----
 * The size of a packet is that of its layer 3: without the 14 bytes of the Ethernet header, as the rates of DPDK ports
 * have always been counted (ovs-vswitchd.conf.db(5), QoS, other_config:cir).  A frame that is still to be segmented
 * counts whole.  Times are those of clock_now_ns().
 *
 * Threads: any worker may police at any time, and one thread configure meanwhile (see token_bucket_set()). */
#ifndef NETDEV_POLICER_H
#define NETDEV_POLICER_H 1

#include "packet/packet.h"
#include "sys/token_bucket.h"

/* Packets that are judged at once, at most: bits of the masks below. */
enum { POLICER_BURST = 32, POLICER_NOT_COUNTED = 14 };

/* The buckets fill a cache line: a burst of a policed port writes to it, and to nothing else unless it drops. */
struct policer {
    struct token_bucket bytes, packets;
    _Atomic uint64_t n_dropped;
} ALIGNED(CACHE_LINE);

/* What a packet of 'size' bytes counts. */
static inline uint32_t
policer_size(size_t size)
{
    return size > POLICER_NOT_COUNTED ? size - POLICER_NOT_COUNTED : 0;
}

/* Which of 'n' packets pass, as a mask; the others are counted. */
uint32_t policer_pass(struct policer *, struct packet *const *, unsigned int n, int64_t now_ns);

#endif
