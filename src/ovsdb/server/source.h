/* The server that a database is copied from: the active one of a backup, the source of a relay (ovsdb(7)).
 *
 * What it is
 * ----------
 * A 'struct source' is a session with that server, for one database, and the copying itself (copy.h).
 *
 *   CONNECTING --> ASKING --> WAITING --> FILLING --> FOLLOWING
 *                  its id     until it    the whole   every change
 *                             has the
 *                             database    (any) --> REFUSED: it cannot be copied; see source_error()
 *
 * It follows the other server's "_Server", so it learns when the database is there, has lost its own source or
 * cluster, or has a new schema.  A lost connection is made
 * again; what it copied stays, and if the other server knows what has changed since (monitor_cond_since), only that is
 * sent.
 *
 * A backup is copied into the database as it is, whose schema may have more tables and columns, never fewer.  A relay
 * takes the schema from its source, and is not there for clients before it has that and all rows.
 *
 * forward.c sends the transactions of a relay's clients through the same session.
 *
 * Threads: the main thread. */
#ifndef OVSDB_SERVER_SOURCE_H
#define OVSDB_SERVER_SOURCE_H 1

#include "ovsdb/server/copy.h"
#include "ovsdb/server/internal.h"

enum source_state { SOURCE_CONNECTING, SOURCE_ASKING, SOURCE_WAITING, SOURCE_FILLING, SOURCE_FOLLOWING,
                    SOURCE_REFUSED };

enum {
    BACKUP_PROBE_MS = 60000,
    RELAY_PROBE_MS = 5000,
    RELAY_GRACE_MS = 30000, /* A relay counts as connected so long after it lost its source. */
};

struct source {
    struct served_db *db;
    struct source_settings settings;
    struct jsonrpc_session *rpc;
    enum source_state state;
    bool was_following;       /* Ever. */
    char *error;              /* Why it was refused; null otherwise. */

    /* The question that waits for its answer, if any. */
    struct json *asked;       /* Its id. */
    void (*on_answer)(struct source *, const struct jsonrpc_msg *);

    struct json *about_dbs;   /* Rows of the other's _Server.Database, by UUID; null if it has no _Server. */
    char *schema_text;        /* What that said of the schema when it was last asked for; null: not yet. */
    struct schema *schema;
    struct db *fresh;         /* Relay: to be served when it is filled; null if the present one will do. */
    unsigned monitor;         /* Counts the monitors that were asked for: the id of the present one. */
    bool monitoring;          /* It has been asked for and not been canceled. */
    enum copy_form form;      /* Of the updates to come. */
    struct uuid last;         /* Last transaction known, for monitor_cond_since. */

    struct list forwards;     /* Of struct forward, sent or waiting to be. */
    struct loop_timer grace;  /* Relay: the end of RELAY_GRACE_MS. */
    struct loop_timer retry;  /* To try the next target. */
    struct loop_task resync;  /* Copies everything again. */
};

/* Begins to copy.  Takes over the contents of the settings.  The database's model says which kind of copy it is. */
struct source *source_create(struct served_db *, struct source_settings *) MUST_CHECK;
/* Ends it; the database stays as it is.  Transactions that were forwarded are answered as canceled. */
void source_destroy(struct source *); /* Null is allowed. */

/* Changes what can be changed while it goes on: probe interval (ms; -1: the kind's default). */
void source_set_probe_interval(struct source *, int ms);
/* Copies everything again, from the loop: for when the database is not what was copied. */
void source_resync(struct source *);

/* Sends a request, 'params' taken over, and gives its id.  Only while following. */
struct json *source_send(struct source *, const char *method, struct json *params) MUST_CHECK;
void source_send_notice(struct source *, const char *method, struct json *params);

/* forward.c: the connection was lost; it is there again; an answer has come (true if it was for a forwarded request);
 * the source goes. */
void forward_lost(struct source *);
void forward_send_waiting(struct source *);
bool forward_answer(struct source *, struct jsonrpc_msg *);
void forward_cancel_all(struct source *);

#endif
