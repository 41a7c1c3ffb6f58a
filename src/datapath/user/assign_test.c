/* Dealing out receive queues, as text: "PORT.QUEUE@NODE=CYCLES>CORE ..." to "CORE@NODE ...". */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/str.h"
#include "datapath/user/auto_lb.h"

enum { MAX = 16 };

struct said {
    unsigned int n_pinned, n_not_pinned, n_begun, n_foreign, n_left;
};

static void
hear_pinned(void *s_, const struct assign_queue *q, const struct assign_core *core)
{
    struct said *s = s_;

    assert_true(q->wanted >= 0);
    s->n_pinned += core != NULL;
    s->n_not_pinned += !core;
}

static void
hear_begin(void *s_)
{
    ((struct said *) s_)->n_begun++;
}

static void
hear_assigned(void *s_, const struct assign_queue *q, const struct assign_core *core, bool is_foreign)
{
    assert_int_equal(is_foreign, q->node != core->node);
    ((struct said *) s_)->n_foreign += is_foreign;
}

static void
hear_left(void *s_, const struct assign_queue *q)
{
    assert_true(q->core == ASSIGN_NONE);
    ((struct said *) s_)->n_left++;
}

static char names[MAX][8];

static size_t
parse_queues(const char *text, struct assign_queue *queues)
{
    char *copy = strdup(text), *rest = copy, *word;
    size_t n = 0;

    while ((word = strsep(&rest, " ")) != NULL && word[0]) {
        struct assign_queue *q = &queues[n];
        unsigned long cycles = 0;
        int end = 0;

        *q = (struct assign_queue) { .port = names[n], .wanted = -1 };
        assert_true(sscanf(word, "%7[^.].%u@%u%n", names[n], &q->queue, &q->node, &end) >= 3);
        word += end;
        if (sscanf(word, "=%lu%n", &cycles, &end) == 1) {
            word += end;
        }
        q->cycles = cycles;
        assert_true(!*word || sscanf(word, ">%d", &q->wanted) == 1);
        n++;
    }
    free(copy);
    return n;
}

static size_t
parse_cores(const char *text, struct assign_core *cores)
{
    char *copy = strdup(text), *rest = copy, *word;
    size_t n = 0;

    while ((word = strsep(&rest, " ")) != NULL && word[0]) {
        assert_int_equal(sscanf(word, "%u@%u", &cores[n].id, &cores[n].node), 2);
        n++;
    }
    free(copy);
    return n;
}

/* "CORE: QUEUES; ..."; an isolated core has a star. */
static void
check(const char *queues_text, const char *cores_text, enum assign_how how, bool isolates, const char *wanted,
      struct said *said)
{
    const struct assign_listener listener = { said, hear_pinned, hear_begin, hear_assigned, hear_left };
    struct assign_queue queues[MAX];
    struct assign_core cores[MAX];
    size_t n = parse_queues(queues_text, queues), n_cores = parse_cores(cores_text, cores);
    struct str got = STR_INIT;

    *said = (struct said) { 0 };
    assign(queues, n, cores, n_cores, how, isolates, &listener);
    for (size_t c = 0; c < n_cores; c++) {
        uint64_t load = 0;
        size_t n_queues = 0;

        str_putf(&got, "%s%u%s:", c ? "; " : "", cores[c].id, cores[c].is_isolated ? "*" : "");
        for (size_t i = 0; i < n; i++) {
            if (queues[i].core == c) {
                str_putf(&got, " %s.%u", queues[i].port, queues[i].queue);
                load += queues[i].cycles;
                n_queues++;
            }
        }
        assert_int_equal(load, cores[c].load);
        assert_int_equal(n_queues, cores[c].n_queues);
    }
    assert_string_equal(str_text(&got), wanted);
    str_uninit(&got);
}

static void
dearest_queues_go_up_and_down_the_cores(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0=1 a.1@0=5 b.0@0=4 b.1@0=3 c.0@0=2 c.1@0=9 c.2@0=0", "0@0 1@0 2@0", ASSIGN_CYCLES, true,
          "0: a.0 c.1 c.2; 1: a.1 c.0; 2: b.0 b.1", &said);
    assert_int_equal(said.n_begun, 1);
    assert_int_equal(said.n_foreign + said.n_left + said.n_pinned, 0);
}

static void
queues_that_cost_the_same_stay_in_order(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0 a.1@0 b.0@0 b.1@0 b.2@0", "0@0 1@0", ASSIGN_CYCLES, true, "0: a.0 b.1 b.2; 1: a.1 b.0", &said);
}

static void
roundrobin_takes_no_notice_of_the_cost(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0=1 a.1@0=5 b.0@0=400 b.1@0=3 c.0@0=2", "0@0 1@0", ASSIGN_ROUNDROBIN, true,
          "0: a.0 b.0 c.0; 1: a.1 b.1", &said);
}

static void
group_gives_each_to_the_least_loaded(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0=10 a.1@0=4 b.0@0=3 b.1@0=3 c.0@0=0", "0@0 1@0", ASSIGN_GROUP, true,
          "0: a.0 c.0; 1: a.1 b.0 b.1", &said);
}

static void
of_equal_loads_group_takes_that_with_fewer_queues(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0>1 a.1@0 a.2@0 a.3@0", "0@0 1@0 2@0", ASSIGN_GROUP, false, "0: a.1 a.3; 1: a.0; 2: a.2", &said);
    assert_int_equal(said.n_pinned, 1);
}

static void
a_wanted_core_is_isolated(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0>1 a.1@0 a.2@0", "0@0 1@0", ASSIGN_CYCLES, true, "0: a.1 a.2; 1*: a.0", &said);
    check("a.0@0>1 a.1@0>1", "0@0 1@0", ASSIGN_CYCLES, true, "0:; 1*: a.0 a.1", &said);
    assert_int_equal(said.n_begun, 0);
}

static void
what_wants_a_core_without_worker_is_dealt_out_like_others(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0>7 a.1@0", "0@0 1@0", ASSIGN_CYCLES, true, "0: a.0; 1: a.1", &said);
    assert_int_equal(said.n_not_pinned, 1);
}

static void
queues_stay_in_their_node_while_it_has_cores(void **state)
{
    struct said said;

    (void) state;
    check("a.0@1 a.1@1 b.0@0 b.1@0 b.2@0", "0@0 1@0 4@1", ASSIGN_CYCLES, true, "0: b.0; 1: b.1 b.2; 4: a.0 a.1",
          &said);
    assert_int_equal(said.n_foreign, 0);
}

static void
queues_without_a_core_in_their_node_go_to_the_others_in_turn(void **state)
{
    struct said said;

    (void) state;
    check("a.0@7 a.1@7 a.2@7 b.0@0", "0@0 4@1", ASSIGN_CYCLES, true, "0: a.0 a.2 b.0; 4: a.1", &said);
    assert_int_equal(said.n_foreign, 3);
    /* All cores of the node are isolated. */
    check("a.0@1>4 a.1@1", "0@0 4@1", ASSIGN_GROUP, true, "0: a.1; 4*: a.0", &said);
    assert_int_equal(said.n_foreign, 1);
}

static void
with_no_core_left_a_queue_is_not_polled(void **state)
{
    struct said said;

    (void) state;
    check("a.0@0 a.1@0", "", ASSIGN_CYCLES, true, "", &said);
    assert_int_equal(said.n_left, 2);
    check("a.0@0>0 a.1@0", "0@0", ASSIGN_CYCLES, true, "0*: a.0", &said);
    assert_int_equal(said.n_left, 1);
}

static void
variance_is_that_of_the_shares_of_cores_that_are_not_isolated(void **state)
{
    struct assign_core cores[] = { { .load = 100 }, { .load = 0 }, { .load = 50, .is_isolated = true },
                                   { .load = 40, .node = 1 } };

    (void) state;
    assert_int_equal(assign_variance(cores, 4, 0, 100), 2500);
    assert_int_equal(assign_variance(cores, 4, 1, 100), 0);
    cores[1].load = 100;
    assert_int_equal(assign_variance(cores, 4, 0, 100), 0);
    assert_int_equal(assign_variance(cores, 0, 0, 100), 0);
    assert_int_equal(assign_variance(cores, 4, 0, 0), 0);
}

/* Balancing by itself: queues "PORT.QUEUE@NODE=CYCLES" are at the cores whose places are given, of 100 cycles each. */
static enum auto_lb_verdict
judge(const struct auto_lb *lb, const char *queues_text, const char *at, const char *cores_text, unsigned int *gain)
{
    struct assign_queue queues[MAX];
    struct assign_core cores[MAX] = { { 0 } };
    size_t n = parse_queues(queues_text, queues), n_cores = parse_cores(cores_text, cores);

    assert_int_equal(n, strlen(at));
    for (size_t i = 0; i < n; i++) {
        queues[i].core = at[i] - '0';
        cores[queues[i].core].is_isolated |= queues[i].wanted >= 0;
    }
    return auto_lb_judge(lb, queues, n, cores, n_cores, gain);
}

static const struct auto_lb defaults = { .isolates = true, .load = 95, .improvement = 25, .full = 100 };

static void
an_overloaded_core_is_relieved_where_another_has_room(void **state)
{
    unsigned int gain;

    (void) state;
    assert_int_equal(judge(&defaults, "a.0@0=50 b.0@0=46 c.0@0=2", "001", "0@0 1@0", &gain), AUTO_LB_GAIN);
    assert_true(gain > 90);
}

static void
what_is_below_the_threshold_is_left_alone(void **state)
{
    struct auto_lb lb = defaults;
    unsigned int gain;

    (void) state;
    assert_int_equal(judge(&lb, "a.0@0=50 b.0@0=44 c.0@0=2", "001", "0@0 1@0", &gain), AUTO_LB_NOT_LOADED);
    lb.load = 94;
    assert_int_equal(judge(&lb, "a.0@0=50 b.0@0=44 c.0@0=2", "001", "0@0 1@0", &gain), AUTO_LB_GAIN);
}

static void
what_would_not_help_is_left_alone(void **state)
{
    struct auto_lb lb = defaults;
    unsigned int gain;

    (void) state;
    assert_int_equal(judge(&lb, "a.0@0=96 b.0@0=5 c.0@0=4", "011", "0@0 1@0", &gain), AUTO_LB_NO_GAIN);
    assert_int_equal(gain, 0);
    lb.improvement = 0; /* Then it is always worth it. */
    assert_int_equal(judge(&lb, "a.0@0=96 b.0@0=5 c.0@0=4", "011", "0@0 1@0", &gain), AUTO_LB_GAIN);
}

static void
without_a_second_core_or_queue_there_is_no_choice(void **state)
{
    unsigned int gain;

    (void) state;
    assert_int_equal(judge(&defaults, "a.0@0=50 b.0@0=50", "00", "0@0", &gain), AUTO_LB_NO_CHOICE);
    assert_int_equal(judge(&defaults, "a.0@0=100 b.0@0=0", "01", "0@0 1@0", &gain), AUTO_LB_NO_CHOICE);
    assert_int_equal(judge(&defaults, "a.0@0=50 b.0@0=50 c.0@0=1>1", "001", "0@0 1@0", &gain), AUTO_LB_NO_CHOICE);
    assert_int_equal(judge(&defaults, "", "", "", &gain), AUTO_LB_NO_CHOICE);
}

static void
each_node_is_looked_at_by_itself(void **state)
{
    unsigned int gain;

    (void) state;
    /* The load of node 0 cannot go to node 1, where nothing would change. */
    assert_int_equal(judge(&defaults, "a.0@0=50 b.0@0=50 c.0@1=1", "001", "0@0 4@1", &gain), AUTO_LB_NO_GAIN);
    assert_int_equal(judge(&defaults, "a.0@0=50 b.0@0=50 c.0@1=1", "002", "0@0 1@0 4@1", &gain), AUTO_LB_GAIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dearest_queues_go_up_and_down_the_cores),
        cmocka_unit_test(queues_that_cost_the_same_stay_in_order),
        cmocka_unit_test(roundrobin_takes_no_notice_of_the_cost),
        cmocka_unit_test(group_gives_each_to_the_least_loaded),
        cmocka_unit_test(of_equal_loads_group_takes_that_with_fewer_queues),
        cmocka_unit_test(a_wanted_core_is_isolated),
        cmocka_unit_test(what_wants_a_core_without_worker_is_dealt_out_like_others),
        cmocka_unit_test(queues_stay_in_their_node_while_it_has_cores),
        cmocka_unit_test(queues_without_a_core_in_their_node_go_to_the_others_in_turn),
        cmocka_unit_test(with_no_core_left_a_queue_is_not_polled),
        cmocka_unit_test(variance_is_that_of_the_shares_of_cores_that_are_not_isolated),
        cmocka_unit_test(an_overloaded_core_is_relieved_where_another_has_room),
        cmocka_unit_test(what_is_below_the_threshold_is_left_alone),
        cmocka_unit_test(what_would_not_help_is_left_alone),
        cmocka_unit_test(without_a_second_core_or_queue_there_is_no_choice),
        cmocka_unit_test(each_node_is_looked_at_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
