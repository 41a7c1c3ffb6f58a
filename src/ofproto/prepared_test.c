#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "ofproto/prepared.h"
#include "sys/rcu_cmocka.h"

enum { N = 300 };

static struct flow_mod flow_mods[N];
static struct act_buf acts[N];

/* A few words of the match, any of them, and some actions. */
static void
make(struct random *r, struct flow_mod *fm, struct act_buf *a)
{
    flow_mod_init(fm);
    fm->priority = random_below(r, 65536);
    fm->new_cookie = random_u64(r);
    fm->used_options = random_u64(r);
    for (int n = random_below(r, 9); n; n--) {
        unsigned int i = random_below(r, FLOW_N_WORDS);

        *flow_word_ptr(&fm->match.mask, i) = random_u64(r);
        *flow_word_ptr(&fm->match.flow, i) = random_u64(r) & flow_word(&fm->match.mask, i);
    }
    act_buf_init(a);
    for (int n = random_below(r, 4) ? random_below(r, 3) : random_below(r, 200); n; n--) {
        struct act_output *o = act_put(a, ACT_OUTPUT, sizeof *o);

        o->port = OFP_PORT(random_below(r, 1000));
    }
    fm->actions = act_buf_span(a);
}

static void
make_all(struct prepared_flows *p)
{
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < N; i++) {
        make(&r, &flow_mods[i], &acts[i]);
        if (i % 5) {
            prepared_flows_put(p, i * 10, &flow_mods[i]);
        }
    }
}

static void
free_all(struct prepared_flows *p)
{
    prepared_flows_uninit(p);
    assert_int_equal(p->n_bytes, 0);
    for (int i = 0; i < N; i++) {
        act_buf_uninit(&acts[i]);
    }
}

static void
check(const struct flow_mod *a, const struct flow_mod *b)
{
    assert_memory_equal(a, b, offsetof(struct flow_mod, actions));
    assert_true(act_span_equal(a->actions, b->actions));
}

static void
what_was_put_is_taken_and_what_was_not_is_not(void **state UNUSED)
{
    struct prepared_reader reader = { .now = 0 };
    struct prepared_flows p = { .first = NULL };

    make_all(&p);
    for (int i = 0; i < N; i++) {
        const struct flow_mod *fm = prepared_flows_take(&p, i * 10, &reader);

        if (i % 5) {
            check(fm, &flow_mods[i]);
        } else {
            assert_null(fm);
        }
    }
    assert_null(prepared_flows_next(&reader));
    free_all(&p);
}

static void
the_next_one_is_ready(void **state UNUSED)
{
    struct prepared_reader reader = { .now = 0 };
    struct prepared_flows p = { .first = NULL };

    make_all(&p);
    assert_non_null(prepared_flows_take(&p, 10, &reader));
    check(&prepared_flows_next(&reader)->fm, &flow_mods[2]);
    free_all(&p);
}

static void
from_the_beginning_again_only_what_was_not_taken_is_there(void **state UNUSED)
{
    struct prepared_reader reader = { .now = 0 };
    struct prepared_flows p = { .first = NULL };

    make_all(&p);
    for (int i = 0; i <= 111; i++) {
        (void) prepared_flows_take(&p, i * 10, &reader);
    }
    for (int i = 0; i < N; i++) {
        const struct flow_mod *fm = prepared_flows_take(&p, i * 10, &reader);

        if (i >= 111 && i % 5) {
            check(fm, &flow_mods[i]);
        } else {
            assert_null(fm);
        }
    }
    free_all(&p);
}

static void
some_may_be_passed_over(void **state UNUSED)
{
    struct prepared_reader reader = { .now = 0 };
    struct prepared_flows p = { .first = NULL };

    make_all(&p);
    for (int i = 0; i < N; i += 7) {
        const struct flow_mod *fm = prepared_flows_take(&p, i * 10, &reader);

        if (i % 5) {
            check(fm, &flow_mods[i]);
        }
    }
    free_all(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_taken_and_what_was_not_is_not),
        cmocka_unit_test(the_next_one_is_ready),
        cmocka_unit_test(from_the_beginning_again_only_what_was_not_taken_is_there),
        cmocka_unit_test(some_may_be_passed_over),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
