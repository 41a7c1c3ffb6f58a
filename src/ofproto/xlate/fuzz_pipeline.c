/* Fuzz target: packets through random pipelines.
 *
 * An input is the number of a pipeline (2 bytes), the port (1), the packet type (1: Ethernet, IPv4, IPv6, NSH, MPLS)
 * and the packet.  The pipeline is the interpreter's (oracle.h) with rules from the list below strewn in, on a bridge
 * with a patch port to another one and back.  What comes back from the datapath (recirculation, connection tracking) is
 * translated again.  Nothing is compared: what translation does is held by property_test.c; here it must end, within
 * its bounds, and write actions that can be printed and carried out. */
#include <stdlib.h>

#include "flow/extract.h"
#include "odp/action.h"
#include "odp/frame.h"
#include "odp/text.h"
#include "ofproto/xlate/oracle_flow.h"
#include "ofproto/xlate/run_sim.h"
#include "ofproto/xlate/sim.h"
#include "sys/log.h"
#include "sys/rcu.h"

enum { HEAD = 4, N_STREWN = 10, MAX_RECIRCULATIONS = 4, MAX_TRANSLATIONS = 64 };

static const char *const strewn[] = {
    "push_mpls:0x8847,load:5->OXM_OF_MPLS_LABEL[],push_mpls:0x8848,dec_mpls_ttl,output:2",
    "pop_mpls:0x0800,dec_ttl,resubmit(,1)", "pop_mpls:0x8847,resubmit(,2)", "pop_mpls:0x894f,decap(),resubmit(,1)",
    "dec_mpls_ttl,set_mpls_ttl(3),output:3", "pop_mpls:0x86dd,move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[],output:1",
    "encap(nsh(md_type=1)),set_field:0x123->nsh_spi,encap(ethernet),output:2",
    "encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),dec_nsh_ttl,encap(ethernet),resubmit(,2)",
    "decap(),resubmit(,1)", "decap(),decap(),resubmit(,0)", "encap(ethernet),output:3", "dec_nsh_ttl,output:3",
    "encap(mpls),encap(ethernet),output:1", "decap(packet_type(ns=1,type=0x8847)),output:2",
    "ct(commit,zone=1,nat(src=10.0.0.1-10.0.0.9:1-99),exec(load:1->NXM_NX_CT_MARK[])),output:2", "ct(table=1,nat)",
    "ct(commit,force,table=2,alg=ftp)", "ct_clear,resubmit(,3)", "normal", "output:9", "in_port,output:9",
    "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],load:2->NXM_OF_ARP_OP[],in_port",
    "multipath(symmetric_l3l4+udp,50,iter_hash,12,7,NXM_NX_REG0[0..3]),resubmit(,2)",
    "bundle(symmetric_l4,0,hrw,ofport,members:1,2,3)",
    "learn(table=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,1)",
    "controller(pause,userdata=01.02),output:1", "controller(max_len=64),output:2",
    "fin_timeout(idle_timeout=3),output:3",
    "sample(probability=9,collector_set_id=1,sampling_port=2),output:3", "output(port=2,max_len=60),output:1",
    "check_pkt_larger(64)->NXM_NX_REG0[0],resubmit(,1),write_actions(output:3)", "debug_slow,output:1",
    "load:7->NXM_NX_TUN_ID[],load:0x0a000001->NXM_NX_TUN_IPV4_DST[],output:1", "enqueue:2:5", "pop_queue,dec_ttl(1,2)",
    "set_field:::1->ipv6_dst,set_field:3->ip_dscp,output:1", "mod_tp_dst:99,mod_nw_tos:252,output:2",
    "set_field:9->icmp_type,output:1", "set_field:1/1->tcp_flags,output:1", "delete_field:tun_metadata0,output:2",
};

static void
strew(struct random *r, struct xbridge *b)
{
    for (int i = 0; i < N_STREWN; i++) {
        char *text = xasprintf("table=%d,priority=%d%s,actions=%s", (int) random_below(r, ORACLE_N_TABLES),
                               (int) random_below(r, 200), random_below(r, 2) ? "" : ",in_port=1",
                               strewn[random_below(r, ARRAY_SIZE(strewn))]);

        free(sim_add_flow_directly(b, text)); /* Some need a match: they are refused. */
        free(text);
    }
}

static void
add_pipeline(struct xbridge *b, unsigned int number)
{
    struct oracle_pipeline p;
    struct str s = STR_INIT;
    struct random r;

    random_seed(&r, number);
    oracle_random_pipeline(&r, &p);
    for (int i = 0; i < p.n_rules; i++) {
        str_clear(&s);
        oracle_rule_text(&p.rules[i], &s);
        free(sim_add_flow_directly(b, str_text(&s)));
    }
    for (int id = 1; id <= ORACLE_N_GROUPS; id++) {
        str_clear(&s);
        oracle_group_text(&p.groups[id - 1], id, &s);
        if (s.len) {
            free(sim_add_group(b, str_text(&s)));
        }
    }
    strew(&r, b);
    str_uninit(&s);
    oracle_pipeline_uninit(&p);
}

static struct xbridge *
bridge_with_pipeline(unsigned int number)
{
    static const char *const lines[] = {
        "bridge br0", "bridge br1", "port br0 p1 1", "port br0 p2 2", "port br0 p3 3", "port br0 p4 4", "meter br0 1",
        "patch br0 x0 9 br1 x1 9", "samples br0",
    };
    static struct sim sim;
    static unsigned int present = UINT32_MAX;
    struct xbridge *b;

    if (!sim.next_odp_port) {
        rcu_thread_register();
        log_set_levels(-1, LOG_LEVEL_OFF);
        sim_init(&sim);
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
            if (!sim_run_line(&sim, lines[i])) {
                abort();
            }
        }
    }
    b = sim_find_bridge(&sim, "br0");
    if (number != present) {
        sim_delete_flows(b);
        sim_delete_flows(sim_find_bridge(&sim, "br1"));
        add_pipeline(b, number);
        add_pipeline(sim_find_bridge(&sim, "br1"), number + 1);
        rcu_quiescent();
        present = number;
    }
    return b;
}

/* What is printed can be parsed, and means the same. */
static void
check_text(const struct xlate_out *out, const char *text)
{
    struct bytes parsed = BYTES_INIT;
    struct error *e = out->actions.len ? odp_actions_parse(text, NULL, &parsed) : NULL;
    struct str again = STR_INIT;

    odp_actions_format(&again, parsed.data, parsed.len, NULL);
    if (e || strcmp(str_text(&again), text)) {
        fprintf(stderr, "%s\n%s\n%s\n", text, str_text(&again), e ? error_take_text(e) : "differs");
        abort();
    }
    str_uninit(&again);
    bytes_uninit(&parsed);
}

static void translate(struct xbridge *, const struct flow *, const struct bytes *packet, int depth, int *n_left);

/* The packet as the actions leave it, for each state that it may come back with. */
static void
recirculate(struct xbridge *b, const struct xlate_out *out, const struct flow *flow, const struct bytes *packet,
            int depth, int *n_left)
{
    struct bytes changed = BYTES_INIT;
    struct flow_offsets offsets;

    bytes_put(&changed, packet->data, packet->len);
    if (!flow->packet_ns) {
        odp_apply_to_frame(&changed, out->actions.data, out->actions.len);
    }
    for (size_t i = 0; i < out->n_frozen && depth < MAX_RECIRCULATIONS && *n_left > 0; i++) {
        struct flow again;

        flow_extract_full(changed.data, changed.len, flow, &again, &offsets);
        again.recirc_id = cpu_to_be32(out->frozen[i]->id);
        again.dp_hash = cpu_to_be32(depth * 7);
        translate(b, &again, &changed, depth + 1, n_left);
    }
    bytes_uninit(&changed);
}

static void
translate(struct xbridge *b, const struct flow *flow, const struct bytes *packet, int depth, int *n_left)
{
    struct xlate_in in = { .bridge = b, .flow = flow, .tables_version = b->tables_version, .packet_len = packet->len };
    struct str s = STR_INIT;
    struct xlate_out out;

    --*n_left;
    xlate_out_init(&out);
    sim_xlate(&in, xlate_runs_mine(), &out);
    odp_actions_format(&s, out.actions.data, out.actions.len, NULL);
    check_text(&out, str_text(&s));
    recirculate(b, &out, flow, packet, depth, n_left);
    str_uninit(&s);
    xlate_out_uninit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = { 0, 0x0800, 0x86dd, 0x894f, 0x8847 };
    int n_left = MAX_TRANSLATIONS;
    struct bytes packet = BYTES_INIT;
    struct flow_offsets offsets;
    struct flow md, flow;
    struct xbridge *b;
    uint16_t type;

    if (size < HEAD || size > UINT16_MAX) {
        return 0;
    }
    b = bridge_with_pipeline(get_be16(data) % 512);
    type = types[data[3] % ARRAY_SIZE(types)];
    memset(&md, 0, sizeof md);
    md.in_port = cpu_to_be32(1 + data[2] % ORACLE_N_PORTS);
    md.packet_ns = type != 0;
    md.eth_type = cpu_to_be16(type);
    bytes_put(&packet, data + HEAD, size - HEAD);
    flow_extract_full(packet.data, packet.len, &md, &flow, &offsets);
    translate(b, &flow, &packet, 0, &n_left);
    bytes_uninit(&packet);
    rcu_quiescent();
    return 0;
}
