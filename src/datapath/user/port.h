/* Ports of a userspace datapath, by number.
 *
 * Threads: the table is changed by the main thread and read under RCU. */
#ifndef DATAPATH_USER_PORT_H
#define DATAPATH_USER_PORT_H 1

#include "datapath/user/offload.h"
#include "datapath/user/usage.h"
#include "netdev/netdev.h"
#include "odp/action.h"
#include "sys/rcu.h"

struct capture_list;
struct dp;
struct worker;

/* What has come by a queue: counted by the worker that serves it, once a burst; read by any. */
struct queue_tally {
    _Atomic uint64_t n_packets, n_bursts, n_full /* bursts */;
};

struct port_queue {
    struct netdev_rxq *rxq;
    struct worker *worker; /* Null: pumped, or not served. */
    struct queue_tally tally;
    struct usage usage;    /* Where it is polled. */
    struct queue_tally cleared; /* 'tally' when figures were cleared; the main thread's. */
};

/* A queue is wanted to be polled by the worker on a core. */
struct port_affinity {
    unsigned int queue, core;
};

struct port {
    odp_port number;
    be32 in_port;          /* The number as keys have it. */
    struct netdev *netdev; /* Referenced. */
    void (*send)(struct netdev *, unsigned int txq, struct packet **, unsigned int n); /* Null: nothing passes. */
    _Atomic bool hashes_tx; /* tx-steering=hash. */
    RCU_PTR(const struct capture_list) captures; /* Null: none (capture.h). */
    marks_ptr marks;       /* That its device gives to packets; null: none (offload.h). */
    struct dp *dp;
    struct netdev_user user;
    size_t n_queues;
    struct port_queue *queues;
    struct port_affinity *affinity; /* pmd-rxq-affinity.  Main thread. */
    size_t n_affinity;
    struct offload_port *offload; /* Null: its device takes no rules.  Main thread. */
    bool refuses_offload;  /* Its device is not to be asked (hw-offload-priority).  Main thread. */
};

struct port_table {
    uint32_t n; /* One more than the highest number. */
    struct port *ports[];
};

static inline struct port *
port_find(const struct port_table *t, uint32_t number)
{
    return number < t->n ? t->ports[number] : NULL;
}

/* Puts 'port' (null: none) under 'number'; the old table is released by RCU. */
typedef RCU_PTR(struct port_table) port_table_ptr;
void port_table_set(port_table_ptr *, uint32_t number, struct port *port);

#endif
