#include "ovsdb/server/config_file.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/commands.h"
#include "ovsdb/server/dbs.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server)

/* What a served database is called in the file. */
static const char *
key_of(const struct served_db *db)
{
    return db->model == DB_RELAY ? db->name : db->file;
}

/* The entry of a served database; null if it has none that it could become. */
static struct config_db *
config_of(const struct config *config, const struct served_db *db)
{
    struct config_db *c = strmap_get(&config->dbs, key_of(db));

    return c && (c->model == DB_RELAY) == (db->model == DB_RELAY) ? c : NULL;
}

static struct served_db *
find_by_key(const struct ovsdb_server *server, const char *key)
{
    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;

        if (db != server->own && !strcmp(key_of(db), key)) {
            return db;
        }
    }
    return NULL;
}

static void
remove_dbs(struct ovsdb_server *server, const struct config *config)
{
    struct strmap_entry **sorted = strmap_sorted(&server->dbs);
    size_t n = strmap_count(&server->dbs);

    for (size_t i = 0; i < n; i++) {
        struct served_db *db = sorted[i]->value;

        if (db != server->own && !config_of(config, db)) {
            log_info("%s: database is not in the configuration any more", db->name);
            server_remove_db(db);
        }
    }
    free(sorted);
}

static struct source_settings *
clone_source(const struct source_settings *from, struct source_settings *to)
{
    source_settings_init(to, from->targets);
    to->probe_interval = from->probe_interval;
    to->max_backoff = from->max_backoff;
    to->dscp = from->dscp;
    STRMAP_FOR_EACH (e, &from->left_out) {
        strmap_put(&to->left_out, e->key, NULL);
    }
    return to;
}

/* Serves a database that is new; sets '*db', or returns why it cannot. */
static struct error *
add_db(struct ovsdb_server *server, const char *key, const struct config_db *c, struct served_db **db)
{
    struct source_settings settings;
    struct error *error = NULL;

    *db = NULL;
    if (c->is_clustered) {
        return error_new("%s: clustered databases are not supported yet", key);
    } else if (c->model != DB_RELAY) {
        error = ovsdb_server_open(server, key);
    } else {
        error = server_check_new_name(server, key);
        if (!error) {
            replication_add_relay(server, key, clone_source(&c->source, &settings));
        }
    }
    *db = error ? NULL : find_by_key(server, key);
    return error;
}

/* Returns how many could not be served; each is logged. */
static size_t
apply_dbs(struct ovsdb_server *server, const struct config *config)
{
    struct strmap_entry **sorted = strmap_sorted(&config->dbs);
    size_t n = strmap_count(&config->dbs), n_failed = 0;
    bool changed = false;

    for (size_t i = 0; i < n; i++) {
        const struct config_db *c = sorted[i]->value;
        struct served_db *db = find_by_key(server, sorted[i]->key);
        struct error *error = db ? NULL : add_db(server, sorted[i]->key, c, &db);
        struct source_settings settings;

        if (error || !db) {
            log_err("%s", error ? error_text(error) : "a database of no name");
            n_failed++;
        } else if (c->is_clustered) {
            log_err("%s: database is standalone, not clustered", db->name);
            server_remove_db(db);
            n_failed++;
        } else {
            bool copies = c->model == DB_RELAY || c->backup;

            changed |= served_db_set_source(db, c->model, copies ? clone_source(&c->source, &settings) : NULL);
        }
        error_free(error);
    }
    free(sorted);
    if (changed) {
        server_disconnect_unaware(server);
    }
    return n_failed;
}

static void
forget_remotes(struct ovsdb_server *server)
{
    STRMAP_FOR_EACH (e, &server->configured) {
        struct remote_options *o = e->value;

        if (o) {
            free(o->role);
            free(o);
        }
    }
    strmap_uninit(&server->configured);
    strmap_init(&server->configured);
}

static size_t
apply_remotes(struct ovsdb_server *server, const struct config *config)
{
    size_t n_failed = 0;

    forget_remotes(server);
    STRMAP_FOR_EACH (e, &config->remotes) {
        struct remote_options *o = xmalloc(sizeof *o);
        struct error *error = remote_check(server, e->key);

        *o = remote_options_clone(e->value);
        strmap_put(&server->configured, e->key, o);
        if (error) { /* A database may bring it later. */
            log_err("%s", error_text(error));
            error_free(error);
            n_failed++;
        }
    }
    remote_reconfigure(server);
    return n_failed;
}

/* Reads the file and does what it says; the log tells what went wrong. */
static bool
load(struct ovsdb_server *server)
{
    struct config config;
    struct error *error = config_parse(server->config_file, &config);
    size_t n_failed;

    if (error) {
        log_err("%s", error_text(error));
        error_free(error);
        return false;
    }
    remove_dbs(server, &config);
    n_failed = apply_dbs(server, &config);
    n_failed += apply_remotes(server, &config);
    config_uninit(&config);
    return !n_failed;
}

bool
ovsdb_server_configure(struct ovsdb_server *server, const char *file)
{
    server->config_file = dirs_resolve(dirs_db(), file);
    return load(server);
}

void
config_file_uninit(struct ovsdb_server *server)
{
    forget_remotes(server);
    free(server->config_file);
}

void
command_reload(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;

    if (!server->config_file) {
        ctl_reply_error(r, "Configuration file was not specified on command line");
    } else if (!load(server)) {
        ctl_reply_error(r, "Configuration failed.  See the log file for details.");
    } else {
        ctl_reply(r, NULL);
    }
}
