#include "flow/tun_metadata.h"
#include "ofproto/xlate/xlate.h"

#include <stdlib.h>

#include "flow/field_text.h"
#include "odp/commit.h"
#include "ofproto/xlate/ctx.h"
#include "openflow/flow_mod.h"
#include "openflow/msg/meter.h"
#include "openflow/oxm/oxm.h"

const char *
xlate_error_text(enum xlate_error error)
{
    static const char *const texts[] = {
        [XLATE_OK] = "OK",
#define XLATE_ERROR(ENUM, COUNTER, TEXT) [XLATE_##ENUM] = TEXT,
#include "odp/drop_reasons.def"
    };

    return texts[error];
}

const char *
xlate_why_text(enum xlate_why why)
{
    static const char *const texts[WHY_N] = {
        [WHY_NONE] = "none",
#define WHY(ENUM, TEXT) [WHY_##ENUM] = TEXT,
#include "ofproto/xlate/why.def"
    };

    return texts[why];
}

void
xlate_why(struct xlate_ctx *ctx, enum xlate_why why)
{
    ctx->out->drop = (struct xlate_drop) {
        .bridge = ctx->bridge, .rule = ctx->rule, .in_port = OFP_PORT(be32_to_cpu(ctx->flow.in_port)), .why = why,
        .table_id = ctx->table_id,
    };
}

void
xlate_out_init(struct xlate_out *out)
{
    memset(out, 0, sizeof *out);
    out->words = x2nrealloc(NULL, &out->words_capacity, sizeof *out->words); /* Never null, also where none are used. */
}

static void
effect_uninit(struct xlate_effect *e)
{
    switch (e->kind) {
    case EFFECT_LEARN_MAC:
        break;
    case EFFECT_FLOW_MOD:
        if (e->flow_mod.fm) {
            flow_mod_uninit(e->flow_mod.fm);
            free(e->flow_mod.fm);
        }
        break;
    }
}

struct xlate_learned *
xlate_learned_ref(struct xlate_learned *l)
{
    atomic_fetch_add(&l->n_refs, 1);
    return l;
}

void
xlate_learned_unref(struct xlate_learned *l)
{
    if (atomic_fetch_sub(&l->n_refs, 1) == 1) {
        flow_mod_uninit(l->fm);
        free(l->fm);
        free(l);
    }
}

void
xlate_out_clear(struct xlate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        effect_uninit(&out->effects[i]);
    }
    for (size_t i = 0; i < out->n_credits; i++) {
        if (out->credits[i].kind == CREDIT_LEARN) {
            xlate_learned_unref(out->credits[i].learned);
        }
    }
    for (size_t i = 0; i < out->n_frozen; i++) {
        recirc_unref(out->frozen[i]);
    }
    for (size_t i = 0; i < out->n_runs; i++) {
        xlate_run_unref(out->runs[i]);
    }
    bytes_clear(&out->actions);
    bytes_clear(&out->slow_actions);
    memset(&out->wc, 0, sizeof out->wc);
    out->error = out->peer_error = XLATE_OK;
    out->drop = (struct xlate_drop) { 0 };
    out->slow = 0;
    out->may_install = true;
    out->n_credits = 0;
    out->n_effects = 0;
    out->n_consulted = 0;
    out->n_frozen = 0;
    out->n_words = 0;
    out->n_runs = 0;
}

void
xlate_out_uninit(struct xlate_out *out)
{
    xlate_out_clear(out);
    bytes_uninit(&out->actions);
    bytes_uninit(&out->slow_actions);
    free(out->credits);
    free(out->effects);
    free(out->consulted);
    free(out->frozen);
    free(out->words);
    free(out->runs);
}

struct xlate_credit *
xlate_credit(struct xlate_ctx *ctx, enum xlate_credit_kind kind)
{
    struct xlate_out *out = ctx->out;
    struct xlate_credit *c;

    if (out->n_credits >= out->credits_capacity) {
        out->credits = x2nrealloc(out->credits, &out->credits_capacity, sizeof *out->credits);
    }
    c = &out->credits[out->n_credits++];
    memset(c, 0, sizeof *c);
    c->kind = kind;
    return c;
}

void
xlate_credits(struct xlate_ctx *ctx, const struct xlate_credit *credits, size_t n)
{
    struct xlate_out *out = ctx->out;

    while (out->n_credits + n > out->credits_capacity) {
        out->credits = x2nrealloc(out->credits, &out->credits_capacity, sizeof *out->credits);
    }
    memcpy(out->credits + out->n_credits, credits, n * sizeof *credits);
    out->n_credits += n;
}

struct xlate_effect *
xlate_effect(struct xlate_ctx *ctx, enum xlate_effect_kind kind)
{
    struct xlate_out *out = ctx->out;
    struct xlate_effect *e;

    if (!ctx->in->want_effects || ctx->no_effects) {
        return NULL;
    }
    if (out->n_effects >= out->effects_capacity) {
        out->effects = x2nrealloc(out->effects, &out->effects_capacity, sizeof *out->effects);
    }
    e = &out->effects[out->n_effects++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    return e;
}

static struct xlate_consulted *
add_consulted(struct xlate_out *out, enum xlate_consulted_kind kind, const struct xbridge *bridge)
{
    struct xlate_consulted *c;

    if (out->n_consulted >= out->consulted_capacity) {
        out->consulted = x2nrealloc(out->consulted, &out->consulted_capacity, sizeof *out->consulted);
    }
    c = &out->consulted[out->n_consulted++];
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->bridge = bridge;
    return c;
}

/* Leaves out the words that no bit was looked at of; how many are left.  'masks': 'n' of them, then the values. */
static size_t
leave_out_empty(struct word_map *map, uint64_t *masks, size_t n)
{
    uint64_t *values = masks + n;
    size_t left = 0, k = 0;

    WORD_MAP_FOR_EACH (i, map) {
        if (masks[k]) {
            masks[left] = masks[k];
            values[left++] = values[k];
        } else {
            map->bits[i / 64] &= ~(UINT64_C(1) << i % 64);
        }
        k++;
    }
    memmove(masks + left, values, left * sizeof *values);
    return left;
}

void
xlate_note_lookup(struct xlate_ctx *ctx, uint8_t table_id, const struct flow *flow, struct cls_mask *asked)
{
    enum { CONJ_ID = offsetof(struct flow, conj_id) / 8 };
    struct xlate_consulted *c = add_consulted(ctx->out, CONSULTED_TABLE, ctx->bridge);
    struct xlate_out *out = ctx->out;
    size_t n = word_map_count(&asked->map), k = 0;
    uint64_t *masks, *values;
    bool any_empty = false;

    while (out->n_words + 2 * FLOW_N_WORDS > out->words_capacity) {
        out->words = x2nrealloc(out->words, &out->words_capacity, sizeof *out->words);
    }
    masks = out->words + out->n_words;
    values = masks + n;
    if (asked->map.bits[CONJ_ID / 64] >> CONJ_ID % 64 & 1) {
        asked->bits.conj_id = 0; /* Not the packet's: a rule for any conjunction may be what was looked for. */
    }
    WORD_MAP_FOR_EACH (i, &asked->map) {
        uint64_t bits = flow_word(&asked->bits, i);

        *flow_word_ptr(ctx->wc, i) |= bits;
        masks[k] = bits;
        values[k++] = bits & flow_word(flow, i);
        any_empty |= !bits;
    }
    if (UNLIKELY(any_empty)) {
        n = leave_out_empty(&asked->map, masks, n);
    }
    c->table.id = table_id;
    c->table.map = asked->map;
    c->table.at = out->n_words;
    out->n_words += 2 * n;
}

void
xlate_note_mac(struct xlate_ctx *ctx, struct eth_addr mac, uint16_t vlan)
{
    xlate_note_key(ctx, CONSULTED_MAC, xlate_mac_key(mac, vlan));
}

void
xlate_note_key(struct xlate_ctx *ctx, enum xlate_consulted_kind kind, uint64_t key)
{
    add_consulted(ctx->out, kind, ctx->bridge)->key = key;
}

void
xlate_fail(struct xlate_ctx *ctx, enum xlate_error error)
{
    if (!ctx->out->error) {
        ctx->out->error = error;
        xlate_why(ctx, WHY_XLATE_BRIDGE_NOT_FOUND + (error - XLATE_BRIDGE_NOT_FOUND));
    }
}

/* Reports. */

static void
report(struct xlate_ctx *ctx, enum xlate_trace_kind kind, const char *text)
{
    struct xlate_trace *trace = ctx->in->trace;
    bool is_note = kind == TRACE_DETAIL || kind == TRACE_WARN || kind == TRACE_ERROR;

    trace->report(trace, kind, ctx->trace_depth + is_note, text);
}

void
xlate_report(struct xlate_ctx *ctx, enum xlate_trace_kind kind, const char *format, ...)
{
    if (UNLIKELY(ctx->in->trace != NULL)) {
        struct str s = STR_INIT;
        va_list args;

        va_start(args, format);
        str_putv(&s, format, args);
        va_end(args);
        ctx->in->trace->bridge = ctx->bridge;
        report(ctx, kind, str_text(&s));
        str_uninit(&s);
    }
}

struct act_text
xlate_act_text(const struct xlate_ctx *ctx)
{
    const struct xlate_trace *trace = ctx->in->trace;
    struct act_text text = trace && trace->names ? *trace->names : (struct act_text) { NULL, NULL, NULL };

    text.options = xbridge_options_rcu(ctx->bridge);
    return text;
}

void
xlate_report_action(struct xlate_ctx *ctx, const struct act *a)
{
    if (UNLIKELY(ctx->in->trace != NULL)) {
        struct act_text text = xlate_act_text(ctx);
        struct act_span one = { a, (const char *) act_next(a) - (const char *) a };
        struct str s = STR_INIT;

        ctx->in->trace->bridge = ctx->bridge;
        act_format(&s, one, &text);
        report(ctx, TRACE_ACTION, str_text(&s));
        str_uninit(&s);
    }
}

void
xlate_report_subfield(struct xlate_ctx *ctx, const struct subfield *sf)
{
    if (UNLIKELY(ctx->in->trace != NULL)) {
        struct str s = STR_INIT;
        union field_value v;
        struct subfield place;

        oxm_format_subfield(&s, sf, xbridge_options_rcu(ctx->bridge));
        str_puts(&s, " is now ");
        if (xlate_place(ctx, sf, &place) && sf->ofs == 0 && sf->n_bits == place.field->n_bits) {
            field_get(place.field, &ctx->flow, &v);
            if (field_is_option(sf->field)) {
                bytes_format_hex(&s, v.bytes, place.field->wire_bytes);
            } else {
                field_format(&s, place.field, &v, NULL, NULL);
            }
        } else if (place.field) {
            size_t n = subfield_value_size(&place);

            subfield_get(&place, &ctx->flow, &v);
            bytes_format_hex(&s, v.bytes + sizeof v.bytes - n, n);
        }
        report(ctx, TRACE_DETAIL, str_text(&s));
        str_uninit(&s);
    }
}

/* Whether the actions from 'begun' on do to the packet what later actions cannot put back. */
static bool
is_irreversible(const struct xlate_ctx *ctx, size_t begun)
{
    const struct bytes *out = &ctx->out->actions;

    ODP_FOR_EACH (a, (const char *) out->data + begun, out->len - begun) {
        switch (a->type) {
        case ODP_CT: case ODP_CT_CLEAR: case ODP_METER: case ODP_PUSH_NSH: case ODP_POP_NSH: case ODP_ADD_MPLS:
        case ODP_PUSH_ETH: case ODP_POP_ETH: return true;
        }
    }
    return false;
}

static void
wrap_in_clone(struct xlate_ctx *ctx, size_t begun)
{
    struct bytes *out = &ctx->out->actions;
    struct bytes inside = BYTES_INIT;

    bytes_put(&inside, (const char *) out->data + begun, out->len - begun);
    out->len = begun;
    odp_put(out, ODP_CLONE, inside.data, inside.len);
    bytes_uninit(&inside);
    ctx->useful_len = out->len;
}

/* Whether the actions from 'begun' on do nothing but ct_clear, which is kept at the end of everything only. */
static bool
only_clears(const struct xlate_ctx *ctx, size_t begun)
{
    const struct bytes *out = &ctx->out->actions;

    ODP_FOR_EACH (a, (const char *) out->data + begun, out->len - begun) {
        if (a->type != ODP_CT_CLEAR) {
            return false;
        }
    }
    return true;
}

void
xlate_wrap_irreversible(struct xlate_ctx *ctx, const struct xlate_saved *s)
{
    if (is_irreversible(ctx, s->begun)) {
        if (ctx->useful_len > s->begun && !only_clears(ctx, s->begun)) {
            wrap_in_clone(ctx, s->begun);
        } else {
            bytes_truncate(&ctx->out->actions, s->begun);
            ctx->useful_len = MIN(ctx->useful_len, s->begun);
        }
        ctx->base = s->base;
    }
}

/* A clone that nothing follows is needless. */
static void
unwrap_last_clone(struct bytes *actions)
{
    const struct odp_attr *last = NULL;
    struct bytes inside = BYTES_INIT;

    ODP_FOR_EACH (a, actions->data, actions->len) {
        last = a;
    }
    if (last && last->type == ODP_CLONE) {
        bytes_put(&inside, odp_attr_data(last), odp_attr_size(last));
        actions->len = (const uint8_t *) last - (const uint8_t *) actions->data;
        bytes_put(actions, inside.data, inside.len);
        bytes_uninit(&inside);
        unwrap_last_clone(actions);
    }
}

/* Begin and end. */

/* What tells through which tunnel a packet came. */
static void
note_tunnel_port(struct xlate_ctx *ctx)
{
    struct flow *wc = ctx->wc;
    bool is_v4 = ctx->in->flow->tun_dst;

    if (LIKELY(!is_v4 && is_all_zeros(&ctx->in->flow->tun_ipv6_dst, sizeof ctx->in->flow->tun_ipv6_dst))) {
        return;
    }
    wc->tun_id = BE64_MAX;
    wc->tun_tos = UINT8_MAX;
    wc->tun_flags = BE16(TUN_DF | TUN_CSUM | TUN_KEY);
    if (is_v4) {
        wc->tun_src = wc->tun_dst = BE32_MAX;
    } else {
        memset(&wc->tun_ipv6_src, 0xff, sizeof wc->tun_ipv6_src);
        memset(&wc->tun_ipv6_dst, 0xff, sizeof wc->tun_ipv6_dst);
    }
}

/* What every megaflow fixes: which other fields there are depends on it. */
static void
init_wc(struct xlate_ctx *ctx)
{
    ctx->wc->in_port = BE32_MAX;
    ctx->wc->recirc_id = BE32_MAX;
    ctx->wc->packet_ns = UINT8_MAX;
    ctx->wc->eth_type = BE16_MAX;
    if (flow_is_ip(&ctx->flow)) {
        ctx->wc->nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    } else if (ctx->flow.eth_type == BE16(0x894f) && ctx->flow.nsh_mdtype != NSH_M_TYPE1) {
        /* It has no context; in a megaflow that says so, sets do nothing to one. */
        memset(ctx->wc->nsh_context, 0xff, sizeof ctx->wc->nsh_context);
    }
    note_tunnel_port(ctx);
}

/* Registers and metadata are not the packet's.  Whether there is a tag goes with each of its bits. */
static void
finish_wc(struct xlate_ctx *ctx)
{
    struct flow *wc = ctx->wc;

    if (!ctx->in->trace || !ctx->out->error) { /* Else they are shown, as in the reference. */
        FLOW_FOR_EACH_LINE (i, FLOW_LINES_ALL & ~FLOW_LINES_PACKET) {
            memset(&wc->lines[i], 0, sizeof wc->lines[i]);
        }
    }
    if (wc->vlan_tci) {
        wc->vlan_tci |= BE16(VLAN_PRESENT);
    }
    if (wc->vlan2_tci) {
        wc->vlan2_tci |= BE16(VLAN_PRESENT);
    }
    /* Labels that the pipeline has pushed, and tunnels that the packet did not come through. */
    for (int i = flow_count_mpls(ctx->in->flow); i < FLOW_MPLS_LABELS; i++) {
        wc->mpls_lse[i] = 0;
    }
    if (!ctx->in->flow->tun_dst && is_all_zeros(&ctx->in->flow->tun_ipv6_dst, sizeof ctx->in->flow->tun_ipv6_dst)) {
        FLOW_FOR_EACH_LINE (i, FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC | FLOW_LINE_TUNNEL_OPT) {
            memset(&wc->lines[i], 0, sizeof wc->lines[i]);
        }
    }
    /* Headers that the pipeline has pushed. */
    if (ctx->in->flow->eth_type != BE16(0x894f)) {
        wc->nsh_flags = wc->nsh_ttl = wc->nsh_mdtype = wc->nsh_np = 0;
        wc->nsh_path = 0;
        memset(wc->nsh_context, 0, sizeof wc->nsh_context);
    }
    /* Later fragments have no ports, ICMP's are 8 bits wide. */
    if (ctx->in->flow->nw_frag & FLOW_FRAG_LATER) {
        wc->tp_src = wc->tp_dst = 0;
    }
    if ((ctx->in->flow->nw_proto == 1 && ctx->in->flow->eth_type == BE16(0x0800)) ||
        (ctx->in->flow->nw_proto == 58 && ctx->in->flow->eth_type == BE16(0x86dd))) {
        wc->tp_src &= BE16(0xff);
        wc->tp_dst &= BE16(0xff);
    }
}

static bool
goes_to(const struct bytes *actions, odp_port port)
{
    ODP_FOR_EACH (a, actions->data, actions->len) {
        if (a->type == ODP_OUTPUT && odp_attr_size(a) == sizeof port &&
            !memcmp(odp_attr_data(a), &port, sizeof port)) {
            return true;
        }
    }
    return false;
}

/* With in-band control what answers a DHCP client reaches the local port, whatever the tables say. */
static void
deliver_dhcp(struct xlate_ctx *ctx)
{
    const struct flow *flow = ctx->in->flow;
    struct xport *local;

    if (LIKELY(!atomic_load_explicit(&ctx->bridge->has_in_band, memory_order_relaxed))) {
        return;
    }
    local = xbridge_port_rcu(ctx->bridge, OFPP_LOCAL);
    if (!local || flow->eth_type != BE16(0x0800) || flow->nw_frag & FLOW_FRAG_LATER ||
        flow->in_port == cpu_to_be32(ofp_to_u32(OFPP_LOCAL))) {
        return;
    }
    ctx->wc->nw_proto = UINT8_MAX;
    if (flow->nw_proto != 17) {
        return;
    }
    ctx->wc->tp_src = ctx->wc->tp_dst = BE16_MAX;
    if (flow->tp_src == BE16(67) && flow->tp_dst == BE16(68) && !goes_to(&ctx->out->actions, local->odp_port)) {
        xlate_report(ctx, TRACE_DETAIL, "outputting DHCP packet to local port for in-band control");
        xlate_output_to(ctx, OFPP_LOCAL, 0, 0);
    }
}

static bool
xlate_is_from_controller(const struct xlate_in *in)
{
    return in->acts != NULL;
}

static void
enter_pipeline(struct xlate_ctx *ctx)
{
    ofp_port in_port = OFP_PORT(be32_to_cpu(ctx->flow.in_port));
    struct xport *port = xbridge_port_rcu(ctx->bridge, in_port);

    if (ctx->flow.recirc_id) {
        xlate_thaw(ctx);
        return;
    }
    xlate_report(ctx, TRACE_BRIDGE, "bridge(\"%s\")", ctx->bridge->name);
    xlate_sample_input(ctx);
    if (xlate_is_from_controller(ctx->in)) {
        struct act_span acts = { ctx->in->acts, ctx->in->acts_len };

        ctx->trace_depth++;
        if (xlate_is_received(ctx)) {
            xlate_actions(ctx, acts, true);
            xlate_note_pause(ctx);
        }
        ctx->trace_depth--;
    } else {
        if (port && port->is_patch) {
            xlate_credit(ctx, CREDIT_PORT_RX)->port = port;
        }
        ctx->goes_up = true;
        xlate_table(ctx, in_port, 0, true);
    }
}

/* Of a megaflow that leaves its packets to us. */
static void
put_slow_actions(struct xlate_ctx *ctx)
{
    struct odp_cookie cookie = { .type = ODP_COOKIE_SLOW_PATH, .reason = ctx->out->slow };

    memcpy(cookie.ofproto_uuid, ctx->bridge->uuid.bytes, sizeof cookie.ofproto_uuid);
    xlate_put_userspace(ctx, &ctx->out->slow_actions, &cookie, METER_SLOWPATH);
}

/* Whether a "userspace" action is for collectors. */
static bool
is_sample(const struct odp_attr *userspace)
{
    ODP_FOR_EACH (a, odp_attr_data(userspace), odp_attr_size(userspace)) {
        if (a->type == ODP_USERSPACE_USERDATA && odp_attr_size(a) >= sizeof(uint16_t)) {
            uint16_t type;

            memcpy(&type, odp_attr_data(a), sizeof type);
            return type == ODP_COOKIE_IPFIX || type == ODP_COOKIE_FLOW_SAMPLE || type == ODP_COOKIE_SFLOW;
        }
    }
    return false;
}

/* Whether any action gives the packet to somebody. */
static bool
goes_somewhere(const void *actions, size_t len)
{
    ODP_FOR_EACH (a, actions, len) {
        switch (a->type) {
        case ODP_USERSPACE:
            if (!is_sample(a)) {
                return true;
            }
            break;
        case ODP_OUTPUT: case ODP_RECIRC: case ODP_CHECK_PKT_LEN: case ODP_TUNNEL_PUSH:
        case ODP_TUNNEL_POP: case ODP_LB_OUTPUT:
            return true;
        case ODP_CLONE:
            if (goes_somewhere(odp_attr_data(a), odp_attr_size(a))) {
                return true;
            }
            break;
        default: /* Changes, and samples for collectors. */
            break;
        }
    }
    return false;
}

/* A dropped packet counts for the reason, too. */
static void
finish_drop(struct xlate_ctx *ctx)
{
    struct xlate_out *out = ctx->out;

    if (goes_somewhere(out->actions.data, out->actions.len)) {
        out->drop.why = WHY_NONE;
        return;
    }
    if (!out->drop.bridge) { /* A packet-out that looked nothing up. */
        xlate_why(ctx, WHY_NOWHERE);
    } else if (out->drop.why == WHY_NONE) {
        out->drop.why = WHY_NOWHERE;
    }
    xlate_credit(ctx, CREDIT_DROP)->drop = out->drop;
}

/* other_config:explicit-sampled-drops */
static _Atomic bool explicit_sampled_drops;

void
xlate_set_explicit_sampled_drops(bool on)
{
    atomic_store(&explicit_sampled_drops, on);
}

/* Why nothing more happens to the packet, where an action says that. */
static void
put_drop(struct xlate_ctx *ctx)
{
    struct xlate_out *out = ctx->out;
    bool ends_sampled = ctx->sampled_len && ctx->sampled_len == out->actions.len;

    if (out->error) {
        bytes_clear(&out->actions);
    }
    if (!(ctx->in->bridge->xdp->without & XDP_WITHOUT_EXPLICIT_DROP) &&
        (out->error || (ends_sampled && atomic_load_explicit(&explicit_sampled_drops, memory_order_relaxed)))) {
        odp_put_u32(&out->actions, ODP_DROP, out->error);
    }
}

static void
init_ctx(struct xlate_ctx *ctx, const struct xlate_in *in, struct xlate_out *out)
{
    memset(ctx, 0, offsetof(struct xlate_ctx, record));
    ctx->in = in;
    ctx->out = out;
    ctx->wc = &out->wc;
    ctx->bridge = in->bridge;
    ctx->version = in->tables_version;
    ctx->table_id = in->acts ? UINT8_MAX : 0;
    ctx->cookie = in->acts ? BE64_MAX : 0;
    ctx->at_input = ctx->list_is_last = true;
    ctx->conntracked = !in->flow->recirc_id && in->flow->ct_state; /* Of a trace; else the frozen state says it. */
    bytes_init(&ctx->stack);
    act_buf_init(&ctx->action_set);
    act_buf_init(&ctx->frozen.acts);
    ctx->record.n = 0;
    ctx->record.expects = false;
    ctx->flow = *in->flow;
    ctx->flow.actset_output = cpu_to_be32(ofp_to_u32(OFPP_UNSET));
    odp_base_init(&ctx->base, in->flow);
}

void
xlate(const struct xlate_in *in, struct xlate_out *out)
{
    struct xlate_ctx ctx;

    out->may_install = true;
    init_ctx(&ctx, in, out);
    init_wc(&ctx);
    ctx.depth = 1; /* The first table's, or what stands for it. */
    enter_pipeline(&ctx);
    if (!xlate_freeze_finish(&ctx)) {
        xlate_action_set_execute(&ctx);
        if (!xlate_is_from_controller(in)) {
            deliver_dhcp(&ctx);
        }
    }
    if (out->slow) {
        put_slow_actions(&ctx);
    }
    finish_wc(&ctx);
    bytes_truncate(&out->actions, ctx.useful_len);
    unwrap_last_clone(&out->actions);
    if (in->trace) {
        in->trace->final = ctx.flow;
    }
    put_drop(&ctx);
    finish_drop(&ctx);
    bytes_uninit(&ctx.stack);
    act_buf_uninit(&ctx.action_set);
    bytes_uninit(&ctx.frozen.steps);
    act_buf_uninit(&ctx.frozen.acts);
}
