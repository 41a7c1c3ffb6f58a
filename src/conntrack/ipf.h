/* IP fragments on their way through connection tracking.
 *
 * What it is
 * ----------
 * A fragment alone tells no ports, so it cannot be tracked.  Fragments are kept until their packet is whole; that is
 * put together, tracked and translated; then the fragments go on as they came, in order of their offsets, with what
 * tracking said of the whole, and with the bytes that translation changed.
 *
 * A fragment that cannot be kept goes on at once, as invalid: too small (other than the last), overlapping, malformed,
 * or beyond the number that may be kept.  Overlapping fragments of IPv6 make the whole packet invalid (RFC 5722); of
 * IPv4, what came first stays.  What is not whole after 15 seconds is dropped.
 *
 * Threads: any RCU reader; settings main thread.  A mutex guards all; packets that are no fragments do not take it.
 * Limits: 1000 fragments, at most 5000 (ovs-dpctl(8)).
 * Standards: RFC 791, 815, 8200 §4.5, 5722, 6946. */
#ifndef CONNTRACK_IPF_H
#define CONNTRACK_IPF_H 1

#include "base/list.h"
#include "conntrack/conntrack.h"

enum { IPF_V4, IPF_V6, IPF_N_FAMILIES, IPF_MAX_FRAGS = 1000, IPF_MAX_FRAGS_LIMIT = 5000, IPF_MIN_V4 = 1200,
       IPF_MIN_V6 = 1280, IPF_MIN_LIMIT = 400, IPF_LIFE_MS = 15000 };

struct ipf;

struct ipf_status {
    bool enabled[IPF_N_FAMILIES];
    uint32_t min_size[IPF_N_FAMILIES], max_frags, n_frags;
    uint64_t n_accepted[IPF_N_FAMILIES], n_completed[IPF_N_FAMILIES], n_expired[IPF_N_FAMILIES],
        n_too_small[IPF_N_FAMILIES], n_overlapped[IPF_N_FAMILIES], n_purged[IPF_N_FAMILIES];
};

/* A fragment that is kept, or given back. */
struct ct_fragment {
    struct list node;
    struct packet *packet;
    struct flow_offsets offsets;
    uint16_t lines;
    uint32_t start, end;   /* Of its data in the whole. */
    uint32_t at;           /* Of its data in the frame. */
    struct flow key ALIGNED(64);
};

/* Takes a fragment: k->packet is null afterwards, unless it must go on as it is (its key says "invalid").  Those that
 * may go on now are appended to 'released', to be freed with ct_fragment_free(). */
void conntrack_fragment_rcu(struct conntrack *, const struct ct_action *, struct ct_packet *k, int64_t now,
                            struct list *released);
/* Releases it, and its packet if that is not null. */
void ct_fragment_free(struct ct_fragment *);

/* Settings; -EPERM (as the reference says) beyond the limits. */
void conntrack_ipf_set_enabled(struct conntrack *, int family, bool);
int conntrack_ipf_set_min(struct conntrack *, int family, uint32_t size);
int conntrack_ipf_set_max_frags(struct conntrack *, uint32_t n);
void conntrack_ipf_status(struct conntrack *, struct ipf_status *);

/* What is not whole yet. */
struct ipf_entry {
    struct ipv6_addr src, dst; /* IPv4 as ::ffff:a.b.c.d. */
    bool is_v6;
    uint32_t id, recirc_id, n;
    uint16_t zone;
    uint8_t proto;
    bool has_first, has_last;
};
void conntrack_ipf_for_each(struct conntrack *, void (*cb)(void *aux, const struct ipf_entry *), void *aux);

/* The tracker's fragments. */
struct ipf *conntrack_ipf(struct conntrack *);
/* Drops what has waited too long, a few packets at once while fragments may want the lock. */
void ipf_expire(struct ipf *, int64_t now);
/* See conntrack_longest_hold(). */
uint32_t ipf_longest_hold(const struct ipf *);
bool ipf_is_empty(struct ipf *);
struct ipf *ipf_create(void);
void ipf_destroy(struct ipf *);

#endif
