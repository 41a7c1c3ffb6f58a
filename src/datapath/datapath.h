/* A datapath: ports, megaflows, and the engine that moves packets between them.
 *
 * What it is
 * ----------
 * The interface between the switch (ofproto/) and whatever carries its packets: the userspace datapath
 * (datapath/user), later the kernel's.  A datapath knows nothing of OpenFlow.  It has
 *
 *   ports      network devices under odp_port numbers; the local port is number 0;
 *   megaflows  a masked key, its actions (odp/action.h), statistics, and an 'owner' pointer of the switch's;
 *   upcalls    the question "what to do with this packet?", asked on a miss and by "userspace" actions.
 *
 * How it works
 * ------------
 * A miss calls the switch's upcall function in the worker thread that has the packet.  The function translates over an
 * RCU snapshot and fills in 'struct dp_upcall': actions, the mask of what it looked at, and whether to install them
 * as a
 * megaflow.  The datapath executes the actions on the packet at once and installs the megaflow; the packet never waits.
 *
 * A megaflow lives until dp_flow_del() (or dp_flow_flush()); the switch's revalidator walks them with dp_flow_dump_*().
 * Two megaflows never overlap: flow_put of a key that an installed megaflow covers returns -EEXIST, and the worker that
 * lost such a race just uses the winner.
 *
 * Threads
 * -------
 * Port calls and configuration: main thread.  Flow calls, dumps and dp_execute(): any RCU-registered thread.  The
 * upcall
 * function: any worker, concurrently.
 *
 * Limits: see each provider.  Errors are negative errno values. */
#ifndef DATAPATH_DATAPATH_H
#define DATAPATH_DATAPATH_H 1

#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "flow/flow.h"
#include "odp/action.h"

struct conntrack;
struct datapath;
struct netdev;
struct dp_flow; /* A megaflow, opaque; valid while the caller holds an RCU read section or owns it. */

struct dp_flow_stats {
    uint64_t n_packets, n_bytes;
    int64_t used;       /* ms on clock_now_ms(); 0: never. */
    uint16_t tcp_flags; /* Union of those seen, host order. */
};

/* What a device does for a megaflow: nothing; it marks the packets, so that they find it; everything, so that no packet
 * of it is seen. */
enum dp_offloaded { DP_NOT_OFFLOADED, DP_PARTLY_OFFLOADED, DP_OFFLOADED };

/* What a thread has done that gives megaflows to devices. */
struct dp_offload_figures {
    uint64_t n_queued, n_rules;                 /* Now. */
    double mean_us, deviation_us;               /* Of the time from a change of a megaflow to the device's. */
    double recent_mean_us, recent_deviation_us; /* The same, with more weight for what was last. */
};

struct dp_stats {
    uint64_t n_hit, n_missed, n_lost; /* Lookups; 'lost' are upcalls that were refused. */
    uint64_t n_flows;
    uint64_t n_masks, n_mask_hit;     /* n_mask_hit: masks visited by all lookups. */
};

enum dp_upcall_type { DP_UPCALL_MISS, DP_UPCALL_ACTION, DP_UPCALL_SLOW_PATH };

/* One question to the switch.  The pointers in are valid during the call only; 'actions' and 'put_actions' are the
 * worker's own scratch memory, cleared before the call. */
struct dp_upcall {
    /* Question. */
    enum dp_upcall_type type;
    const struct flow *key;    /* in_port is an odp_port; lines that the packet lacks are zero. */
    const void *frame;         /* The whole packet, contiguous. */
    size_t frame_len;
    size_t packet_len;         /* Length on the wire, also where 'frame' was cut. */
    const struct odp_cookie *userdata; /* DP_UPCALL_ACTION: from the "userspace" action; else null. */
    size_t userdata_len;
    unsigned int worker;

    /* Answer. */
    struct bytes *actions;     /* What to do with this packet. */
    struct bytes *put_actions; /* If not empty: what to install in the place of 'actions'. */
    struct flow *mask;         /* What the answer depends on; the datapath adds in_port and recirc_id exactly.  The
                                * client's, until the next call in this thread.  Bits in FLOW_LINES_PACKET only. */
    bool install;              /* Whether to install (key, mask, actions) as a megaflow. */
    void *owner;               /* For the megaflow: dp_flow_owner().  Released through 'owner_free' after it is gone. */
};

/* Packets that are about to be asked about, one after the other. */
enum { DP_MAX_AHEAD = 32 };
struct dp_ahead {
    unsigned int n;
    const struct flow *keys[DP_MAX_AHEAD];
    uint16_t lines[DP_MAX_AHEAD]; /* Of the keys: the only ones that are valid. */
};

/* What the switch gives to a datapath. */
struct dp_client {
    /* Answers 'upcall'.  False: drop the packet (it counts as lost). */
    bool (*upcall)(void *aux, struct dp_upcall *upcall);
    /* May ask for the memory that these will take, so that it comes for all of them at the same time.  Same thread and
     * read section as the calls of 'upcall'.  Null is allowed. */
    void (*ahead)(void *aux, const struct dp_ahead *);
    /* The answer with 'owner' is megaflow 'f' now, which has counted 'before' already (it took the place of a stale
     * one).  It is not used before flow_set_live().  Same thread as 'upcall'.  Null is allowed: megaflows are
     * used at once. */
    void (*installed)(void *aux, void *owner, struct dp_flow *f, const struct dp_flow_stats *before);
    /* After doubt_flows(): whether the megaflow that carries 'owner' may be used; flow_set_live() has then been called.
     * Any worker.  Null is allowed: they all may. */
    bool (*is_right)(void *aux, void *owner);
    /* A megaflow that carried 'owner' is gone and no reader sees it any more.  Any thread. */
    void (*owner_free)(void *aux, void *owner, const struct dp_flow_stats *final);
    void *aux;
};

/* A meter: a packet that exceeds a band is dropped. */
enum { DP_METER_MAX_BANDS = 8 };
struct dp_meter_config {
    bool is_kbps;              /* Rates are in kbit/s and bursts in kbit; else packets a second, and packets. */
    size_t n_bands;
    struct { uint32_t rate, burst; } bands[DP_METER_MAX_BANDS]; /* 'burst' 0: what comes in a second. */
};
struct dp_meter_stats {
    uint64_t n_packets, n_bytes; /* That came. */
    size_t n_bands;
    struct { uint64_t n_packets, n_bytes; } bands[DP_METER_MAX_BANDS]; /* Dropped for this one. */
};

/* Something that a datapath can do or not. */
struct dp_feature {
    const char *key;        /* In Datapath.capabilities. */
    const char *title;      /* In dpif/show-dp-features; null: not shown. */
    unsigned int value;
    bool is_number;         /* Else 'value' is a yes or no. */
};

/* Packets that the datapath itself had to drop, those that came in by one port for one reason. */
struct dp_dropped {
    const char *why;        /* A sentence. */
    bool is_upcall;         /* An upcall got no answer, or one that the datapath could not carry out. */
    uint64_t n_packets, n_bytes;
    int64_t used;           /* ms on clock_now_ms(). */
    /* One of the last packets, when it was dropped; without bytes: it is not known. */
    struct flow key;        /* in_port: an odp_port, or all ones if that is not known. */
    const void *frame;      /* Zeros behind its beginning. */
    size_t frame_len;
};

/* What of Interface.other_config concerns the datapath, as text; null where the key is not set. */
struct dp_port_config {
    const char *rxq_affinity; /* pmd-rxq-affinity. */
    const char *tx_steering;  /* tx-steering. */
    const char *emc_enable;   /* emc-enable. */
    const char *offload_priority; /* hw-offload-priority. */
};

/* Where a walk past the megaflows is. */
struct dp_flow_position {
    size_t block, place;
};

/* One kind of datapath; the table of kinds is in datapath.c. */
struct datapath_class {
    const char *type; /* "netdev", "system"... as in Bridge.datapath_type. */
    const char *internal_type; /* Of the devices that serve its "internal" ports. */

    /* Begins, beside the caller, with what takes long before the first datapath can be opened; whether that has ended,
     * so that 'open' takes no time.  If not, 'done' of the first call is called when it has, by another thread.  Null:
     * there is nothing of the kind. */
    bool (*prepare)(void (*done)(void *aux), void *aux);
    int (*open)(const struct datapath_class *, const char *name, bool create, struct datapath **);
    /* The last to close it releases it.  What takes long is done beside the caller: owners of megaflows that are left
     * are told then (work_wait_all()). */
    void (*close)(struct datapath *);
    int (*destroy)(struct datapath *);  /* Removes the ports, and its name is free; the rest goes when it is closed. */
    void (*set_client)(struct datapath *, const struct dp_client *);
    void (*get_stats)(const struct datapath *, struct dp_stats *);
    const char *(*version)(const struct datapath *);
    /* What it can do: null-key-terminated, static. */
    const struct dp_feature *features;

    int (*port_add)(struct datapath *, struct netdev *, odp_port *port); /* ODP_PORT_NONE: choose. */
    int (*port_del)(struct datapath *, odp_port);
    /* Calls 'cb' for each port in order of numbers. */
    void (*port_for_each)(const struct datapath *, void (*cb)(void *aux, odp_port, struct netdev *), void *aux);
    struct netdev *(*port_netdev)(const struct datapath *, odp_port); /* Null if there is none. */
    void (*port_configure)(struct datapath *, odp_port, const struct dp_port_config *);
    /* Applies what of Open_vSwitch.other_config concerns the datapath; a value is null where the key is not set.  What
     * is wrong with a value is said in the log, and the default taken; an error is of the caller. */
    struct error *(*configure)(struct datapath *, const char *const *keys, const char *const *values, size_t n);

    /* 'stats' may be null.  -EEXIST without 'modify' if the key is covered, -ENOENT with 'modify' only if it is not. */
    int (*flow_put)(struct datapath *, const struct flow *key, const struct flow *mask, const void *actions,
                    size_t actions_len, void *owner, bool create, bool modify, struct dp_flow_stats *stats);
    int (*flow_del)(struct datapath *, struct dp_flow *, struct dp_flow_stats *stats);
    /* The megaflow that 'key' (all of it significant) matches, or null. */
    struct dp_flow *(*flow_lookup)(struct datapath *, const struct flow *key);
    void (*flow_flush)(struct datapath *);
    /* Calls 'cb' for every megaflow until it returns false.  The callback may delete the flow it is given, and may say
     * rcu_quiescent(): the walk holds nothing between two calls. */
    void (*flow_for_each)(struct datapath *, bool (*cb)(void *aux, struct dp_flow *), void *aux);
    /* The same walk in steps, past 'n' places for megaflows each; true once it is through.  Whatever happens between
     * them, a megaflow that is there all the time is met once.  'at' is zeros at the beginning. */
    bool (*flow_walk)(struct datapath *, struct dp_flow_position *at, unsigned int n,
                      void (*cb)(void *aux, struct dp_flow *), void *aux);

    /* Calls 'cb' for what it has dropped, but for what actions told it to.  Null: it does not say.  Main thread. */
    void (*dropped_for_each)(struct datapath *, void (*cb)(void *aux, const struct dp_dropped *), void *aux);

    /* Its connection tracker; null if it has none of its own.  Main thread. */
    struct conntrack *(*conntrack)(struct datapath *);

    /* Carries out 'actions' on a copy of 'frame' with metadata from 'key'. */
    int (*execute)(struct datapath *, const void *frame, size_t len, const struct flow *key, const void *actions,
                   size_t actions_len);

    /* Meters (ODP_METER), by numbers of the datapath's own; main thread.  '*id' UINT32_MAX: chooses one. */
    int (*meter_set)(struct datapath *, uint32_t *id, const struct dp_meter_config *);
    int (*meter_get)(const struct datapath *, uint32_t id, struct dp_meter_stats *);
    int (*meter_del)(struct datapath *, uint32_t id);

    /* The megaflow's parts: key and mask are expanded into the caller's memory.  The key is that of the packet which
     * the megaflow was made for, also where the mask is 0. */
    void (*flow_get)(const struct dp_flow *, struct flow *key, struct flow *mask, struct dp_flow_stats *);
    const void *(*flow_actions)(const struct dp_flow *, size_t *len); /* Valid under RCU. */
    void *(*flow_owner)(const struct dp_flow *);
    /* A stale megaflow stays, with its counters, but packets miss it; the answer to the next one renews it.  It is live
     * again with flow_set_live(), if 'owner' is its owner.  Any thread; without effect on one that is gone. */
    void (*flow_set_stale)(struct dp_flow *);
    void (*flow_set_live)(struct dp_flow *, const void *owner);
    /* Whether packets miss it: it is stale, in doubt or gone. */
    bool (*flow_is_stale)(const struct dp_flow *);
    /* From packets that arrive now on, no megaflow with an owner is used before dp_client.is_right has said so, or
     * flow_set_live().  Any thread; costs the same however many there are. */
    void (*doubt_flows)(struct datapath *);
    bool (*flow_is_gone)(const struct dp_flow *);
    /* Its name; gives it another one, not of zeros; the one of that name, null if there is none: without going past
     * them. */
    void (*flow_ufid)(const struct dp_flow *, struct uuid *);
    void (*flow_set_ufid)(struct datapath *, struct dp_flow *, const struct uuid *);
    struct dp_flow *(*flow_find_ufid)(struct datapath *, const struct uuid *);

    /* Megaflows given to devices; all null: that cannot be.  What the device does for a megaflow; the threads that talk
     * to devices, 0: none is offered anything; what thread 'i' has done; the kind of device at a port, null: it is
     * offered nothing.  Main thread, but for the first: any reader. */
    enum dp_offloaded (*flow_offloaded)(const struct dp_flow *);
    unsigned int (*n_offload_threads)(const struct datapath *);
    void (*offload_figures)(const struct datapath *, unsigned int i, struct dp_offload_figures *);
    const char *(*port_offload)(const struct datapath *, odp_port);
};

struct datapath {
    const struct datapath_class *class;
    char *name;
};

/* The class for a Bridge.datapath_type ("" means "system").  Where the kernel has no openvswitch module, "system" is
 * served by the userspace datapath; 'served_by' then names it.  Null for an unknown type. */
const struct datapath_class *datapath_class_find(const char *type, const char **served_by);

/* Makes 'class' known; called by the providers' own init functions before any datapath is opened. */
void datapath_class_register(const struct datapath_class *);

/* Names of the known types, null-terminated, static. */
const char *const *datapath_types(void);

/* Thin wrappers of the class functions; see there. */
bool datapath_prepare(const char *type, void (*done)(void *aux), void *aux) MUST_CHECK;
int datapath_open(const char *type, const char *name, bool create, struct datapath **);
void datapath_close(struct datapath *);

#endif
