/* Types of columns (RFC 7047 section 3.2): a base type for keys, perhaps one for values, and how many elements.
 *
 * A base type is an atom type with constraints.  A set has the value type void; a scalar is a set of exactly one.
 * Base types and column types own their enumeration and their names. */
#ifndef OVSDB_DATA_TYPE_H
#define OVSDB_DATA_TYPE_H 1

#include "ovsdb/data/atom.h"

struct datum;
struct table_schema;

enum ref_type { REF_STRONG, REF_WEAK };

struct base_type {
    enum atom_type type;
    struct datum *enum_; /* Set of the allowed values; null if any is. */
    union {
        struct { int64_t min, max; } integer;
        struct { double min, max; } real;        /* -DBL_MAX, DBL_MAX if there is no limit. */
        struct { unsigned min, max; } string;    /* Lengths in Unicode characters; UINT_MAX: no limit. */
        struct {
            char *ref_table;                     /* Name; null if this is no reference. */
            struct table_schema *ref;            /* Set by schema parsing; null elsewhere. */
            enum ref_type ref_type;
        } uuid;
    };
};

#define TYPE_UNLIMITED UINT32_MAX

struct col_type {
    struct base_type key;
    struct base_type value; /* Void for a set. */
    uint32_t n_min;         /* 0 or 1. */
    uint32_t n_max;         /* TYPE_UNLIMITED: no limit. */
};

/* A base type without constraints. */
void base_type_init(struct base_type *b, enum atom_type t);
void base_type_clone(struct base_type *dst, const struct base_type *src);
void base_type_uninit(struct base_type *b);
/* Whether there is any constraint but a reference. */
bool base_type_has_constraints(const struct base_type *b);
bool base_type_equal(const struct base_type *a, const struct base_type *b);

static inline bool base_is_ref(const struct base_type *b) { return b->type == ATOM_UUID && b->uuid.ref_table; }
static inline bool
base_is_strong(const struct base_type *b)
{
    return base_is_ref(b) && b->uuid.ref_type == REF_STRONG;
}
static inline bool
base_is_weak(const struct base_type *b)
{
    return base_is_ref(b) && b->uuid.ref_type == REF_WEAK;
}

/* Checks one atom against the constraints ("constraint violation"). */
struct dberr *base_type_check(const struct base_type *b, const union atom *a) MUST_CHECK;

/* JSON form.  On error '*b' is initialised and need not be released. */
struct dberr *base_type_from_json(struct base_type *b, const struct json *json) MUST_CHECK;
struct json *base_type_to_json(const struct base_type *b) MUST_CHECK;

/* A scalar of type 't' without constraints. */
void col_type_init_scalar(struct col_type *c, enum atom_type t);
void col_type_clone(struct col_type *dst, const struct col_type *src);
void col_type_uninit(struct col_type *c);
bool col_type_equal(const struct col_type *a, const struct col_type *b);

struct dberr *col_type_from_json(struct col_type *c, const struct json *json) MUST_CHECK;
struct json *col_type_to_json(const struct col_type *c) MUST_CHECK;

/* English: "set of up to 3 strings", "map of integer-string pairs, ..."; to be released with free(). */
char *col_type_to_english(const struct col_type *c) MUST_CHECK;

static inline bool type_is_map(const struct col_type *c) { return c->value.type != ATOM_VOID; }
static inline bool
type_is_scalar(const struct col_type *c)
{
    return c->n_min == 1 && c->n_max == 1 && !type_is_map(c);
}
static inline bool type_is_optional(const struct col_type *c) { return !c->n_min; }
/* Not a scalar and not a map. */
static inline bool type_is_set(const struct col_type *c) { return !type_is_map(c) && c->n_max > 1; }
static inline bool
type_is_optional_scalar(const struct col_type *c)
{
    return !type_is_map(c) && !c->n_min && c->n_max == 1;
}
/* Whether the elements can be references. */
static inline bool
type_has_strong(const struct col_type *c)
{
    return base_is_strong(&c->key) || base_is_strong(&c->value);
}
static inline bool type_has_weak(const struct col_type *c) { return base_is_weak(&c->key) || base_is_weak(&c->value); }

#endif
