/* Measures the classifier alone: "classifier N...".
 *
 * For each number of rules and each shape (ACL, firewall, forwarding: prefixes nested in few networks, ports exact,
 * wild or in aligned ranges) it prints the processor time of adding a rule and of a lookup that also collects
 * wildcards, how many bytes of memory a rule takes, how many it takes in a second table of the same kind (what a
 * process pays once, for all of its tables, is in the first), and how many subtables there are.  Then again how many
 * bytes a rule takes, while another thread looks up packets, as a worker does that polls, and how often that has said
 * meanwhile, until all is released, that it holds nothing: on a busy machine it may not come to run while rules come.
 *
 * Memory is that of pages which the process has more than before, since only these are missing elsewhere: of objects
 * and pieces one would count what the system has not provided yet, and miss what the heap and the slabs keep of what
 * was replaced.  Each measurement has a process of its own, which begins without anything of the kind. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "classifier/classifier.h"
#include "sys/work.h"

enum { N_NETWORKS = 64, BATCH = 1024, N_BATCHES = 400, TURN = 1000, BURST = 32 };

struct shape {
    const char *name;
    int src[4], dst[8], port[4]; /* Lengths to choose from. */
    unsigned int n_src, n_dst, n_port;
    bool by_length;              /* Priority is the length of the destination's prefix. */
};

static const struct shape shapes[] = {
    { "acl", { 32, 24, 16, 0 }, { 32, 32, 28, 24 }, { 16, 16, 0, 12 }, 4, 4, 4, false },
    { "firewall", { 0, 16, 24, 32 }, { 32, 24, 0 }, { 16, 0, 6, 10 }, 4, 3, 4, false },
    { "forwarding", { 0 }, { 8, 16, 19, 20, 22, 23, 24, 32 }, { 0 }, 1, 8, 1, true },
};

struct entry {
    struct cls_rule rule;
    struct match match;
    int priority;
};

static double
cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t
prefix_mask(int length, int width)
{
    return length ? (UINT32_MAX << (width - length)) & (UINT32_MAX >> (32 - width)) : 0;
}

static void
set_prefix(be32 *value, be32 *mask, uint32_t v, int length)
{
    *mask = cpu_to_be32(prefix_mask(length, 32));
    *value = cpu_to_be32(v) & *mask;
}

static uint32_t
address(struct random *r, const struct shape *s, const uint32_t *networks)
{
    uint32_t any = random_u64(r);

    return s->by_length ? any : networks[random_below(r, N_NETWORKS)] | (any & 0xffff);
}

static void
random_entry(struct random *r, const struct shape *s, const uint32_t *networks, struct entry *e)
{
    struct match *m = &e->match;
    int dst = s->dst[random_below(r, s->n_dst)];

    match_init_catchall(m);
    match_set_u64(m, FIELD_ETH_TYPE, 0x0800);
    match_set_u64(m, FIELD_NW_PROTO, 17);
    set_prefix(&m->flow.nw_src, &m->mask.nw_src, address(r, s, networks), s->src[random_below(r, s->n_src)]);
    set_prefix(&m->flow.nw_dst, &m->mask.nw_dst, address(r, s, networks), dst);
    m->mask.tp_dst = cpu_to_be16(prefix_mask(s->port[random_below(r, s->n_port)], 16));
    m->flow.tp_dst = cpu_to_be16((uint32_t) random_u64(r)) & m->mask.tp_dst;
    e->priority = s->by_length ? dst + 1 : (int) random_below(r, 60000) + 1;
}

/* A packet for the rule: elsewhere random. */
static void
packet_for(struct random *r, const struct entry *e, struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    for (int i = 0; i < 8; i++) {
        uint64_t noise = random_u64(r);

        flow->lines[0].words[i] = (e->match.flow.lines[0].words[i] & e->match.mask.lines[0].words[i]) |
                                  (noise & ~e->match.mask.lines[0].words[i]);
    }
}

/* Inserts those that are not there yet, as a switch does; returns the seconds that takes.  Like its main thread this
 * goes quiescent between turns, there before each wait for events.  A turn takes flow-mods for half a millisecond of
 * one connection and 2 ms of all (openflow/conn.c), so what is put off is here as much as there, or more. */
static double
insert_all(struct classifier *cls, struct entry *entries, size_t n, size_t *n_inserted)
{
    double begin = cpu_seconds();

    *n_inserted = 0;
    for (size_t i = 0; i < n; i++) {
        struct entry *e = &entries[i];

        if (!classifier_find(cls, &e->match, e->priority, 1)) {
            classifier_insert(cls, &e->rule, &e->match, e->priority, 1);
            ++*n_inserted;
        }
        if (i % TURN == TURN - 1) {
            rcu_quiescent();
        }
    }
    return cpu_seconds() - begin;
}

/* Seconds that one lookup takes, of packets that are for random rules. */
static double
time_lookups(const struct classifier *cls, struct random *r, const struct entry *entries, size_t n)
{
    static struct flow flows[BATCH];
    size_t n_found = 0;
    double seconds = 0;

    for (int i = 0; i < N_BATCHES; i++) {
        for (int k = 0; k < BATCH; k++) {
            packet_for(r, &entries[random_below(r, n)], &flows[k]);
        }
        seconds -= cpu_seconds();
        for (int k = 0; k < BATCH; k++) {
            struct cls_mask wc;

            cls_mask_init(&wc);
            n_found += classifier_lookup_rcu(cls, 1, &flows[k], &wc) != NULL;
        }
        seconds += cpu_seconds();
        rcu_quiescent();
    }
    if (n_found != N_BATCHES * BATCH) {
        abort(); /* Each packet has its rule. */
    }
    return seconds / n_found;
}

/* Bytes of pages that are this process's own. */
static size_t
memory(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    size_t kb = 0;

    while (f && fgets(line, sizeof line, f) && !kb) {
        (void) sscanf(line, "Anonymous: %zu", &kb);
    }
    if (!kb) {
        perror("/proc/self/smaps_rollup");
        exit(EXIT_FAILURE);
    }
    fclose(f);
    return kb * 1024;
}

/* A table of rules. */
struct table {
    struct classifier cls;
    struct entry *entries;
    size_t n_entries, n_inserted;
    double add;           /* Seconds. */
    double bytes_a_rule;
};

static void
wait_for_releases(void)
{
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    work_wait_all(); /* Areas that are being made ready. */
}

/* All that a table needs and that is not the classifier's. */
static void
table_prepare(struct table *t, const struct shape *s, size_t n, struct random *r)
{
    uint32_t networks[N_NETWORKS];

    t->entries = xzalloc_cacheline(n * sizeof *t->entries);
    t->n_entries = n;
    classifier_init(&t->cls);
    for (int i = 0; i < N_NETWORKS; i++) {
        networks[i] = (uint32_t) random_u64(r) & 0xffff0000;
    }
    for (size_t i = 0; i < n; i++) {
        random_entry(r, s, networks, &t->entries[i]);
    }
}

static void
table_fill(struct table *t)
{
    size_t before = memory();

    t->add = insert_all(&t->cls, t->entries, t->n_entries, &t->n_inserted);
    wait_for_releases();
    t->bytes_a_rule = ((double) memory() - before) / t->n_inserted + sizeof(struct cls_rule);
}

static void
table_unmake(struct table *t)
{
    for (size_t i = 0; i < t->n_entries; i++) {
        if (t->entries[i].rule.node) {
            classifier_remove(&t->cls, &t->entries[i].rule);
            cls_rule_uninit(&t->entries[i].rule);
        }
    }
    wait_for_releases();
    classifier_uninit(&t->cls);
    free(t->entries);
}

/* Before memory is measured. */
static void
be_ready(void)
{
    rcu_defer(free, xmalloc(1));
    wait_for_releases(); /* RCU has its thread. */
    (void) malloc_trim(0); /* What is free in the heap by now would be taken by the rules, and not be seen. */
}

static void
measure(const struct shape *s, size_t n)
{
    struct table first, second;
    struct random r;
    double look;

    random_seed(&r, n);
    table_prepare(&first, s, n, &r);
    table_prepare(&second, s, n, &r);
    be_ready();
    table_fill(&first);
    look = time_lookups(&first.cls, &r, first.entries, n);
    table_fill(&second);
    printf("  ours alone: %-10s %8zu rules: add %5.2f us, lookup %7.0f ns, %4.0f bytes a rule, %4.0f in a second "
           "table, %zu subtables\n", s->name, first.n_inserted, first.add / first.n_inserted * 1e6, look * 1e9,
           first.bytes_a_rule, second.bytes_a_rule, rcu_map_count(&first.cls.subtables_by_mask));
    table_unmake(&second);
    table_unmake(&first);
}

/* A thread that looks up packets in a table, some at a time. */
struct poller {
    struct table *table;
    _Atomic bool is_ready, ends;
    _Atomic size_t n_turns; /* How often it said that it holds nothing. */
};

/* Its stack is not to be taken for the rules. */
static NOINLINE void
touch_stack(void)
{
    volatile char room[64 << 10];

    for (size_t i = 0; i < sizeof room; i += 1024) {
        room[i] = 0;
    }
}

static void *
poll_table(void *p_)
{
    struct poller *p = p_;
    struct flow flows[BURST];
    struct random r;

    touch_stack();
    random_seed(&r, p->table->n_entries);
    for (int i = 0; i < BURST; i++) {
        packet_for(&r, &p->table->entries[random_below(&r, p->table->n_entries)], &flows[i]);
    }
    rcu_thread_register();
    atomic_store(&p->is_ready, true);
    while (!atomic_load(&p->ends)) {
        for (int i = 0; i < BURST; i++) {
            struct cls_mask wc;

            cls_mask_init(&wc);
            (void) classifier_lookup_rcu(&p->table->cls, 1, &flows[i], &wc);
        }
        rcu_quiescent();
        atomic_fetch_add_explicit(&p->n_turns, 1, memory_order_relaxed);
    }
    rcu_thread_unregister();
    return NULL;
}

static void
measure_beside_poller(const struct shape *s, size_t n)
{
    struct table t;
    struct poller p = { .table = &t };
    pthread_t thread;
    struct random r;
    size_t n_turns;

    random_seed(&r, n);
    table_prepare(&t, s, n, &r);
    if (pthread_create(&thread, NULL, poll_table, &p)) {
        abort();
    }
    while (!atomic_load(&p.is_ready)) {
        sched_yield();
    }
    be_ready();
    n_turns = atomic_load(&p.n_turns);
    table_fill(&t);
    n_turns = atomic_load(&p.n_turns) - n_turns;
    printf("  while another thread polls: %-10s %8zu rules: add %5.2f us, %4.0f bytes a rule, %zu turns of the other\n",
           s->name, t.n_inserted, t.add / t.n_inserted * 1e6, t.bytes_a_rule, n_turns);
    atomic_store(&p.ends, true);
    rcu_offline();
    pthread_join(thread, NULL);
    rcu_online();
    table_unmake(&t);
}

/* Begins without anything that another measurement has left. */
static void
measure_in_process(void (*what)(const struct shape *, size_t), const struct shape *s, size_t n)
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        rcu_thread_register();
        what(s, n);
        rcu_thread_unregister();
        exit(EXIT_SUCCESS);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status) {
        fprintf(stderr, "classifier: a measurement did not come to its end\n");
        exit(EXIT_FAILURE);
    }
}

int
main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < ARRAY_SIZE(shapes); k++) {
            measure_in_process(measure, &shapes[k], strtoul(argv[i], NULL, 10));
            measure_in_process(measure_beside_poller, &shapes[k], strtoul(argv[i], NULL, 10));
        }
    }
    return 0;
}
