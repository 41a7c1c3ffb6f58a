#include "ctl/ctl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/strmap.h"
#include "ctl/ctl_private.h"
#include "ctl/memory.h"
#include "jsonrpc/conn.h"
#include "sys/cmdline.h"
#include "sys/counter.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(unixctl)
COUNTER(unixctl_received)
COUNTER(unixctl_replied)

/* Requests are small; replies are not limited. */
enum { MAX_REQUEST = 1 << 20 };

struct command {
    const char *usage; /* Null: hidden. */
    int min, max;
    ctl_cb *cb;
    void *aux;
};

struct ctl_conn {
    struct list node;           /* In the server's list. */
    struct ctl_server *server;
    struct jsonrpc_conn *rpc;
    struct ctl_request *request; /* The one in work, or null. */
    bool json;                  /* The output format. */
};

struct ctl_request {
    struct ctl_conn *conn;      /* Null once the connection has ended. */
    struct json *id;
    struct ctl_job *job;        /* That answers it; null: none. */
};

struct ctl_server {
    struct loop *loop;
    struct stream_listener *listener; /* Null with "none". */
    char *path;
    struct list conns;
    struct loop_timer sample;   /* For the rates of the counters. */
    struct memory_watch memory;
};

static struct strmap commands = STRMAP_INIT(&commands);

void
ctl_register(const char *name, const char *usage, int min, int max, ctl_cb *cb, void *aux)
{
    struct command *c = xmalloc(sizeof *c);

    *c = (struct command) { usage, min, max, cb, aux };
    strmap_put_free(&commands, name, c);
}

void
ctl_unregister(const char *name)
{
    free(strmap_remove(&commands, name));
}

/* Replies. */

static void
end_request(struct ctl_request *r)
{
    struct ctl_conn *c = r->conn;

    counter_inc(unixctl_replied);
    if (c) {
        c->request = NULL;
        jsonrpc_conn_set_reading(c->rpc, true);
    }
    js_unref(r->id);
    free(r);
}

static void
send_reply(struct ctl_request *r, struct jsonrpc_msg *msg)
{
    if (r->conn) {
        jsonrpc_conn_send(r->conn->rpc, msg);
    } else {
        jsonrpc_msg_free(msg);
    }
    end_request(r);
}

/* In JSON if the client wants that; takes 'text'. */
static struct json *
make_result(const struct ctl_request *r, struct json *text)
{
    struct json *wrapped;

    if (!ctl_request_wants_json(r)) {
        return text;
    }
    wrapped = js_object();
    js_set_take(wrapped, "reply-format", js_str("plain"));
    js_set_take(wrapped, "reply", text);
    return wrapped;
}

void
ctl_reply(struct ctl_request *r, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    char *line = xasprintf("%s%s", n ? text : "", n && text[n - 1] != '\n' ? "\n" : "");
    struct json *result = js_str(line);

    free(line);
    log_dbg("replying with success, id=%lld: \"%s\"", (long long) js_int_value(r->id), text ? text : "");
    send_reply(r, jsonrpc_reply(make_result(r, result), r->id));
}

/* Replies in parts: what surrounds the text in a reply, and the text as in a JSON string. */

static const char *
reply_suffix(const struct ctl_request *r)
{
    return ctl_request_wants_json(r) ? "\"}}" : "\"}";
}

void
ctl_reply_begin(struct ctl_request *r)
{
    struct jsonrpc_msg *empty = jsonrpc_reply(make_result(r, js_str("")), r->id);
    struct str s = STR_INIT;

    log_dbg("replying with success, id=%lld, in parts", (long long) js_int_value(r->id));
    jsonrpc_msg_put(&s, empty);
    jsonrpc_conn_send_part(r->conn->rpc, s.text, s.len - strlen(reply_suffix(r)));
    jsonrpc_msg_free(empty);
    str_uninit(&s);
}

void
ctl_reply_put(struct ctl_request *r, const char *text)
{
    struct str s = STR_INIT;

    js_put_quoted(&s, text);
    jsonrpc_conn_send_part(r->conn->rpc, s.text + 1, s.len - 2);
    str_uninit(&s);
}

void
ctl_reply_end(struct ctl_request *r)
{
    const char *suffix = reply_suffix(r);

    jsonrpc_conn_send_part(r->conn->rpc, suffix, strlen(suffix));
    end_request(r);
}

size_t
ctl_request_backlog(const struct ctl_request *r)
{
    return jsonrpc_conn_backlog(r->conn->rpc);
}

bool
ctl_request_set_job(struct ctl_request *r, struct ctl_job *job)
{
    r->job = job;
    return r->conn;
}

void
ctl_replyf(struct ctl_request *r, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    ctl_reply(r, text);
    free(text);
}

void
ctl_reply_json(struct ctl_request *r, struct json *json)
{
    send_reply(r, jsonrpc_reply(json, r->id));
}

void
ctl_reply_error(struct ctl_request *r, const char *format, ...)
{
    struct str text = STR_INIT;
    va_list args;

    va_start(args, format);
    str_putv(&text, format, args);
    va_end(args);
    log_dbg("replying with error, id=%lld: \"%s\"", (long long) js_int_value(r->id), str_text(&text));
    if (text.len && !str_ends_with(&text, "\n")) {
        str_putc(&text, '\n');
    }
    send_reply(r, jsonrpc_error(js_str(str_text(&text)), r->id));
    str_uninit(&text);
}

void
ctl_reply_take_error(struct ctl_request *r, struct error *error)
{
    if (error) {
        ctl_reply_error(r, "%s", error_text(error));
        error_free(error);
    } else {
        ctl_reply(r, NULL);
    }
}

bool
ctl_request_wants_json(const struct ctl_request *r)
{
    return r->conn && r->conn->json;
}

void
ctl_request_set_json(struct ctl_request *r, bool json)
{
    if (r->conn) {
        r->conn->json = json;
    }
}

/* Requests. */

static void
run_command(struct ctl_request *r, const char *method, const struct json *params)
{
    const struct command *c = strmap_get(&commands, method);
    size_t n = js_array_len(params);
    const char **argv;

    if (!c) {
        ctl_reply_error(r, "\"%s\" is not a valid command (use \"list-commands\" to see a list of valid commands)",
                        method);
        return;
    }
    if (n < (size_t) c->min) {
        ctl_reply_error(r, "\"%s\" command requires at least %d arguments", method, c->min);
        return;
    }
    if (n > (size_t) c->max) {
        ctl_reply_error(r, "\"%s\" command takes at most %d arguments", method, c->max);
        return;
    }
    argv = xcalloc(n + 2, sizeof *argv);
    argv[0] = method;
    for (size_t i = 0; i < n; i++) {
        if (!js_is(js_at(params, i), JS_STRING)) {
            ctl_reply_error(r, "\"%s\" command has non-string argument", method);
            free(argv);
            return;
        }
        argv[i + 1] = js_str_value(js_at(params, i));
    }
    c->cb(r, n + 1, argv, c->aux);
    free(argv);
}

static void
log_request(const struct jsonrpc_msg *msg)
{
    if (log_this.max >= LOG_LEVEL_DBG) {
        char *params = js_to_string(msg->params, JS_COMPACT);

        log_dbg("received request %s%s, id=%lld", msg->method, params, (long long) js_int_value(msg->id));
        free(params);
    }
}

static void
conn_destroy(struct ctl_conn *c)
{
    struct ctl_request *r = c->request;

    if (r && r->job) {
        ctl_job_abandon(r->job);
        end_request(r);
    } else if (r) {
        r->conn = NULL;
    }
    list_remove(&c->node);
    jsonrpc_conn_destroy(c->rpc);
    free(c);
}

static void
on_message(struct jsonrpc_conn *rpc, struct jsonrpc_msg *msg, void *c_)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    struct ctl_conn *c = c_;

    if (msg->type != JSONRPC_REQUEST) {
        log_warn_rl(&limit, "%s: received unexpected %s message", jsonrpc_conn_name(rpc), jsonrpc_type_name(msg->type));
        conn_destroy(c);
    } else {
        struct ctl_request *r = xmalloc(sizeof *r);

        counter_inc(unixctl_received);
        log_request(msg);
        *r = (struct ctl_request) { .conn = c, .id = js_ref(msg->id) };
        c->request = r;
        jsonrpc_conn_set_reading(rpc, false); /* One at a time. */
        run_command(r, msg->method, msg->params);
    }
    jsonrpc_msg_free(msg);
}

static void
on_closed(struct jsonrpc_conn *rpc UNUSED, int error UNUSED, void *c)
{
    conn_destroy(c);
}

static void
on_drained(struct jsonrpc_conn *rpc UNUSED, void *c_)
{
    const struct ctl_conn *c = c_;

    if (c->request && c->request->job) {
        ctl_job_on_drained(c->request->job);
    }
}

static const struct jsonrpc_conn_ops conn_ops = { .message = on_message, .closed = on_closed, .drained = on_drained };

/* The server. */

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *server_)
{
    struct ctl_server *server = server_;
    struct ctl_conn *c = xzalloc(sizeof *c);

    c->server = server;
    list_push_back(&server->conns, &c->node);
    c->rpc = jsonrpc_conn_create(server->loop, stream, &conn_ops, c);
    jsonrpc_conn_set_max_message(c->rpc, MAX_REQUEST);
}

static void
sample(struct loop_timer *t)
{
    counter_sample();
    loop_timer_set(t, clock_now_ms() + COUNTER_PERIOD_MS);
}

static void
list_commands(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct strmap_entry **sorted = strmap_sorted(&commands);
    struct json *json = js_object();
    struct str s = STR_INIT;

    str_puts(&s, "The available commands are:\n");
    for (size_t i = 0; i < strmap_count(&commands); i++) {
        const struct command *c = sorted[i]->value;

        if (c->usage) {
            str_putf(&s, "  %-23s %s\n", sorted[i]->key, c->usage);
            js_set_take(json, sorted[i]->key, js_str(c->usage));
        }
    }
    if (ctl_request_wants_json(r)) {
        ctl_reply_json(r, js_ref(json));
    } else {
        ctl_reply(r, str_text(&s));
    }
    js_unref(json);
    str_uninit(&s);
    free(sorted);
}

static void
version(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    char *text = cmdline_version_text();

    ctl_reply(r, text);
    free(text);
}

/* set-options [--format text|json] */
static void
set_options(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    for (int i = 1; i < argc; i++) {
        const char *value;

        if (!strcmp(argv[i], "--format") && i + 1 < argc) {
            value = argv[++i];
        } else if (!strncmp(argv[i], "--format=", 9)) {
            value = argv[i] + 9;
        } else if (!strcmp(argv[i], "--format")) {
            ctl_reply_error(r, "option '--format' requires an argument");
            return;
        } else {
            ctl_reply_error(r, "unrecognized option '%s'", argv[i]);
            return;
        }
        if (!strcasecmp(value, "json") || !strcasecmp(value, "text")) {
            ctl_request_set_json(r, !strcasecmp(value, "json"));
        } else {
            ctl_reply_error(r, "option format has invalid value %s", value);
            return;
        }
    }
    ctl_reply(r, NULL);
}

static char *
socket_path(const char *path)
{
    return path ? dirs_resolve(dirs_run(), path)
                : xasprintf("%s/%s.%ld.ctl", dirs_run(), log_program(), (long) getpid());
}

int
ctl_server_create(struct loop *loop, const char *path, struct ctl_server **server, const char **path_used)
{
    struct ctl_server *s = xzalloc(sizeof *s);
    int error = 0;

    s->loop = loop;
    s->path = path && !strcmp(path, "none") ? NULL : socket_path(path);
    list_init(&s->conns);
    ctl_jobs_init(loop);
    loop_timer_init(loop, &s->sample, sample, s);
    loop_timer_set(&s->sample, clock_now_ms() + COUNTER_PERIOD_MS);
    memory_watch_begin(&s->memory, loop);
    if (s->path) {
        char *target = xasprintf("punix:%s", s->path);

        error = stream_listen(loop, target, 0, on_accept, s, &s->listener);
        free(target);
    }
    ctl_register("list-commands", "", 0, 0, list_commands, NULL);
    ctl_register("version", "", 0, 0, version, NULL);
    ctl_register("set-options", "[--format text|json]", 0, INT_MAX, set_options, NULL);
    ctl_register_log_commands();
    ctl_register_count_commands();
    if (path_used) {
        *path_used = s->path;
    }
    *server = s;
    return error;
}

struct ctl_server *
ctl_server_create_or_exit(struct loop *loop, const char *path)
{
    struct ctl_server *server;
    const char *used;
    int error = ctl_server_create(loop, path, &server, &used);

    if (error) {
        cmdline_fatal(error, "%s: could not initialize control socket", used);
    }
    return server;
}

void
ctl_server_destroy(struct ctl_server *s)
{
    if (s) {
        LIST_FOR_EACH_SAFE (c, struct ctl_conn, node, &s->conns) {
            conn_destroy(c);
        }
        ctl_jobs_uninit();
        loop_timer_cancel(&s->sample);
        memory_watch_end(&s->memory);
        stream_listener_close(s->listener);
        free(s->path);
        free(s);
        strmap_uninit_free(&commands);
        strmap_init(&commands);
    }
}
