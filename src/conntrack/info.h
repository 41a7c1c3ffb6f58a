/* What can be seen of the table, and what can be flushed.
 *
 * Both are walks over the table in steps, so that whoever has other things to do waits for a step and not for millions
 * of connections.  A walk is a place in the table and refers to nothing: between steps there may be quiescent states.
 * A flush that names a whole tuple, or a zone without connections, needs no walk.
 *
 * Threads: any RCU reader. */
#ifndef CONNTRACK_INFO_H
#define CONNTRACK_INFO_H 1

#include "conntrack/conntrack.h"
#include "base/list.h"
#include "conntrack/tuple.h"

enum ct_tcp_state { CT_TCP_CLOSED, CT_TCP_SYN_SENT, CT_TCP_ESTABLISHED, CT_TCP_CLOSING, CT_TCP_FIN_WAIT_2,
                    CT_TCP_TIME_WAIT, CT_TCP_N_STATES };
extern const char *const ct_tcp_state_names[CT_TCP_N_STATES];
enum { CT_PEER_SCALES = 1, CT_PEER_LIBERAL = 2 };

/* A connection as it was when it was looked at. */
struct ct_entry {
    struct ct_tuple tuple[2];     /* Original, reply. */
    uint32_t mark;
    uint8_t label[16];
    enum ct_helper helper;
    int64_t left_ms;              /* Until it ends. */
    uint8_t peer_state[2], peer_flags[2], peer_shift[2]; /* TCP. */
};

/* All zeros: at the beginning. */
struct ct_walk {
    uint32_t at; /* Number of the connection that was looked at last. */
};

/* Goes past at most 'n' places for connections and calls 'cb' for those that live (of 'zone', if that is not null).
 * True once it has been through: each connection that was there all the time has been met once. */
bool conntrack_walk_rcu(struct conntrack *, struct ct_walk *, unsigned int n, const uint16_t *zone, int64_t now,
                        void (*cb)(void *aux, const struct ct_entry *), void *aux) MUST_CHECK;

/* One expected connection. */
struct ct_expectation_entry {
    struct ct_tuple tuple, parent; /* src_port 0: any. */
    uint32_t mark;
    uint8_t label[16];
};

/* A walk past the expected connections, in the order in which they were announced: each that is there from the
 * beginning to the end is met once, those that come meanwhile are not.  Packets wait for a step at most. */
struct ct_expectation_link {
    struct list node;
    bool is_mark;        /* Of a walk; else of an expectation. */
};
struct ct_expectation_walk {
    struct ct_expectation_link at, end;
};
void conntrack_expectations_begin(struct conntrack *, struct ct_expectation_walk *);
/* Past 'n' more, calling 'cb', which must not call back, for those of 'zone' (null: all); true at the end. */
bool conntrack_expectations_step(struct conntrack *, struct ct_expectation_walk *, unsigned int n, const uint16_t *zone,
                                 void (*cb)(void *aux, const struct ct_expectation_entry *), void *aux) MUST_CHECK;
void conntrack_expectations_end(struct conntrack *, struct ct_expectation_walk *); /* At any time. */

/* Connections in each shard of the table. */
unsigned int conntrack_n_buckets(const struct conntrack *);
void conntrack_bucket_counts(struct conntrack *, uint32_t *counts);

/* The most entries moved, connections given back or fragments dropped while one lock was held that packets may wait for
 * (to open a connection, or with a fragment): how long growth, expiry and flushes hold up a packet at worst, in steps
 * of a cache line or two.  (Beside those there is one search in an array that is three quarters full at most.) */
uint32_t conntrack_longest_hold(const struct conntrack *);

/* Which connections to flush: what is zero (or null) does not matter. */
struct ct_filter_tuple {
    bool has_src, has_dst, has_icmp_id, has_icmp_type, has_icmp_code;
    bool is_v6;
    struct ipv6_addr src, dst;
    uint16_t src_port, dst_port, icmp_id;
    uint8_t icmp_type, icmp_code;
};
struct ct_filter {
    bool has_zone;
    uint16_t zone;
    uint8_t proto;
    uint32_t mark, mark_mask;
    uint8_t label[16], label_mask[16];
    struct ct_filter_tuple orig, reply;
    bool either_way; /* 'orig' is whole, and all that is given: a connection of which it is the reply's fits too. */
};
struct ct_flushing {
    struct ct_filter filter;
    struct ct_walk walk;
    size_t n_removed;
};
/* Goes past at most 'n' places and removes those that fit; true once it has been through.  Connections that are made
 * meanwhile may be spared. */
bool conntrack_flush_step_rcu(struct conntrack *, struct ct_flushing *, unsigned int n, int64_t now) MUST_CHECK;
/* All at once.  The number of connections removed. */
size_t conntrack_flush_rcu(struct conntrack *, const struct ct_filter *, int64_t now);

#endif
