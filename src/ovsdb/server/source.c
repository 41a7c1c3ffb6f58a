#include "ovsdb/server/source.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/dbs.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_source)

enum { RETRY_MS = 2000 };

static const char dbs_monitor[] = "_Server";

void
source_settings_uninit(struct source_settings *s)
{
    free(s->targets);
    strmap_uninit(&s->left_out);
}

static bool
is_relay(const struct source *s)
{
    return s->db->model == DB_RELAY;
}

/* Asking. */

struct json *
source_send(struct source *s, const char *method, struct json *params)
{
    struct json *id;

    jsonrpc_session_send(s->rpc, jsonrpc_request(method, params, &id));
    return id;
}

void
source_send_notice(struct source *s, const char *method, struct json *params)
{
    jsonrpc_session_send(s->rpc, jsonrpc_notify(method, params));
}

static void
ask(struct source *s, const char *method, struct json *params,
    void (*on_answer)(struct source *, const struct jsonrpc_msg *))
{
    js_unref(s->asked);
    s->asked = source_send(s, method, params);
    s->on_answer = on_answer;
}

static struct json *
params_of(struct json *first, struct json *second, struct json *third)
{
    struct json *params = js_array();

    js_append_take(params, first);
    if (second) {
        js_append_take(params, second);
    }
    if (third) {
        js_append_take(params, third);
    }
    return params;
}

static void
set_connected(struct source *s, bool connected)
{
    loop_timer_cancel(&s->grace);
    if (is_relay(s) && s->db->connected != connected) {
        s->db->connected = connected;
        server_db_update(s->db->server);
    }
}

static void
grace_is_over(struct loop_timer *t)
{
    set_connected(t->aux, false);
}

/* From now on nothing that comes is used. */
static void
stop_following(struct source *s, enum source_state state)
{
    if (s->state == SOURCE_FOLLOWING && is_relay(s)) {
        loop_timer_set(&s->grace, clock_now_ms() + RELAY_GRACE_MS);
    }
    s->state = state;
    js_unref(s->asked);
    s->asked = NULL;
    if (s->fresh) {
        db_destroy(s->fresh);
        s->fresh = NULL;
    }
}

/* The other server cannot be copied; 'why' is taken over.  A change of its schema or a new connection may help. */
static void
refuse(struct source *s, struct error *why)
{
    log_err("%s: database %s cannot be copied: %s", jsonrpc_session_name(s->rpc), s->db->name, error_text(why));
    stop_following(s, SOURCE_REFUSED);
    free(s->error);
    s->error = xstrdup(error_text(why));
    error_free(why);
    if (strchr(s->settings.targets, ',')) {
        loop_timer_set(&s->retry, clock_now_ms() + RETRY_MS);
    }
}

/* It does not have the database, or not yet: another one may. */
static void
wait_for_db(struct source *s)
{
    stop_following(s, SOURCE_WAITING);
    if (strchr(s->settings.targets, ',')) {
        loop_timer_set(&s->retry, clock_now_ms() + RETRY_MS);
    }
}

static void
try_next(struct loop_timer *t)
{
    struct source *s = t->aux;

    jsonrpc_session_reconnect(s->rpc);
}

/* Filling and following. */

static void
fail(struct source *s, struct dberr *e)
{
    refuse(s, dberr_to_error(e));
}

/* What comes is the transaction 'id' of the source, for the clients of a relay. */
static void
begin_txn(struct source *s, const struct uuid *id)
{
    if (is_relay(s)) {
        served_db_set_txn(s->db, id);
    }
}

/* What is served is the copy. */
static void
begin_following(struct source *s)
{
    struct served_db *db = s->db;

    if (s->fresh) {
        served_db_replace(db, s->fresh);
        s->fresh = NULL;
        db->ready = true;
        server_db_update(db->server);
        server_disconnect_unaware(db->server);
    }
    s->state = SOURCE_FOLLOWING;
    s->was_following = true;
    free(s->error);
    s->error = NULL;
    set_connected(s, true);
    forward_send_waiting(s);
}

/* 'scan' is where the updates are in the text of the reply; null if they are 'updates'. */
static void
fill(struct source *s, const struct json *updates, struct js_scan *scan, enum copy_form form, bool whole)
{
    struct db *db = s->fresh ? s->fresh : s->db->db;
    const struct uuid before = s->db->last_txn;
    struct dberr *e;

    if (!s->fresh) {
        begin_txn(s, &s->last); /* Clients are told in it. */
    }
    e = scan ? copy_update_scan(db, scan, form, whole, &s->settings.left_out)
             : copy_update(db, updates, form, whole, &s->settings.left_out);
    s->form = form;
    if (e) {
        s->db->last_txn = before;
        s->last = (struct uuid) { .bytes = { 0 } }; /* It was not come to. */
        fail(s, e);
    } else {
        begin_following(s);
        begin_txn(s, &s->last);
        served_db_end_txn(s->db);
    }
}

/* Of a reply that is all of the updates. */
static void
fill_whole(struct source *s, const struct jsonrpc_msg *m, enum copy_form form)
{
    struct js_scan scan = js_scan_init(m->result_text, m->result_len);

    s->last = (struct uuid) { .bytes = { 0 } };
    fill(s, m->result, m->result_text ? &scan : NULL, form, true);
}

static struct uuid
txn_id(const struct json *id)
{
    struct uuid uuid;

    if (!js_is(id, JS_STRING) || !uuid_parse(&uuid, js_str_value(id))) {
        uuid = (struct uuid) { .bytes = { 0 } };
    }
    return uuid;
}

static void
on_monitor(struct source *s, const struct jsonrpc_msg *m)
{
    if (m->type == JSONRPC_ERROR) {
        fail(s, dberr_at(m->error, "monitor failed", NULL));
    } else {
        fill_whole(s, m, COPY_UPDATES);
    }
}

static struct json *
monitor_params(struct source *s)
{
    const struct schema *ours = s->fresh ? s->fresh->schema : s->db->db->schema;

    return params_of(js_str(s->db->name), js_int(s->monitor), copy_requests(ours, s->schema, &s->settings.left_out));
}

static void
on_monitor_cond(struct source *s, const struct jsonrpc_msg *m)
{
    if (m->type == JSONRPC_ERROR) {
        ask(s, "monitor", monitor_params(s), on_monitor);
    } else {
        fill_whole(s, m, COPY_UPDATES2);
    }
}

static void
not_since(struct source *s, const struct json *result)
{
    fail(s, dberr_syntax(result, "not a reply to monitor_cond_since"));
}

/* [FOUND, LAST, UPDATES], as text. */
static void
fill_since(struct source *s, struct js_scan *scan)
{
    struct json *head[2];

    if (js_scan_head(scan, head, ARRAY_SIZE(head)) && js_is_bool(head[0])) {
        s->last = txn_id(head[1]);
        fill(s, NULL, scan, COPY_UPDATES2, !js_bool_value(head[0]));
    } else {
        not_since(s, NULL);
    }
    js_unref(head[0]);
    js_unref(head[1]);
}

static void
on_monitor_cond_since(struct source *s, const struct jsonrpc_msg *m)
{
    if (m->type == JSONRPC_ERROR) {
        ask(s, "monitor_cond", monitor_params(s), on_monitor_cond);
    } else if (m->result_text) {
        struct js_scan scan = js_scan_init(m->result_text, m->result_len);

        fill_since(s, &scan);
    } else if (js_array_len(m->result) != 3 || !js_is_bool(js_at(m->result, 0))) {
        not_since(s, m->result);
    } else {
        s->last = txn_id(js_at(m->result, 1));
        fill(s, js_at(m->result, 2), NULL, COPY_UPDATES2, !js_bool_value(js_at(m->result, 0)));
    }
}

static void
ask_for_all(struct source *s)
{
    struct json *params;
    char last[UUID_LEN + 1];

    if (s->monitoring) { /* Of the schema before; the answer does not matter. */
        js_unref(source_send(s, "monitor_cancel", params_of(js_int(s->monitor), NULL, NULL)));
    }
    s->monitor++;
    s->monitoring = true;
    s->state = SOURCE_FILLING;
    params = monitor_params(s);
    if (s->fresh) {
        s->last = (struct uuid) { .bytes = { 0 } };
    }
    uuid_format(&s->last, last);
    js_append_take(params, js_str(last));
    ask(s, "monitor_cond_since", params, on_monitor_cond_since);
}

/* The schema. */

/* Takes over the schema. */
static void
use_schema(struct source *s, struct schema *schema)
{
    struct error *error = NULL;

    stop_following(s, SOURCE_ASKING);
    if (s->schema) {
        schema_unref(s->schema);
    }
    s->schema = schema;
    if (strcmp(schema->name, s->db->name)) {
        error = error_new("its schema has the name %s", schema->name);
    } else if (!is_relay(s)) {
        error = copy_check_schema(s->db->db->schema, schema, &s->settings.left_out);
    } else if (!s->db->ready || !schema_equal(schema, s->db->db->schema)) {
        s->fresh = db_create(schema);
    }
    if (error) {
        refuse(s, error);
    } else {
        ask_for_all(s);
    }
}

static void
on_get_schema(struct source *s, const struct jsonrpc_msg *m)
{
    struct schema *schema;
    struct dberr *e;

    if (m->type == JSONRPC_ERROR) {
        wait_for_db(s);
        loop_timer_set(&s->retry, clock_now_ms() + RETRY_MS); /* There may be no "_Server" to tell when it comes. */
        return;
    }
    e = schema_from_json(&schema, m->result);
    if (e) {
        fail(s, e);
    } else {
        use_schema(s, schema);
    }
}

/* The text in "_Server" tells that the schema has changed, but some servers do not change it there. */
static void
ask_for_schema(struct source *s)
{
    stop_following(s, SOURCE_ASKING);
    ask(s, "get_schema", params_of(js_str(s->db->name), NULL, NULL), on_get_schema);
}

/* The other server's "_Server". */

static bool
one_bool(const struct json *row, const char *column)
{
    return js_is(js_get(row, column), JS_TRUE);
}

/* The row of our database; null if there is none. */
static const struct json *
row_of_db(const struct source *s)
{
    for (void *it = js_iter(s->about_dbs); it; it = js_iter_next(s->about_dbs, it)) {
        const char *name = js_get_str(js_iter_value(it), "name");

        if (name && !strcmp(name, s->db->name)) {
            return js_iter_value(it);
        }
    }
    return NULL;
}

/* Acts on what "_Server" says now. */
static void
look_at_db(struct source *s)
{
    const struct json *row = row_of_db(s);
    const char *text = row ? js_get_str(row, "schema") : NULL;

    if (!text || !one_bool(row, "connected")) {
        if (s->state != SOURCE_WAITING) {
            log_warn("%s: database %s is not %s there", jsonrpc_session_name(s->rpc), s->db->name,
                     row ? "usable" : "to be found");
            wait_for_db(s);
        }
        return;
    }
    loop_timer_cancel(&s->retry);
    if ((s->state == SOURCE_FOLLOWING || s->state == SOURCE_FILLING) && s->schema_text
        && !strcmp(text, s->schema_text)) {
        return;
    }
    free(s->schema_text);
    s->schema_text = xstrdup(text);
    ask_for_schema(s);
}

static void
merge_columns(struct json *row, const struct json *columns)
{
    for (void *it = js_iter(columns); it; it = js_iter_next(columns, it)) {
        js_set_take(row, js_iter_name(it), js_ref(js_iter_value(it)));
    }
}

/* Updates2 of "_Server": each column has at most one element, so a difference is the new value. */
static void
merge_about_dbs(struct source *s, const struct json *updates)
{
    const struct json *rows = js_get(updates, "Database");

    for (void *it = js_iter(rows); it; it = js_iter_next(rows, it)) {
        const struct json *update = js_iter_value(it), *new = js_get(update, "initial");
        struct json *row = js_get(s->about_dbs, js_iter_name(it));

        new = new ? new : js_get(update, "insert");
        if (new) {
            js_set_take(s->about_dbs, js_iter_name(it), js_clone(new));
        } else if (row && js_is(js_get(update, "modify"), JS_OBJECT)) {
            merge_columns(row, js_get(update, "modify"));
            continue;
        } else {
            js_remove(s->about_dbs, js_iter_name(it));
        }
    }
}

static void
on_about_dbs(struct source *s, const struct jsonrpc_msg *m)
{
    js_unref(s->about_dbs);
    s->about_dbs = NULL;
    if (m->type == JSONRPC_ERROR || !js_is(m->result, JS_OBJECT)) {
        ask_for_schema(s);
        return;
    }
    s->about_dbs = js_object();
    merge_about_dbs(s, m->result);
    look_at_db(s);
}

static void
ask_about_dbs(struct source *s)
{
    static const char *const names[] = { "name", "connected", "schema" };
    struct json *columns = js_array(), *request = js_object(), *requests = js_object(), *list = js_array();

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        js_append_take(columns, js_str(names[i]));
    }
    js_set_take(request, "columns", columns);
    js_append_take(list, request);
    js_set_take(requests, "Database", list);
    ask(s, "monitor_cond", params_of(js_str("_Server"), js_str(dbs_monitor), requests), on_about_dbs);
}

/* Events of the session. */

static void
on_server_id(struct source *s, const struct jsonrpc_msg *m)
{
    struct uuid id;

    if (m->type == JSONRPC_REPLY && js_is(m->result, JS_STRING) && uuid_parse(&id, js_str_value(m->result))
        && uuid_equal(&id, &s->db->server->id)) {
        refuse(s, error_new("Server ID check failed: Self replicating is not allowed"));
    } else {
        ask_about_dbs(s);
    }
}

static void
on_aware(struct source *s, const struct jsonrpc_msg *m UNUSED)
{
    ask(s, "get_server_id", js_array(), on_server_id); /* An older one does not know that: then nothing is checked. */
}

static void
on_connected(struct jsonrpc_session *rpc UNUSED, void *s_)
{
    struct source *s = s_;

    loop_timer_cancel(&s->retry);
    stop_following(s, SOURCE_ASKING);
    s->monitoring = false;
    forward_lost(s);
    ask(s, "set_db_change_aware", params_of(js_bool(true), NULL, NULL), on_aware);
}

static void
on_disconnected(struct jsonrpc_session *rpc UNUSED, int error UNUSED, void *s_)
{
    struct source *s = s_;

    loop_timer_cancel(&s->retry);
    stop_following(s, SOURCE_CONNECTING);
    forward_lost(s);
}

/* Whether the first parameter names the present monitor. */
static bool
is_of_monitor(const struct source *s, const struct json *params)
{
    return s->monitoring && js_is(js_at(params, 0), JS_INTEGER) && js_int_value(js_at(params, 0)) == s->monitor;
}

/* 'txn' is the id of the transaction; zero if it has none. */
static void
on_update(struct source *s, const struct json *params, enum copy_form form, struct uuid txn,
          const struct json *updates)
{
    const struct json *id = js_at(params, 0);
    const struct uuid before = s->db->last_txn;
    struct dberr *e;

    if (js_is(id, JS_STRING) && !strcmp(js_str_value(id), dbs_monitor)) {
        if (s->about_dbs) {
            merge_about_dbs(s, updates);
            look_at_db(s);
        }
        return;
    }
    if (s->state != SOURCE_FOLLOWING || form != s->form || !is_of_monitor(s, params)) {
        return; /* Of a monitor that has ended. */
    }
    begin_txn(s, &txn);
    e = copy_update(s->db->db, updates, form, false, &s->settings.left_out);
    if (e) {
        s->db->last_txn = before;
        fail(s, e);
        loop_timer_set(&s->retry, clock_now_ms() + RETRY_MS); /* All of it may fit where the change does not. */
    } else {
        s->last = txn;
        served_db_end_txn(s->db);
    }
}

static void
on_notice(struct source *s, const struct jsonrpc_msg *m)
{
    static const struct uuid none;

    if (!strcmp(m->method, "update3")) {
        on_update(s, m->params, COPY_UPDATES2, txn_id(js_at(m->params, 1)), js_at(m->params, 2));
    } else if (!strcmp(m->method, "update2")) {
        on_update(s, m->params, COPY_UPDATES2, none, js_at(m->params, 1));
    } else if (!strcmp(m->method, "update")) {
        on_update(s, m->params, COPY_UPDATES, none, js_at(m->params, 1));
    } else if (!strcmp(m->method, "monitor_canceled") && is_of_monitor(s, m->params)) {
        s->monitoring = false; /* It has been converted, or is gone. */
        ask_for_schema(s);
    }
}

/* Reads a result that is there as text, unless it is the contents, which stay that.  False if it is no JSON: then the
 * connection ends. */
static bool
read_result(struct source *s, struct jsonrpc_msg *m)
{
    bool is_contents = s->state == SOURCE_FILLING && s->asked && js_equal(m->id, s->asked);
    struct error *error = is_contents ? NULL : jsonrpc_msg_read_result(m);

    if (error) {
        log_warn("%s: received a result that is no JSON: %s", jsonrpc_session_name(s->rpc), error_text(error));
        error_free(error);
        jsonrpc_session_reconnect(s->rpc);
        return false;
    }
    return true;
}

static void
on_message(struct jsonrpc_session *rpc UNUSED, struct jsonrpc_msg *m, void *s_)
{
    struct source *s = s_;

    if (m->result_text && !read_result(s, m)) {
        /* Nothing that can be used. */
    } else if (m->type == JSONRPC_NOTIFY) {
        on_notice(s, m);
    } else if (m->type == JSONRPC_REQUEST) {
        jsonrpc_session_send(s->rpc, jsonrpc_error(js_str("unknown method"), m->id));
    } else if (s->asked && js_equal(m->id, s->asked)) {
        js_unref(s->asked);
        s->asked = NULL;
        s->on_answer(s, m);
    } else {
        (void) !forward_answer(s, m); /* Else the answer to a question that does not matter any more. */
    }
    jsonrpc_msg_free(m);
}

static const struct jsonrpc_session_ops rpc_ops = {
    .connected = on_connected, .disconnected = on_disconnected, .message = on_message,
};

static void
resync(struct loop_task *t)
{
    struct source *s = t->aux;

    s->last = (struct uuid) { .bytes = { 0 } };
    jsonrpc_session_reconnect(s->rpc);
}

void
source_resync(struct source *s)
{
    loop_task_post(&s->resync);
}

void
source_set_probe_interval(struct source *s, int ms)
{
    s->settings.probe_interval = ms;
    if (ms < 0) {
        ms = is_relay(s) ? RELAY_PROBE_MS : BACKUP_PROBE_MS;
    }
    jsonrpc_session_set_probe_interval(s->rpc, ms);
}

struct source *
source_create(struct served_db *db, struct source_settings *settings)
{
    struct source *s = xzalloc(sizeof *s);
    struct loop *loop = db->server->loop;

    s->db = db;
    s->settings = *settings;
    strmap_init(&s->settings.left_out);
    STRMAP_FOR_EACH (e, &settings->left_out) {
        strmap_put(&s->settings.left_out, e->key, NULL);
    }
    strmap_uninit(&settings->left_out);
    list_init(&s->forwards);
    loop_timer_init(loop, &s->grace, grace_is_over, s);
    loop_timer_init(loop, &s->retry, try_next, s);
    loop_task_init(loop, &s->resync, resync, s);
    s->rpc = jsonrpc_session_open(loop, s->settings.targets, STREAM_PORT_OVSDB, &rpc_ops, s);
    jsonrpc_session_set_max_message(s->rpc, MAX_COPY);
    jsonrpc_session_set_long_results(s->rpc);
    source_set_probe_interval(s, s->settings.probe_interval);
    if (s->settings.max_backoff >= 0) {
        jsonrpc_session_set_max_backoff(s->rpc, s->settings.max_backoff);
    }
    if (s->settings.dscp >= 0) {
        jsonrpc_session_set_dscp(s->rpc, s->settings.dscp);
    }
    return s;
}

void
source_destroy(struct source *s)
{
    if (!s) {
        return;
    }
    stop_following(s, SOURCE_CONNECTING);
    forward_cancel_all(s);
    jsonrpc_session_close(s->rpc);
    loop_timer_cancel(&s->grace);
    loop_timer_cancel(&s->retry);
    loop_task_cancel(&s->resync);
    source_settings_uninit(&s->settings);
    if (s->schema) {
        schema_unref(s->schema);
    }
    js_unref(s->about_dbs);
    free(s->schema_text);
    free(s->error);
    free(s);
}
