/* Recirculation: see ofproto/recirc.h. */
#include "flow/tun_metadata.h"
#include "ofproto/xlate/ctx.h"

/* The actions of a packet-out count as those of table 0. */
static uint8_t
present_table(const struct xlate_ctx *ctx)
{
    return ctx->table_id == UINT8_MAX ? 0 : ctx->table_id;
}

void
xlate_freeze_rest(struct xlate_ctx *ctx, struct act_span rest)
{
    struct bytes *steps = &ctx->frozen.steps;
    struct frozen_step *last = steps->len ? bytes_at(steps, steps->len - sizeof *last) : NULL;

    if (!rest.len) {
        return;
    }
    if (!last || rest.first != ctx->frozen.end) {
        last = bytes_put_zeros(steps, sizeof *last);
        last->table_id = present_table(ctx);
        last->cookie = ctx->cookie;
    }
    last->len += rest.len;
    ctx->frozen.end = act_span_end(rest);
    act_put_span(&ctx->frozen.acts, rest);
}

void
xlate_freeze(struct xlate_ctx *ctx, const struct act *again)
{
    ctx->freezing = true;
    ctx->exit = true;
    if (again) {
        xlate_freeze_rest(ctx, (struct act_span) { again, (const char *) act_next(again) - (const char *) again });
    }
}

/* What the state holds of the tunnel, the megaflow must match. */
static void
note_tunnel(struct xlate_ctx *ctx)
{
    const struct tun_map *options = xbridge_options_rcu(ctx->bridge);

    FLOW_FOR_EACH_LINE (i, FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC | FLOW_LINE_TUNNEL_OPT) {
        memset(&ctx->wc->lines[i], 0xff, sizeof ctx->wc->lines[i]);
    }
    memset(ctx->wc->tun_loose_ends, 0, sizeof ctx->wc->tun_loose_ends); /* No flow has those. */
    ctx->wc->tun_loose_exact = BE64(0);
    ctx->wc->tun_opt_len = 0;
    ctx->wc->tun_metadata_present = cpu_to_be64(options ? options->bound : 0);
}

static struct frozen
describe(struct xlate_ctx *ctx, bool conntracked)
{
    struct frozen f;
    int n = 0;

    memset(&f, 0, sizeof f);
    f.bridge = ctx->bridge;
    f.in_port = ctx->flow.in_port;
    f.conntracked = conntracked;
    f.hash = ctx->hash;
    f.mirrors = ctx->mirrors;
    FLOW_FOR_EACH_LINE (i, FROZEN_LINES) {
        memcpy(&f.lines[n++], &ctx->flow.lines[i], sizeof ctx->flow.lines[i]);
    }
    f.action_set_len = ctx->action_set.bytes.len;
    f.stack_len = ctx->stack.len;
    return f;
}

/* Makes the state, whose reference the result keeps; 'userdata' may be null. */
static struct frozen_state *
make_state(struct xlate_ctx *ctx, const struct frozen *f, const void *userdata)
{
    struct xlate_out *out = ctx->out;
    struct bytes data = BYTES_INIT;
    struct frozen_state *s;

    bytes_put(&data, ctx->frozen.steps.data, f->steps_len);
    bytes_put(&data, ctx->frozen.acts.bytes.data, f->acts_len);
    bytes_put(&data, ctx->action_set.bytes.data, f->action_set_len);
    bytes_put(&data, ctx->stack.data, f->stack_len);
    bytes_put(&data, userdata, f->userdata_len);
    s = recirc_freeze(f, data.data);
    bytes_uninit(&data);
    if (out->n_frozen >= out->frozen_capacity) {
        out->frozen = x2nrealloc(out->frozen, &out->frozen_capacity, sizeof *out->frozen);
    }
    out->frozen[out->n_frozen++] = s;
    note_tunnel(ctx);
    return s;
}

static uint32_t
recirculate(struct xlate_ctx *ctx, const struct frozen *f)
{
    uint32_t id = make_state(ctx, f, NULL)->id;

    odp_put_u32(&ctx->out->actions, ODP_RECIRC, id);
    ctx->useful_len = ctx->out->actions.len;
    return id;
}

uint32_t
xlate_freeze_message(struct xlate_ctx *ctx, const void *userdata, size_t userdata_len)
{
    struct frozen f = describe(ctx, ctx->conntracked);

    f.table_id = present_table(ctx);
    f.action_set_len = f.stack_len = 0;
    f.userdata_len = userdata_len;
    return make_state(ctx, &f, userdata)->id;
}

/* The lists that were being carried out go on when the packet comes back. */
static struct frozen
describe_rest(struct xlate_ctx *ctx)
{
    struct frozen f = describe(ctx, ctx->conntracked);

    f.resume = FROZEN_STEPS;
    f.steps_len = ctx->frozen.steps.len;
    f.acts_len = ctx->frozen.acts.bytes.len;
    return f;
}

static void
pause(struct xlate_ctx *ctx)
{
    const struct act_controller *a = ctx->pause.act;
    struct frozen f = describe_rest(ctx);

    f.table_id = ctx->pause.table_id == UINT8_MAX ? 0 : ctx->pause.table_id;
    f.userdata_len = a->userdata_len;
    xlate_put_controller(ctx, a, ctx->pause.cookie, make_state(ctx, &f, a->userdata)->id);
}

void
xlate_note_pause(struct xlate_ctx *ctx)
{
    if (ctx->pause.act) {
        ctx->pause.cookie = ctx->cookie;
        ctx->pause.table_id = ctx->table_id;
    }
}

bool
xlate_freeze_finish(struct xlate_ctx *ctx)
{
    if (!ctx->freezing) {
        return false;
    }
    ctx->freezing = false;
    ctx->exit = false;
    if (!xlate_has_failed(ctx) && ctx->pause.act) {
        xlate_commit(ctx);
        pause(ctx);
    } else if (!xlate_has_failed(ctx) &&
               (ctx->frozen.steps.len || (ctx->action_set.bytes.len && !ctx->in_action_set))) {
        struct frozen f;

        xlate_commit(ctx);
        f = describe_rest(ctx);
        recirculate(ctx, &f);
    }
    ctx->pause.act = NULL;
    bytes_clear(&ctx->frozen.steps);
    act_buf_clear(&ctx->frozen.acts);
    return true;
}

bool
xlate_freeze_finish_apart(struct xlate_ctx *ctx)
{
    struct act_buf set = ctx->action_set;
    bool froze;

    act_buf_init(&ctx->action_set);
    froze = xlate_freeze_finish(ctx);
    act_buf_uninit(&ctx->action_set);
    ctx->action_set = set;
    return froze;
}

uint32_t
xlate_fork(struct xlate_ctx *ctx, uint8_t table_id, bool conntracked)
{
    struct frozen f = describe(ctx, conntracked);

    f.resume = FROZEN_TABLE;
    f.table_id = table_id;
    return recirculate(ctx, &f);
}

void
xlate_report_fork(struct xlate_ctx *ctx, enum xlate_fork_kind kind, uint32_t recirc_id, const struct flow *flow,
                  const struct flow *before)
{
    struct xlate_trace *trace = ctx->in->trace;

    if (trace && trace->fork) {
        struct flow copy = *flow;

        copy.recirc_id = cpu_to_be32(recirc_id);
        trace->bridge = ctx->bridge;
        trace->fork(trace, kind, recirc_id, &copy, before);
    }
}

void
xlate_clear_conntrack(struct xlate_ctx *ctx)
{
    ctx->conntracked = false;
    flow_clear_conntrack(&ctx->flow, FLOW_LINES_ALL);
}

/* Thawing. */

static void
restore(struct xlate_ctx *ctx, const struct frozen_state *s)
{
    const struct frozen *f = &s->frozen;

    frozen_restore_flow(s, &ctx->flow);
    FLOW_FOR_EACH_LINE (i, FROZEN_LINES) {
        ctx->base.flow.lines[i] = ctx->flow.lines[i];
    }
    bytes_put(&ctx->stack, frozen_stack(s), f->stack_len);
    act_put_span(&ctx->action_set, frozen_action_set(s));
    ctx->mirrors = f->mirrors;
    ctx->conntracked = f->conntracked;
    ctx->hash = f->hash;
}

static void
put_step(struct str *s, const struct frozen_step *step)
{
    str_putf(s, "table=%d, cookie=%#llx", step->table_id, (unsigned long long) be64_to_cpu(step->cookie));
}

/* Reports show what comes from the same flow as one. */
static bool
continues(const struct frozen_step *steps, size_t i)
{
    return i && steps[i].table_id == steps[i - 1].table_id && steps[i].cookie == steps[i - 1].cookie;
}

static void
report_steps(struct xlate_ctx *ctx, const struct frozen_state *state)
{
    struct act_text text = xlate_act_text(ctx);
    const struct xlate_trace *trace = ctx->in->trace;
    size_t n;
    const struct frozen_step *steps = frozen_steps(state, &n);
    const struct act *acts = frozen_acts(state);
    struct str s = STR_INIT;

    for (size_t i = 0; trace && i < n; i++) {
        struct act_span span = { acts, steps[i].len };

        if (!continues(steps, i)) {
            str_puts(&s, i ? ",unroll_xlate(" : "unroll_xlate(");
            put_step(&s, &steps[i]);
            str_putc(&s, ')');
        }
        str_putc(&s, ',');
        act_format(&s, span, &text);
        acts = act_span_end(span);
    }
    ctx->trace_depth++;
    xlate_report(ctx, TRACE_THAW, "Restoring actions: %s", str_text(&s));
    ctx->trace_depth--;
    str_uninit(&s);
}

static void
report_step(struct xlate_ctx *ctx, const struct frozen_step *step)
{
    struct str s = STR_INIT;

    if (ctx->in->trace) {
        put_step(&s, step);
        xlate_report(ctx, TRACE_ACTION, "unroll_xlate(%s)", str_text(&s));
        xlate_report(ctx, TRACE_ACTION, "restored state: %s", str_text(&s));
        str_uninit(&s);
    }
}

static void
run_steps(struct xlate_ctx *ctx, const struct frozen_state *s)
{
    size_t n;
    const struct frozen_step *steps = frozen_steps(s, &n);
    const struct act *acts = frozen_acts(s);

    report_steps(ctx, s);
    if (!xlate_is_received(ctx)) {
        return;
    }
    for (size_t i = 0; i < n && !xlate_has_failed(ctx); i++) {
        struct act_span span = { acts, steps[i].len };
        bool was_paused = ctx->pause.act != NULL;

        ctx->table_id = steps[i].table_id;
        ctx->cookie = steps[i].cookie;
        if (!continues(steps, i)) {
            report_step(ctx, &steps[i]);
        }
        xlate_actions(ctx, span, i == n - 1);
        if (!was_paused) {
            xlate_note_pause(ctx);
        }
        ctx->frozen.end = NULL; /* What stands behind it is another list. */
        acts = act_span_end(span);
    }
}

static void
resume(struct xlate_ctx *ctx, const struct frozen_state *s)
{
    ctx->trace_depth++;
    xlate_report(ctx, TRACE_THAW, "thaw");
    ctx->trace_depth++;
    xlate_report(ctx, TRACE_THAW, "Resuming from table %d", s->frozen.table_id);
    ctx->trace_depth--;
    if (s->frozen.resume == FROZEN_TABLE) {
        ctx->trace_depth--;
        ctx->goes_up = true;
        xlate_table(ctx, OFP_PORT(be32_to_cpu(ctx->flow.in_port)), s->frozen.table_id, true);
    } else {
        run_steps(ctx, s);
        ctx->trace_depth--;
    }
}

void
xlate_thaw(struct xlate_ctx *ctx)
{
    uint32_t id = be32_to_cpu(ctx->in->flow->recirc_id);
    struct frozen_state *s = recirc_find_rcu(id);
    struct xlate_out *out = ctx->out;

    if (!s || atomic_load(&s->frozen.bridge->is_gone)) {
        out->may_install = false;
        xlate_report(ctx, TRACE_BRIDGE, "bridge(\"%s\")", ctx->bridge->name);
        ctx->trace_depth++;
        xlate_report(ctx, TRACE_ERROR, "Recirculation context not found for ID %x", id);
        ctx->trace_depth--;
        xlate_fail(ctx, XLATE_NO_RECIRCULATION_CONTEXT);
        return;
    }
    if (out->n_frozen >= out->frozen_capacity) {
        out->frozen = x2nrealloc(out->frozen, &out->frozen_capacity, sizeof *out->frozen);
    }
    out->frozen[out->n_frozen++] = recirc_ref(s);
    xlate_report(ctx, TRACE_BRIDGE, "bridge(\"%s\")", ctx->bridge->name);
    ctx->bridge = s->frozen.bridge;
    ctx->version = atomic_load_explicit(&ctx->bridge->tables_version, memory_order_acquire);
    restore(ctx, s);
    resume(ctx, s);
}

void
xlate_debug_recirc(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    xlate_freeze(ctx, NULL);
}
