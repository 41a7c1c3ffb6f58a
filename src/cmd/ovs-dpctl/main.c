/* ovs-dpctl(8): looks at datapaths, and changes them by hand.
 *
 * A userspace datapath lives inside ovs-vswitchd, so each command is handed to the daemon's dpctl/COMMAND over its
 * control socket.  The reference's tool has only the kernel's datapath to talk to and sees nothing of the others. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/client.h"
#include "sys/cmdline.h"
#include "sys/log.h"

enum { OPT_STATISTICS, OPT_MORE, OPT_NAMES, OPT_NO_NAMES, OPT_MAY_CREATE, OPT_READ_ONLY, OPT_CLEAR, OPT_TIMEOUT };

static const struct cmdline_option options[] = {
    { "statistics", 's', CMDLINE_NO_ARG, OPT_STATISTICS },
    { "more", 'm', CMDLINE_NO_ARG, OPT_MORE },
    { "names", 0, CMDLINE_NO_ARG, OPT_NAMES },
    { "no-names", 0, CMDLINE_NO_ARG, OPT_NO_NAMES },
    { "may-create", 0, CMDLINE_NO_ARG, OPT_MAY_CREATE },
    { "read-only", 0, CMDLINE_NO_ARG, OPT_READ_ONLY },
    { "clear", 0, CMDLINE_NO_ARG, OPT_CLEAR },
    { "timeout", 't', CMDLINE_ARG, OPT_TIMEOUT },
};

struct command {
    const char *name, *usage;
    int min, max;
    bool writes;
};

#define MANY INT_MAX
#define RO false
#define RW true
static const struct command commands[] = {
    { "help", "", 0, MANY, RO },
#define DPCTL(NAME, USAGE, MIN, MAX, ACCESS, RUN) { NAME, USAGE, MIN, MAX, ACCESS },
#include "odp/dpctl.def"
};

/* Options to pass on, then the command's arguments. */
static char *args[128];
static int n_args;
static bool read_only;
static char *stdin_copy; /* Name of a file; null: none. */

static void
usage(void)
{
    printf("%s: Open vSwitch datapath management utility\nusage: %s [OPTIONS] COMMAND [ARG...]\n", log_program(),
           log_program());
    printf("  add-dp DP [IFACE...]     add new datapath DP (with IFACEs)\n"
           "  del-dp DP                delete local datapath DP\n"
           "  add-if DP IFACE...       add each IFACE as a port on DP\n"
           "  set-if DP IFACE...       reconfigure each IFACE within DP\n"
           "  del-if DP IFACE...       delete each IFACE from DP\n"
           "  dump-dps                 display names of all datapaths\n"
           "  show                     show basic info on all datapaths\n"
           "  show DP...               show basic info on each DP\n"
           "  dump-flows [DP]          display flows in DP\n"
           "  add-flow [DP] FLOW ACTIONS add FLOW with ACTIONS to DP\n"
           "  add-flows [DP] FILE        add flows from FILE\n"
           "  mod-flow [DP] FLOW ACTIONS change FLOW actions to ACTIONS in DP\n"
           "  mod-flows [DP] FILE        change flows from FILE\n"
           "  get-flow [DP] ufid:UFID    fetch flow corresponding to UFID\n"
           "  del-flow [DP] FLOW         delete FLOW from DP\n"
           "  del-flows [DP] [FILE]      delete all or specified flows from DP\n"
           "  cache-get-size [DP]             Show the current size for all caches\n"
           "  cache-set-size DP CACHE SIZE  Set cache size for a specific cache\n"
           "  dump-conntrack [DP] [zone=ZONE]  display conntrack entries for ZONE\n"
           "  flush-conntrack [DP] [zone=ZONE] [ct-tuple]delete matched conntrack entries in ZONE\n"
           "  ct-stats-show [DP] [zone=ZONE] [verbose] CT connections grouped by protocol\n"
           "  ct-bkts [DP] [gt=N] display connections per CT bucket\n"
           "Each IFACE on add-dp, add-if, and set-if may be followed by\n"
           "comma-separated options.  See ovs-dpctl(8) for syntax, or the\n"
           "Interface table in ovs-vswitchd.conf.db(5) for an options list.\n"
           "For COMMAND dump-flows, add-flow, add-flows, mod-flow,\n"
           "mod-flows, del-flow and del-flows, DP is optional if there is\n"
           "only one datapath.\n");
    cmdline_usage_log();
    printf("\nOptions for show and mod-flow:\n"
           "  -s,  --statistics           print statistics for port or flow\n"
           "\nOptions for dump-flows:\n"
           "  -m, --more                  increase verbosity of output\n"
           "  --names                     use port names in output\n"
           "\nOptions for mod-flow:\n"
           "  --may-create                create flow if it doesn't exist\n"
           "  --read-only                 do not run read/write commands\n"
           "  --clear                     reset existing stats to zero\n"
           "\nOther options:\n"
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
        case OPT_TIMEOUT:
            cmdline_timeout(cl->arg, "-t or --timeout");
            break;
        case OPT_READ_ONLY:
            read_only = true;
            break;
        default:
            if (n_args < 16) {
                args[n_args++] = xasprintf("--%s", options[id].name);
            }
        }
    }
}

static const struct command *
find_command(int argc, char *argv[])
{
    if (!argc) {
        cmdline_fatal(0, "missing command name; use --help for help");
    }
    for (const struct command *c = commands; c < commands + ARRAY_SIZE(commands); c++) {
        if (!strcmp(c->name, argv[0])) {
            if (argc - 1 < c->min) {
                cmdline_fatal(0, "'%s' command requires at least %d arguments", c->name, c->min);
            } else if (argc - 1 > c->max) {
                cmdline_fatal(0, "'%s' command takes at most %d arguments", c->name, c->max);
            } else if (c->writes && read_only) {
                cmdline_fatal(0, "'%s' command does not work in read only mode", c->name);
            }
            return c;
        }
    }
    cmdline_fatal(0, "unknown command '%s'; use --help for help", argv[0]);
}

static void
list_commands(void)
{
    printf("The available commands are:\n");
    for (const struct command *c = commands; c < commands + ARRAY_SIZE(commands); c++) {
        printf("  %-23s %s\n", c->name, c->usage);
    }
}

#define DAEMON "ovs-vswitchd: "

/* The daemon's complaints begin with its own name: they are ours here. */
static void
put_text(FILE *to, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        if (!strncmp(text, DAEMON, strlen(DAEMON))) {
            fprintf(to, "%s: ", log_program());
            text += strlen(DAEMON);
            n -= strlen(DAEMON);
        }
        fprintf(to, "%.*s\n", (int) n, text);
        text += n + (text[n] == '\n');
    }
}

/* What the daemon said before its first complaint is output. */
static void
put_complaint(const char *text)
{
    const char *line = text;

    while (*line && strncmp(line, DAEMON, strlen(DAEMON))) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    if (*line) {
        printf("%.*s", (int) (line - text), text);
        text = line;
    }
    put_text(stderr, text);
}

static void
remove_stdin_copy(void)
{
    unlink(stdin_copy);
    free(stdin_copy);
}

/* Standard input as a file that the daemon can read; removed at exit, also when an error ends the program. */
static char *
copy_of_stdin(void)
{
    char buffer[65536];
    size_t n;
    FILE *to;
    int fd;

    stdin_copy = xstrdup("/tmp/ovs-dpctl.XXXXXX");
    fd = mkstemp(stdin_copy);
    if (fd < 0) {
        cmdline_fatal(errno, "%s", stdin_copy);
    }
    atexit(remove_stdin_copy);
    if (fchmod(fd, 0644) || !(to = fdopen(fd, "w"))) {
        cmdline_fatal(errno, "%s", stdin_copy);
    }
    while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        fwrite(buffer, 1, n, to);
    }
    if (fclose(to)) {
        cmdline_fatal(errno, "%s", stdin_copy);
    }
    return xstrdup(stdin_copy);
}

/* The daemon reads the file, from another directory than ours. */
static char *
file_argument(const char *name)
{
    char *path = strcmp(name, "-") ? realpath(name, NULL) : copy_of_stdin();

    return path ? path : xstrdup(name); /* It may be a datapath, or the daemon says what is wrong. */
}

/* Real arguments come behind the options. */
static void
put_arguments(const char *name, int argc, char *argv[])
{
    bool has_file = !strcmp(name, "add-flows") || !strcmp(name, "mod-flows") || !strcmp(name, "del-flows");

    for (int i = 1; i < argc && n_args < (int) ARRAY_SIZE(args); i++) {
        args[n_args++] = has_file && i == argc - 1 ? file_argument(argv[i]) : xstrdup(argv[i]);
    }
}

static bool
run(const char *name)
{
    char *path, *command = xasprintf("dpctl/%s", name), *complaint;
    struct ctl_client *client;
    struct json *result;
    int error;

    cmdline_fatal_error(ctl_client_find("ovs-vswitchd", &path));
    cmdline_fatal_error(ctl_client_open(path, &client));
    error = ctl_client_call(client, command, n_args, args, &result, &complaint);
    if (error) {
        cmdline_fatal(error, "%s", path);
    }
    if (complaint) {
        put_complaint(complaint);
    } else if (js_is(result, JS_STRING)) {
        put_text(stdout, js_str_value(result));
    }
    js_unref(result);
    ctl_client_close(client);
    free(command);
    free(path);
    if (complaint) {
        free(complaint);
        return false;
    }
    return true;
}

static void
describe(const void *aux UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        cmdline_describe_command(commands[i].name, "", commands[i].usage);
    }
}

int
main(int argc, char *argv[])
{
    const struct command *command;
    struct cmdline cl;
    bool ok;

    cmdline_init(&cl, argc, argv, 0, options, ARRAY_SIZE(options), usage);
    cmdline_set_describe(describe, NULL);
    parse_options(&cl);
    command = find_command(cl.argc, cl.argv);
    if (!strcmp(command->name, "help")) {
        usage();
        return EXIT_SUCCESS;
    }
    if (!strcmp(command->name, "list-commands")) {
        list_commands();
        return EXIT_SUCCESS;
    }
    put_arguments(command->name, cl.argc, cl.argv);
    ok = run(command->name);
    for (int i = 0; i < n_args; i++) {
        free(args[i]);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
