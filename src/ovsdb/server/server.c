#include "ovsdb/server/dbs.h"
#include "ovsdb/server/server.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/memory.h"
#include "ovsdb/server/snapshot.h"
#include "sys/log.h"
#include "sys/random.h"

LOG_MODULE(ovsdb_server)

static void
add_if_any(struct memory_report *report, const char *name, uint64_t n)
{
    if (n) {
        memory_add(report, name, n);
    }
}

static void
report_memory(struct memory_report *report, void *server_)
{
    struct ovsdb_server *server = server_;

    STRMAP_FOR_EACH (e, &server->dbs) {
        const struct served_db *db = e->value;
        uint64_t cells = 0, atoms = 0;

        for (size_t i = 0; i < db->db->schema->n_tables; i++) {
            cells += db->db->tables[i].n_rows * db->db->schema->tables[i].n_columns;
            atoms += db->db->tables[i].n_atoms;
        }
        memory_add(report, "cells", cells);
        memory_add(report, "atoms", atoms);
        memory_add(report, "n-weak-refs", hmap_count(&db->db->weak_refs));
        add_if_any(report, "txn-history", db->history.n);
        add_if_any(report, "txn-history-atoms", db->history.n_atoms);
    }
    memory_add(report, "monitors", 0);
    LIST_FOR_EACH (s, struct session, node, &server->sessions) {
        memory_add(report, "sessions", 1);
        memory_add(report, "monitors", strmap_count(&s->monitors));
        add_if_any(report, "backlog", jsonrpc_session_backlog(s->rpc));
        add_if_any(report, "triggers", list_size(&s->pending) + list_size(&s->forwards));
    }
}

static void
reconfigure(struct loop_task *t)
{
    struct ovsdb_server *server = t->aux;

    remote_reconfigure(server);
    remote_db_update_status(server);
    if (server->changed) {
        server->changed(server->changed_aux);
    }
}

static void
update_status(struct loop_timer *t)
{
    struct ovsdb_server *server = t->aux;

    remote_db_update_status(server);
    LIST_FOR_EACH (s, struct session, node, &server->sessions) {
        session_check_stall(s);
    }
    loop_timer_set(t, clock_now_ms() + STATUS_MS);
}

struct ovsdb_server *
ovsdb_server_create(struct loop *loop)
{
    struct ovsdb_server *server = xzalloc(sizeof *server);

    server->loop = loop;
    strmap_init(&server->dbs);
    strmap_init(&server->locks);
    strmap_init(&server->configured);
    strmap_init(&server->remotes);
    list_init(&server->sessions);
    snapshots_init(server);
    replication_init(server);
    server->id = sys_uuid();
    loop_task_init(loop, &server->reconfigure, reconfigure, server);
    loop_timer_init(loop, &server->status, update_status, server);
    loop_timer_set(&server->status, clock_now_ms() + STATUS_MS);
    server->own = server_db_create(server);
    server_db_update(server);
    memory_register(report_memory, server);
    server_commands_register(server);
    return server;
}

void
ovsdb_server_destroy(struct ovsdb_server *server)
{
    server_commands_unregister();
    memory_unregister(report_memory, server);
    remote_forget_all(server);
    while (strmap_count(&server->dbs)) {
        struct strmap_entry **sorted = strmap_sorted(&server->dbs);

        served_db_destroy(sorted[0]->value);
        free(sorted);
    }
    loop_task_cancel(&server->reconfigure);
    loop_timer_cancel(&server->status);
    strmap_uninit(&server->dbs);
    strmap_uninit(&server->locks);
    config_file_uninit(server);
    strmap_uninit(&server->configured);
    strmap_uninit(&server->remotes);
    replication_uninit(server);
    snapshots_uninit(server);
    free(server);
}

struct error *
ovsdb_server_add_remote(struct ovsdb_server *server, const char *remote)
{
    struct error *error = remote_check(server, remote);

    if (!error) {
        strmap_put(&server->configured, remote, NULL);
        remote_reconfigure(server);
    }
    return error;
}

void
ovsdb_server_on_change(struct ovsdb_server *server, void (*changed)(void *), void *aux)
{
    server->changed = changed;
    server->changed_aux = aux;
}
