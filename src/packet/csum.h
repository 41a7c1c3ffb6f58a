/* Internet checksums (RFC 1071, 1624), pseudo-headers, and SCTP's CRC32c.
 *
 * csum_add() accumulates; csum_finish() folds and complements.  Sums are over bytes in memory order, so results are
 * be16 values to be stored as they are.  A partial sum may be carried across calls only over even lengths.
 *
 * Threads: pure functions. */
#ifndef PACKET_CSUM_H
#define PACKET_CSUM_H 1

#include <string.h>

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

/* What is to be added to a sum when a be16, a be32, or 'n' (even) bytes that it covers change (RFC 1624 eqn. 3).  Some
 * thousand of them may be added up. */
static inline uint64_t
csum_diff16(be16 old, be16 new)
{
    return (uint64_t) (uint16_t) ~(FORCE uint16_t) old + (FORCE uint16_t) new;
}
static inline uint64_t
csum_diff32(be32 old, be32 new)
{
    return (uint64_t) (uint32_t) ~(FORCE uint32_t) old + (FORCE uint32_t) new;
}
static ALWAYS_INLINE uint64_t
csum_diff(const void *old, const void *new, size_t n)
{
    uint64_t diff = 0;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        be32 from, to;

        memcpy(&from, (const char *) old + i, sizeof from);
        memcpy(&to, (const char *) new + i, sizeof to);
        diff += csum_diff32(from, to);
    }
    if (n & 2) {
        be16 from, to;

        memcpy(&from, (const char *) old + i, sizeof from);
        memcpy(&to, (const char *) new + i, sizeof to);
        diff += csum_diff16(from, to);
    }
    return diff;
}

/* The checksum after what it covers has changed by that. */
static inline be16
csum_apply(be16 csum, uint64_t diff)
{
    uint64_t sum = diff + (uint16_t) ~(FORCE uint16_t) csum;

    return csum_finish((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
}

/* The same for one change. */
static inline be16
csum_update16(be16 csum, be16 old, be16 new)
{
    return csum_apply(csum, csum_diff16(old, new));
}
be16 csum_update(be16 csum, const void *old, const void *new, size_t n);

/* CRC32c of an SCTP packet whose checksum field counts as zero; stored as it is. */
be32 csum_sctp(const void *p, size_t n);

#endif
