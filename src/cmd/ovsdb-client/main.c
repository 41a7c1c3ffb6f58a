/* ovsdb-client(1): command-line access to a database server. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "cmd/ovsdb-client/client.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream.h"

enum { OPT_TIMESTAMP, OPT_FORCE, OPT_TIMEOUT, OPT_DB_CHANGE_AWARE, OPT_NO_DB_CHANGE_AWARE, OPT_LEADER_ONLY,
       OPT_NO_LEADER_ONLY };

static const struct cmdline_option options[] = {
    TABLE_OPTIONS,
    { "timestamp", 0, CMDLINE_NO_ARG, OPT_TIMESTAMP },
    { "force", 0, CMDLINE_NO_ARG, OPT_FORCE },
    { "timeout", 't', CMDLINE_ARG, OPT_TIMEOUT },
    { "db-change-aware", 0, CMDLINE_NO_ARG, OPT_DB_CHANGE_AWARE },
    { "no-db-change-aware", 0, CMDLINE_NO_ARG, OPT_NO_DB_CHANGE_AWARE },
    { "leader-only", 0, CMDLINE_NO_ARG, OPT_LEADER_ONLY },
    { "no-leader-only", 0, CMDLINE_NO_ARG, OPT_NO_LEADER_ONLY },
};

struct table_style style = TABLE_STYLE_INIT(TABLE_TABLE);
bool opt_timestamp, opt_force;
static int db_change_aware = -1;

/* What a command needs before its own arguments. */
enum need { NEED_NOTHING, NEED_SERVER, NEED_DATABASE };

struct command {
    const char *name;
    enum need need;
    int min, max;
    void (*run)(struct client *);
    const char *usage;
};

struct json *
client_call(struct client *c, const char *method, struct json *params)
{
    struct jsonrpc_msg *reply;
    struct json *result;
    int error = jsonrpc_client_call(c->rpc, method, params, &reply);

    if (error) {
        cmdline_fatal(error, "%s: transaction failed", c->server);
    }
    if (reply->type == JSONRPC_ERROR) {
        char *text = js_to_string(reply->error, JS_SORTED);

        cmdline_fatal(0, "%s: transaction returned error: %s", c->server, text);
    }
    result = js_ref(reply->result);
    jsonrpc_msg_free(reply);
    return result;
}

static struct json *
one_param(const char *text)
{
    struct json *params = js_array();

    js_append_take(params, js_str(text));
    return params;
}

struct json *
client_fetch_schema_json(struct client *c)
{
    return client_call(c, "get_schema", one_param(c->database));
}

static void
fatal_dberr(struct dberr *e)
{
    if (e) {
        cmdline_fatal(0, "%s", dberr_to_string(e));
    }
}

struct schema *
client_fetch_schema(struct client *c)
{
    struct json *json = client_fetch_schema_json(c);
    struct schema *schema;

    fatal_dberr(schema_from_json(&schema, json));
    js_unref(json);
    return schema;
}

const struct table_schema *
client_find_table(const struct schema *schema, const char *name)
{
    const struct table_schema *t = schema_table(schema, name);

    if (!t) {
        cmdline_fatal(0, "No table \"%s\" found.", name);
    }
    return t;
}

void
client_put_cell(struct table *table, const struct json *row, const struct column *column)
{
    struct json *value = row ? js_get(row, column->name) : NULL;
    struct datum d;

    if (!value) {
        table_add_text(table, "");
        return;
    }
    fatal_dberr(datum_from_json_loose(&d, &column->type, value, NULL));
    table_add_datum(table, &d, &column->type);
    datum_uninit(&d, &column->type);
}

/* The server's and the schema's commands. */

static int
compare_strings(const void *a_, const void *b_)
{
    const char *const *a = a_, *const *b = b_;

    return strcmp(*a, *b);
}

/* Names of the databases, sorted, null-terminated. */
static const char **
fetch_dbs(struct client *c)
{
    struct json *result = client_call(c, "list_dbs", js_array());
    size_t n = js_is(result, JS_ARRAY) ? js_array_len(result) : 0;
    const char **names = xcalloc(n + 1, sizeof *names);

    for (size_t i = 0; i < n; i++) {
        if (!js_is(js_at(result, i), JS_STRING)) {
            cmdline_fatal(0, "list_dbs response is not all strings");
        }
        names[i] = xstrdup(js_str_value(js_at(result, i)));
    }
    qsort(names, n, sizeof *names, compare_strings);
    js_unref(result);
    return names;
}

static void
free_names(const char **names)
{
    for (size_t i = 0; names[i]; i++) {
        free((char *) names[i]);
    }
    free(names);
}

static void
cmd_list_dbs(struct client *c)
{
    const char **names = fetch_dbs(c);

    for (size_t i = 0; names[i]; i++) {
        puts(names[i]);
    }
    free_names(names);
}

static void
cmd_get_schema(struct client *c)
{
    struct schema *schema = client_fetch_schema(c);
    struct json *json = schema_to_json(schema);
    char *text = js_to_string(json, JS_SORTED | (style.pretty ? JS_PRETTY : 0));

    puts(text);
    free(text);
    js_unref(json);
    schema_unref(schema);
}

static void
cmd_get_schema_version(struct client *c)
{
    struct schema *schema = client_fetch_schema(c);

    puts(schema->version);
    schema_unref(schema);
}

static void
cmd_get_schema_cksum(struct client *c)
{
    struct schema *schema = client_fetch_schema(c);

    puts(schema->cksum);
    schema_unref(schema);
}

static void
cmd_list_tables(struct client *c)
{
    struct schema *schema = client_fetch_schema(c);
    struct table *t = table_create();

    table_add_column(t, "Table");
    for (size_t i = 0; i < schema->n_tables; i++) {
        table_add_row(t);
        table_add_text(t, schema->tables[i].name);
    }
    table_print(t, &style);
    table_destroy(t);
    schema_unref(schema);
}

static void
put_columns(struct table *t, const struct table_schema *ts, bool with_table)
{
    for (size_t i = COL_N_STD; i < ts->n_columns; i++) {
        table_add_row(t);
        if (with_table) {
            table_add_text(t, ts->name);
        }
        table_add_text(t, ts->columns[i].name);
        table_add_json_take(t, col_type_to_json(&ts->columns[i].type));
    }
}

static void
cmd_list_columns(struct client *c)
{
    struct schema *schema = client_fetch_schema(c);
    struct table *t = table_create();

    if (!c->argc) {
        table_add_column(t, "Table");
    }
    table_add_column(t, "Column");
    table_add_column(t, "Type");
    for (size_t i = 0; i < schema->n_tables; i++) {
        if (!c->argc || !strcmp(c->argv[0], schema->tables[i].name)) {
            put_columns(t, &schema->tables[i], !c->argc);
        }
    }
    table_print(t, &style);
    table_destroy(t);
    schema_unref(schema);
}

/* Transactions. */

static struct json *
parse_json(const char *text)
{
    struct json *json;
    struct error *error = js_parse_string(text, &json);

    if (error) {
        cmdline_fatal(0, "\"%s\": %s", text, error_text(error));
    }
    return json;
}

static void
print_json(const struct json *json)
{
    char *text = js_to_string(json, JS_SORTED | (style.pretty ? JS_PRETTY : 0));

    puts(text);
    free(text);
}

static void
cmd_transact(struct client *c)
{
    struct json *result = client_call(c, "transact", parse_json(c->argv[0]));

    print_json(result);
    js_unref(result);
}

/* A transaction that is aborted at its end; the result of the abort is taken off. */
static void
cmd_query(struct client *c)
{
    struct json *params = parse_json(c->argv[0]), *abort_op, *result, *shown;
    size_t n;

    if (!js_is(params, JS_ARRAY) || !js_array_len(params) || !js_is(js_at(params, 0), JS_STRING)) {
        cmdline_fatal(0, "\"%s\": not a valid OVSDB query", c->argv[0]);
    }
    n = js_array_len(params) - 1;
    abort_op = js_object();
    js_set_take(abort_op, "op", js_str("abort"));
    js_append_take(params, abort_op);
    result = client_call(c, "transact", params);
    if (!js_is(result, JS_ARRAY)) {
        print_json(result);
        js_unref(result);
        return;
    }
    shown = js_array();
    for (size_t i = 0; i < js_array_len(result); i++) {
        if (i != n || js_array_len(result) != n + 1) {
            js_append_take(shown, js_ref(js_at(result, i)));
        }
    }
    print_json(shown);
    js_unref(shown);
    js_unref(result);
}

/* dump */

/* Whether 'name' is among the 'n' wanted names; without any all are. */
static bool
is_named(char **names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(names[i], name)) {
            return true;
        }
    }
    return n <= 0;
}

/* {"op": "select", ...} of the wanted columns. */
static struct json *
make_select(const struct client *c, const struct table_schema *ts)
{
    struct json *op = js_object(), *columns = js_array();

    for (size_t i = 0; i < ts->n_columns; i++) {
        if (i != COL_VERSION && is_named(c->argv + 1, c->argc - 1, ts->columns[i].name)) {
            js_append_take(columns, js_str(ts->columns[i].name));
        }
    }
    js_set_take(op, "op", js_str("select"));
    js_set_take(op, "table", js_str(ts->name));
    js_set_take(op, "where", js_array());
    js_set_take(op, "columns", columns);
    return op;
}

struct dump_row {
    const struct json *row;
    const struct table_schema *ts;
};

/* By the columns in their order, the UUID last: as people expect names sorted. */
static int
compare_rows(const void *a_, const void *b_)
{
    const struct dump_row *a = a_, *b = b_;

    for (size_t i = COL_N_STD; i < a->ts->n_columns + 1; i++) {
        const struct column *col = &a->ts->columns[i < a->ts->n_columns ? i : COL_UUID];
        struct json *x = js_get(a->row, col->name), *y = js_get(b->row, col->name);
        struct datum dx, dy;
        int order;

        if (!x || !y) {
            continue;
        }
        fatal_dberr(datum_from_json_loose(&dx, &col->type, x, NULL));
        fatal_dberr(datum_from_json_loose(&dy, &col->type, y, NULL));
        order = datum_compare(&dx, &dy, &col->type);
        datum_uninit(&dx, &col->type);
        datum_uninit(&dy, &col->type);
        if (order) {
            return order;
        }
    }
    return 0;
}

static void
dump_table(const struct client *c, const struct table_schema *ts, const struct json *result)
{
    const struct json *rows = js_get(result, "rows");
    size_t n = rows && js_is(rows, JS_ARRAY) ? js_array_len(rows) : 0;
    struct dump_row *sorted = xcalloc(n, sizeof *sorted);
    struct table *t = table_create();
    char *caption = xasprintf("%s table", ts->name);

    if (!rows) {
        cmdline_fatal(0, "%s: the server refused to select from table %s", c->server, ts->name);
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (struct dump_row) { js_at(rows, i), ts };
    }
    qsort(sorted, n, sizeof *sorted, compare_rows);
    table_set_caption(t, caption);
    table_set_timestamp(t, opt_timestamp);
    for (size_t i = 0; i < ts->n_columns; i++) {
        if (i != COL_VERSION && is_named(c->argv + 1, c->argc - 1, ts->columns[i].name)) {
            table_add_column(t, "%s", ts->columns[i].name);
        }
    }
    for (size_t k = 0; k < n; k++) {
        table_add_row(t);
        for (size_t i = 0; i < ts->n_columns; i++) {
            if (i != COL_VERSION && is_named(c->argv + 1, c->argc - 1, ts->columns[i].name)) {
                client_put_cell(t, sorted[k].row, &ts->columns[i]);
            }
        }
    }
    table_print(t, &style);
    table_destroy(t);
    free(caption);
    free(sorted);
}

static void
cmd_dump(struct client *c)
{
    struct schema *schema = client_fetch_schema(c);
    struct json *params = one_param(c->database), *result;
    const struct table_schema *only = c->argc ? client_find_table(schema, c->argv[0]) : NULL;
    size_t n = 0;

    for (int i = 1; i < c->argc; i++) {
        if (!table_schema_column(only, c->argv[i])) {
            cmdline_fatal(0, "Table \"%s\" has no column %s.", only->name, c->argv[i]);
        }
    }
    for (size_t i = 0; i < schema->n_tables; i++) {
        if (!only || only == &schema->tables[i]) {
            js_append_take(params, make_select(c, &schema->tables[i]));
        }
    }
    result = client_call(c, "transact", params);
    for (size_t i = 0; i < schema->n_tables; i++) {
        if (!only || only == &schema->tables[i]) {
            dump_table(c, &schema->tables[i], js_at(result, n++));
        }
    }
    js_unref(result);
    schema_unref(schema);
}

/* Conversion. */

static struct schema *
read_schema(const char *path)
{
    struct schema *schema;

    fatal_dberr(schema_from_file(&schema, path));
    return schema;
}

static void
cmd_needs_conversion(struct client *c)
{
    struct schema *wanted = read_schema(c->argv[0]), *have;

    c->database = wanted->name;
    have = client_fetch_schema(c);
    puts(schema_equal(wanted, have) ? "no" : "yes");
    schema_unref(have);
    schema_unref(wanted);
}

static void
cmd_convert(struct client *c)
{
    struct schema *wanted = read_schema(c->argv[0]);
    struct json *params = one_param(wanted->name);

    js_append_take(params, schema_to_json(wanted));
    js_unref(client_call(c, "convert", params));
    schema_unref(wanted);
}

/* Locks. */

static void
run_lock(struct client *c, const char *method)
{
    struct json *result = client_call(c, method, one_param(c->argv[0]));

    print_json(result);
    fflush(stdout);
    js_unref(result);
    if (!strcmp(method, "unlock")) {
        return;
    }
    for (;;) {
        struct jsonrpc_msg *m;
        int error = jsonrpc_client_receive(c->rpc, &m);

        if (error) {
            cmdline_fatal(error, "%s: receive failed", c->server);
        }
        if (m->type == JSONRPC_NOTIFY) {
            puts(m->method);
            print_json(m->params);
            fflush(stdout);
        }
        jsonrpc_msg_free(m);
    }
}

static void cmd_lock(struct client *c) { run_lock(c, "lock"); }
static void cmd_steal(struct client *c) { run_lock(c, "steal"); }
static void cmd_unlock(struct client *c) { run_lock(c, "unlock"); }

/* wait */

/* Whether the row of the server's own database is in the wanted state. */
static bool
is_in_state(struct client *c, const char *database, const char *state)
{
    struct json *params = one_param("_Server"), *op, *where = js_array(), *condition = js_array(), *result, *rows;
    bool there, connected;

    js_append_take(condition, js_str("name"));
    js_append_take(condition, js_str("=="));
    js_append_take(condition, js_str(database));
    js_append_take(where, condition);
    op = js_object();
    js_set_take(op, "op", js_str("select"));
    js_set_take(op, "table", js_str("Database"));
    js_set_take(op, "where", where);
    js_append_take(params, op);
    result = client_call(c, "transact", params);
    rows = js_get(js_at(result, 0), "rows");
    there = rows && js_array_len(rows);
    connected = there && js_is(js_get(js_at(rows, 0), "connected"), JS_TRUE);
    js_unref(result);
    return !strcmp(state, "added") ? there : !strcmp(state, "connected") ? connected : !there;
}

static void
on_tick(struct loop_timer *t)
{
    loop_timer_cancel(t);
}

static void
cmd_wait(struct client *c)
{
    const char *database = c->argv[0], *state = c->argv[1];
    struct loop *loop = jsonrpc_client_loop(c->rpc);
    struct loop_timer tick;

    if (strcmp(state, "added") && strcmp(state, "connected") && strcmp(state, "removed")) {
        cmdline_fatal(0, "%s: unknown state", state);
    }
    loop_timer_init(loop, &tick, on_tick, NULL);
    while (!is_in_state(c, database, state)) {
        loop_timer_set(&tick, clock_now_ms() + 100);
        while (loop_timer_is_set(&tick)) {
            loop_run_once(loop, true);
        }
    }
}

static void
cmd_help(struct client *c UNUSED)
{
    cmdline_print_version();
}

static const struct command commands[] = {
    { "list-dbs", NEED_SERVER, 0, 0, cmd_list_dbs, "[SERVER]" },
    { "get-schema", NEED_DATABASE, 0, 0, cmd_get_schema, "[SERVER] [DATABASE]" },
    { "get-schema-version", NEED_DATABASE, 0, 0, cmd_get_schema_version, "[SERVER] [DATABASE]" },
    { "get-schema-cksum", NEED_DATABASE, 0, 0, cmd_get_schema_cksum, "[SERVER] [DATABASE]" },
    { "list-tables", NEED_DATABASE, 0, 0, cmd_list_tables, "[SERVER] [DATABASE]" },
    { "list-columns", NEED_DATABASE, 0, 1, cmd_list_columns, "[SERVER] [DATABASE] [TABLE]" },
    { "transact", NEED_SERVER, 1, 1, cmd_transact, "[SERVER] TRANSACTION" },
    { "query", NEED_SERVER, 1, 1, cmd_query, "[SERVER] TRANSACTION" },
    { "dump", NEED_DATABASE, 0, INT_MAX, cmd_dump, "[SERVER] [DATABASE] [TABLE [COLUMN]...]" },
    { "backup", NEED_DATABASE, 0, 0, cmd_backup, "[SERVER] [DATABASE] > DB" },
    { "restore", NEED_DATABASE, 0, 0, cmd_restore, "[SERVER] [DATABASE] < DB" },
    { "monitor", NEED_DATABASE, 1, INT_MAX, cmd_monitor, "[SERVER] [DATABASE] TABLE|ALL [COLUMN,...]..." },
    { "monitor-cond", NEED_DATABASE, 2, 3, cmd_monitor_cond, "[SERVER] [DATABASE] COND TABLE [COLUMN,...]..." },
    { "monitor-cond-since", NEED_DATABASE, 2, 4, cmd_monitor_cond_since,
      "[SERVER] [DATABASE] [LASTID] COND TABLE [COLUMN,...]..." },
    { "convert", NEED_SERVER, 1, 1, cmd_convert, "[SERVER] SCHEMA" },
    { "needs-conversion", NEED_SERVER, 1, 1, cmd_needs_conversion, "[SERVER] SCHEMA" },
    { "wait", NEED_SERVER, 2, 2, cmd_wait, "[SERVER] DATABASE STATE" },
    { "lock", NEED_SERVER, 1, 1, cmd_lock, "[SERVER] LOCK" },
    { "steal", NEED_SERVER, 1, 1, cmd_steal, "[SERVER] LOCK" },
    { "unlock", NEED_SERVER, 1, 1, cmd_unlock, "[SERVER] LOCK" },
    { "help", NEED_NOTHING, 0, INT_MAX, cmd_help, "" },
};

static void
usage(void)
{
    char *remote = dirs_db_remote();

    printf("%s: Open vSwitch database JSON-RPC client\nusage: %s [OPTIONS] COMMAND [ARG...]\n\nValid commands are:\n",
           log_program(), log_program());
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].need != NEED_NOTHING) {
            printf("  %s %s\n", commands[i].name, commands[i].usage);
        }
    }
    printf("\nThe default SERVER is %s.\nThe default DATABASE is Open_vSwitch.\n", remote);
    free(remote);
    cmdline_usage_targets("SERVER", true, true, CMDLINE_TLS | CMDLINE_TLS_BOOTSTRAP);
    printf("\nOutput formatting options:\n"
           "  -f, --format=FORMAT         set output formatting to FORMAT\n"
           "                              (\"table\", \"html\", \"csv\", or \"json\")\n"
           "  --no-headings               omit table heading row\n"
           "  --pretty                    pretty-print JSON in output\n"
           "  --bare                      equivalent to \"--format=list --data=bare --no-headings\"\n"
           "  --timestamp                 timestamp \"monitor\" output\n");
    cmdline_usage_daemon();
    cmdline_usage_log();
    printf("\nOther options:\n"
           "  -t, --timeout=SECS          give up after SECS seconds\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n");
}

static void
parse_options(struct cmdline *cl)
{
    int id;

    while ((id = cmdline_next(cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_TIMESTAMP:
            opt_timestamp = true;
            break;
        case OPT_FORCE:
            opt_force = true;
            break;
        case OPT_TIMEOUT:
            cmdline_timeout(cl->arg, "-t or --timeout");
            break;
        case OPT_DB_CHANGE_AWARE:
        case OPT_NO_DB_CHANGE_AWARE:
            db_change_aware = id == OPT_DB_CHANGE_AWARE;
            break;
        case OPT_LEADER_ONLY:
        case OPT_NO_LEADER_ONLY:
            break; /* Only clusters have leaders. */
        default:
            cmdline_fatal_error(table_style_set(&style, id, cl->arg));
        }
    }
}

static const struct command *
find_command(const char *name)
{
    if (!name) {
        cmdline_fatal(0, "missing command name; use --help for help");
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    cmdline_fatal(0, "unknown command '%s'; use --help for help", name);
}

static void
take_first(struct client *c)
{
    c->argc--;
    c->argv++;
}

static void
open_server(struct client *c)
{
    int error;

    if (c->argc && (stream_target_is_active(c->argv[0]) || stream_target_is_passive(c->argv[0]))) {
        c->server = c->argv[0];
        take_first(c);
    } else {
        c->server = c->default_server = dirs_db_remote();
    }
    error = jsonrpc_client_open(c->server, STREAM_PORT_OVSDB, &c->rpc);
    if (error) {
        cmdline_fatal(error, "failed to connect to \"%s\"", c->server);
    }
    if (db_change_aware >= 0) {
        struct json *params = js_array();

        js_append_take(params, js_bool(db_change_aware));
        js_unref(client_call(c, "set_db_change_aware", params));
    }
}

/* The first argument if it names a database; else Open_vSwitch, or the only one that the server has. */
static void
choose_database(struct client *c, const struct command *command)
{
    const char **names = fetch_dbs(c);
    const char *only = NULL;
    size_t n = 0;

    for (size_t i = 0; names[i]; i++) {
        if (c->argc > command->min && !strcmp(names[i], c->argv[0])) {
            c->database = c->argv[0];
            take_first(c);
            free_names(names);
            return;
        }
        if (!strcmp(names[i], "Open_vSwitch")) {
            c->database = "Open_vSwitch";
        }
        if (names[i][0] != '_') {
            only = names[i];
            n++;
        }
    }
    if (!c->database && n != 1) {
        cmdline_fatal(0, "no default database for `%s' command, please specify a database name", command->name);
    }
    c->database = c->database ? c->database : xstrdup(only);
    free_names(names);
}

int
main(int argc, char *argv[])
{
    const struct command *command;
    struct client c = { NULL };
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON | CMDLINE_TLS | CMDLINE_TLS_BOOTSTRAP, options, ARRAY_SIZE(options),
                 usage);
    parse_options(&cl);
    if (daemon_is_detaching()) {
        cmdline_fatal(0, "--detach is not supported yet");
    }
    command = find_command(cl.argv[0]);
    c.argc = cl.argc - 1;
    c.argv = cl.argv + 1;
    if (command->need == NEED_NOTHING) {
        usage();
        return EXIT_SUCCESS;
    }
    open_server(&c);
    if (command->need == NEED_DATABASE) {
        choose_database(&c, command);
    }
    if (c.argc < command->min || c.argc > command->max) {
        cmdline_fatal(0, "invalid syntax for '%s' (use --help for help)", command->name);
    }
    command->run(&c);
    jsonrpc_client_close(c.rpc);
    free(c.default_server);
    if (fflush(stdout) || ferror(stdout)) {
        cmdline_fatal(0, "write to stdout failed");
    }
    return EXIT_SUCCESS;
}
