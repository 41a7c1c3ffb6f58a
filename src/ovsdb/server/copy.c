#include "ovsdb/server/copy.h"

#include <stdlib.h>

#include "base/bits.h"
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

/* An update in progress. */
struct copying {
    struct txn *txn;
    enum copy_form form;
    const struct strmap *left_out;
    uint64_t **stale; /* By table, then slot: the row was there, and has not come yet.  Null unless all rows come. */
    size_t *n_stale;  /* Slots. */
};

static void
note_rows(struct copying *c, size_t i)
{
    const struct table *t = &c->txn->db->tables[i];

    c->n_stale[i] = t->n_slots;
    c->stale[i] = xcalloc(bits_words(t->n_slots), sizeof **c->stale);
    TABLE_FOR_EACH_ROW (row, t) {
        bit_set(c->stale[i], row->slot);
    }
}

static struct copying
copying_begin(struct db *db, enum copy_form form, bool whole, const struct strmap *left_out)
{
    struct copying c = { .txn = txn_begin(db), .form = form, .left_out = left_out };

    if (whole) {
        c.stale = xcalloc(db->schema->n_tables, sizeof *c.stale);
        c.n_stale = xcalloc(db->schema->n_tables, sizeof *c.n_stale);
        for (size_t i = 0; i < db->schema->n_tables; i++) {
            if (!is_left_out(left_out, db->schema->tables[i].name)) {
                note_rows(&c, i);
            }
        }
    }
    return c;
}

/* Deletes the rows that have not come. */
static void
delete_stale(struct copying *c)
{
    struct db *db = c->txn->db;

    for (size_t i = 0; i < db->schema->n_tables && c->stale; i++) {
        for (size_t slot = 0; slot < c->n_stale[i]; slot++) {
            if (bit_get(c->stale[i], slot)) {
                txn_delete(c->txn, db->tables[i].slots[slot]);
            }
        }
    }
}

/* 'e' is why the update cannot be applied, or null. */
static struct dberr *
copying_end(struct copying *c, struct dberr *e)
{
    struct db *db = c->txn->db;

    if (e) {
        txn_abort(c->txn);
    } else {
        delete_stale(c);
        e = txn_commit(c->txn, NULL);
    }
    for (size_t i = 0; i < db->schema->n_tables && c->stale; i++) {
        free(c->stale[i]);
    }
    free(c->stale);
    free(c->n_stale);
    return e;
}

static struct dberr *
copy_row(struct copying *c, struct table *table, const char *name, const struct json *update)
{
    struct uuid uuid;
    struct row *row;

    if (!uuid_parse(&uuid, name)) {
        return dberr_syntax(NULL, "\"%s\" is not a UUID", name);
    }
    row = c->stale ? table_row(table, &uuid) : NULL;
    if (row && row->slot < c->n_stale[table->schema->index]) {
        bit_clear(c->stale[table->schema->index], row->slot);
    }
    return update_row(c->txn, table, &uuid, update, c->form);
}

/* The table of an update; null, with an error, if there should be none. */
static struct table *
table_to_copy(struct copying *c, const char *name, struct dberr **error)
{
    struct table *table = is_left_out(c->left_out, name) ? NULL : db_table(c->txn->db, name);

    *error = table ? NULL : dberr_syntax(NULL, "update of table \"%s\", which was not asked for", name);
    return table;
}

/* Updates that are there as values. */

static struct dberr *
copy_rows(struct copying *c, struct table *table, const struct json *rows)
{
    struct dberr *error = NULL;

    if (!js_is(rows, JS_OBJECT)) {
        return dberr_syntax(rows, "update of table %s is not an object", table->schema->name);
    }
    for (void *it = js_iter(rows); it && !error; it = js_iter_next(rows, it)) {
        error = copy_row(c, table, js_iter_name(it), js_iter_value(it));
    }
    return error;
}

struct dberr *
copy_update(struct db *db, const struct json *updates, enum copy_form form, bool whole, const struct strmap *left_out)
{
    struct copying c;
    struct dberr *error = NULL;

    if (!js_is(updates, JS_OBJECT)) {
        return dberr_syntax(updates, "table updates are not an object");
    }
    c = copying_begin(db, form, whole, left_out);
    for (void *it = js_iter(updates); it && !error; it = js_iter_next(updates, it)) {
        struct table *table = table_to_copy(&c, js_iter_name(it), &error);

        error = table ? copy_rows(&c, table, js_iter_value(it)) : error;
    }
    return copying_end(&c, error);
}

/* Updates that are there as text: of each row one value at a time. */

static struct dberr *
not_json(struct error *why)
{
    struct dberr *e = dberr_syntax(NULL, "table updates are not what they should be%s%s", why ? ": " : "",
                                   why ? error_text(why) : "");

    error_free(why);
    return e;
}

static struct dberr *
scan_row(struct copying *c, struct table *table, const char *name, struct js_scan *s)
{
    struct error *error;
    struct json *update = js_scan_json(s, &error);
    struct dberr *e = error ? not_json(error) : copy_row(c, table, name, update);

    js_unref(update);
    return e;
}

static struct dberr *
scan_rows(struct copying *c, struct table *table, struct js_scan *s)
{
    struct dberr *e = NULL;
    char *name;
    bool first;

    js_scan_enter(s, '{', &first);
    while (!e && (name = js_scan_member(s, &first))) {
        e = scan_row(c, table, name, s);
        free(name);
    }
    return e;
}

struct dberr *
copy_update_scan(struct db *db, struct js_scan *s, enum copy_form form, bool whole, const struct strmap *left_out)
{
    struct copying c = copying_begin(db, form, whole, left_out);
    struct dberr *e = NULL;
    char *name;
    bool first;

    js_scan_enter(s, '{', &first);
    while (!e && (name = js_scan_member(s, &first))) {
        struct table *table = table_to_copy(&c, name, &e);

        e = table ? scan_rows(&c, table, s) : e;
        free(name);
    }
    return copying_end(&c, !e && s->bad ? not_json(NULL) : e);
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
