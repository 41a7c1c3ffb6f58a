/* ovs-appctl(8): sends one command to a running daemon and prints its answer. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/client.h"
#include "sys/cmdline.h"
#include "sys/log.h"
#include "sys/stream.h"

enum { OPT_TARGET, OPT_TIMEOUT, OPT_FORMAT, OPT_PRETTY, OPT_EXECUTE, OPT_OPTION };

static const struct cmdline_option options[] = {
    { "target", 't', CMDLINE_ARG, OPT_TARGET },
    { "execute", 'e', CMDLINE_NO_ARG, OPT_EXECUTE },
    { "format", 'f', CMDLINE_ARG, OPT_FORMAT },
    { "pretty", 0, CMDLINE_NO_ARG, OPT_PRETTY },
    { "timeout", 'T', CMDLINE_ARG, OPT_TIMEOUT },
    { "option", 'o', CMDLINE_NO_ARG, OPT_OPTION },
};

static const char *target = "ovs-vswitchd";
static bool json_format, pretty;

static void
usage(void)
{
    printf("%s, for querying and controlling Open vSwitch daemon\n"
           "usage: %s [TARGET] COMMAND [ARG...]\n"
           "Targets:\n"
           "  -t, --target=TARGET  pidfile or socket to contact\n"
           "Common commands:\n"
           "  list-commands      List commands supported by the target\n"
           "  version            Print version of the target\n"
           "  vlog/list          List current logging levels\n"
           "  vlog/list-pattern  List logging patterns for each destination.\n"
           "  vlog/set [SPEC]\n"
           "      Set log levels as detailed in SPEC, which may include:\n"
           "      A valid module name (all modules, by default)\n"
           "      'syslog', 'console', 'file' (all destinations, by default))\n"
           "      'off', 'emer', 'err', 'warn', 'info', or 'dbg' ('dbg', by default)\n"
           "  vlog/reopen        Make the program reopen its log file\n"
           "Other options:\n"
           "  --timeout=SECS     wait at most SECS seconds for a response\n"
           "  -f, --format=FMT   Output format. One of: 'json', or 'text'\n"
           "                     ('text', by default)\n"
           "  --pretty           Pretty-print JSON output. Valid only with --format=json\n"
           "  -h, --help         Print this helpful information\n"
           "  -V, --version      Display %s version information\n", log_program(), log_program(), log_program());
}

static void
print_options(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const char *arg = options[i].arg == CMDLINE_ARG ? "ARG" : "";

        printf("--%s%s%s\n", options[i].name, *arg ? "=" : "", arg);
        if (options[i].letter) {
            printf("-%c %s\n", options[i].letter, arg);
        }
    }
    exit(EXIT_SUCCESS);
}

static void
parse_options(struct cmdline *cl)
{
    int id;

    while ((id = cmdline_next(cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_TARGET:
            target = cl->arg;
            break;
        case OPT_TIMEOUT:
            cmdline_timeout(cl->arg, "-T or --timeout");
            break;
        case OPT_FORMAT:
            if (strcasecmp(cl->arg, "json") && strcasecmp(cl->arg, "text")) {
                cmdline_fatal(0, "value %s on -f or --format is invalid", cl->arg);
            }
            json_format = !strcasecmp(cl->arg, "json");
            break;
        case OPT_PRETTY:
            pretty = true;
            break;
        case OPT_EXECUTE:
            break; /* What every command is; accepted for old scripts. */
        case OPT_OPTION:
            print_options();
        }
    }
    if (!cl->argc) {
        cmdline_fatal(0, "at least one non-option argument is required (use --help for help)");
    }
    if (pretty && !json_format) {
        cmdline_fatal(0, "--pretty is supported with --format json only");
    }
}

/* Runs a command; exits as documented where it fails. */
static struct json *
call(struct ctl_client *client, const char *command, int argc, char *argv[])
{
    struct json *result;
    char *text;
    int error = ctl_client_call(client, command, argc, argv, &result, &text);

    if (error) {
        cmdline_fatal(error, "%s: transaction error", target);
    }
    if (text) {
        fputs(text, stderr);
        cmdline_complain(0, "%s: server returned an error", target);
        free(text);
        ctl_client_close(client);
        exit(2);
    }
    return result;
}

static void
print(const struct json *result)
{
    char *text;

    if (!json_format) {
        if (!js_is(result, JS_STRING)) {
            cmdline_complain(0, "%s: unexpected result type in JSON rpc reply: %s", target,
                             js_type_name(js_type(result)));
            cmdline_fatal(0, "%s: transaction error (Invalid argument)", target);
        }
        text = xstrdup(js_str_value(result));
    } else {
        text = js_to_string(result, JS_SORTED | (pretty ? JS_PRETTY : 0));
    }
    fputs(text, stdout);
    if (text[0] && text[strlen(text) - 1] != '\n') {
        putchar('\n');
    }
    free(text);
}

int
main(int argc, char *argv[])
{
    char format[] = "--format", name[] = "json", *set_json[] = { format, name };
    struct ctl_client *client;
    struct json *result;
    struct cmdline cl;
    char *path;

    cmdline_init(&cl, argc, argv, CMDLINE_STOP_AT_ARG, options, ARRAY_SIZE(options), usage);
    log_set_levels(LOG_TO_CONSOLE, LOG_LEVEL_WARN);
    parse_options(&cl);
    cmdline_fatal_error(ctl_client_find(target, &path));
    cmdline_fatal_error(ctl_client_open(path, &client));
    free(path);
    if (json_format) {
        js_unref(call(client, "set-options", 2, set_json));
    }
    result = call(client, cl.argv[0], cl.argc - 1, cl.argv + 1);
    print(result);
    js_unref(result);
    ctl_client_close(client);
    if (fflush(stdout)) {
        cmdline_fatal(0, "cannot write the output");
    }
    return EXIT_SUCCESS;
}
