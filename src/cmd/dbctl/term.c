/* Arguments of the form COLUMN[:KEY][OPERATOR VALUE]: to name a value, to set it, to compare it (ovs-vsctl(8),
 * "Database Command Syntax"). */
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/data/text.h"

enum { OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT,
       OP_SET_EQ, OP_SET_NE, OP_SET_LE, OP_SET_GE, OP_SET_LT, OP_SET_GT, OP_IN, OP_NOT_IN };

/* Longer ones before those that begin them.  'is_set': compares sets; a missing key is an empty set. */
static const struct operator {
    const char *text;
    bool is_set;
} operators[] = {
    [OP_EQ] = { "=", false },
    [OP_NE] = { "!=", false },
    [OP_LE] = { "<=", false },
    [OP_GE] = { ">=", false },
    [OP_LT] = { "<", false },
    [OP_GT] = { ">", false },
    [OP_SET_EQ] = { "{=}", true },
    [OP_SET_NE] = { "{!=}", true },
    [OP_SET_LE] = { "{<=}", true },
    [OP_SET_GE] = { "{>=}", true },
    [OP_SET_LT] = { "{<}", true },
    [OP_SET_GT] = { "{>}", true },
    [OP_IN] = { "{in}", true },
    [OP_NOT_IN] = { "{not-in}", true },
};

static struct error *
no_operator(const char *text, enum dbctl_term_kind kind)
{
    if (kind == DBCTL_TERM_SET) {
        return error_new("%s: argument does not end in \"=\" followed by a value.", text);
    }
    return error_new("%s: argument does not end in \"=\", \"!=\", \"<\", \">\", \"<=\", \">=\", \"{=}\", \"{!=}\", "
                     "\"{<}\", \"{>}\", \"{<=}\", \"{>=}\", \"{in}\", or \"{not-in}\" followed by a value.", text);
}

/* Reads the operator at '*p' and the value behind it. */
static struct error *
parse_operator(struct dbctl_term *term, const char *text, const char *p, enum dbctl_term_kind kind)
{
    const size_t n = kind == DBCTL_TERM_SET ? 1 : ARRAY_SIZE(operators);

    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(operators[i].text);

        if (!strncmp(p, operators[i].text, len) && p[len]) {
            term->op = i;
            term->value = p + len;
            return NULL;
        }
    }
    return no_operator(text, kind);
}

struct error *
dbctl_term_parse(struct dbctl_term *term, const struct table_schema *table, const char *text, enum dbctl_term_kind kind)
{
    const char *p = text;
    struct error *e;
    char *name;

    memset(term, 0, sizeof *term);
    e = text_take_token(&p, &name);
    if (e) {
        return e;
    }
    e = *name ? dbctl_find_column(table, name, &term->column) : error_new("%s: missing column name", text);
    free(name);
    if (!e && *p == ':') {
        p++;
        e = text_take_token(&p, &term->key);
    }
    if (!e && kind == DBCTL_TERM_COLUMN && *p) {
        e = error_new("%s: trailing garbage \"%s\" in argument", text, p);
    } else if (!e && kind != DBCTL_TERM_COLUMN) {
        e = parse_operator(term, text, p, kind);
    }
    if (e) {
        dbctl_term_uninit(term);
    }
    return e;
}

void
dbctl_term_uninit(struct dbctl_term *term)
{
    free(term->key);
    term->key = NULL;
}

/* ---- Conditions ---- */

static bool
compare(int op, const struct datum *d, const struct datum *arg, const struct col_type *type)
{
    switch (op) {
    case OP_EQ: case OP_SET_EQ: return datum_equal(d, arg, type);
    case OP_NE: case OP_SET_NE: return !datum_equal(d, arg, type);
    case OP_LE: return datum_compare(d, arg, type) <= 0;
    case OP_GE: return datum_compare(d, arg, type) >= 0;
    case OP_LT: return datum_compare(d, arg, type) < 0;
    case OP_GT: return datum_compare(d, arg, type) > 0;
    case OP_SET_LE: case OP_IN: return datum_includes(arg, d, type);
    case OP_SET_GE: return datum_includes(d, arg, type);
    case OP_SET_LT: return datum_includes(arg, d, type) && d->n < arg->n;
    case OP_SET_GT: return datum_includes(d, arg, type) && d->n > arg->n;
    case OP_NOT_IN: return datum_excludes(arg, d, type);
    }
    return false;
}

static struct error *
whole_column_holds(struct dbctl *ctl, const struct dbctl_term *term, const struct idl_row *row, bool *holds)
{
    struct col_type type = term->column->type;
    struct datum arg;
    struct error *e;

    if (term->op == OP_IN || term->op == OP_NOT_IN) { /* A list of values makes sense for one value, too. */
        type.n_min = 0;
        type.n_max = TYPE_UNLIMITED;
    }
    e = datum_from_text(&arg, &type, term->value, &ctl->symtab);
    if (!e) {
        *holds = compare(term->op, idl_get(row, term->column->index), &arg, &type);
        datum_uninit(&arg, &type);
    }
    return e;
}

/* The value of a key as a set of at most one element; what it borrows lives as long as the row. */
static struct datum
value_of_key(const struct idl_row *row, const struct column *column, const union atom *key)
{
    const struct datum *d = idl_get(row, column->index);
    const unsigned i = datum_find(d, key, column->type.key.type);

    return i < d->n ? datum_one_take(datum_values(d)[i]) : (struct datum) { .n = 0 };
}

static struct error *
key_holds(struct dbctl *ctl, const struct dbctl_term *term, const struct idl_row *row, bool *holds)
{
    const struct col_type *column_type = &term->column->type;
    const bool is_set = operators[term->op].is_set;
    struct col_type type = { .key = column_type->value, .n_min = !is_set, .n_max = is_set ? TYPE_UNLIMITED : 1 };
    struct datum arg, value;
    union atom key;
    struct error *e;

    type.value.type = ATOM_VOID;
    e = atom_from_text(&key, NULL, &column_type->key, term->key, &ctl->symtab);
    if (e) {
        return e;
    }
    e = datum_from_text(&arg, &type, term->value, &ctl->symtab);
    if (!e) {
        value = value_of_key(row, term->column, &key);
        *holds = (is_set || value.n) && compare(term->op, &value, &arg, &type);
        datum_uninit(&arg, &type);
    }
    atom_destroy(&key, column_type->key.type);
    return e;
}

struct error *
dbctl_term_holds(struct dbctl *ctl, const struct dbctl_term *term, const struct idl_row *row, bool *holds)
{
    *holds = false;
    if (term->key && !type_is_map(&term->column->type)) {
        return error_new("cannot specify key to check for non-map column %s", term->column->name);
    }
    return (term->key ? key_holds : whole_column_holds)(ctl, term, row, holds);
}

/* ---- Setting ---- */

struct error *
dbctl_find_settable_column(const struct table_schema *table, const char *name, const struct column **column)
{
    struct error *e = dbctl_find_column(table, name, column);

    if (!e && (*column)->index < COL_N_STD) {
        e = error_new("%s does not contain a column whose name matches \"%s\"", table->name, name);
    }
    return e;
}

struct error *
dbctl_prepare_term(struct dbctl *ctl, const struct table_schema *table, const char *text,
                   const struct column **column)
{
    const char *p = text;
    char *name;
    struct error *e = text_take_token(&p, &name);

    if (e) {
        return e;
    }
    e = *name ? dbctl_find_column(table, name, column) : error_new("%s: missing column name", text);
    free(name);
    if (!e) {
        dbctl_add_column_only(ctl, table->index, (*column)->index);
    }
    return e;
}

static struct error *
set_key(struct dbctl *ctl, const struct idl_row *row, const struct dbctl_term *term)
{
    const struct col_type *type = &term->column->type;
    union atom key, value;
    struct error *e;

    if (!type_is_map(type)) {
        return error_new("cannot specify key to set for non-map column %s", term->column->name);
    }
    e = atom_from_text(&key, NULL, &type->key, term->key, &ctl->symtab);
    if (e) {
        return e;
    }
    e = atom_from_text(&value, NULL, &type->value, term->value, &ctl->symtab);
    if (e) {
        atom_destroy(&key, type->key.type);
        return e;
    }
    idl_put_take(row, term->column->index, key, &value);
    return NULL;
}

struct error *
dbctl_set(struct dbctl *ctl, const struct idl_row *row, const char *text)
{
    struct dbctl_term term;
    struct datum value;
    struct error *e = dbctl_term_parse(&term, row->table->schema, text, DBCTL_TERM_SET);

    if (e) {
        return e;
    }
    if (term.column->index < COL_N_STD) {
        e = error_new("%s does not contain a column whose name matches \"%s\"", row->table->schema->name,
                      term.column->name);
    } else if (!term.column->is_mutable && !idl_row_is_new(row)) {
        e = error_new("cannot modify read-only column %s in table %s", term.column->name, row->table->schema->name);
    } else if (term.key) {
        e = set_key(ctl, row, &term);
    } else {
        e = datum_from_text(&value, &term.column->type, term.value, &ctl->symtab);
        if (!e) {
            idl_set_take(row, term.column->index, &value);
        }
    }
    dbctl_term_uninit(&term);
    return e;
}
