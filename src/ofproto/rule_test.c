#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ofproto/rule.h"
#include "sys/rcu_cmocka.h"

static struct classifier table;

static struct rule *
make(void)
{
    const struct match match = { .mask = { .tp_dst = BE16_MAX } };
    struct rule *r = rule_create((struct act_span) { NULL, 0 });

    classifier_insert(&table, &r->cr, &match, 1, 0);
    return r;
}

/* Takes it out of the table, which holds the first reference. */
static void
remove_rule(struct rule *r)
{
    classifier_remove(&table, &r->cr);
    rule_unref(r);
    rcu_barrier_all();
}

static void
assert_offloaded(const struct rule *r, uint64_t n_packets, uint64_t n_bytes)
{
    uint64_t packets, bytes;

    rule_get_offloaded(rule_counts_in_rcu(r), &packets, &bytes);
    assert_int_equal(packets, n_packets);
    assert_int_equal(bytes, n_bytes);
}

static void
what_devices_had_a_part_in_is_a_rule_s_own(void **state UNUSED)
{
    struct rule *a = make(), *b = make();

    assert_offloaded(a, 0, 0);
    rule_credit_offloaded(a, 2, 100);
    rule_credit_offloaded(a, 1, 50);
    assert_offloaded(a, 3, 150);
    assert_offloaded(b, 0, 0);
    remove_rule(a);
    remove_rule(b);
}

static void
a_successor_goes_on_with_it(void **state UNUSED)
{
    struct rule *old = make(), *new = make(), *newest = make();

    rule_credit_offloaded(old, 2, 100);
    rule_pass_on(old, new);
    assert_offloaded(old, 2, 100);
    rule_credit_offloaded(old, 1, 10); /* By who has not seen yet that there is another one. */
    rule_pass_on(new, newest);
    remove_rule(old);
    rule_credit_offloaded(newest, 4, 1000);
    assert_offloaded(new, 7, 1110);
    remove_rule(new);
    assert_offloaded(newest, 7, 1110);
    remove_rule(newest);
}

/* Its memory may be another's then. */
static void
what_goes_leaves_nothing(void **state UNUSED)
{
    for (int i = 0; i < 100; i++) {
        struct rule *r = make();

        assert_offloaded(r, 0, 0);
        rule_credit_offloaded(r, 1, 60);
        remove_rule(r);
    }
}

static int
set_up(void **state)
{
    classifier_init(&table);
    return rcu_group_setup(state);
}

static int
tear_down(void **state)
{
    classifier_uninit(&table);
    return rcu_group_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_devices_had_a_part_in_is_a_rule_s_own),
        cmocka_unit_test(a_successor_goes_on_with_it),
        cmocka_unit_test(what_goes_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
