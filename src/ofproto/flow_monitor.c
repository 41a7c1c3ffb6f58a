#include "flow/tun_metadata.h"
#include "ofproto/flow_monitor.h"

#include <stdlib.h>

#include "ofproto/conns_private.h"
#include "ofproto/rule_list.h"

enum { PAUSE_BACKLOG = 128 * 1024 };

struct flow_monitor {
    struct list node; /* In ofconn->monitors. */
    struct monitor_request request;
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

/* What the connection's monitors together want to know of the event: MONITOR_* flags, 0 for nothing. */
static unsigned int
wanted_flags(const struct ofconn *c, const struct rule *rule, const struct match *match, enum monitor_event event)
{
    unsigned int flag = event == MONITOR_EV_ADDED ? MONITOR_ADD
                        : event == MONITOR_EV_DELETED ? MONITOR_DELETE : MONITOR_MODIFY;
    unsigned int flags = 0;

    LIST_FOR_EACH (m, struct flow_monitor, node, &c->monitors) {
        if (m->request.flags & flag && is_watched(&m->request, rule, match)) {
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
    bool any_short;      /* 'last_short' is the request that was last told of in short. */
    uint32_t last_short;
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
    if (u->c->job) {
        bytes_put(&u->c->held_updates, u->out.data, u->out.len);
    } else {
        ofconn_send(u->c, &u->out);
    }
    bytes_uninit(&u->out);
}

/* During a pause only the end of flows is told that the peer knows of. */
static bool
is_untold(const struct ofconn *c, const struct flow_note *n)
{
    return c->monitors_paused && (n->event != MONITOR_EV_DELETED || n->rule->first_note > c->paused_at);
}

/* Own changes are told in short, unless they are wanted in full. */
static void
tell_one(struct updates *u, const struct flow_note *n)
{
    struct match match;
    unsigned int flags;

    cls_rule_get_match(&n->rule->cr, &match);
    flags = wanted_flags(u->c, n->rule, &match, n->event);
    if (!flags) {
        return;
    }
    if (n->requester == u->c && !(flags & MONITOR_OWN) && !u->c->monitors_paused) {
        if (!u->any_short || n->xid != u->last_short) {
            put_bare(u, MONITOR_EV_ABBREV, n->xid);
        }
        u->any_short = true;
        u->last_short = n->xid;
    } else {
        begin_update(u);
        put_update(&u->parts, u->c, n->rule, &match, n->event, n->reason, flags & MONITOR_ACTIONS);
    }
}

/* Tells one connection all notes that concern it. */
static void
tell(struct ofconn *c, const struct list *notes)
{
    struct updates u = { .c = c };

    LIST_FOR_EACH (n, struct flow_note, node, notes) {
        if (!c->monitors_paused && ofconn_backlog(c) + u.out.len > PAUSE_BACKLOG) {
            put_pause(&u, true);
            c->monitors_paused = true;
            c->paused_at = n->number - 1;
        }
        if (!is_untold(c, n)) {
            tell_one(&u, n);
        }
    }
    send_updates(&u);
    if (c->monitors_paused) {
        of_conn_ask_drained(c->transport);
    }
}

static void
put_if_changed(void *u_, struct cls_rule *cr)
{
    struct updates *u = u_;
    struct rule *rule = rule_from_cls(cr);
    enum monitor_event event = rule->first_note > u->c->paused_at || !rule->is_modified ? MONITOR_EV_ADDED
                               : MONITOR_EV_MODIFIED;
    struct match match;
    unsigned int flags;

    if (rule->last_note <= u->c->paused_at || rule_is_hidden(rule)) {
        return;
    }
    cls_rule_get_match(cr, &match);
    flags = wanted_flags(u->c, rule, &match, event);
    if (flags) {
        begin_update(u);
        put_update(&u->parts, u->c, rule, &match, event, 0, flags & MONITOR_ACTIONS);
    }
}

void
flow_monitors_resume(struct ofconn *c)
{
    struct ofproto *p = c->ofproto;
    struct updates u = { .c = c };

    if (!c->monitors_paused) {
        return;
    }
    flow_monitors_flush(p);
    pthread_mutex_lock(&p->tables_mutex);
    for (unsigned int t = 0; t < 254; t++) {
        classifier_for_each(&p->xb.tables[t], NULL, atomic_load(&p->xb.tables_version), put_if_changed, &u);
    }
    pthread_mutex_unlock(&p->tables_mutex);
    put_pause(&u, false);
    c->monitors_paused = false;
    send_updates(&u);
}

void
flow_monitors_flush(struct ofproto *p)
{
    struct list notes;

    list_init(&notes);
    pthread_mutex_lock(&p->tables_mutex);
    list_splice(&notes, &p->notes);
    pthread_mutex_unlock(&p->tables_mutex);
    if (list_is_empty(&notes)) {
        return;
    }
    if (p->conns) {
        LIST_FOR_EACH (c, struct ofconn, node, &p->conns->ofconns) {
            if (!list_is_empty(&c->monitors)) {
                tell(c, &notes);
            }
        }
    }
    LIST_FOR_EACH_SAFE (n, struct flow_note, node, &notes) {
        rule_unref(n->rule);
        free(n);
    }
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

void
flow_monitors_destroy(struct ofconn *c)
{
    struct ofproto *p = c->ofproto;

    LIST_FOR_EACH_SAFE (m, struct flow_monitor, node, &c->monitors) {
        remove_monitor(c, m);
    }
    pthread_mutex_lock(&p->tables_mutex);
    LIST_FOR_EACH (n, struct flow_note, node, &p->notes) {
        n->requester = n->requester == c ? NULL : n->requester;
    }
    pthread_mutex_unlock(&p->tables_mutex);
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

    flow_monitors_flush(c->ofproto); /* What has been before is in the initial flows. */
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
