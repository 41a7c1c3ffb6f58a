/* IPFIX: flow records of sampled packets for collectors.
 *
 * What it is
 * ----------
 * An exporter has collectors, a cache of flows, templates and counters.  Whoever samples a packet gives it to
 * ipfix_sample(); packets that agree in all that a record says of them (their "key") are one flow.  A flow's record is
 * sent when it has been in the cache for the active timeout, when the cache is full and it is the oldest, or at once
 * where nothing is cached.
 *
 * The wire
 * --------
 * RFC 7011 over UDP.  A template's number says what its records consist of (ipfix_template()); its elements are the
 * rows of ipfix.def.  Templates are sent before the first record and every template interval, for each observation
 * domain; statistics of the exporting process every statistics interval.  Totals ("...TotalCount") count all that the
 * exporter has seen; counters of dropped packets are always zero, since what becomes of a packet is not known when it
 * is sampled.
 *
 * Threads: any; one mutex inside.
 * Limits: packets in tunnels are described by what they are outside; virtual observation ids of 254 bytes.
 * Standards: RFC 7011, RFC 7012 and IANA's registry of information elements; ovs-vswitchd.conf.db(5). */
#ifndef EXPORT_IPFIX_H
#define EXPORT_IPFIX_H 1

#include "base/bytes.h"
#include "flow/flow.h"

struct ipfix;

enum { IPFIX_DEFAULT_SAMPLING = 400, IPFIX_DEFAULT_INTERVAL_S = 600, IPFIX_MAX_VIRTUAL_ID = 254 };

struct ipfix_config {
    const char *const *targets;  /* "IP:PORT" */
    size_t n_targets;
    uint32_t active_timeout_s, max_flows; /* One of them 0: nothing is cached. */
    uint32_t template_interval_s, stats_interval_s;
    const char *virtual_id;      /* Null: none. */
};

/* The counters, in the order of struct ipfix_stats of the OpenFlow message. */
struct ipfix_counters {
    uint64_t n_flows, n_current_flows, n_packets, n_ipv4, n_ipv6, n_errors, n_ipv4_errors, n_ipv6_errors, n_sent,
        n_send_errors;
};

struct ipfix_interface {
    uint32_t ifindex;            /* 0: none. */
    const char *name;
};

struct ipfix_packet {
    const struct flow *flow;
    size_t len;                  /* Of the frame. */
    uint32_t domain_id, point_id;
    bool is_egress;              /* flowDirection */
    struct ipfix_interface in, out; /* 'out' with a null name: not known, and not in the record. */
};

/* A target that is no address is left out, with a word in the log. */
struct ipfix *ipfix_create(const struct ipfix_config *) MUST_CHECK;
/* What is cached is sent. */
void ipfix_destroy(struct ipfix *);

void ipfix_sample(struct ipfix *, const struct ipfix_packet *);

/* Sends the flows that have been cached for long enough; to be called every second. */
void ipfix_run(struct ipfix *);

void ipfix_get_counters(struct ipfix *, struct ipfix_counters *);

/* ipfix_record.c */

/* Which template. */
enum ipfix_l3 { IPFIX_NO_IP, IPFIX_IPV4, IPFIX_IPV6 };
enum ipfix_l4 { IPFIX_L4_OTHER, IPFIX_TCP, IPFIX_PORTS, IPFIX_PORTS_SCTP, IPFIX_ICMP, IPFIX_N_L4 };
struct ipfix_kind {
    bool has_vlan;
    enum ipfix_l3 l3;
    enum ipfix_l4 l4;
    bool is_tunnel, has_egress;
};
struct ipfix_kind ipfix_kind_of(const struct ipfix_packet *);
uint16_t ipfix_template(const struct ipfix_kind *);

/* Appends the elements in front of the counters: those that make a flow. */
void ipfix_put_key(struct bytes *, const struct ipfix_packet *, const struct ipfix_kind *);

/* Appends a template record. */
void ipfix_put_template(struct bytes *, const struct ipfix_kind *, bool has_virtual_id);

/* Calls 'cb' for each kind of record, in the order of their templates' numbers. */
void ipfix_for_each_kind(void (*cb)(void *aux, const struct ipfix_kind *), void *aux);

#endif
