/* Header layouts of the protocols that the switch reads and writes, and their numbers.
 *
 * All structs are packed to alignment 2 (or 1), so that they may stand wherever a frame has them; a frame begins at an
 * address that is 2 modulo 4 or better.  Fields are in network order.
 *
 * Standards: IEEE 802.3, 802.1Q; RFC 791, 768, 793 (9293), 792, 826, 2460 (8200), 4443, 4861, 3032, 8300, 9260. */
#ifndef PACKET_HEADERS_H
#define PACKET_HEADERS_H 1

#include "base/addr.h"

#define PACKED2 __attribute__((packed, aligned(2)))

enum {
    ETH_TYPE_IP = 0x0800, ETH_TYPE_ARP = 0x0806, ETH_TYPE_RARP = 0x8035, ETH_TYPE_VLAN = 0x8100,
    ETH_TYPE_QINQ = 0x88a8, ETH_TYPE_IPV6 = 0x86dd, ETH_TYPE_MPLS = 0x8847, ETH_TYPE_MPLS_MCAST = 0x8848,
    ETH_TYPE_NSH = 0x894f, ETH_TYPE_LACP = 0x8809, ETH_TYPE_LLDP = 0x88cc, ETH_TYPE_CFM = 0x8902, ETH_TYPE_TEB = 0x6558,
    ETH_TYPE_MIN = 0x0600,   /* Below: a length (802.3). */
    ETH_TYPE_NOT = 0x05ff    /* What flows hold for 802.3 frames without SNAP (OFP_DL_TYPE_NOT_ETH_TYPE). */
};

enum {
    IP_PROTO_HOPOPTS = 0, IP_PROTO_ICMP = 1, IP_PROTO_IGMP = 2, IP_PROTO_TCP = 6, IP_PROTO_UDP = 17,
    IP_PROTO_ROUTING = 43, IP_PROTO_FRAGMENT = 44, IP_PROTO_GRE = 47, IP_PROTO_AH = 51, IP_PROTO_ICMPV6 = 58,
    IP_PROTO_NONE = 59, IP_PROTO_DSTOPTS = 60, IP_PROTO_SCTP = 132
};

enum { ETH_HEADER_LEN = 14, ETH_MIN_FRAME = 60, VLAN_HEADER_LEN = 4, MPLS_HEADER_LEN = 4, ARP_ETH_LEN = 28,
       IP_HEADER_LEN = 20, IPV6_HEADER_LEN = 40, TCP_HEADER_LEN = 20, UDP_HEADER_LEN = 8, SCTP_HEADER_LEN = 12,
       ICMP_HEADER_LEN = 8 };

struct eth_header {
    struct eth_addr dst, src;
    be16 type;
} PACKED2;

struct vlan_header {
    be16 tci;
    be16 next_type;
} PACKED2;

/* 802.2 LLC and SNAP, after the length. */
struct llc_snap_header {
    uint8_t dsap, ssap, cntl;
    uint8_t org[3];
    be16 type;
} PACKED2;

struct arp_eth_header {
    be16 htype, ptype;
    uint8_t hlen, plen;
    be16 op;
    struct eth_addr sha;
    be32 spa;
    struct eth_addr tha;
    be32 tpa;
} PACKED2;

struct ip_header {
    uint8_t ihl_ver;
    uint8_t tos;
    be16 tot_len;
    be16 id;
    be16 frag_off;
    uint8_t ttl;
    uint8_t proto;
    be16 csum;
    be32 src, dst;
} PACKED2;
enum { IP_DF = 0x4000, IP_MF = 0x2000, IP_OFF_MASK = 0x1fff };

struct ipv6_header {
    be32 ver_tc_flow;
    be16 plen;
    uint8_t next;
    uint8_t hop_limit;
    struct ipv6_addr src, dst;
} PACKED2;

struct ipv6_ext_header {
    uint8_t next;
    uint8_t len; /* In 8 bytes beyond the first 8; AH: in 4 bytes, less 2. */
} PACKED2;

struct ipv6_frag_header {
    uint8_t next, reserved;
    be16 frag_off; /* Offset in the upper 13 bits, M in bit 0. */
    be32 id;
} PACKED2;

struct tcp_header {
    be16 src, dst;
    be32 seq, ack;
    be16 ctl; /* Data offset in the upper 4 bits, flags in the lower 12. */
    be16 window;
    be16 csum;
    be16 urgent;
} PACKED2;

/* Whether of the 'left' bytes at 'tcp' the first are a TCP header, with options, of the length that it says. */
static inline bool
tcp_header_is_whole(const uint8_t *tcp, size_t left)
{
    return left >= sizeof(struct tcp_header) && tcp[12] >> 4 >= 5 && (tcp[12] >> 4) * 4u <= left;
}

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32, TCP_ECE = 64, TCP_CWR = 128 };

struct udp_header {
    be16 src, dst, len, csum;
} PACKED2;

struct sctp_header {
    be16 src, dst;
    be32 tag;
    be32 csum; /* CRC32c, little-endian by tradition (RFC 9260 appendix A). */
} PACKED2;

struct icmp_header {
    uint8_t type, code;
    be16 csum;
    be32 rest;
} PACKED2;

/* Neighbour solicitation and advertisement, after the ICMPv6 header's first 4 bytes. */
struct nd_header {
    be32 reserved; /* Flags of an advertisement in the upper bits. */
    struct ipv6_addr target;
} PACKED2;
struct nd_option {
    uint8_t type, len; /* 'len' in 8 bytes. */
    struct eth_addr mac;
} PACKED2;
enum { ND_SOLICIT = 135, ND_ADVERT = 136, ND_OPT_SLL = 1, ND_OPT_TLL = 2 };

struct igmp_header {
    uint8_t type, code;
    be16 csum;
    be32 group;
} PACKED2;

struct nsh_header {
    be16 ver_flags_ttl_len; /* version 2, O 1, U 1, TTL 6, length in 4 bytes 6 */
    uint8_t md_type;        /* In the lower 4 bits. */
    uint8_t next_proto;
    be32 path;
    be32 context[4];        /* Of MD type 1. */
} PACKED2;
enum { NSH_BASE_LEN = 8, NSH_M_TYPE1_LEN = 24, NSH_M_TYPE1 = 1, NSH_M_TYPE2 = 2 };
enum { NSH_P_IPV4 = 1, NSH_P_IPV6 = 2, NSH_P_ETHERNET = 3, NSH_P_NSH = 4, NSH_P_MPLS = 5 };

static inline bool
eth_type_is_vlan(be16 type)
{
    return type == BE16(ETH_TYPE_VLAN) || type == BE16(ETH_TYPE_QINQ);
}

static inline bool
eth_type_is_mpls(be16 type)
{
    return type == BE16(ETH_TYPE_MPLS) || type == BE16(ETH_TYPE_MPLS_MCAST);
}

#endif
