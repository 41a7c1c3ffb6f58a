#include "jsonrpc/conn.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc/parser.h"
#include "sys/log.h"

LOG_MODULE(jsonrpc)

enum {
    READ_SIZE = 65536,
    SHORT_READ = 4096,      /* After so much, another look costs less than a wait for more; ... */
    MAX_READS = 64,         /* ... so often at a time, since others wait, ... */
    READS_PER_CHECK = 8,    /* ... and after so many only ... */
    READS_US = 500,         /* ... until so much time has passed. */
    FLUSH_SIZE = 262144, /* Written at most in one go. */
    SPARE_MAX = 1024,    /* Memory kept for the next message. */
    COPY_MAX = 16384,   /* Shared text up to this size is copied: cheaper than a system call of its own. */
    HOLD_SIZE = 16384,   /* Output is held back while there is more input at hand: up to so many bytes, ... */
    HOLD_US = 1000,      /* ... and for so long. */
};
#define DEFAULT_MAX_MESSAGE ((size_t) 1 << 30)

/* A piece of the output: text of our own, or shared. */
struct segment {
    struct list node;
    struct str own;
    struct shared_text *shared; /* Null: 'own'. */
};

struct jsonrpc_conn {
    struct stream *stream;
    const struct jsonrpc_conn_ops *ops;
    void *aux;
    int status;              /* 0, -EINPROGRESS; once ended, 1 (in order) or a negative errno. */
    bool reading;
    bool *destroyed;         /* Set by the destructor if a callback of ours is running. */

    struct jsonrpc_parser parser;
    const char *long_method; /* Of the requests whose parameters stay text; null: none. */
    struct str input;        /* Read but not parsed, while paused. */
    size_t input_at;
    uint64_t received, written;

    struct list output;      /* Of segments. */
    struct segment *spare;   /* An empty one, in no list; or null. */
    size_t output_at;        /* Bytes of the first segment that are written. */
    size_t backlog;
    bool more_input;         /* There is, behind the message that is being handled. */
    bool holds;              /* All of the output is held back, so that answers to many requests go out at once, ... */
    int64_t held_since;      /* ... since this time, us. */
    struct loop_task end;    /* Reports the end. */
    struct loop_task resume; /* Parses what was read before a pause. */
};

struct shared_text *
shared_text_take(struct str *s)
{
    struct shared_text *t = xmalloc(sizeof *t);

    t->n_refs = 1;
    t->len = s->len;
    t->text = str_steal(s);
    t->text = xrealloc(t->text, t->len + 1);
    return t;
}

struct shared_text *
shared_text_ref(struct shared_text *t)
{
    t->n_refs++;
    return t;
}

void
shared_text_unref(struct shared_text *t)
{
    if (t && !--t->n_refs) {
        free(t->text);
        free(t);
    }
}

static void
end_with(struct jsonrpc_conn *c, int status)
{
    if (c->status == 0 || c->status == -EINPROGRESS) {
        c->status = status;
        stream_want(c->stream, 0);
        loop_task_post(&c->end);
    }
}

static void
report_end(struct loop_task *t)
{
    struct jsonrpc_conn *c = t->aux;

    c->ops->closed(c, c->status > 0 ? 0 : c->status, c->aux);
}

static void
update_wants(struct jsonrpc_conn *c)
{
    if (c->status == 0) {
        stream_want(c->stream, (c->reading ? LOOP_READ : 0) | (c->backlog ? LOOP_WRITE : 0));
    }
}

/* Input. */

static void
log_message(const struct jsonrpc_conn *c, const char *what, const struct jsonrpc_msg *m)
{
    struct str s = STR_INIT;

    if (log_this.max < LOG_LEVEL_DBG) {
        return;
    }
    str_putf(&s, "%s: %s %s", stream_name(c->stream), what, jsonrpc_type_name(m->type));
    if (m->method) {
        str_putf(&s, ", method=\"%s\"", m->method);
    }
    const struct { const char *name; const struct json *value; } members[] = {
        { "params", m->params }, { "result", m->result }, { "error", m->error }, { "id", m->id },
    };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (members[i].value) {
            str_putf(&s, ", %s=", members[i].name);
            js_put(&s, members[i].value, JS_COMPACT);
        }
    }
    if (m->result_text) {
        str_putf(&s, ", result=%.*s", (int) MIN(m->result_len, INT_MAX), m->result_text);
    }
    if (m->params_text) {
        str_putf(&s, ", params=%.*s", (int) MIN(m->params_len, INT_MAX), m->params_text);
    }
    log_dbg("%s", str_text(&s));
    str_uninit(&s);
}

static void release(struct jsonrpc_conn *c);

/* Hands on one value, or its text, or why there is none.  False if the connection is gone. */
static bool
dispatch(struct jsonrpc_conn *c, struct json *json, char *text, size_t len, struct error *error)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 10);
    struct jsonrpc_msg *msg = NULL;
    bool destroyed = false;

    if (text) {
        error = jsonrpc_msg_from_text(text, len, c->long_method, &msg);
    } else if (json) {
        error = jsonrpc_msg_from_json(json, &msg);
    }
    if (error) {
        log_warn_rl(&limit, "%s: %s: %s", stream_name(c->stream), json || text ? "received bad JSON-RPC message"
                    : "error parsing stream",
                    error_text(error));
        error_free(error);
        release(c);
        end_with(c, -EPROTO);
        return true;
    }
    log_message(c, "received", msg);
    c->destroyed = &destroyed;
    c->ops->message(c, msg, c->aux);
    if (destroyed) {
        return false;
    }
    c->destroyed = NULL;
    return true;
}

/* Parses 'n' bytes, up to a pause.  Returns the number used, or SIZE_MAX if the connection is gone. */
static size_t
parse(struct jsonrpc_conn *c, const char *p, size_t n)
{
    size_t used = 0;

    while (used < n && c->reading && c->status == 0) {
        struct json *json;
        struct error *error;
        size_t len;
        char *text;

        used += jsonrpc_parser_feed(&c->parser, p + used, n - used, &json, &error);
        text = jsonrpc_parser_take_long(&c->parser, &len);
        c->more_input = used < n;
        if (c->holds && clock_real_us() - c->held_since > HOLD_US) {
            release(c);
        }
        if ((json || text || error) && !dispatch(c, json, text, len, error)) {
            return SIZE_MAX;
        }
    }
    c->more_input = false;
    release(c);
    return used;
}

static void
parse_held(struct loop_task *t)
{
    struct jsonrpc_conn *c = t->aux;
    size_t used = parse(c, str_text(&c->input) + c->input_at, c->input.len - c->input_at);

    if (used != SIZE_MAX) {
        c->input_at += used;
        if (c->input_at == c->input.len) {
            str_clear(&c->input);
            c->input_at = 0;
            update_wants(c);
        }
    }
}

/* Reads and handles what has come.  Whether there may be more: not, if the connection is gone. */
static bool
receive(struct jsonrpc_conn *c)
{
    char buf[READ_SIZE];
    ssize_t n = stream_read(c->stream, buf, sizeof buf);
    size_t used;

    if (n == -EAGAIN) {
        return false;
    } else if (n <= 0) {
        end_with(c, n ? n : 1);
        return false;
    }
    c->received += n;
    used = parse(c, buf, n);
    if (used == SIZE_MAX) {
        return false;
    }
    if (used < (size_t) n && c->status == 0) {
        str_putn(&c->input, buf + used, n - used);
    }
    return n <= SHORT_READ;
}

/* A peer that shares our processor gets it with its answer, and has sent the next request when we go on. */
static void
receive_all(struct jsonrpc_conn *c)
{
    int64_t until = 0;

    for (int i = 1; i <= MAX_READS && c->reading && c->status == 0 && receive(c); i++) {
        if (i % READS_PER_CHECK == 0) {
            int64_t now = clock_real_us();

            until = until ? until : now + READS_US;
            if (now >= until) {
                return;
            }
        }
    }
}

/* Output. */

static const char *
segment_data(const struct segment *s, size_t *len)
{
    *len = s->shared ? s->shared->len : s->own.len;
    return s->shared ? s->shared->text : s->own.text;
}

static void
segment_destroy(struct segment *s)
{
    list_remove(&s->node);
    shared_text_unref(s->shared);
    str_uninit(&s->own);
    free(s);
}

/* One of our own that is written is kept for the next message, if it is small. */
static void
segment_done(struct jsonrpc_conn *c, struct segment *s)
{
    if (c->spare || s->shared || s->own.capacity > SPARE_MAX) {
        segment_destroy(s);
    } else {
        list_remove(&s->node);
        str_clear(&s->own);
        c->spare = s;
    }
}

static void
flush(struct jsonrpc_conn *c)
{
    size_t done = 0;

    while (c->status == 0 && !list_is_empty(&c->output) && done < FLUSH_SIZE) {
        struct segment *s = CONTAINER_OF(c->output.next, struct segment, node);
        size_t len;
        const char *data = segment_data(s, &len);
        ssize_t n = stream_write(c->stream, data + c->output_at, len - c->output_at);

        if (n < 0) {
            if (n != -EAGAIN) {
                end_with(c, n);
            }
            return;
        }
        c->output_at += n;
        c->written += n;
        done += n;
        c->backlog -= n;
        if (c->output_at == len) {
            segment_done(c, s);
            c->output_at = 0;
        }
    }
}

/* The segment to which text of our own goes. */
static struct segment *
last_own(struct jsonrpc_conn *c)
{
    struct segment *s = CONTAINER_OF(c->output.prev, struct segment, node);

    /* Appending to a segment that is being written may move it, but only its offset is remembered. */
    if (list_is_empty(&c->output) || s->shared || s->own.len > READ_SIZE) {
        s = c->spare ? c->spare : xzalloc(sizeof *s);
        c->spare = NULL;
        list_push_back(&c->output, &s->node);
    }
    return s;
}

static void
put_own(struct jsonrpc_conn *c, const char *text, size_t len)
{
    str_putn(&last_own(c)->own, text, len);
    c->backlog += len;
}

static void
put_message(struct jsonrpc_conn *c, const struct jsonrpc_msg *msg)
{
    struct str *s = &last_own(c)->own;
    size_t before = s->len;

    jsonrpc_msg_put(s, msg);
    c->backlog += s->len - before;
}

/* Writes what was held back. */
static void
release(struct jsonrpc_conn *c)
{
    if (c->holds) {
        c->holds = false;
        flush(c);
        update_wants(c);
    }
}

/* Starts writing where nothing was waiting to be written, or holds the output back. */
static void
start_writing(struct jsonrpc_conn *c, bool was_empty)
{
    if (was_empty) {
        c->holds = true;
        c->held_since = c->more_input ? clock_real_us() : 0;
    }
    if (!c->more_input || c->backlog >= HOLD_SIZE) {
        release(c);
    }
}

static bool
can_send(const struct jsonrpc_conn *c)
{
    return c->status == 0 || c->status == -EINPROGRESS;
}

void
jsonrpc_conn_send_copy(struct jsonrpc_conn *c, const struct jsonrpc_msg *msg)
{
    if (can_send(c)) {
        bool was_empty = list_is_empty(&c->output);

        log_message(c, "send", msg);
        put_message(c, msg);
        start_writing(c, was_empty);
    }
}

void
jsonrpc_conn_send(struct jsonrpc_conn *c, struct jsonrpc_msg *msg)
{
    jsonrpc_conn_send_copy(c, msg);
    jsonrpc_msg_free(msg);
}

static void
put_shared(struct jsonrpc_conn *c, struct shared_text *text)
{
    if (text->len <= COPY_MAX) {
        put_own(c, text->text, text->len);
    } else {
        struct segment *s = xzalloc(sizeof *s);

        s->shared = shared_text_ref(text);
        list_push_back(&c->output, &s->node);
        c->backlog += text->len;
    }
}

void
jsonrpc_conn_send_shared(struct jsonrpc_conn *c, const char *prefix, struct shared_text *const *texts, size_t n,
                         const char *suffix)
{
    bool was_empty = list_is_empty(&c->output);

    if (!can_send(c)) {
        return;
    }
    log_dbg("%s: send %s%s%s%s", stream_name(c->stream), prefix, n ? texts[0]->text : "", n > 1 ? "..." : "", suffix);
    put_own(c, prefix, strlen(prefix));
    for (size_t i = 0; i < n; i++) {
        put_shared(c, texts[i]);
    }
    put_own(c, suffix, strlen(suffix));
    start_writing(c, was_empty);
}

void
jsonrpc_conn_send_part(struct jsonrpc_conn *c, const char *text, size_t len)
{
    if (len && can_send(c)) {
        bool was_empty = list_is_empty(&c->output);

        put_own(c, text, len);
        start_writing(c, was_empty);
    }
}

/* The stream. */

static void
on_stream(struct stream *stream, int events, void *c_)
{
    struct jsonrpc_conn *c = c_;

    if (events & STREAM_OPEN) {
        int error = stream_status(stream);

        if (error) {
            end_with(c, error);
        } else if (c->status == -EINPROGRESS) {
            c->status = 0;
            flush(c);
            update_wants(c);
            if (c->ops->opened) {
                c->ops->opened(c, c->aux);
            }
        }
        return;
    }
    if (events & LOOP_WRITE && c->backlog) {
        flush(c);
        update_wants(c);
        if (!c->backlog && c->status == 0 && c->ops->drained) {
            bool destroyed = false;

            c->destroyed = &destroyed;
            c->ops->drained(c, c->aux);
            if (destroyed) {
                return;
            }
            c->destroyed = NULL;
        }
    }
    if (events & LOOP_READ) {
        receive_all(c);
    }
}

struct jsonrpc_conn *
jsonrpc_conn_create(struct loop *loop, struct stream *stream, const struct jsonrpc_conn_ops *ops, void *aux)
{
    struct jsonrpc_conn *c = xzalloc(sizeof *c);

    c->stream = stream;
    c->ops = ops;
    c->aux = aux;
    c->reading = true;
    c->status = stream_is_opening(stream) ? -EINPROGRESS : 0;
    jsonrpc_parser_init(&c->parser, DEFAULT_MAX_MESSAGE);
    str_init(&c->input);
    list_init(&c->output);
    loop_task_init(loop, &c->end, report_end, c);
    loop_task_init(loop, &c->resume, parse_held, c);
    stream_set_callback(stream, on_stream, c);
    update_wants(c);
    return c;
}

void
jsonrpc_conn_destroy(struct jsonrpc_conn *c)
{
    if (c) {
        if (c->destroyed) {
            *c->destroyed = true;
        }
        release(c);
        loop_task_cancel(&c->end);
        loop_task_cancel(&c->resume);
        LIST_FOR_EACH_SAFE (s, struct segment, node, &c->output) {
            segment_destroy(s);
        }
        if (c->spare) {
            segment_destroy(c->spare);
        }
        jsonrpc_parser_uninit(&c->parser);
        str_uninit(&c->input);
        stream_close(c->stream);
        free(c);
    }
}

size_t
jsonrpc_conn_backlog(const struct jsonrpc_conn *c)
{
    return c->backlog;
}

void
jsonrpc_conn_set_reading(struct jsonrpc_conn *c, bool reading)
{
    if (c->reading != reading) {
        c->reading = reading;
        if (reading && c->input.len) {
            loop_task_post(&c->resume);
        } else {
            update_wants(c);
        }
    }
}

void
jsonrpc_conn_set_long_results(struct jsonrpc_conn *c)
{
    c->parser.long_from = LONG_REPLY;
}

void
jsonrpc_conn_set_long_params(struct jsonrpc_conn *c, const char *method)
{
    c->parser.long_from = LONG_REPLY;
    c->long_method = method;
}

void
jsonrpc_conn_set_max_message(struct jsonrpc_conn *c, size_t max_bytes)
{
    c->parser.max_bytes = max_bytes;
}

const char *
jsonrpc_conn_name(const struct jsonrpc_conn *c)
{
    return stream_name(c->stream);
}

struct stream *
jsonrpc_conn_stream(struct jsonrpc_conn *c)
{
    return c->stream;
}

uint64_t
jsonrpc_conn_received(const struct jsonrpc_conn *c)
{
    return c->received;
}

uint64_t
jsonrpc_conn_written(const struct jsonrpc_conn *c)
{
    return c->written;
}

size_t
jsonrpc_conn_held(const struct jsonrpc_conn *c)
{
    return jsonrpc_parser_held(&c->parser) + c->input.len - c->input_at;
}

int
jsonrpc_conn_status(const struct jsonrpc_conn *c)
{
    return c->status > 0 ? -ENOTCONN : c->status;
}
