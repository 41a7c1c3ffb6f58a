#include "datapath/user/ports.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "sys/log.h"

LOG_MODULE(dpif_netdev)

enum { MAX_PORTS = 65535, MAX_SLEEPERS = 4, MAX_CORES = 64 };

/* Workers. */

static unsigned int
unused_id(const struct dp *dp)
{
    uint64_t used = 0;

    for (size_t i = 0; i < dp->n_workers; i++) {
        used |= UINT64_C(1) << dp->workers[i]->id;
    }
    return __builtin_ctzll(~used);
}

static struct worker *
start_worker(struct dp *dp, bool polling, int core)
{
    struct worker *w;
    int error;

    if (dp->n_workers == MAX_WORKERS) {
        return NULL;
    }
    w = xzalloc_cacheline(sizeof *w);
    worker_init(w, dp, unused_id(dp));
    error = worker_start(w, polling, core);
    if (error) {
        log_err("%s: a worker could not be started: %s", dp->up.name, strerror(-error));
        worker_uninit(w);
        free(w);
        return NULL;
    }
    dp->workers[dp->n_workers++] = w;
    if (polling) {
        log_info("PMD thread on numa_id: 0, core id: %2d created.", core);
    }
    return w;
}

static unsigned int
n_cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

static int
last_cpu(void)
{
    cpu_set_t set;
    int last = 0;

    if (!sched_getaffinity(0, sizeof set, &set)) {
        for (int i = 0; i < CPU_SETSIZE; i++) {
            last = CPU_ISSET(i, &set) ? i : last;
        }
    }
    return last;
}

static void
start_sleepers(struct dp *dp)
{
    for (unsigned int i = MIN(n_cpus(), MAX_SLEEPERS); i; i--) {
        start_worker(dp, false, -1);
    }
}

static bool
mask_has(const char *mask, int core)
{
    const char *digits = mask && !strncmp(mask, "0x", 2) ? mask + 2 : mask ? mask : "";
    size_t n = strlen(digits), at = core / 4;
    char text[2] = { at < n ? digits[n - 1 - at] : '0', '\0' };

    return strtoul(text, NULL, 16) >> core % 4 & 1;
}

static void
start_pollers(struct dp *dp)
{
    if (!dp->pmd_cpu_mask || !dp->pmd_cpu_mask[0]) {
        start_worker(dp, true, last_cpu());
        return;
    }
    for (int core = 0; core < MAX_CORES; core++) {
        if (mask_has(dp->pmd_cpu_mask, core)) {
            start_worker(dp, true, core);
        }
    }
}

static unsigned int
n_queues_of(const struct worker *w)
{
    return rcu_get_protected(&((struct worker *) w)->polls)->n;
}

/* The worker of the wanted kind that has the fewest queues; they are started when first needed. */
static struct worker *
pick_worker(struct dp *dp, bool polling)
{
    struct worker *best = NULL;

    for (int attempt = 0; attempt < 2 && !best; attempt++) {
        for (size_t i = 0; i < dp->n_workers; i++) {
            struct worker *w = dp->workers[i];

            if (w->is_polling == polling && (!best || n_queues_of(w) < n_queues_of(best))) {
                best = w;
            }
        }
        if (!best && !attempt) {
            if (polling) {
                start_pollers(dp);
            } else {
                start_sleepers(dp);
            }
        }
    }
    return best;
}

void
dp_workers_stop(struct dp *dp)
{
    while (dp->n_workers) {
        struct worker *w = dp->workers[--dp->n_workers];

        worker_stop(w);
        worker_uninit(w);
        free(w);
    }
}

/* Queues. */

static int
assign_queue(struct dp *dp, struct port *port, struct port_queue *q)
{
    int error;

    if (!dp->has_threads) {
        return 0;
    }
    q->worker = pick_worker(dp, port->netdev->class->is_pollable_only);
    if (!q->worker) {
        return -EAGAIN;
    }
    error = worker_add_poll(q->worker, port, q->rxq);
    if (error) {
        q->worker = NULL;
    }
    return error;
}

static void
unassign_queues(struct port *port)
{
    for (size_t i = 0; i < port->n_queues; i++) {
        if (port->queues[i].worker) {
            worker_remove_poll(port->queues[i].worker, port->queues[i].rxq);
            port->queues[i].worker = NULL;
        }
    }
}

static void
close_queues(struct port *port)
{
    for (size_t i = 0; i < port->n_queues; i++) {
        port->netdev->class->rxq_close(port->queues[i].rxq);
    }
    free(port->queues);
    port->queues = NULL;
    port->n_queues = 0;
}

static int
open_queues(struct port *port)
{
    const struct netdev_class *class = port->netdev->class;
    size_t n = class->has_packets ? class->n_rxq(port->netdev) : 0;

    port->queues = xcalloc(n + 1, sizeof *port->queues);
    for (size_t i = 0; i < n; i++) {
        int error = class->rxq_open(port->netdev, i, &port->queues[i].rxq);

        if (error) {
            close_queues(port);
            return error;
        }
        port->n_queues++;
    }
    return 0;
}

static int
assign_queues(struct dp *dp, struct port *port)
{
    int error = 0;

    for (size_t i = 0; i < port->n_queues && !error; i++) {
        error = assign_queue(dp, port, &port->queues[i]);
    }
    return error;
}

static struct port *
port_of_user(struct netdev_user *u)
{
    return CONTAINER_OF(u, struct port, user);
}

static void
release_queues(struct netdev_user *u)
{
    struct port *port = port_of_user(u);

    unassign_queues(port);
    rcu_synchronize(); /* Now no worker is at one. */
    close_queues(port);
}

static void
take_queues(struct netdev_user *u)
{
    struct port *port = port_of_user(u);
    int error = open_queues(port);

    error = error ? error : assign_queues(port->dp, port);
    if (error) {
        log_err("%s: its queues could not be taken up: %s", port->netdev->name, strerror(-error));
    }
}

/* Ports. */

/* In a dummy datapath a port's name says its number, so that tests can tell it: "p7" is 7, "br7" 107. */
static uint32_t
number_of_name(const char *name)
{
    const char *digits = name + strcspn(name, "0123456789");
    unsigned long n = strtoul(digits, NULL, 10);

    return *digits && n < MAX_PORTS ? n + (strncmp(name, "br", 2) ? 0 : 100) : 0;
}

static bool
choose_number(struct dp *dp, const char *name, odp_port *number)
{
    const struct port_table *t = rcu_get_protected(&dp->ports);

    if (number->n != ODP_PORT_NONE.n) {
        return number->n < MAX_PORTS && !(t && port_find(t, number->n));
    }
    if (!dp->has_threads) {
        uint32_t wish = number_of_name(name);

        if (wish && wish < MAX_PORTS && !(t && port_find(t, wish))) {
            *number = ODP_PORT(wish);
            return true;
        }
    }
    for (uint32_t i = 1; i < MAX_PORTS; i++) {
        if (!t || !port_find(t, i)) {
            *number = ODP_PORT(i);
            return true;
        }
    }
    return false;
}

int
dp_port_add(struct dp *dp, struct netdev *netdev, odp_port *number)
{
    struct port *port;
    int error;

    if (!choose_number(dp, netdev->name, number)) {
        return number->n == ODP_PORT_NONE.n ? -EFBIG : -EBUSY;
    }
    port = xzalloc(sizeof *port);
    port->number = *number;
    port->in_port = cpu_to_be32(number->n);
    port->netdev = netdev_ref(netdev);
    port->send = netdev->class->has_packets ? netdev->class->send : NULL;
    port->dp = dp;
    port->user = (struct netdev_user) { release_queues, take_queues };
    error = open_queues(port);
    if (error) {
        netdev_close(netdev);
        free(port);
        return error;
    }
    port_table_set(&dp->ports, number->n, port);
    netdev->user = &port->user;
    error = assign_queues(dp, port);
    if (error) {
        dp_port_del(dp, *number);
    }
    return error;
}

int
dp_port_del(struct dp *dp, odp_port number)
{
    struct port_table *t = rcu_get_protected(&dp->ports);
    struct port *port = t ? port_find(t, number.n) : NULL;

    if (!port) {
        return -ENODEV;
    }
    port->netdev->user = NULL;
    unassign_queues(port);
    port_table_set(&dp->ports, number.n, NULL);
    rcu_synchronize(); /* Now no worker is in the port's functions. */
    close_queues(port);
    netdev_close(port->netdev);
    free(port);
    return 0;
}

void
dp_ports_remove_all(struct dp *dp)
{
    const struct port_table *t;

    while ((t = rcu_get_protected(&dp->ports)) != NULL && t->n) {
        dp_port_del(dp, ODP_PORT(t->n - 1));
    }
}

/* Settings. */

static bool
mask_is_valid(const char *mask)
{
    const char *digits = !strncmp(mask, "0x", 2) ? mask + 2 : mask;

    return digits[strspn(digits, "0123456789abcdefABCDEF")] == '\0' && strlen(digits) <= MAX_CORES / 4;
}

static void
move_polling_queues(struct dp *dp)
{
    const struct port_table *t = rcu_get_protected(&dp->ports);

    for (uint32_t i = 0; t && i < t->n; i++) {
        struct port *port = t->ports[i];

        for (size_t q = 0; port && port->netdev->class->is_pollable_only && q < port->n_queues; q++) {
            assign_queue(dp, port, &port->queues[q]);
        }
    }
}

struct error *
dp_workers_set_mask(struct dp *dp, const char *mask)
{
    const struct port_table *t = rcu_get_protected(&dp->ports);
    size_t kept = 0;

    if (!mask_is_valid(mask)) {
        return error_new("pmd-cpu-mask: '%s' is not a hexadecimal mask", mask);
    }
    if (dp->pmd_cpu_mask && !strcmp(dp->pmd_cpu_mask, mask)) {
        return NULL;
    }
    free(dp->pmd_cpu_mask);
    dp->pmd_cpu_mask = xstrdup(mask);
    for (uint32_t i = 0; t && i < t->n; i++) {
        if (t->ports[i] && t->ports[i]->netdev->class->is_pollable_only) {
            unassign_queues(t->ports[i]);
        }
    }
    for (size_t i = 0; i < dp->n_workers; i++) {
        struct worker *w = dp->workers[i];

        if (!w->is_polling) {
            dp->workers[kept++] = w;
            continue;
        }
        worker_stop(w);
        worker_uninit(w);
        free(w);
    }
    dp->n_workers = kept;
    move_polling_queues(dp);
    return NULL;
}

/* A queue of a polling worker and the load that it is. */
struct load {
    struct port *port;
    struct port_queue *queue;
    double usage;
};

static int
compare_loads(const void *a_, const void *b_)
{
    const struct load *a = a_, *b = b_;

    return a->usage > b->usage ? -1 : a->usage < b->usage;
}

static size_t
get_loads(struct dp *dp, struct load **loads)
{
    const struct port_table *t = rcu_get_protected(&dp->ports);
    size_t n = 0, capacity = 0;

    *loads = NULL;
    for (uint32_t i = 0; t && i < t->n; i++) {
        struct port *port = t->ports[i];

        for (size_t q = 0; port && q < port->n_queues; q++) {
            struct port_queue *queue = &port->queues[q];

            if (queue->worker && queue->worker->is_polling) {
                if (n >= capacity) {
                    *loads = x2nrealloc(*loads, &capacity, sizeof **loads);
                }
                (*loads)[n++] = (struct load) { port, queue, worker_usage(queue->worker, queue->rxq, 60) };
            }
        }
    }
    return n;
}

/* The polling worker with the least of what was dealt out to it. */
static size_t
least_loaded(const struct dp *dp, const double *dealt)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < dp->n_workers; i++) {
        if (dp->workers[i]->is_polling && (best == SIZE_MAX || dealt[i] < dealt[best])) {
            best = i;
        }
    }
    return best;
}

static void
move_queue(struct load *load, struct worker *to)
{
    int error;

    worker_remove_poll(load->queue->worker, load->queue->rxq);
    rcu_synchronize(); /* Two workers must never be at one queue. */
    load->queue->worker = to;
    error = worker_add_poll(to, load->port, load->queue->rxq);
    if (error) {
        log_err("%s: a queue could not be moved: %s", load->port->netdev->name, strerror(-error));
        load->queue->worker = NULL;
    }
}

/* The heaviest first, each to whom has the least so far.  A queue whose load is not known counts a little. */
void
dp_workers_rebalance(struct dp *dp)
{
    double dealt[MAX_WORKERS] = { 0 };
    struct load *loads;
    size_t n = get_loads(dp, &loads);

    if (n) {
        qsort(loads, n, sizeof *loads, compare_loads);
    }
    for (size_t i = 0; i < n; i++) {
        size_t to = least_loaded(dp, dealt);

        dealt[to] += loads[i].usage > 0 ? loads[i].usage : 0.01;
        if (loads[i].queue->worker != dp->workers[to]) {
            move_queue(&loads[i], dp->workers[to]);
        }
    }
    free(loads);
}
