#include "ofproto/xlate/scout.h"

#include "base/hash.h"
#include "ofproto/xlate/ctx.h"

/* Where the memory of a table is, if it is this one's. */
static struct scout_memory *
memory_of(struct xlate_scout *scout, const struct xbridge *bridge, uint8_t table_id)
{
    return &scout->memories[hash_u64(bridge->serial, table_id) % SCOUT_MEMORIES];
}

static bool
is_of(const struct scout_memory *m, const struct xbridge *bridge, uint8_t table_id)
{
    return m->serial == bridge->serial && m->table_id == table_id;
}

/* What is expected to come, in as many steps. */
enum { MAX_STEPS = 16 };
struct expected {
    unsigned int n_steps, n_lookups, n_runs;
    struct cls_expected lookups[CLS_MAX_EXPECTED];
    struct xlate_run *const *runs[MAX_STEPS]; /* Where they are. */
};

static void
expect_run(struct expected *x, const struct xlate_ctx *ctx, const struct scout_memory *m)
{
    struct xlate_run *const *place = xlate_run_place(ctx, m->table_id, m->place);

    if (place) {
        __builtin_prefetch(place);
        x->runs[x->n_runs++] = place;
    }
}

/* From 'table_id' on. */
static void
expect(struct expected *x, const struct xlate_ctx *ctx, struct xlate_scout *scout, uint8_t table_id)
{
    const struct scout_memory *m = memory_of(scout, ctx->bridge, table_id);

    x->n_steps = x->n_lookups = x->n_runs = 0;
    while (is_of(m, ctx->bridge, table_id) && x->n_steps < MAX_STEPS && x->n_lookups < CLS_MAX_EXPECTED) {
        x->n_steps++;
        if (m->is_run) {
            expect_run(x, ctx, m);
        } else {
            x->lookups[x->n_lookups++] = (struct cls_expected) { &ctx->bridge->tables[table_id], m->place };
        }
        if (!m->leads_on || m->next <= table_id) {
            break;
        }
        table_id = m->next;
        m = memory_of(scout, ctx->bridge, table_id);
    }
}

static void
prefetch_lines(const void *p, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE) {
        __builtin_prefetch((const char *) p + i);
    }
}

static void
prefetch(const struct expected *x, const struct flow *flow)
{
    for (unsigned int i = 0; i < x->n_runs; i++) {
        if (*x->runs[i]) {
            prefetch_lines(*x->runs[i], 2 * CACHE_LINE);
        }
    }
    classifier_prefetch_lookups_rcu(x->lookups, x->n_lookups, flow);
    for (unsigned int i = 0; i < x->n_runs; i++) {
        const struct xlate_run *r = *x->runs[i];

        if (r) {
            prefetch_lines(r->credits, (r->n_lookups + 1) * sizeof *r->credits);
            cls_rule_prefetch(&r->last_rule->cr);
        }
    }
}

unsigned int
xlate_scout_place(const struct xlate_ctx *ctx, uint8_t table_id)
{
    const struct scout_memory *m;

    if (!ctx->in->runs) {
        return CLS_NO_PLACE;
    }
    m = memory_of(xlate_runs_scout(ctx->in->runs), ctx->bridge, table_id);
    return is_of(m, ctx->bridge, table_id) && !m->is_run ? m->place : CLS_NO_PLACE;
}

void
xlate_scout_ahead(struct xlate_ctx *ctx, uint8_t table_id)
{
    struct xlate_scout *scout = xlate_runs_scout(ctx->in->runs);
    struct scout_memory *last = ctx->scouted_from;
    struct expected x;

    if (last && last->serial == ctx->bridge->serial) {
        last->next = table_id;
    }
    if (ctx->n_scouted) {
        ctx->n_scouted--;
        return;
    }
    expect(&x, ctx, scout, table_id);
    if (x.n_steps > 1) {
        prefetch(&x, &ctx->flow);
        ctx->n_scouted = x.n_steps - 1;
        scout->n_asked += x.n_steps;
    }
}

void
xlate_scout_guess_rcu(struct xlate_runs *runs, const struct xbridge *bridge, const struct flow *flow,
                      struct cls_guess *guess)
{
    const struct scout_memory *m = memory_of(xlate_runs_scout(runs), bridge, 0);
    unsigned int place = is_of(m, bridge, 0) && !m->is_run ? m->place : CLS_NO_PLACE;

    classifier_guess_rcu(&(struct cls_expected) { &bridge->tables[0], place }, flow, guess);
}

void
xlate_scout_note(struct xlate_ctx *ctx, uint8_t table_id, const struct rule *rule, uint8_t last_id, bool is_run)
{
    struct scout_memory *m = memory_of(xlate_runs_scout(ctx->in->runs), ctx->bridge, table_id);
    bool by_resubmit;

    if (!is_of(m, ctx->bridge, table_id)) {
        *m = (struct scout_memory) { .serial = ctx->bridge->serial, .table_id = table_id, .next = table_id };
    }
    m->is_run = is_run;
    m->place = MIN(ctx->place, UINT8_MAX);
    m->leads_on = xlate_run_leads_on(rule, last_id, &by_resubmit);
    if (!m->leads_on) {
        ctx->n_scouted = 0; /* The flow may be another one. */
    }
    ctx->scouted_from = m;
}
