/* learn: a flow made of this packet's fields. */
#include <inttypes.h>
#include <stdlib.h>

#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "ofproto/xlate/ctx.h"
#include "openflow/action/set_field.h"
#include "openflow/flow_mod.h"

/* The value of a spec, right-aligned. */
static void
get_value(struct xlate_ctx *ctx, const struct learn_spec *s, union field_value *v)
{
    memset(v, 0, sizeof *v);
    if (s->src_type == LEARN_SRC_FIELD) {
        xlate_read_subfield(ctx, &s->src, v);
    } else {
        bits_copy(s->imm, s->imm_len, 0, v->bytes, sizeof v->bytes, 0, MIN(s->n_bits, 8 * (unsigned) s->imm_len));
    }
}

/* False if no packet can have the value. */
static bool
add_match(struct xlate_ctx *ctx, struct match *m, const struct learn_spec *s, const union field_value *v)
{
    struct subfield place;

    if (xlate_place(ctx, &s->dst, &place)) {
        if (!match_set_subfield(m, &place, v)) {
            return false;
        }
        if (place.field->prereq != PREREQ_NONE) {
            match_imply_ethernet(m); /* As in flows that come in messages: who deletes by this field finds it. */
        }
        if (field_is_option(place.field)) {
            tun_option_set_present(&m->flow, place.field);
            tun_option_set_present(&m->mask, place.field);
        }
    }
    return true;
}

/* It shows as it was said in "learn". */
static void
add_load(struct act_buf *acts, const struct learn_spec *s, const union field_value *v)
{
    const struct field *f = s->dst.field;
    union field_value value, mask, ones;

    memset(&value, 0, sizeof value);
    memset(&mask, 0, sizeof mask);
    memset(&ones, 0xff, sizeof ones);
    bits_copy(v->bytes, sizeof v->bytes, 0, value.bytes, f->wire_bytes, s->dst.ofs, s->n_bits);
    bits_copy(&ones, sizeof ones, 0, mask.bytes, f->wire_bytes, s->dst.ofs, s->n_bits);
    act_put_load(acts, f, &value, &mask);
}

/* Ports are those of 1.0: of the reserved ones those that a flow of any version may output to, no others. */
static void
add_output(struct act_buf *acts, const union field_value *v)
{
    uint64_t n = get_be64(v->bytes + sizeof v->bytes - 8);
    ofp_port port = n <= UINT16_MAX ? ofp_port_from_u16(n) : OFPP_NONE;

    if (ofp_port_is_real(port) || port == OFPP_IN_PORT || port == OFPP_FLOOD || port == OFPP_ALL ||
        port == OFPP_LOCAL) {
        struct act_output *a = act_put(acts, ACT_OUTPUT, sizeof *a);

        a->port = port;
    }
}

/* False if no packet can match. */
static bool
fill(struct xlate_ctx *ctx, const struct act_learn *learn, struct flow_mod *fm)
{
    struct act_buf acts;
    bool may_match = true;

    act_buf_init(&acts);
    if (learn->fin_idle_timeout || learn->fin_hard_timeout) {
        struct act_fin_timeout *a = act_put(&acts, ACT_FIN_TIMEOUT, sizeof *a);

        a->idle_timeout = learn->fin_idle_timeout;
        a->hard_timeout = learn->fin_hard_timeout;
    }
    LEARN_SPEC_FOR_EACH (s, learn) {
        union field_value v;

        get_value(ctx, s, &v);
        switch ((enum learn_dst) s->dst_type) {
        case LEARN_DST_MATCH: may_match &= add_match(ctx, &fm->match, s, &v); break;
        case LEARN_DST_LOAD:
            add_load(&acts, s, &v);
            fm->used_options |= field_is_option(s->dst.field) ? UINT64_C(1) << field_option_index(s->dst.field) : 0;
            break;
        case LEARN_DST_OUTPUT: add_output(&acts, &v); break;
        }
    }
    match_normalize(&fm->match);
    fm->actions = act_span_clone(act_buf_span(&acts));
    act_buf_uninit(&acts);
    return may_match;
}

/* '*may_match' unless that is null: whether any packet can match it. */
static struct flow_mod *
make(struct xlate_ctx *ctx, const struct act_learn *a, bool *may_match)
{
    bool unused;

    struct flow_mod *fm = xzalloc(sizeof *fm);

    flow_mod_init(fm);
    fm->command = FM_MODIFY_STRICT;
    fm->add_if_missing = true;
    fm->modify_cookie = true;
    fm->table_id = a->table;
    fm->priority = a->priority;
    fm->idle_timeout = a->idle_timeout;
    fm->hard_timeout = a->hard_timeout;
    fm->new_cookie = a->cookie;
    fm->flags = a->flags & LEARN_SEND_FLOW_REM ? FM_SEND_FLOW_REM : 0;
    *(may_match ? may_match : &unused) = fill(ctx, a, fm);
    return fm;
}

static void
add_credit(struct xlate_ctx *ctx, struct flow_mod *fm, uint32_t limit)
{
    struct xlate_learned *learned = xzalloc(sizeof *learned);

    learned->n_refs = 1;
    learned->bridge = ctx->bridge;
    learned->fm = fm;
    learned->limit = limit;
    xlate_credit(ctx, CREDIT_LEARN)->learned = learned;
}

/* Whether there is room for the flow: any change of its table may alter that. */
static bool
has_room(struct xlate_ctx *ctx, const struct flow_mod *fm, uint32_t limit)
{
    struct cls_mask nothing;

    if (!limit) {
        return true;
    }
    cls_mask_init(&nothing);
    xlate_note_lookup(ctx, fm->table_id, &ctx->flow, &nothing);
    return !ctx->bridge->may_learn || ctx->bridge->may_learn(ctx->bridge, fm, limit);
}

static void
write_result(struct xlate_ctx *ctx, const struct act_learn *a, bool ok)
{
    if (a->flags & LEARN_WRITE_RESULT) {
        struct subfield place;

        if (xlate_place(ctx, &a->result_dst, &place)) {
            subfield_set_ones(&place, ctx->wc);
            xlate_put_bit(ctx, &a->result_dst, ok);
            xlate_report_subfield(ctx, &a->result_dst);
        }
    }
}

/* Flows that no controller may make either: in a table of the switch's own, matching what the switch recirculates by,
 * or a packet type that no packet has. */
static enum ofperr
check_learned(const struct flow_mod *fm, bool may_match)
{
    if (fm->table_id >= OFPROTO_HIDDEN_TABLE || fm->match.flow.recirc_id || fm->match.mask.dp_hash) {
        return OFPERR_OFPBRC_EPERM;
    }
    return may_match ? OFPERR_NONE : OFPERR_OFPBMC_BAD_VALUE;
}

/* What is learned, in a trace; ports by number even where others have their names, as in the reference. */
static void
report(struct xlate_ctx *ctx, const struct flow_mod *fm)
{
    struct act_text text = xlate_act_text(ctx);
    struct match match = fm->match;
    struct str s = STR_INIT;
    size_t len;

    text.ports = NULL;
    tun_match_unbind(text.options, &match);
    str_putf(&s, "table=%u ", fm->table_id);
    len = s.len;
    match_format(&s, &match, text.ports, MATCH_DEFAULT_PRIORITY);
    str_puts(&s, s.len > len ? " " : "");
    str_putf(&s, "priority=%d", fm->priority);
    if (fm->new_cookie) {
        str_putf(&s, " cookie=%#"PRIx64, fm->new_cookie);
    }
    if (fm->idle_timeout) {
        str_putf(&s, " idle=%u", fm->idle_timeout);
    }
    if (fm->hard_timeout) {
        str_putf(&s, " hard=%u", fm->hard_timeout);
    }
    str_puts(&s, fm->flags & FM_SEND_FLOW_REM ? " send_flow_rem actions=" : " actions=");
    act_format(&s, fm->actions, &text);
    xlate_report(ctx, TRACE_DETAIL, "%s", str_text(&s));
    str_uninit(&s);
}

void
xlate_learn(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_learn *a = (const void *) act;
    bool ok, may_match;
    struct flow_mod *fm = make(ctx, a, &may_match);
    enum ofperr error = check_learned(fm, may_match);
    struct xlate_effect *e;

    if (ctx->in->trace && !ctx->in->want_effects) {
        xlate_report(ctx, TRACE_WARN, "suppressing side effects, so learn action ignored");
        flow_mod_uninit(fm);
        free(fm);
        return;
    }
    if (UNLIKELY(ctx->in->trace != NULL)) {
        report(ctx, fm);
    }
    if (error) {
        xlate_report(ctx, TRACE_ERROR, "LEARN action execution failed (%s).", ofperr_name(error));
        flow_mod_uninit(fm);
        free(fm);
        return;
    }
    ok = has_room(ctx, fm, a->limit);
    add_credit(ctx, fm, a->limit);
    e = xlate_effect(ctx, EFFECT_FLOW_MOD);
    if (e) {
        e->flow_mod.bridge = ctx->bridge;
        e->flow_mod.fm = make(ctx, a, NULL);
        e->flow_mod.limit = a->limit;
    }
    write_result(ctx, a, ok);
    if (!ok) {
        xlate_report(ctx, TRACE_DETAIL, "Limit exceeded, learn failed");
    }
}
