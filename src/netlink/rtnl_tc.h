/* Traffic control: the queueing discipline at the root of a device, its classes, their counters.
 *
 * What it is
 * ----------
 * What the kernel is to do with packets that leave through a device, as tc(8) shows it.  The disciplines that are asked
 * for have the handle 1:, classes have 1:fffe for a parent, and packets for no class are those of 1:1.
 *
 * How it works
 * ------------
 * Requests that change something are collected ('struct rtnl_tc_batch') and go out together, since devices may have
 * many classes; the kernel answers each.  The others wait for their answer.
 *
 * Threads: one per batch.  Errors: negative errno values.
 * Standards: rtnetlink(7), tc(8) and the pages that it names. */
#ifndef NETLINK_RTNL_TC_H
#define NETLINK_RTNL_TC_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RTNL_TC_ROOT_CLASS = 0xfffe,   /* Minor numbers: that of the parent of all classes, */
    RTNL_TC_DEFAULT_CLASS = 1,     /* that of packets for no other. */
    RTNL_TC_BATCH = 32,
};
/* A class's handle, which packets of that priority are for (SO_PRIORITY of socket(7)). */
static inline uint32_t rtnl_tc_handle(unsigned int minor) { return UINT32_C(0x10000) | minor; }

/* ---- Requests ---- */

struct rtnl_tc_batch {
    unsigned int n;
    int errors[RTNL_TC_BATCH]; /* Of each request, in order, once they have been sent. */
    char *buffer;              /* The rest is rtnl_tc.c's. */
    size_t used;
};

void rtnl_tc_batch_init(struct rtnl_tc_batch *);
void rtnl_tc_batch_uninit(struct rtnl_tc_batch *);
/* Sends what has been put since it was begun (or emptied), and waits for the answers; 0, or the error if there were
 * none, which then is also that of each request.  rtnl_tc_batch_clear() empties it. */
int rtnl_tc_batch_send(struct rtnl_tc_batch *);
void rtnl_tc_batch_clear(struct rtnl_tc_batch *);
static inline bool rtnl_tc_batch_is_full(const struct rtnl_tc_batch *b) { return b->n == RTNL_TC_BATCH; }

/* These put a request; the batch must not be full. */

/* Removes the device's root discipline; one class. */
void rtnl_tc_put_del_root(struct rtnl_tc_batch *, int ifindex);
void rtnl_tc_put_del_class(struct rtnl_tc_batch *, int ifindex, unsigned int minor);

/* Makes the root discipline, which must not be there; tc-htb(8) and so on.  Times: microseconds. */
void rtnl_tc_put_htb(struct rtnl_tc_batch *, int ifindex);
void rtnl_tc_put_hfsc(struct rtnl_tc_batch *, int ifindex);
void rtnl_tc_put_sfq(struct rtnl_tc_batch *, int ifindex, uint32_t quantum, uint32_t perturb_s);
void rtnl_tc_put_codel(struct rtnl_tc_batch *, int ifindex, uint32_t target, uint32_t limit, uint32_t interval);
void rtnl_tc_put_fq_codel(struct rtnl_tc_batch *, int ifindex, uint32_t target, uint32_t limit, uint32_t interval,
                          uint32_t flows, uint32_t quantum);
void rtnl_tc_put_netem(struct rtnl_tc_batch *, int ifindex, uint32_t latency, uint32_t jitter, uint32_t limit,
                       unsigned int loss_percent);

/* Makes a class, or changes one.  Bytes a second, at least 1; bytes. */
struct rtnl_tc_htb {
    uint64_t rate, ceil;
    uint32_t burst; /* One that is too small counts as the smallest possible. */
    uint32_t priority;
    uint32_t mtu;
};
void rtnl_tc_put_htb_class(struct rtnl_tc_batch *, int ifindex, unsigned int minor, const struct rtnl_tc_htb *);
void rtnl_tc_put_hfsc_class(struct rtnl_tc_batch *, int ifindex, unsigned int minor, uint32_t rate, uint32_t ceil);

/* The most that a time of rtnl_tc_put_netem() may be. */
#define RTNL_TC_MAX_US (UINT64_C(64) * UINT32_MAX / 1000)

/* ---- Questions ---- */

struct rtnl_qdisc {
    char kind[16];
    uint32_t handle;        /* 0: one that the kernel has chosen by itself. */
    uint32_t default_class; /* Minor number; of htb and hfsc, else 0. */
};
/* -ENOENT: there is none. */
int rtnl_tc_get_root(int ifindex, struct rtnl_qdisc *);

struct rtnl_class {
    uint32_t handle, parent;
    uint64_t n_packets, n_bytes, n_dropped;
};
/* -ENOENT: there is no such class. */
int rtnl_tc_get_class(int ifindex, unsigned int minor, struct rtnl_class *);
/* Calls 'cb' for each class of the device, in no order. */
int rtnl_tc_each_class(int ifindex, void (*cb)(void *aux, const struct rtnl_class *), void *aux);

#endif
