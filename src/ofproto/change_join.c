/* Flows that packets teach while a long change of the tables is made (change.h).
 *
 * Such a flow is seen by the next packet, so it is published before the long change is; then the long change gets the
 * outcome that it would have had if the flow had been there when it began:
 *
 *  - a flow that it has replaced or deleted has been replaced by the new one: that goes in its stead;
 *  - a flow with the same match and priority is among those that it has added: that replaces the new one;
 *  - it has modified or deleted all flows of a kind, of which the new one is: so is that one.
 *
 * What is different: a flow that could only come in the place of another one, of a full table which the long change has
 * changed, does not come; packets teach it again.  Of more than MAX_SEARCHES modifications and deletions the rest count
 * as having come before the flow, as do those of a bundle whose flow has been there at no time.
 *
 * Once the long change is published it is the other way round: what is taught then comes after it, and is told after it
 * (change_take_over()).
 *
 * Threads: the caller holds tables_mutex. */
#include <stdlib.h>

#include "ofproto/change.h"
#include "ofproto/evict.h"
#include "openflow/flow_mod.h"
#include "openflow/msg/flow.h"

enum { MAX_SEARCHES = 256 };

void
change_note_search(struct tables_change *c, const struct flow_mod *fm)
{
    struct flow_mod *s;

    if (!c->is_long || c->n_searches == MAX_SEARCHES) {
        return;
    }
    if (!(c->n_searches & (c->n_searches - 1))) { /* A power of two: it is full. */
        c->searches = xrealloc(c->searches, MAX(c->n_searches * 2, 1) * sizeof *c->searches);
    }
    s = &c->searches[c->n_searches++];
    *s = *fm;
    s->actions.first = fm->actions.len ? xmemdup(fm->actions.first, fm->actions.len) : NULL;
}

void
change_forget_searches(struct tables_change *c)
{
    for (size_t i = 0; i < c->n_searches; i++) {
        flow_mod_uninit(&c->searches[i]);
    }
    free(c->searches);
    c->searches = NULL;
    c->n_searches = 0;
}

static bool
is_found(const struct flow_mod *fm, const struct rule *rule, const struct match *match)
{
    return (fm->table_id == FM_TABLE_ANY ? rule->table_id < 254 : rule->table_id == fm->table_id) &&
           match_is_inside(match, &fm->match) && flow_mod_selects(fm, rule);
}

/* What has been done to all flows of a kind. */
static void
apply_searches(struct tables_change *c, struct rule *rule, const struct match *match)
{
    for (size_t i = 0; i < c->n_searches; i++) {
        const struct flow_mod *fm = &c->searches[i];

        if (!is_found(fm, rule, match)) {
            continue;
        }
        if (fm->command == FM_DELETE) {
            change_drop(c, rule, REMOVED_DELETE);
            return;
        }
        rule = change_modify(c, rule, fm);
    }
}

static struct dropped_rule *
find_dropped(struct tables_change *c, const struct rule *rule)
{
    size_t at = rule->dropped_at;

    return at < c->n_dropped && c->dropped[at].rule == rule ? &c->dropped[at] : NULL;
}

/* The rule with the same match and priority that is to be seen with the change, but for this one; null: none. */
static struct rule *
find_other(const struct tables_change *c, struct rule *rule, const struct match *match)
{
    struct rule *other;

    cls_rule_hide(&rule->cr, c->version);
    other = rule_from_cls(classifier_find(&c->p->xb.tables[rule->table_id], match, rule->cr.priority, c->version));
    cls_rule_unhide(&rule->cr);
    return other;
}

/* 'rule' has come, in the place of 'old' (null: of none). */
static void
join(struct tables_change *c, struct rule *rule, const struct rule *old)
{
    struct dropped_rule *d = old ? find_dropped(c, old) : NULL;
    struct match match;
    struct rule *other;

    cls_rule_get_match(&rule->cr, &match);
    other = find_other(c, rule, &match);
    if (d) {
        d->rule = rule;
        rule->dropped_at = old->dropped_at;
        cls_rule_hide(&rule->cr, c->version);
        evict_note_removed(rule);
        users_note_dropped(rule);
    } else if (other) {
        change_replace(c, rule, other);
        other->is_replacement = true;
        other->first_note = rule->first_note;
    } else {
        apply_searches(c, rule, &match);
    }
}

/* The rule whose place the 'i'th added one has taken. */
static const struct rule *
replaced_by(const struct tables_change *c, size_t i)
{
    for (size_t k = 0; k < c->n_dropped; k++) {
        if (c->dropped[k].after == i && c->dropped[k].why == REMOVED_SILENTLY) {
            return c->dropped[k].rule;
        }
    }
    return NULL;
}

void
change_join(struct tables_change *c, const struct tables_change *other)
{
    for (size_t i = 0; i < other->n_added; i++) {
        join(c, other->added[i], replaced_by(other, i));
    }
}

/* Counters have been passed on when the other one was published. */
void
change_take_over(struct tables_change *c, const struct tables_change *other)
{
    size_t before = c->n_added;

    for (size_t i = 0; i < other->n_added; i++) {
        if (c->n_added == c->added_capacity) {
            c->added = x2nrealloc(c->added, &c->added_capacity, sizeof *c->added);
        }
        c->added[c->n_added++] = other->added[i];
    }
    for (size_t i = 0; i < other->n_dropped; i++) {
        const struct dropped_rule *d = &other->dropped[i];

        if (c->n_dropped == c->dropped_capacity) {
            c->dropped = x2nrealloc(c->dropped, &c->dropped_capacity, sizeof *c->dropped);
        }
        c->dropped[c->n_dropped++] = (struct dropped_rule) { d->rule, NULL, d->why, before + d->after };
    }
}
