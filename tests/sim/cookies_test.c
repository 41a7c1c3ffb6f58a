/* Rules by their cookie (ofproto/cookies.h) against a walk through the table: a few cookies, which many flows have. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "ofproto/cookies.h"
#include "openflow/flow_syntax.h"
#include "sim.h"

enum { N_COOKIES = 4, N_KEYS = 200, N_STEPS = 3000 };

static struct sim sim;
static struct random rng;

static int
set_up(void **state UNUSED)
{
    sim_start(&sim);
    random_seed(&rng, 1);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
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
change_one(void)
{
    unsigned int key = random_below(&rng, N_KEYS), cookie = random_below(&rng, N_COOKIES);
    unsigned int what = random_below(&rng, 40);
    char text[80];

    if (!what) {
        snprintf(text, sizeof text, "cookie=%u/-1", cookie);
        flow_mod(FM_DELETE, text);
    } else if (what < 15) {
        snprintf(text, sizeof text, "priority=5,ip,nw_dst=10.0.0.%u", key);
        flow_mod(FM_DELETE_STRICT, text);
    } else {
        snprintf(text, sizeof text, "cookie=%u,priority=5,ip,nw_dst=10.0.0.%u,actions=output:1", cookie, key);
        flow_mod(FM_ADD, text);
    }
}

static void
count(void *n, struct cls_rule *cr)
{
    ((unsigned int *) n)[be64_to_cpu(rule_from_cls(cr)->cookie)]++;
}

static void
each_flow_is_found_once_by_its_cookie(void **state UNUSED)
{
    for (int i = 0; i < N_STEPS; i++) {
        unsigned int wanted[N_COOKIES] = { 0 }, most = 0;
        uint64_t version;

        change_one();
        version = atomic_load(&sim.bridge->xb.tables_version);
        classifier_for_each(&sim.bridge->xb.tables[0], NULL, version, count, wanted);
        for (unsigned int cookie = 0; cookie < N_COOKIES; cookie++) {
            unsigned int got = 0;

            COOKIES_FOR_EACH (rule, sim.bridge, cpu_to_be64(cookie)) {
                assert_int_equal(be64_to_cpu(rule->cookie), cookie);
                got += cls_rule_visible(&rule->cr, version);
            }
            assert_int_equal(got, cookie ? wanted[cookie] : 0); /* Zero is no cookie. */
            most = MAX(most, got);
        }
        assert_true(hmap_count(&sim.bridge->by_cookie) < N_COOKIES);
        assert_true(i < 100 || most > 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flow_is_found_once_by_its_cookie),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
