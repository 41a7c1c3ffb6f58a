/* What the files of this directory share; idl.h is the thing to read. */
#ifndef OVSDB_IDL_IDL_PRIVATE_H
#define OVSDB_IDL_IDL_PRIVATE_H 1

#include "base/bits.h"
#include "json/scan.h"
#include "ovsdb/idl/idl.h"

struct idl_session;

struct idl {
    struct loop *loop;
    struct schema *schema;
    struct idl_table *tables; /* schema->n_tables of them. */
    struct idl_session *session;
    struct idl_txn *txn;      /* The open transaction, or null. */
    void (*cb)(struct idl *, void *aux);
    void *aux;
    unsigned seqno;
    bool was_filled;
    struct list gone;         /* struct idl_row.change: deleted rows that nobody sees any more, to be freed... */
    struct loop_task free_gone; /* ...by this, in slices. */
};

/* What a transaction does to one column by parts. */
struct idl_parts {
    struct datum put;            /* Elements to insert; of the column's type. */
    struct datum removed;        /* Keys to delete before that: a set of the key type. */
    struct datum removed_pairs;  /* Likewise whole pairs (maps only); of the column's type. */
    struct col_type removed_type;
    bool in_use;
};

/* What a transaction does to one row. */
struct idl_overlay {
    struct idl_txn *txn;
    bool inserted, deleted;
    bool uuid_given;          /* The inserted row's uuid is final. */
    size_t op;                /* Of an inserted row: its place among the operations. */
    uint64_t *written;        /* Bit per column: 'values' holds a whole new value. */
    uint64_t *changed;        /* Bit per column: 'values' holds the result of 'parts'. */
    uint64_t *verified;
    struct datum *seen;       /* Of the verified columns: what the replica showed then.  Null while unused. */
    struct datum *values;
    struct idl_parts *parts;  /* Null while unused. */
};

/* ---- idl.c: rows ---- */

struct idl_row *idl_row_create(struct idl_table *table, const struct uuid *uuid);
/* Takes the row out of every list and frees it. */
void idl_row_free(struct idl_row *row);
struct idl_row *idl_row_find(const struct idl_table *table, const struct uuid *uuid);
/* Moves the row to the list of changes with one more of IDL_ROW_*. */
void idl_row_mark(struct idl_row *row, unsigned change);
/* Tells the program. */
void idl_notify(struct idl *idl);

/* ---- update.c ---- */

/* Applies <table-updates> (RFC 7047 section 4.1.6), or <table-updates2> with 'version' 2.  The error is for the log;
 * the replica is not to be trusted then. */
struct error *idl_update(struct idl *idl, const struct json *updates, int version) MUST_CHECK;
/* The same with updates that are text, where the scanner is; it is then behind them. */
struct error *idl_update_scan(struct idl *idl, struct js_scan *, int version) MUST_CHECK;
/* Around fetching everything anew: rows that did not come again are deleted. */
void idl_refill_begin(struct idl *idl);
void idl_refill_end(struct idl *idl);

/* ---- index.c ---- */

/* Puts a row into all indexes of its table; takes it out. */
void idl_indexes_add(const struct idl_row *row);
void idl_indexes_remove(const struct idl_row *row);
/* The same with those that have 'column', around a change of it. */
void idl_indexes_column(const struct idl_row *row, unsigned column, bool add);
void idl_indexes_destroy(struct idl_table *table);

/* ---- The session (session_private.h) ---- */

struct idl_session *idl_session_create(struct idl *idl, const char *remotes, bool retry) MUST_CHECK;
void idl_session_destroy(struct idl_session *session);
void idl_session_start(struct idl_session *session);
/* Tells the server about conditions that have changed, now or as soon as possible. */
void idl_session_send_conditions(struct idl_session *session);
/* Sends a request; returns its number, 0 if there is no connection.  'cb' gets the reply ('error' null on success), or
 * null for both when the connection broke. */
typedef void idl_reply_cb(void *aux, const struct json *result, const struct json *error);
int64_t idl_session_request(struct idl_session *session, const char *method, struct json *params, idl_reply_cb *cb,
                            void *aux);
/* The answer of request 'id' is not wanted any more. */
void idl_session_forget(struct idl_session *session, int64_t id);
/* Says in the log that a transaction failed. */
void idl_session_log_error(const char *error);
const char *idl_session_lock(const struct idl_session *session);

/* ---- txn.c ---- */

/* The overlay of the open transaction on 'row', made if there is none. */
struct idl_overlay *idl_overlay_get(const struct idl_row *row);
/* Forgets what the transaction does to the row, if anything. */
void idl_overlay_drop(struct idl_row *row);

struct idl_txn {
    struct idl *idl;
    enum idl_status status;
    struct list rows;            /* struct idl_row.overlay_node */
    struct str comment;
    bool dry_run;
    bool *empty;                 /* Per table: idl_verify_empty(); null if for none. */
    int64_t request;             /* 0: none under way. */
    char *error;
    size_t n_ops, n_changes;     /* Operations sent; those that change something. */
    const struct idl_row *increment_row;
    unsigned increment_column;
    size_t increment_op;
    int64_t incremented;
    struct idl_uuid_pair { struct uuid provisional, final; } *uuids;
    size_t n_uuids;
    void (*cb)(struct idl_txn *, void *aux);
    void *aux;
};

/* ---- commit.c ---- */

/* The operations of 'txn' as "transact" parameters; sets n_ops, n_changes and the places of inserts. */
struct json *idl_txn_to_json(struct idl_txn *txn) MUST_CHECK;
/* Reads the results into 'txn' and returns its final status. */
enum idl_status idl_txn_read_reply(struct idl_txn *txn, const struct json *result, const struct json *error);

#endif
