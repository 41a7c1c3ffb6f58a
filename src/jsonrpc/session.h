/* A JSON-RPC session: a connection that is made again when it is lost, and probed when it is silent.
 *
 * What it is
 * ----------
 * jsonrpc_session_open() is for clients: give it one target or several (comma-separated: they are tried in turn);
 * 'connected' runs with each new connection, before any message of it.  A passive target makes the session listen, and
 * talk to one peer at a time.  jsonrpc_session_accept() wraps a connection that a server has accepted: probed
 * the same way, but when it is lost the session is over ('disconnected' runs once).
 *
 * Echo requests are answered, and replies to our own probes ("id":"echo") swallowed, here.  A peer that asks for echoes
 * and does not read is not read from while some megabytes wait to be written to it.
 *
 * Threads: the loop's own.  Every callback may close the session. */
#ifndef JSONRPC_SESSION_H
#define JSONRPC_SESSION_H 1

#include "jsonrpc/conn.h"
#include "jsonrpc/reconnect.h"

struct jsonrpc_session;

struct jsonrpc_session_ops {
    void (*connected)(struct jsonrpc_session *, void *aux);               /* May be null. */
    /* May be null.  Failed attempts do not count. */
    void (*disconnected)(struct jsonrpc_session *, int error, void *aux);
    void (*message)(struct jsonrpc_session *, struct jsonrpc_msg *, void *aux); /* Takes over the message. */
    void (*drained)(struct jsonrpc_session *, void *aux);                 /* May be null; see conn.h. */
};

/* Never fails: what is wrong with a target is logged and tried again. */
struct jsonrpc_session *jsonrpc_session_open(struct loop *, const char *targets, uint16_t default_port,
                                             const struct jsonrpc_session_ops *, void *aux) MUST_CHECK;
/* Takes over 'stream'. */
struct jsonrpc_session *jsonrpc_session_accept(struct loop *, struct stream *, const struct jsonrpc_session_ops *,
                                               void *aux) MUST_CHECK;
void jsonrpc_session_close(struct jsonrpc_session *); /* Null is allowed; drops what was not written. */

/* Sends 'msg', taken; dropped if not connected.  See jsonrpc_conn_send_shared() for the second. */
void jsonrpc_session_send(struct jsonrpc_session *, struct jsonrpc_msg *msg);
void jsonrpc_session_send_copy(struct jsonrpc_session *, const struct jsonrpc_msg *msg); /* 'msg' is borrowed. */
void jsonrpc_session_send_shared(struct jsonrpc_session *, const char *prefix, struct shared_text *const *texts,
                                 size_t n, const char *suffix);

/* As for a connection, see conn.h; without one there is no backlog. */
bool jsonrpc_session_is_connected(const struct jsonrpc_session *);
size_t jsonrpc_session_backlog(const struct jsonrpc_session *);
uint64_t jsonrpc_session_received(const struct jsonrpc_session *);
uint64_t jsonrpc_session_written(const struct jsonrpc_session *);
size_t jsonrpc_session_held(const struct jsonrpc_session *);
void jsonrpc_session_set_reading(struct jsonrpc_session *, bool);
void jsonrpc_session_set_long_results(struct jsonrpc_session *);
void jsonrpc_session_set_long_params(struct jsonrpc_session *, const char *method);
void jsonrpc_session_set_max_message(struct jsonrpc_session *, size_t max_bytes);

/* Settings in ms; a probe interval of 0 turns probes off.  Unset, or set to less than 0: 5000 (0 for Unix sockets),
 * 8000. */
void jsonrpc_session_set_probe_interval(struct jsonrpc_session *, int ms);
void jsonrpc_session_set_max_backoff(struct jsonrpc_session *, int ms);
void jsonrpc_session_set_dscp(struct jsonrpc_session *, uint8_t dscp);
/* Drops the connection and, if it is a client's, connects again (to the next target). */
void jsonrpc_session_reconnect(struct jsonrpc_session *);

/* For messages and status: the target in use or the peer's name; state, times, last error (0: none; -errno). */
const char *jsonrpc_session_name(const struct jsonrpc_session *);
const struct reconnect *jsonrpc_session_state(const struct jsonrpc_session *);
int jsonrpc_session_last_error(const struct jsonrpc_session *);
/* The certificate's common name, or null; the far port and our port, 0 if unknown. */
const char *jsonrpc_session_peer_id(const struct jsonrpc_session *);

#endif
