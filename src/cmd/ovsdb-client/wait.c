#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-client/oc.h"
#include "jsonrpc/session.h"
#include "sys/cmdline.h"

/* "wait": follows the database's row in _Server until it is as wanted. */

enum state { ADDED, CONNECTED, REMOVED };

struct waiter {
    struct loop *loop;
    const char *database;
    enum state wanted;
};

static void
ask(struct jsonrpc_session *s, void *w UNUSED)
{
    struct json *request = js_object(), *columns = js_array(), *requests = js_object(), *params = oc_params("_Server");

    js_append_take(columns, js_str("name"));
    js_append_take(columns, js_str("connected"));
    js_set_take(request, "columns", columns);
    js_set_take(requests, "Database", request);
    js_append_take(params, js_null());
    js_append_take(params, requests);
    jsonrpc_session_send(s, jsonrpc_request("monitor", params, NULL));
}

/* What a <table-updates> says of the database: found, connected, or gone (false if it does not mention it). */
static bool
mentioned(const struct waiter *w, const struct json *updates, bool *present, bool *connected)
{
    const struct json *table = js_get(updates, "Database");
    bool found = false;

    for (void *it = js_is(table, JS_OBJECT) ? js_iter(table) : NULL; it; it = js_iter_next(table, it)) {
        const struct json *new = js_get(js_iter_value(it), "new"), *old = js_get(js_iter_value(it), "old");
        const char *name = js_get_str(new ? new : old, "name");

        if (name && !strcmp(name, w->database)) {
            found = true;
            *present = new != NULL;
            *connected = new && js_is(js_get(new, "connected"), JS_TRUE);
        }
    }
    return found;
}

static void
on_message(struct jsonrpc_session *s UNUSED, struct jsonrpc_msg *m, void *w_)
{
    struct waiter *w = w_;
    bool present = false, connected = false, initial = m->type == JSONRPC_REPLY;
    const struct json *updates = initial ? m->result : m->type == JSONRPC_NOTIFY ? js_at(m->params, 1) : NULL;

    if (m->type == JSONRPC_ERROR) {
        cmdline_fatal(0, "monitor request failed: %s", js_to_string(m->error, JS_SORTED));
    }
    if (updates && (mentioned(w, updates, &present, &connected) || initial)
        && (w->wanted == ADDED ? present : w->wanted == CONNECTED ? connected : !present)) {
        loop_stop(w->loop);
    }
    jsonrpc_msg_free(m);
}

void
oc_wait(struct oc *oc)
{
    static const struct jsonrpc_session_ops ops = { .connected = ask, .message = on_message };
    struct waiter w = { .database = oc->argv[0] };
    struct jsonrpc_session *s;

    if (!strcmp(oc->argv[1], "added")) {
        w.wanted = ADDED;
    } else if (!strcmp(oc->argv[1], "connected")) {
        w.wanted = CONNECTED;
    } else if (!strcmp(oc->argv[1], "removed")) {
        w.wanted = REMOVED;
    } else {
        cmdline_fatal(0, "%s: unknown state", oc->argv[1]);
    }
    w.loop = loop_create();
    s = jsonrpc_session_open(w.loop, oc->server, STREAM_PORT_OVSDB, &ops, &w);
    loop_run(w.loop);
    jsonrpc_session_close(s);
    loop_destroy(w.loop);
}
