/* The server's own database, "_Server", which says whether this server is the one to talk to. */
#include "ovsdb/idl/session_private.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_idl)

static const char server_db[] = "_Server";

static bool
member_is(const struct json *row, const char *column, enum js_type type)
{
    return js_is(js_get(row, column), type);
}

/* Why the server of this row of its Database table is not the one to talk to; null if it is. */
static const char *
refusal(const struct json *row)
{
    const char *model = js_get_str(row, "model");
    const bool clustered = model && !strcmp(model, "clustered");

    if (!model || (!clustered && strcmp(model, "relay"))) {
        return NULL;
    }
    if (member_is(row, "connected", JS_FALSE)) {
        return "server is disconnected from its cluster or source";
    }
    return clustered && member_is(row, "leader", JS_FALSE) ? "server is not the leader" : NULL;
}

/* Looks for our database in <table-updates> about "_Server".  True: go on. */
static bool
server_is_good(struct idl_session *s, const struct json *updates)
{
    const struct json *rows = js_get(updates, "Database");

    for (void *it = rows ? js_iter(rows) : NULL; it; it = js_iter_next(rows, it)) {
        const struct json *row = js_get(js_iter_value(it), "new");
        const char *name = js_get_str(row, "name"), *why;

        if (name && !strcmp(name, s->idl->schema->name)) {
            why = refusal(row);
            if (why) {
                log_info("%s: %s; trying another", jsonrpc_session_name(s->rpc), why);
                jsonrpc_session_reconnect(s->rpc);
            }
            return !why;
        }
    }
    return true; /* Nothing about it; where it is missing the monitor request will say so. */
}

static void
server_monitor_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    if (error || (result && server_is_good(s, result))) {
        idl_monitor_send(s);
    }
}

void
idl_leader_send(struct idl_session *s)
{
    static const char request[] = "[\"_Server\",\"_Server\",{\"Database\":[{\"columns\":"
                                  "[\"name\",\"model\",\"connected\",\"leader\"]}]}]";
    struct json *params;
    struct error *e = js_parse_string(request, &params);

    if (e) {
        log_err("%s", error_take_text(e));
        return;
    }
    idl_session_request(s, "monitor", params, server_monitor_reply, s);
}

bool
idl_leader_update(struct idl_session *s, const struct json *id, const struct json *updates)
{
    if (!js_is(id, JS_STRING) || strcmp(js_str_value(id), server_db) != 0) {
        return false;
    }
    server_is_good(s, updates);
    return true;
}

void idl_set_leader_only(struct idl *idl, bool leader_only) { idl->session->leader_only = leader_only; }
