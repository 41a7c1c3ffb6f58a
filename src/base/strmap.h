/* A table from strings to pointers, with owned keys.
 *
 * The values belong to the caller.  strmap_sorted() gives the entries in strcmp() order, for output.  One thread at a
 * time. */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H 1

#include "base/hmap.h"

struct strmap_entry {
    struct hmap_node node;
    char *key; /* Owned by the table. */
    void *value;
};

struct strmap {
    struct hmap map;
};

#define STRMAP_INIT(M) { HMAP_INIT(&(M)->map) }

void strmap_init(struct strmap *m);
/* Releases the keys and the table; strmap_uninit_free() also calls free() for every value. */
void strmap_uninit(struct strmap *m);
void strmap_uninit_free(struct strmap *m);

/* The entry, or the value, of 'key'; null if there is none. */
struct strmap_entry *strmap_find(const struct strmap *m, const char *key);
void *strmap_get(const struct strmap *m, const char *key);

/* Sets 'key' to 'value' and returns the old value, null if there was none. */
void *strmap_put(struct strmap *m, const char *key, void *value);
/* The same for values that the table's user has from malloc(): the old one is released. */
void strmap_put_free(struct strmap *m, const char *key, void *value);

/* Removes 'key' and returns its value; null if it was not there. */
void *strmap_remove(struct strmap *m, const char *key);

static inline size_t strmap_count(const struct strmap *m) { return m->map.n; }

/* Returns the entries in order of their keys, to be released with free(). */
struct strmap_entry **strmap_sorted(const struct strmap *m) MUST_CHECK;

#define STRMAP_FOR_EACH(VAR, M) HMAP_FOR_EACH (VAR, struct strmap_entry, node, &(M)->map)

#endif
