/* Where connections are kept: chunks of memory.  See conntrack.h; their index: index.c. */
#include <stdlib.h>
#include <string.h>

#include "conntrack/ipf.h"
#include "conntrack/private.h"
#include "sys/random.h"

enum { DEFER_AT = 64, REUSE_STEP = 32 };

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
        if (chunk) {
            area_give_back(chunk);
        }
    }
    for (size_t i = 0; i < CT_SHARDS; i++) {
        ct_index_uninit(&ct->shards[i]);
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
    chunk = memset(area_take(), 0, CT_CHUNK * sizeof *chunk);
    for (unsigned int i = CT_CHUNK; i--;) {
        chunk[i].number = at * CT_CHUNK + i + 1;
        chunk[i].next = shard->free;
        shard->free = chunk[i].number;
    }
    atomic_store_explicit(&ct->chunks[at], chunk, memory_order_release);
    return true;
}

/* Memory that was never used, or not for long, is in no cache, and all of a connection is written when it opens. */
void
ct_prefetch_new(struct conntrack *ct, uint32_t hash)
{
    uint32_t number = atomic_load_explicit(&ct_shard_of(ct, hash)->free, memory_order_relaxed);
    const char *c = number ? (const char *) ct_conn_at(ct, number) : NULL;

    for (size_t i = 0; c && i < sizeof(struct ct_conn); i += CACHE_LINE) {
        __builtin_prefetch(c + i, 1);
    }
}

struct ct_conn *
ct_new(struct conntrack *ct, const struct ct_tuple *orig, uint32_t hash)
{
    struct ct_shard *shard = ct_shard_of(ct, hash);
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
    struct ct_shard *shard = ct_shard_of(ct, c->hash[CT_ORIG]);

    ct_alg_free(ct, c);
    pthread_mutex_lock(&shard->mutex);
    c->next = shard->free;
    shard->free = c->number;
    pthread_mutex_unlock(&shard->mutex);
    atomic_fetch_sub_explicit(&ct->n_conns, 1, memory_order_relaxed);
}

/* Gives back up to REUSE_STEP of those that waited; true if there are more. */
static bool
reuse_some(struct conntrack *ct, struct ct_shard *shard)
{
    uint32_t n = 0;
    bool more;

    pthread_mutex_lock(&shard->mutex);
    for (; shard->waiting && n < REUSE_STEP; n++) {
        struct ct_conn *c = ct_conn_at(ct, shard->waiting);

        shard->waiting = c->next;
        ct_alg_free(ct, c);
        atomic_store_explicit(&c->memory, CONN_FREE, memory_order_relaxed);
        c->next = shard->free;
        shard->free = c->number;
    }
    more = shard->waiting;
    ct_note_hold(ct, n);
    pthread_mutex_unlock(&shard->mutex);
    return more;
}

/* After a grace period: those that waited may be used again. */
static void
reuse(void *shard_)
{
    struct ct_shard *shard = shard_;

    while (reuse_some(shard->ct, shard)) {
        continue;
    }
    atomic_fetch_sub(&shard->ct->n_in_defer, 1);
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
    struct ct_shard *shard = ct_shard_of(ct, c->hash[CT_ORIG]);
    uint8_t live = CONN_LIVE;

    if (!atomic_compare_exchange_strong(&c->memory, &live, CONN_DEAD)) {
        return false;
    }
    ct_index_remove(ct, c->hash[CT_ORIG], c->number, CT_ORIG);
    if (c->flags & CONN_TWO_ENTRIES) {
        ct_index_remove(ct, c->hash[CT_REPLY], c->number, CT_REPLY);
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

/* Whether a live connection has one of its tuples.  One that has expired makes way. */
static bool
is_taken(struct conntrack *ct, const struct ct_conn *c, int64_t now)
{
    const struct ct_tuple *orig = &c->tuple[CT_ORIG], *reply = &c->tuple[CT_REPLY];
    int dir;

    return c->flags & CONN_TWO_ENTRIES ? ct_find_rcu(ct, orig, c->hash[CT_ORIG], now, &dir)
                                             || ct_find_rcu(ct, reply, c->hash[CT_REPLY], now, &dir)
                                       : ct_is_taken_rcu(ct, orig, reply, c->hash[CT_ORIG], now);
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

/* Whether of its tuples only that of the replies is taken: by a translated connection, or lookup had found one. */
static bool
may_go_one_way(struct conntrack *ct, const struct ct_conn *c, int64_t now)
{
    int dir;

    return !ct_find_rcu(ct, &c->tuple[CT_ORIG], c->hash[CT_ORIG], now, &dir);
}

static bool
insert(struct conntrack *ct, struct ct_conn *c, bool as_it_is, int64_t now)
{
    struct ct_shard *a = ct_shard_of(ct, c->hash[CT_ORIG]), *b = a;
    bool two, ok;

    two = c->flags & CONN_NAT;
    if (two) {
        c->flags |= CONN_TWO_ENTRIES;
        c->hash[CT_REPLY] = ct_hash(ct, &c->tuple[CT_REPLY]);
        b = ct_shard_of(ct, c->hash[CT_REPLY]);
    }
    lock_shards(a, b);
    ok = !is_taken(ct, c, now);
    if (!ok && as_it_is && may_go_one_way(ct, c, now)) {
        c->flags |= CONN_ONE_WAY;
        ok = true;
    }
    if (ok) {
        atomic_store_explicit(&c->memory, CONN_LIVE, memory_order_release);
        ct_index_add_locked(a, c->hash[CT_ORIG], c->number, CT_ORIG);
        if (two) {
            ct_index_add_locked(b, c->hash[CT_REPLY], c->number, CT_REPLY);
        }
    }
    unlock_shards(a, b);
    return ok;
}

bool
ct_insert(struct conntrack *ct, struct ct_conn *c, int64_t now)
{
    return insert(ct, c, false, now);
}

bool
ct_insert_untranslated(struct conntrack *ct, struct ct_conn *c, int64_t now)
{
    return insert(ct, c, true, now);
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
