#include "ofproto/of_bundle.h"

#include <stdlib.h>

#include "ofproto/change_request.h"
#include "ofproto/conns.h"
#include "ofproto/group.h"
#include "openflow/msg/bundle.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/port.h"

enum { MAX_BUNDLES = 1024 };
#define MAX_BYTES ((size_t) 1 << 30)

struct of_bundle {
    struct list node;       /* In ofconn->bundles. */
    uint32_t id;
    uint16_t flags;
    bool is_closed;
    int64_t used;           /* ms: when something was last done with it. */
    struct bytes first;     /* The message that opened it. */
    struct bytes messages;  /* Those that add something, whole, one after the other. */
};

static struct of_bundle *
find(const struct ofconn *c, uint32_t id)
{
    LIST_FOR_EACH (b, struct of_bundle, node, &c->bundles) {
        if (b->id == id) {
            return b;
        }
    }
    return NULL;
}

static void
drop(struct ofconn *c, struct of_bundle *b)
{
    list_remove(&b->node);
    c->n_bundles--;
    c->n_bundle_bytes -= b->messages.len;
    bytes_uninit(&b->first);
    bytes_uninit(&b->messages);
    free(b);
}

void
of_bundles_destroy(struct ofconn *c)
{
    LIST_FOR_EACH_SAFE (b, struct of_bundle, node, &c->bundles) {
        drop(c, b);
    }
}

void
of_bundles_expire(struct ofconn *c, int64_t now, struct bytes *out)
{
    LIST_FOR_EACH_SAFE (b, struct of_bundle, node, &c->bundles) {
        if (now >= b->used + ofproto_settings.bundle_idle_s * INT64_C(1000)) {
            error_encode_reply(out, OFPERR_OFPBFC_TIMEOUT, c->version, b->first.data, b->first.len);
            drop(c, b);
        }
    }
}

static enum ofperr
open_bundle(struct ofconn *c, uint32_t id, uint16_t flags, const struct msg *m, struct of_bundle **bp)
{
    struct of_bundle *b;

    if (c->n_bundles >= MAX_BUNDLES) {
        return OFPERR_OFPBFC_OUT_OF_BUNDLES;
    }
    b = xzalloc(sizeof *b);
    b->id = id;
    b->flags = flags;
    b->used = clock_now_ms();
    bytes_put(&b->first, m->data, m->len);
    list_push_back(&c->bundles, &b->node);
    c->n_bundles++;
    *bp = b;
    return OFPERR_NONE;
}

/* Adding. */

/* What is wrong with a message by itself, whatever the switch looks like. */
static enum ofperr
check_message(struct ofconn *c, const struct msg *m)
{
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = OFPERR_NONE;
    struct packet_out po;
    struct port_mod pm;
    struct group_mod gm;
    struct flow_mod fm;

    if (m->type == MSG_FLOW_MOD) {
        error = flow_mod_decode_into(m, false, &fm, &acts);
        error = error ? error : options_check(c->ofproto, &fm.match, &acts);
        if (!error && fm.table_id >= 254 && fm.table_id != FM_TABLE_ANY) {
            error = OFPERR_OFPBRC_EPERM;
        }
        error = error ? error : flow_mod_check(c, &fm, &acts, false);
    } else if (m->type == MSG_GROUP_MOD) {
        error = group_mod_decode(m, &gm);
        if (!error) {
            group_mod_uninit(&gm);
        }
    } else if (m->type == MSG_PACKET_OUT) {
        error = packet_out_decode(m, &po, &acts, NULL);
        error = error ? error : packet_out_check(c, &po, &acts);
    } else {
        error = port_mod_decode(m, false, &pm);
    }
    act_buf_uninit(&acts);
    return error;
}

enum ofperr
handle_bundle_add(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct bundle_add add;
    enum ofperr error = bundle_add_decode(m, &add, NULL);
    struct of_bundle *b;

    if (error) {
        return error;
    }
    b = find(c, add.bundle_id);
    if (!b) {
        error = open_bundle(c, add.bundle_id, add.flags, m, &b);
        if (error) {
            return error;
        }
    }
    b->used = clock_now_ms();
    error = b->is_closed ? OFPERR_OFPBFC_BUNDLE_CLOSED
            : b->flags != add.flags ? OFPERR_OFPBFC_BAD_FLAGS
            : c->n_bundle_bytes + m->len > MAX_BYTES ? OFPERR_OFPBFC_MSG_TOO_MANY : OFPERR_NONE;
    if (error) {
        drop(c, b);
        return error;
    }
    error = check_message(c, &add.inner);
    if (!error) {
        bytes_put(&b->messages, m->data, m->len);
        c->n_bundle_bytes += m->len;
    }
    return error;
}

/* Committing. */

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
    struct bytes request;    /* The message that asks for the commit. */
    size_t at;               /* How much of 'messages' has been staged. */
    bool is_running;         /* The flow-mod at 'at' has been begun: */
    struct flow_mod fm;
    struct act_buf acts;
    struct flow_mod_run run;
    bool is_group_running;   /* The group-mod at 'at' has: */
    struct group_mod gm;
    struct group_mod_run group_run;
    struct followup *followups;
    size_t n, capacity;
    struct flow_mod_counts flow_mods; /* Staged. */
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

/* All but flow-mods and group-mods. */
static enum ofperr
stage_other(struct commit *k, const struct msg *m)
{
    struct followup *f;

    switch (m->type) {
    case MSG_PACKET_OUT:
        f = add_followup(k);
        f->is_port_mod = false;
        return packet_out_prepare(k->r.as, m, &f->packet_out);
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
    flow_mod_counts_add(&k->flow_mods, k->fm.command);
    flow_mod_run_end(&k->run);
    k->is_running = false;
    return true;
}

static bool
begin_flow_mod(struct commit *k, const struct msg *m, struct loop_slice *slice, enum ofperr *error)
{
    *error = flow_mod_prepare(k->r.as, m, &k->fm, &k->acts);
    if (*error) {
        return true;
    }
    flow_mod_run_begin(&k->run, &k->r.change, &k->fm);
    k->is_running = true;
    return run_flow_mod(k, slice, error);
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

static bool
stage_message(struct commit *k, const uint8_t *data, size_t len, struct loop_slice *slice, enum ofperr *error)
{
    struct bundle_add add;
    struct msg m;

    if (k->is_running) {
        return run_flow_mod(k, slice, error);
    }
    if (k->is_group_running) {
        return run_group_mod(k, slice, error);
    }
    *error = msg_decode(data, len, &m);
    *error = *error ? *error : bundle_add_decode(&m, &add, NULL);
    if (*error) {
        return true;
    }
    switch (add.inner.type) {
    case MSG_FLOW_MOD: return begin_flow_mod(k, &add.inner, slice, error);
    case MSG_GROUP_MOD: return begin_group_mod(k, &add.inner, slice, error);
    default:
        *error = stage_other(k, &add.inner);
        return true;
    }
}

/* On an error says of which message. */
static bool
stage_commit(struct change_request *r, struct loop_slice *slice, enum ofperr *error)
{
    struct commit *k = CONTAINER_OF(r, struct commit, r);

    while (k->at < k->messages.len) {
        const uint8_t *data = k->messages.data + k->at;
        size_t len = msg_stated_length(data);

        if (!stage_message(k, data, len, slice, error)) {
            return false;
        }
        if (*error) {
            error_encode_reply(&r->out, *error, r->as->version, data, len);
            return true;
        }
        k->at += len;
        if (loop_slice_is_over(slice)) {
            return k->at == k->messages.len;
        }
    }
    return true;
}

static void
follow_up(struct commit *k, bool success)
{
    for (size_t i = 0; i < k->n; i++) {
        struct followup *f = &k->followups[i];

        if (f->is_port_mod) {
            f->port_mod.port = success ? ofport_find(k->r.p, f->port) : NULL;
            if (f->port_mod.port) {
                port_mod_execute(&f->port_mod);
            }
        } else {
            if (success) {
                packet_out_execute(k->r.as, &f->packet_out);
            }
            packet_out_finish(&f->packet_out);
        }
    }
    k->n = 0;
}

static void
rewind_commit(struct change_request *r)
{
    struct commit *k = CONTAINER_OF(r, struct commit, r);

    follow_up(k, false);
    if (k->is_running) {
        flow_mod_run_end(&k->run);
        k->is_running = false;
    }
    if (k->is_group_running) {
        end_group_mod(k);
    }
    k->at = 0;
    k->flow_mods = (struct flow_mod_counts) { 0 };
}

/* What was carried out, to whom it may concern. */
static void
forward_all(const struct commit *k)
{
    for (size_t at = 0; at < k->messages.len; at += msg_stated_length(k->messages.data + at)) {
        const uint8_t *data = k->messages.data + at;
        struct bundle_add add;
        struct msg m;

        if (!msg_decode(data, msg_stated_length(data), &m) && !bundle_add_decode(&m, &add, NULL)) {
            conns_forward_request(k->r.c ? k->r.c : k->r.as, &add.inner);
        }
    }
}

static void
settle(struct commit *k)
{
    follow_up(k, !k->r.error);
    if (!k->r.error && k->r.c) {
        flow_mod_log_add(k->r.c, &k->flow_mods);
    }
    if (!k->r.error && k->any_groups) {
        forward_all(k);
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

    rewind_commit(r);
    free(k->followups);
    bytes_uninit(&k->messages);
    bytes_uninit(&k->request);
    act_buf_uninit(&k->acts);
    free(k);
}

static const struct change_request_ops commit_ops = { stage_commit, rewind_commit, answer_commit, destroy_commit };

static enum ofperr
commit(struct ofconn *c, struct of_bundle *b, const struct msg *m, struct bytes *out)
{
    struct commit *k = xzalloc(sizeof *k);
    enum ofperr error;

    change_request_begin(&k->r, &commit_ops, c);
    k->is_atomic = b->flags & BUNDLE_ATOMIC;
    act_buf_init(&k->acts);
    bytes_put(&k->request, m->data, m->len);
    k->messages = b->messages;
    c->n_bundle_bytes -= b->messages.len;
    b->messages = (struct bytes) BYTES_INIT;
    if (!change_request_run(&k->r)) {
        return OFPERR_NONE; /* It answers later. */
    }
    error = k->r.error;
    bytes_put(out, k->r.out.data, k->r.out.len);
    settle(k);
    change_request_destroy(&k->r);
    return error ? OFPERR_OFPBFC_MSG_FAILED : OFPERR_NONE;
}

/* Control messages. */

static enum ofperr
do_open(struct ofconn *c, const struct bundle_control *bc, const struct msg *m, struct of_bundle *b)
{
    if (b) {
        drop(c, b);
        return OFPERR_OFPBFC_BAD_ID;
    }
    return open_bundle(c, bc->bundle_id, bc->flags, m, &b);
}

static enum ofperr
do_close(struct ofconn *c, const struct bundle_control *bc, struct of_bundle *b)
{
    enum ofperr error = b->is_closed ? OFPERR_OFPBFC_BUNDLE_CLOSED
                        : b->flags != bc->flags ? OFPERR_OFPBFC_BAD_FLAGS : OFPERR_NONE;

    b->is_closed = true;
    b->used = clock_now_ms();
    if (error) {
        drop(c, b);
    }
    return error;
}

static enum ofperr
do_commit(struct ofconn *c, const struct bundle_control *bc, struct of_bundle *b, const struct msg *m,
          struct bytes *out)
{
    enum ofperr error = b->flags != bc->flags ? OFPERR_OFPBFC_BAD_FLAGS : commit(c, b, m, out);

    drop(c, b);
    return error;
}

static enum ofperr
control(struct ofconn *c, const struct bundle_control *bc, const struct msg *m, struct bytes *out)
{
    struct of_bundle *b = find(c, bc->bundle_id);

    if (bc->type == BUNDLE_OPEN_REQUEST) {
        return do_open(c, bc, m, b);
    }
    if (!b) {
        return OFPERR_OFPBFC_BAD_ID;
    }
    if (bc->type == BUNDLE_CLOSE_REQUEST) {
        return do_close(c, bc, b);
    }
    if (bc->type == BUNDLE_COMMIT_REQUEST) {
        return do_commit(c, bc, b, m, out);
    }
    drop(c, b);
    return OFPERR_NONE;
}

enum ofperr
handle_bundle_control(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct bundle_control bc;
    enum ofperr error = bundle_control_decode(m, &bc);

    if (!error && bc.type <= BUNDLE_DISCARD_REPLY && bc.type & 1) {
        error = OFPERR_OFPBFC_BAD_TYPE;
    }
    if (!error && bc.type <= BUNDLE_DISCARD_REPLY) {
        error = control(c, &bc, m, out);
    }
    if (!error && !c->job) { /* A commit that goes on answers later. */
        struct bundle_control reply = {
            .bundle_id = bc.bundle_id, /* The reference answers numbers that mean nothing with type 0. */
            .type = bc.type <= BUNDLE_DISCARD_REPLY ? bc.type + 1 : 0,
        };

        bundle_control_reply(out, m, &reply);
    }
    return error;
}
