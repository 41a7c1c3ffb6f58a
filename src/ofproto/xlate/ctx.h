/* Translation's own state, and what its files offer each other.  Private to this directory.
 *
 *   xlate.c        begin and end, credits, effects, reports to trace
 *   table.c        lookups, action lists, the dispatch table; run.c: lookups remembered,
 *                  scout.c: asked for beforehand
 *   output.c       ports: output, flood, patch ports
 *   normal.c       the NORMAL action; vlan.c: tags as NORMAL sees them
 *   mirror.c       copies for mirrors; bond.c: members of bonds
 *   controller.c   packet-ins
 *   freeze.c       recirculation: freezing what is left to do, and going on with it
 *   packet_type.c  encap, decap: whole headers
 *   fields.c, headers.c, vlan_mpls.c, pipeline.c, hash.c, learn.c    families of actions
 *   action_set.c   write_actions and what becomes of it
 *   group.c        groups; sample.c: sampling
 *
 * How fields are read: everything that decides what happens is read from 'flow' and noted in 'wc' by whoever reads it.
 * Bits that the pipeline itself has put into 'flow' are noted too, which is harmless: their place in the packet was
 * noted when they were overwritten. */
#ifndef OFPROTO_XLATE_CTX_H
#define OFPROTO_XLATE_CTX_H 1

#include "odp/commit.h"
#include "ofproto/xlate/run.h"

enum { XLATE_MAX_DEPTH = 64, XLATE_MAX_RESUBMITS = 4096, XLATE_MAX_ACTIONS_LEN = 65536, XLATE_MAX_STACK = 65536,
       XLATE_MAX_BUCKETS = 65536 /* Run or asked whether they are alive. */,
       XLATE_MAX_NESTING = 72 /* Of what may become nested actions: a little more than tables may be. */ };
_Static_assert((int) XLATE_MAX_NESTING < (int) ODP_MAX_NESTING, "there may be a sample in the innermost");

/* What is left to do of the lists of actions that are being left. */
struct frozen_rest {
    struct bytes steps;        /* struct frozen_step (ofproto/recirc.h), one for each list. */
    struct act_buf acts;
    const struct act *end;     /* Where what was added last ends, in its list. */
};

struct xlate_ctx {
    const struct xlate_in *in;
    struct xlate_out *out;
    struct flow *wc;           /* out->wc */
    struct xbridge *bridge;    /* Changes at patch ports. */
    uint64_t version;          /* Of the bridge's tables. */
    struct odp_below below;    /* Tags below those that 'flow' shows. */
    size_t useful_len;         /* Of out->actions: what is behind changes a packet that goes nowhere. */
    size_t sampled_len;        /* Of out->actions with the last sample. */
    struct rule *rule;         /* Whose actions are running, null for a packet-out and after recirculation. */
    be64 cookie;               /* Of the flow whose actions are running; all ones for a packet-out. */
    uint8_t table_id;
    bool exit;                 /* "exit": nothing more of this bridge's actions. */
    bool stop;                 /* Nothing more of the present list of actions. */
    bool freezing;             /* With 'exit': what is left of each list goes into 'frozen' on the way out. */
    struct frozen_rest frozen;
    struct {                   /* Freezing for "controller(pause)". */
        const struct act_controller *act; /* Null: to recirculate. */
        be64 cookie;           /* Of the outermost list. */
        uint8_t table_id;
    } pause;
    struct frozen_hash hash;   /* Of the datapath, as of the beginning of this translation. */
    bool goes_up;              /* The next lookup is in a later table, which does not count as depth. */
    bool with_tuple;           /* The next lookup is xlate_table_with_tuple()'s. */
    bool conntracked;          /* The packet's connection tracking fields hold. */
    bool no_effects;           /* This branch is not the way of this packet. */
    struct act_span rest;      /* Behind the present action, in its list. */
    bool is_last;              /* Nothing will be done with the packet after the present action. */
    bool in_action_set;
    bool from_action_set;      /* The same, also in bridges and buckets that the set leads to; for packet-ins. */
    bool in_bucket;            /* In the actions of a bucket, not in a table that they lead to; for packet-ins. */
    bool apart;                /* In a bucket, behind which there is more to do before the action set. */
    bool list_is_last;         /* Behind the present list there is only the action set. */
    bool at_input;             /* The mirrors have not seen the packet come in, or come back resumed. */
    uint32_t mirrors;          /* Of the bridge: those that have had the packet. */
    const struct act_nat *nat; /* Inside ct: that which was met. */
    be16 tag_read;             /* Bits of the tag from which NORMAL made the present one: they matter once the packet
                                * leaves with another tag than it has. */
    bool tag_varies;           /* Whether there is a tag now depends on them. */
    bool was_mpls;             /* Labels were popped: what is below them has not been parsed. */
    int depth;                 /* Of tables and bridges. */
    int nesting;               /* Of clones, buckets, bridges and branches. */
    int trace_depth;
    unsigned int n_resubmits, n_buckets;
    unsigned int place;        /* Of the last lookup: classifier_lookup_place_rcu(). */
    unsigned int n_scouted;    /* Lookups to come whose memory has been asked for. */
    struct scout_memory *scouted_from; /* Of the last lookup that was remembered; null: none was. */
    struct bytes stack;        /* Of push and pop: frozen_stack_push() (ofproto/recirc.h). */
    struct act_buf action_set;
    unsigned int n_conj_parts; /* Of 'conj_parts'. */
    /* What is large comes last: it is not cleared at the beginning, but filled in as far as it is used. */
    struct xlate_record record; /* The run under way. */
    char *conj_parts[16];      /* For trace: the rules that made up a conjunction; owned until they are shown. */
    struct flow flow;          /* The packet as the pipeline sees it now. */
    struct odp_base base;      /* As the datapath has it. */
};

typedef void xlate_act_func(struct xlate_ctx *, const struct act *);

/* One per action. */
#define ACTION(ENUM, NAME, KIND) xlate_act_func xlate_##NAME;
#include "openflow/action/actions.def"

/* table.c */
/* Looks the flow up in a table of the present bridge, as if it had come in on 'in_port', and carries out what it finds.
 * 'may_miss': a miss in it may go to a controller. */
void xlate_table(struct xlate_ctx *, ofp_port in_port, uint8_t table_id, bool may_miss);
/* False, with the error, beyond the limits of depth and number of resubmits. */
bool xlate_limits_allow(struct xlate_ctx *);
/* The same with the original tuple of the connection in the place of addresses and ports, for the lookup. */
void xlate_table_with_tuple(struct xlate_ctx *, ofp_port in_port, uint8_t table_id);
/* Exchanges the two in a flow, or in wildcards. */
void xlate_swap_tuple(struct flow *, bool is_v6);
/* Carries out a list of actions; 'is_last': nothing follows behind the list. */
void xlate_actions(struct xlate_ctx *, struct act_span, bool is_last);

/* freeze.c
 *
 * An action that cannot go on without the datapath calls xlate_freeze().  All lists up to the bridge's first one are
 * left then, each adding what is left of it (table.c does that), and where the bridge was entered, or a clone began,
 * xlate_freeze_finish() makes the state and recirculates the packet: to its id, with what the pipeline has changed.
 * Work that goes on beside the packet that is recirculated ("fork", as ct does) calls xlate_fork() instead. */

/* For an action: nothing more of this bridge's actions here; what is behind it, in its list and in those that led here,
 * is done when the packet comes back.  'again': the action itself, if it has to be carried out then; else null. */
void xlate_freeze(struct xlate_ctx *, const struct act *again);
/* While freezing: 'rest' of a list of the present table and flow is left, too. */
void xlate_freeze_rest(struct xlate_ctx *, struct act_span rest);
/* Ends freezing, if it was going on: appends what the pipeline changed and recirc(ID), if anything is left to do.  True
 * if it was.  "apart": for a bucket, whose rest gets an empty action set: the present one stays the pipeline's. */
bool xlate_freeze_finish(struct xlate_ctx *);
/* The outermost list of actions has come to its end: what is said of a pause, if there is one, is where that came
 * from. */
void xlate_note_pause(struct xlate_ctx *);
bool xlate_freeze_finish_apart(struct xlate_ctx *);
/* Appends recirc(ID) to a state that looks up 'table_id' with the present registers, metadata, stack and action set.
 * Committing comes before, by the caller.  'conntracked': the packet will have been tracked.  Returns the id; for
 * trace, report it with xlate_report_fork(). */
uint32_t xlate_fork(struct xlate_ctx *, uint8_t table_id, bool conntracked);
/* A state for a message to a controller: its id.  What the pipeline changed has been committed. */
uint32_t xlate_freeze_message(struct xlate_ctx *, const void *userdata, size_t userdata_len);
/* For trace: what went to 'recirc_id' is to be traced later, beginning with 'flow' (recirc_id is set in it), which
 * was 'before' until it was translated. */
void xlate_report_fork(struct xlate_ctx *, enum xlate_fork_kind, uint32_t recirc_id, const struct flow *flow,
                       const struct flow *before);
/* Goes on with the state that the packet's recirc_id names. */
void xlate_thaw(struct xlate_ctx *);
/* Forgets what connection tracking said of the packet. */
void xlate_clear_conntrack(struct xlate_ctx *);

/* pipeline.c: a part of the work whose changes do not show outside.  xlate_save() gives it a copy of the stack and of
 * the action set; xlate_restore() puts everything back but for what the datapath's packet looks like. */
struct xlate_saved {
    struct flow flow;
    struct bytes stack;
    struct act_buf action_set;
    struct odp_below below;
    struct frozen_hash hash;
    bool was_mpls, exit, conntracked, apart;
    struct odp_base base;        /* As the datapath had the packet, */
    size_t begun;                /* when it had these many bytes of actions. */
};
/* Null if there is none. */
const struct xmeter *xlate_find_meter(struct xlate_ctx *, uint32_t meter_id);
/* Gives up where that is nested too deep, which pipelines must not be able to bring about. */
void xlate_save(struct xlate_ctx *, struct xlate_saved *);
void xlate_nest(struct xlate_ctx *); /* Part of it; until ctx->nesting is put back. */
void xlate_restore(struct xlate_ctx *, struct xlate_saved *);
/* Part of that: where the flow has been put back by other means, to what it was while the datapath's packet was
 * 'begun'. */
void xlate_restore_base(struct xlate_ctx *, const struct odp_base *begun);
/* In front of xlate_restore(): if the actions since do to the packet what later ones cannot undo (connection tracking,
 * meters), makes them a clone's, and the datapath's packet is as it was. */
void xlate_wrap_irreversible(struct xlate_ctx *, const struct xlate_saved *);

/* action_set.c */
/* The actions of a list that an action set may have, in its order of execution. */
void xlate_order_actions(struct act_span written, struct act_buf *out);
void xlate_action_set_execute(struct xlate_ctx *);

/* output.c */
/* Whether the link of the bridge's port of that number is up. */
bool xlate_port_is_live(struct xlate_ctx *, ofp_port);
void xlate_send_to_port(struct xlate_ctx *, struct xport *, uint32_t max_len /* 0: whole */);
void xlate_output_to(struct xlate_ctx *, ofp_port, uint16_t controller_max_len, uint32_t max_len);
/* The ports of the bridge in order: the local port, then by number.  '*ports' is to be released with free(). */
size_t xlate_ports_sorted(struct xlate_ctx *, struct xport ***ports);
/* Whether the packet may go on: false if it has just come in by a port that does not receive it, or is a mirror's own.
 * Mirrors of what comes in have had it then. */
bool xlate_is_received(struct xlate_ctx *);
void xlate_commit(struct xlate_ctx *);
/* The same, if a whole header is pending and something follows the present action: in front of what may end up in a
 * clone, so that the header is not pushed twice. */
void xlate_commit_pending(struct xlate_ctx *);

/* sample.c: the bridge's own sampling, where there is any; before an output, after committing. */
void xlate_sample_input(struct xlate_ctx *);
void xlate_sample_output(struct xlate_ctx *, odp_port);

/* normal.c */
void xlate_normal_switching(struct xlate_ctx *);
bool eth_addr_is_reserved(struct eth_addr);
/* Notes what it looks at. */
bool xlate_is_gratuitous_arp(struct xlate_ctx *);

/* bond.c */
/* The port of the bond that the packet, in that VLAN of the bridge, leaves by; null: none. */
struct xport *xlate_bond_output(struct xlate_ctx *, const struct xbundle *, uint16_t vlan);
/* Whether a packet that came in there may be taken; reports why not. */
bool xlate_bond_admits(struct xlate_ctx *, const struct xbundle *, const struct xport *in, uint16_t vlan);

/* mirror.c */
/* The packet enters the bridge: copies it for the mirrors of its port.  False if it may not come in there. */
bool xlate_mirror_input(struct xlate_ctx *) MUST_CHECK;
/* The packet was sent to the port: copies it for the mirrors of that. */
void xlate_mirror_output(struct xlate_ctx *, const struct xport *);
/* Whether the bundle is reserved for what is mirrored to it. */
bool xlate_is_reserved_for_mirror(const struct xlate_ctx *, const struct xbundle *);

/* controller.c */
struct xlate_packet_in {
    uint16_t controller_id, max_len;
    uint8_t reason;
    bool has_meter;
    uint32_t meter_id;
    const uint8_t *userdata;
    size_t userdata_len;
};
void xlate_send_to_controller(struct xlate_ctx *, const struct xlate_packet_in *);
/* Appends the action that sends the packet as it is to a controller, to be resumed with state 'recirc_id'. */
void xlate_put_controller(struct xlate_ctx *, const struct act_controller *, be64 cookie, uint32_t recirc_id);
void xlate_put_plain_userspace(struct bytes *actions, const struct odp_cookie *);
/* Appends "userspace" with the cookie; limited by the meter of that number, if there is one. */
void xlate_put_userspace(struct xlate_ctx *, struct bytes *actions, const struct odp_cookie *, uint32_t meter_id);

/* xlate.c */
void xlate_fail(struct xlate_ctx *, enum xlate_error);
/* The packet, or a copy of it, does not go on from here.  The last of these is the reason, if it goes nowhere. */
void xlate_why(struct xlate_ctx *, enum xlate_why);
/* In a trace: that the packet came in by a port that does no switching, unless it came by none at all. */
void xlate_report_unknown_port(struct xlate_ctx *);
static inline bool xlate_has_failed(const struct xlate_ctx *ctx) { return ctx->out->error != XLATE_OK; }
struct xlate_credit *xlate_credit(struct xlate_ctx *, enum xlate_credit_kind);
void xlate_credits(struct xlate_ctx *, const struct xlate_credit *, size_t n);
/* Null if no effects are wanted. */
struct xlate_effect *xlate_effect(struct xlate_ctx *, enum xlate_effect_kind);


/* Notes a lookup of 'flow' that looked at the bits in 'asked' (which it consumes), there and in the wildcards; and one
 * of an address. */
void xlate_note_lookup(struct xlate_ctx *, uint8_t table_id, const struct flow *flow, struct cls_mask *asked);
void xlate_note_mac(struct xlate_ctx *, struct eth_addr, uint16_t vlan);
void xlate_note_key(struct xlate_ctx *, enum xlate_consulted_kind, uint64_t key);

/* Reports for trace; nothing without one.  DETAIL, WARN and ERROR belong to the action reported last. */
void xlate_report(struct xlate_ctx *, enum xlate_trace_kind, const char *format, ...) PRINTF_FORMAT(3, 4);
void xlate_report_action(struct xlate_ctx *, const struct act *);
/* How actions are written in reports. */
struct act_text xlate_act_text(const struct xlate_ctx *);
/* "NXM_NX_REG0[0..3] is now 0x5" */
void xlate_report_subfield(struct xlate_ctx *, const struct subfield *);

/* fields.c: notes what decides whether the packet has the field, and says whether it does. */
bool xlate_has_field(struct xlate_ctx *, const struct field *);
/* The range that the packet has for one of an action: another where it is of a tunnel option.  False if it has none. */
bool xlate_place(struct xlate_ctx *, const struct subfield *, struct subfield *place) MUST_CHECK;
/* Reads a range of a field; false if the packet does not have it. */
bool xlate_read_subfield(struct xlate_ctx *, const struct subfield *, union field_value *);
void xlate_write_subfield(struct xlate_ctx *, const struct subfield *, const union field_value *);
/* Writes a bit that the packet decides nothing about. */
void xlate_put_bit(struct xlate_ctx *, const struct subfield *, bool bit);
void xlate_load_subfield(struct xlate_ctx *, const struct subfield *, uint64_t v);

/* headers.c: the packet's time is up (ovs-actions(7) "dec_ttl"): tells the controller of that number and ends the
 * present list of actions. */
void xlate_ttl_expired(struct xlate_ctx *, uint16_t controller_id);

/* vlan_mpls.c: a label to push above the outermost one, which says what it holds. */
be32 xlate_copy_label(struct xlate_ctx *);
/* pop_mpls: the outermost label goes, if there is one. */
void xlate_pop_label(struct xlate_ctx *, be16 ethertype);
/* Adds or removes an outer tag. */
void xlate_push_tag(struct xlate_ctx *, be16 tpid, be16 tci);
void xlate_pop_tag(struct xlate_ctx *);

/* conj.c: the rule for 'flow' where the plain lookup found one with conjunctions; null if there is none.  'asked' gains
 * the bits looked at. */
bool xlate_rule_is_conjunctive(const struct rule *);
struct rule *xlate_conjunctive_lookup(struct xlate_ctx *, uint8_t table_id, const struct flow *flow,
                                      struct cls_mask *asked);

/* hash.c: of the fields, basis included; notes what it reads. */
uint32_t xlate_hash_fields(struct xlate_ctx *, uint8_t which, uint16_t basis);

static inline bool
port_has(const struct xport *p, uint32_t config)
{
    return atomic_load_explicit(&p->config, memory_order_relaxed) & config;
}

#endif
