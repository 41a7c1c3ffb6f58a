/* Taking apart a JSON object: which members it must have, may have, and of which type.
 *
 * Usage: members_init(), members_take() for each, members_finish().  Errors are collected: members_take() returns null
 * after the first, and members_finish() returns it, or one for a member that nobody took. */
#ifndef OVSDB_DATA_MEMBERS_H
#define OVSDB_DATA_MEMBERS_H 1

#include "ovsdb/data/dberr.h"

enum {
    M_NULL = 1 << JS_NULL,
    M_BOOL = 1 << JS_FALSE | 1 << JS_TRUE,
    M_OBJECT = 1 << JS_OBJECT,
    M_ARRAY = 1 << JS_ARRAY,
    M_INTEGER = 1 << JS_INTEGER,
    M_NUMBER = 1 << JS_INTEGER | 1 << JS_REAL,
    M_STRING = 1 << JS_STRING,
    M_ID = 1 << 8,       /* A string that is an <id>. */
    M_ANY = 0xff,
    M_OPTIONAL = 1 << 9, /* May be absent: null then. */
};

#define MEMBERS_MAX 16

struct members {
    const struct json *object;
    char *what;        /* "Parsing WHAT failed: ..."; owned; null: 'kind', 'i' of 'n'. */
    const char *kind;
    size_t i, n;
    const char *taken[MEMBERS_MAX];
    unsigned n_taken;
    size_t n_present; /* Of the taken ones. */
    struct dberr *error;
};

void members_init(struct members *m, const struct json *object, const char *what_format, ...) PRINTF_FORMAT(3, 4);

/* The same for element 'i' of 'n' (from one on); WHAT is then "KIND I of N", with a literal. */
void members_init_one_of(struct members *m, const struct json *object, const char *kind, size_t i, size_t n);

/* The member 'name' (a literal) if it is of one of 'types', else null; borrowed. */
const struct json *members_take(struct members *m, const char *name, unsigned types);

/* Records an error of the caller's, unless there was one before. */
void members_fail(struct members *m, const char *format, ...) PRINTF_FORMAT(2, 3) __attribute__((cold));

/* Returns the first error, null if there is none, and releases what members_init() made.  members_release() gives up
 * without asking. */
struct dberr *members_finish(struct members *m) MUST_CHECK;

#endif
