/* Where connections are kept: chunks of memory, and hash tables in shards.  See conntrack.h. */
#include <stdlib.h>
#include <string.h>

#include "conntrack/ipf.h"
#include "conntrack/private.h"
#include "sys/random.h"

enum { SLOTS_MIN = 8, DEFER_AT = 64 };

static ALWAYS_INLINE uint64_t
fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128) a * b;

    return (uint64_t) product ^ (uint64_t) (product >> 64);
}

/* Address and port of one end, under the table's key. */
static ALWAYS_INLINE uint64_t
hash_end(const struct conntrack *ct, const struct ipv6_addr *a, be16 port)
{
    uint64_t w[2];

    memcpy(w, a, sizeof w);
    return fold(fold(w[0] + ct->key[0], w[1] + ct->key[1]) + ct->key[2], (FORCE uint16_t) port + ct->key[3]);
}

uint32_t
ct_hash(const struct conntrack *ct, const struct ct_tuple *t)
{
    /* The sum is the same for both directions. */
    uint64_t ends = hash_end(ct, &t->src, t->src_port) + hash_end(ct, &t->dst, t->dst_port);
    uint64_t rest = (uint64_t) t->zone << 16 | t->proto << 8 | (t->kind & CT_KIND_V6);

    return fold(fold(ends ^ ct->key[4], rest + ct->key[5]) + ct->key[6], ct->key[7]) >> 32;
}

static ALWAYS_INLINE struct ct_shard *
shard_of(struct conntrack *ct, uint32_t hash)
{
    return &ct->shards[hash >> CT_SHARD_SHIFT];
}

void
ct_table_init(struct conntrack *ct)
{
    for (size_t i = 0; i < ARRAY_SIZE(ct->key); i++) {
        ct->key[i] = random_u64(sys_random()) | 1;
    }
    ct->chunks = xcalloc(CT_CHUNKS, sizeof *ct->chunks);
    pthread_mutex_init(&ct->hand_mutex, NULL);
    for (size_t i = 0; i < CT_SHARDS; i++) {
        pthread_mutex_init(&ct->shards[i].mutex, NULL);
        ct->shards[i].ct = ct;
    }
}

void
ct_table_uninit(struct conntrack *ct)
{
    for (uint32_t i = 0; i < ct->n_chunks; i++) {
        struct ct_conn *chunk = ct->chunks[i];

        for (unsigned int k = 0; chunk && k < CT_CHUNK; k++) {
            ct_alg_free(ct, &chunk[k]);
        }
        free(chunk);
    }
    for (size_t i = 0; i < CT_SHARDS; i++) {
        free(rcu_get_protected(&ct->shards[i].slots));
        pthread_mutex_destroy(&ct->shards[i].mutex);
    }
    free(ct->chunks);
    pthread_mutex_destroy(&ct->hand_mutex);
}

/* Numbers begin at 1, so that no entry looks like one that is empty or removed. */
struct ct_conn *
ct_conn_at(const struct conntrack *ct, uint32_t number)
{
    struct ct_conn *chunk = atomic_load_explicit(&ct->chunks[(number - 1) / CT_CHUNK], memory_order_acquire);

    return chunk ? &chunk[(number - 1) % CT_CHUNK] : NULL;
}

/* Lookup. */

static ALWAYS_INLINE uint64_t
slot_get(const struct ct_slots *s, uint32_t i)
{
    return atomic_load_explicit(&((struct ct_slots *) s)->slots[i & s->mask], memory_order_acquire);
}

static ALWAYS_INLINE uint64_t
slot_make(uint32_t hash, uint32_t number, int dir)
{
    return (uint64_t) hash << 32 | number << 1 | dir;
}

static ALWAYS_INLINE uint32_t slot_number(uint64_t slot) { return (uint32_t) slot >> 1; }
static ALWAYS_INLINE uint32_t slot_hash(uint64_t slot) { return slot >> 32; }
static ALWAYS_INLINE bool slot_is_used(uint64_t slot) { return slot > 1; }

void
ct_prefetch(struct conntrack *ct, uint32_t hash)
{
    const struct ct_slots *s = rcu_get(&shard_of(ct, hash)->slots);

    if (s) {
        __builtin_prefetch((const void *) &s->slots[hash & s->mask]);
    }
}

/* Whether the connection of an entry has the tuple, and in which direction.  The entry of the original tuple serves
 * replies too, unless they have one of their own. */
static ALWAYS_INLINE bool
entry_matches(const struct ct_conn *c, int entry, const struct ct_tuple *t, int *dir)
{
    *dir = entry;
    if (ct_tuple_equal(&c->tuple[entry], t)) {
        return true;
    }
    *dir = CT_REPLY;
    return entry == CT_ORIG && !(c->flags & CONN_TWO_ENTRIES) && ct_tuple_equal(&c->tuple[CT_REPLY], t);
}

static ALWAYS_INLINE struct ct_conn *
find_in(const struct conntrack *ct, const struct ct_slots *s, const struct ct_tuple *t, uint32_t hash, int64_t now,
        int *dir)
{
    uint64_t slot;

    for (uint32_t i = hash; (slot = slot_get(s, i)) != 0; i++) {
        if (slot_hash(slot) == hash && slot_is_used(slot)) {
            struct ct_conn *c = ct_conn_at(ct, slot_number(slot));

            if (ct_conn_is_live_at(c, now) && entry_matches(c, slot & 1, t, dir)) {
                return c;
            }
        }
    }
    return NULL;
}

struct ct_conn *
ct_find_rcu(struct conntrack *ct, const struct ct_tuple *t, uint32_t hash, int64_t now, int *dir)
{
    const struct ct_slots *s = rcu_get(&shard_of(ct, hash)->slots);

    return s ? find_in(ct, s, t, hash, now, dir) : NULL;
}

struct ct_conn *
ct_candidate_rcu(struct conntrack *ct, uint32_t hash)
{
    const struct ct_slots *s = rcu_get(&shard_of(ct, hash)->slots);
    uint64_t slot = s ? slot_get(s, hash) : 0;

    return slot_is_used(slot) ? ct_conn_at(ct, slot_number(slot)) : NULL;
}

/* Entries; under the shard's mutex. */

static void
place(struct ct_slots *s, uint64_t slot)
{
    uint32_t i = slot_hash(slot);

    while (slot_is_used(slot_get(s, i))) {
        i++;
    }
    atomic_store_explicit(&s->slots[i & s->mask], slot, memory_order_release);
}

static void
rebuild(struct ct_shard *shard, uint32_t size)
{
    struct ct_slots *old = rcu_get_protected(&shard->slots);
    struct ct_slots *new = xzalloc(sizeof *new + size * sizeof new->slots[0]);

    new->mask = size - 1;
    for (uint32_t i = 0; old && i <= old->mask; i++) {
        uint64_t slot = slot_get(old, i);

        if (slot_is_used(slot)) {
            place(new, slot);
        }
    }
    rcu_set(&shard->slots, new);
    shard->n_removed = 0;
    if (old) {
        rcu_defer(free, old);
    }
}

/* At most three quarters of the slots are in use. */
static void
make_room(struct ct_shard *shard)
{
    struct ct_slots *s = rcu_get_protected(&shard->slots);
    uint32_t size = s ? s->mask + 1 : 0;

    if (!s) {
        rebuild(shard, SLOTS_MIN);
    } else if ((shard->n + shard->n_removed + 1) * 4 > size * 3) {
        rebuild(shard, (shard->n + 1) * 2 > size ? size * 2 : size);
    }
}

static void
entry_add(struct ct_shard *shard, uint32_t hash, uint32_t number, int dir)
{
    struct ct_slots *s;
    uint32_t i = hash;

    make_room(shard);
    s = rcu_get_protected(&shard->slots);
    while (slot_is_used(slot_get(s, i))) {
        i++;
    }
    shard->n_removed -= slot_get(s, i) == 1;
    shard->n++;
    shard->n_conns += dir == CT_ORIG;
    atomic_store_explicit(&s->slots[i & s->mask], slot_make(hash, number, dir), memory_order_release);
}

static void
entry_remove(struct conntrack *ct, uint32_t hash, uint32_t number, int dir)
{
    struct ct_shard *shard = shard_of(ct, hash);
    uint64_t wanted = slot_make(hash, number, dir), slot;
    struct ct_slots *s;

    pthread_mutex_lock(&shard->mutex);
    s = rcu_get_protected(&shard->slots);
    for (uint32_t i = hash; (slot = slot_get(s, i)) != 0; i++) {
        if (slot == wanted) {
            bool is_last = !slot_get(s, i + 1);

            atomic_store_explicit(&s->slots[i & s->mask], !is_last, memory_order_release);
            shard->n_removed += !is_last;
            shard->n--;
            shard->n_conns -= dir == CT_ORIG;
            break;
        }
    }
    pthread_mutex_unlock(&shard->mutex);
}

/* Memory. */

/* A new chunk, whose connections become the shard's.  Under its mutex. */
static bool
add_chunk(struct conntrack *ct, struct ct_shard *shard)
{
    uint32_t at = atomic_fetch_add(&ct->n_chunks, 1);
    struct ct_conn *chunk;

    if (at >= CT_CHUNKS) {
        atomic_fetch_sub(&ct->n_chunks, 1);
        return false;
    }
    chunk = xzalloc_cacheline(CT_CHUNK * sizeof *chunk);
    for (unsigned int i = CT_CHUNK; i--;) {
        chunk[i].number = at * CT_CHUNK + i + 1;
        chunk[i].next = shard->free;
        shard->free = chunk[i].number;
    }
    atomic_store_explicit(&ct->chunks[at], chunk, memory_order_release);
    return true;
}

struct ct_conn *
ct_new(struct conntrack *ct, const struct ct_tuple *orig)
{
    uint32_t hash = ct_hash(ct, orig);
    struct ct_shard *shard = shard_of(ct, hash);
    struct ct_conn *c = NULL;

    if (atomic_fetch_add_explicit(&ct->n_conns, 1, memory_order_relaxed) < ct->max_conns) {
        pthread_mutex_lock(&shard->mutex);
        if (shard->free || add_chunk(ct, shard)) {
            c = ct_conn_at(ct, shard->free);
            shard->free = c->next;
        }
        pthread_mutex_unlock(&shard->mutex);
    }
    if (!c) {
        atomic_fetch_sub_explicit(&ct->n_conns, 1, memory_order_relaxed);
        return NULL;
    }
    c->tuple[CT_ORIG] = *orig;
    c->tuple[CT_REPLY] = ct_tuple_reverse(orig);
    c->hash[CT_ORIG] = c->hash[CT_REPLY] = hash;
    c->flags = c->helper = c->has_policy = 0;
    c->lock = c->state = 0;
    c->mark = 0;
    c->label[0] = c->label[1] = 0;
    memset(c->peers, 0, sizeof c->peers);
    return c;
}

void
ct_give_back(struct conntrack *ct, struct ct_conn *c)
{
    struct ct_shard *shard = shard_of(ct, c->hash[CT_ORIG]);

    ct_alg_free(ct, c);
    pthread_mutex_lock(&shard->mutex);
    c->next = shard->free;
    shard->free = c->number;
    pthread_mutex_unlock(&shard->mutex);
    atomic_fetch_sub_explicit(&ct->n_conns, 1, memory_order_relaxed);
}

/* After a grace period: those that waited may be used again. */
static void
reuse(void *shard_)
{
    struct ct_shard *shard = shard_;
    struct conntrack *ct = shard->ct;

    pthread_mutex_lock(&shard->mutex);
    while (shard->waiting) {
        struct ct_conn *c = ct_conn_at(ct, shard->waiting);

        shard->waiting = c->next;
        ct_alg_free(ct, c);
        atomic_store_explicit(&c->memory, CONN_FREE, memory_order_relaxed);
        c->next = shard->free;
        shard->free = c->number;
    }
    pthread_mutex_unlock(&shard->mutex);
    atomic_fetch_sub(&ct->n_in_defer, 1);
}

/* Starts a grace period for the dead if none is under way.  Under the mutex. */
static void
defer_dead(struct ct_shard *shard)
{
    if (!shard->waiting && shard->dead) {
        shard->waiting = shard->dead;
        shard->dead = shard->n_dead = 0;
        atomic_fetch_add(&shard->ct->n_in_defer, 1);
        rcu_defer(reuse, shard);
    }
}

bool
ct_remove(struct conntrack *ct, struct ct_conn *c)
{
    struct ct_shard *shard = shard_of(ct, c->hash[CT_ORIG]);
    uint8_t live = CONN_LIVE;

    if (!atomic_compare_exchange_strong(&c->memory, &live, CONN_DEAD)) {
        return false;
    }
    entry_remove(ct, c->hash[CT_ORIG], c->number, CT_ORIG);
    if (c->flags & CONN_TWO_ENTRIES) {
        entry_remove(ct, c->hash[CT_REPLY], c->number, CT_REPLY);
    }
    ct_alg_forget(ct, c);
    ct_zone_leave(&ct->zones, c->tuple[CT_ORIG].zone);
    atomic_fetch_sub_explicit(&ct->n_conns, 1, memory_order_relaxed);
    pthread_mutex_lock(&shard->mutex);
    c->next = shard->dead;
    shard->dead = c->number;
    if (++shard->n_dead >= DEFER_AT || !shard->free) {
        defer_dead(shard);
    }
    pthread_mutex_unlock(&shard->mutex);
    return true;
}

/* Publishing. */

/* Whether a live connection has the tuple.  One that has expired makes way. */
static bool
is_taken(struct conntrack *ct, const struct ct_tuple *t, uint32_t hash, int64_t now)
{
    const struct ct_slots *s = rcu_get(&shard_of(ct, hash)->slots);
    int dir;

    return s && find_in(ct, s, t, hash, now, &dir);
}

static void
lock_shards(struct ct_shard *a, struct ct_shard *b)
{
    pthread_mutex_lock(a < b ? &a->mutex : &b->mutex);
    if (a != b) {
        pthread_mutex_lock(a < b ? &b->mutex : &a->mutex);
    }
}

static void
unlock_shards(struct ct_shard *a, struct ct_shard *b)
{
    pthread_mutex_unlock(&a->mutex);
    if (a != b) {
        pthread_mutex_unlock(&b->mutex);
    }
}

bool
ct_insert(struct conntrack *ct, struct ct_conn *c, int64_t now)
{
    struct ct_shard *a = shard_of(ct, c->hash[CT_ORIG]), *b = a;
    bool two, ok;

    two = c->flags & CONN_NAT;
    if (two) {
        c->flags |= CONN_TWO_ENTRIES;
        c->hash[CT_REPLY] = ct_hash(ct, &c->tuple[CT_REPLY]);
        b = shard_of(ct, c->hash[CT_REPLY]);
    }
    lock_shards(a, b);
    ok = !is_taken(ct, &c->tuple[CT_ORIG], c->hash[CT_ORIG], now)
         && !is_taken(ct, &c->tuple[CT_REPLY], c->hash[CT_REPLY], now);
    if (ok) {
        atomic_store_explicit(&c->memory, CONN_LIVE, memory_order_release);
        entry_add(a, c->hash[CT_ORIG], c->number, CT_ORIG);
        if (two) {
            entry_add(b, c->hash[CT_REPLY], c->number, CT_REPLY);
        }
    }
    unlock_shards(a, b);
    return ok;
}

/* The clock hand. */

/* Shards in which a few have died are not left waiting for more. */
static void
defer_leftovers(struct conntrack *ct)
{
    for (size_t i = 0; i < CT_SHARDS; i++) {
        struct ct_shard *shard = &ct->shards[i];

        pthread_mutex_lock(&shard->mutex);
        defer_dead(shard);
        pthread_mutex_unlock(&shard->mutex);
    }
}

unsigned int
conntrack_sweep_rcu(struct conntrack *ct, unsigned int n, int64_t now)
{
    unsigned int n_expired = 0;

    ipf_expire(ct->ipf, now);
    pthread_mutex_lock(&ct->hand_mutex);
    while (n--) {
        struct ct_conn *c;

        if (ct->hand >= ct->n_chunks * CT_CHUNK) {
            ct->hand = 0;
            defer_leftovers(ct);
            break;
        }
        c = ct_conn_at(ct, ++ct->hand);
        if (!c) {
            continue; /* A chunk that is being made. */
        }
        if (ct_conn_is_live(c) && !ct_conn_is_live_at(c, now)) {
            n_expired += ct_remove(ct, c);
        }
    }
    pthread_mutex_unlock(&ct->hand_mutex);
    return n_expired;
}

unsigned int
conntrack_sweep_share(const struct conntrack *ct, unsigned int ms)
{
    uint64_t n = (uint64_t) ct->n_chunks * CT_CHUNK * ms / MAX(ct->sweep_ms, 1u);

    return MIN(n + 1, UINT32_MAX);
}
