#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "sys/rcu_cmocka.h"
#include "sys/rcu_map.h"

enum { N = 20000 };

/* The oracle is where each one says that it is. */
struct element {
    uint32_t hash;
    bool is_there;
    unsigned int n_seen; /* By a walk. */
};

static bool
find(const struct rcu_map *m, const struct element *e)
{
    RCU_MAP_FOR_EACH_WITH_HASH (i, struct element, e->hash, m) {
        if (i == e) {
            return true;
        }
    }
    return false;
}

static void
check_walk(const struct rcu_map *m, struct element *all)
{
    RCU_MAP_FOR_EACH (e, struct element, m) {
        e->n_seen++;
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(all[i].n_seen, all[i].is_there);
        all[i].n_seen = 0;
    }
}

static struct element *
make_elements(void)
{
    struct element *all = xcalloc(N, sizeof *all);

    for (size_t i = 0; i < N; i++) {
        all[i].hash = i % 7 ? hash_u32(i, 0) : hash_u32(i % 70, 0); /* Some share one. */
    }
    return all;
}

static void
toggle(struct rcu_map *m, struct element *e)
{
    if (e->is_there) {
        rcu_map_remove(m, e, e->hash);
    } else {
        rcu_map_insert(m, e, e->hash);
    }
    e->is_there = !e->is_there;
}

/* Puts another of the same hash in its place, if there is one. */
static void
replace(struct rcu_map *m, struct element *all, struct element *e)
{
    struct element *other = &all[(e - all + 70) % N];

    if (e->is_there && !other->is_there && other->hash == e->hash) {
        rcu_map_replace(m, e, other, e->hash);
        e->is_there = false;
        other->is_there = true;
    }
}

static bool
is_growing(const struct rcu_map *m)
{
    const struct rcu_map_buckets *b = rcu_get_protected(&m->buckets);

    return b && rcu_get_protected(&b->old);
}

static void
finds_what_is_there_and_walks_past_each_once_also_while_it_grows(void **state UNUSED)
{
    struct element *all = make_elements();
    size_t n = 0, n_walks_amid_growth = 0;
    struct rcu_map m = RCU_MAP_INIT;
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < 8 * N; i++) {
        struct element *e = &all[random_below(&r, N)];

        if (!e->is_there || random_below(&r, 8) == 0) { /* More come than go. */
            toggle(&m, e);
            n += e->is_there ? 1 : -1;
        } else {
            replace(&m, all, e);
        }
        assert_int_equal(rcu_map_count(&m), n);
        assert_int_equal(find(&m, e), e->is_there);
        if (i % 997 == 0) {
            n_walks_amid_growth += is_growing(&m);
            check_walk(&m, all);
        }
    }
    assert_true(n_walks_amid_growth > 0);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(find(&m, &all[i]), all[i].is_there);
    }
    rcu_map_uninit(&m);
    rcu_barrier_all();
    free(all);
}

static void
no_insertion_into_a_large_map_moves_more_than_a_few_buckets(void **state UNUSED)
{
    struct element *all = make_elements();
    size_t n_moved = 0, n_growths = 0;
    struct rcu_map m = RCU_MAP_INIT;

    for (size_t i = 0; i < N; i++) {
        bool was_growing = is_growing(&m);

        toggle(&m, &all[i]);
        if (is_growing(&m)) {
            size_t now = atomic_load(&rcu_get_protected(&m.buckets)->n_moved);

            n_growths += !was_growing;
            assert_true(now - (was_growing ? n_moved : 0) <= 4);
            n_moved = now;
        }
    }
    assert_true(n_growths >= 3);
    rcu_map_uninit(&m);
    rcu_barrier_all();
    free(all);
}

static void
an_element_may_go_while_a_walk_is_at_it(void **state UNUSED)
{
    struct element *all = make_elements();
    struct rcu_map m = RCU_MAP_INIT;
    size_t n = 0;

    while (n < N / 2 || !is_growing(&m)) {
        toggle(&m, &all[n++]);
    }
    RCU_MAP_FOR_EACH (e, struct element, &m) {
        toggle(&m, e);
    }
    assert_int_equal(rcu_map_count(&m), 0);
    for (size_t i = 0; i < n; i++) {
        assert_false(all[i].is_there || find(&m, &all[i]));
    }
    rcu_map_uninit(&m);
    rcu_barrier_all();
    free(all);
}

/* Readers beside the writer. */

struct shared {
    struct rcu_map m;
    struct element *all;
    _Atomic bool over;
    _Atomic size_t n_missed, n_wrong;
};

/* Those with even numbers are there all the time. */
static void *
read_all(void *s_)
{
    struct shared *s = s_;

    rcu_thread_register();
    while (!atomic_load(&s->over)) {
        size_t n = 0;

        for (size_t i = 0; i < N; i += 2) {
            atomic_fetch_add(&s->n_missed, !find(&s->m, &s->all[i]));
        }
        rcu_quiescent();
        RCU_MAP_FOR_EACH (e, struct element, &s->m) {
            n += (e - s->all) % 2 == 0;
        }
        atomic_fetch_add(&s->n_wrong, n != N / 2);
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static void
readers_find_what_stays_while_others_come_and_go(void **state UNUSED)
{
    struct shared s = { .m = RCU_MAP_INIT, .all = make_elements() };
    pthread_t threads[2];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i += 2) {
            toggle(&s.m, &s.all[i]);
        }
        atomic_store(&s.over, false);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, read_all, &s), 0);
        }
        for (size_t i = 1; i < 2 * N; i += 2) { /* They come, and go. */
            toggle(&s.m, &s.all[i % N]);
            rcu_quiescent();
        }
        atomic_store(&s.over, true);
        rcu_offline();
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
            pthread_join(threads[i], NULL);
        }
        rcu_online();
        assert_int_equal(s.n_missed, 0);
        assert_int_equal(s.n_wrong, 0);
        rcu_map_uninit(&s.m);
        for (size_t i = 0; i < N; i++) {
            s.all[i].is_there = false;
        }
    }
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    free(s.all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there_and_walks_past_each_once_also_while_it_grows),
        cmocka_unit_test(no_insertion_into_a_large_map_moves_more_than_a_few_buckets),
        cmocka_unit_test(an_element_may_go_while_a_walk_is_at_it),
        cmocka_unit_test(readers_find_what_stays_while_others_come_and_go),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
