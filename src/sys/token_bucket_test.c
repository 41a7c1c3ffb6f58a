/* Token buckets, on made-up times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/random.h"
#include "sys/token_bucket.h"

enum { NS_PER_S = 1000000000 };

static unsigned int
count_passed(struct token_bucket *b, unsigned int n, uint64_t tokens, int64_t now_ns)
{
    unsigned int passed = 0;

    for (unsigned int i = 0; i < n; i++) {
        passed += token_bucket_take(b, tokens, now_ns);
    }
    return passed;
}

static void
a_bucket_is_full_at_first_and_then_passes_its_rate(void **state UNUSED)
{
    struct token_bucket b = { 0 };

    token_bucket_set(&b, 1000, 100);
    assert_int_equal(count_passed(&b, 200, 1, 5), 100);
    assert_int_equal(count_passed(&b, 9, 1, 5 + 999999), 0);
    assert_int_equal(count_passed(&b, 9, 1, 5 + 1000000), 1);
    assert_int_equal(count_passed(&b, 9, 1, 5 + 7000000), 6);
    assert_int_equal(count_passed(&b, 200, 1, 5 + INT64_C(60) * NS_PER_S), 100);
}

static void
what_does_not_fit_takes_nothing(void **state UNUSED)
{
    struct token_bucket b = { 0 };

    token_bucket_set(&b, 1, 1000);
    assert_false(token_bucket_take(&b, 1001, 0));
    assert_int_equal(count_passed(&b, 30, 46, 0), 21);
    assert_true(token_bucket_take(&b, 34, 0)); /* The rest of 1000. */
    assert_false(token_bucket_take(&b, 1, 0));
}

static void
a_bucket_without_rate_counts_down(void **state UNUSED)
{
    struct token_bucket b = { 0 };

    token_bucket_set(&b, 0, 300);
    assert_int_equal(count_passed(&b, 9, 100, 0), 3);
    assert_false(token_bucket_take(&b, 1, INT64_C(1000000) * NS_PER_S));
    token_bucket_set(&b, 0, 0);
    assert_false(token_bucket_take(&b, 1, 0));
}

static void
a_bucket_of_zeros_and_an_unlimited_one_refuse_nobody(void **state UNUSED)
{
    struct token_bucket b = { 0 };

    assert_int_equal(count_passed(&b, 9, UINT64_MAX, 7), 9);
    token_bucket_set(&b, 1, 1);
    token_bucket_set_unlimited(&b);
    assert_int_equal(count_passed(&b, 9, UINT64_MAX, 7), 9);
}

/* 100 GB/s: a byte is less than a tick.  Twice as much is offered, a microsecond apart. */
static void
fast_rates_are_exact(void **state UNUSED)
{
    struct token_bucket b = { 0 };
    uint64_t bytes = 0;

    token_bucket_set(&b, UINT64_C(100000000000), 200000);
    for (int64_t now = 0; now < 100000000; now += 1000) {
        for (int i = 0; i < 200; i++) {
            bytes += token_bucket_take(&b, 1000, now) ? 1000 : 0;
        }
    }
    assert_in_range(bytes, UINT64_C(9999900000) + 200000 - 1000, UINT64_C(9999900000) + 200000 + 1000);
}

static void
the_greatest_numbers_do_not_wrap(void **state UNUSED)
{
    struct token_bucket b = { 0 };

    token_bucket_set(&b, UINT64_MAX, UINT64_MAX);
    assert_int_equal(count_passed(&b, 100, 65535, NS_PER_S), 100);
    token_bucket_set(&b, 1, UINT64_MAX);
    assert_int_equal(count_passed(&b, 100, 65535, NS_PER_S), 100);
    token_bucket_set(&b, 1, 1);
    assert_false(token_bucket_take(&b, UINT64_MAX, INT64_MAX / 128));
    token_bucket_set(&b, 0, UINT64_MAX);
    assert_int_equal(count_passed(&b, 100, 65535, NS_PER_S), 100);
}

/* The oracle has tokens as a fraction, of which a bucket may be short by the rounding of one tick. */
static void
a_bucket_agrees_with_one_that_is_filled_step_by_step(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 11);
    for (int round = 0; round < 300; round++) {
        uint64_t rate = 1 + random_below(&r, UINT64_C(1) << (1 + round % 34)), depth = 1 + random_below(&r, 100000);
        double tokens = depth, slack = 1e-6 * depth + 100.0 * rate / 64e9;
        struct token_bucket b = { 0 };
        int64_t now = 0, last = 0;

        token_bucket_set(&b, rate, depth);
        for (int i = 0; i < 500; i++) {
            uint64_t n = 1 + random_below(&r, 2000);
            bool may;

            now += random_below(&r, UINT64_C(3000) * NS_PER_S / rate + 1);
            tokens = MIN((double) depth, tokens + (now - last) * (double) rate / NS_PER_S);
            last = now;
            may = token_bucket_take(&b, n, now);
            assert_true(may ? tokens >= n - slack : tokens < n + slack);
            tokens -= may ? n : 0;
        }
    }
}

static void
a_look_that_is_out_of_date_commits_nothing(void **state UNUSED)
{
    struct token_bucket b = { 0 };
    struct token_bucket_look l;

    token_bucket_set(&b, 1, 10);
    l = token_bucket_look(&b, 0);
    assert_true(token_bucket_try(&l, 10));
    assert_false(token_bucket_try(&l, 1));
    assert_true(token_bucket_take(&b, 1, 0));
    assert_false(token_bucket_commit(&b, &l));
    assert_int_equal(count_passed(&b, 5, 1, 0), 5);
    token_bucket_settle(&b, &l, 10, 0); /* 4 are there, 6 are owed. */
    assert_int_equal(count_passed(&b, 20, 1, INT64_C(6) * NS_PER_S), 0);
    assert_int_equal(count_passed(&b, 20, 1, INT64_C(8) * NS_PER_S), 2);
}

static void
a_charge_is_paid_by_those_that_come_next(void **state UNUSED)
{
    struct token_bucket b = { 0 };

    token_bucket_set(&b, 1, 10);
    token_bucket_charge(&b, 15, 0);
    assert_false(token_bucket_take(&b, 1, INT64_C(5) * NS_PER_S));
    assert_true(token_bucket_take(&b, 1, INT64_C(6) * NS_PER_S));
}

enum { N_THREADS = 4, DEPTH = 123456, TRIES = 100000 };

static void *
take_many(void *b)
{
    return (void *) (uintptr_t) count_passed(b, TRIES, 1, 0);
}

static void
threads_share_a_bucket_exactly(void **state UNUSED)
{
    struct token_bucket b = { 0 };
    pthread_t threads[N_THREADS];
    uintptr_t total = 0;

    token_bucket_set(&b, 1000, DEPTH);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &b), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        void *passed;

        pthread_join(threads[i], &passed);
        total += (uintptr_t) passed;
    }
    assert_int_equal(total, DEPTH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_full_at_first_and_then_passes_its_rate),
        cmocka_unit_test(what_does_not_fit_takes_nothing),
        cmocka_unit_test(a_bucket_without_rate_counts_down),
        cmocka_unit_test(a_bucket_of_zeros_and_an_unlimited_one_refuse_nobody),
        cmocka_unit_test(fast_rates_are_exact),
        cmocka_unit_test(the_greatest_numbers_do_not_wrap),
        cmocka_unit_test(a_bucket_agrees_with_one_that_is_filled_step_by_step),
        cmocka_unit_test(a_look_that_is_out_of_date_commits_nothing),
        cmocka_unit_test(a_charge_is_paid_by_those_that_come_next),
        cmocka_unit_test(threads_share_a_bucket_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
