/* Packets that teach flows, many more than may be kept: each from another address. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openflow/flow_syntax.h"
#include "sim.h"

enum { N_PACKETS = 300 };

static struct sim sim;

static int
set_up(void **state UNUSED)
{
    sim_start(&sim);
    sim_add_port(&sim, "p1", -1);
    sim_add_port(&sim, "p2", -1);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    sim_stop(&sim);
    return 0;
}

static const char *
send_from(unsigned int station)
{
    char text[80];

    snprintf(text, sizeof text, "dl_src=02:00:00:00:%02x:%02x,dl_dst=02:00:00:00:ff:ff", station >> 8, station & 0xff);
    return sim_send(&sim, "p1", text);
}

static unsigned int
n_flows(unsigned int table)
{
    return sim.bridge->tables[table].n_flows;
}

/* Packets, of which each makes one flow more in the table, until there are 'limit'; at first there are 'n'. */
static void
storm(unsigned int table, unsigned int n, unsigned int limit)
{
    for (unsigned int i = 0; i < N_PACKETS; i++) {
        assert_string_equal(send_from(i), "p2");
        assert_int_equal(n_flows(table), MIN(n + i + 1, limit));
        clock_warp(1);
    }
}

static void
a_storm_teaches_no_more_flows_than_the_limit_of_the_action(void **state UNUSED)
{
    sim_flow(&sim, FM_ADD, "actions=learn(table=1,limit=7,cookie=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                           "output:NXM_OF_IN_PORT[]),output:2");
    storm(1, 0, 7);
}

/* The packet goes on when there is no room for what it teaches. */
static void
a_storm_fills_a_table_up_to_its_limit(void **state UNUSED)
{
    struct ofproto_table_config config = { .flow_limit = 9, .has_limit = true };

    ofproto_set_table(sim.bridge, 1, &config);
    sim_flow(&sim, FM_ADD, "actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),output:2");
    storm(1, 0, 9);
}

/* The last ones taught are there: those before them expire sooner. */
static void
a_storm_drives_out_the_flows_that_were_taught_first(void **state UNUSED)
{
    struct ofproto_table_config config = { .flow_limit = 9, .has_limit = true, .evict = true };
    char last[80];

    ofproto_set_table(sim.bridge, 1, &config);
    sim_flow(&sim, FM_ADD, "actions=learn(table=1,idle_timeout=60,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                           "output:NXM_OF_IN_PORT[]),output:2");
    storm(1, 0, 9);
    for (unsigned int i = N_PACKETS - 9; i < N_PACKETS; i++) {
        struct flow_mod fm;
        struct act_text names = { NULL, NULL };
        unsigned int protocols;

        snprintf(last, sizeof last, "dl_dst=02:00:00:00:%02x:%02x", i >> 8, i & 0xff);
        assert_null(flow_mod_parse(&fm, last, FM_DELETE, &names, &protocols));
        assert_non_null(classifier_find(&sim.bridge->xb.tables[1], &fm.match, 32768,
                                        atomic_load(&sim.bridge->xb.tables_version)));
        flow_mod_uninit(&fm);
    }
}

/* Each packet teaches a flow that teaches another, in the table that packets come to first. */
static void
what_is_taught_may_not_drive_out_who_teaches(void **state UNUSED)
{
    struct ofproto_table_config config = { .flow_limit = 5, .has_limit = true, .evict = true };

    ofproto_set_table(sim.bridge, 0, &config);
    sim_flow(&sim, FM_ADD, "priority=1,actions=learn(table=0,priority=2,hard_timeout=60,NXM_OF_ETH_SRC[],"
                           "output:NXM_OF_IN_PORT[]),output:2");
    storm(0, 1, 5);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_storm_teaches_no_more_flows_than_the_limit_of_the_action),
        TEST(a_storm_fills_a_table_up_to_its_limit),
        TEST(a_storm_drives_out_the_flows_that_were_taught_first),
        TEST(what_is_taught_may_not_drive_out_who_teaches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
