#include "packet/csum.h"

#include <pthread.h>

/* 64 bits at a time: carries collect in the upper half of a wider sum. */
static uint64_t
add_words(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;

    for (; n >= 4; p += 4, n -= 4) {
        uint32_t x;

        memcpy(&x, p, 4);
        sum += x;
    }
    if (n & 2) {
        uint16_t x;

        memcpy(&x, p, 2);
        sum += x;
        p += 2;
    }
    if (n & 1) {
        sum += *p;
    }
    return sum;
}

uint32_t
csum_add(uint32_t sum, const void *p, size_t n)
{
    uint64_t wide = add_words(p, n);

    wide = (wide & UINT32_MAX) + (wide >> 32);
    wide = (wide & 0xffff) + (wide >> 16 & 0xffff) + (wide >> 32);
    return csum_fold(sum) + wide;
}

be16
csum_bytes(const void *p, size_t n)
{
    return csum_finish(csum_add(0, p, n));
}

uint32_t
csum_pseudo_ipv4(be32 src, be32 dst, uint8_t proto, uint32_t n)
{
    uint32_t sum = csum_add32(csum_add32(0, src), dst);

    return csum_add16(csum_add16(sum, cpu_to_be16(proto)), cpu_to_be16(n));
}

uint32_t
csum_pseudo_ipv6(const struct ipv6_addr *src, const struct ipv6_addr *dst, uint8_t proto, uint32_t n)
{
    uint32_t sum = csum_add(csum_add(0, src, sizeof *src), dst, sizeof *dst);

    return csum_add32(csum_add16(sum, cpu_to_be16(proto)), cpu_to_be32(n));
}

be16
csum_update(be16 csum, const void *old, const void *new, size_t n)
{
    uint32_t sum = (uint16_t) ~(FORCE uint16_t) csum;
    uint32_t removed = (uint16_t) ~csum_fold(csum_add(0, old, n));

    return csum_finish(csum_add(sum + removed, new, n));
}

/* CRC32c, reflected polynomial 0x82f63b78 (RFC 3720 appendix B.4). */
static uint32_t crc32c_table[256];

static void
crc32c_init(void)
{
    for (unsigned int i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
        }
        crc32c_table[i] = crc;
    }
}

static uint32_t
crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc = crc >> 8 ^ crc32c_table[(crc ^ p[i]) & 0xff];
    }
    return crc;
}

be32
csum_sctp(const void *p, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const uint8_t zeros[4];
    const uint8_t *bytes = p;
    uint32_t crc = UINT32_MAX;
    size_t before = offsetof(struct sctp_header, csum);

    pthread_once(&once, crc32c_init);
    crc = crc32c(crc, bytes, MIN(n, before));
    if (n >= SCTP_HEADER_LEN) {
        crc = crc32c(crc, zeros, sizeof zeros);
        crc = crc32c(crc, bytes + SCTP_HEADER_LEN, n - SCTP_HEADER_LEN);
    }
    return (FORCE be32) ~crc; /* The CRC's low byte goes first. */
}
