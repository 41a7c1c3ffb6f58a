#include "datapath/user/user.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/hash.h"
#include "datapath/user/burst.h"
#include "datapath/user/ct.h"
#include "datapath/user/dp.h"
#include "datapath/user/offload.h"
#include "datapath/user/op.h"
#include "datapath/user/pollers.h"
#include "datapath/user/ports.h"
#include "netdev/dummy.h"
#include "netdev/rules.h"
#include "packet/env.h"
#include "sys/clock.h"
#include "sys/counter.h"
#include "sys/ending.h"
#include "sys/log.h"
#include "sys/work.h"

LOG_MODULE(dpif_netdev)

enum { EXECUTOR_ID = MAX_WORKERS };

static struct list datapaths = LIST_INIT(&datapaths);

const char *const dp_drop_names[DP_N_DROPS] = {
#define DROP(ENUM, NAME, TEXT) NAME,
#include "datapath/user/drops.def"
};
const char *const dp_drop_texts[DP_N_DROPS] = {
#define DROP(ENUM, NAME, TEXT) TEXT,
#include "datapath/user/drops.def"
};

static struct dp *
find(const struct datapath_class *class, const char *name)
{
    LIST_FOR_EACH (dp, struct dp, node, &datapaths) {
        if (dp->up.class == class && !strcmp(dp->up.name, name) && !dp->is_destroyed) {
            return dp;
        }
    }
    return NULL;
}

static void
pump_all(void *aux UNUSED)
{
    LIST_FOR_EACH_SAFE (dp, struct dp, node, &datapaths) {
        if (!dp->has_threads) {
            dp_user_pump(&dp->up);
        }
    }
}

static struct dp *
create(const struct datapath_class *class, const char *name, bool has_threads)
{
    struct dp *dp = xzalloc(sizeof *dp);

    dp->up.class = class;
    dp->up.name = xstrdup(name);
    dp->has_threads = has_threads;
    megaflow_table_init(&dp->flows);
    dp_meters_init(&dp->meters);
    drop_log_init(&dp->drops);
    dp->cleared = clock_now_ms();
    pthread_mutex_init(&dp->workers_mutex, NULL);
    pollers_init(dp);
    dp->ct = conntrack_create();
    pthread_mutex_init(&dp->executors_mutex, NULL);
    list_init(&dp->executors);
    if (!has_threads) {
        dp->pump = xzalloc_cacheline(sizeof *dp->pump);
        worker_init(dp->pump, dp, 0);
        netdev_dummy_set_pump(pump_all, NULL);
    } else {
        ct_thread_start(dp);
    }
    list_push_back(&datapaths, &dp->node);
    return dp;
}

static int
open_of_kind(const struct datapath_class *class, const char *name, bool may_create, bool has_threads,
             struct datapath **dpp)
{
    struct dp *dp = find(class, name);

    *dpp = NULL;
    if (!dp) {
        struct error *e = may_create ? env_start() : NULL;

        if (!may_create) {
            return -ENODEV;
        }
        if (e) {
            log_err("%s: %s", name, error_text(e));
            error_free(e);
            return -ENOMEM;
        }
        dp = create(class, name, has_threads);
    }
    dp->n_references++;
    *dpp = &dp->up;
    return 0;
}

static int
user_open(const struct datapath_class *class, const char *name, bool may_create, struct datapath **dp)
{
    return open_of_kind(class, name, may_create, true, dp);
}

static int
dummy_open(const struct datapath_class *class, const char *name, bool may_create, struct datapath **dp)
{
    return open_of_kind(class, name, may_create, false, dp);
}

/* Drops as counters of the program: of all datapaths, those that are gone included. */
static struct counter drop_counters[DP_N_DROPS];
static uint64_t gone_drops[DP_N_DROPS];

static void
add_drops_of(const struct dp *dp, uint64_t totals[DP_N_DROPS])
{
    uint64_t counts[DP_N_DROPS];

    dp_user_get_drops(&dp->up, counts);
    for (int i = 0; i < DP_N_DROPS; i++) {
        totals[i] += counts[i];
    }
}

static uint64_t
read_drops(const struct counter *c)
{
    uint64_t totals[DP_N_DROPS];

    memcpy(totals, gone_drops, sizeof totals);
    LIST_FOR_EACH (dp, struct dp, node, &datapaths) {
        add_drops_of(dp, totals);
    }
    return totals[c - drop_counters];
}

static void
register_drops(void)
{
    for (int i = 0; i < DP_N_DROPS && !drop_counters[i].name; i++) {
        drop_counters[i].name = dp_drop_names[i];
        drop_counters[i].read = read_drops;
        counter_register(&drop_counters[i]);
    }
}

static void
release_worker(struct worker *w)
{
    worker_uninit(w);
    free(w);
}

/* What may be a million of something. */
static void
free_dp(void *dp_)
{
    struct dp *dp = dp_;

    megaflow_table_uninit(&dp->flows);
    if (dp->offload) {
        offload_destroy(dp->offload);
    }
    dp_meters_uninit(&dp->meters);
    drop_log_uninit(&dp->drops);
    conntrack_destroy(dp->ct);
    free(rcu_get_protected(&dp->ports));
    free((void *) rcu_get_protected(&dp->client));
    pthread_mutex_destroy(&dp->executors_mutex);
    pthread_mutex_destroy(&dp->workers_mutex);
    free(dp->up.name);
    free(dp);
}

/* Nobody uses it any more. */
static void
release(struct dp *dp)
{
    list_remove(&dp->node);
    dp_ports_remove_all(dp);
    add_drops_of(dp, gone_drops);
    pollers_uninit(dp);
    if (dp->has_threads) {
        ct_thread_stop(dp);
    }
    while (!list_is_empty(&dp->executors)) {
        release_worker(CONTAINER_OF(list_pop_front(&dp->executors), struct worker, node));
    }
    if (dp->pump) {
        release_worker(dp->pump);
    }
    if (!process_leaves_memory()) {
        work_start(free_dp, dp);
    }
}

static void
user_close(struct datapath *up)
{
    struct dp *dp = dp_cast(up);

    if (!--dp->n_references) {
        release(dp);
    }
}

static int
user_destroy(struct datapath *up)
{
    struct dp *dp = dp_cast(up);

    dp->is_destroyed = true;
    dp_ports_remove_all(dp);
    return 0;
}

static void
user_set_client(struct datapath *up, const struct dp_client *client)
{
    struct dp *dp = dp_cast(up);
    const struct dp_client *old = rcu_get_protected(&dp->client);

    pthread_mutex_lock(&dp->flows.mutex);
    dp->flows.owner_free = client ? client->owner_free : NULL;
    dp->flows.owners_begin_stale = client && client->installed;
    dp->flows.aux = client ? client->aux : NULL;
    pthread_mutex_unlock(&dp->flows.mutex);
    rcu_set(&dp->client, client ? xmemdup(client, sizeof *client) : NULL);
    if (old) {
        rcu_synchronize(); /* No worker is in the old client's functions any more. */
        free((void *) old);
    }
}

static void
add_counters(const struct worker_counters *c, struct dp_stats *stats)
{
    stats->n_hit += tally_get(&c->n_hit_mark) + tally_get(&c->n_hit_cache) + tally_get(&c->n_hit_megaflow);
    stats->n_missed += tally_get(&c->n_missed);
    stats->n_lost += tally_get(&c->n_lost);
    /* A hit in the cache visits one mask. */
    stats->n_mask_hit += tally_get(&c->n_masks) + tally_get(&c->n_hit_cache);
}

static void
user_get_stats(const struct datapath *up, struct dp_stats *stats)
{
    struct dp *dp = dp_cast(up);

    *stats = (struct dp_stats) { .n_flows = dp->flows.n_flows };
    pthread_mutex_lock(&dp->workers_mutex); /* A revalidator may ask, too. */
    for (size_t i = 0; i < dp->n_workers; i++) {
        add_counters(&dp->workers[i]->counters, stats);
    }
    add_counters(&dp->gone, stats);
    pthread_mutex_unlock(&dp->workers_mutex);
    if (dp->pump) {
        add_counters(&dp->pump->counters, stats);
    }
    pthread_mutex_lock(&dp->flows.mutex);
    LIST_FOR_EACH (t, struct tuple, node, &dp->flows.tuples) {
        stats->n_masks += t->table.n_live > 0;
    }
    pthread_mutex_unlock(&dp->flows.mutex);
}

static const char *
user_version(const struct datapath *up UNUSED)
{
    return "<built-in>";
}

/* The reference's two caches: an exact-match one that takes some flows, and one of signatures that is off by default.
 * There is one here, of signatures, which takes all flows and costs no more when they are many: nothing could be gained
 * by leaving it out.  Who asks for that hears so, once. */
static void
say_of_caches(const char *of, const char *key, const char *value)
{
    static bool is_said;

    if (value && !is_said) {
        is_said = true;
        log_info("%s: %s=%s has no effect: there is one cache, of signatures, which all packets use", of, key, value);
    }
}

static const char *
value_of(const char *key, const char *const *keys, const char *const *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(keys[i], key)) {
            return values[i];
        }
    }
    return NULL;
}

/* hw-offload is read until it is true once: what is given to devices then stays with them until the end. */
static void
begin_offload(struct dp *dp, const char *threads)
{
    const struct port_table *t = rcu_get_protected(&dp->ports);

    if (dp->offload || !dp->has_threads) {
        return;
    }
    dp->offload = offload_create(&dp->flows, threads);
    for (uint32_t i = 0; t && i < t->n; i++) {
        if (t->ports[i]) {
            dp_port_offload(dp, t->ports[i]);
        }
    }
}

static struct error *
user_configure(struct datapath *up, const char *const *keys, const char *const *values, size_t n)
{
    struct dp *dp = dp_cast(up);
    bool has_poll_settings = false;
    const char *offload;

    for (size_t i = 0; i < n; i++) {
        uint32_t limit;

        has_poll_settings |= !strcmp(keys[i], "pmd-cpu-mask");
        if (!strcmp(keys[i], "emc-insert-inv-prob") || !strcmp(keys[i], "smc-enable")) {
            say_of_caches(up->name, keys[i], values[i]);
        }
        if (!strcmp(keys[i], "flow-limit")) {
            if (!num_parse_u32(values[i], 10, &limit)) {
                return error_new("flow-limit: '%s' is not a number", values[i]);
            }
            dp->flows.limit = limit;
        }
    }
    if (has_poll_settings) {
        pollers_configure(dp, keys, values, n);
    }
    offload = value_of("hw-offload", keys, values, n);
    if (offload && !strcmp(offload, "true")) {
        begin_offload(dp, value_of("n-offload-threads", keys, values, n));
    }
    return NULL;
}

static void
set_steering(struct port *port, const char *text)
{
    bool hashes = text && !strcmp(text, "hash");

    if (hashes != atomic_load(&port->hashes_tx)) {
        atomic_store(&port->hashes_tx, hashes);
        log_info("%s: Tx packet steering mode has been set to '%s'.", port->netdev->name, hashes ? "hash" : "thread");
    }
}

static void
user_port_configure(struct datapath *up, odp_port number, const struct dp_port_config *config)
{
    struct dp *dp = dp_cast(up);
    const struct port_table *t = rcu_get_protected(&dp->ports);
    struct port *port = t ? port_find(t, number.n) : NULL;

    if (port) {
        pollers_set_affinity(dp, port, config->rxq_affinity);
        set_steering(port, config->tx_steering);
        say_of_caches(port->netdev->name, "emc-enable", config->emc_enable);
        dp_port_set_offload_priority(dp, port, config->offload_priority);
    }
}

static int
user_flow_put(struct datapath *up, const struct flow *key, const struct flow *mask, const void *actions,
              size_t actions_len, void *owner, bool may_create, bool modify, struct dp_flow_stats *stats)
{
    struct error *e;
    struct program *program = program_compile(actions, actions_len, &e);
    struct dp_flow_stats before;
    struct dp_flow *f;
    int error;

    if (!program) {
        log_warn("%s: flow refused: %s", up->name, error_text(e));
        error_free(e);
        return -EINVAL;
    }
    error = megaflow_put(&dp_cast(up)->flows, key, mask, program, owner, may_create, modify, &f,
                         &before);
    if (error < 0) {
        program_destroy(program);
    }
    if (stats) {
        *stats = (struct dp_flow_stats) { 0 };
        if (f) {
            megaflow_get_stats(f, stats);
        }
    }
    return MIN(error, 0);
}

static int
user_flow_del(struct datapath *up, struct dp_flow *f, struct dp_flow_stats *stats)
{
    return megaflow_del(&dp_cast(up)->flows, f, stats);
}

static struct dp_flow *
user_flow_lookup(struct datapath *up, const struct flow *key)
{
    struct dp *dp = dp_cast(up);
    struct dictionary *d = megaflow_dictionary_rcu(&dp->flows, key->in_port, key->recirc_id);
    struct flow copy = *key;
    uint16_t lines = FLOW_LINES_ALL;
    uint64_t unused = 0;

    return d ? megaflow_lookup_rcu(d, &copy, &lines, &unused, MEGAFLOW_STALE, 0) : NULL;
}

static void
user_flow_flush(struct datapath *up)
{
    megaflow_flush(&dp_cast(up)->flows);
}

static void
user_flow_for_each(struct datapath *up, bool (*cb)(void *aux, struct dp_flow *), void *aux)
{
    megaflow_for_each_rcu(&dp_cast(up)->flows, cb, aux);
}

static bool
user_flow_walk(struct datapath *up, struct dp_flow_position *at, unsigned int n,
               void (*cb)(void *aux, struct dp_flow *), void *aux)
{
    return megaflow_walk_rcu(&dp_cast(up)->flows, at, n, cb, aux);
}

static void
user_flow_get(const struct dp_flow *f, struct flow *key, struct flow *mask, struct dp_flow_stats *stats)
{
    if (key) {
        megaflow_get_key(f, key);
    }
    if (mask) {
        *mask = f->tuple->mask;
    }
    if (stats) {
        megaflow_get_stats(f, stats);
    }
}

static const void *
user_flow_actions(const struct dp_flow *f, size_t *len)
{
    const struct program *p = rcu_get(&((struct dp_flow *) f)->program);

    *len = p->actions_len;
    return p->actions;
}

static void *
user_flow_owner(const struct dp_flow *f)
{
    return f->owner;
}

static bool
user_flow_is_stale(const struct dp_flow *f)
{
    return atomic_load(&((struct dp_flow *) f)->state) != megaflow_epoch(f->tuple->all);
}

static void
user_doubt_flows(struct datapath *up)
{
    megaflow_begin_epoch(&dp_cast(up)->flows);
}

static bool
user_flow_is_gone(const struct dp_flow *f)
{
    return atomic_load(&f->state) == MEGAFLOW_GONE;
}

static void
user_flow_ufid(const struct dp_flow *f, struct uuid *ufid)
{
    megaflow_get_ufid(f, ufid);
}

static void
user_flow_set_ufid(struct datapath *up, struct dp_flow *f, const struct uuid *ufid)
{
    megaflow_set_ufid(&dp_cast(up)->flows, f, ufid);
}

static struct dp_flow *
user_flow_find_ufid(struct datapath *up, const struct uuid *ufid)
{
    return megaflow_find_ufid_rcu(&dp_cast(up)->flows, ufid);
}

static unsigned int
user_n_offload_threads(const struct datapath *up)
{
    const struct dp *dp = dp_cast(up);

    return dp->offload ? offload_n_threads(dp->offload) : 0;
}

static void
user_offload_figures(const struct datapath *up, unsigned int thread, struct dp_offload_figures *f)
{
    offload_get_figures(dp_cast(up)->offload, thread, f);
}

static const char *
user_port_offload(const struct datapath *up, odp_port number)
{
    const struct port_table *t = rcu_get_protected(&dp_cast(up)->ports);
    const struct port *port = t ? port_find(t, number.n) : NULL;

    return port && port->offload && !port->refuses_offload ? port->netdev->class->rules->provider : NULL;
}

/* A worker for the calling thread: an idle one, or a new one. */
static struct worker *
executor_get(struct dp *dp)
{
    struct worker *w = NULL;

    pthread_mutex_lock(&dp->executors_mutex);
    if (!list_is_empty(&dp->executors)) {
        w = CONTAINER_OF(list_pop_front(&dp->executors), struct worker, node);
    }
    pthread_mutex_unlock(&dp->executors_mutex);
    if (!w) {
        w = xzalloc_cacheline(sizeof *w);
        worker_init(w, dp, EXECUTOR_ID);
    }
    return w;
}

static void
executor_put(struct dp *dp, struct worker *w)
{
    pthread_mutex_lock(&dp->executors_mutex);
    for (int i = 0; i < DP_N_DROPS; i++) {
        atomic_fetch_add_explicit(&dp->executor_drops[i], atomic_exchange(&w->counters.drops[i], 0),
                                  memory_order_relaxed);
    }
    list_push_front(&dp->executors, &w->node);
    pthread_mutex_unlock(&dp->executors_mutex);
}

static int
user_execute(struct datapath *up, const void *frame, size_t len, const struct flow *key, const void *actions,
             size_t actions_len)
{
    struct dp *dp = dp_cast(up);
    struct error *e;
    struct program *program = program_compile(actions, actions_len, &e);
    struct flow_offsets offsets;
    struct packet *p;
    struct worker *w;
    struct flow full;
    uint16_t lines;

    if (!program) {
        log_warn("%s: actions refused: %s", up->name, error_text(e));
        error_free(e);
        return -EINVAL;
    }
    p = packet_new(frame, len);
    if (!p) {
        program_destroy(program);
        return -ENOMEM;
    }
    lines = flow_extract_full(packet_at(p), len, key, &full, &offsets);
    w = executor_get(dp);
    w->now = clock_now_ms();
    exec_program_rcu(w, program, p, &full, &lines, &offsets, 0);
    for (struct burst *next = w->bursts[1]; next && next->n;) {
        burst_process_rcu(w, next, 1);
    }
    worker_flush_rcu(w);
    executor_put(dp, w);
    program_destroy(program);
    return 0;
}

static int
user_port_add(struct datapath *up, struct netdev *netdev, odp_port *number)
{
    return dp_port_add(dp_cast(up), netdev, number);
}

static int
user_port_del(struct datapath *up, odp_port number)
{
    return dp_port_del(dp_cast(up), number);
}

static void
user_port_for_each(const struct datapath *up, void (*cb)(void *aux, odp_port, struct netdev *), void *aux)
{
    const struct port_table *t = rcu_get_protected(&dp_cast(up)->ports);

    for (uint32_t i = 0; t && i < t->n; i++) {
        if (t->ports[i]) {
            cb(aux, t->ports[i]->number, t->ports[i]->netdev);
        }
    }
}

static struct netdev *
user_port_netdev(const struct datapath *up, odp_port number)
{
    const struct port_table *t = rcu_get_protected(&dp_cast(up)->ports);
    const struct port *port = t ? port_find(t, number.n) : NULL;

    return port ? port->netdev : NULL;
}

unsigned int
dp_user_pump(struct datapath *up)
{
    struct dp *dp = dp_cast(up);
    unsigned int n = 0;
    bool again = true;

    if (dp->is_pumping) {
        return 0; /* Something that a packet caused: the loop below us goes on. */
    }
    dp->is_pumping = true;
    while (again) {
        const struct port_table *t = rcu_get(&dp->ports);

        again = false;
        for (uint32_t i = 0; t && i < t->n; i++) {
            struct port *port = t->ports[i];

            for (size_t q = 0; port && q < port->n_queues && !port->queues[q].worker; q++) {
                int got = worker_serve_rcu(dp->pump, port, port->queues[q].rxq);

                if (got > 0) {
                    worker_tally(&port->queues[q].tally, got);
                    n += got;
                    again = true;
                    t = rcu_get(&dp->ports);
                    port = port_find(t, i); /* The switch may have changed the ports. */
                }
            }
        }
    }
    dp->is_pumping = false;
    return n;
}

static void
add_drops(const struct worker *w, uint64_t counts[DP_N_DROPS])
{
    for (int i = 0; i < DP_N_DROPS; i++) {
        counts[i] += tally_get(&w->counters.drops[i]);
    }
}

void
dp_user_get_drops(const struct datapath *up, uint64_t counts[DP_N_DROPS])
{
    const struct dp *dp = dp_cast(up);

    for (int i = 0; i < DP_N_DROPS; i++) {
        counts[i] = atomic_load_explicit(&((struct dp *) dp)->executor_drops[i], memory_order_relaxed);
    }
    for (size_t i = 0; i < dp->n_workers; i++) {
        add_drops(dp->workers[i], counts);
    }
    if (dp->pump) {
        add_drops(dp->pump, counts);
    }
}

/* What the worker has counted since its figures were cleared. */
static struct dp_user_worker
figures_of(const struct worker *w)
{
    struct dp_user_worker out = { .id = w->id, .is_polling = w->is_polling, .core = w->core,
                                  .node = w->numa_node, .is_isolated = w->is_isolated };

#define COPY(MEMBER) out.MEMBER = tally_get(&w->counters.MEMBER) - w->cleared.MEMBER;
    WORKER_FIGURES(COPY)
#undef COPY
    for (enum dp_drop i = 0; i < DP_N_DROPS; i++) {
        if (!worker_drop_is_wanted(i)) {
            out.n_dropped += tally_get(&w->counters.drops[i]);
        }
    }
    out.n_dropped -= w->cleared.n_dropped;
    return out;
}

void
dp_user_for_each_worker(const struct datapath *up, void (*cb)(void *aux, const struct dp_user_worker *), void *aux)
{
    const struct dp *dp = dp_cast(up);

    for (size_t i = 0; i < dp->n_workers; i++) {
        struct dp_user_worker out = figures_of(dp->workers[i]);

        out.cpu_ns = worker_cpu_ns(dp->workers[i]);
        cb(aux, &out);
    }
    if (dp->pump) {
        struct dp_user_worker out = figures_of(dp->pump);

        cb(aux, &out);
    }
}

static void
clear_figures(struct worker *w)
{
    worker_clear_perf(w);
    w->cleared.n_dropped += figures_of(w).n_dropped;
#define COPY(MEMBER) w->cleared.MEMBER = tally_get(&w->counters.MEMBER);
    WORKER_FIGURES(COPY)
#undef COPY
}

static void
clear_queue(struct port_queue *q)
{
    q->cleared.n_packets = tally_get(&q->tally.n_packets);
    q->cleared.n_bursts = tally_get(&q->tally.n_bursts);
    q->cleared.n_full = tally_get(&q->tally.n_full);
}

void
dp_user_clear_figures(struct datapath *up)
{
    struct dp *dp = dp_cast(up);
    const struct port_table *t = rcu_get_protected(&dp->ports);

    for (size_t i = 0; i < dp->n_workers; i++) {
        clear_figures(dp->workers[i]);
    }
    if (dp->pump) {
        clear_figures(dp->pump);
    }
    for (uint32_t i = 0; t && i < t->n; i++) {
        for (size_t q = 0; t->ports[i] && q < t->ports[i]->n_queues; q++) {
            clear_queue(&t->ports[i]->queues[q]);
        }
    }
    dp->cleared = clock_now_ms();
}

struct perf *
dp_user_copy_perf(const struct datapath *up, unsigned int worker)
{
    const struct dp *dp = dp_cast(up);
    struct perf *copy = xmalloc(sizeof *copy);

    for (size_t i = 0; i < dp->n_workers; i++) {
        if (dp->workers[i]->id == worker && worker_copy_perf(dp->workers[i], copy)) {
            return copy;
        }
    }
    free(copy);
    return NULL;
}

int64_t
dp_user_figures_ms(const struct datapath *up)
{
    return clock_now_ms() - dp_cast(up)->cleared;
}

void
dp_user_for_each_rxq(const struct datapath *up, unsigned int seconds,
                     void (*cb)(void *aux, const struct dp_user_rxq *), void *aux)
{
    const struct port_table *t = rcu_get_protected(&dp_cast(up)->ports);

    for (uint32_t i = 0; t && i < t->n; i++) {
        const struct port *port = t->ports[i];

        for (size_t q = 0; port && q < port->n_queues; q++) {
            const struct port_queue *queue = &port->queues[q];
            const struct worker *w = queue->worker ? queue->worker : dp_cast(up)->pump;

            if (w) {
                struct dp_user_rxq out = {
                    .port = port->netdev->name, .queue = queue->rxq->queue, .worker = w->id,
                    .usage = worker_usage(w, &queue->usage, seconds),
                    .n_packets = tally_get(&queue->tally.n_packets) - queue->cleared.n_packets,
                    .n_bursts = tally_get(&queue->tally.n_bursts) - queue->cleared.n_bursts,
                    .n_full = tally_get(&queue->tally.n_full) - queue->cleared.n_full,
                };

                cb(aux, &out);
            }
        }
    }
}

void
dp_user_rebalance(struct datapath *up)
{
    pollers_settle(dp_cast(up), true);
}

unsigned int
dp_user_sleep_us(const struct datapath *up, int core)
{
    const struct poll_settings *s = &dp_cast(up)->poll;

    return core < 0 ? s->sleep_us : poll_settings_sleep(s, core);
}

static int
user_meter_set(struct datapath *up, uint32_t *id, const struct dp_meter_config *c)
{
    return dp_meters_set(&dp_cast(up)->meters, id, c);
}

static int
user_meter_get(const struct datapath *up, uint32_t id, struct dp_meter_stats *s)
{
    return dp_meters_get(&dp_cast(up)->meters, id, s);
}

static int
user_meter_del(struct datapath *up, uint32_t id)
{
    return dp_meters_del(&dp_cast(up)->meters, id);
}

static void
user_dropped_for_each(struct datapath *up, void (*cb)(void *aux, const struct dp_dropped *), void *aux)
{
    drop_log_for_each(&dp_cast(up)->drops, cb, aux);
}

static const struct dp_feature features[] = {
#define FEATURE(KEY, TITLE, VALUE) { #KEY, TITLE, VALUE, false },
#define LIMIT(KEY, TITLE, VALUE) { #KEY, TITLE, VALUE, true },
#define UNTOLD(KEY, VALUE) { #KEY, NULL, VALUE, false },
#include "datapath/user/features.def"
    { NULL, NULL, 0, false },
};

#define USER_CLASS(TYPE, INTERNAL, OPEN) { \
    .type = TYPE, \
    .internal_type = INTERNAL, \
    .prepare = env_start_beside, \
    .open = OPEN, \
    .close = user_close, \
    .destroy = user_destroy, \
    .set_client = user_set_client, \
    .get_stats = user_get_stats, \
    .version = user_version, \
    .features = features, \
    .port_add = user_port_add, \
    .port_del = user_port_del, \
    .port_for_each = user_port_for_each, \
    .port_netdev = user_port_netdev, \
    .configure = user_configure, \
    .port_configure = user_port_configure, \
    .flow_put = user_flow_put, \
    .flow_del = user_flow_del, \
    .flow_lookup = user_flow_lookup, \
    .flow_flush = user_flow_flush, \
    .flow_for_each = user_flow_for_each, .flow_walk = user_flow_walk, \
    .dropped_for_each = user_dropped_for_each, \
    .conntrack = dp_user_conntrack, \
    .execute = user_execute, \
    .meter_set = user_meter_set, \
    .meter_get = user_meter_get, \
    .meter_del = user_meter_del, \
    .flow_get = user_flow_get, \
    .flow_actions = user_flow_actions, \
    .flow_owner = user_flow_owner, \
    .flow_set_stale = megaflow_set_stale, \
    .flow_set_live = megaflow_set_live, \
    .flow_is_stale = user_flow_is_stale, \
    .doubt_flows = user_doubt_flows, \
    .flow_is_gone = user_flow_is_gone, \
    .flow_ufid = user_flow_ufid, \
    .flow_set_ufid = user_flow_set_ufid, .flow_find_ufid = user_flow_find_ufid, \
    .flow_offloaded = offload_flow_state_rcu, .n_offload_threads = user_n_offload_threads, \
    .offload_figures = user_offload_figures, .port_offload = user_port_offload, \
}

static const struct datapath_class user_class = USER_CLASS("netdev", "internal", user_open);
static const struct datapath_class dummy_class = USER_CLASS("dummy", "dummy-internal", dummy_open);
static const struct datapath_class dummy_netdev_class = USER_CLASS("netdev", "dummy-internal", dummy_open);
static const struct datapath_class dummy_system_class = USER_CLASS("system", "dummy-internal", dummy_open);

void
dp_user_for_each(void (*cb)(void *aux, const struct datapath *), void *aux)
{
    LIST_FOR_EACH (dp, struct dp, node, &datapaths) {
        if (!dp->is_destroyed) {
            cb(aux, &dp->up);
        }
    }
}

void
dp_user_register(void)
{
    register_drops();
    datapath_class_register(&user_class);
}

void
dp_user_register_dummy(const char *how)
{
    bool override = !strcmp(how, "override");

    datapath_class_register(&dummy_class);
    if (override) {
        datapath_class_register(&dummy_netdev_class);
    }
    if (override || !strcmp(how, "system")) {
        datapath_class_register(&dummy_system_class);
    }
}
