#include "ofproto/xlate/run.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/xlate/ctx.h"

/* A lookup joins a run if of the bits that it asks for at most SIMILAR were not asked for before, and the other way
 * round. */
enum { SIMILAR = 24, N_STARTS = 512, N_SHAPES = 4, N_SLOTS = 4096, MIN_LOOKUPS = 2 };
/* Making a run costs COST, taking one gives 1 back; without anything left, only one in SELDOM is made. */
enum { BUDGET = 256, COST = 4, SELDOM = 32 };

/* The bits of a key. */
struct shape {
    uint64_t id;
    unsigned int n;
    struct run_word words[]; /* Without values. */
};

/* The masks of the runs that begin with a table. */
struct start {
    uint64_t serial;         /* Of the bridge; 0: nothing is here. */
    uint8_t table_id;
    uint8_t n, next;         /* Shapes; the one that the next takes the place of. */
    int16_t budget;
    uint32_t n_refused;
    struct shape *shapes[N_SHAPES];
};

struct xlate_runs {
    struct start starts[N_STARTS];
    struct xlate_run *slots[N_SLOTS];
    struct xlate_runs_stats stats;
    struct xlate_scout scout;
};

static _Atomic uint64_t last_id;

static uint64_t
new_id(void)
{
    return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
}

/* Runs. */

struct xlate_run *
xlate_run_ref(struct xlate_run *r)
{
    r->n_refs++;
    return r;
}

void
xlate_run_unref(struct xlate_run *r)
{
    if (r && !--r->n_refs) {
        free(r);
    }
}

/* Memory. */

struct xlate_runs *
xlate_runs_create(void)
{
    return xzalloc(sizeof(struct xlate_runs));
}

static void
clear_start(struct start *s)
{
    for (unsigned int i = 0; i < s->n; i++) {
        free(s->shapes[i]);
    }
    *s = (struct start) { .serial = 0 };
}

void
xlate_runs_destroy(struct xlate_runs *runs)
{
    for (unsigned int i = 0; i < N_STARTS; i++) {
        clear_start(&runs->starts[i]);
    }
    for (unsigned int i = 0; i < N_SLOTS; i++) {
        xlate_run_unref(runs->slots[i]);
    }
    free(runs);
}

struct xlate_runs_stats
xlate_runs_get_stats(const struct xlate_runs *runs)
{
    struct xlate_runs_stats stats = runs->stats;

    stats.n_scouted = runs->scout.n_asked;
    return stats;
}

struct xlate_scout *
xlate_runs_scout(struct xlate_runs *runs)
{
    return &runs->scout;
}

static pthread_key_t end_of_thread;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static void
destroy_runs(void *runs)
{
    xlate_runs_destroy(runs);
}

static void
init_key(void)
{
    has_key = !pthread_key_create(&end_of_thread, destroy_runs);
}

struct xlate_runs *
xlate_runs_mine(void)
{
    static __thread struct xlate_runs *mine;

    if (UNLIKELY(!mine)) {
        pthread_once(&once, init_key);
        if (!has_key) {
            return NULL; /* It goes without. */
        }
        mine = xlate_runs_create();
        pthread_setspecific(end_of_thread, mine);
    }
    return mine;
}

static struct start *
start_of(struct xlate_runs *runs, const struct xbridge *bridge, uint8_t table_id)
{
    return &runs->starts[hash_u64(bridge->serial, table_id) % N_STARTS];
}

static bool
is_start_of(const struct start *s, const struct xbridge *bridge, uint8_t table_id)
{
    return s->serial == bridge->serial && s->table_id == table_id;
}

static uint32_t
key_hash(uint64_t shape, const uint64_t *key, unsigned int n)
{
    uint64_t h = shape;

    for (unsigned int i = 0; i < n; i++) {
        h = hash_add_word(h, key[i]);
    }
    return h ^ h >> 32;
}

/* Taking. */

static bool
is_valid(struct xlate_run *r, const struct xlate_ctx *ctx)
{
    if (ctx->version < r->version) {
        return false;
    }
    if (atomic_load_explicit(&ctx->bridge->changed, memory_order_relaxed) > r->version) {
        for (unsigned int i = 0; i < r->n_lookups; i++) {
            if (xbridge_changed_in(ctx->bridge, r->consulted[i].table.id) > r->version) {
                return false;
            }
        }
        r->version = ctx->version;
    }
    return true;
}

/* Where a run of this shape that agrees with the flow would be; its key in 'key'. */
static struct xlate_run **
place_of(struct xlate_runs *runs, const struct shape *s, const struct flow *flow, uint64_t key[RUN_KEY_WORDS + 1])
{
    for (unsigned int i = 0; i < s->n; i++) {
        key[i] = flow_word(flow, s->words[i].index) & s->words[i].mask;
    }
    return &runs->slots[key_hash(s->id, key, s->n) % N_SLOTS];
}

static struct xlate_run *
find_run(struct xlate_runs *runs, const struct shape *s, const struct xlate_ctx *ctx)
{
    uint64_t key[RUN_KEY_WORDS + 1];
    struct xlate_run *r = *place_of(runs, s, &ctx->flow, key);

    return r && r->shape == s->id && !memcmp(r->key, key, s->n * sizeof key[0]) && is_valid(r, ctx) ? r : NULL;
}

struct xlate_run *const *
xlate_run_place(const struct xlate_ctx *ctx, uint8_t table_id, unsigned int shape)
{
    const struct start *start = start_of(ctx->in->runs, ctx->bridge, table_id);
    uint64_t key[RUN_KEY_WORDS + 1];

    return is_start_of(start, ctx->bridge, table_id) && shape < start->n
           ? place_of(ctx->in->runs, start->shapes[shape], &ctx->flow, key) : NULL;
}

bool
xlate_run_may(const struct xlate_ctx *ctx, ofp_port in_port, bool with_tuple)
{
    if (!ctx->in->runs || ctx->in->trace || !ctx->rule || ctx->at_input || with_tuple || ctx->was_mpls ||
        ctx->flow.nw_frag || cpu_to_be32(ofp_to_u32(in_port)) != ctx->flow.in_port ||
        ctx->out->actions.len > XLATE_MAX_ACTIONS_LEN || ctx->depth > XLATE_MAX_DEPTH) {
        return false; /* Beyond a limit, what leads on fails. */
    }
    return true;
}

static void
take(struct xlate_ctx *ctx, struct xlate_run *r, const struct shape *s)
{
    struct xlate_out *out = ctx->out;

    for (unsigned int i = 0; i < s->n; i++) {
        *flow_word_ptr(ctx->wc, s->words[i].index) |= s->words[i].mask;
    }
    if (out->n_runs >= out->runs_capacity) {
        out->runs = x2nrealloc(out->runs, &out->runs_capacity, sizeof *out->runs);
    }
    out->runs[out->n_runs++] = xlate_run_ref(r);
    xlate_credits(ctx, r->credits, r->n_lookups);
    ctx->n_resubmits += r->n_resubmits;
}

struct rule *
xlate_run_take(struct xlate_ctx *ctx, uint8_t *table_id)
{
    struct xlate_runs *runs = ctx->in->runs;
    struct start *start = start_of(runs, ctx->bridge, *table_id);

    if (!is_start_of(start, ctx->bridge, *table_id)) {
        return NULL;
    }
    for (unsigned int i = 0; i < start->n; i++) {
        struct xlate_run *r = find_run(runs, start->shapes[i], ctx);

        if (r && ctx->n_resubmits + r->n_resubmits <= XLATE_MAX_RESUBMITS) {
            xlate_run_end(ctx);
            take(ctx, r, start->shapes[i]);
            start->budget += start->budget < BUDGET;
            runs->stats.n_taken++;
            ctx->place = i;
            *table_id = r->last_table_id;
            return r->last_rule;
        }
    }
    return NULL;
}

/* Making. */

bool
xlate_run_leads_on(const struct rule *rule, uint8_t table_id, bool *by_resubmit)
{
    struct act_span acts;

    acts.first = rule_acts_rcu(rule, &acts.len);
    if (!acts.len || act_next(acts.first) != act_span_end(acts)) {
        return false;
    }
    *by_resubmit = acts.first->type == ACT_RESUBMIT;
    if (*by_resubmit) {
        const struct act_resubmit *a = (const void *) acts.first;

        return ofp_to_u32(a->in_port) == ofp_to_u32(OFPP_IN_PORT) && !a->with_ct_orig && a->table != 255 &&
               a->table > table_id;
    }
    return acts.first->type == ACT_GOTO_TABLE;
}

static struct run_word *
find_word(struct run_word *words, unsigned int n, unsigned int index)
{
    for (unsigned int i = 0; i < n; i++) {
        if (words[i].index == index) {
            return &words[i];
        }
    }
    return NULL;
}

/* Adds bits to a key that has room for them. */
static void
add_bits(struct run_word *words, unsigned int *n, struct run_word bits)
{
    struct run_word *w = find_word(words, *n, bits.index);

    if (!w) {
        words[(*n)++] = bits;
        return;
    }
    w->mask |= bits.mask;
    w->value |= bits.value;
}

/* A key with what one lookup asked. */
static bool
begin_key(struct xlate_record *rec, const struct word_map *map, const uint64_t *masks, const uint64_t *values)
{
    if (values - masks > RUN_KEY_WORDS) {
        return false;
    }
    rec->n_key = 0;
    WORD_MAP_FOR_EACH (i, map) {
        rec->key[rec->n_key++] = (struct run_word) { i, *masks++, *values++ };
    }
    return true;
}

/* What the lookup asked becomes part of the run's key, unless it is a run of its own: mostly the first words say so.
 * Both are in order. */
static bool
join(struct xlate_record *rec, const struct xlate_consulted *c, const uint64_t *masks)
{
    const uint64_t *values = masks + word_map_count(&c->table.map);
    unsigned int n = 0, n_more = 0, n_less = 0;
    const struct run_word *old = rec->key, *end = old + rec->n_key;
    struct run_word key[2 * RUN_KEY_WORDS];

    if (!rec->n) {
        return begin_key(rec, &c->table.map, masks, values);
    }
    WORD_MAP_FOR_EACH (i, &c->table.map) {
        struct run_word w = { i, *masks++, *values++ };

        for (; old < end && old->index < i; old++) {
            n_less += count_bits64(old->mask);
            key[n++] = *old;
        }
        if (old == end || old->index != i) {
            n_more += count_bits64(w.mask);
        } else {
            n_more += w.mask & ~old->mask ? count_bits64(w.mask & ~old->mask) : 0;
            n_less += old->mask & ~w.mask ? count_bits64(old->mask & ~w.mask) : 0;
            w.mask |= old->mask;
            w.value |= old++->value;
        }
        if (n_more > SIMILAR || n_less > SIMILAR || n >= RUN_KEY_WORDS) {
            return false;
        }
        key[n++] = w;
    }
    for (; old < end; old++) {
        n_less += count_bits64(old->mask);
        key[n++] = *old;
    }
    if (n_less > SIMILAR || n > RUN_KEY_WORDS) {
        return false;
    }
    memcpy(rec->key, key, n * sizeof key[0]);
    rec->n_key = n;
    return true;
}

/* The shape with the key's bits, made if need be. */
static const struct shape *
get_shape(struct start *start, const struct run_word *words, unsigned int n)
{
    struct shape *s;

    for (unsigned int i = 0; i < start->n; i++) {
        unsigned int k = 0;

        s = start->shapes[i];
        while (k < n && k < s->n && s->words[k].index == words[k].index && s->words[k].mask == words[k].mask) {
            k++;
        }
        if (k == n && s->n == n) {
            return s;
        }
    }
    s = xmalloc(sizeof *s + n * sizeof s->words[0]);
    s->id = new_id();
    s->n = n;
    memcpy(s->words, words, n * sizeof s->words[0]);
    if (start->n < N_SHAPES) {
        start->shapes[start->n++] = s;
    } else {
        free(start->shapes[start->next]);
        start->shapes[start->next] = s;
        start->next = (start->next + 1) % N_SHAPES;
    }
    return s;
}

static struct xlate_run *
make_run(const struct xlate_ctx *ctx, const struct xlate_record *rec, const struct shape *s)
{
    const struct xlate_out *out = ctx->out;
    const struct xlate_consulted *first = &out->consulted[rec->consulted];
    const struct xlate_consulted *last = first + rec->n - 1;
    size_t n_words = last->table.at + 2 * word_map_count(&last->table.map) - first->table.at, n_key = s->n;
    size_t key_size = n_key * sizeof(uint64_t), words_size = n_words * sizeof out->words[0];
    size_t credits_size = rec->n * sizeof out->credits[0], consulted_size = rec->n * sizeof *first;
    struct xlate_run *r = xmalloc(sizeof *r + key_size + words_size + credits_size + consulted_size);
    uint64_t *words = r->key + n_key;
    struct xlate_credit *credits = (void *) (words + n_words);
    struct xlate_consulted *consulted = (void *) (credits + rec->n);

    *r = (struct xlate_run) {
        .n_refs = 1, .n_lookups = rec->n, .id = new_id(), .version = ctx->version, .shape = s->id,
        .n_resubmits = rec->n_resubmits, .n_key = n_key, .consulted = consulted, .credits = credits, .words = words,
        .last_rule = out->credits[rec->credits + rec->n - 1].rule, .last_table_id = last->table.id,
    };
    memcpy(words, out->words + first->table.at, words_size);
    memcpy(credits, out->credits + rec->credits, credits_size);
    memcpy(consulted, first, consulted_size);
    for (unsigned int i = 0; i < rec->n; i++) {
        consulted[i].table.at -= first->table.at;
    }
    return r;
}

static bool
may_make(struct start *start)
{
    if (start->budget >= COST) {
        start->budget -= COST;
        return true;
    }
    return start->n_refused++ % SELDOM == 0;
}

static int
compare_words(const void *a_, const void *b_)
{
    const struct run_word *a = a_, *b = b_;

    return a->index < b->index ? -1 : a->index > b->index;
}

static void
remember(struct xlate_ctx *ctx, struct xlate_record *rec)
{
    struct flow type = { .eth_type = BE16_MAX };
    enum { TYPE = offsetof(struct flow, eth_type) / 8 };
    struct xlate_runs *runs = ctx->in->runs;
    struct start *start = start_of(runs, rec->bridge, rec->table_id);
    struct run_word words[RUN_KEY_WORDS + 1];
    unsigned int n = rec->n_key;
    const struct shape *shape;
    struct xlate_run *r, **slot;

    if (!is_start_of(start, rec->bridge, rec->table_id)) {
        clear_start(start);
        start->serial = rec->bridge->serial;
        start->table_id = rec->table_id;
        start->budget = BUDGET;
    }
    if (!may_make(start)) {
        return;
    }
    memcpy(words, rec->key, n * sizeof words[0]);
    add_bits(words, &n, (struct run_word) {
        TYPE, flow_word(&type, TYPE), flow_word(&type, TYPE) & flow_word(&ctx->flow, TYPE) });
    qsort(words, n, sizeof words[0], compare_words);
    shape = get_shape(start, words, n);
    r = make_run(ctx, rec, shape);
    for (unsigned int i = 0; i < n; i++) {
        r->key[i] = words[i].value;
    }
    slot = &runs->slots[key_hash(shape->id, r->key, n) % N_SLOTS];
    xlate_run_unref(*slot);
    *slot = r;
    runs->stats.n_made++;
}

void
xlate_run_end(struct xlate_ctx *ctx)
{
    struct xlate_record *rec = &ctx->record;

    if (rec->n >= MIN_LOOKUPS) {
        remember(ctx, rec);
    }
    rec->n = 0;
    rec->expects = false;
}

/* Whether the lookups so far, and the last one, are all that translation has done since the run began. */
static bool
is_whole(const struct xlate_record *rec, const struct xlate_out *out)
{
    return rec->consulted + rec->n + 1 == out->n_consulted && rec->credits + rec->n + 1 == out->n_credits;
}

void
xlate_run_note(struct xlate_ctx *ctx, uint8_t table_id, const struct rule *rule)
{
    struct xlate_record *rec = &ctx->record;
    struct xlate_out *out = ctx->out;
    const struct xlate_consulted *c = &out->consulted[out->n_consulted - 1];
    bool by_resubmit = false, leads_on = xlate_run_leads_on(rule, table_id, &by_resubmit);

    if (!rec->expects && !leads_on) {
        return; /* Most lookups of short pipelines. */
    }
    if (rec->expects && rec->n < RUN_MAX && is_whole(rec, out) && join(rec, c, out->words + c->table.at)) {
        rec->n_resubmits += rec->by_resubmit;
    } else {
        xlate_run_end(ctx);
        rec->n_key = 0;
        rec->n_resubmits = 0;
        if (!leads_on || !join(rec, c, out->words + c->table.at)) {
            return;
        }
        rec->bridge = ctx->bridge;
        rec->table_id = table_id;
        rec->consulted = out->n_consulted - 1;
        rec->credits = out->n_credits - 1;
    }
    rec->n++;
    rec->expects = leads_on;
    rec->by_resubmit = by_resubmit;
    if (!leads_on) {
        xlate_run_end(ctx);
    }
}
