/* Datapath actions: the list of primitive steps that translation makes of OpenFlow and that a datapath carries out.
 *
 * What it is
 * ----------
 * The one form shared by translation, every datapath, text and the kernel: a string of netlink attributes with the
 * numbers of the kernel's openvswitch module (those that only the userspace datapath has follow after them).  A
 * datapath that wants something faster compiles it when a megaflow is installed.
 *
 * Each attribute is a 4-byte header (length with the header, type; host byte order), its payload, and padding to 4.
 * odp_put_*() append one; odp_for_each walks them safely.  Nested lists (sample, clone, check_pkt_len, ct) are
 * attributes inside attributes, up to ODP_MAX_NESTING deep.
 *
 * Text (odp/text.h) is that of ovs-dpctl(8) and ofproto/trace.
 * Threads: plain values. */
#ifndef ODP_ACTION_H
#define ODP_ACTION_H 1

#include "base/bytes.h"
#include "flow/flow.h"

/* Port numbers of a datapath, a type of their own (OpenFlow's are ofp_port).  Stored in flows as be32. */
typedef struct { uint32_t n; } odp_port;
#define ODP_PORT(N) ((odp_port) { N })
#define ODP_PORT_NONE ODP_PORT(UINT32_MAX)
static inline bool odp_port_equal(odp_port a, odp_port b) { return a.n == b.n; }

enum odp_action {
    ODP_OUTPUT = 1,        /* u32 port */
    ODP_USERSPACE = 2,     /* nested: odp_userspace_attr */
    ODP_SET = 3,           /* nested: one key attribute */
    ODP_PUSH_VLAN = 4,     /* struct odp_push_vlan */
    ODP_POP_VLAN = 5,      /* empty */
    ODP_SAMPLE = 6,        /* nested: odp_sample_attr */
    ODP_RECIRC = 7,        /* u32 recirculation id */
    ODP_HASH = 8,          /* struct odp_hash */
    ODP_PUSH_MPLS = 9,     /* struct odp_push_mpls */
    ODP_POP_MPLS = 10,     /* be16 Ethernet type */
    ODP_SET_MASKED = 11,   /* nested: one key attribute, value then mask */
    ODP_CT = 12,           /* nested */
    ODP_TRUNC = 13,        /* u32 max_len */
    ODP_PUSH_ETH = 14,     /* struct odp_push_eth */
    ODP_POP_ETH = 15,      /* empty */
    ODP_CT_CLEAR = 16,     /* empty */
    ODP_PUSH_NSH = 17,     /* nested: odp_nsh_attr */
    ODP_POP_NSH = 18,      /* empty */
    ODP_METER = 19,        /* u32 meter */
    ODP_CLONE = 20,        /* nested actions */
    ODP_CHECK_PKT_LEN = 21, /* nested */
    ODP_ADD_MPLS = 22,     /* struct odp_add_mpls */
    ODP_DEC_TTL = 23,
    ODP_DROP = 24,         /* u32 reason: see odp/drop_reasons.def */
    ODP_PSAMPLE = 25,
    ODP_TUNNEL_PUSH = 26,  /* userspace only */
    ODP_TUNNEL_POP = 27,
    ODP_LB_OUTPUT = 28,
    ODP_N_ACTIONS
};

/* Lists nested deeper are refused by whoever reads them; translation writes none. */
enum { ODP_MAX_NESTING = 80 };

/* Key attributes, as sets and netlink flows carry them. */
enum odp_key {
    ODP_KEY_ENCAP = 1, ODP_KEY_PRIORITY = 2, ODP_KEY_IN_PORT = 3, ODP_KEY_ETHERNET = 4, ODP_KEY_VLAN = 5,
    ODP_KEY_ETHERTYPE = 6, ODP_KEY_IPV4 = 7, ODP_KEY_IPV6 = 8, ODP_KEY_TCP = 9, ODP_KEY_UDP = 10, ODP_KEY_ICMP = 11,
    ODP_KEY_ICMPV6 = 12, ODP_KEY_ARP = 13, ODP_KEY_ND = 14, ODP_KEY_SKB_MARK = 15, ODP_KEY_TUNNEL = 16,
    ODP_KEY_SCTP = 17, ODP_KEY_TCP_FLAGS = 18, ODP_KEY_DP_HASH = 19, ODP_KEY_RECIRC_ID = 20, ODP_KEY_MPLS = 21,
    ODP_KEY_CT_STATE = 22, ODP_KEY_CT_ZONE = 23, ODP_KEY_CT_MARK = 24, ODP_KEY_CT_LABELS = 25,
    ODP_KEY_CT_ORIG_TUPLE_IPV4 = 26, ODP_KEY_CT_ORIG_TUPLE_IPV6 = 27, ODP_KEY_NSH = 28, ODP_KEY_PACKET_TYPE = 29,
    ODP_KEY_ND_EXTENSIONS = 30
};

/* Payloads. */
struct odp_key_ethernet { struct eth_addr src, dst; };
struct odp_key_ipv4 { be32 src, dst; uint8_t proto, tos, ttl, frag; };
struct odp_key_ipv6 { struct ipv6_addr src, dst; be32 label; uint8_t proto, tclass, hlimit, frag; };
struct odp_key_ports { be16 src, dst; }; /* TCP, UDP, SCTP */
struct odp_key_icmp { uint8_t type, code; };
struct odp_key_arp { be32 sip, tip; be16 op; struct eth_addr sha, tha; uint16_t pad; };
struct odp_key_nd { struct ipv6_addr target; struct eth_addr sll, tll; };
struct odp_key_mpls { be32 lse; };
struct odp_push_vlan { be16 tpid, tci; };
struct odp_push_mpls { be32 lse; be16 ethertype; uint16_t pad; };
struct odp_add_mpls { be32 lse; be16 ethertype; uint16_t flags; };
enum { ODP_ADD_MPLS_BELOW_ETHERNET = 1 }; /* Else the label comes in front of all there is. */
struct odp_key_nsh { uint8_t flags, ttl, mdtype, np; be32 path, context[4]; }; /* See odp/nsh.h for its attributes. */
struct odp_push_eth { struct odp_key_ethernet addresses; };
struct odp_hash { uint32_t algorithm, basis; };

enum odp_userspace_attr { ODP_USERSPACE_PID = 1, ODP_USERSPACE_USERDATA = 2, ODP_USERSPACE_EGRESS_TUN_PORT = 3,
                          ODP_USERSPACE_ACTIONS = 4 };
enum odp_sample_attr { ODP_SAMPLE_PROBABILITY = 1, ODP_SAMPLE_ACTIONS = 2 };

enum odp_check_pkt_len_attr { ODP_CHECK_PKT_LEN_SIZE = 1, /* u16 */ ODP_CHECK_PKT_LEN_GREATER = 2,
                              ODP_CHECK_PKT_LEN_LESS_EQUAL = 3 /* nested actions */ };
enum odp_ct_attr { ODP_CT_COMMIT = 1, ODP_CT_ZONE = 2, /* u16 */ ODP_CT_MARK = 3, /* u32 value, mask */
                   ODP_CT_LABELS = 4, /* 16 bytes value, mask */ ODP_CT_HELPER = 5, /* string */ ODP_CT_NAT = 6,
                   ODP_CT_FORCE_COMMIT = 7, ODP_CT_EVENTMASK = 8, ODP_CT_TIMEOUT = 9 /* string */ };
enum odp_nat_attr { ODP_NAT_SRC = 1, ODP_NAT_DST = 2, ODP_NAT_IP_MIN = 3, ODP_NAT_IP_MAX = 4, /* be32 or IPv6 */
                    ODP_NAT_PROTO_MIN = 5, ODP_NAT_PROTO_MAX = 6, /* u16 */ ODP_NAT_PERSISTENT = 7,
                    ODP_NAT_PROTO_HASH = 8, ODP_NAT_PROTO_RANDOM = 9 };
enum odp_hash_algorithm { ODP_HASH_L4 = 0, ODP_HASH_SYM_L4 = 1 };

struct odp_attr {
    uint16_t len;  /* Bytes, this header included, padding not. */
    uint16_t type; /* enum odp_action, enum odp_key... */
};

static inline const void *odp_attr_data(const struct odp_attr *a) { return a + 1; }
static inline size_t odp_attr_size(const struct odp_attr *a) { return a->len - sizeof *a; }

/* The next attribute of 'c', null at the end or where the bytes are malformed (then c->left is not 0). */
const struct odp_attr *odp_attr_next(struct cursor *c);

#define ODP_FOR_EACH(A, ACTIONS, LEN) \
    for (struct cursor A##_cursor = cursor_make(ACTIONS, LEN); A##_cursor.at; A##_cursor.at = NULL) \
        for (const struct odp_attr *A; (A = odp_attr_next(&A##_cursor)) != NULL;)

/* Append an attribute: with 'n' bytes of payload, empty, a u32.  odp_begin() starts a nested one and returns its offset
 * for odp_end(). */
void odp_put(struct bytes *actions, uint16_t type, const void *payload, size_t n);
void odp_put_flag(struct bytes *actions, uint16_t type);
void odp_put_u32(struct bytes *actions, uint16_t type, uint32_t v);
size_t odp_begin(struct bytes *actions, uint16_t type);
void odp_end(struct bytes *actions, size_t begun);

/* Appends set_masked of key attribute 'key' with 'size' bytes of value and mask. */
void odp_put_set_masked(struct bytes *actions, enum odp_key key, const void *value, const void *mask, size_t size);

/* Append those actions. */
void odp_put_output(struct bytes *actions, odp_port port);
void odp_put_push_vlan(struct bytes *actions, be16 tpid, be16 tci);

/* What travels in the userdata of a "userspace" action and comes back with the upcall (text: odp/text.h). */
enum odp_cookie_type { ODP_COOKIE_UNSPEC, ODP_COOKIE_SFLOW, ODP_COOKIE_SLOW_PATH, ODP_COOKIE_FLOW_SAMPLE,
                       ODP_COOKIE_IPFIX, ODP_COOKIE_CONTROLLER };
struct odp_cookie {
    uint16_t type;               /* enum odp_cookie_type */
    union {
        uint16_t reason;         /* Controller: packet-in reason; slow path: bits of enum slow_path_reason. */
        uint16_t probability;    /* Flow sample. */
        be16 vlan_tci;           /* sFlow. */
    };
    union {
        uint32_t recirc_id;      /* Controller: frozen state to resume. */
        uint32_t collector_set;  /* Flow sample. */
    };
    uint32_t ofp_in_port;
    union {
        uint32_t controller_id;  /* Controller. */
        uint32_t output_port;    /* sFlow: as sFlow encodes it; flow sample and IPFIX: a datapath port. */
    };
    uint16_t max_len;            /* Controller. */
    uint16_t flags;              /* Controller: bit 0 don't send, bit 1 continuation; flow sample: direction, 0 none,
                                  * 1 ingress, 2 egress. */
    uint8_t ofproto_uuid[16];
    union {
        be64 rule_cookie;        /* Controller. */
        struct { uint32_t obs_domain_id, obs_point_id; }; /* Flow sample. */
    };
};

#endif
