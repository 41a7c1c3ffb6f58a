/* A slow interpreter of pipelines with connection tracking, for tests: written from ovs-actions(7) and the meaning of
 * ct_state in ovs-fields(7).  It knows nothing of translation and of the tracker.
 *
 * Packets are UDP in IPv4 and have nothing but what is below.  Connections are an array that is searched from its
 * beginning; time stands still. */
#ifndef OFPROTO_XLATE_CT_ORACLE_H
#define OFPROTO_XLATE_CT_ORACLE_H 1

#include "base/random.h"
#include "base/str.h"

/* Fields, and bits of ct_state as ovs-fields(7) has them. */
enum cto_field { CTO_IN_PORT, CTO_SRC, CTO_DST, CTO_SPORT, CTO_DPORT, CTO_REG0, CTO_STATE, CTO_ZONE, CTO_MARK,
                 CTO_LABEL, CTO_ORIG_SRC, CTO_ORIG_DST, CTO_ORIG_DPORT, CTO_N_FIELDS };
enum { CTO_NEW = 1, CTO_EST = 2, CTO_RPL = 8, CTO_INV = 16, CTO_TRK = 32, CTO_SNAT = 64, CTO_DNAT = 128 };
enum cto_op { CTO_OUTPUT, CTO_SET, CTO_MOVE, CTO_RESUBMIT, CTO_CLONE, CTO_CT, CTO_CT_CLEAR };
enum cto_nat { CTO_NAT_NONE, CTO_NAT_PLAIN, CTO_NAT_SRC, CTO_NAT_DST };
enum { CTO_N_TABLES = 5, CTO_N_PORTS = 3, CTO_MAX_RULES = 24, CTO_MAX_ACTIONS = 4, CTO_MAX_CONDITIONS = 3,
       CTO_MAX_CONNS = 256, CTO_MAX_OUTPUTS = 256 };

struct cto_tuple {
    uint32_t src, dst;
    uint16_t sport, dport;
};

struct cto_packet {
    uint64_t f[CTO_N_FIELDS];
};

struct cto_action {
    enum cto_op op;
    uint64_t value;            /* Port, constant, table. */
    enum cto_field dst, src;   /* CTO_SET, CTO_MOVE. */
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
    struct cto_condition conditions[CTO_MAX_CONDITIONS];
    int n_conditions;
    struct cto_action actions[CTO_MAX_ACTIONS];
    int n_actions;
};

struct cto_pipeline {
    struct cto_rule rules[CTO_MAX_RULES];
    int n_rules;
};

struct cto_conn {
    uint16_t zone;
    struct cto_tuple orig, reply;
    bool is_answered, is_snat, is_dnat;
    uint32_t mark;
    uint64_t label;
};

struct cto_tracker {
    struct cto_conn conns[CTO_MAX_CONNS];
    int n;
};

struct cto_result {
    struct { uint32_t port; struct cto_tuple tuple; } outputs[CTO_MAX_OUTPUTS];
    int n;
    bool gave_up; /* What the specification leaves open, or too much: nothing may be concluded. */
};

/* Make random ones; release. */
void cto_random_pipeline(struct random *, struct cto_pipeline *);
void cto_pipeline_uninit(struct cto_pipeline *);
/* A packet as it comes in: one way or the other. */
void cto_random_packet(struct random *, struct cto_packet *);
struct cto_tuple cto_packet_tuple(const struct cto_packet *);

/* The rule in the syntax of ovs-ofctl. */
void cto_rule_text(const struct cto_rule *, struct str *);

/* Carries the packet through the pipeline. */
void cto_run(const struct cto_pipeline *, struct cto_tracker *, const struct cto_packet *, struct cto_result *);

#endif
