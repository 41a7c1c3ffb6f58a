#include "flow/match.h"
#include "openflow/print/again.h"

static const struct row {
    again_func *again;
    again_entry_func *entry; /* Of statistics, if 'again' is null. */
} rows[MSG_N] = {
    [MSG_HELLO] = { .again = again_hello },
    [MSG_ERROR] = { .again = again_error },
    [MSG_ECHO_REQUEST] = { .again = again_echo },
    [MSG_ECHO_REPLY] = { .again = again_echo },
    [MSG_FEATURES_REQUEST] = { .again = again_bare },
    [MSG_FEATURES_REPLY] = { .again = again_features_reply },
    [MSG_GET_CONFIG_REQUEST] = { .again = again_bare },
    [MSG_GET_CONFIG_REPLY] = { .again = again_set_config },
    [MSG_SET_CONFIG] = { .again = again_set_config },
    [MSG_BARRIER_REQUEST] = { .again = again_bare },
    [MSG_BARRIER_REPLY] = { .again = again_bare },
    [MSG_PACKET_IN] = { .again = again_packet_in },
    [MSG_PACKET_IN2] = { .again = again_packet_in },
    [MSG_PACKET_OUT] = { .again = again_packet_out },
    [MSG_RESUME] = { .again = again_packet_in },
    [MSG_FLOW_MOD] = { .again = again_flow_mod },
    [MSG_FLOW_REMOVED] = { .again = again_flow_removed },
    [MSG_FLOW_AGE] = { .again = again_bare },
    [MSG_FLOW_MOD_TABLE_ID] = { .again = again_flow_mod_table_id },
    [MSG_SET_FLOW_FORMAT] = { .again = again_flow_format },
    [MSG_PORT_STATUS] = { .again = again_port_status },
    [MSG_PORT_MOD] = { .again = again_port_mod },
    [MSG_TABLE_MOD] = { .again = again_table_mod },
    [MSG_TABLE_STATUS] = { .again = again_table_status },
    [MSG_GROUP_MOD] = { .again = again_group_mod },
    [MSG_METER_MOD] = { .again = again_meter_mod },
    [MSG_QUEUE_GET_CONFIG_REQUEST] = { .again = again_queue_config_request },
    [MSG_QUEUE_GET_CONFIG_REPLY] = { .again = again_queue_config_reply },
    [MSG_ROLE_REQUEST] = { .again = again_role_request },
    [MSG_ROLE_REPLY] = { .again = again_role_reply },
    [MSG_ROLE_STATUS] = { .again = again_role_status },
    [MSG_GET_ASYNC_REQUEST] = { .again = again_bare },
    [MSG_GET_ASYNC_REPLY] = { .again = again_async_reply },
    [MSG_SET_ASYNC] = { .again = again_set_async },
    [MSG_SET_ASYNC_CONFIG] = { .again = again_set_async },
    [MSG_SET_ASYNC_CONFIG2] = { .again = again_set_async },
    [MSG_SET_PACKET_IN_FORMAT] = { .again = again_packet_in_format },
    [MSG_SET_CONTROLLER_ID] = { .again = again_controller_id },
    [MSG_REQUESTFORWARD] = { .again = again_requestforward },
    [MSG_FLOW_MONITOR_CANCEL] = { .again = again_monitor_cancel },
    [MSG_FLOW_MONITOR_PAUSED] = { .again = again_bare },
    [MSG_FLOW_MONITOR_RESUMED] = { .again = again_bare },
    [MSG_BUNDLE_CONTROL] = { .again = again_bundle_control },
    [MSG_BUNDLE_ADD_MESSAGE] = { .again = again_bundle_add },
    [MSG_TLV_TABLE_MOD] = { .again = again_tlv_mod },
    [MSG_TLV_TABLE_REQUEST] = { .again = again_bare },
    [MSG_TLV_TABLE_REPLY] = { .again = again_tlv_reply },
    [MSG_CT_FLUSH_ZONE] = { .again = again_ct_flush_zone },
    [MSG_CT_FLUSH] = { .again = again_ct_flush },
    [MSG_DESC_REQUEST] = { .again = again_bare },
    [MSG_DESC_REPLY] = { .again = again_desc },
    [MSG_FLOW_REQUEST] = { .again = again_flow_request },
    [MSG_FLOW_REPLY] = { .entry = again_flow_entry },
    [MSG_AGGREGATE_REQUEST] = { .again = again_flow_request },
    [MSG_AGGREGATE_REPLY] = { .again = again_aggregate_reply },
    [MSG_TABLE_REQUEST] = { .again = again_bare },
    [MSG_TABLE_REPLY] = { .entry = again_table_entry },
    [MSG_PORT_REQUEST] = { .again = again_port_request },
    [MSG_PORT_REPLY] = { .entry = again_port_entry },
    [MSG_QUEUE_REQUEST] = { .again = again_queue_request },
    [MSG_QUEUE_REPLY] = { .entry = again_queue_entry },
    [MSG_GROUP_REQUEST] = { .again = again_group_request },
    [MSG_GROUP_REPLY] = { .entry = again_group_entry },
    [MSG_GROUP_DESC_REQUEST] = { .again = again_group_request },
    [MSG_GROUP_DESC_REPLY] = { .entry = again_group_desc_entry },
    [MSG_GROUP_FEATURES_REQUEST] = { .again = again_bare },
    [MSG_GROUP_FEATURES_REPLY] = { .again = again_group_features },
    [MSG_METER_REQUEST] = { .again = again_meter_request },
    [MSG_METER_REPLY] = { .entry = again_meter_entry },
    [MSG_METER_CONFIG_REQUEST] = { .again = again_meter_request },
    [MSG_METER_CONFIG_REPLY] = { .entry = again_meter_config_entry },
    [MSG_METER_FEATURES_REQUEST] = { .again = again_bare },
    [MSG_METER_FEATURES_REPLY] = { .again = again_meter_features },
    [MSG_TABLE_FEATURES_REQUEST] = { .entry = again_table_features_entry },
    [MSG_TABLE_FEATURES_REPLY] = { .entry = again_table_features_entry },
    [MSG_PORT_DESC_REQUEST] = { .again = again_port_desc_request },
    [MSG_PORT_DESC_REPLY] = { .entry = again_port_desc_entry },
    [MSG_TABLE_DESC_REQUEST] = { .again = again_bare },
    [MSG_TABLE_DESC_REPLY] = { .entry = again_table_desc_entry },
    [MSG_QUEUE_DESC_REQUEST] = { .again = again_queue_config_request },
    [MSG_QUEUE_DESC_REPLY] = { .again = again_queue_config_reply },
    [MSG_FLOW_MONITOR_REQUEST] = { .again = again_monitor_request },
    [MSG_FLOW_MONITOR_REPLY] = { .entry = again_monitor_entry },
    [MSG_IPFIX_BRIDGE_REQUEST] = { .again = again_bare },
    [MSG_IPFIX_BRIDGE_REPLY] = { .entry = again_ipfix_entry },
    [MSG_IPFIX_FLOW_REQUEST] = { .again = again_bare },
    [MSG_IPFIX_FLOW_REPLY] = { .entry = again_ipfix_entry },
};

bool
msg_again_knows(enum msg_type type)
{
    return rows[type].again || rows[type].entry;
}

bool
again_has_id_without_tag(const struct msg *m, const struct match *match)
{
    unsigned int tci = be16_to_cpu(match->flow.vlan_tci);

    return m->version >= OF12 && tci & VLAN_VID_MASK && !(tci & VLAN_PRESENT);
}

static bool
write_entries(const struct msg *m, again_entry_func *entry, struct bytes *out)
{
    struct cursor c = m->body;
    struct msg_parts parts;

    msg_parts_begin_class(&parts, out, m->type, m->wire->class, m->version, m->xid);
    while (c.left) {
        size_t at = out->len;

        if (!entry(m, &c, out)) {
            return false;
        }
        if (!msg_parts_entry(&parts, at)) {
            return false;
        }
    }
    msg_parts_end(&parts);
    if (msg_stated_length(out->data) == out->len) {
        put_be16(out->data + MSG_HEADER + 2, m->stat_flags);
    }
    return true;
}

bool
msg_write_again(const void *data, size_t len, struct bytes *out)
{
    const struct row *row;
    struct msg m;
    bool ok;

    bytes_clear(out);
    if (msg_decode(data, len, &m)) {
        return false;
    }
    row = &rows[m.type];
    ok = row->again ? row->again(&m, out) : write_entries(&m, row->entry, out);
    if (ok && out->len >= MSG_HEADER) {
        put_be32(out->data + 4, m.xid); /* Some are always sent with 0. */
    }
    return ok;
}
