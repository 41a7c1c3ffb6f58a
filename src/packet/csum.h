/* Internet checksums (RFC 1071, 1624), pseudo-headers, and SCTP's CRC32c.
 *
 * csum_add() accumulates; csum_finish() folds and complements.  Sums are over bytes in memory order, so results are
 * be16 values to be stored as they are.  A partial sum may be carried across calls only over even lengths.
 *
 * Threads: pure functions. */
#ifndef PACKET_CSUM_H
#define PACKET_CSUM_H 1

#include "packet/headers.h"

/* Adds 'n' bytes (the last odd one padded with zero), a be16, a be32. */
uint32_t csum_add(uint32_t sum, const void *p, size_t n);
static inline uint32_t csum_add16(uint32_t sum, be16 x) { return sum + (FORCE uint16_t) x; }
static inline uint32_t
csum_add32(uint32_t sum, be32 x)
{
    return sum + ((FORCE uint32_t) x & 0xffff) + ((FORCE uint32_t) x >> 16);
}

/* Folds to 16 bits; csum_finish() complements as well. */
static inline uint16_t
csum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}
static inline be16 csum_finish(uint32_t sum) { return (FORCE be16) (uint16_t) ~csum_fold(sum); }

/* Checksum of 'n' bytes. */
be16 csum_bytes(const void *p, size_t n);

/* Sum of the pseudo-header for 'proto' and a payload of 'n' bytes, not complemented: what a partial checksum holds. */
uint32_t csum_pseudo_ipv4(be32 src, be32 dst, uint8_t proto, uint32_t n);
uint32_t csum_pseudo_ipv6(const struct ipv6_addr *src, const struct ipv6_addr *dst, uint8_t proto, uint32_t n);

/* The checksum after a be16, a be32, or 'n' (even) bytes that it covers changed (RFC 1624 eqn. 3). */
be16 csum_update16(be16 csum, be16 old, be16 new);
be16 csum_update32(be16 csum, be32 old, be32 new);
be16 csum_update(be16 csum, const void *old, const void *new, size_t n);

/* CRC32c of an SCTP packet whose checksum field counts as zero; stored as it is. */
be32 csum_sctp(const void *p, size_t n);

#endif
