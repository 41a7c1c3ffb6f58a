#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ovsdb/server/commands.h"
#include "ovsdb/server/internal.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server)

/* ovs-appctl's commands for the database server, ovsdb-server(1). */

static void
list_dbs(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;
    struct strmap_entry **sorted = strmap_sorted(&server->dbs);
    struct str s = STR_INIT;

    for (size_t i = 0; i < strmap_count(&server->dbs); i++) {
        str_putf(&s, "%s\n", sorted[i]->key);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
    free(sorted);
}

static void
add_db(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server)
{
    ctl_reply_take_error(r, ovsdb_server_open(server, argv[1]));
}

static void
remove_db(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;
    struct served_db *db = server_find_db(server, argv[1]);

    if (!db) {
        ctl_reply_error(r, "Failed to find the database.");
    } else if (db == server->own) {
        ctl_reply_error(r, "Cannot remove reserved database.");
    } else {
        server_remove_db(db);
        ctl_reply(r, NULL);
    }
}

static void
add_remote(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server)
{
    if (!strncmp(argv[1], "pfd:", 4)) {
        ctl_reply_error(r, "pfd: remotes can only be specified on the command line");
    } else {
        ctl_reply_take_error(r, ovsdb_server_add_remote(server, argv[1]));
    }
}

static void
remove_remote(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;

    if (!strmap_find(&server->configured, argv[1])) {
        ctl_reply_error(r, "no such remote");
    } else {
        strmap_remove(&server->configured, argv[1]);
        loop_task_post(&server->reconfigure);
        ctl_reply(r, NULL);
    }
}

static void
list_remotes(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;
    struct strmap_entry **sorted = strmap_sorted(&server->configured);
    struct str s = STR_INIT;

    for (size_t i = 0; i < strmap_count(&server->configured); i++) {
        str_putf(&s, "%s\n", sorted[i]->key);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
    free(sorted);
}

static void
reconnect(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;

    LIST_FOR_EACH (s, struct session, node, &server->sessions) {
        session_doom(s);
    }
    ctl_reply(r, NULL);
}

/* A request to compact, while files are being written. */
struct compaction {
    struct ctl_request *request;
    struct ovsdb_server *server;
    size_t n;          /* Databases under way, and one while they are begun. */
    struct str errors;
};

static void
compaction_done(struct compaction *c)
{
    if (--c->n) {
        return;
    }
    if (c->server->trim) {
        malloc_trim(0);
    }
    if (c->errors.len) {
        ctl_reply_error(c->request, "%s", c->errors.text);
    } else {
        ctl_reply(c->request, NULL);
    }
    str_uninit(&c->errors);
    free(c);
}

static void
on_compacted(void *c_, const struct dberr *error)
{
    struct compaction *c = c_;

    if (error) {
        char *text = dberr_to_string(error);

        str_putf(&c->errors, "%s\n", text);
        free(text);
    }
    compaction_done(c);
}

static void
compact_db(struct compaction *c, struct served_db *db)
{
    log_info("compacting %s database by user request", db->name);
    c->n++;
    if (!served_db_compact(db, on_compacted, c)) {
        str_putf(&c->errors, "%s: a compaction is under way already\n", db->name);
        compaction_done(c);
    }
}

static void
compact(struct ctl_request *r, int argc, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;
    struct compaction *c;

    if (argc > 1 && !server_find_db(server, argv[1])) {
        ctl_reply_error(r, "no database by that name");
        return;
    } else if (argc > 1 && server_find_db(server, argv[1]) == server->own) {
        ctl_reply_error(r, "cannot compact built-in databases");
        return;
    }
    c = xzalloc(sizeof *c);
    *c = (struct compaction) { .request = r, .server = server, .n = 1, .errors = STR_INIT };
    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;

        if (argc > 1 ? !strcmp(argv[1], db->name) : db != server->own) {
            compact_db(c, db);
        }
    }
    compaction_done(c);
}

static void
storage_status(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server)
{
    struct served_db *db = server_find_db(server, argv[1]);
    struct dberr *error = db ? served_db_status(db) : NULL;

    if (!db) {
        ctl_reply_error(r, "Failed to find the database.");
    } else if (error) {
        char *text = dberr_to_string(error);

        ctl_replyf(r, "status: %s\n", text);
        free(text);
        dberr_free(error);
    } else {
        ctl_reply(r, "status: ok\n");
    }
}

static void
memory_trim(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;

    if (strcmp(argv[1], "on") && strcmp(argv[1], "off")) {
        ctl_reply_error(r, "invalid argument");
    } else {
        server->trim = !strcmp(argv[1], "on");
        ctl_reply(r, NULL);
    }
}

static void
disable_monitor_cond(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;

    server->no_cond = true;
    LIST_FOR_EACH (s, struct session, node, &server->sessions) {
        session_doom(s);
    }
    ctl_reply(r, NULL);
}

/* Logging of transactions. */

static void
tlog_list(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server_)
{
    struct ovsdb_server *server = server_;
    struct strmap_entry **sorted = strmap_sorted(&server->dbs);
    struct str s = STR_INIT;

    str_puts(&s, "database        table                       logging\n--------        -----                       "
                 "-------\n");
    for (size_t i = 0; i < strmap_count(&server->dbs); i++) {
        const struct served_db *db = sorted[i]->value;

        str_putf(&s, "%-16s \n", db->name);
        for (size_t j = 0; j < db->db->schema->n_tables; j++) {
            const char *table = db->db->schema->tables[j].name;

            str_putf(&s, "                %-27s %s\n", table, strmap_find(&db->logged, table) ? "ON" : "OFF");
        }
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
    free(sorted);
}

static void
log_table(struct served_db *db, const char *table, bool on)
{
    if (on) {
        strmap_put(&db->logged, table, NULL);
    } else {
        strmap_remove(&db->logged, table);
    }
}

static void
tlog_set(struct ctl_request *r, int argc UNUSED, const char *argv[], void *server)
{
    char *copy = xstrdup(argv[1]), *colon = strchr(copy, ':');
    bool on = !strcmp(argv[2], "on");
    struct served_db *db;

    if (colon) {
        *colon = '\0';
    }
    if (!colon || !copy[0] || !colon[1]) {
        ctl_reply_error(r, "invalid DB:TABLE argument");
    } else if (!on && strcmp(argv[2], "off")) {
        ctl_reply_error(r, "invalid command argument");
    } else if (!(db = server_find_db(server, copy))) {
        ctl_reply_error(r, "no such database");
    } else if (!strcmp(colon + 1, "*")) {
        for (size_t i = 0; i < db->db->schema->n_tables; i++) {
            log_table(db, db->db->schema->tables[i].name, on);
        }
        ctl_reply(r, NULL);
    } else if (!db_table(db->db, colon + 1)) {
        ctl_reply_error(r, "no such table");
    } else {
        log_table(db, colon + 1, on);
        ctl_reply(r, NULL);
    }
    free(copy);
}

/* Counters of the hardware: what there is to say without them. */

static void
nothing(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server UNUSED)
{
    ctl_reply(r, NULL);
}

static void
no_perf_counters(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *server UNUSED)
{
    ctl_reply(r, "performance counter is not supported on this platform\n");
}

static const struct {
    const char *name, *usage;
    int min, max;
    ctl_cb *cb;
    bool configures; /* Changes what --config-file is about: refused if that is given. */
} commands[] = {
    { "ovsdb-server/list-dbs", "", 0, 0, list_dbs },
    { "ovsdb-server/add-db", "DB", 1, 1, add_db, true },
    { "ovsdb-server/remove-db", "DB", 1, 1, remove_db, true },
    { "ovsdb-server/add-remote", "REMOTE", 1, 1, add_remote, true },
    { "ovsdb-server/remove-remote", "REMOTE", 1, 1, remove_remote, true },
    { "ovsdb-server/list-remotes", "", 0, 0, list_remotes },
    { "ovsdb-server/reconnect", "", 0, 0, reconnect },
    { "ovsdb-server/reload", "", 0, 0, command_reload },
    { "ovsdb-server/compact", "", 0, 1, compact },
    { "ovsdb-server/get-db-storage-status", "DB", 1, 1, storage_status },
    { "ovsdb-server/memory-trim-on-compaction", "on|off", 1, 1, memory_trim },
    { "ovsdb-server/disable-monitor-cond", "", 0, 0, disable_monitor_cond },
    { "ovsdb-server/tlog-list", "", 0, 0, tlog_list },
    { "ovsdb-server/tlog-set", "DB:TABLE on|off", 2, 2, tlog_set },
    { "ovsdb-server/sync-status", "", 0, 0, command_sync_status },
    { "ovsdb-server/get-active-ovsdb-server", "", 0, 0, command_get_active },
    { "ovsdb-server/connect-active-ovsdb-server", "", 0, 0, command_connect_active, true },
    { "ovsdb-server/disconnect-active-ovsdb-server", "", 0, 0, command_disconnect_active, true },
    { "ovsdb-server/set-active-ovsdb-server", "", 1, 1, command_set_active, true },
    { "ovsdb-server/set-active-ovsdb-server-probe-interval", "", 1, 1, command_set_active_probe, true },
    { "ovsdb-server/set-relay-source-probe-interval", "", 1, 1, command_set_relay_probe, true },
    { "ovsdb-server/get-sync-exclude-tables", "", 0, 0, command_get_excluded },
    { "ovsdb-server/set-sync-exclude-tables", "", 0, 1, command_set_excluded, true },
    { "ovsdb-server/perf-counters-show", "", 0, 0, no_perf_counters },
    { "ovsdb-server/perf-counters-clear", "", 0, 0, nothing },
};

/* Runs a command that configures something. */
static void
configure(struct ctl_request *r, int argc, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;

    if (server->config_file) {
        ctl_reply_error(r, "Update the %s and use ovsdb-server/reload instead", server->config_file);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, argv[0])) {
            commands[i].cb(r, argc, argv, server);
            return;
        }
    }
}

void
server_commands_register(struct ovsdb_server *server)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        ctl_register(commands[i].name, commands[i].usage, commands[i].min, commands[i].max,
                     commands[i].configures ? configure : commands[i].cb, server);
    }
}

void
server_commands_unregister(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        ctl_unregister(commands[i].name);
    }
    ctl_unregister("ovsdb/file/column-diff-enable"); /* If they are there: see file.c. */
    ctl_unregister("ovsdb/file/no-data-conversion-enable");
}
