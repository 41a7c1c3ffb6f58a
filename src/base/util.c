#include "base/util.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_BLOCK 1024 /* Bytes. */

void
out_of_memory(void)
{
    fputs("virtual memory exhausted\n", stderr);
    abort();
}

void *
xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) {
        out_of_memory();
    }
    return p;
}

void *
xzalloc(size_t size)
{
    return xcalloc(1, size);
}

void *
xcalloc(size_t n, size_t size)
{
    size_t total;
    void *p;

    /* The C library's calloc() passes by the small blocks that the thread freed last; its large ones come cleared. */
    if (!__builtin_mul_overflow(n, size, &total) && total <= SMALL_BLOCK) {
        return memset(xmalloc(total), 0, total);
    }
    p = calloc(n, size);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *
xrealloc(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total)) {
        out_of_memory();
    }
    return xrealloc(p, total);
}

void *
xzalloc_cacheline(size_t size)
{
    void *p = aligned_alloc(CACHE_LINE, ROUND_UP(size ? size : 1, CACHE_LINE));

    if (!p) {
        out_of_memory();
    }
    memset(p, 0, size);
    return p;
}

void *
xmemdup(const void *p, size_t size)
{
    void *copy = xmalloc(size);

    if (size) {
        memcpy(copy, p, size);
    }
    return copy;
}

char *
xstrdup(const char *s)
{
    return s ? xmemdup(s, strlen(s) + 1) : NULL;
}

char *
xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *
xvasprintf(const char *format, va_list args)
{
    char *s;

    if (vasprintf(&s, format, args) < 0) {
        out_of_memory();
    }
    return s;
}

char *
xasprintf(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    return s;
}

void *
x2nrealloc(void *array, size_t *capacity, size_t size)
{
    *capacity = *capacity ? *capacity * 2 : 4;
    return xreallocarray(array, *capacity, size);
}

void
str_copy_cut(char *dst, const char *src, size_t size)
{
    if (size) {
        size_t len = strnlen(src, size - 1);

        memcpy(dst, src, len);
        dst[len] = '\0';
    }
}

static uint64_t
word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

/* Whether all bytes are those of 'word', which are all the same.  Values of fields are what this is asked of most. */
static ALWAYS_INLINE bool
is_all(const uint8_t *p, size_t n, uint64_t word)
{
    if (n > 32) {
        return p[0] == (uint8_t) word && !memcmp(p, p + 1, n - 1);
    }
    for (; n >= 8; n -= 8, p += 8) {
        if (word_at(p) != word) {
            return false;
        }
    }
    for (; n; n--, p++) {
        if (*p != (uint8_t) word) {
            return false;
        }
    }
    return true;
}

bool
is_all_zeros(const void *p, size_t n)
{
    return is_all(p, n, 0);
}

bool
is_all_ones(const void *p, size_t n)
{
    return is_all(p, n, UINT64_MAX);
}
