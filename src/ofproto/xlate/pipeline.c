/* Actions that steer the walk through the pipeline. */
#include "ofproto/xlate/ctx.h"

void
xlate_resubmit(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_resubmit *a = (const void *) act;
    ofp_port in_port = a->in_port == OFPP_IN_PORT ? OFP_PORT(be32_to_cpu(ctx->flow.in_port)) : a->in_port;
    uint8_t from = ctx->table_id == UINT8_MAX ? 0 : ctx->table_id, table = a->table == 255 ? from : a->table;

    ctx->n_resubmits++;
    ctx->goes_up = table > from; /* Will come to an end by itself: ovs-actions(7), "Recursion too deep". */
    if (a->with_ct_orig) {
        xlate_table_with_tuple(ctx, in_port, table);
    } else {
        xlate_table(ctx, in_port, table, false);
    }
}

/* Tables of goto_table only go up, so their depth is bounded by itself. */
void
xlate_goto_table(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_goto_table *a = (const void *) act;

    ctx->depth--;
    xlate_table(ctx, OFP_PORT(be32_to_cpu(ctx->flow.in_port)), a->table, true);
    ctx->depth++;
}

void
xlate_nest(struct xlate_ctx *ctx)
{
    if (++ctx->nesting > XLATE_MAX_NESTING) {
        xlate_report(ctx, TRACE_ERROR, "nested more than %d deep", XLATE_MAX_NESTING);
        xlate_fail(ctx, XLATE_RECURSION_TOO_DEEP);
    }
}

void
xlate_save(struct xlate_ctx *ctx, struct xlate_saved *s)
{
    xlate_commit_pending(ctx);
    xlate_nest(ctx);
    *s = (struct xlate_saved) {
        .flow = ctx->flow, .stack = ctx->stack, .action_set = ctx->action_set, .below = ctx->below, .hash = ctx->hash,
        .was_mpls = ctx->was_mpls, .exit = ctx->exit, .conntracked = ctx->conntracked, .apart = ctx->apart,
        .base = ctx->base, .begun = ctx->out->actions.len,
    };
    ctx->stack = (struct bytes) BYTES_INIT;
    bytes_put(&ctx->stack, s->stack.data, s->stack.len);
    act_buf_init(&ctx->action_set);
    act_put_span(&ctx->action_set, act_buf_span(&s->action_set));
}

void
xlate_restore_base(struct xlate_ctx *ctx, const struct odp_base *begun)
{
    ctx->base.pending = begun->pending; /* What had been committed of it has gone into a clone. */
    ctx->base.lost_labels |=
        odp_mpls_depth(&ctx->base.flow, &ctx->base.below) < odp_mpls_depth(&ctx->flow, &ctx->below);
}

void
xlate_restore(struct xlate_ctx *ctx, struct xlate_saved *s)
{
    ctx->nesting--;
    bytes_uninit(&ctx->stack);
    act_buf_uninit(&ctx->action_set);
    ctx->flow = s->flow;
    ctx->stack = s->stack;
    ctx->action_set = s->action_set;
    ctx->below = s->below;
    ctx->hash = s->hash;
    ctx->was_mpls = s->was_mpls;
    ctx->exit = s->exit;
    ctx->conntracked = s->conntracked;
    ctx->apart = s->apart;
    xlate_restore_base(ctx, &s->base);
}

/* It ends with the action set as it is by then.  "exit" in it ends the pipeline, too (ovs-actions(7)). */
void
xlate_clone(struct xlate_ctx *ctx, const struct act *act)
{
    bool in_action_set = ctx->in_action_set, is_last = ctx->is_last, exit;
    struct xlate_saved saved;

    xlate_save(ctx, &saved);
    ctx->apart = ctx->in_action_set = false;
    xlate_actions(ctx, act_clone_actions((const void *) act), is_last);
    ctx->trace_depth--; /* Belongs to the clone. */
    if (!xlate_freeze_finish(ctx)) {
        xlate_action_set_execute(ctx);
    }
    ctx->trace_depth++;
    exit = ctx->exit;
    xlate_wrap_irreversible(ctx, &saved);
    xlate_restore(ctx, &saved);
    ctx->in_action_set = in_action_set;
    ctx->exit = exit;
}

const struct xmeter *
xlate_find_meter(struct xlate_ctx *ctx, uint32_t meter_id)
{
    xlate_note_key(ctx, CONSULTED_METER, meter_id);
    return xbridge_meter_rcu(ctx->bridge, meter_id);
}

void
xlate_meter(struct xlate_ctx *ctx, const struct act *act)
{
    const struct xmeter *m = xlate_find_meter(ctx, ((const struct act_meter *) act)->meter_id);

    if (m) {
        odp_put_u32(&ctx->out->actions, ODP_METER, m->dp_id);
        ctx->useful_len = ctx->out->actions.len;
    }
}

void
xlate_exit(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    ctx->exit = true;
}

void
xlate_note(struct xlate_ctx *ctx UNUSED, const struct act *act UNUSED)
{
}

/* One side of check_pkt_larger: the rest of the list with the bit set to 'larger'; then the action set, if nothing
 * else stands between ("with_set").  If other lists go on behind, what was in the set before is theirs to carry out:
 * the side begins with an empty set, and carries out what it writes.  Whether this packet goes that way decides about
 * effects only. */
static void
translate_branch(struct xlate_ctx *ctx, const struct act_check_pkt_larger *a, struct act_span rest, bool with_set,
                 bool larger)
{
    size_t begun = odp_begin(&ctx->out->actions, larger ? ODP_CHECK_PKT_LEN_GREATER : ODP_CHECK_PKT_LEN_LESS_EQUAL);
    bool no_effects = ctx->no_effects, in_action_set = ctx->in_action_set;
    struct odp_base base = ctx->base;
    struct xlate_saved saved;
    uint32_t mirrors = ctx->mirrors;

    xlate_save(ctx, &saved);
    if (!with_set) {
        act_buf_clear(&ctx->action_set);
        ctx->flow.actset_output = cpu_to_be32(ofp_to_u32(OFPP_UNSET));
        ctx->apart = ctx->in_action_set = false;
    }
    ctx->no_effects |= (ctx->in->packet_len > a->pkt_len) != larger;
    xlate_put_bit(ctx, &a->dst, larger);
    xlate_actions(ctx, rest, true);
    ctx->trace_depth--; /* Belongs to the last action of the list. */
    if (!xlate_freeze_finish(ctx)) {
        xlate_action_set_execute(ctx);
    }
    ctx->trace_depth++;
    ctx->mirrors = mirrors;
    xlate_restore(ctx, &saved);
    ctx->base = base;
    ctx->in_action_set = in_action_set;
    ctx->no_effects = no_effects;
    odp_end(&ctx->out->actions, begun);
}

void
xlate_check_pkt_larger(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_check_pkt_larger *a = (const void *) act;
    struct act_span rest = ctx->rest;
    bool with_set = ctx->list_is_last && !ctx->in_action_set && !ctx->apart;
    size_t begun;

    if (!rest.len) {
        return;
    }
    xlate_commit(ctx); /* The length is that of the packet as it is by now. */
    begun = odp_begin(&ctx->out->actions, ODP_CHECK_PKT_LEN);
    odp_put(&ctx->out->actions, ODP_CHECK_PKT_LEN_SIZE, &a->pkt_len, sizeof a->pkt_len);
    translate_branch(ctx, a, rest, with_set, true);
    translate_branch(ctx, a, rest, with_set, false);
    if (with_set) {
        act_buf_clear(&ctx->action_set);
    }
    if (ctx->out->actions.len - begun > UINT16_MAX) {
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    }
    odp_end(&ctx->out->actions, begun);
    ctx->useful_len = ctx->out->actions.len;
    ctx->stop = true;
}

/* Which packets end a connection is the counter's to see. */
void
xlate_fin_timeout(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_fin_timeout *a = (const void *) act;
    struct xlate_credit *c;

    if (ctx->rule) {
        c = xlate_credit(ctx, CREDIT_FIN_TIMEOUT);
        c->fin.rule = ctx->rule;
        c->fin.idle = a->idle_timeout;
        c->fin.hard = a->hard_timeout;
    }
}

/* Asks for the slow path, for tests of it. */
void
xlate_debug_slow(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    ctx->out->slow |= SLOW_ACTION;
}
