#include "flow/tun_metadata.h"
#include "ofproto/resume.h"

#include <stdlib.h>

#include "flow/extract.h"
#include "ofproto/change.h"
#include "ofproto/credits.h"
#include "ofproto/ofconn.h"
#include "ofproto/recirc.h"
#include "ofproto/xlate/xlate.h"
#include "openflow/action/set_field.h"
#include "openflow/msg/packet.h"

/* Without leading zeros. */
static struct cursor
trim(struct cursor entry)
{
    while (entry.left > 1 && !*entry.at) {
        entry.at++;
        entry.left--;
    }
    return entry;
}

/* The step that actions with this origin are added to. */
static struct continuation_step *
step_for(struct continuation *k, uint8_t table, uint64_t cookie, bool has_instructions, bool is_first)
{
    struct continuation_step *last = k->n_steps ? &k->steps[k->n_steps - 1] : NULL;

    if (last && !is_first && last->table == table && last->cookie == cookie &&
        last->has_instructions == has_instructions) {
        return last;
    }
    k->steps = xreallocarray(k->steps, k->n_steps + 1, sizeof *k->steps);
    last = &k->steps[k->n_steps++];
    *last = (struct continuation_step) {
        .table = table, .cookie = cookie, .has_instructions = has_instructions,
        .start = act_buf_span(&k->actions).len,
    };
    return last;
}

static void
put_write_metadata(struct act_buf *out, const struct act_write_metadata *a)
{
    union field_value value, mask;

    field_value_from_u64(field_of(FIELD_METADATA), a->metadata, &value);
    field_value_from_u64(field_of(FIELD_METADATA), a->mask, &mask);
    act_put_set_field_act(out, field_of(FIELD_METADATA), &value, &mask);
}

static void
put_goto_table(struct act_buf *out, const struct act_goto_table *a)
{
    struct act_resubmit *resubmit = act_put(out, ACT_RESUBMIT, sizeof *resubmit);

    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table = a->table;
}

/* Nothing says where an action comes from that does not use it, as in the reference.  Instructions become the actions
 * that do the same, where there are such.  A list of actions is not put together with another. */
static void
put_act(struct continuation *k, const struct frozen_step *s, const struct act *a, bool is_first)
{
    const struct continuation_step *last = k->n_steps ? &k->steps[k->n_steps - 1] : NULL;
    uint64_t cookie = be64_to_cpu(s->cookie);
    bool told = act_uses_origin(a), is_instruction = false;
    struct continuation_step *step;

    if (a->type != ACT_WRITE_METADATA && a->type != ACT_GOTO_TABLE) {
        is_instruction = act_is_instruction(a->type);
    }
    step = told ? step_for(k, s->table_id, cookie, false, is_first)
                : step_for(k, last ? last->table : 0, last ? last->cookie : 0, is_instruction, is_first);
    if (a->type == ACT_WRITE_METADATA) {
        put_write_metadata(&k->actions, (const void *) a);
    } else if (a->type == ACT_GOTO_TABLE) {
        put_goto_table(&k->actions, (const void *) a);
    } else {
        act_put_span(&k->actions, (struct act_span) { a, (const char *) act_next(a) - (const char *) a });
    }
    step->end = act_buf_span(&k->actions).len;
}

void
continuation_put(struct bytes *out, enum of_version v, const struct frozen_state *s, uint32_t odp_in_port)
{
    struct continuation k = { .bridge = s->frozen.bridge->uuid, .has_odp_port = true, .odp_port = odp_in_port };
    const uint8_t *stack = frozen_stack(s);
    const struct act *acts = frozen_acts(s);
    size_t n;
    const struct frozen_step *steps = frozen_steps(s, &n);

    k.conntracked = s->frozen.conntracked;
    for (size_t left = s->frozen.stack_len; left && k.n_stack < ARRAY_SIZE(k.stack);) {
        struct cursor top = frozen_stack_top(stack, left);

        left -= top.left + 1;
        k.stack[k.n_stack++] = trim(top);
    }
    act_buf_init(&k.actions);
    act_buf_init(&k.action_set);
    act_put_span(&k.action_set, frozen_action_set(s));
    for (size_t i = 0; i < n; i++) {
        struct act_span span = { acts, steps[i].len };

        ACT_FOR_EACH (a, span) {
            if (a->type == ACT_NOTE) {
                continue; /* Which does nothing. */
            }
            put_act(&k, &steps[i], a, a == span.first);
        }
        acts = act_span_end(span);
    }
    continuation_encode(out, v, &k);
    continuation_uninit(&k);
}

/* Resuming. */

static struct ofproto *
find_bridge(const struct uuid *uuid)
{
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        if (uuid_equal(&p->xb.uuid, uuid)) {
            return p;
        }
    }
    return NULL;
}

/* From the bottom up. */
static enum ofperr
take_stack(const struct continuation *k, struct bytes *data)
{
    for (size_t i = k->n_stack; i-- > 0;) {
        if (k->stack[i].left > sizeof(union field_value)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        frozen_stack_push(data, k->stack[i].at, k->stack[i].left);
    }
    return OFPERR_NONE;
}

static void
take_steps(const struct continuation *k, struct bytes *data)
{
    for (size_t i = 0; i < k->n_steps; i++) {
        struct frozen_step *step = bytes_put_zeros(data, sizeof *step);

        step->cookie = cpu_to_be64(k->steps[i].cookie);
        step->table_id = k->steps[i].table;
        step->len = k->steps[i].end - k->steps[i].start;
    }
}

static enum ofperr
make_state(struct ofproto *p, const struct continuation *k, const struct flow *md, struct frozen_state **state)
{
    struct bytes data = BYTES_INIT;
    struct frozen f;
    enum ofperr error;
    int n = 0;

    memset(&f, 0, sizeof f);
    f.bridge = &p->xb;
    f.resume = FROZEN_STEPS;
    f.in_port = md->in_port;
    f.conntracked = k->conntracked;
    FLOW_FOR_EACH_LINE (i, FROZEN_LINES) {
        memcpy(&f.lines[n++], &md->lines[i], sizeof md->lines[i]);
    }
    take_steps(k, &data);
    f.steps_len = data.len;
    f.acts_len = act_buf_span(&k->actions).len;
    bytes_put(&data, k->actions.bytes.data, f.acts_len);
    f.action_set_len = act_buf_span(&k->action_set).len;
    bytes_put(&data, k->action_set.bytes.data, f.action_set_len);
    f.stack_len = data.len;
    error = take_stack(k, &data);
    f.stack_len = data.len - f.stack_len;
    *state = error ? NULL : recirc_freeze(&f, data.data);
    bytes_uninit(&data);
    return error;
}

/* The actions are checked against the packet, like those of a packet-out. */
static enum ofperr
check(const struct ofproto *p, struct act_buf *acts, const struct flow *flow)
{
    struct act_check c = { .protocols = PROTO_ANY, .max_ports = OFPP_MAX };
    enum ofperr error;
    struct match match;

    match.flow = *flow;
    memset(&match.mask, 0xff, sizeof match.mask);
    c.match = &match;
    error = act_check(acts, &c);
    return error ? error : check_references(p, act_buf_span(acts));
}

static void
execute(struct ofproto *p, const struct packet_in *pin, const struct continuation *k, struct frozen_state *state,
        struct flow *flow)
{
    struct datapath *dp = p->backer->xdp.dp;
    struct xport *in = xbridge_port_rcu(&p->xb, OFP_PORT(be32_to_cpu(flow->in_port)));
    struct dp_flow_stats one = {
        .n_packets = 1, .n_bytes = pin->packet_len, .used = clock_now_ms(), .tcp_flags = be16_to_cpu(flow->tcp_flags),
    };
    struct xlate_out out;
    struct xlate_in xin;

    flow->recirc_id = cpu_to_be32(state->id);
    xin = (struct xlate_in) {
        .bridge = &p->xb, .flow = flow, .frame = pin->packet, .frame_len = pin->packet_len,
        .packet_len = pin->packet_len, .tcp_flags = one.tcp_flags, .tables_version = atomic_load(&p->xb.tables_version),
        .want_effects = true,
    };
    xlate_out_init(&out);
    xlate(&xin, &out);
    xlate_apply_effects(&out);
    flow->in_port = cpu_to_be32(k->has_odp_port ? k->odp_port : in ? in->odp_port.n : UINT32_MAX);
    if (out.actions.len) {
        dp->class->execute(dp, pin->packet, pin->packet_len, flow, out.actions.data, out.actions.len);
    }
    xlate_credit_stats(out.credits, out.n_credits, &one);
    xlate_out_uninit(&out);
}

static enum ofperr
resume(struct ofconn *c UNUSED, struct packet_in *pin, struct continuation *k)
{
    struct ofproto *p = k->has_bridge ? find_bridge(&k->bridge) : NULL;
    struct frozen_state *state;
    struct flow md, flow;
    enum ofperr error;

    if (!p) {
        return OFPERR_NXR_STALE;
    }
    (void) !tun_match_bind(xbridge_options_rcu(&p->xb), &pin->metadata, true); /* Cannot fail if it may cut. */
    flow_mask(&md, &pin->metadata.flow, &pin->metadata.mask);
    md.in_port = cpu_to_be32(ofp_to_u32(packet_metadata_in_port(&pin->metadata)));
    flow_extract_full(pin->packet, pin->packet_len, &md, &flow, NULL);
    error = check(p, &k->actions, &flow);
    if (!error) {
        error = check(p, &k->action_set, &flow);
    }
    if (!error) {
        error = make_state(p, k, &md, &state);
    }
    if (!error) {
        execute(p, pin, k, state, &flow);
        recirc_unref(state);
    }
    return error;
}

enum ofperr
handle_resume(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct continuation k = { .n_steps = 0 };
    struct packet_in pin;
    enum ofperr error = packet_in_decode(m, &pin, NULL);

    if (error) {
        return error;
    }
    error = continuation_decode(pin.continuation, m->version, &k);
    if (!error) {
        error = resume(c, &pin, &k);
    }
    continuation_uninit(&k);
    return error;
}
