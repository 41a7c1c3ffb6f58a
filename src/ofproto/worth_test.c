#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ofproto/worth.h"

static const struct worth_settings usual = {
    .max_revalidator_ms = 500, .min_revalidate_pps = 5, .offloaded_stats_delay_ms = 2000,
};

/* An idle megaflow of old age, a second after the last sweep, which was slow. */
static const struct worth idle = { .now = 100000, .before = 99000, .took_ms = 251, .created = 50000 };

static bool
is_worth_by(struct worth w, const struct worth_settings *s)
{
    return worth_renewing(&w, s);
}

static bool
is_worth(struct worth w)
{
    return worth_renewing(&w, &usual);
}

#define IDLE_BUT(...) (__extension__ ({ struct worth w_ = idle; __VA_ARGS__; w_; }))

static void
while_sweeps_are_fast_every_megaflow_is(void **state UNUSED)
{
    assert_true(is_worth(IDLE_BUT(w_.took_ms = 0)));
    assert_true(is_worth(IDLE_BUT(w_.took_ms = 250)));
    assert_false(is_worth(idle));
    assert_false(is_worth(IDLE_BUT(w_.took_ms = 100000)));
}

static void
one_that_carries_enough_is(void **state UNUSED)
{
    assert_false(is_worth(IDLE_BUT(w_.n_packets = 4)));
    assert_true(is_worth(IDLE_BUT(w_.n_packets = 5)));
    assert_false(is_worth(IDLE_BUT(w_.before = 98000, w_.n_packets = 9)));
    assert_true(is_worth(IDLE_BUT(w_.before = 98000, w_.n_packets = 10)));
}

static void
one_that_came_after_the_last_sweep_is_measured_by_its_life(void **state UNUSED)
{
    assert_true(is_worth(IDLE_BUT(w_.created = 99800, w_.n_packets = 1)));
    assert_false(is_worth(IDLE_BUT(w_.created = 99799, w_.n_packets = 1)));
    assert_false(is_worth(IDLE_BUT(w_.created = 100003)));
    assert_true(is_worth(IDLE_BUT(w_.created = 100003, w_.n_packets = 1)));
}

static void
where_the_least_rate_is_0_every_megaflow_is(void **state UNUSED)
{
    struct worth_settings s = usual;

    s.min_revalidate_pps = 0;
    assert_true(is_worth_by(idle, &s));
    s.min_revalidate_pps = 1;
    assert_false(is_worth_by(idle, &s));
}

static void
one_that_is_offloaded_is_while_it_is_young(void **state UNUSED)
{
    struct worth_settings s = usual;

    assert_true(is_worth(IDLE_BUT(w_.is_offloaded = true, w_.created = 98001)));
    assert_false(is_worth(IDLE_BUT(w_.is_offloaded = true, w_.created = 98000)));
    assert_false(is_worth(IDLE_BUT(w_.created = 98001)));
    s.offloaded_stats_delay_ms = 0;
    assert_false(is_worth_by(IDLE_BUT(w_.is_offloaded = true, w_.created = 100000), &s));
    s.offloaded_stats_delay_ms = INT32_MAX;
    assert_true(is_worth_by(IDLE_BUT(w_.is_offloaded = true, w_.created = 1), &s));
}

static void
large_figures_do_not_wrap(void **state UNUSED)
{
    struct worth_settings s = usual;

    s.min_revalidate_pps = INT32_MAX;
    assert_false(is_worth_by(IDLE_BUT(w_.n_packets = INT32_MAX - 1), &s));
    assert_true(is_worth_by(IDLE_BUT(w_.n_packets = INT32_MAX), &s));
    s.max_revalidator_ms = UINT32_MAX;
    assert_true(is_worth_by(idle, &s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_sweeps_are_fast_every_megaflow_is),
        cmocka_unit_test(one_that_carries_enough_is),
        cmocka_unit_test(one_that_came_after_the_last_sweep_is_measured_by_its_life),
        cmocka_unit_test(where_the_least_rate_is_0_every_megaflow_is),
        cmocka_unit_test(one_that_is_offloaded_is_while_it_is_young),
        cmocka_unit_test(large_figures_do_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
