/* NORMAL: a learning switch with VLANs (IEEE 802.1D and 802.1Q as ovs-actions(7) and ovs-vswitchd.conf.db(5) describe
 * it). */
#include <stdlib.h>

#include "ofproto/mac_table.h"
#include "ofproto/xlate/vlan.h"

struct normal {
    struct xport *in_port;            /* Null for packets that a controller made up. */
    const struct xbundle *in_bundle;
    struct vlan_stack inside;
};

/* What packets of a controller come in through. */
static const struct xbundle no_bundle = { .vlan_mode = XVLAN_TRUNK, .name = (char *) "OFPP_NONE" };

/* Groups that a bridge of the standards does not forward (Bridge.other_config:forward-bpdu). */
bool
eth_addr_is_reserved(struct eth_addr a)
{
    static const struct {
        uint64_t address, mask;
    } reserved[] = {
        { UINT64_C(0x0180c2000000), UINT64_C(0xfffffffffff0) }, /* 802.1D. */
        { UINT64_C(0x00e02b000000), UINT64_C(0xffffffffffff) }, /* Extreme's discovery, ring protection. */
        { UINT64_C(0x00e02b000004), UINT64_C(0xffffffffffff) },
        { UINT64_C(0x00e02b000006), UINT64_C(0xffffffffffff) },
        { UINT64_C(0x01000ccccccc), UINT64_C(0xffffffffffff) }, /* Cisco's discovery, trunking... */
        { UINT64_C(0x01000ccccccd), UINT64_C(0xffffffffffff) },
        { UINT64_C(0x01000ccdcdcd), UINT64_C(0xffffffffffff) },
        { UINT64_C(0x01000c000000), UINT64_C(0xffffffffffff) },
        { UINT64_C(0x01000cccccc0), UINT64_C(0xfffffffffff0) }, /* CFM. */
    };
    uint64_t x = eth_addr_to_u64(a);

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if ((x & reserved[i].mask) == reserved[i].address) {
            return true;
        }
    }
    return false;
}

static void
note_address(struct eth_addr *mask)
{
    memset(mask, 0xff, sizeof *mask);
}

/* A host that announces itself: a broadcast ARP reply, or a request for its own address. */
bool
xlate_is_gratuitous_arp(struct xlate_ctx *ctx)
{
    const struct flow *f = &ctx->flow;

    if (f->eth_type != BE16(0x0806) || !eth_addr_is_broadcast(f->eth_dst)) {
        return false;
    }
    ctx->wc->nw_proto = UINT8_MAX;
    if (f->nw_proto == 2) {
        return true;
    }
    if (f->nw_proto != 1) {
        return false;
    }
    ctx->wc->nw_src = BE32_MAX;
    ctx->wc->nw_dst = BE32_MAX;
    return f->nw_src == f->nw_dst;
}

void
xlate_report_unknown_port(struct xlate_ctx *ctx)
{
    ofp_port number = OFP_PORT(be32_to_cpu(ctx->flow.in_port));

    if (number != OFPP_CONTROLLER && number != OFPP_NONE) {
        xlate_report(ctx, TRACE_ERROR, "received packet on unknown port %u", ofp_to_u32(number));
    }
}

static bool
find_input(struct xlate_ctx *ctx, struct normal *n)
{
    ofp_port number = OFP_PORT(be32_to_cpu(ctx->flow.in_port));

    n->in_port = xbridge_port_rcu(ctx->bridge, number);
    n->in_bundle = n->in_port ? rcu_get(&n->in_port->bundle) : NULL;
    if (n->in_bundle) {
        return true;
    }
    if (number == OFPP_CONTROLLER || number == OFPP_NONE) {
        n->in_bundle = &no_bundle;
        return true;
    }
    xlate_report_unknown_port(ctx);
    xlate_report(ctx, TRACE_WARN, "no input bundle, dropping");
    xlate_why(ctx, WHY_NO_BUNDLE);
    return false;
}

/* Where the packet has shown the address to be, which the table learns once it is translated; null: nowhere. */
static const struct xbundle *
just_learned(const struct xlate_ctx *ctx, struct eth_addr mac, uint16_t vlan)
{
    const struct xlate_out *out = ctx->out;

    for (size_t i = out->n_effects; i-- > 0;) {
        const struct xlate_effect *e = &out->effects[i];

        if (e->kind == EFFECT_LEARN_MAC && e->learn_mac.bridge == ctx->bridge && e->learn_mac.vlan == vlan &&
            eth_addr_equal(e->learn_mac.mac, mac)) {
            return e->learn_mac.bundle;
        }
    }
    return NULL;
}

static bool
is_news(const struct xlate_ctx *ctx, const struct normal *n, struct eth_addr mac, uint16_t vlan)
{
    const struct xbundle *b = just_learned(ctx, mac, vlan);

    return b ? b != n->in_bundle : mac_table_would_change(ctx->bridge->mac_table, mac, vlan, n->in_bundle->key);
}

static void
learn(struct xlate_ctx *ctx, const struct normal *n)
{
    uint16_t vid = n->inside.tag[0].vid;
    struct eth_addr mac = ctx->flow.eth_src;
    bool is_gratuitous = xlate_is_gratuitous_arp(ctx);
    struct xlate_credit *c;
    struct xlate_effect *e;

    if (!n->in_port || ctx->flow.packet_ns || !mac_table_may_learn(ctx->bridge->mac_table, mac, vid)) {
        return;
    }
    c = xlate_credit(ctx, CREDIT_MAC);
    c->mac.bridge = ctx->bridge;
    c->mac.vlan = vid;
    c->mac.mac = mac;
    c->mac.port = n->in_port->ofp_port;
    if (!is_news(ctx, n, mac, vid)) {
        return;
    }
    e = xlate_effect(ctx, EFFECT_LEARN_MAC);
    if (e) {
        e->learn_mac.bridge = ctx->bridge;
        e->learn_mac.mac = mac;
        e->learn_mac.vlan = vid;
        e->learn_mac.bundle = n->in_bundle;
        e->learn_mac.port = n->in_port->ofp_port;
        e->learn_mac.is_gratuitous_arp = is_gratuitous;
        xlate_report(ctx, TRACE_DETAIL, "learned that " ETH_ADDR_FMT " is on port %s in VLAN %u", ETH_ADDR_ARGS(mac),
                     n->in_bundle->name, vid);
    }
}

void
vlan_send_to_bundle(struct xlate_ctx *ctx, const struct xbundle *in, const struct xbundle *b,
                    const struct vlan_stack *inside, uint32_t max_len)
{
    be16 old[4] = { ctx->flow.vlan_tpid, ctx->flow.vlan_tci, ctx->flow.vlan2_tpid, ctx->flow.vlan2_tci };
    struct odp_below below = ctx->below;
    be16 tag_read = ctx->tag_read;
    struct xport *port;

    if (b->is_protected && in->is_protected) {
        xlate_report(ctx, TRACE_WARN, "Flow is between protected ports, skipping output.");
        xlate_why(ctx, WHY_PROTECTED);
        return;
    }
    port = b->bond ? xlate_bond_output(ctx, b, inside->tag[0].vid) : b->n_ports ? b->ports[0] : NULL;
    if (!port) {
        xlate_why(ctx, WHY_NO_MEMBER);
        return;
    }
    vlan_put_output(ctx, b, inside);
    xlate_send_to_port(ctx, port, max_len);
    ctx->tag_read = tag_read;
    ctx->tag_varies = false;
    ctx->flow.vlan_tpid = old[0];
    ctx->flow.vlan_tci = old[1];
    ctx->flow.vlan2_tpid = old[2];
    ctx->flow.vlan2_tci = old[3];
    ctx->below = below;
}

/* All of its ports must want floods. */
static bool
may_flood(const struct xbundle *b)
{
    for (size_t i = 0; i < b->n_ports; i++) {
        if (port_has(b->ports[i], XPORT_NO_FLOOD)) {
            return false;
        }
    }
    return true;
}

/* In the order of the ports, so that the same flood always looks the same.  A bundle counts at its first port. */
static void
flood(struct xlate_ctx *ctx, const struct normal *n)
{
    bool was_last = ctx->is_last;
    struct xport **ports;
    size_t n_ports = xlate_ports_sorted(ctx, &ports);

    xlate_why(ctx, WHY_NO_FLOOD);
    for (size_t i = 0; i < n_ports && !xlate_has_failed(ctx); i++) {
        const struct xbundle *b = rcu_get(&ports[i]->bundle);

        if (b && b->ports[0] == ports[i] && b != n->in_bundle && may_flood(b) &&
            !xlate_is_reserved_for_mirror(ctx, b) && vlan_bundle_carries(ctx, b, &n->inside)) {
            ctx->is_last = was_last && i == n_ports - 1;
            vlan_send_to_bundle(ctx, n->in_bundle, b, &n->inside, 0);
        }
    }
    free(ports);
}

/* The packet's own address is known by now. */
static const struct xbundle *
find_host(struct xlate_ctx *ctx, struct eth_addr mac, uint16_t vlan)
{
    const struct xbundle *b = just_learned(ctx, mac, vlan);
    struct mac_entry entry;

    xlate_note_mac(ctx, mac, vlan);
    if (!b && mac_table_lookup(ctx->bridge->mac_table, mac, vlan, &entry)) {
        b = xbridge_bundle_rcu(ctx->bridge, entry.bundle_key);
    }
    return b;
}

static void
forward(struct xlate_ctx *ctx, const struct normal *n)
{
    const struct xbundle *b = NULL;

    if (!eth_addr_is_multicast(ctx->flow.eth_dst)) {
        b = find_host(ctx, ctx->flow.eth_dst, n->inside.tag[0].vid);
    }
    if (!b) {
        xlate_report(ctx, TRACE_DETAIL, "no learned MAC for destination, flooding");
        flood(ctx, n);
    } else if (b == n->in_bundle) {
        xlate_report(ctx, TRACE_DETAIL, "learned port is input port, dropping");
        xlate_why(ctx, WHY_LEARNED_HERE);
    } else if (xlate_is_reserved_for_mirror(ctx, b)) {
        xlate_report(ctx, TRACE_WARN, "learned port is a mirror port, dropping");
        xlate_why(ctx, WHY_MIRROR_PORT);
    } else {
        xlate_report(ctx, TRACE_DETAIL, "forwarding to learned port");
        vlan_send_to_bundle(ctx, n->in_bundle, b, &n->inside, 0);
    }
}

void
xlate_normal_switching(struct xlate_ctx *ctx)
{
    struct vlan_stack packet;
    struct normal n;

    note_address(&ctx->wc->eth_src);
    note_address(&ctx->wc->eth_dst);
    packet = vlan_of_packet(ctx);
    if (!find_input(ctx, &n)) {
        return;
    }
    if (eth_type_is_vlan(ctx->flow.eth_type) && !packet.tag[0].present) {
        /* It ends within its tag, or it had more than vlan-limit lets be seen and has lost those. */
        if (ctx->in->frame) {
            xlate_report(ctx, TRACE_ERROR, "dropping packet with partial VLAN tag received on port %s",
                         n.in_bundle->name);
        }
        xlate_report(ctx, TRACE_WARN, "partial VLAN tag, dropping");
        xlate_why(ctx, WHY_PARTIAL_VLAN);
        return;
    }
    if (!vlan_is_valid_input(ctx, n.in_bundle, &packet, n.in_port)) {
        xlate_report(ctx, TRACE_WARN, "disallowed VLAN VID for this input port, dropping");
        xlate_why(ctx, WHY_VLAN);
        return;
    }
    n.inside = vlan_input(n.in_bundle, &packet);
    if (n.in_port && eth_addr_is_reserved(ctx->flow.eth_dst) &&
        !atomic_load_explicit(&ctx->bridge->forward_bpdu, memory_order_relaxed)) {
        xlate_report(ctx, TRACE_DETAIL, "packet has reserved destination MAC, dropping");
        xlate_why(ctx, WHY_RESERVED_MAC);
        return;
    }
    if (n.in_port && atomic_load_explicit(&n.in_port->state, memory_order_relaxed) & 2) {
        xlate_why(ctx, WHY_BLOCKED);
        return;
    }
    if (n.in_bundle->bond && !xlate_bond_admits(ctx, n.in_bundle, n.in_port, n.inside.tag[0].vid)) {
        xlate_why(ctx, WHY_BOND);
        return;
    }
    learn(ctx, &n);
    forward(ctx, &n);
}
