/* OpenFlow actions: what a flow does with a packet.
 *
 * What it is
 * ----------
 * One internal form for the actions and instructions of every version of OpenFlow and its extensions: a sequence of
 * structures, packed into bytes.  Each begins with 'struct act' (which action, how long) on an 8-byte boundary, so a
 * sequence is one piece of memory that can be copied, compared with memcmp() and kept with a rule.  Actions that hold
 * actions (clone, ct, write_actions) hold such a sequence as their tail.  Instructions stand in the same sequence,
 * after the actions (meter before them): apply_actions is implicit.
 *
 * How it works
 * ------------
 * actions.def has a row for each action, wire.def one for each of its forms on the wire, text.def one for each of its
 * names in text.  A driver (action.c, decode.c, text.c) knows the rows: it checks version, length and padding, finds
 * the action, and calls the handlers of 'struct act_ops' (ops.h), which live in one file per family.  A translation
 * that depends on the version (set_field for a deprecated setter, and so on) is the encoder's, in the family.
 *
 * Consistency with a match is act_check(): prerequisites, writable fields, ports, tables.
 *
 * Building: act_put() appends one; a sequence is built in a 'struct act_buf'.  Pointers into it are valid until the
 * next put.  Everything built is zeroed first, so that equal actions have equal bytes.
 *
 * Threads: plain values.
 * Limits: one action is at most 65,535 bytes on the wire; actions nest at most ACT_MAX_DEPTH deep.
 * Standards: OpenFlow 1.0 to 1.5; ovs-actions(7). */
#ifndef OPENFLOW_ACTION_ACTION_H
#define OPENFLOW_ACTION_ACTION_H 1

#include "base/bytes.h"
#include "base/error.h"
#include "flow/match.h"
#include "openflow/error.h"
#include "openflow/port.h"
#include "openflow/protocol.h"

enum act_type {
#define ACTION(ENUM, NAME, KIND) ACT_##ENUM,
#include "openflow/action/actions.def"
    ACT_N
};

enum { ACT_ALIGN = 8, ACT_MAX_DEPTH = 16 };

/* The head of every action. */
struct act {
    uint16_t type; /* enum act_type. */
    uint16_t form; /* How it was written or received, where that shows again (enum act_form; 0 if it does not). */
    uint32_t len;  /* Bytes with this head and nested actions, without the padding to ACT_ALIGN. */
};

/* A sequence of actions somewhere in memory. */
struct act_span {
    const struct act *first; /* Null if 'len' is 0. */
    size_t len;              /* Bytes, with all padding. */
};

/* One after another.  END is the address behind the last. */
static inline const struct act *
act_next(const struct act *a)
{
    return (const struct act *) ((const char *) a + ROUND_UP(a->len, ACT_ALIGN));
}

#define ACT_FOR_EACH(A, SPAN) \
    for (const struct act *A = (SPAN).first, *A##_end = act_span_end(SPAN); A != A##_end; A = act_next(A))

static inline const struct act *
act_span_end(struct act_span s)
{
    return s.len ? (const struct act *) ((const char *) s.first + s.len) : s.first;
}

/* The actions from byte 'ofs' of 'a' on: the tail of an action that holds others. */
static inline struct act_span
act_tail(const struct act *a, size_t ofs)
{
    return (struct act_span) { (const struct act *) ((const char *) a + ofs), a->len - ofs };
}

/* Building. */

struct act_buf {
    struct bytes bytes; /* Always whole actions, padded. */
};

#define ACT_BUF_INIT { BYTES_INIT }

/* Prepares an empty list; releases its memory; empties it and keeps the memory. */
void act_buf_init(struct act_buf *b);
void act_buf_uninit(struct act_buf *b);
void act_buf_clear(struct act_buf *b);

/* What was built; valid until the next change. */
struct act_span act_buf_span(const struct act_buf *b);

/* Hands it over: 'first' is to be released with free(), null if there is nothing.  The buffer is empty then. */
struct act_span act_buf_steal(struct act_buf *b) MUST_CHECK;

/* Appends an action of 'len' bytes (its struct, and a variable part if it has one), zeroed but for its head. */
void *act_put(struct act_buf *b, enum act_type type, size_t len);

/* Appends a copy of whole actions. */
void act_put_span(struct act_buf *b, struct act_span s);

/* An action of variable length that grows while others are put behind it: act_open() is act_put() that returns the
 * offset for the calls that follow; act_grow() adds 'n' zeroed bytes to it and returns their address; act_close() takes
 * all that was put since into it. */
size_t act_open(struct act_buf *b, enum act_type type, size_t len);
void *act_grow(struct act_buf *b, size_t ofs, size_t n);
void *act_close(struct act_buf *b, size_t ofs);
static inline void *act_at(const struct act_buf *b, size_t ofs) { return bytes_at(&b->bytes, ofs); }

/* A copy on the heap, to be released with free() ('*first' null if empty). */
struct act_span act_span_clone(struct act_span s);
bool act_span_equal(struct act_span a, struct act_span b);

/* The actions.  Each begins with its head 'act'. */

struct act_output {
    struct act act;
    ofp_port port;
    uint16_t max_len; /* For OFPP_CONTROLLER: bytes of the packet to send. */
};

struct act_output_reg {
    struct act act;
    struct subfield src;
    uint16_t max_len;
};

struct act_output_trunc {
    struct act act;
    ofp_port port;
    uint32_t max_len;
};

struct act_controller {
    struct act act;
    uint16_t max_len;
    uint16_t controller_id;
    uint8_t reason; /* OFPR_*. */
    bool pause;
    bool has_meter; /* 'meter_id' was given. */
    uint16_t userdata_len;
    uint32_t meter_id;
    uint8_t userdata[];
};

struct act_enqueue {
    struct act act;
    ofp_port port;
    uint32_t queue;
};

struct act_group {
    struct act act;
    uint32_t group_id;
};

/* What multipath and bundle hash. */
enum hash_fields {
    HASH_ETH_SRC, HASH_SYMMETRIC_L4, HASH_SYMMETRIC_L3L4, HASH_SYMMETRIC_L3L4_UDP, HASH_NW_SRC, HASH_NW_DST,
    HASH_SYMMETRIC_L3, HASH_N_FIELDS
};

enum bundle_algorithm { BUNDLE_ACTIVE_BACKUP, BUNDLE_HRW };

/* bundle, and bundle_load if dst.field is not null. */
struct act_bundle {
    struct act act;
    uint8_t algorithm; /* enum bundle_algorithm. */
    uint8_t fields;    /* enum hash_fields. */
    uint16_t basis;
    uint32_t n_members;
    struct subfield dst;
    ofp_port members[];
};

struct act_push_vlan {
    struct act act;
    be16 ethertype;
};

struct act_strip_vlan {
    struct act act;
};

struct act_set_vlan_vid {
    struct act act;
    uint16_t vid;
    bool push_if_needed; /* mod_vlan_vid adds a tag where there is none. */
    bool flow_has_vlan;  /* Set by act_check(): there surely is a tag at this point. */
};

struct act_set_vlan_pcp {
    struct act act;
    uint8_t pcp;
    bool push_if_needed;
    bool flow_has_vlan;
};

struct act_set_eth_src {
    struct act act;
    struct eth_addr mac;
};

struct act_set_eth_dst {
    struct act act;
    struct eth_addr mac;
};

struct act_set_ipv4_src {
    struct act act;
    be32 ip;
};

struct act_set_ipv4_dst {
    struct act act;
    be32 ip;
};

struct act_set_ip_dscp {
    struct act act;
    uint8_t tos; /* DSCP in the upper six bits; the lower two are zero. */
};

struct act_set_ip_ecn {
    struct act act;
    uint8_t ecn;
};

struct act_set_ip_ttl {
    struct act act;
    uint8_t ttl;
};

struct act_dec_ttl {
    struct act act;
    uint16_t n_ids;   /* At least 1: controllers told of packets whose time is up. */
    uint16_t ids[];   /* {0} in the form without ids (act.form says which). */
};

struct act_set_l4_src {
    struct act act;
    uint16_t port;
    uint8_t ip_proto; /* Set by act_check(): 6, 17 or 132, what the flow has here; 0 if unknown. */
};

struct act_set_l4_dst {
    struct act act;
    uint16_t port;
    uint8_t ip_proto;
};

struct act_push_mpls {
    struct act act;
    be16 ethertype;
};

struct act_pop_mpls {
    struct act act;
    be16 ethertype;
};

struct act_set_mpls_label {
    struct act act;
    uint32_t label;
};

struct act_set_mpls_tc {
    struct act act;
    uint8_t tc;
};

struct act_set_mpls_ttl {
    struct act act;
    uint8_t ttl;
};

struct act_dec_mpls_ttl {
    struct act act;
};

/* Packet types of encap and decap: namespace << 16 | type. */
enum {
    PT_ETH = 0, PT_IPV4 = 0x10800, PT_IPV6 = 0x186dd, PT_NSH = 0x1894f,
    PT_MPLS = 0x18847, PT_MPLS_MC = 0x18848, PT_USE_NEXT_PROTO = 0xfffe
};

struct act_encap {
    struct act act;
    uint32_t packet_type;
    uint16_t hdr_size;
    uint16_t props_len;
    uint8_t props[]; /* Encapsulation properties as on the wire, checked (see nsh.c for how to walk them). */
};

/* A property of encap: class, type and value.  encap_prop_take() takes the next from a cursor over 'props'; false at
 * the end (or where what is left makes no property). */
enum { ENCAP_CLASS_NSH = 4, ENCAP_NSH_MD_TYPE = 1, ENCAP_NSH_TLV = 2 };

struct encap_prop {
    uint16_t class;
    uint8_t type;
    uint8_t md_type;     /* ENCAP_NSH_MD_TYPE. */
    uint16_t tlv_class;  /* ENCAP_NSH_TLV, and the following. */
    uint8_t tlv_type;
    uint8_t tlv_len;
    const uint8_t *tlv_data;
};

bool encap_prop_take(struct cursor *c, struct encap_prop *prop);

struct act_decap {
    struct act act;
    uint32_t packet_type; /* PT_USE_NEXT_PROTO: follow the header's. */
};

struct act_dec_nsh_ttl {
    struct act act;
};

/* set_field and load: bits of a field := a constant. */
struct act_set_field {
    struct act act;
    const struct field *field;
    bool flow_has_vlan; /* Set by act_check(). */
    uint8_t bytes[];    /* The value, then the mask: field->wire_bytes each. */
};

/* Only the first field->wire_bytes bytes are there: hand these to field_set_masked() and the like, never copy the whole
 * union. */
static inline const union field_value *
act_set_field_value(const struct act_set_field *a)
{
    return (const union field_value *) a->bytes;
}

static inline const union field_value *
act_set_field_mask(const struct act_set_field *a)
{
    return (const union field_value *) (a->bytes + a->field->wire_bytes);
}

struct act_move {
    struct act act;
    struct subfield src, dst; /* Of equal width. */
};

struct act_push {
    struct act act;
    struct subfield field;
};

struct act_pop {
    struct act act;
    struct subfield field;
};

struct act_set_tunnel {
    struct act act;
    uint64_t tun_id;
};

struct act_set_queue {
    struct act act;
    uint32_t queue;
};

struct act_pop_queue {
    struct act act;
};

enum multipath_algorithm { MULTIPATH_MODULO_N, MULTIPATH_HASH_THRESHOLD, MULTIPATH_HRW, MULTIPATH_ITER_HASH };

struct act_multipath {
    struct act act;
    uint8_t fields;    /* enum hash_fields. */
    uint8_t algorithm; /* enum multipath_algorithm. */
    uint16_t basis;
    uint16_t max_link; /* Number of links - 1. */
    uint32_t arg;
    struct subfield dst;
};

struct act_check_pkt_larger {
    struct act act;
    uint16_t pkt_len;
    struct subfield dst; /* One bit. */
};

struct act_delete_field {
    struct act act;
    const struct field *field;
};

struct act_resubmit {
    struct act act;
    ofp_port in_port; /* OFPP_IN_PORT: unchanged. */
    uint8_t table;    /* 255: the current one. */
    bool with_ct_orig;
};

enum learn_src { LEARN_SRC_FIELD, LEARN_SRC_IMMEDIATE };
enum learn_dst { LEARN_DST_MATCH, LEARN_DST_LOAD, LEARN_DST_OUTPUT };

/* What one header of a learned flow is made of.  The immediate value, right-aligned in whole bytes, follows. */
struct learn_spec {
    struct subfield src; /* With LEARN_SRC_FIELD. */
    struct subfield dst; /* With LEARN_DST_MATCH and LEARN_DST_LOAD. */
    uint16_t n_bits;
    uint8_t src_type;  /* enum learn_src. */
    uint8_t dst_type;  /* enum learn_dst. */
    uint16_t imm_len;  /* Bytes of 'imm': 0, or 2 * ceil(n_bits / 16). */
    uint8_t imm[];     /* Padded so that the next spec is aligned. */
};

enum {
    LEARN_SEND_FLOW_REM = 1, LEARN_DELETE_LEARNED = 2, LEARN_WRITE_RESULT = 4
};

struct act_learn {
    struct act act;
    uint16_t idle_timeout, hard_timeout;
    uint16_t fin_idle_timeout, fin_hard_timeout;
    uint16_t priority;
    uint8_t table;
    uint8_t flags; /* LEARN_*. */
    uint32_t limit; /* 0: none. */
    uint64_t cookie;
    struct subfield result_dst; /* With LEARN_WRITE_RESULT. */
    /* Specs follow: LEARN_SPEC_FOR_EACH. */
};

static inline const struct learn_spec *
learn_spec_next(const struct learn_spec *s)
{
    return (const struct learn_spec *) ((const char *) s + ROUND_UP(sizeof *s + s->imm_len, ACT_ALIGN));
}

static inline const struct learn_spec *
learn_specs(const struct act_learn *a)
{
    return (const struct learn_spec *) (a + 1);
}

#define LEARN_SPEC_FOR_EACH(S, LEARN) \
    for (const struct learn_spec *S = learn_specs(LEARN); \
         (const char *) S < (const char *) (LEARN) + (LEARN)->act.len; S = learn_spec_next(S))

struct act_conjunction {
    struct act act;
    uint8_t clause; /* From 0. */
    uint8_t n_clauses;
    uint32_t id;
};

struct act_fin_timeout {
    struct act act;
    uint16_t idle_timeout, hard_timeout;
};

struct act_clone {
    struct act act;
    /* Actions follow: act_clone_actions(). */
};

struct act_exit {
    struct act act;
};

struct act_note {
    struct act act;
    uint16_t data_len;
    uint8_t data[];
};

enum sample_direction { SAMPLE_DEFAULT, SAMPLE_INGRESS, SAMPLE_EGRESS };

/* An observation id: a constant, or what a field holds. */
struct sample_id {
    struct subfield src; /* field null: 'value'. */
    uint32_t value;
};

struct act_sample {
    struct act act;
    uint16_t probability;
    uint8_t direction; /* enum sample_direction. */
    uint32_t collector_set_id;
    struct sample_id obs_domain, obs_point;
    ofp_port sampling_port; /* OFPP_NONE: none. */
};

enum { CT_COMMIT = 1, CT_FORCE = 2 };
enum { CT_TABLE_NONE = 255 };
enum { CT_ALG_NONE = 0, CT_ALG_FTP = 21, CT_ALG_TFTP = 69 };

struct act_ct {
    struct act act;
    uint16_t flags; /* CT_COMMIT, CT_FORCE. */
    uint16_t zone;  /* If zone_src.field is null. */
    uint16_t alg;   /* CT_ALG_*. */
    uint8_t table;  /* Where the packet goes on after tracking; CT_TABLE_NONE: nowhere. */
    struct subfield zone_src;
    /* Actions to execute follow (at most one nat, and set_field of ct_mark and ct_label): act_ct_actions(). */
};

struct act_ct_clear {
    struct act act;
};

enum { NAT_SRC = 1, NAT_DST = 2, NAT_PERSISTENT = 4, NAT_HASH = 8, NAT_RANDOM = 16 };
enum nat_family { NAT_NO_ADDRESS = 0, NAT_IPV4 = 4, NAT_IPV6 = 6 };

/* Only inside ct. */
struct act_nat {
    struct act act;
    uint16_t flags;   /* NAT_*. */
    uint16_t family;  /* enum nat_family: what 'min' and 'max' hold. */
    uint16_t port_min, port_max; /* Zero: none given. */
    union {
        struct { be32 min, max; } ipv4; /* 'max' zero: only 'min' was given. */
        struct { struct ipv6_addr min, max; } ipv6;
    };
};

struct act_debug_slow {
    struct act act;
};

struct act_debug_recirc {
    struct act act;
};

struct act_meter {
    struct act act;
    uint32_t meter_id;
};

struct act_clear_actions {
    struct act act;
};

struct act_write_actions {
    struct act act;
    /* Actions follow: act_write_actions_actions(). */
};

struct act_write_metadata {
    struct act act;
    uint64_t metadata, mask;
};

struct act_goto_table {
    struct act act;
    uint8_t table;
};

static inline struct act_span
act_clone_actions(const struct act_clone *a)
{
    return act_tail(&a->act, sizeof *a);
}

static inline struct act_span
act_ct_actions(const struct act_ct *a)
{
    return act_tail(&a->act, sizeof *a);
}

static inline struct act_span
act_write_actions_actions(const struct act_write_actions *a)
{
    return act_tail(&a->act, sizeof *a);
}

/* Wire. */

/* Decodes 'n' bytes of an action list (OpenFlow 1.0 flows, apply_actions, packet_out, buckets) and appends them to
 * 'out', which is left as it was on an error. */
enum ofperr act_decode_actions(const void *wire, size_t n, enum of_version v, struct act_buf *out) MUST_CHECK;

/* The same for the instructions of OpenFlow 1.1 and later (in 1.0: an action list). */
enum ofperr act_decode_instructions(const void *wire, size_t n, enum of_version v, struct act_buf *out) MUST_CHECK;

/* Appends the wire form.  Actions that the version cannot carry are left out, as the standard for each says
 * (act_usable_protocols() tells beforehand). */
void act_encode_actions(struct act_span s, enum of_version v, struct bytes *out);
void act_encode_instructions(struct act_span s, enum of_version v, struct bytes *out);

/* Consistency. */

struct tun_map;

struct act_check {
    struct match *match;        /* What packets look like here; changed on the way (push_vlan adds a tag).  The caller
                                 * gives a copy. */
    unsigned int protocols;     /* PROTO_*: in: those to serve; out: those that can express the actions. */
    ofp_port max_ports;         /* Real ports are below; OFPP_MAX if unknown. */
    uint8_t table;              /* Where the flow is; 255 if unknown. */
    uint16_t depth;             /* Callers: 0. */
    bool check_options;         /* Tunnel options must be those of 'options', and within their length. */
    const struct tun_map *options; /* Null: there are none. */
    uint64_t used_options;      /* Out, from 0: bit N: tun_metadataN is in use. */
};

/* Checks that the actions make sense for the match.  Fills what depends on it (flow_has_vlan, ip_proto).
 * OFPERR_NONE, or the first error; 'c->protocols' is valid then too. */
enum ofperr act_check(struct act_buf *b, struct act_check *c) MUST_CHECK;

/* The order of instructions and nesting (ct and nat only where they may be): for text, the error in words. */
struct error *act_check_order(struct act_span s) MUST_CHECK;

/* Text. */

struct table_names;

struct act_text {
    const struct port_names *ports;   /* Null: numbers only. */
    const struct table_names *tables; /* Null: numbers only. */
    const struct tun_map *options;    /* Which tells when a range is all of a tunnel option; null: unknown. */
};

/* Reads "output:1,normal", instructions too, and appends them.  '*protocols' loses those that cannot express them.
 * 'out' is unspecified on an error. */
struct error *act_parse(const char *text, const struct act_text *t, struct act_buf *out,
                        unsigned int *protocols) MUST_CHECK;
/* The same, and cuts the text up, which saves a copy. */
struct error *act_parse_in_place(char *text, const struct act_text *t, struct act_buf *out,
                                 unsigned int *protocols) MUST_CHECK;
/* The same as act_parse() without instructions. */
struct error *act_parse_actions(const char *text, const struct act_text *t, struct act_buf *out,
                                unsigned int *protocols) MUST_CHECK;

/* Appends the text, as dump-flows shows it behind "actions="; "drop" for none. */
void act_format(struct str *s, struct act_span acts, const struct act_text *t);

/* Allows debug_slow and debug_recirc on the wire (--enable-dummy).  To be called before any thread is started. */
void act_allow_debug(void);

/* Facts. */

/* Name of the type, as in actions.def in lower case ("set_field"). */
const char *act_name(enum act_type type);

/* Whether it is an instruction; whether it may stand in write_actions. */
bool act_is_instruction(enum act_type type);
bool act_may_be_written(enum act_type type);

/* Whether what it does depends on the table or the cookie of the flow that it is of: what may end in a packet to a
 * controller, which says both, and what goes on in the same table. */
bool act_uses_origin(const struct act *a);

/* Whether the actions send packets to 'port', use the group or the meter anywhere (for the out_port filter of flow
 * requests; deletions of groups and meters). */
bool act_outputs_to_port(struct act_span s, ofp_port port);
bool act_outputs_to_group(struct act_span s, uint32_t group_id);
/* Calls 'cb' for each group action anywhere, also for the same group again. */
void act_each_group(struct act_span s, void (*cb)(void *aux, uint32_t group_id), void *aux);
/* The id of the flow's meter, 0 if there is none. */
uint32_t act_meter_id(struct act_span s);

#endif
