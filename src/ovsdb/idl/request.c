/* Requests of the replica, and who gets their answers. */
#include <stdlib.h>

#include "ovsdb/idl/session_private.h"

struct pending {
    struct list node;
    struct json *id;
    int64_t number;
    idl_reply_cb *cb;
    void *aux;
};

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
pending_destroy(struct pending *p)
{
    js_unref(p->id);
    free(p);
}

static void
pending_finish(struct pending *p, const struct json *result, const struct json *error)
{
    list_remove(&p->node);
    if (p->cb) {
        p->cb(p->aux, result, error);
    }
    pending_destroy(p);
}

/* The same of a reply with a long result: of the contents the text is all that is needed. */
static void
pending_finish_text(struct idl_session *s, struct pending *p, struct jsonrpc_msg *msg)
{
    struct error *e;

    if (p->cb && p->number == s->monitor_request) {
        list_remove(&p->node);
        idl_monitor_text(s, msg->result_text, msg->result_len);
        pending_destroy(p);
        return;
    }
    e = jsonrpc_msg_read_result(msg);
    if (e) {
        idl_session_distrust(s, e);
    } else {
        pending_finish(p, msg->result, NULL);
    }
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

bool
idl_session_answer(struct idl_session *s, struct jsonrpc_msg *msg)
{
    struct pending *p = pending_find(s, msg->id);

    if (p && msg->result_text) {
        pending_finish_text(s, p, msg);
    } else if (p) {
        pending_finish(p, msg->result, msg->error);
    }
    return p != NULL;
}

void
idl_session_cancel_requests(struct idl_session *s)
{
    struct list all;

    list_init(&all);
    list_splice(&all, &s->pending);
    LIST_FOR_EACH_SAFE (p, struct pending, node, &all) {
        pending_finish(p, NULL, NULL);
    }
}

char *
idl_error_text_of(const struct json *error)
{
    return js_is(error, JS_STRING) ? xstrdup(js_str_value(error)) : js_to_string(error, JS_SORTED);
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
        call->error = idl_error_text_of(error);
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
