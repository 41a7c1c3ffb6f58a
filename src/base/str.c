#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>

void
str_init(struct str *s)
{
    *s = (struct str) STR_INIT;
}

void
str_uninit(struct str *s)
{
    free(s->text);
    str_init(s);
}

const char *
str_text(const struct str *s)
{
    return s->text ? s->text : "";
}

char *
str_steal(struct str *s)
{
    char *text = s->text ? s->text : xstrdup("");

    str_init(s);
    return text;
}

void
str_clear(struct str *s)
{
    str_truncate(s, 0);
}

void
str_truncate(struct str *s, size_t len)
{
    if (len < s->len) {
        s->len = len;
        s->text[len] = '\0';
    }
}

void
str_grow(struct str *s, size_t n)
{
    s->capacity = MAX(s->capacity * 2, s->len + n + 1);
    s->capacity = MAX(s->capacity, 32);
    s->text = xrealloc(s->text, s->capacity);
}

void
str_put_words(struct str *s, const char *const words[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        str_puts(s, words[i]);
        str_putc(s, ' ');
    }
}

void
str_put_fill(struct str *s, char c, size_t n)
{
    memset(str_reserve(s, n), c, n);
    s->len += n;
    s->text[s->len] = '\0';
}

/* The digits of 'v'. */
static inline unsigned int
n_decimal_digits(uint64_t v)
{
    static const uint64_t powers[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, UINT64_C(10000000000),
        UINT64_C(100000000000), UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000),
        UINT64_C(1000000000000000), UINT64_C(10000000000000000), UINT64_C(100000000000000000),
        UINT64_C(1000000000000000000), UINT64_C(10000000000000000000),
    };
    unsigned int n = (64 - __builtin_clzll(v | 1)) * 1233 >> 12; /* By the binary digits, at most one too few. */

    return n + (v >= powers[n]);
}

/* Writes 'v' in 'n' digits, zeros in front. */
static void
write_decimal(char *at, uint64_t v, unsigned int n)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";

    for (; n >= 2; n -= 2, v /= 100) {
        memcpy(at + n - 2, pairs + v % 100 * 2, 2);
    }
    if (n) {
        *at = '0' + v;
    }
}

void
str_put_decimal(struct str *s, uint64_t v, unsigned int width)
{
    unsigned int n = MAX(n_decimal_digits(v), width);
    char *at = str_reserve(s, n);

    write_decimal(at, v, n);
    at[n] = '\0';
    s->len += n;
}

void
str_put_int(struct str *s, int64_t i)
{
    if (i < 0) {
        str_putc(s, '-');
    }
    str_put_uint(s, i < 0 ? -(uint64_t) i : (uint64_t) i);
}

void
str_put_xint(struct str *s, uint64_t v, unsigned int width)
{
    unsigned int n = v ? (67 - __builtin_clzll(v)) / 4 : 1;
    char *at;

    n = MAX(n, MIN(width, 16));
    at = str_reserve(s, n);
    for (unsigned int i = n; i-- > 0; v >>= 4) {
        at[i] = "0123456789abcdef"[v & 15];
    }
    at[n] = '\0';
    s->len += n;
}

/* The common part of what printf() knows: what a dump of flows consists of is written several times as fast. */

/* A conversion: % [#] [0WIDTH] [l|ll|z] letter. */
struct conversion {
    bool is_alternate;
    unsigned int width; /* To be filled up with zeros; one digit. */
    unsigned int size;  /* 0: int; 1: long (and size_t); 2: long long. */
    char letter;
};

static const char *
take_conversion(const char *at, struct conversion *c)
{
    *c = (struct conversion) { .is_alternate = *at == '#' };
    at += c->is_alternate;
    if (at[0] == '0' && at[1] >= '1' && at[1] <= '9') {
        c->width = at[1] - '0';
        at += 2;
    }
    for (; *at == 'l' && c->size < 2; at++) {
        c->size++;
    }
    if (*at == 'z') {
        c->size = 1;
        at++;
    }
    c->letter = *at;
    return at + (*at != '\0');
}

static uint64_t
next_unsigned(const struct conversion *c, va_list *args)
{
    return c->size == 2 ? va_arg(*args, unsigned long long)
           : c->size == 1 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
}

static int64_t
next_signed(const struct conversion *c, va_list *args)
{
    return c->size == 2 ? va_arg(*args, long long) : c->size == 1 ? va_arg(*args, long) : va_arg(*args, int);
}

/* False, with nothing said of what has been put, for whatever printf() has to do. */
static bool
put_conversion(struct str *s, const struct conversion *c, va_list *args)
{
    const char *text;
    uint64_t v;

    if (c->letter != 'x' && (c->is_alternate || (c->letter != 'u' && c->width))) {
        return false;
    }
    switch (c->letter) {
    case '%':
        str_putc(s, '%');
        return !c->size;
    case 'c':
        str_putc(s, va_arg(*args, int));
        return !c->size;
    case 's':
        text = va_arg(*args, const char *);
        if (!text || c->size) {
            return false;
        }
        str_puts(s, text);
        return true;
    case 'd':
        str_put_int(s, next_signed(c, args));
        return true;
    case 'u':
        str_put_decimal(s, next_unsigned(c, args), c->width);
        return true;
    case 'x':
        v = next_unsigned(c, args);
        if (c->is_alternate && c->width) {
            return false;
        }
        str_puts(s, c->is_alternate && v ? "0x" : "");
        str_put_xint(s, v, c->width);
        return true;
    default:
        return false;
    }
}

/* False if the format has something else: the string is as before then. */
static bool
put_common(struct str *s, const char *format, va_list *args)
{
    size_t before = s->len;

    while (*format) {
        const char *end = strchrnul(format, '%');
        struct conversion c;

        str_putn(s, format, end - format);
        if (!*end) {
            break;
        }
        format = take_conversion(end + 1, &c);
        if (!put_conversion(s, &c, args)) {
            str_truncate(s, before);
            return false;
        }
    }
    return true;
}

static PRINTF_FORMAT(2, 0) __attribute__((nonnull(2), noinline)) void
put_any(struct str *s, const char *format, va_list args)
{
    char *at = str_reserve(s, 64); /* Often enough. */
    size_t room = s->capacity - s->len;
    va_list again;
    size_t n;

    va_copy(again, args);
    n = vsnprintf(at, room, format, args);
    if (n >= room) {
        vsnprintf(str_reserve(s, n), n + 1, format, again);
    }
    va_end(again);
    s->len += n;
}

void
str_putv(struct str *s, const char *format, va_list args)
{
    va_list again, common;

    *str_reserve(s, 64) = '\0'; /* Often enough; and there is a text, however short. */
    va_copy(again, args);
    va_copy(common, args);
    if (!put_common(s, format, &common)) {
        put_any(s, format, again);
    }
    va_end(common);
    va_end(again);
}

void
str_putf(struct str *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    str_putv(s, format, args);
    va_end(args);
}

void
str_put_hex(struct str *s, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    char *at = str_reserve(s, n * 2);

    for (size_t i = 0; i < n; i++) {
        *at++ = digits[p[i] >> 4];
        *at++ = digits[p[i] & 15];
    }
    *at = '\0';
    s->len += n * 2;
}

bool
str_chomp(struct str *s, char c)
{
    if (!s->len || s->text[s->len - 1] != c) {
        return false;
    }
    str_truncate(s, s->len - 1);
    return true;
}

bool
str_ends_with(const struct str *s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s->len >= n && !memcmp(str_text(s) + s->len - n, suffix, n);
}

bool
str_chomp_text(struct str *s, const char *suffix)
{
    bool found = str_ends_with(s, suffix);

    if (found) {
        str_truncate(s, s->len - strlen(suffix));
    }
    return found;
}

bool
str_is_word(const char *text)
{
    if (!isalpha((unsigned char) *text)) {
        return false;
    }
    while (isalnum((unsigned char) *text)) {
        text++;
    }
    return !*text;
}
