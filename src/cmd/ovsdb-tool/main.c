/* ovsdb-tool(1): database files, without a server. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-tool/tool.h"
#include "ovsdb/engine/convert.h"
#include "ovsdb/engine/exec.h"
#include "ovsdb/store/lockfile.h"
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
static const char *rbac_role;

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

static struct schema *
read_db_schema(const char *path)
{
    struct schema *schema;

    tool_fatal(store_read_schema(path, &schema));
    return schema;
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

/* Opens the file for compact and convert, which say in words of their own that somebody else has what they write. */
static struct store *
open_to_rewrite(const char *path, const char *to)
{
    const char *target = to ? to : path;
    char *real = store_real_path(target);
    struct lockfile *lock;
    int error = lockfile_lock(real, &lock);

    free(real);
    if (error) {
        cmdline_fatal(error, "%s: failed to lock lockfile", target);
    }
    lockfile_unlock(lock);
    return open_db(path, to ? STORE_READ_ONLY : 0);
}

static void
cmd_compact(struct cmdline_ctx *ctx)
{
    static const char comment[] = "compacted by ovsdb-tool " WEFT_COMPAT_VERSION;
    const char *to = ctx->argc > 2 ? ctx->argv[2] : NULL;
    struct store *store = open_to_rewrite(tool_db_arg(ctx, 1), to);

    struct dberr *error = to ? store_create(to, store_db(store)->schema, store_db(store), comment)
                             : store_compact(store, comment);

    close_db(store);
    tool_fatal(error);
}

static void
cmd_convert(struct cmdline_ctx *ctx)
{
    static const char comment[] = "converted by ovsdb-tool " WEFT_COMPAT_VERSION;
    struct schema *schema = read_schema(schema_arg(ctx, 2));
    const char *to = ctx->argc > 3 ? ctx->argv[3] : NULL;
    struct store *store = open_to_rewrite(tool_db_arg(ctx, 1), to);
    struct db *old = store_db(store), *converted = NULL;
    struct dberr *error = db_convert(old, schema, &converted);

    if (!error && to) {
        error = store_create(to, schema, converted, comment);
    } else if (!error) {
        error = store_convert(store, converted, comment);
    }
    /* The one that the store does not have, if any. */
    db_destroy(store_db(store) == old ? converted : old);
    close_db(store);
    schema_unref(schema);
    tool_fatal(error);
}

static void
cmd_needs_conversion(struct cmdline_ctx *ctx)
{
    struct schema *schema = read_schema(schema_arg(ctx, 2));
    struct schema *present = read_db_schema(tool_db_arg(ctx, 1));

    puts(schema_equal(present, schema) ? "no" : "yes");
    schema_unref(present);
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
    struct schema *schema = read_db_schema(tool_db_arg(ctx, 1));

    print_of_schema(ctx->argv[0], schema);
    schema_unref(schema);
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
parse_transaction(const char *text)
{
    struct json *json;
    struct error *error = js_parse_string(text, &json);

    if (!error && !js_is(json, JS_ARRAY) && !js_is(json, JS_OBJECT)) {
        error = error_new("line 1, column 1, byte 1: syntax error at beginning of input");
    }
    if (error) {
        cmdline_fatal(0, "\"%s\": %s", text, error_text(error));
    }
    return json;
}

/* Why 'params' is no transaction on 'db'; null if it may be one. */
static struct dberr *
check_params(const struct json *params, const struct db *db)
{
    const struct json *name = js_at(params, 0);

    if (!js_is(params, JS_ARRAY)) {
        return dberr_syntax(params, "array expected");
    } else if (!js_is(name, JS_STRING) || strcmp(js_str_value(name), db->schema->name)) {
        return dberr_syntax(params, "database name expected as first parameter");
    }
    return NULL;
}

/* Runs the transaction and sees to it that what it does is on the disk.  Returns the reply, to be released with
 * free(). */
static char *
execute(struct store *store, const struct json *params, bool read_only)
{
    struct exec_session session = {
        .read_only = read_only, .alone = true, .client.role = rbac_role, .format = JS_SORTED,
    };
    struct dberr *error = check_params(params, store_db(store));
    struct exec_outcome out;
    char *reply;

    if (error) {
        struct json *json = dberr_to_json(error);

        reply = js_to_string(json, JS_SORTED);
        js_unref(json);
        dberr_free(error);
        return reply;
    }
    exec_transact(store_db(store), params, 1, &session, 0, &out);
    tool_fatal(store_flush(store));
    reply = str_steal(&out.reply);
    exec_outcome_uninit(&out);
    return reply;
}

static void
run_transaction(struct cmdline_ctx *ctx, bool read_only)
{
    const char *path = ctx->argc > 2 ? ctx->argv[1] : tool_db_arg(ctx, INT_MAX);
    struct json *params = parse_transaction(ctx->argv[ctx->argc - 1]);
    struct store *store = open_db(path, read_only ? STORE_READ_ONLY : 0);
    char *reply = execute(store, params, read_only);

    puts(reply);
    free(reply);
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

    printf("%s: Open vSwitch database management utility\n"
           "usage: %s [OPTIONS] COMMAND [ARG...]\n"
           "  create [DB [SCHEMA]]    create DB with the given SCHEMA\n"
           "  [--election-timer=ms] create-cluster DB CONTENTS LOCAL\n"
           "    create clustered DB with given CONTENTS and LOCAL address\n"
           "  [--cid=UUID] join-cluster DB NAME LOCAL REMOTE...\n"
           "    join clustered DB with given NAME and LOCAL and REMOTE addrs\n"
           "  compact [DB [DST]]      compact DB in-place (or to DST)\n"
           "  convert [DB [SCHEMA [DST]]]   convert DB to SCHEMA (to DST)\n"
           "  db-name [DB]            report name of schema used by DB\n"
           "  db-version [DB]         report version of schema used by DB\n"
           "  db-cksum [DB]           report checksum of schema used by DB\n"
           "  db-cid DB               report cluster ID of clustered DB\n"
           "  db-sid DB               report server ID of clustered DB\n"
           "  db-local-address DB     report local address of clustered DB\n"
           "  db-is-clustered DB      test whether DB is clustered\n"
           "  db-is-standalone DB     test whether DB is standalone\n"
           "  schema-name [SCHEMA]    report SCHEMA's name\n"
           "  schema-version [SCHEMA] report SCHEMA's schema version\n"
           "  schema-cksum [SCHEMA]   report SCHEMA's checksum\n"
           "  compare-versions A OP B  compare OVSDB schema version numbers\n"
           "  query [DB] TRNS         execute read-only transaction on DB\n"
           "  transact [DB] TRNS      execute read/write transaction on DB\n"
           "  cluster-to-standalone DB DB    Convert clustered DB to\n"
           "      standalone DB when cluster is down and cannot be\n"
           "        revived\n"
           "  [-m]... show-log [DB]   print DB's log entries\n", log_program(), log_program());
    printf("The default DB is %s.\nThe default SCHEMA is %s.\n", tool_db_arg(&none, 1), schema_arg(&none, 1));
    cmdline_usage_log();
    printf("\nOther options:\n"
           "  -m, --more                  increase show-log verbosity\n"
           "  --rbac-role=ROLE            RBAC role for transact and query commands\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n");
}

static void
describe(const void *aux UNUSED)
{
    cmdline_describe_commands(commands, ARRAY_SIZE(commands));
}

int
main(int argc, char *argv[])
{
    struct cmdline cl;
    int id;

    cmdline_init(&cl, argc, argv, 0, options, ARRAY_SIZE(options), usage);
    cmdline_set_describe(describe, NULL);
    while ((id = cmdline_next(&cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_MORE:
            tool_more++;
            break;
        case OPT_RBAC_ROLE:
            rbac_role = cl.arg;
            break;
        case OPT_CID:
        case OPT_ELECTION_TIMER:
            cmdline_fatal(0, "clustered databases are not supported yet");
        }
    }
    cmdline_run(&cl, commands, ARRAY_SIZE(commands), NULL);
    return EXIT_SUCCESS;
}
