/* sample: packets for collectors (ovs-actions(7) "sample"). */
#include "ofproto/xlate/ctx.h"

static uint32_t
observation_id(struct xlate_ctx *ctx, const struct sample_id *id)
{
    union field_value v;

    if (!id->src.field) {
        return id->value;
    }
    xlate_read_subfield(ctx, &id->src, &v);
    return get_be32(v.bytes + sizeof v.bytes - 4);
}

/* The datapath port of the sampling port; false, with the error, if there is none. */
static bool
find_port(struct xlate_ctx *ctx, ofp_port number, uint32_t *odp)
{
    const struct xport *port;

    *odp = UINT32_MAX;
    if (number == OFPP_NONE) {
        return true;
    }
    port = xbridge_port_rcu(ctx->bridge, number);
    if (!port) {
        xlate_report(ctx, TRACE_ERROR, "can't use unknown port %u in flow sample action", ofp_to_u32(number));
        return false;
    }
    *odp = port->odp_port.n;
    return true;
}

/* Every packet, or the share of them that the datapath draws. */
static void
put(struct xlate_ctx *ctx, const struct odp_cookie *cookie)
{
    struct bytes *actions = &ctx->out->actions;
    size_t begun, nested;

    if (cookie->probability == UINT16_MAX) {
        xlate_put_plain_userspace(actions, cookie);
        return;
    }
    begun = odp_begin(actions, ODP_SAMPLE);
    odp_put_u32(actions, ODP_SAMPLE_PROBABILITY, (uint32_t) cookie->probability << 16 | cookie->probability);
    nested = odp_begin(actions, ODP_SAMPLE_ACTIONS);
    xlate_put_plain_userspace(actions, cookie);
    odp_end(actions, nested);
    odp_end(actions, begun);
}

/* The bridge's own sampling, of a packet that came in, or is about to go out there. */
static void
put_of_bridge(struct xlate_ctx *ctx, uint32_t probability, uint32_t output_port)
{
    struct odp_cookie cookie = { .type = ODP_COOKIE_IPFIX, .output_port = output_port,
                                 .ofp_in_port = be32_to_cpu(ctx->flow.in_port) };
    struct bytes *actions = &ctx->out->actions;
    size_t begun, nested;

    memcpy(cookie.ofproto_uuid, ctx->bridge->uuid.bytes, sizeof cookie.ofproto_uuid);
    if (probability == UINT32_MAX) {
        xlate_put_plain_userspace(actions, &cookie);
    } else {
        begun = odp_begin(actions, ODP_SAMPLE);
        odp_put_u32(actions, ODP_SAMPLE_PROBABILITY, probability);
        nested = odp_begin(actions, ODP_SAMPLE_ACTIONS);
        xlate_put_plain_userspace(actions, &cookie);
        odp_end(actions, nested);
        odp_end(actions, begun);
    }
    ctx->useful_len = ctx->sampled_len = actions->len;
}

void
xlate_sample_input(struct xlate_ctx *ctx)
{
    uint32_t probability = atomic_load_explicit(&ctx->bridge->sample_probability, memory_order_relaxed);

    if (UNLIKELY(probability) && atomic_load_explicit(&ctx->bridge->samples_input, memory_order_relaxed)) {
        put_of_bridge(ctx, probability, UINT32_MAX);
    }
}

void
xlate_sample_output(struct xlate_ctx *ctx, odp_port port)
{
    uint32_t probability = atomic_load_explicit(&ctx->bridge->sample_probability, memory_order_relaxed);

    if (UNLIKELY(probability) && atomic_load_explicit(&ctx->bridge->samples_output, memory_order_relaxed)) {
        put_of_bridge(ctx, probability, port.n);
    }
}

void
xlate_sample(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_sample *a = (const void *) act;
    struct odp_cookie cookie = {
        .type = ODP_COOKIE_FLOW_SAMPLE, .probability = a->probability, .collector_set = a->collector_set_id,
        .ofp_in_port = be32_to_cpu(ctx->flow.in_port), .flags = a->direction,
    };

    if (!atomic_load_explicit(&ctx->bridge->samples_flows, memory_order_relaxed) ||
        !find_port(ctx, a->sampling_port, &cookie.output_port)) {
        return;
    }
    cookie.obs_domain_id = observation_id(ctx, &a->obs_domain);
    cookie.obs_point_id = observation_id(ctx, &a->obs_point);
    memcpy(cookie.ofproto_uuid, ctx->bridge->uuid.bytes, sizeof cookie.ofproto_uuid);
    xlate_commit(ctx);
    put(ctx, &cookie);
    ctx->useful_len = ctx->sampled_len = ctx->out->actions.len;
}
