#include "ovsdb/data/cond.h"

#include <stdlib.h>
#include <string.h>

static const char *const function_names[COND_N_FUNCTIONS] = {
    [COND_EQ] = "==", [COND_NE] = "!=", [COND_LT] = "<", [COND_LE] = "<=", [COND_GT] = ">", [COND_GE] = ">=",
    [COND_INCLUDES] = "includes", [COND_EXCLUDES] = "excludes", [COND_TRUE] = "true", [COND_FALSE] = "false",
};

const char *
cond_function_name(enum cond_function f)
{
    return function_names[f];
}

bool
cond_function_from_name(const char *name, enum cond_function *f)
{
    for (int i = COND_EQ; i < COND_TRUE; i++) {
        if (!strcmp(name, function_names[i])) {
            *f = i;
            return true;
        }
    }
    return false;
}

static bool
is_ordering(enum cond_function f)
{
    return f == COND_LT || f == COND_LE || f == COND_GT || f == COND_GE;
}

/* Decides the type of the argument of 'f' on a column of type '*t', and changes '*t' to it; false if 'f' does not go
 * with it. */
static bool
adapt_type(enum cond_function f, struct col_type *t)
{
    if (is_ordering(f)) {
        bool ok = !type_is_map(t) && t->n_max == 1 && (t->key.type == ATOM_INTEGER || t->key.type == ATOM_REAL);

        t->n_min = 1;
        return ok;
    }
    if (!type_is_scalar(t)) {
        if (f == COND_INCLUDES || f == COND_EXCLUDES) {
            t->n_min = 0;
        }
        if (f == COND_EXCLUDES) {
            t->n_max = TYPE_UNLIMITED;
        }
    }
    return true;
}

static struct dberr *
clause_from_json(struct clause *c, const struct table_schema *t, const struct json *json, struct symtab *symtab)
{
    const char *function;

    if (js_is_bool(json)) {
        *c = (struct clause) { .function = js_bool_value(json) ? COND_TRUE : COND_FALSE };
        return NULL;
    }
    if (!js_is(json, JS_ARRAY) || js_array_len(json) != 3 || !js_is(js_at(json, 0), JS_STRING)
        || !js_is(js_at(json, 1), JS_STRING)) {
        return dberr_syntax(json, "Parse error in condition.");
    }
    c->column = table_schema_column(t, js_str_value(js_at(json, 0)));
    if (!c->column) {
        return dberr_at(json, DBERR_UNKNOWN_COLUMN, "No column %s in table %s.", js_str_value(js_at(json, 0)),
                        t->name);
    }
    function = js_str_value(js_at(json, 1));
    if (!cond_function_from_name(function, &c->function)) {
        return dberr_new("unknown function", "No function named %s.", function);
    }
    c->type = c->column->type;
    if (!adapt_type(c->function, &c->type)) {
        char *english = col_type_to_english(&c->column->type);
        struct dberr *e = dberr_syntax(json, "Type mismatch: \"%s\" operator may not be applied to column %s of "
                                       "type %s.", function, c->column->name, english);

        free(english);
        return e;
    }
    return datum_from_json(&c->arg, &c->type, js_at(json, 2), symtab);
}

struct dberr *
condition_from_json(struct condition *c, const struct table_schema *t, const struct json *json,
                    struct symtab *symtab)
{
    struct dberr *e = NULL;
    size_t n;

    *c = (struct condition) CONDITION_INIT;
    if (!js_is(json, JS_ARRAY)) {
        return dberr_syntax(json, "array expected");
    }
    n = js_array_len(json);
    c->clauses = xcalloc(n + 1, sizeof *c->clauses);
    while (c->n < n && !e) {
        e = clause_from_json(&c->clauses[c->n], t, js_at(json, c->n), symtab);
        c->n += !e;
    }
    if (e) {
        condition_uninit(c);
    }
    return e;
}

static struct json *
clause_to_json(const struct clause *c)
{
    struct json *json;

    if (!c->column) {
        return js_bool(c->function == COND_TRUE);
    }
    json = js_array();
    js_append_take(json, js_str(c->column->name));
    js_append_take(json, js_str(cond_function_name(c->function)));
    js_append_take(json, datum_to_json(&c->arg, &c->type));
    return json;
}

struct json *
condition_to_json(const struct condition *c)
{
    struct json *json = js_array();

    for (size_t i = 0; i < c->n; i++) {
        js_append_take(json, clause_to_json(&c->clauses[i]));
    }
    return json;
}

void
condition_clone(struct condition *dst, const struct condition *src)
{
    dst->clauses = xcalloc(src->n + 1, sizeof *dst->clauses);
    dst->n = src->n;
    for (size_t i = 0; i < src->n; i++) {
        dst->clauses[i] = src->clauses[i];
        if (src->clauses[i].column) {
            datum_clone(&dst->clauses[i].arg, &src->clauses[i].arg, &src->clauses[i].type);
        }
    }
}

void
condition_uninit(struct condition *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->clauses[i].column) {
            datum_uninit(&c->clauses[i].arg, &c->clauses[i].type);
        }
    }
    free(c->clauses);
    *c = (struct condition) CONDITION_INIT;
}

bool
cond_test(enum cond_function f, const struct datum *field, const struct datum *arg, const struct col_type *type)
{
    int cmp;

    switch (f) {
    case COND_TRUE: return true;
    case COND_FALSE: return false;
    case COND_EQ: return datum_equal(field, arg, type);
    case COND_NE: return !datum_equal(field, arg, type);
    case COND_INCLUDES: return datum_includes(field, arg, type);
    case COND_EXCLUDES: return datum_excludes(field, arg, type);
    case COND_LT: case COND_LE: case COND_GT: case COND_GE: case COND_N_FUNCTIONS: break;
    }
    if (!field->n || !arg->n) {
        return false;
    }
    cmp = atom_compare(datum_keys(field), datum_keys(arg), type->key.type);
    return f == COND_LT ? cmp < 0 : f == COND_LE ? cmp <= 0 : f == COND_GT ? cmp > 0 : cmp >= 0;
}

bool
clause_holds(const struct clause *c, const struct datum *fields)
{
    return c->column ? cond_test(c->function, &fields[c->column->index], &c->arg, &c->column->type)
                     : c->function == COND_TRUE;
}

bool
condition_all(const struct condition *c, const struct datum *fields)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!clause_holds(&c->clauses[i], fields)) {
            return false;
        }
    }
    return true;
}

bool
condition_any(const struct condition *c, const struct datum *fields)
{
    for (size_t i = 0; i < c->n; i++) {
        if (clause_holds(&c->clauses[i], fields)) {
            return true;
        }
    }
    return !c->n;
}
