/* Requests, and what a side says by itself, read and written again. */
#include "flow/match_text.h"
#include "openflow/hello.h"
#include "openflow/msg/bundle.h"
#include "openflow/msg/control.h"
#include "openflow/msg/ct_flush.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/group.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/monitor.h"
#include "openflow/msg/packet.h"
#include "openflow/msg/port.h"
#include "openflow/msg/queue.h"
#include "openflow/msg/switch.h"
#include "openflow/msg/table.h"
#include "openflow/print/again.h"

/* The protocol in which a message is. */
static unsigned int
protocol_of(const struct msg *m)
{
    return m->version > OF10 ? proto_of_version(m->version) : m->wire->class == CLASS_NXT ? PROTO_NXM : PROTO_OF10;
}

bool
again_flow_mod(const struct msg *m, struct bytes *out)
{
    struct flow_mod fm;
    bool ok;

    if (flow_mod_decode(m, false, &fm)) {
        return false;
    }
    ok = !again_has_id_without_tag(m, &fm.match);
    if (ok) {
        flow_mod_encode(out, protocol_of(m), m->xid, &fm);
    }
    flow_mod_uninit(&fm);
    return ok;
}

bool
again_flow_removed(const struct msg *m, struct bytes *out)
{
    struct flow_removed fr;

    if (flow_removed_decode(m, &fr) || again_has_id_without_tag(m, &fr.match)) {
        return false;
    }
    flow_removed_encode(out, protocol_of(m), &fr);
    return true;
}

bool
again_flow_request(const struct msg *m, struct bytes *out)
{
    struct flow_request r;

    if (flow_request_decode(m, &r) || again_has_id_without_tag(m, &r.match)) {
        return false;
    }
    flow_request_encode(out, m->wire->class == CLASS_NXST_REQUEST ? PROTO_NXM : protocol_of(m), m->xid, &r);
    return true;
}

bool
again_packet_out(const struct msg *m, struct bytes *out)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct packet_out po;
    bool ok = !packet_out_decode(m, &po, &acts, NULL);

    if (ok) {
        po.actions = act_buf_span(&acts);
        packet_out_encode(out, protocol_of(m), m->xid, &po);
    }
    act_buf_uninit(&acts);
    return ok;
}

bool
again_group_mod(const struct msg *m, struct bytes *out)
{
    struct group_mod gm;

    if (group_mod_decode(m, &gm)) {
        return false;
    }
    group_mod_encode(out, m->version, m->xid, &gm);
    group_mod_uninit(&gm);
    return true;
}

bool
again_meter_mod(const struct msg *m, struct bytes *out)
{
    struct meter_mod mm;

    if (meter_mod_decode(m, &mm)) {
        return false;
    }
    meter_mod_encode(out, m->version, m->xid, &mm);
    meter_mod_uninit(&mm);
    return true;
}

bool
again_port_mod(const struct msg *m, struct bytes *out)
{
    struct port_mod pm;

    if (port_mod_decode(m, false, &pm)) {
        return false;
    }
    port_mod_encode(out, m->version, m->xid, &pm);
    return true;
}

bool
again_port_status(const struct msg *m, struct bytes *out)
{
    struct port_status ps;

    if (port_status_decode(m, &ps)) {
        return false;
    }
    port_status_encode(out, m->version, &ps);
    return true;
}

bool
again_table_mod(const struct msg *m, struct bytes *out)
{
    struct table_mod tm;

    if (table_mod_decode(m, false, &tm)) {
        return false;
    }
    table_mod_encode(out, m->version, m->xid, &tm);
    return true;
}

bool
again_table_status(const struct msg *m, struct bytes *out)
{
    struct table_status ts;

    if (table_status_decode(m, &ts)) {
        return false;
    }
    table_status_encode(out, m->version, &ts);
    return true;
}

bool
again_bundle_control(const struct msg *m, struct bytes *out)
{
    struct bundle_control bc;

    if (bundle_control_decode(m, &bc)) {
        return false;
    }
    bundle_control_encode(out, m->version, m->xid, &bc);
    return true;
}

bool
again_bundle_add(const struct msg *m, struct bytes *out)
{
    struct bundle_add ba;

    if (bundle_add_decode(m, &ba, NULL)) {
        return false;
    }
    bundle_add_encode(out, ba.bundle_id, ba.flags, ba.inner.data, ba.inner.len);
    return true;
}

bool
again_role_request(const struct msg *m, struct bytes *out)
{
    struct role_msg r;

    if (role_decode(m, &r)) {
        return false;
    }
    role_request_encode(out, m->version, m->xid, &r);
    return true;
}

bool
again_role_status(const struct msg *m, struct bytes *out)
{
    struct role_status r;

    return !role_status_decode(m, &r) && role_status_encode(out, m->version, &r);
}

bool
again_set_config(const struct msg *m, struct bytes *out)
{
    struct switch_config c;

    if (switch_config_decode(m, &c)) {
        return false;
    }
    switch_config_encode(out, m->type, m->version, m->xid, &c);
    return true;
}

bool
again_ct_flush(const struct msg *m, struct bytes *out)
{
    struct ct_flush f;

    if (ct_flush_decode(m, &f)) {
        return false;
    }
    ct_flush_encode(out, m->version, m->xid, &f);
    return true;
}

bool
again_monitor_request(const struct msg *m, struct bytes *out)
{
    struct monitor_request r;
    struct cursor c = m->body;

    if (monitor_request_take(&c, m, &r, NULL) || c.left || again_has_id_without_tag(m, &r.match)) {
        return false;
    }
    monitor_request_encode(out, m->version, m->xid, &r);
    return true;
}

bool
again_meter_request(const struct msg *m, struct bytes *out)
{
    uint32_t id;

    if (meter_request_decode(m, &id)) {
        return false;
    }
    meter_request_encode(out, m->type, m->version, m->xid, id);
    return true;
}

bool
again_group_request(const struct msg *m, struct bytes *out)
{
    uint32_t id;

    if (group_request_decode(m, &id)) {
        return false;
    }
    group_request_encode(out, m->type, m->version, m->xid, id);
    return true;
}

bool
again_queue_request(const struct msg *m, struct bytes *out)
{
    struct queue_request r;

    if (queue_stats_request_decode(m, &r)) {
        return false;
    }
    queue_stats_request_encode(out, m->version, m->xid, &r);
    return true;
}

bool
again_port_request(const struct msg *m, struct bytes *out)
{
    ofp_port port;

    if (port_stats_request_decode(m, &port)) {
        return false;
    }
    port_stats_request_encode(out, m->version, m->xid, port);
    return true;
}

/* A message that is only a header. */
bool
again_bare(const struct msg *m, struct bytes *out)
{
    return msg_finish(out, msg_start_class(out, m->type, m->wire->class, m->version, m->xid));
}

bool
again_hello(const struct msg *m, struct bytes *out)
{
    bool clean;
    uint32_t versions = hello_decode(m, &clean) & OF_VERSIONS_ALL;

    if (!versions) {
        return false;
    }
    hello_encode(out, versions, m->xid);
    return true;
}

/* Errors of numbers that are unknown are never written. */
bool
again_error(const struct msg *m, struct bytes *out)
{
    struct error_msg e;

    if (error_decode(m, &e) || e.error == OFPERR_NONE) {
        return false;
    }
    error_encode_reply(out, e.error, m->version, e.payload.at, e.payload.left);
    return true;
}

bool
again_echo(const struct msg *m, struct bytes *out)
{
    msg_put_simple(out, m->type, m->version, m->xid, m->body.at, m->body.left);
    return true;
}

bool
again_packet_in(const struct msg *m, struct bytes *out)
{
    struct packet_in pin;
    enum packet_in_format format = m->type == MSG_PACKET_IN2 ? PACKET_IN_NXT2
                                   : m->wire->class == CLASS_NXT ? PACKET_IN_NXT : PACKET_IN_STANDARD;

    /* Metadata is read loosely, but what we write never lacks a prerequisite. */
    if (packet_in_decode(m, &pin, NULL) || match_drop_unmet(&pin.metadata, NULL) ||
        again_has_id_without_tag(m, &pin.metadata)) {
        return false;
    }
    if (m->type == MSG_RESUME) {
        packet_in_encode_resume(out, m->version, m->xid, &pin);
    } else {
        packet_in_encode(out, protocol_of(m), format, &pin, SIZE_MAX);
    }
    return true;
}

bool
again_flow_mod_table_id(const struct msg *m, struct bytes *out)
{
    bool enable;

    if (flow_mod_table_id_decode(m, &enable)) {
        return false;
    }
    flow_mod_table_id_encode(out, m->xid, enable);
    return true;
}

bool
again_flow_format(const struct msg *m, struct bytes *out)
{
    unsigned int protocol;

    if (flow_format_decode(m, &protocol, NULL)) {
        return false;
    }
    flow_format_encode(out, m->xid, protocol == PROTO_NXM);
    return true;
}

bool
again_set_async(const struct msg *m, struct bytes *out)
{
    struct async_config c = { .primary = { 0 } };

    if (async_config_decode(m, false, &c, NULL)) {
        return false;
    }
    async_set_encode(out, m->version, m->xid, &c);
    return true;
}

bool
again_packet_in_format(const struct msg *m, struct bytes *out)
{
    enum packet_in_format format;

    if (packet_in_format_decode(m, &format, NULL)) {
        return false;
    }
    packet_in_format_encode(out, m->version, m->xid, format);
    return true;
}

bool
again_controller_id(const struct msg *m, struct bytes *out)
{
    uint16_t id;

    if (controller_id_decode(m, &id)) {
        return false;
    }
    controller_id_encode(out, m->version, m->xid, id);
    return true;
}

/* We only read this one, so that there is no encoder: the number that was read is put here. */
bool
again_monitor_cancel(const struct msg *m, struct bytes *out)
{
    uint8_t body[4];
    uint32_t id;

    if (monitor_cancel_decode(m, &id)) {
        return false;
    }
    put_be32(body, id);
    msg_put_simple(out, m->type, m->version, m->xid, body, sizeof body);
    return true;
}

bool
again_requestforward(const struct msg *m, struct bytes *out)
{
    struct bytes inner = BYTES_INIT;
    size_t len = m->body.left >= MSG_HEADER ? msg_stated_length(m->body.at) : 0;
    bool ok = len >= MSG_HEADER && len <= m->body.left && msg_write_again(m->body.at, len, &inner);

    if (ok) {
        size_t start = msg_start(out, MSG_REQUESTFORWARD, m->version, m->xid);

        bytes_put(out, inner.data, inner.len);
        ok = msg_finish(out, start);
    }
    bytes_uninit(&inner);
    return ok;
}

bool
again_ct_flush_zone(const struct msg *m, struct bytes *out)
{
    uint16_t zone;

    if (ct_flush_zone_decode(m, &zone)) {
        return false;
    }
    ct_flush_zone_encode(out, m->version, m->xid, zone);
    return true;
}

bool
again_port_desc_request(const struct msg *m, struct bytes *out)
{
    ofp_port port;

    if (port_desc_request_decode(m, &port)) {
        return false;
    }
    port_desc_request_encode(out, m->version, m->xid, port);
    return true;
}

bool
again_queue_config_request(const struct msg *m, struct bytes *out)
{
    struct queue_request r;

    if (queue_config_request_decode(m, &r)) {
        return false;
    }
    queue_config_request_encode(out, m->version, m->xid, &r);
    return true;
}
