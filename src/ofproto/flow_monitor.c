#include "flow/tun_metadata.h"
#include "ofproto/flow_monitor.h"

#include <stdlib.h>

#include "ofproto/change.h"
#include "ofproto/conns_private.h"
#include "ofproto/rule_list.h"

enum { PAUSE_BACKLOG = 128 * 1024 };

struct flow_monitor {
    struct list node; /* In ofconn->monitors. */
    struct monitor_request request;
    uint64_t since; /* Number of the last change before it came. */
};

/* A change that is still to be told. */
struct flow_note {
    struct list node; /* In ofproto->notes. */
    struct rule *rule; /* Referenced. */
    uint64_t number;
    enum monitor_event event;
    uint8_t reason;
    const struct ofconn *requester; /* Null: none, or gone. */
    uint32_t xid; /* Of its request. */
};

void
flow_monitor_note(struct rule *rule, enum monitor_event event, uint8_t reason, const struct ofconn *requester)
{
    struct ofproto *p = rule->ofproto;
    struct flow_note *n;

    if (!p->n_monitors || rule_is_hidden(rule)) {
        return;
    }
    n = xmalloc(sizeof *n);
    *n = (struct flow_note) {
        .rule = rule_ref(rule), .number = ++p->n_noted, .event = event, .reason = reason, .requester = requester,
        .xid = requester ? requester->xid : 0,
    };
    if (event != MONITOR_EV_DELETED) {
        rule->first_note = rule->is_replacement ? rule->first_note : n->number;
        rule->last_note = n->number;
    }
    list_push_back(&p->notes, &n->node);
    atomic_fetch_add(&p->n_untold, 1);
    loop_wake_signal(&p->removed_wake);
}

static struct act_span
actions_of(const struct rule *rule)
{
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);

    return (struct act_span) { len ? acts : NULL, len };
}

static bool
is_watched(const struct monitor_request *r, const struct rule *rule, const struct match *match)
{
    struct act_span acts = actions_of(rule);

    return (r->table_id == FM_TABLE_ANY ? rule->table_id < 254 : r->table_id == rule->table_id) &&
           match_is_inside(match, &r->match) &&
           (r->out_port == OFPP_NONE || act_outputs_to_port(acts, r->out_port)) &&
           (r->out_group == FM_GROUP_ANY || act_outputs_to_group(acts, r->out_group));
}

/* What the connection's monitors together want to know of the event, a change with that number: MONITOR_* flags, 0 for
 * nothing. */
static unsigned int
wanted_flags(const struct ofconn *c, const struct rule *rule, const struct match *match, enum monitor_event event,
             uint64_t number)
{
    unsigned int flag = event == MONITOR_EV_ADDED ? MONITOR_ADD
                        : event == MONITOR_EV_DELETED ? MONITOR_DELETE : MONITOR_MODIFY;
    unsigned int flags = 0;

    LIST_FOR_EACH (m, struct flow_monitor, node, &c->monitors) {
        if (m->request.flags & flag && number > m->since && is_watched(&m->request, rule, match)) {
            flags |= m->request.flags;
        }
    }
    return flags;
}

static void
put_update(struct msg_parts *parts, const struct ofconn *c, const struct rule *rule, const struct match *match,
           enum monitor_event event, uint8_t reason, bool with_actions)
{
    size_t entry = parts->out->len;
    struct monitor_update u = {
        .event = event, .reason = event == MONITOR_EV_DELETED ? reason : 0, .priority = rule->cr.priority,
        .idle_timeout = atomic_load(&rule->idle_timeout), .hard_timeout = atomic_load(&rule->hard_timeout),
        .table_id = rule->table_id, .cookie = be64_to_cpu(rule->cookie), .match = *match,
    };

    tun_match_unbind(xbridge_options_rcu(&rule->ofproto->xb), &u.match);
    if (with_actions) {
        u.actions = actions_of(rule);
    }
    monitor_update_put(parts->out, c->version, &u);
    msg_parts_entry(parts, entry);
}

static void
begin_reply(struct msg_parts *parts, struct bytes *out, enum of_version v, uint32_t xid)
{
    msg_parts_begin_class(parts, out, MSG_FLOW_MONITOR_REPLY, msg_wire_find(MSG_FLOW_MONITOR_REPLY, v)->class, v, xid);
}

/* The updates for one connection, begun when there is one. */
struct updates {
    struct ofconn *c;
    struct bytes out;
    struct msg_parts parts;
    bool begun;
    bool is_of_pause;    /* They precede what the connection is told at the end of a pause. */
};

static size_t
begin_update(struct updates *u)
{
    if (!u->begun) {
        begin_reply(&u->parts, &u->out, u->c->version, 0);
        u->begun = true;
    }
    return u->out.len;
}

static void
put_bare(struct updates *u, enum monitor_event event, uint32_t xid)
{
    struct monitor_update update = { .event = event, .xid = xid };
    size_t entry = begin_update(u);

    monitor_update_put(&u->out, u->c->version, &update);
    msg_parts_entry(&u->parts, entry);
}

static void
end_updates(struct updates *u)
{
    if (u->begun) {
        msg_parts_end(&u->parts);
        u->begun = false;
    }
}

/* Up to 1.3 these are messages of their own. */
static void
put_pause(struct updates *u, bool pause)
{
    if (u->c->version >= OF14) {
        put_bare(u, pause ? MONITOR_EV_PAUSED : MONITOR_EV_RESUMED, 0);
    } else {
        end_updates(u);
        msg_put_simple(&u->out, pause ? MSG_FLOW_MONITOR_PAUSED : MSG_FLOW_MONITOR_RESUMED, u->c->version, 0, NULL, 0);
    }
}

static void
send_updates(struct updates *u)
{
    end_updates(u);
    if (u->c->job && !u->is_of_pause) {
        bytes_put(&u->c->held_updates, u->out.data, u->out.len);
        bytes_uninit(&u->out);
    } else {
        ofconn_send(u->c, &u->out);
    }
    u->out = (struct bytes) BYTES_INIT;
}

/* During a pause only the end of flows is told that the peer knows of. */
static bool
is_untold(const struct updates *u, const struct flow_note *n)
{
    uint64_t paused_at = u->is_of_pause ? u->c->resumed_from : u->c->paused_at;

    return (u->is_of_pause || u->c->monitors_paused) &&
           (n->event != MONITOR_EV_DELETED || n->rule->first_note > paused_at);
}

/* Own changes are told in short, unless they are wanted in full. */
static void
put_note(struct updates *u, const struct flow_note *n)
{
    struct ofconn *c = u->c;
    struct match match;
    unsigned int flags;

    cls_rule_get_match(&n->rule->cr, &match);
    flags = wanted_flags(c, n->rule, &match, n->event, n->number);
    if (!flags) {
        return;
    }
    if (n->requester == c && !(flags & MONITOR_OWN) && !u->is_of_pause && !c->monitors_paused) {
        if (!c->any_short || n->xid != c->last_short) {
            put_bare(u, MONITOR_EV_ABBREV, n->xid);
        }
        c->any_short = true;
        c->last_short = n->xid;
    } else {
        begin_update(u);
        put_update(&u->parts, c, n->rule, &match, n->event, n->reason, flags & MONITOR_ACTIONS);
    }
}

static void
pause_if_slow(struct updates *u, uint64_t number)
{
    struct ofconn *c = u->c;

    if (!c->monitors_paused && ofconn_backlog(c) + u->out.len > PAUSE_BACKLOG) {
        put_pause(u, true);
        c->monitors_paused = true;
        c->paused_at = number - 1;
    }
}

/* Tells one connection of one note, if it concerns it. */
static void
tell(struct updates *u, const struct flow_note *n)
{
    if (u->is_of_pause && n->number > u->c->resumed_until) {
        send_updates(u);
        u->is_of_pause = false;
    }
    if (!u->is_of_pause) {
        pause_if_slow(u, n->number);
    }
    if (!is_untold(u, n)) {
        put_note(u, n);
    }
}

/* Those for each connection that has monitors. */
static struct updates *
begin_all(const struct ofproto *p, size_t *n)
{
    struct updates *all;

    *n = 0;
    if (!p->conns) {
        return NULL;
    }
    all = xcalloc(MAX(list_size(&p->conns->ofconns), 1), sizeof *all);
    LIST_FOR_EACH (c, struct ofconn, node, &p->conns->ofconns) {
        if (!list_is_empty(&c->monitors)) {
            all[(*n)++] = (struct updates) { .c = c, .is_of_pause = p->n_told < c->resumed_until };
        }
    }
    return all;
}

static void
send_all(struct updates *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        send_updates(&all[i]);
        if (all[i].c->monitors_paused) {
            of_conn_ask_drained(all[i].c->transport);
        }
    }
    free(all);
}

void
flow_monitors_begin_round(struct ofproto *p)
{
    if (p->conns) {
        LIST_FOR_EACH (c, struct ofconn, node, &p->conns->ofconns) {
            c->any_short = false;
        }
    }
}

bool
flow_monitors_tell(struct ofproto *p, struct list *notes, struct loop_slice *slice)
{
    struct updates *all;
    size_t n_all;

    if (list_is_empty(notes)) {
        return true;
    }
    all = begin_all(p, &n_all);
    while (!list_is_empty(notes) && !loop_slice_is_over(slice)) {
        struct flow_note *n = CONTAINER_OF(list_pop_front(notes), struct flow_note, node);

        for (size_t i = 0; i < n_all; i++) {
            tell(&all[i], n);
        }
        p->n_told = n->number;
        rule_unref(n->rule);
        free(n);
        atomic_fetch_sub(&p->n_untold, 1);
    }
    send_all(all, n_all);
    return list_is_empty(notes);
}

/* The end of a pause: what has been added and modified since it began. */
struct resume_job {
    struct ofconn_job job;
    struct updates updates;
    struct rule_list rules;  /* That were there at its end. */
};

/* What the rules are that a later change has made is told with that change. */
static void
put_if_changed(struct updates *u, const struct rule *rule)
{
    const struct ofconn *c = u->c;
    bool is_new = rule->first_note > c->resumed_from;
    enum monitor_event event = is_new || !rule->is_modified ? MONITOR_EV_ADDED : MONITOR_EV_MODIFIED;
    struct match match;
    unsigned int flags;

    if (rule->last_note <= c->resumed_from || rule->last_note > c->resumed_until) {
        return;
    }
    cls_rule_get_match(&rule->cr, &match);
    flags = wanted_flags(c, rule, &match, event, rule->last_note);
    if (flags) {
        begin_update(u);
        put_update(&u->parts, c, rule, &match, event, 0, flags & MONITOR_ACTIONS);
    }
}

static void
put_some(struct resume_job *r)
{
    struct ofproto *p = r->updates.c->ofproto;
    struct rule *rule;

    pthread_mutex_lock(&p->tables_mutex); /* For the numbers. */
    for (int i = 0; i < RULES_A_STEP && (rule = rule_list_next(&r->rules)) != NULL; i++) {
        put_if_changed(&r->updates, rule);
        rule_unref(rule);
    }
    pthread_mutex_unlock(&p->tables_mutex);
}

static bool
step_resume(struct ofconn_job *job, struct bytes *out)
{
    struct resume_job *r = CONTAINER_OF(job, struct resume_job, job);
    struct updates *u = &r->updates;

    if (u->c->ofproto->n_told < u->c->resumed_until) {
        return false; /* The deletions of the pause come before. */
    }
    if (!rule_list_more(&r->rules)) {
        put_pause(u, false);
        end_updates(u);
        bytes_put(out, u->out.data, u->out.len);
        return true;
    }
    put_some(r);
    if (u->begun) {
        msg_parts_take_complete(&u->parts, out);
    }
    return false;
}

static void
destroy_resume(struct ofconn_job *job)
{
    struct resume_job *r = CONTAINER_OF(job, struct resume_job, job);

    r->updates.c->resumed_from = r->updates.c->resumed_until = 0;
    rule_list_uninit(&r->rules);
    bytes_uninit(&r->updates.out);
    free(r);
}

/* A change can be seen, of which not all has been noted. */
static bool
is_change_being_noted(struct ofproto *p)
{
    bool is;

    pthread_mutex_lock(&p->tables_mutex);
    is = p->long_change && p->long_change->is_published;
    pthread_mutex_unlock(&p->tables_mutex);
    return is;
}

void
flow_monitors_resume(struct ofconn *c)
{
    struct ofproto *p = c->ofproto;
    struct resume_job *r;

    if (!c->monitors_paused) {
        return;
    }
    if (is_change_being_noted(p)) { /* The rules that are there and the notes would not agree. */
        of_conn_ask_drained(c->transport);
        return;
    }
    r = xzalloc(sizeof *r);
    r->job = (struct ofconn_job) { step_resume, destroy_resume };
    r->updates.c = c;
    pthread_mutex_lock(&p->tables_mutex);
    rule_list_begin(&r->rules, p, FM_TABLE_ANY, NULL);
    c->resumed_from = c->paused_at;
    c->resumed_until = p->n_noted;
    pthread_mutex_unlock(&p->tables_mutex);
    c->monitors_paused = false;
    ofconn_start_job(c, &r->job);
}

/* Requests. */

static struct flow_monitor *
find(const struct ofconn *c, uint32_t id)
{
    LIST_FOR_EACH (m, struct flow_monitor, node, &c->monitors) {
        if (m->request.id == id) {
            return m;
        }
    }
    return NULL;
}

static void
remove_monitor(struct ofconn *c, struct flow_monitor *m)
{
    pthread_mutex_lock(&c->ofproto->tables_mutex);
    c->ofproto->n_monitors--;
    pthread_mutex_unlock(&c->ofproto->tables_mutex);
    list_remove(&m->node);
    free(m);
}

static void
forget_requester(struct list *notes, const struct ofconn *c)
{
    LIST_FOR_EACH (n, struct flow_note, node, notes) {
        n->requester = n->requester == c ? NULL : n->requester;
    }
}

void
flow_monitors_destroy(struct ofconn *c)
{
    struct ofproto *p = c->ofproto;

    LIST_FOR_EACH_SAFE (m, struct flow_monitor, node, &c->monitors) {
        remove_monitor(c, m);
    }
    pthread_mutex_lock(&p->tables_mutex);
    forget_requester(&p->notes, c);
    pthread_mutex_unlock(&p->tables_mutex);
    forget_requester(&p->telling.notes, c);
}

static enum ofperr
add_monitor(struct ofconn *c, const struct monitor_request *r)
{
    struct flow_monitor *m;

    if (find(c, r->id)) {
        return OFPERR_OFPMOFC_MONITOR_EXISTS;
    }
    if (r->table_id >= 254 && r->table_id != FM_TABLE_ANY) {
        return OFPERR_OFPBRC_BAD_TABLE_ID;
    }
    m = xmalloc(sizeof *m);
    m->request = *r;
    list_push_back(&c->monitors, &m->node);
    pthread_mutex_lock(&c->ofproto->tables_mutex);
    m->since = c->ofproto->n_noted;
    c->ofproto->n_monitors++;
    pthread_mutex_unlock(&c->ofproto->tables_mutex);
    return OFPERR_NONE;
}

static enum ofperr
take_request(struct ofconn *c, const struct monitor_request *r)
{
    struct flow_monitor *old = find(c, r->id);

    if (r->command == MONITOR_CMD_ADD) {
        return add_monitor(c, r);
    }
    if (!old) {
        return OFPERR_OFPMOFC_UNKNOWN_MONITOR;
    }
    if (r->command == MONITOR_CMD_MODIFY) {
        old->request = *r;
    } else {
        remove_monitor(c, old);
    }
    return OFPERR_NONE;
}

/* The flows that are there already, for the monitors of one request. */
struct initial_job {
    struct ofconn_job job;
    struct ofconn *c;
    struct monitor_request *requests; /* Owned. */
    size_t n;
    struct rule_list rules;
    struct bytes building;
    struct msg_parts parts;
};

static void
put_initial(struct initial_job *i, struct rule *rule)
{
    unsigned int flags = 0;
    struct match match;

    cls_rule_get_match(&rule->cr, &match);
    for (size_t k = 0; k < i->n; k++) {
        const struct monitor_request *r = &i->requests[k];

        if (r->command != MONITOR_CMD_DELETE && r->flags & MONITOR_INITIAL && is_watched(r, rule, &match)) {
            flags |= r->flags;
        }
    }
    if (flags) {
        put_update(&i->parts, i->c, rule, &match, i->c->version >= OF14 ? MONITOR_EV_INITIAL : MONITOR_EV_ADDED, 0,
                   flags & MONITOR_ACTIONS);
    }
}

static bool
step_initial(struct ofconn_job *job, struct bytes *out)
{
    struct initial_job *i = CONTAINER_OF(job, struct initial_job, job);
    struct rule *rule;

    if (!rule_list_more(&i->rules)) {
        msg_parts_end(&i->parts);
        bytes_put(out, i->building.data, i->building.len);
        return true;
    }
    for (int k = 0; k < RULES_A_STEP && (rule = rule_list_next(&i->rules)) != NULL; k++) {
        put_initial(i, rule);
        rule_unref(rule);
    }
    msg_parts_take_complete(&i->parts, out);
    return false;
}

static void
destroy_initial(struct ofconn_job *job)
{
    struct initial_job *i = CONTAINER_OF(job, struct initial_job, job);

    rule_list_uninit(&i->rules);
    bytes_uninit(&i->building);
    free(i->requests);
    free(i);
}

static bool
wants_initial(const struct monitor_request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (requests[i].command != MONITOR_CMD_DELETE && requests[i].flags & MONITOR_INITIAL) {
            return true;
        }
    }
    return false;
}

/* Takes over 'requests'. */
static void
start_initial(struct ofconn *c, struct monitor_request *requests, size_t n, uint32_t xid)
{
    struct initial_job *i = xzalloc(sizeof *i);

    i->job = (struct ofconn_job) { step_initial, destroy_initial };
    i->c = c;
    i->requests = requests;
    i->n = n;
    begin_reply(&i->parts, &i->building, c->version, xid);
    if (wants_initial(requests, n)) {
        rule_list_begin(&i->rules, c->ofproto, FM_TABLE_ANY, NULL);
    }
    ofconn_start_job(c, &i->job);
}

/* Removes again what the first 'n' requests added. */
static void
undo(struct ofconn *c, const struct monitor_request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct flow_monitor *m = requests[i].command == MONITOR_CMD_ADD ? find(c, requests[i].id) : NULL;

        if (m) {
            remove_monitor(c, m);
        }
    }
}

enum ofperr
handle_flow_monitor(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct monitor_request *requests = NULL;
    struct cursor body = m->body;
    size_t n = 0, capacity = 0;
    enum ofperr error = OFPERR_NONE;

    while (body.left && !error) {
        if (n == capacity) {
            requests = x2nrealloc(requests, &capacity, sizeof *requests);
        }
        error = monitor_request_take(&body, m, &requests[n], NULL);
        error = error ? error : options_bind_match(c->ofproto, &requests[n].match);
        error = error ? error : take_request(c, &requests[n]);
        n += !error;
    }
    if (error) {
        undo(c, requests, n);
        free(requests);
    } else {
        start_initial(c, requests, n, m->xid);
    }
    return error;
}

enum ofperr
handle_flow_monitor_cancel(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct flow_monitor *monitor;
    uint32_t id;
    enum ofperr error = monitor_cancel_decode(m, &id);

    if (error) {
        return error;
    }
    monitor = find(c, id);
    if (!monitor) {
        return OFPERR_OFPMOFC_UNKNOWN_MONITOR;
    }
    remove_monitor(c, monitor);
    return OFPERR_NONE;
}
