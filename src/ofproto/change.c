#include "ofproto/change.h"

#include <limits.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/group.h"
#include "ofproto/learned.h"
#include "ofproto/meter.h"
#include "ofproto/rule_list.h"
#include "ofproto/users.h"
#include "ofproto/vacancy.h"
#include "openflow/msg/flow.h"

enum { MANY_RULES = 256, MANY_WITH_COOKIE = 2000 };

/* How many others may be published while a long one is made. */
#define LONG_AHEAD (1 << 16)

static bool undo_rules(struct tables_change *, struct loop_slice *);

void
change_begin(struct tables_change *c, struct ofproto *p, const struct ofconn *requester)
{
    if (p->long_change && p->long_change->is_published) {
        (void) change_commit_step(p->long_change, NULL); /* What it has to tell comes first. */
    }
    *c = (struct tables_change) {
        .p = p, .requester = requester,
        .version = atomic_load_explicit(&p->xb.tables_version, memory_order_relaxed) + 1,
    };
    if (p->long_change && !p->long_change->is_published && c->version == p->long_change->version) {
        (void) undo_rules(p->long_change, NULL);
        p->long_change->is_spoiled = true;
    }
}

void
change_begin_long(struct tables_change *c, struct ofproto *p, const struct ofconn *requester)
{
    change_begin(c, p, requester);
    c->version += LONG_AHEAD;
    c->is_long = true;
    p->long_change = c;
}

static bool
has_table(const uint64_t *tables, uint8_t table_id)
{
    return tables[table_id / 64] >> table_id % 64 & 1;
}

static void
add_table(uint64_t *tables, uint8_t table_id)
{
    tables[table_id / 64] |= UINT64_C(1) << table_id % 64;
}

static void
touch(struct tables_change *c, uint8_t table_id)
{
    struct tables_change *other = c->p->long_change;

    if (c->is_long) {
        add_table(c->touched, table_id);
    }
    if (other && other != c && has_table(other->touched, table_id)) {
        other->is_spoiled = true;
    }
}

static void
count_flow(struct tables_change *c, const struct rule *rule, int step)
{
    touch(c, rule->table_id);
    add_table(c->changed, rule->table_id);
    if (!rule_is_hidden(rule)) {
        c->n_flows[rule->table_id] += step;
    }
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
    count_flow(c, rule, 1);
    index_cookie(rule);
    learned_note_added(rule);
    users_note_added(rule);
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
    count_flow(c, rule, -1);
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

    if (!(rule->flags & FM_SEND_FLOW_REM) || why == REMOVED_SILENTLY || atomic_load(&p->xb.is_gone)) {
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
    list_remove(&rule->expirable);
    classifier_remove(&rule->ofproto->xb.tables[rule->table_id], &rule->cr);
    rule_unref(rule);
}

/* Nobody sees the rule any more; of few the rest follows at once. */
static void
retire_rule(struct ofproto *p, struct rule *rule, bool many)
{
    learned_note_removed(rule);
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
    groups_publish(c);
    if (c->n_added || c->n_dropped) {
        if (!c->is_long) {
            pass_on_step(c, NULL);
        }
        atomic_store_explicit(&c->p->xb.tables_version, c->version, memory_order_release);
        tell_of_tables(c);
    }
    groups_commit(c);
    c->n_groups = 0;
    c->is_published = true;
}

/* For flow monitors, in the order in which it happened. */
static bool
note_step(struct tables_change *c, struct loop_slice *slice)
{
    while (c->n_noted_added + c->n_noted_dropped < c->n_added + c->n_dropped && !loop_slice_is_over(slice)) {
        const struct dropped_rule *d = &c->dropped[c->n_noted_dropped];

        if (c->n_noted_dropped < c->n_dropped && d->after <= c->n_noted_added) {
            c->n_noted_dropped++;
            if (d->why != REMOVED_SILENTLY) {
                flow_monitor_note(d->rule, MONITOR_EV_DELETED, d->why, c->requester);
            }
        } else {
            struct rule *rule = c->added[c->n_noted_added++];

            flow_monitor_note(rule, rule->is_modified ? MONITOR_EV_MODIFIED : MONITOR_EV_ADDED, 0, c->requester);
        }
    }
    return c->n_noted_added + c->n_noted_dropped == c->n_added + c->n_dropped;
}

static bool
retire_step(struct tables_change *c, struct loop_slice *slice)
{
    for (; c->n_retired < c->n_dropped && !loop_slice_is_over(slice); c->n_retired++) {
        note_removed(c->dropped[c->n_retired].rule, c->dropped[c->n_retired].why);
        retire_rule(c->p, c->dropped[c->n_retired].rule, c->n_dropped > MANY_RULES);
    }
    return c->n_retired == c->n_dropped;
}

bool
change_commit_step(struct tables_change *c, struct loop_slice *slice)
{
    return pass_on_step(c, slice) && (!c->p->n_monitors || note_step(c, slice)) && retire_step(c, slice);
}

void
change_end(struct tables_change *c)
{
    free(c->added);
    free(c->dropped);
    free(c->groups);
    if (c->is_long) {
        c->p->long_change = NULL;
    }
    if (!list_is_empty(&c->p->retired)) {
        loop_wake_signal(&c->p->retired_wake);
    }
    learned_settle(c->p, !c->is_published);
}

void
change_commit(struct tables_change *c)
{
    change_publish(c);
    (void) change_commit_step(c, NULL);
    change_end(c);
}

static bool
undo_rules(struct tables_change *c, struct loop_slice *slice)
{
    for (; c->n_dropped && !loop_slice_is_over(slice); c->n_dropped--) {
        struct cls_rule *cr = &c->dropped[c->n_dropped - 1].rule->cr;

        if (atomic_load_explicit(&cr->remove_version, memory_order_relaxed) == c->version) {
            cls_rule_unhide(cr);
        }
    }
    for (; !c->n_dropped && c->n_retired < c->n_added && !loop_slice_is_over(slice); c->n_retired++) {
        cls_rule_hide(&c->added[c->n_retired]->cr, 0); /* From every version. */
        retire_rule(c->p, c->added[c->n_retired], c->n_added > MANY_RULES);
    }
    return !c->n_dropped && c->n_retired == c->n_added;
}

bool
change_abort_step(struct tables_change *c, struct loop_slice *slice)
{
    if (!undo_rules(c, slice)) {
        return false;
    }
    groups_abort(c);
    c->n_groups = 0;
    return true;
}

void
change_abort(struct tables_change *c)
{
    (void) change_abort_step(c, NULL);
    change_end(c);
}

/* Flow-mods. */

static void
collect(void *s_, struct cls_rule *cr)
{
    struct flow_mod_run *s = s_;
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

/* With an exact cookie the index spares a walk over the tables, unless too many have it for one step. */
static bool
collect_by_cookie(struct flow_mod_run *s)
{
    const struct ofproto *p = s->change->p;
    const struct flow_mod *fm = s->fm;
    unsigned int n = 0;

    if (fm->cookie_mask != UINT64_MAX || !fm->cookie) {
        return false;
    }
    for (unsigned int i = first_table(fm); i <= last_table(fm); i++) {
        touch(s->change, i);
    }
    HMAP_FOR_EACH_WITH_HASH (rule, struct rule, by_cookie, hash_u64(cpu_to_be64(fm->cookie), 0), &p->by_cookie) {
        struct match m;

        if (++n > MANY_WITH_COOKIE) {
            s->n = 0;
            return false;
        }
        cls_rule_get_match(&rule->cr, &m);
        if ((fm->table_id == FM_TABLE_ANY ? rule->table_id < 254 : rule->table_id == fm->table_id) &&
            cls_rule_visible(&rule->cr, s->change->version) && match_is_inside(&m, &fm->match)) {
            collect(s, &rule->cr);
        }
    }
    return true;
}

/* True once all tables have been searched. */
static bool
search_step(struct flow_mod_run *s, struct loop_slice *slice)
{
    for (; s->table_id <= last_table(s->fm); s->table_id++) {
        if (!s->has_cursor) {
            touch(s->change, s->table_id);
            cls_cursor_init(&s->cursor, &s->change->p->xb.tables[s->table_id], &s->fm->match, s->change->version);
            s->has_cursor = true;
        }
        while (cls_cursor_step(&s->cursor, RULES_A_LOOK, collect, s)) {
            if (slice && clock_real_us() >= slice->until_us) {
                return false;
            }
        }
        cls_cursor_uninit(&s->cursor);
        s->has_cursor = false;
    }
    return true;
}

static void
collect_strict(struct flow_mod_run *s)
{
    for (unsigned int i = first_table(s->fm); i <= last_table(s->fm); i++) {
        struct cls_rule *cr = classifier_find(&s->change->p->xb.tables[i], &s->fm->match, s->fm->priority,
                                              s->change->version);

        touch(s->change, i);
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

    /* One that takes the place of another is no more in the way than that one was. */
    if (!old && fm->flags & FM_CHECK_OVERLAP && classifier_overlaps(cls, &fm->match, fm->priority, c->version)) {
        return OFPERR_OFPFMFC_OVERLAP;
    }
    touch(c, table_id);
    if (!old && fm->priority <= UINT16_MAX && t->n_flows + c->n_flows[table_id] >= t->max_flows &&
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

/* True once all that was found has been changed. */
static bool
act_step(struct flow_mod_run *s, struct loop_slice *slice)
{
    if (!s->n && s->fm->add_if_missing && (s->fm->command == FM_MODIFY || s->fm->command == FM_MODIFY_STRICT)) {
        s->error = do_add(s->change, s->fm);
    }
    for (; s->n_done < s->n && !loop_slice_is_over(slice); s->n_done++) {
        if (s->fm->command == FM_MODIFY || s->fm->command == FM_MODIFY_STRICT) {
            modify_rule(s->change, s->rules[s->n_done], s->fm);
        } else {
            change_drop(s->change, s->rules[s->n_done], REMOVED_DELETE);
        }
    }
    return s->n_done == s->n;
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

void
flow_mod_run_begin(struct flow_mod_run *s, struct tables_change *c, const struct flow_mod *fm)
{
    *s = (struct flow_mod_run) { .change = c, .fm = fm, .table_id = first_table(fm) };
}

void
flow_mod_run_end(struct flow_mod_run *s)
{
    if (s->has_cursor) {
        cls_cursor_uninit(&s->cursor);
        s->has_cursor = false;
    }
    free(s->rules);
    s->rules = NULL;
}

/* Checks it, and does what needs no search. */
static void
begin_run(struct flow_mod_run *s)
{
    const struct flow_mod *fm = s->fm;

    s->stage = RUN_DONE;
    if (fm->table_id >= 254 && fm->table_id != FM_TABLE_ANY) {
        /* The switch's own; no flow there is what a controller could name. */
        s->error = fm->command == FM_DELETE_STRICT ? OFPERR_NONE : OFPERR_OFPBRC_EPERM;
        return;
    }
    if (fm->command != FM_DELETE && fm->command != FM_DELETE_STRICT) {
        s->error = check_references(s->change->p, fm->actions);
    }
    if (s->error) {
        return;
    }
    switch (fm->command) {
    case FM_ADD:
        s->error = do_add(s->change, fm);
        return;
    case FM_MODIFY_STRICT:
    case FM_DELETE_STRICT:
        collect_strict(s);
        s->stage = RUN_ACT;
        return;
    case FM_MODIFY:
    case FM_DELETE:
        s->stage = collect_by_cookie(s) ? RUN_ACT : RUN_SEARCH;
        return;
    }
    s->error = OFPERR_OFPFMFC_BAD_COMMAND;
}

bool
flow_mod_run_step(struct flow_mod_run *s, struct loop_slice *slice)
{
    if (s->stage == RUN_BEGIN) {
        begin_run(s);
    }
    if (s->stage == RUN_SEARCH && search_step(s, slice)) {
        s->stage = RUN_ACT;
    }
    if (s->stage == RUN_ACT && act_step(s, slice)) {
        s->stage = RUN_DONE;
    }
    return s->stage == RUN_DONE;
}

enum ofperr
change_flow_mod(struct tables_change *c, const struct flow_mod *fm)
{
    struct flow_mod_run run;

    flow_mod_run_begin(&run, c, fm);
    (void) flow_mod_run_step(&run, NULL);
    flow_mod_run_end(&run);
    return run.error;
}

/* Rules that use what goes. */

static void
drop_for_group(void *c, struct rule *rule)
{
    change_drop(c, rule, REMOVED_GROUP_DELETE);
}

void
change_drop_users_of_group(struct tables_change *c, uint32_t group_id)
{
    users_for_each(c->p, USERS_OF_GROUP, group_id, c->version, drop_for_group, c);
}

static void
drop_for_meter(void *c, struct rule *rule)
{
    change_drop(c, rule, REMOVED_METER_DELETE);
}

void
change_drop_users_of_meter(struct tables_change *c, uint32_t meter_id)
{
    users_for_each(c->p, USERS_OF_METER, meter_id, c->version, drop_for_meter, c);
}
