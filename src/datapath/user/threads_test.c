/* Workers in threads, with everything changing under them: for the sanitizers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/random.h"
#include "datapath/user/capture.h"
#include "datapath/user/user.h"
#include "flow/compose.h"
#include "netdev/dummy.h"
#include "sys/loop.h"
#include "sys/work.h"
#include "packet/headers.h"
#include "packet/packet.h"
#include "sys/rcu.h"

enum { N_PORTS = 4 };

static _Atomic unsigned int n_sent, n_upcalls, n_freed, n_owners;

static void
note_sent(void *aux UNUSED, struct netdev *n UNUSED, const void *frame UNUSED, size_t len UNUSED)
{
    n_sent++;
}

static bool
flood(void *aux UNUSED, struct dp_upcall *u)
{
    static __thread struct flow mask;

    for (uint32_t i = 1; i <= N_PORTS; i++) {
        if (cpu_to_be32(i) != u->key->in_port) {
            odp_put_output(u->actions, ODP_PORT(i));
        }
    }
    mask = (struct flow) { .nw_src = BE32_MAX, .tp_src = u->key->nw_src & BE32(1) ? BE16_MAX : 0 };
    u->mask = &mask;
    u->install = true;
    u->owner = &n_owners;
    n_owners++;
    n_upcalls++;
    return true;
}

static void
owner_free(void *aux UNUSED, void *owner UNUSED, const struct dp_flow_stats *final UNUSED)
{
    n_freed++;
}

static void
send_some(struct random *r, struct netdev **ports)
{
    struct flow f = { .eth_type = BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_UDP };
    struct bytes frame = BYTES_INIT;

    f.nw_src = cpu_to_be32(random_below(r, 50));
    f.tp_src = cpu_to_be16(random_below(r, 50));
    flow_compose_default(&f, &frame);
    for (int i = 0; i < 20; i++) {
        struct netdev *n = ports[1 + random_below(r, N_PORTS)];

        (void) !netdev_dummy_receive(n, 0, frame.data, frame.len); /* Full now and then. */
    }
    bytes_uninit(&frame);
}

static bool
delete_some(void *dp_, struct dp_flow *f)
{
    struct datapath *dp = dp_;
    struct dp_flow_stats stats;
    struct flow key, mask;

    dp->class->flow_get(f, &key, &mask, &stats);
    if (key.nw_src & BE32(2)) {
        (void) !dp->class->flow_del(dp, f, NULL);
    }
    return true;
}

static struct loop *loop;
static unsigned int n_captures, n_captures_ended;

static void
capture_ended(void *aux UNUSED, const struct capture_figures *f)
{
    n_captures_ended += f != NULL;
}

/* Captures of all ports begin, and end by the command, by a limit, and with their ports. */
static void
begin_or_end_captures(struct random *r, int round)
{
    static const char path[] = "/tmp/weft-threads-test.%d.%u.pcapng";
    struct capture_options o = CAPTURE_OPTIONS_DEFAULT;
    char port[] = { 'p', '1' + random_below(r, N_PORTS), '\0' };

    if (round % 20 == 0) {
        char *file = xasprintf(path, (int) getpid(), n_captures);
        unsigned int id;
        struct error *e;

        o.max_packets = random_below(r, 2) ? 30 : 0;
        e = capture_start(port, file, &o, &id);
        n_captures += !e;
        error_free(e); /* The port may not be there, and there may be too many. */
        unlink(file);
        free(file);
    }
    if (round % 90 == 0) {
        (void) capture_stop(0, port, capture_ended, NULL);
    }
    loop_run_once(loop, false);
}

static void
everything_changes_while_packets_pass(void **state UNUSED)
{
    struct netdev *ports[N_PORTS + 1];
    struct datapath *dp;
    struct random r;

    random_seed(&r, 11);
    assert_int_equal(datapath_open("netdev", "threads", true, &dp), 0);
    dp->class->set_client(dp, &(struct dp_client) { .upcall = flood, .owner_free = owner_free });
    for (uint32_t i = 1; i <= N_PORTS; i++) {
        odp_port number = ODP_PORT(i);
        char name[] = { 'p', '0' + i, '\0' };

        assert_int_equal(netdev_open(name, "dummy", &ports[i]), 0);
        netdev_dummy_set_tx_hook(ports[i], note_sent, NULL);
        assert_int_equal(dp->class->port_add(dp, ports[i], &number), 0);
    }
    /* Few captures begin while the threads that end others have no processor. */
    for (int round = 0; round < 1500 || (n_captures <= 20 && round < 50000); round++) {
        struct dp_stats stats;
        odp_port number = ODP_PORT(1 + round / 100 % N_PORTS);

        send_some(&r, ports);
        begin_or_end_captures(&r, round);
        if (round % 10 == 0) {
            dp->class->flow_for_each(dp, delete_some, dp);
        }
        if (round % 100 == 0) {
            assert_int_equal(dp->class->port_del(dp, number), 0);
            assert_int_equal(dp->class->port_add(dp, ports[number.n], &number), 0);
        }
        if (round % 200 == 0) {
            dp->class->flow_flush(dp);
        }
        dp->class->get_stats(dp, &stats);
        rcu_quiescent();
    }
    rcu_offline();
    usleep(50000);
    rcu_online();
    (void) capture_stop(0, "", capture_ended, NULL);
    datapath_close(dp);
    dp_user_end_captures();
    work_wait_all();
    for (int i = 1; i <= N_PORTS; i++) {
        netdev_close(ports[i]);
    }
    assert_true(n_captures > 20);
    assert_true(n_captures_ended > 5);
    assert_true(n_sent > 1000);
    assert_true(n_upcalls > 50);
    assert_int_equal(n_freed, n_owners);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_changes_while_packets_pass),
    };
    int failed;

    rcu_thread_register();
    loop = loop_create();
    netdev_init(loop);
    netdev_enable_dummy("");
    dp_user_register();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    netdev_uninit();
    loop_run_once(loop, false);
    loop_destroy(loop);
    rcu_thread_unregister();
    return failed;
}
