#include "ofproto/of_bundle_commit.h"

#include <stdlib.h>

#include "ofproto/change_request.h"
#include "ofproto/conns.h"
#include "ofproto/group.h"
#include "openflow/msg/bundle.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/port.h"

/* What is done once the tables have changed. */
struct followup {
    bool is_port_mod;
    ofp_port port; /* Of 'port_mod': it may go meanwhile. */
    struct port_mod_job port_mod;
    struct packet_out_job packet_out;
};

/* A commit under way. */
struct commit {
    struct change_request r;
    bool is_atomic, any_groups;
    struct bytes messages;   /* The bundle's. */
    struct prepared_flows prepared;
    struct bytes request;    /* The message that asks for the commit. */
    size_t at, len;          /* How much of 'messages' has been staged; the length of the one at 'at'. */
    bool is_running;         /* The flow-mod at 'at' has been begun: */
    struct flow_mod fm;
    struct act_buf acts;
    struct flow_mod_run run;
    bool is_group_running;   /* The group-mod at 'at' has: */
    struct group_mod gm;
    struct group_mod_run group_run;
    struct followup *followups;
    size_t n, capacity, n_followed;
    size_t n_forwarded;      /* Bytes of 'messages' that have been shown to whom they may concern. */
    struct flow_mod_counts flow_mods; /* Begun. */
};

static struct followup *
add_followup(struct commit *k)
{
    if (k->n == k->capacity) {
        k->followups = x2nrealloc(k->followups, &k->capacity, sizeof *k->followups);
    }
    return &k->followups[k->n++];
}

static enum ofperr
stage_port_mod(struct commit *k, const struct msg *m)
{
    struct followup *f = add_followup(k);
    enum ofperr error;

    f->is_port_mod = true;
    error = port_mod_prepare(k->r.as, m, &f->port_mod);
    if (!error) {
        f->port = f->port_mod.port->x->ofp_port;
    }
    return error;
}

static enum ofperr
stage_packet_out(struct commit *k, const struct msg *m)
{
    struct followup *f = add_followup(k);
    enum ofperr error;

    f->is_port_mod = false;
    error = packet_out_prepare(k->r.as, m, &f->packet_out);
    return error ? error : packet_out_try(k->r.as, &f->packet_out, k->r.change.version);
}

/* All but flow-mods and group-mods. */
static enum ofperr
stage_other(struct commit *k, const struct msg *m)
{
    switch (m->type) {
    case MSG_PACKET_OUT:
        return stage_packet_out(k, m);
    case MSG_PORT_MOD:
        return k->is_atomic ? OFPERR_OFPBFC_MSG_FAILED /* It cannot be undone. */ : stage_port_mod(k, m);
    default:
        return OFPERR_OFPBFC_MSG_UNSUP;
    }
}

/* These return true once that message has been staged or refused. */

static bool
run_flow_mod(struct commit *k, struct loop_slice *slice, enum ofperr *error)
{
    if (!flow_mod_run_step(&k->run, slice)) {
        return false;
    }
    *error = k->run.error;
    flow_mod_run_end(&k->run);
    k->is_running = false;
    return true;
}

static bool
begin_flow_mod(struct commit *k, const struct flow_mod *fm, struct loop_slice *slice, enum ofperr *error)
{
    flow_mod_counts_add(&k->flow_mods, fm->command);
    flow_mod_run_begin(&k->run, &k->r.change, fm);
    k->is_running = true;
    return run_flow_mod(k, slice, error);
}

static bool
decode_flow_mod(struct commit *k, const struct msg *m, struct loop_slice *slice, enum ofperr *error)
{
    *error = flow_mod_prepare(k->r.as, m, &k->fm, &k->acts);
    return *error || begin_flow_mod(k, &k->fm, slice, error);
}

static void
end_group_mod(struct commit *k)
{
    group_mod_run_end(&k->group_run);
    group_mod_uninit(&k->gm);
    k->is_group_running = false;
}

static bool
run_group_mod(struct commit *k, struct loop_slice *slice, enum ofperr *error)
{
    if (!group_mod_run_step(&k->group_run, slice)) {
        return false;
    }
    *error = k->group_run.error;
    end_group_mod(k);
    return true;
}

static bool
begin_group_mod(struct commit *k, const struct msg *m, struct loop_slice *slice, enum ofperr *error)
{
    *error = group_mod_decode(m, &k->gm);
    if (*error) {
        return true;
    }
    k->any_groups = true;
    group_mod_run_begin(&k->group_run, &k->r.change, &k->gm);
    k->is_group_running = true;
    return run_group_mod(k, slice, error);
}

/* How many flows ahead memory is asked for: that of what was made on arrival, which is read in order to ask for that of
 * the tables. */
enum { AHEAD_MADE = 12, AHEAD_TABLE = 6 };

static void
prefetch(const struct commit *k)
{
    const struct prepared_flow *f = prepared_flows_ahead(&k->prepared, AHEAD_MADE);

    if (f && f->rule) {
        rule_prefetch(f->rule);
        cls_ready_prefetch(&f->match);
    }
    f = prepared_flows_ahead(&k->prepared, AHEAD_TABLE);
    if (f && f->rule) {
        classifier_prefetch_ready(&k->r.p->xb.tables[f->rule->table_id], &f->match);
    }
}

static bool
begin_prepared(struct commit *k, struct prepared_flow *f, struct loop_slice *slice, enum ofperr *error)
{
    if (!f->rule) {
        prepared_flow_unpack(f, &k->fm);
        return begin_flow_mod(k, &k->fm, slice, error);
    }
    prefetch(k);
    flow_mod_counts_add(&k->flow_mods, FM_ADD);
    *error = change_add_made(&k->r.change, f->rule, &f->match);
    if (!*error) {
        prepared_flow_forget(f);
    }
    return true;
}

/* One that has to be decoded. */
static bool
stage_decoded(struct commit *k, struct loop_slice *slice, enum ofperr *error)
{
    const uint8_t *data = k->messages.data + k->at;
    struct bundle_add add;
    struct msg m;

    k->len = msg_stated_length(data);
    *error = msg_decode(data, k->len, &m);
    *error = *error ? *error : bundle_add_decode(&m, &add, NULL);
    if (*error) {
        return true;
    }
    switch (add.inner.type) {
    case MSG_FLOW_MOD: return decode_flow_mod(k, &add.inner, slice, error);
    case MSG_GROUP_MOD: return begin_group_mod(k, &add.inner, slice, error);
    default:
        *error = stage_other(k, &add.inner);
        return true;
    }
}

/* Finds the length of the message at 'at' when it begins. */
static bool
stage_message(struct commit *k, struct loop_slice *slice, enum ofperr *error)
{
    struct prepared_flow *f;

    if (k->is_running) {
        return run_flow_mod(k, slice, error);
    }
    if (k->is_group_running) {
        return run_group_mod(k, slice, error);
    }
    f = prepared_flows_take(&k->prepared, k->at);
    if (f) {
        k->len = f->len; /* Its text need not be read. */
        return begin_prepared(k, f, slice, error);
    }
    return stage_decoded(k, slice, error);
}

/* On an error says of which message. */
static bool
stage_commit(struct change_request *r, struct loop_slice *slice, enum ofperr *error)
{
    struct commit *k = CONTAINER_OF(r, struct commit, r);

    while (k->at < k->messages.len) {
        if (!stage_message(k, slice, error)) {
            return false;
        }
        if (*error) {
            ofconn_refuse_data(r->as, msg_wire_find(MSG_BUNDLE_ADD_MESSAGE, r->as->version),
                               k->messages.data + k->at, k->len, *error, &r->out);
            return true;
        }
        k->at += k->len;
        if (loop_slice_is_over(slice)) {
            return k->at == k->messages.len;
        }
    }
    return true;
}

static void
follow_up(struct commit *k, struct followup *f)
{
    if (f->is_port_mod) {
        f->port_mod.port = ofport_find(k->r.p, f->port);
        if (f->port_mod.port) {
            port_mod_execute(&f->port_mod);
        }
    } else {
        packet_out_execute(k->r.as, &f->packet_out);
        packet_out_finish(&f->packet_out);
    }
}

/* What was carried out, to whom it may concern. */
static void
forward(const struct commit *k, const void *data, size_t len)
{
    struct bundle_add add;
    struct msg m;

    if (!msg_decode(data, len, &m) && !bundle_add_decode(&m, &add, NULL)) {
        conns_forward_request(k->r.c ? k->r.c : k->r.as, &add.inner);
    }
}

static bool
follow_commit(struct change_request *r, struct loop_slice *slice)
{
    struct commit *k = CONTAINER_OF(r, struct commit, r);

    while (k->n_followed < k->n && !loop_slice_is_over(slice)) {
        follow_up(k, &k->followups[k->n_followed++]);
    }
    if (k->n_followed < k->n) {
        return false;
    }
    while (k->any_groups && k->n_forwarded < k->messages.len && !loop_slice_is_over(slice)) {
        const uint8_t *data = k->messages.data + k->n_forwarded;
        size_t len = msg_stated_length(data);

        forward(k, data, len);
        k->n_forwarded += len;
    }
    return !k->any_groups || k->n_forwarded == k->messages.len;
}

/* Forgets what is under way. */
static void
end_staging(struct commit *k)
{
    for (; k->n_followed < k->n; k->n_followed++) {
        if (!k->followups[k->n_followed].is_port_mod) {
            packet_out_finish(&k->followups[k->n_followed].packet_out);
        }
    }
    if (k->is_running) {
        flow_mod_run_end(&k->run);
        k->is_running = false;
    }
    if (k->is_group_running) {
        end_group_mod(k);
    }
}

static void
settle(struct commit *k)
{
    if (!k->r.error && k->r.c) {
        flow_mod_log_add(k->r.c, &k->flow_mods);
    }
}

static void
answer_commit(struct change_request *r, enum ofperr error)
{
    struct commit *k = CONTAINER_OF(r, struct commit, r);
    struct bundle_control bc;
    struct msg m;

    settle(k);
    if (msg_decode(k->request.data, k->request.len, &m) || bundle_control_decode(&m, &bc)) {
        return; /* It has been decoded before. */
    }
    if (error) {
        ofconn_refuse(r->as, &m, OFPERR_OFPBFC_MSG_FAILED, &r->out);
    } else {
        struct bundle_control reply = { .bundle_id = bc.bundle_id, .type = BUNDLE_COMMIT_REPLY };

        bundle_control_reply(&r->out, &m, &reply);
    }
}

static void
destroy_commit(struct change_request *r)
{
    struct commit *k = CONTAINER_OF(r, struct commit, r);

    end_staging(k);
    free(k->followups);
    prepared_flows_uninit(&k->prepared);
    bytes_uninit(&k->messages);
    bytes_uninit(&k->request);
    act_buf_uninit(&k->acts);
    free(k);
}

static const struct change_request_ops commit_ops = { stage_commit, follow_commit, answer_commit, destroy_commit };

enum ofperr
of_bundle_commit(struct ofconn *c, bool is_atomic, struct bytes messages, struct prepared_flows prepared,
                 const struct msg *m, struct bytes *out)
{
    struct commit *k = xzalloc(sizeof *k);
    enum ofperr error;

    change_request_begin(&k->r, &commit_ops, c);
    k->is_atomic = is_atomic;
    act_buf_init(&k->acts);
    bytes_put(&k->request, m->data, m->len);
    k->messages = messages;
    k->prepared = prepared;
    if (!change_request_run(&k->r)) {
        return OFPERR_NONE; /* It answers later. */
    }
    error = k->r.error;
    bytes_put(out, k->r.out.data, k->r.out.len);
    settle(k);
    change_request_destroy(&k->r);
    return error ? OFPERR_OFPBFC_MSG_FAILED : OFPERR_NONE;
}
