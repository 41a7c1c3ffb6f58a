/* Connection tracking for the userspace datapath.
 *
 * What it is
 * ----------
 * A table of connections, and the function that leads bursts of packets past it: conntrack_run_rcu() finds each
 * packet's connection, advances its state, fills in the packet's ct_state, zone, mark, label and original tuple, makes
 * or renews the connection where the action says "commit", and translates addresses and ports ("nat").
 *
 * How it works
 * ------------
 *   parse.c     from a frame to a tuple, with every length and checksum checked; what is inside an ICMP error;
 *   table.c     connections in chunks of memory that stays theirs; the clock hand;
 *   index.c     the hash tables, in shards, which grow while they are used;
 *   tcp.c, other.c   what a packet does to a connection, one function per kind of protocol; no clock, no table;
 *   track.c     the order of things: find, update, expectation, commit, fill in;
 *   nat.c       which address and port a new connection gets; nat_frame.c writes them into frames;
 *   alg.c, ftp.c, tftp.c   application gateways: expectations of connections that another one announced;
 *   ipf.c       fragments: kept until the packet is whole, tracked as one, and given back as they came;
 *   zone.c      limits and timeout policies;
 *   info.c      what can be seen and flushed.
 *
 * One entry of a shard's table serves both directions of a connection: the hash is the same for a tuple and its
 * reverse. Only a translated connection has a second entry, for the tuple of its replies.  The hash is keyed (random
 * per table), so nobody can choose tuples that collide.  Entries hold 32 bits of the hash and the number of the
 * connection; looking one up costs a cache line of the table and the connection's own lines, however many there are.
 * They are prefetched for a whole burst, as is, for a packet of which the table knows nothing, the memory of the
 * connection that it will open: that is where most of the time of opening one went.
 *
 * A connection's memory is used for nothing but connections, and again only after a grace period of RCU.  So a reader
 * may always look at one that it found; it must then see that it is live and that the tuple is right.
 *
 * Expiry: a connection has the time at which it ends; whoever finds it after that takes it for absent.  A clock hand
 * (conntrack_sweep_rcu()) goes through the chunks in bounded steps and returns what has expired; the time for one round
 * is the sweep interval.
 *
 * Threads and locks
 * -----------------
 * Any RCU reader may run packets.  Lookup takes no lock.  The state of a TCP connection is guarded by a spin lock of
 * one byte in the connection; other protocols take none.  A shard's mutex is held to add or remove an entry only, and
 * for some 30 steps at most (conntrack_longest_hold()): neither growth nor expiry nor a flush holds up a packet by
 * more.  The expectations and the fragments have a mutex each, which packets take only if there are such (an atomic
 * count says so).
 *
 * Limits
 * ------
 * 'max_conns' connections (3,000,000 by default; at most 8,388,608 by construction), per zone as configured; 192 bytes
 * a connection and some 16 of the table.  16 expectations a connection, 65,536 in all.  Fragments: see conntrack/ipf.h.
 *
 * Standards: RFC 9293, 5961 (TCP), "Real stateful TCP packet filtering in IP Filter" by Guido van Rooij (windows), 792,
 * 4443 (ICMP), 9260 (SCTP ports), 959, 2428 (FTP), 1350 (TFTP), 791, 815, 8200, 5722 (fragments), 1624 (checksums),
 * 4787, 5382 (what NAT should do); ovs-fields(7), ovs-actions(7). */
#ifndef CONNTRACK_CONNTRACK_H
#define CONNTRACK_CONNTRACK_H 1

#include "flow/extract.h"
#include "packet/packet.h"

struct conntrack;

enum { CONNTRACK_MAX_CONNS = 3000000, CONNTRACK_SWEEP_MS = 20000, CONNTRACK_BURST = 32 };

/* The application gateways; the names are those of ct(alg=..). */
enum ct_helper { CT_HELPER_NONE, CT_HELPER_FTP, CT_HELPER_TFTP, CT_N_HELPERS };
extern const char *const ct_helper_names[CT_N_HELPERS]; /* "", "ftp", "tftp". */

/* nat(..). */
enum { CT_NAT_SRC = 1, CT_NAT_DST = 2, CT_NAT_PERSISTENT = 4, CT_NAT_HASH = 8, CT_NAT_RANDOM = 16 };
struct ct_nat {
    uint8_t flags;             /* CT_NAT_*; neither SRC nor DST: as the connection has it. */
    bool has_address, is_v6;
    struct ipv6_addr min, max; /* IPv4 as ::ffff:a.b.c.d. */
    uint16_t port_min, port_max; /* 0: none given. */
};

/* One ct(..) action. */
struct ct_action {
    uint16_t zone;
    bool commit, force, has_nat, has_policy;
    enum ct_helper helper;
    uint32_t policy;           /* Timeout policy, if 'has_policy'. */
    uint32_t mark, mark_mask;  /* Host order; 'commit' only. */
    uint8_t label[16], label_mask[16];
    struct ct_nat nat;
};

/* A packet on its way through.  The key's connection fields (and *lines) are written; its headers are not kept up. */
struct ct_packet {
    struct packet *packet;     /* May be replaced; null afterwards: no memory was left for it, and it is gone. */
    struct flow *key;
    uint16_t *lines;
    struct flow_offsets *offsets;
    bool is_changed;           /* Becomes true if the packet's bytes are changed; else it is left. */
};

struct conntrack *conntrack_create(void);
/* No packets may be under way. */
void conntrack_destroy(struct conntrack *);

/* Whether the packet is for conntrack_fragment_rcu() (conntrack/ipf.h). */
static inline bool conntrack_is_fragment(const struct flow *key) { return key->nw_frag & FLOW_FRAG_ANY; }

/* Carries out 'action' on 'n' (at most CONNTRACK_BURST) packets that are no fragments (see conntrack_is_fragment()).
 * 'now' is clock_now_ms(). */
void conntrack_run_rcu(struct conntrack *, const struct ct_action *, struct ct_packet *packets, unsigned int n,
                       int64_t now);

/* Moves the clock hand over at most 'n' connections; returns how many have expired. */
unsigned int conntrack_sweep_rcu(struct conntrack *, unsigned int n, int64_t now);
/* How many connections the hand must pass in 'ms' milliseconds to be round in one sweep interval. */
unsigned int conntrack_sweep_share(const struct conntrack *, unsigned int ms);

/* Whether it has no connections and no fragments. */
bool conntrack_is_idle(const struct conntrack *);

/* Settings.  Main thread; take effect at once. */
void conntrack_set_max_conns(struct conntrack *, uint32_t);
uint32_t conntrack_max_conns(const struct conntrack *);
uint32_t conntrack_n_conns(const struct conntrack *);
void conntrack_set_tcp_seq_chk(struct conntrack *, bool);
bool conntrack_tcp_seq_chk(const struct conntrack *);
void conntrack_set_sweep_interval(struct conntrack *, uint32_t ms);
uint32_t conntrack_sweep_interval(const struct conntrack *);

#endif
