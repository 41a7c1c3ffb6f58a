/* The streams of dummy devices: frames to and from another process, each after its length in two bytes (big-endian).
 *
 * "stream" connects and reconnects after a second; "pstream" listens and sends to all that have connected.
 *
 * Threads: everything for the loop's thread, but dummy_stream_send(). */
#ifndef NETDEV_DUMMY_STREAM_H
#define NETDEV_DUMMY_STREAM_H 1

#include "base/util.h"

struct dummy_stream;
struct loop;

/* Connects to (or listens at) 'target'; 'receive' is called with every frame that arrives. */
struct dummy_stream *dummy_stream_create(struct loop *, const char *target, bool listen,
                                         void (*receive)(void *aux, const void *frame, size_t n), void *aux);
void dummy_stream_destroy(struct dummy_stream *); /* Null is allowed. */

/* Queues a frame; any thread.  One that finds a long queue is dropped. */
void dummy_stream_send(struct dummy_stream *, const void *frame, size_t n);

/* "connected", "disconnected", or null for a listening one. */
const char *dummy_stream_state(const struct dummy_stream *);
const char *dummy_stream_target(const struct dummy_stream *);

#endif
