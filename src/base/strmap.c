#include "base/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void
strmap_init(struct strmap *m)
{
    hmap_init(&m->map);
}

static void
strmap_release(struct strmap *m, void (*free_value)(void *))
{
    HMAP_FOR_EACH_SAFE (e, struct strmap_entry, node, &m->map) {
        if (free_value) {
            free_value(e->value);
        }
        free(e->key);
        free(e);
    }
    hmap_uninit(&m->map);
}

void
strmap_uninit(struct strmap *m)
{
    strmap_release(m, NULL);
}

void
strmap_uninit_free(struct strmap *m)
{
    strmap_release(m, free);
}

struct strmap_entry *
strmap_find(const struct strmap *m, const char *key)
{
    HMAP_FOR_EACH_WITH_HASH (e, struct strmap_entry, node, hash_string(key, 0), &m->map) {
        if (!strcmp(e->key, key)) {
            return e;
        }
    }
    return NULL;
}

void *
strmap_get(const struct strmap *m, const char *key)
{
    struct strmap_entry *e = strmap_find(m, key);

    return e ? e->value : NULL;
}

void *
strmap_put(struct strmap *m, const char *key, void *value)
{
    struct strmap_entry *e = strmap_find(m, key);
    void *old = NULL;

    if (!e) {
        e = xmalloc(sizeof *e);
        e->key = xstrdup(key);
        hmap_insert(&m->map, &e->node, hash_string(key, 0));
    } else {
        old = e->value;
    }
    e->value = value;
    return old;
}

void
strmap_put_free(struct strmap *m, const char *key, void *value)
{
    free(strmap_put(m, key, value));
}

void *
strmap_remove(struct strmap *m, const char *key)
{
    struct strmap_entry *e = strmap_find(m, key);
    void *value = NULL;

    if (e) {
        value = e->value;
        hmap_remove(&m->map, &e->node);
        free(e->key);
        free(e);
    }
    return value;
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct strmap_entry *const *a = a_, *const *b = b_;

    return strcmp((*a)->key, (*b)->key);
}

struct strmap_entry **
strmap_sorted(const struct strmap *m)
{
    struct strmap_entry **all = xcalloc(strmap_count(m), sizeof *all);
    size_t n = 0;

    STRMAP_FOR_EACH (e, m) {
        all[n++] = e;
    }
    qsort(all, n, sizeof *all, compare_entries);
    return all;
}
