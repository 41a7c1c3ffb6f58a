/* The switch daemon's reconciler: from the database to the switch, and back.
 *
 * What it is
 * ----------
 * The Open_vSwitch database is what people want.  The replica (ovsdb/idl) says which rows changed; vswitchd brings
 * bridges, ports and interfaces to what these rows say and writes back what became of it.
 *
 * How it works
 * ------------
 * Every Bridge, Port and Interface row that is in use has an object here, found by the row's UUID:
 *
 *   struct bridge --< struct port --< struct iface        (owner to owned)
 *
 * reconcile() runs as a task of the loop after the replica changed.  It never walks the whole configuration:
 *
 *   1. mark:   each changed row marks its object (or its bridge's) as dirty;
 *   2. remove: of dirty objects, children that are no longer in their row go away, devices that must be made anew, and
 *              ports whose number another one asked for;
 *   3. add:    children that are new are created and are dirty;
 *   4. apply:  dirty bridges, then interfaces (local ports first, then those with a wanted number), then ports;
 *   5. settle: bridges whose ports changed choose MAC address, datapath id and MTU again.
 *
 * A row that is replaced by another of the same name in one transaction (del-port, add-port) is the same to the switch:
 * the object takes the new row, and nothing that passes through it notices.
 *
 * All removals come before all additions, so that a device can move from one bridge to another in one transaction.
 * Many ports, of a bridge or with it, are removed in slices of turns of the loop; then it begins anew with 1.  What is
 * new is added in slices, too, and so is what has been marked applied.  Changes that come meanwhile are for the next
 * run, so that numbers of ports do not depend on them, except that a row is always applied as it is at that moment.
 *
 * A first bridge may have to wait until its datapath can be made (DPDK starts): what has been marked is applied then.
 *
 * Setters of ofproto and netdev do nothing if nothing changed, so "apply" is simply telling them what is wanted.
 *
 * Status goes the other way (status.c): what changed is marked, and one transaction at a time writes it.  Status
 * columns are "quiet" in the replica: our own writes do not come back as changes.  The status of many is written in
 * slices, a transaction each; cur_cfg is set in the one that carries the last of it.
 *
 * Devices that vanish lose their port; the interface shows the error and gets its port back when the device returns.
 *
 * Threads: the main thread, on its loop. */
#ifndef VSWITCHD_VSWITCHD_H
#define VSWITCHD_VSWITCHD_H 1

#include "base/addr.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/strmap.h"
#include "flow/port.h"
#include "netdev/netdev.h"
#include "netdev/dpdk.h"
#include "netdev/vhost.h"
#include "ofproto/ofproto.h"
#include "ovsdb/idl/vswitch_idl.h"
#include "packet/env.h"
#include "sys/loop.h"

/* Settings of the Open_vSwitch row that the daemon itself heeds. */
struct global_cfg {
    int64_t flow_limit, max_idle_ms, max_revalidator_ms, min_revalidate_pps, vlan_limit, bundle_idle_s;
    int64_t offloaded_stats_delay_ms;
    int64_t stats_interval_ms;
    bool flow_restore_wait, enable_statistics, explicit_sampled_drops;
    const char *dpdk_init;
    struct env_settings dpdk;
    struct netdev_dpdk_settings dpdk_ports;
    struct netdev_vhost_settings vhost;
};

/* Keys of a bridge that are about its controllers. */
struct controllers_cfg {
    int64_t queue_size, in_band_queue; /* -1: none. */
    bool disable_in_band;
};

struct vswitchd {
    struct loop *loop;
    struct idl *idl;
    struct hmap bridges, ports, ifaces;  /* By uuid; struct object.node. */
    struct strmap ports_by_name, ifaces_by_name;
    struct list unsatisfied;             /* struct iface.unsatisfied */
    struct list dirty_bridges, dirty_ports, dirty_ifaces; /* struct object.dirty */
    struct list unsettled;               /* struct bridge.unsettled */
    struct hmap qos_users;               /* qos.c: which ports a QoS or Queue row is for, by its uuid. */
    enum apply_phase {
        APPLY_NOTHING, ADD_PORTS, ADD_IFACES, APPLY_BRIDGES, APPLY_IFACES, APPLY_PORTS,
    } phase;                             /* Of reconcile_run(). */
    struct list added;                   /* struct object.dirty, of what the phase has been through: in ADD_PORTS... */
    struct list applying;                /* The same, of interfaces: those of APPLY_IFACES, in order. */
    bool zones_changed;                  /* By the changes that are applied, likewise: */
    int64_t cfg_applying;                /* next_cfg */

    /* Status. */
    struct idl_txn *txn;                 /* Under way, or null. */
    struct list stale_bridges, stale_ports, stale_ifaces; /* struct object.stale: to be written. */
    struct list in_flight;               /* Written by 'txn'. */
    bool global_stale, global_in_flight;
    bool constants_written;              /* datapath_types and so on. */
    int64_t cfg_seen;                    /* next_cfg that has been applied. */
    bool controllers_stale, mirrors_stale;

    struct global_cfg cfg;
    struct loop_task reconcile;
    struct loop_wake prepared;           /* What a bridge or an interface waits for can be made, or cannot. */
    bool is_preparing;                   /* One does. */
    struct loop_timer stats_timer, controller_timer;
    struct netdev_watch watch;
    bool started;                        /* The first configuration is in place. */
    bool system_disabled;                /* --disable-system */
    void (*ready)(void *aux);            /* Called once, after the first status was written. */
    void *ready_aux;
};

/* What bridge, port and iface have in common. */
struct object {
    struct hmap_node node;   /* In the table of its kind. */
    struct uuid uuid;        /* Of its row. */
    struct vswitchd *sw;
    struct list dirty;       /* In the list of its kind; empty if its row needs no look. */
    struct list stale;       /* In a stale or in-flight list; empty if its status is written. */
    char *name;
    uint64_t seen;           /* Generation in which the parent's row last named it. */
    struct list *stale_in;   /* The stale list that it was last put into. */
};

struct bridge {
    struct object o;
    char *type;              /* datapath_type that it was made with. */
    struct ofproto *ofproto; /* Null if it could not be made. */
    char *error;             /* Why, then. */
    struct list ports;
    struct list unsettled;   /* In vswitchd.unsettled: ports changed. */
    struct eth_addr hwaddr;  /* other_config:hwaddr, or zero. */
    uint64_t dpid;           /* other_config:datapath-id, or 0. */
    uint64_t dpid_in_use;
    struct local_ip { be32 ip, netmask, gateway; } local_ip, local_ip_in_use; /* Of in-band control; 0: none. */
    struct uuid *controllers; /* Rows in use, with their targets; for status. */
    char **targets;
    size_t n_controllers;
    bool has_mirrors;        /* Their statistics are written from time to time. */
};

struct port {
    struct object o;
    struct bridge *bridge;
    struct list in_bridge;
    struct list ifaces;
    struct eth_addr mac;     /* Port.mac, or zero. */
    bool bundled;            /* ofproto knows the bundle. */
    bool is_bond;            /* As such. */
    struct netdev *fake;     /* bond_fake_iface: a device of the port's name that is no part of it; or null. */
    ofp_port fake_port;
    struct qos_user *qos_uses; /* In vswitchd.qos_users: one for each row behind Port.qos. */
    size_t n_qos_uses;
    char *refused_qos;       /* The type of QoS that was said to be unsupported last, or null. */
};

struct iface {
    struct object o;
    struct port *port;
    struct list in_port;
    struct netdev *netdev;   /* Null unless the port is in the bridge. */
    char *type;              /* Type that netdev was opened with. */
    ofp_port ofport;         /* OFPP_NONE unless the port is in the bridge. */
    ofp_port request;        /* Wanted number, OFPP_NONE: any. */
    struct list unsatisfied; /* In vswitchd.unsatisfied: another port has that number. */
    bool lost_number;        /* To one that asked for it; for the next number that it gets. */
    char *error;             /* Null if all is well. */
    bool has_mac;
    struct eth_addr mac;     /* Of the device, as last seen; zero without. */
    int mtu;                 /* Likewise; -1: has none, 0: nobody knows yet. */
    bool has_mtu_request;
    bool stats_wanted;       /* The next status write includes statistics. */
};

/* ---- object.c ---- */

void object_init(struct object *, struct vswitchd *, struct hmap *table, const struct uuid *, const char *name);
void object_uninit(struct object *, struct hmap *table);
/* From now on another row is the object's. */
void object_take_row(struct object *, struct hmap *table, const struct uuid *);
/* The object of that table, null if there is none. */
struct object *object_find(const struct hmap *table, const struct uuid *);
/* Marks it for reconcile(), or its status for writing. */
void object_dirty(struct object *, struct list *);
void object_stale(struct object *, struct list *);

/* ---- vswitchd.c ---- */

/* Starts to work: the replica must have been created, not started.  'ready' is called once the first configuration
 * is in
 * place. */
struct vswitchd *vswitchd_create(struct loop *, struct idl *, bool system_disabled, void (*ready)(void *aux),
                                 void *aux);
/* Takes everything down; 'cleanup': also what would otherwise keep working without us. */
void vswitchd_destroy(struct vswitchd *, bool cleanup);
/* Chooses the tables and columns that the daemon needs. */
void vswitchd_choose_columns(struct idl *);
/* Signals 'vswitchd.prepared', given as 'wake'; any thread. */
void vswitchd_signal_prepared(void *wake);

/* ---- reconcile.c ---- */

/* Applies what changed in the replica, or some of it: it posts itself for the rest. */
void reconcile_run(struct vswitchd *);
void reconcile_remove_all(struct vswitchd *, bool cleanup);

/* ---- global.c ---- */

/* The only row of Open_vSwitch, null if there is none. */
const struct vs_open_vswitch *global_row(const struct vswitchd *);
/* Reads and applies its settings. */
void global_configure(struct vswitchd *, const struct vs_open_vswitch *);
/* zones.c: connection tracking zones: whether the replica's changes concern them; applies them, after the bridges. */
bool zones_have_changes(const struct vswitchd *);
void zones_configure(const struct vs_open_vswitch *);
/* Writes its status columns. */
void global_write(struct vswitchd *, const struct vs_open_vswitch *);

/* ---- sysstats.c ---- */

/* Adds the pairs of Open_vSwitch:statistics: key -> malloc()ed text. */
void sysstats_get(struct strmap *);

/* ---- bridge.c ---- */

struct bridge *bridge_create(struct vswitchd *, const struct vs_bridge *);
void bridge_destroy(struct bridge *, bool cleanup);
/* Whether bridge_configure() need not wait for the datapath; else 'vswitchd.prepared' is signalled when that is so. */
bool bridge_is_prepared(const struct bridge *);
/* Makes the ofproto if it is missing, and applies the settings of the row. */
void bridge_configure(struct bridge *, const struct vs_bridge *);
/* Whether the row asks for another datapath type than the bridge has. */
bool bridge_must_be_remade(const struct bridge *, const struct vs_bridge *);
/* Chooses MAC, datapath id and MTU again, later in this run. */
void bridge_unsettle(struct bridge *);
void bridge_settle(struct bridge *);

/* ---- controller.c ---- */

/* Applies the bridge's Controller rows. */
void controller_configure(struct bridge *, const struct vs_bridge *, const struct controllers_cfg *);
/* Writes is_connected, role and status of the bridge's Controller rows. */
void controller_write(struct bridge *);
void controller_forget(struct bridge *);

/* ---- mirror.c ---- */

/* Applies the bridge's Mirror rows.  Ports are known by their objects, whether or not they have a device. */
void mirror_configure(struct bridge *, const struct vs_bridge *);
/* ipfix.c */
void ipfix_configure(struct bridge *, const struct vs_bridge *);
/* Writes the statistics of the bridge's Mirror rows. */
void mirror_write(struct bridge *);

/* ---- port.c ---- */

struct port *port_create(struct bridge *, const struct vs_port *);
/* An interface of that name comes: a bond's fake one gives way. */
void port_make_way(struct vswitchd *, const char *name);
/* The device has changed; if it is a bond's fake one, controllers are told. */
void port_device_changed(struct vswitchd *, const char *name);
void port_destroy(struct port *);
/* Applies the VLAN settings; after its interfaces. */
void port_configure(struct port *, const struct vs_port *);
/* Writes the status columns. */
void port_write(struct port *, const struct vs_port *);
/* Of its interfaces that are in the bridge, the one whose name comes first; null if there is none. */
struct iface *port_first_iface(const struct port *);

/* ---- iface.c ---- */

struct iface *iface_create(struct port *, const struct vs_interface *);
void iface_destroy(struct iface *);
/* Its row, null if it is gone. */
const struct vs_interface *iface_row(const struct iface *);
/* Takes the device out of the bridge if it cannot stay as it is (other type, other number, gone, error), and the port
 * that has its number without having asked for it. */
void iface_drop_if_changed(struct iface *, const struct vs_interface *);
/* Brings the device up, or applies what changed in the row. */
void iface_configure(struct iface *, const struct vs_interface *);
/* Whether that need not wait for the device; else 'vswitchd.prepared' is signalled when it is to be asked again. */
bool iface_is_prepared(const struct iface *);
/* Reads what the device says of itself.  True if the bridge is concerned. */
bool iface_refresh(struct iface *);
bool iface_is_local(const struct iface *);
bool iface_is_internal(const struct iface *);
/* The device called 'name' changed, came or went. */
void iface_device_changed(struct vswitchd *, const char *name);

/* ---- iface_status.c ---- */

/* Writes the status columns. */
void iface_write(struct iface *, const struct vs_interface *);

/* ---- status.c ---- */

/* Writes what is stale, or some of it, unless a transaction is under way. */
void status_run(struct vswitchd *);
/* Everything must be written again. */
void status_mark_all(struct vswitchd *);
/* A period is over: counters are to be written. */
void status_mark_stats(struct vswitchd *);

/* ---- qos.c ---- */

/* Applies the port's QoS to its interfaces that are in the bridge. */
void qos_configure(struct port *, const struct vs_port *);
/* The port goes. */
void qos_forget(struct port *);
/* Marks the ports that changes of QoS and Queue rows concern. */
void qos_mark_ports(struct vswitchd *);
/* qos/show and qos/show-types. */
void qos_commands_register(struct vswitchd *);

/* ---- commands.c ---- */

/* Registers the control commands of the daemon itself.  'quit' is called for "exit"; its request is to be answered with
 * commands_finish_exit() when all is taken down. */
void commands_register(struct vswitchd *, void (*quit)(void *aux, bool cleanup), void *aux);
void commands_finish_exit(void);
/* Those of protocols that do not run here (idle_commands.c). */
void idle_commands_register(void);
/* time/stop and time/warp; only with dummies. */
void commands_register_time(struct loop *);

#endif
