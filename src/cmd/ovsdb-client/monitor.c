#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-client/oc.h"
#include "ctl/ctl.h"
#include "ovsdb/data/cond.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"

enum version { V1, COND, COND_SINCE };

/* A table that is shown, with its columns in the order of display. */
struct watched {
    const struct table_schema *ts;
    const struct column **columns;
    size_t n;
};

struct monitor {
    struct oc *oc;
    enum version version;
    struct schema *schema;
    struct watched *tables;
    size_t n_tables;
    struct json *id;             /* Of the monitor: null at first. */
    bool exiting, blocked;
    struct ctl_request *pending; /* cond_change that waits for the server. */
    struct json *pending_id;
};

static const char zero_uuid[] = "00000000-0000-0000-0000-000000000000";

/* Which columns. */

static void
add_column(const struct monitor *m, struct watched *w, const struct column *c)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->columns[i] == c) {
            cmdline_fatal(0, "%s: column \"%s\" mentioned multiple times", m->oc->server, c->name);
        }
    }
    w->columns = xreallocarray(w->columns, w->n + 1, sizeof *w->columns);
    w->columns[w->n++] = c;
}

static void
append_column(const struct monitor *m, struct watched *w, struct json *columns, const struct column *c)
{
    add_column(m, w, c);
    js_append_take(columns, js_str(c->name));
}

/* All but "_uuid", in the order of their names; "_version" sorts last. */
static void
append_all(const struct monitor *m, struct watched *w, struct json *columns)
{
    for (size_t i = COL_N_STD; i < w->ts->n_columns; i++) {
        append_column(m, w, columns, &w->ts->columns[i]);
    }
    append_column(m, w, columns, &w->ts->columns[COL_VERSION]);
}

/* One argument: columns and "!kind"s, as one request. */
static struct json *
parse_request(const struct monitor *m, struct watched *w, const char *arg)
{
    static const char *const kinds[] = { "initial", "insert", "delete", "modify" };
    struct json *request = js_object(), *columns = js_array(), *select = js_object();
    char *copy = xstrdup(arg ? arg : ""), *save = NULL;

    for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        const struct column *c = table_schema_column(w->ts, word);
        bool is_kind = false;

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (word[0] == '!' && !strcmp(word + 1, kinds[i])) {
                js_set_take(select, kinds[i], js_bool(false));
                is_kind = true;
            }
        }
        if (c) {
            append_column(m, w, columns, c);
        } else if (!is_kind) {
            cmdline_fatal(0, "%s: table \"%s\" in %s does not have a column named \"%s\"", m->oc->server, w->ts->name,
                          m->oc->database, word);
        }
    }
    free(copy);
    if (!js_array_len(columns)) {
        append_all(m, w, columns);
    }
    js_set_take(request, "columns", columns);
    if (js_object_len(select)) {
        js_set_take(request, "select", select);
    } else {
        js_unref(select);
    }
    return request;
}

static void
watch_table(struct monitor *m, const struct table_schema *ts, int argc, char *argv[], const struct json *where,
            struct json *requests)
{
    struct watched *w;
    struct json *list = js_array();

    m->tables = xreallocarray(m->tables, m->n_tables + 1, sizeof *m->tables);
    w = &m->tables[m->n_tables++];
    *w = (struct watched) { .ts = ts };
    for (int i = 0; i < MAX(argc, 1); i++) {
        struct json *request = parse_request(m, w, argc ? argv[i] : NULL);

        if (where) {
            struct condition c;

            oc_check(condition_from_json(&c, ts, where, NULL)); /* Better than the server's refusal. */
            condition_uninit(&c);
            js_set_take(request, "where", js_ref(where));
        }
        js_append_take(list, request);
    }
    js_set_take(requests, ts->name, list);
}

static struct json *
parse_tables(struct monitor *m, int argc, char *argv[], const struct json *where)
{
    struct json *requests = js_object();

    if (!strcmp(argv[0], "ALL")) {
        for (size_t i = 0; i < m->schema->n_tables; i++) {
            watch_table(m, &m->schema->tables[i], argc - 1, argv + 1, where, requests);
        }
    } else {
        const struct table_schema *ts = schema_table(m->schema, argv[0]);

        if (!ts) {
            cmdline_fatal(0, "%s%s%s does not have a table named \"%s\"", m->version == V1 ? m->oc->server : "",
                          m->version == V1 ? ": " : "", m->oc->database, argv[0]);
        }
        watch_table(m, ts, argc - 1, argv + 1, where, requests);
    }
    return requests;
}

/* Showing updates. */

static void
put_row(struct table *t, const struct watched *w, const char *uuid, const char *action, const struct json *row)
{
    table_add_row(t);
    table_add_text(t, uuid);
    table_add_text(t, action);
    for (size_t i = 0; i < w->n; i++) {
        const struct column *c = w->columns[i];
        const struct json *value = js_is(row, JS_OBJECT) ? js_get(row, c->name) : NULL;
        struct datum d;

        if (!value) {
            table_add_json_take(t, NULL);
            continue;
        }
        oc_check(datum_from_json_loose(&d, &c->type, value, NULL));
        table_add_datum(t, &d, &c->type);
        datum_uninit(&d, &c->type);
    }
}

static void
put_update(struct table *t, const struct watched *w, const char *uuid, const struct json *update, bool initial)
{
    static const char *const kinds[] = { "initial", "insert", "delete", "modify" };
    const struct json *old = js_get(update, "old"), *new = js_get(update, "new");

    if (old && new) {
        put_row(t, w, uuid, "old", old);
        put_row(t, w, "", "new", new);
    } else if (new) {
        put_row(t, w, uuid, initial ? "initial" : "insert", new);
    } else if (old) {
        put_row(t, w, uuid, "delete", old);
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct json *row = js_get(update, kinds[i]);

        if (row) {
            put_row(t, w, uuid, kinds[i], row);
        }
    }
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
print_table_update(const struct monitor *m, const struct watched *w, const struct json *rows, bool initial)
{
    size_t n = js_object_len(rows), i = 0;
    const char **uuids = xcalloc(n + 1, sizeof *uuids);
    struct table *t = table_create();

    table_set_timestamp(t, m->oc->timestamp);
    if (m->n_tables > 1) {
        table_set_caption(t, w->ts->name);
    }
    table_add_column(t, "row");
    table_add_column(t, "action");
    for (size_t j = 0; j < w->n; j++) {
        table_add_column(t, "%s", w->columns[j]->name);
    }
    for (void *it = js_iter(rows); it; it = js_iter_next(rows, it)) {
        uuids[i++] = js_iter_name(it);
    }
    qsort(uuids, n, sizeof *uuids, compare_names);
    for (i = 0; i < n; i++) {
        put_update(t, w, uuids[i], js_get(rows, uuids[i]), initial);
    }
    table_print(t, &m->oc->style);
    table_destroy(t);
    free(uuids);
}

static void
print_updates(const struct monitor *m, const struct json *updates, bool initial)
{
    if (!js_is(updates, JS_OBJECT)) {
        cmdline_fatal(0, "<table-updates> is not object");
    }
    for (size_t i = 0; i < m->n_tables; i++) {
        const struct json *rows = js_get(updates, m->tables[i].ts->name);

        if (js_is(rows, JS_OBJECT) && js_object_len(rows)) {
            print_table_update(m, &m->tables[i], rows, initial);
        }
    }
    fflush(stdout);
}

static void
print_initial(const struct monitor *m, const struct json *result)
{
    if (m->version == COND_SINCE) {
        const struct json *last = js_at(result, 1);

        if (js_array_len(result) != 3 || !js_is(last, JS_STRING)) {
            cmdline_fatal(0, "invalid reply to monitor_cond_since request");
        }
        printf("found: %s, last_id: %s\n", js_is(js_at(result, 0), JS_TRUE) ? "true" : "false", js_str_value(last));
        result = js_at(result, 2);
    }
    print_updates(m, result, true);
}

static void
handle_notify(const struct monitor *m, const struct jsonrpc_msg *msg)
{
    const struct json *p = msg->params;

    if ((!strcmp(msg->method, "update") || !strcmp(msg->method, "update2")) && js_array_len(p) == 2) {
        print_updates(m, js_at(p, 1), false);
    } else if (!strcmp(msg->method, "update3") && js_array_len(p) == 3 && js_is(js_at(p, 1), JS_STRING)) {
        printf("\nlast_id: %s", js_str_value(js_at(p, 1))); /* The table begins with a line feed, but for the first. */
        print_updates(m, js_at(p, 2), false);
    } else if (!strcmp(msg->method, "monitor_canceled")) {
        cmdline_fatal(0, "%s: %s database was removed", m->oc->server, m->oc->database);
    }
}

/* The control socket. */

static void
on_exit_command(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *m)
{
    ((struct monitor *) m)->exiting = true;
    ctl_reply(r, NULL);
}

static void
on_block(struct ctl_request *r, int argc UNUSED, const char *argv[], void *m)
{
    ((struct monitor *) m)->blocked = !strcmp(argv[0], "ovsdb-client/block");
    ctl_reply(r, NULL);
}

static void
on_cond_change(struct ctl_request *r, int argc UNUSED, const char *argv[], void *m_)
{
    struct monitor *m = m_;
    struct json *where, *request, *list, *requests, *params;
    struct error *error = js_parse_string(argv[2], &where);

    if (error || m->pending || m->version == V1) {
        ctl_reply_error(r, "%s", error ? error_text(error) : m->pending ? "a condition change is in progress"
                                                                         : "this monitor has no conditions");
        error_free(error);
        js_unref(where);
        return;
    }
    request = js_object();
    js_set_take(request, "where", where);
    list = js_array();
    js_append_take(list, request);
    requests = js_object();
    js_set_take(requests, argv[1], list);
    params = js_array();
    js_append_take(params, js_ref(m->id));
    js_append_take(params, js_ref(m->id));
    js_append_take(params, requests);
    m->pending = r;
    if (jsonrpc_client_send(m->oc->rpc, jsonrpc_request("monitor_cond_change", params, &m->pending_id))) {
        m->pending = NULL;
        ctl_reply_error(r, "cannot send the request");
    }
}

static void
handle_reply(struct monitor *m, const struct jsonrpc_msg *msg)
{
    if (m->pending && js_equal(msg->id, m->pending_id)) {
        struct ctl_request *r = m->pending;

        m->pending = NULL;
        js_unref(m->pending_id);
        m->pending_id = NULL;
        if (msg->error) {
            char *text = js_to_string(msg->error, JS_SORTED);

            ctl_reply_error(r, "%s", text);
            free(text);
        } else {
            ctl_reply(r, "condition changed\n");
        }
    }
}

static struct ctl_server *
start_control(struct monitor *m)
{
    struct ctl_server *ctl = ctl_server_create_or_exit(jsonrpc_client_loop(m->oc->rpc), NULL);

    ctl_register("exit", "", 0, 0, on_exit_command, m);
    ctl_register("ovsdb-client/block", "", 0, 0, on_block, m);
    ctl_register("ovsdb-client/unblock", "", 0, 0, on_block, m);
    ctl_register("ovsdb-client/cond_change", "TABLE COND", 2, 2, on_cond_change, m);
    return ctl;
}

static void
follow(struct monitor *m)
{
    struct ctl_server *ctl = daemon_is_detaching() ? start_control(m) : NULL;

    daemon_ready();
    while (!m->exiting) {
        struct jsonrpc_msg *msg = NULL;
        int error = m->blocked ? -EAGAIN : jsonrpc_client_try_receive(m->oc->rpc, &msg);

        if (error == -EAGAIN) {
            loop_run_once(jsonrpc_client_loop(m->oc->rpc), true);
        } else if (error) {
            cmdline_fatal(error, "%s: receive failed", m->oc->server);
        } else {
            if (msg->type == JSONRPC_NOTIFY) {
                handle_notify(m, msg);
            } else if (msg->type != JSONRPC_REQUEST) {
                handle_reply(m, msg);
            }
            jsonrpc_msg_free(msg);
        }
    }
    ctl_server_destroy(ctl);
}

static void
run(struct oc *oc, enum version version, const char *since, const struct json *where, int argc, char *argv[])
{
    static const char *const methods[] = { "monitor", "monitor_cond", "monitor_cond_since" };
    struct monitor m = { .oc = oc, .version = version, .schema = oc_get_schema(oc), .id = js_null() };
    struct json *params = oc_params(oc->database), *result;

    js_append_take(params, js_ref(m.id));
    js_append_take(params, parse_tables(&m, argc, argv, where));
    if (version == COND_SINCE) {
        js_append_take(params, js_str(since));
    }
    result = oc_call(oc, methods[version], params);
    print_initial(&m, result);
    js_unref(result);
    follow(&m);
    for (size_t i = 0; i < m.n_tables; i++) {
        free(m.tables[i].columns);
    }
    free(m.tables);
    js_unref(m.id);
    js_unref(m.pending_id);
    schema_unref(m.schema);
}

void
oc_monitor(struct oc *oc)
{
    run(oc, V1, NULL, NULL, oc->argc, oc->argv);
}

void
oc_monitor_cond(struct oc *oc)
{
    struct json *where = oc_parse_json(oc->argv[0]);

    run(oc, COND, NULL, where, oc->argc - 1, oc->argv + 1);
    js_unref(where);
}

void
oc_monitor_cond_since(struct oc *oc)
{
    struct uuid uuid;
    bool given = oc->argc > 2 && uuid_parse(&uuid, oc->argv[0]);
    int at = given ? 1 : 0;
    struct json *where = oc_parse_json(oc->argv[at]);

    run(oc, COND_SINCE, given ? oc->argv[0] : zero_uuid, where, oc->argc - at - 1, oc->argv + at + 1);
    js_unref(where);
}
