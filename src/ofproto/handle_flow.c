/* Requests about flows. */
#include <stdlib.h>

#include "ofproto/ofconn.h"
#include "openflow/msg/flow.h"

/* Checks what only the switch can check: the actions against the match. */
static enum ofperr
check_flow_mod(struct ofconn *c, struct flow_mod *fm, struct act_buf *acts)
{
    struct match match = fm->match;
    struct act_check check = {
        .match = &match, .protocols = PROTO_ANY, .max_ports = OFPP_MAX,
        .table = fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id, .n_tables = 254,
    };

    if (fm->flags & FM_EMERGENCY && c->version == OF10) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    if (fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT) {
        return OFPERR_NONE;
    }
    if (match.mask.dp_hash || match.mask.recirc_id) {
        return OFPERR_OFPBRC_EPERM; /* The switch's own means of recirculation. */
    }
    return act_check(acts, &check);
}

enum ofperr
flow_mod_prepare(struct ofconn *c, const struct msg *m, struct flow_mod *fm, struct act_buf *acts)
{
    bool has_table_id = c->protocol & (PROTO_OF10_TID | PROTO_NXM_TID);
    enum ofperr error = flow_mod_decode_into(m, has_table_id, fm, acts);

    if (!error) {
        error = check_flow_mod(c, fm, acts);
        fm->actions = act_buf_span(acts);
    }
    return error;
}

enum ofperr
handle_flow_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static struct act_buf acts = ACT_BUF_INIT; /* Kept: flow-mods come by the hundred thousand. */
    struct flow_mod fm;
    enum ofperr error = flow_mod_prepare(c, m, &fm, &acts);

    return error ? error : ofproto_flow_mod(c->ofproto, &fm, c);
}

/* Flow and aggregate statistics. */

struct flow_walk {
    const struct flow_request *request;
    const struct msg *m;
    struct bytes *out;
    struct msg_parts parts;
    enum msg_class parts_class;
    struct aggregate_stats sum;
    int64_t now;
};

static bool
is_wanted(const struct flow_walk *w, const struct rule *rule)
{
    const struct flow_request *r = w->request;
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);
    struct act_span span = { len ? acts : NULL, len };

    return !rule_is_hidden(rule) && !((be64_to_cpu(rule->cookie) ^ r->cookie) & r->cookie_mask) &&
           (r->out_port == OFPP_NONE || act_outputs_to_port(span, r->out_port)) &&
           (r->out_group == FM_GROUP_ANY || act_outputs_to_group(span, r->out_group));
}

static void
put_flow(void *w_, struct cls_rule *cr)
{
    struct flow_walk *w = w_;
    struct rule *rule = rule_from_cls(cr);
    int64_t age = w->now - rule->created;
    size_t entry = w->out->len, len;
    struct flow_stats fs;
    const struct act *acts;

    if (!is_wanted(w, rule)) {
        return;
    }
    acts = rule_acts_rcu(rule, &len);
    cls_rule_get_match(cr, &fs.match);
    fs.cookie = be64_to_cpu(rule->cookie);
    fs.table_id = rule->table_id;
    fs.priority = cr->priority;
    fs.idle_timeout = atomic_load(&rule->idle_timeout);
    fs.hard_timeout = atomic_load(&rule->hard_timeout);
    fs.importance = rule->importance;
    fs.duration_sec = age / 1000;
    fs.duration_nsec = age % 1000 * 1000000;
    fs.idle_age = (w->now - atomic_load(&rule->used)) / 1000;
    fs.hard_age = (w->now - atomic_load(&rule->modified)) / 1000;
    fs.n_packets = atomic_load(&rule->n_packets);
    fs.n_bytes = atomic_load(&rule->n_bytes);
    fs.flags = rule->flags;
    fs.actions = (struct act_span) { len ? acts : NULL, len };
    flow_stats_put(w->out, w->parts_class, w->m->version, &fs);
    msg_parts_entry(&w->parts, entry);
}

static void
add_flow(void *w_, struct cls_rule *cr)
{
    struct flow_walk *w = w_;
    struct rule *rule = rule_from_cls(cr);

    if (is_wanted(w, rule)) {
        w->sum.n_packets += atomic_load(&rule->n_packets);
        w->sum.n_bytes += atomic_load(&rule->n_bytes);
        w->sum.n_flows++;
    }
}

static void
walk_flows(struct ofproto *p, struct flow_walk *w, void (*cb)(void *, struct cls_rule *))
{
    unsigned int first = w->request->table_id, last = first;
    uint64_t version = atomic_load(&p->xb.tables_version);

    if (first == 255) {
        first = 0;
        last = 253;
    }
    w->now = clock_now_ms();
    pthread_mutex_lock(&p->tables_mutex);
    for (unsigned int i = first; i <= last; i++) {
        if (p->xb.tables[i].n_rules) {
            classifier_for_each(&p->xb.tables[i], &w->request->match, version, cb, w);
        }
    }
    pthread_mutex_unlock(&p->tables_mutex);
}

enum ofperr
handle_flow_stats(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct flow_request request;
    struct flow_walk w = { .request = &request, .m = m, .out = out };
    enum ofperr error = flow_request_decode(m, &request);

    if (error) {
        return error;
    }
    w.parts_class = m->wire->class == CLASS_NXST_REQUEST ? CLASS_NXST_REPLY : CLASS_OFPST_REPLY;
    msg_parts_begin(&w.parts, out, MSG_FLOW_REPLY, m);
    walk_flows(c->ofproto, &w, put_flow);
    msg_parts_end(&w.parts);
    return OFPERR_NONE;
}

enum ofperr
handle_aggregate(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct flow_request request;
    struct flow_walk w = { .request = &request, .m = m };
    enum ofperr error = flow_request_decode(m, &request);

    if (error) {
        return error;
    }
    walk_flows(c->ofproto, &w, add_flow);
    aggregate_stats_encode(out, m, &w.sum);
    return OFPERR_NONE;
}
