/* The contents of transaction records (ovsdb(5)): from change sets and whole databases to JSON text, and back. */
#ifndef OVSDB_STORE_RECORD_H
#define OVSDB_STORE_RECORD_H 1

#include "ovsdb/engine/txn.h"

/* Appends the record of a commit to 's' and returns true, or returns false if there is nothing in it to be stored
 * (only ephemeral columns changed).  'as_diff': changed columns hold differences, otherwise new values. */
bool record_put_changes(struct str *s, const struct change_set *set, bool as_diff) MUST_CHECK;

/* The record that makes the whole contents of a database, in pieces: the beginning, the rows (those of one table
 * together; 'open' is the table of the last one, null before the first), the end.  Each appends to 's', which may have
 * been emptied in between. */
void record_put_snapshot_begin(struct str *s);
void record_put_snapshot_row(struct str *s, const struct table_schema **open, const struct table_schema *,
                             const struct tuple *);
void record_put_snapshot_end(struct str *s, const struct table_schema *open, const char *comment);

/* What kind of error record_apply() has returned.  Whatever the kind, nothing of the record has been applied. */
enum record_fault {
    RECORD_SENSELESS,          /* It is none, or not one for this schema. */
    RECORD_BREAKS_CONSTRAINT,  /* A transaction with such an outcome is not to be committed. */
    RECORD_DELETES_UNKNOWN,    /* It deletes a row that is not there. */
};

/* Applies the record in the 'len' bytes at 'body' to 'db' as a transaction.  Large records are taken apart row by row,
 * so the memory in use stays near that of the text.  After an error sets '*fault', if not null. */
struct dberr *record_apply(struct db *db, const char *body, size_t len, enum record_fault *fault) MUST_CHECK;
/* The same with a text that nobody needs any more: of a large one, memory goes back to the system by and by. */
struct dberr *record_apply_last(struct db *db, char *body, size_t len, enum record_fault *fault) MUST_CHECK;

/* Calls 'cb' for every member of the object in 'body', with the place of its value in the text, until it returns an
 * error.  Checks no more of the value than where it ends. */
struct dberr *record_walk(const char *body, size_t len,
                          struct dberr *(*cb)(void *aux, const char *name, const char *value, size_t value_len),
                          void *aux) MUST_CHECK;

#endif
