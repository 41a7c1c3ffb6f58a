#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "ofproto/pin_sched.h"

/* Submits a message of one byte; true if it may go at once. */
static bool
submit(struct pin_sched *s, int64_t now, unsigned int port, char c)
{
    struct bytes msg = BYTES_INIT;
    bool now_ok;

    bytes_put_u8(&msg, c);
    now_ok = pin_sched_submit(s, now, OFP_PORT(port), &msg);
    bytes_uninit(&msg);
    return now_ok;
}

/* What may leave at 'now', in order. */
static const char *
popped(struct pin_sched *s, int64_t now)
{
    static char text[64];
    struct bytes msg;
    size_t n = 0;

    while (pin_sched_pop(s, now, &msg)) {
        text[n++] = msg.data[0];
        bytes_uninit(&msg);
    }
    text[n] = '\0';
    return text;
}

static void
make(struct pin_sched *s, int rate, int burst)
{
    pin_sched_init(s);
    pin_sched_configure(s, rate, burst, 0);
}

static void
without_a_limit_everything_passes(void **state UNUSED)
{
    struct pin_sched s;

    make(&s, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(submit(&s, 0, 1, 'a'));
    }
    assert_int_equal(s.n_bypassed, 0);
    pin_sched_uninit(&s);
}

static void
a_burst_passes_then_messages_leave_at_the_rate(void **state UNUSED)
{
    struct pin_sched s;

    make(&s, 100, 3);
    assert_true(submit(&s, 0, 1, 'a') && submit(&s, 0, 1, 'b') && submit(&s, 0, 1, 'c'));
    assert_false(submit(&s, 0, 1, 'd') || submit(&s, 0, 1, 'e'));
    assert_int_equal(pin_sched_due(&s), 10);
    assert_string_equal(popped(&s, 9), "");
    assert_string_equal(popped(&s, 10), "d");
    assert_int_equal(pin_sched_due(&s), 20);
    assert_string_equal(popped(&s, 1000), "e");
    assert_int_equal(pin_sched_due(&s), INT64_MAX);
    assert_int_equal(s.n_bypassed, 3);
    assert_int_equal(s.n_ever_queued, 2);
    pin_sched_uninit(&s);
}

static void
ports_take_turns(void **state UNUSED)
{
    struct pin_sched s;

    make(&s, 100, 6);
    for (int i = 0; i < 6; i++) {
        assert_true(submit(&s, 0, 1, '-'));
    }
    for (const char *c = "abcd"; *c; c++) {
        assert_false(submit(&s, 0, 1, *c));
    }
    assert_false(submit(&s, 0, 2, 'x') || submit(&s, 0, 3, 'y'));
    assert_string_equal(popped(&s, 60), "axybcd");
    pin_sched_uninit(&s);
}

static void
too_many_drop_the_oldest_of_the_port_that_has_most(void **state UNUSED)
{
    struct pin_sched s;

    make(&s, 100, 3);
    for (const char *c = "---ab"; *c; c++) {
        (void) !submit(&s, 0, 1, *c);
    }
    assert_false(submit(&s, 0, 2, 'x') || submit(&s, 0, 2, 'y'));
    assert_int_equal(s.n_queued, 3);
    assert_int_equal(s.n_dropped, 1);
    assert_string_equal(popped(&s, 30), "bxy");
    pin_sched_uninit(&s);
}

static void
a_new_limit_begins_anew_and_the_same_one_does_not(void **state UNUSED)
{
    struct pin_sched s;

    make(&s, 100, 1);
    (void) !submit(&s, 0, 1, 'a');
    (void) !submit(&s, 0, 1, 'b');
    pin_sched_configure(&s, 100, 1, 5);
    assert_int_equal(s.n_queued, 1);
    pin_sched_configure(&s, 200, 0, 5);
    assert_int_equal(s.n_queued, 0);
    assert_int_equal(s.burst, 50);
    assert_int_equal(s.n_bypassed, 0);
    pin_sched_uninit(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_everything_passes),
        cmocka_unit_test(a_burst_passes_then_messages_leave_at_the_rate),
        cmocka_unit_test(ports_take_turns),
        cmocka_unit_test(too_many_drop_the_oldest_of_the_port_that_has_most),
        cmocka_unit_test(a_new_limit_begins_anew_and_the_same_one_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
