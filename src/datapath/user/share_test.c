#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "datapath/user/share.h"

/* A made-up queue: what a burst of it costs, and every how many rounds it has a whole one. */
struct queue {
    uint64_t cost;
    unsigned int period; /* 1: always full; 0: never has anything. */
    struct share share;
    uint64_t taken;      /* Cycles. */
};

/* Serves the queues until they have taken so many cycles together. */
static void
serve_in(struct share_round *round, struct queue *queues, size_t n, uint64_t cycles)
{
    uint64_t total = 0;

    for (unsigned int i = 0; total < cycles; i++) {
        share_begin_round(round);
        for (size_t k = 0; k < n; k++) {
            struct queue *q = &queues[k];
            bool is_full = q->period && i % q->period == 0;
            uint64_t cost = is_full ? q->cost : 50;

            if (share_has_turn(round, &q->share)) {
                share_charge(round, &q->share, cost, is_full);
                q->taken += cost;
                total += cost;
            }
        }
    }
}

static void
serve(struct queue *queues, size_t n, uint64_t cycles)
{
    struct share_round round;

    share_init(&round);
    serve_in(&round, queues, n, cycles);
}

static void
full_queues_have_equal_time_whatever_a_burst_costs(void **state UNUSED)
{
    struct queue queues[] = { { .cost = 1000000, .period = 1 }, { .cost = 1600, .period = 1 },
                              { .cost = 5000, .period = 1 } };

    serve(queues, ARRAY_SIZE(queues), UINT64_C(3000000000));
    for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
        assert_in_range(queues[i].taken, 990000000, 1010000000);
    }
}

static void
alone_a_queue_has_all_the_time(void **state UNUSED)
{
    struct queue queues[] = { { .cost = 1000000, .period = 1 }, { .period = 0 } };

    serve(queues, ARRAY_SIZE(queues), 1000000000);
    assert_in_range(queues[0].taken, 999000000, 1001000000);
}

static void
a_dear_queue_takes_no_more_than_its_half_by_giving_less_than_a_burst(void **state UNUSED)
{
    struct queue queues[] = { { .cost = 1600, .period = 1 }, { .cost = 900000, .period = 2 } };

    serve(queues, ARRAY_SIZE(queues), 1000000000);
    assert_true(queues[0].taken >= 490000000);
}

/* Every burst of one queue is of packets that miss: the others carry what they would if it were one of theirs. */
static void
a_storm_of_misses_leaves_each_other_queue_its_bursts(void **state UNUSED)
{
    enum { N = 8, HITS = 1600, MISSES = 32 * 60000 };
    struct queue queues[N] = { { .cost = MISSES, .period = 1 } };

    for (size_t i = 1; i < N; i++) {
        queues[i] = (struct queue) { .cost = HITS, .period = 1 };
    }
    serve(queues, N, UINT64_C(8000000000));
    for (size_t i = 1; i < N; i++) {
        assert_in_range(queues[i].taken / HITS, 990000000 / HITS, 1010000000 / HITS);
    }
    assert_in_range(queues[0].taken / MISSES, 990000000 / MISSES, 1010000000 / MISSES);
}

static void
time_that_was_not_used_is_not_saved_up(void **state UNUSED)
{
    struct queue queues[] = { { .cost = 2000, .period = 1 }, { .cost = 1600, .period = 0 } };
    struct share_round round;

    share_init(&round);
    serve_in(&round, queues, ARRAY_SIZE(queues), 1000000000);
    queues[0].taken = 0;
    queues[1].period = 1;
    serve_in(&round, queues, ARRAY_SIZE(queues), 1000000);
    assert_in_range(queues[0].taken, 400000, 600000);
}

static void
what_was_taken_before_a_pause_is_forgotten(void **state UNUSED)
{
    struct queue queues[] = { { .cost = 2000, .period = 1 }, { .cost = 1600, .period = 0 } };
    struct share_round round;

    share_init(&round);
    serve_in(&round, queues, 1, 1000000000);
    queues[0].period = 0;
    serve_in(&round, queues, ARRAY_SIZE(queues), 1000);
    queues[0].period = queues[1].period = 1;
    queues[0].taken = 0;
    serve_in(&round, queues, ARRAY_SIZE(queues), 1000000);
    assert_in_range(queues[0].taken, 400000, 600000);
}

static void
a_queue_that_comes_in_full_does_not_stop_the_others(void **state UNUSED)
{
    struct queue queues[] = { { .cost = 2000, .period = 1 }, { .cost = 1600, .period = 1 } };
    struct share_round round;

    share_init(&round);
    serve_in(&round, queues, 1, 1000000000);
    queues[0].taken = 0;
    serve_in(&round, queues, ARRAY_SIZE(queues), 1000000);
    assert_in_range(queues[0].taken, 400000, 600000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_queues_have_equal_time_whatever_a_burst_costs),
        cmocka_unit_test(alone_a_queue_has_all_the_time),
        cmocka_unit_test(a_dear_queue_takes_no_more_than_its_half_by_giving_less_than_a_burst),
        cmocka_unit_test(a_storm_of_misses_leaves_each_other_queue_its_bursts),
        cmocka_unit_test(time_that_was_not_used_is_not_saved_up),
        cmocka_unit_test(what_was_taken_before_a_pause_is_forgotten),
        cmocka_unit_test(a_queue_that_comes_in_full_does_not_stop_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
