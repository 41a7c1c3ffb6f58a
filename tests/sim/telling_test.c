/* What connections are told of changes, in slices (ofproto/telling.h): the same messages in the same order whatever the
 * size of the slices; the answer to a barrier behind them; and what a change has the switch do after it (learned.h).
 *
 * A peer on the bridge's socket, which is a flow monitor and wants to know of flows that are removed.  A slice of the
 * smallest size does 32 pieces of work. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ofproto/change.h"
#include "ofproto/conns_private.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/learned.h"
#include "ofproto/telling.h"
#include "openflow/flow_syntax.h"
#include "openflow/msg.h"
#include "sim.h"

enum { N_FLOWS = 500, SLICE = 32 };
enum { FLOW_REMOVED = 11, MULTIPART_REPLY = 19, BARRIER = 20, BARRIER_REPLY = 21 }; /* Of OpenFlow 1.4. */

static struct sim sim;
static int peer;
static struct bytes received; /* Of the peer, and not taken yet. */

static void
send_message(uint8_t type, const void *body, size_t len)
{
    uint8_t head[8] = { 5, type, 0, 8 + len, 0, 0, 0, 9 };

    assert_int_equal(write(peer, head, sizeof head), sizeof head);
    assert_int_equal(write(peer, body, len), len);
}

/* What there is to be read. */
static void
receive(void)
{
    ssize_t n;

    do {
        bytes_reserve(&received, 65536);
        n = read(peer, received.data + received.len, 65536);
        received.len += n > 0 ? n : 0;
    } while (n > 0);
}

/* Runs the loop until a message of the type has come; all that came is in 'received'. */
static void
run_until(uint8_t type)
{
    for (int i = 0; i < 10000; i++) {
        loop_run_once(sim.loop, false);
        receive();
        for (size_t at = 0; at + 8 <= received.len; at += msg_stated_length(received.data + at)) {
            if (received.data[at + 1] == type) {
                return;
            }
        }
    }
    fail_msg("no message of type %d", type);
}

static void
barrier(void)
{
    send_message(BARRIER, "", 0);
    run_until(BARRIER_REPLY);
}

static void
connect_peer(void)
{
    static const uint8_t hello[] = { 0, 1, 0, 8, 0, 0, 0, 0x20 };
    static const uint8_t listen[] = { 0, 0, 0, 128 };
    /* OFPMP_FLOW_MONITOR: of all tables, additions, removals and modifications, all in full. */
    static const uint8_t watch[] = { 0, 16, 0, 0, 0, 0, 0, 0, /* */ 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255,
                                     0, 0x5e, 255, 0, /* */ 0, 1, 0, 4, 0, 0, 0, 0 };
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    snprintf(a.sun_path, sizeof a.sun_path, "%s/br0.mgmt", sim.dir);
    peer = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(peer, (struct sockaddr *) &a, sizeof a), 0);
    assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
    send_message(0, hello, sizeof hello);
    run_until(0);
    send_message(9, listen, sizeof listen);
    send_message(18, watch, sizeof watch);
    barrier();
    bytes_clear(&received);
}

static int
set_up(void **state UNUSED)
{
    sim_start(&sim);
    ofproto_set_protocols(sim.bridge, 1 << 5);
    connect_peer();
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    close(peer);
    bytes_uninit(&received);
    sim_stop(&sim);
    return 0;
}

static void
flow_mod(enum flow_mod_command command, const char *text)
{
    struct act_text names = { NULL, NULL };
    unsigned int protocols;
    struct flow_mod fm;

    assert_null(flow_mod_parse(&fm, text, command, &names, &protocols));
    assert_int_equal(ofproto_flow_mod(sim.bridge, &fm, NULL), OFPERR_NONE);
    flow_mod_uninit(&fm);
}

static void
flow_mods(enum flow_mod_command command, const char *format, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        char text[160];

        snprintf(text, sizeof text, format, i / 256, i % 256, i);
        flow_mod(command, text);
    }
}

/* The entries of updates and the messages about removed flows, in the order in which they came, apart from how they
 * stand in messages; takes them. */
static struct str
take_events(void)
{
    struct str s = STR_INIT;

    for (size_t at = 0; at < received.len; at += msg_stated_length(received.data + at)) {
        const uint8_t *m = received.data + at;
        size_t len = msg_stated_length(m);

        if (m[1] == FLOW_REMOVED) {
            str_putf(&s, "removed %u\n", m[len - 5] << 8 | m[len - 4] /* ...of the address at the match's end. */);
        }
        for (size_t e = 16; m[1] == MULTIPART_REPLY && e < len; e += m[e] << 8 | m[e + 1]) {
            str_putf(&s, "update %u of %u\n", m[e + 3], m[e + 22] << 8 | m[e + 23]);
        }
    }
    bytes_clear(&received);
    return s;
}

/* Adds, replaces, modifies and removes flows, whose cookies are their numbers. */
static void
change_much(void)
{
    flow_mods(FM_ADD, "send_flow_rem,ip,nw_dst=10.0.%u.%u,cookie=%u,actions=output:1", N_FLOWS);
    flow_mod(FM_MODIFY, "actions=output:2");
    flow_mods(FM_ADD, "send_flow_rem,ip,nw_dst=10.0.%u.%u,cookie=%u,actions=output:3", N_FLOWS / 2);
    flow_mod(FM_DELETE, "");
}

/* Whether it was told in as many steps as there were slices' worth of it. */
static size_t
tell_in_slices(void)
{
    size_t n_steps = 0;
    bool done;

    do {
        size_t before = atomic_load(&sim.bridge->n_untold);

        done = telling_step(sim.bridge, &(struct loop_slice) { 0 });
        assert_true(before - atomic_load(&sim.bridge->n_untold) <= SLICE);
        n_steps++;
    } while (!done);
    return n_steps;
}

static void
slices_tell_the_same_in_the_same_order(void **state UNUSED)
{
    struct str at_once, in_slices;
    size_t n;

    change_much();
    n = atomic_load(&sim.bridge->n_untold);
    assert_int_equal(n, N_FLOWS + N_FLOWS + N_FLOWS / 2 + 2 * N_FLOWS); /* Replaced ones are told as they come. */
    assert_true(telling_step(sim.bridge, NULL));
    barrier();
    at_once = take_events();
    change_much();
    assert_true(tell_in_slices() >= n / SLICE);
    barrier();
    in_slices = take_events();
    assert_string_equal(str_text(&in_slices), str_text(&at_once));
    str_uninit(&at_once);
    str_uninit(&in_slices);
}

static size_t
n_messages_before_barrier(void)
{
    size_t n = 0;

    for (size_t at = 0; at < received.len; at += msg_stated_length(received.data + at)) {
        if (received.data[at + 1] == BARRIER_REPLY) {
            assert_int_equal(at + 8, received.len); /* Nothing comes behind it. */
            return n;
        }
        n += received.data[at + 1] == FLOW_REMOVED;
    }
    fail_msg("no answer");
    return 0;
}

static void
a_barrier_waits_for_what_was_before_it_and_not_for_what_comes_then(void **state UNUSED)
{
    flow_mods(FM_ADD, "send_flow_rem,ip,nw_dst=10.0.%u.%u,cookie=%u,actions=output:1", N_FLOWS);
    flow_mod(FM_DELETE, "");
    barrier();
    assert_int_equal(n_messages_before_barrier(), N_FLOWS);
    bytes_clear(&received);

    /* What comes while it waits is another round. */
    flow_mods(FM_ADD, "send_flow_rem,ip,nw_dst=10.0.%u.%u,cookie=%u,actions=output:1", N_FLOWS);
    assert_false(telling_step(sim.bridge, &(struct loop_slice) { 0 }));
    flow_mod(FM_DELETE, "");
    assert_true(sim.bridge->telling.n_begun == sim.bridge->telling.n_ended + 1);
    assert_false(list_is_empty(&sim.bridge->removed));
    barrier();
    assert_int_equal(n_messages_before_barrier(), N_FLOWS);
    bytes_clear(&received);
}

static void
a_connection_that_ends_takes_what_it_was_to_be_told_with_it(void **state UNUSED)
{
    flow_mods(FM_ADD, "send_flow_rem,ip,nw_dst=10.0.%u.%u,cookie=%u,actions=output:1", N_FLOWS);
    flow_mod(FM_DELETE, "");
    assert_false(telling_step(sim.bridge, &(struct loop_slice) { 0 }));
    close(peer);
    loop_run_once(sim.loop, false);
    while (!telling_step(sim.bridge, &(struct loop_slice) { 0 })) {
        continue;
    }
    assert_int_equal(atomic_load(&sim.bridge->n_untold), 0);
    connect_peer();
}

static void
stage_deletion(struct tables_change *c, struct flow_mod_run *run, const char *text, struct flow_mod *fm)
{
    struct act_text names = { NULL, NULL };
    unsigned int protocols;

    assert_null(flow_mod_parse(fm, text, FM_DELETE, &names, &protocols));
    flow_mod_run_begin(run, c, fm);
}

/* Else the flows that it deletes are neither among those that are there nor known to the peer when it is told. */
static void
a_pause_does_not_end_while_a_change_is_seen_that_is_not_noted_yet(void **state UNUSED)
{
    struct ofconn *c = CONTAINER_OF(sim.bridge->conns->ofconns.next, struct ofconn, node);
    struct tables_change change;
    struct flow_mod_run run;
    struct flow_mod fm;

    flow_mods(FM_ADD, "ip,nw_dst=10.0.%u.%u,cookie=%u,actions=output:1", N_FLOWS);
    barrier();
    change_begin_long(&change, sim.bridge, NULL);
    stage_deletion(&change, &run, "", &fm);
    assert_true(flow_mod_run_step(&run, NULL));
    flow_mod_run_end(&run);
    flow_mod_uninit(&fm);
    c->monitors_paused = true;
    c->paused_at = 0;
    change_publish(&change);
    flow_monitors_resume(c);
    assert_true(c->monitors_paused && !c->job);
    change_commit_step(&change, NULL);
    change_end(&change);
    flow_monitors_resume(c);
    assert_true(!c->monitors_paused && c->job);
    assert_true(c->resumed_until == sim.bridge->n_noted);
    assert_true(telling_step(sim.bridge, NULL));
    for (int i = 0; i < 100 && c->job; i++) {
        ofconn_drained(c);
    }
    assert_null(c->job);
    barrier();
    bytes_clear(&received);
}

static unsigned int
n_flows(uint8_t table_id)
{
    return sim.bridge->tables[table_id].n_flows;
}

#define LEARN "learn(table=%u,cookie=%u,delete_learned,priority=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])"

/* Flows of table 1 with cookie 7 that belong to one of table 0; one of them owns those of table 2. */
static void
add_learned(void)
{
    char text[200];

    flow_mods(FM_ADD, "table=1,ip,nw_dst=10.0.%u.%u,cookie=7,actions=drop", 4 * N_FLOWS);
    snprintf(text, sizeof text, "table=1,cookie=7,actions=" LEARN, 2, 8);
    flow_mod(FM_ADD, text);
    flow_mods(FM_ADD, "table=2,ip,nw_dst=10.0.%u.%u,cookie=8,actions=drop", 4 * N_FLOWS);
    flow_mod(FM_ADD, "table=2,tcp,cookie=9,actions=drop"); /* Nobody's. */
    snprintf(text, sizeof text, "table=0,priority=9,actions=" LEARN, 1, 7);
    flow_mod(FM_ADD, text);
}

/* The whole deletion in the smallest slices, of which each drops no more flows than it may. */
static void
flows_that_are_left_to_nobody_go_in_slices(void **state UNUSED)
{
    struct learned_run learned = { .is_running = false };
    struct ofproto *p = sim.bridge;
    struct tables_change c;
    struct flow_mod_run run;
    struct flow_mod fm;
    int n_changes = 0;

    add_learned();
    pthread_mutex_lock(&p->tables_mutex);
    change_begin_long(&c, p, NULL);
    stage_deletion(&c, &run, "table=0", &fm);
    assert_true(flow_mod_run_step(&run, NULL));
    flow_mod_run_end(&run);
    flow_mod_uninit(&fm);
    for (;;) {
        bool done;

        change_publish(&c);
        while (!change_commit_step(&c, &(struct loop_slice) { 0 })) {
            continue;
        }
        change_end(&c);
        n_changes++;
        if (!learned_are_due(p)) {
            break;
        }
        change_begin_long(&c, p, NULL);
        do {
            size_t before = c.n_dropped;

            done = learned_stage(&learned, &c, &(struct loop_slice) { 0 });
            assert_true(c.n_dropped - before <= SLICE);
        } while (!done);
    }
    pthread_mutex_unlock(&p->tables_mutex);
    assert_int_equal(n_changes, 3);
    assert_int_equal(n_flows(0), 0);
    assert_int_equal(n_flows(1), 0);
    assert_int_equal(n_flows(2), 1);
    flow_mod(FM_DELETE, "");
}

/* As a packet or a timeout would: nobody has asked in steps. */
static void
flows_that_are_left_to_nobody_by_the_way_are_gone_before_a_message_is_answered(void **state UNUSED)
{
    add_learned();
    flow_mod(FM_DELETE_STRICT, "table=0,priority=9");
    barrier();
    assert_int_equal(n_flows(1), 0);
    assert_int_equal(n_flows(2), 1);
    flow_mod(FM_DELETE, "");
    barrier();
    bytes_clear(&received);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_tell_the_same_in_the_same_order),
        cmocka_unit_test(a_barrier_waits_for_what_was_before_it_and_not_for_what_comes_then),
        cmocka_unit_test(a_connection_that_ends_takes_what_it_was_to_be_told_with_it),
        cmocka_unit_test(a_pause_does_not_end_while_a_change_is_seen_that_is_not_noted_yet),
        cmocka_unit_test(flows_that_are_left_to_nobody_go_in_slices),
        cmocka_unit_test(flows_that_are_left_to_nobody_by_the_way_are_gone_before_a_message_is_answered),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
