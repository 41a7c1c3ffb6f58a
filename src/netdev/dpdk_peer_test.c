/* DPDK's thread that takes a peer's memory away waits for bursts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <rte_interrupts.h>
#include <rte_version.h>

#include "base/util.h"
#include "netdev/dpdk_device.h"
#include "netdev/dpdk_peer.h"

static _Atomic bool has_returned;

static void *
drop_connection(void *aux UNUSED)
{
    (void) rte_intr_callback_unregister(NULL, NULL, NULL);
    has_returned = true;
    return NULL;
}

static void
assert_waits_for(rte_spinlock_t *lock)
{
    struct timespec while_it_would_return = { .tv_nsec = 50000000 };
    pthread_t thread;

    has_returned = false;
    rte_spinlock_lock(lock);
    assert_int_equal(pthread_create(&thread, NULL, drop_connection, NULL), 0);
    nanosleep(&while_it_would_return, NULL);
    assert_false(has_returned);
    rte_spinlock_unlock(lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(has_returned);
}

static void
test_bursts_are_waited_for(void **state UNUSED)
{
    static struct dpdk_device one, other;

    dpdk_peer_watch(&one, "net_memif");
    dpdk_peer_watch(&other, "net_bonding");
    assert_waits_for(&one.rx_locks[0].lock);
    assert_waits_for(&one.tx_locks[DPDK_MAX_QUEUES - 1].lock);
    assert_waits_for(&other.rx_locks[DPDK_MAX_QUEUES - 1].lock);
    dpdk_peer_unwatch(&other);
    dpdk_peer_unwatch(&other);
    rte_spinlock_lock(&other.rx_locks[0].lock);
    (void) drop_connection(NULL);
    dpdk_peer_unwatch(&one);
}

static void
test_the_library_is_called(void **state UNUSED)
{
    assert_non_null(rte_version()); /* The program uses the library, otherwise it were linked without. */
    assert_int_equal(rte_intr_callback_unregister(NULL, NULL, NULL), -EINVAL);
}

static void
test_others_are_not_watched(void **state UNUSED)
{
    struct dpdk_device d = { .peer = DPDK_PEER_DIRECT };

    dpdk_peer_watch(&d, "net_pcap");
    assert_int_equal(d.peer, DPDK_PEER_NONE);
    dpdk_peer_unwatch(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bursts_are_waited_for),
        cmocka_unit_test(test_the_library_is_called),
        cmocka_unit_test(test_others_are_not_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
