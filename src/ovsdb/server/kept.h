/* What has changed in rows since some moment, merged row by row: for clients that lag, and for snapshots that are not
 * complete.  At most two versions of each row, whatever happens meanwhile.
 *
 * Threads: the database's. */
#ifndef OVSDB_SERVER_KEPT_H
#define OVSDB_SERVER_KEPT_H 1

#include "ovsdb/server/monitor_spec.h"

struct kept_row {
    struct hmap_node node;
    struct uuid uuid;
    struct tuple *old, *new;  /* At that moment, and now; references.  Null: there was, or is, none. */
    bool is_late;             /* For the user: set when the row first changes. */
};

struct kept {
    const struct schema *schema; /* Borrowed. */
    struct hmap *tables;         /* Of struct kept_row, by UUID, for each table. */
};

struct kept *kept_create(const struct schema *) MUST_CHECK;
void kept_destroy(struct kept *); /* Null is allowed. */

/* Enters a change.  'is_late' is for a row that had none yet. */
void kept_add(struct kept *, const struct change *, bool is_late);
/* The row, if it has changed and there is something to say about it; null otherwise. */
const struct kept_row *kept_find(const struct kept *, size_t table, const struct uuid *);

/* What a client of 'spec' is to be told of all that; null if nothing.  A reference. */
struct shared_text *kept_encode(const struct kept *, const struct monitor_spec *) MUST_CHECK;

#endif
