/* ovs-ofctl(8): what its files share.
 *
 * Each command is a function in the file of its kind, named in the table of main.c.  A command opens its switch with
 * ofctl_open() (or one of the forms that choose a protocol for flows), sends, and prints what comes back.  Errors
 * end the
 * program with the documented text and exit status 1; nothing is freed on that way.
 *
 * Names of ports and tables are fetched on a connection of their own the first time that one is needed, so that
 * commands
 * that use numbers cost nothing (names.c).
 *
 * Threads: one. */
#ifndef CMD_OVS_OFCTL_OFCTL_H
#define CMD_OVS_OFCTL_OFCTL_H 1

#include "base/error.h"
#include "openflow/client.h"
#include "openflow/flow_syntax.h"
#include "openflow/msg/control.h"
#include "openflow/msg/flow.h"
#include "openflow/print/print.h"
#include "openflow/protocol.h"
#include "sys/cmdline.h"

enum names_choice { NAMES_DEFAULT, NAMES_YES, NAMES_NO };

struct sort_key {
    const struct field *field; /* Null: the priority. */
    bool descending;
};

struct ofctl_options {
    bool strict, read_only, bundle, readd, may_create, timestamp, no_stats, raw, pcap, bare, bad_csum, color;
    int verbosity;
    enum names_choice names;
    uint32_t versions;      /* -O, set of versions; grows for commands that need more. */
    unsigned int protocols; /* PROTO_* that -O and -F allow. */
    bool has_flow_format;   /* -F. */
    bool has_packet_in_format;
    enum packet_in_format packet_in_format;
    struct sort_key *sort_keys;
    size_t n_sort_keys;
    const char *unixctl;    /* Null: the default. */
};

extern struct ofctl_options ofctl_options;

struct loop *ofctl_loop(void);

/* Connecting (connect.c). */

/* Resolves "NAME" (a bridge, a socket, a target), connects with the allowed versions, exits if that fails.
 * 'service' is
 * "mgmt" or "snoop". */
struct of_client *ofctl_open(const char *name);
struct of_client *ofctl_open_service(const char *name, const char *service, int flags);
/* The same, limited to the versions of the set, which -O must allow some of. */
struct of_client *ofctl_open_versions(const char *name, uint32_t versions);
/* The target that a name stands for, without connecting; to be released with free(). */
char *ofctl_target(const char *name, const char *service) MUST_CHECK;

/* Connects in a way in which one of the 'usable' protocols can be spoken, makes the switch ready for it, and returns
 * the
 * protocol in '*protocol'. */
struct of_client *ofctl_open_for_flows(const char *name, unsigned int usable, unsigned int *protocol);
/* The same, where the best protocol counts instead of the plainest (dumps). */
struct of_client *ofctl_open_for_dump(const char *name, unsigned int usable, unsigned int *protocol);
/* The protocol that ofctl_open_for_flows() will begin with; exits if none is allowed. */
unsigned int ofctl_choose_protocol(unsigned int usable);
/* Asks the switch to go on in the protocol; false if it refuses. */
bool ofctl_try_protocol(struct of_client *, unsigned int protocol);

/* Messages (connect.c).  All exit when the connection fails. */

void ofctl_send(struct of_client *, struct bytes *messages);
void ofctl_recv(struct of_client *, struct bytes *message);
/* Waits for the message with the xid, printing and dropping nothing else (other messages are dropped). */
void ofctl_recv_xid(struct of_client *, uint32_t xid, struct bytes *message);
/* Sends what 'messages' holds, and a barrier; returns whether no error came back.  The first error is in '*reply'. */
bool ofctl_transact_noreply(struct of_client *, struct bytes *messages, struct bytes *reply);
/* The same; prints the error and exits. */
void ofctl_must_transact_noreply(struct of_client *, struct bytes *messages);
/* Sends one request and prints its answer, all parts of it, with the names (null: none). */
void ofctl_dump(struct of_client *, struct bytes *request, const struct act_text *names);
/* Statistics come in parts: whether more follow this one. */
bool ofctl_more_follow(const struct bytes *message);
/* Prints a message at the chosen verbosity. */
void ofctl_print(FILE *, const void *message, size_t len, const struct act_text *names);
/* The same at 'more' above the verbosity chosen; ofctl_print() is at 1. */
void ofctl_print_more(FILE *, const void *message, size_t len, const struct act_text *names, int more);
uint32_t ofctl_xid(const struct bytes *message);

/* Bundles (bundle.c).  All exit when the switch does not do what they ask for, after telling which message it did not
 * like. */

/* Limits -O and -F to what has bundles; OpenFlow 1.4 need not be allowed explicitly. */
void ofctl_require_bundles(void);
/* Opens a bundle, which the switch drops with the connection; puts messages into it, all of the connection's version,
 * without waiting for answers; carries them out as one atomic change. */
struct ofctl_bundle *ofctl_bundle_open(struct of_client *);
void ofctl_bundle_free(struct ofctl_bundle *);
void ofctl_bundle_add(struct ofctl_bundle *, const void *messages, size_t n);
void ofctl_bundle_commit(struct ofctl_bundle *);
/* All of that. */
void ofctl_run_bundle(struct of_client *, const struct bytes *messages);

/* Names (names.c).  Never null; what it knows depends on --names. */

/* For reading names in arguments, for showing them. */
const struct act_text *ofctl_names_to_accept(const char *switch_name);
const struct act_text *ofctl_names_to_show(const char *switch_name);
bool ofctl_shows_names(void);

/* Flows from files (flow_file.c). */

/* Reads all lines of the file ("-": standard input) that say something; exits if it cannot be read; "no_open" are the
 * words for a file that cannot be opened. */
char *ofctl_read_file(const char *name, const char *no_open, size_t *len);
struct line_iter {
    char *at, *end;
    int number;     /* Of the present line, from 1. */
};
/* The next line that is neither empty nor a comment, without its comment; null at the end.  Changes the text. */
char *ofctl_next_line(struct line_iter *);

/* Sorting and colouring of flows (sort.c, color.c). */
struct dumped_flow {
    struct flow_stats stats; /* 'actions' owned. */
};
void ofctl_sort_flows(struct dumped_flow **, size_t n);
char *ofctl_colorize(const char *flow_text) MUST_CHECK;
/* --color, --sort, --rsort. */
void ofctl_set_color(const char *when);
void ofctl_put_color_words(struct str *);
void ofctl_add_sort_key(const char *name, bool descending);

/* The words of mod-port, mod-table and its TABLE (port.c), for completion. */
cmdline_words ofctl_put_port_words, ofctl_put_table_words, ofctl_put_table_settings;

/* Reads a port of the switch by number or name; exits with the documented text. */
ofp_port ofctl_port(const char *switch_name, const char *text);
/* Reads the syntax of packet-out (packet.c): the packet goes to 'packet', the actions to 'acts', which 'po' points
 * into. */
struct packet_out;
struct error *ofctl_parse_packet_out(const char *text, const struct act_text *names, struct packet_out *po,
                                     struct bytes *packet, struct act_buf *acts, unsigned int *usable) MUST_CHECK;

void ofctl_usage(void);

/* Commands. */
typedef void ofctl_command(struct cmdline_ctx *);
ofctl_command ofctl_show, ofctl_dump_desc, ofctl_dump_tables, ofctl_dump_table_features, ofctl_dump_table_desc,
    ofctl_dump_flows, ofctl_dump_aggregate, ofctl_queue_stats, ofctl_queue_get_config, ofctl_dump_ports,
    ofctl_dump_ports_desc, ofctl_dump_ipfix_bridge, ofctl_dump_ipfix_flow, ofctl_add_flow, ofctl_add_flows,
    ofctl_mod_flows, ofctl_del_flows, ofctl_replace_flows, ofctl_diff_flows, ofctl_mod_port, ofctl_mod_table,
    ofctl_get_frags, ofctl_set_frags, ofctl_packet_out, ofctl_monitor, ofctl_snoop, ofctl_probe, ofctl_ping,
    ofctl_benchmark, ofctl_ct_flush_zone, ofctl_ct_flush, ofctl_add_tlv_map, ofctl_del_tlv_map, ofctl_dump_tlv_map,
    ofctl_ofp_parse, ofctl_ofp_print, ofctl_parse_flow, ofctl_parse_flows, ofctl_encode_hello, ofctl_print_error,
    ofctl_encode_error_reply, ofctl_compose_packet, ofctl_parse_key_value, ofctl_parse_actions,
    ofctl_parse_instructions, ofctl_parse_packet, ofctl_add_group, ofctl_add_groups, ofctl_mod_group, ofctl_del_groups,
    ofctl_insert_buckets, ofctl_remove_buckets, ofctl_dump_groups, ofctl_dump_group_stats, ofctl_dump_group_features,
    ofctl_parse_group, ofctl_bundle, ofctl_add_meter, ofctl_mod_meter, ofctl_del_meters, ofctl_dump_meters,
    ofctl_meter_stats, ofctl_meter_features, ofctl_parse_nxm, ofctl_parse_oxm, ofctl_parse_ofp10_match,
    ofctl_parse_ofp11_match, ofctl_parse_pcap, ofctl_ofp_parse_pcap, ofctl_check_vlan;

#endif
