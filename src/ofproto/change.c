#include "ofproto/change.h"

#include <limits.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/group.h"
#include "ofproto/learned.h"
#include "ofproto/meter.h"
#include "ofproto/vacancy.h"
#include "openflow/msg/flow.h"

enum { MANY_RULES = 256 };

void
change_begin(struct tables_change *c, struct ofproto *p, const struct ofconn *requester)
{
    *c = (struct tables_change) {
        .p = p, .requester = requester,
        .version = atomic_load_explicit(&p->xb.tables_version, memory_order_relaxed) + 1,
    };
}

/* Rules. */

/* What every new rule has; its times are now. */
static struct rule *
new_rule(struct ofproto *p, uint8_t table_id, struct act_span acts)
{
    struct rule *rule = rule_create(acts);
    int64_t now = clock_now_ms();

    rule->ofproto = p;
    rule->table_id = table_id;
    rule->created = now;
    atomic_store(&rule->modified, now);
    atomic_store(&rule->used, now);
    return rule;
}

static struct rule *
make_rule(struct ofproto *p, const struct flow_mod *fm, uint8_t table_id)
{
    struct rule *rule = new_rule(p, table_id, fm->actions);

    rule->cookie = cpu_to_be64(fm->new_cookie);
    rule->flags = fm->flags & (FM_SEND_FLOW_REM | FM_RESET_COUNTS | FM_NO_PACKET_COUNTS | FM_NO_BYTE_COUNTS);
    rule->importance = fm->importance;
    atomic_store(&rule->idle_timeout, fm->idle_timeout);
    atomic_store(&rule->hard_timeout, fm->hard_timeout);
    return rule;
}

static void
index_cookie(struct rule *rule)
{
    if (rule->cookie) {
        hmap_insert(&rule->ofproto->by_cookie, &rule->by_cookie, hash_u64(rule->cookie, 0));
    }
}

static void
unindex_cookie(struct rule *rule)
{
    if (rule->cookie) {
        hmap_remove(&rule->ofproto->by_cookie, &rule->by_cookie);
    }
}

static void
add_rule(struct tables_change *c, struct rule *rule, const struct match *match, int priority, uint64_t used_options)
{
    struct ofproto *p = c->p;

    if (c->n_added == c->added_capacity) {
        c->added = x2nrealloc(c->added, &c->added_capacity, sizeof *c->added);
    }
    c->added[c->n_added++] = rule;
    classifier_insert(&p->xb.tables[rule->table_id], &rule->cr, match, priority, c->version);
    p->tables[rule->table_id].n_flows += !rule_is_hidden(rule);
    index_cookie(rule);
    learned_note_added(rule);
    options_note_added(rule, be64_to_cpu(match->mask.tun_metadata_present), used_options);
    if (atomic_load(&rule->idle_timeout) || atomic_load(&rule->hard_timeout)) {
        list_push_back(&p->expirable, &rule->expirable);
    }
}

/* The rule with new actions, at the end of its mask's rules as a new one. */
static struct rule *
make_modified(struct rule *old, const struct flow_mod *fm)
{
    struct rule *rule = new_rule(old->ofproto, old->table_id, fm->actions);

    rule->cookie = fm->modify_cookie ? cpu_to_be64(fm->new_cookie) : old->cookie;
    rule->flags = old->flags;
    rule->importance = old->importance;
    atomic_store(&rule->idle_timeout, atomic_load(&old->idle_timeout));
    atomic_store(&rule->hard_timeout, atomic_load(&old->hard_timeout));
    rule->created = old->created;
    rule->is_replacement = true;
    rule->first_note = old->first_note;
    atomic_store(&rule->used, atomic_load(&old->used));
    return rule;
}

static void
drop_rule(struct tables_change *c, struct rule *rule, uint8_t why, struct rule *successor)
{
    if (c->n_dropped == c->dropped_capacity) {
        c->dropped = x2nrealloc(c->dropped, &c->dropped_capacity, sizeof *c->dropped);
    }
    c->dropped[c->n_dropped++] = (struct dropped_rule) { rule, successor, why, c->n_added };
    cls_rule_hide(&rule->cr, c->version);
    c->p->tables[rule->table_id].n_flows -= !rule_is_hidden(rule);
}

void
change_drop(struct tables_change *c, struct rule *rule, uint8_t why)
{
    drop_rule(c, rule, why, NULL);
}

/* The end. */

/* Queues the flow-removed message if somebody asked for it. */
static void
note_removed(struct rule *rule, unsigned int why)
{
    struct ofproto *p = rule->ofproto;
    struct removed_rule *r;

    if (!(rule->flags & FM_SEND_FLOW_REM) || why == REMOVED_SILENTLY) {
        return;
    }
    r = xmalloc(sizeof *r);
    r->rule = rule_ref(rule);
    r->reason = why;
    r->when = clock_now_ms();
    list_push_back(&p->removed, &r->node);
    loop_wake_signal(&p->removed_wake);
}

static void
unlink_rule(struct rule *rule)
{
    unindex_cookie(rule);
    learned_note_removed(rule);
    list_remove(&rule->expirable);
    classifier_remove(&rule->ofproto->xb.tables[rule->table_id], &rule->cr);
    rule_unref(rule);
}

/* Nobody sees the rule any more; of few the rest follows at once. */
static void
retire_rule(struct ofproto *p, struct rule *rule, bool many)
{
    options_note_removed(rule);
    if (many) {
        list_remove(&rule->expirable);
        list_push_back(&p->retired, &rule->expirable);
    } else {
        unlink_rule(rule);
    }
}

bool
change_unlink_retired(struct ofproto *p, size_t n)
{
    bool more;

    pthread_mutex_lock(&p->tables_mutex);
    while (n-- && !list_is_empty(&p->retired)) {
        unlink_rule(CONTAINER_OF(p->retired.next, struct rule, expirable));
    }
    more = !list_is_empty(&p->retired);
    pthread_mutex_unlock(&p->tables_mutex);
    return more;
}

/* Says that rules have come and gone, after that can be seen; of many only in which tables.  A rule that was replaced
 * has the match of the one in its place. */
static void
tell_of_rules(const struct tables_change *c)
{
    bool many = c->n_added + c->n_dropped > MANY_RULES;
    bool told[OFPROTO_N_TABLES] = { false };

    for (size_t i = 0; i < c->n_added + c->n_dropped; i++) {
        const struct dropped_rule *d = i < c->n_added ? NULL : &c->dropped[i - c->n_added];
        const struct rule *rule = d ? d->rule : c->added[i];

        if (d && d->why == REMOVED_SILENTLY) {
            continue;
        }
        if (!many) {
            backer_rule_changed(c->p->backer, rule);
        } else if (!told[rule->table_id]) {
            told[rule->table_id] = true;
            backer_table_changed(c->p->backer, &c->p->xb, rule->table_id);
        }
    }
}

static void
note_vacancy(const struct tables_change *c)
{
    for (size_t i = 0; i < c->n_added; i++) {
        vacancy_note(c->p, c->added[i]->table_id);
    }
    for (size_t i = 0; i < c->n_dropped; i++) {
        vacancy_note(c->p, c->dropped[i].rule->table_id);
    }
}

/* For flow monitors, in the order in which it happened. */
static void
note_changes(const struct tables_change *c)
{
    size_t k = 0;

    if (!c->p->n_monitors) {
        return;
    }
    for (size_t i = 0; i <= c->n_added; i++) {
        for (; k < c->n_dropped && c->dropped[k].after <= i; k++) {
            if (c->dropped[k].why != REMOVED_SILENTLY) {
                flow_monitor_note(c->dropped[k].rule, MONITOR_EV_DELETED, c->dropped[k].why, c->requester);
            }
        }
        if (i < c->n_added) {
            flow_monitor_note(c->added[i], c->added[i]->is_modified ? MONITOR_EV_MODIFIED : MONITOR_EV_ADDED, 0,
                              c->requester);
        }
    }
}

static void
change_end(struct tables_change *c)
{
    free(c->added);
    free(c->dropped);
    free(c->groups);
}

void
change_commit(struct tables_change *c)
{
    groups_publish(c);
    if (c->n_added || c->n_dropped) {
        for (size_t i = 0; i < c->n_dropped; i++) {
            if (c->dropped[i].successor) {
                rule_pass_on(c->dropped[i].rule, c->dropped[i].successor);
            }
        }
        atomic_store_explicit(&c->p->xb.tables_version, c->version, memory_order_release);
        tell_of_rules(c);
        note_changes(c);
        note_vacancy(c);
        for (size_t i = 0; i < c->n_dropped; i++) {
            note_removed(c->dropped[i].rule, c->dropped[i].why);
            retire_rule(c->p, c->dropped[i].rule, c->n_dropped > MANY_RULES);
        }
        if (c->n_dropped > MANY_RULES) {
            loop_wake_signal(&c->p->retired_wake);
        }
    }
    groups_commit(c);
    change_end(c);
    learned_settle(c->p, false);
}

void
change_abort(struct tables_change *c)
{
    for (size_t i = c->n_dropped; i-- > 0;) {
        cls_rule_unhide(&c->dropped[i].rule->cr);
        c->p->tables[c->dropped[i].rule->table_id].n_flows += !rule_is_hidden(c->dropped[i].rule);
    }
    for (size_t i = c->n_added; i-- > 0;) {
        c->p->tables[c->added[i]->table_id].n_flows -= !rule_is_hidden(c->added[i]);
        unlink_rule(c->added[i]);
    }
    groups_abort(c);
    change_end(c);
    learned_settle(c->p, true);
}

/* Flow-mods. */

/* The rules that a flow-mod is about. */
struct search {
    struct tables_change *change;
    const struct flow_mod *fm;
    struct rule **rules;
    size_t n, capacity;
};

static void
collect(void *s_, struct cls_rule *cr)
{
    struct search *s = s_;
    const struct flow_mod *fm = s->fm;
    struct rule *rule = rule_from_cls(cr);
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);
    struct act_span span = { len ? acts : NULL, len };

    if ((be64_to_cpu(rule->cookie) ^ fm->cookie) & fm->cookie_mask ||
        rule_is_hidden(rule) != (fm->priority > UINT16_MAX)) {
        return;
    }
    if (fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT) {
        if ((fm->out_port != OFPP_NONE && !act_outputs_to_port(span, fm->out_port)) ||
            (fm->out_group != FM_GROUP_ANY && !act_outputs_to_group(span, fm->out_group))) {
            return;
        }
    }
    if (s->n == s->capacity) {
        s->rules = x2nrealloc(s->rules, &s->capacity, sizeof *s->rules);
    }
    s->rules[s->n++] = rule;
}

/* With an exact cookie and no other criteria to speak of, the index spares a walk over the tables. */
static bool
collect_by_cookie(struct search *s)
{
    const struct ofproto *p = s->change->p;
    const struct flow_mod *fm = s->fm;

    if (fm->cookie_mask != UINT64_MAX || !fm->cookie) {
        return false;
    }
    HMAP_FOR_EACH_WITH_HASH (rule, struct rule, by_cookie, hash_u64(cpu_to_be64(fm->cookie), 0), &p->by_cookie) {
        struct match m;

        cls_rule_get_match(&rule->cr, &m);
        if ((fm->table_id == FM_TABLE_ANY ? rule->table_id < 254 : rule->table_id == fm->table_id) &&
            cls_rule_visible(&rule->cr, s->change->version) && match_is_inside(&m, &fm->match)) {
            collect(s, &rule->cr);
        }
    }
    return true;
}

/* The tables that a modify or delete is about; hidden ones are not for controllers. */
static unsigned int
first_table(const struct flow_mod *fm)
{
    return fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id;
}

static unsigned int
last_table(const struct flow_mod *fm)
{
    return fm->table_id == FM_TABLE_ANY ? 253 : fm->table_id;
}

static void
collect_loose(struct search *s)
{
    if (collect_by_cookie(s)) {
        return;
    }
    for (unsigned int i = first_table(s->fm); i <= last_table(s->fm); i++) {
        classifier_for_each(&s->change->p->xb.tables[i], &s->fm->match, s->change->version, collect, s);
    }
}

static void
collect_strict(struct search *s)
{
    for (unsigned int i = first_table(s->fm); i <= last_table(s->fm); i++) {
        struct cls_rule *cr = classifier_find(&s->change->p->xb.tables[i], &s->fm->match, s->fm->priority,
                                              s->change->version);

        if (cr) {
            collect(s, cr);
        }
    }
}

bool
change_evict(struct tables_change *c, uint8_t table_id)
{
    struct rule *worst = NULL;

    LIST_FOR_EACH (rule, struct rule, expirable, &c->p->expirable) {
        if (rule->table_id == table_id && cls_rule_visible(&rule->cr, c->version) &&
            (!worst || rule->importance < worst->importance ||
             (rule->importance == worst->importance && atomic_load(&rule->used) < atomic_load(&worst->used)))) {
            worst = rule;
        }
    }
    if (worst) {
        change_drop(c, worst, REMOVED_EVICTION);
    }
    return worst != NULL;
}

static enum ofperr
do_add(struct tables_change *c, const struct flow_mod *fm)
{
    struct ofproto *p = c->p;
    uint8_t table_id = fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id;
    struct classifier *cls = &p->xb.tables[table_id];
    struct table_state *t = &p->tables[table_id];
    struct rule *old = rule_from_cls(classifier_find(cls, &fm->match, fm->priority, c->version)), *rule;

    if (fm->flags & FM_CHECK_OVERLAP && classifier_overlaps(cls, &fm->match, fm->priority, c->version)) {
        return OFPERR_OFPFMFC_OVERLAP;
    }
    if (!old && fm->priority <= UINT16_MAX && t->n_flows >= t->max_flows &&
        (!(t->evict || t->of_evict) || !change_evict(c, table_id))) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    rule = make_rule(p, fm, table_id);
    if (old) {
        rule->is_replacement = true;
        rule->first_note = old->first_note;
        drop_rule(c, old, REMOVED_SILENTLY, fm->flags & FM_RESET_COUNTS ? NULL : rule);
    }
    add_rule(c, rule, &fm->match, fm->priority, fm->used_options);
    return OFPERR_NONE;
}

static void
modify_rule(struct tables_change *c, struct rule *old, const struct flow_mod *fm)
{
    struct rule *rule = make_modified(old, fm);
    struct match m;

    cls_rule_get_match(&old->cr, &m);
    drop_rule(c, old, REMOVED_SILENTLY, fm->flags & FM_RESET_COUNTS ? NULL : rule);
    rule->is_modified = true;
    add_rule(c, rule, &m, old->cr.priority, fm->used_options);
}

static enum ofperr
do_modify(struct search *s)
{
    if (!s->n) {
        return s->fm->add_if_missing ? do_add(s->change, s->fm) : OFPERR_NONE;
    }
    for (size_t i = 0; i < s->n; i++) {
        modify_rule(s->change, s->rules[i], s->fm);
    }
    return OFPERR_NONE;
}

static enum ofperr
do_delete(struct search *s)
{
    for (size_t i = 0; i < s->n; i++) {
        change_drop(s->change, s->rules[i], REMOVED_DELETE);
    }
    return OFPERR_NONE;
}

static enum ofperr
carry_out(struct search *s)
{
    switch (s->fm->command) {
    case FM_ADD:
        return do_add(s->change, s->fm);
    case FM_MODIFY:
        collect_loose(s);
        return do_modify(s);
    case FM_MODIFY_STRICT:
        collect_strict(s);
        return do_modify(s);
    case FM_DELETE:
        collect_loose(s);
        return do_delete(s);
    case FM_DELETE_STRICT:
        collect_strict(s);
        return do_delete(s);
    }
    return OFPERR_OFPFMFC_BAD_COMMAND;
}

struct reference_check {
    const struct ofproto *p;
    enum ofperr error;
};

static void
check_group(void *r_, uint32_t group_id)
{
    struct reference_check *r = r_;

    if (!group_find(r->p, group_id)) {
        r->error = OFPERR_OFPBAC_BAD_OUT_GROUP;
    }
}

enum ofperr
check_references(const struct ofproto *p, struct act_span acts)
{
    struct reference_check r = { .p = p };
    uint32_t meter_id = act_meter_id(acts);

    act_each_group(acts, check_group, &r);
    if (!r.error && meter_id && !meter_find(p, meter_id)) {
        r.error = OFPERR_OFPMMFC_INVALID_METER;
    }
    return r.error;
}

enum ofperr
change_flow_mod(struct tables_change *c, const struct flow_mod *fm)
{
    struct search s = { .change = c, .fm = fm };
    enum ofperr error;

    if (fm->table_id >= 254 && fm->table_id != FM_TABLE_ANY) {
        return OFPERR_OFPBRC_EPERM;
    }
    error = fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT ? OFPERR_NONE
            : check_references(c->p, fm->actions);
    error = error ? error : carry_out(&s);
    free(s.rules);
    return error;
}

/* Rules that use what goes. */

struct user_search {
    struct tables_change *change;
    uint32_t group_id, meter_id; /* The other is 0. */
};

static void
drop_if_user(void *u_, struct cls_rule *cr)
{
    struct user_search *u = u_;
    struct rule *rule = rule_from_cls(cr);
    const struct rule_actions *a = rcu_get_protected(&rule->actions);
    struct act_span acts = { a->len ? (const struct act *) a->acts : NULL, a->len };

    if (u->meter_id) {
        if (a->has_meter && act_meter_id(acts) == u->meter_id) {
            change_drop(u->change, rule, REMOVED_METER_DELETE);
        }
    } else if (a->has_groups && act_outputs_to_group(acts, u->group_id)) {
        change_drop(u->change, rule, REMOVED_GROUP_DELETE);
    }
}

static void
drop_users(struct user_search *u)
{
    for (unsigned int i = 0; i < 254; i++) {
        classifier_for_each(&u->change->p->xb.tables[i], NULL, u->change->version, drop_if_user, u);
    }
}

void
change_drop_users_of_group(struct tables_change *c, uint32_t group_id)
{
    struct user_search u = { .change = c, .group_id = group_id };

    drop_users(&u);
}

void
change_drop_users_of_meter(struct tables_change *c, uint32_t meter_id)
{
    struct user_search u = { .change = c, .meter_id = meter_id };

    drop_users(&u);
}
