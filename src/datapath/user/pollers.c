#include "datapath/user/pollers.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "datapath/user/auto_lb.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/numa.h"

LOG_MODULE(dpif_netdev)

/* With more queues than that only those that get another worker are named in the log. */
enum { MAX_LOGGED = 64 };

/* Workers. */

static unsigned int
unused_id(const struct dp *dp)
{
    uint64_t used = dp->pump ? UINT64_C(1) << dp->pump->id : 0;

    for (size_t i = 0; i < dp->n_workers; i++) {
        used |= UINT64_C(1) << dp->workers[i]->id;
    }
    return __builtin_ctzll(~used);
}

static int
compare_workers(const void *a_, const void *b_)
{
    const struct worker *a = *(struct worker *const *) a_, *b = *(struct worker *const *) b_;

    return a->is_polling != b->is_polling ? a->is_polling - b->is_polling
           : a->core != b->core ? (a->core < b->core ? -1 : 1) : a->id < b->id ? -1 : a->id > b->id;
}

struct worker *
pollers_start_worker(struct dp *dp, bool polling, int core, unsigned int node)
{
    struct worker *w;
    int error;

    if (dp->n_workers + (dp->pump != NULL) == MAX_WORKERS) {
        log_warn("%s: there are %zu workers already; none for core %d", dp->up.name, dp->n_workers, core);
        return NULL;
    }
    w = xzalloc_cacheline(sizeof *w);
    worker_init(w, dp, unused_id(dp));
    worker_measure(w, dp->poll.measures);
    if (polling) {
        atomic_store(&w->max_sleep_us, poll_settings_sleep(&dp->poll, core));
    }
    error = worker_start(w, polling, core, node);
    if (error) {
        log_err("%s: a worker could not be started: %s", dp->up.name, strerror(-error));
        worker_uninit(w);
        free(w);
        return NULL;
    }
    pthread_mutex_lock(&dp->workers_mutex);
    dp->workers[dp->n_workers++] = w;
    qsort(dp->workers, dp->n_workers, sizeof dp->workers[0], compare_workers);
    pthread_mutex_unlock(&dp->workers_mutex);
    if (polling) {
        log_info("PMD thread on numa_id: %u, core id: %2d created.", node, core);
    }
    return w;
}

static void
keep_counts(struct dp *dp, const struct worker *w)
{
    for (int i = 0; i < DP_N_DROPS; i++) {
        atomic_fetch_add_explicit(&dp->executor_drops[i],
                                  tally_get(&w->counters.drops[i]),
                                  memory_order_relaxed);
    }
#define KEEP(MEMBER) tally_add(&dp->gone.MEMBER, tally_get(&w->counters.MEMBER));
    WORKER_FIGURES(KEEP)
#undef KEEP
}

void
pollers_stop_worker(struct dp *dp, struct worker *w)
{
    worker_stop(w);
    pthread_mutex_lock(&dp->workers_mutex);
    for (size_t i = 0; i < dp->n_workers; i++) {
        if (dp->workers[i] == w) {
            memmove(&dp->workers[i], &dp->workers[i + 1], (--dp->n_workers - i) * sizeof dp->workers[0]);
            break;
        }
    }
    keep_counts(dp, w); /* At the same time, so that sums never go back. */
    pthread_mutex_unlock(&dp->workers_mutex);
    if (w->is_polling) {
        log_info("PMD thread on numa_id: %u, core id: %2d destroyed.", w->numa_node, w->core);
    }
    worker_uninit(w);
    free(w);
}

static struct worker *
find_worker(const struct dp *dp, unsigned int core)
{
    for (size_t i = 0; i < dp->n_workers; i++) {
        if (dp->workers[i]->is_polling && dp->workers[i]->core == (int) core) {
            return dp->workers[i];
        }
    }
    return NULL;
}

/* Cores. */

static bool
may_use(unsigned int core)
{
    cpu_set_t set;

    return numa_is_made_up() || sched_getaffinity(0, sizeof set, &set) || CPU_ISSET(core, &set);
}

/* The core at 'i' is the last of its node that the process may use. */
static bool
is_default(const struct numa_core *cores, size_t n, size_t i)
{
    if (!may_use(cores[i].id)) {
        return false;
    }
    for (size_t k = i + 1; k < n; k++) {
        if (cores[k].node == cores[i].node && may_use(cores[k].id)) {
            return false;
        }
    }
    return true;
}

/* The cores that are to have workers, as many as 'wanted' has room for. */
static size_t
wanted_cores(const struct dp *dp, struct assign_core *wanted, size_t max)
{
    size_t n_cores, n = 0;
    const struct numa_core *cores = numa_cores(&n_cores);

    for (size_t i = 0; i < n_cores && n < max; i++) {
        if (dp->poll.cpu_mask ? poll_mask_has(dp->poll.cpu_mask, cores[i].id) : is_default(cores, n_cores, i)) {
            wanted[n++] = (struct assign_core) { .id = cores[i].id, .node = cores[i].node };
        }
    }
    return n;
}

static void
log_nodes(const struct assign_core *cores, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned int n_of_node = 0;
        bool is_first = true;

        for (size_t k = 0; k < n; k++) {
            n_of_node += cores[k].node == cores[i].node;
            is_first &= k >= i || cores[k].node != cores[i].node;
        }
        if (is_first) {
            log_info("There are %u pmd threads on numa node %u", n_of_node, cores[i].node);
        }
    }
}

/* Starts the workers that lack, leaves out cores whose worker cannot be started; how many there are then. */
static size_t
start_workers(struct dp *dp, struct assign_core *cores, size_t n)
{
    bool is_new = false;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (!find_worker(dp, cores[i].id)) {
            if (!pollers_start_worker(dp, true, cores[i].id, cores[i].node)) {
                continue;
            }
            is_new = true;
        }
        cores[kept++] = cores[i];
    }
    if (is_new || kept != dp->n_pollers) {
        log_nodes(cores, kept);
    }
    dp->n_pollers = kept;
    return kept;
}

static bool
has_core(const struct assign_core *cores, size_t n, int core)
{
    for (size_t i = 0; i < n; i++) {
        if (cores[i].id == (unsigned int) core) {
            return true;
        }
    }
    return false;
}

static void
stop_workers(struct dp *dp, const struct assign_core *cores, size_t n)
{
    for (size_t i = dp->n_workers; i; i--) {
        struct worker *w = dp->workers[i - 1];

        if (w->is_polling && !has_core(cores, n, w->core)) {
            pollers_stop_worker(dp, w);
        }
    }
}

/* Queues. */

/* What is being dealt out: at the same place in both arrays. */
struct deal {
    struct dp *dp;
    size_t n;
    struct assign_queue *queues;
    struct place { struct port *port; struct port_queue *queue; } *places;
};

static int
wanted_core(const struct port *port, unsigned int queue)
{
    for (size_t i = port->n_affinity; i; i--) {
        if (port->affinity[i - 1].queue == queue) {
            return port->affinity[i - 1].core;
        }
    }
    return -1;
}

static void
collect_port(struct deal *d, struct port *port, size_t *capacity, size_t *places_capacity)
{
    for (size_t q = 0; q < port->n_queues; q++) {
        struct port_queue *queue = &port->queues[q];

        if (d->n >= *capacity) {
            d->queues = x2nrealloc(d->queues, capacity, sizeof *d->queues);
        }
        if (d->n >= *places_capacity) {
            d->places = x2nrealloc(d->places, places_capacity, sizeof *d->places);
        }
        d->queues[d->n] = (struct assign_queue) {
            .port = port->netdev->name, .queue = queue->rxq->queue, .node = netdev_get_node(port->netdev),
            .wanted = wanted_core(port, queue->rxq->queue), .cycles = usage_sum(&queue->usage, USAGE_INTERVALS),
        };
        d->places[d->n++] = (struct place) { port, queue };
    }
}

static void
collect(struct deal *d)
{
    const struct port_table *t = rcu_get_protected(&d->dp->ports);
    size_t capacity = 0, places_capacity = 0;

    for (uint32_t i = 0; t && i < t->n; i++) {
        if (t->ports[i] && t->ports[i]->netdev->class->is_pollable_only) {
            collect_port(d, t->ports[i], &capacity, &places_capacity);
        }
    }
}

/* What is said of it. */

static const char *
cost(const struct deal *d, const struct assign_queue *q, char *text, size_t size)
{
    text[0] = '\0';
    if (d->dp->poll.how != ASSIGN_ROUNDROBIN) {
        snprintf(text, size, " (measured processing cycles %" PRIu64 ")", q->cycles);
    }
    return text;
}

static bool
is_news(const struct deal *d, const struct assign_queue *q, const struct assign_core *core)
{
    const struct worker *w = d->places[q - d->queues].queue->worker;

    return d->n <= MAX_LOGGED || !w || !core || w->core != (int) core->id;
}

static void
say_pinned(void *d_, const struct assign_queue *q, const struct assign_core *core)
{
    const struct deal *d = d_;
    char text[64];

    if (!core) {
        log_warn("Core %2d cannot be pinned with port '%s' rx queue %u. Use pmd-cpu-mask to enable a pmd on core %d. "
                 "An alternative core will be assigned.", q->wanted, q->port, q->queue, q->wanted);
    } else if (is_news(d, q, core)) {
        log_info("Core %2u on numa node %u is pinned with port '%s' rx queue %u%s", core->id, core->node, q->port,
                 q->queue, cost(d, q, text, sizeof text));
    }
}

static void
say_begin(void *d_)
{
    static const char *const names[] = {
        [ASSIGN_CYCLES] = "cycles", [ASSIGN_ROUNDROBIN] = "roundrobin", [ASSIGN_GROUP] = "group",
    };
    const struct deal *d = d_;

    log_info("Performing pmd to rx queue assignment using %s algorithm.", names[d->dp->poll.how]);
}

static void
say_assigned(void *d_, const struct assign_queue *q, const struct assign_core *core, bool is_foreign)
{
    const struct deal *d = d_;
    char text[64];

    if (!is_news(d, q, core)) {
        return;
    }
    if (is_foreign) {
        log_info("There's no available (non-isolated) pmd thread on numa node %u. Port '%s' rx queue %u will be "
                 "assigned to a pmd on numa node %u. This may lead to reduced performance.", q->node, q->port,
                 q->queue, core->node);
    }
    log_info("Core %2u on numa node %u assigned port '%s' rx queue %u%s.", core->id, core->node, q->port, q->queue,
             cost(d, q, text, sizeof text));
}

static void
say_left(void *d_, const struct assign_queue *q)
{
    const struct deal *d = d_;
    char text[64];

    if (is_news(d, q, NULL)) {
        log_warn("No non-isolated pmd on any numa available for port '%s' rx queue %u%s. This rx queue will not be "
                 "polled.", q->port, q->queue, cost(d, q, text, sizeof text));
    }
}

/* Takes the queues that get another worker from their old ones, all at once, and gives them to the new ones. */
static void
move_queues(struct deal *d, const struct assign_core *cores)
{
    struct worker **to = xcalloc(d->n + 1, sizeof *to);
    bool was_polled = false;

    for (size_t i = 0; i < d->n; i++) {
        struct port_queue *queue = d->places[i].queue;

        to[i] = d->queues[i].core == ASSIGN_NONE ? NULL : find_worker(d->dp, cores[d->queues[i].core].id);
        if (queue->worker && queue->worker != to[i]) {
            worker_remove_poll(queue->worker, queue->rxq);
            queue->worker = NULL;
            was_polled = true;
        }
    }
    if (was_polled) {
        rcu_synchronize(); /* Two workers must never be at one queue. */
    }
    for (size_t i = 0; i < d->n; i++) {
        struct port_queue *queue = d->places[i].queue;

        if (to[i] && !queue->worker) {
            queue->worker = to[i];
            (void) !worker_add_poll(to[i], d->places[i].port, queue); /* Cannot fail where nothing is waited for. */
        }
    }
    free(to);
}

static void
deal_out(struct dp *dp)
{
    const struct assign_listener listener = { NULL, say_pinned, say_begin, say_assigned, say_left };
    struct assign_listener l = listener;
    struct assign_core cores[MAX_WORKERS];
    struct deal d = { .dp = dp };
    size_t n;

    collect(&d);
    n = d.n ? wanted_cores(dp, cores, ARRAY_SIZE(cores)) : 0;
    n = start_workers(dp, cores, n);
    l.aux = &d;
    assign(d.queues, d.n, cores, n, dp->poll.how, dp->poll.isolates, &l);
    move_queues(&d, cores);
    for (size_t i = 0; i < n; i++) {
        find_worker(dp, cores[i].id)->is_isolated = cores[i].is_isolated;
    }
    stop_workers(dp, cores, n);
    free(d.queues);
    free(d.places);
}

/* Balancing by itself. */

/* The cores that there are now, and where the queues are. */
static size_t
look_at_workers(struct deal *d, struct assign_core *cores, uint64_t *full)
{
    size_t n = 0;

    *full = 0;
    for (size_t i = 0; i < d->dp->n_workers; i++) {
        const struct worker *w = d->dp->workers[i];

        if (!w->is_polling) {
            continue;
        }
        for (size_t q = 0; q < d->n; q++) {
            if (d->places[q].queue->worker == w) {
                d->queues[q].core = n;
            }
        }
        *full = MAX(*full, usage_sum(&w->usage, USAGE_INTERVALS));
        cores[n++] = (struct assign_core) { .id = w->core, .node = w->numa_node, .is_isolated = w->is_isolated };
    }
    return n;
}

static bool
would_help(struct dp *dp)
{
    struct auto_lb lb = { .how = dp->poll.how, .isolates = dp->poll.isolates, .load = dp->poll.auto_lb_load,
                          .improvement = dp->poll.auto_lb_improvement };
    struct assign_core cores[MAX_WORKERS];
    struct deal d = { .dp = dp };
    enum auto_lb_verdict verdict;
    unsigned int gain;
    size_t n;

    collect(&d);
    for (size_t q = 0; q < d.n; q++) {
        d.queues[q].core = ASSIGN_NONE;
    }
    n = look_at_workers(&d, cores, &lb.full);
    verdict = auto_lb_judge(&lb, d.queues, d.n, cores, n, &gain);
    if (verdict == AUTO_LB_GAIN || verdict == AUTO_LB_NO_GAIN) {
        log_info("PMD load variance improvement of %u%% %s threshold of %u%%.", gain,
                 verdict == AUTO_LB_GAIN ? "meets" : "does not meet", lb.improvement);
    }
    free(d.queues);
    free(d.places);
    return verdict == AUTO_LB_GAIN;
}

static void
set_balance(struct dp *dp)
{
    if (!dp->balance.loop) {
        return;
    }
    if (dp->poll.auto_lb) {
        loop_timer_set(&dp->balance, clock_now_ms() + dp->poll.auto_lb_minutes * INT64_C(60000));
    } else {
        loop_timer_cancel(&dp->balance);
    }
}

static void
balance(struct loop_timer *t)
{
    struct dp *dp = t->aux;

    if (would_help(dp)) {
        deal_out(dp);
    }
    set_balance(dp);
}

/* When. */

void
pollers_settle(struct dp *dp, bool force)
{
    if (dp->pollers_stale || force) {
        dp->pollers_stale = false;
        deal_out(dp);
    }
}

static void
settle(struct loop_task *t)
{
    pollers_settle(t->aux, false);
}

void
pollers_changed(struct dp *dp)
{
    dp->pollers_stale = true;
    if (dp->settle.loop) {
        loop_task_post(&dp->settle);
    } else {
        pollers_settle(dp, false);
    }
}

void
pollers_init(struct dp *dp)
{
    poll_settings_init(&dp->poll);
    if (netdev_loop()) {
        loop_task_init(netdev_loop(), &dp->settle, settle, dp);
        loop_timer_init(netdev_loop(), &dp->balance, balance, dp);
    }
}

void
pollers_uninit(struct dp *dp)
{
    if (dp->settle.loop) {
        loop_task_cancel(&dp->settle);
        loop_timer_cancel(&dp->balance);
    }
    while (dp->n_workers) {
        pollers_stop_worker(dp, dp->workers[dp->n_workers - 1]);
    }
    poll_settings_uninit(&dp->poll);
}

/* Settings. */

static void
set_workers(struct dp *dp)
{
    for (size_t i = 0; i < dp->n_workers; i++) {
        struct worker *w = dp->workers[i];

        worker_measure(w, dp->poll.measures);
        if (w->is_polling) {
            atomic_store(&w->max_sleep_us, poll_settings_sleep(&dp->poll, w->core));
        }
    }
}

void
pollers_configure(struct dp *dp, const char *const *keys, const char *const *values, size_t n)
{
    bool had_auto_lb = dp->poll.auto_lb;
    unsigned int minutes = dp->poll.auto_lb_minutes;

    if (poll_settings_read(&dp->poll, keys, values, n)) {
        pollers_changed(dp);
    }
    if (had_auto_lb != dp->poll.auto_lb || minutes != dp->poll.auto_lb_minutes) {
        set_balance(dp);
    }
    atomic_store(&dp->tx_flush_us, dp->poll.tx_flush_us);
    set_workers(dp);
}

/* "QUEUE:CORE,..."; false: it is no such list. */
static bool
parse_affinity(const char *text, struct port_affinity **list, size_t *n)
{
    char *copy = xstrdup(text), *rest = copy, *pair;
    size_t capacity = 0;
    bool ok = true;

    *list = NULL;
    *n = 0;
    while (ok && (pair = strsep(&rest, ", \t")) != NULL) {
        char *colon = strchr(pair, ':');
        uint32_t queue, core;

        if (!pair[0]) {
            continue;
        }
        if (colon) {
            *colon = '\0';
        }
        ok = colon && num_parse_u32(pair, 0, &queue) && num_parse_u32(colon + 1, 0, &core) && core <= INT32_MAX;
        if (ok && *n >= capacity) {
            *list = x2nrealloc(*list, &capacity, sizeof **list);
        }
        if (ok) {
            (*list)[(*n)++] = (struct port_affinity) { queue, core };
        }
    }
    free(copy);
    return ok;
}

void
pollers_set_affinity(struct dp *dp, struct port *port, const char *text)
{
    struct port_affinity *list;
    size_t n;

    if (!parse_affinity(text ? text : "", &list, &n)) {
        log_warn("%s: pmd-rxq-affinity: '%s' is not a list of QUEUE:CORE", port->netdev->name, text);
        free(list);
        return;
    }
    if (n == port->n_affinity && (!n || !memcmp(list, port->affinity, n * sizeof *list))) {
        free(list);
        return;
    }
    free(port->affinity);
    port->affinity = list;
    port->n_affinity = n;
    if (port->netdev->class->is_pollable_only) {
        pollers_changed(dp);
    }
}
