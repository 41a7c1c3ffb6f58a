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

static inline uint32_t hash_u32(uint32_t x, uint32_t basis) { return hash_u64(x, basis); }
static inline uint32_t hash_pointer(const void *p, uint32_t basis) { return hash_u64((uintptr_t) p, basis); }

#endif
