/* Megaflows: where they are kept and how a packet finds its own.
 *
 * What it is
 * ----------
 * A megaflow is a key, compiled actions, and counters.  The key is that of the packet which it was made for: what
 * the mask leaves out decides nothing and is there to be seen (dump-flows -m), and to translate for the same packet
 * again.  All megaflows with one mask are in one hash table, the mask's "tuple".  Every megaflow fixes input port and
 * recirculation id, so each such pair has a "dictionary": the list of the tuples that its megaflows use, which is
 * all that a packet's lookup must search.
 *
 * The number of masks is bounded
 * ------------------------------
 * Matching on more bits than needed is correct, on fewer never.  A dictionary takes the first MEGAFLOW_MASKS masks as
 * they are wanted; then a new megaflow takes an installed mask that covers the wanted bits, and if there is none, one
 * that matches every bit of the lines concerned ("exact").  Exact megaflows have a quota in each dictionary and push
 * out
 * their own oldest; there are at most MEGAFLOW_TUPLES tuples in all.  So traffic made to create many masks slows
 * down its own port a little, and no other.
 *
 * Memory and RCU
 * --------------
 * The memory of a megaflow is only ever used for megaflows of the same number of lines, until the table is destroyed,
 * and is reused only after a grace period.  A signature cache may therefore hold a pointer to a megaflow that is gone:
 * verifying the pointer against a packet is safe, and if it succeeds, the megaflow that is there now is the right one.
 *
 * Threads: *_rcu() any reader; the others take the table's mutex. */
#ifndef DATAPATH_USER_MEGAFLOW_H
#define DATAPATH_USER_MEGAFLOW_H 1

#include <pthread.h>

#include "base/hmap.h"
#include "base/list.h"
#include "base/tally.h"
#include "datapath/datapath.h"
#include "datapath/user/key.h"
#include "sys/rcu.h"
#include "sys/rcu_map.h"
#include "sys/slot_table.h"

struct offload;
struct offloaded;
struct program;

/* The state of a megaflow is one of these or the number of an epoch.  'Stale' must not serve packets, but is renewed by
 * the answer to the packet that misses it.  That of the present epoch serves packets ("live"); that of an earlier one
 * is in doubt: it may serve once the switch has said that it is right (dp_client.is_right).  So everything can be put
 * in doubt at once, and a lookup is one comparison. */
enum { MEGAFLOW_GONE, MEGAFLOW_STALE, MEGAFLOW_FIRST_EPOCH };

enum { MEGAFLOW_MASKS = 16, MEGAFLOW_TUPLES = 64, MEGAFLOW_EXACT_QUOTA = 8192, MEGAFLOW_STATS = 2,
       MEGAFLOW_MAX_COUNTERS = 64, MEGAFLOW_LINES = 10, MEGAFLOW_LIMIT = 200000, MEGAFLOW_NO_OUTPUT = UINT32_MAX };

/* Slots, of which a megaflow has four or more. */
enum { TUPLE_LARGE = 8192 };

/* Counters of a megaflow: the first slot is that of one worker, the first that counted; all others share the second. */
struct megaflow_stats {
    _Atomic uint64_t n_packets, n_bytes;
};

struct tuple {
    /* Fast path. */
    struct slot_table table;  /* A slot is tuple_slot_flow(), or TUPLE_REMOVED. */
    _Atomic uint64_t newest;  /* The number of the megaflow that came last (megaflow_table.n_put). */
    uint16_t map;             /* Lines of the mask that are not zero. */
    /* Slow path. */
    bool is_exact;            /* All bits of those lines. */
    struct megaflow_table *all; /* That it is in. */
    struct list node;         /* In megaflow_table.tuples. */
    struct flow mask ALIGNED(64);
};

_Static_assert(offsetof(struct tuple, is_exact) < 64, "a line that lookups read");

struct dp_flow {
    /* Fast path, read only but for 'state'. */
    struct tuple *tuple;
    RCU_PTR(struct program) program;
    _Atomic uint32_t sole_output; /* The port, if the actions are just one output; else MEGAFLOW_NO_OUTPUT. */
    uint8_t n_lines;
    _Atomic uint8_t counter;      /* Number of the worker that has the first slot of 'stats', plus 1; 0: none yet. */
    uint16_t lines;               /* Of the mask, those that 'key' has: the others are all zero in the key. */
    _Atomic uint64_t state;       /* MEGAFLOW_*, or an epoch. */
    uint64_t hash;                /* Of the masked key. */
    /* Slow path. */
    union {
        struct dictionary *dictionary;
        struct dp_flow *next_free; /* When free. */
    };
    _Atomic(void *) owner;
    _Atomic(struct offloaded *) offload; /* Null: its port has not been offered it (offload.h). */
    struct megaflow_stats stats[MEGAFLOW_STATS] ALIGNED(64);
    _Atomic int64_t used;         /* By whoever counted last. */
    _Atomic uint16_t tcp_flags;
    uint16_t seen;                /* Lines of the key that the mask lacks. */
    bool has_name;                /* In megaflow_table.names; under the table's mutex. */
    struct list exact_node;       /* In dictionary->exact. */
    struct flow_line key[] ALIGNED(64); /* 'lines', unmasked; then those of 'seen'. */
};

_Static_assert(sizeof(struct dp_flow) == 128, "a line that lookups read, and one that counting writes");

struct dictionary_list {
    unsigned int n;
    struct tuple *tuples[];
};

struct dictionary {
    be32 in_port, recirc_id;
    RCU_PTR(struct dictionary_list) list;
    size_t n_flows[MEGAFLOW_TUPLES]; /* Megaflows in each tuple of the list. */
    struct list exact;        /* Exact megaflows, oldest first. */
    size_t n_exact;
};

struct megaflow_table {
    pthread_mutex_t mutex;
    struct rcu_map dictionaries; /* By dictionary_hash(). */
    _Atomic uint64_t epoch;
    _Atomic uint64_t n_put;      /* Megaflows that ever came; written under the mutex. */
    struct list tuples;
    size_t n_tuples;
    _Atomic size_t n_flows;
    size_t limit;
    struct hmap names, flows_by_name; /* struct megaflow_name: ufids that were given, by flow; by ufid. */
    struct dp_flow *free[MEGAFLOW_LINES + 1]; /* Memory to reuse, by number of lines. */
    void **blocks;               /* All memory, for the end. */
    size_t n_blocks, blocks_capacity;
    void (*owner_free)(void *aux, void *owner, const struct dp_flow_stats *final);
    bool owners_begin_stale;     /* Megaflows with an owner do: dp_client.installed. */
    void *aux;
    struct offload *offload;     /* Null: megaflows are not given to devices. */
};

void megaflow_table_init(struct megaflow_table *);
/* No readers may be left. */
void megaflow_table_uninit(struct megaflow_table *);

static inline uint32_t
dictionary_hash(be32 in_port, be32 recirc_id)
{
    return key_mix(((uint64_t) in_port << 32 | recirc_id) ^ KEY_SECRET0, KEY_SECRET1);
}

/* The dictionary of a pair, null if it has no megaflows. */
struct dictionary *megaflow_dictionary_rcu(const struct megaflow_table *, be32 in_port, be32 recirc_id);

/* The state that live ones have. */
static ALWAYS_INLINE uint64_t
megaflow_epoch(const struct megaflow_table *t)
{
    return atomic_load_explicit(&t->epoch, memory_order_acquire);
}

/* How many megaflows have come so far: what is looked for after that and not found need not be looked for again but in
 * tuples to which one has come since. */
static ALWAYS_INLINE uint64_t
megaflow_n_put(const struct megaflow_table *t)
{
    return atomic_load_explicit(&t->n_put, memory_order_acquire);
}

/* All zero. */
extern const struct flow_line megaflow_no_line;

/* Whether the packet belongs to the megaflow, and its state is 'at_least': the epoch, or MEGAFLOW_STALE. */
static ALWAYS_INLINE bool
megaflow_matches_rcu(const struct dp_flow *f, struct flow *key, uint16_t *lines, uint64_t at_least)
{
    const struct flow_line *v = f->key;
    const struct tuple *t;

    /* First this: what is not gone when it is looked at keeps its contents until this reader is done. */
    if (UNLIKELY(atomic_load_explicit(&f->state, memory_order_acquire) < at_least)) {
        return false;
    }
    t = f->tuple;
    if (LIKELY(t->map == FLOW_LINE_BASE)) {
        return key_line_matches(&key->lines[0], &t->mask.lines[0], v);
    }
    key_need_lines(key, lines, t->map);
    FLOW_FOR_EACH_LINE (i, t->map) {
        if (!key_line_matches(&key->lines[i], &t->mask.lines[i], f->lines >> i & 1 ? v++ : &megaflow_no_line)) {
            return false;
        }
    }
    return true;
}

/* In a slot: the megaflow, and 16 bits of its hash above. */
#define TUPLE_REMOVED UINT64_C(1)
#define TUPLE_SIG_SHIFT 48
static ALWAYS_INLINE struct dp_flow *
tuple_slot_flow(uint64_t slot)
{
    return (struct dp_flow *) (slot & ((UINT64_C(1) << TUPLE_SIG_SHIFT) - 1));
}

static ALWAYS_INLINE uint64_t
tuple_hash(const struct tuple *t, const struct flow *key)
{
    uint64_t h = 0;

    if (LIKELY(t->map == FLOW_LINE_BASE)) {
        return key_hash_line(&key->lines[0], &t->mask.lines[0], 0);
    }
    FLOW_FOR_EACH_LINE (i, t->map) {
        h = key_hash_line(&key->lines[i], &t->mask.lines[i], h);
    }
    return h;
}

/* Whether its slots and megaflows are too many for the processor's nearest cache. */
static ALWAYS_INLINE bool
tuple_is_large_rcu(const struct tuple *t)
{
    return slot_table_get_rcu(&t->table)->mask >= TUPLE_LARGE;
}

/* Asks for what tuple_lookup_hashed_rcu() reads first; once that is there: for the megaflow that it probably finds, and
 * what counting for that writes. */
static ALWAYS_INLINE void
tuple_prefetch_slot_rcu(struct tuple *t, uint64_t hash)
{
    const struct slot_array *table = slot_table_get_rcu(&t->table);

    __builtin_prefetch(&table->slots[hash & table->mask]);
}

static ALWAYS_INLINE void
tuple_prefetch_flow_rcu(struct tuple *t, uint64_t hash)
{
    const struct slot_array *table = slot_table_get_rcu(&t->table);
    size_t i = hash & table->mask;
    uint64_t slot;

    while ((slot = slot_at(table, i)) != 0 && slot >> TUPLE_SIG_SHIFT != hash >> TUPLE_SIG_SHIFT) {
        i = (i + 1) & table->mask;
    }
    if (LIKELY(slot > TUPLE_REMOVED)) {
        const struct dp_flow *f = tuple_slot_flow(slot);

        __builtin_prefetch(f);
        __builtin_prefetch(f->stats, 1);
        __builtin_prefetch(f->key);
    }
}

/* The packet's megaflow of those with the tuple's mask, null if there is none.  'hash' is tuple_hash(). */
static ALWAYS_INLINE struct dp_flow *
tuple_lookup_hashed_rcu(struct tuple *t, uint64_t hash, struct flow *key, uint16_t *lines, uint64_t at_least)
{
    const struct slot_array *table = slot_table_get_rcu(&t->table);

    for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        uint64_t slot = atomic_load_explicit(&table->slots[i], memory_order_acquire);

        if (!slot) {
            return NULL;
        }
        if (slot >> TUPLE_SIG_SHIFT == hash >> TUPLE_SIG_SHIFT && slot != TUPLE_REMOVED
            && megaflow_matches_rcu(tuple_slot_flow(slot), key, lines, at_least)) {
            return tuple_slot_flow(slot);
        }
    }
}

static ALWAYS_INLINE struct dp_flow *
tuple_lookup_rcu(struct tuple *t, struct flow *key, uint16_t *lines, uint64_t at_least)
{
    key_need_lines(key, lines, t->map);
    return tuple_lookup_hashed_rcu(t, tuple_hash(t, key), key, lines, at_least);
}

/* The megaflow of a packet, null if there is none; adds the number of masks visited to '*n_masks'.  'since': only in
 * tuples to which one has come after that many; 0: in all. */
struct dp_flow *megaflow_lookup_rcu(const struct dictionary *, struct flow *key, uint16_t *lines, uint64_t *n_masks,
                                    uint64_t at_least, uint64_t since);
/* Asks for what that reads first of each tuple; and a lookup of the same packet, in all tuples, in the same read
 * section, once it has been asked for. */
struct megaflow_ahead {
    const struct dictionary_list *list;  /* Null: nothing was asked for. */
    uint64_t hashes[MEGAFLOW_TUPLES];    /* Of the packet, for each tuple of the list. */
};
void megaflow_prefetch_rcu(const struct dictionary *, struct flow *key, uint16_t *lines, struct megaflow_ahead *);
struct dp_flow *megaflow_lookup_ahead_rcu(const struct dictionary *, struct flow *key, uint16_t *lines,
                                          uint64_t *n_masks, uint64_t at_least, const struct megaflow_ahead *);

/* Installs a megaflow and takes over 'program' and 'owner'.  If one that covers 'key' is there already: if it is stale
 * or with 'modify', gives it the program and, if 'owner' is not null, the owner (a stale one whose mask is too wide
 * goes instead), and returns MEGAFLOW_TAKEN_OVER; '*before' is what it has counted for others.  Else -EEXIST ('*flowp'
 * is that one; program and owner stay the caller's).  Without 'create': -ENOENT if it is not there; -ENOSPC above the
 * limit. */
enum { MEGAFLOW_TAKEN_OVER = 1 };
int megaflow_put(struct megaflow_table *, const struct flow *key, const struct flow *mask, struct program *program,
                 void *owner, bool create, bool modify, struct dp_flow **flowp, struct dp_flow_stats *before);
/* The same with 'create' and without 'modify', for a packet that was looked for with MEGAFLOW_STALE when
 * megaflow_n_put() was 'since', and not found.  The mask has no bits but in FLOW_LINES_PACKET, and all of in_port and
 * recirc_id. */
int megaflow_put_missed(struct megaflow_table *, const struct flow *key, const struct flow *mask,
                        struct program *program, void *owner, uint64_t since, struct dp_flow **flowp,
                        struct dp_flow_stats *before);

/* Makes it stale; live, if it is the owner's.  Without effect on a megaflow that is gone.  Any thread. */
void megaflow_set_stale(struct dp_flow *);
void megaflow_set_live(struct dp_flow *, const void *owner);

/* Puts all live ones in doubt.  Any thread. */
void megaflow_begin_epoch(struct megaflow_table *);

/* Removes a megaflow; -ENOENT if it is gone already.  Its memory and owner are released after a grace period. */
int megaflow_del(struct megaflow_table *, struct dp_flow *, struct dp_flow_stats *stats);
void megaflow_flush(struct megaflow_table *);

/* Calls 'cb' for every megaflow until it returns false, in the order of their memory; of those that come or go
 * meanwhile it sees any part.  Nobody is kept waiting: the lock is held for a moment for each block of them.  The
 * callback may delete the megaflow it is given, and may say rcu_quiescent(). */
void megaflow_for_each_rcu(struct megaflow_table *, bool (*cb)(void *aux, struct dp_flow *), void *aux);
/* For datapath_class.flow_walk. */
bool megaflow_walk_rcu(struct megaflow_table *, struct dp_flow_position *, unsigned int n,
                       void (*cb)(void *aux, struct dp_flow *), void *aux) MUST_CHECK;

/* The key of the packet that it was made for. */
void megaflow_get_key(const struct dp_flow *, struct flow *);

/* Counters, added up. */
void megaflow_get_stats(const struct dp_flow *, struct dp_flow_stats *);

/* The name of a megaflow: made of its masked key and its mask, so that the same one has the same name again; or given
 * to it by megaflow_set_ufid(). */
void megaflow_get_ufid(const struct dp_flow *, struct uuid *);
void megaflow_set_ufid(struct megaflow_table *, struct dp_flow *, const struct uuid *);
/* The megaflow of that name, any of several that were given it; null if there is none.  Half of a name that was not
 * given is the hash by which a tuple finds the megaflow, so that only one place of each tuple is looked at. */
struct dp_flow *megaflow_find_ufid_rcu(struct megaflow_table *, const struct uuid *);

/* Makes the first slot the worker's own; false if another one has it.  Executors, of which several threads may be one
 * number, never have it. */
bool megaflow_claim_stats(struct dp_flow *, unsigned int worker);

/* Counts for the worker with number 'worker'. */
static ALWAYS_INLINE void
megaflow_count(struct dp_flow *f, unsigned int worker, uint64_t n_packets, uint64_t n_bytes, uint16_t tcp_flags,
               int64_t now)
{
    struct megaflow_stats *s = &f->stats[0];

    if (LIKELY(atomic_load_explicit(&f->counter, memory_order_relaxed) == worker + 1) ||
        megaflow_claim_stats(f, worker)) {
        tally_add(&s->n_packets, n_packets); /* The only writer. */
        tally_add(&s->n_bytes, n_bytes);
    } else {
        s = &f->stats[1];
        atomic_fetch_add_explicit(&s->n_packets, n_packets, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->n_bytes, n_bytes, memory_order_relaxed);
    }
    atomic_store_explicit(&f->used, now, memory_order_relaxed);
    if (tcp_flags & ~atomic_load_explicit(&f->tcp_flags, memory_order_relaxed)) {
        atomic_fetch_or_explicit(&f->tcp_flags, tcp_flags, memory_order_relaxed);
    }
}

#endif
