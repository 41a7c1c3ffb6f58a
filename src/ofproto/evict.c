#include "ofproto/evict.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/pqueue.h"
#include "ofproto/credits.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

LOG_MODULE(evict)

/* A flow in the order. */
struct evictee {
    struct pqueue_node node; /* In group->flows. */
    struct rule *rule;
    struct group *group;
    int64_t end;             /* It does not expire before that: ms. */
};

struct group {
    struct hmap_node by_hash; /* Of the values, which stands for them. */
    struct pqueue_node node;  /* In order->groups. */
    struct pqueue flows;      /* struct evictee: the first goes first.  Never empty between calls. */
};

struct evict_order {
    struct hmap by_hash;
    struct pqueue groups;     /* The first is one of the largest. */
};

/* The order of flows, and of groups. */

static bool
goes_before(const struct evictee *a, const struct evictee *b)
{
    return a->rule->importance != b->rule->importance ? a->rule->importance < b->rule->importance : a->end < b->end;
}

static bool
flow_before(const struct pqueue_node *a, const struct pqueue_node *b)
{
    return goes_before(CONTAINER_OF(a, struct evictee, node), CONTAINER_OF(b, struct evictee, node));
}

static struct evictee *
first_of(const struct group *g)
{
    return CONTAINER_OF(pqueue_first(&g->flows), struct evictee, node);
}

static bool
group_before(const struct pqueue_node *a_, const struct pqueue_node *b_)
{
    const struct group *a = CONTAINER_OF(a_, struct group, node), *b = CONTAINER_OF(b_, struct group, node);

    return a->flows.n != b->flows.n ? a->flows.n > b->flows.n : goes_before(first_of(a), first_of(b));
}

/* Flows in and out. */

static uint32_t
group_hash(const struct table_state *t, const struct rule *rule)
{
    uint64_t hash = 0;
    struct match m;

    cls_rule_get_match(&rule->cr, &m);
    for (size_t i = 0; i < t->n_groups; i++) {
        union field_value v = { 0 };

        subfield_get(&t->groups[i], &m.flow, &v);
        hash = hash_bytes(&v, sizeof v, hash);
    }
    return hash ^ hash >> 32;
}

static struct group *
group_get(struct evict_order *o, uint32_t hash)
{
    struct group *g;

    HMAP_FOR_EACH_WITH_HASH (found, struct group, by_hash, hash, &o->by_hash) {
        return found;
    }
    g = xzalloc(sizeof *g);
    g->flows = (struct pqueue) PQUEUE_INIT(flow_before);
    hmap_insert(&o->by_hash, &g->by_hash, hash);
    return g;
}

static void
add(const struct table_state *t, struct rule *rule)
{
    struct evictee *e = xmalloc(sizeof *e);

    *e = (struct evictee) { .rule = rule, .group = group_get(t->order, group_hash(t, rule)), .end = expiry_of(rule) };
    rule->evictee = e;
    pqueue_insert(&e->group->flows, &e->node);
    if (e->group->flows.n == 1) {
        pqueue_insert(&t->order->groups, &e->group->node);
    } else {
        pqueue_fix(&t->order->groups, &e->group->node);
    }
}

static void
group_free(struct evict_order *o, struct group *g)
{
    hmap_remove(&o->by_hash, &g->by_hash);
    pqueue_uninit(&g->flows);
    free(g);
}

static void
drop(struct evict_order *o, struct evictee *e)
{
    struct group *g = e->group;

    if (g->flows.n == 1) {
        pqueue_remove(&o->groups, &g->node); /* While it has something to be compared by. */
        group_free(o, g);
    } else {
        pqueue_remove(&g->flows, &e->node);
        pqueue_fix(&o->groups, &g->node);
    }
    e->rule->evictee = NULL;
    free(e);
}

/* Puts it where its end as it is now belongs. */
static void
settle(struct evict_order *o, struct evictee *e)
{
    e->end = expiry_of(e->rule);
    pqueue_fix(&e->group->flows, &e->node);
    pqueue_fix(&o->groups, &e->group->node);
}

void
evict_note_added(struct rule *rule)
{
    const struct table_state *t = &rule->ofproto->tables[rule->table_id];

    if (t->order && !rule->evictee && expiry_of(rule) != INT64_MAX) {
        add(t, rule);
    }
}

void
evict_note_removed(struct rule *rule)
{
    if (rule->evictee) {
        drop(rule->ofproto->tables[rule->table_id].order, rule->evictee);
    }
}

void
evict_note_reduced(struct rule *rule)
{
    if (rule->evictee) {
        settle(rule->ofproto->tables[rule->table_id].order, rule->evictee);
    } else if (cls_rule_visible(&rule->cr, CLS_MAX_VERSION - 1)) {
        evict_note_added(rule);
    }
}

/* The order as a whole. */

void
evict_uninit(struct table_state *t)
{
    struct evict_order *o = t->order;

    if (!o) {
        return;
    }
    HMAP_FOR_EACH_SAFE (g, struct group, by_hash, &o->by_hash) {
        for (size_t i = 0; i < g->flows.n; i++) {
            struct evictee *e = CONTAINER_OF(g->flows.nodes[i], struct evictee, node);

            e->rule->evictee = NULL;
            free(e);
        }
        group_free(o, g);
    }
    hmap_uninit(&o->by_hash);
    pqueue_uninit(&o->groups);
    free(o);
    t->order = NULL;
}

void
evict_settings_changed(struct table_state *t)
{
    if (!t->evict && !t->of_evict) {
        evict_uninit(t);
    }
}

static bool
groups_equal(const struct table_state *t, const struct subfield *groups, size_t n)
{
    for (size_t i = 0; i < n && n == t->n_groups; i++) {
        const struct subfield *a = &t->groups[i], *b = &groups[i];

        if (a->field != b->field || a->ofs != b->ofs || a->n_bits != b->n_bits) {
            return false;
        }
    }
    return n == t->n_groups;
}

void
evict_set_groups(struct ofproto *p, uint8_t table_id, const char *const *specs, size_t n_specs)
{
    struct table_state *t = &p->tables[table_id];
    struct subfield *groups = n_specs ? xmalloc(n_specs * sizeof *groups) : NULL;
    size_t n = 0;

    for (size_t i = 0; i < n_specs; i++) {
        const char *tail = "";
        struct error *e = oxm_parse_subfield(specs[i], &groups[n], &tail);

        if (!e && !*tail && !field_is_option(groups[n].field)) {
            n++;
        } else {
            log_warn("%s: table %u: groups: %s: %s", p->xb.name, table_id, specs[i],
                     e ? error_text(e) : "no field that flows can be grouped by");
        }
        error_free(e);
    }
    if (!groups_equal(t, groups, n)) {
        evict_uninit(t);
    }
    free(t->groups);
    t->groups = groups;
    t->n_groups = n;
}

/* An order being made. */
struct making {
    const struct table_state *t;
    uint8_t table_id;
    uint64_t version;
};

static void
add_if_there(void *m_, struct rule *rule)
{
    const struct making *m = m_;

    if (rule->table_id == m->table_id && cls_rule_visible(&rule->cr, m->version) && expiry_of(rule) != INT64_MAX) {
        add(m->t, rule);
    }
}

static void
make_order(struct ofproto *p, uint8_t table_id, uint64_t version)
{
    struct making m = { &p->tables[table_id], table_id, version };
    struct evict_order *o = xzalloc(sizeof *o);

    hmap_init(&o->by_hash);
    o->groups = (struct pqueue) PQUEUE_INIT(group_before);
    p->tables[table_id].order = o;
    expiry_for_each(p, add_if_there, &m);
}

struct rule *
evict_choose(struct ofproto *p, uint8_t table_id, uint64_t version)
{
    struct table_state *t = &p->tables[table_id];
    struct pqueue_node *first;

    credits_settle();
    expiry_look_at_reduced(p);
    if (!t->order) {
        make_order(p, table_id, version);
    }
    while ((first = pqueue_first(&t->order->groups)) != NULL) {
        struct evictee *e = first_of(CONTAINER_OF(first, struct group, node));

        if (e->end == expiry_of(e->rule)) {
            return e->rule;
        }
        settle(t->order, e);
    }
    return NULL;
}
