/* The database server: databases offered to clients over JSON-RPC (RFC 7047 section 4, ovsdb-server(7)).
 *
 * What it is
 * ----------
 * A 'struct ovsdb_server' has databases, remotes (where clients come from, or are gone to), and sessions, one for each
 * client.
 *
 *   server.h    this face, for the daemon
 *   internal.h  the structures that the files share
 *   dbs.c       the databases and their files        server_db.c  the database "_Server" about them
 *   session.c   clients and the methods they call    lock.c       named locks
 *   transact.c  transactions that wait               monitor*.c   monitors and what is sent for them
 *   remote.c    listening and connecting             remote_db.c  remotes configured in a database
 *   source.c    copying a database from another server: backups, relays
 *   copy.c      what that server says, as transactions
 *   forward.c   transactions of a relay's clients      replication.c  which databases are copied from where
 *   commands.c  ovs-appctl                             config_*.c  --config-file
 *
 * How it works
 * ------------
 * A request is run as soon as it is read.  A transaction whose "wait" does not hold, or whose record is not yet in the
 * file, stays in its session's list, and later requests of the session go on.
 *
 * Monitors that ask for the same thing share a 'struct monitor_spec': a commit is turned into JSON text once for each,
 * and the sessions' queues refer to that text.  A client that reads too slowly (LAG_BYTES waiting to be written) gets
 * no more text: what changes is kept as pairs of old and new rows, merged row by row, until it has caught up.  So a
 * slow client costs at most two versions of the rows that it monitors, and sees a correct, if coarser, sequence.
 *
 * Threads: the main thread.
 *
 * The rows that a new monitor shows are written in steps (snapshot.h), so a million of them keep nobody else waiting.
 *
 * Limits: requests of a session are read only while less than PAUSE_BYTES wait to be written to it, and no snapshot is
 * being made for it.  A request has at most MAX_REQUEST bytes; reading it takes up to nine times as much for a moment,
 * two and a half times for rows as OVN has them.  A client for which more than LAG_BYTES are held, of answers or of a
 * request that is not complete, and which moves no byte for STALL_MS, is dropped; so is one with more than MAX_PENDING
 * transactions that wait.  One lock more than MAX_LOCKS of a session, or one monitor more than MAX_MONITORS, is the
 * error "resources exhausted" (RFC 7047 section 3.1).
 *
 * Standards: RFC 7047; the extensions of ovsdb-server(7). */
#ifndef OVSDB_SERVER_SERVER_H
#define OVSDB_SERVER_SERVER_H 1

#include "base/error.h"
#include "sys/loop.h"

struct ovsdb_server;

/* An empty server: with the database _Server alone, and no remotes.  Also registers its commands for ovs-appctl. */
struct ovsdb_server *ovsdb_server_create(struct loop *) MUST_CHECK;
void ovsdb_server_destroy(struct ovsdb_server *);

/* Opens a database file and serves it; "relay:DB:REMOTE" names a relay. */
struct error *ovsdb_server_open(struct ovsdb_server *, const char *file) MUST_CHECK;

/* --disable-file-column-diff: records hold whole columns, until the command ovsdb/file/column-diff-enable, which this
 * registers; before any database is opened. */
void ovsdb_server_disable_column_diff(struct ovsdb_server *);
/* --disable-file-no-data-conversion: accepted, with its command, but about clusters only, which there are not. */
void ovsdb_server_disable_no_data_conversion(struct ovsdb_server *);

/* Adds a remote: an active or passive target, or "db:DB,TABLE,COLUMN".  Errors are about the latter only; sockets that
 * cannot be opened are logged and tried again. */
struct error *ovsdb_server_add_remote(struct ovsdb_server *, const char *remote) MUST_CHECK;

/* --sync-from (null: none), --sync-exclude-tables (null: none) and --active.  The error is about the tables. */
struct error *ovsdb_server_set_sync(struct ovsdb_server *, const char *from, const char *excluded, bool active)
    MUST_CHECK;

/* --config-file: does what the file says, instead of the functions above, and again with ovsdb-server/reload.  False if
 * that did not succeed in all parts; the log says why.  A relative file is in the database directory. */
bool ovsdb_server_configure(struct ovsdb_server *, const char *file) MUST_CHECK;

/* The first nonempty string in the column named by "db:DB,TABLE,COLUMN", for options that take their value from the
 * database: sets '*value', to be released with free(), to null if there is none, or not yet because the database is a
 * relay that has not been filled. */
struct error *ovsdb_server_read_option(struct ovsdb_server *, const char *where, char **value) MUST_CHECK;

/* Runs 'changed' after commits, at most once a turn of the loop. */
void ovsdb_server_on_change(struct ovsdb_server *, void (*changed)(void *aux), void *aux);

#endif
