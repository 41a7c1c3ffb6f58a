/* A slow interpreter of pipelines with connection tracking, for tests: written from ovs-actions(7), the meaning of
 * ct_state in ovs-fields(7), and the RFCs of what is tracked: 768, 9293 and 5961 §3.2, 792, 4443 and 5508 (ICMP).
 * It knows nothing of translation and of the tracker.  What those leave open is as the reference does it, where a
 * recorded case says so (tests/conform/cases/conntrack/tcp-states.case, tcp-windows.case, tcp-numbers.case,
 * nat-icmp.case, changed-headers.case); else the interpreter gives up.
 *
 * Packets are UDP, TCP or ICMP in IPv4 or IPv6 and have nothing but what is below.  An address is a number of 32 bits
 * in both families: in IPv6 it stands at the end of a prefix that is always the same.  Connections are an array that is
 * searched from its beginning; time stands still. */
#ifndef OFPROTO_XLATE_CT_ORACLE_H
#define OFPROTO_XLATE_CT_ORACLE_H 1

#include "base/random.h"
#include "base/str.h"

/* Fields, and bits of ct_state as ovs-fields(7) has them.  An ICMP message's type and code are its ports, as in
 * OpenFlow 1.0. */
enum cto_field { CTO_IN_PORT, CTO_SRC, CTO_DST, CTO_SPORT, CTO_DPORT, CTO_TCP_FLAGS, CTO_REG0, CTO_STATE, CTO_ZONE,
                 CTO_MARK, CTO_LABEL, CTO_ORIG_SRC, CTO_ORIG_DST, CTO_ORIG_DPORT, CTO_N_FIELDS };
enum { CTO_NEW = 1, CTO_EST = 2, CTO_REL = 4, CTO_RPL = 8, CTO_INV = 16, CTO_TRK = 32, CTO_SNAT = 64, CTO_DNAT = 128 };
enum { CTO_FIN = 1, CTO_SYN = 2, CTO_RST = 4, CTO_PSH = 8, CTO_ACK = 16 };
enum cto_op { CTO_OUTPUT, CTO_SET, CTO_MOVE, CTO_RESUBMIT, CTO_CLONE, CTO_CT, CTO_CT_CLEAR };
enum cto_nat { CTO_NAT_NONE, CTO_NAT_PLAIN, CTO_NAT_SRC, CTO_NAT_DST };
enum { CTO_N_TABLES = 5, CTO_N_PORTS = 3, CTO_MAX_RULES = 32, CTO_MAX_ACTIONS = 4, CTO_MAX_CONDITIONS = 3,
       CTO_MAX_CONNS = 256, CTO_MAX_OUTPUTS = 256 };
enum cto_proto { CTO_ANY, CTO_UDP, CTO_TCP, CTO_ICMP };

/* What tells connections apart.  Both ports of an ICMP query are its identifier. */
enum cto_kind { CTO_IS_UDP, CTO_IS_TCP, CTO_IS_REQUEST, CTO_IS_REPLY };
struct cto_tuple {
    bool is_v6;
    enum cto_kind kind;
    uint32_t src, dst;
    uint16_t sport, dport;
};

struct cto_packet {
    uint64_t f[CTO_N_FIELDS];
    bool is_v6;
    enum cto_proto proto;
    uint32_t seq, ack;      /* TCP. */
    unsigned int n_data;    /* Bytes of data in it. */
    uint16_t id;            /* Of an ICMP query. */
    bool is_error;          /* An ICMP error... */
    struct cto_tuple inner; /* ...with a packet that had this tuple in it. */
    struct cto_tuple orig;  /* Not on the wire: of the connection that ct found it to be of... */
    bool is_reply;          /* ...and whether it goes the other way. */
};

struct cto_action {
    enum cto_op op;
    uint64_t value;            /* Port, constant, table. */
    enum cto_field dst, src;   /* CTO_SET, CTO_MOVE. */
    enum cto_proto proto;      /* Of the rule; never CTO_ANY if a port is set... */
    bool is_v6;                /* ...and its family. */
    struct {
        bool commit, force, zone_of_reg0;
        uint16_t zone;
        int table;             /* -1: none. */
        enum cto_nat nat;
        uint32_t address;
        uint16_t port;         /* 0: none. */
        uint32_t mark, mark_mask;
        bool mark_of_reg0;
        uint64_t label, label_mask;
    } ct;
    struct cto_action *nested; /* CTO_CLONE: owned. */
    int n_nested;
};

struct cto_condition {
    enum cto_field field;
    uint64_t value, mask;
};

struct cto_rule {
    int table, priority;
    bool is_v6;
    enum cto_proto proto;
    struct cto_condition conditions[CTO_MAX_CONDITIONS];
    int n_conditions;
    struct cto_action actions[CTO_MAX_ACTIONS];
    int n_actions;
};

struct cto_pipeline {
    bool families[2];          /* Which ones it has rules for: IPv4, IPv6. */
    struct cto_rule rules[CTO_MAX_RULES];
    int n_rules;
};

/* One end of a TCP connection. */
struct cto_end {
    bool has_sent, is_acked, has_finished, finish_is_acked;
    uint32_t next;    /* The number behind all that it has sent... */
    uint32_t edge;    /* ...but of a SYN that began the connection its own: where a reset has to be. */
    uint32_t allowed; /* The highest number that it has begun with, or the other end acknowledged, right or not. */
};

struct cto_conn {
    uint16_t zone;
    struct cto_tuple orig, reply;
    bool is_answered, is_snat, is_dnat;
    bool is_one_way;        /* Its replies are of a connection that is translated. */
    uint32_t mark;
    uint64_t label;
    /* TCP. */
    struct cto_end ends[2]; /* Which began the connection, and the other one. */
    bool is_loose;          /* Not seen from its SYN on. */
    bool is_reset;
};

struct cto_tracker {
    struct cto_conn conns[CTO_MAX_CONNS];
    int n;
};

struct cto_result {
    struct { uint32_t port; struct cto_packet packet; } outputs[CTO_MAX_OUTPUTS];
    int n;
    bool gave_up; /* What the specification leaves open, or too much: nothing may be concluded. */
};

/* Make random ones; release. */
void cto_random_pipeline(struct random *, struct cto_pipeline *);
void cto_pipeline_uninit(struct cto_pipeline *);
/* A packet of the pipeline's families as it comes in: often one of a connection that there is. */
void cto_random_packet(struct random *, const struct cto_pipeline *, const struct cto_tracker *, struct cto_packet *);

/* The types of ICMP and ICMPv6: echo request and reply, destination unreachable. */
enum { CTO_ECHO, CTO_ECHO_REPLY, CTO_UNREACHABLE };
uint8_t cto_icmp_type(bool is_v6, int which);

/* The rule in the syntax of ovs-ofctl. */
void cto_rule_text(const struct cto_rule *, struct str *);

/* Of a packet that is no ICMP error. */
struct cto_tuple cto_tuple_of(const struct cto_packet *);
/* Whether the packets are the same on the wire. */
bool cto_same_packet(const struct cto_packet *, const struct cto_packet *);
bool cto_same_tuple(const struct cto_tuple *, const struct cto_tuple *);
struct cto_tuple cto_reverse(const struct cto_tuple *);

/* Carries the packet through the pipeline. */
void cto_run(const struct cto_pipeline *, struct cto_tracker *, const struct cto_packet *, struct cto_result *);

#endif
