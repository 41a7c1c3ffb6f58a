#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdatomic.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "netdev/dpdk_pool.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "sys/work.h"

enum { N = 1000, TOO_MANY = 100 * 1000 * 1000 };

static struct dpdk_pool_size
size(unsigned int n, int mtu)
{
    return (struct dpdk_pool_size) { .n = n, .mtu = mtu, .devargs = "net_null0" };
}

static void
fit(struct dpdk_share *share, struct dpdk_pool_size size)
{
    assert_true(dpdk_share_fit(share, &size));
    assert_non_null(dpdk_share_mempool(share));
}

static unsigned int
room(const struct dpdk_share *share)
{
    return rte_pktmbuf_data_room_size(dpdk_share_mempool(share)) - PACKET_HEADROOM;
}

static void
assert_same_pool(bool is_same, const struct dpdk_share *a, const struct dpdk_share *b)
{
    assert_int_equal(is_same, dpdk_share_mempool(a) == dpdk_share_mempool(b));
}

static void
configure(bool per_port, const char *shared)
{
    dpdk_pool_configure(&(struct dpdk_pool_settings) { .per_port = per_port, .shared = shared });
}

static void
devices_with_like_mtus_on_one_node_share_a_pool(void **state UNUSED)
{
    struct dpdk_share a = { 0 }, b = { 0 }, big = { 0 }, far = { 0 };
    struct dpdk_pool_size elsewhere = size(N, 1500);

    elsewhere.node = 1;
    fit(&a, size(N, 1500));
    fit(&b, size(N, 2030));
    fit(&big, size(N, 2031));
    fit(&far, elsewhere);
    assert_same_pool(true, &a, &b);
    assert_same_pool(false, &a, &big);
    assert_same_pool(false, &a, &far);
    assert_int_equal(room(&a), 2048);
    assert_int_equal(room(&big), 3072);
    dpdk_share_release(&a);
    dpdk_share_release(&b);
    dpdk_share_release(&big);
    dpdk_share_release(&far);
    assert_null(dpdk_share_mempool(&a));
}

static void
a_pool_without_a_share_left_is_followed_by_another(void **state UNUSED)
{
    struct dpdk_share a = { 0 }, b = { 0 }, c = { 0 };

    fit(&a, size(N, 1500));
    fit(&b, size(N, 1500));
    fit(&c, size(1, 1500));
    assert_same_pool(true, &a, &b);
    assert_same_pool(false, &a, &c);
    dpdk_share_release(&b);
    dpdk_share_release(&c);
    fit(&c, size(1, 1500));
    assert_same_pool(true, &a, &c);
    dpdk_share_release(&a);
    dpdk_share_release(&c);
}

static void
a_share_grows_where_it_is_as_long_as_there_is_room(void **state UNUSED)
{
    struct dpdk_share a = { 0 };
    struct rte_mempool *before;

    fit(&a, size(N, 1500));
    before = dpdk_share_mempool(&a);
    fit(&a, size(2 * N, 1500));
    assert_ptr_equal(dpdk_share_mempool(&a), before);
    fit(&a, size(1, 1500));
    fit(&a, size(2 * N + 1, 1500));
    assert_ptr_not_equal(dpdk_share_mempool(&a), before);
    dpdk_share_release(&a);
}

static void
a_pool_lives_until_its_packets_have_come_home(void **state UNUSED)
{
    struct dpdk_share a = { 0 };
    struct rte_mempool *pool;
    struct rte_mbuf *m;
    char name[RTE_MEMPOOL_NAMESIZE];

    fit(&a, size(N, 1500));
    pool = dpdk_share_mempool(&a);
    snprintf(name, sizeof name, "%s", pool->name);
    m = rte_pktmbuf_alloc(pool);
    dpdk_share_release(&a);
    dpdk_pools_sweep();
    assert_ptr_equal(rte_mempool_lookup(name), pool);
    rte_pktmbuf_free(m);
    dpdk_pools_sweep();
    assert_null(rte_mempool_lookup(name));
}

static void
each_port_has_its_own_where_that_is_wanted_or_needed(void **state UNUSED)
{
    struct dpdk_share a = { 0 }, b = { 0 };
    struct dpdk_pool_size replays = size(N, 1500);

    configure(true, NULL);
    fit(&a, size(N, 1500));
    replays.devargs = "net_null1";
    fit(&b, replays);
    assert_same_pool(false, &a, &b);
    configure(false, NULL);
    replays.devargs = "net_pcap0,rx_pcap=/nonexistent,infinite_rx=1";
    fit(&a, size(N, 1500));
    fit(&b, replays);
    assert_same_pool(false, &a, &b);
    dpdk_share_release(&a);
    dpdk_share_release(&b);
}

static void
configured_mtus_round_the_room_up(void **state UNUSED)
{
    struct dpdk_share a = { 0 }, b = { 0 };

    configure(false, "9000:0,5000:1,6000, 3000:1:7");
    fit(&a, size(N, 3001)); /* 3000 is for all nodes, and too small. */
    fit(&b, size(N, 5500));
    assert_same_pool(true, &a, &b);
    assert_int_equal(room(&a), 6144);
    fit(&a, size(N, 1500));
    assert_int_equal(room(&a), 3072);
    fit(&a, size(N, 6001));
    assert_int_equal(room(&a), 9216);
    fit(&a, size(N, 9001)); /* None of them. */
    assert_int_equal(room(&a), 9216);
    dpdk_share_release(&a);
    dpdk_share_release(&b);
}

static void
wrong_mtus_have_no_effect(void **state UNUSED)
{
    static const char *const wrong[] = { "6000,x", "-5", "6000:-1", "0", ":0" };
    struct dpdk_share a = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        configure(false, wrong[i]);
        fit(&a, size(N, 1500));
        assert_int_equal(room(&a), 2048);
    }
    configure(false, NULL);
    dpdk_share_release(&a);
}

static void
without_memory_a_share_stays_what_it_was(void **state UNUSED)
{
    struct dpdk_share a = { 0 };
    struct dpdk_pool_size too_large = size(TOO_MANY, 9000);
    struct rte_mempool *before;

    fit(&a, size(N, 1500));
    before = dpdk_share_mempool(&a);
    assert_false(dpdk_share_fit(&a, &too_large));
    assert_ptr_equal(dpdk_share_mempool(&a), before);
    assert_int_equal(a.n, N);
    dpdk_share_release(&a);
}

static void
count(void *n)
{
    atomic_fetch_add((_Atomic int *) n, 1);
}

static void
pools_are_made_beside_the_caller(void **state UNUSED)
{
    struct dpdk_pool_size wants = size(N, 4000), too_large = size(TOO_MANY, 9000);
    struct dpdk_share a = { 0 }, b = { 0 };
    _Atomic int n_done = 0;

    assert_false(dpdk_pool_prepare(NULL, &wants, count, &n_done));
    work_wait_all();
    assert_int_equal(n_done, 1);
    assert_true(dpdk_pool_prepare(NULL, &wants, count, &n_done));
    fit(&a, wants);
    assert_true(dpdk_pool_prepare(NULL, &wants, count, &n_done)); /* There is a share left for another one. */
    fit(&b, wants);
    assert_true(dpdk_pool_prepare(&b, &wants, count, &n_done));
    assert_int_equal(n_done, 1);
    assert_false(dpdk_pool_prepare(NULL, &wants, count, &n_done));
    work_wait_all();
    assert_false(dpdk_pool_prepare(&a, &too_large, count, &n_done));
    work_wait_all();
    assert_true(dpdk_pool_prepare(&a, &too_large, count, &n_done)); /* That it fails is known. */
    assert_int_equal(n_done, 3);
    assert_false(dpdk_share_fit(&a, &too_large));
    dpdk_share_release(&a);
    dpdk_share_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_with_like_mtus_on_one_node_share_a_pool),
        cmocka_unit_test(a_pool_without_a_share_left_is_followed_by_another),
        cmocka_unit_test(a_share_grows_where_it_is_as_long_as_there_is_room),
        cmocka_unit_test(a_pool_lives_until_its_packets_have_come_home),
        cmocka_unit_test(each_port_has_its_own_where_that_is_wanted_or_needed),
        cmocka_unit_test(configured_mtus_round_the_room_up),
        cmocka_unit_test(wrong_mtus_have_no_effect),
        cmocka_unit_test(without_memory_a_share_stays_what_it_was),
        cmocka_unit_test(pools_are_made_beside_the_caller),
    };
    struct error *e = env_start();

    if (e) {
        fprintf(stderr, "%s\n", error_text(e));
        return EXIT_FAILURE;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
