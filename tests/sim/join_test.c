/* Flows that packets teach while a long change of the tables is made in slices (ofproto/change_join.c): the outcome is
 * that of the flows first and the change behind them, in one go; of a change that is undone that of the flows alone.
 *
 * Random changes of flows of a few destinations in one table, in slices of the smallest size. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "ofproto/change.h"
#include "openflow/flow_syntax.h"
#include "openflow/msg/flow.h"
#include "sim.h"

enum { N_KEYS = 96, N_OPS = 12, N_TAUGHT = 10, N_TRIALS = 400, TABLE = 1 };

/* One flow-mod of the change, or a flow that is taught. */
struct op {
    enum flow_mod_command command;
    char text[96];
};

struct trial {
    struct op before[N_KEYS / 2], ops[N_OPS], taught[N_TAUGHT];
};

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
parse(const struct op *op, struct flow_mod *fm)
{
    struct act_text names = { NULL, NULL };
    unsigned int protocols;

    assert_null(flow_mod_parse(fm, op->text, op->command, &names, &protocols));
}

/* The cookie is that of the destination, so that what takes a flow's place has it, too. */
static struct op
of_key(enum flow_mod_command command, unsigned int key, unsigned int port)
{
    struct op op = { .command = command };

    if (command == FM_DELETE_STRICT) {
        snprintf(op.text, sizeof op.text, "table=%d,priority=5,ip,nw_dst=10.0.0.%u", TABLE, key);
    } else {
        snprintf(op.text, sizeof op.text, "table=%d,cookie=%u,priority=5,ip,nw_dst=10.0.0.%u,actions=output:%u", TABLE,
                 key, key, port);
    }
    return op;
}

/* About all flows, or those whose cookie has a bit set. */
static struct op
of_many(enum flow_mod_command command, unsigned int port)
{
    unsigned int bit = 1U << random_below(&rng, 8);
    struct op op = { .command = command };
    char actions[32];

    snprintf(actions, sizeof actions, command == FM_MODIFY ? ",actions=output:%u" : "", port);
    if (bit < 128) {
        snprintf(op.text, sizeof op.text, "table=%d,cookie=%u/%u%s", TABLE, bit, bit, actions);
    } else {
        snprintf(op.text, sizeof op.text, "table=%d%s", TABLE, actions);
    }
    return op;
}

static struct op
random_op(const struct trial *t, unsigned int port)
{
    switch (random_below(&rng, 8)) {
    case 0: return of_many(FM_DELETE, port);
    case 1: return of_many(FM_MODIFY, port);
    case 2: {
        struct op op = t->before[random_below(&rng, ARRAY_SIZE(t->before))];
        unsigned int key;

        assert_int_equal(sscanf(op.text, "table=1,cookie=%u", &key), 1);
        return of_key(FM_DELETE_STRICT, key, 0);
    }
    default: return of_key(FM_ADD, random_below(&rng, N_KEYS), port);
    }
}

static void
make_trial(struct trial *t)
{
    for (size_t i = 0; i < ARRAY_SIZE(t->before); i++) {
        t->before[i] = of_key(FM_ADD, random_below(&rng, N_KEYS), 1);
    }
    for (unsigned int i = 0; i < N_TAUGHT; i++) {
        t->taught[i] = of_key(FM_ADD, random_below(&rng, N_KEYS), 100 + i);
    }
    for (unsigned int i = 0; i < N_OPS; i++) {
        t->ops[i] = random_op(t, 200 + i);
    }
}

static void
run_at_once(const struct op *op)
{
    struct flow_mod fm;

    parse(op, &fm);
    assert_int_equal(ofproto_flow_mod(sim.bridge, &fm, NULL), OFPERR_NONE);
    flow_mod_uninit(&fm);
}

static void
begin(const struct trial *t)
{
    loop_run_once(sim.loop, false); /* What went before leaves the tables. */
    run_at_once(&(struct op) { FM_DELETE, "table=1" });
    for (size_t i = 0; i < ARRAY_SIZE(t->before); i++) {
        run_at_once(&t->before[i]);
    }
}

static void
teach(const struct op *op)
{
    struct flow_mod fm;

    parse(op, &fm);
    ofproto_learn(sim.bridge, &fm, 0);
    flow_mod_uninit(&fm);
}

static void
put_rule(void *ports_, struct cls_rule *cr)
{
    unsigned int *ports = ports_;
    struct rule *rule = rule_from_cls(cr);
    const struct act_output *out;
    unsigned int key;
    struct match m;
    size_t len;

    cls_rule_get_match(cr, &m);
    key = be32_to_cpu(m.flow.nw_dst) & 0xff;
    assert_int_equal(ports[key], 0); /* One a destination. */
    assert_int_equal(be64_to_cpu(rule->cookie), key);
    out = (const struct act_output *) rule_acts_rcu(rule, &len);
    ports[key] = ofp_to_u32(out->port);
}

/* The port of each destination, 0 where there is no flow. */
static void
look(unsigned int ports[256])
{
    unsigned int n = 0;

    memset(ports, 0, 256 * sizeof *ports);
    classifier_for_each(&sim.bridge->xb.tables[TABLE], NULL, atomic_load(&sim.bridge->xb.tables_version), put_rule,
                        ports);
    for (int i = 0; i < 256; i++) {
        n += ports[i] != 0;
    }
    assert_int_equal(sim.bridge->tables[TABLE].n_flows, n);
}

/* Flows are taught between steps, the next one with one chance in 'rarity' each time. */
struct teacher {
    const struct trial *trial;
    unsigned int n, rarity;
};

static void
maybe_teach(struct teacher *teacher)
{
    if (teacher->n < N_TAUGHT && !random_below(&rng, teacher->rarity)) {
        teach(&teacher->trial->taught[teacher->n++]);
    }
}

static void
stage_all(struct tables_change *c, const struct trial *t, struct teacher *teacher)
{
    for (int i = 0; i < N_OPS; i++) {
        struct flow_mod_run run;
        struct flow_mod fm;

        parse(&t->ops[i], &fm);
        flow_mod_run_begin(&run, c, &fm);
        while (!flow_mod_run_step(&run, &(struct loop_slice) { 0 })) {
            maybe_teach(teacher);
        }
        assert_int_equal(run.error, OFPERR_NONE);
        flow_mod_run_end(&run);
        flow_mod_uninit(&fm);
        maybe_teach(teacher);
    }
}

static void
look_after_what_comes_first(const struct trial *t, unsigned int n_taught, bool with_ops, unsigned int ports[256])
{
    begin(t);
    for (unsigned int i = 0; i < n_taught; i++) {
        teach(&t->taught[i]);
    }
    for (int i = 0; i < N_OPS && with_ops; i++) {
        run_at_once(&t->ops[i]);
    }
    look(ports);
}

static void
say(const struct trial *t, const unsigned int got[256], const unsigned int wanted[256])
{
    for (int i = 0; i < N_OPS; i++) {
        fprintf(stderr, "change: %d %s\n", t->ops[i].command, t->ops[i].text);
    }
    for (int i = 0; i < N_TAUGHT; i++) {
        fprintf(stderr, "taught: %s\n", t->taught[i].text);
    }
    for (int i = 0; i < 256; i++) {
        if (got[i] != wanted[i]) {
            fprintf(stderr, "10.0.0.%d: %u, not %u\n", i, got[i], wanted[i]);
        }
    }
}

/* One change with its flows, committed or undone; then those flows before it.  Returns how many were taught. */
static unsigned int
try(bool undone)
{
    unsigned int amid[256], got[256], wanted[256];
    struct tables_change c;
    struct trial t;
    struct teacher teacher = { .trial = &t, .rarity = 2 };

    make_trial(&t);
    begin(&t);
    change_begin_long(&c, sim.bridge, NULL);
    stage_all(&c, &t, &teacher);
    look(amid);
    if (undone) {
        while (!change_abort_step(&c, &(struct loop_slice) { 0 })) {
            continue;
        }
    } else {
        change_publish(&c);
        while (!change_commit_step(&c, &(struct loop_slice) { 0 })) {
            continue;
        }
    }
    change_end(&c);
    look(got);
    look_after_what_comes_first(&t, teacher.n, !undone, wanted);
    if (memcmp(got, wanted, sizeof got)) {
        say(&t, got, wanted);
    }
    assert_memory_equal(got, wanted, sizeof got);
    look_after_what_comes_first(&t, teacher.n, false, wanted);
    assert_memory_equal(amid, wanted, sizeof amid); /* Until it is published only what was taught is seen. */
    return teacher.n;
}

static void
a_change_does_to_flows_that_come_meanwhile_what_it_does_to_those_before(void **state UNUSED)
{
    unsigned int n = 0;

    for (int i = 0; i < N_TRIALS; i++) {
        n += try(false);
    }
    assert_true(n > N_TRIALS);
}

static void
a_change_that_is_undone_leaves_the_flows_that_came_meanwhile(void **state UNUSED)
{
    for (int i = 0; i < N_TRIALS; i++) {
        (void) try(true);
    }
}

/* Between the publication and the end of what is told of it they come behind the change. */
static void
flows_that_come_while_a_change_is_told_of_stay(void **state UNUSED)
{
    unsigned int got[256], wanted[256];
    struct tables_change c;
    struct trial t;
    struct teacher none = { .trial = &t, .n = N_TAUGHT };

    for (int k = 0; k < N_TRIALS; k++) {
        unsigned int n = 0;

        make_trial(&t);
        begin(&t);
        change_begin_long(&c, sim.bridge, NULL);
        stage_all(&c, &t, &none);
        change_publish(&c);
        do {
            if (n < N_TAUGHT) {
                teach(&t.taught[n++]);
            }
        } while (!change_commit_step(&c, &(struct loop_slice) { 0 }));
        change_end(&c);
        look(got);
        look_after_what_comes_first(&t, 0, true, wanted);
        for (unsigned int i = 0; i < n; i++) {
            teach(&t.taught[i]);
        }
        look(wanted);
        assert_memory_equal(got, wanted, sizeof got);
    }
}

/* In a full table. */
static void
no_flow_comes_above_the_limit_that_a_change_reaches(void **state UNUSED)
{
    struct ofproto_table_config config = { .flow_limit = 4, .has_limit = true, .evict = true };
    struct op op = of_key(FM_ADD, 1, 1), taught = of_key(FM_ADD, 2, 2);
    unsigned int ports[256];
    struct tables_change c;
    struct flow_mod fm;

    run_at_once(&(struct op) { FM_DELETE, "table=1" });
    ofproto_set_table(sim.bridge, TABLE, &config);
    change_begin_long(&c, sim.bridge, NULL);
    for (unsigned int i = 0; i < 4; i++) {
        op = of_key(FM_ADD, 10 + i, 1);
        parse(&op, &fm);
        assert_int_equal(change_flow_mod(&c, &fm), OFPERR_NONE);
        flow_mod_uninit(&fm);
    }
    teach(&taught);
    look(ports);
    assert_int_equal(ports[2], 0);
    change_commit(&c);
    look(ports);
    assert_int_equal(sim.bridge->tables[TABLE].n_flows, 4);
    ofproto_set_table(sim.bridge, TABLE, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_does_to_flows_that_come_meanwhile_what_it_does_to_those_before),
        cmocka_unit_test(a_change_that_is_undone_leaves_the_flows_that_came_meanwhile),
        cmocka_unit_test(flows_that_come_while_a_change_is_told_of_stay),
        cmocka_unit_test(no_flow_comes_above_the_limit_that_a_change_reaches),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
