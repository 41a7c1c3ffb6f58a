/* A datum: the value of one column in one row, a set or a map of atoms, sorted by key and without duplicates.
 *
 * How it works
 * ------------
 * A set of at most one element lies in the datum itself.  Anything else lies in a counted block: the keys, then (for
 * maps) the values.  Copying a datum shares the block; a function that changes a datum makes its own copy of a shared
 * block first, so a copy never sees the change (copy on write).  Read through datum_keys() and datum_values().
 *
 * A datum does not know its type; functions that need it take a 'struct col_type', or just the atom types.
 *
 * Differences (as logs and "modify" updates hold them): for columns with at most one element the new value; for sets
 * the elements in exactly one of old and new; for maps the pairs whose key is in exactly one of them, and the new pair
 * where only the value changed.
 *
 * Threads: one at a time (the counts are plain). */
#ifndef OVSDB_DATA_DATUM_H
#define OVSDB_DATA_DATUM_H 1

#include "ovsdb/data/type.h"

struct datum_block {
    uint32_t refs;
    uint32_t capacity; /* Keys that fit; as many values follow them if it is a map. */
    union atom atoms[];
};

struct datum {
    uint32_t n;    /* Elements. */
    bool in_block; /* 'block' is in use, else 'one' (if n == 1). */
    union {
        union atom one;
        struct datum_block *block;
    };
};

/* The elements in order, 'n' of each; for reading. */
static inline const union atom *
datum_keys(const struct datum *d)
{
    return d->in_block ? d->block->atoms : &d->one;
}

/* Only for maps. */
static inline const union atom *
datum_values(const struct datum *d)
{
    return d->in_block ? d->block->atoms + d->block->capacity : NULL;
}

/* The empty set or map. */
static inline void datum_init_empty(struct datum *d) { *d = (struct datum) { .n = 0 }; }

/* A set of one element, taking over the atom. */
static inline struct datum datum_one_take(union atom a) { return (struct datum) { .n = 1, .one = a }; }

/* The default of 'type': empty if it may be, else one default atom (or pair). */
void datum_init_default(struct datum *d, const struct col_type *type);
bool datum_is_default(const struct datum *d, const struct col_type *type);

/* A copy that shares the block; datum_uninit() drops it. */
void datum_clone(struct datum *dst, const struct datum *src, const struct col_type *type);
void datum_uninit(struct datum *d, const struct col_type *type);

static inline void
datum_swap(struct datum *a, struct datum *b)
{
    struct datum t = *a;

    *a = *b;
    *b = t;
}

/* Replaces '*d' by '*with', which becomes empty. */
void datum_take(struct datum *d, struct datum *with, const struct col_type *type);

/* Appends an element without keeping order; takes over the atoms ('value' null for sets).  datum_sort() must follow
 * before anything else reads the datum. */
void datum_append_take(struct datum *d, const struct col_type *type, union atom key, const union atom *value);

/* Makes room for 'n' elements. */
void datum_reserve(struct datum *d, const struct col_type *type, size_t n);

/* Sorts, and drops elements that are there twice: both of them. */
void datum_sort_paired(struct datum *d, const struct col_type *type);
/* Sorts, and fails ("ovsdb error", "set contains duplicate") on duplicate keys.  datum_sort_unique() drops the later
 * duplicates instead and returns how many there were. */
struct dberr *datum_sort(struct datum *d, const struct col_type *type) MUST_CHECK;
size_t datum_sort_unique(struct datum *d, const struct col_type *type);

/* Adds, replaces or removes one element in its place.  datum_put_take() takes over the atoms; an existing key keeps
 * its place and gets the new value.  Return whether the datum changed. */
bool datum_put_take(struct datum *d, const struct col_type *type, union atom key, const union atom *value);
bool datum_remove(struct datum *d, const struct col_type *type, const union atom *key);
void datum_remove_at(struct datum *d, const struct col_type *type, size_t i);

/* The position of 'key', or UINT_MAX. */
unsigned datum_find(const struct datum *d, const union atom *key, enum atom_type key_type);
/* The value of a string key in a string-to-string map; null if there is none. */
const char *datum_map_get(const struct datum *d, const char *key);

/* Total order: by number of elements, then keys, then values. */
int datum_compare(const struct datum *a, const struct datum *b, const struct col_type *type);
bool datum_equal(const struct datum *a, const struct datum *b, const struct col_type *type);
uint32_t datum_hash(const struct datum *d, const struct col_type *type, uint32_t basis);

/* Whether all (none) of the elements of 'a' are in 'b'; pairs must be equal in both key and value. */
bool datum_includes(const struct datum *b, const struct datum *a, const struct col_type *type);
bool datum_excludes(const struct datum *b, const struct datum *a, const struct col_type *type);

/* a := a + b.  Pairs whose key exists are left alone, or replaced with 'replace'. */
void datum_union(struct datum *a, const struct datum *b, const struct col_type *type, bool replace);
/* a := a - b.  'b' may be a set of keys where 'a' is a map ('b_type' says what it is); pairs of a map 'b' remove only
 * equal pairs. */
void datum_subtract(struct datum *a, const struct col_type *a_type, const struct datum *b,
                    const struct col_type *b_type);

/* Sets '*diff' to the difference, as in the essay above. */
void datum_diff(struct datum *diff, const struct datum *old, const struct datum *new, const struct col_type *type);
/* Sets '*result' to 'old' changed by 'diff'. */
void datum_apply_diff(struct datum *result, const struct datum *old, const struct datum *diff,
                      const struct col_type *type);
/* The elements of 'new' that are not in 'old', and of 'old' that are not in 'new', by key and value. */
void datum_added_removed(struct datum *added, struct datum *removed, const struct datum *old, const struct datum *new,
                         const struct col_type *type);

/* Checks every element and the number of elements against 'type' ("constraint violation"). */
struct dberr *datum_check(const struct datum *d, const struct col_type *type) MUST_CHECK;

/* JSON.  datum_from_json() checks everything; 'symtab' (null: none allowed) resolves "named-uuid".  The _loose form
 * ignores the number of elements and the constraints of atoms: for reading what was checked before.  The _diff form is
 * the same for differences between sets; of reals that were rounded to the same, one was removed and one added, so
 * that they are no difference any more. */
struct dberr *datum_from_json(struct datum *d, const struct col_type *type, const struct json *json,
                              struct symtab *symtab) MUST_CHECK;
struct dberr *datum_from_json_loose(struct datum *d, const struct col_type *type, const struct json *json,
                                    struct symtab *symtab) MUST_CHECK;
struct dberr *datum_from_json_diff(struct datum *d, const struct col_type *type, const struct json *json) MUST_CHECK;
struct json *datum_to_json(const struct datum *d, const struct col_type *type) MUST_CHECK;
/* Appends compact JSON text; the second with reals as atom_put_json_exact() has them. */
void datum_put_json(struct str *s, const struct datum *d, const struct col_type *type);
void datum_put_json_exact(struct str *s, const struct datum *d, const struct col_type *type);

/* Reads one atom; fails with the error of the constraint that it breaks. */
struct dberr *atom_from_json(union atom *a, const struct base_type *base, const struct json *json,
                             struct symtab *symtab) MUST_CHECK;

/* Approximate heap bytes. */
size_t datum_memory(const struct datum *d, const struct col_type *type);

#endif
