/* DPDK's thread that takes a peer's memory away waits for bursts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define ALLOW_EXPERIMENTAL_API /* Of handles. */
#include <rte_interrupts.h>
#include <rte_version.h>

#include "base/util.h"
#include "netdev/dpdk_device.h"
#include "netdev/dpdk_peer.h"
#include "packet/env.h"

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

static struct rte_intr_handle *
handle_of(int fd)
{
    struct rte_intr_handle *h = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);

    assert_non_null(h);
    assert_int_equal(rte_intr_fd_set(h, fd), 0);
    assert_int_equal(rte_intr_type_set(h, RTE_INTR_HANDLE_EXT), 0);
    return h;
}

struct called {
    int fd;
    _Atomic int n;
};

static void
not_called(void *n)
{
    (*(_Atomic int *) n)++;
}

/* What memif does with somebody who has left before he is greeted; in DPDK's thread. */
static void
greet(void *c_)
{
    static _Atomic int n;
    struct called *c = c_;
    struct rte_intr_handle *gone;
    int fds[2];
    char byte;

    assert_int_equal(read(c->fd, &byte, 1), 1);
    assert_int_equal(pipe(fds), 0);
    gone = handle_of(fds[0]);
    assert_int_equal(rte_intr_callback_register(gone, not_called, (void *) &n), 0);
    close(fds[0]);
    close(fds[1]);
    rte_intr_instance_free(gone);
    assert_int_equal(n, 0);
    c->n++;
}

/* The thread waits for the descriptors of all that is registered anew after each change; if one is closed it ends the
 * program. */
static void
test_forgotten_callbacks_end_with_their_handle(void **state UNUSED)
{
    struct rte_intr_handle *listener;
    struct called c = { .n = 0 };
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    c.fd = fds[0];
    listener = handle_of(fds[0]);
    assert_int_equal(rte_intr_callback_register(listener, greet, &c), 0);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(write(fds[1], "", 1), 1);
        while (c.n < i) {
            sched_yield();
        }
    }
    while (rte_intr_callback_unregister(listener, greet, &c) == -EAGAIN) {
        sched_yield();
    }
    rte_intr_instance_free(listener); /* The pipe stays: ThreadSanitizer does not see what keeps the thread from it. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bursts_are_waited_for),
        cmocka_unit_test(test_the_library_is_called),
        cmocka_unit_test(test_others_are_not_watched),
        cmocka_unit_test(test_forgotten_callbacks_end_with_their_handle),
    };
    struct error *e = env_start();

    assert_null(e);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
