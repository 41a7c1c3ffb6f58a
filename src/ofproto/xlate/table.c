/* Lookups in tables, and the walk over lists of actions. */
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "flow/match_text.h"
#include "ofproto/xlate/ctx.h"
#include "openflow/msg/packet.h"
#include "openflow/msg/table.h"

/* A row without its function does not link. */
static xlate_act_func *const handlers[ACT_N] = {
#define ACTION(ENUM, NAME, KIND) [ACT_##ENUM] = xlate_##NAME,
#include "openflow/action/actions.def"
};

static bool
list_is_too_long(struct xlate_ctx *ctx)
{
    if (ctx->out->actions.len > XLATE_MAX_ACTIONS_LEN) {
        xlate_report(ctx, TRACE_ERROR, "resubmits yielded over 64 kB of actions");
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
        return true;
    }
    return false;
}

/* Whether the label stack hides what the action would read: only what does not look below may go on. */
static bool
needs_parsing(struct xlate_ctx *ctx, const struct act *a)
{
    switch ((enum act_type) a->type) {
    case ACT_OUTPUT: case ACT_OUTPUT_TRUNC: case ACT_CONTROLLER: case ACT_PUSH_VLAN: case ACT_STRIP_VLAN:
    case ACT_SET_VLAN_VID: case ACT_SET_VLAN_PCP: case ACT_SET_ETH_SRC: case ACT_SET_ETH_DST: case ACT_NOTE:
    case ACT_EXIT: case ACT_SET_QUEUE: case ACT_POP_QUEUE: case ACT_ENQUEUE: case ACT_CLEAR_ACTIONS:
    case ACT_WRITE_ACTIONS: case ACT_WRITE_METADATA: case ACT_SET_TUNNEL: case ACT_CLONE:
        return false;
    case ACT_PUSH_MPLS:
        return ctx->was_mpls && flow_is_ip(&ctx->flow); /* Class and time to live come from there. */
    default:
        return ctx->was_mpls;
    }
}

static struct act_span
span_from(const struct act *a, const struct act *end)
{
    return (struct act_span) { a, (const char *) end - (const char *) a };
}

void
xlate_actions(struct xlate_ctx *ctx, struct act_span acts, bool is_last)
{
    const struct act *end = act_span_end(acts);

    if (!acts.len) {
        xlate_report(ctx, TRACE_ACTION, "drop");
    }
    ACT_FOR_EACH (a, acts) {
        if (xlate_has_failed(ctx) || list_is_too_long(ctx)) {
            return;
        }
        if (!ctx->exit && needs_parsing(ctx, a)) {
            xlate_freeze(ctx, NULL);
        }
        if (ctx->exit) {
            if (ctx->freezing) {
                xlate_freeze_rest(ctx, span_from(a, end));
            }
            return;
        }
        ctx->rest = span_from(act_next(a), end);
        ctx->list_is_last = is_last;
        ctx->is_last = is_last && act_next(a) == end && (ctx->in_action_set || !ctx->action_set.bytes.len);
        xlate_report_action(ctx, a);
        handlers[a->type](ctx, a);
        if (ctx->stop) {
            ctx->stop = false;
            return;
        }
    }
}

/* The flow that tables are looked up with.  Unless "nx-match" was asked for, fragments have no ports, first ones
 * neither (ovs-ofctl(8) "set-frags"). */
static const struct flow *
lookup_flow(struct xlate_ctx *ctx, struct flow *copy)
{
    if (!ctx->flow.nw_frag || atomic_load_explicit(&ctx->bridge->match_first_fragments, memory_order_relaxed)) {
        return &ctx->flow;
    }
    *copy = ctx->flow;
    copy->tp_src = copy->tp_dst = 0;
    copy->tcp_flags = 0;
    return copy;
}

static struct rule *
lookup(struct xlate_ctx *ctx, uint8_t table_id)
{
    struct flow copy;
    const struct flow *flow = lookup_flow(ctx, &copy);
    struct xlate_credit *c;
    struct cls_mask asked;
    struct rule *rule;

    cls_mask_init(&asked);
    ctx->place = xlate_scout_place(ctx, table_id);
    rule = rule_from_cls(classifier_lookup_place_rcu(&ctx->bridge->tables[table_id], ctx->version, flow, &asked,
                                                     &ctx->place));
    if (rule && xlate_rule_is_conjunctive(rule)) {
        rule = xlate_conjunctive_lookup(ctx, table_id, flow, &asked);
    }
    xlate_note_lookup(ctx, table_id, flow, &asked);
    c = xlate_credit(ctx, rule ? CREDIT_RULE : CREDIT_TABLE_MISS);
    if (rule) {
        c->rule = rule;
        c->rule_bridge = ctx->bridge;
    } else {
        c->table.bridge = ctx->bridge;
        c->table.id = table_id;
    }
    return rule;
}

/* Whether a packet that no rule of the table matches goes to the controllers.  From behind the last table it does, as
 * in the reference. */
static bool
miss_calls_controller(struct xlate_ctx *ctx, uint8_t table_id)
{
    struct xport *port = xbridge_port_rcu(ctx->bridge, OFP_PORT(be32_to_cpu(ctx->flow.in_port)));
    bool exists = table_id < OFPROTO_N_TABLES;
    enum table_miss action = exists ? atomic_load_explicit(&ctx->bridge->table_miss[table_id], memory_order_relaxed)
                                    : TABLE_MISS_CONTROLLER;
    bool wanted = action == TABLE_MISS_CONTROLLER ||
                  (action == TABLE_MISS_DEFAULT &&
                   atomic_load_explicit(&ctx->bridge->wants_misses, memory_order_relaxed));

    return wanted && !(port && port_has(port, XPORT_NO_PACKET_IN));
}

/* In the words of the reference, which has rules of its own in its last table and for some misses, and shows them. */
static void
report_no_rule(struct xlate_ctx *ctx, uint8_t table_id, bool may_miss)
{
    if (ctx->flow.nw_frag && atomic_load_explicit(&ctx->bridge->drop_fragments, memory_order_relaxed)) {
        xlate_report(ctx, TRACE_TABLE, "%2d. Packets are IP fragments and the fragment handling mode is \"drop\".",
                     table_id);
    } else if (table_id == OFPROTO_N_TABLES - 1) {
        xlate_report(ctx, TRACE_TABLE, "%2d. recirc_id=0, priority 2", table_id);
    } else if (ctx->bridge != ctx->in->bridge) {
        xlate_report(ctx, TRACE_TABLE, "%2d. reg0=0x2, priority 0", table_id);
    } else {
        xlate_report(ctx, TRACE_TABLE, "%2d. No match%s.", table_id,
                     may_miss && miss_calls_controller(ctx, ctx->table_id)
                     ? ", and a \"packet-in\" is called for" : "");
    }
}

static void
report_rule(struct xlate_ctx *ctx, uint8_t table_id, const struct rule *rule, bool may_miss)
{
    const struct act_text *names = ctx->in->trace->names;
    struct str s = STR_INIT;
    struct match match;

    ctx->in->trace->bridge = ctx->bridge;
    if (!rule) {
        report_no_rule(ctx, table_id, may_miss);
        return;
    }
    cls_rule_get_match(&rule->cr, &match);
    tun_match_unbind(xbridge_options_rcu(ctx->bridge), &match);
    match_format(&s, &match, names ? names->ports : NULL, MATCH_DEFAULT_PRIORITY);
    if (s.len) {
        str_puts(&s, ", ");
    }
    str_putf(&s, "priority %d", rule->cr.priority);
    if (rule->cookie) {
        str_putf(&s, ", cookie 0x%llx", (unsigned long long) be64_to_cpu(rule->cookie));
    }
    xlate_report(ctx, TRACE_TABLE, "%2d. %s", table_id, str_text(&s));
    str_uninit(&s);
    for (unsigned int i = 0; i < ctx->n_conj_parts; i++) {
        xlate_report(ctx, TRACE_DETAIL, "conj. %s", ctx->conj_parts[i]);
        free(ctx->conj_parts[i]);
    }
    ctx->n_conj_parts = 0;
}

/* No rule matched. */
static void
miss(struct xlate_ctx *ctx, bool may_miss)
{
    struct xlate_packet_in pin = { .max_len = UINT16_MAX, .reason = OFPR_IMPLICIT_MISS };

    if (may_miss && miss_calls_controller(ctx, ctx->table_id)) {
        xlate_report(ctx, TRACE_ACTION, "controller(reason=)");
        xlate_send_to_controller(ctx, &pin);
    } else {
        xlate_report(ctx, TRACE_ACTION, "drop");
        xlate_why(ctx, WHY_NO_MATCH);
    }
}

bool
xlate_limits_allow(struct xlate_ctx *ctx)
{
    if (ctx->depth > XLATE_MAX_DEPTH) {
        xlate_report(ctx, TRACE_ERROR, "over max translation depth %d", XLATE_MAX_DEPTH);
        xlate_fail(ctx, XLATE_RECURSION_TOO_DEEP);
    } else if (ctx->n_resubmits > XLATE_MAX_RESUBMITS) {
        xlate_report(ctx, TRACE_ERROR, "over %d resubmit actions", XLATE_MAX_RESUBMITS);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    } else if (ctx->stack.len > XLATE_MAX_STACK) {
        xlate_report(ctx, TRACE_ERROR, "resubmits yielded over 64 kB of stack");
        xlate_fail(ctx, XLATE_STACK_TOO_DEEP);
    }
    return !xlate_has_failed(ctx);
}

/* TABLE_MISS_CONTINUE goes on with the next table (OpenFlow 1.1 and 1.2), but for who resubmits. */
static struct rule *
find_rule(struct xlate_ctx *ctx, uint8_t *table_id, ofp_port in_port, bool may_miss)
{
    be32 old_in_port = ctx->flow.in_port;
    struct rule *rule = NULL;

    ctx->flow.in_port = cpu_to_be32(ofp_to_u32(in_port));
    if (ctx->flow.nw_frag && atomic_load_explicit(&ctx->bridge->drop_fragments, memory_order_relaxed)) {
        ctx->flow.in_port = old_in_port;
        return NULL;
    }
    for (; *table_id < OFPROTO_N_TABLES; ++*table_id) {
        rule = lookup(ctx, *table_id);
        if (rule || !may_miss || *table_id >= OFPROTO_N_TABLES - 2 ||
            atomic_load_explicit(&ctx->bridge->table_miss[*table_id], memory_order_relaxed) != TABLE_MISS_CONTINUE) {
            break;
        }
    }
    ctx->flow.in_port = old_in_port;
    return rule;
}

/* What the lookup asks of addresses and ports, it asks of the tuple. */
static NOINLINE struct rule *
find_rule_with_tuple(struct xlate_ctx *ctx, uint8_t *table_id, ofp_port in_port, bool may_miss)
{
    bool is_v6 = ctx->flow.eth_type == BE16(0x86dd);
    struct flow wc = *ctx->wc;
    struct rule *rule;

    memset(ctx->wc, 0, sizeof *ctx->wc);
    xlate_swap_tuple(&ctx->flow, is_v6);
    rule = find_rule(ctx, table_id, in_port, may_miss);
    xlate_swap_tuple(&ctx->flow, is_v6);
    xlate_swap_tuple(ctx->wc, is_v6);
    flow_or(ctx->wc, &wc);
    return rule;
}

static struct rule *
find_rule_or_run(struct xlate_ctx *ctx, uint8_t *table_id, ofp_port in_port, bool with_tuple, bool may_miss)
{
    bool may_run = xlate_run_may(ctx, in_port, with_tuple);
    struct rule *rule = NULL;
    uint8_t begun = *table_id;

    if (may_run) {
        xlate_scout_ahead(ctx, begun);
        rule = xlate_run_take(ctx, table_id);
    }
    if (rule) {
        xlate_scout_note(ctx, begun, rule, *table_id, true);
        return rule;
    }
    rule = with_tuple ? find_rule_with_tuple(ctx, table_id, in_port, may_miss)
           : find_rule(ctx, table_id, in_port, may_miss);
    if (may_run && rule && *table_id == begun) {
        xlate_scout_note(ctx, begun, rule, begun, false);
        xlate_run_note(ctx, begun, rule);
    } else {
        if (!ctx->rule && ctx->in->runs && rule && *table_id == begun) {
            xlate_scout_note(ctx, begun, rule, begun, false); /* For the next packet: xlate_scout_guess_rcu(). */
        }
        xlate_run_end(ctx);
    }
    return rule;
}

static void
run_rule(struct xlate_ctx *ctx, struct rule *rule, bool is_last)
{
    struct act_span acts;

    acts.first = rule_acts_rcu(rule, &acts.len);
    if (!acts.len) {
        xlate_why(ctx, WHY_FLOW);
    }
    xlate_actions(ctx, acts, is_last);
}

void
xlate_table(struct xlate_ctx *ctx, ofp_port in_port, uint8_t table_id, bool may_miss)
{
    struct rule *old_rule = ctx->rule, *rule;
    be64 old_cookie = ctx->cookie;
    uint8_t old_table = ctx->table_id, begun = table_id;
    bool is_last = ctx->list_is_last && !ctx->rest.len;
    bool with_tuple = ctx->with_tuple, counts = !ctx->goes_up, in_bucket = ctx->in_bucket;
    bool drops = ctx->flow.nw_frag && atomic_load_explicit(&ctx->bridge->drop_fragments, memory_order_relaxed);

    ctx->with_tuple = ctx->goes_up = false;
    if (!xlate_limits_allow(ctx)) {
        return;
    }
    ctx->depth += counts;
    ctx->trace_depth++;
    ctx->in_bucket = false;
    rule = find_rule_or_run(ctx, &table_id, in_port, with_tuple, may_miss);
    ctx->table_id = table_id;
    ctx->rule = rule;
    ctx->cookie = rule ? rule->cookie : 0;
    if (ctx->in->trace) {
        /* As in the reference, which names the table that was gone to, though the actions are those of a later one. */
        report_rule(ctx, old_rule ? begun : table_id, rule, may_miss);
    }
    if (ctx->out->drop.why == WHY_NONE) {
        xlate_why(ctx, WHY_NONE); /* Where it is. */
    }
    ctx->trace_depth++;
    if (!xlate_is_received(ctx)) {
        ; /* It has been said why. */
    } else if (drops) {
        xlate_report(ctx, TRACE_ACTION, "drop");
        xlate_why(ctx, WHY_FRAGMENT);
    } else if (rule) {
        run_rule(ctx, rule, is_last);
    } else {
        miss(ctx, may_miss);
    }
    ctx->record.n = 0; /* What comes now is not what its last rule goes on with. */
    ctx->record.expects = false;
    xlate_note_pause(ctx);
    ctx->trace_depth -= 2;
    ctx->depth -= counts;
    ctx->in_bucket = in_bucket;
    ctx->rule = old_rule;
    ctx->cookie = old_cookie;
    ctx->table_id = old_table;
}
