/* The replica's conversation with the server: what is asked when, and who gets the answers.
 *
 *   connected --> [get_schema, then monitor of "_Server": is it the leader?  no: the next remote]
 *             --> [lock] + monitor request --> reply: contents complete
 *                          | "unknown method": the same with an older method
 *                          | another error: get_schema, leave out what the server lacks, once more
 *
 * Conditions that change meanwhile are sent (monitor_cond_change) one set after the other.  When the connection breaks
 * before the server has agreed, it is not known which rows are here, so everything is fetched again. */
#include <stdlib.h>

#include "jsonrpc/session.h"
#include "ovsdb/idl/idl_private.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_idl)

struct pending {
    struct list node;
    struct json *id;
    int64_t number;
    idl_reply_cb *cb;
    void *aux;
};

struct idl_session {
    struct idl *idl;
    struct jsonrpc_session *rpc; /* Null until started. */
    char *remotes;
    bool retry;
    size_t n_remotes;
    struct list pending;         /* struct pending */
    int64_t last_number;
    struct loop_task notify;
    struct loop_timer distrust;  /* When to reconnect after what the server sent made no sense. */
    int distrust_ms;
    bool distrusted;             /* Since then: nothing that it says counts. */

    size_t method;               /* In monitor_methods[]. */
    bool schema_checked;         /* On this connection. */
    bool filled;
    char last_id[UUID_LEN + 1];  /* Of the last transaction seen; zero if unknown. */

    bool leader_only;
    bool cond_pending;           /* A change of conditions is under way. */

    char *lock;                  /* Null if none is wanted. */
    bool has_lock, lock_contended;
    char *error;                 /* What is wrong with the database; null if nothing. */
    char *state_text;
};

static const struct monitor_method {
    const char *name;
    bool conditions, since;
    int version;
} monitor_methods[] = {
    { "monitor_cond_since", true, true, 2 },
    { "monitor_cond", true, false, 2 },
    { "monitor", false, false, 1 },
};

static const char zero_id[] = "00000000-0000-0000-0000-000000000000";

static void send_monitor(struct idl_session *);

/* ---- Requests ---- */

int64_t
idl_session_request(struct idl_session *s, const char *method, struct json *params, idl_reply_cb *cb, void *aux)
{
    struct pending *p;
    struct jsonrpc_msg *msg;

    if (!s->rpc || !jsonrpc_session_is_connected(s->rpc)) {
        js_unref(params);
        return 0;
    }
    p = xzalloc(sizeof *p);
    msg = jsonrpc_request(method, params, &p->id);
    p->number = ++s->last_number;
    p->cb = cb;
    p->aux = aux;
    list_push_back(&s->pending, &p->node);
    jsonrpc_session_send(s->rpc, msg);
    return s->last_number;
}

void
idl_session_forget(struct idl_session *s, int64_t id)
{
    LIST_FOR_EACH (p, struct pending, node, &s->pending) {
        if (p->number == id) {
            p->cb = NULL;
        }
    }
}

static void
pending_finish(struct pending *p, const struct json *result, const struct json *error)
{
    list_remove(&p->node);
    if (p->cb) {
        p->cb(p->aux, result, error);
    }
    js_unref(p->id);
    free(p);
}

static struct pending *
pending_find(struct idl_session *s, const struct json *id)
{
    LIST_FOR_EACH (p, struct pending, node, &s->pending) {
        if (js_equal(p->id, id)) {
            return p;
        }
    }
    return NULL;
}

/* Every request ends without an answer; callbacks may make new ones. */
static void
pending_cancel_all(struct idl_session *s)
{
    struct list all;

    list_init(&all);
    list_splice(&all, &s->pending);
    LIST_FOR_EACH_SAFE (p, struct pending, node, &all) {
        pending_finish(p, NULL, NULL);
    }
}

/* ---- State ---- */

static void
set_error(struct idl_session *s, char *text)
{
    free(s->error);
    s->error = xasprintf("%s: %s", jsonrpc_session_name(s->rpc), text);
    free(text);
    log_warn("%s", s->error);
    loop_task_post(&s->notify);
}

static void
run_notify(struct loop_task *task)
{
    struct idl_session *s = task->aux;

    idl_notify(s->idl);
}

static char *
error_text_of(const struct json *error)
{
    return js_is(error, JS_STRING) ? xstrdup(js_str_value(error)) : js_to_string(error, JS_SORTED);
}

static bool
is_unknown_method(const struct json *error)
{
    const char *tag = js_is(error, JS_STRING) ? js_str_value(error) : js_get_str(error, "error");

    return tag && !strcmp(tag, "unknown method");
}

/* The contents cannot be trusted: after a while, fetch everything again over a new connection. */
static void
distrust(struct idl_session *s, struct error *e)
{
    s->distrusted = true;
    s->filled = false;
    s->distrust_ms = MIN(MAX(2 * s->distrust_ms, 1000), 8000);
    strcpy(s->last_id, zero_id);
    loop_timer_set(&s->distrust, clock_now_ms() + s->distrust_ms);
    set_error(s, error_take_text(e));
}

static void
distrust_over(struct loop_timer *timer)
{
    struct idl_session *s = timer->aux;

    jsonrpc_session_reconnect(s->rpc);
}

/* ---- Monitoring ---- */

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

/* "found": the updates are what happened since; otherwise they are everything. */
static void
apply_initial(struct idl_session *s, const struct json *updates, bool found)
{
    struct error *e;

    if (!found) {
        idl_refill_begin(s->idl);
    }
    e = idl_update(s->idl, updates, monitor_methods[s->method].version);
    if (e) {
        distrust(s, e);
        return;
    }
    if (!found) {
        idl_refill_end(s->idl);
    }
    filled(s);
}

static void
monitor_result(struct idl_session *s, const struct json *result)
{
    if (!monitor_methods[s->method].since) {
        apply_initial(s, result, false);
    } else if (js_is(result, JS_ARRAY) && js_array_len(result) == 3) {
        remember_id(s, js_at(result, 1));
        apply_initial(s, js_at(result, 2), js_is(js_at(result, 0), JS_TRUE));
    } else {
        distrust(s, error_new("malformed reply to \"%s\"", monitor_methods[s->method].name));
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
        char *text = error_text_of(error);

        set_error(s, xasprintf("get_schema of database %s failed: %s", s->idl->schema->name, text));
        free(text);
    } else if (result) {
        e = check_schema(s, result);
        if (e) {
            set_error(s, error_take_text(error_wrap(e, "the server's schema")));
        } else {
            send_monitor(s);
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
        send_monitor(s);
    } else if (error && !s->schema_checked) {
        struct json *params = js_array();

        s->schema_checked = true;
        js_append_take(params, js_str(s->idl->schema->name));
        idl_session_request(s, "get_schema", params, schema_reply, s);
    } else if (error) {
        char *text = error_text_of(error);

        set_error(s, xasprintf("%s failed: %s", monitor_methods[s->method].name, text));
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

static void
send_monitor(struct idl_session *s)
{
    const struct monitor_method *m = &monitor_methods[s->method];
    struct json *params = js_array(), *requests = js_object();

    for (size_t i = 0; i < s->idl->schema->n_tables; i++) {
        struct idl_table *t = &s->idl->tables[i];

        if (t->where_changed) {
            /* What happened since then is not all that this condition changes. */
            strcpy(s->last_id, zero_id);
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
    idl_session_request(s, m->name, params, monitor_reply, s);
}

/* ---- Conditions ---- */

static void
cond_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    s->cond_pending = false;
    if (error) {
        char *text = error_text_of(error);

        log_warn("%s: monitor_cond_change failed: %s", jsonrpc_session_name(s->rpc), text);
        free(text);
    }
    if (result || error) {
        idl_session_send_conditions(s);
        loop_task_post(&s->notify);
    } else {
        strcpy(s->last_id, zero_id);
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

/* ---- The server's own database ---- */

static const char server_db[] = "_Server";

static bool
member_is(const struct json *row, const char *column, enum js_type type)
{
    return js_is(js_get(row, column), type);
}

/* Why the server of this row of its Database table is not the one to talk to; null if it is. */
static const char *
refusal(const struct json *row)
{
    const char *model = js_get_str(row, "model");
    const bool clustered = model && !strcmp(model, "clustered");

    if (!model || (!clustered && strcmp(model, "relay"))) {
        return NULL;
    }
    if (member_is(row, "connected", JS_FALSE)) {
        return "server is disconnected from its cluster or source";
    }
    return clustered && member_is(row, "leader", JS_FALSE) ? "server is not the leader" : NULL;
}

/* Looks for our database in <table-updates> about "_Server".  True: go on. */
static bool
server_is_good(struct idl_session *s, const struct json *updates)
{
    const struct json *rows = js_get(updates, "Database");

    for (void *it = rows ? js_iter(rows) : NULL; it; it = js_iter_next(rows, it)) {
        const struct json *row = js_get(js_iter_value(it), "new");
        const char *name = js_get_str(row, "name"), *why;

        if (name && !strcmp(name, s->idl->schema->name)) {
            why = refusal(row);
            if (why) {
                log_info("%s: %s; trying another", jsonrpc_session_name(s->rpc), why);
                jsonrpc_session_reconnect(s->rpc);
            }
            return !why;
        }
    }
    return true; /* Nothing about it; where it is missing the monitor request will say so. */
}

static void
server_monitor_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    if (error || (result && server_is_good(s, result))) {
        send_monitor(s);
    }
}

static void
send_server_monitor(struct idl_session *s)
{
    static const char request[] = "[\"_Server\",\"_Server\",{\"Database\":[{\"columns\":"
                                  "[\"name\",\"model\",\"connected\",\"leader\"]}]}]";
    struct json *params;
    struct error *e = js_parse_string(request, &params);

    if (e) {
        log_err("%s", error_take_text(e));
        return;
    }
    idl_session_request(s, "monitor", params, server_monitor_reply, s);
}

void idl_set_leader_only(struct idl *idl, bool leader_only) { idl->session->leader_only = leader_only; }

/* ---- The lock ---- */

static void
set_lock(struct idl_session *s, bool has)
{
    s->has_lock = has;
    s->lock_contended = !has;
    loop_task_post(&s->notify);
}

static void
lock_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    if (error) {
        char *text = error_text_of(error);

        log_warn("%s: lock \"%s\" refused: %s", jsonrpc_session_name(s->rpc), s->lock, text);
        free(text);
    } else if (result) {
        set_lock(s, js_is(js_get(result, "locked"), JS_TRUE));
    }
}

static void
send_lock(struct idl_session *s)
{
    struct json *params = js_array();

    js_append_take(params, js_str(s->lock));
    idl_session_request(s, "lock", params, lock_reply, s);
}

static void
lock_notification(struct idl_session *s, const struct json *params, bool has)
{
    const struct json *name = js_is(params, JS_ARRAY) && js_array_len(params) == 1 ? js_at(params, 0) : NULL;

    if (s->lock && js_is(name, JS_STRING) && !strcmp(js_str_value(name), s->lock)) {
        set_lock(s, has);
    }
}

/* ---- Messages ---- */

static void
update_notification(struct idl_session *s, const struct json *params, int version, bool since)
{
    const size_t n = since ? 3 : 2;
    struct error *e;

    if (!js_is(params, JS_ARRAY) || js_array_len(params) != n) {
        distrust(s, error_new("malformed update"));
        return;
    }
    if (js_is(js_at(params, 0), JS_STRING) && !strcmp(js_str_value(js_at(params, 0)), server_db)) {
        server_is_good(s, js_at(params, n - 1));
        return;
    }
    if (!js_is(js_at(params, 0), JS_STRING) || strcmp(js_str_value(js_at(params, 0)), s->idl->schema->name)) {
        return; /* Not our monitor. */
    }
    e = idl_update(s->idl, js_at(params, n - 1), version);
    if (e) {
        distrust(s, e);
        return;
    }
    if (since) {
        remember_id(s, js_at(params, 1));
    }
    loop_task_post(&s->notify);
}

static void
handle_notification(struct idl_session *s, const struct jsonrpc_msg *msg)
{
    if (!strcmp(msg->method, "update3")) {
        update_notification(s, msg->params, 2, true);
    } else if (!strcmp(msg->method, "update2")) {
        update_notification(s, msg->params, 2, false);
    } else if (!strcmp(msg->method, "update")) {
        update_notification(s, msg->params, 1, false);
    } else if (!strcmp(msg->method, "locked")) {
        lock_notification(s, msg->params, true);
    } else if (!strcmp(msg->method, "stolen")) {
        lock_notification(s, msg->params, false);
    } else if (!strcmp(msg->method, "monitor_canceled")) {
        log_info("%s: the server canceled the monitor", jsonrpc_session_name(s->rpc));
        jsonrpc_session_reconnect(s->rpc);
    } else {
        log_dbg("%s: notification \"%s\" ignored", jsonrpc_session_name(s->rpc), msg->method);
    }
}

static void
handle_message(struct jsonrpc_session *rpc, struct jsonrpc_msg *msg, void *aux)
{
    struct idl_session *s = aux;
    struct pending *p;

    if (s->distrusted) {
        log_dbg("%s: message ignored", jsonrpc_session_name(rpc));
    } else if (msg->type == JSONRPC_NOTIFY) {
        handle_notification(s, msg);
    } else if (msg->type != JSONRPC_REQUEST) {
        p = pending_find(s, msg->id);
        if (p) {
            pending_finish(p, msg->result, msg->error);
        } else {
            log_dbg("%s: reply to no request of ours", jsonrpc_session_name(rpc));
        }
    }
    jsonrpc_msg_free(msg);
}

static void
handle_connected(struct jsonrpc_session *rpc UNUSED, void *aux)
{
    struct idl_session *s = aux;

    s->method = 0;
    s->schema_checked = s->distrusted = false;
    loop_timer_cancel(&s->distrust);
    for (size_t i = 0; i < s->idl->schema->n_tables; i++) {
        struct idl_table *t = &s->idl->tables[i];

        t->missing = false;
        memset(t->absent, 0, t->schema->n_columns * sizeof *t->absent);
    }
    if (s->lock) {
        send_lock(s);
    }
    (s->leader_only ? send_server_monitor : send_monitor)(s);
}

static void
handle_disconnected(struct jsonrpc_session *rpc UNUSED, int error UNUSED, void *aux)
{
    struct idl_session *s = aux;

    s->filled = s->has_lock = s->lock_contended = false;
    pending_cancel_all(s);
    loop_task_post(&s->notify);
}

static const struct jsonrpc_session_ops session_ops = {
    .connected = handle_connected,
    .disconnected = handle_disconnected,
    .message = handle_message,
};

/* ---- Life ---- */

struct idl_session *
idl_session_create(struct idl *idl, const char *remotes, bool retry)
{
    struct idl_session *s = xzalloc(sizeof *s);

    s->idl = idl;
    s->remotes = xstrdup(remotes);
    s->retry = retry;
    s->n_remotes = 1;
    for (const char *p = remotes; *p; p++) {
        s->n_remotes += *p == ',';
    }
    list_init(&s->pending);
    loop_task_init(idl->loop, &s->notify, run_notify, s);
    loop_timer_init(idl->loop, &s->distrust, distrust_over, s);
    strcpy(s->last_id, zero_id);
    return s;
}

void
idl_session_destroy(struct idl_session *s)
{
    pending_cancel_all(s);
    loop_task_cancel(&s->notify);
    loop_timer_cancel(&s->distrust);
    jsonrpc_session_close(s->rpc);
    free(s->remotes);
    free(s->lock);
    free(s->error);
    free(s->state_text);
    free(s);
}

void
idl_session_start(struct idl_session *s)
{
    s->rpc = jsonrpc_session_open(s->idl->loop, s->remotes, STREAM_PORT_OVSDB, &session_ops, s);
    jsonrpc_session_set_max_message(s->rpc, SIZE_MAX / 2); /* The dump of a large database is one message. */
}

const char *idl_session_lock(const struct idl_session *s) { return s->lock; }
void idl_session_log_error(const char *error) { log_warn("transaction error: %s", error); }

void
idl_set_lock(struct idl *idl, const char *name)
{
    free(idl->session->lock);
    idl->session->lock = xstrdup(name);
}

bool idl_has_lock(const struct idl *idl) { return idl->session->has_lock; }
bool idl_is_lock_contended(const struct idl *idl) { return idl->session->lock_contended; }
bool idl_is_filled(const struct idl *idl) { return idl->session->filled; }

/* Without retrying: every remote has had its attempt, and none is under way. */
static bool
gave_up(const struct idl_session *s)
{
    const struct reconnect *r = s->rpc ? jsonrpc_session_state(s->rpc) : NULL;

    return r && !s->retry && r->n_attempts >= s->n_remotes && !reconnect_is_connected(r)
        && r->state != RECONNECT_CONNECTING && jsonrpc_session_last_error(s->rpc);
}

const char *
idl_error(const struct idl *idl)
{
    struct idl_session *s = idl->session;

    if (!s->error && gave_up(s)) {
        s->error = xasprintf("%s: database connection failed (%s)", s->remotes,
                             stream_strerror(jsonrpc_session_last_error(s->rpc)));
    }
    return s->retry ? NULL : s->error;
}

const char *
idl_state_text(struct idl *idl)
{
    struct idl_session *s = idl->session;
    const char *name = s->rpc ? jsonrpc_session_name(s->rpc) : s->remotes;
    const int error = s->rpc ? jsonrpc_session_last_error(s->rpc) : 0;

    free(s->state_text);
    if (s->error) {
        s->state_text = xstrdup(s->error);
    } else if (s->rpc && jsonrpc_session_is_connected(s->rpc)) {
        s->state_text = xasprintf(s->filled ? "%s: connected" : "%s: connected, waiting for its contents", name);
    } else if (error) {
        s->state_text = xasprintf("%s: not connected (%s)", name, stream_strerror(error));
    } else {
        s->state_text = xasprintf("%s: not connected yet", name);
    }
    return s->state_text;
}

/* ---- Blocking calls ---- */

struct call {
    bool done;
    struct json *result;
    char *error;
};

static void
call_reply(void *aux, const struct json *result, const struct json *error)
{
    struct call *call = aux;

    call->done = true;
    if (error) {
        call->error = error_text_of(error);
    } else if (result) {
        call->result = js_ref(result);
    } else {
        call->error = xstrdup("connection lost");
    }
}

struct json *
idl_call_block(struct idl *idl, const char *method, struct json *params, char **error)
{
    struct call call = { .done = false };

    *error = NULL;
    if (!idl_session_request(idl->session, method, params, call_reply, &call)) {
        *error = xstrdup("not connected");
        return NULL;
    }
    while (!call.done) {
        loop_run_once(idl->loop, true);
    }
    *error = call.error;
    return call.result;
}
