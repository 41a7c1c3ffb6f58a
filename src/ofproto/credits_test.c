/* What pieces count reaches the rules: at once or, at the latest, when somebody asks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "ofproto/credits.h"
#include "sys/rcu_cmocka.h"

enum { N_RULES = 64, MANY_LISTS = 4, TABLE = 7 };

static struct classifier table;
static struct xbridge bridge;
static struct rule *rules[N_RULES];

static struct rule *
make_rule(void)
{
    const struct match match = { .mask = { .tp_dst = BE16_MAX } };
    struct rule *r = rule_create((struct act_span) { NULL, 0 });

    r->table_id = TABLE;
    classifier_insert(&table, &r->cr, &match, 1, 0);
    return r;
}

static void
remove_rule(struct rule *r)
{
    classifier_remove(&table, &r->cr);
    rule_unref(r);
}

static uint64_t
packets(const struct rule *r)
{
    return atomic_load(&rule_counts_in_rcu(r)->n_packets);
}

/* A translation that found these rules. */
struct found {
    struct xlate_credit credits[CREDITS_PIECE * 2];
    struct xlate_out out;
};

static void
find(struct found *f, struct rule *rule)
{
    f->out.credits = f->credits;
    f->credits[f->out.n_credits++] = (struct xlate_credit) {
        .kind = CREDIT_RULE, .rule = rule, .rule_bridge = &bridge };
}

/* Lists that begin with rules 'first' to 'first' + CREDITS_PIECE - 1 and end with one of their own: rules[own + I]. */
static void
make_lists(struct credits *lists[MANY_LISTS], int first, int own)
{
    for (int i = 0; i < MANY_LISTS; i++) {
        struct found f = { .out = { .n_credits = 0 } };

        for (int k = 0; k < CREDITS_PIECE; k++) {
            find(&f, rules[first + k]);
        }
        find(&f, rules[own + i]);
        lists[i] = credits_get_rcu(&f.out);
    }
}

static void
unref_lists(struct credits *lists[MANY_LISTS])
{
    for (int i = 0; i < MANY_LISTS; i++) {
        credits_unref(lists[i]);
    }
}

static const struct dp_flow_stats one = { .n_packets = 1, .n_bytes = 60, .used = 5 };

static void
what_many_share_reaches_rules_when_settled(void **state UNUSED)
{
    struct credits *lists[MANY_LISTS];

    make_lists(lists, 0, CREDITS_PIECE);
    credits_push(lists[0], &one, false);
    credits_push(lists[3], &(struct dp_flow_stats) { .n_packets = 2, .n_bytes = 100, .used = 4 }, false);
    assert_int_equal(packets(rules[0]), 0);
    assert_int_equal(packets(rules[CREDITS_PIECE]), 1); /* Short pieces do not wait. */
    credits_settle();
    for (int i = 0; i < CREDITS_PIECE; i++) {
        assert_int_equal(packets(rules[i]), 3);
        assert_int_equal(atomic_load(&rules[i]->n_bytes), 160);
        assert_int_equal(atomic_load(&rules[i]->used), 5);
    }
    assert_int_equal(packets(rules[CREDITS_PIECE + 3]), 2);
    assert_int_equal(atomic_load(&bridge.table_matches[TABLE]), 3 * CREDITS_PIECE + 3);
    credits_settle();
    assert_int_equal(packets(rules[0]), 3);
    unref_lists(lists);
    assert_int_equal(packets(rules[0]), 3);
    assert_int_equal(credits_count(), 0);
}

static void
what_few_share_is_counted_at_once(void **state UNUSED)
{
    struct credits *lists[MANY_LISTS];

    make_lists(lists, 0, CREDITS_PIECE);
    credits_unref(lists[3]);
    credits_push(lists[0], &one, false);
    assert_int_equal(packets(rules[0]), 1);
    assert_int_equal(packets(rules[CREDITS_PIECE - 1]), 1);
    for (int i = 0; i < 3; i++) {
        credits_unref(lists[i]);
    }
    assert_int_equal(credits_count(), 0);
}

static void
a_piece_pays_before_it_goes(void **state UNUSED)
{
    struct credits *lists[MANY_LISTS];

    make_lists(lists, 0, CREDITS_PIECE);
    credits_push(lists[0], &one, false);
    unref_lists(lists);
    assert_int_equal(packets(rules[0]), 1);
    assert_int_equal(credits_count(), 0);
    credits_settle();
    assert_int_equal(packets(rules[0]), 1);
}

static void
successors_are_paid(void **state UNUSED)
{
    struct rule *old = rules[0], *new = make_rule();
    struct credits *lists[MANY_LISTS];

    make_lists(lists, 0, CREDITS_PIECE);
    credits_push(lists[0], &one, false);
    rule_pass_on(old, new);
    credits_push(lists[0], &one, false);
    credits_settle();
    assert_int_equal(atomic_load(&new->n_packets), 2);
    unref_lists(lists);
    remove_rule(new);
}

/* Ports count at once: their numbers are looked at by others. */
static void
only_rules_and_tables_wait(void **state UNUSED)
{
    struct xport port = { .n_refs = 1 };
    struct credits *lists[MANY_LISTS];

    for (int i = 0; i < MANY_LISTS; i++) {
        struct found f = { .out = { .n_credits = 0 } };

        for (int k = 0; k < CREDITS_PIECE - 1; k++) {
            find(&f, rules[k]);
        }
        f.credits[f.out.n_credits++] = (struct xlate_credit) { .kind = CREDIT_PORT_TX, .port = &port };
        find(&f, rules[CREDITS_PIECE + i]);
        lists[i] = credits_get_rcu(&f.out);
    }
    credits_push(lists[0], &one, false);
    assert_int_equal(atomic_load(&port.n_tx_packets), 1);
    assert_int_equal(packets(rules[0]), 1);
    unref_lists(lists);
}

/* A translation's own packet counts for what is dying, too, which its megaflow leaves out. */
static void
the_first_packet_counts_for_all(void **state UNUSED)
{
    struct found f = { .out = { .n_credits = 0 } };
    struct credits *c;

    for (int k = 0; k < CREDITS_PIECE; k++) {
        find(&f, rules[k]);
    }
    remove_rule(rules[1]); /* It is there until readers are done. */
    c = credits_get_rcu(&f.out);
    credits_push_first_rcu(c, &f.out, &one);
    credits_push(c, &one, false);
    assert_int_equal(atomic_load(&rules[1]->n_packets), 1);
    assert_int_equal(packets(rules[0]), 2);
    credits_unref(c);
    rules[1] = make_rule();
}

/* More pieces than may wait: whoever waits longest is paid.  Each is of one of four rules at each of its places. */
static void
the_oldest_make_room(void **state UNUSED)
{
    enum { N = 9000, CHOICE = 4 };
    struct credits **lists = xcalloc(N * MANY_LISTS, sizeof *lists);
    uint64_t sum = 0;

    for (int i = 0; i < N * MANY_LISTS; i++) {
        struct found f = { .out = { .n_credits = 0 } };

        for (int k = 0; k < CREDITS_PIECE; k++) {
            find(&f, rules[k * CHOICE + (i / MANY_LISTS >> 2 * k) % CHOICE]);
        }
        find(&f, rules[CREDITS_PIECE * CHOICE + i % MANY_LISTS]);
        lists[i] = credits_get_rcu(&f.out);
    }
    for (int i = 0; i < N; i++) {
        credits_push(lists[i * MANY_LISTS], &one, false);
    }
    for (int i = 0; i < CHOICE; i++) {
        sum += packets(rules[i]);
    }
    assert_in_range(sum, N - 8192, N - 1);
    credits_settle();
    sum = 0;
    for (int i = 0; i < CHOICE; i++) {
        sum += packets(rules[i]);
    }
    assert_int_equal(sum, N);
    for (int i = 0; i < N * MANY_LISTS; i++) {
        credits_unref(lists[i]);
    }
    assert_int_equal(credits_count(), 0);
    free(lists);
}

static int
set_up_rules(void **state UNUSED)
{
    memset(&bridge, 0, sizeof bridge);
    for (int i = 0; i < N_RULES; i++) {
        rules[i] = make_rule();
    }
    return 0;
}

static int
tear_down_rules(void **state UNUSED)
{
    for (int i = 0; i < N_RULES; i++) {
        remove_rule(rules[i]);
    }
    rcu_barrier_all();
    return 0;
}

static int
set_up(void **state)
{
    classifier_init(&table);
    return rcu_group_setup(state);
}

static int
tear_down(void **state)
{
    classifier_uninit(&table);
    return rcu_group_teardown(state);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up_rules, tear_down_rules)
    const struct CMUnitTest tests[] = {
        TEST(what_many_share_reaches_rules_when_settled),
        TEST(what_few_share_is_counted_at_once),
        TEST(a_piece_pays_before_it_goes),
        TEST(successors_are_paid),
        TEST(only_rules_and_tables_wait),
        TEST(the_first_packet_counts_for_all),
        TEST(the_oldest_make_room),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
