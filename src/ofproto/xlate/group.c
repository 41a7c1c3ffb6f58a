/* Groups (OpenFlow 1.5 §5.10): which buckets a packet takes, and taking them. */
#include "base/hash.h"
#include "ofproto/xgroup.h"
#include "ofproto/xlate/ctx.h"

enum { MAX_CHAIN = 128 };

static struct group *
consult(struct xlate_ctx *ctx, uint32_t group_id)
{
    xlate_note_key(ctx, CONSULTED_GROUP, group_id);
    return xbridge_group_rcu(ctx->bridge, group_id, ctx->version);
}

/* Groups may lead to groups: without a bound, thirty of two buckets each would be a billion.  False: it is reached. */
static bool
count_bucket(struct xlate_ctx *ctx)
{
    if (++ctx->n_buckets > XLATE_MAX_BUCKETS && !xlate_has_failed(ctx)) {
        xlate_report(ctx, TRACE_ERROR, "over %d buckets", XLATE_MAX_BUCKETS);
        xlate_fail(ctx, XLATE_TOO_MANY_BUCKETS);
    }
    return !xlate_has_failed(ctx);
}

/* Liveness. */

static bool bucket_is_alive(struct xlate_ctx *, const struct group *, size_t i, int depth);

static bool
group_is_alive(struct xlate_ctx *ctx, uint32_t group_id, int depth)
{
    const struct group *g = consult(ctx, group_id);

    if (depth >= MAX_CHAIN) {
        xlate_report(ctx, TRACE_ERROR, "bucket chaining exceeded %d links", MAX_CHAIN);
        return false;
    }
    for (size_t i = 0; g && i < g->desc.n_buckets; i++) {
        if (bucket_is_alive(ctx, g, i, depth)) {
            return true;
        }
    }
    return false;
}

/* Of what a dead bucket watches, all is dead. */
static void
report_dead_bucket(struct xlate_ctx *ctx, const struct bucket *b)
{
    struct str s = STR_INIT;

    if (ctx->in->trace) {
        if (b->watch_port != OFPP_NONE) {
            str_puts(&s, "port ");
            ofp_port_put(&s, b->watch_port, NULL);
        }
        if (b->watch_group != GROUP_ANY) {
            str_putf(&s, "%sgroup %u", b->watch_port != OFPP_NONE ? " and " : "", b->watch_group);
        }
        xlate_report(ctx, TRACE_DETAIL, "bucket %u: not live due to %s", b->bucket_id, str_text(&s));
        str_uninit(&s);
    }
}

/* A bucket that watches nothing is alive. */
static bool
bucket_is_alive(struct xlate_ctx *ctx, const struct group *g, size_t i, int depth)
{
    const struct bucket *b = &g->desc.buckets[i];
    bool watches_port = b->watch_port != OFPP_NONE, watches_group = b->watch_group != GROUP_ANY;

    if (!count_bucket(ctx)) {
        return false;
    }
    if (g->desc.type == GROUP_TYPE_SELECT && !b->weight) {
        xlate_report(ctx, TRACE_DETAIL, "bucket %u: not live due to weight 0", b->bucket_id);
        return false;
    }
    if ((!watches_port && !watches_group) || (watches_port && xlate_port_is_live(ctx, b->watch_port)) ||
        (watches_group && group_is_alive(ctx, b->watch_group, depth + 1))) {
        return true;
    }
    report_dead_bucket(ctx, b);
    return false;
}

/* Taking buckets. */

/* What the bucket, or a table that it leads to, wrote into the pipeline's action set stays there. */
static void
keep_action_set(struct xlate_ctx *ctx, struct xlate_saved *saved)
{
    struct act_buf set = ctx->action_set;

    ctx->action_set = saved->action_set;
    saved->action_set = set;
}

/* Its actions are an action set; nothing else that they change shows outside. */
static void
run_bucket(struct xlate_ctx *ctx, struct group *g, size_t i, bool is_last)
{
    struct xlate_saved saved;
    struct xlate_credit *c;
    struct act_buf ordered;
    be32 old_in_port = ctx->flow.in_port;
    bool in_bucket = ctx->in_bucket;

    if (!count_bucket(ctx)) {
        return;
    }
    c = xlate_credit(ctx, CREDIT_GROUP);
    c->group.group = g;
    c->group.bucket = i;
    act_buf_init(&ordered);
    xlate_order_actions(g->desc.buckets[i].actions, &ordered);
    xlate_save(ctx, &saved);
    ctx->apart = true;
    ctx->trace_depth++;
    xlate_report(ctx, TRACE_BUCKET, "bucket %u", g->desc.buckets[i].bucket_id);
    ctx->trace_depth++;
    ctx->depth++;
    ctx->in_bucket = true;
    xlate_actions(ctx, act_buf_span(&ordered), is_last);
    ctx->in_bucket = in_bucket;
    if (ctx->out->error == XLATE_UNSUPPORTED_PACKET_TYPE) {
        ctx->out->error = XLATE_OK; /* This ends only the bucket: ovs-actions(7), "Error Handling". */
    }
    xlate_freeze_finish_apart(ctx);
    ctx->depth--;
    ctx->trace_depth -= 2;
    xlate_wrap_irreversible(ctx, &saved);
    keep_action_set(ctx, &saved);
    xlate_restore(ctx, &saved);
    ctx->flow.in_port = old_in_port;
    act_buf_uninit(&ordered);
}

static void
run_all(struct xlate_ctx *ctx, struct group *g)
{
    bool was_last = ctx->is_last;

    for (size_t i = 0; i < g->desc.n_buckets && !xlate_has_failed(ctx); i++) {
        run_bucket(ctx, g, i, was_last && i == g->desc.n_buckets - 1);
    }
}

/* Returns false if there is none to run: the group does not count the packet then. */
static bool
run_chosen(struct xlate_ctx *ctx, struct group *g, size_t i)
{
    if (i == SIZE_MAX) {
        xlate_report(ctx, TRACE_DETAIL, "no live bucket");
        xlate_why(ctx, WHY_NO_BUCKET);
        return false;
    }
    xlate_report(ctx, TRACE_DETAIL, "using bucket %u", g->desc.buckets[i].bucket_id);
    run_bucket(ctx, g, i, ctx->is_last);
    return true;
}

static size_t
first_alive(struct xlate_ctx *ctx, const struct group *g)
{
    for (size_t i = 0; i < g->desc.n_buckets; i++) {
        if (bucket_is_alive(ctx, g, i, 0)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Select groups. */

/* Of the fields that the group names, those that the packet has. */
static uint32_t
hash_named_fields(struct xlate_ctx *ctx, const struct group_props *props)
{
    uint64_t hash = props->selection_param;

    for (size_t i = 0; i < props->n_fields; i++) {
        const struct group_field *gf = &props->fields[i];
        union field_value v, bits;

        if (field_is_option(gf->field)) {
            const struct subfield whole = { gf->field, 0, gf->field->n_bits };

            if (xlate_read_subfield(ctx, &whole, &v)) { /* Zeros beyond what it has. */
                hash = hash_bytes(v.bytes + sizeof v.bytes - gf->field->wire_bytes, gf->field->wire_bytes, hash);
            }
            continue;
        }
        if (!xlate_has_field(ctx, gf->field)) {
            continue;
        }
        field_get(gf->field, &ctx->flow, &v);
        field_get(gf->field, ctx->wc, &bits);
        for (int k = 0; k < gf->field->wire_bytes; k++) {
            v.bytes[k] &= gf->mask.bytes[k];
            bits.bytes[k] |= gf->mask.bytes[k];
        }
        field_set(gf->field, ctx->wc, &bits);
        hash = hash_bytes(v.bytes, gf->field->wire_bytes, hash);
    }
    return hash_u64(hash, 0);
}

/* The bucket with the greatest hash of its own, times its weight (RFC 2992's HRW). */
static size_t
choose_by_fields(struct xlate_ctx *ctx, const struct group *g)
{
    const struct group_props *props = &g->desc.props;
    size_t best = SIZE_MAX;
    uint64_t best_score = 0;
    uint32_t hash;

    hash = props->n_fields ? hash_named_fields(ctx, props)
                           : xlate_hash_fields(ctx, HASH_SYMMETRIC_L4, props->selection_param);
    for (size_t i = 0; i < g->desc.n_buckets; i++) {
        const struct bucket *b = &g->desc.buckets[i];

        if (bucket_is_alive(ctx, g, i, 0)) {
            uint64_t own = hash_u64((uint64_t) b->bucket_id << 32 | hash, 1) & 0xffff, score = own * b->weight;

            xlate_report(ctx, TRACE_DETAIL, "bucket %u: score %llu", b->bucket_id,
                         (unsigned long long) score);
            if (best == SIZE_MAX || score > best_score) {
                best = i;
                best_score = score;
            }
        }
    }
    return best;
}

/* What a dead bucket would get goes to the next that is alive. */
static size_t
choose_by_dp_hash(struct xlate_ctx *ctx, const struct group *g)
{
    size_t n = g->desc.n_buckets, first;

    ctx->wc->dp_hash |= cpu_to_be32(g->n_hashes - 1);
    first = g->buckets_by_hash[be32_to_cpu(ctx->flow.dp_hash) & (g->n_hashes - 1)];
    for (size_t k = 0; k < n; k++) {
        size_t i = (first + k) % n;

        if (g->desc.buckets[i].weight && bucket_is_alive(ctx, g, i, 0)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Only the datapath knows the hash: it is asked for it first, unless who asks for a trace has said what it is. */
static bool
has_dp_hash(struct xlate_ctx *ctx, const struct group *g, const struct act *again)
{
    struct odp_hash hash = { g->hash_algorithm, g->hash_basis };

    if (ctx->in->trace && !ctx->in->flow->recirc_id && ctx->in->flow->dp_hash) {
        return true;
    }
    if (ctx->hash.is_known && ctx->hash.algorithm == hash.algorithm && ctx->hash.basis == hash.basis) {
        return true;
    }
    xlate_commit(ctx);
    odp_put(&ctx->out->actions, ODP_HASH, &hash, sizeof hash);
    ctx->hash = (struct frozen_hash) { .is_known = 1, .algorithm = hash.algorithm, .basis = hash.basis };
    xlate_freeze(ctx, again);
    return false;
}

static bool
run_select(struct xlate_ctx *ctx, struct group *g, const struct act *again)
{
    if (!g->uses_dp_hash) {
        return run_chosen(ctx, g, choose_by_fields(ctx, g));
    }
    if (has_dp_hash(ctx, g, again)) {
        return run_chosen(ctx, g, choose_by_dp_hash(ctx, g));
    }
    xlate_report(ctx, TRACE_DETAIL, "no live bucket");
    return false;
}

void
xlate_group(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_group *a = (const void *) act;
    struct group *g = consult(ctx, a->group_id);
    struct xlate_credit *c;
    bool done = true;

    if (!g) {
        xlate_report(ctx, TRACE_WARN, "output to nonexistent group %u", a->group_id);
        xlate_why(ctx, WHY_NO_GROUP);
        return;
    }
    if (!xlate_limits_allow(ctx)) {
        return;
    }
    switch (g->desc.type) {
    case GROUP_TYPE_ALL:
    case GROUP_TYPE_INDIRECT: run_all(ctx, g); break;
    case GROUP_TYPE_SELECT: done = run_select(ctx, g, act); break;
    case GROUP_TYPE_FF: done = run_chosen(ctx, g, first_alive(ctx, g)); break;
    case GROUP_N_TYPES: break;
    }
    if (done && !ctx->freezing) {
        c = xlate_credit(ctx, CREDIT_GROUP);
        c->group.group = g;
        c->group.bucket = SIZE_MAX;
    }
}
