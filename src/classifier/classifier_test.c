#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/str.h"
#include "classifier/classifier.h"

/* The oracle: an unordered array of rules, searched from end to end. */
struct entry {
    struct cls_rule rule;
    struct match match;
    int priority;
    bool in;
};

enum { N = 300 };

static void
random_match(struct random *r, struct match *m)
{
    static const enum field_id ids[] = { FIELD_IN_PORT_OXM, FIELD_ETH_TYPE, FIELD_IP_DST, FIELD_TCP_DST, FIELD_REG0,
                                         FIELD_ETH_SRC, FIELD_NW_PROTO };

    match_init_catchall(m);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        if (!random_below(r, 3)) {
            match_set_u64(m, ids[i], random_below(r, 3));
        }
    }
}

static void
random_flow(struct random *r, struct flow *flow)
{
    struct match m;

    memset(flow, 0, sizeof *flow);
    for (int i = 0; i < 4; i++) {
        random_match(r, &m);
        flow_or(flow, &m.flow);
    }
}

static int
best_priority(const struct entry *entries, const struct flow *flow)
{
    int best = -1;

    for (int i = 0; i < N; i++) {
        if (entries[i].in && match_covers_flow(&entries[i].match, flow)) {
            best = MAX(best, entries[i].priority);
        }
    }
    return best;
}

static void
toggle_random_rule(struct classifier *cls, struct entry *entries, struct random *r)
{
    struct entry *e = &entries[random_below(r, N)];

    if (e->in) {
        classifier_remove(cls, &e->rule);
        rcu_synchronize();
        cls_rule_uninit(&e->rule);
        e->in = false;
        return;
    }
    random_match(r, &e->match);
    e->priority = random_below(r, 10);
    if (!classifier_find(cls, &e->match, e->priority, 1)) {
        classifier_insert(cls, &e->rule, &e->match, e->priority, 1);
        e->in = true;
    }
}

/* A packet that agrees with 'flow' in all bits of 'wc' and is random elsewhere. */
static void
random_neighbour(struct random *r, const struct flow *flow, const struct flow *wc, struct flow *other)
{
    struct flow noise;

    random_flow(r, &noise);
    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        uint64_t keep = flow_word(wc, i);

        *flow_word_ptr(other, i) = (flow_word(flow, i) & keep) | (flow_word(&noise, i) & ~keep);
    }
}

static void
it_agrees_with_a_linear_search_and_its_wildcards_hold(void **state UNUSED)
{
    struct entry *entries = xzalloc_cacheline(N * sizeof *entries);
    struct classifier cls;
    struct random r;

    rcu_thread_register();
    random_seed(&r, 11);
    classifier_init(&cls);
    for (int i = 0; i < 2000; i++) {
        struct flow flow, other, wc;
        struct cls_rule *rule, *again;

        toggle_random_rule(&cls, entries, &r);
        random_flow(&r, &flow);
        memset(&wc, 0, sizeof wc);
        rule = classifier_lookup_rcu(&cls, 1, &flow, &wc);
        assert_int_equal(rule ? rule->priority : -1, best_priority(entries, &flow));
        for (int k = 0; k < 10; k++) {
            random_neighbour(&r, &flow, &wc, &other);
            again = classifier_lookup_rcu(&cls, 1, &other, NULL);
            assert_int_equal(again ? again->priority : -1, rule ? rule->priority : -1);
        }
    }
    for (int i = 0; i < N; i++) {
        if (entries[i].in) {
            classifier_remove(&cls, &entries[i].rule);
            cls_rule_uninit(&entries[i].rule);
        }
    }
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    classifier_uninit(&cls);
    free(entries);
    rcu_thread_unregister();
}

static void
a_version_shows_only_its_rules(void **state UNUSED)
{
    struct cls_rule old, new;
    struct classifier cls;
    struct match m;
    struct flow flow;

    rcu_thread_register();
    memset(&flow, 0, sizeof flow);
    match_init_catchall(&m);
    classifier_init(&cls);
    classifier_insert(&cls, &old, &m, 5, 1);
    classifier_insert(&cls, &new, &m, 5, 2);
    cls_rule_hide(&old, 2);
    assert_ptr_equal(classifier_lookup_rcu(&cls, 1, &flow, NULL), &old);
    assert_ptr_equal(classifier_lookup_rcu(&cls, 2, &flow, NULL), &new);
    assert_null(classifier_lookup_rcu(&cls, 0, &flow, NULL));
    classifier_remove(&cls, &old);
    classifier_remove(&cls, &new);
    cls_rule_uninit(&old);
    cls_rule_uninit(&new);
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    classifier_uninit(&cls);
    rcu_thread_unregister();
}

static void
append_priority(void *text, struct cls_rule *rule)
{
    str_putf(text, "%d ", rule->priority);
}

/* Masks by highest priority, then age; in a mask by age.  The highest priority falls when its rule goes. */
static void
rules_are_walked_in_the_order_of_dumps(void **state UNUSED)
{
    static const struct { enum field_id id; int priority; } rows[] = {
        { FIELD_REG0, 5 }, { FIELD_REG1, 7 }, { FIELD_REG0, 3 }, { FIELD_REG2, 5 }, { FIELD_REG0, 6 },
    };
    struct cls_rule rules[ARRAY_SIZE(rows)];
    struct str s = STR_INIT;
    struct classifier cls;

    rcu_thread_register();
    classifier_init(&cls);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct match m;

        match_init_catchall(&m);
        match_set_u64(&m, rows[i].id, i);
        classifier_insert(&cls, &rules[i], &m, rows[i].priority, 1);
    }
    classifier_for_each(&cls, NULL, 1, append_priority, &s);
    assert_string_equal(str_text(&s), "7 5 3 6 5 ");
    for (size_t i = 1; i < ARRAY_SIZE(rows); i += 3) {
        classifier_remove(&cls, &rules[i]); /* Of priorities 7 and 6. */
    }
    str_clear(&s);
    classifier_for_each(&cls, NULL, 1, append_priority, &s);
    assert_string_equal(str_text(&s), "5 3 5 ");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i += i == 0 ? 2 : 1) {
        if (i != 4) {
            classifier_remove(&cls, &rules[i]);
        }
    }
    str_uninit(&s);
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cls_rule_uninit(&rules[i]);
    }
    classifier_uninit(&cls);
    rcu_thread_unregister();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_shows_only_its_rules),
        cmocka_unit_test(rules_are_walked_in_the_order_of_dumps),
        cmocka_unit_test(it_agrees_with_a_linear_search_and_its_wildcards_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
