#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pool.h"
#include "sys/rcu_cmocka.h"
#include "sys/work.h"

static _Atomic int n_done;

static void
count(void *aux)
{
    n_done += *(int *) aux;
}

/* An environment cannot be started twice: in a process of its own. */
static void
what_came_of_a_start_beside_the_caller_is_said_later(void **state UNUSED)
{
    int one = 1, status;
    pid_t child = fork();
    struct error *e;

    if (!child) {
        env_configure("--no-such-option");
        if (!env_start_beside(count, &one)) {
            work_wait_all();
        }
        e = env_start();
        _exit(n_done == 1 && e && strstr(error_text(e), "DPDK did not start") && env_start_beside(NULL, NULL)
                      && !env_is_started() && n_done == 1
                  ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* It has all packets of the pool and its own processors, as if it had started it by itself. */
static void
the_environment_starts_beside_the_caller(void **state UNUSED)
{
    struct packet **packets = xcalloc(PACKET_POOL_SIZE, sizeof *packets);
    cpu_set_t before, after;
    int one = 1, ten = 10;
    struct error *e;

    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_false(env_is_started());
    if (!env_start_beside(count, &one)) {
        (void) !env_start_beside(count, &ten); /* It has begun: only the first is told. */
    }
    e = env_start();
    assert_null(e);
    assert_true(env_is_started());
    work_wait_all();
    assert_int_equal(n_done, 1);
    assert_true(env_start_beside(count, &ten));
    assert_int_equal(n_done, 1);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    for (size_t i = 0; i < PACKET_POOL_SIZE; i++) {
        packets[i] = packet_new("x", 1);
        assert_non_null(packets[i]);
    }
    for (size_t i = 0; i < PACKET_POOL_SIZE; i++) {
        packet_free(packets[i]);
    }
    assert_int_equal(packet_pool_in_use(packet_pool()), 0);
    free(packets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_of_a_start_beside_the_caller_is_said_later),
        cmocka_unit_test(the_environment_starts_beside_the_caller),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
