/* Sets of small numbers: an array of words, bit 'i' of which stands for the number 'i'.
 *
 * Threads: as any array. */
#ifndef BASE_BITS_H
#define BASE_BITS_H 1

#include "base/util.h"

/* The words that 'n' bits take. */
static inline size_t bits_words(size_t n) { return DIV_ROUND_UP(n, 64); }

/* Whether 'i' is in 'b'; null is the empty set. */
static inline bool bit_get(const uint64_t *b, size_t i) { return b && b[i / 64] >> (i % 64) & 1; }
static inline void bit_set(uint64_t *b, size_t i) { b[i / 64] |= UINT64_C(1) << (i % 64); }
static inline void bit_clear(uint64_t *b, size_t i) { b[i / 64] &= ~(UINT64_C(1) << (i % 64)); }

#endif
