/* A worker: the state that carries packets, and the thread around it.
 *
 * What it is
 * ----------
 * 'struct worker' has all that the stages of a burst need: bursts (one for each depth of recirculation), a signature
 * cache, a queue of packets to send for each port, counters.  Sleeping workers wait in epoll for the queues that they
 * serve; polling workers ask theirs in turn.  A worker without a thread is used by whoever calls: the pump of a dummy
 * datapath, and dp_execute() from other threads.
 *
 * Which queue is next
 * -------------------
 * A sleeping worker: of the queues that have packets, that which has cost it the least time so far, one burst at a
 * time.  A polling one asks them in turn, but passes over those that have had more than the others that have packets
 * (share.h).  So a port whose every packet is a miss gets its share of the worker's time, and no more: that is the
 * budget of its upcalls.
 *
 * Sleeps
 * ------
 * A polling worker that may sleep (pmd-sleep-max) does so after each round in which no queue gave half a burst, each
 * time a microsecond longer than the time before, up to its limit; a queue that gives more begins anew.
 *
 * Sending
 * -------
 * What a burst sends leaves when the burst is done.  With tx-flush-interval a polling worker keeps it, until there is a
 * burst for the port, until the first of the packets has waited that long, or until it sleeps.
 *
 * Threads: a worker belongs to one thread at a time; 'polls' is published by the main thread; counters may be read by
 * any. */
#ifndef DATAPATH_USER_WORKER_H
#define DATAPATH_USER_WORKER_H 1

#include "datapath/user/cache.h"
#include "datapath/user/perf.h"
#include "datapath/user/port.h"
#include "datapath/user/share.h"
#include "datapath/user/usage.h"
#include "datapath/user/user.h"
#include "base/random.h"
#include "base/tally.h"
#include "flow/extract.h"
#include "packet/mbuf.h"

enum { BURST = 32, MAX_DEPTH = 8, MAX_WORKERS = 64 };

struct burst {
    unsigned int n;
    struct dp_flow *last; /* To which all packets of the last burst belonged, perhaps gone now; null: to several. */
    bool is_marked; /* Packets whose mark was followed may have no lines (offload.h). */
    struct packet *packets[BURST];
    struct dp_flow *flows[BURST];
    uint64_t hashes[BURST];
    struct flow_offsets offsets[BURST];
    uint16_t lines[BURST];
    struct flow keys[BURST] ALIGNED(64); /* Only the lines in 'lines' are valid. */
};

/* Packets that wait to be sent through one port until the burst is done. */
struct tx_queue {
    const struct port *port;
    unsigned int n;
    uint64_t received; /* TSC: when the burst of its first packet was, where that is measured; else 0. */
    struct packet *packets[BURST];
};

/* Written by the worker, read by anyone. */
struct worker_counters {
    _Atomic uint64_t n_packets, n_recirculated, n_hit_mark, n_hit_cache, n_hit_megaflow, n_missed, n_lost, n_masks,
        n_bursts, busy_cycles, idle_cycles, n_busy_rounds, n_idle_rounds, n_sleeps, sleep_cycles, upcall_cycles,
        n_tx_packets, n_tx_batches;
    _Atomic uint64_t drops[DP_N_DROPS];
};

/* Those of the counters that are figures of struct dp_user_worker. */
#define WORKER_FIGURES(FIGURE) \
    FIGURE(n_packets) FIGURE(n_recirculated) FIGURE(n_hit_mark) FIGURE(n_hit_cache) FIGURE(n_hit_megaflow) \
    FIGURE(n_missed) FIGURE(n_lost) FIGURE(n_masks) FIGURE(n_bursts) FIGURE(busy_cycles) FIGURE(idle_cycles) \
    FIGURE(n_busy_rounds) FIGURE(n_idle_rounds) FIGURE(n_sleeps) FIGURE(sleep_cycles) FIGURE(upcall_cycles) \
    FIGURE(n_tx_packets) FIGURE(n_tx_batches)

/* A receive queue that a worker serves. */
struct poll {
    uint32_t id;  /* Never reused: what epoll's events carry. */
    struct port *port;
    struct netdev_rxq *rxq;
    uint64_t spent; /* Cycles; the worker's, where it sleeps. */
    struct share share; /* The worker's, where it polls. */
    struct usage *usage; /* The queue's; of polling workers. */
    struct queue_tally *tally; /* The queue's. */
};

struct poll_list {
    unsigned int n;
    struct poll *polls[];
};

struct worker {
    struct dp *dp;
    unsigned int id;
    struct cache cache;
    struct burst *bursts[MAX_DEPTH]; /* Null until needed. */
    struct tx_queue **tx;            /* By port number; elements null until needed. */
    uint32_t n_tx;
    uint32_t *dirty;                 /* Numbers of the ports whose queue is not empty. */
    unsigned int n_dirty;
    int64_t now;                     /* ms */
    struct flow fresh;               /* A packet's metadata before it is parsed: in_port; only the base line is used. */
    struct random random;
    struct bytes upcall_put_actions;
    struct bytes upcall_actions;
    struct worker_counters counters;
    struct dp_user_worker cleared;   /* Counters when figures were cleared; the main thread's. */

    /* The thread. */
    RCU_PTR(struct poll_list) polls;
    bool is_polling;
    struct share_round round;        /* Where it polls. */
    uint64_t interval_ends;          /* TSC; of 'usage' and that of the polls. */
    struct usage usage;              /* All its cycles. */
    int core;                        /* -1: not pinned. */
    unsigned int numa_node;          /* Of the core. */
    bool is_isolated;                /* Its queues are those that want its core.  Main thread. */
    _Atomic unsigned int max_sleep_us; /* Where it polls; 0: it never sleeps. */
    uint64_t sleep_ns;               /* The next sleep. */
    _Atomic bool is_measured;        /* Whether rounds and latencies are added to 'perf', which is there then. */
    uint64_t received;               /* TSC: when the present burst was, while that is measured; else 0. */
    struct perf *perf;               /* Null until needed; its contents are guarded by the mutex. */
    pthread_mutex_t perf_mutex;
    uint64_t held_since;             /* TSC: when the first packet that waits to be sent was put there; 0: none. */
    int epoll, event;                /* -1 without thread. */
    pthread_t thread;
    _Atomic bool stop;
    struct list node;                /* In dp->executors, without thread. */
};

/* Prepares a worker without thread; releases it (a thread must have been stopped). */
void worker_init(struct worker *, struct dp *, unsigned int id);
void worker_uninit(struct worker *);

/* What the pipeline wants dropped is no news; the switch knows more about it (ofproto/drops.h). */
static inline bool
worker_drop_is_wanted(enum dp_drop reason)
{
    return reason == DP_DROP_EXPLICIT || reason >= DP_DROP_XLATE_BRIDGE_NOT_FOUND;
}

/* Starts the thread; 'core' -1: not pinned.  0 or a negative errno value. */
int worker_start(struct worker *, bool polling, int core, unsigned int node);
void worker_stop(struct worker *);

/* CPU time that the thread has used. */
uint64_t worker_cpu_ns(const struct worker *);

/* The share of its time that a queue has had in the last 'seconds', in per cent; -1: not known.  Main thread. */
double worker_usage(const struct worker *, const struct usage *, unsigned int seconds);

/* Begins and ends the measurement of its rounds, if it polls, and of how long packets stay; clears what was measured;
 * copies it, false if there is nothing.  Main thread. */
void worker_measure(struct worker *, bool on);
void worker_clear_perf(struct worker *);
bool worker_copy_perf(struct worker *, struct perf *copy);

/* Adds, removes a queue.  After removal and rcu_synchronize() the worker does not touch it any more.  Main thread. */
int worker_add_poll(struct worker *, struct port *, struct port_queue *);
void worker_remove_poll(struct worker *, const struct netdev_rxq *);

/* Receives one burst from 'rxq' and processes it; the number of packets or a negative errno value. */
int worker_serve_rcu(struct worker *, struct port *, struct netdev_rxq *);

/* Counts a burst of 'n' packets of a queue, by whoever serves it. */
static ALWAYS_INLINE void
worker_tally(struct queue_tally *t, unsigned int n)
{
    tally_add(&t->n_packets, n);
    tally_add(&t->n_bursts, 1);
    tally_add(&t->n_full, n == BURST);
}

/* The burst for recirculation depth 'depth'. */
struct burst *worker_burst(struct worker *, unsigned int depth);

/* Sends what waits. */
void worker_flush_rcu(struct worker *);

/* Frees 'p' and counts why.  'key': what is known of the packet's way here (its base line alone is read); null:
 * nothing.  worker_lost() is for a packet that is gone already. */
void worker_drop(struct worker *, struct packet *p, enum dp_drop reason, const struct flow *key);
void worker_lost(struct worker *, enum dp_drop reason, const struct flow *key);

/* Drops those packets that the port's QoS does not let pass, and moves the others to the front; how many these are. */
unsigned int worker_police_sent_rcu(struct worker *, struct qos *, struct packet **packets, unsigned int n);

/* Queues 'p' (taken over) for port 'number'. */
void worker_output_slow_rcu(struct worker *, uint32_t number, struct packet *p);
static ALWAYS_INLINE void
worker_output_rcu(struct worker *w, uint32_t number, struct packet *p)
{
    struct tx_queue *q;

    if (LIKELY(number < w->n_tx && (q = w->tx[number]) != NULL && q->n && q->n < BURST)) {
        q->packets[q->n++] = p;
    } else {
        worker_output_slow_rcu(w, number, p);
    }
}

#endif
