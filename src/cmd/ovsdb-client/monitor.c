/* The monitor commands: initial contents, then every change as a table of its own. */
#include <stdlib.h>

#include "cmd/ovsdb-client/client.h"
#include "sys/daemon.h"

struct monitored {
    const struct table_schema *ts;
    const struct column **columns;
    size_t n_columns;
};

struct monitor {
    struct client *client;
    struct schema *schema;
    struct monitored *tables;
    size_t n_tables;
    struct json *requests;
};

/* One group of columns: "name,ports,!initial". */
static struct json *
make_request(struct monitored *m, const char *text, const struct json *where, bool *all)
{
    static const char *const kinds[] = { "initial", "insert", "delete", "modify" };
    struct json *request = js_object(), *columns = js_array(), *select = js_object();
    char *copy = xstrdup(text), *save = NULL;

    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        size_t i = 0;

        while (i < ARRAY_SIZE(kinds) && (word[0] != '!' || strcmp(word + 1, kinds[i]))) {
            i++;
        }
        if (i < ARRAY_SIZE(kinds)) {
            js_set_take(select, kinds[i], js_bool(false));
        } else {
            const struct column *column = table_schema_column(m->ts, word);

            if (!column) {
                cmdline_fatal(0, "table \"%s\" in database does not have a column named \"%s\"", m->ts->name, word);
            }
            js_append_take(columns, js_str(word));
            m->columns = xreallocarray(m->columns, m->n_columns + 1, sizeof *m->columns);
            m->columns[m->n_columns++] = column;
        }
    }
    *all = !js_array_len(columns);
    if (*all) {
        for (size_t i = COL_N_STD; i <= m->ts->n_columns; i++) {
            const struct column *column = &m->ts->columns[i < m->ts->n_columns ? i : COL_VERSION];

            js_append_take(columns, js_str(column->name));
            m->columns = xreallocarray(m->columns, m->n_columns + 1, sizeof *m->columns);
            m->columns[m->n_columns++] = column;
        }
    }
    js_set_take(request, "columns", columns);
    js_set_take(request, "select", select);
    if (where) {
        js_set_take(request, "where", js_ref(where));
    }
    free(copy);
    return request;
}

/* Adds a table with the groups argv[0...]. */
static void
add_table(struct monitor *m, const char *name, int argc, char **argv, const struct json *where)
{
    struct json *requests = js_array();
    struct monitored *t;
    bool all;

    m->tables = xreallocarray(m->tables, m->n_tables + 1, sizeof *m->tables);
    t = &m->tables[m->n_tables++];
    *t = (struct monitored) { .ts = client_find_table(m->schema, name) };
    for (int i = 0; i < argc; i++) {
        js_append_take(requests, make_request(t, argv[i], where, &all));
    }
    if (!argc) {
        js_append_take(requests, make_request(t, "", where, &all));
    }
    js_set_take(m->requests, name, requests);
}

static const struct monitored *
find_table(const struct monitor *m, const char *name)
{
    for (size_t i = 0; i < m->n_tables; i++) {
        if (!strcmp(m->tables[i].ts->name, name)) {
            return &m->tables[i];
        }
    }
    return NULL;
}

static void
put_row(struct table *t, const struct monitored *m, const char *uuid, const char *action, const struct json *row)
{
    table_add_row(t);
    table_add_text(t, uuid);
    table_add_text(t, action);
    for (size_t i = 0; i < m->n_columns; i++) {
        client_put_cell(t, row, m->columns[i]);
    }
}

/* {"old": ..., "new": ...} of RFC 7047, or {"initial" | "insert" | "delete" | "modify": ...} of the extension. */
static void
put_change(struct table *t, const struct monitored *m, const char *uuid, const struct json *change, bool initial)
{
    static const char *const kinds[] = { "initial", "insert", "delete", "modify" };
    const struct json *old = js_get(change, "old"), *new = js_get(change, "new");

    if (old && new) {
        /* Columns that did not change are shown in the new row alone. */
        put_row(t, m, uuid, "old", old);
        put_row(t, m, "", "new", new);
    } else if (old || new) {
        put_row(t, m, uuid, initial ? "initial" : new ? "insert" : "delete", new ? new : old);
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct json *row = js_get(change, kinds[i]);

        if (row) {
            put_row(t, m, uuid, kinds[i], js_is(row, JS_OBJECT) ? row : NULL);
        }
    }
}

static void
print_updates(const struct monitor *m, const struct json *updates, bool initial)
{
    for (void *it = js_iter(updates); it; it = js_iter_next(updates, it)) {
        const struct monitored *table = find_table(m, js_iter_name(it));
        const struct json *rows = js_iter_value(it);
        struct table *t;

        if (!table || !js_is(rows, JS_OBJECT)) {
            continue;
        }
        t = table_create();
        table_set_timestamp(t, opt_timestamp);
        if (m->n_tables > 1) {
            table_set_caption(t, table->ts->name);
        }
        table_add_column(t, "row");
        table_add_column(t, "action");
        for (size_t i = 0; i < table->n_columns; i++) {
            table_add_column(t, "%s", table->columns[i]->name);
        }
        for (void *row = js_iter(rows); row; row = js_iter_next(rows, row)) {
            put_change(t, table, js_iter_name(row), js_iter_value(row), initial);
        }
        table_print(t, &style);
        table_destroy(t);
    }
    fflush(stdout);
}

static void
print_since(const struct json *reply)
{
    printf("found: %s, last_id: %s\n", js_is(js_at(reply, 0), JS_TRUE) ? "true" : "false",
           js_is(js_at(reply, 1), JS_STRING) ? js_str_value(js_at(reply, 1)) : "");
}

static void
follow(const struct monitor *m)
{
    for (;;) {
        struct jsonrpc_msg *msg;
        int error = jsonrpc_client_receive(m->client->rpc, &msg);

        if (error) {
            cmdline_fatal(error, "%s: receive failed", m->client->server);
        }
        if (msg->type == JSONRPC_NOTIFY && js_is(msg->params, JS_ARRAY)) {
            if (!strcmp(msg->method, "update") || !strcmp(msg->method, "update2")) {
                print_updates(m, js_at(msg->params, 1), false);
            } else if (!strcmp(msg->method, "update3")) {
                print_updates(m, js_at(msg->params, 2), false);
            } else if (!strcmp(msg->method, "monitor_canceled")) {
                cmdline_fatal(0, "monitor_canceled by server");
            }
        }
        jsonrpc_msg_free(msg);
    }
}

static void
run(struct client *c, const char *method, const char *last_id, struct monitor *m)
{
    struct json *params = js_array(), *reply;

    js_append_take(params, js_str(c->database));
    js_append_take(params, js_null());
    js_append_take(params, m->requests);
    if (!strcmp(method, "monitor_cond_since")) {
        js_append_take(params, js_str(last_id));
    }
    reply = client_call(c, method, params);
    if (!strcmp(method, "monitor_cond_since")) {
        print_since(reply);
        print_updates(m, js_at(reply, 2), true);
    } else {
        print_updates(m, reply, true);
    }
    js_unref(reply);
    follow(m);
}

static struct monitor
prepare(struct client *c)
{
    return (struct monitor) { .client = c, .schema = client_fetch_schema(c), .requests = js_object() };
}

void
cmd_monitor(struct client *c)
{
    struct monitor m = prepare(c);

    if (!strcmp(c->argv[0], "ALL")) {
        if (c->argc > 1) {
            cmdline_fatal(0, "cannot specify columns with \"monitor ALL\"");
        }
        for (size_t i = 0; i < m.schema->n_tables; i++) {
            add_table(&m, m.schema->tables[i].name, 0, NULL, NULL);
        }
    } else {
        add_table(&m, c->argv[0], c->argc - 1, c->argv + 1, NULL);
    }
    run(c, "monitor", NULL, &m);
}

/* "COND TABLE [COLUMNS]..." */
static void
add_conditional(struct monitor *m, int argc, char **argv)
{
    struct json *where;
    struct error *error;

    if (argc < 2) {
        cmdline_fatal(0, "invalid syntax for a conditional monitor (use --help for help)");
    }
    error = js_parse_string(argv[0], &where);
    if (error) {
        cmdline_fatal(0, "\"%s\": %s", argv[0], error_text(error));
    }
    add_table(m, argv[1], argc - 2, argv + 2, where);
    js_unref(where);
}

void
cmd_monitor_cond(struct client *c)
{
    struct monitor m = prepare(c);

    add_conditional(&m, c->argc, c->argv);
    run(c, "monitor_cond", NULL, &m);
}

void
cmd_monitor_cond_since(struct client *c)
{
    const char *last_id = "00000000-0000-0000-0000-000000000000";
    struct monitor m = prepare(c);
    struct uuid uuid;

    if (uuid_parse(&uuid, c->argv[0])) {
        last_id = c->argv[0];
        c->argc--;
        c->argv++;
    }
    add_conditional(&m, c->argc, c->argv);
    run(c, "monitor_cond_since", last_id, &m);
}
