#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "sys/rcu_cmocka.h"

/* Another thread, which is told whether to read; while it does, to say that it holds nothing. */
enum reading { OFFLINE, ONLINE, QUIESCENT, ENDED };
struct reader {
    pthread_t thread;
    _Atomic enum reading wanted, is;
};

static void *
run_reader(void *r_)
{
    struct reader *r = r_;

    rcu_thread_register();
    rcu_offline();
    for (enum reading wanted; (wanted = atomic_load(&r->wanted)) != ENDED; sched_yield()) {
        if (wanted == atomic_load(&r->is)) {
            continue;
        }
        if (wanted == ONLINE) {
            rcu_online();
        } else if (wanted == QUIESCENT) {
            rcu_quiescent();
        } else {
            rcu_offline();
        }
        atomic_store(&r->is, wanted);
    }
    rcu_thread_unregister();
    return NULL;
}

static void
tell(struct reader *r, enum reading wanted)
{
    atomic_store(&r->wanted, wanted);
    while (atomic_load(&r->is) != wanted) {
        sched_yield();
    }
}

static void
start_reader(struct reader *r)
{
    atomic_init(&r->wanted, OFFLINE);
    atomic_init(&r->is, OFFLINE);
    assert_int_equal(pthread_create(&r->thread, NULL, run_reader, r), 0);
}

static void
end_reader(struct reader *r)
{
    atomic_store(&r->wanted, ENDED);
    pthread_join(r->thread, NULL);
}

static void
wait_for_deferred(void)
{
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
}

static void
count(void *n)
{
    atomic_fetch_add((_Atomic unsigned int *) n, 1);
}

static void
what_no_other_thread_reads_is_released_at_once(void **state UNUSED)
{
    _Atomic unsigned int n = 0;
    struct reader r;

    wait_for_deferred(); /* RCU's thread has nothing to do. */
    rcu_release(count, &n);
    assert_int_equal(n, 1);
    start_reader(&r);
    tell(&r, ONLINE);
    tell(&r, OFFLINE);
    rcu_release(count, &n);
    assert_int_equal(n, 2);
    end_reader(&r);
}

static void
what_another_thread_may_read_waits_for_it(void **state UNUSED)
{
    _Atomic unsigned int n = 0;
    struct reader r;

    start_reader(&r);
    tell(&r, ONLINE);
    rcu_release(count, &n);
    assert_int_equal(n, 0);
    tell(&r, OFFLINE);
    wait_for_deferred();
    assert_int_equal(n, 1);
    end_reader(&r);
}

static void
what_others_hold_no_longer_does_not_wait_for_the_caller(void **state UNUSED)
{
    enum { N = 100 };
    _Atomic unsigned int n = 0;
    struct reader r;

    start_reader(&r);
    tell(&r, ONLINE);
    for (int i = 0; i < N; i++) {
        rcu_release(count, &n);
    }
    assert_int_equal(n, 0);
    tell(&r, QUIESCENT);
    for (int i = 0; i < N && !n; i++) {
        rcu_release(count, &n);
    }
    assert_in_range(n, 1, N); /* None of those that came after. */
    tell(&r, OFFLINE);
    rcu_release(count, &n);
    assert_true(n > N);       /* All. */
    end_reader(&r);
    wait_for_deferred();
}

/* Readers that come online and go offline all the time, or say that they hold nothing, never see what was released. */
enum { N_READERS = 3, N_REPLACED = 20000 };
struct thing { unsigned int a, b; /* The same, until it is released. */ };
struct shared {
    RCU_PTR(struct thing) thing;
    _Atomic bool ends;
    _Atomic uint64_t n_read, n_wrong, n_at_once;
};
static pthread_t writer;
static struct shared shared;

static void
read_thing(void)
{
    const struct thing *t = rcu_get(&shared.thing);

    for (int i = 0; i < 20; i++) {
        if (t->a != t->b) {
            atomic_fetch_add(&shared.n_wrong, 1);
        }
    }
    atomic_fetch_add(&shared.n_read, 1);
}

static void *
read_now_and_then(void *unused UNUSED)
{
    rcu_thread_register();
    while (!atomic_load(&shared.ends)) {
        rcu_online();
        read_thing();
        rcu_offline();
        sched_yield();
    }
    rcu_thread_unregister();
    return NULL;
}

static void *
read_all_the_time(void *unused UNUSED)
{
    rcu_thread_register();
    while (!atomic_load(&shared.ends)) {
        read_thing();
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static void
release_thing(void *t_)
{
    struct thing *t = t_;

    t->a = ~t->b;
    free(t);
    if (pthread_equal(pthread_self(), writer)) {
        atomic_fetch_add(&shared.n_at_once, 1);
    }
}

static struct thing *
make_thing(unsigned int i)
{
    struct thing *t = xmalloc(sizeof *t);

    *t = (struct thing) { i, i };
    return t;
}

static void
readers_see_nothing_that_was_released(void **state UNUSED)
{
    pthread_t threads[N_READERS];

    writer = pthread_self();
    rcu_set(&shared.thing, make_thing(0));
    for (int i = 0; i < N_READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i % 2 ? read_all_the_time : read_now_and_then, NULL), 0);
    }
    for (unsigned int i = 1; i < N_REPLACED || !shared.n_at_once || !shared.n_read; i++) {
        struct thing *old = rcu_get_protected(&shared.thing);

        rcu_set(&shared.thing, make_thing(i));
        rcu_release(release_thing, old);
        if (i % 512 == 0) {
            rcu_quiescent();
            sched_yield();
        }
    }
    atomic_store(&shared.ends, true);
    rcu_offline();
    for (int i = 0; i < N_READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    rcu_online();
    wait_for_deferred();
    assert_int_equal(shared.n_wrong, 0);
    free(rcu_get_protected(&shared.thing));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_other_thread_reads_is_released_at_once),
        cmocka_unit_test(what_another_thread_may_read_waits_for_it),
        cmocka_unit_test(what_others_hold_no_longer_does_not_wait_for_the_caller),
        cmocka_unit_test(readers_see_nothing_that_was_released),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
