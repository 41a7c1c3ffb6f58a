#include "ofproto/mac_table.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/pqueue.h"
#include "sys/clock.h"
#include "sys/rcu_map.h"

/* How long an entry from a gratuitous ARP resists the same message's reflection through a bond. */
#define GRATUITOUS_LOCK_MS 5000
/* Expiry wheel: one slot a second, more of them than the longest ageing time has seconds. */
#define N_SLOTS 4096

/* The learned addresses of one bundle. */
struct owner {
    struct hmap_node node; /* In mac_table->owners by 'bundle_key'. */
    const void *bundle_key;
    struct list entries;   /* The dynamic ones, roughly by falling age. */
    size_t n;              /* Of those. */
    struct pqueue_node by_size; /* In mac_table->by_size. */
};

/* Replaced as a whole when it moves, so that a reader never sees one port with another's bundle.  Only 'used' and
 * 'locked_until' change in place. */
struct node {
    struct mac_entry e;        /* 'expires' is not used here. */
    uint64_t seq;              /* Order of insertion, among equal times. */
    _Atomic int64_t used;      /* ms. */
    _Atomic int64_t locked_until;
    /* The rest is under the mutex. */
    struct owner *owner;       /* Null for static entries. */
    struct list by_owner;
    struct list in_slot;
    int64_t listed;            /* 'used' when it was put into 'by_owner'. */
};

struct mac_table {
    struct rcu_map map;        /* struct node by key_hash(). */
    uint32_t basis;
    _Atomic int64_t idle_ms;
    RCU_PTR(uint64_t) flood_vlans;
    void (*changed)(void *aux, struct eth_addr, uint16_t vlan);
    void *aux;

    pthread_mutex_t mutex;     /* For all changes; readers take no lock. */
    struct hmap owners;
    struct pqueue by_size;     /* The owner with most entries first. */
    size_t max_entries;
    uint64_t next_seq;
    int64_t wheel_at;          /* Second up to which the wheel was run. */
    struct list slots[N_SLOTS];
    struct mac_table_stats stats;
};

static uint32_t
key_hash(const struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    return hash_u64(eth_addr_to_u64(mac) | (uint64_t) vlan << 48, t->basis);
}

static struct node *
find_rcu(const struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    RCU_MAP_FOR_EACH_WITH_HASH (n, struct node, key_hash(t, mac, vlan), &t->map) {
        if (n->e.vlan == vlan && eth_addr_equal(n->e.mac, mac)) {
            return n;
        }
    }
    return NULL;
}

static int64_t
node_used(const struct node *n)
{
    return atomic_load_explicit(&n->used, memory_order_relaxed);
}

static bool
has_more(const struct pqueue_node *a, const struct pqueue_node *b)
{
    return CONTAINER_OF(a, struct owner, by_size)->n > CONTAINER_OF(b, struct owner, by_size)->n;
}

static struct owner *
owner_find(const struct mac_table *t, const void *bundle_key)
{
    HMAP_FOR_EACH_WITH_HASH (o, struct owner, node, hash_pointer(bundle_key, 0), &t->owners) {
        if (o->bundle_key == bundle_key) {
            return o;
        }
    }
    return NULL;
}

static struct owner *
owner_get(struct mac_table *t, const void *bundle_key)
{
    struct owner *o = owner_find(t, bundle_key);

    if (!o) {
        o = xzalloc(sizeof *o);
        o->bundle_key = bundle_key;
        list_init(&o->entries);
        hmap_insert(&t->owners, &o->node, hash_pointer(bundle_key, 0));
        pqueue_insert(&t->by_size, &o->by_size);
    }
    return o;
}

static void
owner_free(struct mac_table *t, struct owner *o)
{
    hmap_remove(&t->owners, &o->node);
    pqueue_remove(&t->by_size, &o->by_size);
    free(o);
}

/* Lists. */

/* When its time is up, in ms: at the beginning of a second, as many after that in which it was last seen as the idle
 * time has. */
static int64_t
node_expires(const struct mac_table *t, const struct node *n)
{
    return node_used(n) / 1000 * 1000 + t->idle_ms;
}

static void
put_in_slot(struct mac_table *t, struct node *n)
{
    list_push_back(&t->slots[node_expires(t, n) / 1000 % N_SLOTS], &n->in_slot);
}

static void
attach(struct mac_table *t, struct node *n)
{
    list_init(&n->by_owner);
    list_init(&n->in_slot);
    n->owner = NULL;
    n->seq = t->next_seq++;
    t->stats.n_entries++;
    t->stats.n_static += n->e.is_static;
    if (!n->e.is_static) {
        n->owner = owner_get(t, n->e.bundle_key);
        n->listed = node_used(n);
        list_push_back(&n->owner->entries, &n->by_owner);
        n->owner->n++;
        pqueue_fix(&t->by_size, &n->owner->by_size);
        put_in_slot(t, n);
    }
}

static void
detach(struct mac_table *t, struct node *n)
{
    struct owner *o = n->owner;

    list_remove(&n->by_owner);
    list_remove(&n->in_slot);
    t->stats.n_entries--;
    t->stats.n_static -= n->e.is_static;
    if (o && --o->n) {
        pqueue_fix(&t->by_size, &o->by_size);
    } else if (o) {
        owner_free(t, o);
    }
}

static void
tell(const struct mac_table *t, const struct node *n)
{
    if (t->changed) {
        t->changed(t->aux, n->e.mac, n->e.vlan);
    }
}

static void
remove_node(struct mac_table *t, struct node *n)
{
    detach(t, n);
    rcu_map_remove(&t->map, n, key_hash(t, n->e.mac, n->e.vlan));
    tell(t, n);
    rcu_defer(free, n);
}

/* Makes room by taking an entry that was unused for long from the bundle that has most. */
static void
evict(struct mac_table *t)
{
    struct owner *o = CONTAINER_OF(pqueue_first(&t->by_size), struct owner, by_size);
    struct node *victim = CONTAINER_OF(o->entries.next, struct node, by_owner);

    for (int tries = 0; tries < 16 && node_used(victim) != victim->listed; tries++) {
        victim->listed = node_used(victim);
        list_remove(&victim->by_owner);
        list_push_back(&o->entries, &victim->by_owner);
        victim = CONTAINER_OF(o->entries.next, struct node, by_owner);
    }
    remove_node(t, victim);
    t->stats.n_evicted++;
}

static struct node *
node_create(struct eth_addr mac, uint16_t vlan, const void *bundle_key, ofp_port port, bool is_static)
{
    struct node *n = xzalloc(sizeof *n);

    n->e = (struct mac_entry) { .mac = mac, .vlan = vlan, .bundle_key = bundle_key, .port = port,
                                .is_static = is_static };
    n->used = clock_now_ms();
    return n;
}

/* Puts 'n' in the place of 'old' (null: none); false, and 'n' freed, if there is no room. */
static bool
install(struct mac_table *t, struct node *n, struct node *old)
{
    uint32_t hash = key_hash(t, n->e.mac, n->e.vlan);

    if (old) {
        detach(t, old);
        rcu_map_replace(&t->map, old, n, hash);
        rcu_defer(free, old);
    } else {
        while (t->stats.n_entries >= t->max_entries && pqueue_first(&t->by_size)) {
            evict(t);
        }
        if (t->stats.n_entries >= t->max_entries) {
            free(n);
            return false;
        }
        rcu_map_insert(&t->map, n, hash);
    }
    attach(t, n);
    tell(t, n);
    return true;
}

/* Interface. */

struct mac_table *
mac_table_create(void)
{
    struct mac_table *t = xzalloc(sizeof *t);

    rcu_map_init(&t->map);
    hmap_init(&t->owners);
    t->by_size = (struct pqueue) PQUEUE_INIT(has_more);
    pthread_mutex_init(&t->mutex, NULL);
    for (int i = 0; i < N_SLOTS; i++) {
        list_init(&t->slots[i]);
    }
    t->basis = hash_pointer(t, 0);
    t->idle_ms = MAC_TABLE_DEFAULT_IDLE_S * 1000;
    t->max_entries = MAC_TABLE_DEFAULT_MAX;
    t->wheel_at = clock_now_ms() / 1000;
    return t;
}

void
mac_table_set_listener(struct mac_table *t, void (*changed)(void *aux, struct eth_addr, uint16_t vlan), void *aux)
{
    t->changed = changed;
    t->aux = aux;
}

static void
remove_where(struct mac_table *t, bool (*which)(const struct node *, const void *aux), const void *aux)
{
    RCU_MAP_FOR_EACH (n, struct node, &t->map) {
        if (which(n, aux)) {
            remove_node(t, n);
        }
    }
}

static bool
is_any(const struct node *n UNUSED, const void *aux UNUSED)
{
    return true;
}

static bool
is_dynamic(const struct node *n, const void *aux UNUSED)
{
    return !n->e.is_static;
}

static bool
is_of_bundle(const struct node *n, const void *bundle_key)
{
    return n->e.bundle_key == bundle_key;
}

void
mac_table_destroy(struct mac_table *t)
{
    if (t) {
        t->changed = NULL;
        remove_where(t, is_any, NULL);
        rcu_map_uninit(&t->map);
        hmap_uninit(&t->owners);
        pqueue_uninit(&t->by_size);
        free(rcu_get_protected(&t->flood_vlans));
        pthread_mutex_destroy(&t->mutex);
        free(t);
    }
}

void
mac_table_configure(struct mac_table *t, unsigned int idle_s, size_t max_entries)
{
    int64_t idle_ms = 1000 * (int64_t) MIN(MAX(idle_s, 15u), 3600u);

    pthread_mutex_lock(&t->mutex);
    t->max_entries = MIN(MAX(max_entries, (size_t) 10), (size_t) 1000000);
    while (t->stats.n_entries > t->max_entries && pqueue_first(&t->by_size)) {
        evict(t);
    }
    if (idle_ms != t->idle_ms) {
        t->idle_ms = idle_ms;
        RCU_MAP_FOR_EACH (n, struct node, &t->map) {
            list_remove(&n->in_slot);
            if (!n->e.is_static) {
                put_in_slot(t, n);
            }
        }
        /* Entries whose new time is past lie in slots that the hand has passed. */
        t->wheel_at -= 3600;
    }
    pthread_mutex_unlock(&t->mutex);
}

void
mac_table_set_flood_vlans(struct mac_table *t, const uint64_t *flood_vlans)
{
    uint64_t *old = rcu_get_protected(&t->flood_vlans);
    bool same = old && flood_vlans ? !memcmp(old, flood_vlans, 512) : old == flood_vlans;

    if (!same) {
        rcu_set(&t->flood_vlans, flood_vlans ? xmemdup(flood_vlans, 512) : NULL);
        if (old) {
            rcu_defer(free, old);
        }
        mac_table_flush(t);
    }
}

bool
mac_table_may_learn(const struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    const uint64_t *flood = rcu_get(&t->flood_vlans);

    return !eth_addr_is_multicast(mac) && !eth_addr_is_zero(mac) &&
           !(flood && flood[vlan / 64 % 64] >> vlan % 64 & 1);
}

static void
fill_entry(const struct mac_table *t, const struct node *n, struct mac_entry *e)
{
    *e = n->e;
    e->expires = n->e.is_static ? CLOCK_NEVER : node_expires(t, n);
}

bool
mac_table_lookup(const struct mac_table *t, struct eth_addr mac, uint16_t vlan, struct mac_entry *entry)
{
    const struct node *n = find_rcu(t, mac, vlan);

    if (n) {
        fill_entry(t, n, entry);
    }
    return n != NULL;
}

bool
mac_table_would_change(const struct mac_table *t, struct eth_addr mac, uint16_t vlan, const void *bundle_key)
{
    const struct node *n = find_rcu(t, mac, vlan);

    return mac_table_may_learn(t, mac, vlan) && (!n || (!n->e.is_static && n->e.bundle_key != bundle_key));
}

/* Notes that the address was seen where it is known to be. */
static void
refresh(struct node *n, int64_t now, bool lock)
{
    if (node_used(n) < now) {
        atomic_store_explicit(&n->used, now, memory_order_relaxed);
    }
    if (lock) {
        atomic_store_explicit(&n->locked_until, now + GRATUITOUS_LOCK_MS, memory_order_relaxed);
    }
}

static bool
learn_locked(struct mac_table *t, struct node *fresh)
{
    struct node *old = find_rcu(t, fresh->e.mac, fresh->e.vlan);

    /* Another thread may have learned it meanwhile. */
    if (old && (old->e.is_static || old->e.bundle_key == fresh->e.bundle_key)) {
        free(fresh);
        return false;
    }
    if (install(t, fresh, old)) {
        *(old ? &t->stats.n_moved : &t->stats.n_learned) += 1;
        return true;
    }
    return false;
}

bool
mac_table_is_locked(const struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    const struct node *n = find_rcu(t, mac, vlan);

    return n && clock_now_ms() < n->locked_until;
}

bool
mac_table_learn(struct mac_table *t, struct eth_addr mac, uint16_t vlan, const void *bundle_key, ofp_port port,
                bool is_gratuitous_arp, bool from_bond)
{
    struct node *n = find_rcu(t, mac, vlan), *fresh;
    int64_t now = clock_now_ms();
    bool lock = is_gratuitous_arp && !from_bond, changed;

    if (!mac_table_may_learn(t, mac, vlan)) {
        return false;
    }
    if (n && (n->e.is_static || n->e.bundle_key == bundle_key)) {
        refresh(n, now, lock);
        return false;
    }
    if (n && from_bond && is_gratuitous_arp && now < n->locked_until) {
        return false;
    }
    fresh = node_create(mac, vlan, bundle_key, port, false);
    refresh(fresh, now, lock);
    pthread_mutex_lock(&t->mutex);
    changed = learn_locked(t, fresh);
    pthread_mutex_unlock(&t->mutex);
    return changed;
}

bool
mac_table_add_static(struct mac_table *t, struct eth_addr mac, uint16_t vlan, const void *bundle_key, ofp_port port)
{
    struct node *n = node_create(mac, vlan, bundle_key, port, true);
    bool done;

    pthread_mutex_lock(&t->mutex);
    done = install(t, n, find_rcu(t, mac, vlan));
    pthread_mutex_unlock(&t->mutex);
    return done;
}

bool
mac_table_del_static(struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    struct node *n;

    pthread_mutex_lock(&t->mutex);
    n = find_rcu(t, mac, vlan);
    n = n && n->e.is_static ? n : NULL;
    if (n) {
        remove_node(t, n);
    }
    pthread_mutex_unlock(&t->mutex);
    return n != NULL;
}

void
mac_table_flush(struct mac_table *t)
{
    pthread_mutex_lock(&t->mutex);
    remove_where(t, is_dynamic, NULL);
    pthread_mutex_unlock(&t->mutex);
}

void
mac_table_flush_bundle(struct mac_table *t, const void *bundle_key)
{
    pthread_mutex_lock(&t->mutex);
    remove_where(t, is_of_bundle, bundle_key);
    pthread_mutex_unlock(&t->mutex);
}

void
mac_table_forget(struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    struct node *n;

    pthread_mutex_lock(&t->mutex);
    n = find_rcu(t, mac, vlan);
    if (n && !n->e.is_static) {
        remove_node(t, n);
    }
    pthread_mutex_unlock(&t->mutex);
}

/* Removes what has expired of one slot; what was used since moves to its new slot. */
static bool
run_slot(struct mac_table *t, struct list *slot, int64_t now)
{
    struct list due = LIST_INIT(&due);
    bool any = false;

    list_splice(&due, slot);
    while (!list_is_empty(&due)) {
        struct node *n = CONTAINER_OF(list_pop_front(&due), struct node, in_slot);

        if (node_expires(t, n) > now) {
            put_in_slot(t, n);
        } else {
            remove_node(t, n);
            t->stats.n_expired++;
            any = true;
        }
    }
    return any;
}

bool
mac_table_run(struct mac_table *t)
{
    int64_t now = clock_now_ms();
    bool any = false;

    pthread_mutex_lock(&t->mutex);
    t->wheel_at = MAX(MAX(t->wheel_at, now / 1000 - N_SLOTS), 0);
    while (t->wheel_at < now / 1000) {
        t->wheel_at++;
        any |= run_slot(t, &t->slots[t->wheel_at % N_SLOTS], now);
    }
    pthread_mutex_unlock(&t->mutex);
    return any;
}

static int
compare_nodes(const void *a_, const void *b_)
{
    const struct node *a = *(struct node *const *) a_, *b = *(struct node *const *) b_;
    int64_t ta = node_used(a), tb = node_used(b);

    return ta != tb ? (ta < tb ? -1 : 1) : a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Least recently used first. */
void
mac_table_for_each(const struct mac_table *t_, void (*cb)(void *aux, const struct mac_entry *), void *aux)
{
    struct mac_table *t = (struct mac_table *) t_;
    struct node **sorted;
    size_t n = 0;

    pthread_mutex_lock(&t->mutex);
    sorted = xcalloc(rcu_map_count(&t->map) + 1, sizeof *sorted);
    RCU_MAP_FOR_EACH (node, struct node, &t->map) {
        sorted[n++] = node;
    }
    pthread_mutex_unlock(&t->mutex);
    qsort(sorted, n, sizeof *sorted, compare_nodes);
    for (size_t i = 0; i < n; i++) {
        struct mac_entry e;

        fill_entry(t, sorted[i], &e);
        cb(aux, &e);
    }
    free(sorted);
}

void
mac_table_for_each_learned(const struct mac_table *t_, const void *bundle_key,
                           void (*cb)(void *aux, const struct mac_entry *), void *aux)
{
    struct mac_table *t = (struct mac_table *) t_;
    const struct owner *o;

    pthread_mutex_lock(&t->mutex);
    o = owner_find(t, bundle_key);
    if (o) {
        LIST_FOR_EACH (n, struct node, by_owner, &o->entries) {
            struct mac_entry e;

            fill_entry(t, n, &e);
            cb(aux, &e);
        }
    }
    pthread_mutex_unlock(&t->mutex);
}

void
mac_table_get_stats(const struct mac_table *t_, struct mac_table_stats *stats)
{
    struct mac_table *t = (struct mac_table *) t_;

    pthread_mutex_lock(&t->mutex);
    *stats = t->stats;
    stats->max_entries = t->max_entries;
    pthread_mutex_unlock(&t->mutex);
}

void
mac_table_clear_stats(struct mac_table *t)
{
    pthread_mutex_lock(&t->mutex);
    t->stats = (struct mac_table_stats) { .n_entries = t->stats.n_entries, .n_static = t->stats.n_static };
    pthread_mutex_unlock(&t->mutex);
}
