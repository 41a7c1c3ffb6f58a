/* What can be seen of the table, and what can be flushed.
 *
 * Threads: any RCU reader. */
#ifndef CONNTRACK_INFO_H
#define CONNTRACK_INFO_H 1

#include "conntrack/conntrack.h"
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

/* Calls 'cb' for each connection (of 'zone', if that is not null) until it returns false. */
void conntrack_for_each_rcu(struct conntrack *, const uint16_t *zone, int64_t now,
                            bool (*cb)(void *aux, const struct ct_entry *), void *aux);

/* One expected connection. */
struct ct_expectation_entry {
    struct ct_tuple tuple, parent; /* src_port 0: any. */
    uint32_t mark;
    uint8_t label[16];
};
void conntrack_for_each_expectation(struct conntrack *, const uint16_t *zone,
                                    void (*cb)(void *aux, const struct ct_expectation_entry *), void *aux);

/* Connections in each shard of the table. */
unsigned int conntrack_n_buckets(const struct conntrack *);
void conntrack_bucket_counts(struct conntrack *, uint32_t *counts);

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
};
/* The number of connections removed. */
size_t conntrack_flush_rcu(struct conntrack *, const struct ct_filter *, int64_t now);

#endif
