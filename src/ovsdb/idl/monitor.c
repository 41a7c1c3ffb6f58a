/* What the replica asks of the server: the contents, by the best method that the server has, and their conditions. */
#include <stdlib.h>

#include "ovsdb/idl/session_private.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_idl)

static const struct monitor_method {
    const char *name;
    bool conditions, since;
    int version;
} monitor_methods[] = {
    { "monitor_cond_since", true, true, 2 },
    { "monitor_cond", true, false, 2 },
    { "monitor", false, false, 1 },
};

void
idl_monitor_forget_id(struct idl_session *s)
{
    strcpy(s->last_id, "00000000-0000-0000-0000-000000000000");
}

void
idl_monitor_reset(struct idl_session *s)
{
    s->method = 0;
    s->schema_checked = false;
    for (size_t i = 0; i < s->idl->schema->n_tables; i++) {
        struct idl_table *t = &s->idl->tables[i];

        t->missing = false;
        memset(t->absent, 0, t->schema->n_columns * sizeof *t->absent);
    }
}

static bool
is_unknown_method(const struct json *error)
{
    const char *tag = js_is(error, JS_STRING) ? js_str_value(error) : js_get_str(error, "error");

    return tag && !strcmp(tag, "unknown method");
}

static void
filled(struct idl_session *s)
{
    s->filled = true;
    s->idl->was_filled = true;
    s->distrust_ms = 0;
    free(s->error);
    s->error = NULL;
    idl_session_send_conditions(s);
    loop_task_post(&s->notify);
}

static void
remember_id(struct idl_session *s, const struct json *id)
{
    if (js_is(id, JS_STRING) && strlen(js_str_value(id)) == UUID_LEN) {
        strcpy(s->last_id, js_str_value(id));
    }
}

/* "found": the updates are what happened since; otherwise they are everything.  'scan' is where they are in the text of
 * the reply; null if they are 'updates'. */
static void
apply_initial(struct idl_session *s, const struct json *updates, struct js_scan *scan, bool found)
{
    const int version = monitor_methods[s->method].version;
    struct error *e;

    if (!found) {
        idl_refill_begin(s->idl);
    }
    e = scan ? idl_update_scan(s->idl, scan, version) : idl_update(s->idl, updates, version);
    if (e) {
        idl_session_distrust(s, e);
        return;
    }
    if (!found) {
        idl_refill_end(s->idl);
    }
    filled(s);
}

static void
malformed_reply(struct idl_session *s)
{
    idl_session_distrust(s, error_new("malformed reply to \"%s\"", monitor_methods[s->method].name));
}

static void
monitor_result(struct idl_session *s, const struct json *result)
{
    if (!monitor_methods[s->method].since) {
        apply_initial(s, result, NULL, false);
    } else if (js_is(result, JS_ARRAY) && js_array_len(result) == 3) {
        remember_id(s, js_at(result, 1));
        apply_initial(s, js_at(result, 2), NULL, js_is(js_at(result, 0), JS_TRUE));
    } else {
        malformed_reply(s);
    }
}

/* [FOUND, LAST, UPDATES]. */
static void
since_result(struct idl_session *s, struct js_scan *scan)
{
    struct json *head[2];

    if (js_scan_head(scan, head, ARRAY_SIZE(head))) {
        remember_id(s, head[1]);
        apply_initial(s, NULL, scan, js_is(head[0], JS_TRUE));
    } else {
        malformed_reply(s);
    }
    js_unref(head[0]);
    js_unref(head[1]);
}

void
idl_monitor_text(struct idl_session *s, const char *result, size_t len)
{
    struct js_scan scan = js_scan_init(result, len);

    if (monitor_methods[s->method].since) {
        since_result(s, &scan);
    } else {
        apply_initial(s, NULL, &scan, false);
    }
}

/* Marks what the server's schema lacks. */
static struct error *
check_schema(struct idl_session *s, const struct json *json)
{
    struct idl *idl = s->idl;
    struct schema *server;
    struct dberr *e = schema_from_json(&server, json);

    if (e) {
        return dberr_to_error(e);
    }
    for (size_t i = 0; i < idl->schema->n_tables; i++) {
        struct idl_table *t = &idl->tables[i];
        const struct table_schema *theirs = schema_table(server, t->schema->name);

        t->missing = !theirs;
        for (size_t j = COL_N_STD; j < t->schema->n_columns; j++) {
            t->absent[j] = !theirs || !table_schema_column(theirs, t->schema->columns[j].name);
        }
    }
    schema_unref(server);
    return NULL;
}

static void
schema_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;
    struct error *e;

    if (error) {
        char *text = idl_error_text_of(error);

        idl_session_set_error(s, xasprintf("get_schema of database %s failed: %s", s->idl->schema->name, text));
        free(text);
    } else if (result) {
        e = check_schema(s, result);
        if (e) {
            idl_session_set_error(s, error_take_text(error_wrap(e, "the server's schema")));
        } else {
            idl_monitor_send(s);
        }
    }
}

static void
monitor_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    if (result) {
        monitor_result(s, result);
    } else if (error && is_unknown_method(error) && s->method + 1 < ARRAY_SIZE(monitor_methods)) {
        s->method++;
        idl_monitor_send(s);
    } else if (error && !s->schema_checked) {
        struct json *params = js_array();

        s->schema_checked = true;
        js_append_take(params, js_str(s->idl->schema->name));
        idl_session_request(s, "get_schema", params, schema_reply, s);
    } else if (error) {
        char *text = idl_error_text_of(error);

        idl_session_set_error(s, xasprintf("%s failed: %s", monitor_methods[s->method].name, text));
        free(text);
    }
}

static struct json *
monitor_request(const struct idl_table *t, bool conditions)
{
    struct json *columns = js_array(), *request = js_object(), *requests = js_array();

    for (size_t i = COL_N_STD; i < t->schema->n_columns; i++) {
        if (t->modes[i] != IDL_OMIT && !t->absent[i]) {
            js_append_take(columns, js_str(t->schema->columns[i].name));
        }
    }
    js_set_take(request, "columns", columns);
    if (conditions && t->where) {
        js_set_take(request, "where", js_ref(t->where));
    }
    js_append_take(requests, request);
    return requests;
}

void
idl_monitor_send(struct idl_session *s)
{
    const struct monitor_method *m = &monitor_methods[s->method];
    struct json *params = js_array(), *requests = js_object();

    for (size_t i = 0; i < s->idl->schema->n_tables; i++) {
        struct idl_table *t = &s->idl->tables[i];

        if (t->where_changed) {
            /* What happened since then is not all that this condition changes. */
            idl_monitor_forget_id(s);
            t->where_changed = false;
        }
        if (t->wanted && !t->missing) {
            js_set_take(requests, t->schema->name, monitor_request(t, m->conditions));
        }
    }
    js_append_take(params, js_str(s->idl->schema->name));
    js_append_take(params, js_str(s->idl->schema->name));
    js_append_take(params, requests);
    if (m->since) {
        js_append_take(params, js_str(s->last_id));
    }
    s->monitor_request = idl_session_request(s, m->name, params, monitor_reply, s);
}

void
idl_monitor_update(struct idl_session *s, const struct json *params, int version, bool since)
{
    const size_t n = since ? 3 : 2;
    struct error *e;

    if (!js_is(params, JS_ARRAY) || js_array_len(params) != n) {
        idl_session_distrust(s, error_new("malformed update"));
        return;
    }
    if (idl_leader_update(s, js_at(params, 0), js_at(params, n - 1))) {
        return;
    }
    if (!js_is(js_at(params, 0), JS_STRING) || strcmp(js_str_value(js_at(params, 0)), s->idl->schema->name)) {
        return; /* Not our monitor. */
    }
    e = idl_update(s->idl, js_at(params, n - 1), version);
    if (e) {
        idl_session_distrust(s, e);
        return;
    }
    if (since) {
        remember_id(s, js_at(params, 1));
    }
    loop_task_post(&s->notify);
}

/* ---- Conditions ---- */

static void
cond_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    s->cond_pending = false;
    if (error) {
        char *text = idl_error_text_of(error);

        log_warn("%s: monitor_cond_change failed: %s", jsonrpc_session_name(s->rpc), text);
        free(text);
    }
    if (result || error) {
        idl_session_send_conditions(s);
        loop_task_post(&s->notify);
    } else {
        idl_monitor_forget_id(s);
    }
}

/* The changed conditions as <monitor-cond-update-requests>; null if there are none. */
static struct json *
take_changed_conditions(struct idl *idl)
{
    struct json *requests = NULL;

    for (size_t i = 0; i < idl->schema->n_tables; i++) {
        struct idl_table *t = &idl->tables[i];

        if (t->where_changed && t->wanted && !t->missing) {
            struct json *list = js_array(), *request = js_object(), *all = js_array();

            js_append_take(all, js_bool(true));
            js_set_take(request, "where", t->where ? js_ref(t->where) : js_ref(all));
            js_unref(all);
            js_append_take(list, request);
            requests = requests ? requests : js_object();
            js_set_take(requests, t->schema->name, list);
        }
        t->where_changed = false;
    }
    return requests;
}

void
idl_session_send_conditions(struct idl_session *s)
{
    struct json *requests, *params;

    if (!s->filled || s->cond_pending || !monitor_methods[s->method].conditions) {
        return; /* The monitor request has them, or will; or cond_reply() comes back to it. */
    }
    requests = take_changed_conditions(s->idl);
    if (requests) {
        params = js_array();
        js_append_take(params, js_str(s->idl->schema->name));
        js_append_take(params, js_str(s->idl->schema->name));
        js_append_take(params, requests);
        s->cond_pending = idl_session_request(s, "monitor_cond_change", params, cond_reply, s) != 0;
    }
}

bool
idl_conditions_hold(const struct idl *idl)
{
    for (size_t i = 0; i < idl->schema->n_tables; i++) {
        if (idl->tables[i].wanted && idl->tables[i].where_changed) {
            return false;
        }
    }
    return idl->session->filled && !idl->session->cond_pending;
}
