/* The arguments of ofproto/trace and ofproto/trace-packet-out. */
#include <stdlib.h>

#include "base/num.h"
#include "flow/tun_metadata.h"
#include "flow/compose.h"
#include "flow/exact_text.h"
#include "flow/extract.h"
#include "flow/field_text.h"
#include "ofproto/recirc.h"
#include "ofproto/xgroup.h"
#include "ofproto/xlate/trace_private.h"
#include "openflow/error.h"

/* Words: a datapath or bridge, the flow, a packet. */
enum { MAX_ARGS = 3, MAX_CT_NEXT = TRACE_MAX_RECIRCULATIONS, MAX_L7 = 64000 };

struct args {
    const struct trace_host *host;
    const char *words[MAX_ARGS];  /* Those that are no options. */
    int n;
    bool names, consistent, generate;
    bool has_l7;
    struct bytes l7;
    bool has_l7_len;
    uint16_t l7_len;              /* At most MAX_L7. */
    uint8_t ct_next[MAX_CT_NEXT]; /* Of the options --ct-next. */
    size_t n_ct_next;
    struct trace_request request;
    struct act_buf acts;
};

static bool
is_option(const char *arg, const char *name)
{
    return arg[0] == '-' && (!strcmp(arg + 1, name) || (arg[1] == '-' && !strcmp(arg + 2, name)));
}

/* Whether it is the option, which takes a value and so has two dashes. */
static bool
is_valued(const char *arg, const char *name)
{
    return arg[0] == '-' && arg[1] == '-' && !strcmp(arg + 2, name);
}

/* As the reference, takes the digits in front, none for 0. */
static struct error *
take_l7_len(struct args *a, const char *text)
{
    long n = strtol(text, NULL, 10);

    if (n < 0 || n > MAX_L7) {
        return error_new("%s: too much L7 data", text);
    }
    a->has_l7_len = true;
    a->l7_len = n;
    return NULL;
}

static struct error *
take_l7(struct args *a, const char *text)
{
    const char *end;

    bytes_clear(&a->l7);
    end = bytes_put_from_hex(&a->l7, text);
    a->has_l7 = true;
    return *end ? error_new("Trailing garbage in packet data") : NULL;
}

/* What connection tracking can say of a packet (ovs-fields(7), "ct_state"): all that is wrong, a line each. */
static struct error *
check_ct_state(uint8_t state)
{
    static const struct { uint8_t if_set, unless, not_with; const char *text; } rules[] = {
        { 0, CT_TRK, UINT8_MAX, "If \"trk\" is unset, no other flags are set" },
        { CT_INV, 0, (uint8_t) ~(CT_TRK | CT_INV), "when \"inv\" is set, only \"trk\" may also be set" },
        { CT_NEW, 0, CT_EST, "\"new\" and \"est\" are mutually exclusive" },
        { CT_NEW, 0, CT_RPL, "\"new\" and \"rpy\" are mutually exclusive" },
    };
    struct str s = STR_INIT;
    struct error *e;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        bool applies = (state & rules[i].if_set) == rules[i].if_set && !(state & rules[i].unless);

        if (applies && state & rules[i].not_with) {
            str_puts(&s, s.len ? "\n" : "");
            trace_put_ct_state(&s, state);
            str_putf(&s, ": invalid connection state: %s", rules[i].text);
        }
    }
    e = s.len ? error_new("%s", str_text(&s)) : NULL;
    str_uninit(&s);
    return e;
}

static struct error *
take_ct_next(struct args *a, const char *text)
{
    char *copy = xstrdup(text), *save = NULL;
    struct error *e = NULL;
    uint8_t state = 0;

    for (char *word = strtok_r(copy, ", ", &save); word && !e; word = strtok_r(NULL, ", ", &save)) {
        uint8_t flag = 0;

        for (size_t i = 0; i < ARRAY_SIZE(ct_state_names); i++) {
            flag |= !strcmp(ct_state_names[i], word) << i;
        }
        state |= flag;
        e = flag ? NULL : error_new("%s: unknown connection tracking state flag", word);
    }
    free(copy);
    e = e ? e : check_ct_state(state);
    if (!e && a->n_ct_next < MAX_CT_NEXT) {
        a->ct_next[a->n_ct_next++] = state;
    }
    return e;
}

/* An option with a value; '*i' is moved to the value. */
static struct error *
take_valued(struct args *a, int argc, const char *const argv[], int *i)
{
    const char *option = argv[*i];

    if (++*i >= argc) {
        return error_new("Missing argument for option %s", option);
    }
    return is_valued(option, "ct-next") ? take_ct_next(a, argv[*i])
           : is_valued(option, "l7")    ? take_l7(a, argv[*i])
                                        : take_l7_len(a, argv[*i]);
}

static struct error *
take_words(struct args *a, int argc, const char *const argv[], bool is_packet_out)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (arg[0] != '-') {
            if (a->n >= MAX_ARGS) {
                return error_new("too many arguments");
            }
            a->words[a->n++] = arg;
        } else if (is_option(arg, "generate")) {
            a->generate = true;
        } else if (is_option(arg, "consistent") && is_packet_out) {
            a->consistent = true;
        } else if (is_option(arg, "names")) {
            a->names = true;
        } else if (is_valued(arg, "ct-next") || is_valued(arg, "l7") || is_valued(arg, "l7-len")) {
            struct error *e = take_valued(a, argc, argv, &i);

            if (e) {
                return e;
            }
        } else {
            return error_new("%s: unknown option", arg);
        }
    }
    return NULL;
}

/* A packet is a word of hexadecimal digits only, and not a flow: those have a "=", a "(", or a name of letters. */
static bool
looks_like_packet(const struct args *a, const char *word)
{
    return *word && !a->generate && strspn(word, "0123456789abcdefABCDEF \t\r\n") == strlen(word);
}

static struct error *
take_packet(struct args *a, const char *word)
{
    const char *end = bytes_put_from_hex(&a->request.frame, word);

    end += strspn(end, " \t\r\n");
    if (*end) {
        return error_new("Trailing garbage in packet data");
    }
    if (a->request.frame.len < 14) {
        return error_new("Packet data too short for Ethernet");
    }
    return NULL;
}

/* With a datapath's flow, its port says which bridge it is in.  Takes 'problem', what is wrong with the flow. */
static struct error *
use_odp_flow(struct args *a, const char *dp_name, struct error *problem)
{
    struct flow *flow = &a->request.flow;
    struct xdp *xdp = a->host->find_datapath(a->host->aux, dp_name);
    uint32_t number = be32_to_cpu(flow->in_port);
    struct xport *port;

    if (!xdp) {
        error_free(problem);
        return error_new("Cannot find the datapath");
    }
    if (problem) {
        return problem;
    }
    if (flow->tun_dst || !is_all_zeros(&flow->tun_ipv6_dst, sizeof flow->tun_ipv6_dst)) {
        return error_new("no OpenFlow tunnel port for this packet");
    }
    if (flow->recirc_id && !recirc_find_rcu(be32_to_cpu(flow->recirc_id))) {
        return error_new("no recirculation data for recirc_id %#x", be32_to_cpu(flow->recirc_id));
    }
    port = xdp_port_rcu(xdp, ODP_PORT(number));
    if (!port) {
        return error_new("no OpenFlow port for datapath port %u", number);
    }
    a->request.bridge = port->bridge;
    flow->in_port = cpu_to_be32(ofp_to_u32(port->ofp_port));
    tun_flow_from_raw(xbridge_options_rcu(port->bridge), flow);
    return NULL;
}

static struct error *
use_bridge_flow(struct args *a, const char *bridge_name, const char *text)
{
    struct trace_names names;
    const struct xbridge *bridge;
    struct error *e;

    a->request.bridge = a->host->find_bridge(a->host->aux, bridge_name);
    if (!a->request.bridge) {
        return error_new("%s: unknown bridge", bridge_name);
    }
    bridge = a->request.bridge;
    trace_names_init(&names, &bridge);
    e = exact_flow_parse(text, &names.ports, xbridge_options_rcu(bridge), &a->request.flow);
    if (!a->request.flow.in_port) {
        a->request.flow.in_port = cpu_to_be32(ofp_to_u32(OFPP_NONE));
    }
    return error_wrap(error_wrap(e, "%s", text), "Bad openflow flow syntax");
}

/* Reads 'first' and 'second' (null if there is just one word) as a flow with what says where. */
static struct error *
take_flow(struct args *a, const char *first, const char *second)
{
    const char *flow_text = second ? second : first;
    const struct xdp *xdp = a->host->find_datapath(a->host->aux, second ? first : NULL);
    struct trace_odp_names names;
    struct error *e, *problem = NULL;

    if (xdp) {
        trace_odp_names_init(&names, xdp);
    }
    e = odp_flow_parse_packet(flow_text, xdp ? &names.names : NULL, &a->request.flow, &problem);
    if (!e) {
        return use_odp_flow(a, second ? first : NULL, problem);
    }
    if (!second) {
        char *text = error_take_text(e);

        e = error_new("%s (or the bridge name was omitted)", text);
        free(text);
        return e;
    }
    error_free(e);
    return use_bridge_flow(a, first, second);
}

/* The frame that the flow describes, or the flow of the frame. */
static void
settle_packet(struct args *a)
{
    struct trace_request *r = &a->request;
    struct flow_offsets offsets;
    struct flow md = r->flow;

    if (a->generate) {
        size_t n = a->has_l7 ? a->l7.len : a->has_l7_len ? a->l7_len : FLOW_DEFAULT_L7;

        flow_compose(&r->flow, a->l7.data, n, false, &r->frame);
    } else if (r->frame.data) {
        md.packet_ns = 0; /* Frames begin with an Ethernet header. */
        flow_extract_full(r->frame.data, r->frame.len, &md, &r->flow, &offsets);
    }
}

struct reference_check {
    const struct xbridge *bridge;
    uint64_t version;
    bool group_is_missing;
};

static void
check_group(void *r_, uint32_t group_id)
{
    struct reference_check *r = r_;

    r->group_is_missing |= !xbridge_group_rcu(r->bridge, group_id, r->version);
}

/* The groups and meters that the actions name must be there, as for a packet-out. */
static enum ofperr
check_references(const struct xbridge *bridge, struct act_span acts)
{
    struct reference_check r = { .bridge = bridge, .version = atomic_load(&bridge->tables_version) };
    uint32_t meter_id = act_meter_id(acts);

    act_each_group(acts, check_group, &r);
    return r.group_is_missing                                   ? OFPERR_OFPBAC_BAD_OUT_GROUP
           : meter_id && !xbridge_meter_rcu(bridge, meter_id) ? OFPERR_OFPMMFC_INVALID_METER
                                                                : OFPERR_NONE;
}

/* Reads the actions, with the ports' names of the bridge, if it is known already. */
static struct error *
parse_actions(struct args *a, const char *text)
{
    const struct xbridge *bridge = a->n ? a->host->find_bridge(a->host->aux, a->words[0]) : NULL;
    unsigned int protocols = PROTO_ANY;
    struct trace_names names;

    trace_names_init(&names, &bridge);
    return act_parse_actions(text, &names.text, &a->acts, &protocols);
}

/* Actions that do not fit the packet are refused if that was asked for: OpenFlow 1.0 lets them pass.  (The manual says
 * that any action of later versions asks for it; the reference does not do that.) */
static struct error *
check_actions(struct args *a)
{
    const struct xbridge *bridge = a->request.bridge;
    struct act_check check = { .max_ports = OFPP_MAX, .table = 255 };
    struct match match;
    enum ofperr err;

    match_init_catchall(&match);
    match.flow = a->request.flow;
    memset(&match.mask, 0xff, sizeof match.mask);
    check.match = &match;
    check.protocols = a->consistent ? PROTO_ANY & ~PROTO_OF10_ANY : PROTO_ANY;
    err = act_check(&a->acts, &check);
    err = err ? err : check_references(bridge, act_buf_span(&a->acts));
    return err ? error_new("Bad actions: %s", ofperr_name(err)) : NULL;
}

/* Packet, flow: in this order they are looked at, as by the reference, which looks at actions before all else. */
static struct error *
take_request(struct args *a, bool is_packet_out)
{
    const char *packet = NULL;
    struct error *e = NULL;

    if (a->n == 3 || (a->n == 2 && looks_like_packet(a, a->words[1]))) {
        packet = a->words[--a->n]; /* If it is none, take_packet() says why. */
    }
    if (!e && (!a->n || (packet && a->generate))) {
        e = error_new("Syntax error");
    }
    if (!e && packet) {
        e = take_packet(a, packet);
    }
    if (!e) {
        e = take_flow(a, a->words[0], a->n > 1 ? a->words[1] : NULL);
    }
    if (!e) {
        settle_packet(a);
    }
    return e || !is_packet_out ? e : check_actions(a);
}

static struct error *
run(int argc, const char *const argv[], const struct trace_host *host, bool is_packet_out, struct str *reply)
{
    struct args a = { .host = host, .l7 = BYTES_INIT };
    /* In packet-out the last word is the actions, whatever it looks like. */
    struct error *e = take_words(&a, argc - is_packet_out, argv, is_packet_out), *first = NULL;

    act_buf_init(&a.acts);
    if (is_packet_out) {
        first = parse_actions(&a, argv[argc - 1]);
    }
    if (first) {
        error_free(e);
        e = first;
    }
    if (!e) {
        e = take_request(&a, is_packet_out);
    }
    if (!e) {
        bool has_packet = a.request.frame.data && host->apply_effects;
        static const struct act nothing;
        struct xlate_out out;

        a.request.names = a.names;
        a.request.ct_next = a.ct_next;
        a.request.n_ct_next = a.n_ct_next;
        if (is_packet_out) {
            struct act_span acts = act_buf_span(&a.acts);

            a.request.acts = acts.len ? acts.first : &nothing;
            a.request.acts_len = acts.len;
        }
        xlate_out_init(&out);
        trace_request(&a.request, has_packet, &out, reply);
        if (has_packet) {
            host->apply_effects(host->aux, &out);
        }
        xlate_out_uninit(&out);
    }
    bytes_uninit(&a.l7);
    bytes_uninit(&a.request.frame);
    act_buf_uninit(&a.acts);
    return e;
}

struct error *
trace_command(int argc, const char *const argv[], const struct trace_host *host, struct str *reply)
{
    return run(argc, argv, host, false, reply);
}

struct error *
trace_packet_out_command(int argc, const char *const argv[], const struct trace_host *host, struct str *reply)
{
    return run(argc, argv, host, true, reply);
}
