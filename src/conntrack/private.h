/* The inside of conntrack: see conntrack.h for how it hangs together. */
#ifndef CONNTRACK_PRIVATE_H
#define CONNTRACK_PRIVATE_H 1

#include <pthread.h>
#include <stdatomic.h>

#include "base/hmap.h"
#include "base/list.h"
#include "conntrack/conntrack.h"
#include "conntrack/info.h"
#include "conntrack/tuple.h"
#include "conntrack/zone.h"
#include "packet/headers.h"
#include "sys/area.h"
#include "sys/rcu.h"

enum { CT_ORIG, CT_REPLY, CT_N_DIRS };

/* Of a connection's memory. */
enum { CONN_FREE, CONN_LIVE, CONN_DEAD };
/* Of a connection. */
enum { CONN_SNAT = 1, CONN_DNAT = 2, CONN_NAT = CONN_SNAT | CONN_DNAT, CONN_RELATED = 4, CONN_TWO_ENTRIES = 8,
       CONN_HAS_ALG = 16, CONN_SHOWS_SNAT = 32, CONN_SHOWS_DNAT = 64, /* As asked for: translated or not. */
       CONN_ONE_WAY = 128, /* Its replies are those of a translated connection. */
       CONN_SHOWS_NAT = CONN_SHOWS_SNAT | CONN_SHOWS_DNAT };

/* One end of a TCP connection (van Rooij's names: end, maxend, maxwin). */
struct ct_peer {
    uint32_t end;      /* Highest sequence number sent, plus one. */
    uint32_t max_end;  /* Highest that the other end allows. */
    uint32_t max_win;  /* Largest window advertised, before it is shifted. */
    uint8_t shift;     /* Of the windows that it advertises. */
    uint8_t state;     /* enum ct_tcp_state */
    uint8_t flags;     /* CT_PEER_* (info.h) */
};

struct ct_conn {
    /* Read by every packet; constant while the connection lives. */
    struct ct_tuple tuple[CT_N_DIRS]; /* [CT_REPLY]: as replies come, before they are translated back. */
    _Atomic uint8_t memory;           /* CONN_FREE... */
    uint8_t flags;
    uint8_t helper;                   /* enum ct_helper */
    uint8_t has_policy;
    uint32_t policy;
    /* Written by packets. */
    _Atomic int64_t expires;          /* ms */
    _Atomic uint8_t lock;             /* Of 'peers' and 'skew'. */
    _Atomic uint8_t state;            /* enum ct_other_state, not for TCP. */
    _Atomic uint32_t mark;
    _Atomic uint64_t label[2];        /* Bytes in order. */
    struct ct_peer peers[CT_N_DIRS];
    /* Slow path. */
    struct ct_alg *alg;               /* A connection with a gateway, or related to one (CONN_HAS_ALG); else null. */
    uint32_t hash[CT_N_DIRS];
    uint32_t number, next;            /* Its own; the next in the list that it is in when not live, 0: last. */
} ALIGNED(64);
_Static_assert(sizeof(struct ct_conn) == 192, "a million connections in 250 MB");

enum { CT_TOUCH_MS = 50, CT_SHARDS = 256, CT_SHARD_SHIFT = 24, CT_CHUNK = AREA_PIECE_SIZE / sizeof(struct ct_conn),
       CT_CHUNKS = 65536, CT_MAX_BATCH = 64 };

/* Whether 'alg' is there, without a look at its cache line for those that have none. */
static inline bool
ct_has_alg(const struct ct_conn *c)
{
    return UNLIKELY(c->flags & CONN_HAS_ALG) && c->alg;
}

/* Entries: hash in the upper half, number and direction below.  0 empty, 1 removed. */
struct ct_slots {
    _Atomic(struct ct_slots *) old; /* From which entries are still being moved; else null. */
    uint32_t mask;
    _Atomic uint64_t slots[];
};

struct ct_shard {
    pthread_mutex_t mutex;
    RCU_PTR(struct ct_slots) slots; /* Null until the first entry. */
    uint32_t n, n_removed, n_conns; /* Entries; slots that are 1; entries of original tuples. */
    uint32_t moved;                 /* Slots of slots->old that are through. */
    _Atomic uint32_t free;          /* Connections to use, by 'next'; read without the mutex to prefetch. */
    uint32_t dead, n_dead;          /* Those that wait for a grace period to begin... */
    uint32_t waiting;               /* ...and for one to end. */
    struct conntrack *ct;
} ALIGNED(64);

struct ipf;
struct ct_expectations;

struct conntrack {
    uint64_t key[8];                  /* Of the hash. */
    _Atomic uint32_t n_conns;
    _Atomic uint32_t max_conns;
    _Atomic bool tcp_seq_chk;
    _Atomic uint32_t sweep_ms;
    _Atomic(struct ct_conn *) *chunks; /* CT_CHUNKS; null beyond n_chunks. */
    _Atomic uint32_t n_chunks;
    _Atomic uint32_t n_in_defer;      /* Shards with a grace period under way. */
    _Atomic uint32_t longest_hold;    /* See conntrack_longest_hold(). */
    uint32_t hand;                    /* Number of the connection that the clock hand is at; under hand_mutex. */
    pthread_mutex_t hand_mutex;
    struct ct_zones zones;
    struct ct_expectations *expectations;
    struct ipf *ipf;
    struct ct_shard shards[CT_SHARDS];
};

/* parse.c */
struct ct_parsed {
    struct ct_tuple tuple; /* As the packet has it; of an ICMP error: of the packet inside, in reverse. */
    uint32_t hash;
    struct ct_conn *candidate; /* Probably the connection, to be seen; null: none is known. */
    uint8_t candidate_entry;   /* By which of its entries it was found. */
    bool valid, related, is_v6;
    bool partial;          /* The transport checksum is partial. */
    uint8_t *l3, *l4;      /* In the frame. */
    uint32_t l3_len, l4_len; /* As the IP header says. */
    uint8_t *inner_l3, *inner_l4; /* Of an ICMP error. */
    uint32_t inner_len;    /* From inner_l3. */
};
/* Reads the packet of 'len' bytes at 'frame' with its L3 header at 'l3'.  The transport checksum is looked at unless
 * 'csum_known'.  Whether it can be tracked is 'valid'.  'hash' is left. */
void ct_parse(void *frame, size_t len, size_t l3, bool is_v6, uint16_t zone, bool csum_known, struct ct_parsed *);
/* Finds the transport header of an IPv6 packet of 'len' bytes: its offset, 0 if there is none.  '*frag' becomes the
 * offset of the fragment header, or 0. */
size_t ct_ipv6_payload(const uint8_t *ip, size_t len, uint8_t *proto, size_t *frag);

static ALWAYS_INLINE struct ct_shard *
ct_shard_of(struct conntrack *ct, uint32_t hash)
{
    return &ct->shards[hash >> CT_SHARD_SHIFT];
}

/* Notes that 'n' things were looked at while a lock was held that packets take. */
static inline void
ct_note_hold(struct conntrack *ct, uint32_t n)
{
    if (UNLIKELY(n > atomic_load_explicit(&ct->longest_hold, memory_order_relaxed))) {
        atomic_store_explicit(&ct->longest_hold, n, memory_order_relaxed);
    }
}

/* index.c */
uint32_t ct_hash(const struct conntrack *, const struct ct_tuple *);
void ct_prefetch(struct conntrack *, uint32_t hash);
/* The connection and the direction that the tuple has in it; null if there is none that has not expired. */
struct ct_conn *ct_find_rcu(struct conntrack *, const struct ct_tuple *, uint32_t hash, int64_t now, int *dir);
/* The one that is probably meant, of which nothing has been read, and by which entry; null if there is none of that
 * hash.  Whether it is the one. */
struct ct_conn *ct_candidate_rcu(struct conntrack *, uint32_t hash, uint8_t *entry);
bool ct_is_it(struct ct_conn *, uint8_t entry, const struct ct_tuple *, int64_t now, int *dir);
/* Whether a live connection has a tuple, or its reverse, of this hash. */
bool ct_is_taken_rcu(struct conntrack *, const struct ct_tuple *, const struct ct_tuple *reverse, uint32_t hash,
                     int64_t now);
/* Entries for one direction's tuple. */
void ct_index_add_locked(struct ct_shard *, uint32_t hash, uint32_t number, int dir);
void ct_index_remove(struct conntrack *, uint32_t hash, uint32_t number, int dir);
void ct_index_uninit(struct ct_shard *);

/* table.c */
void ct_table_init(struct conntrack *);
void ct_table_uninit(struct conntrack *);
/* Memory for a new connection with tuple[CT_ORIG] set, whose ct_hash() is 'hash'; null if there is none.  Not to be
 * seen before ct_insert(). */
struct ct_conn *ct_new(struct conntrack *, const struct ct_tuple *orig, uint32_t hash);
/* Prefetches what ct_new() will take for that hash, if nobody else takes it. */
void ct_prefetch_new(struct conntrack *, uint32_t hash);
/* Publishes it; false if one of its tuples is taken (the caller tries another or gives it back). */
bool ct_insert(struct conntrack *, struct ct_conn *, int64_t now) MUST_CHECK;
/* The same, for a packet that is taken as it is: the tuple of its replies may be a translated connection's, whose they
 * stay. */
bool ct_insert_untranslated(struct conntrack *, struct ct_conn *, int64_t now) MUST_CHECK;
void ct_give_back(struct conntrack *, struct ct_conn *);
/* Removes it; false if somebody else did. */
bool ct_remove(struct conntrack *, struct ct_conn *);
struct ct_conn *ct_conn_at(const struct conntrack *, uint32_t number);

static ALWAYS_INLINE bool
ct_conn_is_live(const struct ct_conn *c)
{
    return atomic_load_explicit(&((struct ct_conn *) c)->memory, memory_order_acquire) == CONN_LIVE;
}

static inline bool
ct_conn_is_live_at(const struct ct_conn *c, int64_t now)
{
    return ct_conn_is_live(c) && atomic_load_explicit(&((struct ct_conn *) c)->expires, memory_order_relaxed) > now;
}

static ALWAYS_INLINE void
ct_conn_lock(struct ct_conn *c)
{
    while (atomic_exchange_explicit(&c->lock, 1, memory_order_acquire)) {
        __builtin_ia32_pause();
    }
}

static ALWAYS_INLINE void
ct_conn_unlock(struct ct_conn *c)
{
    atomic_store_explicit(&c->lock, 0, memory_order_release);
}

/* Sets the end of the connection's life to 'timeout' from now. */
static ALWAYS_INLINE void
ct_conn_touch(struct conntrack *ct, struct ct_conn *c, enum ct_timeout timeout, int64_t now)
{
    int64_t expires = now + ct_timeout_ms(&ct->zones, c->has_policy, c->policy, timeout);

    int64_t more = expires - atomic_load_explicit(&c->expires, memory_order_relaxed);

    /* Not for every packet: the line is shared by the workers of both directions. */
    if (more < 0 || more >= CT_TOUCH_MS) {
        atomic_store_explicit(&c->expires, expires, memory_order_relaxed);
    }
}

/* tcp.c, other.c: what a packet means for a connection. */
enum ct_verdict { CT_IS_NEW, CT_IS_ESTABLISHED, CT_IS_INVALID, CT_IS_REOPENED /* A new one in the old one's place. */ };
bool ct_tcp_is_opening(const struct ct_parsed *);
void ct_tcp_open(struct ct_conn *, const struct ct_parsed *, enum ct_timeout *);
enum ct_verdict ct_tcp_update(struct ct_conn *, int dir, const struct ct_parsed *, bool check, enum ct_timeout *);
bool ct_other_is_opening(const struct ct_parsed *);
void ct_other_open(struct ct_conn *, const struct ct_parsed *, enum ct_timeout *);
enum ct_verdict ct_other_update(struct ct_conn *, int dir, const struct ct_parsed *, enum ct_timeout *);

/* nat.c: chooses c->tuple[CT_REPLY] for a new connection and inserts it; false if nothing is free.  'expected' (or
 * null) decides what its gateway promised. */
struct ct_expected;
bool ct_nat_insert(struct conntrack *, struct ct_conn *, const struct ct_nat *, const struct ct_expected *expected,
                   int64_t now) MUST_CHECK;

/* nat_frame.c: translates the packet of a connection as its direction wants; returns CT_SNAT, CT_DNAT as done. */
uint8_t ct_nat_translate(const struct ct_conn *, int dir, const struct ct_parsed *);
/* Writes 'n' (even) bytes of the TCP or UDP header or payload at 'at' and updates its checksum. */
void ct_l4_write(const struct ct_parsed *, uint8_t *at, const void *new, size_t n);
/* Computes the transport checksum anew; where it is partial: the pseudo-header's. */
void ct_l4_csum_renew(const struct ct_parsed *);

/* alg.c */
/* What a connection that was expected gets. */
struct ct_expected {
    struct ct_tuple parent;        /* Its parent's original tuple. */
    uint32_t mark;
    uint64_t label[2];
    struct ipv6_addr src, dst;     /* After translation. */
    be16 dst_port;
};
struct ct_alg;
void ct_expectations_init(struct conntrack *);
void ct_expectations_uninit(struct conntrack *);
/* The expectation that a new connection's tuple fulfils; 'take' removes it.  False if there is none. */
bool ct_expectation_find(struct conntrack *, const struct ct_tuple *, int64_t now, bool take, struct ct_expected *);
/* Announces that the other end of 'c' (than that of direction 'dir') will connect to 'port' of this end.  '*seen_port'
 * is the port under which it does so; 0: it becomes one that is free.  False if there are too many. */
bool ct_expect(struct conntrack *, struct ct_conn *, int dir, be16 port, be16 *seen_port, int64_t now) MUST_CHECK;
/* Gives a connection that is not published yet its gateway, and its parent ('expected' may be null). */
void ct_alg_attach(struct ct_conn *, enum ct_helper, const struct ct_expected *expected);
/* The connection has died: what it announced holds no longer.  Its memory is used no more. */
void ct_alg_forget(struct conntrack *, struct ct_conn *);
void ct_alg_free(struct conntrack *, struct ct_conn *);
/* The original tuple that packets of the connection show. */
const struct ct_tuple *ct_alg_shown_tuple(const struct ct_conn *);
/* Leads a packet through the connection's gateway: before its state is updated (numbers of acknowledgements), and
 * after, before it is translated (commands; 'packet' may become another one, and 'p' follows). */
void ct_alg_before(struct ct_conn *, int dir, const struct ct_parsed *);
void ct_alg_after(struct conntrack *, struct ct_conn *, int dir, struct ct_packet *, struct ct_parsed *, int64_t now);

/* ftp.c, tftp.c: one packet. */
enum { CT_FTP_LINE = 128 };
/* What one end of an FTP connection has said of a line that it has not finished.  Under the connection's lock. */
struct ct_ftp_line {
    uint32_t next; /* Sequence number of what follows, as sent. */
    uint8_t n;
    char text[CT_FTP_LINE];
};
/* Of a connection with that gateway. */
struct ct_ftp_line *ct_alg_ftp_line(struct ct_conn *, int dir);
void ct_ftp_run(struct conntrack *, struct ct_conn *, int dir, struct ct_packet *, struct ct_parsed *, int64_t now);
void ct_tftp_run(struct conntrack *, struct ct_conn *, int dir, const struct ct_parsed *, int64_t now);
/* Puts 'n' bytes in the place of 'old_n' bytes of the payload at 'at' (an offset from p->l4) and keeps all lengths,
 * checksums and sequence numbers right.  False without memory. */
bool ct_alg_replace(struct ct_conn *, int dir, struct ct_packet *, struct ct_parsed *, size_t at, size_t old_n,
                    const void *new, size_t n) MUST_CHECK;

#endif
