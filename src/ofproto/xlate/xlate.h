/* Translation: from a packet and the OpenFlow pipeline to datapath actions.
 *
 * What it is
 * ----------
 * A pure function.  It reads the snapshot (ofproto/xbridge.h), the rules and the packet, and returns everything
 * else as values in 'struct xlate_out':
 *
 *   actions   what the datapath shall do;
 *   wc        which bits of the packet's fields decided that: the mask of the megaflow;
 *   consulted what it asked of the tables, the MAC table, groups and mirrors: the result holds until an answer changes
 *             (ports, bundles and settings are not in the list: a change of those concerns every result);
 *   frozen    states that its packets recirculate to, and the one that they came with (ofproto/recirc.h);
 *   credits   whom the packets of this megaflow count for: rules, tables, ports, mirrors;
 *   drop      if it goes nowhere, why, and where in the pipeline;
 *   effects   what else has to happen for this one packet: a MAC address learned, a rule learned.  The caller applies
 *             them (ofproto/upcall), or not (trace, revalidation).
 *
 * How it works
 * ------------
 * xlate() begins with the in_port (or a given action list: packet-out), looks up tables, and walks action lists; one
 * function per action, dispatched through the rows of openflow/action/actions.def.  Output "commits" the difference
 * between the flow as the datapath has it and as the pipeline has it now as set, push and pop actions, then appends
 * the output.  Patch ports continue in the peer bridge.  Wildcards are collected as fields are read: a field that
 * an action overwrites and something later reads does not become part of the mask.
 *
 * What only the datapath can do or see ends a translation early: the rest is frozen and the packet recirculated; it
 * comes back as a packet of its own with a recirc_id, and translation goes on where it had stopped.
 *
 * A packet to a controller is an upcall of the datapath, by a "userspace" action that names a frozen state.  What no
 * megaflow can do alone ('slow') is done here for each packet: its megaflow has only the action that asks for that.
 *
 * Limits: depth of resubmits (64) and their number (4096), buckets of groups (65536), size of the stack and of the
 * action list; beyond them the
 * translation ends with an error, and the packet is dropped, as ovs-actions(7) has it.
 *
 * Threads: any, in an RCU read section.
 * Standards: OpenFlow 1.5 §5; ovs-actions(7); ovs-fields(7). */
#ifndef OFPROTO_XLATE_XLATE_H
#define OFPROTO_XLATE_XLATE_H 1

#include "base/bytes.h"
#include "flow/match.h"
#include "ofproto/recirc.h"
#include "ofproto/rule.h"
#include "ofproto/xbridge.h"

struct xlate_run;
struct xlate_runs;

enum xlate_error {
    XLATE_OK,
#define XLATE_ERROR(ENUM, COUNTER, TEXT) XLATE_##ENUM,
#include "odp/drop_reasons.def"
};

/* A sentence for trace and logs. */
const char *xlate_error_text(enum xlate_error);

/* Why a packet goes nowhere. */
enum xlate_why {
    WHY_NONE,
#define WHY(ENUM, TEXT) WHY_##ENUM,
#include "ofproto/xlate/why.def"
    WHY_N
};

/* A sentence for people. */
const char *xlate_why_text(enum xlate_why);

/* Where that was decided.  RCU; whoever keeps it takes a reference to the rule. */
struct xlate_drop {
    struct xbridge *bridge;
    struct rule *rule;   /* Null: none. */
    ofp_port in_port;    /* Of that bridge. */
    uint8_t why;         /* enum xlate_why */
    uint8_t table_id;
};

/* Why a packet cannot be handled by a megaflow alone (bits). */
enum { SLOW_CFM = 1, SLOW_BFD = 2, SLOW_LACP = 4, SLOW_STP = 8, SLOW_LLDP = 16, SLOW_CONTROLLER = 32,
       SLOW_ACTION = 64 };

/* Whom the packets count for. */
enum xlate_credit_kind { CREDIT_RULE, CREDIT_TABLE_MISS, CREDIT_PORT_RX, CREDIT_PORT_TX,
                         CREDIT_MAC, CREDIT_FIN_TIMEOUT, CREDIT_LEARN, CREDIT_GROUP, CREDIT_MIRROR,
                         CREDIT_BOND, CREDIT_DROP };

/* A flow that 'learn' made: it counts as learned anew with every packet. */
struct xlate_learned {
    _Atomic uint32_t n_refs;
    struct xbridge *bridge;
    struct flow_mod *fm; /* Owned. */
    uint32_t limit;      /* 0: none. */
};
struct xlate_credit {
    enum xlate_credit_kind kind;
    union {
        struct { struct rule *rule; struct xbridge *rule_bridge; }; /* A match in the rule's table, too.  RCU; take a
                                                                     * reference to keep it. */
        struct { struct xbridge *bridge; uint8_t id; } table;
        struct xport *port;
        /* Learned again with every packet, as long as the port has its bundle. */
        struct { struct xbridge *bridge; uint16_t vlan; struct eth_addr mac; ofp_port port; } mac;
        struct { struct rule *rule; uint16_t idle, hard; } fin; /* When packets have FIN or RST. */
        struct { struct group *group; size_t bucket; } group; /* RCU, like a rule.  'bucket' as in group_credit(). */
        struct xlate_learned *learned; /* xlate_learned_ref() to keep it. */
        struct mirror_count *mirror;   /* RCU; take a reference to keep it. */
        struct { struct bond_load *load; uint8_t bucket; } bond; /* Likewise. */
        struct xlate_drop drop;        /* Its rule likewise. */
    };
};

/* What was asked.  A lookup is the flow as it was then, in the bits that decided: a change of a rule concerns the
 * result only if some packet with these bits could match the rule. */
enum xlate_consulted_kind { CONSULTED_TABLE, CONSULTED_MAC, CONSULTED_GROUP, CONSULTED_BUNDLE, CONSULTED_METER };
struct xlate_consulted {
    enum xlate_consulted_kind kind;
    const struct xbridge *bridge;
    union {
        struct { uint8_t id; struct word_map map; size_t at; } table; /* In xlate_out.words: masks, then values. */
        uint64_t key; /* All else: an address in a VLAN (xlate_mac_key()), the number of a group or
                       * meter, a bundle's key. */
    };
};

static inline uint64_t
xlate_mac_key(struct eth_addr mac, uint16_t vlan)
{
    return eth_addr_to_u64(mac) | (uint64_t) vlan << 48;
}

enum xlate_effect_kind { EFFECT_LEARN_MAC, EFFECT_FLOW_MOD };
struct xlate_effect {
    enum xlate_effect_kind kind;
    union {
        struct {
            struct xbridge *bridge;
            struct eth_addr mac;
            uint16_t vlan;
            const struct xbundle *bundle;
            ofp_port port;
            bool is_gratuitous_arp;
        } learn_mac;
        struct {
            struct xbridge *bridge;
            struct flow_mod *fm;       /* Owned. */
            uint32_t limit;            /* 0: none. */
        } flow_mod;
    };
};

/* Why a packet was sent to a state beside the translation that goes on. */
enum xlate_fork_kind { FORK_CT, FORK_CT_NAT };

/* A sink for trace: the tree that ofproto/trace prints.  'depth' is the level of indentation. */
enum xlate_trace_kind { TRACE_BRIDGE, TRACE_TABLE, TRACE_BUCKET, TRACE_THAW, TRACE_ACTION, TRACE_DETAIL, TRACE_WARN,
                        TRACE_ERROR };
struct xlate_trace {
    void (*report)(struct xlate_trace *, enum xlate_trace_kind, int depth, const char *text);
    const struct act_text *names; /* Names of ports and tables in what is reported; null: numbers. */
    const struct xbridge *bridge; /* Set before each report: the bridge that the packet is in, whose names count. */
    /* A packet was recirculated that is to be traced on its own: 'flow' is how it will come back, 'before' what it was
     * without translation. */
    void (*fork)(struct xlate_trace *, enum xlate_fork_kind, uint32_t recirc_id, const struct flow *flow,
                 const struct flow *before);
    struct flow final;            /* Set at the end: the packet as the first bridge left it. */
};

struct xlate_in {
    struct xbridge *bridge;       /* With a recirc_id: not used, the state says which. */
    const struct flow *flow;      /* in_port: an OpenFlow port; with a recirc_id: not used. */
    const void *frame;            /* The packet, null if there is none (revalidation, trace of a flow). */
    size_t frame_len, packet_len;
    uint16_t tcp_flags;           /* Host order; 0 when unknown. */
    uint64_t tables_version;
    const struct act *acts;       /* Instead of a table lookup, if not null. */
    size_t acts_len;
    bool want_effects;            /* False: 'effects' stays empty. */
    struct xlate_trace *trace;    /* Null but for trace. */
    struct xlate_runs *runs;      /* The thread's memory of lookups (ofproto/xlate/run.h); null: none.  What comes out
                                   * is the same. */
};

struct xlate_out {
    struct bytes actions;         /* odp/action.h */
    struct flow wc;
    enum xlate_error error;
    enum xlate_error peer_error;  /* The last one behind a patch port, which ended only what happened there. */
    struct xlate_drop drop;       /* 'why' is WHY_NONE for a packet that goes somewhere. */
    uint32_t slow;                /* SLOW_* */
    struct bytes slow_actions;    /* With 'slow': those for the megaflow, while 'actions' are for this packet. */
    bool may_install;             /* False: this result holds for this packet only. */
    struct xlate_credit *credits;
    size_t n_credits, credits_capacity;
    struct xlate_effect *effects;
    size_t n_effects, effects_capacity;
    struct xlate_consulted *consulted;
    size_t n_consulted, consulted_capacity;
    struct frozen_state **frozen; /* References. */
    size_t n_frozen, frozen_capacity;
    uint64_t *words;              /* Of the lookups in 'consulted'. */
    size_t n_words, words_capacity;
    struct xlate_run **runs;      /* Consulted, too: many lookups each (ofproto/xlate/run.h).  References. */
    size_t n_runs, runs_capacity;
};

void xlate_out_init(struct xlate_out *);
/* Empties it, keeping its memory for the next translation. */
void xlate_out_clear(struct xlate_out *);
void xlate_out_uninit(struct xlate_out *);

/* Add and drop a reference.  Any thread. */
struct xlate_learned *xlate_learned_ref(struct xlate_learned *);
void xlate_learned_unref(struct xlate_learned *);

/* Actions that end with a sample get an explicit drop from now on, where the datapath has one.  Any thread; what was
 * translated before stays as it is. */
void xlate_set_explicit_sampled_drops(bool);

/* Translates.  'out' must be cleared. */
void xlate(const struct xlate_in *in, struct xlate_out *out);

#endif
