#include "ovsdb/data/datum.h"

#include <limits.h>
#include <stdlib.h>

#include "base/hash.h"

static union atom *
keys_w(struct datum *d)
{
    return d->in_block ? d->block->atoms : &d->one;
}

static union atom *
values_w(struct datum *d)
{
    return d->in_block ? d->block->atoms + d->block->capacity : NULL;
}

static struct datum_block *
block_alloc(size_t capacity, bool map)
{
    size_t n = map ? 2 * capacity : capacity;
    struct datum_block *b = xmalloc(sizeof *b + n * sizeof b->atoms[0]);

    b->refs = 1;
    b->capacity = capacity;
    return b;
}

static void
copy_atoms(union atom *dst, const union atom *src, size_t n, enum atom_type t)
{
    if (n) {
        memcpy(dst, src, n * sizeof *dst);
    }
    if (t == ATOM_STRING) {
        for (size_t i = 0; i < n; i++) {
            istr_ref(dst[i].string);
        }
    }
}

static void
destroy_atoms(union atom *atoms, size_t n, enum atom_type t)
{
    if (t == ATOM_STRING) {
        for (size_t i = 0; i < n; i++) {
            istr_unref(atoms[i].string);
        }
    }
}

/* Copies the elements of 'd' into 'to', with references of its own if 'd' keeps the old ones. */
static void
fill_block(struct datum_block *to, const struct datum *d, const struct col_type *type, bool keeps)
{
    copy_atoms(to->atoms, datum_keys(d), d->n, keeps ? type->key.type : ATOM_VOID);
    if (type_is_map(type) && d->n) {
        copy_atoms(to->atoms + to->capacity, datum_values(d), d->n, keeps ? type->value.type : ATOM_VOID);
    }
}

/* Gives 'd' a block that nobody shares with room for 'want' elements. */
static void
own_block(struct datum *d, const struct col_type *type, size_t want)
{
    bool shared = d->in_block && d->block->refs > 1;
    struct datum_block *b;
    size_t capacity;

    if (d->in_block && !shared && d->block->capacity >= want) {
        return;
    }
    capacity = want <= d->n ? MAX(d->n, 1) : MAX(want, d->n + d->n / 2);
    b = block_alloc(capacity, type_is_map(type));
    fill_block(b, d, type, shared);
    if (shared) {
        d->block->refs--;
    } else if (d->in_block) {
        free(d->block);
    }
    d->block = b;
    d->in_block = true;
}

void
datum_init_default(struct datum *d, const struct col_type *type)
{
    datum_init_empty(d);
    if (type->n_min) {
        union atom value = atom_default(type->value.type);

        datum_append_take(d, type, atom_default(type->key.type), type_is_map(type) ? &value : NULL);
    }
}

bool
datum_is_default(const struct datum *d, const struct col_type *type)
{
    if (d->n != type->n_min) {
        return false;
    }
    return !d->n || (atom_is_default(datum_keys(d), type->key.type)
                     && (!type_is_map(type) || atom_is_default(datum_values(d), type->value.type)));
}

void
datum_clone(struct datum *dst, const struct datum *src, const struct col_type *type)
{
    *dst = *src;
    if (src->in_block) {
        src->block->refs++;
    } else if (src->n && type->key.type == ATOM_STRING) {
        istr_ref(src->one.string);
    }
}

void
datum_uninit(struct datum *d, const struct col_type *type)
{
    if (!d->in_block) {
        destroy_atoms(&d->one, d->n, type->key.type);
    } else if (!--d->block->refs) {
        destroy_atoms(keys_w(d), d->n, type->key.type);
        destroy_atoms(values_w(d), d->n, type->value.type);
        free(d->block);
    }
    datum_init_empty(d);
}

void
datum_take(struct datum *d, struct datum *with, const struct col_type *type)
{
    datum_uninit(d, type);
    *d = *with;
    datum_init_empty(with);
}

void
datum_reserve(struct datum *d, const struct col_type *type, size_t n)
{
    if (n > 1 || (type_is_map(type) && n)) {
        own_block(d, type, n);
    }
}

void
datum_append_take(struct datum *d, const struct col_type *type, union atom key, const union atom *value)
{
    if (!d->n && !d->in_block && !type_is_map(type)) {
        d->one = key;
        d->n = 1;
        return;
    }
    own_block(d, type, d->n + 1);
    keys_w(d)[d->n] = key;
    if (type_is_map(type)) {
        values_w(d)[d->n] = *value;
    }
    d->n++;
}

/* --- Sorting --- */

struct pair {
    union atom key, value;
};

#define COMPARE_FUNCTION(NAME, TYPE) \
    static int NAME(const void *a, const void *b) { return atom_compare(a, b, TYPE); }
COMPARE_FUNCTION(compare_integers, ATOM_INTEGER)
COMPARE_FUNCTION(compare_reals, ATOM_REAL)
COMPARE_FUNCTION(compare_booleans, ATOM_BOOLEAN)
COMPARE_FUNCTION(compare_strings, ATOM_STRING)
COMPARE_FUNCTION(compare_uuids, ATOM_UUID)

static int (*const compare_functions[ATOM_N_TYPES])(const void *, const void *) = {
    [ATOM_INTEGER] = compare_integers, [ATOM_REAL] = compare_reals, [ATOM_BOOLEAN] = compare_booleans,
    [ATOM_STRING] = compare_strings, [ATOM_UUID] = compare_uuids,
};

static bool
is_sorted(const struct datum *d, enum atom_type t)
{
    const union atom *keys = datum_keys(d);

    for (size_t i = 1; i < d->n; i++) {
        if (atom_compare(&keys[i - 1], &keys[i], t) >= 0) {
            return false;
        }
    }
    return true;
}

/* Sorts the pairs of a map; a pair starts with its key, so the atoms' functions serve. */
static void
sort_pairs(struct datum *d, const struct col_type *type)
{
    union atom *keys = keys_w(d), *values = values_w(d);
    struct pair *pairs = xmalloc(d->n * sizeof *pairs);

    for (size_t i = 0; i < d->n; i++) {
        pairs[i] = (struct pair) { keys[i], values[i] };
    }
    qsort(pairs, d->n, sizeof *pairs, compare_functions[type->key.type]);
    for (size_t i = 0; i < d->n; i++) {
        keys[i] = pairs[i].key;
        values[i] = pairs[i].value;
    }
    free(pairs);
}

/* Sorts, leaving duplicates; returns whether there may be any. */
static bool
sort(struct datum *d, const struct col_type *type)
{
    if (is_sorted(d, type->key.type)) {
        return false;
    }
    own_block(d, type, d->n);
    if (type_is_map(type)) {
        sort_pairs(d, type);
    } else {
        qsort(keys_w(d), d->n, sizeof(union atom), compare_functions[type->key.type]);
    }
    return true;
}

struct dberr *
datum_sort(struct datum *d, const struct col_type *type)
{
    if (sort(d, type) && !is_sorted(d, type->key.type)) {
        return dberr_new("ovsdb error", type_is_map(type) ? "map contains duplicate key" : "set contains duplicate");
    }
    return NULL;
}

void
datum_sort_paired(struct datum *d, const struct col_type *type)
{
    if (sort(d, type)) {
        for (size_t i = 0; i + 1 < d->n;) {
            if (atom_equal(&keys_w(d)[i], &keys_w(d)[i + 1], type->key.type)) {
                datum_remove_at(d, type, i + 1);
                datum_remove_at(d, type, i);
            } else {
                i++;
            }
        }
    }
}

size_t
datum_sort_unique(struct datum *d, const struct col_type *type)
{
    size_t old_n = d->n, n = 0;

    if (sort(d, type)) {
        for (size_t i = 0; i < d->n;) {
            if (i + 1 < d->n && atom_equal(&keys_w(d)[i], &keys_w(d)[i + 1], type->key.type)) {
                datum_remove_at(d, type, i + 1);
            } else {
                i++;
            }
        }
        n = old_n - d->n;
    }
    return n;
}

/* --- One element --- */

/* The position of 'key', or where it would go. */
static size_t
search(const struct datum *d, const union atom *key, enum atom_type t, bool *found)
{
    const union atom *keys = datum_keys(d);
    size_t low = 0, high = d->n;

    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = atom_compare(key, &keys[mid], t);

        if (!cmp) {
            *found = true;
            return mid;
        } else if (cmp < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return low;
}

unsigned
datum_find(const struct datum *d, const union atom *key, enum atom_type key_type)
{
    bool found;
    size_t i = search(d, key, key_type, &found);

    return found ? i : UINT_MAX;
}

const char *
datum_map_get(const struct datum *d, const char *key)
{
    const struct istr *s = istr_find(key, strlen(key));

    for (size_t i = 0; s && i < d->n; i++) {
        if (datum_keys(d)[i].string == s) {
            return datum_values(d)[i].string->text;
        }
    }
    return NULL;
}

static void
insert_at(struct datum *d, const struct col_type *type, size_t at, union atom key, const union atom *value)
{
    size_t tail = (d->n - at) * sizeof key;

    own_block(d, type, d->n + 1);
    memmove(keys_w(d) + at + 1, keys_w(d) + at, tail);
    keys_w(d)[at] = key;
    if (type_is_map(type)) {
        memmove(values_w(d) + at + 1, values_w(d) + at, tail);
        values_w(d)[at] = *value;
    }
    d->n++;
}

/* Replaces the value at 'at'; takes over '*value'. */
static bool
replace_value(struct datum *d, const struct col_type *type, size_t at, union atom value)
{
    bool same = atom_equal(&datum_values(d)[at], &value, type->value.type);

    own_block(d, type, d->n);
    atom_destroy(&values_w(d)[at], type->value.type);
    values_w(d)[at] = value;
    return !same;
}

bool
datum_put_take(struct datum *d, const struct col_type *type, union atom key, const union atom *value)
{
    bool found;
    size_t at = search(d, &key, type->key.type, &found);

    if (!found) {
        if (!d->n && !d->in_block && !type_is_map(type)) {
            d->one = key;
            d->n = 1;
        } else {
            insert_at(d, type, at, key, value);
        }
        return true;
    }
    atom_destroy(&key, type->key.type);
    return type_is_map(type) && replace_value(d, type, at, *value);
}

void
datum_remove_at(struct datum *d, const struct col_type *type, size_t i)
{
    size_t tail = (d->n - i - 1) * sizeof(union atom);

    if (d->in_block) {
        own_block(d, type, d->n);
    }
    atom_destroy(&keys_w(d)[i], type->key.type);
    if (type_is_map(type)) {
        atom_destroy(&values_w(d)[i], type->value.type);
        memmove(values_w(d) + i, values_w(d) + i + 1, tail);
    }
    memmove(keys_w(d) + i, keys_w(d) + i + 1, tail);
    d->n--;
}

bool
datum_remove(struct datum *d, const struct col_type *type, const union atom *key)
{
    bool found;
    size_t at = search(d, key, type->key.type, &found);

    if (found) {
        datum_remove_at(d, type, at);
    }
    return found;
}

/* --- Comparing --- */

static int
compare_atoms(const union atom *a, const union atom *b, size_t n, enum atom_type t)
{
    int cmp = 0;

    for (size_t i = 0; i < n && !cmp; i++) {
        cmp = atom_compare(&a[i], &b[i], t);
    }
    return cmp;
}

int
datum_compare(const struct datum *a, const struct datum *b, const struct col_type *type)
{
    int cmp;

    if (a->n != b->n) {
        return a->n < b->n ? -1 : 1;
    }
    if (a->in_block && b->in_block && a->block == b->block) {
        return 0;
    }
    cmp = compare_atoms(datum_keys(a), datum_keys(b), a->n, type->key.type);
    return cmp || !type_is_map(type) ? cmp
           : compare_atoms(datum_values(a), datum_values(b), a->n, type->value.type);
}

bool
datum_equal(const struct datum *a, const struct datum *b, const struct col_type *type)
{
    return a->n == b->n && !datum_compare(a, b, type);
}

uint32_t
datum_hash(const struct datum *d, const struct col_type *type, uint32_t basis)
{
    basis = hash_u32(d->n, basis);
    for (size_t i = 0; i < d->n; i++) {
        basis = atom_hash(&datum_keys(d)[i], type->key.type, basis);
        if (type_is_map(type)) {
            basis = atom_hash(&datum_values(d)[i], type->value.type, basis);
        }
    }
    return basis;
}

/* --- Constraints --- */

static struct dberr *
check_atoms(const union atom *atoms, size_t n, const struct base_type *base)
{
    struct dberr *e = NULL;

    for (size_t i = 0; i < n && !e; i++) {
        e = base_type_check(base, &atoms[i]);
    }
    return e;
}

struct dberr *
datum_check(const struct datum *d, const struct col_type *type)
{
    struct dberr *e = NULL;

    if (d->n < type->n_min || d->n > type->n_max) {
        char *english = col_type_to_english(type);

        e = dberr_new(DBERR_CONSTRAINT, "Attempted to store %u elements in %s.", d->n, english);
        free(english);
    }
    if (!e && base_type_has_constraints(&type->key)) {
        e = check_atoms(datum_keys(d), d->n, &type->key);
    }
    if (!e && base_type_has_constraints(&type->value)) {
        e = check_atoms(datum_values(d), d->n, &type->value);
    }
    return e;
}

size_t
datum_memory(const struct datum *d, const struct col_type *type)
{
    size_t n = d->in_block ? d->block->capacity : 0;

    return d->in_block ? sizeof *d->block + (type_is_map(type) ? 2 : 1) * n * sizeof(union atom) : 0;
}
