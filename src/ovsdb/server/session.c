#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/internal.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_jsonrpc_server)

/* Replies. */

void
session_reply(struct session *s, struct json *result, const struct json *id)
{
    jsonrpc_session_send(s->rpc, jsonrpc_reply(result, id));
}

void
session_reply_text(struct session *s, const struct str *result, const struct json *id)
{
    struct jsonrpc_msg m = {
        .type = JSONRPC_REPLY, .result_text = result->text, .result_len = result->len, .id = (struct json *) id,
    };

    jsonrpc_session_send_copy(s->rpc, &m);
}

void
session_reply_error(struct session *s, struct json *error, const struct json *id)
{
    jsonrpc_session_send(s->rpc, jsonrpc_error(error, id));
}

void
session_reply_dberr(struct session *s, struct dberr *error, const struct json *id)
{
    session_reply_error(s, dberr_to_json(error), id);
    dberr_free(error);
}

void
session_notify(struct session *s, const char *method, struct json *params)
{
    jsonrpc_session_send(s->rpc, jsonrpc_notify(method, params));
}

/* The database named by the first parameter; replies with an error and returns null if there is none. */
static struct served_db *
find_db(struct session *s, const struct jsonrpc_msg *m)
{
    const struct json *first = js_at(m->params, 0);
    struct served_db *db;

    if (!js_is(first, JS_STRING)) {
        session_reply_dberr(s, dberr_syntax(m->params, "%s request params must begin with <db-name>", m->method),
                            m->id);
        return NULL;
    }
    db = server_find_db(s->server, js_str_value(first));
    if (!db) {
        session_reply_dberr(s, dberr_at(m->params, "unknown database", "%s request specifies unknown database %s",
                                        m->method, js_str_value(first)), m->id);
    } else if (!db->ready) {
        session_reply_dberr(s, dberr_new("database not available", "%s request specifies database %s which is not yet "
                                         "available because it has not completed joining its cluster", m->method,
                                         db->name), m->id);
        return NULL;
    }
    return db;
}

/* Replies with '*result', taken, or 'error'. */
static void
reply_either(struct session *s, struct dberr *error, struct json *result, const struct json *id)
{
    if (error) {
        session_reply_dberr(s, error, id);
    } else {
        session_reply(s, result, id);
    }
}

/* The methods of RFC 7047 section 4.1 and their extensions. */

static void
do_list_dbs(struct session *s, struct jsonrpc_msg *m)
{
    struct strmap_entry **sorted = strmap_sorted(&s->server->dbs);
    struct json *names = js_array();

    for (size_t i = 0; i < strmap_count(&s->server->dbs); i++) {
        js_append_take(names, js_str(sorted[i]->key));
    }
    free(sorted);
    session_reply(s, names, m->id);
}

static void
do_get_schema(struct session *s, struct jsonrpc_msg *m)
{
    struct served_db *db = find_db(s, m);

    if (db) {
        session_reply(s, schema_to_json(db->db->schema), m->id);
    }
}

static void
do_get_server_id(struct session *s, struct jsonrpc_msg *m)
{
    char text[UUID_LEN + 1];

    uuid_format(&s->server->id, text);
    session_reply(s, js_str(text), m->id);
}

static void
do_set_db_change_aware(struct session *s, struct jsonrpc_msg *m)
{
    const struct json *value = js_at(m->params, 0);

    if (js_array_len(m->params) != 1 || !js_is_bool(value)) {
        session_reply_dberr(s, dberr_syntax(m->params, "%s: true or false parameter expected", m->method), m->id);
    } else {
        s->change_aware = js_bool_value(value);
        session_reply(s, js_object(), m->id);
    }
}

static void
do_transact(struct session *s, struct jsonrpc_msg *m)
{
    struct served_db *db = find_db(s, m);

    if (db) {
        transact_run(s, db, m->params, m->id);
    }
}

static void
monitor_with(struct session *s, struct jsonrpc_msg *m, enum monitor_version version)
{
    struct served_db *db = find_db(s, m);

    if (db) {
        monitor_create(s, db, version, m->params, m->id);
    }
}

static void
do_monitor(struct session *s, struct jsonrpc_msg *m)
{
    monitor_with(s, m, MONITOR_V1);
}

static void
do_monitor_cond(struct session *s, struct jsonrpc_msg *m)
{
    monitor_with(s, m, MONITOR_COND);
}

static void
do_monitor_cond_since(struct session *s, struct jsonrpc_msg *m)
{
    monitor_with(s, m, MONITOR_COND_SINCE);
}

static void
do_monitor_cond_change(struct session *s, struct jsonrpc_msg *m)
{
    monitor_change_conditions(s, m->params, m->id);
}

static void
do_monitor_cancel(struct session *s, struct jsonrpc_msg *m)
{
    monitor_cancel(s, m->params, m->id);
}

/* Locks are for those who change something; answers others. */
static bool
may_lock(struct session *s, struct jsonrpc_msg *m)
{
    if (s->remote->options.read_only || server_is_backup(s->server)) {
        session_reply_error(s, js_str("lock and unlock methods not allowed, DB server is read only."), m->id);
        return false;
    }
    return true;
}

static void
lock_with(struct session *s, struct jsonrpc_msg *m, bool steal)
{
    if (may_lock(s, m)) {
        struct json *result = NULL;
        struct dberr *error = lock_request(s, m->params, steal, &result);

        reply_either(s, error, result, m->id);
    }
}

static void
do_lock(struct session *s, struct jsonrpc_msg *m)
{
    lock_with(s, m, false);
}

static void
do_steal(struct session *s, struct jsonrpc_msg *m)
{
    lock_with(s, m, true);
}

static void
do_unlock(struct session *s, struct jsonrpc_msg *m)
{
    if (may_lock(s, m)) {
        struct json *result = NULL;
        struct dberr *error = lock_release(s, m->params, &result);

        reply_either(s, error, result, m->id);
    }
}

static void
do_convert(struct session *s, struct jsonrpc_msg *m)
{
    struct served_db *db = find_db(s, m);
    struct dberr *error;

    if (!db) {
        return;
    }
    if (js_array_len(m->params) != 2) {
        error = dberr_syntax(m->params, "invalid parameters");
    } else if (s->remote->options.read_only || s->remote->options.role || db == s->server->own
               || served_db_is_backup(db)) {
        error = dberr_new("not allowed", "convert operation not allowed when database server is in read only mode");
    } else if (db->model == DB_RELAY) {
        forward_run(s, db, "convert", m->params, m->id);
        return;
    } else {
        error = served_db_convert(db, js_at(m->params, 1));
    }
    reply_either(s, error, error ? NULL : js_object(), m->id);
}

static const struct method {
    const char *name;
    void (*run)(struct session *, struct jsonrpc_msg *);
    bool cond; /* Gone after ovsdb-server/disable-monitor-cond. */
} methods[] = {
    { "transact", do_transact, false },
    { "list_dbs", do_list_dbs, false },
    { "get_schema", do_get_schema, false },
    { "get_server_id", do_get_server_id, false },
    { "set_db_change_aware", do_set_db_change_aware, false },
    { "monitor", do_monitor, false },
    { "monitor_cond", do_monitor_cond, true },
    { "monitor_cond_since", do_monitor_cond_since, true },
    { "monitor_cond_change", do_monitor_cond_change, false },
    { "monitor_cancel", do_monitor_cancel, false },
    { "lock", do_lock, false },
    { "steal", do_steal, false },
    { "unlock", do_unlock, false },
    { "convert", do_convert, false },
};

static void
run_request(struct session *s, struct jsonrpc_msg *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!strcmp(methods[i].name, m->method) && !(methods[i].cond && s->server->no_cond)) {
            methods[i].run(s, m);
            return;
        }
    }
    session_reply_error(s, js_str("unknown method"), m->id);
}

/* What a client may make us hold. */

void
session_update_reading(struct session *s)
{
    bool paused = jsonrpc_session_backlog(s->rpc) > PAUSE_BYTES;

    jsonrpc_session_set_reading(s->rpc, !paused && !s->n_snapshots);
}

/* Whether the server holds much for the client: output that it does not read, or a request that is not complete. */
static bool
is_slow(const struct session *s)
{
    return jsonrpc_session_backlog(s->rpc) > LAG_BYTES || jsonrpc_session_held(s->rpc) > LAG_BYTES;
}

void
session_check_stall(struct session *s)
{
    uint64_t moved = jsonrpc_session_received(s->rpc) + jsonrpc_session_written(s->rpc);
    int64_t now = clock_now_ms();

    if (moved != s->moved || s->n_snapshots || !is_slow(s)) {
        s->moved = moved;
        s->moved_at = now;
    } else if (now - s->moved_at >= STALL_MS && !s->doomed) {
        log_warn("%s: dropped: has neither read nor sent anything for %d seconds, while %zu bytes wait for it and %zu "
                 "bytes of a request are here", jsonrpc_session_name(s->rpc), STALL_MS / 1000,
                 jsonrpc_session_backlog(s->rpc), jsonrpc_session_held(s->rpc));
        session_doom(s);
    }
}

/* Events of the connection. */

/* Reads parameters that are text.  False if they are no JSON: then the connection ends. */
static bool
read_params(struct session *s, struct jsonrpc_msg *m)
{
    struct error *error = jsonrpc_msg_read_params(m);

    if (error) {
        log_warn("%s: received bad JSON-RPC message: %s", jsonrpc_session_name(s->rpc), error_text(error));
        error_free(error);
        session_doom(s);
    }
    return !error;
}

static void
on_message(struct jsonrpc_session *rpc, struct jsonrpc_msg *m, void *s_)
{
    struct session *s = s_;

    if (s->doomed || (m->params_text && (transact_run_text(s, m) || !read_params(s, m)))) {
        /* Nothing more for it. */
    } else if (m->type == JSONRPC_REQUEST) {
        run_request(s, m);
    } else if (m->type == JSONRPC_NOTIFY && !strcmp(m->method, "cancel")) {
        if (js_array_len(m->params) == 1) {
            (void) (transact_cancel(s, js_at(m->params, 0)) || forward_cancel(s, js_at(m->params, 0)));
        }
    } else if (m->type != JSONRPC_NOTIFY) {
        log_warn("%s: received unexpected %s message", jsonrpc_session_name(rpc), jsonrpc_type_name(m->type));
        session_doom(s);
    }
    jsonrpc_msg_free(m);
    session_update_reading(s);
}

static void
on_drained(struct jsonrpc_session *rpc UNUSED, void *s_)
{
    struct session *s = s_;

    monitor_catch_up(s);
    session_update_reading(s);
}

static void
on_disconnected(struct jsonrpc_session *rpc UNUSED, int error UNUSED, void *s_)
{
    struct session *s = s_;

    if (s->passive) {
        session_destroy(s);
    } else {
        session_clear(s);
    }
}

static const struct jsonrpc_session_ops rpc_ops = {
    .message = on_message, .disconnected = on_disconnected, .drained = on_drained,
};

static void
reap(struct loop_task *t)
{
    struct session *s = t->aux;

    if (s->passive) {
        session_destroy(s);
    } else {
        s->doomed = false;
        jsonrpc_session_reconnect(s->rpc);
    }
}

void
session_doom(struct session *s)
{
    if (!s->doomed) {
        s->doomed = true;
        loop_task_post(&s->reap);
    }
}

struct session *
session_create(struct remote *remote, struct stream *stream)
{
    struct session *s = xzalloc(sizeof *s);
    struct loop *loop = remote->server->loop;

    s->server = remote->server;
    s->remote = remote;
    s->passive = stream != NULL;
    s->moved_at = clock_now_ms();
    strmap_init(&s->monitors);
    list_init(&s->pending);
    list_init(&s->forwards);
    list_init(&s->lock_waiters);
    list_push_back(&s->server->sessions, &s->node);
    list_push_back(&remote->sessions, &s->remote_node);
    loop_task_init(loop, &s->reap, reap, s);
    s->rpc = stream ? jsonrpc_session_accept(loop, stream, &rpc_ops, s)
                    : jsonrpc_session_open(loop, remote->target, STREAM_PORT_OVSDB, &rpc_ops, s);
    jsonrpc_session_set_max_message(s->rpc, MAX_REQUEST);
    jsonrpc_session_set_long_params(s->rpc, "transact");
    session_configure(s);
    return s;
}

void
session_configure(struct session *s)
{
    const struct remote_options *o = &s->remote->options;

    jsonrpc_session_set_probe_interval(s->rpc, o->probe_interval);
    jsonrpc_session_set_max_backoff(s->rpc, o->max_backoff);
    jsonrpc_session_set_dscp(s->rpc, MAX(o->dscp, 0));
}

void
session_clear(struct session *s)
{
    monitor_clear(s);
    transact_clear(s);
    forward_clear(s);
    lock_clear(s);
    s->change_aware = false;
}

void
session_destroy(struct session *s)
{
    session_clear(s);
    jsonrpc_session_close(s->rpc);
    loop_task_cancel(&s->reap);
    strmap_uninit(&s->monitors);
    list_remove(&s->node);
    list_remove(&s->remote_node);
    free(s);
}
