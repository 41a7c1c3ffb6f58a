#include "datapath/user/op.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "datapath/user/ct.h"
#include "odp/key.h"
#include "odp/nsh.h"

struct compiler {
    struct bytes ops;  /* struct op, blocks one after the other. */
    struct bytes sets;
    struct bytes cts;  /* struct ct_action */
    const uint8_t *start; /* Of the actions. */
    int depth;
    struct error *error;
};

static void
fail(struct compiler *c, struct error *e)
{
    if (c->error) {
        error_free(e);
    } else {
        c->error = e;
    }
}

static struct op_block compile_block(struct compiler *c, const void *actions, size_t n);

static bool
copy_payload(struct compiler *c, const struct odp_attr *a, void *to, size_t size)
{
    if (odp_attr_size(a) != size) {
        fail(c, error_new("action %d has %zu bytes instead of %zu", a->type, odp_attr_size(a), size));
        return false;
    }
    memcpy(to, odp_attr_data(a), size);
    return true;
}

/* The fields of a packet that can be set here. */
static bool
may_be_set(enum odp_key key)
{
    switch (key) {
    case ODP_KEY_PRIORITY: case ODP_KEY_ETHERNET: case ODP_KEY_VLAN: case ODP_KEY_IPV4: case ODP_KEY_IPV6:
    case ODP_KEY_TCP: case ODP_KEY_UDP: case ODP_KEY_SCTP: case ODP_KEY_ICMP: case ODP_KEY_ICMPV6: case ODP_KEY_ARP:
    case ODP_KEY_ND: case ODP_KEY_SKB_MARK: case ODP_KEY_MPLS: case ODP_KEY_DP_HASH: case ODP_KEY_NSH: return true;
    default: return false;
    }
}

static void
compile_set(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    uint8_t value[ODP_KEY_MAX_SIZE], mask[ODP_KEY_MAX_SIZE];
    struct cursor inner = cursor_make(odp_attr_data(a), odp_attr_size(a));
    const struct odp_attr *attr = odp_attr_next(&inner);
    enum odp_key key;

    if (!attr) {
        fail(c, error_new("a set action without a field"));
    } else if (!may_be_set(attr->type)) {
        fail(c, error_new("setting key attribute %d is not supported", attr->type));
    } else if (!odp_set_get(a, &key, value, mask)) {
        fail(c, error_new("a set action for key attribute %d has %zu bytes", attr->type, odp_attr_size(attr)));
    } else {
        op->set.key = key;
        op->set.size = odp_key_size(key);
        op->set.at = c->sets.len;
        bytes_put(&c->sets, value, op->set.size);
        bytes_put(&c->sets, mask, op->set.size);
    }
}

/* The header as it will stand in front of the packet (RFC 8300 §2.2). */
static void
compile_push_nsh(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    const uint8_t *metadata;
    struct nsh_header h;
    struct odp_key_nsh k;
    size_t n, len;

    if (!odp_push_nsh_get(a, &k, &metadata, &n)) {
        fail(c, error_new("a malformed push_nsh action of %zu bytes", odp_attr_size(a)));
        return;
    }
    len = k.mdtype == NSH_M_TYPE1 ? NSH_M_TYPE1_LEN : NSH_BASE_LEN + n;
    h = (struct nsh_header) { .md_type = k.mdtype, .next_proto = k.np, .path = k.path };
    h.ver_flags_ttl_len = cpu_to_be16((k.flags & 3) << 12 | (k.ttl & 63) << 6 | len / 4);
    op->push_nsh.at = c->sets.len;
    op->push_nsh.len = len;
    bytes_put(&c->sets, &h, NSH_BASE_LEN);
    if (k.mdtype == NSH_M_TYPE1) {
        bytes_put(&c->sets, k.context, sizeof k.context);
    } else {
        bytes_put(&c->sets, metadata, n);
    }
}

static void
compile_userspace(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    ODP_FOR_EACH (inner, odp_attr_data(a), odp_attr_size(a)) {
        if (inner->type == ODP_USERSPACE_USERDATA) {
            op->userspace.at = (const uint8_t *) odp_attr_data(inner) - c->start;
            op->userspace.len = odp_attr_size(inner);
        } else if (inner->type == ODP_USERSPACE_ACTIONS) {
            op->userspace.has_actions = true;
        }
    }
}

static void
compile_sample(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    bool found = false;

    ODP_FOR_EACH (inner, odp_attr_data(a), odp_attr_size(a)) {
        if (inner->type == ODP_SAMPLE_PROBABILITY) {
            copy_payload(c, inner, &op->nested.probability, 4);
        } else if (inner->type == ODP_SAMPLE_ACTIONS) {
            op->nested.block = compile_block(c, odp_attr_data(inner), odp_attr_size(inner));
            found = true;
        }
    }
    if (!found) {
        fail(c, error_new("a sample action without actions"));
    }
}

static void
compile_check_len(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    bool has_len = false;

    ODP_FOR_EACH (inner, odp_attr_data(a), odp_attr_size(a)) {
        if (inner->type == ODP_CHECK_PKT_LEN_SIZE) {
            has_len = copy_payload(c, inner, &op->check.len, 2);
        } else if (inner->type == ODP_CHECK_PKT_LEN_GREATER) {
            op->check.greater = compile_block(c, odp_attr_data(inner), odp_attr_size(inner));
        } else if (inner->type == ODP_CHECK_PKT_LEN_LESS_EQUAL) {
            op->check.not_greater = compile_block(c, odp_attr_data(inner), odp_attr_size(inner));
        }
    }
    if (!has_len) {
        fail(c, error_new("a check_pkt_len action without a length"));
    }
}

static void
compile_ct(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    struct ct_action action;
    struct error *e = ct_op_compile(a, &action);

    if (e) {
        fail(c, e);
        return;
    }
    op->number = c->cts.len / sizeof action;
    bytes_put(&c->cts, &action, sizeof action);
}

static void
compile_one(struct compiler *c, const struct odp_attr *a, struct op *op)
{
    switch ((enum odp_action) a->type) {
#define SIMPLE(ACTION, OP, MEMBER) \
    case ACTION: op->type = OP; copy_payload(c, a, &op->MEMBER, sizeof op->MEMBER); break
    SIMPLE(ODP_OUTPUT, OP_OUTPUT, number);
    SIMPLE(ODP_RECIRC, OP_RECIRC, number);
    SIMPLE(ODP_TRUNC, OP_TRUNC, number);
    SIMPLE(ODP_METER, OP_METER, number);
    SIMPLE(ODP_DROP, OP_DROP, number);
    SIMPLE(ODP_PUSH_VLAN, OP_PUSH_VLAN, push_vlan);
    SIMPLE(ODP_PUSH_MPLS, OP_PUSH_MPLS, push_mpls);
    SIMPLE(ODP_ADD_MPLS, OP_ADD_MPLS, add_mpls);
    SIMPLE(ODP_POP_MPLS, OP_POP_MPLS, ethertype);
    SIMPLE(ODP_PUSH_ETH, OP_PUSH_ETH, push_eth);
    SIMPLE(ODP_HASH, OP_HASH, hash);
#undef SIMPLE
    case ODP_POP_VLAN: op->type = OP_POP_VLAN; break;
    case ODP_POP_ETH: op->type = OP_POP_ETH; break;
    case ODP_CT:
        op->type = OP_CT;
        compile_ct(c, a, op);
        break;
    case ODP_CT_CLEAR: op->type = OP_CT_CLEAR; break;
    case ODP_SET:
    case ODP_SET_MASKED:
        op->type = OP_SET;
        compile_set(c, a, op);
        break;
    case ODP_USERSPACE:
        op->type = OP_USERSPACE;
        compile_userspace(c, a, op);
        break;
    case ODP_SAMPLE:
        op->type = OP_SAMPLE;
        compile_sample(c, a, op);
        break;
    case ODP_CLONE:
        op->type = OP_CLONE;
        op->nested.block = compile_block(c, odp_attr_data(a), odp_attr_size(a));
        break;
    case ODP_CHECK_PKT_LEN:
        op->type = OP_CHECK_LEN;
        compile_check_len(c, a, op);
        break;
    case ODP_PUSH_NSH:
        op->type = OP_PUSH_NSH;
        compile_push_nsh(c, a, op);
        break;
    case ODP_POP_NSH: op->type = OP_POP_NSH; break;
    case ODP_TUNNEL_PUSH:
    case ODP_TUNNEL_POP: fail(c, error_new("tunnel actions are not supported yet")); break;
    case ODP_DEC_TTL:
    case ODP_PSAMPLE:
    case ODP_LB_OUTPUT:
    case ODP_N_ACTIONS:
    default: fail(c, error_new("action %d is not supported", a->type)); break;
    }
}
_Static_assert(sizeof(((struct op *) 0)->check) <= 32, "an op fits 40 bytes");

/* The ops of nested blocks come before those of the block around them. */
static struct op_block
compile_block(struct compiler *c, const void *actions, size_t n)
{
    struct cursor cursor = cursor_make(actions, n);
    struct bytes mine = BYTES_INIT;
    const struct odp_attr *a;
    struct op_block block;

    if (c->depth++ > ODP_MAX_NESTING) {
        fail(c, error_new("actions nested more than %d deep", ODP_MAX_NESTING));
    }
    while (!c->error && (a = odp_attr_next(&cursor)) != NULL) {
        struct op op = { .type = OP_DROP };

        compile_one(c, a, &op);
        bytes_put(&mine, &op, sizeof op);
    }
    if (!c->error && cursor.left) {
        fail(c, error_new("malformed actions at %zu bytes from the end", cursor.left));
    }
    c->depth--;
    block = (struct op_block) { c->ops.len / sizeof(struct op), mine.len / sizeof(struct op) };
    bytes_put(&c->ops, mine.data, mine.len);
    bytes_uninit(&mine);
    return block;
}

static void
release(struct program *p)
{
    free(p->actions);
    free(p->sets);
    free(p->cts);
    free(p->ops);
    free(p);
}

static struct program *
compile(const void *actions, size_t n, struct error **error)
{
    struct program *p = xzalloc(sizeof *p);
    struct compiler c = { .ops = BYTES_INIT };

    p->actions = n ? xmemdup(actions, n) : NULL;
    p->actions_len = n;
    c.start = p->actions;
    p->main = compile_block(&c, p->actions, n);
    p->ops = (struct op *) (void *) bytes_steal(&c.ops);
    p->sets = bytes_steal(&c.sets);
    p->cts = (struct ct_action *) (void *) bytes_steal(&c.cts);
    *error = c.error;
    if (c.error) {
        release(p);
        return NULL;
    }
    return p;
}

/* All programs. */

static pthread_mutex_t programs_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct hmap programs = HMAP_INIT(&programs);

static struct program *
find_and_ref_locked(const void *actions, size_t n, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (p, struct program, node, hash, &programs) {
        if (p->actions_len == n && (!n || !memcmp(p->actions, actions, n))) {
            p->n_refs++;
            return p;
        }
    }
    return NULL;
}

struct program *
program_compile(const void *actions, size_t n, struct error **error)
{
    uint32_t hash = n ? hash_bytes(actions, n, 0) : 0;
    struct program *p;

    *error = NULL;
    pthread_mutex_lock(&programs_mutex);
    p = find_and_ref_locked(actions, n, hash);
    if (!p) {
        p = compile(actions, n, error);
        if (p) {
            p->n_refs = 1;
            hmap_insert(&programs, &p->node, hash);
        }
    }
    pthread_mutex_unlock(&programs_mutex);
    return p;
}

void
program_destroy(void *program)
{
    struct program *p = program;
    bool is_last;

    if (!p) {
        return;
    }
    pthread_mutex_lock(&programs_mutex);
    is_last = !--p->n_refs;
    if (is_last) {
        hmap_remove(&programs, &p->node);
    }
    pthread_mutex_unlock(&programs_mutex);
    if (is_last) {
        release(p);
    }
}

uint32_t
program_sole_output(const struct program *p)
{
    const struct op *op = p->ops + p->main.first;

    return p->main.n == 1 && op->type == OP_OUTPUT ? op->number : UINT32_MAX;
}
