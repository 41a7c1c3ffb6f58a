/* Requests and replies for command-line tools: blocking calls over a connection of their own.
 *
 * Each function runs a private loop until it has what it wants.  Echo requests of the server are answered meanwhile.
 * No reconnecting: after an error the client is only good for closing.
 *
 * Threads: one at a time. */
#ifndef JSONRPC_CLIENT_H
#define JSONRPC_CLIENT_H 1

#include "jsonrpc/message.h"
#include "sys/loop.h"

struct jsonrpc_client;

/* Connects (or listens and takes the first connection, for a passive target) and waits for it.  0 or a negative
 * errno value. */
int jsonrpc_client_open(const char *target, uint16_t default_port, struct jsonrpc_client **) MUST_CHECK;
void jsonrpc_client_close(struct jsonrpc_client *); /* Null is allowed. */

/* Sends a message, which is taken, and waits until it is written.  0 or a negative errno value. */
int jsonrpc_client_send(struct jsonrpc_client *, struct jsonrpc_msg *msg) MUST_CHECK;
/* Waits for the next message; STREAM_EOF if the server closed.  jsonrpc_client_try_receive() returns -EAGAIN rather
 * than wait. */
int jsonrpc_client_receive(struct jsonrpc_client *, struct jsonrpc_msg **) MUST_CHECK;
int jsonrpc_client_try_receive(struct jsonrpc_client *, struct jsonrpc_msg **) MUST_CHECK;
/* Sends a request ('params' is taken) and waits for its reply or error; other messages that arrive wait for
 * jsonrpc_client_receive(). */
int jsonrpc_client_call(struct jsonrpc_client *, const char *method, struct json *params, struct jsonrpc_msg **reply)
    MUST_CHECK;

/* The loop that the calls run, for a tool that serves a control socket meanwhile. */
struct loop *jsonrpc_client_loop(struct jsonrpc_client *);
const char *jsonrpc_client_name(const struct jsonrpc_client *);

#endif
