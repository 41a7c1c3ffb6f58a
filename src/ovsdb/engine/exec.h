/* The operations of the protocol's "transact" method (RFC 7047 section 5.2).
 *
 * exec_transact() runs them all at once.  A "wait" whose condition does not hold yet makes it stop without effect and
 * say so; the caller calls again, with the time that has passed, when the database has changed or that time is up. */
#ifndef OVSDB_ENGINE_EXEC_H
#define OVSDB_ENGINE_EXEC_H 1

#include "ovsdb/engine/rbac.h"
#include "ovsdb/engine/txn.h"

/* Who asks, and what they may do.  All members may be zero: then everything is allowed, and no lock is held. */
struct exec_session {
    bool read_only; /* Modifying operations give "not allowed". */
    bool alone;     /* Nobody else can change the database: waiting for that is "not supported". */
    /* Whether the session owns 'lock', for "assert". */
    bool (*owns_lock)(const struct exec_session *, const char *lock);
    struct rbac_client client;
    enum js_format format; /* Of the reply. */
};

struct exec_outcome {
    struct str reply;           /* The array of results, as text; empty: wait. */
    bool failed;                /* An operation has, so that nothing was changed. */
    bool durable;               /* A "commit" operation asked for durability. */
    struct change_set *changes; /* A reference; null if nothing was changed. */
    int64_t timeout_ms;         /* While waiting: call again when so many ms have passed since the first call;
                                 * INT64_MAX if only a change can help. */
};

/* Runs the operations in params[first...].  'elapsed_ms' is the time since the first try. */
void exec_transact(struct db *db, const struct json *params, size_t first, const struct exec_session *session,
                   int64_t elapsed_ms, struct exec_outcome *outcome);

/* The same with the text of the parameters: an array of the database's name and operations, at least one.  Each of
 * these is read, run and forgotten before the next, so that many of them take little memory.  False, and nothing has
 * happened, if an operation fails or must wait, or the text is no JSON: then exec_transact() will say what is wrong. */
bool exec_transact_text(struct db *db, const char *params, size_t len, const struct exec_session *session,
                        struct exec_outcome *outcome) MUST_CHECK;

void exec_outcome_uninit(struct exec_outcome *outcome);

/* Appends an error element to a reply, as a commit that fails late does (I/O errors). */
void exec_reply_add_error(struct str *reply, const struct dberr *e, enum js_format);

/* Sets 'fields' from a row object.  '*columns' (null: not wanted) becomes a new array of the '*n' columns named. */
struct dberr *exec_row_from_json(const struct table_schema *t, struct datum *fields, const struct json *json,
                                 struct symtab *symtab, const struct column ***columns, size_t *n) MUST_CHECK;

#endif
