/* The index of connections: in each shard an array of entries, searched from where the hash says.
 *
 * An array that is too small, or has too many removed entries, gets a successor.  It is not copied at once, since that
 * would hold up the packet that needs the room, and all others that need the shard: each that is added moves a few.
 * Meanwhile the old array stays as it is, but for what is removed from both, and whoever does not find a tuple in the
 * new one looks there. */
#include <stdlib.h>
#include <string.h>

#include "conntrack/private.h"

enum { SLOTS_MIN = 8, MOVE_STEP = 16 };

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
    const struct ct_slots *s = rcu_get(&ct_shard_of(ct, hash)->slots);

    if (s) {
        const struct ct_slots *old = atomic_load_explicit(&((struct ct_slots *) s)->old, memory_order_acquire);

        __builtin_prefetch((const void *) &s->slots[hash & s->mask]);
        if (UNLIKELY(old != NULL)) {
            __builtin_prefetch((const void *) &old->slots[hash & old->mask]);
        }
    }
}

/* Whether the connection of an entry has the tuple, and in which direction.  The entry of the original tuple serves
 * replies too, unless they have one of their own, or are another connection's. */
static ALWAYS_INLINE bool
entry_matches(const struct ct_conn *c, int entry, const struct ct_tuple *t, int *dir)
{
    *dir = entry;
    if (ct_tuple_equal(&c->tuple[entry], t)) {
        return true;
    }
    *dir = CT_REPLY;
    return entry == CT_ORIG && !(c->flags & (CONN_TWO_ENTRIES | CONN_ONE_WAY))
           && ct_tuple_equal(&c->tuple[CT_REPLY], t);
}

bool
ct_is_it(struct ct_conn *c, uint8_t entry, const struct ct_tuple *t, int64_t now, int *dir)
{
    return ct_conn_is_live_at(c, now) && entry_matches(c, entry, t, dir);
}

static ALWAYS_INLINE struct ct_conn *
find_in(const struct conntrack *ct, const struct ct_slots *s, const struct ct_tuple *t, uint32_t hash, int64_t now,
        int *dir)
{
    uint64_t slot;

    for (uint32_t i = hash; (slot = slot_get(s, i)) != 0; i++) {
        if (slot_hash(slot) == hash && slot_is_used(slot)) {
            struct ct_conn *c = ct_conn_at(ct, slot_number(slot));

            if (ct_is_it(c, slot & 1, t, now, dir)) {
                return c;
            }
        }
    }
    return NULL;
}

struct ct_conn *
ct_find_rcu(struct conntrack *ct, const struct ct_tuple *t, uint32_t hash, int64_t now, int *dir)
{
    struct ct_slots *s = rcu_get(&ct_shard_of(ct, hash)->slots);
    const struct ct_slots *old;
    struct ct_conn *c;

    if (!s) {
        return NULL;
    }
    /* Looked at first: once it is null, all that was there is here. */
    old = atomic_load_explicit(&s->old, memory_order_acquire);
    c = find_in(ct, s, t, hash, now, dir);
    return c || LIKELY(!old) ? c : find_in(ct, old, t, hash, now, dir);
}

static bool
is_taken_in(const struct conntrack *ct, const struct ct_slots *s, const struct ct_tuple *t,
            const struct ct_tuple *reverse, uint32_t hash, int64_t now)
{
    uint64_t slot;
    int dir;

    for (uint32_t i = hash; (slot = slot_get(s, i)) != 0; i++) {
        if (slot_hash(slot) == hash && slot_is_used(slot)) {
            const struct ct_conn *c = ct_conn_at(ct, slot_number(slot));

            if (ct_conn_is_live_at(c, now)
                && (entry_matches(c, slot & 1, t, &dir) || entry_matches(c, slot & 1, reverse, &dir))) {
                return true;
            }
        }
    }
    return false;
}

bool
ct_is_taken_rcu(struct conntrack *ct, const struct ct_tuple *t, const struct ct_tuple *reverse, uint32_t hash,
                int64_t now)
{
    const struct ct_slots *s = rcu_get(&ct_shard_of(ct, hash)->slots), *old;

    if (!s) {
        return false;
    }
    old = atomic_load_explicit(&((struct ct_slots *) s)->old, memory_order_acquire); /* As in ct_find_rcu(). */
    return is_taken_in(ct, s, t, reverse, hash, now)
           || (UNLIKELY(old != NULL) && is_taken_in(ct, old, t, reverse, hash, now));
}

struct ct_conn *
ct_candidate_rcu(struct conntrack *ct, uint32_t hash, uint8_t *entry)
{
    const struct ct_slots *s = rcu_get(&ct_shard_of(ct, hash)->slots);
    uint64_t slot;

    for (uint32_t i = hash; s && (slot = slot_get(s, i)) != 0; i++) {
        if (slot_hash(slot) == hash && slot_is_used(slot)) {
            *entry = slot & 1;
            return ct_conn_at(ct, slot_number(slot));
        }
    }
    return NULL;
}

/* Entries; under the shard's mutex. */

static void
place(struct ct_shard *shard, struct ct_slots *s, uint64_t slot)
{
    uint32_t i = slot_hash(slot);

    while (slot_is_used(slot_get(s, i))) {
        i++;
    }
    shard->n_removed -= slot_get(s, i) == 1;
    atomic_store_explicit(&s->slots[i & s->mask], slot, memory_order_release);
}

static void
move_some(struct ct_shard *shard, uint32_t n)
{
    struct ct_slots *s = rcu_get_protected(&shard->slots);
    struct ct_slots *old = s ? atomic_load_explicit(&s->old, memory_order_relaxed) : NULL;

    if (!old) {
        return;
    }
    ct_note_hold(shard->ct, MIN(n, old->mask + 1 - shard->moved));
    for (; n && shard->moved <= old->mask; n--, shard->moved++) {
        uint64_t slot = slot_get(old, shard->moved);

        if (slot_is_used(slot)) {
            place(shard, s, slot);
        }
    }
    if (shard->moved > old->mask) {
        atomic_store_explicit(&s->old, NULL, memory_order_release);
        rcu_defer(free, old);
    }
}

static void
begin_rebuild(struct ct_shard *shard, uint32_t size)
{
    struct ct_slots *new = xzalloc(sizeof *new + size * sizeof new->slots[0]);

    move_some(shard, UINT32_MAX); /* There is nothing left: it had time enough. */
    new->mask = size - 1;
    atomic_store_explicit(&new->old, rcu_get_protected(&shard->slots), memory_order_relaxed);
    shard->moved = 0;
    shard->n_removed = 0;
    rcu_set(&shard->slots, new);
}

/* At most three quarters of the slots are in use. */
static void
make_room(struct ct_shard *shard)
{
    struct ct_slots *s = rcu_get_protected(&shard->slots);
    uint32_t size = s ? s->mask + 1 : 0;

    if (!s) {
        begin_rebuild(shard, SLOTS_MIN);
    } else if ((shard->n + shard->n_removed + 1) * 4 > size * 3) {
        begin_rebuild(shard, (shard->n + 1) * 2 > size ? size * 2 : size);
    }
    move_some(shard, MOVE_STEP);
}

void
ct_index_add_locked(struct ct_shard *shard, uint32_t hash, uint32_t number, int dir)
{
    make_room(shard);
    place(shard, rcu_get_protected(&shard->slots), slot_make(hash, number, dir));
    shard->n++;
    shard->n_conns += dir == CT_ORIG;
}

/* Removes the entry, if it is there.  True: the slot is not empty now but marked, since there are others behind. */
static bool
clear_slot(struct ct_slots *s, uint64_t wanted)
{
    uint64_t slot;

    for (uint32_t i = slot_hash(wanted); (slot = slot_get(s, i)) != 0; i++) {
        if (slot == wanted) {
            bool is_last = !slot_get(s, i + 1);

            atomic_store_explicit(&s->slots[i & s->mask], !is_last, memory_order_release);
            return !is_last;
        }
    }
    return false;
}

void
ct_index_remove(struct conntrack *ct, uint32_t hash, uint32_t number, int dir)
{
    struct ct_shard *shard = ct_shard_of(ct, hash);
    uint64_t wanted = slot_make(hash, number, dir);
    struct ct_slots *s, *old;

    pthread_mutex_lock(&shard->mutex);
    s = rcu_get_protected(&shard->slots);
    old = atomic_load_explicit(&s->old, memory_order_relaxed);
    shard->n_removed += clear_slot(s, wanted);
    if (old) {
        clear_slot(old, wanted);
    }
    shard->n--;
    shard->n_conns -= dir == CT_ORIG;
    pthread_mutex_unlock(&shard->mutex);
}

void
ct_index_uninit(struct ct_shard *shard)
{
    struct ct_slots *s = rcu_get_protected(&shard->slots);

    if (s) {
        free(atomic_load_explicit(&s->old, memory_order_relaxed));
    }
    free(s);
}
