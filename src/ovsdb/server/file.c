/* Served databases and their files: opening, the record of each commit, compaction. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/convert.h"
#include "ovsdb/server/dbs.h"
#include "ovsdb/store/store.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server_file)

enum { COMPACTION_CHECK_MS = 60 * 1000 };

static bool column_diff = true;

void
ovsdb_server_disable_column_diff(void)
{
    column_diff = false;
}

/* More is on the disk, or never will be. */
static void
on_progress(void *db)
{
    transact_written(db);
}

void
served_db_append(struct served_db *db, struct change_set *set)
{
    struct dberr *error;

    if (!db->store || set->is_undo) {
        return;
    }
    error = store_append(db->store, set, &db->ticket);
    if (error) {
        char *text = dberr_to_string(error);

        log_err("%s", text);
        free(text);
        db->unwritten = change_set_ref(set);
        db->write_error = error;
        db->ticket = UINT64_MAX;
    }
}

uint64_t
served_db_ticket(struct served_db *db, bool durable)
{
    if (!db->store) {
        return 0;
    }
    if (durable && db->ticket != UINT64_MAX) {
        store_sync(db->store, db->ticket);
    }
    return db->ticket;
}

bool
served_db_is_written(const struct served_db *db, uint64_t ticket, bool durable)
{
    return !durable || ticket == UINT64_MAX || store_is_synced(db->store, ticket);
}

struct dberr *
served_db_write_error(struct served_db *db, uint64_t ticket)
{
    struct dberr *error = db->write_error;

    if (ticket == UINT64_MAX && error) {
        /* The file does not have the commit, so nobody shall. */
        db_undo(db->db, &db->unwritten, 1);
        change_set_unref(db->unwritten);
        db->unwritten = NULL;
        db->write_error = NULL;
        return error;
    }
    return ticket && db->store ? store_sync_error(db->store) : NULL;
}

struct dberr *
served_db_compact(struct served_db *db)
{
    struct dberr *error = db->store ? store_compact(db->store, db->db, "compacting database online") : NULL;

    if (!error && db->server->trim) {
        malloc_trim(0);
    }
    return error;
}

struct dberr *
served_db_status(const struct served_db *db)
{
    return db->store ? store_sync_error(db->store) : NULL;
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
        error = store_compact(db->store, converted, "converted by ovsdb-server");
    }
    if (error) {
        if (converted) {
            db_destroy(converted);
        }
        return error;
    }
    served_db_replace(db, converted);
    server_db_update(db->server);
    server_disconnect_unaware(db->server);
    return NULL;
}

/* Once a minute: databases whose time has come. */
static void
on_compaction(struct loop_timer *t)
{
    struct ovsdb_server *server = t->aux;

    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;

        if (db->store && store_wants_compaction(db->store, clock_now_ms())) {
            struct dberr *error;

            log_info("compacting %s database by user request or size", db->name);
            error = served_db_compact(db);
            if (error) {
                char *text = dberr_to_string(error);

                log_warn("%s: compaction failed (%s)", db->name, text);
                free(text);
                dberr_free(error);
            }
        }
    }
    loop_timer_set(t, clock_now_ms() + COMPACTION_CHECK_MS);
}

void
server_file_start(struct ovsdb_server *server)
{
    loop_timer_init(server->loop, &server->compaction, on_compaction, server);
    loop_timer_set(&server->compaction, clock_now_ms() + COMPACTION_CHECK_MS);
}

void
server_file_stop(struct ovsdb_server *server)
{
    loop_timer_cancel(&server->compaction);
}

void
served_db_close_file(struct served_db *db)
{
    store_close(db->store);
    db->store = NULL;
    if (db->unwritten) {
        change_set_unref(db->unwritten);
        dberr_free(db->write_error);
    }
}

struct error *
ovsdb_server_open(struct ovsdb_server *server, const char *file)
{
    struct served_db *served;
    struct dberr *error;
    struct store *store;
    struct db *db;

    STRMAP_FOR_EACH (e, &server->dbs) {
        const struct served_db *other = e->value;

        if (other->file && !strcmp(other->file, file)) {
            return error_new("ovsdb error: %s: already open", file);
        }
    }
    error = store_open(server->loop, &store_io_system, file, column_diff, on_progress, NULL, &db, &store);
    if (error) {
        return dberr_to_error(error);
    }
    if (server_find_db(server, db->schema->name)) {
        struct error *twice = error_new("%s: duplicate database name", db->schema->name);

        store_close(store);
        db_destroy(db);
        return twice;
    }
    served = served_db_create(server, db->schema->name, db);
    served->file = xstrdup(file);
    served->store = store;
    store_set_progress(store, on_progress, served);
    server_db_update(server);
    loop_task_post(&server->reconfigure);
    return NULL;
}
