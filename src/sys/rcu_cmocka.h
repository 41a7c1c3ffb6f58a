/* Set-up and tear-down of a group of cmocka tests whose thread reads and writes what RCU protects. */
#ifndef SYS_RCU_CMOCKA_H
#define SYS_RCU_CMOCKA_H 1

#include "sys/rcu.h"

/* For cmocka_run_group_tests(): the thread is a reader during the tests, and nothing deferred is left behind. */
static inline int
rcu_group_setup(void **state UNUSED)
{
    rcu_thread_register();
    return 0;
}

static inline int
rcu_group_teardown(void **state UNUSED)
{
    rcu_barrier_all();
    rcu_thread_unregister();
    return 0;
}

#endif
