/* Conditions and mutations (RFC 7047 section 5.1).
 *
 * A condition is a list of clauses that must all hold ("where" of an operation), or of which one must hold (monitors).
 * The extensions: booleans as clauses; "<" and its like also on columns of at most one integer or real, where an
 * empty column is less than nothing (the clause is false). */
#ifndef OVSDB_DATA_COND_H
#define OVSDB_DATA_COND_H 1

#include "ovsdb/data/schema.h"

enum cond_function { COND_EQ, COND_NE, COND_LT, COND_LE, COND_GT, COND_GE, COND_INCLUDES, COND_EXCLUDES,
                     COND_TRUE, COND_FALSE, COND_N_FUNCTIONS };

struct clause {
    enum cond_function function;
    const struct column *column; /* Null for COND_TRUE and COND_FALSE. */
    struct col_type type;        /* Of 'arg': the column's with perhaps looser limits; borrowed from the column. */
    struct datum arg;
};

struct condition {
    struct clause *clauses;
    size_t n;
};

#define CONDITION_INIT { NULL, 0 }

/* "==", "!=", ...; false if 'name' is none. */
const char *cond_function_name(enum cond_function f);
bool cond_function_from_name(const char *name, enum cond_function *f) MUST_CHECK;

/* Reads a "where".  'symtab' resolves "named-uuid" (may be null). */
struct dberr *condition_from_json(struct condition *c, const struct table_schema *t, const struct json *json,
                                  struct symtab *symtab) MUST_CHECK;
struct json *condition_to_json(const struct condition *c) MUST_CHECK;
void condition_clone(struct condition *dst, const struct condition *src);
void condition_uninit(struct condition *c);

/* Whether 'fields', a row's datums, satisfies one clause; all; at least one (an empty condition is true in both). */
bool clause_holds(const struct clause *clause, const struct datum *fields);
bool condition_all(const struct condition *c, const struct datum *fields);
bool condition_any(const struct condition *c, const struct datum *fields);

/* The same decision for a single datum of type 'type', for programs that compare outside a table. */
bool cond_test(enum cond_function f, const struct datum *field, const struct datum *arg, const struct col_type *type);

enum mutator { MUT_ADD, MUT_SUB, MUT_MUL, MUT_DIV, MUT_MOD, MUT_INSERT, MUT_DELETE, MUT_N_MUTATORS };

struct mutation {
    enum mutator mutator;
    const struct column *column;
    struct col_type type; /* Of 'arg'; its base types are borrowed. */
    struct datum arg;
};

struct mutations {
    struct mutation *mutations;
    size_t n;
};

/* Reads "mutations". */
struct dberr *mutations_from_json(struct mutations *m, const struct table_schema *t, const struct json *json,
                                  struct symtab *symtab) MUST_CHECK;
void mutations_uninit(struct mutations *m);

/* Changes 'fields' in place; on error ("range error", "domain error", "constraint violation") some mutations may have
 * been applied. */
struct dberr *mutations_apply(const struct mutations *m, struct datum *fields) MUST_CHECK;

/* The same for one datum. */
struct dberr *mutation_apply(const struct mutation *m, struct datum *field) MUST_CHECK;

#endif
