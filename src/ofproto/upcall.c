#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/conns.h"
#include "ofproto/credits.h"
#include "ofproto/drops.h"
#include "ofproto/mac_table.h"
#include "ofproto/megaflow.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/sampler.h"
#include "ofproto/xlate/run.h"
#include "openflow/flow_mod.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(ofproto_dpif_upcall)

/* Upcalls by reason, and those without an answer: their packets are dropped, which the datapath counts by reason. */
COUNTER(upcall_miss)
COUNTER(upcall_slow_path)
COUNTER(upcall_userspace)
COUNTER(upcall_unanswered)

_Atomic bool upcall_megaflows_disabled;

/* A worker's memory for translations, kept from packet to packet. */
static __thread struct xlate_out scratch;
static __thread bool scratch_ready;

static void
apply_learn_mac(const struct xlate_effect *e)
{
    const struct xbundle *bundle = e->learn_mac.bundle;

    mac_table_learn(e->learn_mac.bridge->mac_table, e->learn_mac.mac, e->learn_mac.vlan, bundle->key,
                    e->learn_mac.port, e->learn_mac.is_gratuitous_arp, bundle->bond != NULL);
}

static void
apply_flow_mod(struct xlate_effect *e)
{
    ofproto_learn(e->flow_mod.bridge->ofproto, e->flow_mod.fm, e->flow_mod.limit);
}

void
xlate_apply_effects(struct xlate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        struct xlate_effect *e = &out->effects[i];

        switch (e->kind) {
        case EFFECT_LEARN_MAC: apply_learn_mac(e); break;
        case EFFECT_FLOW_MOD: apply_flow_mod(e); break;
        }
    }
}

/* Whether there is a tag always matters.  That of a frame whose pipeline did not look at its tag at all has the whole
 * VLAN: so it is in the reference, and dumps show it. */
static void
add_tag_mask(const struct flow *flow, struct flow *wc)
{
    if (flow_has_vlan(flow)) {
        wc->vlan_tci |= wc->vlan_tci ? BE16(VLAN_PRESENT) : BE16(VLAN_PRESENT | VLAN_VID_MASK);
        wc->vlan_tpid = BE16_MAX;
    } else {
        wc->vlan_tci |= BE16(VLAN_PRESENT);
    }
}

/* The bits that every megaflow fixes, whatever the pipeline looked at: those that say which other fields exist. */
static void
add_datapath_mask(const struct flow *flow, struct flow *wc)
{
    wc->in_port = BE32_MAX;
    wc->recirc_id = BE32_MAX;
    wc->packet_ns = UINT8_MAX;
    wc->eth_type = BE16_MAX;
    if (flow_is_ip(flow)) {
        wc->nw_frag = 3;
    }
    if (!flow->packet_ns) {
        add_tag_mask(flow, wc);
    }
    if (UNLIKELY(atomic_load_explicit(&upcall_megaflows_disabled, memory_order_relaxed))) {
        FLOW_FOR_EACH_LINE (i, flow_used_lines(flow, FLOW_LINES_PACKET)) {
            memset(&wc->lines[i], 0xff, sizeof wc->lines[i]);
        }
    }
}

struct xbridge *
upcall_bridge_rcu(const struct backer *b, struct flow *flow)
{
    struct xport *in = xdp_port_rcu(&b->xdp, ODP_PORT(be32_to_cpu(flow->in_port)));
    const struct frozen_state *s = NULL;

    if (flow->recirc_id) { /* The state has the tunnel, as the pipeline sees it. */
        s = recirc_find_rcu(be32_to_cpu(flow->recirc_id));
        return s && !atomic_load(&s->frozen.bridge->is_gone) ? s->frozen.bridge : NULL;
    }
    if (in) {
        flow->in_port = cpu_to_be32(ofp_to_u32(in->ofp_port));
        tun_flow_from_raw(xbridge_options_rcu(in->bridge), flow);
    }
    return in ? in->bridge : NULL;
}

static enum upcall_refusal
answer(struct backer *b, struct dp_upcall *u, struct xlate_out *out, uint64_t seq)
{
    struct flow flow = *u->key;
    struct xbridge *bridge = upcall_bridge_rcu(b, &flow);
    int64_t now = clock_now_ms();
    struct dp_flow_stats one;
    struct xlate_in xin;
    bool install;

    if (!bridge) {
        return UPCALL_REFUSED_NO_BRIDGE;
    }
    xin = (struct xlate_in) {
        .bridge = bridge, .flow = &flow, .frame = u->frame, .frame_len = u->frame_len,
        .packet_len = u->packet_len, .tcp_flags = be16_to_cpu(flow.tcp_flags),
        .tables_version = atomic_load(&bridge->tables_version), .want_effects = true,
        .runs = xlate_runs_mine(),
    };
    xlate(&xin, out);
    install = out->may_install && u->type == DP_UPCALL_MISS;
    xlate_apply_effects(out);
    bytes_clear(u->actions);
    bytes_put(u->actions, out->actions.data, out->actions.len);
    bytes_put(u->put_actions, out->slow_actions.data, out->slow_actions.len);
    u->mask = &out->wc;
    tun_mask_to_raw(xbridge_options_rcu(bridge), u->key, u->mask);
    add_datapath_mask(u->key, u->mask);
    u->install = install;
    if (install) {
        u->owner = megaflow_create(out, seq, u->packet_len, now);
    }
    /* A megaflow counts from its second packet on. */
    one = (struct dp_flow_stats) {
        .n_packets = 1, .n_bytes = u->packet_len, .used = now, .tcp_flags = xin.tcp_flags,
    };
    if (install) {
        credits_push_first_rcu(((struct megaflow *) u->owner)->credits, out, &one);
    } else if (u->type == DP_UPCALL_MISS) {
        xlate_credit_stats(out->credits, out->n_credits, &one);
    }
    if (out->drop.why) {
        drops_saw(&out->drop, bridge, &flow, one.used);
    }
    return UPCALL_N_REFUSALS;
}

/* The datapath has a packet for a controller. */
static bool
send_to_controller(const struct dp_upcall *u)
{
    const struct odp_cookie *cookie = u->userdata;
    struct frozen_state *state = recirc_find_rcu(cookie->recirc_id);
    struct conns_packet_in pin;

    if (!state || atomic_load(&state->frozen.bridge->is_gone)) {
        return false;
    }
    if (cookie->flags & 1) {
        return true;
    }
    pin = (struct conns_packet_in) {
        .bridge = state->frozen.bridge, .state = recirc_ref(state), .flow = *u->key, .frame = BYTES_INIT,
        .total_len = u->packet_len, .odp_in_port = be32_to_cpu(u->key->in_port),
        .controller_id = cookie->controller_id, .reason = cookie->reason, .has_continuation = cookie->flags & 2,
        .cookie = cookie->rule_cookie,
    };
    frozen_restore_flow(state, &pin.flow);
    bytes_put(&pin.frame, u->frame, u->frame_len);
    conns_queue_packet_in(&pin);
    return true;
}

/* A "userspace" action.  A sample that nobody wants any more is no error. */
static enum upcall_refusal
on_action(const struct backer *b, struct dp_upcall *u)
{
    switch (u->userdata ? u->userdata->type : ODP_COOKIE_UNSPEC) {
    case ODP_COOKIE_CONTROLLER:
        return send_to_controller(u) ? UPCALL_N_REFUSALS : UPCALL_REFUSED_NO_STATE;
    case ODP_COOKIE_FLOW_SAMPLE: case ODP_COOKIE_IPFIX:
        samplers_take_rcu(&b->xdp, u);
        return UPCALL_N_REFUSALS;
    case ODP_COOKIE_SFLOW:
        return UPCALL_N_REFUSALS;
    default:
        return UPCALL_REFUSED_UNKNOWN;
    }
}

_Atomic bool upcalls_wait;

/* The answer; or why there is none, UPCALL_N_REFUSALS if there is. */
static enum upcall_refusal
take(struct backer *b, struct dp_upcall *u, uint64_t seq)
{
    if (u->type == DP_UPCALL_ACTION) {
        return on_action(b, u);
    }
    if (atomic_load_explicit(&upcalls_wait, memory_order_relaxed)) {
        return UPCALL_REFUSED_WAITS;
    }
    if (atomic_load_explicit(&b->is_stopped, memory_order_relaxed)) {
        return UPCALL_REFUSED_STOPPED;
    }
    if (!scratch_ready) {
        xlate_out_init(&scratch);
        scratch_ready = true;
    }
    xlate_out_clear(&scratch);
    return answer(b, u, &scratch, seq);
}

/* One more, of all and of the port that the packet came in by; that port's counts. */
static struct upcall_counts *
count_asked_rcu(struct backer *b, const struct dp_upcall *u)
{
    struct xport *in = xdp_port_rcu(&b->xdp, ODP_PORT(be32_to_cpu(u->key->in_port)));
    struct upcall_counts *counts = in ? &in->upcalls : &b->upcalls;

    switch (u->type) {
    case DP_UPCALL_MISS: counter_inc(upcall_miss); break;
    case DP_UPCALL_ACTION: counter_inc(upcall_userspace); break;
    case DP_UPCALL_SLOW_PATH: counter_inc(upcall_slow_path); break;
    }
    atomic_fetch_add_explicit(&counts->asked[u->type], 1, memory_order_relaxed);
    return counts;
}

static bool
on_upcall(void *b_, struct dp_upcall *u)
{
    struct backer *b = b_;
    uint64_t seq = depend_seq(b->depend);
    struct upcall_counts *counts = count_asked_rcu(b, u);
    enum upcall_refusal why = take(b, u, seq);

    if (why != UPCALL_N_REFUSALS) {
        counter_inc(upcall_unanswered);
        atomic_fetch_add_explicit(&counts->refused[why], 1, memory_order_relaxed);
    }
    return why == UPCALL_N_REFUSALS;
}

/* What the first lookup of a packet from a port reads: from its bridge's first table. */
static void
guess_first_lookup(struct backer *b, const struct flow *key, uint16_t lines, struct cls_guess *guess)
{
    static __thread struct flow flow; /* All zero but here. */
    struct xport *in = key->recirc_id ? NULL : xdp_port_rcu(&b->xdp, ODP_PORT(be32_to_cpu(key->in_port)));

    *guess = (struct cls_guess) { .subtable = NULL };
    if (!in || in->is_tunnel) {
        return;
    }
    FLOW_FOR_EACH_LINE (i, lines) {
        flow.lines[i] = key->lines[i];
    }
    flow.in_port = cpu_to_be32(ofp_to_u32(in->ofp_port));
    xlate_scout_guess_rcu(xlate_runs_mine(), in->bridge, &flow, guess);
    FLOW_FOR_EACH_LINE (i, lines) {
        flow.lines[i] = (struct flow_line) { { 0 } };
    }
}

static void
on_ahead(void *b, const struct dp_ahead *ahead)
{
    struct cls_guess guesses[DP_MAX_AHEAD];

    if (!xlate_runs_mine()) {
        return;
    }
    for (unsigned int i = 0; i < ahead->n; i++) {
        guess_first_lookup(b, ahead->keys[i], ahead->lines[i], &guesses[i]);
    }
    classifier_prefetch_guesses_rcu(guesses, ahead->n);
}

/* In the thread of the upcall that made it, right after that: its translation is still there. */
static void
on_installed(void *b_, void *owner, struct dp_flow *f, const struct dp_flow_stats *before)
{
    struct backer *b = b_;

    megaflow_installed(b->depend, owner, f, &scratch, before);
}

static bool
on_doubt(void *b_, void *owner)
{
    struct backer *b = b_;
    struct megaflow *m = owner;

    return depend_check(b->depend, &m->dependent) != DEPEND_STALE;
}

static void
on_owner_free(void *b_, void *owner, const struct dp_flow_stats *final)
{
    struct backer *b = b_;

    megaflow_finish(b->depend, owner, final);
}

void
upcall_client_init(struct backer *b)
{
    b->client = (struct dp_client) {
        .upcall = on_upcall, .ahead = on_ahead, .installed = on_installed, .is_right = on_doubt,
        .owner_free = on_owner_free, .aux = b,
    };
}
