/* A transaction as operations (RFC 7047 section 5.2), and the server's results. */
#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"

static struct json *
pair(const char *tag, struct json *value)
{
    struct json *a = js_array();

    js_append_take(a, js_str(tag));
    js_append_take(a, value);
    return a;
}

static char *
row_name(const struct uuid *uuid)
{
    char text[UUID_LEN + 1];

    uuid_format(uuid, text);
    for (char *p = text; *p; p++) {
        if (*p == '-') {
            *p = '_';
        }
    }
    return xasprintf("row%s", text);
}

static struct json *
uuid_json(const struct uuid *uuid)
{
    char text[UUID_LEN + 1];

    uuid_format(uuid, text);
    return pair("uuid", js_str(text));
}

/* The inserted row that 'atom' (an array) refers to and that has no final uuid; null if there is none. */
static const struct idl_row *
atom_names_new_row(const struct idl_txn *txn, const struct json *atom)
{
    struct uuid uuid;

    if (js_array_len(atom) != 2 || !js_is(js_at(atom, 0), JS_STRING) || !js_is(js_at(atom, 1), JS_STRING)
        || strcmp(js_str_value(js_at(atom, 0)), "uuid") || !uuid_parse(&uuid, js_str_value(js_at(atom, 1)))) {
        return NULL;
    }
    LIST_FOR_EACH (row, struct idl_row, overlay_node, &txn->rows) {
        if (row->overlay->inserted && !row->overlay->uuid_given && uuid_equal(&row->uuid, &uuid)) {
            return row;
        }
    }
    return NULL;
}

/* Replaces references to inserted rows by their names; takes and returns a reference.  Values nest four deep at most:
 * ["map",[[["uuid",X],["uuid",Y]],...]]. */
static struct json *
name_new_rows(const struct idl_txn *txn, struct json *value)
{
    const struct idl_row *row;
    struct json *copy;

    if (!js_is(value, JS_ARRAY)) {
        return value;
    }
    row = atom_names_new_row(txn, value);
    if (row) {
        char *name = row_name(&row->uuid);

        copy = pair("named-uuid", js_str(name));
        free(name);
    } else {
        copy = js_array();
        for (size_t i = 0; i < js_array_len(value); i++) {
            js_append_take(copy, name_new_rows(txn, js_ref(js_at(value, i))));
        }
    }
    js_unref(value);
    return copy;
}

static struct json *
value_json(const struct idl_txn *txn, const struct datum *d, const struct col_type *type)
{
    struct json *value = datum_to_json(d, type);

    return type->key.type == ATOM_UUID || type->value.type == ATOM_UUID ? name_new_rows(txn, value) : value;
}

static struct json *
operation(const char *op, const struct idl_table *t)
{
    struct json *o = js_object();

    js_set_take(o, "op", js_str(op));
    if (t) {
        js_set_take(o, "table", js_str(t->schema->name));
    }
    return o;
}

static struct json *
row_operation(const char *op, const struct idl_row *row)
{
    struct json *o = operation(op, row->table), *clause = js_array(), *where = js_array();

    js_append_take(clause, js_str("_uuid"));
    js_append_take(clause, js_str("=="));
    js_append_take(clause, uuid_json(&row->uuid));
    js_append_take(where, clause);
    js_set_take(o, "where", where);
    return o;
}

static void
put_operation(struct idl_txn *txn, struct json *ops, struct json *op, bool changes)
{
    js_append_take(ops, op);
    txn->n_ops++;
    txn->n_changes += changes;
}

/* "wait" until the verified columns are what the replica says, with no time to wait. */
static void
put_verification(struct idl_txn *txn, struct json *ops, const struct idl_row *row)
{
    struct json *columns = js_array(), *fields = js_object(), *rows = js_array(), *op;
    const struct table_schema *ts = row->table->schema;

    for (size_t i = COL_N_STD; i < ts->n_columns; i++) {
        if (bit_get(row->overlay->verified, i)) {
            js_append_take(columns, js_str(ts->columns[i].name));
            js_set_take(fields, ts->columns[i].name, datum_to_json(&row->overlay->seen[i], &ts->columns[i].type));
        }
    }
    if (!js_array_len(columns)) {
        js_unref(columns);
        js_unref(fields);
        js_unref(rows);
        return;
    }
    js_append_take(rows, fields);
    op = row_operation("wait", row);
    js_set_take(op, "timeout", js_int(0));
    js_set_take(op, "columns", columns);
    js_set_take(op, "until", js_str("=="));
    js_set_take(op, "rows", rows);
    put_operation(txn, ops, op, false);
}

static struct json *
verification_of_empty(const struct idl_table *t)
{
    struct json *op = operation("wait", t);

    js_set_take(op, "timeout", js_int(0));
    js_set_take(op, "where", js_array());
    js_set_take(op, "until", js_str("=="));
    js_set_take(op, "rows", js_array());
    return op;
}

/* The columns with whole new values as an object.  A new row omits what has its default. */
static struct json *
written_columns(const struct idl_txn *txn, const struct idl_row *row)
{
    const struct table_schema *ts = row->table->schema;
    struct json *fields = js_object();

    for (size_t i = COL_N_STD; i < ts->n_columns; i++) {
        const struct idl_overlay *o = row->overlay;

        if (bit_get(o->written, i) && !(o->inserted && datum_is_default(&o->values[i], &ts->columns[i].type))) {
            js_set_take(fields, ts->columns[i].name, value_json(txn, &o->values[i], &ts->columns[i].type));
        }
    }
    return fields;
}

static void
put_mutation(struct json *mutations, const char *column, const char *mutator, struct json *value)
{
    struct json *m = js_array();

    js_append_take(m, js_str(column));
    js_append_take(m, js_str(mutator));
    js_append_take(m, value);
    js_append_take(mutations, m);
}

/* A set as ["set",[...]] even where it has one element: the column's own limits do not matter in a mutation. */
static struct json *
mutation_set(const struct idl_txn *txn, const struct datum *d, const struct col_type *type)
{
    struct col_type any = { .key = type->key, .value = type->value, .n_min = 0, .n_max = TYPE_UNLIMITED };
    struct json *value = value_json(txn, d, &any), *list;

    if (type_is_map(&any) || d->n != 1) {
        return value;
    }
    list = js_array();
    js_append_take(list, value);
    return pair("set", list);
}

static void
put_mutations(struct idl_txn *txn, struct json *ops, const struct idl_row *row)
{
    const struct table_schema *ts = row->table->schema;
    struct json *mutations = js_array(), *op;

    for (size_t i = COL_N_STD; row->overlay->parts && i < ts->n_columns; i++) {
        const struct idl_parts *p = &row->overlay->parts[i];
        const struct col_type *type = &ts->columns[i].type;

        if (!p->in_use) {
            continue;
        }
        if (p->removed.n) {
            put_mutation(mutations, ts->columns[i].name, "delete", mutation_set(txn, &p->removed, &p->removed_type));
        }
        if (p->removed_pairs.n) {
            put_mutation(mutations, ts->columns[i].name, "delete", mutation_set(txn, &p->removed_pairs, type));
        }
        if (p->put.n) {
            put_mutation(mutations, ts->columns[i].name, "insert", mutation_set(txn, &p->put, type));
        }
    }
    if (!js_array_len(mutations)) {
        js_unref(mutations);
        return;
    }
    op = row_operation("mutate", row);
    js_set_take(op, "mutations", mutations);
    put_operation(txn, ops, op, true);
}

static void
put_insert(struct idl_txn *txn, struct json *ops, struct idl_row *row)
{
    struct json *op = operation("insert", row->table);
    char text[UUID_LEN + 1];

    if (row->overlay->uuid_given) {
        uuid_format(&row->uuid, text);
        js_set_take(op, "uuid", js_str(text));
    } else {
        char *name = row_name(&row->uuid);

        js_set_take(op, "uuid-name", js_str(name));
        free(name);
    }
    js_set_take(op, "row", written_columns(txn, row));
    row->overlay->op = txn->n_ops;
    put_operation(txn, ops, op, true);
}

static void
put_row(struct idl_txn *txn, struct json *ops, struct idl_row *row)
{
    struct json *fields, *op;

    if (row->overlay->deleted) {
        /* Rows of other tables go when nothing refers to them any more. */
        if (row->table->schema->is_root) {
            put_operation(txn, ops, row_operation("delete", row), true);
        }
        return;
    }
    if (row->overlay->inserted) {
        put_insert(txn, ops, row);
        return;
    }
    fields = written_columns(txn, row);
    if (js_object_len(fields)) {
        op = row_operation("update", row);
        js_set_take(op, "row", fields);
        put_operation(txn, ops, op, true);
    } else {
        js_unref(fields);
    }
    put_mutations(txn, ops, row);
}

static void
put_increment(struct idl_txn *txn, struct json *ops)
{
    const struct idl_row *row = txn->increment_row;
    const char *name = row->table->schema->columns[txn->increment_column].name;
    struct json *op = row_operation("mutate", row), *mutations = js_array(), *columns = js_array();

    put_mutation(mutations, name, "+=", js_int(1));
    js_set_take(op, "mutations", mutations);
    put_operation(txn, ops, op, true);
    op = row_operation("select", row);
    js_append_take(columns, js_str(name));
    js_set_take(op, "columns", columns);
    txn->increment_op = txn->n_ops;
    put_operation(txn, ops, op, false);
}

struct json *
idl_txn_to_json(struct idl_txn *txn)
{
    const char *lock = idl_session_lock(txn->idl->session);
    struct json *ops = js_array(), *op;

    js_append_take(ops, js_str(txn->idl->schema->name));
    txn->n_ops = txn->n_changes = 0;
    if (lock) {
        op = operation("assert", NULL);
        js_set_take(op, "lock", js_str(lock));
        put_operation(txn, ops, op, false);
    }
    for (size_t i = 0; txn->empty && i < txn->idl->schema->n_tables; i++) {
        if (txn->empty[i]) {
            put_operation(txn, ops, verification_of_empty(&txn->idl->tables[i]), false);
        }
    }
    LIST_FOR_EACH (row, struct idl_row, overlay_node, &txn->rows) {
        put_verification(txn, ops, row);
    }
    LIST_FOR_EACH (row, struct idl_row, overlay_node, &txn->rows) {
        put_row(txn, ops, row);
    }
    if (txn->increment_row && txn->n_changes) {
        put_increment(txn, ops);
    } else {
        txn->increment_row = NULL;
    }
    if (txn->comment.len && txn->n_changes) {
        op = operation("comment", NULL);
        js_set_take(op, "comment", js_str(str_text(&txn->comment)));
        put_operation(txn, ops, op, false);
    }
    if (txn->dry_run) {
        put_operation(txn, ops, operation("abort", NULL), false);
    }
    return ops;
}

/* ---- Results ---- */

static enum idl_status
fail(struct idl_txn *txn, const struct json *error)
{
    const char *tag = js_get_str(error, "error");

    free(txn->error);
    txn->error = NULL;
    if (tag && !strcmp(tag, "timed out")) {
        return IDL_TRY_AGAIN;
    }
    if (tag && !strcmp(tag, "aborted")) {
        return txn->dry_run ? IDL_SUCCESS : IDL_ABORTED;
    }
    if (tag && !strcmp(tag, "not owner")) {
        return IDL_NOT_LOCKED;
    }
    txn->error = js_to_string(error, JS_SORTED);
    idl_session_log_error(txn->error);
    return IDL_ERROR;
}

static bool
read_insert(struct idl_txn *txn, const struct idl_row *row, const struct json *result)
{
    const struct json *uuid = js_get(result, "uuid");
    struct idl_uuid_pair *p = &txn->uuids[txn->n_uuids];

    if (!js_is(uuid, JS_ARRAY) || js_array_len(uuid) != 2 || !js_is(js_at(uuid, 1), JS_STRING)
        || !uuid_parse(&p->final, js_str_value(js_at(uuid, 1)))) {
        return false;
    }
    p->provisional = row->uuid;
    txn->n_uuids++;
    return true;
}

static bool
read_increment(struct idl_txn *txn, const struct json *result)
{
    const char *name = txn->increment_row->table->schema->columns[txn->increment_column].name;
    const struct json *rows = js_get(result, "rows"), *value;

    if (!js_is(rows, JS_ARRAY) || js_array_len(rows) != 1) {
        return false;
    }
    value = js_get(js_at(rows, 0), name);
    if (!js_is(value, JS_INTEGER)) {
        return false;
    }
    txn->incremented = js_int_value(value);
    return true;
}

static enum idl_status
malformed(struct idl_txn *txn)
{
    free(txn->error);
    txn->error = xstrdup("the server's answer cannot be understood");
    return IDL_ERROR;
}

static enum idl_status
read_values(struct idl_txn *txn, const struct json *result)
{
    size_t n = 0;

    LIST_FOR_EACH (row, struct idl_row, overlay_node, &txn->rows) {
        n += row->overlay->inserted;
    }
    free(txn->uuids);
    txn->uuids = xcalloc(n + 1, sizeof *txn->uuids);
    txn->n_uuids = 0;
    LIST_FOR_EACH (row, struct idl_row, overlay_node, &txn->rows) {
        if (row->overlay->inserted && !read_insert(txn, row, js_at(result, row->overlay->op))) {
            return malformed(txn);
        }
    }
    return txn->increment_row && !read_increment(txn, js_at(result, txn->increment_op)) ? malformed(txn) : IDL_SUCCESS;
}

enum idl_status
idl_txn_read_reply(struct idl_txn *txn, const struct json *result, const struct json *error)
{
    if (error) {
        return fail(txn, error);
    }
    if (!js_is(result, JS_ARRAY)) {
        return malformed(txn);
    }
    for (size_t i = 0; i < js_array_len(result); i++) {
        const struct json *r = js_at(result, i);

        if (js_is(r, JS_OBJECT) && js_get(r, "error") && !js_is(js_get(r, "error"), JS_NULL)) {
            return fail(txn, r);
        }
        if (!js_is(r, JS_OBJECT)) { /* Null: after a failure, which came before it. */
            return malformed(txn);
        }
    }
    return js_array_len(result) < txn->n_ops ? malformed(txn) : read_values(txn, result);
}
