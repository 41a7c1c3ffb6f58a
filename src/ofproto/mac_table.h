/* The MAC learning table of a bridge (IEEE 802.1Q filtering database).
 *
 * What it is: a sharded concurrent hash table from (VLAN, MAC) to a port, with ageing, a limit, and a fair choice of
 * whom to evict at the limit (an entry of the port with most entries), so that one port cannot push out the others'.
 *
 * How it works: workers look up and learn at any time; a learn that changes nothing writes at most a timestamp.  A
 * change that can alter translations (new, moved or vanished entry) is reported to the listener, which decides what to
 * revalidate.
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
#include "base/str.h"
#include "flow/port.h"

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
 * changed it; it must not call back.  Before the table is used. */
void mac_table_set_listener(struct mac_table *, void (*changed)(void *aux, struct eth_addr, uint16_t vlan), void *aux);

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

/* Forgets everything learned; everything learned on one bundle. */
void mac_table_flush(struct mac_table *);
void mac_table_flush_bundle(struct mac_table *, const void *bundle_key);
/* Forgets where (mac, vlan) was learned, if it was. */
void mac_table_forget(struct mac_table *, struct eth_addr, uint16_t vlan);

/* Removes expired entries; call it once a second.  True if any was removed. */
bool mac_table_run(struct mac_table *);

/* Calls 'cb' for each entry in the order of fdb/show. */
void mac_table_for_each(const struct mac_table *, void (*cb)(void *aux, const struct mac_entry *), void *aux);

/* The same for those learned on one bundle, in any order; 'cb' must not call back. */
void mac_table_for_each_learned(const struct mac_table *, const void *bundle_key,
                                void (*cb)(void *aux, const struct mac_entry *), void *aux);

/* Counters of fdb/stats-show. */
struct mac_table_stats {
    size_t n_entries, max_entries, n_static;
    uint64_t n_learned, n_expired, n_evicted, n_moved;
};
void mac_table_get_stats(const struct mac_table *, struct mac_table_stats *);
void mac_table_clear_stats(struct mac_table *);

#endif
