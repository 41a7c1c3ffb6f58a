#include "jsonrpc/reconnect.h"

enum { MIN_BACKOFF = 1000, MAX_BACKOFF = 8000, PROBE_INTERVAL = 5000, MIN_ATTEMPT = 1000 };

void
reconnect_init(struct reconnect *r)
{
    *r = (struct reconnect) {
        .min_backoff = MIN_BACKOFF, .max_backoff = MAX_BACKOFF, .probe_interval = PROBE_INTERVAL,
        .state = RECONNECT_VOID,
        .last_received = INT64_MIN, .last_connected = INT64_MIN, .last_disconnected = INT64_MIN,
    };
}

bool
reconnect_is_connected(const struct reconnect *r)
{
    return r->state == RECONNECT_ACTIVE || r->state == RECONNECT_IDLE;
}

const char *
reconnect_state_name(enum reconnect_state state)
{
    static const char *const names[] = { "VOID", "BACKOFF", "CONNECTING", "ACTIVE", "IDLE" };

    return names[state];
}

static void
enter(struct reconnect *r, enum reconnect_state state, int64_t now)
{
    r->state = state;
    r->since = now;
}

static void
connect_now(struct reconnect *r, int64_t now, struct reconnect_update *u)
{
    enter(r, RECONNECT_CONNECTING, now);
    r->n_attempts++;
    u->connect = true;
}

/* The connection or the attempt is over: what next. */
static void
lose(struct reconnect *r, int64_t now)
{
    if (reconnect_is_connected(r)) {
        r->last_disconnected = now;
        if (now - r->last_connected >= r->backoff) {
            r->backoff = 0; /* It was worth having. */
        }
    }
    if (r->passive) {
        enter(r, RECONNECT_VOID, now);
        return;
    }
    r->backoff = r->backoff ? MIN(r->backoff * 2, r->max_backoff) : r->min_backoff;
    r->backoff = MIN(r->backoff, r->max_backoff);
    enter(r, RECONNECT_BACKOFF, now);
}

/* When the state ends by itself. */
static int64_t
deadline(const struct reconnect *r)
{
    switch (r->state) {
    case RECONNECT_BACKOFF:
        return r->since + r->backoff;
    case RECONNECT_CONNECTING:
        return r->passive ? INT64_MAX : r->since + MAX(r->backoff, MIN_ATTEMPT);
    case RECONNECT_ACTIVE:
        return r->probe_interval ? MAX(r->last_received, r->since) + r->probe_interval : INT64_MAX;
    case RECONNECT_IDLE:
        return r->probe_interval ? r->since + r->probe_interval : INT64_MAX;
    case RECONNECT_VOID:
        break;
    }
    return INT64_MAX;
}

static void
tick(struct reconnect *r, int64_t now, struct reconnect_update *u)
{
    if (now < deadline(r)) {
        return;
    }
    switch (r->state) {
    case RECONNECT_BACKOFF:
        connect_now(r, now, u);
        break;
    case RECONNECT_ACTIVE:
        enter(r, RECONNECT_IDLE, now);
        u->probe = true;
        break;
    case RECONNECT_CONNECTING:
    case RECONNECT_IDLE:
        u->disconnect = u->timed_out = true;
        lose(r, now);
        break;
    case RECONNECT_VOID:
        break;
    }
}

void
reconnect_step(struct reconnect *r, enum reconnect_event event, int64_t now, struct reconnect_update *u)
{
    *u = (struct reconnect_update) { .wake_at = INT64_MAX };
    switch (event) {
    case RECONNECT_EV_ENABLE:
        if (r->state == RECONNECT_VOID && !r->passive) {
            r->backoff = 0;
            connect_now(r, now, u);
        }
        break;
    case RECONNECT_EV_DISABLE:
        u->disconnect = r->state != RECONNECT_VOID && r->state != RECONNECT_BACKOFF;
        enter(r, RECONNECT_VOID, now);
        break;
    case RECONNECT_EV_FORCE:
        if (r->state != RECONNECT_VOID) {
            u->disconnect = r->state != RECONNECT_BACKOFF;
            lose(r, now);
            if (!r->passive) {
                r->backoff = 0;
                connect_now(r, now, u);
            }
        }
        break;
    case RECONNECT_EV_CONNECTED:
        enter(r, RECONNECT_ACTIVE, now);
        r->last_connected = r->last_received = now;
        r->n_connections++;
        break;
    case RECONNECT_EV_FAILED:
    case RECONNECT_EV_DISCONNECTED:
        if (r->state != RECONNECT_VOID && r->state != RECONNECT_BACKOFF) {
            lose(r, now);
        }
        break;
    case RECONNECT_EV_RECEIVED:
        r->last_received = now;
        if (r->state == RECONNECT_IDLE) {
            enter(r, RECONNECT_ACTIVE, now);
        }
        break;
    case RECONNECT_EV_TICK:
        tick(r, now, u);
        break;
    }
    u->wake_at = deadline(r);
}
