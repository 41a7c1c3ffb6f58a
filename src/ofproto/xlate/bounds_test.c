/* Pipelines that would never end, or that would take all memory: the work for a packet is bounded, and the reason for
 * giving up is named. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "odp/text.h"
#include "ofproto/xlate/ctx.h"
#include "ofproto/xlate/sim.h"
#include "sys/rcu_cmocka.h"

enum { N_GROUPS = 40 };

/* How much the last translation had to count: a few for each table and port. */
static size_t n_credits;

/* They can be written as text, and read. */
static void
check_actions(const struct xlate_out *out)
{
    struct str text = STR_INIT, again = STR_INIT;
    struct bytes parsed = BYTES_INIT;

    odp_actions_format(&text, out->actions.data, out->actions.len, NULL);
    if (out->actions.len) {
        assert_null(odp_actions_parse(str_text(&text), NULL, &parsed));
    }
    odp_actions_format(&again, parsed.data, parsed.len, NULL);
    assert_string_equal(str_text(&text), str_text(&again));
    bytes_uninit(&parsed);
    str_uninit(&text);
    str_uninit(&again);
}

/* What becomes of a packet in a bridge with these lines (see sim_run_line()). */
static enum xlate_error
translate(void (*fill)(struct sim *))
{
    static struct flow flow;
    struct xlate_out out;
    struct xlate_in in;
    enum xlate_error error;
    struct sim sim;

    sim_init(&sim);
    assert_true(sim_run_line(&sim, "bridge br0"));
    assert_true(sim_run_line(&sim, "port br0 p1 1"));
    fill(&sim);
    flow.in_port = BE32(1);
    in = (struct xlate_in) { .bridge = sim_find_bridge(&sim, "br0"), .flow = &flow };
    in.tables_version = atomic_load(&in.bridge->tables_version);
    xlate_out_init(&out);
    xlate(&in, &out);
    check_actions(&out);
    error = out.error;
    n_credits = out.n_credits;
    xlate_out_uninit(&out);
    sim_uninit(&sim);
    return error;
}

static void
add_line(struct sim *sim, const char *format, int n, int next)
{
    char *line = xasprintf(format, n, next, next);

    assert_true(sim_run_line(sim, line));
    free(line);
}

/* Forty groups, each of which takes the next one twice. */
static void
fill_with_doublings(struct sim *sim)
{
    for (int i = 1; i <= N_GROUPS; i++) {
        add_line(sim, "group br0 group_id=%d,type=all,bucket=actions=group:%d,bucket=actions=group:%d", i, i + 1);
    }
    assert_true(sim_run_line(sim, "flow br0 actions=group:1"));
}

static void
groups_of_groups_are_bounded(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_doublings), XLATE_TOO_MANY_BUCKETS);
}

/* The same of liveness: the last one is dead, so all have to be asked. */
static void
fill_with_watches(struct sim *sim)
{
    for (int i = 1; i <= N_GROUPS; i++) {
        add_line(sim, "group br0 group_id=%d,type=ff,bucket=watch_group=%d,actions=drop,"
                 "bucket=watch_group=%d,actions=drop", i, i + 1);
    }
    assert_true(sim_run_line(sim, "flow br0 actions=group:1"));
}

static void
watches_of_groups_are_bounded(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_watches), XLATE_TOO_MANY_BUCKETS);
}

/* A group with a bucket for each of many ports is none of that. */
static void
fill_with_a_wide_group(struct sim *sim)
{
    struct str line = STR_INIT;

    str_puts(&line, "group br0 group_id=1,type=all");
    for (int i = 0; i < 1000; i++) {
        str_puts(&line, ",bucket=actions=output:1");
    }
    assert_true(sim_run_line(sim, str_text(&line)));
    assert_true(sim_run_line(sim, "flow br0 actions=group:1"));
    str_uninit(&line);
}

static void
wide_groups_are_not(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_a_wide_group), XLATE_OK);
}

/* Resubmits. */

static void
fill_with_resubmits(struct sim *sim)
{
    for (int i = 0; i < N_GROUPS; i++) {
        add_line(sim, "flow br0 table=%d,actions=resubmit(,%d),resubmit(,%d)", i, i + 1);
    }
}

static void
resubmits_are_bounded(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_resubmits), XLATE_TOO_MANY_RESUBMITS);
}

static void
fill_with_a_loop(struct sim *sim)
{
    assert_true(sim_run_line(sim, "bridge br1"));
    assert_true(sim_run_line(sim, "patch br0 pa 2 br1 pb 1"));
    assert_true(sim_run_line(sim, "flow br0 actions=2,in_port"));
    assert_true(sim_run_line(sim, "flow br1 actions=in_port"));
}

static void
bridges_that_send_to_each_other_are_bounded(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_a_loop), XLATE_OK); /* The pipeline that is too deep ends, not the others. */
    assert_in_range(n_credits, XLATE_MAX_DEPTH, 4 * XLATE_MAX_DEPTH);
}

/* Each sends twice what it gets, which would come to 2 to the power of 64. */
static void
fill_with_bridges_that_double(struct sim *sim)
{
    assert_true(sim_run_line(sim, "bridge br1"));
    assert_true(sim_run_line(sim, "patch br0 pa 2 br1 pb 1"));
    assert_true(sim_run_line(sim, "patch br0 qa 3 br1 qb 2"));
    assert_true(sim_run_line(sim, "flow br0 in_port=2,actions=3,3"));
    assert_true(sim_run_line(sim, "flow br0 in_port=3,actions=2,2"));
    assert_true(sim_run_line(sim, "flow br0 in_port=1,actions=2,in_port"));
    assert_true(sim_run_line(sim, "flow br1 in_port=1,actions=2,2"));
    assert_true(sim_run_line(sim, "flow br1 in_port=2,actions=1,1"));
}

static void
bridges_that_send_more_than_they_get_are_bounded(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_bridges_that_double), XLATE_OK);
    assert_in_range(n_credits, XLATE_MAX_RESUBMITS, 8 * XLATE_MAX_RESUBMITS);
}

/* Branches in branches. */

enum { N_BRANCHES = 30 };

/* The packets that are larger go on to the next table, the others nowhere. */
static void
fill_with_branches(struct sim *sim)
{
    assert_true(sim_run_line(sim, "flow br0 table=0,actions=check_pkt_larger(64)->NXM_NX_REG0[0],resubmit(,1)"));
    for (int i = 1; i < N_BRANCHES; i++) {
        add_line(sim, "flow br0 table=%d,reg0=1,actions=check_pkt_larger(64)->NXM_NX_REG0[0],resubmit(,%d)", i, i + 1);
    }
    add_line(sim, "flow br0 table=%d,actions=output:1,output:in_port", N_BRANCHES, 0);
}

/* One list, with the branches of each in those of the one before. */
static void
fill_with_a_list_of_branches(struct sim *sim)
{
    struct str s = STR_INIT;

    str_puts(&s, "flow br0 actions=");
    for (int i = 0; i < 2000; i++) {
        str_puts(&s, "check_pkt_larger(64)->NXM_NX_REG0[0],");
    }
    str_puts(&s, "in_port");
    assert_true(sim_run_line(sim, str_text(&s)));
    str_uninit(&s);
}

static void
branches_in_branches_are_bounded(void **state UNUSED)
{
    assert_int_equal(translate(fill_with_branches), XLATE_OK);
    assert_int_equal(translate(fill_with_a_list_of_branches), XLATE_RECURSION_TOO_DEEP);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_groups_are_bounded),
        cmocka_unit_test(watches_of_groups_are_bounded),
        cmocka_unit_test(wide_groups_are_not),
        cmocka_unit_test(resubmits_are_bounded),
        cmocka_unit_test(bridges_that_send_to_each_other_are_bounded),
        cmocka_unit_test(bridges_that_send_more_than_they_get_are_bounded),
        cmocka_unit_test(branches_in_branches_are_bounded),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
