#include "ofproto/learned.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/cookies.h"

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

static void
forget(struct ofproto *p, struct learned_users *u)
{
    list_remove(&u->unused);
    hmap_remove(&p->learned_users, &u->node);
    free(u);
}

void
learned_uninit(struct ofproto *p)
{
    HMAP_FOR_EACH_SAFE (u, struct learned_users, node, &p->learned_users) {
        forget(p, u);
    }
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

/* Of a change that is undone the flows stay, which have been somebody else's. */
static void
count(struct ofproto *p, struct act_span acts, int step, bool was_undone)
{
    ACT_FOR_EACH (act, acts) {
        const struct act_learn *a = (const void *) act;

        if (act->type == ACT_CLONE) {
            count(p, act_clone_actions((const void *) act), step, was_undone);
        } else if (act->type == ACT_LEARN && a->flags & LEARN_DELETE_LEARNED) {
            struct learned_users *u = get(p, a);

            u->n += step;
            list_remove(&u->unused);
            list_init(&u->unused);
            if (!u->n && (was_undone || atomic_load(&p->xb.is_gone))) {
                forget(p, u);
            } else if (!u->n) {
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

static void
count_rule(const struct rule *rule, int step, bool was_undone)
{
    if (rule->may_learn) {
        count(rule->ofproto, actions_of(rule), step, was_undone);
    }
}

void
learned_note_added(struct rule *rule)
{
    count_rule(rule, 1, false);
}

void
learned_note_removed(struct rule *rule, bool was_undone)
{
    count_rule(rule, -1, was_undone);
}

/* Flows that are nobody's. */

bool
learned_are_due(struct ofproto *p)
{
    bool due;

    pthread_mutex_lock(&p->tables_mutex);
    due = !list_is_empty(&p->learned_unused);
    pthread_mutex_unlock(&p->tables_mutex);
    return due;
}

void
learned_note_end(struct ofproto *p)
{
    if (!list_is_empty(&p->learned_unused)) {
        atomic_store(&p->learned_may_be_due, true);
        loop_wake_signal(&p->change_wake);
    }
}

static void
begin(struct learned_run *l, struct tables_change *c, struct learned_users *u)
{
    flow_mod_init(&l->fm);
    l->fm.command = FM_DELETE;
    l->fm.table_id = u->table_id;
    l->fm.cookie = u->cookie;
    l->fm.cookie_mask = UINT64_MAX;
    forget(c->p, u);
    flow_mod_run_begin(&l->run, c, &l->fm);
    l->is_running = true;
}

/* A deletion cannot fail. */
bool
learned_stage(struct learned_run *l, struct tables_change *c, struct loop_slice *slice)
{
    while (l->is_running || !list_is_empty(&c->p->learned_unused)) {
        if (!l->is_running) {
            begin(l, c, CONTAINER_OF(c->p->learned_unused.next, struct learned_users, unused));
        }
        if (!flow_mod_run_step(&l->run, slice)) {
            return false;
        }
        flow_mod_run_end(&l->run);
        l->is_running = false;
        if (loop_slice_has_ended(slice)) { /* Some take long. */
            return list_is_empty(&c->p->learned_unused);
        }
    }
    return true;
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
    COOKIES_FOR_EACH (rule, p, cookie) {
        c.n += rule->table_id == table_id && cls_rule_visible(&rule->cr, atomic_load(&p->xb.tables_version));
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
