/* What a change marks stale: everything whose translation it alters (random pipelines, packets and changes), not all
 * else, also when translations and changes overlap in time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/depend.h"
#include "ofproto/mac_table.h"
#include "ofproto/mirror.h"
#include "ofproto/xlate/oracle_flow.h"
#include "ofproto/xlate/run_sim.h"
#include "ofproto/xlate/sim.h"
#include "sys/rcu_cmocka.h"

enum { N_PACKETS = 40, N_CHANGES = 30, MAX_RULES = ORACLE_MAX_RULES + N_CHANGES };

/* A packet and what became of it. */
struct translated {
    struct dependent *dependent; /* Of struct held. */
    struct flow flow;
    struct xlate_out out;
    bool is_marked;          /* As depend.c last said. */
    unsigned int epoch;      /* When that was. */
};

struct held {
    struct dependent dependent;
    struct translated *by;
};

struct rig {
    struct sim sim;
    struct xbridge *b;
    struct depend *d;
    struct random r;
    struct translated packets[N_PACKETS];
    struct rule *rules[MAX_RULES];
    int n_rules;
    unsigned int epoch;
    unsigned int n_altered, n_stale, n_looked_at, n_checked;
};

static void
hold(struct translated *t)
{
    struct held *held = slab_zalloc(sizeof *held);

    dependent_init(&held->dependent);
    held->by = t;
    t->dependent = &held->dependent;
    xlate_out_init(&t->out);
}

static void
let_go(struct rig *rig, struct translated *t)
{
    depend_detach(rig->d, t->dependent);
    slab_free(CONTAINER_OF(t->dependent, struct held, dependent), sizeof(struct held));
    xlate_out_uninit(&t->out);
}

static struct translated *
held_by(struct dependent *d)
{
    return CONTAINER_OF(d, struct held, dependent)->by;
}

static void
on_mark(void *rig_, struct dependent *d, bool is_stale)
{
    struct rig *rig = rig_;
    struct translated *t = held_by(d);

    t->is_marked = is_stale;
    t->epoch = rig->epoch;
}

static void
on_doubt(void *rig_)
{
    struct rig *rig = rig_;

    rig->epoch++;
}

/* Whether packets would still be treated as 'out' says: as the datapath and its worker do it. */
static bool
is_used(struct rig *rig, struct translated *t)
{
    if (!t->is_marked && t->epoch != rig->epoch) {
        rig->n_checked++;
        return depend_check(rig->d, t->dependent) != DEPEND_STALE;
    }
    return !t->is_marked;
}

static void
translate(struct rig *rig, const struct flow *flow, struct xlate_out *out)
{
    struct xlate_in in = { .bridge = rig->b, .flow = flow, .tables_version = rig->b->tables_version };

    xlate_out_clear(out);
    sim_xlate(&in, xlate_runs_mine(), out);
}

static void
attach(struct rig *rig, struct translated *t)
{
    uint64_t seq = depend_seq(rig->d);

    translate(rig, &t->flow, &t->out);
    depend_attach(rig->d, t->dependent, &t->out, seq);
}

static void
rig_init_limited(struct rig *rig, const struct depend_limits *limits)
{
    memset(rig, 0, sizeof *rig);
    sim_init(&rig->sim);
    rig->b = sim_add_bridge(&rig->sim, "br0");
    rig->d = depend_create(&(struct depend_client) { on_mark, on_doubt, rig }, limits);
    for (int i = 1; i <= ORACLE_N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%d", i);
        sim_add_port(&rig->sim, rig->b, name, i, NULL);
    }
    for (int i = 0; i < N_PACKETS; i++) {
        hold(&rig->packets[i]);
    }
}

static void
rig_init(struct rig *rig)
{
    rig_init_limited(rig, &depend_default_limits);
}

static void
rig_uninit(struct rig *rig)
{
    struct depend_stats stats;

    for (int i = 0; i < N_PACKETS; i++) {
        let_go(rig, &rig->packets[i]);
    }
    depend_forget_runs(rig->d);
    depend_get_stats(rig->d, &stats);
    assert_int_equal(stats.n_dependents, 0);
    assert_int_equal(stats.n_nodes, 0);
    assert_int_equal(stats.n_steps, 0);
    assert_int_equal(stats.n_items, 0);
    assert_int_equal(stats.n_stale, 0);
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

/* What a "set" sets, or its mask, as fields of a flow. */
static void
put_set(const struct odp_attr *key, bool mask, struct flow *f)
{
    const uint8_t *v = (const uint8_t *) odp_attr_data(key) + (mask ? odp_attr_size(key) / 2 : 0);

    memset(f, 0, sizeof *f);
    switch (key->type) {
    case ODP_KEY_ETHERNET:
        memcpy(&f->eth_src, v, 6);
        memcpy(&f->eth_dst, v + 6, 6);
        break;
    case ODP_KEY_IPV4:
        memcpy(&f->nw_src, v, 4);
        memcpy(&f->nw_dst, v + 4, 4);
        f->nw_tos = v[9];
        f->nw_ttl = v[10];
        break;
    case ODP_KEY_UDP:
        memcpy(&f->tp_src, v, 2);
        memcpy(&f->tp_dst, v + 2, 2);
        break;
    case ODP_KEY_SKB_MARK: f->pkt_mark = cpu_to_be32(*(const uint32_t *) v); break;
    default: fail_msg("set of key %u", key->type);
    }
}

/* Whether two "sets" do the same to the packet: what only one of them sets, the packet has already. */
static bool
same_set(const struct odp_attr *a, const struct odp_attr *b, const struct flow *packet)
{
    struct flow va, ma, vb, mb;

    put_set(odp_attr_data(a), false, &va);
    put_set(odp_attr_data(a), true, &ma);
    put_set(odp_attr_data(b), false, &vb);
    put_set(odp_attr_data(b), true, &mb);
    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        uint64_t old = flow_word(packet, i), in_a = flow_word(&ma, i), in_b = flow_word(&mb, i);

        if (((flow_word(&va, i) & in_a) | (old & ~in_a)) != ((flow_word(&vb, i) & in_b) | (old & ~in_b))) {
            return false;
        }
    }
    return true;
}

/* Which bits are set that the packet has already follows from what was looked at, and that from rules that did not
 * match: it may be otherwise without a change for the packet. */
static bool
same_effect(const struct bytes *a, const struct bytes *b, const struct flow *packet)
{
    const uint8_t *end = a->data + a->len;

    if (a->len != b->len) {
        return false;
    }
    for (const uint8_t *p = a->data, *q = b->data; p < end;) {
        const struct odp_attr *x = (const void *) p, *y = (const void *) q;

        if (x->len != y->len || x->type != y->type ||
            (memcmp(x, y, x->len) &&
             (x->type != ODP_SET_MASKED || ((const struct odp_attr *) odp_attr_data(x))->type !=
              ((const struct odp_attr *) odp_attr_data(y))->type || !same_set(x, y, packet)))) {
            return false;
        }
        p += ROUND_UP(x->len, 4);
        q += ROUND_UP(y->len, 4);
    }
    return true;
}

/* Everything that was altered must be stale; it is then translated anew.  Now and then not all is looked at. */
static void
look_again(struct rig *rig, struct xlate_out *now)
{
    bool walk = random_below(&rig->r, 2);

    if (walk) {
        depend_walk_begin(rig->d);
    } else {
        depend_settle(rig->d);
    }
    for (int i = 0; i < N_PACKETS; i++) {
        struct translated *t = &rig->packets[i];
        bool altered, is_stale;

        if (!walk && random_below(&rig->r, 2)) {
            continue;
        }

        translate(rig, &t->flow, now);
        altered = now->error != t->out.error || !same_effect(&now->actions, &t->out.actions, &t->flow);
        is_stale = walk ? depend_check(rig->d, t->dependent) == DEPEND_STALE : !is_used(rig, t);
        if (altered && !is_stale) {
            fail_msg("a change altered packet %d and nothing said so", i);
        }
        rig->n_looked_at++;
        rig->n_altered += altered;
        rig->n_stale += is_stale;
        if (is_stale) {
            attach(rig, t);
            assert_true(is_used(rig, t));
        }
    }
    if (walk) {
        depend_walk_end(rig->d);
    }
}

static void
try_changes(const struct depend_limits *limits, struct depend_stats *work)
{
    unsigned int n_altered = 0, n_stale = 0, n_looked_at = 0, n_checked = 0;
    struct depend_stats stats;
    struct xlate_out now;

    memset(work, 0, sizeof *work);
    xlate_out_init(&now);
    for (unsigned int seed = 0; seed < 100; seed++) {
        static struct rig rig;

        rig_init_limited(&rig, limits);
        random_seed(&rig.r, seed);
        add_random_rules(&rig, ORACLE_MAX_RULES);
        for (int i = 0; i < N_PACKETS; i++) {
            struct oracle_packet p;

            oracle_random_packet(&rig.r, &p);
            oracle_packet_to_flow(&p, &rig.packets[i].flow);
            tun_flow_from_raw(NULL, &rig.packets[i].flow); /* The bridge knows no options of tunnels. */
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
        n_checked += rig.n_checked;
        depend_get_stats(rig.d, &stats);
        work->n_doubts += stats.n_doubts;
        work->n_marked += stats.n_marked;
        work->n_compared += stats.n_compared;
        rig_uninit(&rig);
        rcu_quiescent();
    }
    print_message("%u translations looked at, %u altered, %u stale, %u were in doubt\n", n_looked_at, n_altered,
                  n_stale, n_checked);
    assert_true(n_altered > 1000);
    assert_true(n_stale < n_looked_at / 3 * 2); /* Not all is looked at after each change. */
    work->n_stale = n_stale;
    xlate_out_uninit(&now);
}

/* Whether they are marked one by one, all are in doubt, or nodes are compared only when somebody asks: the same ones
 * are stale. */
static void
what_a_change_alters_is_stale(void **state UNUSED)
{
    static const struct depend_limits none = { 0, 0 }, no_marks = { 1000, 0 }, few = { 20, 4 };
    struct depend_stats work;
    size_t n_stale;

    try_changes(&depend_default_limits, &work);
    n_stale = work.n_stale;
    assert_true(work.n_doubts < 10);
    assert_true(work.n_marked > 1000);
    try_changes(&none, &work);
    assert_true(work.n_doubts > 1000);
    assert_int_equal(work.n_marked, 0);
    assert_int_equal(work.n_stale, n_stale);
    try_changes(&no_marks, &work);
    assert_true(work.n_doubts > 1000);
    assert_int_equal(work.n_stale, n_stale);
    try_changes(&few, &work);
    assert_int_equal(work.n_stale, n_stale);
    assert_true(work.n_doubts > 100);
    assert_true(work.n_marked > 100);
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
        depend_attach(rig.d, t->dependent, &t->out, seq);
        assert_int_equal(t->is_marked, k > 0);
    }
    rig_uninit(&rig);
}

static bool
always(void *aux UNUSED, struct dependent *d UNUSED)
{
    return true;
}

static void
pop_all(struct rig *rig, unsigned int n_expected)
{
    struct dependent *d;
    unsigned int n = 0;

    while ((d = depend_pop_stale(rig->d, always, NULL)) != NULL) {
        n++;
        attach(rig, held_by(d));
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
    assert_true(depend_needs_walk(rig.d));
    for (int i = 0; i < 3; i++) {
        assert_true(is_used(&rig, &rig.packets[i]));
        assert_int_equal(depend_check(rig.d, rig.packets[i].dependent), DEPEND_SOFT);
    }
    pop_all(&rig, 0);
    attach(&rig, &rig.packets[0]);
    depend_harden(rig.d);
    assert_true(is_used(&rig, &rig.packets[0]));
    assert_false(is_used(&rig, &rig.packets[1]));
    depend_walk_begin(rig.d);
    assert_int_equal(depend_check(rig.d, rig.packets[0].dependent), DEPEND_RIGHT);
    assert_int_equal(depend_check(rig.d, rig.packets[2].dependent), DEPEND_STALE);
    pop_all(&rig, 2);
    depend_walk_end(rig.d);
    assert_false(depend_needs_walk(rig.d));
    depend_table_changed(rig.d, rig.b, 3);
    depend_settle(rig.d);
    pop_all(&rig, 0);
    depend_table_changed(rig.d, rig.b, 0);
    depend_all_changed(rig.d);
    depend_settle(rig.d);
    assert_false(is_used(&rig, &rig.packets[1]));
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
attach_to(struct rig *rig, struct translated *t, uint64_t metadata)
{
    t->flow = (struct flow) { .in_port = BE32(1), .metadata = cpu_to_be64(metadata) };
    attach(rig, t);
}

static void
a_run_concerns_those_who_took_it(void **state UNUSED)
{
    struct rig rig;

    rig_init(&rig);
    assert_null(sim_add_flow_directly(rig.b, "actions=resubmit(,1)"));
    for (int i = 1; i < 10; i++) {
        for (int net = 0; net < 2; net++) {
            char *text = xasprintf("table=%d,metadata=%d,actions=resubmit(,%d)", i, net, i + 1);

            assert_null(sim_add_flow_directly(rig.b, text));
            free(text);
        }
    }
    for (int i = 0; i < 8; i++) {
        attach_to(&rig, &rig.packets[i], i % 2);
        assert_int_equal(rig.packets[i].out.n_runs, i >= 2); /* The first of each net makes its run. */
    }
    assert_null(sim_add_flow_directly(rig.b, "table=5,priority=50000,metadata=1,actions=drop"));
    depend_rule_changed(rig.d, rig.b, 5, &sim_newest->cr);
    depend_settle(rig.d);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(rig.packets[i].is_marked, i % 2);
    }
    attach_to(&rig, &rig.packets[1], 1);
    assert_false(rig.packets[1].is_marked);
    assert_int_equal(rig.packets[1].out.n_runs, 0);
    rig_uninit(&rig);
}

static void
an_address_concerns_those_who_send_to_it(void **state UNUSED)
{
    static struct rig rig;
    struct eth_addr a = eth_addr_from_u64(0x20000000001), b = eth_addr_from_u64(0x20000000002);
    const void *key;

    rig_init(&rig);
    key = xbridge_port_rcu(rig.b, OFP_PORT(2)); /* Of the port's bundle, in sim.c. */
    mac_table_set_listener(rig.b->mac_table, &(struct mac_table_listener) { .changed = on_mac, .aux = &rig });
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

/* Many megaflows of one table, one for each source; two rules for each destination. */
static void
make_many(struct rig *rig, struct translated *many, unsigned int n)
{
    assert_null(sim_add_flow_directly(rig->b, "priority=5,ip,nw_src=9.9.9.9,actions=drop"));
    assert_null(sim_add_flow_directly(rig->b, "priority=4,ip,nw_dst=10.0.0.0/25,actions=2"));
    assert_null(sim_add_flow_directly(rig->b, "priority=4,ip,nw_dst=10.0.0.128/25,actions=3"));
    for (unsigned int i = 0; i < n; i++) {
        struct translated *t = &many[i];

        hold(t);
        t->flow.in_port = BE32(1);
        t->flow.eth_type = BE16(0x0800);
        t->flow.nw_src = cpu_to_be32(0x0b000000 + i);
        t->flow.nw_dst = cpu_to_be32(0x0a000000 + i % 256);
        attach(rig, t);
    }
}

static unsigned int
count_used(struct rig *rig, struct translated *many, unsigned int n)
{
    unsigned int n_used = 0;

    for (unsigned int i = 0; i < n; i++) {
        n_used += is_used(rig, &many[i]);
    }
    return n_used;
}

/* The work of settling a change does not grow with the dependents, whatever it concerns; and what they asked alike is
 * kept once. */
static void
a_broad_change_costs_the_same_for_many(void **state UNUSED)
{
    enum { MANY = 20480 };
    static struct translated many[MANY];
    static struct rig rig;
    struct depend_stats before, after;

    rig_init(&rig);
    make_many(&rig, many, MANY);
    depend_get_stats(rig.d, &before);
    assert_int_equal(before.n_dependents, MANY);
    assert_true(before.n_items <= before.n_nodes * 2);

    depend_table_changed(rig.d, rig.b, 0);
    depend_settle(rig.d);
    depend_get_stats(rig.d, &after);
    assert_true(after.n_marked - before.n_marked <= depend_default_limits.n_marked);
    assert_int_equal(after.n_doubts, before.n_doubts + 1);
    assert_int_equal(count_used(&rig, many, MANY), 0);
    for (int i = 0; i < MANY; i++) {
        attach(&rig, &many[i]);
    }
    assert_int_equal(count_used(&rig, many, MANY), MANY);

    /* A rule for half of them. */
    depend_get_stats(rig.d, &before);
    assert_null(sim_add_flow_directly(rig.b, "priority=9,ip,nw_dst=10.0.0.128/25,actions=1"));
    depend_rule_changed(rig.d, rig.b, 0, &sim_newest->cr);
    depend_settle(rig.d);
    depend_get_stats(rig.d, &after);
    assert_true(after.n_marked - before.n_marked <= depend_default_limits.n_marked);
    assert_true(after.n_compared - before.n_compared <= before.n_nodes);
    assert_int_equal(count_used(&rig, many, MANY), MANY / 2);

    /* One that concerns nobody. */
    before = after;
    assert_null(sim_add_flow_directly(rig.b, "priority=9,ip,nw_dst=10.1.0.0/25,actions=1"));
    depend_rule_changed(rig.d, rig.b, 0, &sim_newest->cr);
    depend_settle(rig.d);
    depend_get_stats(rig.d, &after);
    assert_int_equal(after.n_doubts, before.n_doubts);
    assert_int_equal(after.n_marked, before.n_marked);
    for (int i = 0; i < MANY; i++) {
        let_go(&rig, &many[i]);
    }
    rig_uninit(&rig);
}

/* More questions in one class than one step or tail has: all of them, through one path. */
static void
questions_of_one_kind_may_be_many(void **state UNUSED)
{
    enum { N = 300 };
    static struct xlate_consulted consulted[N];
    struct xlate_out out;
    struct depend_stats stats;
    struct rig rig;

    rig_init(&rig);
    xlate_out_init(&out);
    for (int i = 0; i < N; i++) {
        consulted[i] = (struct xlate_consulted) { .kind = CONSULTED_MAC, .bridge = rig.b, .key = i };
    }
    for (int of = 0; of < 2; of++) { /* Asked by one alone; by two. */
        for (int i = 0; i <= of; i++) {
            struct xlate_out asked = out;

            asked.consulted = consulted;
            asked.n_consulted = N - i; /* The second asks all but one of them. */
            depend_attach(rig.d, rig.packets[i].dependent, &asked, depend_seq(rig.d));
        }
        depend_get_stats(rig.d, &stats);
        assert_int_equal(stats.n_nodes, N);
        for (int i = 0; i < N; i++) {
            depend_key_changed(rig.d, rig.b, CONSULTED_MAC, i);
            depend_settle(rig.d);
            assert_true(rig.packets[0].is_marked);
            assert_int_equal(rig.packets[1].is_marked, of && i < N - 1);
            for (int k = 0; k <= of; k++) {
                struct xlate_out asked = out;

                asked.consulted = consulted;
                asked.n_consulted = N - k;
                depend_attach(rig.d, rig.packets[k].dependent, &asked, depend_seq(rig.d));
                assert_false(rig.packets[k].is_marked);
            }
        }
    }
    xlate_out_uninit(&out);
    rig_uninit(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_change_alters_is_stale),
        cmocka_unit_test(a_change_during_translation_is_noticed),
        cmocka_unit_test(a_broad_change_costs_the_same_for_many),
        cmocka_unit_test(questions_of_one_kind_may_be_many),
        cmocka_unit_test(soft_changes_leave_everything_in_use),
        cmocka_unit_test(a_run_concerns_those_who_took_it),
        cmocka_unit_test(an_address_concerns_those_who_send_to_it),
        cmocka_unit_test(a_mirror_concerns_the_ports_that_it_selects),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
