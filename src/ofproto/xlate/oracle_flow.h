/* The interpreter's packets as flows: what the datapath would find in them, options of tunnels in raw form. */
#ifndef OFPROTO_XLATE_ORACLE_FLOW_H
#define OFPROTO_XLATE_ORACLE_FLOW_H 1

#include "flow/flow.h"
#include "ofproto/xlate/oracle.h"

static inline void
oracle_packet_to_flow(const struct oracle_packet *p, struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->in_port = cpu_to_be32(p->f[F_IN_PORT]);
    flow->eth_src = eth_addr_from_u64(p->f[F_ETH_SRC]);
    flow->eth_dst = eth_addr_from_u64(p->f[F_ETH_DST]);
    flow->packet_ns = p->no_ethernet;
    flow->eth_type = cpu_to_be16(p->f[F_ETH_TYPE]);
    flow->vlan_tci = cpu_to_be16(p->f[F_TCI]);
    flow->vlan_tpid = cpu_to_be16(p->tpid);
    flow->vlan2_tci = cpu_to_be16(p->inner_tci);
    flow->vlan2_tpid = cpu_to_be16(p->inner_tpid);
    flow->nw_src = cpu_to_be32(p->f[F_IP_SRC]);
    flow->nw_dst = cpu_to_be32(p->f[F_IP_DST]);
    flow->nw_proto = p->f[F_PROTO];
    flow->nw_tos = p->f[F_DSCP] << 2 | p->f[F_ECN];
    flow->nw_ttl = p->f[F_TTL];
    flow->tp_src = cpu_to_be16(p->f[F_TP_SRC]);
    flow->tp_dst = cpu_to_be16(p->f[F_TP_DST]);
    flow->nsh_flags = p->f[F_NSH_FLAGS];
    flow->nsh_ttl = p->f[F_NSH_TTL];
    flow->nsh_mdtype = p->f[F_NSH_MDTYPE];
    flow->nsh_np = p->f[F_NSH_NP];
    flow->nsh_path = cpu_to_be32(p->f[F_NSH_SPI] << 8 | p->f[F_NSH_SI]);
    flow->nsh_context[0] = cpu_to_be32(p->f[F_NSH_C1]);
    flow->nsh_context[1] = cpu_to_be32(p->f[F_NSH_C2]);
    flow->pkt_mark = cpu_to_be32(p->f[F_MARK]);
    flow->tun_id = cpu_to_be64(p->f[F_TUN_ID]);
    flow->tun_src = cpu_to_be32(p->f[F_TUN_SRC]);
    flow->tun_dst = cpu_to_be32(p->f[F_TUN_DST]);
    flow->tun_gbp_id = cpu_to_be16(p->f[F_GBP_ID]);
    flow->tun_gbp_flags = p->f[F_GBP_FLAGS];
    flow->tun_opt_len = p->raw_len;
    memcpy(flow->tun_metadata, p->raw, p->raw_len);
}

#endif
