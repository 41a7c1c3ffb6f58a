#include "ofproto/xlate/run_sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

static void
check(bool same, const char *what)
{
    if (!same) {
        fprintf(stderr, "with runs and without them, %s differ\n", what);
        abort();
    }
}

/* Of all that was asked, in whatever order. */
static uint64_t
sum_consulted(const struct xlate_consulted *consulted, size_t n, const uint64_t *words)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        const struct xlate_consulted *c = &consulted[i];

        if (c->kind == CONSULTED_TABLE) {
            size_t size = 2 * word_map_count(&c->table.map) * sizeof *words;

            sum += hash_bytes(words + c->table.at, size, hash_bytes(&c->table.map, sizeof c->table.map, c->table.id));
        } else {
            sum += hash_u64(c->key, c->kind);
        }
    }
    return sum;
}

static uint64_t
sum_all(const struct xlate_out *out)
{
    uint64_t sum = sum_consulted(out->consulted, out->n_consulted, out->words);

    for (size_t i = 0; i < out->n_runs; i++) {
        sum += sum_consulted(out->runs[i]->consulted, out->runs[i]->n_lookups, out->runs[i]->words);
    }
    return sum;
}

static void
check_credits(const struct xlate_out *a, const struct xlate_out *b)
{
    check(a->n_credits == b->n_credits, "credits");
    for (size_t i = 0; i < a->n_credits; i++) {
        check(a->credits[i].kind == b->credits[i].kind, "kinds of credits");
        check(a->credits[i].kind != CREDIT_RULE || (a->credits[i].rule == b->credits[i].rule &&
                                                    a->credits[i].rule_bridge == b->credits[i].rule_bridge), "rules");
    }
}

bool
sim_xlate(const struct xlate_in *in, struct xlate_runs *runs, struct xlate_out *out)
{
    struct xlate_in with = *in;
    struct xlate_out plain;
    bool same_mask;

    with.runs = runs;
    xlate(&with, out);
    xlate_out_init(&plain);
    xlate(in, &plain);
    check(out->error == plain.error && out->peer_error == plain.peer_error, "errors");
    check(out->actions.len == plain.actions.len &&
          (!plain.actions.len || !memcmp(out->actions.data, plain.actions.data, plain.actions.len)), "actions");
    check(out->slow == plain.slow && out->may_install == plain.may_install, "ways");
    check(out->drop.why == plain.drop.why && out->drop.rule == plain.drop.rule &&
          out->drop.table_id == plain.drop.table_id && out->drop.bridge == plain.drop.bridge, "reasons for a drop");
    check(out->n_effects == plain.n_effects && out->n_frozen == plain.n_frozen, "effects");
    same_mask = !memcmp(&out->wc, &plain.wc, sizeof plain.wc) && sum_all(out) == sum_all(&plain);
    check_credits(out, &plain);
    xlate_out_uninit(&plain);
    return same_mask;
}
