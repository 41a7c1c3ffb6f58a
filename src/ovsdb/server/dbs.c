#include "ovsdb/server/dbs.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/convert.h"
#include "ovsdb/server/monitor_spec.h"
#include "ovsdb/server/source.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server)

/* tlog-set: the changes of some tables go to the log. */
static void
log_changes(const struct served_db *db, const struct change_set *set)
{
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        char uuid[UUID_LEN + 1];

        if (strmap_find(&db->logged, c->table->schema->name)) {
            uuid_format(&c->uuid, uuid);
            log_info("%s: %s row %s of table %s", db->name, !c->old ? "inserted" : c->new ? "modified" : "deleted",
                     uuid,
                     c->table->schema->name);
        }
    }
}

/* Whether remotes or options of the server may be others after the commit. */
static bool
configures(const struct served_db *db, const struct change_set *set)
{
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        if (db->configures[c->table->schema->index]) {
            return true;
        }
    }
    return false;
}

static void
on_commit(struct db_listener *l, struct change_set *set)
{
    struct served_db *db = CONTAINER_OF(l, struct served_db, listener);

    if (!uuid_is_zero(&db->last_txn)) {
        history_add(&db->history, db->db, &db->last_txn, set);
    }
    monitor_commit(db, set);
    if (strmap_count(&db->logged)) {
        log_changes(db, set);
    }
    if (!list_is_empty(&db->waiting)) {
        loop_task_post(&db->recheck);
    }
    if (set->is_undo && db->source) {
        source_resync(db->source);
    }
    if (configures(db, set)) {
        loop_task_post(&db->server->reconfigure);
    }
}

/* Which tables configure the server shows when it reads its configuration next. */
static void
set_data(struct served_db *db, struct db *data)
{
    db->db = data;
    free(db->configures);
    db->configures = xcalloc(data->schema->n_tables, sizeof *db->configures);
    db_add_listener(data, &db->listener, on_commit);
    loop_task_post(&db->server->reconfigure);
}

struct served_db *
served_db_create(struct ovsdb_server *server, const char *name, struct db *data)
{
    struct served_db *db = xzalloc(sizeof *db);

    db->server = server;
    db->name = xstrdup(name);
    db->ready = db->connected = true;
    list_init(&db->waiting);
    list_init(&db->writing);
    hmap_init(&db->specs);
    history_init(&db->history);
    strmap_init(&db->logged);
    loop_task_init(server->loop, &db->recheck, transact_recheck, db);
    set_data(db, data);
    strmap_put(&server->dbs, name, db);
    return db;
}

void
served_db_set_txn(struct served_db *db, const struct uuid *id)
{
    db->last_txn = *id;
    if (uuid_is_zero(id)) {
        history_clear(&db->history);
    }
}

void
served_db_end_txn(struct served_db *db)
{
    if (!uuid_is_zero(&db->last_txn) && !history_ends_with(&db->history, &db->last_txn)) {
        history_add(&db->history, db->db, &db->last_txn, NULL);
    }
}

/* Ends what clients have begun with the database. */
static void
cut_off(struct served_db *db)
{
    static const struct uuid none;

    served_db_set_txn(db, &none);
    monitor_cancel_all(db);
    transact_cancel_all(db);
}

void
served_db_destroy(struct served_db *db)
{
    source_destroy(db->source);
    served_db_flush(db);
    cut_off(db);
    strmap_remove(&db->server->dbs, db->name);
    loop_task_cancel(&db->recheck);
    db_remove_listener(&db->listener);
    served_db_close(db);
    hmap_uninit(&db->specs);
    strmap_uninit(&db->logged);
    free(db->configures);
    free(db->file);
    free(db->name);
    free(db);
}

void
served_db_replace(struct served_db *db, struct db *with)
{
    cut_off(db);
    db_remove_listener(&db->listener);
    db_destroy(db->db);
    set_data(db, with);
}

struct served_db *
server_find_db(const struct ovsdb_server *server, const char *name)
{
    return strmap_get(&server->dbs, name);
}

struct error *
server_check_new_name(const struct ovsdb_server *server, const char *name)
{
    if (name[0] == '_') {
        return error_new("ovsdb error: %s: names beginning with \"_\" are reserved", name);
    }
    return server_find_db(server, name) ? error_new("ovsdb error: %s: duplicate database name", name) : NULL;
}

/* Clients that do not follow _Server must connect again to learn what there is. */
void
server_disconnect_unaware(struct ovsdb_server *server)
{
    LIST_FOR_EACH (s, struct session, node, &server->sessions) {
        if (!s->change_aware) {
            session_doom(s);
        }
    }
}

void
server_remove_db(struct served_db *db)
{
    struct ovsdb_server *server = db->server;

    served_db_destroy(db);
    server_db_update(server);
    server_disconnect_unaware(server);
    loop_task_post(&server->reconfigure);
}
