/* ovsdb-tool(1): database files, without a server. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-tool/tool.h"
#include "ovsdb/engine/convert.h"
#include "ovsdb/engine/exec.h"
#include "ovsdb/store/log.h"
#include "ovsdb/store/store.h"
#include "sys/cmdline.h"
#include "sys/dirs.h"
#include "sys/log.h"

#include "config.h"

enum { OPT_MORE, OPT_RBAC_ROLE, OPT_CID, OPT_ELECTION_TIMER };

static const struct cmdline_option options[] = {
    { "more", 'm', CMDLINE_NO_ARG, OPT_MORE },
    { "rbac-role", 0, CMDLINE_ARG, OPT_RBAC_ROLE },
    { "cid", 0, CMDLINE_ARG, OPT_CID },
    { "election-timer", 0, CMDLINE_ARG, OPT_ELECTION_TIMER },
};

unsigned int tool_more;

void
tool_fatal(struct dberr *e)
{
    if (e) {
        cmdline_fatal(0, "%s", dberr_to_string(e));
    }
}

const char *
tool_db_arg(const struct cmdline_ctx *ctx, int i)
{
    static char *default_db;

    if (i < ctx->argc) {
        return ctx->argv[i];
    }
    if (!default_db) {
        default_db = dirs_db_file();
    }
    return default_db;
}

static const char *
schema_arg(const struct cmdline_ctx *ctx, int i)
{
    static char *default_schema;

    if (i < ctx->argc) {
        return ctx->argv[i];
    }
    if (!default_schema) {
        default_schema = xasprintf("%s/vswitch.ovsschema", dirs_pkgdata());
    }
    return default_schema;
}

static struct schema *
read_schema(const char *path)
{
    struct schema *schema;

    tool_fatal(schema_from_file(&schema, path));
    return schema;
}

/* Opens a database file; with STORE_READ_ONLY without locking it. */
static struct store *
open_db(const char *path, int flags)
{
    struct store *store;

    tool_fatal(store_open(path, flags, &store));
    return store;
}

static void
close_db(struct store *store)
{
    tool_fatal(store_close(store));
}

static void
cmd_create(struct cmdline_ctx *ctx)
{
    struct schema *schema = read_schema(schema_arg(ctx, 2));

    tool_fatal(store_create(tool_db_arg(ctx, 1), schema, NULL, NULL));
    schema_unref(schema);
}

static void
cmd_compact(struct cmdline_ctx *ctx)
{
    static const char comment[] = "compacted by ovsdb-tool " WEFT_COMPAT_VERSION;
    const char *to = ctx->argc > 2 ? ctx->argv[2] : NULL;
    struct store *store = open_db(tool_db_arg(ctx, 1), to ? STORE_READ_ONLY : 0);

    if (to) {
        tool_fatal(store_create(to, store_db(store)->schema, store_db(store), comment));
    } else {
        tool_fatal(store_compact(store, comment));
    }
    close_db(store);
}

static void
cmd_convert(struct cmdline_ctx *ctx)
{
    static const char comment[] = "converted by ovsdb-tool " WEFT_COMPAT_VERSION;
    struct schema *schema = read_schema(schema_arg(ctx, 2));
    const char *to = ctx->argc > 3 ? ctx->argv[3] : NULL;
    struct store *store = open_db(tool_db_arg(ctx, 1), to ? STORE_READ_ONLY : 0);
    struct db *old = store_db(store), *converted;

    tool_fatal(db_convert(old, schema, &converted));
    if (to) {
        tool_fatal(store_create(to, schema, converted, comment));
        db_destroy(converted);
    } else {
        tool_fatal(store_convert(store, converted, comment));
        db_destroy(old);
    }
    close_db(store);
    schema_unref(schema);
}

static void
cmd_needs_conversion(struct cmdline_ctx *ctx)
{
    struct schema *schema = read_schema(schema_arg(ctx, 2));
    struct store *store = open_db(tool_db_arg(ctx, 1), STORE_READ_ONLY);

    puts(schema_equal(store_db(store)->schema, schema) ? "no" : "yes");
    close_db(store);
    schema_unref(schema);
}

static void
print_of_schema(const char *command, const struct schema *schema)
{
    const char *what = strchr(command, '-') + 1;

    puts(!strcmp(what, "name") ? schema->name : !strcmp(what, "version") ? schema->version : schema->cksum);
}

static void
cmd_db_facts(struct cmdline_ctx *ctx)
{
    struct store *store = open_db(tool_db_arg(ctx, 1), STORE_READ_ONLY);

    print_of_schema(ctx->argv[0], store_db(store)->schema);
    close_db(store);
}

static void
cmd_schema_facts(struct cmdline_ctx *ctx)
{
    struct schema *schema = read_schema(schema_arg(ctx, 1));

    print_of_schema(ctx->argv[0], schema);
    schema_unref(schema);
}

static void
cmd_compare_versions(struct cmdline_ctx *ctx)
{
    static const struct { const char *text; bool less, equal, greater; } operators[] = {
        { "<", true, false, false }, { "<=", true, true, false }, { "==", false, true, false },
        { ">=", false, true, true }, { ">", false, false, true }, { "!=", true, false, true },
    };
    const char *a = ctx->argv[1], *op = ctx->argv[2], *b = ctx->argv[3];
    int order;

    for (int i = 1; i <= 3; i += 2) {
        if (!schema_is_version(ctx->argv[i])) {
            cmdline_fatal(0, "%s: not an OVSDB version number in format x.y.z", ctx->argv[i]);
        }
    }
    order = schema_compare_versions(a, b);
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
        if (!strcmp(operators[i].text, op)) {
            exit((order < 0 ? operators[i].less : order > 0 ? operators[i].greater : operators[i].equal) ? 0 : 2);
        }
    }
    cmdline_fatal(0, "%s: not a relational operator", op);
}

/* Transactions. */

static struct json *
parse_transaction(const char *text, const struct db *db)
{
    struct json *json;
    struct error *error = js_parse_string(text, &json);

    if (error) {
        cmdline_fatal(0, "\"%s\": %s", text, error_text(error));
    }
    if (!js_is(json, JS_ARRAY) || !js_array_len(json) || !js_is(js_at(json, 0), JS_STRING) ||
        strcmp(js_str_value(js_at(json, 0)), db->schema->name)) {
        tool_fatal(dberr_syntax(json, "%s: database name expected", db->schema->name));
    }
    return json;
}

/* Runs the transaction on a file, and says what came of it when that is on the disk. */
static void
run_transaction(struct cmdline_ctx *ctx, bool read_only)
{
    const char *path = ctx->argc > 2 ? ctx->argv[1] : tool_db_arg(ctx, INT_MAX);
    struct store *store = open_db(path, read_only ? STORE_READ_ONLY : 0);
    struct exec_session session = { .read_only = read_only };
    struct json *params = parse_transaction(ctx->argv[ctx->argc - 1], store_db(store));
    struct exec_outcome out;
    char *text;

    exec_transact(store_db(store), params, 1, &session, INT64_MAX, &out);
    tool_fatal(store_flush(store));
    if (out.reply) {
        text = js_to_string(out.reply, JS_SORTED);
        puts(text);
        free(text);
    }
    exec_outcome_uninit(&out);
    js_unref(params);
    close_db(store);
}

static void
cmd_query(struct cmdline_ctx *ctx)
{
    run_transaction(ctx, true);
}

static void
cmd_transact(struct cmdline_ctx *ctx)
{
    run_transaction(ctx, false);
}

/* Exit status 0 if the file is of the kind that the command names, 2 if not. */
static void
cmd_is_kind(struct cmdline_ctx *ctx)
{
    enum log_kind wanted = !strcmp(ctx->argv[0], "db-is-clustered") ? LOG_CLUSTERED : LOG_STANDALONE, kind;
    struct log_reader *r;

    tool_fatal(log_reader_open(&store_io_system, ctx->argv[1], false, &r, &kind));
    log_reader_close(r);
    exit(kind == wanted ? 0 : 2);
}

static void
cmd_not_served(struct cmdline_ctx *ctx)
{
    cmdline_fatal(0, "%s: clustered databases are not supported yet", ctx->argv[0]);
}

static void cmd_list_commands(struct cmdline_ctx *);
static void usage(void);

static void
cmd_help(struct cmdline_ctx *ctx UNUSED)
{
    usage();
}

static const struct cmdline_command commands[] = {
    { "create", "[db [schema]]", 0, 2, cmd_create },
    { "create-cluster", "db contents local", 3, 3, cmd_not_served },
    { "join-cluster", "db name local remote...", 4, INT_MAX, cmd_not_served },
    { "compact", "[db [dst]]", 0, 2, cmd_compact },
    { "convert", "[db [schema [dst]]]", 0, 3, cmd_convert },
    { "needs-conversion", "", 0, 2, cmd_needs_conversion },
    { "db-name", "[db]", 0, 1, cmd_db_facts },
    { "db-version", "[db]", 0, 1, cmd_db_facts },
    { "db-cksum", "[db]", 0, 1, cmd_db_facts },
    { "db-cid", "db", 1, 1, cmd_not_served },
    { "db-sid", "db", 1, 1, cmd_not_served },
    { "db-local-address", "db", 1, 1, cmd_not_served },
    { "db-is-clustered", "db", 1, 1, cmd_is_kind },
    { "db-is-standalone", "db", 1, 1, cmd_is_kind },
    { "schema-name", "[schema]", 0, 1, cmd_schema_facts },
    { "schema-version", "[schema]", 0, 1, cmd_schema_facts },
    { "schema-cksum", "[schema]", 0, 1, cmd_schema_facts },
    { "query", "[db] trns", 1, 2, cmd_query },
    { "transact", "[db] trns", 1, 2, cmd_transact },
    { "show-log", "[db]", 0, 1, tool_show_log },
    { "check-cluster", "db...", 1, INT_MAX, cmd_not_served },
    { "compare-versions", "a op b", 3, 3, cmd_compare_versions },
    { "help", "", 0, INT_MAX, cmd_help },
    { "list-commands", "", 0, INT_MAX, cmd_list_commands },
    { "cluster-to-standalone", "db clusterdb", 2, 2, cmd_not_served },
};

static void
cmd_list_commands(struct cmdline_ctx *ctx UNUSED)
{
    printf("The available commands are:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %-23s %s\n", commands[i].name, commands[i].usage);
    }
}

static void
usage(void)
{
    struct cmdline_ctx none = { 0 };

    printf("%s: Open vSwitch database management utility\nusage: %s [OPTIONS] COMMAND [ARG...]\n", log_program(),
           log_program());
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %s %s\n", commands[i].name, commands[i].usage);
    }
    printf("The default DB is %s.\nThe default SCHEMA is %s.\n", tool_db_arg(&none, 1), schema_arg(&none, 1));
    cmdline_usage_log();
    printf("\nOther options:\n"
           "  -m, --more                  increase show-log verbosity\n"
           "  --rbac-role=ROLE            RBAC role for transact and query commands\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n");
}

int
main(int argc, char *argv[])
{
    struct cmdline cl;
    int id;

    cmdline_init(&cl, argc, argv, 0, options, ARRAY_SIZE(options), usage);
    while ((id = cmdline_next(&cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_MORE:
            tool_more++;
            break;
        case OPT_RBAC_ROLE:
            cmdline_fatal(0, "--rbac-role is not supported yet");
        case OPT_CID:
        case OPT_ELECTION_TIMER:
            cmdline_fatal(0, "clustered databases are not supported yet");
        }
    }
    cmdline_run(&cl, commands, ARRAY_SIZE(commands), NULL);
    return EXIT_SUCCESS;
}
