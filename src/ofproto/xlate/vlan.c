#include "ofproto/xlate/vlan.h"

static struct vlan_tag
tag_of(be16 tpid, be16 tci)
{
    unsigned int v = be16_to_cpu(tci);

    return (struct vlan_tag) { .present = v & VLAN_PRESENT, .tpid = tpid, .vid = v & VLAN_VID_MASK,
                               .pcp = v >> VLAN_PCP_SHIFT };
}

static struct vlan_stack
tags_of(const struct flow *f)
{
    return (struct vlan_stack) { { tag_of(f->vlan_tpid, f->vlan_tci), tag_of(f->vlan2_tpid, f->vlan2_tci) } };
}

struct vlan_stack
vlan_of_packet(struct xlate_ctx *ctx)
{
    ctx->wc->vlan_tci |= BE16(VLAN_VID_MASK | VLAN_PRESENT);
    return tags_of(&ctx->flow);
}

struct vlan_stack
vlan_of_packet_unshown(struct xlate_ctx *ctx)
{
    if (!ctx->in->trace) {
        ctx->wc->vlan_tci |= BE16(VLAN_VID_MASK | VLAN_PRESENT);
    }
    return tags_of(&ctx->flow);
}

static bool
is_native(const struct xbundle *b)
{
    return b->vlan_mode == XVLAN_NATIVE_TAGGED || b->vlan_mode == XVLAN_NATIVE_UNTAGGED;
}

/* The native VLAN is always carried. */
static bool
trunks_vlan(const struct xbundle *b, uint16_t vid)
{
    return (is_native(b) && vid == b->vlan) || vlan_bitmap_has(b->trunks, vid);
}

bool
vlan_is_valid_input(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_stack *packet,
                    const struct xport *in_port)
{
    uint16_t vid = packet->tag[0].vid;
    const char *name = in_port ? b->name : "";

    switch (b->vlan_mode) {
    case XVLAN_ACCESS:
        if (vid) {
            xlate_report(ctx, TRACE_ERROR, "dropping VLAN %u tagged packet received on port %s configured as VLAN %u "
                         "access port", vid, name, b->vlan);
            return false;
        }
        return true;
    case XVLAN_NATIVE_TAGGED: case XVLAN_NATIVE_UNTAGGED: case XVLAN_TRUNK:
        if (!(is_native(b) && !vid) && !trunks_vlan(b, vid)) {
            xlate_report(ctx, TRACE_ERROR, "dropping VLAN %u packet received on port %s not configured for trunking "
                         "VLAN %u", vid, name, vid);
            return false;
        }
        return true;
    case XVLAN_DOT1Q_TUNNEL:
        if (!vlan_bitmap_has(b->cvlans, vid)) {
            xlate_report(ctx, TRACE_ERROR, "dropping VLAN %u packet received on dot1q-tunnel port %s that excludes "
                         "this VLAN", vid, name);
            return false;
        }
        return true;
    }
    return false;
}

struct vlan_stack
vlan_input(const struct xbundle *b, const struct vlan_stack *packet)
{
    struct vlan_stack inside = *packet;

    if (b->vlan_mode == XVLAN_DOT1Q_TUNNEL) {
        inside.tag[1] = packet->tag[0];
        inside.tag[0] = (struct vlan_tag) { .present = true, .tpid = b->qinq_ethtype, .vid = b->vlan };
    } else if (b->vlan_mode != XVLAN_TRUNK && !packet->tag[0].vid) {
        if (b->vlan_mode == XVLAN_ACCESS) {
            inside.tag[1] = (struct vlan_tag) { .present = false };
        }
        inside.tag[0].vid = b->vlan;
        inside.tag[0].present = true; /* In a VLAN, if only in 0: priority-tags=always shows it. */
    }
    return inside;
}

/* Only then does the inner tag matter. */
static bool
carries_customer(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_stack *inside)
{
    if (b->cvlans && flow_has_vlan(&ctx->flow)) {
        ctx->wc->vlan2_tci |= BE16(VLAN_VID_MASK | VLAN_PRESENT);
    }
    return vlan_bitmap_has(b->cvlans, inside->tag[1].vid);
}

/* Access ports carry nothing that is in a VLAN inside of theirs. */
static bool
has_inner(struct xlate_ctx *ctx, const struct vlan_stack *inside)
{
    if (flow_has_vlan(&ctx->flow) && (inside->tag[1].present || !ctx->in->trace)) {
        ctx->wc->vlan2_tci |= BE16(VLAN_VID_MASK | VLAN_PRESENT);
    }
    return inside->tag[1].vid;
}

bool
vlan_bundle_carries(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_stack *inside)
{
    uint16_t vid = inside->tag[0].vid;

    switch (b->vlan_mode) {
    case XVLAN_ACCESS: return vid == b->vlan && !has_inner(ctx, inside);
    case XVLAN_TRUNK: return trunks_vlan(b, vid);
    /* What has no tag there is in the native VLAN, so VLAN 0 is carried only if it is that one. */
    case XVLAN_NATIVE_TAGGED: case XVLAN_NATIVE_UNTAGGED:
        return vid ? trunks_vlan(b, vid) : !b->vlan && vlan_bitmap_has(b->trunks, 0);
    case XVLAN_DOT1Q_TUNNEL: return vid == b->vlan && carries_customer(ctx, b, inside);
    }
    return false;
}

/* Whether a tag without a VLAN id is worth sending: for its priority. */
static bool
is_shown(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_tag *t, bool untagged_mode)
{
    if (t->vid) {
        return true;
    }
    ctx->tag_read = t->tpid ? BE16(VLAN_PCP_MASK) : 0;
    if (untagged_mode) {
        ctx->tag_varies = b->priority_tags != XPRIO_NEVER;
        return t->pcp && ctx->tag_varies;
    }
    ctx->tag_varies = t->present;
    return t->present && (t->pcp || b->priority_tags == XPRIO_ALWAYS);
}

/* What comes from an access port, or is in VLAN 0, has no tags; of others the outer one is replaced. */
static void
pop_tags(struct xlate_ctx *ctx, const struct xbundle *in, uint16_t vid)
{
    bool all = in->vlan_mode == XVLAN_ACCESS || !vid;

    do {
        odp_tags_pop(&ctx->flow, &ctx->below);
    } while (all && flow_has_vlan(&ctx->flow));
}

void
vlan_put_output(struct xlate_ctx *ctx, const struct xbundle *in, const struct xbundle *b,
                const struct vlan_stack *inside)
{
    struct vlan_tag t = inside->tag[0];
    bool untagged_mode = b->vlan_mode == XVLAN_ACCESS || (b->vlan_mode == XVLAN_NATIVE_UNTAGGED && t.vid == b->vlan);

    if (in->vlan_mode != XVLAN_DOT1Q_TUNNEL && flow_has_vlan(&ctx->flow)) {
        pop_tags(ctx, in, t.vid);
    }
    if (b->vlan_mode == XVLAN_DOT1Q_TUNNEL) {
        return;
    }
    t.vid = untagged_mode ? 0 : t.vid;
    if (is_shown(ctx, b, &t, untagged_mode)) {
        be16 tci = cpu_to_be16(t.vid | t.pcp << VLAN_PCP_SHIFT | VLAN_PRESENT);

        if (!odp_tags_push(&ctx->flow, &ctx->below, t.tpid ? t.tpid : BE16(0x8100), tci)) {
            xlate_fail(ctx, XLATE_TOO_MANY_VLAN_TAGS);
        }
    }
}
