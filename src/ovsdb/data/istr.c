#include "ovsdb/data/istr.h"

#include <stdlib.h>

#include "base/hash.h"

/* A string is in the first free place at or behind that of its hash.  A hash of 0: free; no string has that. */
static struct istr **strings;
static uint32_t *hashes;
static size_t mask; /* Places less one; they are a power of two. */
static size_t n_strings, total_bytes;

static inline uint32_t
hash_text(const char *text, size_t len)
{
    uint32_t hash = hash_bytes(text, len, 0);

    return hash ? hash : 1;
}

/* The place of the string, or the free one where it would go. */
static inline size_t
find(const char *text, size_t len, uint32_t hash)
{
    size_t i;

    for (i = hash & mask; hashes[i]; i = (i + 1) & mask) {
        if (hashes[i] == hash && strings[i]->len == len && !memcmp(strings[i]->text, text, len)) {
            break;
        }
    }
    return i;
}

static void
put(struct istr **to, uint32_t *to_hashes, size_t to_mask, struct istr *s, uint32_t hash)
{
    size_t i = hash & to_mask;

    while (to_hashes[i]) {
        i = (i + 1) & to_mask;
    }
    to[i] = s;
    to_hashes[i] = hash;
}

static void
resize(size_t n_places)
{
    struct istr **to = xcalloc(n_places, sizeof *to);
    uint32_t *to_hashes = xcalloc(n_places, sizeof *to_hashes);

    for (size_t i = 0; strings && i <= mask; i++) {
        if (hashes[i]) {
            put(to, to_hashes, n_places - 1, strings[i], hashes[i]);
        }
    }
    free(strings);
    free(hashes);
    strings = to;
    hashes = to_hashes;
    mask = n_places - 1;
}

struct istr *
istr_make(const char *text, size_t len)
{
    uint32_t hash = hash_text(text, len);
    struct istr *s;
    size_t i;

    if (!strings || n_strings * 3 > mask * 2) {
        resize(strings ? 2 * (mask + 1) : 64);
    }
    i = find(text, len, hash);
    if (hashes[i]) {
        return istr_ref(strings[i]);
    }
    s = xmalloc(sizeof *s + len + 1);
    s->hash = hash;
    s->refs = 1;
    s->len = len;
    memcpy(s->text, text, len);
    s->text[len] = '\0';
    strings[i] = s;
    hashes[i] = hash;
    n_strings++;
    total_bytes += sizeof *s + len + 1;
    return s;
}

const struct istr *
istr_find(const char *text, size_t len)
{
    size_t i = strings ? find(text, len, hash_text(text, len)) : 0;

    return strings && hashes[i] ? strings[i] : NULL;
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

/* Frees place 'i'; strings behind it that would not be found any more move up. */
static void
vacate(size_t i)
{
    size_t next = i;

    for (;;) {
        size_t home;

        next = (next + 1) & mask;
        if (!hashes[next]) {
            break;
        }
        home = hashes[next] & mask;
        if (((next - home) & mask) >= ((next - i) & mask)) {
            strings[i] = strings[next];
            hashes[i] = hashes[next];
            i = next;
        }
    }
    hashes[i] = 0;
}

void
istr_free(struct istr *s)
{
    size_t i = s->hash & mask;

    while (strings[i] != s) {
        i = (i + 1) & mask;
    }
    vacate(i);
    n_strings--;
    total_bytes -= sizeof *s + s->len + 1;
    free(s);
    if (mask > 1024 && n_strings * 8 < mask) {
        resize((mask + 1) / 2);
    }
}

size_t
istr_count(size_t *n_bytes)
{
    *n_bytes = total_bytes;
    return n_strings;
}
