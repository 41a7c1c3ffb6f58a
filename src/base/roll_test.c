#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/roll.h"

enum { N = 60, N_WALKS = 4, N_STEPS = 20000 };

struct thing {
    struct roll_entry entry;
    bool is_in;
    unsigned int life;        /* Another one each time it comes. */
};

/* With what the oracle knows: in which life each thing is to be met, and how often it has been in that. */
struct test_walk {
    struct roll_walk walk;
    bool has_begun;
    unsigned int lives[N];    /* 0: it was not there. */
    unsigned int n_met[N];
};

static struct thing things[N];

static void
meet(struct roll_walk *walk, struct roll_entry *e)
{
    struct test_walk *w = CONTAINER_OF(walk, struct test_walk, walk);
    const struct thing *t = CONTAINER_OF(e, struct thing, entry);

    assert_true(t->is_in);
    assert_int_equal(t->life, w->lives[t - things]);
    w->n_met[t - things]++;
}

static void
toggle(struct roll *r, struct thing *t)
{
    if (t->is_in) {
        roll_remove(r, &t->entry);
        t->is_in = false;
    } else {
        roll_add(r, &t->entry);
        t->is_in = true;
        t->life++;
    }
}

static void
begin(struct roll *r, struct test_walk *w)
{
    *w = (struct test_walk) { .has_begun = true };
    for (int i = 0; i < N; i++) {
        w->lives[i] = things[i].is_in ? things[i].life : 0;
    }
    roll_walk_begin(&w->walk, r, meet);
}

/* All that was there has been met once, and nothing else. */
static void
check_and_end(struct test_walk *w)
{
    for (int i = 0; i < N; i++) {
        assert_int_equal(w->n_met[i], w->lives[i] != 0);
    }
    roll_walk_end(&w->walk);
    w->has_begun = false;
}

static void
a_walk_meets_what_was_there_at_its_beginning_once(void **state UNUSED)
{
    struct test_walk walks[N_WALKS] = { { .has_begun = false } };
    unsigned int n_whole = 0;
    struct random r;
    struct roll roll;

    random_seed(&r, 1);
    roll_init(&roll);
    for (int i = 0; i < N_STEPS; i++) {
        struct test_walk *w = &walks[random_below(&r, N_WALKS)];

        for (unsigned int n = random_below(&r, 8); n; n--) {
            toggle(&roll, &things[random_below(&r, N)]);
        }
        if (!w->has_begun) {
            begin(&roll, w);
        } else if (roll_walk_step(&w->walk, random_below(&r, 12))) {
            check_and_end(w);
            n_whole++;
        } else if (!random_below(&r, 50)) {
            roll_walk_end(&w->walk); /* In the middle. */
            w->has_begun = false;
        }
    }
    assert_true(n_whole > N_STEPS / 20);
}

static void
a_walk_of_nothing_is_through_at_once(void **state UNUSED)
{
    struct roll_entry later;
    struct roll_walk w;
    struct roll roll;

    roll_init(&roll);
    roll_walk_begin(&w, &roll, meet);
    roll_add(&roll, &later);
    assert_true(roll_walk_step(&w, 1)); /* Without a call of meet(), which knows no such thing. */
    roll_remove(&roll, &later);
    roll_walk_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_meets_what_was_there_at_its_beginning_once),
        cmocka_unit_test(a_walk_of_nothing_is_through_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
