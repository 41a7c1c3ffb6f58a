#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/conns.h"
#include "ofproto/depend.h"
#include "ofproto/ofproto_private.h"
#include "openflow/msg/flow.h"
#include "sys/log.h"

LOG_MODULE(ofproto_table)

enum { MANY_RULES = 256 };

/* A rule that has left its table and whose controllers are still to be told. */
struct removed_rule {
    struct list node; /* In ofproto->removed. */
    struct rule *rule;
    struct match match;
    uint8_t reason;
    int64_t when;
};

/* State of one flow-mod while it is carried out. */
struct change {
    struct ofproto *p;
    const struct flow_mod *fm;
    struct ofconn *requester;
    uint8_t table_id;       /* Of the table that is looked at. */
    uint64_t version;       /* In which the change becomes visible. */
    struct rule **rules;    /* That the flow-mod is about. */
    size_t n, capacity;
};

static void
send_removed(struct ofproto *p)
{
    struct list all;

    list_init(&all);
    pthread_mutex_lock(&p->tables_mutex);
    list_splice(&all, &p->removed);
    pthread_mutex_unlock(&p->tables_mutex);
    LIST_FOR_EACH_SAFE (r, struct removed_rule, node, &all) {
        if (p->conns) {
            conns_send_flow_removed(p->conns, r->rule, &r->match, r->reason, r->when);
        }
        rule_unref(r->rule);
        free(r);
    }
}

static void
on_removed(struct loop_wake *w)
{
    send_removed(w->aux);
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
    list_init(&p->expirable);
    list_init(&p->removed);
    hmap_init(&p->by_cookie);
    loop_wake_init(ofproto_loop, &p->removed_wake, on_removed, p);
}

static uint64_t
version_of(struct ofproto *p)
{
    return atomic_load_explicit(&p->xb.tables_version, memory_order_relaxed);
}

static void
publish(struct ofproto *p, uint64_t version)
{
    atomic_store_explicit(&p->xb.tables_version, version, memory_order_release);
}

/* Says that the rules have changed, after that can be seen; of many only in which tables. */
static void
rules_changed(struct ofproto *p, struct rule *const *rules, size_t n)
{
    uint64_t tables[4] = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (n <= MANY_RULES) {
            backer_rule_changed(p->backer, rules[i]);
        } else if (!(tables[rules[i]->table_id / 64] >> rules[i]->table_id % 64 & 1)) {
            tables[rules[i]->table_id / 64] |= UINT64_C(1) << rules[i]->table_id % 64;
            backer_table_changed(p->backer, &p->xb, rules[i]->table_id);
        }
    }
}

/* Rules. */

static struct rule_actions *
make_actions(struct act_span acts)
{
    struct rule_actions *a = xzalloc(sizeof *a + acts.len);

    a->len = acts.len;
    if (acts.len) {
        memcpy(a->acts, acts.first, acts.len);
    }
    ACT_FOR_EACH (act, acts) {
        a->has_meter |= act->type == ACT_METER;
        a->has_learn |= act->type == ACT_LEARN;
        a->has_groups |= act->type == ACT_GROUP;
    }
    return a;
}

static struct rule *
make_rule(struct ofproto *p, const struct flow_mod *fm, uint8_t table_id)
{
    struct rule *rule = xzalloc(sizeof *rule);
    int64_t now = clock_now_ms();

    rule->ofproto = p;
    rcu_set(&rule->actions, make_actions(fm->actions));
    rule->cookie = cpu_to_be64(fm->new_cookie);
    rule->table_id = table_id;
    rule->flags = fm->flags & (FM_SEND_FLOW_REM | FM_RESET_COUNTS | FM_NO_PACKET_COUNTS | FM_NO_BYTE_COUNTS);
    rule->importance = fm->importance;
    atomic_store(&rule->idle_timeout, fm->idle_timeout);
    atomic_store(&rule->hard_timeout, fm->hard_timeout);
    atomic_store(&rule->n_refs, 1);
    rule->created = now;
    atomic_store(&rule->modified, now);
    atomic_store(&rule->used, now);
    list_init(&rule->expirable);
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
insert_rule(struct rule *rule, const struct match *match, int priority, uint64_t version)
{
    struct ofproto *p = rule->ofproto;

    classifier_insert(&p->xb.tables[rule->table_id], &rule->cr, match, priority, version);
    p->tables[rule->table_id].n_flows++;
    index_cookie(rule);
    if (atomic_load(&rule->idle_timeout) || atomic_load(&rule->hard_timeout)) {
        list_push_back(&p->expirable, &rule->expirable);
    }
}

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
    cls_rule_get_match(&rule->cr, &r->match);
    r->reason = why;
    r->when = clock_now_ms();
    list_push_back(&p->removed, &r->node);
    loop_wake_signal(&p->removed_wake);
}

/* Takes a rule, already hidden, out of its table. */
static void
drop_rule(struct rule *rule, unsigned int why)
{
    struct ofproto *p = rule->ofproto;

    note_removed(rule, why);
    rule->removed = true;
    unindex_cookie(rule);
    list_remove(&rule->expirable);
    classifier_remove(&p->xb.tables[rule->table_id], &rule->cr);
    p->tables[rule->table_id].n_flows--;
    rule_unref(rule);
}

void
rule_remove_locked(struct rule *rule, unsigned int why)
{
    struct ofproto *p = rule->ofproto;
    uint64_t version = version_of(p) + 1;

    cls_rule_hide(&rule->cr, version);
    publish(p, version);
    backer_rule_changed(p->backer, rule);
    drop_rule(rule, why);
}

static void
collect(void *c_, struct cls_rule *cr)
{
    struct change *c = c_;
    const struct flow_mod *fm = c->fm;
    struct rule *rule = rule_from_cls(cr);
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);
    struct act_span span = { len ? acts : NULL, len };

    if ((be64_to_cpu(rule->cookie) ^ fm->cookie) & fm->cookie_mask) {
        return;
    }
    if (fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT) {
        if ((fm->out_port != OFPP_NONE && !act_outputs_to_port(span, fm->out_port)) ||
            (fm->out_group != FM_GROUP_ANY && !act_outputs_to_group(span, fm->out_group))) {
            return;
        }
    }
    if (c->n == c->capacity) {
        c->rules = x2nrealloc(c->rules, &c->capacity, sizeof *c->rules);
    }
    c->rules[c->n++] = rule;
}

/* With an exact cookie and no other criteria to speak of, the index spares a walk over the tables. */
static bool
collect_by_cookie(struct change *c)
{
    const struct flow_mod *fm = c->fm;

    if (fm->cookie_mask != UINT64_MAX || !fm->cookie) {
        return false;
    }
    HMAP_FOR_EACH_WITH_HASH (rule, struct rule, by_cookie, hash_u64(cpu_to_be64(fm->cookie), 0), &c->p->by_cookie) {
        struct match m;

        cls_rule_get_match(&rule->cr, &m);
        if ((fm->table_id == FM_TABLE_ANY ? rule->table_id < 254 : rule->table_id == fm->table_id) &&
            cls_rule_visible(&rule->cr, version_of(c->p)) && match_is_inside(&m, &fm->match)) {
            collect(c, &rule->cr);
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
collect_loose(struct change *c)
{
    if (collect_by_cookie(c)) {
        return;
    }
    for (unsigned int i = first_table(c->fm); i <= last_table(c->fm); i++) {
        classifier_for_each(&c->p->xb.tables[i], &c->fm->match, version_of(c->p), collect, c);
    }
}

static void
collect_strict(struct change *c)
{
    for (unsigned int i = first_table(c->fm); i <= last_table(c->fm); i++) {
        struct cls_rule *cr = classifier_find(&c->p->xb.tables[i], &c->fm->match, c->fm->priority, version_of(c->p));

        if (cr) {
            collect(c, cr);
        }
    }
}

/* Makes room in a full table by OpenFlow 1.4's eviction (§6.5): the least important rule with a timeout goes. */
static bool
evict(struct ofproto *p, uint8_t table_id)
{
    struct rule *worst = NULL;

    LIST_FOR_EACH (rule, struct rule, expirable, &p->expirable) {
        if (rule->table_id == table_id &&
            (!worst || rule->importance < worst->importance ||
             (rule->importance == worst->importance && atomic_load(&rule->used) < atomic_load(&worst->used)))) {
            worst = rule;
        }
    }
    if (worst) {
        rule_remove_locked(worst, REMOVED_EVICTION);
    }
    return worst != NULL;
}

static enum ofperr
do_add(struct change *c)
{
    struct ofproto *p = c->p;
    const struct flow_mod *fm = c->fm;
    uint8_t table_id = fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id;
    struct classifier *cls = &p->xb.tables[table_id];
    struct table_state *t = &p->tables[table_id];
    struct cls_rule *old_cr = classifier_find(cls, &fm->match, fm->priority, version_of(p));
    struct rule *rule, *old = rule_from_cls(old_cr);

    if (fm->flags & FM_CHECK_OVERLAP && classifier_overlaps(cls, &fm->match, fm->priority, version_of(p))) {
        return OFPERR_OFPFMFC_OVERLAP;
    }
    if (!old && t->n_flows >= t->max_flows && (!(t->evict || t->of_evict) || !evict(p, table_id))) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    c->version = version_of(p) + 1;
    rule = make_rule(p, fm, table_id);
    if (old && !(fm->flags & FM_RESET_COUNTS)) {
        atomic_store(&rule->n_packets, atomic_load(&old->n_packets));
        atomic_store(&rule->n_bytes, atomic_load(&old->n_bytes));
    }
    insert_rule(rule, &fm->match, fm->priority, c->version);
    if (old) {
        cls_rule_hide(&old->cr, c->version);
    }
    publish(p, c->version);
    backer_rule_changed(p->backer, rule); /* The old one has the same match. */
    if (old) {
        drop_rule(old, REMOVED_SILENTLY);
    }
    return OFPERR_NONE;
}

static void
modify_rule(struct rule *rule, const struct flow_mod *fm)
{
    struct rule_actions *old = rcu_get_protected(&rule->actions);

    rcu_set(&rule->actions, make_actions(fm->actions));
    rcu_defer(free, old);
    atomic_store(&rule->modified, clock_now_ms());
    if (fm->modify_cookie && rule->cookie != cpu_to_be64(fm->new_cookie)) {
        unindex_cookie(rule);
        rule->cookie = cpu_to_be64(fm->new_cookie);
        index_cookie(rule);
    }
    if (fm->flags & FM_RESET_COUNTS) {
        atomic_store(&rule->n_packets, 0);
        atomic_store(&rule->n_bytes, 0);
    }
}

static enum ofperr
do_modify(struct change *c)
{
    if (!c->n) {
        return c->fm->add_if_missing ? do_add(c) : OFPERR_NONE;
    }
    for (size_t i = 0; i < c->n; i++) {
        modify_rule(c->rules[i], c->fm);
    }
    publish(c->p, version_of(c->p) + 1);
    rules_changed(c->p, c->rules, c->n);
    return OFPERR_NONE;
}

static enum ofperr
do_delete(struct change *c)
{
    uint64_t version = version_of(c->p) + 1;

    if (!c->n) {
        return OFPERR_NONE;
    }
    for (size_t i = 0; i < c->n; i++) {
        cls_rule_hide(&c->rules[i]->cr, version);
    }
    publish(c->p, version);
    rules_changed(c->p, c->rules, c->n);
    for (size_t i = 0; i < c->n; i++) {
        drop_rule(c->rules[i], REMOVED_DELETE);
    }
    return OFPERR_NONE;
}

static enum ofperr
carry_out(struct change *c)
{
    switch (c->fm->command) {
    case FM_ADD:
        return do_add(c);
    case FM_MODIFY:
        collect_loose(c);
        return do_modify(c);
    case FM_MODIFY_STRICT:
        collect_strict(c);
        return do_modify(c);
    case FM_DELETE:
        collect_loose(c);
        return do_delete(c);
    case FM_DELETE_STRICT:
        collect_strict(c);
        return do_delete(c);
    }
    return OFPERR_OFPFMFC_BAD_COMMAND;
}

enum ofperr
ofproto_flow_mod(struct ofproto *p, const struct flow_mod *fm, struct ofconn *requester)
{
    struct change c = { .p = p, .fm = fm, .requester = requester };
    enum ofperr error;

    if (fm->table_id >= 254 && fm->table_id != FM_TABLE_ANY) {
        return OFPERR_OFPBRC_EPERM;
    }
    pthread_mutex_lock(&p->tables_mutex);
    error = carry_out(&c);
    pthread_mutex_unlock(&p->tables_mutex);
    free(c.rules);
    return error;
}

/* The rule that 'fm' would make, if it is there. */
static struct rule *
find_learned(struct ofproto *p, const struct flow_mod *fm)
{
    struct rule *rule = rule_from_cls(classifier_find(&p->xb.tables[fm->table_id], &fm->match, fm->priority,
                                                      version_of(p)));
    struct act_span acts;

    if (!rule || rule->cookie != cpu_to_be64(fm->new_cookie)) {
        return NULL;
    }
    acts.first = rule_acts_rcu(rule, &acts.len);
    return act_span_equal(acts, fm->actions) ? rule : NULL;
}

void
ofproto_learn(struct ofproto *p, const struct flow_mod *fm)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    enum ofperr error = OFPERR_NONE;
    struct rule *rule;

    pthread_mutex_lock(&p->tables_mutex);
    rule = find_learned(p, fm);
    if (rule) {
        atomic_store(&rule->modified, clock_now_ms());
    } else {
        error = ofproto_flow_mod(p, fm, NULL);
        depend_settle(p->backer->depend); /* The next packet sees it. */
    }
    pthread_mutex_unlock(&p->tables_mutex);
    if (error) {
        log_warn_rl(&limit, "%s: a learned flow was refused (%s)", p->xb.name, ofperr_name(error));
    }
}

void
tables_destroy(struct ofproto *p)
{
    struct flow_mod fm;

    flow_mod_init(&fm);
    fm.command = FM_DELETE;
    (void) !ofproto_flow_mod(p, &fm, NULL); /* A delete of everything cannot fail. */
    send_removed(p);
    loop_wake_uninit(&p->removed_wake);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        classifier_uninit(&p->xb.tables[i]);
        free(p->tables[i].name);
        free(p->tables[i].of_name);
    }
    free(p->xb.tables);
    hmap_uninit(&p->by_cookie);
    pthread_mutex_destroy(&p->tables_mutex);
}

/* Whether the rule's time is up, and why. */
static bool
is_expired(const struct rule *rule, int64_t now, unsigned int *why)
{
    uint16_t hard = atomic_load(&rule->hard_timeout), idle = atomic_load(&rule->idle_timeout);

    if (hard && now >= atomic_load(&rule->modified) + hard * INT64_C(1000)) {
        *why = REMOVED_HARD;
        return true;
    }
    *why = REMOVED_IDLE;
    return idle && now >= atomic_load(&rule->used) + idle * INT64_C(1000);
}

void
rules_expire(struct ofproto *p)
{
    int64_t now = clock_now_ms();
    unsigned int why;

    pthread_mutex_lock(&p->tables_mutex);
    LIST_FOR_EACH_SAFE (rule, struct rule, expirable, &p->expirable) {
        if (is_expired(rule, now, &why)) {
            rule_remove_locked(rule, why);
        }
    }
    pthread_mutex_unlock(&p->tables_mutex);
}

/* What a bridge does before anybody has told it anything: in fail mode standalone it is a learning switch. */
void
tables_set_initial(struct ofproto *p)
{
    struct flow_mod fm;
    struct act_buf acts = ACT_BUF_INIT;
    struct act_output *out;

    if (p->rules_initialised) {
        return;
    }
    p->rules_initialised = true;
    if (p->secure || conns_has_controllers(p->conns)) {
        return;
    }
    flow_mod_init(&fm);
    fm.priority = 0;
    out = act_put(&acts, ACT_OUTPUT, sizeof *out);
    out->port = OFPP_NORMAL;
    fm.actions = act_buf_span(&acts);
    if (ofproto_flow_mod(p, &fm, NULL)) {
        log_err("%s: cannot add the rule of fail mode standalone", p->xb.name);
    }
    act_buf_uninit(&acts);
}

void
ofproto_set_table(struct ofproto *p, uint8_t table_id, const struct ofproto_table_config *c)
{
    struct table_state *t = &p->tables[table_id];

    free(t->name);
    t->name = xstrdup(c->name);
    t->max_flows = c->has_limit ? c->flow_limit : UINT_MAX;
    t->evict = c->evict;
    pthread_mutex_lock(&p->tables_mutex);
    while (t->n_flows > t->max_flows && t->evict && evict(p, table_id)) {
        continue;
    }
    pthread_mutex_unlock(&p->tables_mutex);
}
