/* What a change marks stale: everything whose translation it alters (random pipelines, packets and changes), not all
 * else, also when translations and changes overlap in time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "ofproto/depend.h"
#include "ofproto/mac_table.h"
#include "ofproto/mirror.h"
#include "ofproto/xlate/oracle_flow.h"
#include "ofproto/xlate/sim.h"
#include "sys/rcu_cmocka.h"

enum { N_PACKETS = 40, N_CHANGES = 30, MAX_RULES = ORACLE_MAX_RULES + N_CHANGES };

/* A packet and what became of it. */
struct translated {
    struct dependent dependent;
    struct flow flow;
    struct xlate_out out;
    bool is_marked;          /* As depend.c last said. */
};

struct rig {
    struct sim sim;
    struct xbridge *b;
    struct depend *d;
    struct random r;
    struct translated packets[N_PACKETS];
    struct rule *rules[MAX_RULES];
    int n_rules;
    unsigned int n_altered, n_stale, n_looked_at;
};

static void
on_mark(struct dependent *d, bool is_hard)
{
    CONTAINER_OF(d, struct translated, dependent)->is_marked = is_hard;
}

static void
translate(struct rig *rig, const struct flow *flow, struct xlate_out *out)
{
    struct xlate_in in = { .bridge = rig->b, .flow = flow, .tables_version = 1 };

    xlate_out_clear(out);
    xlate(&in, out);
}

static void
attach(struct rig *rig, struct translated *t)
{
    uint64_t seq = depend_seq(rig->d);

    translate(rig, &t->flow, &t->out);
    depend_attach(rig->d, &t->dependent, &t->out, seq);
}

static void
rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    sim_init(&rig->sim);
    rig->b = sim_add_bridge(&rig->sim, "br0");
    rig->d = depend_create(on_mark);
    for (int i = 1; i <= ORACLE_N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%d", i);
        sim_add_port(&rig->sim, rig->b, name, i, NULL);
    }
    for (int i = 0; i < N_PACKETS; i++) {
        dependent_init(&rig->packets[i].dependent);
        xlate_out_init(&rig->packets[i].out);
    }
}

static void
rig_uninit(struct rig *rig)
{
    struct depend_stats stats;

    for (int i = 0; i < N_PACKETS; i++) {
        depend_detach(rig->d, &rig->packets[i].dependent);
        xlate_out_uninit(&rig->packets[i].out);
    }
    depend_get_stats(rig->d, &stats);
    assert_int_equal(stats.n_dependents, 0);
    assert_int_equal(stats.n_nodes, 0);
    assert_int_equal(stats.n_stale, 0);
    assert_false(depend_is_soft(rig->d));
    depend_destroy(rig->d);
    sim_uninit(&rig->sim);
}

/* Adds the rule unless it is refused (some make no sense) or one with its match is there. */
static void
add_rule(struct rig *rig, const struct oracle_rule *rule)
{
    struct rule *old = sim_newest;
    struct str s = STR_INIT;
    char *e;

    oracle_rule_text(rule, &s);
    e = sim_add_flow_directly(rig->b, str_text(&s));
    if (!e && sim_newest != old) {
        struct match new, other;

        cls_rule_get_match(&sim_newest->cr, &new);
        for (int i = 0; i < rig->n_rules; i++) {
            struct rule *r = rig->rules[i];

            cls_rule_get_match(&r->cr, &other);
            if (r->table_id == sim_newest->table_id && r->cr.priority == sim_newest->cr.priority &&
                match_equal(&new, &other)) {
                rig->rules[i] = rig->rules[--rig->n_rules]; /* It took that one's place. */
                break;
            }
        }
        rig->rules[rig->n_rules++] = sim_newest;
        depend_rule_changed(rig->d, rig->b, sim_newest->table_id, &sim_newest->cr);
    }
    free(e);
    str_uninit(&s);
}

static void
add_random_rules(struct rig *rig, int n)
{
    struct oracle_pipeline p;

    oracle_random_pipeline(&rig->r, &p);
    for (int i = 0; i < MIN(n, p.n_rules); i++) {
        add_rule(rig, &p.rules[i]);
    }
    oracle_pipeline_uninit(&p);
}

static void
delete_a_rule(struct rig *rig)
{
    int i = random_below(&rig->r, rig->n_rules);
    struct rule *rule = rig->rules[i];

    rig->rules[i] = rig->rules[--rig->n_rules];
    rule_ref(rule);
    sim_delete_flow(rig->b, rule);
    depend_rule_changed(rig->d, rig->b, rule->table_id, &rule->cr);
    rule_unref(rule);
}

static void
change_something(struct rig *rig)
{
    if (rig->n_rules && random_below(&rig->r, 2)) {
        delete_a_rule(rig);
    } else {
        add_random_rules(rig, 1);
    }
}

/* Everything that was altered must be stale; it is then translated anew. */
static void
look_again(struct rig *rig, struct xlate_out *now)
{
    depend_settle(rig->d);
    for (int i = 0; i < N_PACKETS; i++) {
        struct translated *t = &rig->packets[i];
        bool altered;

        translate(rig, &t->flow, now);
        altered = now->actions.len != t->out.actions.len || now->error != t->out.error ||
                  (now->actions.len && memcmp(now->actions.data, t->out.actions.data, now->actions.len));
        if (altered && !t->is_marked) {
            fail_msg("a change altered packet %d and nothing said so", i);
        }
        rig->n_looked_at++;
        rig->n_altered += altered;
        rig->n_stale += t->is_marked;
        if (t->is_marked) {
            attach(rig, t);
            assert_false(t->is_marked);
        }
    }
}

static void
what_a_change_alters_is_stale(void **state UNUSED)
{
    unsigned int n_altered = 0, n_stale = 0, n_looked_at = 0;
    struct xlate_out now;

    xlate_out_init(&now);
    for (unsigned int seed = 0; seed < 100; seed++) {
        static struct rig rig;

        rig_init(&rig);
        random_seed(&rig.r, seed);
        add_random_rules(&rig, ORACLE_MAX_RULES);
        for (int i = 0; i < N_PACKETS; i++) {
            struct oracle_packet p;

            oracle_random_packet(&rig.r, &p);
            oracle_packet_to_flow(&p, &rig.packets[i].flow);
            attach(&rig, &rig.packets[i]);
            assert_false(rig.packets[i].is_marked);
        }
        for (int i = 0; i < N_CHANGES && rig.n_rules < MAX_RULES; i++) {
            change_something(&rig);
            look_again(&rig, &now);
        }
        n_altered += rig.n_altered;
        n_stale += rig.n_stale;
        n_looked_at += rig.n_looked_at;
        rig_uninit(&rig);
        rcu_quiescent();
    }
    print_message("%u translations looked at, %u altered, %u stale\n", n_looked_at, n_altered, n_stale);
    assert_true(n_altered > 1000);
    assert_true(n_stale < n_looked_at / 2);
    xlate_out_uninit(&now);
}

/* A change after the translation began and before it was attached counts too, if it concerns it. */
static void
a_change_during_translation_is_noticed(void **state UNUSED)
{
    static struct rig rig;
    struct translated *t = &rig.packets[0];
    uint64_t seq;

    rig_init(&rig);
    assert_null(sim_add_flow_directly(rig.b, "in_port=1,actions=2"));
    t->flow.in_port = BE32(1);
    for (int k = 0; k < 3; k++) {
        static const char *const flows[] = {
            "in_port=3,actions=1", "in_port=1,priority=9,actions=3", "in_port=4,actions=1",
        };

        seq = depend_seq(rig.d);
        translate(&rig, &t->flow, &t->out);
        assert_null(sim_add_flow_directly(rig.b, flows[k]));
        depend_rule_changed(rig.d, rig.b, 0, &sim_newest->cr);
        if (k == 2) {
            for (int i = 0; i < 5000; i++) { /* More than the log remembers: better safe. */
                depend_rule_changed(rig.d, rig.b, 7, &sim_newest->cr);
            }
        }
        depend_attach(rig.d, &t->dependent, &t->out, seq);
        assert_int_equal(t->is_marked, k > 0);
    }
    rig_uninit(&rig);
}

static bool
always(struct dependent *d UNUSED)
{
    return true;
}

static void
pop_all(struct rig *rig, unsigned int n_expected)
{
    struct dependent *d;
    unsigned int n = 0;

    while ((d = depend_pop_stale(rig->d, always)) != NULL) {
        n++;
        attach(rig, CONTAINER_OF(d, struct translated, dependent));
    }
    assert_int_equal(n, n_expected);
}

static void
soft_changes_leave_everything_in_use(void **state UNUSED)
{
    static struct rig rig;

    rig_init(&rig);
    for (int i = 0; i < 3; i++) {
        rig.packets[i].flow.in_port = cpu_to_be32(1 + i);
        attach(&rig, &rig.packets[i]);
    }
    depend_all_changed(rig.d);
    depend_settle(rig.d);
    assert_true(depend_is_soft(rig.d));
    for (int i = 0; i < 3; i++) {
        assert_false(rig.packets[i].is_marked);
    }
    pop_all(&rig, 3);
    assert_false(depend_is_soft(rig.d));
    depend_table_changed(rig.d, rig.b, 3);
    depend_settle(rig.d);
    pop_all(&rig, 0);
    depend_table_changed(rig.d, rig.b, 0);
    depend_all_changed(rig.d);
    depend_settle(rig.d);
    assert_true(rig.packets[1].is_marked);
    assert_false(depend_is_soft(rig.d));
    pop_all(&rig, 3);
    rig_uninit(&rig);
}

static void
on_mac(void *rig_, struct eth_addr mac, uint16_t vlan)
{
    struct rig *rig = rig_;

    depend_mac_changed(rig->d, rig->b, mac, vlan);
}

static void
an_address_concerns_those_who_send_to_it(void **state UNUSED)
{
    static struct rig rig;
    struct eth_addr a = eth_addr_from_u64(0x20000000001), b = eth_addr_from_u64(0x20000000002);
    const void *key;

    rig_init(&rig);
    key = xbridge_port_rcu(rig.b, OFP_PORT(2)); /* Of the port's bundle, in sim.c. */
    mac_table_set_listener(rig.b->mac_table, on_mac, &rig);
    assert_null(sim_add_flow_directly(rig.b, "actions=NORMAL"));
    for (int i = 0; i < 2; i++) {
        rig.packets[i].flow.in_port = BE32(1);
        rig.packets[i].flow.eth_src = i ? a : b;
        rig.packets[i].flow.eth_dst = i ? b : a;
        attach(&rig, &rig.packets[i]);
    }
    assert_true(mac_table_learn(rig.b->mac_table, a, 0, key, OFP_PORT(2), false, false));
    depend_settle(rig.d);
    assert_true(rig.packets[0].is_marked);
    assert_false(rig.packets[1].is_marked);
    pop_all(&rig, 1);
    assert_true(mac_table_learn(rig.b->mac_table, a, 5, key, OFP_PORT(2), false, false));
    depend_settle(rig.d);
    pop_all(&rig, 0);
    mac_table_flush(rig.b->mac_table);
    depend_settle(rig.d);
    pop_all(&rig, 1);
    rig_uninit(&rig);
}

/* A mirror of what comes in at port 1 and goes out at port 3, to port 4. */
static void
a_mirror_concerns_the_ports_that_it_selects(void **state UNUSED)
{
    static struct rig rig;
    static struct mirror_count count = { .n_refs = 1 };
    static struct xmirror_bundle bundles[1];
    static struct xmirrors mirrors = { .n = 1, .n_bundles = 1, .bundles = bundles };
    const void *keys[5];

    rig_init(&rig);
    for (int i = 1; i < 5; i++) {
        keys[i] = xbridge_port_rcu(rig.b, OFP_PORT(i)); /* Of the port's bundle, in sim.c. */
    }
    bundles[0] = (struct xmirror_bundle) { .key = keys[1], .src = 1 };
    mirrors.mirrors[0] = (struct xmirror) { .count = &count, .output = keys[4], .same_output = 1 };
    rcu_set(&rig.b->mirrors, &mirrors);
    assert_null(sim_add_flow_directly(rig.b, "in_port=1,actions=2"));
    assert_null(sim_add_flow_directly(rig.b, "in_port=2,actions=3"));
    assert_null(sim_add_flow_directly(rig.b, "in_port=3,actions=drop"));
    for (int i = 0; i < 3; i++) {
        rig.packets[i].flow.in_port = cpu_to_be32(1 + i);
        attach(&rig, &rig.packets[i]);
    }
    assert_int_equal(rig.packets[0].out.n_credits, 2); /* Rule, mirror. */
    depend_key_changed(rig.d, rig.b, CONSULTED_BUNDLE, (uintptr_t) keys[1]);
    depend_settle(rig.d);
    assert_true(rig.packets[0].is_marked);
    assert_false(rig.packets[1].is_marked || rig.packets[2].is_marked);
    pop_all(&rig, 1);
    depend_key_changed(rig.d, rig.b, CONSULTED_BUNDLE, (uintptr_t) keys[3]);
    depend_settle(rig.d);
    assert_true(rig.packets[1].is_marked && rig.packets[2].is_marked);
    pop_all(&rig, 2);
    depend_key_changed(rig.d, rig.b, CONSULTED_BUNDLE, (uintptr_t) keys[4]);
    depend_settle(rig.d);
    pop_all(&rig, 1); /* What was copied went out there. */
    depend_kind_changed(rig.d, rig.b, CONSULTED_BUNDLE);
    depend_settle(rig.d);
    pop_all(&rig, 3);
    rcu_set(&rig.b->mirrors, NULL);
    rig_uninit(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_change_alters_is_stale),
        cmocka_unit_test(a_change_during_translation_is_noticed),
        cmocka_unit_test(soft_changes_leave_everything_in_use),
        cmocka_unit_test(an_address_concerns_those_who_send_to_it),
        cmocka_unit_test(a_mirror_concerns_the_ports_that_it_selects),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
