#include "ovsdb/server/config_file.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/members.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server)

/* A number of milliseconds, or the like; -1 if it is absent. */
static int
take_int(struct members *m, const char *name, int max)
{
    const struct json *json = members_take(m, name, M_INTEGER | M_OPTIONAL);

    if (json && (js_int_value(json) < 0 || js_int_value(json) > max)) {
        members_fail(m, "Member '%s' is not between 0 and %d.", name, max);
        return -1;
    }
    return json ? (int) js_int_value(json) : -1;
}

static bool
take_bool(struct members *m, const char *name)
{
    const struct json *json = members_take(m, name, M_BOOL | M_OPTIONAL);

    return json && js_bool_value(json);
}

static const char *
take_string(struct members *m, const char *name)
{
    const struct json *json = members_take(m, name, M_STRING | M_OPTIONAL);

    return json ? js_str_value(json) : NULL;
}

/* Remotes. */

static bool
is_remote_option(const char *name)
{
    static const char *const names[] = { "max-backoff", "inactivity-probe", "dscp", "read-only", "role" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* A copy without the members that nobody knows, of which the log tells. */
static struct json *
known_options(const char *target, const struct json *json)
{
    struct json *known = js_object();

    for (void *it = js_iter(json); it; it = js_iter_next(json, it)) {
        if (is_remote_option(js_iter_name(it))) {
            js_set_take(known, js_iter_name(it), js_ref(js_iter_value(it)));
        } else {
            log_warn("%s: unknown option '%s'", target, js_iter_name(it));
        }
    }
    return known;
}

static struct dberr *
parse_remote(const char *target, const struct json *json, struct remote_options *o)
{
    struct json *known;
    struct members m;
    const char *role;
    struct dberr *e;

    remote_options_init(o);
    if (js_is(json, JS_NULL)) {
        return NULL;
    } else if (!js_is(json, JS_OBJECT)) {
        return dberr_syntax(json, "options of remote %s are neither an object nor null", target);
    }
    known = known_options(target, json);
    members_init(&m, known, "options of remote %s", target);
    o->max_backoff = take_int(&m, "max-backoff", INT32_MAX);
    o->probe_interval = take_int(&m, "inactivity-probe", INT32_MAX);
    o->dscp = take_int(&m, "dscp", 63);
    o->read_only = take_bool(&m, "read-only");
    role = take_string(&m, "role");
    o->role = role ? xstrdup(role) : NULL;
    e = members_finish(&m);
    js_unref(known);
    return e;
}

static struct dberr *
parse_remotes(const struct json *json, struct config *config)
{
    struct dberr *e = NULL;

    for (void *it = js_iter(json); it && !e; it = js_iter_next(json, it)) {
        struct remote_options *o = xzalloc(sizeof *o);

        strmap_put(&config->remotes, js_iter_name(it), o);
        e = parse_remote(js_iter_name(it), js_iter_value(it), o);
    }
    return e;
}

/* Databases. */

static struct dberr *
parse_source(const char *db, const struct json *json, struct config_db *c)
{
    void *it = js_iter(json);
    const struct json *options;
    struct members m;

    if (js_object_len(json) != 1) {
        return dberr_syntax(json, "source of database %s is not one remote", db);
    }
    options = js_iter_value(it);
    source_settings_init(&c->source, js_iter_name(it));
    c->has_source = true;
    if (js_is(options, JS_NULL)) {
        return NULL;
    } else if (!js_is(options, JS_OBJECT)) {
        return dberr_syntax(options, "options of the source of database %s are neither an object nor null", db);
    }
    members_init(&m, options, "source of database %s", db);
    c->source.max_backoff = take_int(&m, "max-backoff", INT32_MAX);
    c->source.probe_interval = take_int(&m, "inactivity-probe", INT32_MAX);
    c->source.dscp = take_int(&m, "dscp", 63);
    return members_finish(&m);
}

static struct dberr *
parse_model(const char *db, const char *text, struct config_db *c)
{
    c->has_model = text != NULL;
    if (!text || !strcmp(text, "standalone")) {
        c->model = DB_STANDALONE;
    } else if (!strcmp(text, "active-backup")) {
        c->model = DB_ACTIVE_BACKUP;
    } else if (!strcmp(text, "relay")) {
        c->model = DB_RELAY;
    } else if (!strcmp(text, "clustered")) {
        c->is_clustered = true;
    } else {
        return dberr_syntax(NULL, "database %s: '%s' is not a valid service model", db, text);
    }
    return NULL;
}

static struct dberr *
parse_excluded(const char *db, const struct json *tables, struct config_db *c)
{
    for (size_t i = 0; i < js_array_len(tables); i++) {
        const struct json *table = js_at(tables, i);

        if (!js_is(table, JS_STRING)) {
            return dberr_syntax(table, "database %s: 'exclude-tables' is not an array of strings", db);
        }
        strmap_put(&c->source.left_out, js_str_value(table), NULL);
    }
    return NULL;
}

/* Whether the parts go together. */
static struct dberr *
check_parts(const char *db, const struct config_db *c, const struct json *backup, const struct json *excluded)
{
    const char *what = NULL;

    if (c->model != DB_ACTIVE_BACKUP && (backup || excluded)) {
        what = "'backup' and 'exclude-tables' are for the service model 'active-backup'";
    } else if (c->model == DB_STANDALONE && c->has_source) {
        what = "'source' is for the service models 'active-backup' and 'relay'";
    } else if (c->model == DB_RELAY && !c->has_source) {
        what = "a relay needs a 'source'";
    } else if (c->model == DB_ACTIVE_BACKUP && !backup) {
        what = "'backup' is missing";
    } else if (c->backup && !c->has_source) {
        what = "a backup needs a 'source'";
    }
    return what ? dberr_syntax(NULL, "database %s: %s", db, what) : NULL;
}

static struct dberr *
parse_db(const char *db, const struct json *json, struct config_db *c)
{
    const struct json *source, *backup, *excluded;
    const char *model;
    struct members m;
    struct dberr *e;

    if (js_is(json, JS_NULL)) {
        return NULL;
    } else if (!js_is(json, JS_OBJECT)) {
        return dberr_syntax(json, "options of database %s are neither an object nor null", db);
    }
    members_init(&m, json, "database %s", db);
    model = take_string(&m, "service-model");
    source = members_take(&m, "source", M_OBJECT | M_OPTIONAL);
    backup = members_take(&m, "backup", M_BOOL | M_OPTIONAL);
    excluded = members_take(&m, "exclude-tables", M_ARRAY | M_OPTIONAL);
    e = members_finish(&m);
    e = e ? e : parse_model(db, model, c);
    e = e || !source ? e : parse_source(db, source, c);
    c->backup = backup && js_bool_value(backup);
    e = e ? e : check_parts(db, c, backup, excluded);
    return e || !excluded || !c->has_source ? e : parse_excluded(db, excluded, c);
}

static void
config_db_free(struct config_db *c)
{
    if (c->has_source) {
        source_settings_uninit(&c->source);
    }
    free(c);
}

static struct dberr *
parse_dbs(const struct json *json, struct config *config)
{
    struct dberr *e = NULL;

    for (void *it = js_iter(json); it && !e; it = js_iter_next(json, it)) {
        struct config_db *c = xzalloc(sizeof *c), *same;
        char *key;

        e = parse_db(js_iter_name(it), js_iter_value(it), c);
        key = c->model == DB_RELAY ? xstrdup(js_iter_name(it)) : dirs_resolve(dirs_db(), js_iter_name(it));
        same = strmap_put(&config->dbs, key, c);
        if (same) { /* Two names of one file. */
            strmap_put(&config->dbs, key, same);
            config_db_free(c);
            e = e ? e : dberr_syntax(NULL, "database %s is there twice", key);
        }
        free(key);
    }
    return e;
}

void
config_uninit(struct config *config)
{
    STRMAP_FOR_EACH (e, &config->remotes) {
        struct remote_options *o = e->value;

        free(o->role);
    }
    STRMAP_FOR_EACH (e, &config->dbs) {
        config_db_free(e->value);
    }
    strmap_uninit_free(&config->remotes);
    strmap_uninit(&config->dbs);
}

struct error *
config_parse_json(const struct json *json, struct config *config)
{
    const struct json *remotes, *dbs;
    struct members m;
    struct dberr *e;

    strmap_init(&config->remotes);
    strmap_init(&config->dbs);
    if (!js_is(json, JS_OBJECT)) {
        e = dberr_syntax(NULL, "the configuration is not a JSON object");
    } else {
        members_init(&m, json, "configuration");
        remotes = members_take(&m, "remotes", M_OBJECT | M_NULL);
        dbs = members_take(&m, "databases", M_OBJECT | M_NULL);
        e = members_finish(&m);
        e = e || !js_is(dbs, JS_OBJECT) ? e : parse_dbs(dbs, config);
        e = e || !js_is(remotes, JS_OBJECT) ? e : parse_remotes(remotes, config);
    }
    if (e) {
        config_uninit(config);
    }
    return dberr_to_error(e);
}

struct error *
config_parse(const char *file, struct config *config)
{
    struct json *json;
    struct error *error = js_parse_file(file, &json);

    if (!error) {
        error = config_parse_json(json, config);
        js_unref(json);
    }
    return error_wrap(error, "%s", file);
}
