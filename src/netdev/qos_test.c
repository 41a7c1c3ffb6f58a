/* Rates of devices, on made-up times, with a class that has the types of QoS and no packets of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "netdev/qos.h"
#include "packet/mbuf.h"
#include "sys/rcu_cmocka.h"

enum { SECOND = 1000000000 }; /* In nanoseconds. */

static int
nothing_construct(struct netdev *n UNUSED)
{
    return 0;
}

static void
nothing_destruct(struct netdev *n UNUSED)
{
}

static const struct netdev_class class = {
    .type = "rated", .construct = nothing_construct, .destruct = nothing_destruct, .qos_types = netdev_policer_types,
}, class_without = { .type = "unrated", .construct = nothing_construct, .destruct = nothing_destruct };

static struct netdev *
open_netdev(const char *type)
{
    struct netdev *n;

    netdev_class_register(&class);
    netdev_class_register(&class_without);
    assert_int_equal(netdev_open("p", type, &n), 0);
    return n;
}

/* POLICER_BURST packets of that size, for a queue. */
static struct packet *const *
burst_of(size_t size, uint32_t queue)
{
    static _Thread_local struct packet packets[POLICER_BURST];
    static _Thread_local struct packet *all[POLICER_BURST];

    for (int i = 0; i < POLICER_BURST; i++) {
        packets[i] = (struct packet) { .mbuf.data_len = size };
        if (queue) {
            packet_set_queue(&packets[i], queue);
        }
        all[i] = &packets[i];
    }
    return all;
}

static unsigned int
received(const struct netdev *n, unsigned int n_packets, size_t size, int64_t now)
{
    struct policer *p = netdev_policer(n);

    return p ? __builtin_popcount(policer_pass(p, burst_of(size, 0), n_packets, now)) : n_packets;
}

static unsigned int
sent(const struct netdev *n, unsigned int n_packets, size_t size, uint32_t queue, int64_t now)
{
    struct qos *q = rcu_get(&((struct netdev *) n)->qos);

    return q ? __builtin_popcount(qos_pass_rcu(q, burst_of(size, queue), n_packets, now)) : n_packets;
}

static int
set_qos(struct netdev *n, const char *type, uint64_t cir, uint64_t cbs, uint64_t eir, uint64_t ebs)
{
    struct netdev_qos_config c = { .type = type, .rates = { cir, cbs, eir, ebs } };

    return netdev_set_qos(n, &c);
}

static void
policing_counts_bytes_of_layer_3(void **state UNUSED)
{
    struct netdev *n = open_netdev("unrated");

    assert_null(netdev_policer(n));
    netdev_set_policing(n, &(struct netdev_policing) { .kbps_rate = 1, .kb_burst = 8 }); /* 125 B/s, 1000 B. */
    assert_int_equal(received(n, 20, 114, 0), 10);
    assert_int_equal(received(n, 20, 60, SECOND / 2), 1); /* 62 bytes. */
    assert_int_equal(received(n, 20, 60, INT64_C(100) * SECOND), 20);
    assert_int_equal(received(n, 20, 60, INT64_C(100) * SECOND), 1); /* 21 times 46. */
    assert_int_equal(netdev_rates_rx_drops(n), 10 + 19 + 19);
    netdev_close(n);
}

static void
policing_counts_packets(void **state UNUSED)
{
    struct netdev *n = open_netdev("unrated");
    unsigned int passed = 0;

    netdev_set_policing(n, &(struct netdev_policing) { .kpps_rate = 2, .kpkts_burst = 1 });
    for (int i = 0; i < 40; i++) {
        passed += received(n, 32, 1514, 7);
    }
    assert_int_equal(passed, 1000);
    assert_int_equal(received(n, 32, 60, 7 + 5000000), 10);
    netdev_close(n);
}

static void
the_lower_of_two_rates_is_in_effect(void **state UNUSED)
{
    struct netdev *n = open_netdev("unrated");
    unsigned int passed = 0;

    netdev_set_policing(n, &(struct netdev_policing) { 1, 8, 1, 1 });
    assert_int_equal(received(n, 20, 114, 0), 10);
    assert_int_equal(received(n, 30, 14, 0), 30); /* No bytes of layer 3; 40 packets have passed. */
    for (int i = 0; i < 40; i++) {
        passed += received(n, 32, 14, 0);
    }
    assert_int_equal(passed, 960);
    netdev_close(n);
}

static void
bursts_have_their_defaults(void **state UNUSED)
{
    struct netdev *n = open_netdev("unrated");
    unsigned int passed = 0;

    netdev_set_policing(n, &(struct netdev_policing) { .kbps_rate = 1 });
    for (int i = 0; i < 40; i++) {
        passed += received(n, 30, 1014, 0);
    }
    assert_int_equal(passed, 1000); /* 8000 kb */
    netdev_set_policing(n, &(struct netdev_policing) { .kpps_rate = 1 });
    passed = 0;
    for (int i = 0; i < 600; i++) {
        passed += received(n, 30, 60, 0);
    }
    assert_int_equal(passed, 16000);
    netdev_close(n);
}

static void
policing_changes_and_ends(void **state UNUSED)
{
    struct netdev_policing p = { .kbps_rate = 1, .kb_burst = 8 };
    struct netdev *n = open_netdev("unrated");

    netdev_set_policing(n, &p);
    assert_int_equal(received(n, 20, 114, 0), 10);
    netdev_set_policing(n, &p); /* The same: it stays empty. */
    assert_int_equal(received(n, 20, 114, 0), 0);
    p.kb_burst = 4;
    netdev_set_policing(n, &p);
    assert_int_equal(received(n, 20, 114, 0), 5);
    p.kbps_rate = 0;
    netdev_set_policing(n, &p);
    assert_null(netdev_policer(n));
    assert_int_equal(netdev_rates_rx_drops(n), 10 + 20 + 15); /* What was counted stays. */
    p = (struct netdev_policing) { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
    netdev_set_policing(n, &p);
    assert_int_equal(received(n, 32, 1514, 0), 32);
    netdev_close(n);
}

enum { N_THREADS = 4, N_BURSTS = 500 };

static void *
receive_many(void *n)
{
    unsigned int passed = 0;

    for (int i = 0; i < N_BURSTS; i++) {
        passed += received(n, POLICER_BURST, 114, 0);
    }
    return (void *) (uintptr_t) passed;
}

static void
threads_share_a_policer_exactly(void **state UNUSED)
{
    struct netdev *n = open_netdev("unrated");
    pthread_t threads[N_THREADS];
    uintptr_t total = 0;

    netdev_set_policing(n, &(struct netdev_policing) { .kbps_rate = 1, .kb_burst = 9876 }); /* 1,234,500 bytes. */
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, receive_many, n), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        void *passed;

        pthread_join(threads[i], &passed);
        total += (uintptr_t) passed;
    }
    assert_int_equal(total, 12345);
    assert_int_equal(netdev_rates_rx_drops(n), N_THREADS * N_BURSTS * POLICER_BURST - 12345);
    netdev_close(n);
}

static void
an_egress_policer_has_one_bucket(void **state UNUSED)
{
    struct netdev *n = open_netdev("rated");
    struct netdev_qos_config c;

    assert_int_equal(set_qos(n, "egress-policer", 100, 1000, 0, 0), 0);
    assert_int_equal(sent(n, 20, 114, 0, 0), 10);
    assert_int_equal(sent(n, 20, 114, 3, INT64_C(2) * SECOND), 2);
    assert_int_equal(netdev_rates_tx_drops(n), 28);
    assert_int_equal(set_qos(n, "egress-policer", 100, 1000, 7, 0), 0); /* Not its matter. */
    assert_int_equal(sent(n, 20, 114, 0, INT64_C(2) * SECOND), 0);
    assert_true(netdev_get_qos(n, &c));
    assert_string_equal(c.type, "egress-policer");
    assert_int_equal(netdev_set_qos(n, NULL), 0);
    assert_false(netdev_get_qos(n, &c));
    assert_int_equal(netdev_rates_tx_drops(n), 48);
    netdev_close(n);
}

static void
what_is_impossible_is_no_qos(void **state UNUSED)
{
    struct netdev *n = open_netdev("rated"), *without;
    struct netdev_qos_config c;

    assert_int_equal(set_qos(n, "egress-policer", 100, 0, 0, 0), -EINVAL);
    assert_int_equal(set_qos(n, "egress-policer", 0, 100, 0, 0), -EINVAL);
    assert_int_equal(set_qos(n, "trtcm-policer", 1, 1, 1, 0), -EINVAL);
    assert_int_equal(set_qos(n, "trtcm-policer", 1, 0, 1, 1), -EINVAL);
    assert_int_equal(set_qos(n, "linux-htb", 1, 1, 1, 1), -EOPNOTSUPP);
    assert_false(netdev_get_qos(n, &c));
    assert_int_equal(set_qos(n, "trtcm-policer", 1, 1, 0, 0), 0);
    assert_int_equal(set_qos(n, "linux-htb", 1, 1, 1, 1), -EOPNOTSUPP);
    assert_false(netdev_get_qos(n, &c)); /* The old one is gone. */
    netdev_close(n);
    without = open_netdev("unrated");
    assert_int_equal(set_qos(without, "egress-policer", 1, 1, 0, 0), -EOPNOTSUPP);
    assert_int_equal(set_qos(without, "", 1, 1, 0, 0), 0);
    netdev_close(without);
}

static void
assert_queue(const struct netdev *n, uint32_t queue, unsigned int packets, unsigned int bytes, unsigned int errors)
{
    struct netdev_queue_stats s;

    assert_int_equal(netdev_get_queue_stats(n, queue, &s), 0);
    assert_int_equal(s.tx_packets, packets);
    assert_int_equal(s.tx_bytes, bytes);
    assert_int_equal(s.tx_errors, errors);
}

static void
green_and_yellow_pass_and_red_does_not(void **state UNUSED)
{
    struct netdev *n = open_netdev("rated");

    assert_int_equal(set_qos(n, "trtcm-policer", 1, 1000, 1, 500), 0);
    assert_int_equal(sent(n, 20, 114, 0, 0), 15);
    assert_queue(n, 0, 15, 1500, 5);
    assert_int_equal(sent(n, 1, 114, 9, 0), 0); /* No such queue: the default one. */
    assert_queue(n, 0, 15, 1500, 6);
    assert_int_equal(netdev_rates_tx_drops(n), 6);
    netdev_close(n);
}

/* RFC 4115 §3: what the queue has made yellow is not green for the port, and leaves the committed bucket alone. */
static void
the_port_is_aware_of_the_queues_color(void **state UNUSED)
{
    struct netdev_queue_config queues[] = { { 3, { 1, 300, 1, 400 } }, { 4, { 0, 0, 1, 600 } } };
    struct netdev_qos_config c = { "trtcm-policer", { 1, 1000, 1, 500 }, 2, queues };
    struct netdev *n = open_netdev("rated");

    assert_int_equal(netdev_set_qos(n, &c), 0);
    assert_int_equal(sent(n, 20, 114, 3, 0), 7); /* 3 green, 4 yellow; red: 13 */
    assert_queue(n, 3, 7, 700, 13);
    assert_int_equal(sent(n, 20, 114, 4, 0), 1); /* 6 yellow, and the port's excess bucket has 100 left. */
    assert_queue(n, 4, 1, 100, 19);
    assert_int_equal(sent(n, 20, 114, 0, 0), 7); /* The port's committed bucket has 700 left. */
    assert_queue(n, 0, 7, 700, 13);
    netdev_close(n);
}

static void
queues_that_stay_go_on_and_bad_ones_are_left_out(void **state UNUSED)
{
    struct netdev_queue_config two[] = { { 3, { 1, 300, 0, 0 } }, { 70000, { 1, 100, 0, 0 } } };
    struct netdev_queue_config other[] = { { 0, { 0, 0, 0, 0 } }, { 3, { 1, 300, 0, 0 } }, { 5, { 1, 0, 0, 0 } } };
    struct netdev_qos_config c = { "trtcm-policer", { 1, 1000, 0, 0 }, 2, two }, now;
    struct netdev_queue_stats s;
    struct netdev *n = open_netdev("rated");

    assert_int_equal(netdev_set_qos(n, &c), 0);
    assert_int_equal(sent(n, 20, 114, 3, 0), 3);
    assert_int_equal(sent(n, 20, 114, 70000, 0), 1);
    c.queues = other;
    c.n_queues = 3;
    assert_int_equal(netdev_set_qos(n, &c), 0);
    assert_queue(n, 3, 3, 300, 17);
    assert_int_equal(sent(n, 20, 114, 3, 0), 0);
    assert_int_equal(sent(n, 20, 114, 0, 0), 6); /* So does the port's bucket. */
    assert_true(netdev_get_qos(n, &now));
    assert_int_equal(now.n_queues, 2);
    assert_int_equal(now.queues[0].rates.cbs, 1000); /* All zero: the port's own. */
    assert_int_equal(netdev_get_queue_stats(n, 5, &s), -ENOENT);
    assert_int_equal(netdev_get_queue_stats(n, 70000, &s), -ENOENT);
    c.rates.cbs = 2000;
    assert_int_equal(netdev_set_qos(n, &c), 0);
    assert_queue(n, 3, 0, 0, 0); /* The port's rates changed: all begin anew. */
    netdev_close(n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policing_counts_bytes_of_layer_3),
        cmocka_unit_test(policing_counts_packets),
        cmocka_unit_test(the_lower_of_two_rates_is_in_effect),
        cmocka_unit_test(bursts_have_their_defaults),
        cmocka_unit_test(policing_changes_and_ends),
        cmocka_unit_test(threads_share_a_policer_exactly),
        cmocka_unit_test(an_egress_policer_has_one_bucket),
        cmocka_unit_test(what_is_impossible_is_no_qos),
        cmocka_unit_test(green_and_yellow_pass_and_red_does_not),
        cmocka_unit_test(the_port_is_aware_of_the_queues_color),
        cmocka_unit_test(queues_that_stay_go_on_and_bad_ones_are_left_out),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
