#include "ofproto/ct_zones.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conntrack/zone.h"
#include "ofproto/ofproto_private.h"

struct policy {
    struct hmap_node node;    /* In ct_zones.policies, by text. */
    char *text;               /* "key=seconds,...", in order of the keys. */
    uint32_t id;
    unsigned int n_zones;
};

struct zone {
    struct hmap_node node;    /* In ct_zones.zones, by number. */
    uint16_t number;
    bool has_limit, seen;
    uint32_t limit;
    struct policy *policy;    /* Null: none. */
};

struct zone_set {
    struct hmap policies, zones;
    uint32_t last_id;
    bool has_default;
};

static struct zone_set *
zones_of(struct backer *b)
{
    if (!b->zones) {
        b->zones = xzalloc(sizeof *b->zones);
        hmap_init(&b->zones->policies);
        hmap_init(&b->zones->zones);
    }
    return b->zones;
}

static void
put_policy(struct zone_set *z, struct conntrack *ct, struct policy *p)
{
    if (p && !--p->n_zones) {
        conntrack_del_policy(ct, p->id);
        hmap_remove(&z->policies, &p->node);
        free(p->text);
        free(p);
    }
}

static char *
policy_text(const struct ofproto_ct_zone *c)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < c->n_timeouts; i++) {
        str_putf(&s, "%s=%u,", c->keys[i], c->seconds[i]);
    }
    return str_steal(&s);
}

/* The policy with these timeouts, with another zone that uses it; null if the zone has none. */
static struct policy *
get_policy(struct zone_set *z, struct conntrack *ct, const struct ofproto_ct_zone *c)
{
    struct policy *p;
    uint32_t hash;
    char *text;

    if (!c->has_policy) {
        return NULL;
    }
    text = policy_text(c);
    hash = hash_string(text, 0);
    HMAP_FOR_EACH_WITH_HASH (old, struct policy, node, hash, &z->policies) {
        if (!strcmp(old->text, text)) {
            free(text);
            old->n_zones++;
            return old;
        }
    }
    p = xzalloc(sizeof *p);
    p->text = text;
    p->id = ++z->last_id;
    p->n_zones = 1;
    hmap_insert(&z->policies, &p->node, hash);
    conntrack_set_policy(ct, p->id, c->keys, c->seconds, c->n_timeouts);
    return p;
}

static struct zone *
find_zone(struct zone_set *z, uint16_t number)
{
    struct zone *zone;

    HMAP_FOR_EACH_WITH_HASH (old, struct zone, node, hash_u32(number, 0), &z->zones) {
        if (old->number == number) {
            return old;
        }
    }
    zone = xzalloc(sizeof *zone);
    zone->number = number;
    hmap_insert(&z->zones, &zone->node, hash_u32(number, 0));
    return zone;
}

static void
set_limit(struct conntrack *ct, struct zone *zone, bool has_limit, uint32_t limit)
{
    if (has_limit) {
        conntrack_set_zone_limit(ct, zone->number, limit);
    } else if (zone->has_limit) {
        conntrack_del_zone_limit(ct, zone->number);
    }
    zone->has_limit = has_limit;
    zone->limit = limit;
}

/* Whether translations depend on what changed. */
static bool
set_zone(struct backer *b, struct conntrack *ct, struct zone *zone, const struct ofproto_ct_zone *c)
{
    struct policy *old = zone->policy;

    zone->policy = get_policy(b->zones, ct, c);
    put_policy(b->zones, ct, old);
    if (zone->has_limit != c->has_limit || zone->limit != c->limit) {
        set_limit(ct, zone, c->has_limit, c->limit);
    }
    if (zone->policy != old) {
        xdp_set_zone_policy(&b->xdp, zone->number, zone->policy ? &zone->policy->id : NULL);
    }
    return zone->policy != old;
}

static void
set_default(struct zone_set *z, struct conntrack *ct, const uint32_t *limit)
{
    if (limit) {
        conntrack_set_default_limit(ct, *limit);
    } else if (z->has_default) {
        conntrack_set_default_limit(ct, 0);
    }
    z->has_default = limit != NULL;
}

void
ofproto_set_ct_zones(const char *type, const struct ofproto_ct_zone *wanted, size_t n, const uint32_t *default_limit)
{
    struct backer *b = backer_find(type);
    struct conntrack *ct = b && b->xdp.dp->class->conntrack ? b->xdp.dp->class->conntrack(b->xdp.dp) : NULL;
    bool changed = false, has_limits = default_limit != NULL;
    static const struct ofproto_ct_zone none;
    struct zone_set *z;

    if (!ct) {
        return;
    }
    z = zones_of(b);
    set_default(z, ct, default_limit);
    for (size_t i = 0; i < n; i++) {
        struct zone *zone = find_zone(z, wanted[i].zone);

        zone->seen = true;
        changed |= set_zone(b, ct, zone, &wanted[i]);
        has_limits |= wanted[i].has_limit;
    }
    HMAP_FOR_EACH_SAFE (zone, struct zone, node, &z->zones) {
        if (!zone->seen) {
            changed |= set_zone(b, ct, zone, &none);
            hmap_remove(&z->zones, &zone->node);
            free(zone);
        } else {
            zone->seen = false;
        }
    }
    conntrack_set_limits_configured(ct, has_limits);
    if (changed) {
        backer_changed(b);
    }
}

void
ct_zones_destroy(struct backer *b)
{
    struct zone_set *z = b->zones;

    if (z) {
        HMAP_FOR_EACH_SAFE (zone, struct zone, node, &z->zones) {
            hmap_remove(&z->zones, &zone->node);
            free(zone);
        }
        HMAP_FOR_EACH_SAFE (p, struct policy, node, &z->policies) {
            hmap_remove(&z->policies, &p->node);
            free(p->text);
            free(p);
        }
        hmap_uninit(&z->zones);
        hmap_uninit(&z->policies);
        free(z);
    }
}
