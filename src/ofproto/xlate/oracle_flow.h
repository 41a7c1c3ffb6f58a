/* The interpreter's packets as flows: what the datapath would find in them, options of tunnels in raw form. */
#ifndef OFPROTO_XLATE_ORACLE_FLOW_H
#define OFPROTO_XLATE_ORACLE_FLOW_H 1

#include "flow/flow.h"
#include "ofproto/xlate/oracle.h"

static inline bool
oracle_is_mpls(const struct oracle_packet *p)
{
    return p->f[F_ETH_TYPE] == ORACLE_TYPE_MPLS || p->f[F_ETH_TYPE] == ORACLE_TYPE_MPLS_MULTICAST;
}

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
    /* A packet has one of those that share a place. */
    flow->nw_src = cpu_to_be32(p->f[F_IP_SRC] | p->f[F_ARP_SPA]);
    flow->nw_dst = cpu_to_be32(p->f[F_IP_DST] | p->f[F_ARP_TPA]);
    put_be64(&flow->ipv6_src.s6[0], p->f[F_IP6_SRC_HIGH]);
    put_be64(&flow->ipv6_src.s6[8], p->f[F_IP6_SRC]);
    put_be64(&flow->ipv6_dst.s6[0], p->f[F_IP6_DST_HIGH]);
    put_be64(&flow->ipv6_dst.s6[8], p->f[F_IP6_DST]);
    put_be64(&flow->nd_target.s6[0], p->f[F_ND_TARGET_HIGH]);
    put_be64(&flow->nd_target.s6[8], p->f[F_ND_TARGET]);
    flow->ipv6_label = cpu_to_be32(p->f[F_IP6_LABEL]);
    flow->arp_sha = eth_addr_from_u64(p->f[F_ARP_SHA] | p->f[F_ND_SLL]);
    flow->arp_tha = eth_addr_from_u64(p->f[F_ARP_THA] | p->f[F_ND_TLL]);
    flow->nw_proto = p->f[F_PROTO] | p->f[F_ARP_OP];
    flow->nw_tos = p->f[F_DSCP] << 2 | p->f[F_ECN];
    flow->nw_ttl = p->f[F_TTL];
    flow->tp_src = cpu_to_be16(p->f[F_UDP_SRC] | p->f[F_TCP_SRC] | p->f[F_SCTP_SRC] | p->f[F_ICMP_TYPE] |
                               p->f[F_ICMP6_TYPE]);
    flow->tp_dst = cpu_to_be16(p->f[F_UDP_DST] | p->f[F_TCP_DST] | p->f[F_SCTP_DST] | p->f[F_ICMP_CODE] |
                               p->f[F_ICMP6_CODE]);
    flow->tcp_flags = cpu_to_be16(p->f[F_TCP_FLAGS]);
    if (oracle_is_mpls(p)) {
        flow->mpls_lse[0] = cpu_to_be32(oracle_get_label(p));
        for (int i = 0; i < MIN(p->stack.n_deeper, FLOW_MPLS_LABELS - 1); i++) {
            flow->mpls_lse[1 + i] = cpu_to_be32(p->stack.deeper[i]);
        }
    }
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

/* What stands at the place of each field of a packet, registers aside: of a mask the bits that matter. */
static inline void
oracle_fields_of_flow(const struct flow *m, uint64_t f[F_N])
{
    memset(f, 0, F_N * sizeof f[0]);
    f[F_IN_PORT] = be32_to_cpu(m->in_port);
    f[F_ETH_SRC] = eth_addr_to_u64(m->eth_src);
    f[F_ETH_DST] = eth_addr_to_u64(m->eth_dst);
    f[F_ETH_TYPE] = be16_to_cpu(m->eth_type);
    f[F_IP_SRC] = f[F_ARP_SPA] = be32_to_cpu(m->nw_src);
    f[F_IP_DST] = f[F_ARP_TPA] = be32_to_cpu(m->nw_dst);
    f[F_IP6_SRC_HIGH] = get_be64(&m->ipv6_src.s6[0]);
    f[F_IP6_SRC] = get_be64(&m->ipv6_src.s6[8]);
    f[F_IP6_DST_HIGH] = get_be64(&m->ipv6_dst.s6[0]);
    f[F_IP6_DST] = get_be64(&m->ipv6_dst.s6[8]);
    f[F_ND_TARGET_HIGH] = get_be64(&m->nd_target.s6[0]);
    f[F_ND_TARGET] = get_be64(&m->nd_target.s6[8]);
    f[F_IP6_LABEL] = be32_to_cpu(m->ipv6_label);
    f[F_ARP_SHA] = f[F_ND_SLL] = eth_addr_to_u64(m->arp_sha);
    f[F_ARP_THA] = f[F_ND_TLL] = eth_addr_to_u64(m->arp_tha);
    f[F_PROTO] = f[F_ARP_OP] = m->nw_proto;
    f[F_DSCP] = m->nw_tos >> 2;
    f[F_ECN] = m->nw_tos & 3;
    f[F_TTL] = m->nw_ttl;
    f[F_UDP_SRC] = f[F_TCP_SRC] = f[F_SCTP_SRC] = f[F_ICMP_TYPE] = f[F_ICMP6_TYPE] = be16_to_cpu(m->tp_src);
    f[F_UDP_DST] = f[F_TCP_DST] = f[F_SCTP_DST] = f[F_ICMP_CODE] = f[F_ICMP6_CODE] = be16_to_cpu(m->tp_dst);
    f[F_TCP_FLAGS] = be16_to_cpu(m->tcp_flags);
    f[F_MPLS_LABEL] = be32_to_cpu(m->mpls_lse[0]) >> 12;
    f[F_MPLS_TC] = be32_to_cpu(m->mpls_lse[0]) >> 9 & 7;
    f[F_MPLS_BOS] = be32_to_cpu(m->mpls_lse[0]) >> 8 & 1;
    f[F_MPLS_TTL] = be32_to_cpu(m->mpls_lse[0]) & 255;
    f[F_NSH_FLAGS] = m->nsh_flags;
    f[F_NSH_TTL] = m->nsh_ttl;
    f[F_NSH_MDTYPE] = m->nsh_mdtype;
    f[F_NSH_NP] = m->nsh_np;
    f[F_NSH_SPI] = be32_to_cpu(m->nsh_path) >> 8;
    f[F_NSH_SI] = be32_to_cpu(m->nsh_path) & 255;
    f[F_NSH_C1] = be32_to_cpu(m->nsh_context[0]);
    f[F_NSH_C2] = be32_to_cpu(m->nsh_context[1]);
    f[F_MARK] = be32_to_cpu(m->pkt_mark);
    f[F_TUN_ID] = be64_to_cpu(m->tun_id);
    f[F_TUN_SRC] = be32_to_cpu(m->tun_src);
    f[F_TUN_DST] = be32_to_cpu(m->tun_dst);
    f[F_GBP_ID] = be16_to_cpu(m->tun_gbp_id);
    f[F_GBP_FLAGS] = m->tun_gbp_flags;
}

#endif
