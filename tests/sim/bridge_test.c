#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openflow/flow_mod.h"
#include "sim.h"

static struct sim sim;

/* p1 and p4 are trunks, p2 and p3 in VLAN 10. */
static int
set_up(void **state UNUSED)
{
    sim_start(&sim);
    sim_add_port(&sim, "p1", -1);
    sim_add_port(&sim, "p2", 10);
    sim_add_port(&sim, "p3", 10);
    sim_add_port(&sim, "p4", -1);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    sim_stop(&sim);
    return 0;
}

#define A_TO_B "dl_src=02:00:00:00:00:0a,dl_dst=02:00:00:00:00:0b,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2"
#define B_TO_A "dl_src=02:00:00:00:00:0b,dl_dst=02:00:00:00:00:0a,ip,nw_src=10.0.0.2,nw_dst=10.0.0.1"

static void
a_secure_bridge_without_flows_forwards_nothing(void **state UNUSED)
{
    assert_string_equal(sim_send(&sim, "p2", A_TO_B), "-");
}

static void
normal_floods_then_learns(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "priority=0,actions=NORMAL");
    assert_string_equal(sim_send(&sim, "p2", A_TO_B), "p1:10 p3 p4:10");
    assert_string_equal(sim_send(&sim, "p3", B_TO_A), "p2");
    assert_string_equal(sim_send(&sim, "p2", A_TO_B), "p3");
    /* Another VLAN is another network. */
    assert_string_equal(sim_send(&sim, "p1", "dl_vlan=20," A_TO_B), "p4:20");
    /* A station that moved is found again. */
    assert_string_equal(sim_send(&sim, "p1", "dl_vlan=10," A_TO_B), "p3");
    assert_string_equal(sim_send(&sim, "p3", B_TO_A), "p1:10");
}

static void
learned_addresses_age(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "priority=0,actions=NORMAL");
    sim_send(&sim, "p2", A_TO_B);
    assert_string_equal(sim_send(&sim, "p3", B_TO_A), "p2");
    for (int i = 0; i < 310; i++) {
        sim_warp(&sim, 1000);
    }
    assert_string_equal(sim_send(&sim, "p3", B_TO_A), "p1:10 p2 p4:10");
}

static void
the_next_packet_sees_a_changed_rule(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "priority=5,in_port=1,actions=output:4");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4");
    sim_flow(&sim, FM_ADD, "priority=9,in_port=1,ip,actions=drop");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "-");
    sim_flow(&sim, FM_MODIFY, "in_port=1,actions=output:2");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p2");
    sim_flow(&sim, FM_DELETE, "");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "-");
}

static void
counters_count_every_packet_once(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "table=0,in_port=1,actions=resubmit(,1)");
    sim_flow(&sim, FM_ADD, "table=1,ip,actions=output:4");
    for (int i = 0; i < 10; i++) {
        assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4");
    }
    assert_int_equal(sim_flow_packets(&sim, "table=0"), 10);
    assert_int_equal(sim_flow_packets(&sim, "table=1"), 10);
}

static void
timeouts_remove_rules_to_the_second(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "in_port=1,hard_timeout=3,actions=output:4");
    sim_flow(&sim, FM_ADD, "in_port=2,idle_timeout=3,actions=output:4");
    for (int i = 0; i < 2; i++) {
        sim_warp(&sim, 1000);
        assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4");
        assert_string_equal(sim_send(&sim, "p2", A_TO_B), "p4");
    }
    sim_warp(&sim, 1100);
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "-");
    assert_string_equal(sim_send(&sim, "p2", A_TO_B), "p4");
    for (int i = 0; i < 4; i++) {
        sim_warp(&sim, 1000);
    }
    assert_string_equal(sim_send(&sim, "p2", A_TO_B), "-");
}

static void
actions_change_what_goes_out(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "in_port=1,actions=mod_vlan_vid:7,output:4,strip_vlan,output:2,in_port");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4:7 p2 p1");
    sim_flow(&sim, FM_ADD, "in_port=2,actions=load:4->reg3[0..15],output:reg3[0..15]");
    assert_string_equal(sim_send(&sim, "p2", A_TO_B), "p4");
    sim_flow(&sim, FM_ADD, "in_port=3,actions=ALL");
    assert_string_equal(sim_send(&sim, "p3", A_TO_B), "p1 p2 p4");
}

static void
learn_adds_rules_that_packets_follow(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "table=0,actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),"
                           "resubmit(,1)");
    sim_flow(&sim, FM_ADD, "table=1,priority=0,actions=output:4");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4");
    assert_string_equal(sim_send(&sim, "p2", B_TO_A), "p1");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p2");
}

/* A second bridge, br1 with q1 and q2, that has rules, megaflows and learned something. */
static struct ofproto *
add_bridge(void)
{
    struct ofproto *first = sim.bridge, *second;

    assert_int_equal(ofproto_create("br1", "dummy", &second), 0);
    ofproto_set_fail_mode(second, true);
    ofproto_set_controllers(second, NULL, 0);
    sim.bridge = second;
    sim_add_port(&sim, "q1", -1);
    sim_add_port(&sim, "q2", -1);
    sim_flow(&sim, FM_ADD, "table=0,priority=5,ip,actions=output:2");
    sim_flow(&sim, FM_ADD, "table=0,actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),"
                           "normal");
    assert_string_equal(sim_send(&sim, "q1", A_TO_B), "q2");
    assert_string_equal(sim_send(&sim, "q2", B_TO_A), "q1");
    sim.bridge = first;
    return second;
}

static void
a_bridge_that_goes_is_not_waited_for(void **state UNUSED)
{
    struct backer *b = sim.bridge->backer;
    struct ofproto *second = add_bridge();

    revalidator_pause(b->revalidator, true); /* Nothing is looked at again. */
    ofproto_destroy(second, false);
    assert_null(ofproto_find("br1"));
    assert_int_equal(b->n_bridges, 1);
    assert_int_equal(b->n_users, 2);
    second = add_bridge();                    /* Its name and its ports are free. */
    ofproto_destroy(second, false);
    assert_int_equal(b->n_users, 3);
    sim_flow(&sim, FM_ADD, "actions=normal");
    assert_string_equal(sim_send(&sim, "p1", A_TO_B), "p4");
    revalidator_pause(b->revalidator, false);
    while (b->n_users > 1) {
        loop_run_once(sim.loop, true);
    }
    assert_string_equal(sim_send(&sim, "p4", B_TO_A), "p1");
}

static void
with_its_last_bridge_a_datapath_goes(void **state UNUSED)
{
    struct backer *b = sim.bridge->backer;

    revalidator_pause(b->revalidator, true);
    ofproto_destroy(sim.bridge, false);
    assert_null(backer_first());
    assert_int_equal(ofproto_create("br0", "dummy", &sim.bridge), 0);
    assert_ptr_not_equal(sim.bridge->backer, b); /* sim_stop() ends both. */
    revalidator_pause(b->revalidator, false);
    sim_add_port(&sim, "p5", -1);
}

#define BRIDGE_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BRIDGE_TEST(a_secure_bridge_without_flows_forwards_nothing),
        BRIDGE_TEST(normal_floods_then_learns),
        BRIDGE_TEST(learned_addresses_age),
        BRIDGE_TEST(the_next_packet_sees_a_changed_rule),
        BRIDGE_TEST(counters_count_every_packet_once),
        BRIDGE_TEST(timeouts_remove_rules_to_the_second),
        BRIDGE_TEST(actions_change_what_goes_out),
        BRIDGE_TEST(learn_adds_rules_that_packets_follow),
        BRIDGE_TEST(a_bridge_that_goes_is_not_waited_for),
        BRIDGE_TEST(with_its_last_bridge_a_datapath_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
