/* What the interpreter's files offer each other.
 *
 *   oracle_make.c     random rules and packets
 *   oracle_packet.c   headers put in front of a packet and taken away
 *   oracle_text.c     rules in the syntax of ovs-ofctl
 *   oracle.c          carrying a packet through tables, lists of actions and the action set
 *   oracle_conj.c     which rule a packet takes; making conjunctions
 *   oracle_group.c    all of groups: making, text, taking buckets
 *   oracle_learn.c    likewise of learn
 *   oracle_hash.c     likewise of multipath and bundle */
#ifndef OFPROTO_XLATE_ORACLE_PRIVATE_H
#define OFPROTO_XLATE_ORACLE_PRIVATE_H 1

#include "ofproto/xlate/oracle.h"

struct oracle_field_info {
    const char *match, *nxm;
    unsigned int bits;
    unsigned int layers; /* ORACLE_L_*; 0: all packets have it. */
    uint8_t proto;       /* 0: any. */
    uint8_t nd;          /* Of ICMPv6 1: either type of ND, otherwise the type; 0: any. */
};

/* Which packets have a field: one of these headers. */
enum {
    ORACLE_L_ETHERNET = 1, ORACLE_L_IPV4 = 2, ORACLE_L_IPV6 = 4, ORACLE_L_IP = ORACLE_L_IPV4 | ORACLE_L_IPV6,
    ORACLE_L_ARP = 8, ORACLE_L_NSH = 16, ORACLE_L_MPLS = 32
};

/* Of an Ethernet type. */
unsigned int oracle_layer(uint64_t type);

/* What is known of the packets that a rule's actions are for. */
struct oracle_kind {
    uint16_t type; /* 0: not known. */
    uint8_t proto, nd;
    bool no_ethernet;
    bool may_change; /* By encap and decap. */
};

extern const struct oracle_field_info oracle_fields[F_N];

static inline bool
oracle_type_is_mpls(uint64_t type)
{
    return type == ORACLE_TYPE_MPLS || type == ORACLE_TYPE_MPLS_MULTICAST;
}

static inline bool
oracle_type_is_ip(uint64_t type)
{
    return type == ORACLE_TYPE_IPV4 || type == ORACLE_TYPE_IPV6;
}

/* Of an address of IPv6, by its lower half; else F_N. */
static inline enum oracle_field
oracle_upper_half(enum oracle_field f)
{
    return f == F_IP6_SRC     ? F_IP6_SRC_HIGH
           : f == F_IP6_DST   ? F_IP6_DST_HIGH
           : f == F_ND_TARGET ? F_ND_TARGET_HIGH
                              : F_N;
}

static inline bool
oracle_is_upper_half(enum oracle_field f)
{
    return f == F_IP6_SRC_HIGH || f == F_IP6_DST_HIGH || f == F_ND_TARGET_HIGH;
}

static inline uint64_t
oracle_ones(unsigned int n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* oracle_make.c: a list of 'n' actions for a rule of 'table'; none of them is behind 'last' in enum oracle_op. */
void oracle_random_actions(struct random *, struct oracle_action *, int n, int table,
                           struct oracle_kind, int depth, enum oracle_op last);
/* Of a packet with an Ethernet header. */
void oracle_random_kind(struct random *, struct oracle_kind *);
/* A range of a field that such packets have: to be read, or written; of 'n' bits, 0: of any number. */
struct oracle_range oracle_random_range(struct random *, const struct oracle_kind *, bool to_write, unsigned int n);
/* Whether packets of that kind have the field. */
bool oracle_kind_has_field(const struct oracle_kind *, enum oracle_field);
uint64_t oracle_random_value(struct random *, enum oracle_field);
/* Puts an output in the place of what may not stand in an action set. */
void oracle_make_writable(struct random *, struct oracle_action *, struct oracle_kind);
void oracle_free_actions(struct oracle_action *, int n);

/* Conditions, and actions and instructions, for packets of that kind. */
void oracle_random_conditions(struct random *, struct oracle_rule *, const struct oracle_kind *);
void oracle_random_instructions(struct random *, struct oracle_rule *, const struct oracle_kind *);
struct oracle_kind oracle_random_rule_kind(struct random *, bool has_packet_types);

/* oracle_conj.c: the rule of the same table and priority that matches the same; null: none. */
struct oracle_rule *oracle_find_same(const struct oracle_pipeline *, const struct oracle_rule *);
void oracle_random_conjunctions(struct random *, struct oracle_pipeline *);

/* oracle_text.c */
void oracle_put_actions(struct str *, const struct oracle_action *, int n);
void oracle_put_range(struct str *, const struct oracle_range *);

/* A packet on its way. */
struct oracle_run {
    const struct oracle_pipeline *pipeline;
    struct oracle_result *result;
    struct oracle_choices *choices;
    struct oracle_packet p;
    uint64_t stack[64];
    int n_stack;
    const struct oracle_action *set[64]; /* Written actions, in order. */
    int n_set;
    uint64_t datapath_port;              /* By which the packet came into the first bridge. */
    int depth, n_tables;
    bool exited;
    bool in_set;                         /* Carrying out an action set, or a bucket. */
    bool dropped;                        /* By a meter. */
    bool in_part;                        /* In a clone or a bucket, */
    bool detoured;                       /* which (or an action set) has gone through the datapath: the rest is done. */
};

/* oracle.c: whether packets of conjunction 'conj_id' (0: of none) match; */
bool oracle_rule_matches(const struct oracle_rule *, const struct oracle_packet *, uint32_t conj_id);

/* Writes 'value' to bits of a field, if the packet has it. */
void oracle_set(struct oracle_run *, const struct oracle_range *, uint64_t value);
/* what the part does now concerns what surrounds it. */
void oracle_give_up_after_detour(struct oracle_run *);
/* Carries actions out in the order of an action set. */
void oracle_run_set(struct oracle_run *, const struct oracle_action *const *, int n);
bool oracle_port_exists(const struct oracle_pipeline *, uint64_t port);
uint64_t oracle_get(const struct oracle_run *, const struct oracle_range *);

/* oracle_conj.c: null: none.  Gives up where two conjunctions of one priority match. */
const struct oracle_rule *oracle_find_rule(struct oracle_run *, int table);

/* oracle.c: whether the action may stand in write_actions, and in a bucket. */
bool oracle_may_be_written(enum oracle_op);

/* oracle_group.c */
void oracle_random_groups(struct random *, struct oracle_pipeline *);
void oracle_groups_uninit(struct oracle_pipeline *);
void oracle_run_group(struct oracle_run *, uint64_t id);
bool oracle_port_is_alive(const struct oracle_pipeline *, uint64_t port);
/* One of 'n' that may be chosen; -1 if there is none, or too many choices have been made. */
int oracle_choose(struct oracle_run *, int n);

/* oracle_learn.c */
void oracle_random_learn(struct random *, struct oracle_action *, const struct oracle_kind *);
void oracle_put_learn(struct str *, const struct oracle_action *);
void oracle_run_learn(struct oracle_run *, const struct oracle_action *);

/* oracle_hash.c: multipath and bundle.  The number that is loaded, or of the port to send to; no port: 0xffff. */
void oracle_random_hashing(struct random *, struct oracle_action *);
void oracle_put_hashing(struct str *, const struct oracle_action *);
uint64_t oracle_run_hashing(struct oracle_run *, const struct oracle_action *);

#endif
