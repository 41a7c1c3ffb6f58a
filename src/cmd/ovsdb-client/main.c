#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ovsdb-client/oc.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream.h"

LOG_MODULE(ovsdb_client)

enum { OPT_TIMEOUT, OPT_TIMESTAMP, OPT_FORCE, OPT_AWARE, OPT_NOT_AWARE, OPT_LEADER, OPT_NO_LEADER, OPT_UNSUPPORTED };

static const struct cmdline_option options[] = {
    TABLE_OPTIONS,
    { "timeout", 't', CMDLINE_ARG, OPT_TIMEOUT },
    { "timestamp", 0, CMDLINE_NO_ARG, OPT_TIMESTAMP },
    { "force", 0, CMDLINE_NO_ARG, OPT_FORCE },
    { "db-change-aware", 0, CMDLINE_NO_ARG, OPT_AWARE },
    { "no-db-change-aware", 0, CMDLINE_NO_ARG, OPT_NOT_AWARE },
    { "leader-only", 0, CMDLINE_NO_ARG, OPT_LEADER },
    { "no-leader-only", 0, CMDLINE_NO_ARG, OPT_NO_LEADER },
    { "record", 0, CMDLINE_OPTIONAL_ARG, OPT_UNSUPPORTED },
    { "replay", 0, CMDLINE_OPTIONAL_ARG, OPT_UNSUPPORTED },
};

enum { DATABASE = 1, DAEMON = 2, CONNECTS_ITSELF = 4 };

static const struct command {
    const char *name;
    int flags, min_args, max_args; /* Arguments after SERVER and DATABASE. */
    void (*run)(struct oc *);
    const char *usage, *help;
} commands[] = {
    { "list-dbs", 0, 0, 0, oc_list_databases, "list-dbs [SERVER]", "list databases available on SERVER" },
    { "get-schema", DATABASE, 0, 0, oc_show_schema, "get-schema [SERVER] [DATABASE]",
      "retrieve schema for DATABASE from SERVER" },
    { "get-schema-version", DATABASE, 0, 0, oc_show_schema_version, "get-schema-version [SERVER] [DATABASE]",
      "retrieve schema for DATABASE from SERVER and report only its\n    version number on stdout" },
    { "get-schema-cksum", DATABASE, 0, 0, oc_show_schema_cksum, "get-schema-cksum [SERVER] [DATABASE]",
      "retrieve schema for DATABASE from SERVER and report only its\n    checksum on stdout" },
    { "list-tables", DATABASE, 0, 0, oc_list_tables, "list-tables [SERVER] [DATABASE]",
      "list tables for DATABASE on SERVER" },
    { "list-columns", DATABASE, 0, 1, oc_list_columns, "list-columns [SERVER] [DATABASE] [TABLE]",
      "list columns in TABLE (or all tables) in DATABASE on SERVER" },
    { "transact", CONNECTS_ITSELF, 1, 1, oc_transact, "transact [SERVER] TRANSACTION",
      "run TRANSACTION (params for \"transact\" request) on SERVER\n    and print the results as JSON on stdout" },
    { "query", CONNECTS_ITSELF, 1, 1, oc_query, "query [SERVER] TRANSACTION",
      "run TRANSACTION (params for \"transact\" request) on SERVER,\n"
      "    as read-only, and print the results as JSON on stdout" },
    { "monitor", DATABASE | DAEMON, 1, INT_MAX, oc_monitor, "monitor [SERVER] [DATABASE] TABLE [COLUMN,...]...",
      "monitor contents of COLUMNs in TABLE in DATABASE on SERVER.\n"
      "    COLUMNs may include !initial, !insert, !delete, !modify\n"
      "    to avoid seeing the specified kinds of changes.\n\n"
      "  monitor [SERVER] [DATABASE] ALL\n    monitor all changes to all columns in all tables" },
    { "monitor-cond", DATABASE | DAEMON, 2, INT_MAX, oc_monitor_cond,
      "monitor-cond [SERVER] [DATABASE] CONDITION TABLE [COLUMN,...]...",
      "monitor contents that match CONDITION of COLUMNs in TABLE in\n    DATABASE on SERVER." },
    { "monitor-cond-since", DATABASE | DAEMON, 2, INT_MAX, oc_monitor_cond_since,
      "monitor-cond-since [SERVER] [DATABASE] [LASTID] CONDITION TABLE [COLUMN,...]...",
      "monitor contents that match CONDITION of COLUMNs in TABLE in\n"
      "    DATABASE on SERVER, since change after LASTID." },
    { "wait", CONNECTS_ITSELF, 2, 2, oc_wait, "wait [SERVER] DATABASE STATE",
      "wait until DATABASE reaches STATE (\"added\" or \"connected\" or \"removed\")\n    in DATABASE on SERVER." },
    { "convert", CONNECTS_ITSELF, 1, 1, oc_convert, "convert [SERVER] SCHEMA",
      "convert database on SERVER named in SCHEMA to SCHEMA." },
    { "needs-conversion", CONNECTS_ITSELF, 1, 1, oc_needs_conversion, "needs-conversion [SERVER] SCHEMA",
      "tests whether SCHEMA's db on SERVER needs conversion." },
    { "dump", DATABASE, 0, INT_MAX, oc_dump, "dump [SERVER] [DATABASE] [TABLE [COLUMN]...]",
      "dump contents of DATABASE on SERVER to stdout" },
    { "backup", DATABASE, 0, 0, oc_backup, "backup [SERVER] [DATABASE] > SNAPSHOT",
      "dump database contents in the form of a database file" },
    { "restore", DATABASE, 0, 0, oc_restore, "[--force] restore [SERVER] [DATABASE] < SNAPSHOT",
      "restore database contents from a database file" },
    { "lock", DAEMON, 1, 1, oc_lock, "lock [SERVER] LOCK", "create or wait for LOCK in SERVER" },
    { "steal", DAEMON, 1, 1, oc_steal, "steal [SERVER] LOCK", "steal LOCK from SERVER" },
    { "unlock", DAEMON, 1, 1, oc_unlock, "unlock [SERVER] LOCK", "unlock LOCK from SERVER" },
};

static void
usage(void)
{
    printf("%s: Open vSwitch database JSON-RPC client\n"
           "usage: %s [OPTIONS] COMMAND [ARG...]\n\nValid commands are:\n", log_program(), log_program());
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("\n  %s\n    %s\n", commands[i].usage, commands[i].help);
    }
    printf("\nThe default SERVER is unix:%s/db.sock.\nThe default DATABASE is Open_vSwitch.\n", dirs_run());
    cmdline_usage_targets("SERVER", true, true, CMDLINE_TLS | CMDLINE_TLS_BOOTSTRAP);
    printf("\nOutput formatting options:\n"
           "  -f, --format=FORMAT         set output formatting to FORMAT\n"
           "                              (\"table\", \"html\", \"csv\", or \"json\")\n"
           "  -d, --data=FORMAT           set table cell output formatting to\n"
           "                              FORMAT (\"string\", \"bare\", or \"json\")\n"
           "  --no-headings               omit table heading row\n"
           "  --pretty                    pretty-print JSON in output\n"
           "  --bare                      equivalent to \"--format=list --data=bare --no-headings\"\n"
           "  --timestamp                 timestamp \"monitor\" output\n");
    cmdline_usage_daemon();
    cmdline_usage_log();
    printf("\nOther options:\n"
           "  -t, --timeout=SECS          wait at most SECS seconds\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n");
}

static void
parse_options(struct oc *oc, struct cmdline *cl)
{
    int id;

    while ((id = cmdline_next(cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_TIMEOUT:
            cmdline_timeout(cl->arg, "-t or --timeout");
            break;
        case OPT_TIMESTAMP:
            oc->timestamp = true;
            break;
        case OPT_FORCE:
            oc->force = true;
            break;
        case OPT_AWARE:
        case OPT_NOT_AWARE:
            oc->change_aware = id == OPT_AWARE;
            break;
        case OPT_LEADER:
        case OPT_NO_LEADER:
            oc->any_server = id == OPT_NO_LEADER;
            break;
        case OPT_UNSUPPORTED:
            cmdline_fatal(0, "--%s is not supported yet", cl->option);
        default:
            cmdline_fatal_error(table_style_set(&oc->style, id, cl->arg));
        }
    }
}

static void
run(struct oc *oc, const struct command *c)
{
    oc_take_server(oc, c->min_args);
    if (oc->change_aware < 0) {
        oc->change_aware = (c->flags & DATABASE) && (c->flags & DAEMON); /* A monitor. */
    }
    if (c->flags & DAEMON) {
        daemon_keep_open(STDOUT_FILENO);
        if (c->flags & DATABASE) {
            daemon_keep_open(STDERR_FILENO);
        }
        daemon_start();
    }
    if (c->flags & DATABASE) {
        oc_connect_to_database(oc, c->min_args);
    } else if (!(c->flags & CONNECTS_ITSELF)) {
        oc_connect(oc, NULL);
    }
    if (oc->argc < c->min_args || oc->argc > c->max_args) {
        cmdline_fatal(0, "invalid syntax for '%s' (use --help for help)", c->name);
    }
    c->run(oc);
    jsonrpc_client_close(oc->rpc);
    free(oc->database);
    free(oc->own_server);
    if (fflush(stdout)) {
        cmdline_fatal(0, "cannot write the output");
    }
}

/* The arguments stand in the usage behind the name (and what stands before that). */
static void
describe(const void *aux UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const char *name = strstr(commands[i].usage, commands[i].name);

        cmdline_describe_command(commands[i].name, "", name ? name + strlen(commands[i].name) : "");
    }
    cmdline_describe_words("SERVER", stream_put_methods);
}

int
main(int argc, char *argv[])
{
    struct oc oc = { .style = TABLE_STYLE_INIT(TABLE_TABLE), .change_aware = -1 };
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON | CMDLINE_TLS | CMDLINE_TLS_BOOTSTRAP, options, ARRAY_SIZE(options),
                 usage);
    cmdline_set_describe(describe, NULL);
    parse_options(&oc, &cl);
    if (!cl.argc) {
        cmdline_fatal(0, "missing command name; use --help for help");
    }
    if (!strcmp(cl.argv[0], "help")) {
        usage();
        return EXIT_SUCCESS;
    }
    oc.argc = cl.argc - 1;
    oc.argv = cl.argv + 1;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, cl.argv[0])) {
            run(&oc, &commands[i]);
            return EXIT_SUCCESS;
        }
    }
    cmdline_fatal(0, "unknown command '%s'; use --help for help", cl.argv[0]);
}
