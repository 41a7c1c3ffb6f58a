/* The table of the dpctl commands, their options, and which datapath is meant. */
#include "ofproto/dpctl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/netdev.h"

struct dpctl_command {
    const char *name, *usage;
    int min, max;
    dpctl_run *run;
};

#define MANY INT_MAX
static const struct dpctl_command commands[] = {
#define DPCTL(NAME, USAGE, MIN, MAX, ACCESS, RUN) { NAME, USAGE, MIN, MAX, dpctl_run_##RUN },
#include "odp/dpctl.def"
};

void
dpctl_fail(struct dpctl *d, int error, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    str_putf(&d->out, error ? "ovs-vswitchd: %s (%s)\n" : "ovs-vswitchd: %s\n", text, strerror(-error));
    free(text);
    d->failed = true;
}

static const char *
port_name(const struct odp_names *n, odp_port port)
{
    const struct dp_names *dn = CONTAINER_OF(n, struct dp_names, names);
    struct netdev *netdev = dn->dp->class->port_netdev(dn->dp, port);

    return netdev ? netdev->name : NULL;
}

static void
compare_name(void *dn_, odp_port port, struct netdev *netdev)
{
    struct dp_names *dn = dn_;

    if (!strcmp(netdev->name, dn->find_name)) {
        dn->found = port;
    }
}

static bool
port_find(const struct odp_names *n, const char *name, odp_port *port)
{
    struct dp_names *dn = CONTAINER_OF(n, struct dp_names, names);

    dn->find_name = name;
    dn->found = ODP_PORT_NONE;
    dn->dp->class->port_for_each(dn->dp, compare_name, dn);
    *port = dn->found;
    return !odp_port_equal(dn->found, ODP_PORT_NONE);
}

struct dp_names
dp_names_of(struct datapath *dp)
{
    return (struct dp_names) { .names = { port_name, port_find }, .dp = dp };
}

bool
dpctl_find_dp(struct dpctl *d, int n)
{
    struct dpctl_dp found = { .dp = NULL };

    if (d->argc > n) {
        if (!dpctl_dp_by_name(d->argv[0], &found)) {
            dpctl_fail(d, -EINVAL, "datapath not found");
        }
        d->argc--;
        d->argv++;
    } else {
        size_t n_dps;
        struct dpctl_dp *all = dpctl_dps(&n_dps);

        if (n_dps == 1) {
            found = all[0];
        } else {
            dpctl_fail(d, 0, n_dps ? "multiple datapaths, specify one" : "no datapaths exist");
            dpctl_fail(d, -EINVAL, "datapath not found");
        }
        free(all);
    }
    d->dp = found.dp;
    d->type = found.type;
    return found.dp != NULL;
}

void
dpctl_run_list_commands(struct dpctl *d)
{
    str_puts(&d->out, "The available commands are:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        str_putf(&d->out, "  dpctl/%-23s %s\n", commands[i].name, commands[i].usage);
    }
}

/* Takes the options off the front; false at one that is unknown. */
static bool
take_options(struct dpctl *d)
{
    for (; d->argc && d->argv[0][0] == '-' && d->argv[0][1]; d->argc--, d->argv++) {
        const char *o = d->argv[0];

        if (!strcmp(o, "-m") || !strcmp(o, "--more")) {
            d->more = true;
        } else if (!strcmp(o, "-s") || !strcmp(o, "--statistics")) {
            d->statistics = true;
        } else if (!strcmp(o, "--names")) {
            d->names = DPCTL_NAMES;
        } else if (!strcmp(o, "--no-names")) {
            d->names = DPCTL_NO_NAMES;
        } else if (!strcmp(o, "--may-create")) {
            d->may_create = true;
        } else if (!strcmp(o, "--clear")) {
            d->clear = true;
        } else {
            str_putf(&d->out, "Unrecognized option %s", o);
            return false;
        }
    }
    return true;
}

void
dpctl_end(struct dpctl *d)
{
    if (d->failed) {
        ctl_reply_error(d->request, "%s", str_text(&d->out));
    } else {
        ctl_reply(d->request, str_text(&d->out));
    }
    dpctl_free(d);
}

void
dpctl_free(struct dpctl *d)
{
    str_uninit(&d->out);
    free(d);
}

/* The command's function has returned. */
static void
settle(struct dpctl *d)
{
    if (d->job) {
        ctl_reply_by_job(d->request, d->job);
    } else if (!d->goes_on) {
        dpctl_end(d);
    }
}

static struct dpctl *
dpctl_begin(struct ctl_request *r, int argc, const char *argv[])
{
    struct dpctl *d = xzalloc(sizeof *d);

    *d = (struct dpctl) { .argc = argc - 1, .argv = argv + 1, .out = STR_INIT, .request = r };
    return d;
}

/* Options come among the arguments, so the numbers are checked without them. */
static void
run_command(struct ctl_request *r, int argc, const char *argv[], void *command_)
{
    const struct dpctl_command *command = command_;
    struct dpctl *d = dpctl_begin(r, argc, argv);

    if (d->argc >= command->min && !take_options(d)) {
        d->failed = true;
    } else if (d->argc < command->min) {
        str_putf(&d->out, "\"%s\" command requires at least %d arguments", argv[0], command->min);
        d->failed = true;
    } else if (d->argc > command->max) {
        str_putf(&d->out, "\"%s\" command takes at most %d arguments", argv[0], command->max);
        d->failed = true;
    } else {
        command->run(d);
    }
    settle(d);
}

/* dpif/dump-flows: the megaflows of one bridge, which is the last argument.  What stands before it and is no option is
 * not looked at, as in the reference. */
static void
cmd_dump_flows(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct dpctl *d = dpctl_begin(r, argc, argv);
    const struct ofproto *bridge = ofproto_find(argv[argc - 1]);

    for (int i = 1; i < argc - 1; i++) {
        d->more |= !strcmp(argv[i], "-m");
        d->names = !strcmp(argv[i], "--names")      ? DPCTL_NAMES
                   : !strcmp(argv[i], "--no-names") ? DPCTL_NO_NAMES
                                                    : d->names;
    }
    if (bridge) {
        dpctl_dump_bridge(d, bridge);
    } else {
        str_puts(&d->out, "no such bridge");
        d->failed = true;
    }
    settle(d);
}

void
dpctl_commands_register(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        char *name = xasprintf("dpctl/%s", commands[i].name);

        ctl_register(name, commands[i].usage, 0, INT_MAX, run_command, (void *) &commands[i]);
        free(name);
    }
    ctl_register("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, INT_MAX, cmd_dump_flows, NULL);
}
