/* Forwarding what changes a relay's database to the source of the relay.
 *
 * A request waits while there is no connection.  Its answer comes after the updates that it caused, so the client sees
 * both in the right order.  If the connection is lost before the answer, nobody knows what became of it: "canceled". */
#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/source.h"

struct forward {
    struct list session_node; /* In the session's list. */
    struct list source_node;  /* In the source's list. */
    struct session *session;
    struct source *source;
    const char *method;
    struct json *params, *id; /* The client's. */
    struct json *sent;        /* The id of our request; null while it waits. */
};

static void
forward_destroy(struct forward *f)
{
    list_remove(&f->session_node);
    list_remove(&f->source_node);
    js_unref(f->params);
    js_unref(f->id);
    js_unref(f->sent);
    free(f);
}

static void
answer_canceled(struct forward *f)
{
    session_reply_error(f->session, js_str("canceled"), f->id);
    forward_destroy(f);
}

static bool
changes_something(const struct json *op)
{
    static const char *const names[] = { "insert", "update", "mutate", "delete" };
    const char *name = js_get_str(op, "op");

    if (!name) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(name, names[i])) {
            return true;
        }
    }
    return !strcmp(name, "commit") && js_is(js_get(op, "durable"), JS_TRUE);
}

bool
forward_wants(const struct served_db *db, const struct json *params)
{
    for (size_t i = 1; db->model == DB_RELAY && i < js_array_len(params); i++) {
        if (changes_something(js_at(params, i))) {
            return true;
        }
    }
    return false;
}

static void
send_now(struct forward *f)
{
    f->sent = source_send(f->source, f->method, js_ref(f->params));
}

void
forward_run(struct session *s, struct served_db *db, const char *method, struct json *params, const struct json *id)
{
    struct forward *f = xzalloc(sizeof *f);

    f->session = s;
    f->source = db->source;
    f->method = method;
    f->params = js_ref(params);
    f->id = js_ref(id);
    list_push_back(&s->forwards, &f->session_node);
    list_push_back(&f->source->forwards, &f->source_node);
    if (f->source->state == SOURCE_FOLLOWING) {
        send_now(f);
    }
}

bool
forward_cancel(struct session *s, const struct json *id)
{
    LIST_FOR_EACH (f, struct forward, session_node, &s->forwards) {
        if (js_equal(f->id, id)) {
            if (f->sent) {
                struct json *params = js_array();

                js_append_take(params, js_ref(f->sent)); /* The source answers, one way or the other. */
                source_send_notice(f->source, "cancel", params);
            } else {
                answer_canceled(f);
            }
            return true;
        }
    }
    return false;
}

void
forward_clear(struct session *s)
{
    LIST_FOR_EACH_SAFE (f, struct forward, session_node, &s->forwards) {
        forward_destroy(f);
    }
}

void
forward_lost(struct source *source)
{
    LIST_FOR_EACH_SAFE (f, struct forward, source_node, &source->forwards) {
        if (f->sent) {
            answer_canceled(f);
        }
    }
}

void
forward_cancel_all(struct source *source)
{
    LIST_FOR_EACH_SAFE (f, struct forward, source_node, &source->forwards) {
        answer_canceled(f);
    }
}

void
forward_send_waiting(struct source *source)
{
    LIST_FOR_EACH (f, struct forward, source_node, &source->forwards) {
        if (!f->sent) {
            send_now(f);
        }
    }
}

bool
forward_answer(struct source *source, struct jsonrpc_msg *m)
{
    LIST_FOR_EACH (f, struct forward, source_node, &source->forwards) {
        if (f->sent && js_equal(f->sent, m->id)) {
            monitor_catch_up(f->session);
            if (m->type == JSONRPC_ERROR) {
                session_reply_error(f->session, js_ref(m->error), f->id);
            } else {
                session_reply(f->session, js_ref(m->result), f->id);
            }
            forward_destroy(f);
            return true;
        }
    }
    return false;
}
