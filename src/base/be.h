/* Integers in network byte order.
 *
 * be16, be32 and be64 are distinct types to sparse ('make lint'), plain integers to the compiler.  Everything that
 * lives in a frame, a message or a flow key is one of these; convert with be16_to_cpu() and cpu_to_be16() and their
 * like, read unaligned memory with get_be16() (which converts too). */
#ifndef BASE_BE_H
#define BASE_BE_H 1

#include <stdint.h>
#include <string.h>

#ifdef __CHECKER__
#define BITWISE __attribute__((bitwise))
#define FORCE __attribute__((force))
#else
#define BITWISE
#define FORCE
#endif

typedef uint16_t BITWISE be16;
typedef uint32_t BITWISE be32;
typedef uint64_t BITWISE be64;

#define BE16_MAX ((FORCE be16) UINT16_MAX)
#define BE32_MAX ((FORCE be32) UINT32_MAX)
#define BE64_MAX ((FORCE be64) UINT64_MAX)

/* Constants: usable in static initialisers. */
#define BE16(X) ((FORCE be16) __builtin_bswap16(X))
#define BE32(X) ((FORCE be32) __builtin_bswap32(X))
#define BE64(X) ((FORCE be64) __builtin_bswap64(X))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "only little-endian machines are served");

static inline uint16_t be16_to_cpu(be16 x) { return __builtin_bswap16((FORCE uint16_t) x); }
static inline uint32_t be32_to_cpu(be32 x) { return __builtin_bswap32((FORCE uint32_t) x); }
static inline uint64_t be64_to_cpu(be64 x) { return __builtin_bswap64((FORCE uint64_t) x); }
static inline be16 cpu_to_be16(uint16_t x) { return (FORCE be16) __builtin_bswap16(x); }
static inline be32 cpu_to_be32(uint32_t x) { return (FORCE be32) __builtin_bswap32(x); }
static inline be64 cpu_to_be64(uint64_t x) { return (FORCE be64) __builtin_bswap64(x); }

/* Big-endian integers at any address, read and written as host integers. */
static inline uint16_t get_be16(const void *p) { be16 x; memcpy(&x, p, sizeof x); return be16_to_cpu(x); }
static inline uint32_t get_be32(const void *p) { be32 x; memcpy(&x, p, sizeof x); return be32_to_cpu(x); }
static inline uint64_t get_be64(const void *p) { be64 x; memcpy(&x, p, sizeof x); return be64_to_cpu(x); }
static inline void put_be16(void *p, uint16_t v) { be16 x = cpu_to_be16(v); memcpy(p, &x, sizeof x); }
static inline void put_be32(void *p, uint32_t v) { be32 x = cpu_to_be32(v); memcpy(p, &x, sizeof x); }
static inline void put_be64(void *p, uint64_t v) { be64 x = cpu_to_be64(v); memcpy(p, &x, sizeof x); }

#endif
