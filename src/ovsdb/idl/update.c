/* Applies what the server says to the replica. */
#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"

/* A column of a row has a new value, which is taken over. */
static void
row_put(struct idl_row *row, unsigned column, struct datum *value)
{
    const struct col_type *type = &row->table->schema->columns[column].type;

    idl_indexes_column(row, column, false);
    datum_take(&row->fields[column], value, type);
    idl_indexes_column(row, column, true);
    if (row->table->modes[column] != IDL_ALERT || row->changes & IDL_ROW_INSERTED) {
        return;
    }
    if (!row->changed) {
        row->changed = xcalloc(bits_words(row->table->schema->n_columns), sizeof *row->changed);
    }
    bit_set(row->changed, column);
    idl_row_mark(row, IDL_ROW_MODIFIED);
}

/* Calls 'put' for every column in 'json' that is replicated, with its value or the difference. */
static struct error *
row_each_column(struct idl_row *row, const struct json *json, bool diff,
                void (*put)(struct idl_row *, unsigned column, struct datum *))
{
    if (!js_is(json, JS_OBJECT)) {
        return error_new("row is not a JSON object");
    }
    for (void *it = js_iter(json); it; it = js_iter_next(json, it)) {
        const struct column *c = table_schema_column(row->table->schema, js_iter_name(it));
        struct datum value;
        struct dberr *e;

        if (!c || c->index < COL_N_STD || row->table->modes[c->index] == IDL_OMIT) {
            continue;
        }
        e = diff ? datum_from_json_diff(&value, &c->type, js_iter_value(it))
                 : datum_from_json_loose(&value, &c->type, js_iter_value(it), NULL);
        if (e) {
            return error_wrap(dberr_to_error(e), "column %s of table %s", c->name, row->table->schema->name);
        }
        put(row, c->index, &value);
    }
    return NULL;
}

static void
put_if_different(struct idl_row *row, unsigned column, struct datum *value)
{
    const struct col_type *type = &row->table->schema->columns[column].type;

    if (datum_equal(value, &row->fields[column], type)) {
        datum_uninit(value, type);
    } else {
        row_put(row, column, value);
    }
}

static void
put_difference(struct idl_row *row, unsigned column, struct datum *diff)
{
    const struct col_type *type = &row->table->schema->columns[column].type;
    struct datum result;

    datum_apply_diff(&result, &row->fields[column], diff, type);
    datum_uninit(diff, type);
    row_put(row, column, &result);
}

/* Columns that 'json' leaves out have their defaults. */
static void
reset_absent(struct idl_row *row, const struct json *json)
{
    const struct table_schema *ts = row->table->schema;

    for (size_t i = COL_N_STD; i < ts->n_columns; i++) {
        if (row->table->modes[i] != IDL_OMIT && !js_get(json, ts->columns[i].name)) {
            struct datum value;

            datum_init_default(&value, &ts->columns[i].type);
            put_if_different(row, i, &value);
        }
    }
}

static struct error *
row_replace(struct idl_table *t, const struct uuid *uuid, struct idl_row *row, const struct json *json)
{
    /* A row whose uuid the open transaction chose is the server's from now on, and stays when the transaction ends. */
    const bool ours = row && row->overlay && row->overlay->inserted;

    if (!row || ours) {
        if (ours) {
            row->overlay->inserted = false;
        } else {
            row = idl_row_create(t, uuid);
        }
        idl_indexes_add(row);
        idl_row_mark(row, IDL_ROW_INSERTED);
        return row_each_column(row, json, false, row_put);
    }
    row->stale = false;
    reset_absent(row, json);
    return row_each_column(row, json, false, put_if_different);
}

static void
row_delete(struct idl_row *row)
{
    idl_indexes_remove(row);
    hmap_remove(&row->table->rows, &row->node);
    if (row->changes & IDL_ROW_INSERTED && !row->overlay) {
        idl_row_free(row); /* The program never saw it. */
    } else {
        idl_row_mark(row, IDL_ROW_DELETED);
    }
}

static struct error *
row_update1(struct idl_table *t, const struct uuid *uuid, struct idl_row *row, const struct json *json)
{
    const struct json *new = js_get(json, "new");

    if (!new || js_is(new, JS_NULL)) {
        if (row) {
            row_delete(row);
        }
        return NULL;
    }
    /* "new" holds all the columns of the monitor. */
    return row_replace(t, uuid, row, new);
}

static struct error *
row_update2(struct idl_table *t, const struct uuid *uuid, struct idl_row *row, const struct json *json)
{
    const struct json *new = js_get(json, "initial");

    new = new ? new : js_get(json, "insert");
    if (new) {
        return row_replace(t, uuid, row, new);
    }
    if (js_get(json, "modify")) {
        return row ? row_each_column(row, js_get(json, "modify"), true, put_difference)
                   : error_new("modification of a row of table %s that is not there", t->schema->name);
    }
    if (!js_get(json, "delete")) {
        return error_new("row update without a known member");
    }
    if (row) {
        row_delete(row);
    }
    return NULL;
}

static struct error *
named_row_update(struct idl_table *t, const char *name, const struct json *update, int version)
{
    struct uuid uuid;

    if (!uuid_parse(&uuid, name) || !js_is(update, JS_OBJECT)) {
        return error_new("bad row update \"%s\" in table %s", name, t->schema->name);
    }
    return (version == 1 ? row_update1 : row_update2)(t, &uuid, idl_row_find(t, &uuid), update);
}

/* The table of an update; null, with an error, if there should be none. */
static struct idl_table *
table_to_update(struct idl *idl, const char *name, struct error **e)
{
    const struct table_schema *ts = schema_table(idl->schema, name);

    if (ts && idl->tables[ts->index].wanted) {
        return &idl->tables[ts->index];
    }
    *e = error_new("update of table \"%s\", which was not asked for", name);
    return NULL;
}

static struct error *
table_update(struct idl_table *t, const struct json *rows, int version)
{
    struct error *e = NULL;

    if (!js_is(rows, JS_OBJECT)) {
        return error_new("update of table %s is not a JSON object", t->schema->name);
    }
    for (void *it = js_iter(rows); it && !e; it = js_iter_next(rows, it)) {
        e = named_row_update(t, js_iter_name(it), js_iter_value(it), version);
    }
    return e;
}

struct error *
idl_update(struct idl *idl, const struct json *updates, int version)
{
    struct error *e = NULL;

    if (!js_is(updates, JS_OBJECT)) {
        return error_new("table updates are not a JSON object");
    }
    for (void *it = js_iter(updates); it && !e; it = js_iter_next(updates, it)) {
        struct idl_table *t = table_to_update(idl, js_iter_name(it), &e);

        e = t ? table_update(t, js_iter_value(it), version) : e;
    }
    return e;
}

/* ---- The same from text: one row at a time is read ---- */

static struct error *
row_scan(struct idl_table *t, const char *name, struct js_scan *s, int version)
{
    struct error *e;
    struct json *update = js_scan_json(s, &e);

    e = e ? e : named_row_update(t, name, update, version);
    js_unref(update);
    return e;
}

static struct error *
table_scan(struct idl_table *t, struct js_scan *s, int version)
{
    struct error *e = NULL;
    char *name;
    bool first;

    js_scan_enter(s, '{', &first);
    while (!e && (name = js_scan_member(s, &first))) {
        e = row_scan(t, name, s, version);
        free(name);
    }
    return e;
}

struct error *
idl_update_scan(struct idl *idl, struct js_scan *s, int version)
{
    struct error *e = NULL;
    char *name;
    bool first;

    js_scan_enter(s, '{', &first);
    while (!e && (name = js_scan_member(s, &first))) {
        struct idl_table *t = table_to_update(idl, name, &e);

        e = t ? table_scan(t, s, version) : e;
        free(name);
    }
    return !e && s->bad ? error_new("table updates are not what they should be") : e;
}

void
idl_refill_begin(struct idl *idl)
{
    for (size_t i = 0; i < idl->schema->n_tables; i++) {
        HMAP_FOR_EACH (row, struct idl_row, node, &idl->tables[i].rows) {
            row->stale = !(row->overlay && row->overlay->inserted);
        }
    }
}

void
idl_refill_end(struct idl *idl)
{
    for (size_t i = 0; i < idl->schema->n_tables; i++) {
        HMAP_FOR_EACH_SAFE (row, struct idl_row, node, &idl->tables[i].rows) {
            if (row->stale) {
                row_delete(row);
            }
        }
    }
}
