#include "ovsdb/engine/exec.h"

#include <stdlib.h>
#include <string.h>

#include "json/scan.h"
#include "ovsdb/engine/op.h"
#include "sys/random.h"

enum { SHORT_REPLY = 128 }; /* Bytes that there is room for at once. */

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
        c = table_schema_column_after(t, c, js_iter_name(it));
        if (!c) {
            e = dberr_at(json, DBERR_UNKNOWN_COLUMN, "No column %s in table %s.", js_iter_name(it), t->name);
            break;
        }
        datum_uninit(&fields[c->index], &c->type);
        e = datum_from_json(&fields[c->index], &c->type, js_iter_value(it), symtab);
        if (!e && named) {
            named[n_named++] = c;
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
op_commit(struct exec *x, struct op *op, struct str *result)
{
    const struct json *durable = members_take(&op->m, "durable", M_BOOL);
    struct dberr *e = members_finish(&op->m);

    e = e ? e : op_check_writable(x, op);
    if (!e) {
        x->durable |= js_bool_value(durable);
        str_puts(result, "{}");
    }
    return e;
}

static struct dberr *
op_abort(struct exec *x UNUSED, struct op *op, struct str *result UNUSED)
{
    struct dberr *e = members_finish(&op->m);

    return e ? e : dberr_new("aborted", "aborted by request");
}

static struct dberr *
op_comment(struct exec *x, struct op *op, struct str *result)
{
    const struct json *comment = members_take(&op->m, "comment", M_STRING);
    struct dberr *e = members_finish(&op->m);

    if (!e) {
        txn_add_comment(x->txn, js_str_value(comment));
        str_puts(result, "{}");
    }
    return e;
}

static struct dberr *
op_assert(struct exec *x, struct op *op, struct str *result)
{
    const struct json *lock = members_take(&op->m, "lock", M_ID);
    struct dberr *e = members_finish(&op->m);

    if (!e && !(x->session->owns_lock && x->session->owns_lock(x->session, js_str_value(lock)))) {
        e = dberr_new("not owner", "Asserted lock %s not held.", js_str_value(lock));
    }
    if (!e) {
        str_puts(result, "{}");
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
run_op(struct exec *x, const struct json *json, size_t i, size_t n, struct str *result)
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

/* What comes before the next result. */
static void
put_separator(struct str *reply)
{
    if (reply->len > 1) {
        str_putc(reply, ',');
    }
}

static void
put_error(struct str *s, const struct dberr *e, enum js_format format)
{
    struct json *json = dberr_to_json(e);

    put_separator(s);
    js_put(s, json, format);
    js_unref(json);
}

/* Runs operation 'i' of 'n' and appends its result. */
static struct dberr *
run_next(struct exec *x, const struct json *op, size_t i, size_t n)
{
    size_t before = x->reply.len;
    struct dberr *e;

    put_separator(&x->reply);
    e = run_op(x, op, i, n, &x->reply);
    if (e) {
        str_truncate(&x->reply, before);
    }
    return e;
}

/* Runs the operations; the first error ends the run. */
static struct dberr *
run_ops(struct exec *x, const struct json *params, size_t first)
{
    size_t n = js_array_len(params) - first, i;
    struct dberr *e = NULL;

    for (i = 0; i < n && !e && !x->must_wait; i++) {
        e = run_next(x, js_at(params, first + i), i, n);
    }
    if (e) {
        put_error(&x->reply, e, x->session->format);
        for (; i < n; i++) {
            str_puts(&x->reply, ",null");
        }
    }
    return e;
}

void
exec_reply_add_error(struct str *reply, const struct dberr *e, enum js_format format)
{
    str_truncate(reply, reply->len - 1);
    put_error(reply, e, format);
    str_putc(reply, ']');
}

static void
exec_begin(struct exec *x, struct db *db, const struct exec_session *session, int64_t elapsed_ms)
{
    *x = (struct exec) { .db = db, .session = session, .elapsed_ms = elapsed_ms };
    symtab_init(&x->symtab, sys_random());
    x->txn = txn_begin(db);
    str_reserve(&x->reply, SHORT_REPLY);
    str_putc(&x->reply, '[');
}

/* Gives the outcome the reply. */
static void
exec_reply(struct exec *x, struct exec_outcome *outcome)
{
    str_putc(&x->reply, ']');
    outcome->reply = x->reply;
    str_init(&x->reply);
}

/* Commits what the operations have done and gives the outcome. */
static void
exec_commit(struct exec *x, struct exec_outcome *outcome)
{
    struct dberr *e = txn_commit(x->txn, &outcome->changes);

    if (e) {
        put_error(&x->reply, e, x->session->format);
    }
    exec_reply(x, outcome);
    outcome->durable = x->durable && !e;
    dberr_free(e);
}

static void
exec_end(struct exec *x)
{
    str_uninit(&x->reply);
    symtab_uninit(&x->symtab);
}

void
exec_transact(struct db *db, const struct json *params, size_t first, const struct exec_session *session,
              int64_t elapsed_ms, struct exec_outcome *outcome)
{
    struct dberr *e;
    struct exec x;

    *outcome = (struct exec_outcome) { .reply = STR_INIT };
    exec_begin(&x, db, session, elapsed_ms);
    e = run_ops(&x, params, first);
    if (!e && !x.must_wait) {
        exec_commit(&x, outcome);
    } else {
        txn_abort(x.txn);
        if (e) {
            exec_reply(&x, outcome);
            outcome->failed = true;
        } else {
            outcome->timeout_ms = x.timeout_ms;
        }
    }
    exec_end(&x);
    dberr_free(e);
}

/* Runs the operations from where 's' is, in an array, to its end.  False if that cannot be. */
static bool
run_ops_text(struct exec *x, struct js_scan *s)
{
    bool first = false;
    size_t n = 0;

    do {
        struct error *error;
        struct json *json = js_scan_json(s, &error);
        struct dberr *e;

        if (error) {
            error_free(error);
            return false;
        }
        e = run_next(x, json, n, n + 1);
        js_unref(json);
        if (e || x->must_wait) {
            dberr_free(e);
            return false;
        }
        n++;
    } while (js_scan_element(s, &first));
    return !s->bad && js_scan_at_end(s);
}

bool
exec_transact_text(struct db *db, const char *params, size_t len, const struct exec_session *session,
                   struct exec_outcome *outcome)
{
    struct js_scan s = js_scan_init(params, len);
    struct json *name;
    struct exec x;
    bool ok;

    *outcome = (struct exec_outcome) { .reply = STR_INIT };
    ok = js_scan_head(&s, &name, 1);
    js_unref(name);
    if (!ok) {
        return false;
    }
    exec_begin(&x, db, session, 0);
    ok = run_ops_text(&x, &s);
    if (ok) {
        exec_commit(&x, outcome);
    } else {
        txn_abort(x.txn);
    }
    exec_end(&x);
    return ok;
}

void
exec_outcome_uninit(struct exec_outcome *outcome)
{
    str_uninit(&outcome->reply);
    change_set_unref(outcome->changes);
    *outcome = (struct exec_outcome) { .reply = STR_INIT };
}
