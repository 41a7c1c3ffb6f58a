#include "ovsdb/data/istr.h"

#include <stdlib.h>

#include "base/hash.h"

static struct hmap strings = HMAP_INIT(&strings);
static size_t total_bytes;

static struct istr *
find(const char *text, size_t len, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (s, struct istr, node, hash, &strings) {
        if (s->len == len && !memcmp(s->text, text, len)) {
            return s;
        }
    }
    return NULL;
}

struct istr *
istr_make(const char *text, size_t len)
{
    uint32_t hash = hash_bytes(text, len, 0);
    struct istr *s = find(text, len, hash);

    if (s) {
        return istr_ref(s);
    }
    s = xmalloc(sizeof *s + len + 1);
    s->refs = 1;
    s->len = len;
    memcpy(s->text, text, len);
    s->text[len] = '\0';
    hmap_insert(&strings, &s->node, hash);
    total_bytes += sizeof *s + len + 1;
    return s;
}

const struct istr *
istr_find(const char *text, size_t len)
{
    return find(text, len, hash_bytes(text, len, 0));
}

struct istr *
istr_empty(void)
{
    static struct istr *empty;

    if (!empty) {
        empty = istr_make("", 0);
    }
    return empty;
}

void
istr_unref(struct istr *s)
{
    if (s && !--s->refs) {
        hmap_remove(&strings, &s->node);
        total_bytes -= sizeof *s + s->len + 1;
        free(s);
    }
}

size_t
istr_count(size_t *n_bytes)
{
    *n_bytes = total_bytes;
    return hmap_count(&strings);
}
