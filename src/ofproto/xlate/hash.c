/* Actions that choose by hashing: multipath, bundle. */
#include "base/hash.h"
#include "ofproto/xlate/ctx.h"

static void
note_bytes(void *mask, size_t n)
{
    memset(mask, 0xff, n);
}

/* An order-independent mix, so that both directions of a connection hash alike. */
static uint64_t
mix_pair(const void *a, const void *b, size_t n, uint64_t basis)
{
    return hash_bytes(a, n, basis) + hash_bytes(b, n, basis);
}

static uint64_t
hash_addresses(struct xlate_ctx *ctx, uint64_t basis)
{
    const struct flow *f = &ctx->flow;
    struct flow *wc = ctx->wc;

    if (f->eth_type == BE16(0x0800)) {
        wc->nw_src = wc->nw_dst = BE32_MAX;
        return mix_pair(&f->nw_src, &f->nw_dst, 4, basis);
    } else if (f->eth_type == BE16(0x86dd)) {
        note_bytes(&wc->ipv6_src, 16);
        note_bytes(&wc->ipv6_dst, 16);
        return mix_pair(&f->ipv6_src, &f->ipv6_dst, 16, basis);
    }
    return basis;
}

static uint64_t
hash_ports(struct xlate_ctx *ctx, bool udp_too, uint64_t basis)
{
    const struct flow *f = &ctx->flow;
    struct flow *wc = ctx->wc;

    if (!flow_is_ip(f)) {
        return basis;
    }
    wc->nw_proto = UINT8_MAX;
    basis = hash_u64(f->nw_proto, basis);
    if (!f->nw_frag && (f->nw_proto == 6 || f->nw_proto == 132 || (udp_too && f->nw_proto == 17))) {
        wc->tp_src = wc->tp_dst = BE16_MAX;
        return mix_pair(&f->tp_src, &f->tp_dst, 2, basis);
    }
    return basis;
}

static uint64_t
hash_symmetric_l4(struct xlate_ctx *ctx, uint64_t basis)
{
    const struct flow *f = &ctx->flow;
    struct flow *wc = ctx->wc;

    note_bytes(&wc->eth_src, 6);
    note_bytes(&wc->eth_dst, 6);
    wc->vlan_tci |= BE16(VLAN_VID_MASK | VLAN_PRESENT);
    basis = mix_pair(&f->eth_src, &f->eth_dst, 6, basis);
    basis = hash_u64((uint64_t) f->eth_type << 16 | (f->vlan_tci & BE16(VLAN_VID_MASK)), basis);
    if (flow_is_ip(f) && f->nw_proto != 17 && !(f->nw_frag & FLOW_FRAG_LATER)) {
        wc->tp_src = wc->tp_dst = BE16_MAX; /* Whatever the protocol, as in the reference: traces show masks. */
    }
    return hash_ports(ctx, false, hash_addresses(ctx, basis));
}

/* One address of IP, whichever version. */
static uint64_t
hash_one_address(struct xlate_ctx *ctx, bool src, uint64_t basis)
{
    const struct flow *f = &ctx->flow;
    struct flow *wc = ctx->wc;

    if (f->eth_type == BE16(0x0800)) {
        *(src ? &wc->nw_src : &wc->nw_dst) = BE32_MAX;
        return hash_bytes(src ? &f->nw_src : &f->nw_dst, 4, basis);
    } else if (f->eth_type == BE16(0x86dd)) {
        note_bytes(src ? &wc->ipv6_src : &wc->ipv6_dst, 16);
        return hash_bytes(src ? &f->ipv6_src : &f->ipv6_dst, 16, basis);
    }
    return basis;
}

uint32_t
xlate_hash_fields(struct xlate_ctx *ctx, uint8_t which, uint16_t basis)
{
    uint64_t h = basis;

    switch ((enum hash_fields) which) {
    case HASH_ETH_SRC:
        note_bytes(&ctx->wc->eth_src, 6);
        h = hash_bytes(&ctx->flow.eth_src, 6, basis);
        break;
    case HASH_SYMMETRIC_L4: h = hash_symmetric_l4(ctx, basis); break;
    case HASH_SYMMETRIC_L3L4: h = hash_ports(ctx, false, hash_addresses(ctx, basis)); break;
    case HASH_SYMMETRIC_L3L4_UDP: h = hash_ports(ctx, true, hash_addresses(ctx, basis)); break;
    case HASH_NW_SRC: h = hash_one_address(ctx, true, basis); break;
    case HASH_NW_DST: h = hash_one_address(ctx, false, basis); break;
    case HASH_SYMMETRIC_L3: h = hash_addresses(ctx, basis); break;
    case HASH_N_FIELDS: break;
    }
    return hash_u64(h, basis);
}

/* The link with the highest value of a hash of its own (RFC 2992's HRW). */
static uint32_t
choose_hrw(uint32_t hash, uint32_t n)
{
    uint32_t best = 0, best_weight = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t weight = hash_u64((uint64_t) i << 32 | hash, 1);

        if (!i || weight > best_weight) {
            best = i;
            best_weight = weight;
        }
    }
    return best;
}

/* Hashes again until the result is below 'n'; the next power of two keeps the expected number of rounds below 2. */
static uint32_t
choose_iter(uint32_t hash, uint32_t n, uint32_t arg)
{
    uint32_t modulo = 1;

    while (modulo < n) {
        modulo *= 2;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t link = hash_u64((uint64_t) (arg + i) << 32 | hash, 2) % modulo;

        if (link < n) {
            return link;
        }
    }
    return hash % n;
}

static uint32_t
choose_link(const struct act_multipath *a, uint32_t hash)
{
    uint32_t n = a->max_link + 1u;

    switch ((enum multipath_algorithm) a->algorithm) {
    case MULTIPATH_MODULO_N: return hash % n;
    case MULTIPATH_HASH_THRESHOLD: return n == 1 ? 0 : hash / (UINT32_MAX / n + 1);
    case MULTIPATH_HRW: return choose_hrw(hash, n);
    case MULTIPATH_ITER_HASH: return choose_iter(hash, n, a->arg);
    }
    return 0;
}

void
xlate_multipath(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_multipath *a = (const void *) act;

    xlate_load_subfield(ctx, &a->dst, choose_link(a, xlate_hash_fields(ctx, a->fields, a->basis)));
}

static ofp_port
choose_member(struct xlate_ctx *ctx, const struct act_bundle *a)
{
    ofp_port best = OFPP_NONE;
    uint32_t hash = 0, best_weight = 0;

    if (a->algorithm == BUNDLE_HRW && a->n_members > 1) {
        hash = xlate_hash_fields(ctx, a->fields, a->basis);
    }
    for (uint32_t i = 0; i < a->n_members; i++) {
        uint32_t weight = hash_u64((uint64_t) i << 32 | hash, 1);

        if (!xlate_port_is_live(ctx, a->members[i])) {
            continue;
        }
        if (a->algorithm == BUNDLE_ACTIVE_BACKUP) {
            return a->members[i];
        }
        if (best == OFPP_NONE || weight > best_weight) {
            best = a->members[i];
            best_weight = weight;
        }
    }
    return best;
}

void
xlate_bundle(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_bundle *a = (const void *) act;
    ofp_port port = choose_member(ctx, a);

    if (a->dst.field) {
        xlate_load_subfield(ctx, &a->dst, ofp_port_to_u16(port));
    } else {
        xlate_output_to(ctx, port, 0, 0);
    }
}
