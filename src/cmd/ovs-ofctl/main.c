/* ovs-ofctl(8): options and the table of commands. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/conn.h"
#include "openflow/hello.h"
#include "openflow/msg/switch.h"
#include "openflow/print/print.h"
#include "sys/daemon.h"
#include "sys/log.h"
#include "sys/stream.h"

struct ofctl_options ofctl_options = { .versions = 1u << OF10, .protocols = PROTO_OF10_ANY };

enum {
    OPT_STRICT,
    OPT_READ_ONLY,
    OPT_BUNDLE,
    OPT_READD,
    OPT_MAY_CREATE,
    OPT_TIMESTAMP,
    OPT_STATS,
    OPT_NO_STATS,
    OPT_RAW,
    OPT_PCAP,
    OPT_BARE,
    OPT_BAD_CSUM,
    OPT_NAMES,
    OPT_NO_NAMES,
    OPT_FLOW_FORMAT,
    OPT_PACKET_IN_FORMAT,
    OPT_MORE,
    OPT_SORT,
    OPT_RSORT,
    OPT_COLOR,
    OPT_PROTOCOLS,
    OPT_TIMEOUT,
    OPT_UNIXCTL,
    OPT_OPTION
};

static const struct cmdline_option options[] = {
    { "strict", 0, CMDLINE_NO_ARG, OPT_STRICT },
    { "read-only", 0, CMDLINE_NO_ARG, OPT_READ_ONLY },
    { "bundle", 0, CMDLINE_NO_ARG, OPT_BUNDLE },
    { "readd", 0, CMDLINE_NO_ARG, OPT_READD },
    { "may-create", 0, CMDLINE_NO_ARG, OPT_MAY_CREATE },
    { "timestamp", 0, CMDLINE_NO_ARG, OPT_TIMESTAMP },
    { "stats", 0, CMDLINE_NO_ARG, OPT_STATS },
    { "no-stats", 0, CMDLINE_NO_ARG, OPT_NO_STATS },
    { "raw", 0, CMDLINE_NO_ARG, OPT_RAW },
    { "pcap", 0, CMDLINE_NO_ARG, OPT_PCAP },
    { "bare", 0, CMDLINE_NO_ARG, OPT_BARE },
    { "bad-csum", 0, CMDLINE_NO_ARG, OPT_BAD_CSUM },
    { "names", 0, CMDLINE_NO_ARG, OPT_NAMES },
    { "no-names", 0, CMDLINE_NO_ARG, OPT_NO_NAMES },
    { "flow-format", 'F', CMDLINE_ARG, OPT_FLOW_FORMAT, proto_put_choice },
    { "packet-in-format", 'P', CMDLINE_ARG, OPT_PACKET_IN_FORMAT, packet_in_formats_put_choice },
    { "more", 'm', CMDLINE_NO_ARG, OPT_MORE },
    { "sort", 0, CMDLINE_OPTIONAL_ARG, OPT_SORT },
    { "rsort", 0, CMDLINE_OPTIONAL_ARG, OPT_RSORT },
    { "color", 0, CMDLINE_OPTIONAL_ARG, OPT_COLOR, ofctl_put_color_words },
    { "protocols", 'O', CMDLINE_ARG, OPT_PROTOCOLS, of_versions_put_choice },
    { "timeout", 't', CMDLINE_ARG, OPT_TIMEOUT },
    { "unixctl", 0, CMDLINE_ARG, OPT_UNIXCTL },
    { "option", 'o', CMDLINE_NO_ARG, OPT_OPTION },
};

static ofctl_command help, list_commands;

/* A command that may change something is refused with --read-only. */
#define READS false
#define WRITES true

static const struct {
    struct cmdline_command command;
    bool writes;
    const char *arguments; /* For completion, where the usage does not say them all, or in other words. */
} all_commands[] = {
    { { "show", "switch", 1, 1, ofctl_show }, READS },
    { { "monitor", "switch [misslen] [invalid_ttl] [watch:[...]]", 1, 4, ofctl_monitor }, READS },
    { { "snoop", "switch", 1, 1, ofctl_snoop }, READS },
    { { "dump-desc", "switch", 1, 1, ofctl_dump_desc }, READS },
    { { "dump-tables", "switch", 1, 1, ofctl_dump_tables }, READS },
    { { "dump-table-features", "switch", 1, 1, ofctl_dump_table_features }, READS },
    { { "dump-table-desc", "switch", 1, 1, ofctl_dump_table_desc }, READS },
    { { "dump-flows", "switch", 1, 2, ofctl_dump_flows }, READS },
    { { "dump-aggregate", "switch", 1, 2, ofctl_dump_aggregate }, READS },
    { { "queue-stats", "switch [port [queue]]", 1, 3, ofctl_queue_stats }, READS },
    { { "queue-get-config", "switch [port [queue]]", 1, 3, ofctl_queue_get_config }, READS },
    { { "add-flow", "switch flow", 2, 2, ofctl_add_flow }, WRITES },
    { { "add-flows", "switch file", 2, 2, ofctl_add_flows }, WRITES },
    { { "mod-flows", "switch flow", 2, 2, ofctl_mod_flows }, WRITES },
    { { "del-flows", "switch [flow]", 1, 2, ofctl_del_flows }, WRITES },
    { { "replace-flows", "switch file", 2, 2, ofctl_replace_flows }, WRITES },
    { { "diff-flows", "source1 source2", 2, 2, ofctl_diff_flows }, WRITES },
    { { "add-meter", "switch meter", 2, 2, ofctl_add_meter }, WRITES },
    { { "mod-meter", "switch meter", 2, 2, ofctl_mod_meter }, WRITES },
    { { "del-meter", "switch meter", 1, 2, ofctl_del_meters }, WRITES },
    { { "del-meters", "switch", 1, 2, ofctl_del_meters }, WRITES },
    { { "dump-meter", "switch meter", 1, 2, ofctl_dump_meters }, READS },
    { { "dump-meters", "switch", 1, 2, ofctl_dump_meters }, READS },
    { { "meter-stats", "switch [meter]", 1, 2, ofctl_meter_stats }, READS },
    { { "meter-features", "switch", 1, 1, ofctl_meter_features }, READS },
    { { "packet-out", "switch \"in_port=<port> packet=<hex data> actions=...\"", 2, INT_MAX, ofctl_packet_out },
      WRITES },
    { { "dump-ports", "switch [port]", 1, 2, ofctl_dump_ports }, READS },
    { { "dump-ports-desc", "switch [port]", 1, 2, ofctl_dump_ports_desc }, READS },
    { { "mod-port", "switch iface act", 3, 3, ofctl_mod_port }, WRITES },
    { { "mod-table", "switch mod", 3, 3, ofctl_mod_table }, WRITES, "switch flow-table mod" },
    { { "get-frags", "switch", 1, 1, ofctl_get_frags }, READS },
    { { "set-frags", "switch frag_mode", 2, 2, ofctl_set_frags }, WRITES },
    { { "probe", "target", 1, 1, ofctl_probe }, READS, "switch" },
    { { "ping", "target [n]", 1, 2, ofctl_ping }, READS, "switch [n]" },
    { { "benchmark", "target n count", 3, 3, ofctl_benchmark }, READS, "switch n count" },
    { { "dump-ipfix-bridge", "switch", 1, 1, ofctl_dump_ipfix_bridge }, READS },
    { { "dump-ipfix-flow", "switch", 1, 1, ofctl_dump_ipfix_flow }, READS },
    { { "ct-flush-zone", "switch zone", 2, 2, ofctl_ct_flush_zone }, WRITES },
    { { "ct-flush", "switch [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]", 1, 6,
        ofctl_ct_flush }, WRITES },
    { { "ofp-parse", "file", 1, 1, ofctl_ofp_parse }, READS },
    { { "ofp-parse-pcap", "pcap", 1, INT_MAX, ofctl_ofp_parse_pcap }, READS },
    { { "add-group", "switch group", 1, 2, ofctl_add_group }, WRITES },
    { { "add-groups", "switch file", 1, 2, ofctl_add_groups }, WRITES },
    { { "mod-group", "switch group", 1, 2, ofctl_mod_group }, WRITES },
    { { "del-groups", "switch [group]", 1, 2, ofctl_del_groups }, WRITES },
    { { "insert-buckets", "switch [group]", 1, 2, ofctl_insert_buckets }, WRITES },
    { { "remove-buckets", "switch [group]", 1, 2, ofctl_remove_buckets }, WRITES },
    { { "dump-groups", "switch [group]", 1, 2, ofctl_dump_groups }, READS },
    { { "dump-group-stats", "switch [group]", 1, 2, ofctl_dump_group_stats }, READS },
    { { "dump-group-features", "switch", 1, 1, ofctl_dump_group_features }, READS },
    { { "bundle", "switch file", 2, 2, ofctl_bundle }, WRITES },
    { { "add-tlv-map", "switch map", 2, 2, ofctl_add_tlv_map }, WRITES },
    { { "del-tlv-map", "switch [map]", 1, 2, ofctl_del_tlv_map }, WRITES },
    { { "dump-tlv-map", "switch", 1, 1, ofctl_dump_tlv_map }, READS },
    { { "help", NULL, 0, INT_MAX, help }, READS },
    { { "list-commands", NULL, 0, INT_MAX, list_commands }, READS },
    /* For tests; not in the manual. */
    { { "parse-flow", NULL, 1, 1, ofctl_parse_flow }, READS },
    { { "parse-flows", NULL, 1, 1, ofctl_parse_flows }, READS },
    { { "parse-group", NULL, 1, 1, ofctl_parse_group }, READS },
    { { "parse-nx-match", NULL, 0, 0, ofctl_parse_nxm }, READS },
    { { "parse-nxm", NULL, 0, 0, ofctl_parse_nxm }, READS },
    { { "parse-oxm", NULL, 1, 1, ofctl_parse_oxm }, READS },
    { { "parse-actions", NULL, 1, 1, ofctl_parse_actions }, READS },
    { { "parse-instructions", NULL, 1, 1, ofctl_parse_instructions }, READS },
    { { "parse-ofp10-match", NULL, 0, 0, ofctl_parse_ofp10_match }, READS },
    { { "parse-ofp11-match", NULL, 0, 0, ofctl_parse_ofp11_match }, READS },
    { { "parse-pcap", NULL, 1, INT_MAX, ofctl_parse_pcap }, READS },
    { { "check-vlan", NULL, 2, 2, ofctl_check_vlan }, READS },
    { { "print-error", NULL, 1, 1, ofctl_print_error }, READS },
    { { "encode-error-reply", NULL, 2, 2, ofctl_encode_error_reply }, READS },
    { { "ofp-print", NULL, 1, 2, ofctl_ofp_print }, READS },
    { { "encode-hello", NULL, 1, 1, ofctl_encode_hello }, READS },
    { { "parse-key-value", NULL, 1, INT_MAX, ofctl_parse_key_value }, READS },
    { { "compose-packet", NULL, 1, 2, ofctl_compose_packet }, READS },
    { { "parse-packet", NULL, 0, 0, ofctl_parse_packet }, READS },
};

static void
list_commands(struct cmdline_ctx *ctx UNUSED)
{
    puts("The available commands are:");
    for (size_t i = 0; i < ARRAY_SIZE(all_commands); i++) {
        const struct cmdline_command *c = &all_commands[i].command;

        printf("  %-23s %s\n", c->name, c->usage ? c->usage : "");
    }
}

static void
help(struct cmdline_ctx *ctx UNUSED)
{
    ofctl_usage();
    exit(EXIT_SUCCESS);
}

/* The protocols of the allowed versions. */
static unsigned int
protocols_of(uint32_t versions)
{
    unsigned int protocols = 0;

    for (int v = OF_FIRST; v <= OF_LAST; v++) {
        if (versions & 1u << v) {
            protocols |= proto_of_version(v);
        }
    }
    return protocols;
}

static void
set_versions(const char *text)
{
    char *bad;

    ofctl_options.versions = of_versions_parse(text, &bad);
    if (bad) {
        cmdline_fatal(0, "Unknown OpenFlow version: \"%s\"", bad);
    }
    if (!ofctl_options.versions) {
        cmdline_fatal(0, "No OpenFlow version is enabled (use -O)");
    }
}

/* Bundles are of OpenFlow 1.4 and later (of 1.3 as an extension): 1.4 need not be allowed explicitly. */
static void
keep_versions_with_bundles(void)
{
    ofctl_options.versions &= ~((1u << OF13) - 1);
    if (!ofctl_options.versions) {
        ofctl_options.versions = 1u << OF14;
    }
}

static unsigned int
parse_formats(const char *text)
{
    char *bad = NULL;
    unsigned int formats = proto_parse_set(text, &bad);

    if (bad) {
        cmdline_fatal(0, "%s: unknown flow protocol", bad);
    } else if (!formats) {
        cmdline_fatal(0, "%s: no flow protocol specified", text);
    }
    return formats;
}

/* -O and -F together: what both allow. */
static void
combine_formats(unsigned int formats)
{
    unsigned int of_versions = protocols_of(ofctl_options.versions);
    struct str versions = STR_INIT, wanted = STR_INIT;

    ofctl_options.protocols = formats & of_versions;
    ofctl_options.has_flow_format = formats != PROTO_ANY;
    if (ofctl_options.protocols) {
        return;
    }
    of_versions_put_names(&versions, ofctl_options.versions);
    proto_put_set(&wanted, formats);
    cmdline_fatal(0,
                  "None of the enabled OpenFlow versions (%s) supports any of the enabled flow formats (%s).  (Use -O "
                  "to enable additional OpenFlow versions or -F to enable additional flow formats.)",
                  str_text(&versions), str_text(&wanted));
}

static void
parse_packet_in_format(const char *text)
{
    if (!packet_in_format_parse(text, &ofctl_options.packet_in_format)) {
        cmdline_fatal(0, "unknown packet-in format `%s'", text);
    }
    ofctl_options.has_packet_in_format = true;
}

static void
print_options(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const char *arg = options[i].arg == CMDLINE_ARG            ? "=ARG"
                          : options[i].arg == CMDLINE_OPTIONAL_ARG ? "[=ARG]"
                                                                   : "";

        printf("--%s%s\n", options[i].name, arg);
        if (options[i].letter) {
            printf("-%c%s\n", options[i].letter, options[i].arg == CMDLINE_ARG ? " ARG" : "");
        }
    }
    exit(EXIT_SUCCESS);
}

/* Other than for the database's tools, no time at all is no timeout here. */
static void
set_timeout(const char *arg)
{
    if (!strtoul(arg, NULL, 10)) {
        cmdline_fatal(0, "value %s on -t or --timeout is invalid", arg);
    }
    cmdline_timeout(arg, "-t or --timeout");
}

static void
parse_option(const struct cmdline *cl, int id, unsigned int *formats)
{
    struct ofctl_options *o = &ofctl_options;

    switch (id) {
    case OPT_STRICT: o->strict = true; break;
    case OPT_READ_ONLY: o->read_only = true; break;
    case OPT_BUNDLE: o->bundle = true; break;
    case OPT_READD: o->readd = true; break;
    case OPT_MAY_CREATE: o->may_create = true; break;
    case OPT_TIMESTAMP: o->timestamp = true; break;
    case OPT_STATS: o->no_stats = false; break;
    case OPT_NO_STATS: o->no_stats = true; break;
    case OPT_RAW: o->raw = true; break;
    case OPT_PCAP: o->pcap = true; break;
    case OPT_BARE: o->bare = true; break;
    case OPT_BAD_CSUM: o->bad_csum = true; break;
    case OPT_NAMES: o->names = NAMES_YES; break;
    case OPT_NO_NAMES: o->names = NAMES_NO; break;
    case OPT_FLOW_FORMAT: *formats = parse_formats(cl->arg); break;
    case OPT_PACKET_IN_FORMAT: parse_packet_in_format(cl->arg); break;
    case OPT_MORE: o->verbosity++; break;
    case OPT_SORT: ofctl_add_sort_key(cl->arg, false); break;
    case OPT_RSORT: ofctl_add_sort_key(cl->arg, true); break;
    case OPT_COLOR: ofctl_set_color(cl->arg); break;
    case OPT_PROTOCOLS: set_versions(cl->arg); break;
    case OPT_TIMEOUT: set_timeout(cl->arg); break;
    case OPT_UNIXCTL: o->unixctl = cl->arg; break;
    case OPT_OPTION: print_options(); break;
    }
}

static void
refuse_writes(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_commands); i++) {
        if (all_commands[i].writes && !strcmp(all_commands[i].command.name, name)) {
            cmdline_fatal(0, "'%s' command does not work in read only mode", name);
        }
    }
}

static void
describe(const void *aux UNUSED)
{
    static const struct { const char *placeholder; cmdline_words *words; } arguments[] = {
        { "SWITCH", stream_put_active_methods },  { "SOURCE1", stream_put_active_methods },
        { "SOURCE2", stream_put_active_methods }, { "ACT", ofctl_put_port_words },
        { "FLOW-TABLE", ofctl_put_table_words },  { "MOD", ofctl_put_table_settings },
        { "FRAG_MODE", frag_modes_put_choice },
    };

    for (size_t i = 0; i < ARRAY_SIZE(all_commands); i++) {
        struct cmdline_command c = all_commands[i].command;

        c.usage = all_commands[i].arguments ? all_commands[i].arguments : c.usage;
        cmdline_describe_commands(&c, 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
        cmdline_describe_words(arguments[i].placeholder, arguments[i].words);
    }
}

int
main(int argc, char *argv[])
{
    struct cmdline_command commands[ARRAY_SIZE(all_commands)];
    unsigned int formats = PROTO_ANY;
    struct cmdline cl;
    int id;

    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON | CMDLINE_TLS, options, ARRAY_SIZE(options), ofctl_usage);
    cmdline_set_describe(describe, NULL);
    cmdline_set_version_note("OpenFlow versions 0x1:0x6");
    ofctl_set_color("auto");
    while ((id = cmdline_next(&cl)) != CMDLINE_END) {
        parse_option(&cl, id, &formats);
    }
    if (ofctl_options.bundle) {
        keep_versions_with_bundles();
    }
    combine_formats(formats);
    daemon_become_user();
    of_conn_log_messages(msg_describe);
    if (ofctl_options.read_only && cl.argc) {
        refuse_writes(cl.argv[0]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(all_commands); i++) {
        commands[i] = all_commands[i].command;
    }
    cmdline_run(&cl, commands, ARRAY_SIZE(commands), NULL);
    return EXIT_SUCCESS;
}
