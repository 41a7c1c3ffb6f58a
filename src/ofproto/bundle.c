#include <stdlib.h>

#include "base/hash.h"
#include "netdev/netdev.h"
#include "ofproto/bond.h"
#include "ofproto/mac_table.h"
#include "ofproto/mirror.h"
#include "ofproto/ofproto_private.h"

/* The configuration of a bundle, from which xbundles are made anew whenever it or its ports change. */
struct bundle {
    struct hmap_node node; /* In ofproto->bundles, by key. */
    const void *key;
    struct ofproto_bundle_config c; /* Deep copy: name, ports, bitmaps owned; not the bond's. */
    size_t n_published;    /* How many of its ports were there when its xbundle was made. */
    bool wants_bond;       /* It is one when it has enough ports. */
    struct bond *bond;     /* Null: not a bond, or not yet. */
};

static struct bundle *
find(const struct ofproto *p, const void *key)
{
    HMAP_FOR_EACH_WITH_HASH (b, struct bundle, node, hash_pointer(key, 0), &p->bundles) {
        if (b->key == key) {
            return b;
        }
    }
    return NULL;
}

const char *
bundle_name(const struct ofproto *p, const void *key)
{
    struct bundle *b = find(p, key);

    return b ? b->c.name : NULL;
}

static uint64_t *
copy_bitmap(const uint64_t *vlans)
{
    return vlans ? xmemdup(vlans, 4096 / 8) : NULL;
}

static bool
bitmaps_equal(const uint64_t *a, const uint64_t *b)
{
    return a && b ? !memcmp(a, b, 4096 / 8) : a == b;
}

static void
config_copy(struct ofproto_bundle_config *dst, const struct ofproto_bundle_config *src)
{
    *dst = *src;
    dst->name = xstrdup(src->name);
    dst->ports = xmemdup(src->ports, src->n_ports * sizeof *src->ports);
    dst->trunks = copy_bitmap(src->trunks);
    dst->cvlans = copy_bitmap(src->cvlans);
    dst->bond = NULL;
}

static void
config_uninit(struct ofproto_bundle_config *c)
{
    free((char *) c->name);
    free((ofp_port *) c->ports);
    free((uint64_t *) c->trunks);
    free((uint64_t *) c->cvlans);
}

static bool
config_equal(const struct ofproto_bundle_config *a, const struct ofproto_bundle_config *b)
{
    return !strcmp(a->name, b->name) && a->n_ports == b->n_ports &&
           !memcmp(a->ports, b->ports, a->n_ports * sizeof *a->ports) && a->vlan_mode == b->vlan_mode &&
           a->vlan == b->vlan && bitmaps_equal(a->trunks, b->trunks) && bitmaps_equal(a->cvlans, b->cvlans) &&
           a->qinq_ethtype == b->qinq_ethtype && a->priority_tags == b->priority_tags &&
           a->is_protected == b->is_protected;
}

/* How many of the bundle's ports there are, but for 'without'; they are written to 'ports' unless it is null. */
static size_t
present_ports(const struct ofproto *p, const struct bundle *b, const struct xport *without, struct xport **ports)
{
    size_t n = 0;

    for (size_t i = 0; i < b->c.n_ports; i++) {
        struct ofport *o = ofport_find(p, b->c.ports[i]);

        if (o && o->x != without) {
            if (ports) {
                ports[n] = o->x;
            }
            n++;
        }
    }
    return n;
}

/* Makes the xbundle that 'b' asks for, of those of its ports that exist, but for 'without'. */
static void
publish(struct ofproto *p, struct bundle *b, const struct xport *without)
{
    struct xbundle *x = xzalloc(sizeof *x + b->c.n_ports * sizeof x->ports[0]);

    x->key = b->key;
    x->name = xstrdup(b->c.name);
    x->vlan_mode = b->c.vlan_mode;
    x->vlan = MAX(b->c.vlan, 0);
    x->qinq_ethtype = b->c.qinq_ethtype;
    x->trunks = copy_bitmap(b->c.trunks);
    x->cvlans = copy_bitmap(b->c.cvlans);
    x->priority_tags = b->c.priority_tags;
    x->is_protected = b->c.is_protected;
    x->bond = b->bond;
    x->n_ports = present_ports(p, b, without, x->ports);
    b->n_published = x->n_ports;
    xbridge_set_bundle(&p->xb, b->key, x);
    backer_changed(p->backer);
}

/* Of fewer ports none is made a bond; one that is ends unless the devices that are missing may come back. */
enum { MIN_MEMBERS = 2 };

/* Makes, changes or ends the bond ('c' null: none); the bundle is to be published before an old one may go. */
static struct bond *
set_bond(struct ofproto *p, struct bundle *b, const struct ofproto_bond_config *c)
{
    struct xport **ports = xcalloc(b->c.n_ports + 1, sizeof *ports);
    size_t n = present_ports(p, b, NULL, ports);
    struct bond *old = b->bond;

    if (c && (n >= MIN_MEMBERS || old)) {
        b->bond = old ? old : bond_create(p, b->key, b->c.name);
        bond_configure(b->bond, c, ports, n);
        old = NULL;
    } else {
        b->bond = NULL;
    }
    free(ports);
    return old;
}

void
ofproto_bundle_set(struct ofproto *p, const void *key, const struct ofproto_bundle_config *c)
{
    struct bundle *b = find(p, key);
    struct bond *bond, *old_bond;
    bool changes = true;

    if (!b) {
        b = xzalloc(sizeof *b);
        b->key = key;
        hmap_insert(&p->bundles, &b->node, hash_pointer(key, 0));
    } else if (config_equal(&b->c, c) && b->wants_bond == (c->bond != NULL)) {
        changes = false;
    } else {
        config_uninit(&b->c);
        mac_table_flush_bundle(p->xb.mac_table, key, false);
        ofproto_run_macs(p);
    }
    if (changes) {
        config_copy(&b->c, c);
        b->wants_bond = c->bond != NULL;
    }
    bond = b->bond;
    old_bond = set_bond(p, b, c->bond);
    changes |= b->bond != bond;
    if (changes || b->n_published < present_ports(p, b, NULL, NULL)) {
        publish(p, b, NULL); /* Or a port that went has come back with the number that it had. */
    }
    if (changes && b->bond) {
        bond_run(b->bond); /* What it has to say leaves by the ports that were published. */
    }
    bond_destroy(old_bond);
}

/* The bundle goes, or all of its ports do: the hosts behind it may come back anywhere, so that other bridges, which may
 * have learned them by patch ports, forget them, too. */
static void
forget_hosts(struct ofproto *p, const void *key)
{
    mac_table_flush_bundle(p->xb.mac_table, key, true);
    if (mirrors_select(p, key)) {
        mac_table_flush(p->xb.mac_table); /* As in the reference, which arranges its mirrors anew then. */
    }
    ofproto_run_macs(p);
}

void
ofproto_bundle_remove(struct ofproto *p, const void *key)
{
    struct bundle *b = find(p, key);

    if (b) {
        forget_hosts(p, key);
        xbridge_set_bundle(&p->xb, key, NULL);
        backer_changed(p->backer);
        hmap_remove(&p->bundles, &b->node);
        if (b->bond) {
            bond_lose_all(b->bond);
        }
        bond_destroy(b->bond);
        config_uninit(&b->c);
        free(b);
    }
}

/* A port is about to go: its bundle is published without it. */
void
bundles_forget_port(struct ofproto *p, struct xport *x)
{
    struct xbundle *xb = rcu_get_protected(&x->bundle);
    struct bundle *b = xb ? find(p, xb->key) : NULL;

    if (b) {
        struct bond *old = NULL;

        if (b->bond) {
            bond_lose_member(b->bond, x);
            if (b->bond->n_members < MIN_MEMBERS && !x->netdev->is_gone) { /* A device that went by itself is missed. */
                old = b->bond;
                b->bond = NULL;
            }
        }
        publish(p, b, x);
        bond_destroy(old);
        if (!b->n_published) {
            forget_hosts(p, b->key);
        }
    }
}

void
bundles_port_changed(struct ofproto *p, struct xport *x)
{
    struct xbundle *xb = rcu_get_protected(&x->bundle);
    struct bundle *b = xb && xb->bond ? find(p, xb->key) : NULL;

    if (b && b->bond) {
        bond_run(b->bond);
    }
}

void
bundles_destroy(struct ofproto *p)
{
    HMAP_FOR_EACH_SAFE (b, struct bundle, node, &p->bundles) {
        ofproto_bundle_remove(p, b->key);
    }
    hmap_uninit(&p->bundles);
}
