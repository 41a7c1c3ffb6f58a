/* Rates of a device: what it may receive and send.
 *
 * What it is
 * ----------
 * A netdev may police what it receives (ingress_policing_* of an Interface; netdev/policer.h), and may have a quality
 * of service for what it sends (a QoS row).  Devices of the system leave that to the kernel: netdev/tc.h.  Those of
 * DPDK's kinds have one of the types
 *
 *   egress-policer   one bucket: bytes beyond CIR and CBS are dropped;
 *   trtcm-policer    RFC 4115 (netdev/trtcm.h) in two levels: the queue's marker is color-blind, the port's is
 *                    color-aware; what is red is dropped.  Packets of a queue that is not configured are those of
 *                    queue 0, which has the port's rates unless it has some of its own.
 *
 * The main thread says what is wanted; whoever carries the packets (datapath/user) asks, per burst, which may pass.
 *
 * How it works
 * ------------
 * 'struct netdev' has a pointer to the policer and one to the QoS, both null where there is none: that is all that
 * other ports pay.  A policer stays with its netdev and is changed in place; a QoS is replaced as a whole by RCU.  Its
 * queues that stay as they are go on in the new one, with their counters and what is in their buckets, unless the
 * port's own rates changed.  To say again what is wanted already changes nothing.
 *
 * Counters: what was dropped is rx_dropped and tx_dropped of the netdev (netdev_get_stats()), ovs_rx_qos_drops and
 * ovs_tx_qos_drops among its own counters, from the time the netdev was opened; and by queue, with what passed.
 *
 * Threads: configuring and asking for it is the main thread's; the functions with _rcu are for any worker.
 * Standards: RFC 4115; ovs-vswitchd.conf.db(5), Interface, QoS and Queue. */
#ifndef NETDEV_QOS_H
#define NETDEV_QOS_H 1

#include "netdev/netdev.h"
#include "netdev/policer.h"
#include "netdev/trtcm.h"

/* ---- What a device receives ---- */

/* As the columns have it: thousands of bits a second, of bits, of packets a second, of packets; a rate of 0: no limit,
 * a burst of 0: the default. */
struct netdev_policing {
    uint64_t kbps_rate, kb_burst, kpps_rate, kpkts_burst;
};
enum { NETDEV_POLICING_DEFAULT_KB = 8000, NETDEV_POLICING_DEFAULT_KPKTS = 16 };

void netdev_set_policing(struct netdev *, const struct netdev_policing *);

/* The policer of what is received; null: none. */
static inline struct policer *
netdev_policer(const struct netdev *n)
{
    return atomic_load_explicit(&n->policer, memory_order_acquire);
}

/* ---- What a device sends ---- */

/* Of the kernel's types (netdev/tc.h): numbers as the columns have them, bits a second, bits; 0: not given. */
struct netdev_shaping {
    uint64_t max_rate, perturb, quantum, limit, target, interval, flows, latency, jitter, loss;
};
struct netdev_queue_shaping {
    uint64_t min_rate, max_rate, burst, priority;
};

/* 'rates' are those of the two types of policer, 'shaping' of the others. */
struct netdev_queue_config {
    uint32_t number;
    struct trtcm_config rates;
    struct netdev_queue_shaping shaping;
};

struct netdev_qos_config {
    const char *type;                     /* "": none. */
    struct trtcm_config rates;
    size_t n_queues;                      /* In order of their numbers. */
    const struct netdev_queue_config *queues;
    struct netdev_shaping shaping;
};

/* The types that the device's class has; null-terminated. */
const char *const *netdev_qos_types(const struct netdev *);
extern const char *const netdev_policer_types[]; /* Those of DPDK's devices. */

/* Makes it so; 'config' null: none.  -EOPNOTSUPP: there is no such type for this device; -EINVAL: the rates are
 * impossible, which has been logged.  There is no QoS then. */
int netdev_set_qos(struct netdev *, const struct netdev_qos_config *config);

/* Goes on with what takes longer: the kernel's types, of all devices.  False if something is left when the slice is
 * over: to be called again. */
struct loop_slice;
bool netdev_finish_qos(const struct loop_slice *) MUST_CHECK;

/* What there is, with what was not given filled in; false if there is none.  The type and the queues are the netdev's
 * until the next change. */
struct netdev_qos_queue;
bool netdev_get_qos(const struct netdev *, struct netdev_qos_config *);

struct netdev_queue_stats {
    uint64_t tx_packets, tx_bytes, tx_errors; /* Errors: those that were dropped. */
    int64_t created_ms;                       /* When the queue was, on clock_now_ms(). */
};
/* -EOPNOTSUPP: the device's queues are not counted; -ENOENT: there is no such queue. */
int netdev_get_queue_stats(const struct netdev *, uint32_t queue, struct netdev_queue_stats *);

/* Which of 'n' (1 to POLICER_BURST) packets may be sent, as a mask; the others are counted. */
struct qos;
uint32_t qos_pass_rcu(struct qos *, struct packet *const *, unsigned int n, int64_t now_ns);

/* ---- For netdev.c ---- */

/* Adds what was dropped; calls 'cb' for ovs_rx_qos_drops where there was a policer and the class does not do so. */
void netdev_rates_add(const struct netdev *, struct netdev_stats *);
uint64_t netdev_rates_rx_drops(const struct netdev *);
uint64_t netdev_rates_tx_drops(const struct netdev *);
void netdev_rates_each_queue(const struct netdev *, netdev_queue_cb *, void *aux);
/* The netdev is being destroyed: nobody uses it any more. */
void netdev_rates_destroy(struct netdev *);

#endif
