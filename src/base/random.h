/* A small fast generator of pseudo-random numbers (xoshiro256**, by Blackman and Vigna, public domain algorithm).
 *
 * Not for secrets.  The state is the caller's, so that tests can repeat a sequence; sys/random.h has one seeded by the
 * system per thread. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H 1

#include <stdint.h>

struct random {
    uint64_t s[4];
};

/* Sets the state from any 64-bit number. */
void random_seed(struct random *r, uint64_t seed);
uint64_t random_u64(struct random *r);
/* A number from 0 to 'n' - 1; 'n' must not be 0. */
uint32_t random_below(struct random *r, uint32_t n);

#endif
