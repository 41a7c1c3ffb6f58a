#include "ovsdb/data/istr.h"

#include <stdlib.h>

#include "base/hash.h"

/* The table is in parts, chosen by the hash, that grow by themselves and at different times: a single one of millions
 * of strings would take 100 ms for it. */
#define PART_BITS 8
#define N_PARTS (1u << PART_BITS)
#define FIRST_PLACES 16

/* A string is in the first free place at or behind that of its hash.  A hash of 0: free; no string has that. */
static struct part {
    struct istr **strings;
    uint32_t *hashes;
    size_t mask; /* Places less one; they are a power of two. */
    size_t n;
} parts[N_PARTS];

static size_t n_strings, total_bytes;

static inline uint32_t
hash_text(const char *text, size_t len)
{
    uint32_t hash = hash_bytes(text, len, 0);

    return hash ? hash : 1;
}

static inline struct part *
part_of(uint32_t hash)
{
    return &parts[hash >> (32 - PART_BITS)];
}

/* The place of the string, or the free one where it would go. */
static inline size_t
find(const struct part *p, const char *text, size_t len, uint32_t hash)
{
    size_t i;

    for (i = hash & p->mask; p->hashes[i]; i = (i + 1) & p->mask) {
        if (p->hashes[i] == hash && p->strings[i]->len == len && !memcmp(p->strings[i]->text, text, len)) {
            break;
        }
    }
    return i;
}

static void
put(struct part *p, struct istr *s, uint32_t hash)
{
    size_t i = hash & p->mask;

    while (p->hashes[i]) {
        i = (i + 1) & p->mask;
    }
    p->strings[i] = s;
    p->hashes[i] = hash;
}

static void
resize(struct part *p, size_t n_places)
{
    struct part to = { .mask = n_places - 1, .n = p->n };

    to.strings = xcalloc(n_places, sizeof *to.strings);
    to.hashes = xcalloc(n_places, sizeof *to.hashes);
    for (size_t i = 0; p->strings && i <= p->mask; i++) {
        if (p->hashes[i]) {
            put(&to, p->strings[i], p->hashes[i]);
        }
    }
    free(p->strings);
    free(p->hashes);
    *p = to;
}

/* At half to three quarters of the places, each part at another number. */
static bool
is_full(const struct part *p)
{
    return p->n * 4 * N_PARTS > p->mask * (2 * N_PARTS + (size_t) (p - parts));
}

struct istr *
istr_make(const char *text, size_t len)
{
    uint32_t hash = hash_text(text, len);
    struct part *p = part_of(hash);
    struct istr *s;
    size_t i;

    if (is_full(p) || !p->strings) {
        resize(p, p->strings ? 2 * (p->mask + 1) : FIRST_PLACES);
    }
    i = find(p, text, len, hash);
    if (p->hashes[i]) {
        return istr_ref(p->strings[i]);
    }
    s = xmalloc(sizeof *s + len + 1);
    s->hash = hash;
    s->refs = 1;
    s->len = len;
    memcpy(s->text, text, len);
    s->text[len] = '\0';
    p->strings[i] = s;
    p->hashes[i] = hash;
    p->n++;
    n_strings++;
    total_bytes += sizeof *s + len + 1;
    return s;
}

const struct istr *
istr_find(const char *text, size_t len)
{
    uint32_t hash = hash_text(text, len);
    const struct part *p = part_of(hash);
    size_t i = p->strings ? find(p, text, len, hash) : 0;

    return p->strings && p->hashes[i] ? p->strings[i] : NULL;
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
vacate(struct part *p, size_t i)
{
    size_t next = i;

    for (;;) {
        size_t home;

        next = (next + 1) & p->mask;
        if (!p->hashes[next]) {
            break;
        }
        home = p->hashes[next] & p->mask;
        if (((next - home) & p->mask) >= ((next - i) & p->mask)) {
            p->strings[i] = p->strings[next];
            p->hashes[i] = p->hashes[next];
            i = next;
        }
    }
    p->hashes[i] = 0;
}

void
istr_free(struct istr *s)
{
    struct part *p = part_of(s->hash);
    size_t i = s->hash & p->mask;

    while (!p->hashes[i] || p->strings[i] != s) {
        i = (i + 1) & p->mask;
    }
    vacate(p, i);
    p->n--;
    n_strings--;
    total_bytes -= sizeof *s + s->len + 1;
    free(s);
    if (p->mask >= FIRST_PLACES && p->n * 8 < p->mask) {
        resize(p, (p->mask + 1) / 2);
    }
}

size_t
istr_count(size_t *n_bytes)
{
    *n_bytes = total_bytes;
    return n_strings;
}
