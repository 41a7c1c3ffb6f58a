#include <stdlib.h>

#include "openflow/action/action.h"

void
act_buf_init(struct act_buf *b)
{
    bytes_init(&b->bytes);
}

void
act_buf_uninit(struct act_buf *b)
{
    bytes_uninit(&b->bytes);
}

void
act_buf_clear(struct act_buf *b)
{
    bytes_clear(&b->bytes);
}

struct act_span
act_buf_span(const struct act_buf *b)
{
    return (struct act_span) { b->bytes.len ? (const void *) b->bytes.data : NULL, b->bytes.len };
}

struct act_span
act_buf_steal(struct act_buf *b)
{
    struct act_span s = act_buf_span(b);

    if (s.len) {
        s.first = (void *) bytes_steal(&b->bytes);
    }
    bytes_clear(&b->bytes);
    return s;
}

size_t
act_open(struct act_buf *b, enum act_type type, size_t len)
{
    size_t ofs = b->bytes.len;
    struct act *a = bytes_put_zeros(&b->bytes, ROUND_UP(len, ACT_ALIGN));

    a->type = type;
    a->len = len;
    return ofs;
}

void *
act_put(struct act_buf *b, enum act_type type, size_t len)
{
    return act_at(b, act_open(b, type, len));
}

/* The padding behind the action becomes part of what is added. */
void *
act_grow(struct act_buf *b, size_t ofs, size_t n)
{
    struct act *a = act_at(b, ofs);
    size_t old_len = a->len;

    bytes_put_zeros(&b->bytes, ROUND_UP(old_len + n, ACT_ALIGN) - (b->bytes.len - ofs));
    a = act_at(b, ofs);
    a->len += n;
    return (char *) a + old_len;
}

void *
act_close(struct act_buf *b, size_t ofs)
{
    struct act *a = act_at(b, ofs);

    a->len = b->bytes.len - ofs;
    return a;
}

void
act_put_span(struct act_buf *b, struct act_span s)
{
    bytes_put(&b->bytes, s.first, s.len);
}

struct act_span
act_span_clone(struct act_span s)
{
    return (struct act_span) { s.len ? xmemdup(s.first, s.len) : NULL, s.len };
}

bool
act_span_equal(struct act_span a, struct act_span b)
{
    return a.len == b.len && (!a.len || !memcmp(a.first, b.first, a.len));
}
