#include "ofproto/flow_monitor.h"

#include <stdlib.h>

#include "ofproto/conns_private.h"

struct flow_monitor {
    struct list node; /* In ofconn->monitors. */
    struct monitor_request request;
};

/* A change that is still to be told. */
struct flow_note {
    struct list node; /* In ofproto->notes. */
    struct rule *rule; /* Referenced. */
    struct match match;
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
        .rule = rule_ref(rule), .event = event, .reason = reason, .requester = requester,
        .xid = requester ? requester->xid : 0,
    };
    cls_rule_get_match(&rule->cr, &n->match);
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
wanted_flags(const struct ofconn *c, const struct flow_note *n)
{
    unsigned int event = n->event == MONITOR_EV_ADDED ? MONITOR_ADD
                         : n->event == MONITOR_EV_DELETED ? MONITOR_DELETE : MONITOR_MODIFY;
    unsigned int flags = 0;

    LIST_FOR_EACH (m, struct flow_monitor, node, &c->monitors) {
        if (m->request.flags & event && is_watched(&m->request, n->rule, &n->match)) {
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

/* Tells one connection all notes that concern it: its own changes in short, unless it wants them in full. */
static void
tell(struct ofconn *c, struct list *notes)
{
    struct bytes out = BYTES_INIT;
    struct msg_parts parts;
    uint32_t last_short = 0;
    bool any = false, any_short = false;

    LIST_FOR_EACH (n, struct flow_note, node, notes) {
        unsigned int flags = wanted_flags(c, n);

        if (!flags) {
            continue;
        }
        if (!any) {
            begin_reply(&parts, &out, c->version, 0);
            any = true;
        }
        if (n->requester == c && !(flags & MONITOR_OWN)) {
            size_t entry = out.len;
            struct monitor_update u = { .event = MONITOR_EV_ABBREV, .xid = n->xid };

            if (!any_short || n->xid != last_short) {
                monitor_update_put(&out, c->version, &u);
                msg_parts_entry(&parts, entry);
            }
            any_short = true;
            last_short = n->xid;
        } else {
            put_update(&parts, c, n->rule, &n->match, n->event, n->reason, flags & MONITOR_ACTIONS);
        }
    }
    if (any) {
        msg_parts_end(&parts);
        ofconn_send(c, &out);
    }
    bytes_uninit(&out);
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

/* The flows that are there already, for the monitors made since 'first'. */
struct initial {
    struct ofconn *c;
    const struct monitor_request *requests;
    size_t n;
    struct msg_parts parts;
};

static void
put_initial(void *i_, struct cls_rule *cr)
{
    struct initial *i = i_;
    struct rule *rule = rule_from_cls(cr);
    unsigned int flags = 0;
    struct match match;

    cls_rule_get_match(cr, &match);
    for (size_t k = 0; k < i->n; k++) {
        const struct monitor_request *r = &i->requests[k];

        if (r->command != MONITOR_CMD_DELETE && r->flags & MONITOR_INITIAL && is_watched(r, rule, &match)) {
            flags |= r->flags;
        }
    }
    if (flags && !rule_is_hidden(rule)) {
        put_update(&i->parts, i->c, rule, &match, i->c->version >= OF14 ? MONITOR_EV_INITIAL : MONITOR_EV_ADDED, 0,
                   flags & MONITOR_ACTIONS);
    }
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

static void
send_initial(struct ofconn *c, const struct monitor_request *requests, size_t n, uint32_t xid, struct bytes *out)
{
    struct initial i = { .c = c, .requests = requests, .n = n };
    struct ofproto *p = c->ofproto;

    begin_reply(&i.parts, out, c->version, xid);
    pthread_mutex_lock(&p->tables_mutex);
    for (unsigned int t = 0; t < 254; t++) {
        classifier_for_each(&p->xb.tables[t], NULL, atomic_load(&p->xb.tables_version), put_initial, &i);
    }
    pthread_mutex_unlock(&p->tables_mutex);
    msg_parts_end(&i.parts);
}

enum ofperr
handle_flow_monitor(struct ofconn *c, const struct msg *m, struct bytes *out)
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
        error = error ? error : take_request(c, &requests[n]);
        n += !error;
    }
    if (error) {
        undo(c, requests, n);
    } else {
        send_initial(c, requests, n, m->xid, out);
    }
    free(requests);
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
