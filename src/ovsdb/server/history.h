/* The last transactions of a database whose transactions have ids: for monitor_cond_since (ovsdb-server(7) 4.1.15).
 *
 * Those of a relay have the ids that its source gave them; a database in a file of ours has none, like the reference's.
 * A client that comes back with the id of one that is here is told what happened after it, and not everything anew.
 *
 * Limits: HISTORY_MAX transactions, and fewer while what they hold is more than what the database does.
 *
 * Threads: the database's. */
#ifndef OVSDB_SERVER_HISTORY_H
#define OVSDB_SERVER_HISTORY_H 1

#include "base/list.h"
#include "ovsdb/engine/txn.h"

enum { HISTORY_MAX = 100 };

struct history {
    struct list entries; /* Of struct history_entry, the oldest first. */
    size_t n;
    uint64_t n_atoms;    /* In the rows that they hold, as in table.n_atoms. */
};

void history_init(struct history *);
/* Forgets everything, which must be done before the database goes; it may be used on. */
void history_clear(struct history *);

/* The transaction 'id' has made this of 'db': 'set' (a reference is taken), null if nothing has changed or nothing is
 * known of what was before. */
void history_add(struct history *, const struct db *, const struct uuid *id, struct change_set *set);
/* Whether the last transaction is 'id'. */
bool history_ends_with(const struct history *, const struct uuid *id);
/* What has changed in 'db' since the transaction 'id'; null if that is not known (any more). */
struct kept *history_since(const struct history *, const struct db *, const struct uuid *id) MUST_CHECK;

#endif
