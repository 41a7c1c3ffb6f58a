#include "base/bytes.h"

#include <stdlib.h>

#include "base/num.h"

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
cursor_take_sub(struct cursor *c, size_t n, struct cursor *sub)
{
    const void *p = cursor_take(c, n);

    if (p) {
        *sub = cursor_make(p, n);
    }
    return p != NULL;
}

const char *
bytes_put_from_hex(struct bytes *b, const char *text)
{
    for (;;) {
        int high, low;

        text += strspn(text, " \t\r\n");
        high = num_hex_digit(text[0]);
        low = high >= 0 ? num_hex_digit(text[1]) : -1;
        if (low < 0) {
            return text;
        }
        bytes_put_u8(b, high << 4 | low);
        text += 2;
    }
}
