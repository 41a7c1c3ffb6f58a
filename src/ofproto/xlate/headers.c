/* The actions of OpenFlow 1.0 that set one header field each, and time to live. */
#include "ofproto/xlate/ctx.h"
#include "openflow/msg/packet.h"

static bool
is_ipv4(const struct xlate_ctx *ctx)
{
    return ctx->flow.eth_type == BE16(0x0800);
}

void
xlate_set_eth_src(struct xlate_ctx *ctx, const struct act *act)
{
    if (!ctx->flow.packet_ns) {
        memset(&ctx->wc->eth_src, 0xff, sizeof ctx->wc->eth_src);
        ctx->flow.eth_src = ((const struct act_set_eth_src *) act)->mac;
    }
}

void
xlate_set_eth_dst(struct xlate_ctx *ctx, const struct act *act)
{
    if (!ctx->flow.packet_ns) {
        memset(&ctx->wc->eth_dst, 0xff, sizeof ctx->wc->eth_dst);
        ctx->flow.eth_dst = ((const struct act_set_eth_dst *) act)->mac;
    }
}

void
xlate_set_ipv4_src(struct xlate_ctx *ctx, const struct act *act)
{
    if (is_ipv4(ctx)) {
        ctx->wc->nw_src = BE32_MAX;
        ctx->wc->nw_proto = UINT8_MAX;
        ctx->flow.nw_src = ((const struct act_set_ipv4_src *) act)->ip;
    }
}

void
xlate_set_ipv4_dst(struct xlate_ctx *ctx, const struct act *act)
{
    if (is_ipv4(ctx)) {
        ctx->wc->nw_dst = BE32_MAX;
        ctx->wc->nw_proto = UINT8_MAX;
        ctx->flow.nw_dst = ((const struct act_set_ipv4_dst *) act)->ip;
    }
}

static void
set_tos(struct xlate_ctx *ctx, uint8_t value, uint8_t mask)
{
    if (flow_is_ip(&ctx->flow)) {
        ctx->wc->nw_tos |= mask;
        ctx->wc->nw_proto = UINT8_MAX;
        ctx->flow.nw_tos = (ctx->flow.nw_tos & ~mask) | (value & mask);
    }
}

void
xlate_set_ip_dscp(struct xlate_ctx *ctx, const struct act *act)
{
    set_tos(ctx, ((const struct act_set_ip_dscp *) act)->tos, 0xfc);
}

void
xlate_set_ip_ecn(struct xlate_ctx *ctx, const struct act *act)
{
    set_tos(ctx, ((const struct act_set_ip_ecn *) act)->ecn, 0x03);
}

void
xlate_set_ip_ttl(struct xlate_ctx *ctx, const struct act *act)
{
    if (flow_is_ip(&ctx->flow)) {
        ctx->wc->nw_ttl = UINT8_MAX;
        ctx->wc->nw_proto = UINT8_MAX;
        ctx->flow.nw_ttl = ((const struct act_set_ip_ttl *) act)->ttl;
    }
}

void
xlate_ttl_expired(struct xlate_ctx *ctx, uint16_t controller_id)
{
    struct xlate_packet_in pin = { .controller_id = controller_id, .max_len = UINT16_MAX,
                                   .reason = OFPR_INVALID_TTL };

    xlate_send_to_controller(ctx, &pin);
    ctx->stop = true;
}

void
xlate_dec_ttl(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_dec_ttl *a = (const void *) act;

    ctx->wc->nw_ttl = UINT8_MAX; /* Of packets that are not IP, too: the reference's megaflows show it. */
    ctx->wc->nw_proto = UINT8_MAX;
    if (!flow_is_ip(&ctx->flow)) {
        return;
    }
    if (ctx->flow.nw_ttl > 1) {
        ctx->flow.nw_ttl--;
        return;
    }
    xlate_report(ctx, TRACE_WARN, "%s decrement TTL exception", is_ipv4(ctx) ? "IPv4" : "IPv6");
    xlate_why(ctx, WHY_TTL);
    for (int i = 0; i < a->n_ids; i++) {
        xlate_ttl_expired(ctx, a->ids[i]);
    }
}

/* tp_src and tp_dst of whatever transport there is. */
static bool
has_ports(struct xlate_ctx *ctx)
{
    const struct flow *f = &ctx->flow;

    if (!flow_is_ip(f)) {
        return false;
    }
    ctx->wc->nw_proto = UINT8_MAX;
    return !(f->nw_frag & FLOW_FRAG_LATER) && (f->nw_proto == 6 || f->nw_proto == 17 || f->nw_proto == 132);
}

void
xlate_set_l4_src(struct xlate_ctx *ctx, const struct act *act)
{
    if (has_ports(ctx)) {
        ctx->wc->tp_src = BE16_MAX;
        ctx->flow.tp_src = cpu_to_be16(((const struct act_set_l4_src *) act)->port);
    }
}

void
xlate_set_l4_dst(struct xlate_ctx *ctx, const struct act *act)
{
    if (has_ports(ctx)) {
        ctx->wc->tp_dst = BE16_MAX;
        ctx->flow.tp_dst = cpu_to_be16(((const struct act_set_l4_dst *) act)->port);
    }
}

/* The label on top. */

static bool
has_label(const struct xlate_ctx *ctx)
{
    return ctx->flow.eth_type == BE16(0x8847) || ctx->flow.eth_type == BE16(0x8848);
}

static void
set_lse(struct xlate_ctx *ctx, uint32_t value, uint32_t mask)
{
    if (has_label(ctx)) {
        ctx->wc->mpls_lse[0] |= cpu_to_be32(mask);
        ctx->flow.mpls_lse[0] &= cpu_to_be32(~mask);
        ctx->flow.mpls_lse[0] |= cpu_to_be32(value);
    }
}

void
xlate_set_mpls_label(struct xlate_ctx *ctx, const struct act *act)
{
    set_lse(ctx, ((const struct act_set_mpls_label *) act)->label << 12, 0xfffff000);
}

void
xlate_set_mpls_tc(struct xlate_ctx *ctx, const struct act *act)
{
    set_lse(ctx, ((const struct act_set_mpls_tc *) act)->tc << 9, 0x00000e00);
}

void
xlate_set_mpls_ttl(struct xlate_ctx *ctx, const struct act *act)
{
    set_lse(ctx, ((const struct act_set_mpls_ttl *) act)->ttl, 0x000000ff);
}

void
xlate_dec_mpls_ttl(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    uint8_t ttl = be32_to_cpu(ctx->flow.mpls_lse[0]);

    if (has_label(ctx) && ttl > 1) {
        set_lse(ctx, ttl - 1, 0xff);
        return;
    }
    xlate_report(ctx, TRACE_WARN, "MPLS decrement TTL exception");
    xlate_why(ctx, WHY_TTL);
    if (has_label(ctx)) {
        ctx->wc->mpls_lse[0] |= BE32(0xff);
        xlate_ttl_expired(ctx, 0);
    } else {
        ctx->stop = true; /* As in the reference, which tells no controller of it. */
    }
}
