/* Messages read and written again, for the tests of the codec: msg_write_again() calls the decoder of a message and
 * then the encoder of what it gave.
 *
 * Every type of messages.def has a row in again.c: a function for the whole message (again_messages.c,
 * again_replies.c), or one for each entry of statistics (again_entries.c).
 *
 * Threads: pure functions. */
#ifndef OPENFLOW_PRINT_AGAIN_H
#define OPENFLOW_PRINT_AGAIN_H 1

#include "openflow/msg.h"

/* Reads the message of 'len' bytes at 'data' and puts it into 'out' (cleared first) as our encoder writes it, with the
 * same xid; statistics that have grown may be several messages.  Returns false if it cannot be read, or is one that we
 * never write. */
bool msg_write_again(const void *data, size_t len, struct bytes *out);

/* Whether there is a row for the type. */
bool msg_again_knows(enum msg_type);

/* A VLAN id without the bit that says that there is a tag: NXM says it, but OXM, which the encoder takes from 1.2 on,
 * has no form that is read as it was. */
struct match;
bool again_has_id_without_tag(const struct msg *m, const struct match *match);

/* Each reads 'm' and appends it again; false as above. */
typedef bool again_func(const struct msg *m, struct bytes *out);

again_func again_flow_mod, again_flow_removed, again_flow_request, again_packet_out, again_group_mod,
    again_meter_mod, again_port_mod, again_port_status, again_table_mod, again_table_status, again_bundle_control,
    again_bundle_add, again_role_request, again_role_status, again_set_config, again_ct_flush,
    again_monitor_request, again_meter_request, again_group_request, again_queue_request, again_port_request,
    again_bare, again_hello, again_error, again_echo, again_packet_in, again_flow_mod_table_id, again_flow_format,
    again_set_async, again_packet_in_format, again_controller_id, again_monitor_cancel, again_requestforward,
    again_ct_flush_zone, again_port_desc_request, again_queue_config_request, again_role_reply, again_async_reply,
    again_features_reply, again_desc, again_aggregate_reply, again_group_features, again_meter_features,
    again_queue_config_reply, again_tlv_mod, again_tlv_reply;

/* Takes an entry from 'c' and appends it again. */
typedef bool again_entry_func(const struct msg *m, struct cursor *c, struct bytes *out);

again_entry_func again_flow_entry, again_port_entry, again_port_desc_entry, again_queue_entry, again_group_entry,
    again_group_desc_entry, again_meter_entry, again_meter_config_entry, again_table_desc_entry, again_table_entry,
    again_monitor_entry, again_ipfix_entry, again_table_features_entry;

#endif
