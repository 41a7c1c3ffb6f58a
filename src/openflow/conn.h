/* An OpenFlow connection: framing, the hello, the queue of what is to be sent.
 *
 * What it is
 * ----------
 * 'struct of_conn' speaks OpenFlow over one stream (sys/stream.h).  It sends a hello, waits for the peer's, chooses the
 * version, and from then on hands whole messages to its owner.  'struct of_session' keeps such a connection to an
 * active
 * target alive: it connects again with growing pauses and probes a silent peer (jsonrpc/reconnect.h).  A switch uses
 * sessions for its controllers, connections for what its listeners accept; a tool uses openflow/client.h, which waits.
 *
 * How it works
 * ------------
 * Everything is non-blocking on the loop.  Of the owner's functions, 'open' runs once when the version is known,
 * 'message' for every message then, 'closed' once at the end.  Echo requests are answered here and are not handed on.
 * What of_conn_send() is given is queued, and written when the loop comes round, so that many small messages make one
 * write.  The owner looks at of_conn_queued() to bound what a slow reader may pile up.
 *
 * A raw connection (OF_CONN_RAW) takes messages of every version as they are once the hellos have been exchanged: that
 * is how BRIDGE.snoop is served and read.
 *
 * Threads: the loop's own thread.
 * Limits: a peer's message is at most 65,535 bytes; one that states less than 8 ends the connection.
 * Standards: OpenFlow 1.5 §6.3. */
#ifndef OPENFLOW_CONN_H
#define OPENFLOW_CONN_H 1

#include "jsonrpc/reconnect.h"
#include "openflow/msg.h"
#include "sys/stream.h"

struct of_conn;

enum { OF_CONN_RAW = 1 };

struct of_conn_ops {
    /* The hellos have been exchanged.  Null is allowed. */
    void (*open)(struct of_conn *, void *aux);
    /* A whole message, its length checked against its header's and no more.  It may close the connection. */
    void (*message)(struct of_conn *, const uint8_t *message, size_t len, void *aux);
    /* The connection could not be made, or has ended: 'error' is a negative errno value, 0 for an orderly end.  After
     * this the owner may only call of_conn_close(), from here or later. */
    void (*closed)(struct of_conn *, int error, void *aux);
    /* What of_conn_ask_drained() asked for.  Null is allowed if nobody asks. */
    void (*drained)(struct of_conn *, void *aux);
};

/* Starts to connect to an active target, allowing the versions of the set (openflow/hello.h).  0, or a negative
 * errno value: -EAFNOSUPPORT
 * for a target of no known kind.  Other failures are reported by 'closed'. */
int of_conn_open(struct loop *, const char *target, uint32_t versions, int flags, const struct of_conn_ops *,
                 void *aux, struct of_conn **) MUST_CHECK;

/* Takes over an accepted stream. */
struct of_conn *of_conn_accept(struct loop *, struct stream *, uint32_t versions, int flags,
                               const struct of_conn_ops *, void *aux) MUST_CHECK;

/* Closes at once and releases the connection; 'closed' is not called.  Null is allowed. */
void of_conn_close(struct of_conn *);

/* Closes once what is queued has been written, then calls 'closed'. */
void of_conn_finish(struct of_conn *);

/* Queues whole messages: takes the data of 'messages', which is left empty.  After 'closed' they are dropped. */
void of_conn_send(struct of_conn *, struct bytes *messages);

/* Bytes queued and not yet written; bytes that were ever queued. */
size_t of_conn_queued(const struct of_conn *);
uint64_t of_conn_n_queued_ever(const struct of_conn *);

/* Writes now what can be written; an error is reported before the loop sleeps. */
void of_conn_push(struct of_conn *);

/* 'tap' sees whole messages as they are queued to be sent or arrive; null: nobody does.  It must not touch the
 * connection. */
typedef void of_tap(const uint8_t *messages, size_t len, void *aux);
void of_conn_set_tap(struct of_conn *, of_tap *, void *aux);

/* What the debug log of module "vconn" says of messages that are sent and received.  'describe' returns a message's
 * text in lines without a line end behind the last, to be released; null: the log has no messages.  It holds for all
 * connections of the process. */
typedef char *of_describe(const uint8_t *message, size_t len);
void of_conn_log_messages(of_describe *describe);

/* Calls 'drained' once, from the loop, when all that is queued by then has been written and the stream takes more: who
 * answers to it with more output leaves others their turn. */
void of_conn_ask_drained(struct of_conn *);

/* Drops what is queued; 'closed' is called with 'error' before the loop sleeps. */
void of_conn_abort(struct of_conn *, int error);

/* Stops reading ('on' false) and goes on: for an owner that is busy or waits for its own output to drain.  A message
 * that
 * has arrived already is still delivered. */
void of_conn_set_reading(struct of_conn *, bool on);

/* The version; 0 before 'open'. */
int of_conn_version(const struct of_conn *);
const char *of_conn_name(const struct of_conn *);
struct stream *of_conn_stream(struct of_conn *); /* Null once closed. */
/* Messages sent and received. */
uint64_t of_conn_n_sent(const struct of_conn *);
uint64_t of_conn_n_received(const struct of_conn *);

/* Why the hello failed, in words; null if it did not. */
const char *of_conn_hello_failure(const struct of_conn *);

/* Sessions. */

struct of_session;

struct of_session_ops {
    /* Connected and the version known; the connection is of_session_conn(). */
    void (*connected)(struct of_session *, void *aux);
    void (*message)(struct of_session *, const uint8_t *message, size_t len, void *aux);
    /* The connection that had been reported is gone; 'error' as of_conn_ops.closed. */
    void (*disconnected)(struct of_session *, int error, void *aux);
    void (*drained)(struct of_session *, void *aux); /* Null is allowed. */
};

/* Starts to connect.  'name' is for the log; 'probe_ms' 0: no probes; 'max_backoff_ms' 0: 8 seconds. */
struct of_session *of_session_create(struct loop *, const char *name, const char *target, uint32_t versions,
                                     int max_backoff_ms, int probe_ms, const struct of_session_ops *,
                                     void *aux) MUST_CHECK;
void of_session_destroy(struct of_session *); /* Null is allowed. */

/* Change the settings; new versions and code points count from the next connection on. */
void of_session_configure(struct of_session *, uint32_t versions, int max_backoff_ms, int probe_ms, uint8_t dscp);
/* As of_conn_set_tap(), for the connections to come too. */
void of_session_set_tap(struct of_session *, of_tap *, void *aux);
/* Drops the connection and connects again at once. */
void of_session_reconnect(struct of_session *);

/* The connection while it is open; else null. */
struct of_conn *of_session_conn(struct of_session *);
const char *of_session_target(const struct of_session *);
/* For status columns: times, counts, the state's name. */
const struct reconnect *of_session_reconnect_state(const struct of_session *);
/* Of the last failed attempt or lost connection: a negative errno or STREAM_EOF; 0 if there was none. */
int of_session_last_error(const struct of_session *);

#endif
