/* A growing string.
 *
 * 'struct str' starts as STR_INIT, grows by str_put*() and is released with str_uninit(), or handed over with
 * str_steal().  'text' is null until something is put; str_text() gives "" then.  Not for sharing between threads. */
#ifndef BASE_STR_H
#define BASE_STR_H 1

#include <string.h>

#include "base/util.h"

struct str {
    char *text;      /* Null-terminated when not null; owned. */
    size_t len;      /* Bytes, without the terminator. */
    size_t capacity; /* Bytes allocated. */
};

#define STR_INIT { NULL, 0, 0 }

/* Prepares an empty string; releases its memory. */
void str_init(struct str *s);
void str_uninit(struct str *s);

/* The text so far, never null; valid until the next change of 's'. */
const char *str_text(const struct str *s);

/* Returns the text, never null, to be released with free(), and leaves 's' empty. */
char *str_steal(struct str *s) MUST_CHECK;

/* Makes the string empty, or 'len' bytes long (at most its present length); keeps its memory. */
void str_clear(struct str *s);
void str_truncate(struct str *s, size_t len);

/* Appends a byte, 'n' times the same byte, a string, 'n' bytes of one, or formatted text. */
static inline void str_putc(struct str *s, char c);
void str_put_fill(struct str *s, char c, size_t n);
static inline void str_puts(struct str *s, const char *text);
static inline void str_putn(struct str *s, const void *text, size_t n);
void str_putf(struct str *s, const char *format, ...) PRINTF_FORMAT(2, 3);
void str_putv(struct str *s, const char *format, va_list args) PRINTF_FORMAT(2, 0) __attribute__((nonnull(2)));
/* Appends each of the words, with a blank behind it. */
void str_put_words(struct str *s, const char *const words[], size_t n);

/* Append an integer in decimal, with zeros in front up to 'width' digits; in hexadecimal digits (at most 16). */
void str_put_int(struct str *s, int64_t i);
static inline void str_put_uint(struct str *s, uint64_t v);
void str_put_decimal(struct str *s, uint64_t v, unsigned int width);
void str_put_xint(struct str *s, uint64_t v, unsigned int width);

/* Makes room for 'n' more bytes and the terminator; returns where they go. */
static inline char *str_reserve(struct str *s, size_t n);
void str_grow(struct str *s, size_t n); /* The part of it that allocates. */

/* Appends 'n' bytes as lower-case hexadecimal digits. */
void str_put_hex(struct str *s, const void *bytes, size_t n);

/* Drops 'c' from the end if it is there; returns whether it was.  str_chomp_text() does so for a whole suffix. */
bool str_chomp(struct str *s, char c);
bool str_chomp_text(struct str *s, const char *suffix);

/* Whether 's' ends in 'suffix'. */
bool str_ends_with(const struct str *s, const char *suffix);

static inline char *
str_reserve(struct str *s, size_t n)
{
    if (UNLIKELY(s->capacity - s->len <= n)) {
        str_grow(s, n);
    }
    return s->text + s->len;
}

static inline void
str_putc(struct str *s, char c)
{
    char *at = str_reserve(s, 1);

    at[0] = c;
    at[1] = '\0';
    s->len++;
}

static inline void
str_putn(struct str *s, const void *text, size_t n)
{
    char *at = str_reserve(s, n);

    if (n) {
        memcpy(at, text, n);
    }
    at[n] = '\0';
    s->len += n;
}

/* A literal is as long as the compiler says, and a short one is written in place. */
static ALWAYS_INLINE void
str_puts(struct str *s, const char *text)
{
    size_t n = strlen(text);

    if (__builtin_constant_p(n) && n <= 32) {
        memcpy(str_reserve(s, n), text, n + 1);
        s->len += n;
    } else {
        str_putn(s, text, n);
    }
}

static inline void
str_put_uint(struct str *s, uint64_t v)
{
    if (v < 10) {
        str_putc(s, '0' + v);
    } else {
        str_put_decimal(s, v, 0);
    }
}

/* Whether the text is a letter followed by letters and digits only: names that are such need no quotes. */
bool str_is_word(const char *text);

#endif
