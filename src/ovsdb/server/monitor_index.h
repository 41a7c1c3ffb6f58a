/* Which monitors a commit can concern: an index of their conditions.
 *
 * A monitored table whose condition is nothing but clauses COLUMN == VALUE, or COLUMN includes ONE-ELEMENT, is watched
 * for those values; any other is watched for every change.  A commit looks its rows' values up, before and after, so
 * monitors for other rows cost it nothing.
 *
 * Threads: the database's. */
#ifndef OVSDB_SERVER_MONITOR_INDEX_H
#define OVSDB_SERVER_MONITOR_INDEX_H 1

#include "ovsdb/server/monitor_spec.h"

/* Enter a spec, and take it out. */
void monitor_index_add(struct monitor_spec *);
void monitor_index_remove(struct monitor_spec *);

/* Puts those specs of the database that the commit may concern, and more, into 'found', through 'found_node'; it is
 * for the caller to empty it. */
void monitor_index_find(struct served_db *, const struct change_set *, struct list *found);

#endif
