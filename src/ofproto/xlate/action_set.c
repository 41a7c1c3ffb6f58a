/* The action set (OpenFlow 1.3 §5.10): what write_actions gathered, and its order of execution. */
#include "ofproto/xlate/ctx.h"

/* Where an action stands: of the kinds below SET only the last written counts, SET keeps all in their order, and of
 * those behind it the first kind there is ends the set. */
enum { ORDER_SET = 20, ORDER_GROUP, ORDER_OUTPUT, ORDER_RESUBMIT, ORDER_CT_CLEAR, ORDER_CT, ORDER_N, ORDER_NEVER };

/* Whether a set may have the action at all; what it may not have is not carried out. */
static bool
may_be_in_set(enum act_type type)
{
    enum { APPLY, WRITE, INST };
    static const uint8_t kinds[ACT_N] = {
#define ACTION(ENUM, NAME, KIND) [ACT_##ENUM] = KIND,
#include "openflow/action/actions.def"
    };

    return kinds[type] == WRITE;
}

static int
order_of(enum act_type type)
{
    static const uint8_t first[] = {
        ACT_STRIP_VLAN, ACT_POP_MPLS, ACT_DECAP, ACT_ENCAP, ACT_PUSH_MPLS, ACT_PUSH_VLAN, ACT_DEC_TTL, ACT_DEC_MPLS_TTL,
        ACT_DEC_NSH_TTL,
    };

    for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
        if (first[i] == type) {
            return i;
        }
    }
    if (!may_be_in_set(type)) {
        return ORDER_NEVER;
    }
    return type == ACT_GROUP ? ORDER_GROUP
           : type == ACT_OUTPUT ? ORDER_OUTPUT
           : type == ACT_RESUBMIT ? ORDER_RESUBMIT
           : type == ACT_CT_CLEAR ? ORDER_CT_CLEAR
           : type == ACT_CT ? ORDER_CT : ORDER_SET;
}

static void
put_one(struct act_buf *out, const struct act *a)
{
    act_put_span(out, (struct act_span) { a, (const char *) act_next(a) - (const char *) a });
}

static bool
put_order(struct act_buf *out, struct act_span written, int order)
{
    const struct act *last = NULL;

    ACT_FOR_EACH (a, written) {
        if (order_of(a->type) == order) {
            if (order == ORDER_SET) {
                put_one(out, a);
            }
            last = a;
        }
    }
    if (last && order != ORDER_SET) {
        put_one(out, last);
    }
    return last != NULL;
}

void
xlate_order_actions(struct act_span written, struct act_buf *out)
{
    for (int order = 0; order < ORDER_N; order++) {
        if (put_order(out, written, order) && order > ORDER_SET) {
            return;
        }
    }
    act_buf_clear(out); /* Without an output or a group the packet goes nowhere, whatever is changed in it. */
}

static void
report_set(struct xlate_ctx *ctx, const char *verb, struct act_span ordered)
{
    struct act_text text = xlate_act_text(ctx);
    struct str s = STR_INIT;

    if (ctx->in->trace) {
        act_format(&s, ordered, &text);
        xlate_report(ctx, TRACE_DETAIL, ordered.len ? "action set %s: %s" : "action set %s empty", verb, str_text(&s));
        str_uninit(&s);
    }
}

/* actset_output: where the set would send the packet. */
static void
update_actset_output(struct xlate_ctx *ctx, struct act_span ordered)
{
    ofp_port port = OFPP_UNSET;

    ACT_FOR_EACH (a, ordered) {
        if (a->type == ACT_OUTPUT) {
            port = ((const struct act_output *) a)->port;
        }
    }
    ctx->flow.actset_output = cpu_to_be32(ofp_to_u32(port));
}

void
xlate_write_actions(struct xlate_ctx *ctx, const struct act *act)
{
    struct act_buf ordered;

    act_put_span(&ctx->action_set, act_write_actions_actions((const void *) act));
    act_buf_init(&ordered);
    xlate_order_actions(act_buf_span(&ctx->action_set), &ordered);
    update_actset_output(ctx, act_buf_span(&ordered));
    report_set(ctx, "is", act_buf_span(&ordered));
    act_buf_uninit(&ordered);
}

void
xlate_clear_actions(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    struct act_buf ordered;

    act_buf_init(&ordered);
    if (ctx->in->trace) {
        xlate_order_actions(act_buf_span(&ctx->action_set), &ordered);
    }
    report_set(ctx, "was", act_buf_span(&ordered));
    act_buf_uninit(&ordered);
    act_buf_clear(&ctx->action_set);
    ctx->flow.actset_output = cpu_to_be32(ofp_to_u32(OFPP_UNSET));
}

/* The set is carried out after "exit" too (ovs-actions(7)).  What is written meanwhile has no effect but in clones,
 * also in those that come behind recirculation. */
void
xlate_action_set_execute(struct xlate_ctx *ctx)
{
    bool exit = ctx->exit, from_action_set = ctx->from_action_set;
    struct act_buf ordered;

    if (!ctx->action_set.bytes.len || xlate_has_failed(ctx)) {
        return;
    }
    act_buf_init(&ordered);
    xlate_order_actions(act_buf_span(&ctx->action_set), &ordered);
    act_buf_clear(&ctx->action_set);
    if (!ordered.bytes.len) {
        act_buf_uninit(&ordered);
        return;
    }
    ctx->exit = false;
    ctx->in_action_set = ctx->from_action_set = true;
    ctx->trace_depth += 2;
    xlate_report(ctx, TRACE_TABLE, "--. Executing action set:");
    ctx->trace_depth++;
    xlate_actions(ctx, act_buf_span(&ordered), true);
    xlate_freeze_finish(ctx);
    act_buf_clear(&ctx->action_set);
    ctx->trace_depth -= 3;
    ctx->in_action_set = false;
    ctx->from_action_set = from_action_set;
    ctx->exit = exit;
    act_buf_uninit(&ordered);
}
