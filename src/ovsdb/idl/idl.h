/* The client's replica of a database: rows kept up to date by the server, and transactions that change them.
 *
 * What it is
 * ----------
 * 'struct idl' holds the chosen tables and columns of one database.  Rows are arrays of datums (ovsdb/data) in the
 * order of the schema; a program reads them with the typed functions that tools/idl-generate derives from the schema
 * (vswitch_idl.h: vs_port_tag(port) and so on: thin, inline, no copies), or generically by table and column number.
 *
 * How it works
 * ------------
 * idl_create(), idl_add_column() for what is wanted, idl_start().  From then on the loop does everything: it connects
 * to one remote after the other, asks for the tables (monitor_cond_since, monitor_cond or monitor, whichever the server
 * has), applies updates, reconnects.  After each batch of messages the callback runs once; it sees a consistent state.
 * What the server's schema lacks keeps its default value (idl_has_column() tells).
 *
 * Changes: a row that was inserted, modified or deleted since the last idl_clear_changes() is in its table's list of
 * changes, deleted ones included, so the cost of reacting is that of the change.  A reconnection that has to fetch
 * everything anew reports only what really differs.  Columns added as IDL_QUIET do not put a row there: for what the
 * program writes itself.
 *
 * Transactions: idl_txn_create(), then idl_insert(), idl_delete(), idl_set_take(), idl_put_take()...: reads show the
 * new values at once.  idl_txn_commit() sends it; the values stay visible until the server has answered and the
 * callback of the transaction runs (or idl_txn_commit_block() returns).  One transaction at a time.
 *
 * References are uuids; idl_row_get() finds the row, null where it is not (or not yet) in the replica.
 *
 * A tool that runs once uses the same calls and idl_block(), which runs the loop until something changed.
 *
 * Threads: the loop's.
 *
 * With idl_set_leader_only() the server's own database ("_Server") tells first whether it is the one to talk to.
 *
 * Standards: RFC 7047, and the extensions that the reference's server documents. */
#ifndef OVSDB_IDL_IDL_H
#define OVSDB_IDL_IDL_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "ovsdb/data/schema.h"
#include "sys/loop.h"

struct idl;
struct idl_txn;

enum { IDL_ROW_INSERTED = 1, IDL_ROW_MODIFIED = 2, IDL_ROW_DELETED = 4 };

struct idl_row {
    struct hmap_node node;      /* In the table's rows, by uuid; not while deleted. */
    struct list change;         /* In the table's changes; empty if it did not change. */
    struct list overlay_node;   /* In the transaction's rows; empty if it does not touch this row. */
    struct idl_table *table;
    struct uuid uuid;
    unsigned changes;           /* IDL_ROW_*, since idl_clear_changes(). */
    uint64_t *changed;          /* Bit per column, likewise; null if none. */
    struct datum *fields;       /* As the server has them; all defaults in a row inserted by the transaction. */
    struct idl_overlay *overlay; /* What the transaction does to the row; null if nothing. */
    bool stale;                 /* While everything is fetched anew: not seen yet. */
    void *aux;                  /* The program's; null at first. */
};

struct idl_table {
    struct idl *idl;
    const struct table_schema *schema;
    struct hmap rows;
    struct list changes;   /* struct idl_row.change */
    uint8_t *modes;        /* Per column: enum idl_mode. */
    bool *absent;          /* Per column: the server does not have it. */
    bool wanted, missing;  /* 'missing': the server does not have the table. */
    struct json *where;    /* Condition; null: all rows. */
    bool where_changed;    /* The server does not have it yet. */
    struct list indexes;   /* struct idl_index */
};

enum idl_mode {
    IDL_OMIT,   /* Not replicated: reads give the default. */
    IDL_QUIET,  /* Replicated; a change is not reported. */
    IDL_ALERT,  /* Replicated and reported. */
};

/* Makes a replica of the database of 'schema' (a reference is taken), which does nothing yet.  'remotes' is a list of
 * connection methods separated by commas; 'retry' false: idl_error() is set once each remote has failed once. */
struct idl *idl_create(struct loop *loop, struct schema *schema, const char *remotes, bool retry) MUST_CHECK;
/* An open transaction must have been destroyed. */
void idl_destroy(struct idl *idl);

/* Chooses what to replicate; before idl_start().  A mode never becomes weaker.  'column' may be COL_UUID: the rows with
 * no column. */
void idl_add_column(struct idl *idl, unsigned table, unsigned column, enum idl_mode mode);
void idl_add_table(struct idl *idl, unsigned table, enum idl_mode mode); /* All columns. */
/* Replicates only the rows of 'table' for which one of the clauses of 'where' holds (an array as in the protocol; taken
 * over); null: all.  Once started, the rows change when the server has agreed: idl_conditions_hold() then, with the
 * callback. */
void idl_set_condition_take(struct idl *idl, unsigned table, struct json *where);
bool idl_conditions_hold(const struct idl *idl);
/* Of a cluster, talks to the leader alone, and to no server that has lost its cluster, or its source if it is a relay.
 * Before idl_start(). */
void idl_set_leader_only(struct idl *idl, bool leader_only);

/* Asks the server for the lock 'name'; transactions then fail unless it is held.  Before idl_start(). */
void idl_set_lock(struct idl *idl, const char *name);
bool idl_has_lock(const struct idl *idl);
bool idl_is_lock_contended(const struct idl *idl); /* Asked for, answered, not got. */

/* 'cb' runs in the loop after the contents, the connection or the lock changed. */
void idl_set_callback(struct idl *idl, void (*cb)(struct idl *, void *aux), void *aux);
void idl_start(struct idl *idl);

/* Changes with every change of contents, connection or lock. */
unsigned idl_seqno(const struct idl *idl);
/* Whether the contents were complete at least once; whether there is a connection and they are complete now. */
bool idl_was_filled(const struct idl *idl);
bool idl_is_filled(const struct idl *idl);
/* Why it gave up (no retry), or what is wrong with the server's database; null if nothing is. */
const char *idl_error(const struct idl *idl);
/* What it is doing, for messages: "connecting to unix:...", "waiting for ...".  Valid until the next call. */
const char *idl_state_text(struct idl *idl);

/* For tools that run once: runs the loop until idl_seqno() is not 'seqno', idl_error() is set, or 'deadline' (ms of
 * clock_now_ms(), or CLOCK_NEVER) has passed: false then. */
bool idl_block(struct idl *idl, unsigned seqno, int64_t deadline);

struct loop *idl_loop(const struct idl *idl);
const struct schema *idl_schema(const struct idl *idl);
struct idl_table *idl_table(const struct idl *idl, unsigned table);
/* Whether the column is replicated and the server has it. */
bool idl_has_column(const struct idl *idl, unsigned table, unsigned column);

/* Rows.  The walk is in no particular order and includes what the transaction inserted, not what it deleted. */
const struct idl_row *idl_first(const struct idl *idl, unsigned table);
const struct idl_row *idl_next(const struct idl_row *row);
const struct idl_row *idl_row_get(const struct idl *idl, unsigned table, const struct uuid *uuid);
size_t idl_n_rows(const struct idl *idl, unsigned table);
#define IDL_FOR_EACH(ROW, IDL, TABLE) \
    for (const struct idl_row *ROW = idl_first(IDL, TABLE); ROW; ROW = idl_next(ROW))

/* Rows that changed; idl_clear_changes() empties the lists of all tables and releases deleted rows, many of them in
 * turns of the loop to come. */
const struct idl_row *idl_first_change(const struct idl *idl, unsigned table);
const struct idl_row *idl_next_change(const struct idl_row *row);
static inline bool idl_is_deleted(const struct idl_row *row) { return row->changes & IDL_ROW_DELETED; }
static inline bool idl_is_inserted(const struct idl_row *row) { return row->changes & IDL_ROW_INSERTED; }
bool idl_column_changed(const struct idl_row *row, unsigned column);
void idl_clear_changes(struct idl *idl);
#define IDL_FOR_EACH_CHANGE(ROW, IDL, TABLE) \
    for (const struct idl_row *ROW = idl_first_change(IDL, TABLE); ROW; ROW = idl_next_change(ROW))

/* ---- Indexes ----
 *
 * The rows of a table in the order of some columns, as the server has them (what the open transaction does is not seen
 * in it).  A change costs the logarithm of the number of rows, and nothing if it is not of these columns. */

struct idl_index;
struct idl_order {
    unsigned column;
    bool descending;
};

/* Made at any time; it lives as long as 'idl'.  The columns must be replicated.  Rows that are equal in all of them are
 * in the order of their uuids. */
struct idl_index *idl_index_create(struct idl *idl, unsigned table, const struct idl_order *columns, size_t n_columns);

/* A walk over part of an index; the replica must not change meanwhile. */
struct idl_range {
    const struct idl_index *index;
    struct index_node *node;
    const struct datum *const *to;
    size_t n_to;
};

/* The first row that is not before 'from', the values of the first 'n_from' columns (0: the first of all), and then the
 * next ones, as long as they are not after 'to' (n_to 0: to the last); null at the end.  'to' must stay. */
const struct idl_row *idl_range_first(struct idl_range *range, const struct idl_index *index,
                                      const struct datum *const *from, size_t n_from, const struct datum *const *to,
                                      size_t n_to);
const struct idl_row *idl_range_next(struct idl_range *range);
/* The first row whose first 'n' columns are 'values'; null if there is none. */
const struct idl_row *idl_index_find(const struct idl_index *index, const struct datum *const *values, size_t n);

/* The value of a column, with the open transaction's changes; idl_get_committed() without them.  Of a deleted row: its
 * last value. */
const struct datum *idl_get(const struct idl_row *row, unsigned column);
const struct datum *idl_get_committed(const struct idl_row *row, unsigned column);
static inline const struct col_type *
idl_type(const struct idl_row *row, unsigned column)
{
    return &row->table->schema->columns[column].type;
}

/* Values by kind.  The optional ones give null (or 'otherwise') for an empty column. */
int64_t idl_get_int(const struct idl_row *row, unsigned column, int64_t otherwise);
double idl_get_real(const struct idl_row *row, unsigned column, double otherwise);
bool idl_get_bool(const struct idl_row *row, unsigned column, bool otherwise);
const char *idl_get_string(const struct idl_row *row, unsigned column);
static inline size_t idl_count(const struct idl_row *row, unsigned column) { return idl_get(row, column)->n; }
/* Element 'i' of a set of references as a row of table 'to' (the values of a map, with 'values'); null if not known. */
const struct idl_row *idl_get_ref(const struct idl_row *row, unsigned column, size_t i, unsigned to, bool values);
/* The value of a key in a string map; null if it is not there. */
const char *idl_get_key(const struct idl_row *row, unsigned column, const char *key);

/* ---- Transactions ---- */

enum idl_status {
    IDL_UNCOMMITTED,
    IDL_UNCHANGED,  /* Nothing to do. */
    IDL_INCOMPLETE, /* Sent; the answer is not here yet. */
    IDL_ABORTED,
    IDL_SUCCESS,
    IDL_TRY_AGAIN,  /* Something verified has changed, or the connection broke: wait for idl_seqno(), do it again. */
    IDL_NOT_LOCKED, /* The lock is not held. */
    IDL_ERROR,      /* idl_txn_error() says why. */
};
const char *idl_status_name(enum idl_status status);

/* Opens a transaction; there must be none. */
struct idl_txn *idl_txn_create(struct idl *idl) MUST_CHECK;
/* Ends it: changes that were not committed are forgotten.  Null is allowed. */
void idl_txn_destroy(struct idl_txn *txn);

/* Adds a line to the comment that the server's log keeps with the transaction. */
void idl_txn_add_comment(struct idl_txn *txn, const char *format, ...) PRINTF_FORMAT(2, 3);
/* Everything but the change: the server checks it and then gives it up. */
void idl_txn_set_dry_run(struct idl_txn *txn);

/* Inserts a row, with a given uuid if 'uuid' is not null.  The row is valid until the transaction ends; its uuid, if
 * not given, is provisional: idl_txn_uuid() has the final one after the commit. */
struct idl_row *idl_insert(struct idl_txn *txn, unsigned table, const struct uuid *uuid);
/* The same with a provisional uuid of the caller's choice. */
struct idl_row *idl_insert_provisional(struct idl_txn *txn, unsigned table, const struct uuid *uuid);
void idl_delete(const struct idl_row *row);
bool idl_row_is_new(const struct idl_row *row); /* Inserted by the open transaction. */

/* Replaces a column's value; takes over the datum.  What equals the present value is not sent. */
void idl_set_take(const struct idl_row *row, unsigned column, struct datum *value);
/* Changes one element where it is: adds to a set or puts into a map (replacing), or removes.  Only the change is sent.
 * Atoms are taken over; 'value' null for sets. */
void idl_put_take(const struct idl_row *row, unsigned column, union atom key, const union atom *value);
void idl_remove_take(const struct idl_row *row, unsigned column, union atom key);
/* The same with many at once: 'd' (taken over) is of the column's type, or a set of keys. */
void idl_put_all_take(const struct idl_row *row, unsigned column, struct datum *d);
void idl_remove_all_take(const struct idl_row *row, unsigned column, struct datum *d, const struct col_type *type);
/* Makes the commit fail with IDL_TRY_AGAIN if the column's value on the server is not the replica's. */
void idl_verify(const struct idl_row *row, unsigned column);
/* The same if the table is not empty on the server. */
void idl_verify_empty(struct idl_txn *txn, unsigned table);
/* Adds 1 to an integer column if the transaction does anything else; idl_txn_incremented() is the result. */
void idl_increment(const struct idl_row *row, unsigned column);

/* Convenience for setting by kind. */
void idl_set_int(const struct idl_row *row, unsigned column, int64_t value);
void idl_set_real(const struct idl_row *row, unsigned column, double value);
void idl_set_bool(const struct idl_row *row, unsigned column, bool value);
void idl_set_string(const struct idl_row *row, unsigned column, const char *value); /* Null empties. */
void idl_set_empty(const struct idl_row *row, unsigned column);
void idl_set_map(const struct idl_row *row, unsigned column, const struct strmap *map); /* Values: char *. */
void idl_set_ref(const struct idl_row *row, unsigned column, const struct idl_row *to);   /* Null empties. */
void idl_put_ref(const struct idl_row *row, unsigned column, const struct idl_row *to);
void idl_remove_ref(const struct idl_row *row, unsigned column, const struct idl_row *to);
void idl_put_key(const struct idl_row *row, unsigned column, const char *key, const char *value);
void idl_remove_key(const struct idl_row *row, unsigned column, const char *key);

/* Sends the transaction.  Returns IDL_INCOMPLETE, and 'cb' (may be null) runs when the answer is there; or another
 * status at once, without calling it. */
enum idl_status idl_txn_commit(struct idl_txn *txn, void (*cb)(struct idl_txn *, void *aux), void *aux);
enum idl_status idl_txn_commit_block(struct idl_txn *txn);
void idl_txn_abort(struct idl_txn *txn);
enum idl_status idl_txn_status(const struct idl_txn *txn);
/* The server's error as JSON text; valid while the transaction is. */
const char *idl_txn_error(const struct idl_txn *txn);
int64_t idl_txn_incremented(const struct idl_txn *txn);
/* The final uuid of a row that was inserted as 'provisional', after success; null if there was none such. */
const struct uuid *idl_txn_uuid(const struct idl_txn *txn, const struct uuid *provisional);

/* Calls a method of the server outside any transaction ("transact" with "select", for example) and waits for the
 * answer; takes over 'params'.  Returns the result (a reference), or null and '*error' (to be released with free()). */
struct json *idl_call_block(struct idl *idl, const char *method, struct json *params, char **error) MUST_CHECK;

#endif
