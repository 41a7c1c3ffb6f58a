/* Keeping a database equal to one of another server: what that server says in its updates becomes transactions here.
 *
 * Rows keep their UUIDs; "_version" is our own.  Columns and tables that only one side has are left alone. */
#ifndef OVSDB_SERVER_COPY_H
#define OVSDB_SERVER_COPY_H 1

#include "json/scan.h"
#include "ovsdb/engine/db.h"

enum copy_form {
    COPY_UPDATES,  /* <table-updates> of RFC 7047: "old" and "new". */
    COPY_UPDATES2, /* <table-updates2>: "initial", "insert", "modify", "delete". */
};

/* Applies 'updates' to 'db' as one transaction.  With 'whole' they are all that there is: rows that they do not have
 * are deleted, but for those of the tables in 'left_out' (by name; no values), which are never touched.  On error,
 * which may be about the updates or a constraint, nothing has changed. */
struct dberr *copy_update(struct db *db, const struct json *updates, enum copy_form, bool whole,
                          const struct strmap *left_out) MUST_CHECK;

/* The same with updates that are text, where 's' is; it is then behind them.  Rows are read one after the other. */
struct dberr *copy_update_scan(struct db *db, struct js_scan *s, enum copy_form, bool whole,
                               const struct strmap *left_out) MUST_CHECK;

/* Why updates of a database with the schema 'theirs' do not fit into one with 'ours': a table or column that ours does
 * not have, or a column of another type.  Tables in 'left_out' do not matter.  Null if they fit. */
struct error *copy_check_schema(const struct schema *ours, const struct schema *theirs, const struct strmap *left_out)
    MUST_CHECK;

/* The requests for "monitor" and its like: every column of 'theirs' that 'ours' has too. */
struct json *copy_requests(const struct schema *ours, const struct schema *theirs, const struct strmap *left_out)
    MUST_CHECK;

#endif
