/* Connection tracking: ct, nat in it, and ct_clear.
 *
 * ct forks: a clone of the packet is tracked and comes back, if it is to go on in a table; the translation goes on with
 * the packet as one that was never tracked. */
#include "ofproto/xlate/ctx.h"

#include <stdlib.h>

/* What the nested actions wrote: mark and label, and in which bits. */
struct exec {
    be32 mark, mark_mask;
    uint8_t label[16], label_mask[16];
};

/* Carries out the nested actions on the fields as they are. */
static void
run_nested(struct xlate_ctx *ctx, const struct act_ct *a)
{
    struct act_span rest = ctx->rest;
    bool is_last = ctx->is_last;

    xlate_actions(ctx, act_ct_actions(a), false);
    ctx->rest = rest;
    ctx->is_last = is_last;
}

/* Which bits the nested actions write, whatever was in them: those that come out alike from zeros and from ones. */
static void
find_written(struct xlate_ctx *ctx, const struct act_ct *a, struct exec *e)
{
    struct flow flow = ctx->flow, wc = *ctx->wc, zeros, ones;
    struct xlate_in quiet = *ctx->in;
    const struct xlate_in *in = ctx->in;

    quiet.trace = NULL;
    ctx->in = &quiet;
    ctx->flow.ct_mark = 0;
    memset(ctx->flow.ct_label, 0, sizeof ctx->flow.ct_label);
    run_nested(ctx, a);
    zeros = ctx->flow;
    ctx->flow = flow;
    ctx->flow.ct_mark = BE32_MAX;
    memset(ctx->flow.ct_label, 0xff, sizeof ctx->flow.ct_label);
    run_nested(ctx, a);
    ones = ctx->flow;
    ctx->flow = flow;
    *ctx->wc = wc;
    ctx->in = in;
    e->mark_mask = ~(zeros.ct_mark ^ ones.ct_mark);
    for (size_t i = 0; i < sizeof e->label; i++) {
        e->label_mask[i] = ~(zeros.ct_label[i] ^ ones.ct_label[i]);
    }
}

/* The nested actions: what they write goes to the connection, not to the packet. */
static void
execute_nested(struct xlate_ctx *ctx, const struct act_ct *a, struct exec *e)
{
    struct flow *f = &ctx->flow, *wc = ctx->wc, old_wc = *wc;
    uint8_t label[16];
    be32 mark = f->ct_mark;

    memcpy(label, f->ct_label, sizeof label);
    find_written(ctx, a, e);
    run_nested(ctx, a);
    e->mark = f->ct_mark & e->mark_mask;
    /* Writing notes bits of the packet; what is written here is not the packet's. */
    wc->ct_mark = old_wc.ct_mark | (wc->ct_mark & ~e->mark_mask);
    for (size_t i = 0; i < sizeof e->label; i++) {
        e->label[i] = f->ct_label[i] & e->label_mask[i];
        wc->ct_label[i] = old_wc.ct_label[i] | (wc->ct_label[i] & ~e->label_mask[i]);
    }
    f->ct_mark = mark;
    memcpy(f->ct_label, label, sizeof label);
}

/* Attributes of the datapath's action. */

static void
put_exec(struct bytes *out, const struct exec *e)
{
    uint32_t mark[2] = { be32_to_cpu(e->mark), be32_to_cpu(e->mark_mask) };

    if (e->mark_mask) {
        odp_put(out, ODP_CT_MARK, mark, sizeof mark);
    }
    if (!is_all_zeros(e->label_mask, sizeof e->label_mask)) {
        uint8_t label[32];

        memcpy(label, e->label, 16);
        memcpy(label + 16, e->label_mask, 16);
        odp_put(out, ODP_CT_LABELS, label, sizeof label);
    }
}

static void
put_nat_range(struct bytes *out, const struct act_nat *a)
{
    /* nat(src=0.0.0.0) is nat(src): only a port that is taken is changed. */
    if (a->family == NAT_IPV4 && a->ipv4.min) {
        odp_put(out, ODP_NAT_IP_MIN, &a->ipv4.min, sizeof a->ipv4.min);
        if (a->ipv4.max) {
            odp_put(out, ODP_NAT_IP_MAX, &a->ipv4.max, sizeof a->ipv4.max);
        }
    } else if (a->family == NAT_IPV6 && !is_all_zeros(&a->ipv6.min, sizeof a->ipv6.min)) {
        odp_put(out, ODP_NAT_IP_MIN, &a->ipv6.min, sizeof a->ipv6.min);
        if (!is_all_zeros(&a->ipv6.max, sizeof a->ipv6.max)) {
            odp_put(out, ODP_NAT_IP_MAX, &a->ipv6.max, sizeof a->ipv6.max);
        }
    }
    if (a->port_min) {
        odp_put(out, ODP_NAT_PROTO_MIN, &a->port_min, sizeof a->port_min);
        if (a->port_max && a->port_max != a->port_min) {
            odp_put(out, ODP_NAT_PROTO_MAX, &a->port_max, sizeof a->port_max);
        }
    }
}

static void
put_nat(struct bytes *out, const struct act_nat *a)
{
    static const struct { uint16_t flag, attr; } flags[] = {
        { NAT_PERSISTENT, ODP_NAT_PERSISTENT }, { NAT_HASH, ODP_NAT_PROTO_HASH }, { NAT_RANDOM, ODP_NAT_PROTO_RANDOM },
    };
    size_t begun = odp_begin(out, ODP_CT_NAT);

    if (a->flags & (NAT_SRC | NAT_DST)) {
        odp_put_flag(out, a->flags & NAT_SRC ? ODP_NAT_SRC : ODP_NAT_DST);
        put_nat_range(out, a);
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
            if (a->flags & flags[i].flag) {
                odp_put_flag(out, flags[i].attr);
            }
        }
    }
    odp_end(out, begun);
}

static void
put_helper(struct bytes *out, uint16_t alg)
{
    const char *name = alg == CT_ALG_FTP ? "ftp" : alg == CT_ALG_TFTP ? "tftp" : NULL;

    if (name) {
        odp_put(out, ODP_CT_HELPER, name, strlen(name) + 1);
    }
}

/* The zone's timeout policy, if the database gives it one. */
static void
put_policy(struct xlate_ctx *ctx, struct bytes *out, uint16_t zone)
{
    uint32_t id;
    char name[16];

    if (!(ctx->bridge->xdp->without & XDP_WITHOUT_CT_TIMEOUT) && xdp_zone_policy_rcu(ctx->bridge->xdp, zone, &id)) {
        snprintf(name, sizeof name, "%u", id);
        odp_put(out, ODP_CT_TIMEOUT, name, strlen(name) + 1);
    }
}

static uint16_t
read_zone(struct xlate_ctx *ctx, const struct act_ct *a)
{
    union field_value v;

    if (!a->zone_src.field) {
        return a->zone;
    }
    return xlate_read_subfield(ctx, &a->zone_src, &v) ? get_be16(v.bytes + sizeof v.bytes - 2) : 0;
}

static void
put_ct(struct xlate_ctx *ctx, const struct act_ct *a, uint16_t zone, const struct exec *e)
{
    struct bytes *out = &ctx->out->actions;
    size_t begun = odp_begin(out, ODP_CT);

    if (a->flags & CT_COMMIT) {
        odp_put_flag(out, a->flags & CT_FORCE ? ODP_CT_FORCE_COMMIT : ODP_CT_COMMIT);
    }
    odp_put(out, ODP_CT_ZONE, &zone, sizeof zone);
    put_exec(out, e);
    put_helper(out, a->alg);
    if (a->flags & CT_COMMIT) {
        put_policy(ctx, out, zone);
    }
    if (ctx->nat) {
        put_nat(out, ctx->nat);
    }
    odp_end(out, begun);
    ctx->useful_len = out->len;
}

/* As trace takes the connection to be: the first of the addresses and ports. */
static void
simulate_nat(const struct act_nat *a, struct flow *f)
{
    bool is_src = a->flags & NAT_SRC;

    if (a->family == NAT_IPV4 && a->ipv4.min && f->eth_type == BE16(0x0800)) {
        *(is_src ? &f->nw_src : &f->nw_dst) = a->ipv4.min;
    } else if (a->family == NAT_IPV6 && !is_all_zeros(&a->ipv6.min, 16) && f->eth_type == BE16(0x86dd)) {
        *(is_src ? &f->ipv6_src : &f->ipv6_dst) = a->ipv6.min;
    }
    if (a->port_min) {
        *(is_src ? &f->tp_src : &f->tp_dst) = cpu_to_be16(a->port_min);
    }
}

static void
report_fork(struct xlate_ctx *ctx, uint16_t zone, const struct exec *e, uint32_t id)
{
    struct flow fork = ctx->flow, before;

    fork.ct_zone = cpu_to_be16(zone);
    fork.ct_mark = (fork.ct_mark & ~e->mark_mask) | e->mark;
    for (size_t i = 0; i < sizeof e->label; i++) {
        fork.ct_label[i] = (fork.ct_label[i] & ~e->label_mask[i]) | e->label[i];
    }
    before = fork;
    if (ctx->nat && ctx->nat->flags & (NAT_SRC | NAT_DST)) {
        simulate_nat(ctx->nat, &fork);
    }
    xlate_report_fork(ctx, ctx->nat ? FORK_CT_NAT : FORK_CT, id, &fork, &before);
}

void
xlate_ct(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_ct *a = (const void *) act;
    uint16_t zone = read_zone(ctx, a);
    struct exec e = { 0 };
    ctx->nat = NULL;
    execute_nested(ctx, a, &e);
    xlate_commit(ctx);
    put_ct(ctx, a, zone, &e);
    if (a->table != CT_TABLE_NONE) {
        report_fork(ctx, zone, &e, xlate_fork(ctx, a->table, true));
        xlate_report(ctx, TRACE_DETAIL, "A clone of the packet is forked to recirculate. "
                     "The forked pipeline will be resumed at table %d.", a->table);
    }
    ctx->nat = NULL;
    xlate_report(ctx, TRACE_DETAIL, "Sets the packet to an untracked state, and clears all the conntrack fields.");
    xlate_clear_conntrack(ctx);
}

/* Inside ct. */
void
xlate_nat(struct xlate_ctx *ctx, const struct act *act)
{
    ctx->nat = (const void *) act;
}

void
xlate_ct_clear(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    if (ctx->conntracked) {
        if (!(ctx->bridge->xdp->without & XDP_WITHOUT_CT_CLEAR)) {
            odp_put_flag(&ctx->out->actions, ODP_CT_CLEAR);
            ctx->useful_len = ctx->out->actions.len; /* The reference keeps it where nothing follows. */
        }
        xlate_clear_conntrack(ctx);
    }
}

/* Puts the original tuple in the place of the packet's addresses and ports, and back: the same call does both. */
void
xlate_swap_tuple(struct flow *f, bool is_v6)
{
    struct flow old = *f;

    f->nw_proto = old.ct_nw_proto;
    f->ct_nw_proto = old.nw_proto;
    f->tp_src = old.ct_tp_src;
    f->ct_tp_src = old.tp_src;
    f->tp_dst = old.ct_tp_dst;
    f->ct_tp_dst = old.tp_dst;
    if (is_v6) {
        f->ipv6_src = old.ct_ipv6_src;
        f->ct_ipv6_src = old.ipv6_src;
        f->ipv6_dst = old.ct_ipv6_dst;
        f->ct_ipv6_dst = old.ipv6_dst;
    } else {
        f->nw_src = old.ct_nw_src;
        f->ct_nw_src = old.nw_src;
        f->nw_dst = old.ct_nw_dst;
        f->ct_nw_dst = old.nw_dst;
    }
}

/* The lookup alone sees the tuple: actions see the packet again, as it was. */
void
xlate_table_with_tuple(struct xlate_ctx *ctx, ofp_port in_port, uint8_t table)
{
    if (!(ctx->wc->ct_state & ctx->flow.ct_state)) { /* Any other bit of a tracked packet says the same. */
        ctx->wc->ct_state |= CT_TRK;
    }
    ctx->wc->ct_nw_proto = UINT8_MAX;
    if (!(ctx->flow.ct_state & CT_TRK) || !flow_is_ip(&ctx->flow) || !ctx->flow.ct_nw_proto) {
        ctx->goes_up = false;
        xlate_report(ctx, TRACE_ERROR, "resubmit(ct) with non-tracked or non-IP packet!");
        xlate_why(ctx, WHY_UNTRACKED);
        return;
    }
    ctx->with_tuple = true;
    xlate_table(ctx, in_port, table, false);
}
