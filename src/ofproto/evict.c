#include "ofproto/evict.h"

#include <stdlib.h>

#include "base/hash.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

LOG_MODULE(evict)

/* A group while a flow is being chosen. */
struct group_size {
    struct hmap_node node;  /* By hash of the values, which stands for them. */
    uint32_t n;
};

void
evict_set_groups(struct ofproto *p, uint8_t table_id, const char *const *specs, size_t n)
{
    struct table_state *t = &p->tables[table_id];

    free(t->groups);
    t->groups = n ? xmalloc(n * sizeof *t->groups) : NULL;
    t->n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        struct subfield *sf = &t->groups[t->n_groups];
        const char *tail = "";
        struct error *e = oxm_parse_subfield(specs[i], sf, &tail);

        if (!e && !*tail && !field_is_option(sf->field)) {
            t->n_groups++;
        } else {
            log_warn("%s: table %u: groups: %s: %s", p->xb.name, table_id, specs[i],
                     e ? error_text(e) : "no field that flows can be grouped by");
        }
        error_free(e);
    }
}

static uint32_t
group_of(const struct table_state *t, const struct rule *rule)
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

static struct group_size *
find_size(const struct hmap *sizes, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (g, struct group_size, node, hash, sizes) {
        return g;
    }
    return NULL;
}

/* A choice under way. */
struct choice {
    const struct table_state *t;
    uint8_t table_id;
    uint64_t version;
    struct hmap sizes;      /* struct group_size, if the table has groups. */
    uint32_t largest;
    struct rule *worst;
};

static bool
may_go(const struct choice *c, const struct rule *rule)
{
    return rule->table_id == c->table_id && cls_rule_visible(&rule->cr, c->version);
}

static void
count_in_group(void *c_, struct rule *rule)
{
    struct choice *c = c_;
    struct group_size *g;
    uint32_t hash;

    if (!may_go(c, rule)) {
        return;
    }
    hash = group_of(c->t, rule);
    g = find_size(&c->sizes, hash);
    if (!g) {
        g = xzalloc(sizeof *g);
        hmap_insert(&c->sizes, &g->node, hash);
    }
    g->n++;
    c->largest = MAX(c->largest, g->n);
}

static void
consider(void *c_, struct rule *rule)
{
    struct choice *c = c_;
    const struct rule *worst = c->worst;

    if (may_go(c, rule) &&
        (!worst || rule->importance < worst->importance ||
         (rule->importance == worst->importance && expiry_of(rule) < expiry_of(worst))) &&
        (!c->t->n_groups || find_size(&c->sizes, group_of(c->t, rule))->n == c->largest)) {
        c->worst = rule;
    }
}

struct rule *
evict_choose(const struct ofproto *p, uint8_t table_id, uint64_t version)
{
    struct choice c = { .t = &p->tables[table_id], .table_id = table_id, .version = version,
                        .sizes = HMAP_INIT(&c.sizes) };

    if (c.t->n_groups) {
        expiry_for_each(p, count_in_group, &c);
    }
    expiry_for_each(p, consider, &c);
    HMAP_FOR_EACH_SAFE (g, struct group_size, node, &c.sizes) {
        free(g);
    }
    hmap_uninit(&c.sizes);
    return c.worst;
}
