/* Ports: where packets go. */
#include <stdlib.h>

#include "odp/commit.h"
#include "ofproto/xlate/ctx.h"
#include "openflow/msg/packet.h"

enum { IP_DSCP_MASK = 0xfc };

static const struct eth_addr stp_group = { { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 } };

/* What was below labels has not been parsed: the pipeline knows nothing of it and has changed nothing. */
static void
hide_payload(struct flow *flow, const struct flow *base)
{
    flow->nw_src = base->nw_src;
    flow->nw_dst = base->nw_dst;
    flow->nw_proto = base->nw_proto;
    flow->nw_tos = base->nw_tos;
    flow->nw_ttl = base->nw_ttl;
    flow->nw_frag = base->nw_frag;
    flow->tp_src = base->tp_src;
    flow->tp_dst = base->tp_dst;
    flow->tcp_flags = base->tcp_flags;
    FLOW_FOR_EACH_LINE (i, FLOW_LINE_IPV6) {
        flow->lines[i] = base->lines[i];
    }
}

void
xlate_commit(struct xlate_ctx *ctx)
{
    if (ctx->flow.vlan_tci != ctx->base.flow.vlan_tci) {
        ctx->wc->vlan_tci |= ctx->tag_read;
    }
    if (UNLIKELY(ctx->was_mpls)) {
        struct flow flow = ctx->flow;

        hide_payload(&flow, &ctx->base.flow);
        odp_commit(&flow, &ctx->below, &ctx->base, ctx->wc, &ctx->out->actions);
    } else {
        odp_commit(&ctx->flow, &ctx->below, &ctx->base, ctx->wc, &ctx->out->actions);
    }
}

void
xlate_commit_pending(struct xlate_ctx *ctx)
{
    if (ctx->base.pending.kind != ODP_PENDING_NONE && !ctx->is_last) {
        xlate_commit(ctx);
    }
}

bool
xlate_port_is_live(struct xlate_ctx *ctx, ofp_port number)
{
    struct xport *p = xbridge_port_rcu(ctx->bridge, number);

    return p && !port_has(p, XPORT_DOWN) && !(atomic_load_explicit(&p->state, memory_order_relaxed) & 1);
}

static bool
may_receive(struct xlate_ctx *ctx, const struct xport *port)
{
    bool is_stp;

    if (!port_has(port, XPORT_NO_RECV | XPORT_NO_RECV_STP)) {
        return true;
    }
    memset(&ctx->wc->eth_dst, 0xff, sizeof ctx->wc->eth_dst);
    is_stp = eth_addr_equal(ctx->flow.eth_dst, stp_group);
    if (port_has(port, is_stp ? XPORT_NO_RECV_STP : XPORT_NO_RECV)) {
        xlate_why(ctx, WHY_NO_RECV);
        return false;
    }
    return true;
}

bool
xlate_is_received(struct xlate_ctx *ctx)
{
    struct xport *in_port;

    if (!ctx->at_input) {
        return true;
    }
    in_port = xbridge_port_rcu(ctx->bridge, OFP_PORT(be32_to_cpu(ctx->flow.in_port)));
    return (!in_port || may_receive(ctx, in_port)) && xlate_mirror_input(ctx);
}

/* Into the bridge at the other end of a patch port, as a packet that just came in there: nothing of this pipeline's
 * own goes along. */
static void
enter_peer(struct xlate_ctx *ctx, struct xport *peer)
{
    struct flow *f = &ctx->flow;

    FLOW_FOR_EACH_LINE (i, FLOW_LINE_REGS | FLOW_LINE_PIPELINE | FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC |
                           FLOW_LINE_TUNNEL_OPT) {
        memset(&f->lines[i], 0, sizeof f->lines[i]);
    }
    xlate_clear_conntrack(ctx);
    f->actset_output = cpu_to_be32(ofp_to_u32(OFPP_UNSET));
    f->in_port = cpu_to_be32(ofp_to_u32(peer->ofp_port));
    ctx->bridge = peer->bridge;
    ctx->version = atomic_load_explicit(&peer->bridge->tables_version, memory_order_acquire);
    xlate_credit(ctx, CREDIT_PORT_RX)->port = peer;
    xlate_report(ctx, TRACE_BRIDGE, "bridge(\"%s\")", ctx->bridge->name);
    if (!may_receive(ctx, peer)) {
        return;
    }
    if (ctx->was_mpls) { /* What was below the labels counts there. */
        xlate_commit(ctx);
        xlate_fork(ctx, 0, false);
        return;
    }
    ctx->n_resubmits += ctx->depth <= XLATE_MAX_DEPTH; /* What is refused as too deep does not count. */
    xlate_table(ctx, peer->ofp_port, 0, true);
    ctx->depth++; /* As deep as the table was. */
    if (!xlate_freeze_finish(ctx)) {
        xlate_action_set_execute(ctx);
    }
}

static void
send_to_peer(struct xlate_ctx *ctx, struct xport *port)
{
    struct xport *peer = rcu_get(&port->peer);
    enum xlate_error error = ctx->out->error;
    struct xlate_saved begun;
    struct xlate_ctx saved;

    if (!peer) {
        xlate_why(ctx, WHY_NO_PEER); /* Traces say nothing, as the reference's. */
        return;
    }
    xlate_commit_pending(ctx);
    saved = *ctx;
    begun = (struct xlate_saved) { .base = ctx->base, .begun = ctx->out->actions.len };
    xlate_credit(ctx, CREDIT_PORT_TX)->port = port;
    bytes_init(&ctx->stack);
    act_buf_init(&ctx->action_set);
    ctx->in_action_set = false;
    ctx->apart = false;
    ctx->mirrors = 0;
    ctx->trace_depth++;
    xlate_nest(ctx);
    enter_peer(ctx, peer);
    if (ctx->out->error != error) { /* What is wrong there ends only what happens there. */
        ctx->out->peer_error = ctx->out->error;
        ctx->out->error = error;
    }
    bytes_uninit(&ctx->stack);
    act_buf_uninit(&ctx->action_set);
    /* What the datapath's packet has become stays; so does what was counted. */
    xlate_wrap_irreversible(ctx, &begun);
    saved.base = ctx->base;
    saved.useful_len = ctx->useful_len;
    saved.n_resubmits = ctx->n_resubmits;
    saved.n_buckets = ctx->n_buckets;
    saved.frozen = ctx->frozen;
    *ctx = saved;
    xlate_restore_base(ctx, &begun.base);
}

static bool
port_is_open(struct xlate_ctx *ctx, const struct xport *port)
{
    if (port_has(port, XPORT_NO_FWD)) {
        xlate_report(ctx, TRACE_DETAIL, "OFPPC_NO_FWD set, skipping output");
        xlate_why(ctx, WHY_NO_FWD);
        return false;
    }
    if (atomic_load_explicit(&port->state, memory_order_relaxed) & 2 &&
        !eth_addr_equal(ctx->flow.eth_dst, stp_group)) {
        xlate_report(ctx, TRACE_WARN, "STP not in forwarding state, skipping output");
        xlate_why(ctx, WHY_BLOCKED);
        return false;
    }
    return true;
}

/* In the reference's words, also where there is no such port. */
static void
refuse_truncation(struct xlate_ctx *ctx, ofp_port number)
{
    xlate_report(ctx, TRACE_ERROR, "output_trunc does not support patch port %u", ofp_to_u32(number));
    xlate_why(ctx, WHY_TRUNCATE);
}

/* The packet as it goes to its queue of this port (Queue.dscp); what its DSCP was before. */
static uint8_t
mark_for_queue(struct xlate_ctx *ctx, struct xport *port)
{
    const struct xdscps *d = rcu_get(&port->dscps);
    uint32_t queue = be32_to_cpu(ctx->flow.skb_priority);
    uint8_t tos = ctx->flow.nw_tos;

    if (LIKELY(!d)) {
        return tos;
    }
    ctx->wc->skb_priority = BE32_MAX;
    for (size_t i = 0; i < d->n && d->all[i].queue <= queue; i++) {
        if (d->all[i].queue == queue) {
            ctx->wc->nw_tos |= IP_DSCP_MASK;
            if (flow_is_ip(&ctx->flow)) {
                ctx->flow.nw_tos = (tos & ~IP_DSCP_MASK) | d->all[i].dscp << 2;
            }
        }
    }
    return tos;
}

void
xlate_send_to_port(struct xlate_ctx *ctx, struct xport *port, uint32_t max_len)
{
    uint8_t tos;

    if (!port_is_open(ctx, port)) {
        return;
    }
    if (UNLIKELY(ctx->tag_varies)) {
        ctx->wc->vlan_tci |= ctx->tag_read;
    }
    if (ctx->flow.packet_ns && !port->is_tunnel && !port->is_patch) {
        xlate_report(ctx, TRACE_WARN, "Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.");
        xlate_why(ctx, WHY_NO_ETHERNET);
        return;
    }
    if (port->is_patch) {
        if (max_len) {
            refuse_truncation(ctx, port->ofp_port);
        } else {
            send_to_peer(ctx, port);
        }
        return;
    }
    if (odp_port_equal(port->odp_port, ODP_PORT_NONE)) {
        xlate_report(ctx, TRACE_WARN, "Nonexistent output port");
        xlate_why(ctx, WHY_NO_PORT);
        return;
    }
    tos = mark_for_queue(ctx, port);
    xlate_commit(ctx);
    xlate_sample_output(ctx, port->odp_port);
    if (max_len) {
        odp_put_u32(&ctx->out->actions, ODP_TRUNC, max_len);
    }
    odp_put_output(&ctx->out->actions, port->odp_port);
    ctx->useful_len = ctx->out->actions.len;
    xlate_mirror_output(ctx, port);
    ctx->flow.nw_tos = tos;
}

static void
send_to_number(struct xlate_ctx *ctx, ofp_port number, uint32_t max_len)
{
    struct xport *port = xbridge_port_rcu(ctx->bridge, number);

    if (port) {
        xlate_send_to_port(ctx, port, max_len);
    } else if (max_len) {
        refuse_truncation(ctx, number);
    } else {
        xlate_report(ctx, TRACE_WARN, "Nonexistent output port");
        xlate_why(ctx, WHY_NO_PORT);
    }
}

static int
compare_ports(const void *a_, const void *b_)
{
    uint32_t a = ofp_to_u32((*(struct xport *const *) a_)->ofp_port) + 2;
    uint32_t b = ofp_to_u32((*(struct xport *const *) b_)->ofp_port) + 2;

    /* OFPP_LOCAL + 2 wraps to 0. */
    return a < b ? -1 : a > b;
}

size_t
xlate_ports_sorted(struct xlate_ctx *ctx, struct xport ***ports)
{
    size_t n = 0, capacity = 0;

    *ports = NULL;
    RCU_MAP_FOR_EACH (p, struct xport, &ctx->bridge->ports) {
        if (n >= capacity) {
            *ports = x2nrealloc(*ports, &capacity, sizeof **ports);
        }
        (*ports)[n++] = p;
    }
    if (n) {
        qsort(*ports, n, sizeof **ports, compare_ports);
    }
    return n;
}

/* FLOOD and ALL: every port but the one it came in on. */
static void
flood(struct xlate_ctx *ctx, bool all)
{
    ofp_port in_port = OFP_PORT(be32_to_cpu(ctx->flow.in_port));
    bool was_last = ctx->is_last;
    struct xport **ports;
    size_t n = xlate_ports_sorted(ctx, &ports);

    for (size_t i = 0; i < n && !xlate_has_failed(ctx); i++) {
        if (ports[i]->ofp_port != in_port && (all || !port_has(ports[i], XPORT_NO_FLOOD))) {
            ctx->is_last = was_last && i == n - 1;
            xlate_send_to_port(ctx, ports[i], 0);
        }
    }
    free(ports);
}

static void
output_to_controller(struct xlate_ctx *ctx, uint16_t max_len)
{
    struct xlate_packet_in pin = { .max_len = max_len, .reason = OFPR_ACTION };

    xlate_send_to_controller(ctx, &pin);
}

/* Truncation does not reach the ports that stand for several. */
void
xlate_output_to(struct xlate_ctx *ctx, ofp_port port, uint16_t controller_max_len, uint32_t max_len)
{
    ofp_port in_port = OFP_PORT(be32_to_cpu(ctx->flow.in_port));

    if (port == OFPP_IN_PORT) {
        send_to_number(ctx, in_port, max_len);
    } else if (port == OFPP_TABLE) {
        xlate_table(ctx, in_port, 0, true);
    } else if (port == OFPP_NORMAL) {
        xlate_normal_switching(ctx);
    } else if (port == OFPP_FLOOD || port == OFPP_ALL) {
        flood(ctx, port == OFPP_ALL);
    } else if (port == OFPP_CONTROLLER) {
        output_to_controller(ctx, controller_max_len);
    } else if (port == OFPP_NONE) {
        return;
    } else if (port == in_port) {
        xlate_report(ctx, TRACE_WARN, "skipping output to input port");
        xlate_why(ctx, WHY_IN_PORT);
    } else {
        send_to_number(ctx, port, max_len);
    }
}

/* Actions. */

void
xlate_output(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_output *a = (const void *) act;

    if (UNLIKELY(a->port == OFPP_TABLE && ctx->was_mpls)) {
        xlate_freeze(ctx, act); /* What was below the labels counts in the tables. */
        return;
    }
    xlate_output_to(ctx, a->port, a->max_len, 0);
}

void
xlate_output_reg(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_output_reg *a = (const void *) act;
    union field_value bits;
    uint64_t v;

    if (field_is_option(a->src.field)) {
        xlate_read_subfield(ctx, &a->src, &bits);
        v = get_be64(bits.bytes + sizeof bits.bytes - 8);
    } else {
        v = subfield_get_u64(&a->src, &ctx->flow);
        subfield_set_ones(&a->src, ctx->wc);
    }
    field_add_prereqs(a->src.field, &ctx->flow, ctx->wc);
    if (v > UINT16_MAX) {
        xlate_report(ctx, TRACE_WARN, "output port %llu is out of range", (unsigned long long) v);
        xlate_why(ctx, WHY_NO_PORT);
        return;
    }
    xlate_report(ctx, TRACE_DETAIL, "output port is %llu", (unsigned long long) v);
    xlate_output_to(ctx, ofp_port_from_u16(v), a->max_len, 0);
}

void
xlate_output_trunc(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_output_trunc *a = (const void *) act;
    ofp_port in_port = OFP_PORT(be32_to_cpu(ctx->flow.in_port));

    if (ofp_port_is_reserved(a->port) && a->port != OFPP_IN_PORT && a->port != OFPP_LOCAL) {
        xlate_report(ctx, TRACE_ERROR, "output_trunc does not support port %u", ofp_to_u32(a->port));
        xlate_why(ctx, WHY_TRUNCATE);
    } else {
        xlate_output_to(ctx, a->port == OFPP_IN_PORT ? OFPP_IN_PORT : a->port == in_port ? in_port : a->port, 0,
                        a->max_len);
    }
}

void
xlate_enqueue(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_enqueue *a = (const void *) act;
    be32 old = ctx->flow.skb_priority;
    ofp_port in_port = OFP_PORT(be32_to_cpu(ctx->flow.in_port));

    ctx->wc->skb_priority = BE32_MAX;
    if (a->port != OFPP_IN_PORT && a->port == in_port) {
        xlate_report(ctx, TRACE_WARN, "skipping output to input port");
        xlate_why(ctx, WHY_IN_PORT);
        return;
    }
    ctx->flow.skb_priority = cpu_to_be32(a->queue);
    send_to_number(ctx, a->port == OFPP_IN_PORT ? in_port : a->port, 0);
    ctx->flow.skb_priority = old;
}

void
xlate_set_queue(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_set_queue *a = (const void *) act;

    ctx->wc->skb_priority = BE32_MAX;
    ctx->flow.skb_priority = cpu_to_be32(a->queue);
}

void
xlate_pop_queue(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    ctx->wc->skb_priority = BE32_MAX;
    if (ctx->flow.skb_priority != ctx->in->flow->skb_priority) {
        ctx->flow.skb_priority = ctx->in->flow->skb_priority;
        xlate_report(ctx, TRACE_DETAIL, "queue = %u", be32_to_cpu(ctx->flow.skb_priority));
    }
}
