#include "base/str.h"

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

char *
str_reserve(struct str *s, size_t n)
{
    if (s->capacity - s->len <= n) {
        s->capacity = MAX(s->capacity * 2, s->len + n + 1);
        s->capacity = MAX(s->capacity, 32);
        s->text = xrealloc(s->text, s->capacity);
    }
    return s->text + s->len;
}

void
str_put_fill(struct str *s, char c, size_t n)
{
    memset(str_reserve(s, n), c, n);
    s->len += n;
    s->text[s->len] = '\0';
}

void
str_putn(struct str *s, const void *text, size_t n)
{
    char *at = str_reserve(s, n);

    if (n) {
        memcpy(at, text, n);
    }
    s->len += n;
    s->text[s->len] = '\0';
}

void
str_puts(struct str *s, const char *text)
{
    str_putn(s, text, strlen(text));
}

void
str_putv(struct str *s, const char *format, va_list args)
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
str_putf(struct str *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    str_putv(s, format, args);
    va_end(args);
}

void
str_put_int(struct str *s, int64_t i)
{
    uint64_t rest = i < 0 ? -(uint64_t) i : (uint64_t) i;
    char digits[20], *at = digits + sizeof digits;

    do {
        *--at = '0' + rest % 10;
        rest /= 10;
    } while (rest);
    if (i < 0) {
        str_putc(s, '-');
    }
    str_putn(s, at, digits + sizeof digits - at);
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
