/* The file of a database: every commit becomes a record in it (ovsdb(5), "Standalone Format").
 *
 * What it is
 * ----------
 *   log.h     records: header, length, hash        record.h  their contents
 *   io.h      the system calls, replaceable        lockfile.h  one writer a file
 *   store.h   this: opening, appending, compaction
 *
 * How it works
 * ------------
 * store_open() locks the file and replays it into a new database; a damaged or cut tail is given up and overwritten.
 * store_append() writes a commit's record at once, so a process that is killed loses nothing of it.  What must survive
 * the machine is synced by a thread: one fsync() serves all the records written before it began.  A caller that wants
 * durability keeps the ticket of its commit and asks store_is_synced() when 'progress' runs.
 *
 * If a record cannot be written the file is cut back to its length before, and the caller undoes the commit.
 *
 * store_compact() writes the contents to NAME.tmp and renames it over the file (through a symbolic link, to what it
 * points to).
 *
 * Threads: the main thread; the syncing thread touches only the descriptor and two counters.
 * Limits: compaction runs on the main thread.  Clustered files are refused. */
#ifndef OVSDB_STORE_STORE_H
#define OVSDB_STORE_STORE_H 1

#include "ovsdb/engine/txn.h"
#include "ovsdb/store/io.h"
#include "sys/loop.h"

struct store;

/* Makes a new file 'path' with nothing but the schema; fails if it exists. */
struct dberr *store_create(const struct store_io *io, const char *path, const struct schema *schema) MUST_CHECK;

/* Reads 'path' into a new database.  With 'loop' the file is locked and kept open for appending, and '*store' is set;
 * 'progress' runs on the loop when more has been synced.  Without: '*store' is null.  'as_diff' false: records hold
 * whole
 * columns (--disable-file-column-diff). */
struct dberr *store_open(struct loop *loop, const struct store_io *io, const char *path, bool as_diff,
                         void (*progress)(void *aux), void *aux, struct db **db, struct store **store) MUST_CHECK;
/* Replaces what runs when more has been synced. */
void store_set_progress(struct store *, void (*progress)(void *aux), void *aux);
/* Waits for the syncing thread.  Null is allowed. */
void store_close(struct store *);

/* Writes the record of a commit.  Sets '*ticket' (0: there was nothing to write).  After an error the commit must be
 * undone (db_undo()). */
struct dberr *store_append(struct store *, const struct change_set *, uint64_t *ticket) MUST_CHECK;
/* Asks for everything up to 'ticket' to reach the disk; whether it has; why it cannot (null: it can). */
void store_sync(struct store *, uint64_t ticket);
bool store_is_synced(const struct store *, uint64_t ticket);
struct dberr *store_sync_error(const struct store *) MUST_CHECK;

/* Replaces the file by one with the schema and the contents of 'db' alone. */
struct dberr *store_compact(struct store *, const struct db *, const char *comment) MUST_CHECK;
/* The same for a file that is not open, into 'to'. */
struct dberr *store_write_snapshot(const struct store_io *io, const char *to, const struct db *, const char *comment)
    MUST_CHECK;

/* Bytes in the file now and after the last compaction, records since. */
off_t store_size(const struct store *);
bool store_wants_compaction(const struct store *, int64_t now);

#endif
