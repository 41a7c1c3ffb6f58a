/* Meters against a slow oracle: buckets that are filled and emptied step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "datapath/user/meter.h"
#include "sys/rcu_cmocka.h"

static unsigned int
count_passed(struct dp_meters *m, uint32_t id, unsigned int n, uint32_t size, int64_t now)
{
    unsigned int passed = 0;

    for (unsigned int i = 0; i < n; i++) {
        passed += dp_meters_pass_rcu(m, id, size, now);
    }
    return passed;
}

static void
a_meter_passes_its_rate(void **state UNUSED)
{
    struct dp_meter_config c = { .n_bands = 1, .bands = { { .rate = 2 } } };
    uint32_t id = UINT32_MAX;
    struct dp_meter_stats s;
    struct dp_meters m;

    dp_meters_init(&m);
    assert_int_equal(dp_meters_set(&m, &id, &c), 0);
    assert_int_equal(id, 0);
    assert_int_equal(count_passed(&m, id, 8, 100, 5000), 2);
    assert_int_equal(count_passed(&m, id, 8, 100, 5499), 0);
    assert_int_equal(count_passed(&m, id, 8, 100, 5500), 1);
    assert_int_equal(count_passed(&m, id, 8, 100, 60000), 2);
    assert_int_equal(dp_meters_get(&m, id, &s), 0);
    assert_int_equal(s.n_packets, 32);
    assert_int_equal(s.n_bytes, 3200);
    assert_int_equal(s.bands[0].n_packets, 27);
    assert_int_equal(dp_meters_del(&m, id), 0);
    assert_int_equal(count_passed(&m, id, 8, 100, 60000), 8);
    assert_true(dp_meters_get(&m, id, &s) < 0);
    dp_meters_uninit(&m);
}

static void
the_band_of_the_highest_rate_that_is_exceeded_counts(void **state UNUSED)
{
    struct dp_meter_config c = { .n_bands = 2, .is_kbps = true, .bands = { { 1, 8 }, { 2, 16 } } };
    uint32_t id = UINT32_MAX;
    struct dp_meter_stats s;
    struct dp_meters m;

    dp_meters_init(&m);
    assert_int_equal(dp_meters_set(&m, &id, &c), 0);
    assert_int_equal(count_passed(&m, id, 3, 1000, 1), 1); /* 8000 bits each. */
    assert_int_equal(dp_meters_get(&m, id, &s), 0);
    assert_int_equal(s.bands[0].n_packets, 1);
    assert_int_equal(s.bands[1].n_packets, 1);
    assert_int_equal(dp_meters_set(&m, &id, &c), 0); /* Configured anew: full again. */
    assert_int_equal(count_passed(&m, id, 1, 1000, 1), 1);
    dp_meters_uninit(&m);
}

static void
a_meter_agrees_with_a_bucket(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 7);
    for (int round = 0; round < 200; round++) {
        uint32_t rate = 1 + random_below(&r, 1000), burst = 1 + random_below(&r, 3000), id = UINT32_MAX;
        struct dp_meter_config c = { .n_bands = 1, .bands = { { rate, burst } } };
        double tokens = burst;
        int64_t now = 1000000, last = now;
        struct dp_meters m;

        dp_meters_init(&m);
        assert_int_equal(dp_meters_set(&m, &id, &c), 0);
        for (int i = 0; i < 500; i++) {
            bool may;

            now += random_below(&r, 20);
            tokens = MIN((double) burst, tokens + (now - last) * (double) rate / 1000);
            last = now;
            may = tokens >= 1 - 1e-6;
            assert_int_equal(dp_meters_pass_rcu(&m, id, 64, now), may);
            tokens -= may;
        }
        dp_meters_uninit(&m);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_passes_its_rate),
        cmocka_unit_test(the_band_of_the_highest_rate_that_is_exceeded_counts),
        cmocka_unit_test(a_meter_agrees_with_a_bucket),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
