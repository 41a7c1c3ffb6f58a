/* A switch of the simplest kind around the userspace datapath, for tests and benchmarks of the datapath alone:
 *
 *   forward [--match=FIELDS | --bare] PORT[,TYPE[,OPTION=VALUE]...]...
 *
 * What comes in through one port goes out through all others.  'FIELDS' (comma-separated field names) are what a
 * megaflow matches besides the port.  --bare: no datapath, a loop that moves packets from the second port to the first,
 * for comparison.  Prints "ready" when it forwards; on SIGTERM or SIGINT prints counters and ends. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "datapath/user/user.h"
#include "flow/field.h"
#include "netdev/netdev.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/rcu.h"
#include "sys/signals.h"

enum { MAX_PORTS = 16 };

struct forward {
    struct datapath *dp;
    bool bare;
    struct netdev *netdevs[MAX_PORTS + 1]; /* --bare only. */
    unsigned int n_ports;
    struct flow mask;
    struct loop *loop;
};

/* Every field costs at least as much as matching it does. */
static void
parse_match(struct forward *f, char *text)
{
    char *save;

    for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        const struct field *field = field_by_name(name);

        if (!field) {
            fprintf(stderr, "forward: no field %s\n", name);
            exit(EXIT_FAILURE);
        }
        field_set_ones(field, &f->mask);
    }
}

static bool
flood(void *forward, struct dp_upcall *u)
{
    static _Thread_local struct flow mask; /* Each worker's own: the datapath adds to it. */
    struct forward *f = forward;
    uint32_t in = be32_to_cpu(u->key->in_port);

    for (unsigned int i = 1; i <= f->n_ports; i++) {
        if (i != in) {
            odp_put_output(u->actions, ODP_PORT(i));
        }
    }
    mask = f->mask;
    u->mask = &mask;
    u->install = true;
    return true;
}

static void
die(const char *name, const char *what, struct error *e)
{
    fprintf(stderr, "forward: %s: %s: %s\n", name, what, error_text(e));
    exit(EXIT_FAILURE);
}

static void
add_port(struct forward *f, char *spec)
{
    struct strmap options = STRMAP_INIT(&options);
    char *save, *name = strtok_r(spec, ",", &save), *type = strtok_r(NULL, ",", &save), *option;
    odp_port number = ODP_PORT(++f->n_ports);
    struct netdev *n;
    struct error *e;
    int error = netdev_open(name, type ? type : "", &n);

    if (error) {
        die(name, "cannot be opened", error_from_errno(error, "netdev_open"));
    }
    while ((option = strtok_r(NULL, ",", &save)) != NULL) {
        char *value = strchr(option, '=');

        if (value) {
            *value++ = '\0';
            for (char *c = value; *c; c++) {
                *c = *c == ';' ? ',' : *c; /* So that values may have commas. */
            }
            (void) !strmap_put(&options, option, value);
        }
    }
    e = netdev_set_config(n, &options);
    if (e) {
        die(name, "configuration", e);
    }
    netdev_set_flags(n, 0, NETDEV_UP, NULL);
    strmap_uninit(&options);
    if (f->bare) {
        f->netdevs[number.n] = n;
        return;
    }
    error = f->dp->class->port_add(f->dp, n, &number);
    if (error) {
        die(name, "cannot be added", error_from_errno(error, "port_add"));
    }
    netdev_close(n);
}

static volatile sig_atomic_t ended;

static void
end(int signo UNUSED)
{
    ended = 1;
}

static uint64_t
cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* Moves packets until a signal comes; on the last core, as a polling worker does. */
static void
run_bare(struct forward *f)
{
    struct netdev *from = f->netdevs[2], *to = f->netdevs[1];
    struct packet *packets[32];
    struct netdev_rxq *rxq;
    uint64_t n = 0, start, cpu = cpu_ns();
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
    sched_setaffinity(0, sizeof set, &set);
    signal(SIGTERM, end);
    if (from->class->rxq_open(from, 0, &rxq)) {
        exit(EXIT_FAILURE);
    }
    printf("ready\n");
    fflush(stdout);
    start = __builtin_ia32_rdtsc();
    while (!ended) {
        int got = from->class->rxq_recv(rxq, packets, 32);

        if (got > 0) {
            to->class->send(to, 0, packets, got);
            n += got;
        }
    }
    printf("worker 0: packets %llu bursts 0 cache 0 tables 0 missed 0 busy %llu idle 0 cpu-ns %llu\n",
           (unsigned long long) n, (unsigned long long) (__builtin_ia32_rdtsc() - start),
           (unsigned long long) (cpu_ns() - cpu));
    from->class->rxq_close(rxq);
    netdev_close(from);
    netdev_close(to);
}

static void
stop(struct signal_watch *w)
{
    loop_stop(((struct forward *) w->aux)->loop);
}

static void
print_worker(void *aux UNUSED, const struct dp_user_worker *w)
{
    printf("worker %u: packets %llu bursts %llu cache %llu tables %llu missed %llu busy %llu idle %llu cpu-ns %llu\n",
           w->id, (unsigned long long) w->n_packets, (unsigned long long) w->n_bursts,
           (unsigned long long) w->n_hit_cache, (unsigned long long) w->n_hit_megaflow,
           (unsigned long long) w->n_missed, (unsigned long long) w->busy_cycles, (unsigned long long) w->idle_cycles,
           (unsigned long long) w->cpu_ns);
}

static void
print_counters(struct forward *f)
{
    uint64_t drops[DP_N_DROPS];

    dp_user_for_each_worker(f->dp, print_worker, NULL);
    dp_user_get_drops(f->dp, drops);
    for (int i = 0; i < DP_N_DROPS; i++) {
        if (drops[i]) {
            printf("%s: %llu\n", dp_drop_names[i], (unsigned long long) drops[i]);
        }
    }
    fflush(stdout); /* The next signal may end us. */
}

int
main(int argc, char *argv[])
{
    struct forward f = { .loop = loop_create() };
    struct signal_watch term, interrupt;
    int i = 1, error;

    log_set_program(argv[0]);
    signals_init();
    loop_use_rcu(f.loop);
    netdev_init(f.loop);
    dp_user_register();
    error = datapath_open("netdev", "forward", true, &f.dp);
    if (error) {
        die("datapath", "cannot be made", error_from_errno(error, "datapath_open"));
    }
    f.dp->class->set_client(f.dp, &(struct dp_client) { .upcall = flood, .aux = &f });
    for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
        if (!strcmp(argv[i], "--bare")) {
            f.bare = true;
        } else if (!strncmp(argv[i], "--match=", 8)) {
            parse_match(&f, argv[i] + 8);
        }
    }
    for (; i < argc && f.n_ports < MAX_PORTS; i++) {
        add_port(&f, argv[i]);
    }
    if (f.bare) {
        run_bare(&f);
        return 0;
    }
    signal_watch_start(f.loop, &term, SIGTERM, stop, &f);
    signal_watch_start(f.loop, &interrupt, SIGINT, stop, &f);
    printf("ready\n");
    fflush(stdout);
    loop_run(f.loop);
    print_counters(&f);
    signal_watch_stop(&term);
    signal_watch_stop(&interrupt);
    datapath_close(f.dp);
    netdev_uninit();
    loop_destroy(f.loop);
    return 0;
}
