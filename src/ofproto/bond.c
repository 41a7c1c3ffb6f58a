#include "ofproto/bond.h"

#include <stdlib.h>

#include "netdev/netdev.h"
#include "ofproto/depend.h"
#include "ofproto/ofproto_private.h"
#include "sys/log.h"

LOG_MODULE(bond)

enum { MIN_REBALANCE_MS = 1000 };

static struct hmap all_bonds = HMAP_INIT(&all_bonds);
static void (*active_listener)(void *aux, const void *key);
static void *active_aux;

void
ofproto_set_bond_listener(void (*changed)(void *aux, const void *key), void *aux)
{
    active_listener = changed;
    active_aux = aux;
}

bool
bond_load_try_ref_rcu(struct bond_load *l)
{
    uint32_t n = atomic_load(&l->n_refs);

    while (n) {
        if (atomic_compare_exchange_weak(&l->n_refs, &n, n + 1)) {
            return true;
        }
    }
    return false;
}

void
bond_load_unref(struct bond_load *l)
{
    if (atomic_fetch_sub(&l->n_refs, 1) == 1) {
        rcu_defer(free, l);
    }
}

/* Publishing. */

static bool
needs_lacp(const struct bond *b)
{
    return b->c.mode == BOND_BALANCE_TCP;
}

/* Without LACP, balance-tcp has nobody to talk to. */
static bool
is_usable(const struct bond *b)
{
    return !needs_lacp(b) || (b->c.wants_lacp && b->c.lacp_fallback_ab);
}

static void
publish(struct bond *b)
{
    struct xbond *old = rcu_get_protected(&b->published), *x = xzalloc(sizeof *x);

    x->mode = b->c.mode == BOND_BALANCE_SLB ? BOND_BALANCE_SLB : BOND_ACTIVE_BACKUP;
    x->all_members_active = b->c.all_members_active;
    x->basis = b->c.hash_basis;
    x->active = is_usable(b) ? b->active : NULL;
    memcpy(x->buckets, b->buckets, sizeof x->buckets);
    x->load = b->load;
    if (old && !memcmp(x, old, sizeof *x)) {
        free(x);
        return;
    }
    rcu_set(&b->published, x);
    depend_key_changed(b->ofproto->backer->depend, &b->ofproto->xb, CONSULTED_BUNDLE, (uintptr_t) b->key);
    revalidator_wake(b->ofproto->backer->revalidator);
    if (old) {
        rcu_defer(free, old);
    }
}

/* Members. */

static struct bond_member *
member_of(const struct bond *b, const struct xport *x)
{
    for (size_t i = 0; i < b->n_members; i++) {
        if (b->members[i].x == x) {
            return &b->members[i];
        }
    }
    return NULL;
}

struct bond_member *
bond_find_member(const struct bond *b, const char *name)
{
    for (size_t i = 0; i < b->n_members; i++) {
        if (!strcmp(b->members[i].x->name, name)) {
            return &b->members[i];
        }
    }
    return NULL;
}

static bool
read_link(const struct bond *b, const struct bond_member *m)
{
    if (needs_lacp(b) && b->c.wants_lacp && !b->c.lacp_fallback_ab) {
        return false; /* Never negotiated. */
    }
    return b->c.use_miimon ? netdev_get_miimon(m->x->netdev) : netdev_get_carrier(m->x->netdev);
}

static void
enable(struct bond_member *m, bool enabled)
{
    m->delay_expires = CLOCK_NEVER;
    if (m->enabled != enabled) {
        m->enabled = enabled;
        log_info("member %s: %s", m->x->name, enabled ? "enabled" : "disabled");
    }
}

static void
check_link(struct bond *b, struct bond_member *m, int64_t now)
{
    int64_t delay;

    m->link = read_link(b, m);
    if ((m->link == m->enabled) != (m->delay_expires == CLOCK_NEVER)) {
        log_info("member %s: link state %s", m->x->name, m->link ? "up" : "down");
        if (m->link == m->enabled) {
            m->delay_expires = CLOCK_NEVER;
            log_info("member %s: will not be %s", m->x->name, m->link ? "disabled" : "enabled");
        } else {
            delay = m->link ? b->c.updelay_ms : b->c.downdelay_ms;
            m->delay_expires = now + delay;
            if (delay) {
                log_info("member %s: will be %s if it stays %s for %lld ms", m->x->name,
                         m->link ? "enabled" : "disabled", m->link ? "up" : "down", (long long) delay);
            }
        }
    }
    if (now >= m->delay_expires) {
        enable(m, m->link);
    }
}

/* The active member. */

static struct bond_member *
primary_of(const struct bond *b)
{
    return b->c.mode == BOND_ACTIVE_BACKUP && b->primary ? bond_find_member(b, b->primary) : NULL;
}

static bool
had_been_active(const struct bond *b, const struct bond_member *m)
{
    struct eth_addr mac;

    return !b->was_active && !netdev_get_etheraddr(m->x->netdev, &mac) && eth_addr_equal(mac, b->c.last_active);
}

/* The primary, who was active before a restart, or the first that is enabled; where none is, the one that would be
 * soonest. */
static struct bond_member *
choose_active(const struct bond *b)
{
    struct bond_member *best = NULL, *primary = primary_of(b);

    if (primary && primary->enabled) {
        return primary;
    }
    for (size_t i = 0; i < b->n_members; i++) {
        struct bond_member *m = &b->members[i];

        if (m->enabled && (!best || !best->enabled || had_been_active(b, m))) {
            best = m;
        } else if (m->link && !m->enabled && (!best || (!best->enabled && m->delay_expires < best->delay_expires))) {
            best = m;
        }
    }
    return best;
}

static void
tell_active(struct bond *b)
{
    if (active_listener) {
        active_listener(active_aux, b->key);
    }
}

static void
activate(struct bond *b, struct bond_member *m, int64_t now)
{
    b->must_teach |= b->active != m->x;
    b->active = m->x;
    if (m->enabled) {
        log_info("bond %s: active member is now %s", b->name, m->x->name);
    } else {
        log_info("bond %s: active member is now %s, skipping remaining %lld ms updelay (since no member was enabled)",
                 b->name, m->x->name, (long long) MAX(m->delay_expires - now, 0));
        enable(m, true);
    }
    tell_active(b);
}

static void
update_active(struct bond *b, int64_t now)
{
    struct bond_member *m = member_of(b, b->active), *primary = primary_of(b), *best;

    if (m && m->enabled && !(primary && primary->enabled && primary != m)) {
        return;
    }
    best = choose_active(b);
    if (best) {
        activate(b, best, now);
    } else if (b->active) {
        log_info("bond %s: all members disabled", b->name);
        b->active = NULL;
        tell_active(b);
    }
}

/* Buckets. */

static size_t
enabled_members(const struct bond *b, struct bond_member **enabled)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_members; i++) {
        if (b->members[i].enabled) {
            enabled[n++] = &b->members[i];
        }
    }
    return n;
}

/* Those whose member is gone or disabled go to the others. */
static void
assign_buckets(struct bond *b)
{
    struct bond_member **enabled = xcalloc(b->n_members + 1, sizeof *enabled);
    size_t n = b->c.mode == BOND_BALANCE_SLB ? enabled_members(b, enabled) : 0;

    for (size_t i = 0; i < BOND_N_BUCKETS; i++) {
        const struct bond_member *m = member_of(b, b->buckets[i]);

        if (!n) {
            b->buckets[i] = NULL;
        } else if (!m || !m->enabled) {
            b->buckets[i] = enabled[i % n]->x;
        }
    }
    free(enabled);
}

static uint64_t
load_of(const struct bond *b, const struct bond_member *m)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < BOND_N_BUCKETS; i++) {
        sum += b->buckets[i] == m->x ? atomic_load(&b->load->bytes[i]) : 0;
    }
    return sum;
}

/* The bucket of 'from' whose move evens out a difference of 'diff' bytes best; -1 if none is worth it. */
static int
bucket_to_move(const struct bond *b, const struct bond_member *from, uint64_t diff)
{
    uint64_t best_gain = diff / 10;
    int best = -1;

    for (int i = 0; i < BOND_N_BUCKETS; i++) {
        uint64_t load = b->buckets[i] == from->x ? atomic_load(&b->load->bytes[i]) : 0;
        uint64_t after = 2 * load > diff ? 2 * load - diff : diff - 2 * load;

        if (load && after < diff && diff - after > best_gain) {
            best_gain = diff - after;
            best = i;
        }
    }
    return best;
}

/* Moves one bucket from the most loaded member to the least; false if that would not help. */
static bool
move_one(struct bond *b, struct bond_member *const *enabled, size_t n)
{
    struct bond_member *most = enabled[0], *least = enabled[0];
    uint64_t most_load = load_of(b, most), least_load = most_load;
    int bucket;

    for (size_t i = 1; i < n; i++) {
        uint64_t load = load_of(b, enabled[i]);

        if (load > most_load) {
            most_load = load;
            most = enabled[i];
        } else if (load < least_load) {
            least_load = load;
            least = enabled[i];
        }
    }
    bucket = most_load - least_load > most_load / 32 ? bucket_to_move(b, most, most_load - least_load) : -1;
    if (bucket < 0) {
        return false;
    }
    log_dbg("bond %s: bucket %d moves from %s to %s", b->name, bucket, most->x->name, least->x->name);
    b->buckets[bucket] = least->x;
    return true;
}

static void
log_balance(const struct bond *b, struct bond_member *const *enabled, size_t n)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < n; i++) {
        str_putf(&s, "%s%s:%llukB", i ? " and " : "", enabled[i]->x->name,
                 (unsigned long long) load_of(b, enabled[i]) / 1024);
    }
    log_info("bond %s: rebalanced (now carrying: %s)", b->name, str_text(&s));
    str_uninit(&s);
}

static void
rebalance(struct bond *b)
{
    struct bond_member **enabled = xcalloc(b->n_members + 1, sizeof *enabled);
    size_t n = enabled_members(b, enabled);
    int n_moved = 0;

    while (n > 1 && n_moved < BOND_N_BUCKETS && move_one(b, enabled, n)) {
        n_moved++;
    }
    if (n_moved) {
        log_balance(b, enabled, n);
    }
    for (size_t i = 0; i < BOND_N_BUCKETS; i++) {
        atomic_store(&b->load->bytes[i], atomic_load(&b->load->bytes[i]) / 2);
    }
    free(enabled);
}

/* Time. */

static void
set_timer(struct bond *b)
{
    int64_t when = MIN(b->next_rebalance, b->next_poll);

    for (size_t i = 0; i < b->n_members; i++) {
        when = MIN(when, b->members[i].delay_expires);
    }
    if (when == CLOCK_NEVER) {
        loop_timer_cancel(&b->timer);
    } else {
        loop_timer_set(&b->timer, when);
    }
}

void
bond_run(struct bond *b)
{
    int64_t now = clock_now_ms();

    for (size_t i = 0; i < b->n_members; i++) {
        check_link(b, &b->members[i], now);
    }
    update_active(b, now);
    assign_buckets(b);
    if (now >= b->next_rebalance) {
        if (b->c.mode == BOND_BALANCE_SLB) {
            rebalance(b);
        }
        b->next_rebalance = now + b->c.rebalance_ms;
    }
    if (now >= b->next_poll) {
        b->next_poll = now + b->c.miimon_ms;
    }
    publish(b);
    if (b->must_teach) {
        b->must_teach = !bond_send_learning_packets(b);
    }
    b->was_active |= b->active != NULL;
    set_timer(b);
}

static void
on_timer(struct loop_timer *t)
{
    bond_run(t->aux);
}

/* Configuration. */

struct bond *
bond_create(struct ofproto *p, const void *key, const char *name)
{
    struct bond *b = xzalloc(sizeof *b);

    b->ofproto = p;
    b->key = key;
    b->name = xstrdup(name);
    b->load = xzalloc(sizeof *b->load);
    b->load->n_refs = 1;
    b->next_rebalance = b->next_poll = CLOCK_NEVER;
    loop_timer_init(ofproto_loop, &b->timer, on_timer, b);
    bond_teaching_init(b);
    hmap_insert(&all_bonds, &b->node, hash_string(name, 0));
    return b;
}

static void
free_bond(void *b_)
{
    struct bond *b = b_;

    free(rcu_get_protected(&b->published));
    free(b->name);
    free(b->primary);
    free(b->members);
    free(b);
}

void
bond_destroy(struct bond *b)
{
    if (b) {
        loop_timer_cancel(&b->timer);
        bond_teaching_uninit(b);
        hmap_remove(&all_bonds, &b->node);
        bond_load_unref(b->load);
        rcu_defer(free_bond, b);
    }
}

static int
compare_members(const void *a_, const void *b_)
{
    const struct bond_member *a = a_, *b = b_;

    return strcmp(a->x->name, b->x->name);
}

/* A member that comes is what its link is at once. */
static void
set_members(struct bond *b, struct xport *const *ports, size_t n)
{
    struct bond_member *members = xcalloc(n + 1, sizeof *members);

    for (size_t i = 0; i < n; i++) {
        const struct bond_member *old = member_of(b, ports[i]);

        members[i] = old ? *old : (struct bond_member) { .x = ports[i], .delay_expires = CLOCK_NEVER };
        if (!old) {
            members[i].link = read_link(b, &members[i]);
            enable(&members[i], members[i].link);
        }
    }
    if (n) {
        qsort(members, n, sizeof *members, compare_members);
    }
    free(b->members);
    b->members = members;
    b->n_members = n;
    if (b->active && !member_of(b, b->active)) {
        b->active = NULL;
    }
}

/* Nobody waits longer than a delay that has become shorter. */
static void
shorten_delays(struct bond *b, int64_t now)
{
    for (size_t i = 0; i < b->n_members; i++) {
        struct bond_member *m = &b->members[i];
        int64_t delay = m->enabled ? b->c.downdelay_ms : b->c.updelay_ms;

        if (m->delay_expires != CLOCK_NEVER) {
            m->delay_expires = MIN(m->delay_expires, now + delay);
        }
    }
}

void
bond_configure(struct bond *b, const struct ofproto_bond_config *c, struct xport *const *ports, size_t n)
{
    int64_t now = clock_now_ms();
    char *primary = xstrdup(c->primary);
    bool rebalances = c->mode != BOND_ACTIVE_BACKUP && c->rebalance_ms;
    int64_t rebalance_ms = MAX(c->rebalance_ms, MIN_REBALANCE_MS);
    bool is_new_interval = rebalance_ms != b->c.rebalance_ms;

    if (c->mode != b->c.mode || c->hash_basis != b->c.hash_basis) {
        memset(b->buckets, 0, sizeof b->buckets);
    }
    free(b->primary);
    b->c = *c;
    b->primary = primary;
    b->c.primary = primary;
    b->c.rebalance_ms = rebalance_ms;
    if (!rebalances) {
        b->next_rebalance = CLOCK_NEVER;
    } else if (b->next_rebalance == CLOCK_NEVER || is_new_interval) {
        b->next_rebalance = now + rebalance_ms;
    }
    b->next_poll = c->use_miimon ? now + c->miimon_ms : CLOCK_NEVER;
    set_members(b, ports, n);
    shorten_delays(b, now);
    bond_run(b);
}

void
bond_lose_member(struct bond *b, const struct xport *gone)
{
    struct bond_member *m = member_of(b, gone);
    int64_t now = clock_now_ms();

    if (!m) {
        return;
    }
    enable(m, false);
    memmove(m, m + 1, (&b->members[--b->n_members] - m) * sizeof *m);
    if (b->active == gone) {
        b->active = NULL;
    }
    update_active(b, now);
    assign_buckets(b);
    publish(b);
    b->must_teach = true;
    loop_timer_set(&b->timer, now);
}

void
bond_lose_all(struct bond *b)
{
    for (size_t i = 0; i < b->n_members; i++) {
        enable(&b->members[i], false);
    }
    if (b->active) {
        log_info("bond %s: all members disabled", b->name);
    }
}

struct xport *
bond_choose(const struct bond *b, struct eth_addr mac, uint16_t vlan)
{
    if (!is_usable(b)) {
        return NULL;
    }
    return b->c.mode == BOND_BALANCE_SLB ? b->buckets[bond_hash(mac, vlan, b->c.hash_basis)] : b->active;
}

bool
ofproto_bond_get_active(const struct ofproto *p, const void *key, struct eth_addr *mac)
{
    HMAP_FOR_EACH (b, struct bond, node, &all_bonds) {
        if (b->ofproto == p && b->key == key) {
            *mac = (struct eth_addr) { { 0 } };
            if (b->active) {
                netdev_get_etheraddr(b->active->netdev, mac);
            }
            return true;
        }
    }
    return false;
}

/* For the commands. */

struct bond *
bond_find(const char *name)
{
    HMAP_FOR_EACH_WITH_HASH (b, struct bond, node, hash_string(name, 0), &all_bonds) {
        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

static int
compare_bonds(const void *a_, const void *b_)
{
    const struct bond *const *a = a_, *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

struct bond **
bonds_sorted(size_t *n)
{
    struct bond **all = xcalloc(hmap_count(&all_bonds) + 1, sizeof *all);

    *n = 0;
    HMAP_FOR_EACH (b, struct bond, node, &all_bonds) {
        all[(*n)++] = b;
    }
    qsort(all, *n, sizeof *all, compare_bonds);
    return all;
}

void
bond_set_enabled(struct bond *b, struct bond_member *m, bool enabled)
{
    enable(m, enabled);
    bond_run(b);
}

void
bond_set_active(struct bond *b, struct bond_member *m)
{
    activate(b, m, clock_now_ms());
    bond_run(b);
}

void
bond_migrate(struct bond *b, uint8_t bucket, struct bond_member *m)
{
    b->buckets[bucket] = m->x;
    publish(b);
}
