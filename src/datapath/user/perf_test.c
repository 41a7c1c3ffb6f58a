/* Histograms and histories of rounds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include <rte_cycles.h>

#include "base/util.h"
#include "datapath/user/perf.h"
#include "packet/env.h"

static void
check_ends(enum perf_metric which, const char *wanted)
{
    uint64_t ends[PERF_BINS - 1];
    struct str s = STR_INIT;

    perf_bin_ends(which, ends);
    for (unsigned int i = 0; i < PERF_BINS - 1; i++) {
        str_putf(&s, "%s%llu", i ? " " : "", (unsigned long long) ends[i]);
    }
    assert_string_equal(str_text(&s), wanted);
    str_uninit(&s);
}

static void
bins_end_where_those_of_the_reference_do(void **state)
{
    (void) state;
    check_ends(PERF_CYCLES, "499 716 1025 1469 2104 3014 4317 6183 8857 12686 18171 26027 37279 53395 76480 109544 "
               "156903 224736 321895 461058 660385 945886 1354815 1940535 2779476 3981111 5702243 8167461 11698454 "
               "16755981 24000000");
    check_ends(PERF_PACKETS, "0 1 2 3 4 5 6 7 8 9 10 11 13 17 22 28 35 45 57 72 92 117 148 188 239 303 385 489 621 "
               "788 1000");
    check_ends(PERF_CYCLES_PER_PACKET, "100 1096 2093 3090 4086 5083 6080 7076 8073 9070 10066 11063 12060 13056 14053 "
               "15050 16046 17043 18040 19036 20033 21030 22026 23023 24020 25016 26013 27010 28006 29003 30000");
    check_ends(PERF_PACKETS_PER_BATCH, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 17 18 19 20 21 22 23 24 25 26 27 28 29 "
               "30 32");
    check_ends(PERF_QUEUE, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 16 20 25 31 38 48 59 73 91 113 140 174 216 268 332 412 "
               "512");
    check_ends(PERF_UPCALLS, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30");
    check_ends(PERF_CYCLES_PER_UPCALL, "999 1258 1584 1995 2511 3162 3981 5011 6309 7943 9999 12589 15848 19952 25118 "
               "31622 39810 50118 63095 79432 99999 125892 158489 199526 251188 316227 398107 501187 630957 794328 "
               "1000000");
}

static struct perf *
with_rounds(uint64_t n)
{
    struct perf *p = xzalloc(sizeof *p);

    for (uint64_t i = 1; i <= n; i++) {
        perf_add(p, &(struct perf_row) { .cycles = 100 * i, .n_packets = i % 3, .n_batches = i % 3 > 0,
                                         .n_upcalls = i % 5 == 0, .upcall_cycles = i % 5 ? 0 : 7 }, 1000 + i / 4);
    }
    return p;
}

static void
each_round_is_in_one_bin(void **state)
{
    struct perf *p = with_rounds(30);
    static const uint64_t wanted[PERF_N_METRICS] = {
        [PERF_CYCLES] = 30, [PERF_PACKETS] = 30, [PERF_CYCLES_PER_PACKET] = 20,
        [PERF_PACKETS_PER_BATCH] = 30, /* Of bursts; a round without any is one of 0. */
        [PERF_QUEUE] = 30, [PERF_UPCALLS] = 30, [PERF_CYCLES_PER_UPCALL] = 6,
    };

    (void) state;
    for (int m = 0; m < PERF_N_METRICS; m++) {
        uint64_t n = 0;

        for (int i = 0; i < PERF_BINS; i++) {
            n += p->bins[m][i];
        }
        assert_int_equal(n, wanted[m]);
    }
    assert_int_equal(p->bins[PERF_PACKETS][0], 10);
    assert_int_equal(p->bins[PERF_PACKETS][1], 10);
    assert_int_equal(p->bins[PERF_PACKETS][2], 10);
    assert_int_equal(p->bins[PERF_CYCLES][0], 4); /* 100 to 400. */
    free(p);
}

/* As in the reference: there is one for each burst. */
static void
bursts_of_a_round_are_counted_one_by_one(void **state)
{
    struct perf *p = xzalloc(sizeof *p);

    (void) state;
    perf_add(p, &(struct perf_row) { .cycles = 1, .n_packets = 64, .n_batches = 2, .queue = 96 }, 1);
    assert_int_equal(p->bins[PERF_PACKETS_PER_BATCH][30], 2);
    assert_int_equal(p->bins[PERF_QUEUE][23], 1); /* 92 to 113. */
    free(p);
}

static void
latencies_are_counted_for_each_packet(void **state)
{
    struct perf *p = xzalloc(sizeof *p);
    struct str s = STR_INIT;

    (void) state;
    perf_put_latency(&s, &p->latency);
    assert_string_equal(str_text(&s), "  packets: 0\n");
    str_uninit(&s);
    perf_add_latency(p, 989, 0);
    perf_add_latency(p, 10, rte_get_tsc_hz() / 1000);
    perf_add_latency(p, 1, rte_get_tsc_hz());
    assert_int_equal(p->latency.n, 1000);
    assert_int_equal(p->latency.bins[0], 989);
    assert_int_equal(p->latency.bins[PERF_BINS - 1], 1);
    s = (struct str) STR_INIT;
    perf_put_latency(&s, &p->latency);
    assert_non_null(strstr(str_text(&s), "  packets: 1000\n  mean: 1010."));
    assert_non_null(strstr(str_text(&s), "  50 %: at most 0.10 us\n  90 %: at most 0.10 us\n  99 %: at most 1"));
    assert_non_null(strstr(str_text(&s), "  max: 1000000.00 us\n"));
    assert_non_null(strstr(str_text(&s), "          more           1\n"));
    str_uninit(&s);
    free(p);
}

static void
the_last_rounds_come_first(void **state)
{
    struct perf *p = with_rounds(5000);
    struct str s = STR_INIT;

    (void) state;
    perf_put_rounds(&s, p, 2);
    assert_string_equal(str_text(&s),
        "   iter                cycles       packets      cycles/pkt   pkts/batch   vhost qlen   upcalls      "
        "cycles/upcall\n"
        "   5000                500000       2            250000       2            0            1            "
        "7          \n"
        "   4999                499900       1            499900       1            0            0            "
        "0          \n");
    str_uninit(&s);
    s = (struct str) STR_INIT;
    perf_put_rounds(&s, p, 1000000);
    assert_non_null(strstr(str_text(&s), "\n   3977 ")); /* 1024 are kept. */
    assert_null(strstr(str_text(&s), "\n   3976 "));
    str_uninit(&s);
    free(p);
}

static void
milliseconds_are_sums(void **state)
{
    struct perf *p = with_rounds(9); /* 1 to 3, 4 to 7, 8 and 9. */
    struct str s = STR_INIT;

    (void) state;
    perf_put_milliseconds(&s, p, 2);
    assert_string_equal(str_text(&s),
        "   ms             iterations   cycles/it    Kpps         cycles/pkt   pkts/batch   vhost qlen   upcalls      "
        "cycles/upcall\n"
        "   1002           2            850          2            400          2            0            0            "
        "0          \n"
        "   1001           4            550          4            400          1            0            1            "
        "7          \n");
    str_uninit(&s);
    free(p);
}

static void
what_is_too_long_is_said_with_its_neighbours(void **state)
{
    const struct perf_log on = { .is_on = true, .before = 1, .after = 2, .us = 0 };
    struct perf_log got;
    struct perf *p;

    (void) state;
    perf_set_log(&on);
    p = with_rounds(1);
    assert_int_equal(p->suspect, 1);
    assert_int_equal(p->say_at, 3);
    free(p);
    p = with_rounds(3);
    assert_int_equal(p->suspect, 0); /* Said. */
    free(p);
    /* So many around it are said once only. */
    perf_set_log(&(struct perf_log) { .is_on = true, .before = 99, .after = 20, .extends = true, .us = 0 });
    p = with_rounds(1);
    p->say_at = 1;
    for (int i = 0; i < 40; i++) {
        perf_add(p, &(struct perf_row) { .cycles = 0 }, 1);
    }
    got = perf_get_log();
    assert_true(got.is_on && got.before == 5 && got.after == 5 && !got.extends);
    perf_set_log(&(struct perf_log) PERF_LOG_DEFAULT);
    free(p);
}

static void
a_queue_that_is_full_is_said_where_the_round_was_not_too_long(void **state)
{
    struct perf *p = xzalloc(sizeof *p);

    (void) state;
    perf_set_log(&(struct perf_log) { .is_on = true, .before = 1, .after = 2, .us = 1000, .queue = 64 });
    perf_add(p, &(struct perf_row) { .cycles = 1, .queue = 63 }, 1);
    assert_int_equal(p->suspect, 0);
    perf_add(p, &(struct perf_row) { .cycles = 1, .queue = 64 }, 1);
    assert_int_equal(p->suspect, 2);
    assert_string_equal(p->suspect_why, "Vhost RX queue full");
    perf_set_log(&(struct perf_log) PERF_LOG_DEFAULT);
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_end_where_those_of_the_reference_do),
        cmocka_unit_test(each_round_is_in_one_bin),
        cmocka_unit_test(bursts_of_a_round_are_counted_one_by_one),
        cmocka_unit_test(latencies_are_counted_for_each_packet),
        cmocka_unit_test(the_last_rounds_come_first),
        cmocka_unit_test(milliseconds_are_sums),
        cmocka_unit_test(what_is_too_long_is_said_with_its_neighbours),
        cmocka_unit_test(a_queue_that_is_full_is_said_where_the_round_was_not_too_long),
    };

    struct error *e = env_start(); /* It knows how fast cycles go by. */

    if (e) {
        fprintf(stderr, "%s\n", error_text(e));
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
