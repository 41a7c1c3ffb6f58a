/* The dpctl commands: a look at datapaths below OpenFlow, and changes by hand (ovs-vswitchd(8), ovs-dpctl(8)). */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/num.h"
#include "ctl/ctl.h"
#include "netdev/netdev.h"
#include "odp/text.h"
#include "ofproto/ofproto_private.h"

/* One command's arguments after its options. */
struct dpctl {
    struct ctl_request *request;
    int argc;
    const char **argv;      /* argv[0] is the first argument, the command's name left out. */
    bool more, statistics, names, may_create, clear;
    struct backer *backer;  /* Once dpctl_find() has found it. */
    struct str out;
};

typedef void dpctl_run(struct dpctl *);

struct dpctl_command {
    const char *name, *usage; /* 'usage' null: hidden. */
    int min, max;
    dpctl_run *run;
};

/* Names of a datapath's ports. */
struct dp_names {
    struct odp_names names;
    struct datapath *dp;
    const char *find_name;
    odp_port found;
};

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

static struct dp_names
names_of(struct datapath *dp)
{
    return (struct dp_names) { .names = { port_name, port_find }, .dp = dp };
}

/* Ends the request with the documented form of an error. */
static void
fail(struct dpctl *d, int error, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    ctl_reply_error(d->request, "ovs-vswitchd: %s (%s)", text, strerror(-error));
    free(text);
    d->request = NULL;
}

static struct backer *
find_backer(const char *name)
{
    const char *at = strchr(name, '@');

    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        if (at ? !strncmp(name, b->xdp.type, at - name) && !b->xdp.type[at - name] && !strcmp(at + 1, b->xdp.name)
               : !strcmp(name, b->xdp.name)) {
            return b;
        }
    }
    return NULL;
}

/* Finds the datapath: the first argument if there are more than 'n' of them (and takes it off), else the only one. */
static bool
find_dp(struct dpctl *d, int n)
{
    if (d->argc > n) {
        d->backer = find_backer(d->argv[0]);
        d->argc--;
        d->argv++;
        if (!d->backer) {
            fail(d, -EINVAL, "datapath not found");
        }
    } else {
        d->backer = backer_first();
        if (d->backer && backer_next(d->backer)) {
            fail(d, -EINVAL, "multiple datapaths, specify one");
            d->backer = NULL;
        } else if (!d->backer) {
            fail(d, -EINVAL, "no datapaths exist");
        }
    }
    return d->backer != NULL;
}

/* show */

static void
put_counter(struct str *s, const char *label, uint64_t v)
{
    if (v == UINT64_MAX) {
        str_putf(s, "%s?", label);
    } else {
        str_putf(s, "%s%llu", label, (unsigned long long) v);
    }
}

static void
put_stats(struct str *s, struct netdev *netdev)
{
    struct netdev_stats st;

    (void) netdev_get_stats(netdev, &st);
    put_counter(s, "    RX packets:", st.rx_packets);
    put_counter(s, " errors:", st.rx_errors);
    put_counter(s, " dropped:", st.rx_dropped);
    put_counter(s, " overruns:", st.rx_over_err);
    put_counter(s, " frame:", st.rx_frame_err);
    put_counter(s, "\n    TX packets:", st.tx_packets);
    put_counter(s, " errors:", st.tx_errors);
    put_counter(s, " dropped:", st.tx_dropped);
    str_puts(s, " aborted:? carrier:?\n");
    put_counter(s, "    collisions:", st.collisions);
    put_counter(s, "\n    RX bytes:", st.rx_bytes);
    put_counter(s, "  TX bytes:", st.tx_bytes);
    str_putc(s, '\n');
}

static void
put_port(void *d_, odp_port port, struct netdev *netdev)
{
    struct dpctl *d = d_;

    str_putf(&d->out, "  port %u: %s", port.n, netdev->name);
    if (strcmp(netdev->class->type, "system")) {
        str_putf(&d->out, " (%s)", netdev->class->type);
    }
    str_putc(&d->out, '\n');
    if (d->statistics) {
        put_stats(&d->out, netdev);
    }
}

static void
put_dp(struct dpctl *d, struct backer *b)
{
    struct datapath *dp = b->xdp.dp;
    struct dp_stats st;

    dp->class->get_stats(dp, &st);
    str_putf(&d->out, "%s@%s:\n  lookups: hit:%llu missed:%llu lost:%llu\n  flows: %llu\n", b->xdp.type, b->xdp.name,
             (unsigned long long) st.n_hit, (unsigned long long) st.n_missed, (unsigned long long) st.n_lost,
             (unsigned long long) st.n_flows);
    dp->class->port_for_each(dp, put_port, d);
}

static void
run_show(struct dpctl *d)
{
    for (int i = 0; i < d->argc; i++) {
        struct backer *b = find_backer(d->argv[i]);

        if (!b) {
            fail(d, -ENODEV, "opening datapath %s failed", d->argv[i]);
            return;
        }
        put_dp(d, b);
    }
    for (struct backer *b = d->argc ? NULL : backer_first(); b; b = backer_next(b)) {
        put_dp(d, b);
    }
}

static void
run_dump_dps(struct dpctl *d)
{
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        str_putf(&d->out, "%s@%s\n", b->xdp.type, b->xdp.name);
    }
}

/* Flows. */

static const char *
flow_separator(const struct dpctl *d)
{
    return d->more ? ", " : "";
}

static void
put_flow(struct dpctl *d, struct datapath *dp, const struct dp_flow *f, const struct dp_names *names)
{
    struct dp_flow_stats st;
    struct flow key, mask;
    const void *actions;
    size_t len;

    dp->class->flow_get(f, &key, &mask, &st);
    if (d->more) {
        struct uuid ufid;

        dp->class->flow_ufid(f, &ufid);
        odp_ufid_format(&d->out, &ufid);
        str_puts(&d->out, flow_separator(d));
    }
    odp_flow_format(&d->out, &key, &mask, names ? &names->names : NULL, d->more);
    str_putf(&d->out, ", packets:%llu, bytes:%llu, used:", (unsigned long long) st.n_packets,
             (unsigned long long) st.n_bytes);
    if (st.used) {
        str_putf(&d->out, "%.3fs", (clock_now_ms() - st.used) / 1000.0);
    } else {
        str_puts(&d->out, "never");
    }
    if (st.tcp_flags) {
        static const char letters[] = "FSRP.UEC";

        str_puts(&d->out, ", flags:");
        for (int i = 0; i < 8; i++) {
            if (st.tcp_flags >> i & 1) {
                str_putc(&d->out, letters[i]);
            }
        }
    }
    if (d->more) {
        str_puts(&d->out, ", dp:ovs");
    }
    str_puts(&d->out, ", actions:");
    actions = dp->class->flow_actions(f, &len);
    odp_actions_format(&d->out, actions, len, names ? &names->names : NULL);
    str_putc(&d->out, '\n');
}

struct dump {
    struct dpctl *d;
    struct datapath *dp;
    const struct dp_names *names;
    const struct ofproto *bridge;  /* Only flows of this bridge; null: all. */
    bool has_filter;
    struct flow filter, filter_mask;
    size_t n;
};

static bool
dump_one(void *dump_, struct dp_flow *f)
{
    struct dump *dump = dump_;
    struct dp_flow_stats st;
    struct flow key, mask;

    dump->dp->class->flow_get(f, &key, &mask, &st);
    if (dump->bridge) {
        struct xport *in = xdp_port_rcu(&dump->bridge->backer->xdp, ODP_PORT(be32_to_cpu(key.in_port)));

        if (!in || in->bridge->ofproto != dump->bridge) {
            return true;
        }
    }
    if (dump->has_filter && !flow_equal_masked(&key, &dump->filter, &dump->filter_mask)) {
        return true;
    }
    if (!dump->n++ && !dump->bridge) {
        str_puts(&dump->d->out, "flow-dump from the main thread:\n");
    }
    put_flow(dump->d, dump->dp, f, dump->names);
    return true;
}

/* "type=": which flows, by where they run.  All of ours run in the datapath. */
static bool
parse_types(struct dpctl *d, const char *types, bool *any)
{
    static const char *const known[] = { "ovs", "tc", "dpdk", "offloaded", "non-offloaded", "partially-offloaded",
                                         "all" };
    char *copy = xstrdup(types), *save = NULL;
    bool ok = true;

    *any = false;
    for (char *word = strtok_r(copy, ",", &save); word && ok; word = strtok_r(NULL, ",", &save)) {
        size_t i = 0;

        while (i < ARRAY_SIZE(known) && strcmp(known[i], word)) {
            i++;
        }
        ok = i < ARRAY_SIZE(known);
        *any |= i == 0 || i == 4 || i == 6;
    }
    if (!ok) {
        fail(d, -EINVAL, "Failed to parse type (%s)", types);
    }
    free(copy);
    return ok;
}

static struct error *
parse_filter(struct dump *dump, const char *text)
{
    dump->has_filter = true;
    return odp_flow_parse(text, &dump->names->names, &dump->filter, &dump->filter_mask);
}

static void
run_dump_flows(struct dpctl *d)
{
    const char *filter = NULL, *types = NULL;
    struct dump dump = { .d = d };
    struct dp_names names;
    struct error *error = NULL;
    bool any = true;

    while (d->argc && strchr(d->argv[d->argc - 1], '=')) {
        const char *arg = d->argv[--d->argc];

        if (!strncmp(arg, "filter=", 7)) {
            filter = arg + 7;
        } else if (!strncmp(arg, "type=", 5)) {
            types = arg + 5;
        } else if (strncmp(arg, "pmd=", 4)) {
            break;
        }
    }
    if ((types && !parse_types(d, types, &any)) || !find_dp(d, 0)) {
        return;
    }
    dump.dp = d->backer->xdp.dp;
    names = names_of(dump.dp);
    dump.names = &names;
    if (filter) {
        error = parse_filter(&dump, filter);
    }
    if (error) {
        fail(d, -EINVAL, "Failed to parse filter (%s)", error_text(error));
        error_free(error);
        return;
    }
    dump.names = d->names || d->more ? &names : NULL;
    if (any) {
        dump.dp->class->flow_for_each(dump.dp, dump_one, &dump);
    }
}

/* Reads "[ufid:...] FLOW" from argv[0]. */
static bool
parse_key(struct dpctl *d, const char *text, struct flow *key, struct flow *mask)
{
    struct dp_names names = names_of(d->backer->xdp.dp);
    struct error *error;
    struct uuid ufid;

    odp_ufid_parse(&text, &ufid);
    error = odp_flow_parse(text, &names.names, key, mask);
    if (error) {
        fail(d, -EINVAL, "parsing flow key (%s)", error_text(error));
        error_free(error);
    }
    return !error;
}

static void
put_by_hand(struct dpctl *d, const char *flow, const char *actions, bool create, bool modify)
{
    struct datapath *dp = d->backer->xdp.dp;
    struct dp_names names = names_of(dp);
    struct bytes odp = BYTES_INIT;
    struct flow key, mask;
    struct error *error;
    int status;

    if (!parse_key(d, flow, &key, &mask)) {
        return;
    }
    error = odp_actions_parse(actions, &names.names, &odp);
    if (error) {
        fail(d, -EINVAL, "parsing actions");
        error_free(error);
    } else {
        status = dp->class->flow_put(dp, &key, &mask, odp.data, odp.len, NULL, create, modify, NULL);
        if (status) {
            fail(d, status, "updating flow table");
        }
    }
    bytes_uninit(&odp);
}

static void
run_add_flow(struct dpctl *d)
{
    if (find_dp(d, 2)) {
        put_by_hand(d, d->argv[0], d->argv[1], true, false);
    }
}

static void
run_mod_flow(struct dpctl *d)
{
    if (find_dp(d, 2)) {
        put_by_hand(d, d->argv[0], d->argv[1], d->may_create, true);
    }
}

struct by_ufid {
    struct datapath *dp;
    struct uuid ufid;
    struct dp_flow *found;
};

static bool
match_ufid(void *b_, struct dp_flow *f)
{
    struct by_ufid *b = b_;
    struct uuid ufid;

    b->dp->class->flow_ufid(f, &ufid);
    b->found = uuid_equal(&ufid, &b->ufid) ? f : NULL;
    return !b->found;
}

static struct dp_flow *
find_by_ufid(struct datapath *dp, const struct uuid *ufid)
{
    struct by_ufid b = { .dp = dp, .ufid = *ufid };

    dp->class->flow_for_each(dp, match_ufid, &b);
    return b.found;
}

static void
run_get_flow(struct dpctl *d)
{
    struct dp_names names;
    struct dp_flow *f;
    const char *text;
    struct uuid ufid;

    if (!find_dp(d, 1)) {
        return;
    }
    text = d->argv[0];
    if (!odp_ufid_parse(&text, &ufid)) {
        fail(d, -EINVAL, "A UFID is required");
        return;
    }
    f = find_by_ufid(d->backer->xdp.dp, &ufid);
    if (!f) {
        fail(d, -ENOENT, "getting flow");
        return;
    }
    names = names_of(d->backer->xdp.dp);
    put_flow(d, d->backer->xdp.dp, f, d->names || d->more ? &names : NULL);
}

static void
run_del_flow(struct dpctl *d)
{
    struct datapath *dp;
    struct flow key, mask;
    struct dp_flow *f;
    const char *text;
    struct uuid ufid;

    if (!find_dp(d, 1)) {
        return;
    }
    dp = d->backer->xdp.dp;
    text = d->argv[0];
    if (odp_ufid_parse(&text, &ufid) && !*text) {
        f = find_by_ufid(dp, &ufid);
    } else if (parse_key(d, d->argv[0], &key, &mask)) {
        f = dp->class->flow_lookup(dp, &key);
    } else {
        return;
    }
    if (!f) {
        ctl_reply_error(d->request, "ovs-vswitchd: deleting flow (%s)\nPerhaps you need to specify a UFID?",
                        strerror(ENOENT));
        d->request = NULL;
        return;
    }
    dp->class->flow_del(dp, f, NULL);
}

static void
run_del_flows(struct dpctl *d)
{
    if (find_dp(d, 0)) {
        d->backer->xdp.dp->class->flow_flush(d->backer->xdp.dp);
    }
}

static void
run_parse_actions(struct dpctl *d)
{
    for (int i = 0; i < d->argc; i++) {
        struct bytes odp = BYTES_INIT;
        struct error *error = odp_actions_parse(d->argv[i], NULL, &odp);

        if (error) {
            error_free(error);
            fail(d, -EINVAL, "odp_actions_from_string");
            bytes_uninit(&odp);
            return;
        }
        odp_actions_format(&d->out, odp.data, odp.len, NULL);
        str_putc(&d->out, '\n');
        bytes_uninit(&odp);
    }
}

/* What belongs to parts that are not served yet says so (docs/status.md). */
static void
run_not_served(struct dpctl *d)
{
    fail(d, -EOPNOTSUPP, "this datapath does not serve the command yet");
}

static dpctl_run run_list_commands;

#define MANY INT_MAX
static const struct dpctl_command commands[] = {
#define DPCTL(NAME, USAGE, MIN, MAX, ACCESS, RUN) { NAME, USAGE, MIN, MAX, run_##RUN },
#include "odp/dpctl.def"
};

static void
run_list_commands(struct dpctl *d)
{
    str_puts(&d->out, "The available commands are:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        str_putf(&d->out, "  dpctl/%-23s %s\n", commands[i].name, commands[i].usage);
    }
}

/* Takes the options off the front; false, with the request ended, at one that is unknown. */
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
            d->names = true;
        } else if (!strcmp(o, "--no-names")) {
            d->names = false;
        } else if (!strcmp(o, "--may-create")) {
            d->may_create = true;
        } else if (!strcmp(o, "--clear")) {
            d->clear = true;
        } else {
            ctl_reply_error(d->request, "Unrecognized option %s", o);
            return false;
        }
    }
    return true;
}

static void
run_command(struct ctl_request *r, int argc, const char *argv[], void *command_)
{
    const struct dpctl_command *command = command_;
    struct dpctl d = { .request = r, .argc = argc - 1, .argv = argv + 1, .out = STR_INIT };

    if (!take_options(&d)) {
        return;
    }
    if (d.argc < command->min) {
        ctl_reply_error(r, "\"%s\" command requires at least %d arguments", argv[0], command->min);
        return;
    }
    command->run(&d);
    if (d.request) {
        ctl_reply(d.request, str_text(&d.out));
    }
    str_uninit(&d.out);
}

/* dpif/dump-flows: the megaflows of one bridge. */
static void
cmd_dump_flows(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct dpctl d = { .request = r, .argc = argc - 1, .argv = argv + 1, .out = STR_INIT };
    struct dump dump = { .d = &d };
    struct dp_names names;

    if (!take_options(&d)) {
        return;
    }
    dump.bridge = d.argc ? ofproto_find(d.argv[0]) : NULL;
    if (!dump.bridge) {
        ctl_reply_error(r, "no such bridge");
        return;
    }
    dump.dp = dump.bridge->backer->xdp.dp;
    names = names_of(dump.dp);
    dump.names = d.names || d.more ? &names : NULL;
    dump.dp->class->flow_for_each(dump.dp, dump_one, &dump);
    ctl_reply(r, str_text(&d.out));
    str_uninit(&d.out);
}

void
dpctl_commands_register(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        char *name = xasprintf("dpctl/%s", commands[i].name);

        /* Options come among the arguments, so the least number is checked after them. */
        ctl_register(name, commands[i].usage, 0, INT_MAX, run_command, (void *) &commands[i]);
        free(name);
    }
    ctl_register("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, INT_MAX, cmd_dump_flows, NULL);
}
