/* The userspace datapath.
 *
 * What it is
 * ----------
 * Types "netdev" (workers in threads) and "dummy" (no threads: frames that dummy devices receive are processed before
 * netdev_dummy_receive() returns; for simulated tests).  See datapath/datapath.h for the interface.
 *
 * How it works
 * ------------
 * A worker takes bursts of up to 32 packets from its queues and carries each burst through the stages of burst.c:
 * parse,
 * signature cache, megaflow tables, upcalls, actions, output.  Keys are arrays of 64-byte lines (flow/flow.h); hashing
 * (key.h) and comparing work on lines.
 *
 *   cache.h       from a packet's hash to a megaflow, in a worker: no lock, no copy; a hit is verified by comparing the
 *                 megaflow's own key under its mask, so a wrong or stale entry is harmless;
 *   megaflow.h    megaflows, in one hash table per mask ("tuple"), and per input port (and recirculation id) the
 *   bounded
 *                 dictionary of the masks it uses;
 *   op.h          actions compiled into steps; exec.c carries them out, set.c changes headers;
 *   port.h        ports, and for each worker a queue of packets to send;
 *   worker.h      threads;
 *   offload.h     megaflows given to devices, which mark their packets;
 *   pollers.h     which cores have polling workers, and which queues those have (assign.h).
 *
 * Threads and locks
 * -----------------
 * Workers read under RCU.  Changes of megaflows are serialised by a mutex that workers take only to install one.  Ports
 * are the main thread's; removing one waits until no worker can be using it.
 *
 * Limits
 * ------
 * 65535 ports; 200,000 megaflows (flow-limit); recirculation 8 deep; actions nested 16 deep. */
#ifndef DATAPATH_USER_USER_H
#define DATAPATH_USER_USER_H 1

#include "datapath/datapath.h"

/* Registers the type "netdev". */
void dp_user_register(void);

/* Registers the type "dummy".  'how' is that of netdev_enable_dummy(): with "override" it serves the types "netdev" and
 * "system" too, with "system" that alone. */
void dp_user_register_dummy(const char *how);

/* Processes everything that waits in the queues of a datapath without threads; the number of packets. */
unsigned int dp_user_pump(struct datapath *);

/* Why packets were dropped: name and sentence of each reason, and the counts. */
enum dp_drop {
#define DROP(ENUM, NAME, TEXT) DP_DROP_##ENUM,
#include "datapath/user/drops.def"
    DP_N_DROPS
};
extern const char *const dp_drop_names[DP_N_DROPS], *const dp_drop_texts[DP_N_DROPS];
void dp_user_get_drops(const struct datapath *, uint64_t counts[DP_N_DROPS]);

/* Its connection tracker; without threads: after the clock hand has gone round.  Main thread. */
struct conntrack *dp_user_conntrack(struct datapath *);

/* Every userspace datapath that was not destroyed, whatever is still to be released of others. */
void dp_user_for_each(void (*cb)(void *aux, const struct datapath *), void *aux);

/* Registers the control commands about workers and captures; the second, which it calls, those that are ours alone. */
void dp_user_commands_register(void);
void dp_user_figures_commands_register(void);

/* Ends all captures (capture.h), for the end of the process; waits for their files.  Main thread. */
void dp_user_end_captures(void);

/* What each worker does, for dpif-netdev/pmd-rxq-show and the like. */
struct dp_user_worker {
    unsigned int id;
    bool is_polling, is_isolated;
    int core; /* -1: not pinned. */
    unsigned int node;
    uint64_t n_packets, n_recirculated, n_hit_mark, n_hit_cache, n_hit_megaflow, n_missed, n_lost, n_masks, n_bursts;
    uint64_t n_tx_packets, n_tx_batches, upcall_cycles, n_dropped /* not because the pipeline wants it */;
    uint64_t busy_cycles, idle_cycles, sleep_cycles, n_busy_rounds, n_idle_rounds, n_sleeps; /* Polling workers. */
    uint64_t cpu_ns;                   /* CPU time of its thread. */
};
/* Those with threads, or the one that does their work. */
void dp_user_for_each_worker(const struct datapath *, void (*cb)(void *aux, const struct dp_user_worker *), void *aux);
/* The queues: port name, queue number, worker, and the share of its time in the last 'seconds' (60 at most), in per
 * cent; -1: it polls for less than five seconds, or not at all.  What has come by it: packets, bursts, and those that
 * were as large as can be, after which there may have been more. */
struct dp_user_rxq {
    const char *port;
    unsigned int queue, worker;
    double usage;
    uint64_t n_packets, n_bursts, n_full;
};
void dp_user_for_each_rxq(const struct datapath *, unsigned int seconds,
                          void (*cb)(void *aux, const struct dp_user_rxq *), void *aux);

/* Figures count from now (of dp_user_for_each_worker() and of queues); ms on clock_now_ms() since then. */
void dp_user_clear_figures(struct datapath *);
int64_t dp_user_figures_ms(const struct datapath *);

/* What was measured of a polling worker's rounds (perf.h), the caller's; null: nothing. */
struct perf *dp_user_copy_perf(const struct datapath *, unsigned int worker);

/* Deals the queues of polling workers out anew, by what they have cost. */
void dp_user_rebalance(struct datapath *);

/* The longest sleep of polling workers, microseconds: of the one on 'core', or of all that have none of their own. */
unsigned int dp_user_sleep_us(const struct datapath *, int core);

#endif
