#include "base/bytes.h"

#include <ctype.h>
#include <stdlib.h>

void
bytes_init(struct bytes *b)
{
    *b = (struct bytes) BYTES_INIT;
}

void
bytes_uninit(struct bytes *b)
{
    free(b->data);
    bytes_init(b);
}

void
bytes_clear(struct bytes *b)
{
    b->len = 0;
}

void
bytes_reserve(struct bytes *b, size_t n)
{
    if (b->capacity - b->len < n) {
        b->capacity = MAX(b->capacity * 2, b->len + n);
        b->capacity = MAX(b->capacity, 64);
        b->data = xrealloc(b->data, b->capacity);
    }
}

void *
bytes_put_uninit(struct bytes *b, size_t n)
{
    void *p;

    bytes_reserve(b, MAX(n, 1));
    p = b->data + b->len;
    b->len += n;
    return p;
}

void *
bytes_put_zeros(struct bytes *b, size_t n)
{
    return memset(bytes_put_uninit(b, n), 0, n);
}

void *
bytes_put(struct bytes *b, const void *p, size_t n)
{
    void *to = bytes_put_uninit(b, n);

    if (n) {
        memcpy(to, p, n);
    }
    return to;
}

void
bytes_put_u8(struct bytes *b, uint8_t v)
{
    bytes_put(b, &v, sizeof v);
}

void
bytes_put_be16(struct bytes *b, uint16_t v)
{
    put_be16(bytes_put_uninit(b, sizeof v), v);
}

void
bytes_put_be32(struct bytes *b, uint32_t v)
{
    put_be32(bytes_put_uninit(b, sizeof v), v);
}

void
bytes_put_be64(struct bytes *b, uint64_t v)
{
    put_be64(bytes_put_uninit(b, sizeof v), v);
}

void
bytes_pad_from(struct bytes *b, size_t start, size_t align)
{
    size_t len = b->len - start;

    bytes_put_zeros(b, ROUND_UP(len, align) - len);
}

void
bytes_truncate(struct bytes *b, size_t len)
{
    b->len = MIN(b->len, len);
}

void
bytes_pull(struct bytes *b, size_t n)
{
    if (n) {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
}

uint8_t *
bytes_steal(struct bytes *b)
{
    uint8_t *data = b->data;

    bytes_init(b);
    return data;
}

bool
cursor_take_u8(struct cursor *c, uint8_t *v)
{
    const uint8_t *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = *p;
    }
    return p != NULL;
}

bool
cursor_take_be16(struct cursor *c, uint16_t *v)
{
    const void *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = get_be16(p);
    }
    return p != NULL;
}

bool
cursor_take_be32(struct cursor *c, uint32_t *v)
{
    const void *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = get_be32(p);
    }
    return p != NULL;
}

bool
cursor_take_be64(struct cursor *c, uint64_t *v)
{
    const void *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = get_be64(p);
    }
    return p != NULL;
}

bool
cursor_take_sub(struct cursor *c, size_t n, struct cursor *sub)
{
    const void *p = cursor_take(c, n);

    if (p) {
        *sub = cursor_make(p, n);
    }
    return p != NULL;
}

static int
hex_digit(char c)
{
    return isdigit((unsigned char) c)    ? c - '0'
           : isxdigit((unsigned char) c) ? tolower((unsigned char) c) - 'a' + 10
                                         : -1;
}

const char *
bytes_put_from_hex(struct bytes *b, const char *text)
{
    for (;;) {
        int high, low;

        text += strspn(text, " \t\r\n");
        high = hex_digit(text[0]);
        low = high >= 0 ? hex_digit(text[1]) : -1;
        if (low < 0) {
            return text;
        }
        bytes_put_u8(b, high << 4 | low);
        text += 2;
    }
}
