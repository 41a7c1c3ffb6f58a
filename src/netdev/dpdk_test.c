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
#include "sys/work.h"

/* What drivers call to report something; their header is not installed.  The first device is at the beginning. */
extern char rte_eth_devices[];
int rte_eth_dev_callback_process(void *device, enum rte_eth_event_type, void *ret);

static struct loop *loop;
static unsigned int n_released, n_taken;

static void
count(void *n)
{
    atomic_fetch_add((_Atomic int *) n, 1);
}

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

/* --- A device that takes rules: these stand in for DPDK's --- */

static bool takes_rules;
static unsigned int n_rules;
static int lacp_queue = -1; /* Where the rule sends LACP's frames. */

struct rte_flow *
rte_flow_create(uint16_t port UNUSED, const struct rte_flow_attr *attr, const struct rte_flow_item pattern[],
                const struct rte_flow_action actions[], struct rte_flow_error *error)
{
    const struct rte_flow_item_eth *type = pattern[0].spec, *mask = pattern[0].mask;
    const struct rte_flow_action_queue *queue = actions[0].conf;

    if (!takes_rules) {
        rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, "no rules here");
        return NULL;
    }
    assert_true(attr->ingress);
    assert_true(pattern[0].type == RTE_FLOW_ITEM_TYPE_ETH && pattern[1].type == RTE_FLOW_ITEM_TYPE_END);
    assert_true(type->type == RTE_BE16(0x8809) && mask->type == 0xffff && rte_is_zero_ether_addr(&mask->dst));
    assert_true(actions[0].type == RTE_FLOW_ACTION_TYPE_QUEUE && actions[1].type == RTE_FLOW_ACTION_TYPE_END);
    lacp_queue = queue->index;
    n_rules++;
    return (struct rte_flow *) &n_rules;
}

int
rte_flow_destroy(uint16_t port UNUSED, struct rte_flow *rule, struct rte_flow_error *error UNUSED)
{
    assert_ptr_equal(rule, &n_rules);
    n_rules--;
    return 0;
}

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

static void
assert_status(const struct netdev *n, const char *key, const char *value)
{
    struct strmap status = STRMAP_INIT(&status);
    const char *has;

    netdev_get_status(n, &status);
    has = strmap_get(&status, key);
    if (value) {
        assert_non_null(has);
        assert_string_equal(has, value);
    } else {
        assert_null(has);
    }
    strmap_uninit_free(&status);
}

/* The highest queue that the device spreads packets to. */
static unsigned int
highest_spread(const struct netdev *n)
{
    struct rte_eth_rss_reta_entry64 table[2] = { { .mask = UINT64_MAX }, { .mask = UINT64_MAX } };
    unsigned int highest = 0;

    assert_int_equal(rte_eth_dev_rss_reta_query(dpdk_device(n)->port, table, 128), 0);
    for (int i = 0; i < 128; i++) {
        highest = MAX(highest, table[i / 64].reta[i % 64]);
    }
    return highest;
}

static void
lacp_has_a_queue_of_its_own(void **state UNUSED)
{
    struct netdev *n = open_null();

    takes_rules = true;
    assert_status(n, "rx-steering", "rss");
    assert_status(n, "rx_steering_queue", NULL);
    assert_null(set_options(n, "rx-steering", "rss+lacp"));
    assert_int_equal(n->class->n_rxq(n), 2);
    assert_int_equal(n_rules, 1);
    assert_int_equal(lacp_queue, 1);
    assert_int_equal(highest_spread(n), 0);
    assert_status(n, "rx-steering", "rss+lacp");
    assert_status(n, "rx_steering_queue", "1");
    assert_status(n, "rss_queues", "0");
    assert_int_equal(netdev_set_mtu(n, 2000), 0); /* It is stopped and started, with a new rule. */
    assert_int_equal(n_rules, 1);
    assert_null(set_options(n, NULL, NULL));
    assert_int_equal(n_rules, 0);
    assert_int_equal(n->class->n_rxq(n), 1);
    assert_null(set_options(n, "rx-steering", "nonsense"));
    assert_status(n, "rx-steering", "rss");
    netdev_close(n);
}

static void
the_others_are_spread_over_the_queues_before(void **state UNUSED)
{
    struct strmap options = STRMAP_INIT(&options);
    struct netdev *n = open_null();

    takes_rules = true;
    strmap_put_free(&options, "dpdk-devargs", xstrdup("net_null0,no-rx=1"));
    strmap_put_free(&options, "rx-steering", xstrdup("rss+lacp"));
    strmap_put_free(&options, "n_rxq", xstrdup("3"));
    assert_null(netdev_set_config(n, &options));
    strmap_uninit_free(&options);
    assert_int_equal(n->class->n_rxq(n), 4);
    assert_int_equal(lacp_queue, 3);
    assert_int_equal(highest_spread(n), 2);
    assert_status(n, "rss_queues", "0-2");
    netdev_close(n);
    assert_int_equal(n_rules, 0);
}

static void
a_device_without_rules_goes_on_with_rss(void **state UNUSED)
{
    struct netdev *n = open_null();

    takes_rules = false;
    assert_null(set_options(n, "rx-steering", "rss+lacp"));
    assert_int_equal(n->class->n_rxq(n), 1);
    assert_status(n, "rx-steering", "unsupported");
    assert_status(n, "rx_steering_queue", NULL);
    assert_true(atomic_load(&dpdk_device(n)->active));
    netdev_close(n);
}

/* So that the main loop need not make it. */
static void
the_packets_for_a_change_are_asked_for_beforehand(void **state UNUSED)
{
    struct strmap options = STRMAP_INIT(&options);
    struct netdev *n = open_null();
    struct rte_mempool *before = dpdk_share_mempool(&dpdk_device(n)->share);
    _Atomic int n_done = 0;

    strmap_put_free(&options, "dpdk-devargs", xstrdup("net_null0,no-rx=1"));
    assert_true(netdev_prepare("dpdk", &options, 0, count, &n_done));
    assert_true(netdev_prepare("dpdk", &options, 1500, count, &n_done));
    assert_true(netdev_prepare("dpdk", &options, DPDK_MAX_MTU + 1, count, &n_done)); /* It will be refused. */
    assert_false(netdev_prepare("dpdk", &options, 9000, count, &n_done));
    work_wait_all();
    assert_int_equal(n_done, 1);
    assert_true(netdev_prepare("dpdk", &options, 9000, count, &n_done));
    assert_int_equal(netdev_set_mtu(n, 9000), 0);
    assert_ptr_not_equal(dpdk_share_mempool(&dpdk_device(n)->share), before);
    assert_true(netdev_prepare("dpdk", &options, 0, count, &n_done));
    strmap_put_free(&options, "n_rxq_desc", xstrdup("4096"));
    strmap_put_free(&options, "n_rxq", xstrdup("16"));
    assert_false(netdev_prepare("dpdk", &options, 0, count, &n_done));
    work_wait_all();
    assert_int_equal(n_done, 2);
    strmap_uninit_free(&options);
    netdev_close(n);
}

/* It starts with the usual MTU and is given the other one then: both pools are there. */
static void
a_new_device_with_another_mtu_makes_nothing_itself(void **state UNUSED)
{
    struct strmap options = STRMAP_INIT(&options);
    struct dpdk_pool_size size = { .n = 1, .devargs = "net_null0,no-rx=1" };
    _Atomic int n_done = 0;
    struct netdev *n;

    strmap_put_free(&options, "dpdk-devargs", xstrdup(size.devargs));
    while (!netdev_prepare("dpdk", &options, 5000, count, &n_done)) {
        work_wait_all();
    }
    assert_int_equal(n_done, 2);
    for (int mtu = 1500; mtu <= 5000; mtu += 3500) {
        size.mtu = mtu;
        assert_true(dpdk_pool_prepare(NULL, &size, count, &n_done));
    }
    assert_int_equal(netdev_open("d0", "dpdk", &n), 0);
    assert_null(netdev_set_config(n, &options));
    assert_int_equal(netdev_set_mtu(n, 5000), 0);
    assert_int_equal(n_done, 2);
    strmap_uninit_free(&options);
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
        cmocka_unit_test(lacp_has_a_queue_of_its_own),
        cmocka_unit_test(the_others_are_spread_over_the_queues_before),
        cmocka_unit_test(a_device_without_rules_goes_on_with_rss),
        cmocka_unit_test(the_packets_for_a_change_are_asked_for_beforehand),
        cmocka_unit_test(a_new_device_with_another_mtu_makes_nothing_itself),
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
