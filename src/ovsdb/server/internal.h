/* The structures that the files of the database server share. */
#ifndef OVSDB_SERVER_INTERNAL_H
#define OVSDB_SERVER_INTERNAL_H 1

#include "base/strmap.h"
#include "jsonrpc/session.h"
#include "ovsdb/engine/exec.h"
#include "ovsdb/server/history.h"
#include "ovsdb/server/server.h"

enum {
    LAG_BYTES = 1 << 20,      /* Waiting to be written: monitors merge from here on. */
    PAUSE_BYTES = 8 << 20,    /* Waiting to be written: no more requests are read. */
    MAX_REQUEST = 128 << 20,
    MAX_PENDING = 10000,      /* Transactions of a session that are not answered. */
    MAX_LOCKS = 10000,        /* That a session has or waits for. */
    MAX_MONITORS = 10000,     /* Of a session. */
    STALL_MS = 60000,         /* A slow client that moves no byte for so long is dropped. */
    STATUS_MS = 2500,         /* Between updates of the status columns of remotes. */
};

/* In one message of a server that is copied: all rows of a database. */
#define MAX_COPY ((size_t) 8 << 30)

struct monitor;
struct monitor_index;
struct snapshot;
struct monitor_spec;
struct pending;
struct source;
struct store;

/* The service models of ovsdb(7). */
enum db_model { DB_STANDALONE, DB_ACTIVE_BACKUP, DB_RELAY };

/* Another server to copy a database from. */
struct source_settings {
    char *targets;            /* Comma-separated; owned. */
    int probe_interval;       /* ms; -1: the default of the model. */
    int max_backoff;          /* ms; -1: default. */
    int dscp;                 /* -1: default. */
    struct strmap left_out;   /* Names of the tables that are not copied; no values. */
};

/* What the options and commands of active-backup pairs set, for all databases in files. */
struct sync {
    char *from;               /* The active server; null if none is known. */
    bool is_backup;
    struct strmap excluded;   /* "DB:TABLE"; no values. */
    int backup_probe, relay_probe; /* ms; -1: default. */
};

/* A database that is served. */
struct served_db {
    struct ovsdb_server *server;
    char *name;
    char *file;               /* As it was named; null for _Server and relays. */
    enum db_model model;
    bool ready;               /* A relay is not before it has its schema and rows; others are always. */
    bool connected;           /* As _Server shows it. */
    struct source *source;    /* Null unless the model is relay, or active-backup in the role of the backup. */
    struct db *db;            /* The store's, if there is one. */
    struct store *store;      /* Null for _Server and relays. */
    struct db_listener listener;
    struct list waiting;      /* Of struct pending, for a change. */
    struct list writing;      /* Of struct pending, for the file. */
    struct loop_task recheck; /* Tries the waiting transactions again. */
    struct hmap specs;        /* Of struct monitor_spec, by key. */
    struct monitor_index *monitor_index; /* Null while there are none. */
    struct strmap logged;     /* Tables whose changes are logged (tlog-set). */
    struct uuid row;          /* In _Server.Database. */
    bool *configures;         /* By index of the table: remotes or options are read from it. */
    struct uuid last_txn;     /* Id of the last transaction; zero if they have none, as all but relays'. */
    struct history history;   /* Empty if they have none. */
};

struct ovsdb_server {
    struct loop *loop;
    struct strmap dbs;        /* Name to struct served_db. */
    struct served_db *own;    /* _Server. */
    struct list sessions;     /* Of struct session. */
    struct list snapshots;    /* Of struct snapshot: those under way. */
    struct loop_wake snapshot_wake; /* For their next step. */
    struct strmap locks;      /* Name to struct lock. */
    struct uuid id;           /* For get_server_id. */
    bool no_cond;             /* ovsdb-server/disable-monitor-cond. */
    bool trim;                /* memory-trim-on-compaction. */
    struct sync sync;
    bool no_column_diff;      /* --disable-file-column-diff. */
    char *config_file;        /* --config-file; null if there is none. */

    struct strmap configured; /* Remotes given by option, command or file, to struct remote_options (null: default). */
    struct strmap remotes;    /* Target to struct remote: those in use. */
    struct loop_task reconfigure;
    struct loop_timer status; /* Next update of the status columns. */
    void (*changed)(void *);  /* See ovsdb_server_on_change(). */
    void *changed_aux;
};

/* What the owner of a remote may set for its connections. */
struct remote_options {
    int probe_interval;       /* ms; -1: the default of the kind of stream. */
    int max_backoff;          /* ms; -1: default. */
    int dscp;                 /* -1: default. */
    bool read_only;
    char *role;               /* Owned; null if none. */
};

struct remote {
    struct ovsdb_server *server;
    char *target;
    struct remote_options options;
    struct stream_listener *listener; /* Passive ones; null while listening fails. */
    struct loop_timer retry;
    struct list sessions;     /* Of struct session, through 'remote_node'. */
    bool wanted;              /* While the set of remotes is computed. */
};

/* A client. */
struct session {
    struct list node;         /* In the server's list. */
    struct list remote_node;  /* In the remote's list. */
    struct ovsdb_server *server;
    struct remote *remote;
    struct jsonrpc_session *rpc;
    struct strmap monitors;   /* Id as JSON text to struct monitor. */
    struct list pending;      /* Of struct pending. */
    struct list forwards;     /* Of struct forward. */
    struct list lock_waiters; /* Of struct lock_waiter. */
    unsigned n_locks;         /* In 'lock_waiters'. */
    unsigned n_snapshots;     /* That monitors wait for: until they come, no request is read. */
    unsigned n_pending;       /* In 'pending'. */
    uint64_t moved;           /* Bytes read from and written to it ... */
    int64_t moved_at;         /* ... at this time (ms), and no more since; see session_check_stall(). */
    bool change_aware;
    bool doomed;              /* To be disconnected when the current work is done. */
    bool passive;             /* Was accepted: ends with its connection. */
    struct loop_task reap;    /* Disconnects a doomed session. */
    unsigned n_locks_lost;
};

/* dbs.c */
struct served_db *served_db_create(struct ovsdb_server *, const char *name, struct db *);
void served_db_destroy(struct served_db *);
struct served_db *server_find_db(const struct ovsdb_server *, const char *name);
/* Whether one more database may have the name: null, or why not. */
struct error *server_check_new_name(const struct ovsdb_server *, const char *name) MUST_CHECK;
/* Stops serving a database: monitors end, transactions are canceled, clients that do not know about it are
 * disconnected. */
void server_remove_db(struct served_db *);
struct dberr *served_db_convert(struct served_db *, const struct json *schema) MUST_CHECK;
/* Why the file cannot be written; null if it can. */
struct dberr *served_db_status(const struct served_db *) MUST_CHECK;
/* Compacts the file; 'cb' is called with the error (borrowed) or null when that is done.  False if a compaction is
 * under way already. */
bool served_db_compact(struct served_db *, void (*cb)(void *aux, const struct dberr *), void *aux) MUST_CHECK;

/* server_db.c: keeps the rows of _Server equal to the databases. */
struct served_db *server_db_create(struct ovsdb_server *);
void server_db_update(struct ovsdb_server *);

/* session.c */
/* Makes a session: of an accepted stream, which is taken over, or with a remote that is connected to. */
struct session *session_create(struct remote *, struct stream *);
void session_destroy(struct session *);
/* Applies those options of its remote that can change on a living connection. */
void session_configure(struct session *);
void session_reply(struct session *, struct json *result, const struct json *id);       /* Takes 'result'. */
void session_reply_text(struct session *, const struct str *result, const struct json *id);
void session_reply_error(struct session *, struct json *error, const struct json *id);  /* Takes 'error'. */
void session_reply_dberr(struct session *, struct dberr *, const struct json *id);      /* Takes the error. */
void session_notify(struct session *, const char *method, struct json *params);         /* Takes 'params'. */
/* Ends what the session has begun, as its disconnection does. */
void session_clear(struct session *);
/* Disconnects when the current work is done. */
void session_doom(struct session *);
/* Reads requests, or not, as the session's state has it. */
void session_update_reading(struct session *);
/* Drops a client for which much is held and which does nothing; to be called now and then. */
void session_check_stall(struct session *);

/* transact.c */
void transact_run(struct session *, struct served_db *, struct json *params, const struct json *id);
/* The same for a request whose parameters are text; false, and nothing has happened, if that cannot be. */
bool transact_run_text(struct session *, const struct jsonrpc_msg *) MUST_CHECK;
bool transact_cancel(struct session *, const struct json *id);
/* Answers "canceled". */
void transact_cancel_all(struct served_db *);
void transact_clear(struct session *);
void transact_recheck(struct loop_task *);

/* forward.c: requests that the source of a relay answers. */
/* Whether the operations change a relay's database. */
bool forward_wants(const struct served_db *, const struct json *params);
/* 'method' is a literal. */
void forward_run(struct session *, struct served_db *, const char *method, struct json *params,
                 const struct json *id);
bool forward_cancel(struct session *, const struct json *id);
void forward_clear(struct session *);

/* replication.c */
void replication_init(struct ovsdb_server *);
void replication_uninit(struct ovsdb_server *);
/* Gives a database that was just opened the role that the server has. */
void replication_apply_to(struct served_db *);
/* Serves a relay; 'name' is "relay:DB:REMOTE". */
struct error *replication_open_relay(struct ovsdb_server *, const char *name) MUST_CHECK;
/* The same in parts; there must be no database of that name.  Takes over the settings' contents. */
void replication_add_relay(struct ovsdb_server *, const char *name, struct source_settings *);
void source_settings_init(struct source_settings *, const char *targets);
void source_settings_uninit(struct source_settings *);
/* Sets the model and where the database is copied from (null: nowhere; else the contents are taken over).  Returns
 * whether it became read-only or ceased to be. */
bool served_db_set_source(struct served_db *, enum db_model, struct source_settings *);
/* Whether the database is a copy that clients cannot change. */
bool served_db_is_backup(const struct served_db *);
/* Whether all databases are; then there are no locks either. */
bool server_is_backup(const struct ovsdb_server *);

/* lock.c.  Each returns null and sets '*result', or an error. */
struct dberr *lock_request(struct session *, const struct json *params, bool steal, struct json **result) MUST_CHECK;
struct dberr *lock_release(struct session *, const struct json *params, struct json **result) MUST_CHECK;
void lock_clear(struct session *);
bool lock_owned(const struct session *, const char *name);
void lock_list(const struct session *, struct str *held, struct str *waiting);

/* monitor.c */
enum monitor_version { MONITOR_V1, MONITOR_COND, MONITOR_COND_SINCE };
void monitor_create(struct session *, struct served_db *, enum monitor_version, const struct json *params,
                    const struct json *id);
void monitor_change_conditions(struct session *, const struct json *params, const struct json *id);
void monitor_cancel(struct session *, const struct json *params, const struct json *id);
void monitor_clear(struct session *);
/* Ends all monitors of a database; tells clients that know of that. */
void monitor_cancel_all(struct served_db *);
/* Sends a commit's changes, or keeps them for clients that lag. */
void monitor_commit(struct served_db *, struct change_set *);
/* Sends what was kept. */
void monitor_catch_up(struct session *);
/* Sends a snapshot that is complete to all who wait for it, and releases it. */
void monitor_finish_snapshot(struct snapshot *);

/* remote.c */
struct error *remote_check(const struct ovsdb_server *, const char *remote) MUST_CHECK;
void remote_reconfigure(struct ovsdb_server *);
void remote_forget_all(struct ovsdb_server *);
/* Marks a target as wanted with these options, whose role is taken over. */
void remote_want(struct ovsdb_server *, const char *target, struct remote_options *);
void remote_options_init(struct remote_options *);
/* A copy, with a role of its own; of the default options if 'from' is null. */
struct remote_options remote_options_clone(const struct remote_options *from);

/* remote_db.c: remotes of "db:DB,TABLE,COLUMN". */
struct error *remote_db_check(const struct ovsdb_server *, const char *remote) MUST_CHECK;
/* '*db' is null, or the database in which there is no such table or column; one that is not ready may yet get it. */
struct error *remote_db_parse(const struct ovsdb_server *, const char *remote, struct served_db **, struct table **,
                              const struct column **) MUST_CHECK;
/* 'defaults' are for what the columns do not say; null: the usual ones. */
void remote_db_want(struct ovsdb_server *, const char *remote, const struct remote_options *defaults);
void remote_db_update_status(struct ovsdb_server *);

/* config_file.c */
void config_file_uninit(struct ovsdb_server *);

/* commands.c */
void server_commands_register(struct ovsdb_server *);
void server_commands_unregister(void);

#endif
