/* The whole output of a trace. */
#include <stdlib.h>

#include "flow/exact_text.h"
#include "flow/field_text.h"
#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "packet/headers.h"
#include "ofproto/xlate/trace_private.h"

static const char *const slow_sentences[] = {
    "Consists of CFM packets.", "Consists of BFD packets.", "Consists of LACP packets.", "Consists of STP packets.",
    "Consists of LLDP packets.", "Sends \"packet-in\" messages to the OpenFlow controller.",
    "Uses action(s) not supported by datapath.",
};

/* The match that a megaflow would have; of a packet without a tag nothing is said about tags. */
static void
put_megaflow(struct str *s, const struct flow *flow, const struct flow *wc, const struct tun_map *options,
             const struct port_names *names)
{
    struct match m = { .flow = *flow, .mask = *wc };

    if (!flow_has_vlan(flow)) {
        m.mask.vlan_tci = 0;
    }
    if (!(flow->vlan2_tci & BE16(VLAN_PRESENT))) {
        m.mask.vlan2_tci = 0;
    }
    if (flow->nsh_mdtype != NSH_M_TYPE1) {
        memset(m.mask.nsh_context, 0, sizeof m.mask.nsh_context); /* Type 2 has none. */
    }
    match_normalize(&m);
    tun_match_unbind(options, &m);
    match_format_megaflow(s, &m, names);
}

static void
put_slow(struct str *s, uint32_t slow)
{
    if (slow) {
        str_puts(s, "This flow is handled by the userspace slow path because it:\n");
        for (size_t i = 0; i < ARRAY_SIZE(slow_sentences); i++) {
            if (slow >> i & 1) {
                str_putf(s, "  - %s\n", slow_sentences[i]);
            }
        }
    }
}

/* Whether 'a', as it is at the end, is what came.  Where the action set sends it belongs to it; what a trace is given
 * of that counts for nothing. */
static bool
same_flow(const struct flow *a_, const struct flow *b_)
{
    struct flow a = *a_, b = *b_;

    b.actset_output = cpu_to_be32(ofp_to_u32(OFPP_UNSET));
    return !memcmp(&a, &b, sizeof a);
}

static void
put_result(struct str *s, const struct trace_request *r, const struct flow *final, const struct xlate_out *out,
           const struct port_names *names)
{
    const struct tun_map *options = xbridge_options_rcu(r->bridge);
    struct trace_odp_names odp_names;

    trace_odp_names_init(&odp_names, r->bridge->xdp);
    str_puts(s, "\nFinal flow: ");
    if (same_flow(final, &r->flow)) {
        str_puts(s, "unchanged");
    } else {
        exact_flow_put(s, final, options, names);
    }
    str_puts(s, "\nMegaflow: ");
    put_megaflow(s, &r->flow, &out->wc, options, names);
    str_puts(s, "\nDatapath actions: ");
    odp_actions_format(s, out->actions.data, out->actions.len, r->names ? &odp_names.names : NULL);
    str_putc(s, '\n');
    put_slow(s, out->slow);
    if (out->error) {
        str_putf(s, "Translation failed (%s), packet is dropped.\n", xlate_error_text(out->error));
    }
}

/* A recirculated packet that waits for its turn. */
struct later {
    struct list node;
    enum xlate_fork_kind kind;
    struct frozen_state *state; /* A reference. */
    struct flow flow, before;
};

/* One trace command: its request, and the packets that are still to be traced. */
struct session {
    struct trace_tree tree;     /* Of the packet at hand. */
    const struct trace_request *request;
    struct list queue;          /* struct later */
    size_t n_ct;                /* Of request->ct_next, those that were used. */
};

static void
on_fork(struct xlate_trace *trace, enum xlate_fork_kind kind, uint32_t recirc_id, const struct flow *flow,
        const struct flow *before)
{
    struct session *s = CONTAINER_OF(CONTAINER_OF(trace, struct trace_tree, trace), struct session, tree);
    struct later *l = xzalloc_cacheline(sizeof *l);

    l->kind = kind;
    l->state = recirc_ref(recirc_find_rcu(recirc_id));
    l->flow = *flow;
    l->before = *before;
    list_push_back(&s->queue, &l->node);
}

/* One packet: its tree and result. */
static void
trace_one(struct session *s, const struct trace_request *r, bool want_effects, struct xlate_out *out,
          struct str *reply)
{
    const struct xbridge *bridge = r->bridge;
    const struct port_names *ports;
    struct trace_names names;
    struct xlate_in in;

    trace_tree_init(&s->tree);
    trace_names_init(&names, &s->tree.trace.bridge);
    s->tree.trace.bridge = bridge;
    s->tree.trace.names = r->names ? &names.text : NULL;
    s->tree.trace.fork = on_fork;
    ports = r->names ? &names.ports : NULL;
    in = (struct xlate_in) {
        .bridge = r->bridge, .flow = &r->flow, .frame = r->frame.data, .frame_len = r->frame.len,
        .packet_len = r->frame.len, .tcp_flags = be16_to_cpu(r->flow.tcp_flags),
        .tables_version = atomic_load(&r->bridge->tables_version), .acts = r->acts, .acts_len = r->acts_len,
        .want_effects = want_effects, .trace = &s->tree.trace,
    };
    str_puts(reply, "Flow: ");
    exact_flow_put(reply, &r->flow, xbridge_options_rcu(bridge), ports);
    str_putc(reply, '\n');
    xlate(&in, out);
    trace_tree_put(reply, &s->tree);
    s->tree.trace.bridge = bridge;
    put_result(reply, r, &s->tree.trace.final, out, ports);
    trace_tree_uninit(&s->tree);
}

void
trace_put_ct_state(struct str *s, uint8_t state)
{
    const char *separator = "";

    if (!state) {
        str_putc(s, '0');
    }
    for (size_t i = 0; i < ARRAY_SIZE(ct_state_names); i++) {
        if (state >> i & 1) {
            str_putf(s, "%s%s", separator, ct_state_names[i]);
            separator = "|";
        }
    }
}

/* Addresses and ports, as the reference shows them around a translation. */
static void
put_ends(struct str *s, const struct flow *f)
{
    bool is_v6 = f->eth_type == BE16(0x86dd);

    str_puts(s, is_v6 ? "ipv6_src=[" : "nw_src=");
    is_v6 ? ipv6_put(s, &f->ipv6_src) : str_putf(s, IP_FMT, IP_ARGS(f->nw_src));
    str_putf(s, "%s,tp_src=%u,%s", is_v6 ? "]" : "", be16_to_cpu(f->tp_src), is_v6 ? "ipv6_dst=[" : "nw_dst=");
    is_v6 ? ipv6_put(s, &f->ipv6_dst) : str_putf(s, IP_FMT, IP_ARGS(f->nw_dst));
    str_putf(s, "%s,tp_dst=%u", is_v6 ? "]" : "", be16_to_cpu(f->tp_dst));
}

static bool
ends_equal(const struct flow *a, const struct flow *b)
{
    return a->nw_src == b->nw_src && a->nw_dst == b->nw_dst && a->tp_src == b->tp_src && a->tp_dst == b->tp_dst
           && !memcmp(&a->ipv6_src, &b->ipv6_src, sizeof a->ipv6_src)
           && !memcmp(&a->ipv6_dst, &b->ipv6_dst, sizeof a->ipv6_dst);
}

static void
put_translation(struct str *s, const struct later *l)
{
    bool changed = !ends_equal(&l->flow, &l->before);

    str_puts(s, "Replacing src/dst IP/ports to simulate NAT:\n Initial flow: ");
    if (changed) {
        put_ends(s, &l->before);
    }
    str_puts(s, "\n Modified flow: ");
    if (changed) {
        put_ends(s, &l->flow);
    }
    str_putc(s, '\n');
}

/* What connection tracking is taken to have said of the packet. */
static void
put_heading(struct session *s, struct later *l, struct str *reply)
{
    const struct trace_request *r = s->request;

    str_putc(reply, '\n');
    str_put_fill(reply, '=', 79);
    str_putf(reply, "\nrecirc(%#x) - resume conntrack with ", l->state->id);
    if (s->n_ct < r->n_ct_next) {
        l->flow.ct_state = r->ct_next[s->n_ct++];
        str_puts(reply, "ct_state=");
        trace_put_ct_state(reply, l->flow.ct_state);
    } else {
        l->flow.ct_state = CT_TRK | CT_NEW;
        str_puts(reply, "default ct_state=trk|new (use --ct-next to customize)");
    }
    str_putc(reply, '\n');
    if (l->kind == FORK_CT_NAT) {
        put_translation(reply, l);
    }
    str_put_fill(reply, '=', 79);
    str_puts(reply, "\n\n");
}

static void
trace_later(struct session *s, struct later *l, struct str *reply)
{
    struct trace_request r = { .bridge = s->request->bridge, .names = s->request->names };
    struct xlate_out out;

    put_heading(s, l, reply);
    r.flow = l->flow;
    xlate_out_init(&out);
    trace_one(s, &r, false, &out, reply);
    xlate_out_uninit(&out);
}

void
trace_request(const struct trace_request *r, bool want_effects, struct xlate_out *out, struct str *reply)
{
    struct session s = { .request = r };

    list_init(&s.queue);
    trace_one(&s, r, want_effects, out, reply);
    for (int n = 0; !list_is_empty(&s.queue); n++) {
        struct later *l = CONTAINER_OF(list_pop_front(&s.queue), struct later, node);

        if (n < TRACE_MAX_RECIRCULATIONS) {
            trace_later(&s, l, reply);
        } else if (n == TRACE_MAX_RECIRCULATIONS) {
            str_putf(reply, "\nMore than %d recirculations: the rest is not traced.\n", n);
        }
        recirc_unref(l->state);
        free(l);
    }
}
