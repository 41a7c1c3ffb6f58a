/* What the files of ovsdb-client share: the connection, the database, the style of output. */
#ifndef CMD_OVSDB_CLIENT_CLIENT_H
#define CMD_OVSDB_CLIENT_CLIENT_H 1

#include "cmd/table.h"
#include "jsonrpc/client.h"
#include "ovsdb/data/schema.h"
#include "sys/cmdline.h"

struct client {
    struct jsonrpc_client *rpc;
    const char *server;     /* The target. */
    char *default_server;   /* Owned; null if the target was given. */
    const char *database;   /* Name; null for commands that need none. */
    int argc;               /* Arguments after server and database. */
    char **argv;
};

extern struct table_style style;
extern bool opt_timestamp, opt_force;

/* Calls and returns the result; an error ends the program with a message.  'params' is taken. */
struct json *client_call(struct client *, const char *method, struct json *params) MUST_CHECK;

/* The schema of the database. */
struct schema *client_fetch_schema(struct client *) MUST_CHECK;
struct json *client_fetch_schema_json(struct client *) MUST_CHECK;

/* The table called 'name', or the end of the program. */
const struct table_schema *client_find_table(const struct schema *, const char *name);

/* Fills a cell with the value of 'column' in the row object 'row' (an empty cell where it is absent). */
void client_put_cell(struct table *, const struct json *row, const struct column *);

/* Commands in other files. */
void cmd_monitor(struct client *);
void cmd_monitor_cond(struct client *);
void cmd_monitor_cond_since(struct client *);
void cmd_backup(struct client *);
void cmd_restore(struct client *);

#endif
