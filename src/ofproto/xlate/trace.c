/* The whole output of a trace. */
#include "flow/exact_text.h"
#include "flow/match_text.h"
#include "ofproto/xlate/trace_private.h"

static const char *const slow_sentences[] = {
    "Consists of CFM packets.", "Consists of BFD packets.", "Consists of LACP packets.", "Consists of STP packets.",
    "Consists of LLDP packets.", "Sends \"packet-in\" messages to the OpenFlow controller.",
    "Uses action(s) not supported by datapath.",
};

/* The match that a megaflow would have; of a packet without a tag nothing is said about tags. */
static void
put_megaflow(struct str *s, const struct flow *flow, const struct flow *wc, const struct port_names *names)
{
    struct match m = { .flow = *flow, .mask = *wc };

    if (!flow_has_vlan(flow)) {
        m.mask.vlan_tci = 0;
    }
    if (!(flow->vlan2_tci & BE16(VLAN_PRESENT))) {
        m.mask.vlan2_tci = 0;
    }
    match_normalize(&m);
    match_format(s, &m, names, MATCH_DEFAULT_PRIORITY);
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

static bool
same_flow(const struct flow *a_, const struct flow *b_)
{
    struct flow a = *a_, b = *b_;

    a.actset_output = b.actset_output = 0;
    return !memcmp(&a, &b, sizeof a);
}

static void
put_result(struct str *s, const struct trace_request *r, const struct flow *final, const struct xlate_out *out,
           const struct port_names *names)
{
    struct trace_odp_names odp_names;

    trace_odp_names_init(&odp_names, r->bridge->xdp);
    str_puts(s, "\nFinal flow: ");
    if (same_flow(final, &r->flow)) {
        str_puts(s, "unchanged");
    } else {
        exact_flow_put(s, final, names);
    }
    str_puts(s, "\nMegaflow: ");
    put_megaflow(s, &r->flow, &out->wc, names);
    str_puts(s, "\nDatapath actions: ");
    odp_actions_format(s, out->actions.data, out->actions.len, r->names ? &odp_names.names : NULL);
    str_putc(s, '\n');
    put_slow(s, out->slow);
    if (out->error) {
        str_putf(s, "Translation failed (%s), packet is dropped.\n", xlate_error_text(out->error));
    }
}

void
trace_request(const struct trace_request *r, bool want_effects, struct xlate_out *out, struct str *reply)
{
    const struct xbridge *bridge = r->bridge;
    const struct port_names *ports;
    struct trace_names names;
    struct trace_tree tree;
    struct xlate_in in;

    trace_tree_init(&tree);
    trace_names_init(&names, &tree.trace.bridge);
    tree.trace.bridge = bridge;
    tree.trace.names = r->names ? &names.text : NULL;
    ports = r->names ? &names.ports : NULL;
    in = (struct xlate_in) {
        .bridge = r->bridge, .flow = &r->flow, .frame = r->frame.data, .frame_len = r->frame.len,
        .packet_len = r->frame.len, .tcp_flags = be16_to_cpu(r->flow.tcp_flags),
        .tables_version = atomic_load(&r->bridge->tables_version), .acts = r->acts, .acts_len = r->acts_len,
        .want_effects = want_effects, .trace = &tree.trace,
    };
    str_puts(reply, "Flow: ");
    exact_flow_put(reply, &r->flow, ports);
    str_putc(reply, '\n');
    xlate(&in, out);
    trace_tree_put(reply, &tree);
    tree.trace.bridge = bridge;
    put_result(reply, r, &tree.trace.final, out, ports);
    trace_tree_uninit(&tree);
}
