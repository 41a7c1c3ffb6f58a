#include "ovsdb/engine/exec.h"

#include <stdlib.h>
#include <string.h>

#include "json/scan.h"
#include "ovsdb/engine/op.h"
#include "sys/random.h"

/* --- What operations have in common --- */

void
op_take_table(struct exec *x, struct op *op)
{
    const struct json *name = members_take(&op->m, "table", M_STRING);

    if (name) {
        op->table = db_table(x->db, js_str_value(name));
        if (!op->table) {
            members_fail(&op->m, "No table named %s.", js_str_value(name));
        }
    }
}

struct dberr *
op_check_writable(const struct exec *x, const struct op *op)
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

/* --- commit, abort, comment, assert --- */

static struct dberr *
op_commit(struct exec *x, struct op *op, struct json **result)
{
    const struct json *durable = members_take(&op->m, "durable", M_BOOL);
    struct dberr *e = members_finish(&op->m);

    e = e ? e : op_check_writable(x, op);
    if (!e) {
        x->durable |= js_bool_value(durable);
        *result = js_object();
    }
    return e;
}

static struct dberr *
op_abort(struct exec *x UNUSED, struct op *op, struct json **result UNUSED)
{
    struct dberr *e = members_finish(&op->m);

    return e ? e : dberr_new("aborted", "aborted by request");
}

static struct dberr *
op_comment(struct exec *x, struct op *op, struct json **result)
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
op_assert(struct exec *x, struct op *op, struct json **result)
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

static op_func *
find_op(const char *name)
{
    static const struct {
        const char *name;
        op_func *func;
    } ops[] = {
        { "insert", op_insert }, { "select", op_select }, { "update", op_update }, { "mutate", op_mutate },
        { "delete", op_delete }, { "wait", op_wait }, { "commit", op_commit }, { "abort", op_abort },
        { "comment", op_comment }, { "assert", op_assert },
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

static void
exec_begin(struct exec *x, struct db *db, const struct exec_session *session, int64_t elapsed_ms)
{
    *x = (struct exec) { .db = db, .session = session, .elapsed_ms = elapsed_ms };
    symtab_init(&x->symtab, sys_random());
    x->txn = txn_begin(db);
}

/* Commits what the operations have done and gives the outcome, with 'reply' (taken). */
static void
exec_commit(struct exec *x, struct json *reply, struct exec_outcome *outcome)
{
    struct dberr *e = txn_commit(x->txn, &outcome->changes);

    if (e) {
        exec_reply_add_error(reply, e);
    }
    outcome->reply = reply;
    outcome->durable = x->durable && !e;
    dberr_free(e);
}

void
exec_transact(struct db *db, const struct json *params, size_t first, const struct exec_session *session,
              int64_t elapsed_ms, struct exec_outcome *outcome)
{
    struct json *reply = js_array();
    struct dberr *e;
    struct exec x;

    *outcome = (struct exec_outcome) { .reply = NULL };
    exec_begin(&x, db, session, elapsed_ms);
    e = run_ops(&x, params, first, reply);
    if (!e && !x.must_wait) {
        exec_commit(&x, reply, outcome);
    } else {
        txn_abort(x.txn);
        if (e) {
            outcome->reply = reply;
        } else {
            js_unref(reply);
            outcome->timeout_ms = x.timeout_ms;
        }
    }
    symtab_uninit(&x.symtab);
    dberr_free(e);
}

/* Runs the operations from where 's' is, in an array, to its end.  False if that cannot be. */
static bool
run_ops_text(struct exec *x, struct js_scan *s, struct json *reply)
{
    bool first = false;
    size_t n = 0;

    do {
        struct json *result = NULL, *json;
        struct error *error;
        struct dberr *e;
        bool ok;

        json = js_scan_json(s, &error);
        if (error) {
            error_free(error);
            return false;
        }
        e = run_op(x, json, n, n + 1, &result);
        js_unref(json);
        ok = !e && !x->must_wait;
        dberr_free(e);
        if (!ok) {
            js_unref(result);
            return false;
        }
        js_append_take(reply, result);
        n++;
    } while (js_scan_element(s, &first));
    return !s->bad && js_scan_at_end(s);
}

bool
exec_transact_text(struct db *db, const char *params, size_t len, const struct exec_session *session,
                   struct exec_outcome *outcome)
{
    struct js_scan s = js_scan_init(params, len);
    struct json *name, *reply;
    struct exec x;
    bool ok;

    *outcome = (struct exec_outcome) { .reply = NULL };
    ok = js_scan_head(&s, &name, 1);
    js_unref(name);
    if (!ok) {
        return false;
    }
    exec_begin(&x, db, session, 0);
    reply = js_array();
    ok = run_ops_text(&x, &s, reply);
    if (ok) {
        exec_commit(&x, reply, outcome);
    } else {
        txn_abort(x.txn);
        js_unref(reply);
    }
    symtab_uninit(&x.symtab);
    return ok;
}

void
exec_outcome_uninit(struct exec_outcome *outcome)
{
    js_unref(outcome->reply);
    change_set_unref(outcome->changes);
    *outcome = (struct exec_outcome) { .reply = NULL };
}
