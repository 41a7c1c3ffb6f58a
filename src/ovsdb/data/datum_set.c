#include "ovsdb/data/datum.h"

#include <limits.h>

/* Datums as sets: inclusion, union, subtraction, differences. */

/* From this many elements on, set operations build a new array instead of changing one element at a time. */
#define BULK 8

/* Whether element 'i' of 'a' is in 'b'. */
static bool
has_element(const struct datum *b, const struct datum *a, size_t i, const struct col_type *type)
{
    unsigned at = datum_find(b, &datum_keys(a)[i], type->key.type);

    return at != UINT_MAX && (!type_is_map(type)
                              || atom_equal(&datum_values(b)[at], &datum_values(a)[i], type->value.type));
}

bool
datum_includes(const struct datum *b, const struct datum *a, const struct col_type *type)
{
    if (a->n > b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (!has_element(b, a, i, type)) {
            return false;
        }
    }
    return true;
}

bool
datum_excludes(const struct datum *b, const struct datum *a, const struct col_type *type)
{
    for (size_t i = 0; i < a->n; i++) {
        if (has_element(b, a, i, type)) {
            return false;
        }
    }
    return true;
}

/* --- Union and subtraction --- */

/* Appends a copy of element 'i' of 'from'. */
static void
append_copy(struct datum *to, const struct datum *from, size_t i, const struct col_type *type)
{
    union atom value;

    if (type_is_map(type)) {
        value = atom_clone(&datum_values(from)[i], type->value.type);
    }
    datum_append_take(to, type, atom_clone(&datum_keys(from)[i], type->key.type), type_is_map(type) ? &value : NULL);
}

/* A union for many elements: one merge of the two arrays. */
static void
merge_union(struct datum *a, const struct datum *b, const struct col_type *type, bool replace)
{
    struct datum r;
    size_t i = 0, j = 0;

    datum_init_empty(&r);
    datum_reserve(&r, type, a->n + b->n);
    while (i < a->n || j < b->n) {
        int cmp = i >= a->n ? 1 : j >= b->n ? -1
                  : atom_compare(&datum_keys(a)[i], &datum_keys(b)[j], type->key.type);

        append_copy(&r, cmp < 0 || (!cmp && !replace) ? a : b, cmp < 0 || (!cmp && !replace) ? i : j, type);
        i += cmp <= 0;
        j += cmp >= 0;
    }
    datum_take(a, &r, type);
}

void
datum_union(struct datum *a, const struct datum *b, const struct col_type *type, bool replace)
{
    if (b->n >= BULK) {
        merge_union(a, b, type, replace);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        const union atom *key = &datum_keys(b)[i];

        if ((replace && type_is_map(type)) || datum_find(a, key, type->key.type) == UINT_MAX) {
            union atom value = { .integer = 0 };

            if (type_is_map(type)) {
                value = atom_clone(&datum_values(b)[i], type->value.type);
            }
            datum_put_take(a, type, atom_clone(key, type->key.type), &value);
        }
    }
}

/* Whether subtracting 'b' removes element 'i' of 'a'. */
static bool
subtracts(const struct datum *a, const struct col_type *a_type, size_t i, const struct datum *b, bool b_is_map)
{
    unsigned at = datum_find(b, &datum_keys(a)[i], a_type->key.type);

    return at != UINT_MAX && (!b_is_map || atom_equal(&datum_values(a)[i], &datum_values(b)[at],
                                                      a_type->value.type));
}

void
datum_subtract(struct datum *a, const struct col_type *a_type, const struct datum *b, const struct col_type *b_type)
{
    bool b_is_map = type_is_map(b_type);

    if (b->n >= BULK) {
        struct datum r;

        datum_init_empty(&r);
        for (size_t i = 0; i < a->n; i++) {
            if (!subtracts(a, a_type, i, b, b_is_map)) {
                append_copy(&r, a, i, a_type);
            }
        }
        datum_take(a, &r, a_type);
        return;
    }
    for (size_t j = 0; j < b->n; j++) {
        unsigned i = datum_find(a, &datum_keys(b)[j], a_type->key.type);

        if (i != UINT_MAX && subtracts(a, a_type, i, b, b_is_map)) {
            datum_remove_at(a, a_type, i);
        }
    }
}

/* --- Differences --- */

/* Walks the keys of 'a' and 'b' together, calling 'cb' with the position in each (SIZE_MAX: not there). */
static void
walk_both(const struct datum *a, const struct datum *b, const struct col_type *type,
          void (*cb)(void *aux, size_t in_a, size_t in_b), void *aux)
{
    const union atom *ka = datum_keys(a), *kb = datum_keys(b);
    size_t i = 0, j = 0;

    while (i < a->n || j < b->n) {
        int cmp = i >= a->n ? 1 : j >= b->n ? -1 : atom_compare(&ka[i], &kb[j], type->key.type);

        cb(aux, cmp <= 0 ? i : SIZE_MAX, cmp >= 0 ? j : SIZE_MAX);
        i += cmp <= 0;
        j += cmp >= 0;
    }
}

struct diff_walk {
    const struct datum *old, *new;
    const struct col_type *type;
    struct datum *added, *removed; /* The same for a difference. */
    bool is_diff;
};

static bool
values_differ(const struct diff_walk *w, size_t in_old, size_t in_new)
{
    return type_is_map(w->type) && !atom_equal(&datum_values(w->old)[in_old], &datum_values(w->new)[in_new],
                                               w->type->value.type);
}

static void
diff_step(void *w_, size_t in_old, size_t in_new)
{
    struct diff_walk *w = w_;

    if (in_old == SIZE_MAX) {
        append_copy(w->added, w->new, in_new, w->type);
    } else if (in_new == SIZE_MAX) {
        append_copy(w->removed, w->old, in_old, w->type);
    } else if (values_differ(w, in_old, in_new)) {
        append_copy(w->added, w->new, in_new, w->type);
        if (!w->is_diff) {
            append_copy(w->removed, w->old, in_old, w->type);
        }
    }
}

void
datum_diff(struct datum *diff, const struct datum *old, const struct datum *new, const struct col_type *type)
{
    datum_init_empty(diff);
    if (type->n_max == 1) {
        datum_clone(diff, new, type);
    } else {
        struct diff_walk w = { old, new, type, diff, diff, true };

        walk_both(old, new, type, diff_step, &w);
    }
}

void
datum_added_removed(struct datum *added, struct datum *removed, const struct datum *old, const struct datum *new,
                    const struct col_type *type)
{
    struct diff_walk w = { old, new, type, added, removed, false };

    datum_init_empty(added);
    datum_init_empty(removed);
    if (!(old->in_block && new->in_block && old->block == new->block)) {
        walk_both(old, new, type, diff_step, &w);
    }
}

static void
apply_step(void *w_, size_t in_old, size_t in_diff)
{
    struct diff_walk *w = w_; /* 'new' is the difference, 'added' the result. */

    if (in_old == SIZE_MAX) {
        append_copy(w->added, w->new, in_diff, w->type);
    } else if (in_diff == SIZE_MAX) {
        append_copy(w->added, w->old, in_old, w->type);
    } else if (values_differ(w, in_old, in_diff)) {
        append_copy(w->added, w->new, in_diff, w->type);
    }
}

void
datum_apply_diff(struct datum *result, const struct datum *old, const struct datum *diff, const struct col_type *type)
{
    datum_init_empty(result);
    if (type->n_max == 1) {
        datum_clone(result, diff, type);
    } else if (diff->n < BULK) {
        /* A small difference to a large set: change it in place. */
        datum_clone(result, old, type);
        for (size_t i = 0; i < diff->n; i++) {
            const union atom *key = &datum_keys(diff)[i];
            unsigned at = datum_find(result, key, type->key.type);

            if (at != UINT_MAX && (!type_is_map(type) || atom_equal(&datum_values(result)[at], &datum_values(diff)[i],
                                                                    type->value.type))) {
                datum_remove_at(result, type, at);
            } else {
                union atom value = { .integer = 0 };

                if (type_is_map(type)) {
                    value = atom_clone(&datum_values(diff)[i], type->value.type);
                }
                datum_put_take(result, type, atom_clone(key, type->key.type), &value);
            }
        }
    } else {
        struct diff_walk w = { old, diff, type, result, NULL, true };

        datum_reserve(result, type, old->n);
        walk_both(old, diff, type, apply_step, &w);
    }
}
