/* Connecting: to the one server, or to the first of several that serves the database as it is wanted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-client/oc.h"
#include "sys/cmdline.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream.h"

LOG_MODULE(reconnect)

static bool
has_several(const char *targets)
{
    char *first = stream_targets_take(&targets), *second = stream_targets_take(&targets);
    bool several = second;

    free(first);
    free(second);
    return several;
}

void
oc_take_server(struct oc *oc, int min_args)
{
    if (oc->argc > min_args && stream_target_has_method(oc->argv[0])) { /* No database is named so. */
        oc->server = oc->argv[0];
        oc->argc--;
        oc->argv++;
    } else {
        oc->server = oc->own_server = dirs_db_remote();
    }
    oc->several = has_several(oc->server);
}

static void
connect_to_one(struct oc *oc)
{
    int error = jsonrpc_client_open(oc->server, STREAM_PORT_OVSDB, &oc->rpc);

    if (error) {
        bool active = stream_target_is_active(oc->server) && error != -EAFNOSUPPORT;

        cmdline_fatal(error, "failed to connect%s to \"%s\"", active ? "" : " or listen", oc->server);
    }
}

static bool
is_true(const struct json *row, const char *column)
{
    return js_is(js_get(row, column), JS_TRUE);
}

/* Why the server is not the one to talk to about the database, by its row in the Database table; null if it is. */
static const char *
refusal(const struct oc *oc, const struct json *row)
{
    if (!row) {
        return "the server lacks the database";
    }
    if (!is_true(row, "connected")) {
        return "the server is disconnected from its cluster or source";
    }
    return oc->any_server || is_true(row, "leader") ? NULL : "the server is not the leader";
}

/* Why not the server that was reached. */
static const char *
ask_server(struct oc *oc, const char *database)
{
    struct json *params, *result, *error;
    const struct json *found = NULL, *rows;
    const char *why = NULL;

    cmdline_fatal_error(js_parse_string("[\"_Server\",{\"op\":\"select\",\"table\":\"Database\",\"where\":[],"
                                        "\"columns\":[\"name\",\"connected\",\"leader\"]}]", &params));
    result = oc_try_call(oc, "transact", params, &error);
    rows = js_get(js_at(result, 0), "rows");
    for (size_t i = 0; i < js_array_len(rows); i++) {
        const char *name = js_get_str(js_at(rows, i), "name");

        found = name && !strcmp(name, database) ? js_at(rows, i) : found;
    }
    if (!error) { /* Else a server that is older than the _Server database. */
        why = refusal(oc, found);
    }
    js_unref(result);
    js_unref(error);
    return why;
}

/* Whether 'target' is the server to talk to; it is connected to then. */
static bool
try_target(struct oc *oc, const char *target, const char *database)
{
    int error;
    const char *why;

    log_info("%s: %s...", target, stream_target_is_passive(target) ? "listening" : "connecting");
    error = jsonrpc_client_open(target, STREAM_PORT_OVSDB, &oc->rpc);
    if (error) {
        log_info("%s: connection attempt failed (%s)", target, stream_strerror(error));
        return false;
    }
    log_info("%s: connected", target);
    why = database ? ask_server(oc, database) : NULL;
    if (why) {
        log_info("%s: %s", target, why);
        jsonrpc_client_close(oc->rpc);
        oc->rpc = NULL;
    }
    return !why;
}

static void
connect_to_any(struct oc *oc, const char *database)
{
    const char *rest = oc->server;

    for (char *target = stream_targets_take(&rest); target; target = stream_targets_take(&rest)) {
        if (try_target(oc, target, database)) {
            free(oc->own_server);
            oc->server = oc->own_server = target;
            return;
        }
        free(target);
    }
    cmdline_fatal(0, "no servers were available");
}

void
oc_connect(struct oc *oc, const char *database)
{
    if (oc->several) {
        connect_to_any(oc, database);
    } else {
        connect_to_one(oc);
    }
    if (oc->change_aware == 1) {
        struct json *params = js_array(), *error;

        js_append_take(params, js_bool(true));
        js_unref(oc_try_call(oc, "set_db_change_aware", params, &error));
        js_unref(error); /* Of a server that is older than that. */
    }
}

/* Open_vSwitch, or else the only one that is not the server's own ("_..."); null if there is neither. */
static const char *
default_database(const struct json *dbs)
{
    const char *found = NULL;
    size_t n = 0;

    for (size_t i = 0; i < js_array_len(dbs); i++) {
        const char *name = js_is(js_at(dbs, i), JS_STRING) ? js_str_value(js_at(dbs, i)) : "_";

        if (!strcmp(name, "Open_vSwitch")) {
            return name;
        }
        if (name[0] != '_') {
            found = name;
            n++;
        }
    }
    return n == 1 ? found : NULL;
}

static void
take_argument(struct oc *oc)
{
    oc->database = xstrdup(oc->argv[0]);
    oc->argc--;
    oc->argv++;
}

void
oc_connect_to_database(struct oc *oc, int min_args)
{
    struct json *dbs;

    if (oc->several) { /* Which server it is depends on the database. */
        if (oc->argc <= min_args) {
            cmdline_fatal(0, "database name is required with multiple remotes");
        }
        take_argument(oc);
        oc_connect(oc, oc->database);
        return;
    }
    oc_connect(oc, NULL);
    dbs = oc_list_dbs(oc);
    for (size_t i = 0; i < js_array_len(dbs) && oc->argc > min_args && !oc->database; i++) {
        const struct json *name = js_at(dbs, i);

        if (js_is(name, JS_STRING) && !strcmp(js_str_value(name), oc->argv[0])) {
            take_argument(oc);
        }
    }
    if (!oc->database) {
        const char *name = default_database(dbs);

        if (!name) {
            cmdline_fatal(0, "could not find a default database, please specify a database name");
        }
        oc->database = xstrdup(name);
    }
    js_unref(dbs);
}
