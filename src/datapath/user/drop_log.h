/* What the datapath had to drop on its own, by reason and input port: a count and a recent packet of each.
 *
 * How it works: a list that only grows; workers search it without a lock and count with an atomic addition.  A packet
 * is kept once in a millisecond at most, so that a flood of drops costs no more than the counting.
 *
 * Threads: any worker counts; one thread reads.
 * Limits: DROP_LOG_SITES reasons and ports, what comes after that is counted together. */
#ifndef DATAPATH_USER_DROP_LOG_H
#define DATAPATH_USER_DROP_LOG_H 1

#include <pthread.h>
#include <stdatomic.h>

#include "datapath/user/user.h"

struct packet;

enum { DROP_LOG_SITES = 256, DROP_LOG_BYTES = 128 };

struct drop_site {
    uint32_t reason;          /* enum dp_drop; constant, like 'in_port'. */
    be32 in_port;             /* All ones: not known. */
    _Atomic uint64_t n_packets, n_bytes;
    _Atomic int64_t used;
    /* Guarded by the log's mutex. */
    uint8_t base[FLOW_LINE];  /* The base line of the packet's key. */
    uint8_t frame[DROP_LOG_BYTES];
    size_t packet_len;        /* Of which 'frame' is the beginning; 0: none. */
};

struct drop_log {
    pthread_mutex_t mutex;
    _Atomic unsigned int n;
    struct drop_site *sites;  /* DROP_LOG_SITES and one for the rest; null until the first drop. */
};

void drop_log_init(struct drop_log *);
void drop_log_uninit(struct drop_log *);

/* 'key' and 'packet' may be null. */
void drop_log_count(struct drop_log *, enum dp_drop, const struct flow *key, const struct packet *, int64_t now);
void drop_log_for_each(struct drop_log *, void (*cb)(void *aux, const struct dp_dropped *), void *aux);

#endif
