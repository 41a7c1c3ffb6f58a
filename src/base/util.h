/* The few macros and allocation helpers that every file uses.
 *
 * Memory: the x* allocators never return null.  Out of memory in the control
 * plane aborts the process with a message; the fast path allocates from fixed
 * pools and never calls these.
 *
 * Threads: everything here may be called from any thread. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H 1

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define UNUSED __attribute__((unused))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF_FORMAT(FMT, ARG) __attribute__((format(printf, FMT, ARG)))
#define ALIGNED(N) __attribute__((aligned(N)))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define FALLTHROUGH __attribute__((fallthrough))
#define LIKELY(X) __builtin_expect(!!(X), 1)
#define UNLIKELY(X) __builtin_expect(!!(X), 0)
#define CACHE_LINE 64

#define ARRAY_SIZE(A) (sizeof(A) / sizeof((A)[0]))
#define MIN(A, B) ((A) < (B) ? (A) : (B))
#define MAX(A, B) ((A) > (B) ? (A) : (B))
#define DIV_ROUND_UP(X, Y) (((X) + ((Y) - 1)) / (Y))
#define ROUND_UP(X, Y) (DIV_ROUND_UP(X, Y) * (Y))

/* The structure of type TYPE whose member MEMBER is at PTR. */
#define CONTAINER_OF(PTR, TYPE, MEMBER) ((TYPE *) ((char *) (PTR) - offsetof(TYPE, MEMBER)))

/* Names a string literal the preprocessor has built. */
#define STRINGIFY(X) STRINGIFY_(X)
#define STRINGIFY_(X) #X
#define CONCAT(A, B) CONCAT_(A, B)
#define CONCAT_(A, B) A##B

/* The number of bits that are set: without a call, as the compiler's own is one where the processor is not known. */
static ALWAYS_INLINE unsigned int
count_bits64(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return x * UINT64_C(0x0101010101010101) >> 56;
}

/* Returns 'size' bytes of uninitialised memory, to be released with free().  xzalloc() clears them. */
void *xmalloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));
void *xzalloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));

/* Returns 'n' cleared elements of 'size' bytes each; aborts where the product overflows. */
void *xcalloc(size_t n, size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1, 2)));

/* Resizes 'p' (null allowed) to 'size' bytes.  xreallocarray() checks n * size for overflow. */
void *xrealloc(void *p, size_t size) MUST_CHECK;
void *xreallocarray(void *p, size_t n, size_t size) MUST_CHECK;

/* Returns cleared memory aligned to a cache line, to be released with free(). */
void *xzalloc_cacheline(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));

/* Return copies to be released with free(): of 'size' bytes, of a string (null gives null), of its first 'n' bytes. */
void *xmemdup(const void *p, size_t size) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;
char *xstrndup(const char *s, size_t n) MUST_CHECK;

/* printf into a new string, to be released with free(). */
char *xasprintf(const char *format, ...) PRINTF_FORMAT(1, 2) MUST_CHECK;
char *xvasprintf(const char *format, va_list args) PRINTF_FORMAT(1, 0) MUST_CHECK;

/* Doubles an array: reallocates '*array' of '*capacity' elements of 'size' bytes to at least one more.
 * Returns the new array and updates '*capacity'. */
void *x2nrealloc(void *array, size_t *capacity, size_t size) MUST_CHECK;

/* Says that memory has run out, on stderr, and aborts. */
void out_of_memory(void) NORETURN;

/* Copies 'src' to 'dst' of 'size' bytes, cutting it if needed; always ends in a null byte. */
void str_copy_cut(char *dst, const char *src, size_t size);

/* Whether 'n' bytes at 'p' are all zero. */
bool is_all_zeros(const void *p, size_t n);

/* Whether 'n' bytes at 'p' are all 0xff. */
bool is_all_ones(const void *p, size_t n);

#endif
