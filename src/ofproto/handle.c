/* Messages to handlers, and the small ones about the connection itself. */
#include <stdlib.h>

#include "ofproto/conns.h"
#include "ofproto/ct_flush.h"
#include "ofproto/depend.h"
#include "ofproto/multipart.h"
#include "ofproto/ofconn.h"
#include "ofproto/sampler.h"
#include "openflow/msg/ct_flush.h"

void
ofconn_reset(struct ofconn *c, enum of_version version)
{
    c->version = version;
    c->protocol = version == OF10 ? PROTO_OF10 : proto_of_version(version);
    c->role = ROLE_EQUAL;
    c->packet_in_format = PACKET_IN_STANDARD;
    c->controller_id = 0;
    c->miss_send_len = c->is_primary ? 128 : 0; /* OFP_DEFAULT_MISS_SEND_LEN, for those who asked for the switch. */
    c->invalid_ttl_to_controller = 0;
    async_config_default(version, &c->async);
}

bool
ofconn_wants(const struct ofconn *c, enum async_kind kind, unsigned int reason)
{
    const uint32_t *masks = c->role == ROLE_SECONDARY ? c->async.secondary : c->async.primary;

    if (!c->version || (!c->is_primary && !c->miss_send_len)) {
        return false; /* A client of the service is told nothing until it sets a miss_send_len. */
    }
    return masks[kind] >> reason & 1;
}

enum ofperr
handle_ignore(struct ofconn *c UNUSED, const struct msg *m UNUSED, struct bytes *out UNUSED)
{
    return OFPERR_NONE;
}

enum ofperr
handle_echo(struct ofconn *c UNUSED, const struct msg *m, struct bytes *out)
{
    msg_put_simple(out, MSG_ECHO_REPLY, m->version, m->xid, m->body.at, m->body.left);
    return OFPERR_NONE;
}

enum ofperr
handle_barrier(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct backer *b = c->ofproto->backer;

    /* Every message is carried out before the next is read, and what happened has been told (telling_holds()).  What
     * flow-mods concern, and what changes of ports and settings do, is not used for packets any more from here on. */
    depend_settle(b->depend);
    depend_harden(b->depend);
    msg_put_simple(out, MSG_BARRIER_REPLY, m->version, m->xid, NULL, 0);
    return OFPERR_NONE;
}

enum ofperr
handle_role(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct role_msg request, reply;
    enum ofperr error = role_decode(m, &request);

    if (error) {
        return error;
    }
    if (request.role != ROLE_NOCHANGE) {
        error = ofconn_set_role(c, &request);
        if (error) {
            return error;
        }
    }
    reply = (struct role_msg) { .role = c->role };
    ofconn_get_generation(c, &reply);
    role_reply_encode(out, m, &reply);
    return OFPERR_NONE;
}

enum ofperr
handle_get_async(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    async_reply_encode(out, m, &c->async);
    return OFPERR_NONE;
}

enum ofperr
handle_set_async(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct async_config config = c->async;
    enum ofperr error = async_config_decode(m, false, &config, NULL);

    if (!error) {
        c->async = config;
        if (!c->is_primary && !c->miss_send_len) {
            c->miss_send_len = 128; /* Who says what it wants to be told wants to be told it. */
        }
    }
    return error;
}

enum ofperr
handle_packet_in_format(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    return packet_in_format_decode(m, &c->packet_in_format, NULL);
}

enum ofperr
handle_flow_format(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    bool tid = c->protocol & (PROTO_OF10_TID | PROTO_NXM_TID);
    unsigned int protocol;
    enum ofperr error = flow_format_decode(m, &protocol, NULL);

    if (!error) {
        c->protocol = protocol == PROTO_NXM ? (tid ? PROTO_NXM_TID : PROTO_NXM) : (tid ? PROTO_OF10_TID : PROTO_OF10);
    }
    return error;
}

enum ofperr
handle_flow_mod_table_id(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    bool nxm = c->protocol & (PROTO_NXM | PROTO_NXM_TID), enable;
    enum ofperr error = flow_mod_table_id_decode(m, &enable);

    if (!error && c->version == OF10) {
        c->protocol = nxm ? (enable ? PROTO_NXM_TID : PROTO_NXM) : (enable ? PROTO_OF10_TID : PROTO_OF10);
    }
    return error;
}

enum ofperr
handle_controller_id(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    return controller_id_decode(m, &c->controller_id);
}

enum ofperr
handle_ipfix_stats(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    bool is_bridge = m->type == MSG_IPFIX_BRIDGE_REQUEST;
    struct bytes body = BYTES_INIT;
    bool any = samplers_put_stats(c->ofproto, is_bridge, &body);

    if (any) {
        msg_put_simple(out, is_bridge ? MSG_IPFIX_BRIDGE_REPLY : MSG_IPFIX_FLOW_REPLY, m->version, m->xid, body.data,
                       body.len);
    }
    bytes_uninit(&body);
    return any ? OFPERR_NONE : OFPERR_NXST_NOT_CONFIGURED;
}

static struct conntrack *
tracker_of(const struct ofconn *c)
{
    struct datapath *dp = c->ofproto->backer->xdp.dp;

    return dp->class->conntrack ? dp->class->conntrack(dp) : NULL;
}

/* A connection that waits for a flush.  If it ends before, the flush goes on. */
struct flush_wait {
    struct ofconn_job job;
    struct ofconn *c;  /* Null: gone. */
    bool is_waiting, is_done;
};

static void
forget_flush(struct ofconn_job *job)
{
    struct flush_wait *w = CONTAINER_OF(job, struct flush_wait, job);

    w->c = NULL;
    if (w->is_done) {
        free(w);
    }
}

static void
flush_done(void *w_, size_t n_removed UNUSED)
{
    struct flush_wait *w = w_;
    struct bytes none = BYTES_INIT;

    w->is_done = true;
    if (!w->is_waiting) {
        return; /* Within the handler. */
    }
    if (w->c) {
        ofconn_end_job(w->c, &none);
    } else {
        free(w);
    }
}

static void
flush(struct ofconn *c, const struct ct_flush *f)
{
    struct conntrack *ct = tracker_of(c);
    struct flush_wait *w;

    if (!ct) {
        return;
    }
    w = xzalloc(sizeof *w);
    *w = (struct flush_wait) { .job = { NULL, forget_flush }, .c = c };
    ct_flush_start(ct, f, flush_done, w);
    if (w->is_done) {
        free(w);
        return;
    }
    w->is_waiting = true;
    ofconn_start_job(c, &w->job);
}

enum ofperr
handle_ct_flush(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct ct_flush f;
    enum ofperr error = ct_flush_decode(m, &f);

    if (!error) {
        flush(c, &f);
    }
    return error;
}

enum ofperr
handle_ct_flush_zone(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct ct_flush f = { .has_zone = true };
    enum ofperr error = ct_flush_zone_decode(m, &f.zone);

    if (!error) {
        flush(c, &f);
    }
    return error;
}

/* The table of what is served.  A message without a row is answered with an error. */
static handler *const handlers[MSG_N] = {
    [MSG_ERROR] = handle_ignore,
    [MSG_ECHO_REQUEST] = handle_echo,
    [MSG_ECHO_REPLY] = handle_ignore,
    [MSG_BARRIER_REQUEST] = handle_barrier,
    [MSG_FEATURES_REQUEST] = handle_features,
    [MSG_GET_CONFIG_REQUEST] = handle_get_config,
    [MSG_SET_CONFIG] = handle_set_config,
    [MSG_DESC_REQUEST] = handle_desc,
    [MSG_PORT_DESC_REQUEST] = handle_port_desc,
    [MSG_PORT_REQUEST] = handle_port_stats,
    [MSG_PORT_MOD] = handle_port_mod,
    [MSG_QUEUE_REQUEST] = handle_queue_stats,
    [MSG_QUEUE_GET_CONFIG_REQUEST] = handle_queue_config,
    [MSG_QUEUE_DESC_REQUEST] = handle_queue_config,
    [MSG_TABLE_REQUEST] = handle_table_stats,
    [MSG_TABLE_FEATURES_REQUEST] = handle_table_features,
    [MSG_TABLE_DESC_REQUEST] = handle_table_desc,
    [MSG_TABLE_MOD] = handle_table_mod,
    [MSG_FLOW_MOD] = handle_flow_mod,
    [MSG_FLOW_REQUEST] = handle_flow_stats,
    [MSG_AGGREGATE_REQUEST] = handle_aggregate,
    [MSG_PACKET_OUT] = handle_packet_out,
    [MSG_RESUME] = handle_resume,
    [MSG_ROLE_REQUEST] = handle_role,
    [MSG_GET_ASYNC_REQUEST] = handle_get_async,
    [MSG_SET_ASYNC] = handle_set_async,
    [MSG_SET_ASYNC_CONFIG] = handle_set_async,
    [MSG_SET_ASYNC_CONFIG2] = handle_set_async,
    [MSG_SET_PACKET_IN_FORMAT] = handle_packet_in_format,
    [MSG_SET_FLOW_FORMAT] = handle_flow_format,
    [MSG_FLOW_MOD_TABLE_ID] = handle_flow_mod_table_id,
    [MSG_SET_CONTROLLER_ID] = handle_controller_id,
    [MSG_GROUP_MOD] = handle_group_mod,
    [MSG_GROUP_REQUEST] = handle_group_stats,
    [MSG_GROUP_DESC_REQUEST] = handle_group_desc,
    [MSG_GROUP_FEATURES_REQUEST] = handle_group_features,
    [MSG_METER_MOD] = handle_meter_mod,
    [MSG_METER_REQUEST] = handle_meter_stats,
    [MSG_METER_CONFIG_REQUEST] = handle_meter_config,
    [MSG_METER_FEATURES_REQUEST] = handle_meter_features,
    [MSG_BUNDLE_CONTROL] = handle_bundle_control,
    [MSG_BUNDLE_ADD_MESSAGE] = handle_bundle_add,
    [MSG_IPFIX_BRIDGE_REQUEST] = handle_ipfix_stats,
    [MSG_IPFIX_FLOW_REQUEST] = handle_ipfix_stats,
    [MSG_CT_FLUSH] = handle_ct_flush,
    [MSG_CT_FLUSH_ZONE] = handle_ct_flush_zone,
    [MSG_FLOW_MONITOR_REQUEST] = handle_flow_monitor,
    [MSG_FLOW_MONITOR_CANCEL] = handle_flow_monitor_cancel,
    [MSG_TLV_TABLE_MOD] = handle_tlv_mod,
    [MSG_TLV_TABLE_REQUEST] = handle_tlv_request,
    [MSG_FLOW_AGE] = handle_ignore,
};

/* Secondaries may look but not touch (OpenFlow 1.5 §6.3.6). */
static bool
changes_something(enum msg_type type)
{
    return type == MSG_FLOW_MOD || type == MSG_PORT_MOD || type == MSG_PACKET_OUT || type == MSG_GROUP_MOD ||
           type == MSG_METER_MOD || type == MSG_TABLE_MOD || type == MSG_BUNDLE_CONTROL ||
           type == MSG_BUNDLE_ADD_MESSAGE;
}

static enum ofperr
dispatch(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    handler *h = handlers[m->type];
    enum ofperr error;

    if (!h) {
        return OFPERR_OFPBRC_BAD_TYPE;
    }
    if (c->role == ROLE_SECONDARY && changes_something(m->type)) {
        return OFPERR_OFPBRC_IS_SECONDARY;
    }
    error = h(c, m, out);
    if (!error) {
        conns_forward_request(c, m);
    }
    return error;
}

void
ofconn_handle(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct msg whole;
    enum ofperr error;

    c->xid = m->xid;
    if (!multipart_take(c, m, &whole, &error)) {
        return;
    }
    error = error ? error : dispatch(c, &whole, out);
    if (error) {
        ofconn_refuse(c, &whole, error, out);
    }
}
