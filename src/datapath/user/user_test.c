#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "datapath/user/op.h"
#include "datapath/user/user.h"
#include "flow/compose.h"
#include "flow/extract.h"
#include "netdev/dummy.h"
#include "packet/headers.h"
#include "sys/rcu.h"
#include "sys/work.h"

/* A datapath with dummy ports p1, p2, p3 under their numbers.  What they send is noted. */
struct rig {
    struct datapath *dp;
    struct netdev *ports[4];
    unsigned int n_sent[4];
    struct bytes last;             /* The last frame sent. */
    /* The client. */
    struct bytes actions;          /* The answer to every upcall. */
    struct flow mask;
    bool install, refuse;
    struct flow key;               /* Of the last upcall. */
    unsigned int n_upcalls, n_action_upcalls, n_freed;
    struct dp_flow_stats final;
    void *owner;
};

static void
note_sent(void *rig_, struct netdev *n, const void *frame, size_t len)
{
    struct rig *rig = rig_;

    rig->n_sent[n->name[1] - '0']++;
    bytes_clear(&rig->last);
    bytes_put(&rig->last, frame, len);
}

static bool
answer(void *rig_, struct dp_upcall *u)
{
    struct rig *rig = rig_;

    rig->n_upcalls++;
    rig->key = *u->key;
    rig->n_action_upcalls += u->type == DP_UPCALL_ACTION;
    if (rig->refuse) {
        return false;
    }
    if (u->type == DP_UPCALL_MISS) {
        bytes_put(u->actions, rig->actions.data, rig->actions.len);
        u->mask = &rig->mask;
        u->install = rig->install;
        u->owner = rig->owner;
    }
    return true;
}

static void
count_freed(void *rig_, void *owner UNUSED, const struct dp_flow_stats *final)
{
    struct rig *rig = rig_;

    rig->n_freed++;
    rig->final = *final;
}

static int
setup(void **state)
{
    struct rig *rig = xzalloc(sizeof *rig);

    assert_int_equal(datapath_open("dummy", "test", true, &rig->dp), 0);
    for (int i = 1; i < 4; i++) {
        odp_port number = ODP_PORT(i);
        char name[] = { 'p', '0' + i, '\0' };

        assert_int_equal(netdev_open(name, "dummy", &rig->ports[i]), 0);
        netdev_dummy_set_tx_hook(rig->ports[i], note_sent, rig);
        assert_int_equal(rig->dp->class->port_add(rig->dp, rig->ports[i], &number), 0);
    }
    rig->dp->class->set_client(rig->dp, &(struct dp_client) {
        .upcall = answer, .owner_free = count_freed, .aux = rig,
    });
    rig->install = true;
    rig->mask.eth_dst = (struct eth_addr) { { 255, 255, 255, 255, 255, 255 } };
    *state = rig;
    return 0;
}

static int
teardown(void **state)
{
    struct rig *rig = *state;

    datapath_close(rig->dp);
    work_wait_all();
    for (int i = 1; i < 4; i++) {
        netdev_close(rig->ports[i]);
    }
    bytes_uninit(&rig->actions);
    bytes_uninit(&rig->last);
    free(rig);
    return 0;
}

static struct flow
udp_flow(uint8_t dst)
{
    return (struct flow) { .eth_type = BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_UDP, .nw_ttl = 64,
                           .eth_dst = { { 0, 0, 0, 0, 0, dst } }, .nw_src = BE32(0x0a000001),
                           .nw_dst = BE32(0x0a000002), .tp_src = BE16(1000), .tp_dst = BE16(2000) };
}

static void
receive(struct rig *rig, int port, const struct flow *f)
{
    struct bytes frame = BYTES_INIT;

    flow_compose_default(f, &frame);
    assert_int_equal(netdev_dummy_receive(rig->ports[port], 0, frame.data, frame.len), 0);
    bytes_uninit(&frame);
}

static void
the_first_packet_asks_and_the_next_do_not(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1), other = udp_flow(2);
    struct dp_stats stats;

    odp_put_output(&rig->actions, ODP_PORT(2));
    for (int i = 0; i < 3; i++) {
        receive(rig, 1, &f);
    }
    assert_int_equal(rig->n_upcalls, 1);
    assert_int_equal(rig->n_sent[2], 3);
    receive(rig, 1, &other);
    assert_int_equal(rig->n_upcalls, 2);
    receive(rig, 3, &f);
    assert_int_equal(rig->n_upcalls, 3);
    rig->dp->class->get_stats(rig->dp, &stats);
    assert_int_equal(stats.n_hit, 2);
    assert_int_equal(stats.n_missed, 3);
    assert_int_equal(stats.n_flows, 3);
    assert_int_equal(stats.n_masks, 1);
}

static void
packets_of_thousands_of_megaflows_with_one_mask_find_theirs(void **state)
{
    enum { N = 3000 };
    struct rig *rig = *state;
    struct flow f = udp_flow(1);
    struct dp_stats stats;

    odp_put_output(&rig->actions, ODP_PORT(2));
    rig->mask.nw_src = BE32_MAX;
    for (unsigned int i = 0; i < 2 * N; i++) {
        f.nw_src = cpu_to_be32(0x0a000000 + i % N);
        receive(rig, 1, &f);
    }
    assert_int_equal(rig->n_upcalls, N);
    assert_int_equal(rig->n_sent[2], 2 * N);
    rig->dp->class->get_stats(rig->dp, &stats);
    assert_int_equal(stats.n_hit, N);
    assert_int_equal(stats.n_flows, N);
    assert_int_equal(stats.n_masks, 1);
}

static void
a_packet_goes_to_several_ports_unchanged_before_a_change(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1), out;

    odp_put_output(&rig->actions, ODP_PORT(2));
    odp_put_push_vlan(&rig->actions, BE16(ETH_TYPE_VLAN), BE16(5 | VLAN_PRESENT));
    odp_put_output(&rig->actions, ODP_PORT(3));
    receive(rig, 1, &f);
    assert_int_equal(rig->n_sent[2], 1);
    assert_int_equal(rig->n_sent[3], 1);
    flow_extract_full(rig->last.data, rig->last.len, NULL, &out, NULL);
    assert_int_equal(out.vlan_tci, BE16(5 | VLAN_PRESENT));
    assert_int_equal(out.tp_dst, BE16(2000));
    receive(rig, 1, &f);
    assert_int_equal(rig->n_upcalls, 1);
    assert_int_equal(rig->n_sent[3], 2);
}

static void
drops_are_counted_by_reason(void **state)
{
    uint64_t drops[DP_N_DROPS];
    struct rig *rig = *state;
    struct flow f = udp_flow(1), g = udp_flow(2);

    receive(rig, 1, &f); /* No actions. */
    receive(rig, 1, &f);
    odp_put_output(&rig->actions, ODP_PORT(77));
    receive(rig, 1, &g);
    rig->refuse = true;
    f = udp_flow(3);
    receive(rig, 1, &f);
    dp_user_get_drops(rig->dp, drops);
    assert_int_equal(drops[DP_DROP_EXPLICIT], 2);
    assert_int_equal(drops[DP_DROP_INVALID_PORT], 1);
    assert_int_equal(drops[DP_DROP_UPCALL_ERROR], 1);
}

static void
recirculation_looks_up_again_with_its_own_id(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1), key = udp_flow(1), mask = { 0 };
    struct bytes after = BYTES_INIT;
    uint32_t id = 7;

    odp_put(&rig->actions, ODP_RECIRC, &id, sizeof id);
    odp_put_output(&after, ODP_PORT(3));
    key.in_port = BE32(1);
    key.recirc_id = BE32(7);
    assert_int_equal(rig->dp->class->flow_put(rig->dp, &key, &mask, after.data, after.len, NULL, true, false, NULL), 0);
    assert_int_equal(rig->dp->class->flow_put(rig->dp, &key, &mask, after.data, after.len, NULL, true, false, NULL),
                     -EEXIST);
    receive(rig, 1, &f);
    receive(rig, 1, &f);
    assert_int_equal(rig->n_upcalls, 1);
    assert_int_equal(rig->n_sent[3], 2);
    bytes_uninit(&after);
}

/* Four packets of one flow, as one burst, through ct, with a destination that they get, and on to a second lookup. */
static void
receive_tracked_burst(struct rig *rig, const struct flow *f, be32 new_dst)
{
    struct flow key = *f, mask = { 0 };
    struct bytes actions = BYTES_INIT;
    uint32_t id = 7;
    size_t ct, nat;

    ct = odp_begin(&actions, ODP_CT);
    odp_put_flag(&actions, ODP_CT_COMMIT);
    if (new_dst) {
        nat = odp_begin(&actions, ODP_CT_NAT);
        odp_put_flag(&actions, ODP_NAT_DST);
        odp_put(&actions, ODP_NAT_IP_MIN, &new_dst, sizeof new_dst);
        odp_end(&actions, nat);
    }
    odp_end(&actions, ct);
    odp_put(&actions, ODP_RECIRC, &id, sizeof id);
    key.in_port = BE32(1);
    assert_int_equal(rig->dp->class->flow_put(rig->dp, &key, &mask, actions.data, actions.len, NULL, true, false, NULL),
                     0);
    bytes_uninit(&actions);
    odp_put_output(&rig->actions, ODP_PORT(3));
    netdev_dummy_set_pump(NULL, NULL);
    for (int i = 0; i < 4; i++) {
        receive(rig, 1, f);
    }
    assert_int_equal(dp_user_pump(rig->dp), 4);
    assert_int_equal(rig->n_upcalls, 1);
    assert_int_equal(rig->n_sent[3], 4);
    assert_int_equal(rig->key.recirc_id, BE32(7));
    assert_int_equal(rig->key.in_port, BE32(1));
    assert_int_equal(rig->key.nw_src, f->nw_src);
    assert_int_equal(rig->key.tp_dst, f->tp_dst);
    assert_true(rig->key.ct_state & CT_TRK);
    assert_int_equal(rig->key.ct_nw_dst, f->nw_dst);
}

static void
a_tracked_burst_is_looked_up_again_with_its_headers(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1);

    receive_tracked_burst(rig, &f, BE32(0));
    assert_int_equal(rig->key.nw_dst, f.nw_dst);
}

static void
a_burst_that_tracking_translates_is_looked_up_again_with_its_new_headers(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1);

    receive_tracked_burst(rig, &f, BE32(0x0a000063));
    assert_int_equal(rig->key.nw_dst, BE32(0x0a000063));
}

static void
endless_recirculation_ends(void **state)
{
    uint64_t drops[DP_N_DROPS];
    struct rig *rig = *state;
    struct flow f = udp_flow(1);
    uint32_t id = 7;

    odp_put(&rig->actions, ODP_RECIRC, &id, sizeof id);
    receive(rig, 1, &f);
    dp_user_get_drops(rig->dp, drops);
    assert_int_equal(drops[DP_DROP_RECIRC], 1);
}

static void
what_an_action_changes_in_a_clone_stays_there(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1), out;
    size_t clone = odp_begin(&rig->actions, ODP_CLONE);

    odp_put_push_vlan(&rig->actions, BE16(ETH_TYPE_VLAN), BE16(5 | VLAN_PRESENT));
    odp_put_output(&rig->actions, ODP_PORT(2));
    odp_end(&rig->actions, clone);
    odp_put_output(&rig->actions, ODP_PORT(3));
    receive(rig, 1, &f);
    assert_int_equal(rig->n_sent[2], 1);
    assert_int_equal(rig->n_sent[3], 1);
    receive(rig, 1, &f);
    flow_extract_full(rig->last.data, rig->last.len, NULL, &out, NULL);
    assert_int_equal(out.vlan_tci, 0);
}

static void
trunc_cuts_the_next_output_only(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1);
    uint32_t max = 20;

    odp_put(&rig->actions, ODP_TRUNC, &max, sizeof max);
    odp_put_output(&rig->actions, ODP_PORT(2));
    receive(rig, 1, &f);
    assert_int_equal(rig->last.len, 20);
    odp_put_output(&rig->actions, ODP_PORT(2));
    f = udp_flow(2);
    receive(rig, 1, &f);
    assert_int_equal(rig->last.len, 106);
}

static void
userspace_actions_carry_their_cookie(void **state)
{
    struct odp_cookie cookie = { .type = ODP_COOKIE_CONTROLLER, .max_len = 55 };
    struct rig *rig = *state;
    struct flow f = udp_flow(1);
    size_t begun = odp_begin(&rig->actions, ODP_USERSPACE);

    odp_put(&rig->actions, ODP_USERSPACE_USERDATA, &cookie, sizeof cookie);
    odp_end(&rig->actions, begun);
    odp_put_output(&rig->actions, ODP_PORT(2));
    receive(rig, 1, &f);
    receive(rig, 1, &f);
    assert_int_equal(rig->n_action_upcalls, 2);
    assert_int_equal(rig->n_upcalls, 3);
    assert_int_equal(rig->n_sent[2], 2);
}

static bool
delete_it(void *rig_, struct dp_flow *f)
{
    struct rig *rig = rig_;
    struct dp_flow_stats stats;

    assert_int_equal(rig->dp->class->flow_del(rig->dp, f, &stats), 0);
    assert_int_equal(stats.n_packets, 2);
    assert_int_equal(rig->dp->class->flow_del(rig->dp, f, &stats), -ENOENT);
    return true;
}

static void
owners_are_released_once_with_the_final_counts(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1);

    rig->owner = rig;
    odp_put_output(&rig->actions, ODP_PORT(2));
    for (int i = 0; i < 3; i++) {
        receive(rig, 1, &f);
    }
    rig->dp->class->flow_for_each(rig->dp, delete_it, rig);
    rcu_barrier_all();
    assert_int_equal(rig->n_freed, 1);
    assert_int_equal(rig->final.n_packets, 2);
    receive(rig, 1, &f); /* The cache still points to what is gone. */
    assert_int_equal(rig->n_upcalls, 2);
    rig->dp->class->flow_flush(rig->dp);
    rcu_barrier_all();
    assert_int_equal(rig->n_freed, 2);
}

static bool
make_stale(void *rig, struct dp_flow *f)
{
    ((struct rig *) rig)->dp->class->flow_set_stale(f);
    return true;
}

/* What a megaflow counts does not depend on whether it is renewed by a packet or before that. */
static void
a_packet_that_renews_a_megaflow_is_counted(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1);

    odp_put_output(&rig->actions, ODP_PORT(2));
    receive(rig, 1, &f);
    receive(rig, 1, &f);
    rig->dp->class->flow_for_each(rig->dp, make_stale, rig);
    receive(rig, 1, &f);
    assert_int_equal(rig->n_upcalls, 2);
    rig->dp->class->flow_for_each(rig->dp, delete_it, rig);
}

/* Clones in clones, 'n' of them, and an output in the innermost. */
static void
put_clones(struct bytes *actions, unsigned int n)
{
    size_t begun[ODP_MAX_NESTING + 1];

    for (unsigned int i = 0; i < n; i++) {
        begun[i] = odp_begin(actions, ODP_CLONE);
    }
    odp_put_u32(actions, ODP_OUTPUT, 1);
    while (n > 0) {
        odp_end(actions, begun[--n]);
    }
}

static void
actions_are_nested_as_deep_as_all_agree(void **state UNUSED)
{
    struct bytes actions = BYTES_INIT;
    struct program *program;
    struct error *e;

    put_clones(&actions, ODP_MAX_NESTING);
    program = program_compile(actions.data, actions.len, &e);
    assert_non_null(program);
    program_destroy(program);
    bytes_clear(&actions);
    put_clones(&actions, ODP_MAX_NESTING + 1);
    assert_null(program_compile(actions.data, actions.len, &e));
    assert_string_equal(error_text(e), "actions nested more than 80 deep");
    error_free(e);
    bytes_uninit(&actions);
}

static void
actions_that_are_not_supported_are_refused_by_name(void **state)
{
    struct rig *rig = *state;
    struct bytes actions = BYTES_INIT;
    struct flow key = udp_flow(1), mask = { 0 };
    struct error *e;

    odp_put_u32(&actions, ODP_LB_OUTPUT, 1);
    assert_null(program_compile(actions.data, actions.len, &e));
    assert_string_equal(error_text(e), "action 28 is not supported");
    error_free(e);
    assert_int_equal(rig->dp->class->flow_put(rig->dp, &key, &mask, actions.data, actions.len, NULL, true, false, NULL),
                     -EINVAL);
    assert_null(program_compile(actions.data, actions.len - 1, &e));
    error_free(e);
    bytes_uninit(&actions);
}

static void
executing_actions_needs_no_megaflow(void **state)
{
    struct rig *rig = *state;
    struct flow f = udp_flow(1);
    struct bytes frame = BYTES_INIT;

    flow_compose_default(&f, &frame);
    odp_put_output(&rig->actions, ODP_PORT(2));
    odp_put_output(&rig->actions, ODP_PORT(3));
    assert_int_equal(rig->dp->class->execute(rig->dp, frame.data, frame.len, &f, rig->actions.data, rig->actions.len),
                     0);
    assert_int_equal(rig->n_sent[2] + rig->n_sent[3], 2);
    assert_int_equal(rig->n_upcalls, 0);
    bytes_uninit(&frame);
}

static void
a_port_that_is_removed_is_free_again(void **state)
{
    struct rig *rig = *state;
    odp_port number = ODP_PORT(2), any = ODP_PORT_NONE;

    assert_int_equal(rig->dp->class->port_add(rig->dp, rig->ports[2], &number), -EBUSY);
    assert_int_equal(rig->dp->class->port_del(rig->dp, ODP_PORT(2)), 0);
    assert_int_equal(rig->dp->class->port_del(rig->dp, ODP_PORT(2)), -ENODEV);
    assert_null(rig->dp->class->port_netdev(rig->dp, ODP_PORT(2)));
    assert_int_equal(rig->dp->class->port_add(rig->dp, rig->ports[2], &any), 0);
    assert_int_equal(any.n, 2);
}

int
main(void)
{
#define RIG_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(the_first_packet_asks_and_the_next_do_not),
        RIG_TEST(packets_of_thousands_of_megaflows_with_one_mask_find_theirs),
        RIG_TEST(a_packet_goes_to_several_ports_unchanged_before_a_change),
        RIG_TEST(drops_are_counted_by_reason),
        RIG_TEST(recirculation_looks_up_again_with_its_own_id),
        RIG_TEST(a_tracked_burst_is_looked_up_again_with_its_headers),
        RIG_TEST(a_burst_that_tracking_translates_is_looked_up_again_with_its_new_headers),
        RIG_TEST(endless_recirculation_ends),
        RIG_TEST(what_an_action_changes_in_a_clone_stays_there),
        RIG_TEST(trunc_cuts_the_next_output_only),
        RIG_TEST(userspace_actions_carry_their_cookie),
        RIG_TEST(owners_are_released_once_with_the_final_counts),
        RIG_TEST(a_packet_that_renews_a_megaflow_is_counted),
        RIG_TEST(actions_are_nested_as_deep_as_all_agree),
        RIG_TEST(actions_that_are_not_supported_are_refused_by_name),
        RIG_TEST(executing_actions_needs_no_megaflow),
        RIG_TEST(a_port_that_is_removed_is_free_again),
    };
    int failed;

    rcu_thread_register();
    netdev_enable_dummy("");
    dp_user_register_dummy("");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    netdev_uninit();
    rcu_thread_unregister();
    return failed;
}
