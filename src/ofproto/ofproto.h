/* A bridge as OpenFlow sees it: ports, tables, controllers. The interface to vswitchd.
 *
 * What it is
 * ----------
 * ofproto owns a bridge's OpenFlow state and publishes it to translation (ofproto/xbridge.h).  vswitchd owns the
 * configuration and tells ofproto what should be; ofproto never reads the database.
 *
 * How it works
 * ------------
 * ofproto_init() once; ofproto_create() per bridge.  A bridge of datapath type T lives in the datapath T@ovs-T, shared
 * by all bridges of that type.  Ports are added one by one; bundles give ports their VLAN behaviour.  Everything that
 * can be configured has one setter that does nothing if nothing changed.
 *
 * Threads: the main thread, on its loop.  Packets are translated in workers over the snapshot.
 * Errors: negative errno values; struct error for what a user configured. */
#ifndef OFPROTO_OFPROTO_H
#define OFPROTO_OFPROTO_H 1

#include "base/addr.h"
#include "base/error.h"
#include "base/strmap.h"
#include "base/uuid.h"
#include "flow/port.h"
#include "ofproto/worth.h"

struct dp_port_config;
struct loop;
struct match;
struct netdev;
struct netdev_stats;
struct ofproto;
struct xbundle;

/* Registers the control commands (ofproto, fdb, dpif, dpctl, upcall, bridge) and starts the machinery. */
void ofproto_init(struct loop *);
void ofproto_uninit(void);

/* The daemon ends: no megaflow is made any more and all go, without being looked at again.  Bridges are then destroyed
 * without waiting for that. */
void ofproto_stop(void);

/* Whether a bridge on the datapath of 'type' can be made without a wait.  If not, what it takes is made ready beside
 * the caller, and 'done' of the first call is called when it is, by another thread. */
bool ofproto_prepare(const char *type, void (*done)(void *aux), void *aux) MUST_CHECK;

/* Makes the bridge 'name' on the datapath of 'type' ("" means "system").  -EAFNOSUPPORT for an unknown type. */
int ofproto_create(const char *name, const char *type, struct ofproto **);
/* 'cleanup': also take the datapath down when it was the last bridge. */
void ofproto_destroy(struct ofproto *, bool cleanup);
struct ofproto *ofproto_find(const char *name);

const char *ofproto_name(const struct ofproto *);
const char *ofproto_type(const struct ofproto *);
/* The type that stands in: "netdev" for "system" where the kernel has no openvswitch module; null if none does. */
const char *ofproto_served_by(const struct ofproto *);
/* The type of the devices that serve "internal" interfaces. */
const char *ofproto_internal_type(const struct ofproto *);
const char *ofproto_datapath_version(const struct ofproto *);
/* What the datapath of a type can do; null unless a bridge uses one. */
const struct dp_feature *ofproto_datapath_features(const char *type);

/* Datapath id, description strings (null: the default). */
void ofproto_set_datapath_id(struct ofproto *, uint64_t dpid);
uint64_t ofproto_datapath_id(const struct ofproto *);
struct ofproto_desc { const char *mfr, *hw, *sw, *serial, *dp; };
void ofproto_set_desc(struct ofproto *, const struct ofproto_desc *);

/* Ports.  'request' OFPP_NONE, or taken: one of 1 to 32767 that no port of the bridge had before, as long as there is.
 * The local port's request is OFPP_LOCAL.  Takes a reference to 'netdev'.  'peer': name of the peer of a patch port,
 * else null. */
int ofproto_port_add(struct ofproto *, struct netdev *, ofp_port request, const char *peer, ofp_port *port);
int ofproto_port_del(struct ofproto *, ofp_port);
/* Null if there is no such port. */
const char *ofproto_port_name(const struct ofproto *, ofp_port);
/* Whether a patch port and its peer have found each other. */
bool ofproto_port_has_peer(const struct ofproto *, ofp_port);
/* The datapath's settings of a port (datapath/datapath.h). */
void ofproto_port_configure(struct ofproto *, ofp_port, const struct dp_port_config *);
/* The DSCP of packets for the port's queues, in order of their numbers; queues that are not there: the packet's. */
struct ofproto_queue_dscp { uint32_t queue; uint8_t dscp; };
void ofproto_port_set_dscps(struct ofproto *, ofp_port, const struct ofproto_queue_dscp *, size_t n);
void ofproto_port_set_peer(struct ofproto *, ofp_port, const char *peer);
/* The device behind a port changed (carrier, MAC, MTU): port-status to controllers, flags to translation. */
void ofproto_port_changed(struct ofproto *, ofp_port);
/* Interface.other_config:... that stays with the port: OpenFlow configuration bits. */
void ofproto_port_set_config(struct ofproto *, ofp_port, uint32_t set, uint32_t clear);
/* Statistics with those that only ofproto knows added (patch ports). */
int ofproto_port_get_stats(const struct ofproto *, ofp_port, struct netdev_stats *);

/* Bonds (ofproto/bond.h). */
enum ofproto_bond_mode { BOND_ACTIVE_BACKUP, BOND_BALANCE_SLB, BOND_BALANCE_TCP };
struct ofproto_bond_config {
    enum ofproto_bond_mode mode;
    bool all_members_active, use_miimon;
    bool wants_lacp, lacp_fallback_ab;
    uint32_t hash_basis;
    int64_t updelay_ms, downdelay_ms, miimon_ms;
    int64_t rebalance_ms;        /* 0: never. */
    const char *primary;         /* Null: none. */
    struct eth_addr last_active; /* The active member before a restart, or zero. */
};
/* 'changed' is called with the bundle's key when a bond's active member is another.  Once, before any bond. */
void ofproto_set_bond_listener(void (*changed)(void *aux, const void *key), void *aux);
/* The address of the active member, zero if there is none; false if the bundle is no bond. */
bool ofproto_bond_get_active(const struct ofproto *, const void *key, struct eth_addr *);

/* Bundles. */
struct ofproto_bundle_config {
    const char *name;
    const ofp_port *ports;
    size_t n_ports;
    int vlan_mode;               /* enum xvlan_mode */
    int vlan;                    /* -1: none */
    const uint64_t *trunks;      /* Bitmap of 4096 bits, null: all. */
    const uint64_t *cvlans;
    be16 qinq_ethtype;
    int priority_tags;           /* enum xpriority_tags */
    bool is_protected;
    const struct ofproto_bond_config *bond; /* Null: not a bond. */
};
void ofproto_bundle_set(struct ofproto *, const void *key, const struct ofproto_bundle_config *);
void ofproto_bundle_remove(struct ofproto *, const void *key);

/* Mirrors (ofproto/mirror.h).  Those of a bridge are set together; a mirror keeps its counters as long as its key is
 * among them. */
struct ofproto_mirror_config {
    struct uuid key;
    const char *name;
    bool select_all;
    const void *const *srcs, *const *dsts; /* Keys of the bundles where what comes in, goes out is selected. */
    size_t n_srcs, n_dsts;
    const uint64_t *vlans;                 /* Bitmap of 4096 bits, null: all. */
    const void *output;                    /* Key of the bundle to send to; null: to all in 'output_vlan'. */
    uint16_t output_vlan;
    uint16_t snaplen;                      /* 0: whole packets. */
    const char *filter;                    /* A match that ofproto_mirror_check_filter() takes; null: none. */
};
void ofproto_set_mirrors(struct ofproto *, const struct ofproto_mirror_config *, size_t n);
/* Reads the text into '*m'.  Names of ports are not known here, and the port it came in on is not for a filter. */
struct error *ofproto_mirror_check_filter(const char *text, struct match *m) MUST_CHECK;
/* False if there is no such mirror. */
bool ofproto_mirror_get_stats(const struct ofproto *, const struct uuid *key, uint64_t *n_packets, uint64_t *n_bytes);

/* Settings of the bridge. */
void ofproto_set_fail_mode(struct ofproto *, bool secure);
void ofproto_set_mac_table(struct ofproto *, unsigned int idle_s, size_t max_entries);
void ofproto_set_flood_vlans(struct ofproto *, const uint64_t *vlans); /* Bitmap, null: none. */
void ofproto_set_forward_bpdu(struct ofproto *, bool);
void ofproto_set_protocols(struct ofproto *, uint32_t versions); /* Bit N: OpenFlow wire version N. */

/* Flow_Table rows; 'name' null: default. */
struct ofproto_table_config {
    const char *name;
    unsigned int flow_limit;
    bool has_limit;
    bool evict;
    const char *const *prefixes; /* Names of fields; empty: the default. */
    size_t n_prefixes;
    const char *const *groups;   /* What makes groups for eviction: "NXM_OF_IN_PORT[]". */
    size_t n_groups;
};
/* Null: no row says anything of the table. */
void ofproto_set_table(struct ofproto *, uint8_t table_id, const struct ofproto_table_config *);

/* Controllers, and the services BRIDGE.mgmt and BRIDGE.snoop, which always listen in the run directory. */
struct ofproto_controller_config {
    const char *target;
    bool is_service;                   /* Not in charge: fail_mode does not heed it. */
    bool in_band;
    int queue_size;                    /* Packet-ins that may wait to be written, at most 512; 0: default */
    int max_backoff_ms, probe_ms;      /* 0: default / no probe */
    int rate_limit, burst_limit;       /* Packet-ins per second; 0: none */
    bool enable_async;                 /* enable_async_messages */
    uint32_t role;
    uint8_t dscp;
};
void ofproto_set_controllers(struct ofproto *, const struct ofproto_controller_config *, size_t n);
/* What else is reached through the bridge: targets of managers.  'queue' negative: no set_queue for in-band traffic.
 * Call it before ofproto_set_controllers(). */
void ofproto_set_in_band(struct ofproto *, const char *const *managers, size_t n, int queue);
struct ofproto_controller_status {
    const char *target;
    bool is_connected;
    const char *role;                  /* "other", "master", "slave"; null while not connected */
    struct strmap pairs;               /* status column: key -> malloc()ed text */
};
/* Calls 'cb' for each configured controller. */
void ofproto_get_controller_status(struct ofproto *, void (*cb)(void *aux, const struct ofproto_controller_status *),
                                   void *aux);
bool ofproto_has_primary_controller(const struct ofproto *);

/* Process-wide settings (Open_vSwitch.other_config). */
struct ofproto_settings {
    unsigned int flow_limit;           /* 200000 */
    unsigned int max_idle_ms;          /* 10000 */
    struct worth_settings worth;       /* 500, 5, 2000 */
    unsigned int bundle_idle_s;        /* 10: of OpenFlow bundles. */
    bool flow_restore_wait;
    bool explicit_sampled_drops;       /* xlate_set_explicit_sampled_drops() */
};
void ofproto_set_settings(const struct ofproto_settings *);
/* The datapaths' own settings: values of Open_vSwitch.other_config (null: not set) for 'keys', which are the same at
 * each call and stay the caller's.  See datapath/datapath.h. */
void ofproto_configure_datapaths(const char *const *keys, const char *const *values, size_t n);

#endif
