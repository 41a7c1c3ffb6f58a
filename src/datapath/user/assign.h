/* Which polling worker gets which receive queue.
 *
 * What it is
 * ----------
 * Queues with the NUMA node of their device, the cycles that they have cost in the last minute, and perhaps a core that
 * is wanted for them; cores that have a polling worker; out comes a core for each queue.  The rules are those of
 * ovs-vswitchd.conf.db(5), pmd-rxq-assign, pmd-rxq-isolate and pmd-rxq-affinity.
 *
 * How it works
 * ------------
 * First each queue that wants a core gets it, if that has a worker; such a core takes no other queues ("isolated"),
 * unless the user does not want that.  The others are dealt out within the node of their device:
 *
 *   cycles       the dearest first, to the cores up and down again: 0 1 2 2 1 0 0 1...;
 *   roundrobin   as they come, to the cores in turn: 0 1 2 0 1 2...;
 *   group        the dearest first, each to the core that has the least load so far; of those, to that with the fewest
 *                queues.
 *
 * A queue whose node has no core left goes to that of another one, the nodes in turn.
 *
 * Threads: pure. */
#ifndef DATAPATH_USER_ASSIGN_H
#define DATAPATH_USER_ASSIGN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum assign_how { ASSIGN_CYCLES, ASSIGN_ROUNDROBIN, ASSIGN_GROUP };

#define ASSIGN_NONE SIZE_MAX

struct assign_queue {
    const char *port;
    unsigned int queue, node;
    int wanted;        /* A core's number; -1: any. */
    uint64_t cycles;   /* What it has cost. */

    size_t core;       /* Result: place in the array of cores, ASSIGN_NONE if there is none for it. */
};

/* In order of their numbers. */
struct assign_core {
    unsigned int id, node;

    bool is_isolated;  /* Results: its queues are those that want it, */
    size_t n_queues;
    uint64_t load;     /* and the cycles of all of them. */
};

/* What is to be said of an assignment, in this order. */
struct assign_listener {
    void *aux;
    /* 'q' has the core that it wants, or (null) there is no worker on it. */
    void (*pinned)(void *aux, const struct assign_queue *q, const struct assign_core *);
    /* The queues that want no core, of which there are some, are next. */
    void (*begins)(void *aux);
    /* 'q' has a core; 'is_foreign': of another node than its own. */
    void (*assigned)(void *aux, const struct assign_queue *q, const struct assign_core *, bool is_foreign);
    /* There is no core that takes it. */
    void (*left)(void *aux, const struct assign_queue *q);
};

/* Fills in the results.  'isolates': whether a core that is wanted takes no other queues. */
void assign(struct assign_queue *, size_t n_queues, struct assign_core *, size_t n_cores, enum assign_how,
            bool isolates, const struct assign_listener *);

/* How unevenly the loads are spread over the cores of a node that are not isolated: the variance of their shares of
 * 'full', which are whole per cents. */
uint64_t assign_variance(const struct assign_core *, size_t n_cores, unsigned int node, uint64_t full);

#endif
