/* Packets to controllers: a "userspace" action of the datapath, whose upcall makes the message. */
#include "ofproto/xlate/ctx.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/packet.h"

/* A rule that catches what no other does (OpenFlow 1.3 §5.4). */
static bool
is_miss_rule(const struct rule *rule)
{
    return rule && !rule->cr.priority && cls_rule_is_catchall(&rule->cr);
}

void
xlate_put_plain_userspace(struct bytes *actions, const struct odp_cookie *cookie)
{
    size_t begun = odp_begin(actions, ODP_USERSPACE);

    odp_put_u32(actions, ODP_USERSPACE_PID, 0);
    odp_put(actions, ODP_USERSPACE_USERDATA, cookie, sizeof *cookie);
    odp_end(actions, begun);
}

/* What the meter drops is not the packet: it goes through it on a branch of its own. */
void
xlate_put_userspace(struct xlate_ctx *ctx, struct bytes *actions, const struct odp_cookie *cookie, uint32_t meter_id)
{
    const struct xmeter *m = xlate_find_meter(ctx, meter_id);
    size_t begun, nested;

    if (!m) {
        xlate_put_plain_userspace(actions, cookie);
        return;
    }
    begun = odp_begin(actions, ODP_SAMPLE);
    odp_put_u32(actions, ODP_SAMPLE_PROBABILITY, UINT32_MAX);
    nested = odp_begin(actions, ODP_SAMPLE_ACTIONS);
    odp_put_u32(actions, ODP_METER, m->dp_id);
    xlate_put_plain_userspace(actions, cookie);
    odp_end(actions, nested);
    odp_end(actions, begun);
}

/* A trace sends nothing, and says so unless it has a packet: then it shows what a packet would get, as the reference
 * does. */
static struct odp_cookie
make_cookie(struct xlate_ctx *ctx, be64 rule_cookie, uint32_t recirc_id)
{
    struct odp_cookie cookie = {
        .type = ODP_COOKIE_CONTROLLER, .recirc_id = recirc_id, .ofp_in_port = be32_to_cpu(ctx->flow.in_port),
        .flags = !ctx->in->want_effects && ctx->in->trace, .rule_cookie = rule_cookie,
    };

    memcpy(cookie.ofproto_uuid, ctx->bridge->uuid.bytes, sizeof cookie.ofproto_uuid);
    return cookie;
}

static void
put(struct xlate_ctx *ctx, const struct odp_cookie *cookie, bool has_meter, uint32_t meter_id)
{
    xlate_put_userspace(ctx, &ctx->out->actions, cookie, has_meter ? meter_id : METER_CONTROLLER);
    ctx->useful_len = ctx->out->actions.len;
}

/* Why the packet is sent (OpenFlow 1.4 §7.4.1), where the action does not say. */
static uint8_t
reason_of(const struct xlate_ctx *ctx, const struct xlate_packet_in *pin)
{
    if (pin->reason != OFPR_ACTION) {
        return pin->reason;
    }
    if (ctx->in->acts && !ctx->in->trace) {
        return OFPR_PACKET_OUT;
    }
    return ctx->in_bucket ? OFPR_GROUP : ctx->from_action_set ? OFPR_ACTION_SET
           : is_miss_rule(ctx->rule) ? OFPR_EXPLICIT_MISS : OFPR_ACTION;
}

void
xlate_send_to_controller(struct xlate_ctx *ctx, const struct xlate_packet_in *pin)
{
    struct odp_cookie cookie;
    uint32_t id;

    xlate_commit(ctx);
    id = xlate_freeze_message(ctx, pin->userdata, pin->userdata_len);
    cookie = make_cookie(ctx, ctx->cookie, id);
    cookie.reason = reason_of(ctx, pin);
    cookie.controller_id = pin->controller_id;
    cookie.max_len = pin->max_len;
    put(ctx, &cookie, pin->has_meter, pin->meter_id);
}

void
xlate_put_controller(struct xlate_ctx *ctx, const struct act_controller *a, be64 rule_cookie, uint32_t recirc_id)
{
    struct odp_cookie cookie = make_cookie(ctx, rule_cookie, recirc_id);

    if (ctx->in->trace && !ctx->in->want_effects) {
        return; /* As in the reference, what is paused for shows in the tree alone. */
    }
    cookie.reason = a->reason;
    cookie.controller_id = a->controller_id;
    cookie.max_len = a->max_len;
    cookie.flags |= 2;
    put(ctx, &cookie, a->has_meter, a->meter_id);
}

void
xlate_controller(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_controller *a = (const void *) act;
    struct xlate_packet_in pin = {
        .controller_id = a->controller_id, .max_len = a->max_len, .reason = a->reason, .has_meter = a->has_meter,
        .meter_id = a->meter_id, .userdata = a->userdata, .userdata_len = a->userdata_len,
    };

    if (a->pause) {
        ctx->pause.act = a;
        ctx->pause.cookie = ctx->cookie;
        ctx->pause.table_id = ctx->table_id;
        xlate_freeze(ctx, NULL);
    } else {
        xlate_send_to_controller(ctx, &pin);
    }
}
