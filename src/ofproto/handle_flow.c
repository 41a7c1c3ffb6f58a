/* Requests about flows. */
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/change_request.h"
#include "ofproto/credits.h"
#include "ofproto/ofconn.h"
#include "ofproto/rule_list.h"
#include "openflow/msg/flow.h"

enum ofperr
flow_mod_check(struct ofconn *c, struct flow_mod *fm, struct act_buf *acts, bool check_options)
{
    struct match match = fm->match;
    struct act_check check = {
        .match = &match, .protocols = c->protocol, .max_ports = OFPP_MAX,
        .table = fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id,
        .check_options = check_options, .options = xbridge_options_rcu(&c->ofproto->xb),
    };
    enum ofperr error;

    if (fm->flags & FM_EMERGENCY && c->version == OF10) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    if (fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT) {
        return OFPERR_NONE;
    }
    if (match.mask.dp_hash || match.flow.recirc_id) {
        return OFPERR_OFPBRC_EPERM; /* The switch's own means of recirculation. */
    }
    error = act_check(acts, &check);
    fm->used_options = check.used_options;
    return error;
}

enum ofperr
flow_mod_prepare(struct ofconn *c, const struct msg *m, struct flow_mod *fm, struct act_buf *acts)
{
    bool has_table_id = c->protocol & (PROTO_OF10_TID | PROTO_NXM_TID);
    enum ofperr error = flow_mod_decode_into(m, has_table_id, fm, acts);

    if (!error) {
        error = options_bind_match(c->ofproto, &fm->match);
        fm->actions = act_buf_span(acts);
    }
    error = error ? error : flow_mod_check(c, fm, acts, true);
    return error;
}

/* A flow-mod has been carried out for 'c' (null: gone).  What is wrong with it all the same: no packet is ever buffered
 * that it could be applied to. */
static enum ofperr
carried_out(struct ofconn *c, const struct flow_mod *fm)
{
    bool is_delete = fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT;

    if (c) {
        flow_mod_log_add_one(c, fm->command);
    }
    return is_delete || fm->buffer_id == BUFFER_NONE ? OFPERR_NONE : OFPERR_OFPBRC_BUFFER_UNKNOWN;
}

/* A flow-mod that searches. */
struct search_request {
    struct change_request r;
    struct bytes message;
    struct flow_mod fm;
    struct act_buf acts;
    struct flow_mod_run run;
};

static bool
stage_search(struct change_request *r, struct loop_slice *slice, enum ofperr *error)
{
    struct search_request *s = CONTAINER_OF(r, struct search_request, r);
    bool done = flow_mod_run_step(&s->run, slice);

    *error = s->run.error;
    return done;
}

static void
answer_search(struct change_request *r, enum ofperr error)
{
    const struct search_request *s = CONTAINER_OF(r, struct search_request, r);
    struct msg m;

    error = error ? error : carried_out(r->c, &s->fm);
    if (error && !msg_decode(s->message.data, s->message.len, &m)) {
        ofconn_refuse(r->as, &m, error, &r->out);
    }
}

static void
destroy_search(struct change_request *r)
{
    struct search_request *s = CONTAINER_OF(r, struct search_request, r);

    flow_mod_run_end(&s->run);
    act_buf_uninit(&s->acts);
    bytes_uninit(&s->message);
    free(s);
}

static const struct change_request_ops search_ops = { stage_search, NULL, answer_search, destroy_search };

static enum ofperr
search_and_change(struct ofconn *c, const struct msg *m, const struct flow_mod *fm)
{
    struct search_request *s = xzalloc(sizeof *s);
    enum ofperr error;

    change_request_begin(&s->r, &search_ops, c);
    bytes_put(&s->message, m->data, m->len);
    act_buf_init(&s->acts);
    act_put_span(&s->acts, fm->actions);
    s->fm = *fm;
    s->fm.actions = act_buf_span(&s->acts);
    flow_mod_run_begin(&s->run, &s->r.change, &s->fm);
    if (!change_request_run(&s->r)) {
        return OFPERR_NONE; /* It answers later. */
    }
    error = s->r.error ? s->r.error : carried_out(c, &s->fm);
    change_request_destroy(&s->r);
    return error;
}

enum ofperr
handle_flow_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static struct act_buf acts = ACT_BUF_INIT; /* Kept: flow-mods come by the hundred thousand. */
    struct flow_mod fm;
    enum ofperr error = flow_mod_prepare(c, m, &fm, &acts);

    if (error) {
        return error;
    }
    if (fm.command == FM_MODIFY || fm.command == FM_DELETE) {
        return search_and_change(c, m, &fm);
    }
    error = ofproto_flow_mod(c->ofproto, &fm, c);
    return error ? error : carried_out(c, &fm);
}

/* Flow and aggregate statistics. */

static bool
is_wanted(const struct flow_request *r, const struct rule *rule)
{
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);
    struct act_span span = { len ? acts : NULL, len };

    return !((be64_to_cpu(rule->cookie) ^ r->cookie) & r->cookie_mask) &&
           (r->out_port == OFPP_NONE || act_outputs_to_port(span, r->out_port)) &&
           (r->out_group == FM_GROUP_ANY || act_outputs_to_group(span, r->out_group));
}

struct flow_job {
    struct ofconn_job job;
    struct flow_request request;
    struct rule_list rules;
    enum of_version version;
    enum msg_class class;
    struct bytes building; /* The message that is not full yet. */
    struct msg_parts parts;
};

static void
put_flow(struct flow_job *j, const struct rule *rule, int64_t now)
{
    const struct rule *counts = rule_counts_in_rcu(rule); /* It may have been modified since it was found. */
    int64_t age = now - rule->created;
    size_t entry = j->building.len, len;
    const struct act *acts = rule_acts_rcu(rule, &len);
    struct flow_stats fs;

    cls_rule_get_match(&rule->cr, &fs.match);
    tun_match_unbind(xbridge_options_rcu(&rule->ofproto->xb), &fs.match);
    fs.cookie = be64_to_cpu(rule->cookie);
    fs.table_id = rule->table_id;
    fs.priority = rule->cr.priority;
    fs.idle_timeout = atomic_load(&rule->idle_timeout);
    fs.hard_timeout = atomic_load(&rule->hard_timeout);
    fs.importance = rule->importance;
    fs.duration_sec = age / 1000;
    fs.duration_nsec = age % 1000 * 1000000;
    fs.idle_age = (now - atomic_load(&rule->used)) / 1000;
    fs.hard_age = (now - atomic_load(&rule->modified)) / 1000;
    fs.n_packets = atomic_load(&counts->n_packets);
    fs.n_bytes = atomic_load(&counts->n_bytes);
    fs.flags = rule->flags;
    fs.actions = (struct act_span) { len ? acts : NULL, len };
    flow_stats_put(&j->building, j->class, j->version, &fs);
    msg_parts_entry(&j->parts, entry);
}

static bool
step_flows(struct ofconn_job *job, struct bytes *out)
{
    struct flow_job *j = CONTAINER_OF(job, struct flow_job, job);
    int64_t now = clock_now_ms();
    struct rule *rule;

    if (!rule_list_more(&j->rules)) {
        msg_parts_end(&j->parts);
        bytes_put(out, j->building.data, j->building.len);
        return true;
    }
    for (int i = 0; i < RULES_A_STEP && (rule = rule_list_next(&j->rules)) != NULL; i++) {
        if (is_wanted(&j->request, rule)) {
            put_flow(j, rule, now);
        }
        rule_unref(rule);
    }
    msg_parts_take_complete(&j->parts, out);
    return false;
}

static void
destroy_flows(struct ofconn_job *job)
{
    struct flow_job *j = CONTAINER_OF(job, struct flow_job, job);

    rule_list_uninit(&j->rules);
    bytes_uninit(&j->building);
    free(j);
}

enum ofperr
handle_flow_stats(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct flow_job *j = xzalloc(sizeof *j);
    enum ofperr error = flow_request_decode(m, &j->request);

    error = error ? error : options_bind_match(c->ofproto, &j->request.match);
    if (error) {
        free(j);
        return error;
    }
    j->job = (struct ofconn_job) { step_flows, destroy_flows };
    j->version = m->version;
    j->class = m->wire->class == CLASS_NXST_REQUEST ? CLASS_NXST_REPLY : CLASS_OFPST_REPLY;
    msg_parts_begin(&j->parts, &j->building, MSG_FLOW_REPLY, m);
    credits_settle();
    rule_list_begin(&j->rules, c->ofproto, j->request.table_id, &j->request.match);
    ofconn_start_job(c, &j->job);
    return OFPERR_NONE;
}

struct aggregate_job {
    struct ofconn_job job;
    struct flow_request request;
    struct msg message;        /* The request's, without its body. */
    struct rule_list rules;
    struct aggregate_stats sum;
};

static bool
step_aggregate(struct ofconn_job *job, struct bytes *out)
{
    struct aggregate_job *j = CONTAINER_OF(job, struct aggregate_job, job);
    struct rule *rule;

    if (!rule_list_more(&j->rules)) {
        aggregate_stats_encode(out, &j->message, &j->sum);
        return true;
    }
    for (int i = 0; i < RULES_A_STEP && (rule = rule_list_next(&j->rules)) != NULL; i++) {
        const struct rule *counts = rule_counts_in_rcu(rule);

        if (is_wanted(&j->request, rule)) {
            j->sum.n_packets += atomic_load(&counts->n_packets);
            j->sum.n_bytes += atomic_load(&counts->n_bytes);
            j->sum.n_flows++;
        }
        rule_unref(rule);
    }
    return false;
}

static void
destroy_aggregate(struct ofconn_job *job)
{
    struct aggregate_job *j = CONTAINER_OF(job, struct aggregate_job, job);

    rule_list_uninit(&j->rules);
    free(j);
}

enum ofperr
handle_aggregate(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct aggregate_job *j = xzalloc(sizeof *j);
    enum ofperr error = flow_request_decode(m, &j->request);

    error = error ? error : options_bind_match(c->ofproto, &j->request.match);
    if (error) {
        free(j);
        return error;
    }
    j->job = (struct ofconn_job) { step_aggregate, destroy_aggregate };
    j->message = *m;
    j->message.data = NULL;
    j->message.len = 0;
    j->message.body = cursor_make(NULL, 0);
    credits_settle();
    rule_list_begin(&j->rules, c->ofproto, j->request.table_id, &j->request.match);
    ofconn_start_job(c, &j->job);
    return OFPERR_NONE;
}
