#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "ofproto/mac_table.h"
#include "sys/clock.h"
#include "sys/rcu.h"
#include "sys/rcu_cmocka.h"

static struct eth_addr
mac(unsigned int n)
{
    return eth_addr_from_u64(0x020000000000 + n);
}

static const int keys[4] = { 0 };
#define KEY(N) ((const void *) &keys[N])

static bool
learn(struct mac_table *t, unsigned int n, int vlan, int key)
{
    return mac_table_learn(t, mac(n), vlan, KEY(key), OFP_PORT(key + 1), false, false);
}

static int
port_of(struct mac_table *t, unsigned int n, int vlan)
{
    struct mac_entry e;

    return mac_table_lookup(t, mac(n), vlan, &e) ? (int) ofp_to_u32(e.port) : 0;
}

static void
a_learned_address_is_found_in_its_vlan_only(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();

    assert_true(learn(t, 1, 5, 0));
    assert_false(learn(t, 1, 5, 0));
    assert_int_equal(port_of(t, 1, 5), 1);
    assert_int_equal(port_of(t, 1, 6), 0);
    mac_table_destroy(t);
}

static void
count_change(void *n, struct eth_addr a UNUSED, uint16_t vlan UNUSED)
{
    ++*(unsigned int *) n;
}

static void
a_move_changes_the_port_and_is_told(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();
    struct mac_table_stats stats;
    unsigned int n = 0;

    mac_table_set_listener(t, &(struct mac_table_listener) { .changed = count_change, .aux = &n });
    learn(t, 1, 0, 0);
    assert_int_equal(n, 1);
    assert_false(learn(t, 1, 0, 0));
    assert_int_equal(n, 1);
    assert_true(mac_table_would_change(t, mac(1), 0, KEY(1)));
    assert_true(learn(t, 1, 0, 1));
    assert_int_equal(n, 2);
    assert_int_equal(port_of(t, 1, 0), 2);
    mac_table_get_stats(t, &stats);
    assert_int_equal(stats.n_moved, 1);
    assert_int_equal(stats.n_learned, 1);
    mac_table_destroy(t);
}

static void
multicast_addresses_and_flood_vlans_are_not_learned(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();
    uint64_t vlans[64] = { 1 << 7 };

    assert_false(mac_table_learn(t, eth_addr_from_u64(UINT64_C(0x010000000001)), 0, KEY(0), OFP_PORT(1), false, false));
    mac_table_set_flood_vlans(t, vlans);
    assert_false(learn(t, 1, 7, 0));
    assert_true(learn(t, 1, 8, 0));
    mac_table_destroy(t);
}

static void
entries_expire_when_unused_for_the_idle_time(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();

    mac_table_configure(t, 20, 100);
    learn(t, 1, 0, 0);
    learn(t, 2, 0, 0);
    clock_warp(15000);
    learn(t, 2, 0, 0);
    assert_false(mac_table_run(t));
    clock_warp(6000);
    assert_true(mac_table_run(t));
    assert_int_equal(port_of(t, 1, 0), 0);
    assert_int_equal(port_of(t, 2, 0), 1);
    clock_warp(15000);
    assert_true(mac_table_run(t));
    assert_int_equal(port_of(t, 2, 0), 0);
    mac_table_destroy(t);
}

static void
a_shorter_idle_time_holds_for_old_entries(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();

    learn(t, 1, 0, 0);
    clock_warp(100000);
    assert_false(mac_table_run(t));
    mac_table_configure(t, 30, 100);
    assert_true(mac_table_run(t));
    assert_int_equal(port_of(t, 1, 0), 0);
    mac_table_destroy(t);
}

static void
one_port_cannot_push_out_the_others(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();
    struct mac_table_stats stats;

    mac_table_configure(t, 300, 50);
    for (unsigned int i = 0; i < 10; i++) {
        learn(t, i, 0, 0);
    }
    for (unsigned int i = 0; i < 1000; i++) {
        learn(t, 1000 + i, 0, 1);
    }
    for (unsigned int i = 0; i < 10; i++) {
        assert_int_equal(port_of(t, i, 0), 1);
    }
    mac_table_get_stats(t, &stats);
    assert_int_equal(stats.n_entries, 50);
    assert_int_equal(stats.n_evicted, 960);
    mac_table_destroy(t);
}

static void
static_entries_stay(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();

    learn(t, 1, 0, 0);
    assert_true(mac_table_add_static(t, mac(1), 0, KEY(1), OFP_PORT(2)));
    assert_false(learn(t, 1, 0, 0));
    mac_table_flush(t);
    clock_warp(10000000);
    mac_table_run(t);
    assert_int_equal(port_of(t, 1, 0), 2);
    assert_true(mac_table_del_static(t, mac(1), 0));
    assert_false(mac_table_del_static(t, mac(1), 0));
    assert_int_equal(port_of(t, 1, 0), 0);
    mac_table_destroy(t);
}

static void
a_gratuitous_arp_holds_its_place_against_its_reflection(void **state UNUSED)
{
    struct mac_table *t = mac_table_create();

    mac_table_learn(t, mac(1), 0, KEY(0), OFP_PORT(1), true, false);
    assert_false(mac_table_learn(t, mac(1), 0, KEY(1), OFP_PORT(2), true, true));
    assert_int_equal(port_of(t, 1, 0), 1);
    clock_warp(6000);
    assert_true(mac_table_learn(t, mac(1), 0, KEY(1), OFP_PORT(2), true, true));
    mac_table_destroy(t);
}

/* Many entries. */

enum { MANY = 10000, STEP = 32 };

static void
learn_many(struct mac_table *t, int key)
{
    for (unsigned int i = 0; i < MANY; i++) {
        assert_true(learn(t, i, 0, key));
    }
}

static struct loop_slice
no_time(void)
{
    return (struct loop_slice) { .until_us = INT64_MIN };
}

static size_t
count_entries(const struct mac_table *t)
{
    struct mac_table_stats stats;

    mac_table_get_stats(t, &stats);
    return stats.n_entries;
}

static void
count_many(void *n)
{
    *(unsigned int *) n += MANY;
}

static void
a_flush_of_many_is_seen_and_told_at_once_and_they_are_taken_out_in_steps(void **state UNUSED)
{
    struct loop_slice slice = no_time();
    unsigned int n_told = 0, n_left = 0, n_steps = 1;
    struct mac_table *t = mac_table_create();

    mac_table_configure(t, 300, 2 * MANY);
    learn_many(t, 0);
    mac_table_set_listener(t, &(struct mac_table_listener) { count_change, count_many, &n_told });
    assert_true(learn(t, MANY, 0, 1));
    mac_table_flush_bundle(t, KEY(0), true);
    assert_int_equal(n_told, 1 + MANY);
    assert_int_equal(count_entries(t), 1);
    assert_int_equal(port_of(t, 1, 0), 0);
    assert_true(learn(t, 1, 0, 2));
    for (; !mac_table_run_step(t, &slice, count_change, &n_left); n_steps++) {
        assert_true(n_left <= n_steps * STEP);
    }
    assert_int_equal(n_left, MANY);
    assert_int_equal(port_of(t, 1, 0), 3);
    assert_int_equal(port_of(t, MANY, 0), 2);
    assert_int_equal(n_told, 2 + MANY);
    mac_table_destroy(t);
}

static void
a_lower_limit_holds_after_steps_and_does_not_make_who_learns_wait(void **state UNUSED)
{
    struct loop_slice slice = no_time();
    struct mac_table *t = mac_table_create();
    size_t n, before;

    mac_table_configure(t, 300, MANY);
    learn_many(t, 0);
    mac_table_configure(t, 300, 100);
    before = count_entries(t);
    assert_true(before > 100);
    assert_true(learn(t, MANY, 0, 1));
    assert_in_range(count_entries(t), before - 2, before);
    for (bool done = false; !done; before = n) {
        before = count_entries(t);
        done = mac_table_run_step(t, &slice, NULL, NULL);
        n = count_entries(t);
        assert_true(n <= before && before - n <= STEP);
    }
    assert_int_equal(count_entries(t), 100);
    assert_int_equal(port_of(t, MANY, 0), 2);
    mac_table_destroy(t);
}

static void
another_idle_time_holds_after_steps(void **state UNUSED)
{
    struct loop_slice slice = no_time();
    struct mac_table *t = mac_table_create();
    unsigned int n_steps = 1;

    mac_table_configure(t, 300, MANY);
    learn_many(t, 0);
    clock_warp(60 * 1000);
    assert_false(mac_table_run(t));
    mac_table_configure(t, 30, MANY);
    while (!mac_table_run_step(t, &slice, NULL, NULL)) {
        n_steps++;
    }
    assert_true(n_steps >= 2 * MANY / STEP);
    assert_int_equal(count_entries(t), 0);
    mac_table_destroy(t);
}

struct meeting {
    unsigned int n_met[MANY];
    bool stays[MANY]; /* It has been there all the time. */
};

static void
note_met(void *m_, const struct mac_met *met)
{
    struct meeting *m = m_;

    m->n_met[eth_addr_to_u64(met->e.mac) - eth_addr_to_u64(mac(0))]++;
}

static void
a_walk_in_steps_meets_each_address_that_stays_once_also_if_it_moves(void **state UNUSED)
{
    static struct meeting m;
    struct mac_table *t = mac_table_create();
    struct mac_table_walk walk, other;
    struct random r;

    random_seed(&r, 1);
    mac_table_configure(t, 300, MANY);
    for (unsigned int i = 0; i < MANY; i++) {
        m.stays[i] = random_below(&r, 3) && learn(t, i, 0, 2 + i % 2);
    }
    mac_table_walk_begin(t, &walk);
    mac_table_walk_begin(t, &other);
    while (mac_table_walk_step(t, &walk, 1 + random_below(&r, 20), note_met, &m)) {
        unsigned int i = random_below(&r, MANY), k = random_below(&r, MANY);

        if (random_below(&r, 2) && m.stays[i]) {
            (void) !learn(t, i, 0, random_below(&r, 2)); /* It moves, or stays where it is. */
        }
        mac_table_forget(t, mac(k), 0);
        m.stays[k] = false;
        (void) !learn(t, k, 0, 1);
        if (random_below(&r, 50) == 0) {
            mac_table_walk_end(t, &other);
            mac_table_walk_begin(t, &other);
        }
    }
    mac_table_walk_end(t, &walk);
    mac_table_walk_end(t, &other);
    for (unsigned int i = 0; i < MANY; i++) {
        assert_in_range(m.n_met[i], m.stays[i], 1);
    }
    mac_table_destroy(t);
}

/* The oracle: an array with an entry for each address. */
struct slow_entry {
    int port; /* 0: none. */
    int64_t used;
};

static void
agree(struct mac_table *t, const struct slow_entry *slow, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(port_of(t, i, 0), slow[i].port);
    }
}

static void
the_table_agrees_with_an_array_over_random_operations(void **state UNUSED)
{
    enum { N = 200 };
    struct mac_table *t = mac_table_create();
    struct slow_entry slow[N] = { { 0, 0 } };
    struct random r;

    random_seed(&r, 1);
    mac_table_configure(t, 30, 10000);
    for (int step = 0; step < 5000; step++) {
        unsigned int i = random_below(&r, N), key = random_below(&r, 4);

        switch (random_below(&r, 20)) {
        case 0:
            clock_warp(1000 * random_below(&r, 10));
            mac_table_run(t);
            for (int k = 0; k < N; k++) {
                if (slow[k].port && slow[k].used / 1000 + 30 <= clock_now_ms() / 1000) {
                    slow[k].port = 0;
                }
            }
            agree(t, slow, N);
            break;
        case 1:
            mac_table_flush_bundle(t, KEY(key), false);
            for (int k = 0; k < N; k++) {
                slow[k].port = slow[k].port == (int) key + 1 ? 0 : slow[k].port;
            }
            break;
        default:
            assert_int_equal(learn(t, i, 0, key), slow[i].port != (int) key + 1);
            slow[i] = (struct slow_entry) { key + 1, clock_now_ms() };
        }
        assert_int_equal(port_of(t, i, 0), slow[i].port);
    }
    mac_table_destroy(t);
}

static int
set_up(void **state)
{
    clock_stop();
    return rcu_group_setup(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learned_address_is_found_in_its_vlan_only),
        cmocka_unit_test(a_move_changes_the_port_and_is_told),
        cmocka_unit_test(multicast_addresses_and_flood_vlans_are_not_learned),
        cmocka_unit_test(entries_expire_when_unused_for_the_idle_time),
        cmocka_unit_test(a_shorter_idle_time_holds_for_old_entries),
        cmocka_unit_test(one_port_cannot_push_out_the_others),
        cmocka_unit_test(static_entries_stay),
        cmocka_unit_test(a_gratuitous_arp_holds_its_place_against_its_reflection),
        cmocka_unit_test(a_flush_of_many_is_seen_and_told_at_once_and_they_are_taken_out_in_steps),
        cmocka_unit_test(a_lower_limit_holds_after_steps_and_does_not_make_who_learns_wait),
        cmocka_unit_test(another_idle_time_holds_after_steps),
        cmocka_unit_test(a_walk_in_steps_meets_each_address_that_stays_once_also_if_it_moves),
        cmocka_unit_test(the_table_agrees_with_an_array_over_random_operations),
    };

    return cmocka_run_group_tests(tests, set_up, rcu_group_teardown);
}
