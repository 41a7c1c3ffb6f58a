/* Memory for lookups that are still to come. */
#include "classifier/order.h"

/* Of how many subtables of a table, beside the one that is expected to have the rule. */
enum { EACH = 4 };

static void
prefetch_entry(const struct cls_order_entry *e, const struct flow *flow, uint64_t hashes[N_STAGES])
{
    cls_hash_stages(e->subtable, flow, hashes);
    cls_subtable_prefetch_rcu(e->subtable, hashes);
}

void
classifier_guess_rcu(const struct cls_expected *x, const struct flow *flow, struct cls_guess *g)
{
    const struct cls_order *order = rcu_get(&((struct classifier *) x->cls)->order);
    uint64_t hashes[N_STAGES];

    *g = (struct cls_guess) { .subtable = NULL };
    if (!order || x->place >= order->n) {
        return;
    }
    for (unsigned int i = 0; i < x->place && i < EACH; i++) {
        prefetch_entry(&order->entries[i], flow, hashes);
    }
    g->subtable = order->entries[x->place].subtable;
    g->hash = cls_hash(g->subtable, flow, 0, g->subtable->n_words, 0);
    cls_subtable_prefetch_nodes_rcu(g->subtable, g->hash);
}

void
classifier_prefetch_guesses_rcu(struct cls_guess *guesses, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        struct cls_guess *g = &guesses[i];

        g->node = g->subtable ? cls_subtable_guess_rcu(g->subtable, g->hash) : NULL;
        if (g->node) {
            __builtin_prefetch(g->node);
            __builtin_prefetch((const char *) g->node + CACHE_LINE);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        struct cls_rule *rule = guesses[i].node ? rcu_get(&((struct cls_node *) guesses[i].node)->first) : NULL;

        if (rule) {
            cls_rule_prefetch(rule);
        }
    }
}

void
classifier_prefetch_lookups_rcu(const struct cls_expected *x, unsigned int n, const struct flow *flow)
{
    struct cls_guess guesses[CLS_MAX_EXPECTED];

    for (unsigned int i = 0; i < n; i++) {
        classifier_guess_rcu(&x[i], flow, &guesses[i]);
    }
    classifier_prefetch_guesses_rcu(guesses, n);
}
