/* A group, as translation sees it: an entry of a bridge's snapshot.
 *
 * Immutable but for its counters; a group-mod replaces it as a whole (ofproto/group.h).  Like a rule it is visible in
 * some versions of the tables: many come and go at once with the version that has them, and are put in and taken out
 * before and after that, as time allows.  Megaflows hold it by reference, to count for it after it was replaced.
 *
 * Select groups choose by a hash: the datapath's ("dp_hash") where the weights of the buckets can be met with at most
 * GROUP_MAX_HASHES values of it, dealt out to the buckets by Webster's method; else one of the packet's fields.
 *
 * Threads: the main thread makes and publishes; readers are in an RCU read section or have a reference.
 * Standards: OpenFlow 1.5 §5.10; ovs-ofctl(8) "Group Syntax". */
#ifndef OFPROTO_XGROUP_H
#define OFPROTO_XGROUP_H 1

#include "base/hmap.h"
#include "base/roll.h"
#include "ofproto/xbridge.h"
#include "openflow/msg/group.h"

enum { GROUP_MIN_HASHES = 16, GROUP_MAX_HASHES = 256 };

struct group_counter {
    _Atomic uint64_t n_packets, n_bytes;
};

struct group {
    struct hmap_node node;       /* In ofproto->groups, by id; main thread. */
    struct roll_entry in_roll;   /* In ofproto->groups_roll; main thread. */
    _Atomic uint32_t n_refs;     /* In the line of the roll and the id: requests about all groups look at these. */
    struct group_mod desc;       /* Id, type, buckets and properties; owned. */
    int64_t created;             /* ms; a modification does not change it. */
    struct cls_versions versions; /* Of the tables: in which it is there. */
    /* How a select group chooses. */
    bool uses_dp_hash;
    uint32_t hash_algorithm;     /* enum odp_hash_algorithm */
    uint32_t hash_basis;
    uint32_t n_hashes;           /* A power of two. */
    uint16_t *buckets_by_hash;   /* Bucket's place by hash & (n_hashes - 1); owned. */
    struct group_counter counter;
    struct group_counter *bucket_counters; /* One for each bucket; owned. */
};

/* A group that takes over what '*desc' holds and leaves it empty; one reference.  Released by RCU with the last. */
struct group *group_create(struct group_mod *desc, int64_t created) MUST_CHECK;
/* A reference for an RCU reader: false if it is on its way out. */
bool group_try_ref_rcu(struct group *);
void group_unref(struct group *);

/* Counts for the bucket at that place; SIZE_MAX: for the group. */
void group_credit(struct group *, size_t bucket, uint64_t n_packets, uint64_t n_bytes);

/* The bridge's group in that version of its tables; null: there is none.  Of an older version than the present one it
 * may be the present one's. */
struct group *xbridge_group_rcu(const struct xbridge *, uint32_t group_id, uint64_t version);

/* The writer: puts one in, visible from 'version' on; has one no more visible from then on, and undoes that; takes one
 * out that nobody is to see any more. */
void xbridge_add_group(struct xbridge *, struct group *, uint64_t version);
void group_hide(struct group *, uint64_t version);
void group_unhide(struct group *);
void xbridge_remove_group(struct xbridge *, struct group *);

#endif
