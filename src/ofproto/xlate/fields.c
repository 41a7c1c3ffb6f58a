/* Actions on fields: set, move, push, pop. */
#include "flow/tun_metadata.h"
#include "ofproto/xlate/ctx.h"

/* The field that the packet has for one of an action: of a tunnel option, its place by the map.  Null if it is none. */
static const struct field *
place_of(struct xlate_ctx *ctx, const struct field *f)
{
    return LIKELY(!field_is_option(f)) ? f : tun_map_field(xbridge_options_rcu(ctx->bridge), f);
}

bool
xlate_place(struct xlate_ctx *ctx, const struct subfield *sf, struct subfield *place)
{
    *place = *sf;
    place->field = place_of(ctx, sf->field);
    return place->field && (sf->ofs < place->field->n_bits || sf->field->id == FIELD_PACKET_TYPE);
}

/* Whether there is a tunnel option, which reading and writing it makes part of the megaflow. */
static void
note_option(struct xlate_ctx *ctx, const struct field *f)
{
    if (UNLIKELY(field_is_option(f))) {
        tun_option_set_present(ctx->wc, f);
    }
}

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
    if (UNLIKELY(field_is_option(f))) {
        tun_option_set_present(&ctx->flow, f);
    }
}

void
xlate_set_field(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_set_field *a = (const void *) act;
    const struct field *f = place_of(ctx, a->field);
    const uint8_t *value = a->bytes, *mask = a->bytes + a->field->wire_bytes;

    if (!f || !may_write(ctx, f)) {
        return;
    }
    value += a->field->wire_bytes - f->wire_bytes; /* The last bytes, if an option is shorter than can be. */
    mask += a->field->wire_bytes - f->wire_bytes;
    field_add_bits(f, ctx->wc, (const union field_value *) mask);
    note_option(ctx, f);
    note_protocol(ctx, f);
    field_set_masked(f, &ctx->flow, (const union field_value *) value, (const union field_value *) mask);
    written(ctx, f);
}

bool
xlate_read_subfield(struct xlate_ctx *ctx, const struct subfield *sf, union field_value *v)
{
    struct subfield place;

    if (!xlate_place(ctx, sf, &place) || !xlate_has_field(ctx, place.field)) {
        memset(v, 0, sizeof *v);
        return false;
    }
    note_option(ctx, place.field);
    subfield_set_ones(&place, ctx->wc);
    subfield_get(&place, &ctx->flow, v);
    return true;
}

void
xlate_write_subfield(struct xlate_ctx *ctx, const struct subfield *sf, const union field_value *v)
{
    struct subfield place;

    if (!xlate_place(ctx, sf, &place)) {
        return;
    }
    if (may_write(ctx, place.field)) {
        note_option(ctx, place.field);
        subfield_set_ones(&place, ctx->wc);
        subfield_set(&place, &ctx->flow, v);
        written(ctx, place.field);
    }
    xlate_report_subfield(ctx, sf);
}

void
xlate_put_bit(struct xlate_ctx *ctx, const struct subfield *sf, bool bit)
{
    struct subfield place;

    if (xlate_place(ctx, sf, &place)) {
        subfield_set_u64(&place, &ctx->flow, bit);
        written(ctx, place.field);
    }
}

void
xlate_load_subfield(struct xlate_ctx *ctx, const struct subfield *sf, uint64_t x)
{
    union field_value v;

    memset(&v, 0, sizeof v);
    put_be64(v.bytes + sizeof v.bytes - 8, x);
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

/* An entry of the stack is the value, right-aligned in its bytes, and how many these are. */
void
xlate_push(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_push *a = (const void *) act;
    size_t n = subfield_value_size(&a->field);
    union field_value v;

    xlate_read_subfield(ctx, &a->field, &v);
    frozen_stack_push(&ctx->stack, v.bytes + sizeof v.bytes - n, n);
}

void
xlate_pop(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_pop *a = (const void *) act;
    struct cursor top;
    union field_value v;

    if (!ctx->stack.len) {
        xlate_report(ctx, TRACE_ERROR, "stack underflow");
        xlate_why(ctx, WHY_STACK);
        return;
    }
    top = frozen_stack_top(ctx->stack.data, ctx->stack.len);
    memset(&v, 0, sizeof v);
    memcpy(v.bytes + sizeof v.bytes - top.left, top.at, top.left);
    bytes_truncate(&ctx->stack, ctx->stack.len - top.left - 1);
    xlate_write_subfield(ctx, &a->field, &v);
}

void
xlate_delete_field(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_delete_field *a = (const void *) act;
    const struct field *f = place_of(ctx, a->field);

    xlate_report(ctx, TRACE_DETAIL, "delete %s", a->field->name);
    if (f) {
        tun_option_delete(&ctx->flow, f);
    }
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
