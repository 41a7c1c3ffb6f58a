/* Recirculation: what translation goes on with when a packet comes back from the datapath.
 *
 * What it is
 * ----------
 * Some things only the datapath can do or know: track a connection, parse what is below MPLS labels, hash a packet.
 * The translation then ends with the action recirc(ID), and the packet misses again with that id in its key.  A "frozen
 * state" is what is needed to go on: bridge and table, registers, metadata and tunnel, stack, action set, and the
 * actions that were still to be done in the list at hand and in those that had called it ("steps").
 *
 * How it works
 * ------------
 * States are immutable and hash-consed: equal contents have one id, so that megaflows that freeze alike share what
 * comes after.  Translation makes them (ofproto/xlate/freeze.c) and hands the references over in its result; megaflows
 * keep them: both those that send packets to the id and those that have been made for it.  References of short duration
 * are those of traces and of the translation under way.
 *
 * A state nobody refers to stays until every reader has passed a quiescent state: a packet that a worker has sent to it
 * within its burst still finds it.
 *
 * Packets to controllers go the same way: the datapath's "userspace" action names a state, which has what the message
 * is to say beside the packet (and userdata), and with "pause" all that is needed to go on when it is resumed.
 *
 * Contents hold no references.  A bridge outlives them as it outlives megaflows (removal.c), and is marked as gone
 * at once: nothing resumes in it any more.
 *
 * Threads: any registered one; one mutex inside, which looking an id up does not take.
 * Limits: 2^32 - 1 ids, used again only when they are free. */
#ifndef OFPROTO_RECIRC_H
#define OFPROTO_RECIRC_H 1

#include "base/hmap.h"
#include "ofproto/xbridge.h"
#include "openflow/action/action.h"

/* Actions still to be done, with the table and the cookie of the flow that they belong to. */
struct frozen_step {
    be64 cookie;
    uint32_t len;      /* Bytes of actions: they follow one another in the order of the steps. */
    uint8_t table_id;
    uint8_t pad[3];    /* Zero. */
};

/* Lines of the flow that the datapath does not keep as the pipeline sees them. */
enum { FROZEN_LINES = FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC | FLOW_LINE_TUNNEL_OPT | FLOW_LINE_REGS |
                      FLOW_LINE_PIPELINE, FROZEN_N_LINES = 9 };
_Static_assert(__builtin_popcount(FROZEN_LINES) == FROZEN_N_LINES, "lines");

enum frozen_resume {
    FROZEN_STEPS,      /* Goes on with the steps (and then the action set). */
    FROZEN_TABLE       /* Goes on with a lookup in 'table_id'. */
};

/* What the datapath's hash of the packet (dp_hash) is of. */
struct frozen_hash {
    uint32_t is_known;
    uint32_t algorithm, basis; /* struct odp_hash. */
};

/* The fixed part of the contents: compared as bytes, so zero it first. */
struct frozen {
    struct xbridge *bridge;
    uint32_t resume;           /* enum frozen_resume */
    be32 in_port;              /* OpenFlow. */
    uint8_t table_id;          /* Of FROZEN_TABLE. */
    bool conntracked;          /* The connection tracking fields of the packet hold; else they are cleared. */
    uint8_t pad[2];
    struct frozen_hash hash;
    uint32_t mirrors;          /* Of the bridge: those that have had the packet (ofproto/mirror.h). */
    struct { uint64_t words[FLOW_LINE / 8]; } lines[FROZEN_N_LINES]; /* Those of FROZEN_LINES, in order. */
    uint32_t steps_len, acts_len, action_set_len, stack_len, userdata_len; /* Bytes of 'data', in this order. */
    uint32_t pad3;
};

struct frozen_state {
    uint32_t id;
    uint32_t hash;
    struct hmap_node node;     /* By contents; the module's, like all that follows before 'frozen'. */
    uint32_t n_refs;
    bool is_ending, was_used;
    struct frozen frozen;
    uint64_t data[];           /* Steps, actions, action set, stack, userdata. */
};

/* The state with these contents, with a reference for the caller.  'data' is of the lengths that '*f' says. */
struct frozen_state *recirc_freeze(const struct frozen *f, const void *data) MUST_CHECK;

/* The state of an id, null if there is none: valid in the RCU read section, or with a reference. */
struct frozen_state *recirc_find_rcu(uint32_t id);

/* Add a reference to one that was found or is referred to; drop one. */
struct frozen_state *recirc_ref(struct frozen_state *);
void recirc_unref(struct frozen_state *);

/* The parts of the data. */
static inline const struct frozen_step *
frozen_steps(const struct frozen_state *s, size_t *n)
{
    *n = s->frozen.steps_len / sizeof(struct frozen_step);
    return (const void *) s->data;
}

static inline const struct act *
frozen_acts(const struct frozen_state *s)
{
    return (const void *) ((const char *) s->data + s->frozen.steps_len);
}

static inline struct act_span
frozen_action_set(const struct frozen_state *s)
{
    return (struct act_span) { (const void *) ((const char *) frozen_acts(s) + s->frozen.acts_len),
                               s->frozen.action_set_len };
}

static inline const void *
frozen_stack(const struct frozen_state *s)
{
    return (const char *) frozen_acts(s) + s->frozen.acts_len + s->frozen.action_set_len;
}

/* An entry of a stack: a value of 'n' bytes, and a byte that says how many. */
static inline void
frozen_stack_push(struct bytes *stack, const void *value, size_t n)
{
    bytes_put(stack, value, n);
    bytes_put_u8(stack, n);
}

/* The value of the uppermost entry of a stack that is not empty; its byte follows. */
static inline struct cursor
frozen_stack_top(const void *stack, size_t len)
{
    const uint8_t *end = (const uint8_t *) stack + len - 1;

    return cursor_make(end - *end, *end);
}

static inline const void *
frozen_userdata(const struct frozen_state *s)
{
    return (const char *) frozen_stack(s) + s->frozen.stack_len;
}

/* Puts what the state holds of a flow into 'flow', that of the packet as it comes from the datapath. */
void frozen_restore_flow(const struct frozen_state *, struct flow *flow);

#endif
