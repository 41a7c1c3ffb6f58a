/* ovs-dpctl(8): looks at datapaths, and changes them by hand.
 *
 * A userspace datapath lives inside ovs-vswitchd, so each command is handed to the daemon's dpctl/COMMAND over its
 * control socket.  The reference's tool has only the kernel's datapath to talk to and sees nothing of the others. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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
#define DPCTL(NAME, USAGE, MIN, MAX, ACCESS, RUN) { NAME, USAGE, MIN, MAX, ACCESS },
#include "odp/dpctl.def"
};

/* Options to pass on, then the command's arguments. */
static char *args[128];
static int n_args;
static bool read_only;

static void
usage(void)
{
    printf("%s: Open vSwitch datapath management utility\nusage: %s [OPTIONS] COMMAND [ARG...]\n", log_program(),
           log_program());
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %s %s\n", commands[i].name, commands[i].usage);
    }
    printf("DP is optional where there is only one datapath.\n");
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
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %-23s %s\n", commands[i].name, commands[i].usage);
    }
}

/* The daemon's complaints begin with its own name. */
static void
complain(const char *text)
{
    static const char daemon[] = "ovs-vswitchd: ";

    if (!strncmp(text, daemon, strlen(daemon))) {
        text += strlen(daemon);
    }
    cmdline_fatal(0, "%.*s", (int) strcspn(text, "\n"), text);
}

static void
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
        complain(complaint);
    }
    if (js_is(result, JS_STRING)) {
        const char *text = js_str_value(result);

        fputs(text, stdout);
        if (text[0] && text[strlen(text) - 1] != '\n') {
            putchar('\n');
        }
    }
    js_unref(result);
    ctl_client_close(client);
    free(command);
    free(path);
}

int
main(int argc, char *argv[])
{
    const struct command *command;
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, 0, options, ARRAY_SIZE(options), usage);
    parse_options(&cl);
    command = find_command(cl.argc, cl.argv);
    if (!strcmp(command->name, "list-commands")) {
        list_commands();
        return EXIT_SUCCESS;
    }
    for (int i = 1; i < cl.argc && n_args < (int) ARRAY_SIZE(args); i++) {
        args[n_args++] = xstrdup(cl.argv[i]);
    }
    run(command->name);
    for (int i = 0; i < n_args; i++) {
        free(args[i]);
    }
    return EXIT_SUCCESS;
}
