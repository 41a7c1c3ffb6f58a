#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "ofproto/prepared.h"
#include "sys/rcu_cmocka.h"

enum { N = 300 };

static struct flow_mod flow_mods[N];
static struct act_buf acts[N];

/* A few words of the match, any of them, and some actions. */
static void
make(struct random *r, struct flow_mod *fm, struct act_buf *a)
{
    flow_mod_init(fm);
    fm->command = random_below(r, 3) ? FM_ADD : random_below(r, 5);
    fm->flags = random_below(r, 3) ? FM_RESET_COUNTS : random_below(r, 1 << 5);
    fm->table_id = random_below(r, 4) ? random_below(r, 254) : FM_TABLE_ANY;
    fm->importance = random_below(r, 65536);
    fm->idle_timeout = random_below(r, 65536);
    fm->hard_timeout = random_below(r, 65536);
    fm->priority = random_below(r, 65536);
    fm->new_cookie = random_u64(r);
    fm->used_options = random_u64(r);
    for (int n = random_below(r, 9); n; n--) {
        unsigned int i = random_below(r, FLOW_N_WORDS);

        *flow_word_ptr(&fm->match.mask, i) = random_u64(r);
        *flow_word_ptr(&fm->match.flow, i) = random_u64(r) & flow_word(&fm->match.mask, i);
    }
    act_buf_init(a);
    for (int n = random_below(r, 4) ? random_below(r, 3) : random_below(r, 200); n; n--) {
        struct act_output *o = act_put(a, ACT_OUTPUT, sizeof *o);

        o->port = OFP_PORT(random_below(r, 1000));
    }
    fm->actions = act_buf_span(a);
}

static void
make_all(struct prepared_flows *p)
{
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < N; i++) {
        make(&r, &flow_mods[i], &acts[i]);
        if (i % 5) {
            prepared_flows_put(p, i * 10, 10, &flow_mods[i]);
        }
    }
}

static void
free_all(struct prepared_flows *p)
{
    prepared_flows_uninit(p);
    assert_int_equal(p->n_bytes, 0);
    for (int i = 0; i < N; i++) {
        act_buf_uninit(&acts[i]);
    }
}

/* The rule's match is what a table shows of it. */
static void
check_match(const struct prepared_flow *f, const struct match *expected)
{
    struct cls_ready ready = f->match;
    struct classifier cls;
    struct cls_rule rule;
    struct match match;

    classifier_init(&cls);
    classifier_insert_ready(&cls, &rule, &ready, f->rule->cr.priority, 1);
    assert_ptr_equal(classifier_find(&cls, expected, f->rule->cr.priority, 1), &rule);
    cls_rule_get_match(&rule, &match);
    assert_memory_equal(&match, expected, sizeof match);
    classifier_remove(&cls, &rule);
    cls_rule_uninit(&rule);
    rcu_synchronize();
    classifier_uninit(&cls);
}

static void
check_rule(const struct rule *rule, const struct flow_mod *fm)
{
    assert_int_equal(rule->cr.priority, fm->priority);
    assert_int_equal(rule->table_id, fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id);
    assert_int_equal(be64_to_cpu(rule->cookie), fm->new_cookie);
    assert_int_equal(rule->flags, fm->flags);
    assert_int_equal(rule->importance, fm->importance);
    assert_int_equal(rule->idle_timeout, fm->idle_timeout);
    assert_int_equal(rule->hard_timeout, fm->hard_timeout);
    assert_true(act_span_equal(rule_actions_span(rcu_get_protected(&((struct rule *) rule)->actions)), fm->actions));
}

/* As who carries it out: what was made he takes out. */
static void
check(struct prepared_flow *f, const struct flow_mod *expected)
{
    bool is_made = expected->command == FM_ADD && !(expected->flags & FM_CHECK_OVERLAP);
    struct flow_mod fm;

    assert_int_equal(is_made, f->rule != NULL);
    if (is_made) {
        check_rule(f->rule, expected);
        check_match(f, &expected->match);
        rule_discard(f->rule);
        prepared_flow_forget(f);
    } else {
        prepared_flow_unpack(f, &fm);
        assert_memory_equal(&fm, expected, offsetof(struct flow_mod, actions));
        assert_true(act_span_equal(fm.actions, expected->actions));
    }
}

static void
what_was_put_is_taken_and_what_was_not_is_not(void **state UNUSED)
{
    struct prepared_flows p = { .store = NULL };

    make_all(&p);
    for (int i = 0; i < N; i++) {
        struct prepared_flow *f = prepared_flows_take(&p, i * 10);

        if (i % 5) {
            check(f, &flow_mods[i]);
        } else {
            assert_null(f);
        }
    }
    assert_null(prepared_flows_take(&p, N * 10));
    free_all(&p);
}

static void
those_ahead_can_be_seen(void **state UNUSED)
{
    struct prepared_flows p = { .store = NULL };

    make_all(&p);
    for (int i = 1; i < N; i += 5) {
        assert_non_null(prepared_flows_take(&p, i * 10));
        for (int n = 0; n < 30; n++) {
            const struct prepared_flow *f = prepared_flows_ahead(&p, n);
            int k = i + n + n / 4; /* All but every fifth are there. */

            assert_int_equal(f ? f->at : SIZE_MAX, k < N ? (size_t) k * 10 : SIZE_MAX);
        }
    }
    free_all(&p);
}

static void
from_the_beginning_again_only_what_was_not_taken_is_there(void **state UNUSED)
{
    struct prepared_flows p = { .store = NULL };
    bool was_made = false;

    make_all(&p);
    for (int i = 0; i <= 112; i++) {
        struct prepared_flow *f = prepared_flows_take(&p, i * 10);

        if (f) {
            was_made = f->rule != NULL;
            check(f, &flow_mods[i]);
        }
    }
    for (int i = 0; i < N; i++) {
        struct prepared_flow *f = prepared_flows_take(&p, i * 10);

        if (i >= 112 + was_made && i % 5) {
            check(f, &flow_mods[i]);
        } else {
            assert_null(f);
        }
    }
    free_all(&p);
}

static void
some_may_be_passed_over(void **state UNUSED)
{
    struct prepared_flows p = { .store = NULL };

    make_all(&p);
    for (int i = 0; i < N; i += 7) {
        struct prepared_flow *f = prepared_flows_take(&p, i * 10);

        if (i % 5) {
            check(f, &flow_mods[i]);
        }
    }
    free_all(&p);
}

static void
what_they_take_is_counted(void **state UNUSED)
{
    struct prepared_flows p = { .store = NULL };

    for (int i = 0; i < N; i++) {
        size_t before = p.n_bytes;
        struct flow_mod fm;

        flow_mod_init(&fm);
        fm.command = i % 2 ? FM_ADD : FM_DELETE;
        fm.match.mask.regs[0] = BE32_MAX;
        fm.match.mask.regs[1] = i < N / 2 ? BE32_MAX : cpu_to_be32(i); /* Each with a mask of its own, then. */
        prepared_flows_put(&p, i, 1, &fm);
        assert_true(p.n_bytes >= before + (i % 2 ? sizeof(struct rule) + (i < N / 2 ? 0 : 64) : 0) + 40);
    }
    prepared_flows_uninit(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_taken_and_what_was_not_is_not),
        cmocka_unit_test(those_ahead_can_be_seen),
        cmocka_unit_test(from_the_beginning_again_only_what_was_not_taken_is_there),
        cmocka_unit_test(some_may_be_passed_over),
        cmocka_unit_test(what_they_take_is_counted),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
