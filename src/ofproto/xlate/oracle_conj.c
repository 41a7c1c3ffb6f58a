/* Which rule of a table a packet takes, conjunctions included (ovs-fields(7), "Conjunctive Match Fields"). */
#include <limits.h>

#include "ofproto/xlate/oracle_private.h"

enum { N_CONJUNCTIONS = 2, MAX_CLAUSES = 3, MAX_PARTS = 2 };

/* Making. */

static bool
has_condition(const struct oracle_rule *rule, const struct oracle_condition *c)
{
    for (int i = 0; i < rule->n_conditions; i++) {
        const struct oracle_condition *d = &rule->conditions[i];

        if (d->field == c->field && d->value == c->value && d->mask == c->mask) {
            return true;
        }
    }
    return false;
}

struct oracle_rule *
oracle_find_same(const struct oracle_pipeline *p, const struct oracle_rule *rule)
{
    for (int i = 0; i < p->n_rules; i++) {
        const struct oracle_rule *old = &p->rules[i];
        bool same = old->table == rule->table && old->priority == rule->priority && old->conj_id == rule->conj_id
                    && old->packet_type == rule->packet_type && old->n_conditions == rule->n_conditions;

        for (int k = 0; same && k < rule->n_conditions; k++) {
            same = has_condition(old, &rule->conditions[k]);
        }
        if (same) {
            return (struct oracle_rule *) old; /* As const as the pipeline is to the caller. */
        }
    }
    return NULL;
}

/* A part sometimes belongs to the other conjunction, too. */
static void
random_part(struct random *r, struct oracle_pipeline *p, struct oracle_rule rule, const struct oracle_kind *k,
            int clause, int n_clauses)
{
    oracle_random_conditions(r, &rule, k);
    rule.actions[rule.n_actions++] = (struct oracle_action) {
        .op = OP_CONJUNCTION, .value = rule.conj_id, .dst = { .ofs = clause, .n = n_clauses },
    };
    if (!random_below(r, 4)) {
        rule.actions[rule.n_actions++] = (struct oracle_action) {
            .op = OP_CONJUNCTION, .value = rule.conj_id % N_CONJUNCTIONS + 1,
            .dst = { .ofs = 1 + random_below(r, 2), .n = 2 },
        };
    }
    rule.conj_id = 0;
    if (!oracle_find_same(p, &rule)) {
        p->rules[p->n_rules++] = rule;
    }
}

/* What is done with packets of a conjunction may depend on more. */
static void
random_outcome(struct random *r, struct oracle_pipeline *p, struct oracle_rule rule, const struct oracle_kind *k)
{
    oracle_random_conditions(r, &rule, k);
    if (!oracle_find_same(p, &rule)) {
        oracle_random_instructions(r, &rule, k);
        p->rules[p->n_rules++] = rule;
    }
}

/* Priorities beside those of all other rules. */
void
oracle_random_conjunctions(struct random *r, struct oracle_pipeline *p)
{
    struct oracle_rule rule = { .table = random_below(r, 2) ? random_below(r, ORACLE_N_TABLES) : 0 };
    int priority = 100 + 10 * random_below(r, p->n_rules) + 5;
    struct oracle_kind k = oracle_random_rule_kind(r, p->has_packet_types);

    if (random_below(r, 3)) {
        return;
    }
    for (int id = 1; id <= N_CONJUNCTIONS; id++) {
        int n_clauses = 2 + random_below(r, MAX_CLAUSES - 1);

        rule.conj_id = id;
        rule.priority = priority;
        for (int i = 0; i < n_clauses * MAX_PARTS; i++) {
            if (i < n_clauses || random_below(r, 2)) {
                random_part(r, p, rule, &k, 1 + i % n_clauses, n_clauses);
            }
        }
        for (int i = random_below(r, 3); i > 0; i--) {
            /* Above, below, or with its parts; or below other rules.  Not as high as another outcome. */
            rule.priority = priority + (int) random_below(r, 3) - 1 - (random_below(r, 2) ? 50 : 0);
            random_outcome(r, p, rule, &k);
        }
        priority += random_below(r, 2) ? 0 : id == 1 ? 10 : 0;
    }
}

/* Looking up. */

static bool
is_part(const struct oracle_rule *rule)
{
    return rule->n_actions && rule->actions[0].op == OP_CONJUNCTION;
}

static const struct oracle_rule *
best_of_no_conjunction(const struct oracle_run *r, int table, uint32_t conj_id)
{
    const struct oracle_rule *best = NULL;

    for (int i = 0; i < r->pipeline->n_rules; i++) {
        const struct oracle_rule *rule = &r->pipeline->rules[i];

        if (rule->table == table && !is_part(rule) && oracle_rule_matches(rule, &r->p, conj_id)) {
            r->result->gave_up |= best && rule->priority == best->priority; /* Either may be taken. */
            best = best && best->priority >= rule->priority ? best : rule;
        }
    }
    return best;
}

/* The clauses, as bits, of the conjunction that the packet matches with that priority. */
static bool
is_complete(const struct oracle_run *r, int table, int priority, uint32_t id)
{
    unsigned int clauses = 0, n = 0;

    for (int i = 0; i < r->pipeline->n_rules; i++) {
        const struct oracle_rule *rule = &r->pipeline->rules[i];

        if (rule->table != table || rule->priority != priority || !is_part(rule)
            || !oracle_rule_matches(rule, &r->p, 0)) {
            continue;
        }
        for (int k = 0; k < rule->n_actions; k++) {
            if (rule->actions[k].value == id) {
                r->result->gave_up |= n && n != rule->actions[k].dst.n; /* One that is none. */
                clauses |= 1u << (rule->actions[k].dst.ofs - 1);
                n = rule->actions[k].dst.n;
            }
        }
    }
    return n && clauses == (1u << n) - 1;
}

/* What the packet takes at a priority: the rule for the conjunction that it matches, or else the rule. */
static const struct oracle_rule *
find_at(struct oracle_run *r, int table, int priority)
{
    const struct oracle_rule *plain = best_of_no_conjunction(r, table, 0);
    uint32_t id = 0;

    for (uint32_t i = 1; i <= N_CONJUNCTIONS; i++) {
        if (is_complete(r, table, priority, i)) {
            r->result->gave_up |= id != 0;
            id = i;
        }
    }
    if (id) {
        const struct oracle_rule *outcome = best_of_no_conjunction(r, table, id);

        if (outcome) {
            return outcome;
        }
    }
    return plain && plain->priority == priority ? plain : NULL;
}

const struct oracle_rule *
oracle_find_rule(struct oracle_run *r, int table)
{
    const struct oracle_rule *found = NULL;

    for (int below = INT_MAX, next = 0; !found && next > INT_MIN; below = next) {
        next = INT_MIN;
        for (int i = 0; i < r->pipeline->n_rules; i++) {
            const struct oracle_rule *rule = &r->pipeline->rules[i];

            if (rule->table == table && rule->priority < below && oracle_rule_matches(rule, &r->p, 0)) {
                next = MAX(next, rule->priority);
            }
        }
        found = next > INT_MIN ? find_at(r, table, next) : NULL;
    }
    return found;
}
