/* The userspace datapath's own state; see user.h. */
#ifndef DATAPATH_USER_DP_H
#define DATAPATH_USER_DP_H 1

#include "datapath/user/drop_log.h"
#include "datapath/user/megaflow.h"
#include "datapath/user/meter.h"
#include "datapath/user/poll_settings.h"
#include "datapath/user/port.h"
#include "datapath/user/worker.h"
#include "sys/loop.h"

struct dp {
    struct datapath up;
    struct list node;              /* In the list of all. */
    unsigned int n_references;
    bool has_threads, is_destroyed;
    RCU_PTR(const struct dp_client) client;
    port_table_ptr ports;
    struct megaflow_table flows;
    struct dp_meters meters;
    struct drop_log drops;
    struct offload *offload;       /* Null: hw-offload is off.  Main thread. */

    struct conntrack *ct;
    bool ct_has_thread;
    pthread_t ct_thread;           /* Of the clock hand. */
    pthread_mutex_t ct_mutex;      /* Of 'ct_stop'. */
    pthread_cond_t ct_wake;
    bool ct_stop;

    /* Workers with threads.  The main thread's; it changes them, and frees one, under the mutex, so that others may
     * look at them while they hold it. */
    pthread_mutex_t workers_mutex;
    size_t n_workers;
    struct worker *workers[MAX_WORKERS];
    int64_t cleared;               /* When figures began to count, ms. */
    struct worker_counters gone;   /* Of workers that are gone. */

    struct poll_settings poll;     /* These are pollers.c's. */
    struct loop_task settle;
    struct loop_timer balance;
    _Atomic unsigned int tx_flush_us; /* tx-flush-interval. */
    size_t n_pollers;              /* When they were last dealt out. */
    bool pollers_stale;

    pthread_mutex_t executors_mutex;
    struct list executors;         /* Workers without thread that nobody uses now. */
    struct worker *pump;           /* Of a dummy datapath. */
    bool is_pumping;
    _Atomic uint64_t executor_drops[DP_N_DROPS]; /* Of executors that are gone. */
};

static inline struct dp *dp_cast(const struct datapath *dp) { return CONTAINER_OF(dp, struct dp, up); }

#endif
