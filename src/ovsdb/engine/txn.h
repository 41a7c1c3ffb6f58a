/* Transactions: changing rows, then all or nothing.
 *
 * Usage: txn_begin(); txn_insert(), txn_modify(), txn_delete() in any order; txn_commit() or txn_abort(), either of
 * which releases the transaction.
 *
 * txn_commit() does what RFC 7047 section 3.2 asks for, in this order: counts strong references, and fails if one
 * leads nowhere; deletes rows of non-root tables that nobody refers to; removes weak references that lead nowhere;
 * checks the number of rows and the indexes; gives each changed row a new "_version".  If anything fails, the database
 * is as it was before txn_begin(). */
#ifndef OVSDB_ENGINE_TXN_H
#define OVSDB_ENGINE_TXN_H 1

#include "ovsdb/engine/db.h"

#define CHANGE_WORD_BITS 64

/* What one commit did to one row.  An insert has no 'old', a deletion no 'new'. */
struct change {
    struct list node;   /* In change_set.changes (while in progress: in table.changes). */
    struct table *table;
    struct row *row;    /* Null after a deletion; in a kept change set, do not use. */
    struct uuid uuid;
    uint32_t slot;      /* The row's; after a deletion it may be another's. */
    bool compared;      /* While in progress: 'changed' and 'differs' are up to date. */
    bool differs;       /* It is a change at all. */
    int32_t n_atoms;    /* So many more in the row than before. */
    struct tuple *old, *new;
    uint64_t changed[]; /* Bit per column: its value differs.  For inserts and deletions: differs from the default. */
};

/* What one commit did.  Counted; holds its tuples. */
struct change_set {
    unsigned refs;
    struct db *db;
    struct list changes; /* Of struct change, those of one table together. */
    size_t n;
    char *comment;       /* Lines of the "comment" operations; null if there are none. */
    int64_t date;        /* ms since the epoch. */
    bool is_undo;        /* Takes back commits whose record could not be written: not for the log. */
};

static inline bool
change_has_column(const struct change *c, size_t column)
{
    return c->changed[column / CHANGE_WORD_BITS] >> (column % CHANGE_WORD_BITS) & 1;
}

static inline struct change_set *change_set_ref(struct change_set *s) { s->refs++; return s; }
void change_set_unref(struct change_set *s);

struct txn {
    struct db *db;
    struct list tables; /* Of struct table, through 'touched'. */
    struct str comment;
    const struct row *newest; /* The last one that it inserted; null: none. */
    bool is_undo;
};

struct txn *txn_begin(struct db *db) MUST_CHECK;

/* Inserts a row of default values, with the given UUID, or a random one if 'uuid' is null.  The UUID must be free:
 * see txn_uuid_is_free().  The caller sets the fields of the result's tuple. */
struct row *txn_insert(struct txn *txn, struct table *t, const struct uuid *uuid);
bool txn_uuid_is_free(const struct table *t, const struct uuid *uuid);

/* Returns the row's fields to be changed.  txn_modify_done() must follow each round of changes (also after
 * txn_insert()), since it puts the row into the indexes. */
struct datum *txn_modify(struct txn *txn, struct row *row);
void txn_modify_done(struct row *row);

void txn_delete(struct txn *txn, struct row *row);

/* Adds a line to the comment. */
void txn_add_comment(struct txn *txn, const char *text);

/* Ends the transaction.  On success sets '*changes', if not null, to a reference to the change set, or to null if
 * nothing changed; listeners have been called.  On error nothing has changed. */
struct dberr *txn_commit(struct txn *txn, struct change_set **changes) MUST_CHECK;
void txn_abort(struct txn *txn);

/* Undoes committed change sets: 'sets' are the last 'n' commits of 'db', oldest first.  Listeners see the undoing as
 * a commit with 'is_undo'. */
void db_undo(struct db *db, struct change_set *const *sets, size_t n);

#endif
