#include "ofproto/xlate/vlan.h"

#include "flow/extract.h"

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
    return (struct vlan_stack) { .tag = { tag_of(f->vlan_tpid, f->vlan_tci), tag_of(f->vlan2_tpid, f->vlan2_tci) } };
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
        inside.is_shifted = true;
    } else if (b->vlan_mode != XVLAN_TRUNK && !packet->tag[0].vid) {
        if (b->vlan_mode == XVLAN_ACCESS) {
            inside.tag[1] = (struct vlan_tag) { .present = false };
        }
        inside.tag[0].vid = b->vlan;
        inside.tag[0].present = true; /* In a VLAN, if only in 0: priority-tags=always shows it. */
    }
    return inside;
}

/* The tag inside of the VLAN is looked at.  Where a tunnel port put the VLAN around the packet, it is the outer one
 * that the packet came with, of which all is known that matters here. */
static void
note_inside(struct xlate_ctx *ctx, const struct vlan_stack *inside, be16 bits)
{
    if (!inside->is_shifted && flow_has_vlan(&ctx->flow)) {
        ctx->wc->vlan2_tci |= bits;
    }
}

/* Only then does the inner tag matter.  In the reference's traces it does not where it keeps the packet out. */
static bool
carries_customer(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_stack *inside)
{
    bool carries = vlan_bitmap_has(b->cvlans, inside->tag[1].vid);

    if (b->cvlans && (carries || !ctx->in->trace)) {
        note_inside(ctx, inside, carries ? BE16_MAX : BE16(VLAN_VID_MASK | VLAN_PRESENT));
    }
    return carries;
}

/* Access ports carry nothing that is in a VLAN inside of theirs. */
static bool
has_inner(struct xlate_ctx *ctx, const struct vlan_stack *inside)
{
    if (inside->tag[1].present || !ctx->in->trace) {
        note_inside(ctx, inside, BE16(VLAN_VID_MASK | VLAN_PRESENT));
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

/* The tags that a packet leaves the bundle with, but for the outer one's priority. */
static struct vlan_stack
vlan_output(const struct xbundle *b, const struct vlan_stack *inside)
{
    bool is_untagged = b->vlan_mode == XVLAN_NATIVE_UNTAGGED && inside->tag[0].vid == b->vlan;

    if (b->vlan_mode == XVLAN_ACCESS) {
        return (struct vlan_stack) { .is_shifted = false };
    }
    if (b->vlan_mode == XVLAN_DOT1Q_TUNNEL || is_untagged) {
        return (struct vlan_stack) { .tag = { inside->tag[1] } };
    }
    return *inside;
}

/* Whether a tag is worth sending: without a VLAN id, for its priority. */
static bool
is_shown(const struct xbundle *b, const struct vlan_tag *t)
{
    return t->vid || t->pcp || (t->present && b->priority_tags == XPRIO_ALWAYS);
}

/* Notes what the tags depend on besides the id of the packet's outer one.  What replaces a tag is noted when it is
 * committed.  Like the reference's traces, ours do not show what only tunnel ports and second tags are the reason
 * of. */
static void
note_output(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_stack *inside,
            const struct vlan_tag *outer)
{
    if (inside->is_shifted) {
        ctx->wc->vlan_tci |= ctx->in->trace ? 0 : BE16(VLAN_PCP_MASK);
        return;
    }
    if (!ctx->in->trace && flow_vlan_limit() > 1 && flow_has_vlan(&ctx->flow)) {
        ctx->wc->vlan2_tci = BE16_MAX;
        ctx->wc->vlan2_tpid = BE16_MAX;
    }
    if (!outer->vid) {
        ctx->tag_read = inside->tag[0].tpid ? BE16(VLAN_PCP_MASK) : 0;
        ctx->tag_varies = b->vlan_mode == XVLAN_TRUNK || b->vlan_mode == XVLAN_NATIVE_TAGGED
                              ? outer->present
                              : b->priority_tags != XPRIO_NEVER;
    }
}

static void
push_tag(struct xlate_ctx *ctx, const struct vlan_tag *t)
{
    be16 tci = cpu_to_be16(t->vid | t->pcp << VLAN_PCP_SHIFT | VLAN_PRESENT);

    if (!odp_tags_push(&ctx->flow, &ctx->below, t->tpid ? t->tpid : BE16(ETH_TYPE_VLAN), tci)) {
        xlate_fail(ctx, XLATE_TOO_MANY_VLAN_TAGS);
    }
}

/* What leaves without an outer tag has none at all, and a second one that says nothing is left out.  Where priorities
 * are shown, that of the packet's outer tag is the outer one's, whichever that has become. */
void
vlan_put_output(struct xlate_ctx *ctx, const struct xbundle *b, const struct vlan_stack *inside)
{
    struct vlan_stack out = vlan_output(b, inside);

    if (b->priority_tags != XPRIO_NEVER) {
        out.tag[0].pcp = tag_of(ctx->flow.vlan_tpid, ctx->flow.vlan_tci).pcp;
    }
    note_output(ctx, b, inside, &out.tag[0]);
    for (int i = inside->is_shifted; i < 2; i++) { /* What is below a customer's tag is none of the tunnel's. */
        if (flow_has_vlan(&ctx->flow)) {
            odp_tags_pop(&ctx->flow, &ctx->below);
        }
    }
    if (is_shown(b, &out.tag[0])) {
        if (is_shown(b, &out.tag[1])) {
            push_tag(ctx, &out.tag[1]);
        }
        push_tag(ctx, &out.tag[0]);
    }
}
