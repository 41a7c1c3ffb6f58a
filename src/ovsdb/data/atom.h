/* Atoms: the five kinds of value that OVSDB columns are made of (RFC 7047 section 3.1).
 *
 * An atom is a 16-byte union without a tag; its type comes from the column.  A string atom owns a reference to an
 * interned string, the others own nothing, so copying one means atom_clone() and dropping it atom_destroy().
 *
 * Three text forms: JSON; the "string" form of command lines and tables (ovs-vsctl(8), Database Values); and "bare",
 * which is the same without quotes. */
#ifndef OVSDB_DATA_ATOM_H
#define OVSDB_DATA_ATOM_H 1

#include "base/uuid.h"
#include "ovsdb/data/dberr.h"
#include "ovsdb/data/istr.h"
#include "ovsdb/data/symtab.h"

enum atom_type {
    ATOM_VOID, /* No value: the value type of a set. */
    ATOM_INTEGER,
    ATOM_REAL,
    ATOM_BOOLEAN,
    ATOM_STRING,
    ATOM_UUID,
    ATOM_N_TYPES
};

union atom {
    int64_t integer;
    double real;
    bool boolean;
    struct istr *string; /* Never null in an atom of this type. */
    struct uuid uuid;
};

/* "void", "integer", ... */
const char *atom_type_name(enum atom_type t);
/* False if 'name' is no type ("void" is one only here). */
bool atom_type_from_name(const char *name, enum atom_type *t) MUST_CHECK;
/* Whether the type is referred to by value: everything but strings. */
static inline bool atom_is_plain(enum atom_type t) { return t != ATOM_STRING; }

/* 0, 0.0, false, "", the zero UUID. */
union atom atom_default(enum atom_type t) MUST_CHECK;
bool atom_is_default(const union atom *a, enum atom_type t);

static inline union atom
atom_clone(const union atom *a, enum atom_type t)
{
    if (t == ATOM_STRING) {
        a->string->refs++;
    }
    return *a;
}

static inline void
atom_destroy(union atom *a, enum atom_type t)
{
    if (t == ATOM_STRING) {
        istr_unref(a->string);
    }
}

/* A string atom. */
static inline union atom atom_string(const char *text) { return (union atom) { .string = istr_from(text) }; }
static inline const char *atom_text(const union atom *a) { return a->string->text; }

/* Total order: negative, zero, positive.  Strings in the order of their bytes. */
int atom_compare(const union atom *a, const union atom *b, enum atom_type t);
bool atom_equal(const union atom *a, const union atom *b, enum atom_type t);
uint32_t atom_hash(const union atom *a, enum atom_type t, uint32_t basis);

/* The atom as JSON: a new reference; and appended to 's' as compact JSON text. */
struct json *atom_to_json(const union atom *a, enum atom_type t) MUST_CHECK;
void atom_put_json(struct str *s, const union atom *a, enum atom_type t);
/* The same with as many digits of a real as give the same number again, where clients get 15. */
void atom_put_json_exact(struct str *s, const union atom *a, enum atom_type t);

/* Appends the string form: strings are quoted when they need it (atom_text_needs_quotes()). */
void atom_put_text(struct str *s, const union atom *a, enum atom_type t);
void atom_put_bare(struct str *s, const union atom *a, enum atom_type t);
bool atom_text_needs_quotes(const char *text);

#endif
