/* Bonds in the NORMAL action: which member a packet leaves by, and which packets of a member are taken. */
#include "ofproto/bond.h"

#include "ofproto/mac_table.h"
#include "ofproto/xlate/vlan.h"

static const struct xbond *
consult(struct xlate_ctx *ctx, const struct xbundle *b)
{
    xlate_note_key(ctx, CONSULTED_BUNDLE, (uintptr_t) b->key);
    return rcu_get(&b->bond->published);
}

struct xport *
xlate_bond_output(struct xlate_ctx *ctx, const struct xbundle *b, uint16_t vlan)
{
    const struct xbond *x = consult(ctx, b);
    struct xlate_credit *c;
    uint8_t bucket;

    if (!x || x->mode == BOND_ACTIVE_BACKUP) {
        return x ? x->active : NULL;
    }
    memset(&ctx->wc->eth_src, 0xff, sizeof ctx->wc->eth_src);
    ctx->wc->vlan_tci |= BE16(VLAN_VID_MASK | VLAN_PRESENT);
    bucket = bond_hash(ctx->flow.eth_src, vlan, x->basis);
    c = xlate_credit(ctx, CREDIT_BOND);
    c->bond.load = x->load;
    c->bond.bucket = bucket;
    return x->buckets[bucket];
}

static bool
is_of_our_side(struct xlate_ctx *ctx, const struct xbundle *b, uint16_t vlan)
{
    const struct mac_table *t = ctx->bridge->mac_table;
    struct eth_addr mac = ctx->flow.eth_src;
    struct mac_entry e;

    xlate_note_mac(ctx, mac, vlan);
    if (!mac_table_lookup(t, mac, vlan, &e) || e.bundle_key == b->key) {
        return false;
    }
    if (!xlate_is_gratuitous_arp(ctx)) {
        return true;
    }
    ctx->out->may_install = false; /* Whether it is locked is a matter of time. */
    return mac_table_is_locked(t, mac, vlan);
}

/* Null: taken. */
static const char *
refusal(struct xlate_ctx *ctx, const struct xbundle *b, const struct xport *in, uint16_t vlan)
{
    const struct xbond *x = consult(ctx, b);
    bool is_active = x && in == x->active;
    bool is_multicast = eth_addr_is_multicast(ctx->flow.eth_dst);

    if (!is_active && (!x || x->mode == BOND_ACTIVE_BACKUP || (is_multicast && !x->all_members_active))) {
        return "bonding refused admissibility, dropping";
    }
    if (x->mode == BOND_BALANCE_SLB && is_of_our_side(ctx, b, vlan)) {
        return "SLB bond thinks this packet looped back, dropping";
    }
    return NULL;
}

/* Broadcasts of ours come back by the other members, and what went out by one member may be flooded by the neighbour
 * to another: only the active one is listened to for multicast, and nothing is taken from a host that is on our side.
 * A gratuitous ARP says that it has moved, though. */
bool
xlate_bond_admits(struct xlate_ctx *ctx, const struct xbundle *b, const struct xport *in, uint16_t vlan)
{
    const char *why = refusal(ctx, b, in, vlan);

    if (why) {
        xlate_report(ctx, TRACE_DETAIL, "%s", why);
    }
    return !why;
}
