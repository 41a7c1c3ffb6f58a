/* Packets to controllers. */
#include "odp/commit.h"
#include "odp/frame.h"
#include "ofproto/xlate/ctx.h"

/* The packet as the pipeline has changed it so far. */
static void
make_frame(struct xlate_ctx *ctx, struct bytes *frame)
{
    struct bytes changes = BYTES_INIT;
    struct flow base = *ctx->in->flow, wc = *ctx->wc;
    struct odp_tags none = { .n = 0 };

    bytes_put(frame, ctx->in->frame, ctx->in->frame_len);
    odp_commit(&ctx->flow, &ctx->below, &base, &none, &wc, &changes);
    odp_apply_to_frame(frame, changes.data, changes.len);
    bytes_uninit(&changes);
}

/* A rule that catches what no other does (OpenFlow 1.3 §5.4). */
static bool
is_miss_rule(const struct rule *rule)
{
    return rule && !rule->cr.priority && !word_map_count(&rule->cr.map);
}

static void
add_effect(struct xlate_ctx *ctx, const struct xlate_packet_in *pin)
{
    struct xlate_effect *e = xlate_effect(ctx, EFFECT_PACKET_IN);
    bool is_packet_out = !ctx->rule && ctx->table_id == UINT8_MAX;

    if (e) {
        bytes_init(&e->packet_in.frame);
        bytes_init(&e->packet_in.userdata);
        make_frame(ctx, &e->packet_in.frame);
        bytes_put(&e->packet_in.userdata, pin->userdata, pin->userdata_len);
        e->packet_in.bridge = ctx->bridge;
        e->packet_in.flow = ctx->flow;
        e->packet_in.total_len = ctx->in->packet_len + e->packet_in.frame.len - ctx->in->frame_len;
        e->packet_in.controller_id = pin->controller_id;
        e->packet_in.max_len = pin->max_len;
        e->packet_in.reason = pin->reason;
        e->packet_in.table_id = is_packet_out ? 0 : ctx->table_id;
        e->packet_in.cookie = ctx->cookie;
        e->packet_in.is_miss_rule = is_miss_rule(ctx->rule);
    }
}

/* What trace shows in the place of the message. */
static void
add_action(struct xlate_ctx *ctx, const struct xlate_packet_in *pin)
{
    struct odp_cookie cookie = {
        .type = ODP_COOKIE_CONTROLLER, .reason = pin->reason, .controller_id = pin->controller_id,
        .ofp_in_port = be32_to_cpu(ctx->flow.in_port), .max_len = pin->max_len, .flags = 1,
        .rule_cookie = ctx->cookie,
    };
    size_t begun = odp_begin(&ctx->out->actions, ODP_USERSPACE);

    memcpy(cookie.ofproto_uuid, ctx->bridge->uuid.bytes, sizeof cookie.ofproto_uuid);
    odp_put_u32(&ctx->out->actions, ODP_USERSPACE_PID, 0);
    odp_put(&ctx->out->actions, ODP_USERSPACE_USERDATA, &cookie, sizeof cookie);
    odp_end(&ctx->out->actions, begun);
    ctx->useful_len = ctx->out->actions.len;
}

void
xlate_send_to_controller(struct xlate_ctx *ctx, const struct xlate_packet_in *pin)
{
    ctx->out->may_install = false;
    xlate_commit(ctx);
    if (ctx->in->want_effects) {
        add_effect(ctx, pin);
    }
    if (!ctx->in->want_effects || ctx->in->trace) {
        add_action(ctx, pin);
    }
}
