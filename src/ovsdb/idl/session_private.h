/* The replica's conversation with the server: what is asked when, and who gets the answers.
 *
 *   connected --> [get_schema, then monitor of "_Server": is it the leader?  no: the next remote]   (leader.c)
 *             --> [lock]                                                                            (lock.c)
 *             --> monitor request --> reply: contents complete                                      (monitor.c)
 *                          | "unknown method": the same with an older method
 *                          | another error: get_schema, leave out what the server lacks, once more
 *
 * Conditions that change meanwhile are sent (monitor_cond_change) one set after the other.  When the connection breaks
 * before the server has agreed, it is not known which rows are here, so everything is fetched again.
 *
 * request.c sends and finds who asked, session.c has the connection and says what is wrong with it. */
#ifndef OVSDB_IDL_SESSION_PRIVATE_H
#define OVSDB_IDL_SESSION_PRIVATE_H 1

#include "jsonrpc/session.h"
#include "ovsdb/idl/idl_private.h"

struct idl_session {
    struct idl *idl;
    struct jsonrpc_session *rpc; /* Null until started. */
    char *remotes;
    bool retry;
    size_t n_remotes;
    struct list pending;         /* struct pending */
    int64_t last_number;
    struct loop_task notify;
    struct loop_timer distrust;  /* When to reconnect after what the server sent made no sense. */
    int distrust_ms;
    bool distrusted;             /* Since then: nothing that it says counts. */

    int64_t monitor_request;     /* For the contents, the last one. */
    size_t method;               /* In monitor_methods[]. */
    bool schema_checked;         /* On this connection. */
    bool filled;
    char last_id[UUID_LEN + 1];  /* Of the last transaction seen; zero if unknown. */

    bool leader_only;
    bool cond_pending;           /* A change of conditions is under way. */

    char *lock;                  /* Null if none is wanted. */
    bool has_lock, lock_contended;
    char *error;                 /* What is wrong with the database; null if nothing. */
    char *state_text;
};

/* ---- session.c ---- */

/* Says in the log, and to who asks for it, what is wrong with the database.  Takes 'text'. */
void idl_session_set_error(struct idl_session *session, char *text);
/* The contents cannot be trusted: after a while, fetch everything again over a new connection.  Takes 'error'. */
void idl_session_distrust(struct idl_session *session, struct error *error);

/* ---- request.c ---- */

/* Finishes the request that 'msg' answers; false if there is none. */
bool idl_session_answer(struct idl_session *session, struct jsonrpc_msg *msg);
/* Every request ends without an answer; callbacks may make new ones. */
void idl_session_cancel_requests(struct idl_session *session);
/* The text of an error in a reply; the caller's to free. */
char *idl_error_text_of(const struct json *error) MUST_CHECK;

/* ---- monitor.c ---- */

/* On a new connection: nothing is known of the server. */
void idl_monitor_reset(struct idl_session *session);
/* Asks for the contents, by the best method that the server is thought to have. */
void idl_monitor_send(struct idl_session *session);
/* The contents, as the text of a reply. */
void idl_monitor_text(struct idl_session *session, const char *result, size_t len);
/* Nothing is known of the transactions seen: the next monitor request fetches everything. */
void idl_monitor_forget_id(struct idl_session *session);
/* An "update" (version 1), "update2" (2), or "update3" (2, with 'since'). */
void idl_monitor_update(struct idl_session *session, const struct json *params, int version, bool since);

/* ---- leader.c ---- */

/* Asks the server whether it is the one to talk to; if so, idl_monitor_send() follows. */
void idl_leader_send(struct idl_session *session);
/* Whether an update is about the server's own database; goes to the next remote if this one is not good any more. */
bool idl_leader_update(struct idl_session *session, const struct json *id, const struct json *updates);

/* ---- lock.c ---- */

/* On a new connection: asks for the lock, if one is wanted. */
void idl_lock_send(struct idl_session *session);
/* A "locked" ('has') or "stolen" notification. */
void idl_lock_update(struct idl_session *session, const struct json *params, bool has);

#endif
