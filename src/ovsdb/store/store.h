/* Databases in files.
 *
 * What it is
 * ----------
 * store_open() reads a database file into a 'struct db'; from then on every commit of that database goes into the file.
 *
 * How it works
 * ------------
 * The store is a listener of its database.  A commit becomes a record that is appended at once, so a process that is
 * killed loses nothing of it.  What must survive the machine is synced by the writer thread, which then wakes the main
 * thread, which calls those who wait (store_wait_for()): all commits written before an fdatasync share it.  The writer
 * thread also puts a compacted file in the place of the old one; records that come meanwhile queue up for it.  It is
 * started when there is something of that to do.
 *
 * If the writing fails, the part that was written is cut off, and every commit that is not safely in the file is undone
 * in memory (db_undo(): monitors see that as one more change); those who wait get the error.  The file and the memory
 * agree again and the next commit is tried anew.  After a failed fdatasync nobody knows what of the file reached the
 * disk, so the next thing written is a whole new file.
 *
 * Compaction (store_compact()) writes a file of the present contents, NAME.tmp, beside the old one, adds what was
 * committed meanwhile and renames it over the file (through a symbolic link, to what it points to).  With a loop, the
 * contents are walked in short steps between other work (contents.h), and a thread writes the file (background.h).
 *
 * A crash, at any byte, loses at most commits that nobody was told were durable: records carry a hash, and store_open()
 * with STORE_RECOVER cuts the file at the first record that is not whole.
 *
 * Threads and locks
 * -----------------
 * All functions belong to the thread of the database and the loop.  The writer thread and that of a compaction see
 * finished bytes only.
 *
 * Limits
 * ------
 * Clustered files are recognised and refused.
 *
 * Standards
 * ---------
 * ovsdb(5). */
#ifndef OVSDB_STORE_STORE_H
#define OVSDB_STORE_STORE_H 1

#include "ovsdb/engine/db.h"
#include "ovsdb/store/io.h"
#include "sys/loop.h"

struct store;

enum {
    STORE_READ_ONLY = 1, /* No lock, no writing; commits stay in memory. */
    STORE_RECOVER = 2,   /* A damaged end is cut off, with a message in the log, instead of being an error. */
    STORE_NO_DIFF = 4,   /* Records hold new values instead of differences. */
};

/* Makes a new database file, of mode 0660 less the umask; it must not exist.  'from' (null: empty) gives its contents
 * and 'comment' the comment of their record. */
struct dberr *store_create(const char *path, const struct schema *schema, const struct db *from, const char *comment)
    MUST_CHECK;

/* Reads just the schema of a database file. */
struct dberr *store_read_schema(const char *path, struct schema **schema) MUST_CHECK;

/* Opens a file and reads it.  Sets '*store', null on error. */
struct dberr *store_open(const char *path, int flags, struct store **store) MUST_CHECK;
struct dberr *store_open_with(const struct store_io *io, const char *path, int flags, struct store **store) MUST_CHECK;

/* Writes what is pending, stops the thread, releases everything, the database too.  Returns the error of the writing,
 * null if all is in the file. */
struct dberr *store_close(struct store *store) MUST_CHECK;

/* Starts to write each commit at once, and automatic compaction, after which 'compacted' (may be null) is called with
 * 'aux'.  Before that, commits are only gathered, for store_flush(). */
void store_start(struct store *store, struct loop *loop, void (*compacted)(void *aux), void *aux);

/* Whether records from now on hold differences or new values (STORE_NO_DIFF). */
void store_set_diff(struct store *store, bool diff);

/* The database; the store's.  Another one after store_convert(). */
struct db *store_db(const struct store *store);
const char *store_path(const struct store *store);
off_t store_size(const struct store *store);       /* Bytes of good records, those on their way included. */
size_t store_n_records(const struct store *store); /* Transactions since the last compaction. */
/* Why the last write or sync failed; null if it went well. */
struct dberr *store_status(const struct store *store) MUST_CHECK;

enum store_level {
    STORE_WRITTEN, /* Handed to the system: survives a crash of this program. */
    STORE_DURABLE, /* On disk: survives a crash of the machine. */
};

struct store_wait {
    struct list node;
    struct store *store; /* Null while it does not wait. */
    uint64_t seq;
    enum store_level level;
    void (*cb)(struct store_wait *, const struct dberr *error);
    void *aux;
};

/* Whether all commits made so far have been written: then nobody has to wait for that. */
bool store_is_written(struct store *store);

/* Waits until all commits made so far have reached 'level'.  Returns true if they have already; otherwise calls 'cb'
 * from the loop, with the error (borrowed) if one of them could not be written. */
bool store_wait_for(struct store *store, struct store_wait *wait, enum store_level level,
                    void (*cb)(struct store_wait *, const struct dberr *error), void *aux) MUST_CHECK;
void store_wait_cancel(struct store_wait *wait); /* Harmless if it does not wait. */

/* Does all writing at once and returns when everything is durable. */
struct dberr *store_flush(struct store *store) MUST_CHECK;

/* Rewrites the file with nothing but the present contents, and returns when that is done. */
struct dberr *store_compact(struct store *store, const char *comment) MUST_CHECK;

/* The same beside the normal work; 'cb' (may be null) is called from the loop with the error (borrowed) or null.
 * Returns false if one is under way already. */
bool store_compact_beside(struct store *store, void (*cb)(void *aux, const struct dberr *), void *aux) MUST_CHECK;
bool store_is_compacting(const struct store *store);

/* Replaces the file by one with the contents of 'db', which has another schema.  On success 'db' becomes the store's
 * and the old database, whose listeners are not moved, the caller's. */
struct dberr *store_convert(struct store *store, struct db *db, const char *comment) MUST_CHECK;

#endif
