/* A new database file that a thread of its own writes, so that its disk keeps nobody waiting.
 *
 * The pieces of the record, then appended records, are queued; the thread writes them in order.  Memory is bounded if
 * the user heeds background_wants(); that of a piece is used for a later one.
 *
 * The thread runs at a lower priority than the one that started it.
 *
 * Threads: all functions are for the thread that started it; 'wake' is signalled from the other one. */
#ifndef OVSDB_STORE_BACKGROUND_H
#define OVSDB_STORE_BACKGROUND_H 1

#include "base/bytes.h"
#include "base/str.h"
#include "ovsdb/store/io.h"
#include "sys/loop.h"

struct background;

/* Starts writing a file at 'path'.  'wake' is signalled when something that was put is complete, when it has failed,
 * and when more is wanted after background_wants() said no.  Null if there is no thread to be had. */
struct background *background_start(const struct store_io *, const char *path, const char *schema,
                                    struct loop_wake *wake) MUST_CHECK;
/* Waits for what the thread is doing, drops the rest; the file stays.  Null is allowed. */
void background_stop(struct background *);

/* Whether the queue is short. */
bool background_wants(struct background *) MUST_CHECK;
/* Queues a piece of the record and empties 'piece', which gets the memory of one that is written; with the last one the
 * file becomes complete. */
void background_put(struct background *, struct str *piece, bool last);
/* Queues records that come after it, and empties 'records'. */
void background_append(struct background *, struct bytes *records);

/* 0 when everything is on disk: then '*size' is the file's.  -EAGAIN if not yet; otherwise why it failed. */
int background_status(struct background *, uint64_t *size) MUST_CHECK;

#endif
