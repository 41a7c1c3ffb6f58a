#include "ovsdb/data/istr.h"

#include <stdlib.h>

#include "base/hash.h"

/* The table is in parts, chosen by the hash, that grow by themselves and at different times: a single one of millions
 * of strings would take 100 ms for it. */
#define PART_BITS 8
#define N_PARTS (1u << PART_BITS)
#define FIRST_PLACES 16

/* A string is in the first free place at or behind that of its hash.  What tells it from others lies in the place, so
 * that a look-up reads one cache line of the table and, of the strings, only the one that it finds. */
struct place {
    struct istr *string;
    uint32_t hash; /* 0: the place is free; no string has that. */
    uint32_t len;
};

static struct part {
    struct place *places;
    size_t mask; /* Places less one; they are a power of two. */
    size_t n;
} parts[N_PARTS];

static size_t n_strings, total_bytes;

/* What was asked for ahead, in order. */
static struct {
    struct { const char *text; uint32_t hash; } texts[16];
    unsigned n, used;
} prefetched;

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
static inline struct place *
find(const struct part *p, const char *text, size_t len, uint32_t hash)
{
    for (size_t i = hash & p->mask;; i = (i + 1) & p->mask) {
        struct place *place = &p->places[i];

        if (!place->hash || (place->hash == hash && place->len == len && !memcmp(place->string->text, text, len))) {
            return place;
        }
    }
}

static void
put(struct part *p, const struct place *from)
{
    size_t i = from->hash & p->mask;

    while (p->places[i].hash) {
        i = (i + 1) & p->mask;
    }
    p->places[i] = *from;
}

static void
resize(struct part *p, size_t n_places)
{
    struct part to = { .mask = n_places - 1, .n = p->n };

    to.places = xcalloc(n_places, sizeof *to.places);
    for (size_t i = 0; p->places && i <= p->mask; i++) {
        if (p->places[i].hash) {
            put(&to, &p->places[i]);
        }
    }
    free(p->places);
    *p = to;
}

/* At half to three quarters of the places, each part at another number. */
static bool
is_full(const struct part *p)
{
    return p->n * 4 * N_PARTS > p->mask * (2 * N_PARTS + (size_t) (p - parts));
}

void
istr_prefetch(const char *text, size_t len)
{
    uint32_t hash = hash_text(text, len);
    const struct part *p = part_of(hash);

    __builtin_prefetch(&p->places[hash & p->mask]);
    if (prefetched.n < ARRAY_SIZE(prefetched.texts)) {
        prefetched.texts[prefetched.n].text = text;
        prefetched.texts[prefetched.n++].hash = hash;
    }
}

void
istr_forget_prefetched(void)
{
    prefetched.n = prefetched.used = 0;
}

static inline uint32_t
known_hash(const char *text, size_t len)
{
    if (prefetched.used < prefetched.n && prefetched.texts[prefetched.used].text == text) {
        return prefetched.texts[prefetched.used++].hash;
    }
    return hash_text(text, len);
}

struct istr *
istr_make(const char *text, size_t len)
{
    uint32_t hash = known_hash(text, len);
    struct part *p = part_of(hash);
    struct place *place;
    struct istr *s;

    if (UNLIKELY(!p->places)) {
        resize(p, FIRST_PLACES);
    }
    place = find(p, text, len, hash);
    if (place->hash) {
        return istr_ref(place->string);
    }
    if (is_full(p)) {
        resize(p, 2 * (p->mask + 1));
        place = find(p, text, len, hash);
    }
    s = xmalloc(sizeof *s + len + 1);
    s->hash = hash;
    s->refs = 1;
    s->len = len;
    memcpy(s->text, text, len);
    s->text[len] = '\0';
    *place = (struct place) { s, hash, len };
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
    const struct place *place = p->places ? find(p, text, len, hash) : NULL;

    return place && place->hash ? place->string : NULL;
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
        if (!p->places[next].hash) {
            break;
        }
        home = p->places[next].hash & p->mask;
        if (((next - home) & p->mask) >= ((next - i) & p->mask)) {
            p->places[i] = p->places[next];
            i = next;
        }
    }
    p->places[i].hash = 0;
}

void
istr_free(struct istr *s)
{
    struct part *p = part_of(s->hash);
    size_t i = s->hash & p->mask;

    while (!p->places[i].hash || p->places[i].string != s) {
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
