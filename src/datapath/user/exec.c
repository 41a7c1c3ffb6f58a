#include "datapath/user/exec.h"

#include <string.h>

#include "datapath/user/burst.h"
#include "datapath/user/ct.h"
#include "datapath/user/dp.h"
#include "datapath/user/segment.h"
#include "packet/headers.h"

static void run_block(struct worker *w, struct exec *x, const struct program *p, struct op_block block);

/* The packet for a step that consumes one: the packet itself if the step is the last to need it, else another
 * reference. */
static struct packet *
take(struct exec *x, bool keep)
{
    struct packet *p = x->packet;

    if (keep) {
        packet_ref(p);
    } else {
        x->packet = NULL;
    }
    return p;
}

/* A packet of at most x->cut bytes with its own contents. */
static struct packet *
cut_packet(struct exec *x, struct packet *p)
{
    struct packet *copy;
    uint32_t cut = x->cut;

    x->cut = UINT32_MAX;
    if (packet_size(p) <= cut) {
        return p;
    }
    copy = packet_new(packet_at(p), cut);
    if (copy) {
        packet_take_queue(copy, p);
    }
    packet_free(p);
    return copy;
}

static void
do_output(struct worker *w, struct exec *x, uint32_t port, bool keep)
{
    struct packet *p = take(x, keep);

    if (UNLIKELY(x->cut != UINT32_MAX)) {
        p = cut_packet(x, p);
        if (!p) {
            worker_lost(w, DP_DROP_NO_MEMORY, x->key);
            return;
        }
    }
    worker_output_rcu(w, port, p);
}

static ALWAYS_INLINE uint16_t
copy_key(const struct flow *from, uint16_t lines, struct flow *to)
{
    FLOW_FOR_EACH_LINE (i, lines) {
        to->lines[i] = from->lines[i];
    }
    return lines;
}

static void
do_recirc(struct worker *w, struct exec *x, uint32_t id, bool keep)
{
    struct packet *p = take(x, keep);
    unsigned int depth = x->depth + 1, i;
    struct burst *next;

    if (depth >= MAX_DEPTH) {
        worker_drop(w, p, DP_DROP_RECIRC, x->key);
        return;
    }
    if (UNLIKELY(!x->key->packet_ns && packet_size(p) < ETH_HEADER_LEN)) {
        worker_drop(w, p, DP_DROP_RX_INVALID, x->key); /* What was under another header is no frame. */
        return;
    }
    next = worker_burst(w, depth);
    if (next->n == BURST) {
        burst_process_rcu(w, next, depth);
    }
    i = next->n++;
    next->packets[i] = p;
    if (x->is_parsed) {
        next->offsets[i] = x->offsets;
        next->lines[i] = copy_key(x->key, *x->lines, &next->keys[i]);
    } else {
        next->lines[i] = flow_extract(packet_at(p), packet_size(p), x->key, *x->lines, &next->keys[i],
                                      &next->offsets[i]);
    }
    next->keys[i].recirc_id = cpu_to_be32(id); /* Not before: part of a word that is copied. */
    tally_add(&w->counters.n_recirculated, 1);
}

/* Makes the packet's bytes ours alone, to be changed; false (and the packet is gone) without memory. */
static ALWAYS_INLINE bool
own_bytes(struct worker *w, struct exec *x)
{
    x->is_parsed = false;
    x->packet = packet_unshare(x->packet);
    if (UNLIKELY(!x->packet)) {
        worker_lost(w, DP_DROP_NO_MEMORY, x->key);
        return false;
    }
    return true;
}

/* Fields that a packet has besides its bytes.  Whatever it is sent through once it has a priority is to know the queue:
 * so do those who have the packet already, unless there is a copy.  False: the packet is gone. */
static NOINLINE bool
set_metadata(struct worker *w, struct exec *x, enum odp_key field, const void *value, const void *mask)
{
    be32 *to = field == ODP_KEY_PRIORITY ? &x->key->skb_priority
               : field == ODP_KEY_SKB_MARK ? &x->key->pkt_mark : &x->key->dp_hash;
    uint32_t v, m;

    memcpy(&v, value, sizeof v); /* Host order, as in netlink. */
    memcpy(&m, mask, sizeof m);
    *to = (*to & ~cpu_to_be32(m)) | cpu_to_be32(v & m);
    if (field == ODP_KEY_PRIORITY) {
        if (!own_bytes(w, x)) {
            return false;
        }
        packet_set_queue(x->packet, be32_to_cpu(x->key->skb_priority));
    }
    return true;
}

static bool
do_set(struct worker *w, struct exec *x, const struct program *p, const struct op *op)
{
    const uint8_t *value = p->sets + op->set.at, *mask = value + op->set.size;

    if (op->set.key == ODP_KEY_PRIORITY || op->set.key == ODP_KEY_SKB_MARK || op->set.key == ODP_KEY_DP_HASH) {
        return set_metadata(w, x, op->set.key, value, mask);
    }
    if (!own_bytes(w, x)) {
        return false;
    }
    set_field(x->packet, x->key, &x->offsets, op->set.key, value, mask);
    return true;
}

/* Runs a block on its own view of the packet: what it changes does not show outside. */
static void
run_apart(struct worker *w, struct exec *x, const struct program *p, struct op_block block, bool keep)
{
    struct exec inner = *x;
    struct flow_line base = x->key->lines[0], ct = x->key->lines[FLOW_LINE_OF(ct_label)];
    uint16_t lines = *x->lines;

    inner.packet = take(x, keep);
    run_block(w, &inner, p, block);
    x->key->lines[0] = base;
    x->key->lines[FLOW_LINE_OF(ct_label)] = ct;
    *x->lines = lines;
}

static void
do_sample(struct worker *w, struct exec *x, const struct program *p, const struct op *op, bool keep)
{
    if (op->nested.probability == UINT32_MAX || (uint32_t) random_u64(&w->random) < op->nested.probability) {
        run_apart(w, x, p, op->nested.block, keep);
    }
}

static void
do_check_len(struct worker *w, struct exec *x, const struct program *p, const struct op *op, bool keep)
{
    bool greater = packet_size(x->packet) > op->check.len;

    run_apart(w, x, p, greater ? op->check.greater : op->check.not_greater, keep);
}

/* False: the packet is gone. */
static bool
do_meter(struct worker *w, struct exec *x, uint32_t id)
{
    if (dp_meters_pass_rcu(&w->dp->meters, id, packet_size(x->packet), w->now)) {
        return true;
    }
    worker_drop(w, x->packet, DP_DROP_METER, x->key);
    x->packet = NULL;
    return false;
}

/* Changes of the bytes.  False: the packet is gone. */
static bool
do_change(struct worker *w, struct exec *x, const struct program *p, const struct op *op)
{
    bool ok = true;

    if (!own_bytes(w, x)) {
        return false;
    }
    switch (op->type) {
    case OP_PUSH_VLAN: ok = exec_push_vlan(x, &op->push_vlan); break;
    case OP_POP_VLAN: exec_pop_vlan(x); break;
    case OP_PUSH_MPLS: ok = exec_push_mpls(x, &op->push_mpls); break;
    case OP_POP_MPLS: exec_pop_mpls(x, op->ethertype); break;
    case OP_ADD_MPLS: ok = exec_add_mpls(x, &op->add_mpls); break;
    case OP_PUSH_ETH: ok = exec_push_eth(x, &op->push_eth); break;
    case OP_POP_ETH: exec_pop_eth(x); break;
    case OP_PUSH_NSH: ok = exec_push_nsh(x, p->sets + op->push_nsh.at, op->push_nsh.len); break;
    default: exec_pop_nsh(x); break;
    }
    if (!ok && !x->packet) {
        tally_add(&w->counters.drops[DP_DROP_NO_MEMORY], 1);
    } else if (!ok) {
        worker_drop(w, x->packet, DP_DROP_NO_ROOM, x->key);
        x->packet = NULL;
    }
    return ok;
}

/* Below NSH nothing can be put off: what is to be cut into segments is cut now, and each goes its own way.  False: the
 * packet is gone. */
static NOINLINE bool
do_push_nsh(struct worker *w, struct exec *x, const struct program *p, const struct op *op, const struct op *end)
{
    struct packet *segments[MAX_SEGMENTS], *whole = x->packet;
    int n;

    if (!packet_has_offload(whole) || !whole->offload.gso_type) {
        if (!own_bytes(w, x)) {
            return false;
        }
        packet_finish_csum(x->packet);
        return do_change(w, x, p, op);
    }
    n = segment_packet(whole, segments, MAX_SEGMENTS);
    x->packet = NULL;
    for (int i = 0; i < n; i++) {
        struct exec one = *x;
        struct flow key = *x->key;
        uint16_t lines = *x->lines;

        one.packet = segments[i];
        one.key = &key;
        one.lines = &lines;
        exec_rest_rcu(w, &one, p, op, end);
    }
    if (n > 0) {
        packet_free(whole);
    } else {
        worker_drop(w, whole, n ? DP_DROP_NO_MEMORY : DP_DROP_SEGMENT, x->key);
    }
    return false;
}

static enum dp_drop
drop_reason(uint32_t number)
{
    return number && number <= DP_N_DROPS - DP_DROP_XLATE_BRIDGE_NOT_FOUND
           ? (enum dp_drop) (DP_DROP_XLATE_BRIDGE_NOT_FOUND + number - 1) : DP_DROP_EXPLICIT;
}

/* Carries out one step of those up to 'end'.  False: the packet is gone. */
static bool
run_op(struct worker *w, struct exec *x, const struct program *p, const struct op *op, const struct op *end)
{
    bool keep = op + 1 < end; /* Later steps need the packet. */

    switch (op->type) {
    case OP_OUTPUT: do_output(w, x, op->number, keep); break;
    case OP_RECIRC: do_recirc(w, x, op->number, keep); break;
    case OP_SET: return do_set(w, x, p, op);
    case OP_PUSH_VLAN:
    case OP_POP_VLAN:
    case OP_PUSH_MPLS:
    case OP_POP_MPLS:
    case OP_PUSH_ETH:
    case OP_POP_ETH:
    case OP_ADD_MPLS:
    case OP_POP_NSH: return do_change(w, x, p, op);
    case OP_PUSH_NSH: return do_push_nsh(w, x, p, op, end);
    case OP_TRUNC: x->cut = op->number; break;
    case OP_HASH: x->key->dp_hash = cpu_to_be32(exec_hash(x->key, &op->hash)); break;
    case OP_USERSPACE: upcall_action_rcu(w, x, p, op); break;
    case OP_SAMPLE: do_sample(w, x, p, op, keep); break;
    case OP_CLONE: run_apart(w, x, p, op->nested.block, keep); break;
    case OP_CHECK_LEN: do_check_len(w, x, p, op, keep); break;
    case OP_METER: return do_meter(w, x, op->number);
    case OP_CT: return ct_op_run_rcu(w, x, p, op, end);
    case OP_CT_CLEAR: flow_clear_conntrack(x->key, *x->lines); break;
    case OP_DROP:
        worker_drop(w, x->packet, drop_reason(op->number), x->key);
        x->packet = NULL;
        return false;
    }
    return true;
}

void
exec_rest_rcu(struct worker *w, struct exec *x, const struct program *p, const struct op *op, const struct op *end)
{
    for (; op < end && run_op(w, x, p, op, end); op++) {
        continue;
    }
    if (x->packet) {
        packet_free(x->packet);
        x->packet = NULL;
    }
}

static void
run_block(struct worker *w, struct exec *x, const struct program *p, struct op_block block)
{
    const struct op *op = p->ops + block.first;

    exec_rest_rcu(w, x, p, op, op + block.n);
}

void
exec_program_rcu(struct worker *w, const struct program *p, struct packet *packet, struct flow *key, uint16_t *lines,
                 const struct flow_offsets *offsets, unsigned int depth)
{
    struct exec x = { packet, key, lines, *offsets, UINT32_MAX, depth };

    if (!p->main.n) {
        worker_drop(w, packet, DP_DROP_EXPLICIT, key);
        return;
    }
    run_block(w, &x, p, p->main);
}

/* Takes the fragments out of 'index', one by one; returns how many packets are left. */
static unsigned int
run_fragments(struct worker *w, const struct program *p, struct burst *b, uint8_t *index, unsigned int n,
              unsigned int depth)
{
    unsigned int left = 0;

    for (unsigned int k = 0; k < n; k++) {
        unsigned int i = index[k];

        if (UNLIKELY(conntrack_is_fragment(&b->keys[i]))) {
            exec_program_rcu(w, p, b->packets[i], &b->keys[i], &b->lines[i], &b->offsets[i], depth);
        } else {
            index[left++] = i;
        }
    }
    return left;
}

/* Takes packets that are gone out of 'index'. */
static unsigned int
drop_missing(const struct burst *b, uint8_t *index, unsigned int n)
{
    unsigned int left = 0;

    for (unsigned int k = 0; k < n; k++) {
        if (LIKELY(b->packets[index[k]] != NULL)) {
            index[left++] = index[k];
        }
    }
    return left;
}

void
exec_burst_rcu(struct worker *w, const struct program *p, struct burst *b, const uint8_t *index, unsigned int n,
               unsigned int depth)
{
    const struct op *op = p->ops + p->main.first, *end = op + p->main.n;
    uint8_t tracked[BURST];
    burst_mask changed = 0;

    if (!p->main.n || op->type != OP_CT || n == 1) {
        for (unsigned int k = 0; k < n; k++) {
            unsigned int i = index[k];

            exec_program_rcu(w, p, b->packets[i], &b->keys[i], &b->lines[i], &b->offsets[i], depth);
        }
        return;
    }
    memcpy(tracked, index, n);
    n = run_fragments(w, p, b, tracked, n, depth);
    for (; op < end && op->type == OP_CT; op++) {
        changed |= ct_op_run_burst_rcu(w, b, &p->cts[op->number], tracked, n);
        n = drop_missing(b, tracked, n);
    }
    for (unsigned int k = 0; k < n; k++) {
        unsigned int i = tracked[k];
        struct exec x = { b->packets[i], &b->keys[i], &b->lines[i], b->offsets[i], UINT32_MAX, depth,
                          !(changed & UINT32_C(1) << i) };

        exec_rest_rcu(w, &x, p, op, end);
    }
}
