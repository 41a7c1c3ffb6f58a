/* Quality of service by the kernel: the QoS types linux-htb, linux-hfsc, linux-sfq, linux-codel, linux-fq_codel,
 * linux-netem and linux-noop of a device of the system.
 *
 * What it is
 * ----------
 * tc_set() says what is wanted of a device, tc_finish() brings the kernel to it: a queueing discipline 1: at the root,
 * and with linux-htb and linux-hfsc a class 1:fffe with the rate of all, below it 1:N+1 for queue N.  Queue 0 is there
 * always: what is for no queue leaves by it.  Without a QoS the root discipline of a device goes, whoever made it, but
 * for those that the kernel chooses by itself; linux-noop leaves it alone.  When a device is let go of, or the daemon
 * ends, it stays.
 *
 * How it works
 * ------------
 * Of what the kernel has been told a copy is kept, so that only what changes is sent, many requests at a time, in
 * slices of the main loop.  A device whose state is not known (it is new, or something failed) is asked first: classes
 * of ours, left by a daemon before, go on as they are.  Disciplines without classes are replaced.
 *
 * A packet for a queue is sent with its class's handle as its priority (socket(7), SO_PRIORITY), through a socket that
 * the queue has for itself, since what waits in a class is charged to the socket: one queue that is full leaves the
 * others alone.  It is made when the first packet comes.  A TAP device is shaped in what the host sends, which is what
 * the switch receives.
 *
 * Threads: main thread; tc_queues_rcu() and the sockets are any worker's.
 * Limits: queue numbers below TC_N_QUEUES; what is beyond is left out, with a warning.
 * Standards: tc(8), ovs-vswitchd.conf.db(5) on QoS and Queue. */
#ifndef NETDEV_TC_H
#define NETDEV_TC_H 1

#include "netdev/qos.h"
#include "sys/loop.h"
#include "sys/rcu.h"

struct linux_dev;

enum { TC_N_QUEUES = 61440 };

/* Null-terminated, in the order of the reference. */
extern const char *const tc_types[];

/* Members of 'struct netdev_class' for devices that have these types. */
#define NETDEV_TC_COMMON \
    .qos_types = tc_types, \
    .set_qos = tc_set, \
    .get_qos = tc_get, \
    .get_queue_stats = tc_get_queue_stats, \
    .each_queue = tc_each_queue

int tc_set(struct netdev *, const struct netdev_qos_config *);
bool tc_get(const struct netdev *, struct netdev_qos_config *);
int tc_get_queue_stats(const struct netdev *, uint32_t queue, struct netdev_queue_stats *);
void tc_each_queue(const struct netdev *, netdev_queue_cb *, void *aux);

/* Does what tc_set() has asked for; false if something is left when the slice is over. */
bool tc_finish(const struct loop_slice *);

/* The device is let go of. */
void tc_destroy(struct linux_dev *);

/* ---- Sending ---- */

/* One queue; its socket is -1 until somebody needs it, and -2 if there can be none. */
enum { TC_NO_SOCKET_YET = -1, TC_NO_SOCKET = -2 };
struct tc_queue {
    uint32_t number;
    _Atomic int fd;
    _Atomic unsigned int n_refs;
    int64_t created_ms;
};

struct tc_queues {
    size_t n;
    struct tc_queue *queues[]; /* In order of their numbers. */
};

/* The queue of that number; null: there is none. */
struct tc_queue *tc_find_queue(const struct tc_queues *, uint32_t number);

/* The priority of the queue's packets. */
uint32_t tc_priority(uint32_t queue);

#endif
