/* Measurements of a polling worker's single rounds (pmd-perf-metrics).
 *
 * What it is
 * ----------
 * Of each round over its queues: the cycles that it took, packets, received bursts, upcalls and their cycles, how full
 * vhost-user queues were.  They are kept as histograms, as the last rounds, and as sums of the last milliseconds.
 * Rounds that took too long, or found too full a queue, can be said in the log, with those around them.  Beside that,
 * how long packets were in the switch.
 *
 * Threads: a worker adds to its own; others take copies.  A mutex is between them, which costs where it is measured
 * only. */
#ifndef DATAPATH_USER_PERF_H
#define DATAPATH_USER_PERF_H 1

#include <pthread.h>

#include "base/str.h"

enum { PERF_BINS = 32, PERF_HISTORY = 1024 };

enum perf_metric {
    PERF_CYCLES, PERF_PACKETS, PERF_CYCLES_PER_PACKET, PERF_PACKETS_PER_BATCH, PERF_QUEUE, PERF_UPCALLS,
    PERF_CYCLES_PER_UPCALL,
    PERF_N_METRICS
};

/* A round, or the sum of several. */
struct perf_row {
    uint64_t id;            /* The round's number, from 1; the millisecond. */
    uint64_t n;             /* Rounds. */
    uint64_t cycles, busy_cycles /* of those with packets */, n_packets, n_batches, n_upcalls, upcall_cycles;
    uint64_t queue;         /* Packets in the fullest of its vhost-user queues before it received from it. */
};

/* The last rows, and how many there have been. */
struct perf_history {
    uint64_t n;
    struct perf_row rows[PERF_HISTORY]; /* By number % PERF_HISTORY. */
};

/* How long packets were in the switch, from when they were received to when they were handed to the device. */
struct perf_latency {
    uint64_t n, cycles, max; /* Packets; of all together; of the slowest. */
    uint64_t bins[PERF_BINS];
};

struct perf {
    uint64_t bins[PERF_N_METRICS][PERF_BINS];
    struct perf_row total;
    struct perf_history rounds, milliseconds;
    uint64_t suspect, suspect_cycles; /* A round that is to be said, 0: none waits for that; */
    const char *suspect_why;
    uint64_t say_at;                  /* that is done after this one. */
    struct perf_latency latency;
};

/* What is too much, and what is said of it. */
struct perf_log {
    bool is_on, extends;       /* 'extends': the next one that is too long is waited for. */
    uint32_t before, after;    /* Rounds around it. */
    uint32_t us;
    uint32_t queue;            /* Packets in a vhost-user queue. */
};
#define PERF_LOG_DEFAULT { .before = 5, .after = 5, .us = 250, .queue = 128 }

/* The settings, of all workers; main thread.  perf_set_log() says them in the log. */
struct perf_log perf_get_log(void);
void perf_set_log(const struct perf_log *);

/* Adds a round ('id' and 'n' are not looked at); 'ms': when.  Says in the log what is to be said. */
void perf_add(struct perf *, const struct perf_row *round, uint64_t ms);

/* Adds 'n' packets that were in the switch for that long. */
void perf_add_latency(struct perf *, unsigned int n, uint64_t cycles);

/* Where the bins of a metric end: values up to that are in them.  The last one has no end. */
void perf_bin_ends(enum perf_metric, uint64_t ends[PERF_BINS - 1]);

/* As dpif-netdev/pmd-perf-show has them; the last 'n' rows. */
void perf_put_histograms(struct str *, const struct perf *);
void perf_put_rounds(struct str *, const struct perf *, uint64_t n);
void perf_put_milliseconds(struct str *, const struct perf *, uint64_t n);

/* As datapath/latency has it. */
void perf_put_latency(struct str *, const struct perf_latency *);

#endif
