#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
hash_bytes(const void *p, size_t n, uint64_t basis)
{
    return XXH3_64bits_withSeed(p, n, basis);
}
