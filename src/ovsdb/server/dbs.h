/* A served database and its file: which transactions are on the disk. */
#ifndef OVSDB_SERVER_DBS_H
#define OVSDB_SERVER_DBS_H 1

#include "ovsdb/server/internal.h"

/* The record of the last commit; 0 if there is nothing to wait for.  'durable' asks for it to reach the disk. */
uint64_t served_db_ticket(struct served_db *, bool durable);

/* Whether that record is in the file (on the disk, if 'durable'), or never will be. */
bool served_db_is_written(const struct served_db *, uint64_t ticket, bool durable);

/* Why it never will be: null if all is well. */
struct dberr *served_db_write_error(const struct served_db *, uint64_t ticket) MUST_CHECK;

#endif
