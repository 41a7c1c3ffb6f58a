/* An OpenFlow connection: a byte stream that carries whole messages of one negotiated version.
 *
 * What it is
 * ----------
 * The transport under both sides: the switch's connections to controllers and its services, and the tools'.  It frames
 * messages, exchanges hellos, chooses the version, and keeps what could not be written yet.  It knows nothing of what
 * messages mean, but for hello; echo is the owner's.
 *
 * How it works
 * ------------
 * of_conn_open() connects, of_conn_accept() takes over an accepted stream.  Both send a hello at once.  When the peer's
 * has arrived and a common version was found, 'opened' is called; then 'message' for every whole message; and 'closed'
 * once, when the connection has ended, whatever the reason; the owner then calls of_conn_close().  Callbacks come from
 * the loop, never from inside the functions here.  A callback may close the connection.
 *
 * Nothing is read while more than OF_CONN_BACKLOG bytes wait to be written, so that a peer that asks and does not
 * listen costs a bounded amount of memory.
 *
 * Threads: the loop's own.
 * Limits: a message of 65535 bytes.  Standards: OpenFlow 1.5 §6.3.1. */
#ifndef OPENFLOW_CONN_H
#define OPENFLOW_CONN_H 1

#include "openflow/msg.h"
#include "openflow/version.h"
#include "sys/stream.h"

#define OF_CONN_BACKLOG (1024 * 1024)

struct of_conn;

struct of_conn_handler {
    void (*opened)(void *aux, enum of_version);
    void (*message)(void *aux, const void *data, size_t len);
    /* 'error': 0 when the peer ended it, else a negative errno value; 'why' is a sentence, or null. */
    void (*closed)(void *aux, int error, const char *why);
};

/* 'versions': bitmap of what we speak.  'handler' must live as long as the connection. */
struct of_conn *of_conn_accept(struct loop *, struct stream *, uint32_t versions, const struct of_conn_handler *,
                               void *aux) MUST_CHECK;
/* 0 and '*conn', or a negative errno value for a target that makes no sense. */
int of_conn_open(struct loop *, const char *target, uint32_t versions, const struct of_conn_handler *, void *aux,
                 struct of_conn **conn) MUST_CHECK;

/* Queues 'n' bytes of whole messages. */
void of_conn_send(struct of_conn *, const void *messages, size_t n);

/* Bytes that wait to be written. */
size_t of_conn_backlog(const struct of_conn *);

/* The version agreed on; 0 before. */
enum of_version of_conn_version(const struct of_conn *);
/* As stream_name(). */
const char *of_conn_name(const struct of_conn *);
struct stream *of_conn_stream(struct of_conn *);

/* Tries to write what waits, and closes; null is allowed. */
void of_conn_close(struct of_conn *);

#endif
