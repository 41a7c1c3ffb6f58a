/* Hashes: xxHash (XXH3), from its own header.
 *
 * For tables in memory only: values differ between builds and are never stored or sent. */
#ifndef BASE_HASH_H
#define BASE_HASH_H 1

#include <stdint.h>
#include <string.h>

/* Hash of 'n' bytes, of a string, of an integer, of a pointer; 'basis' separates independent tables. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t basis);
static inline uint32_t hash_string(const char *s, uint32_t basis) { return hash_bytes(s, strlen(s), basis); }

static inline uint32_t
hash_u64(uint64_t x, uint32_t basis)
{
    x ^= basis;
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return x;
}

/* The hash 'h' (at first the basis) going on with one more word, for keys of a few words.  Both halves of the product
 * count: what varies may be in the word's upper bits alone (the last byte of an address is), and slots are chosen by
 * the lower bits of the hash. */
static inline __attribute__((always_inline)) uint64_t
hash_add_word(uint64_t h, uint64_t word)
{
    __uint128_t product = (__uint128_t) (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint64_t) product ^ (uint64_t) (product >> 64);
}

static inline uint32_t hash_u32(uint32_t x, uint32_t basis) { return hash_u64(x, basis); }
static inline uint32_t hash_pointer(const void *p, uint32_t basis) { return hash_u64((uintptr_t) p, basis); }

#endif
