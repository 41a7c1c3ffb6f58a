#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "base/random.h"
#include "sys/loop.h"

static void
note_time(struct loop_timer *t)
{
    *(int64_t *) t->aux = clock_now_ms();
}

static void
ignore_events(struct loop_fd *f UNUSED, int events UNUSED)
{
}

/* Waits once, for what is there already, so that the loop's wait is set to the timers as they are now. */
static void
wait_once(struct loop *loop)
{
    struct loop_fd f;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_fd_start(loop, &f, fds[0], LOOP_READ, ignore_events, NULL);
    loop_run_once(loop, true);
    loop_fd_stop(&f);
    close(fds[0]);
    close(fds[1]);
}

static void
run_until_set(struct loop *loop, const int64_t *fired)
{
    while (!*fired) {
        loop_run_once(loop, true);
    }
}

/* Before the tests that stop the clock. */
static void
a_timer_that_is_moved_fires_at_its_last_time(void **state UNUSED)
{
    struct loop *loop = loop_create();
    int64_t fired = 0, other_fired = 0, start = clock_now_ms();
    struct loop_timer t, other;

    loop_timer_init(loop, &t, note_time, &fired);
    loop_timer_init(loop, &other, note_time, &other_fired);
    loop_timer_set(&t, start + 10);
    wait_once(loop);
    loop_timer_set(&t, start + 60); /* Put off. */
    run_until_set(loop, &fired);
    assert_true(fired >= start + 60);

    start = clock_now_ms();
    fired = 0;
    loop_timer_set(&t, start + 100000);
    wait_once(loop);
    loop_timer_set(&other, start + 5); /* Sooner than what the loop waits for. */
    run_until_set(loop, &other_fired);
    assert_true(other_fired >= start + 5);
    loop_timer_set(&t, start + 10); /* Brought forward. */
    run_until_set(loop, &fired);
    assert_true(fired >= start + 10);
    loop_destroy(loop);
}

static void
a_warp_past_the_time_that_the_loop_waits_for_leaves_it_awake(void **state UNUSED)
{
    struct loop *loop = loop_create();
    struct loop_timer t;
    int64_t fired = 0;

    loop_timer_init(loop, &t, note_time, &fired);
    loop_timer_set(&t, clock_now_ms() + 100000);
    wait_once(loop);
    loop_timer_cancel(&t);
    clock_warp(99990);
    loop_timer_set(&t, clock_now_ms() + 20); /* Behind what the loop waits for, by the clock as it was. */
    run_until_set(loop, &fired);
    loop_timer_set(&t, clock_now_ms() + 100000);
    wait_once(loop);
    fired = 0;
    clock_warp(100000);
    run_until_set(loop, &fired);
    loop_destroy(loop);
}

static void
timers_fire_in_order_on_the_virtual_clock(void **state UNUSED)
{
    enum { N = 50 };
    struct loop *loop = loop_create();
    struct loop_timer timers[N];
    int64_t fired[N] = { 0 }, start;
    struct random r;

    clock_stop();
    start = clock_now_ms();
    random_seed(&r, 3);
    for (int i = 0; i < N; i++) {
        loop_timer_init(loop, &timers[i], note_time, &fired[i]);
        loop_timer_set(&timers[i], start + 1 + random_below(&r, 100));
    }
    loop_timer_cancel(&timers[0]);
    loop_timer_set(&timers[1], start + 7);
    for (int step = 0; step < 100; step++) {
        clock_warp(1);
        loop_run_once(loop, false);
        assert_int_equal(fired[1] != 0, step + 1 >= 7);
    }
    assert_int_equal(fired[0], 0);
    for (int i = 1; i < N; i++) {
        assert_in_range(fired[i], start + 1, start + 100);
    }
    loop_destroy(loop);
}

static void
read_byte(struct loop_fd *f, int events UNUSED)
{
    struct loop *loop = f->aux;

    loop_fd_stop(f);
    loop_stop(loop);
}

static void
a_descriptor_wakes_the_loop(void **state UNUSED)
{
    struct loop *loop = loop_create();
    struct loop_fd f;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    loop_fd_start(loop, &f, fds[0], LOOP_READ, read_byte, loop);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_run(loop);
    assert_null(f.poll);
    loop_destroy(loop);
    close(fds[0]);
    close(fds[1]);
}

static void *
signal_it(void *wake)
{
    loop_wake_signal(wake);
    return NULL;
}

static void
stop_loop(struct loop_wake *w)
{
    loop_stop(w->aux);
}

static void
another_thread_wakes_the_loop(void **state UNUSED)
{
    struct loop *loop = loop_create();
    struct loop_wake wake;
    pthread_t thread;

    loop_wake_init(loop, &wake, stop_loop, loop);
    pthread_create(&thread, NULL, signal_it, &wake);
    loop_run(loop);
    pthread_join(thread, NULL);
    loop_wake_uninit(&wake);
    loop_destroy(loop);
}

struct again {
    struct loop_task task;
    int n;
};

static void
post_again(struct loop_task *t)
{
    struct again *again = t->aux;

    again->n++;
    loop_task_post_next_turn(t);
}

static void
what_is_posted_for_the_next_turn_runs_once_a_turn_and_without_a_wait(void **state UNUSED)
{
    struct loop *loop = loop_create();
    struct again again = { .n = 0 };

    loop_task_init(loop, &again.task, post_again, &again);
    loop_task_post(&again.task);
    for (int i = 1; i < 4; i++) {
        loop_run_once(loop, true);
        assert_in_range(again.n, i, i + 1); /* The first turn begins with what has been posted before. */
    }
    loop_task_cancel(&again.task);
    again.n = 0;
    loop_run_once(loop, false);
    assert_int_equal(again.n, 0);
    loop_destroy(loop);
}

static void
work_long(struct loop_wake *w UNUSED)
{
    int64_t begin = clock_real_us();

    while (clock_real_us() - begin <= LOOP_LONG_TURN_US) {
    }
}

static void
turns_are_measured(void **state UNUSED)
{
    struct loop *loop = loop_create();
    struct loop_turns turns;
    struct loop_wake wake;

    loop_use_rcu(loop);
    loop_clear_turns();
    loop_wake_init(loop, &wake, work_long, NULL);
    loop_wake_signal(&wake);
    loop_run_once(loop, true);
    loop_run_once(loop, false); /* The turn is over when the next wait begins. */
    loop_get_turns(&turns);
    assert_in_range(turns.longest_us, LOOP_LONG_TURN_US, INT32_MAX);
    assert_in_range(turns.longest_cpu_us, 1, turns.longest_us + 1000);
    assert_int_equal(turns.n_long, 1);
    loop_clear_turns();
    loop_get_turns(&turns);
    assert_int_equal(turns.n, 0);
    assert_int_equal(turns.longest_us, 0);
    loop_wake_uninit(&wake);
    loop_destroy(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_wakes_the_loop),
        cmocka_unit_test(another_thread_wakes_the_loop),
        cmocka_unit_test(a_timer_that_is_moved_fires_at_its_last_time),
        cmocka_unit_test(a_warp_past_the_time_that_the_loop_waits_for_leaves_it_awake),
        cmocka_unit_test(timers_fire_in_order_on_the_virtual_clock),
        cmocka_unit_test(what_is_posted_for_the_next_turn_runs_once_a_turn_and_without_a_wait),
        cmocka_unit_test(turns_are_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
