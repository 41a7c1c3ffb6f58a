/* An OpenFlow connection for a tool: it waits.
 *
 * A thin layer over openflow/conn.h: each call runs the loop until what it wants has happened.  While it waits to
 * write, what arrives is kept for of_client_recv(), which besides takes in what has come since the last message, as
 * long as that is not much, so that the peer can go on while the caller works.  Messages may be sent far ahead of their
 * answers; to learn about errors, send a barrier last.
 *
 * Threads: one, which runs the loop. */
#ifndef OPENFLOW_CLIENT_H
#define OPENFLOW_CLIENT_H 1

#include "openflow/conn.h"

struct of_client;

/* Connects to an active target and exchanges hellos.  0, or a negative errno value. */
int of_client_open(struct loop *, const char *target, uint32_t versions, int flags, struct of_client **) MUST_CHECK;
void of_client_close(struct of_client *); /* Null is allowed. */

enum of_version of_client_version(const struct of_client *);
const char *of_client_name(const struct of_client *);

/* Sends whole messages; takes their data.  Waits only when much is queued.  0 or a negative errno value. */
int of_client_send(struct of_client *, struct bytes *messages) MUST_CHECK;

/* Writes and reads what can be without waiting. */
void of_client_poll(struct of_client *);

/* Waits until all has been handed to the system. */
int of_client_flush(struct of_client *) MUST_CHECK;

/* Waits for the next message, which stands in '*message' (its old content is replaced).  0, -ECONNRESET at the end of
 * the connection, or another negative errno value. */
int of_client_recv(struct of_client *, struct bytes *message) MUST_CHECK;

/* The next message if there is one already: -EAGAIN otherwise. */
int of_client_try_recv(struct of_client *, struct bytes *message) MUST_CHECK;

/* Runs 'cb' on the loop when messages have arrived or the connection has ended; null stops that. */
void of_client_notify(struct of_client *, void (*cb)(struct of_client *, void *aux), void *aux);

/* Whether the connection has ended, and with which error. */
bool of_client_is_closed(const struct of_client *, int *error);

#endif
