/* Actions compiled into steps.
 *
 * program_compile() turns datapath actions (odp/action.h) into an array of 'struct op', checking every length, number
 * and nesting on the way, so that carrying them out (exec.h) checks nothing.  The original bytes are kept beside, for
 * whoever asks what a megaflow does.  Programs of the same actions are one: many megaflows do the same.
 *
 * Threads: a program is immutable; it is published and released by RCU. */
#ifndef DATAPATH_USER_OP_H
#define DATAPATH_USER_OP_H 1

#include "base/error.h"
#include "base/hmap.h"
#include "conntrack/conntrack.h"
#include "odp/action.h"

enum op_type { OP_OUTPUT, OP_USERSPACE, OP_SET, OP_PUSH_VLAN, OP_POP_VLAN, OP_SAMPLE, OP_RECIRC, OP_HASH, OP_PUSH_MPLS,
               OP_POP_MPLS, OP_ADD_MPLS, OP_PUSH_NSH, OP_POP_NSH, OP_TRUNC, OP_PUSH_ETH, OP_POP_ETH, OP_CLONE,
               OP_CHECK_LEN, OP_METER, OP_DROP, OP_CT, OP_CT_CLEAR };

enum { OP_SET_MAX = 40 };

struct op_block {
    uint32_t first, n; /* In program->ops. */
};

struct op {
    enum op_type type;
    union {
        uint32_t number;         /* Port, recirculation id, length, meter, drop reason; OP_CT: in program->cts. */
        be16 ethertype;          /* OP_POP_MPLS */
        struct odp_push_vlan push_vlan;
        struct odp_push_mpls push_mpls;
        struct odp_add_mpls add_mpls;
        struct { uint32_t at, len; } push_nsh;                           /* The header, in program->sets. */
        struct odp_push_eth push_eth;
        struct odp_hash hash;
        struct { struct op_block block; uint32_t probability; } nested;  /* OP_SAMPLE, OP_CLONE */
        struct { struct op_block greater, not_greater; uint16_t len; } check;
        struct { uint32_t at, len; bool has_actions; } userspace;        /* Userdata in program->actions. */
        struct { uint16_t key, size; uint32_t at; } set;                 /* Value, then mask, in program->sets. */
    };
};

struct program {
    struct hmap_node node;     /* In the table of all, by hash of the actions. */
    uint32_t n_refs;           /* Under the table's mutex. */
    size_t actions_len;
    uint8_t *actions;          /* As they were given. */
    uint8_t *sets;             /* Values and masks of OP_SET, headers of OP_PUSH_NSH. */
    struct ct_action *cts;     /* Of OP_CT. */
    struct op *ops;
    struct op_block main;
};

/* Compiles 'n' bytes of actions, or finds the program of such; null with an error that says what is malformed or not
 * supported.  Each call's result is to be released once.  Any thread. */
struct program *program_compile(const void *actions, size_t n, struct error **) MUST_CHECK;

/* Gives it up; also for rcu_defer().  Any thread. */
void program_destroy(void *program);

/* The port, if the program is a single output; else UINT32_MAX. */
uint32_t program_sole_output(const struct program *);

#endif
