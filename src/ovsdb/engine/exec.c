#include "ovsdb/engine/exec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/members.h"
#include "ovsdb/engine/internal.h"
#include "sys/random.h"

/* One run of exec_transact(). */
struct exec {
    struct db *db;
    struct txn *txn;
    const struct exec_session *session;
    struct symtab symtab;
    int64_t elapsed_ms;
    bool durable;
    bool must_wait;
    int64_t timeout_ms; /* With 'must_wait'. */
};

/* An operation while it is taken apart. */
struct op {
    const struct json *json;
    const char *name;
    struct members m;
    struct table *table;
};

/* --- Common members --- */

static void
take_table(struct exec *x, struct op *op)
{
    const struct json *name = members_take(&op->m, "table", M_STRING);

    if (name) {
        op->table = db_table(x->db, js_str_value(name));
        if (!op->table) {
            members_fail(&op->m, "No table named %s.", js_str_value(name));
        }
    }
}

/* Modifying a database that is not for clients to modify. */
static struct dberr *
check_writable(const struct exec *x, const struct op *op)
{
    if (x->session->read_only) {
        return dberr_new("not allowed", "%s operation not allowed when database server is in read only mode",
                         op->name);
    } else if (x->db->schema->name[0] == '_') {
        return dberr_new("not allowed", "%s operation not allowed on table in reserved database %s", op->name,
                         x->db->schema->name);
    }
    return NULL;
}

static struct json *
count_result(size_t n)
{
    struct json *result = js_object();

    js_set_take(result, "count", js_int(n));
    return result;
}

struct dberr *
exec_row_from_json(const struct table_schema *t, struct datum *fields, const struct json *json,
                   struct symtab *symtab, const struct column ***columns, size_t *n)
{
    const struct column **named = NULL, *c = NULL;
    struct dberr *e = NULL;
    size_t n_named = 0;

    if (!js_is(json, JS_OBJECT)) {
        return dberr_syntax(json, "row must be JSON object");
    }
    if (columns) {
        named = xcalloc(js_object_len(json) + 1, sizeof *named);
    }
    for (void *it = js_iter(json); it && !e; it = js_iter_next(json, it)) {
        struct datum d;

        c = table_schema_column_after(t, c, js_iter_name(it));
        if (!c) {
            e = dberr_at(json, DBERR_UNKNOWN_COLUMN, "No column %s in table %s.", js_iter_name(it), t->name);
            break;
        }
        e = datum_from_json(&d, &c->type, js_iter_value(it), symtab);
        if (!e) {
            datum_take(&fields[c->index], &d, &c->type);
            if (named) {
                named[n_named++] = c;
            }
        }
    }
    if (columns) {
        if (e) {
            free(named);
            named = NULL;
            n_named = 0;
        }
        *columns = named;
        *n = n_named;
    }
    return e;
}

/* --- insert --- */

/* Decides the new row's UUID from "uuid" and "uuid-name" (both may be null). */
static struct dberr *
choose_uuid(struct exec *x, const struct op *op, const struct json *uuid_json, const struct json *name,
            struct uuid *uuid)
{
    struct symbol *symbol;

    if (uuid_json) {
        if (!uuid_parse(uuid, js_str_value(uuid_json))) {
            return dberr_syntax(uuid_json, "bad uuid");
        }
        if (!txn_uuid_is_free(op->table, uuid)) {
            return dberr_at(uuid_json, "duplicate uuid", "This UUID would duplicate a UUID already present within "
                            "the table or deleted within the same transaction.");
        }
    }
    if (name) {
        symbol = symtab_get(&x->symtab, js_str_value(name));
        if (symbol->created) {
            return dberr_at(name, "duplicate uuid-name",
                            "This \"uuid-name\" appeared on an earlier \"insert\" operation.");
        }
        if (uuid_json) {
            symbol->uuid = *uuid;
        }
        *uuid = symbol->uuid;
        symbol->created = true;
    } else if (!uuid_json) {
        *uuid = sys_uuid();
    }
    return NULL;
}

/* Checks the columns that the operation did not name: defaults too must satisfy the constraints. */
static struct dberr *
check_defaults(const struct table_schema *t, const struct datum *fields)
{
    struct dberr *e = NULL;

    for (size_t i = COL_N_STD; i < t->n_columns && !e; i++) {
        const struct column *c = &t->columns[i];

        if (!c->default_is_valid && datum_is_default(&fields[i], &c->type)) {
            e = datum_check(&fields[i], &c->type);
        }
    }
    return e;
}

static struct dberr *
insert_row(struct exec *x, struct op *op, const struct json *row_json, const struct uuid *uuid)
{
    const struct table_schema *schema = op->table->schema;
    struct tuple *t = tuple_create(schema, uuid);
    struct dberr *e = exec_row_from_json(schema, t->fields, row_json, &x->symtab, NULL, NULL);

    t->fields[COL_UUID].one.uuid = *uuid; /* Whatever the row says. */
    e = e ? e : check_defaults(schema, t->fields);
    e = e ? e : check_writable(x, op);
    e = e ? e : rbac_may_insert(&x->session->client, op->table, t);
    if (e) {
        tuple_unref(t, schema);
    } else {
        change_compare(txn_insert_take(x->txn, op->table, t)->change);
    }
    return e;
}

static struct json *
uuid_result(const struct uuid *uuid)
{
    char text[UUID_LEN + 1];

    uuid_format(uuid, text);
    return js_object_of_pair("uuid", "uuid", text);
}

static struct dberr *
do_insert(struct exec *x, struct op *op, struct json **result)
{
    const struct json *name, *uuid_json, *row;
    struct uuid uuid;
    struct dberr *e;

    take_table(x, op);
    uuid_json = members_take(&op->m, "uuid", M_STRING | M_OPTIONAL);
    name = members_take(&op->m, "uuid-name", M_ID | M_OPTIONAL);
    row = members_take(&op->m, "row", M_OBJECT);
    e = members_finish(&op->m);
    e = e ? e : choose_uuid(x, op, uuid_json, name, &uuid);
    e = e ? e : insert_row(x, op, row, &uuid);
    if (!e) {
        *result = uuid_result(&uuid);
    }
    return e;
}

/* --- select --- */

/* Sets of rows, seen through some columns: 'tuples' sorted, without duplicates. */
struct row_set {
    const struct column **columns;
    size_t n_columns;
    struct tuple **tuples; /* Each a reference. */
    size_t n;
};

static int
compare_projected(const void *a_, const void *b_, void *set_)
{
    const struct tuple *a = *(struct tuple *const *) a_, *b = *(struct tuple *const *) b_;
    const struct row_set *set = set_;
    int cmp = 0;

    for (size_t i = 0; i < set->n_columns && !cmp; i++) {
        const struct column *c = set->columns[i];

        cmp = datum_compare(&a->fields[c->index], &b->fields[c->index], &c->type);
    }
    return cmp;
}

static void
row_set_sort(struct row_set *set, const struct table_schema *schema)
{
    size_t n = 0;

    if (set->n) {
        qsort_r(set->tuples, set->n, sizeof *set->tuples, compare_projected, set);
    }
    for (size_t i = 0; i < set->n; i++) {
        if (n && !compare_projected(&set->tuples[n - 1], &set->tuples[i], set)) {
            tuple_unref(set->tuples[i], schema);
        } else {
            set->tuples[n++] = set->tuples[i];
        }
    }
    set->n = n;
}

static void
row_set_uninit(struct row_set *set, const struct table_schema *schema)
{
    for (size_t i = 0; i < set->n; i++) {
        tuple_unref(set->tuples[i], schema);
    }
    free(set->tuples);
}

static void
actual_rows(const struct table *t, const struct condition *where, struct row_set *set)
{
    size_t n;
    struct row **rows = table_find(t, where, &n);

    set->tuples = xcalloc(n + 1, sizeof *set->tuples);
    for (size_t i = 0; i < n; i++) {
        set->tuples[set->n++] = tuple_ref(rows[i]->tuple);
    }
    free(rows);
}

/* The result of a select: rows that look the same through the columns asked for are one. */
static struct json *
selected_rows(const struct table *t, const struct condition *where, const struct column **columns, size_t n_columns)
{
    struct row_set set = { columns, n_columns, NULL, 0 };
    struct json *array = js_array();

    actual_rows(t, where, &set);
    if (n_columns < t->schema->n_columns) {
        row_set_sort(&set, t->schema);
    }
    for (size_t i = 0; i < set.n; i++) {
        js_append_take(array, tuple_to_json(set.tuples[i], t->schema, columns, n_columns));
    }
    row_set_uninit(&set, t->schema);
    return array;
}

static struct dberr *
do_select(struct exec *x, struct op *op, struct json **result)
{
    const struct json *where_json, *columns_json;
    struct condition where = CONDITION_INIT;
    const struct column **columns = NULL;
    size_t n_columns = 0;
    struct dberr *e;

    take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    columns_json = members_take(&op->m, "columns", M_ARRAY | M_OPTIONAL);
    /* "sort" is of an older draft of the protocol; programs still send it. */
    members_take(&op->m, "sort", M_ARRAY | M_OPTIONAL);
    e = members_finish(&op->m);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : schema_columns_from_json(op->table->schema, columns_json, &columns, &n_columns);
    if (!e) {
        *result = js_object();
        js_set_take(*result, "rows", selected_rows(op->table, &where, columns, n_columns));
    }
    free(columns);
    condition_uninit(&where);
    return e;
}

/* --- update --- */

static struct dberr *
check_mutable(const struct op *op, const struct column **columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!columns[i]->is_mutable) {
            return dberr_at(op->json, DBERR_CONSTRAINT, "Cannot update immutable column %s in table %s.",
                            columns[i]->name, op->table->schema->name);
        }
    }
    return NULL;
}

static void
update_row(struct exec *x, struct row *row, const struct tuple *from, const struct column **columns, size_t n)
{
    struct datum *fields = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned c = columns[i]->index;

        if (!datum_equal(&row->tuple->fields[c], &from->fields[c], &columns[i]->type)) {
            fields = fields ? fields : txn_modify(x->txn, row);
            datum_uninit(&fields[c], &columns[i]->type);
            datum_clone(&fields[c], &from->fields[c], &columns[i]->type);
        }
    }
    if (fields) {
        txn_modify_done(row);
    }
}

static struct dberr *
update_rows(struct exec *x, struct op *op, const struct condition *where, const struct tuple *from,
            const struct column **columns, size_t n_columns, struct json **result)
{
    size_t n;
    struct row **rows = table_find(op->table, where, &n);
    struct dberr *e = rbac_may_change(&x->session->client, "modification of", op->table, rows, n, columns, n_columns);

    for (size_t i = 0; i < n && !e; i++) {
        update_row(x, rows[i], from, columns, n_columns);
    }
    free(rows);
    *result = e ? NULL : count_result(n);
    return e;
}

static struct dberr *
do_update(struct exec *x, struct op *op, struct json **result)
{
    static const struct uuid zero;
    const struct json *where_json, *row_json;
    struct condition where = CONDITION_INIT;
    const struct column **columns = NULL;
    struct tuple *t = NULL;
    size_t n_columns = 0;
    struct dberr *e;

    take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    row_json = members_take(&op->m, "row", M_OBJECT);
    e = members_finish(&op->m);
    if (!e) {
        t = tuple_create(op->table->schema, &zero);
        e = exec_row_from_json(op->table->schema, t->fields, row_json, &x->symtab, &columns, &n_columns);
    }
    e = e ? e : check_mutable(op, columns, n_columns);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : check_writable(x, op);
    e = e ? e : update_rows(x, op, &where, t, columns, n_columns, result);
    condition_uninit(&where);
    free(columns);
    if (t) {
        tuple_unref(t, op->table->schema);
    }
    return e;
}

/* --- mutate --- */

static struct dberr *
mutate_rows(struct exec *x, struct op *op, const struct condition *where, const struct mutations *m,
            struct json **result)
{
    const struct column **columns = xcalloc(m->n + 1, sizeof *columns);
    size_t n;
    struct row **rows = table_find(op->table, where, &n);
    struct dberr *e;

    for (size_t i = 0; i < m->n; i++) {
        columns[i] = m->mutations[i].column;
    }
    e = rbac_may_change(&x->session->client, "mutate operation on", op->table, rows, n, columns, m->n);
    for (size_t i = 0; i < n && m->n && !e; i++) {
        e = mutations_apply(m, txn_modify(x->txn, rows[i]));
        txn_modify_done(rows[i]);
    }
    free(columns);
    free(rows);
    *result = e ? NULL : count_result(n);
    return e;
}

static struct dberr *
do_mutate(struct exec *x, struct op *op, struct json **result)
{
    const struct json *where_json, *mutations_json;
    struct condition where = CONDITION_INIT;
    struct mutations mutations = { NULL, 0 };
    struct dberr *e;

    take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    mutations_json = members_take(&op->m, "mutations", M_ARRAY);
    e = members_finish(&op->m);
    e = e ? e : mutations_from_json(&mutations, op->table->schema, mutations_json, &x->symtab);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : check_writable(x, op);
    e = e ? e : mutate_rows(x, op, &where, &mutations, result);
    condition_uninit(&where);
    mutations_uninit(&mutations);
    return e;
}

/* --- delete --- */

static struct dberr *
delete_rows(struct exec *x, struct op *op, const struct condition *where, struct json **result)
{
    size_t n;
    struct row **rows = table_find(op->table, where, &n);
    struct dberr *e = rbac_may_delete(&x->session->client, op->table, rows, n);

    for (size_t i = 0; i < n && !e; i++) {
        txn_delete(x->txn, rows[i]);
    }
    free(rows);
    *result = e ? NULL : count_result(n);
    return e;
}

static struct dberr *
do_delete(struct exec *x, struct op *op, struct json **result)
{
    struct condition where = CONDITION_INIT;
    const struct json *where_json;
    struct dberr *e;

    take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    e = members_finish(&op->m);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : check_writable(x, op);
    e = e ? e : delete_rows(x, op, &where, result);
    condition_uninit(&where);
    return e;
}

/* --- wait --- */

static bool
row_sets_equal(struct row_set *a, struct row_set *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (compare_projected(&a->tuples[i], &b->tuples[i], a)) {
            return false;
        }
    }
    return true;
}

static struct dberr *
expected_rows(struct exec *x, const struct table_schema *schema, const struct json *rows, struct row_set *set)
{
    static const struct uuid zero;
    struct dberr *e = NULL;

    set->tuples = xcalloc(js_array_len(rows) + 1, sizeof *set->tuples);
    for (size_t i = 0; i < js_array_len(rows) && !e; i++) {
        struct tuple *t = tuple_create(schema, &zero);

        set->tuples[set->n++] = t;
        e = exec_row_from_json(schema, t->fields, js_at(rows, i), &x->symtab, NULL, NULL);
    }
    return e;
}

/* The condition of a "wait" does not hold: time out, or say that there is to be another try. */
static struct dberr *
not_yet(struct exec *x, const struct json *timeout)
{
    int64_t ms = timeout ? MIN(js_int_value(timeout), INT64_C(1000000000000000)) : INT64_MAX;

    if (x->elapsed_ms >= ms) {
        return x->elapsed_ms ? dberr_new("timed out", "\"wait\" timed out after %" PRId64 " ms", x->elapsed_ms)
                             : dberr_new("timed out", "\"where\" clause test failed");
    } else if (x->session->alone) {
        return dberr_new("not supported", "triggers not supported");
    }
    x->must_wait = true;
    x->timeout_ms = ms;
    return NULL;
}

static struct dberr *
wait_for_rows(struct exec *x, struct op *op, const struct condition *where, const struct column **columns,
              size_t n_columns, const struct json *rows, bool want_equal, const struct json *timeout)
{
    const struct table_schema *schema = op->table->schema;
    struct row_set expected = { columns, n_columns, NULL, 0 }, actual = expected;
    struct dberr *e = expected_rows(x, schema, rows, &expected);

    if (!e) {
        actual_rows(op->table, where, &actual);
        row_set_sort(&expected, schema);
        row_set_sort(&actual, schema);
        if (row_sets_equal(&expected, &actual) != want_equal) {
            e = not_yet(x, timeout);
        }
    }
    row_set_uninit(&expected, schema);
    row_set_uninit(&actual, schema);
    return e;
}

static struct dberr *
check_wait_arguments(const struct json *timeout, const struct json *until)
{
    if (timeout && js_int_value(timeout) < 0) {
        return dberr_syntax(timeout, "timeout must be nonnegative");
    } else if (strcmp(js_str_value(until), "==") && strcmp(js_str_value(until), "!=")) {
        return dberr_syntax(until, "\"until\" must be \"==\" or \"!=\"");
    }
    return NULL;
}

static struct dberr *
do_wait(struct exec *x, struct op *op, struct json **result)
{
    const struct json *timeout, *where_json, *columns_json, *until, *rows;
    struct condition where = CONDITION_INIT;
    const struct column **columns = NULL;
    size_t n_columns = 0;
    struct dberr *e;

    take_table(x, op);
    timeout = members_take(&op->m, "timeout", M_INTEGER | M_OPTIONAL);
    where_json = members_take(&op->m, "where", M_ARRAY);
    columns_json = members_take(&op->m, "columns", M_ARRAY | M_OPTIONAL);
    until = members_take(&op->m, "until", M_STRING);
    rows = members_take(&op->m, "rows", M_ARRAY);
    e = members_finish(&op->m);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : schema_columns_from_json(op->table->schema, columns_json, &columns, &n_columns);
    e = e ? e : check_wait_arguments(timeout, until);
    e = e ? e : wait_for_rows(x, op, &where, columns, n_columns, rows, *js_str_value(until) == '=', timeout);
    if (!e) {
        *result = js_object();
    }
    free(columns);
    condition_uninit(&where);
    return e;
}

/* --- commit, abort, comment, assert --- */

static struct dberr *
do_commit(struct exec *x, struct op *op, struct json **result)
{
    const struct json *durable = members_take(&op->m, "durable", M_BOOL);
    struct dberr *e = members_finish(&op->m);

    e = e ? e : check_writable(x, op);
    if (!e) {
        x->durable |= js_bool_value(durable);
        *result = js_object();
    }
    return e;
}

static struct dberr *
do_abort(struct exec *x UNUSED, struct op *op, struct json **result UNUSED)
{
    struct dberr *e = members_finish(&op->m);

    return e ? e : dberr_new("aborted", "aborted by request");
}

static struct dberr *
do_comment(struct exec *x, struct op *op, struct json **result)
{
    const struct json *comment = members_take(&op->m, "comment", M_STRING);
    struct dberr *e = members_finish(&op->m);

    if (!e) {
        txn_add_comment(x->txn, js_str_value(comment));
        *result = js_object();
    }
    return e;
}

static struct dberr *
do_assert(struct exec *x, struct op *op, struct json **result)
{
    const struct json *lock = members_take(&op->m, "lock", M_ID);
    struct dberr *e = members_finish(&op->m);

    if (!e && !(x->session->owns_lock && x->session->owns_lock(x->session, js_str_value(lock)))) {
        e = dberr_new("not owner", "Asserted lock %s not held.", js_str_value(lock));
    }
    if (!e) {
        *result = js_object();
    }
    return e;
}

/* --- All --- */

typedef struct dberr *op_func(struct exec *, struct op *, struct json **result);

static op_func *
find_op(const char *name)
{
    static const struct {
        const char *name;
        op_func *func;
    } ops[] = {
        { "insert", do_insert }, { "select", do_select }, { "update", do_update }, { "mutate", do_mutate },
        { "delete", do_delete }, { "wait", do_wait }, { "commit", do_commit }, { "abort", do_abort },
        { "comment", do_comment }, { "assert", do_assert },
    };

    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (!strcmp(name, ops[i].name)) {
            return ops[i].func;
        }
    }
    return NULL;
}

static struct dberr *
run_op(struct exec *x, const struct json *json, size_t i, size_t n, struct json **result)
{
    struct op op = { .json = json };
    const struct json *name;
    op_func *func = NULL;

    members_init_one_of(&op.m, json, "ovsdb operation", i + 1, n);
    name = members_take(&op.m, "op", M_STRING);
    if (name) {
        op.name = js_str_value(name);
        func = find_op(op.name);
        if (!func) {
            members_fail(&op.m, "No operation \"%s\"", op.name);
        }
    }
    return func ? func(x, &op, result) : members_finish(&op.m);
}

/* Runs the operations, appending their results; the first error ends the run. */
static struct dberr *
run_ops(struct exec *x, const struct json *params, size_t first, struct json *reply)
{
    size_t n = js_array_len(params) - first;
    struct dberr *e = NULL;

    for (size_t i = 0; i < n && !e && !x->must_wait; i++) {
        struct json *result = NULL;

        e = run_op(x, js_at(params, first + i), i, n, &result);
        if (!e && !x->must_wait) {
            js_append_take(reply, result);
        } else {
            js_unref(result);
        }
    }
    if (e) {
        js_append_take(reply, dberr_to_json(e));
        while (js_array_len(reply) < n) {
            js_append_take(reply, js_null());
        }
    }
    return e;
}

void
exec_reply_add_error(struct json *reply, const struct dberr *e)
{
    js_append_take(reply, dberr_to_json(e));
}

void
exec_transact(struct db *db, const struct json *params, size_t first, const struct exec_session *session,
              int64_t elapsed_ms, struct exec_outcome *outcome)
{
    struct exec x = { .db = db, .session = session, .elapsed_ms = elapsed_ms };
    struct json *reply = js_array();
    struct dberr *e;

    *outcome = (struct exec_outcome) { .reply = NULL };
    symtab_init(&x.symtab, sys_random());
    x.txn = txn_begin(db);
    e = run_ops(&x, params, first, reply);
    if (e || x.must_wait) {
        txn_abort(x.txn);
    } else {
        e = txn_commit(x.txn, &outcome->changes);
        if (e) {
            exec_reply_add_error(reply, e);
        }
    }
    symtab_uninit(&x.symtab);
    if (x.must_wait && !e) {
        js_unref(reply);
        outcome->timeout_ms = x.timeout_ms;
    } else {
        outcome->reply = reply;
        outcome->durable = x.durable && !e;
    }
    dberr_free(e);
}

void
exec_outcome_uninit(struct exec_outcome *outcome)
{
    js_unref(outcome->reply);
    change_set_unref(outcome->changes);
    *outcome = (struct exec_outcome) { .reply = NULL };
}
