#include "ofproto/rule_list.h"

#include <stdlib.h>

static void
take(void *l_, struct cls_rule *cr)
{
    struct rule *rule = rule_from_cls(cr);
    struct rule_list *l = l_;

    if (rule_is_hidden(rule)) {
        return;
    }
    if (l->n == l->capacity) {
        l->rules = x2nrealloc(l->rules, &l->capacity, sizeof *l->rules);
    }
    l->rules[l->n++] = rule_ref(rule);
}

void
rule_list_collect(struct rule_list *l, struct ofproto *p, uint8_t table_id, const struct match *criteria)
{
    unsigned int first = table_id == 255 ? 0 : table_id, last = table_id == 255 ? 253 : table_id;
    uint64_t version = atomic_load(&p->xb.tables_version);

    pthread_mutex_lock(&p->tables_mutex);
    for (unsigned int i = first; i <= last; i++) {
        if (p->xb.tables[i].n_rules) {
            classifier_for_each(&p->xb.tables[i], criteria, version, take, l);
        }
    }
    pthread_mutex_unlock(&p->tables_mutex);
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
}
