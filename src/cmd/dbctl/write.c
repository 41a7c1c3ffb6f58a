/* set, add, remove, clear, create, destroy. */
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/data/text.h"
#include "sys/log.h"

LOG_MODULE(db_ctl_base)

/* What set, add, remove and clear begin with: TABLE RECORD.  '*row' is null where --if-exists allows it. */
static struct error *
find_target(struct dbctl_ctx *ctx, const struct table_schema **table, const struct idl_row **row)
{
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], table);

    return e ? e : dbctl_find_row(ctx->ctl, *table, ctx->argv[2], !dbctl_has(ctx, "--if-exists"), row);
}

/* A column that may be changed, by a name that is all of an argument. */
static struct error *
find_mutable_column(const struct table_schema *table, const char *name, const struct column **column)
{
    struct error *e = dbctl_find_settable_column(table, name, column);

    return !e && !(*column)->is_mutable ? error_new("cannot modify read-only column %s in table %s", (*column)->name,
                                                    table->name)
                                        : e;
}

static struct error *
prepare_column(struct dbctl_ctx *ctx, const struct table_schema *table, const char *name)
{
    const struct column *column;
    struct error *e = dbctl_find_settable_column(table, name, &column);

    if (!e) {
        dbctl_add_column_only(ctx->ctl, table->index, column->index);
    }
    return e;
}

/* ---- set ---- */

static struct error *
set_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (!e) {
        dbctl_add_record(ctx->ctl, table, ctx->argv[2]);
    }
    for (int i = 3; i < ctx->argc && !e; i++) {
        const struct column *column;

        e = dbctl_prepare_term(ctx->ctl, table, ctx->argv[i], &column);
        if (!e && column->index < COL_N_STD) {
            e = error_new("%s does not contain a column whose name matches \"%s\"", table->name, column->name);
        }
    }
    return e;
}

static struct error *
set_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    const struct idl_row *row;
    struct error *e = find_target(ctx, &table, &row);

    for (int i = 3; i < ctx->argc && !e && row; i++) {
        e = dbctl_set(ctx->ctl, row, ctx->argv[i]);
    }
    return e;
}

/* ---- add and remove ---- */

static struct error *
one_column_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (!e) {
        dbctl_add_record(ctx->ctl, table, ctx->argv[2]);
        e = prepare_column(ctx, table, ctx->argv[3]);
    }
    return e;
}

/* The column's type for values that are a part of its value: one or more elements. */
static struct col_type
part_type(const struct col_type *type)
{
    struct col_type part = *type;

    part.n_min = 1;
    part.n_max = TYPE_UNLIMITED;
    return part;
}

static struct error *
add_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    const struct idl_row *row;
    const struct column *column;
    struct error *e = find_target(ctx, &table, &row);
    struct col_type type;

    if (e || !row) {
        return e;
    }
    e = find_mutable_column(table, ctx->argv[3], &column);
    if (e) {
        return e;
    }
    type = part_type(&column->type);
    for (int i = 4; i < ctx->argc && !e; i++) {
        struct datum d;

        e = datum_from_text(&d, &type, ctx->argv[i], &ctx->ctl->symtab);
        if (!e) {
            idl_put_all_take(row, column->index, &d);
        }
    }
    return e;
}

/* Reads one argument of "remove": elements of the column, or, for a map, keys alone.  '*d_type' is what '*d' is. */
static struct error *
parse_removal(struct dbctl *ctl, const struct column *column, const char *text, struct datum *d,
              struct col_type *d_type)
{
    struct error *e;

    *d_type = part_type(&column->type);
    e = datum_from_text(d, d_type, text, &ctl->symtab);
    if (e && type_is_map(d_type)) {
        error_free(e);
        d_type->value.type = ATOM_VOID;
        e = datum_from_text(d, d_type, text, &ctl->symtab);
    }
    return e;
}

static struct error *
remove_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    const struct idl_row *row;
    const struct column *column;
    struct error *e = find_target(ctx, &table, &row);
    struct datum value;

    if (e || !row) {
        return e;
    }
    e = find_mutable_column(table, ctx->argv[3], &column);
    if (e) {
        return e;
    }
    datum_clone(&value, idl_get(row, column->index), &column->type);
    for (int i = 4; i < ctx->argc && !e; i++) {
        struct col_type d_type;
        struct datum d;

        e = parse_removal(ctx->ctl, column, ctx->argv[i], &d, &d_type);
        if (!e) {
            datum_subtract(&value, &column->type, &d, &d_type);
            datum_uninit(&d, &d_type);
        }
    }
    if (!e && value.n < column->type.n_min) {
        e = error_new("\"remove\" operation would put %u values in column %s of table %s but the minimum number is %u",
                      value.n, column->name, table->name, column->type.n_min);
    }
    if (e) {
        datum_uninit(&value, &column->type);
        return e;
    }
    idl_verify(row, column->index);
    idl_set_take(row, column->index, &value);
    return NULL;
}

/* ---- clear ---- */

static struct error *
clear_prepare(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (!e) {
        dbctl_add_record(ctx->ctl, table, ctx->argv[2]);
    }
    for (int i = 3; i < ctx->argc && !e; i++) {
        e = prepare_column(ctx, table, ctx->argv[i]);
    }
    return e;
}

static struct error *
clear_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    const struct idl_row *row;
    struct error *e = find_target(ctx, &table, &row);

    for (int i = 3; i < ctx->argc && !e && row; i++) {
        const struct column *column;

        e = find_mutable_column(table, ctx->argv[i], &column);
        if (!e && column->type.n_min > 0) {
            e = error_new("\"clear\" operation cannot be applied to column %s of table %s, which is not allowed to be "
                          "empty", column->name, table->name);
        } else if (!e) {
            idl_set_empty(row, column->index);
        }
    }
    return e;
}

/* ---- create ---- */

static struct error *
create_prepare(struct dbctl_ctx *ctx)
{
    const char *id = dbctl_option(ctx, "--id");
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);
    struct uuid uuid;

    if (e) {
        return e;
    }
    if (!id && !table->is_root && !ctx->ctl->level) {
        log_warn("applying \"%s\" command to table %s without --id option will have no effect", ctx->command->name,
                 table->name);
    }
    if (id && *id != '@' && !uuid_parse(&uuid, id)) {
        return error_new("row id \"%s\" does not begin with \"@\"", id);
    }
    dbctl_add_column_only(ctx->ctl, table->index, COL_UUID);
    return NULL; /* What the columns are is run()'s matter: a new row needs nothing of the replica. */
}

/* The row that is inserted may have been referred to before, by its name. */
static struct error *
insert_row(struct dbctl_ctx *ctx, const struct table_schema *table, const char *id, struct idl_row **row)
{
    struct dbctl *ctl = ctx->ctl;
    struct symbol *symbol;
    struct uuid uuid;

    if (!id) {
        *row = idl_insert(ctl->txn, table->index, NULL);
    } else if (uuid_parse(&uuid, id)) {
        const struct idl_row *other = idl_row_get(ctl->idl, table->index, &uuid);

        if (other && idl_row_is_new(other)) {
            return error_new("row id \"%s\" may only be specified on one --id option", id);
        }
        *row = idl_insert(ctl->txn, table->index, &uuid);
    } else {
        symbol = symtab_get(&ctl->symtab, id);
        if (symbol->created) {
            return error_new("row id \"%s\" may only be specified on one --id option", id);
        }
        symbol->created = true;
        symbol->strong_ref |= table->is_root; /* It stays without any reference. */
        *row = idl_insert_provisional(ctl->txn, table->index, &symbol->uuid);
    }
    return NULL;
}

static struct error *
create_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct idl_row *row;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);
    char text[UUID_LEN + 1];

    e = e ? e : insert_row(ctx, table, dbctl_option(ctx, "--id"), &row);
    for (int i = 2; i < ctx->argc && !e; i++) {
        e = dbctl_set(ctx->ctl, row, ctx->argv[i]);
    }
    if (!e) {
        uuid_format(&row->uuid, text);
        str_puts(&ctx->output, text);
        str_putc(&ctx->output, '\n');
    }
    return e;
}

/* The uuid put out by create_run() was provisional. */
static void
create_finish(struct dbctl_ctx *ctx)
{
    const struct uuid *final;
    struct uuid uuid;
    char text[UUID_LEN + 1];

    if (uuid_parse_prefix(&uuid, str_text(&ctx->output))) {
        final = idl_txn_uuid(ctx->ctl->txn, &uuid);
        if (final) {
            uuid_format(final, text);
            str_clear(&ctx->output);
            str_puts(&ctx->output, text);
            str_putc(&ctx->output, '\n');
        }
    }
}

/* ---- destroy ---- */

static struct error *
destroy_prepare(struct dbctl_ctx *ctx)
{
    const bool all = dbctl_has(ctx, "--all");
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (e) {
        return e;
    }
    if (all && ctx->argc > 2) {
        return error_new("--all and records argument should not be specified together");
    }
    if (all && dbctl_has(ctx, "--if-exists")) {
        return error_new("--all and --if-exists should not be specified together");
    }
    if (!all && ctx->argc == 2 && !ctx->ctl->level) {
        log_warn("either --all or records argument should be specified");
    }
    for (int i = 2; i < ctx->argc; i++) {
        dbctl_add_record(ctx->ctl, table, ctx->argv[i]);
    }
    if (all) {
        dbctl_add_column(ctx->ctl, table->index, COL_UUID);
    }
    return NULL;
}

static struct error *
destroy_run(struct dbctl_ctx *ctx)
{
    const struct table_schema *table;
    struct error *e = dbctl_find_table(ctx->ctl->schema, ctx->argv[1], &table);

    if (e) {
        return e;
    }
    if (dbctl_has(ctx, "--all")) {
        const struct idl_row **rows = dbctl_rows(ctx->ctl, table->index);

        for (size_t i = 0; rows[i]; i++) {
            idl_delete(rows[i]);
        }
        free(rows);
    }
    for (int i = 2; i < ctx->argc && !e; i++) {
        const struct idl_row *row;

        e = dbctl_find_row(ctx->ctl, table, ctx->argv[i], !dbctl_has(ctx, "--if-exists"), &row);
        if (!e && row) {
            idl_delete(row);
        }
    }
    return e;
}

const struct dbctl_command dbctl_write_commands[] = {
    { "set", 3, INT_MAX, "!TABLE !RECORD +COLUMN?:KEY=VALUE", "--if-exists", true, set_prepare, set_run, NULL },
    { "add", 4, INT_MAX, "!TABLE !RECORD !COLUMN +?KEY=VALUE", "--if-exists", true, one_column_prepare, add_run, NULL },
    { "remove", 4, INT_MAX, "!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE", "--if-exists", true, one_column_prepare,
      remove_run, NULL },
    { "clear", 3, INT_MAX, "!TABLE !RECORD +COLUMN", "--if-exists", true, clear_prepare, clear_run, NULL },
    { "create", 2, INT_MAX, "!TABLE +COLUMN?:KEY=VALUE", "--id=", true, create_prepare, create_run, create_finish },
    { "destroy", 1, INT_MAX, "!TABLE *RECORD", "--if-exists,--all", true, destroy_prepare, destroy_run, NULL },
};
const size_t dbctl_n_write_commands = ARRAY_SIZE(dbctl_write_commands);
