/* Runs of lookups: translations with them are those without, through random changes of long pipelines. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/random.h"
#include "ofproto/xlate/run_sim.h"
#include "ofproto/xlate/sim.h"
#include "sys/rcu_cmocka.h"

static int n_seeds = 60; /* Or the program's argument. */

enum { N_TABLES = 16, N_NETS = 3, N_MACS = 4 };

struct rig {
    struct sim sim;
    struct xbridge *b;
    struct xlate_runs *runs;
    struct xlate_out out;
    struct random r;
    int n_other_masks;
};

static void
rig_init(struct rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    sim_init(&rig->sim);
    rig->b = sim_add_bridge(&rig->sim, "br0");
    sim_add_port(&rig->sim, rig->b, "p1", 1, NULL);
    sim_add_port(&rig->sim, rig->b, "p2", 2, NULL);
    rig->runs = xlate_runs_create();
    xlate_out_init(&rig->out);
    random_seed(&rig->r, seed);
}

static void
rig_uninit(struct rig *rig)
{
    xlate_out_uninit(&rig->out);
    xlate_runs_destroy(rig->runs);
    sim_uninit(&rig->sim);
}

static void
add(struct rig *rig, const char *format, ...)
{
    struct str s = STR_INIT;
    va_list args;

    va_start(args, format);
    str_putv(&s, format, args);
    va_end(args);
    assert_null(sim_add_flow_directly(rig->b, str_text(&s)));
    str_uninit(&s);
}

static struct flow
packet(uint64_t metadata, uint8_t mac)
{
    return (struct flow) {
        .in_port = BE32(1), .eth_type = BE16(0x0800), .packet_ns = 0, .metadata = cpu_to_be64(metadata),
        .eth_src = { { 2, 0, 0, 0, 0, mac } }, .eth_dst = { { 2, 0, 0, 0, 1, mac } },
        .nw_src = cpu_to_be32(0x0a000000 + mac), .nw_dst = cpu_to_be32(0x0a000100 + mac), .nw_proto = 17, .nw_ttl = 64,
        .tp_dst = cpu_to_be16(mac),
    };
}

static void
translate(struct rig *rig, const struct flow *flow)
{
    struct xlate_in in = { .bridge = rig->b, .flow = flow, .tables_version = rig->b->tables_version };

    xlate_out_clear(&rig->out);
    rig->n_other_masks += !sim_xlate(&in, rig->runs, &rig->out);
}

static uint64_t
n_taken(const struct rig *rig)
{
    return xlate_runs_get_stats(rig->runs).n_taken;
}

/* Tables 1 to 'last' - 1 only go on; 'last' puts the packet out. */
static void
add_long_pipeline(struct rig *rig, int last, const char *how)
{
    add(rig, "table=0,actions=load:5->OXM_OF_METADATA[],resubmit(,1)");
    for (int i = 1; i < last; i++) {
        char text[32];

        snprintf(text, sizeof text, how, i + 1);
        add(rig, "table=%d,priority=1,metadata=5,actions=%s", i, text);
    }
    add(rig, "table=%d,metadata=5,actions=output:2", last);
}

static void
one_run_is_many_lookups(struct rig *rig, const char *how)
{
    struct flow flow = packet(0, 1), other = packet(0, 2);

    add_long_pipeline(rig, 12, how);
    translate(rig, &flow);
    assert_int_equal(rig->out.n_runs, 0);
    assert_int_equal(rig->out.n_consulted, 13);
    translate(rig, &other);
    assert_int_equal(rig->out.n_runs, 1);
    assert_int_equal(rig->out.runs[0]->n_lookups, 12);
    assert_int_equal(rig->out.n_consulted, 1);
    assert_true(rig->out.actions.len);
}

static void
a_stretch_of_resubmits_is_one_run(void **state UNUSED)
{
    struct rig rig;

    rig_init(&rig, 1);
    one_run_is_many_lookups(&rig, "resubmit(,%d)");
    rig_uninit(&rig);
}

static void
a_stretch_of_gotos_is_one_run(void **state UNUSED)
{
    struct rig rig;

    rig_init(&rig, 1);
    one_run_is_many_lookups(&rig, "goto_table:%d");
    rig_uninit(&rig);
}

static void
a_rule_that_comes_or_goes_is_seen(void **state UNUSED)
{
    struct flow flow = packet(0, 1);
    struct rig rig;

    rig_init(&rig, 1);
    one_run_is_many_lookups(&rig, "resubmit(,%d)");
    add(&rig, "table=7,priority=2,metadata=5,actions=drop");
    translate(&rig, &flow);
    assert_int_equal(rig.out.n_runs, 0);
    assert_int_equal(rig.out.actions.len, 0);
    sim_delete_flow(rig.b, sim_newest);
    translate(&rig, &flow);
    assert_true(rig.out.actions.len);
    add(&rig, "table=13,metadata=5,actions=drop"); /* Nobody asks this one. */
    translate(&rig, &flow);
    assert_int_equal(rig.out.n_runs, 1);
    rig_uninit(&rig);
}

/* How many lookups were asked for beforehand by the last translation. */
static uint64_t
n_scouted(struct rig *rig, const struct flow *flow)
{
    uint64_t before = xlate_runs_get_stats(rig->runs).n_scouted;

    translate(rig, flow);
    return xlate_runs_get_stats(rig->runs).n_scouted - before;
}

static void
lookups_are_asked_for_up_to_a_rule_that_does_more_than_to_lead_on(void **state UNUSED)
{
    struct flow flow = packet(0, 1), other = packet(0, 2);
    struct rig rig;

    rig_init(&rig, 1);
    add(&rig, "table=0,actions=load:5->OXM_OF_METADATA[],resubmit(,1)");
    add(&rig, "table=1,dl_src=02:00:00:00:00:00/ff:ff:ff:ff:ff:00,actions=resubmit(,2)");
    add(&rig, "table=2,ip,nw_src=10.0.0.0/24,actions=resubmit(,4)");
    add(&rig, "table=4,dl_dst=02:00:00:00:01:00/ff:ff:ff:ff:ff:00,actions=load:1->NXM_NX_REG0[],resubmit(,5)");
    add(&rig, "table=5,ip,nw_dst=10.0.1.1,actions=output:2");
    add(&rig, "table=5,priority=1,actions=resubmit(,6)");
    assert_int_equal(n_scouted(&rig, &flow), 0);
    assert_int_equal(n_scouted(&rig, &other), 3); /* Tables 1, 2, 4. */
    add(&rig, "table=4,priority=60000,ip,actions=resubmit(,5)");
    assert_int_equal(n_scouted(&rig, &flow), 3);
    assert_int_equal(n_scouted(&rig, &flow), 4);
    rig_uninit(&rig);
}

static void
another_bridge_has_runs_of_its_own(void **state UNUSED)
{
    struct flow flow = packet(0, 1);
    struct xbridge *first;
    struct rig rig;

    rig_init(&rig, 1);
    one_run_is_many_lookups(&rig, "resubmit(,%d)");
    first = rig.b;
    rig.b = sim_add_bridge(&rig.sim, "br1");
    assert_int_not_equal(first->serial, rig.b->serial);
    add_long_pipeline(&rig, 5, "resubmit(,%d)");
    translate(&rig, &flow);
    assert_int_equal(rig.out.n_runs, 0);
    rig_uninit(&rig);
}

static void
older_versions_take_no_newer_run(void **state UNUSED)
{
    struct flow flow = packet(0, 1);
    struct xlate_in in;
    struct rig rig;

    rig_init(&rig, 1);
    one_run_is_many_lookups(&rig, "resubmit(,%d)");
    in = (struct xlate_in) { .bridge = rig.b, .flow = &flow, .tables_version = rig.b->tables_version - 1 };
    xlate_out_clear(&rig.out);
    sim_xlate(&in, rig.runs, &rig.out);
    assert_int_equal(rig.out.n_runs, 0);
    rig_uninit(&rig);
}

static void
what_was_noted_for_a_change_that_does_not_come_is_forgotten(void **state UNUSED)
{
    struct flow flow = packet(0, 1);
    struct rig rig;

    rig_init(&rig, 1);
    one_run_is_many_lookups(&rig, "resubmit(,%d)");
    xbridge_note_change(rig.b, 3, rig.b->tables_version + 1000);
    translate(&rig, &flow);
    assert_int_equal(rig.out.n_runs, 0);
    xbridge_forget_changes(rig.b, rig.b->tables_version);
    translate(&rig, &flow);
    assert_int_equal(rig.out.n_runs, 1);
    rig_uninit(&rig);
}

/* A long loop through a few tables: the run must not pass over the limit. */
static void
limits_hold(void **state UNUSED)
{
    struct flow flow = packet(5, 1);
    struct str s = STR_INIT;
    struct rig rig;

    rig_init(&rig, 1);
    for (int i = 0; i < 400; i++) {
        str_puts(&s, i ? ",resubmit(,1)" : "resubmit(,1)");
    }
    add(&rig, "table=0,actions=%s", str_text(&s));
    for (int i = 1; i < 12; i++) {
        add(&rig, "table=%d,metadata=5,actions=resubmit(,%d)", i, i + 1);
    }
    add(&rig, "table=12,metadata=5,actions=output:2");
    for (int i = 0; i < 3; i++) {
        translate(&rig, &flow);
        assert_int_equal(rig.out.error, XLATE_TOO_MANY_RESUBMITS);
    }
    assert_true(n_taken(&rig) > 0);
    str_uninit(&s);
    rig_uninit(&rig);
}

/* A run is not passed through where its second lookup would already be too deep. */
static void
depth_is_limited_inside_of_a_run(void **state UNUSED)
{
    struct flow flow = packet(5, 1);
    struct rig rig;

    rig_init(&rig, 1);
    add(&rig, "table=0,actions=resubmit(,1)");
    add(&rig, "table=1,metadata=5,actions=resubmit(,2)");
    add(&rig, "table=2,metadata=5,actions=resubmit(,3)");
    add(&rig, "table=3,metadata=5,actions=output:2,resubmit(,1)");
    for (int i = 0; i < 3; i++) {
        translate(&rig, &flow);
        assert_int_equal(rig.out.error, XLATE_RECURSION_TOO_DEEP);
        assert_int_equal(rig.out.drop.table_id, 1);
    }
    assert_true(n_taken(&rig) > 0);
    rig_uninit(&rig);
}

/* A rule for some table: most go on with the next one or the one behind it, some change the packet, some drop it. */
static void
add_random_rule(struct rig *rig)
{
    static const char *matches[] = {
        "metadata=%d", "metadata=%d,dl_src=02:00:00:00:00:0%d", "metadata=%d,udp,tp_dst=%d",
        "metadata=%d,arp,arp_spa=10.0.0.%d", "metadata=%d,ip,nw_src=10.0.0.%d/30", "reg%d=%d",
        "metadata=%d,ip,nw_dst=10.0.1.%d", "metadata=%d,dl_type=0x800",
    };
    static const char *changes[] = {
        "resubmit(,%d)", "resubmit(,%d)", "resubmit(,%d)", "goto_table:%d", "load:1->OXM_OF_METADATA[],resubmit(,%d)",
        "resubmit(,%d),output:2", "mod_nw_src:10.0.0.1,resubmit(,%d)", "resubmit(2,%d)",
        "clone(resubmit(,%d)),output:2", "load:1->NXM_NX_REG1[],resubmit(,%d)", "output:2", "drop",
    };
    int table = random_below(&rig->r, N_TABLES - 1), next = table + 1 + random_below(&rig->r, 2);
    unsigned int which = random_below(&rig->r, ARRAY_SIZE(changes) * 3);
    struct rule *old = sim_newest;
    struct str s = STR_INIT;
    char *e;

    str_putf(&s, "table=%d,priority=%d,", table, (int) random_below(&rig->r, 4));
    if (random_below(&rig->r, 4)) {
        str_putf(&s, matches[random_below(&rig->r, ARRAY_SIZE(matches))], (int) random_below(&rig->r, N_NETS),
                 (int) random_below(&rig->r, N_MACS));
        str_puts(&s, ",");
    }
    str_puts(&s, "actions=");
    str_putf(&s, changes[which < ARRAY_SIZE(changes) ? which : 0], next);
    e = sim_add_flow_directly(rig->b, str_text(&s));
    if (e || sim_newest == old) {
        fail_msg("%s: %s", str_text(&s), e);
    }
    str_uninit(&s);
}

static void
change(struct rig *rig)
{
    add_random_rule(rig);
    if (!random_below(&rig->r, 3)) {
        sim_delete_flow(rig->b, sim_newest);
    }
}

static void
random_pipelines_are_translated_alike(void **state UNUSED)
{
    unsigned long long taken = 0, made = 0, others = 0;

    for (int seed = 0; seed < n_seeds; seed++) {
        struct rig rig;

        rig_init(&rig, seed);
        for (int i = 0; i < N_TABLES * 4; i++) {
            add_random_rule(&rig);
        }
        for (int i = 0; i < 400; i++) {
            struct flow flow = packet(random_below(&rig.r, N_NETS), random_below(&rig.r, N_MACS));

            if (!random_below(&rig.r, 4)) {
                flow.eth_type = BE16(0x0806);
            } else if (!random_below(&rig.r, 8)) {
                flow.nw_frag = 3;
            }
            translate(&rig, &flow);
            if (!random_below(&rig.r, 10)) {
                change(&rig);
            }
        }
        taken += n_taken(&rig);
        others += rig.n_other_masks;
        made += xlate_runs_get_stats(rig.runs).n_made;
        rig_uninit(&rig);
    }
    print_message("%llu runs made, %llu taken\n", made, taken);
    assert_true(taken > 1000);
    assert_true(others * 1000 <= taken);
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_of_resubmits_is_one_run),
        cmocka_unit_test(a_stretch_of_gotos_is_one_run),
        cmocka_unit_test(a_rule_that_comes_or_goes_is_seen),
        cmocka_unit_test(lookups_are_asked_for_up_to_a_rule_that_does_more_than_to_lead_on),
        cmocka_unit_test(another_bridge_has_runs_of_its_own),
        cmocka_unit_test(older_versions_take_no_newer_run),
        cmocka_unit_test(what_was_noted_for_a_change_that_does_not_come_is_forgotten),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(depth_is_limited_inside_of_a_run),
        cmocka_unit_test(random_pipelines_are_translated_alike),
    };

    n_seeds = argc > 1 ? atoi(argv[1]) : n_seeds;
    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
