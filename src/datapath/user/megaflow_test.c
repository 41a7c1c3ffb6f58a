/* Megaflow tables against a slow oracle: a policy that looks at a random few bits of a packet decides; whatever the
 * tables answer must be what the policy says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "base/random.h"
#include "datapath/user/megaflow.h"
#include "datapath/user/op.h"

static struct random r;
static struct dp_flow_stats before;

/* A pipeline in small: rules from the first to the last, each a mask and a value; the first that matches gives the
 * port.  Looking at a rule means to have looked at its mask. */
enum { N_RULES = 24 };
struct policy {
    struct flow mask[N_RULES], value[N_RULES];
};

static struct flow
random_key(void)
{
    struct flow k = { .in_port = cpu_to_be32(1 + random_below(&r, 2)), .eth_type = BE16(0x0800) };

    k.nw_src = cpu_to_be32(random_below(&r, 8));
    k.nw_dst = cpu_to_be32(random_below(&r, 8));
    k.tp_src = cpu_to_be16(random_below(&r, 4));
    k.tp_dst = cpu_to_be16(random_below(&r, 4));
    if (random_below(&r, 3) == 0) {
        k.eth_type = BE16(0x86dd);
        k.ipv6_src.s6[15] = random_below(&r, 8);
    }
    return k;
}

static void
random_policy(struct policy *p)
{
    memset(p, 0, sizeof *p);
    for (int i = 0; i < N_RULES; i++) {
        struct flow key = random_key(), *m = &p->mask[i];

        m->nw_src = cpu_to_be32(random_below(&r, 8));
        m->nw_dst = cpu_to_be32(random_below(&r, 8));
        m->tp_src = cpu_to_be16(random_below(&r, 4));
        m->ipv6_src.s6[15] = random_below(&r, 3) ? 0 : random_below(&r, 8);
        flow_mask(&p->value[i], &key, m);
    }
}

static uint32_t
decide(const struct policy *p, const struct flow *key, struct flow *looked_at)
{
    for (int i = 0; i < N_RULES; i++) {
        flow_or(looked_at, &p->mask[i]);
        if (flow_equal_masked(key, &p->value[i], &p->mask[i])) {
            return i;
        }
    }
    return N_RULES;
}

static struct program *
output_to(uint32_t port)
{
    struct bytes actions = BYTES_INIT;
    struct error *e;
    struct program *p;

    odp_put_output(&actions, ODP_PORT(port));
    p = program_compile(actions.data, actions.len, &e);
    bytes_uninit(&actions);
    assert_non_null(p);
    return p;
}

static struct dp_flow *
lookup_since(struct megaflow_table *t, struct flow *key, uint64_t since)
{
    struct dictionary *d = megaflow_dictionary_rcu(t, key->in_port, key->recirc_id);
    uint16_t lines = FLOW_LINES_ALL;
    uint64_t n_masks = 0;
    struct dp_flow *f = d ? megaflow_lookup_rcu(d, key, &lines, &n_masks, megaflow_epoch(t), since) : NULL;

    assert_true(n_masks <= MEGAFLOW_TUPLES);
    return f;
}

static struct dp_flow *
lookup(struct megaflow_table *t, struct flow *key)
{
    return lookup_since(t, key, 0);
}

static void
the_tables_answer_as_the_pipeline_does(void **state UNUSED)
{
    for (int round = 0; round < 60; round++) {
        struct megaflow_table t;
        struct policy policy;
        unsigned int n_misses = 0;

        megaflow_table_init(&t);
        random_policy(&policy);
        for (int i = 0; i < 3000; i++) {
            struct flow key = random_key(), mask = { 0 };
            uint32_t port = decide(&policy, &key, &mask);
            struct dp_flow *f = lookup(&t, &key);

            if (!f) {
                n_misses++;
                assert_int_equal(megaflow_put(&t, &key, &mask, output_to(port), NULL, true, false, &f, &before), 0);
            }
            assert_int_equal(f->sole_output, port);
            if (!random_below(&r, 20)) {
                assert_int_equal(megaflow_del(&t, f, NULL), 0);
                assert_null(lookup(&t, &key));
            }
        }
        assert_true(n_misses < 3000);
        megaflow_table_uninit(&t);
    }
}

/* Each key is looked for again and again, and once it has been missed, only among what has come since. */
static void
what_was_missed_is_looked_for_among_newer_ones(void **state UNUSED)
{
    enum { N_KEYS = 400 };
    static struct { struct flow key; uint64_t since; } all[N_KEYS];
    unsigned int n_found = 0, n_put = 0;
    struct megaflow_table t;
    struct policy policy;

    megaflow_table_init(&t);
    random_policy(&policy);
    for (int i = 0; i < N_KEYS; i++) {
        all[i].key = random_key();
        all[i].since = 0;
    }
    for (int i = 0; i < 4000; i++) {
        int k = random_below(&r, N_KEYS);
        uint64_t now = megaflow_n_put(&t);
        struct dp_flow *f = lookup(&t, &all[k].key);

        assert_ptr_equal(lookup_since(&t, &all[k].key, all[k].since), f);
        n_found += f && all[k].since;
        all[k].since = f ? 0 : now;
        if (!f && !random_below(&r, 8)) {
            struct flow mask = { .in_port = BE32_MAX, .recirc_id = BE32_MAX };
            uint32_t port = decide(&policy, &all[k].key, &mask);

            assert_int_equal(megaflow_put_missed(&t, &all[k].key, &mask, output_to(port), NULL, now, &f, &before), 0);
            assert_ptr_equal(lookup_since(&t, &all[k].key, now), f);
            n_put++;
        } else if (f && !random_below(&r, 4)) {
            assert_int_equal(megaflow_del(&t, f, NULL), 0);
        }
    }
    assert_true(n_put > 50 && n_found > 50);
    megaflow_table_uninit(&t);
}

/* Somebody else was faster. */
static void
what_was_missed_may_have_come_meanwhile(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .nw_src = BE32(5) }, mask = { .in_port = BE32_MAX, .recirc_id = BE32_MAX };
    struct program *p = output_to(2);
    struct megaflow_table t;
    uint64_t since;
    struct dp_flow *f, *g;

    megaflow_table_init(&t);
    since = megaflow_n_put(&t);
    assert_null(lookup(&t, &key));
    assert_int_equal(megaflow_put_missed(&t, &key, &mask, output_to(1), NULL, since, &f, &before), 0);
    assert_int_equal(megaflow_put_missed(&t, &key, &mask, p, NULL, since, &g, &before), -EEXIST);
    assert_ptr_equal(g, f);
    program_destroy(p);
    megaflow_table_uninit(&t);
}

static void
hostile_keys_do_not_make_masks_without_end(void **state UNUSED)
{
    struct flow victim = { .in_port = BE32(2), .eth_type = BE16(0x0800), .nw_src = BE32(77) };
    struct flow victim_mask = { .nw_src = BE32_MAX };
    struct megaflow_table t;
    struct dp_flow *kept;

    megaflow_table_init(&t);
    assert_int_equal(megaflow_put(&t, &victim, &victim_mask, output_to(1), NULL, true, false, &kept, &before), 0);
    for (uint32_t i = 0; i < MEGAFLOW_EXACT_QUOTA + 500; i++) {
        /* Each wants a mask of its own. */
        struct flow key = { .in_port = BE32(1), .eth_type = BE16(0x0800), .nw_src = cpu_to_be32(i) };
        struct flow mask = { .nw_src = cpu_to_be32(i * 2654435761u | 1), .nw_dst = cpu_to_be32(i * 40503u) };
        struct dp_flow *f;
        struct program *p = output_to(3);

        if (megaflow_put(&t, &key, &mask, p, NULL, true, false, &f, &before) < 0) {
            program_destroy(p);
        }
    }
    assert_true(t.n_tuples <= MEGAFLOW_MASKS + 2);
    assert_true(t.n_flows <= MEGAFLOW_EXACT_QUOTA + 2 * MEGAFLOW_MASKS + 1);
    assert_ptr_equal(lookup(&t, &victim), kept);
    megaflow_table_uninit(&t);
}

static void
a_megaflow_is_put_once_and_modified_on_request(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .nw_src = BE32(5) }, mask = { .nw_src = BE32_MAX };
    struct program *p = output_to(1), *q = output_to(2);
    struct megaflow_table t;
    struct dp_flow *f, *g;

    megaflow_table_init(&t);
    assert_int_equal(megaflow_put(&t, &key, &mask, p, NULL, false, true, &f, &before), -ENOENT);
    assert_int_equal(megaflow_put(&t, &key, &mask, p, NULL, true, false, &f, &before), 0);
    assert_int_equal(megaflow_put(&t, &key, &mask, q, NULL, true, false, &g, &before), -EEXIST);
    assert_ptr_equal(f, g);
    assert_int_equal(megaflow_put(&t, &key, &mask, q, NULL, false, true, &g, &before), MEGAFLOW_TAKEN_OVER);
    assert_int_equal(f->sole_output, 2);
    t.limit = 1;
    key.nw_src = BE32(6);
    p = output_to(1);
    assert_int_equal(megaflow_put(&t, &key, &mask, p, NULL, true, false, &g, &before), -ENOSPC);
    program_destroy(p);
    megaflow_table_uninit(&t);
}

/* That the key has nothing there is part of the match all the same. */
static void
a_line_that_the_key_lacks_takes_no_memory(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .vlan_tci = BE16(VLAN_PRESENT | 5) };
    struct flow mask = { .vlan_tci = BE16_MAX, .vlan2_tci = BE16_MAX }, kept, other = key;
    struct megaflow_table t;
    struct dp_flow *f, *g;

    megaflow_table_init(&t);
    assert_int_equal(megaflow_put(&t, &key, &mask, output_to(1), NULL, true, false, &f, &before), 0);
    assert_int_equal(f->n_lines, 1);
    megaflow_get_key(f, &kept);
    assert_memory_equal(&kept, &key, sizeof key);
    other.mpls_lse[0] = BE32(7); /* In the same line, and not of the mask. */
    assert_ptr_equal(lookup(&t, &other), f);
    other.vlan2_tci = BE16(VLAN_PRESENT | 6);
    assert_null(lookup(&t, &other));
    assert_int_equal(megaflow_put(&t, &other, &mask, output_to(2), NULL, true, false, &g, &before), 0);
    assert_int_equal(g->n_lines, 2);
    assert_ptr_equal(g->tuple, f->tuple);
    assert_ptr_equal(lookup(&t, &other), g);
    assert_ptr_equal(lookup(&t, &key), f);
    megaflow_table_uninit(&t);
}

/* What the mask leaves out is kept and decides nothing, neither the lookup nor the name. */
static void
a_megaflow_keeps_the_key_of_its_packet(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .nw_src = BE32(5), .nw_dst = BE32(6) }, mask = { .nw_src = BE32_MAX };
    struct flow other = key, kept;
    struct megaflow_table t;
    struct dp_flow *f, *g;
    struct uuid a, b;

    megaflow_table_init(&t);
    key.ct_label[0] = 7;
    other.mpls_lse[0] = BE32(7);
    other.nw_dst = BE32(8);
    assert_int_equal(megaflow_put(&t, &key, &mask, output_to(1), NULL, true, false, &f, &before), 0);
    megaflow_get_key(f, &kept);
    assert_memory_equal(&kept, &key, sizeof key);
    assert_ptr_equal(lookup(&t, &other), f);
    megaflow_get_ufid(f, &a);
    assert_int_equal(megaflow_del(&t, f, NULL), 0);
    assert_int_equal(megaflow_put(&t, &other, &mask, output_to(1), NULL, true, false, &g, &before), 0);
    megaflow_get_key(g, &kept);
    assert_memory_equal(&kept, &other, sizeof other);
    megaflow_get_ufid(g, &b);
    assert_true(uuid_equal(&a, &b));
    megaflow_table_uninit(&t);
}

struct named {
    struct megaflow_table *t;
    size_t n, n_gone;
};

/* By its name each is found, and no other; none by a name that is almost its own. */
static bool
check_name(void *named_, struct dp_flow *f)
{
    struct named *named = named_;
    struct uuid ufid, other;

    megaflow_get_ufid(f, &ufid);
    assert_ptr_equal(megaflow_find_ufid_rcu(named->t, &ufid), f);
    for (size_t i = 0; i < sizeof ufid; i++) {
        other = ufid;
        other.bytes[i] ^= 4;
        assert_null(megaflow_find_ufid_rcu(named->t, &other));
    }
    named->n++;
    if (random_below(&r, 3) == 0) {
        assert_int_equal(megaflow_del(named->t, f, NULL), 0);
        assert_null(megaflow_find_ufid_rcu(named->t, &ufid));
        named->n_gone++;
    }
    return true;
}

static void
megaflows_are_found_by_their_names(void **state UNUSED)
{
    struct megaflow_table t;
    struct named named = { .t = &t };
    struct policy p;
    size_t left;

    megaflow_table_init(&t);
    random_policy(&p);
    for (int i = 0; i < 500; i++) {
        struct flow key = random_key(), mask = { 0 };
        struct program *program;
        struct dp_flow *f;

        program = output_to(decide(&p, &key, &mask));
        if (megaflow_put(&t, &key, &mask, program, NULL, true, false, &f, &before)) {
            program_destroy(program);
        } else if (i % 8 == 0) {
            struct uuid given = { { 1, i / 256, i % 256 } }, made;

            megaflow_get_ufid(f, &made);
            megaflow_set_ufid(&t, f, &(struct uuid) { { 2 } });
            megaflow_set_ufid(&t, f, &given);
            assert_null(megaflow_find_ufid_rcu(&t, &made));
            assert_null(megaflow_find_ufid_rcu(&t, &(struct uuid) { { 2 } }));
        }
    }
    assert_in_range(t.n_tuples, 4, 200);
    megaflow_for_each_rcu(&t, check_name, &named);
    assert_in_range(named.n_gone, 1, named.n - 1);
    left = named.n - named.n_gone;
    named.n = 0;
    megaflow_for_each_rcu(&t, check_name, &named);
    assert_int_equal(named.n, left);
    megaflow_table_uninit(&t);
}

/* A stale megaflow is missed by packets; the answer to the next one renews it if its mask allows, with its counters. */
static void
a_stale_megaflow_is_renewed(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .nw_src = BE32(5), .nw_dst = BE32(6) }, mask = { .nw_src = BE32_MAX }, wide;
    struct megaflow_table t;
    struct dp_flow *f, *g;

    megaflow_table_init(&t);
    assert_int_equal(megaflow_put(&t, &key, &mask, output_to(1), NULL, true, false, &f, &before), 0);
    megaflow_count(f, 0, 3, 300, 0, 1);
    assert_ptr_equal(lookup(&t, &key), f);
    megaflow_set_stale(f);
    assert_null(lookup(&t, &key));
    assert_int_equal(megaflow_put(&t, &key, &mask, output_to(2), NULL, true, false, &g, &before), MEGAFLOW_TAKEN_OVER);
    assert_ptr_equal(g, f);
    assert_int_equal(before.n_packets, 3);
    assert_int_equal(before.n_bytes, 300);
    assert_ptr_equal(lookup(&t, &key), f);

    /* More bits decide now: the old one must go. */
    megaflow_set_stale(f);
    wide = mask;
    wide.nw_dst = BE32_MAX;
    assert_int_equal(megaflow_put(&t, &key, &wide, output_to(3), NULL, true, false, &g, &before), 0);
    assert_ptr_not_equal(g, f);
    assert_int_equal(before.n_packets, 0);
    assert_ptr_equal(lookup(&t, &key), g);
    assert_int_equal(t.n_flows, 1);

    /* One that is gone stays so. */
    assert_int_equal(megaflow_del(&t, g, NULL), 0);
    megaflow_set_live(g, NULL);
    assert_null(lookup(&t, &key));
    megaflow_table_uninit(&t);
}

/* A new epoch puts all in doubt; each may be live again, stale, or taken over by another owner. */
static void
an_epoch_puts_all_in_doubt(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .nw_src = BE32(5) }, other = key, mask = { .nw_src = BE32_MAX };
    struct megaflow_table t;
    struct dp_flow *f, *g, *taken;
    int old, new;

    megaflow_table_init(&t);
    other.nw_src = BE32(6);
    assert_int_equal(megaflow_put(&t, &key, &mask, output_to(1), &old, true, false, &f, &before), 0);
    assert_int_equal(megaflow_put(&t, &other, &mask, output_to(1), &old, true, false, &g, &before), 0);
    assert_ptr_equal(lookup(&t, &key), f);
    megaflow_begin_epoch(&t);
    assert_null(lookup(&t, &key));
    assert_null(lookup(&t, &other));
    megaflow_set_live(f, &new); /* Not its owner. */
    assert_null(lookup(&t, &key));
    megaflow_set_live(f, &old);
    assert_ptr_equal(lookup(&t, &key), f);
    megaflow_set_stale(f);
    assert_null(lookup(&t, &key));

    /* Owners begin stale: the one in doubt that is taken over serves when the new owner says so. */
    t.owners_begin_stale = true;
    assert_int_equal(megaflow_put(&t, &other, &mask, output_to(2), &new, true, false, &taken, &before),
                     MEGAFLOW_TAKEN_OVER);
    assert_ptr_equal(taken, g);
    assert_null(lookup(&t, &other));
    megaflow_set_live(g, &old);
    assert_null(lookup(&t, &other));
    megaflow_set_live(g, &new);
    assert_ptr_equal(lookup(&t, &other), g);
    megaflow_table_uninit(&t);
}

/* The first worker has counters of its own, the others share some; executors never are the first. */
static void
counts_of_all_workers_add_up(void **state UNUSED)
{
    struct flow key = { .in_port = BE32(1), .nw_src = BE32(5) }, mask = { .nw_src = BE32_MAX };
    struct megaflow_table t;
    struct dp_flow_stats s;
    struct dp_flow *f;

    megaflow_table_init(&t);
    assert_int_equal(megaflow_put(&t, &key, &mask, output_to(1), NULL, true, false, &f, &before), 0);
    megaflow_count(f, MEGAFLOW_MAX_COUNTERS, 1, 10, 1, 7);
    for (unsigned int worker = 0; worker < 5; worker++) {
        megaflow_count(f, worker, 1, 100, 1 << worker, worker + 1);
    }
    assert_int_equal(f->counter, 1);
    megaflow_get_stats(f, &s);
    assert_int_equal(s.n_packets, 6);
    assert_int_equal(s.n_bytes, 510);
    assert_int_equal(s.tcp_flags, 31);
    megaflow_table_uninit(&t);
}

static void
programs_of_the_same_actions_are_one(void **state UNUSED)
{
    struct program *p = output_to(1), *q = output_to(1), *other = output_to(2);

    assert_ptr_equal(p, q);
    assert_ptr_not_equal(p, other);
    program_destroy(p);
    assert_int_equal(program_sole_output(q), 1);
    program_destroy(q);
    program_destroy(other);
}

/* Megaflows of one tuple, by number. */
enum { N_NUMBERED = 12000 };
static struct dp_flow *numbered[N_NUMBERED];

static struct dp_flow *
lookup_numbered(struct megaflow_table *t, uint32_t i)
{
    struct flow key = { .in_port = BE32(1), .nw_src = cpu_to_be32(i) };

    return lookup(t, &key);
}

static void
put_numbered(struct megaflow_table *t, uint32_t i)
{
    struct flow key = { .in_port = BE32(1), .nw_src = cpu_to_be32(i) }, mask = { .nw_src = BE32_MAX };

    assert_int_equal(megaflow_put(t, &key, &mask, output_to(i), NULL, true, false, &numbered[i], &before), 0);
}

static void
remove_numbered(struct megaflow_table *t, uint32_t i)
{
    assert_int_equal(megaflow_del(t, numbered[i], NULL), 0);
    numbered[i] = NULL;
}

/* After an insertion into a table that had so many slots, of which so many had been moved: not many more have been.
 * Returns how many now. */
static size_t
check_step(const struct slot_table *t, size_t *n_slots, size_t n_moved_before)
{
    size_t n_moved = t->next ? t->n_moved : 0, n = rcu_get_protected(&((struct slot_table *) t)->now)->mask + 1;

    if (*n_slots > SLOT_TABLE_SMALL) {
        size_t end = n == *n_slots && n_moved >= n_moved_before ? n_moved : *n_slots;

        assert_in_range(end - n_moved_before, 0, SLOT_TABLE_MOVES);
        assert_true(t->n_used * 16 <= n * 9);
    }
    *n_slots = n;
    return n_moved;
}

/* Each insertion moves few slots, and meanwhile all are found that are there, and none that is gone. */
static void
a_tuple_grows_in_small_steps(void **state UNUSED)
{
    size_t n_slots = 0, n_moved = 0, n_gone_moving = 0;
    struct megaflow_table t;

    megaflow_table_init(&t);
    memset(numbered, 0, sizeof numbered);
    for (uint32_t i = 0; i < N_NUMBERED; i++) {
        const struct slot_table *table;
        uint32_t gone = random_below(&r, i + 1);

        put_numbered(&t, i);
        table = &numbered[i]->tuple->table;
        n_moved = check_step(table, &n_slots, n_moved);
        if (numbered[gone] && random_below(&r, 4) == 0) {
            remove_numbered(&t, gone);
            n_gone_moving += n_moved > 0;
        }
        for (uint32_t k = i % 64 ? i - i % 64 : 0; k <= i; k++) {
            assert_ptr_equal(lookup_numbered(&t, k), numbered[k]);
        }
    }
    assert_true(n_gone_moving > 100);
    assert_in_range(n_slots, 2 * t.n_flows, 16 * t.n_flows);
    megaflow_table_uninit(&t);
}

/* Slots of what is gone do not pile up, and the table that is made without them has the size that is needed. */
static void
a_tuple_in_which_megaflows_come_and_go_stays_small(void **state UNUSED)
{
    size_t n_slots = 0, n_moved = 0, largest = 0;
    struct megaflow_table t;

    megaflow_table_init(&t);
    memset(numbered, 0, sizeof numbered);
    for (uint32_t n = 0; n < 4 * N_NUMBERED; n++) {
        uint32_t i = n % N_NUMBERED;

        put_numbered(&t, i);
        n_moved = check_step(&numbered[i]->tuple->table, &n_slots, n_moved);
        largest = MAX(largest, n_slots);
        if (n >= 500) {
            uint32_t gone = (n - 500) % N_NUMBERED;

            assert_ptr_equal(lookup_numbered(&t, gone), numbered[gone]);
            remove_numbered(&t, gone);
            assert_null(lookup_numbered(&t, gone));
        }
    }
    assert_int_equal(t.n_flows, 500);
    assert_in_range(largest, 1024, 4096);
    megaflow_table_uninit(&t);
}

/* Another thread that looks for those that stay, which come first. */
enum { N_STAY = 100 };
struct reader {
    struct megaflow_table *t;
    _Atomic bool is_done;
    unsigned int n_found, n_missed;
};

static void *
look_for_what_stays(void *reader_)
{
    struct reader *reader = reader_;

    rcu_thread_register();
    for (uint32_t i = 0; !atomic_load(&reader->is_done) || i % N_STAY; i++) {
        struct dp_flow *f = lookup_numbered(reader->t, i % N_STAY);

        *(f && f->sole_output == i % N_STAY ? &reader->n_found : &reader->n_missed) += 1;
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static void
readers_find_what_stays_while_a_tuple_grows(void **state UNUSED)
{
    struct megaflow_table t;
    struct reader reader = { .t = &t };
    pthread_t thread;

    megaflow_table_init(&t);
    memset(numbered, 0, sizeof numbered);
    for (uint32_t i = 0; i < N_STAY; i++) {
        put_numbered(&t, i);
    }
    assert_int_equal(pthread_create(&thread, NULL, look_for_what_stays, &reader), 0);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = N_STAY; i < N_NUMBERED; i++) {
            uint32_t gone = N_STAY + random_below(&r, i - N_STAY + 1);

            if (!numbered[i]) {
                put_numbered(&t, i);
            }
            if (numbered[gone] && random_below(&r, 3) == 0) {
                remove_numbered(&t, gone);
            }
            rcu_quiescent();
        }
    }
    atomic_store(&reader.is_done, true);
    rcu_offline();
    assert_int_equal(pthread_join(thread, NULL), 0);
    rcu_online();
    assert_int_equal(reader.n_missed, 0);
    assert_true(reader.n_found >= N_STAY);
    megaflow_table_uninit(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_the_key_lacks_takes_no_memory),
        cmocka_unit_test(a_megaflow_keeps_the_key_of_its_packet),
        cmocka_unit_test(megaflows_are_found_by_their_names),
        cmocka_unit_test(a_stale_megaflow_is_renewed),
        cmocka_unit_test(an_epoch_puts_all_in_doubt),
        cmocka_unit_test(counts_of_all_workers_add_up),
        cmocka_unit_test(programs_of_the_same_actions_are_one),
        cmocka_unit_test(the_tables_answer_as_the_pipeline_does),
        cmocka_unit_test(what_was_missed_is_looked_for_among_newer_ones),
        cmocka_unit_test(what_was_missed_may_have_come_meanwhile),
        cmocka_unit_test(hostile_keys_do_not_make_masks_without_end),
        cmocka_unit_test(a_tuple_grows_in_small_steps),
        cmocka_unit_test(a_tuple_in_which_megaflows_come_and_go_stays_small),
        cmocka_unit_test(readers_find_what_stays_while_a_tuple_grows),
        cmocka_unit_test(a_megaflow_is_put_once_and_modified_on_request),
    };
    int failed;

    rcu_thread_register();
    random_seed(&r, 9);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_unregister();
    return failed;
}
