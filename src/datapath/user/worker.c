#include "datapath/user/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "datapath/user/burst.h"
#include "datapath/user/capture.h"
#include "datapath/user/dp.h"
#include "datapath/user/segment.h"
#include "datapath/user/steer.h"
#include "netdev/qos.h"
#include "packet/env.h"
#include "sys/clock.h"
#include "sys/counter.h"
#include "sys/log.h"
#include "sys/numa.h"
#include "sys/random.h"
#include "sys/signals.h"

LOG_MODULE(dpif_netdev)

/* How often a queue had had its share of a polling worker's time while another waited (share.h). */
COUNTER(pmd_queue_over_share)

enum { MAX_READY = 64, ROUNDS_BETWEEN_WAITS = 16, WAKE_ID = 0, POLLS_BETWEEN_QUIESCENT = 64,
       SLEEP_STEP_NS = 1000, TIMER_SLACK_NS = 1000 };

void
worker_init(struct worker *w, struct dp *dp, unsigned int id)
{
    memset(w, 0, sizeof *w);
    w->dp = dp;
    w->id = id;
    w->core = w->epoll = w->event = -1;
    cache_init(&w->cache);
    bytes_init(&w->upcall_actions);
    bytes_init(&w->upcall_put_actions);
    random_seed(&w->random, random_u64(sys_random()));
    rcu_set(&w->polls, xzalloc(sizeof(struct poll_list)));
    list_init(&w->node);
    pthread_mutex_init(&w->perf_mutex, NULL);
}

void
worker_uninit(struct worker *w)
{
    for (unsigned int i = 0; i < MAX_DEPTH; i++) {
        free(w->bursts[i]);
    }
    for (uint32_t i = 0; i < w->n_tx; i++) {
        free(w->tx[i]);
    }
    free(w->tx);
    free(w->perf);
    pthread_mutex_destroy(&w->perf_mutex);
    free(w->dirty);
    free(w->cache.buckets);
    bytes_uninit(&w->upcall_actions);
    bytes_uninit(&w->upcall_put_actions);
    free(rcu_get_protected(&w->polls));
    if (w->epoll >= 0) {
        close(w->epoll);
    }
    if (w->event >= 0) {
        close(w->event);
    }
}

struct burst *
worker_burst(struct worker *w, unsigned int depth)
{
    if (UNLIKELY(!w->bursts[depth])) {
        w->bursts[depth] = xzalloc_cacheline(sizeof *w->bursts[depth]);
    }
    return w->bursts[depth];
}

void
worker_drop(struct worker *w, struct packet *p, enum dp_drop reason, const struct flow *key)
{
    tally_add(&w->counters.drops[reason], 1);
    if (UNLIKELY(!worker_drop_is_wanted(reason))) {
        drop_log_count(&w->dp->drops, reason, key, p, w->now);
    }
    packet_free(p);
}

void
worker_lost(struct worker *w, enum dp_drop reason, const struct flow *key)
{
    tally_add(&w->counters.drops[reason], 1);
    drop_log_count(&w->dp->drops, reason, key, NULL, w->now);
}

/* Sending. */

static NOINLINE void
measure_latency(struct worker *w, const struct tx_queue *q)
{
    uint64_t now = rte_rdtsc();

    pthread_mutex_lock(&w->perf_mutex);
    perf_add_latency(w->perf, q->n, now - MIN(q->received, now));
    pthread_mutex_unlock(&w->perf_mutex);
}

static void
send_queue(struct worker *w, struct tx_queue *q)
{
    const struct port *port = q->port;
    unsigned int n = q->n;

    if (UNLIKELY(q->received)) {
        measure_latency(w, q);
    }
    q->n = 0;
    tally_add(&w->counters.n_tx_packets, n);
    tally_add(&w->counters.n_tx_batches, 1);
    if (atomic_load_explicit(&port->netdev->offloads, memory_order_relaxed) != NETDEV_TAKES_ALL) {
        for (unsigned int i = 0; i < n; i++) {
            if (UNLIKELY(packet_has_offload(q->packets[i]))) {
                segment_and_send(w, port, q->packets, n);
                return;
            }
        }
    }
    steer(w, port, q->packets, n);
}

void
worker_flush_rcu(struct worker *w)
{
    for (unsigned int i = 0; i < w->n_dirty; i++) {
        struct tx_queue *q = w->tx[w->dirty[i]];

        if (q->n) {
            send_queue(w, q);
        }
    }
    w->n_dirty = 0;
}

static void
drop_queue(struct worker *w, struct tx_queue *q)
{
    for (unsigned int i = 0; i < q->n; i++) {
        worker_drop(w, q->packets[i], DP_DROP_INVALID_PORT, NULL);
    }
    q->n = 0;
}

static void
grow_tx(struct worker *w, uint32_t number)
{
    uint32_t n = MAX(64, number + 1 + number / 2);

    w->tx = xreallocarray(w->tx, n, sizeof *w->tx);
    w->dirty = xreallocarray(w->dirty, n, sizeof *w->dirty);
    memset(w->tx + w->n_tx, 0, (n - w->n_tx) * sizeof *w->tx);
    w->n_tx = n;
}

void
worker_output_slow_rcu(struct worker *w, uint32_t number, struct packet *p)
{
    const struct port_table *ports = rcu_get(&w->dp->ports);
    const struct port *port = ports ? port_find(ports, number) : NULL;
    struct tx_queue *q;

    if (!port || !port->send) {
        worker_drop(w, p, DP_DROP_INVALID_PORT, NULL);
        return;
    }
    if (number >= w->n_tx) {
        grow_tx(w, number);
    }
    q = w->tx[number];
    if (!q) {
        q = w->tx[number] = xzalloc(sizeof *q);
    }
    if (q->n == BURST) {
        if (LIKELY(q->port == port)) {
            send_queue(w, q); /* It stays in the list of those to look at. */
        } else {
            drop_queue(w, q);
            q->port = port;
        }
        q->received = w->received;
        q->packets[q->n++] = p;
        return;
    }
    q->port = port;
    q->received = w->received;
    w->dirty[w->n_dirty++] = number;
    q->packets[q->n++] = p;
}

/* Receiving. */

static void
drop_unusable(struct worker *w, struct burst *b)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < b->n; i++) {
        if (LIKELY(b->packets[i]->mbuf.nb_segs == 1)) {
            b->packets[n++] = b->packets[i];
        } else {
            worker_drop(w, b->packets[i], DP_DROP_RX_INVALID, &w->fresh);
        }
    }
    b->n = n;
}

/* Drops the packets that are not in 'passed', and moves the others to the front; how many these are. */
static unsigned int
drop_others(struct worker *w, struct packet **packets, unsigned int n, uint32_t passed, enum dp_drop reason,
            const struct flow *key)
{
    unsigned int kept = 0;

    if (LIKELY((unsigned int) __builtin_popcount(passed) == n)) { /* Also if none of the burst was usable. */
        return n;
    }
    for (unsigned int i = 0; i < n; i++) {
        if (passed & UINT32_C(1) << i) {
            packets[kept++] = packets[i];
        } else {
            worker_drop(w, packets[i], reason, key);
        }
    }
    return kept;
}

static NOINLINE void
police_received(struct worker *w, struct policer *policer, struct burst *b)
{
    uint32_t passed = policer_pass(policer, b->packets, b->n, clock_now_ns());

    b->n = drop_others(w, b->packets, b->n, passed, DP_DROP_INGRESS_RATE, &w->fresh);
}

NOINLINE unsigned int
worker_police_sent_rcu(struct worker *w, struct qos *qos, struct packet **packets, unsigned int n)
{
    uint32_t passed = qos_pass_rcu(qos, packets, n, clock_now_ns());

    return drop_others(w, packets, n, passed, DP_DROP_EGRESS_RATE, NULL);
}

/* Of a burst that has been received. */
static void
measure_burst(struct worker *w, const struct port *port, const struct netdev_rxq *rxq, unsigned int n,
              struct perf_row *round)
{
    const struct netdev_class *class = port->netdev->class;

    w->received = rte_rdtsc();
    if (class->rxq_length) {
        round->queue = MAX(round->queue, (uint64_t) n + class->rxq_length(rxq));
    }
}

/* Receives a burst and processes it; what it sends waits in the queues.  'round': what is measured; null: nothing. */
static ALWAYS_INLINE int
receive(struct worker *w, struct port *port, struct netdev_rxq *rxq, struct perf_row *round)
{
    struct burst *b = worker_burst(w, 0);
    int n = port->netdev->class->rxq_recv(rxq, b->packets, BURST);

    if (n > 0) {
        struct policer *policer = netdev_policer(port->netdev);
        const struct marks *marks;

        if (round) {
            measure_burst(w, port, rxq, n, round);
        }
        b->n = n;
        w->now = clock_now_ms();
        w->fresh.in_port = port->in_port;
        drop_unusable(w, b);
        if (UNLIKELY(rcu_get(&port->captures) != NULL)) {
            capture_burst_rcu(port, w->id, false, rxq->queue, b->packets, b->n);
        }
        if (UNLIKELY(policer != NULL)) {
            police_received(w, policer, b);
        }
        marks = rcu_get(&port->marks);
        if (UNLIKELY(marks != NULL)) {
            burst_receive_marked_rcu(w, b, port->in_port, marks);
        } else {
            burst_receive_rcu(w, b, port->in_port);
        }
    }
    return n;
}

static ALWAYS_INLINE int
serve(struct worker *w, struct port *port, struct netdev_rxq *rxq, struct perf_row *round)
{
    int n = receive(w, port, rxq, round);

    if (n > 0) {
        worker_flush_rcu(w);
    }
    return n;
}

int
worker_serve_rcu(struct worker *w, struct port *port, struct netdev_rxq *rxq)
{
    return serve(w, port, rxq, NULL);
}

static struct poll *
find_poll_rcu(struct worker *w, uint32_t id)
{
    struct poll_list *l = rcu_get(&w->polls);

    for (unsigned int i = 0; i < l->n; i++) {
        if (l->polls[i]->id == id) {
            return l->polls[i];
        }
    }
    return NULL;
}

struct ready {
    uint32_t ids[MAX_READY];
    unsigned int n;
};

/* Adds what epoll reports to the queues known to have packets.  'wait': until there is something. */
static void
collect(struct worker *w, struct ready *r, bool wait)
{
    struct epoll_event events[MAX_READY];
    int n;

    if (wait) {
        rcu_offline();
    }
    n = epoll_wait(w->epoll, events, MAX_READY, wait ? -1 : 0);
    if (wait) {
        rcu_online();
    }
    for (int i = 0; i < n; i++) {
        uint32_t id = events[i].data.u32;
        bool known = false;

        if (id == WAKE_ID) {
            eventfd_t unused;

            (void) !eventfd_read(w->event, &unused);
            continue;
        }
        for (unsigned int k = 0; k < r->n && !known; k++) {
            known = r->ids[k] == id;
        }
        if (!known && r->n < MAX_READY) {
            r->ids[r->n++] = id;
        }
    }
}

/* A device that fails for good must not keep the worker awake. */
static void
give_up(struct worker *w, struct poll *poll, int error)
{
    static struct log_limit limit = LOG_LIMIT_INIT(20, 5);

    log_info_rl(&limit, "%s: receiving failed (%s); waiting for the device to return", poll->port->netdev->name,
                strerror(-error));
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, poll->port->netdev->class->rxq_fd(poll->rxq), NULL);
}

/* Of a sleeping worker, which has no rounds, only how long packets stay is measured. */
static int
serve_measured(struct worker *w, struct port *port, struct netdev_rxq *rxq)
{
    struct perf_row unused = { 0 };
    int n;

    if (LIKELY(!atomic_load_explicit(&w->is_measured, memory_order_acquire))) {
        return worker_serve_rcu(w, port, rxq);
    }
    n = serve(w, port, rxq, &unused);
    w->received = 0;
    return n;
}

/* Serves the cheapest of the ready queues once; forgets those that are empty or gone. */
static void
serve_one(struct worker *w, struct ready *r)
{
    struct poll *best = NULL;
    unsigned int at = 0;
    uint64_t start;
    int n;

    for (unsigned int i = 0; i < r->n;) {
        struct poll *p = find_poll_rcu(w, r->ids[i]);

        if (!p) {
            r->ids[i] = r->ids[--r->n];
            continue;
        }
        if (!best || p->spent < best->spent) {
            best = p;
            at = i;
        }
        i++;
    }
    if (!best) {
        return;
    }
    start = rte_rdtsc();
    n = serve_measured(w, best->port, best->rxq);
    best->spent += rte_rdtsc() - start;
    if (n > 0) {
        worker_tally(best->tally, n);
    }
    if (n < 0) {
        give_up(w, best, n);
    }
    if (n <= 0) { /* Not before: while a burst is sent on more comes, and a look at the queue is cheaper than a wait. */
        r->ids[at] = r->ids[--r->n];
    }
}

/* So that a queue that was quiet has no credit from then. */
static void
level_spent(struct worker *w)
{
    struct poll_list *l = rcu_get(&w->polls);

    for (unsigned int i = 0; i < l->n; i++) {
        l->polls[i]->spent = 0;
    }
}

static void
run_sleeping(struct worker *w)
{
    struct ready ready = { .n = 0 };
    unsigned int rounds = 0;

    while (!atomic_load(&w->stop)) {
        if (!ready.n) {
            level_spent(w);
            collect(w, &ready, true);
        } else if (++rounds % ROUNDS_BETWEEN_WAITS == 0) {
            collect(w, &ready, false);
        }
        if (ready.n) {
            serve_one(w, &ready);
        }
        rcu_quiescent();
    }
}

static void
next_interval(struct worker *w, struct poll_list *l, uint64_t now)
{
    for (unsigned int i = 0; i < l->n; i++) {
        usage_next(l->polls[i]->usage);
    }
    usage_next(&w->usage);
    w->interval_ends = now + USAGE_SECONDS * rte_get_tsc_hz();
}

static NOINLINE void
pass_over(struct share *s)
{
    if (!s->is_over) {
        s->is_over = true;
        counter_inc(pmd_queue_over_share);
    }
}

/* One look at each queue; 'last': when the one before ended.  When this one did.  '*most': what the fullest gave.
 * 'holds': what is to be sent may wait longer than for the end of a burst.  'round': what is measured of bursts; null:
 * nothing. */
static ALWAYS_INLINE uint64_t
poll_round(struct worker *w, struct poll_list *l, uint64_t last, int *most, bool holds, struct perf_row *round)
{
    uint64_t begun = last;

    *most = 0;
    share_begin_round(&w->round);
    for (unsigned int i = 0; i < l->n; i++) {
        struct share *share = &l->polls[i]->share;
        uint64_t now;
        int n;

        if (UNLIKELY(!share_has_turn(&w->round, share))) {
            pass_over(share);
            continue;
        }
        n = holds ? receive(w, l->polls[i]->port, l->polls[i]->rxq, round)
            : round ? serve(w, l->polls[i]->port, l->polls[i]->rxq, round)
            : worker_serve_rcu(w, l->polls[i]->port, l->polls[i]->rxq);
        now = rte_rdtsc();
        share->is_over = false;
        share_charge(&w->round, share, now - last, n == BURST);
        if (n > 0) {
            usage_add(l->polls[i]->usage, now - last);
            worker_tally(l->polls[i]->tally, n);
            *most = MAX(*most, n);
        }
        tally_add(n > 0 ? &w->counters.busy_cycles : &w->counters.idle_cycles, now - last);
        last = now;
    }
    tally_add(*most ? &w->counters.n_busy_rounds : &w->counters.n_idle_rounds, 1);
    usage_add(&w->usage, last - begun);
    return last;
}

/* Rounds without sleep. */
static uint64_t
poll_rounds(struct worker *w, struct poll_list *l, uint64_t last)
{
    int unused;

    for (unsigned int round = 0; l->n && round < POLLS_BETWEEN_QUIESCENT; round++) {
        last = poll_round(w, l, last, &unused, false, NULL);
    }
    return last;
}

/* Sleeps, if the last round found so little that it may; the list of queues may be another one then. */
static uint64_t
rest(struct worker *w, uint64_t last, int most, unsigned int max_us)
{
    struct timespec t = { 0 };
    uint64_t now;

    if (most >= BURST / 2) {
        w->sleep_ns = 0;
        return last;
    }
    w->sleep_ns = MIN(w->sleep_ns + SLEEP_STEP_NS, max_us * UINT64_C(1000));
    t.tv_nsec = w->sleep_ns;
    rcu_offline();
    nanosleep(&t, NULL);
    rcu_online();
    now = rte_rdtsc();
    tally_add(&w->counters.n_sleeps, 1);
    tally_add(&w->counters.sleep_cycles, now - last);
    usage_add(&w->usage, now - last);
    return now;
}

/* Sends what has waited in the queues while ports may have gone: what was for one of these is lost. */
static void
flush_held(struct worker *w)
{
    const struct port_table *ports = rcu_get(&w->dp->ports);

    for (unsigned int i = 0; i < w->n_dirty; i++) {
        struct tx_queue *q = w->tx[w->dirty[i]];

        if (q->n && (!ports || port_find(ports, w->dirty[i]) != q->port)) {
            drop_queue(w, q);
        }
    }
    worker_flush_rcu(w);
    w->held_since = 0;
}

/* Counts of the worker, of which those of a round are the difference. */
static struct perf_row
counts_now(const struct worker *w)
{
    const struct worker_counters *c = &w->counters;

    return (struct perf_row) {
        .n_packets = tally_get(&c->n_packets),
        .n_batches = tally_get(&c->n_bursts),
        .n_upcalls = tally_get(&c->n_missed) - tally_get(&c->n_lost),
        .upcall_cycles = tally_get(&c->upcall_cycles),
    };
}

static NOINLINE uint64_t
measured_round(struct worker *w, struct poll_list *l, uint64_t last, int *most, bool holds)
{
    struct perf_row before = counts_now(w), bursts = { 0 }, r;
    uint64_t now = poll_round(w, l, last, most, holds, &bursts);

    w->received = 0;
    r = counts_now(w);
    r.queue = bursts.queue;
    r.cycles = now - last;
    r.n_packets -= before.n_packets;
    r.n_batches -= before.n_batches;
    r.n_upcalls -= before.n_upcalls;
    r.upcall_cycles -= before.upcall_cycles;
    pthread_mutex_lock(&w->perf_mutex);
    perf_add(w->perf, &r, now / (rte_get_tsc_hz() / 1000));
    pthread_mutex_unlock(&w->perf_mutex);
    return now;
}

/* A round with any of tx-flush-interval, pmd-sleep-max and pmd-perf-metrics: no packet waits longer than the first of
 * them says, or while the worker sleeps. */
static uint64_t
poll_with_settings(struct worker *w, struct poll_list *l, uint64_t last, unsigned int hold_us,
                   unsigned int max_sleep_us, bool is_measured)
{
    int most;

    last = is_measured ? measured_round(w, l, last, &most, hold_us) : poll_round(w, l, last, &most, hold_us, NULL);
    if (w->n_dirty) {
        w->held_since = w->held_since ? w->held_since : last;
        if (max_sleep_us || last - w->held_since >= hold_us * (rte_get_tsc_hz() / 1000000)) {
            flush_held(w);
        }
    }
    return max_sleep_us ? rest(w, last, most, max_sleep_us) : last;
}

/* Nothing to poll. */
static uint64_t
idle(void)
{
    rcu_offline();
    usleep(1000);
    rcu_online();
    return rte_rdtsc();
}

static void
run_polling(struct worker *w)
{
    uint64_t last = rte_rdtsc();

    share_init(&w->round);
    w->interval_ends = last + USAGE_SECONDS * rte_get_tsc_hz();
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);

    while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        unsigned int max_sleep_us = atomic_load_explicit(&w->max_sleep_us, memory_order_relaxed);
        unsigned int hold_us = atomic_load_explicit(&w->dp->tx_flush_us, memory_order_relaxed);
        bool is_measured = atomic_load_explicit(&w->is_measured, memory_order_acquire);
        struct poll_list *l = rcu_get(&w->polls);

        if (w->n_dirty && (!hold_us || !l->n)) {
            flush_held(w);
        }
        if (!l->n) {
            last = idle();
        } else if (max_sleep_us || hold_us || is_measured) {
            last = poll_with_settings(w, l, last, hold_us, max_sleep_us, is_measured);
        } else {
            last = poll_rounds(w, l, last);
        }
        if (last >= w->interval_ends) {
            next_interval(w, rcu_get(&w->polls), last);
        }
        rcu_quiescent();
    }
    flush_held(w);
}

static void
pin(struct worker *w)
{
    cpu_set_t set;

    if (w->core >= 0 && !numa_is_made_up()) {
        CPU_ZERO(&set);
        CPU_SET(w->core, &set);
        if (pthread_setaffinity_np(pthread_self(), sizeof set, &set)) {
            log_info("PMD thread: core %d is not available", w->core);
        }
    }
}

static void *
thread_main(void *worker)
{
    struct worker *w = worker;
    char *name = w->is_polling ? xasprintf("pmd-c%02d/id:%u", w->core, w->id) : xasprintf("worker%u", w->id);

    pthread_setname_np(pthread_self(), name);
    log_set_thread_name(name);
    free(name);
    pin(w);
    rcu_thread_register();
    env_thread_register();
    if (w->is_polling) {
        run_polling(w);
    } else {
        run_sleeping(w);
    }
    env_thread_unregister();
    rcu_thread_unregister();
    return NULL;
}

int
worker_start(struct worker *w, bool polling, int core, unsigned int node)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = WAKE_ID };

    w->is_polling = polling;
    w->core = core;
    w->numa_node = node;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->epoll < 0 || w->event < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->event, &event)) {
        return -errno;
    }
    return -signals_thread_create(&w->thread, NULL, thread_main, w);
}

void
worker_stop(struct worker *w)
{
    atomic_store(&w->stop, true);
    (void) !eventfd_write(w->event, 1);
    rcu_offline();
    pthread_join(w->thread, NULL);
    rcu_online();
}

uint64_t
worker_cpu_ns(const struct worker *w)
{
    struct timespec t;
    clockid_t id;

    if (w->epoll < 0 || pthread_getcpuclockid(w->thread, &id) || clock_gettime(id, &t)) {
        return 0;
    }
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

void
worker_measure(struct worker *w, bool on)
{
    if (on && !w->perf) {
        w->perf = xzalloc(sizeof *w->perf);
    }
    atomic_store_explicit(&w->is_measured, on, memory_order_release);
}

void
worker_clear_perf(struct worker *w)
{
    if (w->perf) {
        pthread_mutex_lock(&w->perf_mutex);
        memset(w->perf, 0, sizeof *w->perf);
        pthread_mutex_unlock(&w->perf_mutex);
    }
}

bool
worker_copy_perf(struct worker *w, struct perf *copy)
{
    if (!w->perf || !atomic_load(&w->is_measured)) {
        return false;
    }
    pthread_mutex_lock(&w->perf_mutex);
    memcpy(copy, w->perf, sizeof *copy);
    pthread_mutex_unlock(&w->perf_mutex);
    return true;
}

double
worker_usage(const struct worker *w, const struct usage *usage, unsigned int seconds)
{
    unsigned int n = (seconds + USAGE_SECONDS - 1) / USAGE_SECONDS;
    uint64_t all;

    n = MIN(n, atomic_load_explicit(&w->usage.n, memory_order_acquire));
    all = usage_sum(&w->usage, n);
    return all ? 100.0 * MIN(usage_sum(usage, n), all) / all : -1;
}

static void
publish_polls(struct worker *w, struct poll_list *new)
{
    struct poll_list *old = rcu_get_protected(&w->polls);

    rcu_set(&w->polls, new);
    rcu_defer(free, old);
}

int
worker_add_poll(struct worker *w, struct port *port, struct port_queue *queue)
{
    static uint32_t next_id = WAKE_ID;
    struct poll_list *old = rcu_get_protected(&w->polls), *new;
    struct netdev_rxq *rxq = queue->rxq;
    struct poll *poll = xzalloc(sizeof *poll);

    *poll = (struct poll) { .id = ++next_id, .port = port, .rxq = rxq, .usage = &queue->usage,
                            .tally = &queue->tally };
    new = xzalloc(sizeof *new + (old->n + 1) * sizeof new->polls[0]);
    memcpy(new->polls, old->polls, old->n * sizeof old->polls[0]);
    new->polls[old->n] = poll;
    new->n = old->n + 1;
    publish_polls(w, new);
    if (!w->is_polling) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = poll->id };

        if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, port->netdev->class->rxq_fd(rxq), &event)) {
            int error = -errno;

            worker_remove_poll(w, rxq);
            return error;
        }
    }
    return 0;
}

void
worker_remove_poll(struct worker *w, const struct netdev_rxq *rxq)
{
    struct poll_list *old = rcu_get_protected(&w->polls), *new = xzalloc(sizeof *new + old->n * sizeof new->polls[0]);
    struct poll *removed = NULL;

    for (unsigned int i = 0; i < old->n; i++) {
        if (old->polls[i]->rxq == rxq) {
            removed = old->polls[i];
        } else {
            new->polls[new->n++] = old->polls[i];
        }
    }
    publish_polls(w, new);
    if (removed) {
        if (!w->is_polling) {
            epoll_ctl(w->epoll, EPOLL_CTL_DEL, removed->port->netdev->class->rxq_fd(rxq), NULL);
        }
        rcu_defer(free, removed);
    }
}
