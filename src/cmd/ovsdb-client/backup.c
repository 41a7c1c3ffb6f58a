#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ovsdb-client/oc.h"
#include "ovsdb/store/log.h"
#include "ovsdb/store/record.h"
#include "sys/clock.h"
#include "sys/cmdline.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_client)

/* "backup": the columns that are worth keeping. */
static struct json *
select_op(const struct table_schema *ts)
{
    struct json *op = js_object(), *columns = js_array();

    for (size_t i = 0; i < ts->n_columns; i++) {
        if (i == COL_UUID || (i >= COL_N_STD && ts->columns[i].is_persistent)) {
            js_append_take(columns, js_str(ts->columns[i].name));
        }
    }
    js_set_take(op, "op", js_str("select"));
    js_set_take(op, "table", js_str(ts->name));
    js_set_take(op, "where", js_array());
    js_set_take(op, "columns", columns);
    return op;
}

/* The rows of a reply to "select" as {uuid: row}. */
static struct json *
rows_by_uuid(const struct table_schema *ts, const struct json *reply)
{
    const struct json *rows = js_get(reply, "rows");
    struct json *object = js_object();

    if (!js_is(rows, JS_ARRAY)) {
        cmdline_fatal(0, "%s table reply is not an object with a \"rows\" member array", ts->name);
    }
    for (size_t i = 0; i < js_array_len(rows); i++) {
        struct json *row = js_clone(js_at(rows, i));
        const struct json *uuid = js_at(js_get(row, "_uuid"), 1);
        char *text;

        if (!js_is(uuid, JS_STRING)) {
            cmdline_fatal(0, "%s table reply row lacks _uuid column", ts->name);
        }
        text = xstrdup(js_str_value(uuid));
        js_remove(row, "_uuid");
        js_set_take(object, text, row);
        free(text);
    }
    return object;
}

static void
print_record(const struct json *body)
{
    char *text = js_to_string(body, JS_COMPACT);
    struct bytes record = BYTES_INIT;

    log_put_record(&record, text, strlen(text));
    if (fwrite(record.data, 1, record.len, stdout) != record.len) {
        cmdline_fatal(0, "cannot write the backup");
    }
    bytes_uninit(&record);
    free(text);
}

void
oc_backup(struct oc *oc)
{
    struct schema *schema;
    struct json *params, *result, *body, *json;

    if (isatty(STDOUT_FILENO)) {
        cmdline_fatal(0, "not writing backup to a terminal; please redirect stdout to a file");
    }
    schema = oc_get_schema(oc);
    params = oc_params(oc->database);
    for (size_t i = 0; i < schema->n_tables; i++) {
        js_append_take(params, select_op(&schema->tables[i]));
    }
    result = oc_call(oc, "transact", params);
    body = js_object();
    js_set_take(body, "_date", js_int(clock_wall_ms()));
    js_set_take(body, "_comment", js_str("produced by \"ovsdb-client backup\""));
    js_set_take(body, "_is_diff", js_bool(true));
    for (size_t i = 0; i < schema->n_tables; i++) {
        struct json *rows = rows_by_uuid(&schema->tables[i], js_at(result, i));

        if (js_object_len(rows)) {
            js_set_take(body, schema->tables[i].name, rows);
        } else {
            js_unref(rows);
        }
    }
    json = schema_to_json(schema);
    print_record(json);
    print_record(body);
    js_unref(json);
    js_unref(body);
    js_unref(result);
    schema_unref(schema);
}

/* "restore". */

/* The database in the file on standard input. */
static struct db *
read_backup(void)
{
    enum log_kind kind;
    struct log_reader *r;
    struct schema *schema;
    struct json *json;
    char *body;
    struct db *db;
    size_t len;

    oc_check(log_reader_open(&store_io_system, "/dev/stdin", false, &r, &kind));
    if (kind != LOG_STANDALONE) {
        cmdline_fatal(0, "/dev/stdin: a clustered database cannot be restored from");
    }
    oc_check(log_reader_next(r, &body, &len));
    if (!body) {
        cmdline_fatal(0, "/dev/stdin: the file is empty");
    }
    cmdline_fatal_error(error_wrap(js_parse(body, len, &json), "/dev/stdin"));
    oc_check(schema_from_json(&schema, json));
    js_unref(json);
    db = db_create(schema);
    schema_unref(schema);
    for (;;) {
        oc_check(log_reader_next(r, &body, &len));
        if (!body) {
            break;
        }
        oc_check(record_apply(db, body, len, NULL));
    }
    log_reader_close(r);
    return db;
}

/* New rows get new identities, so they are referred to by name: "row" and the old one. */
static char *
row_name(const struct uuid *uuid)
{
    char text[UUID_LEN + 1];
    char *name;

    uuid_format(uuid, text);
    name = xasprintf("row%s", text);
    for (char *p = name; *p; p++) {
        *p = *p == '-' ? '_' : *p;
    }
    return name;
}

static struct json *
pair(const char *tag, struct json *value)
{
    struct json *array = js_array();

    js_append_take(array, js_str(tag));
    js_append_take(array, value);
    return array;
}

/* An atom, with references to rows of the backup by name. */
static struct json *
atom_by_name(const struct db *db, const struct base_type *base, const union atom *a)
{
    const struct table *to = base_is_ref(base) ? db_table(db, base->uuid.ref_table) : NULL;

    if (to && table_row(to, &a->uuid)) {
        char *name = row_name(&a->uuid);
        struct json *json = pair("named-uuid", js_str(name));

        free(name);
        return json;
    }
    return atom_to_json(a, base->type);
}

static struct json *
datum_by_name(const struct db *db, const struct datum *d, const struct col_type *type)
{
    struct json *elements;

    if (!base_is_ref(&type->key) && !base_is_ref(&type->value)) {
        return datum_to_json(d, type);
    }
    elements = js_array();
    for (uint32_t i = 0; i < d->n; i++) {
        struct json *key = atom_by_name(db, &type->key, &datum_keys(d)[i]);

        if (type_is_map(type)) {
            struct json *entry = js_array();

            js_append_take(entry, key);
            js_append_take(entry, atom_by_name(db, &type->value, &datum_values(d)[i]));
            js_append_take(elements, entry);
        } else {
            js_append_take(elements, key);
        }
    }
    return pair(type_is_map(type) ? "map" : "set", elements);
}

static struct json *
insert_op(const struct db *db, const struct row *row, const struct table_schema *to)
{
    const struct table_schema *ts = row->table->schema;
    struct json *op = js_object(), *values = js_object();
    char *name = row_name(&row->uuid);

    for (size_t i = COL_N_STD; i < ts->n_columns; i++) {
        const struct column *c = &ts->columns[i];
        const struct column *there = table_schema_column(to, c->name);

        if (datum_is_default(&row->tuple->fields[i], &c->type)) {
            continue;
        }
        if (!there) {
            cmdline_fatal(0, "the backup has values in column %s of table %s, which the database does not have",
                          c->name, ts->name);
        }
        if (there->is_persistent) {
            js_set_take(values, c->name, datum_by_name(db, &row->tuple->fields[i], &c->type));
        }
    }
    js_set_take(op, "op", js_str("insert"));
    js_set_take(op, "table", js_str(ts->name));
    js_set_take(op, "uuid-name", js_str(name));
    js_set_take(op, "row", values);
    free(name);
    return op;
}

static struct json *
delete_op(const char *table)
{
    struct json *op = js_object();

    js_set_take(op, "op", js_str("delete"));
    js_set_take(op, "table", js_str(table));
    js_set_take(op, "where", js_array());
    return op;
}

static void
check_schemas(const struct oc *oc, const struct schema *backup, const struct schema *there)
{
    char *text;

    if (schema_equal(backup, there)) {
        return;
    }
    text = strcmp(backup->version, there->version)
           ? xasprintf("backup schema has version \"%s\" but database schema has version \"%s\"", backup->version,
                       there->version)
           : xasprintf("backup schema and database schema are both version %s but still differ", there->version);
    if (!oc->force) {
        cmdline_fatal(0, "%s (use --force to override differences, or \"ovsdb-client convert\" to change the schema)",
                      text);
    }
    log_info("%s", text);
    free(text);
}

/* The operations that insert the rows of a table.  What has no place in the database is an error, since it would be
 * lost. */
static void
put_inserts(struct json *params, const struct db *db, const struct table *from, const struct schema *there)
{
    const struct table_schema *to = schema_table(there, from->schema->name);

    TABLE_FOR_EACH_ROW (row, from) {
        if (!to) {
            cmdline_fatal(0, "the backup has rows in table %s, which the database does not have", from->schema->name);
        }
        js_append_take(params, insert_op(db, row, to));
    }
}

void
oc_restore(struct oc *oc)
{
    struct schema *there = oc_get_schema(oc);
    struct json *params = oc_params(oc->database), *result, *comment = js_object();
    struct db *db;

    if (isatty(STDIN_FILENO)) {
        cmdline_fatal(0, "not reading backup from a terminal; please redirect stdin from a file");
    }
    db = read_backup();
    check_schemas(oc, db->schema, there);
    for (size_t i = 0; i < there->n_tables; i++) {
        js_append_take(params, delete_op(there->tables[i].name));
    }
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        put_inserts(params, db, &db->tables[i], there);
    }
    js_set_take(comment, "op", js_str("comment"));
    js_set_take(comment, "comment", js_str("ovsdb-client: restored database backup"));
    js_append_take(params, comment);
    result = oc_call(oc, "transact", params);
    for (size_t i = 0; i < js_array_len(result); i++) {
        if (js_get(js_at(result, i), "error")) {
            cmdline_fatal(0, "transaction returned error: %s", js_to_string(js_at(result, i), JS_SORTED));
        }
    }
    js_unref(result);
    db_destroy(db);
    schema_unref(there);
}
