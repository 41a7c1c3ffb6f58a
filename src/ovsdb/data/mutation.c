#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/cond.h"

static const char *const mutator_names[MUT_N_MUTATORS] = {
    [MUT_ADD] = "+=", [MUT_SUB] = "-=", [MUT_MUL] = "*=", [MUT_DIV] = "/=", [MUT_MOD] = "%=",
    [MUT_INSERT] = "insert", [MUT_DELETE] = "delete",
};

static bool
mutator_from_name(const char *name, enum mutator *m)
{
    for (int i = 0; i < MUT_N_MUTATORS; i++) {
        if (!strcmp(name, mutator_names[i])) {
            *m = i;
            return true;
        }
    }
    return false;
}

/* Sets 'm->type' to the type of the argument; false if the mutator does not go with the column. */
static bool
adapt_type(struct mutation *m)
{
    const struct col_type *t = &m->column->type;

    m->type = *t;
    if (m->mutator == MUT_INSERT || m->mutator == MUT_DELETE) {
        m->type.n_min = 0;
        if (m->mutator == MUT_DELETE) {
            m->type.n_max = TYPE_UNLIMITED;
        }
        return !type_is_scalar(t);
    }
    base_type_init(&m->type.key, t->key.type);
    m->type.n_min = m->type.n_max = 1;
    return !type_is_map(t) && (t->key.type == ATOM_INTEGER || (t->key.type == ATOM_REAL && m->mutator != MUT_MOD));
}

/* What to delete from a map is pairs or keys: what is no good map is taken as a set, and the error is that set's. */
static struct dberr *
argument_from_json(struct mutation *m, const struct json *arg, struct symtab *symtab)
{
    struct dberr *e = datum_from_json(&m->arg, &m->type, arg, symtab);

    if (e && m->mutator == MUT_DELETE && type_is_map(&m->type)) {
        dberr_free(e);
        base_type_init(&m->type.value, ATOM_VOID);
        e = datum_from_json(&m->arg, &m->type, arg, symtab);
    }
    return e;
}

static struct dberr *
mutation_from_json(struct mutation *m, const struct table_schema *t, const struct json *json, struct symtab *symtab)
{
    const char *column, *mutator;

    if (!js_is(json, JS_ARRAY) || js_array_len(json) != 3 || !js_is(js_at(json, 0), JS_STRING)
        || !js_is(js_at(json, 1), JS_STRING)) {
        return dberr_syntax(json, "Parse error in mutation.");
    }
    column = js_str_value(js_at(json, 0));
    m->column = table_schema_column(t, column);
    if (!m->column) {
        return dberr_at(json, DBERR_UNKNOWN_COLUMN, "No column %s in table %s.", column, t->name);
    }
    if (!m->column->is_mutable) {
        return dberr_at(json, DBERR_CONSTRAINT, "Cannot mutate immutable column %s in table %s.", column, t->name);
    }
    mutator = js_str_value(js_at(json, 1));
    if (!mutator_from_name(mutator, &m->mutator)) {
        return dberr_new("unknown mutator", "No mutator named %s.", mutator);
    }
    if (!adapt_type(m)) {
        char *english = col_type_to_english(&m->column->type);
        struct dberr *e = dberr_syntax(json, "Type mismatch: \"%s\" operator may not be applied to column %s of "
                                       "type %s.", mutator, column, english);

        free(english);
        return e;
    }
    return argument_from_json(m, js_at(json, 2), symtab);
}

struct dberr *
mutations_from_json(struct mutations *m, const struct table_schema *t, const struct json *json,
                    struct symtab *symtab)
{
    struct dberr *e = NULL;
    size_t n;

    *m = (struct mutations) { NULL, 0 };
    if (!js_is(json, JS_ARRAY)) {
        return dberr_syntax(json, "array expected");
    }
    n = js_array_len(json);
    m->mutations = xcalloc(n + 1, sizeof *m->mutations);
    while (m->n < n && !e) {
        e = mutation_from_json(&m->mutations[m->n], t, js_at(json, m->n), symtab);
        m->n += !e;
    }
    if (e) {
        mutations_uninit(m);
    }
    return e;
}

void
mutations_uninit(struct mutations *m)
{
    for (size_t i = 0; i < m->n; i++) {
        datum_uninit(&m->mutations[i].arg, &m->mutations[i].type);
    }
    free(m->mutations);
    *m = (struct mutations) { NULL, 0 };
}

/* --- Arithmetic --- */

enum outcome { OK, OUT_OF_RANGE, DIVISION_BY_ZERO };

static enum outcome
integer_op(enum mutator op, int64_t *x, int64_t y)
{
    switch (op) {
    case MUT_ADD: return __builtin_add_overflow(*x, y, x) ? OUT_OF_RANGE : OK;
    case MUT_SUB: return __builtin_sub_overflow(*x, y, x) ? OUT_OF_RANGE : OK;
    case MUT_MUL: return __builtin_mul_overflow(*x, y, x) ? OUT_OF_RANGE : OK;
    case MUT_DIV:
    case MUT_MOD:
        if (!y) {
            return DIVISION_BY_ZERO;
        } else if (*x == INT64_MIN && y == -1) {
            *x = op == MUT_DIV ? *x : 0;
            return op == MUT_DIV ? OUT_OF_RANGE : OK;
        }
        *x = op == MUT_DIV ? *x / y : *x % y;
        return OK;
    case MUT_INSERT: case MUT_DELETE: case MUT_N_MUTATORS: break;
    }
    return OK;
}

static enum outcome
real_op(enum mutator op, double *x, double y)
{
    if (op == MUT_DIV && y == 0.0) {
        return DIVISION_BY_ZERO;
    }
    *x = op == MUT_ADD ? *x + y : op == MUT_SUB ? *x - y : op == MUT_MUL ? *x * y : *x / y;
    return isfinite(*x) ? OK : OUT_OF_RANGE;
}

static struct dberr *
outcome_error(enum outcome outcome, enum mutator op)
{
    switch (outcome) {
    case OUT_OF_RANGE:
        return dberr_new("range error", "Result of \"%s\" operation is out of range.", mutator_names[op]);
    case DIVISION_BY_ZERO:
        return dberr_new("domain error", "Division by zero.");
    case OK:
        break;
    }
    return NULL;
}

static struct dberr *
arithmetic(const struct mutation *m, struct datum *field)
{
    const struct col_type *t = &m->column->type;
    const union atom *arg = datum_keys(&m->arg);
    struct dberr *e = NULL;
    struct datum r;

    datum_init_empty(&r);
    for (size_t i = 0; i < field->n && !e; i++) {
        union atom a = datum_keys(field)[i];

        e = outcome_error(t->key.type == ATOM_INTEGER ? integer_op(m->mutator, &a.integer, arg->integer)
                          : real_op(m->mutator, &a.real, arg->real), m->mutator);
        e = e ? e : base_type_check(&t->key, &a);
        datum_append_take(&r, t, a, NULL);
    }
    if (!e) {
        e = datum_sort(&r, t);
        if (e) {
            dberr_free(e);
            e = dberr_new(DBERR_CONSTRAINT, "Result of \"%s\" operation contains duplicates.",
                          mutator_names[m->mutator]);
        }
    }
    if (!e) {
        datum_swap(field, &r);
    }
    datum_uninit(&r, t);
    return e;
}

static struct dberr *
check_count(const struct datum *d, const struct col_type *t)
{
    struct dberr *e = NULL;

    if (d->n < t->n_min || d->n > t->n_max) {
        char *english = col_type_to_english(t);

        e = dberr_new(DBERR_CONSTRAINT, "Attempted to store %u elements in %s.", d->n, english);
        free(english);
    }
    return e;
}

struct dberr *
mutation_apply(const struct mutation *m, struct datum *field)
{
    const struct col_type *t = &m->column->type;

    if (m->mutator == MUT_INSERT) {
        datum_union(field, &m->arg, t, false);
        return check_count(field, t);
    } else if (m->mutator == MUT_DELETE) {
        datum_subtract(field, t, &m->arg, &m->type);
        return check_count(field, t);
    }
    return arithmetic(m, field);
}

struct dberr *
mutations_apply(const struct mutations *m, struct datum *fields)
{
    struct dberr *e = NULL;

    for (size_t i = 0; i < m->n && !e; i++) {
        e = mutation_apply(&m->mutations[i], &fields[m->mutations[i].column->index]);
    }
    return e;
}
