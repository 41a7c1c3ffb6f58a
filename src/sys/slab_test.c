/* Always of area.c and slab.c themselves, also where the sanitizers have the others in their places. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "sys/chain.h"
#include "sys/rcu.h"
#include "sys/slab.h"
#include "sys/slab_map.h"
#include "sys/work.h"

enum { N = 4096 };

/* What the oracle knows of an object: all of its bytes have a value that no neighbour has. */
struct piece {
    unsigned char *p; /* Null: none. */
    size_t size;
    unsigned char value;
};

static void
make(struct piece *piece, size_t size, unsigned char value)
{
    *piece = (struct piece) { slab_alloc(size), size, value };
    assert_int_equal((uintptr_t) piece->p % SLAB_STEP, 0);
    if (!WEFT_LOOKS_FOR_LEAKS && size && size <= SLAB_MAX && size % CACHE_LINE == 0) {
        assert_int_equal((uintptr_t) piece->p % CACHE_LINE, 0);
    }
    if (size <= SLAB_MAX) {
        size_t at = size / 4 * 4;

        assert_int_equal(slab_ref_to(piece->p) % 4, 0);
        assert_ptr_equal(slab_at(slab_ref_to(piece->p)), piece->p);
        assert_ptr_equal(slab_at(slab_ref_to(piece->p + at)), piece->p + at);
    }
    memset(piece->p, value, size);
}

static void
check_and_free(struct piece *piece)
{
    for (size_t i = 0; i < piece->size; i++) {
        assert_int_equal(piece->p[i], piece->value);
    }
    slab_free(piece->p, piece->size);
    piece->p = NULL;
}

static void
objects_keep_what_is_in_them(void **state UNUSED)
{
    struct piece *pieces = calloc(N, sizeof *pieces);
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < 200000; i++) {
        struct piece *piece = &pieces[random_below(&r, N)];

        if (piece->p) {
            check_and_free(piece);
        } else {
            make(piece, 1 + random_below(&r, SLAB_MAX + 100), i);
        }
    }
    for (int i = 0; i < N; i++) {
        if (pieces[i].p) {
            check_and_free(&pieces[i]);
        }
    }
    free(pieces);
}

static void
cleared_memory_is_zero_when_it_was_used_before(void **state UNUSED)
{
    unsigned char *p = slab_alloc(100);

    memset(p, 0xff, 100);
    slab_free(p, 100);
    p = slab_zalloc(100);
    assert_true(is_all_zeros(p, 100));
    slab_free(p, 100);
    slab_free(NULL, 100);
}

struct linked {
    struct chain_link link;
    size_t in; /* Number of its chain, less one. */
};

/* Elements come, go and change over at random. */
static void
chains_agree_with_an_array(void **state UNUSED)
{
    enum { N_LINKED = 20, N_CHAINS = 3 };
    struct linked *all = slab_zalloc(N_LINKED * sizeof *all);
    struct chain *chains = slab_zalloc(N_CHAINS * sizeof *chains);
    uint32_t x = 1;

    for (int step = 0; step < 3000; step++) {
        x = hash_u32(x, step);
        struct linked *e = &all[x % N_LINKED];
        size_t to = x / N_LINKED % (N_CHAINS + 1), n = 0, n_in = 0;

        chain_remove(&e->link);
        e->in = to;
        if (to) {
            chain_push(&chains[to - 1], &e->link);
            assert_ptr_equal(chain_first(&chains[to - 1]), &e->link);
        }
        for (size_t i = 0; i < N_LINKED; i++) {
            n_in += all[i].in != 0;
        }
        for (size_t i = 0; i < N_CHAINS; i++) {
            CHAIN_FOR_EACH (l, struct linked, link, &chains[i]) {
                assert_int_equal(l->in, i + 1);
                n++;
            }
        }
        assert_int_equal(n, n_in);
    }
    for (size_t i = 0; i < N_CHAINS; i++) {
        CHAIN_FOR_EACH_SAFE (l, struct linked, link, &chains[i]) {
            chain_remove(&l->link);
            chain_remove(&l->link);
        }
        assert_true(chain_is_empty(&chains[i]));
    }
    slab_free(chains, N_CHAINS * sizeof *chains);
    slab_free(all, N_LINKED * sizeof *all);
}

struct element {
    struct slab_map_node node;
    uint32_t key;
    bool in, seen;
};

static bool
map_has(const struct slab_map *map, uint32_t key)
{
    SLAB_MAP_FOR_EACH_WITH_HASH (e, struct element, node, key / 3 * 7, map) {
        if (e->key == key) {
            return true;
        }
    }
    return false;
}

/* Keys come and go at random; three share a hash each. */
static void
a_map_agrees_with_an_array(void **state UNUSED)
{
    enum { N_KEYS = 3000 };
    struct element **all = calloc(N_KEYS, sizeof *all);
    struct slab_map map;
    uint32_t x = 1;
    size_t n = 0;

    slab_map_init(&map);
    for (uint32_t i = 0; i < N_KEYS; i++) {
        all[i] = slab_zalloc(sizeof *all[i]);
        all[i]->key = i;
    }
    for (int step = 0; step < 30000; step++) {
        x = hash_u32(x, step);
        struct element *e = all[x % N_KEYS];

        assert_int_equal(map_has(&map, e->key), e->in);
        if (e->in) {
            slab_map_remove(&map, &e->node);
        } else {
            slab_map_insert(&map, &e->node, e->key / 3 * 7);
        }
        e->in = !e->in;
        n += e->in ? 1 : -1;
        assert_int_equal(slab_map_count(&map), n);
    }
    SLAB_MAP_FOR_EACH (e, struct element, node, &map) {
        assert_true(e->in && !e->seen);
        e->seen = true;
        n--;
    }
    assert_int_equal(n, 0);
    slab_map_uninit(&map);
    for (uint32_t i = 0; i < N_KEYS; i++) {
        slab_free(all[i], sizeof *all[i]);
    }
    free(all);
}

/* Another thread releases what this one made, as RCU's does; some stay, so that all chunks do. */
enum { STAYS = 20 };

static void *
release_most(void *pieces_)
{
    struct piece *pieces = pieces_;

    for (int i = 0; i < N; i++) {
        if (i % STAYS) {
            check_and_free(&pieces[i]);
        }
    }
    return NULL;
}

static void
make_missing(struct piece *pieces, uintptr_t *low, uintptr_t *high)
{
    for (int i = 0; i < N; i++) {
        if (!pieces[i].p) {
            make(&pieces[i], 272, i);
        }
        *low = MIN(*low, (uintptr_t) pieces[i].p);
        *high = MAX(*high, (uintptr_t) pieces[i].p);
    }
}

static void
what_another_thread_releases_is_used_again(void **state UNUSED)
{
    struct piece *pieces = calloc(N, sizeof *pieces);
    uintptr_t low = UINTPTR_MAX, high = 0, first;

    make_missing(pieces, &low, &high);
    first = high - low;
    for (int round = 0; round < 20; round++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, release_most, pieces), 0);
        pthread_join(thread, NULL); /* Its hands have been emptied. */
        make_missing(pieces, &low, &high);
    }
    assert_true(high - low - first < N * 272 / 2); /* But for a chunk or two, by what this thread had at hand. */
    for (int i = 0; i < N; i++) {
        check_and_free(&pieces[i]);
    }
    free(pieces);
}

/* Two threads make and release at the same time, each what is its own. */
static void *
make_and_release(void *unused UNUSED)
{
    struct piece pieces[200] = { { NULL } };

    for (int i = 0; i < 100000; i++) {
        struct piece *piece = &pieces[i * 7 % 200];

        if (piece->p) {
            check_and_free(piece);
        }
        make(piece, 24 + i % 3 * 16, i);
    }
    for (int i = 0; i < 200; i++) {
        if (pieces[i].p) {
            check_and_free(&pieces[i]);
        }
    }
    return NULL;
}

static void
threads_do_not_get_each_others(void **state UNUSED)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_release, NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* RCU's thread keeps nothing at hand, however little it was: this one finds it all again. */
enum { N_DEFERRED = 10, DEFERRED_SIZE = 992, MANY = 2000 };

static void
release_deferred(void *p)
{
    slab_free(p, DEFERRED_SIZE);
}

static void
what_is_released_by_rcu_is_used_again(void **state UNUSED)
{
    void *deferred[N_DEFERRED], *others[MANY];
    unsigned int n_found = 0;

    rcu_thread_register();
    for (int i = 0; i < N_DEFERRED; i++) {
        deferred[i] = slab_alloc(DEFERRED_SIZE);
    }
    for (int i = 0; i < N_DEFERRED; i++) {
        rcu_defer(release_deferred, deferred[i]);
    }
    rcu_barrier_all();
    for (int i = 0; i < MANY; i++) { /* More than this thread and chunks in use have. */
        others[i] = slab_alloc(DEFERRED_SIZE);
        for (int k = 0; k < N_DEFERRED; k++) {
            n_found += others[i] == deferred[k];
        }
    }
    assert_int_equal(n_found, N_DEFERRED);
    for (int i = 0; i < MANY; i++) {
        slab_free(others[i], DEFERRED_SIZE);
    }
    rcu_thread_unregister();
}

/* Areas that are being made ready. */
static int
wait_for_work(void **state UNUSED)
{
    rcu_thread_register();
    work_wait_all();
    rcu_thread_unregister();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_keep_what_is_in_them),
        cmocka_unit_test(chains_agree_with_an_array),
        cmocka_unit_test(a_map_agrees_with_an_array),
        cmocka_unit_test(cleared_memory_is_zero_when_it_was_used_before),
        cmocka_unit_test(what_another_thread_releases_is_used_again),
        cmocka_unit_test(threads_do_not_get_each_others),
        cmocka_unit_test(what_is_released_by_rcu_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, wait_for_work);
}
