#include "ofproto/xbridge.h"

#include <stdlib.h>

#include "base/hash.h"

static uint32_t
ofp_hash(ofp_port p)
{
    return hash_u32(ofp_to_u32(p), 0);
}

uint64_t
xbridge_new_serial(void)
{
    static _Atomic uint64_t last;

    return atomic_fetch_add(&last, 1) + 1;
}

void
xbridge_forget_changes(struct xbridge *b, uint64_t version)
{
    for (unsigned int i = 0; i < OFPROTO_N_TABLES; i++) {
        if (xbridge_changed_in(b, i) > version) {
            atomic_store_explicit(&b->changed_in[i], version, memory_order_relaxed);
        }
    }
    if (atomic_load_explicit(&b->changed, memory_order_relaxed) > version) {
        atomic_store_explicit(&b->changed, version, memory_order_relaxed);
    }
}

struct xport *
xbridge_port_rcu(const struct xbridge *b, ofp_port port)
{
    RCU_MAP_FOR_EACH_WITH_HASH (p, struct xport, ofp_hash(port), &b->ports) {
        if (p->ofp_port == port) {
            return p;
        }
    }
    return NULL;
}

struct xport *
xdp_port_rcu(const struct xdp *xdp, odp_port port)
{
    RCU_MAP_FOR_EACH_WITH_HASH (p, struct xport, hash_u32(port.n, 0), &xdp->ports) {
        if (odp_port_equal(p->odp_port, port)) {
            return p;
        }
    }
    return NULL;
}

static struct xzone_policy *
find_policy(const struct xdp *xdp, uint16_t zone)
{
    RCU_MAP_FOR_EACH_WITH_HASH (p, struct xzone_policy, hash_u32(zone, 0), &xdp->policies) {
        if (p->zone == zone) {
            return p;
        }
    }
    return NULL;
}

bool
xdp_zone_policy_rcu(const struct xdp *xdp, uint16_t zone, uint32_t *id)
{
    const struct xzone_policy *p = find_policy(xdp, zone);

    *id = p ? p->id : 0;
    return p;
}

void
xdp_set_zone_policy(struct xdp *xdp, uint16_t zone, const uint32_t *id)
{
    struct xzone_policy *old = find_policy(xdp, zone), *new;

    if (old) {
        rcu_map_remove(&xdp->policies, old, hash_u32(zone, 0));
        rcu_defer(free, old);
    }
    if (id) {
        new = xzalloc(sizeof *new);
        *new = (struct xzone_policy) { zone, *id };
        rcu_map_insert(&xdp->policies, new, hash_u32(zone, 0));
    }
}

static bool
has_odp_port(const struct xport *p)
{
    return !odp_port_equal(p->odp_port, ODP_PORT_NONE);
}

void
xbridge_add_port(struct xbridge *b, struct xport *p)
{
    if (!atomic_load(&p->n_refs)) {
        atomic_store(&p->n_refs, 1);
    }
    p->bridge = b;
    rcu_map_insert(&b->ports, p, ofp_hash(p->ofp_port));
    if (has_odp_port(p)) {
        rcu_map_insert(&b->xdp->ports, p, hash_u32(p->odp_port.n, 0));
    }
}

static void
free_port(void *p_)
{
    struct xport *p = p_;

    free(rcu_get_protected(&p->dscps));
    free(p->name);
    free(p);
}

struct xmeter *
xbridge_meter_rcu(const struct xbridge *b, uint32_t meter_id)
{
    RCU_MAP_FOR_EACH_WITH_HASH (m, struct xmeter, hash_u32(meter_id, 0), &b->meters) {
        if (m->id == meter_id) {
            return m;
        }
    }
    return NULL;
}

void
xbridge_remove_port(struct xbridge *b, struct xport *p)
{
    rcu_map_remove(&b->ports, p, ofp_hash(p->ofp_port));
    if (has_odp_port(p)) {
        rcu_map_remove(&b->xdp->ports, p, hash_u32(p->odp_port.n, 0));
    }
}

bool
xport_try_ref_rcu(struct xport *p)
{
    uint32_t n = atomic_load(&p->n_refs);

    while (n && !atomic_compare_exchange_weak(&p->n_refs, &n, n + 1)) {
    }
    return n;
}

void
xport_unref(struct xport *p)
{
    if (atomic_fetch_sub(&p->n_refs, 1) == 1) {
        rcu_defer(free_port, p);
    }
}

void
xport_free(struct xport *p)
{
    xport_unref(p);
}

struct xbundle *
xbridge_bundle_rcu(const struct xbridge *b, const void *key)
{
    RCU_MAP_FOR_EACH_WITH_HASH (i, struct xbundle, hash_pointer(key, 0), &b->bundles) {
        if (i->key == key) {
            return i;
        }
    }
    return NULL;
}

static void
free_bundle(void *b_)
{
    struct xbundle *b = b_;

    free(b->name);
    free(b->trunks);
    free(b->cvlans);
    free(b);
}

/* Ports of 'old' that are not among those of 'fresh' do no NORMAL switching any more.  The ports still exist: a port
 * leaves its bundle before it is removed. */
static void
release_ports(const struct xbundle *old)
{
    for (size_t i = 0; i < old->n_ports; i++) {
        if (rcu_get_protected(&old->ports[i]->bundle) == old) {
            rcu_set(&old->ports[i]->bundle, NULL);
        }
    }
}

void
xbridge_set_bundle(struct xbridge *b, const void *key, struct xbundle *bundle)
{
    struct xbundle *old = xbridge_bundle_rcu(b, key);

    if (bundle && old) {
        rcu_map_replace(&b->bundles, old, bundle, hash_pointer(key, 0));
    } else if (bundle) {
        rcu_map_insert(&b->bundles, bundle, hash_pointer(key, 0));
    } else if (old) {
        rcu_map_remove(&b->bundles, old, hash_pointer(key, 0));
    }
    for (size_t i = 0; bundle && i < bundle->n_ports; i++) {
        rcu_set(&bundle->ports[i]->bundle, bundle);
    }
    if (old) {
        release_ports(old);
        rcu_defer(free_bundle, old);
    }
}
