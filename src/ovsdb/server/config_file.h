/* The configuration file of --config-file: one JSON object that says which databases are served, of which service
 * model, and from which remotes.
 *
 *   { "remotes": { REMOTE: { "max-backoff", "inactivity-probe", "dscp", "read-only", "role" } | null, ... } | null,
 *     "databases": { FILE-OR-NAME: { "service-model", "backup", "source": { REMOTE: { "max-backoff",
 *                    "inactivity-probe", "dscp" } | null }, "exclude-tables": [ ... ] } | null, ... } | null }
 *
 * Relative files are in the database directory.  An unknown option of a remote is only logged; anything else that is
 * not as above makes the whole file be refused.
 *
 * config_parse() reads all of it into a 'struct config' without any effect; config_apply() then changes what differs,
 * so a file that is wrong changes nothing and what stays as it was is not disturbed.
 *
 * Threads: the main thread. */
#ifndef OVSDB_SERVER_CONFIG_FILE_H
#define OVSDB_SERVER_CONFIG_FILE_H 1

#include "ovsdb/server/internal.h"

struct config_db {
    bool has_model;                /* Else the file tells. */
    bool is_clustered;
    enum db_model model;
    bool backup;
    bool has_source;
    struct source_settings source; /* If 'has_source'. */
};

struct config {
    struct strmap remotes;         /* Target to struct remote_options. */
    struct strmap dbs;             /* Absolute file, or name of a relay, to struct config_db. */
};

/* Reads the file; 'config' is to be released with config_uninit() unless there is an error. */
struct error *config_parse(const char *file, struct config *config) MUST_CHECK;
struct error *config_parse_json(const struct json *, struct config *) MUST_CHECK;
void config_uninit(struct config *);

#endif
