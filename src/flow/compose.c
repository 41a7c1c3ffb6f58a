#include "flow/compose.h"

#include "packet/csum.h"
#include "packet/headers.h"

static void
put_payload(struct bytes *b, const void *l7, size_t n)
{
    if (l7) {
        bytes_put(b, l7, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bytes_put_u8(b, i);
    }
}

static void
put_vlans(const struct flow *flow, struct bytes *b)
{
    const be16 tpids[2] = { flow->vlan_tpid, flow->vlan2_tpid }, tcis[2] = { flow->vlan_tci, flow->vlan2_tci };

    for (int i = 0; i < 2 && tcis[i] & BE16(VLAN_PRESENT); i++) {
        bytes_put_be16(b, tpids[i] ? be16_to_cpu(tpids[i]) : ETH_TYPE_VLAN);
        bytes_put_be16(b, be16_to_cpu(tcis[i]) & ~VLAN_PRESENT);
    }
}

static void
put_arp(const struct flow *flow, struct bytes *b)
{
    struct arp_eth_header arp = {
        .htype = BE16(1), .ptype = BE16(ETH_TYPE_IP), .hlen = 6, .plen = 4, .op = cpu_to_be16(flow->nw_proto),
        .sha = flow->arp_sha, .spa = flow->nw_src, .tha = flow->arp_tha, .tpa = flow->nw_dst,
    };

    bytes_put(b, &arp, sizeof arp);
}

static void
put_mpls(const struct flow *flow, struct bytes *b)
{
    for (int i = 0; i < FLOW_MPLS_LABELS; i++) {
        bytes_put(b, &flow->mpls_lse[i], sizeof flow->mpls_lse[i]);
        if (flow->mpls_lse[i] & BE32(0x100)) {
            break;
        }
    }
}

static void
put_nsh(const struct flow *flow, struct bytes *b)
{
    struct nsh_header nsh = { .md_type = flow->nsh_mdtype, .next_proto = flow->nsh_np, .path = flow->nsh_path };
    size_t len = flow->nsh_mdtype == NSH_M_TYPE1 ? NSH_M_TYPE1_LEN : NSH_BASE_LEN;

    nsh.ver_flags_ttl_len = cpu_to_be16((flow->nsh_flags & 3) << 12 | (flow->nsh_ttl & 63) << 6 | len / 4);
    memcpy(nsh.context, flow->nsh_context, sizeof nsh.context);
    bytes_put(b, &nsh, len);
}

static void
put_nd(const struct flow *flow, struct bytes *b)
{
    struct nd_header nd = { .reserved = flow->nd_reserved, .target = flow->nd_target };
    const struct eth_addr macs[2] = { flow->arp_sha, flow->arp_tha };

    bytes_put(b, &nd, sizeof nd);
    for (int i = 0; i < 2; i++) {
        struct nd_option option = { .type = i ? ND_OPT_TLL : ND_OPT_SLL, .len = 1, .mac = macs[i] };

        if (!eth_addr_is_zero(macs[i])) {
            bytes_put(b, &option, sizeof option);
        }
    }
}

static void
put_icmpv6(const struct flow *flow, const void *l7, size_t l7_len, struct bytes *b)
{
    uint8_t type = be16_to_cpu(flow->tp_src), code = be16_to_cpu(flow->tp_dst);

    bytes_put_u8(b, type);
    bytes_put_u8(b, code);
    bytes_put_be16(b, 0);
    if (!code && (type == ND_SOLICIT || type == ND_ADVERT)) {
        put_nd(flow, b);
    } else {
        bytes_put_be32(b, 0);
        if (type == 128 || type == 129) {
            put_payload(b, l7, l7_len);
        }
    }
}

static void
put_icmp(const struct flow *flow, const void *l7, size_t l7_len, struct bytes *b)
{
    uint8_t type = be16_to_cpu(flow->tp_src);

    bytes_put_u8(b, type);
    bytes_put_u8(b, be16_to_cpu(flow->tp_dst));
    bytes_put_zeros(b, 6);
    if (type == 0 || type == 8) {
        put_payload(b, l7, l7_len);
    }
}

static void
put_tcp(const struct flow *flow, const void *l7, size_t l7_len, struct bytes *b)
{
    struct tcp_header tcp = { .src = flow->tp_src, .dst = flow->tp_dst,
                              .ctl = BE16(5 << 12) | (flow->tcp_flags & BE16(0xfff)) };

    bytes_put(b, &tcp, sizeof tcp);
    if (!(flow->tcp_flags & BE16(TCP_SYN | TCP_FIN | TCP_RST))) {
        put_payload(b, l7, l7_len);
    }
}

static void
put_l4(const struct flow *flow, const void *l7, size_t l7_len, struct bytes *b)
{
    bool ipv6 = flow->eth_type == BE16(ETH_TYPE_IPV6);

    if (flow->nw_frag & FLOW_FRAG_LATER) {
        return;
    }
    if (flow->nw_proto == IP_PROTO_TCP) {
        put_tcp(flow, l7, l7_len, b);
    } else if (flow->nw_proto == IP_PROTO_UDP) {
        struct udp_header udp = { .src = flow->tp_src, .dst = flow->tp_dst, .len = cpu_to_be16(sizeof udp + l7_len) };

        bytes_put(b, &udp, sizeof udp);
        put_payload(b, l7, l7_len);
    } else if (flow->nw_proto == IP_PROTO_SCTP) {
        struct sctp_header sctp = { .src = flow->tp_src, .dst = flow->tp_dst };

        bytes_put(b, &sctp, sizeof sctp);
    } else if (flow->nw_proto == IP_PROTO_ICMP && !ipv6) {
        put_icmp(flow, l7, l7_len, b);
    } else if (flow->nw_proto == IP_PROTO_ICMPV6 && ipv6) {
        put_icmpv6(flow, l7, l7_len, b);
    } else if (flow->nw_proto == IP_PROTO_IGMP && !ipv6) {
        struct igmp_header igmp = { .type = be16_to_cpu(flow->tp_src), .code = be16_to_cpu(flow->tp_dst),
                                    .group = flow->igmp_group };

        bytes_put(b, &igmp, sizeof igmp);
    }
}

static void
store_be16(void *p, be16 v)
{
    memcpy(p, &v, sizeof v);
}

/* Fills in the transport checksum of the 'n' bytes at 'l4'; 'pseudo' is the sum of the pseudo-header. */
static void
fix_l4(uint8_t proto, bool ipv6, uint8_t *l4, size_t n, uint32_t pseudo, be16 spoil)
{
    static const struct { uint8_t proto, csum_at, pseudo, v4, v6; } layouts[] = {
        { IP_PROTO_TCP, 16, 1, 1, 1 }, { IP_PROTO_UDP, 6, 1, 1, 1 }, { IP_PROTO_ICMP, 2, 0, 1, 0 },
        { IP_PROTO_IGMP, 2, 0, 1, 0 }, { IP_PROTO_ICMPV6, 2, 1, 0, 1 },
    };

    if (proto == IP_PROTO_UDP && n >= UDP_HEADER_LEN) {
        put_be16(l4 + 4, n);
    }
    if (proto == IP_PROTO_SCTP && n >= SCTP_HEADER_LEN) {
        be32 crc = csum_sctp(l4, n) ^ spoil;

        memcpy(l4 + 8, &crc, sizeof crc);
    }
    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        if (layouts[i].proto == proto && (ipv6 ? layouts[i].v6 : layouts[i].v4) && n >= layouts[i].csum_at + 2u) {
            be16 csum;

            store_be16(l4 + layouts[i].csum_at, 0);
            csum = csum_finish(csum_add(layouts[i].pseudo ? pseudo : 0, l4, n));
            if (proto == IP_PROTO_UDP && !csum) {
                csum = BE16_MAX;
            }
            store_be16(l4 + layouts[i].csum_at, csum ^ spoil);
        }
    }
}

/* Sets lengths and checksums of the IP packet that starts at 'l3' and reaches to the end of 'b'. */
static void
fix_ip(const struct flow *flow, size_t l3, size_t l4, bool bad_csum, struct bytes *b)
{
    bool ipv6 = flow->eth_type == BE16(ETH_TYPE_IPV6), later = flow->nw_frag & FLOW_FRAG_LATER;
    uint8_t *p = bytes_at(b, l3);
    size_t n = b->len - l4;
    be16 spoil = bad_csum ? BE16_MAX : 0;
    uint32_t pseudo;

    if (ipv6) {
        put_be16(p + 4, b->len - l3 - IPV6_HEADER_LEN);
        pseudo = csum_pseudo_ipv6(&flow->ipv6_src, &flow->ipv6_dst, flow->nw_proto, n);
    } else {
        struct ip_header *ip = (struct ip_header *) p;

        ip->tot_len = cpu_to_be16(b->len - l3);
        ip->csum = 0;
        ip->csum = csum_bytes(ip, sizeof *ip) ^ spoil;
        pseudo = csum_pseudo_ipv4(flow->nw_src, flow->nw_dst, flow->nw_proto, n);
    }
    if (!later) {
        fix_l4(flow->nw_proto, ipv6, bytes_at(b, l4), n, pseudo, spoil);
    }
}

static void
put_ipv4_header(const struct flow *flow, struct bytes *b)
{
    struct ip_header ip = { .ihl_ver = 0x45, .tos = flow->nw_tos, .ttl = flow->nw_ttl, .proto = flow->nw_proto,
                            .src = flow->nw_src, .dst = flow->nw_dst };

    if (flow->nw_frag & FLOW_FRAG_ANY) {
        ip.frag_off = flow->nw_frag & FLOW_FRAG_LATER ? BE16(IP_MF | 100) : BE16(IP_MF);
    }
    bytes_put(b, &ip, sizeof ip);
}

/* A fragment header stands where the flow says "fragment", which the reference's compose leaves out. */
static void
put_ipv6_header(const struct flow *flow, struct bytes *b)
{
    struct ipv6_header ip = { .next = flow->nw_proto, .hop_limit = flow->nw_ttl, .src = flow->ipv6_src,
                              .dst = flow->ipv6_dst };
    struct ipv6_frag_header frag = { .next = flow->nw_proto };

    ip.ver_tc_flow = cpu_to_be32(UINT32_C(6) << 28 | (uint32_t) flow->nw_tos << 20)
                     | (flow->ipv6_label & BE32(0xfffff));
    if (flow->nw_frag & FLOW_FRAG_ANY) {
        ip.next = IP_PROTO_FRAGMENT;
        frag.frag_off = flow->nw_frag & FLOW_FRAG_LATER ? BE16(100 << 3 | 1) : BE16(1);
    }
    bytes_put(b, &ip, sizeof ip);
    if (flow->nw_frag & FLOW_FRAG_ANY) {
        bytes_put(b, &frag, sizeof frag);
    }
}

static void
put_ip(const struct flow *flow, const void *l7, size_t l7_len, bool bad_csum, struct bytes *b)
{
    size_t l3 = b->len, l4;

    if (flow->eth_type == BE16(ETH_TYPE_IPV6)) {
        put_ipv6_header(flow, b);
    } else {
        put_ipv4_header(flow, b);
    }
    l4 = b->len;
    put_l4(flow, l7, l7_len, b);
    fix_ip(flow, l3, l4, bad_csum, b);
}

void
flow_compose(const struct flow *flow, const void *l7, size_t l7_len, bool bad_csum, struct bytes *frame)
{
    be16 type = flow->eth_type;

    if (!flow->packet_ns) {
        bytes_put(frame, &flow->eth_dst, 6);
        bytes_put(frame, &flow->eth_src, 6);
        put_vlans(flow, frame);
        if (type == BE16(ETH_TYPE_NOT)) {
            bytes_put_be16(frame, frame->len + 2); /* An 802.3 length: with the header, as the reference has it. */
            return;
        }
        bytes_put(frame, &type, sizeof type);
    }
    if (flow_is_ip(flow)) {
        put_ip(flow, l7, l7_len, bad_csum, frame);
    } else if (type == BE16(ETH_TYPE_ARP) || type == BE16(ETH_TYPE_RARP)) {
        put_arp(flow, frame);
    } else if (eth_type_is_mpls(type)) {
        put_mpls(flow, frame);
    } else if (type == BE16(ETH_TYPE_NSH)) {
        put_nsh(flow, frame);
    }
}

void
flow_compose_resize(const struct flow *flow, size_t size, struct bytes *frame)
{
    bool ipv6 = flow->eth_type == BE16(ETH_TYPE_IPV6);
    size_t l3 = flow->packet_ns ? 0 : ETH_HEADER_LEN, l4;

    l3 += flow_has_vlan(flow) ? VLAN_HEADER_LEN : 0;
    l3 += flow_has_vlan(flow) && flow->vlan2_tci & BE16(VLAN_PRESENT) ? VLAN_HEADER_LEN : 0;
    l4 = l3 + (ipv6 ? IPV6_HEADER_LEN : IP_HEADER_LEN);
    l4 += ipv6 && flow->nw_frag & FLOW_FRAG_ANY ? sizeof(struct ipv6_frag_header) : 0;
    if (size > frame->len) {
        bytes_put_zeros(frame, size - frame->len);
    } else {
        bytes_truncate(frame, size);
    }
    if (flow_is_ip(flow) && frame->len >= l4) {
        fix_ip(flow, l3, l4, false, frame);
    }
}
