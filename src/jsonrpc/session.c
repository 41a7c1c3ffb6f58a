#include "jsonrpc/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/log.h"

LOG_MODULE(reconnect)

enum {
    LISTEN_RETRY_MS = 1000,
    HANDSHAKE_MS = 10000,
    ECHO_BACKLOG = 8 << 20, /* Bytes not yet written with which no more echo requests are read. */
};

struct jsonrpc_session {
    struct loop *loop;
    const struct jsonrpc_session_ops *ops;
    void *aux;
    char *name;                /* The target in use, or the peer. */
    char **targets;            /* Null for an accepted session. */
    size_t n_targets, target;  /* The one in use. */
    uint16_t default_port;
    struct jsonrpc_conn *conn; /* Null while there is none, not even an attempt. */
    bool reading;              /* The user wants to read from it. */
    bool glutted;              /* It asks for echoes and does not read them. */
    struct stream_listener *listener; /* For a passive target. */
    struct reconnect fsm;
    struct loop_timer timer;
    uint64_t seen;             /* jsonrpc_conn_received() at the last step. */
    bool probe_is_set;         /* By the user, so not by the kind of stream. */
    bool quiet;                /* The log has said that it will say no more. */
    uint8_t dscp;
    size_t max_message;        /* 0: the default. */
    bool long_results;         /* As text. */
    const char *long_method;   /* Likewise the parameters of its requests; null: of none. */
    int last_error;
    bool *closed;              /* Set by the destructor if a callback of ours is running. */
};

static const struct jsonrpc_conn_ops conn_ops;
static void step(struct jsonrpc_session *, enum reconnect_event);

/* Runs a callback; false if it has closed the session. */
#define CALL(SESSION, CALLBACK) \
    ({ \
        bool closed_ = false, *outer_ = (SESSION)->closed; \
        (SESSION)->closed = &closed_; \
        CALLBACK; \
        if (closed_) { \
            if (outer_) { \
                *outer_ = true; \
            } \
        } else { \
            (SESSION)->closed = outer_; \
        } \
        !closed_; \
    })

/* The log, in the words that people know. */

static void
log_loss(const struct jsonrpc_session *s, bool was_connected, int error)
{
    if (was_connected) {
        if (error) {
            log_warn("%s: connection dropped (%s)", s->name, stream_strerror(error));
        } else if (s->targets) {
            log_info("%s: connection closed by peer", s->name);
        } else {
            log_dbg("%s: connection closed by peer", s->name); /* What clients of a server do all the time. */
        }
    } else if (!s->quiet && s->targets) {
        log_info("%s: connection attempt failed (%s)", s->name, stream_strerror(error));
    }
}

static void
log_wait(struct jsonrpc_session *s)
{
    if (s->fsm.state != RECONNECT_BACKOFF || s->quiet) {
        return;
    }
    if (s->fsm.backoff >= s->fsm.max_backoff) {
        log_info("%s: continuing to reconnect in the background but suppressing further logging", s->name);
        s->quiet = true;
    } else if (s->fsm.backoff > s->fsm.min_backoff) {
        log_info("%s: waiting %g seconds before reconnect", s->name, s->fsm.backoff / 1000.0);
    }
}

/* Connecting. */

static void
drop_conn(struct jsonrpc_session *s)
{
    jsonrpc_conn_destroy(s->conn);
    s->conn = NULL;
}

static void
set_target(struct jsonrpc_session *s, size_t i)
{
    s->target = i;
    free(s->name);
    s->name = xstrdup(s->targets[i]);
}

static void
set_interval(struct jsonrpc_session *s, int ms)
{
    if (!s->fsm.probe_interval && reconnect_is_connected(&s->fsm)) {
        s->fsm.last_received = clock_now_ms(); /* Not known: without probes it does not matter. */
    }
    s->fsm.probe_interval = ms;
}

static void
set_probe_for(struct jsonrpc_session *s, bool needs_probes)
{
    if (!s->probe_is_set) {
        set_interval(s, needs_probes ? 5000 : 0);
    }
}

static void
use_stream(struct jsonrpc_session *s, struct stream *stream)
{
    set_probe_for(s, stream_needs_probes(stream));
    (void) !stream_set_dscp(stream, s->dscp);
    s->seen = 0;
    s->conn = jsonrpc_conn_create(s->loop, stream, &conn_ops, s);
    s->reading = true;
    s->glutted = false;
    if (s->long_results) {
        jsonrpc_conn_set_long_results(s->conn);
    }
    if (s->long_method) {
        jsonrpc_conn_set_long_params(s->conn, s->long_method);
    }
    if (s->max_message) {
        jsonrpc_conn_set_max_message(s->conn, s->max_message);
    }
}

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *s_)
{
    struct jsonrpc_session *s = s_;

    if (s->conn) {
        jsonrpc_conn_destroy(s->conn); /* One peer at a time: the newest. */
        s->conn = NULL;
        step(s, RECONNECT_EV_DISCONNECTED);
        if (s->ops->disconnected && !CALL(s, s->ops->disconnected(s, 0, s->aux))) {
            stream_close(stream);
            return;
        }
    }
    use_stream(s, stream);
    if (stream_is_opening(stream)) {
        loop_timer_set(&s->timer, clock_now_ms() + HANDSHAKE_MS);
    } else {
        step(s, RECONNECT_EV_CONNECTED);
        log_info("%s: connected", stream_name(stream));
        if (s->ops->connected) {
            s->ops->connected(s, s->aux);
        }
    }
}

static void
start_listening(struct jsonrpc_session *s)
{
    int error = stream_listen(s->loop, s->name, s->default_port, on_accept, s, &s->listener);

    if (error) {
        log_info("%s: listen attempt failed (%s)", s->name, stream_strerror(error));
        s->last_error = error;
        loop_timer_set(&s->timer, clock_now_ms() + LISTEN_RETRY_MS);
    } else {
        log_info("%s: listening...", s->name);
    }
}

static void
attempt(struct jsonrpc_session *s)
{
    struct stream *stream;
    int error;

    if (!s->quiet) {
        log_info("%s: connecting...", s->name);
    }
    error = stream_open(s->loop, s->name, s->default_port, NULL, NULL, &stream);
    if (error) {
        s->last_error = error;
        log_loss(s, false, error);
        step(s, RECONNECT_EV_FAILED);
        log_wait(s);
    } else {
        use_stream(s, stream);
    }
}

/* Takes one step of the state machine and does what it says. */
static void
step(struct jsonrpc_session *s, enum reconnect_event event)
{
    bool was_connected = reconnect_is_connected(&s->fsm);
    struct reconnect_update u;

    reconnect_step(&s->fsm, event, clock_now_ms(), &u);
    loop_timer_set(&s->timer, u.wake_at);
    if (u.disconnect) {
        if (u.timed_out && was_connected) {
            log_err("%s: no response to inactivity probe after %g seconds, disconnecting", s->name,
                    s->fsm.probe_interval / 1000.0);
        } else if (u.timed_out && !s->quiet) {
            log_info("%s: connection attempt timed out", s->name);
        }
        drop_conn(s);
        s->last_error = u.timed_out ? -ETIMEDOUT : 0;
        if (s->targets) {
            set_target(s, (s->target + 1) % s->n_targets);
        }
        log_wait(s);
        if (was_connected && s->ops->disconnected
            && !CALL(s, s->ops->disconnected(s, s->last_error, s->aux))) {
            return;
        }
    }
    if (u.connect) {
        attempt(s);
    }
    if (u.probe && s->conn) {
        struct jsonrpc_msg *m = jsonrpc_request("echo", js_array(), NULL);

        js_unref(m->id);
        m->id = js_str("echo");
        jsonrpc_conn_send(s->conn, m);
    }
}

/* A connection attempt has succeeded.  False if the user has closed the session. */
static bool
note_connected(struct jsonrpc_session *s)
{
    s->quiet = false;
    s->last_error = 0;
    step(s, RECONNECT_EV_CONNECTED);
    log_at(s->targets ? LOG_LEVEL_INFO : LOG_LEVEL_DBG, "%s: connected", s->name);
    return !s->ops->connected || CALL(s, s->ops->connected(s, s->aux));
}

static bool
is_attempt(const struct jsonrpc_session *s)
{
    return s->conn && !reconnect_is_connected(&s->fsm);
}

static void on_closed(struct jsonrpc_conn *, int error, void *);

static void
on_timer(struct loop_timer *t)
{
    struct jsonrpc_session *s = t->aux;

    if (s->targets && stream_target_is_passive(s->name) && !s->listener) {
        start_listening(s);
        return;
    }
    if (is_attempt(s) && s->fsm.passive) {
        log_info("%s: no TLS handshake in time", s->name);
        on_closed(s->conn, -ETIMEDOUT, s);
        return;
    }
    if (s->conn && jsonrpc_conn_received(s->conn) != s->seen) {
        s->seen = jsonrpc_conn_received(s->conn);
        step(s, RECONNECT_EV_RECEIVED); /* In the middle of a long message. */
    }
    step(s, RECONNECT_EV_TICK);
}

/* The connection's events. */

static void
update_reading(struct jsonrpc_session *s)
{
    jsonrpc_conn_set_reading(s->conn, s->reading && !s->glutted);
}

/* The user does not see these, so bounds what they make us hold here. */
static void
answer_echo(struct jsonrpc_session *s, const struct jsonrpc_msg *msg)
{
    jsonrpc_conn_send(s->conn, jsonrpc_reply(js_ref(msg->params), msg->id));
    if (jsonrpc_conn_backlog(s->conn) > ECHO_BACKLOG) {
        s->glutted = true;
        update_reading(s);
    }
}

static void
on_message(struct jsonrpc_conn *c, struct jsonrpc_msg *msg, void *s_)
{
    struct jsonrpc_session *s = s_;

    if (is_attempt(s) && !note_connected(s)) {
        jsonrpc_msg_free(msg);
        return;
    }
    s->seen = jsonrpc_conn_received(c);
    if (s->fsm.probe_interval || s->fsm.state != RECONNECT_ACTIVE) { /* Else it would only ask for the time. */
        step(s, RECONNECT_EV_RECEIVED);
    }
    if (msg->type == JSONRPC_REQUEST && !strcmp(msg->method, "echo")) {
        answer_echo(s, msg);
        jsonrpc_msg_free(msg);
    } else if (msg->type == JSONRPC_REPLY && js_is(msg->id, JS_STRING) && !strcmp(js_str_value(msg->id), "echo")) {
        jsonrpc_msg_free(msg);
    } else {
        s->ops->message(s, msg, s->aux);
    }
}

static void
on_closed(struct jsonrpc_conn *c UNUSED, int error, void *s_)
{
    struct jsonrpc_session *s = s_;
    bool was_connected = reconnect_is_connected(&s->fsm);
    int min_backoff;

    drop_conn(s);
    s->last_error = error ? error : STREAM_EOF;
    log_loss(s, was_connected, error ? error : was_connected ? 0 : STREAM_EOF);
    if (s->targets) {
        set_target(s, (s->target + 1) % s->n_targets);
    }
    min_backoff = s->fsm.min_backoff;
    if (!was_connected && s->fsm.n_attempts < s->n_targets) {
        s->fsm.min_backoff = 0; /* The first round through the targets does not wait. */
    }
    step(s, was_connected ? RECONNECT_EV_DISCONNECTED : RECONNECT_EV_FAILED);
    s->fsm.min_backoff = min_backoff;
    log_wait(s);
    if ((was_connected || !s->targets) && s->ops->disconnected) {
        s->ops->disconnected(s, error, s->aux);
    }
}

static void
on_drained(struct jsonrpc_conn *c UNUSED, void *s_)
{
    struct jsonrpc_session *s = s_;

    s->glutted = false;
    update_reading(s);
    if (s->ops->drained) {
        s->ops->drained(s, s->aux);
    }
}

static void
on_opened(struct jsonrpc_conn *c UNUSED, void *s_)
{
    struct jsonrpc_session *s = s_;

    if (is_attempt(s)) {
        note_connected(s);
    }
}

static const struct jsonrpc_conn_ops conn_ops = {
    .opened = on_opened, .message = on_message, .closed = on_closed, .drained = on_drained,
};

/* Making and ending. */

static struct jsonrpc_session *
session_alloc(struct loop *loop, const struct jsonrpc_session_ops *ops, void *aux)
{
    struct jsonrpc_session *s = xzalloc(sizeof *s);

    s->loop = loop;
    s->ops = ops;
    s->aux = aux;
    reconnect_init(&s->fsm);
    loop_timer_init(loop, &s->timer, on_timer, s);
    return s;
}

static void
split_targets(struct jsonrpc_session *s, const char *list)
{
    size_t capacity = 0;

    for (char *t = stream_targets_take(&list); t; t = stream_targets_take(&list)) {
        if (s->n_targets == capacity) {
            s->targets = x2nrealloc(s->targets, &capacity, sizeof *s->targets);
        }
        s->targets[s->n_targets++] = t;
    }
    if (!s->n_targets) { /* An error when it is tried. */
        s->targets = xmalloc(sizeof *s->targets);
        s->targets[s->n_targets++] = xstrdup("");
    }
}

struct jsonrpc_session *
jsonrpc_session_open(struct loop *loop, const char *targets, uint16_t default_port,
                     const struct jsonrpc_session_ops *ops,
                     void *aux)
{
    struct jsonrpc_session *s = session_alloc(loop, ops, aux);

    s->default_port = default_port;
    split_targets(s, targets);
    set_target(s, 0);
    if (stream_target_is_passive(s->name)) {
        s->fsm.passive = true;
        start_listening(s);
    } else {
        step(s, RECONNECT_EV_ENABLE);
    }
    return s;
}

struct jsonrpc_session *
jsonrpc_session_accept(struct loop *loop, struct stream *stream, const struct jsonrpc_session_ops *ops, void *aux)
{
    struct jsonrpc_session *s = session_alloc(loop, ops, aux);

    s->name = xstrdup(stream_name(stream));
    s->fsm.passive = true;
    use_stream(s, stream);
    if (stream_is_opening(stream)) {
        loop_timer_set(&s->timer, clock_now_ms() + HANDSHAKE_MS);
    } else {
        step(s, RECONNECT_EV_CONNECTED);
    }
    return s;
}

void
jsonrpc_session_close(struct jsonrpc_session *s)
{
    if (s) {
        if (s->closed) {
            *s->closed = true;
        }
        loop_timer_cancel(&s->timer);
        drop_conn(s);
        stream_listener_close(s->listener);
        for (size_t i = 0; i < s->n_targets; i++) {
            free(s->targets[i]);
        }
        free(s->targets);
        free(s->name);
        free(s);
    }
}

/* Use. */

void
jsonrpc_session_send(struct jsonrpc_session *s, struct jsonrpc_msg *msg)
{
    if (s->conn && reconnect_is_connected(&s->fsm)) {
        jsonrpc_conn_send(s->conn, msg);
    } else {
        jsonrpc_msg_free(msg);
    }
}

void
jsonrpc_session_send_copy(struct jsonrpc_session *s, const struct jsonrpc_msg *msg)
{
    if (jsonrpc_session_is_connected(s)) {
        jsonrpc_conn_send_copy(s->conn, msg);
    }
}

void
jsonrpc_session_send_shared(struct jsonrpc_session *s, const char *prefix, struct shared_text *const *texts, size_t n,
                            const char *suffix)
{
    if (s->conn && reconnect_is_connected(&s->fsm)) {
        jsonrpc_conn_send_shared(s->conn, prefix, texts, n, suffix);
    }
}

bool
jsonrpc_session_is_connected(const struct jsonrpc_session *s)
{
    return s->conn && reconnect_is_connected(&s->fsm);
}

size_t
jsonrpc_session_backlog(const struct jsonrpc_session *s)
{
    return s->conn ? jsonrpc_conn_backlog(s->conn) : 0;
}

uint64_t
jsonrpc_session_received(const struct jsonrpc_session *s)
{
    return s->conn ? jsonrpc_conn_received(s->conn) : 0;
}

uint64_t
jsonrpc_session_written(const struct jsonrpc_session *s)
{
    return s->conn ? jsonrpc_conn_written(s->conn) : 0;
}

size_t
jsonrpc_session_held(const struct jsonrpc_session *s)
{
    return s->conn ? jsonrpc_conn_held(s->conn) : 0;
}

void
jsonrpc_session_set_reading(struct jsonrpc_session *s, bool reading)
{
    if (s->conn) {
        s->reading = reading;
        update_reading(s);
    }
}

void
jsonrpc_session_set_long_results(struct jsonrpc_session *s)
{
    s->long_results = true;
    if (s->conn) {
        jsonrpc_conn_set_long_results(s->conn);
    }
}

void
jsonrpc_session_set_long_params(struct jsonrpc_session *s, const char *method)
{
    s->long_method = method;
    if (s->conn) {
        jsonrpc_conn_set_long_params(s->conn, method);
    }
}

void
jsonrpc_session_set_max_message(struct jsonrpc_session *s, size_t max_bytes)
{
    s->max_message = max_bytes;
    if (s->conn) {
        jsonrpc_conn_set_max_message(s->conn, max_bytes);
    }
}

/* After a change of settings the next wake-up may be due earlier or later. */
static void
reschedule(struct jsonrpc_session *s)
{
    if (s->conn || !s->fsm.passive) {
        step(s, RECONNECT_EV_TICK);
    }
}

void
jsonrpc_session_set_probe_interval(struct jsonrpc_session *s, int ms)
{
    s->probe_is_set = ms >= 0;
    if (ms < 0) {
        set_probe_for(s, !s->conn || stream_needs_probes(jsonrpc_conn_stream(s->conn)));
        reschedule(s);
    } else if (s->fsm.probe_interval != ms) {
        set_interval(s, ms);
        reschedule(s);
    }
}

void
jsonrpc_session_set_max_backoff(struct jsonrpc_session *s, int ms)
{
    struct reconnect defaults;

    reconnect_init(&defaults);
    s->fsm.max_backoff = ms < 0 ? defaults.max_backoff : MAX(ms, 1);
    s->fsm.min_backoff = MIN(defaults.min_backoff, s->fsm.max_backoff);
}

void
jsonrpc_session_set_dscp(struct jsonrpc_session *s, uint8_t dscp)
{
    s->dscp = dscp;
    if (s->conn) {
        (void) !stream_set_dscp(jsonrpc_conn_stream(s->conn), dscp);
    }
    if (s->listener) {
        (void) !stream_listener_set_dscp(s->listener, dscp);
    }
}

void
jsonrpc_session_reconnect(struct jsonrpc_session *s)
{
    step(s, RECONNECT_EV_FORCE);
}

const char *
jsonrpc_session_name(const struct jsonrpc_session *s)
{
    return s->name;
}

const struct reconnect *
jsonrpc_session_state(const struct jsonrpc_session *s)
{
    return &s->fsm;
}

int
jsonrpc_session_last_error(const struct jsonrpc_session *s)
{
    return s->last_error;
}

const char *
jsonrpc_session_peer_id(const struct jsonrpc_session *s)
{
    return s->conn ? stream_peer_id(jsonrpc_conn_stream(s->conn)) : NULL;
}
