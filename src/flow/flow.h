/* The header values of a packet, and the registers of the pipeline, as lines.
 *
 * What it is
 * ----------
 * 'struct flow' is the one form in which Weft holds the header fields of a packet: in a datapath key, in the pipeline,
 * in a match (as value and as mask).  It is an array of 64-byte lines.  Line 0 holds what nearly every packet needs;
 * the others hold what some packets have: IPv6, the outer header of a tunnel and its options, connection tracking,
 * MPLS, NSH and a second tag; the last three (registers, metadata) exist in the pipeline only and never in a datapath
 * key.  A bitmap (FLOW_LINE_*) says which lines of a key hold anything; absent lines count as zero.
 *
 * How it works
 * ------------
 * Everything is stored in network byte order, without exception (ports, registers and marks too), so that any field is
 * a string of bits at a bit offset (flow/field.h) and xreg0 is simply reg0 followed by reg1.  Masking, hashing and
 * comparing work on whole lines with no per-field code.  A mask is a 'struct flow' too: 1 bits matter.
 *
 * Fields share storage where prerequisites keep them apart: ARP's op, spa and tpa are in nw_proto, nw_src and nw_dst;
 * sha and tha of ARP are ND's sll and tll; ICMP type and code are in tp_src and tp_dst.
 *
 * 'in_port' is an OpenFlow port in the pipeline and a datapath port in a datapath key.
 *
 * A VLAN header is present if vlan_tci has bit 12 (VLAN_PRESENT) set; its TPID is in vlan_tpid.  eth_type is the type
 * of the payload after the tags.  A packet without an Ethernet header has packet_ns 1 and its type in eth_type.
 *
 * Options of a tunnel's header have three forms: raw in a datapath key, at the places of the bridge's map in the
 * pipeline, and one that describes itself in matches without a map; flow/tun_metadata.h goes from one to another.
 *
 * Threads: plain values.
 * Standards: ovs-fields(7). */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H 1

#include "base/addr.h"
#include "base/be.h"
#include "base/util.h"

#define FLOW_LINE 64
#define FLOW_N_LINES 13
#define FLOW_MPLS_LABELS 3
#define FLOW_N_REGS 32
#define FLOW_TUN_METADATA 256

#define VLAN_PRESENT 0x1000 /* In host order; the CFI bit of the tag, used as "there is a tag". */
#define VLAN_VID_MASK 0x0fff
#define VLAN_PCP_MASK 0xe000
#define VLAN_PCP_SHIFT 13

/* Bits of nw_frag. */
enum { FLOW_FRAG_ANY = 1, FLOW_FRAG_LATER = 2 };

/* Bits of ct_state (ovs-fields(7)). */
enum { CT_NEW = 1, CT_EST = 2, CT_REL = 4, CT_RPL = 8, CT_INV = 16, CT_TRK = 32, CT_SNAT = 64, CT_DNAT = 128 };

/* Bits of tun_flags: 'oam' is the field's; the others travel with the tunnel key only. */
enum { TUN_OAM = 1, TUN_DF = 2, TUN_CSUM = 4, TUN_KEY = 8 };

/* Bits of the line bitmap. */
enum {
    FLOW_LINE_BASE = 1 << 0,
    FLOW_LINE_IPV6 = 1 << 1,
    FLOW_LINE_TUNNEL = 1 << 2,
    FLOW_LINE_TUNNEL_MISC = 1 << 3,
    FLOW_LINE_TUNNEL_OPT = 15 << 4,
    FLOW_LINE_CT = 1 << 8,
    FLOW_LINE_MISC = 1 << 9,
    FLOW_LINE_REGS = 3 << 10,
    FLOW_LINE_PIPELINE = 1 << 12,
    FLOW_LINES_PACKET = 0x3ff, /* Those that a datapath key may have. */
    FLOW_LINES_ALL = 0x1fff
};

struct flow_line {
    uint64_t words[8];
} ALIGNED(FLOW_LINE);

struct flow {
    union {
        struct flow_line lines[FLOW_N_LINES];
        struct {
            /* Line 0: base. */
            be32 in_port;
            be32 recirc_id;
            struct eth_addr eth_dst, eth_src;
            be16 vlan_tpid; /* 0 without a tag. */
            be16 vlan_tci;  /* 0 without a tag. */
            be16 eth_type;
            uint8_t nw_frag;
            uint8_t nw_proto; /* Or the low 8 bits of ARP's opcode. */
            be32 nw_src, nw_dst;
            uint8_t nw_tos; /* DSCP in the upper six bits, ECN below; IPv6's traffic class too. */
            uint8_t nw_ttl;
            be16 tp_src, tp_dst; /* Or ICMP type and code. */
            be16 tcp_flags;      /* 12 bits. */
            uint8_t packet_ns;   /* 0 with an Ethernet header, 1 without. */
            uint8_t ct_state;
            be16 ct_zone;
            be32 ct_mark;
            be32 dp_hash;
            be32 pkt_mark;
            be32 skb_priority;

            /* Line 1: IPv6, ARP and ND. */
            struct ipv6_addr ipv6_src, ipv6_dst;
            struct ipv6_addr nd_target;
            be32 ipv6_label; /* 20 bits. */
            struct eth_addr arp_sha, arp_tha;

            /* Line 2: outer header of a tunnel. */
            be64 tun_id;
            be32 tun_src, tun_dst;
            struct ipv6_addr tun_ipv6_src, tun_ipv6_dst;
            be16 tun_flags;
            uint8_t tun_tos, tun_ttl;
            be16 tun_tp_src, tun_tp_dst;
            be16 tun_gbp_id;
            uint8_t tun_gbp_flags;
            uint8_t tun_erspan_ver;
            be32 tun_erspan_idx;

            /* Line 3: more of the tunnel. */
            uint8_t tun_erspan_dir, tun_erspan_hwid;
            uint8_t tun_gtpu_flags, tun_gtpu_msgtype;
            uint8_t tun_opt_len; /* Bytes of raw options in tun_metadata of a datapath key. */
            uint8_t pad3[3];
            be64 tun_metadata_present; /* Bit N: tun_metadataN is there. */
            /* Of a match without a map of options only (flow/tun_metadata.h). */
            uint8_t tun_loose_ends[FLOW_TUN_METADATA / 8]; /* Bit N: byte N is the last of an option. */
            be64 tun_loose_exact;                          /* Bit N: tun_metadataN is matched exactly. */
            uint8_t pad3b[8];

            /* Lines 4 to 7: tunnel options: raw in a datapath key, by field in the pipeline. */
            uint8_t tun_metadata[FLOW_TUN_METADATA];

            /* Line 8: connection tracking: label and original tuple. */
            uint8_t ct_label[16];
            struct ipv6_addr ct_ipv6_src, ct_ipv6_dst;
            be32 ct_nw_src, ct_nw_dst;
            be16 ct_tp_src, ct_tp_dst;
            uint8_t ct_nw_proto;
            uint8_t pad8[3];

            /* Line 9: MPLS, a second tag, NSH, the rest. */
            be32 mpls_lse[FLOW_MPLS_LABELS]; /* Outermost first. */
            be16 vlan2_tpid, vlan2_tci;
            uint8_t nsh_flags, nsh_ttl, nsh_mdtype, nsh_np;
            be32 nsh_path; /* SPI in the upper 24 bits, SI below. */
            be32 nsh_context[4];
            be32 nd_reserved;
            uint8_t nd_options_type;
            uint8_t pad9[3];
            be32 igmp_group;
            uint8_t pad9b[12];

            /* Lines 10 and 11: registers. */
            be32 regs[FLOW_N_REGS];

            /* Line 12: the rest of the pipeline. */
            be64 metadata;
            be32 actset_output;
            be32 conj_id;
            uint8_t pad12[48];
        };
    };
};

#define FLOW_LINE_OF(MEMBER) (offsetof(struct flow, MEMBER) / FLOW_LINE)
#define FLOW_STARTS_LINE(MEMBER, N) _Static_assert(offsetof(struct flow, MEMBER) == (N) * FLOW_LINE, #MEMBER)
FLOW_STARTS_LINE(in_port, 0);
FLOW_STARTS_LINE(ipv6_src, 1);
FLOW_STARTS_LINE(tun_id, 2);
FLOW_STARTS_LINE(tun_erspan_dir, 3);
FLOW_STARTS_LINE(tun_metadata, 4);
FLOW_STARTS_LINE(ct_label, 8);
FLOW_STARTS_LINE(mpls_lse, 9);
FLOW_STARTS_LINE(regs, 10);
FLOW_STARTS_LINE(metadata, 12);
_Static_assert(sizeof(struct flow) == FLOW_N_LINES * FLOW_LINE, "whole lines");

/* Bitmap of the lines of 'flow' (of those in 'among') that are not all zero. */
uint16_t flow_used_lines(const struct flow *flow, uint16_t among);

/* Whether 'a' and 'b' agree in all bits that 'mask' has. */
bool flow_equal_masked(const struct flow *a, const struct flow *b, const struct flow *mask);

/* Hash of 'flow' under 'mask'. */
uint32_t flow_hash_masked(const struct flow *flow, const struct flow *mask, uint32_t basis);

/* dst = flow & mask; dst |= src; whether all bits of 'inner' are in 'outer'. */
void flow_mask(struct flow *dst, const struct flow *flow, const struct flow *mask);
void flow_or(struct flow *dst, const struct flow *src);
bool flow_mask_is_subset(const struct flow *inner, const struct flow *outer);

/* Makes what 'dst' has of a packet's headers, from the Ethernet addresses on, that of 'src'; null: clears it.  Which
 * kind of packet it is (packet_ns, eth_type) goes along. */
void flow_copy_headers(struct flow *dst, const struct flow *src);

/* Walks the bits of a line bitmap: I runs over their numbers. */
#define FLOW_FOR_EACH_LINE(I, MAP) \
    for (unsigned int I##_map = (MAP), I; I##_map && (I = __builtin_ctz(I##_map), true); I##_map &= I##_map - 1)

/* Forgets what connection tracking said of the packet, in those of 'lines' that there are; the base line is. */
static inline void
flow_clear_conntrack(struct flow *f, uint16_t lines)
{
    f->ct_state = 0;
    f->ct_zone = 0;
    f->ct_mark = 0;
    FLOW_FOR_EACH_LINE (i, lines & FLOW_LINE_CT) {
        memset(&f->lines[i], 0, sizeof f->lines[i]);
    }
}

/* Namespace and type (OpenFlow 1.5, 7.2.3.11); (0,0) with an Ethernet header, whatever the Ethernet type is. */
static inline uint32_t
flow_packet_type(const struct flow *f)
{
    return f->packet_ns ? (uint32_t) f->packet_ns << 16 | be16_to_cpu(f->eth_type) : 0;
}

static inline bool
flow_is_ip(const struct flow *f)
{
    return f->eth_type == BE16(0x0800) || f->eth_type == BE16(0x86dd);
}

static inline bool
flow_is_mpls(const struct flow *f)
{
    return f->eth_type == BE16(0x8847) || f->eth_type == BE16(0x8848);
}

/* Number of MPLS labels that 'flow' shows, at most FLOW_MPLS_LABELS; 0 if its eth_type is not MPLS. */
int flow_count_mpls(const struct flow *flow);

static inline bool flow_has_vlan(const struct flow *f) { return f->vlan_tci & BE16(VLAN_PRESENT); }

#endif
