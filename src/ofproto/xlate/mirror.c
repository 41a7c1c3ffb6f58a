/* Mirrors: copies of what comes in and goes out (ofproto/mirror.h). */
#include "ofproto/mirror.h"

#include <stdlib.h>

#include "ofproto/xlate/vlan.h"

/* Notes the bits that the filter asks for, whatever the answer. */
static bool
passes_filter(struct xlate_ctx *ctx, const struct xmirror *m)
{
    if (!m->filter) {
        return true;
    }
    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        *flow_word_ptr(ctx->wc, i) |= flow_word(&m->filter->mask, i);
    }
    return match_covers_flow(m->filter, &ctx->flow);
}

static bool
has_vlan(struct xlate_ctx *ctx, const struct xmirror *m, uint16_t vlan)
{
    if (m->vlans) {
        vlan_of_packet(ctx);
    }
    return vlan_bitmap_has(m->vlans, vlan);
}

/* It has had the packet, and all others with the same destination.  Before the packet is sent: what goes to a mirror's
 * port may be selected itself. */
static void
mark(struct xlate_ctx *ctx, const struct xmirror *m)
{
    ctx->mirrors |= m->same_output;
    xlate_credit(ctx, CREDIT_MIRROR)->mirror = m->count;
}

static void
send_to_port(struct xlate_ctx *ctx, const struct xmirror *m, const struct xbundle *in, const struct vlan_stack *inside)
{
    const struct xbundle *out = xbridge_bundle_rcu(ctx->bridge, m->output);

    mark(ctx, m);
    if (!out) {
        return; /* It has no device at the moment. */
    }
    if (m->snaplen && out->n_ports && out->ports[0]->is_patch) {
        xlate_report(ctx, TRACE_WARN, "Mirror truncate to ODPP_NONE, skipping output");
        return;
    }
    vlan_send_to_bundle(ctx, in, out, inside, m->snaplen);
}

/* To all that carry the VLAN.  Frames of protocols between switches would confuse those that get them. */
static void
send_to_vlan(struct xlate_ctx *ctx, const struct xmirror *m, const struct xbundle *in, struct vlan_stack inside)
{
    struct xport **ports;
    size_t n_ports;

    memset(&ctx->wc->eth_dst, 0xff, sizeof ctx->wc->eth_dst);
    if (inside.tag[0].vid == m->output_vlan || eth_addr_is_reserved(ctx->flow.eth_dst)) {
        return;
    }
    mark(ctx, m);
    inside.tag[0].vid = m->output_vlan;
    n_ports = xlate_ports_sorted(ctx, &ports);
    for (size_t i = 0; i < n_ports && !xlate_has_failed(ctx); i++) {
        const struct xbundle *b = rcu_get(&ports[i]->bundle);

        if (b && b->ports[0] == ports[i] && !xlate_is_reserved_for_mirror(ctx, b) &&
            vlan_bundle_carries(ctx, b, &inside)) {
            vlan_send_to_bundle(ctx, in, b, &inside, m->snaplen);
        }
    }
    free(ports);
}

/* The mirrors that may have to copy what passes the bundle. */
static uint32_t
wanted_by(struct xlate_ctx *ctx, const struct xmirrors *ms, const struct xbundle *b, bool is_input)
{
    xlate_note_key(ctx, CONSULTED_BUNDLE, (uintptr_t) b->key);
    return xmirrors_find(ms, b->key, is_input) & ~ctx->mirrors;
}

/* Copies for the bundle's mirrors that have not had the packet.  Like the reference's traces, ours say of each packet
 * whether its VLAN suits the port, though nobody may want a copy. */
static void
mirror_packet(struct xlate_ctx *ctx, const struct xmirrors *ms, const struct xbundle *in, const struct xport *port,
              bool is_input)
{
    uint32_t wanted = wanted_by(ctx, ms, in, is_input);
    struct vlan_stack packet, inside;
    bool was_last = ctx->is_last;

    if (LIKELY(!wanted && !ctx->in->trace)) {
        return;
    }
    packet = vlan_of_packet_unshown(ctx);
    if (!vlan_is_valid_input(ctx, in, &packet, port) || !wanted) {
        return;
    }
    inside = vlan_input(in, &packet);
    ctx->is_last = false;
    for (size_t i = 0; i < ms->n; i++) {
        const struct xmirror *m = &ms->mirrors[i];

        if (!(wanted & ~ctx->mirrors & UINT32_C(1) << i) || !has_vlan(ctx, m, inside.tag[0].vid) ||
            !passes_filter(ctx, m)) {
            continue;
        }
        if (m->output) {
            send_to_port(ctx, m, in, &inside);
        } else {
            send_to_vlan(ctx, m, in, inside);
        }
    }
    ctx->is_last = was_last;
}

bool
xlate_mirror_input(struct xlate_ctx *ctx)
{
    const struct xmirrors *ms = ctx->at_input ? rcu_get(&ctx->bridge->mirrors) : NULL;
    const struct xbundle *b;
    const struct xport *port;

    ctx->at_input = false;
    if (LIKELY(!ms)) {
        return true;
    }
    port = xbridge_port_rcu(ctx->bridge, OFP_PORT(be32_to_cpu(ctx->flow.in_port)));
    b = port ? rcu_get(&port->bundle) : NULL;
    if (!b) {
        xlate_report_unknown_port(ctx);
        return true;
    }
    if (xmirrors_reserve(ms, b->key)) {
        xlate_report(ctx, TRACE_ERROR, "dropping packet received on port %s, which is reserved exclusively for "
                     "mirroring", b->name);
        xlate_why(ctx, WHY_MIRROR_PORT);
        return false;
    }
    ctx->trace_depth--; /* Belongs to the table, not to an action. */
    mirror_packet(ctx, ms, b, port, true);
    ctx->trace_depth++;
    return true;
}

void
xlate_mirror_output(struct xlate_ctx *ctx, const struct xport *port)
{
    const struct xmirrors *ms = rcu_get(&ctx->bridge->mirrors);
    const struct xbundle *b = ms ? rcu_get(&port->bundle) : NULL;

    if (b) {
        mirror_packet(ctx, ms, b, port, false);
    }
}

bool
xlate_is_reserved_for_mirror(const struct xlate_ctx *ctx, const struct xbundle *b)
{
    const struct xmirrors *ms = rcu_get(&ctx->bridge->mirrors);

    return UNLIKELY(ms != NULL) && xmirrors_reserve(ms, b->key);
}
