/* Hashing and comparing keys, line by line.
 *
 * A key of a packet is a struct flow in which only the lines of its bitmap are valid.  Before a line that the packet
 * lacks is looked at it is zeroed (key_need_lines()).
 *
 * Threads: pure functions. */
#ifndef DATAPATH_USER_KEY_H
#define DATAPATH_USER_KEY_H 1

#include "flow/flow.h"

typedef uint64_t key_pair __attribute__((vector_size(16), may_alias));

/* 64 by 64 bits multiplied, both halves folded (the mixing step of wyhash, public domain). */
static ALWAYS_INLINE uint64_t
key_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128) a * b;

    return (uint64_t) product ^ (uint64_t) (product >> 64);
}

#define KEY_SECRET0 UINT64_C(0xa0761d6478bd642f)
#define KEY_SECRET1 UINT64_C(0xe7037ed1a0b428db)
#define KEY_SECRET2 UINT64_C(0x8ebc6af09c88c6e3)
#define KEY_SECRET3 UINT64_C(0x589965cc75374cc3)

/* Hash of a packet for the signature cache: everything in front of tcp_flags, and IPv6 addresses.  Packets that differ
 * elsewhere share an entry, which costs them time, not correctness. */
static ALWAYS_INLINE uint64_t
key_signature(const struct flow *key, uint16_t lines)
{
    const uint64_t *w = key->lines[0].words;
    uint64_t h = key_mix(w[0] ^ KEY_SECRET0, w[1] ^ KEY_SECRET1) ^ key_mix(w[2] ^ KEY_SECRET2, w[3] ^ KEY_SECRET3)
                 ^ key_mix(w[4] ^ KEY_SECRET1, (w[5] & 0xffff) ^ KEY_SECRET3);

    if (UNLIKELY(lines & FLOW_LINE_IPV6)) {
        const uint64_t *v = key->lines[1].words;

        h ^= key_mix(v[0] ^ KEY_SECRET0, v[1] ^ KEY_SECRET2) ^ key_mix(v[2] ^ KEY_SECRET1, v[3] ^ KEY_SECRET3);
    }
    return h;
}
_Static_assert(offsetof(struct flow, tcp_flags) == 42, "the signature ends before tcp_flags");

static ALWAYS_INLINE uint64_t
key_hash_line(const struct flow_line *k, const struct flow_line *m, uint64_t h)
{
    const uint64_t *w = k->words, *x = m->words;

    return key_mix((w[0] & x[0]) ^ KEY_SECRET0 ^ h, (w[1] & x[1]) ^ KEY_SECRET1)
           ^ key_mix((w[2] & x[2]) ^ KEY_SECRET2, (w[3] & x[3]) ^ KEY_SECRET3)
           ^ key_mix((w[4] & x[4]) ^ KEY_SECRET1, (w[5] & x[5]) ^ KEY_SECRET2)
           ^ key_mix((w[6] & x[6]) ^ KEY_SECRET3, (w[7] & x[7]) ^ KEY_SECRET0);
}

/* Whether k and v agree in the bits of m. */
static ALWAYS_INLINE bool
key_line_matches(const struct flow_line *k, const struct flow_line *m, const struct flow_line *v)
{
    const key_pair *a = (const key_pair *) k, *b = (const key_pair *) m, *c = (const key_pair *) v;
    key_pair d = ((a[0] ^ c[0]) & b[0]) | ((a[1] ^ c[1]) & b[1]) | ((a[2] ^ c[2]) & b[2]) | ((a[3] ^ c[3]) & b[3]);

    return !(d[0] | d[1]);
}

/* Zeroes those lines of 'wanted' that the key lacks. */
static ALWAYS_INLINE void
key_need_lines(struct flow *key, uint16_t *lines, uint16_t wanted)
{
    uint16_t missing = wanted & ~*lines;

    if (UNLIKELY(missing)) {
        FLOW_FOR_EACH_LINE (i, missing) {
            key->lines[i] = (struct flow_line) { { 0 } };
        }
        *lines |= missing;
    }
}

#endif
