/* The replica's connection: its state, and which part gets which message. */
#include <stdlib.h>

#include "ovsdb/idl/session_private.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_idl)

/* ---- State ---- */

void
idl_session_set_error(struct idl_session *s, char *text)
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

void
idl_session_distrust(struct idl_session *s, struct error *e)
{
    s->distrusted = true;
    s->filled = false;
    s->distrust_ms = MIN(MAX(2 * s->distrust_ms, 1000), 8000);
    idl_monitor_forget_id(s);
    loop_timer_set(&s->distrust, clock_now_ms() + s->distrust_ms);
    idl_session_set_error(s, error_take_text(e));
}

static void
distrust_over(struct loop_timer *timer)
{
    struct idl_session *s = timer->aux;

    jsonrpc_session_reconnect(s->rpc);
}

/* ---- Messages ---- */

static void
handle_notification(struct idl_session *s, const struct jsonrpc_msg *msg)
{
    if (!strcmp(msg->method, "update3")) {
        idl_monitor_update(s, msg->params, 2, true);
    } else if (!strcmp(msg->method, "update2")) {
        idl_monitor_update(s, msg->params, 2, false);
    } else if (!strcmp(msg->method, "update")) {
        idl_monitor_update(s, msg->params, 1, false);
    } else if (!strcmp(msg->method, "locked")) {
        idl_lock_update(s, msg->params, true);
    } else if (!strcmp(msg->method, "stolen")) {
        idl_lock_update(s, msg->params, false);
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

    if (s->distrusted) {
        log_dbg("%s: message ignored", jsonrpc_session_name(rpc));
    } else if (msg->type == JSONRPC_NOTIFY) {
        handle_notification(s, msg);
    } else if (msg->type != JSONRPC_REQUEST && !idl_session_answer(s, msg)) {
        log_dbg("%s: reply to no request of ours", jsonrpc_session_name(rpc));
    }
    jsonrpc_msg_free(msg);
}

static void
handle_connected(struct jsonrpc_session *rpc UNUSED, void *aux)
{
    struct idl_session *s = aux;

    s->distrusted = false;
    loop_timer_cancel(&s->distrust);
    idl_monitor_reset(s);
    idl_lock_send(s);
    (s->leader_only ? idl_leader_send : idl_monitor_send)(s);
}

static void
handle_disconnected(struct jsonrpc_session *rpc UNUSED, int error UNUSED, void *aux)
{
    struct idl_session *s = aux;

    s->filled = s->has_lock = s->lock_contended = false;
    idl_session_cancel_requests(s);
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
    idl_monitor_forget_id(s);
    return s;
}

void
idl_session_destroy(struct idl_session *s)
{
    idl_session_cancel_requests(s);
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
    jsonrpc_session_set_long_results(s->rpc);
}

void idl_session_log_error(const char *error) { log_warn("transaction error: %s", error); }

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
