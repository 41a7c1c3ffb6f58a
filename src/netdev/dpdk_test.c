#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>

#include "netdev/dpdk_device.h"
#include "packet/env.h"
#include "sys/loop.h"

/* What drivers call to report something; their header is not installed.  The first device is at the beginning. */
extern char rte_eth_devices[];
int rte_eth_dev_callback_process(void *device, enum rte_eth_event_type, void *ret);

static struct loop *loop;
static unsigned int n_released, n_taken;

static void
count_release(struct netdev_user *u UNUSED)
{
    n_released++;
}

static void
count_take(struct netdev_user *u UNUSED)
{
    n_taken++;
}

static struct netdev_user user = { count_release, count_take };

static struct error *
set_options(struct netdev *n, const char *key, const char *value)
{
    struct strmap options = STRMAP_INIT(&options);
    struct error *e;

    strmap_put_free(&options, "dpdk-devargs", xstrdup("net_null0,no-rx=1"));
    if (key) {
        strmap_put_free(&options, key, xstrdup(value));
    }
    e = netdev_set_config(n, &options);
    strmap_uninit_free(&options);
    return e;
}

static struct netdev *
open_null(void)
{
    struct netdev *n;

    assert_int_equal(netdev_open("d0", "dpdk", &n), 0);
    assert_null(set_options(n, NULL, NULL));
    assert_int_equal(dpdk_device(n)->port, 0);
    n_released = n_taken = 0;
    n->user = &user;
    return n;
}

static void
a_change_takes_the_queues_away_and_gives_them_back(void **state UNUSED)
{
    struct netdev *n = open_null();

    assert_null(set_options(n, NULL, NULL));
    assert_null(set_options(n, "rx-flow-ctrl", "true"));
    assert_int_equal(n_released, 0);
    assert_null(set_options(n, "n_rxq", "3"));
    assert_int_equal(n_released, 1);
    assert_int_equal(n_taken, 1);
    assert_int_equal(n->class->n_rxq(n), 3);
    assert_true(atomic_load(&dpdk_device(n)->active));
    netdev_close(n);
}

static void
an_mtu_that_is_refused_is_tried_once(void **state UNUSED)
{
    struct netdev *n = open_null();
    int mtu;

    assert_int_equal(netdev_set_mtu(n, DPDK_MAX_MTU + 1), -EINVAL);
    assert_int_equal(netdev_set_mtu(n, DPDK_MIN_MTU - 1), -EINVAL);
    assert_int_equal(n_released, 0);
    assert_int_equal(netdev_set_mtu(n, 9000), 0);
    assert_int_equal(netdev_get_mtu(n, &mtu), 0);
    assert_int_equal(mtu, 9000);
    dpdk_device(n)->refused_mtu = 9500;
    n_released = 0;
    assert_int_equal(netdev_set_mtu(n, 9500), -EINVAL);
    assert_int_equal(n_released, 0);
    netdev_close(n);
}

static void
a_device_that_asks_for_it_is_reset_and_goes_on(void **state UNUSED)
{
    struct netdev *n = open_null();

    rte_eth_dev_callback_process(rte_eth_devices, RTE_ETH_EVENT_INTR_RESET, NULL);
    assert_int_equal(n_released, 0); /* It is the main loop's affair. */
    while (!n_taken) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_released, 1);
    assert_true(atomic_load(&dpdk_device(n)->active));
    assert_false(n->is_gone);
    netdev_close(n);
}

static void
a_device_that_is_removed_is_gone(void **state UNUSED)
{
    struct netdev *n = open_null();

    rte_eth_dev_callback_process(rte_eth_devices, RTE_ETH_EVENT_INTR_RMV, NULL);
    while (!n->is_gone) {
        loop_run_once(loop, true);
    }
    assert_false(atomic_load(&dpdk_device(n)->active));
    netdev_close(n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_takes_the_queues_away_and_gives_them_back),
        cmocka_unit_test(an_mtu_that_is_refused_is_tried_once),
        cmocka_unit_test(a_device_that_asks_for_it_is_reset_and_goes_on),
        cmocka_unit_test(a_device_that_is_removed_is_gone),
    };
    struct error *e;
    int failed;

    loop = loop_create();
    netdev_init(loop);
    e = env_start();
    assert_null(e);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    netdev_uninit();
    loop_destroy(loop);
    return failed;
}
