/* One measurement of an ovsdb-server: bench_ovsdb SCENARIO DIR SERVER TOOL APPCTL SCHEMA N.
 *
 * Prints "NAME VALUE" lines; "run" beside this file runs it for ours and Debian's and makes a table of it.  The schema
 * is OVN's southbound database, the rows are like its logical flows (put_flow_row(): about 400 bytes of JSON). */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rig.h"

enum { BATCH = 1000, N_DATAPATHS = 100, WINDOW = 100, ROUNDS = 50 };

static void
report(const char *name, double value)
{
    printf("%s %g\n", name, value);
    fflush(stdout);
}

/* --- Requests --- */

static void
put_datapath(struct str *s, unsigned i)
{
    str_putf(s, "[\"uuid\",\"da7a0000-0000-4000-8000-%012x\"]", i % N_DATAPATHS);
}

static void
put_flow_row(struct str *s, unsigned i)
{
    str_puts(s, "{\"logical_datapath\":");
    put_datapath(s, i);
    str_putf(s, ",\"pipeline\":\"%s\",\"table_id\":%u,\"priority\":%u,"
             "\"match\":\"inport == \\\"lsp-%06u\\\" && eth.src == {02:00:00:%02x:%02x:%02x} && ip4.src == "
             "{10.%u.%u.%u}\",\"actions\":\"reg0[2] = 1; next(pipeline=ingress, table=%u);\",\"external_ids\":[\"map\","
             "[[\"source\",\"northd.c:%u\"],[\"stage-hint\",\"%08x\"],[\"stage-name\",\"ls_in_port_sec_l2_%u\"]]]}",
             i & 1 ? "egress" : "ingress", i % 24, i % 1000 + 1, i, i >> 16 & 255, i >> 8 & 255, i & 255,
             i >> 16 & 255, i >> 8 & 255, i & 255, i % 24, i % 500 + 4000, i * 2654435761u, i % 24);
}

static void
begin_transaction(struct str *s, unsigned id)
{
    str_clear(s);
    str_putf(s, "{\"id\":%u,\"method\":\"transact\",\"params\":[\"OVN_Southbound\"", id);
}

static void
put_flow(struct str *s, unsigned i)
{
    str_puts(s, ",{\"op\":\"insert\",\"table\":\"Logical_Flow\",\"row\":");
    put_flow_row(s, i);
    str_putc(s, '}');
}

static void
end_transaction(struct str *s)
{
    str_puts(s, "]}");
}

static void
one_flow(struct str *s, unsigned i)
{
    begin_transaction(s, i);
    put_flow(s, i);
    end_transaction(s);
}

static void
put_datapaths(struct str *s)
{
    begin_transaction(s, 0);
    for (unsigned i = 0; i < N_DATAPATHS; i++) {
        str_putf(s, ",{\"op\":\"insert\",\"table\":\"Datapath_Binding\",\"uuid\":"
                 "\"da7a0000-0000-4000-8000-%012x\",\"row\":{\"tunnel_key\":%u}}", i, i + 1);
    }
    end_transaction(s);
}

/* Flows 'from' to 'to' in transactions of 'batch', one after the other. */
static void
load(struct client *c, unsigned from, unsigned to, unsigned batch)
{
    struct str s = STR_INIT;

    while (from < to) {
        unsigned end = MIN(from + batch, to);

        begin_transaction(&s, from);
        while (from < end) {
            put_flow(&s, from++);
        }
        end_transaction(&s);
        client_call(c, &s);
    }
    str_uninit(&s);
}

static void
start(struct rig *r, struct client *c)
{
    struct str s = STR_INIT;

    rig_start(r);
    client_open(c, r);
    put_datapaths(&s);
    client_call(c, &s);
    str_uninit(&s);
}

/* --- One-row transactions --- */

/* ns for each of 'n' transactions, the flows from 'from' on. */
static double
one_by_one(struct client *c, unsigned from, unsigned n)
{
    struct str s = STR_INIT;
    int64_t begin = now_ns();

    for (unsigned i = 0; i < n; i++) {
        one_flow(&s, from + i);
        client_call(c, &s);
    }
    str_uninit(&s);
    return (now_ns() - begin) / (double) n;
}

static int
compare_doubles(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;

    return (*a > *b) - (*a < *b);
}

static double
median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return values[n / 2];
}

/* A server to be compared, and what its rounds took. */
struct contestant {
    struct rig rig;
    struct client client;
    double ns[ROUNDS];
    int64_t cpu;       /* Of the server, when its rounds began. */
    unsigned together; /* Rounds that ended with client and server on one processor. */
};

static void
start_idle(struct contestant *c, const struct rig *r, bool writes)
{
    c->rig = *r;
    c->rig.socket = xasprintf("%s.%s", r->socket, writes ? "writes" : "nothing");
    rig_start_idle(&c->rig, writes);
    client_open(&c->client, &c->rig);
}

static void
stop_idle(struct contestant *c)
{
    client_close(&c->client);
    rig_stop(&c->rig);
    free(c->rig.socket);
}

/* Where client and server run.  Left to the scheduler they are now on one processor and now on two, and a processor
 * that was idle takes long to wake, which counts for all alike; so the rates are comparable where both are pinned. */
enum placement { ANYWHERE, ONE_CORE, OWN_CORES, N_PLACEMENTS };
static const char *const placement_names[N_PLACEMENTS] = { "", "-one-core", "-own-cores" };

static void
report_placed(const char *name, enum placement placement, double value)
{
    char *whole = xasprintf("%s%s", name, placement_names[placement]);

    report(whole, value);
    free(whole);
}

static void
place(enum placement placement, struct contestant *c)
{
    rig_pin(NULL, placement == ANYWHERE ? -1 : 0);
    rig_pin(&c->rig, placement == ANYWHERE ? -1 : placement == ONE_CORE ? 0 : 1);
}

/* The rate of 'c' in % of that of 'nothing', the median of the rounds. */
static double
share(const struct contestant *c, const struct contestant *nothing)
{
    double shares[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        shares[i] = nothing->ns[i] / c->ns[i] * 100;
    }
    return median(shares, ROUNDS);
}

static void
play_round(struct contestant *c, unsigned i, unsigned from, unsigned n)
{
    c->ns[i] = one_by_one(&c->client, from, n);
    c->together += rig_processor(&c->rig) == sched_getcpu();
}

/* The rates depend on the machine's mood, so all the servers run, and take turns in short rounds. */
static void
scenario_single(struct rig *r, unsigned n)
{
    static struct contestant ours, nothing, writes;
    struct contestant *all[] = { &ours, &nothing, &writes };
    unsigned each = MAX(n / ROUNDS / N_PLACEMENTS, 1), from = 2000;

    start_idle(&nothing, r, false);
    start_idle(&writes, r, true);
    start(r, &ours.client);
    ours.rig = *r;
    load(&ours.client, 0, from, 1);
    for (enum placement p = 0; p < N_PLACEMENTS; p++) {
        for (unsigned j = 0; j < ARRAY_SIZE(all); j++) {
            all[j]->cpu = rig_cpu_ns(&all[j]->rig);
            all[j]->together = 0;
        }
        for (unsigned i = 0; i < ROUNDS; i++, from += each) {
            for (unsigned j = 0; j < ARRAY_SIZE(all); j++) {
                place(p, all[j]);
                play_round(all[j], i, from, each);
            }
        }
        report_placed("single-us", p, (rig_cpu_ns(r) - ours.cpu) / 1000.0 / (ROUNDS * each));
        report_placed("nothing-us", p, (rig_cpu_ns(&nothing.rig) - nothing.cpu) / 1000.0 / (ROUNDS * each));
        report_placed("single-together", p, ours.together * 100.0 / ROUNDS);
        report_placed("nothing-together", p, nothing.together * 100.0 / ROUNDS);
        report_placed("single-share", p, share(&ours, &nothing));
        report_placed("writes-share", p, share(&writes, &nothing));
        report_placed("single-round-trip-us", p, median(ours.ns, ROUNDS) / 1000);
        report_placed("nothing-round-trip-us", p, median(nothing.ns, ROUNDS) / 1000);
    }
    client_close(&ours.client);
    stop_idle(&writes);
    stop_idle(&nothing);
}

static void
scenario_pipelined(struct rig *r, unsigned n)
{
    struct str s = STR_INIT;
    struct client c;
    int64_t cpu;
    const char *text;
    size_t len;

    start(r, &c);
    load(&c, 0, 2000, 1);
    cpu = rig_cpu_ns(r);
    for (unsigned i = 0; i < n + WINDOW; i++) {
        if (i < n) {
            one_flow(&s, 2000 + i);
            client_send(&c, &s);
        }
        if (i >= WINDOW) {
            text = client_receive(&c, &len);
            check_reply(text, len);
        }
    }
    report("pipelined-us", (rig_cpu_ns(r) - cpu) / 1000.0 / n);
    str_uninit(&s);
    client_close(&c);
}

/* --- Many rows --- */

static void
monitor_request(struct str *s, unsigned id, const char *table, const char *where)
{
    str_clear(s);
    str_putf(s, "{\"id\":%u,\"method\":\"monitor_cond\",\"params\":[\"OVN_Southbound\",\"m%u\",{\"%s\":"
             "[{\"where\":%s}]}]}", id, id, table, where);
}

static void
scenario_bulk(struct rig *r, unsigned n)
{
    struct str s = STR_INIT;
    struct client c, m;
    int64_t cpu;

    start(r, &c);
    cpu = rig_cpu_ns(r);
    load(&c, 0, n, n);
    report("bulk-us", (rig_cpu_ns(r) - cpu) / 1000.0 / n);

    client_open(&m, r);
    monitor_request(&s, 1, "Logical_Flow", "[true]");
    cpu = rig_cpu_ns(r);
    client_call(&m, &s);
    report("snapshot-us", (rig_cpu_ns(r) - cpu) / 1000.0 / n);
    client_close(&m);
    client_close(&c);

    /* From the file that is there now: one record for each transaction; then as a compaction leaves it. */
    rig_stop(r);
    rig_start(r);
    report("restart-s", rig_cpu_ns(r) / 1e9);
    rig_appctl(r, "ovsdb-server/compact");
    rig_stop(r);
    rig_start(r);
    report("restart-compacted-s", rig_cpu_ns(r) / 1e9);
    str_uninit(&s);
}

static void
scenario_memory(struct rig *r, unsigned n)
{
    struct client c;
    int64_t rss;

    start(r, &c);
    load(&c, 0, BATCH, BATCH);
    rss = rig_rss_bytes(r);
    load(&c, BATCH, n, BATCH);
    report("memory-bytes", (rig_rss_bytes(r) - rss) / (double) (n - BATCH));
    client_close(&c);
    rig_stop(r);
    rig_start(r);
    report("restart-log-s", rig_cpu_ns(r) / 1e9);
    report("memory-restarted-bytes", (double) rig_rss_bytes(r) / n);
}

/* --- Conditional monitors --- */

static void
put_ports(struct str *s, unsigned from, unsigned to)
{
    begin_transaction(s, from);
    for (unsigned i = from; i < to; i++) {
        str_puts(s, ",{\"op\":\"insert\",\"table\":\"Port_Binding\",\"row\":{\"datapath\":");
        put_datapath(s, i);
        str_putf(s, ",\"logical_port\":\"lsp-%06u\",\"tunnel_key\":%u,\"mac\":\"02:00:00:%02x:%02x:%02x "
                 "10.%u.%u.%u\"}}", i, i / N_DATAPATHS + 1, i >> 16 & 255, i >> 8 & 255, i & 255, i >> 16 & 255,
                 i >> 8 & 255, i & 255);
    }
    end_transaction(s);
}

/* Updates of ports of datapath 0, each found by its name. */
static double
update_ns(struct rig *r, struct client *c, unsigned n_ports, unsigned n)
{
    struct str s = STR_INIT;
    int64_t cpu = rig_cpu_ns(r);

    for (unsigned i = 0; i < n; i++) {
        begin_transaction(&s, i);
        str_putf(&s, ",{\"op\":\"update\",\"table\":\"Port_Binding\",\"where\":"
                 "[[\"logical_port\",\"==\",\"lsp-%06u\"]],\"row\":{\"type\":\"t%u\"}}", i * N_DATAPATHS % n_ports, i);
        end_transaction(&s);
        client_call(c, &s);
    }
    str_uninit(&s);
    return (rig_cpu_ns(r) - cpu) / (double) n;
}

static void
add_monitors(struct rig *r, struct client *m, unsigned from, unsigned to)
{
    struct str s = STR_INIT, where = STR_INIT;

    for (unsigned i = from; i < to; i++) {
        str_clear(&where);
        str_puts(&where, "[[\"datapath\",\"==\",");
        put_datapath(&where, i % (N_DATAPATHS - 1) + 1);
        /* No two ask for the same, as no two hypervisors do. */
        str_putf(&where, "],[\"logical_port\",\"==\",\"other-%u\"]]", i);
        client_open(&m[i], r);
        monitor_request(&s, i, "Port_Binding", str_text(&where));
        client_call(&m[i], &s);
    }
    str_uninit(&s);
    str_uninit(&where);
}

static void
scenario_conditions(struct rig *r, unsigned n)
{
    static struct client m[1000];
    unsigned few = 20, many = 1000, n_updates;
    struct str s = STR_INIT;
    struct client c;

    start(r, &c);
    for (unsigned i = 0; i < n; i += BATCH) {
        put_ports(&s, i, MIN(i + BATCH, n));
        client_call(&c, &s);
    }
    add_monitors(r, m, 0, few);
    n_updates = MIN(2e9 / update_ns(r, &c, n, 100), 20000);
    report("update-20-us", update_ns(r, &c, n, n_updates) / 1000);
    add_monitors(r, m, few, many);
    update_ns(r, &c, n, 100);
    report("update-1000-us", update_ns(r, &c, n, n_updates) / 1000);
    for (unsigned i = 0; i < many; i++) {
        struct pollfd p = { m[i].fd, POLLIN, 0 };

        if (m[i].n > m[i].used || poll(&p, 1, 0)) {
            die("a monitor was told of what it did not ask for");
        }
        client_close(&m[i]);
    }
    str_uninit(&s);
    client_close(&c);
}

/* --- How long others wait --- */

struct other {
    struct client client;
    atomic_bool stop;
    int64_t worst; /* ns, of one small transaction. */
    unsigned n;
    pthread_t thread;
};

static void *
other_main(void *o_)
{
    struct other *o = o_;
    struct str s = STR_INIT;

    while (!atomic_load(&o->stop)) {
        int64_t begin = now_ns();

        begin_transaction(&s, o->n);
        str_putf(&s, ",{\"op\":\"insert\",\"table\":\"Address_Set\",\"row\":{\"name\":\"a%u\"}}", o->n++);
        end_transaction(&s);
        client_call(&o->client, &s);
        o->worst = MAX(o->worst, now_ns() - begin);
        usleep(500);
    }
    str_uninit(&s);
    return NULL;
}

static void
other_start(struct other *o, struct rig *r)
{
    static unsigned next;

    *o = (struct other) { .n = next };
    next += 1000000;
    client_open(&o->client, r);
    if (pthread_create(&o->thread, NULL, other_main, o)) {
        die("cannot start a thread");
    }
    usleep(100000);
}

static double
other_stop(struct other *o)
{
    usleep(100000);
    atomic_store(&o->stop, true);
    pthread_join(o->thread, NULL);
    client_close(&o->client);
    return o->worst / 1e6;
}

static void
scenario_waits(struct rig *r, unsigned n)
{
    struct str s = STR_INIT;
    struct other o;
    struct client c, m;

    start(r, &c);
    load(&c, 0, n, BATCH);
    other_start(&o, r);
    report("wait-idle-ms", other_stop(&o));

    client_open(&m, r);
    monitor_request(&s, 1, "Logical_Flow", "[true]");
    other_start(&o, r);
    client_call(&m, &s);
    report("wait-snapshot-ms", other_stop(&o));
    client_close(&m);

    other_start(&o, r);
    rig_appctl(r, "ovsdb-server/compact");
    report("wait-compaction-ms", other_stop(&o));
    report("million-memory-bytes", (double) rig_rss_bytes(r) / n);
    client_close(&c);
    str_uninit(&s);
}

int
main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        void (*run)(struct rig *, unsigned n);
    } scenarios[] = {
        { "single", scenario_single }, { "pipelined", scenario_pipelined }, { "bulk", scenario_bulk },
        { "memory", scenario_memory }, { "conditions", scenario_conditions }, { "waits", scenario_waits },
    };
    struct rig r;

    if (argc != 8) {
        die("usage: %s SCENARIO DIR SERVER TOOL APPCTL SCHEMA N", argv[0]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        if (!strcmp(argv[1], scenarios[i].name)) {
            rig_init(&r, argv[2], argv[3], argv[4], argv[5], argv[6]);
            scenarios[i].run(&r, atoi(argv[7]));
            rig_uninit(&r);
            return 0;
        }
    }
    die("%s: no such scenario", argv[1]);
}
