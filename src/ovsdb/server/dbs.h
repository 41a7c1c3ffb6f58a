/* A served database and its file: which transactions are on the disk. */
#ifndef OVSDB_SERVER_DBS_H
#define OVSDB_SERVER_DBS_H 1

#include "ovsdb/server/internal.h"

/* The record of the last commit; 0 if there is nothing to wait for.  'durable' asks for it to reach the disk. */
uint64_t served_db_ticket(struct served_db *, bool durable);

/* Whether that record is in the file (on the disk, if 'durable'), or never will be. */
bool served_db_is_written(const struct served_db *, uint64_t ticket, bool durable);

/* Why it never will be: null if all is well. */
struct dberr *served_db_write_error(struct served_db *, uint64_t ticket) MUST_CHECK;

/* Writes the record of a commit; called for each, in the commit. */
void served_db_append(struct served_db *, struct change_set *);

/* Serves 'with' (taken over) in the place of the present data; what clients have begun with it ends. */
void served_db_replace(struct served_db *, struct db *with);
/* Disconnects the clients that do not follow _Server. */
void server_disconnect_unaware(struct ovsdb_server *);

/* Closes the file. */
void served_db_close_file(struct served_db *);

/* The timer of automatic compaction. */
void server_file_start(struct ovsdb_server *);
void server_file_stop(struct ovsdb_server *);

#endif
