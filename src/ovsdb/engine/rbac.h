/* Access control by role: what a client may change (ovsdb-server(7), "Transact").
 *
 * A schema with a table "RBAC_Role" has it: a row there names a role and maps tables to rows of permissions.  These say
 * by which columns a row shows that it is the client's ("authorization": a column, COLUMN:KEY of a map, or "" for
 * every row), whether such rows may be inserted and deleted, and which columns of them may be changed.  The client is
 * known by the common name of its certificate; without one it may change nothing.  Whoever has no role may do
 * everything, and reading is free.
 *
 * Each function returns null if it is allowed, otherwise a "permission error".  Threads: the database's. */
#ifndef OVSDB_ENGINE_RBAC_H
#define OVSDB_ENGINE_RBAC_H 1

#include "ovsdb/engine/db.h"

/* Who asks. */
struct rbac_client {
    const char *role; /* Null or empty: none. */
    const char *id;   /* Null: unknown. */
};

/* 'row' is the one to be inserted. */
struct dberr *rbac_may_insert(const struct rbac_client *, const struct table *, const struct tuple *row) MUST_CHECK;
struct dberr *rbac_may_delete(const struct rbac_client *, const struct table *, struct row *const *rows, size_t n)
    MUST_CHECK;
/* 'what' is for the message: "modification of", "mutate operation on". */
struct dberr *rbac_may_change(const struct rbac_client *, const char *what, const struct table *,
                              struct row *const *rows, size_t n, const struct column **columns, size_t n_columns)
    MUST_CHECK;

#endif
