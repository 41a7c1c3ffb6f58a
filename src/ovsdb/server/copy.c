#include "ovsdb/server/copy.h"

#include <stdlib.h>

#include "ovsdb/engine/txn.h"

/* A row that is being changed: 'fields' is null until the first difference is found. */
struct target {
    struct txn *txn;
    struct row *row;
    struct datum *fields;
};

static bool
is_left_out(const struct strmap *left_out, const char *table)
{
    return strmap_find(left_out, table) != NULL;
}

/* Puts a value, which is taken over, if it is not the present one. */
static void
put(struct target *t, const struct column *c, struct datum *value)
{
    if (datum_equal(value, &t->row->tuple->fields[c->index], &c->type)) {
        datum_uninit(value, &c->type);
        return;
    }
    if (!t->fields) {
        t->fields = txn_modify(t->txn, t->row);
    }
    datum_take(&t->fields[c->index], value, &c->type);
}

static struct dberr *
put_value(struct target *t, const struct column *c, const struct json *json)
{
    struct datum value;
    struct dberr *error = datum_from_json(&value, &c->type, json, NULL);

    if (!error) {
        put(t, c, &value);
    }
    return error;
}

static struct dberr *
put_difference(struct target *t, const struct column *c, const struct json *json)
{
    struct datum diff, value;
    struct dberr *error = datum_from_json_diff(&diff, &c->type, json);

    if (error) {
        return error;
    }
    datum_apply_diff(&value, &t->row->tuple->fields[c->index], &diff, &c->type);
    datum_uninit(&diff, &c->type);
    error = datum_check(&value, &c->type);
    if (error) {
        datum_uninit(&value, &c->type);
    } else {
        put(t, c, &value);
    }
    return error;
}

/* Calls 'put_column' for each column of the row object 'json' that we have. */
static struct dberr *
put_columns(struct target *t, const struct json *json,
            struct dberr *(*put_column)(struct target *, const struct column *, const struct json *))
{
    struct dberr *error = NULL;

    if (!js_is(json, JS_OBJECT)) {
        return dberr_syntax(json, "row update is not an object");
    }
    for (void *it = js_iter(json); it && !error; it = js_iter_next(json, it)) {
        const struct column *c = table_schema_column(t->row->table->schema, js_iter_name(it));

        if (c && c->index >= COL_N_STD) {
            error = put_column(t, c, js_iter_value(it));
        }
    }
    return error;
}

/* Columns that 'json' leaves out have their defaults. */
static void
reset_absent(struct target *t, const struct json *json)
{
    const struct table_schema *ts = t->row->table->schema;

    for (size_t i = COL_N_STD; i < ts->n_columns; i++) {
        const struct column *c = &ts->columns[i];

        if (!js_get(json, c->name)) {
            struct datum value;

            datum_init_default(&value, &c->type);
            put(t, c, &value);
        }
    }
}

static struct dberr *
replace_row(struct txn *txn, struct table *table, const struct uuid *uuid, const struct json *json)
{
    struct target t = { .txn = txn, .row = table_row(table, uuid) };
    struct dberr *error;

    if (!t.row) {
        if (!txn_uuid_is_free(table, uuid)) {
            return dberr_syntax(json, "a row is inserted that was deleted in the same update");
        }
        t.row = txn_insert(txn, table, uuid);
        t.fields = t.row->tuple->fields;
    } else {
        reset_absent(&t, json);
    }
    error = put_columns(&t, json, put_value);
    if (t.fields) {
        txn_modify_done(t.row);
    }
    return error;
}

static struct dberr *
modify_row(struct txn *txn, struct table *table, const struct uuid *uuid, const struct json *json)
{
    struct target t = { .txn = txn, .row = table_row(table, uuid) };
    struct dberr *error;

    if (!t.row) {
        return dberr_syntax(json, "modification of a row of table %s that is not there", table->schema->name);
    }
    error = put_columns(&t, json, put_difference);
    if (t.fields) {
        txn_modify_done(t.row);
    }
    return error;
}

static void
delete_row(struct txn *txn, struct table *table, const struct uuid *uuid)
{
    struct row *row = table_row(table, uuid);

    if (row) {
        txn_delete(txn, row);
    }
}

static struct dberr *
update_row(struct txn *txn, struct table *table, const struct uuid *uuid, const struct json *update,
           enum copy_form form)
{
    const struct json *new = js_get(update, form == COPY_UPDATES ? "new" : "insert");

    if (!new && form == COPY_UPDATES2) {
        new = js_get(update, "initial");
    }
    if (new && !js_is(new, JS_NULL)) {
        return replace_row(txn, table, uuid, new);
    } else if (form == COPY_UPDATES2 && js_get(update, "modify")) {
        return modify_row(txn, table, uuid, js_get(update, "modify"));
    } else if (form == COPY_UPDATES ? js_get(update, "old") != NULL : js_get(update, "delete") != NULL) {
        delete_row(txn, table, uuid);
        return NULL;
    }
    return dberr_syntax(update, "row update without a known member");
}

static struct dberr *
update_table(struct txn *txn, struct table *table, const struct json *rows, enum copy_form form)
{
    struct dberr *error = NULL;

    if (!js_is(rows, JS_OBJECT)) {
        return dberr_syntax(rows, "update of table %s is not an object", table->schema->name);
    }
    for (void *it = js_iter(rows); it && !error; it = js_iter_next(rows, it)) {
        struct uuid uuid;

        error = uuid_parse(&uuid, js_iter_name(it))
                    ? update_row(txn, table, &uuid, js_iter_value(it), form)
                    : dberr_syntax(NULL, "\"%s\" is not a UUID", js_iter_name(it));
    }
    return error;
}

/* Deletes the rows of a table that 'rows' (null: there are none) does not have. */
static void
delete_others(struct txn *txn, struct table *table, const struct json *rows)
{
    struct condition all = CONDITION_INIT;
    size_t n;
    struct row **present = table_find(table, &all, &n);

    for (size_t i = 0; i < n; i++) {
        char text[UUID_LEN + 1];

        uuid_format(&present[i]->uuid, text);
        if (!rows || !js_get(rows, text)) {
            txn_delete(txn, present[i]);
        }
    }
    free(present);
}

struct dberr *
copy_update(struct db *db, const struct json *updates, enum copy_form form, bool whole, const struct strmap *left_out)
{
    struct txn *txn;
    struct dberr *error = NULL;

    if (!js_is(updates, JS_OBJECT)) {
        return dberr_syntax(updates, "table updates are not an object");
    }
    txn = txn_begin(db);
    for (size_t i = 0; i < db->schema->n_tables && whole; i++) {
        if (!is_left_out(left_out, db->schema->tables[i].name)) {
            delete_others(txn, &db->tables[i], js_get(updates, db->schema->tables[i].name));
        }
    }
    for (void *it = js_iter(updates); it && !error; it = js_iter_next(updates, it)) {
        struct table *table = db_table(db, js_iter_name(it));

        if (!table || is_left_out(left_out, js_iter_name(it))) {
            error = dberr_syntax(NULL, "update of table \"%s\", which was not asked for", js_iter_name(it));
        } else {
            error = update_table(txn, table, js_iter_value(it), form);
        }
    }
    if (error) {
        txn_abort(txn);
        return error;
    }
    return txn_commit(txn, NULL);
}

static struct error *
check_table(const struct table_schema *ours, const struct table_schema *theirs)
{
    if (!ours) {
        return error_new("Table %s not present in the local db schema", theirs->name);
    }
    for (size_t i = COL_N_STD; i < theirs->n_columns; i++) {
        const struct column *c = table_schema_column(ours, theirs->columns[i].name);

        if (!c) {
            return error_new("Column %s not present in the local db schema table %s.", theirs->columns[i].name,
                             theirs->name);
        } else if (!col_type_equal(&c->type, &theirs->columns[i].type)) {
            return error_new("Column %s mismatch in local db schema table %s.", c->name, theirs->name);
        }
    }
    return NULL;
}

struct error *
copy_check_schema(const struct schema *ours, const struct schema *theirs, const struct strmap *left_out)
{
    struct error *error = NULL;

    for (size_t i = 0; i < theirs->n_tables && !error; i++) {
        const struct table_schema *t = &theirs->tables[i];

        if (!is_left_out(left_out, t->name)) {
            error = check_table(schema_table(ours, t->name), t);
        }
    }
    return error;
}

static struct json *
columns_of_both(const struct table_schema *ours, const struct table_schema *theirs)
{
    struct json *columns = js_array();

    for (size_t i = COL_N_STD; i < theirs->n_columns; i++) {
        if (table_schema_column(ours, theirs->columns[i].name)) {
            js_append_take(columns, js_str(theirs->columns[i].name));
        }
    }
    return columns;
}

struct json *
copy_requests(const struct schema *ours, const struct schema *theirs, const struct strmap *left_out)
{
    struct json *requests = js_object();

    for (size_t i = 0; i < theirs->n_tables; i++) {
        const struct table_schema *t = schema_table(ours, theirs->tables[i].name);

        if (t && !is_left_out(left_out, t->name)) {
            struct json *request = js_object(), *list = js_array();

            js_set_take(request, "columns", columns_of_both(t, &theirs->tables[i]));
            js_append_take(list, request);
            js_set_take(requests, t->name, list);
        }
    }
    return requests;
}
