/* list, find, get, wait-until, comment. */
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/data/text.h"

/* ---- list and find ---- */

/* Reads --columns: the named columns, or all. */
static struct error *
parse_columns(struct dbctl_ctx *ctx, const struct table_schema *table, const struct column ***columns, size_t *n)
{
    const char *option = dbctl_option(ctx, "--columns");
    char *names = xstrdup(option ? option : ""), *save = NULL;
    size_t capacity = table->n_columns;
    struct error *e = NULL;

    *columns = xcalloc(capacity + 1, sizeof **columns);
    *n = 0;
    for (char *name = strtok_r(names, ", ", &save); name && !e; name = strtok_r(NULL, ", ", &save)) {
        if (*n >= capacity) {
            *columns = x2nrealloc(*columns, &capacity, sizeof **columns);
        }
        e = dbctl_find_column(table, name, &(*columns)[(*n)++]);
    }
    free(names);
    if (option && !e && !*n) {
        e = error_new("must specify at least one column name");
    }
    for (size_t i = 0; !option && i < table->n_columns; i++) {
        if (i != COL_VERSION) {
            (*columns)[(*n)++] = &table->columns[i];
        }
    }
    if (e) {
        free(*columns);
    }
    return e;
}

static struct error *
prepare_columns(struct dbctl_ctx *ctx, const struct table_schema *table)
{
    const struct column **columns;
    size_t n;
    struct error *e = parse_columns(ctx, table, &columns, &n);

    if (!e) {
        for (size_t i = 0; i < n; i++) {
            dbctl_add_column_only(ctx->ctl, table->index, columns[i]->index);
        }
        free(columns);
    }
    return e;
}

/* Starts the table of the output.  '*columns' is to be released with free(). */
static struct error *
begin_rows(struct dbctl_ctx *ctx, const struct table_schema *table, const struct column ***columns, size_t *n)
{
    struct error *e = parse_columns(ctx, table, columns, n);

    if (!e) {
        ctx->table = table_create();
        for (size_t i = 0; i < *n; i++) {
            table_add_column(ctx->table, "%s", (*columns)[i]->name);
        }
    }
    return e;
}

static void
put_row(struct dbctl_ctx *ctx, const struct idl_row *row, const struct column *const *columns, size_t n)
{
    table_add_row(ctx->table);
    for (size_t i = 0; i < n; i++) {
        table_add_datum(ctx->table, idl_get(row, columns[i]->index), &columns[i]->type);
    }
}

static struct error *
list_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (e) {
        return e;
    }
    for (int i = 2; i < ctx->argc; i++) {
        dbctl_add_record(ctx->ctl, table, ctx->argv[i]);
    }
    if (ctx->argc == 2) {
        dbctl_add_column(ctx->ctl, table->index, COL_UUID);
    }
    return prepare_columns(ctx, table);
}

static struct error *
list_run(struct dbctl_ctx *ctx)
{
    const bool must_exist = !dbctl_has(ctx, "--if-exists");
    const struct table_schema *table;
    const struct column **columns;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);
    size_t n;

    e = e ? e : begin_rows(ctx, table, &columns, &n);
    if (e) {
        return e;
    }
    for (int i = 2; i < ctx->argc && !e; i++) {
        const struct idl_row *row;

        e = dbctl_find_row(ctx->ctl, table, ctx->argv[i], must_exist, &row);
        if (!e && row) {
            put_row(ctx, row, columns, n);
        }
    }
    if (ctx->argc == 2) {
        const struct idl_row **rows = dbctl_rows(ctx->ctl, table->index);

        for (size_t i = 0; rows[i]; i++) {
            put_row(ctx, rows[i], columns, n);
        }
        free(rows);
    }
    free(columns);
    return e;
}

static struct error *
prepare_terms(struct dbctl_ctx *ctx, const struct table_schema *table, int first)
{
    struct error *e = NULL;

    for (int i = first; i < ctx->argc && !e; i++) {
        const struct column *column;

        e = dbctl_prepare_term(ctx->ctl, table, ctx->argv[i], &column);
    }
    return e;
}

/* Whether all conditions from argument 'first' on hold. */
static struct error *
conditions_hold(struct dbctl_ctx *ctx, const struct idl_row *row, int first, bool *hold)
{
    *hold = true;
    for (int i = first; i < ctx->argc && *hold; i++) {
        struct dbctl_term term;
        struct error *e = dbctl_term_parse(&term, row->table->schema, ctx->argv[i], DBCTL_TERM_CONDITION);

        if (!e) {
            e = dbctl_term_holds(ctx->ctl, &term, row, hold);
            dbctl_term_uninit(&term);
        }
        if (e) {
            return e;
        }
    }
    return NULL;
}

static struct error *
find_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (!e) {
        dbctl_add_column(ctx->ctl, table->index, COL_UUID);
        e = prepare_columns(ctx, table);
    }
    return e ? e : prepare_terms(ctx, table, 2);
}

static struct error *
find_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    const struct idl_row **rows;
    const struct column **columns;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);
    size_t n;

    e = e ? e : begin_rows(ctx, table, &columns, &n);
    if (e) {
        return e;
    }
    rows = dbctl_rows(ctx->ctl, table->index);
    for (size_t i = 0; rows[i] && !e; i++) {
        bool hold;

        e = conditions_hold(ctx, rows[i], 2, &hold);
        if (!e && hold) {
            put_row(ctx, rows[i], columns, n);
        }
    }
    free(rows);
    free(columns);
    return e;
}

/* ---- get ---- */

static struct error *
get_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (e) {
        return e;
    }
    dbctl_add_record(ctx->ctl, table, ctx->argv[2]);
    return prepare_terms(ctx, table, 3);
}

static struct error *
name_row(struct dbctl *ctl, const char *id, const struct idl_row *row)
{
    struct symbol *symbol;

    if (*id != '@') {
        return error_new("row id \"%s\" does not begin with \"@\"", id);
    }
    symbol = symtab_find(&ctl->symtab, id);
    if (symbol) {
        return symbol->created
                   ? error_new("row id \"%s\" may only be specified on one --id option", id)
                   : error_new("row id \"%s\" specified on \"get\" command was used before it was defined", id);
    }
    symtab_add(&ctl->symtab, id, &row->uuid);
    symbol = symtab_find(&ctl->symtab, id);
    symbol->created = symbol->strong_ref = true; /* It exists: no reference is needed to keep it. */
    return NULL;
}

static struct error *
put_value_of_key(struct dbctl_ctx *ctx, const struct idl_row *row, const struct dbctl_term *term)
{
    const struct col_type *type = &term->column->type;
    const struct datum *d = idl_get(row, term->column->index);
    union atom key;
    struct error *e;
    unsigned i;

    if (!type_is_map(type)) {
        return error_new("cannot specify key to get for non-map column %s", term->column->name);
    }
    e = atom_from_text(&key, NULL, &type->key, term->key, &ctx->ctl->symtab);
    if (e) {
        return e;
    }
    i = datum_find(d, &key, type->key.type);
    atom_destroy(&key, type->key.type);
    if (i < d->n) {
        atom_put_text(&ctx->output, &datum_values(d)[i], type->value.type);
    } else if (!dbctl_has(ctx, "--if-exists")) {
        return error_new("no key \"%s\" in %s record \"%s\" column %s", term->key, row->table->schema->name,
                         ctx->argv[2], term->column->name);
    }
    str_putc(&ctx->output, '\n');
    return NULL;
}

static struct error *
put_value(struct dbctl_ctx *ctx, const struct idl_row *row, const char *text)
{
    struct dbctl_term term;
    struct error *e = dbctl_term_parse(&term, row->table->schema, text, DBCTL_TERM_COLUMN);

    if (e) {
        return e;
    }
    if (term.key) {
        e = put_value_of_key(ctx, row, &term);
    } else {
        datum_put_text(&ctx->output, idl_get(row, term.column->index), &term.column->type);
        str_putc(&ctx->output, '\n');
    }
    dbctl_term_uninit(&term);
    return e;
}

static struct error *
get_run(struct dbctl_ctx *ctx)
{
    const char *id = dbctl_option(ctx, "--id");
    const struct table_schema *table;
    const struct idl_row *row;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (!e && id && dbctl_has(ctx, "--if-exists")) {
        return error_new("--if-exists and --id may not be specified together");
    }
    e = e ? e : dbctl_find_row(ctx->ctl, table, ctx->argv[2], !dbctl_has(ctx, "--if-exists"), &row);
    if (e || !row) {
        return e;
    }
    e = id ? name_row(ctx->ctl, id, row) : NULL;
    for (int i = 3; i < ctx->argc && !e; i++) {
        e = put_value(ctx, row, ctx->argv[i]);
    }
    return e;
}

/* ---- wait-until ---- */

static struct error *
wait_until_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (!e) {
        dbctl_add_record(ctx->ctl, table, ctx->argv[2]);
        e = prepare_terms(ctx, table, 3);
    }
    return e;
}

static struct error *
wait_until_run(struct dbctl_ctx *ctx)
{
    struct dbctl *ctl = ctx->ctl;
    const struct table_schema *table;
    const struct idl_row *row;
    struct error *e = dbctl_find_table(ctl->schema, ctx->argv[1], &table);
    bool hold = false;

    e = e ? e : dbctl_find_row(ctl, table, ctx->argv[2], false, &row);
    if (!e && row) {
        e = conditions_hold(ctx, row, 3, &hold);
    }
    if (!e && !hold) {
        struct str s = STR_INIT;

        ctl->try_again = true;
        str_putf(&s, "table %s to have a record \"%s\"", table->name, ctx->argv[2]);
        for (int i = 3; i < ctx->argc; i++) {
            str_putf(&s, "%s%s", i > 3 ? " and " : " with ", ctx->argv[i]);
        }
        str_puts(&s, row ? "; the record is there, but not so" : "; there is no such record");
        free(ctl->waiting_for);
        ctl->waiting_for = str_steal(&s);
    }
    return e;
}

static struct error *
comment_run(struct dbctl_ctx *ctx UNUSED)
{
    return NULL; /* The command line is in the transaction's comment anyway. */
}

const struct dbctl_command dbctl_read_commands[] = {
    { "comment", 0, INT_MAX, "*ARG", "", false, NULL, comment_run, NULL },
    { "get", 2, INT_MAX, "!TABLE !RECORD *COLUMN?:KEY", "--if-exists,--id=", false, get_prepare, get_run, NULL },
    { "list", 1, INT_MAX, "!TABLE *RECORD", "--if-exists,--columns=", false, list_prepare, list_run, NULL },
    { "find", 1, INT_MAX, "!TABLE *COLUMN?:KEY=VALUE", "--columns=", false, find_prepare, find_run, NULL },
    { "wait-until", 2, INT_MAX, "!TABLE !RECORD *COLUMN?:KEY=VALUE", "", false, wait_until_prepare, wait_until_run,
      NULL },
};
const size_t dbctl_n_read_commands = ARRAY_SIZE(dbctl_read_commands);
