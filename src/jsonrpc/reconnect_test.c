#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/str.h"
#include "jsonrpc/reconnect.h"

/* One event a line; the trace shows what the machine asked for. */
static void
at(struct str *trace, struct reconnect *r, int64_t now, enum reconnect_event event)
{
    struct reconnect_update u;

    reconnect_step(r, event, now, &u);
    str_putf(trace, "[%lld] %s%s%s%s%s", (long long) now, reconnect_state_name(r->state), u.disconnect ?
             " disconnect" : "", u.connect ? " connect" : "", u.probe ? " probe" : "", u.timed_out ? " timed-out" : "");
    if (u.wake_at != INT64_MAX) {
        str_putf(trace, " wake %lld", (long long) u.wake_at);
    }
    str_puts(trace, "\n");
}

static void
check(struct str *trace, const char *expected)
{
    assert_string_equal(str_text(trace), expected);
    str_uninit(trace);
    str_init(trace);
}

static void
failures_double_the_wait_up_to_the_limit(void **state UNUSED)
{
    struct str t = STR_INIT;
    struct reconnect r;
    int64_t now = 0;

    reconnect_init(&r);
    at(&t, &r, now, RECONNECT_EV_ENABLE);
    for (int i = 0; i < 5; i++) {
        at(&t, &r, now, RECONNECT_EV_FAILED);
        at(&t, &r, now + 10, RECONNECT_EV_TICK);
        now += r.backoff;
        at(&t, &r, now, RECONNECT_EV_TICK);
    }
    check(&t, "[0] CONNECTING connect wake 1000\n"
              "[0] BACKOFF wake 1000\n[10] BACKOFF wake 1000\n[1000] CONNECTING connect wake 2000\n"
              "[1000] BACKOFF wake 3000\n[1010] BACKOFF wake 3000\n[3000] CONNECTING connect wake 5000\n"
              "[3000] BACKOFF wake 7000\n[3010] BACKOFF wake 7000\n[7000] CONNECTING connect wake 11000\n"
              "[7000] BACKOFF wake 15000\n[7010] BACKOFF wake 15000\n[15000] CONNECTING connect wake 23000\n"
              "[15000] BACKOFF wake 23000\n[15010] BACKOFF wake 23000\n[23000] CONNECTING connect wake 31000\n");
}

static void
a_silent_peer_is_probed_then_given_up(void **state UNUSED)
{
    struct str t = STR_INIT;
    struct reconnect r;

    reconnect_init(&r);
    at(&t, &r, 0, RECONNECT_EV_ENABLE);
    at(&t, &r, 1, RECONNECT_EV_CONNECTED);
    at(&t, &r, 1001, RECONNECT_EV_RECEIVED);
    at(&t, &r, 6001, RECONNECT_EV_TICK);
    at(&t, &r, 6002, RECONNECT_EV_RECEIVED);
    at(&t, &r, 11002, RECONNECT_EV_TICK);
    at(&t, &r, 16002, RECONNECT_EV_TICK);
    at(&t, &r, 17002, RECONNECT_EV_TICK);
    check(&t, "[0] CONNECTING connect wake 1000\n[1] ACTIVE wake 5001\n[1001] ACTIVE wake 6001\n[6001] IDLE probe wake "
              "11001\n"
              "[6002] ACTIVE wake 11002\n[11002] IDLE probe wake 16002\n"
              "[16002] BACKOFF disconnect timed-out wake 17002\n"
              "[17002] CONNECTING connect wake 18002\n");
}

static void
an_attempt_may_not_take_for_ever(void **state UNUSED)
{
    struct str t = STR_INIT;
    struct reconnect r;

    reconnect_init(&r);
    at(&t, &r, 0, RECONNECT_EV_ENABLE);
    at(&t, &r, 1000, RECONNECT_EV_TICK);
    check(&t, "[0] CONNECTING connect wake 1000\n[1000] BACKOFF disconnect timed-out wake 2000\n");
}

static void
without_a_probe_interval_silence_is_fine(void **state UNUSED)
{
    struct str t = STR_INIT;
    struct reconnect r;

    reconnect_init(&r);
    r.probe_interval = 0;
    at(&t, &r, 0, RECONNECT_EV_ENABLE);
    at(&t, &r, 1, RECONNECT_EV_CONNECTED);
    at(&t, &r, 1000000, RECONNECT_EV_TICK);
    check(&t, "[0] CONNECTING connect wake 1000\n[1] ACTIVE\n[1000000] ACTIVE\n");
}

static void
forcing_drops_and_connects_at_once_and_a_passive_end_stays_down(void **state UNUSED)
{
    struct str t = STR_INIT;
    struct reconnect r;

    reconnect_init(&r);
    at(&t, &r, 0, RECONNECT_EV_FORCE);
    at(&t, &r, 0, RECONNECT_EV_ENABLE);
    at(&t, &r, 1, RECONNECT_EV_CONNECTED);
    at(&t, &r, 2, RECONNECT_EV_FORCE);
    at(&t, &r, 3, RECONNECT_EV_DISABLE);
    r.passive = true;
    at(&t, &r, 4, RECONNECT_EV_CONNECTED);
    at(&t, &r, 5, RECONNECT_EV_DISCONNECTED);
    at(&t, &r, 6, RECONNECT_EV_DISCONNECTED);
    check(&t, "[0] VOID\n[0] CONNECTING connect wake 1000\n[1] ACTIVE wake 5001\n[2] CONNECTING disconnect connect "
              "wake 1002\n"
              "[3] VOID disconnect\n[4] ACTIVE wake 5004\n[5] VOID\n[6] VOID\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_double_the_wait_up_to_the_limit),
        cmocka_unit_test(a_silent_peer_is_probed_then_given_up),
        cmocka_unit_test(an_attempt_may_not_take_for_ever),
        cmocka_unit_test(without_a_probe_interval_silence_is_fine),
        cmocka_unit_test(forcing_drops_and_connects_at_once_and_a_passive_end_stays_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
