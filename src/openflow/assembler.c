#include "openflow/assembler.h"

#include <stdlib.h>

#include "base/hash.h"

void
msg_assembler_init(struct msg_assembler *a, size_t max_bytes)
{
    *a = (struct msg_assembler) { .max_bytes = max_bytes };
    hmap_init(&a->assemblies);
    list_init(&a->in_order);
}

static uint32_t
xid_hash(uint32_t xid)
{
    return hash_u64(xid, 0);
}

static struct assembly *
find(const struct msg_assembler *a, uint32_t xid)
{
    HMAP_FOR_EACH_WITH_HASH (s, struct assembly, by_xid, xid_hash(xid), &a->assemblies) {
        if (s->xid == xid) {
            return s;
        }
    }
    return NULL;
}

static struct assembly *
create(struct msg_assembler *a, const struct msg *m)
{
    struct assembly *s = xzalloc(sizeof *s);

    s->xid = m->xid;
    s->type = m->type;
    s->n_bytes = sizeof *s;
    a->n_bytes += s->n_bytes;
    hmap_insert(&a->assemblies, &s->by_xid, xid_hash(s->xid));
    list_push_back(&a->in_order, &s->in_order);
    return s;
}

/* Nobody finds it any more. */
static void
take_out(struct msg_assembler *a, struct assembly *s)
{
    hmap_remove(&a->assemblies, &s->by_xid);
    list_remove(&s->in_order);
    a->n_bytes -= s->n_bytes;
}

static void
destroy(struct assembly *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        bytes_uninit(&s->parts[i]);
    }
    free(s->parts);
    free(s);
}

void
msg_assembler_uninit(struct msg_assembler *a)
{
    destroy(a->done);
    a->done = NULL;
    HMAP_FOR_EACH_SAFE (s, struct assembly, by_xid, &a->assemblies) {
        take_out(a, s);
        destroy(s);
    }
    hmap_uninit(&a->assemblies);
}

/* Keeps a part, unless there is nothing in it that is not known from the ones before. */
static void
add_part(struct msg_assembler *a, struct assembly *s, const struct msg *m)
{
    struct bytes *part;

    if (s->n && !m->body.left) {
        return;
    }
    if (s->is_empty) {
        bytes_clear(&s->parts[--s->n]);
    }
    if (s->n == s->capacity) {
        s->parts = x2nrealloc(s->parts, &s->capacity, sizeof *s->parts);
    }
    part = &s->parts[s->n++];
    if (!s->is_empty) {
        bytes_init(part);
    }
    bytes_put(part, m->data, m->len);
    s->is_empty = !m->body.left;
    s->n_bytes += sizeof *part + m->len;
    a->n_bytes += sizeof *part + m->len;
}

static bool
has_more(const struct msg *m)
{
    return m->version >= OF13 && m->stat_flags & MSG_STAT_MORE;
}

bool
msg_assembler_takes_empty(const struct msg_assembler *a, const struct msg *m)
{
    return !m->body.left && (has_more(m) || find(a, m->xid));
}

/* The first part stands for all.  If it is empty its length may be wrong. */
static enum ofperr
decode(const struct assembly *s, struct msg *whole)
{
    enum ofperr error = msg_decode(s->parts[0].data, s->parts[0].len, whole);

    return error || s->n == 1 || s->type == MSG_TABLE_FEATURES_REQUEST ? error : OFPERR_OFPBRC_BAD_STAT;
}

bool
msg_assembler_add(struct msg_assembler *a, const struct msg *m, int64_t now, struct msg *whole, enum ofperr *error)
{
    struct assembly *s = find(a, m->xid);
    bool more = has_more(m);

    destroy(a->done);
    a->done = NULL;
    *whole = *m;
    *error = OFPERR_NONE;
    if (!s && !more) {
        return true;
    }
    if (s && s->type != m->type) {
        *error = OFPERR_OFPBRC_BAD_STAT;
        return true;
    }
    if (a->n_bytes + m->len > a->max_bytes) {
        if (s) {
            take_out(a, s);
            destroy(s);
        }
        *error = OFPERR_OFPBRC_MULTIPART_BUFFER_OVERFLOW;
        return true;
    }
    s = s ? s : create(a, m);
    add_part(a, s, m);
    if (more) {
        s->due = now + ASSEMBLER_TIMEOUT_MS;
        list_remove(&s->in_order);
        list_push_back(&a->in_order, &s->in_order);
        return false;
    }
    take_out(a, s);
    a->done = s;
    *error = decode(s, whole);
    return true;
}

static struct assembly *
oldest(const struct msg_assembler *a)
{
    return list_is_empty(&a->in_order) ? NULL : CONTAINER_OF(a->in_order.next, struct assembly, in_order);
}

int64_t
msg_assembler_due(const struct msg_assembler *a)
{
    const struct assembly *s = oldest(a);

    return s ? s->due : INT64_MAX;
}

bool
msg_assembler_give_up(struct msg_assembler *a, int64_t now, struct bytes *part)
{
    struct assembly *s = oldest(a);

    if (!s || s->due > now) {
        return false;
    }
    take_out(a, s);
    *part = s->parts[0];
    bytes_init(&s->parts[0]);
    destroy(s);
    return true;
}
