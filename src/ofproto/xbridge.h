/* The snapshot: what translation may look at.
 *
 * What it is
 * ----------
 * Translation runs in any worker, concurrently with changes by the main thread.  These objects are its whole view:
 * bridges, ports, bundles and mirrors.  They are found through RCU tables.  An object's constant members never
 * change; a
 * bundle is replaced as a whole when its configuration changes, so that adding a port costs what that port costs,
 * however many others there are.
 *
 * Who owns what
 * -------------
 *   xdp     one datapath ("netdev@ovs-netdev"): its bridges, and its ports by odp_port;
 *   xbridge one bridge, inside its struct ofproto: OpenFlow tables, ports by ofp_port, bundles, MAC table;
 *   xport   one port of a bridge;
 *   xbundle the VLAN view of one or more ports (a bond): what NORMAL works on.
 *
 * Threads: the main thread writes; readers are in an RCU read section. */
#ifndef OFPROTO_XBRIDGE_H
#define OFPROTO_XBRIDGE_H 1

#include "classifier/classifier.h"
#include "datapath/datapath.h"
#include "flow/port.h"
#include "ofproto/upcall_counts.h"

struct drops;
struct mac_table;
struct ofproto;
struct flow_mod;
struct group_table;

#define OFPROTO_N_TABLES 255
#define OFPROTO_HIDDEN_TABLE 254

/* What translation is told to do without, though the datapath can do it (dpif/set-dp-features). */
enum xdp_without { XDP_WITHOUT_CT_CLEAR = 1, XDP_WITHOUT_CT_TIMEOUT = 2, XDP_WITHOUT_EXPLICIT_DROP = 4 };

struct xdp {
    char *type, *name;       /* "netdev", "ovs-netdev". */
    struct datapath *dp;
    struct rcu_map ports;    /* struct xport by hash_u32(odp_port, 0). */
    struct list bridges;     /* struct xbridge by 'node'; main thread. */
    struct rcu_map samplers; /* struct sampler (ofproto/sampler.c). */
    struct rcu_map policies; /* struct xzone_policy by hash_u32(zone, 0). */
    _Atomic unsigned int without; /* Bits of enum xdp_without; set by the main thread. */
    bool has_kernel_limits;  /* Datapath lacks the userspace-only actions. */
};

/* The timeout policy of connections that are committed in a zone. */
struct xzone_policy {
    uint16_t zone;
    uint32_t id;
};

enum xbridge_fail_mode { FAIL_STANDALONE, FAIL_SECURE };

struct xbridge {
    struct list node;            /* In xdp->bridges. */
    struct xdp *xdp;
    struct ofproto *ofproto;
    char *name;
    struct uuid uuid;            /* Names the bridge in frozen state and controller cookies. */
    struct rcu_map ports;        /* struct xport by hash_u32(ofp_port, 0). */
    struct rcu_map bundles;      /* struct xbundle by hash_pointer(key, 0). */
    struct rcu_map groups;       /* struct group (ofproto/xgroup.h) by hash_u32(id, 0). */
    struct rcu_map meters;       /* struct xmeter by hash_u32(id, 0). */
    struct mac_table *mac_table;
    struct drops *drops;         /* Why its packets were dropped (ofproto/drops.h). */
    struct classifier *tables;   /* OFPROTO_N_TABLES of them; OFPROTO_HIDDEN_TABLE is the switch's own. */
    _Atomic uint64_t tables_version;
    uint64_t serial;             /* xbridge_new_serial(): no other bridge of this process ever had it. */
    /* The newest version with which a rule comes or goes, of all tables and of each: noted by the writer before the
     * version is published. */
    _Atomic uint64_t changed, changed_in[OFPROTO_N_TABLES];
    /* What a miss in a table means: enum of_table_miss per table (OpenFlow 1.1/1.2 table-mod). */
    _Atomic uint8_t table_miss[OFPROTO_N_TABLES];
    _Atomic uint64_t table_matches[OFPROTO_N_TABLES], table_misses[OFPROTO_N_TABLES]; /* Their sum: the lookups. */
    /* Whether a flow that 'learn' makes may come, with so many of its cookie at most; null: always.  Any thread. */
    bool (*may_learn)(const struct xbridge *, const struct flow_mod *, uint32_t limit);
    _Atomic bool samples_flows;  /* "sample" is to be carried out: there are collectors. */
    /* The bridge's own sampling: of all packets times 2^32, 0: none; where they come in, where they go out. */
    _Atomic uint32_t sample_probability;
    _Atomic bool samples_input, samples_output;
    _Atomic bool is_gone;        /* Being removed: nothing may resume in it. */
    _Atomic bool forward_bpdu;
    _Atomic bool drop_fragments; /* set-frags drop. */
    _Atomic bool match_first_fragments; /* set-frags nx-match: first fragments have their ports. */
    _Atomic bool wants_misses;   /* Some controller wants the packets that no rule of a table matches (OpenFlow 1.0
                                  * to 1.2). */
    _Atomic bool has_in_band;
    struct eth_addr mac;         /* Of the local port. */
    RCU_PTR(struct xmirrors) mirrors; /* Null: none (ofproto/mirror.h). */
    RCU_PTR(struct tun_map) options;  /* Tunnel options as fields (flow/tun_metadata.h); null: none. */
};

/* Bits of xport.config: OpenFlow's port configuration (OFPPC_*), version 1.0's numbers. */
enum { XPORT_DOWN = 1 << 0, XPORT_NO_STP = 1 << 1, XPORT_NO_RECV = 1 << 2, XPORT_NO_RECV_STP = 1 << 3,
       XPORT_NO_FLOOD = 1 << 4, XPORT_NO_FWD = 1 << 5, XPORT_NO_PACKET_IN = 1 << 6 };

/* The DSCP that packets for a queue of a port get (Queue.dscp), in order of the queues' numbers.  Immutable. */
struct xdscps {
    size_t n;
    struct xdscp {
        uint32_t queue;
        uint8_t dscp;
    } all[];
};

struct xport {
    struct xbridge *bridge;
    ofp_port ofp_port;
    odp_port odp_port;               /* ODP_PORT_NONE for patch ports. */
    char *name;
    bool is_patch, is_tunnel, is_local;
    uint32_t ifindex;                /* Of the system's device; 0: none. */
    _Atomic uint32_t config;         /* XPORT_* */
    _Atomic uint32_t state;          /* OFPPS_LINK_DOWN 1, OFPPS_BLOCKED 2, OFPPS_LIVE 4. */
    _Atomic int mtu;
    RCU_PTR(struct xbundle) bundle;  /* Null: does no NORMAL switching. */
    RCU_PTR(struct xdscps) dscps;    /* Null: none. */
    RCU_PTR(struct xport) peer;      /* Patch ports: the other end, null while it has none. */
    /* Packets that enter or leave without the datapath's counting them (patch ports, packet-out). */
    _Atomic uint64_t n_rx_packets, n_rx_bytes, n_tx_packets, n_tx_bytes;
    struct upcall_counts upcalls;
    struct netdev *netdev;           /* Main thread only. */
    void *owner;                     /* ofproto's port; main thread only. */
    _Atomic uint32_t n_refs;         /* The owner's, from xbridge_add_port() to xport_free(), and credits'. */
};

/* Port.vlan_mode. */
enum xvlan_mode { XVLAN_TRUNK, XVLAN_ACCESS, XVLAN_NATIVE_TAGGED, XVLAN_NATIVE_UNTAGGED, XVLAN_DOT1Q_TUNNEL };
/* Port.other_config:priority-tags. */
enum xpriority_tags { XPRIO_NEVER, XPRIO_IF_NONZERO, XPRIO_ALWAYS };

/* Immutable. */
struct xbundle {
    const void *key;           /* Identity across replacements: vswitchd's port. */
    char *name;
    enum xvlan_mode vlan_mode;
    uint16_t vlan;             /* Access or native VLAN. */
    be16 qinq_ethtype;         /* Dot1q tunnel: TPID of the outer tag. */
    uint64_t *trunks;          /* Bitmap of 4096 bits, null: all. */
    uint64_t *cvlans;          /* Dot1q tunnel: customer VLANs, null: all. */
    enum xpriority_tags priority_tags;
    bool is_protected;         /* No traffic between protected ports. */
    struct bond *bond;         /* Null for a single port (ofproto/bond.h). */
    size_t n_ports;
    struct xport *ports[];
};

/* A meter; immutable. */
struct xmeter {
    uint32_t id;               /* OpenFlow's. */
    uint32_t dp_id;            /* The datapath's. */
};

uint64_t xbridge_new_serial(void);

/* A rule of the table comes or goes with this version.  The writer, before it publishes the version. */
static inline void
xbridge_note_change(struct xbridge *b, uint8_t table_id, uint64_t version)
{
    if (atomic_load_explicit(&b->changed_in[table_id], memory_order_relaxed) < version) {
        atomic_store_explicit(&b->changed_in[table_id], version, memory_order_relaxed);
    }
    if (atomic_load_explicit(&b->changed, memory_order_relaxed) < version) {
        atomic_store_explicit(&b->changed, version, memory_order_relaxed);
    }
}

/* What was noted for versions above 'version' will not be. */
void xbridge_forget_changes(struct xbridge *, uint64_t version);

static inline uint64_t
xbridge_changed_in(const struct xbridge *b, uint8_t table_id)
{
    return atomic_load_explicit(&b->changed_in[table_id], memory_order_relaxed);
}

/* Lookups, in an RCU read section; null if there is none. */
static inline const struct tun_map *xbridge_options_rcu(const struct xbridge *b) { return rcu_get(&b->options); }
struct xport *xbridge_port_rcu(const struct xbridge *, ofp_port);
struct xport *xdp_port_rcu(const struct xdp *, odp_port);
struct xbundle *xbridge_bundle_rcu(const struct xbridge *, const void *key);
struct xmeter *xbridge_meter_rcu(const struct xbridge *, uint32_t meter_id);

/* The policy of a zone; false if it has none.  Main thread: gives it one, takes it away (null id). */
bool xdp_zone_policy_rcu(const struct xdp *, uint16_t zone, uint32_t *id);
void xdp_set_zone_policy(struct xdp *, uint16_t zone, const uint32_t *id);

/* Main thread: (un)publish.  A port that was removed may still be named by megaflows' credits: after xport_free() it is
 * released by RCU, once those are gone. */
void xbridge_add_port(struct xbridge *, struct xport *);
void xbridge_remove_port(struct xbridge *, struct xport *);
void xport_free(struct xport *);

/* Adds a reference of an RCU reader, unless the port is dying: false then; drops one.  Any registered thread. */
bool xport_try_ref_rcu(struct xport *);
void xport_unref(struct xport *);

/* Main thread: (un)publishes; the old bundle is released by RCU. */
/* Replaces the bundle with key 'key' by 'bundle' (null: none) and points the ports at it. */
void xbridge_set_bundle(struct xbridge *, const void *key, struct xbundle *bundle);

#endif
