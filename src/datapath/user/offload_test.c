/* Megaflows given to a device that is made up: what it has, when, and which marks lead where.  The clock moves only
 * when a test says so. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "base/random.h"
#include "datapath/user/offload.h"
#include "datapath/user/op.h"
#include "datapath/user/worker.h"
#include "netdev/netdev.h"
#include "netdev/rules.h"
#include "sys/clock.h"

/* --- A device --- */

enum { MAX_RULES = 4096 };

struct netdev_rule {
    uint32_t mark; /* NETDEV_RULE_DROP: drops. */
    be16 port;     /* What it is for: tp_dst. */
    _Atomic uint64_t n_packets;
};

struct device {
    struct netdev netdev;
    marks_ptr marks;
    pthread_mutex_t mutex;
    struct netdev_rule *rules[MAX_RULES];
    _Atomic unsigned int n_rules, n_puts, n_dels, n_counts;
    _Atomic int refusal, drop_refusal; /* Error values. */
    _Atomic bool is_held;              /* Puts wait. */
    _Atomic bool is_in_put, is_closed;
    _Atomic unsigned int slow_us;
};

static struct device *
device_of(const struct netdev *n)
{
    return CONTAINER_OF(n, struct device, netdev);
}

static bool
is_possible(const struct netdev *n UNUSED)
{
    return true;
}

static int
put(struct netdev *n, const struct flow *key, const struct flow *mask UNUSED, uint32_t mark, struct netdev_rule **rule)
{
    struct device *d = device_of(n);
    int error = mark ? d->refusal : d->drop_refusal;

    atomic_store(&d->is_in_put, true);
    usleep(d->slow_us);
    while (d->is_held) {
        usleep(100);
    }
    pthread_mutex_lock(&d->mutex);
    assert_false(d->is_closed);
    d->n_puts++;
    for (unsigned int i = 0; i < d->n_rules && mark && !error; i++) {
        assert_int_not_equal(d->rules[i]->mark, mark);
    }
    if (!error) {
        *rule = xzalloc(sizeof **rule);
        (*rule)->mark = mark;
        (*rule)->port = key->tp_dst;
        assert_true(d->n_rules < MAX_RULES);
        d->rules[d->n_rules++] = *rule;
    }
    pthread_mutex_unlock(&d->mutex);
    atomic_store(&d->is_in_put, false);
    return error;
}

static void
del(struct netdev *n, struct netdev_rule *rule)
{
    struct device *d = device_of(n);
    unsigned int i = 0;

    pthread_mutex_lock(&d->mutex);
    assert_false(d->is_closed);
    while (d->rules[i] != rule) {
        assert_true(++i < d->n_rules);
    }
    d->rules[i] = d->rules[--d->n_rules];
    d->n_dels++;
    pthread_mutex_unlock(&d->mutex);
    free(rule);
}

static void
flush(struct netdev *n)
{
    struct device *d = device_of(n);

    assert_false(d->is_in_put);
    while (d->n_rules) {
        free(d->rules[--d->n_rules]);
    }
}

static int
count(struct netdev *n, struct netdev_rule *rule, uint64_t *n_packets, uint64_t *n_bytes)
{
    device_of(n)->n_counts++;
    *n_packets = rule->n_packets;
    *n_bytes = rule->n_packets * 100;
    return 0;
}

static const struct netdev_rules_class rules = { "made up", is_possible, put, del, flush, count };
static const struct netdev_class with_rules = { .type = "test", .rules = &rules }, without_rules = { .type = "test" };

/* --- A table of megaflows, and the device of port 1 --- */

static struct megaflow_table table;
static struct offload *offload;
static struct device device;
static struct offload_port *port;
static _Atomic uint32_t next_output;

static struct offload_port *
open_port(struct device *d, uint32_t number)
{
    atomic_store(&d->is_closed, false);
    return offload_port_open(offload, &d->netdev, cpu_to_be32(number), &d->marks);
}

static void
close_port(struct device *d, struct offload_port *p)
{
    offload_port_close(p);
    assert_null(rcu_get(&d->marks));
    assert_int_equal(d->n_rules, 0);
    atomic_store(&d->is_closed, true);
}

static int
set_up(void **state UNUSED)
{
    memset(&device, 0, sizeof device);
    device.netdev = (struct netdev) { .class = &with_rules, .name = (char *) "d" };
    pthread_mutex_init(&device.mutex, NULL);
    megaflow_table_init(&table);
    offload = offload_create(&table, "2");
    port = open_port(&device, 1);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    if (port) {
        close_port(&device, port);
    }
    megaflow_table_uninit(&table);
    offload_destroy(offload);
    pthread_mutex_destroy(&device.mutex);
    return 0;
}

static struct program *
new_program(bool drops)
{
    struct bytes actions = BYTES_INIT;
    struct error *e;
    struct program *p;

    if (!drops) {
        odp_put_output(&actions, ODP_PORT(1 + next_output++ % 5));
    }
    p = program_compile(actions.data, actions.len, &e);
    bytes_uninit(&actions);
    assert_non_null(p);
    return p;
}

/* Puts or changes the megaflow of port 'in', UDP port 'number'. */
static struct dp_flow *
put_flow(uint32_t in, uint16_t number, bool drops)
{
    struct flow key = { .in_port = cpu_to_be32(in), .eth_type = BE16(0x0800), .nw_proto = 17 };
    struct flow mask = { .eth_type = BE16_MAX, .nw_proto = 0xff, .nw_frag = 0xff, .tp_dst = BE16_MAX };
    struct dp_flow_stats before;
    struct dp_flow *f;

    key.tp_dst = cpu_to_be16(number);
    assert_true(megaflow_put(&table, &key, &mask, new_program(drops), NULL, true, true, &f, &before) >= 0);
    return f;
}

#define WAIT(CONDITION) \
    do { \
        for (int left = 20000; !(CONDITION); left--) { \
            assert_true(left > 0); \
            rcu_offline(); \
            usleep(1000); \
            rcu_online(); \
        } \
    } while (0)

static uint32_t
mark_of(const struct device *d, uint16_t number)
{
    struct device *device_ = (struct device *) d;
    uint32_t mark = 0;

    pthread_mutex_lock(&device_->mutex);
    for (unsigned int i = 0; i < d->n_rules; i++) {
        mark = d->rules[i]->port == cpu_to_be16(number) ? d->rules[i]->mark : mark;
    }
    pthread_mutex_unlock(&device_->mutex);
    return mark;
}

static struct dp_flow *
find(uint32_t mark)
{
    const struct marks *m = rcu_get(&device.marks);

    return m ? marks_find_rcu(m, mark, megaflow_epoch(&table)) : NULL;
}

static bool
is_idle(void)
{
    struct dp_offload_figures f;
    uint64_t n = 0;

    for (unsigned int i = 0; i < offload_n_threads(offload); i++) {
        offload_get_figures(offload, i, &f);
        n += f.n_queued;
    }
    return !n;
}

/* --- Marks --- */

static void
a_mark_leads_to_its_megaflow_while_that_is_live(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, false), *other;
    uint32_t mark;

    WAIT(find(mark_of(&device, 7)) == f);
    mark = mark_of(&device, 7);
    assert_int_equal(offload_flow_state_rcu(f), DP_PARTLY_OFFLOADED);
    other = put_flow(1, 8, false);
    WAIT(find(mark_of(&device, 8)) == other);
    assert_int_not_equal(mark_of(&device, 8), mark);
    megaflow_set_stale(f);
    assert_null(find(mark));
    megaflow_set_live(f, NULL);
    assert_ptr_equal(find(mark), f);
    megaflow_begin_epoch(&table);
    assert_null(find(mark));
    megaflow_set_live(f, NULL);
    assert_ptr_equal(find(mark), f);
    assert_int_equal(megaflow_del(&table, f, NULL), 0);
    assert_null(find(mark));
    WAIT(!mark_of(&device, 7));
}

static void
marks_that_nobody_has_lead_nowhere(void **state UNUSED)
{
    put_flow(1, 7, false);
    WAIT(rcu_get(&device.marks) != NULL);
    assert_null(find(0));
    for (uint32_t mark = 2; mark; mark = mark * 2 + 1) {
        assert_null(find(mark));
        if (mark == UINT32_MAX) {
            break;
        }
    }
}

static void
a_mark_is_kept_back_while_packets_may_bear_it(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, false);
    uint32_t mark;

    WAIT(find(mark_of(&device, 7)) == f);
    mark = mark_of(&device, 7);
    assert_int_equal(megaflow_del(&table, f, NULL), 0);
    WAIT(!mark_of(&device, 7) && is_idle());
    for (uint16_t number = 100; number < 200; number++) {
        put_flow(1, number, false);
    }
    WAIT(device.n_rules == 100);
    for (uint16_t number = 100; number < 200; number++) {
        assert_int_not_equal(mark_of(&device, number), mark);
    }
    clock_warp(OFFLOAD_QUARANTINE_MS);
    put_flow(1, 7, false);
    WAIT(mark_of(&device, 7) == mark);
}

static void
a_mark_that_a_device_refused_is_free_at_once(void **state UNUSED)
{
    device.refusal = -ENOTSUP;
    put_flow(1, 7, false);
    WAIT(device.n_puts == 1 && is_idle());
    device.refusal = 0;
    put_flow(1, 8, false);
    WAIT(mark_of(&device, 8) == 1);
}

/* --- While the device is asked --- */

static void
a_megaflow_may_go_while_the_device_is_asked(void **state UNUSED)
{
    struct dp_flow *f;

    device.is_held = true;
    f = put_flow(1, 7, false);
    WAIT(device.is_in_put);
    assert_int_equal(megaflow_del(&table, f, NULL), 0);
    device.is_held = false;
    WAIT(device.n_puts == 1 && !device.n_rules && is_idle());
    for (uint32_t mark = 0; mark < 10; mark++) {
        assert_null(find(mark));
    }
}

static void *
let_go(void *d_)
{
    struct device *d = d_;

    usleep(50000);
    d->is_held = false;
    return NULL;
}

static void
a_port_may_close_while_its_device_is_asked(void **state UNUSED)
{
    struct dp_flow *f;
    pthread_t helper;

    device.is_held = true;
    f = put_flow(1, 7, false);
    WAIT(device.is_in_put);
    assert_int_equal(pthread_create(&helper, NULL, let_go, &device), 0);
    close_port(&device, port);
    port = NULL;
    pthread_join(helper, NULL);
    assert_int_equal(offload_flow_state_rcu(f), DP_NOT_OFFLOADED);
    put_flow(1, 8, false);
    assert_int_equal(megaflow_del(&table, f, NULL), 0);
    WAIT(is_idle());
    assert_int_equal(device.n_puts, 1);
}

static void
a_port_that_opens_again_is_offered_what_there_is(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, false);

    put_flow(2, 7, false); /* Not for this port. */
    WAIT(find(mark_of(&device, 7)) == f);
    close_port(&device, port);
    assert_int_equal(offload_flow_state_rcu(f), DP_NOT_OFFLOADED);
    port = open_port(&device, 1);
    WAIT(find(mark_of(&device, 7)) == f);
    assert_int_equal(device.n_rules, 1);
}

static void
a_device_without_rules_is_asked_nothing(void **state UNUSED)
{
    struct netdev plain = { .class = &without_rules, .name = (char *) "p" };

    assert_null(offload_port_open(offload, &plain, BE32(3), &device.marks));
    offload_port_close(NULL);
    device.refusal = -ENOSYS;
    put_flow(1, 7, false);
    WAIT(device.n_puts == 1 && is_idle());
    put_flow(1, 8, false);
    WAIT(is_idle());
    assert_int_equal(device.n_puts, 1);
}

/* --- A port that is left out for a while --- */

static uint64_t
n_inserted(void)
{
    struct dp_offload_figures f;
    uint64_t n = 0;

    for (unsigned int i = 0; i < offload_n_threads(offload); i++) {
        offload_get_figures(offload, i, &f);
        n += f.n_rules;
    }
    return n;
}

static void
a_port_that_pauses_has_no_rules(void **state UNUSED)
{
    struct dp_flow *marked = put_flow(1, 7, false), *dropped = put_flow(1, 8, true);
    uint32_t mark;

    WAIT(find(mark_of(&device, 7)) == marked && offload_flow_state_rcu(dropped) == DP_OFFLOADED);
    mark = mark_of(&device, 7);
    offload_port_set_paused(port, true);
    WAIT(!device.n_rules && !n_inserted());
    assert_null(find(mark));
    assert_int_equal(offload_flow_state_rcu(marked), DP_NOT_OFFLOADED);
    assert_int_equal(offload_flow_state_rcu(dropped), DP_NOT_OFFLOADED);
    put_flow(1, 9, false);
    put_flow(1, 7, true);
    WAIT(is_idle());
    assert_int_equal(device.n_puts, 2);
    offload_port_set_paused(port, false);
    WAIT(offload_flow_state_rcu(marked) == DP_OFFLOADED && offload_flow_state_rcu(dropped) == DP_OFFLOADED
         && mark_of(&device, 9) && n_inserted() == 3);
}

static void
the_marks_of_a_port_that_paused_are_kept_back(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, false);
    uint32_t mark;

    WAIT(find(mark_of(&device, 7)) == f);
    mark = mark_of(&device, 7);
    assert_int_equal(megaflow_del(&table, f, NULL), 0);
    put_flow(1, 8, false);
    WAIT(!mark_of(&device, 7) && mark_of(&device, 8));
    offload_port_set_paused(port, true);
    WAIT(!device.n_rules);
    offload_port_set_paused(port, false);
    for (uint16_t number = 100; number < 200; number++) {
        put_flow(1, number, false);
    }
    WAIT(device.n_rules == 101);
    assert_null(find(mark)); /* Packets may wait in the device that bear it. */
}

static void
a_port_may_pause_while_its_device_is_asked(void **state UNUSED)
{
    struct dp_flow *f;

    device.is_held = true;
    f = put_flow(1, 7, false);
    WAIT(device.is_in_put);
    offload_port_set_paused(port, true);
    device.is_held = false;
    WAIT(device.n_dels == 1 && !n_inserted() && is_idle());
    assert_int_equal(device.n_puts, 1);
    assert_int_equal(offload_flow_state_rcu(f), DP_NOT_OFFLOADED);
    offload_port_set_paused(port, false);
    WAIT(find(mark_of(&device, 7)) == f);
}

/* --- Drops --- */

static bool
has_drop(const struct dp_flow *f)
{
    return offload_flow_state_rcu(f) == DP_OFFLOADED;
}

static void
what_a_device_drops_is_the_megaflow_s(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, true);
    struct dp_flow_stats stats;

    WAIT(has_drop(f));
    device.rules[0]->n_packets = 5;
    clock_warp(OFFLOAD_COUNT_MS);
    WAIT((megaflow_get_stats(f, &stats), stats.n_packets == 5));
    assert_int_equal(stats.n_bytes, 500);
    assert_true(stats.used > 0);
    device.rules[0]->n_packets = 7;
    clock_warp(OFFLOAD_COUNT_MS);
    WAIT((megaflow_get_stats(f, &stats), stats.n_packets == 7));
}

/* Gives all threads something else to do, and waits until it is done. */
static void
busy_threads(uint16_t first)
{
    for (uint16_t number = first; number < first + 50; number++) {
        put_flow(1, number, false);
    }
    WAIT(mark_of(&device, first + 49) && is_idle());
}

static void
a_device_is_asked_for_its_counters_twice_a_second(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, true);
    struct dp_flow_stats stats;

    WAIT(device.n_counts == 1);
    device.rules[0]->n_packets = 5;
    busy_threads(100);
    clock_warp(OFFLOAD_COUNT_MS - 1);
    busy_threads(200);
    assert_int_equal(device.n_counts, 1);
    clock_warp(1);
    WAIT(device.n_counts == 2 && (megaflow_get_stats(f, &stats), stats.n_packets == 5));
    assert_true(stats.used == clock_now_ms());
    offload_port_set_paused(port, true);
    WAIT(!device.n_rules);
    clock_warp(OFFLOAD_COUNT_MS);
    offload_port_set_paused(port, false);
    WAIT(device.n_counts == 3);
}

static void
a_megaflow_that_drops_no_more_is_marked(void **state UNUSED)
{
    struct dp_flow *f = put_flow(1, 7, true);

    WAIT(has_drop(f));
    put_flow(1, 7, false);
    WAIT(find(mark_of(&device, 7)) == f);
    assert_int_equal(device.n_rules, 1);
    assert_int_equal(offload_flow_state_rcu(f), DP_PARTLY_OFFLOADED);
    put_flow(1, 7, true);
    WAIT(has_drop(f));
    assert_int_equal(device.n_rules, 1);
}

static void
a_device_that_does_not_drop_marks(void **state UNUSED)
{
    struct dp_flow *f;

    device.drop_refusal = -ENOTSUP;
    f = put_flow(1, 7, true);
    WAIT(find(mark_of(&device, 7)) == f);
    assert_int_equal(device.n_puts, 2);
}

/* --- Everything at once --- */

enum { N_CHANGERS = 3, N_NUMBERS = 60, N_CHANGES = 3000 };

static _Atomic bool is_over;

static void *
change(void *seed)
{
    struct random r;

    rcu_thread_register();
    random_seed(&r, (uintptr_t) seed);
    for (int i = 0; i < N_CHANGES; i++) {
        struct dp_flow *f = put_flow(1, random_below(&r, N_NUMBERS), random_below(&r, 3) == 0);

        if (random_below(&r, 2)) {
            (void) megaflow_del(&table, f, NULL); /* Another may have. */
        }
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

/* As a worker: what a mark leads to is a megaflow of that port. */
static void *
follow_marks(void *n_found_)
{
    _Atomic unsigned int *n_found = n_found_;

    rcu_thread_register();
    while (!is_over) {
        for (uint32_t mark = 0; mark < 300; mark++) {
            const struct dp_flow *f = find(mark);

            if (f) {
                ++*n_found;
                assert_int_equal(((const struct flow *) f->key)->in_port, BE32(1));
            }
        }
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static bool
is_offered(void *n_, struct dp_flow *f)
{
    unsigned int *n = n_;

    *n += offload_flow_state_rcu(f) != DP_NOT_OFFLOADED;
    return true;
}

static unsigned int
n_offered(void)
{
    unsigned int n = 0;

    megaflow_for_each_rcu(&table, is_offered, &n);
    return n;
}

static void
everything_changes_at_once(void **state UNUSED)
{
    pthread_t changers[N_CHANGERS], follower;
    _Atomic unsigned int n_found = 0;

    is_over = false;
    assert_int_equal(pthread_create(&follower, NULL, follow_marks, &n_found), 0);
    for (uintptr_t i = 0; i < N_CHANGERS; i++) {
        assert_int_equal(pthread_create(&changers[i], NULL, change, (void *) (i + 1)), 0);
    }
    for (int i = 0; i < 40; i++) {
        device.refusal = i % 4 == 3 ? -ENOTSUP : 0;
        device.drop_refusal = i % 3 == 1 ? -ENOTSUP : 0;
        device.slow_us = i % 5 == 0 ? 200 : 0;
        rcu_offline();
        usleep(3000);
        rcu_online();
        offload_port_set_paused(port, i % 2);
        rcu_offline();
        usleep(1000);
        rcu_online();
        offload_port_set_paused(port, i % 4 > 1);
        close_port(&device, port);
        port = open_port(&device, 1);
    }
    rcu_offline();
    for (int i = 0; i < N_CHANGERS; i++) {
        pthread_join(changers[i], NULL);
    }
    rcu_online();
    device.refusal = device.drop_refusal = 0;
    close_port(&device, port);
    port = open_port(&device, 1);
    WAIT(n_offered() == table.n_flows && is_idle());
    assert_int_equal(device.n_rules, table.n_flows);
    WAIT(n_found > 0);
    is_over = true;
    rcu_offline();
    pthread_join(follower, NULL);
    rcu_online();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
        TEST(a_mark_leads_to_its_megaflow_while_that_is_live),
        TEST(marks_that_nobody_has_lead_nowhere),
        TEST(a_mark_is_kept_back_while_packets_may_bear_it),
        TEST(a_mark_that_a_device_refused_is_free_at_once),
        TEST(a_megaflow_may_go_while_the_device_is_asked),
        TEST(a_port_may_close_while_its_device_is_asked),
        TEST(a_port_that_opens_again_is_offered_what_there_is),
        TEST(a_device_without_rules_is_asked_nothing),
        TEST(a_port_that_pauses_has_no_rules),
        TEST(the_marks_of_a_port_that_paused_are_kept_back),
        TEST(a_port_may_pause_while_its_device_is_asked),
        TEST(what_a_device_drops_is_the_megaflow_s),
        TEST(a_device_is_asked_for_its_counters_twice_a_second),
        TEST(a_megaflow_that_drops_no_more_is_marked),
        TEST(a_device_that_does_not_drop_marks),
        TEST(everything_changes_at_once),
#undef TEST
    };
    int failed;

    clock_stop();
    rcu_thread_register();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_barrier_all();
    rcu_thread_unregister();
    return failed;
}
