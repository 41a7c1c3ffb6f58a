/* One JSON-RPC connection over one stream: messages in, messages out, until it ends.
 *
 * What it is
 * ----------
 * Reads what the stream gives, cuts it into messages and hands each to 'message'; queues what is sent and writes it as
 * the stream takes it.  When the connection ends, 'closed' runs once with the reason (0: the peer closed it in order; a
 * negative errno value; -EPROTO: it sent what is no message).  It does not answer anything by itself; probes and
 * reconnecting are jsonrpc/session.h.
 *
 * jsonrpc_conn_send_shared() sends bytes that many connections share, without a copy for each: monitors encode a
 * change once.
 *
 * Threads: the loop's own.  Both callbacks may destroy the connection.
 *
 * A turn of the loop moves no more than some hundred kilobytes for one connection, so that a peer that reads as fast
 * as it can does not keep others waiting.
 *
 * Limits: a message in is at most 'max_message' bytes; the queue out is the user's to bound by jsonrpc_conn_backlog()
 * (bytes not yet written). */
#ifndef JSONRPC_CONN_H
#define JSONRPC_CONN_H 1

#include "jsonrpc/message.h"
#include "sys/stream.h"

struct jsonrpc_conn;

enum { LONG_REPLY = 65536 };

struct jsonrpc_conn_ops {
    /* A stream that was still opening is open; may be null. */
    void (*opened)(struct jsonrpc_conn *, void *aux);
    /* Takes over 'msg'. */
    void (*message)(struct jsonrpc_conn *, struct jsonrpc_msg *msg, void *aux);
    void (*closed)(struct jsonrpc_conn *, int error, void *aux);
    /* Everything queued has been written; may be null. */
    void (*drained)(struct jsonrpc_conn *, void *aux);
};

/* Text shared by several queues. */
struct shared_text {
    size_t n_refs, len;
    char *text; /* Null-terminated. */
};
/* Takes over what is in 's', which is empty afterwards.  One reference, the caller's. */
struct shared_text *shared_text_take(struct str *s) MUST_CHECK;
struct shared_text *shared_text_ref(struct shared_text *) MUST_CHECK;
void shared_text_unref(struct shared_text *); /* Null is allowed. */

/* Takes over 'stream', which is open or still opening (in which case 'closed' tells if that fails). */
struct jsonrpc_conn *jsonrpc_conn_create(struct loop *, struct stream *, const struct jsonrpc_conn_ops *, void *aux)
    MUST_CHECK;
void jsonrpc_conn_destroy(struct jsonrpc_conn *); /* Null is allowed.  Drops what was not written. */

/* Queues 'msg', which is taken.  Without effect once closed. */
void jsonrpc_conn_send(struct jsonrpc_conn *, struct jsonrpc_msg *msg);
/* The same of a message that stays the caller's. */
void jsonrpc_conn_send_copy(struct jsonrpc_conn *, const struct jsonrpc_msg *msg);
/* Queues 'prefix', the 'n' shared texts, and 'suffix', which together are one message; only refers to the texts. */
void jsonrpc_conn_send_shared(struct jsonrpc_conn *, const char *prefix, struct shared_text *const *texts, size_t n,
                              const char *suffix);

/* Queues a part of a message: the rest of it must follow before any other message. */
void jsonrpc_conn_send_part(struct jsonrpc_conn *, const char *text, size_t len);

/* Bytes not yet written; messages not yet written, at least in part. */
size_t jsonrpc_conn_backlog(const struct jsonrpc_conn *);
/* Stops or resumes reading, to hold back a peer that sends faster than it is served. */
void jsonrpc_conn_set_reading(struct jsonrpc_conn *, bool);
/* From now on, replies of LONG_REPLY bytes or more have their results as text (jsonrpc/message.h). */
void jsonrpc_conn_set_long_results(struct jsonrpc_conn *);
/* Likewise, requests with 'method' (a literal) have their parameters as text. */
void jsonrpc_conn_set_long_params(struct jsonrpc_conn *, const char *method);
void jsonrpc_conn_set_max_message(struct jsonrpc_conn *, size_t max_bytes);

const char *jsonrpc_conn_name(const struct jsonrpc_conn *);
struct stream *jsonrpc_conn_stream(struct jsonrpc_conn *);
/* Bytes received and written so far: grow with any activity of the peer. */
uint64_t jsonrpc_conn_received(const struct jsonrpc_conn *);
uint64_t jsonrpc_conn_written(const struct jsonrpc_conn *);
/* Bytes of messages that are not complete. */
size_t jsonrpc_conn_held(const struct jsonrpc_conn *);
/* 0 while open, -EINPROGRESS while opening. */
int jsonrpc_conn_status(const struct jsonrpc_conn *);

#endif
