/* Actions on fields: set, move, push, pop. */
#include "ofproto/xlate/ctx.h"

/* What decides whether the packet has the field is noted step by step: bits that are not looked at stay wild. */
bool
xlate_has_field(struct xlate_ctx *ctx, const struct field *f)
{
    enum field_prereq p = f->prereq;
    struct flow *wc = ctx->wc;

    if (p == PREREQ_VLAN_VID) {
        wc->vlan_tci |= BE16(VLAN_PRESENT);
    } else if (p >= PREREQ_TCP && p <= PREREQ_ND_ADVERT && flow_is_ip(&ctx->flow)) {
        wc->nw_proto = UINT8_MAX;
        if (p >= PREREQ_ND && ctx->flow.nw_proto == 58) {
            wc->tp_src = BE16_MAX;
            wc->tp_dst = BE16_MAX;
        }
    } else if (p >= PREREQ_CT) {
        wc->ct_state = UINT8_MAX;
    }
    return field_prereqs_met(f, &ctx->flow);
}

static bool
is_tag_field(const struct field *f)
{
    return f->id == FIELD_VLAN_TCI || f->id == FIELD_DL_VLAN || f->id == FIELD_VLAN_VID || f->id == FIELD_DL_VLAN_PCP ||
           f->id == FIELD_VLAN_PCP;
}

/* Setting a field of the network layer fixes the protocol, so that the megaflow names it. */
static void
note_protocol(struct xlate_ctx *ctx, const struct field *f)
{
    bool is_network = f->prereq == PREREQ_IPV4 || f->prereq == PREREQ_IPV6 || f->prereq == PREREQ_IP ||
                      f->prereq == PREREQ_ARP;

    if (is_network && f->id != FIELD_NW_TOS && f->id != FIELD_IP_DSCP) {
        ctx->wc->nw_proto = UINT8_MAX;
    }
}

/* vlan_tci is the tag itself: its CFI bit says whether there is one. */
static bool
may_write(struct xlate_ctx *ctx, const struct field *f)
{
    if (f->id == FIELD_VLAN_VID || f->id == FIELD_VLAN_PCP) {
        ctx->wc->vlan_tci |= BE16(VLAN_PRESENT);
        return flow_has_vlan(&ctx->flow);
    }
    return xlate_has_field(ctx, f);
}

/* After a tag's bits were written: gives a new tag its type, removes one that is none any more. */
static void
settle_tag(struct xlate_ctx *ctx, const struct field *f)
{
    struct flow *flow = &ctx->flow;

    if (f->id == FIELD_DL_VLAN || f->id == FIELD_DL_VLAN_PCP) {
        flow->vlan_tci |= BE16(VLAN_PRESENT);
    }
    if (flow_has_vlan(flow)) {
        flow->vlan_tpid = flow->vlan_tpid ? flow->vlan_tpid : BE16(0x8100);
    } else {
        xlate_pop_tag(ctx);
        flow->vlan_tci = flow_has_vlan(flow) ? flow->vlan_tci : 0;
        flow->vlan_tpid = flow_has_vlan(flow) ? flow->vlan_tpid : 0;
    }
    ctx->wc->vlan_tci |= BE16(VLAN_PRESENT);
}

static void
written(struct xlate_ctx *ctx, const struct field *f)
{
    if (is_tag_field(f)) {
        settle_tag(ctx, f);
    }
}

void
xlate_set_field(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_set_field *a = (const void *) act;
    union field_value bits;

    if (!may_write(ctx, a->field)) {
        return;
    }
    field_get(a->field, ctx->wc, &bits);
    for (int i = 0; i < a->field->wire_bytes; i++) {
        bits.bytes[i] |= act_set_field_mask(a)->bytes[i];
    }
    field_set(a->field, ctx->wc, &bits);
    note_protocol(ctx, a->field);
    field_set_masked(a->field, &ctx->flow, act_set_field_value(a), act_set_field_mask(a));
    written(ctx, a->field);
}

bool
xlate_read_subfield(struct xlate_ctx *ctx, const struct subfield *sf, union field_value *v)
{
    if (!xlate_has_field(ctx, sf->field)) {
        memset(v, 0, sizeof *v);
        return false;
    }
    subfield_set_ones(sf, ctx->wc);
    subfield_get(sf, &ctx->flow, v);
    return true;
}

void
xlate_write_subfield(struct xlate_ctx *ctx, const struct subfield *sf, const union field_value *v)
{
    if (may_write(ctx, sf->field)) {
        subfield_set_ones(sf, ctx->wc);
        subfield_set(sf, &ctx->flow, v);
        written(ctx, sf->field);
    }
    xlate_report_subfield(ctx, sf);
}

void
xlate_load_subfield(struct xlate_ctx *ctx, const struct subfield *sf, uint64_t x)
{
    union field_value v;

    memset(&v, 0, sizeof v);
    put_be64(v.bytes + 8, x);
    xlate_write_subfield(ctx, sf, &v);
}

void
xlate_move(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_move *a = (const void *) act;
    union field_value v;

    if (xlate_read_subfield(ctx, &a->src, &v)) {
        xlate_write_subfield(ctx, &a->dst, &v);
    }
}

void
xlate_push(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_push *a = (const void *) act;
    union field_value v;

    xlate_read_subfield(ctx, &a->field, &v);
    bytes_put(&ctx->stack, v.bytes, sizeof v.bytes);
}

void
xlate_pop(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_pop *a = (const void *) act;
    union field_value v;

    if (ctx->stack.len < sizeof v.bytes) {
        xlate_report(ctx, TRACE_ERROR, "stack underflow");
        xlate_why(ctx, WHY_STACK);
        return;
    }
    memcpy(v.bytes, bytes_at(&ctx->stack, ctx->stack.len - sizeof v.bytes), sizeof v.bytes);
    bytes_truncate(&ctx->stack, ctx->stack.len - sizeof v.bytes);
    xlate_write_subfield(ctx, &a->field, &v);
}

void
xlate_set_tunnel(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_set_tunnel *a = (const void *) act;

    ctx->wc->tun_id = BE64_MAX;
    ctx->flow.tun_id = cpu_to_be64(a->tun_id);
}

void
xlate_write_metadata(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_write_metadata *a = (const void *) act;

    ctx->flow.metadata &= cpu_to_be64(~a->mask);
    ctx->flow.metadata |= cpu_to_be64(a->metadata & a->mask);
}
