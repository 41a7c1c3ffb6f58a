#include "ofproto/credits.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "ofproto/bond.h"
#include "ofproto/drops.h"
#include "ofproto/mac_table.h"
#include "ofproto/mirror.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/xgroup.h"
#include "sys/slab.h"

struct piece {
    struct hmap_node node;   /* In 'pieces', unless it is not shared. */
    uint32_t n_refs, n, n_made; /* Of the last two: those that are there; those that it has memory for. */
    bool is_shared;          /* False: something that was dying was left out. */
    bool may_wait;           /* What it counts may be given later to those that it names. */
    uint16_t owed;           /* The number of its entry in 'owed', plus 1; 0: none. */
    struct xlate_credit credits[];
};

struct credits {
    struct hmap_node node;   /* In 'lists'. */
    uint32_t n_refs, n_pieces, n_frozen;
    void *parts[];           /* Pieces, then states (struct frozen_state). */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all below, and the counts of references. */
static struct hmap pieces = HMAP_INIT(&pieces), lists = HMAP_INIT(&lists);

/* Keeps what the credit names; false if that is dying already. */
static bool
take(const struct xlate_credit *c)
{
    switch (c->kind) {
    case CREDIT_RULE:
        return rule_try_ref_rcu(c->rule);
    case CREDIT_FIN_TIMEOUT:
        return rule_try_ref_rcu(c->fin.rule);
    case CREDIT_GROUP:
        return group_try_ref_rcu(c->group.group);
    case CREDIT_MIRROR:
        return mirror_count_try_ref_rcu(c->mirror);
    case CREDIT_BOND:
        return bond_load_try_ref_rcu(c->bond.load);
    case CREDIT_DROP:
        return !c->drop.rule || rule_try_ref_rcu(c->drop.rule);
    case CREDIT_LEARN:
        xlate_learned_ref(c->learned);
        return true;
    case CREDIT_PORT_RX: case CREDIT_PORT_TX:
        return xport_try_ref_rcu(c->port);
    case CREDIT_TABLE_MISS: case CREDIT_MAC:
        return true;
    }
    return true;
}

static void
drop(const struct xlate_credit *c)
{
    switch (c->kind) {
    case CREDIT_RULE: rule_unref(c->rule); break;
    case CREDIT_FIN_TIMEOUT: rule_unref(c->fin.rule); break;
    case CREDIT_LEARN: xlate_learned_unref(c->learned); break;
    case CREDIT_GROUP: group_unref(c->group.group); break;
    case CREDIT_MIRROR: mirror_count_unref(c->mirror); break;
    case CREDIT_BOND: bond_load_unref(c->bond.load); break;
    case CREDIT_DROP: rule_unref(c->drop.rule); break;
    case CREDIT_PORT_RX: case CREDIT_PORT_TX: xport_unref(c->port); break;
    case CREDIT_TABLE_MISS: case CREDIT_MAC: break;
    }
}

/* What is owed.
 *
 * A translation through many tables counts for a rule of each, other rules for each packet of a burst: to fetch and to
 * change the counters of forty rules is more than all else that counting takes.  So what pieces have counted that are
 * often had again is added up here first, under the mutex that has been taken anyway, and goes to the rules once
 * somebody looks at them (credits_settle()), the piece goes, or as many others wait.  Not that of others than rules and
 * tables, which do more than to count, and not that of short pieces, whose rules are at hand. */

enum { N_OWED = 8192, MIN_LISTS = 4, MIN_CREDITS = CREDITS_PIECE / 2, PAID_TOGETHER = 64 };

struct owed {
    struct piece *piece;     /* Null: it has gone, and was paid before. */
    uint64_t n_packets, n_bytes;
    int64_t used;
};

static struct owed owed[N_OWED];
static _Atomic uint64_t n_owed, n_paid; /* Entries that ever came, and went; each is at the place of its number. */

static bool
may_wait(const struct xlate_credit *credits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (credits[i].kind != CREDIT_RULE && credits[i].kind != CREDIT_TABLE_MISS) {
            return false;
        }
    }
    return n >= MIN_CREDITS;
}

static void
pay_locked(struct owed *o)
{
    struct piece *p = o->piece;

    if (p) {
        p->owed = 0;
        o->piece = NULL;
        xlate_credit_stats(p->credits, p->n, &(struct dp_flow_stats) {
            .n_packets = o->n_packets, .n_bytes = o->n_bytes, .used = o->used });
    }
}

static void
pay_first_locked(void)
{
    uint64_t n = atomic_load_explicit(&n_paid, memory_order_relaxed);

    pay_locked(&owed[n % N_OWED]);
    atomic_store_explicit(&n_paid, n + 1, memory_order_release);
}

static struct owed *
begin_to_owe_locked(struct piece *p)
{
    uint64_t n = atomic_load_explicit(&n_owed, memory_order_relaxed);

    if (n - atomic_load_explicit(&n_paid, memory_order_relaxed) == N_OWED) {
        pay_first_locked();
    }
    owed[n % N_OWED] = (struct owed) { .piece = p };
    p->owed = n % N_OWED + 1;
    atomic_store_explicit(&n_owed, n + 1, memory_order_release);
    return &owed[n % N_OWED];
}

/* False: it has to be counted at once. */
static bool
owe_locked(struct piece *p, const struct dp_flow_stats *delta)
{
    struct owed *o;

    if (!p->owed && (!p->may_wait || p->n_refs < MIN_LISTS)) {
        return false;
    }
    o = p->owed ? &owed[p->owed - 1] : begin_to_owe_locked(p);
    o->n_packets += delta->n_packets;
    o->n_bytes += delta->n_bytes;
    o->used = MAX(o->used, delta->used);
    return true;
}

void
credits_settle(void)
{
    uint64_t end = atomic_load_explicit(&n_owed, memory_order_acquire);

    while (atomic_load_explicit(&n_paid, memory_order_acquire) < end) {
        pthread_mutex_lock(&mutex);
        for (int i = 0; i < PAID_TOGETHER && atomic_load_explicit(&n_paid, memory_order_relaxed) < end; i++) {
            pay_first_locked();
        }
        pthread_mutex_unlock(&mutex);
    }
}

/* Pieces. */

static size_t
piece_memory(size_t n)
{
    return sizeof(struct piece) + n * sizeof(struct xlate_credit);
}

static struct piece *
find_piece(const struct xlate_credit *credits, size_t n, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (p, struct piece, node, hash, &pieces) {
        if (p->n == n && !memcmp(p->credits, credits, n * sizeof *credits)) {
            return p;
        }
    }
    return NULL;
}

/* The credits of piece number 'i', and how many. */
static const struct xlate_credit *
piece_begin(const struct xlate_out *out, size_t i)
{
    return &out->credits[i * CREDITS_PIECE];
}

static size_t
piece_size(const struct xlate_out *out, size_t i)
{
    return MIN(out->n_credits - i * CREDITS_PIECE, (size_t) CREDITS_PIECE);
}

static struct piece *
get_piece_locked(const struct xlate_credit *credits, size_t n, uint32_t hash)
{
    struct piece *p = find_piece(credits, n, hash);

    if (p) {
        p->n_refs++;
        return p;
    }
    p = slab_alloc(piece_memory(n));
    p->n_refs = 1;
    p->n_made = n;
    p->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (take(&credits[i])) {
            p->credits[p->n++] = credits[i];
        }
    }
    p->is_shared = p->n == n;
    p->may_wait = p->is_shared && may_wait(credits, n);
    p->owed = 0;
    if (p->is_shared) {
        hmap_insert(&pieces, &p->node, hash);
    }
    return p;
}

/* Whether that was the last reference: the caller then frees the piece, without the mutex. */
static bool
unref_piece_locked(struct piece *p)
{
    if (--p->n_refs) {
        return false;
    }
    if (p->owed) {
        pay_locked(&owed[p->owed - 1]);
    }
    if (p->is_shared) {
        hmap_remove(&pieces, &p->node);
    }
    return true;
}

static void
free_piece(struct piece *p)
{
    for (size_t i = 0; i < p->n; i++) {
        drop(&p->credits[i]);
    }
    slab_free(p, piece_memory(p->n_made));
}

/* Lists. */

static size_t
list_memory(size_t n)
{
    return sizeof(struct credits) + n * sizeof(void *);
}

static size_t
n_parts(const struct credits *c)
{
    return c->n_pieces + c->n_frozen;
}

static struct credits *
find_list(const struct credits *like, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (c, struct credits, node, hash, &lists) {
        if (c->n_pieces == like->n_pieces && c->n_frozen == like->n_frozen &&
            (!n_parts(like) || !memcmp(c->parts, like->parts, n_parts(like) * sizeof c->parts[0]))) {
            return c;
        }
    }
    return NULL;
}

/* Gives up the references that a list holds.  Pieces of which they were the last come first then; their number. */
static size_t
unref_pieces_locked(struct credits *c)
{
    size_t n_gone = 0;

    for (size_t i = 0; i < c->n_pieces; i++) {
        if (unref_piece_locked(c->parts[i])) {
            void *p = c->parts[i];

            c->parts[i] = c->parts[n_gone];
            c->parts[n_gone++] = p;
        }
    }
    return n_gone;
}

/* 'n_gone': of the pieces, the first ones, which are nobody else's. */
static void
free_list(struct credits *c, size_t n_gone)
{
    for (size_t i = 0; i < n_gone; i++) {
        free_piece(c->parts[i]);
    }
    for (size_t i = 0; i < c->n_frozen; i++) {
        recirc_unref(c->parts[c->n_pieces + i]);
    }
    slab_free(c, list_memory(n_parts(c)));
}

/* Pieces 'begin' to 'end' - 1, at most TOGETHER: so many wait for memory at the same time. */
enum { TOGETHER = 8 };

static void
get_pieces_locked(const struct xlate_out *out, size_t begin, size_t end, void **found)
{
    uint32_t hashes[TOGETHER];

    for (size_t i = begin; i < end; i++) {
        hashes[i - begin] = hash_bytes(piece_begin(out, i), piece_size(out, i) * sizeof *out->credits, 0);
        hmap_prefetch_bucket(&pieces, hashes[i - begin]);
    }
    for (size_t i = begin; i < end; i++) {
        hmap_prefetch_node(&pieces, hashes[i - begin], piece_memory(CREDITS_PIECE));
    }
    for (size_t i = begin; i < end; i++) {
        found[i] = get_piece_locked(piece_begin(out, i), piece_size(out, i), hashes[i - begin]);
    }
}

struct credits *
credits_get_rcu(const struct xlate_out *out)
{
    size_t n_pieces = (out->n_credits + CREDITS_PIECE - 1) / CREDITS_PIECE;
    struct credits *new = slab_alloc(list_memory(n_pieces + out->n_frozen)), *c;
    size_t n_gone = 0;
    uint32_t hash;

    new->n_refs = 1;
    new->n_pieces = n_pieces;
    new->n_frozen = out->n_frozen;
    for (size_t i = 0; i < out->n_frozen; i++) {
        new->parts[n_pieces + i] = recirc_ref(out->frozen[i]);
    }
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < n_pieces; i += TOGETHER) {
        get_pieces_locked(out, i, MIN(n_pieces, i + TOGETHER), new->parts);
    }
    hash = n_parts(new) ? hash_bytes(new->parts, n_parts(new) * sizeof new->parts[0], n_pieces) : 0;
    c = find_list(new, hash);
    if (c) {
        c->n_refs++;
        n_gone = unref_pieces_locked(new);
    } else {
        hmap_insert(&lists, &new->node, hash);
    }
    pthread_mutex_unlock(&mutex);
    if (c) {
        free_list(new, n_gone);
        return c;
    }
    return new;
}

void
credits_unref(struct credits *c)
{
    size_t n_gone = 0;
    bool is_last;

    pthread_mutex_lock(&mutex);
    is_last = !--c->n_refs;
    if (is_last) {
        hmap_remove(&lists, &c->node);
        n_gone = unref_pieces_locked(c);
    }
    pthread_mutex_unlock(&mutex);
    if (is_last) {
        free_list(c, n_gone);
    }
}

const struct xlate_credit *
credits_piece(const struct credits *c, size_t i, size_t *n)
{
    const struct piece *p = i < c->n_pieces ? c->parts[i] : NULL;

    *n = p ? p->n : 0;
    return p ? p->credits : NULL;
}

const struct xlate_drop *
credits_drop(const struct credits *c)
{
    const struct xlate_credit *piece;
    size_t n;

    for (size_t i = 0; (piece = credits_piece(c, i, &n)) != NULL; i++) {
        for (size_t k = 0; k < n; k++) {
            if (piece[k].kind == CREDIT_DROP) {
                return &piece[k].drop;
            }
        }
    }
    return NULL;
}

size_t
credits_count(void)
{
    size_t n;

    pthread_mutex_lock(&mutex);
    n = hmap_count(&pieces) + hmap_count(&lists);
    pthread_mutex_unlock(&mutex);
    return n;
}

/* Counting. */

/* The rule's flow has closed (ovs-actions(7), fin_timeout): reduced timeouts hold from now on. */
static bool
reduce(_Atomic uint16_t *timeout, uint16_t to)
{
    uint16_t now = atomic_load(timeout);

    if (!to || (now && now <= to)) {
        return false;
    }
    atomic_store(timeout, to);
    return true;
}

static void
reduce_timeouts(struct rule *rule, uint16_t idle, uint16_t hard)
{
    bool reduced = reduce(&rule->idle_timeout, idle);

    if (reduce(&rule->hard_timeout, hard) || reduced) {
        expiry_note_reduced(rule);
    }
}

/* The address may have been forgotten or have moved since the translation: packets show that it is here. */
static void
refresh_mac(const struct xlate_credit *c)
{
    struct xbridge *bridge = c->mac.bridge;
    const struct xport *port = xbridge_port_rcu(bridge, c->mac.port);
    const struct xbundle *bundle = port ? rcu_get(&port->bundle) : NULL;

    if (bundle) {
        mac_table_learn(bridge->mac_table, c->mac.mac, c->mac.vlan, bundle->key, c->mac.port, false,
                        bundle->bond != NULL);
    }
}

void
xlate_credit_stats(const struct xlate_credit *credits, size_t n, const struct dp_flow_stats *delta)
{
    for (size_t i = 0; i < n; i++) {
        const struct xlate_credit *c = &credits[i];

        switch (c->kind) {
        case CREDIT_RULE:
            rule_credit(c->rule, delta->n_packets, delta->n_bytes, delta->used);
            atomic_fetch_add_explicit(&c->rule_bridge->table_matches[c->rule->table_id], delta->n_packets,
                                      memory_order_relaxed);
            break;
        case CREDIT_TABLE_MISS:
            atomic_fetch_add_explicit(&c->table.bridge->table_misses[c->table.id], delta->n_packets,
                                      memory_order_relaxed);
            break;
        case CREDIT_PORT_RX:
            atomic_fetch_add(&c->port->n_rx_packets, delta->n_packets);
            atomic_fetch_add(&c->port->n_rx_bytes, delta->n_bytes);
            break;
        case CREDIT_PORT_TX:
            atomic_fetch_add(&c->port->n_tx_packets, delta->n_packets);
            atomic_fetch_add(&c->port->n_tx_bytes, delta->n_bytes);
            break;
        case CREDIT_MAC:
            refresh_mac(c);
            break;
        case CREDIT_LEARN:
            ofproto_learn(c->learned->bridge->ofproto, c->learned->fm, c->learned->limit);
            break;
        case CREDIT_GROUP:
            group_credit(c->group.group, c->group.bucket, delta->n_packets, delta->n_bytes);
            break;
        case CREDIT_BOND:
            atomic_fetch_add(&c->bond.load->bytes[c->bond.bucket], delta->n_bytes);
            break;
        case CREDIT_MIRROR:
            atomic_fetch_add(&c->mirror->n_packets, delta->n_packets);
            atomic_fetch_add(&c->mirror->n_bytes, delta->n_bytes);
            break;
        case CREDIT_DROP:
            drops_credit(&c->drop, delta);
            break;
        case CREDIT_FIN_TIMEOUT:
            if (delta->tcp_flags & 5) { /* FIN or RST. */
                reduce_timeouts(c->fin.rule, c->fin.idle, c->fin.hard);
            }
            break;
        }
    }
}

static void
credit_offloaded(const struct xlate_credit *credits, size_t n, const struct dp_flow_stats *delta)
{
    for (size_t i = 0; i < n; i++) {
        if (credits[i].kind == CREDIT_RULE) {
            rule_credit_offloaded(credits[i].rule, delta->n_packets, delta->n_bytes);
        }
    }
}

/* What is not owed of pieces 'begin' to 'end' - 1, at most 64: bit N is piece 'begin' + N. */
static uint64_t
owe(const struct credits *c, size_t begin, size_t end, const struct dp_flow_stats *delta)
{
    uint64_t at_once = 0;

    pthread_mutex_lock(&mutex);
    for (size_t i = begin; i < end; i++) {
        at_once |= (uint64_t) !owe_locked(c->parts[i], delta) << (i - begin);
    }
    pthread_mutex_unlock(&mutex);
    return at_once;
}

/* 'out': null, or what they were made of, which also names what was dying. */
static void
push(const struct credits *c, const struct xlate_out *out, const struct dp_flow_stats *delta)
{
    for (size_t begin = 0; begin < c->n_pieces; begin += 64) {
        uint64_t at_once = owe(c, begin, MIN(begin + 64, (size_t) c->n_pieces), delta);

        for (; at_once; at_once &= at_once - 1) {
            size_t i = begin + __builtin_ctzll(at_once);
            const struct piece *p = c->parts[i];

            xlate_credit_stats(out ? piece_begin(out, i) : p->credits, out ? piece_size(out, i) : p->n, delta);
        }
    }
}

void
credits_push(const struct credits *c, const struct dp_flow_stats *delta, bool is_offloaded)
{
    push(c, NULL, delta);
    for (size_t i = 0; is_offloaded && i < c->n_pieces; i++) {
        const struct piece *p = c->parts[i];

        credit_offloaded(p->credits, p->n, delta);
    }
}

void
credits_push_first_rcu(const struct credits *c, const struct xlate_out *out, const struct dp_flow_stats *delta)
{
    push(c, out, delta);
}
