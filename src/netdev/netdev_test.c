#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "netdev/dummy.h"
#include "netdev/patch.h"
#include "netdev/vnet.h"
#include "packet/env.h"
#include "packet/packet.h"

static void
a_netdev_is_shared_by_name_and_closed_by_the_last(void **state UNUSED)
{
    struct netdev *a, *b, *c;

    assert_int_equal(netdev_open("p1", "dummy", &a), 0);
    assert_int_equal(netdev_open("p1", "dummy", &b), 0);
    assert_ptr_equal(a, b);
    assert_int_equal(netdev_open("p1", "patch", &c), -EEXIST);
    netdev_close(a);
    c = netdev_find("p1");
    assert_ptr_equal(c, b);
    netdev_close(c);
    netdev_close(b);
    assert_null(netdev_find("p1"));
}

static void
devices_and_types_that_do_not_exist_are_refused(void **state UNUSED)
{
    struct netdev *n;

    assert_int_equal(netdev_open("p1", "nonsense", &n), -EAFNOSUPPORT);
    assert_int_equal(netdev_open("no-such-device", "", &n), -ENODEV);
    assert_int_equal(netdev_open("a-name-that-is-too-long", "system", &n), -ENODEV);
    assert_null(n);
}

static unsigned int n_calls;

static void
count_call(struct netdev_watch *w UNUSED, const char *name)
{
    assert_string_equal(name, "p1");
    n_calls++;
}

static void
changes_reach_the_watchers(void **state UNUSED)
{
    struct netdev_watch w;
    struct netdev *n;
    uint64_t seq;
    int mtu;

    assert_int_equal(netdev_open("p1", "dummy", &n), 0);
    netdev_watch(&w, count_call, NULL);
    seq = n->change_seq;
    assert_int_equal(netdev_set_mtu(n, 9000), 0);
    assert_int_equal(netdev_set_mtu(n, 9000), 0);
    assert_int_equal(netdev_get_mtu(n, &mtu), 0);
    assert_int_equal(mtu, 9000);
    assert_int_equal(n_calls, 1);
    assert_int_not_equal(n->change_seq, seq);
    netdev_unwatch(&w);
    netdev_close(n);
}

static void
patch_ports_want_a_peer(void **state UNUSED)
{
    struct strmap options = STRMAP_INIT(&options);
    struct error *e;
    struct netdev *n;

    assert_int_equal(netdev_open("patch0", "patch", &n), 0);
    e = netdev_set_config(n, &options);
    assert_string_equal(error_text(e), "patch0: patch type requires valid 'peer' argument");
    error_free(e);
    (void) !strmap_put(&options, "peer", (char *) "patch0");
    e = netdev_set_config(n, &options);
    assert_string_equal(error_text(e), "patch0: patch peer must not be self");
    error_free(e);
    (void) !strmap_put(&options, "peer", (char *) "patch1");
    assert_null(netdev_set_config(n, &options));
    assert_string_equal(netdev_patch_peer(n), "patch1");
    strmap_uninit(&options);
    netdev_close(n);
}

static size_t sent_len;

static void
note_sent(void *aux UNUSED, struct netdev *n UNUSED, const void *frame UNUSED, size_t len)
{
    sent_len = len;
}

static void
dummies_receive_and_send(void **state UNUSED)
{
    struct netdev_rxq *rxq;
    struct netdev_stats stats;
    struct packet *packets[4];
    struct error *e = env_start();
    struct netdev *n;

    assert_null(e);
    assert_int_equal(netdev_open("p1", "dummy", &n), 0);
    assert_int_equal(n->class->rxq_open(n, 0, &rxq), 0);
    assert_int_equal(n->class->rxq_recv(rxq, packets, 4), 0);
    assert_int_equal(netdev_dummy_receive(n, 0, "0123456789abcdef", 16), 0);
    assert_int_equal(netdev_dummy_receive(n, 0, "0123456789abcdef", 15), 0);
    assert_int_equal(n->class->rxq_recv(rxq, packets, 4), 2);
    assert_int_equal(packet_len(packets[1]), 15);
    netdev_dummy_set_tx_hook(n, note_sent, NULL);
    n->class->send(n, 0, packets, 2);
    assert_int_equal(sent_len, 15);
    assert_int_equal(netdev_get_stats(n, &stats), 0);
    assert_int_equal(stats.rx_packets, 2);
    assert_int_equal(stats.tx_bytes, 31);
    netdev_dummy_set_admin_state(n, false); /* What is said to come in does. */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(netdev_dummy_receive(n, 0, "x", 1), 0);
    }
    assert_int_equal(netdev_dummy_receive(n, 0, "x", 1), -ENOBUFS);
    n->class->rxq_close(rxq);
    netdev_close(n);
}

static void
what_the_kernel_has_found_out_about_a_checksum_is_kept(void **state UNUSED)
{
    static const struct { uint8_t flags; bool is_verified, is_partial; } cases[] = {
        { 0, false, false }, { VIRTIO_NET_HDR_F_DATA_VALID, true, false },
        { VIRTIO_NET_HDR_F_NEEDS_CSUM, false, true },
    };
    struct vnet_area *a = vnet_area();

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct packet *p;

        assert_true(vnet_arm(a, 0));
        a->headers[0] = (struct virtio_net_hdr) { .flags = cases[i].flags };
        p = vnet_take(a, 0, sizeof a->headers[0] + 60);
        assert_int_equal(packet_size(p), 60);
        assert_int_equal(packet_csum_is_verified(p), cases[i].is_verified);
        assert_int_equal(packet_csum_is_partial(p), cases[i].is_partial);
        packet_free(p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_netdev_is_shared_by_name_and_closed_by_the_last),
        cmocka_unit_test(devices_and_types_that_do_not_exist_are_refused),
        cmocka_unit_test(changes_reach_the_watchers),
        cmocka_unit_test(patch_ports_want_a_peer),
        cmocka_unit_test(dummies_receive_and_send),
        cmocka_unit_test(what_the_kernel_has_found_out_about_a_checksum_is_kept),
    };
    int failed;

    netdev_enable_dummy("");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    netdev_uninit();
    return failed;
}
