#include "datapath/user/ports.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/user/capture.h"
#include "datapath/user/pollers.h"
#include "sys/log.h"

LOG_MODULE(dpif_netdev)

enum { MAX_PORTS = 65535, MAX_SLEEPERS = 4 };

/* Workers. */

static unsigned int
n_cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

static void
start_sleepers(struct dp *dp)
{
    for (unsigned int i = MIN(n_cpus(), MAX_SLEEPERS); i; i--) {
        pollers_start_worker(dp, false, -1, 0);
    }
}

static unsigned int
n_queues_of(const struct worker *w)
{
    return rcu_get_protected(&((struct worker *) w)->polls)->n;
}

/* The sleeping worker that has the fewest queues; they are started when first needed. */
static struct worker *
pick_sleeper(struct dp *dp)
{
    struct worker *best = NULL;

    for (int attempt = 0; attempt < 2 && !best; attempt++) {
        for (size_t i = 0; i < dp->n_workers; i++) {
            struct worker *w = dp->workers[i];

            if (!w->is_polling && (!best || n_queues_of(w) < n_queues_of(best))) {
                best = w;
            }
        }
        if (!best && !attempt) {
            start_sleepers(dp);
        }
    }
    return best;
}

/* Queues. */

static int
assign_queue(struct dp *dp, struct port *port, struct port_queue *q)
{
    int error;

    if (!dp->has_threads) {
        return 0;
    }
    q->worker = pick_sleeper(dp);
    if (!q->worker) {
        return -EAGAIN;
    }
    error = worker_add_poll(q->worker, port, q);
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

    if (port->netdev->class->is_pollable_only) {
        pollers_changed(dp);
        return 0;
    }
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

    offload_port_close(port->offload);
    port->offload = NULL;
    unassign_queues(port);
    rcu_synchronize(); /* Now no worker is at one. */
    close_queues(port);
    if (port->netdev->class->is_pollable_only) {
        pollers_changed(port->dp);
    }
}

void
dp_port_offload(struct dp *dp, struct port *port)
{
    if (dp->offload && !port->offload && !port->refuses_offload) {
        port->offload = offload_port_open(dp->offload, port->netdev, port->in_port, &port->marks);
    }
}

/* Whether the search for a provider of offload comes to DPDK, the only one here: providers that are not named follow
 * those that are, and "none" ends it.  What else is in the list is nobody's. */
static bool
reaches_dpdk(const char *providers)
{
    for (const char *at = providers; *at;) {
        size_t n = strcspn(at, ",");

        if (n == 4 && !memcmp(at, "dpdk", n)) {
            return true;
        }
        if (n == 4 && !memcmp(at, "none", n)) {
            return false;
        }
        at += n + (at[n] == ',');
    }
    return true;
}

void
dp_port_set_offload_priority(struct dp *dp, struct port *port, const char *providers)
{
    port->refuses_offload = providers && !reaches_dpdk(providers);
    if (port->offload) {
        offload_port_set_paused(port->offload, port->refuses_offload);
    } else {
        dp_port_offload(dp, port);
    }
}

static void
take_queues(struct netdev_user *u)
{
    struct port *port = port_of_user(u);
    int error = open_queues(port);

    error = error ? error : assign_queues(port->dp, port);
    if (error) {
        log_err("%s: its queues could not be taken up: %s", port->netdev->name, strerror(-error));
        return;
    }
    dp_port_offload(port->dp, port);
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
        return error;
    }
    dp_port_offload(dp, port);
    return 0;
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
    offload_port_close(port->offload);
    unassign_queues(port);
    port_table_set(&dp->ports, number.n, NULL);
    rcu_synchronize(); /* Now no worker is in the port's functions. */
    capture_port_gone(port);
    close_queues(port);
    if (port->netdev->class->is_pollable_only) {
        pollers_changed(dp);
    }
    netdev_close(port->netdev);
    free(port->affinity);
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
