/* A served database and its file. */
#ifndef OVSDB_SERVER_DBS_H
#define OVSDB_SERVER_DBS_H 1

#include "ovsdb/server/internal.h"

/* Answers the transactions that wait for the file, by waiting for it. */
void served_db_flush(struct served_db *);

/* Serves 'with' (taken over) in the place of the present data; what clients have begun with it ends. */
void served_db_replace(struct served_db *, struct db *with);

/* Around the changes of a database whose transactions have ids: 'id' is that of the one that comes (zero: it has none,
 * nor have those that follow), and it has come, even if it changed nothing. */
void served_db_set_txn(struct served_db *, const struct uuid *id);
void served_db_end_txn(struct served_db *);

/* Disconnects the clients that do not follow _Server. */
void server_disconnect_unaware(struct ovsdb_server *);

/* Closes the file and releases the data. */
void served_db_close(struct served_db *);

#endif
