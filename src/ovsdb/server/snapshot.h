/* Snapshots: all rows that a monitor shows, as they are when it begins.
 *
 * What it is
 * ----------
 * A 'struct snapshot' writes the rows of one monitor_spec, for all the monitors that ask for it while it is under way.
 * The first step is made at once, and is all there is for most; a longer one goes on in steps of some milliseconds
 * between which the loop serves others.
 *
 * How it works
 * ------------
 * The walk goes table by table and slot by slot.  Transactions may change the tables between steps; snapshot_commit()
 * keeps what they change (kept.h).  Rows that have changed since are passed by; those that changed before the
 * walk came to their slot ('is_late') are written as they were, from what was kept, at the end of their table; so the
 * text shows the moment of the beginning.  What was kept is then told as an update.
 *
 * The text comes in pieces, to which the queues of the clients refer.
 *
 * Threads: the database's. */
#ifndef OVSDB_SERVER_SNAPSHOT_H
#define OVSDB_SERVER_SNAPSHOT_H 1

#include "ovsdb/server/kept.h"

/* The text of a snapshot, shared. */
struct snapshot_text {
    unsigned refs;
    struct shared_text **pieces;
    size_t n, capacity;
    size_t len;            /* Bytes in all. */
};
void snapshot_text_unref(struct snapshot_text *); /* Null is allowed. */

struct snapshot {
    struct list node;      /* In the server's list of those under way, or empty. */
    struct ovsdb_server *server;
    struct monitor_spec *spec;
    struct list monitors;  /* Of struct monitor, by their 'snapshot_node': who waits for it. */
    struct update_writer writer;
    struct snapshot_text *text;
    uint64_t at;           /* db.n_commits at its beginning. */
    struct uuid last_txn;  /* Likewise. */
    size_t table;          /* Where the walk is: ... */
    uint32_t slot;         /* ... everything before is written. */
    struct kept *kept;
};

/* Begins a snapshot and makes the first step.  Complete, and not in the server's list, if that was all.  Otherwise
 * monitor_finish_snapshot() will be called once. */
struct snapshot *snapshot_create(struct monitor_spec *) MUST_CHECK;
void snapshot_destroy(struct snapshot *);
bool snapshot_is_complete(const struct snapshot *);
/* Completes it now. */
void snapshot_finish(struct snapshot *);

/* Keeps what a commit of 'db' changes for those that are under way. */
void snapshot_commit(struct served_db *db, const struct change_set *);

/* The server's part. */
void snapshots_init(struct ovsdb_server *);
void snapshots_uninit(struct ovsdb_server *);

#endif
