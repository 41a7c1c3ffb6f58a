/* Tags and labels: push and pop. */
#include "odp/commit.h"
#include "ofproto/xlate/ctx.h"

void
xlate_push_tag(struct xlate_ctx *ctx, be16 tpid, be16 tci)
{
    if (ctx->flow.packet_ns) {
        return;
    }
    ctx->wc->vlan_tci = BE16_MAX;
    if (!odp_tags_push(&ctx->flow, &ctx->below, tpid, tci)) {
        xlate_report(ctx, TRACE_ERROR, "over %d VLAN tags", ODP_MAX_TAGS + 2);
        xlate_fail(ctx, XLATE_TOO_MANY_VLAN_TAGS);
    }
}

/* The inner tag, if any, comes into sight, so what it is matters from now on.  What the outer one was matters if the
 * packet leaves without it: that is noted when it is committed. */
void
xlate_pop_tag(struct xlate_ctx *ctx)
{
    if (flow_has_vlan(ctx->in->flow)) {
        ctx->wc->vlan2_tci = BE16_MAX;
        ctx->wc->vlan2_tpid = BE16_MAX;
    }
    odp_tags_pop(&ctx->flow, &ctx->below);
}

void
xlate_push_vlan(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_push_vlan *a = (const void *) act;

    xlate_push_tag(ctx, a->ethertype, BE16(VLAN_PRESENT));
}

void
xlate_strip_vlan(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    if (flow_has_vlan(&ctx->flow)) {
        xlate_pop_tag(ctx);
    } else {
        ctx->wc->vlan_tci |= BE16(VLAN_PRESENT);
    }
}

/* Sets bits of the tag, adding one where that is asked for. */
static void
set_tag(struct xlate_ctx *ctx, uint16_t value, uint16_t mask, bool push_if_needed)
{
    struct flow *f = &ctx->flow;

    ctx->wc->vlan_tci |= cpu_to_be16(mask | VLAN_PRESENT);
    if (!flow_has_vlan(f)) {
        if (!push_if_needed) {
            return;
        }
        xlate_push_tag(ctx, BE16(0x8100), BE16(VLAN_PRESENT));
        if (!flow_has_vlan(f)) {
            return; /* No Ethernet header. */
        }
    }
    f->vlan_tci &= cpu_to_be16(~mask);
    f->vlan_tci |= cpu_to_be16(value);
}

void
xlate_set_vlan_vid(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_set_vlan_vid *a = (const void *) act;

    set_tag(ctx, a->vid, VLAN_VID_MASK, a->push_if_needed);
}

void
xlate_set_vlan_pcp(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_set_vlan_pcp *a = (const void *) act;

    set_tag(ctx, a->pcp << VLAN_PCP_SHIFT, VLAN_PCP_MASK, a->push_if_needed);
}

be32
xlate_copy_label(struct xlate_ctx *ctx)
{
    ctx->wc->mpls_lse[0] = BE32_MAX;
    return ctx->flow.mpls_lse[0] & ~BE32(0x100);
}

/* A new label takes label, class and time to live from the one below it, or class and time to live from IP, and the
 * null label of its version (OpenFlow 1.3 §5.9, ovs-actions(7) "push_mpls"). */
static be32
new_lse(struct xlate_ctx *ctx, int n_labels)
{
    enum { IPV6_EXPLICIT_NULL = 2 }; /* RFC 3032 §2.1. */
    const struct flow *f = &ctx->flow;
    uint32_t label, ttl;

    if (n_labels) {
        return xlate_copy_label(ctx);
    }
    if (flow_is_ip(f)) {
        ctx->wc->nw_tos |= 0xfc;
        ctx->wc->nw_ttl = UINT8_MAX;
        label = f->eth_type == BE16(0x86dd) ? IPV6_EXPLICIT_NULL : 0;
        ttl = f->nw_ttl ? f->nw_ttl : 64; /* So it is in the reference. */
        return cpu_to_be32(label << 12 | (uint32_t) (f->nw_tos >> 2 & 7) << 9 | 0x100 | ttl);
    }
    return BE32(0x100 | 64);
}

void
xlate_push_mpls(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_push_mpls *a = (const void *) act;
    struct flow *f = &ctx->flow;
    int n = odp_mpls_depth(f, &ctx->below);
    be32 lse;

    if (n >= FLOW_MPLS_LABELS) {
        if (ctx->in->frame) {
            xlate_report(ctx, TRACE_ERROR, "dropping packet on which an MPLS push action can't be performed as it "
                         "would have more MPLS LSEs than the %d supported.", FLOW_MPLS_LABELS);
        }
        for (int i = 0; i < n; i++) {
            ctx->wc->mpls_lse[i] |= BE32(0x100);
        }
        xlate_fail(ctx, XLATE_TOO_MANY_MPLS_LABELS);
        return;
    }
    if (!n || ctx->base.pending.kind != ODP_PENDING_NONE) {
        xlate_commit(ctx); /* Below labels nothing more can be changed. */
    }
    lse = new_lse(ctx, n);
    for (int i = 0; i < n; i++) {
        ctx->wc->mpls_lse[i] |= BE32(0x100);
    }
    memmove(&f->mpls_lse[1], &f->mpls_lse[0], sizeof f->mpls_lse - sizeof f->mpls_lse[0]);
    f->mpls_lse[0] = lse;
    f->eth_type = a->ethertype;
    if (!n) {
        f->mpls_lse[1] = f->mpls_lse[2] = 0;
        ctx->below.n_blank = 0;
    } else if (ctx->below.n_blank) {
        ctx->below.n_blank--;
    }
}

void
xlate_pop_mpls(struct xlate_ctx *ctx, const struct act *act)
{
    xlate_pop_label(ctx, ((const struct act_pop_mpls *) act)->ethertype);
}

static bool
is_last_label(const struct flow *f, int i)
{
    return f->mpls_lse[i] & BE32(0x100);
}

void
xlate_pop_label(struct xlate_ctx *ctx, be16 ethertype)
{
    struct flow *f = &ctx->flow;
    int n = odp_mpls_depth(f, &ctx->below);
    bool has_more = n == FLOW_MPLS_LABELS && !is_last_label(f, n - 1);
    bool to_mpls = ethertype == BE16(0x8847) || ethertype == BE16(0x8848);

    if (!n) {
        return;
    }
    if (ctx->base.pending.kind != ODP_PENDING_NONE) {
        xlate_commit(ctx);
    }
    ctx->wc->mpls_lse[0] |= BE32(0x100);
    /* The labels below come into sight. */
    for (int i = 1; i < n; i++) {
        ctx->wc->mpls_lse[i] = BE32_MAX;
    }
    memmove(&f->mpls_lse[0], &f->mpls_lse[1], sizeof f->mpls_lse - sizeof f->mpls_lse[0]);
    f->mpls_lse[FLOW_MPLS_LABELS - 1] = 0;
    f->eth_type = ethertype;
    n--;
    ctx->below.n_blank = to_mpls && (!n || !is_last_label(f, n - 1)) ? FLOW_MPLS_LABELS - n : 0;
    if (!to_mpls) {
        ctx->was_mpls = true;
        f->nw_src = f->nw_dst = 0;
        f->nw_proto = f->nw_tos = f->nw_ttl = f->nw_frag = 0;
    } else if (has_more) {
        ctx->was_mpls = true;
    }
}
