/* Packet-out: a controller's packet goes through a list of actions; so does one of the switch itself. */
#include <errno.h>
#include <stdlib.h>

#include "flow/extract.h"
#include "flow/tun_metadata.h"
#include "ofproto/change.h"
#include "ofproto/credits.h"
#include "ofproto/ofconn.h"
#include "ofproto/xlate/xlate.h"
#include "openflow/msg/packet.h"

/* The packet's flow: its headers, and what the message says about where it comes from. */
static void
packet_flow(const struct ofproto *p, const struct packet_out *po, struct flow *flow)
{
    struct match m = po->metadata;
    struct flow md;

    (void) !tun_match_bind(xbridge_options_rcu(&p->xb), &m, true); /* Cannot fail if it may cut. */
    flow_mask(&md, &m.flow, &m.mask);
    md.in_port = cpu_to_be32(ofp_to_u32(packet_metadata_in_port(&po->metadata)));
    flow_extract_full(po->packet, po->packet_len, &md, flow, NULL);
}

static int
execute(struct ofproto *p, const struct packet_out *po, const struct flow *flow, const struct xlate_out *out)
{
    struct datapath *dp = p->backer->xdp.dp;
    struct xport *in = xbridge_port_rcu(&p->xb, OFP_PORT(be32_to_cpu(flow->in_port)));
    struct dp_flow_stats one = {
        .n_packets = 1, .n_bytes = po->packet_len, .used = clock_now_ms(), .tcp_flags = be16_to_cpu(flow->tcp_flags),
    };
    struct flow key = *flow;
    int error = 0;

    key.in_port = cpu_to_be32(in ? in->odp_port.n : UINT32_MAX);
    if (out->actions.len) {
        error = dp->class->execute(dp, po->packet, po->packet_len, &key, out->actions.data, out->actions.len);
    }
    xlate_credit_stats(out->credits, out->n_credits, &one);
    return error;
}

/* Translates the packet's actions, in that version of the tables; 'out' is the caller's to release. */
static void
translate(struct ofproto *p, const struct packet_out *po, uint64_t version, struct flow *flow, struct xlate_out *out)
{
    struct xlate_in in;

    packet_flow(p, po, flow);
    in = (struct xlate_in) {
        .bridge = &p->xb, .flow = flow, .frame = po->packet, .frame_len = po->packet_len,
        .packet_len = po->packet_len, .tcp_flags = be16_to_cpu(flow->tcp_flags),
        .tables_version = version, .acts = po->actions.first, .acts_len = po->actions.len, .want_effects = true,
    };
    xlate_out_init(out);
    if (po->actions.len) {
        xlate(&in, out);
    }
}

/* What cannot be translated has no effects and counts nowhere.  '*error' is the datapath's. */
static enum ofperr
carry_out(struct ofproto *p, const struct packet_out *po, int *error)
{
    enum ofperr refused = OFPERR_NONE;
    struct xlate_out out;
    struct flow flow;

    *error = 0;
    translate(p, po, atomic_load(&p->xb.tables_version), &flow, &out);
    if (out.error) {
        refused = OFPERR_OFPFMFC_UNKNOWN;
    } else if (po->actions.len) {
        xlate_apply_effects(&out);
        *error = execute(p, po, &flow, &out);
    }
    xlate_out_uninit(&out);
    return refused;
}

int
ofproto_send_own(struct ofproto *p, const struct xport *port, const void *frame, size_t len)
{
    struct act_buf acts;
    struct act_output *output;
    struct packet_out po = { .packet = frame, .packet_len = len };
    int error;

    act_buf_init(&acts);
    output = act_put(&acts, ACT_OUTPUT, sizeof *output);
    output->port = port->ofp_port;
    po.actions = act_buf_span(&acts);
    match_init_catchall(&po.metadata);
    if (carry_out(p, &po, &error)) {
        error = -EINVAL;
    }
    act_buf_uninit(&acts);
    if (!error) {
        p->n_own_packets++;
        p->n_own_bytes += len;
    }
    return error;
}

enum ofperr
packet_out_check(const struct ofconn *c, const struct packet_out *po, struct act_buf *acts)
{
    struct match match;
    struct act_check check = { .match = &match, .protocols = c->protocol, .max_ports = OFPP_MAX };

    packet_flow(c->ofproto, po, &match.flow);
    memset(&match.mask, 0xff, sizeof match.mask);
    return act_check(acts, &check);
}

enum ofperr
packet_out_prepare(struct ofconn *c, const struct msg *m, struct packet_out_job *job)
{
    enum ofperr error;

    act_buf_init(&job->acts);
    error = packet_out_decode(m, &job->po, &job->acts, NULL);
    if (!error && job->po.buffer_id != BUFFER_NONE) {
        error = OFPERR_OFPBRC_BUFFER_UNKNOWN; /* No packet is ever buffered. */
    }
    if (!error) {
        error = packet_out_check(c, &job->po, &job->acts);
        job->po.actions = act_buf_span(&job->acts);
    }
    if (!error) {
        error = check_references(c->ofproto, job->po.actions);
    }
    return error;
}

enum ofperr
packet_out_try(struct ofconn *c, const struct packet_out_job *job, uint64_t version)
{
    struct xlate_out out;
    enum ofperr error;
    struct flow flow;

    translate(c->ofproto, &job->po, version, &flow, &out);
    error = out.error ? OFPERR_OFPFMFC_UNKNOWN : OFPERR_NONE;
    xlate_out_uninit(&out);
    return error;
}

enum ofperr
packet_out_execute(struct ofconn *c, struct packet_out_job *job)
{
    int error;

    return carry_out(c->ofproto, &job->po, &error);
}

void
packet_out_finish(struct packet_out_job *job)
{
    act_buf_uninit(&job->acts);
}

enum ofperr
handle_packet_out(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct packet_out_job job;
    enum ofperr error = packet_out_prepare(c, m, &job);

    if (!error) {
        error = packet_out_execute(c, &job);
    }
    packet_out_finish(&job);
    return error;
}
