/* When to connect, when to probe, when to give up: a pure state machine.
 *
 * The caller tells what happened and when; reconnect_step() answers what to do.  It owns no socket and reads no clock,
 * so that JSON-RPC, OpenFlow and tests use the same one.
 *
 *   VOID --ENABLE--> BACKOFF --TICK--> CONNECTING --CONNECTED--> ACTIVE --TICK--> IDLE (a probe is out)
 *                       ^-----------------'-- FAILED                '--<--RECEIVED----'
 *                       ^--------------------------- DISCONNECTED ---'
 *
 * The wait before an attempt doubles from 'min_backoff' to 'max_backoff' with each failure; a connection that was up as
 * long as the backoff resets it.  An attempt may take as long as the backoff, at least a second.  With 'probe_interval'
 * (0: never) the peer is probed after that time of silence and given up after as much again. */
#ifndef JSONRPC_RECONNECT_H
#define JSONRPC_RECONNECT_H 1

#include "base/util.h"

enum reconnect_state { RECONNECT_VOID, RECONNECT_BACKOFF, RECONNECT_CONNECTING, RECONNECT_ACTIVE, RECONNECT_IDLE };

enum reconnect_event {
    RECONNECT_EV_ENABLE,       /* Connect at once, and again whenever the connection is lost. */
    RECONNECT_EV_DISABLE,
    RECONNECT_EV_FORCE,        /* Drop the connection if there is one and connect again. */
    RECONNECT_EV_CONNECTED,    /* The attempt has succeeded... */
    RECONNECT_EV_FAILED,       /* ...or failed. */
    RECONNECT_EV_DISCONNECTED, /* The connection has ended. */
    RECONNECT_EV_RECEIVED,     /* The peer gave a sign of life. */
    RECONNECT_EV_TICK,         /* Time has passed. */
};

struct reconnect {
    /* Settings, ms; change them at will between steps. */
    int min_backoff, max_backoff, probe_interval;
    bool passive;                /* Nothing to connect to: after a loss the state is VOID for good. */

    enum reconnect_state state;
    int64_t since;               /* When 'state' was entered; ms. */
    int64_t last_received, last_connected, last_disconnected; /* INT64_MIN: never. */
    int backoff;
    unsigned int n_attempts, n_connections; /* Connections grow by one with each success. */
};

/* What the caller must do, in this order. */
struct reconnect_update {
    bool disconnect;    /* Close the connection, or abandon the attempt. */
    bool connect;       /* Start an attempt. */
    bool probe;         /* Send an echo request. */
    bool timed_out;     /* The reason of 'disconnect' is silence. */
    int64_t wake_at;    /* Next TICK; INT64_MAX: none. */
};

void reconnect_init(struct reconnect *);
void reconnect_step(struct reconnect *, enum reconnect_event, int64_t now, struct reconnect_update *);
bool reconnect_is_connected(const struct reconnect *);
/* "VOID", "BACKOFF", "CONNECTING", "ACTIVE", "IDLE", as status columns show it. */
const char *reconnect_state_name(enum reconnect_state);

#endif
