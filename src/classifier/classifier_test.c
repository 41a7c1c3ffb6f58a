#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/str.h"
#include "classifier/order.h"

/* The oracle: an unordered array of rules, searched from end to end. */
struct entry {
    struct cls_rule rule;
    struct match match;
    int priority;
    bool in;
};

enum { N = 300 };

/* Some bits of a field: a prefix, mostly, of values that differ here and there. */
static void
random_part(struct random *r, struct match *m, enum field_id id, uint64_t value)
{
    const struct field *f = field_of(id);
    union field_value v, mask;
    uint64_t bits = UINT64_MAX << random_below(r, f->n_bits);

    bits &= random_below(r, 8) ? UINT64_MAX : random_u64(r);
    field_value_from_u64(f, value, &v);
    field_value_from_u64(f, bits & (UINT64_MAX >> (64 - f->n_bits)), &mask);
    match_set_masked(m, f, &v, &mask);
}

static void
random_match(struct random *r, struct match *m)
{
    static const enum field_id ids[] = { FIELD_IN_PORT_OXM, FIELD_REG0, FIELD_ETH_SRC, FIELD_NW_PROTO, FIELD_NW_TTL };
    static const uint32_t types[] = { 0x0800, 0x86dd, 0x0806 };

    match_init_catchall(m);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        if (!random_below(r, 4)) {
            match_set_u64(m, ids[i], random_below(r, 3));
        }
    }
    if (random_below(r, 4)) {
        match_set_u64(m, FIELD_ETH_TYPE, types[random_below(r, 3)]);
    }
    if (!random_below(r, 3)) {
        random_part(r, m, FIELD_IP_SRC, 0x0a000000 | (random_u64(r) & 0x81030301));
    }
    if (!random_below(r, 2)) {
        random_part(r, m, FIELD_IP_DST, 0x0a000000 | (random_u64(r) & 0x81030301));
    }
    if (!random_below(r, 3)) {
        random_part(r, m, FIELD_TCP_SRC, random_u64(r) & 0x8103);
    }
    if (!random_below(r, 3)) {
        random_part(r, m, FIELD_TCP_DST, random_u64(r) & 0x8103);
    }
    if (!random_below(r, 4)) {
        random_part(r, m, FIELD_TUN_ID, random_u64(r) & 0x8103);
    }
    match_normalize(m);
}

static void
random_flow(struct random *r, struct flow *flow)
{
    struct match m;

    memset(flow, 0, sizeof *flow);
    for (int i = 0; i < 4; i++) {
        random_match(r, &m);
        flow_or(flow, &m.flow);
    }
}

static int
best_priority(const struct entry *entries, const struct flow *flow)
{
    int best = -1;

    for (int i = 0; i < N; i++) {
        if (entries[i].in && match_covers_flow(&entries[i].match, flow)) {
            best = MAX(best, entries[i].priority);
        }
    }
    return best;
}

/* Of what was made ready beforehand. */
static struct cls_shapes shapes;

/* Made ready or not, it is found where a rule has its match and priority, and inserted if none has. */
static bool
insert_unless_there(struct classifier *cls, struct entry *e, bool made_ready)
{
    struct cls_rule *there = classifier_find(cls, &e->match, e->priority, 1);
    struct cls_ready ready;

    cls_ready_init(&ready, &shapes, &e->match);
    cls_ready_prefetch(&ready);
    classifier_prefetch_ready(cls, &ready);
    assert_ptr_equal(classifier_find_ready(cls, &ready, e->priority, 1), there);
    if (!there && made_ready) {
        classifier_insert_ready(cls, &e->rule, &ready, e->priority, 1);
        assert_null(ready.node);
    } else if (!there) {
        classifier_insert(cls, &e->rule, &e->match, e->priority, 1);
    }
    cls_ready_uninit(&ready);
    return !there;
}

static void
toggle_random_rule(struct classifier *cls, struct entry *entries, unsigned int n, struct random *r)
{
    struct entry *e = &entries[random_below(r, n)];

    if (e->in) {
        classifier_remove(cls, &e->rule);
        rcu_synchronize();
        cls_rule_uninit(&e->rule);
        e->in = false;
        return;
    }
    random_match(r, &e->match);
    e->priority = random_below(r, 10);
    e->in = insert_unless_there(cls, e, random_below(r, 2));
}

/* A packet that agrees with 'flow' in all bits of 'wc' and is random elsewhere. */
static void
random_neighbour(struct random *r, const struct flow *flow, const struct cls_mask *wc, struct flow *other)
{
    struct flow noise;

    random_flow(r, &noise);
    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        uint64_t keep = wc->map.bits[i / 64] >> i % 64 & 1 ? flow_word(&wc->bits, i) : 0;

        *flow_word_ptr(other, i) = (flow_word(flow, i) & keep) | (flow_word(&noise, i) & ~keep);
    }
    other->eth_type = flow->eth_type; /* Always part of a megaflow. */
}

/* Looking at each subtable finds the same and notes the same. */
static void
check_without_sets(struct classifier *cls, const struct flow *flow, const struct cls_rule *rule,
                   const struct cls_mask *wc)
{
    struct cls_order *order = rcu_get_protected(&cls->order);
    struct cls_sets *sets = order ? order->sets : NULL;
    struct cls_mask other;

    if (!sets) {
        return;
    }
    order->sets = NULL;
    cls_mask_init(&other);
    assert_ptr_equal(classifier_lookup_rcu(cls, 1, flow, &other), rule);
    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        assert_int_equal(cls_mask_word(&other, i), cls_mask_word(wc, i));
    }
    order->sets = sets;
}

/* Each member of a joint asked by itself: what is found and noted is the same. */
static void
check_without_joints(struct classifier *cls, const struct flow *flow, const struct cls_rule *rule,
                     const struct cls_mask *wc)
{
    struct cls_order *order = rcu_get_protected(&cls->order);
    uint8_t joints[2 * N];
    struct cls_mask other;

    assert_in_range(order ? order->n : 0, 0, ARRAY_SIZE(joints));
    for (size_t i = 0; order && i < order->n; i++) {
        joints[i] = order->entries[i].joint;
        order->entries[i].joint = CLS_OTHER_JOINT;
    }
    cls_mask_init(&other);
    assert_ptr_equal(classifier_lookup_rcu(cls, 1, flow, &other), rule);
    for (unsigned int i = 0; i < FLOW_N_WORDS; i++) {
        assert_int_equal(cls_mask_word(&other, i), cls_mask_word(wc, i));
    }
    for (size_t i = 0; order && i < order->n; i++) {
        order->entries[i].joint = joints[i];
    }
}

static bool
has_rule_with_hash(const struct cls_subtable *st, enum cls_stage stage, uint64_t hash)
{
    LIST_FOR_EACH (rule, struct cls_rule, in_order, &st->in_order) {
        uint64_t hashes[N_STAGES];

        cls_node_hash_stages(st, rule->node, hashes);
        if (cls_stage_set_key(hashes[stage]) == cls_stage_set_key(hash)) {
            return true;
        }
    }
    return false;
}

/* The sets of stages say of each subtable whether some rule has the packet's values. */
static void
check_stages(struct classifier *cls, const struct flow *flow)
{
    const struct cls_order *order = rcu_get_protected(&cls->order);

    for (size_t i = 0; order && i < order->n; i++) {
        const struct cls_order_entry *e = &order->entries[i];
        uint64_t hashes[N_STAGES];

        cls_hash_stages(e->subtable, flow, hashes);
        for (unsigned int stage = 0; stage < STAGE_L3; stage++) {
            if (cls_stage_is_useful(e->subtable, stage)) {
                assert_int_equal(cls_stage_set_get_rcu(&e->subtable->stages[stage], hashes[stage]) != 0,
                                 has_rule_with_hash(e->subtable, stage, hashes[stage]));
            }
        }
        assert_true(e->member || !cls_stage_is_useful(e->subtable, STAGE_L3));
        assert_int_equal(rcu_get_protected(&e->subtable->joint) != NULL, e->member != 0);
        if (e->member) {
            uint32_t members = cls_joint_get_rcu(rcu_get_protected(&e->subtable->joint), hashes[STAGE_L3]);

            assert_int_equal((members & e->member) != 0,
                             has_rule_with_hash(e->subtable, STAGE_L3, hashes[STAGE_L3]));
        }
    }
}

/* Asks for the memory of the next lookup, whatever is expected. */
static void
prefetch_something(struct random *r, const struct classifier *cls, const struct flow *flow)
{
    struct cls_expected x[CLS_MAX_EXPECTED];

    for (unsigned int i = 0; i < CLS_MAX_EXPECTED; i++) {
        x[i] = (struct cls_expected) { cls, random_below(r, 20) };
    }
    classifier_prefetch_lookups_rcu(x, random_below(r, CLS_MAX_EXPECTED + 1), flow);
}

static void
check_packet(struct random *r, struct classifier *cls, const struct entry *entries)
{
    struct cls_rule *rule, *again;
    struct flow flow, other;
    unsigned int place = random_below(r, 20); /* Whatever is expected. */
    struct cls_mask wc;

    random_flow(r, &flow);
    cls_mask_init(&wc);
    prefetch_something(r, cls, &flow);
    rule = classifier_lookup_place_rcu(cls, 1, &flow, &wc, &place);
    assert_true(!rule || rcu_get_protected(&cls->order)->entries[place].subtable == rule->node->subtable);
    assert_int_equal(rule ? rule->priority : -1, best_priority(entries, &flow));
    check_without_sets(cls, &flow, rule, &wc);
    check_without_joints(cls, &flow, rule, &wc);
    if (!random_below(r, 8)) {
        check_stages(cls, &flow);
    }
    for (int k = 0; k < 10; k++) {
        random_neighbour(r, &flow, &wc, &other);
        again = classifier_lookup_rcu(cls, 1, &other, NULL);
        assert_int_equal(again ? again->priority : -1, rule ? rule->priority : -1);
        assert_int_equal(again ? again->priority : -1, best_priority(entries, &other));
    }
}

static void
drop_all(struct classifier *cls, struct entry *entries)
{
    for (int i = 0; i < N; i++) {
        if (entries[i].in) {
            classifier_remove(cls, &entries[i].rule);
            rcu_synchronize();
            cls_rule_uninit(&entries[i].rule);
        }
    }
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    classifier_uninit(cls);
}

static void
compare_with_linear_search(unsigned int n_rules)
{
    static const enum field_id prefixes[] = { FIELD_IP_SRC, FIELD_TUN_ID, FIELD_IP_DST };
    struct entry *entries = xzalloc_cacheline(N * sizeof *entries);
    struct classifier cls;
    struct random r;

    rcu_thread_register();
    random_seed(&r, n_rules);
    classifier_init(&cls);
    for (int i = 0; i < 8000; i++) {
        toggle_random_rule(&cls, entries, n_rules, &r);
        check_packet(&r, &cls, entries);
        if (i % 1000 == 999) {
            classifier_set_prefixes(&cls, prefixes, random_below(&r, 4));
            rcu_quiescent();
        }
    }
    drop_all(&cls, entries);
    free(entries);
    rcu_thread_unregister();
}

static void
it_agrees_with_a_linear_search_and_its_wildcards_hold(void **state UNUSED)
{
    compare_with_linear_search(N);
    compare_with_linear_search(12); /* Few subtables. */
}

/* Rules come and go while others look: of two rules that are always there in turn one is found, and what is found
 * matches. */
struct readers {
    struct classifier cls;
    _Atomic bool stop;
    _Atomic unsigned int n_found;
};

static void *
read_all_the_time(void *readers_)
{
    struct readers *readers = readers_;
    struct random r;

    rcu_thread_register();
    random_seed(&r, 5);
    while (!atomic_load(&readers->stop)) {
        struct cls_rule *rule;
        struct cls_mask wc;
        struct match m;
        struct flow flow;

        random_flow(&r, &flow);
        flow.metadata = 0; /* What the rule that is always there wants. */
        cls_mask_init(&wc);
        prefetch_something(&r, &readers->cls, &flow);
        rule = classifier_lookup_rcu(&readers->cls, 1, &flow, &wc);
        assert_non_null(rule);
        cls_rule_get_match(rule, &m);
        assert_true(match_covers_flow(&m, &flow));
        atomic_fetch_add(&readers->n_found, 1);
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static void
readers_see_a_whole_table_while_it_changes(void **state UNUSED)
{
    struct entry *entries = xzalloc_cacheline(N * sizeof *entries);
    struct readers readers = { .stop = false };
    struct cls_rule always;
    pthread_t threads[2];
    struct match m;
    struct random r;

    rcu_thread_register();
    random_seed(&r, 12);
    classifier_init(&readers.cls);
    match_init_catchall(&m);
    match_set_u64(&m, FIELD_METADATA, 0);
    classifier_insert(&readers.cls, &always, &m, 0, 1);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_create(&threads[i], NULL, read_all_the_time, &readers);
    }
    for (int i = 0; i < 3000 || atomic_load(&readers.n_found) < 1000; i++) {
        static const enum field_id prefixes[] = { FIELD_IP_SRC, FIELD_IP_DST };

        toggle_random_rule(&readers.cls, entries, N, &r);
        if (i % 500 == 0) {
            classifier_set_prefixes(&readers.cls, prefixes, random_below(&r, 3));
        }
    }
    atomic_store(&readers.stop, true);
    rcu_offline();
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    rcu_online();
    classifier_remove(&readers.cls, &always);
    rcu_synchronize();
    cls_rule_uninit(&always);
    drop_all(&readers.cls, entries);
    free(entries);
    rcu_thread_unregister();
}

static void
a_version_shows_only_its_rules(void **state UNUSED)
{
    struct cls_rule old, new;
    struct classifier cls;
    struct match m;
    struct flow flow;

    rcu_thread_register();
    memset(&flow, 0, sizeof flow);
    match_init_catchall(&m);
    classifier_init(&cls);
    classifier_insert(&cls, &old, &m, 5, 1);
    classifier_insert(&cls, &new, &m, 5, 2);
    cls_rule_hide(&old, 2);
    assert_ptr_equal(classifier_lookup_rcu(&cls, 1, &flow, NULL), &old);
    assert_ptr_equal(classifier_lookup_rcu(&cls, 2, &flow, NULL), &new);
    assert_null(classifier_lookup_rcu(&cls, 0, &flow, NULL));
    classifier_remove(&cls, &old);
    classifier_remove(&cls, &new);
    cls_rule_uninit(&old);
    cls_rule_uninit(&new);
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    classifier_uninit(&cls);
    rcu_thread_unregister();
}

static void
append_priority(void *text, struct cls_rule *rule)
{
    str_putf(text, "%d ", rule->priority);
}

/* Masks by highest priority, then age; in a mask by age.  The highest priority falls when its rule goes. */
static void
rules_are_walked_in_the_order_of_dumps(void **state UNUSED)
{
    static const struct { enum field_id id; int priority; } rows[] = {
        { FIELD_REG0, 5 }, { FIELD_REG1, 7 }, { FIELD_REG0, 3 }, { FIELD_REG2, 5 }, { FIELD_REG0, 6 },
    };
    struct cls_rule rules[ARRAY_SIZE(rows)];
    struct str s = STR_INIT;
    struct classifier cls;

    rcu_thread_register();
    classifier_init(&cls);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct match m;

        match_init_catchall(&m);
        match_set_u64(&m, rows[i].id, i);
        classifier_insert(&cls, &rules[i], &m, rows[i].priority, 1);
    }
    classifier_for_each(&cls, NULL, 1, append_priority, &s);
    assert_string_equal(str_text(&s), "7 5 3 6 5 ");
    for (size_t i = 1; i < ARRAY_SIZE(rows); i += 3) {
        classifier_remove(&cls, &rules[i]); /* Of priorities 7 and 6. */
    }
    str_clear(&s);
    classifier_for_each(&cls, NULL, 1, append_priority, &s);
    assert_string_equal(str_text(&s), "5 3 5 ");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i += i == 0 ? 2 : 1) {
        if (i != 4) {
            classifier_remove(&cls, &rules[i]);
        }
    }
    str_uninit(&s);
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cls_rule_uninit(&rules[i]);
    }
    classifier_uninit(&cls);
    rcu_thread_unregister();
}

static void
count_rule(void *n, struct cls_rule *rule UNUSED)
{
    ++*(size_t *) n;
}

/* Others look for what is always in a subtable, and for what never is, while most of it comes and goes. */
enum { N_STAY = 50, N_COME = 10000 };

static void
match_address(struct match *m, uint32_t address)
{
    match_init_catchall(m);
    match_set_u64(m, FIELD_ETH_TYPE, 0x0800);
    match_set_u64(m, FIELD_REG0, address % 100);
    match_set_u64(m, FIELD_IP_DST, address);
}

static void *
look_for_what_stays(void *readers_)
{
    struct readers *readers = readers_;
    struct random r;

    rcu_thread_register();
    random_seed(&r, 6);
    while (!atomic_load(&readers->stop)) {
        uint32_t i = random_below(&r, N_STAY);
        struct cls_rule *found;
        struct match m, has;

        match_address(&m, i);
        prefetch_something(&r, &readers->cls, &m.flow);
        found = classifier_lookup_rcu(&readers->cls, 1, &m.flow, NULL);
        assert_non_null(found);
        cls_rule_get_match(found, &has);
        assert_true(match_covers_flow(&has, &m.flow));
        match_address(&m, N_COME + i);
        assert_null(classifier_lookup_rcu(&readers->cls, 1, &m.flow, NULL));
        atomic_fetch_add(&readers->n_found, 1);
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static void
readers_find_what_stays_while_a_big_subtable_grows_and_shrinks(void **state UNUSED)
{
    struct cls_rule *rules = xcalloc(N_COME, sizeof *rules);
    struct readers readers = { .stop = false };
    pthread_t threads[2];
    struct match m;

    rcu_thread_register();
    classifier_init(&readers.cls);
    for (uint32_t i = 0; i < N_STAY; i++) {
        match_address(&m, i);
        classifier_insert(&readers.cls, &rules[i], &m, 1, 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_create(&threads[i], NULL, look_for_what_stays, &readers);
    }
    for (int round = 0; round < 3 || atomic_load(&readers.n_found) < 100; round++) {
        for (uint32_t i = N_STAY; i < N_COME; i++) {
            match_address(&m, i);
            classifier_insert(&readers.cls, &rules[i], &m, 1, 1);
            rcu_quiescent();
        }
        for (uint32_t i = N_STAY; i < N_COME; i++) {
            classifier_remove(&readers.cls, &rules[i]);
            rcu_quiescent();
        }
        rcu_synchronize();
        for (uint32_t i = N_STAY; i < N_COME; i++) {
            cls_rule_uninit(&rules[i]);
        }
    }
    atomic_store(&readers.stop, true);
    rcu_offline();
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    rcu_online();
    for (uint32_t i = 0; i < N_STAY; i++) {
        classifier_remove(&readers.cls, &rules[i]);
        cls_rule_uninit(&rules[i]);
    }
    classifier_uninit(&readers.cls);
    free(rules);
    rcu_thread_unregister();
}

/* Thousands of rules of one mask, with stages, that come and go while its tables grow. */
static void
a_big_subtable_grows_and_shrinks_in_steps(void **state UNUSED)
{
    enum { BIG = 20000 };
    struct cls_rule *rules = xcalloc(BIG, sizeof *rules);
    bool *in = xcalloc(BIG, sizeof *in);
    struct classifier cls;
    struct random r;
    size_t n = 0;

    rcu_thread_register();
    classifier_init(&cls);
    random_seed(&r, 11);
    for (int step = 0; step < 5 * BIG; step++) {
        /* First more come than go, then more go. */
        uint32_t i = random_below(&r, step < 3 * BIG ? BIG : BIG / 50), k = random_below(&r, BIG);
        struct cls_rule *found;
        struct match m;

        match_init_catchall(&m);
        match_set_u64(&m, FIELD_ETH_TYPE, 0x0800);
        match_set_u64(&m, FIELD_REG0, i % 100);
        match_set_u64(&m, FIELD_IP_DST, i * 3);
        if (in[i]) {
            classifier_remove(&cls, &rules[i]);
            cls_rule_uninit(&rules[i]); /* There is no other reader. */
        } else {
            classifier_insert(&cls, &rules[i], &m, 1, 1);
        }
        n += in[i] ? -1 : 1;
        in[i] = !in[i];
        match_set_u64(&m, FIELD_REG0, k % 100);
        match_set_u64(&m, FIELD_IP_DST, k * 3);
        found = classifier_lookup_rcu(&cls, 1, &m.flow, NULL);
        assert_ptr_equal(found, in[k] ? &rules[k] : NULL);
        rcu_quiescent();
    }
    for (size_t i = 0, seen = 0; i < BIG; i++) {
        if (in[i]) {
            if (!seen) {
                classifier_for_each(&cls, NULL, 1, count_rule, &seen);
                assert_int_equal(seen, n);
            }
            classifier_remove(&cls, &rules[i]);
            cls_rule_uninit(&rules[i]);
        }
    }
    assert_int_equal(cls.n_rules, 0);
    classifier_uninit(&cls);
    rcu_thread_unregister();
    rcu_barrier_all();
    free(rules);
    free(in);
}

enum { N_PRIORITIES = 1500 };

/* Rules of one match, by priority: the one that is visible in version 1, and one that is not. */
struct chain {
    struct classifier cls;
    struct match match;
    struct cls_rule shown[N_PRIORITIES], hidden[N_PRIORITIES];
    bool has_shown[N_PRIORITIES], has_hidden[N_PRIORITIES];
};

static void
toggle(struct chain *c, struct cls_rule *rule, bool *in, int priority, uint64_t version)
{
    if (*in) {
        classifier_remove(&c->cls, rule);
        cls_rule_uninit(rule); /* There is no other reader. */
    } else {
        classifier_insert(&c->cls, rule, &c->match, priority, version);
    }
    *in = !*in;
}

static void
clear(struct chain *c, int priority)
{
    if (c->has_shown[priority]) {
        toggle(c, &c->shown[priority], &c->has_shown[priority], priority, 1);
    }
    if (c->has_hidden[priority]) {
        toggle(c, &c->hidden[priority], &c->has_hidden[priority], priority, 2);
    }
}

static void
check_chain(const struct chain *c, int priority)
{
    int best = N_PRIORITIES - 1;
    struct cls_rule *found;

    found = classifier_find(&c->cls, &c->match, priority, 1);
    assert_ptr_equal(found, c->has_shown[priority] ? &c->shown[priority] : NULL);
    found = classifier_find(&c->cls, &c->match, priority, 2);
    assert_true(!found == !(c->has_shown[priority] || c->has_hidden[priority]));
    while (best >= 0 && !c->has_shown[best]) {
        best--;
    }
    found = classifier_lookup_rcu(&c->cls, 1, &c->match.flow, NULL);
    assert_ptr_equal(found, best < 0 ? NULL : &c->shown[best]);
}

struct last { int priority; size_t n; };

static int
check_falling(void *last_, struct cls_rule *rule)
{
    struct last *last = last_;

    assert_true(rule->priority <= last->priority);
    *last = (struct last) { rule->priority, last->n + 1 };
    return INT_MIN;
}

/* Rules with the same match: many priorities, and some of one priority in different versions. */
static void
a_long_chain_keeps_its_order(void **state UNUSED)
{
    struct chain *c = xzalloc(sizeof *c);
    struct random r;

    rcu_thread_register();
    classifier_init(&c->cls);
    match_init_catchall(&c->match);
    random_seed(&r, 3);
    for (int step = 0; step < 20000; step++) {
        /* First more come than go, then nearly all go, then they come again. */
        int i = random_below(&r, step / 5000 == 1 ? 20 : N_PRIORITIES);
        struct last last = { INT32_MAX, 0 };

        if (step / 5000 == 1 && step < 5000 + N_PRIORITIES) {
            i = step - 5000;
            clear(c, i);
        } else if (random_below(&r, 3)) {
            toggle(c, &c->shown[i], &c->has_shown[i], i, 1);
        } else {
            toggle(c, &c->hidden[i], &c->has_hidden[i], i, 2);
        }
        check_chain(c, i);
        check_chain(c, random_below(&r, N_PRIORITIES));
        if (step % 500 == 0) {
            classifier_for_each_match_rcu(&c->cls, 2, &c->match.flow, NULL, check_falling, &last);
            assert_int_equal(last.n, c->cls.n_rules);
        }
    }
    for (int i = 0; i < N_PRIORITIES; i++) {
        clear(c, i);
    }
    classifier_uninit(&c->cls);
    rcu_thread_unregister();
    rcu_barrier_all();
    free(c);
}

static int
want_above_5(void *seen_, struct cls_rule *rule)
{
    unsigned int *seen = seen_;

    *seen |= 1u << rule->priority;
    return rule->priority == 5 ? 5 : INT_MIN;
}

static void
a_walk_looks_at_nothing_below_what_it_is_told(void **state UNUSED)
{
    static const enum field_id ids[] = { FIELD_REG0, FIELD_REG2, FIELD_METADATA, FIELD_REG4 };
    static const int priorities[] = { 7, 5, 6, 4 };
    struct cls_rule rules[ARRAY_SIZE(ids)];
    struct flow flow = { .lines = { { { 0 } } } };
    unsigned int seen = 0;
    struct classifier cls;
    struct cls_mask wc;
    struct match m;

    rcu_thread_register();
    classifier_init(&cls);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        match_init_catchall(&m);
        match_set_u64(&m, ids[i], 0);
        classifier_insert(&cls, &rules[i], &m, priorities[i], 1);
    }
    cls_mask_init(&wc);
    classifier_for_each_match_rcu(&cls, 1, &flow, &wc, want_above_5, &seen);
    assert_int_equal(seen, 1u << 7 | 1u << 6 | 1u << 5);
    assert_true(cls_mask_word(&wc, field_of(FIELD_METADATA)->offset / 64));
    assert_false(cls_mask_word(&wc, field_of(FIELD_REG4)->offset / 64));
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        classifier_remove(&cls, &rules[i]);
        cls_rule_uninit(&rules[i]); /* There is no other reader. */
    }
    classifier_uninit(&cls);
    rcu_thread_unregister();
    rcu_barrier_all();
}

/* Giving up. */

enum { N_GIVEN_UP = 200 };

static void
insert_some(struct classifier *cls, struct cls_rule *rules, uint64_t version)
{
    for (int i = 0; i < N_GIVEN_UP; i++) {
        struct match m;

        match_init_catchall(&m);
        match_set_u64(&m, FIELD_ETH_TYPE, 0x0800);
        match_set_u64(&m, FIELD_IP_DST, 0x0a000000 + i);
        if (i % 2) {
            match_set_u64(&m, FIELD_NW_PROTO, 6);
            match_set_u64(&m, FIELD_TCP_DST, i);
        }
        classifier_insert(cls, &rules[i], &m, i, version);
    }
}

/* Some are removed after others with the same masks and values have come. */
static void
rules_that_were_given_up_leave_room_for_others(void **state UNUSED)
{
    struct cls_rule *gone = xcalloc(N_GIVEN_UP, sizeof *gone), *others = xcalloc(N_GIVEN_UP, sizeof *others);
    struct match m;
    struct classifier cls;

    rcu_thread_register();
    classifier_init(&cls);
    classifier_give_up_rules(&cls); /* There is none. */
    insert_some(&cls, gone, 1);
    for (int i = 0; i < N_GIVEN_UP; i++) {
        cls_rule_hide(&gone[i], 2);
    }
    classifier_give_up_rules(&cls);
    cls_rule_get_match(&gone[5], &m);
    assert_null(classifier_find(&cls, &m, 5, 1)); /* In no version. */
    assert_null(classifier_lookup_rcu(&cls, 1, &m.flow, NULL));
    for (int i = 0; i < N_GIVEN_UP; i++) {
        if (i == N_GIVEN_UP / 2) {
            insert_some(&cls, others, 2);
        }
        classifier_remove(&cls, &gone[i]);
    }
    assert_int_equal(cls.n_rules, N_GIVEN_UP);
    for (int i = 0; i < N_GIVEN_UP; i++) {
        cls_rule_get_match(&others[i], &m);
        assert_ptr_equal(classifier_find(&cls, &m, i, 2), &others[i]);
        assert_ptr_equal(classifier_lookup_rcu(&cls, 2, &m.flow, NULL), &others[i]);
    }
    for (int i = 0; i < N_GIVEN_UP; i++) { /* One by one. */
        classifier_remove(&cls, &others[i]);
    }
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    for (int i = 0; i < N_GIVEN_UP; i++) {
        cls_rule_uninit(&gone[i]);
        cls_rule_uninit(&others[i]);
    }
    classifier_uninit(&cls);
    free(gone);
    free(others);
    rcu_thread_unregister();
    rcu_barrier_all();
}

/* Rules for one network and some of its ports: 0 bits of a port are none. */
static void
match_network_ports(struct match *m, unsigned int network, unsigned int n_bits, unsigned int port)
{
    union field_value v, mask;

    match_init_catchall(m);
    match_set_u64(m, FIELD_ETH_TYPE, 0x0800);
    match_set_u64(m, FIELD_NW_PROTO, 6);
    field_value_from_u64(field_of(FIELD_IP_SRC), 0x0a000000 | network << 8, &v);
    field_value_from_u64(field_of(FIELD_IP_SRC), 0xffffff00, &mask);
    match_set_masked(m, field_of(FIELD_IP_SRC), &v, &mask);
    if (n_bits) {
        uint64_t bits = UINT64_C(0xffff) << (16 - n_bits) & 0xffff;

        field_value_from_u64(field_of(FIELD_TCP_SRC), port & bits, &v);
        field_value_from_u64(field_of(FIELD_TCP_SRC), bits, &mask);
        match_set_masked(m, field_of(FIELD_TCP_SRC), &v, &mask);
    }
    match_normalize(m);
}

/* More rules of one network than a byte counts. */
enum { N_OF_NETWORK = 300, N_NETWORKS = 3, N_PORT_MASKS = 4 };

static void
check_networks(struct classifier *cls)
{
    for (unsigned int network = 0; network < N_NETWORKS + 1; network++) {
        struct match m;

        match_network_ports(&m, network, 16, 1);
        check_stages(cls, &m.flow);
    }
}

static unsigned int
count_joints(const struct classifier *cls)
{
    unsigned int n = 0;

    LIST_FOR_EACH (j, struct cls_joint, in_classifier, &cls->joints) {
        n += j != NULL;
    }
    return n;
}

/* 'n_portless' rules without ports come first. */
static void
share_networks(unsigned int n_portless, unsigned int n_joined)
{
    struct cls_rule *rules = xcalloc(N_PORT_MASKS * N_OF_NETWORK + n_portless, sizeof *rules);
    struct classifier cls;
    unsigned int n = 0;
    struct match m;

    rcu_thread_register();
    classifier_init(&cls);
    for (unsigned int i = 0; i < n_portless; i++) {
        match_network_ports(&m, i % N_NETWORKS, 0, 0);
        classifier_insert(&cls, &rules[n++], &m, i, 1);
    }
    assert_int_equal(count_joints(&cls), 0);
    for (unsigned int i = 0; i < N_PORT_MASKS * N_OF_NETWORK; i++) {
        unsigned int mask = i % N_PORT_MASKS;

        match_network_ports(&m, mask % N_NETWORKS, 16 - mask, i << mask);
        classifier_insert(&cls, &rules[n++], &m, 1000, 1);
    }
    assert_int_equal(count_joints(&cls), DIV_ROUND_UP(N_PORT_MASKS + n_joined, CLS_JOINT_MEMBERS));
    check_networks(&cls);
    for (unsigned int i = n; i-- > 0;) {
        classifier_remove(&cls, &rules[i]);
        if (i % 50 < 5) {
            check_networks(&cls);
        }
    }
    assert_int_equal(count_joints(&cls), 0);
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    for (unsigned int i = 0; i < n; i++) {
        cls_rule_uninit(&rules[i]);
    }
    classifier_uninit(&cls);
    free(rules);
    rcu_thread_unregister();
    rcu_barrier_all();
}

static void
subtables_that_differ_in_ports_share_their_addresses(void **state UNUSED)
{
    share_networks(0, 0);
    share_networks(30, 1);
    share_networks(2 * N_OF_NETWORK, 0); /* Too many to join late. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subtables_that_differ_in_ports_share_their_addresses),
        cmocka_unit_test(a_big_subtable_grows_and_shrinks_in_steps),
        cmocka_unit_test(readers_find_what_stays_while_a_big_subtable_grows_and_shrinks),
        cmocka_unit_test(a_long_chain_keeps_its_order),
        cmocka_unit_test(a_walk_looks_at_nothing_below_what_it_is_told),
        cmocka_unit_test(a_version_shows_only_its_rules),
        cmocka_unit_test(rules_that_were_given_up_leave_room_for_others),
        cmocka_unit_test(rules_are_walked_in_the_order_of_dumps),
        cmocka_unit_test(readers_see_a_whole_table_while_it_changes),
        cmocka_unit_test(it_agrees_with_a_linear_search_and_its_wildcards_hold),
    };

    int n_failed;

    cls_shapes_init(&shapes);
    n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    cls_shapes_uninit(&shapes);
    return n_failed;
}
