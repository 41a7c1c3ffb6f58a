/* A growing byte buffer, and a cursor that reads a byte string without ever leaving it.
 *
 * 'struct bytes' is for building messages: put at the end, fix earlier members by offset.  Pointers into it are valid
 * until the next put.
 *
 * 'struct cursor' is for reading what came from outside: each cursor_take*() either gives what was asked for or
 * returns null (false) and leaves the cursor where it was.  It owns nothing. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H 1

#include "base/be.h"
#include "base/util.h"

struct bytes {
    uint8_t *data;   /* Owned; null while nothing was put. */
    size_t len;      /* Bytes in use. */
    size_t capacity; /* Bytes allocated. */
};

#define BYTES_INIT { NULL, 0, 0 }

/* Prepares an empty buffer; releases its memory; empties it and keeps the memory. */
void bytes_init(struct bytes *b);
void bytes_uninit(struct bytes *b);
void bytes_clear(struct bytes *b);

/* Makes sure that 'n' more bytes can be put without moving the data. */
void bytes_reserve(struct bytes *b, size_t n);

/* Appends 'n' uninitialised (or zero, or given) bytes and returns their address. */
static inline void *
bytes_put_uninit(struct bytes *b, size_t n)
{
    void *p;

    if (UNLIKELY(b->capacity - b->len < n || !b->data)) {
        bytes_reserve(b, MAX(n, 1));
    }
    p = b->data + b->len;
    b->len += n;
    return p;
}

static inline void *
bytes_put_zeros(struct bytes *b, size_t n)
{
    return memset(bytes_put_uninit(b, n), 0, n);
}

static inline void *
bytes_put(struct bytes *b, const void *p, size_t n)
{
    void *to = bytes_put_uninit(b, n);

    if (n) {
        memcpy(to, p, n);
    }
    return to;
}

/* Append integers; be* converts from host order. */
static inline void
bytes_put_u8(struct bytes *b, uint8_t v)
{
    *(uint8_t *) bytes_put_uninit(b, 1) = v;
}

static inline void
bytes_put_be16(struct bytes *b, uint16_t v)
{
    put_be16(bytes_put_uninit(b, sizeof v), v);
}

static inline void
bytes_put_be32(struct bytes *b, uint32_t v)
{
    put_be32(bytes_put_uninit(b, sizeof v), v);
}

static inline void
bytes_put_be64(struct bytes *b, uint64_t v)
{
    put_be64(bytes_put_uninit(b, sizeof v), v);
}

/* Appends zeros until the length, counted from 'start', is a multiple of 'align'. */
void bytes_pad_from(struct bytes *b, size_t start, size_t align);

/* Cuts the buffer to its first 'len' bytes. */
void bytes_truncate(struct bytes *b, size_t len);

/* Removes the first 'n' bytes, moving the rest down. */
void bytes_pull(struct bytes *b, size_t n);

/* The byte at 'offset', which must be inside. */
static inline void *
bytes_at(const struct bytes *b, size_t offset)
{
    return b->data + offset;
}

/* Takes over the data, to be released with free() (null if empty), and leaves 'b' empty. */
uint8_t *bytes_steal(struct bytes *b) MUST_CHECK;

struct cursor {
    const uint8_t *at; /* Next byte to read. */
    size_t left;       /* Bytes from 'at' to the end. */
};

static inline struct cursor
cursor_make(const void *p, size_t n)
{
    return (struct cursor) { p, n };
}

/* Takes the next 'n' bytes; null if fewer are left. */
static inline const void *
cursor_take(struct cursor *c, size_t n)
{
    const uint8_t *p = c->at;

    if (UNLIKELY(n > c->left)) {
        return NULL;
    }
    c->at += n;
    c->left -= n;
    return p;
}

/* Takes an integer into '*v', converted to host order; false if too few bytes are left. */
static inline MUST_CHECK bool
cursor_take_u8(struct cursor *c, uint8_t *v)
{
    const uint8_t *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = *p;
    }
    return p != NULL;
}

static inline MUST_CHECK bool
cursor_take_be16(struct cursor *c, uint16_t *v)
{
    const void *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = get_be16(p);
    }
    return p != NULL;
}

static inline MUST_CHECK bool
cursor_take_be32(struct cursor *c, uint32_t *v)
{
    const void *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = get_be32(p);
    }
    return p != NULL;
}

static inline MUST_CHECK bool
cursor_take_be64(struct cursor *c, uint64_t *v)
{
    const void *p = cursor_take(c, sizeof *v);

    if (p) {
        *v = get_be64(p);
    }
    return p != NULL;
}

/* Takes 'n' bytes as a cursor of their own into '*sub'; false if fewer are left. */
bool cursor_take_sub(struct cursor *c, size_t n, struct cursor *sub) MUST_CHECK;

/* Reads hexadecimal digits (white space between bytes allowed) from 'text' into 'b' until the end or another
 * character; returns the first character not used.  An odd digit is not used. */
const char *bytes_put_from_hex(struct bytes *b, const char *text);

#endif
