/* Flow-mods as parts of a change: see ofproto/change.h. */
#include <stdlib.h>

#include "ofproto/change.h"
#include "ofproto/cookies.h"
#include "ofproto/credits.h"
#include "ofproto/group.h"
#include "ofproto/meter.h"
#include "ofproto/rule_list.h"
#include "openflow/msg/flow.h"

enum { MANY_WITH_COOKIE = 2000 };

/* Rules. */

/* The rule with new actions, at the end of its mask's rules as a new one. */
static struct rule *
make_modified(const struct tables_change *c, struct rule *old, const struct flow_mod *fm)
{
    struct rule *rule = rule_create(fm->actions);

    credits_settle();
    rule_begin(rule, c->p, c->now);
    rule->table_id = old->table_id;
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

/* Searching. */

bool
flow_mod_selects(const struct flow_mod *fm, const struct rule *rule)
{
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);
    struct act_span span = { len ? acts : NULL, len };

    if ((be64_to_cpu(rule->cookie) ^ fm->cookie) & fm->cookie_mask ||
        rule_is_hidden(rule) != (fm->priority > UINT16_MAX)) {
        return false;
    }
    return (fm->command != FM_DELETE && fm->command != FM_DELETE_STRICT) ||
           ((fm->out_port == OFPP_NONE || act_outputs_to_port(span, fm->out_port)) &&
            (fm->out_group == FM_GROUP_ANY || act_outputs_to_group(span, fm->out_group)));
}

static void
collect(void *s_, struct cls_rule *cr)
{
    struct flow_mod_run *s = s_;
    struct rule *rule = rule_from_cls(cr);

    if (!flow_mod_selects(s->fm, rule)) {
        return;
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
    COOKIES_FOR_EACH (rule, p, cpu_to_be64(fm->cookie)) {
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
            cls_cursor_init(&s->cursor, &s->change->p->xb.tables[s->table_id], &s->fm->match, s->change->version);
            s->has_cursor = true;
        }
        while (cls_cursor_step(&s->cursor, RULES_A_LOOK, collect, s)) {
            if (loop_slice_has_ended(slice)) {
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

        if (cr) {
            collect(s, cr);
        }
    }
}

/* Acting. */

/* One more flow in a table: whether there is room for it. */
static bool
has_room(struct tables_change *c, uint8_t table_id, int priority)
{
    const struct table_state *t = &c->p->tables[table_id];

    return priority > UINT16_MAX || change_n_flows(c, table_id) < t->max_flows ||
           ((t->evict || t->of_evict) && change_evict(c, table_id));
}

/* It takes the place of 'old', unless that is null. */
static void
take_place(struct tables_change *c, struct rule *rule, struct rule *old)
{
    if (old) {
        rule->is_replacement = true;
        rule->first_note = old->first_note;
        change_replace(c, old, rule->flags & FM_RESET_COUNTS ? NULL : rule);
    }
}

static enum ofperr
do_add(struct tables_change *c, const struct flow_mod *fm)
{
    uint8_t table_id = fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id;
    struct classifier *cls = &c->p->xb.tables[table_id];
    struct rule *old = rule_from_cls(classifier_find(cls, &fm->match, fm->priority, c->version)), *rule;

    /* One that takes the place of another is no more in the way than that one was. */
    if (!old && fm->flags & FM_CHECK_OVERLAP && classifier_overlaps(cls, &fm->match, fm->priority, c->version)) {
        return OFPERR_OFPFMFC_OVERLAP;
    }
    if (!old && !has_room(c, table_id, fm->priority)) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    rule = rule_make(fm);
    rule_begin(rule, c->p, c->now);
    take_place(c, rule, old);
    change_add(c, rule, &fm->match, fm->priority, fm->used_options);
    return OFPERR_NONE;
}

struct rule *
change_modify(struct tables_change *c, struct rule *old, const struct flow_mod *fm)
{
    struct rule *rule = make_modified(c, old, fm);
    struct match m;

    cls_rule_get_match(&old->cr, &m);
    change_replace(c, old, fm->flags & FM_RESET_COUNTS ? NULL : rule);
    rule->is_modified = true;
    change_add(c, rule, &m, old->cr.priority, fm->used_options);
    return rule;
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

    if (meter_id && !meter_find(p, meter_id)) {
        return OFPERR_OFPMMFC_INVALID_METER;
    }
    act_each_group(acts, check_group, &r);
    return r.error;
}

enum ofperr
change_add_made(struct tables_change *c, struct rule *rule, struct cls_ready *match)
{
    const struct classifier *cls = &c->p->xb.tables[rule->table_id];
    enum ofperr error = OFPERR_NONE;
    struct rule *old;

    if (rule->has_groups || rule->has_meter) {
        error = check_references(c->p, rule_actions_span(rcu_get_protected(&rule->actions)));
    }
    if (error) {
        return error;
    }
    old = rule_from_cls(classifier_find_ready(cls, match, rule->cr.priority, c->version));
    if (!old && !has_room(c, rule->table_id, rule->cr.priority)) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    rule_begin(rule, c->p, c->now);
    take_place(c, rule, old);
    change_add_ready(c, rule, match);
    return OFPERR_NONE;
}

static bool
is_modification(const struct flow_mod *fm)
{
    return fm->command == FM_MODIFY || fm->command == FM_MODIFY_STRICT;
}

/* What a modification needs before the first rule gets its actions: of one that changes nothing, the groups and the
 * meter need not exist. */
static enum ofperr
begin_modification(struct flow_mod_run *s)
{
    bool adds = !s->n && s->fm->add_if_missing;
    enum ofperr error = s->n || adds ? check_references(s->change->p, s->fm->actions) : OFPERR_NONE;

    return !error && adds ? do_add(s->change, s->fm) : error;
}

/* True once all that was found has been changed. */
static bool
act_step(struct flow_mod_run *s, struct loop_slice *slice)
{
    if (!s->n_done && is_modification(s->fm)) {
        s->error = begin_modification(s);
        if (s->error) {
            return true;
        }
    }
    for (; s->n_done < s->n && !loop_slice_is_over(slice); s->n_done++) {
        struct rule *rule = s->rules[s->n_done];

        if (!cls_rule_visible(&rule->cr, s->change->version)) {
            continue; /* Replaced meanwhile, by a flow that a packet taught; see change_note_search(). */
        }
        if (is_modification(s->fm)) {
            (void) change_modify(s->change, rule, s->fm);
        } else {
            change_drop(s->change, rule, REMOVED_DELETE);
        }
    }
    return s->n_done == s->n;
}

/* The whole. */

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
    if (fm->table_id >= OFPROTO_HIDDEN_TABLE && fm->table_id != FM_TABLE_ANY) {
        /* The switch's own; no flow there is what a controller could name. */
        s->error = fm->command == FM_DELETE_STRICT ? OFPERR_NONE : OFPERR_OFPBRC_EPERM;
        return;
    }
    switch (fm->command) {
    case FM_ADD:
        s->error = check_references(s->change->p, fm->actions);
        s->error = s->error ? s->error : do_add(s->change, fm);
        return;
    case FM_MODIFY_STRICT:
    case FM_DELETE_STRICT:
        collect_strict(s);
        s->stage = RUN_ACT;
        return;
    case FM_MODIFY:
    case FM_DELETE:
        change_note_search(s->change, fm);
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
