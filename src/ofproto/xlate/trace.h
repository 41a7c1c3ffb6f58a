/* ofproto/trace and ofproto/trace-packet-out: a translation that tells what it does.
 *
 * What it is: the two control commands as functions of their arguments.  The text is that documented in
 * ovs-vswitchd(8): the flow, the tables and rules that it meets and their actions, the flow at the end, the
 * megaflow, the datapath's actions.
 *
 * How it works: translation reports to a tree (trace_tree.c), which is printed when it is done; trace_flow.c reads
 * and writes the flow, trace_args.c reads the arguments.
 *
 * Register them as control commands of 1 to INT_MAX (packet-out: 2 to INT_MAX) arguments:
 *
 *     error = trace_command(argc, argv, &host, &reply);
 *
 * A packet sent to connection tracking is traced on, as --ct-next says; other recirculations are not followed, as in
 * the reference.
 *
 * Threads: the main thread, in an RCU read section. */
#ifndef OFPROTO_XLATE_TRACE_H
#define OFPROTO_XLATE_TRACE_H 1

#include "ofproto/xlate/xlate.h"

/* What the commands need to know of the switch. */
struct trace_host {
    struct xbridge *(*find_bridge)(void *aux, const char *name); /* Null if there is none. */
    /* The datapath called "ovs-netdev"; with 'name' null the only one.  Null if there is none, or several. */
    struct xdp *(*find_datapath)(void *aux, const char *name);
    /* A packet was given, so what the translation asks for is to happen (not its actions).  Null: it does not. */
    void (*apply_effects)(void *aux, struct xlate_out *);
    void *aux;
};

/* 'argv[0]' is the command's name.  Appends to 'reply'. */
struct error *trace_command(int argc, const char *const argv[], const struct trace_host *,
                            struct str *reply) MUST_CHECK;
struct error *trace_packet_out_command(int argc, const char *const argv[], const struct trace_host *,
                                       struct str *reply) MUST_CHECK;

/* Names of a bridge's ports; 'bridge' may change while it is in use. */
struct trace_names {
    struct port_names ports;
    const struct xbridge *const *bridge;
    struct act_text text;
};
void trace_names_init(struct trace_names *, const struct xbridge *const *bridge);

/* What is to be traced. */
struct trace_request {
    struct xbridge *bridge;
    struct flow flow;          /* in_port: OpenFlow. */
    struct bytes frame;        /* The packet; 'data' null if there is none. */
    const struct act *acts;    /* Null: a packet that came in. */
    size_t acts_len;
    bool names;                /* Ports by name. */
    const uint8_t *ct_next;    /* What connection tracking is taken to say (CT_*), one for each time in order;... */
    size_t n_ct_next;          /* ...behind them the packet begins a connection. */
};

/* Translates and appends the whole output, that of packets sent to connection tracking included; 'out' is initialised
 * and empty, and the caller's afterwards: the result of the packet as it came in. */
void trace_request(const struct trace_request *, bool want_effects, struct xlate_out *out, struct str *reply);

#endif
