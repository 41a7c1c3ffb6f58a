#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/random.h"
#include "classifier/trie.h"
#include "sys/rcu_cmocka.h"

/* The oracle: an array of prefixes, each as often as it was added. */
struct prefix {
    union trie_key key;
    unsigned int length;
    bool in;
};

enum { N = 120 };

static bool
bit(const union trie_key *key, unsigned int i)
{
    return key->words[i / 32] >> (31 - i % 32) & 1;
}

static unsigned int
shared_bits(const struct prefix *p, const union trie_key *key)
{
    unsigned int n = 0;

    while (n < p->length && bit(&p->key, n) == bit(key, n)) {
        n++;
    }
    return n;
}

/* Bits that differ here and there, so that many prefixes share some. */
static void
random_key(struct random *r, union trie_key *key)
{
    for (int i = 0; i < 4; i++) {
        key->words[i] = random_below(r, 4) ? 0x0a000000 | (random_u64(r) & 0x81030301) : (uint32_t) random_u64(r);
    }
}

static void
check(const struct trie *t, const struct prefix *prefixes, const union trie_key *key)
{
    struct trie_result r, right = { .n_bits = 0 };

    for (int i = 0; i < N; i++) {
        const struct prefix *p = &prefixes[i];
        unsigned int same = shared_bits(p, key);

        if (p->in && same == p->length) {
            right.lengths[same / 64] |= UINT64_C(1) << same % 64;
        }
        if (p->in) {
            right.n_bits = MAX(right.n_bits, MIN(same + 1, p->length));
        }
    }
    trie_lookup_rcu(t, key, &r);
    assert_int_equal(r.n_bits, right.n_bits);
    assert_memory_equal(r.lengths, right.lengths, sizeof r.lengths);
    for (unsigned int n = 1; n <= t->width; n++) {
        assert_int_equal(trie_result_has(&r, n), right.lengths[n / 64] >> n % 64 & 1);
    }
}

/* Up to as many as there may be, of values that share more or less with prefixes, some in a trie that is empty. */
static void
check_side_by_side(struct random *r, const struct trie *t, const struct prefix *prefixes)
{
    struct trie_walk walks[TRIE_MAX_WALKS];
    unsigned int n = random_below(r, TRIE_MAX_WALKS + 1);
    struct trie empty;

    trie_init(&empty, t->width);
    for (unsigned int i = 0; i < n; i++) {
        walks[i].trie = random_below(r, 4) ? t : &empty;
        walks[i].key = prefixes[random_below(r, N)].key;
        walks[i].key.words[random_below(r, 4)] ^= random_below(r, 2) << random_below(r, 32);
    }
    trie_lookup_all_rcu(walks, n);
    for (unsigned int i = 0; i < n; i++) {
        struct trie_result alone;

        trie_lookup_rcu(walks[i].trie, &walks[i].key, &alone);
        assert_int_equal(walks[i].result.n_bits, alone.n_bits);
        assert_memory_equal(walks[i].result.lengths, alone.lengths, sizeof alone.lengths);
    }
}

static void
toggle(struct random *r, struct trie *t, struct prefix *p)
{
    if (p->in) {
        trie_remove(t, &p->key, p->length);
    } else {
        random_key(r, &p->key);
        p->length = 1 + random_below(r, t->width);
        trie_add(t, &p->key, p->length);
    }
    p->in = !p->in;
}

static void
run(unsigned int width, uint64_t seed)
{
    struct prefix prefixes[N] = { { .in = false } };
    struct random r;
    struct trie t;

    random_seed(&r, seed);
    trie_init(&t, width);
    for (int i = 0; i < 4000; i++) {
        /* Now few, now many. */
        unsigned int among = i / 500 % 2 ? 6 : N;
        union trie_key key = prefixes[random_below(&r, N)].key;

        toggle(&r, &t, &prefixes[random_below(&r, among)]);
        check(&t, prefixes, &key);
        key.words[random_below(&r, 4)] ^= UINT32_C(1) << random_below(&r, 32);
        check(&t, prefixes, &key);
        check_side_by_side(&r, &t, prefixes);
        rcu_quiescent();
    }
    for (int i = 0; i < N; i++) {
        if (prefixes[i].in) {
            toggle(&r, &t, &prefixes[i]);
        }
    }
    assert_null(rcu_get_protected(&t.root));
}

static void
finds_what_a_search_through_all_prefixes_finds(void **state UNUSED)
{
    run(32, 1);
    run(64, 2);
    run(128, 3);
}

/* More often than a leaf can count. */
static void
a_prefix_may_be_added_very_often(void **state UNUSED)
{
    const union trie_key key = { .words = { 0x0a000000 } };
    const unsigned int n = (1u << 25) + 3;
    struct trie_result r;
    struct trie t;

    trie_init(&t, 32);
    for (unsigned int i = 0; i < n; i++) {
        trie_add(&t, &key, 8);
    }
    for (unsigned int i = 0; i < n; i++) {
        trie_lookup_rcu(&t, &key, &r);
        assert_int_equal(r.lengths[0], 1 << 8);
        trie_remove(&t, &key, 8);
    }
    assert_null(rcu_get_protected(&t.root));
}

static void
clearing_releases_all_nodes(void **state UNUSED)
{
    for (unsigned int width = 32; width <= 128; width *= 2) {
        union trie_key key;
        struct random r;
        struct trie t;

        random_seed(&r, 1);
        trie_init(&t, width);
        for (int i = 0; i < 100; i++) {
            random_key(&r, &key);
            trie_add(&t, &key, 1 + random_below(&r, width));
        }
        trie_clear(&t);
        assert_null(rcu_get_protected(&t.root));
        trie_clear(&t);
    }
}

/* Every other prefix stays, the others come and go beside it: a reader finds those that stay, whole, at any time. */
struct shared {
    struct trie trie;
    struct prefix prefixes[N];
    _Atomic bool is_over;
};

static void *
read_on(void *shared_)
{
    struct shared *s = shared_;
    bool all_right = true;

    rcu_thread_register();
    for (unsigned int i = 0; !atomic_load(&s->is_over); i += 2) {
        const struct prefix *p = &s->prefixes[i % N];
        struct trie_result r;

        trie_lookup_rcu(&s->trie, &p->key, &r);
        all_right &= trie_result_has(&r, p->length) && r.n_bits >= p->length;
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return all_right ? s : NULL;
}

static void
run_beside_reader(unsigned int width)
{
    struct shared s = { .is_over = false };
    struct random r;
    pthread_t reader;
    void *result;

    random_seed(&r, width);
    trie_init(&s.trie, width);
    for (int i = 0; i < N; i += 2) {
        toggle(&r, &s.trie, &s.prefixes[i]);
    }
    assert_int_equal(pthread_create(&reader, NULL, read_on, &s), 0);
    for (int i = 0; i < 100000; i++) {
        toggle(&r, &s.trie, &s.prefixes[1 + 2 * random_below(&r, N / 2)]);
        rcu_quiescent();
    }
    atomic_store(&s.is_over, true);
    rcu_offline();
    pthread_join(reader, &result);
    rcu_online();
    assert_non_null(result);
    trie_clear(&s.trie);
}

static void
a_reader_always_finds_what_stays(void **state UNUSED)
{
    run_beside_reader(32);
    run_beside_reader(128);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_search_through_all_prefixes_finds),
        cmocka_unit_test(a_prefix_may_be_added_very_often),
        cmocka_unit_test(clearing_releases_all_nodes),
        cmocka_unit_test(a_reader_always_finds_what_stays),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
