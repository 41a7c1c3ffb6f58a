#include "jsonrpc/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc/conn.h"

/* A message that waits to be received. */
struct waiting {
    struct list node;
    struct jsonrpc_msg *msg;
};

struct jsonrpc_client {
    struct loop *loop;
    struct jsonrpc_conn *conn;      /* Null until a passive target has its peer. */
    struct stream_listener *listener;
    struct list inbox;
    bool opened;
    int error;                      /* Why it ended; 0 while it has not. */
};

static void
on_opened(struct jsonrpc_conn *conn UNUSED, void *c_)
{
    ((struct jsonrpc_client *) c_)->opened = true;
}

static void
on_message(struct jsonrpc_conn *conn, struct jsonrpc_msg *msg, void *c_)
{
    struct jsonrpc_client *c = c_;

    if (msg->type == JSONRPC_REQUEST && !strcmp(msg->method, "echo")) {
        jsonrpc_conn_send(conn, jsonrpc_reply(js_ref(msg->params), msg->id));
        jsonrpc_msg_free(msg);
    } else {
        struct waiting *w = xmalloc(sizeof *w);

        w->msg = msg;
        list_push_back(&c->inbox, &w->node);
    }
}

static void
on_closed(struct jsonrpc_conn *conn UNUSED, int error, void *c_)
{
    ((struct jsonrpc_client *) c_)->error = error ? error : STREAM_EOF;
}

static const struct jsonrpc_conn_ops conn_ops = { .opened = on_opened, .message = on_message, .closed = on_closed };

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *c_)
{
    struct jsonrpc_client *c = c_;

    if (c->conn) {
        stream_close(stream);
    } else {
        c->opened = !stream_is_opening(stream);
        c->conn = jsonrpc_conn_create(c->loop, stream, &conn_ops, c);
    }
}

int
jsonrpc_client_open(const char *target, uint16_t default_port, struct jsonrpc_client **client)
{
    struct jsonrpc_client *c = xzalloc(sizeof *c);
    struct stream *stream = NULL;
    int error;

    *client = NULL;
    c->loop = loop_create();
    list_init(&c->inbox);
    if (stream_target_is_passive(target)) {
        error = stream_listen(c->loop, target, default_port, on_accept, c, &c->listener);
    } else {
        error = stream_open(c->loop, target, default_port, NULL, NULL, &stream);
        if (!error) {
            c->conn = jsonrpc_conn_create(c->loop, stream, &conn_ops, c);
        }
    }
    while (!error && !c->opened && !c->error) {
        loop_run_once(c->loop, true);
    }
    error = error ? error : c->error;
    stream_listener_close(c->listener);
    c->listener = NULL;
    if (error) {
        jsonrpc_client_close(c);
    } else {
        *client = c;
    }
    return error;
}

void
jsonrpc_client_close(struct jsonrpc_client *c)
{
    if (c) {
        LIST_FOR_EACH_SAFE (w, struct waiting, node, &c->inbox) {
            jsonrpc_msg_free(w->msg);
            free(w);
        }
        jsonrpc_conn_destroy(c->conn);
        loop_destroy(c->loop);
        free(c);
    }
}

int
jsonrpc_client_send(struct jsonrpc_client *c, struct jsonrpc_msg *msg)
{
    jsonrpc_conn_send(c->conn, msg);
    while (!c->error && jsonrpc_conn_backlog(c->conn)) {
        loop_run_once(c->loop, true);
    }
    return c->error;
}

static struct jsonrpc_msg *
take(struct waiting *w)
{
    struct jsonrpc_msg *msg = w->msg;

    list_remove(&w->node);
    free(w);
    return msg;
}

int
jsonrpc_client_try_receive(struct jsonrpc_client *c, struct jsonrpc_msg **msg)
{
    *msg = NULL;
    if (!list_is_empty(&c->inbox)) {
        *msg = take(CONTAINER_OF(c->inbox.next, struct waiting, node));
        return 0;
    }
    return c->error ? c->error : -EAGAIN;
}

int
jsonrpc_client_receive(struct jsonrpc_client *c, struct jsonrpc_msg **msg)
{
    int error;

    while ((error = jsonrpc_client_try_receive(c, msg)) == -EAGAIN) {
        loop_run_once(c->loop, true);
    }
    return error;
}

static struct jsonrpc_msg *
find_reply(struct jsonrpc_client *c, const struct json *id)
{
    LIST_FOR_EACH (w, struct waiting, node, &c->inbox) {
        if ((w->msg->type == JSONRPC_REPLY || w->msg->type == JSONRPC_ERROR) && js_equal(w->msg->id, id)) {
            return take(w);
        }
    }
    return NULL;
}

int
jsonrpc_client_call(struct jsonrpc_client *c, const char *method, struct json *params, struct jsonrpc_msg **reply)
{
    struct json *id;
    int error = jsonrpc_client_send(c, jsonrpc_request(method, params, &id));

    /* What arrived before the connection broke counts. */
    while (!(*reply = find_reply(c, id))) {
        if (c->error) {
            error = c->error;
            break;
        }
        loop_run_once(c->loop, true);
    }
    js_unref(id);
    return *reply ? 0 : error;
}

struct loop *
jsonrpc_client_loop(struct jsonrpc_client *c)
{
    return c->loop;
}

const char *
jsonrpc_client_name(const struct jsonrpc_client *c)
{
    return jsonrpc_conn_name(c->conn);
}
