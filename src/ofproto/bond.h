/* Bonds: several ports that look like one to the NORMAL action.
 *
 * What it is
 * ----------
 * A bond keeps an eye on its members' links and decides which of them carry what:
 *
 *   active-backup   one member, the active one, carries everything; packets that come in elsewhere are dropped;
 *   balance-slb     a hash of source address and VLAN chooses one of 256 buckets, each assigned to a member; what comes
 *                   back by way of the neighbour switch is recognised and dropped (ofproto/xlate/bond.c);
 *   balance-tcp     needs LACP, which is not served: nothing passes, but where lacp-fallback-ab asks for active-backup
 *                   and LACP is wanted.
 *
 * How it works
 * ------------
 * bond_run() is the whole state machine: it reads the links and the clock, enables and disables members after their
 * delays, chooses the active one, moves buckets away from disabled members, rebalances from time to time, and publishes
 * the outcome as one immutable 'struct xbond'.  What has changed makes the megaflows stale that had asked for the bond
 * (CONSULTED_BUNDLE).  It runs when a link changes, after a change of the configuration, and by a timer when something
 * is due.  When traffic moves to another member, the neighbours are told by learning packets (bond_learn.c).
 *
 * Load is what megaflows credit to buckets; each rebalancing halves it, so that it is an average that forgets.
 *
 * Threads: the main thread; translation reads 'struct xbond' by RCU; credits come from any thread.
 * Documented in ovs-vswitchd.conf.db(5), table Port, "Bonding Configuration"; "bond/..." in ovs-vswitchd(8). */
#ifndef OFPROTO_BOND_H
#define OFPROTO_BOND_H 1

#include "base/hash.h"
#include "ofproto/mac_table.h"
#include "ofproto/ofproto.h"
#include "ofproto/xbridge.h"
#include "sys/loop.h"

enum { BOND_N_BUCKETS = 256 };

/* Bytes that went out by bucket. */
struct bond_load {
    _Atomic uint32_t n_refs;
    _Atomic uint64_t bytes[BOND_N_BUCKETS];
};

/* Adds a reference (false if it is dying; RCU readers may try), drops one. */
bool bond_load_try_ref_rcu(struct bond_load *);
void bond_load_unref(struct bond_load *);

/* What translation sees.  Immutable. */
struct xbond {
    enum ofproto_bond_mode mode;           /* Active-backup or SLB: what is done, not what was asked for. */
    bool all_members_active;
    uint32_t basis;
    struct xport *active;                  /* Null: none can be. */
    struct xport *buckets[BOND_N_BUCKETS]; /* SLB; null: none can be. */
    struct bond_load *load;                /* Outlives the snapshot. */
};

struct bond_member {
    struct xport *x;
    bool link;               /* As last seen. */
    bool enabled;
    int64_t delay_expires;   /* When 'enabled' follows 'link'; CLOCK_NEVER while they agree. */
};

struct bond {
    struct ofproto *ofproto;
    const void *key;         /* Of its bundle. */
    char *name;
    struct hmap_node node;   /* In all_bonds, by name. */
    struct ofproto_bond_config c;
    char *primary;           /* c.primary, owned. */
    struct bond_member *members; /* In the order of their names. */
    size_t n_members;
    struct xport *active;
    bool was_active;         /* There has been an active member. */
    bool must_teach;         /* Traffic has moved: learning packets are to be sent. */
    struct bond_teaching {   /* bond_learn.c: they are being sent. */
        struct loop_task task;
        struct mac_table_walk walk;
        bool is_under_way;
        unsigned int n_sent, n_failed;
    } teaching;
    struct xport *buckets[BOND_N_BUCKETS];
    struct bond_load *load;
    int64_t next_rebalance, next_poll; /* CLOCK_NEVER: not at all. */
    struct loop_timer timer;
    RCU_PTR(struct xbond) published;
};

/* The bucket of a source address; the same for every bond of that basis. */
static inline uint8_t
bond_hash(struct eth_addr mac, uint16_t vlan, uint32_t basis)
{
    return hash_u64(eth_addr_to_u64(mac) | (uint64_t) vlan << 48, basis);
}

/* A bond without members for the bundle 'key'; released once no reader is left. */
struct bond *bond_create(struct ofproto *, const void *key, const char *name) MUST_CHECK;
void bond_destroy(struct bond *);

/* Members that stay keep their state. */
void bond_configure(struct bond *, const struct ofproto_bond_config *, struct xport *const *ports, size_t n);
/* A member's port goes.  The neighbours are told later, when the configuration that this is part of has changed. */
void bond_lose_member(struct bond *, const struct xport *gone);
/* All members go: says so in the log. */
void bond_lose_all(struct bond *);
/* Looks at the links and the clock. */
void bond_run(struct bond *);

/* A port of the bond's that packets from this address should leave by; null: none. */
struct xport *bond_choose(const struct bond *, struct eth_addr, uint16_t vlan);

/* Commands. */
struct bond *bond_find(const char *name);
/* All of them, in order of their names; to be released with free(). */
struct bond **bonds_sorted(size_t *n);
struct bond_member *bond_find_member(const struct bond *, const char *name);
void bond_set_enabled(struct bond *, struct bond_member *, bool enabled);
void bond_set_active(struct bond *, struct bond_member *);
void bond_migrate(struct bond *, uint8_t bucket, struct bond_member *);
void bond_commands_register(void);

/* bond_learn.c: sends a packet in the name of each address that was learned elsewhere, so that switches behind the
 * bond learn where it is reached now; those for many addresses in slices, and anew from the first if this is called
 * meanwhile.  False: not yet, since the bundle is not in place. */
bool bond_send_learning_packets(struct bond *) MUST_CHECK;
void bond_teaching_init(struct bond *);
void bond_teaching_uninit(struct bond *); /* Those that are left are not sent. */

#endif
