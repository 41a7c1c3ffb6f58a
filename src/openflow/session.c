#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openflow/conn.h"
#include "sys/log.h"

LOG_MODULE(rconn)

#define DEFAULT_MAX_BACKOFF_MS 8000

struct of_session {
    struct loop *loop;
    char *name; /* In the log. */
    char *target;
    uint32_t versions;
    uint8_t dscp;
    const struct of_session_ops *ops;
    void *aux;
    struct reconnect fsm;
    struct loop_timer timer;
    struct of_conn *conn; /* Null while there is none. */
    bool open;            /* The owner knows of it. */
    int last_error;
    of_tap *tap;
    void *tap_aux;
};

static void step(struct of_session *, enum reconnect_event);
static void timer_cb(struct loop_timer *);

/* Connection to session. */

/* A socket that has no such mark (unix:) goes without. */
static void
set_dscp(const struct of_session *s)
{
    (void) !stream_set_dscp(of_conn_stream(s->conn), s->dscp);
}

static void
conn_open(struct of_conn *c UNUSED, void *s_)
{
    struct of_session *s = s_;

    log_info("%s: connected", s->name);
    s->open = true;
    step(s, RECONNECT_EV_CONNECTED);
    if (s->conn) {
        set_dscp(s);
        of_conn_set_tap(s->conn, s->tap, s->tap_aux);
        s->ops->connected(s, s->aux);
    }
}

static void
conn_message(struct of_conn *c, const uint8_t *message, size_t len, void *s_)
{
    struct of_session *s = s_;

    step(s, RECONNECT_EV_RECEIVED);
    if (s->conn == c && message[1] != 3) { /* Echo replies are ours: we sent the requests. */
        s->ops->message(s, message, len, s->aux);
    }
}

static void
log_end(const struct of_session *s, int error)
{
    if (!s->open) {
        log_warn("%s: connection failed (%s)", s->name, strerror(-error));
    } else if (error) {
        log_warn("%s: connection dropped (%s)", s->name, strerror(-error));
    } else {
        log_info("%s: connection closed by peer", s->name);
    }
}

static void
conn_closed(struct of_conn *c, int error, void *s_)
{
    struct of_session *s = s_;
    bool was_open = s->open;

    log_end(s, error ? error : was_open ? 0 : -ECONNRESET);
    s->last_error = error ? error : STREAM_EOF;
    s->conn = NULL;
    s->open = false;
    if (was_open) {
        s->ops->disconnected(s, error, s->aux); /* Who may still want to name it. */
    }
    of_conn_close(c);
    step(s, was_open ? RECONNECT_EV_DISCONNECTED : RECONNECT_EV_FAILED);
}

static void
conn_drained(struct of_conn *c UNUSED, void *s_)
{
    struct of_session *s = s_;

    step(s, RECONNECT_EV_RECEIVED); /* Who reads is alive, also while it is not listened to. */
    if (s->conn && s->ops->drained) {
        s->ops->drained(s, s->aux);
    }
}

static const struct of_conn_ops conn_ops = { conn_open, conn_message, conn_closed, conn_drained };

/* Carrying out what the state machine says. */

static void
drop(struct of_session *s, bool timed_out, bool quiet)
{
    bool was_open = s->open;

    if (timed_out && !was_open) {
        if (!quiet) {
            log_info("%s: connection timed out", s->name);
        }
        s->last_error = -ETIMEDOUT;
    } else if (timed_out) {
        log_err("%s: no response to inactivity probe after %d seconds, disconnecting", s->name,
                s->fsm.probe_interval / 1000);
        s->last_error = -ETIMEDOUT;
    }
    of_conn_close(s->conn);
    s->conn = NULL;
    s->open = false;
    if (was_open) {
        s->ops->disconnected(s, timed_out ? -ETIMEDOUT : 0, s->aux);
    }
}

/* Of what goes on failing only the failures are still logged. */
static bool
is_quiet(const struct of_session *s)
{
    return s->fsm.backoff >= s->fsm.max_backoff;
}

static void
log_wait(const struct of_session *s, bool was_quiet)
{
    if (!is_quiet(s)) {
        log_info("%s: waiting %d seconds before reconnect", s->name, s->fsm.backoff / 1000);
    } else if (!was_quiet) {
        log_info("%s: continuing to retry connections in the background but suppressing further logging", s->name);
    }
}

static void
start_connecting(struct of_session *s)
{
    int error;

    if (!is_quiet(s)) {
        log_info("%s: connecting...", s->name);
    }
    error = of_conn_open(s->loop, s->target, s->versions, 0, &conn_ops, s, &s->conn);
    if (error) {
        log_warn("%s: connection failed (%s)", s->name, strerror(-error));
        s->last_error = error;
        step(s, RECONNECT_EV_FAILED);
    }
}

static void
send_probe(struct of_session *s)
{
    struct bytes b = BYTES_INIT;

    if (!s->open) {
        return;
    }
    log_dbg("%s: idle, sending inactivity probe", s->name);
    msg_put_simple(&b, MSG_ECHO_REQUEST, of_conn_version(s->conn), 0, NULL, 0);
    of_conn_send(s->conn, &b);
}

static void
step(struct of_session *s, enum reconnect_event event)
{
    enum reconnect_state old = s->fsm.state;
    bool was_quiet = is_quiet(s);
    struct reconnect_update update;

    reconnect_step(&s->fsm, event, clock_now_ms(), &update);
    if (update.wake_at == INT64_MAX) {
        loop_timer_cancel(&s->timer);
    } else {
        loop_timer_set(&s->timer, update.wake_at);
    }
    if (update.disconnect && s->conn) {
        drop(s, update.timed_out, was_quiet);
    }
    if (s->fsm.state == RECONNECT_BACKOFF && old != RECONNECT_BACKOFF && event != RECONNECT_EV_ENABLE) {
        log_wait(s, was_quiet);
    }
    if (update.connect) {
        start_connecting(s);
    }
    if (update.probe) {
        send_probe(s);
    }
}

static void
timer_cb(struct loop_timer *t)
{
    step(t->aux, RECONNECT_EV_TICK);
}

struct of_session *
of_session_create(struct loop *loop, const char *name, const char *target, uint32_t versions, int max_backoff_ms,
                  int probe_ms, const struct of_session_ops *ops, void *aux)
{
    struct of_session *s = xzalloc(sizeof *s);

    s->loop = loop;
    s->name = xstrdup(name);
    s->target = xstrdup(target);
    s->ops = ops;
    s->aux = aux;
    reconnect_init(&s->fsm);
    loop_timer_init(loop, &s->timer, timer_cb, s);
    of_session_configure(s, versions, max_backoff_ms, probe_ms, 0);
    step(s, RECONNECT_EV_ENABLE);
    return s;
}

void
of_session_destroy(struct of_session *s)
{
    if (s) {
        loop_timer_cancel(&s->timer);
        of_conn_close(s->conn);
        free(s->name);
        free(s->target);
        free(s);
    }
}

void
of_session_configure(struct of_session *s, uint32_t versions, int max_backoff_ms, int probe_ms, uint8_t dscp)
{
    s->versions = versions;
    s->fsm.max_backoff = max_backoff_ms ? max_backoff_ms : DEFAULT_MAX_BACKOFF_MS;
    s->fsm.min_backoff = MIN(1000, s->fsm.max_backoff);
    s->fsm.probe_interval = probe_ms;
    if (s->dscp != dscp) {
        s->dscp = dscp;
        if (s->open && s->conn) {
            set_dscp(s);
        }
    }
}

void
of_session_set_tap(struct of_session *s, of_tap *tap, void *aux)
{
    s->tap = tap;
    s->tap_aux = aux;
    if (s->open) {
        of_conn_set_tap(s->conn, tap, aux);
    }
}

void
of_session_reconnect(struct of_session *s)
{
    step(s, RECONNECT_EV_FORCE);
}

struct of_conn *
of_session_conn(struct of_session *s)
{
    return s->open ? s->conn : NULL;
}

const char *
of_session_target(const struct of_session *s)
{
    return s->target;
}

const struct reconnect *
of_session_reconnect_state(const struct of_session *s)
{
    return &s->fsm;
}

int
of_session_last_error(const struct of_session *s)
{
    return s->last_error;
}
