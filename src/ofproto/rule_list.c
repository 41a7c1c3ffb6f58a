#include "ofproto/rule_list.h"

#include <stdlib.h>

enum { LINES_OF_RULE = 6 };

/* What is told of a rule is read soon after it was found, when it has come into the cache. */
static void
prefetch(const struct rule *rule)
{
    __builtin_prefetch(rule->cr.node);
    for (int i = 1; i < LINES_OF_RULE; i++) {
        __builtin_prefetch((const char *) rule + i * 64);
    }
}

static void
take(void *l_, struct cls_rule *cr)
{
    struct rule *rule = rule_from_cls(cr);
    struct rule_list *l = l_;

    if (rule_is_hidden(rule) && !l->with_hidden) {
        return;
    }
    if (l->n == l->capacity) {
        l->rules = x2nrealloc(l->rules, &l->capacity, sizeof *l->rules);
    }
    l->rules[l->n++] = rule_ref(rule);
    prefetch(rule);
}

void
rule_list_begin(struct rule_list *l, struct ofproto *p, uint8_t table_id, const struct match *criteria)
{
    *l = (struct rule_list) {
        .p = p, .version = atomic_load(&p->xb.tables_version), .table_id = table_id == 255 ? 0 : table_id,
        .last_table_id = table_id == 255 ? 253 : table_id,
        .criteria = criteria && !is_all_zeros(&criteria->mask, sizeof criteria->mask) ? criteria : NULL,
    };
    pthread_mutex_lock(&p->tables_mutex);
    list_push_back(&p->rule_lists, &l->node);
    pthread_mutex_unlock(&p->tables_mutex);
}

void
rule_list_begin_all(struct rule_list *l, struct ofproto *p)
{
    rule_list_begin(l, p, 255, NULL);
    l->last_table_id = OFPROTO_N_TABLES - 1;
    l->with_hidden = true;
}

/* Looks at a few more, or begins with the next table; false if there is none.  The caller holds tables_mutex. */
static bool
look(struct rule_list *l)
{
    if (!l->has_cursor) {
        while (l->table_id <= l->last_table_id && !l->p->xb.tables[l->table_id].n_rules) {
            l->table_id++;
        }
        if (l->table_id > l->last_table_id) {
            return false;
        }
        cls_cursor_init(&l->cursor, &l->p->xb.tables[l->table_id], l->criteria, l->version);
        l->has_cursor = true;
    }
    if (!cls_cursor_step(&l->cursor, RULES_A_LOOK, take, l)) {
        cls_cursor_uninit(&l->cursor);
        l->has_cursor = false;
        l->table_id++;
    }
    return true;
}

static void
end(struct rule_list *l)
{
    list_remove(&l->node);
    list_init(&l->node);
    if (!list_is_empty(&l->p->retired)) {
        loop_wake_signal(&l->p->retired_wake);
    }
}

static void
find_more(struct rule_list *l)
{
    pthread_mutex_lock(&l->p->tables_mutex);
    for (int i = 0; i < RULES_A_STEP / RULES_A_LOOK && !list_is_empty(&l->node); i++) {
        if (!look(l)) {
            end(l);
        }
    }
    pthread_mutex_unlock(&l->p->tables_mutex);
}

bool
rule_list_more(struct rule_list *l)
{
    if (l->next < l->n) {
        return true;
    }
    if (!l->p || list_is_empty(&l->node)) {
        return false;
    }
    l->next = l->n = 0;
    find_more(l);
    return true;
}

struct rule *
rule_list_next(struct rule_list *l)
{
    return l->next < l->n ? l->rules[l->next++] : NULL;
}

void
rule_list_uninit(struct rule_list *l)
{
    for (struct rule *rule; (rule = rule_list_next(l)) != NULL;) {
        rule_unref(rule);
    }
    free(l->rules);
    if (!l->p) {
        return;
    }
    pthread_mutex_lock(&l->p->tables_mutex);
    if (l->has_cursor) {
        cls_cursor_uninit(&l->cursor);
    }
    if (!list_is_empty(&l->node)) {
        end(l);
    }
    pthread_mutex_unlock(&l->p->tables_mutex);
}

bool
rule_lists_complete(struct ofproto *p, struct loop_slice *slice)
{
    while (!list_is_empty(&p->rule_lists)) {
        struct rule_list *l = CONTAINER_OF(p->rule_lists.next, struct rule_list, node);

        if (!look(l)) {
            end(l);
        } else if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    return true;
}
