#include "ofproto/change.h"

#include <stdlib.h>

#include "ofproto/cookies.h"
#include "ofproto/evict.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/group.h"
#include "ofproto/learned.h"
#include "ofproto/rule_list.h"
#include "ofproto/vacancy.h"
#include "openflow/msg/flow.h"

enum { MANY_RULES = 256 };

/* More than others can be published while a long one is made. */
#define LONG_AHEAD (UINT64_C(1) << 40)

static bool
has_table(const uint64_t *tables, uint8_t table_id)
{
    return tables[table_id / 64] >> table_id % 64 & 1;
}

void
change_begin(struct tables_change *c, struct ofproto *p, const struct ofconn *requester)
{
    *c = (struct tables_change) {
        .p = p, .requester = requester,
        .version = atomic_load_explicit(&p->xb.tables_version, memory_order_relaxed) + 1,
        .now = clock_now_ms(),
    };
}

void
change_begin_long(struct tables_change *c, struct ofproto *p, const struct ofconn *requester)
{
    change_begin(c, p, requester);
    c->version += LONG_AHEAD;
    c->is_long = true;
    p->long_change = c;
}

static void
add_table(uint64_t *tables, uint8_t table_id)
{
    tables[table_id / 64] |= UINT64_C(1) << table_id % 64;
}

/* A long change of another, not published yet; null: none. */
static const struct tables_change *
other_of(const struct tables_change *c)
{
    const struct tables_change *other = c->p->long_change;

    return other && other != c && !other->is_published ? other : NULL;
}

unsigned int
change_n_flows(const struct tables_change *c, uint8_t table_id)
{
    const struct tables_change *other = other_of(c);

    return c->p->tables[table_id].n_flows + c->n_flows[table_id] + (other ? MAX(other->n_flows[table_id], 0) : 0);
}

bool
change_evict(struct tables_change *c, uint8_t table_id)
{
    const struct tables_change *other = other_of(c);
    struct rule *worst;

    if (other && has_table(other->changed, table_id)) {
        return false; /* The order is that of its version. */
    }
    worst = evict_choose(c->p, table_id, c->version);
    if (worst) {
        change_drop(c, worst, REMOVED_EVICTION);
    }
    return worst != NULL;
}

static void
count_flow(struct tables_change *c, const struct rule *rule, int step)
{
    add_table(c->changed, rule->table_id);
    if (!rule_is_hidden(rule)) {
        c->n_flows[rule->table_id] += step;
    }
}

/* Rules. */

static void
begin_add(struct tables_change *c, struct rule *rule)
{
    if (c->n_added == c->added_capacity) {
        c->added = x2nrealloc(c->added, &c->added_capacity, sizeof *c->added);
    }
    c->added[c->n_added++] = rule;
    xbridge_note_change(&c->p->xb, rule->table_id, c->version);
}

static void
end_add(struct tables_change *c, struct rule *rule, uint64_t options)
{
    count_flow(c, rule, 1);
    cookies_note_added(rule);
    learned_note_added(rule);
    users_note_added(rule);
    options_note_added(rule, options);
    expiry_note_added(rule);
    evict_note_added(rule);
}

void
change_add(struct tables_change *c, struct rule *rule, const struct match *match, int priority, uint64_t used_options)
{
    begin_add(c, rule);
    classifier_insert(&c->p->xb.tables[rule->table_id], &rule->cr, match, priority, c->version);
    end_add(c, rule, be64_to_cpu(match->mask.tun_metadata_present) | used_options);
}

void
change_add_ready(struct tables_change *c, struct rule *rule, struct cls_ready *match)
{
    begin_add(c, rule);
    classifier_insert_ready(&c->p->xb.tables[rule->table_id], &rule->cr, match, rule->cr.priority, c->version);
    end_add(c, rule, 0);
}

static void
drop_rule(struct tables_change *c, struct rule *rule, uint8_t why, struct rule *successor)
{
    if (c->n_dropped == c->dropped_capacity) {
        c->dropped = x2nrealloc(c->dropped, &c->dropped_capacity, sizeof *c->dropped);
    }
    if (c->is_long) {
        rule->dropped_at = c->n_dropped;
    }
    c->dropped[c->n_dropped++] = (struct dropped_rule) { rule, successor, why, c->n_added };
    xbridge_note_change(&c->p->xb, rule->table_id, c->version);
    cls_rule_hide(&rule->cr, c->version);
    evict_note_removed(rule);
    users_note_dropped(rule);
    count_flow(c, rule, -1);
}

void
change_drop(struct tables_change *c, struct rule *rule, uint8_t why)
{
    drop_rule(c, rule, why, NULL);
}

void
change_replace(struct tables_change *c, struct rule *old, struct rule *successor)
{
    drop_rule(c, old, REMOVED_SILENTLY, successor);
}

/* The end. */

/* Queues the flow-removed message if somebody asked for it. */
static void
note_removed(struct rule *rule, unsigned int why)
{
    struct ofproto *p = rule->ofproto;
    struct removed_rule *r;

    if (!(rule->flags & FM_SEND_FLOW_REM) || why == REMOVED_SILENTLY || atomic_load(&p->xb.is_gone)) {
        return;
    }
    r = xmalloc(sizeof *r);
    r->rule = rule_ref(rule);
    r->reason = why;
    r->when = clock_now_ms();
    list_push_back(&p->removed, &r->node);
    atomic_fetch_add(&p->n_untold, 1);
    loop_wake_signal(&p->removed_wake);
}

static void
unlink_rule(struct rule *rule)
{
    cookies_note_removed(rule);
    list_remove(&rule->expirable);
    classifier_remove(&rule->ofproto->xb.tables[rule->table_id], &rule->cr);
    rule_unref(rule);
}

/* Nobody sees the rule any more; of few the rest follows at once. */
static void
retire_rule(struct ofproto *p, struct rule *rule, bool many, bool was_undone)
{
    learned_note_removed(rule, was_undone);
    users_note_removed(rule);
    options_note_removed(rule);
    if (many || p->long_change || !list_is_empty(&p->rule_lists)) {
        list_remove(&rule->expirable);
        list_push_back(&p->retired, &rule->expirable);
        p->tables[rule->table_id].n_retired++;
    } else {
        unlink_rule(rule);
    }
}

/* Of a table whose rules all go nothing need be kept in order until the last has gone. */
static void
unlink_retired(struct ofproto *p, struct rule *rule)
{
    struct classifier *cls = &p->xb.tables[rule->table_id];
    struct table_state *t = &p->tables[rule->table_id];

    if (t->n_retired == cls->n_rules) {
        classifier_give_up_rules(cls);
    }
    t->n_retired--;
    unlink_rule(rule);
}

bool
change_unlink_retired(struct ofproto *p, struct loop_slice *slice)
{
    bool done, may;

    pthread_mutex_lock(&p->tables_mutex);
    may = !p->long_change && !list_is_empty(&p->retired) && rule_lists_complete(p, slice);
    while (may && !list_is_empty(&p->retired) && !loop_slice_is_over(slice)) {
        unlink_retired(p, CONTAINER_OF(p->retired.next, struct rule, expirable));
    }
    done = p->long_change || list_is_empty(&p->retired); /* A long change says when it is over. */
    pthread_mutex_unlock(&p->tables_mutex);
    return done;
}

/* Says that rules have come and gone, after that can be seen; of many only in which tables.  A rule that was replaced
 * has the match of the one in its place. */
static void
tell_of_rules(const struct tables_change *c)
{
    for (size_t i = 0; i < c->n_added; i++) {
        backer_rule_changed(c->p->backer, c->added[i]);
    }
    for (size_t i = 0; i < c->n_dropped; i++) {
        if (c->dropped[i].why != REMOVED_SILENTLY) {
            backer_rule_changed(c->p->backer, c->dropped[i].rule);
        }
    }
}

static void
tell_of_tables(const struct tables_change *c)
{
    bool many = c->n_added + c->n_dropped > MANY_RULES;

    for (unsigned int i = 0; i < OFPROTO_N_TABLES; i++) {
        if (has_table(c->changed, i)) {
            c->p->tables[i].n_flows += c->n_flows[i];
            vacancy_note(c->p, i);
            if (many) {
                backer_table_changed(c->p->backer, &c->p->xb, i);
            }
        }
    }
    if (!many) {
        tell_of_rules(c);
    }
}

/* What is passed on step by step is wrong for a moment in who shows it; see change_request_holds(). */
static bool
pass_on_step(struct tables_change *c, struct loop_slice *slice)
{
    for (; c->n_passed < c->n_dropped && !loop_slice_is_over(slice); c->n_passed++) {
        if (c->dropped[c->n_passed].successor) {
            rule_pass_on(c->dropped[c->n_passed].rule, c->dropped[c->n_passed].successor);
        }
    }
    return c->n_passed == c->n_dropped;
}

void
change_publish(struct tables_change *c)
{
    if (c->n_added || c->n_dropped || c->n_groups) {
        if (!c->is_long) {
            pass_on_step(c, NULL);
        }
        atomic_store_explicit(&c->p->xb.tables_version, c->version, memory_order_release);
        tell_of_tables(c);
    }
    groups_tell(c);
    c->n_own_added = c->n_added;
    c->n_own_dropped = c->n_dropped;
    change_forget_searches(c);
    c->is_published = true;
}

/* For flow monitors, in the order in which it happened. */
static bool
note_step(struct tables_change *c, struct loop_slice *slice)
{
    while (c->n_noted_added + c->n_noted_dropped < c->n_added + c->n_dropped && !loop_slice_is_over(slice)) {
        const struct dropped_rule *d = &c->dropped[c->n_noted_dropped];

        if (c->n_noted_dropped < c->n_dropped && d->after <= c->n_noted_added) {
            const struct ofconn *requester = c->n_noted_dropped++ < c->n_own_dropped ? c->requester : NULL;

            if (d->why != REMOVED_SILENTLY) {
                flow_monitor_note(d->rule, MONITOR_EV_DELETED, d->why, requester);
            }
        } else {
            const struct ofconn *requester = c->n_noted_added < c->n_own_added ? c->requester : NULL;
            struct rule *rule = c->added[c->n_noted_added++];

            flow_monitor_note(rule, rule->is_modified ? MONITOR_EV_MODIFIED : MONITOR_EV_ADDED, 0, requester);
        }
    }
    return c->n_noted_added + c->n_noted_dropped == c->n_added + c->n_dropped;
}

static bool
retire_step(struct tables_change *c, struct loop_slice *slice)
{
    for (; c->n_retired < c->n_dropped && !loop_slice_is_over(slice); c->n_retired++) {
        note_removed(c->dropped[c->n_retired].rule, c->dropped[c->n_retired].why);
        retire_rule(c->p, c->dropped[c->n_retired].rule, c->n_dropped > MANY_RULES, false);
    }
    return c->n_retired == c->n_dropped;
}

bool
change_commit_step(struct tables_change *c, struct loop_slice *slice)
{
    return pass_on_step(c, slice) && (!c->p->n_monitors || note_step(c, slice)) && retire_step(c, slice) &&
           groups_retire_step(c, slice);
}

void
change_end(struct tables_change *c)
{
    change_forget_searches(c);
    free(c->added);
    free(c->dropped);
    free(c->groups);
    if (c->is_long) {
        c->p->long_change = NULL;
    } else {
        learned_note_end(c->p);
    }
    if (!list_is_empty(&c->p->retired)) {
        loop_wake_signal(&c->p->retired_wake);
    }
}

/* Who is published while a long change is told of leaves it to that to tell of what comes after it. */
void
change_commit(struct tables_change *c)
{
    struct tables_change *other = c->is_long ? NULL : c->p->long_change;

    change_publish(c);
    if (other && other->is_published) {
        change_take_over(other, c);
    } else {
        (void) change_commit_step(c, NULL);
        if (other) {
            change_join(other, c);
        }
    }
    change_end(c);
}

static void
undo_drop(struct tables_change *c, struct rule *rule)
{
    if (atomic_load_explicit(&rule->cr.versions.remove, memory_order_relaxed) == c->version) {
        cls_rule_unhide(&rule->cr);
        evict_note_added(rule);
    }
    users_note_kept(rule);
}

static void
undo_add(struct tables_change *c, struct rule *rule, bool many)
{
    cls_rule_hide(&rule->cr, 0); /* From every version. */
    evict_note_removed(rule);
    retire_rule(c->p, rule, many, true);
}

/* The last comes first. */
static bool
undo_rules(struct tables_change *c, struct loop_slice *slice)
{
    bool many = c->n_added + c->n_retired > MANY_RULES;

    while (c->n_dropped + c->n_added && !loop_slice_is_over(slice)) {
        if (c->n_dropped && c->dropped[c->n_dropped - 1].after == c->n_added) {
            undo_drop(c, c->dropped[--c->n_dropped].rule);
        } else {
            undo_add(c, c->added[--c->n_added], many);
            c->n_retired++;
        }
    }
    return !c->n_dropped && !c->n_added;
}

bool
change_abort_step(struct tables_change *c, struct loop_slice *slice)
{
    if (!undo_rules(c, slice)) {
        return false;
    }
    if (c->is_long) { /* Else the next version is the one that was noted. */
        xbridge_forget_changes(&c->p->xb, atomic_load_explicit(&c->p->xb.tables_version, memory_order_relaxed));
    }
    return groups_abort_step(c, slice);
}

void
change_abort(struct tables_change *c)
{
    (void) change_abort_step(c, NULL);
    change_end(c);
}

void
change_finish(struct tables_change *c, enum ofperr error)
{
    if (error) {
        change_abort(c);
    } else {
        change_commit(c);
    }
}

/* Rules that use what goes. */

bool
change_drop_users_step(struct tables_change *c, struct users_run *u, struct loop_slice *slice)
{
    if (!u->rules) {
        u->rules = users_list(c->p, u->kind, u->id, &u->n);
    }
    for (; u->n_done < u->n && !loop_slice_is_over(slice); u->n_done++) {
        struct rule *rule = u->rules[u->n_done];

        if (cls_rule_visible(&rule->cr, c->version)) { /* Not one that names it twice, or was replaced. */
            change_drop(c, rule, u->why);
        }
    }
    return u->n_done == u->n;
}

void
users_run_uninit(struct users_run *u)
{
    free(u->rules);
    *u = (struct users_run) { .rules = NULL };
}
