/* Packet-out: a controller's packet goes through a list of actions. */
#include <stdlib.h>

#include "flow/extract.h"
#include "ofproto/megaflow.h"
#include "ofproto/ofconn.h"
#include "ofproto/xlate/xlate.h"
#include "openflow/msg/packet.h"

/* The packet's flow: its headers, and what the message says about where it comes from. */
static void
packet_flow(const struct packet_out *po, struct flow *flow)
{
    struct flow md;

    flow_mask(&md, &po->metadata.flow, &po->metadata.mask);
    md.in_port = cpu_to_be32(ofp_to_u32(packet_metadata_in_port(&po->metadata)));
    flow_extract_full(po->packet, po->packet_len, &md, flow, NULL);
}

static void
execute(struct ofproto *p, const struct packet_out *po, const struct flow *flow, const struct xlate_out *out)
{
    struct datapath *dp = p->backer->xdp.dp;
    struct xport *in = xbridge_port_rcu(&p->xb, OFP_PORT(be32_to_cpu(flow->in_port)));
    struct dp_flow_stats one = {
        .n_packets = 1, .n_bytes = po->packet_len, .used = clock_now_ms(), .tcp_flags = be16_to_cpu(flow->tcp_flags),
    };
    struct flow key = *flow;

    key.in_port = cpu_to_be32(in ? in->odp_port.n : UINT32_MAX);
    if (out->actions.len) {
        dp->class->execute(dp, po->packet, po->packet_len, &key, out->actions.data, out->actions.len);
    }
    xlate_credit_stats(out->credits, out->n_credits, &one);
}

static void
carry_out(struct ofproto *p, const struct packet_out *po)
{
    struct xlate_out out;
    struct xlate_in in;
    struct flow flow;

    packet_flow(po, &flow);
    in = (struct xlate_in) {
        .bridge = &p->xb, .flow = &flow, .frame = po->packet, .frame_len = po->packet_len,
        .packet_len = po->packet_len, .tcp_flags = be16_to_cpu(flow.tcp_flags),
        .tables_version = atomic_load(&p->xb.tables_version), .acts = po->actions.first, .acts_len = po->actions.len,
        .want_effects = true,
    };
    xlate_out_init(&out);
    if (po->actions.len) {
        xlate(&in, &out);
        xlate_apply_effects(&out, false);
        execute(p, po, &flow, &out);
    }
    xlate_out_uninit(&out);
}

/* Actions are checked against what the packet is. */
static enum ofperr
check_actions(const struct packet_out *po, struct act_buf *acts)
{
    struct match match;
    struct act_check check = { .match = &match, .protocols = PROTO_ANY, .max_ports = OFPP_MAX, .n_tables = 254 };

    packet_flow(po, &match.flow);
    memset(&match.mask, 0xff, sizeof match.mask);
    return act_check(acts, &check);
}

enum ofperr
handle_packet_out(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct packet_out po;
    enum ofperr error = packet_out_decode(m, &po, &acts, NULL);

    if (!error && po.buffer_id != BUFFER_NONE) {
        error = OFPERR_OFPBRC_BUFFER_UNKNOWN; /* No packet is ever buffered. */
    }
    if (!error) {
        error = check_actions(&po, &acts);
        po.actions = act_buf_span(&acts);
    }
    if (!error) {
        carry_out(c->ofproto, &po);
    }
    act_buf_uninit(&acts);
    return error;
}
