#include <limits.h>
#include <stdlib.h>

#include "ofproto/change_request.h"
#include "ofproto/depend.h"
#include "ofproto/evict.h"
#include "ofproto/learned.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/telling.h"
#include "ofproto/users.h"
#include "openflow/msg/flow.h"
#include "sys/log.h"

LOG_MODULE(ofproto_table)

static void
on_retired(struct loop_wake *w)
{
    struct loop_slice slice = loop_slice_begin();
    struct ofproto *p = w->aux;

    if (!change_unlink_retired(p, &slice)) {
        loop_wake_signal(w);
    }
}

void
tables_init(struct ofproto *p)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&p->tables_mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    p->xb.tables = xcalloc(OFPROTO_N_TABLES, sizeof *p->xb.tables);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        classifier_init(&p->xb.tables[i]);
        p->tables[i].max_flows = UINT_MAX;
    }
    atomic_store(&p->xb.tables_version, 1);
    expiry_init(p);
    p->xb.serial = xbridge_new_serial();
    list_init(&p->retired);
    list_init(&p->rule_lists);
    loop_wake_init(ofproto_loop, &p->retired_wake, on_retired, p);
    loop_wake_init(ofproto_loop, &p->change_wake, change_requests_on_wake, p);
    hmap_init(&p->by_cookie);
    hmap_init(&p->option_users);
    users_init(p);
    learned_init(p);
    p->xb.may_learn = learned_may_come;
    telling_init(p);
}

enum ofperr
ofproto_flow_mod(struct ofproto *p, const struct flow_mod *fm, struct ofconn *requester)
{
    struct tables_change change;
    enum ofperr error;

    pthread_mutex_lock(&p->tables_mutex);
    change_begin(&change, p, requester);
    error = change_flow_mod(&change, fm);
    change_finish(&change, error);
    pthread_mutex_unlock(&p->tables_mutex);
    return error;
}

/* The rule that 'fm' would make, if it is there. */
static struct rule *
find_learned(struct ofproto *p, const struct flow_mod *fm)
{
    struct rule *rule = rule_from_cls(classifier_find(&p->xb.tables[fm->table_id], &fm->match, fm->priority,
                                                      atomic_load(&p->xb.tables_version)));
    struct act_span acts;

    if (!rule || rule->cookie != cpu_to_be64(fm->new_cookie)) {
        return NULL;
    }
    acts.first = rule_acts_rcu(rule, &acts.len);
    return act_span_equal(acts, fm->actions) ? rule : NULL;
}

void
ofproto_learn(struct ofproto *p, const struct flow_mod *fm, uint32_t max)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    enum ofperr error = OFPERR_NONE;
    struct rule *rule;

    pthread_mutex_lock(&p->tables_mutex);
    rule = find_learned(p, fm);
    if (atomic_load(&p->xb.is_gone)) {
        /* A megaflow or a translation that has not heard of it yet. */
    } else if (rule) {
        atomic_store(&rule->modified, clock_now_ms());
    } else if (!max || learned_may_come(&p->xb, fm, max)) {
        error = ofproto_flow_mod(p, fm, NULL);
        depend_settle(p->backer->depend); /* The next packet sees it. */
    }
    pthread_mutex_unlock(&p->tables_mutex);
    if (error) {
        log_warn_rl(&limit, "%s: a learned flow was refused (%s)", p->xb.name, ofperr_name(error));
    }
}

void
tables_stop(struct ofproto *p)
{
    telling_stop(p);
    loop_wake_uninit(&p->retired_wake);
    loop_wake_uninit(&p->change_wake);
    expiry_stop(p);
}

void
tables_destroy(struct ofproto *p)
{
    tables_stop(p);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        classifier_uninit(&p->xb.tables[i]);
        free(p->tables[i].name);
        free(p->tables[i].of_name);
        free(p->tables[i].groups);
        evict_uninit(&p->tables[i]);
    }
    free(p->xb.tables);
    hmap_uninit(&p->option_users);
    free(rcu_get_protected(&p->xb.options)); /* Nobody translates any more. */
    hmap_uninit(&p->by_cookie);
    users_uninit(p);
    expiry_uninit(p);
    learned_uninit(p);
    pthread_mutex_destroy(&p->tables_mutex);
}

void
tables_make_normal(struct flow_mod *fm, struct act_buf *acts, int priority, bool present)
{
    struct act_output *out;

    flow_mod_init(fm);
    fm->command = present ? FM_ADD : FM_DELETE_STRICT;
    fm->table_id = 0;
    fm->priority = priority;
    out = act_put(acts, ACT_OUTPUT, sizeof *out);
    out->port = OFPP_NORMAL;
    fm->actions = act_buf_span(acts);
}

void
tables_set_normal(struct ofproto *p, int priority, bool present)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct flow_mod fm;

    tables_make_normal(&fm, &acts, priority, present);
    change_requests_finish(p);
    if (ofproto_flow_mod(p, &fm, NULL)) {
        log_err("%s: cannot change the rule of fail mode standalone", p->xb.name);
    }
    act_buf_uninit(&acts);
}

/* Names that are no fields, or of fields that cannot be tracked, are passed over with a warning. */
static void
set_prefixes(struct ofproto *p, uint8_t table_id, const struct ofproto_table_config *c)
{
    enum field_id ids[CLS_MAX_PREFIXES];
    size_t n = 0;

    if (!c->n_prefixes) {
        classifier_use_default_prefixes(&p->xb.tables[table_id]);
        return;
    }
    for (size_t i = 0; i < c->n_prefixes; i++) {
        const struct field *f = field_by_name(c->prefixes[i]);

        if (!strcmp(c->prefixes[i], "none")) {
            n = 0;
            break;
        } else if (!f || !classifier_tracks(f->id)) {
            log_warn("%s: table %u: prefixes of '%s' cannot be tracked", p->xb.name, table_id, c->prefixes[i]);
        } else if (n < CLS_MAX_PREFIXES) {
            ids[n++] = f->id;
        }
    }
    classifier_set_prefixes(&p->xb.tables[table_id], ids, n);
}

void
ofproto_set_table(struct ofproto *p, uint8_t table_id, const struct ofproto_table_config *c)
{
    static const struct ofproto_table_config none;
    struct table_state *t = &p->tables[table_id];
    struct tables_change change;

    if (!c && !t->is_configured) {
        return;
    }
    t->is_configured = c != NULL;
    c = c ? c : &none;
    free(t->name);
    t->name = xstrdup(c->name);
    t->max_flows = c->has_limit ? c->flow_limit : UINT_MAX;
    t->evict = c->evict;
    change_requests_finish(p);
    pthread_mutex_lock(&p->tables_mutex);
    set_prefixes(p, table_id, c);
    evict_set_groups(p, table_id, c->groups, c->n_groups);
    evict_settings_changed(t);
    change_begin(&change, p, NULL);
    while (t->n_flows + change.n_flows[table_id] > t->max_flows && t->evict && change_evict(&change, table_id)) {
        continue;
    }
    change_commit(&change);
    pthread_mutex_unlock(&p->tables_mutex);
}
