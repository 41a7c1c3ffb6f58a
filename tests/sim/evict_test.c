/* Which flow goes from a full table, beside a search through all of them: random flows, in changes that are kept or
 * undone, of which some are used, some lose time, and some expire. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "ofproto/change.h"
#include "openflow/flow_syntax.h"
#include "sim.h"

enum { MAX_FLOWS = 40, N_PORTS = 4 };

static struct sim sim;
static struct random rnd;

/* The flows of table 0 in some version. */
struct flows {
    struct seen {
        struct rule *rule;
        uint32_t port;
        uint16_t importance;
        int64_t end; /* INT64_MAX: it has no timeout. */
    } all[MAX_FLOWS];
    size_t n;
    size_t in_group[N_PORTS + 1]; /* With a timeout. */
};

static void
see(void *f_, struct cls_rule *cr)
{
    struct flows *f = f_;
    struct rule *rule = rule_from_cls(cr);
    struct match m;

    assert_true(f->n < MAX_FLOWS);
    cls_rule_get_match(cr, &m);
    f->all[f->n] = (struct seen) { rule, be32_to_cpu(m.flow.in_port), rule->importance, expiry_of(rule) };
    f->in_group[f->all[f->n].port] += f->all[f->n].end != INT64_MAX;
    f->n++;
}

static struct flows
flows_of(uint64_t version)
{
    struct match all = { 0 };
    struct flows f = { .n = 0 };

    classifier_for_each(&sim.bridge->xb.tables[0], &all, version, see, &f);
    return f;
}

static bool
may_go(const struct flows *f, const struct seen *s, bool grouped)
{
    for (int port = 0; grouped && port <= N_PORTS; port++) {
        if (f->in_group[port] > f->in_group[s->port]) {
            return false;
        }
    }
    return s->end != INT64_MAX;
}

static bool
is_sooner(const struct seen *a, const struct seen *b)
{
    return a->importance != b->importance ? a->importance < b->importance : a->end < b->end;
}

/* The flow is one that may go, and there is none that would have to go before it. */
static void
check_gone(const struct flows *f, const struct seen *gone, bool grouped)
{
    assert_true(may_go(f, gone, grouped));
    for (size_t i = 0; i < f->n; i++) {
        assert_false(may_go(f, &f->all[i], grouped) && is_sooner(&f->all[i], gone));
    }
}

static bool
any_may_go(const struct flows *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->all[i].end != INT64_MAX) {
            return true;
        }
    }
    return false;
}

static enum ofperr
run(struct tables_change *c, enum flow_mod_command command, const char *text)
{
    struct act_text names = { NULL, NULL };
    unsigned int protocols;
    struct flow_mod fm;
    struct error *error = flow_mod_parse(&fm, text, command, &names, &protocols);
    enum ofperr result;

    assert_null(error);
    result = change_flow_mod(c, &fm);
    flow_mod_uninit(&fm);
    return result;
}

static void
add_one(struct tables_change *c, size_t limit, bool grouped)
{
    struct flows before = flows_of(c->version);
    char text[200];
    size_t n_gone = 0;
    enum ofperr error;

    snprintf(text, sizeof text, "priority=%u,in_port=%u,importance=%u,idle_timeout=%u,hard_timeout=%u,actions=drop",
             random_below(&rnd, 1000), 1 + random_below(&rnd, N_PORTS), random_below(&rnd, 3),
             random_below(&rnd, 3) * random_below(&rnd, 30), random_below(&rnd, 2) * random_below(&rnd, 600));
    error = run(c, FM_ADD, text);
    if (error) {
        assert_int_equal(error, OFPERR_OFPFMFC_TABLE_FULL);
        assert_true(before.n >= limit && !any_may_go(&before));
        return;
    }
    for (size_t i = 0; i < before.n; i++) {
        if (!cls_rule_visible(&before.all[i].rule->cr, c->version)) {
            n_gone++;
            if (!c->added[c->n_added - 1]->is_replacement) {
                assert_true(before.n >= limit);
                check_gone(&before, &before.all[i], grouped);
            }
        }
    }
    assert_true(n_gone <= 1 && flows_of(c->version).n <= limit);
}

static void
use_or_reduce_one(const struct flows *f)
{
    struct rule *rule = f->n ? f->all[random_below(&rnd, f->n)].rule : NULL;

    if (rule && random_below(&rnd, 3)) {
        rule_credit(rule, 1, 60, clock_now_ms());
    } else if (rule) {
        atomic_store(&rule->hard_timeout, 1 + random_below(&rnd, 20));
        expiry_note_reduced(rule);
    }
}

static void
change_some(size_t limit, bool grouped)
{
    struct tables_change c;

    pthread_mutex_lock(&sim.bridge->tables_mutex);
    change_begin(&c, sim.bridge, NULL);
    for (int n = random_below(&rnd, 8); n > 0; n--) {
        if (random_below(&rnd, 10)) {
            add_one(&c, limit, grouped);
        } else {
            char text[40];

            snprintf(text, sizeof text, "in_port=%u", 1 + random_below(&rnd, N_PORTS));
            assert_int_equal(run(&c, FM_DELETE, text), OFPERR_NONE);
        }
    }
    (random_below(&rnd, 3) ? change_commit : change_abort)(&c);
    pthread_mutex_unlock(&sim.bridge->tables_mutex);
}

static void
configure(size_t limit, bool grouped)
{
    static const char *const groups[] = { "NXM_OF_IN_PORT[]" };
    struct ofproto_table_config config = {
        .flow_limit = limit, .has_limit = true, .evict = true, .groups = groups, .n_groups = grouped,
    };

    ofproto_set_table(sim.bridge, 0, &config);
}

static void
the_flow_that_goes_is_the_one_that_a_search_finds(void **state UNUSED)
{
    for (unsigned int round = 0; round < 20; round++) {
        bool grouped = round % 2;
        size_t limit = 24 - round;

        random_seed(&rnd, round);
        configure(limit, grouped);
        for (int step = 0; step < 100; step++) {
            struct flows now;

            change_some(limit, grouped);
            now = flows_of(atomic_load(&sim.bridge->xb.tables_version));
            use_or_reduce_one(&now);
            clock_warp(1 + random_below(&rnd, 1000));
            if (step % 20 == 0) {
                sim_warp(&sim, 1000);
            }
        }
        ofproto_set_table(sim.bridge, 0, NULL); /* The order goes, and is made again from what is there. */
        assert_null(sim.bridge->tables[0].order);
    }
}

static int
set_up(void **state UNUSED)
{
    sim_start(&sim);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    sim_stop(&sim);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_flow_that_goes_is_the_one_that_a_search_finds, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
