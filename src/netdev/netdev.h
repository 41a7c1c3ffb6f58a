/* Network devices: what a port is made of.
 *
 * What it is
 * ----------
 * The provider interface for devices: "system" (a Linux device, by AF_PACKET), "tap" and "internal" (a TAP device that
 * we make), "dpdk" (any ethdev), "dpdkvhostuser" and "dpdkvhostuserclient" (a virtual machine's queues), "patch"
 * (carries nothing itself), "dummy" (for simulated tests), tunnels later.  A netdev has configuration (options of the
 * Interface row), state (carrier, MAC, MTU, statistics, status), and, if packets pass through it, queues.  The
 * datapath's workers move packets in bursts through rxq_recv() and send().
 *
 * How it works
 * ------------
 * netdev_open() finds or makes the device of that name and type and counts a reference; the same name opened twice is
 * the same netdev.  netdev_close() drops it.  Changes of a device's state (carrier, MAC, MTU, renamed, gone) arrive
 * from rtnetlink and bump netdev_change_seq(); listeners registered with netdev_watch() are called on the main loop.
 *
 * Threads
 * -------
 * Everything is for the main thread but rxq_recv(), rxq_fd() and send(), which belong to the worker that has the
 * queue, and statistics counters of the fast path, which are per queue and summed when asked for.
 *
 * Errors: negative errno values; configuration errors are 'struct error' texts as the Interface.error column shows
 * them. */
#ifndef NETDEV_NETDEV_H
#define NETDEV_NETDEV_H 1

#include <stdatomic.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/list.h"
#include "base/strmap.h"
#include "packet/packet.h"

struct loop;
struct netdev;
struct netdev_qos_config;
struct netdev_queue_stats;
struct netdev_rates;
struct netdev_rules_class;
struct policer;
struct qos;

/* Counters as the statistics column names them; UINT64_MAX: not known. */
struct netdev_stats {
#define NETDEV_STAT(NAME) uint64_t NAME;
#include "netdev/stats.def"
};

/* A counter that a kind of device alone has. */
typedef void netdev_counter_cb(void *aux, const char *name, uint64_t value);
typedef void netdev_queue_cb(void *aux, uint32_t queue);

enum netdev_flags { NETDEV_UP = 1, NETDEV_PROMISC = 2, NETDEV_LOOPBACK = 4 };

/* Bits as in OpenFlow 1.0 (§5.2.1): 10 Mbit/s half duplex is bit 0 ... pause_asym bit 11. */
struct netdev_features {
    uint32_t current, advertised, supported, peer;
};

/* Counted by the worker that has the queue. */
struct netdev_rxq {
    struct netdev *netdev;
    unsigned int queue;
};

/* What send() takes and need not be done before: partial checksums; TCP frames to be segmented; UDP frames; those of
 * them whose IPv6 header has extensions; all of a virtio-net header. */
enum { NETDEV_TAKES_CSUM = 1, NETDEV_TAKES_TCP_SEGMENTS = 2, NETDEV_TAKES_UDP_SEGMENTS = 4,
       NETDEV_TAKES_EXTENSIONS = 8, NETDEV_TAKES_ALL = 15 };

struct netdev_class {
    const char *type;
    bool is_pollable_only;   /* No descriptor to wait for: needs a polling worker. */
    bool has_packets;        /* False for patch ports. */
    unsigned int offloads;   /* NETDEV_TAKES_*: what a new device's 'offloads' are. */

    /* Begins, beside the caller, with what takes long before a device can be made, or one that is there changed, to
     * have these options and this MTU (0: that which it has); whether that has been done.  If not, 'done' is called
     * when something has changed, by another thread: ask again.  Null: there is nothing of the kind. */
    bool (*prepare)(const struct strmap *options, int mtu, void (*done)(void *aux), void *aux);
    /* Finds or makes the device; sets 'priv'.  A negative errno value leaves nothing behind.  destruct() releases. */
    int (*construct)(struct netdev *);
    void (*destruct)(struct netdev *);
    /* Applies the Interface row's options; fills in an error for the user. */
    struct error *(*set_config)(struct netdev *, const struct strmap *options);

    /* Turns flags off, on; 'now' (may be null) is what they are then.  All these may be null in a class: use the
     * netdev_*() wrappers below, which say -EOPNOTSUPP (false, 0) then. */
    int (*set_flags)(struct netdev *, unsigned int off, unsigned int on, unsigned int *now);
    int (*get_etheraddr)(const struct netdev *, struct eth_addr *);
    int (*set_etheraddr)(struct netdev *, struct eth_addr);
    int (*get_mtu)(const struct netdev *, int *);
    int (*set_mtu)(struct netdev *, int);
    bool (*get_carrier)(const struct netdev *);
    int (*get_miimon)(const struct netdev *, bool *link);
    uint64_t (*get_carrier_resets)(const struct netdev *);
    int (*get_ifindex)(const struct netdev *);
    unsigned int (*get_node)(const struct netdev *); /* The NUMA node that it is at.  Null: 0. */
    int (*get_features)(const struct netdev *, struct netdev_features *);
    int (*get_stats)(const struct netdev *, struct netdev_stats *);
    void (*get_status)(const struct netdev *, struct strmap *); /* key -> malloc()ed text */
    void (*get_config)(const struct netdev *, struct strmap *); /* The same: what is wanted of it, for dpctl/show. */
    void (*each_counter)(const struct netdev *, netdev_counter_cb *, void *aux);
    /* Quality of service: the types that there are (netdev/qos.h), null-terminated, null: none; queues that the class
     * itself has.  set_qos, get_qos and get_queue_stats, all or none of them: as netdev_set_qos() and so on there, of
     * which the class then does everything; what it has been asked for may be finished later (netdev_finish_qos()). */
    const char *const *qos_types;
    int (*set_qos)(struct netdev *, const struct netdev_qos_config *);
    bool (*get_qos)(const struct netdev *, struct netdev_qos_config *);
    int (*get_queue_stats)(const struct netdev *, uint32_t queue, struct netdev_queue_stats *);
    void (*each_queue)(const struct netdev *, netdev_queue_cb *, void *aux);

    /* Queues.  n_rxq is valid after construct/reconfigure.  rxq_fd: a descriptor to wait for, -1 if none. */
    unsigned int (*n_rxq)(const struct netdev *);
    int (*rxq_open)(struct netdev *, unsigned int queue, struct netdev_rxq **);
    void (*rxq_close)(struct netdev_rxq *);
    int (*rxq_fd)(const struct netdev_rxq *);
    /* Receives up to 'max' packets; the number, 0 if there are none, or a negative errno value. */
    int (*rxq_recv)(struct netdev_rxq *, struct packet **, unsigned int max);
    /* How many packets wait in it, for whoever receives from it.  Null: not known. */
    unsigned int (*rxq_length)(const struct netdev_rxq *);
    /* How many queues it sends on; any thread.  Null: one. */
    unsigned int (*n_txq)(const struct netdev *);
    /* Sends a burst on queue 'txq' (modulo their number); takes the packets; those that did not go out are counted and
     * freed. */
    void (*send)(struct netdev *, unsigned int txq, struct packet **, unsigned int n);
    /* Rules that the device itself applies to what it receives.  Null: it takes none. */
    const struct netdev_rules_class *rules;
};

/* Who carries the device's packets (a datapath), told when its receive queues become others: 'release' closes all of
 * them (after it no thread is at one), 'take' opens those that there are then.  Main thread. */
struct netdev_user {
    void (*release)(struct netdev_user *);
    void (*take)(struct netdev_user *);
};

struct netdev {
    const struct netdev_class *class;
    char *name;
    unsigned int ref_count;
    uint64_t change_seq;  /* Bumped whenever something readable changed. */
    void *priv;           /* The class's own. */
    /* What workers look at, beside 'class' and 'priv': whether there are rates to heed (netdev/qos.h), and
     * NETDEV_TAKES_*, which the provider may change at any time. */
    _Atomic(struct policer *) policer; /* Of what is received; null: none. */
    _Atomic(struct qos *) qos;         /* Of what is sent, published by RCU; null: none. */
    _Atomic unsigned int offloads;
    struct netdev_user *user; /* Null: nobody has its queues. */
    bool is_gone;         /* The device has vanished: close the netdev and open it anew when it returns. */
    struct netdev_rates *rates; /* Null until there are some; owned. */
    struct strmap_entry *registered; /* In the table of open netdevs; null once gone. */
};

/* Sets up and takes down the providers' common machinery (rtnetlink listener) on the main loop. */
void netdev_init(struct loop *);
void netdev_uninit(void);

/* Makes 'class' known.  Main thread, before any open. */
void netdev_class_register(const struct netdev_class *);
const struct netdev_class *netdev_class_find(const char *type);
/* The type names known, null-terminated array; static. */
const char *const *netdev_types(void);

/* --enable-dummy: "" adds the dummy classes; "override" also serves every other type with them; "system" serves
 * "system" with them.  What the netdev-dummy commands do is in netdev/dummy.h. */
void netdev_enable_dummy(const char *how);

/* See the class's function. */
bool netdev_prepare(const char *type, const struct strmap *options, int mtu, void (*done)(void *aux), void *aux)
    MUST_CHECK;
/* Opens the device; 'type' "" means "system".  -ENODEV if it does not exist, -EBUSY..., see errno. */
int netdev_open(const char *name, const char *type, struct netdev **);
struct netdev *netdev_ref(struct netdev *);
void netdev_close(struct netdev *); /* Null is allowed. */

/* The open netdev of that name, referenced, or null. */
struct netdev *netdev_find(const char *name);

/* Calls 'cb' for each open netdev, in no order; it must open and close none. */
void netdev_for_each(void (*cb)(struct netdev *, void *aux), void *aux);

/* The class functions, for classes that lack them too. */
struct error *netdev_set_config(struct netdev *, const struct strmap *options) MUST_CHECK;
int netdev_set_flags(struct netdev *, unsigned int off, unsigned int on, unsigned int *now);
unsigned int netdev_get_flags(const struct netdev *);
int netdev_get_etheraddr(const struct netdev *, struct eth_addr *);
int netdev_set_etheraddr(struct netdev *, struct eth_addr);
int netdev_get_mtu(const struct netdev *, int *);
int netdev_set_mtu(struct netdev *, int);
bool netdev_get_carrier(const struct netdev *);
/* The link as its MII registers show it; the carrier, where there are none. */
bool netdev_get_miimon(const struct netdev *);
uint64_t netdev_get_carrier_resets(const struct netdev *);
int netdev_get_ifindex(const struct netdev *);
unsigned int netdev_get_node(const struct netdev *);
int netdev_get_features(const struct netdev *, struct netdev_features *);
int netdev_get_stats(const struct netdev *, struct netdev_stats *); /* All UINT64_MAX on error. */
/* The same without what our own rates have dropped (netdev/qos.h). */
int netdev_get_device_stats(const struct netdev *, struct netdev_stats *);
void netdev_get_status(const struct netdev *, struct strmap *);
void netdev_get_config(const struct netdev *, struct strmap *);
/* Calls 'cb' for each counter beyond 'struct netdev_stats', in order of their names; for each QoS queue in order of
 * their numbers. */
void netdev_each_counter(const struct netdev *, netdev_counter_cb *cb, void *aux);
void netdev_each_queue(const struct netdev *, netdev_queue_cb *cb, void *aux);

/* The speed in bits per second that a set of feature bits stands for; 'otherwise' if none. */
uint64_t netdev_features_to_bps(uint32_t features, uint64_t otherwise);
bool netdev_features_is_full_duplex(uint32_t features);

struct netdev_watch {
    struct list node;
    void (*cb)(struct netdev_watch *, const char *name); /* A device called 'name' changed, came or went. */
    void *aux;
};
void netdev_watch(struct netdev_watch *, void (*cb)(struct netdev_watch *, const char *name), void *aux);
void netdev_unwatch(struct netdev_watch *);

/* For providers: the main loop; something readable of 'netdev' changed; the device called 'name' came, changed or went
 * (watchers are called; 'later': with a loop, in so many milliseconds, so that whoever could not open it or give it its
 * options tries again); the device of 'netdev' is gone. */
struct loop *netdev_loop(void); /* That of netdev_init(); may be null. */
void netdev_changed(struct netdev *);
void netdev_notify(const char *name);
void netdev_notify_later(const char *name, unsigned int ms);
void netdev_set_gone(struct netdev *);
/* For classes whose receive queues are nothing but their number; for those that cannot be waited for. */
int netdev_plain_rxq_open(struct netdev *, unsigned int queue, struct netdev_rxq **);
void netdev_plain_rxq_close(struct netdev_rxq *);
int netdev_no_rxq_fd(const struct netdev_rxq *);
/* Around a change of the receive queues. */
void netdev_release_queues(struct netdev *);
void netdev_take_queues(struct netdev *);

#endif
