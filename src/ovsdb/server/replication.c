/* Which databases are copied from other servers: active-backup pairs (--sync-from and its commands) and relays. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ovsdb/server/commands.h"
#include "ovsdb/server/dbs.h"
#include "ovsdb/server/source.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_replication)

static bool
same_keys(const struct strmap *a, const struct strmap *b)
{
    if (strmap_count(a) != strmap_count(b)) {
        return false;
    }
    STRMAP_FOR_EACH (e, a) {
        if (!strmap_find(b, e->key)) {
            return false;
        }
    }
    return true;
}

static bool
same_source(const struct source_settings *a, const struct source_settings *b)
{
    return !strcmp(a->targets, b->targets) && a->max_backoff == b->max_backoff && a->dscp == b->dscp
           && same_keys(&a->left_out, &b->left_out);
}

void
source_settings_init(struct source_settings *s, const char *targets)
{
    *s = (struct source_settings) { .targets = xstrdup(targets), .probe_interval = -1, .max_backoff = -1, .dscp = -1 };
    strmap_init(&s->left_out);
}

bool
served_db_set_source(struct served_db *db, enum db_model model, struct source_settings *settings)
{
    bool was_backup = served_db_is_backup(db);

    if (db->source && settings && db->model == model && same_source(&db->source->settings, settings)) {
        source_set_probe_interval(db->source, settings->probe_interval);
        source_settings_uninit(settings);
        return false;
    }
    source_destroy(db->source);
    db->model = model;
    db->source = settings ? source_create(db, settings) : NULL;
    return was_backup != served_db_is_backup(db);
}

bool
served_db_is_backup(const struct served_db *db)
{
    return db->model == DB_ACTIVE_BACKUP && db->source;
}

bool
server_is_backup(const struct ovsdb_server *server)
{
    bool any = false;

    STRMAP_FOR_EACH (e, &server->dbs) {
        const struct served_db *db = e->value;

        if (db != server->own) {
            if (!served_db_is_backup(db)) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

/* --sync-from and its like: one source for all databases in files. */

static void
add_left_out(struct source_settings *s, const struct ovsdb_server *server, const char *db_name)
{
    size_t len = strlen(db_name);

    STRMAP_FOR_EACH (e, &server->sync.excluded) {
        if (!strncmp(e->key, db_name, len) && e->key[len] == ':') {
            strmap_put(&s->left_out, e->key + len + 1, NULL);
        }
    }
}

/* Gives a database in a file the role that the server has; returns whether that is another one than before. */
static bool
apply_to_db(struct ovsdb_server *server, struct served_db *db)
{
    struct source_settings settings;

    if (db == server->own || db->model == DB_RELAY || server->config_file) {
        return false;
    }
    if (!server->sync.from || !server->sync.is_backup) {
        return served_db_set_source(db, server->sync.from ? DB_ACTIVE_BACKUP : DB_STANDALONE, NULL);
    }
    source_settings_init(&settings, server->sync.from);
    settings.probe_interval = server->sync.backup_probe;
    add_left_out(&settings, server, db->name);
    return served_db_set_source(db, DB_ACTIVE_BACKUP, &settings);
}

void
replication_apply_to(struct served_db *db)
{
    (void) !apply_to_db(db->server, db);
}

static void
apply(struct ovsdb_server *server)
{
    bool changed = false;

    STRMAP_FOR_EACH (e, &server->dbs) {
        changed |= apply_to_db(server, e->value);
    }
    if (changed) {
        server_disconnect_unaware(server);
    }
}

/* Copies everything again, as after a change of what to copy. */
static void
apply_anew(struct ovsdb_server *server)
{
    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;

        if (served_db_is_backup(db) && !server->config_file) {
            source_destroy(db->source);
            db->source = NULL;
        }
    }
    apply(server);
    server_disconnect_unaware(server);
}

/* Reads "DB:TABLE[,DB:TABLE]...". */
static struct error *
parse_excluded(const char *text, struct strmap *excluded)
{
    char *copy = xstrdup(text), *save = NULL;
    struct error *error = NULL;

    strmap_init(excluded);
    for (char *word = strtok_r(copy, ", ", &save); word && !error; word = strtok_r(NULL, ", ", &save)) {
        const char *colon = strchr(word, ':');

        if (!colon || colon == word || !colon[1]) {
            error = error_new("\"%s\" is not DB:TABLE", word);
        } else {
            strmap_put(excluded, word, NULL);
        }
    }
    free(copy);
    if (error) {
        strmap_uninit(excluded);
    }
    return error;
}

static struct error *
set_excluded(struct ovsdb_server *server, const char *text)
{
    struct strmap excluded;
    struct error *error = parse_excluded(text, &excluded);

    if (!error) {
        strmap_uninit(&server->sync.excluded);
        strmap_init(&server->sync.excluded);
        STRMAP_FOR_EACH (e, &excluded) {
            strmap_put(&server->sync.excluded, e->key, NULL);
        }
        strmap_uninit(&excluded);
    }
    return error;
}

struct error *
ovsdb_server_set_sync(struct ovsdb_server *server, const char *from, const char *excluded, bool active)
{
    struct error *error = excluded ? set_excluded(server, excluded) : NULL;

    if (error) {
        return error_wrap(error, "--sync-exclude-tables");
    }
    free(server->sync.from);
    server->sync.from = from ? xstrdup(from) : NULL;
    server->sync.is_backup = from && !active;
    apply(server);
    return NULL;
}

void
replication_init(struct ovsdb_server *server)
{
    server->sync = (struct sync) { .backup_probe = -1, .relay_probe = -1 };
    strmap_init(&server->sync.excluded);
}

void
replication_uninit(struct ovsdb_server *server)
{
    free(server->sync.from);
    strmap_uninit(&server->sync.excluded);
}

/* Relays. */

struct error *
replication_open_relay(struct ovsdb_server *server, const char *name)
{
    struct source_settings settings;
    const char *db_name = name + strlen("relay:"), *colon = strchr(db_name, ':');
    struct error *error;
    char *copy;

    if (!colon || colon == db_name || !colon[1]) {
        return error_new("ovsdb error: %s: invalid syntax", name);
    }
    copy = xstrndup(db_name, colon - db_name);
    error = server_check_new_name(server, copy);
    if (!error) {
        source_settings_init(&settings, colon + 1);
        settings.probe_interval = server->sync.relay_probe;
        replication_add_relay(server, copy, &settings);
    }
    free(copy);
    return error;
}

void
replication_add_relay(struct ovsdb_server *server, const char *name, struct source_settings *settings)
{
    struct schema *empty;
    struct json *json = js_object();
    struct served_db *db;
    struct dberr *e;

    js_set_take(json, "name", js_str(name));
    js_set_take(json, "tables", js_object());
    e = schema_from_json(&empty, json);
    js_unref(json);
    if (e) {
        char *text = dberr_to_string(e);

        log_err("relay of \"%s\": %s", name, text); /* A name that is none. */
        free(text);
        dberr_free(e);
        source_settings_uninit(settings);
        return;
    }
    db = served_db_create(server, name, db_create(empty));
    schema_unref(empty);
    db->connected = db->ready = false;
    (void) !served_db_set_source(db, DB_RELAY, settings);
    server_db_update(server);
}

/* Commands. */

static void
put_excluded(struct str *s, const struct served_db *db)
{
    const struct strmap *left_out = &db->source->settings.left_out;
    struct strmap_entry **sorted = strmap_sorted(left_out);

    for (size_t i = 0; i < strmap_count(left_out); i++) {
        str_putf(s, "%s%s:%s", i ? "," : "exclude: ", db->name, sorted[i]->key);
    }
    if (strmap_count(left_out)) {
        str_puts(s, "\n");
    }
    free(sorted);
}

static void
put_status(struct str *s, const struct served_db *db)
{
    const struct source *source = db->source;

    str_putf(s, "database: %s\nstate: %s\n", db->name, source ? "backup" : "active");
    if (!source) {
        return;
    } else if (source->state == SOURCE_FOLLOWING) {
        str_putf(s, "replicating: %s\n", source->settings.targets);
        put_excluded(s, db);
    } else if (source->error) {
        str_putf(s, "Replication to (%s) failed\n", source->settings.targets);
    } else if (source->state == SOURCE_CONNECTING && source->was_following) {
        str_putf(s, "not connected to %s\n", source->settings.targets);
    } else {
        str_putf(s, "connecting: %s\n", source->settings.targets);
    }
}

void
command_sync_status(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    const struct ovsdb_server *server = server_;
    struct strmap_entry **sorted = strmap_sorted(&server->dbs);
    size_t n = strmap_count(&server->dbs);
    struct str s = STR_INIT;

    for (size_t i = 0; i < n; i++) {
        const struct served_db *db = sorted[i]->value;

        if (db->model == DB_ACTIVE_BACKUP) {
            put_status(&s, db);
            str_puts(&s, i + 1 < n ? "\n" : "");
        }
    }
    ctl_reply(r, s.len ? str_text(&s) : "state: active\n");
    str_uninit(&s);
    free(sorted);
}

void
command_get_active(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    const struct ovsdb_server *server = server_;

    ctl_reply(r, server->sync.from);
}

void
command_set_active(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;

    free(server->sync.from);
    server->sync.from = xstrdup(argv[1]);
    ctl_reply(r, NULL); /* A backup goes over to it with the next connect-active-ovsdb-server. */
}

void
command_connect_active(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;

    if (!server->sync.from) {
        ctl_reply(r, "Unable to connect: active server is not specified.\n");
        return;
    }
    server->sync.is_backup = true;
    apply_anew(server);
    ctl_reply(r, NULL);
}

void
command_disconnect_active(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;

    server->sync.is_backup = false;
    apply(server);
    ctl_reply(r, NULL);
}

/* Sets the probe interval of all copies of a model. */
static void
set_probe(struct ctl_request *r, struct ovsdb_server *server, enum db_model model, int *setting, const char *text)
{
    int ms;

    if (!num_parse_int(text, 10, &ms)) {
        ctl_reply(r, "Invalid probe interval, integer value expected");
        return;
    }
    *setting = MAX(ms, 0);
    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;

        if (db->model == model && db->source) {
            source_set_probe_interval(db->source, *setting);
        }
    }
    ctl_reply(r, NULL);
}

void
command_set_active_probe(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;

    set_probe(r, server, DB_ACTIVE_BACKUP, &server->sync.backup_probe, argv[1]);
}

void
command_set_relay_probe(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;

    set_probe(r, server, DB_RELAY, &server->sync.relay_probe, argv[1]);
}

void
command_get_excluded(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    const struct ovsdb_server *server = server_;
    struct strmap_entry **sorted = strmap_sorted(&server->sync.excluded);
    struct str s = STR_INIT;

    for (size_t i = 0; i < strmap_count(&server->sync.excluded); i++) {
        str_putf(&s, "%s%s", i ? "," : "", sorted[i]->key);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
    free(sorted);
}

void
command_set_excluded(struct ctl_request *r, int argc, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;
    struct error *error = set_excluded(server, argc > 1 ? argv[1] : "");

    if (!error && server->sync.is_backup) {
        apply_anew(server);
    }
    ctl_reply_take_error(r, error);
}
