/* Conjunctive matches (ovs-fields(7), "Conjunctive Match Fields"): a set of rules that together stand for the
 * product of their conditions.
 *
 * A rule whose actions are "conjunction(ID, K/N)" matches clause K of conjunction ID.  Where rules of one priority
 * match all N clauses, the packet is looked up again with conj_id = ID, and the rule found that way is the answer.
 * If there is none, the search goes on below. */
#include <limits.h>
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "flow/match_text.h"
#include "ofproto/xlate/ctx.h"

struct matches {
    struct rule **rules; /* All that match, by falling priority. */
    size_t n, capacity;
};

static const struct act_conjunction *
first_conjunction(const struct rule *rule)
{
    struct act_span acts;

    acts.first = rule_acts_rcu(rule, &acts.len);
    ACT_FOR_EACH (a, acts) {
        if (a->type != ACT_NOTE) {
            return a->type == ACT_CONJUNCTION ? (const struct act_conjunction *) a : NULL;
        }
    }
    return NULL;
}

bool
xlate_rule_is_conjunctive(const struct rule *rule)
{
    return first_conjunction(rule) != NULL;
}

/* What is below a rule that is no part of a conjunction does not matter. */
static int
add_match(void *m_, struct cls_rule *cr)
{
    struct matches *m = m_;

    if (m->n >= m->capacity) {
        m->rules = x2nrealloc(m->rules, &m->capacity, sizeof *m->rules);
    }
    m->rules[m->n++] = rule_from_cls(cr);
    return xlate_rule_is_conjunctive(rule_from_cls(cr)) ? INT_MIN : cr->priority;
}

static int
compare_priorities(const void *a_, const void *b_)
{
    const struct rule *a = *(struct rule *const *) a_, *b = *(struct rule *const *) b_;

    return a->cr.priority > b->cr.priority ? -1 : a->cr.priority < b->cr.priority;
}

/* The clauses of conjunction 'id' that the rules of one priority match, as bits; '*n_clauses' of them there are. */
static uint64_t
clauses_of(struct rule *const *rules, size_t n, uint32_t id, unsigned int *n_clauses)
{
    uint64_t clauses = 0;

    for (size_t i = 0; i < n; i++) {
        struct act_span acts;

        acts.first = rule_acts_rcu(rules[i], &acts.len);
        ACT_FOR_EACH (a, acts) {
            const struct act_conjunction *c = (const void *) a;

            if (a->type == ACT_CONJUNCTION && c->id == id) {
                clauses |= UINT64_C(1) << (c->clause & 63);
                *n_clauses = c->n_clauses;
            }
        }
    }
    return clauses;
}

static bool
is_complete(struct rule *const *rules, size_t n, uint32_t id)
{
    unsigned int n_clauses = 0;
    uint64_t clauses = clauses_of(rules, n, id, &n_clauses);
    uint64_t all = n_clauses >= 64 ? UINT64_MAX : (UINT64_C(1) << n_clauses) - 1;

    return n_clauses && clauses == all;
}

/* The best one that is no part of a conjunction; null if there is none. */
static int
consider(void *best_, struct cls_rule *cr)
{
    struct rule **best = best_, *rule = rule_from_cls(cr);

    if ((!*best || cr->priority > (*best)->cr.priority) && !xlate_rule_is_conjunctive(rule)) {
        *best = rule;
    }
    return *best ? (*best)->cr.priority : INT_MIN;
}

/* The rule for packets of conjunction 'id', null if there is none.  Parts of conjunctions, which the packet matches,
 * too, are no answer here, and do not hide one of a lower priority. */
static struct rule *
lookup_id(struct xlate_ctx *ctx, uint8_t table_id, const struct flow *flow, struct cls_mask *asked, uint32_t id)
{
    struct flow copy = *flow;
    struct rule *rule;

    copy.conj_id = cpu_to_be32(id);
    rule = rule_from_cls(classifier_lookup_rcu(&ctx->bridge->tables[table_id], ctx->version, &copy, asked));
    if (rule && xlate_rule_is_conjunctive(rule)) {
        rule = NULL;
        classifier_for_each_match_rcu(&ctx->bridge->tables[table_id], ctx->version, &copy, asked, consider, &rule);
    }
    return rule;
}

static void
report_part(struct xlate_ctx *ctx, const struct rule *rule)
{
    struct str s = STR_INIT;
    struct match m;

    cls_rule_get_match(&rule->cr, &m);
    tun_match_unbind(xbridge_options_rcu(ctx->bridge), &m);
    match_format(&s, &m, ctx->in->trace->names ? ctx->in->trace->names->ports : NULL, -1);
    if (ctx->n_conj_parts < ARRAY_SIZE(ctx->conj_parts)) {
        ctx->conj_parts[ctx->n_conj_parts++] = xasprintf("priority=%d,%s", rule->cr.priority,
                                                         str_text(&s) + strcspn(str_text(&s), ",") + 1);
    }
    str_uninit(&s);
}

static bool
asks_for_id(const struct rule *rule)
{
    struct match m;

    cls_rule_get_match(&rule->cr, &m);
    return m.mask.conj_id;
}

/* In the order of the clauses; nothing where the rule found is one for any packet. */
static void
report_parts(struct xlate_ctx *ctx, const struct rule *found, struct rule *const *rules, size_t n, uint32_t id)
{
    for (unsigned int clause = 0; ctx->in->trace && clause < 64 && asks_for_id(found); clause++) {
        for (size_t i = 0; i < n; i++) {
            unsigned int n_clauses;

            if (clauses_of(&rules[i], 1, id, &n_clauses) >> clause & 1) {
                report_part(ctx, rules[i]);
            }
        }
    }
}

/* Of the rules of one priority: the answer, if there is one.  One that is no part of a conjunction comes first. */
static struct rule *
search_level(struct xlate_ctx *ctx, uint8_t table_id, const struct flow *flow, struct cls_mask *asked,
             struct rule *const *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!xlate_rule_is_conjunctive(rules[i])) {
            return rules[i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct act_span acts;

        acts.first = rule_acts_rcu(rules[i], &acts.len);
        ACT_FOR_EACH (a, acts) {
            const struct act_conjunction *c = (const void *) a;

            if (a->type == ACT_CONJUNCTION && c->clause == 0 && is_complete(rules, n, c->id)) {
                struct rule *found = lookup_id(ctx, table_id, flow, asked, c->id);

                if (found) {
                    report_parts(ctx, found, rules, n, c->id);
                    return found;
                }
            }
        }
    }
    return NULL;
}

struct rule *
xlate_conjunctive_lookup(struct xlate_ctx *ctx, uint8_t table_id, const struct flow *flow, struct cls_mask *asked)
{
    struct matches m = { NULL, 0, 0 };
    struct rule *found = NULL;

    classifier_for_each_match_rcu(&ctx->bridge->tables[table_id], ctx->version, flow, asked, add_match, &m);
    if (m.n) {
        qsort(m.rules, m.n, sizeof *m.rules, compare_priorities);
    }
    for (size_t i = 0, end; !found && i < m.n; i = end) {
        for (end = i + 1; end < m.n && m.rules[end]->cr.priority == m.rules[i]->cr.priority; end++) {
        }
        found = search_level(ctx, table_id, flow, asked, &m.rules[i], end - i);
    }
    free(m.rules);
    return found;
}

/* Reached only if a rule mixes it with other actions: it does nothing by itself. */
void
xlate_conjunction(struct xlate_ctx *ctx UNUSED, const struct act *act UNUSED)
{
}
