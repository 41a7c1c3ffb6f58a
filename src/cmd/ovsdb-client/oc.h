/* ovsdb-client(1): what its files share. */
#ifndef CMD_OVSDB_CLIENT_OC_H
#define CMD_OVSDB_CLIENT_OC_H 1

#include "cmd/table.h"
#include "jsonrpc/client.h"
#include "ovsdb/data/schema.h"

/* One run of the program. */
struct oc {
    struct jsonrpc_client *rpc; /* Connected; null for commands that connect themselves. */
    const char *server;         /* Its target, or those that may be meant before it is connected to. */
    char *own_server;           /* What 'server' points to, if it is to be released. */
    bool several;               /* A list of targets was given. */
    bool any_server;            /* Of a list: not the leader alone. */
    char *database;             /* Null for commands without one. */
    int argc;                   /* The arguments after these. */
    char **argv;
    struct table_style style;
    bool timestamp, force;
    int change_aware;           /* -1: as the command thinks best. */
};

/* Takes the target from the arguments, of which 'min_args' are others, or the default one. */
void oc_take_server(struct oc *, int min_args);
/* Connects or exits: of a list to the first server that is there, is connected to its cluster or source and, unless
 * 'any_server', leads it, which depends on the database (null: does not matter). */
void oc_connect(struct oc *, const char *database);
/* The same, with the database that the arguments name, or the default one. */
void oc_connect_to_database(struct oc *, int min_args);
/* Sends a request ('params' is taken) and returns the result; exits if the answer is an error. */
struct json *oc_call(struct oc *, const char *method, struct json *params) MUST_CHECK;
/* The same, returning the error of the answer instead of exiting ('*error', null if there is none). */
struct json *oc_try_call(struct oc *, const char *method, struct json *params, struct json **error) MUST_CHECK;
/* An array of one string. */
struct json *oc_params(const char *one) MUST_CHECK;
/* The names of the databases as a JSON array. */
struct json *oc_list_dbs(struct oc *) MUST_CHECK;
struct schema *oc_get_schema(struct oc *) MUST_CHECK;
/* Reads an argument or exits. */
struct json *oc_parse_json(const char *text) MUST_CHECK;
void oc_print_json(const struct oc *, const struct json *);
/* Exits with the error, whose text is to be released here; null returns. */
void oc_check(struct dberr *);

/* The commands, by file; those that learn their database from an argument connect themselves. */
void oc_list_databases(struct oc *); /* schema.c */
void oc_show_schema(struct oc *);
void oc_show_schema_version(struct oc *);
void oc_show_schema_cksum(struct oc *);
void oc_list_tables(struct oc *);
void oc_list_columns(struct oc *);
void oc_convert(struct oc *);
void oc_needs_conversion(struct oc *);
void oc_transact(struct oc *);       /* transact.c */
void oc_query(struct oc *);
void oc_lock(struct oc *);
void oc_steal(struct oc *);
void oc_unlock(struct oc *);
void oc_wait(struct oc *);           /* wait.c */
void oc_dump(struct oc *);           /* dump.c */
void oc_monitor(struct oc *);        /* monitor.c */
void oc_monitor_cond(struct oc *);
void oc_monitor_cond_since(struct oc *);
void oc_backup(struct oc *);         /* backup.c */
void oc_restore(struct oc *);

#endif
