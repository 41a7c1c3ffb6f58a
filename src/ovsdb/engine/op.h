/* The operations of a transaction, one function each, and what they share. */
#ifndef OVSDB_ENGINE_OP_H
#define OVSDB_ENGINE_OP_H 1

#include "ovsdb/data/members.h"
#include "ovsdb/engine/exec.h"

/* One run of exec_transact(). */
struct exec {
    struct db *db;
    struct txn *txn;
    const struct exec_session *session;
    struct symtab symtab;
    struct str reply;   /* The array of results, with what follows each operation but for the bracket that closes it. */
    int64_t elapsed_ms;
    bool durable;
    bool must_wait;
    int64_t timeout_ms; /* With 'must_wait'. */
};

/* An operation while it is taken apart. */
struct op {
    const struct json *json;
    const char *name;
    struct members m;
    struct table *table;
};

/* Carries out an operation.  Puts its result, unless it fails or must wait. */
typedef struct dberr *op_func(struct exec *, struct op *, struct str *result);

/* Operations that change rows (op_change.c), and those that look at them (op_read.c). */
op_func op_insert, op_update, op_mutate, op_delete;
op_func op_select, op_wait;

/* Takes the member "table"; what is wrong with it is kept for members_finish(). */
void op_take_table(struct exec *, struct op *);
/* Fails for a session or a database in which nothing may be changed. */
struct dberr *op_check_writable(const struct exec *, const struct op *) MUST_CHECK;

#endif
