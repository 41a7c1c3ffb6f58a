/* What the printers of the several kinds of messages share. */
#ifndef OPENFLOW_PRINT_PRIVATE_H
#define OPENFLOW_PRINT_PRIVATE_H 1

#include "openflow/print/print.h"
#include "openflow/table_names.h"

struct group_mod;

struct printer {
    struct str *s;
    const struct act_text *names; /* Never null. */
    int verbosity;
    char **why;                   /* See msg_print(); never null. */
};

/* Prints the body; what comes before is "NAME (xid=0x1):".  On an error the caller adds it and a dump. */
typedef enum ofperr print_func(struct printer *, const struct msg *);

/* One per message type that has anything to show; see print.c. */
print_func print_hello, print_error_msg, print_echo, print_features, print_config, print_desc, print_port_status,
    print_port_mod, print_port_desc_request, print_port_desc_reply, print_port_request, print_port_reply,
    print_flow_mod_msg, print_flow_removed, print_flow_request, print_flow_reply, print_aggregate_reply,
    print_flow_mod_table_id, print_flow_format, print_packet_in, print_packet_out, print_table_mod, print_table_status,
    print_table_reply, print_table_desc_reply, print_table_features, print_queue_request, print_queue_reply,
    print_queue_config_request, print_queue_config_reply, print_role, print_role_status, print_async,
    print_packet_in_format, print_controller_id, print_bundle_control, print_bundle_add, print_requestforward,
    print_group_mod, print_group_request, print_group_reply, print_group_desc_reply, print_group_features,
    print_meter_mod, print_meter_request, print_meter_reply, print_meter_config_reply, print_meter_features,
    print_monitor_request, print_monitor_reply, print_monitor_cancel, print_tlv_mod, print_tlv_reply, print_ct_flush,
    print_ct_flush_zone, print_ipfix_bridge, print_ipfix_flow;

/* Prints a message inside a message: only its body, or, for 'whole', all of it. */
void print_inner(struct printer *, const struct msg *);

/* The 40 bytes of a match of OpenFlow 1.0, with a word for everything. */
void print_match10(struct str *, const uint8_t *match);

/* Descriptions of ports, in the order of their numbers. */
enum ofperr print_port_descs(struct printer *, enum of_version, struct cursor) MUST_CHECK;

/* "no_match"...; null for numbers without a name; empty for those that the reference knows and does not name. */
const char *print_packet_in_reason(unsigned int reason);
void print_port(struct printer *, ofp_port);
void print_table_id(struct printer *, uint8_t table);
void print_match(struct printer *, const struct match *, int priority);
void print_actions(struct printer *, struct act_span);
/* "group_id=5,type=..." */
void print_group(struct printer *, const struct group_mod *, enum of_version);

/* Appends the names of the bits that are set, 'separator' between them; "0" if there is none.  Bits without a name
 * appear as one number at the end. */
struct print_bit {
    uint32_t bit;
    const char *name;
};
void print_bits(struct str *s, uint32_t bits, const struct print_bit *, size_t n, const char *separator);

/* Appends the counter, "?" if it is unknown (all ones). */
void print_counter(struct str *s, uint64_t v);

#endif
