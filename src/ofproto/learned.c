#include "ofproto/learned.h"

#include <stdlib.h>

#include "base/hash.h"
#include "openflow/flow_mod.h"

struct learned_users {
    struct hmap_node node;      /* In ofproto->learned_users. */
    struct list unused;         /* In ofproto->learned_unused while 'n' is 0; else linked to itself. */
    uint64_t cookie;
    uint8_t table_id;
    unsigned int n;             /* Actions that name them. */
};

void
learned_init(struct ofproto *p)
{
    hmap_init(&p->learned_users);
    list_init(&p->learned_unused);
}

void
learned_uninit(struct ofproto *p)
{
    learned_settle(p, true);
    hmap_uninit(&p->learned_users);
}

static struct learned_users *
get(struct ofproto *p, const struct act_learn *a)
{
    uint32_t hash = hash_u64(a->cookie, a->table);
    struct learned_users *u;

    HMAP_FOR_EACH_WITH_HASH (i, struct learned_users, node, hash, &p->learned_users) {
        if (i->cookie == a->cookie && i->table_id == a->table) {
            return i;
        }
    }
    u = xzalloc(sizeof *u);
    u->cookie = a->cookie;
    u->table_id = a->table;
    list_init(&u->unused);
    hmap_insert(&p->learned_users, &u->node, hash);
    return u;
}

static void
count(struct ofproto *p, struct act_span acts, int step)
{
    ACT_FOR_EACH (act, acts) {
        const struct act_learn *a = (const void *) act;

        if (act->type == ACT_CLONE) {
            count(p, act_clone_actions((const void *) act), step);
        } else if (act->type == ACT_LEARN && a->flags & LEARN_DELETE_LEARNED) {
            struct learned_users *u = get(p, a);

            u->n += step;
            list_remove(&u->unused);
            list_init(&u->unused);
            if (!u->n) {
                list_push_back(&p->learned_unused, &u->unused);
            }
        }
    }
}

static struct act_span
actions_of(const struct rule *rule)
{
    struct act_span acts;

    acts.first = rule_acts_rcu(rule, &acts.len);
    return acts;
}

void
learned_note_added(struct rule *rule)
{
    count(rule->ofproto, actions_of(rule), 1);
}

void
learned_note_removed(struct rule *rule)
{
    count(rule->ofproto, actions_of(rule), -1);
}

static void
delete_flows(struct ofproto *p, uint8_t table_id, uint64_t cookie)
{
    struct flow_mod fm;

    flow_mod_init(&fm);
    fm.command = FM_DELETE;
    fm.table_id = table_id;
    fm.cookie = cookie;
    fm.cookie_mask = UINT64_MAX;
    (void) !ofproto_flow_mod(p, &fm, NULL); /* A delete cannot fail. */
}

/* Deleting flows may leave others to nobody, which the change that deletes them settles. */
void
learned_settle(struct ofproto *p, bool was_undone)
{
    while (!list_is_empty(&p->learned_unused)) {
        struct learned_users *u = CONTAINER_OF(list_pop_front(&p->learned_unused), struct learned_users, unused);
        uint64_t cookie = u->cookie;
        uint8_t table_id = u->table_id;

        hmap_remove(&p->learned_users, &u->node);
        free(u);
        if (!was_undone) {
            delete_flows(p, table_id, cookie);
        }
    }
}

/* The limit. */

struct cookie_count {
    be64 cookie;
    uint32_t n;
};

static void
count_cookie(void *c_, struct cls_rule *cr)
{
    struct cookie_count *c = c_;

    c->n += rule_from_cls(cr)->cookie == c->cookie;
}

/* Rules with cookie 0 have no index. */
static bool
are_fewer(struct ofproto *p, uint8_t table_id, be64 cookie, uint32_t limit)
{
    struct cookie_count c = { .cookie = cookie };

    if (p->tables[table_id].n_flows < limit) {
        return true;
    }
    if (!cookie) {
        classifier_for_each(&p->xb.tables[table_id], NULL, atomic_load(&p->xb.tables_version), count_cookie, &c);
    }
    HMAP_FOR_EACH_WITH_HASH (rule, struct rule, by_cookie, hash_u64(cookie, 0), &p->by_cookie) {
        c.n += rule->cookie == cookie && rule->table_id == table_id &&
               cls_rule_visible(&rule->cr, atomic_load(&p->xb.tables_version));
        if (c.n >= limit) {
            break;
        }
    }
    return c.n < limit;
}

bool
learned_may_come(const struct xbridge *b, const struct flow_mod *fm, uint32_t limit)
{
    struct ofproto *p = b->ofproto;
    bool may;

    pthread_mutex_lock(&p->tables_mutex);
    may = classifier_find(&p->xb.tables[fm->table_id], &fm->match, fm->priority,
                          atomic_load(&p->xb.tables_version)) ||
          are_fewer(p, fm->table_id, cpu_to_be64(fm->new_cookie), limit);
    pthread_mutex_unlock(&p->tables_mutex);
    return may;
}
