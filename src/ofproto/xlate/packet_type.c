/* Packet types: encap and decap add and remove the outermost header, whatever it is; and NSH's time to live.
 *
 * What is below NSH or a label the pipeline has not seen: removing them ends in recirculation. */
#include "ofproto/xlate/ctx.h"
#include "openflow/msg/packet.h"
#include "packet/headers.h"

enum { TLV_HEADER_LEN = 4 };

static void
set_packet_type(struct flow *f, uint32_t type)
{
    f->packet_ns = type >> 16;
    f->eth_type = cpu_to_be16(type);
}

static void
unsupported(struct xlate_ctx *ctx)
{
    xlate_fail(ctx, XLATE_UNSUPPORTED_PACKET_TYPE);
}

/* The packet gets a new outermost header of that type, of which all fields are zero. */
static void
begin_header(struct xlate_ctx *ctx, uint32_t type, enum odp_pending_kind kind)
{
    flow_copy_headers(&ctx->flow, NULL);
    set_packet_type(&ctx->flow, type);
    ctx->below.n = ctx->below.n_blank = 0;
    ctx->base.pending.kind = kind;
    ctx->base.pending.metadata_len = 0;
}

/* With an Ethernet header whose addresses are zero, or without one. */
static void
change_ethernet(struct xlate_ctx *ctx, enum odp_pending_kind kind)
{
    struct flow *f = &ctx->flow;

    xlate_commit(ctx);
    f->packet_ns = kind == ODP_PENDING_POP_ETH;
    memset(&f->eth_dst, 0, sizeof f->eth_dst);
    memset(&f->eth_src, 0, sizeof f->eth_src);
    ctx->base.pending.kind = kind;
}

/* encap. */

static void
encap_ethernet(struct xlate_ctx *ctx)
{
    if (!ctx->flow.packet_ns) {
        xlate_report(ctx, TRACE_ACTION,
                     "Dropping packet as encap(ethernet) is not supported for packet type ethernet.");
        unsupported(ctx);
        return;
    }
    change_ethernet(ctx, ODP_PENDING_PUSH_ETH);
}

/* NSH's number for a packet type (RFC 8300 §2.2); 0 if it has none that is supported. */
static uint8_t
nsh_protocol(uint32_t type)
{
    switch (type) {
    case PT_ETH: return NSH_P_ETHERNET;
    case PT_IPV4: return NSH_P_IPV4;
    case PT_IPV6: return NSH_P_IPV6;
    case PT_NSH: return NSH_P_NSH;
    default: return 0;
    }
}

/* Context headers of variable length (RFC 8300 §2.5.1). */
static bool
put_metadata(struct odp_pending *p, const struct encap_prop *prop)
{
    size_t n = TLV_HEADER_LEN + ROUND_UP((size_t) prop->tlv_len, 4);
    uint8_t *to = p->metadata + p->metadata_len;

    if (n > sizeof p->metadata - p->metadata_len) {
        return false;
    }
    memset(to, 0, n);
    put_be16(to, prop->tlv_class);
    to[2] = prop->tlv_type;
    to[3] = prop->tlv_len;
    memcpy(to + TLV_HEADER_LEN, prop->tlv_data, prop->tlv_len);
    p->metadata_len += n;
    return true;
}

/* Type 1 unless a property says otherwise; only type 2 has what the others hold. */
static bool
read_nsh_properties(struct xlate_ctx *ctx, const struct act_encap *a)
{
    struct cursor c = cursor_make(a->props, a->props_len);
    struct odp_pending *p = &ctx->base.pending;
    struct encap_prop prop;
    bool fits = true;

    ctx->flow.nsh_mdtype = NSH_M_TYPE1;
    while (encap_prop_take(&c, &prop)) {
        if (prop.type == ENCAP_NSH_MD_TYPE) {
            ctx->flow.nsh_mdtype = prop.md_type;
        } else {
            fits &= put_metadata(p, &prop);
        }
    }
    if (ctx->flow.nsh_mdtype == NSH_M_TYPE1) {
        p->metadata_len = 0;
        return true;
    }
    return fits;
}

static void
encap_nsh(struct xlate_ctx *ctx, const struct act_encap *a)
{
    uint32_t type = flow_packet_type(&ctx->flow);
    uint8_t protocol = nsh_protocol(type);
    struct flow *f = &ctx->flow;

    if (!protocol) {
        xlate_report(ctx, TRACE_ACTION, "Dropping packet as encap(nsh) is not supported for packet type (%u,0x%x)",
                     type >> 16, type & 0xffff);
        unsupported(ctx);
        return;
    }
    xlate_commit(ctx);
    begin_header(ctx, PT_NSH, ODP_PENDING_PUSH_NSH);
    f->nsh_ttl = 63;
    f->nsh_np = protocol;
    f->nsh_path = BE32(255);
    if (!read_nsh_properties(ctx, a)) {
        xlate_report(ctx, TRACE_ACTION, "Dropping packet as its NSH metadata would have more than %d bytes",
                     ODP_NSH_MAX_METADATA);
        unsupported(ctx);
    }
}

/* Below the new label there are others, if the packet has no Ethernet header. */
static void
encap_mpls(struct xlate_ctx *ctx, uint32_t type)
{
    struct flow *f = &ctx->flow;
    int n = f->packet_ns ? flow_count_mpls(f) : 0;
    uint32_t explicit_null = f->eth_type == BE16(ETH_TYPE_IPV6) ? 2 : 0; /* RFC 3032 §2.1. */
    be32 lses[FLOW_MPLS_LABELS] = { cpu_to_be32(explicit_null << 12 | 0x100 | 64) };

    if (n >= FLOW_MPLS_LABELS) {
        xlate_fail(ctx, XLATE_TOO_MANY_MPLS_LABELS);
        return;
    }
    xlate_commit(ctx);
    if (n) {
        lses[0] = xlate_copy_label(ctx);
        memcpy(&lses[1], f->mpls_lse, sizeof lses - sizeof lses[0]);
        for (int i = 0; i < n; i++) {
            ctx->wc->mpls_lse[i] |= BE32(0x100);
        }
    }
    begin_header(ctx, type, ODP_PENDING_ADD_MPLS);
    memcpy(f->mpls_lse, lses, sizeof f->mpls_lse);
}

void
xlate_encap(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_encap *a = (const void *) act;

    switch (a->packet_type) {
    case PT_ETH: encap_ethernet(ctx); break;
    case PT_NSH: encap_nsh(ctx, a); break;
    default: encap_mpls(ctx, a->packet_type); break;
    }
}

/* decap. */

static void
decap_ethernet(struct xlate_ctx *ctx)
{
    ctx->wc->vlan_tci |= BE16(VLAN_PRESENT);
    if (flow_has_vlan(&ctx->flow)) {
        xlate_report(ctx, TRACE_ACTION, "Dropping packet, cannot decap Ethernet if VLAN is present.");
        unsupported(ctx);
        return;
    }
    change_ethernet(ctx, ODP_PENDING_POP_ETH);
}

/* The header is gone; what is below, which is of that type, is to be parsed. */
static void
unveil(struct xlate_ctx *ctx, uint32_t type, be16 ethertype)
{
    if (ethertype != BE16(ETH_TYPE_NSH)) { /* Else a trace shows the old header, as the reference does. */
        flow_copy_headers(&ctx->flow, NULL);
    }
    ctx->flow.packet_ns = type >> 16;
    ctx->flow.eth_type = ethertype;
    ctx->base.flow = ctx->flow;
    ctx->was_mpls = false;
    xlate_freeze(ctx, NULL);
}

static void
decap_nsh(struct xlate_ctx *ctx)
{
    static const uint32_t types[] = {
        [NSH_P_IPV4] = PT_IPV4, [NSH_P_IPV6] = PT_IPV6, [NSH_P_ETHERNET] = PT_ETH, [NSH_P_NSH] = PT_NSH,
    };
    uint8_t protocol = ctx->flow.nsh_np;

    ctx->wc->nsh_np = UINT8_MAX;
    if (!protocol || protocol >= ARRAY_SIZE(types)) {
        xlate_report(ctx, TRACE_ACTION, "Dropping packet as NSH next protocol %u is not supported", protocol);
        unsupported(ctx);
        return;
    }
    xlate_commit(ctx);
    odp_put_flag(&ctx->out->actions, ODP_POP_NSH);
    unveil(ctx, types[protocol],
           types[protocol] == PT_ETH ? BE16(ETH_TYPE_NSH) : cpu_to_be16(types[protocol]));
}

/* An Ethernet frame below a label counts, for the datapath, as what it is in GRE: Transparent Ethernet Bridging. */
static void
decap_mpls(struct xlate_ctx *ctx, uint32_t type)
{
    be16 ethertype = type == PT_ETH ? BE16(ETH_TYPE_TEB) : cpu_to_be16(type);
    int n = flow_count_mpls(&ctx->flow);

    if (n > 1 && (type == PT_MPLS || type == PT_MPLS_MC)) {
        xlate_pop_label(ctx, ethertype); /* The one below is known. */
        return;
    }
    for (int i = 0; i < n; i++) {
        ctx->wc->mpls_lse[i] |= BE32(0x100);
    }
    xlate_commit(ctx);
    odp_put(&ctx->out->actions, ODP_POP_MPLS, &ethertype, sizeof ethertype);
    unveil(ctx, type, ethertype);
}

void
xlate_decap(struct xlate_ctx *ctx, const struct act *act)
{
    uint32_t type = flow_packet_type(&ctx->flow);

    switch (type) {
    case PT_ETH: decap_ethernet(ctx); break;
    case PT_NSH: decap_nsh(ctx); break;
    case PT_MPLS: case PT_MPLS_MC: decap_mpls(ctx, ((const struct act_decap *) act)->packet_type); break;
    default:
        xlate_report(ctx, TRACE_ACTION, "Dropping packet as the decap() does not support packet type (%u,0x%x)",
                     type >> 16, type & 0xffff);
        unsupported(ctx);
        break;
    }
}

void
xlate_dec_nsh_ttl(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    if (ctx->flow.eth_type != BE16(ETH_TYPE_NSH)) {
        return;
    }
    ctx->wc->nsh_ttl = UINT8_MAX;
    if (ctx->flow.nsh_ttl > 1) {
        ctx->flow.nsh_ttl--;
        return;
    }
    xlate_report(ctx, TRACE_WARN, "NSH decrement TTL exception");
    xlate_why(ctx, WHY_TTL);
    xlate_ttl_expired(ctx, 0);
}
