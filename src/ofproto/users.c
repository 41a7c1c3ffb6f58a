#include "ofproto/users.h"

#include <stdlib.h>

#include "base/hash.h"

/* Of one group or meter. */
struct users {
    struct hmap_node node;    /* In ofproto->users. */
    enum users_kind kind;
    uint32_t id;
    struct list uses;
    uint32_t n;               /* Of them. */
    struct rule_use **order;  /* Those of rules that the change under way has not dropped, as they are deleted. */
    size_t n_order, order_capacity;
};

/* One mention of it by a rule; in an array of the rule's. */
struct rule_use {
    struct list node;         /* In users->uses. */
    struct rule *rule;
    struct users *users;
    size_t place;             /* In users->order; NO_PLACE: not there. */
};

#define NO_PLACE SIZE_MAX

void
users_init(struct ofproto *p)
{
    hmap_init(&p->users);
}

void
users_uninit(struct ofproto *p)
{
    hmap_uninit(&p->users);
}

static uint32_t
hash_of(enum users_kind kind, uint32_t id)
{
    return hash_u64(id, kind);
}

static struct users *
find(const struct ofproto *p, enum users_kind kind, uint32_t id)
{
    HMAP_FOR_EACH_WITH_HASH (u, struct users, node, hash_of(kind, id), &p->users) {
        if (u->kind == kind && u->id == id) {
            return u;
        }
    }
    return NULL;
}

static struct users *
get(struct ofproto *p, enum users_kind kind, uint32_t id)
{
    struct users *u = find(p, kind, id);

    if (!u) {
        u = xzalloc(sizeof *u);
        u->kind = kind;
        u->id = id;
        list_init(&u->uses);
        hmap_insert(&p->users, &u->node, hash_of(kind, id));
    }
    return u;
}

/* The order. */

static void
put_in_order(struct rule_use *use)
{
    struct users *u = use->users;

    if (u->n_order == u->order_capacity) {
        u->order = x2nrealloc(u->order, &u->order_capacity, sizeof *u->order);
    }
    use->place = u->n_order;
    u->order[u->n_order++] = use;
}

/* The last one takes its place. */
static void
take_from_order(struct rule_use *use)
{
    struct users *u = use->users;

    if (use->place != NO_PLACE) {
        struct rule_use *last = u->order[--u->n_order];

        u->order[use->place] = last;
        last->place = use->place;
        use->place = NO_PLACE;
    }
}

/* Adding. */

struct adding {
    struct rule *rule;
    size_t n;
};

static void
count_one(void *n, uint32_t id UNUSED)
{
    ++*(size_t *) n;
}

static void
add_use(struct adding *a, enum users_kind kind, uint32_t id)
{
    struct rule_use *use = &a->rule->uses[a->n++];

    use->rule = a->rule;
    use->users = get(a->rule->ofproto, kind, id);
    use->users->n++;
    list_push_back(&use->users->uses, &use->node);
    put_in_order(use);
}

static void
add_group(void *a, uint32_t group_id)
{
    add_use(a, USERS_OF_GROUP, group_id);
}

void
users_note_added(struct rule *rule)
{
    struct adding adding = { rule, 0 };
    size_t n = rule->has_meter;
    struct act_span acts;

    if (!rule->has_groups && !rule->has_meter) {
        return;
    }
    acts = rule_actions_span(rcu_get_protected(&rule->actions));
    act_each_group(acts, count_one, &n);
    rule->uses = xcalloc(n, sizeof *rule->uses);
    rule->n_uses = n;
    act_each_group(acts, add_group, &adding);
    if (rule->has_meter) {
        add_use(&adding, USERS_OF_METER, act_meter_id(acts));
    }
}

void
users_note_dropped(struct rule *rule)
{
    for (size_t i = 0; i < rule->n_uses; i++) {
        take_from_order(&rule->uses[i]);
    }
}

void
users_note_kept(struct rule *rule)
{
    for (size_t i = 0; i < rule->n_uses; i++) {
        put_in_order(&rule->uses[i]);
    }
}

void
users_note_removed(struct rule *rule)
{
    for (size_t i = 0; i < rule->n_uses; i++) {
        struct users *u = rule->uses[i].users;

        take_from_order(&rule->uses[i]);
        list_remove(&rule->uses[i].node);
        if (!--u->n) {
            hmap_remove(&rule->ofproto->users, &u->node);
            free(u->order);
            free(u);
        }
    }
    free(rule->uses);
    rule->uses = NULL;
    rule->n_uses = 0;
}

/* Asking. */

/* While a long change is made some cannot be seen yet. */
static uint32_t
count_visible(const struct ofproto *p, enum users_kind kind, uint32_t id)
{
    const struct users *u = find(p, kind, id);
    uint64_t version = atomic_load(&p->xb.tables_version);
    uint32_t n = 0;

    if (!u || !p->long_change) {
        return u ? u->n : 0;
    }
    LIST_FOR_EACH (use, struct rule_use, node, &u->uses) {
        n += cls_rule_visible(&use->rule->cr, version);
    }
    return n;
}

uint32_t
users_count(struct ofproto *p, enum users_kind kind, uint32_t id)
{
    uint32_t n;

    pthread_mutex_lock(&p->tables_mutex);
    n = count_visible(p, kind, id);
    pthread_mutex_unlock(&p->tables_mutex);
    return n;
}

struct rule **
users_list(const struct ofproto *p, enum users_kind kind, uint32_t id, size_t *n)
{
    const struct users *u = find(p, kind, id);
    struct rule **rules;

    *n = u ? u->n_order : 0;
    rules = xcalloc(MAX(*n, 1), sizeof *rules);
    for (size_t i = 0; i < *n; i++) {
        rules[i] = u->order[i]->rule;
    }
    return rules;
}
