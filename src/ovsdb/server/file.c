/* Served databases and their files: opening, compaction, conversion. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ovsdb/engine/convert.h"
#include "ovsdb/server/dbs.h"
#include "ovsdb/store/store.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server_file)

static void
enable_column_diff(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;

    server->no_column_diff = false;
    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;

        if (db->store) {
            store_set_diff(db->store, true);
        }
    }
    ctl_reply(r, NULL);
}

void
ovsdb_server_disable_column_diff(struct ovsdb_server *server)
{
    server->no_column_diff = true;
    ctl_register("ovsdb/file/column-diff-enable", "", 0, 0, enable_column_diff, server);
}

static void
enable_no_data_conversion(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server UNUSED)
{
    ctl_reply(r, NULL);
}

void
ovsdb_server_disable_no_data_conversion(struct ovsdb_server *server)
{
    ctl_register("ovsdb/file/no-data-conversion-enable", "", 0, 0, enable_no_data_conversion, server);
}

void
served_db_flush(struct served_db *db)
{
    /* Those who wait get the error, and it is in the log. */
    dberr_free(db->store ? store_flush(db->store) : NULL);
}

bool
served_db_compact(struct served_db *db, void (*cb)(void *aux, const struct dberr *), void *aux)
{
    if (!db->store) {
        cb(aux, NULL);
        return true;
    }
    return store_compact_beside(db->store, cb, aux);
}

static void
trim(void *db_)
{
    const struct served_db *db = db_;

    if (db->server->trim) {
        malloc_trim(0);
    }
}

struct dberr *
served_db_status(const struct served_db *db)
{
    return db->store ? store_status(db->store) : NULL;
}

struct dberr *
served_db_convert(struct served_db *db, const struct json *json)
{
    struct schema *schema;
    struct dberr *error = schema_from_json(&schema, json);
    struct db *converted = NULL;

    if (error) {
        return error;
    }
    if (strcmp(schema->name, db->name)) {
        error = dberr_new("invalid parameters", "new schema name (%s) does not match database name (%s)", schema->name,
                          db->name);
    } else {
        error = db_convert(db->db, schema, &converted);
    }
    schema_unref(schema);
    if (!error && db->store) {
        error = store_convert(db->store, converted, "converted by ovsdb-server");
    }
    if (error) {
        db_destroy(converted);
        return error;
    }
    served_db_replace(db, converted);
    server_db_update(db->server);
    server_disconnect_unaware(db->server);
    return NULL;
}

void
served_db_close(struct served_db *db)
{
    struct dberr *error;

    if (!db->store) {
        db_destroy(db->db);
        return;
    }
    error = store_close(db->store);
    if (error) {
        char *text = dberr_to_string(error);

        log_err("%s", text);
        free(text);
        dberr_free(error);
    }
}

struct error *
ovsdb_server_open(struct ovsdb_server *server, const char *file)
{
    struct error *unfit;
    struct served_db *served;
    struct dberr *error;
    struct store *store;
    struct db *db;

    if (!strncmp(file, "relay:", strlen("relay:"))) {
        return replication_open_relay(server, file);
    }
    STRMAP_FOR_EACH (e, &server->dbs) {
        const struct served_db *other = e->value;

        if (other->file && !strcmp(other->file, file)) {
            return error_new("ovsdb error: %s: already open", file);
        }
    }
    error = store_open(file, STORE_RECOVER | (server->no_column_diff ? STORE_NO_DIFF : 0), &store);
    if (error) {
        return dberr_to_error(error);
    }
    db = store_db(store);
    unfit = server_check_new_name(server, db->schema->name);
    if (unfit) {
        dberr_free(store_close(store)); /* Nothing was written. */
        return unfit;
    }
    served = served_db_create(server, db->schema->name, db);
    served->file = xstrdup(file);
    served->store = store;
    store_start(store, server->loop, trim, served);
    replication_apply_to(served);
    server_db_update(server);
    loop_task_post(&server->reconfigure);
    return NULL;
}
