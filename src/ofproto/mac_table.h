/* The MAC learning table of a bridge (IEEE 802.1Q filtering database).
 *
 * What it is: a sharded concurrent hash table from (VLAN, MAC) to a port, with ageing, a limit, and a fair choice of
 * whom to evict at the limit (an entry of the port with most entries), so that one port cannot push out the others'.
 *
 * How it works: workers look up and learn at any time; a learn that changes nothing writes at most a timestamp.  A
 * change that can alter translations (new, moved or vanished entry) is reported to the listener, which decides what to
 * revalidate.
 *
 * What concerns many entries (a flush, a new limit or ageing time, many that expire) takes effect at once, as far as
 * lookups go, but the entries are taken out by mac_table_run_step(), in slices.
 *
 * Gratuitous ARP lock: an entry learned from a gratuitous ARP does not move for a short time to a bond member's
 * reflection (see mac_table_learn).
 *
 * Threads: lookup and learn from any thread; the rest from the main thread.
 * Documented in ovs-vswitchd.conf.db(5), Bridge.other_config:mac-aging-time, mac-table-size; "fdb/..." in
 * ovs-vswitchd(8). */
#ifndef OFPROTO_MAC_TABLE_H
#define OFPROTO_MAC_TABLE_H 1

#include "base/addr.h"
#include "base/list.h"
#include "base/str.h"
#include "flow/port.h"
#include "sys/loop.h"

struct mac_table;

#define MAC_TABLE_DEFAULT_IDLE_S 300
#define MAC_TABLE_DEFAULT_MAX 8192

struct mac_entry {
    struct eth_addr mac;
    uint16_t vlan;
    const void *bundle_key; /* struct xbundle's key. */
    ofp_port port;          /* On which it was learned. */
    bool is_static;
    int64_t expires;        /* ms; CLOCK_NEVER for static ones. */
};

/* An empty table with the defaults; destroy it when no other thread uses it any more (null is allowed). */
struct mac_table *mac_table_create(void) MUST_CHECK;
void mac_table_destroy(struct mac_table *);

/* 'changed' is called for each entry that is new, has moved or is gone, under the table's lock, by the thread that
 * changed it; where many go, 'many_changed' is instead, unless it is null.  Neither may call back.  Before the table is
 * used. */
struct mac_table_listener {
    void (*changed)(void *aux, struct eth_addr, uint16_t vlan);
    void (*many_changed)(void *aux);
    void *aux;
};
void mac_table_set_listener(struct mac_table *, const struct mac_table_listener *);

/* Bounds as documented: idle 15 to 3600 s, at least 10 entries.  Main thread. */
void mac_table_configure(struct mac_table *, unsigned int idle_s, size_t max_entries);
/* VLANs on which nothing is learned (Bridge.flood_vlans): a bitmap of 4096 bits, null: none; copied. */
void mac_table_set_flood_vlans(struct mac_table *, const uint64_t *flood_vlans);
bool mac_table_may_learn(const struct mac_table *, struct eth_addr, uint16_t vlan);

/* The entry of (mac, vlan), copied to '*entry'; false if there is none.  Any thread. */
bool mac_table_lookup(const struct mac_table *, struct eth_addr, uint16_t vlan, struct mac_entry *entry);

/* Whether a gratuitous ARP was seen elsewhere than at a bond a moment ago, so that its reflection is not believed. */
bool mac_table_is_locked(const struct mac_table *, struct eth_addr, uint16_t vlan);

/* Learns or refreshes; true if something changed that translations depend on.  Any thread. */
bool mac_table_learn(struct mac_table *, struct eth_addr, uint16_t vlan, const void *bundle_key, ofp_port,
                     bool is_gratuitous_arp, bool from_bond);
/* Whether mac_table_learn() with these arguments would change more than a timestamp.  Any thread. */
bool mac_table_would_change(const struct mac_table *, struct eth_addr, uint16_t vlan, const void *bundle_key);

/* Static entries (fdb/add, fdb/del).  False if the table is full, or there is no such entry. */
bool mac_table_add_static(struct mac_table *, struct eth_addr, uint16_t vlan, const void *bundle_key, ofp_port);
bool mac_table_del_static(struct mac_table *, struct eth_addr, uint16_t vlan);

/* Forgets everything learned; everything on one bundle, and, if 'hosts_leave' is set, says so when the entries are
 * taken out.  mac_table_run_step() is due. */
void mac_table_flush(struct mac_table *);
void mac_table_flush_bundle(struct mac_table *, const void *bundle_key, bool hosts_leave);
/* Forgets where (mac, vlan) was learned, if it was. */
void mac_table_forget(struct mac_table *, struct eth_addr, uint16_t vlan);

/* Takes out what has expired, was flushed, or is above the limit: due once a second, after a flush and after
 * mac_table_configure(); true once all is done.  'left' (null: nobody) is called for the hosts that a flush of their
 * bundle left without one. */
bool mac_table_run_step(struct mac_table *, struct loop_slice *,
                        void (*left)(void *aux, struct eth_addr, uint16_t vlan), void *aux) MUST_CHECK;
/* All of it at once; true if any entry had expired. */
bool mac_table_run(struct mac_table *);
/* The same, with all that is left, static ones too, of a table that nobody uses any more; true once it is empty. */
bool mac_table_empty_step(struct mac_table *, struct loop_slice *,
                          void (*left)(void *aux, struct eth_addr, uint16_t vlan), void *aux) MUST_CHECK;

/* Calls 'cb' for each entry in the order of fdb/show. */
void mac_table_for_each(const struct mac_table *, void (*cb)(void *aux, const struct mac_entry *), void *aux);

/* A walk in steps, in no particular order.  Whatever happens between them, each address that is there all the time is
 * met once, also if it moves; fdb/show has them in the order of 'used', then of 'seq'. */
struct mac_link {
    struct list node;    /* In mac_table->all. */
    bool is_mark;        /* Of a walk; else of an entry. */
};
struct mac_table_walk {
    struct mac_link at, end;
};
struct mac_met {
    struct mac_entry e;
    int64_t used;        /* ms */
    uint64_t seq;
};
void mac_table_walk_begin(struct mac_table *, struct mac_table_walk *);
/* Past 'n' more; false at the end.  'cb' must not call back. */
bool mac_table_walk_step(struct mac_table *, struct mac_table_walk *, unsigned int n,
                         void (*cb)(void *aux, const struct mac_met *), void *aux);
void mac_table_walk_end(struct mac_table *, struct mac_table_walk *); /* At any time. */

/* Counters of fdb/stats-show. */
struct mac_table_stats {
    size_t n_entries, max_entries, n_static;
    uint64_t n_learned, n_expired, n_evicted, n_moved;
};
void mac_table_get_stats(const struct mac_table *, struct mac_table_stats *);
void mac_table_clear_stats(struct mac_table *);

#endif
