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

/* So few go one by one. */
#define FEW 256
/* The mutex is held for so many at a time. */
#define AT_A_TIME 32

/* The learned addresses of one bundle; or its static ones. */
struct owner {
    struct hmap_node node; /* In mac_table->owners by 'bundle_key', until it is gone. */
    const void *bundle_key;
    bool is_static;
    _Atomic bool is_gone;  /* All of them are, for whoever looks one up; they are still to be taken out. */
    bool hosts_leave;
    struct list leaving;   /* In mac_table->leaving then. */
    struct list entries;   /* Roughly by falling age. */
    size_t n;              /* Of those. */
    struct pqueue_node by_size; /* In mac_table->by_size: of learned ones, until it is gone. */
};

/* Replaced as a whole when it moves, so that a reader never sees one port with another's bundle.  Only 'used' and
 * 'locked_until' change in place. */
struct node {
    struct mac_entry e;        /* 'expires' is not used here. */
    struct owner *owner;
    uint64_t seq;              /* Order of insertion, among equal times. */
    _Atomic int64_t used;      /* ms. */
    _Atomic int64_t locked_until;
    /* The rest is under the mutex. */
    struct mac_link link;
    struct list by_owner;
    struct list in_slot;
    int64_t listed;            /* 'used' when it was put into 'by_owner'. */
};

struct mac_table {
    struct rcu_map map;        /* struct node by key_hash(). */
    uint32_t basis;
    _Atomic int64_t idle_ms;
    RCU_PTR(uint64_t) flood_vlans;
    struct mac_table_listener listener;

    pthread_mutex_t mutex;     /* For all changes; readers take no lock. */
    struct list all;           /* struct mac_link: of all entries, and the marks of walks. */
    struct hmap owners;
    struct list leaving;       /* Those whose entries are to be taken out. */
    struct pqueue by_size;     /* The owner with most entries first. */
    size_t max_entries;
    uint64_t next_seq;
    int64_t wheel_at;          /* Second up to which the wheel was run, but for those that are due. */
    struct list due;           /* Of the last slot. */
    struct list slots[N_SLOTS];
    struct mac_link reslot;    /* In 'all' while entries are put into other slots: those behind it are still to be. */
    struct mac_table_stats stats;
};

static uint32_t
key_hash(const struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    return hash_u64(eth_addr_to_u64(mac) | (uint64_t) vlan << 48, t->basis);
}

static bool
is_gone(const struct owner *o)
{
    return atomic_load_explicit(&o->is_gone, memory_order_acquire);
}

static struct node *
find_rcu(const struct mac_table *t, struct eth_addr mac, uint16_t vlan)
{
    RCU_MAP_FOR_EACH_WITH_HASH (n, struct node, key_hash(t, mac, vlan), &t->map) {
        if (n->e.vlan == vlan && eth_addr_equal(n->e.mac, mac) && !is_gone(n->owner)) {
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
owner_find(const struct mac_table *t, const void *bundle_key, bool is_static)
{
    HMAP_FOR_EACH_WITH_HASH (o, struct owner, node, hash_pointer(bundle_key, is_static), &t->owners) {
        if (o->bundle_key == bundle_key && o->is_static == is_static) {
            return o;
        }
    }
    return NULL;
}

static struct owner *
owner_get(struct mac_table *t, const void *bundle_key, bool is_static)
{
    struct owner *o = owner_find(t, bundle_key, is_static);

    if (!o) {
        o = xzalloc(sizeof *o);
        o->bundle_key = bundle_key;
        o->is_static = is_static;
        list_init(&o->entries);
        list_init(&o->leaving);
        hmap_insert(&t->owners, &o->node, hash_pointer(bundle_key, is_static));
        if (!is_static) {
            pqueue_insert(&t->by_size, &o->by_size);
        }
    }
    return o;
}

/* It is found no more. */
static void
owner_withdraw(struct mac_table *t, struct owner *o)
{
    hmap_remove(&t->owners, &o->node);
    if (!o->is_static) {
        pqueue_remove(&t->by_size, &o->by_size);
    }
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
    struct owner *o = n->owner;

    list_push_back(&o->entries, &n->by_owner);
    n->listed = node_used(n);
    o->n++;
    t->stats.n_entries++;
    t->stats.n_static += n->e.is_static;
    if (!n->e.is_static) {
        pqueue_fix(&t->by_size, &o->by_size);
        put_in_slot(t, n);
    }
}

/* An owner that is gone has been counted out. */
static void
detach(struct mac_table *t, struct node *n)
{
    struct owner *o = n->owner;

    list_remove(&n->link.node);
    list_remove(&n->by_owner);
    list_remove(&n->in_slot);
    o->n--;
    if (!is_gone(o)) {
        t->stats.n_entries--;
        t->stats.n_static -= n->e.is_static;
        if (!o->n) {
            owner_withdraw(t, o);
        } else if (!o->is_static) {
            pqueue_fix(&t->by_size, &o->by_size);
        }
    }
    if (!o->n) {
        list_remove(&o->leaving);
        rcu_defer(free, o); /* No entry that can be found names it. */
    }
}

static void
tell(const struct mac_table *t, const struct node *n)
{
    if (t->listener.changed) {
        t->listener.changed(t->listener.aux, n->e.mac, n->e.vlan);
    }
}

static void
take_out(struct mac_table *t, struct node *n)
{
    rcu_map_remove(&t->map, n, key_hash(t, n->e.mac, n->e.vlan));
    detach(t, n);
    rcu_defer(free, n);
}

static void
remove_node(struct mac_table *t, struct node *n)
{
    take_out(t, n);
    tell(t, n);
}

/* All entries of an owner are gone from now on. */
static void
abandon(struct mac_table *t, struct owner *o, bool hosts_leave)
{
    owner_withdraw(t, o);
    t->stats.n_entries -= o->n;
    t->stats.n_static -= o->is_static ? o->n : 0;
    o->hosts_leave = hosts_leave;
    atomic_store_explicit(&o->is_gone, true, memory_order_release);
    list_push_back(&t->leaving, &o->leaving);
    if (o->n > FEW && t->listener.many_changed) {
        t->listener.many_changed(t->listener.aux);
        return;
    }
    LIST_FOR_EACH (n, struct node, by_owner, &o->entries) {
        tell(t, n);
    }
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
    list_init(&n->link.node);
    list_init(&n->by_owner);
    list_init(&n->in_slot);
    return n;
}

/* Room for one more.  Of far too many only a few go, so that who learns need not wait for all. */
static bool
make_room(struct mac_table *t)
{
    bool any = false;

    for (int i = 0; i < 2 && t->stats.n_entries >= t->max_entries && pqueue_first(&t->by_size); i++) {
        evict(t);
        any = true;
    }
    return any || t->stats.n_entries < t->max_entries;
}

/* Puts 'n' in the place of 'old' (null: none); false, and 'n' freed, if there is no room. */
static bool
install(struct mac_table *t, struct node *n, struct node *old)
{
    uint32_t hash = key_hash(t, n->e.mac, n->e.vlan);

    if (!old && !make_room(t)) {
        free(n);
        return false;
    }
    n->seq = t->next_seq++;
    if (old) {
        list_insert(&old->link.node, &n->link.node); /* So a walk meets the address once. */
        n->owner = owner_get(t, n->e.bundle_key, n->e.is_static);
        rcu_map_replace(&t->map, old, n, hash);
    } else {
        list_push_back(&t->all, &n->link.node);
        n->owner = owner_get(t, n->e.bundle_key, n->e.is_static);
        rcu_map_insert(&t->map, n, hash);
    }
    attach(t, n);
    if (old) {
        detach(t, old); /* Once the owner, if it has the same, has another entry. */
        rcu_defer(free, old);
    }
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
    list_init(&t->all);
    list_init(&t->leaving);
    list_init(&t->due);
    t->reslot.is_mark = true;
    list_init(&t->reslot.node);
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
mac_table_set_listener(struct mac_table *t, const struct mac_table_listener *listener)
{
    t->listener = *listener;
}

void
mac_table_destroy(struct mac_table *t)
{
    if (t) {
        (void) !mac_table_empty_step(t, NULL, NULL, NULL);
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
    for (int i = 0; i < FEW && t->stats.n_entries > t->max_entries && pqueue_first(&t->by_size); i++) {
        evict(t);
    }
    if (idle_ms != t->idle_ms) {
        t->idle_ms = idle_ms;
        list_remove(&t->reslot.node);
        list_push_front(&t->all, &t->reslot.node);
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
    HMAP_FOR_EACH_SAFE (o, struct owner, node, &t->owners) {
        if (!o->is_static) {
            abandon(t, o, false);
        }
    }
    pthread_mutex_unlock(&t->mutex);
}

void
mac_table_flush_bundle(struct mac_table *t, const void *bundle_key, bool hosts_leave)
{
    pthread_mutex_lock(&t->mutex);
    for (int is_static = 0; is_static < 2; is_static++) {
        struct owner *o = owner_find(t, bundle_key, is_static);

        if (o) {
            abandon(t, o, hosts_leave && !is_static);
        }
    }
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

/* The parts of mac_table_run_step(), each for up to '*n' entries; the caller holds the mutex. */

/* Hosts that are left without a bundle. */
struct left {
    struct { struct eth_addr mac; uint16_t vlan; } all[AT_A_TIME];
    size_t n;
};

static void
take_out_flushed(struct mac_table *t, unsigned int *n, struct left *left)
{
    for (; *n && !list_is_empty(&t->leaving); --*n) {
        struct owner *o = CONTAINER_OF(t->leaving.next, struct owner, leaving);
        struct node *node = CONTAINER_OF(o->entries.next, struct node, by_owner);

        if (o->hosts_leave) {
            left->all[left->n].mac = node->e.mac;
            left->all[left->n++].vlan = node->e.vlan;
        }
        take_out(t, node);
    }
}

static void
evict_excess(struct mac_table *t, unsigned int *n)
{
    for (; *n && t->stats.n_entries > t->max_entries && pqueue_first(&t->by_size); --*n) {
        evict(t);
    }
}

/* The ageing time has changed. */
static void
put_in_other_slots(struct mac_table *t, unsigned int *n)
{
    for (; *n && !list_is_empty(&t->reslot.node); --*n) {
        struct list *next = t->reslot.node.next;
        struct mac_link *link = CONTAINER_OF(next, struct mac_link, node);

        list_remove(&t->reslot.node);
        if (next == &t->all) {
            /* Entries whose new time is past lie in slots that the hand has passed. */
            t->wheel_at -= 3600;
            return;
        }
        list_insert(next->next, &t->reslot.node);
        if (!link->is_mark) {
            struct node *node = CONTAINER_OF(link, struct node, link);

            list_remove(&node->in_slot);
            if (!node->e.is_static) {
                put_in_slot(t, node);
            }
        }
    }
}

/* Removes what has expired; what was used since moves to its new slot. */
static void
expire(struct mac_table *t, unsigned int *n, int64_t now)
{
    t->wheel_at = MAX(MAX(t->wheel_at, now / 1000 - N_SLOTS), 0);
    while (*n && (!list_is_empty(&t->due) || t->wheel_at < now / 1000)) {
        struct node *node;

        if (list_is_empty(&t->due)) {
            t->wheel_at++;
            list_splice(&t->due, &t->slots[t->wheel_at % N_SLOTS]);
            continue;
        }
        --*n;
        node = CONTAINER_OF(list_pop_front(&t->due), struct node, in_slot);
        if (is_gone(node->owner)) {
            continue; /* It is going to be taken out. */
        }
        if (node_expires(t, node) > now) {
            put_in_slot(t, node);
        } else {
            remove_node(t, node);
            t->stats.n_expired++;
        }
    }
}

bool
mac_table_run_step(struct mac_table *t, struct loop_slice *slice,
                   void (*leaves)(void *aux, struct eth_addr, uint16_t vlan), void *aux)
{
    bool done;

    do {
        unsigned int n = AT_A_TIME;
        struct left left = { .n = 0 };

        pthread_mutex_lock(&t->mutex);
        take_out_flushed(t, &n, &left);
        evict_excess(t, &n);
        put_in_other_slots(t, &n);
        expire(t, &n, clock_now_ms());
        done = n > 0;
        pthread_mutex_unlock(&t->mutex);
        for (size_t i = 0; leaves && i < left.n; i++) {
            leaves(aux, left.all[i].mac, left.all[i].vlan);
        }
    } while (!done && !loop_slice_has_ended(slice));
    return done;
}

bool
mac_table_run(struct mac_table *t)
{
    uint64_t before = t->stats.n_expired;

    (void) !mac_table_run_step(t, NULL, NULL, NULL);
    return t->stats.n_expired != before;
}

bool
mac_table_empty_step(struct mac_table *t, struct loop_slice *slice,
                     void (*left)(void *aux, struct eth_addr, uint16_t vlan), void *aux)
{
    pthread_mutex_lock(&t->mutex);
    t->listener = (struct mac_table_listener) { .aux = NULL };
    HMAP_FOR_EACH_SAFE (o, struct owner, node, &t->owners) {
        abandon(t, o, false);
    }
    pthread_mutex_unlock(&t->mutex);
    return mac_table_run_step(t, slice, left, aux);
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
    sorted = xcalloc(t->stats.n_entries + 1, sizeof *sorted);
    LIST_FOR_EACH (link, struct mac_link, node, &t->all) {
        struct node *node = link->is_mark ? NULL : CONTAINER_OF(link, struct node, link);

        if (node && !is_gone(node->owner)) {
            sorted[n++] = node;
        }
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
mac_table_walk_begin(struct mac_table *t, struct mac_table_walk *w)
{
    w->at.is_mark = w->end.is_mark = true;
    pthread_mutex_lock(&t->mutex);
    list_push_front(&t->all, &w->at.node);
    list_push_back(&t->all, &w->end.node);
    pthread_mutex_unlock(&t->mutex);
}

static void
meet(const struct mac_table *t, const struct node *n, void (*cb)(void *aux, const struct mac_met *), void *aux)
{
    struct mac_met met = { .used = node_used(n), .seq = n->seq };

    fill_entry(t, n, &met.e);
    cb(aux, &met);
}

bool
mac_table_walk_step(struct mac_table *t, struct mac_table_walk *w, unsigned int n,
                    void (*cb)(void *aux, const struct mac_met *), void *aux)
{
    struct list *next;

    pthread_mutex_lock(&t->mutex);
    while ((next = w->at.node.next) != &w->end.node && n--) {
        const struct mac_link *link = CONTAINER_OF(next, struct mac_link, node);
        const struct node *node = link->is_mark ? NULL : CONTAINER_OF(link, struct node, link);

        list_remove(&w->at.node);
        list_insert(next->next, &w->at.node);
        if (node && !is_gone(node->owner)) {
            meet(t, node, cb, aux);
        }
    }
    pthread_mutex_unlock(&t->mutex);
    return next != &w->end.node;
}

void
mac_table_walk_end(struct mac_table *t, struct mac_table_walk *w)
{
    pthread_mutex_lock(&t->mutex);
    list_remove(&w->at.node);
    list_remove(&w->end.node);
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
