/* A slow interpreter of OpenFlow, written from the specification and ovs-actions(7) for tests of translation: it
 * knows nothing of translation's code, structures or tables.
 *
 * A packet is an array of plain numbers, below NSH with another one under it.  A pipeline is an array of rules with
 * conditions and instructions as they are generated; the text of a rule (for the switch under test) is made from the
 * same description. */
#ifndef OFPROTO_XLATE_ORACLE_H
#define OFPROTO_XLATE_ORACLE_H 1

#include "base/random.h"
#include "base/str.h"

enum oracle_field {
    F_IN_PORT, F_ETH_SRC, F_ETH_DST, F_ETH_TYPE,
    F_IP_SRC, F_IP_DST,
    F_IP6_SRC, F_IP6_DST, F_IP6_SRC_HIGH, F_IP6_DST_HIGH, /* Halves; a range of the lower may reach into the upper. */
    F_IP6_LABEL,
    F_PROTO, F_DSCP, F_ECN, F_TTL,
    F_UDP_SRC, F_UDP_DST, F_TCP_SRC, F_TCP_DST, F_TCP_FLAGS, F_SCTP_SRC, F_SCTP_DST,
    F_ICMP_TYPE, F_ICMP_CODE, F_ICMP6_TYPE, F_ICMP6_CODE, F_ND_TARGET, F_ND_TARGET_HIGH, F_ND_SLL, F_ND_TLL,
    F_ARP_OP, F_ARP_SPA, F_ARP_TPA, F_ARP_SHA, F_ARP_THA,
    F_MPLS_LABEL, F_MPLS_TC, F_MPLS_BOS, F_MPLS_TTL, /* Of the outermost label. */
    F_TCI, /* Of the outer tag, bit 12 set; 0 without one. */
    F_NSH_FLAGS, F_NSH_TTL, F_NSH_MDTYPE, F_NSH_NP, F_NSH_SPI, F_NSH_SI, F_NSH_C1, F_NSH_C2,
    F_REG0, F_REG1, F_REG2, F_METADATA, F_MARK,
    F_TUN_ID, F_TUN_SRC, F_TUN_DST /* 0: through no tunnel. */, F_GBP_ID, F_GBP_FLAGS, F_OPT0, F_OPT1, F_OPT2, F_N
};

/* Options of a tunnel: what the switch's map binds, tun_metadata0 on. */
enum { ORACLE_N_OPTIONS = F_N - F_OPT0, ORACLE_OPTION_CLASS = 0x102, ORACLE_MAX_RAW = 48 };
struct oracle_option {
    uint8_t type, len; /* Bytes. */
};
extern const struct oracle_option oracle_options[ORACLE_N_OPTIONS];

/* Protocols in NSH (RFC 8300 §2.2); types of packets (OpenFlow 1.5 §7.2.3.11). */
enum {
    ORACLE_NP_IPV4 = 1, ORACLE_NP_IPV6 = 2, ORACLE_NP_ETHERNET = 3, ORACLE_NP_NSH = 4,
    ORACLE_NP_MPLS = 5, /* Stays covered. */
    ORACLE_TYPE_IPV4 = 0x0800, ORACLE_TYPE_ARP = 0x0806, ORACLE_TYPE_IPV6 = 0x86dd, ORACLE_TYPE_NSH = 0x894f,
    ORACLE_TYPE_MPLS = 0x8847, ORACLE_TYPE_MPLS_MULTICAST = 0x8848,
    ORACLE_TYPE_FRAME = 0x6558, /* Below a label: an Ethernet frame. */
    ORACLE_ANY_TYPE = -1
};
enum { ORACLE_ICMP = 1, ORACLE_TCP = 6, ORACLE_UDP = 17, ORACLE_ICMP6 = 58, ORACLE_SCTP = 132,
       ORACLE_ND_SOLICIT = 135, ORACLE_ND_ADVERT = 136 };

/* What is below the outermost MPLS label. */
struct oracle_stack {
    uint32_t deeper[8]; /* Labels as they stand in the packet (RFC 3032 §2.1), outermost first. */
    int n_deeper;
    uint64_t payload[F_REG0]; /* Its type and headers. */
};

/* Metadata of NSH, if it is of type 2 (RFC 8300 §2.5.1). */
struct oracle_metadata {
    uint8_t bytes[24], len;
};

/* What is below an NSH header, or below labels in front of an Ethernet header: a packet with headers of its own. */
struct oracle_inner {
    bool no_ethernet;
    uint64_t f[F_REG0];
    uint64_t inner_tci;
    uint16_t tpid, inner_tpid;
    uint32_t deeper[8];
    struct oracle_stack stack;
    struct oracle_metadata metadata;
};

struct oracle_packet {
    uint64_t f[F_N];
    bool no_ethernet;   /* F_ETH_TYPE is its type. */
    uint64_t inner_tci; /* 0 without a second tag. */
    uint16_t tpid, inner_tpid;
    uint16_t len;       /* Of the frame; no limit that is compared with is near, whatever is pushed. */
    uint32_t deeper[8]; /* TPID << 16 | TCI of tags below those, outermost first; 0: none. */
    struct oracle_stack stack;
    struct oracle_metadata metadata;
    bool lost_context; /* Where it has none (NSH of another type than 1), some was set: whether that shows is open. */
    struct oracle_inner below[4]; /* Outermost first. */
    int n_below;
    /* Options: bit N: it has tun_metadataN; and as they stand in the tunnel's header. */
    unsigned int options;
    uint8_t raw[ORACLE_MAX_RAW];
    size_t raw_len;
};

/* Whether a packet with such headers has the field (the prerequisites in ovs-fields(7)). */
bool oracle_has_field(const struct oracle_packet *, enum oracle_field);
/* Fields that the packet does not have become 0. */
void oracle_clear_missing(struct oracle_packet *);

/* Sets the fields of options as the raw ones say: those that are bound and have the length that they should. */
void oracle_read_options(struct oracle_packet *);

/* Whether the field is context of NSH, and the packet's header has none. */
bool oracle_lacks_context(const struct oracle_packet *, enum oracle_field);
/* Metadata for a packet that has such. */
void oracle_random_metadata(struct random *, struct oracle_packet *);

/* A tag more outside; one less.  False if there are too many. */
bool oracle_push_tag(struct oracle_packet *, uint16_t tpid, uint16_t tci);
void oracle_pop_tag(struct oracle_packet *);

/* Whole headers in front, all of whose fields are zero.  False where there is no room, or no such header. */
void oracle_push_ethernet(struct oracle_packet *);
void oracle_pop_ethernet(struct oracle_packet *);
bool oracle_push_nsh(struct oracle_packet *);
bool oracle_pop_nsh(struct oracle_packet *);
bool oracle_push_label(struct oracle_packet *, uint64_t type, uint32_t label);
/* In front of all there is, Ethernet included. */
bool oracle_add_label(struct oracle_packet *, uint64_t type, uint32_t label);
/* False, too, where what is below is of another type. */
bool oracle_pop_label(struct oracle_packet *, uint64_t type);
/* A label as it stands in the packet, and the fields of one that does. */
uint32_t oracle_get_label(const struct oracle_packet *);
void oracle_set_label(struct oracle_packet *, uint32_t label);
/* Whether two packets are the same below NSH and labels. */
bool oracle_same_below(const struct oracle_packet *, const struct oracle_packet *);

struct oracle_range {
    enum oracle_field field;
    unsigned int ofs, n;
};

enum oracle_op {
    OP_OUTPUT, OP_OUTPUT_IN_PORT, OP_OUTPUT_REG, OP_FLOOD, OP_LOAD, OP_MOVE, OP_PUSH, OP_POP, OP_PUSH_VLAN,
    OP_STRIP_VLAN, OP_MOD_VID, OP_MOD_PCP, OP_DEC_TTL, OP_RESUBMIT, OP_CLONE, OP_EXIT, OP_RECIRC, OP_GROUP,
    OP_CHECK_LEN, OP_MULTIPATH, OP_BUNDLE, OP_BUNDLE_LOAD,
    OP_PUSH_MPLS, OP_POP_MPLS, OP_DEC_MPLS_TTL, OP_DELETE_OPTION, OP_ENCAP_ETHERNET,
    OP_ENCAP_NSH, OP_ENCAP_MPLS, OP_DECAP, OP_DEC_NSH_TTL, OP_LEARN,
    OP_NOTE,
    OP_METER, /* First in its rule. */
    OP_CONJUNCTION, /* Alone in its rule: clause 'dst.ofs' of 'dst.n' of conjunction 'value'. */
    /* Instructions: behind all others, in this order. */
    OP_CLEAR, OP_WRITE, OP_METADATA, OP_GOTO
};

enum { ORACLE_MAX_ACTIONS = 6, ORACLE_MAX_CONDITIONS = 10, ORACLE_MAX_RULES = 64, ORACLE_N_TABLES = 4,
       ORACLE_N_PORTS = 4, ORACLE_PATCH_PORT = 5, ORACLE_DOWN_PORT = 4 /* Its link is down. */,
       ORACLE_MAX_OUTPUTS = 512, ORACLE_N_GROUPS = 4, ORACLE_MAX_BUCKETS = 3, ORACLE_N_METERS = 2,
       ORACLE_MAX_CHOICES = 5, ORACLE_MAX_MEMBERS = 4, ORACLE_MAX_LEARNED = 8 };

/* How multipath and bundle choose, by their numbers in the text: any link or member that is alive may be right, but for
 * active_backup, where it is the first one. */
struct oracle_hashing {
    uint8_t fields, algorithm, n; /* Links or members. */
    uint16_t basis;
    uint8_t members[ORACLE_MAX_MEMBERS];
};

/* Metadata that NSH is given: a header of variable length. */
enum { ORACLE_N_TLVS = 2, ORACLE_MAX_TLV = 7 };
struct oracle_tlv {
    uint16_t class;
    uint8_t type, len; /* 'len': 0: not there. */
    uint8_t data[ORACLE_MAX_TLV];
};

/* A rule to be learned: first what it must match to have the fields, as constants; then ranges of the packet, or
 * constants, that it matches, loads, or sends to. */
enum oracle_spec_kind { SPEC_MATCH_VALUE, SPEC_MATCH, SPEC_LOAD_VALUE, SPEC_LOAD, SPEC_OUTPUT };
enum { ORACLE_MAX_SPECS = 9 };
struct oracle_learn {
    int table, priority, n;
    uint64_t cookie;
    unsigned int limit;           /* Of rules with that cookie in the table; 0: none. */
    struct oracle_range result;   /* Whether there was room; n = 0: not asked for. */
    struct oracle_spec {
        enum oracle_spec_kind kind;
        struct oracle_range dst, src;
        uint64_t value;
    } specs[ORACLE_MAX_SPECS];
};

struct oracle_action {
    enum oracle_op op;
    uint64_t value, mask;             /* Port, constant, table... */
    struct oracle_range dst, src;
    struct oracle_hashing hashing;    /* multipath, bundle. */
    struct oracle_learn learn;
    struct oracle_tlv tlvs[ORACLE_N_TLVS]; /* encap(nsh); 'value' is its type of metadata, 0 where that is not said. */
    struct oracle_action *nested;     /* clone, write_actions: owned. */
    int n_nested;
};

struct oracle_condition {
    enum oracle_field field;
    uint64_t value, mask;
};

struct oracle_rule {
    int table, priority;
    int bridge; /* Of what is learned. */
    uint64_t cookie;
    uint32_t conj_id; /* 0: not asked for. */
    int packet_type; /* ORACLE_ANY_TYPE, 0 (Ethernet), or the type of packets without an Ethernet header. */
    struct oracle_condition conditions[ORACLE_MAX_CONDITIONS];
    int n_conditions;
    struct oracle_action actions[ORACLE_MAX_ACTIONS];
    int n_actions;
};

enum oracle_group_type { OG_ALL, OG_INDIRECT, OG_SELECT_FIELDS, OG_SELECT_DP_HASH, OG_FF, OG_N };

struct oracle_bucket {
    uint64_t watch_port, watch_group; /* 0: none. */
    uint64_t weight;
    struct oracle_action actions[3];
    int n_actions;
};

struct oracle_group {
    enum oracle_group_type type;
    struct oracle_bucket buckets[ORACLE_MAX_BUCKETS];
    int n_buckets;                    /* 0: there is no such group. */
};

/* Of a bridge.  Some have another one behind a patch port. */
struct oracle_pipeline {
    int bridge; /* 0: without such a port; 1 and 2: with one. */
    struct oracle_pipeline *peer; /* Of the bridge behind it; null without one.  1 owns 2. */
    bool has_packet_types; /* encap and decap may occur. */
    struct oracle_rule rules[ORACLE_MAX_RULES];
    int n_rules;
    struct oracle_group groups[ORACLE_N_GROUPS]; /* Numbered from 1. */
};

/* A select group may take any bucket that is alive: which one, in each of those that a packet came to.  All zeros are
 * the first way through; the interpreter fills in what there was to choose from. */
struct oracle_choices {
    int chosen[ORACLE_MAX_CHOICES], from[ORACLE_MAX_CHOICES];
    int n;
};

/* Packets as they leave: port and contents, in order. */
struct oracle_output {
    uint32_t port;
    struct oracle_packet packet;
};

struct oracle_result {
    struct oracle_output outputs[ORACLE_MAX_OUTPUTS];
    int n;
    bool took_for_another; /* Not the interpreter: what was below a label was looked at as what it is not. */
    bool gave_up; /* Too deep or too much: nothing may be concluded. */
    int n_ttl;    /* Packets to a controller since their time was up. */
    struct oracle_rule learned[ORACLE_MAX_LEARNED]; /* Not a translation's. */
    int n_learned;
};

/* Make random ones; release, take a rule out. */
void oracle_random_pipeline(struct random *, struct oracle_pipeline *);
void oracle_pipeline_uninit(struct oracle_pipeline *);
void oracle_remove_rule(struct oracle_pipeline *, int i);
/* Whether a rule of it, or of its peer, has that action. */
bool oracle_pipeline_has(const struct oracle_pipeline *, enum oracle_op);
/* Adds a rule that was learned, or changes the one that matches the same.  False if there is no room. */
bool oracle_add_learned(struct oracle_pipeline *, const struct oracle_rule *);
/* Makes what is below labels anew: of the same type, or of any. */
void oracle_random_payload(struct random *, struct oracle_packet *, bool same_type);
/* Makes what is below an NSH header anew, as that says. */
void oracle_random_inner(struct random *, struct oracle_packet *);
/* A packet as it comes in. */
void oracle_random_packet(struct random *, struct oracle_packet *);

/* The rule in the syntax of ovs-ofctl. */
void oracle_rule_text(const struct oracle_rule *, struct str *);

/* The group likewise; nothing if it does not exist. */
void oracle_group_text(const struct oracle_group *, int id, struct str *);

/* Whether the meter drops packets from that port: meter 1 drops none, meter 2 those of odd ports. */
bool oracle_meter_drops(uint64_t meter, uint64_t in_port);

/* Carries the packet through the pipeline. */
void oracle_run(const struct oracle_pipeline *, const struct oracle_packet *, struct oracle_choices *,
                struct oracle_result *);
/* To the next way through; false if that was the last one. */
bool oracle_next_choices(struct oracle_choices *);

#endif
